/* Pooling, borders, upsampling, turned images and the residual sum against loops that ask, for every pixel of
 * the input and every pixel of the result, whether the formula of image.h joins them: values and gradients,
 * of contiguous images and of views, small and large enough for threads. Ties, NaN, windows over the border,
 * cells that overlap, one tensor twice, the same bits with any number of threads, no allocations, refusals
 * that name the shape. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "retort/alloc.h"
#include "retort/image.h"
#include "retort/rng.h"
#include "retort/threads.h"

#define TOLERANCE (sizeof(rt_real) == sizeof(double) ? 1e-13 : 2e-6)

static rt_tensor *drawn(rt_graph *g, uint64_t seed, int ndim, const int64_t shape[]) {
    rt_tensor *t = rt_graph_tensor(g, RT_DTYPE_REAL, ndim, shape);
    rt_rng rng = rt_rng_stream(seed, "images", 0, 0);
    const int64_t count = rt_tensor_count(t);
    for (int64_t i = 0; i < count; i++) rt_real_data(t)[i] = (rt_real)(2 * rt_rng_uniform(&rng) - 1);
    return t;
}

static rt_tensor *image(rt_graph *g, uint64_t seed, const int64_t s[4], bool view) {
    const int64_t turned[] = {s[3], s[1], s[2], s[0]};
    rt_tensor *t = drawn(g, seed, 4, view ? turned : s);
    t->requires_grad = true;
    return t;
}

/* The image as the op sees it: of one that is to be a view, first and last axis lie the other way round. */
static rt_tensor *seen(rt_graph *g, rt_tensor *x, bool view) { return view ? rt_transpose(g, x, 0, 3) : x; }

static double get(const rt_tensor *t, int64_t a, int64_t b, int64_t c, int64_t d) {
    return rt_tensor_get(t, (const int64_t[]){a, b, c, d});
}

/* ---- one description for all ops that take their pixels from an area ---- */

typedef enum kind { MAX, MEAN, ADAPTIVE_MAX, ADAPTIVE_MEAN, GLOBAL, PAD, UPSAMPLE } kind;

typedef struct setting {
    kind kind;
    int64_t a, b, c, d; /* size, stride, padding | height, width | top, bottom, left, right */
} setting;

static rt_tensor *call(rt_graph *g, rt_tensor *x, const setting *s) {
    switch (s->kind) {
    case MAX:
        return rt_max_pool2d(g, x, (int)s->a, (int)s->b, (int)s->c);
    case MEAN:
        return rt_avg_pool2d(g, x, (int)s->a, (int)s->b, (int)s->c);
    case ADAPTIVE_MAX:
        return rt_adaptive_max_pool2d(g, x, s->a, s->b);
    case ADAPTIVE_MEAN:
        return rt_adaptive_avg_pool2d(g, x, s->a, s->b);
    case GLOBAL:
        return rt_global_avg_pool(g, x);
    case PAD:
        return rt_pad2d(g, x, (int)s->a, (int)s->b, (int)s->c, (int)s->d, 0.5);
    case UPSAMPLE:
        return rt_upsample_nearest(g, x, s->a, s->b);
    }
    return NULL;
}

static int64_t extent(const setting *s, int axis, int64_t of) {
    switch (s->kind) {
    case MAX:
    case MEAN:
        return (of + 2 * s->c - s->a) / s->b + 1;
    case GLOBAL:
        return 1;
    case PAD:
        return axis ? s->c + of + s->d : s->a + of + s->b;
    default:
        return axis ? s->b : s->a;
    }
}

/* Does row (column) i of the result look at row (column) j of x? */
static bool joined(const setting *s, int axis, int64_t i, int64_t j, int64_t of) {
    const int64_t to = extent(s, axis, of);
    switch (s->kind) {
    case MAX:
    case MEAN:
        return j >= i * s->b - s->c && j < i * s->b - s->c + s->a;
    case ADAPTIVE_MAX:
    case ADAPTIVE_MEAN:
        return j >= (int64_t)floor((double)i * (double)of / (double)to) &&
               j < (int64_t)ceil((double)(i + 1) * (double)of / (double)to);
    case GLOBAL:
        return true;
    case PAD:
        return i - (axis ? s->c : s->a) == j;
    case UPSAMPLE:
        return j == (int64_t)floor((double)i * (double)of / (double)to);
    }
    return false;
}

