"""The agency in a lottery that is run: which draw its bets are for, and a closing that cuts it off."""
import signal
import subprocess
import unittest

from fake_server import FakeServer
from programs import BIN, Case
from wire import Closed, checksum, pb

DRAW = "2026-11-25-nocturna"
OTHER = "2026-11-26-matutina"
GONE = (Closed, ConnectionError)


def rows(count):
    return [f"Ana,Paz,{i:08},1999-03-17,1" for i in range(count)]


def lines_checksum(count):
    """Of the first rows, as the central has them."""
    return checksum(f"1,{row}\r\n".encode() for row in rows(count))


class DrawCase(Case):
    """The test plays the server."""

    def setUp(self):
        super().setUp()
        self.fake = FakeServer()
        self.addCleanup(self.fake.listener.close)
        self.path = self.folder / "bets.csv"

    def start(self, count=50, amount=10, draw=DRAW, lines=None, **settings):
        self.path.write_text("".join(f"{line}\r\n" for line in lines or rows(count)))
        if draw is not None:
            settings["CLI_DRAW"] = draw
        return self.agency(1, self.fake.port, self.path, CLI_BATCH_MAXAMOUNT=str(amount),
                           CLI_CONNECT_TIMEOUT="20s", **settings)

    def answer(self, caller, received, code=pb.ACK_CODE_OK, detail="", draw=DRAW, count=None):
        """An Ack of the central, that says which bets it has."""
        caller.answer(received, code, detail, draw=draw,
                      checksum=lines_checksum(received if count is None else count))

    def check_finished(self, caller, total, draw=DRAW):
        self.assertEqual(caller.read_finished(), pb.Finished(
            agency_id=1, total=total, checksum=lines_checksum(total), draw=draw))

    def check_cut_off(self, agency, taken, first, total=50, winners=1):
        """It has named the first row that was not taken, has its winners, and has failed."""
        self.assertEqual(agency.wait(), 1, agency.output())
        fails = [line for line in agency.lines() if line.result == "fail"]
        self.assertEqual([line.action for line in fails], ["apuestas_enviadas", "exit"],
                         agency.output())
        self.assertTrue(fails[0].is_about("apuestas_enviadas", taken=taken, not_taken=total - taken,
                                          first_not_taken=f"{self.path}:{first}"), fails[0].text)
        self.assertIn("ACK_CODE_DRAW_CLOSED", fails[0].details["reason"])
        self.assertTrue(agency.lines("consulta_ganadores", "success", cant_ganadores=winners))
        self.assertEqual(agency.lines("apuestas_enviadas", "success"), [])

    def check_refused(self, agency, reason, action="apuestas_enviadas"):
        self.assertEqual(agency.wait(), 1, agency.output())
        reasons = [line.details["reason"] for line in agency.lines(action, "fail")]
        self.assertEqual(len(reasons), 1, agency.output())
        self.assertIn(reason, reasons[0])
        self.assertEqual(agency.lines("consulta_ganadores"), [])


