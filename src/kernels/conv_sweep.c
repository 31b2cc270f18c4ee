/* conv_sweep.c - convolution's results: y forward, dx backward.        Floor 2 (kernels)
 *
 * Both are one thing, a sweep: out[q] = sum over taps t of in[q s + t's place] times t's weights. Forward a
 * tap is a place of the kernel. Backward, an input's row h = q s + r of phase r meets those kernel rows i
 * with r + p - i d divisible by s, and reads row q + (r + p - i d) / s of dy; so dx is s x s phases with
 * stride 1, each with its own taps and its own part of dx, and nothing is multiplied by zeros between rows
 * of dy.
 *
 * 1. The weights are copied for the sweep's taps into panels, as wide as a tile, in the order of the sum.
 * 2. A task makes some lines of one image. It copies what they read of `in` to its stack, with zeros around
 *    it (not when nothing lies outside), as many channels at a time as fit.
 * 3. Tiles of a line's pixels are swept over the copy, phase by phase. Where taps of a line lie beside each
 *    other, as they do with one group and dilation 1, their channels are a single run: a 3 x 3 kernel is
 *    three runs of 3 C.
 *
 * What was tried (AVX-512, one thread, peak about 205 GFLOP/s, batch 128, all by turns on a busy machine):
 *
 *   3 x 3, 16 channels, 32 x 32 pixels     forward 148, with memory fetched ahead 162
 *   copies of 16, 24, 32, 48, 64 KiB       16 and 32 channels: alike; 128 channels: 182, 182, 198, 195, 200
 *   copies of 128, 256 KiB                 32 channels: 176 instead of 183
 *   3 x 3, stride 2, 16 -> 32 channels     dx 129 with a pass over the batch for each phase, 158 with
 *                                          all phases in a task; 1 x 1, stride 2, 32 -> 64: 78, 119
 *
 * 32 to 128 channels reach 190 to 200. The time left goes to the copy (a twentieth) and to memory:
 * with 16 channels there are 144 operations for a number that is read or written. */
#include "core/pool.h"
#include "kernels/conv_tiles.h"

enum { ALONE = 1 << 15 }; /* multiply-adds that one thread does by itself */

/* The taps of a phase along one direction by ascending place: tap m reads in[q s + in0 + m in_step], its
 * weights are k[k0 + m k_step]. */
typedef struct axis {
    int64_t taps, in0, in_step, k0, k_step;
    int64_t out, out0, out_step; /* how many q; the result's place of the first, and of the next */
    int64_t stride;
} axis;

/* What all phases together read: in[q s + first ... + span - 1]. */
typedef struct view {
    int64_t first, span;
} view;

typedef struct sweep {
    const rti_convolution *g;
    bool backward;
    const rti_conv_tiles *tiles;
    const rt_real *in, *k;
    rt_real *out, *weights;
    int64_t H, W, C;         /* of in */
    int64_t out_H, out_W, F; /* of the result */
    int64_t c, f;            /* channels of a group, in and out */
    bool accumulate;
    rti_epilogue epilogue;
    int64_t phases, stride; /* along each direction */
    int64_t rows, columns;  /* of phase 0, which has the most */
    view lines_read, pixels_read;
    bool copy;
    int64_t block;         /* channels at a time */
    int64_t lines, strips; /* lines of a task, for each phase; tasks of an image */
    int vectors;
    int64_t width, panels;
} sweep;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- taps ---- */

static axis forward_axis(const rti_convolution *c, int64_t kernel, int64_t out) {
    return (axis){kernel, -c->padding, c->dilation, 0, 1, out, 0, 1, c->stride};
}

/* The taps of phase r: i = i0 + m period, descending, so that places in dy ascend. */
static axis backward_axis(const rti_convolution *c, int64_t kernel, int64_t size, int64_t r) {
    const int64_t s = c->stride, d = c->dilation;
    axis a = {.out = r < size ? (size - r - 1) / s + 1 : 0, .out0 = r, .out_step = s, .stride = 1};
    int64_t first = 0, period = 1;
    while (first < kernel && (r + c->padding - first * d) % s != 0) first++;
    while (period * d % s != 0) period++;
    if (first >= kernel) return a;
    a.taps = (kernel - first - 1) / period + 1;
    a.k0 = first + (a.taps - 1) * period;
    a.k_step = -period;
    a.in0 = (r + c->padding - a.k0 * d) / s;
    a.in_step = period * d / s;
    return a;
}

static axis row_axis(const sweep *s, int64_t phase) {
    const rti_convolution *g = s->g;
    return s->backward ? backward_axis(g, g->KH, g->H, phase) : forward_axis(g, g->KH, g->OH);
}

