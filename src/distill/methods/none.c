/* none.c - cross-entropy with the labels and nothing else.             Floor 7 (distill)
 *
 * What teachers and scratch students are trained with. */
#include "distill/method.h"
#include "retort/ops.h"

static void none_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state, (void)options;
    rti_labels(out, in, 1);
}

static void none_contract(const rt_params *options, char *buffer, size_t size) {
    (void)options;
    rti_write(&(rti_writer){buffer, size}, "L = CE(y, softmax(z)), z student logits, y labels\n"
                                           "reduction: mean over the batch\n"
                                           "no teacher, no temperature, no KL\n"
                                           "stages: one");
}

static bool none_is_labels_only(const rt_params *options) {
    (void)options;
    return true;
}

/* -mean over n of log softmax(z)[n, y]: the same picked out of a log-softmax with a one-hot mask. */
static rt_tensor *labels_picked(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)v;
    rt_tensor *onehot = rt_graph_tensor(g, RT_DTYPE_REAL, 2, z->shape);
    if (!onehot) return NULL;
    for (int64_t n = 0; n < z->shape[0]; n++)
        for (int64_t k = 0; k < z->shape[1]; k++)
            rt_real_data(onehot)[n * z->shape[1] + k] = rt_i32_data(y)[n] == k;
    rt_tensor *picked = rt_sum(g, rt_mul(g, onehot, rt_log_softmax(g, z, 1)), RT_ALL_AXES);
    return rt_scale(g, picked, -1.0 / (double)z->shape[0]);
}

static const rti_method_case none_cases[] = {
    {"the loss is cross-entropy", "", rti_labels_alone, true},
    {"picked out of a log-softmax", "", labels_picked, false},
};

const rti_method rti_method_none = {
    .name = "none",
    .title = "no distillation: the student learns from the labels alone",
    .source = "the baseline: maximum likelihood of the labels",
    .explanation =
        "The student by itself, on the labels: what every gain is measured against, with the same initial "
        "weights, order of the data and budget. Teachers are trained with it, too.",
    .needs = RTI_LABELS_ALONE,
    .formula = "L = CE(y, softmax(z))",
    .contract = none_contract,
    .is_labels_only = none_is_labels_only,
    .loss = none_loss,
    .cases = none_cases,
    .case_count = 2,
};
RTI_REGISTER(method, none)
