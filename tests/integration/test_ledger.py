"""The ledger in the real server: killed, stopped, without its folder, under other settings.

Whatever happens to it and to the other processes, every bet that was acknowledged is stored once and
in its agency's order, there is one draw over exactly these, and one line that reports it.
"""
import asyncio
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

from programs import BIN, Case, children_of, environment_with, wait_until
from wire import Closed, HEADER, Peer, bet, frame, pb

WINNER = 7574


def documents_by_agency(server):
    """What bets.csv has: the documents of each agency, in their order."""
    stored = {}
    for row in server.bets():
        fields = row.split(b",")
        stored.setdefault(int(fields[0]), []).append(fields[-3].decode())
    return stored


def winners_file(server):
    return (server.folder / "winners.csv").read_text().split()


class LedgerCase(Case):
    def run_server(self, folder, **settings):
        """A server that is expected not to start: its exit status and log."""
        result = subprocess.run([BIN / "lottery-server"], cwd=self.folder, text=True, timeout=60,
                                capture_output=True, env=environment_with({
                                    "SERVER_PORT": "0", "SERVER_IP": "127.0.0.1",
                                    "LOTTERY_DATA_DIR": str(folder), **settings}))
        return result.returncode, result.stdout

    def check(self, server):
        """--check has to call the folder sound; returns what it prints."""
        result = subprocess.run([BIN / "lottery-server", "--check", server.folder], text=True,
                                capture_output=True, timeout=60)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertTrue(result.stdout.endswith("sound\n"), result.stdout)
        return result.stdout

    def ready_server(self, name="data", **settings):
        server = self.server(folder=self.folder / name, level="DEBUG", **settings)
        server.wait_ready()
        return server

    def wait_end(self, server, status):
        """Waits until the server has ended by itself; returns the reason that it gives."""
        self.assertEqual(server.wait(30), status)
        lines = server.lines("store", "fail")
        self.assertEqual(len(lines), 1, server.output())
        return lines[0].details["reason"]

    def assert_one_draw(self, server):
        self.assertEqual([line.result for line in server.lines("sorteo")], ["success"])


