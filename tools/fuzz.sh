#!/bin/sh
# Runs one fuzz target for as long as wanted: tools/fuzz.sh TARGET SECONDS [libFuzzer options]
# Begins with tests/fuzz/corpus/TARGET and what earlier runs have found, in build-asan/fuzz/TARGET.
# A finding is left as build-asan/fuzz/TARGET-crash-*; without one the status is 0.
#
# tools/fuzz.sh TARGET keep  instead chooses the corpus anew: the seeds, and of all finds as few as
# reach everything that any of them reaches.
set -eu
cd "$(dirname "$0")/.."
if [ $# -lt 2 ] || [ ! -e "tests/fuzz/fuzz_$1.c" ]; then
    echo "usage: tools/fuzz.sh TARGET SECONDS|keep [libFuzzer options]; targets:"
    find tests/fuzz -name 'fuzz_*.c' | sed 's/.*fuzz_\(.*\)\.c/  \1/' | sort
    exit 2
fi
target=$1 how=$2
shift 2
corpus=tests/fuzz/corpus/$target
finds=build-asan/fuzz/$target
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{ cmake --preset asan && cmake --build --preset asan --target "fuzz_$target" -- -j"$(nproc)"; } > "$log" 2>&1 || {
    cat "$log"
    exit 1
}
mkdir -p "$finds"
if [ "$how" = keep ]; then
    find "$corpus" -type f ! -name 'seed-*' -exec mv -t "$finds" {} +
    build-asan/bin/fuzz_"$target" -set_cover_merge=1 -max_len=1600 "$corpus" "$finds" > "$log" 2>&1 || {
        cat "$log"
        exit 1
    }
    echo "$corpus: $(find "$corpus" -type f | wc -l) inputs"
    exit
fi
build-asan/bin/fuzz_"$target" -max_total_time="$how" -timeout=60 -print_final_stats=1 \
    -artifact_prefix="$finds-" "$@" "$finds" "$corpus"
