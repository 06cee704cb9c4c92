#!/usr/bin/env python3
"""Tests of tools/install-deps.sh with a fake Debian: nothing is really installed."""

import pathlib
import subprocess
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "install-deps.sh"

# The whole PATH of the script. State is in files: `installed` and `known` list a package per line.
COMMANDS = {
    "cat": 'exec /bin/cat "$@"',
    "env": 'exec /usr/bin/env "$@"',
    "id": "echo ${FAKE_UID:-0}",
    "dpkg-query": '/bin/grep -qxF "$4" installed && echo installed',
    "apt-cache": """
        /bin/grep -qxF "$2" known && echo "  Candidate: 1.0" && exit
        /bin/grep -qxF "$2" only-a-name && echo "  Candidate: (none)"
        exit 0""",
    "apt-get": """
        echo "$1 ${DEBIAN_FRONTEND:-}" >>calls
        case $1 in
          update)
            [ ! -e offline ] || exit 100
            /bin/cat archive >>known; /bin/rm -f stale ;;
          install)
            [ ! -e stale ] || exit 100
            for word; do case $word in [a-z]*) echo "$word" >>installed ;; esac; done ;;
        esac""",
}
SYSTEMCTL = """
    [ "$1" != is-system-running ] || { echo ${FAKE_SYSTEM:-running}; exit; }
    echo "systemctl $*" >>calls"""
SUDO = """
    [ "$1" != -n ] || exit ${FAKE_SUDO_STATUS:-0}
    echo sudo >>calls; FAKE_UID=0 exec "$@" """


