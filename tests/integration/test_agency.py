"""The agency's program: what it sends, what it does when things go wrong, its exit status."""
import subprocess
import time
import unittest

from fake_server import FakeServer, free_port
from frame_proxy import FrameProxy
from programs import BIN, Case, TerminalAgency, read_original, wait_until
from wire import Closed, FRAME_MAX, Peer, checksum, frame, pb

ROW = "Ana,Paz,30904465,1999-03-17,7574"
GONE = (Closed, ConnectionError)


def rows(count, number=1):
    """Rows with different documents."""
    return [f"Ana,Paz,{i:08},1999-03-17,{number}" for i in range(count)]


def lines_checksum(count, number=1, agency=1):
    """Of these rows, as the central has them."""
    return checksum(f"{agency},{row}\r\n".encode() for row in rows(count, number))


class AgencyCase(Case):
    def write(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def write_rows(self, name, lines):
        return self.write(name, "".join(f"{line}\r\n" for line in lines))

    def winners_of(self, agency):
        self.assertEqual(agency.wait(), 0, agency.output())
        return int(agency.lines("consulta_ganadores", "success")[0].details["cant_ganadores"])

    def check_failed(self, agency, action, reason, status=1):
        """It ends with this status, and its log says why."""
        self.assertEqual(agency.wait(), status, agency.output())
        reasons = [line.details.get("reason", "") for line in agency.lines(action, "fail")]
        self.assertTrue(any(reason in text for text in reasons), agency.output())


class Files(AgencyCase):
    def test_every_shape_of_file(self):
        """Each agency has a file of another shape; all are stored row by row, and the original reader
        loads what is stored."""
        amount = 10
        lines = rows(4 * amount)
        shapes = {
            "a partial last batch": "\r\n".join(lines[:25]) + "\r\n",
            "one more than a multiple": "\r\n".join(lines[:2 * amount + 1]) + "\r\n",
            "a multiple": "\r\n".join(lines[:2 * amount]) + "\r\n",
            "one less": "\r\n".join(lines[:2 * amount - 1]) + "\r\n",
            "no row": "",
            "one row": lines[0] + "\r\n",
            "line feeds": "\n".join(lines) + "\n",
            "no last line end": "\r\n".join(lines),
            "one row, no line end": lines[0],
            "blank lines": "\r\n\r\n" + "\r\n\r\n".join(lines) + "\n\n\n",
            "byte order mark": "\ufeff" + "\r\n".join(lines) + "\r\n",
            "names": 'O\'Hara,"Paz, ""la"" Gil",00000000,1999-03-17,0\r\n'
                     "; | & : / =,Jean-Luc,00000001,1999-03-17,9999\r\n"
                     f"{'ñ' * 32},{'€' * 21},00000002,1999-03-17,0042\r\n",
        }
        server = self.server(agencies=len(shapes))
        agencies = [self.agency(i, server.port, self.write(f"{i}.csv", text),
                                CLI_BATCH_MAXAMOUNT=str(amount), CLI_BETS_ALLOWEMPTY="true")
                    for i, text in enumerate(shapes.values(), 1)]
        for agency in agencies:
            self.assertEqual(self.winners_of(agency), 0)
        stored = {i: [] for i in range(1, len(shapes) + 1)}
        for row in read_original(server.folder / "bets.csv"):
            stored[row[0]].append(row)
        for i, (name, text) in enumerate(shapes.items(), 1):
            count = sum(line.strip() != "" for line in text.splitlines())
            with self.subTest(name):
                self.assertEqual([row[3] for row in stored[i]], [f"{k:08}" for k in range(count)])
        self.assertEqual([row[1:3] + row[5:] for row in stored[len(shapes)]],
                         [("O'Hara", 'Paz, "la" Gil', 0), ("; | & : / =", "Jean-Luc", 9999),
                          ("ñ" * 32, "€" * 21, 42)])
        self.assertEqual(server.stop(), 0)
        amounts = [int(line.details["cantidad"])
                   for line in server.lines("apuesta_recibida", "success")]
        self.assertLessEqual(max(amounts), amount)

    def test_no_batch_exceeds_a_frame(self):
        """The longest possible bets, and no other limit on a batch: the frame is the limit, and it is
        filled."""
        count = 500
        lines = [f"{'ñ' * 32},{'x' * 64},{i:016},1999-03-17,7574" for i in range(count)]
        server = self.server(agencies=1)
        proxy = FrameProxy(server.port)
        proxy.start()
        agency = self.agency(1, proxy.port, self.write_rows("bets.csv", lines),
                             CLI_BATCH_MAXAMOUNT="4294967295")
        self.assertEqual(self.winners_of(agency), count)
        proxy.close()
        self.assertLessEqual(proxy.largest, FRAME_MAX)
        self.assertGreater(proxy.largest, FRAME_MAX - len(lines[0].encode()) - 32)
        self.assertEqual(len(server.bets()), count)

    def test_twenty_thousand_winners_and_none(self):
        """One agency has 20,000, one has a document that wins twice, one has none."""
        server = self.server(agencies=3)
        many = self.agency(1, server.port, self.write_rows("1.csv", rows(20_000, 7574)))
        twice = self.agency(2, server.port, self.write_rows("2.csv", [ROW, ROW]))
        none = self.agency(3, server.port, self.write_rows("3.csv", rows(10)))
        self.assertEqual([self.winners_of(agency) for agency in (many, twice, none)],
                         [20_000, 2, 0])

    def test_a_bad_row_sends_nothing(self):
        """The last of many rows is bad: status 1 with file, line and reason, and the agency never
        connects."""
        server = self.server(agencies=1, level="DEBUG")
        for bad in ("Ana,Paz,1,1999-03-17,73110", "Ana,Paz,1,1999-03-17, 7574",
                    "Ana,Paz,1,1999-03-17,7_574", "Ana,Paz,1,1999-02-30,1", "Ana,Paz,1"):
            with self.subTest(bad):
                path = self.write_rows("bets.csv", rows(5000) + ["", bad])
                agency = self.agency(1, server.port, path)
                self.check_failed(agency, "leer_apuestas", f"{path}:5002: ")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.bets(), [])
        self.assertEqual(server.lines("accept_connections", "success"), [])
        self.assertEqual(server.lines("agencia_finalizada"), [])

    def test_files_that_cannot_be_read(self):
        """A missing file, and a folder: status 1, and the error names it."""
        for path, reason in ((self.folder / "none.csv", "No such file"),
                             (self.folder, "not a regular file")):
            agency = self.agency(1, free_port(), path)
            self.check_failed(agency, "leer_apuestas", f"{path}: {reason}")


