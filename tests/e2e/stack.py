"""A copy of the project and the containers that are made from it, for one test."""
import pathlib
import shutil
import sys
import tempfile
import unittest

from engine import ROOT, docker, run

sys.path.insert(0, str(ROOT / "tests" / "integration"))
from programs import Line, wait_until  # noqa: E402

COMPOSE = "docker-compose-dev.yaml"
NETWORK = "tp0_testing_net"
SECONDS = 120


class Stack:
    """The settings files and the data are the copy's own: a test may write them."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lottery-e2e-"))
        self.root = self.folder / "project"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns(
            ".git", "build*", ".data", "certs", "tests", "__pycache__", COMPOSE))
        (self.root / "compose" / "defaults").unlink()  # it differs by branch
        self.folder.chmod(0o755)

    def remove(self):
        """Its containers, network and volumes, and the copy."""
        try:
            if (self.root / COMPOSE).exists():
                self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
        finally:
            shutil.rmtree(self.folder)

    def run(self, *command, **options):
        return run(*command, cwd=self.root, **options)

    def compose(self, *arguments, **options):
        return self.run("docker", "compose", "-f", COMPOSE, *arguments, **options).stdout

    def generate(self, agencies, *options):
        self.run("./generar-compose.sh", COMPOSE, agencies, *options)

    def write_settings(self, server, client):
        """Both files, from the lines of config.ini and the text of config.yaml."""
        (self.root / "server" / "config.ini").write_text("[DEFAULT]\n" + server)
        (self.root / "client" / "config.yaml").write_text(client)

    def make_data(self, *options):
        self.run("tools/gen-dataset.py", "--seed", "1", "--out", ".data", *options)
        return sorted((self.root / ".data").iterdir())


def lines(container, action=None, result=None, **details):
    """The container's log lines; whatever it printed must be one."""
    texts = docker("logs", container).splitlines()
    found = [Line(text) for text in texts]
    return [line for line in found if action is None or line.is_about(action, result, **details)]


def wait_line(container, action, result=None, count=1, **details):
    """Waits for the count-th such line and returns it."""
    def found():
        matching = lines(container, action, result, **details)
        return matching[count - 1] if len(matching) >= count else None
    return wait_until(found, f"{action} {result} {details} of {container}", SECONDS)


def exit_status(container):
    """Waits for the container's end."""
    return int(docker("wait", container, seconds=SECONDS))


def state(container, field):
    return docker("inspect", "--format", "{{.State." + field + "}}", container).strip()


def server_file(name):
    """A file of the server's data directory."""
    return docker("exec", "server", "cat", f"/data/{name}")


class Case(unittest.TestCase):
    """A test with a stack."""

    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.remove)

    def assert_stopped(self, container, *closed):
        """The status is 0, and the log says that these were closed, then that the program ends."""
        self.assertEqual(exit_status(container), 0)
        end = lines(container)
        last_start = max(i for i, line in enumerate(end) if line.action == "config")
        actions = [(line.action, line.result) for line in end[last_start:]]
        for name in closed:
            self.assertIn((f"close_{name}", "success"), actions)
        self.assertEqual(("exit", "success"), actions[-1])

    def assert_no_failure(self, *containers):
        for container in containers:
            self.assertEqual([line.text for line in lines(container) if line.result == "fail"], [])
