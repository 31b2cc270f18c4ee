/* conv_tiles.c - how convolution is cut in tiles, and its copies.     Floor 2 (kernels) */
#include "kernels/conv_tiles.h"

#include <string.h>

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Half cycles for a step of all tiles, as measured where there are two loads and two multiply-adds a cycle: a
 * tile of r x v takes r v multiply-adds, r + v loads, and never less than a multiply-add takes to finish. */
static int64_t step_cost(const rti_conv_tiles *tiles, int64_t columns, int64_t rows, int vectors) {
    enum { CHAIN = 8 };
    const int64_t width = (int64_t)vectors * tiles->lanes;
    int64_t cost = 0;
    for (int64_t j = 0; j < columns; j += width) {
        const int64_t v = (least(columns - j, width) - 1) / tiles->lanes + 1, most = tiles->most[v - 1];
        const int64_t count = (rows - 1) / most + 1, r = rows / count;
        const int64_t products = rows * v, loads = rows + count * v;
        const int64_t chains = r * v < CHAIN ? count * CHAIN : 0;
        cost += products > loads ? (products > chains ? products : chains) : loads > chains ? loads : chains;
    }
    return cost;
}

int rti_conv_vectors(const rti_conv_tiles *tiles, int64_t columns, int64_t rows) {
    int best = 1;
    int64_t least_cost = step_cost(tiles, columns, rows, 1);
    for (int v = 2; v <= RTI_CONV_VECTORS_MOST && tiles->most[v - 1] > 0; v++) {
        const int64_t cost = step_cost(tiles, columns, rows, v);
        if (cost < least_cost) best = v, least_cost = cost;
    }
    return best;
}

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