class Dying(LedgerCase):
    """Operations wait for the next ledger; nobody notices more than that."""

    def test_killed_while_agencies_send(self):
        """Four agencies send their batches and Finished without waiting for answers, while the ledger is
        killed again and again: all connections last, and every answer comes, in order."""
        agencies, batches, each = 4, 120, 10
        server = self.ready_server(agencies=agencies)
        is_over = threading.Event()

        def kill():
            generator = random.Random(1)
            while not is_over.is_set():
                server.kill_one("ledger")
                is_over.wait(generator.uniform(0.001, 0.15))
        killer = threading.Thread(target=kill)
        peers = [Peer(server.port, agency + 1, timeout=60) for agency in range(agencies)]
        self.addCleanup(is_over.set)
        killer.start()
        for number in range(batches):
            for peer in peers:
                start = number * each
                peer.send_bets([bet(f"{peer.agency}{start + i:05}",
                                    number=WINNER if (start + i) % 50 == 0 else 1)
                                for i in range(each)], start)
        for peer in peers:
            peer.send_finished(batches * each)
        wait_until(lambda: len(server.lines("close_process", "fail", process="ledger")) >= 6,
                   "six kills")
        is_over.set()
        killer.join()
        for peer in peers:
            self.check_acks([peer.ack() for _ in range(batches)], each)
        for peer in peers:
            self.assertEqual(peer.winners(), [f"{peer.agency}{i:05}"
                                              for i in range(0, batches * each, 50)])
            peer.close()
        self.assertEqual(server.stop(), 0)
        self.assertEqual(documents_by_agency(server),
                         {agency: [f"{agency}{i:05}" for i in range(batches * each)]
                          for agency in range(1, agencies + 1)})
        self.assert_one_draw(server)
        self.assertIn(f"draw: closed, {agencies} agencies, winning number {WINNER}\n",
                      self.check(server))

    def check_acks(self, acks, each):
        """There is one for each batch, in order. The next ledger knows the batches that the killed one
        stored without saying so: it answers the first of them with the number of all its bets."""
        self.assertEqual({ack.code for ack in acks}, {pb.ACK_CODE_OK})
        received = [ack.received for ack in acks]
        self.assertEqual(received, sorted(received))
        for number, count in enumerate(received, start=1):
            self.assertEqual(count % each, 0)
            self.assertGreaterEqual(count, number * each)
        self.assertEqual(received[-1], len(acks) * each)

    def test_killed_between_the_record_and_the_line(self):
        """The ledger is killed right when the winners have their names: the record of the draw is being
        written, or is there and nobody has been told. One line reports the draw, whoever writes it."""
        for number in range(20):
            with self.subTest(number):
                server = self.ready_server(f"data-{number}", agencies=1, workers=1)
                ledger = server.children()["ledger"][0]
                path = server.folder / "winners.csv"
                with Peer(server.port) as peer:
                    peer.bets([bet("1"), bet("2", number=3)])
                    peer.send_finished(2)
                    wait_until(path.exists, "winners.csv", pause=0)
                    end = time.monotonic() + number * 0.0002
                    while time.monotonic() < end:
                        pass
                    os.kill(ledger, signal.SIGKILL)
                    self.assertEqual(peer.winners(), ["1"])
                self.assertEqual(server.stop(), 0)
                self.assert_one_draw(server)
                self.assertEqual(winners_file(server), ["1,1"])
                self.check(server)

    def test_the_whole_server_killed_around_the_draw(self):
        """The next server holds the draw, or finds that it was held: the winners are the same."""
        for number in range(4):
            with self.subTest(number):
                server = self.ready_server(f"data-{number}", agencies=1, workers=1)
                path = server.folder / "winners.csv"
                with Peer(server.port) as peer:
                    peer.bets([bet("1"), bet("2", number=3), bet("3")])
                    peer.send_finished(3)
                    wait_until(path.exists, "winners.csv", pause=0)
                    server.kill()
                server = self.ready_server(f"data-{number}", agencies=1, workers=1)
                with Peer(server.port) as peer:
                    self.assertEqual(peer.finish(3), ["1", "3"])
                self.assertEqual(server.stop(), 0)
                self.assertLessEqual(len(server.lines("sorteo", "success")), 1)
                self.assertEqual(server.lines("sorteo", "fail"), [])
                self.assertEqual(winners_file(server), ["1,1", "1,3"])

    def test_winners_that_are_lost_are_made_again(self):
        """winners.csv and its index are removed while no server runs: the next one makes them again from
        the bets and the record, and reports no other draw."""
        server = self.ready_server(agencies=1)
        with Peer(server.port) as peer:
            peer.bets([bet("1"), bet("2", number=3), bet("3")])
            self.assertEqual(peer.finish(3), ["1", "3"])
        self.assertEqual(server.stop(), 0)
        files = sorted(path.name for path in server.folder.glob("winners*"))
        self.assertIn("winners.csv", files)
        for name in files:
            with self.subTest(name):
                (server.folder / name).unlink()
                again = self.server(agencies=1)
                with Peer(again.port) as peer:
                    self.assertEqual(peer.finish(3), ["1", "3"])
                self.assertEqual(again.stop(), 0)
                self.assertEqual(again.lines("sorteo"), [])
                self.assertEqual(sorted(path.name for path in server.folder.glob("winners*")),
                                 files)
                self.assertEqual(winners_file(again), ["1,1", "1,3"])


    def test_winners_that_are_lost_later_are_made_again(self):
        """The index is removed, or something else takes its place, after the winners were sent: a new
        worker cannot read it, and it is made again under the same server."""
        server = self.ready_server(agencies=1, workers=1)
        with Peer(server.port) as peer:
            peer.bets([bet("1"), bet("2", number=3), bet("3")])
            self.assertEqual(peer.finish(3), ["1", "3"])
        index = server.folder / "winners.index"
        content = index.read_bytes()
        for count, damage in enumerate((None, b"", content[:-1], b"x" * len(content)), 1):
            with self.subTest(damage):
                index.unlink()
                if damage is not None:
                    index.write_bytes(damage)
                os.kill(server.children()["worker"][0], signal.SIGKILL)
                server.wait_line("start_process", "success", process="worker", count=count + 1)
                with Peer(server.port) as peer:
                    self.assertEqual(peer.finish(3), ["1", "3"])
                self.assertEqual(index.read_bytes(), content)
                self.assertEqual(len(server.lines("ganadores_enviados", "fail")), count)
                self.assertEqual(len(server.lines("recover_winners", "in_progress")), count)
        self.assertEqual(server.stop(), 0)
        self.assert_one_draw(server)

    def test_winners_that_are_cut_in_place_are_made_again(self):
        """The index is cut under the worker that sends from it: the worker lives, has it made again,
        and sends all winners to who asks again."""
        server = self.ready_server(agencies=1, workers=1)
        with Peer(server.port) as peer:
            peer.bets([bet("1"), bet("2", number=3), bet("3")])
            self.assertEqual(peer.finish(3), ["1", "3"])
        worker = server.children()["worker"]
        index = server.folder / "winners.index"
        content = index.read_bytes()
        for count, size in enumerate((len(content) - 1, 0), 1):
            with self.subTest(size):
                os.truncate(index, size)
                with Peer(server.port) as peer, self.assertRaises((Closed, ConnectionError)):
                    peer.finish(3)
                server.wait_line("recover_winners", "in_progress", count=count)
                with Peer(server.port) as peer:
                    self.assertEqual(peer.finish(3), ["1", "3"])
                self.assertEqual(index.read_bytes(), content)
        self.assertEqual(server.children()["worker"], worker)
        self.assertEqual(server.stop(), 0)
        self.assert_one_draw(server)


