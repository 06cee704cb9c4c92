"""The server's processes: how they share connections, are restarted, and stop."""
import os
import pathlib
import signal
import subprocess
import time
import unittest

from programs import (BIN, Case, Program, available_cpus, connections_of, open_files_of,
                      wait_until)
from wire import Closed, Peer, bet, pb


class Spreading(Case):
    def test_five_connections_over_two_workers(self):
        """One gets three, the other two."""
        server = self.server(level="DEBUG")
        server.wait_ready()
        peers = []
        for agency in range(1, 6):
            peers.append(Peer(server.port, agency))
            self.assertEqual(peers[-1].received(), 0)
        counts = sorted(connections_of(pid) for pid in server.children()["worker"])
        self.assertEqual(counts, [2, 3])
        for peer in peers:
            peer.close()

    def test_a_worker_that_hangs(self):
        """While one worker is stopped, the other serves all new connections."""
        server = self.server(level="DEBUG")
        server.wait_ready()
        hung = server.children()["worker"][0]
        os.kill(hung, signal.SIGSTOP)
        try:
            peers = [Peer(server.port, 1) for _ in range(6)]
            for peer in peers:
                self.assertEqual(peer.received(), 0)
                peer.close()
        finally:
            os.kill(hung, signal.SIGCONT)
        self.assertEqual(server.stop(), 0)

    def count_by_role(self, **settings):
        server = self.server(level="DEBUG", **settings)
        server.wait_ready()
        return {role: len(pids) for role, pids in server.children().items()}

    def test_one_worker_per_core(self):
        """With SERVER_WORKERS=0 there is one per core that may be used, and one coordinator and ledger."""
        self.assertEqual(self.count_by_role(workers=0),
                         {"worker": available_cpus(), "coordinator": 1, "ledger": 1})

    def test_affinity(self):
        """Cores that the server may not run on get no worker."""
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        try:
            self.assertEqual(self.count_by_role(workers=0)["worker"], 1)
        finally:
            os.sched_setaffinity(0, cores)


class Restarting(Case):
    def test_workers_die_and_nothing_is_lost(self):
        """All workers are killed between batches, again and again; the agency goes on where it was, on
        another connection, and the end is as if nothing had happened."""
        server = self.server(agencies=1, level="DEBUG")
        server.wait_ready()
        sent = 0
        for round_number in range(6):
            with Peer(server.port) as peer:
                received = peer.received()
                self.assertEqual(received, sent)
                self.assertEqual(peer.bets([bet(str(received + i)) for i in range(5)],
                                           received).code, pb.ACK_CODE_OK)
                sent += 5
                for pid in server.children()["worker"]:
                    os.kill(pid, signal.SIGKILL)
                with self.assertRaises((Closed, ConnectionError)):
                    peer.send_bets([])
                    peer.ack()
            server.wait_line("start_process", "success", process="worker",
                             count=2 * (round_number + 2))
        with Peer(server.port) as peer:
            self.assertEqual(len(peer.finish(sent)), sent)
        self.assertEqual([row.split(b",")[3] for row in server.bets()],
                         [str(i).encode() for i in range(sent)])
        self.assertEqual(server.stop(), 0)
        self.assertGreaterEqual(len(server.lines("close_process", "fail", process="worker")), 12)

    def test_the_coordinator_dies(self):
        """It is killed again and again while an agency waits: there is one draw in the end."""
        server = self.server(agencies=2, level="DEBUG")
        server.wait_ready()
        with Peer(server.port, 1) as one, Peer(server.port, 2) as two:
            one.bets([bet("7")])
            one.send_finished(1)
            server.wait_line("agencia_finalizada", "success")
            for count in range(2, 5):
                os.kill(server.children()["coordinator"][0], signal.SIGKILL)
                server.wait_line("start_process", "success", process="coordinator", count=count)
            self.assertEqual(two.finish(0), [])
            self.assertEqual(one.winners(), ["7"])
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.lines("sorteo", "success")), 1)

    def test_the_whole_server_dies(self):
        """SIGKILL to the supervisor ends all processes; a server that starts on the same port at once
        goes on exactly there."""
        server = self.server(agencies=2, level="DEBUG")
        server.wait_ready()
        with Peer(server.port, 1) as peer:
            self.assertEqual(peer.bets([bet(str(i)) for i in range(100)]).received, 100)
            peer.send_finished(100)
            server.wait_line("agencia_finalizada", "success")
            children = sum(server.children().values(), [])
            server.signal(signal.SIGKILL)
            server.process.wait()
            wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children),
                       "the children to be gone")
            server = self.server(agencies=2, port=server.port)
        with Peer(server.port, 1) as one, Peer(server.port, 2) as two:
            self.assertEqual(one.received(), 100)
            self.assertEqual(two.finish(0), [])
            self.assertEqual(one.finish(100), [str(i) for i in range(100)])
        self.assertEqual(server.stop(), 0)

    def test_two_servers_on_one_folder(self):
        """The second refuses to start and says why; the first is not disturbed."""
        server = self.server(agencies=1)
        second = subprocess.run([BIN / "lottery-server"], cwd=self.folder, text=True,
                                capture_output=True, env={"SERVER_PORT": "0",
                                                          "LOTTERY_DATA_DIR": str(server.folder)})
        self.assertEqual(second.returncode, 1)
        self.assertIn("another server works on this folder", second.stdout)
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([bet()]).received, 1)


