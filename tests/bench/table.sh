#!/bin/sh
# table.sh - what retort is fast and slow at, beside its peers: one interleaved run, one table.
#
#   make bench                            5 rounds into tests/bench/results.csv and tests/bench/table.md
#   tests/bench/table.sh [ROUNDS]         BENCH_OUT=DIR puts the two files elsewhere; BENCH_QUICK=1 tries it out;
#                                         BENCH_ONLY=TEXT: only jobs whose command of retort has it, no products
#   awk -f tests/bench/median.awk -f tests/bench/table.awk tests/bench/results.csv      the table again
#
# Each round runs every program of every job once, one after the other, so that a drift of the machine falls on all
# alike. Work of one thread is tied to one processor. MNIST has to be there (RETORT_DATA). A peer takes part where
# it is found and is left out with a word where not:
#
#   OpenBLAS, oneDNN   when the dynamic linker finds them; OMPBLAS is the folder of an OpenMP-threaded BLAS
#                      (an OpenBLAS that is older than the processor takes kernels for AVX2, and PyTorch
#                      with it: OPENBLAS_CORETYPE=Cooperlake; the table's head says which it took)
#   PyTorch            when PEERS names the folder of torch_mnist.py and torch_sweep.py, PYTHON a Python that has
#                      torch, MNIST_DIR the folder of the MNIST files; each prints one JSON line
#   kann               when KANN names a program that trains kann's networks: MNIST_DIR mlp NET BATCH THREADS
#                      EPOCHS, and prints one JSON line with median_s
#
# Nothing else should run meanwhile.
set -eu
rounds=${1:-${BENCH_ROUNDS:-5}}
here=$(dirname "$0")
out=${BENCH_OUT:-$here}
program=${RETORT:-build/retort} gemm=${BENCH_GEMM:-build/float/bench_gemm}
sweep_spec=experiments/bench-sweep.toml
only=${BENCH_ONLY:-}
steps=100 more_steps=200 pair_steps=40 pairs=16 gemm_rounds=5
# shellcheck disable=SC2034 # they stand in the commands of the jobs
[ -z "${BENCH_QUICK:-}" ] || steps=5 more_steps=5 pair_steps=5 pairs=1 gemm_rounds=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# ---- the programs --------------------------------------------------------------------------------
# Each prints a JSON line. $threads is the job's; $pin ties work of one thread to the last processor allowed.

retort() { $pin "$program" "$@"; }

torch() { # script options...
    (cd "$PEERS" && LD_LIBRARY_PATH=${OMPBLAS:-} $pin "${PYTHON:-python3}" "$@")
}

kann() { OPENBLAS_NUM_THREADS=1 $pin "$KANN" "$MNIST_DIR" mlp "$@"; }

epoch() { # hidden layers, options...
    hidden=$1
    shift
    retort bench epoch --threads "$threads" --epochs 1 --net "784-$hidden-10" "$@"
}

torch_epoch() {
    hidden=$1
    shift
    torch torch_mnist.py --threads "$threads" --epochs 1 --net "784-$hidden-10" "$@"
}

now() { date +%s.%N; }

# The whole command, in a fresh folder where only the trained teacher is: soft targets and report are in the time.
sweep() {
    [ -d "$work/taught" ] || return 2 # as for an option that this build has not
    rm -rf "$work/runs"
    cp -R "$work/taught" "$work/runs"
    start=$(now)
    "$program" run "$sweep_spec" --runs "$work/runs" --no-plots >"$work/said" 2>&1 ||
        { cat "$work/said" >&2; return 1; }
    echo "$start $(now)" | awk '{ printf "{\"wall_s\": %.4f}\n", $2 - $1 }'
}

teach() { # before the clock runs: the sweep's teacher; what its run left beside it is not kept
    [ -f "$sweep_spec" ] || return 0
    "$program" run "$sweep_spec" --runs "$work/learnt" --no-plots --set student.epochs=1 >"$work/said" 2>&1 ||
        { cat "$work/said" >&2; return 1; }
    for spec in "$work"/learnt/*/*/spec.toml; do
        trial=${spec%/spec.toml} experiment=${spec%/*/spec.toml}
        sed -n 1p "$spec" | grep -q ': teacher' || continue
        mkdir -p "$work/taught/${experiment##*/}"
        mv "$trial" "$work/taught/${experiment##*/}/"
    done
    rm -rf "$work/learnt"
}

