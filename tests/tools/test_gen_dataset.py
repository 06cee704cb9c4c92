#!/usr/bin/env python3
"""Tests of tools/gen-dataset.py from outside: arguments in, files and exit status out."""

import collections
import csv
import datetime
import hashlib
import io
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "gen-dataset.py"

WINNER = "7574"
SEVERAL_BLOCKS = 50_001  # rows; the tool writes blocks of 20,000, and may go wrong at their edges


def parse(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def broken_rule(row):
    """The bet rule that this row breaks, or None. Written from the rules, not from the tool."""
    if len(row) != 5:
        return "five fields"
    first, last, document, birthdate, number = row
    for name in (first, last):
        if not 1 <= len(name.encode("utf-8")) <= 64:
            return "name of 1..64 bytes"
        if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in name):
            return "name without control characters"
    if not re.fullmatch("[0-9]{8}", document):
        return "document of 8 digits"
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", birthdate):
        return "birthdate YYYY-MM-DD"
    try:
        if datetime.date.fromisoformat(birthdate) > datetime.date.today():
            return "birthdate not in the future"
    except ValueError:
        return "birthdate in the calendar"
    if not re.fullmatch("0|[1-9][0-9]{0,3}", number):
        return "number 0..9999"
    return None


class ToolTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.out = self.root / "data"

    def command(self, **options):
        """The tool's command line; `winner_number=7` becomes `--winner-number 7`."""
        line = [sys.executable, str(TOOL)]
        for name, value in {"out": self.out, **options}.items():
            if value is None:
                continue
            line.append("--" + name.replace("_", "-"))
            if value is not True:
                line.append(str(value))
        return line

    def run_tool(self, env=None, preexec_fn=None, **options):
        return subprocess.run(
            self.command(**options), capture_output=True, encoding="utf-8", timeout=60,
            env={**os.environ, **(env or {})}, preexec_fn=preexec_fn,
        )

    def generate(self, **options):
        """Run the tool, which must succeed without output, and return the files' bytes by name."""
        done = self.run_tool(**{"seed": 1, "agencies": 1, **options})
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
        return self.files()

    def files(self):
        return {path.name: path.read_bytes() for path in sorted(self.out.iterdir())}

    def counts(self, **options):
        """Bets per agency, in the order of the agencies."""
        files = self.generate(**options)
        return [files[f"agency-{i + 1}.csv"].count(b"\r\n") for i in range(len(files))]

    def winners(self, number=WINNER, **options):
        """Winning bets per agency, in the order of the agencies."""
        files = self.generate(**options)
        tables = [parse(files[f"agency-{i + 1}.csv"]) for i in range(len(files))]
        return [sum(row[4] == number for row in rows) for rows in tables]

    def assert_even(self, counts, values):
        """Every value occurs, about equally often. The seed is fixed, so the result never varies."""
        self.assertEqual(values, len(counts))
        mean = sum(counts.values()) / values
        for value, count in counts.items():
            self.assertTrue(0.75 * mean < count < 1.25 * mean, f"{value}: {count}, mean {mean}")


