"""Writes the files of every corpus: tests/fuzz/corpus/<target>/seed-* and regression-*.

Usage: make_seeds.py. Seeds are inputs of every kind, written by hand. A regression is an input that once
showed a fault: without the fix its target fails. What the fuzzer has found is in corpus.tar.xz; see
corpus.py. The targets' sources say how their inputs are built.
"""
import pathlib
import re
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
import control_wire  # noqa: E402
from control_wire import pb as control_pb  # noqa: E402
from wire import bet, checksum, frame, pb  # noqa: E402

NEW_BETS, ACK, FINISHED, WINNERS = pb.OPCODE_NEW_BETS, pb.OPCODE_ACK, pb.OPCODE_FINISHED, \
    pb.OPCODE_WINNERS
SECOND, ENDS, HANG_UP, FULL, SLOW, RAFFLE, NO_FRAME, LOST = (1 << i for i in range(8))


PEER_2, WAITS, BACKEND_ENDS, REFUSES, READS, LEAVES, STOPS, SMALL_PAGES = (1 << i for i in range(8))


def operators(*steps_taken):
    """Steps of the control target: what happens, and the commands (or bytes) that a peer sends."""
    steps_of_peers = b""
    for around, *commands in steps_taken:
        data = b"".join(command if isinstance(command, bytes) else
                        frame(control_wire.OPCODES[type(command)], command) for command in commands)
        steps_of_peers += bytes([around, len(data)]) + data
    return steps_of_peers


def new_bets(agency, offset=0, bets=(), draw="", checksum=b""):
    return frame(NEW_BETS, pb.NewBets(agency_id=agency, offset=offset, bets=bets, draw=draw,
                                      checksum=checksum))


def finished(agency, total, draw="", want_seal=False):
    return frame(FINISHED, pb.Finished(agency_id=agency, total=total, draw=draw, want_seal=want_seal))


HAS_ID, MANUAL, SEALED, HAS_PAST, PAST_HAS_NO_ID = (1 << i for i in range(5))


def setup(bits):
    """The first step: which draws there are."""
    return b"\0" + frame(192, bytes([bits]))


def past_bets(first, count):
    """Bets of agency 1 in the draw that is over, and others after them."""
    return [bet("1", "Ana", "Paz", "1999-12-31", 7574 if i == 1 else 0)
            for i in range(first, first + count)]


def steps(*pairs):
    return b"".join(bytes([around]) + message for around, message in pairs)


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return bytes([len(value)]) + value


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def record(at, kind, agency=0, count=0, received=0, data_at=0, data=b"", synced=1024):
    body = struct.pack("<BBHIIQQIIQQQ", kind, 1, 0, agency, count, received, data_at,
                       0 if kind == 4 else len(data), crc32c(data) if data else 0, synced, at, 7)
    return struct.pack("<I", crc32c(body)) + body


(HELLO, APPEND, ASK, FINISH, CLOSE_DRAW, OPEN_FILES, SEAL_DRAW, DRAW, TELL_RESULT, FILES_LOST, ACT,
 PIECE) = range(1, 13)
SNAPSHOT = 15
WINNERS_FILES, SEAL_FILES, RESULT_FILES = range(3)
RAW, COMMIT, FAILS, PEER_LEAVES, NO_REGION, TELLS = (1 << i for i in range(2, 8))


def request(kind, around, *fields, form=""):
    """A step of the ledger's target; without RAW the target takes kinds from APPEND on, modulo."""
    kind = kind if around & RAW else kind - APPEND
    body = struct.pack("<I12x" + form, kind, *fields) if form else struct.pack("<I4xI", kind, *fields)
    return bytes([around]) + body.ljust(64, b"\0")


def batch(around, agency, offset, count, size=0):
    return request(APPEND, around, agency, count - 1, offset, 0, size, form="IIQQI")


def agency_ends(around, agency, total):
    return request(FINISH, around, agency, 0, 0, total, form="III4xQ")


LEDGER_DRAW = (batch(0, 1, 0, 3) + batch(1 | COMMIT, 1, 2, 4, 8) + agency_ends(0, 1, 6)
               + agency_ends(1 | COMMIT, 2, 0) + request(CLOSE_DRAW, COMMIT, 0)
               + request(OPEN_FILES, COMMIT, WINNERS_FILES)
               + request(DRAW, COMMIT | TELLS, 0, 1, 0, 0, 0, 0, 1, form="QQQIIII"))

