/* Wide linear layers whose inputs and gradients are mostly 0 go by lists (ops/linear.c,
 * kernels/gemm_sparse.c): here beside loops in double over every element, zeros included. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/notes.h"
#include "graph/op.h"
#include "retort/ops.h"
#include "retort/rng.h"

enum { N = 21, D = 119, U = 83, H = 70 }; /* no multiple of a vector; D is more than a block of steps */

static rt_rng rng;

/* Numbers of [low, 1], of which the share `keep` is not 0. */
static rt_tensor *parameter(int64_t rows, int64_t columns, double low, double keep) {
    rt_tensor *t = rt_tensor_new(RT_DTYPE_REAL, 2, (const int64_t[]){rows, columns}, NULL);
    cr_assert_not_null(t);
    for (int64_t i = 0; i < rows * columns; i++) {
        const double x = low + (1 - low) * rt_rng_uniform(&rng);
        rt_real_data(t)[i] = (rt_real)(rt_rng_uniform(&rng) < keep ? x : 0);
    }
    t->requires_grad = true;
    return t;
}

typedef struct layer {
    double z[N][128], y[N][128], dy[N][128];
} layer;

static double at(const rt_tensor *t, int64_t i, int64_t j) { return rt_real_data(t)[i * t->shape[1] + j]; }

static void near(double found, double expected, double keep, const char *what) {
    const double tolerance = sizeof(rt_real) == sizeof(double) ? 1e-12 : 2e-5;
    cr_assert(fabs(found - expected) <= tolerance * fmax(1, fabs(expected)),
              "%s, %.2f kept: %.9g, expected %.9g", what, keep, found, expected);
}

/* y = relu(x W^T), z = relu(y V^T), loss = sum of z times c. */
static void check(double keep) {
    static layer first, second;
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = parameter(N, D, 0, keep), *w = parameter(U, D, -1.2, 1); /* y: less than half is not 0 */
    rt_tensor *v = parameter(H, U, -1, 1), *c = parameter(N, H, -1, keep);
    rt_tensor *y = rt_linear(g, x, w, NULL, RT_ACT_RELU), *z = rt_linear(g, y, v, NULL, RT_ACT_RELU);
    cr_assert_eq(rt_backward(g, rt_sum(g, rt_mul(g, z, c), RT_ALL_AXES)), RT_OK, "%s",
                 rt_graph_error(g)->message);

    for (int i = 0; i < N; i++) {
        for (int u = 0; u < U; u++) {
            first.z[i][u] = 0;
            for (int d = 0; d < D; d++) first.z[i][u] += at(x, i, d) * at(w, u, d);
            first.y[i][u] = fmax(0, first.z[i][u]);
        }
        for (int h = 0; h < H; h++) {
            second.z[i][h] = 0;
            for (int u = 0; u < U; u++) second.z[i][h] += first.y[i][u] * at(v, h, u);
            near(at(z, i, h), fmax(0, second.z[i][h]), keep, "z");
            second.dy[i][h] = at(z, i, h) > 0 ? at(c, i, h) : 0;
        }
        for (int u = 0; u < U; u++) {
            first.dy[i][u] = 0;
            for (int h = 0; h < H; h++) first.dy[i][u] += second.dy[i][h] * at(v, h, u);
            if (!(at(y, i, u) > 0)) first.dy[i][u] = 0;
        }
        for (int d = 0; d < D; d++) {
            double dx = 0;
            for (int u = 0; u < U; u++) dx += first.dy[i][u] * at(w, u, d);
            near(x->grad[i * D + d], dx, keep, "dx");
        }
    }
    for (int u = 0; u < U; u++) {
        for (int d = 0; d < D; d++) {
            double dw = 0;
            for (int i = 0; i < N; i++) dw += first.dy[i][u] * at(x, i, d);
            near(w->grad[u * D + d], dw, keep, "dW");
        }
        for (int h = 0; h < H; h++) {
            double dv = 0;
            for (int i = 0; i < N; i++) dv += second.dy[i][h] * first.y[i][u];
            near(v->grad[h * U + u], dv, keep, "dV");
        }
    }
    rt_graph_free(g);
    rt_tensor *all[] = {x, w, v, c};
    for (int i = 0; i < 4; i++) rt_tensor_free(all[i]);
}

Test(linear, products_with_many_zeros_are_those_of_every_element) {
    rng = rt_rng_stream(31, "zeros", 0, 0);
    static const double keep[] = {0, 0.02, 0.2, 0.38, 0.42, 1};
    for (size_t k = 0; k < sizeof keep / sizeof *keep; k++) check(keep[k]);
}

