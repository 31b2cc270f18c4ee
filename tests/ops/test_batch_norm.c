/* Batch normalisation against loops in double that follow the formulas of image.h, in training and in
 * evaluation, with and without residual and relu, for channels that fill strips and that do not; running
 * statistics against their closed form. Then what must hold whatever the numbers: dx has no part along 1
 * and xhat, evaluation is training when the statistics agree, a channel far from 0 and one with an outlier
 * lose no digits, NaN stays in its channel, one tensor may be both inputs, threads change no bit, steps
 * allocate nothing, refusals name the shapes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "retort/alloc.h"
#include "retort/image.h"
#include "retort/rng.h"
#include "retort/threads.h"

#define TOLERANCE (sizeof(rt_real) == sizeof(double) ? 1e-12 : 3e-6)
#define EPSILON 1e-5

enum { CHANNELS_MAX = 100 };

static rt_tensor *drawn(rt_graph *g, uint64_t seed, int ndim, const int64_t shape[], double low,
                        double high) {
    rt_tensor *t = rt_graph_tensor(g, RT_DTYPE_REAL, ndim, shape);
    rt_rng rng = rt_rng_stream(seed, "batch norm", 0, 0);
    const int64_t count = rt_tensor_count(t);
    for (int64_t i = 0; i < count; i++)
        rt_real_data(t)[i] = (rt_real)(low + (high - low) * rt_rng_uniform(&rng));
    return t;
}

/* All that one call needs: x (2, rows, C), gradients wanted of everything. */
typedef struct network {
    rt_tensor *x, *gamma, *beta, *residual, *weight; /* of the loss: sum weight y */
    rt_batch_norm_how how;
    rt_real mean[CHANNELS_MAX], variance[CHANNELS_MAX];
    int64_t rows, C;
} network;

static rt_tensor *wanted(rt_tensor *t) {
    t->requires_grad = true;
    return t;
}

static network network_of(rt_graph *g, int64_t half, int64_t C, bool training) {
    const int64_t shape[] = {2, half, C};
    network n = {.rows = 2 * half, .C = C};
    n.x = wanted(drawn(g, 1, 3, shape, -1, 3));
    n.gamma = wanted(drawn(g, 2, 1, &C, 0.5, 1.5));
    n.beta = wanted(drawn(g, 3, 1, &C, -1, 1));
    n.residual = wanted(drawn(g, 4, 3, shape, -1, 1));
    n.weight = drawn(g, 5, 3, shape, -1, 1);
    n.how.running_mean = drawn(g, 6, 1, &C, -1, 1);
    n.how.running_variance = drawn(g, 7, 1, &C, 0.5, 2);
    n.how.momentum = 0.1, n.how.epsilon = EPSILON, n.how.training = training;
    for (int64_t c = 0; c < C; c++) {
        n.mean[c] = rt_real_data(n.how.running_mean)[c];
        n.variance[c] = rt_real_data(n.how.running_variance)[c];
    }
    return n;
}

static rt_tensor *applied(rt_graph *g, network *n, bool residual, bool relu) {
    rt_tensor *y = rt_batch_norm(g, n->x, n->gamma, n->beta, residual ? n->residual : NULL, &n->how,
                                 relu ? RT_ACT_RELU : RT_ACT_NONE);
    cr_assert_not_null(y, "%s", rt_graph_error(g)->message);
    cr_assert_eq(rt_backward(g, rt_sum(g, rt_mul(g, y, n->weight), RT_ALL_AXES)), RT_OK);
    return y;
}

static double at(const rt_tensor *t, int64_t i) { return (double)rt_real_data(t)[i]; }

static void near(double is, double expected, double tolerance, const char *what, int64_t i) {
    cr_assert(fabs(is - expected) <= tolerance, "%s, element %d: %.9g, expected %.9g", what, (int)i, is,
              expected);
}

/* Mean and population variance of a channel, in two passes. */
static void moments(const network *n, int64_t c, double *mean, double *variance) {
    *mean = *variance = 0;
    for (int64_t r = 0; r < n->rows; r++) *mean += at(n->x, r * n->C + c) / (double)n->rows;
    for (int64_t r = 0; r < n->rows; r++)
        *variance += pow(at(n->x, r * n->C + c) - *mean, 2) / (double)n->rows;
}

/* Everything about channel c. y is needed for where relu let through: a z within rounding of 0 may fall
 * on either side. */
