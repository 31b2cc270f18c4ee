#!/bin/sh
# engine.sh - start-up and inference of retort, three rounds.
#
#   RETORT_DATA=DIR tests/bench/engine.sh > tests/bench/engine.jsonl
set -eu
retort=${RETORT:-build/retort}
for _ in 1 2 3; do
    "$retort" bench start --net 784-1200-1200-10 --dropout 0.2,0.5
    "$retort" bench start --net 784-30-30-10
    "$retort" bench infer --net 784-30-30-10
    "$retort" bench infer --net 784-800-800-10
done
