/* rt_linear_bf16 against the formula with operands rounded first: loops in double over numbers that are
 * rounded here, by frexp and rint. A product of two of them is exact, so that only the sums differ, by less
 * than any operand left unrounded would. Then the same bits without the processor's instruction. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "kernels/dispatch.h"
#include "retort/retort.h"

enum { N = 9, D = 37, U = 21 };

static double bf16(double x) {
    int exponent;
    const double part = frexp(x, &exponent);
    return ldexp(rint(ldexp(part, 8)), exponent - 8);
}

static void fill(rt_real *x, int64_t n, const char *what) {
    rt_rng s = rt_rng_stream(1, what, 0, 0);
    for (int64_t i = 0; i < n; i++) x[i] = (rt_real)(2 * rt_rng_uniform(&s) - 1);
}

typedef struct layer {
    rt_graph *g;
    rt_real data[N * D + U * D + U], gradient[N * D + U * D + U], seed[N * U], y[N * U];
} layer;

/* Forward, then backward from dy = seed; `turned`: x and w lie by columns. */
static void run(layer *l, rt_activation act, bool turned) {
    rt_graph *g = l->g;
    fill(l->data, N * D + U * D + U, "data");
    fill(l->seed, N * U, "seed");
    rt_tensor in[3];
    const int64_t shapes[3][2] = {{turned ? D : N, turned ? N : D}, {turned ? D : U, turned ? U : D}, {U}},
                  starts[] = {0, N * D, N * D + U * D};
    rt_tensor *used[3];
    for (int i = 0; i < 3; i++) {
        rt_tensor_view_init(&in[i], RT_DTYPE_REAL, i < 2 ? 2 : 1, shapes[i], l->data + starts[i]);
        in[i].grad = l->gradient + starts[i];
        in[i].requires_grad = true;
        used[i] = i < 2 && turned ? rt_transpose(g, &in[i], 0, 1) : &in[i];
    }
    rt_tensor *y = rt_linear_bf16(g, used[0], used[1], used[2], act);
    cr_assert_not_null(y, "%s", rt_graph_error(g)->message);
    memcpy(l->y, rt_real_data(y), sizeof l->y);
    cr_assert_eq(rti_backward_from(g, y, l->seed), RT_OK);
    rt_graph_reset(g);
}

static void near(double found, double sum, double magnitude, const char *what) {
    const double epsilon = sizeof(rt_real) == 4 ? (double)FLT_EPSILON : DBL_EPSILON;
    cr_assert(fabs(found - sum) <= 4 * epsilon * magnitude, "%s: %.9g, not %.9g", what, found, sum);
}

/* sum over k of a[i, k] b[k, j], with strides, rounded operands */
static void check(const rt_real *found, int64_t rows, int64_t columns, int64_t depth, const rt_real *a,
                  int64_t ai, int64_t ak, const rt_real *b, int64_t bk, int64_t bj, const rt_real *bias,
                  bool relu, const char *what) {
    double left = 0; /* how far the sum without rounding is away: the test can tell */
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            double sum = bias ? (double)bias[j] : 0, magnitude = 1, plain = sum;
            for (int64_t k = 0; k < depth; k++) {
                const double x = (double)a[i * ai + k * ak], y = (double)b[k * bk + j * bj];
                sum += bf16(x) * bf16(y);
                plain += x * y;
                magnitude += fabs(x * y);
            }
            if (!relu || plain > 0.1) left = fmax(left, fabs(plain - (double)found[i * columns + j]));
            near((double)found[i * columns + j], relu && sum < 0 ? 0 : sum, magnitude, what);
        }
    cr_assert_gt(left, 1e-3, "%s: nothing was rounded", what);
}

