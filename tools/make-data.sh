#!/bin/sh
# make-data.sh N makes those of the files .data/agency-1.csv to agency-N.csv that are missing: from the
# course's .data/datasets.zip (or dataset.zip) if it is there, and the rest with made-up bets.
set -eu
case ${1-} in
  '' | *[!0-9]* | ??????*)
    echo "make-data.sh: usage: make-data.sh N, with N the number of agencies" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
umask 022 # agencies in containers read these files as another user
mkdir -p .data
tools/unpack-data.py .data
for id in $(seq "$1"); do
  [ -e ".data/agency-$id.csv" ] ||
    exec tools/gen-dataset.py --agencies "$1" --bets $(($1 * 15000)) --seed 7574 --out .data \
      --keep-existing
done
