"""The live page in a real browser, with a real lottery."""
import csv
import json
import subprocess
import sys

from browser_case import BrowserCase, stop_browsers
from programs import BIN, ROOT, environment_with, main, wait_until

REAL_DATA = ROOT.parent / "shared" / "data"
AGENCIES = range(1, 6)
NUMBER = 7574  # of a draw that the server holds by itself


def tearDownModule():
    stop_browsers()


class Bets:
    """The files of five agencies' bets, and what is in them."""

    def __init__(self, files):
        self.files = files
        self.rows = {}
        for agency, file in files.items():
            with open(file, newline="", encoding="utf-8") as lines:
                self.rows[agency] = list(csv.reader(lines))
        self.counts = {agency: len(rows) for agency, rows in self.rows.items()}
        self.total = sum(self.counts.values())

    def winners(self, number):
        return [row for rows in self.rows.values() for row in rows if int(row[4]) == number]


def made_bets(folder, bets):
    subprocess.run([sys.executable, ROOT / "tools" / "gen-dataset.py", "--agencies", "5", "--bets",
                    str(bets), "--winners", "13", "--seed", "14", "--out", folder], check=True,
                   stdout=subprocess.DEVNULL)
    return Bets({agency: folder / f"agency-{agency}.csv" for agency in AGENCIES})