class Stopping(Case):
    """SIGTERM and SIGINT at any moment: within a second everything is closed, with a line each."""

    def check_stop(self, server, number=signal.SIGTERM, connections=0, is_in_order=True):
        children = sum(server.children().values(), [])
        begin = time.monotonic()
        server.signal(number)
        self.assertEqual(server.wait(20), 0)
        # The server may take a second; the rest is for sanitizers on a busy machine.
        self.assertLess(time.monotonic() - begin, 4)
        self.assertEqual(server.lines()[-1].text.split(" action: ")[1], "exit | result: success")
        ends = [line.details["process"] for line in server.lines("close_process", "success")]
        self.assertEqual(ends if is_in_order else sorted(ends, reverse=True),
                         ["worker", "worker", "coordinator", "ledger"] if is_in_order else
                         ["worker", "worker", "ledger", "coordinator"])
        self.assertEqual(len(server.lines("close_listener", "success")), 3)
        self.assertGreaterEqual(len(server.lines("close_file", "success")), 1)
        self.assertEqual(len(server.lines("close_connection", "success")), connections)
        self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])
        self.assertEqual([pid for pid in children if os.path.exists(f"/proc/{pid}")], [])

    def test_a_named_pipe_as_settings(self):
        """Nobody writes into it: SIGTERM and SIGINT end the wait."""
        os.mkfifo(self.folder / "config.ini")
        for number in (signal.SIGTERM, signal.SIGINT):
            server = Program("lottery-server", [], {}, self.folder)
            self.programs.append(server)
            wait_until(lambda: any(name.endswith("config.ini")
                                   for name in open_files_of(server.process.pid)),
                       "the pipe to be open")
            server.signal(number)
            self.assertEqual(server.wait(5), 0, server.output())
            self.assertEqual([line.text.split(" action: ")[1] for line in server.lines()],
                             ["exit | result: success"])

    def test_idle(self):
        """There was never a connection."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                server = self.server(level="DEBUG")
                server.wait_ready()
                self.check_stop(server, number)

    def test_at_once(self):
        """Before the workers have come up."""
        for _ in range(5):
            server = self.server(level="DEBUG")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(20), 0)
            self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])
            self.assertEqual(server.lines()[-1].text.split(" action: ")[1],
                             "exit | result: success")

    def test_connected_and_waiting(self):
        """One connection has sent nothing, one half a frame, one waits for the draw."""
        server = self.server(level="DEBUG")
        server.wait_ready()
        with Peer(server.port, 1) as silent, Peer(server.port, 2) as half, \
                Peer(server.port, 3) as waiting:
            half.send_bytes(b"\x00\x10")
            waiting.send_finished(0)
            server.wait_line("agencia_finalizada", "success")
            server.wait_line("accept_connections", "success", count=3)
            self.check_stop(server, connections=3)
            for peer in (silent, half, waiting):
                with self.assertRaises((Closed, ConnectionError)):
                    peer.read()

    def test_while_winners_are_sent(self):
        """100,000 of them, to a peer that does not read."""
        server = self.server(agencies=1, level="DEBUG")
        server.wait_ready()
        count, each = 100_000, 200
        with Peer(server.port) as peer:
            for start in range(0, count, each):
                peer.send_bets([bet(str(start + i), first="A", last="B") for i in range(each)],
                               start)
            for _ in range(0, count, each):
                self.assertEqual(peer.ack().code, pb.ACK_CODE_OK)
            peer.send_finished(count)
            self.assertEqual(peer.read_frame()[0], pb.OPCODE_WINNERS)
            self.check_stop(server, connections=1)

    def test_ctrl_c(self):
        """A terminal sends its signal to every process at once: it is the same as one to the supervisor
        alone."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                server = self.server(level="DEBUG")
                server.wait_ready()
                with Peer(server.port, 1) as peer:
                    self.assertEqual(peer.received(), 0)
                    children = sum(server.children().values(), [])
                    for pid in [server.process.pid, *children]:
                        try:
                            os.kill(pid, number)
                        except ProcessLookupError:
                            pass  # it has ended already
                    self.check_stop(server, number, connections=1, is_in_order=False)

    def test_echo(self):
        """Mode echo: one connection has sent nothing, one half a line."""
        server = self.server(level="DEBUG", mode="echo")
        server.wait_ready()
        with Peer(server.port) as silent, Peer(server.port) as half:
            half.send_bytes(b"half a li")
            server.wait_line("accept_connections", "success", count=2)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(20), 0)
            for peer in (silent, half):
                with self.assertRaises((Closed, ConnectionError)):
                    peer.read_frame()
        self.assertEqual(server.lines()[-1].text.split(" action: ")[1], "exit | result: success")
        self.assertEqual(len(server.lines("close_connection", "success")), 2)

    def test_batches_that_were_read_are_stored_and_acknowledged(self):
        """Many batches, then SIGTERM: whole batches are stored, and exactly those are
        acknowledged."""
        server = self.server(agencies=1, level="INFO")
        with Peer(server.port) as peer:
            for i in range(200):
                peer.send_bets([bet(str(i)), bet(str(i)), bet(str(i))], 3 * i)
            server.wait_line("apuesta_recibida", "success", count=5)
            server.signal(signal.SIGTERM)
            acked = 0
            try:
                while True:
                    ack = peer.ack()
                    self.assertEqual(ack.code, pb.ACK_CODE_OK)
                    acked = ack.received
            except (Closed, ConnectionError):
                pass
        self.assertEqual(server.wait(20), 0)
        self.assertEqual(len(server.bets()), acked)
        self.assertEqual(acked % 3, 0)
        self.assertGreaterEqual(acked, 15)


