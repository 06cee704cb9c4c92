"""The real bets of five agencies, on machines that have them."""
import csv
import datetime

from frame_proxy import FrameProxy
from programs import ROOT, Case, main, read_original
from tls_case import TlsCase
from wire import FRAME_MAX

REAL_DATA = ROOT.parent / "shared" / "data"
REAL_WINNERS = [2, 3, 3, 2, 0]
REAL_BETS = 78697


class RealData(Case):
    """Five agencies send the real bets."""

    def setUp(self):
        if not REAL_DATA.exists():
            self.skipTest("the real data set is not here")
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
        self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])
        self.assertEqual(len(server.lines("sorteo", "success")), 1)
        for proxy in proxies:
            proxy.close()
        return server

    def test_small_batches(self):
        """Ten bets in a batch."""
        self.run_agencies(10)

    def test_usual_batches_and_the_original_reader(self):
        """150 in a batch; every agency's bets are stored in their order, and the original reader loads
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
        """100,000 in a batch: the frame is the limit."""
        self.run_agencies(100000)


class RealDataOverTls(TlsCase):
    def setUp(self):
        if not REAL_DATA.exists():
            self.skipTest("the real data set is not here")
        super().setUp()

    def test_five_agencies(self):
        """The same bets are stored and the same winners found, each agency's by its own certificate."""
        server = self.secure_server()
        agencies = [self.secure_agency(i, server.port, REAL_DATA / f"agency-{i}.csv")
                    for i in range(1, 6)]
        for agency, winners in zip(agencies, REAL_WINNERS):
            self.check_winners(agency, winners)
        self.assertEqual(len(server.bets()), REAL_BETS)
        self.assertEqual(server.stop(), 0)
        self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])
        self.assertEqual(len(server.lines("sorteo", "success")), 1)


if __name__ == "__main__":
    main()