static axis column_axis(const sweep *s, int64_t phase) {
    const rti_convolution *g = s->g;
    return s->backward ? backward_axis(g, g->KW, g->W, phase) : forward_axis(g, g->KW, g->OW);
}

static view view_of(const sweep *s, axis (*along)(const sweep *, int64_t)) {
    int64_t first = INT64_MAX, end = INT64_MIN;
    for (int64_t phase = 0; phase < s->phases; phase++) {
        const axis a = along(s, phase);
        const int64_t a_end = a.in0 + (a.taps - 1) * a.in_step + 1;
        if (a.taps == 0) continue;
        if (a.in0 < first) first = a.in0;
        if (a_end > end) end = a_end;
    }
    return (view){first, end - first};
}

/* ---- weights ---- */

/* Of all groups and panels of a phase. */
static int64_t weights_of(const sweep *s, const axis *rows, const axis *columns) {
    return s->g->groups * s->panels * rows->taps * columns->taps * s->c * s->width;
}

/* For each block of channels, tap and channel a row of `width` weights, zeros beyond the last. */
static void pack_phase(const sweep *s, const axis *rows, const axis *columns, int64_t number, rt_real *to) {
    const rti_convolution *g = s->g;
    const int64_t group = number / s->panels, f0 = number % s->panels * s->width;
    const int64_t count = least(s->f - f0, s->width), place = g->C / g->groups * g->F;
    /* Forward the group's filters lie beside each other in k; backward its channels of dy do. */
    const int64_t c_step = s->backward ? 1 : g->F, f_step = s->backward ? g->F : 1;
    const rt_real *k = s->k + (s->backward ? group * s->c + f0 * f_step : group * s->f + f0);
    for (int64_t c0 = 0; c0 < s->c; c0 += s->block)
        for (int64_t i = 0; i < rows->taps; i++)
            for (int64_t j = 0; j < columns->taps; j++) {
                const rt_real *here = k + place * ((rows->k0 + i * rows->k_step) * g->KW + columns->k0 +
                                                   j * columns->k_step);
                for (int64_t c = c0; c < least(c0 + s->block, s->c); c++, to += s->width) {
                    for (int64_t f = 0; f < count; f++) to[f] = here[c * c_step + f * f_step];
                    for (int64_t f = count; f < s->width; f++) to[f] = 0;
                }
            }
}

static void pack_panel(void *context, int64_t number) {
    const sweep *s = context;
    rt_real *to = s->weights;
    for (int64_t r = 0; r < s->phases; r++) {
        const axis rows = row_axis(s, r);
        for (int64_t q = 0; q < s->phases; q++) {
            const axis columns = column_axis(s, q);
            pack_phase(s, &rows, &columns, number, to + number * rows.taps * columns.taps * s->c * s->width);
            to += weights_of(s, &rows, &columns);
        }
    }
}

/* ---- a task ---- */

/* A part of the sum for some lines: what the tiles read. */
typedef struct part {
    int64_t n, line, group;
    int64_t first, channels; /* of the group's */
    const rt_real *a;        /* the first pixel of the view */
    int64_t pixel, row;      /* from pixel to pixel, from line to line of `in` */
    rti_conv_ahead in, out;
} part;

/* The lines of one phase in one panel. */
static void sweep_panel(const sweep *s, part *k, const axis *rows, const axis *columns,
                        const rt_real *weights, int64_t panel) {
    const int64_t f0 = panel * s->width, at = k->group * s->f + f0;
    const bool joined = columns->taps > 1 && columns->in_step == 1 && k->pixel == k->channels;
    const bool last = k->first + k->channels == s->c;
    const int width = (int)least(s->f - f0, s->width), vectors = (width - 1) / s->tiles->lanes + 1;
    rti_conv_job job = {
        .blocks = rows->taps * columns->taps == 0 ? 0 : rows->taps,
        .runs = joined ? 1 : columns->taps,
        .run = joined ? columns->taps * k->channels : k->channels,
        .a_row = columns->stride * k->pixel,
        .a_step = 1,
        .a_run = columns->in_step * k->pixel,
        .a_block = rows->in_step * k->row,
        .b = weights,
        .b_step = s->width,
        .ldc = columns->out_step * s->F,
        .columns = width,
        .from_zero = k->first == 0 && !s->accumulate,
        .relu = last && s->epilogue.relu,
        .bias = last && s->epilogue.bias ? s->epilogue.bias + at : NULL,
    };
    job.b_run = job.run * job.b_step;
    job.b_block = job.runs * job.b_run;
    if (job.blocks == 0 && !job.from_zero && !job.bias && !job.relu) return;
    const int64_t most = s->tiles->most[vectors - 1], count = (columns->out - 1) / most + 1;
    const int64_t end = least(k->line + s->lines, rows->out);
    const rt_real *a = k->a;
    if (job.blocks > 0)
        a += (rows->in0 - s->lines_read.first) * k->row + (columns->in0 - s->pixels_read.first) * k->pixel;
    for (int64_t line = k->line; line < end; line++, a += rows->stride * k->row) {
        const int64_t to = (k->n * s->out_H + rows->out0 + line * rows->out_step) * s->out_W + columns->out0;
        for (int64_t i = 0; i < count; i++) {
            const int64_t pixel = columns->out * i / count, next = columns->out * (i + 1) / count;
            rti_conv_fetch(&k->in);
            rti_conv_fetch(&k->out);
            job.a = a + pixel * job.a_row;
            job.c = s->out + to * s->F + at + pixel * job.ldc;
            s->tiles->by_rows[vectors - 1][next - pixel - 1](&job);
        }
    }
}

