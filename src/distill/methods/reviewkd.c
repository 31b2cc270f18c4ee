/* reviewkd.c - knowledge review: deep layers help shallow ones.        Floor 7 (distill)
 *
 * The student's levels are fused from the top down. Level l of n, x its map, r what came from above:
 *
 *     x' = conv1x1 + batch norm (x)                            `mid` channels in all levels
 *     a  = sigmoid(conv1x1 [x', r])     (.., 2)                r brought to the size of x', nearest
 *     r' = a_0 x' + a_1 r                                      the top level has no r: r' = x'
 *     r' brought to the teacher's size; guess = conv3x3 + batch norm (r')
 *
 * and each guess is compared with the teacher's map of the level by the hierarchical context loss
 *
 *     HCL = ( MSE(g, t) + sum over l in 4, 2, 1 with l < H of 2^-k MSE(pool_l g, pool_l t) ) / sum of weights
 *
 * k = 1, 2, .. counting those there are. The top level is the mean over the last map, the classifier's input,
 * as published; the levels below it are the stages. */
#include <stdio.h>
#include <string.h>

#include "distill/adapters.h"
#include "distill/maps.h"
#include "retort/alloc.h"
#include "retort/image.h"

#define LEVELS_MAX (RTI_PAIRS_MAX + 1)

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 5, 0, 1e9, "", "of the context losses, after the warm-up"),
    RT_PARAM_INT_ROW("warmup", 20, 0, 1e6, "epochs", "over which the weight rises to its value"),
    RT_PARAM_BOOL_ROW("pooled", true, "the mean over the last map is a level of its own"),
    RT_PARAM_INT_ROW("mid_max", 512, 1, 65536, "channels",
                     "of the fused maps at most; else as many as the student's last map has"),
};

typedef struct review {
    int levels;                      /* counted from the shallow end */
    rt_model *enter[LEVELS_MAX];     /* x -> x'. All the driver's */
    rt_model *attention[LEVELS_MAX]; /* NULL at the top */
    rt_model *leave[LEVELS_MAX];     /* r' -> guess */
    bool relu[2];                    /* of the last maps, ahead of the mean: they are taken before it */
} review;

/* ---- adapters ---- */

typedef struct level {
    int number;
    bool top;
    rti_feature student, teacher;
    int64_t mid;
} level;

/* A 1x1 or 3x3 convolution and batch norm. */
static rt_status add_convolution(rt_model **out, const rti_method_setup *setup, const char *name,
                                 const rti_feature *input, int kernel, int64_t channels, rt_error *error) {
    rt_model *model = rti_adapter_begin(setup, name, input, error);
    if (!model) return error->status;
    const rti_conv conv = {.kernel = kernel, .padding = kernel / 2, .init = RTI_INIT_LECUN};
    RT_TRY(rti_model_add_conv(model, "conv", channels, &conv, error));
    RT_TRY(rti_model_add_batch_norm(model, "norm", NULL, error));
    *out = model;
    return rti_adapter_end(setup, model, error);
}

static rt_status add_attention(rt_model **out, const rti_method_setup *setup, const char *name,
                               const rti_feature *input, rt_error *error) {
    rt_model *model = rti_adapter_begin(setup, name, input, error);
    if (!model) return error->status;
    const rti_conv conv = {.kernel = 1, .bias = true, .activation = RT_ACT_SIGMOID, .init = RTI_INIT_FAN_IN};
    RT_TRY(rti_model_add_conv(model, "conv", 2, &conv, error));
    *out = model;
    return rti_adapter_end(setup, model, error);
}

static rt_status add_level(review *r, const rti_method_setup *setup, const level *l, rt_error *error) {
    int i = l->number;
    char name[48];
    rti_feature both = l->student, fused = l->teacher;
    both.shape[2] = 2 * l->mid, fused.shape[2] = l->mid;
    snprintf(name, sizeof name, "reviewkd.enter%d", i + 1);
    RT_TRY(add_convolution(&r->enter[i], setup, name, &l->student, 1, l->mid, error));
    snprintf(name, sizeof name, "reviewkd.attention%d", i + 1);
    if (!l->top) RT_TRY(add_attention(&r->attention[i], setup, name, &both, error));
    snprintf(name, sizeof name, "reviewkd.leave%d", i + 1);
    return add_convolution(&r->leave[i], setup, name, &fused, 3, l->teacher.shape[2], error);
}

static rti_feature pooled(const rti_feature *map) {
    rti_feature f = *map;
    f.shape[0] = f.shape[1] = 1;
    return f;
}

static bool is_before_activation(const rti_feature *f) {
    size_t length = strlen(f->tap);
    return length > 4 && strcmp(f->tap + length - 4, ".pre") == 0;
}

/* ---- what it refuses ---- */

