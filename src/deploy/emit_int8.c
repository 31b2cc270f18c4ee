/* emit_int8.c - the source in 8-bit integers.                          Floor 7 (deploy)
 *
 * The arithmetic is that of int8_run.c; see int8.h for what the numbers mean. */
#include <stdio.h>
#include <string.h>

#include "deploy/emit.h"

static const char common_text[] =
    "/* floor(v / 2^shift); >> of a negative number is left open by the standard. */\n"
    "static int64_t down(int64_t v, int shift) { return v >= 0 ? v >> shift : -((-v - 1) >> shift) - 1; }\n\n"
    "/* A wide sum becomes an output: rounded, zero added, clamped. low: zero after relu, else -128. */\n"
    "static int8_t result(int64_t sum, int shift, int32_t zero, int32_t low) {\n"
    "    const int64_t v = down(sum + (INT64_C(1) << (shift - 1)), shift) + zero;\n"
    "    return (int8_t)(v < low ? low : v > 127 ? 127 : v);\n"
    "}\n\n";

static const char step_text[] = "/* Where a step goes on: factors, the shift they share, its zero and lower "
                                "limit; the residual that is added. */\n"
                                "typedef struct goes_on {\n"
                                "    const int32_t *factor;\n"
                                "    int shift;\n"
                                "    int32_t zero, low;\n"
                                "    const int8_t *second;\n"
                                "    int32_t second_zero, second_factor;\n"
                                "} goes_on;\n\n";

static const char sum_text[] =
    "static int32_t linear_sum(const int8_t *x, int inputs, const int8_t *w, int32_t bias) {\n"
    "    int32_t sum = bias;\n"
    "    for (int d = 0; d < inputs; d++) sum += x[d] * w[d];\n"
    "    return sum;\n"
    "}\n\n"
    "static void logits_of(const int8_t *x, int inputs, const int8_t *w, const int32_t *b, const int32_t "
    "*factor,\n"
    "                      int shift, int classes, int32_t *y) {\n"
    "    for (int k = 0; k < classes; k++) {\n"
    "        const int64_t wide = (int64_t)linear_sum(x, inputs, w + k * inputs, b[k]) * factor[k];\n"
    "        const int64_t v = down(wide + (INT64_C(1) << (shift - 1)), shift);\n"
    "        y[k] = (int32_t)(v < -INT32_MAX ? -INT32_MAX : v > INT32_MAX ? INT32_MAX : v);\n"
    "    }\n"
    "}\n\n";

static const char linear_text[] =
    "static void linear(const int8_t *x, int inputs, const int8_t *w, const int32_t *b, int units, const "
    "goes_on *g,\n"
    "                   int8_t *y) {\n"
    "    for (int u = 0; u < units; u++) {\n"
    "        int64_t wide = (int64_t)linear_sum(x, inputs, w + u * inputs, b[u]) * g->factor[u];\n"
    "        if (g->second) wide += (int64_t)(g->second[u] - g->second_zero) * g->second_factor;\n"
    "        y[u] = result(wide, g->shift, g->zero, g->low);\n"
    "    }\n"
    "}\n\n";

static const char conv_text[] =
    "typedef struct conv_form {\n"
    "    int height, width, channels, out_height, out_width, filters, kernel, stride, padding, dilation, "
    "groups;\n"
    "    int32_t less; /* the zero of the input; 0 where it is in the bias */\n"
    "} conv_form;\n\n"
    "/* Pixels are (row, column, channel), w is (filter, row, column, channel in the group). */\n"
    "static int32_t conv_sum(const conv_form *c, const int8_t *x, const int8_t *w, int32_t bias, int oy, int "
    "ox,\n"
    "                        int f) {\n"
    "    const int in_group = c->channels / c->groups, first = f / (c->filters / c->groups) * in_group;\n"
    "    int32_t sum = bias;\n"
    "    for (int ky = 0; ky < c->kernel; ky++)\n"
    "        for (int kx = 0; kx < c->kernel; kx++) {\n"
    "            const int iy = oy * c->stride - c->padding + ky * c->dilation;\n"
    "            const int ix = ox * c->stride - c->padding + kx * c->dilation;\n"
    "            if (iy < 0 || iy >= c->height || ix < 0 || ix >= c->width) continue;\n"
    "            const int8_t *in = x + (iy * c->width + ix) * c->channels + first;\n"
    "            const int8_t *tap = w + ((f * c->kernel + ky) * c->kernel + kx) * in_group;\n"
    "            for (int i = 0; i < in_group; i++) sum += (in[i] - c->less) * tap[i];\n"
    "        }\n"
    "    return sum;\n"
    "}\n\n"
    "static void conv(const conv_form *c, const int8_t *x, const int8_t *w, const int32_t *b, const goes_on "
    "*g,\n"
    "                 int8_t *y) {\n"
    "    const int8_t *second = g->second;\n"
    "    for (int oy = 0; oy < c->out_height; oy++)\n"
    "        for (int ox = 0; ox < c->out_width; ox++)\n"
    "            for (int f = 0; f < c->filters; f++) {\n"
    "                int64_t wide = (int64_t)conv_sum(c, x, w, b[f], oy, ox, f) * g->factor[f];\n"
    "                if (second) wide += (int64_t)(*second++ - g->second_zero) * g->second_factor;\n"
    "                *y++ = result(wide, g->shift, g->zero, g->low);\n"
    "            }\n"
    "}\n\n";

