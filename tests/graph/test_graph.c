/* The tape: gradients of small expressions against their derivatives worked out by hand, what
 * accumulates and what does not, sticky failures, no-grad scopes; steps that allocate nothing
 * (counted), and every allocation of a step failing in turn. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "graph/op.h"
#include "retort/alloc.h"
#include "retort/log.h"
#include "retort/ops.h"
#include "retort/threads.h"

#define TOLERANCE (sizeof(rt_real) == sizeof(double) ? 1e-12 : 1e-5)

static rt_tensor *parameter(int ndim, const int64_t shape[], const double values[]) {
    rt_tensor *t = rt_tensor_new(RT_DTYPE_REAL, ndim, shape, NULL);
    cr_assert_not_null(t);
    int64_t count = rt_tensor_count(t);
    for (int64_t i = 0; i < count; i++) rt_real_data(t)[i] = (rt_real)values[i];
    t->requires_grad = true;
    return t;
}

static rt_tensor *number(double value) { return parameter(0, NULL, &value); }

/* ||x||^2 of any x, one number. */
static rt_tensor *sum_of_squares(rt_graph *g, rt_tensor *x) {
    rt_tensor *row = rt_reshape(g, x, 2, (const int64_t[]){1, -1});
    return rt_matmul_nt(g, row, row);
}

Test(graph, diamond) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = number(3), *y = number(-2);
    /* L = (x y + x) (x - y):  dL/dx = (y + 1)(x - y) + x y + x,  dL/dy = x (x - y) - (x y + x) */
    rt_tensor *loss = rt_mul(g, rt_add(g, rt_mul(g, x, y), x), rt_sub(g, x, y));
    cr_assert_eq(rt_backward(g, loss), RT_OK);
    cr_assert_float_eq(rt_tensor_item(loss), -15, TOLERANCE);
    cr_assert_float_eq(x->grad[0], (-2 + 1) * 5 + (-6 + 3), TOLERANCE);
    cr_assert_float_eq(y->grad[0], 3 * 5 - (-6 + 3), TOLERANCE);
    rt_tensor_free(x), rt_tensor_free(y), rt_graph_free(g);
}

Test(graph, a_tensor_used_often_accumulates) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = number(1.5);
    /* (x + x) (x x) = 2 x^3, derivative 6 x^2 */
    cr_assert_eq(rt_backward(g, rt_mul(g, rt_add(g, x, x), rt_mul(g, x, x))), RT_OK);
    cr_assert_float_eq(x->grad[0], 6 * 1.5 * 1.5, TOLERANCE);
    rt_tensor_free(x), rt_graph_free(g);
}

Test(graph, parameters_accumulate_over_steps_until_cleared) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = number(2);
    for (int step = 1; step <= 3; step++) {
        cr_assert_eq(rt_backward(g, rt_mul(g, x, x)), RT_OK);
        cr_assert_float_eq(x->grad[0], 4 * step, TOLERANCE);
        rt_graph_reset(g);
    }
    rt_tensor_clear_grad(x);
    cr_assert_eq(rt_backward(g, rt_scale(g, x, 5)), RT_OK);
    cr_assert_float_eq(x->grad[0], 5, TOLERANCE);
    rt_tensor_free(x), rt_graph_free(g);
}

/* Two losses over one tape: the step tensor between them must not carry the first one's gradient
 * into the second. */
Test(graph, step_tensors_start_empty_in_each_backward) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = number(3);
    rt_tensor *shared = rt_mul(g, x, x);
    cr_assert_eq(rt_backward(g, rt_scale(g, shared, 1)), RT_OK);
    cr_assert_eq(rt_backward(g, rt_scale(g, shared, 10)), RT_OK);
    cr_assert_float_eq(shared->grad[0], 10, TOLERANCE);
    cr_assert_float_eq(x->grad[0], 6 + 60, TOLERANCE);
    rt_tensor_free(x), rt_graph_free(g);
}

