#!/bin/sh
# What gets installed works: cmake --install below a DESTDIR.
# Usage: check_install.sh BUILD_DIR
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

DESTDIR="$folder" cmake --install "$build" --prefix /usr > "$folder/log" 2>&1 || {
    cat "$folder/log"
    exit 1
}

need() {
    [ -s "$1" ] || {
        echo "missing: $1"
        exit 1
    }
}

usr=$folder/usr
for name in lottery-server lottery-agency lottery-ctl; do
    "$usr/bin/$name" --version | grep -E "^$name [0-9]+\.[0-9]+\.[0-9]+$"
    need "$usr/share/bash-completion/completions/$name"
done
doc=$usr/share/doc/lottery
for name in README.md ARCHITECTURE.md CHANGELOG.md SECURITY.md copyright lottery.proto control.proto \
    docs/*.md examples/config.ini examples/config.yaml; do
    need "$doc/$name"
done
for page in docs/man/*; do
    need "$usr/share/man/man${page##*.}/${page##*/}"
done
# The examples are valid as they are: the agency only lacks its id.
"$usr/bin/lottery-agency" --config "$doc/examples/config.yaml" | grep 'id: missing'
[ -z "$(find "$folder" -name 'test_*' -o -name '*.a')" ] || {
    echo "tests or archives were installed"
    exit 1
}