static void sweep_phases(const sweep *s, part *k) {
    const rt_real *weights = s->weights;
    for (int64_t r = 0; r < s->phases; r++) {
        const axis rows = row_axis(s, r);
        for (int64_t q = 0; q < s->phases; q++) {
            const axis columns = column_axis(s, q);
            const int64_t taps = rows.taps * columns.taps, panel_size = taps * s->c * s->width;
            const rt_real *from = weights + k->group * s->panels * panel_size + k->first * taps * s->width;
            for (int64_t panel = 0; panel < s->panels && columns.out > 0; panel++, from += panel_size)
                sweep_panel(s, k, &rows, &columns, from, panel);
            weights += weights_of(s, &rows, &columns);
        }
    }
}

/* The next task's lines of `in` and of the result, shared out to the tiles of this one. */
static void plan_ahead(const sweep *s, part *k) {
    const int64_t out_step = s->backward ? s->stride : 1, in_step = s->backward ? 1 : s->stride;
    const int64_t count = (s->columns - 1) / s->tiles->most[s->vectors - 1] + 1, next = k->line + s->lines;
    const int64_t tiles = s->lines * count * s->phases * s->phases * s->panels * s->g->groups;
    k->in = rti_conv_ahead_of(s->in + (k->n * s->H + next * in_step) * s->W * s->C,
                              s->lines * in_step * s->W * s->C, tiles);
    k->out = rti_conv_ahead_of(s->out + (k->n * s->out_H + next * out_step) * s->out_W * s->F,
                               s->lines * out_step * s->out_W * s->F, tiles);
}

static void sweep_lines(const sweep *s, int64_t task, rt_real *buffer) {
    part k = {.n = task / s->strips, .line = task % s->strips * s->lines};
    const int64_t step = s->backward ? 1 : s->stride, lines = least(s->lines, s->rows - k.line);
    const int64_t line = k.line * step + s->lines_read.first, pixel = s->pixels_read.first;
    plan_ahead(s, &k);
    for (k.group = 0; k.group < s->g->groups; k.group++)
        for (k.first = 0; k.first < s->c; k.first += s->block) {
            k.channels = least(s->block, s->c - k.first);
            const int64_t channel = k.group * s->c + k.first;
            if (s->copy) {
                const rti_conv_window w = {s->in,
                                           s->H,
                                           s->W,
                                           s->C,
                                           k.n,
                                           line,
                                           pixel,
                                           channel,
                                           (lines - 1) * step + s->lines_read.span,
                                           (s->columns - 1) * step + s->pixels_read.span,
                                           k.channels};
                rti_conv_copy(&w, buffer);
                k.a = buffer, k.pixel = k.channels, k.row = w.pixels * k.channels;
            } else {
                k.a = s->in + ((k.n * s->H + line) * s->W + pixel) * s->C + channel;
                k.pixel = s->C, k.row = s->W * s->C;
            }
            sweep_phases(s, &k);
        }
}

static void sweep_task(void *context, int64_t task) {
    _Alignas(64) rt_real buffer[RTI_CONV_BUFFER];
    sweep_lines(context, task, buffer);
}

/* ---- plans ---- */

static sweep forward(const rti_convolution *c) {
    return (sweep){
        .g = c,
        .tiles = rti_kernels()->conv,
        .phases = 1,
        .stride = c->stride,
        .H = c->H,
        .W = c->W,
        .C = c->C,
        .out_H = c->OH,
        .out_W = c->OW,
        .F = c->F,
        .c = c->C / c->groups,
        .f = c->F / c->groups,
    };
}

static sweep backward(const rti_convolution *c) {
    return (sweep){
        .g = c,
        .backward = true,
        .tiles = rti_kernels()->conv,
        .phases = c->stride,
        .stride = c->stride,
        .H = c->OH,
        .W = c->OW,
        .C = c->F,
        .out_H = c->H,
        .out_W = c->W,
        .F = c->C,
        .c = c->F / c->groups,
        .f = c->C / c->groups,
    };
}

