#include "operands.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const test_set_names[TEST_SETS] = {"portable", "avx2", "avx512"};

rt_real *test_reals(int64_t n) {
    rt_real *x = malloc((size_t)(n + 1) * sizeof *x);
    cr_assert(x != NULL);
    return x;
}

void test_fill(rt_rng *rng, rt_real *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (rt_real)(rt_rng_uniform(rng) * 2 - 1);
}

void test_fill_nan(rt_real *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (rt_real)NAN;
}

bool test_same(const rt_real *a, const rt_real *b, int64_t n) {
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

test_operand test_operand_new(rt_rng *rng, int64_t rows, int64_t columns, int layout, int64_t offset) {
    int64_t row_stride = columns, column_stride = 1;
    if (layout == TEST_BY_COLUMNS) row_stride = 1, column_stride = rows;
    if (layout == TEST_SCATTERED) row_stride = 2 * columns + 3, column_stride = 2;
    if (layout == TEST_WITH_GAPS) row_stride = columns + 5;
    const int64_t size = offset + rows * row_stride + columns * column_stride + 1;
    test_operand o = {test_reals(size), {NULL, row_stride, column_stride, NULL}};
    o.m.data = o.block + offset;
    test_fill_nan(o.block, size);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            test_fill(rng, o.block + offset + i * row_stride + j * column_stride, 1);
    return o;
}

rt_real test_at(rti_matrix m, int64_t i, int64_t j) { return m.data[i * m.row_stride + j * m.column_stride]; }
