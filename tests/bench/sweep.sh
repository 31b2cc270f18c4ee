#!/bin/sh
# sweep.sh - a sweep of eight students from the start of the program to the last result, in groups and alone.
#
#   RETORT_DATA=DIR tests/bench/sweep.sh [ROUNDS] [WORKERS] > tests/bench/sweep.csv
#
# The teacher and its soft targets are there before the clock runs (experiments/bench-sweep.toml). Each round
# runs every line once, so that a drift of the machine falls on all alike; the smallest of each goes to standard
# error. PyTorch takes part when PEERS names the folder of torch_sweep.py (a program that prints one JSON line
# with wall_s) and MNIST_DIR that of the MNIST files. Nothing else should run meanwhile.
set -eu
rounds=${1:-5}
workers=${2:-2}
retort=${RETORT:-build/retort}
spec=$(dirname "$0")/../../experiments/bench-sweep.toml
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT

# All that was trained, but the teacher.
forget_students() {
    for result in "$runs"/bench-sweep/*/result.json; do
        grep -q '"role":"teacher"' "$result" || rm -r "$(dirname "$result")"
    done
}

row() { # label command...
    label=$1; shift
    start=$(date +%s.%N)
    "$@" >/dev/null 2>&1
    echo "$label,$workers,$(echo "$start $(date +%s.%N)" | awk '{ printf "%.3f", $2 - $1 }')" | tee -a "$runs/rows"
}

ours() { # label options...
    label=$1; shift
    forget_students
    row "$label" "$retort" run "$spec" --runs "$runs" --no-plots --workers "$workers" "$@"
}

echo "what,workers,seconds"
"$retort" run "$spec" --runs "$runs" --no-plots >/dev/null 2>&1
for _ in $(seq "$rounds"); do
    ours groups
    ours alone --alone
    [ -z "${PEERS:-}" ] ||
        row pytorch env LD_LIBRARY_PATH="${OMPBLAS:-}" "${PYTHON:-python3}" "$PEERS/torch_sweep.py" --mode pool \
            --procs "$workers"
done
sort -t, -k1,1 -k3,3n "$runs/rows" | awk -F, '!seen[$1]++ { print $1 ": " $3 " s" }' >&2