static const char affine_text[] =
    "static void affine(const int8_t *x, int count, int channels, int32_t in_zero, const int64_t *offset,\n"
    "                   const goes_on *g, int8_t *y) {\n"
    "    for (int i = 0; i < count; i++) {\n"
    "        int64_t wide = (int64_t)(x[i] - in_zero) * g->factor[i % channels] + offset[i % channels];\n"
    "        if (g->second) wide += (int64_t)(g->second[i] - g->second_zero) * g->second_factor;\n"
    "        y[i] = result(wide, g->shift, g->zero, g->low);\n"
    "    }\n"
    "}\n\n";

static const char add_text[] =
    "static void add(const int8_t *x, int count, int32_t in_zero, const goes_on *g, int8_t *y) {\n"
    "    for (int i = 0; i < count; i++) {\n"
    "        const int64_t wide = (int64_t)(x[i] - in_zero) * g->factor[0] +\n"
    "                             (int64_t)(g->second[i] - g->second_zero) * g->second_factor;\n"
    "        y[i] = result(wide, g->shift, g->zero, g->low);\n"
    "    }\n"
    "}\n\n";

static const char table_text[] =
    "static void through_table(const int8_t *x, int count, const int8_t *table, int8_t *y) {\n"
    "    for (int i = 0; i < count; i++) y[i] = table[x[i] + 128];\n"
    "}\n\n";

static const char mean_text[] =
    "/* sum / count to the nearest, halves up; zero added. */\n"
    "static int8_t mean(int32_t sum, int32_t count, int32_t zero) {\n"
    "    const int64_t twice = 2 * (int64_t)sum + count, by = 2 * (int64_t)count;\n"
    "    const int64_t v = (twice >= 0 ? twice / by : -((-twice + by - 1) / by)) + zero;\n"
    "    return (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v);\n"
    "}\n\n";

static const char global_text[] =
    "static void mean_of_image(const int8_t *x, int pixels, int channels, int32_t zero, int8_t *y) {\n"
    "    for (int c = 0; c < channels; c++) {\n"
    "        int32_t sum = 0;\n"
    "        for (int p = 0; p < pixels; p++) sum += x[p * channels + c] - zero;\n"
    "        y[c] = mean(sum, pixels, zero);\n"
    "    }\n"
    "}\n\n";

static const char max_text[] =
    "static void max_pool(const int8_t *x, int height, int width, int channels, int size, int stride, int "
    "padding,\n"
    "                     int out_height, int out_width, int8_t *y) {\n"
    "    for (int oy = 0; oy < out_height; oy++)\n"
    "        for (int ox = 0; ox < out_width; ox++)\n"
    "            for (int c = 0; c < channels; c++) {\n"
    "                int8_t best = -128;\n"
    "                for (int k = 0; k < size * size; k++) {\n"
    "                    const int iy = oy * stride - padding + k / size, ix = ox * stride - padding + k % "
    "size;\n"
    "                    if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;\n"
    "                    if (x[(iy * width + ix) * channels + c] > best) best = x[(iy * width + ix) * "
    "channels + c];\n"
    "                }\n"
    "                *y++ = best;\n"
    "            }\n"
    "}\n\n";