class Names(DrawCase):
    BET = {"NOMBRE": "Ana", "APELLIDO": "Paz", "DOCUMENTO": "1", "NACIMIENTO": "1999-03-17",
           "NUMERO": "1"}

    def test_every_message_names_the_draw(self):
        """The question, each batch and Finished; the config line has it, too."""
        agency = self.start(count=20)
        with self.fake.accept() as caller:
            self.assertEqual(caller.read_question().draw, DRAW)
            self.answer(caller, 0)
            for received in (10, 20):
                self.assertEqual(caller.read_bets().draw, DRAW)
                self.answer(caller, received)
            self.check_finished(caller, 20)
            caller.send_winners([])
            self.assertEqual(agency.wait(), 0, agency.output())
        self.assertTrue(agency.lines("config", "success", draw=DRAW))
        self.assertEqual(agency.lines("draw"), [])

    def test_no_name_no_byte(self):
        """Without the setting the bytes are those of an agency that knows nothing of draws."""
        agency = self.start(count=1, draw=None)
        with self.fake.accept() as caller:
            self.assertEqual(caller.read_frame(), (pb.OPCODE_NEW_BETS,
                                                   b"\x08\x01\x22\x04\x00\x00\x00\x00"))
            self.answer(caller, 0, draw="")
            self.assertEqual(caller.read_bets().SerializeToString()[-6:], b"\x22\x04\x00\x00\x00\x00")
            self.answer(caller, 1, draw="")
            self.assertEqual(caller.read_frame()[1],
                             b"\x08\x01\x10\x01\x1a\x04" + lines_checksum(1))
            caller.send_winners([])
            self.assertEqual(agency.wait(), 0, agency.output())

    def test_command_line_and_bad_ids(self):
        """--draw goes before the environment; what could not be an id ends the start."""
        for draw in ("../x", "-a", "a b", "x" * 65):
            with self.subTest(draw):
                agency = self.start(draw=draw)
                self.assertEqual(agency.wait(), 2, agency.output())
                self.assertIn("environment: CLI_DRAW", agency.output())
        for arguments, text in ((["--draw", "a/b"], 'command line: --draw: "a/b" is not '),
                                (["--draw", OTHER, "none.csv"], f"draw: {OTHER}")):
            result = subprocess.run([BIN / "lottery-agency", *arguments], cwd=self.folder, text=True,
                                    capture_output=True, timeout=30,
                                    env={"CLI_ID": "1", "CLI_DRAW": DRAW})
            self.assertIn(text, result.stdout)

    def test_one_bet_names_the_draw(self):
        """In mode bet, too."""
        agency = self.agency(1, self.fake.port, mode="bet", CLI_DRAW=DRAW, **self.BET)
        with self.fake.accept() as caller:
            self.assertEqual(caller.read_question().draw, DRAW)
            self.answer(caller, 0)
            self.assertEqual(caller.read_bets().draw, DRAW)
            caller.answer(1, draw=DRAW, stored=1)
            self.assertEqual(agency.wait(), 0, agency.output())

    def test_one_bet_and_another_draw(self):
        """The Ack names another one: that is not where the bet was to go."""
        for code in (pb.ACK_CODE_OK, pb.ACK_CODE_DRAW_CLOSED):
            agency = self.agency(1, self.fake.port, mode="bet", CLI_DRAW=DRAW, **self.BET)
            with self.fake.accept() as caller:
                caller.read_question()
                self.answer(caller, 0, code, draw=OTHER, count=0)
                self.check_refused(agency, f"the central answers for draw {OTHER}, and the bets are "
                                           f"for draw {DRAW}", "apuesta_enviada")

    def test_an_answer_for_another_draw(self):
        """To the question, to a batch, to Finished: status 1, and nothing more is sent."""
        reason = (f"the central answers for draw {OTHER}, and the bets are for draw {DRAW}: set "
                  '"draw" to the one that they are for')
        for stage in ("question", "batch", "finished"):
            with self.subTest(stage):
                agency = self.start(count=10)
                with self.fake.accept() as caller:
                    caller.read_question()
                    self.answer(caller, 10 if stage == "finished" else 0,
                                draw=OTHER if stage == "question" else DRAW)
                    if stage == "batch":
                        caller.read_bets()
                    if stage == "finished":
                        caller.read_finished()
                    if stage != "question":
                        self.answer(caller, 10, draw=OTHER)
                    self.check_refused(agency, reason)
                    with self.assertRaises(GONE):
                        caller.read()

    def test_bets_are_taken_for_another_draw(self):
        """The central refuses the question and says which draw takes bets, with or without naming it
        in the Ack, to an agency with another draw or with none."""
        detail = f'bets are taken for draw {OTHER}: set "draw" to it'
        for ours in (DRAW, None):
            for named in ("", OTHER):
                with self.subTest(ours=ours, named=named):
                    agency = self.start(draw=ours)
                    with self.fake.accept() as caller:
                        caller.read_question()
                        caller.answer(0, pb.ACK_CODE_DRAW_CLOSED, detail, draw=named)
                        self.check_refused(agency, detail)

    def test_a_server_without_draws(self):
        """Yesterday's server says nothing of draws: the agency works, and says so once."""
        agency = self.start(count=20)
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer(0)
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer(0)
            for received in (10, 20):
                caller.read_bets()
                caller.answer(received)
            caller.read_finished()
            caller.send_winners(["1"])
            self.assertEqual(agency.wait(), 0, agency.output())
        self.assertEqual(len(agency.lines("draw", "in_progress")), 1, agency.output())


