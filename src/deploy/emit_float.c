/* emit_float.c - the source in float.                                  Floor 7 (deploy)
 *
 * A few small functions, the constants, and one function that calls the steps in order. Products run along
 * the outputs, so that a compiler can use vectors without changing the order of any sum, and inputs that are
 * 0 (most pixels of a digit, half of what relu says) cost nothing. */
#include <stdio.h>
#include <string.h>

#include "deploy/emit.h"
#include "retort/alloc.h"

static const char linear_text[] =
    "/* y = b + x W; W: inputs x units. Inputs that are 0 are left out. */\n"
    "static void linear(const float *x, int inputs, const float *w, const float *b, int units, float *y) {\n"
    "    for (int u = 0; u < units; u++) y[u] = b[u];\n"
    "    for (int d = 0; d < inputs; d++, w += units) {\n"
    "        const float v = x[d];\n"
    "        if (v > 0.0f || v < 0.0f)\n"
    "            for (int u = 0; u < units; u++) y[u] += v * w[u];\n"
    "    }\n"
    "}\n\n";

static const char conv_text[] =
    "typedef struct conv_form {\n"
    "    int height, width, channels, out_height, out_width, filters, kernel, stride, padding, dilation, "
    "groups;\n"
    "} conv_form;\n\n"
    "/* Pixels are (row, column, channel), w is (row, column, channel in the group, filter). */\n"
    "static void conv(const conv_form *c, const float *x, const float *w, const float *b, float *y) {\n"
    "    const int in_group = c->channels / c->groups, out_group = c->filters / c->groups;\n"
    "    for (int oy = 0; oy < c->out_height; oy++)\n"
    "        for (int ox = 0; ox < c->out_width; ox++, y += c->filters) {\n"
    "            for (int f = 0; f < c->filters; f++) y[f] = b[f];\n"
    "            for (int ky = 0; ky < c->kernel; ky++)\n"
    "                for (int kx = 0; kx < c->kernel; kx++) {\n"
    "                    const int iy = oy * c->stride - c->padding + ky * c->dilation;\n"
    "                    const int ix = ox * c->stride - c->padding + kx * c->dilation;\n"
    "                    if (iy < 0 || iy >= c->height || ix < 0 || ix >= c->width) continue;\n"
    "                    const float *in = x + (iy * c->width + ix) * c->channels;\n"
    "                    const float *tap = w + (ky * c->kernel + kx) * in_group * c->filters;\n"
    "                    for (int i = 0; i < c->channels; i++) {\n"
    "                        const float *row = tap + i % in_group * c->filters + i / in_group * out_group;\n"
    "                        float *to = y + i / in_group * out_group;\n"
    "                        const float v = in[i];\n"
    "                        if (v > 0.0f || v < 0.0f)\n"
    "                            for (int f = 0; f < out_group; f++) to[f] += v * row[f];\n"
    "                    }\n"
    "                }\n"
    "        }\n"
    "}\n\n";

static const char max_text[] =
    "static void max_pool(const float *x, int height, int width, int channels, int size, int stride, int "
    "padding,\n"
    "                     int out_height, int out_width, float *y) {\n"
    "    for (int oy = 0; oy < out_height; oy++)\n"
    "        for (int ox = 0; ox < out_width; ox++)\n"
    "            for (int c = 0; c < channels; c++, y++) {\n"
    "                int seen = 0;\n"
    "                for (int k = 0; k < size * size; k++) {\n"
    "                    const int iy = oy * stride - padding + k / size, ix = ox * stride - padding + k % "
    "size;\n"
    "                    if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;\n"
    "                    const float v = x[(iy * width + ix) * channels + c];\n"
    "                    if (!seen++ || v > *y) *y = v;\n"
    "                }\n"
    "            }\n"
    "}\n\n";

