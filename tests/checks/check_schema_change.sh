#!/bin/sh
# Changing proto/lottery.proto and building is all it takes: the C code has the new field.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cd "$root"
cp -r CMakeLists.txt cmake proto gen common server client "$copy"
cmake -S "$copy" -B "$copy/build" -DLOTTERY_BUILD_TESTS=OFF > "$copy/log" 2>&1 &&
    cmake --build "$copy/build" --target lottery_proto >> "$copy/log" 2>&1 || {
    cat "$copy/log"
    exit 1
}
if grep -q luck "$copy/gen/lottery.pb-c.h"; then
    echo "the field is there before it was added"
    exit 1
fi
sed -i 's/^message Bet .*{/&\n  uint32 luck = 100;/' "$copy/proto/lottery.proto"
cmake --build "$copy/build" --target common-transport >> "$copy/log" 2>&1 || {
    cat "$copy/log"
    exit 1
}
grep -n 'uint32_t luck;' "$copy/gen/lottery.pb-c.h"
