"""Draws in folders of their own, and a server that takes new settings without closing its socket."""
import os
import random
import signal
import socket
import subprocess
import threading
import time
import unittest

from programs import BIN, Case, Program, environment_with, main, open_files_of, wait_until
from wire import Closed, Peer, bet, pb


class MovementCase(Case):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "data"
        self.data.mkdir()
        self.config = self.folder / "config.ini"

    def configure(self, agencies, **settings):
        """Writes the file of settings."""
        lines = {"LOTTERY_AGENCIES": agencies, **settings}
        text = "".join(f"{key} = {value}\n" for key, value in lines.items())
        new = self.config.with_suffix(".new")
        new.write_text("[DEFAULT]\n" + text)
        new.rename(self.config)

    def start(self, agencies=2, settings=None, **environment):
        """A server whose LOTTERY_AGENCIES and `settings` come from the file."""
        self.configure(agencies, **(settings or {}))
        return self.server(level="DEBUG", arguments=["--config", str(self.config)],
                           LOTTERY_AGENCIES=None, **environment)

    def reload(self, server, result="success"):
        """Asks for new settings and returns the line that says what became of it."""
        count = len(server.lines("recarga")) + 1
        server.signal(signal.SIGHUP)
        line = server.wait_line("recarga", count=count)
        self.assertEqual(line.result, result, line.text)
        self.assertEqual(line.details["uid"], str(os.getuid()))
        return line

    def check(self, folder):
        return subprocess.run([BIN / "lottery-server", "--check", folder], text=True,
                              capture_output=True, timeout=60)

    def file_of_bets(self, agency, count):
        path = self.folder / f"agency-{agency}.csv"
        path.write_text("".join(f"Ana,Paz,{agency}x{i},1999-03-17,{7574 if i % 100 == 0 else 1}\r\n"
                                for i in range(count)))
        return path

    def assert_complete(self, server, counts, folder=None):
        """Each agency's bets are all there, once, in their order."""
        rows = (folder or self.data).joinpath("bets.csv").read_bytes().split(b"\r\n")[:-1]
        for agency, count in counts.items():
            mine = [row for row in rows if row.startswith(b"%d," % agency)]
            self.assertEqual([row.split(b",")[3] for row in mine],
                             [b"%dx%d" % (agency, i) for i in range(count)])
        self.assertEqual(len(rows), sum(counts.values()))
        self.assertEqual(len(server.lines("sorteo", "success")), 1)


