"""lottery-ctl backup: copies of the running draw are whole, in every phase and at every moment, and
leave nothing half done.
"""
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
import unittest

from control_wire import DONE, REFUSED, FakeControl, Operator
from control_wire import pb as control
from programs import BIN, ROOT, SANITIZER, Case, environment_with, wait_until
from wire import Closed, Peer, bet

AGENCIES = 5
NUMBER = 7574
PART = ".part-"  # in the name of a backup that is being made
ID = "2026-11-25-nocturna"


def number_of(i):
    return NUMBER if i % 1000 == 17 else i % 7000


def bets_of(agency, first, count):
    return [bet(f"{agency}{i:06}", number=number_of(i)) for i in range(first, first + count)]


class BackupCase(Case):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "data"
        self.restored = 0

    def ctl(self, *arguments, data=None, status=0, **settings):
        """Output and errors of lottery-ctl, which ends with this status."""
        done = subprocess.run([BIN / "lottery-ctl", *map(str, arguments)], cwd=self.folder,
                              env=environment_with({"LOTTERY_DATA_DIR": str(data or self.data),
                                                    "LC_ALL": "C.UTF-8"}),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding="utf-8", timeout=120, **settings)
        self.assertIsNone(SANITIZER.search(done.stderr), done.stderr)
        self.assertEqual(done.returncode, status, done)
        return done.stdout, done.stderr

    def backup(self, name, *arguments, **settings):
        """Makes one; returns its folder and what is said of it."""
        output, errors = self.ctl("backup", *arguments, name, "--json", **settings)
        self.assertEqual(errors, "")
        told = json.loads(output)
        folder = self.folder / name
        self.assertEqual(told["path"], str(folder.resolve()))
        self.assertEqual(told["bytes"], sum(file.stat().st_size for file in folder.rglob("*")
                                            if file.is_file()))
        return folder, told

    def check(self, folder):
        """--check and the verifier accept it. Returns the lines of the first."""
        done = subprocess.run([BIN / "lottery-server", "--check", folder], encoding="utf-8",
                              env=environment_with({}), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        self.assertEqual(done.stdout.splitlines()[-1], "sound")
        current = folder / "current"
        draw = folder / current.read_text().strip() if current.exists() else folder
        verified = subprocess.run([sys.executable, ROOT / "tools" / "verify-draw.py", draw],
                                  encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=120)
        self.assertEqual(verified.returncode, 0, verified.stderr)
        return done.stdout.splitlines()

    def restore(self, folder, **settings):
        """A server on a copy of the backup, which stays as it is."""
        self.restored += 1
        data = self.folder / f"restored-{self.restored}"
        shutil.copytree(folder, data)
        server = self.server(folder=data, **settings)
        wait_until((data / "control.sock").exists, "the operator's socket")
        return server

    def draw(self, server):
        """The operator's part. It is refused before the last agency has finished, while the seal is made
        or is looked at, and right after a start."""
        def is_drawn():
            with Operator(server.folder / "control.sock") as operator:
                result, _ = operator.ask(control.Draw(number=NUMBER, source="bolillero 3"))
            self.assertTrue(result.code == DONE or any(
                word in result.reason for word in ("bets", "seal", "starting")), result)
            return result.code == DONE
        wait_until(is_drawn, "draw")

    def parts(self):
        return [path.name for path in self.folder.iterdir() if PART in path.name]

    def modes(self, folder):
        return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
                for path in folder.rglob("*")}