# The two lowest bits of the first step make it a draw of operators, with a seal.
LEDGER_RUN = (batch(3, 1, 0, 3) + request(CLOSE_DRAW, COMMIT, 3, 1000, 0, form="III")
              + request(OPEN_FILES, COMMIT, SEAL_FILES)
              + request(SEAL_DRAW, COMMIT, 5, b"\1", 1, form="Q32sI")
              + request(OPEN_FILES, COMMIT, WINNERS_FILES) + request(PIECE, 0, 9)
              + request(DRAW, COMMIT, 0, 1, 0, 0, 0, 0, 1, form="QQQIIII")
              + request(OPEN_FILES, COMMIT, RESULT_FILES)
              + request(TELL_RESULT, COMMIT | TELLS, 1, form="Q"))


def folder(flags=0, tail=b"", cut=None, synced=1024, missing=0):
    """Two agencies' bets, both finished, and the draw."""
    batches = [b"1,Ana,Paz,1D0,1999-12-31,7574\r\n1,Ana,Paz,1D1,1999-12-31,1\r\n",
               b'2,"Ana, ""Nita""",Paz,2D0,1999-12-31,7574\r\n']
    winners = b"1,1D0\r\n2,2D0\r\n"
    bets = b"".join(batches)
    journal = record(0, 1, received=0).ljust(512, b"\0")
    journal = (journal + record(512, 1, received=1, synced=synced)).ljust(1024, b"\0")
    journal += record(1024, 2, 1, 2, 2, 0, batches[0])
    journal += record(1088, 2, 2, 1, 1, len(batches[0]), batches[1], synced=1088)
    journal += record(1152, 3, 1, received=2) + record(1216, 3, 2, received=1)
    journal += record(1280, 4, count=7574, received=2, data_at=len(winners), data=winners)
    journal = (journal + tail)[:cut]
    bets = bets[:len(bets) - missing]
    return struct.pack("<BHH", flags, len(bets), len(journal)) + bets + journal + winners


def header_2(generation, synced=0, bets_synced=0):
    body = struct.pack("<IQQQQ16x", 2, 7, generation, synced, bets_synced)
    return b"LOTJRNL\n" + struct.pack("<I", crc32c(body)) + body


def record_2(at, kind, body, lines=b"", synced=0, bets_synced=0):
    """A record of format 2: a draw's, or (kind 16) a checkpoint."""
    padded = lines + bytes(-len(lines) % 8)
    rest = struct.pack("<IBBHIQQQQ", 48 + len(body) + len(padded), kind, bool(lines), 0, 0, at, 7,
                       synced, bets_synced) + body
    return struct.pack("<I", crc32c(rest)) + rest + padded


def folder_2(flags=16, tail=b"", cut=None, synced=0, missing=0, is_closed=True):
    """Two agencies: bets in a record, bets in bets.csv, both finished, the closing."""
    one = b"1,Ana,Paz,1D0,1999-12-31,7574\r\n1,Ana,Paz,1D1,1999-12-31,1\r\n"
    two = b'2,"Ana, ""Nita""",Paz,2D0,1999-12-31,7574\r\n'
    bets = one + two
    at = 8192

    def add(kind, body, lines=b""):
        nonlocal at, journal
        new = record_2(at, kind, body, lines)
        at += len(new)
        journal += new

    journal = header_2(1) + header_2(2, synced)
    add(16, bytes(24 + 64 + 32))
    add(1, struct.pack("<II", 2, 7574))
    add(3, struct.pack("<QQIIII", 0, 0, 1, 2, len(one), crc32c(one)), one)
    add(3, struct.pack("<QQIIII", 0, len(one), 2, 1, len(two), crc32c(bets)))
    add(4, struct.pack("<QII", 2, 1, 0))
    add(4, struct.pack("<QII", 1, 2, 0))
    if is_closed:
        add(5, struct.pack("<QIIQQ32s", 1700000000, 1, 0, 3, len(bets), b"salt"))
    journal = (journal + tail)[:cut]
    bets = bets[:len(bets) - missing]
    return struct.pack("<BHH", flags, len(bets), len(journal)) + bets + journal


def text_body(head, value):
    """The body of a record that ends with a text."""
    return head + value + bytes(-len(value) % 8)


TERMS = struct.pack("<IIBBB5xQ64s8x", 2, 0, 1, 1, 8, 1600000000, b"nocturna")
SEAL_RECORD = struct.pack("<Q32s", 1700000001, b"root")


def act(value, uid=1000):
    return text_body(struct.pack("<QII", 1700000003, uid, len(value)), value)


