/* The matrix product of every instruction set, against three plain loops in double: shapes from empty to
 * several blocks, all transpositions and strides, offsets that are aligned to nothing, NaN in all unused
 * parts. Then its promise: an element's bits depend on its row of A, its column of B and K, and on nothing
 * else, which is checked by computing it alone and in company, with 1 to 8 threads. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "operands.h"
#include "retort/alloc.h"
#include "retort/threads.h"

#define EPSILON (sizeof(rt_real) == 4 ? (double)FLT_EPSILON : DBL_EPSILON)

static rt_rng rng;

typedef struct problem {
    int64_t M, N, K, ldc, offset;
    int a_layout, b_layout;
    bool accumulate, relu, bias;
} problem;

static void check(const rti_kernel_set *set, const problem *p) {
    test_operand a = test_operand_new(&rng, p->M, p->K, p->a_layout, p->offset),
                 b = test_operand_new(&rng, p->K, p->N, p->b_layout, p->offset);
    int64_t size = p->M * p->ldc + p->offset;
    rt_real *C = test_reals(size), *before = test_reals(size), *bias = test_reals(p->N);
    test_fill(&rng, C, size);
    if (!p->accumulate) test_fill_nan(C, size); /* what was there must not matter */
    memcpy(before, C, (size_t)size * sizeof *C);
    test_fill(&rng, bias, p->N);
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
                sum += (double)test_at(a.m, i, k) * (double)test_at(b.m, k, j);
                magnitude += fabs((double)test_at(a.m, i, k) * (double)test_at(b.m, k, j));
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
    for (int s = 0; s < TEST_SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(test_set_names[s]);
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

/* Few rows, and short sums: panels of a B that is read where it is, in one call; the last one ends with the
 * row; many steps of p at a time. */
Test(gemm, strips_in_every_layout) {
    static const int shapes[][3] = {{10, 203, 37}, {28, 30, 600}, {20, 17, 1030},
                                    {45, 150, 10}, {50, 30, 30},  {257, 40, 20}};
    rng = rt_rng_stream(11, "gemm", 0, 0);
    for (int threads = 1; threads <= 3; threads++) {
        rt_threads_set(threads);
        check_shapes(shapes, sizeof shapes / sizeof *shapes);
    }
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
    rt_real *one = test_reals(M * N), *three = test_reals(M * N);
    for (int s = 0; s < TEST_SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(test_set_names[s]);
        if (!set) continue;
        for (int layouts = 0; layouts < 4; layouts++) {
            test_operand a = test_operand_new(&rng, M, K, layouts & 1, 0),
                         b = test_operand_new(&rng, K, N, layouts >> 1, 0);
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
    for (int s = 0; s < TEST_SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(test_set_names[s]);
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


static void check_bits(const rti_kernel_set *set, int K, int b_layout, bool a_by_columns) {
    rng = rt_rng_stream(5, "gemm", 0, (uint64_t)K);
    test_operand a = test_operand_new(&rng, BATCH, K, 0, 0), b = test_operand_new(&rng, K, WIDE, b_layout, 0);
    rt_real *reference = test_reals(BATCH * WIDE), *c = test_reals(BATCH * WIDE),
            *turned = test_reals(BATCH * K), bias[WIDE];
    test_fill(&rng, bias, WIDE);
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
                cr_assert(test_same(c, reference + first * WIDE, heights[h] * WIDE),
                          "%s: K %d, rows %d + %d, %d threads", set->name, K, first, heights[h], threads[t]);
            }
        for (int first = 0; first < WIDE; first += 11) { /* some columns alone */
            int columns = first + 40 <= WIDE ? 40 : 1;
            rti_matrix part = {b.m.data + first * b.m.column_stride, b.m.row_stride, b.m.column_stride, NULL};
            const rti_epilogue some = {bias + first, true};
            set->gemm(BATCH, columns, K, A, part, c, WIDE, false, &some);
            for (int i = 0; i < BATCH; i++)
                cr_assert(test_same(c + i * WIDE, reference + i * WIDE + first, columns), "%s: column %d",
                          set->name, first);
        }
    }
    free(a.block), free(b.block), free(reference), free(c), free(turned);
}

Test(gemm, bits_do_not_depend_on_batch_position_or_threads) {
    for (int s = 0; s < TEST_SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(test_set_names[s]);
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
    for (int s = 0; s < TEST_SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(test_set_names[s]);
        if (!set) continue;
        rng = rt_rng_stream(6, "gemm", 0, 0);
        test_operand a = test_operand_new(&rng, TALL, K, 0, 0), b = test_operand_new(&rng, K, NARROW, 0, 0);
        rt_real *all = test_reals(TALL * NARROW), c[NARROW];
        rt_threads_set(2);
        set->gemm(TALL, NARROW, K, a.m, b.m, all, NARROW, false, NULL);
        for (int i = 0; i < TALL; i += 37) {
            rti_matrix row = {a.m.data + i * a.m.row_stride, 12345, 1, NULL};
            set->gemm(1, NARROW, K, row, b.m, c, NARROW, false, NULL);
            cr_assert(test_same(c, all + i * NARROW, NARROW), "%s: row %d", set->name, i);
        }
        free(a.block), free(b.block), free(all);
    }
}

Test(gemm, avx2_and_avx512_agree_to_the_bit) {
    const rti_kernel_set *one = rti_kernels_named("avx2"), *two = rti_kernels_named("avx512");
    if (!one || !two) cr_skip_test("this processor or this precision does not have both");
    rng = rt_rng_stream(7, "gemm", 0, 0);
    test_operand a = test_operand_new(&rng, BATCH, DEEP, 0, 1), b = test_operand_new(&rng, DEEP, WIDE, 1, 3);
    rt_real *c = test_reals(BATCH * WIDE), *d = test_reals(BATCH * WIDE);
    one->gemm(BATCH, WIDE, DEEP, a.m, b.m, c, WIDE, false, NULL);
    two->gemm(BATCH, WIDE, DEEP, a.m, b.m, d, WIDE, false, NULL);
    cr_assert(test_same(c, d, BATCH * WIDE));
    free(a.block), free(b.block), free(c), free(d);
}

/* Accumulating in two halves of K gives the bits of the whole: the chain goes on from C. */
Test(gemm, accumulation_continues_the_sum) {
    for (int s = 0; s < TEST_SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(test_set_names[s]);
        if (!set) continue;
        rng = rt_rng_stream(8, "gemm", 0, 0);
        test_operand a = test_operand_new(&rng, 20, 100, 0, 0), b = test_operand_new(&rng, 100, 40, 1, 0);
        rt_real whole[20 * 40], halves[20 * 40];
        set->gemm(20, 40, 100, a.m, b.m, whole, 40, false, NULL);
        rti_matrix a2 = a.m, b2 = b.m;
        a2.data += 60 * a2.column_stride, b2.data += 60 * b2.row_stride;
        set->gemm(20, 40, 60, a.m, b.m, halves, 40, false, NULL);
        set->gemm(20, 40, 40, a2, b2, halves, 40, true, NULL);
        cr_assert(test_same(whole, halves, 20 * 40), "%s", set->name);
        free(a.block), free(b.block);
    }
}

/* A NaN or infinity in row 2 of A shows in row 2 of C and nowhere else; relu lets NaN through. */
Test(gemm, not_a_number_stays_in_its_row) {
    for (int s = 0; s < TEST_SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(test_set_names[s]);
        if (!set) continue;
        rng = rt_rng_stream(9, "gemm", 0, 0);
        test_operand a = test_operand_new(&rng, 5, 20, 0, 0), b = test_operand_new(&rng, 20, 37, 0, 0);
        rt_real c[5 * 37];
        const rti_epilogue relu = {NULL, true};
        ((rt_real *)a.m.data)[2 * 20 + 3] = (rt_real)NAN;
        ((rt_real *)a.m.data)[4 * 20 + 5] = (rt_real)INFINITY;
        set->gemm(5, 37, 20, a.m, b.m, c, 37, false, &relu);
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 37; j++) {
                if (i == 2) cr_assert(isnan(c[i * 37 + j]), "%s: NaN was lost", set->name);
                else if (i == 4)
                    cr_assert(c[i * 37 + j] == (test_at(b.m, 5, j) > 0 ? (rt_real)INFINITY : 0),
                              "%s", set->name);
                else cr_assert(isfinite(c[i * 37 + j]), "%s: NaN leaked", set->name);
            }
        free(a.block), free(b.block);
    }
}

Test(gemm, needs_no_memory) {
    rng = rt_rng_stream(10, "gemm", 0, 0);
    test_operand a = test_operand_new(&rng, BATCH, DEEP, 2, 0), b = test_operand_new(&rng, DEEP, WIDE, 1, 0);
    rt_real *c = test_reals(BATCH * WIDE);
    rt_threads_set(2);
    size_t calls = rt_alloc_stats_get().calls;
    rti_gemm(BATCH, WIDE, DEEP, a.m, b.m, c, WIDE, false, NULL);
    cr_assert_eq(rt_alloc_stats_get().calls, calls);
    free(a.block), free(b.block), free(c);
}

/* ---- the choice ---- */

Test(gemm, the_environment_chooses_the_set) {
    for (int s = 0; s < TEST_SETS; s++) {
        if (!rti_kernels_named(test_set_names[s])) continue;
        setenv("RETORT_ISA", test_set_names[s], 1);
        rti_kernels_use(NULL);
        cr_assert_str_eq(rti_isa_name(), test_set_names[s]);
    }
    setenv("RETORT_ISA", "abacus", 1); /* unknown: the best there is */
    rti_kernels_use(NULL);
    cr_assert(rti_kernels_named(rti_isa_name()) != NULL);
    cr_assert(rti_kernels_named("abacus") == NULL);
}
