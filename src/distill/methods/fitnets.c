/* fitnets.c - hints: a middle layer of the student imitates one of the teacher's.   Floor 7 (distill)
 *
 * r is a small network, the regressor, from the student's map s to the shape of the teacher's map t.
 *
 *   the paper     first stage    1/2 ||t - r(s)||^2 per example, mean over the batch; r is thrown away after
 *                 second stage   CE + lambda H(softmax(v/T), softmax(z/T)), no T^2, lambda falling 4 -> 1
 *   later codes   one stage      CE + 100 mean (t - r(s))^2
 *
 * The paper's r is a convolution without padding, with the activation of the hint layer, and only where the
 * shapes differ: kernel k = H_s - H_t + 1. Later codes put a 3x3 convolution of stride 2 or a 4x4 transposed
 * one where a factor of 2 lies between the sizes, else that kernel, then batch norm and relu, always. Units
 * of an mlp are regressed by a linear layer. */
#include <stdio.h>
#include <string.h>

#include "distill/adapters.h"
#include "distill/maps.h"
#include "retort/alloc.h"
#include "retort/ops.h"

#define EPSILON 1e-12

static const rt_param rows[] = {
    RTI_FORM_ROW("two-stage"),
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 1, 0, 1e9, "", "of the hint"),
    RT_PARAM_CHOICE_ROW(
        "distance", "half-squared", "half-squared|mean|normalized",
        "half the sum of squares per example, the mean, or the sum after scaling to length 1"),
    RT_PARAM_CHOICE_ROW("regressor", "conv", "conv|conv-bn|conv-bn-relu|none",
                        "from the student's map to the teacher's; conv: only where the shapes differ"),
    RTI_FIRST_STAGE_ROW(0.5),
    RT_PARAM_REAL_ROW("temperature", 3, 0.01, 1000, "", "of the second stage"),
    RT_PARAM_REAL_ROW("lambda_begin", 4, 0, 1e6, "", "weight of the teacher's answers in its first epoch"),
    RT_PARAM_REAL_ROW("lambda_end", 1, 0, 1e6, "", "and in its last; linear between"),
    RTI_STAGES_ROW("sum"),
};

typedef struct fitnets {
    rt_model *regressor[RTI_PAIRS_MAX]; /* NULL: the map as it is. The driver's */
} fitnets;

static bool is_joint(const rt_params *options) { return rt_params_text(options, "form")[0] == 'j'; }
static bool has_norm(const rt_params *options) {
    return strncmp(rt_params_text(options, "regressor"), "conv-bn", 7) == 0;
}

/* ---- the regressor ---- */

static bool same_shape(const rti_feature *a, const rti_feature *b) {
    if (a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->shape[i] != b->shape[i]) return false;
    return true;
}

/* The activation behind a layer's output, through layers that only rearrange it. */
static rt_activation activation_of(const rt_model *model, int number) {
    while (number >= 0) {
        const rti_layer *layer = &model->layers[number];
        if (layer->kind == &rti_layer_linear) return layer->linear.activation;
        if (layer->kind == &rti_layer_conv || layer->kind == &rti_layer_conv_transpose)
            return layer->conv.activation;
        if (layer->kind == &rti_layer_batch_norm) return layer->batch_norm.activation;
        if (layer->kind == &rti_layer_activation || layer->kind == &rti_layer_add) return layer->activation;
        number = layer->source;
    }
    return RT_ACT_NONE;
}

/* Of the hint layer; none ahead of its activation ("stage2.pre"). */
static rt_activation hint_activation(const rti_method_setup *setup, const rti_feature *hint) {
    size_t length = strlen(hint->tap);
    if (length > 4 && strcmp(hint->tap + length - 4, ".pre") == 0) return RT_ACT_NONE;
    if (!setup->config->teacher) return RT_ACT_RELU;
    const rt_model *teacher = rt_teacher_member(setup->config->teacher, 0);
    return activation_of(teacher, rti_model_layer_number(teacher, hint->tap));
}

/* Kernel, stride and padding from s to t; transposed: from fewer pixels to more. False: there is none. */
static bool find_kernel(const rti_feature *s, const rti_feature *t, bool halves, rti_conv *conv,
                        bool *transposed) {
    int64_t H = s->shape[0], W = s->shape[1], th = t->shape[0], tw = t->shape[1];
    *transposed = 2 * H == th && 2 * W == tw;
    if (*transposed)
        *conv = (rti_conv){.kernel = 4, .stride = 2, .padding = 1};
    else if (halves && H == 2 * th && W == 2 * tw)
        *conv = (rti_conv){.kernel = 3, .stride = 2, .padding = 1};
    else if (H >= th && H - th == W - tw)
        *conv = (rti_conv){.kernel = (int)(H - th + 1)};
    else
        return false;
    return true;
}

