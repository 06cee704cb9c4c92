"""Instructions per bet and stage, in an agency, a worker and the ledger, counted by callgrind.

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
ROW = re.compile(r"^\| ([^|]+?) \|((?: +[\d.,]* \|)+)$", re.M)
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
     r"|server/service/(dispatch|request|session|session_draw|service)\.c", "receive"),
    (r"transport/wire|:lottery__v1__(ack|winners)_|" + TRANSPORT, "send"),
    (CODEC + r"|server/service/", "decode"),
    (VALIDATE, "validate"),
    (r"common/bet/bet_line|common/base/word\.h:bet_line_", "format"),
    (r"server/ledger/", "link"),
    (r"common/base/log", "log"),
)
LEDGER = (
    (r"server/ledger/(ledger_process|link|message|region)", "link"),
    (r"server/ledger/|server/lottery/draw", "decide"),
    (r"common/base/crc32c", "checksum"),
    (r"server/store/", "write"),
    (r"common/base/log", "log"),
)
PROCESSES = {"agency": AGENCY, "worker": WORKER, "ledger": LEDGER}
STAGES = ("CSV parse", "encode", "send", "receive", "decode", "validate", "format", "link", "decide",
          "checksum", "write", "log", "other")


def by_stage(costs, stages):
    """Instructions per bet for each stage, from costs by (file, function)."""
    sums = collections.Counter()
    for place, cost in costs.items():
        name = ":".join(place)
        stage = next((stage for pattern, stage in stages if re.search(pattern, name)), "other")
        sums[stage] += cost / BETS
    return sums


def count(folder):
    """Sends a fixed set from one agency to one worker; returns the instructions by stage, for each of
    PROCESSES."""
    bets = dataset.make(folder, BETS, agencies=1)
    profile = f"--callgrind-out-file={folder}/callgrind.%p"
    with Lottery(folder, 1, [*UNDER_CALLGRIND, profile], SERVER_WORKERS="1") as lottery:
        lottery.start_agencies(bets, [*UNDER_CALLGRIND, profile])
        pids = {"agency": lottery.agencies[1].process.pid}
        lottery.wait_agencies(bets)
        lottery.server.stop()
        lottery.check_stored(BETS)
        pids.update((role, pid) for pid, role in lottery.roles().items() if role in PROCESSES)
    counts = {name: by_stage(own_costs(folder / f"callgrind.{pids[name]}", ROOT), stages)
              for name, stages in PROCESSES.items()}
    if not (counts["agency"]["CSV parse"] and counts["worker"]["decode"] and
            counts["ledger"]["decide"]):
        raise AssertionError("the programs were not built here, or without debug information")
    return counts


def made_with():
    """What the counts depend on besides our code."""
    compiler = subprocess.run(["cc", "--version"], check=True, stdout=subprocess.PIPE, text=True)
    has_avx2 = " avx2 " in pathlib.Path("/proc/cpuinfo").read_text()
    return (f"{compiler.stdout.splitlines()[0]}, {' '.join(platform.libc_ver())}, "
            f"{platform.machine()}{' with AVX2' if has_avx2 else ''}")


def table_of(counts):
    def cell(value):
        return f"{value:,.1f}" if value else ""

    def row(name, cells):
        return f"| {name} | {' | '.join(cells)} |\n"

    text = row("stage", counts) + "|---" + "|---:" * len(counts) + "|\n"
    for stage in STAGES:
        text += row(stage, (cell(stages[stage]) for stages in counts.values()))
    text += row("total", (cell(sum(stages.values())) for stages in counts.values()))
    return f"{text}\n{made_with()}.\n"


def read_table(text):
    """{(stage, process): instructions}."""
    return {(stage, name): float(value.strip().replace(",", "") or 0)
            for stage, cells in ROW.findall(text) if stage != "stage"
            for name, value in zip(PROCESSES, cells.split("|"))}


def growth(before, after):
    """What has grown too much, as one line each."""
    return [f"{name}, {stage}: {before.get((stage, name), 0):,.1f} before, {value:,.1f} now"
            for (stage, name), value in after.items()
            if value > before.get((stage, name), 0) * GROWTH + (stage != "total") * NOISE]


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
        table = table_of(count(pathlib.Path(folder)))
    print(f"instructions per bet, in each process:\n\n{table}")
    if arguments.update:
        DOCUMENT.write_text(TABLE.sub(lambda found: found[1] + table + found[3],
                                      DOCUMENT.read_text()))
    return check(table) if arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
