/* conv_kernel_gradient.c - convolution's gradient of the kernel.       Floor 2 (kernels)
 *
 *   dk[i][j][c][f] = sum over n, h, w of  x[n][h s - p + i d][w s - p + j d][c] dy[n][h][w][f]
 *
 * For one kernel line i, rows (j, c) by columns f is a product of two matrices whose sum runs over pixels;
 * with one group and dilation 1 the rows lie beside each other in x. Where filters are so few that they fill
 * one vector, the product is turned: rows f by columns (j, c). A tile several vectors wide loads less.
 *
 * The pixels are cut into units: some whole images, or some lines of one, as much of x as fits the copy
 * with its border; some channels at a time when one line is too much. Units are shared out to chunks, whose
 * number depends on the geometry alone; a chunk sums in its own dk, and these are added in order. A task is a
 * chunk's part of some panels of columns.
 *
 * What was tried (as in conv_sweep.c): 16 channels 132, with memory fetched ahead 142, turned 159; 64
 * channels, 8 x 8 pixels 180, fetched ahead 193; there copying 32 channels of more images at a time, so that
 * a tile sums longer, 182; copies of 128 and 256 KiB 178 and 164. */
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
    bool copy, turned;
    int64_t block;           /* channels of x at a time */
    int64_t pixels;          /* of x in the copy's line */
    int64_t images, lines;   /* a unit: so many images, or so many lines of y in one */
    int64_t strips, units;   /* units of an image; all */
    int64_t chunks;
    int vectors;
    int64_t width;           /* of a panel */
    int64_t panels, shares;  /* panels of a group, and in how many tasks */
} gradient;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Lines of x that `lines` lines of y read. */
static int64_t lines_read(const rti_convolution *g, int64_t lines) {
    return (lines - 1) * g->stride + (g->KH - 1) * g->dilation + 1;
}

/* Units of `block` channels; returns the elements of the copy. */
static int64_t plan_units(gradient *t, int64_t block) {
    const rti_convolution *g = t->g;
    const int64_t line = t->pixels * block;
    const int64_t fit = (RTI_CONV_BUFFER / line - lines_read(g, 1)) / g->stride + 1; /* lines of y */
    t->block = block;
    t->strips = (g->OH - 1) / (fit < 1 ? 1 : least(fit, g->OH)) + 1;
    t->lines = (g->OH + t->strips - 1) / t->strips; /* of equal height */
    t->strips = (g->OH - 1) / t->lines + 1;
    const int64_t image = lines_read(g, t->lines) * line;
    t->images = t->strips > 1 || image > RTI_CONV_BUFFER ? 1 : least(RTI_CONV_BUFFER / image, g->N);
    if (t->images < 1) t->images = 1;
    t->units = t->strips > 1 ? g->N * t->strips : (g->N + t->images - 1) / t->images;
    return t->copy ? t->images * image : 0;
}

/* Returns the elements of the copy. */
static int64_t plan(gradient *t, const rti_convolution *g) {
    t->tiles = rti_kernels()->conv;
    t->g = g;
    t->c = g->C / g->groups, t->f = g->F / g->groups;
    t->size = g->KH * g->KW * t->c * g->F;
    t->copy = g->padding > 0; /* without a border x is read in place */
    t->pixels = (g->OW - 1) * g->stride + (g->KW - 1) * g->dilation + 1;

    int64_t block = t->c;
    const int64_t fit = RTI_CONV_BUFFER / (lines_read(g, 1) * t->pixels);
    if (t->copy && block > fit) block = fit > 1 ? fit : 1;
    const int64_t copy = plan_units(t, block);

    const int64_t run = g->KW * t->c;
    t->turned = g->groups == 1 && g->dilation == 1 && t->block == t->c &&
                t->f <= t->tiles->lanes && run > t->tiles->lanes;
    const int64_t columns = t->turned ? run : t->f, rows = t->turned ? t->f : t->block;
    t->vectors = rti_conv_vectors(t->tiles, columns, rows);
    t->width = t->vectors * t->tiles->lanes;
    t->panels = (columns + t->width - 1) / t->width;

    t->chunks = least(least(CHUNKS, PARTIAL / t->size), t->units);
    while (t->chunks & (t->chunks - 1)) t->chunks &= t->chunks - 1; /* 2^n */
    if (t->chunks < 2) t->chunks = t->units > 1 ? 2 : 1;
    t->shares = least(t->panels, (TASKS + t->chunks - 1) / t->chunks);
    return copy;
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
    rti_conv_ahead x_ahead, dy_ahead;
} part;

