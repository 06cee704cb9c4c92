#!/usr/bin/env python3
"""Tests of tools/install-docker.sh with a fake Debian: nothing is really installed."""

import pathlib
import subprocess
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "install-docker.sh"

# The whole PATH of the script. The files `engine` and `compose` say what is installed; with `broken`
# nothing can be installed.
COMMANDS = {
    "sed": 'exec /bin/sed "$@"',
    "id": "echo ${FAKE_UID:-0}",
    "apt-cache": """
        [ "$2" = docker-compose ] && echo '  Candidate: 2.26.1-4'
        [ "$2" = docker-cli ] && echo "  Candidate: ${FAKE_CLI:-(none)}"
        exit 0""",
    "apt-get": """
        echo "$@" >>calls
        [ ! -e broken ] || exit 100
        case $1 in install) >engine; >compose; /bin/cp dockerless/* bin ;; esac""",
}
DOCKER = """
    case $1 in
      info) [ -e engine ] ;;
      compose) [ -e compose ] ;;
    esac"""


class InstallDocker(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name, text in COMMANDS.items():
            self.add_command("bin", name, text)
        self.add_command("dockerless", "docker", DOCKER)

    def add_command(self, where, name, text):
        path = self.root / where / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def has(self, *names):
        self.add_command("bin", "docker", DOCKER)
        for name in names:
            (self.root / name).touch()

    def run_tool(self, *arguments, **env):
        return subprocess.run(["/bin/sh", TOOL, *arguments], cwd=self.root, encoding="utf-8",
                              env={"PATH": str(self.root / "bin"), **env}, capture_output=True,
                              timeout=60)

    def installed(self):
        """The packages that apt-get was asked for."""
        calls = self.root / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [word for line in lines if line.startswith("install")
                for word in line.split()[1:] if word.startswith("docker")]

    def assert_left_alone(self, done):
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
        self.assertFalse((self.root / "calls").exists())

    def test_all_is_installed(self):
        """Nothing happens, with or without root."""
        self.has("engine", "compose")
        self.assert_left_alone(self.run_tool())
        self.assert_left_alone(self.run_tool(FAKE_UID="1000"))

    def test_an_engine_that_is_not_running(self):
        """It counts as installed."""
        self.has("compose")
        self.add_command("bin", "dockerd", "exit 1")
        self.assert_left_alone(self.run_tool())

    def test_only_what_is_missing(self):
        self.has("engine")
        self.assertEqual(0, self.run_tool().returncode)
        self.assertEqual(["docker-compose"], self.installed())

    def test_from_nothing(self):
        """The docker command is installed, too, where it is a package of its own."""
        self.assertEqual(0, self.run_tool(FAKE_CLI="26.1").returncode)
        self.assertEqual(["docker.io", "docker-compose", "docker-cli"], self.installed())

    def test_failures(self):
        """Not root, or packages that cannot be installed: status 1 and the reason."""
        done = self.run_tool(FAKE_UID="1000")
        self.assertEqual((1, []), (done.returncode, self.installed()))
        self.assertIn("docker.io docker-compose", done.stderr)
        (self.root / "broken").touch()
        done = self.run_tool()
        self.assertEqual(1, done.returncode)
        self.assertIn("could not install", done.stderr)
        self.assertEqual(2, self.run_tool("--now").returncode)


if __name__ == "__main__":
    unittest.main()
