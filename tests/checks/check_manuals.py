"""The manual pages name every option, command and setting of the programs, and no others.

Usage: check_manuals.py BIN, the folder of the programs. Options and commands, with their arguments,
are compared with --help, settings, variables and defaults with the tables in the code. No formatter
has a warning about a page: groff, man and mandoc are asked, those that are installed.
"""
import pathlib
import re
import shutil
import subprocess
import sys

from check_docs import same_default, settings_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "man"
PROGRAMS = {"lottery-server.8": "lottery-server", "lottery-agency.1": "lottery-agency",
            "lottery-ctl.8": "lottery-ctl"}
SETTINGS = {"lottery-server.ini.5": "server/config/server_settings.c",
            "lottery-agency.yaml.5": "client/config/client_settings.c"}
FORMATTERS = (("groff", "-man", "-Tutf8", "-ww", "-z"), ("mandoc", "-Tlint", "-Wwarning"),
              ("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"))
# In --help: two or six blanks, the option in its forms, and its argument in upper case.
OPTION = re.compile(r"^(?:  |      )((?:-\w, )?--[a-z-]+(?: [A-Z]+(?::[A-Z]+)?(?= ))?)", re.M)
COMMAND = re.compile(r"^  ([a-z]+(?: [A-Z]+)?)  +\S", re.M)


def plain(text):
    """Without the marks of fonts and the escapes of roff."""
    return re.sub(r"\\f[BIRP]", "", text).replace(r"\-", "-")


def tags(page, section):
    """The tags of the paragraphs (what follows .TP) in a section of a page."""
    part = re.search(rf'^\.SH "?{section}"?\n(.*?)(?=^\.SH|\Z)', page, re.M | re.S)
    return [plain(line) for line in re.findall(r"^\.TP\n(.*)$", part[1] if part else "", re.M)]


def differences(name, written, known):
    """Yields what only one of the two has."""
    for only in sorted(set(known) - set(written)):
        yield f"{name}: missing: {only}"
    for only in sorted(set(written) - set(known)):
        yield f"{name}: there is no {only}"
    for tag in sorted({tag for tag in written if written.count(tag) > 1}):
        yield f"{name}: twice: {tag}"


def check_program(name, page, program):
    """Yields where options and commands differ from --help."""
    help_text = subprocess.run([program, "--help"], check=True, text=True,
                               stdout=subprocess.PIPE).stdout
    options = OPTION.findall(help_text)
    yield from differences(name, tags(page, "OPTIONS"), options)
    commands = re.search(r"^Commands:\n(.*?)^\n", help_text, re.M | re.S)
    yield from differences(name, tags(page, "COMMANDS"),
                           COMMAND.findall(commands[1]) if commands else [])
    if len(options) < 5:
        yield f"{name}: only {len(options)} options were found in --help"


def check_settings(name, page, source):
    """Yields where settings, variables and defaults differ from the table in the code."""
    known = settings_of(ROOT / source)
    written = {}
    for tag in tags(page, "SETTINGS"):
        found = re.fullmatch(r"([\w.]+)(?:, (\w+))? \((.*)\)", tag)
        if not found:
            yield f"{name}: not NAME (DEFAULT) or NAME, VARIABLE (DEFAULT): {tag}"
            continue
        setting, variable, default = found.groups()
        written[setting] = tag
        kind, value, known_variable = known.get(setting, (None, None, None))
        if kind and known_variable != (variable or setting):
            yield f"{name}: {setting} is {known_variable} in the environment, not {variable}"
        if kind and not same_default(kind, value, default):
            yield f"{name}: the default of {setting} is not {default}"
    yield from differences(name, list(written), list(known))
    if len(known) < 20:
        yield f"{name}: only {len(known)} settings were found"


def check_form(path):
    """Yields the formatters' warnings."""
    for command in FORMATTERS:
        if shutil.which(command[0]):
            done = subprocess.run([*command, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, errors="replace", check=False,
                                  env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANWIDTH": "80"})
            warnings = done.stdout if command[0] == "mandoc" else done.stderr
            if warnings or (done.returncode and command[0] != "mandoc"):
                yield f"{path.name}: {command[0]}: status {done.returncode}: {warnings.strip()}"


def main():
    if len(sys.argv) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    if not shutil.which("groff"):
        print("skipped: there is no groff")
        return 77
    programs = pathlib.Path(sys.argv[1])
    faults = []
    pages = sorted(path.name for path in PAGES.iterdir())
    if set(pages) != PROGRAMS.keys() | SETTINGS.keys():
        faults.append(f"the pages are not those that are known here: {', '.join(pages)}")
    for name in pages:
        page = (PAGES / name).read_text(encoding="ascii")
        if name in PROGRAMS:
            faults += check_program(name, page, programs / PROGRAMS[name])
        if name in SETTINGS:
            faults += check_settings(name, page, SETTINGS[name])
        faults += check_form(PAGES / name)
    print("".join(f"docs/man/{fault}\n" for fault in faults) +
          f"manuals: {len(pages)} pages, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
