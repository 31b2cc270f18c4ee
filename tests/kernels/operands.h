/* operands.h - matrices for the tests of products. */
#ifndef TEST_OPERANDS_H
#define TEST_OPERANDS_H

#include "kernels/dispatch.h"
#include "retort/rng.h"

/* n numbers and a spare one, which the caller frees; their values are undefined. */
rt_real *test_reals(int64_t n);
/* uniform in (-1, 1) */
void test_fill(rt_rng *rng, rt_real *x, int64_t n);
void test_fill_nan(rt_real *x, int64_t n);
/* The instruction sets by name; a machine may lack some. */
enum { TEST_SETS = 3 };
extern const char *const test_set_names[TEST_SETS];

/* Are these the same bits? */
bool test_same(const rt_real *a, const rt_real *b, int64_t n);

/* A (rows, columns) matrix within a field of NaN; the caller frees the block. */
typedef struct test_operand {
    rt_real *block;
    rti_matrix m;
} test_operand;

enum test_layout { TEST_BY_ROWS, TEST_BY_COLUMNS, TEST_SCATTERED, TEST_WITH_GAPS };

/* uniform in (-1, 1), and `offset` numbers into the block */
test_operand test_operand_new(rt_rng *rng, int64_t rows, int64_t columns, int layout, int64_t offset);
/* Element (i, j). */
rt_real test_at(rti_matrix m, int64_t i, int64_t j);

#endif
