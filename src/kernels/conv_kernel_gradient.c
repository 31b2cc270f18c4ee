/* conv_kernel_gradient.c - convolution's gradient of the kernel.       Floor 2 (kernels)
 *
 *   dk[i][j][c][f] = sum over n, h, w of  x[n][h s - p + i d][w s - p + j d][c] dy[n][h][w][f]
 *
 * For one kernel line i, rows (j, c) by columns f is a product of two matrices whose sum runs over pixels; with
 * one group and dilation 1 the rows lie beside each other in x. The pixels are cut into units: some whole
 * images, or some lines of one, as much of x as fits the copy with its border. Units are shared out to
 * chunks, whose number depends on the geometry alone; a chunk sums in its own dk, and these are added in order.
 * A task is a chunk's part for some of the filters. */
#include <string.h>

#include "core/pool.h"
#include "kernels/conv_tiles.h"

enum {
    CHUNKS = 16,             /* at most */
    PARTIAL = 1 << 19,       /* elements of all chunks' dk, as long as there are two */
    TASKS = 16,              /* wanted */
    ALONE = 1 << 15,         /* multiply-adds that one thread does by itself */
    SUM_BLOCK = 4096,        /* elements of dk that one task adds up */
};

typedef struct gradient {
    const rti_conv_tiles *tiles;
    const rti_convolution *g;
    const rt_real *x, *dy;
    rt_real *dk, *partial;
    bool accumulate;
    int64_t c, f, size;      /* channels and filters of a group; elements of dk */
    bool copy;
    int64_t block;           /* channels of x at a time */
    int64_t pixels;          /* of x in the copy's line */
    int64_t images, lines;   /* a unit: so many images, or so many lines of y in one */
    int64_t strips, units;   /* units of an image; all */
    int64_t chunks;
    int vectors;
    int64_t panels, shares;  /* panels of a group's filters, and in how many tasks */
} gradient;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Lines of x that `lines` lines of y read. */
static int64_t lines_read(const rti_convolution *g, int64_t lines) {
    return (lines - 1) * g->stride + (g->KH - 1) * g->dilation + 1;
}

/* Returns the elements of the copy. */
static int64_t plan(gradient *t, const rti_convolution *g) {
    t->tiles = rti_kernels()->conv;
    t->g = g;
    t->c = g->C / g->groups, t->f = g->F / g->groups;
    t->size = g->KH * g->KW * t->c * g->F;
    t->vectors = rti_conv_vectors(t->tiles, t->f, t->c);
    const int64_t width = t->vectors * t->tiles->lanes;
    t->panels = (t->f + width - 1) / width;

    /* Without a border x is read in place: nothing to copy, but units are of the same size. */
    t->copy = g->padding > 0;
    t->pixels = (g->OW - 1) * g->stride + (g->KW - 1) * g->dilation + 1;
    const int64_t least_lines = lines_read(g, 1) * t->pixels;
    t->block = t->c;
    if (t->copy && least_lines * t->block > RTI_CONV_BUFFER) t->block = RTI_CONV_BUFFER / least_lines;
    if (t->block < 1) t->block = 1;
    int64_t fit = (RTI_CONV_BUFFER / (t->pixels * t->block) - lines_read(g, 1)) / g->stride + 1;
    if (fit < 1) fit = 1;
    t->strips = (g->OH - 1) / least(fit, g->OH) + 1;
    t->lines = (g->OH + t->strips - 1) / t->strips;
    t->strips = (g->OH - 1) / t->lines + 1;
    const int64_t image = lines_read(g, t->lines) * t->pixels * t->block;
    t->images = t->strips > 1 || image > RTI_CONV_BUFFER ? 1 : RTI_CONV_BUFFER / image;
    t->images = t->images > g->N ? (g->N > 0 ? g->N : 1) : t->images;
    t->units = t->strips > 1 ? g->N * t->strips : (g->N + t->images - 1) / t->images;

    t->chunks = least(least(CHUNKS, PARTIAL / t->size), t->units);
    while (t->chunks & (t->chunks - 1)) t->chunks &= t->chunks - 1; /* 2^n */
    if (t->chunks < 2) t->chunks = t->units > 1 ? 2 : 1;
    t->shares = least(t->panels, (TASKS + t->chunks - 1) / t->chunks);
    return t->copy ? t->images * image : 0;
}

