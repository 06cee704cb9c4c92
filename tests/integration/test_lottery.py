"""The lottery end to end: many agencies at once, the rules, one draw."""
import datetime
import unittest

from programs import Case
from wire import Peer, bet, frame, pb


class Crowd(Case):
    def test_a_thousand_agencies_at_once(self):
        """1,000 agencies with 100 bets each, all connected before the first bet: one draw, and every
        agency gets its winners."""
        count, each = 1000, 100
        server = self.server(agencies=count)
        peers = [Peer(server.port, i + 1, timeout=60) for i in range(count)]
        for peer in peers:
            peer.send_bets([])
        for peer in peers:
            self.assertEqual(peer.ack().received, 0)
        for peer in peers:
            bets = [bet(f"{peer.agency:04}{i:04}", number=7574 if i < peer.agency % 3 else i)
                    for i in range(each)]
            peer.send_bets(bets)
            peer.send_finished(each)
        for peer in peers:
            self.assertEqual(peer.ack().code, pb.ACK_CODE_OK)
        for peer in peers:
            self.assertEqual(peer.winners(),
                             [f"{peer.agency:04}{i:04}" for i in range(peer.agency % 3)])
            peer.close()
        self.assertEqual(len(server.bets()), count * each)
        self.assertEqual(server.stop(), 0)
        self.assertEqual([line.result for line in server.lines("sorteo")], ["success"])
        self.assertEqual([line.details for line in server.lines("escrutinio", "in_progress")],
                         [{"agencias": str(count), "ganador": "7574"}])


