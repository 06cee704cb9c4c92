"""The Debian package that packaging.build has made, and how to look into it."""
import os
import pathlib
import re
import subprocess
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


def find(pattern):
    """The one file of that name, or else the test is skipped: it was not built."""
    found = sorted(PACKAGES.glob(pattern))
    if not found:
        raise unittest.SkipTest(f"no {pattern} in {PACKAGES}: see the test packaging.build")
    if len(found) > 1:
        raise AssertionError(f"more than one: {found}")
    return found[0]


def package():
    return find("national-lottery_*.deb")


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