class Load:
    """Agencies that bet until they are told to stop. `acked` says how many bets of each count."""

    def __init__(self, port, draw=""):
        self.port = port
        self.draw = draw
        self.acked = [0] * (AGENCIES + 1)
        self.ends = threading.Event()
        self.failure = None
        self.threads = [threading.Thread(target=self._bet, args=(agency,))
                        for agency in range(1, AGENCIES + 1)]
        for thread in self.threads:
            thread.start()

    def _bet(self, agency):
        try:
            while not self.ends.is_set():
                try:
                    with Peer(self.port, agency, draw=self.draw) as peer:
                        while not self.ends.is_set():
                            at = self.acked[agency]
                            ack = peer.bets(bets_of(agency, at, 1 + at % 90), at)
                            assert ack.received >= at + 1, ack
                            self.acked[agency] = ack.received
                except (Closed, OSError):  # a process of the server was killed
                    pass
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure

    def wait_more(self, bets=500):
        """Each agency has so many bets more."""
        wanted = [count + bets for count in self.acked[1:]]
        wait_until(lambda: self.failure or all(count >= least for count, least
                                               in zip(self.acked[1:], wanted)), "more bets")
        if self.failure:
            raise self.failure

    def stop(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()
        if self.failure:
            raise self.failure
        return self.acked


class UnderLoad(BackupCase):
    def write_files(self, counts):
        """The agencies' files, with the same bets."""
        files = [None]
        for agency, count in enumerate(counts[1:], 1):
            files.append(self.folder / f"agency-{agency}.csv")
            files[-1].write_text("".join(
                f"{b.first_name},{b.last_name},{b.document},{b.birthdate},{b.number}\n"
                for b in bets_of(agency, 0, count)), encoding="utf-8")
        return files

    def finish(self, server, files, draw, before_winners=lambda: None):
        """Real agencies with these files finish. Returns the winners of each."""
        agencies = []
        for agency, file in enumerate(files[1:], 1):
            path = self.folder / f"winners-{agency}"
            path.unlink(missing_ok=True)
            agencies.append(self.agency(agency, server.port, file, CLI_DRAW=draw or None,
                                        CLI_WINNERS_FILE=str(path)))
        for agency in agencies:
            agency.wait_line("apuestas_enviadas", "success")
        before_winners()
        self.assertEqual([agency.wait() for agency in agencies], [0] * AGENCIES)
        return [(self.folder / f"winners-{agency}").read_text(encoding="utf-8").splitlines()
                for agency in range(1, AGENCIES + 1)]

    def run_load(self, make_backup, draw="", kills=False, **settings):
        """Backups while five agencies bet, then the end; each backup goes on to the same end."""
        server = self.server(agencies=AGENCIES, level="DEBUG", **settings)
        server.wait_ready()
        load = Load(server.port, draw)
        backups = []
        try:
            load.wait_more(50)
            for i in range(4):
                load.wait_more(200)
                acked = list(load.acked)
                if kills and i % 2 == 1:
                    server.kill_one("ledger" if i == 1 else "coordinator")
                backups.append((acked, *make_backup(f"backup-{i}")))
        finally:
            counts = load.stop()
        final = self.check_backups(backups, draw, kills)
        files = self.write_files(counts)
        draws = self.draw if draw else lambda server: None
        winners = self.finish(server, files, draw, lambda: draws(server))
        self.assertEqual(winners, [[f"{agency}{i:06}" for i in range(counts[agency])
                                    if number_of(i) == NUMBER]
                                   for agency in range(1, AGENCIES + 1)])
        self.assertEqual(server.stop(), 0)
        self.assertTrue((self.data / draw / "bets.csv").read_bytes().startswith(final))
        for _, folder, _ in (backups[0], backups[-1]):
            restored = self.restore(folder, agencies=AGENCIES, **settings)
            self.assertEqual(restored.lines("recover_store", "success")[0].details["draw"], "no")
            self.assertEqual(self.finish(restored, files, draw,
                                         lambda restored=restored: draws(restored)), winners)
            self.assertEqual(restored.stop(), 0)
            self.check(restored.folder)

    def check_backups(self, backups, draw, kills):
        """Each has what was acknowledged before it, in order. Returns the bytes of the last one's bets."""
        before = b""
        for i, (acked, folder, told) in enumerate(backups):
            lines = self.check(folder)
            counts = [int(line.split(": ")[1].split()[0]) for line in lines
                      if line.startswith("agency ")]
            self.assertEqual(len(counts), AGENCIES)
            for count, least in zip(counts, acked[1:]):
                self.assertGreaterEqual(count, least)
            self.assertEqual(told["bets"], sum(counts))
            self.assertEqual((told["draw"], told["phase"]), (draw, "open"))
            acts = [line for line in lines if line.startswith("act: ")]
            self.assertTrue(all(line.endswith(f"uid {os.getuid()}: backup") for line in acts))
            if not kills:  # after one, an act is handed in again; the same of one second is taken for it
                self.assertEqual(len(acts), i + 1)
            self.assertGreater(len(acts), 0)
            bets = (folder / draw / "bets.csv").read_bytes()
            self.assertTrue(bets.startswith(before))
            self.assertEqual(bets.count(b"\r\n"), sum(counts))
            before = bets
        return before

    def test_a_draw_without_id(self):
        self.run_load(self.backup)

    def test_a_manual_draw_with_kills(self):
        """Also while ledger and coordinator are killed: a backup waits, or says that it has failed."""
        def make(name):
            for _ in range(100):
                done = subprocess.run([BIN / "lottery-ctl", "-d", self.data, "backup", name],
                                      cwd=self.folder, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, encoding="utf-8", timeout=60)
                if done.returncode == 0:
                    break
                self.assertEqual(done.returncode, 1)
                self.assertFalse((self.folder / name).exists())
            self.assertEqual(done.returncode, 0, done)
            return self.folder / name, {"bets": int(done.stdout.splitlines()[3].split()[1]),
                                        "draw": ID, "phase": "open"}
        self.run_load(make, draw=ID, kills=True, LOTTERY_DRAW="manual", LOTTERY_DRAW_ID=ID)
        self.assertEqual(self.parts(), [])


class Phases(BackupCase):
    SETTINGS = {"agencies": 1, "LOTTERY_DRAW": "manual", "LOTTERY_DRAW_ID": ID}

    def status(self, server):
        return json.loads(self.ctl("status", "--json", data=server.folder)[0])

    def test_every_phase(self):
        """Each copy is of its phase, and the draw goes on there with the same root and winners."""
        server = self.server(**self.SETTINGS)
        peer = Peer(server.port, 1, draw=ID)
        with peer:
            self.assertEqual(peer.bets(bets_of(1, 0, 90)).received, 90)
        copies = {}

        def copy(phase):
            copies[phase], told = self.backup(phase)
            self.assertEqual((told["phase"], told["bets"]), (phase, 90))
            self.check(copies[phase])
        copy("open")
        self.assertEqual(self.modes(copies["open"]), {
            "current": 0o640, "seal-key.pem": 0o600, ID: 0o750, f"{ID}/bets.csv": 0o640,
            f"{ID}/bets.journal": 0o640})
        self.assertEqual(stat.S_IMODE(copies["open"].stat().st_mode), 0o700)
        self.ctl("close")
        copy("sealed")
        root = self.status(server)["sealed"]["root"]
        self.ctl("draw", NUMBER, "--source", "bolillero 3")
        copy("drawn")
        self.assertEqual({path.name for path in (copies["drawn"] / ID).iterdir()}, {
            "bets.csv", "bets.journal", "seal.txt", "seal.leaves", "winners.csv", "winners.index",
            "result.txt"})
        for path in (copies["drawn"] / ID).iterdir():
            if path.name != "bets.journal":
                self.assertEqual(path.read_bytes(), (self.data / ID / path.name).read_bytes())
        self.assertEqual(server.stop(), 0)
        self.go_on(copies, root)

    def go_on(self, copies, root):
        winners = {"agency": 1, "document": "1000017"}
        for phase, folder in copies.items():
            server = self.restore(folder, **self.SETTINGS)
            if phase == "open":
                self.ctl("close", data=server.folder)
            if phase != "drawn":
                self.draw(server)
            status = self.status(server)
            self.assertEqual(status["phase"], "drawn")
            if phase != "open":  # otherwise the closing has other random bytes
                self.assertEqual(status["sealed"]["root"], root)
            wait_until(lambda server=server: self.status(server)["drawn"]["winners_readable"],
                       "winners")
            self.assertEqual(json.loads(self.ctl("winners", "--json", data=server.folder)[0]),
                             [winners])
            with Peer(server.port, 1, draw=ID) as peer:
                self.assertEqual(peer.finish(90), ["1000017"])
            self.assertEqual(server.stop(), 0)
            self.check(server.folder)

    def test_closed_without_a_seal(self):
        """The seal cannot be made, as there is no key: the copy is closed, and its server seals it."""
        key = self.folder / "key.pem"
        server = self.server(LOTTERY_SEAL_KEY=str(key), **self.SETTINGS)
        with Peer(server.port, 1, draw=ID) as peer:
            self.assertEqual(peer.bets(bets_of(1, 0, 20)).received, 20)
        with Operator(self.data / "control.sock") as operator:
            self.assertEqual(operator.ask(control.Close())[0].code, DONE)
        folder, told = self.backup("closed")
        self.assertEqual(told["phase"], "closed")
        self.assertFalse((folder / "seal-key.pem").exists())
        self.assertIn("act: ", "".join(self.check(folder)))
        self.assertEqual(server.stop(), 0)
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        os.chmod(key, 0o600)
        restored = self.restore(folder, LOTTERY_SEAL_KEY=str(key), **self.SETTINGS)
        wait_until(lambda: self.status(restored)["phase"] == "sealed", "seal")
        self.assertEqual(restored.stop(), 0)

    def test_what_is_missing(self):
        """A file that can be computed again and is lost is left out, and is said to be; a server on the
        copy makes it again. Only the draw in force is copied."""
        server = self.server(**self.SETTINGS)
        self.ctl("close")
        self.ctl("draw", NUMBER)
        self.ctl("next", "second")
        self.ctl("close")
        (self.data / "second" / "seal.leaves").unlink()
        output, errors = self.ctl("backup", "copy")
        self.assertIn("seal.leaves is not in it", errors)
        self.assertEqual([line.split()[0] for line in output.splitlines()],
                         ["backup", "draw", "phase", "bets", "bytes"])
        folder = self.folder / "copy"
        self.assertEqual({path.name for path in folder.iterdir()},
                         {"current", "seal-key.pem", "second"})
        self.assertEqual((folder / "current").read_bytes(), b"second\n")
        self.assertEqual(server.stop(), 0)
        restored = self.restore(folder, **self.SETTINGS)
        wait_until((restored.folder / "second" / "seal.leaves").exists, "the file again")
        self.draw(restored)
        self.assertEqual(restored.stop(), 0)
        self.check(restored.folder)


class Targets(BackupCase):
    def refuses(self, name, reason, **settings):
        output, errors = self.ctl("backup", name, status=1, **settings)
        self.assertEqual(output, "")
        self.assertIn(reason, errors)
        self.assertEqual(self.parts(), [])

    def test_where_it_may_be(self):
        server = self.server(agencies=1)
        (self.folder / "full" / "x").mkdir(parents=True)
        (self.folder / "file").write_text("x")
        (self.folder / "link").symlink_to("empty")
        (self.folder / "dangling").symlink_to("nothing")
        (self.folder / "to-data").symlink_to("data")
        for name, reason in (("full", "not empty"), ("file", "not a folder"), ("link", "symbolic link"),
                             ("dangling", "symbolic link"), ("nothing/x", "No such file"),
                             ("file/x", "Not a directory"), (".", "does not name a folder"),
                             ("full/..", "does not name a folder"), ("/", "does not name a folder"),
                             ("", "does not name a folder"), ("data", "not empty"),
                             ("data/x", "data directory"), ("to-data/x", "data directory"),
                             ("x" * 300, "name too long"), ("/proc/x", "/proc/x: ")):
            with self.subTest(name=name):
                self.refuses(name, reason)
        self.assertEqual(list((self.folder / "full").iterdir()), [self.folder / "full" / "x"])
        self.assertNotIn("act:", self.ctl("status")[0])

        # What is empty is replaced; a path may lead over links, and end with a slash.
        (self.folder / "empty").mkdir(mode=0o777)
        (self.folder / "there").symlink_to("full")
        for name in ("empty", "there/copy/", "./full/../third", "y" * 255,
                     self.folder / "absolute"):
            folder, _ = self.backup(str(name).rstrip("/")) if not str(name).endswith("/") else (
                self.folder / name, self.ctl("backup", name))
            self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
            self.check(folder)
        self.assertFalse((self.folder / "absolute" / "current").exists())
        self.assertEqual(self.parts(), [])
        self.assertEqual(server.stop(), 0)
        # A backup from before the first bet is a data directory, too.
        self.assertEqual(self.restore(self.folder / "empty", agencies=1).stop(), 0)

    @unittest.skipIf(os.getuid() == 0, "root may write everywhere")
    def test_an_unwritable_place(self):
        self.server(agencies=1)
        place = self.folder / "place"
        place.mkdir(mode=0o555)
        self.refuses("place/x", "Permission denied")

    def test_without_a_server(self):
        self.data.mkdir()
        self.refuses("copy", "does a server run on this data directory?")

    def test_two_at_once(self):
        """To the same folder: one of them is there, and whole; the other says that it is not."""
        server = self.server(agencies=1)
        with Peer(server.port) as peer:
            peer.bets(bets_of(1, 0, 50))
        for i in range(3):
            running = [subprocess.Popen([BIN / "lottery-ctl", "-d", self.data, "backup", f"copy-{i}"],
                                        cwd=self.folder, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL) for _ in range(3)]
            self.assertEqual(sorted(one.wait(60) for one in running), [0, 1, 1])
            self.check(self.folder / f"copy-{i}")
        self.assertEqual(self.parts(), [])


class Endings(BackupCase):
    """With a server that the test plays, whose data directory is the folder of its socket."""

    def setUp(self):
        super().setUp()
        self.data.mkdir()
        (self.data / "bets.csv").write_bytes(b"x" * 4_000_000)

    def beginning(self, size=4_000_000, name="bets.csv", **fields):
        info = (self.data / "bets.csv").stat()
        return control.SnapshotFile(**{"name": name, "source": control.FILE_SOURCE_BEGINNING,
                                       "size": size, "device": info.st_dev, "inode": info.st_ino,
                                       **fields})

    def content(self, name, content):
        return control.SnapshotFile(name=name, source=control.FILE_SOURCE_CONTENT, content=content)

    def whole(self, name, source=control.FILE_SOURCE_WHOLE):
        return control.SnapshotFile(name=name, source=source)

    def fake(self, *files, result=None):
        """A server with these files."""
        (self.data / "control.sock").unlink(missing_ok=True)
        answer = [control.Snapshot(draw="d", phase=control.PHASE_OPEN, bets=9), *files,
                  result or control.Result(code=DONE)]
        server = FakeControl(self.data / "control.sock", lambda command: answer)
        self.addCleanup(server.stop)
        return server

    def left(self):
        """What is in the test's folder beside the data directory."""
        return sorted(path.name for path in self.folder.iterdir() if path.name != "data")

    def test_a_copy(self):
        """Bytes are those of the files, or what was sent; others may use the file meanwhile."""
        (self.data / "d").mkdir()
        (self.data / "d" / "seal.txt").write_bytes(b"seal")
        (self.data / "d" / "seal.txt").chmod(0o604)
        self.fake(self.beginning(3_999_999), self.content("d/bets.journal", b"a" * 8000),
                  self.content("d/bets.journal", b"b"), self.content("current", b"d\n"),
                  self.content("nothing", b""), self.whole("d/seal.txt"),
                  self.whole("key", control.FILE_SOURCE_IF_ANY),
                  result=control.Result(code=DONE, reason="something is not in it"))
        output, errors = self.ctl("backup", "copy", "--json")
        folder = self.folder / "copy"
        self.assertEqual(errors, "lottery-ctl: something is not in it\n")
        self.assertEqual(json.loads(output), {"path": str(folder.resolve()), "draw": "d",
                                              "phase": "open", "bets": 9, "bytes": 4_008_006})
        self.assertEqual({str(path.relative_to(folder)): path.read_bytes()
                          for path in folder.rglob("*") if path.is_file()}, {
            "bets.csv": b"x" * 3_999_999, "d/bets.journal": b"a" * 8000 + b"b", "current": b"d\n",
            "nothing": b"", "d/seal.txt": b"seal"})
        self.assertEqual(self.modes(folder)["d/seal.txt"], 0o600)

    def test_answers_that_cannot_be(self):
        """Nothing is read or written outside, and nothing is left."""
        (self.data / "link").symlink_to("bets.csv")
        (self.data / "folder").symlink_to(".")
        os.mkfifo(self.data / "fifo")
        (self.data / "sub").mkdir()
        outside = self.folder / "outside"
        outside.write_text("secret")
        cases = [(self.whole(name), reason) for name, reason in (
            ("../outside", "not the name"), ("/etc/passwd", "not the name"), ("a/../b", "not the name"),
            ("a/b/c", "not the name"), ("", "not the name"), (".hidden", "not the name"),
            ("a//b", "not the name"), ("x" * 129, "not the name"), ("a b", "not the name"),
            ("link", "link: "), ("folder/bets.csv", "folder/bets.csv: "),
            ("fifo", "not a regular file"), ("sub", "not a regular file"),
            ("absent", "No such file"))]
        cases += [(self.content(name, b"x"), "not the name") for name in ("../x", "/x", "a/b/c", "..")]
        cases += [
            (self.beginning(4_000_001), "shorter"), (self.beginning(inode=1), "not the file"),
            (self.beginning(device=0), "not the file"), (self.whole("bets.csv", 99), "does not know")]
        for file, reason in cases:
            with self.subTest(file=str(file)):
                server = self.fake(self.content("first", b"x"), self.content("d/second", b"x"), file)
                _, errors = self.ctl("backup", "copy", status=1)
                self.assertIn(reason, errors)
                self.assertEqual(self.left(), ["outside"])
                server.stop()
        for files in ((self.content("a", b"x"), self.content("b", b"x"), self.content("a", b"x")),
                      (self.content("a/x", b""), self.content("b/x", b""))):
            server = self.fake(*files)
            self.ctl("backup", "copy", status=1)
            self.assertEqual(self.left(), ["outside"])
            server.stop()

    def test_no_answer(self):
        for answer, reason in (
                ([control.Result(code=REFUSED, reason="no")], "refused: no"),
                ([control.Result(code=DONE)], "malformed"),
                ([Closed()], "ended the connection"),
                ([control.Snapshot(draw="d"), Closed()], "ended the connection")):
            (self.data / "control.sock").unlink(missing_ok=True)
            with FakeControl(self.data / "control.sock", lambda command, answer=answer: answer):
                self.assertIn(reason, self.ctl("backup", "copy", status=1)[1])
            self.assertEqual(self.left(), [])

    def test_a_full_disk(self):
        """A write that fails in the midst of a file."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        self.fake(self.content("d/bets.journal", b"x"), self.beginning(name="bets.csv"))
        _, errors = self.ctl("backup", "copy", status=1, preexec_fn=limit)
        self.assertIn("bets.csv: ", errors)
        self.assertEqual(self.left(), [])

    def test_killed_while_copying(self):
        """What is left has another name, and does not hinder the next one."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        self.fake(self.beginning())
        for count in (1, 2):
            self.ctl("backup", "copy", status=-signal.SIGXFSZ, preexec_fn=limit)
            self.assertEqual(len(self.parts()), count)
            self.assertEqual(self.left(), self.parts() and sorted(self.parts()))
            for part in self.parts():
                self.assertRegex(part, r"^copy\.part-\w{6}$")
        self.ctl("backup", "copy")
        self.assertEqual((self.folder / "copy" / "bets.csv").stat().st_size, 4_000_000)
        self.assertEqual(len(self.parts()), 2)

    def test_signals(self):
        """While the server does not answer: SIGKILL leaves the other name, the others nothing."""
        waits = threading.Event()
        self.addCleanup(waits.set)

        def answer(_):
            waits.wait()
            return [Closed()]
        server = FakeControl(self.data / "control.sock", answer)
        self.addCleanup(server.stop)
        self.addCleanup(waits.set)
        for i, number in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL), 1):
            with subprocess.Popen([BIN / "lottery-ctl", "-d", self.data, "backup", "copy"],
                                  cwd=self.folder, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as running:
                wait_until(lambda count=i: len(server.commands) == count, "command")
                self.assertEqual(len(self.parts()), 1)
                running.send_signal(number)
                self.assertEqual(running.wait(30), -number)
            self.assertEqual(len(self.parts()), int(number == signal.SIGKILL))
        waits.set()


class Ledger(BackupCase):
    def test_a_ledger_that_dies(self):
        """The backup waits for the next one, and is made."""
        server = self.server(agencies=1, level="DEBUG")
        server.wait_ready()
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets(bets_of(1, 0, 50)).received, 50)
        ledger = server.children()["ledger"][0]
        os.kill(ledger, signal.SIGSTOP)
        with subprocess.Popen([BIN / "lottery-ctl", "-d", self.data, "backup", "copy"],
                              cwd=self.folder, stdout=subprocess.PIPE) as running:
            wait_until(self.parts, "the folder's other name")
            os.kill(ledger, signal.SIGKILL)
            self.assertEqual(running.wait(60), 0)
            self.assertIn(b"bets       50", running.stdout.read())
        self.assertIn("agency 1: 50 bets, not finished", self.check(self.folder / "copy"))
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
