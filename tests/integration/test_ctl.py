"""lottery-ctl against a server that the test plays."""
import base64
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import unittest

from control_wire import DONE, FAILED, MOVING, REFUSED, FakeControl, pb
from programs import BIN, SANITIZER, Case, environment_with, wait_until
from wire import Closed, frame

ROOT_HASH = bytes(range(32))
NOON = 1_764_072_000  # 2025-11-25T12:00:00Z
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def done(instance=1):
    return pb.Result(code=DONE, instance=instance)


def refused(reason):
    return pb.Result(code=REFUSED, reason=reason)


def open_draw(instance=1, **fields):
    return pb.Status(**{"instance": instance, "draw": "2025-11-25-nocturna",
                        "mode": pb.MODE_MANUAL, "has_seal": True, "phase": pb.PHASE_OPEN,
                        "agencies": 5, "finished": 2, "has_bets": True, "bets": 1234,
                        "close_at": NOON, **fields})


def sealed_draw(**fields):
    return open_draw(**{"phase": pb.PHASE_SEALED, "closed_at": NOON + 60,
                        "closed_by": pb.CLOSED_BY_OPERATOR, "closed_uid": 1000,
                        "root": ROOT_HASH, "vkey": "lottery+0badcafe+AQID",
                        "sealed_at": NOON + 61, **fields})


def drawn_draw(**fields):
    return sealed_draw(**{"phase": pb.PHASE_DRAWN, "number": 7574, "source": "bolillero | n\u00ba 3",
                          "winners": 2, "drawn_at": NOON + 120, "drawn_uid": 0,
                          "has_winners": True, **fields})


class CtlCase(Case):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "control.sock"

    def fake(self, answer):
        """A server with this answer, which ends with the test."""
        self.path.unlink(missing_ok=True)
        server = FakeControl(self.path, answer)
        self.addCleanup(server.stop)
        return server

    def ctl(self, *arguments, timeout=90, **environment):
        result = subprocess.run([BIN / "lottery-ctl", *map(str, arguments)], cwd=self.folder,
                                stdin=subprocess.DEVNULL, env=environment_with(environment),
                                capture_output=True, timeout=timeout)
        result.stdout, result.stderr = result.stdout.decode(), result.stderr.decode()
        self.assertIsNone(SANITIZER.search(result.stderr), result.stderr)
        self.assertIsNone(UNSAFE.search(result.stdout + result.stderr), result)
        return result

    def assert_done(self, result, *lines):
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        for line in lines:
            self.assertIn(line, result.stdout.splitlines())

    def assert_fails(self, result, reason, status=1):
        self.assertEqual((result.returncode, result.stdout), (status, ""), result)
        self.assertIn(reason, result.stderr)
        self.assertTrue(result.stderr.startswith("lottery-ctl: "), result.stderr)


