"""A server and its agencies, for measuring: their logs go to files.

Reading them from pipes, with a line per batch, would take a core from the programs.
"""
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from certificates import (agency_settings, of_agency, of_server,  # noqa: E402 - found through this
                          server_settings)
from programs import BIN, environment_with  # noqa: E402

LISTENING = re.compile(r"action: listen \| result: success \| port: (\d+)")
CLOSED = re.compile(r"action: close_process \| result: success \| process: (\w+) .*?pid: (\d+)")
SENT = re.compile(r"action: apuestas_enviadas \| result: success")
WINNERS = re.compile(r"action: consulta_ganadores \| result: success \| cant_ganadores: (\d+)")
BLOCK = 1 << 20  # bytes


def count_lines(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK), b""))


class Program:
    """One of the two programs, from the folder `bin_`. `prefix` is a command to run it under."""

    def __init__(self, name, log, settings, prefix=(), bin_=BIN):
        self.name = name
        self.log = pathlib.Path(log)
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen([*prefix, bin_ / name], cwd=self.log.parent,
                                            env=environment_with(settings), stdout=output,
                                            stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def wait(self, seconds):
        """Waits for the end without polling, which could cost 50 ms; the status has to be 0."""
        pidfd = os.pidfd_open(self.process.pid)
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(seconds * 1000):
                raise AssertionError(f"{self.name} runs longer than {seconds} s: {self.tail()}")
        finally:
            os.close(pidfd)
        if self.process.wait() != 0:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.tail()}")

    def stop(self, seconds=60):
        self.process.send_signal(signal.SIGTERM)
        self.wait(seconds)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def text(self):
        return self.log.read_text(errors="replace")

    def tail(self):
        return self.text()[-2000:]

    def wait_text(self, pattern, seconds=60):
        """Waits until the log matches; returns the match."""
        deadline = time.monotonic() + seconds
        while True:
            match = pattern.search(self.text())
            if match:
                return match
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.name} does not log {pattern.pattern}: {self.tail()}")
            time.sleep(0.0005)


class Lottery:
    """A server with a folder, and agencies; all of them end with the `with` block. `tls`: the authority
    with their certificates; None: without TLS."""

    def __init__(self, folder, agencies, prefix=(), bin_=BIN, tls=None, **settings):
        self.bin = bin_
        self.tls = tls
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.data.mkdir(exist_ok=True)
        self.agencies = {}
        self.server = Program("lottery-server", self.folder / "server.log", {
            "SERVER_PORT": "0", "SERVER_IP": "127.0.0.1", "SERVER_LISTEN_BACKLOG": "4096",
            "LOTTERY_AGENCIES": str(agencies), "LOTTERY_DATA_DIR": str(self.data),
            **(server_settings(of_server(tls), tls) if tls else {}), **settings},
            prefix, bin_)
        try:
            self.port = int(self.server.wait_text(LISTENING)[1])
        except AssertionError:
            self.server.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in [*self.agencies.values(), self.server]:
            program.kill()

    def start_agency(self, agency, file, prefix=()):
        self.agencies[agency] = Program("lottery-agency", self.folder / f"agency-{agency}.log", {
            "CLI_ID": str(agency), "CLI_SERVER_ADDRESS": f"127.0.0.1:{self.port}",
            "CLI_BETS_FILE": str(file), **(
                agency_settings(of_agency(agency, self.tls), self.tls) if self.tls else {})},
            prefix, self.bin)

    def start_agencies(self, dataset, prefix=()):
        for agency, file in enumerate(dataset.files, 1):
            self.start_agency(agency, file, prefix)

    def wait_sent(self, seconds=1800):
        """Waits until the bets of all are acknowledged and each has sent Finished."""
        for program in self.agencies.values():
            program.wait_text(SENT, seconds)

    def wait_agencies(self, dataset, seconds=1800):
        """Waits until each has logged its winners and ended."""
        for program in self.agencies.values():
            program.wait(seconds)
        told = sum(int(WINNERS.search(program.text())[1]) for program in self.agencies.values())
        if dataset.winners not in (None, told):
            raise AssertionError(f"the agencies got {told} winners of {dataset.winners}")

    def pids(self):
        """The processes of the server that run now."""
        supervisor = self.server.process.pid
        children = pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text()
        return [supervisor, *map(int, children.split())]

    def roles(self):
        """What each process of a stopped server was: {pid: 'worker'}."""
        roles = {int(pid): role for role, pid in CLOSED.findall(self.server.text())}
        return {self.server.process.pid: "supervisor", **roles}

    def check_stored(self, bets):
        stored = count_lines(self.data / "bets.csv")
        if stored != bets:
            raise AssertionError(f"{stored} bets are stored of {bets}")
