"""The live page in a real browser, with an observer that the test plays: so anything can happen."""
import re
import time
import unittest

from browser_case import BrowserCase, stop_browsers
from fake_observer import PAGE, FakeObserver
from programs import main, wait_until
from webdriver import ENTER, SHIFT, SPACE, TAB

ROOT_TEXT = "+RCXlo/KuHb5zOgbaUqMQcETt5yyraeXFYqtEQTQZKY="
KEY_TEXT = "lottery+42451e39+AaAZH1k46mc4sBwwL2IETNqpVpO252LZPwaPClpjrVAT"


def agency(number, bets=0, finished=False, connected=True):
    return {"agency": number, "bets": bets, "finished": finished, "connected": connected}


def server_part(**values):
    return {"version": "1.2.0", "mode": "lottery", "started": "2026-11-26T10:00:00Z", "ready": True,
            "reasons": [], "connections": 4, "bets_stored": 0,
            "workers": [{"worker": 0, "alive": True, "connections": 1},
                        {"worker": 1, "alive": True, "connections": 3}],
            "sync": {"count": 100, "seconds": 0.05}, **values}


def draw_status(phase="open", server=None, **values):
    """What /api/status says in this phase of a manual draw with a seal."""
    order = ("open", "closed", "sealed", "drawn")
    has = order.index(phase) if phase in order else 0
    return {
        "phase": phase, "draw": "2026-11-25-nocturna", "mode": "manual", "seal": True, "agencies": 5,
        "finished": 2, "bets": 78697, "close_at": None,
        "closed": {"time": "2026-11-26T10:31:02Z", "by": "operator", "uid": 1000} if has else None,
        "sealed": ({"time": "2026-11-26T10:31:03Z", "root": ROOT_TEXT, "key": KEY_TEXT}
                   if has > 1 else None),
        "drawn": {"time": "2026-11-26T10:45:10Z", "number": 74, "source": "bolillero 3",
                  "uid": 0, "winners": 1234, "winners_readable": True} if has > 2 else None,
        "server": server or server_part(), **values}


FIVE = [agency(1, 26000, True), agency(2, 20000, True, False), agency(3, 16000), agency(4, 8000),
        agency(5, 0, False, False)]


def tearDownModule():
    stop_browsers()


class Played(BrowserCase):
    """The test plays the observer."""

    def observer(self, status, agencies=FIVE):
        observer = FakeObserver(status, agencies)
        self.addCleanup(observer.stop)
        return observer


