"""How long an agency goes on with a central that is not one, is not there, or falls silent."""
import contextlib
import os
import signal
import socket
import struct
import threading
import time
import unittest

from fake_server import FakeServer
from programs import Case, main
from wire import Closed, pb

GONE = (Closed, ConnectionError)
TIMEOUT = 3  # seconds, connect.timeout of these tests
SLACK = 5    # more than that is too late; it is for sanitizers on a busy machine
MODES = ("lottery", "bet", "echo")
BROKEN = ("closed the connection", "reset by peer")
BET = {"NOMBRE": "Ana", "APELLIDO": "Paz", "DOCUMENTO": "1", "NACIMIENTO": "1999-03-17",
       "NUMERO": "1"}


def close(connection):
    connection.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def greet(text):
    def talk(connection):
        with contextlib.suppress(OSError):
            connection.sendall(text)
            connection.settimeout(0.5)
            connection.recv(1000)
        connection.close()
    return talk


class Keep:
    """Takes connections and says nothing."""

    def __init__(self):
        self.connections = []

    def __call__(self, connection):
        self.connections.append(connection)


class Impostor:
    """Listens, and does the same with every connection."""

    def __init__(self, talk):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.talk = talk
        self.count = 0
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.count += 1
                self.talk(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for connection in getattr(self.talk, "connections", []):
            connection.close()


class Hole:
    """A port that swallows attempts to connect: the queue of its listener is full."""

    def __init__(self, address="127.0.0.1", port=0):
        self.listener = socket.create_server((address, port), backlog=0)
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((address, self.port))
            self.sockets.append(filler)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for filler in self.sockets:
            filler.close()
        self.listener.close()


class PatienceCase(Case):
    def start(self, port, mode="lottery", count=20, **settings):
        # Each has its own, because another agency may be reading.
        path = self.folder / f"bets-{len(self.programs)}.csv"
        path.write_text("".join(f"Ana,Paz,{i:08},1999-03-17,1\r\n" for i in range(count)))
        self.began = time.monotonic()
        return self.agency(1, port, path, mode=mode, **{
            "CLI_CONNECT_TIMEOUT": f"{TIMEOUT}s", "CLI_LOOP_PERIOD": "100ms",
            "CLI_LOOP_AMOUNT": "1000", "CLI_BATCH_MAXAMOUNT": "10", **BET, **settings})

    def check_gives_up(self, agency, actions, reasons, since=None):
        """Status 1, as soon as connect.timeout is over and not before; the log says why, in a line of
        one of these actions with one of these reasons."""
        since = self.began if since is None else since
        self.assertEqual(agency.wait(TIMEOUT + SLACK + 5), 1, agency.output())
        took = time.monotonic() - since
        self.assertGreaterEqual(took, TIMEOUT - 0.1, agency.output())
        self.assertLess(took, TIMEOUT + SLACK, agency.output())
        line = [line for line in agency.lines()[:-1] if line.result == "fail"][-1]
        self.assertIn(line.action, actions, agency.output())
        self.assertTrue(any(reason in line.details["reason"] for reason in reasons),
                        agency.output())
        self.assertEqual(agency.lines()[-1].action, "exit")


class Impostors(PatienceCase):
    """Something listens on the port that is no central."""

    ACTIONS = {"lottery": "apuestas_enviadas", "bet": "apuesta_enviada", "echo": "receive_message"}

    def check(self, make_talk, *reasons, also=()):
        """Every mode gives up, all at the same time."""
        with contextlib.ExitStack() as stack:
            impostors = {mode: stack.enter_context(Impostor(make_talk())) for mode in MODES}
            agencies = {mode: self.start(impostors[mode].port, mode) for mode in MODES}
            for mode in MODES:
                with self.subTest(mode):
                    self.check_gives_up(agencies[mode], (self.ACTIONS[mode], *also), reasons)
                    self.assertGreater(impostors[mode].count, 0)

    def test_accepts_and_closes(self):
        self.check(lambda: close, "closed the connection", "reset by peer")

    def test_resets(self):
        self.check(lambda: reset, "reset by peer", also=("connect",))

    def test_accepts_and_is_silent(self):
        self.check(Keep, "the central does not answer")

    def test_greets_as_ssh_does(self):
        self.check(lambda: greet(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"),
                   "unexpected message", "the answer is not the message")

    def test_greets_as_http_does(self):
        self.check(lambda: greet(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
                   "unexpected message", "the answer is not the message")

    def test_nobody_answers(self):
        """The port swallows what is sent there."""
        with Hole() as hole:
            agencies = [self.start(hole.port, mode) for mode in MODES]
            for agency in agencies:
                self.check_gives_up(agency, ("connect",), ("no answer to the attempt to connect",))
                line = agency.lines("connect", "fail")[0]
                self.assertEqual((line.details["address"], line.details["port"]),
                                 ("127.0.0.1", str(hole.port)))


class Conversation(PatienceCase):
    """A central that begins well."""

    def setUp(self):
        super().setUp()
        self.fake = FakeServer()
        self.addCleanup(self.fake.listener.close)

    def test_winners_that_stop_halfway(self):
        """Between two frames of them, and within one: status 1. The wait before them has no limit."""
        halves = {"between": lambda caller: caller.send_winners(["1"], more=True),
                  "within": lambda caller: caller.send_bytes(b"\x04\x00\x00\x01")}
        for name, send in halves.items():
            with self.subTest(name):
                agency = self.start(self.fake.port)
                with self.fake.accept() as caller:
                    caller.read_question()
                    caller.answer(20)
                    caller.read_finished()
                    time.sleep(TIMEOUT + 1)  # the wait for the draw
                    self.assertIsNone(agency.process.poll(), agency.output())
                    since = time.monotonic()
                    send(caller)
                    self.check_gives_up(agency, ("apuestas_enviadas",),
                                        ("the central does not answer",), since)

    def test_winners_that_stop_halfway_again_and_again(self):
        """A central that breaks off each time: what comes again is no progress."""
        agency = self.start(self.fake.port)
        since = None
        self.fake.listener.settimeout(0.1)
        while agency.process.poll() is None:
            with contextlib.suppress(TimeoutError):
                with self.fake.accept() as caller:
                    with contextlib.suppress(*GONE):
                        caller.read_question()
                        caller.answer(20)
                        caller.read_finished()
                        caller.send_winners(["1"], more=True)
                        since = since or time.monotonic()
        self.check_gives_up(agency, ("apuestas_enviadas",), BROKEN, since)

    def test_a_central_that_closes_after_finished(self):
        """Each time: to come as far as before is no progress either."""
        agency = self.start(self.fake.port)
        since = None
        self.fake.listener.settimeout(0.1)
        while agency.process.poll() is None:
            with contextlib.suppress(TimeoutError):
                with self.fake.accept() as caller:
                    with contextlib.suppress(*GONE):
                        caller.read_question()
                        caller.answer(20)
                        since = since or time.monotonic()
                        caller.read_finished()
        self.check_gives_up(agency, ("apuestas_enviadas",), BROKEN, since)

    def test_losses_in_a_long_wait_for_the_draw(self):
        """The central restarts now and then: together that takes longer than connect.timeout, but in
        between the agency was waiting for the draw."""
        agency = self.start(self.fake.port, CLI_CONNECT_TIMEOUT="1s")
        for _ in range(30):  # after each one there is a pause of at least 50 ms
            with self.fake.accept() as caller:
                caller.read_question()
                caller.answer(20)
                caller.read_finished()
                time.sleep(0.2)
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer(20)
            caller.read_finished()
            caller.send_winners(["1"])
            self.assertEqual(agency.wait(), 0, agency.output())

    def check_full_disk(self, mode, action):
        agency = self.start(self.fake.port, mode)
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer()
            since = time.monotonic()
            with self.assertRaises(GONE):
                while time.monotonic() < since + 5 * TIMEOUT:
                    message = caller.read()
                    if message.bets:
                        caller.answer(0, pb.ACK_CODE_STORAGE_ERROR, "no space left")
                    else:
                        caller.answer(0)
        self.check_gives_up(agency, (action,), ("no space left",), since)

    def test_a_full_disk(self):
        """Until patience ends: what the central said is the reason, not its silence."""
        self.check_full_disk("lottery", "apuestas_enviadas")
        self.check_full_disk("bet", "apuesta_enviada")

    def test_a_place_that_is_always_taken(self):
        """Mode bet, and a central that refuses the place that it has just named."""
        agency = self.start(self.fake.port, "bet")
        since = time.monotonic()
        with self.fake.accept() as caller, self.assertRaises(GONE):
            while time.monotonic() < since + 5 * TIMEOUT:
                if caller.read().bets:
                    caller.answer(3, pb.ACK_CODE_CONTENT_MISMATCH, checksum=b"abcd")
                else:
                    caller.answer(3, checksum=b"abcd")
        self.check_gives_up(agency, ("apuesta_enviada",), ("no place for the bet",), since)

    def test_a_pause_longer_than_the_patience(self):
        """The agency is stopped, its answer arrives meanwhile, and it goes on: its own pause is not
        held against the central."""
        agency = self.start(self.fake.port, CLI_CONNECT_TIMEOUT="2s")
        with self.fake.accept() as caller:
            caller.read_question()
            agency.signal(signal.SIGSTOP)
            caller.answer(0)
            time.sleep(4)
            agency.signal(signal.SIGCONT)
            caller.read_bets()
            agency.signal(signal.SIGSTOP)
            time.sleep(4)
            agency.signal(signal.SIGCONT)
            time.sleep(0.5)  # nothing has come yet, and it has had its turn
            self.assertIsNone(agency.process.poll(), agency.output())
            caller.answer(10)
            caller.answer(20)
            caller.read_bets()
            caller.read_finished()
            caller.send_winners([])
            self.assertEqual(agency.wait(), 0, agency.output())

    def test_progress_keeps_it_going(self):
        """A slow central: each answer comes within the patience, all of them take longer."""
        agency = self.start(self.fake.port, count=50)
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer(0)
            for received in (10, 20, 30, 40, 50):
                caller.read_bets()
                time.sleep(TIMEOUT / 3)
                caller.answer(received)
            caller.read_finished()
            caller.send_winners([])
            self.assertEqual(agency.wait(), 0, agency.output())


class Addresses(PatienceCase):
    """More than one way to the central."""

    def serve(self, fake):
        with fake.accept() as caller:
            caller.read_question()
            caller.answer(20)
            caller.read_finished()
            caller.send_winners([])

    def test_a_list(self):
        """The first one swallows attempts, the second refuses them, the third is the central."""
        with Hole() as hole, FakeServer() as closed, FakeServer() as fake:
            closed.listener.close()
            given = f"127.0.0.1:{hole.port},127.0.0.1:{closed.port}, 127.0.0.1:{fake.port}"
            agency = self.start(fake.port, CLI_SERVER_ADDRESS=given)
            self.serve(fake)
            self.assertEqual(agency.wait(), 0, agency.output())
        self.assertTrue(agency.lines("config", server_address=given), agency.output())
        reasons = [(line.details["port"], line.details["reason"])
                   for line in agency.lines("connect", "in_progress")]
        self.assertEqual(reasons, [(str(hole.port), "no answer to the attempt to connect"),
                                   (str(closed.port), "connection refused")])

    def test_a_list_in_the_file(self):
        """As a sequence of YAML; the other central comes next, as there was no progress with the first."""
        with FakeServer() as first, FakeServer() as second:
            (self.folder / "config.yaml").write_text(
                f"server:\n  address:\n    - 127.0.0.1:{first.port}\n"
                f"    - 'localhost:{second.port}'\n")
            agency = self.start(0, CLI_SERVER_ADDRESS=None)
            with first.accept() as caller:
                caller.read_question()
            self.serve(second)
            self.assertEqual(agency.wait(), 0, agency.output())
        self.assertTrue(agency.lines("connect", "in_progress", address="127.0.0.1",
                                     port=first.port, reason="the central closed the connection"))

    def test_a_name_whose_first_address_swallows_attempts(self):
        """The second one is tried a quarter of a second later."""
        with FakeServer() as fake, Hole("127.0.0.2", fake.port):
            agency = self.start(fake.port, CLI_SERVER_ADDRESS=f"two.test:{fake.port}",
                                CLI_LOG_LEVEL="DEBUG", **self.names("two.test=127.0.0.2,127.0.0.1"))
            self.serve(fake)
            self.assertEqual(agency.wait(), 0, agency.output())
        self.assertTrue(agency.lines("connect", "success", address="127.0.0.1"), agency.output())
        self.assertEqual(agency.lines("connect", "in_progress"), [])

    def test_a_name_server_that_does_not_answer(self):
        """SIGTERM ends the agency although the lookup cannot be interrupted, and so does the end of
        its patience."""
        for mode in MODES:
            with self.subTest(mode):
                agency = self.start(1, mode, CLI_SERVER_ADDRESS="slow.test:1",
                                    CLI_LOG_LEVEL="DEBUG", **self.names("slow.test=wait"))
                agency.wait_line("config")
                time.sleep(0.5)  # it is looking the name up
                since = time.monotonic()
                self.assertEqual(agency.stop(), 0, agency.output())
                self.assertLess(time.monotonic() - since, 1 + SLACK)
                self.assertEqual(agency.lines()[-1].action, "exit")
        agency = self.start(1, CLI_SERVER_ADDRESS="slow.test:1", **self.names("slow.test=wait"))
        self.check_gives_up(agency, ("connect",), ("no answer from the name service",))

    def names(self, table):
        """The settings that make a program find these names, and no others."""
        library = os.environ.get("LOTTERY_FAKE_NAMES", "")
        if not os.path.exists(library):
            self.skipTest("the library of names for tests is not built")
        return {"LD_PRELOAD": library, "LOTTERY_TEST_NAMES": table,
                "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}


if __name__ == "__main__":
    main()
