/* mgd.c - masked generative distillation.                              Floor 7 (distill)
 *
 * Parts of the student's map are struck out, and a small network has to generate the teacher's whole map from
 * what is left:
 *
 *     L = weight * (1/N) sum ( G(M * align(s)) - t )^2,    G = 3x3 convolution, relu, 3x3 convolution
 *
 * align is a 1x1 convolution and there only when the channels differ. The mask M is drawn anew in every step,
 * as a function of (seed, epoch, step), so that it is the same again whatever else happens: for each example
 * one number for each channel (classification) or for each pixel (detection), 0 with probability `drop`, else
 * 1. What is left is not scaled up, other than in dropout. */
#include "distill/adapters.h"
#include "distill/maps.h"
#include "retort/alloc.h"

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 7e-5, 0, 1e9, "", "of the summed squares"),
    RT_PARAM_CHOICE_ROW("mask", "channel", "channel|spatial", "what is struck out: channels or pixels"),
    RT_PARAM_REAL_ROW("drop", 0.15, 0, 0.99, "", "part of them that is"),
    RTI_STAGES_ROW("sum"),
};

typedef struct mgd {
    uint64_t seed;
    rt_model *align[RTI_PAIRS_MAX]; /* NULL: the channels are equal. The driver's */
    rt_model *generator[RTI_PAIRS_MAX];
} mgd;

/* ---- adapters ---- */

static rt_status add_align(mgd *state, const rti_method_setup *setup, int i, rt_error *error) {
    const rti_feature *student = &setup->student[i];
    int64_t channels = setup->teacher[i].shape[2];
    if (student->shape[2] == channels) return RT_OK;
    char name[] = "mgd.align0";
    name[sizeof name - 2] = (char)('1' + i);
    rt_model *model = rti_adapter_begin(setup, name, student, error);
    if (!model) return error->status;
    const rti_conv conv = {.kernel = 1, .bias = true, .init = RTI_INIT_FAN_IN};
    RT_TRY(rti_model_add_conv(model, "align", channels, &conv, error));
    RT_TRY(rti_adapter_end(setup, model, error));
    state->align[i] = model;
    return RT_OK;
}

static rt_status add_generator(mgd *state, const rti_method_setup *setup, int i, rt_error *error) {
    const rti_feature *teacher = &setup->teacher[i];
    char name[] = "mgd.generator0";
    name[sizeof name - 2] = (char)('1' + i);
    rt_model *model = rti_adapter_begin(setup, name, teacher, error);
    if (!model) return error->status;
    rti_conv conv = {.kernel = 3, .padding = 1, .bias = true, .init = RTI_INIT_FAN_IN};
    conv.activation = RT_ACT_RELU;
    RT_TRY(rti_model_add_conv(model, "conv1", teacher->shape[2], &conv, error));
    conv.activation = RT_ACT_NONE;
    RT_TRY(rti_model_add_conv(model, "conv2", teacher->shape[2], &conv, error));
    RT_TRY(rti_adapter_end(setup, model, error));
    state->generator[i] = model;
    return RT_OK;
}

static rt_status check_pixels(const rti_method_setup *setup, rt_error *error) {
    for (int i = 0; i < setup->pairs; i++) {
        const rti_feature *s = &setup->student[i], *t = &setup->teacher[i];
        if (s->shape[0] == t->shape[0] && s->shape[1] == t->shape[1]) continue;
        return rt_fail(
            error, RT_UNSUPPORTED,
            "method mgd is undefined here: it generates the teacher's map pixel by pixel, and \"%s\" has "
            "%lld x %lld of them, the student's \"%s\" %lld x %lld; name layers of equal size in "
            "student_taps and teacher_taps, or take at, sp, fitnets, reviewkd",
            t->tap, (long long)t->shape[0], (long long)t->shape[1], s->tap, (long long)s->shape[0],
            (long long)s->shape[1]);
    }
    return RT_OK;
}

static rt_status mgd_init(void **state, const rti_method_setup *setup, rt_error *error) {
    RT_TRY(rti_maps_check(setup, "mgd", 1, "its generator is made of 3x3 convolutions",
                          "fitnets, vid, sp, pkt, rkd", error));
    RT_TRY(check_pixels(setup, error));
    mgd *own = *state = rt_alloc_zero(1, sizeof *own);
    if (!own) return rt_fail(error, RT_MEMORY, "no memory for the state of mgd");
    own->seed = setup->config->seed;
    for (int i = 0; i < setup->pairs; i++) {
        RT_TRY(add_align(own, setup, i, error));
        RT_TRY(add_generator(own, setup, i, error));
    }
    return RT_OK;
}

