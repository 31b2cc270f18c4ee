/* The matrix product of every instruction set, against three plain loops in double: shapes from empty to
 * several blocks, all transpositions and strides, offsets that are aligned to nothing, NaN in all unused
 * parts. Then its promise: an element's bits depend on its row of A, its column of B and K, and on nothing
 * else, which is checked by computing it alone and in company, with 1 to 8 threads. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/dispatch.h"
#include "retort/alloc.h"
#include "retort/threads.h"

#define EPSILON (sizeof(rt_real) == 4 ? (double)FLT_EPSILON : DBL_EPSILON)

static const char *const set_names[] = {"portable", "avx2", "avx512"};
enum { SETS = 3 };

static rt_rng rng;

static void fill_random(rt_real *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (rt_real)(rt_rng_uniform(&rng) * 2 - 1);
}

static void fill_nan(rt_real *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (rt_real)NAN;
}

static rt_real *reals(int64_t n) {
    rt_real *x = malloc((size_t)(n + 1) * sizeof *x);
    cr_assert(x != NULL);
    return x;
}

/* A (rows, columns) matrix within a field of NaN. */
typedef struct operand {
    rt_real *block;
    rti_matrix m;
} operand;

/* layout 0: by rows; 1: by columns; 2: neither; 3: by rows with a wide gap */
static operand operand_new(int64_t rows, int64_t columns, int layout, int64_t offset) {
    operand o;
    int64_t row_stride = columns, column_stride = 1;
    if (layout == 1) row_stride = 1, column_stride = rows;
    if (layout == 2) row_stride = 2 * columns + 3, column_stride = 2;
    if (layout == 3) row_stride = columns + 5;
    int64_t size = offset + rows * row_stride + columns * column_stride + 1;
    o.block = reals(size);
    fill_nan(o.block, size);
    o.m = (rti_matrix){o.block + offset, row_stride, column_stride, NULL};
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            fill_random(o.block + offset + i * row_stride + j * column_stride, 1);
    return o;
}

static double at(rti_matrix m, int64_t i, int64_t j) {
    return (double)m.data[i * m.row_stride + j * m.column_stride];
}

typedef struct problem {
    int64_t M, N, K, ldc, offset;
    int a_layout, b_layout;
    bool accumulate, relu, bias;
} problem;

static void check(const rti_kernel_set *set, const problem *p) {
    operand a = operand_new(p->M, p->K, p->a_layout, p->offset),
            b = operand_new(p->K, p->N, p->b_layout, p->offset);
    int64_t size = p->M * p->ldc + p->offset;
    rt_real *C = reals(size), *before = reals(size), *bias = reals(p->N);
    fill_random(C, size);
    if (!p->accumulate) fill_nan(C, size); /* what was there must not matter */
    memcpy(before, C, (size_t)size * sizeof *C);
    fill_random(bias, p->N);
    const rti_epilogue epilogue = {p->bias ? bias : NULL, p->relu};
    set->gemm(p->M, p->N, p->K, a.m, b.m, C + p->offset, p->ldc, p->accumulate, &epilogue);

    for (int64_t i = 0; i < p->M; i++)
        for (int64_t j = 0; j < p->ldc; j++) {
            const int64_t here = p->offset + i * p->ldc + j;
            if (j >= p->N) { /* between the rows nothing may change, not even a NaN */
                cr_assert(memcmp(C + here, before + here, sizeof *C) == 0, "wrote between rows");
                continue;
            }
            double sum = p->accumulate ? (double)before[here] : 0, magnitude = fabs(sum) + 1;
            for (int64_t k = 0; k < p->K; k++) {
                sum += at(a.m, i, k) * at(b.m, k, j);
                magnitude += fabs(at(a.m, i, k) * at(b.m, k, j));
            }
            if (p->bias) sum += (double)bias[j], magnitude += 1;
            if (p->relu && sum < 0) sum = 0;
            double error = fabs((double)C[here] - sum);
            cr_assert(error <= EPSILON * magnitude * (4 + sqrt((double)p->K)),
                      "%s: M %d N %d K %d layouts %d %d at (%d, %d): error %g", set->name, (int)p->M,
                      (int)p->N, (int)p->K, p->a_layout, p->b_layout, (int)i, (int)j, error);
        }
    cr_assert(memcmp(C, before, (size_t)p->offset * sizeof *C) == 0, "wrote before C");
    free(a.block), free(b.block), free(C), free(before), free(bias);
}

