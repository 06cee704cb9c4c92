"""How long bets take: the floor, ours at several sizes, ours on a set of real size."""
import subprocess
import time

from lottery import BIN, Lottery

FLOOR_SECONDS = 1800


def files_of(folder):
    return [folder / f"agency-{agency}.csv" for agency in range(1, 6)]


def run_floor(folder, files):
    """Seconds that sockets and disk take for the bytes of these files."""
    out = folder / "floor"
    begin = time.monotonic()
    result = subprocess.run([BIN / "bench-floor", out, *files], check=True, text=True,
                            stdout=subprocess.PIPE, timeout=FLOOR_SECONDS)
    seconds = time.monotonic() - begin
    if not int(result.stdout) == out.stat().st_size == sum(file.stat().st_size for file in files):
        raise AssertionError(f"the floor stored {result.stdout} bytes")
    return seconds


def run_ours(folder, files, bets):
    """Seconds from the start of a server until each agency has told its winners and ended."""
    begin = time.monotonic()
    with Lottery(folder, len(files)) as lottery:
        for agency, file in enumerate(files, 1):
            lottery.start_agency(agency, file)
        lottery.wait_agencies()
        seconds = time.monotonic() - begin
        lottery.server.stop()
        lottery.check_stored(bets)
    return seconds


class Floor:
    """(a) Five senders, one receiver that syncs; see floor.c."""
    letter = "a"

    def __init__(self, plan):
        self.files = files_of(plan.bets_folder(plan.bets))

    def run(self, folder):
        return {"floor_s": run_floor(folder, self.files)}


class Ours:
    """(b) A server and five agencies, end to end, on the same bets."""
    letter = "b"

    def __init__(self, plan):
        self.bets = plan.bets
        self.files = files_of(plan.bets_folder(plan.bets))

    def run(self, folder):
        return {"ours_s": run_ours(folder, self.files, self.bets)}


class Growth:
    """(c) The cost of a bet in a tenth and, when asked for, in ten times as many."""
    letter = "c"

    def __init__(self, plan):
        sizes = {"tenth": plan.bets // 10, **({"tenfold": plan.bets * 10} if plan.large else {})}
        self.sets = {name: (bets, files_of(plan.bets_folder(bets))) for name, bets in sizes.items()}

    def run(self, folder):
        figures = {}
        for name, (bets, files) in self.sets.items():
            part = folder / name
            part.mkdir()
            figures[f"{name}_ns_per_bet"] = run_ours(part, files, bets) / bets * 1e9
        return figures


class Small:
    """(d) A set as big as the real one, with the start of all processes."""
    letter = "d"
    BETS = 78_697

    def __init__(self, plan):
        self.files = files_of(plan.small or plan.bets_folder(self.BETS))

    def run(self, folder):
        return {"small_floor_s": run_floor(folder, self.files),
                "small_ours_s": run_ours(folder, self.files, self.BETS)}
