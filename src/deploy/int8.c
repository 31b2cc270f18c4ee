/* int8.c - from float steps to integer steps. See int8.h.              Floor 7 (deploy) */
#include "deploy/int8.h"

#include <math.h>
#include <string.h>

#include "kernels/int8_kernels.h"
#include "retort/alloc.h"

enum { Q_LOW = -128, Q_HIGH = 127, W_HIGH = 127, SUM_INPUTS_MAX = 65536, LOGIT_BITS = 23 };

/* ---- calibration ---- */

static void widen(void *context, int step, const float *values, int64_t count) {
    double *range = (double *)context + 2 * (int64_t)step;
    for (int64_t i = 0; i < count; i++) {
        if (!((double)values[i] >= range[0])) range[0] = (double)values[i];
        if (!((double)values[i] <= range[1])) range[1] = (double)values[i];
    }
}

rt_status rti_net_calibrate(const rti_net *net, const rt_part *part, int64_t count, double range[],
                            rt_error *error) {
    if (count > part->count) count = part->count;
    if (count < 1) return rt_fail(error, RT_VALUE, "calibration needs at least one example");
    float *scratch = rt_alloc((size_t)(net->scratch + net->features) * sizeof *scratch);
    if (!scratch) return rt_fail(error, RT_MEMORY, "no memory to calibrate with");
    for (int i = 0; i < 2 * net->count; i++) range[i] = 0;
    for (int64_t n = 0; n < count; n++) {
        const int64_t i = part->index[n * part->count / count];
        const void *raw = rti_net_raw(net, part->examples, i, scratch + net->scratch);
        rti_net_run(net, raw, scratch, widen, range);
    }
    rt_free(scratch);
    for (int i = 0; i < net->count; i++)
        if (!isfinite(range[2 * i]) || !isfinite(range[2 * i + 1]))
            return rt_fail(error, RT_NOT_FINITE, "step %s gives numbers that are not finite",
                           net->steps[i].name);
    return RT_OK;
}

/* ---- scales ---- */

void rti_int8_range(double low, double high, double *scale, int32_t *zero) {
    if (low > 0) low = 0;
    if (high < 0) high = 0;
    *scale = (high - low) / (Q_HIGH - Q_LOW);
    if (!(*scale > 1e-30)) *scale = 1;
    double z = round(Q_LOW - low / *scale);
    *zero = (int32_t)(z < Q_LOW ? Q_LOW : z > Q_HIGH ? Q_HIGH : z);
}

static int32_t clamp32(double x) {
    return (int32_t)(x < -2147483647.0 ? -2147483647.0 : x > 2147483647.0 ? 2147483647.0 : x);
}

static int8_t quantise(double real, double scale, int32_t zero) {
    double q = round(real / scale) + zero;
    return (int8_t)(q < Q_LOW ? Q_LOW : q > Q_HIGH ? Q_HIGH : q);
}

/* The largest shift with which factors up to `largest` fit 31 bits. */
static int shift_for(double largest) {
    int exponent = 0;
    frexp(largest > 1e-300 ? largest : 1e-300, &exponent); /* largest < 2^exponent */
    const int shift = 31 - exponent;
    return shift < 1 ? 1 : shift > 46 ? 46 : shift;
}

/* ---- memory ---- */

typedef struct shape {
    int64_t weights, biases, factors, offsets, tables;
} shape;

static shape shape_of(const rti_net *net, const rti_step *s) {
    shape n = {0};
    const bool product = s->kind == RTI_STEP_LINEAR || s->kind == RTI_STEP_CONV;
    if (product) n.weights = s->weights, n.biases = n.factors = s->biases;
    if (s->kind == RTI_STEP_AFFINE) n.factors = n.offsets = s->weights;
    if (s->kind == RTI_STEP_ADD) n.factors = 1;
    if (s->kind == RTI_STEP_ACTIVATION) n.tables = 256;
    if (s->kind == RTI_STEP_INPUT && net->bytes) n.tables = 256 * net->form_count;
    return n;
}