/* Fills in what follows from taps and extents; returns the elements of the copy. */
static int64_t plan(sweep *s) {
    const int64_t step = s->backward ? 1 : s->stride;
    s->rows = row_axis(s, 0).out, s->columns = column_axis(s, 0).out;
    s->lines_read = view_of(s, row_axis), s->pixels_read = view_of(s, column_axis);
    s->vectors = rti_conv_vectors(s->tiles, s->f, s->columns);
    s->width = s->vectors * s->tiles->lanes;
    s->panels = (s->f + s->width - 1) / s->width;
    s->block = s->c;
    const view *l = &s->lines_read, *p = &s->pixels_read;
    s->copy = l->first < 0 || p->first < 0 || l->first + (s->rows - 1) * step + l->span > s->H ||
              p->first + (s->columns - 1) * step + p->span > s->W;
    const int64_t pixels = (s->columns - 1) * step + p->span;
    RT_ASSERT(step > 0 && l->span > 0 && pixels > 0 && s->columns > 0 && s->rows > 0 && s->block > 0,
              "a sweep over %lld rows and %lld columns", (long long)s->rows, (long long)s->columns);
    if (s->copy) {
        const int64_t fit = RTI_CONV_BUFFER / (l->span * pixels);
        if (s->block > fit) s->block = fit > 16 ? fit / 16 * 16 : fit > 1 ? fit : 1;
        s->lines = (RTI_CONV_BUFFER / (pixels * s->block) - l->span) / step + 1;
    } else {
        s->lines = 256 / s->columns + 1;
    }
    s->lines = s->lines < 1 ? 1 : s->lines < s->rows ? s->lines : s->rows;
    s->strips = (s->rows - 1) / s->lines + 1;
    s->lines = (s->rows + s->strips - 1) / s->strips; /* of equal height */
    s->strips = (s->rows - 1) / s->lines + 1;
    return s->copy ? ((s->lines - 1) * step + l->span) * pixels * s->block : 0;
}

static size_t weights_bytes(const sweep *s) {
    const int64_t count = s->g->groups * s->panels * s->g->KH * s->g->KW * s->c * s->width;
    return ((size_t)count * sizeof(rt_real) + 63) / 64 * 64;
}

/* The weights, and a buffer for one thread when the stack's is too small for one line of one channel. */
size_t rti_conv_sweep_bytes(const rti_convolution *c, bool is_forward) {
    if (!is_forward && rti_conv_spreads(c)) return rti_conv_spread_bytes(c);
    sweep s = is_forward ? forward(c) : backward(c);
    const int64_t buffer = plan(&s);
    return weights_bytes(&s) + (buffer > RTI_CONV_BUFFER ? (size_t)buffer * sizeof(rt_real) : 0);
}

static void run(sweep *s, const rti_epilogue *epilogue, void *scratch) {
    const rti_convolution *g = s->g;
    const int64_t buffer = plan(s), panels = g->groups * s->panels, tasks = g->N * s->strips;
    if (g->N == 0) return;
    if (epilogue) s->epilogue = *epilogue;
    s->weights = scratch;
    const double work = (double)(g->N * g->OH * g->OW) * (double)(g->F * g->KH * g->KW * s->c);
    if (buffer > RTI_CONV_BUFFER || work < ALONE) {
        rt_real stack[RTI_CONV_BUFFER];
        rt_real *large = (rt_real *)(void *)((char *)scratch + weights_bytes(s));
        for (int64_t i = 0; i < panels; i++) pack_panel(s, i);
        for (int64_t i = 0; i < tasks; i++) sweep_lines(s, i, buffer > RTI_CONV_BUFFER ? large : stack);
        return;
    }
    rti_parallel(panels, pack_panel, s);
    rti_parallel(tasks, sweep_task, s);
}

void rti_conv_forward(const rti_convolution *c, const rt_real *x, const rt_real *k, rt_real *y,
                      bool accumulate, const rti_epilogue *epilogue, void *scratch) {
    sweep s = forward(c);
    s.in = x, s.k = k, s.out = y, s.accumulate = accumulate;
    run(&s, epilogue, scratch);
}

void rti_conv_input_gradient(const rti_convolution *c, const rt_real *dy, const rt_real *k, rt_real *dx,
                             bool accumulate, const rti_epilogue *epilogue, void *scratch) {
    if (rti_conv_spreads(c)) {
        rti_conv_spread(c, dy, k, dx, accumulate, epilogue, scratch);
        return;
    }
    sweep s = backward(c);
    s.in = dy, s.k = k, s.out = dx, s.accumulate = accumulate;
    run(&s, epilogue, scratch);
}
