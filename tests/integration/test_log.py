"""The log's way out: descriptors that are closed, readers that stall, files that are full."""
import contextlib
import itertools
import fcntl
import os
import resource
import signal
import socket
import subprocess
import threading
import time
import unittest

from fake_server import FakeServer
from programs import (BIN, SANITIZER, Case, Line, Program, Server, children_of, environment_with,
                      open_files_of, wait_until)
from wire import Peer, bet, frame, pb


class StandardDescriptors(Case):
    """Parents close descriptors 0 to 2; whatever is opened next must not take their place."""

    SHELL = {0: "0<&-", 1: "1>&-", 2: "2>&-"}

    def start(self, program, closed, environment):
        """The program with these descriptors closed; those that are open go to pipes."""
        command = " ".join(["exec", str(BIN / program), *(self.SHELL[fd] for fd in closed)])
        return subprocess.Popen(["sh", "-c", command], cwd=self.folder, text=True,
                                env=environment_with({"ASAN_OPTIONS": "detect_leaks=0",
                                                      **environment}),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def combinations(self):
        for count in (1, 2, 3):
            yield from itertools.combinations((0, 1, 2), count)

    def test_server(self):
        """It serves, and no file in its data directory gets a log line."""
        for closed in self.combinations():
            with self.subTest(closed):
                folder = self.folder / "".join(map(str, closed))
                folder.mkdir()
                with FakeServer() as fake:
                    port = fake.port
                server = self.start("lottery-server", closed, {
                    "SERVER_PORT": str(port), "SERVER_IP": "127.0.0.1", "SERVER_WORKERS": "1",
                    "LOTTERY_AGENCIES": "1", "LOTTERY_DATA_DIR": str(folder)})
                try:
                    wait_until(lambda: self.place_bet(port), "the server to take a bet")
                finally:
                    server.send_signal(signal.SIGTERM)
                    output, errors = server.communicate(timeout=20)
                self.assertEqual(server.returncode, 0, output + errors)
                self.assertEqual("action: listen" in output, 1 not in closed)
                self.assertNotRegex(output + errors, SANITIZER)
                for path in folder.iterdir():
                    self.assertNotIn(b"action: ", path.read_bytes(), path)
                self.assertEqual((folder / "bets.csv").read_bytes().count(b"\r\n"), 1)

    @staticmethod
    def place_bet(port):
        try:
            with Peer(port) as peer:
                return peer.bets([bet()]).received == 1
        except OSError:
            return False

    def test_agency(self):
        """It places its bets and gets its winners."""
        path = self.folder / "bets.csv"
        path.write_text("Ana,Paz,30904465,1999-03-17,7574\r\n")
        for closed in self.combinations():
            with self.subTest(closed):
                with FakeServer() as fake:
                    agency = self.start("lottery-agency", closed, {
                        "CLI_ID": "1", "CLI_SERVER_ADDRESS": f"127.0.0.1:{fake.port}",
                        "CLI_BETS_FILE": str(path)})
                    caller = fake.accept()
                    caller.read_question()
                    caller.answer()
                    self.assertEqual(len(caller.read_bets().bets), 1)
                    caller.answer(1)
                    caller.read_finished()
                    caller.send_winners(["30904465"])
                    output, errors = agency.communicate(timeout=20)
                    caller.close()
                self.assertEqual(agency.returncode, 0, output + errors)
                self.assertEqual("cant_ganadores: 1" in output, 1 not in closed)
                self.assertNotRegex(output + errors, SANITIZER)


class Stalls:
    """A program whose output is read only while `gate` is set."""

    def __init__(self, *arguments, **settings):
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(*arguments, **settings)

    def _read_lines(self):
        rest = b""
        while self.gate.wait() and (data := os.read(self.process.stdout.fileno(), 65536)):
            *whole, rest = (rest + data).split(b"\n")
            self.texts.extend(line.decode(errors="replace") for line in whole)
        assert rest == b"", rest

    def kill(self):
        self.gate.set()
        super().kill()

    def stop_stalled(self):
        """Sends SIGTERM; returns the exit status and how long the end has taken."""
        begin = time.monotonic()
        self.signal(signal.SIGTERM)
        status = self.process.wait(timeout=30)
        return status, time.monotonic() - begin


class StallingServer(Stalls, Server):
    """Server's own"""


class StallingAgency(Stalls, Program):
    """Program's own"""


class Stalled(Case):
    """The reader of stdout does not read for a while, or at all."""

    STALL_SECONDS = float(os.environ.get("LOTTERY_STALL_SECONDS", 3))
    STOP_SECONDS = 2  # it takes less than one; the rest is for sanitizers on a busy machine

    def stalling_server(self, **settings):
        path = self.folder / "central"
        path.mkdir()
        server = StallingServer(path, **settings)
        self.programs.append(server)
        return server

    def stalling_agency(self, port, file, level):
        agency = StallingAgency("lottery-agency", [], {
            "CLI_ID": "1", "CLI_SERVER_ADDRESS": f"127.0.0.1:{port}", "CLI_BETS_FILE": str(file),
            "CLI_LOG_LEVEL": level}, self.folder)
        self.programs.append(agency)
        return agency

    def write_bets(self, count):
        path = self.folder / "bets.csv"
        path.write_text("Ana,Paz,30904465,1999-03-17,7574\r\n" * count)
        return path

    def test_server(self):
        """5,000 bets, each a batch of its own, are stored and drawn meanwhile, and all lines arrive."""
        server = self.stalling_server(agencies=5)
        server.gate.clear()
        begin = time.monotonic()
        path = self.write_bets(1000)
        agencies = [self.agency(i, server.port, path, CLI_BATCH_MAXAMOUNT="1") for i in range(1, 6)]
        for agency in agencies:
            self.assertEqual(agency.wait(), 0, agency.output())
        time.sleep(max(0, self.STALL_SECONDS - (time.monotonic() - begin)))
        server.gate.set()
        self.assertEqual(server.stop(), 0)
        for action in ("apuesta_recibida", "apuesta_almacenada"):
            self.assertEqual(len(server.lines(action, "success", )), 5000)
        self.assertEqual(len(server.lines("agencia_finalizada", "success")), 5)
        self.assertEqual(len(server.lines("sorteo", "success")), 1)
        self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])

    def test_server_stops(self):
        """SIGTERM ends it, although it has more to log than the pipe takes."""
        server = self.stalling_server(agencies=1)
        server.gate.clear()
        with Peer(server.port) as peer:
            for i in range(1500):
                self.assertEqual(peer.bets([bet(str(i))], i).received, i + 1)
        status, seconds = server.stop_stalled()
        self.assertEqual(status, 0)
        self.assertLess(seconds, self.STOP_SECONDS)
        self.assertEqual(len(server.bets()), 1500)

    def test_more_than_is_kept(self):
        """Then a worker reads no more from its agencies. No limit of time ends a connection, and all
        goes on when the log is read again."""
        server = self.stalling_server(agencies=1, level="DEBUG", workers=1, SERVER_FRAME_TIMEOUT="1s",
                                      SERVER_IDLE_TIMEOUT="1s", SERVER_HANDSHAKE_TIMEOUT="1s")
        server.gate.clear()
        batch, count = [bet(str(i)) for i in range(150)], 500
        with Peer(server.port, timeout=60) as peer:
            sender = threading.Thread(target=lambda: [peer.send_bets(batch, 150 * i)
                                                      for i in range(count)])
            sender.start()
            try:
                time.sleep(self.STALL_SECONDS)
                self.assertLess(len(server.bets()), 150 * count)
                server.gate.set()
                for i in range(count):
                    self.assertEqual(peer.ack().received, 150 * (i + 1))
            finally:
                server.gate.set()
                sender.join()
            self.assertEqual(peer.received(), 150 * count)
        self.assertEqual(server.stop(), 0)
        texts = [line.split(" action: ")[1] for line in server.texts]
        for number in range(150):
            self.assertEqual(texts.count("apuesta_almacenada | result: success | "
                                         f"dni: {number} | numero: 7574"), count)
        self.assertEqual([text for text in texts if "result: fail" in text], [])

    def winners_for(self, fake, count):
        """Plays a server for an agency with one bet, up to all of its winners."""
        caller = fake.accept()
        caller.read_question()
        caller.answer()
        caller.read_bets()
        caller.answer(1)
        caller.read_finished()
        for i in range(count // 500):
            caller.send_winners([str(500 * i + k) for k in range(500)],
                                more=i + 1 < count // 500)
        return caller

    def test_agency(self):
        """It gets its winners meanwhile; it ends when all lines were read."""
        with FakeServer() as fake:
            agency = self.stalling_agency(fake.port, self.write_bets(1), "DEBUG")
            agency.wait_line("connect", "success")
            agency.gate.clear()
            begin = time.monotonic()
            caller = self.winners_for(fake, 5000)
            self.assertEqual(caller.socket.recv(1), b"")
            caller.close()
            time.sleep(max(0, self.STALL_SECONDS - (time.monotonic() - begin)))
            self.assertIsNone(agency.process.poll())
            agency.gate.set()
            self.assertEqual(agency.wait(), 0)
        self.assertEqual([line.details["dni"] for line in agency.lines("ganador", "success")],
                         [str(i) for i in range(5000)])
        self.assertEqual(agency.lines()[-1].text.split(" action: ")[1], "exit | result: success")

    def test_agency_stops(self):
        """SIGTERM ends it, in the middle of its work and when only lines are left."""
        for more in (True, False):
            with self.subTest(more=more), FakeServer() as fake:
                agency = self.stalling_agency(fake.port, self.write_bets(1), "DEBUG")
                agency.wait_line("connect", "success")
                agency.gate.clear()
                caller = self.winners_for(fake, 5000)
                if more:
                    caller.send_winners(["1"], more=True)
                self.assertEqual(caller.socket.recv(1), b"")
                caller.close()
                status, seconds = agency.stop_stalled()
                self.assertEqual(status, 0)
                self.assertLess(seconds, self.STOP_SECONDS)

    def test_a_stop_before_the_start(self):
        """SIGTERM while it waits for the settings, and a pipe that is full until a little later: the
        line about the end is not lost."""
        for program, name in (("lottery-server", "config.ini"), ("lottery-agency", "config.yaml")):
            with self.subTest(program):
                os.mkfifo(self.folder / name)
                reader, writer = os.pipe()
                filler = os.fdopen(os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK),
                                   "wb", buffering=0)
                while filler.write(b"x" * 4096):
                    pass
                process = subprocess.Popen([BIN / program], cwd=self.folder, stdout=writer,
                                           stderr=subprocess.DEVNULL, env=environment_with({}))
                os.close(writer)
                filler.close()
                wait_until(lambda pid=process.pid, name=name:
                           any(path.endswith(name) for path in open_files_of(pid)),
                           "the pipe to be open")
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.2)
                with os.fdopen(reader, "rb") as file:
                    output = file.read().lstrip(b"x").decode()
                self.assertEqual(process.wait(timeout=20), 0, output)
                self.assertRegex(output, r"^[^\n]* action: exit \| result: success\n$")

    def test_a_neighbour_made_it_non_blocking(self):
        """With O_NONBLOCK on a stdout that is shared, all lines arrive whole, however slowly it is
        read; and the programs do not change the flag themselves."""
        for flag in (os.O_NONBLOCK, 0):
            reader, writer = os.pipe()
            fcntl.fcntl(writer, fcntl.F_SETFL, os.O_WRONLY | flag)
            path = self.write_bets(2000)
            folder = self.folder / f"data-{flag}"
            folder.mkdir()
            with FakeServer() as fake:
                port = fake.port
            server = subprocess.Popen([BIN / "lottery-server"], cwd=self.folder, stdout=writer,
                                      env=environment_with({
                                          "SERVER_PORT": str(port), "SERVER_IP": "127.0.0.1",
                                          "LOTTERY_AGENCIES": "1", "LOTTERY_DATA_DIR": str(folder),
                                          "ASAN_OPTIONS": "detect_leaks=0"}))
            try:
                agency = self.agency(1, port, path, CLI_BATCH_MAXAMOUNT="1")
                self.assertEqual(agency.wait(), 0, agency.output())
                self.assertEqual(fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK, flag)
                os.close(writer)
                texts = b""
                while texts.count(b"apuesta_recibida") < 2000 and (data := os.read(reader, 1000)):
                    texts += data
            finally:
                server.send_signal(signal.SIGTERM)
                while data := os.read(reader, 65536):
                    texts += data
                self.assertEqual(server.wait(timeout=20), 0)
                os.close(reader)
            lines = [Line(text) for text in texts.decode().splitlines()]
            self.assertEqual(sum(line.is_about("apuesta_recibida", "success") for line in lines), 2000)


