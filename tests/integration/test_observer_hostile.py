"""Hostile and broken peers of the observer: each is answered or disconnected, and neither an agency nor
another peer is affected."""
import contextlib
import pathlib
import random
import re
import socket
import threading
import time

from flood import FloodProcess
from observer_case import ask, raw_request
from programs import main, wait_until
from test_hostile import Hostile
from wire import Peer, bet

SLOW = 10  # seconds, for the head of a request
PLACES = 64


class HostileHTTP(Hostile):
    settings = {"SERVER_HTTP_ADDRESS": "127.0.0.1:0"}

    def setUp(self):
        super().setUp()
        self.http = self.lottery.http_port()
        self.lottery.wait_line("start_process", "success", process="observer")

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.http), timeout=30)
        self.addCleanup(connection.close)
        return connection

    def answers_of(self, data):
        """All that comes back for these bytes, up to the end."""
        with socket.create_connection(("127.0.0.1", self.http), timeout=20) as connection:
            with contextlib.suppress(ConnectionError):  # it may end before it has read all
                connection.sendall(data)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while part := connection.recv(65536):
                    answer += part
            return answer

    def check_code(self, data, *codes):
        """The answer has one of these codes, and the connection ends."""
        self.assertRegex(self.answers_of(data),
                         b"^HTTP/1.1 (%s) " % b"|".join(b"%d" % code for code in codes), data[:60])

    def check_answered(self):
        """Another peer is served, and soon."""
        start = time.monotonic()
        self.assertEqual(ask(self.http, "/healthz").text(), "ok\n")
        self.assertLess(time.monotonic() - start, 5)

    def memory(self):
        """The observer's resident memory in bytes."""
        pid = self.lottery.children()["observer"][0]
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.M)[1]) * 1024

    def check_end(self):
        self.check_answered()
        super().check_end()
        self.assertEqual(len(self.lottery.lines("start_process", process="observer")), 1)


