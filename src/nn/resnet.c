/* resnet.c - residual networks for small images.                       Floor 6 (nn)
 *
 * He, Zhang, Ren, Sun 2015 (arXiv 1512.03385), section 4.2: a stem, three stages of (depth - 2) / 6 blocks,
 * the mean over the image, a classifier. A block is
 *
 *     y = relu( bn2( conv2( relu( bn1( conv1(x) ) ) ) ) + shortcut(x) )
 *
 * The first block of stages 2 and 3 halves the image; where the shape changes the shortcut is a 1 x 1
 * convolution with batch normalisation (what the distillation literature trains), or the paper's for
 * CIFAR-10: every second pixel and channels of zeros. "resnet8x4" is depth 8 with filters
 * [32, 64, 128, 256]. Taps: stem, stage1.block1 ..., stage1 ... stage3, pool; ".pre" is ahead of the relu. */
#include <stdio.h>
#include <string.h>

#include "nn/images.h"

static const rt_param resnet_rows[] = {
    RT_PARAM_INT_ROW("depth", 20, 8, 200, "layers", "6 n + 2: 8, 14, 20, 32, 44, 56, 110"),
    RT_PARAM_INTS_ROW("filters", "[16, 16, 32, 64]", 1, 4096, "", "of the stem and the three stages"),
    RT_PARAM_CHOICE_ROW("shortcut", "conv", "conv|pad",
                        "where shapes differ: 1 x 1 convolution, or the paper's option A without weights"),
    RTI_CONV_INIT_ROW,
    RTI_BATCH_NORM_ROWS,
};

typedef struct style {
    rti_conv conv;
    rti_batch_norm norm;
    bool pad;
} style;

/* What is added to the block's sum: the name of a layer. */
static rt_status add_shortcut(rt_model *m, const style *s, const char *block, const char *input, int stride,
                              int64_t filters, char name[RTI_LAYER_NAME], rt_error *error) {
    const int64_t *in = m->layers[rti_model_layer_number(m, input)].out;
    if (stride == 1 && in[2] == filters) {
        rti_name(name, "%s", input);
        return RT_OK;
    }
    rti_name(name, "%s.shortcut", block);
    if (s->pad && in[2] <= filters) return rti_model_add_shortcut(m, name, stride, filters, error);
    rti_conv conv = s->conv;
    conv.kernel = 1;
    conv.padding = 0;
    conv.stride = stride;
    RT_TRY(rti_model_add_conv(m, name, filters, &conv, error));
    rti_batch_norm norm = s->norm;
    norm.activation = RT_ACT_NONE;
    return rti_model_add_batch_norm(m, rti_name(name, "%s.shortcut.bn", block), &norm, error);
}

static rt_status add_block(rt_model *m, const style *s, const char *block, int stride, int64_t filters,
                           rt_error *error) {
    char input[RTI_LAYER_NAME], added[RTI_LAYER_NAME], name[RTI_LAYER_NAME];
    rti_name(input, "%s", m->layers[m->layer_count - 1].name);
    RT_TRY(add_shortcut(m, s, block, input, stride, filters, added, error));
    rti_model_from(m, input);
    rti_conv conv = s->conv;
    conv.stride = stride;
    RT_TRY(rti_model_add_conv(m, rti_name(name, "%s.conv1", block), filters, &conv, error));
    RT_TRY(rti_model_add_batch_norm(m, rti_name(name, "%s.bn1", block), &s->norm, error));
    RT_TRY(rti_model_add_conv(m, rti_name(name, "%s.conv2", block), filters, &s->conv, error));
    rti_batch_norm norm = s->norm;
    norm.residual = added;
    RT_TRY(rti_model_add_batch_norm(m, rti_name(name, "%s.bn2", block), &norm, error));
    return rti_model_mark(m, RTI_BLOCK, block, error);
}

static rt_status check_depth(int depth, rt_error *error) {
    if (depth % 6 == 2) return RT_OK;
    const int below = depth - (depth + 4) % 6;
    return rt_fail(error, RT_SPEC, "A resnet's depth is 6 n + 2, not %d: the nearest are %d and %d.", depth,
                   below, below + 6);
}

static rt_status resnet_build(rt_model *m, const rt_params *options, rt_error *error) {
    const int depth = (int)rt_params_int(options, "depth");
    const rt_value *filters;
    RT_TRY(check_depth(depth, error));
    RT_TRY(rti_images_list(options, "filters", 4, "stem and three stages", &filters, error));
    const style s = {
        .conv = {.kernel = 3, .padding = 1, .init = rti_init_find(rt_params_text(options, "init"))},
        .norm = rti_images_norm(options, RT_ACT_RELU),
        .pad = strcmp(rt_params_text(options, "shortcut"), "pad") == 0,
    };
    char name[RTI_LAYER_NAME];
    RT_TRY(rti_model_add_channels_last(m, error));
    RT_TRY(rti_model_add_conv(m, "stem.conv", (int64_t)filters->items[0], &s.conv, error));
    RT_TRY(rti_model_add_batch_norm(m, "stem.bn", &s.norm, error));
    RT_TRY(rti_model_mark(m, RTI_STEM, "stem", error));
    for (int stage = 1; stage <= 3; stage++) {
        for (int i = 1; i <= (depth - 2) / 6; i++) {
            rti_name(name, "stage%d.block%d", stage, i);
            const int stride = stage > 1 && i == 1 ? 2 : 1;
            RT_TRY(add_block(m, &s, name, stride, (int64_t)filters->items[stage], error));
        }
        RT_TRY(rti_model_mark(m, RTI_STAGE, rti_name(name, "stage%d", stage), error));
    }
    const rti_linear linear = {.bias = true, .init = RTI_INIT_FAN_IN};
    return rti_images_end(m, 0, &linear, error);
}

static void resnet_summarise(const rt_model *m, const rt_params *options, char *buffer, size_t size) {
    const rt_value *f = rt_params_list(options, "filters");
    char image[48];
    snprintf(buffer, size, "resnet%d %s-%g-%g-%g-%g-%lld, %s shortcuts", (int)rt_params_int(options, "depth"),
             rti_images_text(m, image), f->items[0], f->items[1], f->items[2], f->items[3],
             (long long)m->classes, rt_params_text(options, "shortcut"));
}

const rti_model_kind rti_model_resnet = {
    .name = "resnet",
    .title = "residual network for small images: three stages of blocks of two 3 x 3 convolutions",
    .rows = resnet_rows,
    .row_count = (int)(sizeof resnet_rows / sizeof resnet_rows[0]),
    .build = resnet_build,
    .summarise = resnet_summarise,
};
RTI_REGISTER(model, resnet)
