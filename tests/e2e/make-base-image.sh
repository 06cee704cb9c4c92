#!/bin/sh
# Brings debian:bookworm-slim, on which the images stand. Where no image registry is reached it is
# made from Debian packages; like the real one it has the essential packages, apt and no
# documentation. Where the image exists it is left as it is.
#
# shellcheck disable=SC2016  # fields that apt-get fills in
set -eu
image=debian:bookworm-slim
docker image inspect "$image" >/dev/null 2>&1 && exit 0
timeout 120 docker pull -q "$image" 2>/dev/null && exit 0

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The image's apt reaches its archive in the same way as this machine's does.
apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) main' 'Identifier: Packages' |
  grep -E ' bookworm(-updates|-security)? ' | sort -u >"$folder/sources.list" || true
apt-config dump | grep -E '^Acquire::(http|https|Check-)' >"$folder/apt.conf" || true

set -- bookworm "$folder/base.tar"
[ ! -s "$folder/sources.list" ] || set -- "$@" "$folder/sources.list"
mmdebstrap --quiet --variant=minbase --aptopt="$folder/apt.conf" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' "$@"
docker import --change 'CMD ["bash"]' "$folder/base.tar" "$image" >/dev/null
