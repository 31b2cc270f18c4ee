/* lenet5.c - LeNet-5.                                                  Floor 6 (nn)
 *
 * LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition", as it is
 * built today: every filter of conv2 sees all 6 maps (the paper's see 3 to 6 of them), pooling has no
 * weights, the output is linear. 61 706 parameters for 10 classes of 28 x 28 or 32 x 32 grey pixels; the
 * paper's has 60 000. Images below 32 pixels get a border of 2, as the paper's 28 x 28 ones. */
#include <stdio.h>
#include <string.h>

#include "nn/images.h"

static const rt_param lenet5_rows[] = {
    RT_PARAM_CHOICE_ROW("activation", "relu", "relu|leaky-relu|tanh|sigmoid|softplus|gelu", "tanh in 1998"),
    RT_PARAM_CHOICE_ROW("pool", "max", "max|mean", "2 x 2; a mean in 1998"),
    RT_PARAM_REAL_ROW("dropout", 0, 0, 0.99, "", "part of the hidden units that is dropped in training"),
    RT_PARAM_CHOICE_ROW("init", "he", RTI_INIT_CHOICES, "law of the initial weights"),
    RT_PARAM_REAL_ROW("init_std", 0.01, 0, 1000, "", "deviation of the initial weights when init is normal"),
};

static rt_status lenet5_build(rt_model *m, const rt_params *options, rt_error *error) {
    static const int filters[] = {6, 16}, hidden[] = {120, 84};
    char name[RTI_LAYER_NAME];
    rti_conv conv = {.kernel = 5,
                     .bias = true,
                     .activation = rti_activation_find(rt_params_text(options, "activation")),
                     .init = rti_init_find(rt_params_text(options, "init")),
                     .init_std = rt_params_real(options, "init_std")};
    rti_linear linear = {
        .bias = true, .activation = conv.activation, .init = conv.init, .init_std = conv.init_std};
    const bool mean = strcmp(rt_params_text(options, "pool"), "mean") == 0;
    const rti_pool pool = {.kind = mean ? RTI_POOL_AVG : RTI_POOL_MAX, .size = 2};
    RT_TRY(rti_model_add_channels_last(m, error));
    const int64_t *size = m->layers[0].out;
    const int border = size[0] < 32 && size[1] < 32 ? 2 : 0;
    for (int i = 0; i < 2; i++) {
        conv.padding = i == 0 ? border : 0;
        RT_TRY(rti_model_add_conv(m, rti_name(name, "conv%d", i + 1), filters[i], &conv, error));
        RT_TRY(rti_model_mark(m, RTI_STAGE, rti_name(name, "stage%d", i + 1), error));
        RT_TRY(rti_model_add_pool(m, rti_name(name, "pool%d", i + 1), &pool, error));
    }
    for (int i = 0; i < 2; i++) {
        RT_TRY(rti_model_add_linear(m, rti_name(name, "fc%d", i + 1), hidden[i], &linear, error));
        if (i == 1) RT_TRY(rti_model_mark(m, RTI_PENULTIMATE, name, error));
        RT_TRY(rti_model_add_dropout(m, name, rt_params_real(options, "dropout"), error));
    }
    linear.activation = RT_ACT_NONE;
    return rti_model_add_linear(m, "fc3", m->classes, &linear, error);
}

static void lenet5_summarise(const rt_model *m, const rt_params *options, char *buffer, size_t size) {
    char image[48];
    snprintf(buffer, size, "lenet5 %s-%lld %s", rti_images_text(m, image), (long long)m->classes,
             rt_params_text(options, "activation"));
}

const rti_model_kind rti_model_lenet5 = {
    .name = "lenet5",
    .title = "LeNet-5: two convolutions of 5 x 5, hidden layers of 120 and 84",
    .rows = lenet5_rows,
    .row_count = (int)(sizeof lenet5_rows / sizeof lenet5_rows[0]),
    .build = lenet5_build,
    .summarise = lenet5_summarise,
};
RTI_REGISTER(model, lenet5)
