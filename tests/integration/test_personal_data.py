"""What the programs print about those who bet: at the default level no name and no date of birth, and
documents only in the lines that are for them."""
import subprocess

from control_wire import Operator
from control_wire import pb as control
from fake_server import FakeServer
from programs import BIN, Case, Line, environment_with, main, wait_until
from wire import Peer, bet, frame, pb

# Words that nothing else contains.
FIRST, LAST, DOCUMENT, BIRTHDATE = "Zquxvinel", "Wyxhoratz", "77Q88Z99", "1987-06-05"
ROW = f"{FIRST},{LAST},{DOCUMENT},{BIRTHDATE},7574"
# The lines that have a document by their contract.
ABOUT_A_DOCUMENT = {"apuesta_almacenada", "apuesta_enviada"}


def row(first=FIRST, last=LAST, document=DOCUMENT, birthdate=BIRTHDATE, number="7574", more=""):
    return f"{first},{last},{document},{birthdate},{number}{more}"


# A file of bets for each kind of mistake, as bytes or text.
BAD_FILES = {
    "no first name": row(first=""),
    "a long first name": row(first=FIRST * 8),
    "a control in the first name": row(first=f"{FIRST}\x01"),
    "a first name that is not UTF-8": row(first=f"{FIRST}\xe9").encode("latin-1"),
    "no last name": row(last=""),
    "a long last name": row(last=LAST * 8),
    "a control in the last name": row(last=f"{LAST}\x9f"),
    "a last name that is not UTF-8": row(last=f"{LAST}\xe9").encode("latin-1"),
    "no document": row(document=""),
    "a long document": row(document=DOCUMENT * 3),
    "a name for a document": row(document=f"{FIRST} {LAST}"),
    "a document with dots": row(document="77.088.099"),
    "a document with decimals": row(document="7788099.0"),
    "a document in scientific notation": row(document="7.7E+07"),
    "a document with blanks around": row(document=f" {DOCUMENT} "),
    "a document with a no-break space": row(document=f"{DOCUMENT}\u00a0"),
    "a name for a birthdate": row(birthdate=f"{FIRST} {LAST}"),
    "a birthdate with the day first": row(birthdate="05/06/1987"),
    "a birthdate with a time": row(birthdate=f"{BIRTHDATE} 00:00:00"),
    "another birthdate": row(birthdate="1987/6/5"),
    "a serial number for a birthdate": row(birthdate="31933"),
    "a birthdate in the future": row(birthdate="2987-06-05"),
    "a name for a number": row(number=FIRST),
    "a number out of range": row(number="10000"),
    "a number with decimals": row(number="7574.0"),
    "the fields in another order": f"7574,{BIRTHDATE},{DOCUMENT},{LAST},{FIRST}",
    "too few fields": f"{FIRST},{LAST},{DOCUMENT}",
    "a single field": f"{FIRST} {LAST}",
    "too many fields": row(more=f",{FIRST},{LAST}"),
    "an empty sixth field": row(more=","),
    "semicolons": row().replace(",", ";"),
    "tabs": row().replace(",", "\t"),
    "the server's own file": f"1,{row()}",
    "a header of names": f"{FIRST},{LAST},{FIRST},{LAST},{FIRST}",
    "a quote that is never closed": f'"{row()}',
    "a quote in the wrong place": f'{FIRST}"x",{LAST},{DOCUMENT},{BIRTHDATE},7574',
    "a carriage return within a line": row(last=f"{LAST}\r{LAST}"),
    "a row that is too long": row(last=LAST * 500),
    "two lines in quotes": row(last=f'"{LAST}\n{LAST}"'),
    "a zero byte": row(first=f"{FIRST}\x00"),
    "UTF-16": f"{row()}\r\n".encode("utf-16"),
    "a workbook": b"PK\x03\x04" + row().encode(),
    "JSON": f'{{"first_name": "{FIRST}", "last_name": "{LAST}"}}',
    "a page": f"<html><body>{FIRST} {LAST}</body></html>",
}

BAD_BETS = {
    "first name": {"first": FIRST * 8}, "last name": {"last": LAST * 8},
    "no last name": {"last": ""}, "control": {"first": f"{FIRST}\n{LAST}"},
    "document": {"document": f"{FIRST} {LAST}"}, "birthdate": {"birthdate": f"{FIRST}-{LAST}"},
    "future": {"birthdate": "2987-06-05"}, "number": {"number": 10000},
}


SHORTEST = 4  # names may be cut in a line: this many characters are enough


