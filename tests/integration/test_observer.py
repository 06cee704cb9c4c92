"""The observer: what it answers, when it says that the server is ready, and that nobody else notices
it."""
import http.client
import os
import resource
import signal
import socket
import subprocess
import threading

import test_privileges
from observer_case import ObserverCase, ask, raw_request
from programs import BIN, Program, environment_with, main, open_files_of, wait_until
from test_movements import MovementCase
from wire import Peer, bet, pb

TEXT = "text/plain; charset=utf-8"
TYPES = {"/": "text/html; charset=utf-8", "/healthz": TEXT, "/readyz": TEXT,
         "/metrics": "text/plain; version=0.0.4; charset=utf-8",
         "/api/status": "application/json", "/api/agencies": "application/json"}


class Answers(ObserverCase):
    def check_headers(self, answer, content_type):
        self.assertEqual(answer.headers["Content-Type"], content_type)
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertIsNone(answer.headers["Server"])
        self.assertIsNone(answer.headers["Access-Control-Allow-Origin"])

    def test_each_path(self):
        """GET has a body, HEAD the same headers without one; a query string is ignored."""
        server = self.observed()
        self.wait_ready(server)
        for path, content_type in TYPES.items():
            for asked in (path, path + "?", path + "?a=b&c=%00"):
                answer = self.ask(server, asked)
                self.assertEqual(answer.code, 200, asked)
                self.check_headers(answer, content_type)
                self.assertGreater(len(answer.body), 0)
            self.assertEqual("Content-Security-Policy" in answer.headers, path == "/")
            head = self.ask(server, path, method="HEAD")
            self.assertEqual((head.code, head.body), (200, b""))
            self.check_headers(head, content_type)
            self.assertGreater(int(head.headers["Content-Length"]), 0)
        self.assertEqual(self.ask(server, "/healthz").text(), "ok\n")
        self.assertEqual(self.ask(server, "/readyz").text(), "ready\n")
        self.assertEqual(server.stop(), 0)

    def test_other_methods_and_paths(self):
        """They have a clear answer, and the connection goes on."""
        server = self.observed()
        connection = http.client.HTTPConnection("127.0.0.1", server.http_port(), timeout=20)
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE"):
            for path in ("/", "/readyz", "/nothing"):
                answer = self.ask(server, path, method=method)
                self.assertEqual(answer.code, 405, method)
                self.assertEqual(answer.headers["Allow"], "GET, HEAD")
                self.check_headers(answer, TEXT)
        for path in ("/nothing", "/healthz/", "/api", "/api/status/", "//", "/../healthz",
                     "/%2e%2e/etc/passwd", "/favicon.ico", "/index.html"):
            connection.request("GET", path)
            response = connection.getresponse()
            self.assertEqual((response.status, response.read()), (404, b"there is nothing here\n"))
        connection.close()

    def test_a_body(self):
        """Nobody reads it."""
        server = self.observed()
        for method, code in (("GET", 413), ("HEAD", 413), ("POST", 405)):
            connection = http.client.HTTPConnection("127.0.0.1", server.http_port(), timeout=20)
            connection.request(method, "/readyz", body=b"x" * 100)
            response = connection.getresponse()
            self.assertEqual(response.status, code)
            self.assertEqual(response.headers["Connection"], "close")
            connection.close()

    def test_keep_alive(self):
        """A connection serves many requests, also when they come together."""
        server = self.observed()
        self.wait_ready(server)
        with socket.create_connection(("127.0.0.1", server.http_port())) as connection:
            stream = connection.makefile("rb")
            for count in (1, 1, 100):
                connection.sendall(raw_request("/healthz") * count)
                for _ in range(count):
                    lines = []
                    while lines[-1:] != [b"\r\n"]:
                        lines.append(stream.readline())
                    self.assertEqual(lines[0], b"HTTP/1.1 200 OK\r\n")
                    self.assertEqual(stream.readline(), b"ok\n")

    def test_several_clients(self):
        """At once, each on a connection of its own."""
        server = self.observed()
        self.wait_ready(server)
        answers = []

        def ask_often():
            connection = http.client.HTTPConnection("127.0.0.1", server.http_port(), timeout=60)
            for _ in range(50):
                for path in TYPES:
                    connection.request("GET", path)
                    response = connection.getresponse()
                    answers.append((response.status, len(response.read()) > 0))
            connection.close()
        threads = [threading.Thread(target=ask_often) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [(200, True)] * (20 * 50 * len(TYPES)))