class Questions(CtlCase):
    def test_status_open(self):
        self.fake(lambda _: [open_draw(), done()])
        self.assert_done(self.ctl("status"), "draw       2025-11-25-nocturna",
                         "mode       manual, with a seal", "phase      open",
                         "agencies   5, 2 finished", "bets       1234",
                         "closes     2025-11-25T12:00:00Z")
        self.assertEqual(json.loads(self.ctl("status", "--json").stdout), {
            "phase": "open", "draw": "2025-11-25-nocturna", "mode": "manual", "seal": True,
            "agencies": 5, "finished": 2, "bets": 1234, "close_at": "2025-11-25T12:00:00Z",
            "closed": None, "sealed": None, "drawn": None})

    def test_status_sealed(self):
        self.fake(lambda _: [sealed_draw(), done()])
        root = base64.b64encode(ROOT_HASH).decode()
        self.assert_done(self.ctl("status"), "phase      sealed",
                         "closed     2025-11-25T12:01:00Z, by user 1000",
                         "sealed     2025-11-25T12:01:01Z", f"root       {root}",
                         "key        lottery+0badcafe+AQID")
        said = json.loads(self.ctl("--json", "status").stdout)
        self.assertEqual(said["closed"], {"time": "2025-11-25T12:01:00Z", "by": "operator",
                                          "uid": 1000})
        self.assertEqual(said["sealed"], {"time": "2025-11-25T12:01:01Z", "root": root,
                                          "key": "lottery+0badcafe+AQID"})

    def test_status_drawn(self):
        self.fake(lambda _: [drawn_draw(), done()])
        self.assert_done(self.ctl("status"), "phase      drawn",
                         "drawn      2025-11-25T12:02:00Z, by user 0", "number     7574",
                         "source     bolillero | n\u00ba 3", "winners    2")
        self.assertEqual(json.loads(self.ctl("status", "-j").stdout)["drawn"], {
            "time": "2025-11-25T12:02:00Z", "number": 7574, "source": "bolillero | n\u00ba 3",
            "uid": 0, "winners": 2, "winners_readable": True})

    def test_other_states(self):
        """The draw without id in mode auto; ends that nobody has decided; no state yet."""
        status = pb.Status(instance=1, phase=pb.PHASE_DRAWN, agencies=1, finished=1, closed_at=1,
                           closed_by=pb.CLOSED_BY_ALL_FINISHED, number=1, drawn_at=2)
        self.fake(lambda _: [status, done()])
        self.assert_done(self.ctl("status"), "draw       (without id)", "mode       auto",
                         "closed     1970-01-01T00:00:01Z, all agencies had finished",
                         "drawn      1970-01-01T00:00:02Z",
                         "winners    0, not readable at the moment")
        said = json.loads(self.ctl("status", "-j").stdout)
        self.assertEqual((said["draw"], said["bets"], said["closed"]["uid"], said["drawn"]["uid"]),
                         ("", None, None, None))
        status.closed_by = pb.CLOSED_BY_DEADLINE
        self.assert_done(self.ctl("status"),
                         "closed     1970-01-01T00:00:01Z, at its closing time")
        status.Clear()
        self.assert_done(self.ctl("status"),
                         "phase      not known yet: the server has just started")
        self.assertEqual(json.loads(self.ctl("status", "-j").stdout), {"phase": "unknown"})

    def test_agencies(self):
        """Several frames are one table."""
        pages = [pb.Agencies(agencies=[pb.Agency(id=1, bets=10, has_finished=True)]),
                 pb.Agencies(agencies=[pb.Agency(id=2), pb.Agency(id=3, bets=2**64 - 1)])]
        self.fake(lambda _: [*pages, done()])
        result = self.ctl("agencies")
        self.assert_done(result)
        self.assertEqual([line.split() for line in result.stdout.splitlines()],
                         [["agency", "bets", "finished"], ["1", "10", "yes"], ["2", "0", "no"],
                          ["3", str(2**64 - 1), "no"]])
        self.assertEqual(json.loads(self.ctl("agencies", "--json").stdout), [
            {"agency": 1, "bets": 10, "finished": True}, {"agency": 2, "bets": 0, "finished": False},
            {"agency": 3, "bets": 2**64 - 1, "finished": False}])

    def test_winners(self):
        rows = [pb.Winner(agency=number % 5 + 1, document=f"{number:016}")
                for number in range(20000)]
        pages = [pb.Winners(winners=rows[at:at + 256]) for at in range(0, len(rows), 256)]
        self.fake(lambda _: [*pages, done()])
        result = self.ctl("winners")
        self.assert_done(result)
        self.assertEqual([line.split() for line in result.stdout.splitlines()[1:]],
                         [[str(row.agency), row.document] for row in rows])
        self.assertEqual(json.loads(self.ctl("winners", "--json").stdout),
                         [{"agency": row.agency, "document": row.document} for row in rows])

    def test_empty_lists(self):
        self.fake(lambda _: [done()])
        self.assert_done(self.ctl("winners"), "    agency  document")
        self.assertEqual(self.ctl("winners", "--json").stdout, "[]\n")
        self.assertEqual(self.ctl("agencies", "--json").stdout, "[]\n")

    def test_refused(self):
        self.fake(lambda _: [refused("there are no winners yet")])
        self.assert_fails(self.ctl("winners"), "refused: there are no winners yet")
        self.assert_fails(self.ctl("winners", "--json"), "refused: there are no winners yet")

    def test_end_within_a_list(self):
        """Half a list is not shown."""
        rows = pb.Winners(winners=[pb.Winner(agency=1, document="1")])
        self.fake(lambda _: [rows, Closed()])
        self.assert_fails(self.ctl("winners"), "the server has ended the connection")
        self.fake(lambda _: [rows, pb.Result(code=FAILED, reason="cannot be read")])
        self.assert_fails(self.ctl("winners"), "failed: cannot be read")