class Drawing(LedgerCase):
    """The coordinator and its scanners are killed at many points."""

    def test_the_coordinator_is_killed(self):
        """From the last Finished until the winners arrive, at a moment that differs each time: its
        successor goes on, there is one draw, and never a `fail` for one that was held."""
        for number in range(20):
            with self.subTest(number):
                server = self.ready_server(f"data-{number}", agencies=1, workers=1)
                with Peer(server.port) as peer:
                    peer.bets([bet(str(i), number=WINNER - i % 2) for i in range(100)])
                    peer.send_finished(100)
                    if number > 0:
                        server.wait_line("escrutinio", "in_progress")
                    end = time.monotonic() + max(0, number - 1) * 0.002
                    while time.monotonic() < end:
                        pass
                    server.kill_one("coordinator")
                    expected = [str(i) for i in range(0, 100, 2)]
                    self.assertEqual(peer.winners(), expected)
                self.assertEqual(server.stop(), 0)
                self.assert_one_draw(server)
                self.assertEqual(winners_file(server), [f"1,{i}" for i in expected])

    def fill(self, server, count, each=100):
        with Peer(server.port, timeout=60) as peer:
            for start in range(0, count, each):
                peer.send_bets([bet(f"{start + i:07}", "A", "B", number=(start + i) % 10000)
                                for i in range(each)], start)
            for _ in range(0, count, each):
                self.assertEqual(peer.ack().code, pb.ACK_CODE_OK)

    def test_a_scanner_is_killed(self):
        """A process that scans is killed as soon as there is one: this attempt fails, the coordinator
        lives on, and the next attempt holds the draw."""
        count, fails = 30_000, 0
        for number in range(5):
            server = self.ready_server(f"data-{number}", agencies=1, workers=1)
            self.fill(server, count)
            coordinator = server.children()["coordinator"][0]
            with Peer(server.port, timeout=60) as peer:
                peer.send_finished(count)
                pid = wait_until(lambda: children_of(coordinator), "a scanner", pause=0)[0]
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it was faster
                self.assertEqual(len(peer.winners()), count // 10000)
            self.assertEqual(server.children()["coordinator"], [coordinator])
            self.assertEqual(server.stop(), 0)
            self.assertEqual(len(server.lines("sorteo", "success")), 1)
            fails += len(server.lines("sorteo", "fail"))
            if fails > 0:
                break
        self.assertGreater(fails, 0, "no kill came in time")


class Stopping(LedgerCase):
    """SIGTERM ends everything cleanly, whatever the ledger is doing."""

    def check_stop(self, server, begin):
        self.assertEqual(server.wait(20), 0)
        self.assertLess(time.monotonic() - begin, 8)
        self.assertEqual(server.lines()[-1].text.split(" action: ")[1], "exit | result: success")
        self.check(server)

    def acks_until_closed(self, peer):
        """Returns how many bets were acknowledged before the connection was closed."""
        received = 0
        try:
            while True:
                ack = peer.ack()
                self.assertEqual(ack.code, pb.ACK_CODE_OK)
                received = ack.received
        except (Closed, ConnectionError):
            return received

    def test_while_the_ledger_is_stopped(self):
        """SIGSTOP: it has to run again to end, and then may answer what waited."""
        server = self.ready_server(agencies=1)
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([bet("0")]).received, 1)
            os.kill(server.children()["ledger"][0], signal.SIGSTOP)
            for i in range(1, 50):
                peer.send_bets([bet(str(i))], i)
            begin = time.monotonic()
            server.signal(signal.SIGTERM)
            acked = max(1, self.acks_until_closed(peer))
        self.check_stop(server, begin)
        self.assertGreaterEqual(len(server.bets()), acked)
        self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])

    def test_while_the_ledger_is_away(self):
        """It has been killed and waits for its restart: no other one is started, and the workers end
        with what they have."""
        server = self.ready_server(agencies=1)
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([bet("0")]).received, 1)
            for count in range(1, 6):  # the waits become longer: now 0.4 s at least
                wait_until(lambda: server.kill_one("ledger"), "a ledger to kill")
                server.wait_line("restart_process", "in_progress", process="ledger", count=count)
            for i in range(1, 50):
                peer.send_bets([bet(str(i))], i)
            starts = len(server.lines("start_process", "success", process="ledger"))
            begin = time.monotonic()
            server.signal(signal.SIGTERM)
            self.assertEqual(self.acks_until_closed(peer), 0)
        self.check_stop(server, begin)
        self.assertEqual(len(server.lines("start_process", "success", process="ledger")), starts)
        self.assertGreaterEqual(len(server.bets()), 1)

    def test_all_processes_get_it(self):
        """A service manager sends SIGTERM to all at once, while bets arrive: whole batches are stored,
        and at least those that were acknowledged."""
        server = self.ready_server(agencies=1)
        pids = [server.process.pid, *sum(server.children().values(), [])]
        with Peer(server.port) as peer:
            for i in range(200):
                peer.send_bets([bet(str(i)), bet(str(i)), bet(str(i))], 3 * i)
            self.assertEqual(peer.ack().code, pb.ACK_CODE_OK)
            begin = time.monotonic()
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    pass  # it has ended already
            acked = self.acks_until_closed(peer)
        self.check_stop(server, begin)
        self.assertGreaterEqual(len(server.bets()), acked)
        self.assertEqual(len(server.bets()) % 3, 0)

    def test_a_parent_that_ignores_signals(self):
        """A server that inherits ignored and blocked signals restarts its processes, and stops."""
        code = ("import os, signal, sys\n"
                "for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n"
                "    signal.signal(number, signal.SIG_IGN)\n"
                "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
                "os.execv(sys.argv[1], sys.argv[1:])\n")
        server = self.ready_server(agencies=1, launcher=(sys.executable, "-c", code))
        for role in ("worker", "coordinator", "ledger"):
            server.kill_one(role)
            server.wait_line("start_process", "success", process=role,
                             count=server.roles[role] + 1)
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([bet("0")]).received, 1)
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        self.check_stop(server, begin)


