#!/usr/bin/env python3
"""Tests of tools/make-data.sh and tools/unpack-data.py: what is in .data before and after."""

import io
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ("make-data.sh", "unpack-data.py", "gen-dataset.py")
ROW = "Ana,Paz,{:08},1999-03-17,7574\r\n"
FILES = {f"agency-{agency}.csv": ROW.format(agency) * agency for agency in range(1, 6)}
LINK = (stat.S_IFLNK | 0o777) << 16
PIPE = (stat.S_IFIFO | 0o644) << 16


def make_zip(files, attributes=0, compression=zipfile.ZIP_DEFLATED):
    """The bytes of a zip; `files` is a dict, or a list of pairs where a name comes twice."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, text in files.items() if isinstance(files, dict) else files:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = attributes
            entry.compress_type = compression
            archive.writestr(entry, text)
    return buffer.getvalue()


class MakeData(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "project"
        (self.root / "tools").mkdir(parents=True)
        for tool in TOOLS:
            shutil.copy(ROOT / "tools" / tool, self.root / "tools")
        self.data = self.root / ".data"
        self.data.mkdir()
        self.zip = self.data / "datasets.zip"

    def make(self, agencies=5):
        return subprocess.run([self.root / "tools" / "make-data.sh", str(agencies)], text=True,
                              capture_output=True, timeout=120)

    def made(self):
        """What is in .data, but for the zip."""
        return {path.name: path.read_bytes().decode()
                for path in self.data.iterdir() if path.suffix != ".zip"}

    def assert_unpacked(self, files):
        done = self.make()
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(files, self.made())

    def unpack(self):
        return subprocess.run([self.root / "tools" / "unpack-data.py", self.data], text=True,
                              capture_output=True, timeout=60)

    def assert_refused(self, reason, run=None):
        """Status 1, one line that says why, nothing new; nor outside of the folder."""
        before = sorted(self.root.parent.rglob("*"))
        done = (run or self.make)()
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertRegex(done.stderr, r"\Aunpack-data\.py: error: [^\n]+\n\Z")
        self.assertIn(reason, done.stderr)
        self.assertEqual(before, sorted(self.root.parent.rglob("*")))


class Zips(MakeData):
    def test_both_names_and_folders(self):
        """Files at the top or in a folder, with unneeded files beside them, compressed or not."""
        for name in ("datasets.zip", "dataset.zip"):
            for prefix, compression in (("", zipfile.ZIP_DEFLATED), ("", zipfile.ZIP_STORED),
                                        ("datasets/", zipfile.ZIP_DEFLATED),
                                        ("./a/b/", zipfile.ZIP_DEFLATED)):
                with self.subTest(name=name, prefix=prefix, compression=compression):
                    files = {f"{prefix}{file}": text for file, text in FILES.items()}
                    others = {"__MACOSX/._agency-1.csv": "x", "README.txt": "x", "empty/": "",
                              "agency-0.csv": "x", "agency-01.csv": "x", "my-agency-1.csv": "x"}
                    (self.data / name).write_bytes(make_zip({**others, **files},
                                                            compression=compression))
                    self.assert_unpacked(FILES)
                    for path in list(self.data.iterdir()):
                        path.unlink()

    def test_what_is_there_stays(self):
        """The user's files are kept, and reported if they differ; the others are unpacked."""
        self.zip.write_bytes(make_zip(FILES))
        (self.data / "agency-2.csv").write_text("mine")
        done = self.make()
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn("datasets.zip: agency-1.csv agency-3.csv agency-4.csv agency-5.csv\n",
                      done.stdout)
        self.assertIn("datasets.zip has others: agency-2.csv\n", done.stdout)
        self.assertEqual({**FILES, "agency-2.csv": "mine"}, self.made())

    def test_again(self):
        """All is there: silence, nothing changes."""
        self.zip.write_bytes(make_zip(FILES))
        self.make()
        done = self.make()
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
        self.assertEqual(FILES, self.made())

    def test_more_agencies_than_the_zip_has(self):
        """The rest is made up."""
        self.zip.write_bytes(make_zip(FILES))
        self.assertEqual(0, self.make(6).returncode)
        made = self.made()
        self.assertEqual(FILES, {name: made[name] for name in FILES})
        self.assertGreater(made["agency-6.csv"].count("\r\n"), 100)

    def test_others_can_read_them(self):
        """The program in the container is another user."""
        self.zip.write_bytes(make_zip(FILES))
        for mask in (0o022, 0o077):
            with self.subTest(umask=f"{mask:03o}"):
                before = os.umask(mask)
                try:
                    self.assertEqual(0, self.make(6).returncode)
                finally:
                    os.umask(before)
                for agency in (1, 6):  # from the zip, and made up
                    path = self.data / f"agency-{agency}.csv"
                    self.assertEqual(0o444, path.stat().st_mode & 0o444)
                    path.unlink()

    def test_not_a_number(self):
        """Nothing is made, and the message says what is wanted."""
        for agencies in ("abc", "", "-1", "1 2", "5x", "1000000"):
            with self.subTest(agencies):
                done = self.make(agencies)
                self.assertEqual(2, done.returncode)
                self.assertIn("N the number of agencies", done.stderr)
        self.assertEqual({}, self.made())

    def test_without_zip(self):
        """Made-up bets, in a folder that may be missing."""
        self.data.rmdir()
        self.assertEqual(0, self.make(2).returncode)
        self.assertEqual({"agency-1.csv", "agency-2.csv"}, set(self.made()))


