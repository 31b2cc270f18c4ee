#!/bin/sh
# epochs.sh - training epochs of retort and of PyTorch, interleaved in one run.
#
#   RETORT_DATA=DIR tests/bench/epochs.sh [ROUNDS] > tests/bench/epochs.csv
#
# Each round runs every line below once, so that a drift of the machine falls on all alike; the
# medians and ratios go to standard error at the end. PyTorch takes part when PEERS names the folder
# of torch_mnist.py (a program that prints one JSON line with median_s), PYTHON a Python that has
# torch, MNIST_DIR the folder of the MNIST files and OMPBLAS that of an OpenMP-threaded BLAS;
# otherwise its columns stay empty. Nothing else should run meanwhile.
set -eu
rounds=${1:-5}
retort=${RETORT:-build/retort}

value() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" | tail -n 1; }

ours() { # label threads options...
    threads=$1; shift
    "$retort" bench epoch --threads "$threads" --epochs 1 "$@" | value median_s
}

theirs() { # threads options...
    [ -n "${PEERS:-}" ] || return 0
    threads=$1; shift
    (cd "$PEERS" && LD_LIBRARY_PATH=${OMPBLAS:-} "${PYTHON:-python3}" torch_mnist.py --threads "$threads" --epochs 1 "$@") |
        value median_s
}

row() { # label threads "our options" "their options"
    # shellcheck disable=SC2086
    a=$(ours "$2" $3)
    # shellcheck disable=SC2086
    b=$(theirs "$2" $4)
    echo "$round,$1,$2,$a,$b"
}

work() {
    echo "round,work,threads,retort_s,pytorch_s"
    round=1
    while [ "$round" -le "$rounds" ]; do
        for threads in 1 2; do
            row "1200-1200 dropout" $threads "--net 784-1200-1200-10 --dropout 0.2,0.5 --steps 100" \
                "--net 784-1200-1200-10 --drop 0.2,0.5 --steps 100"
            row "800-800" $threads "--net 784-800-800-10 --steps 200" "--net 784-800-800-10 --steps 200"
            row "800-800 kd" $threads "--net 784-800-800-10 --steps 200 --kd" "--net 784-800-800-10 --steps 200 --kd"
            row "30-30" $threads "--net 784-30-30-10" "--net 784-30-30-10"
            row "30-30 kd" $threads "--net 784-30-30-10 --kd" "--net 784-30-30-10 --kd"
        done
        round=$((round + 1))
    done
}

work | tee /dev/stderr | awk -F, "$(cat "$(dirname "$0")/median.awk")"'
    { print }
    NR > 1 {
        key = $2 " t" $3
        if (!(key in n)) order[++keys] = key
        n[key]++
        a[key] = a[key] " " $4
        if ($5 != "") { b[key] = b[key] " " $5; m[key]++ }
    }
    END {
        for (i = 1; i <= keys; i++) {
            key = order[i]
            line = sprintf("%-26s retort %8.3f s", key, median(a[key], n[key]))
            if (m[key]) line = line sprintf("   PyTorch %8.3f s   ratio %.2f", median(b[key], m[key]), median(b[key], m[key]) / median(a[key], n[key]))
            print line > "/dev/stderr"
        }
    }'
