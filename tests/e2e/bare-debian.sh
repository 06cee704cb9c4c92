#!/bin/sh
# Makes a bare Debian with mmdebstrap. Usage: bare-debian.sh RELEASE TARGET [OPTION OF MMDEBSTRAP]...
# Its apt uses the same archive as this machine's, which may have another release.
#
# shellcheck disable=SC1091,SC2016  # a file of the system; fields that apt-get fills in
set -eu
release=${1:?usage: bare-debian.sh RELEASE TARGET [OPTION]..., e.g. bookworm base.tar}
target=$2
shift 2
command -v mmdebstrap >/dev/null || {
  echo "bare-debian.sh: there is no mmdebstrap to make Debian $release with" >&2
  exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
here=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) main' \
  'Identifier: Packages' 'Origin: Debian' |
  sed -nE "s/ $here(-updates|-security)? main\$/ $release\1 main/p" | sort -u >"$folder/sources.list" || true
apt-config dump | grep -E '^Acquire::(http|https|Check-)' >"$folder/apt.conf" || true

set -- "$@" "$release" "$target"
[ ! -s "$folder/sources.list" ] || set -- "$@" "$folder/sources.list"
mmdebstrap --quiet --variant=minbase --aptopt="$folder/apt.conf" "$@"
