"""Files of bets as people have them: what --check and the agency say, what the settings read, and the
file of winners."""
import os
import pathlib
import signal
import subprocess

from fake_server import FakeServer, free_port
from programs import (BIN, ROOT, Case, TerminalAgency, environment_with, main, read_original,
                      wait_until)
from wire import Closed

CASES = ROOT.parent / "shared" / "cases"
ROW = "Ana,Paz,30904465,1999-03-17,7574"
PEOPLE = [["José €", "Núñez; hijo", "1", "1999-03-17", "7574"],
          ["Íñigo", 'O"Hara', "2", "2000-02-29", "1"],
          ["Ana", "Pérez, la", "A3", "1980-01-01", "7574"]]


def csv_text(people, delimiter=",", end="\r\n"):
    """As Excel writes it: quotes where they are needed."""
    def field(text):
        if any(sign in text for sign in (delimiter, '"')):
            return '"' + text.replace('"', '""') + '"'
        return text
    return "".join(delimiter.join(map(field, row)) + end for row in people)


class FilesCase(Case):
    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def check(self, path, *arguments, **settings):
        """Runs --check; returns its status and its output."""
        result = subprocess.run([BIN / "lottery-agency", "--check", path, *arguments],
                                cwd=self.folder, env=environment_with(settings), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(result.stderr, "")
        return result.returncode, result.stdout


class Check(FilesCase):
    def test_a_fit_file(self):
        """One line and status 0; neither an id nor a server is needed."""
        path = self.write("bets.csv", f"{ROW}\r\n{ROW}\r\n")
        self.assertEqual(self.check(path), (0, "2 bets, fit\n"))

    def test_bad_rows(self):
        """All of them up to 20, each with file, line and reason; then a count. Status 1."""
        path = self.write("bets.csv", f"{ROW}\nbad\n" * 30)
        status, output = self.check(path)
        self.assertEqual(status, 1)
        self.assertEqual(output.splitlines(),
                         [f"{path}:{2 * i}: 1 fields instead of 5" for i in range(1, 21)] +
                         [f"{path}: 10 more bad rows"])

    def test_warnings(self):
        """What is valid but looks like a mistake is named, and the file is fit all the same."""
        path = self.write("bets.csv", f"{ROW}\nAna\u00a0Luz,Gil,1,1999-03-17,1\n")
        status, output = self.check(path)
        self.assertEqual(status, 0)
        self.assertRegex(output, rf"^{path}:2: .*no-break space.*\(a warning\)\n2 bets, fit\n$")

    def test_a_file_that_cannot_be_read(self):
        self.assertEqual(self.check(self.folder / "none.csv"),
                         (1, f"{self.folder}/none.csv: No such file or directory\n"))
        self.assertEqual(self.check(self.folder), (1, f"{self.folder}: not a regular file\n"))

    def test_settings(self):
        """They come from the environment and from the file of settings, as always; bad ones and bad
        arguments are status 2."""
        path = self.write("bets.csv", csv_text(PEOPLE, ";").encode("cp1252"))
        config = self.write("other.yaml", 'bets: {delimiter: ";", encoding: windows-1252}\n')
        self.assertEqual(self.check(path)[0], 1)
        self.assertEqual(self.check(path, "--config", config), (0, "3 bets, fit\n"))
        self.assertEqual(self.check(path, CLI_BETS_DELIMITER=";", CLI_BETS_ENCODING="windows-1252"),
                         (0, "3 bets, fit\n"))
        status, output = self.check(path, CLI_BETS_DELIMITER="x")
        self.assertEqual(status, 2)
        self.assertIn("CLI_BETS_DELIMITER", output)
        result = subprocess.run([BIN / "lottery-agency", "--check"], stderr=subprocess.DEVNULL,
                                timeout=60)
        self.assertEqual(result.returncode, 2)

    def test_no_bets(self):
        """An empty file is fit only if the settings say so. The server's own is recognised, with bets
        and without."""
        path = self.write("bets.csv", "")
        status, output = self.check(path)
        self.assertEqual(status, 1)
        self.assertIn("set bets.allowEmpty to true", output)
        self.assertEqual(self.check(path, CLI_BETS_ALLOWEMPTY="true"), (0, "0 bets, fit\n"))
        server = self.server(agencies=2)
        status, output = self.check(server.folder / "bets.csv")
        self.assertEqual(status, 1)
        self.assertIn("the server's own bets.csv", output)
        agency = self.agency(1, server.port, self.write("1.csv", ROW))
        server.wait_line("agencia_finalizada", "success")
        status, output = self.check(server.folder / "bets.csv")
        self.assertEqual(status, 1)
        self.assertIn("the server's own bets.csv", output)
        agency.kill()

    def test_files_of_people(self):
        """The files of the folder CASES: each says what it is and what to do; the settings read those
        that they are for."""
        if not CASES.exists():
            self.skipTest("the folder of cases is not here")
        said = {"utf16le-bom": "bets.encoding to utf-16", "latin1": "bets.encoding to windows-1252",
                "semicolon": "bets.delimiter to ;", "sep-line": "bets.header to skip",
                "only-commas-end": "delete it", "header": "bets.header to skip",
                "dni-dots": "write digits alone", "date-excel-es": "yyyy-mm-dd",
                "nbsp": "no-break space"}
        for name, text in said.items():
            with self.subTest(name):
                self.assertIn(text, self.check(CASES / f"{name}.csv")[1])
        for name, settings in {"utf16le-bom": {"CLI_BETS_ENCODING": "utf-16"},
                               "latin1": {"CLI_BETS_ENCODING": "windows-1252"},
                               "semicolon": {"CLI_BETS_DELIMITER": ";"},
                               "sep-line": {"CLI_BETS_HEADER": "skip"},
                               "header": {"CLI_BETS_HEADER": "skip"}}.items():
            with self.subTest(name):
                self.assertEqual(self.check(CASES / f"{name}.csv", **settings),
                                 (0, "3 bets, fit\n"))


class Sending(FilesCase):
    def test_every_encoding(self):
        """What is stored are the same bets in UTF-8, whatever the file was."""
        header = "nombre;apellido;dni;fecha;numero\r\n"
        files = [
            (csv_text(PEOPLE, ";").encode("cp1252"),
             {"CLI_BETS_ENCODING": "windows-1252", "CLI_BETS_DELIMITER": ";"}),
            (("sep=;\r\n" + header + csv_text(PEOPLE, ";")).encode("utf-16"),
             {"CLI_BETS_ENCODING": "utf-16", "CLI_BETS_DELIMITER": ";", "CLI_BETS_HEADER": "skip"}),
            (csv_text(PEOPLE, "\t", "\n").encode("utf-16-be"),
             {"CLI_BETS_ENCODING": "utf-16", "CLI_BETS_DELIMITER": "tab"}),
            (csv_text(PEOPLE).replace("€", "E").encode("latin-1"),
             {"CLI_BETS_ENCODING": "iso-8859-1"}),
            ((header.replace(";", ",") + csv_text(PEOPLE)).encode("utf-8-sig"),
             {"CLI_BETS_HEADER": "skip"}),
        ]
        server = self.server(agencies=len(files))
        agencies = [self.agency(i, server.port, self.write(f"{i}.csv", content), **settings)
                    for i, (content, settings) in enumerate(files, 1)]
        for agency in agencies:
            self.assertEqual(agency.wait(), 0, agency.output())
            self.assertEqual(agency.lines("consulta_ganadores")[0].details["cant_ganadores"], "2")
        stored = {i: [] for i in range(1, len(files) + 1)}
        for row in read_original(server.folder / "bets.csv"):
            stored[row[0]].append([*row[1:4], row[4].isoformat(), str(row[5])])
        for i, rows in stored.items():
            expected = [[PEOPLE[0][0].replace("€", "E"), *PEOPLE[0][1:]], *PEOPLE[1:]] \
                if i == 4 else PEOPLE
            self.assertEqual(rows, expected)

    def test_resuming_within_a_decoded_file(self):
        """The server asks for a row far inside: the file goes on exactly there."""
        rows = [["Ñandú €", "Paz", str(i), "1999-03-17", "1"] for i in range(20_000)]
        path = self.write("bets.csv", csv_text(rows, ";").encode("utf-16"))
        with FakeServer() as fake:
            agency = self.agency(1, fake.port, path, CLI_BETS_ENCODING="utf-16",
                                 CLI_BETS_DELIMITER=";")
            for received in (4_096, 12_345, 19_999):
                with fake.accept() as caller:
                    caller.read_question()
                    caller.answer(received)
                    bet = caller.read_bets().bets[0]
                    self.assertEqual((bet.first_name, bet.document), ("Ñandú €", str(received)))
            agency.kill()

    def test_all_bad_rows_are_logged(self):
        """A line for each, as one was before, and nothing is sent."""
        path = self.write("bets.csv", f"{ROW}\nAna,Paz,1.0,1999-03-17,1\n" * 22)
        agency = self.agency(1, free_port(), path)
        self.assertEqual(agency.wait(), 1)
        reasons = [line.details["reason"] for line in agency.lines("leer_apuestas", "fail",
                                                                   client_id=1)]
        self.assertEqual(len(reasons), 21)
        fault = "document is not 1 to 16 ASCII letters or digits"
        self.assertTrue(reasons[0].startswith(f"{path}:2: {fault}; it is written with decimals"))
        self.assertEqual(reasons[1:20], [f"{path}:{2 * i}: {fault}" for i in range(2, 21)])
        self.assertEqual(reasons[20], f"{path}: 2 more bad rows")
        self.assertEqual(agency.lines("connect"), [])

    def test_an_empty_file_does_not_end_the_lottery(self):
        """Status 1, and the server never sees the agency."""
        server = self.server(agencies=1, level="DEBUG")
        agency = self.agency(1, server.port, self.write("bets.csv", ""))
        self.assertEqual(agency.wait(), 1)
        self.assertIn("bets.allowEmpty", agency.lines("leer_apuestas", "fail")[0].details["reason"])
        agency = self.agency(1, server.port, server.folder / "bets.csv")
        self.assertEqual(agency.wait(), 1)
        self.assertIn("server's own", agency.lines("leer_apuestas", "fail")[0].details["reason"])
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.lines("agencia_finalizada"), [])

    def test_a_warning_does_not_stop_it(self):
        server = self.server(agencies=1)
        agency = self.agency(1, server.port, self.write("bets.csv", "Ana,P\u00a0z,1,1999-03-17,1"))
        self.assertEqual(agency.wait(), 0)
        lines = agency.lines("leer_apuestas", "in_progress")
        self.assertEqual(len(lines), 1)
        self.assertIn("WARNING", lines[0].text)
        self.assertIn("no-break space", lines[0].details["reason"])

    def test_rewritten_in_place_with_its_time_restored(self):
        """The file's size and time are as before, but its bets are not: nothing of it is sent."""
        path = self.write("bets.csv", f"{ROW}\n" * 50)
        before = path.stat()
        with FakeServer() as fake:
            agency = self.agency(1, fake.port, path)
            with fake.accept() as caller:
                caller.read_question()

                def rewritten():
                    with open(path, "r+b") as file:
                        file.write(ROW.replace("Ana", "Eva").encode())
                    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
                    return path.stat().st_ctime_ns != before.st_ctime_ns
                wait_until(rewritten, "the clock of the file system to go on")
                self.assertEqual(path.stat().st_mtime_ns, before.st_mtime_ns)
                caller.answer(0)
                self.assertEqual(agency.wait(), 1)
                with self.assertRaises((Closed, ConnectionError)):
                    caller.read_bets()
        self.assertIn("changed while it was being sent",
                      agency.lines("leer_apuestas", "fail")[0].details["reason"])