class States(Played):
    def test_open(self):
        """The figures are those of the server."""
        observer = self.observer(draw_status())
        self.show(observer.address)
        self.assertEqual(self.steps(), [("open", "now"), ("closed", "later"), ("sealed", "later"),
                                        ("drawn", "later")])
        self.assertEqual(self.value("document.querySelector('[aria-current=step]').dataset.phase"),
                         "open")
        self.assertEqual((self.text("draw-title"), self.text("total"), self.text("finished-count"),
                          self.text("connected-count")),
                         ("Draw 2026-11-25-nocturna", "78,697", "2 of 5 agencies finished",
                          "3 connected"))
        self.assertEqual(self.rows(), [["1", "26,000", "37.1%", "yes", "yes"],
                                       ["2", "20,000", "28.6%", "yes", "no"],
                                       ["3", "16,000", "22.9%", "no", "yes"],
                                       ["4", "8,000", "11.4%", "no", "yes"],
                                       ["5", "0", "0.0%", "no", "no"]])
        self.assertEqual((self.text("workers-alive"), self.text("connections"),
                          self.text("sync-time")), ("2 of 2 running", "4", "0.5 ms"))
        self.assertEqual(self.value("[...document.querySelectorAll('#workers li')].map((li) => "
                                    "li.textContent)"),
                         ["Worker 0: 1 connection", "Worker 1: 3 connections"])
        self.assertEqual([self.is_shown(name) for name in ("result", "seal", "lost", "not-ready",
                                                           "tools", "pager")], [False] * 6)
        self.assertEqual(self.text("announcer"), "")
        self.check_page()

    def test_from_open_to_the_next_draw(self):
        """Each state is shown and said once; what belongs to a draw ends with it."""
        observer = self.observer(draw_status())
        self.show(observer.address)
        observer.status = draw_status("closed")
        self.wait_data("phase", "closed")
        self.assertEqual(self.text("announcer"), "The draw is now: Closed.")
        self.assertEqual(self.text("draw-about"), "Closed by the operator. The seal is being made.")
        self.assertFalse(self.is_shown("seal"))
        observer.status = draw_status("sealed")
        self.wait_data("phase", "sealed")
        self.assertEqual(self.text("announcer"), "The draw is now: Sealed.")
        self.assertEqual((self.text("seal-root"), self.text("seal-key")), (ROOT_TEXT, KEY_TEXT))
        self.assertEqual(self.steps(), [("open", "done"), ("closed", "done"), ("sealed", "now"),
                                        ("drawn", "later")])
        self.check_page()
        observer.status = draw_status("drawn")
        self.wait_data("phase", "drawn")
        self.assertEqual(self.text("announcer"), "The number is 74. 1,234 winning bets.")
        self.assertEqual((self.data("number", "number"), self.text("number-plain"), self.text("balls"),
                          self.text("winners"), self.text("winners-title")),
                         ("74", "74", "0074", "1,234", "Winning bets"))
        self.assertIn("Source: bolillero 3.", self.text("result-more"))
        self.assertIn("Drawn", self.value("document.title"))
        self.check_page()
        observer.agencies = [agency(1), agency(2)]
        observer.status = draw_status(draw="2026-11-26-matutina", agencies=2, finished=0, bets=0)
        self.wait_data("draw", "2026-11-26-matutina")
        self.assertEqual(self.text("announcer"), "A new draw has begun: 2026-11-26-matutina.")
        self.assertEqual([self.is_shown(name) for name in ("result", "seal")], [False, False])
        self.assertEqual((self.numbers(), self.text("total")), ([1, 2], "0"))

    def test_other_draws(self):
        """No seal, no id; a closing time; one winner, whose list cannot be read; nothing known."""
        close_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3700))
        observer = self.observer(draw_status(seal=False, draw="", close_at=close_at))
        self.show(observer.address)
        self.assertEqual([phase for phase, _ in self.steps()], ["open", "closed", "drawn"])
        self.assertEqual(self.text("draw-title"), "The draw")
        self.assertRegex(self.text("draw-about"), r"^Closes at \S+.*, in 1:01:\d\d\. The number is")
        status = draw_status("drawn", mode="auto", seal=False, sealed=None)
        status["closed"] = {"time": "2026-11-26T10:31:02Z", "by": "all finished", "uid": None}
        status["drawn"] |= {"winners": 1, "winners_readable": False, "source": ""}
        observer.status = status
        self.wait_data("phase", "drawn")
        self.assertEqual(self.text("winners-title"), "Winning bet")
        self.assertIn("cannot be read", self.text("result-more"))
        self.assertFalse(self.is_shown("seal"))
        observer.agencies = []
        observer.status = {"phase": "unknown", "server": server_part(
            ready=False, reasons=["the ledger is recovering", "<img src=x onerror=alert(1)>"])}
        self.wait_data("phase", "unknown")
        self.assertEqual([self.is_shown(name) for name in ("steps", "result", "not-ready", "no-rows")],
                         [False, False, True, True])
        self.assertEqual(self.value("[...document.querySelectorAll('#reasons li')].map((li) => "
                                    "li.textContent)"),
                         ["the ledger is recovering", "<img src=x onerror=alert(1)>"])
        self.assertEqual((self.text("total"), self.value("document.images.length")), ("–", 0))
        self.check_page()

    def test_echo(self):
        """A server in mode echo has no draw, and nobody asks it for agencies."""
        observer = self.observer({"phase": "unknown", "server": server_part(mode="echo", sync=None)}, ())
        self.show(observer.address)
        self.assertEqual(self.text("draw-title"), "Echo")
        self.assertEqual([self.is_shown(name) for name in ("steps", "figures", "agencies", "sync-row",
                                                           "server")], [False] * 4 + [True])
        self.check_page()
        self.assertNotIn("/api/agencies", observer.paths)


