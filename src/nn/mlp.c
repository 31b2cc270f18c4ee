/* mlp.c - the multilayer perceptron.                                   Floor 6 (nn)
 *
 * Layers fc1, fc2, ..., each linear with bias and activation, the last one without activation: its
 * outputs are the logits. Dropout stands ahead of fc1 ("input") and behind each hidden layer. */
#include <stdio.h>

#include "nn/model.h"

static const rt_param mlp_rows[] = {
    RT_PARAM_INTS_ROW("hidden", "[30, 30]", 1, 65536, "units",
                      "widths of the hidden layers; [] is softmax regression"),
    RT_PARAM_CHOICE_ROW("activation", "relu", "relu|leaky-relu|tanh|sigmoid|softplus|gelu",
                        "of the hidden layers (leaky-relu: slope 0.01)"),
    RT_PARAM_REAL_ROW("dropout.input", 0, 0, 0.99, "", "part of the inputs that is dropped in training"),
    RT_PARAM_REAL_ROW("dropout.hidden", 0, 0, 0.99, "",
                      "part of the hidden units that is dropped in training"),
    RT_PARAM_CHOICE_ROW("init", "he", RTI_INIT_CHOICES, "law of the initial weights; biases start at 0"),
    RT_PARAM_REAL_ROW("init_std", 0.01, 0, 1000, "", "deviation of the initial weights when init is normal"),
    RT_PARAM_BOOL_ROW("bias", true, "whether units have a bias"),
};

static rt_status mlp_build(rt_model *model, const rt_params *options, rt_error *error) {
    const rt_value *hidden = rt_params_list(options, "hidden");
    rti_linear linear = {
        .bias = rt_params_bool(options, "bias"),
        .activation = rti_activation_find(rt_params_text(options, "activation")),
        .init = rti_init_find(rt_params_text(options, "init")),
        .init_std = rt_params_real(options, "init_std"),
    };
    char name[RTI_LAYER_NAME];
    RT_TRY(rti_model_add_dropout(model, "input", rt_params_real(options, "dropout.input"), error));
    for (int i = 0; i < hidden->count; i++) {
        snprintf(name, sizeof name, "fc%d", i + 1);
        RT_TRY(rti_model_add_linear(model, name, (int64_t)hidden->items[i], &linear, error));
        RT_TRY(rti_model_mark(model, RTI_STAGE, name, error));
        if (i == hidden->count - 1) RT_TRY(rti_model_mark(model, RTI_PENULTIMATE, name, error));
        RT_TRY(rti_model_add_dropout(model, name, rt_params_real(options, "dropout.hidden"), error));
    }
    linear.activation = RT_ACT_NONE;
    snprintf(name, sizeof name, "fc%d", hidden->count + 1);
    return rti_model_add_linear(model, name, model->classes, &linear, error);
}

static void mlp_summarise(const rt_model *model, const rt_params *options, char *buffer, size_t size) {
    const rt_value *hidden = rt_params_list(options, "hidden");
    char widths[160];
    int length = snprintf(widths, sizeof widths, "%lld", (long long)model->features);
    for (int i = 0; i < hidden->count; i++)
        length += snprintf(widths + length, sizeof widths - (size_t)length, "-%lld",
                           (long long)hidden->items[i]);
    length = snprintf(buffer, size, "%s-%lld", widths, (long long)model->classes);
    if (hidden->count > 0)
        length += snprintf(buffer + length, size - (size_t)length, " %s",
                           rt_params_text(options, "activation"));
    double input = rt_params_real(options, "dropout.input"),
           inside = rt_params_real(options, "dropout.hidden");
    if (input != 0 || inside != 0)
        length += snprintf(buffer + length, size - (size_t)length, ", dropout %g/%g", input, inside);
    if (!rt_params_bool(options, "bias")) snprintf(buffer + length, size - (size_t)length, ", no biases");
}

const rti_model_kind rti_model_mlp = {
    .name = "mlp",
    .title = "multilayer perceptron: linear layers with an activation between them",
    .rows = mlp_rows,
    .row_count = (int)(sizeof mlp_rows / sizeof mlp_rows[0]),
    .build = mlp_build,
    .summarise = mlp_summarise,
};
RTI_REGISTER(model, mlp)

rt_model *rt_mlp_new(int count, const int64_t widths[], uint64_t seed, rt_error *error) {
    if (count < 2 || count - 2 > RT_PARAM_ITEMS_MAX) {
        rt_fail(error, RT_SPEC, "A network needs 2 to %d widths, not %d.", RT_PARAM_ITEMS_MAX + 2, count);
        return NULL;
    }
    rt_params options;
    rt_params_init(&options, mlp_rows, rti_model_mlp.row_count);
    rt_value hidden = {.type = RT_PARAM_INTS, .count = count - 2};
    for (int i = 0; i < hidden.count; i++) hidden.items[i] = (double)widths[i + 1];
    if (rt_params_set(&options, "hidden", &hidden, error) != RT_OK) return NULL;
    return rt_model_new("mlp", &options, 1, widths, widths[count - 1], seed, error);
}