class Acts(CtlCase):
    def test_close_waits_for_the_seal(self):
        answers = iter([open_draw(phase=pb.PHASE_CLOSED)] * 3 + [sealed_draw()])
        server = self.fake(lambda command: [done()] if isinstance(command, pb.Close)
                           else [next(answers), done()])
        self.assert_done(self.ctl("close"), "closed     2025-11-25T12:01:00Z, by user 1000",
                         f"root       {base64.b64encode(ROOT_HASH).decode()}")
        self.assertEqual(len(server.commands), 5)

    def test_close_without_a_seal(self):
        status = open_draw(phase=pb.PHASE_CLOSED, has_seal=False, closed_at=NOON,
                           closed_by=pb.CLOSED_BY_OPERATOR)
        self.fake(lambda command: [done()] if isinstance(command, pb.Close) else [status, done()])
        result = self.ctl("close")
        self.assert_done(result, "closed     2025-11-25T12:00:00Z, by user 0")
        self.assertNotIn("root", result.stdout)
        self.assertEqual(json.loads(self.ctl("close", "--json").stdout)["phase"], "closed")

    def test_close_while_the_server_is_restarted(self):
        """It goes away after the closing; the next one makes the seal."""
        other = []

        def go_away(command):
            if isinstance(command, pb.Close):
                return [done()]
            self.path.unlink()
            other.append(FakeControl(self.path, lambda _: [sealed_draw(), done()]))
            return [Closed()]

        self.fake(go_away)
        try:
            self.assert_done(self.ctl("close"), "sealed     2025-11-25T12:01:01Z")
        finally:
            for server in other:
                server.stop()

    def test_draw(self):
        server = self.fake(lambda command: [done()] if isinstance(command, pb.Draw)
                           else [drawn_draw(), done()])
        self.assert_done(self.ctl("draw", "7574", "--source", "bolillero | n\u00ba 3"),
                         "number     7574", "winners    2", "source     bolillero | n\u00ba 3")
        self.assertEqual(server.commands[0], pb.Draw(number=7574, source="bolillero | n\u00ba 3"))
        self.assert_done(self.ctl("draw", "0042"), "number     7574")
        self.assertEqual(server.commands[2], pb.Draw(number=42))
        self.assertEqual(json.loads(self.ctl("draw", "0", "--json").stdout)["drawn"]["number"], 7574)

    def test_draw_that_takes_long(self):
        """There is no limit of time; SIGKILL ends it, and the server goes on."""
        taken, go_on = threading.Event(), threading.Event()

        def slowly(command):
            if not isinstance(command, pb.Draw):
                return [drawn_draw(), done()]
            taken.set()
            self.assertTrue(go_on.wait(30))
            return [done()]

        self.fake(slowly)
        process = subprocess.Popen([BIN / "lottery-ctl", "draw", "1"], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertTrue(taken.wait(30))
        with self.assertRaises(subprocess.TimeoutExpired):
            process.communicate(timeout=1)
        go_on.set()
        output, errors = process.communicate(timeout=30)
        self.assertEqual((process.returncode, errors), (0, ""))
        self.assertIn("number     7574", output)

    def test_refusals(self):
        """Each act that is refused: the reason, and status 1."""
        self.fake(lambda _: [refused("this draw runs by itself (LOTTERY_DRAW=auto)")])
        for command in (["close"], ["draw", "1"], ["next", "x"], ["reload"]):
            with self.subTest(command):
                self.assert_fails(self.ctl(*command),
                                  "refused: this draw runs by itself (LOTTERY_DRAW=auto)")

    def test_no_answer(self):
        """The server goes away first: nobody knows what became of it."""
        self.fake(lambda _: [Closed()])
        for command in (["close"], ["draw", "1"], ["next", "x"], ["reload"]):
            with self.subTest(command):
                self.assert_fails(self.ctl(*command), "it is not known whether this was done")

    def test_next(self):
        """The old server still answers for a while, then nobody, then the new one."""
        other = []
        asked = []

        def old(command):
            if isinstance(command, pb.Next):
                return [pb.Result(code=MOVING, instance=1)]
            asked.append(command)
            if len(asked) < 3:
                return [drawn_draw(), done()]
            self.path.unlink()
            return [Closed()]

        def new(_):
            answers = [pb.Status(instance=2), open_draw(instance=2, draw="2025-11-26-vespertina")]
            return [answers[min(len(server.commands), 2) - 1], done()]

        first = self.fake(old)
        process = subprocess.Popen([BIN / "lottery-ctl", "next", "2025-11-26-vespertina",
                                    "--close-at", "2025-11-25T09:00:00-03:00"], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: not self.path.exists(), "the old server's end")
        server = FakeControl(self.path, new)
        other.append(server)
        try:
            output, errors = process.communicate(timeout=60)
        finally:
            server.stop()
        self.assertEqual((process.returncode, output, errors),
                         (0, "the server answers with draw 2025-11-26-vespertina\n", ""))
        self.assertEqual(first.commands[0], pb.Next(draw="2025-11-26-vespertina", close_at=NOON))

    def test_reload(self):
        """Only another instance counts: the old one may still answer."""
        instances = iter([1, 1, 1, 2])
        self.fake(lambda command: [pb.Result(code=MOVING, instance=1)]
                  if isinstance(command, pb.Reload)
                  else [open_draw(instance=next(instances)), done()])
        self.assert_done(self.ctl("reload"), "the server answers with draw 2025-11-25-nocturna")

    def test_a_move_that_does_not_end(self):
        """After a minute it says what it knows."""
        self.fake(lambda command: [pb.Result(code=MOVING, instance=1)]
                  if isinstance(command, pb.Next) else [open_draw(instance=2), done()])
        self.assert_fails(self.ctl("next", "b", timeout=120),
                          "the next draw is decided, but was not seen within 60 s: the server "
                          "answers with draw 2025-11-25-nocturna")


class Watch(CtlCase):
    def start(self, *arguments, **options):
        process = subprocess.Popen([BIN / "lottery-ctl", "status", "--watch", *arguments],
                                   cwd=self.folder, stdin=subprocess.DEVNULL, **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_restart(self):
        """It shows a server, its absence, and the next one; Ctrl-C ends it with status 0."""
        first = self.fake(lambda _: [open_draw(), done()])
        output = self.folder / "output"
        with output.open("w") as file:
            process = self.start(stdout=file)
        wait_until(lambda: output.read_text().count("phase      open") >= 2, "two states")
        first.stop()
        wait_until(lambda: "the server does not run" in output.read_text(), "its absence")
        self.fake(lambda _: [sealed_draw(), done()])
        wait_until(lambda: "phase      sealed" in output.read_text(), "the next server")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 0)
        self.assertNotIn("\033", output.read_text())

    def test_json(self):
        """One object a line, also for errors."""
        output = self.folder / "output"
        with output.open("w") as file:
            process = self.start("--json", stdout=file)
        wait_until(lambda: "error" in output.read_text(), "an error")
        self.fake(lambda _: [open_draw(), done()])
        wait_until(lambda: "nocturna" in output.read_text(), "the state")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 0)
        lines = [json.loads(line) for line in output.read_text().splitlines()]
        self.assertIn("No such file", lines[0]["error"])
        self.assertEqual(lines[-1]["phase"], "open")

    def test_terminal(self):
        """On a terminal each state takes the place of the one before. Ctrl-C is a key."""
        self.fake(lambda _: [open_draw(), done()])
        pid, master = pty.fork()  # on a terminal of its own
        if pid == 0:
            os.chdir(self.folder)
            os.execv(str(BIN / "lottery-ctl"), ["lottery-ctl", "status", "-w"])
        self.addCleanup(os.close, master)
        seen = b""
        while seen.count(b"\033[H\033[2J") < 2:
            self.assertTrue(select.select([master], [], [], 30)[0], seen)
            seen += os.read(master, 65536)
        os.write(master, b"\x03")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertIn(b"phase      open", seen)

    def test_hanging_server(self):
        """One that takes the connection and says nothing does not keep it from ending."""
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.path))
        listener.listen(1)
        process = self.start(stdout=subprocess.DEVNULL)
        listener.settimeout(30)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(30)
            self.assertTrue(connection.recv(100))
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(20), 0)


