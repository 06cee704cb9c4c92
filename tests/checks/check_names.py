"""Every function has a name of its own in the whole project, so that a breakpoint means one place.

Static callbacks therefore begin with their module's name; a test's own functions do not count.
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOPS = ("common", "server", "client", "ctl")
# A definition begins in the first column, and its body's brace stands there, too.
DEFINITION = re.compile(r"^[a-z][\w *]*?\b(\w+)\([^;{}]*\)\n\{", re.M)


def main():
    places = collections.defaultdict(set)
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.c")):
            for name in DEFINITION.findall(path.read_text()):
                places[name].add(path.relative_to(ROOT).as_posix())
    faults = {name: files for name, files in places.items() if len(files) > 1 and name != "main"}
    for name, files in sorted(faults.items()):
        print(f"{name} is defined in {', '.join(sorted(files))}")
    print(f"names: {len(places)} functions, {len(faults)} with another of the same name")
    return 1 if faults or not places else 0


if __name__ == "__main__":
    sys.exit(main())
