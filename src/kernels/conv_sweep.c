/* conv_sweep.c - convolution's results: y forward, dx backward.        Floor 2 (kernels)
 *
 * Both are one thing, a sweep: out[q] = sum over taps t of in[q s + t's place] times t's weights. Forward a tap
 * is a place of the kernel. Backward, an input's row h = q s + r of phase r meets those kernel rows i with
 * r + p - i d divisible by s, and reads dy's row q + (r + p - i d) / s; so dx is s x s sweeps with stride 1,
 * each with its own taps and its own part of dx, and nothing is multiplied by zeros between rows of dy.
 *
 * 1. The weights are copied for the sweep's taps into panels, as wide as a tile, in the order of the sum.
 * 2. A task makes some lines of one image. It copies what they read of `in` to its stack, with zeros around
 *    it (not when nothing lies outside), as many channels at a time as fit.
 * 3. Tiles of a line's pixels are swept over the copy. Where taps of a line lie beside each other, as they
 *    do with one group and dilation 1, their channels are a single run: a 3 x 3 kernel is three runs of 3 C. */
#include <string.h>

#include "core/pool.h"
#include "kernels/conv_tiles.h"

enum { ALONE = 1 << 15 }; /* multiply-adds that one thread does by itself */

/* The taps along one direction by ascending place: tap m reads in[q s + in0 + m in_step], its weights are
 * k[k0 + m k_step]. */
typedef struct axis {
    int64_t taps, in0, in_step, k0, k_step;
    int64_t out, out0, out_step; /* how many q; q's place in the result */
    int64_t stride;
} axis;

typedef struct sweep {
    const rti_conv_tiles *tiles;
    const rt_real *in, *k;
    rt_real *out, *weights;
    int64_t N, H, W, C;      /* in */
    int64_t out_H, out_W, F; /* out */
    int64_t groups, c, f;    /* channels of a group, in and out */
    int64_t KW, k_c, k_f;    /* strides in k: a place, an input channel, an output channel */
    int64_t k_place;
    axis rows, columns;
    bool accumulate;
    rti_epilogue epilogue;
    bool copy;
    int64_t block;           /* channels at a time */
    int64_t lines, strips;   /* lines of a task; tasks of an image */
    int vectors;
    int64_t panels, panel_size;
} sweep;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t round_up(int64_t a, int64_t step) { return (a + step - 1) / step * step; }
static int64_t reach(const axis *a, int64_t out) {
    return (out - 1) * a->stride + (a->taps - 1) * a->in_step + 1;
}

/* ---- weights ---- */

/* One panel: for each block of channels, tap and channel a row of `width` weights, zeros beyond the last. */
static void pack_panel(void *context, int64_t task) {
    const sweep *s = context;
    const int64_t group = task / s->panels, width = s->vectors * s->tiles->lanes;
    const int64_t f0 = task % s->panels * width, count = least(s->f - f0, width);
    const bool forward = s->k_f == 1;
    rt_real *to = s->weights + task * s->panel_size;
    /* Forward the group's filters lie beside each other; backward its dy's channels do. */
    const rt_real *k = s->k + (forward ? group * s->f + f0 : group * s->c + f0 * s->k_f);
    for (int64_t c0 = 0; c0 < s->c; c0 += s->block)
        for (int64_t i = 0; i < s->rows.taps; i++)
            for (int64_t j = 0; j < s->columns.taps; j++) {
                const int64_t place = (s->rows.k0 + i * s->rows.k_step) * s->KW + s->columns.k0 +
                                      j * s->columns.k_step;
                for (int64_t c = c0; c < least(c0 + s->block, s->c); c++, to += width) {
                    const rt_real *from = k + place * s->k_place + c * s->k_c;
                    for (int64_t f = 0; f < count; f++) to[f] = from[f * s->k_f];
                    for (int64_t f = count; f < width; f++) to[f] = 0;
                }
            }
}

/* ---- copies with a border ---- */

void rti_conv_copy(const rti_conv_window *w, rt_real *to) {
    const int64_t first = w->pixel < 0 ? least(-w->pixel, w->pixels) : 0;
    const int64_t last = w->pixel + w->pixels > w->W ? w->W - w->pixel : w->pixels; /* may be below first */
    const int64_t row = w->pixels * w->channels;
    for (int64_t l = 0; l < w->lines; l++, to += row) {
        const int64_t line = w->line + l;
        if (line < 0 || line >= w->H || last <= first) {
            memset(to, 0, (size_t)row * sizeof *to);
            continue;
        }
        const rt_real *from = w->x + ((w->n * w->H + line) * w->W + w->pixel + first) * w->C + w->channel;
        rt_real *at = to + first * w->channels;
        memset(to, 0, (size_t)(first * w->channels) * sizeof *to);
        if (w->channels == w->C) memcpy(at, from, (size_t)((last - first) * w->C) * sizeof *to);
        else
            for (int64_t i = first; i < last; i++, at += w->channels, from += w->C)
                memcpy(at, from, (size_t)w->channels * sizeof *to);
        memset(to + last * w->channels, 0, (size_t)((w->pixels - last) * w->channels) * sizeof *to);
    }
}