class Heads(HostileHTTP):
    def test_too_long(self):
        """A long address, a long line, many lines: refused, whatever still comes."""
        for size in (20_000, 5_000_000):
            self.check_code(raw_request("/" + "a" * size), 414)
            self.check_code(raw_request("/healthz?" + "a" * size), 414)
            self.check_code(raw_request("/healthz", "GET", "X: " + "a" * size), 431)
            self.check_code(raw_request("/healthz", "GET", *["X: a"] * (size // 6)), 431)
        for data in (b"A" * 100_000, b"EHLO lottery\r\n", b"\r\n" * 10_000):
            self.assertNotIn(b" 200 ", self.answers_of(data))
        self.check_end()

    def test_not_http(self):
        """Other versions, no version, no host, lines that are none."""
        for data, code in ((b"GET /healthz HTTP/1.1\r\n\r\n", 400),
                           (b"GET /healthz HTTP/0.9\r\n\r\n", 505),
                           (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
                           (raw_request("/healthz", "GET", "no colon"), 400),
                           (raw_request("/healthz", "GET", "Content-Length: -1"), 400)):
            self.check_code(data, code)
        self.check_code(raw_request("/healthz", "GET", "Content-Length: " + "9" * 30), 413)
        self.check_end()

    def test_bodies(self):
        """None is read, however it is announced, and what follows is no request."""
        after = raw_request("/metrics")
        for head in (["Content-Length: 5"], ["Content-Length: 00"],
                     ["Content-Length: 99999999999"], ["Transfer-Encoding: chunked"],
                     ["Transfer-Encoding: gzip, chunked"], ["Content-Length: 5", "Content-Length: 0"],
                     ["Content-Length: 0", "Content-Length: 5"],
                     ["Content-Length: 0", "Transfer-Encoding: chunked"],
                     ["Expect: 100-continue", "Content-Length: 5"]):
            for method, codes in (("GET", (413, 400)), ("POST", (405, 400))):
                answer = self.answers_of(raw_request("/healthz", method, *head) + b"hello" + after)
                self.assertRegex(answer, b"^HTTP/1.1 (%d|%d) " % codes, head)
                self.assertNotIn(b"version=0.0.4", answer)
        with self.connect() as connection:  # much of it
            connection.sendall(raw_request("/", "POST", "Content-Length: 9999999999"))
            with self.assertRaises((ConnectionError, socket.timeout)):
                while True:
                    connection.sendall(bytes(1 << 20))
        self.check_end()

    def test_garbage(self):
        """Bytes of any kind, and requests with errors of any kind, whole and cut."""
        generator = random.Random(7574)
        good = raw_request("/api/agencies?a=b", "GET", "Accept: */*", "Connection: keep-alive")
        samples = [bytes(30_000), b"\r\n" * 3000, b"\xff" * 3000, b"GET " * 5000, b"\n" * 3000]
        for _ in range(300):
            data = bytearray(good * generator.randrange(1, 3))
            for _ in range(generator.randrange(1, 6)):
                at = generator.randrange(len(data))
                data[at:at + generator.randrange(3)] = generator.randbytes(generator.randrange(3))
            samples.append(bytes(data[:generator.randrange(len(data) + 1)]))
            samples.append(generator.randbytes(generator.randrange(300)))
        for data in samples:
            with socket.create_connection(("127.0.0.1", self.http), timeout=30) as connection:
                try:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                    connection.settimeout(0.002)
                    connection.recv(65536)
                except OSError:
                    pass
        self.check_end()


class Patience(HostileHTTP):
    def test_slow_heads(self):
        """One that comes byte by byte, and one that never comes, perhaps because it is of another
        protocol, are cut after the same time."""
        start = time.monotonic()
        silent = [self.connect() for _ in range(10)]
        silent[0].sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500))  # TLS
        silent[1].sendall(b"\x00\x00\x00\x00\x10" + bytes(16))  # an agency's frame
        dripping = [self.connect() for _ in range(10)]
        data = raw_request("/healthz", "GET", "X: " + "a" * 1000)
        is_over = threading.Event()

        def drip():
            for byte in data:
                for connection in dripping:
                    try:
                        connection.send(bytes([byte]))
                    except OSError:
                        pass
                if is_over.wait(0.1):
                    return
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            while time.monotonic() - start < SLOW - 2:
                self.check_honest(1)
                self.check_answered()
                time.sleep(0.1)
            for connection in silent[2:]:  # the others may be refused at once
                connection.setblocking(False)
                with self.assertRaises(BlockingIOError):
                    connection.recv(1)
                connection.settimeout(30)
            for connection in silent + dripping:
                try:
                    self.assertEqual(connection.recv(1), b"")
                except ConnectionError:
                    pass
            self.assertLess(time.monotonic() - start, SLOW + 3)
        finally:
            is_over.set()
            thread.join()
        self.check_end()

    def test_half_open(self):
        """A peer that ends its side is answered all the same, and one that vanishes costs nothing."""
        with self.connect() as connection:
            connection.sendall(raw_request("/healthz"))
            connection.shutdown(socket.SHUT_WR)
            self.assertIn(b"200 OK", connection.recv(65536))
        for _ in range(300):
            with self.connect() as connection:
                connection.sendall(raw_request("/api/agencies")[:random.randrange(60)])
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      b"\x01\0\0\0\0\0\0\0")  # a reset
        self.check_end()

    def test_who_never_reads(self):
        """It asks on and on: no more of its answers are made than it reads."""
        self.check_answered()
        before = self.memory()
        for _ in range(20):
            connection = self.connect()
            connection.setblocking(False)
            try:
                while True:
                    connection.send(raw_request("/api/agencies") * 100)
            except BlockingIOError:
                pass
        for _ in range(20):
            self.check_honest(1)
            self.check_answered()
        self.assertLess(self.memory() - before, 64 << 20)
        self.check_end()


class Crowds(HostileHTTP):
    def test_more_than_there_are_places(self):
        """500 connections that say nothing: whoever asks is answered, and the agencies go on."""
        crowd = [self.connect() for _ in range(500)]
        for _ in range(20):
            self.check_honest(1)
            self.check_answered()
        open_ones = 0
        for connection in crowd:
            connection.setblocking(False)
            try:
                open_ones += connection.recv(1) != b""
            except BlockingIOError:
                open_ones += 1
            except ConnectionError:
                pass
        self.assertLessEqual(open_ones, PLACES)
        self.assertGreater(open_ones, PLACES // 2)
        self.check_end()

    def test_pipelining(self):
        """Thousands of requests at once have as many answers, and nobody has to wait for them."""
        count = 3000
        connection = self.connect()
        sender = threading.Thread(target=lambda: connection.sendall(raw_request("/healthz") * count))
        sender.start()
        got = b""
        tail = b""
        answers = 0
        while answers < count:
            got = connection.recv(65536)
            self.assertNotEqual(got, b"")
            answers += (tail + got).count(b"HTTP/1.1 200 OK") - tail.count(b"HTTP/1.1 200 OK")
            tail = got[-14:]
        sender.join()
        self.check_end()

    def test_beside_agencies(self):
        """A flood of connections with garbage, while agencies send their bets."""
        with FloodProcess(self.http, "mixed", 500, 500) as flood, \
                FloodProcess(self.http, "endless", 20, 100):
            with Peer(self.lottery.port, 2) as peer:
                for i in range(300):
                    self.assertEqual(peer.bets([bet(str(i))], i).received, i + 1)
            self.check_honest(100)
            wait_until(lambda: flood.counts().opened > 500, "the flood")
            for _ in range(5):
                self.check_answered()
        wait_until(lambda: self.memory() < 256 << 20, "no more memory than that")
        self.check_end()


if __name__ == "__main__":
    main()