class Folder(LedgerCase):
    """What happens to the data directory under a running server."""

    def test_it_is_taken_away(self):
        """A file is removed, or the folder is emptied, moved, removed or replaced: the next bet is not
        acknowledged into nothing, but the server stops, with a reason."""
        def empty(folder):
            for path in folder.iterdir():
                path.unlink()

        def replace(folder):
            folder.rename(folder.with_name("elsewhere"))
            folder.mkdir()
        ways = {"bets.csv": lambda folder: (folder / "bets.csv").unlink(),
                "bets.journal": lambda folder: (folder / "bets.journal").unlink(),
                "cut": lambda folder: os.truncate(folder / "bets.csv", 5),
                "emptied": empty, "removed": shutil.rmtree, "replaced": replace,
                "moved": lambda folder: folder.rename(folder.with_name("moved-away"))}
        for name, way in ways.items():
            with self.subTest(name):
                folder = self.folder / name
                folder.mkdir()
                server = self.ready_server(f"{name}/data", agencies=1)
                with Peer(server.port) as peer:
                    self.assertEqual(peer.bets([bet("0")]).received, 1)
                    way(server.folder)
                    peer.send_bets([bet("1")], 1)
                    with self.assertRaises((Closed, ConnectionError)):
                        ack = peer.ack()
                        self.assertNotEqual(ack.code, pb.ACK_CODE_OK)
                        peer.ack()
                self.assertIn(str(server.folder), self.wait_end(server, 1))

    def test_it_is_taken_away_while_no_ledger_runs(self):
        """The ledger is killed, and what it needs is gone: its successor begins no new draw."""
        def move(folder):
            folder.rename(folder.with_name("moved-away"))

        def replace(folder):
            move(folder)
            folder.mkdir()

        def empty(folder):
            for path in folder.iterdir():
                path.unlink()
        ways = {"emptied": (empty, 4, "bets.journal was removed"),
                "moved": (move, 2, "it was moved"), "replaced": (replace, 2, "it was replaced")}
        for name, (way, ends, reason) in ways.items():
            with self.subTest(name):
                (self.folder / name).mkdir()
                server = self.ready_server(f"{name}/data", agencies=1)
                with Peer(server.port) as peer:
                    self.assertEqual(peer.bets([bet("0")]).received, 1)
                ledger = server.children()["ledger"][0]
                os.kill(ledger, signal.SIGSTOP)
                way(server.folder)
                os.kill(ledger, signal.SIGKILL)
                self.assertIn(reason, self.wait_end(server, 1))
                self.assertEqual(len(server.lines("close_process", "fail", process="ledger")), ends)
                self.assertEqual(list(server.folder.glob("*")), [])

    def test_no_second_server_whatever_was_removed(self):
        """The lock is on the folder itself: a second server does not get in when files are missing."""
        server = self.ready_server(agencies=1)
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([bet("0")]).received, 1)
        for path in sorted(server.folder.iterdir()):
            with self.subTest(path.name):
                path.unlink()
                status, log = self.run_server(server.folder)
                self.assertEqual(status, 1)
                self.assertIn("another server works on this folder", log)
        self.assertIsNone(server.process.poll())

    def test_a_recovery_that_fails(self):
        """The journal is damaged under a ledger that is then killed: three recoveries end in an error,
        and then the server does, with the reason."""
        server = self.ready_server(agencies=1)
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([bet("0")]).received, 1)
        ledger = server.children()["ledger"][0]
        os.kill(ledger, signal.SIGSTOP)
        with open(server.folder / "bets.journal", "r+b") as file:
            file.seek(8192)
            whole = file.read(64)
            file.seek(8192)
            file.write(bytes(byte ^ 0x55 for byte in whole))
        os.kill(ledger, signal.SIGKILL)
        reason = self.wait_end(server, 1)
        self.assertIn("bets.journal", reason)
        self.assertEqual(len(server.lines("close_process", "fail", process="ledger")), 4)
        self.assertEqual(len(server.lines("close_process", "success", process="worker")), 2)
        status, log = self.run_server(server.folder, LOTTERY_AGENCIES="1")
        self.assertEqual(status, 1)  # the first recovery is enough
        self.assertIn("action: start | result: fail", log)
        with open(server.folder / "bets.journal", "r+b") as file:
            file.seek(8192)
            file.write(whole)
        server = self.server(agencies=1)
        with Peer(server.port) as peer:
            self.assertEqual(peer.received(), 1)
        self.assertEqual(server.stop(), 0)