/* A leaf that lives for this step only and wants a gradient, e.g. for what the input does. */
Test(graph, step_leaves_start_empty_too) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = rt_graph_scalar(g, 3);
    x->requires_grad = true;
    rt_tensor *y = rt_mul(g, x, x);
    cr_assert_eq(rt_backward(g, y), RT_OK);
    cr_assert_float_eq(x->grad[0], 6, TOLERANCE);
    cr_assert_eq(rt_backward(g, rt_scale(g, y, 2)), RT_OK);
    cr_assert_float_eq(x->grad[0], 12, TOLERANCE);
    rt_graph_free(g);
}

Test(graph, only_what_the_loss_depends_on_gets_a_gradient) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = number(3), *unused = number(1), *aside = number(1);
    rt_real data[1] = {7};
    rt_tensor *input = rt_graph_input(g, data, 0, NULL);
    rt_tensor *ignored = rt_mul(g, aside, x);
    cr_assert_eq(rt_backward(g, rt_mul(g, x, input)), RT_OK);
    cr_assert_float_eq(x->grad[0], 7, TOLERANCE);
    cr_assert(!unused->has_grad && !aside->has_grad && !ignored->has_grad);
    cr_assert(!input->requires_grad && !input->has_grad && !input->grad);
    rt_tensor_free(x), rt_tensor_free(unused), rt_tensor_free(aside), rt_graph_free(g);
}

Test(graph, gradients_go_where_the_maker_says) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real data[2] = {1, 2}, grad[2] = {NAN, NAN};
    rt_tensor w;
    rt_tensor_view_init(&w, RT_DTYPE_REAL, 1, (const int64_t[]){2}, data);
    w.grad = grad;
    w.requires_grad = true;
    cr_assert_eq(rt_backward(g, sum_of_squares(g, &w)), RT_OK);
    cr_assert_float_eq(grad[0], 2, TOLERANCE);
    cr_assert_float_eq(grad[1], 4, TOLERANCE);
    rt_graph_free(g);
}

Test(graph, views_of_parameters) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *w = parameter(2, (const int64_t[]){2, 3}, (const double[]){1, 2, 3, 4, 5, 6});
    /* The squares of the last two columns: 2 w there, 0 elsewhere. */
    rt_tensor *view = rt_slice(g, rt_transpose(g, w, 0, 1), 0, 1, 3);
    cr_assert_eq(view->data, rt_real_data(w) + 1);
    cr_assert_eq(rt_backward(g, sum_of_squares(g, view)), RT_OK);
    const double expected[] = {0, 4, 6, 0, 10, 12};
    for (int i = 0; i < 6; i++) cr_assert_float_eq(w->grad[i], expected[i], TOLERANCE);
    rt_tensor_free(w), rt_graph_free(g);
}

Test(graph, no_grad_nests_and_detach_cuts) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = number(3);
    rt_no_grad_begin(g);
    rt_no_grad_begin(g);
    rt_tensor *inside = rt_mul(g, x, x);
    rt_no_grad_end(g);
    rt_tensor *still = rt_mul(g, x, x);
    rt_no_grad_end(g);
    cr_assert(!inside->requires_grad && !inside->node && !still->requires_grad && !still->node);
    cr_assert_eq(rt_tensor_item(inside), 9);

    rt_tensor *y = rt_mul(g, x, x), *cut = rt_detach(g, y);
    cr_assert(y->requires_grad && y->node && !cut->requires_grad && !cut->node);
    cr_assert_eq(cut->data, y->data);
    /* d/dx (x y') with y' = 9 held fast */
    cr_assert_eq(rt_backward(g, rt_mul(g, x, rt_add(g, cut, rt_sub(g, inside, still)))), RT_OK);
    cr_assert_float_eq(x->grad[0], 9, TOLERANCE);
    rt_tensor_free(x), rt_graph_free(g);
}

Test(graph, ending_a_scope_that_was_not_begun_is_a_callers_bug, .signal = SIGABRT) {
    rt_graph *g = rt_graph_new(NULL);
    rt_no_grad_end(g);
}

