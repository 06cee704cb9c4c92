"""A day at the lottery: draws that follow each other in one server, their seals, and who finds what
if something is changed afterwards."""
import base64
import json
import os
import shutil
import subprocess
import sys
import unittest

from programs import BIN, ROOT, Case, environment_with, wait_until

sys.path.append(str(ROOT / "tests" / "tools"))
from draw_folder import DrawFolder, SigningKey, bet  # pylint: disable=wrong-import-position

TOOL = ROOT / "tools" / "verify-draw.py"
AGENCIES = range(1, 6)
DAY = ["2026-11-25-primera", "2026-11-25-matutina", "2026-11-25-vespertina", "2026-11-25-tarde",
       "2026-11-25-nocturna"]
SOURCE = "Bolillero 3, escribana Gómez"


def verify(*arguments):
    """Status, output and errors of the verifier."""
    done = subprocess.run([sys.executable, TOOL, *map(str, arguments)], encoding="utf-8",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if "Traceback" in done.stderr:
        raise AssertionError(done.stderr)
    return done.returncode, done.stdout, done.stderr


def problems_of(errors):
    return [line for line in errors.splitlines() if ": note: " not in line]


class OneAgency:
    """An agency's part of one draw: its file, what it is told, what it keeps."""

    def __init__(self, folder, draw, agency, rows):
        self.draw = draw
        self.id = agency
        self.rows = rows  # (first name, last name, document, birthdate, number)
        self.bets, self.seal, self.told = (folder / f"{draw}-{agency}.{kind}"
                                           for kind in ("csv", "seal", "winners"))
        self.bets.write_text("".join(",".join(map(str, row)) + "\n" for row in rows),
                             encoding="utf-8")

    def winners(self, number, count=None):
        """The documents that have won among the first `count`."""
        return [row[2] for row in self.rows[:count] if row[4] == number]

    def told_winners(self):
        return self.told.read_text(encoding="utf-8").split()

    def claim(self):
        return ("--agency", self.bets, "--seal", self.seal, "--winners", self.told)


class DayCase(Case):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "data"
        self.key = SigningKey(str(self.folder / "key.pem"))  # by openssl, not by the server
        os.chmod(self.key.path, 0o600)

    def manual_server(self, draw, agencies=5, **settings):
        return self.server(agencies, LOTTERY_DRAW="manual", LOTTERY_DRAW_ID=draw,
                           LOTTERY_SEAL_KEY=self.key.path, **settings)

    def ctl(self, *arguments, status=0):
        """lottery-ctl does it, or refuses it; returns its output."""
        done = subprocess.run([BIN / "lottery-ctl", "--data-dir", self.data, *map(str, arguments)],
                              env=environment_with({}), encoding="utf-8", timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def status(self):
        return json.loads(self.ctl("status", "--json"))

    def wait_phase(self, phase):
        return wait_until(lambda: (lambda s: s if s["phase"] == phase else None)(self.status()),
                          f"phase {phase}", pause=0.05)

    def rows(self, draw, agency, count, number):
        """Bets of which the first, and every hundredth, are on this number."""
        return [("Ana" if i % 3 else "María José", "Núñez", f"{agency}{DAY.index(draw)}{i:05}",
                 "1999-03-17", number if i % 100 == 0 else (number + i % 97 + 1) % 10_000)
                for i in range(count)]

    def start_agency(self, server, part, **settings):
        return self.agency(part.id, server.port, part.bets, CLI_DRAW=part.draw,
                           CLI_SEAL_FILE=str(part.seal), CLI_SEAL_KEY=self.key.vkey,
                           CLI_WINNERS_FILE=str(part.told), **settings)

    def check_told(self, program, part, number, count=None, status=0):
        """The agency's last words, and the files that it has written."""
        self.assertEqual(status, program.wait(), program.output())
        winners = part.winners(number, count)
        program.wait_line("consulta_ganadores", "success", cant_ganadores=len(winners))
        self.assertEqual(winners, part.told_winners())
        self.assertIn(f"\nnumber {number}\n", part.seal.read_text(encoding="utf-8"))

    def check_folder(self, draw, parts, *, path=None):
        """The verifier finds nothing, with the key and with every agency's evidence."""
        claims = [argument for part in parts for argument in part.claim()]
        status, output, errors = verify(path or self.data / draw, "--key", self.key.vkey, *claims)
        self.assertEqual((0, []), (status, problems_of(errors)))
        self.assertIn(f"ACTA DEL SORTEO {draw}", output)
        self.assertEqual(len(parts), output.count("CONSTANCIA DE LA AGENCIA"))
        return output


class Day(DayCase):
    def test_a_day(self):
        """Five draws in a server that never stops, each with five agencies. In the fourth, one of
        them dies before it has finished."""
        server = self.manual_server(DAY[0], level="DEBUG")
        parts = {}
        for turn, draw in enumerate(DAY):
            if turn:
                self.ctl("next", draw)
            status = self.status()
            self.assertEqual((draw, "open", 0), (status["draw"], status["phase"], status["bets"]))
            number = 7574 - turn * 1111
            parts[draw] = [OneAgency(self.folder, draw, a,
                                     self.rows(draw, a, 100 * a + turn, number))
                           for a in AGENCIES]
            if draw == DAY[3]:
                self.hold_with_a_death(server, draw, parts[draw], number)
            else:
                self.hold(server, draw, parts[draw], number)
            self.assertIsNone(server.process.poll())
        self.assertEqual(1, len(server.lines("listen", "success")))
        self.check_the_past(server, parts)

    def draw_number(self, draw, number):
        """The operator's part, once there is a seal; every refusal changes nothing."""
        before = self.wait_phase("sealed")
        self.assertEqual(self.key.vkey, before["sealed"]["key"])
        self.ctl("close", status=1)
        self.ctl("next", "another", status=1)
        self.assertEqual(before, self.status())
        root = before["sealed"]["root"]
        self.assertIn(root, (self.data / draw / "seal.txt").read_text(encoding="utf-8"))
        self.assertEqual(32, len(base64.b64decode(root, validate=True)))
        self.assertFalse((self.data / draw / "result.txt").exists())
        self.ctl("draw", number, "--source", SOURCE)
        self.ctl("draw", (number + 1) % 10_000, status=1)
        after = self.status()
        self.assertEqual(("drawn", number, SOURCE, os.getuid()),
                         (after["phase"], *(after["drawn"][key] for key in
                                            ("number", "source", "uid"))))
        return after

    def hold(self, server, draw, parts, number):
        """All finish, so the draw closes by itself."""
        programs = [self.start_agency(server, part) for part in parts]
        for program in programs:
            program.wait_line("cierre", "success", checked="seal")
        status = self.draw_number(draw, number)
        self.assertEqual("all finished", status["closed"]["by"])
        self.assertEqual(sum(len(part.rows) for part in parts), status["bets"])
        for program, part in zip(programs, parts):
            self.check_told(program, part, number)
        winners = [f"{part.id} {d}" for part in parts for d in part.winners(number)]
        self.assertEqual(len(winners), status["drawn"]["winners"])
        shown = self.ctl("winners")
        for part in parts:
            for document in part.winners(number):
                self.assertIn(document, shown)

    def hold_with_a_death(self, server, draw, parts, number):
        """The last one is killed halfway through; the operator closes. What it had sent is in the
        draw, and when it comes back, it is told so."""
        dying = parts[-1] = OneAgency(self.folder, draw, 5, self.rows(draw, 5, 200_000, number))
        programs = [self.start_agency(server, part) for part in parts[:-1]]
        last = self.start_agency(server, dying, CLI_BATCH_MAXAMOUNT="1")
        for program in programs:
            program.wait_line("apuestas_enviadas", "success")
        others = sum(len(part.rows) for part in parts[:-1])
        wait_until(lambda: (self.status()["bets"] or 0) > others + 100, "bets of the last one",
                   pause=0.05)
        last.kill()
        self.assertEqual(4, self.status()["finished"])
        shown = self.ctl("close")
        for program in programs:
            program.wait_line("cierre", "success", checked="seal")
        status = self.draw_number(draw, number)
        self.assertEqual(("operator", os.getuid()),
                         (status["closed"]["by"], status["closed"]["uid"]))
        for program, part in zip(programs, parts):
            self.check_told(program, part, number)
        self.assertIn(status["sealed"]["root"], shown)
        taken = status["bets"] - others
        self.assertTrue(100 < taken < 200_000, taken)
        again = self.start_agency(server, dying)
        self.check_told(again, dying, number, taken, status=1)
        again.wait_line("apuestas_enviadas", "fail", taken=taken, not_taken=200_000 - taken,
                        first_not_taken=f"{dying.bets}:{taken + 1}")

    def check_the_past(self, server, parts):
        """All five folders, with the server at work, after its end, and with the next one; the first
        draw's winners again."""
        numbers = {draw: 7574 - turn * 1111 for turn, draw in enumerate(DAY)}
        for draw in DAY:
            output = self.check_folder(draw, parts[draw])
            self.assertIn(f"número: {numbers[draw]}", output)
            self.assertIn(f"origen: {SOURCE}", output)
        roots = {(self.data / draw / "seal.txt").read_text(encoding="utf-8") for draw in DAY}
        self.assertEqual(5, len(roots))
        for draw in (DAY[0], DAY[3]):  # of a running server
            part = parts[draw][1]
            part.told.unlink()
            self.check_told(self.start_agency(server, part), part, numbers[draw])
        self.assertEqual(0, server.stop())
        status, output, errors = verify(self.data, "--all", "--key", self.key.vkey)
        self.assertEqual((0, []), (status, problems_of(errors)))
        self.assertEqual(5, output.count("ACTA DEL SORTEO"))
        server = self.manual_server(DAY[0])
        self.assertEqual(DAY[-1], self.status()["draw"])
        for part in parts[DAY[0]]:
            part.told.unlink()
            self.check_told(self.start_agency(server, part), part, numbers[DAY[0]])
        for draw in DAY:
            self.check_folder(draw, parts[draw])
        self.assertEqual(0, server.stop())


class Formats(DayCase):
    def test_folders_of_the_tests(self):
        """What the verifier's tests write is what the server reads, and the other way round."""
        for mode, has_seal in ((0, False), (0, True), (1, False), (1, True)):
            for layout in ("new", "open", "closed", "sealed", "drawn"):
                for phase in ("open", "closed", "drawn"):
                    with self.subTest(mode=mode, has_seal=has_seal, layout=layout, phase=phase):
                        shutil.rmtree(self.folder / "x", ignore_errors=True)
                        path = DrawFolder(self.folder / "x", self.key, "x", mode=mode, phase=phase,
                                          has_seal=has_seal, layout=layout,
                                          closed_by=3 if mode else 1).fill().write()
                        done = subprocess.run([BIN / "lottery-server", "--check", path],
                                              env=environment_with({}), encoding="utf-8",
                                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                        self.assertEqual(0, done.returncode, done.stdout)
                        self.assertIn("sound", done.stdout)


def changed(folder):
    folder.batches[0][1][1][3] = "5555"


def added(folder):
    folder.batches[0][1].append(bet(1, "99", folder.number))


def removed(folder):
    del folder.batches[0][1][1]


def moved(folder):
    row = folder.batches[0][1].pop()
    row[0] = 2
    folder.batches[1][1].append(row)


def swapped(folder):
    rows = folder.batches[0][1]
    rows[0], rows[1] = rows[1], rows[0]


def other_number(folder):
    folder.number = 4321


def nothing(_folder):
    pass


# What the agency concerned says when it asks again.
SAYS = {changed: "CONTENT_MISMATCH", added: "the file only 5", removed: "CONTENT_MISMATCH",
        moved: "first_not_taken: .*:5", swapped: "CONTENT_MISMATCH",
        other_number: "not signed by the key in seal.key", nothing: "not signed by the key"}


class Tampering(DayCase):
    """A sealed draw of the real server whose files somebody writes again, with every checksum and
    signature that can be made. Agency 1 is concerned."""

    DRAW = DAY[0]
    NUMBER = 7574

    def hold(self):
        """Holds the draw, and stops. Returns the agencies' parts."""
        server = self.manual_server(self.DRAW, agencies=2)
        parts = [OneAgency(self.folder, self.DRAW, a, self.rows(self.DRAW, a, 5, self.NUMBER))
                 for a in (1, 2)]
        programs = [self.start_agency(server, part) for part in parts]
        self.wait_phase("sealed")
        self.ctl("draw", self.NUMBER, "--source", SOURCE)
        for program, part in zip(programs, parts):
            self.check_told(program, part, self.NUMBER)
        self.assertEqual(0, server.stop())
        self.check_folder(self.DRAW, parts)
        return parts

    def forged(self, key, parts, change):
        """The folder as somebody makes it who has this key."""
        path = self.data / self.DRAW
        folder = DrawFolder(path, key, self.DRAW, agencies=2, number=self.NUMBER, source=SOURCE,
                            closed_by=1)
        folder.batches = [[part.id, [[part.id, *row] for row in part.rows]] for part in parts]
        change(folder)
        shutil.rmtree(path)
        folder.write()

    def agency_finds(self, part, change):
        """The agency asks again with its own file, and is not content."""
        server = self.manual_server(self.DRAW, agencies=2)
        seal = part.seal.read_bytes()
        program = self.agency(part.id, server.port, part.bets, CLI_DRAW=part.draw,
                              CLI_SEAL_FILE=str(self.folder / "again.seal"),
                              CLI_SEAL_KEY=self.key.vkey)
        self.assertEqual(1, program.wait(), program.output())
        self.assertRegex(program.output(), "result: fail .*" + SAYS[change])
        self.assertEqual(seal, part.seal.read_bytes())
        server.kill()

    def test_tampering(self):
        parts = self.hold()
        other = SigningKey(str(self.folder / "other.pem"))
        path = self.data / self.DRAW
        for key in (self.key, other):
            for change in (changed, added, removed, moved, swapped, other_number):
                with self.subTest(change=change.__name__, key=key is self.key):
                    self.forged(key, parts, change)
                    self.assertEqual(0, verify(path)[0])  # alone, it fits
                    self.assertEqual(int(key is other), verify(path, "--key", self.key.vkey)[0])
                    status, output, errors = verify(path, *parts[0].claim())
                    self.assertEqual(1, status, output)
                    self.assertRegex(errors, "has (a seal with|another result)")
                    if (change, key) != (other_number, self.key):  # it has no memory of its own
                        self.agency_finds(parts[0], change)
        with self.subTest(change="the notes alone"):
            self.forged(other, parts, nothing)
            status, _, errors = verify(path, "--key", self.key.vkey)
            self.assertEqual(1, status)
            self.assertIn("seal.txt: is not signed with the key", errors)
            self.assertIn("result.txt: is not signed with the key", errors)
            self.agency_finds(parts[0], nothing)

    def test_edited_files(self):
        """One file at a time, without any other knowledge."""
        self.hold()
        path = self.data / self.DRAW
        for name in ("bets.csv", "winners.csv", "winners.index", "seal.txt", "seal.leaves",
                     "result.txt", "bets.journal"):
            whole = (path / name).read_bytes()
            for at in (len(whole) // 2, 8300) if name == "bets.journal" else (
                    len(whole) // 3, len(whole) - 3):
                with self.subTest(name=name, at=at):
                    data = bytearray(whole)
                    data[at] ^= 1
                    if name == "bets.journal" and data[at] == 1:
                        continue  # spare space
                    (path / name).write_bytes(data)
                    self.assertEqual(1, verify(path, "--key", self.key.vkey)[0])
            (path / name).write_bytes(whole)
        self.assertEqual(0, verify(path, "--key", self.key.vkey)[0])


if __name__ == "__main__":
    unittest.main()
