"""Draws with ids, as agencies see them: the one in force, one that is over, and one that an operator
closes early, seals and draws.
"""
import pathlib

from control_wire import DONE, Operator
from control_wire import pb as control
from programs import Case, main
from wire import Peer, bet, checksum, pb

ROWS = [b"1,Santiago Lionel,Lorca,%d,1999-03-17,%d\r\n" % (i, 7574 if i % 2 == 0 else 1)
        for i in range(4)]


def bets(first, count):
    return [bet(str(i), number=7574 if i % 2 == 0 else 1) for i in range(first, first + count)]


class DrawPeer(Peer):
    """An agency's connection for one draw."""

    def __init__(self, port, agency, draw, **settings):
        super().__init__(port, agency, **settings)
        self.draw = draw

    def place(self, items, offset=0, content=b""):
        self.send(pb.OPCODE_NEW_BETS, pb.NewBets(agency_id=self.agency, offset=offset, bets=items,
                                                 draw=self.draw, checksum=content))
        return self.ack()

    def finish(self, total, want_seal=False):
        self.send(pb.OPCODE_FINISHED, pb.Finished(agency_id=self.agency, total=total, draw=self.draw,
                                                  want_seal=want_seal))


class Draws(Case):
    def check_ack(self, ack, code, received, draw, detail=""):
        self.assertEqual((ack.code, ack.received, ack.draw), (code, received, draw), ack.detail)
        self.assertIn(detail, ack.detail)

    def hold(self, draw, **settings):
        """Holds an automatic draw with four bets of agency 1, two of which win, and none of agency 2."""
        lottery = self.server(agencies=2, **settings)
        with DrawPeer(lottery.port, 1, draw) as peer, DrawPeer(lottery.port, 2, draw) as other:
            self.check_ack(peer.place(bets(0, 4)), pb.ACK_CODE_OK, 4, draw)
            peer.finish(4)
            other.finish(0)
            self.assertEqual(peer.winners(), ["0", "2"])
            self.assertEqual(other.winners(), [])
        self.assertEqual(lottery.stop(), 0)
        return lottery.folder

    def check_past(self, port, draw):
        """The draw answers as one that is over."""
        with DrawPeer(port, 1, draw) as peer:
            self.check_ack(peer.place([]), pb.ACK_CODE_OK, 4, draw)
            self.check_ack(peer.place(bets(1, 3), 1, checksum(ROWS[:1])), pb.ACK_CODE_OK, 4, draw)
            self.check_ack(peer.place(bets(1, 3), 1, checksum(ROWS[:2])),
                           pb.ACK_CODE_CONTENT_MISMATCH, 4, draw)
            self.check_ack(peer.place(bets(3, 2), 3), pb.ACK_CODE_DRAW_CLOSED, 4, draw, "Finished")
            peer.finish(3)
            self.check_ack(peer.ack(), pb.ACK_CODE_INCOMPLETE, 4, draw)
            peer.finish(4)
            self.assertEqual(peer.winners(), ["0", "2"])
        with DrawPeer(port, 2, draw) as peer:
            peer.finish(0)
            self.assertEqual(peer.winners(), [])

    def test_past_draws(self):
        """A draw with an id names it everywhere; when it is over it goes on answering beside the next
        one, and so does the one without id, also after a restart."""
        folder = self.hold("")
        for name in ("a", "b"):
            (folder / "current").unlink(missing_ok=True)
            self.hold(name, LOTTERY_DRAW_ID=name)
        (folder / "current").unlink()
        for _ in range(2):
            lottery = self.server(agencies=2, LOTTERY_DRAW_ID="c")
            for name in ("", "a", "b"):
                self.check_past(lottery.port, name)
            with DrawPeer(lottery.port, 1, "d") as peer:
                self.check_ack(peer.place(bets(0, 1)), pb.ACK_CODE_DRAW_CLOSED, 0, "",
                               'bets are taken for draw c: set "draw" to it')
            with DrawPeer(lottery.port, 1, "c") as peer:
                self.check_ack(peer.place(bets(0, 1)), pb.ACK_CODE_OK, 1, "c")
                self.check_ack(self.other_draw(peer, "a"), pb.ACK_CODE_DRAW_CLOSED, 0, "c",
                               "this connection is for draw c")
            self.assertEqual(lottery.stop(), 0)
        (folder / "a" / "winners.index").unlink()
        lottery = self.server(agencies=2, LOTTERY_DRAW_ID="c")
        with DrawPeer(lottery.port, 1, "a") as peer:
            self.check_ack(peer.place([]), pb.ACK_CODE_DRAW_CLOSED, 0, "", "draw c")
        lottery.wait_line("past_draw", "fail", draw="a")
        self.check_past(lottery.port, "b")
        self.assertEqual(lottery.stop(), 0)

    def other_draw(self, peer, draw):
        peer.send(pb.OPCODE_NEW_BETS, pb.NewBets(agency_id=peer.agency, draw=draw))
        return peer.ack()

    def command(self, path, message):
        with Operator(path) as operator:
            result, _ = operator.ask(message)
        self.assertEqual(result.code, DONE, result)

    def take_seal(self, peer):
        opcode, body = peer.read_frame()
        self.assertEqual(opcode, pb.OPCODE_SEAL)
        return pb.Seal.FromString(body)

    def take_winners(self, peer):
        opcode, body = peer.read_frame()
        self.assertEqual(opcode, pb.OPCODE_WINNERS)
        return pb.Winners.FromString(body)

    def check_told(self, winners, documents, folder):
        self.assertEqual((list(winners.documents), winners.more), (documents, False))
        self.assertEqual((winners.drawn.number, winners.drawn.source), (7574, "the drum"))
        self.assertEqual(winners.drawn.note, (folder / "result.txt").read_text())

    def test_a_key_that_cannot_be_made_at_first(self):
        """The key's place is taken when the draw is opened and when it is sealed. Once it is free,
        the next attempt makes the key, without a start or any news."""
        place = self.folder / "data" / "seal-key.pem"
        place.mkdir(parents=True)
        lottery = self.server(agencies=1, LOTTERY_SEAL="yes")
        lottery.wait_line("seal_key", "fail")
        with DrawPeer(lottery.port, 1, "") as peer:
            self.check_ack(peer.place(bets(0, 4)), pb.ACK_CODE_OK, 4, "")
            peer.finish(4)
            lottery.wait_line("sello", "fail")
            place.rmdir()
            self.assertEqual(peer.winners(), ["0", "2"])
        lottery.wait_line("seal_key", "success")
        self.assertEqual(len(lottery.lines("seal_key", "fail")), 1)
        self.assertEqual(lottery.stop(), 0)

    def test_closed_early_and_sealed(self):
        """What was acknowledged before the closing is in the draw. Who wants it gets the seal before
        there is a number, and the number with the winners; so does who asks later."""
        lottery = self.server(agencies=2, LOTTERY_DRAW="manual", LOTTERY_DRAW_ID="a")
        folder = pathlib.Path(lottery.folder) / "a"
        path = str(lottery.folder / "control.sock")
        with DrawPeer(lottery.port, 1, "a") as peer, DrawPeer(lottery.port, 2, "a") as other:
            self.check_ack(peer.place(bets(0, 4)), pb.ACK_CODE_OK, 4, "a")
            other.finish(0)
            self.command(path, control.Close())
            self.check_ack(peer.place(bets(4, 2), 4), pb.ACK_CODE_DRAW_CLOSED, 4, "a",
                           "the draw is closed: ask for the winners with Finished")
            peer.finish(6)
            self.check_ack(peer.ack(), pb.ACK_CODE_INCOMPLETE, 4, "a")
            peer.finish(4, want_seal=True)
            seal = self.take_seal(peer)
            self.assertEqual((seal.agency_id, seal.draw, seal.total, seal.index), (1, "a", 4, 1))
            self.assertEqual(seal.note, (folder / "seal.txt").read_text())
            self.command(path, control.Draw(number=7574, source="the drum"))
            self.check_told(self.take_winners(peer), ["0", "2"], folder)
            self.check_told(self.take_winners(other), [], folder)
            peer.finish(4, want_seal=True)
            self.assertEqual(self.take_seal(peer), seal)
            self.check_told(self.take_winners(peer), ["0", "2"], folder)
        self.assertEqual(lottery.stop(), 0)
        (lottery.folder / "current").unlink()
        lottery = self.server(agencies=2, LOTTERY_DRAW_ID="b")
        with DrawPeer(lottery.port, 1, "a") as peer:
            peer.finish(4, want_seal=True)
            self.assertEqual(self.take_seal(peer), seal)
            self.check_told(self.take_winners(peer), ["0", "2"], folder)
        self.assertEqual(lottery.stop(), 0)


if __name__ == "__main__":
    main()
