/* The three passes of convolution of every instruction set, against loops in double that follow the formula
 * and ask of every pixel whether it is inside: drawn geometries, operands that are aligned to nothing, NaN
 * in what surrounds them, in the scratch and in results that are to be overwritten. Then geometries of
 * networks (passes are transposes of each other), and the same bits with 1 to 8 threads. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/dispatch.h"
#include "retort/alloc.h"
#include "retort/threads.h"

#define EPSILON (sizeof(rt_real) == 4 ? (double)FLT_EPSILON : DBL_EPSILON)

static const char *const set_names[] = {"portable", "avx2", "avx512"};
enum { SETS = 3, ODD = 3 };

static rt_rng rng;

static int64_t drawn(int64_t low, int64_t high) { return low + rt_rng_u32(&rng) % (high - low + 1); }

/* n numbers at an odd address, NaN before and after. */
typedef struct array {
    rt_real *block, *x;
    int64_t n;
} array;

static array array_new(int64_t n, bool random) {
    array a = {malloc((size_t)(n + 2 * ODD) * sizeof(rt_real)), NULL, n};
    cr_assert(a.block != NULL);
    for (int64_t i = 0; i < n + 2 * ODD; i++) a.block[i] = (rt_real)NAN;
    a.x = a.block + ODD;
    for (int64_t i = 0; random && i < n; i++) a.x[i] = (rt_real)(rt_rng_uniform(&rng) * 2 - 1);
    return a;
}

static void array_free(array *a) {
    for (int i = 0; i < ODD; i++)
        cr_assert(isnan(a->block[i]) && isnan(a->x[a->n + i]), "written outside of the array");
    free(a->block);
}

/* ---- the definition ---- */

static int64_t x_count(const rti_convolution *c) { return c->N * c->H * c->W * c->C; }
static int64_t y_count(const rti_convolution *c) { return c->N * c->OH * c->OW * c->F; }
static int64_t k_count(const rti_convolution *c) { return c->KH * c->KW * (c->C / c->groups) * c->F; }

/* Calls with the places of x, k and y of every product of the sum that y is. */
typedef void product(void *context, int64_t x, int64_t k, int64_t y);

static void all_products(const rti_convolution *g, product *function, void *context) {
    const int64_t cg = g->C / g->groups, fg = g->F / g->groups;
    for (int64_t n = 0; n < g->N; n++)
        for (int64_t oh = 0; oh < g->OH; oh++)
            for (int64_t ow = 0; ow < g->OW; ow++)
                for (int64_t i = 0; i < g->KH; i++)
                    for (int64_t j = 0; j < g->KW; j++) {
                        const int64_t h = oh * g->stride - g->padding + i * g->dilation,
                                      w = ow * g->stride - g->padding + j * g->dilation;
                        if (h < 0 || h >= g->H || w < 0 || w >= g->W) continue;
                        for (int64_t c = 0; c < cg; c++)
                            for (int64_t f = 0; f < g->F; f++)
                                function(context, ((n * g->H + h) * g->W + w) * g->C + f / fg * cg + c,
                                         ((i * g->KW + j) * cg + c) * g->F + f,
                                         ((n * g->OH + oh) * g->OW + ow) * g->F + f);
                    }
}

typedef struct sums {
    const rt_real *x, *k, *y;
    double *sum, *magnitude;
} sums;

static void add(sums *s, int64_t at, rt_real a, rt_real b) {
    s->sum[at] += (double)a * (double)b;
    s->magnitude[at] += fabs((double)a * (double)b);
}
static void to_y(void *context, int64_t x, int64_t k, int64_t y) {
    sums *s = context;
    add(s, y, s->x[x], s->k[k]);
}
static void to_x(void *context, int64_t x, int64_t k, int64_t y) {
    sums *s = context;
    add(s, x, s->y[y], s->k[k]);
}
static void to_k(void *context, int64_t x, int64_t k, int64_t y) {
    sums *s = context;
    add(s, k, s->x[x], s->y[y]);
}

/* ---- a geometry, checked ---- */

static const char *text(const rti_convolution *c) {
    static char buffer[200];
    snprintf(buffer, sizeof buffer, "x %dx%dx%dx%d y %dx%dx%d k %dx%d stride %d padding %d "
             "dilation %d groups %d", (int)c->N, (int)c->H, (int)c->W, (int)c->C, (int)c->OH, (int)c->OW,
             (int)c->F, (int)c->KH, (int)c->KW, (int)c->stride, (int)c->padding, (int)c->dilation,
             (int)c->groups);
    return buffer;
}

