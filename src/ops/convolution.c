/* convolution.c - convolution of images and its transpose.             Floor 5 (ops)
 *
 *     conv2d             z = x * k + b        x (N,H,W,C), k (KH,KW,C/groups,F), z (N,H',W',F)
 *     conv_transpose2d   z = x *' k + b       x (N,H',W',F), k (KH,KW,C,F), z (N,H,W,C)
 *
 * with y = act(z). Three kernels do both, with one geometry (kernels.h): "forward" from (N,H,W,C) to
 * (N,H',W',F), its transpose "input gradient" back, and the "kernel gradient". With dz = act'(z) dy
 *
 *     conv2d             dx = input gradient of dz     dk = kernel gradient of (x, dz)
 *     conv_transpose2d   dx = forward of dz            dk = kernel gradient of (dz, x)
 *
 * and db sums dz over all but the last axis. Bias and relu ride on the kernels' epilogue. What is kept: y,
 * and with gelu z. Scratch is in the step's arena: copies of k, and partial sums of dk. */
#include <string.h>

#include "graph/op.h"
#include "kernels/kernels.h"
#include "ops/activation.h"
#include "retort/image.h"

/* Attributes: the rt_activation, then the fields of rt_conv. Input 2, the bias, may be absent. */
enum { ACT, STRIDE, PADDING, DILATION, GROUPS };

static bool settings_fit(rt_graph *g, rti_node *n, int64_t channels) {
    const int64_t *a = n->a.i;
    const rt_tensor *x = n->in[0], *k = n->in[1], *b = n->inputs > 2 ? n->in[2] : NULL;
    if (x->ndim != 4) return rti_op_fail(g, n, RT_SHAPE, "x must be an image (N, H, W, C)");
    if (k->ndim != 4) return rti_op_fail(g, n, RT_SHAPE, "k must be (KH, KW, C / groups, F)");
    for (int i = 0; i < 4; i++)
        if (k->shape[i] < 1) return rti_op_fail(g, n, RT_SHAPE, "no extent of k may be 0");
    if (b && (b->ndim != 1 || b->shape[0] != channels))
        return rti_op_fail(g, n, RT_SHAPE, "b must have %lld elements", (long long)channels);
    if (a[STRIDE] < 1 || a[PADDING] < 0 || a[DILATION] < 1 || a[GROUPS] < 1)
        return rti_op_fail(g, n, RT_VALUE, "stride %lld, padding %lld, dilation %lld, groups %lld",
                           (long long)a[STRIDE], (long long)a[PADDING], (long long)a[DILATION],
                           (long long)a[GROUPS]);
    if (a[ACT] < RT_ACT_NONE || a[ACT] > RT_ACT_GELU)
        return rti_op_fail(g, n, RT_VALUE, "%lld is not an activation", (long long)a[ACT]);
    return true;
}

/* `image` is the (N,H,W,C) one, `map` the (N,H',W',F) one. */
static rti_convolution geometry(const rti_node *n, const rt_tensor *image, const rt_tensor *map) {
    const rt_tensor *k = n->in[1];
    return (rti_convolution){
        .N = image->shape[0], .H = image->shape[1], .W = image->shape[2], .C = image->shape[3],
        .OH = map->shape[1], .OW = map->shape[2], .F = map->shape[3],
        .KH = k->shape[0], .KW = k->shape[1],
        .stride = n->a.i[STRIDE], .padding = n->a.i[PADDING], .dilation = n->a.i[DILATION],
        .groups = n->a.i[GROUPS],
    };
}

/* What both ops read, contiguous; false after a failure. */
typedef struct operands {
    const rt_real *x, *k;
    rti_epilogue epilogue;
} operands;

static bool operands_get(rt_graph *g, const rti_node *n, operands *o) {
    o->x = rti_contiguous(g, n->in[0]);
    o->k = o->x ? rti_contiguous(g, n->in[1]) : NULL;
    o->epilogue = (rti_epilogue){.relu = n->a.i[ACT] == RT_ACT_RELU};
    if (o->k && n->inputs > 2 && !(o->epilogue.bias = rti_contiguous(g, n->in[2]))) return false;
    return o->k != NULL;
}

/* After the product: keeps z if backward needs it, then applies the activation. */
static void finish(rt_graph *g, rti_node *n) {
    const rt_activation act = (rt_activation)n->a.i[ACT];
    const int64_t count = rt_tensor_count(n->out);
    rt_real *y = rt_real_data(n->out);
    if (act == RT_ACT_GELU && n->out->requires_grad) {
        n->saved = rti_step_alloc(g, (size_t)count * sizeof *y);
        if (!n->saved) return;
        if (count > 0) memcpy(n->saved, y, (size_t)count * sizeof *y);
    }
    rti_act_forward(act, count, y);
}

