#!/bin/sh
# Builds everything (release with gcc, the tests with clang and its sanitizers) and runs all tests.
# At the end it lists the tests that were skipped, with the reasons.
# Arguments go to ctest, e.g. tools/run-tests.sh -R unit.frame
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# build PRESET
build() {
    echo "building: $1"
    { cmake --preset "$1" && cmake --build --preset "$1" -- -j"$(nproc)"; } > "$log" 2>&1 || {
        cat "$log"
        exit 1
    }
}

build release
build asan
status=0
rm -f build-asan/Testing/Temporary/LastTest.log
ctest --test-dir build-asan --output-on-failure -j"$(nproc)" "$@" || status=$?
/usr/bin/python3 -B tools/list-skipped.py build-asan
exit $status
