"""The Debian package that packaging.build has made, and how to look into it."""
import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = pathlib.Path(os.environ.get("LOTTERY_PACKAGES", ROOT / "build"))


def run(*command, **options):
    """What a command prints; it has to succeed."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def package():
    """The path of the .deb."""
    path, = PACKAGES.glob("national-lottery_*.deb")
    return path


def changes():
    """The path of the list of all that was made."""
    return package().with_suffix(".changes")


def main():
    """Runs the tests, if there is a package."""
    if not any(PACKAGES.glob("national-lottery_*.deb")):
        print(f"skipped: no package in {PACKAGES}: see the test packaging.build")
        sys.exit(77)
    unittest.main()


def depends(deb):
    """The names of the packages that it needs, the first of alternatives."""
    return [re.split(r"[ |(]", name.strip())[0]
            for name in run("dpkg-deb", "-f", deb, "Depends").split(",")]


def make_next(deb, folder):
    """The package as a later version, whose settings come with another line; returns its path."""
    tree = folder / "next"
    run("dpkg-deb", "-R", deb, tree)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: (.*)$", r"Version: \1+next",
                              control.read_text(encoding="utf-8")), encoding="utf-8")
    with (tree / "etc" / "lottery" / "server.ini").open("a", encoding="utf-8") as file:
        file.write("; A line that the next version has.\n")
    later = folder / "next.deb"
    run("dpkg-deb", "--root-owner-group", "-b", tree, later)
    return later