/* What pixel (n, h, w, c) of the result is; *winner is its place h W + w in x when there is a single one. */
static double expected(const setting *s, const rt_tensor *x, int64_t n, int64_t h, int64_t w, int64_t c,
                       int64_t *winner, int64_t *pixels) {
    double sum = 0, most = -INFINITY;
    *winner = -1, *pixels = 0;
    for (int64_t a = 0; a < x->shape[1]; a++)
        for (int64_t b = 0; b < x->shape[2]; b++) {
            if (!joined(s, 0, h, a, x->shape[1]) || !joined(s, 1, w, b, x->shape[2])) continue;
            const double v = get(x, n, a, b, c);
            if (v > most) most = v, *winner = a * x->shape[2] + b;
            sum += v, ++*pixels;
        }
    switch (s->kind) {
    case MAX:
    case ADAPTIVE_MAX:
        return most;
    case MEAN:
        return sum / (double)(s->a * s->a);
    case PAD:
        return *pixels ? sum : 0.5;
    default:
        return sum / (double)*pixels;
    }
}

static void check(rt_graph *g, const setting *s, const int64_t shape[4], bool view) {
    rt_tensor *base = image(g, 1, shape, view), *x = seen(g, base, view), *y = call(g, x, s);
    cr_assert_not_null(y, "%s", rt_graph_error(g)->message);
    const int64_t h = extent(s, 0, shape[1]), w = extent(s, 1, shape[2]), C = shape[3], W = shape[2];
    if (s->kind == GLOBAL)
        cr_assert(y->ndim == 2 && y->shape[0] == shape[0] && y->shape[1] == C);
    else
        cr_assert(y->ndim == 4 && y->shape[0] == shape[0] && y->shape[1] == h && y->shape[2] == w &&
                  y->shape[3] == C);
    rt_tensor *dy = drawn(g, 2, y->ndim, y->shape);
    cr_assert_eq(rt_backward(g, rt_sum(g, rt_mul(g, y, dy), RT_ALL_AXES)), RT_OK);

    double *dx = calloc((size_t)(shape[0] * shape[1] * W * C), sizeof *dx);
    for (int64_t i = 0; i < rt_tensor_count(y); i++) {
        const int64_t c = i % C, q = i / C % w, p = i / C / w % h, n = i / C / w / h;
        int64_t winner, pixels;
        const double value = expected(s, x, n, p, q, c, &winner, &pixels);
        cr_assert(fabs((double)rt_real_data(y)[i] - value) <= TOLERANCE,
                  "op %d: element %d is %g, expected %g", (int)s->kind, (int)i, (double)rt_real_data(y)[i],
                  value);
        const double part = (double)rt_real_data(dy)[i];
        for (int64_t a = 0; a < shape[1]; a++)
            for (int64_t b = 0; b < W; b++) {
                if (!joined(s, 0, p, a, shape[1]) || !joined(s, 1, q, b, W)) continue;
                double *to = &dx[((n * shape[1] + a) * W + b) * C + c];
                if (s->kind == MAX || s->kind == ADAPTIVE_MAX)
                    *to += winner == a * W + b ? part : 0;
                else
                    *to += part / (double)(s->kind == MEAN ? s->a * s->a : pixels);
            }
    }
    for (int64_t i = 0; i < shape[0] * shape[1] * W * C; i++) {
        const int64_t c = i % C, q = i / C % W, p = i / C / W % shape[1], n = i / C / W / shape[1];
        const int64_t from = view ? ((c * shape[1] + p) * W + q) * shape[0] + n : i;
        cr_assert(fabs((double)base->grad[from] - dx[i]) <= 4 * TOLERANCE, "op %d: dx %d is %g, expected %g",
                  (int)s->kind, (int)i, (double)base->grad[from], dx[i]);
    }
    free(dx);
    rt_graph_reset(g);
}