static void check_channel(const network *n, const rt_tensor *y, int64_t c, bool residual, bool relu) {
    const double rows = (double)n->rows;
    double m = (double)n->mean[c], v = (double)n->variance[c];
    if (n->how.training) {
        moments(n, c, &m, &v);
        near(at(n->how.running_mean, c), 0.9 * (double)n->mean[c] + 0.1 * m, TOLERANCE, "running mean", c);
        near(at(n->how.running_variance, c), 0.9 * (double)n->variance[c] + 0.1 * v * rows / (rows - 1),
             TOLERANCE, "running variance", c);
    } else {
        cr_assert(rt_real_data(n->how.running_mean)[c] == n->mean[c]);
        cr_assert(rt_real_data(n->how.running_variance)[c] == n->variance[c]);
    }
    const double inverse = 1 / sqrt(v + EPSILON), gamma = at(n->gamma, c);
    double sum = 0, product = 0;
    for (int64_t r = 0; r < n->rows; r++) {
        const int64_t i = r * n->C + c;
        const double xhat = (at(n->x, i) - m) * inverse;
        const double z = gamma * xhat + at(n->beta, c) + (residual ? at(n->residual, i) : 0);
        near(at(y, i), relu && z < 0 ? 0 : z, 4 * TOLERANCE, "y", i);
        const double dz = relu && !(at(y, i) > 0) ? 0 : at(n->weight, i);
        sum += dz, product += dz * xhat;
    }
    for (int64_t r = 0; r < n->rows; r++) {
        const int64_t i = r * n->C + c;
        const double xhat = (at(n->x, i) - m) * inverse;
        const double dz = relu && !(at(y, i) > 0) ? 0 : at(n->weight, i);
        const double away = n->how.training ? sum / rows + xhat * product / rows : 0;
        near((double)n->x->grad[i], gamma * inverse * (dz - away), 8 * TOLERANCE, "dx", i);
        if (residual) near((double)n->residual->grad[i], dz, 0, "dr", i);
    }
    near((double)n->gamma->grad[c], product, TOLERANCE * sqrt(rows), "dgamma", c);
    near((double)n->beta->grad[c], sum, TOLERANCE * sqrt(rows), "dbeta", c);
}

Test(batch_norm, is_its_formula) {
    static const int64_t extents[][2] = {{15, 1},   {15, 3}, {7, 16},   {600, 16}, {5, 21},
                                         {300, 32}, {3, 64}, {200, 67}, {1, 100},  {9000, 2}};
    rt_graph *g = rt_graph_new(NULL);
    for (size_t e = 0; e < sizeof extents / sizeof *extents; e++)
        for (int variant = 0; variant < 8; variant++) {
            const bool residual = variant & 1, relu = variant & 2;
            network n = network_of(g, extents[e][0], extents[e][1], variant & 4);
            rt_tensor *y = applied(g, &n, residual, relu);
            for (int64_t c = 0; c < n.C; c++) check_channel(&n, y, c, residual, relu);
            rt_graph_reset(g);
        }
    rt_graph_free(g);
}

/* A shift or a stretch of x changes nothing in y (but for epsilon), so dx has no part along either. */
Test(batch_norm, dx_is_orthogonal_to_1_and_xhat) {
    rt_graph *g = rt_graph_new(NULL);
    network n = network_of(g, 700, 19, true);
    applied(g, &n, true, true);
    for (int64_t c = 0; c < n.C; c++) {
        double m, v, ones = 0, along = 0, length = 0;
        moments(&n, c, &m, &v);
        for (int64_t r = 0; r < n.rows; r++) {
            const double dx = (double)n.x->grad[r * n.C + c];
            ones += dx, length += dx * dx;
            along += dx * (at(n.x, r * n.C + c) - m) / sqrt(v + EPSILON);
        }
        const double scale = sqrt(length * (double)n.rows);
        cr_assert(length > 1 && fabs(ones) <= TOLERANCE * scale, "channel %d: %g along 1", (int)c, ones);
        cr_assert(fabs(along) <= (TOLERANCE + 2 * EPSILON) * scale, "channel %d: %g along xhat", (int)c,
                  along);
    }
    rt_graph_free(g);
}

Test(batch_norm, evaluation_is_training_when_the_statistics_agree) {
    rt_graph *g = rt_graph_new(NULL);
    network n = network_of(g, 500, 21, true);
    for (int64_t c = 0; c < n.C; c++) {
        double m, v;
        moments(&n, c, &m, &v);
        rt_real_data(n.how.running_mean)[c] = (rt_real)m;
        rt_real_data(n.how.running_variance)[c] = (rt_real)v;
    }
    n.how.training = false;
    rt_tensor *still = rt_batch_norm(g, n.x, n.gamma, n.beta, n.residual, &n.how, RT_ACT_RELU);
    n.how.training = true;
    rt_tensor *moving = rt_batch_norm(g, n.x, n.gamma, n.beta, n.residual, &n.how, RT_ACT_RELU);
    const int64_t count = rt_tensor_count(n.x);
    for (int64_t i = 0; i < count; i++) near(at(still, i), at(moving, i), 4 * TOLERANCE, "y", i);
    rt_graph_free(g);
}

