"""docs/ejercicios.md: its commands run as they are, and the files and functions it names exist.

A block marked `sh` has to succeed, and the block marked `text` that follows it has lines that its output
must contain; `…` in them stands for anything. A block marked `sh rompe` breaks something: without its
`sed` its commands succeed, and with it all do but the last, which is the test that finds it.
"""
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from engine import ROOT, docker

GUIDE = ROOT / "docs" / "ejercicios.md"
COMPOSE = "docker-compose-dev.yaml"
BLOCK = re.compile(r"^```(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)
SECTION = re.compile(r"^(#{1,2}) (.*)$", re.MULTILINE)
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)+|[\w-]+\.(?:sh|md|py|[ch]))`")
SECONDS = 900


def sections():
    """Title to the section's text, up to the next title of the two upper levels."""
    text = GUIDE.read_text(encoding="utf-8")
    # A comment within a block begins with # as well.
    outside = BLOCK.sub(lambda match: re.sub(r"[^\n]", "x", match[0]), text)
    titles = list(SECTION.finditer(outside))
    ends = [title.start() for title in titles[1:]] + [len(text)]
    return {title[2]: text[title.end():end] for title, end in zip(titles, ends)}


def blocks(text):
    return [(match[1], match[2]) for match in BLOCK.finditer(text)]


def as_pattern(line):
    return ".*".join(re.escape(part) for part in line.split("…"))


class Names(unittest.TestCase):
    def test_paths(self):
        """Every file that the guide names is there."""
        text = BLOCK.sub("", GUIDE.read_text(encoding="utf-8"))
        paths = set(PATH.findall(text))
        self.assertGreater(len(paths), 40)
        self.assertEqual([], sorted(path for path in paths if not (ROOT / path).exists()))

    def test_edits(self):
        """Each edit that breaks something still finds its place; the last word is its file."""
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "copy"
            for text in sections().values():
                for line in (line for kind, block in blocks(text) if kind == "sh rompe"
                             for line in block.splitlines() if line.startswith("sed -i ")):
                    edit, file = line.rsplit(" ", 1)
                    with self.subTest(line):
                        shutil.copy(ROOT / file, copy)
                        subprocess.run(f"{edit} {copy}", shell=True, check=True)
                        self.assertNotEqual((ROOT / file).read_bytes(), copy.read_bytes())

    def test_functions(self):
        """The functions that replace the assignment's are declared where the guide says."""
        rows = re.findall(r"^\| .* \| (`.*)$", sections()["Preparación"], re.MULTILINE)
        self.assertEqual(4, len(rows))
        for row in rows:
            names = re.findall(r"`(\w+)`", row)
            header = (ROOT / re.search(r"`(server/[\w/]+\.h)`", row)[1]).read_text()
            for name in names:
                self.assertRegex(header, rf"\b{name}\(")

    def test_exercises(self):
        """Eight, each with commands, expected lines, files to read, and two things to break at least."""
        found = sections()
        for number in range(1, 9):
            text = found[f"Ejercicio {number}"]
            kinds = [kind for kind, _ in blocks(text)]
            self.assertEqual(["sh", "text"], kinds[:2])
            self.assertGreaterEqual(kinds.count("sh rompe"), 2)
            self.assertIn("**Qué leer**", text)


class Guide(unittest.TestCase):
    """On a copy of the project, with a git history of one commit."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="lottery-guide-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.folder.chmod(0o755)
        cls.root = cls.folder / "project"
        shutil.copytree(ROOT, cls.root, ignore=shutil.ignore_patterns(
            ".git", "build*", "*.csv", "*.zip", "__pycache__", COMPOSE))
        for command in (("init", "-q", "-b", "main"), ("add", "--all"),
                        ("-c", "user.name=guide", "-c", "user.email=guide@localhost", "commit", "-q",
                         "-m", "guide")):
            subprocess.run(["git", "-C", cls.root, *command], check=True)
        cls.addClassCleanup(cls.run_in, f"[ ! -e {COMPOSE} ] || docker compose -f {COMPOSE} down -v")
        cls("test_exercise_1").run_section("Preparación")

    @classmethod
    def run_in(cls, script):
        """Status and output of a bash script that ends with its first failure."""
        done = subprocess.run(["bash", "-e", "-c", script], cwd=cls.root, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                              errors="replace", timeout=SECONDS, check=False)
        return done.returncode, done.stdout

    def assert_runs(self, script):
        status, output = self.run_in(script)
        self.assertEqual(0, status, f"{script}\n{output}")
        return output

    def assert_breaks(self, script):
        *before, last = script.strip().split("\n")
        edits = [line for line in before if line.startswith("sed ")]
        self.assertTrue(edits, script)
        self.assert_runs("\n".join(line for line in (*before, last) if line not in edits))
        try:
            self.assert_runs("\n".join(before))
            status, output = self.run_in("git diff --quiet")
            self.assertEqual(1, status, f"nothing was changed: {edits}{output}")
            status, output = self.run_in(last)
            self.assertNotEqual(0, status, f"nobody noticed {edits}:\n{output}")
        finally:
            self.run_in("git checkout -q .")

    def run_section(self, title):
        output = None
        for kind, text in blocks(sections()[title]):
            if kind == "sh":
                output = self.assert_runs(text)
            elif kind == "sh rompe":
                with self.subTest(text.split("\n", 1)[0]):
                    self.assert_breaks(text)
            elif kind == "text":
                for line in text.splitlines():
                    self.assertRegex(output, as_pattern(line))
            else:
                self.fail(f"a block of an unknown kind: {kind}")

    def tearDown(self):
        self.assertEqual("", docker("ps", "--all", "--quiet", "--filter", "name=^server$"))


for _number in range(1, 9):
    def _test(self, number=_number):
        self.run_section(f"Ejercicio {number}")
    setattr(Guide, f"test_exercise_{_number}", _test)