def drawn(source=b"the urn", root=b"root", uid=1000):
    head = struct.pack("<QIIQQII32s", 1700000002, 7574, 0, 0, 0, uid, len(source), root)
    return text_body(head, source)


def folder_by_operators(flags=16, why=3, uid=1000, records=True, items=(), terms=TERMS, bets=b"",
                        phase=0, tail=b"", cut=None):
    """A draw that operators run: its records, or a checkpoint with its items."""
    at = 8192

    def add(kind, body):
        nonlocal at, journal
        new = record_2(at, kind, body)
        if kind == 16 and items:
            new = new[:9] + b"\2" + new[10:]
            new = struct.pack("<I", crc32c(new[4:])) + new[4:]
        at += len(new)
        journal += new

    closed = struct.pack("<QIIQQ32s", 1700000000, why, uid, 0, len(bets), b"salt")
    journal = header_2(1) + header_2(2)
    if records:
        add(16, bytes(24 + 64 + 32))
        for kind, body in ((1, terms), (8, act(b"close")), (5, closed), (7, SEAL_RECORD), (8, act(b"x" * 200)),
                           (6, drawn()), (8, act("n\u00famero".encode()))):
            add(kind, body)
    else:
        extension = b"".join(struct.pack("<II", kind, len(body)) + body for kind, body in items)
        short = drawn()[:32] if phase == 3 else bytes(32)
        add(16, struct.pack("<QIIII", 0, 0, phase, 2, 0) + (closed if phase >= 2 else bytes(64)) + short
            + bytes(2 * 8 + 8 + 8) + struct.pack("<Q", len(extension)) + extension)
    journal = (journal + tail)[:cut]
    return struct.pack("<BHH", flags, 0, len(journal)) + journal


ITEMS = ((1, TERMS), (7, SEAL_RECORD), (6, drawn()), (8, act(b"close")), (8, act(b"x" * 200)))


def a_bet(first, last, document, birthdate, number=7574, rest="7574", today=1000000):
    return struct.pack("<I", today)[:3] + struct.pack("<H", number) + text(first) + text(last) + \
        text(document) + text(birthdate) + text(rest)


def in_format(content, encoding, number, delimiter=0, has_header=0, may_be_empty=0):
    """A file that is not UTF-8 with commas: the byte at its end says what it is instead."""
    flags = number | delimiter << 3 | has_header << 5 | may_be_empty << 6
    return content.encode(encoding) + bytes([0xfe, flags])


# The example of a seal: the blocks of that chapter.
EXAMPLE = re.findall(r"^```\n(.*?)^```\n",
                     (HERE.parents[1] / "docs/protocol.md").read_text().partition("## The seal")[2]
                     .replace("```python", "```"), re.MULTILINE | re.DOTALL)
TREE, SEAL, RESULT, NOTE, VKEY, TEXT, ENCODING = (bytes([kind]) for kind in range(7))


def example(start):
    """The block of the example that begins so, without its last line feed."""
    return next(block for block in EXAMPLE if block.startswith(start)).encode()[:-1]


def unsigned(start):
    """The text of a note without the empty line and the signature."""
    return example(start).rpartition(b"\n\n")[0] + b"\n"


TAKE, PASS, READ, WRITE, SETTLE, END, DROP, CHANGE, REPEAT, ROTATE, INSERT, REFLECT = range(12)
CLIENT, SERVER = range(2)


def handshake(*steps_taken, client=0, server=0, name=0):
    """The tls target: whose certificates, then (step, side) or (step, side, number), and other bytes."""
    data = bytes([client, server, name])
    for step in steps_taken:
        data += step if isinstance(step, bytes) else \
            bytes([step[0] << 1 | step[1]]) + b"".join(struct.pack("<H", n) for n in step[2:])
    return data


GREET = (SETTLE, CLIENT)


HEADER = "nombre,apellido,documento,nacimiento,numero\r\n"
ROW = b"Santiago Lionel,Lorca,30904465,1999-03-17,7574\n"
ONE = new_bets(1, 0, [bet("1")])
PAST_LINES = [f"1,Ana,Paz,1,1999-12-31,{number}\r\n".encode() for number in (0, 7574, 0)]

