#!/bin/sh
# Installs a Docker engine and Compose 2 from Debian packages, if they are missing.
# Debian 12 has no Compose 2: there only its package is taken from Debian 13.
# It starts no engine: if no service manager does, run `dockerd` as root.
#
# Exit status: 0 all is installed, 1 it is not, 2 bad arguments.
#
# shellcheck disable=SC1091,SC2016  # a file of the system; fields that apt-get fills in

set -eu

THIS=bookworm
NEXT=trixie
SOURCE=/etc/apt/sources.list.d/docker-compose.sources
PIN=/etc/apt/preferences.d/docker-compose

if [ $# -gt 0 ]; then
  echo "Usage: tools/install-docker.sh (no arguments)" >&2
  exit 2
fi

say() { echo "install-docker.sh: $*"; }

fail() {
  echo "install-docker.sh: error: $*" >&2
  exit 1
}

has_engine() { command -v dockerd >/dev/null || docker info >/dev/null 2>&1; }
has_compose() { docker compose version >/dev/null 2>&1; }
candidate() { LC_ALL=C apt-cache policy "$1" | sed -n 's/^  Candidate: //p'; }

# The next release's suite, from the archive that this machine uses. Only the one package may be
# installed from it, so that everything else stays with this release.
add_next_release() {
  . /etc/os-release
  [ "${VERSION_CODENAME-}" = $THIS ] || return 1
  archive=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Identifier: Packages' |
    sed -n "s/^$THIS //p" | head -n 1)
  printf '%s\n' 'Types: deb' "URIs: $archive" "Suites: $NEXT" 'Components: main' \
    'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' >$SOURCE
  printf '%s\n' 'Package: *' "Pin: release n=$NEXT" 'Pin-Priority: -1' '' \
    'Package: docker-compose' "Pin: release n=$NEXT" 'Pin-Priority: 600' >$PIN
  apt-get update -qq || {
    rm $SOURCE $PIN
    return 1
  }
}

missing=
has_engine || missing=' docker.io'
has_compose || missing="$missing docker-compose"
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || fail "this is no Debian system; it lacks what Debian calls$missing"
[ "$(id -u)" -eq 0 ] || fail "not root; to be installed:$missing"
export DEBIAN_FRONTEND=noninteractive

apt-get update -qq || say 'apt-get update failed, trying with what is known'
case $(candidate docker-compose) in
  1.*) has_compose || add_next_release || fail 'Compose 2 is not available' ;;
esac
# Since Debian 13 the command is a package of its own.
case $(candidate docker-cli) in
  '' | '(none)') ;;
  *) command -v docker >/dev/null || missing="$missing docker-cli" ;;
esac
say "installing$missing"
# shellcheck disable=SC2086  # a list of names
apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $missing ||
  fail "apt-get could not install$missing"
has_engine || fail 'installed, but there is no dockerd'
has_compose || fail 'installed, but docker compose does not work'
