"""Reads a profile of callgrind: how many instructions each of our functions took.

It is for profiles taken with --separate-callers, where the name of a function is followed by those of
its callers: memcpy'put_name'bet_lines_format. The cost of a library counts for the nearest of our
functions that called it; it can be kept apart. The format:
https://valgrind.org/docs/manual/cl-format.html
"""
import collections
import posixpath
import re

NAME = re.compile(r"\((\d+)\)(?: (.*))?")
KINDS = {"ob": "ob", "cob": "ob", "fl": "fl", "fi": "fl", "fe": "fl", "cfi": "fl", "cfl": "fl",
         "fn": "fn", "cfn": "fn"}


def read_costs(path):
    """Yields (function with callers, its object, its file, the line's file, instructions) for each line
    with a cost. The two files differ where something was inlined."""
    names = {}  # a name is written out once, and is a number from then on
    now = {"ob": "", "fl": "", "fn": ""}
    file = ""
    is_call = False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, is_setting, value = line.rstrip("\n").partition("=")
            if is_setting:
                is_call = is_call or key == "calls"
                if key not in KINDS:
                    continue
                number, name = NAME.fullmatch(value).groups()
                if name and KINDS[key] == "fl":  # an include folder "." shows in the path
                    name = posixpath.normpath(name)
                name = names.setdefault((KINDS[key], number), name)
                if key in now:
                    now[key] = name
                if key in ("fl", "fi", "fe"):
                    file = name
            elif re.match(r"[0-9+*-]", line):
                if not is_call:
                    yield now["fn"], now["ob"], now["fl"], file, int(line.split()[1])
                is_call = False  # its cost is that of the function called, which has its own lines


def own_costs(path, root, libraries=()):
    """Instructions by (file in root, function) of ours; ("", "") is what none of ours called. What one of
    these libraries ("libcrypto") executes, and has others execute, is by (library, function of ours that
    called it)."""
    prefix = f"{root}/"
    lines = list(read_costs(path))
    homes = {}
    for function, object_, home, _, _ in lines:
        library = posixpath.basename(object_).split(".")[0]
        if home.startswith(prefix):
            homes[function.split("'")[0]] = home.removeprefix(prefix)
        elif library in libraries:
            homes[function.split("'")[0]] = library
    costs = collections.Counter()
    for function, _, _, file, cost in lines:
        known = [name for name in function.split("'") if name in homes]
        own = next((name for name in known if homes[name] not in libraries), "")
        # Inlined code counts for the file that has it if that is ours, and not a header of the system.
        place = file.removeprefix(prefix) if file.startswith(prefix) else \
            homes[known[0]] if known else ""
        costs[place, own] += cost
    return costs