SEEDS = {
    "frame": [
        b"\3\0" + ONE + finished(1, 1) + frame(77) + ONE[:7],
        b"\0\0" + frame(0, bytes(8187)) + frame(4, b"x"),
        b"\1\0\0" + struct.pack("<I", 8188),
    ],
    "service": [
        steps((ENDS, new_bets(1)), (0, ONE), (ENDS, new_bets(1, 1, [bet("2"), bet("3")])),
              (0, finished(1, 3)), (SECOND | ENDS, new_bets(2, 0, [bet("9", number=1)])),
              (SECOND | ENDS | RAFFLE, finished(2, 1)), (LOST, finished(1, 3))),
        steps((ENDS, finished(1, 0)), (LOST | SECOND | ENDS, finished(2, 0)), (SLOW | RAFFLE, ONE),
              (0, finished(1, 0)), (HANG_UP, finished(1, 0)), (ENDS, new_bets(2, 0, [bet()]))),
        steps((ENDS, ONE), (0, finished(1, 1)), (SECOND, finished(2, 0)), (ENDS, finished(1, 1)),
              (RAFFLE, new_bets(1))),
        steps((FULL | ENDS, ONE), (ENDS, new_bets(1, 5, [bet()])), (ENDS, finished(1, 9)),
              (ENDS, new_bets(2)), (ENDS, new_bets(9)), (ENDS, new_bets(1, 0, [pb.Bet()] * 9))),
        steps((0, ONE), (HANG_UP, ONE), (ENDS, ONE + b"")),
        steps((0, ONE), (ENDS, frame(WINNERS, pb.Winners(agency_id=1, documents=["1"])))),
        steps((0, new_bets(1, 0, [bet(first="a\0b")])), (NO_FRAME, frame(0, b"\x1a\x05\x0a\x03J")),
              (ENDS, ONE)),
        steps((ENDS, new_bets(1, 0, [bet(first="Jos\u00e9", last='"', number=0)] * 40)),
              (ENDS, new_bets(1, 20, [bet("8")] * 40))),
        setup(HAS_ID | MANUAL | SEALED)
        + steps((ENDS, new_bets(1, 0, [bet()], "b")), (0, new_bets(1, 1, [bet()])),
                (ENDS, finished(1, 1, "b", True)), (SECOND | ENDS | RAFFLE, finished(2, 0, "b")),
                (RAFFLE, new_bets(1, 1, [bet()], "b")), (RAFFLE, finished(1, 1, "b")),
                (SLOW | ENDS, finished(1, 1, "b", True)), (ENDS, finished(1, 1, "b", True))),
        setup(HAS_ID | HAS_PAST | SEALED)
        + steps((0, new_bets(1, 0, (), "a")), (0, new_bets(1, 1, past_bets(1, 2), "a")),
                (0, new_bets(1, 0, past_bets(0, 4), "a")), (0, finished(1, 3, "a")),
                (SLOW, finished(1, 3, "a")), (SLOW, finished(1, 3, "a", True)), (0, finished(1, 2, "a")),
                (SECOND, new_bets(3, 0, (), "a")), (SECOND, finished(2, 0, "c")),
                (SECOND | ENDS, new_bets(2, 0, [bet()], "b"))),
        setup(HAS_ID | HAS_PAST | PAST_HAS_NO_ID | MANUAL)
        + steps((0, new_bets(1, 3, (), checksum=checksum(PAST_LINES))),
                (0, new_bets(1, 2, past_bets(2, 2), checksum=b"1234")),
                (0, new_bets(1, 5, past_bets(0, 1))), (HANG_UP, finished(1, 3)),
                (RAFFLE | ENDS, finished(1, 0, "b")), (RAFFLE, new_bets(1, 0, [bet()], "b"))),
        setup(HAS_PAST | SEALED)
        + steps((ENDS, ONE), (ENDS, finished(1, 1, "", True)), (SECOND, finished(2, 0, "a", True)),
                (SECOND | HANG_UP, new_bets(2, 0, (), "..")), (SECOND | RAFFLE | ENDS, finished(2, 0))),
    ],
    "control": [
        operators((READS, control_pb.GetStatus()), (READS, control_pb.Close()),
                  (READS, control_pb.Draw(number=7574, source="bolillero")),
                  (READS | SMALL_PAGES, control_pb.Next(draw="x-1", close_at=1700000000)),
                  (READS | REFUSES, control_pb.Reload()), (READS | LEAVES,)),
        operators((0, control_pb.ListAgencies()), (READS,), (READS,), (READS,), (READS,),
                  (PEER_2 | SMALL_PAGES, control_pb.ListWinners()), (PEER_2 | READS | STOPS,)),
        operators((WAITS, control_pb.Close()), (PEER_2 | WAITS, control_pb.ListWinners()),
                  (PEER_2 | LEAVES | BACKEND_ENDS,), (BACKEND_ENDS,), (READS, b"\1\0"),
                  (0, b"\0\0\0")),
        operators((WAITS, control_pb.Draw(), control_pb.GetStatus()), (0, b"GET / HTTP/1.1"),
                  (0, control_pb.Draw(number=10000)), (READS, control_pb.Next(draw="../x")),
                  (WAITS | READS, control_pb.Next(draw="y")), (STOPS,)),
        operators((0, control_pb.Backup()), (READS, control_pb.Backup()),
                  (READS | SMALL_PAGES, control_pb.Backup()), (READS | REFUSES, control_pb.Backup()),
                  (WAITS | READS, control_pb.Backup()), (BACKEND_ENDS | LEAVES,),
                  (PEER_2 | WAITS, control_pb.Backup()), (PEER_2 | STOPS,)),
    ],
    "ledger": [
        LEDGER_DRAW,
        LEDGER_DRAW + batch(COMMIT, 1, 0, 2) + request(OPEN_FILES, 2 | COMMIT, WINNERS_FILES)
        + request(DRAW, 2 | COMMIT | PEER_LEAVES, 0, 1, 0, 0, 0, 0, 1, form="QQQIIII"),
        batch(0, 1, 0, 2) + batch(FAILS | PEER_LEAVES | NO_REGION, 2, 0, 1)
        + request(APPEND, RAW | COMMIT, 1, 1, 0, 2**63, 1, form="IIQQI")
        + request(HELLO, RAW, 0) + request(ASK, COMMIT, 1, form="I"),
        request(FILES_LOST, COMMIT, WINNERS_FILES) + LEDGER_DRAW + request(FILES_LOST, COMMIT, WINNERS_FILES)
        + request(DRAW, COMMIT, 0, 1, 0, 0, 0, 0, 1, form="QQQIIII")
        + request(FILES_LOST, FAILS, WINNERS_FILES),
        LEDGER_RUN + request(FILES_LOST, 1 | COMMIT, SEAL_FILES)
        + request(SEAL_DRAW, COMMIT, 5, b"\1", 0, form="Q32sI")
        + request(SEAL_DRAW, COMMIT, 5, b"", 0, form="Q32sI")
        + request(FILES_LOST, COMMIT, RESULT_FILES) + request(TELL_RESULT, COMMIT, 0, form="Q"),
        request(PIECE, 3, 38) + request(ACT, 0, 7, 1000, 0, 1, form="QIII") + request(PIECE, 0, 38)
        + request(ACT, COMMIT | PEER_LEAVES, 7, 1000, 0, 0, form="QIII") + request(PIECE, 0, 38)
        + request(ACT, COMMIT, 7, 1000, 1, 0, form="QIII")
        + request(CLOSE_DRAW, COMMIT, 3, 1000, 1, form="III") + request(PIECE, 0, 39) * 20,
        LEDGER_RUN[:65 * 2] + request(OPEN_FILES, COMMIT, WINNERS_FILES)
        + request(DRAW, COMMIT, 0, 1, 0, 0, 0, 0, 1, form="QQQIIII"),
        batch(0, 1, 0, 3) + request(SNAPSHOT, RAW | COMMIT, 0) + batch(FAILS, 1, 3, 2)
        + request(SNAPSHOT, RAW | COMMIT | PEER_LEAVES, 0) + request(SNAPSHOT, RAW | COMMIT | FAILS, 0)
        + request(SNAPSHOT, 1 | RAW, 0) + request(SNAPSHOT, 2 | RAW | COMMIT | TELLS, 0),
    ],
    "bets_file": [
        ROW * 3, b"\xef\xbb\xbf" + ROW + b"\r\n\r\n" + ROW[:-1], ROW[:-1] + b"\r\n" + ROW,
        b'"Ana, ""Nita""","Paz",1,2000-02-29,0\r\n', b'"Ana\n,b', b"a,b,c\n",
        b"Jos\xc3\xa9,\xff,1,2001-02-29,07574\n", b'a"b,c,1,2000-01-01,1\n', b"x" * 4100,
        in_format("Jos\u00e9 \u20ac;Paz;1;2000-02-29;1\n" * 2, "cp1252", 1, 1),
        in_format(HEADER + "Jos\u00e9,Paz,1,2000-02-29,1\r\n", "latin-1", 2, has_header=1),
        in_format("sep=\t\n\U0001f600\tPaz\t1\t2000-02-29\t1", "utf-16", 3, 2, 1),
        in_format("Ana,Paz,1,2000-02-29,1\n", "utf-16-le", 4),
        in_format("sep=;\r\n" + HEADER.replace(",", ";"), "utf-16-be", 5, 1, 1, 1),
        in_format("Ana\u00a0Luz,P\u00c3\u00a9,1,2000-02-29,1\n", "utf-8", 0), in_format("", "utf-8", 0),
        b"Ana,Paz,1.0,17/03/1999,1\n" * 25 + b'"a\n,,,,\n1,Ana,Paz,1,2000-02-29,1\n',
    ],
    "bets_csv": [
        b"1,Ana,Paz,1D0,1999-12-31,7574\r\n" * 2, b'2,"Ana, ""Nita""",Paz,2D0,1999-12-31,1\r\n',
        b"4294967296,a,b,c,d,1\r\n", b"1,a,b,c,d,1\n",
        b"\1\0\0\0" + text('Ana, "Nita"') + text('"') + b"\7\0",
    ],
    "bet": [
        a_bet("Jos\u00e9", "\u65e5\u672c \U0001f600", "30904465", "2000-02-29"),
        a_bet("a" * 64, "b" * 65, "A" * 17, "1900-02-29"), a_bet("", "\u0085", "-", "0000-01-01"),
        a_bet(b"\xed\xa0\x80", b"\xc0\x80", "1", "2400-12-31", rest=b"\xf4\x90\x80\x80"),
        a_bet(b"\xf0\x8f\xbf\xbf", b"\xe0\x9f\xbf", "z9", "9999-12-31", 10000, "00009999"),
    ],
    "log": [
        b"CLIENT 1 | result: fail\r\n2024-08-21", "a\u0085b\u2028c\u202ed\u2066e\ufeff".encode(),
        b"\xff\xc3\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82", b"x" * 8000 + b"|\xe2\x82\xac" * 800,
        "N\u00b0 1 \u65e5\u672c \U0001f600".encode() + bytes(range(32)),
    ],
    "seal": [
        TREE + struct.pack("<HH", 0, 0), TREE + struct.pack("<HHBHBQBQ", 6, 6, 0x80, 95, 0, 7, 3, 7),
        TREE + struct.pack("<HHBQBQ", 298, 297, 0, 297, 5, 299), SEAL + b"\2\0", SEAL + b"\0\3"
        + struct.pack("<QB", 2, 3), SEAL + b"\1\4" + text("other"), SEAL + b"\2\0\1\37\0",
        SEAL + b"\1\50" + text(bytes(32)) + text(unsigned("lottery/2026-11-25-nocturna\n")),
        RESULT + bytes(12) + example("lottery/2026-11-25-nocturna/result") + b"\n",
        RESULT + struct.pack("<IQ", 1, 0), NOTE + example("lottery/2026-11-25-nocturna\n") + b"\n",
        NOTE + example("lottery/2026-11-25-nocturna/result") + b"\n",
        NOTE + b"a\n\nb\n\n" + "\u2014 \u00f1/z AAAAAAAA\n\u2014 lottery 0F63wQ==\n".encode(),
        NOTE + example("lottery/2026-11-25-nocturna\n") + "\n\u2014 lottery 0F63wRZu\n".encode(),
        VKEY + example("lottery+"), VKEY + b"example.com/foo+530d903a+"
        b"AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", TEXT + example("draw ").splitlines()[0],
        TEXT + example("draw ").splitlines()[1], TEXT + unsigned("lottery/2026-11-25-nocturna\n"),
        TEXT + unsigned("lottery/2026-11-25-nocturna/result"), ENCODING + b"Zm9vYg==",
        ENCODING + b"0123456789abcdef",
    ],
    "tls": [
        handshake(GREET, (WRITE, CLIENT, 300), (WRITE, SERVER, 40000), GREET, (READ, SERVER, 300),
                  (READ, CLIENT, 65535), (END, CLIENT), (WRITE, SERVER, 1), GREET, (READ, SERVER, 9),
                  (READ, CLIENT, 9), (END, SERVER), GREET, (READ, CLIENT, 9)),
        handshake((TAKE, CLIENT), (PASS, CLIENT, 4), (PASS, CLIENT, 90), (PASS, CLIENT, 0),
                  (TAKE, SERVER), (PASS, SERVER, 700), (PASS, SERVER, 0), (WRITE, CLIENT, 5),
                  (END, CLIENT), GREET, (READ, SERVER, 6), client=1, name=2),
        *(handshake(GREET, (READ, CLIENT, 1), client=client) for client in range(2, 8)),
        *(handshake(GREET, server=server) for server in (1, 2)),
        *(handshake(GREET, name=name) for name in (1, 3, 4)),
        handshake(GREET, (WRITE, CLIENT, 9), (TAKE, CLIENT), (CHANGE, CLIENT, 20), b"\1",
                  (PASS, CLIENT, 0), (READ, SERVER, 9), (WRITE, SERVER, 1), (END, SERVER)),
        handshake(GREET, (WRITE, SERVER, 9), (TAKE, SERVER), (REPEAT, SERVER, 31), (PASS, SERVER, 0),
                  (READ, CLIENT, 99)),
        handshake(GREET, (WRITE, SERVER, 1), (TAKE, SERVER), (WRITE, SERVER, 2), (TAKE, SERVER),
                  (ROTATE, SERVER, 23), (PASS, SERVER, 0), (READ, CLIENT, 99)),
        handshake(GREET, (WRITE, CLIENT, 20), (TAKE, CLIENT), (REFLECT, CLIENT, 42), (READ, CLIENT, 1),
                  (DROP, CLIENT, 3), (PASS, CLIENT, 0), (READ, SERVER, 1)),
        handshake((INSERT, CLIENT, 0), text(frame(1, b"hello")), (PASS, CLIENT, 0), (TAKE, SERVER)),
        handshake(GREET, (INSERT, SERVER, 0), text(b"\x15\3\3\0\2\1\0"), (PASS, SERVER, 0),
                  (READ, CLIENT, 1)),
        handshake((INSERT, SERVER, 0), text(b"\x15\3\3\0\2\2\x30"), (PASS, SERVER, 0)),
        b"lottery:agency:4294967295", b"lottery:server", b"lottery:agency:01"],
    "values": [
        struct.pack("<QB", 2 * ns, 0) + text(value) for ns, value in
        ((0, "0"), (1, "1h2m3.5s"), (1500, "300ms"), (90 * 10**9, "1.5\u00b5s"), (2**62, "69999"),
         (10**6, "localhost:12345"), (999, "[::1]:80"), (10**9, "9223372036854775807ns"),
         (3600 * 10**9, "0.57s2us"), (1795640400, "2026-11-25T21:00:00-03:00"),
         (2**40, "2000-02-29t23:59:59.5z"))],
    "wire": [
        bytes(8) + text("all is well") + struct.pack("<IQ", 1, 0) + b"\xff" + text("Ana") +
        text("Paz") + b"\x96\x1d" + b"\x3f" * 4,
        struct.pack("<Q", 2**64 - 1) + text("\u00e9" * 120) + struct.pack("<IQ", 2**32 - 1, 2**64 - 1)
        + b"\xff" + text("\u00e9" * 32) + text("n" * 64) + b"\0\0" + b"\x3f" * 2,
    ],
    "bet_codec": [message.SerializeToString() for message in (
        pb.NewBets(agency_id=1), pb.NewBets(agency_id=2**32 - 1, offset=2**63, bets=[pb.Bet()] * 3),
        pb.NewBets(agency_id=1, offset=300, bets=[bet("1"), bet("2", number=0)]),
        pb.NewBets(offset=128, bets=[bet(first="n" * 200, last="a\0b", number=2**32 - 1)]))],
    "server_settings": [
        (HERE.parents[1] / "server" / "config.ini").read_bytes(),
        b"\xef\xbb\xbf[DEFAULT]\nSERVER_MODE=echo\nSERVER_IDLE_TIMEOUT = 1m30s ; why\n"
        b"LOTTERY_DATA_DIR: /tmp\nSERVER_WORKERS=256\nSERVER_MAX_CONNECTIONS=7\n",
        b"[OTHER]\nA=1\n", b"[DEFAULT]\nSERVER_PORT=1\n  2\n", b"[DEFAULT]\nSERVER_IP=\0\n", b"x\n",
        b"[DEFAULT]\nLOTTERY_AGENCIES=10000\nLOTTERY_WINNER_NUMBER=9999\n"
        b"SERVER_MAX_CONNECTIONS_PER_IP=1\nSERVER_HANDSHAKE_TIMEOUT=1s\nSERVER_FRAME_TIMEOUT=1.5h\n",
        b"[DEFAULT]\nLOTTERY_DRAW=manual\nLOTTERY_SEAL=no\nLOTTERY_DRAW_ID=2026-11-25-nocturna\n"
        b"LOTTERY_CLOSE_AT=2026-11-25T21:00:00-03:00\nLOTTERY_SEAL_KEY=key.pem\n",
        b"[DEFAULT]\nLOG_FORMAT = journal\n",
        b"[DEFAULT]\nSERVER_HTTP_ADDRESS=[fe80::1]:9090\nSERVER_METRICS_PER_AGENCY=yes\n",
        b"[DEFAULT]\nTLS_CERT=server.crt\nTLS_KEY=server.key\nTLS_CA=ca.crt\nTLS_CRL=ca.crl\n",
    ],
    "client_settings": [
        b"id: 1\n" + (HERE.parents[1] / "client" / "config.yaml").read_bytes(),
        b"{id: 3, mode: bet, bets: {file: ./b.csv}, connect.timeout: 0s}\n",
        b"id: 1\nserver:\n  address: {a: b}\n", b"id: &a 1\nloop: {amount: *a}\n", b"- 1\n- 2\n",
        b"id: \"1\\0\"\n", b"id: 1\nid: 2\n", b"\xff\xfei\0d\0:\0 \0001\0", b"a: [\n", b"id: 0x1\n",
        b"id: 1\nlog: {level: ERROR, format: json}\n",
        b"id: 1\ntls: {cert: a.crt, key: a.key, ca: ca.crt, serverName: central.example}\n",
    ],
    "recovery": [
        folder(), folder(8), folder(tail=b"x" * 70), folder(cut=1100), folder(cut=700),
        folder(synced=1344), folder(synced=1344, cut=1300), folder(missing=10), folder(8, cut=1216),
        b"\7\0\0\0\0", b"\2\5\0\0\0hello", b"\4" + folder()[1:], b"\1" + folder()[1:],
        folder_2(), folder_2(24), folder_2(tail=b"x" * 70), folder_2(24, tail=bytes(70), cut=500),
        folder_2(cut=600), folder_2(24, synced=8500), folder_2(missing=10),
        folder_2(24, is_closed=False), folder_2(17, missing=30)[0:],
        folder_by_operators(), folder_by_operators(24), folder_by_operators(24, cut=1000),
        folder_by_operators(16, why=2, uid=0), folder_by_operators(24, why=1),
        folder_by_operators(24, tail=b"x" * 70),
        folder_by_operators(24, records=False, items=ITEMS, phase=3),
        folder_by_operators(records=False, items=ITEMS, phase=3),
        folder_by_operators(24, records=False, items=ITEMS[:2] + ITEMS[3:], phase=2),
        folder_by_operators(24, records=False, items=ITEMS[:1], phase=1),
        folder_by_operators(24, records=False, items=ITEMS[3:], phase=1),
        folder_by_operators(24, records=False, items=ITEMS[1:], phase=3),
    ],
}