static void random_flags(problem *p) {
    uint32_t bits = rt_rng_u32(&rng);
    p->accumulate = bits & 1;
    p->relu = bits & 2;
    p->bias = bits & 4;
    p->ldc = p->N + (bits & 8 ? 7 : 0);
    p->offset = bits >> 4 & 3;
}

static void check_shapes(const int (*shapes)[3], int count) {
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        if (!set) continue;
        for (int i = 0; i < count; i++)
            for (int layouts = 0; layouts < 16; layouts++) {
                problem p = {.M = shapes[i][0], .N = shapes[i][1], .K = shapes[i][2],
                             .a_layout = layouts & 3, .b_layout = layouts >> 2};
                random_flags(&p);
                check(set, &p);
            }
    }
}

Test(gemm, small_shapes_in_every_layout) {
    static const int shapes[][3] = {
        {1, 1, 0},    {1, 1, 1},   {5, 3, 0},     {1, 7, 5},     {7, 1, 5},    {3, 16, 4},
        {2, 17, 9},   {6, 16, 8},  {7, 15, 17},   {13, 31, 16},  {14, 32, 33}, {15, 33, 3},
        {25, 10, 12}, {24, 8, 15}, {100, 10, 30}, {30, 30, 100}, {29, 48, 31},
    };
    rng = rt_rng_stream(1, "gemm", 0, 0);
    check_shapes(shapes, sizeof shapes / sizeof *shapes);
}

/* Several steps of K, several panels; 4 KiB and 8 KiB row strides, which take other paths. */
Test(gemm, blocked_shapes_in_every_layout) {
    static const int shapes[][3] = {{5, 70, 513},  {33, 40, 1300}, {3, 1024, 20},
                                    {3, 2048, 20}, {300, 36, 7},   {1, 33, 1025}};
    rng = rt_rng_stream(2, "gemm", 0, 0);
    check_shapes(shapes, sizeof shapes / sizeof *shapes);
}

/* Several blocks of rows under the same panels. */
Test(gemm, tall_shapes_with_one_thread) {
    static const int shapes[][3] = {{500, 73, 600}, {290, 100, 50}};
    rng = rt_rng_stream(8, "gemm", 0, 0);
    rt_threads_set(1);
    check_shapes(shapes, sizeof shapes / sizeof *shapes);
}

/* One thread keeps panels for all rows, and here not all at once; several cut the rows. */
Test(gemm, threads_and_kept_panels_give_the_same_bits) {
    enum { M = 280, N = 1500, K = 270 };
    rng = rt_rng_stream(9, "gemm", 0, 0);
    rt_real *one = reals(M * N), *three = reals(M * N);
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        if (!set) continue;
        for (int layouts = 0; layouts < 4; layouts++) {
            operand a = operand_new(M, K, layouts & 1, 0), b = operand_new(K, N, layouts >> 1, 0);
            rt_threads_set(1);
            set->gemm(M, N, K, a.m, b.m, one, N, false, NULL);
            rt_threads_set(3);
            set->gemm(M, N, K, a.m, b.m, three, N, false, NULL);
            cr_assert(memcmp(one, three, M * N * sizeof *one) == 0, "%s, layouts %d", set->name, layouts);
            free(a.block), free(b.block);
        }
    }
    free(one), free(three);
}