static const char mean_pool_text[] =
    "/* Padding counts as zeros. */\n"
    "static void mean_pool(const int8_t *x, int height, int width, int channels, int size, int stride, int "
    "padding,\n"
    "                      int out_height, int out_width, int32_t zero, int8_t *y) {\n"
    "    for (int oy = 0; oy < out_height; oy++)\n"
    "        for (int ox = 0; ox < out_width; ox++)\n"
    "            for (int c = 0; c < channels; c++) {\n"
    "                int32_t sum = 0;\n"
    "                for (int k = 0; k < size * size; k++) {\n"
    "                    const int iy = oy * stride - padding + k / size, ix = ox * stride - padding + k % "
    "size;\n"
    "                    if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;\n"
    "                    sum += x[(iy * width + ix) * channels + c] - zero;\n"
    "                }\n"
    "                *y++ = mean(sum, size * size, zero);\n"
    "            }\n"
    "}\n\n";

static const char shortcut_text[] =
    "/* Every stride-th pixel; channels of zeros on both sides. */\n"
    "static void shortcut(const int8_t *x, int width, int channels, int stride, int out_height, int "
    "out_width,\n"
    "                     int filters, int32_t zero, int8_t *y) {\n"
    "    const int front = (filters - channels) / 2;\n"
    "    for (int oy = 0; oy < out_height; oy++)\n"
    "        for (int ox = 0; ox < out_width; ox++)\n"
    "            for (int f = 0; f < filters; f++) {\n"
    "                const int c = f - front;\n"
    "                *y++ = c < 0 || c >= channels ? (int8_t)zero\n"
    "                                              : x[(oy * stride * width + ox * stride) * channels + c];\n"
    "            }\n"
    "}\n\n";

static int linears(const rti_net *net) {
    int count = 0;
    for (int i = 0; i < net->count; i++) count += net->steps[i].kind == RTI_STEP_LINEAR;
    return count;
}

static void write_functions(const rti_emission *e) {
    const rti_net *net = e->net;
    const bool averages = rti_net_has_pool(net, RTI_POOL_GLOBAL) || rti_net_has_pool(net, RTI_POOL_AVG);
    const bool goes_on = linears(net) > 1 || rti_net_has(net, RTI_STEP_CONV) ||
                         rti_net_has(net, RTI_STEP_AFFINE) || rti_net_has(net, RTI_STEP_ADD);
    const struct {
        bool used;
        const char *text;
    } functions[] = {
        {true, NULL},
        {goes_on, step_text},
        {true, sum_text},
        {linears(net) > 1, linear_text},
        {rti_net_has(net, RTI_STEP_CONV), conv_text},
        {rti_net_has(net, RTI_STEP_AFFINE), affine_text},
        {rti_net_has(net, RTI_STEP_ADD), add_text},
        {rti_net_has(net, RTI_STEP_ACTIVATION), table_text},
        {averages, mean_text},
        {rti_net_has_pool(net, RTI_POOL_GLOBAL), global_text},
        {rti_net_has_pool(net, RTI_POOL_MAX), max_text},
        {rti_net_has_pool(net, RTI_POOL_AVG), mean_pool_text},
        {rti_net_has(net, RTI_STEP_SHORTCUT), shortcut_text},
    };
    const char *result = strstr(common_text, "/* A wide sum");
    if (goes_on)
        rti_text_append(e->out, common_text);
    else
        rti_text_append_bytes(e->out, common_text, (size_t)(result - common_text));
    for (int i = 1; i < RTI_COUNT(functions); i++)
        if (functions[i].used) rti_text_append(e->out, functions[i].text);
}

static void write_constants(const rti_emission *e) {
    const rti_net *net = e->net;
    for (int i = 0; i < net->count; i++) {
        const rti_step *s = &net->steps[i];
        const rti_int8_step *o = &e->int8->steps[i];
        const bool product = s->kind == RTI_STEP_LINEAR || s->kind == RTI_STEP_CONV;
        if (product) {
            rti_emit_integers(e->out, "int8_t", "weight", i, o->weight, 1, s->weights);
            rti_emit_integers(e->out, "int32_t", "bias", i, o->bias, 4, s->biases);
        }
        if (product || s->kind == RTI_STEP_AFFINE)
            rti_emit_integers(e->out, "int32_t", "factor", i, o->factor, 4, s->biases);
        if (s->kind == RTI_STEP_ADD) rti_emit_integers(e->out, "int32_t", "factor", i, o->factor, 4, 1);
        if (s->kind == RTI_STEP_AFFINE)
            rti_emit_integers(e->out, "int64_t", "offset", i, o->offset, 8, s->biases);
        if (s->kind == RTI_STEP_ACTIVATION) rti_emit_integers(e->out, "int8_t", "table", i, o->table, 1, 256);
        if (s->kind != RTI_STEP_INPUT) continue;
        if (net->bytes) {
            rti_emit_integers(e->out, "int8_t", "table", i, o->table, 1, 256 * net->form_count);
            continue;
        }
        for (int which = 0; which < 2; which++) {
            rti_text_printf(e->out, "static const float %s_0[%lld] = {", which ? "add" : "times",
                            (long long)net->form_count);
            for (int64_t k = 0; k < net->form_count; k++) {
                float a, b;
                rti_int8_number(e->int8, k, &a, &b);
                rti_text_printf(e->out, "%s%.9ef",
                                k == 0  ? "\n    "
                                : k % 6 ? ", "
                                        : ",\n    ",
                                (double)(which ? b : a));
            }
            rti_text_append(e->out, "\n};\n\n");
        }
    }
}

