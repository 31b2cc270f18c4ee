/* Sums of powers and lengths of rows: values against plain loops, and what happens at 0, where a power
 * below 2 and a length have a kink: finite numbers, and no gradient. */
#include <criterion/criterion.h>
#include <math.h>

#include "retort/ops.h"

enum { ROWS = 6, D = 5 };

static void draw(rt_real x[ROWS * D]) {
    rt_rng rng = rt_rng_stream(5, "lengths", 0, 0);
    for (int i = 0; i < ROWS * D; i++) x[i] = (rt_real)(4 * rt_rng_uniform(&rng) - 2);
}

static double tolerance(void) { return sizeof(rt_real) == 8 ? 1e-13 : 1e-6; }

Test(lengths, values) {
    rt_real numbers[ROWS * D];
    draw(numbers);
    static const double powers[] = {1, 1.5, 2, 3, 4};
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = rt_graph_input(g, numbers, 3, (int64_t[]){2, 3, D});
    for (int p = 0; p < 5; p++) {
        rt_tensor *y = rt_power_sum(g, x, powers[p]);
        cr_assert(y && y->ndim == 2 && y->shape[0] == 2 && y->shape[1] == 3);
        for (int r = 0; r < ROWS; r++) {
            double expected = 0;
            for (int d = 0; d < D; d++) expected += pow(fabs((double)numbers[r * D + d]), powers[p]);
            cr_assert_float_eq(rt_real_data(y)[r], expected, tolerance() * expected);
        }
    }
    rt_tensor *length = rt_l2_norm(g, rt_transpose(g, x, 0, 2)); /* (D, 3, 2), not contiguous */
    for (int d = 0; d < D; d++)
        for (int j = 0; j < 3; j++) {
            double a = (double)numbers[j * D + d], b = (double)numbers[(3 + j) * D + d];
            cr_assert_float_eq(rt_real_data(length)[d * 3 + j], sqrt(a * a + b * b), 4 * tolerance());
        }
    rt_graph_free(g);
}

Test(lengths, at_0_there_is_no_gradient_and_no_nan) {
    static const double powers[] = {1, 1.5, 2, 3};
    for (int p = 0; p < 5; p++) { /* the last one is the length */
        rt_real zeros[2 * D] = {0};
        zeros[D] = 3, zeros[D + 1] = -4;
        rt_graph *g = rt_graph_new(NULL);
        rt_tensor *x = rt_graph_input(g, zeros, 2, (int64_t[]){2, D});
        x->requires_grad = true;
        rt_tensor *y = p < 4 ? rt_power_sum(g, x, powers[p]) : rt_l2_norm(g, x);
        cr_assert_eq(rt_real_data(y)[0], 0);
        cr_assert_eq(rt_backward(g, rt_sum(g, y, RT_ALL_AXES)), RT_OK);
        for (int d = 0; d < D; d++) cr_assert_eq(x->grad[d], 0);
        if (p == 4) cr_assert(rt_real_data(y)[1] == 5 && fabs((double)x->grad[D + 1] + 0.8) < tolerance());
        rt_graph_free(g);
    }
}

Test(lengths, refusals) {
    rt_real number = 1;
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = rt_graph_input(g, &number, 1, (int64_t[]){1});
    cr_assert_null(rt_power_sum(g, x, 0.5));
    cr_assert_eq(rt_graph_status(g), RT_VALUE);
    rt_graph_free(g);
    g = rt_graph_new(NULL);
    cr_assert_null(rt_l2_norm(g, rt_graph_scalar(g, 1)));
    cr_assert_eq(rt_graph_status(g), RT_SHAPE);
    rt_graph_free(g);
}