/* A unit: images n ... (all lines) or lines of image n. */
typedef struct unit {
    int64_t n, images, line, lines;
    bool first;              /* of its chunk */
    int64_t panel, panel_end;
    rt_real *dk;
} unit;

/* What the tiles read of x: one block of channels of a group. */
typedef struct part {
    int64_t group, first, channels;
    const rt_real *x;
    int64_t pixel, line, image; /* strides */
} part;

/* dk's rows from `row` of place (i, j) on, `rows` of them, in one panel of filters. */
static void add_rows(const gradient *t, const unit *u, const part *k, int64_t i, int64_t j, int64_t rows,
                     int64_t panel) {
    const rti_convolution *g = t->g;
    const int64_t width = t->vectors * t->tiles->lanes, f0 = k->group * t->f + panel * width;
    const int columns = (int)least(t->f - panel * width, width), vectors = (columns - 1) / t->tiles->lanes + 1;
    const bool lines_join = k->line * g->stride == g->OW * g->stride * k->pixel;
    rti_conv_job job = {
        .blocks = u->images,
        .runs = lines_join ? 1 : u->lines,
        .run = lines_join ? u->lines * g->OW : g->OW,
        .a_row = 1,
        .a_step = g->stride * k->pixel,
        .a_run = g->stride * k->line,
        .a_block = k->image,
        .b = t->dy + ((u->n * g->OH + u->line) * g->OW) * g->F + f0,
        .b_step = g->F,
        .ldc = g->F,
        .columns = columns,
        .from_zero = u->first,
    };
    const rt_real *a = k->x + i * g->dilation * k->line + j * g->dilation * k->pixel;
    rt_real *c = u->dk + ((i * g->KW + j) * t->c + k->first) * g->F + f0;
    const int64_t most = t->tiles->most[vectors - 1], count = (rows - 1) / most + 1;
    for (int64_t m = 0; m < count; m++) {
        const int64_t row = rows * m / count, next = rows * (m + 1) / count;
        job.a = a + row;
        job.c = c + row * g->F;
        t->tiles->by_steps[vectors - 1][next - row - 1](&job);
    }
}

static void add_part(const gradient *t, const unit *u, const part *k) {
    const rti_convolution *g = t->g;
    const bool joined = g->dilation == 1 && k->pixel == k->channels && k->channels == t->c;
    for (int64_t panel = u->panel; panel < u->panel_end; panel++)
        for (int64_t i = 0; i < g->KH; i++) {
            if (joined) add_rows(t, u, k, i, 0, g->KW * k->channels, panel);
            else
                for (int64_t j = 0; j < g->KW; j++) add_rows(t, u, k, i, j, k->channels, panel);
        }
}

static void add_unit(const gradient *t, const unit *u, rt_real *buffer) {
    const rti_convolution *g = t->g;
    const int64_t line = u->line * g->stride - g->padding;
    part k;
    for (k.group = 0; k.group < g->groups; k.group++)
        for (k.first = 0; k.first < t->c; k.first += t->block) {
            k.channels = least(t->block, t->c - k.first);
            const int64_t channel = k.group * t->c + k.first;
            if (t->copy) {
                k.x = buffer, k.pixel = k.channels, k.line = t->pixels * k.pixel;
                k.image = lines_read(g, u->lines) * k.line;
                for (int64_t i = 0; i < u->images; i++) {
                    const rti_conv_window w = {t->x, g->H, g->W, g->C, u->n + i, line, -g->padding, channel,
                                               lines_read(g, u->lines), t->pixels, k.channels};
                    rti_conv_copy(&w, buffer + i * k.image);
                }
            } else {
                k.x = t->x + (u->n * g->H + line) * g->W * g->C + channel;
                k.pixel = g->C, k.line = g->W * g->C, k.image = g->H * k.line;
            }
            add_part(t, u, &k);
        }
}

