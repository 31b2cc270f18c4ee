/* plain.c - the plain convolutional networks of teacher assistants.    Floor 6 (nn)
 *
 * Mirzadeh et al. 2020 (arXiv 1902.03393): 2 ... 10 convolutions of 3 x 3 with bias, batch normalisation and
 * relu, 2 x 2 max pooling behind each group, then linear layers. The plans are those of the authors' code,
 * which has one for CIFAR-10 and a wider one for CIFAR-100; initial weights are PyTorch's. */
#include <stdio.h>
#include <string.h>

#include "nn/images.h"

static const rt_param plain_rows[] = {
    RT_PARAM_INT_ROW("layers", 2, 2, 10, "", "convolutions: 2, 4, 6, 8 or 10"),
    RT_PARAM_CHOICE_ROW("plan", "cifar10", "cifar10|cifar100", "whose widths: narrow or wide"),
    RTI_BATCH_NORM_ROWS,
};

/* 0 is a pooling; the number behind the end is the width of the hidden layer, 0 for none. */
enum { END = -1 };
static const struct {
    int layers;
    bool wide;
    int steps[18];
} plans[] = {
    {2, false, {16, 0, 16, 0, END, 0}},
    {4, false, {16, 16, 0, 32, 32, 0, END, 0}},
    {6, false, {16, 16, 0, 32, 32, 0, 64, 64, 0, END, 0}},
    {8, false, {16, 16, 0, 32, 32, 0, 64, 64, 0, 128, 128, 0, END, 64}},
    {10, false, {32, 32, 0, 64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, END, 128}},
    {2, true, {32, 0, 32, 0, END, 0}},
    {4, true, {32, 32, 0, 64, 64, 0, END, 0}},
    {6, true, {32, 32, 0, 64, 64, 0, 128, 128, END, 0}},
    {8, true, {32, 32, 0, 64, 64, 0, 128, 128, 0, 256, 256, 0, END, 64}},
    {10, true, {32, 32, 0, 64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, END, 512}},
};

static rt_status read_plan(const rt_params *options, rti_plan *plan, rt_error *error) {
    const int layers = (int)rt_params_int(options, "layers");
    const bool wide = strcmp(rt_params_text(options, "plan"), "cifar100") == 0;
    const int *step = NULL;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++)
        if (plans[i].layers == layers && plans[i].wide == wide) step = plans[i].steps;
    if (!step)
        return rt_fail(error, RT_SPEC, "There is no plan of %d layers; there are 2, 4, 6, 8 and 10.", layers);
    *plan = (rti_plan){0};
    for (; *step != END; step++) {
        if (*step)
            plan->filters[plan->convs++] = *step;
        else
            plan->pool[plan->convs - 1] = true;
    }
    plan->hidden[0] = step[1];
    plan->hiddens = step[1] != 0;
    return RT_OK;
}

static rt_status plain_build(rt_model *model, const rt_params *options, rt_error *error) {
    rti_plan plan;
    RT_TRY(read_plan(options, &plan, error));
    const rti_plan_style style = {
        .conv = {.kernel = 3, .padding = 1, .bias = true, .activation = RT_ACT_RELU, .init = RTI_INIT_FAN_IN},
        .batch_norm = true,
        .norm = rti_images_norm(options, RT_ACT_RELU),
        .hidden_init = RTI_INIT_FAN_IN,
    };
    return rti_plan_build(model, &plan, &style, error);
}

static void plain_summarise(const rt_model *model, const rt_params *options, char *buffer, size_t size) {
    rti_plan plan;
    if (read_plan(options, &plan, NULL) == RT_OK) rti_plan_summarise(model, &plan, "plain", buffer, size);
}

const rti_model_kind rti_model_plain = {
    .name = "plain",
    .title = "the plain network of 2 ... 10 convolutions from the teacher-assistant paper",
    .rows = plain_rows,
    .row_count = (int)(sizeof plain_rows / sizeof plain_rows[0]),
    .build = plain_build,
    .summarise = plain_summarise,
};
RTI_REGISTER(model, plain)