/* Training until the running statistics stand still: 1 - 0.9^k of the way after k steps. */
Test(batch_norm, running_statistics_follow_their_closed_form) {
    rt_graph *g = rt_graph_new(NULL);
    network n = network_of(g, 50, 5, true);
    rt_no_grad_begin(g);
    for (int step = 1; step <= 30; step++) {
        cr_assert_not_null(rt_batch_norm(g, n.x, n.gamma, n.beta, NULL, &n.how, RT_ACT_NONE));
        const double left = pow(0.9, step);
        for (int64_t c = 0; c < n.C; c++) {
            double m, v;
            moments(&n, c, &m, &v);
            near(at(n.how.running_mean, c), left * (double)n.mean[c] + (1 - left) * m, 4 * TOLERANCE, "mean",
                 c);
            near(at(n.how.running_variance, c), left * (double)n.variance[c] + (1 - left) * v * 100 / 99,
                 4 * TOLERANCE, "variance", c);
        }
    }
    rt_graph_free(g);
}

/* Channel 0 is around 4000, with steps that float just has; channel 1 begins with an outlier, which is what
 * the sums are taken from; channel 2 is constant. The expected values come from the same rounded numbers. */
Test(batch_norm, far_from_zero_no_digits_are_lost) {
    rt_graph *g = rt_graph_new(NULL);
    network n = network_of(g, 3000, 3, true);
    for (int64_t r = 0; r < n.rows; r++) {
        rt_real *x = rt_real_data(n.x) + 3 * r;
        x[0] = (rt_real)(4000 + 0.25 * (double)x[0]);
        x[1] = r == 0 ? (rt_real)1e6 : x[1];
        x[2] = (rt_real)-0.1;
    }
    rt_tensor *y = applied(g, &n, false, false);
    for (int64_t c = 0; c < 3; c++) {
        double m, v;
        moments(&n, c, &m, &v);
        const double inverse = c == 2 ? 0 : 1 / sqrt(v + EPSILON);
        /* What the test's own sums lose in double at 4000 and at 1e6; float is coarser than that. */
        const double tolerance = c == 2 ? 1e-4 : fmax(4 * TOLERANCE, 1e-9);
        double product = 0;
        for (int64_t r = 0; r < n.rows; r++) {
            const double xhat = (at(n.x, 3 * r + c) - m) * inverse;
            const double z = at(n.gamma, c) * xhat + at(n.beta, c);
            near(at(y, 3 * r + c), z, tolerance * (1 + fabs(z)), "y", 3 * r + c);
            product += at(n.weight, 3 * r + c) * xhat;
        }
        if (c != 2) near((double)n.gamma->grad[c], product, 1e3 * tolerance, "dgamma", c);
    }
    rt_graph_free(g);
}

Test(batch_norm, nan_stays_in_its_channel) {
    for (int training = 0; training < 2; training++) {
        rt_graph *g = rt_graph_new(NULL);
        network n = network_of(g, 40, 18, training);
        rt_real_data(n.x)[5 * n.C + 17] = (rt_real)NAN;
        rt_tensor *y = rt_batch_norm(g, n.x, n.gamma, n.beta, NULL, &n.how, RT_ACT_RELU);
        for (int64_t i = 0; i < rt_tensor_count(y); i++) {
            const bool expected = i % n.C == 17 && (training || i / n.C == 5);
            cr_assert_eq(isnan(rt_real_data(y)[i]) != 0, expected, "element %d", (int)i);
        }
        rt_graph_free(g);
    }
}

/* x is its own residual: the same as with a copy, the gradients added. */
Test(batch_norm, one_tensor_may_be_both) {
    rt_graph *g = rt_graph_new(NULL);
    network two = network_of(g, 90, 16, true), one = network_of(g, 90, 16, true);
    const size_t bytes = (size_t)rt_tensor_count(two.x) * sizeof(rt_real);
    memcpy(rt_real_data(two.residual), rt_real_data(two.x), bytes);
    one.residual = one.x;
    rt_tensor *expected = applied(g, &two, true, true);
    rt_tensor *y = applied(g, &one, true, true);
    cr_assert_eq(memcmp(rt_real_data(y), rt_real_data(expected), bytes), 0);
    for (int64_t i = 0; i < rt_tensor_count(y); i++)
        near((double)one.x->grad[i], (double)(two.x->grad[i] + two.residual->grad[i]), 4 * TOLERANCE, "dx",
             i);
    rt_graph_free(g);
}

