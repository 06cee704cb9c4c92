#!/bin/sh
# Runs one fuzz target for a given time: tools/fuzz.sh TARGET SECONDS [libFuzzer options]
# Starts from the target's corpus (tests/fuzz/corpus/TARGET and its part of tests/fuzz/corpus.tar.xz)
# and from what earlier runs have found, in build-asan/tests/fuzz/finds/TARGET.
# An input that shows a fault is left as build-asan/tests/fuzz/finds/TARGET-crash-*. Without one the
# status is 0.
#
# tools/fuzz.sh TARGET keep  rewrites the target's part of the archive: it keeps as few of all inputs
# found so far as are needed, with tests/fuzz/corpus/TARGET, to reach the same code.
set -eu
cd "$(dirname "$0")/.."
if [ $# -lt 2 ] || [ ! -e "tests/fuzz/fuzz_$1.c" ]; then
    echo "usage: tools/fuzz.sh TARGET SECONDS|keep [libFuzzer options]; targets:"
    find tests/fuzz -name 'fuzz_*.c' | sed 's/.*fuzz_\(.*\)\.c/  \1/' | sort
    exit 2
fi
target=$1 how=$2
shift 2
files=tests/fuzz/corpus/$target
unpacked=build-asan/tests/fuzz/corpus/$target
finds=build-asan/tests/fuzz/finds/$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# quietly COMMAND...: shows the command's output only when it fails.
quietly() {
    "$@" > "$work/log" 2>&1 || {
        cat "$work/log"
        exit 1
    }
}

quietly cmake --preset asan
quietly cmake --build --preset asan --target "fuzz_$target" -- -j"$(nproc)"
if [ "$how" = keep ]; then
    cp -r "$files" "$work/kept"
    quietly build-asan/bin/fuzz_"$target" -set_cover_merge=1 -max_len=1600 "$work/kept" "$unpacked" "$finds"
    python3 tests/fuzz/corpus.py pack "$target" "$work/kept"
    echo "inputs in tests/fuzz/corpus.tar.xz:"
    python3 tests/fuzz/corpus.py list
    exit
fi
build-asan/bin/fuzz_"$target" -max_total_time="$how" -timeout=60 -print_final_stats=1 \
    -artifact_prefix="$finds-" "$@" "$finds" "$files" "$unpacked"
