#!/bin/sh
# Checks whether the echo server that server/config.ini names sends back what it gets. Netcat asks it
# from a container on the project's network, so that nothing is installed here and no port is
# published. Status 0: it does; 1: it does not, or the check failed; stderr then says why.
#
# shellcheck disable=SC2016  # what runs in the container is not expanded here
set -u
cd "$(dirname "$0")" || exit 1
name=validar-echo-server-$$
network=tp0_testing_net
message="echo check $(date +%s) $$"

# setting NAME DEFAULT
setting() {
  value=$(sed -n "s/^[[:space:]]*$1[[:space:]]*[=:][[:space:]]*\([^[:space:];]*\).*/\1/p" \
    server/config.ini | tail -n 1)
  echo "${value:-$2}"
}

# Runs in the container as: sh -c "$ask" sh MESSAGE HOST PORT. Our side stays open until a line has
# arrived, as some servers close the connection when our side ends; bytes after that line are compared,
# too. A server that sends too much, or nothing, fails the check after a few seconds.
ask='
cd /tmp && : >answer && ulimit -f 8
{
  echo "$1"
  for _ in $(seq 30); do
    [ "$(wc -l <answer)" -eq 0 ] || break
    sleep 0.1
  done
} | timeout 5 nc -N -w 3 "$2" "$3" >answer
[ "$(cat answer)" = "$1" ]'

result() {
  echo "action: test_echo_server | result: $1"
}

fail() {
  [ $# -eq 0 ] || echo "validar-echo-server.sh: $*" >&2
  result fail
  exit 1
}

# In the background, because a signal interrupts only `wait` at once.
run() {
  "$@" >/dev/null 2>&1 &
  job=$!
  wait "$job"
  status=$?
  job=
  return $status
}

job=
cleanup() {
  trap '' INT TERM HUP # a second signal must not interrupt the cleanup
  [ -z "$job" ] || { kill "$job" && wait "$job"; }
  docker rm -f "$name"
  docker image rm "$name"
}
trap 'cleanup >/dev/null 2>&1' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

host=$(setting SERVER_IP server)
[ "$host" != 0.0.0.0 ] || host=server # 0.0.0.0 means all addresses, and none to connect to
port=$(setting SERVER_PORT 12345)

# `make docker-image` has left all of its layers, so this takes no time and no network.
run docker build -q --force-rm --target netcat -f client/Dockerfile -t "$name" . ||
  fail 'cannot build the image with netcat: docker build --target netcat -f client/Dockerfile .'
docker create --rm --name "$name" --network "$network" "$name" \
  sh -c "$ask" sh "$message" "$host" "$port" >/dev/null || fail "cannot use the network $network"
run docker start -a "$name" || fail
result success
