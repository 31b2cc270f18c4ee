/* Products that leave zeros out, of every instruction set: the bits are those of the dense product, by a map
 * alone and by lists, of numbers and of bytes; and the maps and lists against plain loops. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "operands.h"
#include "retort/threads.h"

static rt_rng rng;

/* Of every set that leaves zeros out, which is the one in use meanwhile. */
static void in_each_set(uint64_t seed, void (*test)(void)) {
    for (int s = 0; s < TEST_SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(test_set_names[s]);
        if (!set || !set->list_width) continue;
        rti_kernels_use(set);
        rng = rt_rng_stream(seed, "gemm", 0, 0);
        test();
        rt_threads_set(1);
        rti_kernels_use(NULL);
    }
}

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
    for (int v = 0; v < 256; v++) value[v] = (rt_real)v * ((rt_real)1 / 255);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            rt_real *at = &x[i * stride + j];
            bytes[i * columns + j] = *at == 0 ? 0 : (uint8_t)(1 + rt_rng_below(&rng, 255));
            *at = value[bytes[i * columns + j]];
        }
}

/* By a map alone and by lists; of numbers, and of bytes while the numbers are garbage; of rows that are
 * looked at in passing. */
static void check_zeros(int64_t M, int64_t N, int64_t K, uint32_t keep, bool of_a) {
    test_operand a = test_operand_new(&rng, M, K, of_a ? TEST_WITH_GAPS : TEST_BY_COLUMNS, 1),
                 b = test_operand_new(&rng, K, N, of_a ? TEST_BY_COLUMNS : TEST_WITH_GAPS, 3);
    const int64_t rows = of_a ? M : K, columns = of_a ? K : N;
    rti_matrix *sparse = of_a ? &a.m : &b.m;
    rt_real *x = (of_a ? a.block : b.block) + (sparse->data - (of_a ? a.block : b.block)), value[256];
    make_sparse(x, rows, columns, sparse->row_stride, keep);
    rti_nonzero nonzero;
    void *memory = malloc(rti_nonzero_bytes(rows, columns)), *lists[2] = {NULL, NULL};
    uint8_t *bytes = malloc((size_t)(rows * columns));
    rt_real *with = test_reals(M * N), *without = test_reals(M * N), *bias = test_reals(N),
            *garbage = test_reals(1);
    *garbage = (rt_real)NAN;
    cr_assert(memory && bytes);
    test_fill(&rng, bias, N);
    const rti_epilogue epilogue = {bias, true};
    for (int turn = 0; turn < 20; turn++) { /* accumulating or not, an epilogue or not, lists or not, bytes */
        const bool in_passing = turn >= 16 && of_a;
        if (turn == 8) make_bytes(x, rows, columns, sparse->row_stride, bytes, value);
        const rti_byte_rows of = {bytes, value};
        const rti_matrix as_it_is = *sparse;
        const bool accumulate = turn & 1,
                   can_be_bytes = turn & 8 && !accumulate && (of_a || (!(turn & 2) && K <= RTI_SPARSE_BATCH));
        test_fill(&rng, with, M * N);
        memcpy(without, with, (size_t)(M * N) * sizeof *with);
        rti_gemm(M, N, K, a.m, b.m, without, N, accumulate, turn & 2 ? &epilogue : NULL);
        if (in_passing) rti_nonzero_sample(&nonzero, rows, columns, x, sparse->row_stride);
        else if (can_be_bytes) rti_nonzero_note_bytes(&nonzero, rows, columns, &of, memory);
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
        rti_gemm(M, N, K, a.m, b.m, with, N, accumulate, turn & 2 ? &epilogue : NULL);
        *sparse = as_it_is;
        cr_assert(test_same(with, without, M * N), "%s: M %d N %d K %d, %d%% kept, zeros in %c, turn %d",
                  rti_isa_name(), (int)M, (int)N, (int)K, (int)keep, of_a ? 'A' : 'B', turn);
    }
    free(a.block), free(b.block), free(memory), free(bytes), free(lists[0]), free(lists[1]);
    free(with), free(without), free(bias), free(garbage);
}

static void zeros_left_out_change_no_bit(void) {
    static const int shapes[][3] = {{100, 30, 784}, {30, 784, 100},  {1, 40, 100},   {13, 17, 16},
                                    {300, 100, 50}, {40, 90, 1300},  {1200, 33, 20}, {2, 1, 15},
                                    {5, 200, 1},    {700, 10, 1100}, {64, 64, 64},
                                    {300, 90, 1100}, {90, 1300, 100}, {129, 70, 160}};
    static const uint32_t keep[] = {0, 20, 70, 100};
    for (int threads = 1; threads <= 3; threads += 2) {
        rt_threads_set(threads);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (int k = 0; k < 4; k++)
                for (int of_a = 0; of_a < 2; of_a++)
                    check_zeros(shapes[i][0], shapes[i][1], shapes[i][2], keep[k], of_a);
    }
    for (int round = 0; round < 200; round++)
        check_zeros(1 + rt_rng_below(&rng, 60), 1 + rt_rng_below(&rng, 120),
                    1 + rt_rng_below(&rng, 700), rt_rng_below(&rng, 101), rt_rng_below(&rng, 2));
}
Test(nonzero, zeros_left_out_change_no_bit) { in_each_set(8, zeros_left_out_change_no_bit); }

