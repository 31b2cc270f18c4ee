/* The bfloat16 product. Its bits are compared with three plain loops that say the formula with libm's fma
 * and with a rounding made of frexp and rint; the two versions with each other, where there are two, on all
 * that a number can be (subnormal, at the edges of the range, infinite, NaN) and with NaN in all unused parts
 * of buffers. Then the promises of every product: bits that depend on K alone, no memory. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "operands.h"
#include "retort/alloc.h"
#include "retort/threads.h"

#define IS_FLOAT (sizeof(rt_real) == 4)

static rt_rng rng;

typedef struct version {
    const char *name;
    rti_gemm_bf16_function *gemm;
} version;

enum { VERSIONS = 2 };

/* What this processor has; NULL where it has nothing better than the portable one. */
static version version_of(int i) {
    version v = {"portable", rti_gemm_bf16_portable};
    if (i == 0) return v;
    const rti_kernel_set *set = rti_kernels_named("avx512");
    v.name = "avx512";
    v.gemm = set && rti_kernels_bf16(set) != rti_gemm_bf16_portable ? rti_kernels_bf16(set) : NULL;
    return v;
}

static rt_real of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return (rt_real)x;
}

/* kind 0: in (-1, 1); 1: any 32 bits, every fourth a number with its own rules */
static rt_real some_number(int kind) {
    static const uint32_t edges[] = {0,          0x80000000, 1,          0x807fffff, 0x00800000, 0x80800000,
                                     0x00ffffff, 0x7f7fffff, 0xff7f8000, 0x7f800000, 0xff800000, 0x7fc00000,
                                     0x7f800001, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f7fffff};
    if (kind == 0) return (rt_real)(rt_rng_uniform(&rng) * 2 - 1);
    if (rt_rng_below(&rng, 4)) return of_bits(rt_rng_u32(&rng));
    return of_bits(edges[rt_rng_below(&rng, sizeof edges / sizeof *edges)]);
}

