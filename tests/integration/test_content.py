"""What the bets are, and not only how many: two senders with one agency's id, and files that change."""
import signal
import unittest

from fake_server import FakeServer
from programs import Case, wait_until
from wire import Peer, bet, checksum, pb

BET = {"NOMBRE": "Ana", "APELLIDO": "Paz", "NACIMIENTO": "1999-03-17", "NUMERO": "1"}
NOTHING = checksum([])


def line(document, agency=1, first="Ana"):
    return f"{agency},{first},Paz,{document},1999-03-17,1\r\n".encode()


class ContentCase(Case):
    def write(self, name, count, first="Ana", top=()):
        path = self.folder / name
        path.write_text("".join([*top, *(f"{first},Paz,{i},1999-03-17,1\n" for i in range(count))]))
        return path

    def mode_bet(self, port, document, **environment):
        return self.agency(1, port, mode="bet", DOCUMENTO=str(document), **{**BET, **environment})


class Files(ContentCase):
    def test_two_files_at_once(self):
        """One agency sends all of its file; the other one says that another program uses its id."""
        server = self.server(agencies=2)
        agencies = [self.agency(1, server.port, self.write(f"{name}.csv", 20_000, name))
                    for name in ("Ana", "Eva")]
        with Peer(server.port, 2) as other:
            losers = wait_until(lambda: [agency for agency in agencies
                                         if agency.process.poll() is not None], "one to give up")
            self.assertEqual(len(losers), 1)
            self.assertEqual(losers[0].wait(), 1)
            self.assertIn("CONTENT_MISMATCH, the central has other bets of agency 1",
                          losers[0].output())
            winner = next(agency for agency in agencies if agency is not losers[0])
            winner.wait_line("apuestas_enviadas", "success", cantidad=20_000)
            other.finish(0)
        self.assertEqual(winner.wait(), 0)
        name = b"Ana" if winner is agencies[0] else b"Eva"
        self.assertEqual(server.bets(), [b"1,%s,Paz,%d,1999-03-17,1" % (name, i)
                                         for i in range(20_000)])

    def test_one_file_twice_at_once(self):
        """The same bets from two programs are stored once, and both get the winners."""
        server = self.server(agencies=1)
        path = self.write("bets.csv", 20_000)
        agencies = [self.agency(1, server.port, path) for _ in range(2)]
        self.assertEqual([agency.wait() for agency in agencies], [0, 0])
        self.assertEqual(len(server.bets()), 20_000)

    def test_a_row_on_top(self):
        """Between two runs: nothing is lost, nothing comes twice, and the agency says where it is."""
        server = self.server(agencies=2)
        first = self.agency(1, server.port, self.write("bets.csv", 9_000))
        first.wait_line("apuestas_enviadas", "success")
        first.signal(signal.SIGTERM)
        self.assertEqual(first.wait(), 0)
        again = self.agency(1, server.port,
                            self.write("bets.csv", 9_000, top=["Eva,Gil,7,2000-01-01,2\n"]))
        self.assertEqual(again.wait(), 1)
        self.assertIn("somewhere in its bets 1 to 9000: another program sends as this agency, or the "
                      "file is not the one that was sent before", again.output())
        self.assertEqual(len(server.bets()), 9_000)

    def test_the_same_file_again(self):
        """After a restart of the server, and a kill: it remembers what the bets are."""
        server = self.server(agencies=2)
        path = self.write("bets.csv", 5_000)
        for stop in ("stop", "kill"):
            agency = self.agency(1, server.port, path)
            agency.wait_line("apuestas_enviadas", "success", cantidad=5_000)
            agency.signal(signal.SIGTERM)
            self.assertEqual(agency.wait(), 0)
            getattr(server, stop)()
            server = self.server(agencies=2)
        with Peer(server.port) as peer:
            peer.send(pb.OPCODE_NEW_BETS, pb.NewBets(agency_id=1, checksum=NOTHING))
            self.assertEqual(peer.ack().checksum, checksum(line(i) for i in range(5_000)))


class Wire(ContentCase):
    def ask(self, peer, **fields):
        peer.send(pb.OPCODE_NEW_BETS, pb.NewBets(agency_id=1, **fields))
        return peer.ack()

    def test_only_who_says_something_is_told(self):
        """An agency of yesterday gets the answers of yesterday."""
        server = self.server(agencies=1)
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([bet()]), pb.Ack(code=pb.ACK_CODE_OK, received=1))
            self.assertEqual(peer.bets([bet("other")]), pb.Ack(code=pb.ACK_CODE_OK, received=1))
            self.assertEqual(self.ask(peer), pb.Ack(code=pb.ACK_CODE_OK, received=1))
            self.assertEqual(len(self.ask(peer, checksum=NOTHING).checksum), 4)

    def test_a_checksum_of_another_size(self):
        """Is no checksum, in either message."""
        server = self.server(agencies=1)
        for opcode, message in ((pb.OPCODE_NEW_BETS, pb.NewBets), (pb.OPCODE_FINISHED, pb.Finished)):
            for size in (1, 3, 5, 8):
                with Peer(server.port) as peer:
                    peer.send(opcode, message(agency_id=1, checksum=bytes(size)))
                    self.assertEqual(peer.ack().code, pb.ACK_CODE_MALFORMED)

    def test_finished_with_other_bets(self):
        """The right number of bets is not enough; the agency may still correct itself."""
        server = self.server(agencies=1)
        with Peer(server.port) as peer:
            peer.bets([bet()])
            peer.send(pb.OPCODE_FINISHED, pb.Finished(agency_id=1, total=1, checksum=NOTHING))
            self.assertEqual(peer.ack().code, pb.ACK_CODE_CONTENT_MISMATCH)
            right = checksum([b"1,Santiago Lionel,Lorca,30904465,1999-03-17,7574\r\n"])
            peer.send(pb.OPCODE_FINISHED, pb.Finished(agency_id=1, total=1, checksum=right))
            self.assertEqual(peer.winners(), ["30904465"])


