/* onnx_ops.c - the operators, after their descriptions in ONNX's Operators.md. See onnx_reader.h. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_reader.h"

typedef struct call {
    const onnx_node *node;
    const onnx_array *in[8];
    onnx_array *out;
} call;

static void reserve(onnx_array *a, int ndim, const int64_t shape[]) {
    a->ndim = ndim;
    a->count = 1;
    for (int i = 0; i < ndim; i++) {
        cr_assert(shape[i] > 0);
        a->shape[i] = shape[i];
        a->count *= shape[i];
    }
    a->numbers = calloc((size_t)a->count, sizeof *a->numbers);
}

static int64_t integer(const call *c, const char *name, int64_t standard) {
    const onnx_attribute *a = onnx_find(c->node, name);
    return a ? a->i : standard;
}

static int64_t item(const call *c, const char *name, int i, int64_t standard) {
    const onnx_attribute *a = onnx_find(c->node, name);
    if (a) cr_assert_lt(i, a->ints_count, "%s", name);
    return a ? a->ints[i] : standard;
}

static double number(const call *c, const char *name, double standard) {
    const onnx_attribute *a = onnx_find(c->node, name);
    return a ? a->f : standard;
}

/* ---- element by element ---- */

static double unary(const char *op, double x, double alpha) {
    if (!strcmp(op, "Relu")) return x > 0 ? x : 0;
    if (!strcmp(op, "LeakyRelu")) return x >= 0 ? x : alpha * x;
    if (!strcmp(op, "Tanh")) return tanh(x);
    if (!strcmp(op, "Sigmoid")) return 1 / (1 + exp(-x));
    if (!strcmp(op, "Softplus")) return log(exp(x) + 1);
    cr_assert_str_eq(op, "Erf");
    return erf(x);
}

static void op_unary(call *c) {
    reserve(c->out, c->in[0]->ndim, c->in[0]->shape);
    const double alpha = number(c, "alpha", 0.01);
    for (int64_t i = 0; i < c->out->count; i++)
        c->out->numbers[i] = unary(c->node->op, c->in[0]->numbers[i], alpha);
}

/* Extents are compared from the last one on; a missing one is 1. */
static int64_t extent(const onnx_array *a, int ndim, int axis) {
    const int own = axis - (ndim - a->ndim);
    return own < 0 ? 1 : a->shape[own];
}

static int64_t broadcast_place(const onnx_array *a, int ndim, const int64_t index[]) {
    int64_t place = 0;
    for (int d = 0; d < ndim; d++) {
        const int64_t e = extent(a, ndim, d);
        place = place * e + (e == 1 ? 0 : index[d]);
    }
    return place;
}

static void op_binary(call *c) {
    const onnx_array *a = c->in[0], *b = c->in[1];
    const int ndim = a->ndim > b->ndim ? a->ndim : b->ndim;
    int64_t shape[ONNX_DIMS], index[ONNX_DIMS] = {0};
    for (int d = 0; d < ndim; d++) {
        const int64_t x = extent(a, ndim, d), y = extent(b, ndim, d);
        cr_assert(x == y || x == 1 || y == 1, "%s: %d and %d", c->node->name, (int)x, (int)y);
        shape[d] = x == 1 ? y : x;
    }
    reserve(c->out, ndim, shape);
    const bool product = !strcmp(c->node->op, "Mul");
    for (int64_t i = 0; i < c->out->count; i++) {
        int64_t rest = i;
        for (int d = ndim - 1; d >= 0; d--) index[d] = rest % shape[d], rest /= shape[d];
        const double x = a->numbers[broadcast_place(a, ndim, index)],
                     y = b->numbers[broadcast_place(b, ndim, index)];
        c->out->numbers[i] = product ? x * y : x + y;
    }
}

/* ---- products ---- */

