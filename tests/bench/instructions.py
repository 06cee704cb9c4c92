"""Instructions per bet and stage, in an agency and in a worker, counted by callgrind.

Prints the table; --update writes it into docs/performance.md, between its markers; --check fails
when a stage or a total is more than 5 % larger than written there. The counts of two runs differ by
a thousandth at most. Another compiler, machine or C library gives other counts: if the table was made
with another one, --check only says so. Exit status: 0 fine, 1 larger or could not count.
"""
import argparse
import collections
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

import dataset
from callgrind import own_costs
from lottery import Lottery

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "performance.md"
TABLE = re.compile("(<!-- instructions:begin -->\n)(.*?)(<!-- instructions:end -->)", re.S)
ROW = re.compile(r"^\| ([^|]+?) +\| +([\d.,]*) \| +([\d.,]*) \|$", re.M)
BETS = 100_000
MEMORY = "/dev/shm"
GROWTH = 1.05
NOISE = 8  # instructions per bet that a stage may grow by: the size of groups depends on chance
UNDER_CALLGRIND = ("valgrind", "--tool=callgrind", "--separate-callers=8")

# Which stage a function belongs to: the first whose pattern is found in "file:function".
READING = r"transport/stream.*:stream_(on_)?(read|alloc)|transport/frame.*:frame_(reader|decode)"
VALIDATE = r"common/bet/(bet|utf8)\.|common/base/(word|text)\.h:(utf8|bet)_"
CODEC = r"common/transport/(bet_codec|wire)|gen/"
TRANSPORT = r"common/transport/(stream|frame)|common/base/(buffer|list)"
AGENCY = (
    (r"client/bets_file/|common/bet/csv_line", "CSV parse"),
    (VALIDATE, "validate"),
    (READING + r"|:lottery__v1__(ack|winners)_", "receive"),
    (r"client/transport/batch|" + CODEC, "encode"),
    (TRANSPORT + r"|client/transport/", "send"),
    (r"common/base/log", "log"),
)
WORKER = (
    (READING + r"|server/transport/(lottery_conn|conn)\.c"
     r"|server/service/(dispatch|request|session|service)\.c", "receive"),
    (r"transport/wire|:lottery__v1__(ack|winners)_|" + TRANSPORT, "send"),
    (CODEC + r"|server/service/", "decode"),
    (VALIDATE, "validate"),
    (r"server/lottery/|common/bet/csv_line|common/base/word\.h:bets_csv_", "format"),
    (r"server/store/csv/committer", "sync"),
    (r"server/store/", "write"),
    (r"common/base/log", "log"),
)
STAGES = ("CSV parse", "encode", "send", "receive", "decode", "validate", "format", "write", "sync",
          "log", "other")


def by_stage(costs, stages):
    """Instructions per bet for each stage, from costs by (file, function)."""
    sums = collections.Counter()
    for place, cost in costs.items():
        name = ":".join(place)
        stage = next((stage for pattern, stage in stages if re.search(pattern, name)), "other")
        sums[stage] += cost / BETS
    return sums


def count(folder):
    """Sends a fixed set from one agency to one worker; returns the instructions of both by stage."""
    bets = dataset.make(folder, BETS, agencies=1)
    profile = f"--callgrind-out-file={folder}/callgrind.%p"
    with Lottery(folder, 1, [*UNDER_CALLGRIND, profile], SERVER_WORKERS="1") as lottery:
        lottery.start_agencies(bets, [*UNDER_CALLGRIND, profile])
        agency = lottery.agencies[1].process.pid
        lottery.wait_agencies(bets)
        lottery.server.stop()
        lottery.check_stored(BETS)
        worker = next(pid for pid, role in lottery.roles().items() if role == "worker")
    counts = (by_stage(own_costs(folder / f"callgrind.{agency}", ROOT), AGENCY),
              by_stage(own_costs(folder / f"callgrind.{worker}", ROOT), WORKER))
    if not counts[0]["CSV parse"] or not counts[1]["decode"]:
        raise AssertionError("the programs were not built here, or without debug information")
    return counts


def made_with():
    """What the counts depend on besides our code."""
    compiler = subprocess.run(["cc", "--version"], check=True, stdout=subprocess.PIPE, text=True)
    has_avx2 = " avx2 " in pathlib.Path("/proc/cpuinfo").read_text()
    return (f"{compiler.stdout.splitlines()[0]}, {' '.join(platform.libc_ver())}, "
            f"{platform.machine()}{' with AVX2' if has_avx2 else ''}")


def table_of(agency, worker):
    def cell(value):
        return f"{value:,.1f}" if value else ""

    rows = [(stage, agency[stage], worker[stage]) for stage in STAGES]
    rows.append(("total", sum(agency.values()), sum(worker.values())))
    text = "| stage | agency | worker |\n|---|---:|---:|\n"
    for stage, *values in rows:
        text += f"| {stage} | {cell(values[0])} | {cell(values[1])} |\n"
    return f"{text}\n{made_with()}.\n"


def read_table(text):
    """{(stage, column): instructions}."""
    return {(stage, column): float(value.replace(",", "") or 0)
            for stage, *values in ROW.findall(text) if stage != "stage"
            for column, value in zip(("agency", "worker"), values)}


def growth(before, after):
    """What has grown too much, as one line each."""
    return [f"{column}, {stage}: {before.get((stage, column), 0):,.1f} before, {value:,.1f} now"
            for (stage, column), value in after.items()
            if value > before.get((stage, column), 0) * GROWTH + (stage != "total") * NOISE]


def check(table):
    written = TABLE.search(DOCUMENT.read_text())[2]
    if made_with() not in written:
        print(f"not compared: the table in {DOCUMENT.relative_to(ROOT)} was made with another compiler "
              "or machine")
        return 0
    grown = growth(read_table(written), read_table(table))
    print("\n".join(f"grown: {line}" for line in grown) or "nothing has grown by more than 5 %")
    return 1 if grown else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--update", action="store_true", help="write the table into docs/performance.md")
    what.add_argument("--check", action="store_true", help="compare with the table there")
    arguments = parser.parse_args()
    # Not on a disk: the time of a sync decides how many batches are written together.
    with tempfile.TemporaryDirectory(prefix="lottery-instructions-", dir=MEMORY) as folder:
        table = table_of(*count(pathlib.Path(folder)))
    print(f"instructions per bet, in an agency and in a worker:\n\n{table}")
    if arguments.update:
        DOCUMENT.write_text(TABLE.sub(lambda found: found[1] + table + found[3],
                                      DOCUMENT.read_text()))
    return check(table) if arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
