"""The lottery end to end: agencies at once, batches of every size, one raffle."""
import csv
import datetime
import pathlib
import socket
import subprocess
import sys
import threading
import unittest

from programs import ROOT, Case, Line, wait_until
from wire import FRAME_MAX, HEADER, Peer, bet, pb

REAL_DATA = ROOT.parent / "shared" / "data"
REAL_WINNERS = [2, 3, 3, 2, 0]
REAL_BETS = 78697


def read_original(path):
    """As the reader of the original exercise does: every row must load."""
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            yield (int(row[0]), row[1], row[2], row[3], datetime.date.fromisoformat(row[4]),
                   int(row[5]))


class FrameProxy(threading.Thread):
    """Between one agency and the server: checks the size of every frame in both directions."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.frames = 0
        self.largest = 0

    def run(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            other = socket.create_connection(("127.0.0.1", self.target))
            for pair in ((one, other), (other, one)):
                threading.Thread(target=self.copy, args=pair, daemon=True).start()

    def copy(self, source, target):
        buffer = b""
        while data := source.recv(65536):
            target.sendall(data)
            buffer += data
            while len(buffer) >= HEADER.size:
                size = HEADER.size + HEADER.unpack_from(buffer)[1]
                self.largest = max(self.largest, size)
                if len(buffer) < size:
                    break
                self.frames += 1
                buffer = buffer[size:]
        target.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


class RealData(Case):
    """Five agencies with the real bets."""

    def setUp(self):
        if not REAL_DATA.exists():
            self.skipTest("skipped: the real data set is not here")
        super().setUp()

    def run_agencies(self, amount):
        server = self.server()
        proxies = [FrameProxy(server.port) for _ in range(5)]
        for proxy in proxies:
            proxy.start()
        agencies = [self.agency(i, proxies[i - 1].port, REAL_DATA / f"agency-{i}.csv",
                                CLI_BATCH_MAXAMOUNT=str(amount)) for i in range(1, 6)]
        self.assertEqual([agency.wait() for agency in agencies], [0] * 5)
        winners = [int(agency.lines("consulta_ganadores", "success")[0].details["cant_ganadores"])
                   for agency in agencies]
        self.assertEqual(winners, REAL_WINNERS)
        self.assertEqual(len(server.bets()), REAL_BETS)
        self.assertLessEqual(max(proxy.largest for proxy in proxies), FRAME_MAX)
        self.assertGreaterEqual(sum(proxy.frames for proxy in proxies), REAL_BETS * 46 // FRAME_MAX)
        self.assertEqual(server.stop(), 0)
        amounts = [int(line.details["cantidad"])
                   for line in server.lines("apuesta_recibida", "success")]
        self.assertEqual(sum(amounts), REAL_BETS)
        self.assertLessEqual(max(amounts), amount)
        self.assertEqual(server.lines(result="fail", action=None) and
                         [line.text for line in server.lines() if line.result == "fail"], [])
        self.assertEqual(len(server.lines("sorteo", "success")), 1)
        for proxy in proxies:
            proxy.close()
        return server

    def test_small_batches(self):
        """Ten bets a batch."""
        self.run_agencies(10)

    def test_usual_batches_and_the_original_reader(self):
        """150 a batch; every agency's bets are stored in their order, and the original reader loads
        each row."""
        server = self.run_agencies(150)
        stored = {}
        for row in read_original(server.folder / "bets.csv"):
            stored.setdefault(row[0], []).append(row[1:])
        for agency in range(1, 6):
            with open(REAL_DATA / f"agency-{agency}.csv", newline="", encoding="utf-8") as file:
                sent = [(first, last, document, datetime.date.fromisoformat(date), int(number))
                        for first, last, document, date, number in csv.reader(file)]
            self.assertEqual(stored[agency], sent)

    def test_batches_as_large_as_a_frame(self):
        """100,000 a batch: the frame is the limit."""
        self.run_agencies(100000)


class Crowd(Case):
    def test_a_thousand_agencies_at_once(self):
        """1,000 agencies of 100 bets, all connected before the first bet: one raffle, every count
        right."""
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
        self.assertEqual(len(server.lines("sorteo", "success")), 1)


class Rules(Case):
    """What is answered to whom."""

    def test_finished_twice_and_from_two_connections_counts_once(self):
        """Three agencies; two say Finished, one of them thrice: no raffle before the third."""
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

    def test_agency_ids_that_are_none(self):
        """0, N+1 and 4294967295 are unknown, for bets and for Finished; nothing is stored."""
        server = self.server(agencies=2)
        for agency in (0, 3, 4294967295):
            with Peer(server.port, agency) as peer:
                self.assertEqual(peer.bets([bet()]).code, pb.ACK_CODE_UNKNOWN_AGENCY)
                peer.send_finished(0)
                self.assertEqual(peer.ack().code, pb.ACK_CODE_UNKNOWN_AGENCY)
        self.assertEqual(server.bets(), [])

    def test_bad_bets_store_nothing_of_their_batch(self):
        """One bad bet among good ones: INVALID_BET, and nothing of the batch is there."""
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

    def test_offsets(self):
        """Known, partly known, new, and beyond."""
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
        """After the raffle, and after a restart with another winning number, the winners are the
        same; the raffle is not held again, and bets are refused."""
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
        """N = 0 only waits: everybody is unknown, no raffle is held, and it stops."""
        server = self.server(agencies=0)
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([]).code, pb.ACK_CODE_UNKNOWN_AGENCY)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.lines("sorteo"), [])


if __name__ == "__main__":
    unittest.main()
