"""A peer in another language, with the schema and the frame alone, has everything it needs."""
import unittest

from programs import Case
from wire import Peer, bet, pb


class ForeignPeer(Case):
    def test_bets_finish_and_winners(self):
        """Bets placed by hand end up in bets.csv, and each agency hears of its own winners."""
        server = self.server(agencies=2)
        with Peer(server.port, 1) as one, Peer(server.port, 2) as two:
            self.assertEqual(one.received(), 0)
            ack = one.bets([bet("111"), bet("222", number=1), bet("333")])
            self.assertEqual((ack.code, ack.received, ack.detail), (pb.ACK_CODE_OK, 3, ""))
            self.assertEqual(two.bets([bet("444", number=2)]).code, pb.ACK_CODE_OK)
            one.send_finished(3)
            self.assertEqual(two.finish(1), [])
            self.assertEqual(one.winners(), ["111", "333"])
        self.assertEqual(server.bets()[0], b"1,Santiago Lionel,Lorca,111,1999-03-17,7574")
        self.assertEqual((self.folder / "data" / "winners.csv").read_bytes(),
                         b"1,111\r\n1,333\r\n")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.lines("sorteo", "success")), 1)
        self.assertEqual(server.lines()[-1].action, "exit")


if __name__ == "__main__":
    unittest.main()