class OneBet(ContentCase):
    def test_thirty_at_once(self):
        """Each says that its bet is stored, and each is, once."""
        server = self.server(agencies=2)
        agencies = [self.mode_bet(server.port, i) for i in range(30)]
        self.assertEqual([agency.wait() for agency in agencies], [0] * 30)
        self.assertEqual(sorted(server.bets()),
                         sorted(b"1,Ana,Paz,%d,1999-03-17,1" % i for i in range(30)))

    def test_the_same_bet_from_many(self):
        """Ten customers may bet alike: ten bets."""
        server = self.server(agencies=2)
        agencies = [self.mode_bet(server.port, 7) for _ in range(10)]
        self.assertEqual([agency.wait() for agency in agencies], [0] * 10)
        self.assertEqual(server.bets(), [b"1,Ana,Paz,7,1999-03-17,1"] * 10)

    def lose_the_answer(self, fake, received):
        """An agency whose answer was lost, after which the central has `received` bets. Returns it, and
        the connection on which it asks."""
        agency = self.mode_bet(fake.port, 7, CLI_CONNECT_TIMEOUT="20s")
        with fake.accept() as caller:
            caller.read_question()
            caller.answer(3, checksum=b"abcd")
            self.assertEqual(caller.read_bets().checksum, b"abcd")
        caller = fake.accept()
        caller.read_question()
        caller.answer(received, checksum=b"efgh")
        return agency, caller

    def test_an_answer_is_lost(self):
        """It says stored only when an answer says so, and otherwise that it does not know."""
        stored = {"stored": 1}
        refused = {"code": pb.ACK_CODE_CONTENT_MISMATCH}
        for received, answers, status in ((3, [stored], 0), (3, [{}], 1), (4, [{}], 1), (5, [], 1),
                                          (4, [refused, stored], 0), (3, [refused, stored], 0)):
            with self.subTest(received=received, answers=answers), FakeServer() as fake:
                agency, caller = self.lose_the_answer(fake, received)
                with caller:
                    for i, answer in enumerate(answers):
                        batch = caller.read_bets()
                        self.assertEqual((batch.offset, batch.checksum),
                                         (3, b"abcd") if i == 0 else (9, b"ijkl"))
                        caller.answer(4, checksum=b"efgh", **answer)
                        if answer is refused:  # another one is there: ours goes after those
                            caller.read_question()
                            caller.answer(9, checksum=b"ijkl")
                    self.assertEqual(agency.wait(), status, agency.output())
                told = agency.lines("apuesta_enviada", "success")
                self.assertEqual(len(told), 1 - status)
                if status == 1:
                    self.assertIn("whether the bet is stored is not known", agency.output())

    def test_an_end_without_the_answer(self):
        """It gives up: the reason is that of the last attempt, and the bet may be stored."""
        with FakeServer() as fake:
            agency = self.mode_bet(fake.port, 7, CLI_CONNECT_TIMEOUT="2s")
            with fake.accept() as caller:
                caller.read_question()
                caller.answer(3, checksum=b"abcd")
                caller.read_bets()
        self.assertEqual(agency.wait(), 1)
        self.assertEqual(len(agency.lines("connect", "fail")), 1, agency.output())
        self.assert_says_unknown(agency, 1)

    def test_a_refusal(self):
        """Always has a reason; the bet is not stored, unless an answer was lost before."""
        with FakeServer() as fake:
            agency = self.mode_bet(fake.port, 7)
            with fake.accept() as caller:
                caller.read_question()
                caller.answer(3, checksum=b"abcd")
                caller.read_bets()
                caller.answer(3, pb.ACK_CODE_DRAW_CLOSED)
                self.assertEqual(agency.wait(), 1)
            self.assertEqual(agency.lines("apuesta_enviada", "fail")[0].details["reason"],
                             "ACK_CODE_DRAW_CLOSED")
            self.assert_says_unknown(agency, 0)
            agency, caller = self.lose_the_answer(fake, 4)
            with caller:
                caller.read_bets()
                caller.answer(4, pb.ACK_CODE_DRAW_CLOSED, "the agency has finished")
                self.assertEqual(agency.wait(), 1)
            self.assert_says_unknown(agency, 1)

    def assert_says_unknown(self, agency, times):
        said = [line for line in agency.lines("apuesta_enviada", "in_progress")
                if "whether the bet is stored is not known" in line.details["reason"]]
        self.assertEqual(len(said), times, agency.output())


if __name__ == "__main__":
    unittest.main()
