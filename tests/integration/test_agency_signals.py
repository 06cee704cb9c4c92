"""SIGTERM and SIGINT to an agency at every moment of its work: it closes everything, status 0."""
import os
import signal
import unittest

from fake_server import FakeServer, free_port
from programs import Case, connections_of, open_files_of, wait_until
from wire import Closed, pb

GONE = (Closed, ConnectionError)
STOP_SECONDS = 5  # an agency may take one; the rest is for sanitizers on a busy machine
BET = {"NOMBRE": "Ana", "APELLIDO": "Paz", "DOCUMENTO": "1", "NACIMIENTO": "1999-03-17",
       "NUMERO": "1"}


class Stopping(Case):
    """Each test brings an agency to another moment of its work."""

    def write_rows(self, count):
        path = self.folder / "bets.csv"
        path.write_text("Ana,Paz,30904465,1999-03-17,7574\r\n" * count)
        return path

    def check_stops(self, begin, connections, files, extent=r" \| sent: 0 \| total: \d+"):
        """`begin` brings an agency to the moment in question; then it gets the signal. `extent` is a
        pattern of what the last line says about how much was sent."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                agency = begin()
                agency.signal(number)
                self.assertEqual(agency.wait(STOP_SECONDS), 0, agency.output())
                self.assertRegex(agency.lines()[-1].text.split(" action: ")[1],
                                 rf"^exit \| result: success{extent}$")
                self.assertEqual(len(agency.lines("close_connection", "success")), connections)
                self.assertEqual(len(agency.lines("close_file", "success")), files)
                self.assertEqual([line.text for line in agency.lines() if line.result == "fail"],
                                 [])

    def test_checking_the_file(self):
        """In the middle of a large one."""
        path = self.write_rows(1_000_000)

        def begin():
            agency = self.agency(1, free_port(), path)
            wait_until(lambda: str(path.resolve()) in open_files_of(agency.process.pid),
                       "the file to be open")
            return agency
        self.check_stops(begin, connections=0, files=1, extent=r" \| sent: 0")

    def test_a_named_pipe_as_settings(self):
        """Nobody writes into it: SIGTERM and SIGINT end the wait, with the line about the end."""
        os.mkfifo(self.folder / "config.yaml")

        def begin():
            agency = self.agency(1, free_port(), self.write_rows(1))
            wait_until(lambda: any(name.endswith("config.yaml")
                                   for name in open_files_of(agency.process.pid)),
                       "the pipe to be open")
            return agency
        self.check_stops(begin, connections=0, files=0, extent="")

    def test_settings_from_a_pipe(self):
        """Whoever writes into it later is read."""
        os.mkfifo(self.folder / "config.yaml")
        agency = self.agency(1, free_port(), self.write_rows(1))
        (self.folder / "config.yaml").write_text("batch.maxAmount: 77\n")
        agency.wait_line("config", "success", batch_max_amount=77)

    def test_a_named_pipe_as_bets(self):
        """Refused, as it could not be read twice; without waiting for a writer."""
        os.mkfifo(self.folder / "bets.csv")
        agency = self.agency(1, free_port(), self.folder / "bets.csv")
        self.assertEqual(agency.wait(STOP_SECONDS), 1, agency.output())
        self.assertIn("not a regular file", agency.lines("leer_apuestas", "fail")[0].text)

    def test_no_server(self):
        """Between two attempts to connect, in every mode."""
        for mode, files in (("lottery", 1), ("bet", 0), ("echo", 0)):
            def begin():
                agency = self.agency(1, free_port(), self.write_rows(1), mode=mode, **BET)
                agency.wait_line("connect", "in_progress")
                return agency
            with self.subTest(mode):
                self.check_stops(begin, connections=0, files=files)

    def test_start_delay(self):
        """Long before it would connect, in every mode."""
        for mode, files in (("lottery", 1), ("bet", 0), ("echo", 0)):
            def begin():
                agency = self.agency(1, free_port(), self.write_rows(1), mode=mode,
                                     CLI_START_DELAY="1h", **BET)
                agency.wait_line("start_delay", "in_progress")
                return agency
            with self.subTest(mode):
                self.check_stops(begin, connections=0, files=files)

    def check_stops_with_server(self, converse, files=1, count=100, sent=0, **settings):
        """`converse` is the server's part until the moment in question."""
        total = {"bet": 1, "echo": 5}.get(settings.get("mode"), count)
        with FakeServer() as fake:
            callers = []

            def begin():
                agency = self.agency(1, fake.port, self.write_rows(count), **settings)
                callers.append(fake.accept())
                converse(callers[-1])
                return agency
            self.check_stops(begin, connections=1, files=files,
                             extent=rf" \| sent: {sent} \| total: {total}")
            for caller in callers:
                with self.assertRaises(GONE):
                    while True:
                        caller.read_frame()
                caller.close()

    def test_no_answer_yet(self):
        """It has asked where to go on."""
        self.check_stops_with_server(lambda caller: caller.read_question())

    def test_between_batches(self):
        """Some are acknowledged, some are in flight, most are not sent yet."""
        def converse(caller):
            caller.read_question()
            caller.answer(0)
            caller.read_bets()
            caller.answer(2)
        self.check_stops_with_server(converse, count=20_000, sent="[02]", CLI_BATCH_MAXAMOUNT="2")

    def test_a_server_that_does_not_read(self):
        """The batches are stuck in the sockets."""
        def converse(caller):
            caller.read_question()
            caller.answer(0)
        self.check_stops_with_server(converse, count=200_000)

    def test_within_a_pause(self):
        """The server's disk is full, and the agency waits before it tries again."""
        def converse(caller):
            caller.read_question()
            caller.answer(0)
            caller.read_bets()
            caller.answer(0, pb.ACK_CODE_STORAGE_ERROR, "disk full")
        self.check_stops_with_server(converse)

    def test_waiting_for_the_draw(self):
        """It has sent Finished."""
        def converse(caller):
            caller.read_question()
            caller.answer(100)
            caller.read_finished()
        self.check_stops_with_server(converse, sent=100)

    def test_between_winners(self):
        """More of them are still to come."""
        def converse(caller):
            caller.read_question()
            caller.answer(100)
            caller.read_finished()
            caller.send_winners(["1"], more=True)
        self.check_stops_with_server(converse, sent=100)

    def test_one_bet(self):
        """The bet is sent and not acknowledged."""
        def converse(caller):
            caller.read_question()
            caller.answer(0)
            caller.read_bets()
        self.check_stops_with_server(converse, files=0, mode="bet", **BET)
        self.assertIn("not known", self.programs[0].lines("apuesta_enviada", "in_progress")[0].text)

    def test_echo_without_answer(self):
        """The message is sent."""
        self.check_stops_with_server(lambda caller: caller.socket.recv(100), files=0, mode="echo")

    def test_echo_between_messages(self):
        """The next one is due only in an hour."""
        server = self.server(mode="echo")

        def begin():
            agency = self.agency(1, server.port, mode="echo", CLI_LOOP_PERIOD="1h")
            agency.wait_line("receive_message", "success")
            wait_until(lambda: connections_of(agency.process.pid, None) == 0, "its end")
            return agency
        self.check_stops(begin, connections=0, files=0, extent=r" \| sent: 1 \| total: 5")

    def test_repeated_signals(self):
        """Further signals change nothing."""
        path = self.write_rows(1)
        for number in (signal.SIGTERM, signal.SIGINT):
            for _ in range(10):
                agency = self.agency(1, free_port(), path)
                agency.wait_line("connect", "in_progress")
                while agency.process.poll() is None:
                    agency.signal(number)
                self.assertEqual(agency.wait(), 0)
                self.assertEqual(len(agency.lines("exit", "success")), 1)

    def test_with_a_real_server(self):
        """What was sent before is stored, and the next run goes on from there."""
        server = self.server(agencies=2)
        path = self.write_rows(1000)

        def begin():
            agency = self.agency(1, server.port, path)
            agency.wait_line("apuestas_enviadas", "success")
            return agency
        self.check_stops(begin, connections=1, files=1, extent=r" \| sent: 1000 \| total: 1000")
        self.assertEqual(len(server.bets()), 1000)


if __name__ == "__main__":
    unittest.main()