Test(gemm, tall_shapes_with_threads) {
    static const int shapes[][3] = {{700, 40, 260}, {130, 70, 90}};
    rng = rt_rng_stream(3, "gemm", 0, 0);
    rt_threads_set(3);
    check_shapes(shapes, sizeof shapes / sizeof *shapes);
}

Test(gemm, random_shapes) {
    rng = rt_rng_stream(4, "gemm", 0, 0);
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        for (int round = 0; set && round < 300; round++) {
            problem p = {.M = 1 + rt_rng_below(&rng, 40),
                         .N = 1 + rt_rng_below(&rng, 70),
                         .K = rt_rng_below(&rng, 60),
                         .a_layout = (int)rt_rng_below(&rng, 4),
                         .b_layout = (int)rt_rng_below(&rng, 4)};
            random_flags(&p);
            check(set, &p);
        }
    }
}

Test(gemm, empty_extents_touch_nothing) {
    rt_real c[4] = {1, 2, 3, 4};
    rti_matrix none = {NULL, 1, 1, NULL};
    rti_gemm(0, 4, 3, none, none, c, 4, false, NULL);
    rti_gemm(2, 0, 3, none, none, c, 2, false, NULL);
    for (int i = 0; i < 4; i++) cr_assert_eq(c[i], (rt_real)(i + 1));
    rti_gemm(2, 2, 0, none, none, c, 2, true, NULL); /* plus the empty sum */
    for (int i = 0; i < 4; i++) cr_assert_eq(c[i], (rt_real)(i + 1));
    rti_gemm(2, 2, 0, none, none, c, 2, false, NULL);
    for (int i = 0; i < 4; i++) cr_assert_eq(c[i], 0);
}

/* ---- the bits of an element ---- */

enum { BATCH = 100, DEEP = 1200, WIDE = 90 };

static bool same(const rt_real *a, const rt_real *b, int64_t n) {
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

static void check_bits(const rti_kernel_set *set, int K, int b_layout, bool a_by_columns) {
    rng = rt_rng_stream(5, "gemm", 0, (uint64_t)K);
    operand a = operand_new(BATCH, K, 0, 0), b = operand_new(K, WIDE, b_layout, 0);
    rt_real *reference = reals(BATCH * WIDE), *c = reals(BATCH * WIDE), *turned = reals(BATCH * K),
            bias[WIDE];
    fill_random(bias, WIDE);
    const rti_epilogue epilogue = {bias, true};
    rti_matrix A = a.m;
    if (a_by_columns) {
        for (int i = 0; i < BATCH; i++)
            for (int k = 0; k < K; k++) turned[k * BATCH + i] = a.m.data[i * K + k];
        A = (rti_matrix){turned, 1, BATCH, NULL};
    }
    rt_threads_set(1);
    set->gemm(BATCH, WIDE, K, a.m, b.m, reference, WIDE, false, &epilogue);

    static const int threads[] = {1, 2, 3, 8}, heights[] = {1, 7, 13, 50, 100};
    for (int t = 0; t < 4; t++) {
        rt_threads_set(threads[t]);
        for (int h = 0; h < 5; h++)
            for (int first = 0; first + heights[h] <= BATCH; first += heights[h] == 1 ? 17 : heights[h]) {
                rti_matrix rows = {A.data + first * A.row_stride, A.row_stride, A.column_stride, NULL};
                set->gemm(heights[h], WIDE, K, rows, b.m, c, WIDE, false, &epilogue);
                cr_assert(same(c, reference + first * WIDE, heights[h] * WIDE),
                          "%s: K %d, rows %d + %d, %d threads", set->name, K, first, heights[h], threads[t]);
            }
        for (int first = 0; first < WIDE; first += 11) { /* some columns alone */
            int columns = first + 40 <= WIDE ? 40 : 1;
            rti_matrix part = {b.m.data + first * b.m.column_stride, b.m.row_stride, b.m.column_stride, NULL};
            const rti_epilogue some = {bias + first, true};
            set->gemm(BATCH, columns, K, A, part, c, WIDE, false, &some);
            for (int i = 0; i < BATCH; i++)
                cr_assert(same(c + i * WIDE, reference + i * WIDE + first, columns), "%s: column %d",
                          set->name, first);
        }
    }
    free(a.block), free(b.block), free(reference), free(c), free(turned);
}

Test(gemm, bits_do_not_depend_on_batch_position_or_threads) {
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        if (!set) continue;
        for (int layout = 0; layout < 3; layout++) {
            check_bits(set, DEEP, layout, false);
            check_bits(set, 30, layout, true);
        }
        check_bits(set, DEEP, 1, true);
    }
}