class Winners(FilesCase):
    def setUp(self):
        super().setUp()
        self.target = self.folder / "winners.txt"
        self.fake = FakeServer()
        self.addCleanup(self.fake.listener.close)

    def start(self, **settings):
        path = self.write("bets.csv", f"{ROW}\n" * 3)
        return self.agency(1, self.fake.port, path, CLI_WINNERS_FILE=str(self.target), **settings)

    def finish(self, caller):
        caller.read_question()
        caller.answer(3)
        caller.read_finished()

    def leftovers(self):
        return sorted(path.name for path in self.folder.iterdir() if "winners" in path.name)

    def test_with_a_server(self):
        """The documents in the order of the bets, and a line about it before the last one."""
        server = self.server(agencies=1)
        path = self.write("bets.csv", csv_text(PEOPLE))
        agency = self.agency(1, server.port, path, CLI_WINNERS_FILE=str(self.target))
        self.assertEqual(agency.wait(), 0)
        self.assertEqual(self.target.read_text(), "1\nA3\n")
        line, last = agency.lines()[-2:]
        self.assertTrue(line.is_about("guardar_ganadores", "success", file=self.target, cantidad=2))
        self.assertTrue(last.is_about("exit", "success"))
        self.assertEqual(self.leftovers(), ["winners.txt"])

    def test_after_a_reconnect_nothing_is_told_twice(self):
        """The list comes again from its beginning: the log goes on where it was, and the file has
        everybody once."""
        self.target.write_text("old\n")
        agency = self.start(level="DEBUG")
        with self.fake.accept() as caller:
            self.finish(caller)
            caller.send_winners(["1", "2"], more=True)
            caller.send_winners(["3"], more=True)
            agency.wait_line("ganador", count=3)
            self.assertEqual(self.target.read_text(), "old\n")
        with self.fake.accept() as caller:
            self.finish(caller)
            caller.send_winners(["1"], more=True)
        with self.fake.accept() as caller:
            self.finish(caller)
            caller.send_winners(["1", "2", "3", "2"], more=True)
            caller.send_winners(["4"])
            self.assertEqual(agency.wait(), 0)
        told = [line.details["dni"] for line in agency.lines("ganador", "success")]
        self.assertEqual(told, ["1", "2", "3", "2", "4"])
        self.assertEqual(self.target.read_text(), "1\n2\n3\n2\n4\n")

    def test_the_file_of_bets_itself(self):
        """Is not replaced by the winners, by whatever name, and that is said before the draw."""
        path = self.write("bets.csv", f"{ROW}\n" * 3)
        os.link(path, self.folder / "other.csv")
        for name in ("bets.csv", "other.csv", "../" + self.folder.name + "/bets.csv"):
            agency = self.agency(1, self.fake.port, path,
                                 CLI_WINNERS_FILE=str(self.folder / name))
            self.assertEqual(agency.wait(), 1, agency.output())
            self.assertIn("is the file of bets: set winners.file to another name",
                          agency.lines("guardar_ganadores", "fail")[0].details["reason"])
        self.assertEqual(path.read_text(), f"{ROW}\n" * 3)

    def test_killed_halfway(self):
        """The file is the old one until it is the new one, whole; a signal also takes the temporary
        file away."""
        for number in (signal.SIGKILL, signal.SIGTERM):
            self.target.write_text("old\n")
            agency = self.start(level="DEBUG")
            with self.fake.accept() as caller:
                self.finish(caller)
                caller.send_winners([str(i) for i in range(900)], more=True)
                agency.wait_line("ganador", count=900)
                self.assertEqual(len(self.leftovers()), 2)
                agency.signal(number)
                agency.wait()
            self.assertEqual(self.target.read_text(), "old\n")
            if number == signal.SIGTERM:
                self.assertEqual(self.leftovers(), ["winners.txt"])
            for name in self.leftovers()[1:]:
                os.unlink(self.folder / name)

    def test_a_place_that_cannot_be_written(self):
        """Status 1 before anything is sent, so that the draw is not missed."""
        self.target = pathlib.Path(self.folder, "none", "winners.txt")
        agency = self.start()
        self.assertEqual(agency.wait(), 1)
        self.assertEqual(agency.lines("guardar_ganadores", "fail")[0].details["reason"],
                         f"{self.target}: No such file or directory")
        self.assertEqual(agency.lines("connect"), [])

    def test_a_place_that_is_taken_meanwhile(self):
        """The outcome is in the log, the failure too: status 1."""
        agency = self.start()
        with self.fake.accept() as caller:
            self.finish(caller)
            self.target.mkdir()
            caller.send_winners(["1"])
            self.assertEqual(agency.wait(), 1)
        self.assertTrue(agency.lines("consulta_ganadores", "success", cant_ganadores=1))
        self.assertEqual(len(agency.lines("guardar_ganadores", "fail")), 1)
        self.assertEqual(agency.lines("guardar_ganadores", "success"), [])
        self.assertEqual(self.leftovers(), ["winners.txt"])

    def test_what_is_no_document(self):
        """A server that is not ours cannot write two lines with one winner."""
        agency = self.start()
        with self.fake.accept() as caller:
            self.finish(caller)
            caller.send_winners(["1\n2"])
            self.assertEqual(agency.wait(), 1)
        self.assertFalse(self.target.exists())


