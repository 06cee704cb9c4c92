"""What every round of the crash harness needs: a server on a bad network, its agencies, kills, stops."""
import os
import pathlib
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from certificates import (agency_context, agency_settings, of_agency, of_server,  # noqa: E402
                          server_settings)
from programs import SANITIZER, Server, wait_until  # noqa: E402
from wire import Peer  # noqa: E402
from proxy import Proxy  # noqa: E402

ROLES = ("server", "ledger", "worker", "coordinator", "scanner", "agency", "ctl")


class Tally:
    """What happened in all rounds of a run."""

    def __init__(self):
        self.kills = dict.fromkeys(ROLES, 0)
        self.stops = 0
        self.cuts = 0
        self.retries = 0
        self.rounds = 0
        self.tls = 0  # rounds over TLS, of either kind
        self.renewals = 0  # reloads with other certificates
        self.bets = 0
        self.lost = 0
        self.doubled = 0
        self.draws = 0
        self.days = 0  # rounds with an operator; the next ones are about these
        self.manual_draws = 0
        self.closings = {"all": 0, "operator": 0, "time": 0}
        self.seals = 0
        self.nexts = 0
        self.reloads = 0
        self.commands = 0
        self.late = 0  # bets after the closing
        self.unsealed = 0  # numbers without a seal
        self.most_numbers = 0  # that one draw has had
        self.faults = []

    def report(self, seed, seconds):
        print(f"seed {seed}, {seconds:.0f} s, {self.rounds} rounds, {self.bets} bets, "
              f"{sum(self.kills.values())} kills survived ({self.kills}), {self.stops} stops, "
              f"{self.cuts} connections cut, {self.retries} retries, {self.tls} rounds over TLS: "
              f"lost {self.lost}, doubled {self.doubled}, draws {self.draws}; by operators: "
              f"{self.days} days, {self.commands} commands, {self.manual_draws} draws, closings "
              f"{self.closings}, {self.seals} seals, {self.nexts} next, {self.reloads} reloads, "
              f"{self.renewals} of them with new certificates: after the closing {self.late}, "
              f"unsealed {self.unsealed}, numbers per draw {self.most_numbers}")
        for fault in self.faults:
            print(f"FAULT: {fault}")


class Scene:
    """A server with a folder of its own, and agencies that reach it over a bad network. `tls`: the
    authority with their certificates; None: without TLS."""

    def __init__(self, generator, tally, agencies, tls):
        self.generator = generator
        self.tls = tls
        self.tally = tally
        self.count = agencies
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lottery-chaos-"))
        self.data = self.folder / "data"
        self.data.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.proxy = Proxy(self.port, generator.random())
        self.server = None
        self.servers = []
        self.stopped = []  # (when to continue it, pid)
        self.is_over = threading.Event()  # nothing more is killed

    def fault(self, text):
        self.tally.faults.append(text)

    def start_server(self):
        self.server = wait_until(self.try_server, "a server that starts", 20)
        self.servers.append(self.server)

    def revive_server(self):
        if self.server.process.poll() is not None:
            self.server.kill()
            self.start_server()

    def try_server(self):
        try:
            return self.make_server()
        except AssertionError as error:
            if "Address already in use" in str(error):
                return None  # the kernel still holds the port of the last one
            raise

    def make_server(self):
        return Server(self.data, agencies=self.count, port=self.port, level="DEBUG",
                      **self.server_tls())

    def server_tls(self):
        """The server's settings for TLS, if it is used."""
        if self.tls is None:
            return {}
        crl = self.tls.folder / "ca.crl"
        return server_settings(of_server(self.tls), self.tls, crl if crl.exists() else None)

    def agency_tls(self, agency):
        return agency_settings(of_agency(agency, self.tls), self.tls) if self.tls else {}

    def connect(self, agency, **arguments):
        """A connection of our own, without the bad network."""
        context = agency_context(of_agency(agency, self.tls), self.tls) if self.tls else None
        return Peer(self.port, agency, tls=context, **arguments)

    def pid_of(self, role):
        pids = self.server.children()[role]
        return self.generator.choice(pids) if pids else None

    def kill_pid(self, pid, role):
        """SIGKILL to a process that may be gone; it counts if it was there."""
        try:
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                self.tally.kills[role] += 1
        except ProcessLookupError:
            pass

    def stop_pid(self, pid):
        """SIGSTOP to a process that may be gone; SIGCONT comes later."""
        if pid is None:
            return
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return
        self.tally.stops += 1
        self.stopped.append((time.monotonic() + self.generator.uniform(0.05, 0.8), pid))

    def go_on(self, everybody=False):
        for entry in list(self.stopped):
            if everybody or time.monotonic() >= entry[0]:
                self.stopped.remove(entry)
                try:
                    os.kill(entry[1], signal.SIGCONT)
                except ProcessLookupError:
                    pass

    def end(self, programs):
        """Ends these programs and all servers, and removes the folder."""
        self.go_on(everybody=True)
        for program in [*self.servers, *programs]:
            program.kill()
            if SANITIZER.search(program.output()):
                self.fault(program.output()[-3000:])
        self.tally.cuts += self.proxy.cuts
        self.proxy.close()
        if not self.tally.faults:
            shutil.rmtree(self.folder)
        else:
            print(f"kept: {self.folder}", flush=True)

    def own_generator(self):
        """For another thread."""
        return random.Random(self.generator.random())
