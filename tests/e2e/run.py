#!/usr/bin/env python3
"""Runs the tests of the containers on a real engine: real images, real Compose.

    tests/e2e/run.py [-k PATTERN]...

Missing parts are installed and started where possible. At the end everything that the tests made is
removed, except the images, which make the next run faster. Status 77: there is no engine.
"""
import argparse
import os
import pathlib
import sys
import unittest

from engine import ROOT, Engine, NoEngine, docker, inventory

SKIPPED = 77
NAMES = {"server", *(f"client{agency}" for agency in range(1, 6))}


def taken_names():
    """Containers and networks that have the names of ours: somebody's own stack, not to be touched."""
    return (NAMES & set(docker("ps", "--all", "--format", "{{.Names}}").split()) |
            {"tp0_testing_net"} & set(docker("network", "ls", "--format", "{{.Name}}").split()))


def build_images():
    """The stage that compiles gets a name: the classic builder would leave it dangling otherwise."""
    for program in ("server", "client"):
        build = ("build", "-f", f"{program}/Dockerfile")
        docker(*build, "--target", "build", "-t", f"lottery-build-{program}:latest", ".",
               cwd=ROOT, seconds=900)
        docker(*build, "-t", f"{program}:latest", ".", cwd=ROOT, seconds=300)
    docker("build", "-f", "client/Dockerfile", "--target", "netcat", "-t", "lottery-netcat:latest", ".",
           cwd=ROOT, seconds=300)


def run_tests(patterns):
    """True when all passed and nothing is left."""
    if taken := taken_names():
        print(f"in the way: {', '.join(sorted(taken))}; see `make docker-compose-down`")
        return False
    before = inventory()
    build_images()
    loader = unittest.TestLoader()
    loader.testNamePatterns = patterns
    result = unittest.TextTestRunner(verbosity=2).run(
        loader.discover(str(pathlib.Path(__file__).parent)))
    # Images of earlier builds lose their names to this one.
    if stale := inventory()["dangling images"] - before["dangling images"]:
        docker("image", "rm", *stale)
    left = {kind: things - before[kind] for kind, things in inventory().items()}
    for kind, things in left.items():
        if things:
            print(f"left behind: {kind} {', '.join(sorted(things))}")
    return result.wasSuccessful() and not any(left.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", action="append", metavar="PATTERN", help="only tests that match")
    patterns = parser.parse_args().k
    for name in ("LOTTERY_MODE", "CLIENTS"):  # set for the user's own stack, not for ours
        os.environ.pop(name, None)
    try:
        with Engine("bookworm"):
            return 0 if run_tests(patterns and [f"*{pattern}*" for pattern in patterns]) else 1
    except NoEngine as reason:
        print(f"skipped, no Docker engine: {reason}")
        return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
