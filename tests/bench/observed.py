"""What it costs the workers that many look at the server."""
import contextlib
import itertools
import multiprocessing
import os
import re
import shutil
import socket
import time

from lottery import Lottery
from garbage import cpu_seconds

HTTP = re.compile(r"action: http_listen \| result: success \| port: (\d+)")
LENGTH = re.compile(rb"(?i)^content-length: *(\d+)\r$", re.M)
PER_SECOND = 1000  # requests
PATHS = ("/metrics", "/api/status", "/api/agencies", "/readyz")
BLOCK = 1 << 20  # bytes


def ask(connection, path):
    """One request on a connection that stays open; the whole answer is read."""
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: lottery\r\n\r\n" % path.encode())
    answer = b""
    while True:
        data = connection.recv(BLOCK)
        if not data:
            raise ConnectionError("the observer closed the connection")
        answer += data
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and len(body) == int(LENGTH.search(head + b"\r\n")[1]):
            return


def ask_on(port, served, is_over):
    """Requests at their rate, as long as wanted. Who falls behind catches up."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, path in enumerate(itertools.cycle(PATHS)):
            if is_over.is_set():
                return
            time.sleep(max(0, begin + number / PER_SECOND - time.monotonic()))
            ask(connection, path)
            served.value = number + 1


class Asker:
    """A process that asks the observer as long as the `with` block lasts."""

    def __init__(self, port):
        context = multiprocessing.get_context("fork")
        self.served = context.Value("L", 0, lock=False)
        self.is_over = context.Event()
        self.process = context.Process(target=ask_on, args=(port, self.served, self.is_over))

    def __enter__(self):
        self.process.start()
        self.begin = time.monotonic()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.process.join(10)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()

    def per_second(self):
        if self.process.exitcode is not None:
            raise AssertionError("who asks the observer has ended")
        return self.served.value / (time.monotonic() - self.begin)


class Observed:
    """(p) As (b), in turn alone and with 1,000 requests a second on the observer: the workers' time."""
    letter = "p"

    def __init__(self, plan):
        self.dataset = plan.dataset(plan.bets)
        self.order = [("alone", False), ("asked", True)]

    def run(self, folder):
        figures = {}
        for name, is_asked in self.order:
            part = folder / name
            part.mkdir()
            os.sync()  # it must not wait for what the other one has written
            for figure, value in self.measure(part, is_asked).items():
                figures[f"{name}_{figure}"] = value
            shutil.rmtree(part)
        self.order.reverse()
        figures["asked_to_alone"] = figures["asked_workers_cpu_s"] / figures["alone_workers_cpu_s"]
        return figures

    def measure(self, folder, is_asked):
        figures = {}
        with Lottery(folder, len(self.dataset.files), SERVER_HTTP_ADDRESS="0") as lottery:
            port = int(lottery.server.wait_text(HTTP)[1])
            with Asker(port) if is_asked else contextlib.nullcontext() as asker:
                begin = time.monotonic()
                lottery.start_agencies(self.dataset)
                lottery.wait_agencies(self.dataset)
                figures["s"] = time.monotonic() - begin
                if is_asked:
                    figures["per_s"] = asker.per_second()
            used = {pid: cpu_seconds([pid]) for pid in lottery.pids()}
            lottery.server.stop()
            roles = lottery.roles()
            lottery.check_stored(self.dataset.bets)
        figures["workers_cpu_s"] = sum(cpu for pid, cpu in used.items() if roles.get(pid) == "worker")
        return figures
