/* dkd.c - decoupled knowledge distillation.                            Floor 7 (distill)
 *
 * The KL of two softmaxes falls apart into what is said about the label and what about the others:
 *
 *     b = [p(y), 1 - p(y)],  p^ = softmax over the classes k != y;      T the temperature of all
 *     KL(p_t || p_s) = KL(b_t || b_s) + (1 - p_t(y)) KL(p^_t || p^_s)
 *     L = hard_weight CE + warm(epoch) ( alpha T^2 KL(b_t || b_s) + beta T^2 KL(p^_t || p^_s) )
 *
 * which frees the second part from its factor 1 - p_t(y), small where the teacher is sure. Both parts are
 * KL divergences of logits: those of b are (z_y / T, log sum_{k != y} exp(z_k / T)), those of p^ are z
 * without its entry y. So nothing is computed as 1 - p, and class y is left out and not masked with a large
 * number, as published code does. */
#include "distill/method.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("temperature", 4, 0.01, 1000, "", "softens teacher and student in both parts"),
    RT_PARAM_REAL_ROW("alpha", 1, 0, 1e6, "", "weight of the target class; T^2 comes on top"),
    RT_PARAM_REAL_ROW("beta", 8, 0, 1e6, "", "weight of the other classes; T^2 comes on top"),
    RT_PARAM_REAL_ROW("warmup", 20, 0, 100000, "epochs",
                      "the weights rise as (epoch + 1) / warmup to their value; 0: at once"),
    RT_PARAM_CHOICE_ROW("reduction", "batchmean", "batchmean|sum",
                        "over the batch, of both parts: mean, or sum, which grows with it"),
};

static const rti_preset presets[] = {
    {"mdistiller", "alpha=1 beta=8 temperature=4 warmup=20", "megvii-research/mdistiller, ResNet-32x4 pairs"},
    {"mdistiller-resnet", "alpha=1 beta=2 temperature=4 warmup=20",
     "megvii-research/mdistiller, ResNet-56 to 20 and 110 to 32"},
    {"mdistiller-wrn", "alpha=1 beta=6 temperature=4 warmup=20",
     "megvii-research/mdistiller, WRN-40-2 pairs"},
    {"mmrazor", "alpha=1 beta=0.5 temperature=1 warmup=0 reduction=sum",
     "open-mmlab/mmrazor, ResNet-34 to 18: a legacy argument turns its mean into a sum over the batch, so "
     "the "
     "weight is N times what it says; T and beta are unverified"},
};

static rt_status dkd_check(const rt_params *options, int64_t classes, rt_error *error) {
    if (rt_params_real(options, "hard_weight") == 0 && rt_params_real(options, "alpha") == 0 &&
        rt_params_real(options, "beta") == 0)
        return rt_fail(error, RT_SPEC,
                       "hard_weight, alpha and beta are all 0: there is nothing to learn from");
    if (classes > 2) return RT_OK;
    return rt_fail(
        error, RT_UNSUPPORTED,
        "dkd with %lld classes: without the target class one is left, so there is nothing to compare "
        "between others; kd works for two classes",
        (long long)classes);
}

/* ---- the two distributions, as logits ---- */

/* 1 where the class is (or, with `others`, is not) the label; (N, K), a constant. */
static rt_tensor *mask(rt_graph *g, rt_tensor *y, int64_t K, bool others) {
    rt_tensor *m = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (const int64_t[]){y->shape[0], K});
    for (int64_t n = 0; m && n < y->shape[0]; n++)
        for (int64_t k = 0; k < K; k++) rt_real_data(m)[n * K + k] = (rt_i32_data(y)[n] == k) != others;
    return m;
}

/* Entries k != y of (N, K), one after the other: (N, K-1). Taken by index, so y's own number, however
 * large, is nowhere in the arithmetic. */
