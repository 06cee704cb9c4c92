"""The benchmark with tiny inputs: every subject gives its figures, and checks that all bets it sent are
stored. It says nothing about time.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BIN = os.environ["LOTTERY_BIN"]  # as the previous release as well
BENCH = pathlib.Path(__file__).resolve().parent / "bench.py"
ROUNDS = 2
LATENCIES = [f"e_{who}_{figure}" for who in ("bare", "one", "many")
             for figure in ("p50_us", "p99_us", "p999_us", "per_s")]
FIGURES = {
    "a_floor_s", "a_floor_cpu_s", "a_floor_bets_per_s", "b_ours_s", "b_ours_cpu_s",
    "b_ours_bets_per_s", "b_ours_ns_per_bet", "b_ours_cpu_ns_per_bet", "c_tenth_ns_per_bet",
    "c_tenth_cpu_ns_per_bet", "c_tenfold_ns_per_bet", "c_tenfold_cpu_ns_per_bet",
    "d_small_floor_s", "d_small_ours_s", *LATENCIES, "f_start_s", "f_raffle_s", "f_seal_s", "f_wc_s", "f_cat_s",
    "f_tenfold_start_s", "f_tenfold_raffle_s", "f_tenfold_wc_s", "f_tenfold_cat_s", "g_idle_mib", "g_kib_per_connection", "h_agency_mib",
    "h_coordinator_mib", "h_ledger_mib", "h_server_mib", "h_supervisor_mib", "h_worker_mib",
    "j_process_mib", "k_median_ms", "k_worst_ms", "k_previous_worst_ms", "l_zeros_500_mib",
    "l_zeros_3000_mib", "l_zeros_3000_after_mib", "l_questions_3000_mib", "l_previous_zeros_500_mib",
    "n_plain_s", "n_plain_cpu_s", "n_tls_s", "n_tls_cpu_s", "o_plain_cpu_us", "o_plain_kib", "o_tls_cpu_us",
    "p_alone_s", "p_alone_workers_cpu_s", "p_asked_s", "p_asked_workers_cpu_s", "p_asked_per_s",
    "p_asked_to_alone", "o_tls_kib", "o_tls_per_cpu_s", "m_alone_cpu_s", "m_flooded_cpu_s", "m_flooded_worker_mib", "b_previous_s", "b_previous_cpu_s", "e_previous_one_p50_us", "e_previous_many_per_s",
}


class Smoke(unittest.TestCase):
    def test_every_subject_measures(self):
        with tempfile.TemporaryDirectory(prefix="lottery-bench-") as folder:
            os.chmod(folder, 0o711)  # a database may run as another user
            file = pathlib.Path(folder) / "bench.json"
            result = subprocess.run(
                [sys.executable, BENCH, "--rounds", str(ROUNDS), "--bets", "5000", "--large",
                 "--messages", "40", "--agencies", "400", "--winners", "3000", "--crowd", "60", "--handshakes", "100",
                 "--previous", BIN, "--dir", folder, "--json", file],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            written = json.loads(file.read_text())
        samples = written["samples"]
        self.assertLessEqual(FIGURES, set(samples))
        for name in FIGURES:
            self.assertEqual(len(samples[name]), ROUNDS, name)
            self.assertTrue(all(value > 0 for value in samples[name]), (name, samples[name]))
        for database in ("postgresql", "redis"):
            self.assertNotEqual(f"{database}: not installed" in result.stderr,
                                any(name.startswith(f"i_{database}") for name in samples), database)
        goals = [goal["goal"] for goal in written["goals"]]
        for letter in "bcdefghjklmnp":
            self.assertTrue(any(goal.startswith(f"({letter})") for goal in goals), letter)
        for name in FIGURES:
            self.assertRegex(result.stdout, rf"(?m)^{re.escape(name)} ")


if __name__ == "__main__":
    unittest.main()