Test(linear_bf16, is_the_formula_with_rounded_operands) {
    static layer l;
    static rt_real dz[N * U];
    l.g = rt_graph_new(NULL);
    const rt_real *x = l.data, *w = l.data + N * D, *b = w + U * D;
    const rt_real *dx = l.gradient, *dw = dx + N * D, *db = dw + U * D;
    for (int relu = 0; relu < 2; relu++) {
        memset(l.gradient, 0, sizeof l.gradient);
        run(&l, relu ? RT_ACT_RELU : RT_ACT_NONE, false);
        check(l.y, N, U, D, x, D, 1, w, 1, D, b, relu, "y");
        for (int i = 0; i < N * U; i++) dz[i] = relu && l.y[i] <= 0 ? 0 : l.seed[i];
        check(dx, N, D, U, dz, U, 1, w, D, 1, NULL, false, "dx");
        check(dw, U, D, N, dz, 1, U, x, D, 1, NULL, false, "dw");
        for (int u = 0; u < U; u++) { /* not rounded */
            double sum = 0;
            for (int i = 0; i < N; i++) sum += (double)dz[i * U + u];
            near((double)db[u], sum, N, "db");
        }
    }
    rt_graph_free(l.g);
}

Test(linear_bf16, gives_the_same_bits_without_the_instruction) {
    static layer with, without;
    with.g = rt_graph_new(NULL);
    without.g = rt_graph_new(NULL);
    for (int turned = 0; turned < 2; turned++) {
        memset(with.gradient, 0, sizeof with.gradient);
        memset(without.gradient, 0, sizeof without.gradient);
        rti_kernels_use(NULL);
        run(&with, RT_ACT_RELU, turned);
        rti_kernels_use(rti_kernels_named("portable"));
        run(&without, RT_ACT_RELU, turned);
        cr_assert(!memcmp(with.y, without.y, sizeof with.y));
        cr_assert(!memcmp(with.gradient, without.gradient, sizeof with.gradient));
    }
    rt_graph_free(with.g);
    rt_graph_free(without.g);
}

/* Wide enough for lists of what is not 0: of x, of the first layer's answers, and of gradients. */
Test(linear_bf16, leaves_out_zeros_and_changes_no_bit) {
    enum { ROWS = 30, IN = 130, HIDDEN = 70, OUT = 66 };
    static const int64_t shapes[3][2] = {{ROWS, IN}, {HIDDEN, IN}, {OUT, HIDDEN}};
    static rt_real data[3][HIDDEN * IN], gradient[2][3][HIDDEN * IN], y[2][ROWS * OUT], seed[ROWS * OUT];
    for (int i = 0; i < 3; i++) fill(data[i], HIDDEN * IN, i ? "weights" : "inputs");
    fill(seed, ROWS * OUT, "seed");
    for (int i = 0; i < ROWS * IN; i++)
        if (i % 5 > 1) data[0][i] = 0;
    for (int i = 0; i < HIDDEN * IN; i++) data[1][i] -= (rt_real)0.1; /* relu leaves a third or so */
    rt_graph *g = rt_graph_new(NULL);
    for (int without = 0; without < 2; without++) {
        rti_kernels_use(without ? rti_kernels_named("portable") : NULL);
        rt_tensor in[3];
        for (int i = 0; i < 3; i++) {
            rt_tensor_view_init(&in[i], RT_DTYPE_REAL, 2, shapes[i], data[i]);
            in[i].grad = gradient[without][i];
            in[i].requires_grad = true;
        }
        rt_tensor *hidden = rt_linear_bf16(g, &in[0], &in[1], NULL, RT_ACT_RELU),
                  *out = rt_linear_bf16(g, hidden, &in[2], NULL, RT_ACT_RELU);
        cr_assert_not_null(out, "%s", rt_graph_error(g)->message);
        memcpy(y[without], rt_real_data(out), sizeof *y);
        cr_assert_eq(rti_backward_from(g, out, seed), RT_OK);
        rt_graph_reset(g);
    }
    cr_assert(!memcmp(y[0], y[1], sizeof *y));
    cr_assert(!memcmp(gradient[0], gradient[1], sizeof *gradient));
    rt_graph_free(g);
}

Test(linear_bf16, refuses_what_linear_refuses) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (const int64_t[]){2, 3}),
              *w = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (const int64_t[]){5, 4});
    cr_assert_null(rt_linear_bf16(g, x, w, NULL, RT_ACT_NONE));
    cr_assert(strstr(rt_graph_error(g)->message, "W must have 3 columns"), "%s", rt_graph_error(g)->message);
    rt_graph_free(g);
}
