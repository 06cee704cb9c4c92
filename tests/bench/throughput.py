"""How long bets take: the floor, and ours with sets of several sizes."""
import collections
import resource
import shutil
import subprocess
import time

from dataset import Dataset
from lottery import BIN, Lottery

FLOOR_SECONDS = 1800
NS_PER_S = 1e9

# Of processes that have ended and been reaped: wall time, and processor time of all cores.
Cost = collections.namedtuple("Cost", "seconds cpu_seconds")


class Meter:
    """Measures from when it was made."""

    def __init__(self):
        self.begin = time.monotonic()
        self.cpu_begin = self.cpu()

    @staticmethod
    def cpu():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def seconds(self):
        return time.monotonic() - self.begin

    def cpu_seconds(self):
        return self.cpu() - self.cpu_begin


def run_floor(folder, dataset):
    """The time that sockets and disk need for the bytes of these bets."""
    files = dataset.files
    out = folder / "floor"
    meter = Meter()
    result = subprocess.run([BIN / "bench-floor", out, *files], check=True, text=True,
                            stdout=subprocess.PIPE, timeout=FLOOR_SECONDS)
    cost = Cost(meter.seconds(), meter.cpu_seconds())
    if not int(result.stdout) == out.stat().st_size == sum(file.stat().st_size for file in files):
        raise AssertionError(f"the floor stored {result.stdout} bytes")
    return cost


def run_ours(folder, dataset, bin_=BIN, tls=None):
    """The seconds are from the start of a server until each agency has its winners and has ended."""
    meter = Meter()
    with Lottery(folder, len(dataset.files), bin_=bin_, tls=tls) as lottery:
        lottery.start_agencies(dataset)
        lottery.wait_agencies(dataset)
        seconds = meter.seconds()
        lottery.server.stop()
        cost = Cost(seconds, meter.cpu_seconds())
        lottery.check_stored(dataset.bets)
    return cost


class Floor:
    """(a) Five senders, one receiver that syncs; see floor.c."""
    letter = "a"

    def __init__(self, plan):
        self.dataset = plan.dataset(plan.bets)

    def run(self, folder):
        cost = run_floor(folder, self.dataset)
        return {"floor_s": cost.seconds, "floor_cpu_s": cost.cpu_seconds,
                "floor_bets_per_s": self.dataset.bets / cost.seconds}


class Ours:
    """(b) A server and five agencies, end to end, on the same bets."""
    letter = "b"

    def __init__(self, plan):
        self.dataset = plan.dataset(plan.bets)
        self.previous = plan.previous

    def run(self, folder):
        return {**self.run_previous(folder), **self.run_this(folder)}

    def run_previous(self, folder):
        if self.previous is None:
            return {}
        cost = run_ours(folder, self.dataset, self.previous)
        shutil.rmtree(folder / "data")
        return {"previous_s": cost.seconds, "previous_cpu_s": cost.cpu_seconds}

    def run_this(self, folder):
        cost = run_ours(folder, self.dataset)
        return {"ours_s": cost.seconds, "ours_cpu_s": cost.cpu_seconds,
                "ours_bets_per_s": self.dataset.bets / cost.seconds,
                "ours_ns_per_bet": cost.seconds / self.dataset.bets * NS_PER_S,
                "ours_cpu_ns_per_bet": cost.cpu_seconds / self.dataset.bets * NS_PER_S}


class Growth:
    """(c) The cost of a bet with a tenth as many and, with --large, ten times as many."""
    letter = "c"

    def __init__(self, plan):
        self.datasets = {"tenth": plan.dataset(plan.bets // 10)}
        if plan.large:
            self.datasets["tenfold"] = plan.dataset(plan.bets * 10)

    def run(self, folder):
        figures = {}
        for name, dataset in self.datasets.items():
            part = folder / name
            part.mkdir()
            cost = run_ours(part, dataset)
            figures[f"{name}_ns_per_bet"] = cost.seconds / dataset.bets * NS_PER_S
            figures[f"{name}_cpu_ns_per_bet"] = cost.cpu_seconds / dataset.bets * NS_PER_S
        return figures


class Small:
    """(d) A set as big as the real one, including the start of all processes."""
    letter = "d"

    def __init__(self, plan):
        self.dataset = plan.dataset(plan.small_bets)
        if plan.small:
            self.dataset = Dataset([plan.small / file.name for file in self.dataset.files], plan.small_bets)

    def run(self, folder):
        return {"small_floor_s": run_floor(folder, self.dataset).seconds,
                "small_ours_s": run_ours(folder, self.dataset).seconds}