static void *scratch_new(const rti_convolution *c, rti_conv_pass pass) {
    const size_t bytes = (rti_conv_scratch_bytes(c, pass) + 63) / 64 * 64;
    unsigned char *scratch = aligned_alloc(64, bytes + 64);
    cr_assert(scratch != NULL);
    memset(scratch, 0xff, bytes + 64); /* NaN */
    return scratch;
}

static void scratch_free(const rti_convolution *c, rti_conv_pass pass, unsigned char *scratch) {
    const size_t bytes = (rti_conv_scratch_bytes(c, pass) + 63) / 64 * 64;
    for (int i = 0; i < 64; i++) cr_assert(scratch[bytes + (size_t)i] == 0xff, "written behind the scratch");
    free(scratch);
}

static void run_pass(const rti_convolution *c, rti_conv_pass pass, const array *x, const array *k,
                     const array *y, bool accumulate, const rti_epilogue *epilogue) {
    void *scratch = scratch_new(c, pass);
    if (pass == RTI_CONV_FORWARD) rti_conv_forward(c, x->x, k->x, y->x, accumulate, epilogue, scratch);
    if (pass == RTI_CONV_INPUT_GRADIENT)
        rti_conv_input_gradient(c, y->x, k->x, x->x, accumulate, epilogue, scratch);
    if (pass == RTI_CONV_KERNEL_GRADIENT) rti_conv_kernel_gradient(c, x->x, y->x, k->x, accumulate, scratch);
    scratch_free(c, pass, scratch);
}

static void check(const char *set, const rti_convolution *c, rti_conv_pass pass) {
    const int64_t count[3] = {y_count(c), x_count(c), k_count(c)}, n = count[pass];
    const int64_t channels = pass == RTI_CONV_FORWARD ? c->F : c->C;
    const bool accumulate = rt_rng_u32(&rng) & 1;
    array x = array_new(x_count(c), pass != RTI_CONV_INPUT_GRADIENT || accumulate),
          y = array_new(y_count(c), pass != RTI_CONV_FORWARD || accumulate),
          k = array_new(k_count(c), pass != RTI_CONV_KERNEL_GRADIENT || accumulate),
          bias = array_new(channels, true);
    rt_real *result = pass == RTI_CONV_FORWARD ? y.x : pass == RTI_CONV_INPUT_GRADIENT ? x.x : k.x;
    const uint32_t flags = rt_rng_u32(&rng);
    const bool some = pass != RTI_CONV_KERNEL_GRADIENT && flags & 1;
    const rti_epilogue epilogue = {some && flags & 2 ? bias.x : NULL, some && flags & 4};

    double *sum = calloc((size_t)n + 1, sizeof *sum), *magnitude = calloc((size_t)n + 1, sizeof *sum);
    cr_assert(sum && magnitude);
    for (int64_t i = 0; i < n; i++) {
        if (accumulate) sum[i] = (double)result[i];
        magnitude[i] = 2;
    }
    sums s = {x.x, k.x, y.x, sum, magnitude};
    all_products(c, pass == RTI_CONV_FORWARD ? to_y : pass == RTI_CONV_INPUT_GRADIENT ? to_x : to_k, &s);
    run_pass(c, pass, &x, &k, &y, accumulate, some ? &epilogue : NULL);
    for (int64_t i = 0; i < n; i++) {
        if (epilogue.bias) sum[i] += (double)bias.x[i % channels];
        if (epilogue.relu && sum[i] < 0) sum[i] = 0;
        const double error = fabs((double)result[i] - sum[i]);
        cr_assert(error <= 8 * EPSILON * magnitude[i], "%s, pass %d, %s: element %d is %.9g, not %.9g", set,
                  (int)pass, text(c), (int)i, (double)result[i], sum[i]);
    }
    array_free(&x), array_free(&y), array_free(&k), array_free(&bias);
    free(sum), free(magnitude);
}

/* Completes OH and OW; false when the kernel does not fit. */
static bool complete(rti_convolution *c) {
    const int64_t room_h = c->H + 2 * c->padding - c->dilation * (c->KH - 1) - 1,
                  room_w = c->W + 2 * c->padding - c->dilation * (c->KW - 1) - 1;
    if (room_h < 0 || room_w < 0) return false;
    c->OH = room_h / c->stride + 1, c->OW = room_w / c->stride + 1;
    return true;
}

