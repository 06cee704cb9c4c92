"""An agency that knows exactly what was acknowledged to it, and when."""
import random
import threading
import time

from wire import Closed, bet, pb

BATCHES = 6  # that it has under way at most


class Witness(threading.Thread):
    """Sends bets without an end until the draw is closed, or all of its bets and Finished if it is to
    finish. Notes what it is told; what cannot be is a fault. It ends when it has its winners."""

    def __init__(self, day, draw, agency, finishes, seed):
        super().__init__()
        self.day = day
        self.draw = draw
        self.agency = agency
        self.generator = random.Random(seed)
        self.limit = self.generator.randrange(1, 200) if finishes else 1 << 40
        self.finishes = finishes
        self.acked = 0
        self.taken = None  # bets that are in the draw, once it is told
        self.winners = None  # their documents, once it is told

    def row(self, i):
        """Bet i: any of them can be made again."""
        number = (self.agency * 7919 + i * 37) % 97
        return ("Ana María", f"d'Olivo, {self.agency}", f"{self.agency:02}{i:06}", "1984-02-29", number)

    def bets(self, first, count):
        return [bet(document, name, last, date, number)
                for name, last, document, date, number in map(self.row, range(first, first + count))]

    def run(self):
        while self.winners is None and not self.day.is_over.is_set():
            try:
                with self.day.connect(self.agency, timeout=5, draw=self.draw.id) as peer:
                    self.talk(peer)
            except (OSError, Closed):
                self.day.is_over.wait(self.generator.uniform(0, 0.1))  # the server is gone, or stopped
            except Exception as error:  # noqa: BLE001 - a thread must not end without a word
                self.fault(repr(error))
                return

    def fault(self, text):
        self.day.fault(f"draw {self.draw.id}, witness {self.agency}, {self.acked} acked: {text}")

    def note_received(self, ack):
        if ack.received < self.acked:
            self.fault(f"fewer than were acknowledged: {ack}")
        if ack.draw != self.draw.id:
            self.fault(f"an answer for another draw: {ack}")
        self.acked = max(self.acked, ack.received)

    def talk(self, peer):
        ack = peer.bets([])
        if ack.code not in (pb.ACK_CODE_OK, pb.ACK_CODE_DRAW_CLOSED):
            self.fault(f"a question was answered with {ack}")
        self.note_received(ack)
        while self.taken is None and self.acked < self.limit:
            if self.day.is_over.is_set():
                return
            self.send_some(peer)
        self.finish(peer)

    def send_some(self, peer):
        """A few batches at once, the first of them sometimes with bets that were sent before."""
        at = max(0, self.acked - self.generator.choice((0, 0, 0, 5)))
        sent = []
        for _ in range(self.generator.randrange(1, BATCHES + 1)):
            count = min(self.generator.choice((1, 3, 20)), self.limit - at)
            if count > 0:
                sent.append((time.monotonic(), at, count))
                peer.send_bets(self.bets(at, count), at)
                at += count
        for begin, first, count in sent:
            self.take_ack(peer.ack(), begin, first + count)

    def take_ack(self, ack, begin, end):
        """The answer to a batch that was sent at this time, and that ends there."""
        if ack.code == pb.ACK_CODE_OK:
            if ack.received < end:
                self.fault(f"bets up to {end} were sent: {ack}")
            if ack.stored > 0 and (self.taken is not None or self.draw.was_closed_at(begin)):
                self.day.tally.late += 1
                self.fault(f"bets after the closing, sent at {begin}, closed at "
                           f"{self.draw.closed_at}: {ack}")
        elif ack.code == pb.ACK_CODE_DRAW_CLOSED:
            if self.taken not in (None, ack.received):
                self.fault(f"{self.taken} were taken: {ack}")
            self.taken = ack.received
            self.draw.note_closed()
        elif ack.code != pb.ACK_CODE_OFFSET_GAP:
            self.fault(f"bets were answered with {ack}")
        self.note_received(ack)

    def finish(self, peer):
        """Asks for seal and winners, and waits for them."""
        if self.taken is not None:
            self.send_some(peer)  # too late
        total = self.limit if self.taken is None else self.taken
        peer.send(pb.OPCODE_FINISHED, pb.Finished(agency_id=self.agency, total=total,
                                                  draw=self.draw.id, want_seal=True))
        has_seal = False
        documents = []
        while True:
            peer.socket.settimeout(30 if self.day.is_calm else 3)
            message = peer.read()
            if isinstance(message, pb.Seal):
                has_seal = True
                self.draw.note_root(message.note.split("\n")[2], "a witness's seal")
                self.check_total(message.total, total)
            elif isinstance(message, pb.Winners):
                if not documents and message.HasField("drawn"):
                    self.take_drawn(message.drawn, has_seal)
                documents += message.documents
                if not message.more:
                    break
            else:
                self.fault(f"an unexpected {message}")
                return
        self.check_total(self.acked, total)
        self.taken = total
        self.winners = documents

    def check_total(self, is_there, total):
        if is_there != total:
            self.fault(f"{is_there} bets, and not {total}")

    def take_drawn(self, drawn, has_seal):
        self.draw.note_number(drawn.number, "a witness's winners")
        lines = drawn.note.split("\n")
        if not has_seal or len(lines) < 3:
            self.day.tally.unsealed += 1
            self.fault(f"a number without a seal: {drawn}")
            return
        self.draw.note_root(lines[1].removeprefix("root "), "a witness's result")
        self.draw.note_number(int(lines[2].removeprefix("number ")), "a witness's result")

    def check(self, stored, number):
        """Compares with its rows in bets.csv, as documents."""
        rows = [self.row(i) for i in range(self.taken)]
        won = [row[2] for row in rows if row[4] == number]
        if self.winners != won:
            self.fault(f"told the winners {self.winners}, and they are {won}")
        return [row[2] for row in rows] == stored
