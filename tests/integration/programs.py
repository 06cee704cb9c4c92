"""Starts the two programs for tests: on a free port, each test in a folder of its own.

Every process is stopped by its pid, whatever happens. LOTTERY_BIN says where the programs are.
"""
import contextlib
import csv
import datetime
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("LOTTERY_BIN", ROOT / "build" / "bin")).resolve()
LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d |<(?P<priority>\d)>)"
                  r"(?P<level>DEBUG   |INFO    |WARNING |ERROR   |CRITICAL) "
                  r"action: (?P<action>\w+) \| result: (?P<result>success|fail|in_progress)"
                  r"(?P<details>( \| [^|:]+: [^|]*)*)$")
# What no line may contain, whatever a peer sends: bytes that are not UTF-8 (they are read as U+FFFD),
# controls, line separators, marks of direction, a byte order mark.
UNSAFE = re.compile("[\ufffd\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
SANITIZER = re.compile(r"Sanitizer|runtime error")


def read_original(path):
    """Reads bets.csv as the original exercise does; every row must load."""
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            yield (int(row[0]), row[1], row[2], row[3], datetime.date.fromisoformat(row[4]),
                   int(row[5]))


def main():
    """Runs the calling script's tests. When all were skipped, the status is 77, as ctest wants it."""
    result = unittest.main(exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if len(result.skipped) == result.testsRun else 0)


class Line:
    """A log line and its parts. `form` is text, json or journal."""

    def __init__(self, text):
        self.text = text
        if text.startswith("{"):
            self._read_json()
            return
        match = LINE.match(text)
        if match is None:
            raise AssertionError(f"not a log line: {text!r}")
        self.form = "journal" if match["priority"] else "text"
        self.priority = match["priority"]
        self.level = match["level"].rstrip()
        self.action = match["action"]
        self.result = match["result"]
        self.details = dict(part.split(": ", 1)
                            for part in match["details"].split(" | ") if part)

    def _read_json(self):
        """`values` are the details as they stand there, numbers and strings; in `details` all are
        strings, as in text."""
        pairs = json.loads(self.text, object_pairs_hook=list)
        self.form = "json"
        self.values = dict(pairs)
        if [key for key, _ in pairs[:4]] != ["time", "level", "action", "result"] or \
                len(self.values) < len(pairs):
            raise AssertionError(f"not a log line: {self.text!r}")
        self.time = self.values.pop("time")
        self.level = self.values.pop("level")
        self.action = self.values.pop("action")
        self.result = self.values.pop("result")
        self.details = {key: str(value) for key, value in self.values.items()}

    def is_about(self, action, result=None, **details):
        return (self.action == action and result in (None, self.result) and
                all(self.details.get(key) == str(value) for key, value in details.items()))


def wait_until(condition, what, seconds=30, pause=0.01):
    """Waits until the condition is true, for at most this many seconds; returns its value. It is looked
    at again after each pause; without one, at once."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        if pause > 0:
            time.sleep(pause)


def environment_with(settings):
    """Our environment, with these settings of the two programs and no others. One that is None is not in
    it."""
    keep = {key: value for key, value in os.environ.items()
            if not key.startswith(("SERVER_", "LOTTERY_", "LOGGING_", "LOG_", "TLS_", "CLI_"))}
    return {**keep, **{key: value for key, value in settings.items() if value is not None}}


def available_cpus():
    """How many workers a server has by itself: the cores that it may run on, or fewer if it has a
    quota."""
    cpus = len(os.sched_getaffinity(0))
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers != "" and "cpu" not in controllers.split(","):
            continue
        mounts = ["", "unified"] if controllers == "" else ["cpu", controllers]
        for mount in mounts:
            folder = pathlib.Path("/sys/fs/cgroup") / mount
            parts = [part for part in group.split("/") if part]
            for depth in range(len(parts) + 1):
                cpus = min(cpus, _quota(folder.joinpath(*parts[:depth]), cpus))
    return cpus


def _quota(folder, cpus):
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return cpus if quota == "max" or int(quota) <= 0 else max(1, -(-int(quota) // int(period)))
    except OSError:
        return cpus


def children_of(pid):
    """The pids of the processes that a process has forked and not reaped."""
    try:
        return [int(child) for child in
                pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def open_files_of(pid):
    """What the process's descriptors are open on. One may be closed while we look."""
    names = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.add(os.readlink(fd))
    return names


def connections_of(pid, states=("01",)):
    """How many TCP connections a process holds, by the kernel's tables. `states` are the kernel's
    (01: established); None means any."""
    inodes = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if states is None or fields[3] in states:
            inodes.add(fields[9])
    count = 0
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except FileNotFoundError:
            continue
        count += target.startswith("socket:[") and target[8:-1] in inodes
    return count


class Program:
    """A running program whose output is read as it comes."""

    def __init__(self, name, arguments, environment, folder, launcher=()):
        """`launcher` is a command that becomes the program, such as nice."""
        self.name = name
        self.texts = []
        self.errors = ""
        self.process = subprocess.Popen([*launcher, BIN / name, *arguments], cwd=folder, text=True,
                                        env=environment_with(environment),
                                        stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        errors="replace")
        self.readers = [threading.Thread(target=self._read_lines),
                        threading.Thread(target=self._read_errors)]
        for reader in self.readers:
            reader.start()

    def _read_lines(self):
        for text in self.process.stdout:
            self.texts.append(text.rstrip("\n"))

    def _read_errors(self):
        self.errors = self.process.stderr.read()

    def lines(self, action=None, result=None, **details):
        lines = [Line(text) for text in list(self.texts)]
        return [line for line in lines
                if action is None or line.is_about(action, result, **details)]

    def wait_line(self, action, result=None, count=1, seconds=30, **details):
        """Waits for the count-th line of this kind and returns it."""
        def found():
            lines = self.lines(action, result, **details)
            if len(lines) < count and self.process.poll() is not None:
                self._join()
                lines = self.lines(action, result, **details)
                if len(lines) < count:
                    raise AssertionError(f"{self.name} ended without {action}: {self.output()}")
            return lines[count - 1] if len(lines) >= count else None
        return wait_until(found, f"{action} {result} {details} in {self.texts[-20:]}", seconds)

    def _join(self):
        for reader in self.readers:
            reader.join()

    def output(self):
        return "\n".join(self.texts) + "\n" + self.errors

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=60):
        """Waits for the end and returns the exit status."""
        self.process.wait(timeout=seconds)
        self._join()
        if SANITIZER.search(self.output()):
            raise AssertionError(self.output())
        return self.process.returncode

    def stop(self, seconds=20):
        """Sends SIGTERM and returns the exit status."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        """Ends it at once, in whatever state it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._join()
        self.process.stdout.close()
        self.process.stderr.close()


