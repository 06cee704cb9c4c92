#!/usr/bin/env python3
"""A clone has every file as it was committed, also where git is told to change line ends."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = {"script.sh": b"#!/bin/sh\ntrue\n", "bets.csv": b"Ana,Paz,1,1999-03-17,7574\r\n",
         "mixed.txt": b"a\r\nb\n"}


class LineEnds(unittest.TestCase):
    def git(self, *command):
        quiet = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.invalid", *command],
                       cwd=self.root, env=quiet, check=True, capture_output=True, timeout=60)

    def test_clone(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        project = self.root / "project"
        project.mkdir()
        shutil.copy(ROOT / ".gitattributes", project)
        for name, data in FILES.items():
            (project / name).write_bytes(data)
        self.git("init", "-q", "project")
        self.git("-C", "project", "add", ".")
        self.git("-C", "project", "commit", "-q", "-m", "all")
        for setting in ("true", "input", "false"):
            self.git("clone", "-q", "-c", f"core.autocrlf={setting}", "project", setting)
            self.assertEqual(FILES, {name: (self.root / setting / name).read_bytes()
                                     for name in FILES})


if __name__ == "__main__":
    unittest.main()