# ---- the jobs ------------------------------------------------------------------------------------
#
#   THREADS... | retort's command | PyTorch's | kann's
#       work | unit | key in retort's JSON line | key in the peers', where it is another
#
# "1 2" is one job after the other; a line that ends in \ goes on. What comes in /s is better when it is more, all
# else when it is less. Rates of an epoch (GFLOP/s) give its share of peak.

jobs() {
    cat <<'END_OF_JOBS'
1 2 | epoch 1200-1200 --dropout 0.2,0.5 --steps $steps | torch_epoch 1200-1200 --drop 0.2,0.5 --steps $steps
    epoch 1200-1200 dropout | s | median_s
    epoch 1200-1200 dropout | GFLOP/s | gflops
    peak memory 1200-1200 | MB | rss_mb
    allocations per step 1200-1200 | | allocations_per_step
1 2 | epoch 800-800 --steps $more_steps | torch_epoch 800-800 --steps $more_steps
    epoch 800-800 | s | median_s
    epoch 800-800 | GFLOP/s | gflops
1 2 | epoch 800-800 --steps $more_steps --kd | torch_epoch 800-800 --steps $more_steps --kd
    epoch 800-800 kd | s | median_s
    epoch 800-800 kd | GFLOP/s | gflops
    allocations per step 800-800 kd | | allocations_per_step
1 2 | retort bench kd --threads $threads --net 784-800-800-10 --steps $pair_steps --epochs $pairs
    kd's extra cost 800-800 | % | extra_percent
1 | epoch 30-30 --epochs 3 | torch_epoch 30-30 --epochs 3 | kann 784-30-30-10 100 1 3
    epoch 30-30 | s | median_s
1 | epoch 30-30 --epochs 3 --kd | torch_epoch 30-30 --epochs 3 --kd
    epoch 30-30 kd | s | median_s
1 | epoch 1200-1200 --dropout 0.2,0.5 --steps $steps --bf16 | \
        torch_epoch 1200-1200 --drop 0.2,0.5 --steps $steps --bf16
    epoch 1200-1200 dropout bf16 | s | median_s
2 | epoch 1200-1200 --dropout 0.2,0.5 --steps $steps --bf16 | \
        torch_epoch 1200-1200 --drop 0.2,0.5 --steps $steps --bf16 --foreach
    epoch 1200-1200 dropout bf16 | s | median_s
2 | sweep | torch torch_sweep.py --mode pool --procs 2 --threads 1
    sweep of 8 students 30-30 | s | wall_s
1 | retort bench infer --net 784-30-30-10 | torch torch_mnist.py --net 784-30-30-10 --infer
    inference 30-30 batch 1 | images/s | per_s_b1 | jit-frozen b1
    inference 30-30 batch 1000 | images/s | per_s_b1000 | jit-frozen b1000
1 | retort bench infer --net 784-800-800-10 | torch torch_mnist.py --net 784-800-800-10 --infer
    inference 800-800 batch 1 | images/s | per_s_b1 | jit-frozen b1
    inference 800-800 batch 1000 | images/s | per_s_b1000 | jit-frozen b1000
2 | retort bench start --threads 2 --net 784-1200-1200-10 --dropout 0.2,0.5 | \
        torch torch_mnist.py --threads 2 --net 784-1200-1200-10 --drop 0.2,0.5 --startup
    start to the first step 1200-1200 | s | total_s
END_OF_JOBS
}

# ---- running them --------------------------------------------------------------------------------

say() { echo "bench: $*" >&2; }

has() { # program
    case $1 in
    retort) true ;;
    PyTorch) [ -n "${PEERS:-}" ] && [ -f "$PEERS/torch_mnist.py" ] && [ -n "${MNIST_DIR:-}" ] ;;
    kann) [ -n "${KANN:-}" ] && [ -x "$KANN" ] && [ -n "${MNIST_DIR:-}" ] ;;
    esac
}

pin_for() { # threads
    pin=
    [ "$1" != 1 ] || [ -z "$processor" ] || pin="taskset -c $processor"
}

trim() { echo "$1" | sed 's/^ *//; s/ *$//'; }