static size_t bytes_of(shape n) {
    return (size_t)n.weights + (size_t)n.tables + 4 * (size_t)(n.biases + n.factors) + 8 * (size_t)n.offsets;
}

static rt_status reserve(rti_int8 *q, rt_error *error) {
    const rti_net *net = q->net;
    size_t bytes = 0;
    for (int i = 0; i < net->count; i++) bytes += bytes_of(shape_of(net, &net->steps[i]));
    q->bytes = (int64_t)bytes;
    q->steps = rt_alloc_zero((size_t)net->count, sizeof *q->steps);
    q->block = rt_alloc_zero(bytes + 8 * (size_t)net->count, 1);
    if (!q->steps || !q->block) return rt_fail(error, RT_MEMORY, "no memory for the network in int8");
    unsigned char *at = q->block; /* the widest first: everything is aligned */
    for (int i = 0; i < net->count; i++) {
        q->steps[i].offset = (int64_t *)(void *)at;
        at += 8 * shape_of(net, &net->steps[i]).offsets;
    }
    for (int i = 0; i < net->count; i++) {
        const shape n = shape_of(net, &net->steps[i]);
        q->steps[i].factor = (int32_t *)(void *)at;
        q->steps[i].bias = q->steps[i].factor + n.factors;
        at += 4 * (n.factors + n.biases);
    }
    for (int i = 0; i < net->count; i++) {
        const shape n = shape_of(net, &net->steps[i]);
        q->steps[i].weight = (int8_t *)at;
        q->steps[i].table = q->steps[i].weight + n.weights;
        at += n.weights + n.tables;
    }
    return RT_OK;
}

/* Grouped convolutions have few inputs to a sum and are walked through one by one. */
static bool has_kernel(const rti_step *s) {
    return s->kind == RTI_STEP_LINEAR || (s->kind == RTI_STEP_CONV && s->groups == 1);
}

/* Weights and biases for the kernels, each part whole lines of 64 bytes. */
static rt_status reserve_kernels(rti_int8 *q, rt_error *error) {
    size_t bytes = 0;
    for (int i = 0; i < q->net->count; i++) {
        const rti_step *s = &q->net->steps[i];
        if (!has_kernel(s)) continue;
        bytes += (size_t)rti_int8_packed_bytes(s->biases, s->weights / s->biases);
        bytes += (size_t)rti_int8_base_count(s->biases) * sizeof(int32_t);
    }
    unsigned char *at = q->kernels = rt_alloc(bytes);
    if (!at) return rt_fail(error, RT_MEMORY, "no memory for the network in int8");
    for (int i = 0; i < q->net->count; i++) {
        const rti_step *s = &q->net->steps[i];
        if (!has_kernel(s)) continue;
        q->steps[i].base = (int32_t *)(void *)at;
        at += rti_int8_base_count(s->biases) * (int64_t)sizeof(int32_t);
        q->steps[i].packed = (int8_t *)at;
        at += rti_int8_packed_bytes(s->biases, s->weights / s->biases);
    }
    return RT_OK;
}

void rti_int8_free(rti_int8 *q) {
    if (!q) return;
    rt_free(q->steps);
    rt_free(q->block);
    rt_free(q->kernels);
    rt_free(q);
}

/* ---- steps ---- */

/* Weight i of output channel u, both as they are read here: LINEAR (units, D), CONV (F, K, K, C/groups). */
static float weight_at(const rti_step *s, int64_t u, int64_t i) {
    if (s->kind == RTI_STEP_LINEAR) return s->weight[u * (s->weights / s->biases) + i];
    return s->weight[i * s->biases + u];
}