static void mgd_deinit(void *state) { rt_free(state); }

/* ---- the loss ---- */

typedef struct context {
    const mgd *state;
    const rt_params *options;
} context;

/* (N, 1, 1, C) or (N, H, W, 1) of zeros and ones. */
static rt_tensor *draw_mask(const context *c, const rti_method_input *in, const rt_tensor *x, int i) {
    bool by_channel = rt_params_text(c->options, "mask")[0] == 'c';
    const int64_t channels[] = {x->shape[0], 1, 1, x->shape[3]};
    const int64_t pixels[] = {x->shape[0], x->shape[1], x->shape[2], 1};
    rt_tensor *mask = rt_graph_tensor(in->graph, RT_DTYPE_REAL, 4, by_channel ? channels : pixels);
    if (!mask) return NULL;
    double drop = rt_params_real(c->options, "drop");
    rt_rng stream = rt_rng_stream(c->state->seed, "mgd.mask", (uint64_t)in->epoch,
                                  (uint64_t)in->step * RTI_PAIRS_MAX + (uint64_t)i);
    const int64_t count = rt_tensor_count(mask);
    for (int64_t e = 0; e < count; e++) rt_real_data(mask)[e] = rt_rng_uniform(&stream) < drop ? 0 : 1;
    return mask;
}

static rt_tensor *stage_term(const void *context_, const rti_method_input *in, int i) {
    const context *c = context_;
    rt_graph *g = in->graph;
    rt_tensor *s = in->student_feature[i];
    if (c->state->align[i]) s = rt_model_forward(c->state->align[i], g, s);
    if (!s) return NULL;
    rt_tensor *left = rt_mul(g, s, draw_mask(c, in, s, i));
    return rti_squared_distance(g, rt_model_forward(c->state->generator[i], g, left), in->teacher_feature[i]);
}

static void mgd_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    const context c = {state, options};
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "mgd", rt_params_real(options, "weight"),
             rti_over_stages(options, in, in->pairs, stage_term, &c));
}

static void mgd_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double hard = rt_params_real(options, "hard_weight"), weight = rt_params_real(options, "weight");
    bool by_channel = rt_params_text(options, "mask")[0] == 'c';
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g * %s of 1/N sum (G(M align(s)) - t)^2\n", hard, weight,
              rti_stages_text(options));
    rti_write(
        &w, "M: 0 for a part %g of the %s of each example, else 1, drawn anew in each step; not scaled up\n",
        rt_params_real(options, "drop"), by_channel ? "channels" : "pixels");
    rti_write(&w,
              "G: 3x3 convolution, relu, 3x3 convolution; align: 1x1 convolution if the channels differ\n");
    rti_write(&w, "no KL, no temperature\nweights: %g on the labels, %g on the squares\n", hard, weight);
    rti_write(&w,
              "reduction: sum over channels and pixels, mean over the batch, so a larger map counts more\n");
    rti_write(&w, "stages: %s; by itself it takes the last stage", rti_stages_text(options));
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"classification", "",
     "yzd-v/MGD, image classification: channels, 0.15 of them, weight 7e-5, last stage"},
    {"detection", "mask=spatial drop=0.65 weight=2e-5",
     "yzd-v/MGD, object detection, and open-mmlab/mmrazor's default: pixels, 0.65 of them, weight 2e-5"},
};

const rti_method rti_method_mgd = {
    .name = "mgd",
    .title = "masked generative distillation: the teacher's map from a part of the student's",
    .source = "Yang, Li, Shao, Shi, Yuan, Yuan 2022, arXiv 2205.01529, equations 3 to 5",
    .formula = "L = CE(y, softmax(z)) + weight * 1/N sum (G(M align(s)) - t)^2\n"
               "M: random zeros and ones by channel or by pixel; G: 3x3 convolution, relu, 3x3 convolution",
    .explanation =
        "Instead of copying the teacher's map the student learns one from which the teacher's can be "
        "generated, even where a part of it is struck out at random; the missing part must be told by the "
        "rest, so each channel has to know more than its own. The generator is thrown away. Since the "
        "squares are summed over the map the weight is tiny and depends on its size; the paper's is for 7 x "
        "7 pixels of a large network, so small maps want a larger one.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = mgd_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_LAST_STAGE,
    .init = mgd_init,
    .loss = mgd_loss,
    .deinit = mgd_deinit,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, mgd)