class InstallDeps(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "bin").mkdir()
        for name, text in COMMANDS.items():
            self.add_command(name, text)
        for name in ("installed", "known", "only-a-name", "archive", "calls"):
            (self.root / name).touch()
        self.everything = self.run_tool("--list").stdout.split()
        self.runtime = self.run_tool("--list", "--runtime").stdout.split()

    def add_command(self, name, text):
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def put(self, name, lines=()):
        (self.root / name).write_text("".join(f"{line}\n" for line in lines))

    def lines(self, name):
        return (self.root / name).read_text().splitlines()

    def run_tool(self, *arguments, **env):
        return subprocess.run(
            ["/bin/sh", str(TOOL), *arguments], cwd=self.root, capture_output=True, timeout=60,
            encoding="utf-8", env={"PATH": str(self.root / "bin"), **env}, stdin=subprocess.DEVNULL,
        )

    def assert_fails(self, done, status, *texts):
        self.assertEqual(status, done.returncode, done)
        for text in texts:
            self.assertIn(text, done.stderr)

    def test_does_nothing_when_all_is_installed(self):
        self.put("installed", self.everything)
        done = self.run_tool(FAKE_UID="1000")  # and no sudo
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
        self.assertEqual([], self.lines("calls"))

    def test_only_the_missing_ones_are_installed_without_an_update(self):
        self.put("installed", self.everything[2:])
        self.put("known", self.everything)
        done = self.run_tool()
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(["install noninteractive"], self.lines("calls"))
        added = self.lines("installed")[len(self.everything) - 2:]
        self.assertEqual(["install", *self.everything[:2]], added)

    def test_index_is_fetched_where_there_is_none(self):
        self.put("archive", self.everything)
        self.assertEqual(0, self.run_tool().returncode)
        self.assertEqual(["update noninteractive", "install noninteractive"], self.lines("calls"))
        self.assertLessEqual(set(self.everything), set(self.lines("installed")))

    def test_old_index_is_fetched_again_once(self):
        self.put("known", self.everything)
        self.put("stale")
        self.assertEqual(0, self.run_tool().returncode)
        self.assertEqual(["install", "update", "install"], [c.split()[0] for c in self.lines("calls")])

    def test_failed_update_and_failed_install_are_reported(self):
        self.put("offline")
        self.assert_fails(self.run_tool(), 1, "apt-get knows no package", self.everything[0])
        self.put("known", self.everything)
        self.put("stale")
        self.assert_fails(self.run_tool(), 1, "apt-get could not install", self.everything[0])

    def test_what_the_sets_contain(self):
        build = self.run_tool("--list", "--build").stdout.split()
        self.assertLess(set(build), set(self.everything))
        self.assertFalse(set(self.runtime) & set(build))
        self.assertFalse([name for name in self.runtime if name.endswith("-dev")])
        self.assertNotIn("libcmocka-dev", build)
        for option in ("--run", "--package"):
            larger = self.run_tool("--list", option).stdout.split()
            self.assertLess(set(build), set(larger))
            self.assertLess(set(larger), set(self.everything))
        self.assertEqual(len(set(self.everything)), len(self.everything))

    def test_name_of_the_release_is_found(self):
        for name, other in (("libuv1", "libuv1t64"), ("libuv1t64", "libuv1")):
            with self.subTest(name=name):
                packages = [p for p in self.runtime if not p.startswith("libuv1")] + [name]
                self.put("installed")
                self.put("known", packages)
                self.put("only-a-name", [other])
                self.assertEqual(set(packages), set(self.run_tool("--list", "--runtime").stdout.split()))
                self.assertEqual(0, self.run_tool("--runtime").returncode)
                self.assertIn(name, self.lines("installed"))
                self.assertNotIn(other, self.lines("installed"))
                self.put("known")  # nothing can be had from here on, but all is installed
                self.put("calls")
                self.assertEqual(0, self.run_tool("--runtime").returncode)
                self.assertEqual([], self.lines("calls"))

    def test_no_service_is_left_running(self):
        """The package of Prometheus would start one, now and at each boot."""
        unit = "prometheus.service"
        self.add_command("systemctl", SYSTEMCTL)
        self.put("known", self.everything)
        self.put("installed", [name for name in self.everything if name != "prometheus"])
        self.assertEqual(0, self.run_tool().returncode)
        calls = [f"systemctl mask --quiet --runtime {unit}", "install noninteractive",
                 f"systemctl unmask --quiet --runtime {unit}", f"systemctl disable --quiet {unit}"]
        self.assertEqual(calls, self.lines("calls"))
        for state in ("offline", "unknown"):  # as in a container
            self.put("calls")
            self.put("installed", [name for name in self.everything if name != "prometheus"])
            self.assertEqual(0, self.run_tool(FAKE_SYSTEM=state).returncode)
            self.assertEqual(["install noninteractive"], self.lines("calls"))
        self.put("calls")  # one that is there already is somebody's own
        self.put("installed", self.everything[1:])
        self.assertEqual(0, self.run_tool().returncode)
        self.assertEqual(["install noninteractive"], self.lines("calls"))

    def test_a_failed_install_leaves_no_service_masked(self):
        self.add_command("systemctl", SYSTEMCTL)
        self.put("known", self.everything)
        self.put("stale")
        self.put("offline")
        self.assert_fails(self.run_tool(), 1, "apt-get could not install", "prometheus")
        calls = [call for call in self.lines("calls") if call.startswith("systemctl")]
        self.assertEqual(len(calls), 4)  # it tries twice
        self.assertIn(" unmask ", calls[-1])

    def test_sudo_where_not_root(self):
        self.add_command("sudo", SUDO)
        self.put("known", self.everything)
        self.assertEqual(0, self.run_tool(FAKE_UID="1000").returncode)
        self.assertEqual(["sudo", "install noninteractive"], self.lines("calls"))

    def test_no_way_to_become_root_is_reported(self):
        missing = self.everything[-1]
        self.put("installed", self.everything[:-1])
        self.assert_fails(self.run_tool(FAKE_UID="1000"), 1, "there is no sudo", f"install {missing}")
        self.add_command("sudo", SUDO)
        done = self.run_tool(FAKE_UID="1000", FAKE_SUDO_STATUS="1")
        self.assert_fails(done, 1, "sudo needs a password", f"install {missing}")
        self.assertEqual([], self.lines("calls"))

    def test_other_systems_get_the_list(self):
        for command in ("apt-get", "apt-cache", "dpkg-query"):
            (self.root / "bin" / command).unlink()
        done = self.run_tool()
        self.assert_fails(done, 1, "no Debian system", " ".join(self.everything))
        self.assertNotIn("|", done.stderr)

    def test_other_systems_may_build(self):
        """Perhaps all is there; if not, CMake says so."""
        for command in ("apt-get", "apt-cache", "dpkg-query"):
            (self.root / "bin" / command).unlink()
        for option in ("--build", "--run"):
            done = self.run_tool(option)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            self.assertIn("no Debian system", done.stdout)

    def test_bad_arguments(self):
        self.assert_fails(self.run_tool("--all"), 2, "unknown argument '--all'", "Usage:")
        self.assert_fails(self.run_tool("--build", "--runtime"), 2, "exclude each other")
        self.assert_fails(self.run_tool("--run", "--package"), 2, "exclude each other")
        self.assertEqual([], self.lines("calls"))


if __name__ == "__main__":
    unittest.main()