/* The scale of channel u's weights. */
static double weight_scale(const rti_step *s, int64_t u) {
    double most = 0;
    for (int64_t i = 0; i < s->weights / s->biases; i++) {
        const double size = fabs((double)weight_at(s, u, i));
        if (size > most) most = size; /* reduced with fmax, gcc 12 for aarch64 breaks off */
    }
    return most > 1e-30 ? most / W_HIGH : 1;
}

/* Without padding the zero of the input is a constant of the sum, and goes into the bias. */
static void make_product(const rti_int8 *q, int number) {
    const rti_step *s = &q->net->steps[number];
    rti_int8_step *o = &q->steps[number];
    const rti_int8_step *in = &q->steps[s->in];
    const int64_t units = s->biases, inputs = s->weights / s->biases;
    const double second = s->second == RTI_NO_STEP ? 0 : q->steps[s->second].scale / o->scale;
    double largest = second;
    for (int64_t u = 0; u < units; u++) {
        const double factor = in->scale * weight_scale(s, u) / o->scale;
        if (factor > largest) largest = factor;
    }
    o->shift = shift_for(largest);
    o->second_factor = clamp32(round(ldexp(second, o->shift)));
    for (int64_t u = 0; u < units; u++) {
        const double scale = weight_scale(s, u);
        int64_t sum = 0;
        for (int64_t i = 0; i < inputs; i++) {
            const int8_t w = (int8_t)round((double)weight_at(s, u, i) / scale);
            o->weight[u * inputs + i] = w;
            sum += w;
        }
        const double bias = round((double)s->bias[u] / (in->scale * scale));
        o->bias[u] = clamp32(s->padding ? bias : bias - (double)(in->zero * sum));
        o->factor[u] = clamp32(round(ldexp(in->scale * scale / o->scale, o->shift)));
    }
    if (!o->packed) return;
    rti_int8_pack(units, inputs, o->weight, o->bias, o->packed, o->base);
    for (int64_t u = 0; s->padding && u < units; u++) { /* what is beyond the edge is filled up with zero */
        uint32_t sum = 0;
        for (int64_t i = 0; i < inputs; i++) sum += (uint32_t)o->weight[u * inputs + i];
        o->base[u] = (int32_t)((uint32_t)o->base[u] - (uint32_t)in->zero * sum);
    }
}

static void make_affine(const rti_int8 *q, int number) {
    const rti_step *s = &q->net->steps[number];
    rti_int8_step *o = &q->steps[number];
    const rti_int8_step *in = &q->steps[s->in];
    const double second = s->second == RTI_NO_STEP ? 0 : q->steps[s->second].scale / o->scale;
    double largest = second;
    for (int64_t c = 0; c < s->weights; c++) {
        const double factor = fabs((double)s->weight[c]) * in->scale / o->scale;
        if (factor > largest) largest = factor;
    }
    o->shift = shift_for(largest);
    o->second_factor = clamp32(round(ldexp(second, o->shift)));
    for (int64_t c = 0; c < s->weights; c++) {
        o->factor[c] = clamp32(round(ldexp((double)s->weight[c] * in->scale / o->scale, o->shift)));
        const double offset = round(ldexp((double)s->bias[c] / o->scale, o->shift));
        o->offset[c] = (int64_t)fmax(-4.0e18, fmin(4.0e18, offset));
    }
}

static void make_add(const rti_int8 *q, int number) {
    const rti_step *s = &q->net->steps[number];
    rti_int8_step *o = &q->steps[number];
    const double first = q->steps[s->in].scale / o->scale, second = q->steps[s->second].scale / o->scale;
    o->shift = shift_for(fmax(first, second));
    o->factor[0] = clamp32(round(ldexp(first, o->shift)));
    o->second_factor = clamp32(round(ldexp(second, o->shift)));
}

static void make_input(const rti_int8 *q) {
    rti_int8_step *o = &q->steps[0];
    const rti_net *net = q->net;
    for (int64_t i = 0; net->bytes && i < net->form_count; i++)
        for (int b = 0; b < 256; b++)
            o->table[256 * i + b] = quantise(net->scale[i] * b + net->shift[i], o->scale, o->zero);
}

