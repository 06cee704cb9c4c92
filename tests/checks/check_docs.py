"""What the documents name exists: files, links, names in the code, settings with defaults.

Usage: check_docs.py [ROOT]. Prints each fault as file:line and why. Also ARCHITECTURE.md, the way
into the code, keeps to at most 200 lines.
"""
import ast
import pathlib
import re
import subprocess
import sys

DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md",
             "docs/*.md", ".data/README.md", "compose/*.md"]
ARCHITECTURE_MAX = 200  # lines
# Folders whose files are named with their path, wherever in the text: a word that begins with one.
FOLDERS = "common|server|client|ctl|gen|proto|tests|tools|docs|cmake|compose"
PATH = re.compile(rf"(?<![\w./$~-])(?:\./)?((?:{FOLDERS})/[\w.*{{}},/+-]*)")
# In backquotes also names alone: `bet.h` is the name of some file.
NAME = re.compile(r"`([\w.-]+\.(?:c|h|py|sh|pl|proto|cmake|md|txt|csv\.gz))`")
# Files that the programs write, where no file of ours has their name.
DATA = {"seal.txt", "result.txt"}
# Functions, macros, settings, keys of log lines: words with an underscore.
IDENTIFIER = re.compile(r"`(?:struct |enum )?([A-Za-z]\w*_\w+)`")
# Of the kernel, and of the assignment: names that our code does not have.
FOREIGN = {"SO_REUSEPORT", "store_bets", "load_bets"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PLACEHOLDER = re.compile(r"NAME|\.\.\.|<|CMakeFiles")

SETTING = re.compile(r'\{(?:NAMED\("(?P<same>\w+)"\)|"(?P<key>[\w.]+)",\s*"(?P<env>\w+)"),\s*'
                     r"SETTING_(?P<type>\w+),\s*FIELD\((?P<field>[\w.]+)\)")
DEFAULTS = re.compile(r"_settings defaults = \{(.*?)\n\};", re.S)
DEFAULT = re.compile(r"\.([\w.]+) = (.*?),(?:\s*/\*.*?\*/)?\s*$", re.M)
ROW = re.compile(r"\| `([^`]+)` \| ([^|]*?) \|")
CHOICES = {"8": "utf-8", "comma": ",", "refused": "false", "unset": "none",
           "totals": "no"}  # named otherwise in C
CONSTANTS = {"NS_PER_MS": 10**6, "NS_PER_S": 10**9}
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


class Project:
    def __init__(self, root):
        self.root = root
        self.files = self.list_files()
        self.folders = {parent.as_posix() for name in self.files
                        for parent in pathlib.PurePath(name).parents}
        self.names = {pathlib.PurePath(name).name for name in self.files}
        self.words = {word for name in self.files if not name.endswith(".md")
                      and not name.startswith("tests/fuzz/corpus/")
                      for word in self.words_of(name)}

    def words_of(self, name):
        """Its words with an underscore, as far as it is text."""
        return re.findall(r"[A-Za-z]\w*_\w+", (self.root / name).read_text(errors="replace"))

    def list_files(self):
        """What git has or would take, and is there."""
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
                   "--exclude-standard"]
        listed = subprocess.run(command, cwd=self.root, check=True, stdout=subprocess.PIPE)
        names = listed.stdout.decode().split("\0")
        return [name for name in names if name and (self.root / name).exists()]

    def has(self, path):
        path = path.rstrip("/")
        if path in self.folders or path in self.files:
            return True
        return "*" in path and any(pathlib.PurePath(name).match(path) for name in self.files)

    def documents(self):
        return sorted(name for name in self.files
                      if any(pathlib.PurePath(name).match(pattern) and
                             name.count("/") == pattern.count("/") for pattern in DOCUMENTS))


def expand(path):
    """a/{b,c}.d as a/b.d and a/c.d."""
    braces = re.search(r"\{([^{}]*)\}", path)
    if not braces:
        return [path]
    return [whole for part in braces[1].split(",")
            for whole in expand(path[:braces.start()] + part + path[braces.end():])]


def check_line(project, document, line):
    """Yields what is wrong with a line of a document."""
    for target in LINK.findall(line):
        if re.match(r"\w+:|#", target):
            continue
        whole = project.root / pathlib.PurePath(document).parent / target.split("#")[0]
        if not whole.exists():
            yield f"the link leads nowhere: {target}"
    line = LINK.sub(lambda link: link[0].split("](")[0], line)
    for found in PATH.findall(line):
        if PLACEHOLDER.search(found):
            continue
        for path in expand(found.rstrip(".,")):
            if not project.has(path):
                yield f"there is no {path}"
    for name in NAME.findall(line):
        if name not in project.names | DATA and not PLACEHOLDER.search(name):
            yield f"there is no file called {name}"
    for name in IDENTIFIER.findall(line):
        if not {name, f"test_{name}"} & (project.words | FOREIGN):
            yield f"nothing is called {name}"


