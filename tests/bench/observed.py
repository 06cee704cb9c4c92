"""What it costs the workers that many look at the server."""
import contextlib
import os
import re
import shutil
import subprocess
import time

from lottery import BIN, Lottery
from garbage import NS_PER_S, cpu_seconds

HTTP = re.compile(r"action: http_listen \| result: success \| port: (\d+)")
PER_SECOND = 1000  # requests
PATHS = ("/metrics", "/api/status", "/api/agencies", "/healthz")


class Asker:
    """Asks the observer as long as the `with` block lasts; then it has `per_second`."""

    def __init__(self, port):
        self.port = port
        self.per_second = None

    def __enter__(self):
        self.process = subprocess.Popen([BIN / "bench-asker", str(self.port), str(PER_SECOND), *PATHS],
                                        stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *failed):
        self.process.terminate()
        output = self.process.communicate(timeout=20)[0]
        if self.process.returncode != 0 and failed[0] is None:
            raise AssertionError(f"bench-asker ended with {self.process.returncode}")
        if output:
            count, nanoseconds = map(int, output.split())
            self.per_second = count / nanoseconds * NS_PER_S


class Observed:
    """(p) As (b), in turn alone and with 1,000 requests a second on the observer: the workers' time."""
    letter = "p"

    def __init__(self, plan):
        self.dataset = plan.dataset(plan.bets)
        self.order = [("alone", False), ("asked", True)]

    def run(self, folder):
        figures = {}
        for name, is_asked in self.order:
            part = folder / name
            part.mkdir()
            os.sync()  # it must not wait for what the other one has written
            for figure, value in self.measure(part, is_asked).items():
                figures[f"{name}_{figure}"] = value
            shutil.rmtree(part)
        self.order.reverse()
        figures["asked_to_alone"] = figures["asked_workers_cpu_s"] / figures["alone_workers_cpu_s"]
        return figures

    def measure(self, folder, is_asked):
        figures = {}
        with Lottery(folder, len(self.dataset.files), SERVER_HTTP_ADDRESS="0") as lottery:
            port = int(lottery.server.wait_text(HTTP)[1])
            with Asker(port) if is_asked else contextlib.nullcontext() as asker:
                begin = time.monotonic()
                lottery.start_agencies(self.dataset)
                lottery.wait_agencies(self.dataset)
                figures["s"] = time.monotonic() - begin
            if is_asked:
                figures["per_s"] = asker.per_second
            used = {pid: cpu_seconds([pid]) for pid in lottery.pids()}
            lottery.server.stop()
            roles = lottery.roles()
            lottery.check_stored(self.dataset.bets)
        figures["workers_cpu_s"] = sum(cpu for pid, cpu in used.items() if roles.get(pid) == "worker")
        return figures