static rt_status add_layer(rt_model *model, const rti_method_setup *setup, int i, rt_activation activation,
                           rt_error *error) {
    const rti_feature *s = &setup->student[i], *t = &setup->teacher[i];
    int64_t channels = t->shape[t->ndim - 1];
    if (!rti_is_map(s))
        return rti_model_add_linear(
            model, "regressor", channels,
            &(rti_linear){.bias = true, .activation = activation, .init = RTI_INIT_FAN_IN}, error);
    rti_conv conv;
    bool transposed;
    if (!find_kernel(s, t, has_norm(setup->options), &conv, &transposed))
        return rt_fail(
            error, RT_UNSUPPORTED,
            "method fitnets has no regressor from the student's \"%s\", %lld x %lld pixels, to the "
            "teacher's \"%s\", %lld x %lld: it reaches smaller maps and those of twice the size; name other "
            "layers in student_taps and teacher_taps, or take at, sp, reviewkd",
            s->tap, (long long)s->shape[0], (long long)s->shape[1], t->tap, (long long)t->shape[0],
            (long long)t->shape[1]);
    conv.bias = true, conv.activation = activation, conv.init = RTI_INIT_FAN_IN;
    return transposed ? rti_model_add_conv_transpose(model, "regressor", channels, &conv, error)
                      : rti_model_add_conv(model, "regressor", channels, &conv, error);
}

static rt_status add_regressor(fitnets *state, const rti_method_setup *setup, int i, rt_error *error) {
    const rti_feature *t = &setup->teacher[i];
    char name[] = "fitnets0";
    name[sizeof name - 2] = (char)('1' + i);
    bool norm = has_norm(setup->options);
    bool relu = strcmp(rt_params_text(setup->options, "regressor"), "conv-bn-relu") == 0;
    rt_model *model = rti_adapter_begin(setup, name, &setup->student[i], error);
    if (!model) return error->status;
    RT_TRY(add_layer(model, setup, i, norm ? RT_ACT_NONE : hint_activation(setup, t), error));
    const rti_batch_norm how = {.activation = relu ? RT_ACT_RELU : RT_ACT_NONE};
    if (norm) RT_TRY(rti_model_add_batch_norm(model, "norm", &how, error));
    state->regressor[i] = model;
    return rti_adapter_end(setup, model, error);
}

/* ---- what it refuses ---- */

static rt_status check_pair(const rti_method_setup *setup, int i, rt_error *error) {
    const rti_feature *s = &setup->student[i], *t = &setup->teacher[i];
    char ours[RT_SHAPE_TEXT], theirs[RT_SHAPE_TEXT];
    if (s->ndim != t->ndim)
        return rt_fail(
            error, RT_UNSUPPORTED,
            "method fitnets has no regressor from the student's \"%s\" %s to the teacher's \"%s\" %s: one "
            "has pixels and the other has not; name two of a kind, or take sp, pkt, rkd",
            s->tap, rti_feature_text(s, ours), t->tap, rti_feature_text(t, theirs));
    if (rt_params_text(setup->options, "regressor")[0] == 'n' && !same_shape(s, t))
        return rt_fail(
            error, RT_UNSUPPORTED,
            "method fitnets without a regressor compares maps of one shape, not the student's \"%s\" %s "
            "with the teacher's \"%s\" %s; regressor = \"conv\" makes them equal",
            s->tap, rti_feature_text(s, ours), t->tap, rti_feature_text(t, theirs));
    const rt_distiller_config *c = setup->config;
    if (has_norm(setup->options) && !rti_is_map(s) && c->transfer && c->batch > 0 &&
        (c->batch == 1 || c->transfer->count % c->batch == 1))
        return rt_fail(
            error, RT_SPEC,
            "the regressor of fitnets normalises over the batch, and with batches of %lld there is one of a "
            "single example; use another batch, or regressor = \"conv\"",
            (long long)c->batch);
    return RT_OK;
}

