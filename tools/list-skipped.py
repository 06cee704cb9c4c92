#!/usr/bin/env python3
"""Lists what ctest's last run in a build folder did not test, and why.

    tools/list-skipped.py BUILD_DIR

One line each, `skipped: NAME: REASON`, to which ctest's own list gives the names only. NAME is a test
of ctest's, or `test: case` where a test ran and one of its cases did not.
"""
import pathlib
import re
import sys

SECTION = re.compile(
    r"^\d+/\d+ Testing: (\S+)\n(.*?)^<end of output>\n.*?^(Test [A-Z]\w+)", re.M | re.S)
# What our tests print: scripts a line that begins with it, unittest the case and then the reason
# (the case's docstring may stand between them), cmocka the case alone.
WHOLE = re.compile(r"^skipped[:,] *(.*)$", re.M)
CASE = re.compile(r"^(test_\w+) \([^)]*\)(?: \.\.\.|\n[^\n]*? \.\.\.) skipped (['\"])(.*)\2$", re.M)
CMOCKA = re.compile(r"^\[  SKIPPED \] (test_\w+)$", re.M)


def skipped(log):
    """(name, reason) of each, in the log's order."""
    for name, output, end in SECTION.findall(log):
        for reason in WHOLE.findall(output)[:1] if end != "Test Failed" else ():
            yield name, reason
        by_reason = {}
        for case, _, reason in CASE.findall(output):
            by_reason.setdefault(reason, []).append(case)
        for reason, cases in by_reason.items():
            yield f"{name}: {', '.join(cases)}", reason
        for case in dict.fromkeys(CMOCKA.findall(output)):
            yield f"{name}: {case}", "see the test"


def main():
    if len(sys.argv) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    log = pathlib.Path(sys.argv[1]) / "Testing" / "Temporary" / "LastTest.log"
    if log.exists():
        for name, reason in skipped(log.read_text(encoding="utf-8", errors="replace")):
            print(f"skipped: {name}: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
