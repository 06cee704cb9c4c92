#!/usr/bin/env python3
"""Tests of tools/verify-draw.py: sound draws, tampering of every kind, and hostile files."""

import contextlib
import copy
import hashlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

from draw_folder import DrawFolder, SigningKey, bet, crc32c, journal_1, line_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "verify-draw.py"
KEYS = {}
KEY_FOLDER = None


def load_tool():
    """The tool as a module; it is a program, so its name has a hyphen."""
    loader = importlib.machinery.SourceFileLoader("verify_draw", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("verify_draw", loader))
    loader.exec_module(module)
    return module


VERIFIER = load_tool()


def setUpModule():
    global KEY_FOLDER
    KEY_FOLDER = tempfile.TemporaryDirectory()
    for name in ("lottery", "other"):
        KEYS[name] = SigningKey(f"{KEY_FOLDER.name}/{name}.pem")


def tearDownModule():
    KEY_FOLDER.cleanup()


class VerifyCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.path = self.folder / "2026-11-25-nocturna"

    def draw(self, **settings):
        settings.setdefault("key", KEYS["lottery"])
        return DrawFolder(self.path, **settings).fill()

    def run_tool(self, *arguments):
        """(status, output, errors). In this process: there are hundreds of runs. An exception that
        the tool does not expect ends the test."""
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
                   for _ in range(2)]
        with mock.patch.object(sys, "argv", [str(TOOL), *map(str, arguments)]), \
                contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            try:
                status = VERIFIER.main()
            except SystemExit as end:
                status = end.code
        return status, *(stream.buffer.getvalue().decode() for stream in streams)

    def files(self):
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def passes(self, *arguments):
        """Runs it; it has to find nothing, and to change nothing. Returns output and errors."""
        before = self.files()
        status, output, errors = self.run_tool(*arguments)
        self.assertEqual((0, ""), (status, "".join(
            line for line in errors.splitlines() if ": note: " not in line)))
        self.assertEqual(before, self.files())
        return output, errors

    def fails(self, pattern, *arguments):
        """Runs it; it has to find this, and to print no record of the draw."""
        status, output, errors = self.run_tool(*arguments)
        self.assertEqual(1, status, errors)
        self.assertRegex(errors, pattern)
        self.assertNotIn("ACTA DEL SORTEO", output)
        self.assertNotIn("CONSTANCIA", output)
        return errors

    def vkey(self, name="lottery"):
        return "--key", KEYS[name].vkey

    def agency(self, draw, agency, with_result=True):
        """The arguments for an agency's file and its evidence, as they are now."""
        own, seal = self.folder / f"own-{agency}.csv", self.folder / f"seal-{agency}"
        own.write_bytes(draw.own_file(agency))
        seal.write_bytes(draw.evidence(agency, with_result))
        return "--agency", own, "--seal", seal


