"""An honest agency and the server's memory beside connections that send garbage (../integration/flood.py)."""
import pathlib
import re
import resource
import shutil
import statistics
import time

from lottery import BIN, Lottery  # finds the two from tests/integration
from flood import FloodProcess
from memory import MIB_PER_KIB, kib_of
from wire import Peer, bet

ZEROS = 100              # connections of (k)
BATCH = 100              # bets
CROWDS = (500, 3000)     # connections of (l)
AT_ONCE = 1_000_000      # connections a second: as fast as they can be opened
PER_SECOND = 1000        # connections a second of (m)
SETTLE_SECONDS = 60
SLOW_SECONDS = 600
SPARE_DESCRIPTORS = 256
STARTED = re.compile(r"action: start_process \| result: success \| process: (\w+) .*?pid: (\d+)")
NS_PER_S = 1e9


def allow_descriptors(count):
    """For the servers that are started from here as well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(count + SPARE_DESCRIPTORS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def cpu_seconds(pids):
    """Processor time that these processes have used so far; each has one thread."""
    return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])
               for pid in pids) / NS_PER_S


def worker_mib(lottery, field):
    """The largest worker's."""
    workers = [pid for role, pid in STARTED.findall(lottery.server.text()) if role == "worker"]
    return max(kib_of(f"/proc/{pid}/status", field) for pid in workers) * MIB_PER_KIB


class Runs:
    """Runs with our programs and, if there is one, with the previous release."""

    def __init__(self, plan):
        self.bins = {"": BIN, **({"previous_": plan.previous} if plan.previous else {})}

    def run(self, folder):
        figures = {}
        for name, bin_ in self.bins.items():
            part = folder / f"{name}run"
            part.mkdir()
            for figure, value in self.measure(part, bin_).items():
                figures[name + figure] = value
            shutil.rmtree(part)
        return figures

    def measure(self, folder, bin_):
        raise NotImplementedError


class Honest(Runs):
    """(k) Batches of an honest agency, one in flight, beside 100 connections that send zeros without end."""
    letter = "k"

    def __init__(self, plan):
        super().__init__(plan)
        self.batches = max(min(plan.messages // 20, 200), 5)

    def measure(self, folder, bin_):
        times = []
        bets = [bet(str(i)) for i in range(BATCH)]
        with Lottery(folder, 2, bin_=bin_) as lottery, Peer(lottery.port, 1, timeout=120) as peer:
            peer.received()
            with FloodProcess(lottery.port, "endless", ZEROS, AT_ONCE, nice=0) as flood:
                while flood.counts().opened < ZEROS:
                    time.sleep(0.05)
                for i in range(self.batches):
                    begin = time.monotonic()
                    if peer.bets(bets, i * BATCH).received != (i + 1) * BATCH:
                        raise AssertionError("a batch was not stored")
                    times.append((time.monotonic() - begin) * 1000)
            lottery.server.stop()
            lottery.check_stored(self.batches * BATCH)
        return {"median_ms": statistics.median(times), "worst_ms": max(times)}


class Crowd(Runs):
    """(l) Memory of a worker beside 500 and 3,000 connections that send 64 KiB of zeros, or of questions."""
    letter = "l"

    def __init__(self, plan):
        super().__init__(plan)
        self.crowds = [min(crowd, plan.crowd) for crowd in CROWDS]
        allow_descriptors(max(self.crowds))

    def measure(self, folder, bin_):
        figures = {}
        for kind in ("zeros", "questions") if bin_ is BIN else ("zeros",):
            for name, crowd in zip(CROWDS, self.crowds):
                part = folder / f"{kind}{name}"
                part.mkdir()
                peak, after = self.peak_of(part, bin_, kind, crowd)
                figures[f"{kind}_{name}_mib"] = peak
                figures[f"{kind}_{name}_after_mib"] = after
        return figures

    @staticmethod
    def peak_of(folder, bin_, kind, crowd):
        with Lottery(folder, 2, bin_=bin_, LOGGING_LEVEL="DEBUG") as lottery:
            with Peer(lottery.port, 1, timeout=SLOW_SECONDS) as peer:
                with FloodProcess(lottery.port, kind, crowd, AT_ONCE) as flood:
                    deadline = time.monotonic() + SETTLE_SECONDS
                    while flood.counts().opened < crowd and time.monotonic() < deadline:
                        time.sleep(0.05)
                    for _ in range(10):
                        peer.received()  # all that came before it has been taken in
                        time.sleep(0.2)
                peak = worker_mib(lottery, "VmHWM")
                for _ in range(20):
                    peer.received()
                    time.sleep(0.2)
                after = worker_mib(lottery, "VmRSS")
            lottery.server.stop()
            return peak, after


class Flooded(Runs):
    """(m) Five agencies beside 5,000 connections of garbage, replaced by up to 1,000 a second."""
    letter = "m"

    def __init__(self, plan):
        super().__init__(plan)
        self.dataset = plan.dataset(plan.bets)
        self.crowd = plan.crowd
        allow_descriptors(self.crowd)

    def measure(self, folder, bin_):
        figures = {}
        for name, crowd in (("alone", 0), ("flooded", self.crowd)):
            part = folder / name
            part.mkdir()
            # One more agency, without bets, keeps the server's processes until they are measured.
            last = len(self.dataset.files) + 1
            with Lottery(part, last, bin_=bin_) as lottery, \
                    FloodProcess(lottery.port, "mixed", crowd, PER_SECOND) as flood:
                while flood.counts().opened < crowd:
                    time.sleep(0.05)
                begin, cpu_begin = time.monotonic(), cpu_seconds(lottery.pids())
                lottery.start_agencies(self.dataset)
                lottery.wait_sent()
                figures[f"{name}_cpu_s"] = cpu_seconds(lottery.pids()) - cpu_begin
                figures[f"{name}_s"] = time.monotonic() - begin
                peaks = {pid: kib_of(f"/proc/{pid}/status", "VmHWM") for pid in lottery.pids()}
                with Peer(lottery.port, last, timeout=600) as peer:
                    peer.finish(0)
                lottery.wait_agencies(self.dataset)
                lottery.server.stop()
                lottery.check_stored(self.dataset.bets)
                figures[f"{name}_worker_mib"] = MIB_PER_KIB * max(
                    peaks[pid] for pid, role in lottery.roles().items() if role == "worker")
        return figures