Test(graph, training_a_borrowed_tensor_without_a_gradient_buffer_is_a_callers_bug, .signal = SIGABRT) {
    rt_graph *g = rt_graph_new(NULL);
    rt_real data = 1;
    rt_tensor w;
    rt_tensor_view_init(&w, RT_DTYPE_REAL, 0, NULL, &data);
    w.requires_grad = true;
    (void)!rt_backward(g, rt_mul(g, &w, &w));
}

static char logged[600];

static void keep_line(void *context, rt_log_level level, const char *line) {
    (void)context, (void)level;
    snprintf(logged, sizeof logged, "%s", line);
}

Test(graph, the_first_failure_sticks) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (const int64_t[]){100, 784});
    rt_tensor *w = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (const int64_t[]){1200, 30});
    rt_tensor *y = rt_linear(g, x, w, NULL, RT_ACT_RELU);
    cr_assert_null(y);
    cr_assert_eq(rt_graph_status(g), RT_SHAPE);
    char first[600];
    snprintf(first, sizeof first, "%s", rt_graph_error(g)->message);
    cr_assert(strstr(first, "linear") && strstr(first, "(100, 784)") && strstr(first, "(1200, 30)") &&
              strstr(first, "784 columns"), "%s", first);

    cr_assert_null(rt_relu(g, y), "NULL in, NULL out");
    cr_assert_null(rt_relu(g, x), "nothing is computed after a failure");
    cr_assert_null(rt_matmul(g, x, x));
    cr_assert_null(rt_concat(g, (rt_tensor *const[]){x, y}, 2, 0));
    cr_assert_null(rt_detach(g, x));
    cr_assert_null(rt_graph_tensor(g, RT_DTYPE_REAL, 7, NULL));
    cr_assert_eq(rt_backward(g, rt_reshape(g, y, 0, NULL)), RT_SHAPE);
    cr_assert_str_eq(rt_graph_error(g)->message, first);
    rt_log_set(keep_line, NULL);
    cr_assert_eq(rt_report(g), RT_SHAPE);
    rt_log_set(NULL, NULL);
    cr_assert_str_eq(logged, first);

    rt_graph_reset(g);
    cr_assert_eq(rt_graph_status(g), RT_OK);
    cr_assert_eq(rt_report(g), RT_OK);
    cr_assert_not_null(rt_graph_scalar(g, 1));
    rt_graph_free(g);
}

Test(graph, null_and_integers_are_not_numbers) {
    rt_graph *g = rt_graph_new(NULL);
    cr_assert_null(rt_relu(g, NULL));
    cr_assert_eq(rt_graph_status(g), RT_VALUE, "a NULL that no failure explains is one");
    rt_graph_reset(g);
    cr_assert_null(rt_detach(g, NULL));
    cr_assert_eq(rt_graph_status(g), RT_VALUE);
    rt_graph_reset(g);
    const int32_t labels[] = {1, 2};
    cr_assert_null(rt_relu(g, rt_graph_labels(g, labels, 2)));
    cr_assert_eq(rt_graph_status(g), RT_VALUE);
    rt_graph_reset(g);
    cr_assert_null(rt_graph_input(g, NULL, 2, (const int64_t[]){3, -3}));
    cr_assert_eq(rt_graph_status(g), RT_SHAPE);
    rt_graph_reset(g);
    cr_assert_null(rt_graph_labels(g, labels, -1));
    cr_assert_eq(rt_graph_status(g), RT_SHAPE);
    rt_graph_free(g);
}

Test(graph, losses_that_are_none) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = parameter(1, (const int64_t[]){2}, (const double[]){1, 2});
    cr_assert_eq(rt_backward(g, rt_scale(g, x, 2)), RT_SHAPE);
    rt_graph_reset(g);
    cr_assert_eq(rt_backward(g, NULL), RT_VALUE);
    rt_graph_reset(g);
    cr_assert_eq(rt_backward(g, rt_graph_scalar(g, 1)), RT_VALUE, "it depends on no parameter");
    rt_graph_reset(g);
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        rt_tensor *loss = sum_of_squares(g, x);
        rt_real_data(loss)[0] = (rt_real)bad[i];
        cr_assert_eq(rt_backward(g, loss), RT_NOT_FINITE);
        cr_assert_eq(rt_graph_status(g), RT_NOT_FINITE);
        cr_assert(!x->has_grad, "nothing is propagated");
        rt_graph_reset(g);
    }
    rt_tensor_free(x), rt_graph_free(g);
}

