"""bash completes every option and command that --help has, and no others.

Usage: check_completion.py BIN, the folder of the programs. Asked is bash itself, with the files of
tools/completion.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPLETIONS = ROOT / "tools" / "completion"
# The function that `complete` has for a command is called as bash does: the command, the word and the
# one before it. compopt works only while bash completes.
ASK = """
compopt() { :; }
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
set -- "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\) .*/\\1/') "$@"
printf '%s\\n' "${COMPREPLY[@]}"
"""
PROGRAMS = ("lottery-server", "lottery-agency", "lottery-ctl")
# Words before the one that is completed, and what there is to choose from.
CHOICES = (
    (("lottery-server", "--mode"), "", {"lottery", "echo"}),
    (("lottery-server", "--port"), "", set()),
    (("lottery-server", "--config"), "LIC", {"LICENSE"}),
    (("lottery-server", "--check"), "too", {"tools"}),
    (("lottery-agency", "--mode"), "", {"lottery", "bet", "echo"}),
    (("lottery-agency",), "LIC", {"LICENSE"}),
    (("lottery-agency", "--config"), "LIC", {"LICENSE"}),
    (("lottery-ctl", "--data-dir"), "too", {"tools"}),
    (("lottery-ctl", "--data-dir", "x", "-j"), "stat", {"status"}),
    (("lottery-ctl", "--data-dir", "x", "status"), "", set()),
    (("lottery-ctl", "draw", "--source"), "", set()),
    (("lottery-ctl", "backup"), "too", {"tools"}),
)


def completed(words, word):
    """What bash would offer."""
    done = subprocess.run(["bash", "-c", ASK, "ask", COMPLETIONS / words[0], *words, word], check=True,
                          cwd=ROOT, text=True, stdout=subprocess.PIPE)
    return set(done.stdout.split())


def check(words, word, wanted):
    """Yields what differs."""
    found = completed(words, word)
    if found != wanted:
        yield (f"{' '.join(words)} {word}: missing: {sorted(wanted - found)}, "
               f"too much: {sorted(found - wanted)}")


def main():
    if len(sys.argv) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    faults = []
    for program in PROGRAMS:
        help_text = subprocess.run([pathlib.Path(sys.argv[1]) / program, "--help"], check=True,
                                   text=True, stdout=subprocess.PIPE).stdout
        lines = re.findall(r"^ {2,6}(-.*)$", help_text, re.M)
        options = {option for line in lines for option in re.findall(r"^-\w|--[a-z-]+", line)}
        if len(options) < 8:
            faults.append(f"{program}: only {len(options)} options were found in --help")
        faults += check((program,), "-", options)
        commands = set(re.findall(r"^  ([a-z]+)(?: [A-Z]+)?  +\S", help_text, re.M))
        if commands:
            faults += check((program,), "", commands)
    for words, word, wanted in CHOICES:
        faults += check(words, word, wanted)
    print("".join(f"tools/completion/{fault}\n" for fault in faults) +
          f"completion: {len(PROGRAMS)} programs, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