static rt_status check_levels(const rti_method_setup *setup, rt_error *error) {
    const rti_feature *features[] = {setup->student, setup->teacher};
    if (setup->pairs + rt_params_bool(setup->options, "pooled") < 2)
        return rt_fail(
            error, RT_UNSUPPORTED,
            "method reviewkd is undefined here: there is one level, and it fuses several; name more layers "
            "in student_taps and teacher_taps, or take fitnets");
    for (int side = 0; side < 2; side++)
        for (int i = 0; i + 1 < setup->pairs; i++) {
            const rti_feature *low = &features[side][i], *high = low + 1;
            if (high->shape[0] <= low->shape[0] && high->shape[1] <= low->shape[1]) continue;
            return rt_fail(
                error, RT_UNSUPPORTED,
                "method reviewkd is undefined here: its levels go from large maps to small ones, and the "
                "%s's \"%s\" has %lld x %lld pixels and \"%s\" after it %lld x %lld; name the layers in "
                "their order, or take at, sp, fitnets",
                side ? "teacher" : "student", low->tap, (long long)low->shape[0], (long long)low->shape[1],
                high->tap, (long long)high->shape[0], (long long)high->shape[1]);
        }
    return RT_OK;
}

/* The pooled level has one number of a channel for each example, and batch norm needs two. */
static rt_status check_batches(const rti_method_setup *setup, rt_error *error) {
    const rt_distiller_config *c = setup->config;
    if (!rt_params_bool(setup->options, "pooled") || !c->transfer) return RT_OK;
    if (c->batch > 1 && c->transfer->count % c->batch != 1) return RT_OK;
    return rt_fail(
        error, RT_SPEC,
        "method reviewkd normalises its pooled level over the batch, and with batches of %lld there is one "
        "of a single example; use another batch, or pooled = false",
        (long long)c->batch);
}

static rt_status reviewkd_init(void **state, const rti_method_setup *setup, rt_error *error) {
    RT_TRY(rti_maps_check(setup, "reviewkd", 1, "it fuses the maps of several levels by their pixels",
                          "fitnets, vid, sp, pkt, rkd", error));
    RT_TRY(check_levels(setup, error));
    RT_TRY(check_batches(setup, error));
    review *r = *state = rt_alloc_zero(1, sizeof *r);
    if (!r) return rt_fail(error, RT_MEMORY, "no memory for the state of reviewkd");
    const rti_feature *last_s = &setup->student[setup->pairs - 1],
                      *last_t = &setup->teacher[setup->pairs - 1];
    bool has_pooled = rt_params_bool(setup->options, "pooled");
    int64_t mid = last_s->shape[2], most = rt_params_int(setup->options, "mid_max");
    if (mid > most) mid = most;
    r->levels = setup->pairs + has_pooled;
    r->relu[0] = is_before_activation(last_s), r->relu[1] = is_before_activation(last_t);
    for (int i = 0; i < r->levels; i++) {
        bool top = i == r->levels - 1, is_mean = i == setup->pairs;
        const level l = {.number = i,
                         .top = top,
                         .mid = mid,
                         .student = is_mean ? pooled(last_s) : setup->student[i],
                         .teacher = is_mean ? pooled(last_t) : setup->teacher[i]};
        RT_TRY(add_level(r, setup, &l, error));
    }
    return RT_OK;
}

static void reviewkd_deinit(void *state) { rt_free(state); }

/* ---- the loss ---- */

/* Level i of one network: a stage, or the mean over the last one as a map of one pixel. */
static rt_tensor *level_of(const review *r, const rti_method_input *in, int side, int i) {
    rt_tensor *const *features = side ? in->teacher_feature : in->student_feature;
    if (i < in->pairs) return features[i];
    rt_tensor *x = features[in->pairs - 1];
    if (r->relu[side]) x = rt_relu(in->graph, x);
    x = rt_global_avg_pool(in->graph, x);
    return x ? rt_reshape(in->graph, x, 4, (const int64_t[]){x->shape[0], 1, 1, x->shape[1]}) : NULL;
}

static rt_tensor *resized(rt_graph *g, rt_tensor *x, const rt_tensor *like) {
    if (!x || !like) return NULL;
    if (x->shape[1] == like->shape[1] && x->shape[2] == like->shape[2]) return x;
    return rt_upsample_nearest(g, x, like->shape[1], like->shape[2]);
}

static rt_tensor *fused(const review *r, rt_graph *g, int i, rt_tensor *x, rt_tensor *above) {
    x = rt_model_forward(r->enter[i], g, x);
    if (!r->attention[i]) return x;
    above = resized(g, above, x);
    rt_tensor *a = rt_model_forward(r->attention[i], g, rt_concat(g, (rt_tensor *const[]){x, above}, 2, 3));
    return rt_add(g, rt_mul(g, x, rt_slice(g, a, 3, 0, 1)), rt_mul(g, above, rt_slice(g, a, 3, 1, 2)));
}

