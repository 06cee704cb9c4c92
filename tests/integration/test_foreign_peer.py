"""An agency in another language needs only the schema and the frame."""
import socket
import unittest

from programs import Case, read_original
from wire import Peer, bet, frame, pb


class ForeignPeer(Case):
    def test_bets_finish_and_winners(self):
        """Bets of two agencies end up in bets.csv, and each agency gets its own winners."""
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

    def test_bytes_one_by_one(self):
        """Names of 64 bytes of UTF-8, and of characters that separate fields elsewhere, sent byte by
        byte, are stored as they were."""
        names = ["ñ" * 32, "€" * 21 + "a", "𝄞" * 16, 'O\'Hara, "el" ; | & : / = -', "a"]
        server = self.server(agencies=1)
        data = frame(pb.OPCODE_NEW_BETS, pb.NewBets(agency_id=1, bets=[
            bet(first=name, last=name, document="00" + str(i)) for i, name in enumerate(names)]))
        with Peer(server.port) as peer:
            peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in data:
                peer.send_bytes(bytes([byte]))
            self.assertEqual(peer.ack().received, len(names))
        rows = list(read_original(server.folder / "bets.csv"))
        self.assertEqual([row[1:4] for row in rows],
                         [(name, name, "00" + str(i)) for i, name in enumerate(names)])


if __name__ == "__main__":
    unittest.main()
