"""Makes the files of a draw as docs/disk-format.md and docs/protocol.md describe them.

Shares nothing with tools/verify-draw.py, so that a mistake of one is not a mistake of both.
"""

import base64
import csv
import hashlib
import hmac
import io
import struct
import subprocess
import time

TYPES = {"opened": 1, "agencies": 2, "bets": 3, "finished": 4, "closed": 5, "drawn": 6, "sealed": 7,
         "act": 8, "checkpoint": 16}
STAMP = 0x1122334455667788
MIB = 1 << 20


def crc32c(data, crc=0):
    """Bit by bit, as the polynomial is written in RFC 3720; a table of bytes makes it bearable."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def reduced(value):
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


TABLE = [reduced(value) for value in range(256)]


def padded(data):
    return data + bytes(-len(data) % 8)


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# --- Merkle trees, by the recursive definitions of RFC 6962, 2.1 ------------------------------


def split_at(count):
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def tree_hash(leaves):
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = split_at(len(leaves))
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def tree_path(index, leaves):
    if len(leaves) == 1:
        return []
    k = split_at(len(leaves))
    if index < k:
        return tree_path(index, leaves[:k]) + [tree_hash(leaves[k:])]
    return tree_path(index - k, leaves[k:]) + [tree_hash(leaves[:k])]


class SigningKey:
    """An Ed25519 key of openssl's."""

    def __init__(self, path):
        self.path = path
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True)
        done = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
                              check=True, stdout=subprocess.PIPE)
        self.public = b"\x01" + done.stdout[-32:]
        self.id = hashlib.sha256(b"lottery\n" + self.public).digest()[:4]
        self.vkey = f"lottery+{self.id.hex()}+{base64.b64encode(self.public).decode()}"
        self.signed = {}

    def note(self, text):
        """The text as a signed note."""
        if text not in self.signed:
            message, signature = f"{self.path}.message", f"{self.path}.signature"
            with open(message, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.path,
                            "-in", message, "-out", signature], check=True)
            with open(signature, "rb") as file:
                self.signed[text] = file.read()
        line = base64.b64encode(self.id + self.signed[text]).decode()
        return f"{text}\n— lottery {line}\n".encode()


def bet(agency, document, number, first="Ana", last="Paz", birthdate="1999-03-17"):
    return [agency, first, last, document, birthdate, number]


def line_of(row):
    text = io.StringIO()
    csv.writer(text).writerow(row)
    return text.getvalue().encode()


