#!/usr/bin/env python3
"""`make test` as a newcomer runs it: on a bare Debian of each release, in a container.

    tools/test-releases.py [RELEASE]...        default: bookworm trixie

Tested is a fresh clone with the tracked files as they are in the working folder, committed or not (a
new file counts from `git add` on). The container has what its base image has. As the clone is made
outside, only `make` is installed of what README asks for; `make test` as root has to do the rest, and
to leave the clone as it was. All that is printed there goes to build-releases/RELEASE.log.

The Docker engine that runs is used; else one is installed and started, as in tests/e2e. Nothing stays
but the logs and the base images. Status 0: all passed; 1: one did not, or there is no engine.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from engine import Engine, NoEngine, run  # noqa: E402

LOGS = ROOT / "build-releases"
RELEASES = ("bookworm", "trixie")
SECONDS = 7200  # after which a release has failed

# The clone comes on stdin. What README asks for before `make test` is installed here, no more.
COMMANDS = """
set -eu
mkdir /root/lottery
cd /root/lottery
tar --extract --no-same-owner
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends make
make test < /dev/null
changed=$(git diff --stat; git ls-files --others --exclude-standard)
[ -z "$changed" ] || {
    echo "make test has changed files of the clone:"
    echo "$changed"
    exit 1
}
"""
# How ctest ends, the tests that it says failed, and what tools/run-tests.sh says was skipped.
SUMMARY = re.compile(r"^\d+% tests passed, (\d+) tests failed out of (\d+)$", re.M)
FAILED = re.compile(r"^\s+\d+ - (\S+ \((?!Skipped|Disabled)[^)]*\))", re.M)
SKIPPED = re.compile(r"^skipped: .*$", re.M)


def make_clone(folder):
    """A fresh clone; what is not committed yet is in its index and working folder."""
    clone = folder / "clone"
    run("git", "clone", "--quiet", "--no-hardlinks", ROOT, clone)
    patch = folder / "patch"
    patch.write_bytes(subprocess.run(["git", "-C", ROOT, "diff", "--binary", "HEAD"], check=True,
                                     stdout=subprocess.PIPE).stdout)
    if patch.stat().st_size > 0:
        run("git", "-C", clone, "apply", "--index", patch)
    archive = folder / "clone.tar"
    run("tar", "--create", "--file", archive, "--directory", clone, ".")
    return archive


def run_container(release, archive, log):
    """The status with which the commands ended, or what became of them."""
    name = f"lottery-test-{release}-{os.getpid()}"
    # As on a machine: a process 1 that reaps orphans, and more than 64 MiB in /dev/shm.
    command = ["docker", "run", "--interactive", "--rm", "--init", "--shm-size", "2g",
               "--name", name, f"debian:{release}-slim", "sh", "-c", COMMANDS]
    try:
        with archive.open("rb") as stdin:
            return "status {}".format(subprocess.run(
                command, stdin=stdin, stdout=log, stderr=log, timeout=SECONDS).returncode)
    except subprocess.TimeoutExpired:
        return f"not done after {SECONDS} s"
    finally:
        run("docker", "rm", "--force", "--volumes", name, check=False)


def test(release, archive):
    """(whether it passed, the report)."""
    path = LOGS / f"{release}.log"
    place = path.relative_to(ROOT)
    print(f"{release}: make test runs, see {place}", flush=True)
    start = time.monotonic()
    with path.open("wb") as log:
        end = run_container(release, archive, log)
    minutes = (time.monotonic() - start) / 60
    output = path.read_text(encoding="utf-8", errors="replace")
    summary = SUMMARY.search(output)
    tests, failed = (int(summary.group(2)), int(summary.group(1))) if summary else (0, 0)
    passed = end == "status 0" and tests > 0 and failed == 0
    report = [f"{release}: {'passed' if passed else 'FAILED'}, {end}, {tests} tests of which {failed} "
              f"failed, {minutes:.0f} min, see {place}"]
    if summary:
        report += [f"failed: {name}" for name in FAILED.findall(output, summary.end())]
        report += SKIPPED.findall(output, summary.end()) or ["nothing was skipped"]
    return passed, "\n    ".join(report)


def main(releases):
    if any(not re.fullmatch("[a-z]+", release) for release in releases):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    # The container is removed, and the engine stopped, also where this is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    LOGS.mkdir(exist_ok=True)
    results = []
    with tempfile.TemporaryDirectory(prefix="lottery-releases-") as folder:
        archive = make_clone(pathlib.Path(folder))
        try:
            with Engine(*releases):
                for release in releases:
                    results.append(test(release, archive))
        except NoEngine as reason:
            print(f"no Docker engine: {reason}")
            return 1
    for _, report in results:
        print(report)
    return 0 if all(passed for passed, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or RELEASES))
