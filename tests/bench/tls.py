"""What TLS costs: for bets, and for agencies that connect."""
import contextlib
import os
import shutil

from lottery import Lottery  # it says where the next ones are
from certificates import agency_context, of_agency
from garbage import allow_descriptors, cpu_seconds
from memory import pss_kib
from throughput import run_ours
from wire import Peer

AGENCIES = 5
WARM_UP = 20  # connections
US_PER_S = 1e6


class Encrypted:
    """(n) As (b), plain and over TLS in turn."""
    letter = "n"

    def __init__(self, plan):
        self.dataset = plan.dataset(plan.bets)
        self.order = [("plain", None), ("tls", plan.authority)]

    def run(self, folder):
        costs = {}
        for name, tls in self.order:
            part = folder / name
            part.mkdir()
            os.sync()  # it must not wait for what the other one has written
            costs[name] = run_ours(part, self.dataset, tls=tls)
            shutil.rmtree(part)
        self.order.reverse()
        figures = {"more_cpu_s": costs["tls"].cpu_seconds - costs["plain"].cpu_seconds}
        for name, cost in costs.items():
            figures.update({f"{name}_s": cost.seconds, f"{name}_cpu_s": cost.cpu_seconds})
        return figures


class Handshakes:
    """(o) Agencies that connect and ask, one after the other, and then do nothing; plain and over TLS."""
    letter = "o"

    def __init__(self, plan):
        self.connections = plan.handshakes
        self.authority = plan.authority
        allow_descriptors(self.connections)

    def run(self, folder):
        figures = {}
        for name, tls in (("plain", None), ("tls", self.authority)):
            part = folder / name
            part.mkdir()
            cpu, kib = self.measure(part, tls)
            figures[f"{name}_cpu_us"] = cpu / self.connections * US_PER_S
            figures[f"{name}_kib"] = kib / self.connections
        figures["tls_per_cpu_s"] = US_PER_S / figures["tls_cpu_us"]
        return figures

    def measure(self, folder, tls):
        """The server's processor time, and its memory at the end."""
        contexts = [tls and agency_context(of_agency(agency, tls), tls)
                    for agency in range(1, AGENCIES + 1)]
        with Lottery(folder, AGENCIES, tls=tls) as lottery, contextlib.ExitStack() as stack:
            def connect(i):
                peer = stack.enter_context(Peer(lottery.port, i % AGENCIES + 1, timeout=120,
                                                tls=contexts[i % AGENCIES]))
                peer.received()
            for i in range(WARM_UP):  # what the first ones allocate once is not part of the figures
                connect(i)
            pids = lottery.pids()
            cpu, kib = cpu_seconds(pids), pss_kib(pids)
            for i in range(self.connections):
                connect(i)
            cpu, kib = cpu_seconds(pids) - cpu, pss_kib(pids) - kib
            stack.close()
            lottery.server.stop()
        return cpu, kib
