#!/usr/bin/env python3
"""Check a draw from its files alone, and print its record ("acta") for signing.

Happy path: read bets.journal record by record, follow bets.csv along with it, recompute the counts,
digests, leaves, root and winners from the bets, and compare them with what the journal, seal.txt,
seal.leaves, result.txt, winners.csv and winners.index say. With an agency's own file of bets and
its evidence, do the same for that agency, with or without the draw's folder.

Failure modes: whatever does not fit is a problem, printed with where and what; then no record is
printed, and the status is 1. What a crash may leave (a torn tail that nobody was told about) is a
note. Sizes are checked before anything is read into memory; the bets pass through in blocks.

This program shares no code with the server, and needs nothing but Python's standard library and,
for signatures, the program openssl.
"""

import argparse
import base64
import binascii
import codecs
import csv
import datetime
import errno
import hashlib
import hmac
import os
import re
import stat
import struct
import subprocess
import sys
import tempfile

MAX_AGENCIES = 10_000
MAX_NUMBER = 9999
MAX_SMALL_FILE = 1 << 16  # seal.txt, result.txt
MAX_EVIDENCE = 1 << 18
MAX_CHECKPOINT = 64 << 20
MAX_ACTS = 10_000
MAX_LISTED = 10_000  # winners that are printed
MAX_PROBLEMS = 50    # that are printed, for one draw
MIB = 1 << 20
END_OF_TIME = 253_402_300_800  # the year 10000

# --- what is said -----------------------------------------------------------------------------


def printable(text):
    """The text without anything that a terminal obeys or a reader does not see."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def excerpt(data, limit=100):
    """Bytes of a file as they may be quoted in a message."""
    text = printable(bytes(data[:limit]).decode("utf-8", "backslashreplace"))
    return f"'{text}'" + ("..." if len(data) > limit else "")


class Bad(Exception):
    """Something does not fit, and what depends on it cannot be checked."""

    def __init__(self, where, what):
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


class Report:
    """Problems and notes, printed as they are found."""

    def __init__(self, name):
        self.name = name
        self.problems = 0

    def _print(self, text):
        print(printable(f"verify-draw.py: {text}"), file=sys.stderr)

    def problem(self, where, what):
        self.problems += 1
        if self.problems <= MAX_PROBLEMS:
            self._print(f"{os.path.join(self.name, where)}: {what}")

    def note(self, where, what):
        self._print(f"note: {os.path.join(self.name, where)}: {what}")

    def finish(self):
        if self.problems > MAX_PROBLEMS:
            self._print(f"{self.name}: {self.problems - MAX_PROBLEMS} more problems")


# --- CRC32C ------------------------------------------------------------------------------------
#
# A byte at a time, Python does about 10 MB/s. A checksum is the remainder of a division of
# polynomials, so a multiple of the divisor may be subtracted first. x^5685 + x^1362 + x^426 + 1 is
# such a multiple, and so is each of its squares, x^(5685*2^k) + ...: subtracting one of them from a
# whole block is three shifts of a long number. Bit 0 of the number is the highest power, as CRC32C
# has it.

FOLD = (5685, 1362, 426)


def crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC32C_TABLE = crc32c_table()


def crc32c(data, seed=0):
    """The CRC-32C of RFC 3720, appendix B.4; `seed` is that of the bytes before."""
    crc = seed ^ 0xFFFFFFFF
    bits = len(data) * 8
    if bits > 2 * FOLD[0]:
        number = int.from_bytes(data, "little") ^ crc
        while bits > 2 * FOLD[0]:
            scale = (bits * 3 // 4 // FOLD[0]).bit_length() - 1
            a, b, c = (power << scale for power in FOLD)
            step = min(a - b, bits - a) & ~7
            top = number & ((1 << step) - 1)
            number >>= step
            number ^= top << (a - b - step) ^ top << (a - c - step) ^ top << (a - step)
            bits -= step
        data = number.to_bytes(bits // 8, "little")
        crc = 0
    for byte in data:
        crc = crc >> 8 ^ CRC32C_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


# --- files -------------------------------------------------------------------------------------


class File:
    """A regular file, open for reading."""

    def __init__(self, path, name, follow=False):
        self.name = name
        self.fd = -1
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        try:
            self.fd = os.open(path, flags)
            status = os.fstat(self.fd)
        except (OSError, ValueError) as error:
            self.close()
            is_link = isinstance(error, OSError) and error.errno == errno.ELOOP
            raise Bad(name, "is a symbolic link" if is_link else
                      getattr(error, "strerror", None) or str(error)) from None
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise Bad(name, "is not a regular file")
        self.size = status.st_size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def read(self, at, size):
        """The bytes from `at`; fewer where the file ends."""
        parts = []
        try:
            while size > 0:
                part = os.pread(self.fd, size, at)
                if not part:
                    break
                parts.append(part)
                at += len(part)
                size -= len(part)
        except OSError as error:
            raise Bad(self.name, error.strerror) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_all(self, limit):
        if self.size > limit:
            raise Bad(self.name, f"has {self.size} bytes; it cannot have more than {limit}")
        return self.read(0, limit)


def read_file(path, name, limit, follow=False):
    with File(path, name, follow) as file:
        return file.read_all(limit)


# --- the state of a draw ----------------------------------------------------------------------


def time_text(seconds):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


DRAW_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
NEW, OPEN, CLOSED, DRAWN = range(4)
PHASES = ("new", "open", "closed", "drawn")
BY_ALL, BY_DEADLINE, BY_OPERATOR = 1, 2, 3


class Rule(Exception):
    """A record that the draw cannot accept."""


class Torn(Rule):
    """A record whose bets are not in bets.csv: after a crash, the last ones may be missing."""


class Draw:
    """What the records of a journal say, by the rules of a draw."""

    def __init__(self):
        self.phase = NEW
        self.agencies = 0
        self.number = 0        # as opened; counts in an automatic draw
        self.mode = 0          # 0 auto, 1 manual
        self.has_seal = False  # it is to be sealed
        self.close_at = 0
        self.id = ""
        self.received = {}     # agency: bets, by the records
        self.finished = set()
        self.closed = None     # {time, by, uid, bets, extent, salt}
        self.sealed = None     # {time, root}
        self.drawn = None      # {time, number, crc, winners, size, uid, source, root}
        self.acts = []         # (time, uid, text)
        self.format = 2

    @property
    def name(self):
        return self.id or "-"

    def bets(self):
        return sum(self.received.values())

    def open(self, agencies, number):
        if self.phase != NEW:
            raise Rule("the draw is opened twice")
        if agencies > MAX_AGENCIES or number > MAX_NUMBER:
            raise Rule(f"opened with {agencies} agencies and the number {number}")
        self.agencies, self.number, self.phase = agencies, number, OPEN

    def set_terms(self, body):
        """The long form of `opened`."""
        if len(body) != 96:
            raise Rule("an opening of a wrong size")
        mode, has_seal, id_size, close_at, name = struct.unpack_from("<8xBBB5xQ64s", body)
        if (mode > 1 or has_seal > 1 or id_size > 64 or any(body[11:16])
                or any(body[88:]) or any(name[id_size:]) or close_at >= END_OF_TIME):
            raise Rule("opened with terms that cannot be")
        text = name[:id_size].decode("ascii", "replace")
        if text and (not DRAW_ID.fullmatch(text) or text == "current"):
            raise Rule(f"'{text}' cannot be a draw's id")
        if mode == 0 and close_at:
            raise Rule("an automatic draw with a closing time")
        if mode and self.number:
            raise Rule("a manual draw that has its number from the beginning")
        self.mode, self.has_seal, self.close_at, self.id = mode, bool(has_seal), close_at, text

    def raise_agencies(self, agencies):
        if self.phase != OPEN:
            raise Rule(f"more agencies in a draw that is {PHASES[self.phase]}")
        if not self.agencies < agencies <= MAX_AGENCIES:
            raise Rule(f"{agencies} agencies after {self.agencies}")
        self.agencies = agencies

    def check_agency(self, agency):
        if not 1 <= agency <= self.agencies:
            raise Rule(f"agency {agency} of {self.agencies}")

    def add_bets(self, agency, offset, count):
        self.check_agency(agency)
        if self.phase != OPEN:
            raise Rule(f"bets of agency {agency} in a draw that is {PHASES[self.phase]}")
        if agency in self.finished:
            raise Rule(f"bets of agency {agency}, which has finished")
        if count == 0 or offset != self.received.get(agency, 0):
            raise Rule(f"{count} bets of agency {agency} after its first {offset}, but there are "
                       f"{self.received.get(agency, 0)}")
        self.received[agency] = offset + count

    def finish(self, agency, total):
        self.check_agency(agency)
        if self.phase != OPEN or agency in self.finished:
            raise Rule(f"agency {agency} finishes twice, or after the closing")
        if total != self.received.get(agency, 0):
            raise Rule(f"agency {agency} finishes with {total} bets, but has "
                       f"{self.received.get(agency, 0)}")
        self.finished.add(agency)

    def close(self, closed):
        if self.phase != OPEN:
            raise Rule(f"a closing when the draw is {PHASES[self.phase]}")
        by = closed["by"]
        if closed["time"] >= END_OF_TIME:
            raise Rule("a closing at a time that cannot be")
        if by == BY_ALL and (self.finished != set(range(1, self.agencies + 1))
                             or not self.agencies):
            raise Rule("closed because all have finished, but they have not")
        if by == BY_DEADLINE and not (self.mode and 0 < self.close_at <= closed["time"]):
            raise Rule("closed at the closing time, but there is none, or it was later")
        if by == BY_OPERATOR and not self.mode:
            raise Rule("an automatic draw that an operator closed")
        if by not in (BY_ALL, BY_DEADLINE, BY_OPERATOR) or (by != BY_OPERATOR and closed["uid"]):
            raise Rule("a closing without a known reason")
        if closed["bets"] != self.bets():
            raise Rule(f"closed with {closed['bets']} bets, but there are {self.bets()}")
        self.closed, self.phase = closed, CLOSED

    def seal(self, sealed):
        if self.phase != CLOSED or self.sealed or not self.has_seal:
            raise Rule("a seal in a draw that is not closed, is sealed already, or drawn, or is "
                       "not to be sealed")
        if sealed["time"] >= END_OF_TIME:
            raise Rule("sealed at a time that cannot be")
        self.sealed = sealed

    def hold(self, drawn):
        if self.phase != CLOSED:
            raise Rule(f"a number for a draw that is {PHASES[self.phase]}")
        if self.has_seal and not self.sealed:
            raise Rule("a number before the seal")
        if drawn["number"] > MAX_NUMBER or (not self.mode and drawn["number"] != self.number):
            raise Rule(f"drawn with the number {drawn['number']}, which cannot be")
        if not self.mode and (drawn["uid"] or drawn["source"]):
            raise Rule("an automatic draw with somebody who gave the number")
        if drawn["root"] != (self.sealed["root"] if self.sealed else bytes(32)):
            raise Rule("drawn with another root than the draw is sealed with")
        if drawn["time"] >= END_OF_TIME:
            raise Rule("drawn at a time that cannot be")
        self.drawn, self.phase = drawn, DRAWN

    def act(self, act):
        if self.phase == NEW or not act[2] or act[0] >= END_OF_TIME:
            raise Rule("an act that cannot be")
        if len(self.acts) >= MAX_ACTS:
            raise Rule(f"more than {MAX_ACTS} acts")
        self.acts.append(act)


def said_text(data, size, padded):
    """A text of an operator in a record."""
    if size > 200 or padded != (size + 7) // 8 * 8 or any(data[size:padded]):
        raise Rule("a text of a wrong size")
    try:
        text = data[:size].decode("utf-8")
    except UnicodeDecodeError:
        raise Rule("a text that is not UTF-8") from None
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
        raise Rule("a text with control characters")
    return text


def closed_of(body):
    time, by, uid, bets, extent, salt = struct.unpack_from("<QIIQQ32s", body)
    return {"time": time, "by": by, "uid": uid, "bets": bets, "extent": extent, "salt": salt}


def sealed_of(body):
    if len(body) != 40:
        raise Rule("a seal of a wrong size")
    time, root = struct.unpack("<Q32s", body)
    return {"time": time, "root": root}


def drawn_of(body, is_long):
    """`drawn` in its short form, or its long form."""
    if len(body) < 72 if is_long else len(body) != 32:
        raise Rule("a drawing of a wrong size")
    time, number, crc, winners, size = struct.unpack_from("<QIIQQ", body)
    drawn = {"time": time, "number": number, "crc": crc, "winners": winners, "size": size,
             "uid": 0, "source": "", "root": bytes(32)}
    if is_long:
        drawn["uid"], source_size, drawn["root"] = struct.unpack_from("<II32s", body, 32)
        drawn["source"] = said_text(body[72:], source_size, len(body) - 72)
    return drawn


def act_of(body):
    if len(body) < 16:
        raise Rule("an act of a wrong size")
    time, uid, size = struct.unpack_from("<QII", body)
    return time, uid, said_text(body[16:], size, len(body) - 16)


# --- bets.csv ----------------------------------------------------------------------------------

# No possessive quantifiers: in Python 3.11.2, as Debian 12 has it, a possessive group that fails
# halfway leaves the match too long.
PLAIN_NAME = rb'[^\x00-\x1f\x7f",]+'
NAME = rb"(?:" + PLAIN_NAME + rb'|"(?!",)[^\x00-\x1f\x7f"]*(?:""[^\x00-\x1f\x7f"]*)*")'
TAIL = rb",[A-Za-z0-9]{1,16},[0-9]{4}-[0-9]{2}-[0-9]{2},(?:0|[1-9][0-9]{0,3})"
REST = rb"," + NAME + rb"," + NAME + TAIL + rb"\r\n"
# Lines of one agency, one after the other.
RUN = re.compile(rb"([1-9][0-9]{0,4})" + REST + rb"(?:\1" + REST + rb")*")
LINE_MAX = 1000  # more than any line of a bet has
PENDING_MAX = 256 << 10
ALL_PENDING_MAX = 32 << 20


class Tally:
    """One agency's lines of bets.csv so far."""

    __slots__ = ("bets", "sha", "crc", "parts", "size")

    def __init__(self):
        self.bets = 0
        self.sha = hashlib.sha256()
        self.crc = 0
        self.parts = []  # lines that are counted, but not hashed yet
        self.size = 0

    def flush(self):
        if self.parts:
            data = b"".join(self.parts)
            self.sha.update(data)
            self.crc = crc32c(data, self.crc)
            self.parts = []
            self.size = 0