/* dz = act'(z) dy: dy itself without an activation. NULL: failure recorded. */
static const rt_real *slope_times_dy(rt_graph *g, const rti_node *n) {
    const rt_activation act = (rt_activation)n->a.i[ACT];
    const int64_t count = rt_tensor_count(n->out);
    if (act == RT_ACT_NONE) return n->out->grad;
    /* In place where nobody looks at dy afterwards. */
    rt_real *dz = n->out->passing ? n->out->grad : rti_step_alloc(g, (size_t)count * sizeof *dz);
    if (dz) rti_act_backward(act, count, rt_real_data(n->out), n->saved, n->out->grad, dz);
    return dz;
}

static void bias_gradient(rt_graph *g, rti_node *n, const rt_real *dz) {
    if (n->inputs < 3) return;
    const int64_t channels = n->out->shape[3];
    rti_grad db = rti_grad_begin(g, n, 2);
    if (db.data) rti_column_sums(rt_tensor_count(n->out) / channels, channels, dz, db.data, db.accumulate);
}

/* ---- conv2d ---- */

static bool conv2d_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0], *k = n->in[1];
    if (!settings_fit(g, n, k->ndim == 4 ? k->shape[3] : 0)) return false;
    const int64_t groups = n->a.i[GROUPS];
    if (x->shape[3] % groups != 0 || k->shape[3] % groups != 0)
        return rti_op_fail(g, n, RT_VALUE, "%lld groups must divide both %lld channels and %lld filters",
                           (long long)groups, (long long)x->shape[3], (long long)k->shape[3]);
    if (k->shape[2] * groups != x->shape[3])
        return rti_op_fail(g, n, RT_SHAPE, "x and k do not fit: k must be (KH, KW, %lld, F)",
                           (long long)(x->shape[3] / groups));
    int64_t shape[4] = {x->shape[0], 0, 0, k->shape[3]};
    if (x->shape[1] < 1 || x->shape[2] < 1) return rti_op_fail(g, n, RT_SHAPE, "x has no pixels");
    for (int i = 0; i < 2; i++) {
        const int64_t reach = n->a.i[DILATION] * (k->shape[i] - 1) + 1,
                      extent = x->shape[1 + i] + 2 * n->a.i[PADDING], room = extent - reach;
        if (room < 0)
            return rti_op_fail(g, n, RT_VALUE, "the kernel, %lld high or wide, fits nowhere on %lld pixels",
                               (long long)reach, (long long)extent);
        shape[1 + i] = room / n->a.i[STRIDE] + 1;
    }
    return rti_out(g, n, 4, shape);
}

static void conv2d_forward(rt_graph *g, rti_node *n) {
    const rti_convolution c = geometry(n, n->in[0], n->out);
    operands o;
    void *scratch = rti_step_alloc(g, rti_conv_scratch_bytes(&c, RTI_CONV_FORWARD));
    if (!scratch || !operands_get(g, n, &o)) return;
    rti_conv_forward(&c, o.x, o.k, rt_real_data(n->out), false, &o.epilogue, scratch);
    finish(g, n);
}

static void conv2d_backward(rt_graph *g, rti_node *n) {
    const rti_convolution c = geometry(n, n->in[0], n->out);
    operands o;
    const rt_real *dz = slope_times_dy(g, n);
    if (!dz || !operands_get(g, n, &o)) return;
    rti_grad dx = rti_grad_begin(g, n, 0);
    if (dx.data) {
        void *scratch = rti_step_alloc(g, rti_conv_scratch_bytes(&c, RTI_CONV_INPUT_GRADIENT));
        if (!scratch) return;
        rti_conv_input_gradient(&c, dz, o.k, dx.data, dx.accumulate, NULL, scratch);
    }
    rti_grad dk = rti_grad_begin(g, n, 1);
    if (dk.data) {
        void *scratch = rti_step_alloc(g, rti_conv_scratch_bytes(&c, RTI_CONV_KERNEL_GRADIENT));
        if (!scratch) return;
        rti_conv_kernel_gradient(&c, o.x, dz, dk.data, dk.accumulate, scratch);
    }
    bias_gradient(g, n, dz);
}

/* ---- cases of both ---- */

typedef struct setting {
    rt_conv how;
    rt_activation act;
} setting;