class Times(AgencyCase):
    """Who starts and stops when."""

    def test_the_agency_comes_first(self):
        """It waits for the server, which is not a failure, and goes on as soon as the server is there."""
        port = free_port()
        agency = self.agency(1, port, self.write_rows("bets.csv", [ROW]))
        agency.wait_line("connect", "in_progress", count=2)
        server = self.server(agencies=1, port=port)
        self.assertEqual(self.winners_of(agency), 1)
        self.assertEqual([line.text for line in agency.lines() if line.result == "fail"], [])
        self.assertEqual(server.stop(), 0)

    def test_start_delay(self):
        """The agency does not connect before its delay is over, in any mode; its patience, which is
        shorter, begins after that."""
        bet = {"NOMBRE": "Ana", "APELLIDO": "Paz", "DOCUMENTO": "1", "NACIMIENTO": "1999-03-17",
               "NUMERO": "1"}
        for mode in ("lottery", "bet", "echo"):
            with self.subTest(mode), FakeServer() as fake:
                begin = time.monotonic()
                agency = self.agency(1, fake.port, self.write_rows("bets.csv", [ROW]), mode=mode,
                                     CLI_START_DELAY="1500ms", CLI_CONNECT_TIMEOUT="1s", **bet)
                with fake.accept():
                    self.assertGreaterEqual(time.monotonic() - begin, 1.5)
                    self.assertEqual(agency.lines("connect"), [])  # no attempt failed before
                self.assertTrue(agency.lines("config", "success", start_delay="1.5s"))
                self.assertTrue(agency.lines("start_delay", "in_progress", ms=1500))

    def test_echo_period_begins_after_the_start_delay(self):
        """The second message comes a period after the first one, however long the delay was."""
        server = self.server(mode="echo")
        agency = self.agency(1, server.port, mode="echo", CLI_START_DELAY="1s",
                             CLI_LOOP_PERIOD="1s", CLI_LOOP_AMOUNT="2")
        agency.wait_line("receive_message", "success")
        first = time.monotonic()
        agency.wait_line("receive_message", "success", count=2)
        self.assertGreaterEqual(time.monotonic() - first, 0.5)  # what the log needs is part of it
        self.assertEqual(agency.wait(), 0, agency.output())

    def test_one_comes_long_after_the_others(self):
        """Nobody gets winners before the last agency has finished; one of those that wait has no
        bets."""
        server = self.server(agencies=3)
        early = [self.agency(1, server.port, self.write_rows("1.csv", rows(300, 7574))),
                 self.agency(2, server.port, self.write("2.csv", ""), CLI_BETS_ALLOWEMPTY="true")]
        server.wait_line("agencia_finalizada", "success", count=2)
        for agency in early:
            agency.wait_line("apuestas_enviadas", "success")
            self.assertIsNone(agency.process.poll())
        self.assertEqual(server.lines("sorteo"), [])
        late = self.agency(3, server.port, self.write_rows("3.csv", [ROW]))
        self.assertEqual([self.winners_of(agency) for agency in early + [late]], [300, 0, 1])
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.lines("sorteo", "success")), 1)

    def test_the_server_restarts_during_the_work(self):
        """On the same port at once: the agency goes on where it was, and nothing is stored twice."""
        server = self.server(agencies=2)
        agency = self.agency(1, server.port, self.write_rows("bets.csv", rows(20_000)),
                             CLI_BATCH_MAXAMOUNT="20")
        server.wait_line("apuesta_recibida", "success", count=20)
        for _ in range(2):
            self.assertEqual(server.stop(), 0)
            server = self.server(agencies=2, port=server.port)
            server.wait_line("agencia_finalizada", "success")
        with Peer(server.port, 2) as peer:
            self.assertEqual(peer.finish(0), [])
        self.assertEqual(self.winners_of(agency), 0)
        self.assertEqual([row.split(b",")[3] for row in server.bets()],
                         [f"{i:08}".encode() for i in range(20_000)])

    def test_the_agency_is_killed_during_the_work(self):
        """Started again with the same file it goes on; nothing is missing, nothing is stored twice."""
        server = self.server(agencies=1)
        path = self.write_rows("bets.csv", rows(20_000))
        for count in (5, 50):
            agency = self.agency(1, server.port, path, CLI_BATCH_MAXAMOUNT="20")
            server.wait_line("apuesta_recibida", "success", count=count)
            agency.kill()
        self.assertEqual(self.winners_of(self.agency(1, server.port, path)), 0)
        self.assertEqual([row.split(b",")[3] for row in server.bets()],
                         [f"{i:08}".encode() for i in range(20_000)])
        # After the draw it may ask as often as it likes.
        self.assertEqual(self.winners_of(self.agency(1, server.port, path)), 0)