class Sound(VerifyCase):
    def test_layouts(self):
        """The state is in the checkpoint up to any phase, and in records after it."""
        for layout in ("new", "open", "closed", "sealed", "drawn"):
            with self.subTest(layout=layout):
                draw = self.draw(layout=layout)
                output, errors = self.passes(draw.write(), *self.vkey())
                self.assertEqual("", errors)
                for text in ("ACTA DEL SORTEO 2026-11-25-nocturna", "número: 7574",
                             "Cierre: 2026-11-25T21:00:00Z, por el operador, uid 1000",
                             "Sello: 2026-11-25T21:00:02Z", "Sorteo: 2026-11-25T22:00:00Z",
                             "origen: Bolillero 3, escribana Gómez", "Apuestas: 9",
                             "Apuestas ganadoras: 3", "agencia 1, documento 30904465",
                             "2026-11-25T22:00:00Z  uid 1000  draw 7574 «Bolillero 3»",
                             f"comprobada con la clave {KEYS['lottery'].vkey}", "Escribano: ___",
                             hashlib.sha256(draw.lines(2)).hexdigest()):
                    self.assertIn(text, output)

    def test_without_a_key(self):
        """It says that nobody has checked the signatures."""
        output, errors = self.passes(self.draw().write())
        self.assertIn("NO SE COMPROBARON", output)
        self.assertIn("give --key", errors)

    def test_phases(self):
        for phase, state in (("open", "abierto"), ("closed", "cerrado, sin sortear"),
                             ("sealed", "cerrado y sellado, sin sortear")):
            for layout in ("new", phase):
                with self.subTest(phase=phase, layout=layout):
                    if self.path.exists():
                        shutil.rmtree(self.path)
                    draw = self.draw(phase=phase, layout=layout)
                    output, _ = self.passes(draw.write(), *self.vkey())
                    self.assertIn("ACTA PROVISORIA", output)
                    self.assertIn(f"Estado: {state}", output)
                    self.assertNotIn("Escribano", output)

    def test_terms(self):
        """Automatic or manual, sealed or not, with an id or without."""
        for mode in (0, 1):
            for has_seal in (False, True):
                for name in ("", "2026-11-25-nocturna"):
                    for layout in ("new", "closed", "drawn"):
                        with self.subTest(mode=mode, has_seal=has_seal, name=name, layout=layout):
                            if self.path.exists():
                                shutil.rmtree(self.path)
                            draw = self.draw(mode=mode, has_seal=has_seal, name=name, layout=layout,
                                             closed_by=1)
                            output, errors = self.passes(draw.write())
                            self.assertEqual(not has_seal, "NO ESTÁ SELLADO" in output)
                            self.assertEqual(not has_seal, "not sealed" in errors)

    def test_deadline(self):
        draw = self.draw(closed_by=2, close_at=1_795_640_400)
        output, _ = self.passes(draw.write())
        self.assertIn("Cierre previsto: 2026-11-25T21:00:00Z", output)
        self.assertIn("por la hora de cierre", output)

    def test_sizes(self):
        """Trees of every shape; agencies without bets."""
        for agencies in (1, 2, 3, 4, 5, 7, 8, 9, 16, 33):
            with self.subTest(agencies=agencies):
                draw = self.draw(agencies=agencies)
                draw.batches = [[a, [bet(a, "7", 7574)]] for a in range(1, agencies + 1, 2)]
                path = draw.write()
                claims = []
                for agency in {1, agencies // 2 + 1, agencies}:
                    claims += self.agency(draw, agency)
                self.passes(path, *self.vkey(), *claims)

    def test_no_bets(self):
        draw = self.draw()
        draw.batches = []
        output, _ = self.passes(draw.write(), *self.vkey())
        self.assertIn("Apuestas ganadoras: 0", output)

    def test_megabytes(self):
        """The journal's checksums of every MiB, and lines that cross them."""
        draw = self.draw(agencies=2)
        for i in range(60):
            agency = i % 2 + 1
            draw.batches.append([agency, [bet(agency, i * 1000 + j, (i + j) % 9000, last="z" * 50)
                                          for j in range(500)]])
        draw.batches[:4] = []
        self.assertGreater(len(draw.lines()), 2 << 20)
        self.passes(draw.write(), *self.vkey())
        data = bytearray(draw.lines())
        at = data.index(b"z", (1 << 20) + 100)
        data[at:at + 1] = b"y"
        (self.path / "bets.csv").write_bytes(data)
        errors = self.fails(r"bets\.csv: bytes 1048576\.\.2097151 are not those", self.path)
        self.assertEqual(1, errors.count("bytes "), errors)

    def test_lines_in_records(self):
        """Small batches are in the journal as well, and may not be in bets.csv yet."""
        draw = self.draw(layout="new", phase="open")
        draw.is_inline = True
        path = draw.write()
        self.passes(path)
        whole = (path / "bets.csv").read_bytes()
        journal = bytearray((path / "bets.journal").read_bytes())
        for at in (0, 4096):  # nothing is known to be on disk
            rest = journal[at + 12:at + 40] + bytes(24)
            journal[at + 8:at + 64] = struct.pack("<I", crc32c(rest)) + rest
        (path / "bets.journal").write_bytes(journal)
        for kept in (0, 10, len(whole) - 1):
            (path / "bets.csv").write_bytes(whole[:kept])
            _, errors = self.passes(path)
            self.assertIn("the server writes them when it starts", errors)

    def test_after_a_crash(self):
        """A torn tail of an open draw is no problem, but it is not hidden."""
        path = self.draw(layout="open", phase="open").write()
        with (path / "bets.csv").open("ab") as file:
            file.write(line_of(bet(1, "8", 1)))
        with (path / "bets.journal").open("ab") as file:
            file.write(b"torn" + bytes(100))
        _, errors = self.passes(path)
        self.assertIn("bytes that no record describes", errors)
        self.assertIn("after the last record", errors)

    def test_only_one_header(self):
        path = self.draw().write()
        for at in (0, 4096):
            data = bytearray((path / "bets.journal").read_bytes())
            data[at + 20] ^= 1
            (path / "bets.journal").write_bytes(data)
            if at == 0:
                self.passes(path)
        self.fails("no valid header", path)

    def test_all(self):
        """Every draw of a data directory, and what to do where it has none of its own."""
        for name in ("2026-11-25-nocturna", "2026-11-26-matutina"):
            DrawFolder(self.folder / name, KEYS["lottery"], name).fill().write()
        (self.folder / "current").write_text("2026-11-26-matutina\n")
        self.fails("--all: 2026-11-25-nocturna 2026-11-26-matutina", self.folder)
        output, _ = self.passes(self.folder, "--all", *self.vkey())
        self.assertEqual(2, output.count("ACTA DEL SORTEO"))
        DrawFolder(self.folder, KEYS["lottery"], "").fill().write()
        output, errors = self.passes(self.folder, *self.vkey())
        self.assertIn("(sin identificador)", output)
        self.assertIn("other draws", errors)
        (self.folder / "2026-11-25-nocturna" / "seal.txt").unlink()
        status, output, errors = self.run_tool(self.folder, "--all")
        self.assertEqual((1, 2), (status, output.count("ACTA DEL SORTEO")))
        self.assertIn("nocturna/seal.txt: No such file", errors)
        self.assertIn("nocturna: NO SE EMITE EL ACTA: problemas encontrados: 1", output)

    def test_the_first_release(self):
        """It had another journal, without times and without a seal."""
        for phase in ("open", "drawn"):
            draw = self.draw(phase=phase, mode=0, has_seal=False, name="",
                             closed_by=1 if phase == "drawn" else 3)
            path = draw.write()
            journal = journal_1(draw)
            (path / "bets.journal").write_bytes(journal)
            output, errors = self.passes(path)
            self.assertIn("Registro de la primera versión", output)
            self.assertIn("not sealed", errors)
            self.assertEqual(phase == "drawn", "Apuestas ganadoras: 3" in output)
            for at in (1024, 1024 + 64 + 20, len(journal) - 64):
                broken = bytearray(journal)
                broken[at] ^= 1
                (path / "bets.journal").write_bytes(broken)
                self.fails(f"damaged at byte {at - at % 64}", path)
            (path / "bets.journal").write_bytes(journal)
            (path / "bets.csv").write_bytes(draw.lines().replace(b"30904465", b"30904466"))
            self.fails("bets.journal, byte 1024: the bytes 0..", path)
            draw.batches[1][1].pop()
            (path / "bets.csv").write_bytes(draw.lines())
            self.fails("bets.journal, byte 1088: the bytes", path)

    def test_more_agencies(self):
        """N was raised while the draw was open."""
        draw = self.draw(layout="new")
        (kind, body, *rest), *others = list(draw.records())[1:]
        raised = [(kind, struct.pack("<I", 2) + body[4:], *rest),
                  ("agencies", struct.pack("<I4x", 3), 0, b"")]
        checkpoint = list(draw.records())[0]
        draw.records = lambda: iter([checkpoint, *raised, *others])
        self.passes(draw.write(), *self.vkey())
        for wrong in (2, 10_001):
            raised[1] = ("agencies", struct.pack("<I4x", wrong), 0, b"")
            draw.write()
            self.fails(f"{wrong} agencies after 2", self.path)
        draw.records = lambda: iter([checkpoint, raised[1]])
        draw.write()
        self.fails("more agencies in a draw that is new", self.path)

    def test_notes(self):
        """What is odd, but proves nothing, is said."""
        draw = self.draw()
        draw.times["closed"] = 1_795_640_403
        path = draw.write()
        (path / "bets.torn-20261125").write_bytes(b"x")
        path = path.rename(self.folder / "copy")
        _, errors = self.passes(path, *self.vkey())
        for text in ("has another name", "the clock was changed", "cut these bytes off"):
            self.assertIn(text, errors)
        draw = self.draw(phase="closed")
        path = draw.write()
        for name in ("seal.txt", "winners.csv", "result.txt"):
            (path / name).write_text("left over")
        _, errors = self.passes(path)
        self.assertEqual(3, errors.count("no record says that it counts"))

    def test_many_winners(self):
        """More than are printed: the rest is counted."""
        draw = self.draw(agencies=1)
        draw.batches = [[1, [bet(1, i, 7574) for i in range(10_003)]]]
        output, _ = self.passes(draw.write(), *self.agency(draw, 1))
        self.assertIn("y 3 más: ver winners.csv", output)
        self.assertIn("Apuestas ganadoras: 10003", output)

    def test_many_problems(self):
        """They are counted, not printed without end."""
        draw = self.draw(agencies=200)
        path = draw.write()
        (path / "seal.leaves").write_bytes(b"x\n" * 201)
        errors = self.fails("151 more problems", path)
        self.assertEqual(51, len(errors.splitlines()))

    def test_the_program(self):
        """As somebody calls it: the status, and its two streams, in any locale."""
        path = self.draw().write()
        for arguments, status in (((path, *self.vkey()), 0), ((path, *self.vkey("other")), 1),
                                  ((), 2)):
            done = subprocess.run([TOOL, *arguments], env={**os.environ, "LC_ALL": "POSIX"},
                                  encoding="utf-8", capture_output=True, timeout=120)
            self.assertEqual(status, done.returncode)
            self.assertEqual(status == 0, "origen: Bolillero 3, escribana Gómez" in done.stdout)
            self.assertEqual(status == 0, done.stderr == "")

    def test_usage(self):
        path = self.draw().write()
        for arguments in ((), (path / "none",), (path, "--key", "x"), (path, "--seal", "x"),
                          (path, "--agency", "x"), (path, "--frob"),
                          (path, "--key", KEYS["lottery"].vkey.replace("lottery+", "lottery+0")),
                          (path, "--all", "--agency", "x", "--seal", "y"),
                          (path, "--agency", "x", "--seal", "y", "--seal", "z")):
            with self.subTest(arguments=arguments):
                status, output, errors = self.run_tool(*arguments)
                self.assertEqual((2, ""), (status, output))
                self.assertIn("usage", errors)

    def test_checksums(self):
        """Long ones are folded; they have to be what they are byte by byte."""
        self.assertEqual(0xE3069283, VERIFIER.crc32c(b"123456789"))
        rng = random.Random(1)
        for size in [*range(0, 40), *range(1400, 1440), 2000, 4096, 5000, 20_000, 65_537, 300_001]:
            data, seed = rng.randbytes(size), rng.getrandbits(32)
            self.assertEqual(crc32c(data, seed), VERIFIER.crc32c(data, seed), size)


def changed(draw):
    draw.batches[2][1][1][3] = "5555"


def added(draw):
    draw.batches[1][1].append(bet(2, "99", 7574))


def removed(draw):
    del draw.batches[2][1][1]


def moved(draw):
    row = draw.batches[0][1].pop()
    row[0] = 3
    draw.batches[3][1].append(row)


def swapped(draw):
    rows = draw.batches[2][1]
    rows[0], rows[1] = rows[1], rows[0]


KINDS = {"changed": (changed, {1}), "added": (added, {2}), "removed": (removed, {1}),
         "moved": (moved, {1, 3}), "swapped": (swapped, {1})}


class Tampering(VerifyCase):
    """By whom is it found? `naive`: one file is edited. `consistent`: everything that can be
    computed is computed again, as somebody does who knows the formats."""

    def tampered(self, change, **settings):
        """The draw as it was, written, and the same after the change, not written."""
        before = self.draw(**settings)
        before.write()
        after = copy.copy(before)
        after.batches = copy.deepcopy(before.batches)
        change(after)
        return before, after

    def test_bets_edited(self):
        """Only bets.csv."""
        for layout in ("new", "open", "closed", "drawn"):
            for has_seal in (False, True):
                for kind, (change, _) in KINDS.items():
                    with self.subTest(kind=kind, layout=layout, has_seal=has_seal):
                        _, after = self.tampered(change, layout=layout, has_seal=has_seal)
                        (self.path / "bets.csv").write_bytes(after.lines())
                        self.fails(r"bets\.(csv|journal)", self.path)

    def test_bets_and_journal(self):
        """The journal fits, and so do the winners; the seal does not."""
        for kind, (change, agencies) in KINDS.items():
            with self.subTest(kind=kind):
                _, after = self.tampered(change)
                kept = {name: (self.path / name).read_bytes()
                        for name in ("seal.txt", "seal.leaves", "result.txt")}
                after.write()
                for name, data in kept.items():
                    (self.path / name).write_bytes(data)
                errors = self.fails(r"seal\.txt:3: says", self.path)
                for agency in agencies:
                    self.assertIn(f"seal.leaves:{agency + 1}: is", errors)

    def test_records_of_the_root(self):
        """bets.journal alone was computed again, with the old root in it."""
        before, after = self.tampered(changed)
        after.root = before.root
        after.write()
        self.fails(r"bets\.journal: is sealed with the root", self.path)

    def test_everything_with_another_key(self):
        """Only who brings the key, or has evidence, finds it."""
        for kind, (change, agencies) in KINDS.items():
            with self.subTest(kind=kind):
                before, after = self.tampered(change)
                claims = {agency: self.agency(before, agency) for agency in range(1, 4)}
                after.key = KEYS["other"]
                after.write()
                self.passes(self.path)
                self.passes(self.path, *self.vkey("other"))
                errors = self.fails(r"seal\.txt: is not signed with the key", self.path,
                                    *self.vkey())
                self.assertIn("result.txt: is not signed with the key", errors)
                for agency, claim in claims.items():
                    self.is_found_by(claim, agency, agency in agencies)

    def test_everything_with_the_same_key(self):
        """The lottery itself does it: the agencies' evidence shows it, whoever is concerned."""
        for kind, (change, agencies) in KINDS.items():
            with self.subTest(kind=kind):
                before, after = self.tampered(change)
                claims = {agency: self.agency(before, agency) for agency in range(1, 4)}
                after.write()
                self.passes(self.path, *self.vkey())
                for agency, claim in claims.items():
                    self.is_found_by(claim, agency, agency in agencies)

    def is_found_by(self, claim, agency, is_concerned):
        errors = self.fails(r"seal-\d: has a seal with the root .*, but the bets in the folder",
                            self.path, *claim)
        self.assertEqual(is_concerned, f"other bets of agency {agency}" in errors, errors)

    def test_the_number(self):
        """In each place alone, and in all."""
        draw = self.draw()
        claim = self.agency(draw, 1)
        path = draw.write()
        text = (path / "result.txt").read_bytes()
        (path / "result.txt").write_bytes(text.replace(b"number 7574", b"number 9999"))
        self.fails(r"result\.txt:3: says 'number 9999', but .* give 'number 7574'", path)
        self.assertIn("somebody else has written this text",
                      self.fails("result.txt", path, *self.vkey()))
        draw.number = 9999
        (path / "bets.journal").write_bytes(draw.journal())
        self.fails(r"winners\.csv:1: is '1,30904465', but the bets give '1,3'", path)
        draw.write()
        self.passes(path, *self.vkey())  # the lottery itself, with its own key
        self.fails("has another result than the folder's", path, *claim)
        draw.key = KEYS["other"]
        (path / "result.txt").write_bytes(draw.result_txt())
        self.fails("result.txt: is signed with .*, but seal.txt with", path)

    def test_the_number_of_an_automatic_draw(self):
        draw = self.draw(mode=0, has_seal=False, closed_by=1, layout="closed")
        draw.write()
        drawn = draw.drawn_body
        draw.drawn_body = lambda: drawn()[:8] + struct.pack("<I", 9999) + drawn()[12:]
        (self.path / "bets.journal").write_bytes(draw.journal())
        self.fails("drawn with the number 9999, which cannot be", self.path)

    def test_a_winner_added(self):
        draw = self.draw()
        claim = self.agency(draw, 1)
        path = draw.write()
        whole = (path / "winners.csv").read_bytes()
        (path / "winners.csv").write_bytes(whole + b"3,21\r\n")
        self.fails(r"winners\.csv:4: has a winner too many: '3,21'", path)
        (path / "winners.csv").write_bytes(b"3,21\r\n" + whole)
        self.fails(r"winners\.csv:1: is '3,21', but the bets give '1,30904465'", path)
        (path / "winners.csv").write_bytes(whole[:-5])
        self.fails(r"winners\.csv:3: is '', but the bets give '1,4'", path)
        honest = draw.winners
        draw.winners = lambda: honest() + [(1, "77")]
        draw.write()  # with journal, index and result, signed
        errors = self.fails(r"winners\.csv:4: has a winner too many: '1,77'", path, *self.vkey())
        self.assertIn("bets.journal: says 4 winners, but the bets give 3", errors)
        self.assertIn("result.txt:6: says 'winners 4 ", errors)
        self.assertIn("winners.index: its header does not fit", errors)
        self.fails("has another result", path, *claim)

    def test_the_index(self):
        """What the server tells an agency is not what it has won."""
        draw = self.draw()
        path = draw.write()
        data = (path / "winners.index").read_bytes()
        (path / "winners.index").write_bytes(data.replace(b"30904465", b"30904466"))
        self.fails("other winners of agency 1", path)
        honest = draw.winners
        draw.winners = lambda: [(1, "30904465"), (1, "9"), (2, "12")]
        index = draw.winners_index()
        draw.winners = honest
        # With the checksum of the true winners.csv, and its own again.
        rest = index[12:20] + data[20:40] + index[40:]
        (path / "winners.index").write_bytes(
            index[:8] + struct.pack("<I", crc32c(rest[:28 + 96])) + rest)
        self.fails(r"winners\.index: has other winners of agency 1", path)
        (path / "winners.index").unlink()
        _, errors = self.passes(path)
        self.assertIn("makes it again", errors)

    def test_notes_with_another_key(self):
        """seal.txt and result.txt say the same, but somebody else has signed them."""
        draw = self.draw()
        claim = self.agency(draw, 2)
        path = draw.write()
        draw.key = KEYS["other"]
        (path / "seal.txt").write_bytes(draw.seal_txt())
        self.fails("result.txt: is signed with", path)
        (path / "result.txt").write_bytes(draw.result_txt())
        self.passes(path)
        errors = self.fails("seal.txt: is not signed with the key", path, *self.vkey())
        self.assertIn("result.txt: is not signed", errors)
        self.fails("has a seal signed with", path, *claim)

    def test_notes_with_a_wrong_signature(self):
        draw = self.draw()
        path = draw.write()
        for name in ("seal.txt", "result.txt"):
            draw.write()
            honest = draw.key.signed.copy()
            self.addCleanup(draw.key.signed.update, honest)
            text = (path / name).read_text().rpartition("\n— ")[0]
            draw.key.signed[text] = bytes(64)
            (path / name).write_bytes(draw.key.note(text))
            draw.key.signed.update(honest)
            self.passes(path)
            self.fails(f"{name}: the signature with the key", path, *self.vkey())

    def test_malformed_notes(self):
        draw = self.draw()
        path = draw.write()
        whole = (path / "seal.txt").read_bytes()
        for name, data in (("empty", b""), ("text alone", whole.partition(b"\n\n")[0] + b"\n"),
                           ("no line end", whole[:-1]), ("a control", b"\x01" + whole),
                           ("not UTF-8", b"\xff" + whole), ("short", whole[:-20] + b"\n"),
                           ("another name", whole.replace(b" lottery ", b" other ")),
                           ("a hyphen", whole.replace("—".encode(), b"-")),
                           ("long", whole * 1000)):
            with self.subTest(name=name):
                (path / "seal.txt").write_bytes(data)
                self.fails(r"seal\.txt: ", path)

    def test_the_state_in_the_journal(self):
        """The rules of a draw, each broken in a journal whose checksums are right."""
        def records(*names):
            """A journal of these records of the draw, in this order."""
            draw = self.draw(layout="new")
            known = {}
            for record in draw.records():
                known.setdefault(record[0], []).append(record)
            known["all"] = [record for record in draw.records()
                            if record[0] in ("checkpoint", "opened", "bets", "finished")]
            known["not drawn"] = [("drawn", draw.drawn_body()[:40] + bytes(32)
                                   + draw.drawn_body()[72:], 0, b"")]
            draw.records = lambda: iter([r for name in names for r in known[name]])
            draw.write()
        for names, what in (
                (("all", "opened"), "opened twice"),
                (("checkpoint", "bets"), "agency 1 of 0"),
                (("all", "closed", "bets"), "after its first"),
                (("all", "finished"), "finishes twice"),
                (("all", "closed", "closed"), "a closing when the draw is closed"),
                (("all", "closed", "finished"), "after the closing"),
                (("all", "sealed"), "a seal in a draw that is not closed"),
                (("all", "closed", "sealed", "sealed"), "sealed already"),
                (("all", "closed", "drawn"), "a number before the seal"),
                (("all", "drawn"), "a number for a draw that is open"),
                (("all", "closed", "sealed", "not drawn"), "another root"),
                (("all", "closed", "sealed", "drawn", "drawn"), "a draw that is drawn")):
            with self.subTest(names=names):
                records(*names)
                self.fails(what, self.path)

    def rewritten(self, kind, change, layout="new", **settings):
        """A draw in whose journal the bodies of these records are changed, checksums and all."""
        draw = self.draw(layout=layout, **settings)
        records = [(k, change(body) if k == kind else body, flags, lines)
                   for k, body, flags, lines in draw.records()]
        draw.records = lambda: iter(records)
        draw.write()

    def test_what_no_record_may_say(self):
        def put(at, form, *values):
            def change(body):
                data = bytearray(body)
                struct.pack_into(form, data, at, *values)
                return bytes(data)
            return change
        late = 253_402_300_800
        auto = {"mode": 0, "has_seal": False, "closed_by": 1}
        for kind, change, what, settings in (
                ("opened", put(8, "<B", 2), "terms that cannot be", {}),
                ("opened", put(16, "<Q", late), "terms that cannot be", {}),
                ("opened", put(90, "<B", 65), "terms that cannot be", {}),
                ("opened", put(10, "<B", 7), "terms that cannot be", {}),
                ("opened", put(24, "<B", 95), "cannot be a draw's id", {}),
                ("opened", put(4, "<I", 5), "that has its number from the beginning", {}),
                ("checkpoint", put(184, "<I", 2), "two things of the opening",
                 {"layout": "closed"}),
                ("opened", put(16, "<Q", 5), "an automatic draw with a closing time", {"mode": 0}),
                ("bets", put(0, "<Q", 1), "after its first 1, but there are", {}),
                ("bets", put(8, "<Q", 1), "bets at byte 1 of", {}),
                ("bets", put(16, "<I", 9), "agency 9 of 3", {}),
                ("bets", put(20, "<I", 1), "2 bets|1 bets", {}),
                ("finished", put(0, "<Q", 9), "finishes with 9 bets", {}),
                ("closed", put(0, "<Q", late), "a time that cannot be", {}),
                ("closed", put(8, "<I", 1), "uid|but they have not", {}),
                ("closed", put(8, "<I", 2), "there is none, or it was later", {}),
                ("closed", put(8, "<I", 9), "without a known reason", {}),
                ("closed", put(8, "<I", 3), "that an operator closed", auto),
                ("closed", put(12, "<I", 1), "without a known reason", auto),
                ("closed", put(16, "<Q", 8), "closed with 8 bets", {}),
                ("closed", put(24, "<Q", 8), "closed after 8 bytes", {}),
                ("sealed", put(0, "<Q", late), "a time that cannot be", {}),
                ("drawn", put(0, "<Q", late), "a time that cannot be", {}),
                ("drawn", put(8, "<I", 10_000), "the number 10000", {}),
                ("drawn", put(32, "<I", 1), "somebody who gave the number",
                 {"mode": 0, "closed_by": 1}),
                ("drawn", put(36, "<I", 201), "a text of a wrong size", {}),
                ("drawn", lambda body: body[:32], "a drawing of a wrong size", {}),
                ("act", put(0, "<Q", late), "an act that cannot be", {}),
                ("act", put(12, "<I", 0), "a text of a wrong size", {}),
                ("act", put(16, "<B", 255), "not UTF-8", {}),
                ("act", put(16, "<B", 10), "control characters", {}),
                ("checkpoint", put(0, "<Q", 1), "size of|does not fit|of no draw", {}),
                ("checkpoint", put(24, "<Q", late), "cannot be", {"layout": "closed"}),
                ("checkpoint", put(48, "<Q", 7), "does not end with its bets", {"layout": "closed"}),
                ("checkpoint", put(88, "<Q", 7), "says two things", {"layout": "drawn"}),
                ("checkpoint", put(12, "<I", 2), "drawn and not drawn", {"layout": "drawn"}),
                ("checkpoint", put(120, "<Q", 4), "closed with 9 bets, but", {"layout": "closed"}),
                ("checkpoint", put(120, "<QQ", 4, 4), "has 5 bets of agency 1, but the journal has 4",
                 {"layout": "closed"}),
                ("checkpoint", put(144, "<I", 4), "the bets of agency 1 are not those",
                 {"layout": "closed"}),
                ("checkpoint", put(160, "<B", 2), "a wrong mark", {"layout": "closed"}),
                ("checkpoint", put(168, "<Q", 8), "an extension of a wrong size",
                 {"layout": "closed"}),
                ("checkpoint", put(176, "<I", 9), "items that do not belong", {"layout": "closed"}),
                ("checkpoint", put(180, "<I", 12), "an item of a wrong size", {"layout": "closed"}),
                ("checkpoint", lambda body: body[:168] + struct.pack("<QI4x", 12, 1)[:16],
                 "wrong size|cut off", {"layout": "closed"})):
            with self.subTest(kind=kind, what=what):
                self.rewritten(kind, change, **settings)
                self.fails(what, self.path)

    def test_a_record_cut_out(self):
        """The bytes of one record are damaged: those after it show that it was there."""
        draw = self.draw(layout="new")
        path = draw.write()
        data = (path / "bets.journal").read_bytes()
        at = 8192
        while struct.unpack_from("<I", data, at)[0]:
            size, = struct.unpack_from("<I", data, at + 4)
            broken = bytearray(data)
            broken[at + 50] ^= 1
            (path / "bets.journal").write_bytes(broken)
            self.fails(r"bets\.journal: (damaged|no valid checkpoint)", path)
            at += size
        self.assertGreater(at, 8192 + 8 * 56)
        (path / "bets.journal").write_bytes(data[:at - 8])
        self.fails(r"damaged at byte", path)

    def test_more_bets_after_the_closing(self):
        draw = self.draw()
        path = draw.write()
        with (path / "bets.csv").open("ab") as file:
            file.write(line_of(bet(1, "6", 7574)))
        self.fails(r"bets\.csv: 20 bytes more than there were when|bytes more than there were", path)

    def test_lines_in_records_differ(self):
        draw = self.draw(layout="new", phase="open")
        draw.is_inline = True
        path = draw.write()
        text = (path / "bets.csv").read_bytes()
        (path / "bets.csv").write_bytes(text.replace(b"30904465", b"30904466"))
        self.fails("has other bets than the journal, from byte 0", path)

    def test_missing_files(self):
        draw = self.draw()
        for name in ("bets.csv", "bets.journal", "seal.txt", "seal.leaves", "result.txt",
                     "winners.csv"):
            with self.subTest(name=name):
                path = draw.write()
                (path / name).unlink()
                self.fails(f"{name}: No such file", path)


EXAMPLE_KEY = "lottery+d05eb7c1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
EXAMPLE = """lottery-seal-evidence 1
draw 2026-11-25-nocturna
agency 3 1 bacae755f1a9beb30e9636cbbd0b2dc64f9e446666e33827b049c7731b42ee0f \
de43f4df975b7be1bde41194642b47e76fa512dce6a75f7cafc118bd66671c8e
index 3
proof 57bef1b39c742ba1c5100070d068760f76b20df1524b526ccec606f960e73c87
proof 193bc5aff8e62d77b88e5be8a4790ada8de52ccedf03ce039690bfe9afc7cd7e
note
lottery/2026-11-25-nocturna
4
Pli6yhNHFCSdpdEcvZutC9PyLIkaa5VbtgSZ5bcEd3I=

— lottery 0F63wRZu8dkLsRSk5sDC7wmp0UOAgikELNZCKCYBW1e4uU3VpUz+S9ol+2tA\
dUuEDPu15QgXi6AOpqIQOUOcybVMGQo=
result
lottery/2026-11-25-nocturna/result
root Pli6yhNHFCSdpdEcvZutC9PyLIkaa5VbtgSZ5bcEd3I=
number 7574
source bolillero, escribana Gómez
time 2026-11-25T21:14:30Z
winners 2 ccdab25f03b74bf6a2261dbc3907b6a05762e695e6613b0975b6f7a7c43d4c3f

— lottery 0F63weJ0liNtd1HNJsmaVJfG6cYDkxwHK0iZ9Eq9pNb/EFtNY3lSG0MCUsC5\
wsQqBZediXwQc1sjt1XZTaGzrz/h6Qw=
"""


class Example(VerifyCase):
    """The draw of docs/protocol.md, to the byte."""

    def setUp(self):
        super().setUp()
        self.own, self.seal = self.folder / "bets.csv", self.folder / "seal"
        self.own.write_bytes(b"Luz,Paz,28123456,1980-02-29,7574\n")
        self.seal.write_bytes(EXAMPLE.encode())
        self.claim = ("--agency", self.own, "--seal", self.seal)

    def test_evidence(self):
        output, errors = self.passes(*self.claim, "--key", EXAMPLE_KEY)
        self.assertIn("CONSTANCIA DE LA AGENCIA 3, sorteo 2026-11-25-nocturna", output)
        self.assertIn("número 7574: 1 apuestas ganadoras", output)
        self.assertEqual("", errors)
        for at in (EXAMPLE.index("Gómez"), EXAMPLE.index("nocturna\n4")):
            self.seal.write_bytes((EXAMPLE[:at] + "X" + EXAMPLE[at + 1:]).encode())
            self.fails("signature with the key d05eb7c1 is wrong", *self.claim, "--key",
                       EXAMPLE_KEY)

    def test_folder(self):
        """The same draw with files made here has the same leaves, root and texts."""
        draw = self.draw(source="bolillero, escribana Gómez")
        draw.salt = bytes(range(0xff, 0xdf, -1))
        draw.batches = [[1, [bet(1, "30904465", 7574, "Santiago Lionel", "Lorca")]],
                        [3, [bet(3, "28123456", 7574, "Luz", "Paz", "1980-02-29")]],
                        [1, [bet(1, "4", 0, "Ana", "Pérez, de", "2000-01-01")]]]
        draw.times["drawn"] += 14 * 60 + 30 - 3600
        path = draw.write()
        self.passes(path)
        notes = EXAMPLE.partition("note\n")[2].partition("result\n")
        (path / "seal.txt").write_text(notes[0], encoding="utf-8")
        (path / "result.txt").write_text(notes[2], encoding="utf-8")
        output, _ = self.passes(path, *self.claim, "--key", EXAMPLE_KEY)
        self.assertIn("raíz: Pli6yhNHFCSdpdEcvZutC9PyLIkaa5VbtgSZ5bcEd3I=", output)


class OfAgencies(VerifyCase):
    def test_alone(self):
        """Without the draw's folder; before and after the number is known."""
        draw = self.draw()
        for agency in (1, 2, 3):
            output, _ = self.passes(*self.agency(draw, agency), *self.vkey())
            self.assertIn(f"CONSTANCIA DE LA AGENCIA {agency}", output)
            self.assertIn("número 7574", output)
            output, errors = self.passes(*self.agency(draw, agency, with_result=False))
            self.assertNotIn("número", output)
            self.assertIn("no result is in it", errors)
            self.assertIn("give --key", errors)

    def test_forms_of_the_file(self):
        """As the agency reads it, and as spreadsheets write it."""
        draw = self.draw()
        claim = self.agency(draw, 1)
        own = claim[1]
        text = own.read_bytes().decode()
        for data in (text.replace("\r\n", "\n"), "\ufeff" + text, text[:-2], "\r\n" + text + "\n\n",
                     text.replace(",1\r\n", ",0001\r\n"), re.sub("Ana", '"Ana"', text)):
            own.write_bytes(data.encode())
            self.passes(*claim)
        own.write_bytes(text.encode("cp1252"))
        self.passes(*claim, "--encoding", "windows-1252")
        self.fails(r"own-1\.csv: is not in its encoding, from about byte 0", *claim)
        own.write_bytes(text.encode("utf-16"))
        self.passes(*claim, "--encoding", "utf-16")
        own.write_text("sep=;\nnombre;apellido;documento;nacimiento;numero\n" + "".join(
            ";".join(f'"{f}"'.replace('"Juan "Pepe""', '"Juan ""Pepe"""') for f in map(str, row[1:]))
            + "\n" for row in draw.rows() if row[0] == 1), encoding="utf-8")
        self.passes(*claim, "--delimiter", ";", "--header", "skip")

    def test_a_large_file(self):
        """Rows of two MiB, most of them plain; winners in either form."""
        draw = self.draw(agencies=1)
        draw.batches = [[1, [bet(1, i, 7574 if i % 5000 == 7 else i % 7000, last="é" * 60,
                                 first="A, B" if i % 10_000 == 7 else "Ana")
                             for i in range(20_000)]]]
        claim = self.agency(draw, 1)
        self.assertGreater(claim[1].stat().st_size, 2 << 20)
        output, _ = self.passes(*claim)
        self.assertIn("20000 apuestas", output)
        self.assertIn("4 apuestas ganadoras", output)
        text = claim[1].read_bytes()
        claim[1].write_bytes(text.replace(b"\r\n", b"\n") + b"Ana,Paz,1,1999-03-17,7574\n")
        output, errors = self.passes(*claim)
        self.assertIn("the last 1 bets are not in the draw", errors)
        self.assertIn("4 apuestas ganadoras", output)
        claim[1].write_bytes(text.replace(b",19999,", b",1999-9,"))
        self.fails(r"own-1\.csv:20000: is not a bet", *claim)
        # Cut off by the closing: most rows are not in the draw, and take no longer for that.
        claim[1].write_bytes(text)
        del draw.batches[0][1][5008:]
        claim[3].write_bytes(draw.evidence(1))
        began = time.monotonic()
        output, errors = self.passes(*claim)
        self.assertLess(time.monotonic() - began, 10)
        self.assertIn("the last 14992 bets are not in the draw", errors)
        self.assertIn("2 apuestas ganadoras", output)

    def test_other_bets(self):
        """Its file is not what was sealed."""
        for kind, (change, agencies) in KINDS.items():
            with self.subTest(kind=kind):
                draw = self.draw()
                claims = {agency: self.agency(draw, agency) for agency in (1, 2, 3)}
                change(draw)
                for agency, claim in claims.items():
                    claim[1].write_bytes(draw.own_file(agency))
                    if agency not in agencies:
                        self.passes(*claim)
                    elif (kind, agency) in (("added", 2), ("moved", 3)):
                        _, errors = self.passes(*claim)
                        self.assertIn("the last 1 bets are not in the draw", errors)
                    else:
                        self.fails(r"own-\d\.csv: has \d bets with the digest", *claim)

    def test_bad_rows(self):
        draw = self.draw()
        claim = self.agency(draw, 1)
        for row, what in (("a,b,c\n", "3 fields"), ("a,b,1,1999-03-17,x\n", "the number"),
                          ("a,b,1-2,1999-03-17,1\n", "is not a bet"), ("a" * 5000, "longer than"),
                          ('a,"b', "unexpected end"), ("a,\x01,1,1999-03-17,1\n", "is not a bet"),
                          ("a,b,1,1999-03-17,10000\n", "is not a bet")):
            with self.subTest(what=what):
                claim[1].write_text(row)
                self.fails(r"own-1\.csv:1: .*" + what, *claim)

    def test_evidence_changed(self):
        draw = self.draw()
        claim = self.agency(draw, 2)
        whole = claim[3].read_text(encoding="utf-8")
        digest = hashlib.sha256(draw.lines(2)).hexdigest()
        proof = re.search("proof ([0-9a-f]{64})", whole)[1]
        for old, new, what in (
                ("agency 2 3", "agency 2 4", "the proof does not lead"),
                (digest, "0" * 64, "the proof does not lead"), (proof, "0" * 64, "does not lead"),
                (f"proof {proof}\n", "", "does not lead"),
                (f"proof {proof}\n", f"proof {proof}\n" * 9, "does not lead"),
                ("index 2", "index 1", "at the place 1"), ("agency 2", "agency 3", "at the place 2"),
                ("draw 2026-11-25-nocturna", "draw x", "its seal is of 2026"),
                ("nocturna/result", "x/result", "is of another draw"),
                ("root ", "root A", "is of another draw"), ("number 7574", "number 1", "wrong"),
                ("\n4\n", "\n3\n", "does not lead"), ("\nnote\n", "\n", "no line `note`"),
                ("lottery-seal-evidence 1", "x", "is not an agency's evidence"),
                ("winners ", "losers ", "is not a result"), ("agency 2", "agency 0", "evidence")):
            with self.subTest(old=old, new=new):
                self.assertIn(old, whole)
                claim[3].write_text(whole.replace(old, new, 1), encoding="utf-8")
                self.fails(what, *claim, *self.vkey())
        claim[3].write_text(whole, encoding="utf-8")
        self.passes(*claim, *self.vkey())
        self.fails("is not signed with the key", *claim, *self.vkey("other"))

    def test_another_draw(self):
        draw = self.draw()
        claim = self.agency(draw, 1)
        draw.id = "2026-11-26-matutina"
        draw.path = self.folder / draw.id
        self.fails("is of the draw 2026-11-25-nocturna, but the folder has 2026-11-26-matutina",
                   draw.write(), *claim)

    def test_result_with_another_key(self):
        draw = self.draw()
        claim = self.agency(draw, 1)
        whole = claim[3].read_bytes()
        draw.key = KEYS["other"]
        claim[3].write_bytes(whole.partition(b"\nresult\n")[0] + b"\nresult\n" + draw.result_txt())
        self.fails("is signed with another key than the seal", *claim)

    def test_without_openssl(self):
        """Nobody is told that a signature is right because the program is missing."""
        draw = self.draw()
        claim = self.agency(draw, 1)
        done = subprocess.run([sys.executable, TOOL, draw.write(), *claim, *self.vkey()],
                              env={"PATH": str(self.folder)}, encoding="utf-8",
                              capture_output=True, timeout=60)
        self.assertEqual(1, done.returncode)
        self.assertEqual(3, done.stderr.count("openssl: cannot check a signature: "), done.stderr)
        self.assertNotIn("ACTA DEL SORTEO", done.stdout)

    def test_winners_told(self):
        draw = self.draw()
        claim = self.agency(draw, 1)
        told = self.folder / "winners.txt"
        for text in ("30904465\n4\n", "30904465\r\n4\r\n"):
            told.write_bytes(text.encode())
            self.passes(draw.write(), *claim, "--winners", told)
        for text in ("4\n30904465\n", "30904465\n", "30904465\n4\n5\n", ""):
            told.write_text(text)
            self.fails(r"winners\.txt: has \d winners", *claim, "--winners", told)
        claim = self.agency(draw, 1, with_result=False)
        self.fails("no result in the evidence", *claim, "--winners", told)

    def test_a_draw_without_a_seal(self):
        draw = self.draw()
        claim = self.agency(draw, 1)
        draw.has_seal = False
        shutil.rmtree(self.path, ignore_errors=True)
        self.fails("has no seal that could be checked", draw.write(), *claim)


class Hostile(VerifyCase):
    def test_what_is_not_a_file(self):
        draw = self.draw()
        for name in ("bets.csv", "bets.journal", "seal.txt", "seal.leaves", "result.txt",
                     "winners.csv", "winners.index"):
            for kind in ("fifo", "folder", "link"):
                with self.subTest(name=name, kind=kind):
                    path = draw.write()
                    place = path / name
                    place.rename(self.folder / "away")
                    if kind == "fifo":
                        os.mkfifo(place)
                    elif kind == "folder":
                        place.mkdir()
                    else:
                        place.symlink_to(self.folder / "away")
                    self.fails(f"{name}: is (a symbolic link|not a regular file)", path)
                    shutil.rmtree(path)

    def test_bytes_at_random(self):
        """Flipped, cut, inserted: every one in a file of the draw is found or is in spare space."""
        draw = self.draw(layout="closed")
        path = draw.write()
        files = {name: (path / name).read_bytes() for name in os.listdir(path)}
        rng = random.Random(7)
        for _ in range(60):
            name = rng.choice(sorted(files))
            data = bytearray(files[name])
            at = rng.randrange(len(data))
            if name == "bets.journal":
                at = rng.randrange(8192, len(data) - 4096)
            kind = rng.choice(["flip", "cut", "insert"])
            if kind == "flip":
                data[at] ^= 1 << rng.randrange(8)
            elif kind == "cut":
                del data[at:]
            else:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            (path / name).write_bytes(data)
            with self.subTest(name=name, at=at, kind=kind):
                self.fails("verify-draw.py: .*2026", path, *self.vkey())
            (path / name).write_bytes(files[name])
        self.passes(path, *self.vkey())

    def test_sizes_that_lie(self):
        """Numbers of which each byte of memory or second of time would be too many."""
        draw = self.draw(layout="new", agencies=3)
        for what, terms in (("4294967295 agencies", struct.pack("<II", 2**32 - 1, 0)),
                            ("1 agencies and the number 10000", struct.pack("<II", 1, 10_000)),
                            ("an opening of a wrong size", struct.pack("<IIQ", 1, 0, 0))):
            draw.terms_body = lambda terms=terms: terms
            draw.write()
            self.fails(what, self.path)
        draw = self.draw(layout="drawn")
        honest = draw.checkpoint
        for offset, form, value, what in (
                (0, "<Q", 1 << 60, "checkpoint"), (16, "<I", 2**31, "checkpoint"),
                (12, "<I", 9, "checkpoint"), (24, "<Q", 1 << 63, "a time")):
            def checkpoint(phase, offset=offset, form=form, value=value):
                body, flags = honest(phase)
                body = bytearray(body)
                struct.pack_into(form, body, offset, value)
                return bytes(body), flags
            draw.checkpoint = checkpoint
            draw.write()
            self.fails(what, self.path)
        draw = self.draw()
        path = draw.write()
        for name in ("seal.txt", "seal.leaves", "result.txt", "winners.index"):
            draw.write()
            with (path / name).open("r+b") as file:
                file.truncate(1 << 40)
            self.fails(f"{name}: has", path)

    def test_texts_that_a_terminal_obeys(self):
        """An operator's words, and names of files, are shown and not obeyed."""
        draw = self.draw()
        draw.acts = [(1_795_640_400, 0, "\u202e\u2066abc")]
        output, _ = self.passes(draw.write())
        self.assertIn("\\u202e\\u2066abc", output)
        draw.acts = [(1_795_640_400, 0, "\x1b[2J")]
        draw.write()
        self.assertNotIn("\x1b", self.fails("control characters", self.path))
        odd = self.folder / "a\x1b[2J\udcff"
        shutil.copytree(self.path, odd)
        self.assertNotIn("\x1b", self.fails("control characters", odd))
        (odd / "bets.csv").write_bytes(b"1,\x1b[2J,b,1,1999-01-01,1\r\n" * 20)
        self.assertNotIn("\x1b", self.fails("bets.csv", odd))

    def test_a_reader_that_goes_away(self):
        """`verify-draw.py DIR | head -1` ends without a traceback."""
        draw = self.draw(agencies=5000)
        done = subprocess.run(f"'{sys.executable}' '{TOOL}' '{draw.write()}' | head -1", shell=True,
                              encoding="utf-8", capture_output=True, timeout=60)
        self.assertEqual("LOTERÍA NACIONAL\n", done.stdout)
        self.assertNotIn("Traceback", done.stderr)
        self.assertNotIn("Exception", done.stderr)

    def test_agencies_whose_numbers_begin_alike(self):
        """A run of one agency's lines ends before those of another; the bad one is named."""
        line = b"%s,Ana,Paz,1,2000-01-01,1\r\n"
        for first in (b"1", b"12"):
            for second in (b"1", b"12", b"123", b"2"):
                data = line % first + line % first + line % second
                self.assertEqual(len(data) if first == second else len(line % first) * 2,
                                 VERIFIER.RUN.match(data).end())
        for bad in (b'1,"Ana,Paz,1,2000-01-01,1\r\n', b"1,Ana,Paz,1,2000-01-01,01\r\n",
                    b'1,"",Paz,1,2000-01-01,1\r\n', b"1,Ana,Paz,1,2000-01-01,1\n"):
            self.assertEqual(len(line % b"1"), VERIFIER.RUN.match(line % b"1" + bad).end())
            self.assertEqual(len(line % b"1") - 2,
                             VERIFIER.PLAIN_ROWS[b"\r\n"].match((line % b"1" + bad)[2:]).end())

    def test_a_line_without_end(self):
        draw = self.draw(layout="open", phase="open")
        draw.lines = lambda agency=None: b"1,Ana," + b"x" * 3_000_000
        draw.write()
        self.fails(r"bets\.csv:1: not a line of a bet: '1,Ana,xxx", self.path)


if __name__ == "__main__":
    unittest.main()
