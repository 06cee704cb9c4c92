"""Writes the pictures of the live page that docs/observer.md shows: page_screenshots.py [DIR].

They are taken of a real lottery with made-up bettors, which five agencies bring in for two minutes. On
a desktop in English and light, on a phone in Spanish and dark. To be run by hand when the page has
changed, with LOTTERY_BIN as for the tests; look at what it has written.
"""
import contextlib
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

from programs import BIN, ROOT, Server, environment_with, wait_until
from webdriver import Browser
from wire import Peer, bet

DRAW = "2026-11-26-nocturna"
SECONDS = 122  # what the chart shows, and a little more
RATES = (520, 470, 310, 190, 60)  # bets a second of each agency, on average
BATCH = 100
PNG = b"\x89PNG\r\n\x1a\n"


class Agency(threading.Thread):
    """Brings in made-up bets at a changing pace, then says that it is finished."""

    def __init__(self, port, agency, rate):
        super().__init__(daemon=True)
        self.peer = Peer(port, agency, draw=DRAW, timeout=600)
        self.random = random.Random(agency)
        self.rate = rate
        self.count = 0
        self.ends = threading.Event()

    def run(self):
        begin = time.monotonic()
        pace = 1.0
        due = 0.0
        while not self.ends.is_set():
            now = time.monotonic() - begin
            pace = min(1.6, max(0.4, pace + self.random.uniform(-0.12, 0.12)))
            due += pace * self.rate * 0.05
            while self.count + BATCH <= due:
                self.peer.bets([bet(document=str(20000000 + self.random.randrange(10**7)),
                                    number=self.random.randrange(10000)) for _ in range(BATCH)],
                               self.count)
                self.count += BATCH
            self.ends.wait(max(0, begin + now + 0.05 - time.monotonic()))
        self.peer.finish(self.count)


def read_png(data):
    """Width, height and lines of pixels, three bytes each, of a PNG as Chromium writes it."""
    assert data.startswith(PNG)
    at, packed = len(PNG), b""
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack_from(">IIBB", body)
            assert depth == 8 and colour in (2, 6), (depth, colour)
            step = 3 if colour == 2 else 4
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    raw = zlib.decompress(packed)
    lines, above = [], bytearray(width * step)
    for y in range(height):
        begin = y * (width * step + 1)
        line = bytearray(raw[begin + 1:begin + 1 + width * step])
        unfilter(raw[begin], line, above, step)
        lines.append(bytes(line))
        above = line
    if step == 4:
        lines = [b"".join(line[i:i + 3] for i in range(0, len(line), 4)) for line in lines]
    return width, height, lines


def unfilter(kind, line, above, step):
    """Undoes one of PNG's five filters."""
    for i, value in enumerate(line):
        left = line[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        if kind == 1:
            value += left
        elif kind == 2:
            value += above[i]
        elif kind == 3:
            value += (left + above[i]) // 2
        elif kind == 4:
            guess = left + above[i] - corner
            value += min((abs(guess - other), order, other)
                         for order, other in enumerate((left, above[i], corner)))[2]
        line[i] = value & 0xFF


def write_png(width, height, lines):
    """The same with a palette, which makes it small: of 256 colours, and the last bits of each are
    dropped until they suffice."""
    for bits in range(8):
        mask = 0xFF & ~((1 << bits) - 1)
        short = [bytes(value & mask for value in line) if bits else line for line in lines]
        first = {}  # each colour, and the first of those that became it
        for line, full in zip(short, lines):
            for i in range(0, len(line), 3):
                first.setdefault(line[i:i + 3], full[i:i + 3])
        if len(first) <= 256:
            break
    index = {colour: i for i, colour in enumerate(first)}
    raw = b"".join(b"\0" + bytes(index[line[i:i + 3]] for i in range(0, len(line), 3))
                   for line in short)

    def chunk(kind, body):
        return (struct.pack(">I", len(body)) + kind + body +
                struct.pack(">I", zlib.crc32(kind + body)))

    return (PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)) +
            chunk(b"PLTE", b"".join(first.values())) + chunk(b"IDAT", zlib.compress(raw, 9)) +
            chunk(b"IEND", b""))


class Photographer:
    """A browser on the page."""

    def __init__(self, name, address, **how):
        self.name = name
        self.browser = Browser(**how)
        self.browser.open(address)

    def take(self, picture, phase, folder):
        wait_until(lambda: self.browser.run("return document.body.dataset.phase") == phase, phase)
        time.sleep(1.5)  # the next figures: those of a moment ago were of the change
        path = folder / f"page-{picture}-{self.name}.png"
        path.write_bytes(write_png(*read_png(self.browser.screenshot())))
        print(path, path.stat().st_size)


def main():
    target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "screenshots")
    target.mkdir(exist_ok=True)
    with contextlib.ExitStack() as cleanup:
        data = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        close_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2 * 3600))
        server = Server(data, SERVER_HTTP_ADDRESS="0", LOTTERY_DRAW="manual", LOTTERY_DRAW_ID=DRAW,
                        LOTTERY_CLOSE_AT=close_at)
        cleanup.callback(server.kill)

        def ctl(*arguments):
            subprocess.run([BIN / "lottery-ctl", "--data-dir", data, *arguments], check=True,
                           env=environment_with({}), stdout=subprocess.DEVNULL)

        port = server.wait_line("http_listen", "success").details["port"]
        browsers = []
        for name, how in (("desktop", {"size": (1280, 900)}),
                          ("phone", {"size": (390, 844), "is_phone": True, "is_dark": True,
                                     "languages": "es-AR,es"})):
            browsers.append(Photographer(name, f"http://127.0.0.1:{port}/", **how))
            cleanup.callback(browsers[-1].browser.stop)
        agencies = [Agency(server.port, i + 1, rate) for i, rate in enumerate(RATES)]
        for agency in agencies:
            agency.start()
        time.sleep(SECONDS - 5)
        agencies[1].ends.set()
        agencies[4].ends.set()
        time.sleep(5)
        for browser in browsers:
            browser.take("open", "open", target)
        for agency in agencies:
            agency.ends.set()
        for browser in browsers:
            browser.take("closed", "sealed", target)
        ctl("draw", "7574", "--source", "bolillero 3, escribana Gómez")
        for browser in browsers:
            browser.take("drawn", "drawn", target)
        for agency in agencies:
            agency.join()


if __name__ == "__main__":
    main()