/* ---- steps of a small network ---- */

typedef struct net {
    rt_tensor *w1, *b1, *w2, *b2;
    rt_real x[8 * 5];
} net;

static bool net_init(net *n) {
    memset(n, 0, sizeof *n);
    n->w1 = rt_tensor_new(RT_DTYPE_REAL, 2, (const int64_t[]){6, 5}, NULL);
    n->b1 = rt_tensor_new(RT_DTYPE_REAL, 1, (const int64_t[]){6}, NULL);
    n->w2 = rt_tensor_new(RT_DTYPE_REAL, 2, (const int64_t[]){6, 3}, NULL);
    n->b2 = rt_tensor_new(RT_DTYPE_REAL, 1, (const int64_t[]){3}, NULL);
    if (!n->w1 || !n->b1 || !n->w2 || !n->b2) return false;
    for (int i = 0; i < 40; i++) n->x[i] = (rt_real)sin(i);
    rt_tensor *all[] = {n->w1, n->b1, n->w2, n->b2};
    for (int k = 0; k < 4; k++) {
        all[k]->requires_grad = true;
        int64_t count = rt_tensor_count(all[k]);
        for (int64_t i = 0; i < count; i++) rt_real_data(all[k])[i] = (rt_real)cos((double)(7 * k + i));
    }
    return true;
}

static void net_deinit(net *n) {
    rt_tensor_free(n->w1), rt_tensor_free(n->b1), rt_tensor_free(n->w2), rt_tensor_free(n->b2);
}

/* Touches linear, matmul, broadcasting, views, gather, concat and functions of one number. */
static rt_status net_step(net *n, rt_graph *g) {
    static const int32_t rows[] = {0, 2, 2, 7, 1};
    rt_tensor *x = rt_graph_input(g, n->x, 2, (const int64_t[]){8, 5});
    rt_tensor *h = rt_linear(g, x, n->w1, n->b1, RT_ACT_GELU);
    rt_tensor *z = rt_add(g, rt_matmul(g, h, n->w2), n->b2);
    rt_tensor *picked = rt_gather_rows(g, z, rt_graph_labels(g, rows, 5));
    rt_tensor *first = rt_slice(g, rt_transpose(g, z, 0, 1), 1, 0, 5);
    rt_tensor *const parts[] = {rt_transpose(g, picked, 0, 1), rt_tanh(g, first)};
    rt_tensor *both = rt_reshape(g, rt_concat(g, parts, 2, 0), 3, (const int64_t[]){2, 3, 5});
    rt_status status = rt_backward(g, sum_of_squares(g, rt_softplus(g, both)));
    rt_tensor *all[] = {n->w1, n->b1, n->w2, n->b2};
    for (int k = 0; k < 4; k++) rt_tensor_clear_grad(all[k]);
    return status;
}

Test(graph, no_allocation_after_the_first_step) {
    net n;
    cr_assert(net_init(&n));
    rt_graph *g = rt_graph_new(NULL);
    cr_assert_eq(net_step(&n, g), RT_OK);
    rt_graph_reset(g);
    size_t calls = rt_alloc_stats_get().calls;
    for (int step = 0; step < 5; step++) {
        cr_assert_eq(net_step(&n, g), RT_OK);
        rt_graph_reset(g);
    }
    cr_assert_eq(rt_alloc_stats_get().calls, calls);
    rt_graph_free(g);
    net_deinit(&n);
}

