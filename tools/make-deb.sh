#!/bin/sh
# Makes the Debian packages with dpkg-buildpackage, from a copy of this folder, because that puts what
# it makes into the folder above.
# Usage: make-deb.sh [OUT], the folder for the packages; default: build
set -eu
cd "$(dirname "$0")/.."
mkdir -p "${1:-build}"
out=$(cd "${1:-build}" && pwd)
work=$(mktemp -d "$out/deb.XXXXXX")
trap 'rm -rf "$work"' EXIT

mkdir "$work/national-lottery"
tar --create --exclude='./build*' --exclude=./.git --exclude=./.data --exclude=./certs --exclude=./tests . |
  tar --extract --directory "$work/national-lottery"
cd "$work/national-lottery"
dpkg-buildpackage -us -uc -b >"$work/log" 2>&1 || {
  cat "$work/log"
  exit 1
}
mv "$work"/national-lottery*_* "$out"
