#!/usr/bin/env python3
"""Tests of tests/fuzz/corpus.py, which keeps the inputs that fuzzing has found, and of what is kept."""
import lzma
import pathlib
import re
import sys
import tempfile
import unittest
from unittest import mock

FUZZ = pathlib.Path(__file__).resolve().parents[1] / "fuzz"
sys.path.insert(0, str(FUZZ))
import corpus  # noqa: E402 - found through the line above


class Tool(unittest.TestCase):
    """In a folder with two targets, each with one seed."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("CORPUS", "ARCHIVE"):
            patch = mock.patch.object(corpus, name, self.root / name.lower())
            patch.start()
            self.addCleanup(patch.stop)
        self.add("corpus/one", {"seed-01": b"1"})
        self.add("corpus/two", {"seed-01": b"2"})

    def add(self, folder, files):
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (self.root / folder / name).write_bytes(data)
        return self.root / folder

    def unpacked(self):
        corpus.unpack(self.root / "unpacked")
        return {str(path.relative_to(self.root / "unpacked")): path.read_bytes()
                for path in (self.root / "unpacked").glob("*/*")}

    def test_comes_out_as_it_went_in(self):
        corpus.pack("one", self.add("kept", {"b": b"", "a": bytes(range(256)), "seed-01": b"1"}))
        self.assertEqual(self.unpacked(), {"one/a": bytes(range(256)), "one/b": b""})

    def test_packing_replaces_one_target(self):
        corpus.pack("one", self.add("first", {"a": b"1"}))
        corpus.pack("two", self.add("second", {"b": b"2"}))
        self.unpacked()
        corpus.pack("one", self.add("third", {"c": b"3"}))
        self.assertEqual(self.unpacked(), {"one/c": b"3", "two/b": b"2"})

    def test_every_target_has_a_folder(self):
        self.unpacked()
        self.assertEqual(sorted(path.name for path in (self.root / "unpacked").iterdir()),
                         ["one", "two"])

    def test_same_inputs_give_the_same_bytes(self):
        inputs = {("one", "a"): b"1", ("two", "b"): b"2"}
        self.assertEqual(corpus.archive_of(inputs),
                         corpus.archive_of(dict(reversed(inputs.items()))))


class Kept(unittest.TestCase):
    """The corpus in the repository."""

    def test_the_archive_is_what_packing_it_again_gives(self):
        """Before compression, as the compressed bytes depend on the version of the library."""
        self.assertEqual(lzma.decompress(corpus.ARCHIVE.read_bytes()),
                         lzma.decompress(corpus.archive_of(corpus.read_archive())))

    def test_files_are_seeds_and_regressions(self):
        for target in corpus.targets():
            names = [path.name for path in (corpus.CORPUS / target).iterdir()]
            self.assertIn("seed-01", names)
            self.assertEqual([name for name in names
                              if not re.fullmatch(r"seed-\d\d|regression-[a-z0-9-]+", name)], [])

    def test_every_target_has_a_corpus(self):
        self.assertEqual(corpus.targets(), sorted(path.stem.removeprefix("fuzz_")
                                                  for path in FUZZ.glob("fuzz_*.c")))
        self.assertLessEqual({target for target, _ in corpus.read_archive()},
                             set(corpus.targets()))


if __name__ == "__main__":
    unittest.main()
