"""lottery-server --check: says what is in a data directory, and changes nothing."""
import subprocess
import unittest

from programs import BIN, Case
from wire import Peer, bet


class Check(Case):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "data"

    def run_check(self):
        """Returns status, output and errors."""
        result = subprocess.run([BIN / "lottery-server", "--check", self.data], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return result.returncode, result.stdout, result.stderr

    def files(self):
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns)
                for path in self.data.iterdir() if path.is_file()}

    def check(self):
        """The same, for a folder that nobody else uses: it must stay as it was."""
        before = self.files()
        result = self.run_check()
        self.assertEqual(self.files(), before)
        return result

    def fill(self, agencies=2):
        """A server at work: agency 1 has sent three bets and waits, agency 2 has sent two."""
        server = self.server(agencies=agencies)
        first, second = Peer(server.port, 1), Peer(server.port, 2)
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        first.bets([bet("1"), bet("2", number=1), bet("3")])
        first.send_finished(3)
        second.bets([bet("4"), bet("5", number=2)])
        server.wait_line("agencia_finalizada", "success")
        return server, first, second

    def test_an_empty_folder(self):
        self.data.mkdir()
        status, output, errors = self.check()
        self.assertEqual((status, output), (1, ""))
        self.assertRegex(errors, r"^lottery-server: data directory .*/data: bets\.journal: No such file or directory\n$")

    def test_before_the_draw(self):
        server, _, _ = self.fill()
        expected = ("agency 1: 3 bets, finished\n"
                    "agency 2: 2 bets, not finished\n"
                    "in all: 5 bets, 1 agencies finished\n"
                    "draw: open, 2 agencies, winning number 7574\n"
                    "raffle: not held\n"
                    "sound\n")
        self.assertEqual(self.run_check(),
                         (1, "", f"lottery-server: data directory {self.data}: "
                                 "another server works on this folder\n"))
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.check(), (0, expected, ""))

    def test_after_the_draw(self):
        server, first, second = self.fill()
        self.assertEqual(second.finish(2), ["4"])
        self.assertEqual(first.winners(), ["1", "3"])
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.check(), (0, "agency 1: 3 bets, finished\n"
                                           "agency 2: 2 bets, finished\n"
                                           "in all: 5 bets, 2 agencies finished\n"
                                           "draw: closed, 2 agencies, winning number 7574\n"
                                           "raffle: held with number 7574, 3 winners\n"
                                           "sound\n", ""))

    def test_a_torn_tail(self):
        server, _, _ = self.fill()
        server.kill()
        with open(self.data / "bets.csv", "ab") as file:
            file.write(b"1,torn")
        status, output, _ = self.check()
        self.assertEqual(status, 0)
        self.assertIn("in all: 5 bets, 1 agencies finished\n", output)
        self.assertIn("which the next start cuts: 6 bytes of bets.csv, 0 of bets.journal\n"
                      "what is cut is kept, in files that are named bets.torn-TIME\n", output)

    def test_yesterdays_journal(self):
        """Beside today's bets.csv: what is cut was acknowledged, so nobody says otherwise, and it is
        kept."""
        server, _, second = self.fill()
        self.assertEqual(server.stop(), 0)
        journal = (self.data / "bets.journal").read_bytes()
        server = self.server(agencies=2)
        with Peer(server.port, 2) as peer:
            self.assertEqual(peer.bets([bet("6")], 2).received, 3)
        self.assertEqual(server.stop(), 0)
        bets = (self.data / "bets.csv").read_bytes()
        (self.data / "bets.journal").write_bytes(journal)
        status, output, _ = self.check()
        self.assertEqual(status, 0)
        self.assertIn("it may hold acknowledged bets\n", output)
        self.assertNotIn("never", output)
        server = self.server(agencies=2)
        line = server.lines("recover_store", "success", bets_bytes_cut=len(bets.splitlines(True)[-1]))
        self.assertIn("it may hold acknowledged bets", line[0].details["reason"])
        kept = (self.data / line[0].details["bets_file"]).read_bytes()
        self.assertEqual((self.data / "bets.csv").read_bytes() + kept, bets)

    def test_damage(self):
        server, _, _ = self.fill()
        self.assertEqual(server.stop(), 0)
        for name, at in (("bets.csv", 7), ("bets.journal", 8192 + 70)):
            whole = (self.data / name).read_bytes()
            (self.data / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            status, output, errors = self.check()
            self.assertEqual((status, output), (1, ""))
            self.assertRegex(errors, rf"^lottery-server: data directory .*/data: {name}: .* at byte \d+.* copy\b.*\n$")
            (self.data / name).write_bytes(whole)
        self.assertEqual(self.check()[0], 0)


if __name__ == "__main__":
    unittest.main()