class Movement(Played):
    def wait_rate(self, low, high):
        """Waits for a rate between these: of a second in which the machine was not too busy."""
        wait_until(lambda: low < float(self.data("rate") or -1) < high, "a likely rate", pause=0.05)

    def test_rate(self):
        """The chart is the difference between two answers; after a restart, with smaller counters, it
        begins again, with a gap and never below zero."""
        begin = time.monotonic()
        answers = []

        def counting(started, first):
            def status():
                stored = first + int(1000 * (time.monotonic() - begin))
                answers.append(stored)
                return draw_status(server=server_part(bets_stored=stored, started=started, sync={
                    "count": stored, "seconds": stored * 0.002}))
            return status

        observer = self.observer(counting("2026-11-26T10:00:00Z", 50000))
        self.show(observer.address)
        self.wait("Number(document.getElementById('chart').dataset.points) >= 3")
        self.wait_rate(500, 2000)
        self.assertEqual(self.text("sync-time"), "2 ms")
        self.assertRegex(self.text("rate-about"), r"^In the last two minutes: [\d,]+ on average")
        self.assertEqual(self.value("document.getElementById('curve').getAttribute('d')")
                         .count("M"), 1)
        observer.status = counting("2026-11-26T10:05:00Z", 0)
        seen = len(answers)
        wait_until(lambda: len(answers) >= seen + 3, "answers after the restart")
        self.wait("document.getElementById('curve').getAttribute('d').split('M').length === 3")
        self.wait_rate(500, 2000)
        heights = [float(y) for y in re.findall(
            r"[ML][\d.]+ ([-\d.]+)", self.value("document.getElementById('curve').getAttribute('d')"))]
        self.assertTrue(all(0 <= height <= 100 for height in heights), heights)

    def test_motion(self):
        """The curve moves on between two answers unless the user wants little motion."""
        observer = self.observer(draw_status())
        self.show(observer.address)
        self.wait("document.getAnimations().length > 0")
        self.browser.emulate(is_dark=False, is_calm=True)
        seen = len(observer.paths)
        wait_until(lambda: len(observer.paths) > seen + 4, "more answers")
        self.assertEqual(self.value("document.getAnimations().length"), 0)

    def test_lost_and_back(self):
        """A server that does not answer, and one that answers with an error, is lost; the page says
        so, since when, keeps its figures, and goes on by itself."""
        self.expected_console = r"ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|503|ERR_CONNECTION_RESET"
        observer = self.observer(draw_status())
        self.show(observer.address)
        observer.stop()
        observer.status = 503  # for the connection that is open
        self.wait_data("link", "lost")
        self.assertTrue(self.is_shown("lost"))
        self.assertRegex(self.text("lost-since"), r"since \S+")
        self.assertEqual(self.text("announcer"), "The connection to the server is lost.")
        self.assertIn("⚠", self.value("document.title"))
        self.assertEqual((self.text("total"), self.text("rate")), ("78,697", "–"))
        self.check_page()
        self.wait("/Next attempt in \\d+ s/.test(document.getElementById('lost-next').textContent)")
        self.browser.find("#retry").click()
        observer.status = draw_status(bets=78700)
        observer.start(observer.port)
        self.wait_data("link", "live")
        self.assertEqual(self.text("announcer"), "The connection to the server is back.")
        self.assertFalse(self.is_shown("lost"))
        self.wait_text("total", "78,700")

    def test_never_reached(self):
        """The page alone, without any answer."""
        self.expected_console = "503"
        observer = self.observer(503)
        self.address = observer.address
        self.browser.open(observer.address)
        self.wait_data("link", "lost")
        self.assertEqual(self.text("lost-since"), "The server cannot be reached.")
        observer.status = draw_status()
        self.wait_data("link", "live")


class Table(Played):
    def test_ten_thousand(self):
        """Only a page of the table is in the document; sorting, filtering and paging work on all."""
        many = [agency(i, bets=1000000 * (i % 977), finished=i % 2 == 0, connected=i != 7)
                for i in range(1, 10001)]
        observer = self.observer(draw_status(agencies=10000), many)
        self.show(observer.address)
        self.wait("document.querySelectorAll('#rows tr').length === 50")
        self.assertEqual(self.numbers(), list(range(1, 51)))
        self.check_page()
        self.assertEqual(self.text("page-about"), "1–50 of 10,000")
        self.browser.find("#page-after").click()
        self.assertEqual(self.numbers(), list(range(51, 101)))
        self.browser.find("#by-bets button").click()
        self.assertEqual(self.numbers()[:11], [976 + 977 * i for i in range(10)] + [975])
        self.assertEqual(self.value("document.getElementById('by-bets').ariaSort"), "descending")
        # What takes longer than one picture of 60 a second is felt; ten of them is a bound that also
        # holds on a busy machine.
        spent = self.browser.run("""
            const begin = performance.now();
            for (let i = 0; i < 10; i++)
              document.querySelector("#by-bets button").click();
            document.body.getBoundingClientRect(); // lays the page out
            return (performance.now() - begin) / 10;""")
        self.assertLess(spent, 170)
        self.browser.run("const filter = document.getElementById('filter');"
                         "filter.value = arguments[0]; filter.dispatchEvent(new Event('change'))",
                         "disconnected")
        self.assertEqual((self.numbers(), self.is_shown("pager")), ([7], False))
        self.check_page()

    def test_rows_that_stay(self):
        """A row that is there is not made again: what somebody selected in it stays selected."""
        observer = self.observer(draw_status())
        self.show(observer.address)
        self.browser.run("window.kept = document.querySelector('#rows tr')")
        observer.agencies = [agency(1, 26150, True), *FIVE[1:]]
        self.wait("document.querySelector('#rows tr').dataset.bets === '26150'")
        self.assertTrue(self.value("window.kept === document.querySelector('#rows tr')"))


    def test_many_workers(self):
        """Of many workers only those that do not run are listed."""
        workers = [{"worker": i, "alive": i != 70, "connections": 2} for i in range(256)]
        observer = self.observer(draw_status(server=server_part(workers=workers)))
        self.show(observer.address)
        self.assertEqual((self.text("workers-alive"), self.text("workers")),
                         ("255 of 256 running", "Worker 70: not running"))