static void op_gemm(call *c) {
    const onnx_array *a = c->in[0], *b = c->in[1], *bias = c->in[2];
    cr_assert(a->ndim == 2 && b->ndim == 2 && integer(c, "transB", 0) == 1);
    cr_assert_eq(a->shape[1], b->shape[1], "%s", c->node->name);
    reserve(c->out, 2, (int64_t[]){a->shape[0], b->shape[0]});
    if (bias) cr_assert(bias->ndim == 1 && bias->shape[0] == b->shape[0]);
    for (int64_t i = 0; i < c->out->count; i++) {
        const int64_t row = i / b->shape[0], unit = i % b->shape[0];
        double sum = bias ? bias->numbers[unit] : 0;
        for (int64_t d = 0; d < b->shape[1]; d++)
            sum += a->numbers[row * a->shape[1] + d] * b->numbers[unit * b->shape[1] + d];
        c->out->numbers[i] = sum;
    }
}

static const double *pixel(const onnx_array *x, int64_t n, int64_t ch, int64_t i, int64_t j) {
    static const double zero = 0;
    if (i < 0 || j < 0 || i >= x->shape[2] || j >= x->shape[3]) return &zero;
    return &x->numbers[((n * x->shape[1] + ch) * x->shape[2] + i) * x->shape[3] + j];
}

/* What Conv, ConvTranspose and the pools have in common: begin and end of rows and of columns. */
typedef struct window {
    int64_t size[2], stride[2], dilation[2], begin[2], end[2];
} window;

static window window_of(const call *c) {
    window w;
    for (int i = 0; i < 2; i++) {
        w.size[i] = item(c, "kernel_shape", i, -1);
        w.stride[i] = item(c, "strides", i, 1);
        w.dilation[i] = item(c, "dilations", i, 1);
        w.begin[i] = item(c, "pads", i, 0);
        w.end[i] = item(c, "pads", i + 2, 0);
        cr_assert(w.size[i] >= 1 && w.stride[i] >= 1 && w.begin[i] < w.size[i] * w.dilation[i]);
    }
    return w;
}

static int64_t covered(const window *w, int i, int64_t length) {
    return (length + w->begin[i] + w->end[i] - w->dilation[i] * (w->size[i] - 1) - 1) / w->stride[i] + 1;
}

static void op_conv(call *c) {
    const onnx_array *x = c->in[0], *k = c->in[1], *bias = c->in[2];
    const window w = window_of(c);
    const int64_t groups = integer(c, "group", 1), F = k->shape[0], C = k->shape[1];
    cr_assert(x->ndim == 4 && k->ndim == 4 && C * groups == x->shape[1] && F % groups == 0, "%s",
              c->node->name);
    cr_assert(k->shape[2] == w.size[0] && k->shape[3] == w.size[1]);
    if (bias) cr_assert(bias->ndim == 1 && bias->count == F);
    const int64_t shape[4] = {x->shape[0], F, covered(&w, 0, x->shape[2]), covered(&w, 1, x->shape[3])};
    reserve(c->out, 4, shape);
    for (int64_t o = 0; o < c->out->count; o++) {
        const int64_t j = o % shape[3], i = o / shape[3] % shape[2], f = o / shape[3] / shape[2] % F;
        const int64_t n = o / shape[3] / shape[2] / F, first = f / (F / groups) * C;
        double sum = bias ? bias->numbers[f] : 0;
        for (int64_t q = 0; q < C * w.size[0] * w.size[1]; q++) {
            const int64_t b = q % w.size[1], a = q / w.size[1] % w.size[0], ch = q / w.size[1] / w.size[0];
            sum += k->numbers[f * C * w.size[0] * w.size[1] + q] *
                   *pixel(x, n, first + ch, i * w.stride[0] - w.begin[0] + a * w.dilation[0],
                          j * w.stride[1] - w.begin[1] + b * w.dilation[1]);
        }
        c->out->numbers[o] = sum;
    }
}

