"""The Docker engine of the tests: the one that runs here, or one that they start and stop."""
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 60
CAP_NET_ADMIN = 12
CAP_SYS_ADMIN = 21
THINGS = {
    "containers": ("ps", "-aq"),
    "networks": ("network", "ls", "-q"),
    "volumes": ("volume", "ls", "-q"),
    "dangling images": ("images", "-q", "--filter", "dangling=true"),
}


class NoEngine(Exception):
    """Why there is none."""


def run(*command, check=True, seconds=120, **options):
    """Runs a command to its end; if it fails and must not, raises an error with all that it printed."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done


def docker(*arguments, **options):
    """What a docker command prints."""
    return run("docker", *arguments, **options).stdout


def inventory():
    """What the engine has of each kind of thing that tests must not leave behind."""
    return {kind: set(docker(*command).split()) for kind, command in THINGS.items()}


def may_start_one():
    """Whether this process may do what an engine does: mount, and set up networks. Not so in a
    container without privileges."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    capabilities = int(re.search(r"^CapEff:\s*(\w+)$", status, re.M).group(1), 16)
    return all(capabilities >> number & 1 for number in (CAP_NET_ADMIN, CAP_SYS_ADMIN))


class Engine:
    """Context: an engine with Compose and the base images of these Debian releases. Missing parts are
    installed, and a dockerd that was started here is stopped."""

    def __init__(self, *releases):
        self.releases = releases
        self.daemon = None
        self.log = None

    def __enter__(self):
        if not self.runs() and not may_start_one():
            raise NoEngine("none runs here, and to start one takes CAP_NET_ADMIN and CAP_SYS_ADMIN: "
                           "root, and no container around it")
        install = run(ROOT / "tools" / "install-docker.sh", check=False, seconds=600)
        if install.returncode != 0:
            raise NoEngine(install.stdout + install.stderr)
        if not self.runs():
            self.start()
        try:
            for release in self.releases:
                self.bring_base_image(release)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @staticmethod
    def bring_base_image(release):
        base = run(ROOT / "tests" / "e2e" / "make-base-image.sh", release, check=False, seconds=600)
        if base.returncode != 0:
            raise NoEngine(f"no base image: {base.stdout}{base.stderr}")

    @staticmethod
    def runs():
        return (shutil.which("docker") is not None and
                run("docker", "info", check=False).returncode == 0)

    def start(self):
        self.log = tempfile.TemporaryFile(mode="w+")
        # However the tests end, their daemon ends with them.
        self.daemon = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "dockerd"],
                                       stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + START_SECONDS
        while not self.runs():
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                self.stop()
                self.log.seek(0)
                raise NoEngine("dockerd does not start: " + self.log.read()[-2000:])
            time.sleep(0.2)

    def stop(self):
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait(timeout=60)