static void check_all(const rti_convolution *geometry) {
    rti_convolution c = *geometry;
    cr_assert(complete(&c));
    for (int s = 0; s < SETS; s++) {
        if (!rti_kernels_named(set_names[s])) continue;
        rti_kernels_use(rti_kernels_named(set_names[s]));
        for (int pass = 0; pass < 3; pass++) check(set_names[s], &c, (rti_conv_pass)pass);
    }
}

Test(conv, drawn_geometries) {
    rng = rt_rng_stream(1, "conv", 0, 0);
    rt_threads_set(2);
    for (int trial = 0; trial < 400; trial++) {
        rti_convolution c = {
            .N = drawn(0, 3) ? drawn(1, 3) : 1, .H = drawn(1, 9), .W = drawn(1, 20), .KH = drawn(1, 4),
            .KW = drawn(1, 4), .stride = drawn(1, 3), .padding = drawn(0, 3), .dilation = drawn(1, 2),
            .groups = drawn(0, 2) ? 1 : drawn(1, 4),
        };
        c.C = c.groups * drawn(1, c.groups > 1 ? 6 : 20);
        c.F = c.groups * drawn(1, trial % 4 == 0 ? 70 : 18);
        if (complete(&c)) check_all(&c);
    }
}

#define GEOMETRY(N, H, W, C, F, KH, KW, stride, padding, dilation, groups) \
    {N, H, W, C, 0, 0, F, KH, KW, stride, padding, dilation, groups}

Test(conv, edges) {
    rng = rt_rng_stream(2, "conv", 0, 0);
    rt_threads_set(3);
    static const rti_convolution edges[] = {
        /* one element; the first layers of colour and grey images */
        GEOMETRY(1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1),
        GEOMETRY(2, 32, 32, 3, 16, 3, 3, 1, 1, 1, 1),
        GEOMETRY(2, 28, 28, 1, 6, 5, 5, 1, 2, 1, 1),
        /* a kernel larger than image and tile, padding larger than the kernel */
        GEOMETRY(1, 3, 30, 2, 33, 7, 31, 1, 3, 1, 1),
        GEOMETRY(2, 4, 4, 3, 5, 2, 2, 2, 5, 1, 1),
        /* 1 x 1 with stride 2: parts of dx that nothing reaches */
        GEOMETRY(3, 9, 8, 17, 31, 1, 1, 2, 0, 1, 1),
        /* a group per channel, a group of many */
        GEOMETRY(2, 7, 9, 19, 19, 3, 3, 1, 1, 1, 19),
        GEOMETRY(2, 6, 6, 36, 66, 3, 3, 2, 1, 1, 2),
        /* channels in blocks, then lines that are wider than the copy for one channel */
        GEOMETRY(1, 4, 20, 300, 3, 3, 3, 1, 1, 1, 1),
        GEOMETRY(2, 3, 6000, 2, 2, 3, 3, 1, 1, 1, 1),
        /* strided lines that are not copied */
        GEOMETRY(2, 9, 50, 5, 18, 3, 3, 2, 0, 2, 1),
    };
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) check_all(&edges[i]);
}

Test(conv, no_images) {
    rti_convolution c = GEOMETRY(0, 3, 3, 2, 2, 2, 2, 1, 0, 1, 1);
    check_all(&c);
}

static const rti_convolution of_networks[] = {
    GEOMETRY(33, 32, 32, 16, 16, 3, 3, 1, 1, 1, 1),
    GEOMETRY(9, 32, 32, 32, 64, 3, 3, 2, 1, 1, 1),
    GEOMETRY(21, 8, 8, 128, 128, 3, 3, 1, 1, 1, 1),
    GEOMETRY(16, 16, 16, 32, 64, 1, 1, 1, 0, 1, 1),
};
enum { OF_NETWORKS = sizeof of_networks / sizeof *of_networks };

static double dot(const array *a, const array *b) {
    double sum = 0;
    for (int64_t i = 0; i < a->n; i++) sum += (double)a->x[i] * (double)b->x[i];
    return sum;
}

