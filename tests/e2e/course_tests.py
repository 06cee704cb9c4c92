#!/usr/bin/env python3
"""Runs the assignment's public black-box tests on the branches ej1 to ej8 of this clone's last commit.

    make course-tests TESTS=DIR        or: tests/e2e/course_tests.py DIR [--python PATH] [pytest's options]

DIR is a copy of the course's tests: test_ej*.py with utils/ beside them. They run as they are, in a
temporary folder, on a temporary clone of the last commit (what is not committed does not count) with
the branches of tools/exercise-branches.sh. Nothing of DIR or of this folder is changed.

Be aware: the course's tests stop all containers of this machine's engine and remove unused networks and
images without a name. Where there are containers that are not this project's nothing is run.

There are two editions: one with 15 tests of the exercises 1 to 4, and one with tests of all eight, which
needs Python 3.12 or later. Used is the first Python that understands the tests and can have pytest, of
--python's, python3, later ones, Debian's, and those of pyenv.

Missing things are installed where possible: the engine, pytest (from Debian's packages, as root), and
images that the tests name and no registry has. For `python:...` that is a stand-in, Debian's Python on
the base image; it is removed at the end.

In the tests' PATH there is a `docker` that calls the real one, and for `compose logs` does what the tests
take for granted (see compose_logs.py): the lines come in the order in which they were written, whichever
container wrote them, the server's ahead of a client's of the same half second, and without the escape
sequence with which some versions of Compose begin each. Without that the tests of exercises 7 and 8 fail
now and then on a busy machine, where the engine reads the server's many lines later than the clients'.

Exit status: 0 all passed, 1 some did not, 2 bad arguments or something needed is missing.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from engine import ROOT, Engine, NoEngine, docker, run

PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "/usr/bin/python3")
PACKAGES = ("python3-pytest", "python3-pytest-timeout")
DEBIAN_MODULES = "/usr/lib/python3/dist-packages"
NAMES = re.compile(r"server|client[0-9]+")  # of the project's own containers
DOCKER = """\
#!/bin/sh
case " $* " in
  *" compose "*" logs "*) "{docker}" "$@" --timestamps | "{python}" -B "{filter}" ;;
  *) exec "{docker}" "$@" ;;
esac
"""
STAND_IN = """\
FROM debian:bookworm-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3
"""


class CannotRun(Exception):
    """Why."""


def clean_environment(**extra):
    """Our environment without the variables that would change the stacks."""
    keep = {key: value for key, value in os.environ.items()
            if key not in ("CLIENTS", "MAKEFLAGS", "MAKELEVEL", "TESTS") and
            not key.startswith(("LOTTERY_", "SERVER_", "CLI_", "GIT_", "LOGGING_"))}
    return {**keep, "PYTHONDONTWRITEBYTECODE": "1", **extra}


def test_files(folder):
    files = sorted(folder.glob("test_*.py"))
    if not files:
        raise CannotRun(f"{folder} has no test_*.py: it should be a copy of the course's tests")
    return files


def check_project():
    top = run("git", "-C", ROOT, "rev-parse", "--show-toplevel", check=False).stdout.strip()
    if top != str(ROOT):
        raise CannotRun(f"{ROOT} is not a git clone")
    if run("git", "-C", ROOT, "status", "--porcelain").stdout:
        print("note: what is not committed does not count", flush=True)


def check_containers():
    """The tests would stop them, and remove them."""
    names = docker("ps", "--all", "--format", "{{.Names}}").split()
    foreign = [name for name in names if not NAMES.fullmatch(name)]
    if foreign:
        raise CannotRun("the course's tests would stop and remove these containers: "
                        f"{', '.join(sorted(foreign))}")


def pythons(chosen):
    """The commands to try, in this order."""
    if chosen:
        return (chosen,)
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    return (*PYTHONS, *sorted(pyenv.glob("versions/3.*/bin/python3")))


def find_python(files, chosen):
    """Finds a Python that understands the tests and has pytest: its command and environment. pytest
    is all Python, so that Debian's is lent to one that has none."""
    code = ("import sys, pytest, pytest_timeout\n"
            "for path in sys.argv[1:]: compile(open(path, encoding='utf-8').read(), path, 'exec')")
    reason = ""
    for environment in ({}, {"PYTHONPATH": DEBIAN_MODULES}):
        for python in pythons(chosen):
            try:
                done = run(python, "-c", code, *files, check=False,
                           env=clean_environment(**environment))
            except FileNotFoundError:
                continue
            if done.returncode == 0:
                return python, environment
            # An error in a file says more than a missing module.
            if "SyntaxError" in done.stderr or not reason:
                reason = done.stderr.strip()
    raise CannotRun(f"no Python here has pytest and understands the tests:\n{reason}\n"
                    "see --python")