class Conversation(AgencyCase):
    """The test plays the server."""

    def setUp(self):
        super().setUp()
        self.fake = FakeServer()
        self.addCleanup(self.fake.listener.close)

    def start(self, count=50, amount=10, **settings):
        path = self.write_rows("bets.csv", rows(count))
        return self.agency(1, self.fake.port, path, CLI_BATCH_MAXAMOUNT=str(amount), **settings)

    def test_batches_in_flight(self):
        """It asks, goes on from the answer, sends without waiting for answers, says its total, and
        adds up the winners of several frames."""
        agency = self.start()
        with self.fake.accept() as caller:
            self.assertEqual(caller.read_question().agency_id, 1)
            caller.answer(received=7)
            batches = [caller.read_bets() for _ in range(5)]
            self.assertEqual([batch.offset for batch in batches], [7, 17, 27, 37, 47])
            self.assertEqual([len(batch.bets) for batch in batches], [10, 10, 10, 10, 3])
            self.assertEqual(batches[0].bets[0].document, "00000007")
            for received in (17, 27, 37, 47, 50):
                caller.answer(received)
            self.assertEqual(caller.read_finished(),
                             pb.Finished(agency_id=1, total=50, checksum=lines_checksum(50)))
            caller.send_winners(["1", "2"], more=True)
            caller.send_winners([], more=True)
            caller.send_winners(["2"])
            self.assertEqual(self.winners_of(agency), 3)

    def test_a_connection_breaks(self):
        """Before the answer, between batches, while it waits: each time it connects again and asks."""
        agency = self.start()
        with self.fake.accept() as caller:
            caller.read_question()
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer()
            self.assertEqual(caller.read_bets().offset, 0)
            caller.answer(10)
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer(50)  # all of them had arrived
            self.assertEqual(caller.read_finished().total, 50)
            caller.send_winners(["1"], more=True)  # after the break they come again from the start
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer(50)
            caller.read_finished()
            caller.send_winners(["1", "2"])
            self.assertEqual(self.winners_of(agency), 2)

    def test_refusals_that_pass(self):
        """A full disk and a gap are not failures: it asks again and goes on from the answer."""
        agency = self.start(count=20)
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer()
            for code in (pb.ACK_CODE_STORAGE_ERROR, pb.ACK_CODE_OFFSET_GAP):
                caller.read_bets()
                caller.read_bets()
                caller.answer(0, code, "not now")
                caller.answer(0, pb.ACK_CODE_OFFSET_GAP, "not that either")
                caller.read_question()
                caller.answer(0)
            caller.read_bets()
            caller.read_bets()
            caller.answer(10)
            caller.answer(20)
            caller.read_finished()
            caller.send_winners([])
            self.assertEqual(self.winners_of(agency), 0)
        self.assertEqual([line.text for line in agency.lines() if line.result == "fail"], [])

    def test_one_bet_refused_for_now(self):
        """A full disk: nothing was stored, so it asks again after a pause and sends it once more. An
        answer to nothing, meanwhile, ends the connection."""
        agency = self.agency(1, self.fake.port, mode="bet", CLI_CONNECT_TIMEOUT="6s", **Modes.BET)
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer()
            caller.read_bets()
            caller.answer(0, pb.ACK_CODE_STORAGE_ERROR, "not now")
            caller.read_question()
            caller.answer()
            caller.read_bets()
            caller.answer(0, pb.ACK_CODE_STORAGE_ERROR, "not now")
            caller.answer(1)
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer()
            caller.read_bets()
            self.assertEqual(agency.lines("apuesta_enviada", "success"), [])
            caller.answer(1)
            self.assertEqual(agency.wait(), 0)
        self.assertEqual(len(agency.lines("apuesta_enviada", "success")), 1)

    def test_refusals_that_do_not(self):
        """Every other code but DRAW_CLOSED (test_agency_draws.py) ends the work with status 1, and the
        log has the server's text."""
        for code in (pb.ACK_CODE_INVALID_BET, pb.ACK_CODE_UNKNOWN_AGENCY, pb.ACK_CODE_INCOMPLETE,
                     pb.ACK_CODE_MALFORMED, 99):
            with self.subTest(code):
                agency = self.start()
                with self.fake.accept() as caller:
                    caller.read_question()
                    caller.answer()
                    caller.read_bets()
                    caller.answer(0, code, "said the server")
                    self.check_failed(agency, "apuestas_enviadas", "said the server")

    def test_a_server_that_talks_nonsense(self):
        """No frame, no message, an answer that nobody asked for: it disconnects and tries again until
        connect.timeout; then status 1."""
        agency = self.start(CLI_CONNECT_TIMEOUT="6s")
        for nonsense in (b"HTTP/1.1 400 Bad Request\r\n\r\n", frame(pb.OPCODE_ACK, b"\xff"),
                         frame(pb.OPCODE_NEW_BETS), frame(pb.OPCODE_WINNERS)):
            with self.fake.accept() as caller:
                caller.read_question()
                caller.send_bytes(nonsense)
                with self.assertRaises(GONE):
                    caller.read()
        self.fake.listener.close()
        self.check_failed(agency, "connect", "refused")

    def test_the_server_has_more_than_the_file(self):
        """Somebody else's bets, or another file: status 1, nothing is sent."""
        agency = self.start()
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer(51)
            self.check_failed(agency, "apuestas_enviadas", "has 51 bets of this agency")
            with self.assertRaises(GONE):
                caller.read()

    def test_the_file_changes_during_the_work(self):
        """A file that is no longer what was checked is not sent: status 1."""
        agency = self.start()
        with self.fake.accept() as caller:
            caller.read_question()
            self.write_rows("bets.csv", rows(51))
            caller.answer(0)
            self.check_failed(agency, "leer_apuestas", "changed while it was being sent")