class Server(Program):
    """A lottery-server on a port of its own."""

    def __init__(self, folder, agencies=5, port=0, level="INFO", mode="lottery", workers=2,
                 launcher=(), arguments=(), **environment):
        """A setting that is None is not in the environment."""
        settings = {
            "SERVER_PORT": str(port), "SERVER_IP": "127.0.0.1", "SERVER_LISTEN_BACKLOG": "1024",
            "LOTTERY_AGENCIES": str(agencies), "LOGGING_LEVEL": level, "SERVER_MODE": mode,
            "SERVER_WORKERS": str(workers), "LOTTERY_DATA_DIR": str(folder),
            # LeakSanitizer's own tracer can hang at the exit of a process that has just joined a
            # thread, until the supervisor kills it. The unit tests look for leaks.
            "ASAN_OPTIONS": "detect_leaks=0", **environment,
        }
        settings = {key: value for key, value in settings.items() if value is not None}
        super().__init__("lottery-server", arguments, settings, folder, launcher)
        self.folder = pathlib.Path(folder)
        self.roles = {"worker": workers or available_cpus(),  # how many processes of each
                      "coordinator": int(mode == "lottery"), "ledger": int(mode == "lottery")}
        if settings.get("SERVER_HTTP_ADDRESS"):
            self.roles["observer"] = 1
        try:
            self.port = int(self.wait_line("listen", "success").details["port"])
        except BaseException:
            self.kill()  # nobody else can: there is no object yet
            raise

    def children(self):
        """The pids of its processes, by role: {'worker': [...], 'ledger': [...], ...}. The level has
        to be DEBUG."""
        roles = {role: [] for role in self.roles}
        for line in self.lines("start_process", "success"):
            roles[line.details["process"]].append(int(line.details["pid"]))
        return {role: [pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists()]
                for role, pids in roles.items()}

    def http_port(self):
        """Where its observer answers."""
        return int(self.lines("http_listen", "success")[0].details["port"])

    def kill_one(self, role):
        """SIGKILL to a process of this role, the last one that was started. Returns whether there was
        one: after the last kill the next may not have been started yet."""
        pids = self.children()[role]
        try:
            if pids:
                os.kill(pids[-1], signal.SIGKILL)
        except ProcessLookupError:
            return False
        return bool(pids)

    def wait_ready(self):
        """Waits until all processes have started and every worker accepts. The level has to be DEBUG.
        Call it before the first connection: after each one a worker logs again that it accepts."""
        self.wait_line("start_process", "success", count=sum(self.roles.values()))
        self.wait_line("accept_connections", "in_progress", count=self.roles["worker"])

    def bets(self):
        """The rows of bets.csv, as bytes without line ends."""
        data = (self.folder / "bets.csv").read_bytes()
        assert data == b"" or data.endswith(b"\r\n")
        return data.split(b"\r\n")[:-1]