static rt_status fitnets_init(void **state, const rti_method_setup *setup, rt_error *error) {
    RT_TRY(rti_first_stage_check(setup, "fitnets", error));
    for (int i = 0; i < setup->pairs; i++) RT_TRY(check_pair(setup, i, error));
    fitnets *own = *state = rt_alloc_zero(1, sizeof *own);
    if (!own) return rt_fail(error, RT_MEMORY, "no memory for the state of fitnets");
    const char *kind = rt_params_text(setup->options, "regressor");
    for (int i = 0; i < setup->pairs && kind[0] != 'n'; i++)
        if (has_norm(setup->options) || !same_shape(&setup->student[i], &setup->teacher[i]))
            RT_TRY(add_regressor(own, setup, i, error));
    return RT_OK;
}

static void fitnets_deinit(void *state) { rt_free(state); }

/* ---- the loss ---- */

typedef struct context {
    const fitnets *state;
    const rt_params *options;
} context;

static rt_tensor *stage_term(const void *context_, const rti_method_input *in, int i) {
    const context *c = context_;
    rt_graph *g = in->graph;
    rt_tensor *s = in->student_feature[i], *t = in->teacher_feature[i];
    if (c->state->regressor[i]) s = rt_model_forward(c->state->regressor[i], g, s);
    switch (rt_params_text(c->options, "distance")[0]) {
    case 'h':
        return rt_scale(g, rti_squared_distance(g, s, t), 0.5);
    case 'm':
        return rt_mse(g, s, t);
    default:
        break;
    }
    s = rt_l2_normalize(g, rti_flat_rows(g, s), 1, EPSILON);
    t = rt_l2_normalize(g, rti_flat_rows(g, t), 1, EPSILON);
    return rti_squared_distance(g, s, t);
}

/* In the second stage; epochs of both are counted from 0. */
static double lambda_of(const rt_params *options, const rti_method_input *in) {
    double begin = rt_params_real(options, "lambda_begin"), end = rt_params_real(options, "lambda_end");
    int64_t first = rti_first_stage_epochs(options, in->epochs), last = in->epochs - first - 1;
    int64_t epoch = in->epoch - first;
    if (epoch <= 0 || last < 1) return begin;
    return epoch >= last ? end : begin + (end - begin) * (double)epoch / (double)last;
}

static rt_tensor *soft_term(const rt_params *options, const rti_method_input *in) {
    double T = rt_params_real(options, "temperature");
    return rt_cross_entropy_soft(in->graph, rt_softmax(in->graph, in->v, T), in->z, T);
}

static void fitnets_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    const context c = {state, options};
    if (!in->first_stage) rti_labels(out, in, rt_params_real(options, "hard_weight"));
    if (in->first_stage || is_joint(options))
        RTI_TERM(out, "hint", rt_params_real(options, "weight"),
                 rti_over_stages(options, in, in->pairs, stage_term, &c));
    else
        RTI_TERM(out, "kd", lambda_of(options, in), soft_term(options, in));
}

static double fitnets_temperature(const rt_params *options) {
    return is_joint(options) ? 1 : rt_params_real(options, "temperature");
}

static bool has_answers(const rt_params *options) {
    return !is_joint(options) &&
           (rt_params_real(options, "lambda_begin") != 0 || rt_params_real(options, "lambda_end") != 0);
}

static bool fitnets_is_labels_only(const rt_params *options) {
    return rti_weights_labels_only(options) && !has_answers(options);
}

static rt_status fitnets_check(const rt_params *options, int64_t classes, rt_error *error) {
    return has_answers(options) ? RT_OK : rti_weights_check(options, classes, error);
}

/* ---- the contract ---- */

static void fitnets_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double hard = rt_params_real(options, "hard_weight"), weight = rt_params_real(options, "weight");
    char distance = rt_params_text(options, "distance")[0];
    const char *hint = distance == 'h'   ? "1/2 ||t - r(s)||^2"
                       : distance == 'm' ? "mean (t - r(s))^2"
                                         : "||t/||t|| - r(s)/||r(s)|| ||^2";
    if (is_joint(options))
        rti_write(&w, "L = %g CE(y, softmax(z)) + %g * %s\nno KL, no temperature\n", hard, weight, hint);
    else {
        double T = rt_params_real(options, "temperature"), begin = rt_params_real(options, "lambda_begin");
        double end = rt_params_real(options, "lambda_end");
        rti_write(&w, "first %g of the epochs: L = %g * %s\n", rt_params_real(options, "first_stage"), weight,
                  hint);
        rti_write(
            &w,
            "after it: L = %g CE(y, softmax(z)) + lambda CE(softmax(v/%g), softmax(z/%g)), lambda %g -> %g "
            "linearly\n",
            hard, T, T, begin, end);
        rti_write(&w,
                  "direction: cross-entropy with the teacher's answers as targets; T^2: no factor; T = %g\n",
                  T);
    }
    rti_write(
        &w, "r: %s\n",
        rt_params_text(options, "regressor")[0] == 'n' ? "nothing, the shapes must be equal"
        : has_norm(options)
            ? "convolution and batch norm, 3x3 stride 2 or 4x4 transposed for a factor of 2, always there"
            : "unpadded convolution with the hint's activation, where the shapes differ");
    rti_write(&w, "weights: %g on the labels, %g on the hint\n", hard, weight);
    rti_write(&w, "reduction: %s over the elements, mean over the batch\n",
              distance == 'h'   ? "half the sum"
              : distance == 'm' ? "mean"
                                : "sum");
    rti_write(&w, "stages: %s of the named layers; by itself the middle one", rti_stages_text(options));
}