class Failures(AgencyCase):
    def test_no_server(self):
        """Status 1 after connect.timeout, in every mode."""
        bet = {"NOMBRE": "Ana", "APELLIDO": "Paz", "DOCUMENTO": "1", "NACIMIENTO": "1999-03-17",
               "NUMERO": "1"}
        for mode in ("lottery", "bet", "echo"):
            with self.subTest(mode):
                agency = self.agency(1, free_port(), self.write_rows("bets.csv", [ROW]), mode=mode,
                                     CLI_CONNECT_TIMEOUT="300ms", **bet)
                self.check_failed(agency, "connect", "refused")
                self.assertTrue(agency.lines("exit", "fail", status=1))

    def test_an_unknown_agency(self):
        """Agency N + 1: status 1."""
        server = self.server(agencies=1)
        agency = self.agency(2, server.port, self.write_rows("bets.csv", [ROW]))
        self.check_failed(agency, "apuestas_enviadas", "agency 2 is not one of 1..1")
        self.assertEqual(server.bets(), [])

    def test_a_file_that_grew_after_finished(self):
        """The draw was held without the new bets: it names the first of them, gets the winners among the
        others, and has failed."""
        server = self.server(agencies=1)
        self.assertEqual(self.winners_of(self.agency(1, server.port,
                                                     self.write_rows("1.csv", [ROW]))), 1)
        agency = self.agency(1, server.port, self.write_rows("2.csv", [ROW, ROW]))
        self.check_failed(agency, "apuestas_enviadas", "DRAW_CLOSED")
        self.assertTrue(agency.lines("apuestas_enviadas", "fail", taken=1, not_taken=1,
                                     first_not_taken=f"{self.folder / '2.csv'}:2"), agency.output())
        self.assertTrue(agency.lines("consulta_ganadores", "success", cant_ganadores=1))
        self.assertEqual(len(server.bets()), 1)


