#!/usr/bin/env python3
"""Unpack the course's zip with the agencies' bets: DIR/agency-1.csv and so on.

The zip is DIR/datasets.zip or DIR/dataset.zip and has agency-N.csv at its top or in folders. It is
checked as a whole before anything of it gets to its place: either all of its files are there in the
end, or none is new. Files that exist stay as they are.
"""

import argparse
import lzma
import os
import re
import signal
import stat
import struct
import sys
import tempfile
import zipfile
import zlib

ZIP_NAMES = ("datasets.zip", "dataset.zip")
AGENCY_FILE = re.compile("agency-[1-9][0-9]{0,4}[.]csv")
MAX_BYTES = 1 << 30  # of all files together, unpacked: more than ten million bets
BLOCK_BYTES = 1 << 20
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# All that zipfile may say of bytes that are not what the zip's directory promises.
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, OverflowError,
          NotImplementedError, RuntimeError, struct.error)


class BadZip(Exception):
    """Why the zip is not used."""


def find_zip(folder):
    """The zip's path, or None where there is none."""
    found = [path for path in (os.path.join(folder, name) for name in ZIP_NAMES)
             if os.path.lexists(path)]
    if len(found) > 1:
        raise BadZip(f"both {' and '.join(found)} are there: remove one")
    return found[0] if found else None


def check_name(name):
    """Refuse what could lead out of the folder, even where it would be skipped."""
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or "\\" in name or ":" in name or ".." in parts:
        raise BadZip(f"it has an entry with the path {name!r}")


def check_entry(entry):
    kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where a system without file types wrote it
    if kind not in (0, stat.S_IFREG):
        raise BadZip(f"{entry.filename!r} is a link or another special file")
    if entry.flag_bits & 0x1:
        raise BadZip(f"{entry.filename!r} is encrypted")


def agency_files(archive):
    """The zip's agency files by name; anything else in it is skipped."""
    files = {}
    for entry in archive.infolist():
        check_name(entry.filename)
        name = entry.filename.rsplit("/", 1)[-1]
        if entry.is_dir() or not AGENCY_FILE.fullmatch(name):
            continue
        check_entry(entry)
        if name in files:
            raise BadZip(f"it has {name} twice")
        files[name] = entry
    if not files:
        raise BadZip("it has no agency-1.csv or the like")
    if sum(entry.file_size for entry in files.values()) > MAX_BYTES:
        raise BadZip(f"its files have more than {MAX_BYTES} bytes")
    return files


def unpack_one(archive, entry, path):
    """Read to its end also where it is not needed: only then its checksum is known to be right."""
    with archive.open(entry) as source, open(path, "xb") as target:
        left = entry.file_size
        while block := source.read(BLOCK_BYTES):
            left -= len(block)
            if left < 0:
                raise BadZip(f"{entry.filename!r} has more bytes than it says")
            target.write(block)
        if left > 0:
            raise BadZip(f"{entry.filename!r} has fewer bytes than it says")


def place_all(names, hidden, folder):
    """Move the files to their places, those that are free; what was placed goes if one fails."""
    placed = []
    try:
        for name in names:
            target = os.path.join(folder, name)
            try:
                os.link(os.path.join(hidden, name), target)  # unlike a move it replaces nothing
            except FileExistsError:
                continue
            placed.append(name)
    except OSError:
        for name in placed:
            os.unlink(os.path.join(folder, name))
        raise
    return placed


def by_number(name):
    return int(name[len("agency-"):-len(".csv")])


def is_same(path, entry):
    """Does the file at the path have the bytes that the zip has? By size and checksum."""
    if not os.path.isfile(path) or os.path.getsize(path) != entry.file_size:
        return False
    checksum = 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            checksum = zlib.crc32(block, checksum)
    return checksum == entry.CRC


def unpack(path, folder):
    """Returns the names of the files that are new, and of those that stayed and differ."""
    with zipfile.ZipFile(path) as archive, \
            tempfile.TemporaryDirectory(prefix=".unpack-data-", dir=folder) as hidden:
        files = agency_files(archive)
        names = sorted(files, key=by_number)
        for name in names:
            unpack_one(archive, files[name], os.path.join(hidden, name))
        # Stopping between two moves would leave a part of the set.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        placed = place_all(names, hidden, folder)
        return placed, [name for name in names if name not in placed and
                        not is_same(os.path.join(folder, name), files[name])]


def stop(signum, _frame):
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # a second one must not end the cleaning up
    sys.exit(128 + signum)


def report(path, placed, kept):
    if placed:
        print(f"unpacked from {path}: {' '.join(placed)}")
    if kept:
        print(f"kept, though {path} has others: {' '.join(kept)}")


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="unpack-data.py",
        allow_abbrev=False,
        description="Unpack DIR/datasets.zip (or dataset.zip), if it is there: agency-1.csv and so "
        "on, where they are missing.",
        epilog="Exit status: 0 unpacked, or there is no zip; 1 the zip cannot be used, and nothing "
        "is new; 2 bad arguments.",
    )
    parser.add_argument("folder", metavar="DIR", help="where the zip is and the files go")
    args = parser.parse_args()
    if not os.path.isdir(args.folder):
        parser.error(f"'{args.folder}' is not a folder")
    return args


def main():
    args = parse_arguments()
    for signum in STOP_SIGNALS:
        if signal.getsignal(signum) != signal.SIG_IGN:  # under nohup it stays ignored
            signal.signal(signum, stop)
    path = None
    try:
        path = find_zip(args.folder)
        if path is not None:
            report(path, *unpack(path, args.folder))
        return 0
    except BadZip as error:
        reason = str(error)
    except zipfile.BadZipFile as error:
        reason = f"no zip, or not a whole one ({str(error):.99}): copy it again"
    except DAMAGE as error:
        reason = f"damaged, or of a kind that cannot be read ({error})"
    except OSError as error:
        reason = f"cannot read or write: {error}"
    print(f"unpack-data.py: error: {path + ': ' if path else ''}{reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
