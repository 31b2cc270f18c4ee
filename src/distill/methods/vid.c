/* vid.c - variational information distillation.                        Floor 7 (distill)
 *
 * The mutual information of teacher map t and student map s is at least the entropy of t plus the mean of
 * log q(t | s), for any q. With q a normal distribution, of mean mu(s) and one variance for each channel,
 *
 *     -log q  ~  mean of 1/2 ( (t - mu(s))^2 / var_c + log var_c ),   var_c = softplus(alpha_c) + epsilon
 *
 * mu is three 1x1 convolutions with relu between them, as wide as the teacher, without bias. A channel that
 * the student can not predict gets a large variance and stops to matter: alpha is trained with mu. The
 * value may be negative, since log var may be.
 *
 * The mean over examples and pixels of (t - mu)^2 is taken first, channel by channel; var is the same at all
 * of them. Units of an mlp are channels without pixels: three linear layers then. */
#include <math.h>
#include <stdio.h>

#include "distill/adapters.h"
#include "distill/maps.h"
#include "retort/alloc.h"

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 1, 0, 1e9, "", "of the negative log-likelihood"),
    RTI_STAGES_ROW("sum"),
    RT_PARAM_REAL_ROW("variance", 5, 1e-3, 1e3, "", "of every channel before training"),
    RT_PARAM_REAL_ROW("epsilon", 1e-5, 1e-12, 1e-3, "", "added to the variance"),
    RT_PARAM_BOOL_ROW("train_variance", true, "false: it stays what it is, and the loss is a scaled mse"),
};

typedef struct vid {
    rt_model *mean[RTI_PAIRS_MAX]; /* the driver's */
    rt_tensor *alpha[RTI_PAIRS_MAX];
} vid;

/* ---- adapters ---- */

static int64_t channels_of(const rti_feature *f) { return f->shape[f->ndim - 1]; }

/* What mu reads: the student's feature, at the smaller size of the two. */
static rti_feature input_of(const rti_feature *student, const rti_feature *teacher) {
    rti_feature input = *student;
    for (int i = 0; i < input.ndim - 1; i++)
        if (teacher->shape[i] < input.shape[i]) input.shape[i] = teacher->shape[i];
    return input;
}

static rt_status add_layer(rt_model *model, int number, int64_t channels, bool map, rt_error *error) {
    char name[16];
    snprintf(name, sizeof name, "mean%d", number);
    rt_activation activation = number < 3 ? RT_ACT_RELU : RT_ACT_NONE;
    if (map)
        return rti_model_add_conv(model, name, channels,
                                  &(rti_conv){.kernel = 1, .activation = activation, .init = RTI_INIT_FAN_IN},
                                  error);
    return rti_model_add_linear(model, name, channels,
                                &(rti_linear){.activation = activation, .init = RTI_INIT_FAN_IN}, error);
}

static rt_status add_adapter(vid *state, const rti_method_setup *setup, int i, rt_error *error) {
    const rti_feature *student = &setup->student[i], *teacher = &setup->teacher[i];
    rti_feature input = input_of(student, teacher);
    int64_t channels = channels_of(teacher);
    char name[32];
    snprintf(name, sizeof name, "vid%d", i + 1);
    rt_model *model = rti_adapter_begin(setup, name, &input, error);
    if (!model) return error->status;
    for (int number = 1; number <= 3; number++)
        RT_TRY(add_layer(model, number, channels, rti_is_map(student), error));
    double variance = rt_params_real(setup->options, "variance");
    double initial = log(expm1(variance - rt_params_real(setup->options, "epsilon")));
    RT_TRY(rti_model_add_free_parameter(model, "alpha", RT_BIAS, 1, &channels, initial, error));
    RT_TRY(rti_adapter_end(setup, model, error));
    state->mean[i] = model;
    state->alpha[i] = &rti_model_find_parameter(model, "alpha")->tensor;
    return RT_OK;
}

static rt_status check_pair(const rti_feature *student, const rti_feature *teacher, rt_error *error) {
    char ours[RT_SHAPE_TEXT], theirs[RT_SHAPE_TEXT];
    if (student->ndim == teacher->ndim) return RT_OK;
    return rt_fail(
        error, RT_UNSUPPORTED,
        "method vid is undefined here: of the student's \"%s\" %s and the teacher's \"%s\" %s one has "
        "pixels and the other has not; name two of a kind, or take sp, pkt, rkd",
        student->tap, rti_feature_text(student, ours), teacher->tap, rti_feature_text(teacher, theirs));
}