/* Enough rows for several blocks of A, and so few columns that rows are what is divided. */
Test(gemm, bits_of_tall_products) {
    enum { TALL = 2000, K = 300, NARROW = 10 };
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        if (!set) continue;
        rng = rt_rng_stream(6, "gemm", 0, 0);
        operand a = operand_new(TALL, K, 0, 0), b = operand_new(K, NARROW, 0, 0);
        rt_real *all = reals(TALL * NARROW), c[NARROW];
        rt_threads_set(2);
        set->gemm(TALL, NARROW, K, a.m, b.m, all, NARROW, false, NULL);
        for (int i = 0; i < TALL; i += 37) {
            rti_matrix row = {a.m.data + i * a.m.row_stride, 12345, 1, NULL};
            set->gemm(1, NARROW, K, row, b.m, c, NARROW, false, NULL);
            cr_assert(same(c, all + i * NARROW, NARROW), "%s: row %d", set->name, i);
        }
        free(a.block), free(b.block), free(all);
    }
}

Test(gemm, avx2_and_avx512_agree_to_the_bit) {
    const rti_kernel_set *one = rti_kernels_named("avx2"), *two = rti_kernels_named("avx512");
    if (!one || !two) cr_skip_test("this processor or this precision does not have both");
    rng = rt_rng_stream(7, "gemm", 0, 0);
    operand a = operand_new(BATCH, DEEP, 0, 1), b = operand_new(DEEP, WIDE, 1, 3);
    rt_real *c = reals(BATCH * WIDE), *d = reals(BATCH * WIDE);
    one->gemm(BATCH, WIDE, DEEP, a.m, b.m, c, WIDE, false, NULL);
    two->gemm(BATCH, WIDE, DEEP, a.m, b.m, d, WIDE, false, NULL);
    cr_assert(same(c, d, BATCH * WIDE));
    free(a.block), free(b.block), free(c), free(d);
}

/* Accumulating in two halves of K gives the bits of the whole: the chain goes on from C. */
Test(gemm, accumulation_continues_the_sum) {
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        if (!set) continue;
        rng = rt_rng_stream(8, "gemm", 0, 0);
        operand a = operand_new(20, 100, 0, 0), b = operand_new(100, 40, 1, 0);
        rt_real whole[20 * 40], halves[20 * 40];
        set->gemm(20, 40, 100, a.m, b.m, whole, 40, false, NULL);
        rti_matrix a2 = a.m, b2 = b.m;
        a2.data += 60 * a2.column_stride, b2.data += 60 * b2.row_stride;
        set->gemm(20, 40, 60, a.m, b.m, halves, 40, false, NULL);
        set->gemm(20, 40, 40, a2, b2, halves, 40, true, NULL);
        cr_assert(same(whole, halves, 20 * 40), "%s", set->name);
        free(a.block), free(b.block);
    }
}

