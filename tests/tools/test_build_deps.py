#!/usr/bin/env python3
"""Where something is missing that building needs, CMake lists all of it, and what to install."""

import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARIES = ("libprotobuf-c", "libuv", "yaml-0.1", "inih", "jansson", "libcrypto>=3.0",
             "libmicrohttpd")


class BuildDeps(unittest.TestCase):
    def configure(self, *options, **env):
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.run(["cmake", "-S", ROOT, "-B", folder, *options], text=True, timeout=300,
                                  capture_output=True, env={**os.environ, **env})

    def test_all_that_is_missing_is_listed(self):
        done = self.configure("-DLOTTERY_BUILD_TESTS=ON", "-DCMAKE_IGNORE_PATH=/usr/include",
                              PKG_CONFIG_LIBDIR="/nonexistent", PKG_CONFIG_PATH="")
        self.assertNotEqual(0, done.returncode)
        for library in (*LIBRARIES, "cmocka"):
            self.assertIn(f"the library {library}, with its .pc file (in Debian: ", done.stderr)
        self.assertIn("the header csv.h of libcsv (in Debian: libcsv-dev)", done.stderr)

    def test_nothing_is_missing(self):
        done = self.configure("-DLOTTERY_BUILD_TESTS=OFF")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertNotIn("missing", done.stderr)

    def test_programs_one_by_one(self):
        """As the images build them: what both share first, then one of them."""
        for programs in ("", "client", "server"):
            with self.subTest(programs):
                done = self.configure("-DLOTTERY_BUILD_TESTS=OFF", f"-DLOTTERY_PROGRAMS={programs}")
                self.assertEqual(0, done.returncode, done.stderr)


if __name__ == "__main__":
    unittest.main()