class Bets:
    """bets.csv, followed from its beginning."""

    def __init__(self, file, report):
        self.file = file
        self.report = report
        self.at = 0     # bytes that are followed
        self.crc = 0    # of them
        self.lines = 0
        self.tallies = {}
        self.pending = 0
        self.differs_at = None  # where the lines that the journal carries are others

    def flush(self):
        for tally in self.tallies.values():
            tally.flush()
        self.pending = 0

    def digest(self, agency):
        tally = self.tallies.get(agency)
        return tally.sha.hexdigest() if tally else hashlib.sha256().hexdigest()

    def count(self, agency):
        tally = self.tallies.get(agency)
        return tally.bets if tally else 0

    def _bad_line(self, data, at):
        end = data.find(b"\n", at) + 1
        return Bad(f"bets.csv:{self.lines + 1}",
                   f"not a line of a bet: {excerpt(data[at:end] if end else data[at:])}")

    def take(self, data, only=None):
        """Counts whole lines. `only`: they have to be this agency's."""
        at = 0
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            self.lines += data.count(b"\n", 0, error.start)
            raise self._bad_line(data, data.rfind(b"\n", 0, error.start) + 1) from None
        while at < len(data):
            match = RUN.match(data, at)
            if not match:
                raise self._bad_line(data, at)
            agency = int(match[1])
            if agency > MAX_AGENCIES or (only is not None and agency != only):
                raise self._bad_line(data, at)
            tally = self.tallies.get(agency)
            if tally is None:
                tally = self.tallies[agency] = Tally()
            count = data.count(b"\n", at, match.end())
            size = match.end() - at
            tally.bets += count
            tally.parts.append(data if size == len(data) else data[at:match.end()])
            tally.size += size
            self.lines += count
            self.pending += size
            if tally.size > PENDING_MAX:
                self.pending -= tally.size
                tally.flush()
            at = match.end()
        if self.pending > ALL_PENDING_MAX:
            self.flush()

    def follow_checkpoint(self, extent, crc, table):
        """All bytes up to the checkpoint. A block with the wrong checksum is a problem, and the
        next one is checked by itself."""
        rest = b""
        if self.file.size < extent:
            raise Bad("bets.csv", f"has {self.file.size} bytes, but the journal has {extent}")
        while self.at < extent:
            block = self.file.read(self.at, min(MIB, extent - self.at))
            if not block:
                raise Bad("bets.csv", "became shorter meanwhile")
            self.crc = crc32c(block, self.crc)
            begin, self.at = self.at, self.at + len(block)
            index = begin // MIB
            expected = table[index] if index < len(table) else crc
            if self.crc != expected:
                self.report.problem("bets.csv", f"bytes {begin}..{self.at - 1} are not those that "
                                    "the journal has the checksum of")
                self.crc = expected
            end = block.rfind(b"\n") + 1
            if end:
                self.take(rest + block[:end])
                rest = block[end:]
            else:
                rest += block
            if len(rest) > LINE_MAX:
                raise self._bad_line(rest, 0)
        if rest:
            raise self._bad_line(rest, 0)
        self.flush()

    def follow_record(self, record):
        """The lines of one record. Torn when they are not what it says; then nothing has changed."""
        lines = self.file.read(self.at, record.lines_size)
        if record.lines is not None:
            if lines != record.lines and self.differs_at is None:
                self.differs_at = self.at
            lines = record.lines
        if len(lines) < record.lines_size:
            raise Torn(f"{record.lines_size} bytes of bets at byte {self.at} of bets.csv, which "
                       f"has {self.file.size}")
        if crc32c(lines, self.crc) != record.lines_crc:
            raise Torn(f"the bytes {self.at}..{self.at + len(lines) - 1} of bets.csv are not those "
                       "that it has the checksum of")
        if lines.count(b"\n") != record.count or not lines.endswith(b"\n"):
            raise Rule(f"{record.count} bets in {lines.count(10)} lines")
        self.take(lines, record.agency)
        self.crc = record.lines_crc
        self.at += len(lines)


