"""A central's seal, made without any of the C code: digests, tree, signed notes (docs/protocol.md)."""
import base64
import hashlib
import hmac
import pathlib
import subprocess
import time

from wire import pb

SALT = bytes(range(32))
CLOSED = 1764104400  # 2025-11-25T21:00:00Z
NAME = "lottery"


def sha256(data):
    return hashlib.sha256(data).digest()


def encode(data):
    return base64.b64encode(data).decode()


def when(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Key:
    """An Ed25519 key, in a folder of the test."""

    def __init__(self, folder, name="key"):
        self.path = pathlib.Path(folder) / f"{name}.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.path], check=True)
        der = subprocess.run(["openssl", "pkey", "-in", self.path, "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        self.public = b"\x01" + der[-32:]
        self.id = sha256(NAME.encode() + b"\n" + self.public)[:4]

    def vkey(self):
        return f"{NAME}+{self.id.hex()}+{encode(self.public)}"

    def sign(self, text):
        """The signed note with this text."""
        data = self.path.with_suffix(".txt")
        data.write_text(text)
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.path,
                                    "-in", data], check=True, capture_output=True).stdout
        return f"{text}\n\u2014 {NAME} {encode(self.id + signature)}\n"


def root_of(hashes):
    """RFC 6962's tree hash over these hashes of leaves."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while 2 * split < len(hashes):
        split *= 2
    return sha256(b"\x01" + root_of(hashes[:split]) + root_of(hashes[split:]))


def path_to(hashes, index):
    """RFC 6962's audit path, the lowest hash first."""
    if len(hashes) == 1:
        return []
    split = 1
    while 2 * split < len(hashes):
        split *= 2
    if index < split:
        return path_to(hashes[:split], index) + [root_of(hashes[split:])]
    return path_to(hashes[split:], index - split) + [root_of(hashes[:split])]


class Seal:
    """The seal of a draw with these lines of bets.csv of each agency, 1 and so on."""

    def __init__(self, key, draw, agencies):
        self.key = key
        self.draw = draw
        self.shown = draw or "-"
        self.lines = agencies
        self.digests = [sha256(b"".join(lines)) for lines in agencies]
        self.nonces = [hmac.new(SALT, str(i).encode(), "sha256").digest()
                       for i in range(1, len(agencies) + 1)]
        bets = sum(len(lines) for lines in agencies)
        leaves = [f"draw {self.shown} {len(agencies)} {bets} {when(CLOSED)}"]
        leaves += [self.leaf(i) for i in range(1, len(agencies) + 1)]
        self.hashes = [sha256(b"\x00" + leaf.encode()) for leaf in leaves]
        self.root = root_of(self.hashes)
        self.note = key.sign(f"lottery/{self.shown}\n{len(leaves)}\n{encode(self.root)}\n")

    def leaf(self, agency):
        return (f"agency {agency} {len(self.lines[agency - 1])} {self.digests[agency - 1].hex()} "
                f"{self.nonces[agency - 1].hex()}")

    def message(self, agency=1, **fields):
        """What the agency gets; `fields` are put in place of the right ones."""
        return pb.Seal(**{"agency_id": agency, "draw": self.draw,
                          "total": len(self.lines[agency - 1]),
                          "digest": self.digests[agency - 1], "nonce": self.nonces[agency - 1],
                          "index": agency, "proof": path_to(self.hashes, agency),
                          "note": self.note, **fields})

    def result(self, number=1, source="the drum", seconds=CLOSED + 60, root=None, key=None, winners=1):
        """result.txt."""
        return (key or self.key).sign(
            f"lottery/{self.shown}/result\nroot {encode(root or self.root)}\nnumber {number}\n"
            f"source {source or '-'}\ntime {when(seconds)}\n"
            f"winners {winners} {sha256(b'winners.csv').hex()}\n")

    def drawn(self, number=1, source="the drum", seconds=CLOSED + 60, note=None):
        return pb.Drawn(number=number, source=source, time=seconds,
                        note=self.result(number, source, seconds) if note is None else note)

    def evidence(self, agency=1, result=None):
        """What an agency keeps."""
        lines = ["lottery-seal-evidence 1", f"draw {self.shown}", self.leaf(agency),
                 f"index {agency}",
                 *(f"proof {part.hex()}" for part in path_to(self.hashes, agency)), "note"]
        text = "".join(f"{line}\n" for line in lines) + self.note
        return text + (f"result\n{result}" if result else "")
