/* int8_run.c - the steps in integers, one example.                     Floor 7 (deploy)
 *
 * The same arithmetic as in the C that is written out (emit_int8.c); there it is to be read, here it is to be
 * counted with. */
#include <string.h>

#include "core/pool.h"
#include "deploy/int8.h"
#include "kernels/int8_kernels.h"
#include "retort/alloc.h"

/* floor(v / 2^shift), which >> promises for no negative number. */
static int64_t down(int64_t v, int shift) { return v >= 0 ? v >> shift : -((-v - 1) >> shift) - 1; }

static int8_t clamp8(int64_t v, int32_t low) { return (int8_t)(v < low ? low : v > 127 ? 127 : v); }

/* A sum at the scale of the shift becomes an output. */
static int8_t result(const rti_int8_step *o, bool relu, int64_t sum) {
    const int64_t v = down(sum + ((int64_t)1 << (o->shift - 1)), o->shift) + o->zero;
    return clamp8(v, relu ? o->zero : -128);
}

/* a / b to the nearest, halves up. */
static int64_t mean(int64_t sum, int64_t count) {
    RT_ASSERT(count > 0, "a mean of %lld numbers", (long long)count);
    const int64_t twice = 2 * sum + count, by = 2 * count;
    return twice >= 0 ? twice / by : -((-twice + by - 1) / by);
}

void rti_int8_number(const rti_int8 *q, int64_t entry, float *a, float *b) {
    const rti_int8_step *o = &q->steps[0];
    *a = (float)(q->net->scale[entry] / o->scale);
    *b = (float)(q->net->shift[entry] / o->scale + o->zero + 0.5);
}

/* Pixels whose order stays: from entry to entry of the form, a table each. */
static void run_pixels(const rti_int8 *q, const uint8_t *raw, int8_t *y) {
    const int64_t run = q->net->features / q->net->form_count;
    for (int64_t e = 0; e < q->net->form_count; e++)
        rti_kernels_int8()->look_up(run, q->steps[0].table + 256 * e, raw + run * e, y + run * e);
}

static void run_input(const rti_int8 *q, const void *raw, int8_t *y) {
    const rti_net *net = q->net;
    const rti_int8_step *o = &q->steps[0];
    const int64_t C = net->raw_shape[0], pixels = net->raw_shape[1] * net->raw_shape[2];
    const bool turn = net->steps[0].shape[2] == C;
    const int64_t run = net->features / net->form_count;
    if (net->bytes && (!turn || C == 1)) {
        run_pixels(q, raw, y);
        return;
    }
    for (int64_t c = 0; c < C; c++)
        for (int64_t p = 0; p < pixels; p++) {
            const int64_t i = c * pixels + p, to = turn ? p * C + c : i;
            if (net->bytes) {
                y[to] = o->table[256 * (i / run) + ((const uint8_t *)raw)[i]];
                continue;
            }
            float a, b;
            rti_int8_number(q, i / run, &a, &b);
            /* the product is exact in double, so a fused multiply-add gives the same bits */
            const double v = (double)((const float *)raw)[i] * (double)a + (double)b;
            y[to] = v < -127 ? -128 : v >= 127 ? 127 : clamp8((int64_t)(v + 128) - 128, -128);
        }
}

/* The sums of a block of units over the numbers at x. Returns how many units. */
static int64_t block_sums(const rti_step *s, const rti_int8_step *o, const int8_t *x, int64_t first,
                          int32_t sums[RTI_INT8_BLOCK]) {
    const int64_t D = s->weights / s->biases, left = s->biases - first;
    const int64_t units = left < RTI_INT8_BLOCK ? left : RTI_INT8_BLOCK;
    const int panels = (int)((units + RTI_INT8_PANEL - 1) / RTI_INT8_PANEL);
    const int8_t *packed = o->packed + rti_int8_packed_bytes(first, D);
    rti_kernels_int8()->sums(D, panels, x, packed, o->base + first, sums);
    return units;
}