class Summary(FilesCase):
    def run_on_terminal(self, **settings):
        """Runs an agency, of which the server has two of three bets, on a terminal; returns what it
        shows."""
        path = self.write("bets.csv", f"{ROW}\n" * 3)
        with FakeServer() as fake, TerminalAgency(self.folder, fake.port, path, **settings) as agency:
            with fake.accept() as caller:
                caller.read_question()
                caller.answer(2)
                caller.read_bets()
                caller.answer(3)
                caller.read_finished()
                if settings.get("TERM") != "dumb":
                    wait_until(lambda: agency.shows(b"waiting for the draw"), "the line")
                caller.send_winners(["7"])
                wait_until(lambda: agency.shows(b"action: exit"), "the end")
            self.assertEqual(agency.process.wait(30), 0)
        return agency.seen.decode()

    def test_on_a_terminal(self):
        """Bets, time, rate and winners, after the line about the winners."""
        seen = self.run_on_terminal()
        self.assertRegex(seen, r"cant_ganadores: 1\r\n.*1 of 3 bets sent in \d+\.\d s, \d+/s; "
                               r"1 winners\r\n")

    def test_on_a_dumb_terminal(self):
        """The summary alone: no line that is written over, no escape sequence."""
        seen = self.run_on_terminal(TERM="dumb")
        self.assertRegex(seen, r"\n1 of 3 bets sent in \d+\.\d s, \d+/s; 1 winners\r\n")
        self.assertNotIn("\x1b", seen)
        self.assertNotRegex(seen, r"\r[^\n]")

    def test_without_colors(self):
        """The line is there, but without escape sequences."""
        seen = self.run_on_terminal(NO_COLOR="1")
        self.assertIn("waiting for the draw", seen)
        self.assertNotIn("\x1b", seen)

    def test_without_a_terminal(self):
        """Nothing but log lines."""
        with FakeServer() as fake:
            agency = self.agency(1, fake.port, self.write("bets.csv", ROW))
            with fake.accept() as caller:
                caller.read_question()
                caller.answer(1)
                caller.read_finished()
                caller.send_winners([])
                self.assertEqual(agency.wait(), 0)
        self.assertEqual(agency.errors, "")


if __name__ == "__main__":
    main()
