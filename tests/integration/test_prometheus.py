"""What Prometheus is told: its format is right, a real Prometheus reads it, and the counters are exact,
whoever is killed."""
import http.client
import json
import re
import shutil
import subprocess
import unittest
import urllib.parse

import yaml

from observer_case import ObserverCase
from programs import BIN, ROOT, Program, environment_with, main, wait_until
from test_movements import MovementCase
from wire import Closed, Peer, bet, pb

SETTINGS = ROOT / "compose" / "prometheus.yml"
DOCUMENT = ROOT / "docs" / "observer.md"
PAUSE = "200ms"  # between scrapes
# Where the server of Prometheus listens, which has port 0 in its command line.
LISTENS = re.compile(r'msg="Listening on" address=127\.0\.0\.1:(\d+)')
# A series that never goes backwards.
COUNTER = re.compile(r"_(total|sum|count|bucket)({|$)")


class Prometheus:
    """A server of Prometheus that reads from one target, with the project's own settings."""

    def __init__(self, folder, target):
        settings = yaml.safe_load(SETTINGS.read_text())
        settings["global"]["scrape_interval"] = PAUSE
        settings["global"]["scrape_timeout"] = PAUSE
        (config,) = settings["scrape_configs"]
        config["static_configs"] = [{"targets": [f"127.0.0.1:{target}"]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
        self.log = folder / "prometheus.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={folder}/prometheus.yml",
                 f"--storage.tsdb.path={folder}/prometheus", "--web.listen-address=127.0.0.1:0"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            found = wait_until(lambda: LISTENS.search(self.log.read_text()), "Prometheus to listen")
        except AssertionError as error:
            self.kill()
            raise AssertionError(self.log.read_text()) from error
        self.port = int(found[1])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def query(self, text):
        """The values that an instant query finds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": text}))
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status == 503:  # it is not ready yet
            return []
        answer = json.loads(body)
        if answer["status"] != "success":
            raise AssertionError(answer)
        return [float(sample["value"][1]) for sample in answer["data"]["result"]]

    def wait_value(self, text, value):
        """Waits until the query finds this one value."""
        try:
            wait_until(lambda: self.query(text) == [value], text, pause=0.1)
        except AssertionError as error:
            raise AssertionError(f"{text} is {self.query(text)}, not {value}") from error


class MetricsCase(ObserverCase, MovementCase):
    def text(self, server):
        answer = self.ask(server, "/metrics")
        self.assertEqual(answer.code, 200)
        return answer.text()

    def metrics(self, server):
        """The values, by the series as it is written."""
        lines = [line for line in self.text(server).splitlines() if not line.startswith("#")]
        values = {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}
        self.assertEqual(len(values), len(lines))
        return values

    def metric(self, server, series):
        return self.metrics(server)[series]

    def wait_metric(self, server, series, value):
        """Waits until the series has this value. It may be away while a ledger recovers."""
        def values():
            try:
                return self.metrics(server)
            except OSError:  # the observer changes over to another generation
                return {}
        try:
            wait_until(lambda: values().get(series) == value, series)
        except AssertionError as error:
            raise AssertionError(f"{series} is {values().get(series)}, not {value}") from error


def bets(count, start=0):
    return [bet(str(start + i)) for i in range(count)]


@unittest.skipUnless(shutil.which("promtool"), "there is no promtool: install the package prometheus")
class Format(MetricsCase):
    def check(self, server):
        done = subprocess.run(["promtool", "check", "metrics"], input=self.text(server), text=True,
                              capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_lottery(self):
        """Before, during and after a draw that is sealed, and with the series of each agency."""
        server = self.observed(agencies=2, LOTTERY_SEAL="yes", SERVER_METRICS_PER_AGENCY="yes")
        self.check(server)
        with Peer(server.port, 1) as one, Peer(server.port, 2) as two:
            one.bets(bets(3))
            self.check(server)
            one.send_finished(3)
            self.assertEqual(two.finish(0), [])
            self.assertEqual(len(one.winners()), 3)
            self.check(server)
            self.assertIn('lottery_agency_bets{agency="1"} 3\n', self.text(server))
        self.assertEqual(server.stop(), 0)

    def test_all_are_described(self):
        """docs/observer.md has each one, and no others."""
        server = self.observed(agencies=1, SERVER_METRICS_PER_AGENCY="yes")
        self.wait_metric(server, "lottery_draw_bets", 0)
        described = re.search(r"^## Metrics\n(.*?)^Counters", DOCUMENT.read_text(), re.M | re.S)[1]
        self.assertEqual(sorted(re.findall(r"^# TYPE (\w+)", self.text(server), re.M)),
                         sorted(re.findall(r"`(lottery_\w+)", described)))
        self.assertEqual(server.stop(), 0)

    def test_echo(self):
        server = self.observed(mode="echo")
        self.check(server)
        self.assertEqual(server.stop(), 0)


class Counts(MetricsCase):
    """What is counted, without Prometheus."""

    def test_a_day(self):
        """Messages, answers, connections and agencies, until the winners were sent."""
        server = self.observed(agencies=2, workers=1, SERVER_METRICS_PER_AGENCY="yes")
        with Peer(server.port, 1) as one, Peer(server.port, 2) as two:
            self.assertEqual(one.received(), 0)
            self.assertEqual(two.received(), 0)
            self.assertEqual(self.metric(server, "lottery_agencies_connected"), 0)  # they only ask
            one.bets(bets(5))
            self.assertEqual(one.bets(bets(5)).received, 5)  # known already
            self.assertEqual(one.bets([bet("")], 5).code, pb.ACK_CODE_INVALID_BET)
            values = self.metrics(server)
            self.assertEqual(values["lottery_connections"], 2)
            self.assertEqual(values["lottery_agencies_connected"], 1)
            self.assertEqual(values['lottery_agency_connections{agency="1"}'], 1)
            two.bets(bets(2))
            one.send_finished(5)
            self.wait_metric(server, "lottery_agencies_finished", 1)
            values = self.metrics(server)
            self.assertEqual(values['lottery_agency_finished{agency="1"}'], 1)
            self.assertEqual(values['lottery_agency_finished{agency="2"}'], 0)
            self.assertEqual(values['lottery_draw_phase{phase="open"}'], 1)
            self.assertEqual(len(two.finish(2)), 2)
            self.assertEqual(len(one.winners()), 5)
        self.wait_metric(server, "lottery_connections", 0)
        with Peer(server.port, 1) as stranger:
            stranger.send_bytes(b"\xff" * 5)
            self.assertEqual(stranger.ack().code, pb.ACK_CODE_MALFORMED)
        self.wait_metric(server, 'lottery_draw_phase{phase="drawn"}', 1)
        expected = {
            "lottery_agencies": 2, "lottery_agencies_connected": 0, "lottery_agencies_finished": 2,
            "lottery_draw_bets": 7, "lottery_winners": 7, 'lottery_agency_bets{agency="1"}': 5,
            "lottery_bets_stored_total": 7, "lottery_bets_acknowledged_total": 7,
            "lottery_connections_accepted_total": 3, "lottery_tls_handshakes_failed_total": 0,
            'lottery_messages_received_total{message="question"}': 2,
            'lottery_messages_received_total{message="new_bets"}': 4,
            'lottery_messages_received_total{message="finished"}': 2,
            'lottery_messages_received_total{message="malformed"}': 1,
            'lottery_messages_sent_total{message="ack"}': 7,
            'lottery_messages_sent_total{message="winners"}': 2,
            'lottery_answers_total{code="ok"}': 5, 'lottery_answers_total{code="malformed"}': 1,
            'lottery_answers_total{code="invalid_bet"}': 1, "lottery_store_writable": 1,
            "lottery_workers": 1, "lottery_workers_alive": 1,
        }
        values = self.metrics(server)
        self.assertEqual({series: values[series] for series in expected}, expected)
        self.assertGreater(values["lottery_store_sync_seconds_count"], 0)
        self.assertGreater(values["lottery_received_bytes_total"], 7 * 30)
        self.assertGreater(values["lottery_sent_bytes_total"], 7 * 8)
        self.assertEqual(server.stop(), 0)

    def test_refused(self):
        server = self.observed(SERVER_MAX_CONNECTIONS_PER_IP="1")
        with Peer(server.port, 1) as peer:
            self.assertEqual(peer.received(), 0)
            with Peer(server.port, 2) as other:
                self.assertRaises((Closed, ConnectionError), other.received)
            self.wait_metric(server, 'lottery_connections_refused_total{reason="address_limit"}', 1)
        self.assertEqual(self.metric(server, "lottery_connections_accepted_total"), 1)
        self.assertEqual(server.stop(), 0)

    def test_a_worker_dies(self):
        """Its connections and agencies are gone, and what it has counted stays."""
        server = self.observed(agencies=2, workers=1)
        with Peer(server.port, 1) as peer:
            peer.bets(bets(4))
            self.assertEqual(self.metric(server, "lottery_agencies_connected"), 1)
            server.kill_one("worker")
            self.assertRaises((Closed, ConnectionError), peer.received)
        server.wait_line("start_process", "success", process="worker", count=2)
        self.wait_metric(server, "lottery_workers_alive", 1)
        values = self.metrics(server)
        self.assertEqual(values["lottery_connections"], 0)
        self.assertEqual(values["lottery_agencies_connected"], 0)
        self.assertEqual(values['lottery_messages_received_total{message="new_bets"}'], 1)
        self.assertEqual(values["lottery_bets_acknowledged_total"], 4)
        self.assertEqual(server.stop(), 0)

    def ctl(self, *arguments):
        done = subprocess.run([BIN / "lottery-ctl", "--data-dir", self.data, *arguments], text=True,
                              env=environment_with({}), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def draw_first(self, server):
        """The draw `first` is held, with four bets, all of which win."""
        with Peer(server.port, 1, draw="first") as peer:
            peer.bets(bets(4))
            self.ctl("close")
            self.ctl("draw", "7574")
            self.assertEqual(len(peer.finish(4)), 4)
        self.wait_metric(server, "lottery_winners", 4)

    def assert_no_less(self, before, after):
        """No counter has gone backwards."""
        counters = [series for series in before if COUNTER.search(series)]
        self.assertGreater(len(counters), 30)
        for series in counters:
            self.assertGreaterEqual(after[series], before[series], series)

    def test_the_next_draw(self):
        """Counters go on, and what is said of the draw begins again."""
        server = self.start(1, {"LOTTERY_DRAW": "manual", "LOTTERY_DRAW_ID": "first"},
                            SERVER_HTTP_ADDRESS="0")
        self.draw_first(server)
        before = self.metrics(server)
        self.ctl("next", "second")
        self.wait_metric(server, 'lottery_draw_phase{phase="open"}', 1)
        after = self.metrics(server)
        self.assertEqual(after["lottery_draw_bets"], 0)
        self.assert_no_less(before, after)
        with Peer(server.port, 1, draw="second") as peer:
            peer.bets(bets(3))
            self.assertEqual(self.metric(server, "lottery_draw_bets"), 3)
        self.assertEqual(self.metric(server, "lottery_bets_stored_total"), 7)
        self.assertEqual(server.stop(), 0)

    def test_a_movement_goes_back(self):
        """The children of the draw before count on, after what those of the next one have counted."""
        server = self.start(1, {"LOTTERY_DRAW": "manual", "LOTTERY_DRAW_ID": "first"},
                            SERVER_HTTP_ADDRESS="0")
        self.draw_first(server)
        syncs = "lottery_store_sync_seconds_count"
        before = self.metrics(server)
        (self.data / "current").unlink()
        (self.data / "current").mkdir()  # so that nothing can take its place
        # It would wait for a coordinator's word about it.
        self.programs.append(Program("lottery-ctl", ["--data-dir", self.data, "next", "second"], {},
                                     self.folder))
        server.wait_line("siguiente_sorteo", "fail")
        self.wait_metric(server, "lottery_winners", 4)
        self.assert_no_less(before, self.metrics(server))
        with Peer(server.port, 1, draw="first") as peer:
            self.assertEqual(peer.received(), 4)
        after = self.metrics(server)
        self.assertEqual(after["lottery_bets_stored_total"], 4)
        self.assertEqual(after["lottery_draw_bets"], 4)
        # Without those of the next draw's ledger, which takes six to begin, there would be nine more.
        self.assertGreater(after[syncs] - before[syncs], 12)
        self.assertEqual(server.stop(), 0)


@unittest.skipUnless(shutil.which("prometheus"), "there is no Prometheus: install the package prometheus")
class Scraped(MetricsCase):
    def test_killed_and_reloaded(self):
        """The number of bets is right, and no counter goes backwards, when the ledger is killed, a
        worker is, and the server takes new settings, all while an agency bets."""
        server = self.start(2, {"SERVER_WORKERS": 2}, SERVER_WORKERS=None, SERVER_HTTP_ADDRESS="0")
        prometheus = Prometheus(self.folder, server.http_port())
        self.addCleanup(prometheus.kill)
        prometheus.wait_value("lottery_bets_stored_total", 0)
        agency = self.agency(1, server.port, self.file_of_bets(1, 30_000))
        wait_until(lambda: self.metric(server, "lottery_bets_stored_total") > 0, "a bet")
        server.kill_one("ledger")
        server.wait_line("recover_store", "success", count=2)
        server.kill_one("worker")
        self.configure(2, SERVER_WORKERS=1)
        self.reload(server)
        server.kill_one("ledger")
        with Peer(server.port, 2) as peer:
            peer.bets(bets(7))
            peer.send_finished(7)
            self.assertEqual(agency.wait(), 0)
            peer.winners()
        prometheus.wait_value("lottery_bets_stored_total", 30_007)
        prometheus.wait_value("lottery_draw_bets", 30_007)
        prometheus.wait_value("lottery_winners", 300 + 7)
        prometheus.wait_value("lottery_workers", 1)
        prometheus.wait_value('lottery_draw_phase{phase="drawn"}', 1)
        names = {series.split("{")[0] for series in self.metrics(server) if COUNTER.search(series)}
        for name in names:
            self.assertEqual(prometheus.query(f"max(resets({name}[1h]))"), [0], name)
        self.assertEqual(prometheus.query("up"), [1])
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    main()