class BadServers(CtlCase):
    def test_nobody(self):
        self.assert_fails(self.ctl("status"), "./control.sock: No such file or directory; does a "
                          "server run on this data directory?")
        self.fake(lambda _: []).stop()
        self.assert_fails(self.ctl("status"), "./control.sock: Connection refused; the server does "
                          "not run")
        self.path.unlink()
        self.path.write_text("")
        self.assert_fails(self.ctl("close"), "Connection refused")

    def test_garbage(self):
        for data in (b"\x40\xff\xff\xff\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n",
                     frame(pb.OPCODE_RESULT, b"\xff\xff"), frame(pb.OPCODE_STATUS, b"\x12\x05x"),
                     frame(pb.OPCODE_STATUS) * 2, frame(pb.OPCODE_RESULT, done()),
                     frame(pb.OPCODE_WINNERS, pb.Winners(winners=[pb.Winner(document="1" * 17)]))):
            with self.subTest(data):
                self.fake(lambda _, data=data: [data, Closed()])
                self.assertEqual(self.ctl("status").returncode, 1)

    def test_hostile_texts(self):
        """Nothing that the server says changes what the terminal does."""
        text = "a\033[2J\a\u009b31m\u202eb\r\nc\x7f"
        status = drawn_draw(draw=text, source=text, vkey=text)
        self.fake(lambda _: [status, done()])
        result = self.ctl("status")
        self.assert_done(result, "draw       a [2J  31m b  c ")
        said = json.loads(self.ctl("status", "--json").stdout)
        self.assertEqual((said["draw"], said["drawn"]["source"]), (text, text))
        self.fake(lambda _: [refused(text)])
        self.assert_fails(self.ctl("close"), "refused: a [2J  31m b  c ")
        self.fake(lambda _: [pb.Winners(winners=[pb.Winner(agency=1, document="\033[2J")]), done()])
        self.assert_done(self.ctl("winners"), "         1   [2J")

    def test_json_of_any_text(self):
        for text in ('"', "\\", "\n\t\0"[:2], "\u00e9\u20ac\U0001f600", "\u2028", "x" * 3000):
            self.fake(lambda _, text=text: [open_draw(draw=text), done()])
            self.assertEqual(json.loads(self.ctl("status", "--json").stdout)["draw"], text)

    def test_unknown_answers(self):
        """A server of a later release: what is not known is left out; an unknown result fails."""
        self.fake(lambda _: [frame(200, b"anything"), open_draw(), done()])
        self.assert_done(self.ctl("status"), "phase      open")
        self.fake(lambda _: [pb.Result(code=77, reason="later")])
        self.assert_fails(self.ctl("close"), "not known to this release: later")

    def test_turned_away(self):
        """A server that does not take the connection says why before it reads."""
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.path))
        listener.listen(1)
        process = subprocess.Popen([BIN / "lottery-ctl", "close"], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        connection, _ = listener.accept()
        connection.sendall(frame(pb.OPCODE_RESULT, refused("user 5 may not")))
        connection.close()
        _, errors = process.communicate(timeout=30)
        self.assertEqual((process.returncode, errors), (1, "lottery-ctl: refused: user 5 may not\n"))

    def test_full_queue(self):
        """Nobody accepts and the queue is full: the attempt ends after a few seconds."""
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.path))
        listener.listen(0)
        others = []
        try:
            while True:
                other = socket.socket(socket.AF_UNIX)
                others.append(other)
                other.setblocking(False)
                other.connect(str(self.path))
        except BlockingIOError:
            pass
        try:
            self.assert_fails(self.ctl("status"), "the server does not answer")
        finally:
            for other in others:
                other.close()


