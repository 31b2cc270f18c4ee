/* dispatch.h - the kernels of the chosen instruction set.              Floor 2 (kernels) */
#ifndef RTI_DISPATCH_H
#define RTI_DISPATCH_H

#include "kernels/kernels.h"
#include "kernels/loops.h"

/* For #if: vector kernels are for float, the double library is portable throughout. */
#define RTI_REAL_IS_float 1
#define RTI_REAL_IS_double 0
#define RTI_PASTE(a, b) a##b
#define RTI_REAL_IS(type) RTI_PASTE(RTI_REAL_IS_, type)
#define RTI_REAL_IS_FLOAT RTI_REAL_IS(RT_REAL)

typedef void rti_gemm_function(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C,
                               int64_t ldc, bool accumulate, const rti_epilogue *epilogue);

typedef void rti_gemm_bf16_function(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C,
                                    int64_t ldc, bool accumulate, const rti_epilogue *epilogue,
                                    void *scratch);

enum {
    RTI_LIST_PANEL = 7 << 10, /* floats of B's copy that lists look into: it stays in a first-level cache */
    RTI_LIST_DEPTH = RTI_LIST_PANEL / 32,
};

/* How many blocks of `columns` fit into such a copy with so many numbers to a column, and how deep they are:
 * whole sixteens, one as deep as the other or nearly so. */
static inline int64_t rti_list_blocks(int64_t columns, int64_t width) {
    const int64_t most = RTI_LIST_PANEL / width;
    return (columns + most - 1) / most;
}
static inline int64_t rti_list_block_depth(int64_t columns, int64_t width) {
    const int64_t blocks = rti_list_blocks(columns, width);
    return ((columns + 15) / 16 + blocks - 1) / blocks * 16;
}

typedef struct rti_kernel_set {
    const char *name;
    const rti_loops *loops;
    rti_gemm_function *gemm;
    int list_width;                    /* columns of C that a list serves; 0: no use for rti_matrix.nonzero */
    int list_percent;                  /* lists of rows pay when so many numbers, or fewer, are not 0 */
    rti_gemm_bf16_function *gemm_bf16; /* NULL: has no instruction for it. Ask rti_kernels_bf16 */
    const struct rti_int8_kernels *int8; /* NULL: has no instruction for it. Ask rti_kernels_int8 */
    const struct rti_conv_tiles *conv; /* conv_tiles.h */
} rti_kernel_set;

/* The set in use: the best that this processor can do, or what RETORT_ISA says if the processor can. */
const rti_kernel_set *rti_kernels(void);

/* The set of that name, or NULL when it is unknown, not compiled in or not possible here. For tests. */
const rti_kernel_set *rti_kernels_named(const char *name);

/* The set's bfloat16 product; the portable one when the set or this processor has no instruction for it. */
rti_gemm_bf16_function *rti_kernels_bf16(const rti_kernel_set *set);

/* Puts another set in use (NULL: choose again). For tests; not while kernels run. */
void rti_kernels_use(const rti_kernel_set *set);

rti_gemm_function rti_gemm_portable;
enum { RTI_BF16_ROWS = 14, RTI_BF16_DEPTH = 640 }; /* of the latter's tiles, as its scratch memory */
enum { RTI_BF16_LIST_PERCENT = 50 }; /* lists pay for it when so many numbers, or fewer, are not 0 */
rti_gemm_bf16_function rti_gemm_bf16_portable, rti_gemm_bf16_14x32_avx512;

#endif
