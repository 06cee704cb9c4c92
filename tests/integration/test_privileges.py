"""What the processes of a server may do and have open: no more than they need."""
import array
import collections
import itertools
import os
import pathlib
import re
import resource
import signal
import subprocess

from control_wire import Operator
from control_wire import pb as control
from fake_server import FakeServer
from programs import BIN, ROOT, Case, children_of, main, wait_until
from test_movements import MovementCase
from wire import Peer, bet, pb

# What every process has. Its log goes to stdout, a pipe in these tests, which is open twice.
STANDARD = {"stdin": 1, "stdout": 2, "stderr": 1}
# What a loop of libuv has: two pipes with both ends, for signals and between threads; and a spare
# descriptor, which it takes when it first meets a socket.
LOOP = {"epoll": 2, "signalfd": 1, "eventfd": 1, "pipe": 4}
# What counts are read from: only the supervisor keeps it open.
SCOREBOARD = {"/memfd:lottery-scoreboard (deleted)": 1}
DIRECTORIES = {"data": 1, "data/DRAW": 1}
PAGE = os.sysconf("SC_PAGE_SIZE")


def statuses(pid):
    """/proc/PID/status as a dictionary."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def core_limit(pid):
    """The soft limit of the size of a core file."""
    text = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return re.search(r"^Max core file size +(\S+)", text, re.M)[1]


def sockets():
    """What the kernel knows of each socket, by its inode."""
    kinds = {}
    for name in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            kinds[fields[9]] = "TCP, listening" if fields[3] == "0A" else "TCP"
    for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        kind = {"0001": "Unix stream", "0005": "Unix packets"}.get(fields[4], "Unix?")
        if int(fields[3], 16) & 0x10000:
            path = fields[7] if len(fields) > 7 else ""
            kind += ", listening" + ("" if path.startswith("@") else f" at {os.path.basename(path)}")
        kinds[fields[6]] = kind
    return kinds


class PrivilegesCase(Case):
    def kinds_of(self, pid, folder):
        """What the process has open: how many of each kind."""
        names = {}
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            names[int(fd.name)] = os.readlink(fd)
        known = sockets()
        kinds = collections.Counter()
        for fd, name in names.items():
            if fd in (0, 1, 2):
                kind = ("stdin", "stdout", "stderr")[fd]
            elif name == names[1]:
                kind = "stdout"
            elif name.startswith("socket:["):
                kind = known.get(name[8:-1], "socket?")
            elif name.startswith("pipe:["):
                kind = "pipe"
            elif name.startswith("anon_inode:"):
                kind = {"[eventpoll]": "epoll"}.get(name[11:], name[11:].strip("[]"))
            else:
                kind = name.replace(str(folder), "data")
            kinds[kind] += 1
        return kinds

    def assert_open(self, pid, folder, *expected, spare=()):
        """The process has exactly this open, and perhaps one of each of the spare kinds. What is on its
        way to be closed gets a moment."""
        wanted = collections.Counter()
        for part in expected:
            wanted.update(part)

        def difference():
            found = self.kinds_of(pid, folder)
            more = found - wanted
            missing = wanted - found
            return {**{kind: n for kind, n in more.items() if n > (kind in spare)},
                    **{kind: -n for kind, n in missing.items()}}
        try:
            wait_until(lambda: not difference(), "", seconds=5)
        except AssertionError:
            self.assertEqual(difference(), {}, "more (+) or fewer (-) are open than allowed")

    def assert_gave_up(self, pid):
        """It can get no new rights. No filter of system calls is in force but the one that we are
        under ourselves."""
        status = statuses(pid)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], statuses(os.getpid())["Seccomp"])

    def all_of(self, server):
        return [server.process.pid, *sum(server.children().values(), [])]


class Lottery(PrivilegesCase):
    """A server with an operator's draw. It is started by a shell that leaves files open."""

    LEAKY = ("sh", "-c", 'exec 7</dev/zero 9>>"$0.leak"; exec "$@"')

    def setUp(self):
        super().setUp()
        before = resource.getrlimit(resource.RLIMIT_CORE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, before)
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
        self.data = self.folder / "data"
        self.lottery = self.server(agencies=1, level="DEBUG", LOTTERY_DRAW="manual",
                                   LOTTERY_DRAW_ID="first", SERVER_HTTP_ADDRESS="0",
                                   # AddressSanitizer would set the limit of core files itself.
                                   ASAN_OPTIONS="detect_leaks=0:disable_coredump=0",
                                   launcher=(*self.LEAKY, self.folder / "leaky"))
        self.lottery.wait_ready()

    def ctl(self, *arguments):
        subprocess.run([BIN / "lottery-ctl", "--data-dir", self.data, *arguments], check=True,
                       capture_output=True, timeout=60)

    def check(self, draw, files=(), agencies=0, operators=0):
        """`agencies` and `operators` are connected; a worker has these files open."""
        directories = {name.replace("DRAW", draw): n for name, n in DIRECTORIES.items()}
        children = self.lottery.children()
        links = len(children["worker"]) + 2
        self.assert_open(self.lottery.process.pid, self.data, STANDARD, directories,
                         {"epoll": 1, "signalfd": 1, "eventfd": 1, "TCP, listening": 2,
                          "Unix stream, listening": 1, "Unix packets": 4}, SCOREBOARD)
        self.check_observer(children["observer"][0])
        self.assert_open(children["ledger"][0], self.data, STANDARD, directories, LOOP,
                         {"Unix stream, listening": 1, "Unix packets": 1, "Unix stream": links,
                          f"data/{draw}/bets.csv": 1, f"data/{draw}/bets.journal": 1})
        self.assert_open(children["coordinator"][0], self.data, STANDARD, directories, LOOP,
                         {"Unix stream, listening at control.sock": 1, "Unix packets": 1,
                          "Unix stream": 1 + operators}, spare=("/dev/null",))
        connections = 0
        for pid in children["worker"]:
            here = self.kinds_of(pid, self.data)["TCP"]
            connections += here
            self.assert_open(pid, self.data, STANDARD, directories, LOOP,
                             {"TCP, listening": 1, "Unix stream": 1, "TCP": here, "/dev/null": 1,
                              "/memfd:lottery-bets (deleted)": 1}, files, spare=("/dev/null",))
        self.assertEqual(connections, agencies)
        for pid in self.all_of(self.lottery):
            self.assert_gave_up(pid)

    def check_observer(self, pid):
        """It has no directory and no file, only what it listens on, asks and is told by. Of what it
        shares with others it can write to nothing but the time at which logs are given up."""
        self.assert_open(pid, self.data, STANDARD, LOOP,
                         {"TCP, listening": 1, "Unix stream": 1, "eventfd": 1, "epoll": 1},
                         spare=("/dev/null",))
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
        shared = [line.split() for line in maps if line.split()[1][3] == "s"]
        self.assertEqual(sorted((fields[1], fields[5]) for fields in shared),
                         [("r--s", "/memfd:lottery-scoreboard"), ("rw-s", "/dev/zero")])

    def test_descriptors(self):
        """Each process has what it needs, before and after a draw, with agencies and operators, in the
        next draw and after a restart; and nothing of who has started the server."""
        self.check("first")
        with Peer(self.lottery.port, 1, draw="first") as peer, \
                Operator(self.data / "control.sock") as operator:
            self.assertEqual(peer.bets([bet("7")]).received, 1)
            operator.status()
            self.check("first", agencies=1, operators=1)
            peer.send_finished(1)
            wait_until(lambda: operator.status().phase == control.PHASE_SEALED, "the seal")
            self.ctl("draw", "7574")
            self.assertEqual(peer.winners(), ["7"])
        self.check("first", {"data/first/winners.index": 1})
        self.ctl("next", "second")
        self.lottery.wait_line("accept_connections", "in_progress", count=4)
        self.check("second")
        os.kill(self.lottery.children()["worker"][0], signal.SIGKILL)
        os.kill(self.lottery.children()["coordinator"][0], signal.SIGKILL)
        os.kill(self.lottery.children()["ledger"][0], signal.SIGKILL)
        os.kill(self.lottery.children()["observer"][0], signal.SIGKILL)
        self.lottery.wait_line("start_process", "success", count=14)
        self.check("second")
        self.assertEqual(self.lottery.stop(), 0)

    def test_core_files(self):
        """Only the process that has had the key in its memory leaves no core file."""
        before = core_limit(os.getpid())
        if before == "0":
            self.skipTest("nobody leaves core files here")
        self.lottery.wait_line("seal_key", "success")
        children = self.lottery.children()
        self.assertEqual(core_limit(children["coordinator"][0]), "0")
        for pid in (self.lottery.process.pid, *children["worker"], *children["ledger"],
                    *children["observer"]):
            self.assertEqual(core_limit(pid), before)