/* Only what is wanted is computed: here gamma, then the residual alone. */
Test(batch_norm, gradients_that_nobody_wants) {
    rt_graph *g = rt_graph_new(NULL);
    for (int only = 0; only < 2; only++) {
        network all = network_of(g, 60, 20, true), some = network_of(g, 60, 20, true);
        some.x->requires_grad = some.beta->requires_grad = false;
        *(only ? &some.gamma->requires_grad : &some.residual->requires_grad) = false;
        applied(g, &all, true, true), applied(g, &some, true, true);
        cr_assert_not(some.x->has_grad || some.beta->has_grad);
        const rt_tensor *is = only ? some.residual : some.gamma, *expected = only ? all.residual : all.gamma;
        cr_assert_eq(memcmp(is->grad, expected->grad, (size_t)rt_tensor_count(is) * sizeof(rt_real)), 0);
        rt_graph_reset(g);
    }
    rt_graph_free(g);
}

Test(batch_norm, the_same_bits_with_any_number_of_threads) {
    static const int threads[] = {1, 2, 3, 8};
    static const int64_t channels[] = {16, 21, 64};
    for (int e = 0; e < 3; e++) {
        rt_real *before = NULL;
        for (int t = 0; t < 4; t++) {
            rt_threads_set(threads[t]);
            rt_graph *g = rt_graph_new(NULL);
            network n = network_of(g, 4000, channels[e], true);
            rt_tensor *y = applied(g, &n, true, true);
            const size_t count = (size_t)rt_tensor_count(y), C = (size_t)n.C;
            rt_real *bits = malloc((3 * count + 4 * C) * sizeof *bits), *to = bits;
            const rt_real *parts[] = {rt_real_data(y),
                                      n.x->grad,
                                      n.residual->grad,
                                      n.gamma->grad,
                                      n.beta->grad,
                                      rt_real_data(n.how.running_mean),
                                      rt_real_data(n.how.running_variance)};
            for (int p = 0; p < 7; p++) {
                memcpy(to, parts[p], (p < 3 ? count : C) * sizeof *to);
                to += p < 3 ? count : C;
            }
            if (before) cr_assert_eq(memcmp(before, bits, (3 * count + 4 * C) * sizeof *bits), 0);
            free(before);
            before = bits;
            rt_graph_free(g);
        }
        free(before);
    }
    rt_threads_set(1);
}

Test(batch_norm, steps_allocate_nothing) {
    rt_graph *g = rt_graph_new(NULL);
    size_t calls = 0;
    for (int step = 0; step < 5; step++) {
        network n = network_of(g, 900, 17, true);
        applied(g, &n, true, true);
        rt_graph_reset(g);
        if (step == 1) calls = rt_alloc_stats_get().calls;
    }
    cr_assert_eq(rt_alloc_stats_get().calls, calls);
    rt_graph_free(g);
}

static void refused(rt_graph *g, const network *n, rt_status status, const char *shape, const char *why) {
    cr_assert_null(rt_batch_norm(g, n->x, n->gamma, n->beta, n->residual, &n->how, RT_ACT_RELU));
    const rt_error *error = rt_graph_error(g);
    cr_assert_eq(error->status, status);
    cr_assert(strstr(error->message, shape) && strstr(error->message, why), "%s", error->message);
    rt_graph_reset(g);
}

Test(batch_norm, refusals_name_the_shapes) {
    const int64_t five = 5, wrong[] = {2, 4, 3};
    rt_graph *g = rt_graph_new(NULL);
    network n = network_of(g, 3, 4, true);
    n.gamma = drawn(g, 1, 1, &five, 0, 1);
    refused(g, &n, RT_SHAPE, "(2, 3, 4), (5)", "must be (4)");
    n = network_of(g, 3, 4, true);
    n.how.running_variance = drawn(g, 1, 1, &five, 0, 1);
    refused(g, &n, RT_SHAPE, "(2, 3, 4)", "running statistics");
    n = network_of(g, 3, 4, true);
    n.residual = drawn(g, 1, 3, wrong, 0, 1);
    refused(g, &n, RT_SHAPE, "(2, 3, 4)", "the residual is (2, 4, 3)");
    n = network_of(g, 3, 4, true);
    n.how.epsilon = 0;
    refused(g, &n, RT_VALUE, "(2, 3, 4)", "epsilon is 0");
    n = network_of(g, 3, 4, true);
    n.how.momentum = NAN;
    refused(g, &n, RT_VALUE, "(2, 3, 4)", "momentum");
    n = network_of(g, 3, 4, true);
    n.x = n.residual = drawn(g, 1, 1, &(int64_t){4}, 0, 1);
    refused(g, &n, RT_UNSUPPORTED, "(4)", "more than one element per channel");
    n.how.training = false;
    cr_assert_null(rt_batch_norm(g, NULL, NULL, NULL, NULL, &n.how, RT_ACT_NONE));
    rt_graph_free(g);
}
