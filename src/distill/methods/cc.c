/* cc.c - correlation congruence.                                       Floor 7 (distill)
 *
 * Two losses go by this name.
 *
 *   gaussian  the paper's: C_ij = exp(-gamma ||f_i - f_j||^2) for features of length 1, which is
 *             exp(-2 gamma) exp(2 gamma f_i.f_j), by its Taylor series up to order P:
 *                 C = exp(-2 gamma) sum_p (2 gamma)^p / p! (F F^T)^p      element by element
 *             term = 1/N^2 ||C_s - C_t||^2, or the length itself, not squared, over N^2 (torchdistill)
 *   delta     RepDistiller's: delta_i = |e_s(f^s_i) - e_t(f^t_i)| with linear embeddings that are trained on
 *             both sides, term = mean over i of sum_d delta_i,d delta_(i+1),d over neighbours in the batch.
 *             It is 0 when both embeddings collapse.
 *
 * A batch of one example has no neighbours and one correlation: the term and its gradient are 0 there. */
#include <math.h>

#include "distill/adapters.h"
#include "distill/relations.h"
#include "retort/alloc.h"
#include "retort/ops.h"

#define EPSILON 1e-12 /* PyTorch's normalize */

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 0.02, 0, 1e9, "", "of the correlations"),
    RT_PARAM_CHOICE_ROW("form", "delta", "delta|gaussian", "RepDistiller's loss, or the paper's kernel"),
    RT_PARAM_INT_ROW("embedding", 128, 0, 4096, "",
                     "width of the linear embeddings; 0: features as they are"),
    RT_PARAM_REAL_ROW("gamma", 0.4, 1e-6, 100, "", "of the Gaussian kernel"),
    RT_PARAM_INT_ROW("order", 2, 1, 12, "", "of its Taylor series"),
    RT_PARAM_CHOICE_ROW("distance", "square", "square|norm", "of two kernels: squared, or its length"),
};

typedef struct cc {
    rt_model *student, *teacher; /* NULL: features as they are. The driver's */
} cc;

static bool is_gaussian(const rt_params *options) { return rt_params_text(options, "form")[0] == 'g'; }
static bool is_square(const rt_params *options) { return rt_params_text(options, "distance")[0] == 's'; }

/* ---- the loss ---- */

static rt_tensor *embedded(rt_graph *g, rt_model *embedding, rt_tensor *x) {
    return embedding ? rt_model_forward(embedding, g, x) : rti_flat_rows(g, x);
}

/* The series by Horner's rule: 1 + a G (1 + a/2 G (1 + a/3 G ...)), a = 2 gamma, times exp(-a). */
static rt_tensor *kernel(rt_graph *g, const rt_params *options, rt_tensor *x) {
    rt_tensor *unit = rt_l2_normalize(g, x, 1, EPSILON), *cosine = rt_matmul_nt(g, unit, unit);
    int64_t order = rt_params_int(options, "order");
    double a = 2 * rt_params_real(options, "gamma");
    rt_tensor *series = rt_add_scalar(g, rt_scale(g, cosine, a / (double)order), 1);
    for (int64_t p = order - 1; p >= 1; p--)
        series = rt_add_scalar(g, rt_scale(g, rt_mul(g, cosine, series), a / (double)p), 1);
    return rt_scale(g, series, exp(-a));
}

static rt_tensor *kernel_term(rt_graph *g, const rt_params *options, rt_tensor *s, rt_tensor *t) {
    s = kernel(g, options, s), t = kernel(g, options, t);
    if (!s || !t || is_square(options)) return rt_mse(g, s, t);
    double pairs = (double)rt_tensor_count(s);
    rt_tensor *difference = rt_reshape(g, rt_sub(g, s, t), 1, (const int64_t[]){-1});
    return rt_scale(g, rt_l2_norm(g, difference), 1 / pairs);
}

static rt_tensor *delta_term(rt_graph *g, rt_tensor *s, rt_tensor *t) {
    rt_tensor *delta = rt_abs(g, rt_sub(g, s, t));
    if (!delta) return NULL;
    int64_t N = delta->shape[0];
    rt_tensor *product = rt_mul(g, rt_slice(g, delta, 0, 0, N - 1), rt_slice(g, delta, 0, 1, N));
    return rt_scale(g, rt_sum(g, product, RT_ALL_AXES), 1 / (double)(N - 1));
}

static rt_tensor *cc_term(const cc *own, const rt_params *options, const rti_method_input *in) {
    rt_graph *g = in->graph;
    if (in->student_feature[0]->shape[0] < 2) return rti_no_term(g, in->student_feature[0]);
    rt_tensor *s = embedded(g, own->student, in->student_feature[0]);
    rt_tensor *t = embedded(g, own->teacher, in->teacher_feature[0]);
    return is_gaussian(options) ? kernel_term(g, options, s, t) : delta_term(g, s, t);
}

static void cc_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "cc", rt_params_real(options, "weight"), cc_term(state, options, in));
}

/* ---- making ---- */

static int64_t width(const rti_feature *f) { return rti_product(f->ndim, f->shape); }