class Full(Case):
    """The file that the log goes to, and those of the bets, may not grow any more."""

    LIMIT = 128 * 1024

    def limit_files(self, limit):
        for pid in (self.process.pid, *children_of(self.process.pid)):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def test_a_small_limit_from_the_start(self):
        """Less than the memory that a worker shares with the ledger usually has, for which the limit
        counts, too."""
        server = self.server(agencies=1, launcher=("prlimit", f"--fsize={1024 * 1024}"))
        with Peer(server.port) as peer:
            for offset in range(0, 3000, 100):
                self.assertEqual(peer.bets([bet(number=1)] * 100, offset).received, offset + 100)
            self.assertEqual(peer.finish(3000), [])
        self.assertEqual(server.stop(), 0)
        self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])

    def test_the_limit_of_a_file(self):
        """The lottery goes on without its log, which says what is missing when there is room again. Where
        the bets have no room either, they are refused as on a full disk, and taken later."""
        data, log = self.folder / "data", self.folder / "log"
        data.mkdir()
        with FakeServer() as fake:
            port = fake.port
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [BIN / "lottery-server"], cwd=self.folder, stdout=output, env=environment_with({
                    "SERVER_PORT": str(port), "SERVER_IP": "127.0.0.1", "SERVER_WORKERS": "1",
                    "LOTTERY_AGENCIES": "1", "LOTTERY_DATA_DIR": str(data), "LOGGING_LEVEL": "DEBUG",
                    "ASAN_OPTIONS": "detect_leaks=0"}))
        try:
            wait_until(lambda: self.is_open(port), "the server to listen")
            with Peer(port) as peer:
                self.assertEqual(peer.received(), 0)
                self.limit_files(self.LIMIT)
                stored = self.fill(peer)
                self.assertEqual(log.stat().st_size, self.LIMIT)
                self.assertGreater(stored, 1000)
                self.limit_files(resource.RLIM_INFINITY)
                self.assertEqual(peer.bets([bet()] * 10, stored).received, stored + 10)
        finally:
            self.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.process.wait(timeout=20), 0)
        text = log.read_bytes()
        self.assertEqual(text[self.LIMIT:self.LIMIT + 1], b"\n")  # after a line that was torn
        lines = [Line(line.decode()) for line in text[self.LIMIT + 1:].splitlines()]
        self.assertTrue(lines[0].is_about("log", "fail"), lines[0].text)
        omitted = [int(line.details["omitted"]) for line in lines if line.action == "log"]
        self.assertGreater(sum(omitted), stored // 2)  # each process tells its own
        self.assertEqual(sum(line.is_about("apuesta_almacenada", "success") for line in lines), 10)
        self.assertEqual([line.text for line in lines
                          if line.result == "fail" and line.action != "log"], [])

    @staticmethod
    def is_open(port):
        try:
            Peer(port).close()
            return True
        except OSError:
            return False

    def fill(self, peer):
        """Places bets until they are refused; returns how many were stored."""
        stored = 0
        while True:
            ack = peer.bets([bet(str(stored + i)) for i in range(100)], stored)
            if ack.code != pb.ACK_CODE_OK:
                self.assertEqual(ack.code, pb.ACK_CODE_STORAGE_ERROR)
                return stored
            stored += 100
            self.assertEqual(ack.received, stored)
            self.assertLess(stored, 100_000)


class Limits(Case):
    """Lines that a peer can cause as often as it likes."""

    BURST = 1000  # LOG_BURST and STRANGERS_BURST, in the code
    STRANGERS = 2000
    PER_SECOND = 10

    def test_refused_batches(self):
        """After a burst only some are logged, and how many are not. An agency's lines all are."""
        count = 20_000
        server = self.server(agencies=2, workers=1)
        begin = time.monotonic()
        with Peer(server.port, 1) as honest, Peer(server.port, 2, timeout=60) as peer:
            bad = frame(pb.OPCODE_NEW_BETS, pb.NewBets(agency_id=2, bets=[bet(number=99999)]))
            sender = threading.Thread(target=peer.send_bytes, args=(bad * count,))
            sender.start()
            for i in range(count):
                self.assertEqual(peer.ack().code, pb.ACK_CODE_INVALID_BET)
                if i % 200 == 0:
                    self.assertEqual(honest.bets([bet(str(i))], i // 200).code, pb.ACK_CODE_OK)
            sender.join()
            wait_until(lambda: self.omitted(server) > 0, "a line that says what is omitted")
        seconds = time.monotonic() - begin
        self.assertEqual(server.stop(), 0)
        written = [line for line in server.lines("apuesta_recibida", "fail")
                   if "omitted" not in line.details]
        self.assertEqual(len(written) + self.omitted(server), count)
        self.assertGreaterEqual(len(written), self.BURST)
        self.assertLessEqual(len(written), self.BURST + self.PER_SECOND * (seconds + 1))
        self.assertEqual(len(server.lines("apuesta_recibida", "success")), count // 200)

    @staticmethod
    def omitted(server, action="apuesta_recibida"):
        return sum(int(line.details.get("omitted", 0)) for line in server.lines(action))

    def test_connections(self):
        """Those of strangers are logged up to a limit, those of agencies always."""
        server = self.server(agencies=1, workers=1, SERVER_IP="0.0.0.0")
        address = self.own_address()
        count = self.STRANGERS + 500
        begin = time.monotonic()
        for i in range(count):
            # From here, so only after it has said something that is not a question.
            with socket.create_connection((address, server.port), timeout=20) as connection:
                connection.sendall(frame(77))
                self.assertTrue(connection.recv(100))
        for i in range(5):
            with Peer(server.port, 1) as peer:
                self.assertEqual(peer.bets([bet(str(i))], i).received, i + 1)
        seconds = time.monotonic() - begin
        self.assertEqual(server.stop(), 0)
        accepted = len(server.lines("accept_connections", "success"))
        self.assertGreaterEqual(accepted, self.STRANGERS + 5)
        self.assertLessEqual(accepted, self.STRANGERS + 5 + self.PER_SECOND * (seconds + 1))
        self.assertEqual(len(server.lines("accept_connections", "success", ip="127.0.0.1")), 5)

    @staticmethod
    def own_address():
        """One of this machine's that is not loopback, if there is one."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))
                return probe.getsockname()[0]
            except OSError:
                return "127.0.0.2"

    def test_the_health_check(self):
        """It leaves no line at INFO, in both modes. Others from the same machine do: when they do
        something, or after a second."""
        for mode in ("lottery", "echo"):
            with self.subTest(mode):
                server = self.server(mode=mode, agencies=1, folder=self.folder / mode)
                settings = {"SERVER_PORT": str(server.port), "SERVER_IP": "127.0.0.1",
                            "SERVER_MODE": mode, "LOTTERY_AGENCIES": "1"}
                for _ in range(3):
                    result = subprocess.run([BIN / "lottery-server", "--health"], cwd=self.folder,
                                            env=environment_with(settings), timeout=20)
                    self.assertEqual(result.returncode, 0)
                with Peer(server.port):
                    server.wait_line("accept_connections", "success")
                server.wait_line("close_connection", "success")
                with Peer(server.port) as peer:
                    if mode == "echo":
                        peer.send_bytes(b"hello\n")
                        self.assertTrue(peer.socket.recv(100))
                    else:
                        self.assertEqual(peer.bets([bet()]).received, 1)
                server.wait_line("close_connection", "success", count=2)
                self.assertEqual(server.stop(), 0)
                self.assertEqual(len(server.lines("accept_connections", "success")), 2)
                self.assertEqual(len(server.lines("close_connection", "success")), 2)

    def test_a_failure_is_told_at_any_level(self):
        """Where the level hides the line that says why a program fails, it goes to stderr."""
        path = self.folder / "bets.csv"
        path.write_text("Ana,Paz,-,1999-03-17,7574\r\n")
        for mode, reason in (("lottery", "leer_apuestas"), ("bet", "apuesta_enviada")):
            for level in ("INFO", "CRITICAL"):
                with self.subTest(mode=mode, level=level):
                    agency = self.agency(1, 9, path, mode=mode, level=level)
                    self.assertIn(agency.wait(), (1, 2))
                    where, other = ((agency.errors, "\n".join(agency.texts)) if level == "CRITICAL"
                                    else ("\n".join(agency.texts), agency.errors))
                    self.assertRegex(where, f"ERROR    action: {reason} . result: fail .*reason: ")
                    self.assertEqual(other, "")


# Ends a line, begins an escape sequence, or turns the direction of text; the last is not UTF-8.
EVIL = ("|", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\u202e", "\u2066",
        "\ufeff", b"\xff", b"\xc3", b"\xed\xa0\x80")


class Injection(Case):
    """What a peer sends cannot pass for another line or detail. Case looks at every line at the end."""

    def test_what_an_echo_server_gets(self):
        """Each of them, and all together."""
        server = self.server(mode="echo")
        texts = [part if isinstance(part, bytes) else part.encode() for part in EVIL]
        for text in (*texts, b"".join(texts)):
            with Peer(server.port) as peer:
                peer.send_bytes(b"a" + text.replace(b"\n", b"") + b"z | result: fail\n")
                self.assertTrue(peer.socket.recv(1000))
        for count in range(len(texts) + 1):
            line = server.wait_line("receive_message", "success", count=count + 1)
            self.assertRegex(line.details["msg"], "^a[ ?/]*z / result: fail$")
        self.assertEqual(server.stop(), 0)

    def answer_badly(self, mode, code, detail):
        """An agency's lines about an Ack whose detail has these bytes."""
        path = self.folder / "bets.csv"
        path.write_text("Ana,Paz,30904465,1999-03-17,7574\r\n")
        with FakeServer() as fake:
            agency = self.agency(1, fake.port, path, mode=mode, NOMBRE="Ana", APELLIDO="Paz",
                                 DOCUMENTO="1", NACIMIENTO="1999-03-17", NUMERO="1")
            caller = fake.accept()
            caller.read_question()
            caller.answer()
            caller.read_bets()
            caller.send_bytes(frame(pb.OPCODE_ACK, bytes([0x08, code, 0x1a, len(detail)]) + detail))
            line = agency.wait_line("apuesta_enviada" if mode == "bet" else "apuestas_enviadas")
            agency.stop()
            caller.close()
        return line

    def test_what_a_server_answers(self):
        """In an Ack's detail: a refusal, and one that is only reported."""
        detail = b"".join(part if isinstance(part, bytes) else part.encode() for part in EVIL)
        for mode in ("lottery", "bet"):
            for code, result in ((pb.ACK_CODE_INVALID_BET, "fail"),
                                 (pb.ACK_CODE_STORAGE_ERROR, "in_progress")):
                with self.subTest(mode=mode, code=code):
                    line = self.answer_badly(mode, code, b"a" + detail + b"z")
                    self.assertEqual(line.result, result)
                    self.assertRegex(line.details["reason"], "a/[ ?]*z$")


if __name__ == "__main__":
    unittest.main()