/* Every pixel of x adds its kernel to the output: W (C, F, KH, KW). */
static void op_conv_transpose(call *c) {
    const onnx_array *x = c->in[0], *k = c->in[1], *bias = c->in[2];
    const window w = window_of(c);
    const int64_t C = k->shape[0], F = k->shape[1], *s = x->shape;
    cr_assert(x->ndim == 4 && k->ndim == 4 && C == s[1] && integer(c, "group", 1) == 1);
    int64_t shape[4] = {s[0], F, 0, 0};
    for (int i = 0; i < 2; i++)
        shape[2 + i] = w.stride[i] * (s[2 + i] - 1) + (w.size[i] - 1) * w.dilation[i] + 1 - w.begin[i] -
                       w.end[i];
    reserve(c->out, 4, shape);
    for (int64_t o = 0; bias && o < c->out->count; o++)
        c->out->numbers[o] = bias->numbers[o / shape[3] / shape[2] % F];
    for (int64_t p = 0; p < x->count; p++)
        for (int64_t q = 0; q < F * w.size[0] * w.size[1]; q++) {
            const int64_t j = p % s[3], i = p / s[3] % s[2], ch = p / s[3] / s[2] % C,
                          n = p / s[3] / s[2] / C;
            const int64_t b = q % w.size[1], a = q / w.size[1] % w.size[0], f = q / w.size[1] / w.size[0];
            const int64_t row = i * w.stride[0] - w.begin[0] + a * w.dilation[0],
                          column = j * w.stride[1] - w.begin[1] + b * w.dilation[1];
            if (row < 0 || column < 0 || row >= shape[2] || column >= shape[3]) continue;
            c->out->numbers[((n * F + f) * shape[2] + row) * shape[3] + column] +=
                x->numbers[p] * k->numbers[ch * F * w.size[0] * w.size[1] + q];
        }
}

/* ---- images ---- */

static void op_pool(call *c) {
    const onnx_array *x = c->in[0];
    const window w = window_of(c);
    const bool mean = !strcmp(c->node->op, "AveragePool");
    const int64_t shape[4] = {x->shape[0], x->shape[1], covered(&w, 0, x->shape[2]),
                              covered(&w, 1, x->shape[3])};
    reserve(c->out, 4, shape);
    if (mean) cr_assert_eq(integer(c, "count_include_pad", 0), 1);
    for (int64_t o = 0; o < c->out->count; o++) {
        const int64_t j = o % shape[3], i = o / shape[3] % shape[2], plane = o / shape[3] / shape[2];
        double sum = 0, most = -INFINITY;
        for (int64_t a = 0; a < w.size[0]; a++)
            for (int64_t b = 0; b < w.size[1]; b++) {
                const int64_t row = i * w.stride[0] - w.begin[0] + a,
                              column = j * w.stride[1] - w.begin[1] + b;
                if (row < 0 || column < 0 || row >= x->shape[2] || column >= x->shape[3]) continue;
                const double v = x->numbers[(plane * x->shape[2] + row) * x->shape[3] + column];
                sum += v;
                most = v > most ? v : most;
            }
        c->out->numbers[o] = mean ? sum / (double)(w.size[0] * w.size[1]) : most;
    }
}

static void op_global(call *c) {
    const onnx_array *x = c->in[0];
    const int64_t pixels = x->shape[2] * x->shape[3];
    reserve(c->out, 4, (int64_t[]){x->shape[0], x->shape[1], 1, 1});
    for (int64_t i = 0; i < x->count; i++) c->out->numbers[i / pixels] += x->numbers[i] / (double)pixels;
}

static void op_norm(call *c) {
    const onnx_array *x = c->in[0];
    const int64_t C = x->shape[1], pixels = x->ndim == 4 ? x->shape[2] * x->shape[3] : 1;
    const double epsilon = number(c, "epsilon", 1e-5);
    for (int i = 1; i < 5; i++) cr_assert(c->in[i]->ndim == 1 && c->in[i]->count == C, "%s", c->node->name);
    reserve(c->out, x->ndim, x->shape);
    for (int64_t i = 0; i < x->count; i++) {
        const int64_t ch = i / pixels % C;
        c->out->numbers[i] = (x->numbers[i] - c->in[3]->numbers[ch]) / sqrt(c->in[4]->numbers[ch] + epsilon) *
                                 c->in[1]->numbers[ch] +
                             c->in[2]->numbers[ch];
    }
}

