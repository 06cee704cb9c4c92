#!/bin/bash
# Runs a lottery on this machine: a server and N agencies on loopback, until each agency has printed how
# many of its bets have won. The agencies' files are .data/agency-K.csv; missing ones are made.
set -euo pipefail
cd "$(dirname "$0")/.."
agencies=${1:-5}
run=build/run

if ! [[ $agencies =~ ^[1-9][0-9]{0,4}$ ]] || [ "$agencies" -gt 10000 ]; then
    echo "run-lottery.sh: the number of agencies has to be 1 to 10000, not '$agencies' (make run AGENCIES=5)" >&2
    exit 2
fi

tools/make-data.sh "$agencies"

rm -rf "$run"
mkdir -p "$run/data"
: > "$run/server.log"
server=
declare -A pids=() # pid of an agency -> its id
# Whatever happens, no process that was started here remains.
trap 'kill $server "${!pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true' EXIT

# Mode lottery, and the log with the lines that this script waits for, despite the environment.
SERVER_IP=127.0.0.1 SERVER_PORT=0 SERVER_LISTEN_BACKLOG=128 LOTTERY_AGENCIES=$agencies \
    SERVER_MODE=lottery LOGGING_LEVEL=INFO LOG_FORMAT=text \
    LOTTERY_DATA_DIR=$run/data build/bin/lottery-server --config server/config.ini \
    > "$run/server.log" 2>&1 &
server=$!
until port=$(sed -n 's/.*action: listen | result: success | port: \([0-9]*\).*/\1/p' "$run/server.log") && [ -n "$port" ]; do
    kill -0 $server 2>/dev/null || {
        cat "$run/server.log"
        exit 1
    }
    sleep 0.05
done
echo "server: port $port, log in $run/server.log"

for id in $(seq "$agencies"); do
    (
        CLI_ID=$id CLI_SERVER_ADDRESS=127.0.0.1:$port CLI_BETS_FILE=.data/agency-$id.csv \
            CLI_MODE=lottery CLI_LOG_LEVEL=INFO CLI_LOG_FORMAT=text LOG_FORMAT=text \
            exec build/bin/lottery-agency --config client/config.yaml
    ) > >(sed -u "s/^/agency $id: /") 2>&1 &
    pids[$!]=$id
done
while [ ${#pids[@]} -gt 0 ]; do
    # The others would wait forever: there is no draw before all agencies have finished.
    wait -n -p ended "${!pids[@]}" || {
        echo "agency ${pids[$ended]} failed: there will be no draw" >&2
        exit 1
    }
    unset "pids[$ended]"
done
status=0
kill -TERM $server
wait $server || status=1
server=
grep -F 'action: sorteo | result: success' "$run/server.log" | sed 's/^/server: /'
echo "$(wc -l < $run/data/bets.csv) bets in $run/data/bets.csv, $(wc -l < $run/data/winners.csv) winners in $run/data/winners.csv"
exit $status