/* ---- notes about a batch ---- */

/* y and dW of two layers over x, one after the other, into `to`. */
static void two_layers(rt_graph *g, rt_tensor *x, rt_tensor *const w[2], rt_real *to) {
    for (int i = 0; i < 2; i++) {
        rt_tensor *y = rt_linear(g, x, w[i], NULL, RT_ACT_RELU);
        rt_tensor_clear_grad(w[i]);
        cr_assert_eq(rt_backward(g, rt_sum(g, rt_mul(g, y, y), RT_ALL_AXES)), RT_OK, "%s",
                     rt_graph_error(g)->message);
        const int64_t outputs = rt_tensor_count(y), weights = rt_tensor_count(w[i]);
        memcpy(to, y->data, (size_t)outputs * sizeof *to);
        memcpy(to + outputs, w[i]->grad, (size_t)weights * sizeof *to);
        to += outputs + weights;
        rt_graph_reset(g);
    }
}

Test(linear, what_is_noted_about_a_batch_serves_every_layer_and_changes_no_bit) {
    enum { NARROW = 20, COUNT = N * (NARROW + U) + D * (NARROW + U) };
    static rt_real with[COUNT], without[COUNT];
    rng = rt_rng_stream(32, "zeros", 0, 0);
    static const double keep[] = {0.1, 0.9};
    for (int k = 0; k < 2; k++) {
        rt_graph *g = rt_graph_new(NULL);
        rt_tensor *x = parameter(N, D, -1, keep[k]);
        rt_tensor *w[2] = {parameter(NARROW, D, -1, 1), parameter(U, D, -1, 1)};
        x->requires_grad = false;
        two_layers(g, x, w, without);
        rti_notes notes;
        rti_notes_init(&notes);
        rti_graph_use_notes(g, &notes);
        two_layers(g, x, w, with); /* about no batch */
        cr_assert(!notes.nonzero && memcmp(with, without, sizeof with) == 0);
        rti_notes_begin(&notes, x, 2);
        two_layers(g, x, w, with);
        cr_assert(memcmp(with, without, sizeof with) == 0);
        cr_assert_eq(notes.nonzero != NULL, rti_nonzero_bytes(N, D) > 0);
        const rti_nonzero *z = notes.nonzero;
        if (z) cr_assert_eq(z->by_row.start && z->by_column.start, k == 0);

        cr_assert(rti_notes_about(g, x) == &notes);
        cr_assert(rti_notes_about(g, rt_reshape(g, x, 1, (const int64_t[]){N * D})) == &notes);
        cr_assert(!rti_notes_about(g, rt_slice(g, x, 0, 0, N - 1)));
        cr_assert(!rti_notes_about(g, rt_transpose(g, x, 0, 1)));
        rti_notes_begin(&notes, NULL, 0);
        cr_assert(!rti_notes_about(g, x) && !notes.nonzero);
        rti_notes_deinit(&notes);
        rt_graph_free(g);
        rt_tensor_free(x), rt_tensor_free(w[0]), rt_tensor_free(w[1]);
    }
}

/* ---- answers about numbers ---- */

/* Without gradients a narrow layer looks at its input in passing; what a place of zeros meets shows it. */
Test(linear, answers_have_the_bits_of_training_and_leave_zeros_out) {
    enum { ROWS = 40, NARROW = 20 };
    rng = rt_rng_stream(33, "zeros", 0, 0);
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = parameter(ROWS, D, -1, 0.2), *w = parameter(NARROW, D, -1, 1);
    x->requires_grad = false;
    for (int i = 0; i < ROWS; i++) rt_real_data(x)[i * D + 7] = 0;
    rt_real trained[ROWS * NARROW];
    memcpy(trained, rt_linear(g, x, w, NULL, RT_ACT_RELU)->data, sizeof trained);
    rt_real_data(w)[3 * D + 7] = (rt_real)INFINITY;
    rt_no_grad_begin(g);
    const rt_tensor *y = rt_linear(g, x, w, NULL, RT_ACT_RELU);
    const bool leaves_out = rti_nonzero_bytes(ROWS, D) > 0;
    for (int i = 0; i < ROWS; i++)
        for (int u = 0; u < NARROW; u++)
            if (u != 3 || leaves_out) cr_assert_eq(at(y, i, u), (double)trained[i * NARROW + u]);
    rt_no_grad_end(g);
    rt_graph_free(g);
    rt_tensor_free(x), rt_tensor_free(w);
}

/* ---- a batch that holds no numbers yet ---- */

