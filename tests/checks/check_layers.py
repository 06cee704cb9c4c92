"""Who may include whom: arrows run downward, and the rooms keep to themselves.

Every module (a folder) has a floor; a file may include headers of its own
module and of modules on lower floors. Besides, some headers stay out of some rooms.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
ROOT = ROOT if ROOT.is_dir() else ROOT.parents[2]

FLOORS = [
    ["common/base", "gen"],
    ["common/config", "common/bet"],
    ["common/transport"],
    ["server/config", "server/lottery", "client/config", "client/bets_file", "client/transport"],
    ["server/store", "client/agency"],
    ["server/store/csv"],
    ["server/service"],
    ["server/transport", "server/raffle", "server/cli"],
    ["server/process"],
    ["server", "client"],
]
PURE = ["common/base", "common/config", "common/bet", "server/lottery"]
FORBIDDEN = [
    # header, rooms that must not include it, why
    (r"uv\.h", PURE + ["server/service"], "no event loop here"),
    (r"sys/socket\.h|netinet/.*|arpa/inet\.h", PURE + ["server/service", "server/store"],
     "no sockets here"),
    (r"lottery\.pb-c\.h|protobuf-c/.*",
     ["server/lottery", "server/store", "common/bet", "server/transport"], "no generated types here"),
    (r"fcntl\.h|unistd\.h|stdio\.h", ["server/lottery", "common/bet"], "no files here"),
]


def module_of(path, modules):
    """The innermost module that the file lies in."""
    folder = path.parent.relative_to(ROOT).as_posix()
    while folder and folder not in modules:
        folder = folder.rpartition("/")[0]
    return folder


def main():
    floor = {module: i for i, modules in enumerate(FLOORS) for module in modules}
    sources = [path for top in ("common", "server", "client", "gen")
               for path in sorted((ROOT / top).rglob("*.[ch]"))]
    owners = {path.name: module_of(path, floor) for path in sources if path.suffix == ".h"}
    faults = []
    for path in sources:
        module = module_of(path, floor)
        name = path.relative_to(ROOT)
        if not module:
            faults.append(f"{name}: lies in no module")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
            if not match:
                continue
            header = match[1]
            owner = owners.get(header)
            if owner and owner != module and floor[owner] >= floor[module]:
                faults.append(f"{name}:{number}: {module} may not include {header} of {owner}")
            if owner and {owner.split("/")[0], module.split("/")[0]} == {"server", "client"}:
                faults.append(f"{name}:{number}: client and server do not include each other")
            for pattern, rooms, why in FORBIDDEN:
                inside = any(module == room or module.startswith(room + "/") for room in rooms)
                if inside and not (module == "server/store/csv" and "socket" in why) and \
                        re.fullmatch(pattern, header):
                    faults.append(f"{name}:{number}: {header}: {why}")
    print("\n".join(faults))
    print(f"layers: {len(sources)} files, {len(faults)} faults")
    return 1 if faults or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