class Settings(LedgerCase):
    """A folder remembers for which settings its draw was opened."""

    def begin(self, agencies, finish=False):
        """Agency 1 has sent two bets, one of which wins; with `finish` all have finished."""
        server = self.server(agencies=agencies)
        peers = [Peer(server.port, agency + 1) for agency in range(agencies)]
        self.assertEqual(peers[0].bets([bet("1"), bet("2", number=1)]).received, 2)
        if finish:
            for peer in peers:
                peer.send_finished(2 if peer is peers[0] else 0)
            self.assertEqual(peers[0].winners(), ["1"])
        for peer in peers:
            peer.close()
        self.assertEqual(server.stop(), 0)
        return server.folder

    def assert_refused(self, folder, words, **settings):
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        status, log = self.run_server(folder, **settings)
        self.assertEqual(status, 1, log)
        line = [line for line in log.splitlines() if "action: start | result: fail" in line]
        self.assertEqual(len(line), 1, log)
        for word in words:
            self.assertRegex(line[0].split("reason: ")[1], rf"\b{word}\b")
        return before

    def test_more_agencies(self):
        """N grows while the draw is open: it is recorded, and the draw waits for the new one, too."""
        folder = self.begin(2)
        server = self.server(agencies=3)
        with Peer(server.port, 1) as one, Peer(server.port, 2) as two, \
                Peer(server.port, 3) as three:
            self.assertEqual(one.received(), 2)
            one.send_finished(2)
            two.send_finished(0)
            server.wait_line("agencia_finalizada", "success", count=2)
            self.assertEqual(three.bets([bet("9")]).code, pb.ACK_CODE_OK)
            self.assertEqual(server.lines("sorteo"), [])
            self.assertEqual(three.finish(1), ["9"])
            self.assertEqual(one.winners(), ["1"])
        self.assertEqual(server.stop(), 0)
        self.assertIn("draw: closed, 3 agencies", self.check(server))
        self.assert_refused(folder, ("LOTTERY_AGENCIES", "3", "4"), LOTTERY_AGENCIES="4")

    def test_fewer_agencies(self):
        """N shrinks: refused, with both values."""
        folder = self.begin(3)
        self.assert_refused(folder, ("LOTTERY_AGENCIES", "3", "2"), LOTTERY_AGENCIES="2")
        server = self.server(agencies=3)
        with Peer(server.port) as peer:
            self.assertEqual(peer.received(), 2)
        self.assertEqual(server.stop(), 0)

    def test_another_number_before_the_draw(self):
        """Refused, with both values; set back, it goes on."""
        folder = self.begin(1)
        self.assert_refused(folder, ("LOTTERY_WINNER_NUMBER", "7574", "1234"),
                            LOTTERY_AGENCIES="1", LOTTERY_WINNER_NUMBER="1234")
        server = self.server(agencies=1)
        with Peer(server.port) as peer:
            self.assertEqual(peer.finish(2), ["1"])
        self.assertEqual(server.stop(), 0)

    def test_another_number_after_the_draw(self):
        """A warning; the winners are those of the draw that was held."""
        self.begin(1, finish=True)
        server = self.server(agencies=1, LOTTERY_WINNER_NUMBER="1")
        with Peer(server.port) as peer:
            self.assertEqual(peer.finish(2), ["1"])
        self.assertEqual(server.stop(), 0)
        self.assertTrue([line for line in server.lines() if " WARNING " in line.text
                         and "7574" in line.text], server.output())
        self.assertEqual(server.lines("sorteo"), [])

    def test_other_agencies_after_the_draw(self):
        """Fewer are refused as well."""
        folder = self.begin(2, finish=True)
        self.assert_refused(folder, ("LOTTERY_AGENCIES", "2", "1"), LOTTERY_AGENCIES="1")


