#!/bin/sh
# unrolled.sh - did the compiler write out the loops of the tiles (src/kernels/unroll.h)?
#
#   unrolled.sh BUILD       a finding, and status 1, for each that it did not
#
# A tile of 6 rows of 2 vectors does 12 multiplications and additions for one step, four steps a turn: with its
# loops left as they are one instruction stands for all of them, and the sums live in memory. Nothing is said
# where objdump is missing, where the build has no such tiles and where sanitizers put their own work between.
build=$1
command -v objdump >/dev/null 2>&1 || exit 0

look() { # object function least
    [ -f "$build/float/src/kernels/$1.o" ] || return 0
    objdump -d --no-show-raw-insn "$build/float/src/kernels/$1.o" | awk -v f="<$2>:" -v least="$3" -v object="$1" '
        /__asan|__ubsan/ { instrumented = 1 }
        /^[0-9a-f]+ </ { here = $2 == f; any += here }
        here && /vfmadd/ { count++ }
        END {
            if (!any || instrumented || count >= least) exit
            printf "src/kernels/%s.c:1: %s has %d multiply-adds, not %d: its loops are not written out\n",
                object, substr(f, 2, length(f) - 3), count, least
            exit 1
        }'
}

status=0
look gemm_6x16_avx2 rows_placed_6x2 48 || status=1
look gemm_6x16_avx2 steps_copied_12x1 48 || status=1
look gemm_6x16_avx2 bit_rows 32 || status=1
look gemm_6x16_avx2 list_rows 32 || status=1
look gemm_14x32_avx512 list_rows 32 || status=1
exit $status
