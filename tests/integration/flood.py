"""Connections that send garbage, many at a time and without end.

flood.py PORT KIND CONNECTIONS PER_SECOND keeps as many connections open as the server lets it. Those that
are closed are replaced, by at most PER_SECOND new ones a second. Each sends what KIND says, reads
nothing, and stays open; those of kind "endless" send on and on, and read what comes. Says how many are
connected and were opened each time that a line comes in, and ends when its input does.
"""
import collections
import errno
import pathlib
import random
import resource
import select
import socket
import subprocess
import sys
import time

SIZE = 64 * 1024
QUESTION = b"\x00\x02\x00\x00\x00\x08\x02"  # of agency 2: how many bets do you have?
KINDS = {
    "zeros": lambda generator: bytes(SIZE),  # 13,107 messages of no agency
    "endless": lambda generator: bytes(SIZE),
    "questions": lambda generator: QUESTION * (SIZE // len(QUESTION)),
    "mixed": lambda generator: generator.choice((
        bytes(SIZE), generator.randbytes(SIZE), b"GET / HTTP/1.1\r\n" * (SIZE // 16),
        QUESTION[:3], b"\x00\xff\x1f\x00\x00" + bytes(1000), b"")),
}
TICK = 0.01  # seconds
SPARE_DESCRIPTORS = 64


class Flood:
    """The connections, in this process."""

    def __init__(self, port, kind, connections, per_second):
        self.port = port
        self.make = KINDS[kind]
        self.is_endless = kind == "endless"
        self.generator = random.Random(7574)
        self.connections = connections
        self.per_second = per_second
        self.allowed = 0.0
        self.last = time.monotonic()
        self.opened = 0
        self.poll = select.epoll()
        self.open = {}  # by descriptor: the socket and the bytes that it still has to send

    def turn(self):
        """Opens what may be opened now, and sends what is taken."""
        now = time.monotonic()
        self.allowed = min(self.allowed + (now - self.last) * self.per_second, self.per_second)
        self.last = now
        while self.allowed >= 1 and len(self.open) < self.connections:
            self.allowed -= 1
            self.connect()
        for fd, event in self.poll.poll(TICK):
            if event & (select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP):
                self.drop(fd)
                continue
            try:
                if event & select.EPOLLIN:
                    self.open[fd][0].recv(SIZE)
                if event & select.EPOLLOUT:
                    self.send(fd)
            except BlockingIOError:
                pass
            except OSError:
                self.drop(fd)

    def connect(self):
        connection = socket.socket()
        connection.setblocking(False)
        if connection.connect_ex(("127.0.0.1", self.port)) not in (0, errno.EINPROGRESS):
            connection.close()
            return
        self.opened += 1
        self.open[connection.fileno()] = [connection, memoryview(self.make(self.generator))]
        self.poll.register(connection, select.EPOLLOUT | select.EPOLLRDHUP |
                           (select.EPOLLIN if self.is_endless else 0))

    def drop(self, fd):
        self.poll.unregister(fd)
        self.open.pop(fd)[0].close()

    def send(self, fd):
        connection, data = self.open[fd]
        data = data[connection.send(data):]
        if not data and self.is_endless:
            data = memoryview(self.make(self.generator))
        self.open[fd][1] = data
        if not data:
            self.poll.modify(fd, select.EPOLLRDHUP)

    def close(self):
        for fd in list(self.open):
            self.drop(fd)


class FloodProcess:
    """A flood in a process of its own, until the end of the `with` block."""
    Counts = collections.namedtuple("Counts", "connected opened")

    def __init__(self, port, kind, connections, per_second, nice=19):
        self.process = subprocess.Popen(
            ["nice", "-n", str(nice), sys.executable, pathlib.Path(__file__), str(port), kind,
             str(connections), str(per_second)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def counts(self):
        """How many are connected, and how many have ever been opened."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.Counts(*map(int, self.process.stdout.readline().split()))


def main():
    port, kind, connections, per_second = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = min(int(connections) + SPARE_DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    flood = Flood(int(port), kind, min(int(connections), hard - SPARE_DESCRIPTORS), int(per_second))
    while True:
        flood.turn()
        if select.select([sys.stdin], [], [], 0)[0]:
            if sys.stdin.readline() == "":
                return
            print(len(flood.open), flood.opened, flush=True)


if __name__ == "__main__":
    main()
