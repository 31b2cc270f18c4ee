/* views.c - see views.h.                                               Floor 6 (data)
 *
 * Rows of an image are copied through a table of columns, so that shift, flip and border cost one lookup a
 * pixel. What a crop uncovers is a black pixel of the raw image (or its mirror image), as in torchvision,
 * where padding comes ahead of normalisation; what cut-out takes away is 0 after normalisation, as in
 * DeVries and Taylor 2017, and the background where there is none. */
#include "data/views.h"

#include <math.h>

#include "kernels/kernels.h"

enum { WIDTH_MAX = 1024 };

/* ---- numbers from bytes ---- */

static rt_real scale_of(const rt_examples *e, int64_t c) {
    return (rt_real)(e->channels ? e->channel_scale[c] : e->scale);
}
static rt_real shift_of(const rt_examples *e, int64_t c) {
    return (rt_real)(e->channels ? e->channel_shift[c] : e->shift);
}

void rti_example_show(const rt_examples *e, int64_t example, rt_real *out) {
    int64_t D = e->features;
    if (!e->bytes) {
        for (int64_t d = 0; d < D; d++) out[d] = (rt_real)e->values[example * D + d];
        return;
    }
    int64_t planes = e->channels ? e->shape[0] : 1, plane = D / planes;
    for (int64_t c = 0; c < planes; c++)
        rti_bytes_to_real(plane, e->bytes + example * D + c * plane, scale_of(e, c), shift_of(e, c),
                          out + c * plane);
}

/* ---- which view ---- */

bool rti_augment_moves(const rt_augment *a) { return a->jitter || a->flip || a->crop || a->cutout; }

rt_status rti_augment_check(const rt_augment *a, const rt_examples *e, rt_error *error) {
    if (!(a->mixup >= 0 && a->mixup < INFINITY))
        return rt_fail(error, RT_VALUE, "mixup %g: 0 (none) or more is possible", a->mixup);
    if (!rti_augment_moves(a)) return RT_OK;
    const char *what = a->jitter ? "jitter" : a->crop ? "crop" : a->cutout ? "cutout" : "flip";
    int size = a->jitter ? a->jitter : a->crop ? a->crop : a->cutout;
    if (e->ndim != 3 || !e->bytes)
        return rt_fail(error, RT_UNSUPPORTED,
                       "%s: images are needed, these examples are %s; mixup is possible with them", what,
                       e->ndim == 3 ? "not bytes" : "rows of numbers");
    int64_t H = e->shape[1], W = e->shape[2], least = H < W ? H : W;
    if (W > WIDTH_MAX)
        return rt_fail(error, RT_UNSUPPORTED, "%s: images of up to %d columns are possible, these have %lld",
                       what, WIDTH_MAX, (long long)W);
    if (a->jitter < 0 || a->crop < 0 || a->cutout < 0)
        return rt_fail(error, RT_VALUE, "%s %d: 0 (none) or more is possible", what, size);
    if (a->jitter + a->crop >= least)
        return rt_fail(error, RT_UNSUPPORTED,
                       "jitter %d and crop %d: images that are larger than the shift are needed, these are "
                       "%lld x %lld",
                       a->jitter, a->crop, (long long)H, (long long)W);
    if (a->cutout > least)
        return rt_fail(error, RT_UNSUPPORTED, "cutout %d: larger than the images, which are %lld x %lld",
                       a->cutout, (long long)H, (long long)W);
    return RT_OK;
}

static int64_t shift_within(rt_rng *rng, int most) {
    return (int64_t)rt_rng_below(rng, 2 * (uint32_t)most + 1) - most;
}

rti_view rti_view_draw(const rt_augment *a, const rt_examples *e, uint64_t seed, uint64_t epoch,
                       uint64_t example) {
    rti_view v = {.reflect = a->reflect};
    if (a->jitter) {
        rt_rng rng = rt_rng_stream(seed, "jitter", epoch, example);
        v.dy = shift_within(&rng, a->jitter);
        v.dx = shift_within(&rng, a->jitter);
    }
    if (a->crop) {
        rt_rng rng = rt_rng_stream(seed, "crop", epoch, example);
        v.dy += shift_within(&rng, a->crop);
        v.dx += shift_within(&rng, a->crop);
    }
    if (a->flip) {
        rt_rng rng = rt_rng_stream(seed, "flip", epoch, example);
        v.flip = rt_rng_below(&rng, 2);
    }
    if (a->cutout) { /* the centre lies anywhere, so that squares at the border are cut off */
        rt_rng rng = rt_rng_stream(seed, "cutout", epoch, example);
        v.cut = a->cutout;
        v.cut_y = (int64_t)rt_rng_below(&rng, (uint32_t)e->shape[1]) - a->cutout / 2;
        v.cut_x = (int64_t)rt_rng_below(&rng, (uint32_t)e->shape[2]) - a->cutout / 2;
    }
    return v;
}