static rt_tensor *without_target(rt_graph *g, rt_tensor *z, rt_tensor *y) {
    if (!z) return NULL;
    int64_t N = z->shape[0], K = z->shape[1], count = N * (K - 1);
    rt_tensor *index = rt_graph_tensor(g, RT_DTYPE_I32, 1, &count);
    if (!index) return NULL;
    int32_t *at = rt_i32_data(index);
    for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < K; k++)
            if (rt_i32_data(y)[n] != k) *at++ = (int32_t)(n * K + k);
    rt_tensor *column = rt_reshape(g, z, 2, (const int64_t[]){N * K, 1});
    return rt_reshape(g, rt_gather_rows(g, column, index), 2, (const int64_t[]){N, K - 1});
}

/* (N, 2): logits of [p(y), 1 - p(y)] at T. log sum exp over the others is z_k/T - log p^_k for any k, here
 * their mean with the weights p^: what is impossible, and large, adds no rounding. The weights add up to
 * 1, so as constants they change no gradient. */
static rt_tensor *target_or_not(rt_graph *g, rt_tensor *z, rt_tensor *y, double T) {
    if (!z) return NULL;
    rt_tensor *own = rt_sum(g, rt_mul(g, z, mask(g, y, z->shape[1], false)), RT_AXIS(1) | RT_KEEP_DIMS);
    rt_tensor *others = without_target(g, z, y);
    rt_tensor *each = rt_sub(g, rt_scale(g, others, 1 / T), rt_log_softmax(g, others, T));
    rt_tensor *weights = rt_softmax(g, rt_detach(g, others), T);
    rt_tensor *rest = rt_sum(g, rt_mul(g, each, weights), RT_AXIS(1) | RT_KEEP_DIMS);
    return rt_concat(g, (rt_tensor *const[]){rt_scale(g, own, 1 / T), rest}, 2, 1);
}

/* The factor of both parts besides alpha and beta. */
static double warm(const rt_params *options, int64_t epoch) {
    double epochs = rt_params_real(options, "warmup"),
           share = ((double)epoch + 1) / (epochs > 0 ? epochs : 1);
    return epochs > 0 && share < 1 ? share : 1;
}

typedef rt_tensor *part_function(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y, double T);

static rt_tensor *target_part(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y, double T) {
    return rt_kl_divergence(g, target_or_not(g, v, y, T), target_or_not(g, z, y, T), 1);
}
static rt_tensor *others_part(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y, double T) {
    return rt_kl_divergence(g, without_target(g, v, y), without_target(g, z, y), T);
}

/* A mixed image has two labels: each decouples with its share, as in the cross-entropy. */
static rt_tensor *shared(const rti_method_input *in, part_function *part, double T) {
    rt_graph *g = in->graph;
    rt_tensor *own = part(g, in->v, in->z, in->y, T);
    if (!in->y2) return own;
    return rt_add(g, rt_scale(g, own, in->lambda),
                  rt_scale(g, part(g, in->v, in->z, in->y2, T), 1 - in->lambda));
}

static bool is_sum(const rt_params *options) { return rt_params_text(options, "reduction")[0] == 's'; }

static void dkd_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state;
    double T = rt_params_real(options, "temperature"), rise = warm(options, in->epoch) * T * T;
    if (is_sum(options)) rise *= (double)in->z->shape[0];
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "tckd", rise * rt_params_real(options, "alpha"), shared(in, target_part, T));
    RTI_TERM(out, "nckd", rise * rt_params_real(options, "beta"), shared(in, others_part, T));
}