/* Sums become outputs, with what a residual adds. r: those of the same outputs; NULL: none. */
static void give(const rti_int8 *q, int i, int64_t first, int64_t count, const int32_t *sums, const int8_t *r,
                 int8_t *y) {
    const rti_step *s = &q->net->steps[i];
    const rti_int8_step *o = &q->steps[i];
    if (!r) {
        rti_kernels_int8()->requantise(count, sums, o->factor + first, o->shift, o->zero,
                                       s->relu ? o->zero : -128, y);
        return;
    }
    for (int64_t u = 0; u < count; u++) {
        const int64_t more = (int64_t)(r[u] - q->steps[s->second].zero) * o->second_factor;
        y[u] = result(o, s->relu, (int64_t)sums[u] * o->factor[first + u] + more);
    }
}

/* All outputs of a linear layer, or of a convolution at one pixel. */
static void run_pixel(const rti_int8 *q, int i, const int8_t *x, const int8_t *r, int8_t *y) {
    const rti_step *s = &q->net->steps[i];
    int32_t sums[RTI_INT8_BLOCK];
    for (int64_t first = 0, count; first < s->biases; first += count) {
        count = block_sums(s, &q->steps[i], x, first, sums);
        give(q, i, first, count, sums, r ? r + first : NULL, y + first);
    }
}

static int32_t conv_sum(const rti_step *s, const rti_int8_step *o, const int8_t *x, int32_t zero, int64_t oy,
                        int64_t ox, int64_t f) {
    const int64_t H = s->in_shape[0], W = s->in_shape[1], C = s->in_shape[2];
    const int64_t CG = C / s->groups, first = f / (s->shape[2] / s->groups) * CG, K = s->kernel;
    const int32_t less = s->padding ? zero : 0;
    int32_t sum = o->bias[f];
    for (int64_t ky = 0; ky < K; ky++)
        for (int64_t kx = 0; kx < K; kx++) {
            const int64_t iy = oy * s->stride - s->padding + ky * s->dilation,
                          ix = ox * s->stride - s->padding + kx * s->dilation;
            if (iy < 0 || iy >= H || ix < 0 || ix >= W) continue;
            const int8_t *in = x + (iy * W + ix) * C + first, *w = o->weight + ((f * K + ky) * K + kx) * CG;
            for (int64_t c = 0; c < CG; c++) sum += (in[c] - less) * w[c];
        }
    return sum;
}

/* What one pixel reads, as the weights stand (K, K, C); beyond the edges zero. */
static void gather(const rti_step *s, const int8_t *x, int32_t zero, int64_t p, int8_t *patch) {
    const int64_t H = s->in_shape[0], W = s->in_shape[1], C = s->in_shape[2], K = s->kernel;
    const int64_t top = p / s->shape[1] * s->stride - s->padding;
    const int64_t left = p % s->shape[1] * s->stride - s->padding;
    for (int64_t ky = 0; ky < K; ky++)
        for (int64_t kx = 0; kx < K; kx++, patch += C) {
            const int64_t iy = top + ky * s->dilation, ix = left + kx * s->dilation;
            if (iy < 0 || iy >= H || ix < 0 || ix >= W)
                memset(patch, zero, (size_t)C);
            else
                memcpy(patch, x + (iy * W + ix) * C, (size_t)C);
        }
}

static void run_conv(const rti_int8 *q, int i, const int8_t *x, const int8_t *r, int8_t *y, int8_t *patch) {
    const rti_step *s = &q->net->steps[i];
    const int64_t F = s->shape[2], pixels = s->shape[0] * s->shape[1];
    for (int64_t p = 0; p < pixels; p++, y += F) {
        gather(s, x, q->steps[s->in].zero, p, patch);
        run_pixel(q, i, patch, s->second == RTI_NO_STEP ? NULL : r + p * F, y);
    }
}

static void run_grouped_conv(const rti_int8 *q, int i, const int8_t *x, const int8_t *r, int8_t *y) {
    const rti_step *s = &q->net->steps[i];
    const rti_int8_step *o = &q->steps[i];
    const bool adds = s->second != RTI_NO_STEP;
    const int32_t zero = q->steps[s->in].zero, second_zero = adds ? q->steps[s->second].zero : 0;
    const int64_t F = s->shape[2], pixels = s->shape[0] * s->shape[1];
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t f = 0; f < F; f++) {
            const int32_t sum = conv_sum(s, o, x, zero, p / s->shape[1], p % s->shape[1], f);
            int64_t wide = (int64_t)sum * o->factor[f];
            if (adds) wide += (int64_t)(r[p * F + f] - second_zero) * o->second_factor;
            y[p * F + f] = result(o, s->relu, wide);
        }
}