/* ---- the calls ---- */

static void write_input(const rti_emission *e) {
    const rti_net *net = e->net;
    const int64_t *r = net->raw_shape, pixels = r[1] * r[2], run = net->features / net->form_count;
    const bool turn = net->steps[0].shape[2] == r[0] && pixels > 1 && r[0] > 1;
    char entry[48] = "0", to[96] = "i";
    if (net->form_count > 1 && run > 1)
        snprintf(entry, sizeof entry, "i / %lld", (long long)run);
    else if (net->form_count > 1)
        snprintf(entry, sizeof entry, "i");
    if (turn)
        snprintf(to, sizeof to, "i %% %lld * %lld + i / %lld", (long long)pixels, (long long)r[0],
                 (long long)pixels);
    const long long at = (long long)net->steps[0].offset;
    if (net->bytes && net->form_count == 1)
        rti_text_printf(e->out,
                        "    for (int i = 0; i < %s_INPUTS; i++) scratch[%lld + %s] = table_0[x[i]];\n",
                        e->upper, at, to);
    else if (net->bytes)
        rti_text_printf(e->out,
                        "    for (int i = 0; i < %s_INPUTS; i++)\n"
                        "        scratch[%lld + %s] = table_0[256 * (%s) + x[i]];\n",
                        e->upper, at, to, entry);
    else
        rti_text_printf(
            e->out,
            "    for (int i = 0; i < %s_INPUTS; i++) {\n"
            "        /* exact in double, so that a fused multiply-add changes nothing */\n"
            "        const double v = (double)x[i] * (double)times_0[%s] + (double)add_0[%s];\n"
            "        scratch[%lld + %s] =\n"
            "            (int8_t)(v < -127.0 ? -128 : v >= 127.0 ? 127 : (int32_t)(v + 128.0) - 128);\n"
            "    }\n",
            e->upper, entry, entry, at, to);
}

static void write_goes_on(const rti_emission *e, int i) {
    const rti_step *s = &e->net->steps[i];
    const rti_int8_step *o = &e->int8->steps[i];
    char second[64] = "NULL";
    if (s->second != RTI_NO_STEP)
        snprintf(second, sizeof second, "scratch + %lld", (long long)e->net->steps[s->second].offset);
    rti_text_printf(e->out, "    const goes_on g_%d = {factor_%d, %d, %d, %d, %s, %d, %d};\n", i, i, o->shift,
                    (int)o->zero, s->relu ? (int)o->zero : -128, second,
                    s->second == RTI_NO_STEP ? 0 : (int)e->int8->steps[s->second].zero,
                    (int)o->second_factor);
}

static void write_conv(const rti_emission *e, int i) {
    const rti_step *s = &e->net->steps[i];
    rti_text_printf(e->out,
                    "    static const conv_form form_%d = {%lld, %lld, %lld, %lld, %lld, %lld, %d, %d, %d, "
                    "%d, %d, %d};\n",
                    i, (long long)s->in_shape[0], (long long)s->in_shape[1], (long long)s->in_shape[2],
                    (long long)s->shape[0], (long long)s->shape[1], (long long)s->shape[2], s->kernel,
                    s->stride, s->padding, s->dilation, s->groups,
                    s->padding ? (int)e->int8->steps[s->in].zero : 0);
    rti_text_printf(e->out,
                    "    conv(&form_%d, scratch + %lld, weight_%d, bias_%d, &g_%d, scratch + %lld);\n", i,
                    (long long)e->net->steps[s->in].offset, i, i, i, (long long)s->offset);
}

