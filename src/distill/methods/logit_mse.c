/* logit_mse.c - regression on the teacher's logits.                    Floor 7 (distill)
 *
 * The limit of distillation at high temperature, but for the centring: T^2 KL tends to
 * 1/(2K) ||z~ - v~||^2 per example, z~ the logits less their mean over the classes. The raw form also
 * asks the student to match that mean, which the softmax does not see. */
#include "distill/method.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RT_PARAM_REAL_ROW("alpha", 0.6, 0, 1, "", "weight of the logit error; the labels get 1 - alpha"),
    RT_PARAM_CHOICE_ROW("form", "half-squared", "half-squared|mean|limit",
                        "half the squared distance per example; the mean over classes, 2/K times that; or "
                        "1/K times that, the limit of T^2 KL when centred"),
    RT_PARAM_BOOL_ROW("centred", false, "subtract each example's mean over the classes first"),
};

/* Of the mean over classes of the squared differences. */
static double factor_of(const rt_params *options, double K) {
    char form = rt_params_text(options, "form")[0];
    return form == 'h' ? K / 2 : form == 'l' ? 0.5 : 1;
}

static rt_tensor *centred(rt_graph *g, rt_tensor *z) {
    return rt_sub(g, z, rt_mean(g, z, RT_AXIS(1) | RT_KEEP_DIMS));
}

static rt_tensor *logit_error(const rt_params *options, const rti_method_input *in) {
    rt_graph *g = in->graph;
    bool centre = rt_params_bool(options, "centred");
    rt_tensor *z = centre ? centred(g, in->z) : in->z, *v = centre ? centred(g, in->v) : in->v;
    rt_tensor *mean = rt_mse(g, z, v);
    double factor = factor_of(options, (double)in->z->shape[1]);
    return factor != 1 ? rt_scale(g, mean, factor) : mean;
}

static void logit_mse_loss(void *state, const rt_params *options, const rti_method_input *in,
                           rti_terms *out) {
    (void)state;
    double alpha = rt_params_real(options, "alpha");
    rti_labels(out, in, 1 - alpha);
    RTI_TERM(out, "logits", alpha, logit_error(options, in));
}

static void logit_mse_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double a = rt_params_real(options, "alpha");
    const char *of = rt_params_bool(options, "centred") ? "~" : "";
    char form = rt_params_text(options, "form")[0];
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g * %s ||z%s - v%s||^2", 1 - a, a,
              form == 'h' ? "1/2" : form == 'l' ? "1/(2K)" : "1/K", of, of);
    rti_write(&w, ", z student and v teacher logits%s\n",
              of[0] ? ", ~ less their mean over the classes" : ", not centred");
    rti_write(&w, "weights: alpha = %g multiplies the logit error, 1 - alpha = %g the labels\n", a, 1 - a);
    rti_write(&w, "reduction: %s over classes, mean over the batch\n",
              form == 'h' ? "half the sum" : form == 'l' ? "half the mean" : "mean");
    rti_write(&w, "no KL, no temperature, no factor T^2\nstages: one");
}

static bool logit_mse_is_labels_only(const rt_params *options) {
    return rt_params_real(options, "alpha") == 0;
}

/* ---- limits ---- */

/* (1/2N) sum of squares from elementary ops. */
static rt_tensor *half_squares(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)y;
    rt_tensor *d = rt_sub(g, z, v);
    return rt_scale(g, rt_sum(g, rt_mul(g, d, d), RT_ALL_AXES), 0.5 / (double)z->shape[0]);
}
static rt_tensor *mean_squares(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    return rt_scale(g, half_squares(g, v, z, y), 2.0 / (double)z->shape[1]);
}
static rt_tensor *limit_squares(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    return rt_scale(g, half_squares(g, v, z, y), 1.0 / (double)z->shape[1]);
}
/* ||d~||^2 per example is K times the variance of d over the classes. */
static rt_tensor *half_variance(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)y;
    rt_tensor *variance = rt_variance(g, rt_sub(g, z, v), RT_AXIS(1), 0);
    return rt_scale(g, rt_mean(g, variance, RT_ALL_AXES), (double)z->shape[1] / 2);
}
static rt_tensor *mueller(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    return rt_add(g, rt_scale(g, rt_cross_entropy(g, z, y), 0.4), rt_scale(g, half_squares(g, v, z, y), 0.6));
}

static const rti_method_case cases[] = {
    {"alpha 0 is cross-entropy", "alpha=0", rti_labels_alone, true},
    {"alpha 1 is half the squared distance", "alpha=1", half_squares, false},
    {"the mean form is 2/K of that", "alpha=1 form=mean", mean_squares, false},
    {"the limit form is 1/K of that", "alpha=1 form=limit", limit_squares, false},
    {"centred is a variance", "alpha=1 centred=true", half_variance, false},
    {"alpha multiplies the logit error", "alpha=0.6", mueller, false},
};

static const rti_preset presets[] = {
    {"mueller", "alpha=0.6 form=half-squared",
     "Mueller, Kornblith, Hinton 2019: 0.4 CE + 0.6 half squared error, MNIST"},
    {"ba-caruana", "alpha=1 form=half-squared", "Ba, Caruana 2014, arXiv 1312.6184, eq. 1: no labels"},
};

const rti_method rti_method_logit_mse = {
    .name = "logit-mse",
    .title = "regression on the teacher's logits",
    .source = "Ba, Caruana 2014, arXiv 1312.6184, eq. 1; with labels: Mueller, Kornblith, Hinton 2019, arXiv "
              "1906.02629",
    .formula = "L = (1 - alpha) CE(y, softmax(z)) + alpha E\n"
               "half-squared: E = 1/2 ||z - v||^2 per example;  mean: E = 1/K ||z - v||^2;  "
               "limit: E = 1/(2K) ||z - v||^2",
    .explanation =
        "The student fits the teacher's logits as numbers, without a softmax: what soft targets tend to at "
        "high temperature. Every class counts alike, the very unlikely ones, too, so a student that is "
        "large enough to mimic the teacher gains and a small one may spend itself on noise. The softmax "
        "does not see an offset common to all logits of an example; centred = true leaves it out of the "
        "error.",
    .needs = RTI_NEEDS_TEACHER_LOGITS,
    .rows = rows,
    .row_count = 3,
    .presets = presets,
    .preset_count = 2,
    .contract = logit_mse_contract,
    .is_labels_only = logit_mse_is_labels_only,
    .loss = logit_mse_loss,
    .cases = cases,
    .case_count = 6,
};
RTI_REGISTER(method, logit_mse)
