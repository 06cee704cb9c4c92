"""The bytes in docs/protocol.md are those that the server takes and sends; its seal is one."""
import base64
import hashlib
import hmac
import re
import subprocess
import sys
import unittest

import certificates
from programs import ROOT, Case
from tls_case import TlsCase
from wire import Peer, crc32c

BLOCK = re.compile(r"^```\w*\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")


def conversation():
    """The frames of the example: [(who sends it, its bytes)]."""
    block = next(text for text in BLOCK.findall(PROTOCOL) if text.startswith("# agency"))
    frames = []
    for line in block.splitlines():
        if line.startswith("#"):
            continue
        if line[0] in "<>":
            frames.append((line[0], b""))
        who, data = frames[-1]
        frames[-1] = (who, data + bytes.fromhex(line[2:]))
    return frames


def lines_of_bets():
    """The lines of bets.csv that the conversation leaves, as bytes."""
    block = next(text for text in BLOCK.findall(PROTOCOL) if text.startswith("1,"))
    return [line.encode() + b"\r\n" for line in block.splitlines()]


class Protocol(Case):
    def test_conversation(self):
        server = self.server(agencies=1)
        frames = conversation()
        self.assertEqual([who for who, _ in frames], [">", "<"] * 5)
        with Peer(server.port) as peer:
            for who, data in frames:
                if who == ">":
                    peer.send_bytes(data)
                else:
                    opcode, body = peer.read_frame()
                    self.assertEqual(bytes([opcode]) + len(body).to_bytes(4, "little") + body, data)
        self.assertEqual((server.folder / "bets.csv").read_bytes(), b"".join(lines_of_bets()))

    def test_checksum(self):
        """The checksum that the text names is that of the lines beside it."""
        named = re.search(r"their checksum is ([0-9a-f]{8})", PROTOCOL)[1]
        self.assertEqual(f"{crc32c(b''.join(lines_of_bets())):08x}", named)


def block(start):
    return next(text for text in BLOCK.findall(PROTOCOL) if text.startswith(start))


class Tls(TlsCase):
    """The two agencies that speak TLS, run as they are; only the port is another one."""

    def setUp(self):
        super().setUp()
        self.lottery = self.secure_server(agencies=5, level="DEBUG")
        (self.folder / "certs").symlink_to(certificates.usual().folder)

    def check_asks(self, program, *interpreter):
        """It prints the answer that the text beside it has, and ends as TLS wants it."""
        self.assertEqual(program.count("12345"), 1)
        result = subprocess.run([*interpreter, program.replace("12345", str(self.lottery.port))],
                                cwd=self.folder, text=True, capture_output=True, timeout=30,
                                check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        shown = re.search(r"# (01 .*)$", program, re.MULTILINE)[1]
        self.assertEqual(result.stdout.split(), shown.split(), result.stderr)
        end = self.lottery.wait_line("close_connection")  # without a cut before it
        self.assertEqual(end.details["reason"], "the peer is done")

    def test_python(self):
        self.check_asks(block("import socket"), sys.executable, "-c")

    def test_openssl(self):
        self.check_asks(block("(printf"), "bash", "-o", "pipefail", "-c")


def sha256(data):
    return hashlib.sha256(data)


class Seal(unittest.TestCase):
    """The example of a seal, computed from its bets. test_seal_example.c compares it with our C."""

    def setUp(self):
        self.leaves = block("draw ").encode().splitlines()
        bets = next(text for text in BLOCK.findall(PROTOCOL) if "\n3,Luz" in text)
        self.lines = [line.encode() + b"\r\n" for line in bets.splitlines()]
        self.root = base64.b64decode(block("lottery/2026-11-25-nocturna\n").splitlines()[2])

    def test_leaves(self):
        salt = bytes(range(0xff, 0xdf, -1))
        for agency, leaf in enumerate(self.leaves[1:], 1):
            mine = [line for line in self.lines if line.startswith(b"%d," % agency)]
            digest = sha256(b"".join(mine)).hexdigest()
            nonce = hmac.new(salt, b"%d" % agency, "sha256").hexdigest()
            self.assertEqual(leaf.decode(), f"agency {agency} {len(mine)} {digest} {nonce}")

    def test_root_and_proofs(self):
        """By the function in the text, whose proofs are made here."""
        names = {"sha256": sha256}
        exec(block("def root_from"), names)
        first, second, third, fourth = (sha256(b"\0" + leaf).digest() for leaf in self.leaves)
        left, right = (sha256(b"\1" + pair).digest() for pair in (first + second, third + fourth))
        proofs = [[second, right], [first, right], [fourth, left], [third, left]]
        for index, (leaf, proof) in enumerate(zip(self.leaves, proofs)):
            self.assertEqual(names["root_from"](leaf, index, 4, proof), self.root)
            self.assertNotEqual(names["root_from"](leaf, index ^ 1, 4, proof), self.root)
            self.assertNotEqual(names["root_from"](leaf, index, 4, proof + [left]), self.root)
        told = re.findall(r"^proof (\w+)$", block("lottery-seal-evidence"), re.MULTILINE)
        self.assertEqual(told, [third.hex(), left.hex()])

    def test_key_and_winners(self):
        key = base64.b64decode(block("lottery+").split("+", 2)[2])
        self.assertEqual(block("lottery+").split("+")[1],
                         sha256(b"lottery\n" + key).hexdigest()[:8])
        winners = b"1,30904465\r\n3,28123456\r\n"
        self.assertIn(f"\nwinners 2 {sha256(winners).hexdigest()}\n",
                      block("lottery/2026-11-25-nocturna/result"))


if __name__ == "__main__":
    unittest.main()