static const char mean_text[] =
    "/* Padding counts as zeros. */\n"
    "static void mean_pool(const float *x, int height, int width, int channels, int size, int stride, int "
    "padding,\n"
    "                      int out_height, int out_width, float *y) {\n"
    "    for (int oy = 0; oy < out_height; oy++)\n"
    "        for (int ox = 0; ox < out_width; ox++)\n"
    "            for (int c = 0; c < channels; c++, y++) {\n"
    "                float sum = 0.0f;\n"
    "                for (int k = 0; k < size * size; k++) {\n"
    "                    const int iy = oy * stride - padding + k / size, ix = ox * stride - padding + k % "
    "size;\n"
    "                    if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;\n"
    "                    sum += x[(iy * width + ix) * channels + c];\n"
    "                }\n"
    "                *y = sum / (float)(size * size);\n"
    "            }\n"
    "}\n\n";

static const char global_text[] =
    "static void mean_of_image(const float *x, int pixels, int channels, float *y) {\n"
    "    for (int c = 0; c < channels; c++) {\n"
    "        float sum = 0.0f;\n"
    "        for (int p = 0; p < pixels; p++) sum += x[p * channels + c];\n"
    "        y[c] = sum / (float)pixels;\n"
    "    }\n"
    "}\n\n";

static const char shortcut_text[] = "/* Every stride-th pixel; channels of zeros on both sides. */\n"
                                    "static void shortcut(const float *x, int width, int channels, int "
                                    "stride, int out_height, int out_width,\n"
                                    "                     int filters, float *y) {\n"
                                    "    const int front = (filters - channels) / 2;\n"
                                    "    for (int oy = 0; oy < out_height; oy++)\n"
                                    "        for (int ox = 0; ox < out_width; ox++)\n"
                                    "            for (int f = 0; f < filters; f++, y++) {\n"
                                    "                const int c = f - front;\n"
                                    "                *y = c < 0 || c >= channels ? 0.0f : x[(oy * stride * "
                                    "width + ox * stride) * channels + c];\n"
                                    "            }\n"
                                    "}\n\n";

static const char affine_text[] =
    "static void affine(const float *x, int count, int channels, const float *scale, const float *shift, "
    "float *y) {\n"
    "    for (int i = 0; i < count; i++) y[i] = x[i] * scale[i % channels] + shift[i % channels];\n"
    "}\n\n";

static const char add_text[] = "static void add(const float *x, int count, float *y) {\n"
                               "    for (int i = 0; i < count; i++) y[i] += x[i];\n"
                               "}\n\n";

static const char relu_text[] = "static void relu(float *y, int count) {\n"
                                "    for (int i = 0; i < count; i++)\n"
                                "        if (y[i] < 0.0f) y[i] = 0.0f;\n"
                                "}\n\n";

static const char *const activation_texts[] = {
    [RT_ACT_RELU] = "x > 0.0f ? x : 0.0f",
    [RT_ACT_LEAKY_RELU] = "x > 0.0f ? x : 0.01f * x",
    [RT_ACT_TANH] = "tanhf(x)",
    [RT_ACT_SIGMOID] = "1.0f / (1.0f + expf(-x))",
    [RT_ACT_SOFTPLUS] = "x > 0.0f ? x + log1pf(expf(-x)) : log1pf(expf(x))",
    [RT_ACT_GELU] = "0.5f * x * (1.0f + erff(x * 0.707106781f))",
};

static void write_activations(const rti_emission *e) {
    for (int a = RT_ACT_RELU; a <= RT_ACT_GELU; a++) {
        bool used = false;
        for (int i = 0; i < e->net->count; i++)
            used |= e->net->steps[i].kind == RTI_STEP_ACTIVATION &&
                    e->net->steps[i].activation == (rt_activation)a;
        if (!used) continue;
        rti_text_printf(e->out,
                        "static void act_%d(const float *from, int count, float *y) { /* %s */\n"
                        "    for (int i = 0; i < count; i++) {\n        const float x = from[i];\n"
                        "        y[i] = %s;\n    }\n}\n\n",
                        a, rti_activation_names[a], activation_texts[a]);
    }
}