class BadZips(MakeData):
    def check(self, data, reason):
        self.zip.write_bytes(data)
        self.assert_refused(reason)

    def test_no_zip(self):
        """Empty, something else, a folder, a link to nowhere, two of them."""
        self.check(b"", "copy it again")
        self.check(b"not a zip at all\n" * 100, "copy it again")
        self.zip.unlink()
        self.zip.mkdir()
        self.assert_refused("cannot read")
        self.zip.rmdir()
        self.zip.symlink_to("nowhere.zip")
        self.assert_refused("cannot read")
        self.zip.unlink()
        for name in ("datasets.zip", "dataset.zip"):
            (self.data / name).write_bytes(make_zip(FILES))
        self.assert_refused("remove one")

    def test_half_copied(self):
        """Cut at many places."""
        whole = make_zip(FILES)
        for size in range(0, len(whole), 61):
            self.zip.write_bytes(whole[:size])
            with self.subTest(size):
                self.assert_refused("copy it again", self.unpack)

    def test_damaged(self):
        """A byte is another one, at one place of seven: refused, or what it says does not matter. There is
        never a file with other bytes."""
        whole = make_zip({"agency-1.csv": ROW})
        refused = 0
        for place in range(0, len(whole), 7):
            self.zip.write_bytes(whole[:place] + bytes([whole[place] ^ 0xff]) + whole[place + 1:])
            done = self.unpack()
            with self.subTest(place):
                made = self.made()
                if done.returncode == 0:
                    self.assertEqual({ROW}, set(made.values()))
                else:
                    refused += 1
                    self.assertEqual((1, {}), (done.returncode, made))
                    self.assertRegex(done.stderr, r"\Aunpack-data\.py: error: [^\n]+\n\Z")
            for name in made:
                (self.data / name).unlink()
        self.assertGreater(refused, len(whole) // 14)

    def test_nothing_in_it(self):
        self.check(make_zip({}), "no agency-1.csv")
        self.check(make_zip({"bets.csv": ROW, "agency-x.csv": ROW}), "no agency-1.csv")

    def test_paths_that_lead_out(self):
        """Refused even in entries that are not needed: such a zip cannot be trusted."""
        for name in ("../agency-1.csv", "/agency-1.csv", "a/../../agency-1.csv", "..\\agency-1.csv",
                     "C:agency-1.csv", "../x", "/etc/agency-1.csv"):
            with self.subTest(name):
                self.check(make_zip([("agency-2.csv", ROW), (name, ROW)]), "path")

    def test_links_and_pipes(self):
        self.check(make_zip({"agency-1.csv": "/etc/passwd"}, attributes=LINK), "link")
        self.check(make_zip({"agency-1.csv": ""}, attributes=PIPE), "special file")

    def test_twice(self):
        self.check(make_zip([("a/agency-1.csv", ROW), ("b/agency-1.csv", ROW)]), "twice")

    def test_encrypted(self):
        data = bytearray(make_zip({"agency-1.csv": ROW}))
        data[data.index(b"PK\x01\x02") + 8] |= 1
        self.check(bytes(data), "encrypted")

    def test_huge(self):
        """Small as a zip, and more than a disk should take when it is unpacked."""
        data = bytearray(make_zip({"agency-1.csv": ROW}))
        directory = data.index(b"PK\x01\x02")
        data[directory + 24:directory + 28] = (1 << 31).to_bytes(4, "little")
        self.check(bytes(data), "more than")

    def test_last_file_is_damaged(self):
        """The other files are good, but none is unpacked."""
        data = bytearray(make_zip(FILES, compression=zipfile.ZIP_STORED))
        data[data.rindex(b"Ana,Paz")] ^= 1
        self.check(bytes(data), "copy it again")

    def test_size_is_a_lie(self):
        """The entry is longer than it says, or shorter."""
        for size in (1, 1000):
            data = bytearray(make_zip({"agency-1.csv": ROW}))
            directory = data.index(b"PK\x01\x02")
            data[directory + 24:directory + 28] = size.to_bytes(4, "little")
            self.zip.write_bytes(data)
            self.assert_refused("")


class Repository(unittest.TestCase):
    def test_only_the_page_is_tracked(self):
        """git knows .data/README.md, and takes nothing else from there."""
        with tempfile.TemporaryDirectory() as folder:
            git = ["git", "-C", folder]
            subprocess.run([*git, "init", "-q"], check=True)
            shutil.copy(ROOT / ".gitignore", folder)
            data = pathlib.Path(folder) / ".data"
            data.mkdir()
            for name in ("README.md", "agency-1.csv", "datasets.zip", "dataset.zip", "notes.txt"):
                (data / name).write_text("x")
            subprocess.run([*git, "add", "--all"], check=True)
            tracked = subprocess.run([*git, "ls-files", ".data"], check=True, text=True,
                                     capture_output=True).stdout
        self.assertEqual(".data/README.md\n", tracked)
        self.assertTrue((ROOT / ".data" / "README.md").is_file())


if __name__ == "__main__":
    unittest.main()