class Folders(MovementCase):
    def run_to_end(self, **settings):
        return subprocess.run([BIN / "lottery-server"], cwd=self.folder, text=True,
                              capture_output=True, timeout=60, env=environment_with({
                                  "SERVER_PORT": "0", "LOTTERY_DATA_DIR": str(self.data),
                                  "ASAN_OPTIONS": "detect_leaks=0", **settings}))

    def test_without_an_id(self):
        """All is as it always was: no other file, no other line."""
        server = self.server(agencies=1)
        with Peer(server.port) as peer:
            peer.bets([bet()])
            self.assertEqual(len(peer.finish(1)), 1)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(sorted(path.name for path in self.data.iterdir()),
                         ["bets.csv", "bets.journal", "winners.csv", "winners.index"])
        self.assertRegex(server.lines("config")[0].text, r"data_dir: \S+ \| tls: off$")

    def test_with_an_id(self):
        """The files are in the draw's folder; the draw goes on after a restart, whatever the setting
        says then."""
        server = self.server(agencies=2, LOTTERY_DRAW_ID="2026-11-25-nocturna")
        draw = self.data / "2026-11-25-nocturna"
        with Peer(server.port, draw=draw.name) as peer:
            peer.bets([bet()])
        self.assertEqual(server.stop(), 0)
        self.assertEqual((self.data / "current").read_text(), "2026-11-25-nocturna\n")
        self.assertEqual(draw.stat().st_mode & 0o777, 0o750)
        self.assertEqual(sorted(path.name for path in self.data.iterdir()),
                         ["2026-11-25-nocturna", "current"])
        self.assertEqual(server.lines("config")[0].details["draw_id"], "2026-11-25-nocturna")
        for setting in ({"LOTTERY_DRAW_ID": "another"}, {}):
            server = self.server(agencies=2, **setting)
            line = server.wait_line("config", current="2026-11-25-nocturna")
            self.assertEqual(line.details["setting"], setting.get("LOTTERY_DRAW_ID", ""))
            self.assertIn("WARNING", line.text)
            with Peer(server.port, draw=draw.name) as peer:
                self.assertEqual(peer.received(), 1)
            self.assertEqual(server.stop(), 0)
        self.assertFalse((self.data / "another").exists())
        server = self.server(agencies=2, LOTTERY_DRAW_ID="2026-11-25-nocturna")
        self.assertEqual(server.lines("config", current="2026-11-25-nocturna"), [])

    def test_check(self):
        """The draw in force, or the one whose folder is named."""
        server = self.server(agencies=1, LOTTERY_DRAW_ID="a1")
        with Peer(server.port, draw="a1") as peer:
            peer.bets([bet()])
        for folder in (self.data, self.data / "a1"):
            done = self.check(folder)
            self.assertEqual(done.returncode, 1)
            self.assertIn("another server works on this folder", done.stderr)
        self.assertEqual(server.stop(), 0)
        done = self.check(self.data / "a1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("in all: 1 bets", done.stdout)
        self.assertEqual(self.check(self.data).stdout, "in force: a1\n" + done.stdout)
        (self.data / "current").write_text("b2\n")
        done = self.check(self.data)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"data directory {self.data}: b2, the draw in force: No such file", done.stderr)
        (self.data / "current").write_text("b 2\n")
        done = self.check(self.data)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("current: it is not the id of a draw in one line", done.stderr)

    def test_bad_current(self):
        """No start, and nothing changes."""
        for text in ("", "\n", "..\n", "a b\n", "a\nb\n", "current\n", "x" * 65):
            (self.data / "current").write_text(text)
            done = self.run_to_end(LOTTERY_DRAW_ID="a1")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("current: it is not the id of a draw in one line: write the id of the draw "
                          "in force into it", done.stdout)
            self.assertEqual(self.data.joinpath("current").read_text(), text)
            self.assertEqual([path.name for path in self.data.iterdir()], ["current"])

    def test_current_without_its_folder(self):
        """The folder of a draw that has begun is not made again, nor are its files."""
        (self.data / "current").write_text("a1\n")
        done = self.run_to_end()
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("/a1: No such file or directory", done.stdout)
        (self.data / "a1").mkdir()
        done = self.run_to_end()
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("data/a1: bets.journal was removed: restore the folder from a copy", done.stdout)
        self.assertEqual(list((self.data / "a1").iterdir()), [])

    def test_a_link_is_not_a_folder(self):
        (self.folder / "elsewhere").mkdir()
        (self.data / "a1").symlink_to(self.folder / "elsewhere")
        done = self.run_to_end(LOTTERY_DRAW_ID="a1")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("/a1: it is not a folder, or a symbolic link, which is not followed", done.stdout)
        self.assertEqual(list((self.folder / "elsewhere").iterdir()), [])
        self.assertFalse((self.data / "current").exists())

    def test_locks(self):
        """Neither on the data directory nor on the draw's folder can another server work."""
        self.server(agencies=1, LOTTERY_DRAW_ID="a1")
        for settings in ({}, {"LOTTERY_DATA_DIR": str(self.data / "a1")}):
            done = self.run_to_end(**settings)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("another server works on this folder", done.stdout)

    def test_bad_settings(self):
        for settings, reason in (
                ({"LOTTERY_DRAW_ID": "../a1"}, 'LOTTERY_DRAW_ID: "../a1" is not a draw'),
                ({"LOTTERY_DRAW_ID": "current"}, 'LOTTERY_DRAW_ID: "current" is not a draw'),
                ({"LOTTERY_DRAW": "yes"}, 'LOTTERY_DRAW: "yes" is not one of auto/manual'),
                ({"LOTTERY_SEAL": "true"}, 'LOTTERY_SEAL: "true" is not one of no/yes'),
                ({"LOTTERY_CLOSE_AT": "21:00"}, 'LOTTERY_CLOSE_AT: "21:00" is not a time'),
                ({"LOTTERY_CLOSE_AT": "2026-11-25T21:00:00Z"},
                 "environment: LOTTERY_CLOSE_AT: only a draw that an operator runs has a closing "
                 "time: set LOTTERY_DRAW to manual as well, or remove it"),
                ({"LOTTERY_SEAL_KEY": ""}, 'LOTTERY_SEAL_KEY: "" is not a text')):
            with self.subTest(settings):
                done = self.run_to_end(**settings)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(reason, done.stdout)
        self.assertEqual(list(self.data.iterdir()), [])


