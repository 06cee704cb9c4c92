"""None of the project's texts (documents, comments, messages) has words that sound translated.

Usage: check_words.py [ROOT] [FOLDER...]. words.txt has the words and better ones. Each finding is
printed as file:line; with folders, only those in them.
"""
import collections
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
WORDS = HERE / "words.txt"
# Generated, foreign or in Spanish; and the list itself.
LEFT_OUT = re.compile(r"gen/.*\.pb-c\.[ch]|LICENSE|tests/fuzz/corpus/|docs/ejercicios\.md|"
                      r"tests/checks/words\.txt|.*\.(zip|gz|xz|tar|png|svg)$")
# Between two words there may be the end of a line and what begins the next one in a comment or
# continues a string.
GAP = r"(?:[ \t]+|\"?[ \t]*\\?\n[ \t]*(?:/?\*|//|#|;|>)?[ \t]*\"?)"


def read_words():
    """[(pattern, as written in the list, better)]."""
    words = []
    for number, line in enumerate(WORDS.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        word, arrow, better = line.partition(" -> ")
        if not arrow or not better:
            sys.exit(f"{WORDS.name}:{number}: no \" -> \" with a better word")
        pattern = re.compile(rf"(?<![\w-]){word.replace(' ', GAP)}(?![\w-])", re.I)
        words.append((pattern, word, better))
    return words


def texts(root):
    """(name, text) of every tracked file that is text."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
               "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE)
    for name in sorted(listed.stdout.decode().split("\0")):
        path = root / name
        if not name or LEFT_OUT.match(name) or not path.is_file():
            continue
        try:
            yield name, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def main():
    arguments = [pathlib.Path(argument) for argument in sys.argv[1:]]
    root = arguments[0].resolve() if arguments else HERE.parents[1]
    folders = [folder.as_posix().rstrip("/") + "/" for folder in arguments[1:]]
    words = read_words()
    files = 0
    findings = []
    for name, text in texts(root):
        if folders and not any(name.startswith(folder) for folder in folders):
            continue
        files += 1
        for pattern, _, better in words:
            for found in pattern.finditer(text):
                line = text.count("\n", 0, found.start()) + 1
                written = " ".join(re.sub(r"\n[ \t]*(/?\*|//|#|;|>)?", " ", found[0]).split())
                findings.append((name, line, f"\"{written}\": better: {better}"))
    for name, line, what in sorted(findings):
        print(f"{name}:{line}: {what}")
    by_folder = collections.Counter("/".join(name.split("/")[:2]) if "/" in name else "."
                                    for name, _, _ in findings)
    for folder, count in sorted(by_folder.items()):
        print(f"{count:5} in {folder}")
    print(f"words: {files} files, {len(words)} words, {len(findings)} found")
    return 1 if findings or files < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