/* ---- limits ---- */

static rt_tensor *second_stage(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)y;
    rt_tensor *sum = rt_sum(g, rt_mul(g, rt_softmax(g, v, 3), rt_log_softmax(g, z, 3)), RT_ALL_AXES);
    return rt_scale(g, sum, -2 / (double)z->shape[0]);
}

static const rti_method_case cases[] = {
    {"jointly, weight 0 is cross-entropy", "form=joint weight=0", rti_labels_alone, true},
    {"the second stage without lambda is cross-entropy", "weight=0 lambda_begin=0 lambda_end=0",
     rti_labels_alone, true},
    {"the second stage has no T^2", "hard_weight=0 lambda_begin=2 lambda_end=2", second_stage, false},
};

static const rti_preset presets[] = {
    {"paper", "",
     "Romero et al. 2015, sections 2.2 and 2.3: hints first, then kd with tau 3, lambda 4 -> 1; both stages "
     "ran until nothing improved there, half of the epochs each is ours"},
    {"paper-mnist-code", "lambda_end=0",
     "adri-romsor/FitNets, its MNIST configuration: lambda falls to 0, in the paper to 1"},
    {"repdistiller", "form=joint weight=100 distance=mean regressor=conv-bn-relu",
     "HobbitLong/RepDistiller, megvii-research/mdistiller: CE + 100 mse, one stage, hint layer 2"},
    {"kd-zoo", "form=joint weight=0.1 distance=mean regressor=none",
     "AberHu/Knowledge-Distillation-Zoo: CE + 0.1 mse, no regressor; there at the last stage, which "
     "student_taps and teacher_taps can name"},
    {"mmrazor", "form=joint weight=10 distance=normalized regressor=conv-bn",
     "open-mmlab/mmrazor: squared distance of flattened maps of length 1, weight 10; there at stages 3 and "
     "4 (student_taps, teacher_taps) and together with kd (preset mmrazor-fitnets)"},
};

const rti_method rti_method_fitnets = {
    .name = "fitnets",
    .title = "hints: a middle layer of the student imitates one of the teacher's",
    .source = "Romero, Ballas, Kahou, Chassang, Gatta, Bengio 2015, arXiv 1412.6550, equations 2 and 3",
    .formula = "stage 1: L = weight * 1/2 ||t - r(s)||^2\n"
               "stage 2: L = CE(y, softmax(z)) + lambda CE(softmax(v/T), softmax(z/T)), lambda 4 -> 1\n"
               "joint:   L = CE(y, softmax(z)) + weight * mean (t - r(s))^2",
    .explanation =
        "A thin deep network is hard to train; a hint tells its middle layer what the teacher's middle "
        "layer says, so that the lower half has something to learn from before the labels matter. A "
        "regressor bridges the different widths and is thrown away. The paper trains the hint first and the "
        "whole network after, on labels and softened answers; it reports that training on both at once "
        "failed for its deepest students. What most software calls fitnets is that joint form with another "
        "regressor and a mean instead of a sum, and it loses to plain kd almost everywhere: compare both. "
        "Layers of an mlp are regressed linearly.",
    .needs = RTI_NEEDS_TEACHER_LOGITS | RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = fitnets_check,
    .contract = fitnets_contract,
    .is_labels_only = fitnets_is_labels_only,
    .temperature = fitnets_temperature,
    .taps = RTI_TAPS_MIDDLE_STAGE,
    .first_stage_epochs = rti_first_stage_epochs,
    .init = fitnets_init,
    .loss = fitnets_loss,
    .deinit = fitnets_deinit,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, fitnets)