class DrawFolder:
    """A draw: change what is in it, then write() it once more."""

    def __init__(self, path, key=None, name="2026-11-25-nocturna", agencies=3, number=7574,
                 mode=1, source="Bolillero 3, escribana Gómez", phase="drawn", layout="closed",
                 has_seal=True, closed_by=3, close_at=0):
        self.path = path
        self.key = key
        self.id = name
        self.agencies = agencies
        self.number = number
        self.mode = mode
        self.source = source if mode else ""
        self.uid = 1000 if mode else 0
        self.phase = phase        # open, closed, sealed, drawn
        self.layout = layout      # what is in the checkpoint: "new", "open", "closed", or all
        self.has_seal = has_seal
        self.closed_by = closed_by
        self.close_at = close_at
        self.batches = []         # [agency, rows]
        self.finished = set(range(1, agencies + 1)) if closed_by == 1 else {1}
        self.acts = []            # (time, uid, text)
        self.times = {"closed": 1_795_640_400, "sealed": 1_795_640_402, "drawn": 1_795_644_000}
        self.salt = bytes(range(100, 132))
        self.is_inline = False    # records carry their lines

    # --- the state ---

    def fill(self, number=7574):
        """Some bets, with winners of the agencies 1 and 2."""
        self.batches = [
            [1, [bet(1, "30904465", number), bet(1, "2", 1, first='Juan "Pepe"', last="Paz, de")]],
            [2, [bet(2, "11", 5), bet(2, "12", number), bet(2, "13", 7)]],
            [1, [bet(1, "3", 17574), bet(1, "4", number, first="José María"), bet(1, "5", 0)]],
            [3, [bet(3, "21", 757)]],
        ]
        self.batches[2][1][0][5] = 9999
        self.acts = [(1_795_640_400, 1000, "close"),
                     (1_795_644_000, 1000, "draw 7574 «Bolillero 3»")]
        return self

    def rows(self):
        return [row for _, rows in self.batches for row in rows]

    def lines(self, agency=None):
        return b"".join(line_of(row) for row in self.rows() if agency in (None, row[0]))

    def count(self, agency):
        return sum(row[0] == agency for row in self.rows())

    def leaves(self):
        leaves = [f"draw {self.id or '-'} {self.agencies} {len(self.rows())} "
                  f"{rfc3339(self.times['closed'])}"]
        for a in range(1, self.agencies + 1):
            nonce = hmac.new(self.salt, str(a).encode(), hashlib.sha256).hexdigest()
            digest = hashlib.sha256(self.lines(a)).hexdigest()
            leaves.append(f"agency {a} {self.count(a)} {digest} {nonce}")
        return leaves

    def root(self):
        return tree_hash([leaf.encode() for leaf in self.leaves()])

    def winners(self):
        return [(row[0], row[3]) for row in self.rows() if row[5] == self.number]

    def winners_csv(self):
        return "".join(f"{a},{document}\r\n" for a, document in self.winners()).encode()

    # --- the files ---

    def _is(self, *phases):
        return self.phase in phases

    def seal_txt(self):
        root = base64.b64encode(self.root()).decode()
        return self.key.note(f"lottery/{self.id or '-'}\n{self.agencies + 1}\n{root}\n")

    def result_txt(self):
        root = base64.b64encode(self.root()).decode()
        winners = self.winners_csv()
        return self.key.note(
            f"lottery/{self.id or '-'}/result\nroot {root}\nnumber {self.number}\n"
            f"source {self.source or '-'}\ntime {rfc3339(self.times['drawn'])}\n"
            f"winners {len(self.winners())} {hashlib.sha256(winners).hexdigest()}\n")

    def winners_index(self):
        table, body = b"", b""
        for a in range(1, self.agencies + 1):
            documents = "".join(f"{d}\n" for b, d in self.winners() if b == a).encode()
            table += struct.pack("<QQQI4x", 40 + 32 * self.agencies + len(body), len(documents),
                                 documents.count(b"\n"), crc32c(documents))
            body += documents
        winners = self.winners_csv()
        rest = struct.pack("<IIIQQ", 1, self.agencies, crc32c(winners), len(self.winners()),
                           len(winners)) + table
        return b"winners\n" + struct.pack("<I", crc32c(rest)) + rest + body

    def evidence(self, agency, with_result=True):
        """What the agency has kept."""
        leaves = self.leaves()
        path = tree_path(agency, [leaf.encode() for leaf in leaves])
        head = (f"lottery-seal-evidence 1\ndraw {self.id or '-'}\n{leaves[agency]}\nindex {agency}\n"
                + "".join(f"proof {node.hex()}\n" for node in path) + "note\n")
        rest = b"result\n" + self.result_txt() if with_result else b""
        return head.encode() + self.seal_txt() + rest

    def own_file(self, agency):
        """The agency's file of bets."""
        text = io.StringIO()
        csv.writer(text).writerows(row[1:] for row in self.rows() if row[0] == agency)
        return text.getvalue().encode()

    # --- the journal ---

    def terms_body(self):
        head = struct.pack("<II", self.agencies, 0 if self.mode else self.number)
        if not (self.mode or self.has_seal or self.id or self.close_at):
            return head
        return head + struct.pack("<BBB5xQ64s8x", self.mode, self.has_seal, len(self.id),
                                  self.close_at, self.id.encode())

    def closed_body(self):
        return struct.pack("<QIIQQ32s", self.times["closed"], self.closed_by,
                           self.uid if self.closed_by == 3 else 0, len(self.rows()),
                           len(self.lines()), self.salt)

    def sealed_body(self):
        return struct.pack("<Q32s", self.times["sealed"], self.root())

    def drawn_body(self):
        winners = self.winners_csv()
        body = struct.pack("<QIIQQ", self.times["drawn"], self.number, crc32c(winners),
                           len(self.winners()), len(winners))
        if not (self.mode or self.has_seal):
            return body
        source = self.source.encode()
        root = self.root() if self.has_seal else bytes(32)
        return body + struct.pack("<II32s", self.uid, len(source), root) + padded(source)

    def act_bodies(self):
        for when, uid, text in self.acts:
            data = text.encode()
            yield struct.pack("<QII", when, uid, len(data)) + padded(data)

    def record(self, at, kind, body, flags=0, lines=b"", mark=(0, 0)):
        size = 48 + len(body) + len(padded(lines))
        rest = struct.pack("<IBB6xQQQQ", size, TYPES[kind], flags, at, STAMP, *mark) + body
        return struct.pack("<I", crc32c(rest)) + rest + padded(lines)

    def bets_records(self):
        """(kind, body, flags, lines) of the bets."""
        data = b""
        counts = dict.fromkeys(range(1, self.agencies + 1), 0)
        crc = 0
        for agency, rows in self.batches:
            lines = b"".join(map(line_of, rows))
            crc = crc32c(lines, crc)
            body = struct.pack("<QQIIII", counts.get(agency, 0), len(data), agency, len(rows),
                               len(lines), crc)
            counts[agency] = counts.get(agency, 0) + len(rows)
            data += lines
            yield "bets", body, int(self.is_inline), lines if self.is_inline else b""

    def checkpoint(self, phase):
        """Its body and flags, with the state up to a phase."""
        has_bets = phase != "new"
        data = self.lines() if has_bets else b""
        agencies = self.agencies if has_bets else 0
        level = ["new", "open", "closed", "sealed", "drawn"].index(phase)
        body = struct.pack("<QIIII", len(data), crc32c(data), [0, 1, 2, 2, 3][level], agencies,
                           0 if self.mode or not has_bets else self.number)
        body += self.closed_body() if level >= 2 else bytes(64)
        body += self.drawn_body()[:32] if level >= 4 else bytes(32)
        table, crc = b"", 0
        for at in range(0, len(data) // MIB * MIB, MIB):
            crc = crc32c(data[at:at + MIB], crc)
            table += struct.pack("<I", crc)
        ids = range(1, agencies + 1)
        body += padded(table) + b"".join(struct.pack("<Q", self.count(a)) for a in ids)
        body += padded(b"".join(struct.pack("<I", crc32c(self.lines(a))) for a in ids))
        body += padded(bytes(a in self.finished for a in ids))
        items = []
        if has_bets and len(self.terms_body()) > 8:
            items.append(("opened", self.terms_body()))
        if level >= 3 and self.has_seal:
            items.append(("sealed", self.sealed_body()))
        if level >= 4 and (self.mode or self.has_seal):
            items.append(("drawn", self.drawn_body()))
        if level >= 4:
            items += [("act", act) for act in self.act_bodies()]
        if not items:
            return body, 0
        extension = b"".join(struct.pack("<II", TYPES[kind], len(item)) + item
                             for kind, item in items)
        return body + struct.pack("<Q", len(extension)) + extension, 2

    def records(self):
        """(kind, body, flags, lines): the checkpoint, and what came after it."""
        phases = ["new", "open", "closed", "sealed", "drawn"]
        layout = self.layout if phases.index(self.layout) <= phases.index(self.phase) else self.phase
        have, want = phases.index(layout), phases.index(self.phase)
        yield ("checkpoint", *self.checkpoint(layout), b"")
        if have == 0:
            yield "opened", self.terms_body(), 0, b""
            yield from self.bets_records()
            for agency in sorted(self.finished):
                yield "finished", struct.pack("<QI4x", self.count(agency), agency), 0, b""
        if have < 2 <= want:
            yield "closed", self.closed_body(), 0, b""
        if have < 3 <= want and self.has_seal:
            yield "sealed", self.sealed_body(), 0, b""
        if have < 4 <= want:
            yield "drawn", self.drawn_body(), 0, b""
        if have < 4:
            for act in self.act_bodies():
                yield "act", act, 0, b""

    def journal(self):
        data = bytearray(8192)
        is_first = True
        for kind, body, flags, lines in self.records():
            mark = (0, 0) if is_first else (len(data), 0)
            data += self.record(len(data), kind, body, flags, lines, mark)
            is_first = False
        synced = (len(data), len(self.lines()))
        for at, generation in ((0, 1), (4096, 2)):
            rest = struct.pack("<IQQQQ16x", 2, STAMP, generation, *synced)
            data[at:at + 64] = b"LOTJRNL\n" + struct.pack("<I", crc32c(rest)) + rest
        return bytes(data) + bytes(4096)

    def write(self):
        """Writes all files that a draw in this phase has. Returns its path."""
        self.path.mkdir(exist_ok=True, parents=True)
        files = {"bets.csv": self.lines(), "bets.journal": self.journal()}
        if self._is("sealed", "drawn") and self.has_seal:
            files["seal.txt"] = self.seal_txt()
            files["seal.leaves"] = "".join(leaf + "\n" for leaf in self.leaves()).encode()
        if self._is("drawn"):
            files["winners.csv"] = self.winners_csv()
            files["winners.index"] = self.winners_index()
            if self.has_seal:
                files["result.txt"] = self.result_txt()
        for name, data in files.items():
            (self.path / name).write_bytes(data)
        return self.path


# --- the journal of the first release ----------------------------------------------------------


def record_1(at, kind, agency=0, count=0, received=0, data_at=0, data=b"", synced=1024):
    rest = struct.pack("<BBHIIQQIIQQQ", kind, 1, 0, agency, count, received, data_at, len(data),
                       crc32c(data), synced, at, STAMP)
    return struct.pack("<I", crc32c(rest)) + rest


def journal_1(draw):
    """What the first release would have written of an automatic draw."""
    data = bytearray(1024)
    data[:64] = record_1(0, 1, received=1)
    bets, counts = b"", {}
    for agency, rows in draw.batches:
        lines = b"".join(map(line_of, rows))
        counts[agency] = counts.get(agency, 0) + len(rows)
        data += record_1(len(data), 2, agency, len(rows), counts[agency], len(bets), lines)
        bets += lines
    for agency in sorted(draw.finished):
        data += record_1(len(data), 3, agency, received=counts.get(agency, 0))
    if draw.phase == "drawn":
        winners = draw.winners_csv()
        rest = struct.pack("<BBHIIQQIIQQQ", 4, 1, 0, 0, draw.number, len(draw.winners()),
                           len(winners), 0, crc32c(winners), 1024, len(data), STAMP)
        data += struct.pack("<I", crc32c(rest)) + rest
    data[512:576] = record_1(512, 1, received=2, synced=len(data))
    return bytes(data)
