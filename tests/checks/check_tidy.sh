#!/bin/sh
# clang-tidy, with the checks of .clang-tidy, finds nothing. Usage: check_tidy.sh BUILD_DIR
set -eu
cd "$(dirname "$0")/../.."
. tests/checks/versions.sh
needs_version clang-tidy 14
files=$(find common server client ctl -name '*.c')
# shellcheck disable=SC2086 # the names have no blanks
echo $files | xargs -n 4 -P "$(nproc)" clang-tidy -p "$1" --quiet --warnings-as-errors='*'
echo "tidy: $(echo "$files" | wc -l) files"