/* y . conv(x, k) = x . input gradient(y, k) = k . kernel gradient(x, y) for any x, k, y. */
Test(conv, passes_are_transposes_of_each_other) {
    rng = rt_rng_stream(3, "conv", 0, 0);
    rt_threads_set(2);
    for (int i = 0; i < OF_NETWORKS; i++) {
        rti_convolution c = of_networks[i];
        cr_assert(complete(&c));
        array x = array_new(x_count(&c), true), k = array_new(k_count(&c), true),
              y = array_new(y_count(&c), true),
              to[3] = {array_new(y_count(&c), false), array_new(x_count(&c), false),
                       array_new(k_count(&c), false)};
        for (int s = 0; s < SETS; s++) {
            if (!rti_kernels_named(set_names[s])) continue;
            rti_kernels_use(rti_kernels_named(set_names[s]));
            run_pass(&c, RTI_CONV_FORWARD, &x, &k, &to[0], false, NULL);
            run_pass(&c, RTI_CONV_INPUT_GRADIENT, &to[1], &k, &y, false, NULL);
            run_pass(&c, RTI_CONV_KERNEL_GRADIENT, &x, &to[2], &y, false, NULL);
            const double value = dot(&y, &to[0]), scale = sqrt(dot(&y, &y) * dot(&to[0], &to[0]));
            const double dx_off = fabs(value - dot(&x, &to[1])), dk_off = fabs(value - dot(&k, &to[2]));
            cr_assert(dx_off <= 4 * EPSILON * scale, "%s: dx of %s", set_names[s], text(&c));
            cr_assert(dk_off <= 4 * EPSILON * scale, "%s: dk of %s", set_names[s], text(&c));
        }
        array_free(&x), array_free(&k), array_free(&y);
        for (int pass = 0; pass < 3; pass++) array_free(&to[pass]);
    }
}

Test(conv, bits_do_not_depend_on_threads_and_no_memory_is_taken) {
    rng = rt_rng_stream(4, "conv", 0, 0);
    static const int threads[] = {1, 2, 3, 8};
    for (int i = 0; i < OF_NETWORKS; i++) {
        rti_convolution c = of_networks[i];
        cr_assert(complete(&c));
        array x = array_new(x_count(&c), true), k = array_new(k_count(&c), true),
              y = array_new(y_count(&c), true);
        const int64_t count[3] = {y_count(&c), x_count(&c), k_count(&c)};
        for (int s = 0; s < SETS; s++) {
            if (!rti_kernels_named(set_names[s])) continue;
            rti_kernels_use(rti_kernels_named(set_names[s]));
            for (int pass = 0; pass < 3; pass++) {
                array first = array_new(count[pass], false), again = array_new(count[pass], false);
                for (int t = 0; t < 4; t++) {
                    array *to = t == 0 ? &first : &again;
                    rt_threads_set(threads[t]);
                    const size_t calls = rt_alloc_stats_get().calls;
                    run_pass(&c, (rti_conv_pass)pass, pass == 1 ? to : &x, pass == 2 ? to : &k,
                             pass == 0 ? to : &y, false, NULL);
                    cr_assert_eq(rt_alloc_stats_get().calls, calls);
                    cr_assert(t == 0 || memcmp(first.x, again.x, (size_t)count[pass] * sizeof *first.x) == 0,
                              "%s, pass %d, %d threads: other bits for %s", set_names[s], pass, threads[t],
                              text(&c));
                }
                array_free(&first), array_free(&again);
            }
        }
        array_free(&x), array_free(&k), array_free(&y);
    }
}

/* An image's result does not depend on the others in its batch. */
Test(conv, images_do_not_see_each_other) {
    rng = rt_rng_stream(5, "conv", 0, 0);
    rt_threads_set(2);
    for (int i = 0; i < OF_NETWORKS; i++) {
        rti_convolution c = of_networks[i], one = c;
        one.N = 1;
        cr_assert(complete(&c) && complete(&one));
        for (int s = 0; s < SETS; s++) {
            if (!rti_kernels_named(set_names[s])) continue;
            rti_kernels_use(rti_kernels_named(set_names[s]));
            array x = array_new(x_count(&c), true), k = array_new(k_count(&c), true),
                  y = array_new(y_count(&c), false), alone = array_new(y_count(&one), false);
            const int64_t image = x_count(&one);
            for (int64_t e = 2 * image; e < 3 * image; e++) x.x[e] = (rt_real)NAN; /* image 2 is broken */
            run_pass(&c, RTI_CONV_FORWARD, &x, &k, &y, false, NULL);
            const array third = {NULL, x.x + 3 * image, image};
            run_pass(&one, RTI_CONV_FORWARD, &third, &k, &alone, false, NULL);
            cr_assert(memcmp(alone.x, y.x + 3 * alone.n, (size_t)alone.n * sizeof *alone.x) == 0, "%s: %s",
                      set_names[s], text(&c));
            array_free(&x), array_free(&k), array_free(&y), array_free(&alone);
        }
    }
}
