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
from lottery import Lottery  # it says where the next one is
from certificates import make_authority

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "performance.md"
TABLE = re.compile("(<!-- instructions:begin -->\n)(.*?)(<!-- instructions:end -->)", re.S)
ROW = re.compile(r"^\| ([^|]+?) \|((?: +[\d.,]* \|)+)$", re.M)
BETS = 100_000
MEMORY = "/dev/shm"
GROWTH = 1.05
NOISE = 8  # instructions per bet that a stage may grow by: the size of groups depends on chance
UNDER_CALLGRIND = ("valgrind", "--tool=callgrind")
CALLERS = 8  # by which a function is told apart: as far as it is from what calls a library to its depth
TLS_CALLERS = 16

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
    (READING + r"|server/transport/(lottery_conn|conn)\.[ch]|server/scoreboard/"
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
    (r"server/ledger/|server/lottery/draw|server/scoreboard/", "decide"),
    (r"common/base/crc32c", "checksum"),
    (r"server/store/|server/process/sync_timer", "write"),
    (r"common/base/log", "log"),
)
LIBRARIES = ("libssl", "libcrypto")
ENCRYPTED = (
    (r"^lib(ssl|crypto):tls_session_(read|write)$", "encryption"),
    (r"^lib(ssl|crypto):|transport/tls/tls_memory", "handshake"),
    (r"common/transport/tls/|transport/stream_tls|:tls_", "TLS"),
)
PROCESSES = {"agency": AGENCY, "worker": WORKER, "ledger": LEDGER,
             "agency, TLS": ENCRYPTED + AGENCY, "worker, TLS": ENCRYPTED + WORKER}
STAGES = ("CSV parse", "encode", "send", "TLS", "encryption", "handshake", "receive", "decode", "validate",
          "format", "link", "decide", "checksum", "write", "log", "other")


def by_stage(costs, stages):
    """Instructions per bet for each stage, from costs by (file, function)."""
    sums = collections.Counter()
    for place, cost in costs.items():
        name = ":".join(place)
        stage = next((stage for pattern, stage in stages if re.search(pattern, name)), "other")
        sums[stage] += cost / BETS
    return sums


def run(folder, bets, tls=None):
    """Sends these bets from one agency to one worker. Returns each process's profile by its role."""
    folder.mkdir()
    prefix = [*UNDER_CALLGRIND, f"--separate-callers={TLS_CALLERS if tls else CALLERS}",
              f"--callgrind-out-file={folder}/callgrind.%p"]
    with Lottery(folder, 1, prefix, tls=tls, SERVER_WORKERS="1") as lottery:
        lottery.start_agencies(bets, prefix)
        pids = {"agency": lottery.agencies[1].process.pid}
        lottery.wait_agencies(bets)
        lottery.server.stop()
        lottery.check_stored(BETS)
        pids.update((role, pid) for pid, role in lottery.roles().items() if role in PROCESSES)
    if not ({"worker"} if tls else {"worker", "ledger"}) <= set(pids):
        raise AssertionError("the server did not wait until a process had written its profile: the machine "
                             f"is too busy: {lottery.server.tail()}")
    return {role: folder / f"callgrind.{pid}" for role, pid in pids.items()}


def count(folder):
    """The instructions by stage, for each of PROCESSES."""
    bets = dataset.make(folder, BETS, agencies=1)
    profiles = run(folder / "plain", bets)
    encrypted = run(folder / "encrypted", bets, make_authority(folder / "certificates", 1))
    counts = {}
    for name, stages in PROCESSES.items():
        role, _, tls = name.partition(", ")
        counts[name] = by_stage(own_costs(encrypted[role], ROOT, LIBRARIES) if tls
                                else own_costs(profiles[role], ROOT), stages)
    if not (counts["agency"]["CSV parse"] and counts["worker"]["decode"] and
            counts["ledger"]["decide"] and counts["agency, TLS"]["encryption"]):
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
