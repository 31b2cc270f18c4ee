/* cnn.c - small convolutional networks, as papers use them on MNIST and CIFAR-10.  Floor 6 (nn)
 *
 * Convolutions conv1, conv2, ... of one kernel, 2 x 2 max pooling behind those that `pool_after` names,
 * hidden layers fc1, ..., classifier. A stage ends ahead of each pooling, and with the last convolution.
 *
 *   kann's example for MNIST      filters = [32, 32], pool_after = [2], padding = "none", hidden = [128]
 *   haitongli's student, CIFAR-10 filters = [32, 64, 128], pool_after = [1, 2, 3], hidden = [128],
 *                                 batch_norm = true (theirs normalises the hidden layer, too) */
#include <stdio.h>
#include <string.h>

#include "nn/images.h"

static const rt_param cnn_rows[] = {
    RT_PARAM_INTS_ROW("filters", "[16, 32]", 1, 4096, "", "filters of the convolutions, one after the other"),
    RT_PARAM_INT_ROW("kernel", 3, 1, 31, "pixels", "extent of their kernels"),
    RT_PARAM_CHOICE_ROW("padding", "same", "same|none", "whether a convolution keeps the image's size"),
    RT_PARAM_INTS_ROW("pool_after", "[1, 2]", 1, RTI_PLAN_CONVS, "",
                      "convolutions that 2 x 2 max pooling follows, counted from 1"),
    RT_PARAM_INTS_ROW("hidden", "[64]", 1, 65536, "units", "widths of the hidden layers"),
    RT_PARAM_CHOICE_ROW("activation", "relu", "relu|leaky-relu|tanh|sigmoid|softplus|gelu",
                        "of convolutions and hidden layers"),
    RT_PARAM_BOOL_ROW("batch_norm", false, "batch normalisation behind each convolution"),
    RT_PARAM_REAL_ROW("dropout", 0, 0, 0.99, "", "part of the hidden units that is dropped in training"),
    RT_PARAM_CHOICE_ROW("init", "he", RTI_INIT_CHOICES, "law of the initial weights"),
    RT_PARAM_REAL_ROW("init_std", 0.01, 0, 1000, "", "deviation of the initial weights when init is normal"),
    RTI_BATCH_NORM_ROWS,
};

/* What the options say, as a plan. */
static rt_status read_plan(const rt_params *options, rti_plan *plan, rt_error *error) {
    const rt_value *filters = rt_params_list(options, "filters"),
                   *after = rt_params_list(options, "pool_after"),
                   *hidden = rt_params_list(options, "hidden");
    *plan = (rti_plan){.convs = filters->count, .hiddens = hidden->count};
    if (filters->count == 0)
        return rt_fail(error, RT_SPEC, "filters is empty; a cnn has at least one convolution.");
    for (int i = 0; i < filters->count; i++) plan->filters[i] = (int)filters->items[i];
    for (int i = 0; i < hidden->count; i++) plan->hidden[i] = (int)hidden->items[i];
    for (int i = 0; i < after->count; i++) {
        const int number = (int)after->items[i];
        if (number > filters->count || plan->pool[number - 1])
            return rt_fail(error, RT_SPEC, "pool_after: %d is %s; there are convolutions 1 to %d.", number,
                           number > filters->count ? "no convolution" : "there twice", filters->count);
        plan->pool[number - 1] = true;
    }
    return RT_OK;
}

static rt_status cnn_build(rt_model *model, const rt_params *options, rt_error *error) {
    rti_plan plan;
    RT_TRY(read_plan(options, &plan, error));
    const int kernel = (int)rt_params_int(options, "kernel");
    const bool same = strcmp(rt_params_text(options, "padding"), "same") == 0;
    if (same && kernel % 2 == 0)
        return rt_fail(error, RT_SPEC,
                       "A kernel of %d pixels can not keep the image's size: take an odd one, or padding = "
                       "\"none\".",
                       kernel);
    const rti_init init = rti_init_find(rt_params_text(options, "init"));
    const bool norm = rt_params_bool(options, "batch_norm");
    const rti_plan_style style = {
        .conv = {.kernel = kernel,
                 .padding = same ? kernel / 2 : 0,
                 .bias = !norm,
                 .activation = rti_activation_find(rt_params_text(options, "activation")),
                 .init = init,
                 .init_std = rt_params_real(options, "init_std")},
        .batch_norm = norm,
        .norm = rti_images_norm(options, RT_ACT_RELU),
        .hidden_init = init,
        .dropout = rt_params_real(options, "dropout"),
    };
    return rti_plan_build(model, &plan, &style, error);
}

static void cnn_summarise(const rt_model *model, const rt_params *options, char *buffer, size_t size) {
    rti_plan plan;
    if (read_plan(options, &plan, NULL) == RT_OK) rti_plan_summarise(model, &plan, "cnn", buffer, size);
}

const rti_model_kind rti_model_cnn = {
    .name = "cnn",
    .title = "a small convolutional network: convolutions, max pooling, hidden layers",
    .rows = cnn_rows,
    .row_count = (int)(sizeof cnn_rows / sizeof cnn_rows[0]),
    .build = cnn_build,
    .summarise = cnn_summarise,
};
RTI_REGISTER(model, cnn)