static void run_affine(const rti_int8 *q, int i, const int8_t *x, const int8_t *r, int8_t *y) {
    const rti_step *s = &q->net->steps[i];
    const rti_int8_step *o = &q->steps[i];
    const bool adds = s->second != RTI_NO_STEP;
    const int32_t zero = q->steps[s->in].zero, second_zero = adds ? q->steps[s->second].zero : 0;
    const int64_t count = rti_step_size(s), C = s->shape[2];
    for (int64_t k = 0; k < count; k++) {
        int64_t wide = (int64_t)(x[k] - zero) * o->factor[s->kind == RTI_STEP_ADD ? 0 : k % C];
        if (s->kind == RTI_STEP_AFFINE) wide += o->offset[k % C];
        if (adds) wide += (int64_t)(r[k] - second_zero) * o->second_factor;
        y[k] = result(o, s->relu, wide);
    }
}

static void run_global(const rti_step *s, int32_t zero, const int8_t *x, int8_t *y) {
    const int64_t pixels = s->in_shape[0] * s->in_shape[1], C = s->in_shape[2];
    for (int64_t c = 0; c < C; c++) {
        int32_t sum = 0;
        for (int64_t p = 0; p < pixels; p++) sum += x[p * C + c] - zero;
        y[c] = clamp8(mean(sum, pixels) + zero, s->relu ? zero : -128);
    }
}

static void run_pool(const rti_step *s, int32_t zero, const int8_t *x, int8_t *y) {
    const int64_t H = s->in_shape[0], W = s->in_shape[1], C = s->in_shape[2], K = s->kernel;
    const bool max = s->pool == RTI_POOL_MAX;
    if (s->pool == RTI_POOL_GLOBAL) {
        run_global(s, zero, x, y);
        return;
    }
    for (int64_t oy = 0; oy < s->shape[0]; oy++)
        for (int64_t ox = 0; ox < s->shape[1]; ox++)
            for (int64_t c = 0; c < C; c++) {
                int8_t best = -128;
                int32_t sum = 0;
                for (int64_t k = 0; k < K * K; k++) {
                    const int64_t iy = oy * s->stride - s->padding + k / K,
                                  ix = ox * s->stride - s->padding + k % K;
                    if (iy < 0 || iy >= H || ix < 0 || ix >= W) continue;
                    const int8_t v = x[(iy * W + ix) * C + c];
                    sum += v - zero;
                    if (v > best) best = v;
                }
                y[(oy * s->shape[1] + ox) * C + c] = max ? best : clamp8(mean(sum, K * K) + zero, -128);
            }
}

static void run_shortcut(const rti_step *s, int32_t zero, const int8_t *x, int8_t *y) {
    const int64_t W = s->in_shape[1], C = s->in_shape[2], F = s->shape[2], front = (F - C) / 2;
    for (int64_t oy = 0; oy < s->shape[0]; oy++)
        for (int64_t ox = 0; ox < s->shape[1]; ox++)
            for (int64_t f = 0; f < F; f++) {
                const int64_t c = f - front;
                y[(oy * s->shape[1] + ox) * F + f] = c < 0 || c >= C
                                                         ? (int8_t)zero
                                                         : x[(oy * s->stride * W + ox * s->stride) * C + c];
            }
}

static void run_table(const rti_step *s, const rti_int8_step *o, const int8_t *x, int8_t *y) {
    const int64_t count = rti_step_size(s);
    for (int64_t k = 0; k < count; k++) y[k] = o->table[x[k] + 128];
}

static int run_logits(const rti_int8 *q, const int8_t *x, int32_t *logits) {
    const int last = q->net->count - 1;
    const rti_step *s = &q->net->steps[last];
    const rti_int8_step *o = &q->steps[last];
    int best = 0;
    int32_t sums[RTI_INT8_BLOCK];
    for (int64_t k = 0; k < s->shape[2]; k++) {
        if (k % RTI_INT8_BLOCK == 0) block_sums(s, o, x, k, sums);
        const int64_t wide = (int64_t)sums[k % RTI_INT8_BLOCK] * o->factor[k];
        const int64_t v = down(wide + ((int64_t)1 << (o->shift - 1)), o->shift);
        logits[k] = (int32_t)(v < -INT32_MAX ? -INT32_MAX : v > INT32_MAX ? INT32_MAX : v);
        if (logits[k] > logits[best]) best = (int)k;
    }
    return best;
}

