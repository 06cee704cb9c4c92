#!/usr/bin/python3
"""For a while, breaks everything that can break; then checks that no bet was lost or stored twice.

Rounds of two kinds take turns: draws that hold themselves, here, and draws that an operator runs, in
manual.py. Every second one of each kind speaks TLS: an encrypted connection is slowed and cut like any
other, and an operator renews certificates.

Each round here has a new folder and agencies with known bets on a bad network. At random moments the server,
the ledger, a worker, the coordinator, one of its scanners or an agency gets SIGKILL or SIGSTOP, and
batches are sent again, late, twice and on two connections at once. At the end of a round everything must
be as if nothing had happened: all bets are stored, each once and in its agency's order, the draw was held
once and one line reports it, each agency got its own winners, and --check calls the folder sound.

    make chaos SECONDS=60
    make chaos CHAOS='--tls all'
    tests/chaos/chaos.py --seconds 600 --seed 7

The random choices depend only on the seed, but the timing of the processes does not.
"""
import argparse
import faulthandler
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

from scene import Scene, Tally  # it says where the others are
from certificates import make_authority
from manual import Day
from programs import BIN, Program, children_of
from wire import bet, pb

WINNER = 7574


class Round(Scene):
    """One draw that holds itself."""

    def __init__(self, generator, tally, agencies, bets, tls):
        super().__init__(generator, tally, agencies, tls)
        self.rows = {}
        self.agencies = {}
        self.winners = {}
        for agency in range(1, agencies + 1):
            self.rows[agency] = [
                ("Ana María", f"d'Olivo, {agency}", f"{agency:02}{i:06}", "1984-02-29",
                 WINNER if generator.random() < 0.01 else generator.randrange(7000))
                for i in range(generator.randrange(bets // 2, bets))]
            with open(self.path(agency), "w", encoding="utf-8", newline="") as file:
                for first, last, document, date, number in self.rows[agency]:
                    file.write(f'{first},"{last}",{document},{date},{number}\r\n')

    def path(self, agency):
        return self.folder / f"agency-{agency}.csv"

    def start_agency(self, agency):
        self.agencies[agency] = Program("lottery-agency", [], {
            "CLI_ID": str(agency), "CLI_SERVER_ADDRESS": f"127.0.0.1:{self.proxy.port}",
            "CLI_BATCH_MAXAMOUNT": str(self.generator.choice((1, 7, 50, 1000))),
            "CLI_BETS_FILE": str(self.path(agency)), "CLI_CONNECT_TIMEOUT": "60s",
            **self.agency_tls(agency)}, self.folder)

    def waiting_agencies(self):
        return [agency for agency in self.agencies if agency not in self.winners]

    def kill(self, role):
        if role == "server":
            self.server.signal(signal.SIGKILL)
            self.server.kill()
            self.start_server()
        elif role == "agency":
            agency = self.generator.choice(self.waiting_agencies())
            if self.agencies[agency].process.poll() is None:
                self.agencies[agency].kill()
                self.start_agency(agency)
        else:
            pid = self.pid_of(role)
            if pid is None:
                return
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return
        self.tally.kills[role] += 1

    def stop_for_a_while(self):
        """Sends SIGSTOP to one of the processes but the supervisor; SIGCONT comes later."""
        role = self.generator.choice(("ledger", "worker", "coordinator", "agency"))
        pid = self.agencies[self.generator.choice(self.waiting_agencies())].process.pid \
            if role == "agency" else self.pid_of(role)
        self.stop_pid(pid)

    def retry(self):
        """Sends bets that the agency has sent or is about to send, on two more connections at once, as
        a second agency with the same file would."""
        agency = self.generator.choice(list(self.rows))
        rows = self.rows[agency]
        at = self.generator.randrange(len(rows))
        bets = [bet(document, first, last, date, number)
                for first, last, document, date, number in rows[at:at + 40]]

        def send():
            try:
                with self.connect(agency, timeout=2) as peer:
                    for _ in range(2):
                        ack = peer.bets(bets, at)
                        if ack.code not in (pb.ACK_CODE_OK, pb.ACK_CODE_OFFSET_GAP,
                                            pb.ACK_CODE_DRAW_CLOSED):
                            self.tally.faults.append(f"a retry was answered with {ack}")
            except Exception:  # noqa: BLE001 - the server may be gone at any moment
                pass
        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.tally.retries += 2

    def reap_agencies(self):
        for agency, program in self.agencies.items():
            if agency in self.winners or program.process.poll() is None:
                continue
            status = program.wait()
            lines = program.lines("consulta_ganadores", "success")
            if status != 0 or len(lines) != 1:
                self.tally.faults.append(f"agency {agency} ended with {status}: "
                                         f"{program.output()[-2000:]}")
                self.winners[agency] = None
            else:
                self.winners[agency] = int(lines[0].details["cant_ganadores"])

    def break_something(self):
        what = self.generator.random()
        if what < 0.10:
            self.kill("server")
        elif what < 0.30:
            self.kill("ledger")
        elif what < 0.50:
            self.kill("worker")
        elif what < 0.60:
            self.kill("coordinator")
        elif what < 0.70:
            self.kill("agency")
        elif what < 0.82:
            self.stop_for_a_while()
        else:
            self.retry()

    def haunt_the_draw(self, generator):
        """A draw is held within milliseconds, and only then has the coordinator processes of its own: as
        soon as there is one, kills something, a few times a round. Runs on a thread of its own."""
        kills = generator.randrange(4)
        while kills > 0 and not self.is_over.wait(0.002):
            supervisor = self.server.process.pid
            children = children_of(supervisor)
            drawing = [pid for pid in children if children_of(pid)]
            if not drawing:
                continue
            role, pid = generator.choice((
                ("server", supervisor), ("ledger", children[0]), ("coordinator", drawing[0]),
                ("scanner", next(iter(children_of(drawing[0])), None))))
            self.is_over.wait(generator.choice((0, 0, 0.001, 0.003)))
            try:
                if pid is not None and self.server.process.poll() is None:
                    os.kill(pid, signal.SIGKILL)
                    self.tally.kills[role] += 1
                    kills -= 1
            except ProcessLookupError:
                pass

    def run(self, until):
        haunter = threading.Thread(target=self.haunt_the_draw,
                                   args=(random.Random(self.generator.random()),))
        self.start_server()
        haunter.start()
        try:
            self.run_agencies(until)
        finally:
            self.is_over.set()
            haunter.join()
            self.end(self.agencies.values())

    def run_agencies(self, until):
        for agency in self.rows:
            self.start_agency(agency)
        while self.waiting_agencies():
            time.sleep(self.generator.uniform(0.02, 0.2))
            self.revive_server()
            self.go_on()
            self.reap_agencies()
            if not self.waiting_agencies():
                break
            if time.monotonic() > until:
                self.proxy.calm_down()
                if time.monotonic() > until + 90:
                    self.tally.faults.append("the round did not end: " + "\n".join(
                        program.output()[-800:] for agency, program in self.agencies.items()
                        if agency not in self.winners) + self.server.output()[-3000:])
                    return
                continue
            self.break_something()
        self.is_over.set()
        self.go_on(everybody=True)
        self.revive_server()
        if self.server.stop() != 0:
            self.tally.faults.append("the server did not stop cleanly: " +
                                     self.server.output()[-3000:])
        self.check()

    def check(self):
        """Compares what is stored with what was sent."""
        stored = {agency: [] for agency in self.rows}
        for row in self.server.bets():
            fields = row.split(b",")
            stored[int(fields[0])].append(fields[-3].decode())
        for agency, rows in self.rows.items():
            sent = [row[2] for row in rows]
            self.tally.bets += len(sent)
            self.tally.lost += len(set(sent) - set(stored[agency]))
            self.tally.doubled += len(stored[agency]) - len(set(stored[agency]))
            if stored[agency] != sent:
                self.tally.faults.append(f"agency {agency}: stored differs from sent")
            won = [row[2] for row in rows if row[4] == WINNER]
            told = self.winners.get(agency)
            if told is not None and told != len(won):
                self.tally.faults.append(f"agency {agency} was told {told} winners of {len(won)}")
        winners = (self.folder / "data" / "winners.csv").read_text().split()
        expected = {f"{agency},{row[2]}" for agency, rows in self.rows.items()
                    for row in rows if row[4] == WINNER}
        if sorted(winners) != sorted(expected):
            self.tally.faults.append("winners.csv is not right")
        self.check_draw(len(expected))
        self.tally.rounds += 1

    def check_draw(self, count):
        """One draw is recorded. A server that lived through it reports it once, and of no failure
        afterwards; if none did, the one that held it was killed before it could."""
        result = subprocess.run([BIN / "lottery-server", "--check", self.folder / "data"],
                                text=True, capture_output=True, timeout=60)
        held = result.stdout.count(f"raffle: held with number {WINNER}, {count} winners\n")
        self.tally.draws += held
        if result.returncode != 0 or held != 1:
            self.tally.faults.append(f"--check: {result.returncode} {result.stdout}{result.stderr}")
        told = [[line.result for line in server.lines("sorteo")] for server in self.servers]
        lines = sum(results.count("success") for results in told)
        if lines > 1 or (lines == 0 and len(self.servers) == 1):
            self.tally.faults.append(f"{lines} lines report the draw")
        if any("success" in results[:-1] for results in told):
            self.tally.faults.append(f"a draw that was held failed afterwards: {told}")


def run_rounds(arguments, generator, tally, authority):
    """Until the time is over, and there was one of each kind; or until something is wrong."""
    begin = time.monotonic()
    kinds = {"both": (Round, Day), "auto": (Round,), "manual": (Day,)}[arguments.kind]
    spent = dict.fromkeys(kinds, 0)
    # Of two kinds one begins with TLS and one without, so that a short run has both.
    first = generator.randrange(2)
    turns = {kind: (first + i) % 2 for i, kind in enumerate(kinds)}
    while (time.monotonic() - begin < arguments.seconds or 0 in spent.values()) and not tally.faults:
        kind = min(kinds, key=spent.get)
        has_tls = arguments.tls == "all" or (arguments.tls == "some" and turns[kind] % 2 == 0)
        turns[kind] += 1
        tally.tls += has_tls
        started = time.monotonic()
        round_ = kind(generator, tally, arguments.agencies, arguments.bets, authority if has_tls else None)
        round_.run(min(begin + arguments.seconds, started + 30))
        spent[kind] += time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=20, help="how long it runs (default 20)")
    parser.add_argument("--seed", type=int, default=None, help="default: random, and printed")
    parser.add_argument("--agencies", type=int, default=8, help="per round (default 8)")
    parser.add_argument("--kind", choices=("both", "auto", "manual"), default="both",
                        help="draws that hold themselves, those of an operator, or in turn (default)")
    parser.add_argument("--bets", type=int, default=3000, help="per agency at most (default 3000)")
    parser.add_argument("--tls", choices=("some", "all", "none"), default="some",
                        help="which rounds use TLS; some: every second one (default)")
    arguments = parser.parse_args()
    if not (BIN / "lottery-server").exists():
        parser.error("the programs are not built: make build")
    seed = arguments.seed if arguments.seed is not None else random.randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    faulthandler.dump_traceback_later(arguments.seconds + 300, exit=True)  # it hangs: says where
    generator = random.Random(seed)
    tally = Tally()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lottery-chaos-certificates-") as folder:
        authority = None if arguments.tls == "none" else make_authority(pathlib.Path(folder),
                                                                        arguments.agencies + 1)
        run_rounds(arguments, generator, tally, authority)
    tally.report(seed, time.monotonic() - begin)
    if tally.faults or tally.lost or tally.doubled or tally.draws != tally.rounds:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
