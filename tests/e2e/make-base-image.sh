#!/bin/sh
# Provides debian:RELEASE-slim, the base of images and containers. Usage: make-base-image.sh RELEASE
# If no image registry can be reached, it is made from Debian packages; like the real one it has the
# essential packages, apt and no documentation. An existing image is left as it is.
#
# shellcheck disable=SC1091,SC2016  # a file of the system; fields that apt-get fills in
set -eu
release=${1:?usage: make-base-image.sh RELEASE, e.g. bookworm}
image=debian:$release-slim
docker image inspect "$image" >/dev/null 2>&1 && exit 0
timeout 120 docker pull -q "$image" 2>/dev/null && exit 0
command -v mmdebstrap >/dev/null || {
  echo "make-base-image.sh: no registry has $image, and there is no mmdebstrap to make it with" >&2
  exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The image's apt uses the same archive as this machine's, which may have another release.
here=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) main' \
  'Identifier: Packages' 'Origin: Debian' |
  sed -nE "s/ $here(-updates|-security)? main\$/ $release\1 main/p" | sort -u >"$folder/sources.list" || true
apt-config dump | grep -E '^Acquire::(http|https|Check-)' >"$folder/apt.conf" || true

set -- "$release" "$folder/base.tar"
[ ! -s "$folder/sources.list" ] || set -- "$@" "$folder/sources.list"
mmdebstrap --quiet --variant=minbase --aptopt="$folder/apt.conf" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' "$@"
docker import --change 'CMD ["bash"]' "$folder/base.tar" "$image" >/dev/null