/* One panel of the `run` channels beside each other at place (i, j) of the kernel. */
static void add_place(const gradient *t, const unit *u, part *k, int64_t i, int64_t j, int64_t run,
                      int64_t panel) {
    const rti_convolution *g = t->g;
    const int64_t first = panel * t->width, f0 = k->group * t->f;
    const int columns = (int)least((t->turned ? run : t->f) - first, t->width);
    const int vectors = (columns - 1) / t->tiles->lanes + 1;
    const int64_t rows = t->turned ? t->f : run, most = t->tiles->most[vectors - 1];
    const int64_t count = (rows - 1) / most + 1;
    /* Pixels of a line, lines, images: where x and dy have them. */
    const rt_real *x = k->x + i * g->dilation * k->line + j * g->dilation * k->pixel;
    const rt_real *dy = t->dy + (u->n * g->OH + u->line) * g->OW * g->F + f0;
    const int64_t x_step = g->stride * k->pixel, x_run = g->stride * k->line, x_block = k->image;
    const int64_t dy_step = g->F, dy_run = g->OW * g->F, dy_block = g->OH * dy_run;
    rti_conv_job job = {.blocks = u->images, .runs = u->lines, .run = g->OW, .a_row = 1, .columns = columns,
                        .from_zero = u->first};
    rt_real *to = u->dk;
    if (t->turned) {
        job.a_step = dy_step, job.a_run = dy_run, job.a_block = dy_block;
        job.b_step = x_step, job.b_run = x_run, job.b_block = x_block;
        job.b = x + first;
        job.ldc = run;
        to += i * g->F * run + first;
    } else {
        job.a_step = x_step, job.a_run = x_run, job.a_block = x_block;
        job.b_step = dy_step, job.b_run = dy_run, job.b_block = dy_block;
        job.b = dy + first;
        job.ldc = g->F;
        to += ((i * g->KW + j) * t->c + k->first) * g->F + f0 + first;
    }
    for (int64_t m = 0; m < count; m++) {
        const int64_t row = rows * m / count, next = rows * (m + 1) / count;
        rti_conv_fetch(&k->x_ahead);
        rti_conv_fetch(&k->dy_ahead);
        job.a = (t->turned ? dy : x) + row;
        job.c = to + row * job.ldc;
        t->tiles->by_steps[vectors - 1][next - row - 1](&job);
    }
}

static void add_part(const gradient *t, const unit *u, part *k) {
    const rti_convolution *g = t->g;
    const bool joined = g->dilation == 1 && k->pixel == k->channels && k->channels == t->c;
    for (int64_t panel = u->panel; panel < u->panel_end; panel++)
        for (int64_t i = 0; i < g->KH; i++) {
            if (joined) add_place(t, u, k, i, 0, g->KW * k->channels, panel);
            else
                for (int64_t j = 0; j < g->KW; j++) add_place(t, u, k, i, j, k->channels, panel);
        }
}

/* The next unit's x and dy. */
static void plan_ahead(const gradient *t, const unit *u, part *k) {
    const rti_convolution *g = t->g;
    const int64_t most = t->tiles->most[t->vectors - 1];
    const int64_t whole = t->strips == 1 ? u->images * g->OH : u->lines;
    const int64_t rows = t->turned ? t->f : g->KW * t->c;
    const int64_t tiles = g->KH * ((rows - 1) / most + 1) * g->groups * (u->panel_end - u->panel);
    const int64_t x = (u->n * g->H + (u->line + whole) * g->stride) * g->W * g->C,
                  dy = (u->n * g->OH + u->line + whole) * g->OW * g->F;
    k->x_ahead = rti_conv_ahead_of(t->x + x, whole * g->stride * g->W * g->C, tiles);
    k->dy_ahead = rti_conv_ahead_of(t->dy + dy, whole * g->OW * g->F, tiles);
}

static void add_unit(const gradient *t, const unit *u, rt_real *buffer) {
    const rti_convolution *g = t->g;
    const int64_t line = u->line * g->stride - g->padding;
    part k;
    plan_ahead(t, u, &k);
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
    rt_real sum[SUM_BLOCK];
    memcpy(sum, t->partial + first, (size_t)(end - first) * sizeof *sum);
    for (int64_t chunk = 1; chunk < t->chunks; chunk++) {
        const rt_real *from = t->partial + chunk * t->size + first;
        for (int64_t i = 0; i < end - first; i++) sum[i] += from[i];
    }
    const int64_t F = t->g->F, run = t->g->KW * t->c;
    for (int64_t i = first; i < end; i++) {
        /* turned: [kernel line][f][j, c], not [kernel line][j, c][f] */
        const int64_t to = t->turned ? i / (F * run) * (F * run) + i % run * F + i / run % F : i;
        t->dk[to] = t->accumulate ? t->dk[to] + sum[i - first] : sum[i - first];
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