static rt_tensor *context_loss(rt_graph *g, rt_tensor *guess, rt_tensor *t) {
    rt_tensor *total = rt_mse(g, guess, t);
    if (!total) return NULL;
    double weight = 1, weights = 1;
    for (int64_t cells = 4; cells >= 1; cells /= 2) {
        if (cells >= t->shape[1]) continue;
        rt_tensor *coarse = rt_mse(g, rt_adaptive_avg_pool2d(g, guess, cells, cells),
                                   rt_adaptive_avg_pool2d(g, t, cells, cells));
        weight /= 2, weights += weight;
        total = rt_add(g, total, rt_scale(g, coarse, weight));
    }
    return rt_scale(g, total, 1 / weights);
}

static rt_tensor *review_term(const review *r, const rti_method_input *in) {
    rt_graph *g = in->graph;
    rt_tensor *total = NULL, *above = NULL;
    for (int i = r->levels - 1; i >= 0; i--) {
        rt_tensor *t = level_of(r, in, 1, i);
        above = resized(g, fused(r, g, i, level_of(r, in, 0, i), above), t);
        rt_tensor *term = context_loss(g, rt_model_forward(r->leave[i], g, above), t);
        total = i == r->levels - 1 ? term : rt_add(g, total, term);
    }
    return total;
}

/* Epochs count from 1 in the published code, so the first has a part already. */
static double warmed(const rt_params *options, int64_t epoch) {
    int64_t warmup = rt_params_int(options, "warmup");
    return epoch + 1 < warmup ? (double)(epoch + 1) / (double)warmup : 1;
}

static void reviewkd_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "reviewkd", rt_params_real(options, "weight") * warmed(options, in->epoch),
             review_term(state, in));
}

static void reviewkd_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double hard = rt_params_real(options, "hard_weight"), weight = rt_params_real(options, "weight");
    long long warmup = (long long)rt_params_int(options, "warmup");
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g", hard, weight);
    if (warmup > 1) rti_write(&w, " min((epoch + 1) / %lld, 1)", warmup);
    rti_write(&w, " * sum over stages of HCL(guess, t)\n");
    rti_write(&w,
              "HCL: weighted mean of the mean squared errors of the maps (1) and of their averages over 4 x "
              "4, 2 x 2, 1 x 1 cells (1/2, 1/4, 1/8; only those smaller than the map)\n");
    rti_write(
        &w, "guess: the student's levels fused from the top down by attention, %s; no KL, no temperature\n",
        rt_params_bool(options, "pooled") ? "the mean over the last map on top" : "the last map on top");
    rti_write(&w, "weights: %g on the labels, %g on the context losses after %lld epochs of warm-up\n", hard,
              weight, warmup);
    rti_write(&w, "reduction: mean over channels, pixels and the batch\n");
    rti_write(&w, "stages: sum over all levels; guesses have the teacher's sizes, by nearest neighbours");
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"mdistiller", "", "megvii-research/mdistiller: weight 5, 20 epochs of warm-up; its cap of 512 channels"},
    {"mdistiller-r56-r20", "weight=0.6", "megvii-research/mdistiller, resnet-56 to resnet-20 on CIFAR-100"},
    {"mdistiller-r110-r32", "weight=1", "megvii-research/mdistiller, resnet-110 to resnet-32 on CIFAR-100"},
    {"mdistiller-shufflenet", "weight=8", "megvii-research/mdistiller, ShuffleNet-V2 students"},
};

const rti_method rti_method_reviewkd = {
    .name = "reviewkd",
    .title = "knowledge review: the student's deep layers help its shallow ones to be like the teacher's",
    .source = "Chen, Liu, Zhao, Jia 2021, arXiv 2104.09044, equations 6 to 8 and figure 3",
    .formula = "L = CE(y, softmax(z)) + weight * sum over levels of HCL(guess, t)\n"
               "r' = a_0 x' + a_1 r, a = sigmoid(conv1x1 [x', r]), from the top down;  guess = conv3x3(r')",
    .explanation =
        "A shallow layer of the teacher is learned with the help of the student's deeper ones: going from "
        "the top down, each level's map is fused with what came from above, weighted pixel by pixel by a "
        "small attention, and the fused map is what has to look like the teacher's. The comparison is made "
        "at full size and on pooled versions, so the coarse layout counts as well. It is among the "
        "strongest feature methods, and it needs the most machinery: three small convolutions per level, "
        "all thrown away after training. The published code takes the teacher's maps ahead of their "
        "activation (name teacher_taps = \"stage1.pre, ..\" for that); by itself this one takes both after "
        "it. It wants maps that shrink from level to level.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = reviewkd_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_STAGES,
    .init = reviewkd_init,
    .loss = reviewkd_loss,
    .deinit = reviewkd_deinit,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, reviewkd)
