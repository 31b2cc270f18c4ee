/* logit_standardization.c - distillation of z-scored logits.           Floor 7 (distill)
 *
 *     z' = (z - mean z) / (std z + 1e-7)    over the classes of each example, std with K - 1; v' alike
 *     L = hard_weight CE(y, softmax(z)) + weight T^2 KL( softmax(v'/T) || softmax(z'/T) )
 *
 * Teacher and student may have logits of any size and still agree. Published with weight 9 and T 2, so 36 on
 * the divergence against the 14.4 of the baseline beside it: method and weight were changed together. */
#include <math.h>

#include "distill/maps.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RT_PARAM_REAL_ROW("hard_weight", 0.1, 0, 1e6, "", "of the labels' cross-entropy"),
    RT_PARAM_REAL_ROW("temperature", 2, 0.01, 1000, "", "of the z-scored logits"),
    RT_PARAM_REAL_ROW("weight", 9, 0, 1e6, "", "of the divergence; T^2 comes on top"),
};

static const rti_preset presets[] = {
    {"lskd", "hard_weight=0.1 weight=9 temperature=2", "sunshangquan/logit-standardization-KD"},
    {"lskd-same-weight", "hard_weight=0.1 weight=0.9 temperature=4",
     "the weights of the plain KD that it was compared with: the method by itself"},
    {"torchdistill", "hard_weight=0.5 weight=9 temperature=2", "yoshitomo-matsubara/torchdistill"},
};

static rt_status standardization_check(const rt_params *options, int64_t classes, rt_error *error) {
    if (classes < 2)
        return rt_fail(error, RT_UNSUPPORTED,
                       "logit-standardization: the logits of one class have no deviation; logit-mse works");
    return rti_weights_check(options, classes, error);
}

/* A row of equal logits has the deviation 0: it becomes 0, with a gradient that is finite. */
static rt_tensor *z_scores(rt_graph *g, rt_tensor *z) {
    if (!z) return NULL;
    double K = (double)z->shape[1];
    rt_tensor *centred = rt_sub(g, z, rt_mean(g, z, RT_AXIS(1) | RT_KEEP_DIMS));
    rt_tensor *norm = rt_l2_norm(g, centred);
    rt_tensor *deviation = rt_add_scalar(g, rt_scale(g, norm, 1 / sqrt(K - 1)), 1e-7);
    return rt_div(g, centred, rt_reshape(g, deviation, 2, (const int64_t[]){z->shape[0], 1}));
}

static void standardization_loss(void *state, const rt_params *options, const rti_method_input *in,
                                 rti_terms *out) {
    (void)state;
    double T = rt_params_real(options, "temperature");
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "kd", rt_params_real(options, "weight") * T * T,
             rt_kl_divergence(in->graph, z_scores(in->graph, in->v), z_scores(in->graph, in->z), T));
}

static void standardization_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double T = rt_params_real(options, "temperature"), weight = rt_params_real(options, "weight");
    rti_write(
        &w,
        "L = %g CE(y, softmax(z)) + %g * %g^2 KL(softmax(v'/%g) || softmax(z'/%g)), ' : less the mean, over "
        "the deviation (K - 1) of each example's logits\n"
        "direction: KL(teacher || student)\nT^2: in value and gradient; T = %g\n"
        "effective weights: %g on CE, %g on the divergence\n"
        "reduction: sum over classes, mean over the batch\nstages: one",
        rt_params_real(options, "hard_weight"), weight, T, T, T, T, rt_params_real(options, "hard_weight"),
        weight * T * T);
}

/* ---- limits ---- */

static rt_tensor *scores_by_variance(rt_graph *g, rt_tensor *z) {
    rt_tensor *mean = rt_mean(g, z, RT_AXIS(1) | RT_KEEP_DIMS);
    rt_tensor *deviation = rt_sqrt(g, rt_variance(g, z, RT_AXIS(1) | RT_KEEP_DIMS, 1));
    return rt_div(g, rt_sub(g, z, mean), rt_add_scalar(g, deviation, 1e-7));
}

static rt_tensor *by_variance(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)y;
    rt_tensor *p = scores_by_variance(g, v), *q = scores_by_variance(g, z);
    rt_tensor *ratio = rt_sub(g, rt_log_softmax(g, p, 2), rt_log_softmax(g, q, 2));
    rt_tensor *sum = rt_sum(g, rt_mul(g, rt_softmax(g, p, 2), ratio), RT_ALL_AXES);
    return rt_scale(g, sum, 3 * 4 / (double)z->shape[0]);
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "hard_weight=1 weight=0", rti_labels_alone, true},
    {"the divergence alone, from variances", "hard_weight=0 weight=3 temperature=2", by_variance, false},
};

const rti_method rti_method_logit_standardization = {
    .name = "logit-standardization",
    .title = "distillation of z-scored logits: the size of logits is free",
    .source = "Sun, Ren, Li, Wang, Cao 2024, arXiv 2403.01427, algorithm 1",
    .formula =
        "L = hard_weight CE(y, z) + weight T^2 KL( softmax(v'/T) || softmax(z'/T) ),  ' : z-score by example",
    .explanation =
        "Sharing one temperature asks the student's logits to be as large as the teacher's, which a small "
        "network finds hard. Here each example's logits are brought to mean 0 and deviation 1 first, on "
        "both sides, so only their relations are learnt. Compare it at equal weights (preset "
        "lskd-same-weight), too: the published one is 2.5 times its baseline's.",
    .needs = RTI_NEEDS_TEACHER_LOGITS,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = standardization_check,
    .contract = standardization_contract,
    .is_labels_only = rti_weights_labels_only,
    .loss = standardization_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, logit_standardization)