class KeysCase(PrivilegesCase):
    """With TLS: the key of the server's certificate is in the memory of the supervisor and its workers
    alone."""

    def private_bytes(self, path):
        """What the key is in memory: libcrypto has the number in its own order of bytes, the file in
        that of the standard and as base64."""
        text = subprocess.run(["openssl", "pkey", "-in", path, "-noout", "-text"], check=True,
                              capture_output=True, text=True).stdout
        number = bytes.fromhex(re.sub(r"[\s:]", "", text.split("priv:")[1].split("pub:")[0]))[-32:]
        return number, number[::-1], path.read_bytes().split(b"\n")[2]

    def touched(self, pid, begin, end):
        """The stretches of memory between these addresses that the process has written to."""
        with open(f"/proc/{pid}/pagemap", "rb", 0) as pagemap:
            pagemap.seek(begin // PAGE * 8)
            pages = array.array("Q", pagemap.read((end - begin) // PAGE * 8))
        at = begin
        for is_there, run in itertools.groupby(pages, lambda page: page >> 62 != 0):  # or swapped out
            size = len(list(run)) * PAGE
            if is_there:
                yield at, size
            at += size

    def holds(self, pid, forms):
        """Is one of these in the process's memory?"""
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                begin, end = (int(part, 16) for part in line.split()[0].split("-"))
                if line.split()[1][:2] != "rw" or end - begin > 1 << 28:
                    continue  # AddressSanitizer reserves terabytes
                for at, size in self.touched(pid, begin, end):
                    memory.seek(at)
                    try:
                        data = memory.read(size)
                    except OSError:
                        continue
                    if any(form in data for form in forms):
                        return True
        return False

    def check(self, server, forms):
        children = server.children()
        for pid in (server.process.pid, *children["worker"]):
            self.assertTrue(self.holds(pid, forms))
            self.assertEqual(core_limit(pid), "0")
        for pid in (*children["ledger"], *children["coordinator"], *children["observer"]):
            self.assertFalse(self.holds(pid, forms))


class Keys(KeysCase):
    def test_memory(self):
        """At the start, and with another key after a reload, which leaves nothing of the old one."""
        certs = self.folder / "certs"
        make = [ROOT / "tools" / "make-certs.sh", certs, "1"]
        subprocess.run(make, check=True, capture_output=True)
        server = self.server(agencies=1, level="DEBUG", workers=1, SERVER_HTTP_ADDRESS="0",
                             TLS_CERT=str(certs / "server.crt"),
                             TLS_KEY=str(certs / "server.key"), TLS_CA=str(certs / "ca.crt"),
                             ASAN_OPTIONS="detect_leaks=0:disable_coredump=0")
        server.wait_ready()
        first = self.private_bytes(certs / "server.key")
        self.check(server, first)
        subprocess.run([*make, "--renew"], check=True, capture_output=True)
        server.signal(signal.SIGHUP)
        server.wait_line("recarga", "success")
        server.wait_line("start_process", "success", count=8)
        self.check(server, self.private_bytes(certs / "server.key"))
        for pid in self.all_of(server):
            self.assertFalse(self.holds(pid, first))
        self.assertEqual(server.stop(), 0)


class KeysLater(KeysCase, MovementCase):
    def test_memory(self):
        """TLS that is only turned on by a reload; once it is off again, nothing is left of the key."""
        certs = self.folder / "certs"
        subprocess.run([ROOT / "tools" / "make-certs.sh", certs, "1"], check=True, capture_output=True)
        server = self.start(1, {"LOTTERY_SEAL": "yes"}, workers=1, SERVER_HTTP_ADDRESS="0",
                            ASAN_OPTIONS="detect_leaks=0:disable_coredump=0")
        server.wait_ready()
        self.configure(1, LOTTERY_SEAL="yes", TLS_CERT=certs / "server.crt",
                       TLS_KEY=certs / "server.key", TLS_CA=certs / "ca.crt")
        self.reload(server)
        server.wait_line("start_process", "success", count=8)
        key = self.private_bytes(certs / "server.key")
        self.check(server, key)
        self.configure(1, LOTTERY_SEAL="yes")
        self.reload(server)
        server.wait_line("start_process", "success", count=12)
        for pid in self.all_of(server):
            self.assertFalse(self.holds(pid, key))
        self.assertEqual(server.stop(), 0)


class Scanners(PrivilegesCase):
    def test_descriptors(self):
        """A process that looks for winners has the directories, its own file, and a pipe by which its
        parent sees its end."""
        count, each = 30_000, 100
        for number in range(10):
            server = self.server(folder=self.folder / str(number), agencies=1, level="DEBUG")
            server.wait_ready()
            with Peer(server.port, timeout=60) as peer:
                for start in range(0, count, each):
                    peer.send_bets([bet(str(start + i), "A", "B") for i in range(each)], start)
                for _ in range(0, count, each):
                    self.assertEqual(peer.ack().code, pb.ACK_CODE_OK)
                coordinator = server.children()["coordinator"][0]
                peer.send_finished(count)
                pid = wait_until(lambda: children_of(coordinator), "a scanner", pause=0)[0]
                if self.stop_in_time(pid):
                    self.check(pid, server.folder)
                    return
            self.assertEqual(server.stop(), 0)
        self.fail("no signal came in time")

    def stop_in_time(self, pid):
        """Stops the scanner after it has closed what it does not need. Was it still there?"""
        def is_ready():
            try:
                return "Unix stream" not in self.kinds_of(pid, self.folder)
            except (FileNotFoundError, ProcessLookupError):
                return True
        try:
            wait_until(is_ready, "a scanner that has closed what it has inherited", pause=0)
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: statuses(pid)["State"][0] in "TZ", "the scanner to stop", pause=0)
            return statuses(pid)["State"][0] == "T"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def check(self, pid, folder):
        try:
            self.assert_open(pid, folder, STANDARD,
                             {"epoll": 1, "data": 2, "pipe": 1, "data/winners.part (deleted)": 1},
                             spare=("data/bets.csv",))
            self.assert_gave_up(pid)
        finally:
            os.kill(pid, signal.SIGCONT)


class Echo(PrivilegesCase):
    def test_descriptors(self):
        """There is no data directory, and no ledger."""
        server = self.server(level="DEBUG", mode="echo", launcher=(*Lottery.LEAKY, self.folder / "x"))
        server.wait_ready()
        self.assert_open(server.process.pid, self.folder, STANDARD,
                         {"epoll": 1, "signalfd": 1, "TCP, listening": 1}, SCOREBOARD)
        for pid in server.children()["worker"]:
            self.assert_open(pid, self.folder, STANDARD, LOOP, {"TCP, listening": 1, "/dev/null": 1})
        for pid in self.all_of(server):
            self.assert_gave_up(pid)
            self.assertEqual(core_limit(pid), core_limit(os.getpid()))
        self.assertEqual(server.stop(), 0)


class Agency(PrivilegesCase):
    def test_no_new_privileges(self):
        """It gives up the same, and keeps what it was started with: its file may be one of these."""
        path = self.folder / "bets.csv"
        path.write_text("Ana,Paz,30904465,1999-03-17,7574\r\n")
        with FakeServer() as fake:
            agency = self.agency(1, fake.port, path)
            with fake.accept():
                self.assert_gave_up(agency.process.pid)


if __name__ == "__main__":
    main()