class Closing(DrawCase):
    def test_in_the_middle(self):
        """Batches are in flight: some are taken, the others refused. It names the first row that was
        not taken, which it finds by asking again, and gets the winners among the others."""
        agency = self.start()
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 0)
            for _ in range(5):
                caller.read_bets()
            self.answer(caller, 10)
            self.answer(caller, 20)
            for _ in range(3):
                self.answer(caller, 20, pb.ACK_CODE_DRAW_CLOSED, "the draw is closed")
            self.assertEqual(caller.read_question().draw, DRAW)
            self.answer(caller, 20)
            self.check_finished(caller, 20)
            caller.send_winners(["00000007"])
            self.check_cut_off(agency, 20, 21)

    def test_place_of_the_row(self):
        """The physical line, in a file with blank lines and quotes."""
        lines = rows(50)
        lines[20] = "\n\n" + lines[20].replace("Ana", '"Ana"')
        agency = self.start(lines=lines)
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 0)
            caller.read_bets()
            self.answer(caller, 20, pb.ACK_CODE_DRAW_CLOSED)
            for _ in range(4):
                caller.read_bets()
                self.answer(caller, 20, pb.ACK_CODE_DRAW_CLOSED)
            caller.read_question()
            self.answer(caller, 20)
            caller.read_finished()
            caller.send_winners(["00000007"])
            self.check_cut_off(agency, 20, 23)

    def test_nothing_was_taken(self):
        """The draw is ours, and none of our bets is in it: Finished with a total of 0."""
        agency = self.start(count=10)
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 0)
            caller.read_bets()
            self.answer(caller, 0, pb.ACK_CODE_DRAW_CLOSED, "the draw is closed")
            caller.read_question()
            self.answer(caller, 0)
            self.check_finished(caller, 0)
            caller.send_winners([])
            self.check_cut_off(agency, 0, 1, total=10, winners=0)

    def test_the_question_is_refused(self):
        """A central that refuses even the question, and says how many bets it has in our draw."""
        agency = self.start(count=30)
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 10, pb.ACK_CODE_DRAW_CLOSED, "over")
            self.check_finished(caller, 10)
            caller.send_winners(["00000007"])
            self.check_cut_off(agency, 10, 11, total=30)

    def test_the_connection_breaks_before_it_is_told(self):
        """Between the refusal and the answer to the question: it asks once more, on the next
        connection, where the draw is over, as after a change of draws."""
        agency = self.start()
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 0)
            caller.read_bets()
            self.answer(caller, 10)
            caller.read_bets()
            self.answer(caller, 10, pb.ACK_CODE_DRAW_CLOSED, "over")
        for _ in range(2):  # and again, while it waits for the winners: the row is named once
            with self.fake.accept() as caller:
                caller.read_question()
                self.answer(caller, 10)
                self.check_finished(caller, 10)
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 10)
            self.check_finished(caller, 10)
            caller.send_winners(["00000007"])
            self.check_cut_off(agency, 10, 11)

    def test_the_connection_breaks_before_the_refusal(self):
        """Batches without an answer; on the next connection the draw is over. Some of them had been
        taken."""
        agency = self.start()
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 0)
            for _ in range(5):
                caller.read_bets()
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 30)
            for _ in range(2):
                self.assertIn(caller.read_bets().offset, (30, 40))
                self.answer(caller, 30, pb.ACK_CODE_DRAW_CLOSED, "over")
            caller.read_question()
            self.answer(caller, 30)
            self.check_finished(caller, 30)
            caller.send_winners([])
            self.check_cut_off(agency, 30, 31, winners=0)

    def test_all_were_taken_before(self):
        """Started again after the closing, with all its bets in the draw: nothing is wrong."""
        agency = self.start()
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 50)
            self.check_finished(caller, 50)
            caller.send_winners(["00000007"])
            self.assertEqual(agency.wait(), 0, agency.output())
        self.assertEqual([line.text for line in agency.lines() if line.result == "fail"], [])

    def test_another_sender_was_faster(self):
        """The batch is refused, but by then all rows are in: nothing is wrong."""
        agency = self.start(count=10)
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 0)
            caller.read_bets()
            self.answer(caller, 0, pb.ACK_CODE_DRAW_CLOSED, "the agency has finished")
            caller.read_question()
            self.answer(caller, 10)
            self.check_finished(caller, 10)
            caller.send_winners([])
            self.assertEqual(agency.wait(), 0, agency.output())

    def test_other_bets_were_taken(self):
        """Closed, and what the central has is not what the file has: that is the error."""
        agency = self.start()
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 0)
            caller.read_bets()
            self.answer(caller, 20, pb.ACK_CODE_DRAW_CLOSED)
            for _ in range(4):
                caller.read_bets()
                self.answer(caller, 20, pb.ACK_CODE_DRAW_CLOSED)
            caller.read_question()
            self.answer(caller, 20, count=19)
            self.check_refused(agency, "CONTENT_MISMATCH")

    def test_the_winners_file_is_written(self):
        """As ever, with the winners among the bets that were taken."""
        target = self.folder / "winners.txt"
        agency = self.start(count=20, CLI_WINNERS_FILE=str(target))
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 10)
            caller.read_bets()
            self.answer(caller, 10, pb.ACK_CODE_DRAW_CLOSED, "over")
            caller.read_question()
            self.answer(caller, 10)
            self.check_finished(caller, 10)
            caller.send_winners(["00000003", "00000007"])
            self.check_cut_off(agency, 10, 11, total=20, winners=2)
        self.assertEqual(target.read_text(), "00000003\n00000007\n")

    def test_finished_is_refused(self):
        """The draw that took no more bets is gone when it asks for the winners: status 1, at once."""
        agency = self.start(count=20)
        with self.fake.accept() as caller:
            caller.read_question()
            self.answer(caller, 10)
            caller.read_bets()
            self.answer(caller, 10, pb.ACK_CODE_DRAW_CLOSED, "over")
            caller.read_question()
            self.answer(caller, 10)
            caller.read_finished()
            caller.answer(10, pb.ACK_CODE_DRAW_CLOSED, "its folder is gone")
            self.assertEqual(agency.wait(), 1, agency.output())
        reasons = [line.details["reason"] for line in agency.lines("apuestas_enviadas", "fail")]
        self.assertEqual(reasons, ["ACK_CODE_DRAW_CLOSED, over",
                                   "ACK_CODE_DRAW_CLOSED, its folder is gone"])

    def test_signals_while_it_waits(self):
        """Cut off and waiting for the winners: a signal ends it as ever, and says how much was taken."""
        for number in (signal.SIGTERM, signal.SIGINT):
            agency = self.start(count=20)
            with self.fake.accept() as caller:
                caller.read_question()
                self.answer(caller, 10)
                caller.read_bets()
                self.answer(caller, 10, pb.ACK_CODE_DRAW_CLOSED, "over")
                caller.read_question()
                self.answer(caller, 10)
                self.check_finished(caller, 10)
                agency.signal(number)
                self.assertEqual(agency.wait(), 0, agency.output())
            self.assertTrue(agency.lines("exit", "success", sent=10, total=20), agency.output())


