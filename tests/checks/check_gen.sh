#!/bin/sh
# The committed gen/ is what protoc-c makes of proto/lottery.proto.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
protoc-c --proto_path="$root/proto" --c_out="$fresh" "$root/proto/lottery.proto"
diff -ru --exclude=CMakeLists.txt "$root/gen" "$fresh"
echo "gen: $(ls "$fresh" | wc -l) files compared"