static const setting settings[] = {
    {.kind = MAX, .a = 2, .b = 2},
    {.kind = MAX, .a = 3, .b = 2, .c = 1},
    {.kind = MAX, .a = 3, .b = 1, .c = 1},
    {.kind = MAX, .a = 1, .b = 3},
    {.kind = MAX, .a = 4, .b = 3, .c = 2},
    {.kind = MAX, .a = 2, .b = 3},
    {.kind = MEAN, .a = 2, .b = 2},
    {.kind = MEAN, .a = 3, .b = 2, .c = 1},
    {.kind = MEAN, .a = 4, .b = 3, .c = 2},
    {.kind = MEAN, .a = 3, .b = 1},
    {.kind = MEAN, .a = 1, .b = 2},
    {.kind = ADAPTIVE_MAX, .a = 1, .b = 1},
    {.kind = ADAPTIVE_MAX, .a = 3, .b = 4},
    {.kind = ADAPTIVE_MAX, .a = 9, .b = 5},
    {.kind = ADAPTIVE_MEAN, .a = 1, .b = 1},
    {.kind = ADAPTIVE_MEAN, .a = 3, .b = 4},
    {.kind = ADAPTIVE_MEAN, .a = 9, .b = 5},
    {.kind = GLOBAL},
    {.kind = PAD, .a = 1, .b = 2, .c = 3, .d = 0},
    {.kind = PAD},
    {.kind = UPSAMPLE, .a = 14, .b = 10},
    {.kind = UPSAMPLE, .a = 9, .b = 11},
    {.kind = UPSAMPLE, .a = 3, .b = 2},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

Test(image_ops, are_their_formulas) {
    static const int64_t shapes[][4] = {{2, 7, 5, 3}, {1, 8, 8, 1}, {3, 5, 6, 16}, {2, 5, 5, 21}};
    rt_graph *g = rt_graph_new(NULL);
    for (int i = 0; i < SETTINGS; i++)
        for (int s = 0; s < 4; s++)
            for (int view = 0; view < 2; view++) check(g, &settings[i], shapes[s], view);
    rt_graph_free(g);
}

Test(image_ops, are_their_formulas_when_they_are_large) {
    static const int64_t shape[] = {9, 16, 16, 16};
    rt_graph *g = rt_graph_new(NULL);
    rt_threads_set(3);
    for (int i = 0; i < SETTINGS; i++) check(g, &settings[i], shape, false);
    rt_threads_set(1);
    rt_graph_free(g);
}

/* ---- what the formula leaves to say about max ---- */

Test(image_ops, the_first_of_equal_winners_receives_the_gradient) {
    rt_real pixels[2 * 2 * 17], none[3 * 3 * 17];
    for (int i = 0; i < 2 * 2 * 17; i++) pixels[i] = i % 17 == 16 ? (rt_real)(i / 17 % 2) : 1;
    for (int i = 0; i < 3 * 3 * 17; i++) none[i] = (rt_real)-INFINITY;
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = rt_graph_input(g, pixels, 4, (int64_t[]){1, 2, 2, 17});
    x->requires_grad = true;
    cr_assert_eq(rt_backward(g, rt_sum(g, rt_max_pool2d(g, x, 2, 2, 0), RT_ALL_AXES)), RT_OK);
    for (int i = 0; i < 2 * 2 * 17; i++)
        cr_assert_eq(x->grad[i], i % 17 == 16 ? (rt_real)(i / 17 == 1) : (rt_real)(i / 17 == 0));
    rt_tensor *y = rt_max_pool2d(g, rt_graph_input(g, none, 4, (int64_t[]){1, 3, 3, 17}), 3, 1, 1);
    for (int64_t i = 0; i < rt_tensor_count(y); i++) cr_assert(rt_real_data(y)[i] == (rt_real)-INFINITY);
    rt_graph_free(g);
}

/* Wherever it lies in the window, and with winners kept or not; other windows and channels do not see it. */
Test(image_ops, nan_is_the_result_of_its_windows) {
    rt_graph *g = rt_graph_new(NULL);
    for (int wants = 0; wants < 2; wants++)
        for (int64_t place = 0; place < 16; place++) {
            rt_tensor *x = drawn(g, 3, 4, (int64_t[]){1, 4, 4, 18});
            x->requires_grad = wants;
            rt_real_data(x)[place * 18 + 17] = (rt_real)NAN;
            rt_tensor *largest = rt_max_pool2d(g, x, 2, 2, 0), *mean = rt_avg_pool2d(g, x, 2, 2, 0);
            for (int64_t i = 0; i < 4 * 18; i++) {
                const bool nan = i % 18 == 17 && i / 18 == place / 8 * 2 + place % 4 / 2;
                cr_assert(nan == (isnan(rt_real_data(largest)[i]) != 0), "max, NaN at %d", (int)place);
                cr_assert(nan == (isnan(rt_real_data(mean)[i]) != 0), "mean, NaN at %d", (int)place);
            }
            rt_graph_reset(g);
        }
    rt_graph_free(g);
}

/* ---- the mean of a whole image is summed in double; channels_last; add_relu ---- */

Test(image_ops, a_global_mean_loses_no_digits) {
    enum { SIDE = 200 };
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *x = drawn(g, 1, 4, (int64_t[]){1, SIDE, SIDE, 3});
    double sum[3] = {0};
    for (int64_t i = 0; i < rt_tensor_count(x); i++)
        sum[i % 3] += (double)(rt_real_data(x)[i] = 1000 + rt_real_data(x)[i]);
    rt_tensor *y = rt_global_avg_pool(g, x);
    for (int c = 0; c < 3; c++) cr_assert_eq(rt_real_data(y)[c], (rt_real)(sum[c] / (SIDE * SIDE)));
    rt_graph_free(g);
}

Test(image_ops, channels_last_turns_images_and_gradients) {
    static const int64_t shapes[][4] = {
        {2, 3, 4, 5}, {2, 1, 4, 5}, {3, 7, 1, 1}, {9, 3, 40, 41}, {2, 21, 9, 9}};
    rt_graph *g = rt_graph_new(NULL);
    for (int s = 0; s < 5; s++)
        for (int view = 0; view < 2; view++) {
            const int64_t *e = shapes[s];
            rt_tensor *base = image(g, 1, e, view), *x = seen(g, base, view), *y = rt_channels_last(g, x);
            cr_assert(y && y->shape[1] == e[2] && y->shape[2] == e[3] && y->shape[3] == e[1]);
            if (!view && (e[1] == 1 || e[2] * e[3] == 1)) cr_assert_eq(y->data, x->data, "it is a view");
            rt_tensor *dy = drawn(g, 2, 4, y->shape);
            cr_assert_eq(rt_backward(g, rt_sum(g, rt_mul(g, y, dy), RT_ALL_AXES)), RT_OK);
            for (int64_t i = 0; i < rt_tensor_count(y); i++) {
                const int64_t c = i % e[1], w = i / e[1] % e[3], h = i / e[1] / e[3] % e[2],
                              n = i / e[1] / e[3] / e[2];
                cr_assert(get(y, n, h, w, c) == get(x, n, c, h, w));
                const int64_t at = view ? ((w * e[1] + c) * e[2] + h) * e[0] + n
                                        : ((n * e[1] + c) * e[2] + h) * e[3] + w;
                cr_assert(base->grad[at] == rt_real_data(dy)[i]);
            }
            rt_graph_reset(g);
        }
    rt_graph_free(g);
}

Test(image_ops, add_relu_is_its_formula) {
    static const int64_t counts[] = {1, 37, 5000, 70000};
    rt_graph *g = rt_graph_new(NULL);
    for (int k = 0; k < 4; k++)
        for (int twice = 0; twice < 2; twice++) {
            rt_tensor *a = drawn(g, 1, 1, &counts[k]), *b = twice ? a : drawn(g, 2, 1, &counts[k]);
            a->requires_grad = b->requires_grad = true;
            rt_tensor *y = rt_add_relu(g, a, b), *dy = drawn(g, 3, 1, &counts[k]);
            cr_assert_eq(rt_backward(g, rt_sum(g, rt_mul(g, y, dy), RT_ALL_AXES)), RT_OK);
            for (int64_t i = 0; i < counts[k]; i++) {
                const rt_real z = rt_real_data(a)[i] + rt_real_data(b)[i];
                const rt_real d = z > 0 ? rt_real_data(dy)[i] : 0;
                cr_assert(rt_real_data(y)[i] == (z > 0 ? z : 0));
                cr_assert(a->grad[i] == (twice ? d + d : d) && b->grad[i] == a->grad[i]);
            }
            rt_real_data(a)[0] = (rt_real)NAN;
            cr_assert(isnan(rt_real_data(rt_add_relu(g, a, b))[0]));
            rt_graph_reset(g);
        }
    rt_graph_free(g);
}

/* ---- a number per channel: add, sub and mul with (C) against images ---- */

Test(image_ops, a_number_per_channel) {
    static const int64_t shapes[][4] = {{2, 3, 3, 5}, {4, 9, 9, 16}, {30, 20, 20, 16}, {30, 20, 20, 7}};
    rt_graph *g = rt_graph_new(NULL);
    for (int s = 0; s < 4; s++)
        for (int op = 0; op < 6; op++) {
            const bool swapped = op >= 3;
            rt_tensor *x = drawn(g, 1, 4, shapes[s]), *k = drawn(g, 2, 1, &shapes[s][3]);
            x->requires_grad = k->requires_grad = true;
            rt_tensor *a = swapped ? k : x, *b = swapped ? x : k;
            rt_tensor *y = op % 3 == 0 ? rt_add(g, a, b) : op % 3 == 1 ? rt_sub(g, a, b) : rt_mul(g, a, b);
            rt_tensor *dy = drawn(g, 3, 4, shapes[s]);
            cr_assert_eq(rt_backward(g, rt_sum(g, rt_mul(g, y, dy), RT_ALL_AXES)), RT_OK);
            const int64_t C = shapes[s][3], count = rt_tensor_count(x);
            double *dk = calloc((size_t)C, sizeof *dk), size = 0; /* of all terms together */
            for (int64_t i = 0; i < count; i++) {
                const rt_real v = rt_real_data(x)[i], f = rt_real_data(k)[i % C], d = rt_real_data(dy)[i];
                const rt_real left = swapped ? f : v, right = swapped ? v : f;
                const rt_real z = op % 3 == 0 ? left + right : op % 3 == 1 ? left - right : left * right;
                cr_assert(rt_real_data(y)[i] == z);
                cr_assert(x->grad[i] == (op % 3 == 2 ? d * f : op == 4 ? -d : d));
                const double term = (double)d * (op % 3 == 2 ? (double)v : op == 1 ? -1 : 1);
                dk[i % C] += term, size += fabs(term) / (double)C;
            }
            for (int64_t c = 0; c < C; c++)
                cr_assert(fabs((double)k->grad[c] - dk[c]) <= TOLERANCE * (4 + size),
                          "op %d: %.9g, expected %.9g", op, (double)k->grad[c], dk[c]);
            free(dk);
            rt_graph_reset(g);
        }
    rt_graph_free(g);
}

/* ---- threads, allocations, refusals ---- */

/* Result and dx of one op on a large image; returns how many numbers that is. */
static size_t run(rt_graph *g, const setting *s, rt_real *into) {
    static const int64_t shape[] = {9, 16, 16, 20};
    rt_tensor *x = image(g, 1, shape, false), *y = call(g, x, s);
    const size_t results = (size_t)rt_tensor_count(y), pixels = (size_t)rt_tensor_count(x);
    cr_assert_eq(rt_backward(g, rt_sum(g, rt_mul(g, y, drawn(g, 2, y->ndim, y->shape)), RT_ALL_AXES)), RT_OK);
    memcpy(into, rt_real_data(y), results * sizeof *into);
    memcpy(into + results, x->grad, pixels * sizeof *into);
    rt_graph_reset(g);
    return results + pixels;
}

Test(image_ops, the_same_bits_with_any_number_of_threads) {
    enum { ROOM = 2 * 9 * 22 * 22 * 20 };
    static rt_real one[ROOM], many[ROOM];
    static const int threads[] = {2, 3, 8};
    rt_graph *g = rt_graph_new(NULL);
    for (int i = 0; i < SETTINGS; i++) {
        rt_threads_set(1);
        const size_t n = run(g, &settings[i], one);
        for (int t = 0; t < 3; t++) {
            rt_threads_set(threads[t]);
            cr_assert_eq(run(g, &settings[i], many), n);
            cr_assert_eq(memcmp(one, many, n * sizeof *one), 0, "setting %d, %d threads", i, threads[t]);
        }
    }
    rt_threads_set(1);
    size_t calls = rt_alloc_stats_get().calls;
    for (int i = 0; i < SETTINGS; i++) run(g, &settings[i], one);
    cr_assert_eq(rt_alloc_stats_get().calls, calls, "allocations after the first step");
    rt_graph_free(g);
}

static void refused(rt_graph *g, const setting *s, rt_status status, const char *why) {
    cr_assert_null(call(g, drawn(g, 1, 4, (int64_t[]){2, 3, 5, 4}), s));
    const rt_error *error = rt_graph_error(g);
    cr_assert_eq(error->status, status, "%s", error->message);
    cr_assert(strstr(error->message, "(2, 3, 5, 4)") && strstr(error->message, why), "%s", error->message);
    rt_graph_reset(g);
}

Test(image_ops, refusals_name_the_shape) {
    rt_graph *g = rt_graph_new(NULL);
    refused(g, &(setting){.kind = MAX, .a = 4, .b = 1}, RT_SHAPE, "a window of 4 does not fit on 3 pixels");
    refused(g, &(setting){.kind = MEAN, .a = 0, .b = 1}, RT_VALUE, "size 0");
    refused(g, &(setting){.kind = MAX, .a = -1, .b = 1}, RT_VALUE, "size -1");
    refused(g, &(setting){.kind = MAX, .a = 2, .b = 0}, RT_VALUE, "stride 0");
    refused(g, &(setting){.kind = MEAN, .a = 3, .b = 1, .c = 2}, RT_VALUE, "padding 2");
    refused(g, &(setting){.kind = MEAN, .a = 3, .b = 1, .c = -1}, RT_VALUE, "padding -1");
    refused(g, &(setting){.kind = ADAPTIVE_MAX, .a = 0, .b = 2}, RT_VALUE, "0 x 2 cells");
    refused(g, &(setting){.kind = ADAPTIVE_MEAN, .a = 2, .b = -1}, RT_VALUE, "2 x -1 cells");
    refused(g, &(setting){.kind = PAD, .a = 1, .b = -2}, RT_VALUE, "a border of -2 pixels");
    refused(g, &(setting){.kind = UPSAMPLE, .a = 0, .b = 2}, RT_VALUE, "0 x 2 pixels");
    for (kind k = MAX; k <= UPSAMPLE; k++) { /* not an image */
        rt_tensor *flat = drawn(g, 1, 2, (int64_t[]){3, 4});
        cr_assert_null(call(g, flat, &(setting){.kind = k, .a = 1, .b = 1}));
        cr_assert(rt_graph_status(g) == RT_SHAPE && strstr(rt_graph_error(g)->message, "(3, 4)"));
        rt_graph_reset(g);
    }
    rt_tensor *a = drawn(g, 1, 2, (int64_t[]){3, 4}), *b = drawn(g, 1, 1, (int64_t[]){4});
    cr_assert_null(rt_add_relu(g, a, b));
    cr_assert(rt_graph_status(g) == RT_SHAPE && strstr(rt_graph_error(g)->message, "(3, 4) and (4)"));
    rt_graph_reset(g);
    cr_assert_null(rt_channels_last(g, drawn(g, 1, 3, (int64_t[]){3, 4, 5})));
    cr_assert_eq(rt_graph_status(g), RT_SHAPE);
    rt_graph_free(g);
}