class Losses(DrawCase):
    """The central has fewer bets than it had acknowledged."""

    REASON = "the central has only 10 bets of this agency, and has acknowledged 20"

    def begin(self, caller):
        caller.read_question()
        self.answer(caller, 20)

    def test_after_a_reconnect(self):
        """As after a change of draws, or from a copy of the data directory."""
        for code in (pb.ACK_CODE_OK, pb.ACK_CODE_DRAW_CLOSED):
            with self.subTest(code):
                agency = self.start()
                with self.fake.accept() as caller:
                    self.begin(caller)
                    caller.read_bets()
                with self.fake.accept() as caller:
                    caller.read_question()
                    self.answer(caller, 10, code)
                    self.check_refused(agency, self.REASON)

    def test_in_a_refusal(self):
        """In the answer to a batch, and to Finished."""
        agency = self.start()
        with self.fake.accept() as caller:
            self.begin(caller)
            caller.read_bets()
            self.answer(caller, 10, pb.ACK_CODE_DRAW_CLOSED, "over")
            self.check_refused(agency, self.REASON + ": over")
        agency = self.start(count=20)
        with self.fake.accept() as caller:
            self.begin(caller)
            caller.read_finished()
            self.answer(caller, 10, pb.ACK_CODE_INCOMPLETE)
            self.check_refused(agency, self.REASON)


if __name__ == "__main__":
    unittest.main()