def check_hostile(root):
    """Yields where the table of hostile input and its tests differ."""
    document = root / "docs/hostile-input.md"
    tests = "".join(path.read_text() for path in (*(root / "tests/integration").glob("test_*.py"),
                                                  *(root / "tests/unit").rglob("test_*.c")))
    rows = 0
    for number, line in enumerate(document.read_text().splitlines(), 1):
        row = re.match(r"\|.*\| ((?:`\w+`(?:, )?)+) \|$", line)
        rows += bool(row)
        for name in re.findall(r"\w+", row[1]) if row else []:
            if f"def test_{name}(" not in tests and f"void test_{name}(" not in tests:
                yield f"docs/hostile-input.md:{number}: there is no test_{name}"
    if rows < 10:
        yield f"docs/hostile-input.md:1: only {rows} rows name a test"


def number_of(text):
    """The product that a C initializer is."""
    value = 1
    for factor in text.split("*"):
        factor = factor.strip()
        value *= CONSTANTS[factor] if factor in CONSTANTS else int(factor)
    return value


def duration_of(text):
    """Nanoseconds of 1m30s."""
    parts = re.findall(r"(\d+)(ns|us|ms|s|m|h)", text)
    if "".join(map("".join, parts)) != text:
        raise ValueError(text)
    return sum(int(count) * UNITS[unit] for count, unit in parts)


def default_of(kind, text):
    """A default as C code has it, in the form that same_default() compares."""
    if kind in ("UINT", "DURATION", "TIME"):
        return number_of(text)
    if kind in ("LEVEL", "CHOICE"):
        choice = text.rpartition("_")[2].lower()
        return CHOICES.get(choice, choice)
    return ast.literal_eval(text)


def same_default(kind, default, written):
    if default in (0, "") and written == "none":
        return True
    try:
        if kind == "DURATION":
            return default == duration_of(written)
        return default == (int(written) if kind == "UINT" else
                           written.lower() if kind in ("LEVEL", "CHOICE") else written)
    except ValueError:
        return False


def settings_of(source):
    """{name: (kind, default, environment variable)} of a table of settings in C."""
    text = source.read_text()
    defaults = dict(DEFAULT.findall(DEFAULTS.search(text)[1]))
    return {found["same"] or found["key"]:
            (found["type"], default_of(found["type"], defaults[found["field"]]),
             found["same"] or found["env"])
            for found in SETTING.finditer(text)}


def settings_in(readme):
    """{name: (default, line)} of the tables in the section Settings."""
    settings = {}
    section = ""
    for number, line in enumerate(readme.read_text().splitlines(), 1):
        section = line if line.startswith("## ") else section
        row = ROW.match(line)
        if section == "## Settings" and row:
            settings[row[1]] = row[2], number
    return settings


def check_settings(root):
    """Yields where README's tables and the two tables of settings differ."""
    server = root / "server/config/server_settings.c"
    client = root / "client/config/client_settings.c"
    written = settings_in(root / "README.md")
    known = {}
    for source in (server, client):
        settings = settings_of(source)
        if len(settings) != source.read_text().count("FIELD(") - 1:
            yield f"{source.relative_to(root)}:1: not every setting was understood"
        known.update(settings)
    for name, (kind, default, variable) in known.items():
        text, line = written.get(name, (None, 1))
        if text is None:
            yield f"README.md:{line}: the setting {name} is missing"
        elif not same_default(kind, default, text):
            yield f"README.md:{line}: the default of {name} is not {text}"
        if "." in name and variable != "CLI_" + name.upper().replace(".", "_"):
            yield f"client/config/client_settings.c:1: {name} is not {variable} in the environment"
    for name in written.keys() - known.keys():
        yield f"README.md:{written[name][1]}: there is no setting {name}"
    if len(known) < 20:
        yield f"README.md:1: only {len(known)} settings were found"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    project = Project(root.resolve())
    documents = project.documents()
    faults = []
    for document in documents:
        lines = (project.root / document).read_text().splitlines()
        for number, line in enumerate(lines, 1):
            faults += [f"{document}:{number}: {fault}"
                       for fault in check_line(project, document, line)]
        if document == "ARCHITECTURE.md" and len(lines) > ARCHITECTURE_MAX:
            faults.append(f"{document}:{ARCHITECTURE_MAX + 1}: more than {ARCHITECTURE_MAX} lines")
    faults += check_hostile(project.root)
    faults += check_settings(project.root)
    print("\n".join(faults))
    print(f"docs: {len(documents)} documents, {len(faults)} faults")
    return 1 if faults or len(documents) < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