static rt_tensor *conv2d_plain(rt_graph *g, rt_tensor *const in[], const void *context) {
    const setting *s = context;
    return rt_conv2d(g, in[0], in[1], in[2], &s->how, s->act);
}

static rt_tensor *conv2d_without_bias(rt_graph *g, rt_tensor *const in[], const void *context) {
    const setting *s = context;
    return rt_conv2d(g, in[0], in[1], NULL, &s->how, s->act);
}

/* One kernel used twice, as recurrent and siamese networks do; the defaults of every setting. */
static rt_tensor *conv2d_twice(rt_graph *g, rt_tensor *const in[], const void *context) {
    (void)context;
    return rt_conv2d(g, rt_conv2d(g, in[0], in[1], NULL, NULL, RT_ACT_TANH), in[1], NULL, NULL, RT_ACT_NONE);
}

#define SETTING(...) (&(const setting){__VA_ARGS__})
#define CASE(text, N, H, W, C, KH, KW, CG, F, ...)                                     \
    {.name = "conv2d" text, .function = conv2d_plain, .inputs = 3,                     \
     .input = {{4, {N, H, W, C}}, {4, {KH, KW, CG, F}}, {1, {F}}}, .context = SETTING(__VA_ARGS__)}

static const rt_gradcheck_case conv2d_cases[] = {
    CASE(", 3 x 3, padding 1", 2, 4, 5, 3, 3, 3, 3, 4, {.padding = 1}, RT_ACT_NONE),
    CASE(", stride 2, padding 1", 2, 5, 6, 2, 3, 3, 2, 3, {.stride = 2, .padding = 1}, RT_ACT_NONE),
    CASE(", stride 2, no padding, lines left over", 1, 6, 6, 2, 3, 3, 2, 2, {.stride = 2}, RT_ACT_NONE),
    CASE(", stride 3 above the kernel", 1, 7, 8, 2, 2, 2, 2, 2, {.stride = 3, .padding = 1}, RT_ACT_NONE),
    CASE(", dilation 2", 1, 6, 7, 2, 3, 3, 2, 3, {.padding = 2, .dilation = 2}, RT_ACT_NONE),
    CASE(", dilation 2, stride 2", 1, 7, 8, 2, 3, 2, 2, 3, {.stride = 2, .padding = 1, .dilation = 2},
         RT_ACT_NONE),
    CASE(", dilation 3, stride 2", 1, 9, 8, 1, 3, 3, 1, 2, {.stride = 2, .padding = 2, .dilation = 3},
         RT_ACT_NONE),
    CASE(", 2 groups", 2, 4, 4, 4, 3, 3, 2, 6, {.padding = 1, .groups = 2}, RT_ACT_NONE),
    CASE(", a group per channel", 1, 4, 5, 3, 3, 3, 1, 3, {.padding = 1, .groups = 3}, RT_ACT_TANH),
    CASE(", 1 x 1", 2, 3, 4, 5, 1, 1, 5, 3, {.stride = 1}, RT_ACT_NONE),
    CASE(", 1 x 1, stride 2", 2, 4, 5, 3, 1, 1, 3, 4, {.stride = 2}, RT_ACT_NONE),
    CASE(", more filters than a tile", 1, 2, 3, 2, 2, 2, 2, 35, {.padding = 1}, RT_ACT_NONE),
    CASE(", more channels than a tile", 1, 2, 2, 35, 2, 2, 35, 2, {.padding = 1}, RT_ACT_NONE),
    CASE(", a kernel of the image's size", 2, 4, 3, 2, 4, 3, 2, 3, {.stride = 1}, RT_ACT_NONE),
    CASE(", a kernel wider than the image", 1, 2, 2, 1, 5, 4, 1, 2, {.padding = 2}, RT_ACT_NONE),
    CASE(", all extents 1", 1, 1, 1, 1, 1, 1, 1, 1, {.stride = 1}, RT_ACT_GELU),
    CASE(" with relu", 2, 3, 3, 2, 3, 3, 2, 3, {.padding = 1}, RT_ACT_RELU),
    CASE(" with leaky_relu", 1, 3, 3, 2, 3, 3, 2, 2, {.padding = 1}, RT_ACT_LEAKY_RELU),
    CASE(" with sigmoid", 1, 3, 3, 2, 3, 3, 2, 2, {.padding = 1}, RT_ACT_SIGMOID),
    CASE(" with softplus", 1, 3, 3, 2, 3, 3, 2, 2, {.padding = 1}, RT_ACT_SOFTPLUS),
    CASE(" with gelu", 1, 3, 3, 2, 3, 3, 2, 2, {.padding = 1}, RT_ACT_GELU),
    {.name = "conv2d without bias", .function = conv2d_without_bias, .inputs = 2,
     .input = {{4, {2, 4, 4, 3}}, {4, {3, 3, 3, 2}}}, .context = SETTING({.padding = 1}, RT_ACT_RELU)},
    {.name = "conv2d, only the kernel wants a gradient", .function = conv2d_plain, .inputs = 3, .constant = 5,
     .input = {{4, {2, 4, 4, 3}}, {4, {3, 3, 3, 2}}, {1, {2}}},
     .context = SETTING({.padding = 1}, RT_ACT_NONE)},
    {.name = "conv2d, only x wants a gradient", .function = conv2d_plain, .inputs = 3, .constant = 6,
     .input = {{4, {2, 4, 4, 3}}, {4, {3, 3, 3, 2}}, {1, {2}}},
     .context = SETTING({.padding = 1, .stride = 2}, RT_ACT_NONE)},
    {.name = "conv2d, a kernel used twice", .function = conv2d_twice, .inputs = 2,
     .input = {{4, {1, 5, 5, 2}}, {4, {2, 2, 2, 2}}}},
};