class Rules(Case):
    """Which answer each message gets."""

    def test_finished_twice_and_from_two_connections_counts_once(self):
        """Two of three agencies send Finished, one of them three times: no draw without the third."""
        server = self.server(agencies=3)
        with Peer(server.port, 1) as one, Peer(server.port, 1) as again, \
                Peer(server.port, 2) as two, Peer(server.port, 3) as three:
            one.send_finished(0)
            one.send_finished(0)
            again.send_finished(0)
            two.send_finished(0)
            server.wait_line("agencia_finalizada", "success", count=4)
            self.assertEqual(server.lines("sorteo"), [])
            self.assertEqual(three.finish(0), [])
            self.assertEqual([one.winners(), one.winners(), again.winners(), two.winners()],
                             [[], [], [], []])
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.lines("sorteo", "success")), 1)

    def test_the_last_one_does_not_wait(self):
        """The last agency's connection ends while its Finished is being stored: the draw takes place
        for those that wait."""
        server = self.server(agencies=2)
        with Peer(server.port, 1) as one, Peer(server.port, 2) as two:
            one.send_finished(0)
            server.wait_line("agencia_finalizada", "success")
            two.send_bytes(frame(pb.OPCODE_FINISHED, pb.Finished(agency_id=2)) + b"\xff" * 9)
            self.assertEqual(two.ack().code, pb.ACK_CODE_MALFORMED)
            self.assertEqual(one.winners(), [])

    def test_unknown_agencies(self):
        """0, N + 1 and 4294967295 are unknown, for bets and for Finished; nothing is stored."""
        server = self.server(agencies=2)
        for agency in (0, 3, 4294967295):
            with Peer(server.port, agency) as peer:
                self.assertEqual(peer.bets([bet()]).code, pb.ACK_CODE_UNKNOWN_AGENCY)
                peer.send_finished(0)
                self.assertEqual(peer.ack().code, pb.ACK_CODE_UNKNOWN_AGENCY)
        self.assertEqual(server.bets(), [])

    def test_bad_bets_store_nothing_of_their_batch(self):
        """One bad bet among good ones: INVALID_BET, and nothing of the batch is stored."""
        bad = [bet(first=""), bet(first="x" * 65), bet(last="a\nb"), bet(last="\u0085"),
               bet(first="a\0b"), bet(document=""), bet(document="1" * 17), bet(document="12 3"),
               bet(document="ñ"), bet(birthdate="1999-02-29"), bet(birthdate="1999-2-28"),
               bet(birthdate="9999-01-01"), bet(number=10000), bet(number=4294967295)]
        server = self.server(agencies=1)
        with Peer(server.port) as peer:
            for one in bad:
                ack = peer.bets([bet(), one, bet()])
                self.assertEqual((ack.code, ack.received), (pb.ACK_CODE_INVALID_BET, 0), one)
                self.assertIn("bet 1:", ack.detail)
            self.assertEqual(peer.bets([bet(first="ñ" * 32, document="A1" * 8,
                                            birthdate="2000-02-29", number=0)]).received, 1)
        self.assertEqual(len(server.bets()), 1)

    def test_today_wherever_it_is_today(self):
        """A birthdate may be today's date in the place where the day begins first. Agency and server,
        wherever they are, agree."""
        today = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=14))).date()
        server = self.server(agencies=1, TZ="XXX12")
        for date, status in ((today + datetime.timedelta(days=2), 1), (today, 0)):
            file = self.folder / "bets.csv"
            file.write_text(f"Ana,Paz,1,{date},7574\n")
            self.assertEqual(self.agency(1, server.port, file, TZ="XXX12").wait(), status)
        self.assertEqual(len(server.bets()), 1)

    def test_offsets(self):
        """Batches that are known, partly known, new, and too far on."""
        server = self.server(agencies=1)
        with Peer(server.port) as peer:
            bets = [bet(str(i)) for i in range(10)]
            self.assertEqual(peer.bets(bets[:4]).received, 4)
            self.assertEqual(peer.bets(bets[:4]).received, 4)
            self.assertEqual(peer.bets(bets[2:7], 2).received, 7)
            ack = peer.bets(bets[9:], 9)
            self.assertEqual((ack.code, ack.received), (pb.ACK_CODE_OFFSET_GAP, 7))
            self.assertEqual(peer.bets(bets[7:], 7).received, 10)
        self.assertEqual([row.split(b",")[3] for row in server.bets()],
                         [str(i).encode() for i in range(10)])

    def test_after_finished(self):
        """A wrong total is INCOMPLETE; after Finished new bets are refused and known ones are not."""
        server = self.server(agencies=2)
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([bet("1")]).received, 1)
            for total in (0, 2):
                peer.send_finished(total)
                ack = peer.ack()
                self.assertEqual((ack.code, ack.received), (pb.ACK_CODE_INCOMPLETE, 1))
            peer.send_finished(1)
            server.wait_line("agencia_finalizada", "success")
            self.assertEqual(peer.bets([bet("2")], 1).code, pb.ACK_CODE_DRAW_CLOSED)
            self.assertEqual(peer.bets([bet("1")], 0).code, pb.ACK_CODE_OK)
        self.assertEqual(len(server.bets()), 1)

    def test_the_answer_stays_the_same(self):
        """After the draw, and after a restart with another winning number, the winners are the same;
        there is no second draw, and bets are refused."""
        server = self.server(agencies=1)
        with Peer(server.port) as peer:
            peer.bets([bet("11"), bet("22", number=1)])
            self.assertEqual(peer.finish(2), ["11"])
            self.assertEqual(peer.finish(2), ["11"])
        self.assertEqual(server.stop(), 0)
        server = self.server(agencies=1, LOTTERY_WINNER_NUMBER="1")
        with Peer(server.port) as peer:
            self.assertEqual(peer.received(), 2)
            self.assertEqual(peer.finish(2), ["11"])
            self.assertEqual(peer.bets([bet("33")], 2).code, pb.ACK_CODE_DRAW_CLOSED)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.lines("sorteo"), [])

    def test_no_agencies(self):
        """With N = 0 every agency is unknown, no draw is held, and the server stops when asked to."""
        server = self.server(agencies=0)
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([]).code, pb.ACK_CODE_UNKNOWN_AGENCY)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.lines("sorteo"), [])

    def test_silent_connections_do_not_count(self):
        """Dozens of connections come and leave without a word, and some stay within a frame: the draw
        is held when the agencies have finished, as if they were not there."""
        server = self.server(agencies=2)
        for _ in range(60):
            Peer(server.port).close()
        halves = [Peer(server.port, 1) for _ in range(5)]
        for cut, peer in enumerate(halves, 1):
            peer.send_bytes(frame(pb.OPCODE_FINISHED, pb.Finished(agency_id=2))[:cut])
        with Peer(server.port, 1) as one, Peer(server.port, 2) as two:
            self.assertEqual(one.bets([bet("7")]).received, 1)
            one.send_finished(1)
            server.wait_line("agencia_finalizada", "success")
            self.assertEqual(server.lines("sorteo"), [])
            self.assertEqual(two.finish(0), [])
            self.assertEqual(one.winners(), ["7"])
        self.assertEqual(server.stop(), 0)
        for peer in halves:
            peer.close()
        self.assertEqual(len(server.lines("sorteo", "success")), 1)
        self.assertEqual(len(server.lines("agencia_finalizada", "success")), 2)

    def test_one_document_twice_and_nobody(self):
        """Winners are listed per winning bet, in the order of the bets: a document that wins twice is
        there twice. An agency without winners gets an empty list."""
        server = self.server(agencies=2)
        with Peer(server.port, 1) as one, Peer(server.port, 2) as two:
            one.bets([bet("9"), bet("5"), bet("9", number=1), bet("9")])
            two.bets([bet("9", number=7573), bet("9", number=7575)])
            one.send_finished(4)
            self.assertEqual(two.finish(2), [])
            self.assertEqual(one.winners(), ["9", "5", "9"])
        self.assertEqual((server.folder / "winners.csv").read_bytes(), b"1,9\r\n1,5\r\n1,9\r\n")
        self.assertEqual(server.stop(), 0)
        self.assertTrue(server.lines("sorteo", "success", ganadores=3))

    def test_twenty_thousand_winners_of_one_agency(self):
        """They come in several frames, in order; the other agency does not wait for that."""
        server = self.server(agencies=2)
        documents = [str(10_000_000 + i) for i in range(20_000)]
        with Peer(server.port, 1) as one, Peer(server.port, 2) as two:
            for start in range(0, len(documents), 100):
                one.send_bets([bet(document) for document in documents[start:start + 100]], start)
            for _ in range(0, len(documents), 100):
                self.assertEqual(one.ack().code, pb.ACK_CODE_OK)
            one.send_finished(len(documents))
            self.assertEqual(two.finish(0), [])
            self.assertEqual(one.winners(), documents)
            self.assertEqual(one.finish(len(documents)), documents)

    def test_a_port_is_free_again_at_once(self):
        """After a server has closed its connections, another one starts on the same port."""
        server = self.server(agencies=1)
        for _ in range(3):
            peers = [Peer(server.port) for _ in range(5)]
            for peer in peers:
                self.assertEqual(peer.received(), 0)
            self.assertEqual(server.stop(), 0)
            server = self.server(agencies=1, port=server.port)
            for peer in peers:
                peer.close()


if __name__ == "__main__":
    unittest.main()
