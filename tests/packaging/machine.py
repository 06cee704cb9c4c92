"""A bare Debian with systemd as process 1, in namespaces of its own: processes, mounts, network.

It needs root, because services get namespaces and users of their own, and an archive of Debian packages.
Of this machine it shares the kernel, but may neither load modules nor set the clock, and /sys and
/proc/sys are not writable. It has its own /dev, and its own loopback and no other network.
"""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from engine import may_start_one  # noqa: E402

SECONDS = 60
PAUSE = 0.05  # seconds between two looks
# Runs in the new namespaces, with the folder of the root as its argument.
BOOT = """
set -eu
cd "$1"
mount --make-rprivate /
mount --bind . .
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0'; do
    set -- $node
    mknod -m 666 "dev/$1" c "$2" "$3"
done
# Not chroot: nobody in one may make a namespace for users.
pivot_root . mnt
cd /
umount --lazy mnt
exec env -i container=lottery-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-sys_boot \\
    /lib/systemd/systemd --unit=multi-user.target --log-target=journal
"""
# What is of no use here, or would look at this machine's devices.
MASKED = ("getty.target", "systemd-modules-load.service", "systemd-udevd.service",
          "systemd-tmpfiles-setup-dev.service", "systemd-tmpfiles-setup-dev-early.service",
          "dev-hugepages.mount", "dev-mqueue.mount", "sys-fs-fuse-connections.mount",
          "sys-kernel-debug.mount", "sys-kernel-tracing.mount")


class NoMachine(Exception):
    """Why there is none."""


def cgroup_folder():
    """Our own folder in the tree of cgroup 2, wherever that is mounted."""
    mounts = pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8")
    found = re.search(r"^\S+ (\S+) cgroup2 ", mounts, re.M)
    own = re.search(r"^0::(.*)$", pathlib.Path("/proc/self/cgroup").read_text(encoding="utf-8"), re.M)
    if not found or not own:
        raise NoMachine("cgroup 2 is not mounted")
    return pathlib.Path(found[1] + own[1])


class Machine:
    """Context: a machine of a Debian release with these packages and what they need."""

    def __init__(self, release, packages):
        self.release = release
        self.packages = packages
        self.stack = contextlib.ExitStack()
        self.root = None
        self.process = None  # unshare, whose child is process 1
        self.first = None    # the pid of that

    def __enter__(self):
        if not may_start_one():
            raise NoMachine("to start one takes CAP_NET_ADMIN and CAP_SYS_ADMIN: root, and no "
                            "container around it")
        with contextlib.ExitStack() as stack:
            self.root = self.make_root(stack)
            self.boot(self.make_cgroup(stack), stack)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def make_root(self, stack):
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"lottery-{self.release}-"))
        stack.callback(shutil.rmtree, folder)
        root = folder / "root"
        done = subprocess.run([ROOT / "tests" / "e2e" / "bare-debian.sh", self.release, root,
                               "--mode=root", f"--include={','.join(self.packages)}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise NoMachine(f"no bare Debian {self.release}: {done.stdout[-2000:]}")
        # What the installer of Debian writes, but for its own name.
        (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="ascii")
        for unit in MASKED:
            (root / "etc" / "systemd" / "system" / unit).symlink_to("/dev/null")
        return root

    def make_cgroup(self, stack):
        """A folder for all of its processes: the root of the tree that it sees."""
        folder = cgroup_folder() / f"lottery-{self.release}-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError as reason:
            raise NoMachine(str(reason)) from reason
        stack.callback(self.remove_cgroup, folder)
        return folder

    @staticmethod
    def remove_cgroup(folder):
        """Removes it with all below, once the last processes in it have ended."""
        deadline = time.monotonic() + SECONDS
        while folder.exists():
            try:
                for path in sorted((path for path in folder.rglob("*") if path.is_dir()),
                                   key=lambda path: -len(path.parts)):
                    path.rmdir()
                folder.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE)

    def boot(self, cgroup, stack):
        # The child moves itself before it makes the namespaces. However we end, all of it ends with us.
        start = (f"echo $$ > {cgroup}/cgroup.procs && exec setpriv --pdeathsig KILL unshare --mount "
                 "--pid --net --ipc --uts --cgroup --fork --kill-child sh -c \"$1\" boot \"$2\"")
        log = stack.enter_context(tempfile.TemporaryFile(mode="w+"))
        self.process = subprocess.Popen(["sh", "-c", start, "start", BOOT, self.root],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(self.stop)
        deadline = time.monotonic() + SECONDS
        state = ""
        while state not in ("running", "degraded"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                raise NoMachine(f"systemd does not start here: {state} {log.read()[-2000:]}")
            time.sleep(PAUSE)
            state = self.state()

    def state(self):
        if self.first is None:
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            pids = children.read_text(encoding="ascii").split()
            # Before it is systemd it is still the script.
            if not pids or pathlib.Path(f"/proc/{pids[0]}/comm").read_text() != "systemd\n":
                return ""
            self.first = pids[0]
        return self.run("systemctl", "is-system-running", check=False)

    def stop(self):
        """Ends all of its processes: they do not outlive the first."""
        self.process.kill()
        self.process.wait(SECONDS)

    def run(self, *command, check=True, status=0):
        """Runs a command in it, and returns what it prints."""
        done = subprocess.run(["nsenter", "--target", self.first, "--mount", "--pid", "--net", "--ipc",
                               "--uts", "--cgroup", "--root", "--wdns=/root", *map(str, command)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                                   "DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_PAGER": ""})
        if check and done.returncode != status:
            raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}")
        return done.stdout.strip()

    def path(self, absolute):
        """Where a file of it is here."""
        return self.root / absolute.lstrip("/")