/* Zeros are not looked at, so what meets them does not matter: that shows that something is left out. */
static void steps_of_zeros_are_not_computed(void) {
    enum { M = 20, N = 40, K = 64 };
    test_operand a = test_operand_new(&rng, M, K, 0, 0), b = test_operand_new(&rng, K, N, 0, 0);
    rti_nonzero nonzero;
    rt_real c[M * N];
    void *map = malloc(rti_nonzero_bytes(M, K));
    cr_assert_not_null(map);
    for (int i = 0; i < M; i++) a.block[i * K + 7] = a.block[i * K + 50] = 0;
    b.block[7 * N + 3] = (rt_real)INFINITY, b.block[50 * N] = (rt_real)NAN;
    rti_nonzero_note(&nonzero, M, K, a.block, K, map);
    cr_assert_eq(nonzero.count, M * (K - 2));
    a.m.nonzero = &nonzero;
    rti_gemm(M, N, K, a.m, b.m, c, N, false, NULL);
    for (int i = 0; i < M * N; i++) cr_assert(isfinite(c[i]));
    free(a.block), free(b.block), free(map);
}
Test(nonzero, steps_of_zeros_are_not_computed) { in_each_set(9, steps_of_zeros_are_not_computed); }

/* Of every instruction set, against plain loops: the map, and what is made from it. */
static void check_lists(const rti_nonzero *z, const rt_real *x, int64_t stride) {
    const rti_entry *e = z->by_row.entry;
    for (int64_t d = 0; d < z->blocks; d++)
        for (int64_t i = 0; i < z->rows; i++) {
            cr_assert_eq(e - z->by_row.entry, z->by_row.start[d * z->rows + i]);
            for (int64_t j = d * z->depth; j < z->columns && j < (d + 1) * z->depth; j++) {
                if (x[i * stride + j] == 0) continue;
                cr_assert_eq(e->place, j - d * z->depth);
                cr_assert(test_same(&e->value, &x[i * stride + j], 1));
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
            cr_assert(test_same(&e->value, &x[i * stride + j], 1));
            e++;
        }
    }
    cr_assert_eq(e - z->by_column.entry, z->by_column.start[z->columns]);
}

/* Of numbers, or, when `of` is given, of these bytes. */
static void check_lists_made(int64_t rows, int64_t columns, int64_t stride, const rt_real *x,
                             const rti_byte_rows *of, bool must_be_sparse) {
    const size_t bytes = rti_nonzero_bytes(rows, columns);
    char *map = malloc(bytes + 1);
    cr_assert(map != NULL);
    map[bytes] = 42;
    rti_nonzero z;
    if (of) rti_nonzero_note_bytes(&z, rows, columns, of, map);
    else rti_nonzero_note(&z, rows, columns, x, stride, map);
    cr_assert(z.is_sparse || !must_be_sparse);
    if (z.is_sparse) {
        const size_t sizes[2] = {rti_nonzero_by_row_bytes(&z), rti_nonzero_by_column_bytes(&z)};
        char *memory[2] = {malloc(sizes[0] + 1), malloc(sizes[1] + 1)};
        cr_assert(memory[0] && memory[1]);
        memory[0][sizes[0]] = memory[1][sizes[1]] = 42;
        rti_nonzero_by_row(&z, of ? NULL : x, stride, memory[0]);
        rti_nonzero_by_column(&z, memory[1]);
        check_lists(&z, x, stride);
        cr_assert(memory[0][sizes[0]] == 42 && memory[1][sizes[1]] == 42);
        free(memory[0]), free(memory[1]);
    }
    cr_assert_eq(map[bytes], 42);
    free(map);
}

static void lists_of_what_is_not_zero(void) {
    static const int shapes[][2] = {{1, 1},   {3, 17},   {100, 784}, {9, 77},  {2, 224},
                                    {2, 225}, {130, 33}, {8, 500},   {17, 16}, {300, 900},
                                    {900, 300}, {300, 900}};
    for (size_t n = 0; n < sizeof shapes / sizeof *shapes; n++)
        for (uint32_t keep = 0; keep <= 30; keep += 15) {
            const int64_t rows = shapes[n][0], columns = shapes[n][1], stride = columns + 3;
            rt_real *x = test_reals(rows * stride);
            test_fill(&rng, x, rows * stride);
            make_sparse(x, rows, columns, stride, keep);
            rt_real value[256];
            uint8_t *bytes = malloc((size_t)(rows * columns));
            cr_assert(bytes != NULL);
            const rti_byte_rows of = {bytes, value};
            for (int turn = 0; turn < 4; turn++) {
                rt_threads_set(turn & 1 ? 3 : 1);
                if (turn == 2) make_bytes(x, rows, columns, stride, bytes, value);
                check_lists_made(rows, columns, stride, x, turn & 2 ? &of : NULL, keep == 0);
            }
            free(x), free(bytes);
        }
}
Test(nonzero, lists_of_what_is_not_zero) { in_each_set(11, lists_of_what_is_not_zero); }

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
    cr_assert_eq(z->is_sparse, 100 * count <= rti_kernels()->list_percent * z->rows * z->columns);
    cr_assert_eq(rti_map_pays(z), z->rows >= 16 && 10 * count <= 3 * z->rows * z->columns);
}

static void maps_of_what_is_not_zero(void) {
    static const int shapes[][2] = {{9, 77}, {64, 64}, {1, 1}, {65, 200}, {130, 63}, {100, 784}};
    for (size_t n = 0; n < sizeof shapes / sizeof *shapes; n++)
        for (uint32_t keep = 0; keep <= 100; keep += 25) {
            const int64_t rows = shapes[n][0], columns = shapes[n][1];
            rt_real *x = test_reals(rows * columns), value[256];
            uint8_t *bytes = malloc((size_t)(rows * columns));
            void *memory = malloc(rti_nonzero_bytes(rows, columns));
            cr_assert(bytes && memory);
            test_fill(&rng, x, rows * columns);
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
}
Test(nonzero, maps_of_what_is_not_zero) { in_each_set(10, maps_of_what_is_not_zero); }