class Modes(AgencyCase):
    BET = {"NOMBRE": "Santiago Lionel", "APELLIDO": "Lorca", "DOCUMENTO": "30904465",
           "NACIMIENTO": "1999-03-17", "NUMERO": "7574"}

    def test_one_bet(self):
        """From the environment, twice: both are stored, and both sides log it."""
        server = self.server(agencies=1)
        for count in (1, 2):
            agency = self.agency(1, server.port, mode="bet", **self.BET)
            self.assertEqual(agency.wait(), 0)
            self.assertTrue(agency.lines("apuesta_enviada", "success", dni="30904465", numero=7574))
            server.wait_line("apuesta_almacenada", "success", count=count, dni="30904465",
                             numero=7574)
        self.assertEqual(server.bets(),
                         [b"1,Santiago Lionel,Lorca,30904465,1999-03-17,7574"] * 2)

    def test_a_bad_bet(self):
        """Missing or against the rules: status 2 with the reason, and nothing is sent."""
        server = self.server(agencies=1)
        for key, value in (("NOMBRE", ""), ("DOCUMENTO", "30.904.465"), ("NUMERO", "10000"),
                           ("NUMERO", " 7574"), ("NACIMIENTO", "1999-02-29")):
            with self.subTest(f"{key}={value}"):
                agency = self.agency(1, server.port, mode="bet", **{**self.BET, key: value})
                self.check_failed(agency, "apuesta_enviada", " ", status=2)
        self.assertEqual(server.bets(), [])

    def test_echo(self):
        """As many messages as set, a connection for each, and the agreed lines on both sides."""
        server = self.server(mode="echo")
        agency = self.agency(1, server.port, mode="echo", CLI_LOOP_AMOUNT="3",
                             CLI_LOOP_PERIOD="10ms")
        self.assertEqual(agency.wait(), 0)
        texts = [f"[CLIENT 1] Message N°{i}" for i in (1, 2, 3)]
        self.assertEqual([line.details["msg"]
                          for line in agency.lines("receive_message", "success", client_id=1)],
                         texts)
        self.assertEqual(len(agency.lines("loop_finished", "success", client_id=1)), 1)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(sorted(line.details["msg"] for line in
                                server.lines("receive_message", "success", ip="127.0.0.1")), texts)
        self.assertEqual(len(server.lines("accept_connections", "success")), 3)

    def test_a_wrong_echo(self):
        """Another answer, and no answer: the loop goes on, and the status is 1."""
        with FakeServer() as fake:
            agency = self.agency(1, fake.port, mode="echo", CLI_LOOP_AMOUNT="2",
                                 CLI_LOOP_PERIOD="10ms")
            for answer in (b"something else\n", b""):
                with fake.accept() as caller:
                    self.assertTrue(caller.socket.recv(100))
                    caller.send_bytes(answer)
            self.assertEqual(agency.wait(), 1)
        self.assertEqual(len(agency.lines("receive_message", "fail", client_id=1)), 2)
        self.assertTrue(agency.lines("loop_finished", "fail", failed=2))

    def test_progress_on_a_terminal(self):
        """On a terminal there is a line that says how far it is and what it waits for."""
        path = self.write_rows("bets.csv", rows(3))
        with FakeServer() as fake, TerminalAgency(self.folder, fake.port, path) as agency:
            with fake.accept() as caller:
                caller.read_question()
                caller.answer(3)
                caller.read_finished()
                wait_until(lambda: agency.shows(b"3/3 bets, "), "the progress line")
                wait_until(lambda: agency.shows(b"waiting for the draw"), "what it waits for")
                caller.send_winners(["7"])
                wait_until(lambda: agency.shows(b"cant_ganadores: 1"), "the winners")
            self.assertEqual(agency.process.wait(30), 0)