static void write_functions(const rti_emission *e) {
    const rti_net *net = e->net;
    bool relus = false, adds = false;
    for (int i = 0; i < net->count; i++) {
        relus |= net->steps[i].relu;
        adds |= net->steps[i].second != RTI_NO_STEP;
    }
    if (rti_net_has(net, RTI_STEP_LINEAR)) rti_text_append(e->out, linear_text);
    if (rti_net_has(net, RTI_STEP_CONV)) rti_text_append(e->out, conv_text);
    if (rti_net_has_pool(net, RTI_POOL_MAX)) rti_text_append(e->out, max_text);
    if (rti_net_has_pool(net, RTI_POOL_AVG)) rti_text_append(e->out, mean_text);
    if (rti_net_has_pool(net, RTI_POOL_GLOBAL)) rti_text_append(e->out, global_text);
    if (rti_net_has(net, RTI_STEP_SHORTCUT)) rti_text_append(e->out, shortcut_text);
    if (rti_net_has(net, RTI_STEP_AFFINE)) rti_text_append(e->out, affine_text);
    if (adds) rti_text_append(e->out, add_text);
    if (relus) rti_text_append(e->out, relu_text);
    write_activations(e);
}

static void write_constants(const rti_emission *e) {
    const rti_net *net = e->net;
    float *form = rt_alloc(2 * (size_t)net->form_count * sizeof *form);
    if (!form) {
        e->out->failed = true;
        return;
    }
    for (int64_t i = 0; i < 2 * net->form_count; i++)
        form[i] = (float)net->scale[i]; /* shifts stand behind */
    rti_emit_floats(e->out, "scale", 0, form, net->form_count);
    rti_emit_floats(e->out, "shift", 0, form + net->form_count, net->form_count);
    rt_free(form);
    for (int i = 0; i < net->count; i++) {
        const rti_step *s = &net->steps[i];
        if (!s->weights) continue;
        float *ordered = rt_alloc((size_t)s->weights * sizeof *ordered);
        if (!ordered) {
            e->out->failed = true;
            return;
        }
        rti_emit_order(s, ordered);
        rti_emit_floats(e->out, "weight", i, ordered, s->weights);
        rti_emit_floats(e->out, "bias", i, s->bias, s->biases);
        rt_free(ordered);
    }
}

/* ---- the calls ---- */

static void write_input(const rti_emission *e) {
    const rti_net *net = e->net;
    const int64_t *r = net->raw_shape, pixels = r[1] * r[2], run = net->features / net->form_count;
    const bool turn = net->steps[0].shape[2] == r[0] && pixels > 1 && r[0] > 1;
    rti_text_printf(e->out, "    for (int i = 0; i < %s_INPUTS; i++)\n        scratch[%lld + ", e->upper,
                    (long long)net->steps[0].offset);
    if (turn)
        rti_text_printf(e->out, "i %% %lld * %lld + i / %lld", (long long)pixels, (long long)r[0],
                        (long long)pixels);
    else
        rti_text_append(e->out, "i");
    rti_text_printf(e->out, "] = %sx[i] * scale_0[", net->bytes ? "(float)" : "");
    if (net->form_count == 1)
        rti_text_append(e->out, "0] + shift_0[0];\n");
    else if (run == 1)
        rti_text_append(e->out, "i] + shift_0[i];\n");
    else
        rti_text_printf(e->out, "i / %lld] + shift_0[i / %lld];\n", (long long)run, (long long)run);
}

static void write_conv(const rti_emission *e, int i) {
    const rti_step *s = &e->net->steps[i];
    rti_text_printf(
        e->out,
        "    static const conv_form form_%d = {%lld, %lld, %lld, %lld, %lld, %lld, %d, %d, %d, %d, %d};\n", i,
        (long long)s->in_shape[0], (long long)s->in_shape[1], (long long)s->in_shape[2],
        (long long)s->shape[0], (long long)s->shape[1], (long long)s->shape[2], s->kernel, s->stride,
        s->padding, s->dilation, s->groups);
    rti_text_printf(e->out, "    conv(&form_%d, scratch + %lld, weight_%d, bias_%d, y);\n", i,
                    (long long)e->net->steps[s->in].offset, i, i);
}