/* test_operand_new with numbers of that kind */
static test_operand operand_new(int64_t rows, int64_t columns, int layout, int64_t offset, int kind) {
    test_operand o = test_operand_new(&rng, rows, columns, layout, offset);
    for (int64_t i = 0; kind && i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            o.block[offset + i * o.m.row_stride + j * o.m.column_stride] = some_number(kind);
    return o;
}

/* Nearest number of 8 significant bits, ties to even. */
static rt_real to_bf16(rt_real x) {
    int exponent;
    const double part = frexp((double)x, &exponent);
    return (rt_real)ldexp(rint(ldexp(part, 8)), exponent - 8);
}

static rt_real fused(rt_real a, rt_real b, rt_real c) {
    return IS_FLOAT ? (rt_real)fmaf((float)a, (float)b, (float)c)
                    : (rt_real)fma((double)a, (double)b, (double)c);
}

static rt_real expected(rti_matrix A, rti_matrix B, int64_t i, int64_t j, int64_t K, rt_real c) {
    for (int64_t p = 0; p < K; p += 2) {
        if (p + 1 < K) c = fused(to_bf16(test_at(A, i, p + 1)), to_bf16(test_at(B, p + 1, j)), c);
        c = fused(to_bf16(test_at(A, i, p)), to_bf16(test_at(B, p, j)), c);
    }
    return c;
}

typedef struct problem {
    int64_t M, N, K, ldc, offset;
    int a_layout, b_layout, kind;
    bool accumulate, relu, bias;
} problem;

static bool equal(rt_real a, rt_real b) { return a == b ? !signbit(a) == !signbit(b) : isnan(a) && isnan(b); }

/* Every version gives the bits of the formula (kind 0), and all versions give the same (both kinds). */
static void check(const problem *p) {
    test_operand a = operand_new(p->M, p->K, p->a_layout, p->offset, p->kind),
                 b = operand_new(p->K, p->N, p->b_layout, p->offset, p->kind);
    const int64_t size = p->M * p->ldc + p->offset;
    rt_real *before = test_reals(size), *bias = test_reals(p->N), *c[VERSIONS] = {NULL, NULL};
    for (int64_t i = 0; i < size; i++) before[i] = p->accumulate ? some_number(p->kind) : (rt_real)NAN;
    for (int64_t j = 0; j < p->N; j++) bias[j] = some_number(0);
    const rti_epilogue epilogue = {p->bias ? bias : NULL, p->relu};
    for (int v = 0; v < VERSIONS; v++) {
        const version it = version_of(v);
        if (!it.gemm) continue;
        c[v] = test_reals(size);
        memcpy(c[v], before, (size_t)size * sizeof *c[v]);
        void *scratch = malloc(rti_gemm_bf16_scratch_bytes(p->M, p->N, p->K) + 1);
        it.gemm(p->M, p->N, p->K, a.m, b.m, c[v] + p->offset, p->ldc, p->accumulate, &epilogue, scratch);
        free(scratch);
        cr_assert(memcmp(c[v], before, (size_t)p->offset * sizeof *before) == 0, "wrote before C");
        for (int64_t i = 0; i < p->M; i++)
            for (int64_t j = 0; j < p->ldc; j++) {
                const int64_t here = p->offset + i * p->ldc + j;
                rt_real wanted = before[here];
                if (j < p->N) {
                    if (p->kind != 0)
                        wanted = c[0][here];
                    else {
                        wanted = expected(a.m, b.m, i, j, p->K, p->accumulate ? before[here] : 0);
                        if (p->bias) wanted += bias[j];
                        if (p->relu && wanted < 0) wanted = 0;
                    }
                }
                cr_assert(equal(c[v][here], wanted),
                          "%s: M %d N %d K %d layouts %d %d at (%d, %d): %.9g, not %.9g", it.name, (int)p->M,
                          (int)p->N, (int)p->K, p->a_layout, p->b_layout, (int)i, (int)j, (double)c[v][here],
                          (double)wanted);
            }
    }
    free(a.block), free(b.block), free(before), free(bias), free(c[0]), free(c[1]);
}

static void random_flags(problem *p) {
    const uint32_t bits = rt_rng_u32(&rng);
    p->accumulate = bits & 1;
    p->relu = bits & 2;
    p->bias = bits & 4;
    p->ldc = p->N + (bits & 8 ? 7 : 0);
    p->offset = bits >> 4 & 3;
}

static void check_shapes(const int (*shapes)[3], int count) {
    for (int i = 0; i < count; i++)
        for (int layouts = 0; layouts < 16; layouts++) {
            problem p = {.M = shapes[i][0],
                         .N = shapes[i][1],
                         .K = shapes[i][2],
                         .a_layout = layouts & 3,
                         .b_layout = layouts >> 2,
                         .kind = 0};
            random_flags(&p);
            check(&p);
        }
}

Test(gemm_bf16, small_shapes_in_every_layout) {
    static const int shapes[][3] = {
        {1, 1, 0},    {1, 1, 1},   {5, 3, 0},     {1, 7, 5},     {7, 1, 2},    {3, 16, 4},
        {2, 17, 9},   {6, 16, 8},  {7, 15, 17},   {13, 31, 16},  {14, 32, 33}, {15, 33, 3},
        {25, 10, 12}, {24, 8, 15}, {100, 10, 31}, {30, 30, 100}, {29, 48, 32},
    };
    rng = rt_rng_stream(1, "gemm_bf16", 0, 0);
    check_shapes(shapes, sizeof shapes / sizeof *shapes);
}

/* Several steps of K, several panels, several blocks of rows; with threads. */
Test(gemm_bf16, blocked_shapes_in_every_layout) {
    static const int shapes[][3] = {{5, 70, 1283}, {3, 36, 2600},  {3, 1024, 21},
                                    {1, 33, 1281}, {700, 40, 260}, {130, 70, 91}};
    rng = rt_rng_stream(2, "gemm_bf16", 0, 0);
    rt_threads_set(3);
    check_shapes(shapes, sizeof shapes / sizeof *shapes);
}

Test(gemm_bf16, random_shapes) {
    rng = rt_rng_stream(3, "gemm_bf16", 0, 0);
    for (int round = 0; round < 600; round++) {
        problem p = {.M = 1 + rt_rng_below(&rng, 40),
                     .N = 1 + rt_rng_below(&rng, 70),
                     .K = rt_rng_below(&rng, 60),
                     .a_layout = (int)rt_rng_below(&rng, 4),
                     .b_layout = (int)rt_rng_below(&rng, 4),
                     .kind = round % 2};
        random_flags(&p);
        check(&p);
    }
}

/* Sums that end near the smallest normal number, and beyond the largest. */
Test(gemm_bf16, versions_agree_at_the_ends_of_the_range) {
    const version fast = version_of(1);
    if (!fast.gemm) cr_skip_test("this processor or this precision has one version only");
    rng = rt_rng_stream(4, "gemm_bf16", 0, 0);
    enum { N = 32, K = 4 };
    uint32_t scratch[4 * K];
    for (int round = 0; round < 40000; round++) {
        const bool large = round % 2;
        rt_real a[K], b[K * N], c[2][N];
        for (int p = 0; p < K; p++) {
            const uint32_t exponent = 64 + rt_rng_below(&rng, 8) + (large ? 127 : 0);
            a[p] = of_bits((rt_rng_u32(&rng) & 0x807fffff) | exponent << 23);
            for (int j = 0; j < N; j++) {
                const uint32_t other = (large ? 187 : 56) + rt_rng_below(&rng, 12);
                b[p * N + j] = of_bits((rt_rng_u32(&rng) & 0x807f0000) | other << 23);
            }
        }
        for (int j = 0; j < N; j++) {
            const uint32_t exponent = (large ? 245 : 0) + rt_rng_below(&rng, 10);
            c[0][j] = c[1][j] = of_bits((rt_rng_u32(&rng) & (j % 3 ? 0x807fffff : 0x80000003)) | exponent
                                                                                                     << 23);
        }
        const rti_matrix A = {a, K, 1, NULL}, B = {b, N, 1, NULL};
        rti_gemm_bf16_portable(1, N, K, A, B, c[0], N, true, NULL, NULL);
        fast.gemm(1, N, K, A, B, c[1], N, true, NULL, scratch);
        for (int j = 0; j < N; j++)
            cr_assert(equal(c[0][j], c[1][j]), "round %d, column %d: %.9g and %.9g", round, j,
                      (double)c[0][j], (double)c[1][j]);
    }
}

static rt_real one_product(const version *v, rt_real a, rt_real b, rt_real c) {
    uint32_t scratch[16];
    v->gemm(1, 1, 1, (rti_matrix){&a, 1, 1, NULL}, (rti_matrix){&b, 1, 1, NULL}, &c, 1, true, NULL, scratch);
    return c;
}

/* Ties to even, subnormals, infinity: in numbers. */
Test(gemm_bf16, rounds_as_the_header_says) {
    const rt_real tiny = of_bits(0x007fffff), least = of_bits(0x00800000), inf = (rt_real)INFINITY;
    for (int i = 0; i < VERSIONS; i++) {
        const version v = version_of(i);
        if (!v.gemm) continue;
        cr_assert_eq(one_product(&v, of_bits(0x3f808000), 1, 0), 1);                 /* tie, down */
        cr_assert_eq(one_product(&v, of_bits(0x3f818000), 1, 0), (rt_real)1.015625); /* tie, up */
        cr_assert_eq(one_product(&v, of_bits(0x3f808001), 1, 0), (rt_real)1.0078125);
        cr_assert_eq(one_product(&v, 1, of_bits(0xbf7fffff), 0), -1);
        cr_assert_eq(one_product(&v, inf, -1, 5), -inf);
        cr_assert(isnan(one_product(&v, inf, 0, 5)));
        cr_assert(isnan(one_product(&v, (rt_real)NAN, 0, 5)));
        cr_assert_eq(one_product(&v, (rt_real)1.5, (rt_real)2.5, (rt_real)0.1),
                     (rt_real)(3.75 + (double)(rt_real)0.1));
        if (!IS_FLOAT) continue; /* double keeps its range */
        cr_assert_eq(one_product(&v, of_bits(0x7f7fffff), 1, 0), inf);
        cr_assert_eq(one_product(&v, tiny, 1, 0), 0);
        cr_assert_eq(one_product(&v, 0, 1, tiny), 0);
        cr_assert_eq(one_product(&v, least, 1, 0), least);
        cr_assert_eq(one_product(&v, least, (rt_real)0.5, 0), 0);
        cr_assert_eq(one_product(&v, least, (rt_real)0.5, least), (rt_real)1.5 * least);
    }
}

/* Rows and columns that are 0 together, as pictures have them, where steps are left out: the same bits, with
 * an infinity or a NaN on the other side, too, and with what C held before. */
Test(gemm_bf16, zeros_left_out_change_nothing) {
    const version fast = version_of(1);
    if (!fast.gemm) cr_skip_test("this processor or this precision has one version only");
    rng = rt_rng_stream(7, "gemm_bf16", 0, 0);
    for (int round = 0; round < 400; round++) {
        const int64_t M = 1 + rt_rng_below(&rng, round % 8 ? 40 : 400), N = 1 + rt_rng_below(&rng, 70),
                      K = 1 + rt_rng_below(&rng, round % 16 ? 90 : 1500);
        const bool in_a = round % 2, odd_one = round % 3 == 0, accumulate = round % 5 == 0;
        test_operand a = operand_new(M, K, (int)rt_rng_below(&rng, 4), 0, 0),
                     b = operand_new(K, N, (int)rt_rng_below(&rng, 4), 0, 0), *sparse = in_a ? &a : &b;
        rt_real *x = sparse->block, *c = test_reals(M * N), *d = test_reals(M * N);
        for (int64_t k = 0; k < K; k++) { /* zeros of both signs, in runs along K */
            if (k / 3 % 4 == 0) continue;
            for (int64_t j = 0; j < (in_a ? M : N); j++)
                x[in_a ? j * a.m.row_stride + k * a.m.column_stride
                       : k * b.m.row_stride + j * b.m.column_stride] = j % 2 ? 0 : (rt_real)-0.0;
        }
        if (odd_one) { /* often beside a zero */
            const int64_t k = rt_rng_below(&rng, (uint32_t)K),
                          other = rt_rng_below(&rng, (uint32_t)(in_a ? N : M));
            test_operand *dense = in_a ? &b : &a;
            dense->block[in_a ? k * b.m.row_stride + other * b.m.column_stride
                              : other * a.m.row_stride + k * a.m.column_stride] = round % 2
                                                                                      ? (rt_real)INFINITY
                                                                                      : (rt_real)NAN;
        }
        for (int64_t i = 0; i < M * N; i++) c[i] = d[i] = i % 3 ? some_number(0) : (rt_real)-0.0;
        void *scratch = malloc(rti_gemm_bf16_scratch_bytes(M, N, K));
        rti_gemm_bf16_portable(M, N, K, a.m, b.m, c, N, accumulate, NULL, NULL);
        fast.gemm(M, N, K, a.m, b.m, d, N, accumulate, NULL, scratch);
        for (int64_t i = 0; i < M * N; i++)
            cr_assert(equal(c[i], d[i]), "round %d, %d: %g and %g", round, (int)i, (double)c[i],
                      (double)d[i]);
        free(a.block), free(b.block), free(c), free(d), free(scratch);
    }
}

Test(gemm_bf16, empty_extents_touch_nothing) {
    rt_real c[4] = {1, 2, 3, 4};
    uint32_t scratch[16];
    cr_assert_leq(rti_gemm_bf16_scratch_bytes(2, 4, 0), sizeof scratch);
    const rti_matrix none = {NULL, 1, 1, NULL};
    rti_gemm_bf16(0, 4, 3, none, none, c, 4, false, NULL, NULL);
    rti_gemm_bf16(2, 0, 3, none, none, c, 2, false, NULL, NULL);
    for (int i = 0; i < 4; i++) cr_assert_eq(c[i], (rt_real)(i + 1));
    rti_gemm_bf16(2, 2, 0, none, none, c, 2, true, NULL, scratch);
    for (int i = 0; i < 4; i++) cr_assert_eq(c[i], (rt_real)(i + 1));
    rti_gemm_bf16(2, 2, 0, none, none, c, 2, false, NULL, scratch);
    for (int i = 0; i < 4; i++) cr_assert_eq(c[i], 0);
}

/* ---- the bits of an element, and memory ---- */

enum { BATCH = 100, WIDE = 90, DEEP = 1301 };

Test(gemm_bf16, bits_do_not_depend_on_batch_position_or_threads) {
    uint32_t *scratch = malloc(rti_gemm_bf16_scratch_bytes(BATCH, WIDE, DEEP));
    rt_real *reference = test_reals(BATCH * WIDE), *c = test_reals(BATCH * WIDE);
    for (int i = 0; i < VERSIONS; i++)
        for (int layout = 0; layout < 3; layout++) {
            const version v = version_of(i);
            if (!v.gemm) continue;
            rng = rt_rng_stream(5, "gemm_bf16", 0, 0);
            test_operand a = operand_new(BATCH, DEEP, layout, 0, 0),
                         b = operand_new(DEEP, WIDE, layout, 0, 0);
            rt_threads_set(1);
            v.gemm(BATCH, WIDE, DEEP, a.m, b.m, reference, WIDE, false, NULL, scratch);
            for (int threads = 2; threads <= 8; threads = threads == 3 ? 8 : threads + 1) {
                rt_threads_set(threads);
                v.gemm(BATCH, WIDE, DEEP, a.m, b.m, c, WIDE, false, NULL, scratch);
                cr_assert(test_same(c, reference, BATCH * WIDE), "%s: %d threads", v.name, threads);
            }
            for (int first = 0; first < BATCH; first += 33) {
                const rti_matrix row = {a.m.data + first * a.m.row_stride, 12345, a.m.column_stride, NULL},
                                 column = {b.m.data + first % WIDE * b.m.column_stride, b.m.row_stride,
                                           54321, NULL};
                v.gemm(1, WIDE, DEEP, row, b.m, c, WIDE, false, NULL, scratch);
                cr_assert(test_same(c, reference + first * WIDE, WIDE), "%s: row %d", v.name, first);
                v.gemm(BATCH, 1, DEEP, a.m, column, c, 1, false, NULL, scratch);
                for (int r = 0; r < BATCH; r++)
                    cr_assert(test_same(c + r, reference + r * WIDE + first % WIDE, 1),
                              "%s: column %d", v.name, first);
            }
            free(a.block), free(b.block);
        }
    free(scratch), free(reference), free(c);
}

Test(gemm_bf16, needs_no_memory_and_no_instruction) {
    rng = rt_rng_stream(6, "gemm_bf16", 0, 0);
    test_operand a = operand_new(BATCH, DEEP, 2, 0, 0), b = operand_new(DEEP, WIDE, 1, 0, 0);
    rt_real *c = test_reals(BATCH * WIDE), *d = test_reals(BATCH * WIDE);
    void *scratch = malloc(rti_gemm_bf16_scratch_bytes(BATCH, WIDE, DEEP));
    rt_threads_set(2);
    const size_t calls = rt_alloc_stats_get().calls;
    rti_gemm_bf16(BATCH, WIDE, DEEP, a.m, b.m, c, WIDE, false, NULL, scratch);
    cr_assert_eq(rt_alloc_stats_get().calls, calls);
    rti_kernels_use(rti_kernels_named("portable"));
    cr_assert(rti_kernels_bf16(rti_kernels()) == rti_gemm_bf16_portable);
    rti_gemm_bf16(BATCH, WIDE, DEEP, a.m, b.m, d, WIDE, false, NULL, scratch);
    cr_assert(test_same(c, d, BATCH * WIDE));
    free(a.block), free(b.block), free(c), free(d), free(scratch);
}

/* ---- what is 0, left out ---- */

/* Numbers of which `percent` are not 0; in the second half of the columns mostly neighbours. */
static void thin_out(test_operand *o, int64_t offset, int64_t rows, int64_t columns, uint32_t percent) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            const bool again = 2 * j > columns && rt_rng_below(&rng, 4);
            rt_real *x = o->block + offset + i * o->m.row_stride + j;
            if (again ? x[-1] == 0 : rt_rng_below(&rng, 100) >= percent) *x = 0;
        }
}