class Reloading(MovementCase):
    def test_with_agencies(self):
        """Agencies that send and one that waits reconnect, and another one is let in; all is there
        once, and everybody gets its winners."""
        server = self.start(agencies=4, settings={"LOTTERY_DRAW_ID": "a1"})
        counts = {1: 3000, 2: 3000, 3: 0, 4: 500, 5: 500}
        waiting = self.folder / "none.csv"
        waiting.write_text("")
        agencies = [self.agency(3, server.port, waiting, level="DEBUG", CLI_DRAW="a1",
                                CLI_BETS_ALLOWEMPTY="true")]
        agencies += [self.agency(i, server.port, self.file_of_bets(i, counts[i]), CLI_DRAW="a1",
                                 CLI_BATCH_MAXAMOUNT="3") for i in (1, 2)]
        server.wait_line("agencia_finalizada", "success")
        server.wait_line("apuesta_recibida", "success", count=50)
        self.configure(5, LOTTERY_DRAW_ID="a1")
        self.reload(server)
        agencies.append(self.agency(5, server.port, self.file_of_bets(5, counts[5]),
                                    CLI_DRAW="a1"))
        agencies[0].wait_line("connect", "success", count=2)  # or it would miss one of the two
        self.reload(server)
        agencies.append(self.agency(4, server.port, self.file_of_bets(4, counts[4]),
                                    CLI_DRAW="a1"))
        for agency in agencies:
            self.assertEqual(agency.wait(), 0, agency.output())
        self.assertEqual([int(agency.lines("consulta_ganadores")[-1].details["cant_ganadores"])
                          for agency in agencies], [0, 30, 30, 5, 5])
        self.assertEqual(len(agencies[0].lines("connect", "success")), 3, agencies[0].output())
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.lines("listen")), 1)
        self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])
        self.assert_complete(server, counts, self.data / "a1")

    def test_after_the_draw(self):
        """The winners are told as before, and the draw is not reported again."""
        server = self.start(agencies=1)
        with Peer(server.port) as peer:
            peer.bets([bet("7")])
            self.assertEqual(peer.finish(1), ["7"])
        server.wait_line("sorteo", "success")
        self.reload(server)
        with Peer(server.port) as peer:
            self.assertEqual(peer.finish(1), ["7"])
        self.configure(2)
        self.assertIn("LOTTERY_AGENCIES is 2: this draw has 1, and takes no more since it was closed",
                      self.reload(server, "fail").text)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.lines("sorteo", "success")), 1)

    def test_refused(self):
        """A bad file, and settings that cannot change: no process ends, no connection breaks."""
        server = self.start(agencies=2)
        server.wait_ready()
        children = server.children()
        cases = [({"agencies": 1}, "LOTTERY_AGENCIES is 1: this draw has 2, and takes only more"),
                 ({"agencies": "two"}, 'config.ini:2: LOTTERY_AGENCIES: "two" is not a number'),
                 ({"agencies": 2, "LOTTERY_AGENCY": 3}, "config.ini:3: LOTTERY_AGENCY: unknown key"),
                 ({"agencies": 2, "LOTTERY_WINNER_NUMBER": 1}, "LOTTERY_WINNER_NUMBER cannot change"),
                 ({"agencies": 2, "LOTTERY_DRAW": "manual"}, "LOTTERY_DRAW cannot change in a draw"),
                 ({"agencies": 2, "LOTTERY_SEAL": "yes"}, "LOTTERY_SEAL cannot change in a draw"),
                 ({"agencies": 2, "LOTTERY_DRAW_ID": "b2"}, "LOTTERY_DRAW_ID cannot change"),
                 ({"agencies": 2, "LOTTERY_CLOSE_AT": "2030-01-01T00:00:00Z"},
                  "config.ini:3: LOTTERY_CLOSE_AT: only a draw that an operator runs")]
        with Peer(server.port) as peer:
            peer.bets([bet()])
            for settings, reason in cases:
                with self.subTest(settings):
                    self.configure(**settings)
                    self.assertIn(reason, self.reload(server, "fail").text)
            self.config.unlink()
            self.assertIn("No such file", self.reload(server, "fail").text)
            os.mkfifo(self.config)
            self.assertIn("only a regular file can be read again", self.reload(server, "fail").text)
            self.assertEqual(peer.received(), 1)
        self.assertEqual(server.children(), children)
        self.assertEqual(server.stop(), 0)

    def test_acts(self):
        """What a signal has asked for is on record, be it done or not."""
        server = self.start(agencies=1)
        server.wait_ready()
        self.reload(server)
        server.wait_line("accept_connections", "in_progress", count=2 + 2)
        self.configure(0)
        self.reload(server, "fail")
        # what is asked of the coordinator after it is done after it
        subprocess.run([BIN / "lottery-ctl", "--data-dir", self.data, "close"], check=False,
                       capture_output=True, env=environment_with({}), timeout=60)
        self.assertEqual(server.stop(), 0)
        acts = [line for line in self.check(self.data).stdout.splitlines() if "reload" in line]
        self.assertEqual(len(acts), 2, acts)
        self.assertTrue(acts[0].endswith("reload"), acts)
        self.assertIn("reload: failed: LOTTERY_AGENCIES is 0", acts[1])

    def test_to_the_whole_group(self):
        """As a terminal sends it: no child ends of it."""
        server = self.start(agencies=1, launcher=["setsid"])
        server.wait_ready()
        os.killpg(server.process.pid, signal.SIGHUP)
        server.wait_line("recarga", "success")
        self.assertEqual(server.lines("close_process", "fail"), [])
        self.assertEqual(server.stop(), 0)

    def test_ignored(self):
        """Under nohup it stays ignored."""
        server = self.start(agencies=1, launcher=["nohup"])
        server.wait_ready()
        server.signal(signal.SIGHUP)
        with Peer(server.port) as peer:
            peer.bets([bet("1")])
            peer.finish(1)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.lines("recarga"), [])

    def test_level_and_workers(self):
        """They follow the file."""
        server = self.start(agencies=1, settings={"LOGGING_LEVEL": "DEBUG", "SERVER_WORKERS": 2},
                            LOGGING_LEVEL=None, SERVER_WORKERS=None)
        server.wait_ready()
        self.configure(1, LOGGING_LEVEL="DEBUG", SERVER_WORKERS=3)
        self.reload(server)
        server.wait_line("start_process", "success", process="worker", index=2)
        server.wait_line("accept_connections", "in_progress", count=2 + 3)
        self.configure(1, LOGGING_LEVEL="INFO", SERVER_WORKERS=1)
        count = len(server.lines("start_process"))
        self.reload(server)
        server.wait_line("accept_connections", "in_progress", count=2 + 3 + 1)
        self.assertEqual(server.stop(), 0)
        # the next ledger starts with the level that is in force then
        self.assertEqual(len(server.lines("start_process")), count)
        self.assertEqual(len(server.lines("close_process", "success")), 4 + 5 + 3)

    def test_echo(self):
        server = self.start(mode="echo")
        server.wait_ready()
        self.reload(server)
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as peer:
            peer.sendall(b"hello\n")
            self.assertEqual(peer.recv(100), b"hello\n")
        self.assertEqual(server.stop(), 0)


