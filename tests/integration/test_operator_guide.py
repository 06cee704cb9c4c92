"""The commands in docs/operator.md and docs/operations.md, and those in docs/identity.md, run as they
are, and print what is shown.

A block marked `sh` has to succeed, in one shell with those before; one marked `sh fails` ends with a
command that has status 1. The block marked `text` that follows has lines that its output must
contain, in this order; `…` in them stands for anything. What differs each time, such as roots and
keys, has to be what it was where the documents show the same one again.
"""
import os
import re
import selectors
import shlex
import signal
import socket
import subprocess
import time
import unittest

from programs import BIN, ROOT, SANITIZER, Case, environment_with

DAY = ("operator.md", "operations.md")  # the second goes on where the first ends
IDENTITY = ("identity.md",)
BLOCK = re.compile(r"^```(.+)\n((?:.*\n)*?)^```$", re.MULTILINE)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
# What each run makes again: keys, roots, the operator's user.
MADE = re.compile(r"lottery\+[0-9a-f]{8}\+[\w+/]+|[\w+/]{43}=|(?<=user )1000|(?<=uid )1000")
KINDS = (r"lottery\+[0-9a-f]{8}\+[\w+/]+", r"[\w+/]{43}=", r"\d+")
# Commands that only look: they are repeated until they see what they should.
QUESTION = re.compile(r"grep |tail |cat |lottery-ctl (status|agencies)$")
SECONDS = 30
PAUSE = 0.05  # seconds between two looks
CLOSES_SOON = 8  # seconds, where the document has a minute


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def steps(guides):
    """(commands, whether the last one fails, lines of output) of all blocks, in their order."""
    found = []
    for guide in (ROOT / "docs" / name for name in guides):
        for kind, text in BLOCK.findall(guide.read_text(encoding="utf-8")):
            if kind == "text":
                found[-1][2].extend(text.splitlines())
            else:
                assert kind in ("sh", "sh fails"), f"{guide}: a block of an unknown kind: {kind}"
                found.append((text, kind == "sh fails", []))
    return found


class Shell:
    """A bash with a session of its own, in which all commands run."""

    END = "end of the block"

    def __init__(self, settings):
        self.process = subprocess.Popen(
            ["bash"], cwd=ROOT, start_new_session=True, env=environment_with(settings),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.seen = b""
        self.run("trap 'failed=$?' ERR")

    def run(self, script):
        """Status of the last command that failed, or 0, and the output."""
        self.process.stdin.write(f"failed=0\n{{\n{script}\n}} < /dev/null\n"
                                 f"echo \"{self.END}: $failed\"\n".encode())
        self.process.stdin.flush()
        end = re.compile(rf"{self.END}: (\d+)\n".encode())
        deadline = time.monotonic() + SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not (found := end.search(self.seen)):
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise AssertionError(f"no end within {SECONDS} s: {script}\n{self.seen}")
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    raise AssertionError(f"the shell ended: {script}\n{self.seen}")
                self.seen += data
        output, self.seen = self.seen[:found.start()], self.seen[found.end():]
        return int(found[1]), output.decode()

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class OperatorGuide(Case):
    def setUp(self):
        super().setUp()
        self.made = {"1000": str(os.getuid())}  # in the documents -> here
        self.port = str(free_port())
        self.shell = Shell({"SERVER_IP": "127.0.0.1", "SERVER_PORT": self.port,
                            "ASAN_OPTIONS": "detect_leaks=0", "LC_ALL": "C.UTF-8",
                            "PYTHONDONTWRITEBYTECODE": "1"})

    def tearDown(self):
        self.shell.kill()  # first: its programs write into the folder
        super().tearDown()

    def as_here(self, text):
        """The commands with our folder, programs and port, and with what was made in this run."""
        text = text.replace("/tmp/day", str(self.folder)).replace(":12345", f":{self.port}")
        text = text.replace("$PWD/build/bin", shlex.quote(str(BIN)))
        text = text.replace("date -d '1 minute'", f"date -d '{CLOSES_SOON} seconds'")
        return MADE.sub(lambda found: self.made.get(found[0], found[0]), text)

    def as_pattern(self, line):
        """The line as a regular expression, and what the documents call its groups."""
        names, pattern, at = [], "", 0
        line = line.replace("/tmp/day", str(self.folder))
        for found in re.finditer(rf"…|{TIME.pattern}|{MADE.pattern}", line):
            pattern += re.escape(line[at:found.start()])
            at = found.end()
            if found[0] == "…":
                pattern += ".*"
            elif TIME.fullmatch(found[0]):
                pattern += TIME.pattern
            elif found[0] in self.made:
                pattern += re.escape(self.made[found[0]])
            else:
                kind = next(kind for kind in KINDS if re.fullmatch(kind, found[0]))
                pattern += f"({kind})"
                names.append(found[0])
        return f"^{pattern}{re.escape(line[at:])}$", names

    def find_lines(self, lines, output):
        """The first of the lines that the output does not have; None: it has all."""
        rest = output.splitlines()
        learnt = {}
        for line in lines:
            pattern, names = self.as_pattern(line)
            while rest and not (found := re.search(pattern, rest[0])):
                del rest[0]
            if not rest:
                return line
            learnt.update(zip(names, found.groups()))
            del rest[0]
        self.made.update(learnt)
        return None

    def run_step(self, commands, fails, lines):
        script = "\n".join(line for line in commands.splitlines() if line != "make build")
        is_question = all(QUESTION.match(line) for line in script.splitlines())
        script = self.as_here(script)
        deadline = time.monotonic() + SECONDS
        while True:
            status, output = self.shell.run(script)
            missing = self.find_lines(lines, output)
            if status == int(fails) and missing is None:
                return
            if not is_question or time.monotonic() > deadline:
                logs = "\n".join(f"{log}:\n{log.read_text(encoding='utf-8')}"
                                 for log in self.folder.glob("*.log"))
                self.fail(f"{script}\nended with {status}, without this line: {missing}\n{output}\n"
                          f"{logs}")
            time.sleep(PAUSE)

    def run_steps(self, guides, least):
        found = steps(guides)
        self.assertGreater(len(found), least)
        for commands, fails, lines in found:
            self.run_step(commands, fails, lines)
        for log in self.folder.rglob("*.log"):
            self.assertIsNone(SANITIZER.search(log.read_text(encoding="utf-8")), log)

    def test_the_day(self):
        self.run_steps(DAY, 20)

    def test_identity(self):
        self.run_steps(IDENTITY, 10)


if __name__ == "__main__":
    unittest.main()
