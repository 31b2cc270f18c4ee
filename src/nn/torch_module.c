/* torch_module.c - a chain of layers as PyTorch's nn.Sequential. See torch_names.h.  Floor 6 (nn)
 *
 * One walk makes both the numbers of the modules and the Python text, so they can not disagree. Dropout is
 * left out: it changes nothing in evaluation. */
#include "nn/torch_names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct walk {
    int modules;
    rti_text *python; /* or NULL */
} walk;

static void module(walk *w, const char *format, ...) RT_PRINTF(2, 3);
static void module(walk *w, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (w->python) rti_text_printf(w->python, "%s%s", w->modules ? ", " : "", text);
    w->modules++;
}

static void add_activation(walk *w, rt_activation activation) {
    static const char *const names[] = {
        [RT_ACT_RELU] = "nn.ReLU()",         [RT_ACT_LEAKY_RELU] = "nn.LeakyReLU(0.01)",
        [RT_ACT_TANH] = "nn.Tanh()",         [RT_ACT_SIGMOID] = "nn.Sigmoid()",
        [RT_ACT_SOFTPLUS] = "nn.Softplus()", [RT_ACT_GELU] = "nn.GELU()",
    };
    if (activation != RT_ACT_NONE) module(w, "%s", names[activation]);
}

static void add_conv(walk *w, const rti_layer *l) {
    const rti_conv *c = &l->conv;
    char more[128] = "";
    size_t length = 0;
    const struct {
        const char *name;
        int value, usual;
    } options[] = {{"stride", c->stride, 1},
                   {"padding", c->padding, 0},
                   {"dilation", c->dilation, 1},
                   {"groups", c->groups, 1}};
    for (int i = 0; i < 4; i++)
        if (options[i].value != options[i].usual)
            length += (size_t)snprintf(more + length, sizeof more - length, ", %s=%d", options[i].name,
                                       options[i].value);
    module(w, "nn.Conv2d(%lld, %lld, %d%s%s)", (long long)l->in[2], (long long)l->out[2], c->kernel, more,
           c->bias ? "" : ", bias=False");
    add_activation(w, c->activation);
}

static void add_pool(walk *w, const rti_layer *l) {
    static const char *const names[] = {[RTI_POOL_MAX] = "MaxPool2d",
                                        [RTI_POOL_AVG] = "AvgPool2d",
                                        [RTI_POOL_ADAPTIVE_MAX] = "AdaptiveMaxPool2d",
                                        [RTI_POOL_ADAPTIVE_AVG] = "AdaptiveAvgPool2d"};
    const rti_pool *p = &l->pool;
    if (p->kind == RTI_POOL_GLOBAL) {
        module(w, "nn.AdaptiveAvgPool2d(1)");
        module(w, "nn.Flatten()");
    } else if (p->kind == RTI_POOL_ADAPTIVE_MAX || p->kind == RTI_POOL_ADAPTIVE_AVG) {
        module(w, "nn.%s(%d)", names[p->kind], p->size);
    } else if (p->stride == p->size && p->padding == 0) {
        module(w, "nn.%s(%d)", names[p->kind], p->size);
    } else {
        module(w, "nn.%s(%d, stride=%d, padding=%d)", names[p->kind], p->size, p->stride, p->padding);
    }
}

static void add_linear(walk *w, const rt_model *m, const rti_layer *l) {
    if (l->source >= 0 && l->in_ndim > 1) module(w, "nn.Flatten()");
    const int64_t *shape = m->parameters[l->parameter].tensor.shape;
    module(w, "nn.Linear(%lld, %lld%s)", (long long)shape[1], (long long)shape[0],
           l->linear.bias ? "" : ", bias=False");
    add_activation(w, l->linear.activation);
}

static void add_norm(walk *w, const rti_layer *l) {
    const rti_batch_norm *b = &l->batch_norm;
    char more[64] = "";
    if (b->epsilon != 1e-5 || b->momentum != 0.1)
        snprintf(more, sizeof more, ", eps=%g, momentum=%g", b->epsilon, b->momentum);
    module(w, "nn.BatchNorm2d(%lld%s)", (long long)l->in[l->in_ndim - 1], more);
    add_activation(w, b->activation);
}

/* Its module's number is that of the first module it stands for with weights. */
static bool add(walk *w, const rt_model *m, const rti_layer *l) {
    if (l->kind == &rti_layer_linear)
        add_linear(w, m, l);
    else if (l->kind == &rti_layer_conv)
        add_conv(w, l);
    else if (l->kind == &rti_layer_batch_norm)
        add_norm(w, l);
    else if (l->kind == &rti_layer_pool)
        add_pool(w, l);
    else if (l->kind == &rti_layer_flatten)
        module(w, "nn.Flatten()");
    else if (l->kind == &rti_layer_activation)
        add_activation(w, l->activation);
    else
        return l->kind == &rti_layer_channels_last || l->kind->only_in_training;
    return true;
}

rt_status rti_torch_number(const rt_model *m, int number[], rti_text *python, rt_error *error) {
    walk w = {.python = python};
    if (python) rti_text_append(python, "nn.Sequential(");
    for (int i = 0; i < m->layer_count; i++) {
        const rti_layer *l = &m->layers[i];
        const bool flat = l->kind == &rti_layer_linear && l->source >= 0 && l->in_ndim > 1;
        if (number) number[i] = l->parameter_count ? w.modules + flat : -1;
        if (!add(&w, m, l))
            return rt_fail(error, RT_UNSUPPORTED, "Layer %s (%s) of %s has no module in an nn.Sequential.",
                           l->name, l->kind->name, m->summary);
    }
    if (python) rti_text_append(python, ")");
    return RT_OK;
}

rt_status rti_torch_module(const rt_model *m, rti_text *out, rt_error *error) {
    if (rti_torch_is_chain(m)) return rti_torch_number(m, NULL, out, error);
    if (strcmp(m->kind->name, "resnet") == 0)
        rti_text_append(out, "conv1, bn1, layer1.0.conv1, .bn1, .conv2, .bn2, .downsample.0, .1, ..., fc "
                             "(RepDistiller's models/resnet.py)");
    else if (strcmp(m->kind->name, "wrn") == 0)
        rti_text_append(out, "conv1, block1.layer.0.bn1, .conv1, .bn2, .conv2, .convShortcut, ..., bn1, fc "
                             "(WideResNet-pytorch, RepDistiller's models/wrn.py)");
    return RT_OK;
}