typedef struct late_batch {
    rt_tensor *x;
    const uint8_t *bytes;
    const rt_real *value;
    int filled;
} late_batch;

static void fill(void *context) {
    late_batch *late = context;
    for (int64_t i = 0; i < rt_tensor_count(late->x); i++)
        rt_real_data(late->x)[i] = late->value[late->bytes[i]];
    late->filled++;
}

static rt_tensor *by_layer(rt_graph *g, rt_tensor *x, rt_tensor *w) {
    const rt_tensor *first = rt_reshape(g, x, 2, (const int64_t[]){N, D});
    return rt_linear(g, (rt_tensor *)first, w, NULL, RT_ACT_RELU);
}
static rt_tensor *by_layer_in_bf16(rt_graph *g, rt_tensor *x, rt_tensor *w) {
    return rt_linear_bf16(g, x, w, NULL, RT_ACT_NONE);
}
static rt_tensor *by_another_op(rt_graph *g, rt_tensor *x, rt_tensor *w) { return (void)w, rt_relu(g, x); }
static rt_tensor *by_slice(rt_graph *g, rt_tensor *x, rt_tensor *w) {
    return rt_linear(g, rt_slice(g, x, 0, 1, N - 1), w, NULL, RT_ACT_NONE);
}
static rt_tensor *by_turning(rt_graph *g, rt_tensor *x, rt_tensor *w) {
    return (void)w, rt_scale(g, rt_transpose(g, rt_detach(g, x), 0, 1), 2);
}

static rt_tensor *as_a_weight(rt_graph *g, rt_tensor *x, rt_tensor *w) {
    return rt_linear(g, w, x, NULL, RT_ACT_NONE);
}
static rt_tensor *by_its_numbers(rt_graph *g, rt_tensor *x, rt_tensor *w) {
    rt_tensor *copy = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (const int64_t[]){N, D});
    memcpy(copy->data, rti_contiguous(g, x), N * D * sizeof(rt_real));
    return (void)w, copy;
}

/* Each op sees the same numbers as of a batch that is there; only what leaves zeros out does without. */
Test(linear, a_batch_of_bytes_is_filled_when_it_is_read) {
    static rt_tensor *(*const readers[])(rt_graph *, rt_tensor *, rt_tensor *) = {
        by_layer, by_layer_in_bf16, by_another_op, by_slice, by_turning, as_a_weight,
        by_its_numbers};
    static uint8_t bytes[N * D];
    static rt_real value[256], expected[N * D];
    rng = rt_rng_stream(33, "zeros", 0, 0);
    for (int v = 0; v < 256; v++) value[v] = (rt_real)v * ((rt_real)1 / 255);
    for (int keep = 10; keep <= 90; keep += 80) {
        for (int i = 0; i < N * D; i++)
            bytes[i] = rt_rng_below(&rng, 100) < (uint32_t)keep ? (uint8_t)rt_rng_below(&rng, 256) : 0;
        for (int r = 0; r < 7; r++) {
            rt_graph *g = rt_graph_new(NULL);
            rti_notes notes;
            rti_notes_init(&notes);
            late_batch late = {parameter(N, D, 0, 1), bytes, value, 0};
            rt_tensor *w = parameter(20, D, -1, 1);
            late.x->requires_grad = false;
            fill(&late);
            const rt_tensor *y = readers[r](g, late.x, w);
            cr_assert(y, "%s", rt_graph_error(g)->message);
            const int64_t count = rt_tensor_count(y);
            memcpy(expected, y->data, (size_t)count * sizeof *expected);
            rt_graph_reset(g);

            for (int i = 0; i < N * D; i++) rt_real_data(late.x)[i] = (rt_real)NAN;
            late.filled = 0;
            rti_graph_use_notes(g, &notes);
            rti_notes_begin(&notes, late.x, 1);
            rti_notes_late(&notes, &(rti_byte_rows){bytes, value}, fill, &late);
            y = readers[r](g, late.x, w);
            cr_assert(y && memcmp(y->data, expected, (size_t)count * sizeof *expected) == 0, "reader %d", r);
            const bool leaves_out = r == 0 && keep == 10 && rti_nonzero_bytes(N, D) > 0;
            cr_assert_eq(late.filled, !leaves_out, "reader %d, %d%% kept: filled %d times", r, keep,
                         late.filled);
            rt_graph_reset(g);
            readers[r](g, late.x, w);
            cr_assert_eq(late.filled, !leaves_out);
            rti_notes_begin(&notes, NULL, 0);
            rti_notes_deinit(&notes);
            rt_graph_free(g);
            rt_tensor_free(late.x), rt_tensor_free(w);
        }
    }
}