/* ---- shapes ---- */

static void copy_as(call *c, int ndim, const int64_t shape[]) {
    reserve(c->out, ndim, shape);
    cr_assert_eq(c->out->count, c->in[0]->count);
    memcpy(c->out->numbers, c->in[0]->numbers, (size_t)c->out->count * sizeof *c->out->numbers);
}

static void op_flatten(call *c) {
    cr_assert_eq(integer(c, "axis", 1), 1);
    const onnx_array *x = c->in[0];
    copy_as(c, 2, (int64_t[]){x->shape[0], x->count / x->shape[0]});
}

static void op_unsqueeze(call *c) {
    const onnx_array *x = c->in[0];
    cr_assert(c->in[1]->count == 1 && c->in[1]->numbers[0] == 1 && x->ndim == 3);
    copy_as(c, 4, (int64_t[]){x->shape[0], 1, x->shape[1], x->shape[2]});
}

static void op_transpose(call *c) {
    const onnx_array *x = c->in[0];
    int64_t shape[4];
    for (int i = 0; i < 4; i++) shape[i] = x->shape[item(c, "perm", i, -1)];
    reserve(c->out, 4, shape);
    for (int64_t o = 0; o < c->out->count; o++) {
        int64_t index[4], from[4], rest = o;
        for (int i = 3; i >= 0; i--) index[i] = rest % shape[i], rest /= shape[i];
        for (int i = 0; i < 4; i++) from[item(c, "perm", i, -1)] = index[i];
        c->out->numbers[o] = *pixel(x, from[0], from[1], from[2], from[3]);
    }
}

/* Of rows and columns. */
static void op_slice(call *c) {
    const onnx_array *x = c->in[0], *start = c->in[1], *end = c->in[2], *axes = c->in[3], *step = c->in[4];
    cr_assert(axes->count == 2 && axes->numbers[0] == 2 && axes->numbers[1] == 3);
    int64_t shape[4] = {x->shape[0], x->shape[1], 0, 0};
    for (int i = 0; i < 2; i++)
        shape[2 + i] = (int64_t)ceil((fmin(end->numbers[i], (double)x->shape[2 + i]) - start->numbers[i]) /
                                     step->numbers[i]);
    reserve(c->out, 4, shape);
    for (int64_t o = 0; o < c->out->count; o++) {
        const int64_t j = o % shape[3], i = o / shape[3] % shape[2], plane = o / shape[3] / shape[2];
        c->out->numbers[o] = *pixel(x, plane / shape[1], plane % shape[1],
                                    (int64_t)start->numbers[0] + i * (int64_t)step->numbers[0],
                                    (int64_t)start->numbers[1] + j * (int64_t)step->numbers[1]);
    }
}

/* With zeros; the borders ahead of the four axes, then those behind. */
static void op_pad(call *c) {
    const onnx_array *x = c->in[0], *pads = c->in[1];
    cr_assert(x->ndim == 4 && pads->count == 8 && pads->whole);
    int64_t shape[4];
    for (int i = 0; i < 4; i++) shape[i] = x->shape[i] + (int64_t)(pads->numbers[i] + pads->numbers[i + 4]);
    reserve(c->out, 4, shape);
    for (int64_t p = 0; p < x->count; p++) {
        int64_t index[4], rest = p;
        for (int i = 3; i >= 0; i--)
            index[i] = rest % x->shape[i] + (int64_t)pads->numbers[i], rest /= x->shape[i];
        c->out->numbers[((index[0] * shape[1] + index[1]) * shape[2] + index[2]) * shape[3] + index[3]] =
            x->numbers[p];
    }
}

