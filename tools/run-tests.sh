#!/bin/sh
# Builds everything (release with gcc, the tests with clang and its sanitizers) and runs all tests.
# Arguments go to ctest, e.g. tools/run-tests.sh -R unit.frame
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for preset in release asan; do
    echo "building: $preset"
    { cmake --preset "$preset" && cmake --build --preset "$preset" -- -j"$(nproc)"; } > "$log" 2>&1 || {
        cat "$log"
        exit 1
    }
done
ctest --test-dir build-asan --output-on-failure "$@"
