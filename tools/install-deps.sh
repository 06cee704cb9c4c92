#!/bin/sh
# Installs the Debian packages that this project needs; see usage() below.
# When all are installed it prints nothing, changes nothing and needs neither root nor network.
# In a Dockerfile, `rm -rf /var/lib/apt/lists/*` belongs in the same RUN, to keep the layer small.
#
# shellcheck disable=SC2086,SC2046  # lists of names have to be split

set -eu
unset IFS

# One package per word; `a|b` are the names of one package in different Debian releases.
RUNTIME='libprotobuf-c1 libuv1t64|libuv1 libyaml-0-2 libinih1 libcsv3 libssl3t64|libssl3
  libmicrohttpd12t64|libmicrohttpd12 libjansson4'
BUILD='gcc libc6-dev make cmake pkg-config protobuf-c-compiler
  libprotobuf-c-dev libuv1-dev libyaml-dev libinih-dev libcsv-dev libssl-dev
  libmicrohttpd-dev libjansson-dev'
PACKAGE='build-essential debhelper' # Debian's build tools, which want a C++ compiler, too
# What a draw on this machine needs besides the two programs: it makes bets where there are none.
RUN='python3-minimal'
# libclang-rt-dev has the sanitizers, llvm makes their reports readable, and valgrind cannot start
# without libc6-dbg. chromium opens the live page, prometheus reads the metrics, and systemd has
# systemd-analyze.
CHECK='ninja-build libcmocka-dev python3 python3-protobuf python3-yaml protobuf-compiler mmdebstrap
  clang libclang-rt-dev llvm clang-format clang-tidy cppcheck valgrind libc6-dbg gdb git openssl
  chromium chromium-driver groff lintian mandoc prometheus systemd'

usage() {
  cat <<'END'
Usage: tools/install-deps.sh [--build | --run | --package | --runtime] [--list]

  (no option)  everything: build, package, test and analyse
  --build      only what compiling needs
  --run        the same, and what tools/run-lottery.sh needs
  --package    the same as --build, and what making a Debian package needs
  --runtime    only the shared libraries that the programs load
  --list       print the names of the packages and install nothing

Exit status: 0 all is installed, 1 it is not, 2 bad arguments.
END
}

say() { echo "install-deps.sh: $*"; }

fail() {
  echo "install-deps.sh: error: $*" >&2
  exit 1
}

is_installed() {
  # One call for each package is simple, and takes only a few milliseconds.
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

can_be_had() {
  # A name that is only known from the dependencies of others has no candidate.
  case $(LC_ALL=C apt-cache policy "$1" 2>/dev/null) in
    '' | *'Candidate: (none)'*) return 1 ;;
  esac
}

# first_that CHECK a|b: prints the first of the names for which CHECK is true.
first_that() {
  check=$1
  IFS='|'
  set -- $2
  unset IFS # back to the default, as it was at the start
  for name; do
    if "$check" "$name"; then
      echo "$name"
      return
    fi
  done
  return 1
}

# The names in this release, one per line; the first name of each where no name is known.
names_here() {
  for package; do
    first_that is_installed "$package" || first_that can_be_had "$package" || echo "${package%%|*}"
  done
}

# Fills `names` and `unknown` from `missing`.
resolve_missing() {
  names='' unknown=''
  for package in $missing; do
    if name=$(first_that can_be_had "$package"); then
      names="$names $name"
    else
      unknown="$unknown $package"
    fi
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    DEBIAN_FRONTEND=noninteractive "$@"
  else
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

# A source that does not answer does not matter as long as the others have all packages.
update() {
  updated=yes
  as_root apt-get update -qq || say 'apt-get update failed, trying with what is known'
}

# Its package starts a server when it is installed, and at each boot. The tests start their own.
SERVICE=prometheus.service

# Is that about to be installed, on a system on which services run? In a container they do not.
adds_service() {
  case " $names " in
    *" ${SERVICE%.service} "*) ;;
    *) return 1 ;;
  esac
  case $(systemctl is-system-running 2>/dev/null) in
    '' | offline | unknown) false ;;
  esac
}

get_packages() {
  as_root apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $names
}

install() {
  if ! adds_service; then
    get_packages
    return
  fi
  as_root systemctl mask --quiet --runtime "$SERVICE" || : # until the next boot at the latest
  get_packages && installed=yes || installed=no
  as_root systemctl unmask --quiet --runtime "$SERVICE" || :
  [ "$installed" = yes ] || return 1
  as_root systemctl disable --quiet "$SERVICE" || :
}

set_name='' list=no
for argument; do
  case $argument in
    --build | --run | --package | --runtime)
      if [ -n "$set_name" ] && [ "$set_name" != "$argument" ]; then
        echo "install-deps.sh: error: $set_name and $argument exclude each other" >&2
        exit 2
      fi
      set_name=$argument
      ;;
    --list) list=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      echo "install-deps.sh: error: unknown argument '$argument'" >&2
      usage >&2
      exit 2
      ;;
  esac
done

case $set_name in
  --runtime) wanted=$RUNTIME ;;
  --build) wanted=$BUILD ;;
  --run) wanted="$BUILD $RUN" ;;
  --package) wanted="$BUILD $PACKAGE" ;;
  *) wanted="$BUILD $PACKAGE $RUN $CHECK" ;;
esac

if [ "$list" = yes ]; then
  names_here $wanted
  exit 0
fi

for tool in apt-get apt-cache dpkg-query; do
  command -v "$tool" >/dev/null && continue
  case $set_name in
    --build | --run)
      # Perhaps all is there: then it can be built, and otherwise CMake lists what is missing.
      say "this is no Debian system ($tool is missing), so nothing is installed"
      exit 0
      ;;
  esac
  fail "this is no Debian system ($tool is missing)." \
    "Install what these packages of Debian hold:" $(names_here $wanted)
done

missing=''
for package in $wanted; do
  first_that is_installed "$package" >/dev/null || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  why=''
  if ! command -v sudo >/dev/null; then
    why='there is no sudo'
  elif ! sudo -n true 2>/dev/null && ! [ -t 0 ]; then
    why='sudo needs a password and there is no terminal to ask on'
  fi
  [ -z "$why" ] || fail "not root, and $why. Run as root: apt-get install" $(names_here $missing)
fi

updated=no
resolve_missing
if [ -n "$unknown" ]; then
  update
  resolve_missing
fi
[ -z "$unknown" ] || fail "apt-get knows no package$unknown"

say "installing$names"
if ! install; then
  # The index may be too old: it names versions that the archive no longer has.
  [ "$updated" = no ] || fail "apt-get could not install$names"
  update
  resolve_missing
  install || fail "apt-get could not install$names"
fi
