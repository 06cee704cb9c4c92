"""The agency checks the seal of a draw, and its result; the test plays the central."""
import csv
import io
import signal
import stat
import unittest

from fake_server import FakeServer
from programs import Case
from seals import CLOSED, Key, Seal, encode
from wire import Closed, checksum, pb

DRAW = "2026-11-25-nocturna"
GONE = (Closed, ConnectionError)
OTHERS = [[], [b"2,Ana,Paz,1,1999-03-17,1\r\n"]]  # the lines of agencies 2 and 3


def rows(count, winners=(3, 7)):
    """Those that bet on 1 win."""
    return [["Ana", "Paz", f"{i:08}", "1999-03-17", str(int(i in winners))] for i in range(count)]


def lines_of(table):
    """The rows as the central has them: as csv.writer writes them."""
    lines = []
    for row in table:
        text = io.StringIO()
        csv.writer(text).writerow(["1", *row])
        lines.append(text.getvalue().encode())
    return lines


class SealCase(Case):
    def setUp(self):
        super().setUp()
        self.fake = FakeServer()
        self.addCleanup(self.fake.listener.close)
        self.key = Key(self.folder)
        self.path = self.folder / "bets.csv"
        self.kept = self.folder / "seal.txt"

    def start(self, table=None, key=True, file=True, draw=DRAW, text=None, **settings):
        """An agency with these rows, in its file as `text` writes them, and the seal of a draw with
        them."""
        table = rows(20) if table is None else table
        with open(self.path, "w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows(table)
            if text is not None:
                out.seek(0)
                out.truncate()
                out.write(text)
        self.lines = lines_of(table)
        self.draw = draw
        self.seal = Seal(self.key, draw, [self.lines, *OTHERS])
        if draw:
            settings["CLI_DRAW"] = draw
        if key:
            settings.setdefault("CLI_SEAL_KEY", self.key.vkey())
        if file:
            settings.setdefault("CLI_SEAL_FILE", str(self.kept))
        return self.agency(1, self.fake.port, self.path, CLI_CONNECT_TIMEOUT="20s", **settings)

    def finish(self, caller, taken=None):
        """The conversation up to Finished; all rows are there already."""
        taken = len(self.lines) if taken is None else taken
        caller.read_question()
        caller.answer(taken, draw=self.draw, checksum=checksum(self.lines[:taken]))
        return caller.read_finished()

    def send_seal(self, caller, message):
        caller.send(pb.OPCODE_SEAL, message)

    def check_fails(self, agency, checked, reason, winners=2):
        """It has its winners, says what is wrong, once, and has failed."""
        self.assertEqual(agency.wait(), 1, agency.output())
        fails = agency.lines("cierre", "fail")
        self.assertEqual(len(fails), 1, agency.output())
        self.assertEqual(fails[0].details["checked"], checked)
        self.assertIn(reason, fails[0].details["reason"])
        self.assertTrue(agency.lines("consulta_ganadores", "success", cant_ganadores=winners),
                        agency.output())

    def check_good(self, agency, winners=2, bets=None, signature="checked", number=1):
        self.assertEqual(agency.wait(), 0, agency.output())
        self.assertEqual([line.text for line in agency.lines() if line.result == "fail"], [])
        self.assertEqual(len(agency.lines(
            "cierre", "success", checked="seal", draw=self.draw or "-", signature=signature,
            bets=len(self.lines) if bets is None else bets, root=encode(self.seal.root))), 1,
            agency.output())
        self.assertEqual(len(agency.lines("cierre", "success", checked="result", numero=number,
                                          cant_ganadores=winners)), 1, agency.output())

    def no_leftovers(self):
        self.assertEqual([path.name for path in self.folder.glob("seal.txt.*")], [])


class Right(SealCase):
    def test_a_sealed_draw(self):
        """The seal comes while it waits, then the winners with the number: both are checked and
        kept, byte for byte as agreed."""
        agency = self.start()
        with self.fake.accept() as caller:
            self.assertTrue(self.finish(caller).want_seal)
            self.send_seal(caller, self.seal.message())
            agency.wait_line("guardar_cierre", "success")
            self.assertEqual(self.kept.read_text(), self.seal.evidence())
            self.assertEqual(stat.S_IMODE(self.kept.stat().st_mode), 0o640)
            caller.send_winners(["00000003"], more=True, drawn=self.seal.drawn())
            caller.send_winners(["00000007"])
            self.check_good(agency)
        self.assertEqual(self.kept.read_text(), self.seal.evidence(result=self.seal.result()))
        self.no_leftovers()
        self.assertTrue(agency.lines("consulta_ganadores")[0].text.endswith(
            "| result: success | cant_ganadores: 2 | numero: 1 | fuente: the drum"))

    def test_without_an_id_and_without_a_key(self):
        """A draw without id has a seal as well; without a key nobody's signature is checked."""
        agency = self.start(key=False, file=False, draw="", CLI_SEAL_CHECK="yes")
        with self.fake.accept() as caller:
            self.assertTrue(self.finish(caller).want_seal)
            self.send_seal(caller, self.seal.message())
            caller.send_winners(["00000003", "00000007"], drawn=self.seal.drawn(source=""))
            self.check_good(agency, signature="not checked")
        self.assertTrue(agency.lines("consulta_ganadores")[0].text.endswith("| fuente: "))

    def test_rows_that_need_quotes(self):
        """The digest is over the lines as bets.csv has them, however the file writes them."""
        table = [["Ana", 'Paz, "la" Gil', "1", "1999-03-17", "0001"],
                 ["O'Hara", "Ñandú", "2", "1999-03-17", "1"]]
        for text in ("\ufeff" + 'Ana,"Paz, ""la"" Gil",1,1999-03-17,0001\n\n"O\'Hara",Ñandú,2,'
                     "1999-03-17,1", None):
            with self.subTest(text):
                agency = self.start(table, text=text)
                self.lines = lines_of([[*row[:4], str(int(row[4]))] for row in table])
                self.seal = Seal(self.key, DRAW, [self.lines, *OTHERS])
                with self.fake.accept() as caller:
                    self.finish(caller)
                    self.send_seal(caller, self.seal.message())
                    caller.send_winners(["1", "2"], drawn=self.seal.drawn())
                    self.check_good(agency)

    def test_no_bets(self):
        """An agency without bets has a leaf, too."""
        agency = self.start([], CLI_BETS_ALLOWEMPTY="true")
        with self.fake.accept() as caller:
            self.finish(caller)
            self.send_seal(caller, self.seal.message())
            caller.send_winners([], drawn=self.seal.drawn())
            self.check_good(agency, winners=0)

    def test_everything_at_once_and_a_large_file(self):
        """Seal and winners are there long before the own rows are read: it checks them all the same,
        and needs no connection for it."""
        table = rows(50_000, range(0, 50_000, 250))
        agency = self.start(table)
        with self.fake.accept() as caller:
            self.finish(caller)
            self.send_seal(caller, self.seal.message())
            caller.send_winners([f"{i:08}" for i in range(0, 50_000, 250)],
                                drawn=self.seal.drawn())
            with self.assertRaises(GONE):
                caller.read()
        self.check_good(agency, winners=200)

    def test_another_number(self):
        """The winners are those of the number that was drawn."""
        agency = self.start(rows(20, winners=()))
        with self.fake.accept() as caller:
            self.finish(caller)
            self.send_seal(caller, self.seal.message())
            caller.send_winners([f"{i:08}" for i in range(20)], drawn=self.seal.drawn(number=0))
            self.check_good(agency, winners=20, number=0)

    def test_the_connection_breaks(self):
        """While it hashes, after the seal, between winners: it goes on, and the same seal again is
        fine."""
        table = rows(50_000)
        agency = self.start(table)
        with self.fake.accept() as caller:
            self.finish(caller)
        for _ in range(2):
            with self.fake.accept() as caller:
                self.finish(caller)
                self.send_seal(caller, self.seal.message())
                agency.wait_line("cierre", "success", checked="seal")
                caller.send_winners(["00000003"], more=True, drawn=self.seal.drawn())
        with self.fake.accept() as caller:
            self.finish(caller)
            self.send_seal(caller, self.seal.message())
            caller.send_winners(["00000003", "00000007"], drawn=self.seal.drawn())
            self.check_good(agency)

    def test_cut_off_by_the_closing(self):
        """The seal is over those rows that were taken: it is right, and the agency has failed because
        of the others."""
        agency = self.start()
        self.seal = Seal(self.key, DRAW, [self.lines[:5], *OTHERS])
        with self.fake.accept() as caller:
            caller.read_question()
            caller.answer(5, draw=DRAW, checksum=checksum(self.lines[:5]))
            caller.read_bets()
            caller.answer(5, pb.ACK_CODE_DRAW_CLOSED, draw=DRAW)
            self.assertEqual(self.finish(caller, 5).total, 5)
            self.send_seal(caller, self.seal.message())
            caller.send_winners(["00000003"], drawn=self.seal.drawn())
            self.assertEqual(agency.wait(), 1, agency.output())
        self.assertEqual(len(agency.lines("cierre", "success")), 2, agency.output())
        self.assertEqual(agency.lines("cierre", "fail"), [])
        self.assertTrue(agency.lines("apuestas_enviadas", "fail", taken=5, not_taken=15))


class Asking(SealCase):
    def test_who_asks(self):
        """One of the three settings is enough; without them nothing is asked."""
        for settings in ({"key": True, "file": False}, {"key": False, "file": True},
                         {"key": False, "file": False, "CLI_SEAL_CHECK": "yes"},
                         {"key": False, "file": False}):
            with self.subTest(settings):
                agency = self.start(**settings)
                with self.fake.accept() as caller:
                    self.assertEqual(self.finish(caller).want_seal, any(settings.values()))
                    agency.signal(signal.SIGTERM)
                    self.assertEqual(agency.wait(), 0)

    def test_a_seal_that_nobody_wants(self):
        """It is not an answer: it disconnects, and asks again."""
        agency = self.start(key=False, file=False)
        with self.fake.accept() as caller:
            self.finish(caller)
            self.send_seal(caller, self.seal.message())
            with self.assertRaises(GONE):
                caller.read()
        with self.fake.accept() as caller:
            self.finish(caller)
            caller.send_winners(["00000003", "00000007"])
            self.assertEqual(agency.wait(), 0, agency.output())
        self.assertEqual(agency.lines("cierre"), [])

    def test_no_seal(self):
        """An old central, or sealing is off: a warning, and a failure only for who has a key. A result
        with a note says that there is a seal: then it is a failure."""
        drawn = pb.Drawn(number=1, time=CLOSED)
        for key, drawn, reason in ((False, None, None), (False, drawn, None),
                                   (True, None, "and seal.key is set"),
                                   (True, drawn, "and seal.key is set"),
                                   (False, True, "the draw is sealed, and the central has sent no")):
            with self.subTest(key=key, drawn=drawn):
                agency = self.start(key=key)
                with self.fake.accept() as caller:
                    self.finish(caller)
                    caller.send_winners(["00000003", "00000007"],
                                        drawn=self.seal.drawn() if drawn is True else drawn)
                    if reason is not None:
                        self.check_fails(agency, "seal", reason)
                        continue
                    self.assertEqual(agency.wait(), 0, agency.output())
                warnings = agency.lines("cierre")
                self.assertEqual(len(warnings), 1, agency.output())
                self.assertIn("WARNING", warnings[0].text)
                self.assertIn("has sent no seal", warnings[0].details["reason"])
                self.assertFalse(self.kept.exists())

    def test_bad_keys(self):
        """A key with a typing error, and one with another name, end the start."""
        good = self.key.vkey()
        for key in (good[:-2], good.replace("lottery", "bingo"), "x",
                    "lottery+00000000" + good[16:]):
            with self.subTest(key):
                agency = self.start(CLI_SEAL_KEY=key)
                self.assertEqual(agency.wait(), 2, agency.output())
                self.assertIn("environment: CLI_SEAL_KEY: ", agency.output())
        (self.folder / "config.yaml").write_text("seal:\n  key: x\n")
        agency = self.start(key=False)
        self.assertEqual(agency.wait(), 2, agency.output())
        self.assertIn("config.yaml: seal.key: ", agency.output())

    def test_evidence_that_cannot_be_written(self):
        """That is known at the start, before anything is sent: status 1, and what is there stays."""
        (self.folder / "folder").mkdir()
        for name, reason in (("none/seal.txt", "No such file"), ("folder", "not a regular file"),
                             ("bets.csv", "is the file of bets"), ("w.txt", "is the file of winners"),
                             ("x" * 300, "File name too long")):
            with self.subTest(name):
                agency = self.start(CLI_SEAL_FILE=str(self.folder / name),
                                    CLI_WINNERS_FILE=str(self.folder / "w.txt"))
                self.assertEqual(agency.wait(), 1, agency.output())
                self.assertIn(reason, agency.lines("guardar_cierre", "fail")[0].details["reason"])
        self.assertEqual(len(self.path.read_text().splitlines()), 20)
        self.assertFalse((self.folder / "w.txt").exists())


class WrongSeals(SealCase):
    def check(self, reason, message=None, **settings):
        """The Seal does not pass the check; nothing more is checked after it."""
        agency = self.start(**settings)
        with self.fake.accept() as caller:
            self.finish(caller)
            self.send_seal(caller, message() if message else self.seal.message())
            agency.wait_line("cierre", "fail")
            caller.send_winners(["00000003", "00000007"], drawn=self.seal.drawn())
            self.check_fails(agency, "seal", reason)
        return agency

    def test_fields(self):
        """Each field of it, with another value."""
        other = b"\x07" * 32
        cases = {
            "for another agency": {"agency_id": 2}, "of another draw": {"draw": "2026-11-26"},
            "number of bets differs: here 20, in the seal 19": {"total": 19},
            "the digest of the bets differs": {"digest": other},
            "a field of the seal is malformed": {"nonce": other[:31]},
            "at another place": {"index": 2},
            "the proof does not lead": {"nonce": other},
            "the seal's note is malformed": {"note": "lottery\n"},
        }
        for reason, fields in cases.items():
            with self.subTest(reason):
                self.check(reason, lambda fields=fields: self.seal.message(**fields))

    def test_proofs(self):
        """Too short, too long, in another order, of hashes of another size."""
        def altered(change):
            def message():
                good = self.seal.message()
                return self.seal.message(proof=change(list(good.proof)))
            return message
        for reason, change in (("does not lead", lambda proof: proof[:-1]),
                               ("does not lead", lambda proof: [*proof, proof[0]]),
                               ("does not lead", lambda proof: proof[::-1]),
                               ("malformed", lambda proof: [proof[0][:31], *proof[1:]]),
                               ("malformed", lambda proof: proof * 100)):
            self.check(reason, altered(change))

    def test_notes(self):
        """By another key, with an altered signature or text, of another draw, of another tree."""
        other = Key(self.folder, "other")

        def resealed():
            return Seal(other, DRAW, [self.lines, *OTHERS]).message()
        self.check("not signed by the key in seal.key", resealed)
        self.check("the signature of the seal's note is wrong", lambda: self.seal.message(
            note=self.seal.note.replace(f"\n{len(self.seal.hashes)}\n",
                                        f"\n{len(self.seal.hashes) + 1}\n")))
        self.check("of another draw",
                   lambda: self.seal.message(note=Seal(self.key, "x", [self.lines, *OTHERS]).note))
        self.check("does not lead", lambda: self.seal.message(
            note=Seal(self.key, DRAW, [self.lines, [], []]).note))

    def test_other_bets(self):
        """Sealed with a bet that was changed, added, removed, or with two that were swapped."""
        def changed(change):
            return lambda: Seal(self.key, DRAW, [change(list(self.lines)), *OTHERS]).message()
        for reason, change in (
                ("digest", lambda lines: [lines[0].replace(b"Ana", b"Eva"), *lines[1:]]),
                ("digest", lambda lines: [lines[1], lines[0], *lines[2:]]),
                ("number of bets", lambda lines: [*lines, lines[0]]),
                ("number of bets", lambda lines: lines[1:])):
            self.check(reason, changed(change))

    def test_another_seal_than_before(self):
        """After a reconnect the central has another one, which by itself is right: a failure. What was
        kept is the first."""
        agency = self.start()
        with self.fake.accept() as caller:
            self.finish(caller)
            self.send_seal(caller, self.seal.message())
            agency.wait_line("cierre", "success")
        with self.fake.accept() as caller:
            self.finish(caller)
            self.send_seal(caller, Seal(self.key, DRAW, [self.lines, [], []]).message())
            caller.send_winners(["00000003", "00000007"], drawn=self.seal.drawn())
            self.check_fails(agency, "seal", "has sent another seal before")
        self.assertEqual(self.kept.read_text(), self.seal.evidence(result=self.seal.result()))

    def test_the_file_changes_while_it_waits(self):
        """Then there is nothing to compare with."""
        agency = self.start(rows(100_000))
        with self.fake.accept() as caller:
            self.finish(caller)
            self.path.write_text("Ana,Paz,1,1999-03-17,1\n")
            agency.wait_line("cierre", "fail")
            self.send_seal(caller, self.seal.message())
            caller.send_winners(["00000003", "00000007"], drawn=self.seal.drawn())
            self.check_fails(agency, "seal", "changed while it was being sent")

    def test_what_is_kept(self):
        """A seal that fails is kept, as evidence against who signed it, unless that would take the
        place of another."""
        message = lambda: Seal(self.key, DRAW, [self.lines[1:], *OTHERS]).message()  # noqa: E731
        self.check("number of bets", message)
        self.assertEqual(self.kept.read_text(),
                         Seal(self.key, DRAW, [self.lines[1:], *OTHERS]).evidence())
        self.kept.write_text("older")
        self.check("number of bets", message)
        self.assertEqual(self.kept.read_text(), "older")
        self.no_leftovers()


class WrongResults(SealCase):
    def check(self, reason, winners=("00000003", "00000007"), drawn=lambda seal: seal.drawn(), **settings):
        agency = self.start(**settings)
        with self.fake.accept() as caller:
            self.finish(caller)
            self.send_seal(caller, self.seal.message())
            caller.send_winners(list(winners), drawn=drawn(self.seal))
            self.check_fails(agency, "result", reason, winners=len(winners))
        self.assertEqual(len(agency.lines("cierre", "success", checked="seal")), 1)
        self.assertEqual(agency.lines("cierre", "success", checked="result"), [])

    def test_winners(self):
        """One is missing, one is added, one is another's, two are swapped."""
        text = "are not this agency's bets with number 1: the file has 2 of them, and %d winners"
        for winners in (["00000003"], [], ["00000003", "00000007", "00000008"],
                        ["00000003", "00000008"], ["00000007", "00000003"]):
            self.check(text % len(winners), winners)

    def test_another_number_than_was_drawn(self):
        """The message and the note differ; or they agree, and the winners are another number's."""
        self.check("has another winning number",
                   drawn=lambda seal: seal.drawn(note=seal.result(number=2)))
        self.check("are not this agency's bets with number 2", drawn=lambda seal: seal.drawn(number=2))

    def test_notes(self):
        """Each part of it."""
        other = Key(self.folder, "other")
        for reason, drawn in (
                ("came without its number", lambda seal: None),
                ("note is malformed", lambda seal: seal.drawn(note="")),
                ("note is malformed", lambda seal: seal.drawn(note=seal.note)),
                ("not signed by the key", lambda seal: seal.drawn(note=seal.result(key=other))),
                ("signature of the result's note is wrong", lambda seal: seal.drawn(
                    note=seal.result().replace("drum", "DRUM"))),
                ("for another seal", lambda seal: seal.drawn(note=seal.result(root=bytes(32)))),
                ("of another draw", lambda seal: seal.drawn(
                    note=Seal(self.key, "x", [[]]).result(root=seal.root))),
                ("another source or time", lambda seal: seal.drawn(
                    note=seal.result(source="a friend"))),
                ("another source or time", lambda seal: seal.drawn(
                    note=seal.result(seconds=CLOSED + 61)))):
            with self.subTest(reason):
                self.check(reason, drawn=drawn)


class Signals(SealCase):
    def stop(self, agency, number):
        agency.signal(number)
        self.assertEqual(agency.wait(10), 0, agency.output())
        self.assertTrue(agency.lines("exit", "success"), agency.output())

    def test_waiting(self):
        """For the seal, and for the winners: status 0; the evidence of the seal stays."""
        for number in (signal.SIGTERM, signal.SIGINT):
            agency = self.start()
            with self.fake.accept() as caller:
                self.finish(caller)
                self.stop(agency, number)
            self.assertFalse(self.kept.exists())
        agency = self.start()
        with self.fake.accept() as caller:
            self.finish(caller)
            self.send_seal(caller, self.seal.message())
            agency.wait_line("guardar_cierre", "success")
            self.stop(agency, signal.SIGTERM)
        self.assertEqual(self.kept.read_text(), self.seal.evidence())

    def test_while_it_hashes(self):
        """With and without the winners; these come, and the connection ends, while it is held."""
        for has_winners in (False, True):
            agency = self.start(rows(100_000))
            with self.fake.accept() as caller:
                self.finish(caller)
                agency.signal(signal.SIGSTOP)
                if has_winners:
                    caller.send_winners(["00000003", "00000007"])
            agency.signal(signal.SIGTERM)
            agency.signal(signal.SIGCONT)
            self.assertEqual(agency.wait(10), 0, agency.output())
            self.assertTrue(agency.lines("exit", "success"), agency.output())
            self.assertEqual(agency.lines("cierre"), [])


if __name__ == "__main__":
    unittest.main()
