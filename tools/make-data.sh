#!/bin/sh
# make-data.sh N makes those of the files .data/agency-1.csv to agency-N.csv that are missing: from the
# course's .data/datasets.zip (or dataset.zip) if it is there, and the rest with made-up bets.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .data
tools/unpack-data.py .data
for id in $(seq "$1"); do
  [ -e ".data/agency-$id.csv" ] ||
    exec tools/gen-dataset.py --agencies "$1" --bets $(($1 * 15000)) --seed 7574 --out .data \
      --keep-existing
done
