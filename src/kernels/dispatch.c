/* dispatch.c - chooses the instruction set, once.                      Floor 2 (kernels) */
#include "kernels/dispatch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/conv_tiles.h"
#include "kernels/gemm_tiles.h"
#include "kernels/int8_kernels.h"

static bool always(void) { return true; }

#if defined(__x86_64__) && RTI_REAL_IS_FLOAT
/* These ask the processor and whether the operating system saves the registers. */
static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_bf16(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

static bool has_int8(void) {
    return has_avx512() && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi");
}
#else
static bool has_bf16(void) { return false; }
static bool has_int8(void) { return false; }
#endif

/* Best first; the last one runs everywhere. */
static const struct {
    rti_kernel_set set;
    bool (*possible)(void);
} sets[] = {
#if defined(__x86_64__) && RTI_REAL_IS_FLOAT
    {{"avx512", &rti_loops_avx512, rti_gemm_14x32_avx512, 16 * RTI_LIST_VECTORS, 55,
      rti_gemm_bf16_14x32_avx512, &rti_int8_avx512, &rti_conv_14x32_avx512}, has_avx512},
    {{"avx2", &rti_loops_avx2, rti_gemm_6x16_avx2, 8 * RTI_LIST_VECTORS, 50, NULL, NULL,
      &rti_conv_6x16_avx2}, has_avx2},
#endif
    {{"portable", &rti_loops_portable, rti_gemm_portable, 0, 0, NULL, NULL, &rti_conv_portable}, always},
};

enum { SETS = sizeof sets / sizeof *sets };

const rti_kernel_set *rti_kernels_named(const char *name) {
    for (int i = 0; i < SETS; i++)
        if (strcmp(sets[i].set.name, name) == 0) return sets[i].possible() ? &sets[i].set : NULL;
    return NULL;
}

rti_gemm_bf16_function *rti_kernels_bf16(const rti_kernel_set *set) {
    return set->gemm_bf16 && has_bf16() ? set->gemm_bf16 : rti_gemm_bf16_portable;
}

static const rti_kernel_set *choose(void) {
    const char *wanted = getenv("RETORT_ISA");
    const rti_kernel_set *set = wanted ? rti_kernels_named(wanted) : NULL;
    for (int i = 0; i < SETS && !set; i++) set = sets[i].possible() ? &sets[i].set : NULL;
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

const rti_int8_kernels *rti_kernels_int8(void) {
    const rti_int8_kernels *own = rti_kernels()->int8;
    return own && has_int8() ? own : &rti_int8_portable;
}

const char *rti_isa_name(void) { return rti_kernels()->name; }

void rti_gemm(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C, int64_t ldc,
              bool accumulate, const rti_epilogue *epilogue) {
    if (M > 0 && N > 0) rti_kernels()->gemm(M, N, K, A, B, C, ldc, accumulate, epilogue);
}

/* By lists: one for each row and block of A, or for each column of B. */
static size_t bytes_of_lists(int64_t lines, int64_t K, int64_t lists) {
    return (size_t)(RTI_BF16_LIST_PERCENT * lines * K / 100 + lists + 2) / 2 * sizeof(rti_entry) +
           (size_t)(lists + 2) * sizeof(uint32_t);
}

size_t rti_gemm_bf16_scratch_bytes(int64_t M, int64_t N, int64_t K) {
    const int64_t pairs = (K + 1) / 2, tiles = M / RTI_BF16_ROWS + 1;
    size_t most = (size_t)(M * pairs) * sizeof(uint32_t) +
                  (size_t)(tiles * (pairs + pairs / RTI_BF16_DEPTH + 3)) * sizeof(uint16_t);
    if (!rti_lists_serve_bf16()) return most;
    const size_t by_row = bytes_of_lists(M, K, M * rti_list_blocks(K, rti_kernels()->list_width)),
                 by_column = bytes_of_lists(N, K, N);
    if (most < by_row) most = by_row;
    return most < by_column ? by_column : most;
}

void rti_gemm_bf16(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C, int64_t ldc,
                   bool accumulate, const rti_epilogue *epilogue, void *scratch) {
    if (M > 0 && N > 0)
        rti_kernels_bf16(rti_kernels())(M, N, K, A, B, C, ldc, accumulate, epilogue, scratch);
}
