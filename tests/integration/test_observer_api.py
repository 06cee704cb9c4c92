"""The numbers that the observer gives are those that lottery-ctl shows, and no bet is among them."""
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time

from observer_case import ObserverCase, ask
from programs import BIN, environment_with, main, wait_until
from wire import Peer, bet

PATHS = ("/", "/healthz", "/readyz", "/metrics", "/api/status", "/api/agencies")
FIRST, LAST, BORN = "Nicanorina", "Zorzpueyrredon", "1987-06-05"  # of nobody else in any answer


def document(agency, i):
    return f"{agency}77{i:05}"


def bets_of(agency, begin, end):
    return [bet(document(agency, i), FIRST, LAST, BORN, 7574 if i % 100 == 0 else 1)
            for i in range(begin, end)]


class ApiCase(ObserverCase):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "data"
        self.answers = []  # all bodies that came

    def observed(self, *arguments, **settings):
        """A server, and what it listens on for HTTP."""
        server = super().observed(*arguments, SERVER_METRICS_PER_AGENCY="yes", **settings)
        self.port = server.http_port()
        return server

    def get(self, path):
        answer = ask(self.port, path)
        self.answers.append(answer.body)
        self.assertIn(answer.code, (200, 503) if path == "/readyz" else (200,))
        return answer.body

    def status(self):
        return json.loads(self.get("/api/status"))

    def agencies(self):
        return json.loads(self.get("/api/agencies"))

    def ctl(self, *arguments):
        done = subprocess.run([BIN / "lottery-ctl", "--data-dir", self.data, *arguments], text=True,
                              env=environment_with({}), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def ctl_json(self, command):
        return json.loads(self.ctl(command, "--json"))

    def assert_same(self):
        """Once nothing moves: what lottery-ctl shows, with what it does not have. Only the key is the
        coordinator's own. Returns the status."""
        def compare():
            told, said = self.status(), self.ctl_json("status")
            server = told.pop("server")
            if said.get("sealed"):
                said["sealed"]["key"] = None
            rows = self.agencies()
            connected = {row["agency"]: row.pop("connected") for row in rows}
            if (told, rows) == (said, self.ctl_json("agencies")):
                self.assertEqual(list(told), list(said))  # the order, too
                return {**told, "server": server, "connected": connected}
            self.last = f"{told} {rows} instead of {said}"
            return None
        try:
            return wait_until(compare, "the same numbers", pause=0.05)
        except AssertionError as error:
            raise AssertionError(self.last) from error

    def assert_nothing_of_bets(self, agencies):
        """No answer so far has a name, a birthdate or a document in it, nor has any that comes now."""
        secrets = [FIRST.encode(), LAST.encode(), BORN.encode(),
                   *(rb"\b%d77\d{5}\b" % agency for agency in agencies)]
        stored = b"".join(path.read_bytes() for path in self.data.rglob("bets.csv"))
        for path in PATHS:
            self.get(path)
        for secret in secrets:
            self.assertRegex(stored, secret)  # so it would be found
            for body in self.answers:
                self.assertNotRegex(body, secret)


class Lottery(ApiCase):
    AGENCIES = range(1, 6)

    def start_agencies(self, server, count):
        """A real agency each. Returns their programs."""
        programs = []
        for agency in self.AGENCIES:
            path = self.folder / f"agency-{agency}.csv"
            path.write_text("".join(f"{FIRST},{LAST},{document(agency, i)},{BORN},"
                                    f"{7574 if i % 100 == 0 else 1}\r\n" for i in range(count)))
            programs.append(self.agency(agency, server.port, path, CLI_BATCH_MAXAMOUNT="20"))
        return programs

    def watch(self, until):
        """Asks again and again, until the condition is true and once more. Returns the answers."""
        seen = []
        is_over = False
        while not is_over:
            is_over = until()
            seen.append((self.status(), self.agencies()))
            time.sleep(0.005)
        return seen

    def assert_only_grows(self, seen):
        for (before, rows_before), (after, rows_after) in zip(seen, seen[1:]):
            for key in ("bets", "finished", "agencies"):
                self.assertLessEqual(before[key], after[key])
            self.assertLessEqual(before["server"]["bets_stored"], after["server"]["bets_stored"])
            self.assertLessEqual(before["server"]["sync"]["count"], after["server"]["sync"]["count"])
            self.assertLessEqual(before["server"]["sync"]["seconds"],
                                 after["server"]["sync"]["seconds"])
            for row, later in zip(rows_before, rows_after):
                self.assertEqual(row["agency"], later["agency"])
                self.assertLessEqual(row["bets"], later["bets"])
                self.assertLessEqual(row["finished"], later["finished"])

    def test_five_agencies(self):
        """While they bet, numbers only grow; in the end they are those of lottery-ctl."""
        count = 4000
        server = self.observed(agencies=5)
        wait_until(lambda: self.status()["phase"] == "open", "the draw is open")
        begin = self.assert_same()
        self.assertEqual((begin["bets"], begin["server"]["bets_stored"]), (0, 0))
        programs = self.start_agencies(server, count)
        seen = self.watch(lambda: all(agency.process.poll() is not None for agency in programs))
        self.assertEqual([agency.wait() for agency in programs], [0] * 5)
        self.assert_only_grows(seen)
        amounts = {status["bets"] for status, _ in seen}
        self.assertGreater(len(amounts), 2, amounts)  # it was seen while it grew
        self.assertTrue(any(row["connected"] for _, rows in seen for row in rows))
        end = self.assert_same()
        self.assertEqual(end["phase"], "drawn")
        self.assertEqual((end["bets"], end["finished"], end["drawn"]["winners"]),
                         (5 * count, 5, 5 * count // 100))
        self.assertEqual(end["server"]["bets_stored"], 5 * count)
        wait_until(lambda: not any(row["connected"] for row in self.agencies()), "all have gone")
        self.assertEqual(self.status()["server"]["connections"], 0)
        self.assert_nothing_of_bets(self.AGENCIES)
        self.assertEqual(server.stop(), 0)

    def test_processes_die(self):
        """The ledger, a worker and the observer are killed in the middle: no number goes back, and all
        is right in the end."""
        count = 4000
        server = self.observed(agencies=5)
        programs = self.start_agencies(server, count)
        kills = iter(["ledger", "worker", "observer", "ledger", "coordinator"])

        def keep_killing():
            while not all(agency.process.poll() is not None for agency in programs):
                role = next(kills, None)
                if role is None:
                    return
                wait_until(lambda role=role: server.kill_one(role), role)
                time.sleep(0.15)

        killer = threading.Thread(target=keep_killing)
        killer.start()
        seen = []
        is_over = False
        while not is_over:
            is_over = all(agency.process.poll() is not None for agency in programs)
            with contextlib.suppress(OSError):  # its socket is open, but the observer just ended
                seen.append((self.status(), self.agencies()))
        killer.join()
        self.assertEqual([agency.wait() for agency in programs], [0] * 5)
        # A new observer knows the draw a moment later.
        self.assert_only_grows([(status, rows) for status, rows in seen if "bets" in status and
                                len(rows) == 5])
        end = self.assert_same()
        self.assertEqual((end["bets"], end["server"]["bets_stored"]), (5 * count, 5 * count))
        self.assert_nothing_of_bets(self.AGENCIES)

    def test_after_a_restart(self):
        """What is stored counts for the draw, not for the server that starts."""
        server = self.observed(agencies=5)
        first = self.status()["server"]
        with Peer(server.port, 2) as peer:
            peer.bets(bets_of(2, 0, 50))
            self.assert_same()
        server.kill()
        server = self.observed(agencies=5)
        with Peer(server.port, 2) as peer:
            wait_until(lambda: self.status()["phase"] == "open", "the draw is known")
            again = self.assert_same()
            self.assertEqual((again["bets"], again["server"]["bets_stored"]), (50, 0))
            self.assertGreaterEqual(again["server"]["started"], first["started"])
            self.assertEqual(peer.bets(bets_of(2, 50, 70), offset=50).received, 70)
            again = self.assert_same()
            self.assertEqual((again["bets"], again["server"]["bets_stored"]), (70, 20))
        self.assert_nothing_of_bets([2])

    def test_echo(self):
        server = self.observed(mode="echo")
        told = self.status()
        server_part = told.pop("server")
        self.assertEqual(told, {"phase": "unknown"})
        self.assertEqual(self.agencies(), [])
        self.assertEqual((server_part["mode"], server_part["sync"]), ("echo", None))
        self.assertEqual([worker["worker"] for worker in server_part["workers"]], [0, 1])
        self.assertEqual(server.stop(), 0)


class Operator(ApiCase):
    """A draw that is run by hand, phase by phase."""

    def test_phases_and_the_next_draw(self):
        server = self.observed(agencies=3, LOTTERY_DRAW="manual", LOTTERY_DRAW_ID="d0",
                               LOTTERY_CLOSE_AT="2999-01-01T00:00:00Z")
        wait_until(lambda: self.status()["phase"] == "open", "the draw is open")
        self.assertEqual(self.assert_same()["connected"], {1: False, 2: False, 3: False})
        with Peer(server.port, 1, draw="d0") as first, Peer(server.port, 3, draw="d0") as third:
            first.bets(bets_of(1, 0, 30))
            third.bets(bets_of(3, 0, 12))
            third.send_finished(12)
            told = wait_until(lambda: (lambda told: told if told["finished"] == 1 else None)
                              (self.assert_same()), "one has finished")
            self.assertEqual((told["phase"], told["bets"]), ("open", 42))
            self.assertEqual(told["connected"], {1: True, 2: False, 3: True})
            self.assertEqual(told["server"]["connections"], 2)
            self.check_server_part(told)
            # It waits for its winners: its end alone would only mean that it sends no more.
            third.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(lambda: not any(self.assert_same()["connected"].values()), "both have gone")
        self.check_closing_and_drawing()
        self.assert_nothing_of_bets([1, 3])
        self.ctl("next", "d1")
        wait_until(lambda: self.status().get("draw") == "d1", "the next draw")
        told = self.assert_same()
        self.assertEqual((told["phase"], told["bets"], told["finished"]), ("open", 0, 0))
        self.assertEqual(told["server"]["bets_stored"], 42)
        with Peer(server.port, 2, draw="d1") as peer:
            peer.bets(bets_of(2, 0, 8))
            told = self.assert_same()
            self.assertEqual((told["bets"], told["server"]["bets_stored"]), (8, 50))
            self.assertEqual(told["connected"], {1: False, 2: True, 3: False})
        self.assert_nothing_of_bets([1, 2, 3])
        self.assertEqual(server.stop(), 0)

    def check_server_part(self, told):
        part = told["server"]
        self.assertEqual(part["version"], subprocess.run(
            [BIN / "lottery-server", "--version"], capture_output=True, text=True,
            check=True).stdout.split()[1])
        self.assertEqual((part["ready"], part["reasons"]), (True, []))
        self.assertEqual(sum(worker["connections"] for worker in part["workers"]), 2)
        self.assertTrue(all(worker["alive"] for worker in part["workers"]))
        self.assertGreater(part["sync"]["count"], 0)
        self.assertGreater(part["sync"]["seconds"], 0)

    def check_closing_and_drawing(self):
        self.ctl("close")
        told = self.assert_same()
        self.assertEqual((told["phase"], told["closed"]["by"], told["closed"]["uid"]),
                         ("sealed", "operator", os.getuid()))
        self.assertEqual(len(told["sealed"]["root"]), 44)
        source = "bolillero 3, </script>\"\\ escribana Gómez \u2028🎲"
        self.ctl("draw", "7574", "--source", source)
        told = wait_until(lambda: (lambda told: told if told["drawn"]["winners_readable"] else None)
                          (self.assert_same()), "the winners")
        self.assertEqual((told["phase"], told["drawn"]["number"], told["drawn"]["source"]),
                         ("drawn", 7574, source))
        self.assertEqual(told["drawn"]["winners"], 2)
        self.assertTrue(self.get("/api/status").isascii())

    def test_closed_and_not_sealed_yet(self):
        """The ledger closes at the time, and the coordinator, which seals, stands still."""
        at = int(time.time()) + 2
        server = self.observed(agencies=2, LOTTERY_DRAW="manual",
                               LOTTERY_CLOSE_AT=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)))
        with Peer(server.port, 1) as peer:
            peer.bets(bets_of(1, 0, 5))
        coordinator = server.children()["coordinator"][0]
        os.kill(coordinator, signal.SIGSTOP)
        told = wait_until(lambda: (lambda told: told if told["phase"] != "open" else None)
                          (self.status()), "it is closed")
        self.assertEqual((told["phase"], told["bets"], told["sealed"]), ("closed", 5, None))
        self.assertEqual((told["closed"]["by"], told["closed"]["uid"]), ("deadline", None))
        os.kill(coordinator, signal.SIGCONT)
        wait_until(lambda: self.status()["phase"] == "sealed", "it is sealed")
        self.assert_same()
        self.assert_nothing_of_bets([1])
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    main()
