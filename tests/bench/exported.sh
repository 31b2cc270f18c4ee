#!/bin/sh
# exported.sh - what exported networks cost: on this machine, and on an emulated Cortex-M4.
#
#     RETORT_DATA=... sh tests/bench/exported.sh IMAGES TRIAL... > figures.csv
#
# IMAGES holds raw examples one behind the other, at least 200 (an IDX file without its head). Each trial is
# exported in float and in int8 (that of `retort quantize`, where it is there), compiled with cc -O3, and asked
# for the class of 200 examples 50 times: median of 9 rounds, one thread. Flash, RAM and instructions an example
# come from tests/support/cortex_m.sh (-O2, three examples), and are empty where emulator or compiler are missing.
set -eu
retort=${RETORT:-build/retort} images=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/time.c" <<'END'
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "student.h"
enum { EXAMPLES = 200, TIMES = 50, ROUNDS = 9 };
static RAW x[EXAMPLES][STUDENT_INPUTS];
static CELL scratch[STUDENT_SCRATCH];
static int ascending(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) * 2 - 1; }
int main(int argc, char **argv) {
    double us[ROUNDS];
    long sum = 0;
    FILE *in = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!in || fread(x, sizeof x[0], EXAMPLES, in) != EXAMPLES) return 1;
    for (int r = 0; r < ROUNDS; r++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int t = 0; t < TIMES; t++)
            for (int n = 0; n < EXAMPLES; n++) sum += student_class(x[n], scratch);
        clock_gettime(CLOCK_MONOTONIC, &b);
        us[r] = (1e6 * (double)(b.tv_sec - a.tv_sec) + 1e-3 * (double)(b.tv_nsec - a.tv_nsec)) / TIMES / EXAMPLES;
    }
    qsort(us, ROUNDS, sizeof us[0], ascending);
    printf("%.2f", us[ROUNDS / 2]);
    return sum < 0;
}
END
echo "trial,network,form,constant_bytes,scratch_bytes,us,cortex_m4_flash,cortex_m4_ram,cortex_m4_instructions"
for trial; do
    for form in float int8; do
        option=
        [ "$form" = int8 ] && option=--int8
        said=$($retort export "$trial" --to c $option -o "$work/student")
        raw=$(sed -n 's/^void student_logits(const \([a-z0-9_]*\) .*/\1/p' "$work/student.h")
        cell=$(sed -n 's/^void student_logits(.*, \([a-z0-9_]*\) scratch.*/\1/p' "$work/student.h")
        size=1
        [ "$raw" = float ] && size=4
        one=$(($(sed -n 's/^#define STUDENT_INPUTS \([0-9]*\).*/\1/p' "$work/student.h") * size))
        cc -std=c99 -O3 -march=native -DRAW="$raw" -DCELL="$cell" -I"$work" -o "$work/time" "$work/time.c" \
            "$work/student.c" -lm
        us=$("$work/time" "$images")
        head -c $((3 * one)) "$images" >"$work/three"
        figures=$(sh "$(dirname "$0")/../support/cortex_m.sh" "$work" "$work/three") || figures=
        echo "$said" | awk -v trial="$(sed -n '1s/^# //p' "$trial/spec.toml")" -v form="$form" -v us="$us" -v more="$(
            echo "$figures" | awk '/^(flash|ram|instructions) / { printf ",%s", $2 }')" '
            NR == 3 { sub(/^ */, ""); network = $0 }
            /^  constants/ { constants = $2 }
            /^  scratch/ { scratch = $2 }
            END { printf "\"%s\",\"%s\",%s,%d,%d,%s%s\n", trial, network, form, constants, scratch, us, more == "" ? ",,," : more }'
    done
done