static rt_status vid_init(void **state, const rti_method_setup *setup, rt_error *error) {
    for (int i = 0; i < setup->pairs; i++) RT_TRY(check_pair(&setup->student[i], &setup->teacher[i], error));
    *state = rt_alloc_zero(1, sizeof(vid));
    if (!*state) return rt_fail(error, RT_MEMORY, "no memory for the state of vid");
    for (int i = 0; i < setup->pairs; i++) RT_TRY(add_adapter(*state, setup, i, error));
    return RT_OK;
}

static void vid_deinit(void *state) { rt_free(state); }

/* ---- the loss ---- */

typedef struct context {
    const vid *state;
    const rt_params *options;
} context;

static rt_tensor *stage_term(const void *context_, const rti_method_input *in, int i) {
    const context *c = context_;
    rt_graph *g = in->graph;
    rt_tensor *s = in->student_feature[i], *t = in->teacher_feature[i], *alpha = c->state->alpha[i];
    if (s && s->ndim == 4) rti_maps_align(g, false, &s, &t);
    rt_tensor *miss = rt_sub(g, rt_model_forward(c->state->mean[i], g, s), t);
    unsigned all_but_channels = s && s->ndim == 4 ? RT_AXIS(0) | RT_AXIS(1) | RT_AXIS(2) : RT_AXIS(0);
    rt_tensor *error = rt_mean(g, rt_mul(g, miss, miss), all_but_channels); /* (C) */
    if (!rt_params_bool(c->options, "train_variance")) alpha = rt_detach(g, alpha);
    rt_tensor *variance = rt_add_scalar(g, rt_softplus(g, alpha), rt_params_real(c->options, "epsilon"));
    rt_tensor *term = rt_add(g, rt_div(g, error, variance), rt_log(g, variance));
    return rt_scale(g, rt_mean(g, term, RT_ALL_AXES), 0.5);
}

static void vid_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    const context c = {state, options};
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "vid", rt_params_real(options, "weight"),
             rti_over_stages(options, in, in->pairs, stage_term, &c));
}

static void vid_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double hard = rt_params_real(options, "hard_weight"), weight = rt_params_real(options, "weight");
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g * %s of mean 1/2 ((mu(s) - t)^2 / var_c + log var_c)\n",
              hard, weight, rti_stages_text(options));
    rti_write(&w, "var_c = softplus(alpha_c) + %g for each channel of the teacher, %g before training, %s\n",
              rt_params_real(options, "epsilon"), rt_params_real(options, "variance"),
              rt_params_bool(options, "train_variance") ? "trained" : "NOT trained");
    rti_write(&w, "mu: three 1x1 convolutions with relu between them (linear layers for an mlp), no bias\n");
    rti_write(&w, "the value may be negative; no KL, no temperature\n");
    rti_write(&w, "weights: %g on the labels, %g on the likelihood\n", hard, weight);
    rti_write(&w, "reduction: mean over channels and pixels, mean over the batch\n");
    rti_write(&w, "stages: %s; of two maps the larger is averaged down to the smaller",
              rti_stages_text(options));
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"repdistiller", "",
     "HobbitLong/RepDistiller, code of the paper's authors: variance 5 at the start and trained, weight 1, "
     "summed over stages"},
    {"mdistiller", "train_variance=false",
     "megvii-research/mdistiller keeps the variance out of the optimiser, so it stays 5: a mean squared "
     "error divided by 10, and a constant"},
    {"kd-zoo", "stages=mean", "AberHu/Knowledge-Distillation-Zoo: averaged over its stages, weight 1"},
};

const rti_method rti_method_vid = {
    .name = "vid",
    .title = "variational information distillation: the student's maps predict the teacher's",
    .source = "Ahn, Hu, Damianou, Lawrence, Dai 2019, arXiv 1904.05835, equations 4 to 6",
    .formula =
        "L = CE(y, softmax(z)) + weight * sum over stages of mean 1/2 ((mu(s) - t)^2 / var_c + log var_c)\n"
        "mu: three 1x1 convolutions with relu between them; var_c = softplus(alpha_c) + epsilon",
    .explanation =
        "The student's layers are to hold as much information about the teacher's as they can. The mutual "
        "information has a lower bound that can be trained: how well a small network predicts the teacher's "
        "map from the student's, as a log-likelihood. Each of the teacher's channels has a variance of its "
        "own, which is learned, so channels that can not be predicted are given up instead of dominating "
        "the loss, as they do in a squared error. It is fitnets with a soft choice of what to imitate, "
        "works on maps and on the units of an mlp, and costs three 1x1 convolutions per stage in training.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = vid_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_STAGES,
    .init = vid_init,
    .loss = vid_loss,
    .deinit = vid_deinit,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, vid)