# --- bets.journal -----------------------------------------------------------------------------

JOURNAL_START = 8192
MAGIC = b"LOTJRNL\n"
R_OPENED, R_AGENCIES, R_BETS, R_FINISHED, R_CLOSED, R_DRAWN, R_SEALED, R_ACT = range(1, 9)
R_CHECKPOINT = 16
BODY_SIZES = {R_OPENED: (8, 96), R_AGENCIES: (8, 8), R_BETS: (32, 32), R_FINISHED: (16, 16),
              R_CLOSED: (64, 64), R_DRAWN: (32, 272), R_SEALED: (40, 40), R_ACT: (24, 216),
              R_CHECKPOINT: (120, MAX_CHECKPOINT)}


class Record:
    """A valid record: its checksum and its place are right."""

    def __init__(self, kind, flags, at, size, synced, bets_synced, body):
        self.kind = kind
        self.flags = flags
        self.at = at
        self.size = size
        self.synced = synced
        self.bets_synced = bets_synced
        self.body = body
        self.lines = None
        if kind == R_BETS:
            (self.offset, self.bets_at, self.agency, self.count, self.lines_size,
             self.lines_crc) = struct.unpack("<QQIIII", body)


class Journal:
    """A journal of format 2."""

    def __init__(self, file):
        self.file = file
        headers = []
        for at in (0, 4096):
            data = file.read(at, 64)
            if len(data) < 64 or data[:8] != MAGIC:
                continue
            crc, version, stamp, generation, synced, bets_synced = struct.unpack_from("<IIQQQQ",
                                                                                      data, 8)
            if (crc == crc32c(data[12:]) and version == 2 and not any(data[48:])
                    and generation % 2 == (1 if at == 0 else 0)):
                headers.append((generation, stamp, synced, bets_synced))
        if not headers:
            raise Bad(file.name, "has no valid header: damaged, or not a journal")
        _, self.stamp, self.synced, self.bets_synced = max(headers)
        self.end = JOURNAL_START

    def record_at(self, at):
        """The record there, or None if there is no valid one."""
        head = self.file.read(at, 48)
        if len(head) < 48:
            return None
        crc, size, kind, flags, own, stamp, synced, bets_synced = struct.unpack("<IIBB6xQQQQ", head)
        if (own != at or stamp != self.stamp or any(head[10:16]) or size % 8
                or size > self.file.size - at or kind not in BODY_SIZES):
            return None
        least, most = BODY_SIZES[kind]
        with_lines = kind == R_BETS and flags == 1
        if not with_lines and (not 48 + least <= size <= 48 + most
                               or flags not in ((0, 2) if kind == R_CHECKPOINT else (0,))):
            return None
        if with_lines and not 80 < size <= 80 + (64 << 10):
            return None
        body = self.file.read(at + 48, 32 if with_lines else size - 48)
        if crc != crc32c(head[4:] + body):
            return None
        record = Record(kind, flags, at, size, synced, bets_synced, body)
        if with_lines:
            rest = self.file.read(at + 80, size - 80)
            if (record.lines_size + 7) // 8 * 8 != size - 80 or any(rest[record.lines_size:]):
                return None
            record.lines = rest[:record.lines_size]
        return record

    def records(self):
        """The records from the first to the last valid one."""
        while True:
            record = self.record_at(self.end)
            if record is None or (record.kind == R_CHECKPOINT) != (self.end == JOURNAL_START):
                return
            self.mark(record)
            yield record
            self.end += record.size

    def mark(self, record):
        self.synced = max(self.synced, record.synced)
        self.bets_synced = max(self.bets_synced, record.bets_synced)

    def read_rest(self):
        """Marks valid records after the end; returns how many bytes there are up to the last one
        that is not zero."""
        stamp = struct.pack("<Q", self.stamp)
        used = 0
        for begin in range(self.end, self.file.size, MIB):
            data = self.file.read(begin, MIB + 48)
            stripped = len(data[:MIB].rstrip(b"\0"))
            if stripped:
                used = begin + stripped - self.end
            found = data.find(stamp)
            while found >= 0:
                at = begin + found - 24
                if at >= self.end and at % 8 == 0:
                    record = self.record_at(at)
                    if record:
                        self.mark(record)
                found = data.find(stamp, found + 1)
        return used


def items_of(data):
    """The extension of a checkpoint: (type, body) each."""
    total, = struct.unpack_from("<Q", data)
    if total != len(data) - 8:
        raise Rule("a checkpoint with an extension of a wrong size")
    at = 8
    while at < len(data):
        if len(data) - at < 8:
            raise Rule("a checkpoint with an item that is cut off")
        kind, size = struct.unpack_from("<II", data, at)
        if size % 8 or size > len(data) - at - 8:
            raise Rule("a checkpoint with an item of a wrong size")
        yield kind, data[at + 8:at + 8 + size]
        at += 8 + size


