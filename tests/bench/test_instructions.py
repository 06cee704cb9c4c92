"""Counting instructions: profiles are read correctly, and growth is found."""
import pathlib
import tempfile
import unittest

import instructions
from callgrind import own_costs
from instructions import (AGENCY, BETS, LEDGER, PROCESSES, STAGES, WORKER, by_stage, growth, read_table,
                          table_of)

# Two functions of ours, code of the second inlined into the first, a library that the first calls, and
# what runs before both of them.
PROFILE = """\
# callgrind format
version: 1
events: Ir
summary: 1076

ob=(1) /root/build/bin/program
fl=(1) /root/client/transport/batch.c
fn=(1) batch_add'main
10 100
+2 10
fi=(2) /root/common/bet/./bet.c
20 7
fi=(3) /usr/include/string_fortified.h
30 5
fe=(1)
* 3
cob=(2) /usr/lib/libcsv.so
cfi=(4) ???
cfn=(2) csv_parse'batch_add'main
calls=3 0
11 900
-1 1

fl=(2)
fn=(3) bet_check'batch_add'main
5 50

ob=(2)
fl=(4)
fn=(2)
0 600
cfn=(4) memcpy'csv_parse'batch_add'main
calls=9 0
0 200

ob=(3) /usr/lib/libc.so.6
fn=(4)
0 200

fn=(5) _dl_start
0 100
"""


class Profile(unittest.TestCase):
    def setUp(self):
        self.costs = self.read()

    @staticmethod
    def read(**options):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "profile"
            path.write_text(PROFILE)
            return own_costs(path, "/root", **options)

    def test_each_instruction_counts_once_for_our_function(self):
        self.assertEqual(self.costs, {
            ("client/transport/batch.c", "batch_add"): 100 + 10 + 5 + 3 + 1 + 600 + 200,
            ("common/bet/bet.c", "batch_add"): 7,
            ("common/bet/bet.c", "bet_check"): 50,
            ("", ""): 100,
        })

    def test_a_library_counts_by_itself(self):
        costs = self.read(libraries=("libcsv",))
        self.assertEqual(costs, {
            ("client/transport/batch.c", "batch_add"): 100 + 10 + 5 + 3 + 1,
            ("libcsv", "batch_add"): 600 + 200,
            ("common/bet/bet.c", "batch_add"): 7,
            ("common/bet/bet.c", "bet_check"): 50,
            ("", ""): 100,
        })

    def test_stages(self):
        stages = by_stage(self.costs, AGENCY)
        self.assertEqual({stage: round(value * BETS) for stage, value in stages.items()},
                         {"encode": 919, "validate": 57, "other": 100})


class Stages(unittest.TestCase):
    def test_every_row_of_the_table_has_a_pattern(self):
        found = {stage for stages in PROCESSES.values() for _, stage in stages} | {"other"}
        self.assertEqual(found, set(STAGES))

    def test_each_process_has_stages_of_its_own(self):
        stage = {name: list(by_stage({("gen/lottery.pb-c.c", "lottery__v1__new_bets__unpack"): 1},
                                     stages)) for name, stages in PROCESSES.items()}
        self.assertEqual(stage, {"agency": ["encode"], "worker": ["decode"], "ledger": ["other"],
                                 "agency, TLS": ["encode"], "worker, TLS": ["decode"]})

    def test_the_library_of_tls_has_rows(self):
        costs = {("libcrypto", "tls_session_write"): 5 * BETS, ("libcrypto", ""): 4 * BETS,
                 ("libssl", "tls_session_handshake"): BETS,
                 ("common/transport/tls/tls_session.c", "tls_session_write"): 2 * BETS,
                 ("common/transport/stream.c", "stream_send"): 3 * BETS}
        self.assertEqual(by_stage(costs, PROCESSES["agency, TLS"]),
                         {"encryption": 5, "handshake": 5, "TLS": 2, "send": 3})


class Growth(unittest.TestCase):
    def setUp(self):
        self.agency = by_stage({("client/transport/batch.c", "batch_add"): 2000 * BETS}, AGENCY)
        self.worker = by_stage({("common/bet/bet.c", "bet_check"): 100 * BETS}, WORKER)
        self.counts = {**{name: by_stage({}, LEDGER) for name in PROCESSES},
                       "agency": self.agency, "worker": self.worker}
        self.table = table_of(self.counts)

    def grow(self, factor):
        self.worker["validate"] *= factor
        return growth(read_table(self.table), read_table(table_of(self.counts)))

    def test_the_table_is_read_as_it_was_written(self):
        self.assertEqual(read_table(self.table)["encode", "agency"], 2000)
        self.assertEqual(read_table(self.table)["total", "worker"], 100)

    def test_less_than_the_limit_passes(self):
        self.assertEqual(self.grow(1.04), [])

    def test_more_than_the_limit_is_reported_for_stage_and_total(self):
        self.assertEqual(self.grow(1.2), ["worker, validate: 100.0 before, 120.0 now",
                                          "worker, total: 100.0 before, 120.0 now"])

    def test_a_new_stage_is_growth(self):
        self.worker["write"] = 20
        self.assertIn("worker, write: 0.0 before, 20.0 now", self.grow(1))

    def test_the_document_has_a_table_with_all_stages(self):
        written = read_table(instructions.TABLE.search(instructions.DOCUMENT.read_text())[2])
        self.assertEqual({stage for stage, _ in written}, {*STAGES, "total"})


if __name__ == "__main__":
    unittest.main()