class CommandLine(Case):
    def run_server(self, *arguments, **environment):
        return subprocess.run([BIN / "lottery-server", *arguments], cwd=self.folder, text=True,
                              capture_output=True, timeout=30, env=environment)

    def test_help_and_version(self):
        """Both are printed on stdout with status 0."""
        self.assertIn("Usage: lottery-server", self.run_server("--help").stdout)
        self.assertRegex(self.run_server("--version").stdout, r"^lottery-server \d+\.\d+\.\d+\n$")

    def test_bad_settings_end_the_start(self):
        """Status 2, with file, line, key and reason."""
        (self.folder / "config.ini").write_text("[DEFAULT]\nSERVER_PORT = 1\nSERVER_PORTS = 2\n")
        result = self.run_server()
        self.assertEqual(result.returncode, 2)
        self.assertIn("config.ini:3: SERVER_PORTS: unknown key", result.stdout)
        (self.folder / "config.ini").unlink()
        result = self.run_server(LOTTERY_AGENCIES="10001")
        self.assertEqual(result.returncode, 2)
        self.assertIn('environment: LOTTERY_AGENCIES: "10001" is not a number of 0..10000',
                      result.stdout)
        self.assertEqual(self.run_server("--nonsense").returncode, 2)
        self.assertEqual(self.run_server("nonsense").returncode, 2)

    def test_cannot_start(self):
        """No data directory, or a port that is taken: status 1, with the reason."""
        result = self.run_server(SERVER_PORT="0", LOTTERY_DATA_DIR="nowhere")
        self.assertEqual(result.returncode, 1)
        self.assertIn("nowhere", result.stdout)
        server = self.server()
        result = self.run_server(SERVER_PORT=str(server.port), SERVER_IP="127.0.0.1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("bind: Address already in use", result.stdout)

    def assert_unhealthy(self, reason, settings):
        result = self.run_server("--health", **settings)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"lottery-server: 127.0.0.1:{settings['SERVER_PORT']}: {reason}",
                      result.stderr)

    def test_health_without_a_ledger(self):
        """A central that cannot store bets is not healthy, although it accepts connections."""
        server = self.server(level="DEBUG")
        server.wait_ready()
        settings = {"SERVER_PORT": str(server.port)}
        ledger = server.children()["ledger"][0]
        os.kill(ledger, signal.SIGSTOP)
        self.assert_unhealthy("no answer within 2 s: the central cannot store bets at the moment\n",
                              settings)
        os.kill(ledger, signal.SIGCONT)
        self.assertEqual(self.run_server("--health", **settings).returncode, 0)

    def test_health(self):
        """--health asks the running server, in both modes: 0 while it answers, 1 when it hangs or is
        gone."""
        for mode in ("lottery", "echo"):
            with self.subTest(mode):
                server = self.server(mode=mode, level="DEBUG", folder=self.folder / mode)
                server.wait_ready()
                settings = {"SERVER_PORT": str(server.port), "SERVER_MODE": mode}
                self.assertEqual(self.run_server("--health", **settings).returncode, 0)
                line = server.wait_line("close_connection", "success")
                self.assertIn("done", line.details["reason"])
                workers = server.children()["worker"]
                for pid in workers:
                    os.kill(pid, signal.SIGSTOP)
                self.assert_unhealthy("no answer within 2 s", settings)
                for pid in workers:
                    os.kill(pid, signal.SIGCONT)
                self.assertEqual(server.stop(), 0)
                self.assert_unhealthy("cannot connect: connection refused", settings)
                self.assertEqual([line.text for line in server.lines() if line.result == "fail"],
                                 [])


if __name__ == "__main__":
    unittest.main()
