#!/usr/bin/env python3
"""Tests of tools/list-skipped.py on what ctest, unittest and our scripts really write."""

import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CTEST = """
add_test(style sh -c "echo 'skipped: no such tool'; exit 77")
add_test(loud sh -c "echo '3 rows were skipped'")
add_test(broken sh -c "echo 'skipped: half of it'; exit 1")
add_test(cases python3 cases.py -v)
add_test(units printf "[ RUN      ] test_b\\\\n[  SKIPPED ] test_b\\\\n")
set_tests_properties(style PROPERTIES SKIP_RETURN_CODE 77)
"""
CASES = '''
import unittest
class Cases(unittest.TestCase):
    def test_with_words(self):
        """What it is for,
        in two lines."""
        self.skipTest("it isn't here")
    def test_without(self):
        self.skipTest("it isn't here")
    def test_runs(self):
        pass
unittest.main()
'''


class ListSkipped(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_tool(self, *arguments):
        return subprocess.run([ROOT / "tools" / "list-skipped.py", *arguments], encoding="utf-8",
                              capture_output=True, timeout=60)

    def test_what_was_skipped_and_why(self):
        """Whole tests and single cases; not what only speaks of skipping, nor what failed."""
        (self.folder / "CTestTestfile.cmake").write_text(CTEST)
        (self.folder / "cases.py").write_text(CASES)
        subprocess.run(["ctest", "--test-dir", self.folder], capture_output=True, timeout=60)
        done = self.run_tool(self.folder)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(["skipped: style: no such tool",
                          "skipped: cases: test_with_words, test_without: it isn't here",
                          "skipped: units: test_b: see the test"], done.stdout.splitlines())

    def test_no_run(self):
        done = self.run_tool(self.folder)
        self.assertEqual((0, ""), (done.returncode, done.stdout))
        self.assertEqual(2, self.run_tool().returncode)


if __name__ == "__main__":
    unittest.main()