value() { # key file: the number after the key, or the first of a list
    sed -n "s/.*\"$1\": *\[*\([0-9.e+-]*\).*/\1/p" "$2" | tail -n 1
}

run() { # program command: its JSON line into a file of the job
    json=$work/$1.$threads
    : >"$json"
    [ -n "$2" ] && has "$1" || return 0
    status=0
    (eval "$2") >"$json" 2>"$work/complaints" </dev/null || status=$?
    [ $status -ne 0 ] || return 0
    : >"$json"
    if [ "$1" = retort ] && [ $status -ne 2 ]; then cat "$work/complaints" >&2; exit 1; fi
    say "$1 does not do this: $(trim "$2")"
    [ "$1" = retort ] || tail -n 3 "$work/complaints" >&2
}

record() { # work unit key peers' key: a line for each program that has it; an empty value: retort does not do it
    for threads in $job_threads; do
        for name in retort PyTorch kann; do
            key=$3
            [ $name = retort ] || key=${4:-$3}
            number=$(value "$key" "$work/$name.$threads")
            [ -n "$number" ] || [ $name = retort ] || continue
            line=$round,$1,$threads,$name,$number,$2
            echo "$line"
            echo "$line" >&2
        done
    done
}

gemm_round() {
    for threads in 1 2; do
        pin_for $threads
        LD_LIBRARY_PATH=${OMPBLAS:-} $pin "$gemm" --csv --rounds $gemm_rounds $threads >"$work/gemm" || exit 1
        sed "s/^/$round,/" "$work/gemm"
        say "round $round: gemm, threads $threads, $(wc -l <"$work/gemm" | tr -d ' ') lines"
    done
}

jobs_round() {
    # shellcheck disable=SC2162 # without -r: \ joins two lines
    jobs | while IFS='|' read first second third fourth; do
        case $first in
        ' '*) record "$(trim "$first")" "$(trim "$second")" "$(trim "$third")" "$(trim "$fourth")" ;;
        *)
            case $second in
            *"$only"*) job_threads=$first ;;
            *) job_threads= ;;
            esac
            for threads in $job_threads; do
                pin_for "$threads"
                run retort "$second"
                run PyTorch "$third"
                run kann "$fourth"
            done
            ;;
        esac
    done
}

head_lines() { # what the figures are of
    echo "# $(date -u +%Y-%m-%d), $("$program" --version), instruction set $isa"
    echo "# $(sed -n '/^model name/ { s/.*: *//p; q; }' /proc/cpuinfo 2>/dev/null), $(uname -sm)," \
        "$(getconf _NPROCESSORS_ONLN) processors"
    echo "# $(${CC:-cc} --version | head -n 1)${CFLAGS:+, $CFLAGS}"
    LD_LIBRARY_PATH=${OMPBLAS:-} "$gemm" --who 2 | sed 's/^/# /'
    if has PyTorch; then
        echo "# PyTorch $(torch -c 'import torch; print(torch.__version__)')"
    else
        echo "# PyTorch is not here: PEERS, PYTHON and MNIST_DIR say where"
    fi
    has kann && echo "# kann with OpenBLAS" || echo "# kann is not here: KANN and MNIST_DIR say where"
    [ -f "$sweep_spec" ] || echo "# the sweep is not here: $sweep_spec"
    [ -z "${BENCH_QUICK:-}" ] || echo "# a quick trial: too few steps for figures"
}

processor=
if command -v taskset >/dev/null 2>&1; then
    processor=$(taskset -cp $$ | sed 's/.*[ ,-]//') # the last that is allowed
fi
threads=1
pin=
mkdir -p "$out"
epoch 10 --steps 1 >"$work/first" # where MNIST is missing, it says so and all ends here
isa=$(sed -n 's/.*"isa": "\([a-z0-9]*\)".*/\1/p' "$work/first")
case sweep in *"$only"*) teach ;; esac
{
    head_lines
    echo "round,work,threads,program,value,unit"
    round=1
    while [ "$round" -le "$rounds" ]; do
        [ -n "$only" ] || gemm_round
        jobs_round
        round=$((round + 1))
    done
} >"$work/results.csv"
mv "$work/results.csv" "$out/results.csv"
awk -f "$here/median.awk" -f "$here/table.awk" "$out/results.csv" >"$out/table.md"
cat "$out/table.md"
