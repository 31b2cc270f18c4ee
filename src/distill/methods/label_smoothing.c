/* label_smoothing.c - the labels, less sure of themselves.             Floor 7 (distill)
 *
 * Distillation from a teacher that doubts all other classes alike. Two losses go by this name; the
 * option `form` says which. */
#include "distill/method.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RT_PARAM_REAL_ROW("epsilon", 0.1, 0, 1, "", "part of the target that is taken off the label"),
    RT_PARAM_CHOICE_ROW("form", "uniform", "uniform|others",
                        "epsilon over all classes, the label among them, or over the others only"),
};

static rt_smoothing form_of(const rt_params *options) {
    return rt_params_text(options, "form")[0] == 'u' ? RT_SMOOTHING_UNIFORM : RT_SMOOTHING_OTHERS;
}

static rt_status smoothing_check(const rt_params *options, int64_t classes, rt_error *error) {
    if (form_of(options) == RT_SMOOTHING_OTHERS && classes < 2)
        return rt_fail(error, RT_SPEC, "form = \"others\" needs at least 2 classes, there are %lld",
                       (long long)classes);
    return RT_OK;
}

static void smoothing_loss(void *state, const rt_params *options, const rti_method_input *in,
                           rti_terms *out) {
    (void)state;
    if (in->labels_are_counted) return;
    double epsilon = rt_params_real(options, "epsilon");
    rt_graph *g = in->graph;
    rt_tensor *own = rt_cross_entropy_smooth(g, in->z, in->y, epsilon, form_of(options));
    if (in->y2)
        own = rt_add(g, rt_scale(g, own, in->lambda),
                     rt_scale(g, rt_cross_entropy_smooth(g, in->z, in->y2, epsilon, form_of(options)),
                              1 - in->lambda));
    RTI_TERM(out, "ce", 1, own);
}

static void smoothing_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double e = rt_params_real(options, "epsilon");
    rti_write(&w, "L = CE(t, softmax(z)), z student logits, t the smoothed label\n");
    if (form_of(options) == RT_SMOOTHING_UNIFORM)
        rti_write(&w,
                  "targets: %g + %g/K on the label, %g/K on each other class (epsilon = %g, form uniform)\n",
                  1 - e, e, e, e);
    else
        rti_write(&w, "targets: %g on the label, %g/(K-1) on each other class (epsilon = %g, form others)\n",
                  1 - e, e, e);
    rti_write(&w, "reduction: sum over classes, mean over the batch\n"
                  "no teacher, no temperature, no KL\n"
                  "stages: one");
}

static bool smoothing_is_labels_only(const rt_params *options) {
    return rt_params_real(options, "epsilon") == 0;
}

/* ---- limits ---- */

/* (1 - a) CE(y) + a CE(1/K), the uniform part from a plain mean of log-softmax. */
static rt_tensor *mixed(rt_graph *g, rt_tensor *z, rt_tensor *y, double a) {
    rt_tensor *uniform = rt_scale(g, rt_mean(g, rt_log_softmax(g, z, 1), RT_ALL_AXES), -1);
    return rt_add(g, rt_scale(g, rt_cross_entropy(g, z, y), 1 - a), rt_scale(g, uniform, a));
}
static rt_tensor *uniform_tenth(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)v;
    return mixed(g, z, y, 0.1);
}
/* "others" at epsilon is "uniform" at epsilon K/(K-1). */
static rt_tensor *others_tenth(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)v;
    double K = (double)z->shape[1];
    return mixed(g, z, y, 0.1 * K / (K - 1));
}

static const rti_method_case cases[] = {
    {"epsilon 0 is cross-entropy", "epsilon=0", rti_labels_alone, true},
    {"epsilon 0 is cross-entropy, form others", "epsilon=0 form=others", rti_labels_alone, true},
    {"uniform is a mixture with the mean over classes", "epsilon=0.1", uniform_tenth, false},
    {"others is uniform at epsilon K/(K-1)", "epsilon=0.1 form=others", others_tenth, false},
};

static const rti_preset presets[] = {
    {"pytorch", "epsilon=0.1 form=uniform", "PyTorch's label_smoothing; also Szegedy et al. 2015, section 7"},
    {"tf-kd", "epsilon=0.1 form=others", "Yuan et al. 2020, arXiv 1909.11723, as in their repository"},
};

const rti_method rti_method_label_smoothing = {
    .name = "label-smoothing",
    .title = "the labels with a part of the target spread over the classes",
    .source = "Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2015, arXiv 1512.00567, section 7",
    .explanation =
        "No network is ever asked to be quite sure: a part of each target goes to the other classes, the "
        "same to each. It is distillation from a teacher that knows nothing, and so the control for \"any "
        "soft target would do\". It helps accuracy and calibration by itself; a teacher that was trained "
        "with it, however, teaches worse, since it no longer says which wrong classes are alike.",
    .needs = RTI_LABELS_ALONE,
    .formula = "L = -sum_k t_k log softmax(z)_k\n"
               "uniform: t = (1 - epsilon) onehot(y) + epsilon/K\n"
               "others:  t = 1 - epsilon on y, epsilon/(K-1) on the others",
    .rows = rows,
    .row_count = 2,
    .presets = presets,
    .preset_count = 2,
    .check = smoothing_check,
    .contract = smoothing_contract,
    .is_labels_only = smoothing_is_labels_only,
    .loss = smoothing_loss,
    .cases = cases,
    .case_count = 4,
};
RTI_REGISTER(method, label_smoothing)