int rti_int8_run(const rti_int8 *q, const void *raw, int8_t *scratch, int32_t *logits) {
    const rti_net *net = q->net;
    for (int i = 0; i < net->count - 1; i++) {
        const rti_step *s = &net->steps[i];
        const int8_t *x = scratch + net->steps[s->in == RTI_NO_STEP ? i : s->in].offset,
                     *r = scratch + net->steps[s->second == RTI_NO_STEP ? i : s->second].offset;
        const int32_t zero = s->in == RTI_NO_STEP ? 0 : q->steps[s->in].zero;
        int8_t *y = scratch + s->offset;
        switch (s->kind) {
        case RTI_STEP_INPUT:
            run_input(q, raw, y);
            break;
        case RTI_STEP_LINEAR:
            run_pixel(q, i, x, s->second == RTI_NO_STEP ? NULL : r, y);
            break;
        case RTI_STEP_CONV:
            if (q->steps[i].packed)
                run_conv(q, i, x, r, y, scratch + net->scratch);
            else
                run_grouped_conv(q, i, x, r, y);
            break;
        case RTI_STEP_AFFINE:
        case RTI_STEP_ADD:
            run_affine(q, i, x, r, y);
            break;
        case RTI_STEP_ACTIVATION:
            run_table(s, &q->steps[i], x, y);
            break;
        case RTI_STEP_POOL:
            run_pool(s, zero, x, y);
            break;
        case RTI_STEP_SHORTCUT:
            run_shortcut(s, zero, x, y);
            break;
        }
    }
    return run_logits(q, scratch + net->steps[net->steps[net->count - 1].in].offset, logits);
}

enum { CHUNK = 64 };

typedef struct evaluation {
    const rti_int8 *q;
    const rt_part *part;
    uint8_t *predictions;
    char *memory; /* (chunks, each) */
    size_t each;
    int64_t *wrong; /* (chunks) */
} evaluation;

static void evaluate_chunk(void *context, int64_t chunk) {
    const evaluation *e = context;
    const rti_net *net = e->q->net;
    char *memory = e->memory + (size_t)chunk * e->each;
    float *row = (float *)(void *)memory;
    int32_t *logits = (int32_t *)(void *)(memory + (size_t)net->features * sizeof *row);
    int8_t *scratch = (int8_t *)(logits + net->classes);
    int64_t end = (chunk + 1) * CHUNK;
    if (end > e->part->count) end = e->part->count;
    for (int64_t n = chunk * CHUNK; n < end; n++) {
        const void *raw = rti_net_raw(net, e->part->examples, e->part->index[n], row);
        const int said = rti_int8_run(e->q, raw, scratch, logits);
        e->wrong[chunk] += said != e->part->labels[n];
        if (e->predictions) e->predictions[n] = (uint8_t)said;
    }
}

rt_status rti_int8_evaluate(const rti_int8 *q, const rt_part *part, int64_t *errors, uint8_t *predictions,
                            rt_error *error) {
    const int64_t chunks = (part->count + CHUNK - 1) / CHUNK;
    const size_t own = (size_t)q->net->features * sizeof(float) + (size_t)q->net->classes * sizeof(int32_t) +
                       (size_t)q->scratch;
    evaluation e = {.q = q, .part = part, .predictions = predictions, .each = (own + 63) / 64 * 64};
    e.memory = rt_alloc((size_t)chunks * e.each + 1);
    e.wrong = rt_alloc_zero((size_t)chunks + 1, sizeof *e.wrong);
    *errors = 0;
    if (e.memory && e.wrong) {
        rti_parallel(chunks, evaluate_chunk, &e);
        for (int64_t c = 0; c < chunks; c++) *errors += e.wrong[c];
    }
    rt_status status = e.memory && e.wrong ? RT_OK
                                           : rt_fail(error, RT_MEMORY, "no memory to evaluate in int8");
    rt_free(e.memory);
    rt_free(e.wrong);
    return status;
}