class AnyMoment(MovementCase):
    def test_nobody_is_turned_away(self):
        """Whoever connects while the processes are replaced waits, and is served."""
        server = self.start(agencies=1)
        failures = []
        served = [0]
        is_over = threading.Event()

        def connect():
            while not is_over.is_set():
                try:
                    with Peer(server.port) as peer:
                        peer.received()
                        served[0] += 1
                except (Closed, ConnectionResetError, BrokenPipeError):
                    pass  # it was accepted just before its worker ended
                except OSError as error:
                    failures.append(error)
                    return

        threads = [threading.Thread(target=connect) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            before = served[0]
            wait_until(lambda before=before: served[0] > before + 10 or failures, "connections")
            self.reload(server)
        is_over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(server.stop(), 0)

    def test_kills(self):
        """Children are killed while they are replaced, again and again: nothing is lost or doubled."""
        server = self.start(agencies=2, settings={"LOTTERY_DRAW_ID": "a1"})
        server.wait_ready()
        counts = {1: 4000, 2: 4000}
        agencies = [self.agency(i, server.port, self.file_of_bets(i, counts[i]), CLI_DRAW="a1",
                                CLI_BATCH_MAXAMOUNT="10") for i in counts]
        rng = random.Random(12)
        for _ in range(12):
            server.signal(signal.SIGHUP)
            time.sleep(rng.random() * 0.3)  # not for synchronisation: any moment will do
            server.kill_one(rng.choice(["worker", "ledger", "coordinator"]))
        for agency in agencies:
            self.assertEqual(agency.wait(120), 0, agency.output())
        self.assertEqual(server.stop(), 0)
        self.assertGreaterEqual(len(server.lines("recarga", "success")), 1)
        self.assert_complete(server, counts, self.data / "a1")

    def test_the_supervisor_is_killed(self):
        """In the middle of it; the next start goes on with all that was acknowledged."""
        rng = random.Random(7)
        sent = 0
        for _ in range(6):
            server = self.start(agencies=1, settings={"LOTTERY_DRAW_ID": "a1"})
            with Peer(server.port, draw="a1") as peer:
                self.assertEqual(peer.received(), sent)
                self.assertEqual(peer.bets([bet(str(sent + i)) for i in range(5)],
                                           sent).code, pb.ACK_CODE_OK)
            sent += 5
            server.signal(signal.SIGHUP)
            time.sleep(rng.random() * 0.2)  # any moment
            server.kill()
            self.assertEqual((self.data / "current").read_text(), "a1\n")
        server = self.start(agencies=1, settings={"LOTTERY_DRAW_ID": "a1"})
        with Peer(server.port, draw="a1") as peer:
            self.assertEqual(peer.finish(sent), [str(i) for i in range(sent)])
        self.assertEqual(server.stop(), 0)

    def test_a_stop_in_between(self):
        """Whatever it is at, the server ends cleanly, and at once."""
        rng = random.Random(3)
        for _ in range(6):
            server = self.start(agencies=1)
            server.wait_ready()
            server.signal(signal.SIGHUP)
            time.sleep(rng.random() * 0.2)  # any moment
            begin = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - begin, 5)
            self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])
            self.assertEqual(server.lines()[-1].text.split(" action: ")[1], "exit | result: success")

    def test_one_after_the_other(self):
        """A signal that comes while another one is followed is followed after it."""
        server = self.start(agencies=1)
        server.wait_ready()
        server.signal(signal.SIGHUP)
        server.wait_line("close_process", "success", process="worker")
        self.configure(3)
        server.signal(signal.SIGHUP)
        server.wait_line("recarga", "success", count=2)
        self.assertEqual(server.lines("config")[-1].details["agencies"], "3")
        self.assertEqual(server.stop(), 0)

    def test_the_disk_is_gone(self):
        """The folder is moved away while the processes are replaced: the server ends, and says why."""
        server = self.start(agencies=1)
        server.wait_ready()
        with Peer(server.port) as peer:
            peer.bets([bet()])
        pid = server.children()["worker"][0]
        os.kill(pid, signal.SIGSTOP)
        self.data.rename(self.folder / "elsewhere")
        server.signal(signal.SIGHUP)
        self.assertEqual(server.wait(), 1)
        self.assertIn("it was moved: nothing is at its path", server.output())
        (self.folder / "elsewhere").rename(self.data)
        server = self.start(agencies=1)
        with Peer(server.port) as peer:
            self.assertEqual(peer.received(), 1)