static void make_table(const rti_int8 *q, int number) {
    const rti_step *s = &q->net->steps[number];
    const rti_int8_step *in = &q->steps[s->in];
    rti_int8_step *o = &q->steps[number];
    for (int b = 0; b < 256; b++) {
        const double x = in->scale * (b + Q_LOW - in->zero);
        o->table[b] = quantise(rti_activation_value(s->activation, x), o->scale, o->zero);
    }
}

static rt_status check(const rti_net *net, rt_error *error) {
    const rti_step *last = &net->steps[net->count - 1];
    if (last->kind != RTI_STEP_LINEAR || last->relu || last->second != RTI_NO_STEP)
        return rt_fail(error, RT_UNSUPPORTED,
                       "int8 needs a network that ends in a linear layer; this one ends "
                       "in %s",
                       last->name);
    for (int i = 0; i < net->count; i++) {
        const rti_step *s = &net->steps[i];
        const bool product = s->kind == RTI_STEP_LINEAR || s->kind == RTI_STEP_CONV;
        if (product && s->weights / s->biases > SUM_INPUTS_MAX)
            return rt_fail(error, RT_UNSUPPORTED,
                           "layer %s adds up %lld products; in 32 bits %d are possible", s->name,
                           (long long)(s->weights / s->biases), SUM_INPUTS_MAX);
    }
    return RT_OK;
}

/* Pooling and shortcuts move numbers about: their scale is that of what they read. */
static void make_scale(const rti_int8 *q, int i, const double range[]) {
    const rti_step *s = &q->net->steps[i];
    rti_int8_step *o = &q->steps[i];
    if (s->kind == RTI_STEP_POOL || s->kind == RTI_STEP_SHORTCUT) {
        o->scale = q->steps[s->in].scale;
        o->zero = q->steps[s->in].zero;
    } else if (i == q->net->count - 1) {
        const double most = fmax(fabs(range[2 * i]), fabs(range[2 * i + 1]));
        o->scale = ldexp(most > 1e-30 ? most : 1, -LOGIT_BITS);
    } else {
        rti_int8_range(range[2 * i], range[2 * i + 1], &o->scale, &o->zero);
    }
}

rti_int8 *rti_int8_new(const rti_net *net, const double range[], rt_error *error) {
    if (check(net, error) != RT_OK) return NULL;
    rti_int8 *q = rt_alloc_zero(1, sizeof *q);
    if (!q) {
        rt_fail(error, RT_MEMORY, "no memory for the network in int8");
        return NULL;
    }
    q->net = net;
    if (reserve(q, error) != RT_OK || reserve_kernels(q, error) != RT_OK) {
        rti_int8_free(q);
        return NULL;
    }
    q->scratch = net->scratch;
    for (int i = 0; i < net->count; i++) { /* the patch that one pixel of a convolution reads */
        const rti_step *s = &net->steps[i];
        const int64_t inputs = s->kind == RTI_STEP_CONV ? s->weights / s->biases : 0;
        if (net->scratch + inputs > q->scratch) q->scratch = net->scratch + inputs;
    }
    for (int i = 0; i < net->count; i++) {
        make_scale(q, i, range);
        switch (net->steps[i].kind) {
        case RTI_STEP_INPUT:
            make_input(q);
            break;
        case RTI_STEP_LINEAR:
        case RTI_STEP_CONV:
            make_product(q, i);
            break;
        case RTI_STEP_AFFINE:
            make_affine(q, i);
            break;
        case RTI_STEP_ADD:
            make_add(q, i);
            break;
        case RTI_STEP_ACTIVATION:
            make_table(q, i);
            break;
        case RTI_STEP_POOL:
        case RTI_STEP_SHORTCUT:
            break;
        }
    }
    return q;
}