Test(graph, every_allocation_may_fail) {
    size_t before = rt_alloc_stats_get().live_blocks;
    int failures = 0;
    bool done = false;
    for (size_t nth = 1; !done; nth++) {
        net n;
        rt_error error = {.status = RT_OK};
        rt_alloc_fail_after(nth);
        rt_graph *g = NULL;
        rt_status status = RT_MEMORY;
        if (net_init(&n)) {
            g = rt_graph_new(&error);
            status = g ? net_step(&n, g) : error.status;
        }
        rt_alloc_fail_after(0);
        cr_assert(status == RT_OK || status == RT_MEMORY, "allocation %zu: %s", nth, rt_status_name(status));
        done = status == RT_OK;
        failures += !done;
        if (g && !done) {
            /* The same graph works once there is memory again. */
            rt_graph_reset(g);
            cr_assert_eq(net_step(&n, g), RT_OK);
        }
        rt_graph_free(g);
        net_deinit(&n);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, before, "allocation %zu", nth);
    }
    cr_assert_geq(failures, 10, "four parameters, their gradients, graph and arena can fail; %d did",
                  failures);
}

/* A large enough product that threads get work: the bits must be those of one thread. */
Test(graph, gradients_do_not_depend_on_threads) {
    enum { N = 64, D = 200, U = 150 };
    static rt_real x[N * D], once[U * D];
    for (int i = 0; i < N * D; i++) x[i] = (rt_real)sin(i);
    rt_tensor *w = rt_tensor_new(RT_DTYPE_REAL, 2, (const int64_t[]){U, D}, NULL);
    for (int i = 0; i < U * D; i++) rt_real_data(w)[i] = (rt_real)cos(i) / 10;
    w->requires_grad = true;
    rt_graph *g = rt_graph_new(NULL);
    for (int threads = 1; threads <= 3; threads++) {
        rt_threads_set(threads);
        rt_tensor *input = rt_graph_input(g, x, 2, (const int64_t[]){N, D});
        cr_assert_eq(rt_backward(g, sum_of_squares(g, rt_linear(g, input, w, NULL, RT_ACT_RELU))), RT_OK);
        if (threads == 1) memcpy(once, w->grad, sizeof once);
        cr_assert_eq(memcmp(once, w->grad, sizeof once), 0, "%d threads", threads);
        rt_tensor_clear_grad(w);
        rt_graph_reset(g);
    }
    rt_threads_set(1);
    rt_tensor_free(w), rt_graph_free(g);
}

/* A batch of nothing: the gradient of the weights is zero, not what happened to lie there. */
Test(graph, an_empty_batch_has_zero_gradients) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *w = parameter(2, (const int64_t[]){2, 3}, (const double[]){1, 2, 3, 4, 5, 6});
    rt_tensor *b = parameter(1, (const int64_t[]){2}, (const double[]){1, 2});
    rt_tensor *x = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (const int64_t[]){0, 3});
    rt_tensor *y = rt_linear(g, x, w, b, RT_ACT_RELU);
    cr_assert_eq(rti_backward_from(g, y, NULL), RT_OK);
    for (int i = 0; i < 6; i++) cr_assert_eq(w->grad[i], 0);
    for (int i = 0; i < 2; i++) cr_assert_eq(b->grad[i], 0);
    rt_tensor_free(w), rt_tensor_free(b), rt_graph_free(g);
}

Test(graph, no_batches_have_zero_gradients) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *b = parameter(2, (const int64_t[]){3, 2}, (const double[]){1, 2, 3, 4, 5, 6});
    rt_tensor *a = rt_graph_tensor(g, RT_DTYPE_REAL, 3, (const int64_t[]){0, 4, 3});
    cr_assert_eq(rti_backward_from(g, rt_matmul(g, a, b), NULL), RT_OK);
    for (int i = 0; i < 6; i++) cr_assert_eq(b->grad[i], 0);
    rt_tensor_clear_grad(b);
    rt_tensor *turned = rt_graph_tensor(g, RT_DTYPE_REAL, 3, (const int64_t[]){0, 3, 4});
    cr_assert_eq(rti_backward_from(g, rt_matmul_tn(g, turned, b), NULL), RT_OK);
    for (int i = 0; i < 6; i++) cr_assert_eq(b->grad[i], 0);
    rt_tensor_free(b), rt_graph_free(g);
}