class CommandLine(AgencyCase):
    def run_agency(self, *arguments, **environment):
        return subprocess.run([BIN / "lottery-agency", *arguments], cwd=self.folder, text=True,
                              capture_output=True, timeout=30, env=environment)

    def test_help_and_version(self):
        """Both are printed on stdout with status 0."""
        result = self.run_agency("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("Usage: lottery-agency", result.stdout)
        self.assertIn("Exit status", result.stdout)
        result = self.run_agency("--version")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"^lottery-agency \d+\.\d+\.\d+\n$")

    def test_bad_settings_end_the_start(self):
        """Status 2, with file, line, key and reason."""
        path = self.write("other.yaml", "id: 1\nbatch:\n  maxAmount: 0\n")
        result = self.run_agency("--config", str(path))
        self.assertEqual(result.returncode, 2)
        self.assertIn(f'{path}:3: batch.maxAmount: "0" is not a number', result.stdout)
        self.write("config.yaml", "id: 1\nservers: x\n")
        result = self.run_agency()
        self.assertEqual(result.returncode, 2)
        self.assertIn("config.yaml:2: servers: unknown key", result.stdout)
        self.write("config.yaml", "")
        result = self.run_agency()
        self.assertEqual(result.returncode, 2)
        self.assertIn("id: missing", result.stdout)
        result = self.run_agency(CLI_ID="-1")
        self.assertEqual(result.returncode, 2)
        self.assertIn("environment: CLI_ID", result.stdout)
        for arguments in (("--nonsense",), ("--config",)):
            self.assertEqual(self.run_agency(*arguments).returncode, 2)


if __name__ == "__main__":
    unittest.main()
