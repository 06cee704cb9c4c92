#!/bin/sh
# cppcheck finds nothing in our code. Usage: check_cppcheck.sh BUILD_DIR
# False findings are suppressed in the code, with the reason.
set -eu
cd "$(dirname "$0")/../.."
. tests/checks/versions.sh
needs_version cppcheck 2.10
# System headers are not read; what the generated header asks of protobuf-c's is said here.
cppcheck --project="$1/compile_commands.json" -i "$PWD/gen" -i "$PWD/tests" -j "$(nproc)" --quiet \
    --enable=warning,style,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
    -DPROTOBUF_C_VERSION_NUMBER=1004000 -DPROTOBUF_C_MIN_COMPILER_VERSION=1004000
echo "cppcheck: $(find common server client ctl -name '*.c' | wc -l) files"