/* A NaN or infinity in row 2 of A shows in row 2 of C and nowhere else; relu lets NaN through. */
Test(gemm, not_a_number_stays_in_its_row) {
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        if (!set) continue;
        rng = rt_rng_stream(9, "gemm", 0, 0);
        operand a = operand_new(5, 20, 0, 0), b = operand_new(20, 37, 0, 0);
        rt_real c[5 * 37];
        const rti_epilogue relu = {NULL, true};
        ((rt_real *)a.m.data)[2 * 20 + 3] = (rt_real)NAN;
        ((rt_real *)a.m.data)[4 * 20 + 5] = (rt_real)INFINITY;
        set->gemm(5, 37, 20, a.m, b.m, c, 37, false, &relu);
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 37; j++) {
                if (i == 2) cr_assert(isnan(c[i * 37 + j]), "%s: NaN was lost", set->name);
                else if (i == 4)
                    cr_assert(c[i * 37 + j] == (at(b.m, 5, j) > 0 ? (rt_real)INFINITY : 0), "%s", set->name);
                else cr_assert(isfinite(c[i * 37 + j]), "%s: NaN leaked", set->name);
            }
        free(a.block), free(b.block);
    }
}

Test(gemm, needs_no_memory) {
    rng = rt_rng_stream(10, "gemm", 0, 0);
    operand a = operand_new(BATCH, DEEP, 2, 0), b = operand_new(DEEP, WIDE, 1, 0);
    rt_real *c = reals(BATCH * WIDE);
    rt_threads_set(2);
    size_t calls = rt_alloc_stats_get().calls;
    rti_gemm(BATCH, WIDE, DEEP, a.m, b.m, c, WIDE, false, NULL);
    cr_assert_eq(rt_alloc_stats_get().calls, calls);
    free(a.block), free(b.block), free(c);
}

/* ---- the choice ---- */

Test(gemm, the_environment_chooses_the_set) {
    for (int s = 0; s < SETS; s++) {
        if (!rti_kernels_named(set_names[s])) continue;
        setenv("RETORT_ISA", set_names[s], 1);
        rti_kernels_use(NULL);
        cr_assert_str_eq(rti_isa_name(), set_names[s]);
    }
    setenv("RETORT_ISA", "abacus", 1); /* unknown: the best there is */
    rti_kernels_use(NULL);
    cr_assert(rti_kernels_named(rti_isa_name()) != NULL);
    cr_assert(rti_kernels_named("abacus") == NULL);
    cr_assert(rti_kernels_named("portable") != NULL);
}

/* ---- zeros that are left out ---- */

/* Zeros in runs, as images have them, and some of them -0. */
static void make_sparse(rt_real *x, int64_t rows, int64_t columns, int64_t stride, uint32_t keep) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns;) {
            int64_t run = 1 + rt_rng_below(&rng, 24);
            const bool zero = rt_rng_below(&rng, 100) >= keep;
            for (; run > 0 && j < columns; run--, j++)
                if (zero) x[i * stride + j] = rt_rng_below(&rng, 8) ? 0 : (rt_real)-0.0;
        }
}

/* The numbers of x are those of bytes from now on: to `bytes`, contiguous, and their table. */
static void make_bytes(rt_real *x, int64_t rows, int64_t columns, int64_t stride, uint8_t *bytes,
                       rt_real value[256]) {
    for (int v = 0; v < 256; v++) value[v] = (rt_real)v / 255;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            rt_real *at = &x[i * stride + j];
            bytes[i * columns + j] = *at == 0 ? 0 : (uint8_t)(1 + rt_rng_below(&rng, 255));
            *at = value[bytes[i * columns + j]];
        }
}