/* ---- a task ---- */

/* A part of the sum for some lines: what the tiles read. */
typedef struct part {
    int64_t n, line, lines, group;
    const rt_real *a;         /* what the first pixel of the first line reads */
    int64_t pixel, row;       /* from pixel to pixel, from line to line of `in` */
    int64_t first, channels;  /* of the group's */
} part;

static void sweep_panel(const sweep *s, const part *k, int64_t panel) {
    const int64_t width = s->vectors * s->tiles->lanes, f0 = panel * width, taps = s->columns.taps;
    const bool joined = taps > 1 && s->columns.in_step == 1 && k->pixel == k->channels;
    const bool last = k->first + k->channels == s->c;
    const int64_t at = k->group * s->f + f0;
    const int columns = (int)least(s->f - f0, width), vectors = (columns - 1) / s->tiles->lanes + 1;
    rti_conv_job job = {
        .blocks = s->rows.taps,
        .runs = joined ? 1 : taps,
        .run = joined ? taps * k->channels : k->channels,
        .a_row = s->columns.stride * k->pixel,
        .a_step = 1,
        .a_run = s->columns.in_step * k->pixel,
        .a_block = s->rows.in_step * k->row,
        .b = s->weights + (k->group * s->panels + panel) * s->panel_size +
             k->first * s->rows.taps * taps * width,
        .b_step = width,
        .ldc = s->columns.out_step * s->F,
        .columns = columns,
        .from_zero = k->first == 0 && !s->accumulate,
        .relu = last && s->epilogue.relu,
        .bias = last && s->epilogue.bias ? s->epilogue.bias + at : NULL,
    };
    const int64_t pixels = s->columns.out, most = s->tiles->most[vectors - 1], count = (pixels - 1) / most + 1;
    for (int64_t l = 0; l < k->lines; l++) {
        const int64_t line = s->rows.out0 + (k->line + l) * s->rows.out_step;
        rt_real *c = s->out + ((k->n * s->out_H + line) * s->out_W + s->columns.out0) * s->F + at;
        const rt_real *a = k->a + l * s->rows.stride * k->row;
        for (int64_t i = 0; i < count; i++) {
            const int64_t pixel = pixels * i / count, next = pixels * (i + 1) / count;
            job.a = a + pixel * job.a_row;
            job.c = c + pixel * job.ldc;
            s->tiles->by_rows[vectors - 1][next - pixel - 1](&job);
        }
    }
}

static void sweep_lines(const sweep *s, int64_t task, rt_real *buffer) {
    part k = {.n = task / s->strips, .line = task % s->strips * s->lines};
    k.lines = least(s->lines, s->rows.out - k.line);
    const int64_t line = k.line * s->rows.stride + s->rows.in0, pixel = s->columns.in0;
    for (k.group = 0; k.group < s->groups; k.group++)
        for (k.first = 0; k.first < s->c; k.first += s->block) {
            k.channels = least(s->block, s->c - k.first);
            const int64_t channel = k.group * s->c + k.first;
            if (s->copy) {
                const rti_conv_window w = {s->in, s->H, s->W, s->C, k.n, line, pixel, channel,
                                           reach(&s->rows, k.lines), reach(&s->columns, s->columns.out),
                                           k.channels};
                rti_conv_copy(&w, buffer);
                k.a = buffer, k.pixel = k.channels, k.row = w.pixels * k.channels;
            } else {
                k.a = s->in + ((k.n * s->H + line) * s->W + pixel) * s->C + channel;
                k.pixel = s->C, k.row = s->W * s->C;
            }
            for (int64_t panel = 0; panel < s->panels; panel++) sweep_panel(s, &k, panel);
        }
}

static void sweep_task(void *context, int64_t task) {
    _Alignas(64) rt_real buffer[RTI_CONV_BUFFER];
    sweep_lines(context, task, buffer);
}

/* ---- plans ---- */

int rti_conv_vectors(const rti_conv_tiles *tiles, int64_t columns, int64_t rows) {
    const int64_t needed = (columns + tiles->lanes - 1) / tiles->lanes;
    int best = 1;
    for (int v = 2; v <= RTI_CONV_VECTORS_MOST && v <= needed; v++)
        if (tiles->most[v - 1] > 0 && (v == 2 || rows <= tiles->most[v - 1])) best = v;
    return best;
}