static rt_status cc_init(void **state, const rti_method_setup *setup, rt_error *error) {
    RT_TRY(rti_batch_check(setup, "cc", 2, "it compares examples of a batch with each other", error));
    RT_TRY(rti_one_pair_check(setup, "cc", error));
    int64_t units = rt_params_int(setup->options, "embedding");
    const rti_feature *s = &setup->student[0], *t = &setup->teacher[0];
    if (!units && !is_gaussian(setup->options) && width(s) != width(t))
        return rt_fail(error, RT_UNSUPPORTED,
                       "method cc takes differences of the features themselves without embeddings, and the "
                       "student's \"%s\" has %lld numbers, the teacher's \"%s\" %lld; embedding = 128 "
                       "makes them equal, form = \"gaussian\" does not need it",
                       s->tap, (long long)width(s), t->tap, (long long)width(t));
    cc *own = *state = rt_alloc_zero(1, sizeof *own);
    if (!own) return rt_fail(error, RT_MEMORY, "no memory for the state of cc");
    if (!units) return RT_OK;
    RT_TRY(rti_embedding_new(setup, "cc.student", s, units, &own->student, error));
    return rti_embedding_new(setup, "cc.teacher", t, units, &own->teacher, error);
}

static void cc_deinit(void *state) { rt_free(state); }

/* ---- the contract ---- */

static void cc_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double weight = rt_params_real(options, "weight"), hard = rt_params_real(options, "hard_weight");
    long long units = (long long)rt_params_int(options, "embedding");
    bool gaussian = is_gaussian(options), square = is_square(options);
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g * ", hard, weight);
    if (gaussian) {
        rti_write(&w, "1/N^2 ||C_s - C_t||%s\n", square ? "^2" : ", not squared");
        rti_write(&w, "C = exp(-2 gamma) sum_p (2 gamma)^p / p! cos(f_i, f_j)^p, gamma %g, p = 0 ... %lld\n",
                  rt_params_real(options, "gamma"), (long long)rt_params_int(options, "order"));
    } else
        rti_write(&w, "mean over i of sum_d delta_i delta_(i+1), delta_i = |e_s - e_t| of example i\n");
    if (units)
        rti_write(&w, "f: linear embeddings of %lld numbers, trained on both sides, the teacher's, too\n",
                  units);
    else
        rti_write(&w, "f: the features themselves\n");
    rti_write(&w, "no KL, no temperature\nweights: %g on the labels, %g on the correlations\n", hard, weight);
    rti_write(
        &w, "reduction: %s; 0, and gradient 0, where a last batch has one example\n",
        gaussian ? (square ? "mean over the N^2 pairs of the batch" : "length over all pairs, divided by N^2")
                 : "sum over the embedding, mean over the N - 1 neighbours in the batch");
    rti_write(&w, "stages: one layer, by itself the penultimate");
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
    {"with the kernel, too", "weight=0 form=gaussian embedding=0", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"repdistiller", "",
     "HobbitLong/RepDistiller, written by the authors: neighbours' differences of 128-d embeddings, weight "
     "0.02; not the paper's kernel"},
    {"paper", "form=gaussian embedding=0 weight=0.003",
     "Peng et al. 2019, equations 5, 6 and 10: squared distance of kernels by Taylor series, P 2, gamma "
     "0.4, beta 0.003, there beside kd ('kd+cc')"},
    {"torchdistill", "form=gaussian distance=norm weight=0.003",
     "yoshitomo-matsubara/torchdistill: length of the kernels' difference over N^2, not squared, weight "
     "0.003; the width of its embeddings was not seen, and features are scaled to length 1 here"},
    {"kd-zoo", "form=gaussian embedding=0 weight=100",
     "AberHu/Knowledge-Distillation-Zoo: kernel of features of length 1, gamma 0.4, P 2, mean square, "
     "lambda 100"},
};

const rti_method rti_method_cc = {
    .name = "cc",
    .title = "correlation congruence: how examples of a batch correlate",
    .source = "Peng, Jin, Liu, Zhou, Wu, Liu, Li, Zhang 2019, arXiv 1904.01802, equations 5 to 10",
    .formula = "L = CE(y, softmax(z)) + weight * term\n"
               "delta:    term = mean_i sum_d delta_i,d delta_(i+1),d, delta_i = |e_s(f_s) - e_t(f_t)|\n"
               "gaussian: term = 1/N^2 ||C_s - C_t||^2, C = exp(-2 gamma) sum_p (2 gamma)^p / p! (F F^T)^p",
    .explanation =
        "Beside its answers the student is to reproduce how the teacher's features of the examples in a "
        "batch correlate, measured with a Gaussian kernel whose Taylor series keeps a few orders. What the "
        "most used benchmark runs as cc is another loss, which the authors handed in: products of absolute "
        "differences of neighbouring examples, in embeddings trained on both sides; it vanishes when both "
        "embeddings collapse, so a small value says little. Both are here, and preset paper is the "
        "paper's. The gain is small in every comparison. Taps: by itself what the classifier sees.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = cc_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_PENULTIMATE,
    .init = cc_init,
    .loss = cc_loss,
    .deinit = cc_deinit,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, cc)