class Rows(ToolTest):
    """The rows of one file of several blocks."""

    def setUp(self):
        super().setUp()
        self.data = self.generate(bets=SEVERAL_BLOCKS)["agency-1.csv"]
        self.rows = parse(self.data)

    def test_every_row_is_a_legal_bet(self):
        self.assertEqual(SEVERAL_BLOCKS, len(self.rows))
        for row in self.rows:
            self.assertIsNone(broken_rule(row), row)

    def test_bytes_are_those_that_csv_writer_writes_without_quotes(self):
        text = io.StringIO(newline="")
        csv.writer(text).writerows(self.rows)
        self.assertEqual(text.getvalue().encode("utf-8"), self.data)
        self.assertNotIn(b'"', self.data)
        self.assertFalse(self.data.startswith(b"\xef\xbb\xbf"))

    def test_names_look_like_those_of_the_country(self):
        for letter in "áéíóúñüÁ":
            self.assertIn(letter, self.data.decode("utf-8"))
        words = collections.Counter(len(row[0].split(" ")) for row in self.rows)
        self.assertTrue(0.15 < words[1] / len(self.rows) < 0.40, words)
        self.assertTrue(0.60 < words[2] / len(self.rows) < 0.85, words)
        self.assertGreater(words[4], 0)
        self.assertFalse([row for row in self.rows if len(set(row[0].split())) == 1 and " " in row[0]])
        self.assertTrue(any(" " in row[1] for row in self.rows))
        self.assertTrue(any("'" in row[1] for row in self.rows))
        self.assertTrue(44 < len(self.data) / len(self.rows) < 49, "mean bytes of a row")
        self.assertGreater(len({(row[0], row[1]) for row in self.rows}), 0.5 * len(self.rows))

    def test_documents_are_spread_without_a_pattern(self):
        documents = [row[2] for row in self.rows]
        self.assertGreater(len(set(documents)), 0.995 * len(documents))
        steps = {int(b) - int(a) for a, b in zip(documents, documents[1:])}
        self.assertGreater(len(steps), 0.99 * len(documents))
        self.assert_even(collections.Counter(d[:2] for d in documents), 20)
        self.assert_even(collections.Counter(d[-2:] for d in documents), 100)

    def test_birthdates_cover_the_range(self):
        dates = [row[3] for row in self.rows]
        self.assertTrue("1980-01-01" <= min(dates) < "1980-02", min(dates))
        self.assertTrue("2004-12" <= max(dates) <= "2004-12-31", max(dates))
        self.assert_even(collections.Counter(date[:4] for date in dates), 25)
        self.assertIn("02-29", {date[5:] for date in dates})

    def test_numbers_are_even_and_unrelated_to_the_document(self):
        numbers = [int(row[4]) for row in self.rows]
        self.assert_even(collections.Counter(n // 100 for n in numbers), 100)
        self.assert_even(collections.Counter(n % 100 for n in numbers), 100)
        self.assertGreater(len(set(numbers)), 9_700)
        self.assertLess(sum(int(row[2]) % 10_000 == int(row[4]) for row in self.rows), 40)

    def test_blocks_do_not_repeat(self):
        self.assertLess(len(self.rows) - len(set(map(tuple, self.rows))), 3)


class Counts(ToolTest):
    def test_total_is_shared_as_among_the_real_agencies(self):
        counts = self.counts(agencies=5, bets=78_697)
        self.assertEqual([26_936, 25_518, 16_014, 9_238, 991], counts)

    def test_shares_always_add_up(self):
        for agencies, bets in ((1, 0), (1, 1), (3, 2), (5, 10), (7, 1001), (64, 63), (99, 20_001)):
            with self.subTest(agencies=agencies, bets=bets):
                self.out = self.root / f"{agencies}-{bets}"
                counts = self.counts(agencies=agencies, bets=bets)
                self.assertEqual((agencies, bets), (len(counts), sum(counts)))

    def test_sixth_agency_is_as_big_as_the_first(self):
        counts = self.counts(agencies=10, bets=2 * 78_697)
        self.assertEqual(counts[:5], counts[5:])

    def test_same_count_for_each(self):
        self.assertEqual([100] * 1000, self.counts(agencies=1000, bets_per_agency=100))

    def test_list_of_counts_around_the_edges_of_a_block(self):
        counts = [0, 1, 19_999, 20_000, 20_001]
        self.assertEqual(counts, self.counts(agencies=5, bets=",".join(map(str, counts))))


class Reproducible(ToolTest):
    OPTIONS = {"agencies": 3, "bets": 30_000, "seed": 42, "winners": 50, "winner_number": 12}

    def test_known_bytes(self):
        """A new digest here means that every seed gives other data than before."""
        data = b"".join(self.generate(**self.OPTIONS).values())
        self.assertEqual("0838e8477ee676c52ae6eb210964cf66eadc4a69d63cdccfeff1896d7f9ee1a4", hashlib.sha256(data).hexdigest())

    def test_environment_does_not_matter(self):
        expected = self.generate(**self.OPTIONS)
        env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
        self.assertEqual(expected, self.generate(env=env, **self.OPTIONS))

    def test_seeds_and_agencies_differ(self):
        seen = collections.Counter()
        for seed in (1, 2, 11):
            for data in self.generate(agencies=12, bets_per_agency=500, seed=seed).values():
                seen.update(data.splitlines())
        self.assertEqual(1, max(seen.values()))


class Winners(ToolTest):
    def test_exactly_as_many_as_asked(self):
        for winners in (0, 1, 7, 20_000, SEVERAL_BLOCKS - 1, SEVERAL_BLOCKS):
            with self.subTest(winners=winners):
                self.assertEqual([winners], self.winners(bets=SEVERAL_BLOCKS, winners=winners))

    def test_total_is_exact_and_shared_in_proportion(self):
        for winners in (1, 10, 999):
            with self.subTest(winners=winners):
                found = self.winners(agencies=7, bets=1_001, winners=winners)
                self.assertEqual(winners, sum(found))
                self.out = self.root / str(winners)
        self.assertEqual([10, 10, 20], self.winners(agencies=3, bets="50,50,100", winners=40))

    def test_no_winners_in_no_bets(self):
        self.assertEqual([0, 0], self.winners(agencies=2, bets=0, winners=0))

    def test_one_count_per_agency(self):
        self.assertEqual(
            [2, 3, 0], self.winners(agencies=3, bets="20001,3,10", winners="2,3,0"))

    def test_another_winner_number(self):
        for number in ("0", "9999"):
            options = {"bets": 20_000, "winners": 3, "winner_number": number}
            self.assertEqual([3], self.winners(number, **options))

    def test_places_are_random_and_spread_over_the_file(self):
        rows = parse(self.generate(bets=SEVERAL_BLOCKS, winners=5_000)["agency-1.csv"])
        places = [i for i, row in enumerate(rows) if row[4] == WINNER]
        self.assert_even(collections.Counter(place * 10 // len(rows) for place in places), 10)
        self.assertGreater(len({b - a for a, b in zip(places, places[1:])}), 30)

    def test_the_other_bets_keep_all_other_numbers(self):
        rows = parse(self.generate(bets=200_000, winners=0)["agency-1.csv"])
        self.assertEqual({str(n) for n in range(10_000)} - {WINNER}, {row[4] for row in rows})

    def test_without_winners_the_number_is_like_any_other(self):
        (count,) = self.winners(bets=200_000)
        self.assertTrue(5 <= count <= 40, count)  # 20 expected


class BadArguments(ToolTest):
    GOOD = {"agencies": 2, "bets": "5,5", "seed": 1}

    def assert_refused(self, option, **changes):
        with self.subTest(**changes):
            done = self.run_tool(**{**self.GOOD, **changes})
            self.assertEqual((2, ""), (done.returncode, done.stdout), done.stderr)
            last = done.stderr.splitlines()[-1]
            self.assertRegex(last, "^gen-dataset.py: error: ")
            self.assertIn(option, last)
            self.assertEqual([], list(self.root.iterdir()), "something was written")

    def test_good_ones_are_not_refused(self):
        self.generate(**self.GOOD)

    def test_required_and_exclusive_options(self):
        for option in ("agencies", "bets", "seed", "out"):
            self.assert_refused(f"--{option}", **{option: None})
        self.assert_refused("--bets-per-agency", bets_per_agency=5)

    def test_numbers(self):
        for option in ("agencies", "bets", "seed", "winners", "winner_number"):
            for value in ("", "x", "+1", " 1", "1_0", "٣", "1" * 19):
                self.assert_refused("--" + option.replace("_", "-"), **{option: value})

    def test_ranges(self):
        self.assert_refused("--agencies", agencies=0)
        self.assert_refused("--agencies", agencies=10_001)
        self.assert_refused("--winner-number", winner_number=10_000)

    def test_lists(self):
        for option in ("bets", "winners"):
            for value in ("1,2,3", "1,", ",1", "1;2"):
                self.assert_refused(f"--{option}", **{option: value})

    def test_more_winners_than_bets(self):
        self.assert_refused("--winners", winners=11)
        self.assert_refused("--winners", winners="0,6")
        self.assert_refused("--winners", bets=0, winners=1)

    def test_unknown_and_shortened_options(self):
        self.assert_refused("--force", force=True)
        self.assert_refused("--keep", keep=True)

    def test_folder(self):
        self.assert_refused("--out", out="")
        self.assert_refused("--out", out="/dev/null")


class Files(ToolTest):
    def test_missing_folders_are_made(self):
        self.out = self.root / "a" / "ñ" / "b"
        self.assertEqual(["agency-1.csv"], list(self.generate(bets=1)))

    def test_existing_files_are_replaced_and_others_left_alone(self):
        self.out.mkdir()
        for name in ("agency-1.csv", "agency-2.csv", "notes.txt"):
            (self.out / name).write_text("old")
        files = self.generate(bets=3)
        self.assertEqual(3, len(parse(files.pop("agency-1.csv"))))
        self.assertEqual({"agency-2.csv": b"old", "notes.txt": b"old"}, files)

    def test_existing_files_can_be_kept(self):
        expected = self.generate(agencies=3, bets_per_agency=5)
        expected["agency-2.csv"] = b"real ones"
        (self.out / "agency-1.csv").unlink()
        (self.out / "agency-2.csv").write_bytes(b"real ones")
        files = self.generate(agencies=3, bets_per_agency=5, keep_existing=True)
        self.assertEqual(expected, files)

    def test_files_can_be_read_by_others(self):
        self.generate(bets=1, preexec_fn=lambda: os.umask(0o022))
        self.assertEqual(0o644, (self.out / "agency-1.csv").stat().st_mode & 0o777)

    def test_memory_does_not_grow_with_the_file(self):
        def peak_megabytes(bets):
            child = subprocess.Popen(self.command(agencies=1, bets=bets, seed=1, winners=bets))
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = status  # already reaped: nothing left to wait for
            self.assertEqual(0, status)
            return usage.ru_maxrss / 1024

        small, large = peak_megabytes(100_000), peak_megabytes(1_000_000)
        self.assertLess(large - small, 10)  # the larger file has 42 MB more


class Interrupted(ToolTest):
    """However the run ends, the old files stay whole and no partial file has a real name."""

    ENDLESS = {"agencies": 3, "bets": f"5,{10**12},5", "seed": 1}
    OLD = {"agency-1.csv": b"old 1", "agency-3.csv": b"old 3"}

    def setUp(self):
        super().setUp()
        self.out.mkdir()
        for name, data in self.OLD.items():
            (self.out / name).write_bytes(data)

    def start(self, disposition=signal.SIG_DFL):
        def set_signals():
            for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(signum, disposition)

        child = subprocess.Popen(self.command(**self.ENDLESS), preexec_fn=set_signals,
                                 stderr=subprocess.PIPE, encoding="utf-8")
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        deadline = time.monotonic() + 30
        while not any(path.stat().st_size for path in self.out.glob(".*/agency-2.csv")):
            self.assertLess(time.monotonic(), deadline, "the tool did not begin to write")
            time.sleep(0.01)
        return child

    def test_signal_leaves_the_old_files_and_nothing_else(self):
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=signum):
                child = self.start()
                child.send_signal(signum)
                _, errors = child.communicate(timeout=30)
                self.assertEqual((128 + signum, ""), (child.returncode, errors))
                self.assertEqual(self.OLD, self.files())

    def test_kill_leaves_only_a_hidden_folder(self):
        child = self.start()
        child.kill()
        child.wait(timeout=30)
        self.assertEqual(set(self.OLD), {path.name for path in self.out.glob("[!.]*")})
        for name, data in self.OLD.items():
            self.assertEqual(data, (self.out / name).read_bytes())

    def test_ignored_signal_stays_ignored(self):
        child = self.start(signal.SIG_IGN)  # as nohup does
        child.send_signal(signal.SIGHUP)
        with self.assertRaises(subprocess.TimeoutExpired):
            child.wait(timeout=0.5)

    def test_failed_write_is_reported(self):
        def small_disk():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

        done = self.run_tool(preexec_fn=small_disk, agencies=3, bets="10,100000,10", seed=1)
        self.assertEqual(2, done.returncode)
        self.assertRegex(done.stderr, r"\Agen-dataset.py: error: cannot write: .*too large.*\n\Z")
        self.assertEqual(self.OLD, self.files())

    def test_folder_in_place_of_a_file_is_reported_before_any_move(self):
        (self.out / "agency-2.csv").mkdir()
        done = self.run_tool(agencies=3, bets=10, seed=1)
        self.assertEqual(2, done.returncode)
        self.assertIn("agency-2.csv is a folder", done.stderr)
        (self.out / "agency-2.csv").rmdir()
        self.assertEqual(self.OLD, self.files())


if __name__ == "__main__":
    unittest.main()
