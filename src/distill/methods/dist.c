/* dist.c - distillation by correlation.                                Floor 7 (distill)
 *
 *     q = softmax(z/T) (N, K), p = softmax(v/T);   r = Pearson's correlation
 *     inter = 1 - mean over examples of r(q[n,:], p[n,:])
 *     intra = 1 - mean over classes of r(q[:,k], p[:,k])
 *     L = hard_weight CE + weight T^2 ( beta inter + gamma intra )
 *
 * Correlation does not care about scale and offset, so a student need not match a much larger teacher number
 * by number. T^2 is in all published code and not in the paper. One example has no correlation over examples:
 * intra is 0 then. */
#include "distill/method.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("temperature", 1, 0.01, 1000, "", "softens teacher and student"),
    RT_PARAM_REAL_ROW("weight", 2, 0, 1e6, "", "of both correlations; T^2 comes on top"),
    RT_PARAM_REAL_ROW("beta", 1, 0, 1e6, "", "weight of inter, between the classes of an example"),
    RT_PARAM_REAL_ROW("gamma", 1, 0, 1e6, "", "weight of intra, between the examples of a class"),
    RT_PARAM_BOOL_ROW("t_squared", true, "multiply by T^2: the code; the paper does not"),
};

static const rti_preset presets[] = {
    {"author", "weight=2 beta=1 gamma=1 temperature=1",
     "hunto/DIST_KD, ImageNet; yoshitomo-matsubara/torchdistill and open-mmlab/mmrazor have the same"},
    {"paper", "weight=2 beta=1 gamma=1 temperature=1 t_squared=false",
     "the paper's equation, which has no T^2: at T = 1 the same, at others not"},
    {"inter", "weight=2 beta=1 gamma=0 temperature=1", "the paper's ablation: classes of an example alone"},
    {"intra", "weight=2 beta=0 gamma=1 temperature=1", "the paper's ablation: examples of a class alone"},
};

/* Rows less their mean, at length 1; a constant row becomes 0. Then Pearson's r is a sum of products. */
static rt_tensor *unit_rows(rt_graph *g, rt_tensor *x, int axis) {
    rt_tensor *centred = rt_sub(g, x, rt_mean(g, x, RT_AXIS(axis) | RT_KEEP_DIMS));
    return rt_l2_normalize(g, centred, axis, 1e-8);
}

/* 1 - mean of the correlations along an axis. */
static rt_tensor *apart(const rti_method_input *in, double T, int axis) {
    rt_graph *g = in->graph;
    rt_tensor *q = rt_softmax(g, in->z, T), *p = rt_softmax(g, in->v, T);
    if (in->z->shape[axis] < 2) return rt_scale(g, rt_sum(g, q, RT_ALL_AXES), 0);
    double count = (double)in->z->shape[1 - axis];
    rt_tensor *sum = rt_sum(g, rt_mul(g, unit_rows(g, q, axis), unit_rows(g, p, axis)), RT_ALL_AXES);
    return rt_add_scalar(g, rt_scale(g, sum, -1 / count), 1);
}

static double outer_weight(const rt_params *options) {
    double T = rt_params_real(options, "temperature");
    return rt_params_real(options, "weight") * (rt_params_bool(options, "t_squared") ? T * T : 1);
}

static void dist_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state;
    double T = rt_params_real(options, "temperature"), weight = outer_weight(options);
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "inter", weight * rt_params_real(options, "beta"), apart(in, T, 1));
    RTI_TERM(out, "intra", weight * rt_params_real(options, "gamma"), apart(in, T, 0));
}

static void dist_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double weight = outer_weight(options);
    rti_write(
        &w,
        "L = %g CE(y, softmax(z)) + %g (1 - mean_n r(q[n,:], p[n,:])) + %g (1 - mean_k r(q[:,k], p[:,k])), r "
        "Pearson's correlation of softmaxes at T = %g\n"
        "no KL; T^2: %s\nreduction: mean over examples, mean over classes; CE: mean over the batch\n"
        "one example has no correlation over examples: 0 then\nstages: one",
        rt_params_real(options, "hard_weight"), weight * rt_params_real(options, "beta"),
        weight * rt_params_real(options, "gamma"), rt_params_real(options, "temperature"),
        rt_params_bool(options, "t_squared") ? "in the weights" : "no factor");
}

static double dist_temperature(const rt_params *options) { return rt_params_real(options, "temperature"); }

static rt_status dist_check(const rt_params *options, int64_t classes, rt_error *error) {
    if (rt_params_real(options, "hard_weight") == 0 &&
        rt_params_real(options, "weight") *
                (rt_params_real(options, "beta") + rt_params_real(options, "gamma")) ==
            0)
        return rt_fail(error, RT_SPEC,
                       "hard_weight and weight (or beta and gamma) are 0: there is nothing to "
                       "learn from");
    if (classes > 1) return RT_OK;
    return rt_fail(error, RT_UNSUPPORTED,
                   "dist: the answers for one class do not vary, so nothing is correlated; "
                   "logit-mse works");
}

static bool dist_is_labels_only(const rt_params *options) {
    return (rt_params_real(options, "weight") == 0 ||
            (rt_params_real(options, "beta") == 0 && rt_params_real(options, "gamma") == 0)) &&
           rt_params_real(options, "hard_weight") == 1;
}

/* ---- limits ---- */

/* r = cov / (sd sd), from variances: cov(a, b) = (var(a + b) - var(a - b)) / 4. */
static rt_tensor *inter_by_variances(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)y;
    rt_tensor *q = rt_softmax(g, z, 2), *p = rt_softmax(g, v, 2);
    rt_tensor *both = rt_variance(g, rt_add(g, q, p), RT_AXIS(1), 0),
              *gap = rt_variance(g, rt_sub(g, q, p), RT_AXIS(1), 0);
    rt_tensor *spread = rt_sqrt(
        g, rt_mul(g, rt_variance(g, q, RT_AXIS(1), 0), rt_variance(g, p, RT_AXIS(1), 0)));
    rt_tensor *r = rt_div(g, rt_scale(g, rt_sub(g, both, gap), 0.25), spread);
    return rt_scale(g, rt_add_scalar(g, rt_scale(g, rt_mean(g, r, RT_ALL_AXES), -1), 1), 3 * 4);
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
    {"inter alone, from variances", "hard_weight=0 weight=3 gamma=0 temperature=2", inter_by_variances,
     false},
};

const rti_method rti_method_dist = {
    .name = "dist",
    .title = "distillation by correlation, within examples and within classes",
    .source = "Huang, You, Wang, Qian, Xu 2022, arXiv 2205.10536, equations 7 to 10",
    .formula = "L = hard_weight CE(y, z) + weight T^2 ( beta (1 - mean_n r_n) + gamma (1 - mean_k r_k) )",
    .explanation =
        "When the teacher is much stronger, matching its probabilities exactly is too much to ask. DIST "
        "asks that they rise and fall together: over the classes of each example, and over the examples of "
        "each class. Pearson's correlation measures that and ignores scale and offset.",
    .needs = RTI_NEEDS_TEACHER_LOGITS,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = dist_check,
    .contract = dist_contract,
    .is_labels_only = dist_is_labels_only,
    .temperature = dist_temperature,
    .loss = dist_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, dist)
