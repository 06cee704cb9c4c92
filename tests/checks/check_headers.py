"""Every header compiles alone, with the include folders of its module and nothing before it.

Usage: check_headers.py BUILD_DIR (with compile_commands.json)
"""
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def include_flags(command):
    """The flags that say where headers are and what is defined, one word each."""
    flags = []
    words = iter(shlex.split(command))
    for word in words:
        if word == "-isystem":
            flags.append(f"-isystem{next(words)}")
        elif word.startswith(("-I", "-D", "-std")):
            flags.append(word)
    return flags


def main():
    entries = json.loads((pathlib.Path(sys.argv[1]) / "compile_commands.json").read_text())
    by_folder = {}
    for entry in entries:
        flags = by_folder.setdefault(pathlib.Path(entry["file"]).parent, [])
        flags += [flag for flag in include_flags(entry["command"]) if flag not in flags]
    headers = [path for top in ("common", "server", "client", "ctl", "tests")
               for path in sorted((ROOT / top).rglob("*.h"))]
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for header in headers:
            flags = by_folder[header.parent]
            alone = pathlib.Path(folder) / "alone.c"
            alone.write_text(f'#include "{header}"\n#include "{header}"\n')
            result = subprocess.run(["cc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *flags,
                                     f"-I{header.parent}", alone], stderr=subprocess.PIPE, text=True)
            if result.returncode != 0:
                faults += 1
                print(f"{header.relative_to(ROOT)} does not stand alone:\n{result.stderr}")
    print(f"headers: {len(headers)} compiled alone, {faults} faults")
    return 1 if faults or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
