#!/bin/sh
# steps.sh - training steps of convolutional networks, retort and PyTorch interleaved in one run.
#
#   tests/bench/steps.sh [ROUNDS] > tests/bench/steps.csv
#
# Each round runs every line below once, so that a drift of the machine falls on all alike; the medians,
# ratios and peak memory go to standard error at the end. Batch 128, two threads, random images, float32,
# SGD with momentum. PyTorch takes part when PEERS names the folder of torch_cnn.py (a program that prints
# one JSON line with ms_per_step and rss_mb), PYTHON a Python that has torch and OMPBLAS the folder of an
# OpenMP-threaded BLAS; it runs in both its memory layouts, and the faster one counts. Nothing else should
# run meanwhile.
set -eu
rounds=${1:-5}
retort=${RETORT:-build/retort}

fields() { # the JSON line's two numbers, in this order
    line=$(tail -n 1)
    for key in ms_per_step rss_mb; do
        echo "$line" | sed -n "s/.*\"$key\": *\([0-9.]*\).*/\1/p"
    done | paste -sd, -
}

theirs() { # net steps layout
    [ -n "${PEERS:-}" ] || { echo ","; return 0; }
    # shellcheck disable=SC2086
    (cd "$PEERS" && LD_LIBRARY_PATH=${OMPBLAS:-} "${PYTHON:-python3}" torch_cnn.py --threads 2 --net "$1" \
        --steps "$2" $3) | fields
}

work() {
    echo "round,net,retort_ms,retort_mb,pytorch_ms,pytorch_mb,pytorch_nhwc_ms,pytorch_nhwc_mb"
    round=1
    while [ "$round" -le "$rounds" ]; do
        for net in resnet8:10 resnet20:6 wrn-16-1:6 wrn-16-2:6 lenet:40; do
            name=${net%:*} steps=${net#*:}
            echo "$round,$name,$("$retort" bench step --net "$name" --threads 2 --steps "$steps" | fields),$(
                theirs "$name" "$steps" ''),$(theirs "$name" "$steps" --channels-last)"
        done
        round=$((round + 1))
    done
}

work | tee /dev/stderr | awk -F, "$(cat "$(dirname "$0")/median.awk")"'
    { print }
    NR > 1 {
        if (!($2 in n)) order[++nets] = $2
        n[$2]++
        for (i = 3; i <= 8; i++) if ($i != "") { list[$2, i] = list[$2, i] " " $i; m[$2, i]++ }
    }
    END {
        for (k = 1; k <= nets; k++) {
            net = order[k]
            ours = median(list[net, 3], n[net])
            line = sprintf("%-10s retort %7.1f ms %4.0f MB", net, ours, median(list[net, 4], n[net]))
            if (m[net, 5]) {
                plain = median(list[net, 5], m[net, 5]); last = median(list[net, 7], m[net, 7])
                best = plain < last ? 5 : 7
                t = best == 5 ? plain : last
                line = line sprintf("   PyTorch (%s) %7.1f ms %4.0f MB   ratio %.2f", best == 5 ? "NCHW" : "NHWC", t, median(list[net, best + 1], m[net, best + 1]), t / ours)
            }
            print line > "/dev/stderr"
        }
    }'