const rti_op rti_op_conv2d = {
    .name = "conv2d", .arity = RTI_VARIADIC, .differentiable = 7, .formula = "y = act(x * k + b)",
    .source = "LeCun et al. 1998, section II", .shape = conv2d_shape, .forward = conv2d_forward,
    .backward = conv2d_backward, .cases = conv2d_cases,
    .case_count = sizeof conv2d_cases / sizeof *conv2d_cases,
};
RTI_REGISTER(op, conv2d)

static rti_attributes attributes(const rt_conv *how, rt_activation act) {
    const rt_conv h = how ? *how : (rt_conv){0};
    return (rti_attributes){.i = {act, h.stride ? h.stride : 1, h.padding, h.dilation ? h.dilation : 1,
                                  h.groups ? h.groups : 1}};
}

rt_tensor *rt_conv2d(rt_graph *g, rt_tensor *x, rt_tensor *k, rt_tensor *b, const rt_conv *how,
                     rt_activation act) {
    const rti_attributes a = attributes(how, act);
    return rti_apply(g, &rti_op_conv2d, (rt_tensor *const[]){x, k, b}, b ? 3 : 2, &a);
}

/* ---- conv_transpose2d ---- */

static bool conv_transpose2d_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0], *k = n->in[1];
    if (!settings_fit(g, n, k->ndim == 4 ? k->shape[2] : 0)) return false;
    if (n->a.i[GROUPS] != 1) return rti_op_fail(g, n, RT_VALUE, "the transpose has one group only");
    if (k->shape[3] != x->shape[3])
        return rti_op_fail(g, n, RT_SHAPE, "x and k do not fit: k must be (KH, KW, C, %lld)",
                           (long long)x->shape[3]);
    int64_t shape[4] = {x->shape[0], 0, 0, k->shape[2]};
    for (int i = 0; i < 2; i++) {
        shape[1 + i] = (x->shape[1 + i] - 1) * n->a.i[STRIDE] - 2 * n->a.i[PADDING] +
                       n->a.i[DILATION] * (k->shape[i] - 1) + 1;
        if (x->shape[1 + i] < 1 || shape[1 + i] < 1)
            return rti_op_fail(g, n, RT_VALUE, "nothing is left of %lld pixels with padding %lld",
                               (long long)x->shape[1 + i], (long long)n->a.i[PADDING]);
    }
    return rti_out(g, n, 4, shape);
}

static void conv_transpose2d_forward(rt_graph *g, rti_node *n) {
    const rti_convolution c = geometry(n, n->out, n->in[0]);
    operands o;
    void *scratch = rti_step_alloc(g, rti_conv_scratch_bytes(&c, RTI_CONV_INPUT_GRADIENT));
    if (!scratch || !operands_get(g, n, &o)) return;
    rti_conv_input_gradient(&c, o.x, o.k, rt_real_data(n->out), false, &o.epilogue, scratch);
    finish(g, n);
}