/* Fills in what follows from the taps and the extents; the buffer the sweep needs, in elements. */
static int64_t plan(sweep *s) {
    const axis *r = &s->rows, *q = &s->columns;
    s->vectors = rti_conv_vectors(s->tiles, s->f, q->out);
    const int64_t width = s->vectors * s->tiles->lanes;
    s->panels = (s->f + width - 1) / width;
    s->panel_size = r->taps * q->taps * s->c * width;
    s->block = s->c;
    if (r->taps * q->taps == 0) { /* a part of dx that no dy reaches */
        s->rows.taps = s->columns.taps = s->rows.in0 = s->columns.in0 = 0;
        s->lines = r->out, s->strips = 1;
        return 0;
    }
    s->copy = r->in0 < 0 || q->in0 < 0 || r->in0 + reach(r, r->out) > s->H ||
              q->in0 + reach(q, q->out) > s->W;
    if (!s->copy) {
        s->lines = least(r->out, 256 / q->out + 1);
        s->strips = (r->out - 1) / s->lines + 1;
        return 0;
    }
    const int64_t wide = reach(q, q->out), one = reach(r, 1) * wide;
    if (one * s->block > RTI_CONV_BUFFER) s->block = RTI_CONV_BUFFER / one;
    if (s->block > 16) s->block = s->block / 16 * 16;
    if (s->block < 1) s->block = 1;
    s->lines = (RTI_CONV_BUFFER / (wide * s->block) - reach(r, 1)) / r->stride + 1;
    if (s->lines < 1) s->lines = 1;
    s->strips = (r->out - 1) / least(s->lines, r->out) + 1;
    s->lines = (r->out + s->strips - 1) / s->strips;
    s->strips = (r->out - 1) / s->lines + 1;
    return reach(r, s->lines) * wide * s->block;
}

static size_t weights_bytes(const sweep *s) {
    return (size_t)round_up(s->groups * s->panels * s->panel_size * (int64_t)sizeof(rt_real), 64);
}

/* The weights, and a buffer for one thread when the stack's is too small for one line of one channel. */
static size_t scratch_bytes(sweep *s) {
    const int64_t buffer = plan(s);
    return weights_bytes(s) + (buffer > RTI_CONV_BUFFER ? (size_t)buffer * sizeof(rt_real) : 0);
}

static void run(sweep *s, void *scratch) {
    const int64_t buffer = plan(s);
    if (s->N == 0 || (s->rows.taps == 0 && s->accumulate && !s->epilogue.bias && !s->epilogue.relu)) return;
    s->weights = scratch;
    const int64_t panels = s->groups * s->panels, tasks = s->N * s->strips;
    const double work = (double)s->N * (double)(s->rows.out * s->columns.out) * (double)s->groups *
                        (double)(s->panels * s->panel_size);
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

/* ---- forward ---- */

static sweep forward(const rti_convolution *c) {
    const int64_t g = c->groups;
    return (sweep){
        .tiles = rti_kernels()->conv,
        .N = c->N, .H = c->H, .W = c->W, .C = c->C, .out_H = c->OH, .out_W = c->OW, .F = c->F,
        .groups = g, .c = c->C / g, .f = c->F / g,
        .KW = c->KW, .k_place = c->C / g * c->F, .k_c = c->F, .k_f = 1,
        .rows = {c->KH, -c->padding, c->dilation, 0, 1, c->OH, 0, 1, c->stride},
        .columns = {c->KW, -c->padding, c->dilation, 0, 1, c->OW, 0, 1, c->stride},
    };
}

void rti_conv_forward(const rti_convolution *c, const rt_real *x, const rt_real *k, rt_real *y,
                      bool accumulate, const rti_epilogue *epilogue, void *scratch) {
    sweep s = forward(c);
    s.in = x, s.k = k, s.out = y, s.accumulate = accumulate;
    if (epilogue) s.epilogue = *epilogue;
    run(&s, scratch);
}

/* ---- backward ---- */

/* The taps of phase r: i = i0 + m period, descending, so that places in dy ascend. */
static axis phase(const rti_convolution *c, int64_t kernel, int64_t size, int64_t r) {
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

/* Phase `number` of stride^2. */
static sweep backward(const rti_convolution *c, int64_t number) {
    const int64_t g = c->groups;
    return (sweep){
        .tiles = rti_kernels()->conv,
        .N = c->N, .H = c->OH, .W = c->OW, .C = c->F, .out_H = c->H, .out_W = c->W, .F = c->C,
        .groups = g, .c = c->F / g, .f = c->C / g,
        .KW = c->KW, .k_place = c->C / g * c->F, .k_c = 1, .k_f = c->F,
        .rows = phase(c, c->KH, c->H, number / c->stride),
        .columns = phase(c, c->KW, c->W, number % c->stride),
    };
}

void rti_conv_input_gradient(const rti_convolution *c, const rt_real *dy, const rt_real *k, rt_real *dx,
                             bool accumulate, const rti_epilogue *epilogue, void *scratch) {
    for (int64_t number = 0; number < c->stride * c->stride; number++) {
        sweep s = backward(c, number);
        if (s.rows.out == 0 || s.columns.out == 0) continue;
        s.in = dy, s.k = k, s.out = dx, s.accumulate = accumulate;
        if (epilogue) s.epilogue = *epilogue;
        run(&s, scratch);
    }
}

size_t rti_conv_sweep_bytes(const rti_convolution *c, bool is_forward) {
    if (is_forward) {
        sweep s = forward(c);
        return scratch_bytes(&s);
    }
    size_t most = 0;
    for (int64_t number = 0; number < c->stride * c->stride; number++) {
        sweep s = backward(c, number);
        if (s.rows.out == 0 || s.columns.out == 0) continue;
        const size_t bytes = scratch_bytes(&s);
        if (bytes > most) most = bytes;
    }
    return most;
}