class Checkpoint:
    """The first record: the state at one point, read into a Draw."""

    def __init__(self, record, draw):
        body = record.body
        (self.extent, self.crc, self.phase, self.agencies, self.number) = struct.unpack_from(
            "<QIIII", body)
        mibs = self.extent // MIB
        sizes = [(mibs * 4 + 7) // 8 * 8, self.agencies * 8, (self.agencies * 4 + 7) // 8 * 8,
                 (self.agencies + 7) // 8 * 8]
        at = 120
        if (self.agencies > MAX_AGENCIES or self.phase > DRAWN
                or len(body) < at + sum(sizes) + (8 if record.flags & 2 else 0)
                or (not record.flags & 2 and len(body) != at + sum(sizes))):
            raise Rule("a checkpoint whose size does not fit its numbers")
        self.table = struct.unpack_from(f"<{mibs}I", body, at)
        at += sizes[0]
        self.counts = struct.unpack_from(f"<{self.agencies}Q", body, at)
        at += sizes[1]
        self.crcs = struct.unpack_from(f"<{self.agencies}I", body, at)
        at += sizes[2]
        flags = body[at:at + self.agencies]
        at += sizes[3]
        self._restore(draw, body, flags, list(items_of(body[at:])) if record.flags & 2 else [])

    def _restore(self, draw, body, flags, items):
        if self.phase == NEW:
            if self.agencies or self.extent or items:
                raise Rule("a checkpoint of no draw with something in it")
            return
        order = "".join({R_OPENED: "o", R_SEALED: "s", R_DRAWN: "d", R_ACT: "a"}.get(kind, "?")
                        for kind, _ in items)
        if not re.fullmatch("o?s?d?a*", order):
            raise Rule("a checkpoint with items that do not belong there")
        draw.open(self.agencies, self.number)
        said = dict(items)
        if R_OPENED in said:
            draw.set_terms(said[R_OPENED])
            if said[R_OPENED][:8] != body[16:24]:
                raise Rule("a checkpoint that says two things of the opening")
        draw.received = {i: n for i, n in enumerate(self.counts, 1) if n}
        draw.finished = {i for i, flag in enumerate(flags, 1) if flag}
        if any(flag > 1 for flag in flags):
            raise Rule("a checkpoint with a wrong mark of an agency that has finished")
        if self.phase >= CLOSED:
            draw.close(closed_of(body[24:88]))
            if draw.closed["extent"] != self.extent:
                raise Rule("a checkpoint of a closed draw that does not end with its bets")
        if R_SEALED in said:
            draw.seal(sealed_of(said[R_SEALED]))
        if self.phase == DRAWN:
            draw.hold(drawn_of(said.get(R_DRAWN, body[88:120]), R_DRAWN in said))
            if R_DRAWN in said and said[R_DRAWN][:32] != body[88:120]:
                raise Rule("a checkpoint that says two things of the drawing")
            if (draw.mode or draw.has_seal) and R_DRAWN not in said:
                raise Rule("a checkpoint that does not say who gave the number")
        elif R_DRAWN in said:
            raise Rule("a checkpoint that is drawn and not drawn")
        for kind, item in items:
            if kind == R_ACT:
                draw.act(act_of(item))


def compare_checkpoint(checkpoint, bets, report):
    """Are the bets of each agency those of the checkpoint?"""
    for agency, (count, crc) in enumerate(zip(checkpoint.counts, checkpoint.crcs), 1):
        if bets.count(agency) != count:
            report.problem("bets.csv", f"has {bets.count(agency)} bets of agency {agency}, but the "
                           f"journal has {count}")
        elif count and bets.tallies[agency].crc != crc:
            report.problem("bets.csv", f"the bets of agency {agency} are not those that the "
                           "journal has the checksum of")
    for agency in sorted(bets.tallies):
        if agency > checkpoint.agencies:
            report.problem("bets.csv", f"has {bets.count(agency)} bets of agency {agency}, but "
                           f"there are {checkpoint.agencies} agencies")


def apply_record(record, draw, bets):
    """One record after the checkpoint. Rule when it does not fit."""
    body = record.body
    if record.kind == R_OPENED:
        draw.open(*struct.unpack_from("<II", body))
        if len(body) > 8:
            draw.set_terms(body)
    elif record.kind == R_AGENCIES:
        draw.raise_agencies(*struct.unpack("<I4x", body))
    elif record.kind == R_BETS:
        if record.bets_at != bets.at:
            raise Rule(f"bets at byte {record.bets_at} of bets.csv, after its first {bets.at}")
        before = draw.received.get(record.agency, 0)
        draw.add_bets(record.agency, record.offset, record.count)
        try:
            bets.follow_record(record)
        except Rule:
            draw.received[record.agency] = before
            raise
    elif record.kind == R_FINISHED:
        total, agency = struct.unpack("<QI4x", body)
        draw.finish(agency, total)
    elif record.kind == R_CLOSED:
        closed = closed_of(body)
        if closed["extent"] != bets.at:
            raise Rule(f"closed after {closed['extent']} bytes of bets, but there are {bets.at}")
        draw.close(closed)
    elif record.kind == R_SEALED:
        draw.seal(sealed_of(body))
    elif record.kind == R_DRAWN:
        draw.hold(drawn_of(body, bool(draw.mode or draw.has_seal)))
    elif record.kind == R_ACT:
        draw.act(act_of(body))


def finish_journal(journal, draw, bets, report, why):
    """What comes after the last record that fits: the end, a torn tail, or damage."""
    used = journal.read_rest()
    name = journal.file.name
    if journal.end < journal.synced or bets.at < journal.bets_synced:
        raise Bad(name, f"damaged at byte {journal.end} ({why or 'no valid record'}): "
                  f"{journal.synced} bytes of it were on disk, and {journal.bets_synced} of "
                  "bets.csv")
    if used:
        report.note(name, f"{used} bytes after the last record at byte {journal.end} "
                    f"({why or 'not a valid record'}); without them:")
    extra = bets.file.size - bets.at
    if bets.differs_at is not None:
        what = f"has other bets than the journal, from byte {bets.differs_at}"
        if draw.phase == DRAWN or bets.differs_at < journal.bets_synced:
            raise Bad("bets.csv", what)
        report.note("bets.csv", f"{what}; the server writes them when it starts")
    elif extra > 0 and draw.phase >= CLOSED:
        report.problem("bets.csv", f"{extra} bytes more than there were when the draw was closed, "
                       f"from byte {bets.at}: {excerpt(bets.file.read(bets.at, 100))}")
    elif extra > 0:
        report.note("bets.csv", f"{extra} bytes that no record describes, from byte {bets.at}; "
                    "they count for nothing")


def read_journal(file, bets, report):
    """Follows journal and bets to their end."""
    draw = Draw()
    journal = Journal(file)
    why = None
    record = None
    try:
        for record in journal.records():
            if record.kind == R_CHECKPOINT:
                checkpoint = Checkpoint(record, draw)
                bets.follow_checkpoint(checkpoint.extent, checkpoint.crc, checkpoint.table)
                compare_checkpoint(checkpoint, bets, report)
            else:
                apply_record(record, draw, bets)
    except Rule as rule:
        why = str(rule)
        if not isinstance(rule, Torn):
            raise Bad(f"{file.name}, byte {journal.end}", why) from None
    if record is None:
        raise Bad(file.name, f"no valid checkpoint at byte {JOURNAL_START}")
    bets.flush()
    finish_journal(journal, draw, bets, report, why)
    return draw


# --- bets.journal of format 1 ------------------------------------------------------------------


def record_1_at(file, at):
    """(type, agency, count, received, data_at, data_size, data_crc, synced) or None."""
    data = file.read(at, 64)
    if len(data) < 64:
        return None
    crc, kind, version, zero, *fields, own, _ = struct.unpack("<IBBHIIQQIIQQQ", data)
    if crc != crc32c(data[4:]) or version != 1 or zero or own != at or not 1 <= kind <= 4:
        return None
    return (kind, *fields)


def read_journal_1(file, bets, report):
    """The first release's journal: neither N nor the winning number is in it before the draw."""
    draw = Draw()
    draw.format = 1
    draw.open(MAX_AGENCIES, 0)
    headers = [record for record in (record_1_at(file, 0), record_1_at(file, 512))
               if record and record[0] == 1]
    synced = max((header[7] for header in headers), default=0)
    at = 1024
    while True:
        record = record_1_at(file, at)
        if record is None:
            break
        kind, agency, count, received, data_at, data_size, data_crc, known = record
        synced = max(synced, known)
        try:
            if kind == 2:
                take_bets_1(draw, bets, agency, count, received, data_at, data_size, data_crc)
            elif kind == 3 and draw.phase == OPEN:
                draw.finish(agency, received)
            elif kind == 4 and draw.phase == OPEN:
                draw.agencies, draw.number = len(draw.finished), count
                draw.close({"time": 0, "by": BY_ALL, "uid": 0, "bets": draw.bets(),
                            "extent": bets.at, "salt": bytes(32)})
                draw.hold({"time": 0, "number": count, "crc": data_crc, "winners": received,
                           "size": data_at, "uid": 0, "source": "", "root": bytes(32)})
        except Rule as rule:
            raise Bad(f"{file.name}, byte {at}", str(rule)) from None
        at += 64
    if at < synced:
        raise Bad(file.name, f"damaged at byte {at}: {synced} bytes of it were on disk")
    bets.flush()
    if bets.file.size > bets.at:
        (report.problem if draw.phase == DRAWN else report.note)(
            "bets.csv", f"{bets.file.size - bets.at} bytes that no record describes, from byte "
            f"{bets.at}")
    return draw


def take_bets_1(draw, bets, agency, count, received, data_at, data_size, data_crc):
    if data_at != bets.at or received < count:
        raise Rule("a record that does not continue bets.csv")
    draw.add_bets(agency, received - count, count)
    lines = bets.file.read(bets.at, data_size)
    if len(lines) < data_size or crc32c(lines) != data_crc or lines.count(b"\n") != count:
        raise Rule(f"the bytes {data_at}..{data_at + data_size - 1} of bets.csv are not those that "
                   "it has the checksum of")
    bets.take(lines, agency)
    bets.at += data_size


# --- the seal ----------------------------------------------------------------------------------


def leaf_hash(leaf):
    return hashlib.sha256(b"\0" + leaf.encode()).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(hashes):
    """The root after RFC 6962: a node that has no neighbour moves up as it is."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(*level[i:i + 2]) if i + 1 < len(level) else level[i]
                 for i in range(0, len(level), 2)]
    return level[0]


def proof_root(index, size, leaf, proof):
    """The root that a proof leads to (RFC 9162, 2.1.3.2), or None if it has a wrong length."""
    node, last = index, size - 1
    value = leaf_hash(leaf)
    for other in proof:
        if last == 0:
            return None
        if node & 1 or node == last:
            value = node_hash(other, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, other)
        node, last = node >> 1, last >> 1
    return value if last == 0 else None


def nonce_of(salt, agency):
    return hmac.new(salt, b"%d" % agency, hashlib.sha256).hexdigest()


def agency_leaf(agency, bets, digest, nonce):
    return f"agency {agency} {bets} {digest} {nonce}"


def leaves_of(draw, bets):
    """The leaves as the bets give them."""
    closed = draw.closed
    leaves = [f"draw {draw.name} {draw.agencies} {closed['bets']} {time_text(closed['time'])}"]
    for agency in range(1, draw.agencies + 1):
        leaves.append(agency_leaf(agency, bets.count(agency), bets.digest(agency),
                                  nonce_of(closed["salt"], agency)))
    return leaves


def base64_text(data):
    return base64.b64encode(data).decode()


def base64_bytes(text):
    """The bytes, or None if that is not how base64 writes them."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64_text(data) == text else None


class Key:
    """A verifier key: name+id+base64(0x01 || public key)."""

    def __init__(self, text):
        name, *rest = text.split("+", 2)
        data = base64_bytes(rest[1]) if len(rest) == 2 else None
        if not name or data is None or len(data) != 33 or data[0] != 1:
            raise ValueError("not a verifier key, such as lottery+1a2b3c4d+AT...=")
        self.text = text
        self.name = name
        self.public = data[1:]
        self.id = hashlib.sha256(name.encode() + b"\n\x01" + self.public).digest()[:4]
        if rest[0] != self.id.hex():
            raise ValueError(f"a verifier key whose id is {self.id.hex()} and not "
                             f"{printable(rest[0])}")


class Note:
    """A C2SP signed note: a text and the signatures under it."""

    def __init__(self, data, where):
        self.where = where
        self.data = data
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Bad(where, "is not UTF-8") from None
        if any(ord(c) < 32 and c != "\n" for c in whole):
            raise Bad(where, "has control characters")
        text, gap, under = whole.rpartition("\n\n")
        if not gap or not text or not under.endswith("\n"):
            raise Bad(where, "is not a signed note: no text, empty line and signatures")
        self.text = text + "\n"
        self.signatures = []  # (name, key id, signature) of Ed25519 signatures by `lottery`
        for line in under[:-1].split("\n"):
            match = re.fullmatch("— ([^ +]+) ([^ ]+)", line)
            signed = base64_bytes(match[2]) if match else None
            if signed is None or len(signed) < 5:
                raise Bad(where, f"has a line that is not a signature: {excerpt(line.encode())}")
            if match[1] == "lottery":
                if len(signed) != 68:
                    raise Bad(where, "has a signature of a wrong size")
                self.signatures.append((match[1], signed[:4], signed[4:]))
        if not self.signatures:
            raise Bad(where, "has no signature of `lottery`")

    def key_ids(self):
        return sorted({key_id.hex() for _, key_id, _ in self.signatures})

    def compare(self, expected, report, what):
        """Is the text this one? What the lines should be follows from `what`."""
        if self.text == expected:
            return
        have, want = self.text.split("\n"), expected.split("\n")
        for number in range(max(len(have), len(want))):
            h = have[number] if number < len(have) else ""
            w = want[number] if number < len(want) else ""
            if h != w:
                report.problem(f"{self.where}:{number + 1}", f"says {excerpt(h.encode())}, but "
                               f"{what} give {excerpt(w.encode())}")

    def check_signature(self, key, report):
        """True if the key has signed it."""
        mine = [s for name, key_id, s in self.signatures if (name, key_id) == (key.name, key.id)]
        if not mine:
            report.problem(self.where, f"is not signed with the key {key.id.hex()}, but with "
                           f"{', '.join(self.key_ids())}")
            return False
        for signature in mine:
            if not openssl_verifies(key, self.text.encode(), signature):
                report.problem(self.where, f"the signature with the key {key.id.hex()} is wrong: "
                               "somebody else has written this text")
                return False
        return True


def openssl_verifies(key, message, signature):
    """OpenSSL 3.0 verifies Ed25519 only in files, not in pipes."""
    public = bytes.fromhex("302a300506032b6570032100") + key.public
    pem = f"-----BEGIN PUBLIC KEY-----\n{base64_text(public)}\n-----END PUBLIC KEY-----\n"
    with tempfile.TemporaryDirectory(prefix="verify-draw-") as folder:
        paths = [os.path.join(folder, name) for name in ("key", "message", "signature")]
        for path, data in zip(paths, (pem.encode(), message, signature)):
            with open(path, "wb") as file:
                file.write(data)
        try:
            done = subprocess.run(
                ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", paths[0], "-rawin",
                 "-in", paths[1], "-sigfile", paths[2]],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Bad("openssl", f"cannot check a signature: {error}") from None
    if done.returncode == 0 and b"Verified Successfully" in done.stdout:
        return True
    if b"Verification Failure" in done.stdout:
        return False
    raise Bad("openssl", f"cannot check a signature: {excerpt(done.stdout, 300)}")


# --- winners -----------------------------------------------------------------------------------


class Winners:
    """The winners as the bets give them."""

    def __init__(self):
        self.count = 0
        self.size = 0
        self.sha = hashlib.sha256()
        self.crc = 0
        self.of = {}      # agency: [count, bytes of its documents, SHA-256 of them, a line each]
        self.listed = []  # the first of them: (agency, document)

    def add(self, agency, document):
        of = self.of.setdefault(agency, [0, 0, hashlib.sha256()])
        of[0] += 1
        of[1] += len(document) + 1
        of[2].update(document + b"\n")
        if self.count < MAX_LISTED:
            self.listed.append((agency, document.decode()))
        self.count += 1

    def count_of(self, agency):
        return self.of[agency][0] if agency in self.of else 0

    def digest_of(self, agency):
        return self.of[agency][2].digest() if agency in self.of else hashlib.sha256().digest()


def winning_lines(file, extent, number):
    """(agency, document) of every bet on the number, a list per block of bets.csv."""
    needle = b",%d\r\n" % number
    rest = b""
    for begin in range(0, extent, MIB):
        data = rest + file.read(begin, min(MIB, extent - begin))
        end = data.rfind(b"\n") + 1
        found = []
        at = data.find(needle, 0, end)
        while at >= 0:
            line = data[data.rfind(b"\n", 0, at) + 1:at]
            try:
                agency, _, others = line.partition(b",")
                found.append((int(agency), others.rsplit(b",", 2)[1]))
            except (ValueError, IndexError):
                raise Bad(file.name, "changed meanwhile") from None
            at = data.find(needle, at + len(needle), end)
        yield found
        rest = data[end:]


def find_winners(path, draw, bets, report):
    """Recomputes the winners, and compares them with winners.csv."""
    winners = Winners()
    with File(os.path.join(path, "winners.csv"), "winners.csv") as file:
        is_same = True
        for found in winning_lines(bets.file, bets.at, draw.drawn["number"]):
            expected = b"".join(b"%d,%s\r\n" % winner for winner in found)
            for agency, document in found:
                winners.add(agency, document)
            if is_same and file.read(winners.size, len(expected)) != expected:
                report_winner(file, winners.size, expected, winners.count - len(found), report)
                is_same = False
            winners.size += len(expected)
            winners.sha.update(expected)
            winners.crc = crc32c(expected, winners.crc)
        if is_same and file.size > winners.size:
            report.problem(f"winners.csv:{winners.count + 1}", "has a winner too many: "
                           f"{excerpt(file.read(winners.size, 40).splitlines()[0])}")
    drawn = draw.drawn
    for what, said, computed in (("winners", drawn["winners"], winners.count),
                                 ("bytes of winners", drawn["size"], winners.size),
                                 ("as checksum of the winners", drawn["crc"], winners.crc)):
        if said != computed:
            report.problem("bets.journal", f"says {said} {what}, but the bets give {computed}")
    return winners


def report_winner(file, at, expected, line, report):
    """The first line of winners.csv that differs: at `at` it should have `expected`."""
    have = file.read(at, len(expected) + 64).split(b"\r\n")
    for want in expected.split(b"\r\n"):
        line += 1
        mine = have.pop(0) if have else b""
        if mine != want:
            report.problem(f"winners.csv:{line}", f"is {excerpt(mine)}, but the bets give "
                           f"{excerpt(want)}")
            return


def check_index(path, draw, winners, report):
    """winners.index: what the server tells the agencies."""
    name = "winners.index"
    if not os.path.lexists(os.path.join(path, name)):
        report.note(name, "missing; the server makes it again")
        return
    with File(os.path.join(path, name), name) as file:
        size = 40 + 32 * draw.agencies
        head = file.read(0, size)
        if len(head) < size or head[:8] != b"winners\n":
            raise Bad(name, "damaged: no table")
        fields = struct.unpack_from("<IIIIQQ", head, 8)
        if (fields != (crc32c(head[12:]), 1, draw.agencies, winners.crc, winners.count,
                       winners.size)):
            raise Bad(name, "its header does not fit the winners")
        at = size
        for agency in range(1, draw.agencies + 1):
            place, length, count, crc = struct.unpack_from("<QQQI", head, 8 + 32 * agency)
            of = winners.of.get(agency, (0, 0, hashlib.sha256()))
            # Where an agency has none, any place is as good.
            if (length, count) != (of[1], of[0]) or (length and place != at):
                report.problem(name, f"has {count} winners of agency {agency} in {length} bytes, "
                               f"but the bets give {of[0]} in {of[1]}")
                return
            sha, rest, computed = hashlib.sha256(), length, 0
            while rest:
                data = file.read(at, min(rest, MIB))
                if not data:
                    raise Bad(name, "damaged: too short")
                sha.update(data)
                computed = crc32c(data, computed)
                at += len(data)
                rest -= len(data)
            if sha.digest() != of[2].digest() or computed != crc:
                report.problem(name, f"has other winners of agency {agency} than the bets give")
        if file.size != at:
            report.problem(name, f"has {file.size - at} bytes more than the winners need")


# --- a draw's folder ---------------------------------------------------------------------------


class Facts:
    """What was found about a draw; what the record of the draw is printed from."""

    def __init__(self, path):
        self.path = path
        self.draw = None
        self.bets = None
        self.leaves = None
        self.root = None
        self.winners = None
        self.seal_note = None
        self.result_note = None
        self.is_signed = False  # both notes, with the given key


def check_leaves(path, leaves, report):
    """seal.leaves against the leaves that the bets give."""
    expected = "".join(leaf + "\n" for leaf in leaves).encode()
    with File(os.path.join(path, "seal.leaves"), "seal.leaves") as file:
        if file.size > 2 * len(expected) + MIB:
            raise Bad("seal.leaves", f"has {file.size} bytes instead of {len(expected)}")
        data = file.read(0, file.size)
    if data == expected:
        return
    lines = data.decode("utf-8", "replace").split("\n")
    for number, leaf in enumerate(leaves):
        line = lines[number] if number < len(lines) else ""
        if line != leaf:
            report.problem(f"seal.leaves:{number + 1}", f"is {excerpt(line.encode(), 250)}, but "
                           f"the bets give {excerpt(leaf.encode(), 250)}")
    if len(lines) != len(leaves) + 1 or lines[-1]:
        report.problem("seal.leaves", f"has more or less than {len(leaves)} lines")


def seal_text(draw, root):
    return f"lottery/{draw.name}\n{draw.agencies + 1}\n{base64_text(root)}\n"


def result_text(draw, root, winners):
    drawn = draw.drawn
    return (f"lottery/{draw.name}/result\nroot {base64_text(root)}\nnumber {drawn['number']}\n"
            f"source {drawn['source'] or '-'}\ntime {time_text(drawn['time'])}\n"
            f"winners {winners.count} {winners.sha.hexdigest()}\n")


def read_note(path, name):
    return Note(read_file(os.path.join(path, name), name, MAX_SMALL_FILE), name)


def attempt(report, function, *arguments):
    """Runs a check; what stops it is a problem, and the next ones go on."""
    try:
        return function(*arguments)
    except Bad as bad:
        report.problem(bad.where, bad.what)
        return None


def check_seal(facts, key, report):
    """seal.txt, seal.leaves, the record `sealed`, and the root that the bets give."""
    draw = facts.draw
    facts.leaves = leaves_of(draw, facts.bets)
    facts.root = tree_root(leaf_hash(leaf) for leaf in facts.leaves)
    if draw.sealed["root"] != facts.root:
        report.problem("bets.journal", f"is sealed with the root {base64_text(draw.sealed['root'])}"
                       f", but the bets give {base64_text(facts.root)}")
    attempt(report, check_leaves, facts.path, facts.leaves, report)
    facts.seal_note = attempt(report, read_note, facts.path, "seal.txt")
    if facts.seal_note:
        facts.seal_note.compare(seal_text(draw, facts.root), report, "the bets")
        if key:
            facts.is_signed = bool(attempt(report, facts.seal_note.check_signature, key, report))


def check_result(facts, key, report):
    """result.txt against the root, the record `drawn` and the winners that the bets give."""
    facts.result_note = attempt(report, read_note, facts.path, "result.txt")
    if not facts.result_note:
        return
    facts.result_note.compare(result_text(facts.draw, facts.root, facts.winners), report,
                              "the bets and the journal")
    if facts.seal_note and facts.seal_note.key_ids() != facts.result_note.key_ids():
        report.problem("result.txt", f"is signed with {', '.join(facts.result_note.key_ids())}, "
                       f"but seal.txt with {', '.join(facts.seal_note.key_ids())}")
    if key and not attempt(report, facts.result_note.check_signature, key, report):
        facts.is_signed = False


def check_leftovers(facts, report):
    """Files that are there too early, or remind of something."""
    draw = facts.draw
    try:
        names = sorted(os.listdir(facts.path))
    except OSError as error:
        raise Bad("", error.strerror) from None
    early = set()
    if not draw.sealed:
        early |= {"seal.txt", "seal.leaves"}
    if draw.phase != DRAWN:
        early |= {"winners.csv", "winners.index"}
    if draw.phase != DRAWN or not draw.sealed:
        early |= {"result.txt"}
    for name in names:
        if name in early:
            report.note(name, "no record says that it counts; it was not looked at")
        if name.startswith("bets.torn-") and not name.endswith(".journal"):
            report.note(name, "a recovery has cut these bytes off the bets")
    name = os.path.basename(os.path.abspath(facts.path))
    if draw.id and name != draw.id:
        report.note("", f"the folder of the draw {draw.id} has another name")
    times = [(draw.closed or {}).get("time"), (draw.sealed or {}).get("time"),
             (draw.drawn or {}).get("time")]
    times = [time for time in times if time]
    if times != sorted(times):
        report.note("bets.journal", "the times of closing, seal and number are not in this order: "
                    f"{', '.join(map(time_text, times))}; the clock was changed")


def read_draw(facts, journal, bets, report):
    """The journal of either format, with the bets."""
    if journal.read(0, 8) != MAGIC and not journal.read(4096, 8) == MAGIC and (
            (record_1_at(journal, 0) or record_1_at(journal, 512) or (0,))[0] == 1):
        facts.draw = read_journal_1(journal, bets, report)
    else:
        facts.draw = read_journal(journal, bets, report)


def verify_folder(path, key, report):
    """Checks one draw. Returns Facts; with .draw None if it could not even be read."""
    facts = Facts(path)
    try:
        with File(os.path.join(path, "bets.journal"), "bets.journal") as journal, \
                File(os.path.join(path, "bets.csv"), "bets.csv") as file:
            facts.bets = Bets(file, report)
            read_draw(facts, journal, facts.bets, report)
            draw = facts.draw
            if draw.sealed:
                check_seal(facts, key, report)
            if draw.phase == DRAWN:
                facts.winners = attempt(report, find_winners, path, draw, facts.bets, report)
                if facts.winners:
                    attempt(report, check_index, path, draw, facts.winners, report)
                    if draw.sealed:
                        check_result(facts, key, report)
            check_leftovers(facts, report)
    except Bad as bad:
        report.problem(bad.where, bad.what)
    return facts


# --- the record of the draw, for signing -------------------------------------------------------

CLOSED_BY = {BY_ALL: "porque todas las agencias terminaron", BY_DEADLINE: "por la hora de cierre"}


def act_rows(draw):
    if draw.acts:
        yield "Actos de los operadores:"
    for time, uid, text in draw.acts:
        yield f"  {time_text(time)}  uid {uid}  {text}"
    if draw.acts:
        yield ""


def agency_rows(facts):
    draw = facts.draw
    yield "Agencia     Apuestas  Ganadoras  Terminó  SHA-256 de sus apuestas"
    agencies = range(1, draw.agencies + 1)
    if draw.format == 1 and draw.phase == OPEN:
        agencies = sorted(facts.bets.tallies)
    for agency in agencies:
        won = facts.winners.count_of(agency) if facts.winners else "-"
        yield (f"{agency:7}  {facts.bets.count(agency):11}  {won:>9}  "
               f"{'sí' if agency in draw.finished else 'no':7}  {facts.bets.digest(agency)}")
    yield ""


def winner_rows(winners):
    yield f"Apuestas ganadoras: {winners.count}"
    yield f"SHA-256 de winners.csv: {winners.sha.hexdigest()}"
    for agency, document in winners.listed:
        yield f"  agencia {agency}, documento {document}"
    if winners.count > len(winners.listed):
        yield f"  y {winners.count - len(winners.listed)} más: ver winners.csv"
    yield ""


def when(time):
    return time_text(time) if time else "sin hora en el registro"


def moment_rows(draw):
    """Opening, closing, seal and number: when, and by whom."""
    yield f"Apertura: sin hora en el registro; modo {'manual' if draw.mode else 'automático'}"
    if draw.close_at:
        yield f"Cierre previsto: {time_text(draw.close_at)}"
    if draw.closed:
        by = CLOSED_BY.get(draw.closed["by"], f"por el operador, uid {draw.closed['uid']}")
        yield f"Cierre: {when(draw.closed['time'])}, {by}"
    if draw.sealed:
        yield f"Sello: {time_text(draw.sealed['time'])}"
        yield f"  raíz: {base64_text(draw.sealed['root'])}"
    if draw.drawn:
        who = f", informado por el operador, uid {draw.drawn['uid']}" if draw.mode else ""
        yield f"Sorteo: {when(draw.drawn['time'])}{who}"
        yield f"  número: {draw.drawn['number']}"
        yield (f"  origen: {draw.drawn['source'] or 'no se informó'}" if draw.mode else
               "  origen: la configuración, conocida desde antes de la primera apuesta")
    yield ""


def seal_rows(facts, key):
    draw = facts.draw
    if not draw.sealed:
        yield ("Este sorteo NO ESTÁ SELLADO: los archivos concuerdan entre sí, pero nada prueba "
               "que las apuestas")
        yield "sean las que había antes de conocerse el número."
    elif key:
        names = "seal.txt y result.txt" if facts.result_note else "seal.txt"
        yield f"Firma de {names}: comprobada con la clave {key.text}"
    else:
        yield "Firmas: NO SE COMPROBARON con una clave conocida (opción --key); los archivos dicen"
        yield f"estar firmados con la clave {', '.join(facts.seal_note.key_ids())}."
    yield ""


def state_text(draw):
    if draw.phase == DRAWN:
        return "sorteado y sellado" if draw.sealed else "sorteado, sin sello"
    if draw.phase == CLOSED:
        return "cerrado y sellado, sin sortear" if draw.sealed else "cerrado, sin sortear"
    return "abierto: recibe apuestas" if draw.phase == OPEN else "sin abrir"


def acta_rows(facts, key):
    draw = facts.draw
    yield "LOTERÍA NACIONAL"
    yield f"ACTA {'DEL SORTEO' if draw.phase == DRAWN else 'PROVISORIA DEL SORTEO'} " + (
        draw.id or "(sin identificador)")
    yield ""
    yield f"Carpeta: {os.path.abspath(facts.path)}"
    yield f"Estado: {state_text(draw)}"
    if draw.format == 1:
        yield "Registro de la primera versión del servidor: no tiene horas ni sello."
    yield from moment_rows(draw)
    yield f"Agencias: {draw.agencies}"
    yield f"Apuestas: {draw.bets()}"
    yield ""
    yield from agency_rows(facts)
    if facts.winners:
        yield from winner_rows(facts.winners)
    yield from act_rows(draw)
    yield from seal_rows(facts, key)
    yield "Se recalcularon a partir de las apuestas todos los números, resúmenes y ganadores de"
    yield "esta acta, y concuerdan con los archivos del sorteo."
    yield ""
    if draw.phase == DRAWN:
        for who in ("Por la Lotería", "Escribano", "Testigo"):
            yield ""
            yield f"{who}: ______________________________  Aclaración: ____________________"
        yield ""
        yield "Lugar y fecha: ______________________________"


def print_rows(rows):
    for row in rows:
        print(printable(row))


def verify_draw(path, key):
    """One draw. Returns the number of problems, and what was found."""
    report = Report(path)
    facts = verify_folder(path, key, report)
    report.finish()
    if not report.problems and not facts.draw.sealed:
        report.note("", "the draw is not sealed")
    elif not report.problems and not key:
        report.note("seal.txt", "its signature was not checked with a known key: give --key, with "
                    "a key from elsewhere")
    return report.problems, facts


def print_acta(facts, key, problems):
    """The record of the draw, unless there is something that nobody should sign."""
    if problems:
        print_rows([f"{facts.path}: NO SE EMITE EL ACTA: problemas encontrados: {problems}"])
    else:
        print_rows(acta_rows(facts, key))


# --- an agency's evidence ----------------------------------------------------------------------

ENCODINGS = {"utf-8": "utf-8-sig", "windows-1252": "cp1252", "iso-8859-1": "iso-8859-1",
             "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}
ROW_MAX = 4096
# Rows that stand in bets.csv as they are, after the agency's id and a comma: nearly all.
PLAIN = PLAIN_NAME + rb"," + PLAIN_NAME + TAIL
PLAIN_ROWS = {end: re.compile(rb"(?:" + PLAIN + end + rb")+") for end in (b"\r\n", b"\n")}


class Rows:
    """An agency's own file: blocks of whole lines in UTF-8."""

    def __init__(self, file, args):
        self.file = file
        self.name = file.name
        self.delimiter = "\t" if args.delimiter == "tab" else args.delimiter
        self.has_header = args.header == "skip"
        self.decoder = codecs.getincrementaldecoder(ENCODINGS[args.encoding])()
        self.line = 0  # lines before the next one

    def bad(self, what):
        return Bad(f"{self.name}:{self.line + 1}", what)

    def blocks(self):
        rest = b""
        for begin in range(0, self.file.size + 1, MIB):
            raw = self.file.read(begin, MIB)
            try:
                text = self.decoder.decode(raw, final=begin + MIB > self.file.size)
                data = rest + (text if begin else text.lstrip("\ufeff")).encode()
            except UnicodeError as error:
                raise Bad(self.name, f"is not in its encoding, from about byte {begin}: "
                          f"{error}") from None
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            if len(rest) > ROW_MAX:
                self.line += data.count(b"\n")
                raise self.bad(f"is longer than {ROW_MAX} bytes")
            yield data[:end]
        yield rest

    def fields(self, line):
        """The fields of one line; None where there is no bet."""
        if len(line) > ROW_MAX:
            raise self.bad(f"is longer than {ROW_MAX} bytes")
        try:
            fields = next(csv.reader([line.decode()], delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            raise self.bad(str(error)) from None
        if not fields:
            return None
        if self.has_header:
            self.has_header = fields[0].startswith("sep=")
            if self.has_header or not fields[-1].isdigit():
                return None
        if len(fields) != 5:
            raise self.bad(f"has {len(fields)} fields instead of 5")
        return fields


def csv_field(name):
    """A name as bets.csv has it."""
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name


class Own:
    """An agency's own bets, and which of them won."""

    def __init__(self, agency, number):
        self.prefix = b"%d," % agency
        self.bets = 0
        self.more = 0         # bets that the file has beyond those of the seal
        self.sha = hashlib.sha256()
        self.number = number  # None: not known
        self.winners = 0
        self.winners_sha = hashlib.sha256()

    def digest(self):
        return self.sha.hexdigest()

    def read(self, rows, limit):
        """Reads at most `limit` bets, and counts those after them."""
        for data in rows.blocks():
            at = 0
            while at < len(data):
                at = self._take_plain(rows, data, at, limit) or self._take_line(rows, data, at,
                                                                                limit)

    def _take_plain(self, rows, data, at, limit):
        """Takes as many rows as need no change. Returns where they end, or None."""
        if rows.delimiter != "," or rows.has_header:
            return None
        for end, pattern in PLAIN_ROWS.items():
            match = pattern.match(data, at)
            if match:
                break
        else:
            return None
        stop = match.end()
        count = data.count(b"\n", at, stop)
        if self.bets < limit < self.bets + count:  # the limit is among them
            count = limit - self.bets
            stop = at
            for _ in range(count):
                stop = data.index(b"\n", stop) + 1
        rows.line += count
        if self.bets == limit:
            self.more += count
            return stop
        last = stop - len(end)
        lines = self.prefix + data[at:last].replace(end, b"\r\n" + self.prefix) + b"\r\n"
        self.sha.update(lines)
        self.bets += count
        if self.number is not None:
            self._find_winners(lines, b",%d\r\n" % self.number)
        return stop

    def _find_winners(self, lines, needle):
        found = lines.find(needle)
        while found >= 0:
            line = lines[lines.rfind(b"\n", 0, found) + 1:found]
            self._add_winner(line.rsplit(b",", 2)[1])
            found = lines.find(needle, found + 1)

    def _add_winner(self, document):
        self.winners += 1
        self.winners_sha.update(document + b"\n")

    def _take_line(self, rows, data, at, limit):
        """Takes one row in whatever form. Returns where the next one begins."""
        end = data.find(b"\n", at) + 1 or len(data)
        fields = rows.fields(data[at:end])
        if fields and self.bets >= limit:
            self.more += 1
        elif fields:
            first, last, document, birthdate, number = fields
            if not (number.isascii() and number.isdigit() and len(number) <= 18):
                raise rows.bad(f"has the number {excerpt(number.encode())}")
            line = self.prefix + (f"{csv_field(first)},{csv_field(last)},{document},{birthdate},"
                                  f"{int(number)}\r\n").encode()
            if not RUN.fullmatch(line):
                raise rows.bad(f"is not a bet: {excerpt(data[at:end].rstrip())}")
            self.sha.update(line)
            self.bets += 1
            if int(number) == self.number:
                self._add_winner(document.encode())
        rows.line += 1
        return end


class Evidence:
    """What an agency keeps: its leaf, the proof, and the notes."""

    def __init__(self, path):
        self.where = path
        data = read_file(path, path, MAX_EVIDENCE, follow=True)
        head, found, rest = data.partition(b"\nnote\n")
        if not found:
            raise Bad(path, "is not an agency's evidence: it has no line `note`")
        seal, found, result = rest.partition(b"\nresult\n")
        self.seal = Note(seal + b"\n" if found else seal, f"{path}, note")
        self.result = Note(result, f"{path}, result") if found else None
        try:
            self._read_head(head.decode("ascii").split("\n"))
        except (UnicodeDecodeError, ValueError):
            raise Bad(path, "is not an agency's evidence") from None
        self._read_notes()

    def _read_head(self, lines):
        pattern = re.compile(r"lottery-seal-evidence 1\ndraw (?P<draw>[A-Za-z0-9_-]{1,64})\n"
                             r"(?P<leaf>agency (?P<agency>[1-9][0-9]{0,4}) "
                             r"(?P<bets>0|[1-9][0-9]{0,18}) (?P<digest>[0-9a-f]{64}) "
                             r"(?P<nonce>[0-9a-f]{64}))\n"
                             r"index (?P<index>[1-9][0-9]{0,4})"
                             r"(?P<proof>(\nproof [0-9a-f]{64}){0,64})")
        match = pattern.fullmatch("\n".join(lines))
        if not match:
            raise ValueError
        self.draw = match["draw"]
        self.leaf = match["leaf"]
        self.agency = int(match["agency"])
        self.bets = int(match["bets"])
        self.digest = match["digest"]
        self.index = int(match["index"])
        self.proof = [bytes.fromhex(line[6:]) for line in match["proof"].split("\n")[1:]]

    def _read_notes(self):
        match = re.fullmatch(r"lottery/([A-Za-z0-9_-]{1,64})\n([1-9][0-9]{0,4})\n"
                             r"([A-Za-z0-9+/=]+)\n", self.seal.text)
        self.root = base64_bytes(match[3]) if match else None
        if self.root is None or len(self.root) != 32:
            raise Bad(self.seal.where, "is not a seal: origin, size and root")
        self.origin, self.size = match[1], int(match[2])
        self.number = None
        if self.result:
            match = re.fullmatch(r"lottery/([A-Za-z0-9_-]{1,64})/result\nroot ([A-Za-z0-9+/=]+)\n"
                                 r"number (0|[1-9][0-9]{0,3})\nsource [^\n]+\ntime [^\n]+\n"
                                 r"winners (0|[1-9][0-9]{0,18}) [0-9a-f]{64}\n", self.result.text)
            if not match:
                raise Bad(self.result.where, "is not a result")
            self.result_origin, self.result_root = match[1], base64_bytes(match[2])
            self.number = int(match[3])

    def check(self, key, report):
        """The evidence in itself, and its signatures."""
        where = self.where
        if self.origin != self.draw:
            report.problem(where, f"is of the draw {self.draw}, but its seal is of {self.origin}")
        if self.index != self.agency or self.index >= self.size:
            report.problem(where, f"has agency {self.agency} at the place {self.index} of "
                           f"{self.size}")
        elif proof_root(self.index, self.size, self.leaf, self.proof) != self.root:
            report.problem(where, f"the proof does not lead from the leaf of agency {self.agency} "
                           "to the root of the seal")
        if self.result:
            if (self.result_origin, self.result_root) != (self.origin, self.root):
                report.problem(self.result.where, "is of another draw, or has another root than the "
                               "seal")
            if self.result.key_ids() != self.seal.key_ids():
                report.problem(self.result.where, "is signed with another key than the seal")
        for note in (self.seal, self.result):
            if key and note:
                note.check_signature(key, report)


def compare_with_draw(evidence, own, facts, report):
    """The agency's evidence, its bets and its winners against the draw's folder."""
    where = evidence.where
    draw = facts.draw
    if draw is None or not draw.sealed or facts.root is None:
        report.problem(where, "the draw in the folder has no seal that could be checked")
        return
    if draw.name != evidence.draw:
        report.problem(where, f"is of the draw {evidence.draw}, but the folder has {draw.name}")
    if facts.root != evidence.root or draw.agencies + 1 != evidence.size:
        report.problem(where, f"has a seal with the root {base64_text(evidence.root)}, but the bets "
                       f"in the folder give {base64_text(facts.root)}")
    if facts.seal_note and facts.seal_note.text != evidence.seal.text:
        report.problem(where, "has another seal than the folder's seal.txt")
    if facts.seal_note and facts.seal_note.key_ids() != evidence.seal.key_ids():
        report.problem(where, f"has a seal signed with {', '.join(evidence.seal.key_ids())}, but "
                       "the folder's seal.txt is signed with "
                       f"{', '.join(facts.seal_note.key_ids())}")
    agency = evidence.agency
    if agency < len(facts.leaves) and facts.leaves[agency] != evidence.leaf:
        report.problem(where, f"has other bets of agency {agency} than the folder, or another nonce")
    if evidence.result and facts.result_note and facts.result_note.text != evidence.result.text:
        report.problem(where, "has another result than the folder's result.txt")
    if evidence.number is not None and facts.winners and own and (
            facts.winners.count_of(agency) != own.winners
            or facts.winners.digest_of(agency) != own.winners_sha.digest()):
        report.problem(where, f"the folder has {facts.winners.count_of(agency)} winners of agency "
                       f"{agency}, but its own file has {own.winners}, or others")


def check_winners_file(path, own, report):
    """The documents that the agency was told, in their order."""
    with File(path, path, follow=True) as file:
        sha, count, rest = hashlib.sha256(), 0, b""
        for begin in range(0, file.size, MIB):
            data = (rest + file.read(begin, MIB)).replace(b"\r\n", b"\n")
            rest = data[-1:] if data.endswith(b"\r") else b""
            data = data[:len(data) - len(rest)]
            sha.update(data)
            count += data.count(b"\n")
    if own.number is None:
        report.problem(path, "there is no result in the evidence to check it with")
    elif count != own.winners or sha.digest() != own.winners_sha.digest():
        report.problem(path, f"has {count} winners, but the agency's own bets give {own.winners}, "
                       "or others")


def read_own(claim, evidence, args, report):
    """The agency's file against its leaf. Returns Own."""
    own = Own(evidence.agency, evidence.number)
    with File(claim.agency, claim.agency, follow=True) as file:
        own.read(Rows(file, args), evidence.bets)
    if own.more:
        report.note(claim.agency, f"the last {own.more} bets are not in the draw: agency "
                    f"{evidence.agency} was sealed with {evidence.bets}")
    if own.bets != evidence.bets or own.digest() != evidence.digest:
        report.problem(claim.agency, f"has {own.bets} bets with the digest {own.digest()}, but "
                       f"agency {evidence.agency} was sealed with {evidence.bets} and "
                       f"{evidence.digest}")
    return own


def check_claim(claim, facts, args, report):
    """One agency's evidence. Prints what it shows."""
    evidence = Evidence(claim.seal)
    evidence.check(args.key, report)
    own = attempt(report, read_own, claim, evidence, args, report)
    if facts:
        compare_with_draw(evidence, own, facts, report)
    if claim.winners and own:
        attempt(report, check_winners_file, claim.winners, own, report)
    if report.problems:
        return
    if not evidence.result:
        report.note(claim.seal, "no result is in it: the number was not checked")
    if not args.key:
        report.note(claim.seal, "its signatures were not checked with a known key: give --key")
    print_rows(claim_rows(claim, evidence, own, facts, args.key))


def claim_rows(claim, evidence, own, facts, key):
    yield f"CONSTANCIA DE LA AGENCIA {evidence.agency}, sorteo {evidence.draw}"
    yield f"  {own.bets} apuestas de {claim.agency} están en el sorteo, sin cambios"
    yield f"  SHA-256: {own.digest()}"
    yield f"  raíz del sello: {base64_text(evidence.root)}"
    if evidence.number is not None:
        yield f"  número {evidence.number}: {own.winners} apuestas ganadoras"
    if facts:
        yield f"  concuerda con la carpeta {os.path.abspath(facts.path)}"
    yield "  firmas: " + (f"comprobadas con la clave {key.text}" if key else "NO SE COMPROBARON")
    yield ""


# --- the command line --------------------------------------------------------------------------


class Claim:
    """What one agency shows."""

    def __init__(self, agency):
        self.agency = agency
        self.seal = None
        self.winners = None


class ClaimAction(argparse.Action):
    """--agency begins an agency; --seal and --winners belong to the one before them."""

    def __call__(self, parser, namespace, value, option=None):
        claims = namespace.claims
        if self.dest == "agency":
            claims.append(Claim(value))
        elif not claims or getattr(claims[-1], self.dest) is not None:
            parser.error(f"{option}: comes once after each --agency")
        else:
            setattr(claims[-1], self.dest, value)


def key_argument(text):
    try:
        return Key(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="verify-draw.py", allow_abbrev=False,
        description="Check a draw from its files, and print its record for signing.",
        epilog="Problems go to stderr, each with where and what. Exit status: 0 all fits, 1 it does "
        "not, or cannot be read, 2 bad arguments. Nothing is changed.")
    parser.add_argument("folder", metavar="DIR", nargs="?",
                        help="the folder of a draw; for the draw without an id it is the data "
                        "directory itself")
    parser.add_argument("--all", action="store_true",
                        help="DIR is a data directory: check every draw in it")
    parser.add_argument("--key", metavar="VKEY", type=key_argument,
                        help="the key that has to have signed, lottery+ID+BASE64, from elsewhere "
                        "than the folder")
    parser.add_argument("--agency", metavar="FILE", action=ClaimAction,
                        help="an agency's own file of bets; more than one agency may follow")
    parser.add_argument("--seal", metavar="FILE", action=ClaimAction,
                        help="that agency's evidence, as its setting seal.file has written it")
    parser.add_argument("--winners", metavar="FILE", action=ClaimAction,
                        help="the winners that it was told, as its setting winners.file has written "
                        "them")
    parser.add_argument("--encoding", choices=ENCODINGS, default="utf-8",
                        help="of the agencies' files of bets, as in their settings; so are the next")
    parser.add_argument("--delimiter", choices=[",", ";", "tab"], default=",")
    parser.add_argument("--header", choices=["none", "skip"], default="none")
    parser.set_defaults(claims=[])
    args = parser.parse_args()
    if not args.folder and not args.claims:
        parser.error("DIR or --agency is missing")
    if any(claim.seal is None for claim in args.claims):
        parser.error("--seal is missing after --agency")
    if args.all and (not args.folder or args.claims):
        parser.error("--all goes with DIR alone")
    if args.folder and not os.path.isdir(args.folder):
        parser.error(f"'{printable(args.folder)}' is not a folder")
    return args


def has_draw(path):
    return os.path.lexists(os.path.join(path, "bets.journal"))


def draws_in(path):
    """The names of the folders of draws in a data directory."""
    try:
        return sorted(name for name in os.listdir(path)
                      if DRAW_ID.fullmatch(name) and has_draw(os.path.join(path, name)))
    except OSError as error:
        raise Bad(path, error.strerror) from None


def verify_all(args):
    names = draws_in(args.folder)
    paths = [args.folder] if has_draw(args.folder) or not names else []
    paths += [os.path.join(args.folder, name) for name in names]
    found = 0
    for i, path in enumerate(paths):
        if i:
            print_rows(["", "=" * 90, ""])
        problems, facts = verify_draw(path, args.key)
        print_acta(facts, args.key, problems)
        found += problems
    return 1 if found else 0


def verify_claims(args, facts):
    """Each agency's evidence. Returns the number of problems."""
    found = 0
    for claim in args.claims:
        report = Report("")
        attempt(report, check_claim, claim, facts, args, report)
        report.finish()
        found += report.problems
    return found


def run(args):
    if args.all:
        return verify_all(args)
    problems, facts, inner = 0, None, []
    if args.folder:
        inner = draws_in(args.folder)
        if inner and not has_draw(args.folder):
            raise Bad(args.folder, "has no draw of its own, but the folders of these; give one of "
                      f"them, or --all: {' '.join(inner)}")
        problems, facts = verify_draw(args.folder, args.key)
    problems += verify_claims(args, facts)
    if facts:
        print_acta(facts, args.key, problems)
    if inner:
        Report(args.folder).note("", f"other draws in it (--all): {' '.join(inner)}")
    return 1 if problems else 0


def main():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    args = parse_arguments()
    try:
        status = run(args)
        sys.stdout.flush()
        return status
    except Bad as bad:
        Report("").problem(bad.where, bad.what)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