static const struct {
    const char *op;
    void (*run)(call *c);
    int least, most;        /* inputs */
    const char *attributes; /* that it may have, each between blanks */
} ops[] = {
    {"Gemm", op_gemm, 2, 3, " transB "},
    {"Conv", op_conv, 2, 3, " kernel_shape strides dilations pads group "},
    {"ConvTranspose", op_conv_transpose, 2, 3, " kernel_shape strides dilations pads group "},
    {"BatchNormalization", op_norm, 5, 5, " epsilon "},
    {"MaxPool", op_pool, 1, 1, " kernel_shape strides pads "},
    {"AveragePool", op_pool, 1, 1, " kernel_shape strides pads count_include_pad "},
    {"GlobalAveragePool", op_global, 1, 1, ""},
    {"Relu", op_unary, 1, 1, ""},
    {"LeakyRelu", op_unary, 1, 1, " alpha "},
    {"Tanh", op_unary, 1, 1, ""},
    {"Sigmoid", op_unary, 1, 1, ""},
    {"Softplus", op_unary, 1, 1, ""},
    {"Erf", op_unary, 1, 1, ""},
    {"Add", op_binary, 2, 2, ""},
    {"Mul", op_binary, 2, 2, ""},
    {"Flatten", op_flatten, 1, 1, " axis "},
    {"Unsqueeze", op_unsqueeze, 2, 2, ""},
    {"Transpose", op_transpose, 1, 1, " perm "},
    {"Slice", op_slice, 5, 5, ""},
    {"Pad", op_pad, 2, 2, ""},
};

static const onnx_array *find(const onnx_array *list, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0) return &list[i];
    return NULL;
}

static void run_node(const onnx_node *node, call *c) {
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(ops[i].op, node->op)) continue;
        cr_assert(node->in_count >= ops[i].least && node->in_count <= ops[i].most, "%s", node->name);
        for (int a = 0; a < node->attribute_count; a++) {
            char word[40];
            snprintf(word, sizeof word, " %s ", node->attributes[a].name);
            cr_assert(strstr(ops[i].attributes, word), "%s has no attribute%s", node->op, word);
        }
        ops[i].run(c);
        return;
    }
    cr_assert_fail("there is no operator %s", node->op);
}

double *onnx_run(const onnx_model *m, int64_t n, const double *x, int64_t *columns) {
    onnx_array *values = calloc((size_t)m->node_count + 1, sizeof *values);
    int64_t shape[ONNX_DIMS] = {n};
    memcpy(shape + 1, m->input.dims, (size_t)m->input.ndim * sizeof *shape);
    snprintf(values[0].name, ONNX_NAME, "%s", m->input.name);
    reserve(&values[0], m->input.ndim + 1, shape);
    memcpy(values[0].numbers, x, (size_t)values[0].count * sizeof *x);
    for (int i = 0; i < m->node_count; i++) {
        call c = {.node = &m->nodes[i], .out = &values[i + 1]};
        for (int k = 0; k < c.node->in_count; k++) {
            c.in[k] = find(values, i + 1, c.node->in[k]);
            if (!c.in[k]) c.in[k] = find(m->arrays, m->array_count, c.node->in[k]);
            cr_assert(c.in[k], "%s reads %s, which is not there", c.node->name, c.node->in[k]);
        }
        run_node(c.node, &c);
        snprintf(c.out->name, ONNX_NAME, "%s", c.node->out);
    }
    onnx_array *out = (onnx_array *)(uintptr_t)find(values, m->node_count + 1, m->output.name);
    cr_assert(out && out->ndim == 2 && out->shape[0] == n && out->shape[1] == m->output.dims[0]);
    *columns = out->shape[1];
    double *answer = out->numbers;
    out->numbers = NULL;
    for (int i = 0; i <= m->node_count; i++) free(values[i].numbers);
    free(values);
    return answer;
}
