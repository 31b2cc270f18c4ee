/* wrn.c - wide residual networks.                                      Floor 6 (nn)
 *
 * Zagoruyko, Komodakis 2016 (arXiv 1605.07146): WRN-d-k, a stem of 16 filters and three stages of (d - 4) / 6
 * blocks with 16 k, 32 k and 64 k filters. A block normalises first (He et al. 2016, arXiv 1603.05027):
 *
 *     h = relu(bn1(x));  y = conv2( dropout( relu( bn2( conv1(h) ) ) ) ) + shortcut
 *
 * where the shortcut is x, or a 1 x 1 convolution of h where the shape changes. A stage ends with a sum,
 * without activation: this is what attention transfer and RepDistiller take as its feature; "stage1.pre" is
 * the normalisation that reads it, ahead of its relu. Taps: stem, stage1.block1 ..., stage1 ... stage3,
 * pool. */
#include <stdio.h>

#include "nn/images.h"

static const rt_param wrn_rows[] = {
    RT_PARAM_INT_ROW("depth", 16, 10, 202, "layers", "d in WRN-d-k, 6 n + 4: 10, 16, 22, 28, 40"),
    RT_PARAM_INT_ROW("width", 1, 1, 32, "", "k in WRN-d-k"),
    RT_PARAM_INT_ROW("base", 16, 1, 1024, "filters", "of the stem; stages have base k, 2 base k, 4 base k"),
    RT_PARAM_REAL_ROW("dropout", 0, 0, 0.99, "",
                      "part that is dropped between the convolutions of a block; 0.3 in the paper"),
    RTI_CONV_INIT_ROW,
    RTI_BATCH_NORM_ROWS,
};

typedef struct style {
    rti_conv conv;
    rti_batch_norm norm;
    double dropout;
} style;

static rt_status add_block(rt_model *m, const style *s, const char *block, int stride, int64_t filters,
                           const char *stage_before, rt_error *error) {
    char input[RTI_LAYER_NAME], first[RTI_LAYER_NAME], second[RTI_LAYER_NAME], added[RTI_LAYER_NAME],
        name[RTI_LAYER_NAME];
    const rti_layer *last = &m->layers[m->layer_count - 1];
    const bool changes = stride != 1 || last->out[2] != filters;
    rti_name(input, "%s", last->name);
    RT_TRY(rti_model_add_batch_norm(m, rti_name(first, "%s.bn1", block), &s->norm, error));
    if (stage_before) rti_model_mark_before(m, stage_before);
    rti_name(added, "%s", input);
    rti_conv conv = s->conv;
    if (changes) {
        rti_conv one = {.kernel = 1, .stride = stride, .init = s->conv.init};
        RT_TRY(rti_model_add_conv(m, rti_name(added, "%s.shortcut", block), filters, &one, error));
        rti_model_from(m, first);
    }
    conv.stride = stride;
    RT_TRY(rti_model_add_conv(m, rti_name(name, "%s.conv1", block), filters, &conv, error));
    RT_TRY(rti_model_add_batch_norm(m, rti_name(second, "%s.bn2", block), &s->norm, error));
    RT_TRY(rti_model_add_dropout(m, second, s->dropout, error));
    RT_TRY(rti_model_add_conv(m, rti_name(name, "%s.conv2", block), filters, &s->conv, error));
    RT_TRY(rti_model_add_sum(m, rti_name(name, "%s.sum", block), added, RT_ACT_NONE, error));
    return rti_model_mark(m, RTI_BLOCK, block, error);
}

static rt_status check_depth(int depth, rt_error *error) {
    if (depth % 6 == 4) return RT_OK;
    const int below = depth - (depth + 2) % 6;
    return rt_fail(error, RT_SPEC, "A wrn's depth is 6 n + 4, not %d: the nearest are %d and %d.", depth,
                   below, below + 6);
}

static rt_status wrn_build(rt_model *m, const rt_params *options, rt_error *error) {
    const int depth = (int)rt_params_int(options, "depth");
    const int64_t base = rt_params_int(options, "base"), width = rt_params_int(options, "width");
    RT_TRY(check_depth(depth, error));
    const style s = {
        .conv = {.kernel = 3, .padding = 1, .init = rti_init_find(rt_params_text(options, "init"))},
        .norm = rti_images_norm(options, RT_ACT_RELU),
        .dropout = rt_params_real(options, "dropout"),
    };
    char name[RTI_LAYER_NAME], before[RTI_LAYER_NAME] = "";
    RT_TRY(rti_model_add_channels_last(m, error));
    RT_TRY(rti_model_add_conv(m, "stem.conv", base, &s.conv, error));
    RT_TRY(rti_model_mark(m, RTI_STEM, "stem", error));
    for (int stage = 1; stage <= 3; stage++) {
        for (int i = 1; i <= (depth - 4) / 6; i++) {
            const bool opens = stage > 1 && i == 1;
            rti_name(name, "stage%d.block%d", stage, i);
            RT_TRY(add_block(m, &s, name, opens ? 2 : 1, (base * width) << (stage - 1), opens ? before : NULL,
                             error));
        }
        RT_TRY(rti_model_mark(m, RTI_STAGE, rti_name(before, "stage%d", stage), error));
    }
    RT_TRY(rti_model_add_batch_norm(m, "bn", &s.norm, error));
    rti_model_mark_before(m, before);
    const rti_linear linear = {.bias = true, .init = RTI_INIT_FAN_IN, .zero_bias = true};
    return rti_images_end(m, 0, &linear, error);
}

static void wrn_summarise(const rt_model *m, const rt_params *options, char *buffer, size_t size) {
    char image[48], more[64] = "", narrow[32] = "";
    const int64_t base = rt_params_int(options, "base");
    const double dropout = rt_params_real(options, "dropout");
    if (base != 16) snprintf(narrow, sizeof narrow, ", base %lld", (long long)base);
    if (dropout > 0) snprintf(more, sizeof more, ", dropout %g", dropout);
    snprintf(buffer, size, "wrn-%d-%d %s-%lld%s%s", (int)rt_params_int(options, "depth"),
             (int)rt_params_int(options, "width"), rti_images_text(m, image), (long long)m->classes, narrow,
             more);
}

const rti_model_kind rti_model_wrn = {
    .name = "wrn",
    .title = "wide residual network WRN-d-k: blocks that normalise first",
    .rows = wrn_rows,
    .row_count = (int)(sizeof wrn_rows / sizeof wrn_rows[0]),
    .build = wrn_build,
    .summarise = wrn_summarise,
};
RTI_REGISTER(model, wrn)
