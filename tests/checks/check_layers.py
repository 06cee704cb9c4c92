"""Who may include whom: arrows run one way, between folders and between files; pure folders stay pure.

cmake/layers.txt is the only list of layers. This checks that
- each folder there uses only folders that are above it, and uses them;
- every file is in one of them, and includes only what its folder may;
- some headers must not be included in some folders;
- no files depend on each other in a cycle (an arrow is a symbol that one file defines and another uses);
- the drawing in ARCHITECTURE.md is the one that follows from the includes.

Usage: check_layers.py BUILD_DIR | --draw | --update (writes the drawing into ARCHITECTURE.md)
"""
import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS = ROOT / "cmake" / "layers.txt"
DOCUMENT = ROOT / "ARCHITECTURE.md"
DRAWING = re.compile("(<!-- layers:begin -->\n)(.*?)(<!-- layers:end -->)", re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)
PROGRAMS = ("server", "client", "ctl")

PURE = ("common/base", "common/config", "common/bet", "server/lottery")
FORBIDDEN = (
    # headers, folders whose files must not include them, why
    (r"uv\.h", (*PURE, "server/store", "server/service"), "no event loop here"),
    (r"sys/socket\.h|netinet/.*|arpa/inet\.h", (*PURE, "server/service", "server/store",
                                                "server/store/csv"), "no sockets here"),
    (r"\w+\.pb-c\.h|protobuf-c/.*", (*PURE, "server/store", "server/store/csv", "server/transport"),
     "no generated types here"),
    (r"fcntl\.h|stdio\.h|unistd\.h", ("common/bet", "server/lottery"), "no files here"),
)


def read_layers():
    """{folder: the folders that it may use}, lowest first."""
    lines = [line for line in LAYERS.read_text().splitlines() if line and line[0] != "#"]
    return {folder: uses.split() for folder, uses in (line.split(":") for line in lines)}


def check_list(layers):
    above = set()
    for folder, uses in layers.items():
        for used in uses:
            if used not in above:
                yield f"layers.txt: {folder} uses {used}, which does not stand above it"
        above.add(folder)


class Sources:
    """Our files, and what they include of each other."""

    def __init__(self, layers):
        self.files = [path.relative_to(ROOT) for top in ("gen", "common", "client", "server", "ctl")
                      for path in sorted((ROOT / top).rglob("*.[ch]"))]
        self.paths = {path.name: path for path in self.files}
        self.layers = layers
        self.arrows = collections.defaultdict(set)  # folder: those that it includes from
        for path in self.files:
            folder = path.parent.as_posix()
            self.arrows[folder] |= {other.parent.as_posix() for other in self.reach(path)} - {folder}

    def includes(self, path):
        return INCLUDE.findall((ROOT / path).read_text())

    def reach(self, path, seen=None):
        """Our headers that a file includes, also through others."""
        seen = set() if seen is None else seen
        for header in self.includes(path):
            other = self.paths.get(header)
            if other and other not in seen:
                seen.add(other)
                self.reach(other, seen)
        return seen

    def check(self):
        for path in self.files:
            folder = path.parent.as_posix()
            if folder not in self.layers:
                yield f"{path}: its folder is not in layers.txt"
                continue
            for other in sorted(self.reach(path)):
                if other.parent.as_posix() not in (folder, *self.layers[folder]):
                    yield f"{path}: {folder} may not include {other}"
            reached = [path, *self.reach(path)]
            for header in {header for each in reached for header in self.includes(each)}:
                for pattern, rooms, why in FORBIDDEN:
                    if folder in rooms and re.fullmatch(pattern, header):
                        yield f"{path}: {header}: {why}"
        for folder, uses in self.layers.items():
            for used in set(uses) - self.arrows[folder]:
                yield f"layers.txt: {folder} includes nothing from {used}"

    def draw(self):
        """The arrows that do not follow from others, as a graph in Mermaid's notation. A folder with one
        arrow shares the line of the folder that it leads to, if that comes next."""
        reachable = collections.defaultdict(set)
        for folder in self.layers:
            for used in self.arrows[folder]:
                reachable[folder] |= {used} | reachable[used]
        lines = ["```mermaid", "flowchart TD"]
        for folder in reversed(self.layers):
            needed = [used for used in reversed(self.layers) if used in self.arrows[folder] and
                      not any(used in reachable[other] for other in self.arrows[folder])]
            if needed and lines[-1].endswith(f"--> {folder}"):
                lines[-1] += f" --> {' & '.join(needed)}"
            elif needed:
                lines.append(f"  {folder} --> {' & '.join(needed)}")
        return "\n".join([*lines, "```", ""])


def symbols(objects):
    """(where each symbol is defined, what each object needs), by nm."""
    defined, needed = {}, collections.defaultdict(set)
    for source, path in objects.items():
        listing = subprocess.run(["nm", "--format=posix", path], check=True, capture_output=True,
                                 text=True).stdout
        for line in listing.splitlines():
            name, kind = line.split()[:2]
            if kind == "U":
                needed[source].add(name)
            elif kind.isupper() and kind not in "VW":
                defined[name] = source
    return defined, needed


def circles(objects):
    """The groups of files that need each other (strongly connected, after Tarjan)."""
    defined, needed = symbols(objects)
    arrows = {source: {defined[name] for name in names if name in defined} - {source}
              for source, names in needed.items()}
    index, low, stack, groups = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in arrows.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in objects:
        if node not in index:
            visit(node)
    return groups


def find_objects(build, files):
    """{source: its object file}, of those of our C files that were compiled."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"]).relative_to(ROOT)
        if source in files:
            output = re.search(r" -o (\S+)", entry["command"])[1]
            found[source.as_posix()] = pathlib.Path(entry["directory"]) / output
    return found


def check_circles(build, files):
    sources = [path for path in files if path.suffix == ".c" and path.parts[0] != "gen"]
    objects = find_objects(build, sources)
    for path in sources:
        if path.as_posix() not in objects:
            yield f"{path}: was not compiled in {build}"
    for group in circles(objects):
        yield f"a circle of files that need each other: {', '.join(group)}"


def check_drawing(drawing):
    found = DRAWING.search(DOCUMENT.read_text())
    if not found:
        yield "ARCHITECTURE.md: no place for the drawing of the layers"
    elif found[2] != drawing:
        yield "ARCHITECTURE.md: the drawing of the layers is not today's: check_layers.py --update"


def main():
    layers = read_layers()
    sources = Sources(layers)
    drawing = sources.draw()
    if sys.argv[1] == "--draw":
        print(drawing, end="")
        return 0
    if sys.argv[1] == "--update":
        DOCUMENT.write_text(DRAWING.sub(lambda found: found[1] + drawing + found[3],
                                        DOCUMENT.read_text()))
        return 0
    faults = [*check_list(layers), *sources.check(),
              *check_circles(pathlib.Path(sys.argv[1]), sources.files), *check_drawing(drawing)]
    print("\n".join(faults))
    print(f"layers: {len(layers)} folders, {len(sources.files)} files, {len(faults)} faults")
    return 1 if faults or not sources.files else 0


if __name__ == "__main__":
    sys.exit(main())