/* By a map alone and by lists; of numbers, and of bytes while the numbers are garbage. */
static void check_zeros(const rti_kernel_set *set, int64_t M, int64_t N, int64_t K, uint32_t keep,
                        bool of_a) {
    rti_kernels_use(set);
    operand a = operand_new(M, K, of_a ? 3 : 1, 1), b = operand_new(K, N, of_a ? 1 : 3, 3);
    const int64_t rows = of_a ? M : K, columns = of_a ? K : N;
    rti_matrix *sparse = of_a ? &a.m : &b.m;
    rt_real *x = (of_a ? a.block : b.block) + (sparse->data - (of_a ? a.block : b.block)), value[256];
    make_sparse(x, rows, columns, sparse->row_stride, keep);
    rti_nonzero nonzero;
    void *memory = malloc(rti_nonzero_bytes(rows, columns)), *lists[2] = {NULL, NULL};
    uint8_t *bytes = malloc((size_t)(rows * columns));
    rt_real *with = reals(M * N), *without = reals(M * N), *bias = reals(N), *garbage = reals(1);
    *garbage = (rt_real)NAN;
    cr_assert(memory && bytes);
    fill_random(bias, N);
    const rti_epilogue epilogue = {bias, true};
    for (int turn = 0; turn < 16; turn++) { /* accumulating or not, an epilogue or not, lists or not, bytes */
        if (turn == 8) make_bytes(x, rows, columns, sparse->row_stride, bytes, value);
        const rti_byte_rows of = {bytes, value};
        const rti_matrix as_it_is = *sparse;
        const bool accumulate = turn & 1,
                   can_be_bytes = turn & 8 && !accumulate && (of_a || (!(turn & 2) && K <= RTI_SPARSE_BATCH));
        fill_random(with, M * N);
        memcpy(without, with, (size_t)(M * N) * sizeof *with);
        set->gemm(M, N, K, a.m, b.m, without, N, accumulate, turn & 2 ? &epilogue : NULL);
        if (can_be_bytes) rti_nonzero_note_bytes(&nonzero, rows, columns, &of, memory);
        else rti_nonzero_note(&nonzero, rows, columns, x, sparse->row_stride, memory);
        if (turn & 4 && nonzero.is_sparse) {
            if (!lists[0]) lists[0] = malloc(rti_nonzero_by_row_bytes(&nonzero));
            if (!lists[1]) lists[1] = malloc(rti_nonzero_by_column_bytes(&nonzero));
            cr_assert(lists[0] && lists[1]);
            rti_nonzero_by_row(&nonzero, can_be_bytes ? NULL : x, sparse->row_stride, lists[0]);
            if (!of_a) rti_nonzero_by_column(&nonzero, lists[1]);
        }
        if (!of_a) rti_nonzero_turn(&nonzero);
        sparse->nonzero = &nonzero;
        if (can_be_bytes) sparse->data = garbage;
        set->gemm(M, N, K, a.m, b.m, with, N, accumulate, turn & 2 ? &epilogue : NULL);
        *sparse = as_it_is;
        cr_assert(same(with, without, M * N), "%s: M %d N %d K %d, %d%% kept, zeros in %c, turn %d",
                  set->name, (int)M, (int)N, (int)K, (int)keep, of_a ? 'A' : 'B', turn);
    }
    free(a.block), free(b.block), free(memory), free(bytes), free(lists[0]), free(lists[1]);
    free(with), free(without), free(bias), free(garbage);
    rti_kernels_use(NULL);
}

Test(gemm, zeros_left_out_change_no_bit) {
    static const int shapes[][3] = {{100, 30, 784}, {30, 784, 100},  {1, 40, 100},   {13, 17, 16},
                                    {300, 100, 50}, {40, 90, 1300},  {1200, 33, 20}, {2, 1, 15},
                                    {5, 200, 1},    {700, 10, 1100}, {64, 64, 64},
                                    {300, 90, 1100}, {90, 1300, 100}, {129, 70, 160}};
    static const uint32_t keep[] = {0, 20, 70, 100};
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        if (!set || !set->list_width) continue;
        rng = rt_rng_stream(8, "gemm", 0, 0);
        for (int threads = 1; threads <= 3; threads += 2) {
            rt_threads_set(threads);
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
                for (int k = 0; k < 4; k++)
                    for (int of_a = 0; of_a < 2; of_a++)
                        check_zeros(set, shapes[i][0], shapes[i][1], shapes[i][2], keep[k], of_a);
        }
        for (int round = 0; round < 200; round++)
            check_zeros(set, 1 + rt_rng_below(&rng, 60), 1 + rt_rng_below(&rng, 120),
                        1 + rt_rng_below(&rng, 700), rt_rng_below(&rng, 101), rt_rng_below(&rng, 2));
    }
}

