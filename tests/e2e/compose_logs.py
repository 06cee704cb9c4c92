#!/usr/bin/env python3
"""Puts the lines of `docker compose logs --timestamps` in the order in which they were written.

Compose reads each container's log separately, so the end of one can come before lines that another
container wrote long before. Each line waits here for a moment, and the waiting lines leave in the order
of their times. The timestamps are removed, and so is the escape sequence with which some versions of
Compose begin a line.

A line's time is when the engine has read it, and the engine is slower with a container that writes much.
So the server's lines, which are many and which cause the clients', count as written a little earlier.
The order of lines within that time is not reliable: that a client gets its winners only after the draw is
checked by the project's own tests, which read the programs' output directly.
"""
import calendar
import heapq
import os
import re
import select
import sys
import time

WAIT_SECONDS = 1.0
SERVER_LEAD_NS = 500_000_000
READ_BYTES = 1 << 16
ESCAPE = b"\x1b[2K"
LINE = re.compile(rb"([^|]*\| )(\d{4}-\d\d-\d\dT[\d:]+)[.]?(\d*)Z ?(.*)", re.DOTALL)


def take_apart(line):
    """When it was written, in ns, and the line without that; Compose's own are written right now."""
    line = line.replace(ESCAPE, b"")
    match = LINE.fullmatch(line)
    if match is None:
        return time.time_ns(), line
    seconds = calendar.timegm(time.strptime(match[2].decode(), "%Y-%m-%dT%H:%M:%S"))
    written = seconds * 1_000_000_000 + int(match[3].ljust(9, b"0"))
    lead = SERVER_LEAD_NS if match[1].startswith(b"server ") else 0
    return written - lead, match[1] + match[4]


class Sorter:
    def __init__(self, write):
        self.write = write
        self.waiting = []  # a heap of (written, number, came, line)
        self.number = 0

    def add(self, line):
        written, line = take_apart(line)
        self.number += 1
        heapq.heappush(self.waiting, (written, self.number, time.monotonic(), line))

    def release(self, until):
        """Writes what has come before `until`, and nothing before what was written earlier."""
        while self.waiting and self.waiting[0][2] <= until:
            self.write(heapq.heappop(self.waiting)[3])


def main():
    source = sys.stdin.fileno()
    sorter = Sorter(sys.stdout.buffer.write)
    rest = b""
    while True:
        if select.select([source], [], [], WAIT_SECONDS / 5)[0]:
            data = os.read(source, READ_BYTES)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                sorter.add(line + b"\n")
        sorter.release(time.monotonic() - WAIT_SECONDS)
        sys.stdout.flush()
    if rest:
        sorter.add(rest)
    sorter.release(float("inf"))
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody listens any more