class Crowd(LedgerCase):
    """Very many agencies that send Finished right behind their bets, without waiting for the Ack,
    while everything is killed."""

    AGENCIES = 2000

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    @staticmethod
    def bets_of(agency):
        return [bet(f"{agency:05}{i}", "A", "B", number=WINNER if i == agency % 3 else 1)
                for i in range(3)]

    async def one_agency(self, port, agency, acked, told):
        """Sends everything at once; on a lost connection begins from the front, as often as needed."""
        message = (frame(pb.OPCODE_NEW_BETS, pb.NewBets(agency_id=agency, offset=0,
                                                        bets=self.bets_of(agency))) +
                   frame(pb.OPCODE_FINISHED, pb.Finished(agency_id=agency, total=3)))
        while agency not in told:
            writer = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(message)
                opcode, body = await self.read_frame(reader)
                self.assertEqual(opcode, pb.OPCODE_ACK)
                self.assertEqual(pb.Ack.FromString(body).code, pb.ACK_CODE_OK)
                acked.add(agency)
                opcode, body = await self.read_frame(reader)
                self.assertEqual(opcode, pb.OPCODE_WINNERS)
                told[agency] = list(pb.Winners.FromString(body).documents)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.05)
            finally:
                if writer is not None:
                    writer.close()

    @staticmethod
    async def read_frame(reader):
        opcode, size = HEADER.unpack(await reader.readexactly(HEADER.size))
        return opcode, await reader.readexactly(size)

    async def kill_some(self, server, told):
        generator = random.Random(2)
        while len(told) == 0:
            server.kill_one(generator.choice(("ledger", "ledger", "worker", "coordinator")))
            await asyncio.sleep(generator.uniform(0.02, 0.4))

    def test_finished_behind_the_bets(self):
        """Every winner that was acknowledged is in winners.csv, and each agency is told its own."""
        server = self.ready_server(agencies=self.AGENCIES)
        acked, told = set(), {}

        async def run():
            await asyncio.wait_for(
                asyncio.gather(self.kill_some(server, told),
                               *(self.one_agency(server.port, agency, acked, told)
                                 for agency in range(1, self.AGENCIES + 1))), 120)
        asyncio.run(run())
        expected = {agency: [f"{agency:05}{agency % 3}"] for agency in range(1, self.AGENCIES + 1)}
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(acked), self.AGENCIES)
        self.assertEqual(told, expected)
        self.assertEqual(sorted(winners_file(server)),
                         sorted(f"{agency},{won[0]}" for agency, won in expected.items()))
        self.assertEqual(documents_by_agency(server),
                         {agency: [f"{agency:05}{i}" for i in range(3)] for agency in expected})
        self.assertEqual(len(server.lines("sorteo", "success")), 1)
        self.assertGreaterEqual(len(server.lines("close_process", "fail")), 3)
        self.check(server)


if __name__ == "__main__":
    unittest.main()