/* Zeros are not looked at, so what meets them does not matter: that shows that something is left out. */
Test(gemm, steps_of_zeros_are_not_computed) {
    enum { M = 20, N = 40, K = 64 };
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        if (!set || !set->list_width) continue;
        rti_kernels_use(set);
        rng = rt_rng_stream(9, "gemm", 0, 0);
        operand a = operand_new(M, K, 0, 0), b = operand_new(K, N, 0, 0);
        rti_nonzero nonzero;
        rt_real c[M * N];
        void *map = malloc(rti_nonzero_bytes(M, K));
        cr_assert_not_null(map);
        for (int i = 0; i < M; i++) a.block[i * K + 7] = a.block[i * K + 50] = 0;
        b.block[7 * N + 3] = (rt_real)INFINITY, b.block[50 * N] = (rt_real)NAN;
        rti_nonzero_note(&nonzero, M, K, a.block, K, map);
        cr_assert_eq(nonzero.count, M * (K - 2));
        a.m.nonzero = &nonzero;
        set->gemm(M, N, K, a.m, b.m, c, N, false, NULL);
        for (int i = 0; i < M * N; i++) cr_assert(isfinite(c[i]));
        free(a.block), free(b.block), free(map);
        rti_kernels_use(NULL);
    }
}

/* Of every instruction set, against plain loops: the map, and what is made from it. */
static void check_lists(const rti_nonzero *z, const rt_real *x, int64_t stride) {
    const rti_entry *e = z->by_row.entry;
    for (int64_t d = 0; d < z->blocks; d++)
        for (int64_t i = 0; i < z->rows; i++) {
            cr_assert_eq(e - z->by_row.entry, z->by_row.start[d * z->rows + i]);
            for (int64_t j = d * z->depth; j < z->columns && j < (d + 1) * z->depth; j++) {
                if (x[i * stride + j] == 0) continue;
                cr_assert_eq(e->place, j - d * z->depth);
                cr_assert(same(&e->value, &x[i * stride + j], 1));
                e++;
            }
        }
    cr_assert_eq(e - z->by_row.entry, z->by_row.start[z->rows * z->blocks]);
    cr_assert_eq(e - z->by_row.entry, z->count);
    e = z->by_column.entry;
    for (int64_t j = 0; j < z->columns; j++) {
        cr_assert_eq(e - z->by_column.entry, z->by_column.start[j]);
        for (int64_t i = 0; i < z->rows; i++) {
            if (x[i * stride + j] == 0) continue;
            cr_assert_eq(e->place, i);
            cr_assert(same(&e->value, &x[i * stride + j], 1));
            e++;
        }
    }
    cr_assert_eq(e - z->by_column.entry, z->by_column.start[z->columns]);
}