static void write_pool(const rti_emission *e, const rti_step *s, long long from) {
    if (s->pool == RTI_POOL_GLOBAL) {
        rti_text_printf(e->out, "    mean_of_image(scratch + %lld, %lld, %lld, y);\n", from,
                        (long long)s->in_shape[0] * (long long)s->in_shape[1], (long long)s->in_shape[2]);
        return;
    }
    rti_text_printf(e->out, "    %s(scratch + %lld, %lld, %lld, %lld, %d, %d, %d, %lld, %lld, y);\n",
                    s->pool == RTI_POOL_MAX ? "max_pool" : "mean_pool", from, (long long)s->in_shape[0],
                    (long long)s->in_shape[1], (long long)s->in_shape[2], s->kernel, s->stride, s->padding,
                    (long long)s->shape[0], (long long)s->shape[1]);
}

static void write_step(const rti_emission *e, int i) {
    const rti_step *s = &e->net->steps[i];
    const long long from = s->in == RTI_NO_STEP ? 0 : (long long)e->net->steps[s->in].offset,
                    size = (long long)rti_step_size(s);
    if (s->kind == RTI_STEP_INPUT) {
        write_input(e);
        return;
    }
    if (i == e->net->count - 1)
        rti_text_append(e->out, "    y = logits;\n");
    else
        rti_text_printf(e->out, "    y = scratch + %lld; /* %s */\n", (long long)s->offset, s->name);
    switch (s->kind) {
    case RTI_STEP_LINEAR:
        rti_text_printf(e->out, "    linear(scratch + %lld, %lld, weight_%d, bias_%d, %lld, y);\n", from,
                        (long long)(s->weights / s->biases), i, i, (long long)s->biases);
        break;
    case RTI_STEP_CONV:
        write_conv(e, i);
        break;
    case RTI_STEP_POOL:
        write_pool(e, s, from);
        break;
    case RTI_STEP_SHORTCUT:
        rti_text_printf(e->out, "    shortcut(scratch + %lld, %lld, %lld, %d, %lld, %lld, %lld, y);\n", from,
                        (long long)s->in_shape[1], (long long)s->in_shape[2], s->stride,
                        (long long)s->shape[0], (long long)s->shape[1], (long long)s->shape[2]);
        break;
    case RTI_STEP_AFFINE:
        rti_text_printf(e->out, "    affine(scratch + %lld, %lld, %lld, weight_%d, bias_%d, y);\n", from,
                        size, (long long)s->shape[2], i, i);
        break;
    case RTI_STEP_ACTIVATION:
        rti_text_printf(e->out, "    act_%d(scratch + %lld, %lld, y);\n", (int)s->activation, from, size);
        break;
    case RTI_STEP_ADD:
        rti_text_printf(e->out, "    for (int i = 0; i < %lld; i++) y[i] = scratch[%lld + i];\n", size, from);
        break;
    case RTI_STEP_INPUT:
        break;
    }
    if (s->second != RTI_NO_STEP)
        rti_text_printf(e->out, "    add(scratch + %lld, %lld, y);\n",
                        (long long)e->net->steps[s->second].offset, size);
    if (s->relu) rti_text_printf(e->out, "    relu(y, %lld);\n", size);
}

void rti_emit_float_body(rti_emission *e) {
    const rti_net *net = e->net;
    bool math = false;
    for (int i = 0; i < net->count; i++)
        math |= net->steps[i].kind == RTI_STEP_ACTIVATION && net->steps[i].activation > RT_ACT_LEAKY_RELU;
    if (math) rti_text_append(e->out, "#include <math.h>\n\n");
    write_functions(e);
    write_constants(e);
    rti_text_printf(e->out,
                    "void %s_logits(const %s x[], float scratch[], float logits[]) {\n    float *y;\n",
                    e->name, net->bytes ? "uint8_t" : "float");
    for (int i = 0; i < net->count; i++) write_step(e, i);
    rti_text_append(e->out, "}\n\n");
}