class Next(MovementCase):
    """Draws that follow each other, as an operator has them do it."""

    def ctl(self, *arguments, status=0):
        done = subprocess.run([BIN / "lottery-ctl", "--data-dir", self.data, *arguments], text=True,
                              env=environment_with({}), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def ctl_begin(self, *arguments):
        """The same in the background."""
        program = Program("lottery-ctl", ["--data-dir", self.data, *arguments], {}, self.folder)
        self.programs.append(program)
        return program

    def start_first(self, agencies=1, **settings):
        """A server that also takes commands: its coordinator may be there later than its port."""
        server = self.start(agencies, {"LOTTERY_DRAW": "manual", "LOTTERY_DRAW_ID": "d0", **settings})
        self.assertGreater(server.port, 0)
        status = [BIN / "lottery-ctl", "--data-dir", self.data, "status"]
        wait_until(lambda: subprocess.run(status, capture_output=True, timeout=60,
                                          env=environment_with({})).returncode == 0, "commands")
        return server

    def current(self):
        return (self.data / "current").read_text().strip()

    def hold(self, server, draw):
        """One bet, the closing, the number."""
        with Peer(server.port, draw=draw) as peer:
            self.assertEqual(peer.bets([bet(draw)]).code, pb.ACK_CODE_OK)
        self.ctl("close")
        self.ctl("draw", "7574")

    def assert_told(self, server, draws):
        """The winners of these draws, as ever."""
        for draw in draws:
            with Peer(server.port, draw=draw) as peer:
                self.assertEqual(peer.finish(1), [draw])

    def test_other_settings(self):
        """The next draw has what the file says then, and the closing time that comes with it."""
        server = self.start_first()
        self.hold(server, "d0")
        self.configure(3, LOTTERY_DRAW="manual", LOTTERY_SEAL="no")
        self.ctl("next", "d1", "--close-at", "2199-01-01T00:00:00Z")
        line = server.wait_line("siguiente_sorteo", "success")
        self.assertEqual(line.details, {"sorteo": "d1", "uid": str(os.getuid())})
        with Peer(server.port, 3, draw="d1") as peer:
            self.assertEqual(peer.bets([bet("x")]).code, pb.ACK_CODE_OK)
        self.assert_told(server, ["d0"])
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.lines("listen")), 1)
        self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])
        checked = self.check(self.data)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertIn("in force: d1\n", checked.stdout)
        self.assertIn("3 agencies", checked.stdout)
        self.assertIn("without a seal", checked.stdout)
        self.assertIn("2199-01-01T00:00:00Z", checked.stdout)
        self.assertIn("1 agencies", self.check(self.data / "d0").stdout)

    def test_refused(self):
        """What is wrong leaves all as it was."""
        server = self.start_first()
        self.assertIn("not drawn yet", self.ctl("next", "d1", status=1))
        self.assertIn("this is the draw in force", self.ctl("next", "d0", status=1))
        self.hold(server, "d0")
        children, files = server.children(), open_files_of(server.process.pid)
        self.assertIn("closing time has passed",
                      self.ctl("next", "d1", "--close-at", "2001-01-01T00:00:00Z", status=1))
        self.config.write_text("[DEFAULT]\nLOTTERY_AGENCIES = many\n")
        self.assertIn("config.ini:2: LOTTERY_AGENCIES", self.ctl("next", "d1", status=1))
        self.configure(1, LOTTERY_DRAW="manual")
        (self.data / "d2").mkdir()
        (self.data / "d2" / "bets.csv").write_text("1,Ana,Paz,1,1999-03-17,7574\r\n")
        self.assertIn("it has a draw already: choose another id", self.ctl("next", "d2", status=1))
        (self.data / "d3").symlink_to(self.folder)
        self.assertIn("a symbolic link", self.ctl("next", "d3", status=1))
        self.assertEqual(server.children(), children)
        self.assertEqual(open_files_of(server.process.pid), files)
        self.assertEqual(self.current(), "d0")
        self.assertFalse((self.data / "d1").exists())
        self.assert_told(server, ["d0"])
        self.assertEqual(server.stop(), 0)

    def test_nobody_is_turned_away(self):
        """Whoever connects while the server goes on to the next draw waits, and is told about it."""
        server = self.start_first()
        failures = []
        seen = set()
        is_over = threading.Event()

        def connect():
            while not is_over.is_set():
                try:
                    with Peer(server.port, draw="nothing") as peer:
                        seen.add(peer.bets([]).detail)
                except (Closed, ConnectionResetError, BrokenPipeError):
                    pass  # it was accepted just before its worker ended
                except OSError as error:
                    failures.append(error)

        thread = threading.Thread(target=connect)
        thread.start()
        for i in range(3):
            self.hold(server, f"d{i}")
            self.ctl("next", f"d{i + 1}")
            wait_until(lambda i=i: failures or any(f"draw d{i + 1}:" in text for text in seen),
                       "answers about the next draw")
        is_over.set()
        thread.join()
        self.assertEqual(failures, [])
        self.assert_told(server, ["d0", "d1", "d2"])
        self.assertEqual(server.stop(), 0)

    def test_the_supervisor_is_killed(self):
        """At any moment: the draw before is in force, or the next one; what was drawn stays drawn."""
        rng = random.Random(5)
        server = self.start_first()
        draws = ["d0"]
        for i in range(8):
            self.hold(server, draws[-1])
            self.assertEqual(self.current(), draws[-1])
            begun = self.ctl_begin("next", f"d{i + 1}")
            time.sleep(rng.random() * 0.5)  # any moment
            server.kill()
            begun.kill()
            server = self.start_first()
            self.assertIn(self.current(), (draws[-1], f"d{i + 1}"))
            if self.current() == draws[-1]:
                self.assert_told(server, draws)
                self.ctl("next", f"d{i + 1}")
            draws.append(f"d{i + 1}")
            with Peer(server.port, draw=draws[-1]) as peer:
                self.assertEqual(peer.received(), 0)
        self.assert_told(server, draws[:-1])
        self.assertEqual(server.stop(), 0)
        for draw in draws:
            self.assertEqual(self.check(self.data / draw).returncode, 0)

    def test_children_are_killed(self):
        """It goes on to the next draw, or stays, and can be told again."""
        rng = random.Random(6)
        server = self.start_first()
        draws = ["d0"]
        for i in range(4):
            self.hold(server, draws[-1])
            tries = 0
            while self.current() == draws[-1]:
                tries += 1
                self.assertLess(tries, 10)
                begun = self.ctl_begin("next", f"d{i + 1}")
                for _ in range(2):
                    time.sleep(rng.random() * 0.2)  # any moment
                    server.kill_one(rng.choice(["worker", "ledger", "coordinator"]))
                begun.wait()
            draws.append(f"d{i + 1}")
            wait_until(lambda draw=draws[-1]: f'"{draw}"' in self.status(), "the next draw")
        self.assert_told(server, draws[:-1])
        self.assertEqual(server.stop(), 0)

    def status(self):
        """What `status` says, or nothing while there is nobody to say it."""
        done = subprocess.run([BIN / "lottery-ctl", "--data-dir", self.data, "status", "--json"],
                              text=True, env=environment_with({}), capture_output=True, timeout=60)
        return done.stdout


if __name__ == "__main__":
    main()