Test(gemm, lists_of_what_is_not_zero) {
    static const int shapes[][2] = {{1, 1},   {3, 17},   {100, 784}, {9, 77},  {2, 224},
                                    {2, 225}, {130, 33}, {8, 500},   {17, 16}, {300, 900},
                                    {900, 300}, {300, 900}};
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        if (!set || !set->list_width) continue;
        rti_kernels_use(set);
        rng = rt_rng_stream(11, "gemm", 0, 0);
        for (size_t n = 0; n < sizeof shapes / sizeof *shapes; n++)
            for (uint32_t keep = 0; keep <= 30; keep += 15) {
                rt_threads_set(keep ? 3 : 1);
                const int64_t rows = shapes[n][0], columns = shapes[n][1], stride = columns + 3;
                rt_real *x = reals(rows * stride);
                fill_random(x, rows * stride);
                make_sparse(x, rows, columns, stride, keep);
                const size_t bytes = rti_nonzero_bytes(rows, columns);
                char *map = malloc(bytes + 1);
                cr_assert(map != NULL);
                map[bytes] = 42;
                rti_nonzero z;
                rti_nonzero_note(&z, rows, columns, x, stride, map);
                if (z.is_sparse) {
                    const size_t sizes[2] = {rti_nonzero_by_row_bytes(&z), rti_nonzero_by_column_bytes(&z)};
                    char *memory[2] = {malloc(sizes[0] + 1), malloc(sizes[1] + 1)};
                    cr_assert(memory[0] && memory[1]);
                    memory[0][sizes[0]] = memory[1][sizes[1]] = 42;
                    rti_nonzero_by_row(&z, x, stride, memory[0]);
                    rti_nonzero_by_column(&z, memory[1]);
                    check_lists(&z, x, stride);
                    cr_assert(memory[0][sizes[0]] == 42 && memory[1][sizes[1]] == 42);
                    free(memory[0]), free(memory[1]);
                }
                cr_assert(z.is_sparse || keep > 0);
                cr_assert_eq(map[bytes], 42);
                free(x), free(map);
            }
        rt_threads_set(1);
        rti_kernels_use(NULL);
    }
}

/* Of every instruction set, against plain loops: the map of numbers and of bytes, and of the columns. */
static void check_map(const rti_nonzero *z, const rt_real *x) {
    int64_t count = 0;
    for (int64_t i = 0; i < z->rows; i++)
        for (int64_t j = 0; j < 64 * z->map_stride; j++) {
            const bool some = j < z->columns && !(x[i * z->columns + j] == 0);
            cr_assert_eq(z->map[i * z->map_stride + j / 64] >> j % 64 & 1, some);
            cr_assert_eq(z->turned[j * z->turned_stride + i / 64] >> i % 64 & 1, some);
            count += some;
        }
    for (int64_t j = 0; j < z->columns; j++)
        if (z->rows % 64) cr_assert_eq(z->turned[(j + 1) * z->turned_stride - 1] >> z->rows % 64, 0);
    cr_assert_eq(z->count, count);
    cr_assert_eq(z->is_sparse, 5 * count <= 2 * z->rows * z->columns);
    cr_assert_eq(rti_map_pays(z), z->rows >= 16 && 10 * count <= 3 * z->rows * z->columns);
}

Test(gemm, maps_of_what_is_not_zero) {
    static const int shapes[][2] = {{9, 77}, {64, 64}, {1, 1}, {65, 200}, {130, 63}, {100, 784}};
    for (int s = 0; s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        if (!set || !set->list_width) continue;
        rti_kernels_use(set);
        rng = rt_rng_stream(10, "gemm", 0, 0);
        for (size_t n = 0; n < sizeof shapes / sizeof *shapes; n++)
            for (uint32_t keep = 0; keep <= 100; keep += 25) {
                const int64_t rows = shapes[n][0], columns = shapes[n][1];
                rt_real *x = reals(rows * columns), value[256];
                uint8_t *bytes = malloc((size_t)(rows * columns));
                void *memory = malloc(rti_nonzero_bytes(rows, columns));
                cr_assert(bytes && memory);
                fill_random(x, rows * columns);
                make_sparse(x, rows, columns, columns, keep);
                if (keep == 75) x[0] = (rt_real)NAN;
                rti_nonzero z;
                rti_nonzero_note(&z, rows, columns, x, columns, memory);
                rti_nonzero_turn(&z);
                check_map(&z, x);
                if (keep == 75) x[0] = 1;
                make_bytes(x, rows, columns, columns, bytes, value);
                const rti_byte_rows of = {bytes, value};
                rti_nonzero_note_bytes(&z, rows, columns, &of, memory);
                rti_nonzero_turn(&z);
                check_map(&z, x);
                free(x), free(bytes), free(memory);
            }
        rti_kernels_use(NULL);
    }
}