class LotteryCase(BrowserCase):
    def page_server(self, http="0", **settings):
        """A server with the page; `http` is where."""
        server = self.server(SERVER_HTTP_ADDRESS=http, **settings)
        return server, server.wait_line("http_listen", "success").details["port"]

    def show_page_of(self, port):
        self.show(f"http://127.0.0.1:{port}/")

    def ctl(self, *arguments):
        done = subprocess.run([BIN / "lottery-ctl", "--data-dir", self.folder / "data", *arguments],
                              env=environment_with({}), encoding="utf-8", timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def status(self):
        return json.loads(self.ctl("status", "--json"))

    def shown_bets(self):
        """What the table says of each agency."""
        return {int(agency): int(bets) for agency, bets in self.value(
            "[...document.querySelectorAll('#rows tr')].map((row) => [row.dataset.agency, "
            "row.dataset.bets])")}

    def wait_total(self, total):
        wait_until(lambda: self.data("total") == str(total), f"{total} bets on the page", pause=0.05)


class ALottery(LotteryCase):
    def check_automatic(self, bets):
        """Five agencies bet, and the server draws by itself. The figures move with them, and end at the
        right ones."""
        server, port = self.page_server()
        self.show_page_of(port)
        self.wait_total(0)
        self.assertEqual(self.shown_bets(), dict.fromkeys(AGENCIES, 0))
        shown = [0]
        programs = {}
        # The last agency begins when the others' bets are on the page: so there is a moment between.
        for agency in AGENCIES:
            if agency == AGENCIES[-1]:
                self.wait_total(bets.total - bets.counts[agency])
                self.wait("document.body.dataset.phase === 'open'")
                self.wait_text("finished-count", "4 of 5 agencies finished")
                self.wait_text("connected-count", "4 connected")
            programs[agency] = self.agency(agency, server.port, bets.files[agency])
            shown.append(int(self.data("total")))
        self.wait_data("phase", "drawn")
        self.wait_total(bets.total)
        self.assertEqual([program.wait() for program in programs.values()], [0] * 5)
        self.wait_text("finished-count", "5 of 5 agencies finished")
        self.wait_text("connected-count", "0 connected")
        self.assertEqual(self.shown_bets(), bets.counts)
        self.assertEqual(shown, sorted(shown))
        self.assertEqual((self.data("number", "number"), self.data("winners")),
                         (str(NUMBER), str(len(bets.winners(NUMBER)))))
        self.assertEqual(self.steps(), [("open", "done"), ("closed", "done"), ("drawn", "now")])
        self.assertGreater(self.data("sync-time"), "0")
        self.wait("document.getElementById('rate').dataset.value === '0'")
        heights = self.value("document.getElementById('curve').getAttribute('d').match(/ [\\d.]+/g)"
                             ".map(Number)")
        self.assertLess(min(heights), 100)  # it went up, and down again
        self.assertEqual(heights[-1], 100)
        self.check_page()
        self.check_nobody(bets)

    def check_nobody(self, bets):
        """Nothing of a person is on the page, and nothing that the page asks for has it."""
        html = self.value("document.documentElement.outerHTML") + self.browser.run("""
            return Promise.all(["api/status", "api/agencies"].map((path) => fetch(path)
              .then((answer) => answer.text()))).then((texts) => texts.join(""));""")
        self.assertIn('"agencies"', html)
        for first, last, document, birthdate, _ in bets.winners(NUMBER):
            for text in (f"{first} {last}", document, birthdate):
                self.assertNotIn(text, html)

    def test_made_bets(self):
        self.check_automatic(made_bets(self.folder, 5000))

    def test_real_bets(self):
        if not REAL_DATA.exists():
            self.skipTest("the real data set is not here")
        self.check_automatic(Bets({agency: REAL_DATA / f"agency-{agency}.csv"
                                   for agency in AGENCIES}))

    def test_manual_draws(self):
        """What the operator does with a draw is on the page, and then the next draw is."""
        bets = made_bets(self.folder, 1000)
        server, port = self.page_server(LOTTERY_DRAW="manual", LOTTERY_DRAW_ID="2026-11-25-matutina")
        self.show_page_of(port)
        self.assertEqual(self.text("draw-title"), "Draw 2026-11-25-matutina")
        for agency in (1, 2):
            self.agency(agency, server.port, bets.files[agency], CLI_DRAW="2026-11-25-matutina")
        self.wait_total(bets.counts[1] + bets.counts[2])
        self.wait_text("connected-count", "2 connected")  # they wait for the draw
        self.assertEqual([row[3:] for row in self.rows()], [["yes", "yes"]] * 2 + [["no", "no"]] * 3)
        self.ctl("close")
        self.wait_data("phase", "sealed")
        self.assertEqual(self.text("draw-about"),
                         "Closed by the operator. The number has not been drawn yet.")
        self.assertEqual(self.text("seal-root"), self.status()["sealed"]["root"])
        self.ctl("draw", "123", "--source", "bolillero 3, escribana Gómez <b>")
        self.wait_data("phase", "drawn")
        self.assertEqual(self.text("balls"), "0123")
        self.assertEqual(self.data("winners"), str(self.status()["drawn"]["winners"]))
        self.assertIn("Source: bolillero 3, escribana Gómez <b>.", self.text("result-more"))
        self.check_page()
        self.ctl("next", "2026-11-25-nocturna")
        self.wait_data("draw", "2026-11-25-nocturna")
        self.wait_data("phase", "open")
        self.wait_total(0)
        self.assertFalse(self.is_shown("result"))


class AServer(LotteryCase):
    def test_killed_and_back(self):
        """A server that is killed is missed, and found again when it is back, with all its bets."""
        self.expected_console = "net::ERR_"
        server, port = self.page_server()
        self.show_page_of(port)
        self.assertEqual(self.agency(1, server.port, mode="bet", NOMBRE="Luz", APELLIDO="Paz",
                                     DOCUMENTO="28123456", NACIMIENTO="1980-02-29",
                                     NUMERO="1").wait(), 0)
        self.wait_total(1)
        server.kill()
        self.wait_data("link", "lost")
        self.assertTrue(self.is_shown("lost"))
        self.assertEqual(self.data("total"), "1")
        self.page_server(http=port)
        self.wait_data("link", "live")
        self.assertFalse(self.is_shown("lost"))
        self.wait_total(1)

    def test_echo(self):
        """In mode echo the page has no draw."""
        _, port = self.page_server(mode="echo")
        self.show_page_of(port)
        self.assertEqual((self.text("draw-title"), self.text("workers-alive")),
                         ("Echo", "2 of 2 running"))
        self.assertFalse(self.is_shown("agencies"))


if __name__ == "__main__":
    main()
