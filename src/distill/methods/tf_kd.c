/* tf_kd.c - teacher-free distillation with a made-up teacher.          Floor 7 (distill)
 *
 *     u = peak on the label, (1 - peak)/(K - 1) on each other class;   p = softmax(u/T)
 *     L = (1 - alpha) CE(y, softmax(z)) + alpha multiplier KL( p || softmax(z) ) / K
 *
 * The made-up teacher is right always and nearly as sure of the label as of nothing else: label smoothing in
 * another dress. The published form takes the softmax of what are probabilities already, so that p is almost
 * uniform at T 20; it does not temper the student, has no T^2, and takes the mean over classes, which its
 * multiplier of 50 to 100 undoes on 100 classes. tempered, t_squared and reduction say otherwise.
 * (The self-training form of the paper is kd with a teacher of the student's own kind.) */
#include <string.h>

#include "distill/method.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RT_PARAM_REAL_ROW("alpha", 0.1, 0, 1, "", "weight of the made-up teacher; the labels get 1 - alpha"),
    RT_PARAM_REAL_ROW("temperature", 20, 0.01, 1000, "", "of the made-up teacher"),
    RT_PARAM_REAL_ROW("peak", 0.99, 0, 1, "", "what it gives the label, ahead of the softmax"),
    RT_PARAM_REAL_ROW("multiplier", 1, 0, 1e6, "", "on top of alpha"),
    RT_PARAM_CHOICE_ROW("reduction", "mean", "mean|batchmean",
                        "mean over classes, or their sum; mean over the batch"),
    RT_PARAM_BOOL_ROW("tempered", false, "divide the student's logits by T, too"),
    RT_PARAM_BOOL_ROW("t_squared", false, "multiply the term by T^2"),
};

static const rti_preset presets[] = {
    {"author", "alpha=0.1 temperature=20 multiplier=100",
     "yuanli2333/Teacher-free-KD, CIFAR-100, ResNet-18 and others"},
    {"author-mobilenet", "alpha=0.95 temperature=40 multiplier=1", "the same, MobileNetV2 and ShuffleNetV2"},
    {"kd-lib", "alpha=0.5 temperature=10 peak=0.9", "SforAiDl/KD_Lib, VirtualTeacher"},
};

static rt_status tf_kd_check(const rt_params *options, int64_t classes, rt_error *error) {
    (void)options;
    if (classes > 1) return RT_OK;
    return rt_fail(error, RT_UNSUPPORTED,
                   "tf-kd: one class leaves nothing for the others; there must be two");
}

/* u (N, K): a constant. */
static rt_tensor *made_up(rt_graph *g, rt_tensor *y, int64_t K, double peak) {
    rt_tensor *u = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (const int64_t[]){y->shape[0], K});
    for (int64_t n = 0; u && n < y->shape[0]; n++)
        for (int64_t k = 0; k < K; k++)
            rt_real_data(u)[n * K + k] = (rt_real)(rt_i32_data(y)[n] == k ? peak
                                                                          : (1 - peak) / (double)(K - 1));
    return u;
}

/* KL( softmax(u/T) || softmax(z/T') ), T' = T or 1, summed over the classes. */
static rt_tensor *divergence(const rt_params *options, const rti_method_input *in) {
    rt_graph *g = in->graph;
    double T = rt_params_real(options, "temperature");
    const double peak = rt_params_real(options, "peak");
    rt_tensor *u = made_up(g, in->y, in->z->shape[1], peak);
    if (in->y2) /* mixup: it is as sure of both labels as they are mixed */
        u = rt_add(g, rt_scale(g, u, in->lambda),
                   rt_scale(g, made_up(g, in->y2, in->z->shape[1], peak), 1 - in->lambda));
    bool tempered = rt_params_bool(options, "tempered");
    return rt_kl_divergence(g, u, tempered ? in->z : rt_scale(g, in->z, T), T);
}

static double soft_weight(const rt_params *options) {
    double T = rt_params_real(options, "temperature"),
           squared = rt_params_bool(options, "t_squared") ? T * T : 1;
    return rt_params_real(options, "alpha") * rt_params_real(options, "multiplier") * squared;
}

static bool is_mean(const rt_params *options) {
    return !strcmp(rt_params_text(options, "reduction"), "mean");
}

static void tf_kd_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state;
    rti_labels(out, in, 1 - rt_params_real(options, "alpha"));
    double over = is_mean(options) ? (double)in->z->shape[1] : 1;
    RTI_TERM(out, "virtual", soft_weight(options), rt_scale(in->graph, divergence(options, in), 1 / over));
}

static void tf_kd_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double T = rt_params_real(options, "temperature"), alpha = rt_params_real(options, "alpha");
    rti_write(
        &w,
        "L = %g CE(y, softmax(z)) + %g%s KL(softmax(u/%g) || softmax(z%s)), u = %g on the label and the rest "
        "shared by the others\n"
        "direction: KL(made-up teacher || student); no teacher is asked\nT^2: %s\n"
        "weights: alpha = %g on the made-up teacher, times %g; 1 - alpha = %g on the labels\n"
        "reduction: %s over classes, mean over the batch\nstages: one",
        1 - alpha, soft_weight(options), is_mean(options) ? " 1/K" : "", T,
        rt_params_bool(options, "tempered") ? "/T" : "", rt_params_real(options, "peak"),
        rt_params_bool(options, "t_squared") ? "in value and gradient" : "no factor", alpha,
        rt_params_real(options, "multiplier"), 1 - alpha, is_mean(options) ? "mean" : "sum");
}

static bool tf_kd_is_labels_only(const rt_params *options) { return rt_params_real(options, "alpha") == 0; }

/* ---- limits ---- */

/* Cross-entropy with the same targets, less their entropy, which all rows share. */
static rt_tensor *by_cross_entropy(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)v;
    double K = (double)z->shape[1];
    rt_tensor *p = rt_softmax(g, made_up(g, y, z->shape[1], 0.9), 2);
    rt_tensor *entropy = rt_scale(g, rt_sum(g, rt_mul(g, p, rt_log(g, p)), RT_ALL_AXES),
                                  1 / (double)z->shape[0]);
    return rt_scale(g, rt_add(g, rt_cross_entropy_soft(g, p, z, 1), entropy), 3 / K);
}

static const rti_method_case cases[] = {
    {"alpha 0 is cross-entropy", "alpha=0", rti_labels_alone, true},
    {"the made-up teacher alone, by cross-entropy", "alpha=1 temperature=2 peak=0.9 multiplier=3",
     by_cross_entropy, false},
};

const rti_method rti_method_tf_kd = {
    .name = "tf-kd",
    .title = "teacher-free distillation: a made-up teacher that is always right",
    .source = "Yuan, Tay, Li, Wang, Feng 2020, arXiv 1909.11723, equations 8 to 10 and the authors' code",
    .formula = "L = (1 - alpha) CE(y, z) + alpha multiplier KL( softmax(u/T) || softmax(z) ) / K",
    .explanation =
        "Is distillation knowledge, or regularisation? This teacher knows nothing but the label: it gives "
        "the label most and all others the same. What a student gains from it is regularisation, so it "
        "is the control that a comparison with teachers needs. Published code departs from the paper in "
        "four ways; options and presets name them.",
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = tf_kd_check,
    .contract = tf_kd_contract,
    .is_labels_only = tf_kd_is_labels_only,
    .loss = tf_kd_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, tf_kd)