/* ---- showing it ---- */

/* Where position i of n comes from; -1: from outside. The border pixel is not repeated by a mirror. */
static int64_t source(int64_t i, int64_t n, bool reflect) {
    if (i >= 0 && i < n) return i;
    if (!reflect) return -1;
    return i < 0 ? -i : 2 * (n - 1) - i;
}

static void show_row(const uint8_t *from, const int16_t *column, int64_t W, rt_real scale, rt_real shift,
                     rt_real outside, rt_real *out) {
    for (int64_t x = 0; x < W; x++) {
        int at = column[x];
        rt_real value = (rt_real)from[at < 0 ? 0 : at] * scale + shift;
        out[x] = at < 0 ? outside : value;
    }
}

static void cut_out(const rti_view *v, int64_t H, int64_t W, rt_real blank, rt_real *out) {
    int64_t y0 = v->cut_y < 0 ? 0 : v->cut_y, y1 = v->cut_y + v->cut > H ? H : v->cut_y + v->cut;
    int64_t x0 = v->cut_x < 0 ? 0 : v->cut_x, x1 = v->cut_x + v->cut > W ? W : v->cut_x + v->cut;
    for (int64_t y = y0; y < y1; y++)
        for (int64_t x = x0; x < x1; x++) out[y * W + x] = blank;
}

void rti_view_show(const rti_view *v, const rt_examples *e, const uint8_t *image, rt_real *out) {
    int64_t H = e->shape[1], W = e->shape[2];
    int16_t column[WIDTH_MAX];
    for (int64_t x = 0; x < W; x++)
        column[x] = (int16_t)source((v->flip ? W - 1 - x : x) - v->dx, W, v->reflect);
    for (int64_t c = 0; c < e->shape[0]; c++, image += H * W, out += H * W) {
        rt_real scale = scale_of(e, c), shift = shift_of(e, c);
        rt_real outside = (rt_real)e->background * scale + shift;
        for (int64_t y = 0; y < H; y++) {
            int64_t row = source(y - v->dy, H, v->reflect);
            if (row < 0)
                rti_fill(W, outside, out + y * W);
            else
                show_row(image + row * W, column, W, scale, shift, outside, out + y * W);
        }
        if (v->cut) cut_out(v, H, W, e->channels ? 0 : outside, out);
    }
}

/* ---- mixup's lambda ---- */

static double draw_normal(rt_rng *rng) {
    double u = rt_rng_uniform(rng), v = rt_rng_uniform(rng);
    return sqrt(-2 * log(u > 0 ? u : 0x1p-53)) * cos(6.283185307179586 * v);
}

/* For a < 1: gamma(a) = gamma(a + 1) U^(1/a). */
static double draw_gamma(rt_rng *rng, double a) {
    double shape = a < 1 ? a + 1 : a, d = shape - 1.0 / 3, c = 1 / sqrt(9 * d), value = d;
    for (int tries = 0; tries < 1000; tries++) {
        double x = draw_normal(rng), v = 1 + c * x, u = rt_rng_uniform(rng);
        v = v * v * v;
        if (v <= 0 || !(log(u > 0 ? u : 0x1p-53) < 0.5 * x * x + d - d * v + d * log(v))) continue;
        value = d * v;
        break;
    }
    if (a >= 1) return value;
    double u = rt_rng_uniform(rng);
    return value * pow(u > 0 ? u : 0x1p-53, 1 / a);
}

double rti_draw_beta(rt_rng *rng, double a, double b) {
    double x = draw_gamma(rng, a), y = draw_gamma(rng, b);
    return x + y > 0 ? x / (x + y) : 0.5;
}
