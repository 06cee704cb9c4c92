"""tools/run-lottery.sh, which `make run` calls, in a folder with only what it needs."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from programs import BIN, ROOT, wait_until


class RunLottery(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lottery-test-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "build").mkdir()
        (self.root / "build" / "bin").symlink_to(BIN)
        for name in ("tools/run-lottery.sh", "tools/make-data.sh", "tools/unpack-data.py",
                     "tools/gen-dataset.py", "server/config.ini", "client/config.yaml"):
            (self.root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)

    def start(self, agencies):
        process = subprocess.Popen(["tools/run-lottery.sh", str(agencies)], cwd=self.root,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process

    def running(self):
        """The names of the processes that run one of the programs from this folder."""
        names = []
        for folder in pathlib.Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    program = pathlib.Path(os.readlink(folder / "exe"))
                    if os.readlink(folder / "cwd") == str(self.root) and \
                            program.parent == BIN.resolve():
                        names.append(program.name)
                except OSError:
                    continue
        return names

    def put_data(self, agencies):
        """The user's own bets: agency i has i winning bets and one that does not win."""
        (self.root / ".data").mkdir()
        for i in range(1, agencies + 1):
            (self.root / ".data" / f"agency-{i}.csv").write_text(
                "Ana,Paz,1,1999-03-17,7574\r\n" * i + "Eva,Gil,2,1999-03-17,1\r\n")

    def test_data_is_made_where_there_is_none(self):
        """And the draw is held: each agency prints how many winners it has, all of which were saved."""
        process = self.start(2)
        output = process.communicate(timeout=120)[0]
        self.assertEqual(process.returncode, 0, output)
        self.assertEqual(sorted(path.name for path in (self.root / ".data").iterdir()),
                         ["agency-1.csv", "agency-2.csv"])
        winners = re.findall(r"^agency (\d): .*consulta_ganadores \| result: success \| "
                             r"cant_ganadores: (\d+)$", output, re.M)
        self.assertEqual(sorted(agency for agency, _ in winners), ["1", "2"])
        total = sum(int(count) for _, count in winners)
        self.assertIn(f"30000 bets in build/run/data/bets.csv, {total} winners in", output)
        self.assertEqual(len(re.findall("^server: .*action: sorteo", output, re.M)), 1)
        self.assertEqual(self.running(), [])

    def test_data_of_the_user_is_left_alone(self):
        """In two runs, of which the second starts with an empty store again."""
        self.put_data(3)
        before = [path.read_bytes() for path in sorted((self.root / ".data").iterdir())]
        for _ in range(2):
            process = self.start(3)
            output = process.communicate(timeout=120)[0]
            self.assertEqual(process.returncode, 0, output)
            for i in (1, 2, 3):
                self.assertRegex(output, f"agency {i}: .*cant_ganadores: {i}\n")
            self.assertIn("9 bets in build/run/data/bets.csv, 6 winners in", output)
        self.assertEqual([path.read_bytes() for path in sorted((self.root / ".data").iterdir())],
                         before)

    def test_an_agency_that_fails(self):
        """The reason is printed, and everything ends: the other agencies would wait forever."""
        self.put_data(2)
        (self.root / ".data" / "agency-2.csv").write_text("no bet\r\n")
        process = self.start(2)
        output = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 1, output)
        self.assertIn("agency-2.csv:1: 1 fields instead of 5", output)
        self.assertIn("agency 2 failed: there will be no draw", output)
        wait_until(lambda: self.running() == [], "nobody to be left")

    def test_not_a_number_of_agencies(self):
        """It says what it wants, and starts nothing."""
        for agencies in ("0", "abc", "-1", "10001"):
            process = self.start(agencies)
            output = process.communicate(timeout=60)[0]
            self.assertEqual(process.returncode, 2, output)
            self.assertIn(f"has to be 1 to 10000, not '{agencies}'", output)
        self.assertFalse((self.root / ".data").exists())

    def test_a_stop(self):
        """Stopped in the middle of the work, it leaves no process running."""
        self.put_data(2)
        (self.root / ".data" / "agency-2.csv").write_text("Ana,Paz,1,1999-03-17,1\r\n" * 1_000_000)
        process = self.start(2)
        wait_until(lambda: {"lottery-server", "lottery-agency"} <= set(self.running()),
                   "server and agency")
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=60)[0]
        self.assertNotEqual(process.returncode, 0, output)
        wait_until(lambda: self.running() == [], "nobody to be left")


if __name__ == "__main__":
    unittest.main()
