"""The forms of the log, LOG_FORMAT: text, JSON, and lines for systemd's journal."""
import collections
import datetime
import signal
import subprocess
import unittest

from programs import BIN, Case, Line, environment_with, main
from test_log import EVIL
from wire import Peer

PRIORITIES = {"DEBUG": "7", "INFO": "6", "WARNING": "4", "ERROR": "3", "CRITICAL": "2"}
# What differs from one run to the next, wherever a line has it.
CHANGING = {"pid", "port", "ip", "data_dir", "server_address", "address", "bets_file", "log_format", "uid",
            "ms", "wait_ms"}


class FormatCase(Case):
    def bets_file(self, agency, count=50):
        path = self.folder / f"agency-{agency}.csv"
        path.write_text("".join(f"Ana,Paz,{agency}{i:04},1999-03-17,{7574 if i % 10 == 0 else 1}\r\n"
                                for i in range(count)))
        return path

    def lottery(self, level="INFO", **settings):
        """A small lottery, whole. Returns the lines of the server and those of its agencies."""
        folder = self.folder / f"data-{len(self.programs)}"
        server = self.server(agencies=2, workers=1, folder=folder, level=level, **settings)
        agencies = [self.agency(i, server.port, self.bets_file(i), level=level, **settings)
                    for i in (1, 2)]
        self.assertEqual([agency.wait() for agency in agencies], [0, 0])
        self.assertEqual(server.stop(), 0)
        return server.lines(), [line for agency in agencies for line in agency.lines()]

    def end(self, program, *arguments, **settings):
        """Runs a program that does not start; returns its exit status and its only line."""
        done = subprocess.run([BIN / program, *arguments], cwd=self.folder, text=True,
                              env=environment_with(settings), capture_output=True, timeout=60)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.count("\n"), 1, done.stdout)
        return done.returncode, Line(done.stdout.rstrip("\n"))


