"""Measures the lottery, and the least that sockets and disk need for it (the floor), in turns.

Prints a table with median, minimum and maximum of each figure, and the goals, and writes all samples as
JSON. `make bench` builds what it needs. The data is made once and kept. The subjects write to the same
file system, so that one is measured. Exit status: 0 measured, whatever the figures; 1 could not measure.
"""
import argparse
import functools
import json
import os
import pathlib
import platform
import shutil
import statistics
import sys
import tempfile

import dataset
from databases import Databases
from garbage import Crowd, Flooded, Honest
from goals import judge
from latency import Latency
from memory import Peak, Waiting, Winners
from observed import Observed
from raffle import Raffle
from throughput import Floor, Growth, Ours, Small
from tls import Encrypted, Handshakes
from certificates import make_authority

ROOT = pathlib.Path(__file__).resolve().parents[2]
CERTIFICATES = 5  # agencies
SUBJECTS = (Floor, Ours, Growth, Small, Latency, Raffle, Waiting, Peak, Winners,
            Honest, Crowd, Flooded, Encrypted, Handshakes, Observed, Databases)


class Plan:
    """What is measured, and on which data."""
    small_bets = 78_697  # as many as the real agencies have

    def __init__(self, arguments, scratch):
        self.scratch = scratch  # a folder for the subjects, on the measured file system
        self.folder = arguments.dir
        self.bets = arguments.bets
        self.large = arguments.large
        self.small = arguments.small
        self.messages = arguments.messages
        self.agencies = arguments.agencies
        self.previous = arguments.previous
        self.winners = arguments.winners
        self.crowd = arguments.crowd
        self.handshakes = arguments.handshakes

    @functools.cached_property
    def authority(self):
        """Whose certificates the server and the agencies have."""
        folder = self.scratch / "certificates"
        folder.mkdir()
        return make_authority(folder, CERTIFICATES)

    def dataset(self, bets):
        return dataset.make(self.folder, bets)


def measure(subjects, rounds, scratch):
    """Runs all subjects once per round, each round starting with another one; returns the samples."""
    samples = {}
    for number in range(rounds):
        begin = number % len(subjects)
        for subject in subjects[begin:] + subjects[:begin]:
            print(f"round {number + 1}/{rounds}: {type(subject).__doc__}", file=sys.stderr)
            folder = scratch / "turn"
            folder.mkdir()
            os.sync()  # this subject must not wait for what others have written
            for name, value in subject.run(folder).items():
                samples.setdefault(f"{subject.letter}_{name}", []).append(value)
            shutil.rmtree(folder)
    return samples


def machine():
    return {"cores": os.cpu_count(), "kernel": platform.release(), "machine": platform.machine()}


def short(value):
    """Three digits or more, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def report(samples, goals):
    print(f"{'figure':32}{'median':>14}{'min':>14}{'max':>14}")
    for name, values in sorted(samples.items()):
        print(f"{name:32}" + "".join(f"{short(value):>14}" for value in (
            statistics.median(values), min(values), max(values))))
    print(f"\n{'goal':58}{'is':>10}{'wanted':>12}")
    for goal in goals:
        print(f"{goal['goal']:58}{goal['is']:10.3g}{goal['wanted']:>12}  "
              f"{'met' if goal['met'] else 'NOT MET'}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0],
                                     epilog="Subjects: " + "; ".join(
                                         subject.__doc__ for subject in SUBJECTS))
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--bets", type=int, default=5_000_000, help="default 5 million")
    parser.add_argument("--large", action="store_true", help="also ten times as many bets")
    parser.add_argument("--only", metavar="a,b", help="only these subjects")
    parser.add_argument("--small", metavar="DIR", type=pathlib.Path,
                        help="agency-1.csv .. agency-5.csv for (d); default: made")
    parser.add_argument("--messages", type=int, default=5000,
                        help="bets of (e) on one connection, default 5000")
    parser.add_argument("--agencies", type=int, default=10_000,
                        help="connections of (g), default 10000")
    parser.add_argument("--previous", metavar="BIN", type=pathlib.Path,
                        help="bin folder of another release, for (b) and (e) in the same run")
    parser.add_argument("--crowd", type=int, default=5000,
                        help="connections of garbage of (m), and at most those of (l), default 5000")
    parser.add_argument("--handshakes", type=int, default=2000,
                        help="connections of (o), default 2000")
    parser.add_argument("--winners", type=int, default=1_000_000,
                        help="winning bets of (j), default a million")
    parser.add_argument("--dir", type=pathlib.Path, default=ROOT / ".data" / "bench",
                        help="where the data is kept and the subjects write, default .data/bench")
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path,
                        default=ROOT / "build" / "bench.json", help="default build/bench.json")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    letters = arguments.only.split(",") if arguments.only else [s.letter for s in SUBJECTS]
    arguments.dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=arguments.dir) as folder:
        plan = Plan(arguments, pathlib.Path(folder))
        subjects = [subject(plan) for subject in SUBJECTS if subject.letter in letters]
        samples = measure(subjects, arguments.rounds, plan.scratch)
    goals = judge({name: statistics.median(values) for name, values in samples.items()})
    report(samples, goals)
    arguments.json.write_text(json.dumps(
        {"machine": machine(), "rounds": arguments.rounds, "bets": arguments.bets,
         "samples": samples, "goals": goals}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
