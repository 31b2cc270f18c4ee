/* vgg.c - VGG for small images.                                        Floor 6 (nn)
 *
 * Simonyan, Zisserman 2014 (arXiv 1409.1556) with one linear layer instead of three, as RepDistiller trains
 * it on CIFAR-100: five groups of 3 x 3 convolutions, 2 x 2 max pooling behind the first three (behind the
 * fourth one as well from 64 pixels on), the mean over the image. Depth 8 has one convolution in each group;
 * 11, 13, 16, 19 are the paper's A, B, D, E. Taps: stem (the first group), stage1 ... stage4, pool. */
#include <stdio.h>

#include "nn/images.h"

static const rt_param vgg_rows[] = {
    RT_PARAM_INT_ROW("depth", 8, 8, 19, "layers", "8, 11, 13, 16 or 19"),
    RT_PARAM_INTS_ROW("filters", "[64, 128, 256, 512, 512]", 1, 4096, "", "of the five groups"),
    RT_PARAM_BOOL_ROW("batch_norm", true, "batch normalisation behind each convolution"),
    RT_PARAM_REAL_ROW("dropout", 0, 0, 0.99, "", "part that is dropped ahead of the classifier in training"),
    RTI_CONV_INIT_ROW,
    RTI_BATCH_NORM_ROWS,
};

enum { GROUPS = 5 };
static const struct {
    int depth, convs[GROUPS];
} plans[] = {
    {8, {1, 1, 1, 1, 1}},  {11, {1, 1, 2, 2, 2}}, {13, {2, 2, 2, 2, 2}},
    {16, {2, 2, 3, 3, 3}}, {19, {2, 2, 4, 4, 4}},
};

static const int *plan_of(int depth, rt_error *error) {
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++)
        if (plans[i].depth == depth) return plans[i].convs;
    rt_fail(error, RT_SPEC, "There is no vgg of depth %d; there are 8, 11, 13, 16 and 19.", depth);
    return NULL;
}

static rt_status add_conv(rt_model *m, const char *group, int number, int64_t filters, bool normalise,
                          const rti_conv *conv, const rti_batch_norm *norm, rt_error *error) {
    char name[RTI_LAYER_NAME];
    RT_TRY(rti_model_add_conv(m, rti_name(name, "%s.conv%d", group, number), filters, conv, error));
    if (!normalise) return RT_OK;
    return rti_model_add_batch_norm(m, rti_name(name, "%s.bn%d", group, number), norm, error);
}

static rt_status vgg_build(rt_model *m, const rt_params *options, rt_error *error) {
    const int *convs = plan_of((int)rt_params_int(options, "depth"), error);
    const rt_value *filters;
    if (!convs) return RT_SPEC;
    RT_TRY(rti_images_list(options, "filters", GROUPS, "the five groups", &filters, error));
    const bool normalise = rt_params_bool(options, "batch_norm");
    const rti_conv conv = {.kernel = 3,
                           .padding = 1,
                           .bias = true,
                           .activation = normalise ? RT_ACT_NONE : RT_ACT_RELU,
                           .init = rti_init_find(rt_params_text(options, "init"))};
    const rti_batch_norm norm = rti_images_norm(options, RT_ACT_RELU);
    const rti_pool pool = {.kind = RTI_POOL_MAX, .size = 2};
    RT_TRY(rti_model_add_channels_last(m, error));
    const int pools = m->layers[0].out[0] >= 64 ? 4 : 3;
    for (int group = 0; group < GROUPS; group++) {
        char name[RTI_LAYER_NAME], of_pool[RTI_LAYER_NAME];
        if (group)
            rti_name(name, "stage%d", group);
        else
            rti_name(name, "stem");
        for (int i = 1; i <= convs[group]; i++)
            RT_TRY(add_conv(m, name, i, (int64_t)filters->items[group], normalise, &conv, &norm, error));
        RT_TRY(rti_model_mark(m, group ? RTI_STAGE : RTI_STEM, name, error));
        if (group < pools) RT_TRY(rti_model_add_pool(m, rti_name(of_pool, "pool%d", group), &pool, error));
    }
    const rti_linear linear = {.bias = true, .init = RTI_INIT_NORMAL, .init_std = 0.01};
    return rti_images_end(m, rt_params_real(options, "dropout"), &linear, error);
}

static void vgg_summarise(const rt_model *m, const rt_params *options, char *buffer, size_t size) {
    const rt_value *f = rt_params_list(options, "filters");
    const double dropout = rt_params_real(options, "dropout");
    char image[48], more[64] = "";
    if (dropout > 0) snprintf(more, sizeof more, ", dropout %g", dropout);
    snprintf(buffer, size, "vgg%d %s-%g-%g-%g-%g-%g-%lld%s%s", (int)rt_params_int(options, "depth"),
             rti_images_text(m, image), f->items[0], f->items[1], f->items[2], f->items[3], f->items[4],
             (long long)m->classes, rt_params_bool(options, "batch_norm") ? "" : ", not normalised", more);
}

const rti_model_kind rti_model_vgg = {
    .name = "vgg",
    .title = "VGG for small images: five groups of 3 x 3 convolutions",
    .rows = vgg_rows,
    .row_count = (int)(sizeof vgg_rows / sizeof vgg_rows[0]),
    .build = vgg_build,
    .summarise = vgg_summarise,
};
RTI_REGISTER(model, vgg)
