/* test_rounding.c - clamp, rounding and unit_rounding against their definitions: what comes out lies on the
 * grid, nowhere nearer to another point of it, and the gradient passes straight through inside the range. */
#include <criterion/criterion.h>
#include <math.h>

#include "retort/retort.h"

enum { COUNT = 400 };

static rt_graph *g;
static rt_real x[COUNT];

static void begin(void) {
    rt_error error = {0};
    g = rt_graph_new(&error);
    rt_rng s = rt_rng_stream(1, "x", 0, 0);
    for (int i = 0; i < COUNT; i++) x[i] = (rt_real)(3 * rt_rng_uniform(&s) - 1.5);
}

Test(rounding, lands_on_the_nearest_point_of_the_grid) {
    const double low = -0.7, high = 1.0, step = 0.1;
    begin();
    rt_no_grad_begin(g);
    rt_tensor *in = rt_graph_input(g, x, 1, (const int64_t[]){COUNT});
    rt_tensor *y = rt_add(g, rt_clamp(g, in, low, high), rt_rounding(g, in, low, high, step));
    cr_assert(y);
    for (int i = 0; i < COUNT; i++) {
        const double v = (double)rt_real_data(y)[i], inside = fmin(fmax((double)x[i], low), high);
        cr_expect_float_eq(v / step, nearbyint(v / step), 1e-4, "%g gives %g", (double)x[i], v);
        cr_expect_leq(fabs(v - inside), step / 2 + 1e-6, "%g gives %g", (double)x[i], v);
    }
    rt_no_grad_end(g);
    rt_graph_free(g);
}

Test(rounding, of_halves_goes_away_from_zero) {
    begin();
    static const rt_real halves[] = {0.5, 1.5, 2.5, -0.5, -1.5, -2.5};
    static const double wanted[] = {1, 2, 3, -1, -2, -3};
    rt_tensor *in = rt_graph_input(g, halves, 1, (const int64_t[]){6});
    rt_tensor *r = rt_rounding(g, in, -8, 8, 1);
    for (int i = 0; i < 6; i++) cr_expect_float_eq(rt_real_data(r)[i] + halves[i], wanted[i], 1e-6);
    rt_graph_free(g);
}

Test(rounding, of_units_keeps_each_units_largest_and_uses_no_more_than_its_levels) {
    begin();
    const int64_t shape[] = {10, 40};
    for (int axis = 0; axis < 2; axis++) {
        rt_tensor *in = rt_graph_input(g, x, 2, shape);
        rt_tensor *y = rt_add(g, in, rt_unit_rounding(g, in, axis, 7));
        for (int64_t u = 0; u < shape[axis]; u++) {
            double most = 0;
            for (int64_t i = 0; i < COUNT; i++)
                if ((axis ? i % 40 : i / 40) == u) most = fmax(most, fabs((double)x[i]));
            for (int64_t i = 0; i < COUNT; i++) {
                if ((axis ? i % 40 : i / 40) != u) continue;
                const double q = (double)rt_real_data(y)[i] / (most / 7);
                cr_expect_float_eq(q, nearbyint(q), 1e-4);
                cr_expect_leq(fabs(q), 7 + 1e-4);
                cr_expect_leq(fabs((double)rt_real_data(y)[i] - (double)x[i]), most / 14 + 1e-6);
                if (fabs((double)x[i]) == most) cr_expect_float_eq(fabs(q), 7, 1e-4);
            }
        }
    }
    rt_graph_free(g);
}

Test(rounding, lets_the_gradient_pass_inside_and_stops_it_outside) {
    begin();
    rt_error error = {0};
    rt_tensor *w = rt_tensor_new(RT_DTYPE_REAL, 1, (const int64_t[]){COUNT}, &error);
    cr_assert(w);
    w->requires_grad = true;
    for (int i = 0; i < COUNT; i++) rt_real_data(w)[i] = x[i];
    rt_tensor *y = rt_add(g, rt_clamp(g, w, -0.7, 1), rt_rounding(g, w, -0.7, 1, 0.1));
    cr_assert_eq(rt_backward(g, rt_sum(g, y, 1u)), RT_OK, "%s", rt_graph_error(g)->message);
    for (int i = 0; i < COUNT; i++)
        cr_expect_eq(w->grad[i], (double)x[i] >= -0.7 && (double)x[i] <= 1 ? 1 : 0, "at %g", (double)x[i]);
    rt_graph_free(g);
    rt_tensor_free(w);
}

Test(rounding, refuses_what_is_no_range_and_no_grid) {
    static const double bad[][3] = {{1, 0, 0.1}, {0, 1, 0}, {0, 1, -1}, {0, 1, NAN}, {NAN, 1, 0.1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin();
        rt_tensor *in = rt_graph_input(g, x, 1, (const int64_t[]){COUNT});
        cr_expect_null(rt_rounding(g, in, bad[i][0], bad[i][1], bad[i][2]));
        cr_expect_eq(rt_graph_status(g), RT_VALUE);
        rt_graph_free(g);
    }
    begin();
    cr_expect_null(rt_unit_rounding(g, rt_graph_input(g, x, 1, (const int64_t[]){COUNT}), 1, 127));
    cr_expect_eq(rt_graph_status(g), RT_VALUE);
    rt_graph_free(g);
}
