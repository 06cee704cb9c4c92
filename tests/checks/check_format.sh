#!/bin/sh
# Every C file of ours is formatted as .clang-format says.
set -eu
cd "$(dirname "$0")/../.."
. tests/checks/versions.sh
needs_version clang-format 14
files=$(find common server client ctl tests -name '*.[ch]')
# shellcheck disable=SC2086 # the names have no blanks
clang-format --dry-run -Werror $files
echo "format: $(echo "$files" | wc -l) files"
