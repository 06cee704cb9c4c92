"""tests/e2e/course_tests.py with tests of its own in the place of the course's."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from engine import ROOT, docker, run

FILTER = ROOT / "tests" / "e2e" / "compose_logs.py"

# Like the course's: they are told the clone's path, change its branches, and read Compose's lines.
TESTS = '''
import os
import subprocess


def sh(command):
    done = subprocess.run(["bash", "-ec", command], cwd=os.environ["REPO_PATH"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_environment():
    assert not [name for name in os.environ if name.startswith(("LOTTERY_", "CLI_"))]


def test_branches():
    for number in range(1, 9):
        sh(f"git checkout -q . && git clean -fdq && git switch -q ej{number}")
        assert os.path.isdir(os.path.join(os.environ["REPO_PATH"], ".data"))
        sh("bash generar-compose.sh docker-compose-dev.yaml 1")
        text = open(os.path.join(os.environ["REPO_PATH"], "docker-compose-dev.yaml")).read()
        mode = "echo" if number < 5 else "bet" if number == 5 else "lottery"
        assert f"CLI_MODE: {mode}\\n" in text
        assert ("CLI_START_DELAY: 3s\\n" in text) == (number > 5)


def test_log_lines_begin_with_the_service():
    sh("git switch -q ej1 && bash generar-compose.sh docker-compose-dev.yaml 0")
    sh("docker compose -f docker-compose-dev.yaml up -d")
    lines = sh("docker compose -f docker-compose-dev.yaml logs").splitlines()
    sh("docker compose -f docker-compose-dev.yaml down")
    assert lines
    assert all(line.startswith("server ") for line in lines), lines


def test_it_fails():
    assert "FAIL" not in os.environ.get("COURSE_TEST", "")
'''


class Order(unittest.TestCase):
    def test_lines_by_their_time(self):
        """What came late leaves in its place; what has no time is Compose's own and of now; nothing
        is lost, also at the end without a line end."""
        stamp = "2026-01-01T00:00:0{}Z"
        given = [f"\x1b[2Kclient1  | {stamp.format('2.000000001')} b | c\n",
                 "client1 exited with code 0\n", f"client2  | {stamp.format('2')} °\n",
                 f"server   | {stamp.format('1.5')} a\n", f"server   | {stamp.format('3.1')} last"]
        done = subprocess.run(["/usr/bin/python3", "-B", FILTER], input="".join(given),
                              capture_output=True, encoding="utf-8", timeout=60)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual("server   | a\nclient2  | °\nclient1  | b | c\nserver   | last"
                         "client1 exited with code 0\n", done.stdout)

    def test_the_server_goes_first(self):
        """By half a second, and not by more; its own lines keep their order."""
        stamp = "2026-01-01T00:00:0{}Z"
        given = (f"client1  | {stamp.format('1.0')} won\nserver   | {stamp.format('1.3')} bets\n"
                 f"server   | {stamp.format('1.4')} drawn\nserver   | {stamp.format('1.6')} later\n")
        done = subprocess.run(["/usr/bin/python3", "-B", FILTER], input=given, capture_output=True,
                              encoding="utf-8", timeout=60)
        self.assertEqual("server   | bets\nserver   | drawn\nclient1  | won\nserver   | later\n",
                         done.stdout)

    def test_follows(self):
        """A line leaves soon after it came, while more may come."""
        with subprocess.Popen(["/usr/bin/python3", "-B", FILTER], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            for text in (b"one\n", b"two\n"):
                process.stdin.write(text)
                process.stdin.flush()
                self.assertEqual(text, process.stdout.readline())
            process.stdin.close()
            self.assertEqual(0, process.wait(timeout=60))


class CourseTests(unittest.TestCase):
    def setUp(self):
        top = run("git", "-C", ROOT, "rev-parse", "--show-toplevel", check=False).stdout.strip()
        if top != str(ROOT):
            self.skipTest("this is no git clone")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lottery-course-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "test_ej1.py").write_text(TESTS)

    def course_tests(self, *options, **environment):
        done = subprocess.run(
            ["/usr/bin/python3", "-B", ROOT / "tests" / "e2e" / "course_tests.py", *options],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.folder),
                 "LOTTERY_MODE": "bet", "CLI_ID": "7", **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=900)
        return done.returncode, done.stdout

    def test_passes_and_fails(self):
        """On clones of the last commit: nothing here changes, whatever the tests do to their clone;
        a failed test is a failure."""
        before = run("git", "-C", ROOT, "for-each-ref").stdout
        status, output = self.course_tests(self.folder)
        self.assertEqual((0, True), (status, "4 passed" in output), output)
        status, output = self.course_tests(self.folder, "-k", "fails", COURSE_TEST="FAIL")
        self.assertEqual((1, True), (status, "1 failed" in output), output)
        self.assertEqual(before, run("git", "-C", ROOT, "for-each-ref").stdout)
        self.assertEqual(["test_ej1.py"], [path.name for path in self.folder.iterdir()])

    def test_foreign_containers_are_in_the_way(self):
        """They would be stopped and removed, so nothing is run."""
        docker("create", "--name", "somebody-elses", "debian:bookworm-slim", "true")
        self.addCleanup(docker, "rm", "somebody-elses")
        status, output = self.course_tests(self.folder)
        self.assertEqual(2, status, output)
        self.assertIn("somebody-elses", output)
        self.assertNotIn("passed", output)

    def test_stand_in_for_python(self):
        """An image that no registry has exists during the tests, and is removed afterwards."""
        (self.folder / "stack.yaml").write_text("services:\n  x:\n    image: python:0.0-none\n")
        (self.folder / "test_ej1.py").write_text(
            "import subprocess\n\n\ndef test_python():\n"
            "    assert subprocess.run(['docker', 'run', '--rm', 'python:0.0-none', 'python3', '-c',"
            " 'print(1)']).returncode == 0\n")
        status, output = self.course_tests(self.folder)
        self.assertEqual((0, True), (status, "1 passed" in output), output)
        self.assertNotIn("python:0.0-none",
                         docker("images", "--format", "{{.Repository}}:{{.Tag}}").split())

    def test_bad_arguments(self):
        """No folder, or one without tests."""
        empty = self.folder / "empty"
        empty.mkdir()
        for arguments, reason in (((), "DIR"), (("",), "no DIR"), ((empty,), "no test_*.py"),
                                  ((self.folder / "none",), "no test_*.py")):
            status, output = self.course_tests(*arguments)
            self.assertEqual(2, status, output)
            self.assertIn(reason, output)

    def test_no_python_for_them(self):
        """If no Python understands the tests, the error has the line that it does not understand."""
        (self.folder / "test_ej1.py").write_text("this is no Python\n")
        status, output = self.course_tests(self.folder)
        self.assertEqual(2, status, output)
        self.assertIn("SyntaxError", output)
