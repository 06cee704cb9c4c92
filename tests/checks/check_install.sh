#!/bin/sh
# What gets installed works: cmake --install below a DESTDIR, and the Debian package, unpacked.
# Usage: check_install.sh BUILD_DIR
set -eu
build=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# check_tree ROOT: programs that run, and files to begin with.
check_tree() {
    for name in lottery-server lottery-agency lottery-ctl; do
        "$1/usr/bin/$name" --version | grep -E "^$name [0-9]+\.[0-9]+\.[0-9]+$"
    done
    doc=$(dirname "$(find "$1/usr/share/doc" -name README.md)")
    for name in README.md ARCHITECTURE.md CHANGELOG.md SECURITY.md copyright lottery.proto control.proto \
        docs/protocol.md docs/disk-format.md docs/hostile-input.md docs/performance.md docs/operator.md \
        docs/operations.md docs/processes.md docs/identity.md docs/seal.md docs/observer.md \
        docs/ejercicios.md examples/config.ini examples/config.yaml; do
        [ -s "$doc/$name" ] || {
            echo "missing: $name in $doc"
            exit 1
        }
    done
    for name in man1/lottery-agency.1 man5/lottery-agency.yaml.5 man5/lottery-server.ini.5 \
        man8/lottery-ctl.8 man8/lottery-server.8; do
        [ -s "$1/usr/share/man/$name" ] || {
            echo "missing: the page $name"
            exit 1
        }
    done
    # The examples are valid as they are: the agency only lacks its id.
    "$1/usr/bin/lottery-agency" --config "$doc/examples/config.yaml" | grep 'id: missing'
    [ -z "$(find "$1" -name 'test_*' -o -name '*.a')" ] || {
        echo "tests or archives were installed"
        exit 1
    }
}

DESTDIR="$folder/destdir" cmake --install "$build" --prefix /usr > "$folder/log" 2>&1 || {
    cat "$folder/log"
    exit 1
}
check_tree "$folder/destdir"

(cd "$folder" && cpack --config "$build/CPackConfig.cmake" -B "$folder/packages") \
    > "$folder/log" 2>&1 || {
    cat "$folder/log"
    exit 1
}
deb=$(echo "$folder"/packages/national-lottery_*.deb)
[ "$(dpkg-deb -c "$deb" | grep -cE ' \./usr/bin/lottery-(server|agency|ctl)$')" = 3 ]
dpkg-deb -f "$deb" Depends | grep -E 'libuv1.*'
dpkg-deb -x "$deb" "$folder/unpacked"
check_tree "$folder/unpacked"
