"""The bytes in docs/protocol.md are those that the server takes and sends."""
import re
import unittest

from programs import ROOT, Case
from wire import Peer, crc32c

BLOCK = re.compile(r"^```\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
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


if __name__ == "__main__":
    unittest.main()
