"""How long bets take: the floor, ours at several sizes, ours on a set of real size."""
import subprocess
import time

from dataset import Dataset
from lottery import BIN, Lottery

FLOOR_SECONDS = 1800


def run_floor(folder, dataset):
    """Seconds that sockets and disk take for the bytes of these bets."""
    files = dataset.files
    out = folder / "floor"
    begin = time.monotonic()
    result = subprocess.run([BIN / "bench-floor", out, *files], check=True, text=True,
                            stdout=subprocess.PIPE, timeout=FLOOR_SECONDS)
    seconds = time.monotonic() - begin
    if not int(result.stdout) == out.stat().st_size == sum(file.stat().st_size for file in files):
        raise AssertionError(f"the floor stored {result.stdout} bytes")
    return seconds


def run_ours(folder, dataset):
    """Seconds from the start of a server until each agency has told its winners and ended."""
    begin = time.monotonic()
    with Lottery(folder, len(dataset.files)) as lottery:
        lottery.start_agencies(dataset)
        lottery.wait_agencies(dataset)
        seconds = time.monotonic() - begin
        lottery.server.stop()
        lottery.check_stored(dataset.bets)
    return seconds


class Floor:
    """(a) Five senders, one receiver that syncs; see floor.c."""
    letter = "a"

    def __init__(self, plan):
        self.dataset = plan.dataset(plan.bets)

    def run(self, folder):
        return {"floor_s": run_floor(folder, self.dataset)}


class Ours:
    """(b) A server and five agencies, end to end, on the same bets."""
    letter = "b"

    def __init__(self, plan):
        self.dataset = plan.dataset(plan.bets)

    def run(self, folder):
        return {"ours_s": run_ours(folder, self.dataset)}


class Growth:
    """(c) The cost of a bet in a tenth and, when asked for, in ten times as many."""
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
            figures[f"{name}_ns_per_bet"] = run_ours(part, dataset) / dataset.bets * 1e9
        return figures


class Small:
    """(d) A set as big as the real one, with the start of all processes."""
    letter = "d"
    BETS = 78_697

    def __init__(self, plan):
        self.dataset = plan.dataset(self.BETS)
        if plan.small:
            self.dataset = Dataset([plan.small / file.name for file in self.dataset.files], self.BETS)

    def run(self, folder):
        return {"small_floor_s": run_floor(folder, self.dataset),
                "small_ours_s": run_ours(folder, self.dataset)}