static void dkd_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double T = rt_params_real(options, "temperature"), alpha = rt_params_real(options, "alpha"),
           beta = rt_params_real(options, "beta"), epochs = rt_params_real(options, "warmup");
    rti_write(
        &w,
        "L = %g CE(y, softmax(z)) + w ( %g * %g^2 KL(b_t || b_s) + %g * %g^2 KL(p^_t || p^_s) ), b the label "
        "against the rest, p^ the others alone\n"
        "direction: KL(teacher || student) in both\nT^2: in value and gradient of both; T = %g\n",
        rt_params_real(options, "hard_weight"), alpha, T, beta, T, T);
    if (epochs > 0)
        rti_write(&w, "w: (epoch + 1) / %g, at most 1\n", epochs);
    else
        rti_write(&w, "w: 1\n");
    rti_write(&w,
              "L = %g CE(y, softmax(z)) + w%s ( %g * %g^2 KL(b_t || b_s) + %g * %g^2 KL(p^_t || p^_s) ), b "
              "the label "
              "against the rest, p^ the others alone\n"
              "direction: KL(teacher || student) in both\nT^2: in value and gradient of both; T = %g\n",
              rt_params_real(options, "hard_weight"), is_sum(options) ? " N" : "", alpha, T, beta, T, T);
    if (epochs > 0)
        rti_write(&w, "w: (epoch + 1) / %g, at most 1\n", epochs);
    else
        rti_write(&w, "w: 1\n");
    rti_write(&w,
              "weights: alpha = %g on the target class, beta = %g on the others, at their end %g and %g\n"
              "reduction: sum over classes, %s; CE: mean over the batch\nstages: one",
              alpha, beta, alpha * T * T, beta * T * T,
              is_sum(options) ? "sum over the batch: grows with it" : "mean over the batch");
}

static double dkd_temperature(const rt_params *options) { return rt_params_real(options, "temperature"); }

static bool dkd_is_labels_only(const rt_params *options) {
    return rt_params_real(options, "alpha") == 0 && rt_params_real(options, "beta") == 0 &&
           rt_params_real(options, "hard_weight") == 1;
}

/* ---- limits ---- */

static rt_tensor *binary_by_hand(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    rt_tensor *sum = NULL;
    rt_tensor *own = mask(g, y, z->shape[1], false), *others = mask(g, y, z->shape[1], true);
    for (int part = 0; part < 2; part++) {
        rt_tensor *which = part ? others : own;
        rt_tensor *p = rt_sum(g, rt_mul(g, rt_softmax(g, v, 3), which), RT_AXIS(1));
        rt_tensor *q = rt_sum(g, rt_mul(g, rt_softmax(g, z, 3), which), RT_AXIS(1));
        rt_tensor *one = rt_mean(g, rt_mul(g, p, rt_sub(g, rt_log(g, p), rt_log(g, q))), RT_ALL_AXES);
        sum = part ? rt_add(g, sum, one) : one;
    }
    return rt_scale(g, sum, 9);
}

static const rti_method_case cases[] = {
    {"alpha 0 and beta 0 is cross-entropy", "alpha=0 beta=0", rti_labels_alone, true},
    {"the target part alone, from probabilities", "hard_weight=0 alpha=1 beta=0 temperature=3 warmup=0",
     binary_by_hand, false},
};

const rti_method rti_method_dkd = {
    .name = "dkd",
    .title = "decoupled distillation: the target class and the others apart",
    .source = "Zhao, Cui, Song, Qiu, Liang 2022, arXiv 2203.08679, equations 5 to 7",
    .formula = "L = hard_weight CE(y, z) + w T^2 ( alpha KL(b_t || b_s) + beta KL(p^_t || p^_s) )",
    .explanation =
        "Hinton's divergence is the sum of two: how sure the teacher is of the label, and how it ranks the "
        "other classes, the second weighted with the teacher's doubt. Where the teacher is sure, its "
        "ranking of the others is hardly heard. DKD gives both a weight of their own. With two classes "
        "there are no others to rank, and the method refuses.",
    .needs = RTI_NEEDS_TEACHER_LOGITS,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = dkd_check,
    .contract = dkd_contract,
    .is_labels_only = dkd_is_labels_only,
    .temperature = dkd_temperature,
    .loss = dkd_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, dkd)