class Keyboard(Played):
    def focus(self):
        """What has the focus, and the width of its outline; None: nothing of the page."""
        return self.value(
            "document.activeElement === document.body ? null : ((element) => [element.id || "
            "(element.closest('th') || element).id || element.className, "
            "parseFloat(getComputedStyle(element).outlineWidth) * "
            "(getComputedStyle(element).outlineStyle !== 'none')])(document.activeElement)")

    def test_everything_is_reached(self):
        """Tab goes through all that can be operated, in the order of the page, visibly; Enter and space
        operate it."""
        many = [agency(i, bets=i) for i in range(1, 121)]
        observer = self.observer(draw_status(agencies=120), many)
        self.show(observer.address)
        reached = []
        for _ in range(6):
            self.browser.press(TAB)
            name, outline = self.focus()
            reached.append(name)
            self.assertGreaterEqual(outline, 2, name)
        self.assertEqual(reached, ["skip", "filter", "by-agency", "by-bets", "page-before",
                                   "page-after"])
        self.browser.press(SPACE)
        self.browser.press(ENTER)
        self.assertEqual(self.numbers(), list(range(101, 121)))
        self.assertEqual(self.focus()[0], "page-after")  # at the last page, too
        self.browser.press(ENTER)
        self.assertEqual(self.numbers(), list(range(101, 121)))
        for _ in range(3):
            self.browser.press(SHIFT, TAB)
        self.browser.press(ENTER)
        self.assertEqual(self.value("document.getElementById('by-agency').ariaSort"), "descending")
        self.assertEqual(self.numbers()[:2], [120, 119])

    def test_skip_link(self):
        """The first Tab shows a way past the head."""
        observer = self.observer(draw_status())
        self.show(observer.address)
        self.assertLess(self.value("document.querySelector('.skip').getBoundingClientRect().bottom"), 1)
        self.browser.press(TAB)
        self.wait("document.querySelector('.skip').getBoundingClientRect().top >= 0")
        self.browser.press(ENTER)
        self.assertEqual(self.value("document.activeElement.id"), "main")


class Spanish(Played):
    languages = "es-AR,es,en"

    def test_spanish(self):
        """Texts, numbers and the language of the document are the browser's first."""
        observer = self.observer(draw_status("drawn"))
        self.show(observer.address)
        self.assertEqual(self.value("document.documentElement.lang"), "es")
        self.assertEqual((self.text("draw-title"), self.text("total"), self.text("winners-title"),
                          self.text("finished-count")),
                         ("Sorteo 2026-11-25-nocturna", "78.697", "Apuestas ganadoras",
                          "2 de 5 agencias terminaron"))
        self.assertEqual(self.value("[...document.querySelectorAll('#steps b')].map((b) => "
                                    "b.textContent)"),
                         ["Abierto", "Cerrado", "Sellado", "Sorteado"])
        self.assertEqual(self.rows()[0], ["1", "26.000", "37,1%", "sí", "sí"])
        self.check_page()


class OtherLanguage(Played):
    languages = "de-DE,de,es-UY"

    def test_second_choice(self):
        """Of the browser's languages, the first that the page has."""
        observer = self.observer(draw_status())
        self.show(observer.address)
        self.assertEqual(self.value("document.documentElement.lang"), "es")


class Texts(unittest.TestCase):
    def test_same_in_both(self):
        """Both languages have the same texts with the same values in them; each is used, and none that
        is used is missing."""
        html = PAGE.read_text(encoding="utf-8")
        table = re.search(r"const TEXTS = \{(.*?)\n  \};", html, re.DOTALL)[1]
        english, spanish = (dict(re.findall(r'^      (\w+): "(.*)",$', part, re.MULTILINE))
                            for part in table.split("    es: {"))
        self.assertEqual(list(english), list(spanish))
        for name, text in english.items():
            self.assertEqual(sorted(re.findall(r"\{\w+\}", text)),
                             sorted(re.findall(r"\{\w+\}", spanish[name])), name)
        rest = html.replace(table, "")
        named = set(re.findall(r'data-(?:text|label)="(\w+)"|"(\w+)"', rest))
        used = {name for pair in named for name in pair if name}
        begins = tuple(re.findall(r"`(\w+_)\$\{", rest)) + tuple(
            f"{name}_" for name in re.findall(r'sayCount\("(\w+)"', rest))
        self.assertEqual([name for name in english if name not in used and
                          not name.startswith(begins)], [])
        for name in re.findall(r'data-(?:text|label)="(\w+)"|\bsay\("(\w+)"', rest):
            self.assertIn(name[0] or name[1], english)


if __name__ == "__main__":
    main()
