/* dispatch.c - chooses the instruction set, once.                      Floor 2 (kernels) */
#include "kernels/dispatch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Best first; the last one runs everywhere. */
static const rti_kernel_set sets[] = {
    {"portable", &rti_loops_portable, rti_gemm_portable},
};

enum { SETS = sizeof sets / sizeof *sets };

static bool possible(const char *name) { return strcmp(name, "portable") == 0; }

const rti_kernel_set *rti_kernels_named(const char *name) {
    for (int i = 0; i < SETS; i++)
        if (strcmp(sets[i].name, name) == 0) return possible(name) ? &sets[i] : NULL;
    return NULL;
}

static const rti_kernel_set *choose(void) {
    const char *wanted = getenv("RETORT_ISA");
    const rti_kernel_set *set = wanted ? rti_kernels_named(wanted) : NULL;
    for (int i = 0; i < SETS && !set; i++) set = rti_kernels_named(sets[i].name);
    return set;
}

static _Atomic(const rti_kernel_set *) chosen;

const rti_kernel_set *rti_kernels(void) {
    const rti_kernel_set *set = atomic_load_explicit(&chosen, memory_order_acquire);
    if (set) return set;
    set = choose(); /* two threads at once choose the same */
    atomic_store_explicit(&chosen, set, memory_order_release);
    return set;
}

void rti_kernels_use(const rti_kernel_set *set) { atomic_store(&chosen, set); }

const char *rti_isa_name(void) { return rti_kernels()->name; }

void rti_gemm(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C, int64_t ldc,
              bool accumulate, const rti_epilogue *epilogue) {
    if (M > 0 && N > 0) rti_kernels()->gemm(M, N, K, A, B, C, ldc, accumulate, epilogue);
}