class Lotteries(FormatCase):
    def assert_all(self, lines, form):
        """All have this form. There is one of each of some kinds, so none has got lost."""
        self.assertEqual([line.text for line in lines if line.form != form], [])
        actions = collections.Counter(line.action for line in lines)
        self.assertEqual(actions["exit"], 1 if actions["listen"] else 2, actions)

    @staticmethod
    def told(lines):
        """What the lines say, without what differs from run to run, in a fixed order."""
        return sorted((line.level, line.action, line.result, *line.details,
                       *(value for key, value in line.details.items() if key not in CHANGING))
                      for line in lines if line.action not in ("accept_connections",
                                                               "close_connection"))

    def test_json(self):
        """Every line of every process is an object with the same keys and values as in text. The time
        has its offset, and what is counted is a number."""
        zone = {"TZ": "ART3"}
        text = self.lottery(LOG_FORMAT="text", **zone)
        begin = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        json = self.lottery(LOG_FORMAT="json", **zone)
        end = datetime.datetime.now(datetime.timezone.utc)
        for lines, expected in zip(json, text):
            self.assert_all(lines, "json")
            self.assert_all(expected, "text")
            without = [line for line in lines if "log_format" not in line.details]
            self.assertEqual(len(lines) - len(without), sum(line.action == "config" for line in lines))
            for line in lines:
                line.details.pop("log_format", None)  # of the line `config`
                self.assertRegex(line.time, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-03:00$")
                self.assertLessEqual(begin, datetime.datetime.fromisoformat(line.time))
                self.assertLessEqual(datetime.datetime.fromisoformat(line.time), end)
                for key, value in line.values.items():
                    self.assertIn(type(value), (int, str), line.text)
                    if key in ("cantidad", "numero", "client_id", "agencia", "total", "workers"):
                        self.assertIs(type(value), int, line.text)
            self.assertEqual(self.told(lines), self.told(expected))
        self.assertEqual(sum(line.values["cantidad"] for line in json[0]
                             if line.action == "apuesta_recibida"), 100)

    def test_journal(self):
        """Every line has its priority and no time, and is the line of text otherwise."""
        text = self.lottery(LOG_FORMAT="text")
        journal = self.lottery(LOG_FORMAT="journal")
        for lines, expected in zip(journal, text):
            self.assert_all(lines, "journal")
            self.assertEqual([line.text for line in lines if line.priority != PRIORITIES[line.level]], [])
            for line in lines:
                line.details.pop("log_format", None)
            self.assertEqual(self.told(lines), self.told(expected))

    def test_every_process(self):
        """At DEBUG, where each process of the server has lines of its own."""
        for form in ("json", "journal"):
            with self.subTest(form):
                server, agencies = self.lottery(level="DEBUG", LOG_FORMAT=form)
                stored = [line for line in server if line.action == "apuesta_almacenada"]
                self.assertEqual(len(stored), 100)
                self.assertTrue(any(line.is_about("apuesta_almacenada", "success", dni="10000", numero=7574)
                                    for line in stored))
                self.assert_all(server, form)
                self.assert_all(agencies, form)
                started = {line.details["process"] for line in server if line.action == "start_process"}
                self.assertLessEqual({"ledger", "coordinator", "worker"}, started)

    def test_text_is_the_default(self):
        """Without the setting the log is text, and does not mention it."""
        server, agencies = self.lottery()
        for lines in (server, agencies):
            self.assert_all(lines, "text")
            self.assertEqual([line.text for line in lines if "log_format" in line.details], [])


class Settings(FormatCase):
    def test_bad_values(self):
        """Status 2, with the place and the key; the line is text then."""
        ini, yaml = self.folder / "bad.ini", self.folder / "bad.yaml"
        ini.write_text("[DEFAULT]\nLOG_FORMAT = JSON\n")
        yaml.write_text("id: 1\nlog:\n  format: JSON\n")
        for program, arguments, settings, place in (
                ("lottery-server", ["-c", ini], {}, f"{ini}:2: LOG_FORMAT"),
                ("lottery-server", [], {"LOG_FORMAT": "JSON"}, "environment: LOG_FORMAT"),
                ("lottery-agency", ["-c", yaml], {}, f"{yaml}:3: log.format"),
                ("lottery-agency", [], {"LOG_FORMAT": "JSON"}, "environment: LOG_FORMAT"),
                ("lottery-agency", [], {"CLI_LOG_FORMAT": "JSON"}, "environment: CLI_LOG_FORMAT")):
            with self.subTest(place):
                status, line = self.end(program, *arguments, **settings)
                self.assertEqual(status, 2)
                self.assertEqual((line.form, line.level, line.action, line.result),
                                 ("text", "CRITICAL", "config", "fail"))
                self.assertEqual(line.details["reason"], f'{place}: "JSON" is not one of text/json/journal')

    def test_before_the_settings(self):
        """What the environment says counts from the first line, also when the settings are bad."""
        for program, variables in (("lottery-server", {"SERVER_PORT": "x"}),
                                   ("lottery-agency", {"CLI_ID": "x"})):
            for form in ("text", "json", "journal"):
                with self.subTest(program=program, form=form):
                    status, line = self.end(program, LOG_FORMAT=form, **variables)
                    self.assertEqual((status, line.form, line.level), (2, form, "CRITICAL"))
        _, line = self.end("lottery-agency", LOG_FORMAT="json", CLI_LOG_FORMAT="journal", CLI_ID="x")
        self.assertEqual(line.form, "journal")

    def test_where_it_comes_from(self):
        """For an agency: CLI_LOG_FORMAT, then LOG_FORMAT, then the file."""
        (self.folder / "config.yaml").write_text("log: {format: json}\n")
        for settings, form in (({}, "json"), ({"LOG_FORMAT": "text"}, "text"),
                               ({"LOG_FORMAT": "text", "CLI_LOG_FORMAT": "journal"}, "journal")):
            with self.subTest(form):
                agency = self.agency(1, 9, self.folder / "missing.csv", **settings)
                self.assertEqual(agency.wait(), 1)
                self.assertEqual({line.form for line in agency.lines()}, {form})
        config = self.folder / "config.ini"
        config.write_text("[DEFAULT]\nLOG_FORMAT = journal\n")
        for settings, form in (({}, "journal"), ({"LOG_FORMAT": "json"}, "json")):
            with self.subTest(form):
                server = self.server(mode="echo", arguments=["-c", config], **settings)
                server.stop()
                self.assertEqual({line.form for line in server.lines()}, {form})

    def test_reload(self):
        """The form follows the file while the server runs, unless the environment has it. From one
        form to the next no line is lost."""
        config = self.folder / "config.ini"
        for settings, forms in (({}, ("json", "journal", "text")),
                                ({"LOG_FORMAT": "json"}, ("json", "json", "json"))):
            with self.subTest(settings):
                config.write_text("[DEFAULT]\nLOG_FORMAT = json\n")
                server = self.server(agencies=1, workers=1, folder=self.folder / str(len(settings)),
                                     arguments=["-c", config], **settings)
                for count, (value, form) in enumerate(zip(("journal", "text"), forms[1:]), 1):
                    config.write_text(f"[DEFAULT]\nLOG_FORMAT = {value}\n")
                    server.signal(signal.SIGHUP)
                    line = server.wait_line("recarga", "success", count=count)
                    self.assertEqual(line.form, form)
                self.assertEqual(server.stop(), 0)
                lines = server.lines()
                self.assertEqual([line.form for line in lines if line.action == "config"], list(forms))
                self.assertEqual(lines[-1].form, forms[-1])
                order = [form for form, after in zip(lines, lines[1:]) if form.form != after.form]
                self.assertEqual(len(order), len(set(forms)) - 1)


class Values(FormatCase):
    def test_foreign_bytes(self):
        """What an echo server gets, as JSON: whoever reads the line has it unchanged, but for bytes that
        are no text. In text that is replaced."""
        server = self.server(mode="echo", LOG_FORMAT="json")
        texts = [part if isinstance(part, bytes) else part.encode() for part in EVIL]
        texts += [b'"', b"\\", b'","level":"INFO', b"N\xc2\xb0 1", b"\xf3\xa0\x81\x81", b"x" * 5000]
        sent = [b"a" + text.replace(b"\n", b"") + b"z" for text in (*texts, b"".join(texts))]
        for text in sent:
            with Peer(server.port) as peer:
                peer.send_bytes(text + b"\n")
                self.assertTrue(peer.socket.recv(10000))
            line = server.wait_line("receive_message", "success", count=sent.index(text) + 1)
            self.assertLess(len(line.text), 4096)
            expected = text.rstrip(b"\r").decode(errors="replace")
            if len(text) < 4000:
                self.assertEqual(line.values["msg"], expected)
            else:
                self.assertTrue(expected.startswith(line.values["msg"]))
                self.assertGreater(len(line.text.encode()), 4080)
        self.assertEqual(server.stop(), 0)

    def test_hidden_failure(self):
        """What a level hides and stderr gets has the same form."""
        for form in ("text", "json", "journal"):
            with self.subTest(form):
                agency = self.agency(1, 9, self.folder / "missing.csv", level="CRITICAL", LOG_FORMAT=form)
                self.assertEqual(agency.wait(), 1)
                self.assertEqual(agency.texts, [])
                line = Line(agency.errors.rstrip("\n"))
                self.assertEqual((line.form, line.level, line.result), (form, "ERROR", "fail"))


if __name__ == "__main__":
    main()
