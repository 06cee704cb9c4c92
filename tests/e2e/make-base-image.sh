#!/bin/sh
# Provides debian:RELEASE-slim, the base of images and containers. Usage: make-base-image.sh RELEASE
# If no image registry can be reached, it is made from Debian packages; like the real one it has the
# essential packages, apt and no documentation. An existing image is left as it is.
set -eu
release=${1:?usage: make-base-image.sh RELEASE, e.g. bookworm}
image=debian:$release-slim
docker image inspect "$image" >/dev/null 2>&1 && exit 0
timeout 120 docker pull -q "$image" 2>/dev/null && exit 0

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$(dirname "$0")/bare-debian.sh" "$release" "$folder/base.tar" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*'
docker import --change 'CMD ["bash"]' "$folder/base.tar" "$image" >/dev/null