static void chunk_share(const gradient *t, int64_t task, rt_real *buffer) {
    const int64_t chunk = task / t->shares, share = task % t->shares;
    const int64_t first = t->units * chunk / t->chunks, end = t->units * (chunk + 1) / t->chunks;
    unit u = {
        .panel = t->panels * share / t->shares,
        .panel_end = t->panels * (share + 1) / t->shares,
        .dk = t->partial + chunk * t->size,
    };
    for (int64_t number = first; number < end; number++) {
        const rti_convolution *g = t->g;
        u.first = number == first;
        u.n = t->strips > 1 ? number / t->strips : number * t->images;
        u.images = t->strips > 1 ? 1 : least(t->images, g->N - u.n);
        u.line = t->strips > 1 ? number % t->strips * t->lines : 0;
        u.lines = least(t->lines, g->OH - u.line);
        add_unit(t, &u, buffer);
    }
}

static void chunk_task(void *context, int64_t task) {
    _Alignas(64) rt_real buffer[RTI_CONV_BUFFER];
    chunk_share(context, task, buffer);
}

static void sum_task(void *context, int64_t task) {
    const gradient *t = context;
    const int64_t first = task * SUM_BLOCK, end = least(first + SUM_BLOCK, t->size);
    int64_t chunk = 0;
    if (!t->accumulate) memcpy(t->dk + first, t->partial + first, (size_t)(end - first) * sizeof *t->dk), chunk++;
    for (; chunk < t->chunks; chunk++) {
        const rt_real *from = t->partial + chunk * t->size;
        for (int64_t i = first; i < end; i++) t->dk[i] += from[i];
    }
}

static size_t partial_bytes(const gradient *t) {
    return ((size_t)(t->chunks * t->size) * sizeof(rt_real) + 63) / 64 * 64;
}

void rti_conv_kernel_gradient(const rti_convolution *c, const rt_real *x, const rt_real *dy, rt_real *dk,
                              bool accumulate, void *scratch) {
    gradient t = {.x = x, .dy = dy, .dk = dk, .accumulate = accumulate, .partial = scratch};
    const int64_t buffer = plan(&t, c), sums = (t.size + SUM_BLOCK - 1) / SUM_BLOCK;
    if (c->N == 0) {
        if (!accumulate) memset(dk, 0, (size_t)t.size * sizeof *dk);
        return;
    }
    const double work = (double)(c->N * c->OH * c->OW) * (double)t.size;
    if (buffer > RTI_CONV_BUFFER || work < ALONE) {
        rt_real stack[RTI_CONV_BUFFER];
        rt_real *large = (rt_real *)(void *)((char *)scratch + partial_bytes(&t));
        for (int64_t i = 0; i < t.chunks * t.shares; i++)
            chunk_share(&t, i, buffer > RTI_CONV_BUFFER ? large : stack);
        for (int64_t i = 0; i < sums; i++) sum_task(&t, i);
        return;
    }
    rti_parallel(t.chunks * t.shares, chunk_task, &t);
    rti_parallel(sums, sum_task, &t);
}

size_t rti_conv_scratch_bytes(const rti_convolution *c, rti_conv_pass pass) {
    if (pass != RTI_CONV_KERNEL_GRADIENT) return rti_conv_sweep_bytes(c, pass == RTI_CONV_FORWARD);
    gradient t = {0};
    const int64_t buffer = plan(&t, c);
    return partial_bytes(&t) + (buffer > RTI_CONV_BUFFER ? (size_t)buffer * sizeof(rt_real) : 0);
}
