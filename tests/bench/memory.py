"""Memory of the server: while agencies wait, and at its peak while bets come in."""
import contextlib
import pathlib
import re
import resource
import threading

import dataset
from lottery import Lottery
from wire import Peer

DRAW_SECONDS = 600
SPARE_DESCRIPTORS = 256
MIB_PER_KIB = 1 / 1024
SAMPLE_SECONDS = 0.02


def kib_of(path, field):
    """A field in kB of a file in /proc."""
    return int(re.search(rf"^{field}:\s+(\d+) kB", pathlib.Path(path).read_text(), re.M)[1])


def pss_kib(pids):
    """Memory of these processes; shared pages count once."""
    return sum(kib_of(f"/proc/{pid}/smaps_rollup", "Pss") for pid in pids)


class Sampler(threading.Thread):
    """Follows the memory of a server's processes, those that come later and their children included:
    peaks of what is theirs alone or shared with each other, without the pages of files."""

    def __init__(self, supervisor):
        super().__init__()
        self.supervisor = supervisor
        self.peaks_kib = {}
        self.is_done = threading.Event()
        self.start()

    def run(self):
        while not self.is_done.wait(SAMPLE_SECONDS):
            for pid in descendants(self.supervisor):
                with contextlib.suppress(OSError, TypeError):  # it has ended
                    status = f"/proc/{pid}/status"
                    kib = kib_of(status, "RssAnon") + kib_of(status, "RssShmem")
                    self.peaks_kib[pid] = max(kib, self.peaks_kib.get(pid, 0))

    def stop(self):
        self.is_done.set()
        self.join()
        return self.peaks_kib


def descendants(pid):
    yield pid
    with contextlib.suppress(OSError):
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from descendants(int(child))


def peak_mib(pid):
    return kib_of(f"/proc/{pid}/status", "VmHWM") * MIB_PER_KIB


class Waiting:
    """(g) 10,000 agencies are connected, and all but one wait for the draw."""
    letter = "g"

    def __init__(self, plan):
        self.agencies = plan.agencies
        wanted = self.agencies + SPARE_DESCRIPTORS
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))

    def run(self, folder):
        with Lottery(folder, self.agencies) as lottery, contextlib.ExitStack() as stack:
            with Peer(lottery.port, 1) as peer:
                peer.received()  # what the first connection allocates once is not part of the figure
            before = pss_kib(lottery.pids())
            peers = [stack.enter_context(Peer(lottery.port, agency, timeout=120))
                     for agency in range(1, self.agencies + 1)]
            for peer in peers[:-1]:
                peer.send_finished(0)
            for peer in peers:
                peer.received()  # sent after Finished, so answered after it
            during = pss_kib(lottery.pids())
            if peers[-1].finish(0) or any(peer.winners() for peer in peers[:-1]):
                raise AssertionError("somebody won without a bet")
            lottery.server.stop()
        return {"idle_mib": before * MIB_PER_KIB,
                "kib_per_connection": (during - before) / self.agencies}


class Peak:
    """(h) The peak of each process while the bets of (b) come in and the draw is held."""
    letter = "h"

    def __init__(self, plan):
        self.dataset = plan.dataset(plan.bets)

    def run(self, folder):
        # One more agency, without bets, keeps the others waiting while they are measured.
        last = len(self.dataset.files) + 1
        with Lottery(folder, last) as lottery:
            lottery.start_agencies(self.dataset)
            lottery.wait_sent()
            agencies = [peak_mib(program.process.pid) for program in lottery.agencies.values()]
            with Peer(lottery.port, last, timeout=DRAW_SECONDS) as peer:
                peer.finish(0)
            lottery.wait_agencies(self.dataset)
            server = {pid: peak_mib(pid) for pid in lottery.pids()}
            lottery.server.stop()
            lottery.check_stored(self.dataset.bets)
        figures = {"agency_mib": max(agencies), "server_mib": sum(server.values())}
        for pid, role in lottery.roles().items():
            name = f"{role}_mib"
            figures[name] = max(server[pid], figures.get(name, 0))
        return figures


class Winners:
    """(j) A draw in which every bet wins: the largest process of the server, from the first bet until all
    winners are sent, beyond the pages of files."""
    letter = "j"

    def __init__(self, plan):
        self.dataset = dataset.make(plan.folder, plan.winners, winners=plan.winners)

    def run(self, folder):
        with Lottery(folder, len(self.dataset.files)) as lottery:
            sampler = Sampler(lottery.server.process.pid)
            try:
                lottery.start_agencies(self.dataset)
                lottery.wait_agencies(self.dataset)
            finally:
                peaks = sampler.stop()
            lottery.server.stop()
            lottery.check_stored(self.dataset.bets)
        return {"process_mib": max(peaks.values()) * MIB_PER_KIB}