static void write_pool(const rti_emission *e, const rti_step *s, long long from, int zero) {
    if (s->pool == RTI_POOL_GLOBAL) {
        rti_text_printf(e->out, "    mean_of_image(scratch + %lld, %lld, %lld, %d, scratch + %lld);\n", from,
                        (long long)s->in_shape[0] * (long long)s->in_shape[1], (long long)s->in_shape[2],
                        zero, (long long)s->offset);
        return;
    }
    char last[16] = "";
    if (s->pool == RTI_POOL_AVG) snprintf(last, sizeof last, "%d, ", zero);
    rti_text_printf(e->out,
                    "    %s(scratch + %lld, %lld, %lld, %lld, %d, %d, %d, %lld, %lld, %sscratch + %lld);\n",
                    s->pool == RTI_POOL_MAX ? "max_pool" : "mean_pool", from, (long long)s->in_shape[0],
                    (long long)s->in_shape[1], (long long)s->in_shape[2], s->kernel, s->stride, s->padding,
                    (long long)s->shape[0], (long long)s->shape[1], last, (long long)s->offset);
}

static void write_step(const rti_emission *e, int i) {
    const rti_step *s = &e->net->steps[i];
    const long long from = s->in == RTI_NO_STEP ? 0 : (long long)e->net->steps[s->in].offset,
                    to = (long long)s->offset, size = (long long)rti_step_size(s);
    const int zero = s->in == RTI_NO_STEP ? 0 : (int)e->int8->steps[s->in].zero;
    if (s->kind == RTI_STEP_LINEAR && i == e->net->count - 1) {
        rti_text_printf(
            e->out, "    logits_of(scratch + %lld, %lld, weight_%d, bias_%d, factor_%d, %d, %lld, logits);\n",
            from, (long long)(s->weights / s->biases), i, i, i, e->int8->steps[i].shift,
            (long long)s->biases);
        return;
    }
    if (s->kind == RTI_STEP_LINEAR || s->kind == RTI_STEP_CONV || s->kind == RTI_STEP_AFFINE ||
        s->kind == RTI_STEP_ADD)
        write_goes_on(e, i);
    switch (s->kind) {
    case RTI_STEP_INPUT:
        write_input(e);
        break;
    case RTI_STEP_LINEAR:
        rti_text_printf(
            e->out, "    linear(scratch + %lld, %lld, weight_%d, bias_%d, %lld, &g_%d, scratch + %lld);\n",
            from, (long long)(s->weights / s->biases), i, i, (long long)s->biases, i, to);
        break;
    case RTI_STEP_CONV:
        write_conv(e, i);
        break;
    case RTI_STEP_AFFINE:
        rti_text_printf(e->out,
                        "    affine(scratch + %lld, %lld, %lld, %d, offset_%d, &g_%d, scratch + %lld);\n",
                        from, size, (long long)s->shape[2], zero, i, i, to);
        break;
    case RTI_STEP_ADD:
        rti_text_printf(e->out, "    add(scratch + %lld, %lld, %d, &g_%d, scratch + %lld);\n", from, size,
                        zero, i, to);
        break;
    case RTI_STEP_ACTIVATION:
        rti_text_printf(e->out, "    through_table(scratch + %lld, %lld, table_%d, scratch + %lld);\n", from,
                        size, i, to);
        break;
    case RTI_STEP_POOL:
        write_pool(e, s, from, zero);
        break;
    case RTI_STEP_SHORTCUT:
        rti_text_printf(
            e->out, "    shortcut(scratch + %lld, %lld, %lld, %d, %lld, %lld, %lld, %d, scratch + %lld);\n",
            from, (long long)s->in_shape[1], (long long)s->in_shape[2], s->stride, (long long)s->shape[0],
            (long long)s->shape[1], (long long)s->shape[2], zero, to);
        break;
    }
}

void rti_emit_int8_body(rti_emission *e) {
    rti_text_append(e->out, "#include <stddef.h>\n\n");
    write_functions(e);
    write_constants(e);
    rti_text_printf(e->out, "void %s_logits(const %s x[], int8_t scratch[], int32_t logits[]) {\n", e->name,
                    e->net->bytes ? "uint8_t" : "float");
    for (int i = 0; i < e->net->count; i++) write_step(e, i);
    rti_text_append(e->out, "}\n\n");
}