REGRESSIONS = {
    "bet_codec": {
        # The check was wrong: the fast path leaves an id that no draw can have to protobuf-c.
        "long-draw": b"\x10\x80\x01" + b"\x2a\x80\x01" + b"n" * 128,
    },
    "bets_file": {
        # libcsv ends a row at any carriage return, so that rows began within a line.
        "lone-carriage-return": ROW + b"\r" + ROW,
        # The end of a header without a line end counted as the place of the first bet.
        "header-alone": in_format(HEADER[:-2], "utf-8", 0, 0, 1, 1),
    },
    "recovery": {
        # A header with a right checksum, but with a place within a record as what is on disk: opening
        # failed only after it had cut the torn tail.
        "synced-within-a-record": folder(synced=1025, cut=1100),
    },
    "seal": {
        # The check was wrong: leaf 1 of 2 has the path that leaf 2 of 3 has.
        "same-path": b"\x00" + struct.pack("<HHBQBQ", 2, 2, 0, 1, 1, 2),
    },
    "server_settings": {
        # The last line could be a byte longer than others when the file ended without a newline.
        "long-last-line": b"[DEFAULT]\n" + b"LOTTERY_DATA_DIR=".ljust(199, b"x"),
    },
}


def main():
    for target, seeds in SEEDS.items():
        corpus = HERE / "corpus" / target
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds, 1):
            (corpus / f"seed-{number:02}").write_bytes(seed)
        for name, regression in REGRESSIONS.get(target, {}).items():
            (corpus / f"regression-{name}").write_bytes(regression)
    print(f"{sum(map(len, SEEDS.values()))} seeds and {sum(map(len, REGRESSIONS.values()))} "
          f"regressions of {len(SEEDS)} targets")


if __name__ == "__main__":
    main()
