#!/usr/bin/env python3
"""Tests of tools/exercise-branches.sh in small clones with the files that it is about."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ("tools/exercise-branches.sh", "tools/gen-compose.py", "generar-compose.sh",
         "compose/defaults")
BRANCHES = [f"ej{number}" for number in range(1, 9)]
MODES = ["echo"] * 4 + ["bet"] + ["lottery"] * 3
DELAYS = [None] * 5 + ["3s"] * 3
IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Somebody"), ("EMAIL", "somebody@example.org"))}


class ExerciseBranches(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.clone = self.folder / "clone"
        # No settings but those of the test.
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith("GIT_") and key != "LOTTERY_MODE"}
        self.environment |= {"HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1",
                             "XDG_CONFIG_HOME": str(self.folder)}
        for file in FILES:
            (self.clone / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, self.clone / file)
        self.git("init", "-q", "-b", "main")
        for text in ("one", "two"):
            (self.clone / "notes.txt").write_text(text)
            self.git("add", "--all")
            self.git("commit", "-q", "-m", text)

    def run_in(self, folder, *command, **environment):
        return subprocess.run([str(part) for part in command], cwd=folder, text=True, timeout=60,
                              capture_output=True, env={**self.environment, **environment})

    def git(self, *arguments, folder=None):
        done = self.run_in(folder or self.clone, "git", *arguments, **IDENTITY)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def make(self, *options, folder=None, **environment):
        folder = folder or self.clone
        return self.run_in(folder, folder / "tools" / "exercise-branches.sh", *options,
                           **environment)

    def assert_made(self, done):
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def assert_refused(self, done, reason, status=1):
        self.assertEqual((status, ""), (done.returncode, done.stdout))
        self.assertIn(reason, done.stderr)

    def branches(self, folder=None):
        """Name to commit."""
        text = self.git("for-each-ref", "--format", "%(refname:short) %(objectname)", "refs/heads",
                        folder=folder)
        return dict(line.split() for line in text.splitlines())

    def assert_one_ahead(self, folder=None, base="HEAD"):
        for branch in BRANCHES:
            self.assertEqual("1\n", self.git("rev-list", "--count", f"{base}..{branch}",
                                             folder=folder))
            self.assertEqual("M\tcompose/defaults\n",
                             self.git("diff", "--name-status", base, branch, folder=folder))

    def test_what_they_make(self):
        """On each branch the script of the assignment makes the exercise's stack; options still make
        another one."""
        self.assert_made(self.make())
        self.assertEqual({"main", *BRANCHES}, set(self.branches()))
        self.assert_one_ahead()
        for branch, mode, delay in zip(BRANCHES, MODES, DELAYS):
            with self.subTest(branch):
                self.git("switch", "-q", branch)
                made = {}
                for name, options, environment in (("plain", (), {}), ("env", (), {"LOTTERY_MODE": "bet"}),
                                                   ("option", ("--mode", "echo"), {})):
                    out = self.folder / "compose.yaml"
                    done = self.run_in(self.clone, "bash", "generar-compose.sh", out, 1, *options,
                                       **environment)
                    self.assertEqual(0, done.returncode, done.stderr)
                    stack = yaml.safe_load(out.read_text(encoding="utf-8"))
                    made[name] = stack["services"]["client1"]["environment"]
                self.assertEqual((mode, delay), (made["plain"]["CLI_MODE"],
                                                 made["plain"].get("CLI_START_DELAY")))
                self.assertEqual("bet", made["env"]["CLI_MODE"])
                self.assertEqual("echo", made["option"]["CLI_MODE"])

    def test_work_in_progress_stays(self):
        """Changes in the work tree, in the index and beside it, also in the file in question."""
        (self.clone / "notes.txt").write_text("changed")
        (self.clone / "staged.txt").write_text("staged")
        self.git("add", "staged.txt")
        (self.clone / "compose" / "defaults").write_text("mode=bet\n")
        (self.clone / "other.txt").write_text("untracked")
        index = (self.clone / ".git" / "index").read_bytes()

        def state():
            return (self.git("status", "--porcelain", "--branch"), self.git("diff", "HEAD"),
                    self.git("rev-parse", "HEAD"), self.git("stash", "list"))
        before = state()
        self.assert_made(self.make())
        self.assertEqual(before, state())
        self.assertEqual(index, (self.clone / ".git" / "index").read_bytes())
        self.assert_one_ahead()

    def test_existing_branch(self):
        """If one exists, all are refused, and the error names it; nothing is made or changed."""
        self.git("branch", "ej5")
        before = self.branches()
        self.assert_refused(self.make(), "exist already: ej5")
        self.assertEqual(before, self.branches())

    def test_renew(self):
        """From a later commit, what this tool made goes with it."""
        self.assert_made(self.make())
        self.assert_refused(self.make(), "exist already: ej1 ej2 ej3 ej4 ej5 ej6 ej7 ej8")
        self.git("commit", "-q", "--allow-empty", "-m", "later")
        self.git("branch", "-D", "ej3")
        self.assert_made(self.make("--renew"))
        self.assert_one_ahead()

    def test_renew_does_not_lose_work(self):
        """A branch of the user's own, or with a commit on top, is refused; all stay as they are."""
        self.assert_made(self.make())
        self.git("switch", "-q", "ej6")
        (self.clone / "notes.txt").write_text("my solution")
        self.git("commit", "-q", "-a", "-m", "mine")
        self.git("switch", "-q", "main")
        before = self.branches()
        self.assert_refused(self.make("--renew"), "ej6 has work")
        self.git("branch", "-f", "ej6", "main")
        self.assert_refused(self.make("--renew"), "ej6 has work")
        self.assertEqual({**before, "ej6": before["main"]}, self.branches())

    def test_renew_of_the_current_branch(self):
        """Here or in another work tree: refused, as its files would no longer be its own."""
        self.assert_made(self.make())
        before = self.branches()
        self.git("switch", "-q", "ej2")
        self.assert_refused(self.make("--renew"), "ej2 is checked out")
        self.git("switch", "-q", "main")
        self.git("worktree", "add", "-q", self.folder / "tree", "ej7")
        self.assert_refused(self.make("--renew"), "ej7 is checked out")
        self.assertEqual(before, self.branches())

    def test_shallow_clone(self):
        """With the last commit alone."""
        shallow = self.folder / "shallow"
        self.git("clone", "-q", "--depth", "1", f"file://{self.clone}", shallow, folder=self.folder)
        self.assertEqual("1\n", self.git("rev-list", "--count", "HEAD", folder=shallow))
        self.assert_made(self.make(folder=shallow))
        self.assert_one_ahead(folder=shallow)
        self.git("fsck", folder=shallow)

    def test_detached_head(self):
        self.git("switch", "-q", "--detach", "HEAD~")
        self.assert_made(self.make())
        self.assert_one_ahead(base="HEAD")

    def test_who_made_them(self):
        """The user, or the tool where git knows no user."""
        self.assert_made(self.make(**IDENTITY))
        self.assertEqual("Somebody\n", self.git("log", "-1", "--format=%an", "ej1"))
        self.git("branch", "-D", *BRANCHES)
        self.git("config", "user.useConfigOnly", "true")
        self.assert_made(self.make())
        self.assertEqual("exercise-branches\n", self.git("log", "-1", "--format=%an", "ej1"))

    def test_no_place_for_it(self):
        """Outside of a clone, within another one, without a commit, and before there was the file."""
        copy = self.folder / "copy"
        shutil.copytree(self.clone, copy, ignore=shutil.ignore_patterns(".git"))
        self.assert_refused(self.make(folder=copy), "not a git clone")
        shutil.copytree(copy, self.clone / "copy")
        self.assert_refused(self.make(folder=self.clone / "copy"), "not a git clone")
        self.git("init", "-q", folder=copy)
        self.assert_refused(self.make(folder=copy), "no commit yet")
        self.git("rm", "-q", "compose/defaults")
        self.git("commit", "-q", "-m", "without")
        self.assert_refused(self.make(), "no compose/defaults")

    def test_arguments(self):
        for arguments in (("--force",), ("ej1",), ("--renew", "ej1")):
            done = self.make(*arguments)
            self.assert_refused(done, "Usage:", status=2)
        self.assertIn("--renew", self.make("--help").stdout)
        self.assertEqual({"main"}, set(self.branches()))


if __name__ == "__main__":
    unittest.main()