static void conv_transpose2d_backward(rt_graph *g, rti_node *n) {
    const rti_convolution c = geometry(n, n->out, n->in[0]);
    operands o;
    const rt_real *dz = slope_times_dy(g, n);
    if (!dz || !operands_get(g, n, &o)) return;
    rti_grad dx = rti_grad_begin(g, n, 0);
    if (dx.data) {
        void *scratch = rti_step_alloc(g, rti_conv_scratch_bytes(&c, RTI_CONV_FORWARD));
        if (!scratch) return;
        rti_conv_forward(&c, dz, o.k, dx.data, dx.accumulate, NULL, scratch);
    }
    rti_grad dk = rti_grad_begin(g, n, 1);
    if (dk.data) {
        void *scratch = rti_step_alloc(g, rti_conv_scratch_bytes(&c, RTI_CONV_KERNEL_GRADIENT));
        if (!scratch) return;
        rti_conv_kernel_gradient(&c, dz, o.x, dk.data, dk.accumulate, scratch);
    }
    bias_gradient(g, n, dz);
}

static rt_tensor *transpose_plain(rt_graph *g, rt_tensor *const in[], const void *context) {
    const setting *s = context;
    return rt_conv_transpose2d(g, in[0], in[1], in[2], &s->how, s->act);
}

static rt_tensor *transpose_without_bias(rt_graph *g, rt_tensor *const in[], const void *context) {
    const setting *s = context;
    return rt_conv_transpose2d(g, in[0], in[1], NULL, &s->how, s->act);
}

#define TRANSPOSE_CASE(text, N, H, W, KH, KW, C, F, ...)                               \
    {.name = "conv_transpose2d" text, .function = transpose_plain, .inputs = 3,        \
     .input = {{4, {N, H, W, F}}, {4, {KH, KW, C, F}}, {1, {C}}}, .context = SETTING(__VA_ARGS__)}

static const rt_gradcheck_case conv_transpose2d_cases[] = {
    TRANSPOSE_CASE(", 3 x 3", 2, 3, 4, 3, 3, 2, 3, {.stride = 1}, RT_ACT_NONE),
    TRANSPOSE_CASE(", 4 x 4, stride 2, padding 1", 2, 3, 3, 4, 4, 2, 3, {.stride = 2, .padding = 1},
                   RT_ACT_NONE),
    TRANSPOSE_CASE(", with relu", 1, 2, 2, 2, 2, 1, 3, {.stride = 1}, RT_ACT_RELU),
    TRANSPOSE_CASE(", 1 x 1, stride 2: pixels that nothing reaches", 1, 3, 2, 1, 1, 2, 3, {.stride = 2},
                   RT_ACT_SIGMOID),
    TRANSPOSE_CASE(", 2 x 3, stride 3, dilation 2", 1, 3, 2, 2, 3, 2, 2, {.stride = 3, .dilation = 2},
                   RT_ACT_NONE),
    TRANSPOSE_CASE(", padding 2", 1, 4, 5, 3, 3, 2, 2, {.padding = 2}, RT_ACT_GELU),
    TRANSPOSE_CASE(", all extents 1", 1, 1, 1, 1, 1, 1, 1, {.stride = 1}, RT_ACT_TANH),
    {.name = "conv_transpose2d without bias", .function = transpose_without_bias, .inputs = 2,
     .input = {{4, {2, 3, 3, 2}}, {4, {3, 3, 3, 2}}}, .context = SETTING({.stride = 2}, RT_ACT_NONE)},
    {.name = "conv_transpose2d, only the kernel wants a gradient", .function = transpose_plain, .inputs = 3,
     .constant = 5, .input = {{4, {2, 3, 3, 2}}, {4, {3, 3, 3, 2}}, {1, {3}}},
     .context = SETTING({.stride = 2}, RT_ACT_NONE)},
};

const rti_op rti_op_conv_transpose2d = {
    .name = "conv_transpose2d", .arity = RTI_VARIADIC, .differentiable = 7,
    .formula = "y = act(x *' k + b), *' the transpose of *", .source = "Zeiler et al. 2010, section 2",
    .shape = conv_transpose2d_shape, .forward = conv_transpose2d_forward,
    .backward = conv_transpose2d_backward, .cases = conv_transpose2d_cases,
    .case_count = sizeof conv_transpose2d_cases / sizeof *conv_transpose2d_cases,
};
RTI_REGISTER(op, conv_transpose2d)

rt_tensor *rt_conv_transpose2d(rt_graph *g, rt_tensor *x, rt_tensor *k, rt_tensor *b, const rt_conv *how,
                               rt_activation act) {
    const rti_attributes a = attributes(how, act);
    return rti_apply(g, &rti_op_conv_transpose2d, (rt_tensor *const[]){x, k, b}, b ? 3 : 2, &a);
}
