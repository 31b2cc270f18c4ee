/* conv_spread.c - dx for few channels.                                 Floor 2 (kernels)
 *
 * A tile of the sweep has a pixel's channels for columns; six of them leave ten of sixteen lanes idle. The
 * spread has the columns (i, j, c), the whole patch of x that a pixel of y has seen:
 *
 *     patch[h][w][i][j][c] = sum over f of  dy[h][w][f] k[i][j][c][f]
 *     dx[h s - p + i d][w s - p + j d][c] += patch[h][w][i][j][c]
 *
 * A task is an image: a line of dy becomes a line of patches, and these are added, in the order of w, i, j,
 * to an image with a border on the stack, whose inside then goes to dx. Measured beside the sweep (AVX-512,
 * one thread, operations that count): LeNet's second layer, 6 channels and 5 x 5, 37 -> 76 GFLOP/s; the three
 * channels of an image and 3 x 3, 33 -> 41. */
#include <string.h>

#include "core/pool.h"
#include "kernels/conv_tiles.h"

enum {
    PATCHES = 8192,     /* elements of a line of patches */
    WORTH = 2,          /* times fewer multiply-adds than the sweep */
    ALONE = 1 << 15,    /* multiply-adds that one thread does by itself */
};

typedef struct spread {
    const rti_convolution *g;
    const rti_conv_tiles *tiles;
    const rt_real *dy, *k;
    rt_real *dx, *weights;
    bool accumulate;
    rti_epilogue epilogue;
    int64_t patch;            /* KH KW C */
    int vectors;
    int64_t width, panels;
    int64_t lines, pixels;    /* of the image with its border */
} spread;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static spread plan(const rti_convolution *g) {
    spread s = {.g = g, .tiles = rti_kernels()->conv, .patch = g->KH * g->KW * g->C};
    s.vectors = rti_conv_vectors(s.tiles, s.patch, g->OW);
    s.width = s.vectors * s.tiles->lanes;
    s.panels = (s.patch + s.width - 1) / s.width;
    s.lines = g->H + 2 * g->padding, s.pixels = g->W + 2 * g->padding; /* the last ones may be seen by none */
    return s;
}

bool rti_conv_spreads(const rti_convolution *g) {
    const spread s = plan(g);
    const int64_t lanes = s.tiles->lanes;
    if (g->groups > 1 || s.lines * s.pixels * g->C > RTI_CONV_BUFFER) return false;
    if (g->OW * s.panels * s.width > PATCHES) return false;
    const int64_t vectors = (g->C + lanes - 1) / lanes, spread_vectors = (s.patch + lanes - 1) / lanes;
    const double swept = (double)(g->H * g->W * vectors) * (double)(g->KH * g->KW) /
                         (double)(g->stride * g->stride);
    return swept > WORTH * (double)(g->OH * g->OW) * (double)spread_vectors;
}

size_t rti_conv_spread_bytes(const rti_convolution *g) {
    const spread s = plan(g);
    return (size_t)(s.panels * s.width * g->F) * sizeof(rt_real);
}

/* Panels of (F, width). */
static void pack(const spread *s) {
    const int64_t F = s->g->F;
    for (int64_t q = 0; q < s->panels * s->width; q++) {
        rt_real *to = s->weights + q / s->width * F * s->width + q % s->width;
        for (int64_t f = 0; f < F; f++) to[f * s->width] = q < s->patch ? s->k[q * F + f] : 0;
    }
}

static void make_patches(const spread *s, const rt_real *dy, rt_real *patches) {
    const int64_t F = s->g->F, pixels = s->g->OW;
    rti_conv_job job = {.blocks = 1, .runs = 1, .run = F, .a_row = F, .a_step = 1, .b_step = s->width,
                        .ldc = s->panels * s->width, .from_zero = true};
    for (int64_t panel = 0; panel < s->panels; panel++) {
        job.columns = (int)least(s->patch - panel * s->width, s->width);
        const int vectors = (job.columns - 1) / s->tiles->lanes + 1;
        const int64_t most = s->tiles->most[vectors - 1], count = (pixels - 1) / most + 1;
        job.b = s->weights + panel * F * s->width;
        for (int64_t m = 0; m < count; m++) {
            const int64_t pixel = pixels * m / count, next = pixels * (m + 1) / count;
            job.a = dy + pixel * F;
            job.c = patches + pixel * job.ldc + panel * s->width;
            s->tiles->by_rows[vectors - 1][next - pixel - 1](&job);
        }
    }
}

static void add_patches(const spread *s, int64_t h, const rt_real *patches, rt_real *image) {
    const rti_convolution *g = s->g;
    const rti_loops *loops = rti_kernels()->loops;
    const int64_t runs = g->dilation == 1 ? 1 : g->KW, run = g->KW * g->C / runs;
    for (int64_t w = 0; w < g->OW; w++)
        for (int64_t i = 0; i < g->KH; i++) {
            const rt_real *from = patches + w * s->panels * s->width + i * g->KW * g->C;
            rt_real *to = image + ((h * g->stride + i * g->dilation) * s->pixels + w * g->stride) * g->C;
            for (int64_t j = 0; j < runs; j++, from += run, to += g->dilation * g->C)
                loops->add(run, to, from, to);
        }
}

static void finish_line(const spread *s, const rt_real *from, rt_real *to) {
    const rti_convolution *g = s->g;
    for (int64_t w = 0; w < g->W; w++)
        for (int64_t c = 0; c < g->C; c++, from++, to++) {
            rt_real y = s->accumulate ? *to + *from : *from;
            if (s->epilogue.bias) y += s->epilogue.bias[c];
            *to = s->epilogue.relu && y < 0 ? 0 : y;
        }
}

static void spread_image(void *context, int64_t n) {
    const spread *s = context;
    const rti_convolution *g = s->g;
    _Alignas(64) rt_real image[RTI_CONV_BUFFER], patches[PATCHES];
    memset(image, 0, (size_t)(s->lines * s->pixels * g->C) * sizeof *image);
    for (int64_t h = 0; h < g->OH; h++) {
        make_patches(s, s->dy + (n * g->OH + h) * g->OW * g->F, patches);
        add_patches(s, h, patches, image);
    }
    for (int64_t h = 0; h < g->H; h++)
        finish_line(s, image + ((h + g->padding) * s->pixels + g->padding) * g->C,
                    s->dx + (n * g->H + h) * g->W * g->C);
}

void rti_conv_spread(const rti_convolution *g, const rt_real *dy, const rt_real *k, rt_real *dx,
                     bool accumulate, const rti_epilogue *epilogue, void *scratch) {
    spread s = plan(g);
    s.dy = dy, s.k = k, s.dx = dx, s.accumulate = accumulate, s.weights = scratch;
    if (epilogue) s.epilogue = *epilogue;
    pack(&s);
    if ((double)(g->N * g->OH * g->OW) * (double)(s.patch * g->F) >= ALONE)
        rti_parallel(g->N, spread_image, &s);
    else
        for (int64_t n = 0; n < g->N; n++) spread_image(&s, n);
}