class PersonalData(Case):
    def bad_bet(self, **fields):
        return bet(**{"document": DOCUMENT, "first": FIRST, "last": LAST, "birthdate": BIRTHDATE,
                      **fields})

    def assert_silent(self, output, where=None):
        """The output has nothing about those who bet, except documents where they belong."""
        for text in output.splitlines():
            for word in (FIRST, LAST):
                self.assertNotIn(word[:SHORTEST].lower(), text.lower(), where)
            for word in (BIRTHDATE, "1987/", "/1987", "77.088", "7788099", "7.7E+07"):
                self.assertNotIn(word, text, where)
            if DOCUMENT[:SHORTEST] in text:
                self.assertIn(Line(text).action, ABOUT_A_DOCUMENT, where)

    def tearDown(self):
        try:
            for program in self.programs:
                program.kill()
                self.assert_silent(program.output(), program.name)
        finally:
            super().tearDown()

    def write(self, content, name="bets.csv"):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def run_program(self, name, *arguments, **settings):
        """Runs a program to its end; what it prints is looked at, too."""
        done = subprocess.run([BIN / name, *arguments], cwd=self.folder, text=True,
                              capture_output=True, timeout=60, errors="replace",
                              env=environment_with({"ASAN_OPTIONS": "detect_leaks=0", **settings}))
        self.assert_silent(done.stdout + done.stderr, (name, arguments))
        return done

    def place(self, port, number, **settings):
        """Places one bet in mode bet."""
        settings = {"NOMBRE": FIRST, "APELLIDO": LAST, "DOCUMENTO": DOCUMENT,
                    "NACIMIENTO": BIRTHDATE, "NUMERO": "7574", **settings}
        return self.agency(number, port, mode="bet", **settings)

    def operate(self, server, *arguments):
        done = self.run_program("lottery-ctl", "--data-dir", str(server.folder), *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_lottery(self):
        """All goes well: batches, single bets, a draw with winners."""
        server = self.server(agencies=2)
        self.assertEqual(self.place(server.port, 2).wait(), 0)
        with Peer(server.port, 2) as peer:
            peer.send_finished(1)
            many = self.agency(1, server.port, self.write(f"{ROW}\r\n" * 400),
                               CLI_WINNERS_FILE=str(self.folder / "winners.csv"))
            self.assertEqual(many.wait(), 0, many.output())
            self.assertEqual(peer.winners(), [DOCUMENT])
        self.assertEqual(server.stop(), 0)
        self.assertEqual((self.folder / "winners.csv").read_text().count(DOCUMENT), 400)
        stored = server.lines("apuesta_almacenada")  # of a batch with a single bet
        self.assertEqual([line.details["dni"] for line in stored], [DOCUMENT])

    def test_a_lottery_that_an_operator_runs(self):
        """It is sealed, drawn and followed by the next one."""
        server = self.server(agencies=1, LOTTERY_DRAW="manual", LOTTERY_DRAW_ID="first")
        agency = self.agency(1, server.port, self.write(f"{ROW}\r\n" * 200), CLI_DRAW="first",
                             CLI_SEAL_FILE=str(self.folder / "seal.txt"))
        server.wait_line("agencia_finalizada", "success")
        with Operator(server.folder / "control.sock") as operator:
            wait_until(lambda: operator.status().phase == control.PHASE_SEALED, "the seal")
        self.operate(server, "draw", "7574", "--source", "drum 3")
        self.assertEqual(agency.wait(), 0, agency.output())
        self.operate(server, "next", "second")
        with Peer(server.port, 1, draw="first") as peer:
            self.assertEqual(peer.received(), 200)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.lines("siguiente_sorteo", "success")), 1)
        self.assertEqual(len((self.folder / "seal.txt").read_text().splitlines()[-1].split()), 3)

    def test_bad_files(self):
        """Whatever is wrong with a file, --check and the agency name the place and the reason."""
        with FakeServer() as fake:
            for number, (kind, content) in enumerate(BAD_FILES.items()):
                path = self.write(content, f"{number}.csv")
                checked = self.run_program("lottery-agency", "--check", str(path))
                sent = self.run_program("lottery-agency", str(path), CLI_ID="1",
                                        CLI_SERVER_ADDRESS=f"127.0.0.1:{fake.port}")
                self.assertEqual((checked.returncode, sent.returncode), (1, 1), (kind, sent.stdout))
                self.assertIn(path.name, checked.stdout, kind)

    def test_a_bad_bet_in_the_environment(self):
        """Mode bet refuses it and says which field is wrong."""
        with FakeServer() as fake:
            for settings in ({"NOMBRE": FIRST * 8}, {"APELLIDO": ""}, {"DOCUMENTO": f"{FIRST} {LAST}"},
                             {"NACIMIENTO": f"{FIRST}"}, {"NACIMIENTO": "05/06/1987"},
                             {"NUMERO": f"{LAST}"}, {"NUMERO": "10000"}):
                self.assertEqual(self.place(fake.port, 1, **settings).wait(), 2, settings)

    def test_bad_messages(self):
        """A peer sends bets that break each of the rules, and bytes that are no message."""
        server = self.server(agencies=5)
        for kind, fields in BAD_BETS.items():
            with Peer(server.port, 1) as peer:
                ack = peer.bets([self.bad_bet(), self.bad_bet(**fields)])
                self.assertEqual(ack.code, pb.ACK_CODE_INVALID_BET, kind)
                self.assert_silent(ack.detail, kind)
        body = pb.NewBets(agency_id=1, bets=[self.bad_bet()]).SerializeToString()
        no_text = body.replace(FIRST[1:].encode(), b"\xff" * 8)
        for kind, data in {"cut": frame(pb.OPCODE_NEW_BETS, body[:-9]),
                           "not UTF-8": frame(pb.OPCODE_NEW_BETS, no_text),
                           "another opcode": frame(77, body), "no frame": body * 99}.items():
            with Peer(server.port, 1) as peer:
                peer.send_bytes(data)
                ack = peer.ack()
                self.assertIn(ack.code, (pb.ACK_CODE_MALFORMED, pb.ACK_CODE_INVALID_BET), kind)
                self.assert_silent(ack.detail, kind)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.bets(), [])

    def test_refused_batches(self):
        """Valid bets at the wrong time or place: after a gap, of another agency, others than before,
        after the end."""
        server = self.server(agencies=1)
        with Peer(server.port, 1) as peer:
            self.assertEqual(peer.bets([self.bad_bet()] * 3).received, 3)
            self.assertEqual(peer.bets([self.bad_bet()], 9).code, pb.ACK_CODE_OFFSET_GAP)
            self.assertEqual(peer.bets([self.bad_bet()], 3, agency=2).code,
                             pb.ACK_CODE_UNKNOWN_AGENCY)
            peer.send_finished(8)
            self.assertEqual(peer.ack().code, pb.ACK_CODE_INCOMPLETE)
        other = self.agency(1, server.port, self.write(f"{row(last='Wyxhoratzia')}\r\n" * 5))
        self.assertEqual(other.wait(), 1)
        self.assertIn("CONTENT_MISMATCH", other.output())
        with Peer(server.port, 1) as peer:
            peer.finish(3)
            self.assertEqual(peer.bets([self.bad_bet()], 3).code, pb.ACK_CODE_DRAW_CLOSED)
        self.assertEqual(server.stop(), 0)

    def test_a_key_for_a_value(self):
        """The contents of a key's file in a setting for its name: refused, and not repeated."""
        key = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True,
                             capture_output=True, text=True).stdout
        secret = key.splitlines()[1]
        places = [("lottery-server", {name: key}) for name in ("TLS_KEY", "TLS_CERT",
                                                               "LOTTERY_SEAL_KEY")]
        places += [("lottery-agency", {"CLI_ID": "1", name: key}) for name in ("CLI_TLS_KEY",
                                                                              "CLI_TLS_CA")]
        for program, settings in places:
            done = self.run_program(program, **settings)
            self.assertEqual(done.returncode, 2)
            self.assertIn("where the name of its file should be", done.stdout)
            self.assertNotIn(secret[:8], done.stdout + done.stderr)
        for program, suffix, text in (
                ("lottery-server", "ini", "[DEFAULT]\nTLS_KEY = " + key),
                ("lottery-server", "ini", key),
                ("lottery-agency", "yaml", "tls:\n  key: |\n    " + key.replace("\n", "\n    ")),
                ("lottery-agency", "yaml", key)):
            path = self.write(text, f"settings.{suffix}")
            done = self.run_program(program, "--config", str(path))
            self.assertEqual(done.returncode, 2)
            self.assertNotIn(secret[:8], done.stdout + done.stderr)

    def test_echo(self):
        """A lottery's agency and a server in mode echo do not understand each other, and say no more
        than that."""
        server = self.server(mode="echo")
        agency = self.agency(1, server.port, self.write(f"{ROW}\r\n"), CLI_CONNECT_TIMEOUT="1s")
        self.assertEqual(agency.wait(), 1)
        self.assertEqual(server.stop(), 0)

    def test_damage(self):
        """Bets that were changed on disk are found, and the place is named by its byte."""
        server = self.server(agencies=1)
        with Peer(server.port, 1) as peer:
            self.assertEqual(peer.bets([self.bad_bet()] * 100).received, 100)
        self.assertEqual(server.stop(), 0)
        path = server.folder / "bets.csv"
        data = path.read_bytes()
        for damage in (data.replace(FIRST.encode(), FIRST[::-1].encode(), 1), data[:-20],
                       data + data[:70], data[:50] + data):
            path.write_bytes(damage)
            self.run_program("lottery-server", "--check", str(server.folder))
        path.write_bytes(data[:-20])
        start = self.run_program("lottery-server", SERVER_PORT="0", LOTTERY_AGENCIES="1",
                                 LOTTERY_DATA_DIR=str(server.folder))
        self.assertEqual(start.returncode, 1, start.stdout)
        path.write_bytes(data.replace(FIRST.encode(), FIRST[::-1].encode(), 1))
        server = self.server(agencies=1)  # it has not to read them before the draw
        with Peer(server.port, 1) as peer:
            peer.send_finished(100)
            server.wait_line("sorteo", "fail")
        path.write_bytes(data + data[:70])
        self.assertEqual(server.stop(), 0)
        self.server(agencies=1).wait_line("recover_store", "success", bets_bytes_cut=70)


if __name__ == "__main__":
    main()
