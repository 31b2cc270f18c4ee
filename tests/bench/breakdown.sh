#!/bin/sh
# breakdown.sh - where the time of a training step goes, for three networks on MNIST.
#
#   RETORT_DATA=DIR tests/bench/breakdown.sh [THREADS]
#
# Samples of the processor clock while `retort bench epoch` trains (its start is left out), by what the
# functions are for, in percent of all samples, as a table for a README. A function belongs to the object
# file it was compiled into, so the build with its objects must be there (BUILD, default build). Linux's perf
# does the sampling; without it nothing is measured. On more than one thread waiting counts as "threads".
set -eu
threads=${1:-1}
build=${BUILD:-build}
retort=${RETORT:-$build/retort}

if ! command -v perf >/dev/null || ! perf record -e cpu-clock -o /dev/null true >/dev/null 2>&1; then
    echo "breakdown.sh: perf is not installed or may not sample, so nothing is measured" >&2
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "function folder/file", of all objects
for object in "$build"/float/src/*/*.o "$build"/float/src/*/*/*.o; do
    place=${object#"$build"/float/src/}
    nm "$object" | awk -v place="${place%.o}" '$2 ~ /[tT]/ { print $3, place }'
done >"$work/places"

measure() { # label options...
    label=$1; shift
    perf record -q -e cpu-clock -F 4000 -D 300 -o "$work/samples" \
        "$retort" bench epoch --threads "$threads" --epochs 1 "$@" >/dev/null 2>&1
    perf report -i "$work/samples" --stdio --no-children -s dso,sym -t '|' 2>/dev/null |
        awk -F'|' -v label="$label" -v places="$work/places" '
            function group(library, name,    file) {
                if (name ~ /^\[k\]/ || library ~ /kernel/) return "system"
                sub(/^\[\.\] */, "", name)
                sub(/\..*/, "", name)
                file = place[name]
                if (file == "") return library ~ /libm\./ ? "losses and activations" : "rest"
                if (file ~ /^kernels\/(gemm|bgemm)/) return "matrix products"
                if (name ~ /nonzero|turn_bits|^list_(avx2|bytes)/ || file ~ /^kernels\/nonzero/) return "maps of zeros"
                if (name ~ /dropout/) return "dropout masks"
                if (name ~ /^(sgd|adam)$/ || file ~ /^optim|rmsprop/) return "optimiser"
                if (name ~ /relu_backward/) return "relu backward"
                if (name ~ /column_sums|put_sums/) return "column sums"
                if (name ~ /bytes_to_real/ || file ~ /^data\//) return "batches"
                if (file ~ /^core\/pool/) return "threads"
                if (file ~ /^ops\// || name ~ /^(relu|sum|dot|softmax.*|exp_down|log_up)$/) return "losses and activations"
                if (file ~ /^(graph|distill|tensor|nn|core\/arena)/) return "graph and driver"
                return "rest"
            }
            # A name that is in several objects: a product'"'"'s counts.
            FILENAME == places { split($0, word, " ")
                                 if (!(word[1] in place) || word[2] ~ /gemm/) place[word[1]] = word[2]; next }
            /^#/ || NF < 3 { next }
            { gsub(/ /, "", $2); sub(/^ */, "", $3); sub(/ *$/, "", $3)
              share[group($2, $3)] += $1 + 0 }
            END {
                count = split("matrix products|maps of zeros|optimiser|dropout masks|relu backward|column sums|batches|" \
                              "losses and activations|graph and driver|threads|system|rest", name, "|")
                for (i = 1; i <= count; i++) printf "%s|%s|%.1f\n", label, name[i], share[name[i]]
            }' "$work/places" -
}

{
    measure "1200-1200 dropout" --net 784-1200-1200-10 --dropout 0.2,0.5 --steps 300
    measure "800-800" --net 784-800-800-10 --steps 500
    measure "30-30" --net 784-30-30-10 --epochs 7
} | awk -F'|' -v threads="$threads" '
    !($1 in seen) { seen[$1] = 1; net[++nets] = $1 }
    !($2 in known) { known[$2] = 1; part[++parts] = $2 }
    { share[$1, $2] = $3 }
    END {
        printf "| %% of a step, %d thread%s |", threads, threads == 1 ? "" : "s"
        for (n = 1; n <= nets; n++) printf " %s |", net[n]
        printf "\n|---|"
        for (n = 1; n <= nets; n++) printf "---:|"
        printf "\n"
        for (p = 1; p <= parts; p++) {
            printf "| %s |", part[p]
            for (n = 1; n <= nets; n++) printf " %s |", share[net[n], part[p]]
            printf "\n"
        }
    }'
