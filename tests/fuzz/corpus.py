"""The inputs that the fuzzer has found: tests/fuzz/corpus.tar.xz, with a folder for each target.

Usage: corpus.py unpack FOLDER         writes them to FOLDER/<target>, in place of what is there
       corpus.py pack TARGET FOLDER    replaces those of one target by the files in FOLDER
       corpus.py list                  how many inputs of which target the archive holds

Packing leaves out what lies in tests/fuzz/corpus/<target> under the same name. The same inputs give
the same archive: it has its members in order, and neither times nor owners.
"""
import io
import lzma
import pathlib
import shutil
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
ARCHIVE = HERE / "corpus.tar.xz"


def targets():
    return sorted(path.name for path in CORPUS.iterdir() if path.is_dir())


def read_archive():
    """All inputs, by (target, name)."""
    inputs = {}
    if ARCHIVE.exists():
        with tarfile.open(ARCHIVE) as archive:
            for member in archive:
                target, name = member.name.split("/")
                inputs[target, name] = archive.extractfile(member).read()
    return inputs


def archive_of(inputs):
    """The archive's bytes."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for (target, name), data in sorted(inputs.items()):
            member = tarfile.TarInfo(f"{target}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return lzma.compress(tar.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def unpack(folder):
    for target in targets():
        shutil.rmtree(folder / target, ignore_errors=True)
        (folder / target).mkdir(parents=True)
    for (target, name), data in read_archive().items():
        (folder / target / name).write_bytes(data)


def pack(target, folder):
    old = read_archive()
    named = {path.name for path in (CORPUS / target).iterdir()}
    new = {key: data for key, data in old.items() if key[0] != target}
    new |= {(target, path.name): path.read_bytes() for path in folder.iterdir()
            if path.name not in named}
    if new != old:
        ARCHIVE.write_bytes(archive_of(new))


def print_counts():
    found = [target for target, _ in read_archive()]
    for target in targets():
        print(f"{target}: {found.count(target)}")


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "unpack":
        unpack(pathlib.Path(arguments[1]))
    elif len(arguments) == 3 and arguments[0] == "pack":
        pack(arguments[1], pathlib.Path(arguments[2]))
    elif arguments == ["list"]:
        print_counts()
    else:
        sys.exit(__doc__.strip())


if __name__ == "__main__":
    main(sys.argv[1:])