class CommandLine(CtlCase):
    def test_help_and_version(self):
        for option in ("--help", "-h"):
            self.assertIn("Usage: lottery-ctl", self.ctl(option).stdout)
        for option in ("--version", "-v"):
            self.assertRegex(self.ctl(option).stdout, r"^lottery-ctl \d+\.\d+\.\d+\n$")

    def test_where_the_socket_is(self):
        """--socket, --data-dir, the environment, the working directory, in this order."""
        self.fake(lambda _: [open_draw(), done()])
        here = str(self.folder)
        for arguments, environment in (
                (["--socket", str(self.path)], {"LOTTERY_DATA_DIR": "/none"}),
                (["--data-dir", here], {"LOTTERY_DATA_DIR": "/none"}),
                ([], {"LOTTERY_DATA_DIR": here}), ([], {"LOTTERY_DATA_DIR": ""}), ([], {})):
            with self.subTest(arguments):
                self.assert_done(self.ctl("status", *arguments, **environment),
                                 "phase      open")
        self.assert_fails(self.ctl("status", LOTTERY_DATA_DIR="/none"), "/none/control.sock: No such")
        self.assert_fails(self.ctl("status", "-d", "x" * 200), "the path is too long for a socket")

    def test_bad_command_lines(self):
        for arguments, reason in (
                ([], "a command is missing"), (["statsu"], 'not a command: "statsu"'),
                (["status", "x"], 'unexpected argument: "x"'), (["draw"], "the number is missing"),
                (["next"], "the id is missing"), (["backup"], "the folder is missing"),
                (["backup", "a", "b"], 'unexpected argument: "b"'),
                (["backup", "a", "--watch"], "--watch belongs to status"),
                (["draw", "10000"], "not a number of 0..9999"),
                (["draw", "x"], "not a number of 0..9999"), (["draw", ""], "not a number"),
                (["draw", "1", "2"], 'unexpected argument: "2"'),
                (["draw", "99999999999999999999"], "not a number of 0..9999"),
                (["draw", "1", "--source", "x" * 201], "longer than 200 bytes"),
                (["draw", "1", "--source", "a\nb"], "not a text in UTF-8 without control"),
                (["draw", "1", "--source", b"\xff"], "not a text in UTF-8 without control"),
                (["close", "--source", "x"], "--source belongs to draw"),
                (["draw", "1", "--close-at", "x"], "--close-at belongs to next"),
                (["next", "a", "--close-at", "tomorrow"], "--close-at: "),
                (["close", "--watch"], "--watch belongs to status"),
                (["status", "-d", ".", "-s", "x"], "exclude each other")):
            with self.subTest(arguments):
                result = subprocess.run([BIN / "lottery-ctl", *arguments], cwd=self.folder,
                                        capture_output=True, timeout=30)
                self.assertEqual((result.returncode, result.stdout), (2, b""))
                self.assertIn(reason, result.stderr.decode())
                self.assertIn("Try 'lottery-ctl --help'.", result.stderr.decode())
        for option in ("--none", "--socket"):
            result = self.ctl(option)
            self.assertEqual(result.returncode, 2)
            self.assertIn("Try 'lottery-ctl --help'.", result.stderr)

    def test_longest_source(self):
        server = self.fake(lambda command: [done()] if isinstance(command, pb.Draw)
                           else [drawn_draw(), done()])
        self.assert_done(self.ctl("draw", "1", "--source", "\u00e9" * 100))
        self.assertEqual(server.commands[0].source, "\u00e9" * 100)

    def test_full_stdout(self):
        """What cannot be written is not a success."""
        self.fake(lambda _: [open_draw(), done()])
        with open("/dev/full", "w", encoding="ascii") as full:
            for arguments in (["status"], ["--help"], ["status", "--watch"]):
                result = subprocess.run([BIN / "lottery-ctl", *arguments], cwd=self.folder,
                                        stdout=full, stderr=subprocess.PIPE, timeout=30)
                self.assertEqual(result.returncode, 1, arguments)
                self.assertIn(b"stdout cannot be written", result.stderr)


if __name__ == "__main__":
    unittest.main()