class Addresses(ObserverCase):
    def run_to_end(self, **settings):
        return subprocess.run([BIN / "lottery-server"], cwd=self.folder, text=True,
                              capture_output=True, timeout=60, env=environment_with({
                                  "SERVER_PORT": "0", "LOTTERY_DATA_DIR": str(self.folder),
                                  "ASAN_OPTIONS": "detect_leaks=0", **settings}))

    def test_off(self):
        """Without an address, and with an empty one, there is no such process, and no word of it."""
        for settings in ({}, {"SERVER_HTTP_ADDRESS": ""}):
            server = self.server(level="DEBUG", **settings)
            server.wait_ready()
            self.assertEqual(server.stop(), 0)
            self.assertNotIn("http", server.output())
            self.assertEqual(server.lines("start_process", process="observer"), [])

    def test_addresses(self):
        """A port alone is one of this machine alone."""
        cases = [("0", "127.0.0.1", ["127.0.0.1"]), ("127.0.0.1:0", "127.0.0.1", ["127.0.0.1"]),
                 ("0.0.0.0:0", "0.0.0.0", ["127.0.0.1", "127.0.0.2"])]
        if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
            cases += [("[::1]:0", "::1", ["::1"]), ("[::]:0", "::", ["::1", "127.0.0.1"])]
        for text, ip, hosts in cases:
            server = self.observed(SERVER_HTTP_ADDRESS=text)
            line = server.lines("http_listen", "success")[0]
            self.assertEqual(line.details["ip"], ip)
            self.assertEqual(server.lines("config")[0].details["http_address"], text)
            for host in hosts:
                self.assertEqual(self.ask(server, "/healthz", host=host).code, 200)
            if text == "0":
                with self.assertRaises(ConnectionRefusedError):
                    self.ask(server, "/healthz", host="127.0.0.2")
            self.assertEqual(server.stop(), 0)

    def test_bad_addresses(self):
        """Status 2, with the place, the setting and the reason."""
        for text in ("localhost:9090", "127.0.0.1", ":9090", "65536", "::1:9090", "http://[::1]:1"):
            ended = self.run_to_end(SERVER_HTTP_ADDRESS=text)
            self.assertEqual(ended.returncode, 2)
            self.assertIn(f'environment: SERVER_HTTP_ADDRESS: "{text}" is not a port, or an IP '
                          "address and a port", ended.stdout)
        self.assertEqual(self.run_to_end(SERVER_METRICS_PER_AGENCY="maybe").returncode, 2)

    def test_in_use(self):
        """Status 1, with what to do. A data directory that is in use is told first."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            ended = self.run_to_end(SERVER_HTTP_ADDRESS=address)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(f"action: start | result: fail | reason: SERVER_HTTP_ADDRESS: {address} is "
                          "taken: set another, or stop the program that listens there",
                          ended.stdout)
            server = self.server(folder=self.folder)
            ended = self.run_to_end(SERVER_HTTP_ADDRESS=address)
            self.assertEqual(ended.returncode, 1)
            self.assertIn("another server works on this folder", ended.stdout)
            self.assertEqual(server.stop(), 0)

    def test_again_at_once(self):
        """The port can be taken again although connections of the last server linger."""
        server = self.observed()
        port = server.http_port()
        self.wait_ready(server)
        for _ in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/healthz")
            self.assertEqual(connection.getresponse().status, 200)
            self.assertEqual(server.stop(), 0)
            connection.close()
            server = self.observed(SERVER_HTTP_ADDRESS=str(port))
            self.assertEqual(self.ask(server, "/healthz").code, 200)


class NobodyNotices(ObserverCase):
    def test_it_dies(self):
        """Again and again, while an agency sends bets: no line of anybody else, no other connection."""
        server = self.observed(agencies=1)
        server.wait_ready()
        with Peer(server.port, 1) as peer:
            for round_number in range(5):
                self.assertEqual(peer.bets([bet(str(round_number))], round_number).received,
                                 round_number + 1)
                number = (signal.SIGKILL, signal.SIGTERM)[round_number % 2]
                os.kill(server.children()["observer"][0], number)
                server.wait_line("start_process", "success", process="observer",
                                 count=round_number + 2)
                self.assertEqual(self.ask(server, "/healthz").code, 200)
            self.wait_ready(server)
            self.assertEqual(len(peer.finish(5)), 5)
        self.assertEqual(server.stop(), 0)
        fails = [line for line in server.lines() if line.result == "fail"]
        self.assertEqual([line.text for line in fails
                          if not line.is_about("close_process", process="observer")], [])
        self.assertEqual(len(fails), 5)
        self.assertEqual(len(server.lines("start_process")), 4 + 1 + 5)

    def test_it_cannot_stay(self):
        """It is killed whenever it starts: the lottery takes place."""
        server = self.observed(agencies=1)
        server.wait_ready()
        is_over = threading.Event()

        def keep_killing():
            while not is_over.wait(0.01):
                server.kill_one("observer")
        killer = threading.Thread(target=keep_killing)
        killer.start()
        try:
            with Peer(server.port, 1) as peer:
                for i in range(100):
                    self.assertEqual(peer.bets([bet(str(i))], i).received, i + 1)
                self.assertEqual(len(peer.finish(100)), 100)
        finally:
            is_over.set()
            killer.join()
        self.assertEqual(server.stop(), 0)
        self.assertEqual([line.text for line in server.lines("close_process", "fail")
                          if line.details["process"] != "observer"], [])

    def test_echo(self):
        """In mode echo there is no ledger to ask."""
        server = self.observed(mode="echo")
        self.wait_ready(server)
        for path in TYPES:
            self.assertEqual(self.ask(server, path).code, 200, path)
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"hello\n")
            self.assertEqual(connection.recv(100), b"hello\n")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.lines("close_process", "fail"), [])

    def test_it_holds_no_stop_up(self):
        """A stop with the observer, whose clients stay connected, is as quick as one without."""
        server = self.observed()
        self.wait_ready(server)
        connection = http.client.HTTPConnection("127.0.0.1", server.http_port(), timeout=20)
        connection.request("GET", "/healthz")
        self.assertEqual(connection.getresponse().status, 200)
        self.assertEqual(server.stop(), 0)
        connection.close()
        order = [line.details["process"] for line in server.lines("close_process", "success")]
        self.assertEqual(order, ["worker", "worker", "coordinator", "ledger", "observer"])
        self.assertEqual(server.lines("close_process", "fail"), [])
        closed = [int(line.details["port"]) for line in server.lines("close_listener", "success")
                  if "port" in line.details]
        self.assertEqual(closed, [server.port, server.http_port()])


class Readiness(ObserverCase):
    def full_folder(self):
        """A data directory whose server was killed."""
        server = self.observed(agencies=1)
        with Peer(server.port, timeout=60) as peer:
            for start in range(0, 30_000, 100):
                peer.send_bets([bet(str(start + i), "A", "B") for i in range(100)], start)
            for _ in range(0, 30_000, 100):
                self.assertEqual(peer.ack().code, pb.ACK_CODE_OK)
        ledger = server.children()["ledger"][0]
        server.signal(signal.SIGKILL)
        server.wait()
        wait_until(lambda: not os.path.exists(f"/proc/{ledger}"), "the ledger to be gone")
        return server.folder

    def check_recovering(self, port):
        self.assertEqual(ask(port, "/healthz").text(), "ok\n")
        answer = ask(port, "/readyz")
        self.assertEqual((answer.code, answer.text()),
                         (503, "not ready: the ledger has not recovered yet\n"
                               "not ready: 2 of 2 workers do not accept connections\n"))
        for path in TYPES:
            self.assertEqual(ask(port, path).code, 503 if path == "/readyz" else 200, path)

    def test_recovery(self):
        """While the ledger recovers, before the server listens."""
        folder = self.full_folder()
        for _ in range(20):
            program = Program("lottery-server", [], {
                "SERVER_PORT": "0", "SERVER_HTTP_ADDRESS": "0", "LOTTERY_AGENCIES": "1",
                "LOTTERY_DATA_DIR": str(folder), "SERVER_WORKERS": "2",
                "LOGGING_LEVEL": "DEBUG", "ASAN_OPTIONS": "detect_leaks=0"}, self.folder)
            self.programs.append(program)
            line = program.wait_line("start_process", "success", process="ledger")
            port = int(program.lines("http_listen")[0].details["port"])
            with self.stopped(int(line.details["pid"])):
                is_in_time = program.lines("recover_store") == []
                if is_in_time:
                    self.check_recovering(port)
            program.wait_line("listen", "success")
            wait_until(lambda: ask(port, "/readyz").code == 200, "the server to be ready")
            self.assertEqual(program.stop(), 0)
            if is_in_time:
                return
        self.fail("no signal came in time")

    def test_ledger_and_workers(self):
        """The ledger dies, and is not started again at once; a worker that has heard no news from it
        does not accept."""
        server = self.observed()
        server.wait_ready()
        self.wait_ready(server)
        with self.stopped(server.process.pid):
            os.kill(server.children()["ledger"][0], signal.SIGKILL)
            self.wait_reason(server, "the ledger is away")
            self.assertEqual(self.readiness(server), ["the ledger is away"])
            self.assertEqual(self.ask(server, "/healthz").code, 200)
        line = server.wait_line("start_process", "success", process="ledger", count=2)
        self.wait_ready(server)
        with self.stopped(int(line.details["pid"])):
            os.kill(server.children()["worker"][1], signal.SIGKILL)
            self.wait_reason(server, "1 of 2 workers do not accept connections")
            self.assertEqual(self.readiness(server), ["1 of 2 workers do not accept connections"])
        self.wait_ready(server)
        self.assertEqual(server.stop(), 0)

    def test_full_disk(self):
        """From the first bets that cannot be stored until there is room again."""
        server = self.observed(agencies=1)
        self.wait_ready(server)
        ledger = server.children()["ledger"][0]
        with Peer(server.port) as peer:
            self.assertEqual(peer.bets([bet("1")]).received, 1)
            limits = resource.prlimit(ledger, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            self.assertEqual(peer.bets([bet("2")], 1).code, pb.ACK_CODE_STORAGE_ERROR)
            self.wait_reason(server, "the last bets could not be stored: no space left")
            resource.prlimit(ledger, resource.RLIMIT_FSIZE, limits)
            self.assertEqual(peer.bets([bet("2")], 1).received, 2)
        self.wait_ready(server)
        self.assertEqual(server.stop(), 0)

    def links_of(self, pid):
        """How many Unix sockets the process has open."""
        known = test_privileges.sockets()
        return sum(known.get(name[8:-1]) == "Unix stream" for name in open_files_of(pid)
                   if name.startswith("socket:["))

    def check_stop(self):
        """Stops a server whose ledger stands still from the moment at which it has begun to stop. False
        if it was quicker."""
        server = self.observed()
        self.wait_ready(server)
        connection = http.client.HTTPConnection("127.0.0.1", server.http_port(), timeout=20)
        self.addCleanup(connection.close)
        ledger = server.children()["ledger"][0]
        observer = server.children()["observer"][0]
        self.assertEqual(self.links_of(observer), 1)

        def body_of(path):
            os.kill(ledger, signal.SIGSTOP)  # the supervisor has it run again, once
            connection.request("GET", path)
            return connection.getresponse().read()
        server.signal(signal.SIGTERM)
        try:
            wait_until(lambda: b"not ready: stopping\n" in body_of("/readyz"), "the word", pause=0)
            self.assertEqual(body_of("/healthz"), b"ok\n")
            # The ledger waits for all links to end.
            self.assertEqual(self.links_of(observer), 0)
            os.kill(ledger, signal.SIGCONT)
        except (OSError, http.client.HTTPException):
            self.assertEqual(server.wait(), 0)
            return False
        self.assertEqual(server.wait(), 0)
        return True

    def test_stop(self):
        """From the beginning of a stop to its end, it says so."""
        self.assertTrue(any(self.check_stop() for _ in range(20)))


class Movements(MovementCase, ObserverCase):
    def ctl(self, *arguments):
        subprocess.run([BIN / "lottery-ctl", "--data-dir", self.data, *arguments], check=True,
                       capture_output=True, timeout=60)

    def test_reload_and_next(self):
        """It answers on the same socket, before and after."""
        server = self.start(1, {"LOTTERY_DRAW": "manual", "LOTTERY_DRAW_ID": "one"},
                            SERVER_HTTP_ADDRESS="0")
        self.wait_ready(server)
        self.reload(server)
        server.wait_line("start_process", "success", process="observer", count=2)
        self.wait_ready(server)
        with Peer(server.port, 1, draw="one") as peer:
            peer.bets([bet("7")])
            peer.send_finished(1)
            server.wait_line("sello", "in_progress")
            wait_until(lambda: (self.data / "one" / "seal.txt").exists(), "the seal")
            self.ctl("draw", "7574")
            self.assertEqual(peer.winners(), ["7"])
        self.ctl("next", "two")
        server.wait_line("start_process", "success", process="observer", count=3)
        self.wait_ready(server)
        self.assertEqual(len(server.children()["observer"]), 1)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.lines("close_process", "fail"), [])

    def test_another_address(self):
        """The socket belongs to the server as long as it runs."""
        server = self.start(1, {"SERVER_HTTP_ADDRESS": "0"}, SERVER_METRICS_PER_AGENCY=None)
        self.wait_ready(server)
        self.configure(1, SERVER_HTTP_ADDRESS="127.0.0.1:0")
        line = self.reload(server, "fail")
        self.assertIn("SERVER_HTTP_ADDRESS cannot change while the server runs", line.text)
        self.configure(1, SERVER_HTTP_ADDRESS="0", SERVER_METRICS_PER_AGENCY="yes")
        self.reload(server)
        self.wait_ready(server)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    main()