class TerminalAgency:
    """An agency on a terminal of its own; nothing is in its environment but these settings."""

    def __init__(self, folder, port, file, **settings):
        self.seen = b""
        self.master, terminal = pty.openpty()
        try:
            self.process = subprocess.Popen(
                [BIN / "lottery-agency"], cwd=folder, start_new_session=True,
                stdin=terminal, stdout=terminal, stderr=terminal,
                env={"CLI_ID": "1", "CLI_SERVER_ADDRESS": f"127.0.0.1:{port}",
                     "CLI_BETS_FILE": str(file), **settings})
        except OSError:
            os.close(self.master)
            raise
        finally:
            os.close(terminal)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def shows(self, text):
        """Whether this has been on the terminal."""
        if select.select([self.master], [], [], 0)[0]:
            with contextlib.suppress(OSError):  # the agency has ended, and all is read
                self.seen += os.read(self.master, 65536)
        return text in self.seen


class Case(unittest.TestCase):
    """A test with a folder; its programs end with it."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lottery-test-"))
        self.programs = []

    def tearDown(self):
        for program in self.programs:
            program.kill()
            if SANITIZER.search(program.output()):
                self.fail(program.output())
            self.assertEqual([text for text in program.texts if UNSAFE.search(text)], [])
        shutil.rmtree(self.folder)

    def server(self, *arguments, folder=None, **settings):
        folder = folder or self.folder.joinpath("data")
        folder.mkdir(exist_ok=True)
        server = Server(folder, *arguments, **settings)
        self.programs.append(server)
        return server

    def agency(self, agency, port, file=None, mode="lottery", level="INFO", **environment):
        settings = {"CLI_ID": str(agency), "CLI_SERVER_ADDRESS": f"127.0.0.1:{port}",
                    "CLI_MODE": mode, "CLI_LOG_LEVEL": level, **environment}
        if file is not None:
            settings["CLI_BETS_FILE"] = str(file)
        settings = {key: value for key, value in settings.items() if value is not None}
        program = Program("lottery-agency", [], settings, self.folder)
        self.programs.append(program)
        return program
