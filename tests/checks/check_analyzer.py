"""gcc -fanalyzer finds nothing in our code.

Usage: check_analyzer.py BUILD_DIR (with compile_commands.json)
"""
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

from check_headers import ROOT, include_flags

OURS = [ROOT / top for top in ("common", "server", "client", "ctl")]
WRITTEN_FOR = "12"  # other versions find other things
# Unoptimized: code that the optimizer removes is not analysed. FORTIFY would only warn about that.
FLAGS = ["-fanalyzer", "-Werror", "-O0", "-S", "-o", "/dev/null"]


def analyze(entry):
    flags = [flag for flag in include_flags(entry["command"]) if "_FORTIFY_SOURCE" not in flag]
    return subprocess.run(["gcc", *FLAGS, *flags, entry["file"]], stderr=subprocess.PIPE, text=True)


def main():
    if shutil.which("gcc") is None:
        print("skipped: there is no gcc")
        return 77
    version = subprocess.run(["gcc", "-dumpfullversion"], check=True, stdout=subprocess.PIPE,
                             text=True).stdout.strip()
    if version.split(".")[0] != WRITTEN_FOR:
        print(f"skipped: gcc is version {version} here, and this check is written for {WRITTEN_FOR}")
        return 77
    entries = json.loads((pathlib.Path(sys.argv[1]) / "compile_commands.json").read_text())
    entries = [entry for entry in entries
               if any(top in pathlib.Path(entry["file"]).parents for top in OURS)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(analyze, entries))
    faults = [result.stderr for result in results if result.returncode != 0]
    print("\n".join(faults))
    print(f"analyzer: {len(entries)} files, {len(faults)} with findings")
    return 1 if faults or not entries else 0


if __name__ == "__main__":
    sys.exit(main())