def bring_pytest():
    if run("/usr/bin/python3", "-c", "import pytest, pytest_timeout", check=False).returncode == 0:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        run("apt-get", "update", "-qq", check=False, seconds=300)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES, check=False,
            seconds=300, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def make_clone(path):
    """Clones the last commit and makes the branches; the clone has no other ones."""
    git = ("git", "-C", path)
    run("git", "init", "-q", path, env=clean_environment())
    run(*git, "fetch", "-q", ROOT, "HEAD", env=clean_environment())
    run(*git, "checkout", "-q", "--detach", "FETCH_HEAD", env=clean_environment())
    print(run(path / "tools" / "exercise-branches.sh", env=clean_environment()).stdout, end="",
          flush=True)


def make_docker(folder):
    folder.mkdir()
    wrapper = folder / "docker"
    wrapper.write_text(DOCKER.format(docker=shutil.which("docker"), python=sys.executable,
                                     filter=ROOT / "tests" / "e2e" / "compose_logs.py"))
    wrapper.chmod(0o755)
    return folder


def bring_images(tests):
    """Provides the images that the tests' own stacks name; returns the stand-ins, to be removed."""
    made = []
    for file in sorted(tests.rglob("*.y*ml")):
        for image in re.findall(r"^\s*image:\s*[\"']?([^\s\"']+)", file.read_text(), re.MULTILINE):
            if run("docker", "image", "inspect", image, check=False).returncode == 0:
                continue
            if run("docker", "pull", "-q", image, check=False, seconds=300).returncode == 0:
                continue
            if not image.startswith("python:"):
                raise CannotRun(f"no image {image}, which {file.name} wants")
            with tempfile.TemporaryDirectory() as context:
                (pathlib.Path(context) / "Dockerfile").write_text(STAND_IN)
                docker("build", "-q", "--force-rm", "-t", image, context, seconds=600)
            print(f"{image}: a stand-in", flush=True)
            made.append(image)
    return made


def keep_build_stages(clone):
    """The tests remove images without a name; the classic builder's stages are such ones, and each
    exercise would compile everything again."""
    for program in ("server", "client"):
        docker("build", "-f", f"{program}/Dockerfile", "--target", "build", "-t",
               f"lottery-build-{program}:latest", ".", cwd=clone, seconds=1500)


def run_tests(source, python, options):
    """pytest's exit status."""
    bring_pytest()
    python, modules = find_python(test_files(source), python)
    with tempfile.TemporaryDirectory(prefix="course-tests-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # the containers' users read the settings in it
        tests, clone = folder / "tests", folder / "project"
        shutil.copytree(source, tests, ignore=shutil.ignore_patterns(".git", "__pycache__"))
        make_clone(clone)
        path = make_docker(folder / "bin")
        stand_ins = bring_images(tests)
        try:
            keep_build_stages(clone)
            environment = clean_environment(
                **modules, REPO_PATH=str(clone), PATH=f"{path}:{os.environ['PATH']}")
            return subprocess.run([python, "-m", "pytest", "-v", "-p", "no:cacheprovider",
                                   "--disable-warnings", *options],
                                  cwd=tests, env=environment, stdin=subprocess.DEVNULL,
                                  check=False).returncode
        finally:
            if (clone / "docker-compose-dev.yaml").exists():
                docker("compose", "-f", "docker-compose-dev.yaml", "down", "--timeout", "5",
                       "--remove-orphans", cwd=clone, check=False)
            for image in stand_ins:
                docker("image", "rm", image, check=False)


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="course_tests.py", usage="course_tests.py DIR [--python PATH] [pytest's options]",
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False)
    parser.add_argument("tests", metavar="DIR", help="a copy of the course's tests")
    parser.add_argument("--python", metavar="PATH", help="the Python that runs them")
    args, options = parser.parse_known_args()
    if not args.tests:
        parser.error("there is no DIR (make course-tests TESTS=DIR)")
    return args, options


def main():
    args, options = parse_arguments()
    source = pathlib.Path(args.tests).resolve()
    try:
        test_files(source)
        check_project()
        with Engine():
            check_containers()
            return 0 if run_tests(source, args.python, options) == 0 else 1
    except (CannotRun, NoEngine, AssertionError) as reason:
        print(f"course-tests: error: {reason}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
