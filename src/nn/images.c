/* images.c - see images.h.                                             Floor 6 (nn) */
#include "nn/images.h"

#include <stdarg.h>
#include <stdio.h>

rti_batch_norm rti_images_norm(const rt_params *options, rt_activation activation) {
    return (rti_batch_norm){.momentum = rt_params_real(options, "bn_momentum"),
                            .epsilon = rt_params_real(options, "bn_epsilon"),
                            .activation = activation};
}

const char *rti_name(char buffer[RTI_LAYER_NAME], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, RTI_LAYER_NAME, format, arguments);
    va_end(arguments);
    RT_ASSERT(length > 0 && length < RTI_LAYER_NAME, "the name %s is too long", buffer);
    return buffer;
}

rt_status rti_images_end(rt_model *m, double dropout, const rti_linear *linear, rt_error *error) {
    const rti_pool whole = {.kind = RTI_POOL_GLOBAL};
    RT_TRY(rti_model_add_pool(m, "pool", &whole, error));
    RT_TRY(rti_model_mark(m, RTI_PENULTIMATE, "pool", error));
    RT_TRY(rti_model_add_dropout(m, "pool", dropout, error));
    return rti_model_add_linear(m, "fc", m->classes, linear, error);
}

const char *rti_images_text(const rt_model *m, char buffer[48]) {
    const int64_t *s = m->input_shape;
    if (m->input_ndim == 2)
        snprintf(buffer, 48, "1x%lldx%lld", (long long)s[0], (long long)s[1]);
    else
        snprintf(buffer, 48, "%lldx%lldx%lld", (long long)s[0], (long long)s[1], (long long)s[2]);
    return buffer;
}

rt_status rti_images_list(const rt_params *options, const char *name, int count, const char *meaning,
                          const rt_value **list, rt_error *error) {
    *list = rt_params_list(options, name);
    if ((*list)->count == count) return RT_OK;
    return rt_fail(error, RT_SPEC, "%s has %d entries; it needs %d: %s.", name, (*list)->count, count,
                   meaning);
}

/* ---- plans ---- */

/* One convolution, normalised when the style says so; its name is that of its last layer. */
static rt_status add_conv(rt_model *m, const rti_plan_style *style, int number, int filters,
                          char last[RTI_LAYER_NAME], rt_error *error) {
    rti_conv conv = style->conv;
    rti_name(last, "conv%d", number);
    if (!style->batch_norm) return rti_model_add_conv(m, last, filters, &conv, error);
    conv.activation = RT_ACT_NONE;
    RT_TRY(rti_model_add_conv(m, last, filters, &conv, error));
    rti_batch_norm norm = style->norm;
    const bool rides = style->conv.activation == RT_ACT_RELU;
    norm.activation = rides ? RT_ACT_RELU : RT_ACT_NONE;
    RT_TRY(rti_model_add_batch_norm(m, rti_name(last, "bn%d", number), &norm, error));
    if (rides) return RT_OK;
    return rti_model_add_activation(m, rti_name(last, "act%d", number), style->conv.activation, error);
}

static rt_status add_convs(rt_model *m, const rti_plan *plan, const rti_plan_style *style, rt_error *error) {
    char name[RTI_LAYER_NAME];
    int stage = 0;
    for (int i = 0; i < plan->convs; i++) {
        RT_TRY(add_conv(m, style, i + 1, plan->filters[i], name, error));
        if (i == 0) RT_TRY(rti_model_mark(m, RTI_STEM, "stem", error));
        if (!plan->pool[i] && i + 1 < plan->convs) continue;
        RT_TRY(rti_model_mark(m, RTI_STAGE, rti_name(name, "stage%d", ++stage), error));
        const rti_pool pool = {.kind = RTI_POOL_MAX, .size = 2};
        if (plan->pool[i]) RT_TRY(rti_model_add_pool(m, rti_name(name, "pool%d", stage), &pool, error));
    }
    return RT_OK;
}

rt_status rti_plan_build(rt_model *m, const rti_plan *plan, const rti_plan_style *style, rt_error *error) {
    char name[RTI_LAYER_NAME];
    rti_linear linear = {.bias = true, .activation = style->conv.activation, .init = style->hidden_init};
    RT_TRY(rti_model_add_channels_last(m, error));
    RT_TRY(add_convs(m, plan, style, error));
    RT_TRY(rti_model_add_flatten(m, "flatten", error));
    if (plan->hiddens == 0) RT_TRY(rti_model_mark(m, RTI_PENULTIMATE, "flatten", error));
    for (int i = 0; i < plan->hiddens; i++) {
        RT_TRY(rti_model_add_linear(m, rti_name(name, "fc%d", i + 1), plan->hidden[i], &linear, error));
        if (i + 1 == plan->hiddens) RT_TRY(rti_model_mark(m, RTI_PENULTIMATE, name, error));
        RT_TRY(rti_model_add_dropout(m, name, style->dropout, error));
    }
    linear.activation = RT_ACT_NONE;
    rti_name(name, "fc%d", plan->hiddens + 1);
    return rti_model_add_linear(m, name, m->classes, &linear, error);
}

void rti_plan_summarise(const rt_model *m, const rti_plan *plan, const char *name, char *buffer,
                        size_t size) {
    char image[48], line[256];
    int length = snprintf(line, sizeof line, "%s %s ", name, rti_images_text(m, image));
    for (int i = 0; i < plan->convs && length < (int)sizeof line; i++)
        length += snprintf(line + length, sizeof line - (size_t)length, "%s%d%s", i ? "-" : "",
                           plan->filters[i], plan->pool[i] ? "p" : "");
    for (int i = 0; i < plan->hiddens && length < (int)sizeof line; i++)
        length += snprintf(line + length, sizeof line - (size_t)length, "-fc%d", plan->hidden[i]);
    snprintf(buffer, size, "%.200s-%lld", line, (long long)m->classes);
}