typedef struct noted {
    rti_nonzero nonzero;
    void *map, *by_row, *by_column;
} noted;

static void note(noted *n, rti_matrix x, int64_t rows, int64_t columns) {
    n->map = malloc(rti_nonzero_bytes(rows, columns));
    rti_nonzero_note(&n->nonzero, rows, columns, x.data, x.row_stride, n->map);
    cr_assert(n->nonzero.is_sparse && rti_lists_pay_bf16(&n->nonzero));
    n->by_row = malloc(rti_nonzero_by_row_bytes(&n->nonzero));
    rti_nonzero_by_row(&n->nonzero, x.data, x.row_stride, n->by_row);
    n->by_column = malloc(rti_nonzero_by_column_bytes(&n->nonzero));
    rti_nonzero_by_column(&n->nonzero, n->by_column);
}

/* Y = X W^T (bias, relu) and dW = dY^T X, with lists of X: the bits of every element, on several threads. */
Test(gemm_bf16, lists_of_what_is_not_zero_change_no_bit) {
    if (!rti_lists_serve_bf16()) cr_skip_test("this processor leaves nothing out of products of bfloat16");
    enum { MOST = 160 };
    rng = rt_rng_stream(7, "gemm_bf16", 0, 0);
    for (int round = 0; round < 300; round++) {
        const int64_t rows = 1 + rt_rng_below(&rng, round % 3 ? 40 : MOST),
                      columns = 1 + rt_rng_below(&rng, 400), units = 33 + rt_rng_below(&rng, 150),
                      offset = round % 3, gap = round % 7 ? 0 : 5,
                      sizes[] = {rows * (units + gap), units * (columns + gap)};
        test_operand x = operand_new(rows, columns, round % 2 ? TEST_BY_ROWS : TEST_WITH_GAPS, offset, 0),
                     w = operand_new(columns, units, (int)rt_rng_below(&rng, 4), offset, 0),
                     dy = operand_new(units, rows, (int)rt_rng_below(&rng, 4), offset, 0);
        thin_out(&x, offset, rows, columns, rt_rng_below(&rng, 30));
        noted n;
        note(&n, x.m, rows, columns);
        rt_real *bias = test_reals(units), *c[2][2];
        for (int64_t j = 0; j < units; j++) bias[j] = some_number(0);
        const rti_epilogue epilogue = {round % 4 ? bias : NULL, round % 5 > 1};
        void *scratch[2] = {malloc(rti_gemm_bf16_scratch_bytes(rows, units, columns)),
                            malloc(rti_gemm_bf16_scratch_bytes(units, columns, rows))};
        rt_threads_set(1 + round % 4);
        for (int v = 0; v < 2; v++) {
            rti_matrix listed = x.m;
            listed.nonzero = v ? &n.nonzero : NULL;
            rti_gemm_bf16_function *gemm = version_of(v).gemm;
            for (int k = 0; k < 2; k++) test_fill_nan(c[v][k] = test_reals(sizes[k]), sizes[k]);
            gemm(rows, units, columns, listed, w.m, c[v][0], units + gap, false, &epilogue, scratch[0]);
            gemm(units, columns, rows, dy.m, listed, c[v][1], columns + gap, false, NULL, scratch[1]);
        }
        cr_assert(test_same(c[0][0], c[1][0], sizes[0]), "Y %d", round);
        cr_assert(test_same(c[0][1], c[1][1], sizes[1]), "dW %d", round);
        for (int v = 0; v < 2; v++) free(c[v][0]), free(c[v][1]), free(scratch[v]);
        free(x.block), free(w.block), free(dy.block), free(bias);
        free(n.map), free(n.by_row), free(n.by_column);
    }
}
