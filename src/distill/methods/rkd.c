/* rkd.c - relational knowledge distillation: distances and angles.     Floor 7 (distill)
 *
 * Of the features f_1 ... f_N of a batch, h the smooth L1 function with beta 1:
 *
 *   distance   d_ij = ||f_i - f_j|| / mean of those above 0     term = 1/N^2 sum h(d^s_ij - d^t_ij)
 *   angle      c_ijk = cos of the angle at f_j                  term = 1/N^3 sum h(c^s_ijk - c^t_ijk)
 *
 * Sums run over all pairs and triples, those with equal indices included (their values are 0 on both sides).
 * The mean distance is differentiated, too. Points that coincide have distance 0 and no gradient; when all
 * do, distances are 0. Angles are compared one vertex at a time: O(N^2 + N D) of memory, not the N^3 of
 * all angles. Two points always lie at their mean distance and have no angle: with less than three
 * examples in a batch both terms and their gradients are 0. */
#include <string.h>

#include "distill/relations.h"
#include "retort/ops.h"

#define EPSILON 1e-12   /* PyTorch's normalize */
#define LEAST 3         /* examples */
#define ANGLES_MAX 4096 /* examples; 2^36 angles are minutes per step */

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 1, 0, 1e9, "", "of both terms together"),
    RT_PARAM_REAL_ROW("distance_weight", 25, 0, 1e6, "", "of the distances"),
    RT_PARAM_REAL_ROW("angle_weight", 50, 0, 1e6, "", "of the angles"),
    RT_PARAM_BOOL_ROW("normalize", false, "scale each example's features to length 1 first"),
    RTI_STAGES_ROW("sum"),
};

typedef struct shape {
    double distance, angle; /* whole weights */
    bool normalize;
} shape;

static shape shape_of(const rt_params *options) {
    double weight = rt_params_real(options, "weight");
    return (shape){.distance = weight * rt_params_real(options, "distance_weight"),
                   .angle = weight * rt_params_real(options, "angle_weight"),
                   .normalize = rt_params_bool(options, "normalize")};
}

/* ---- the loss ---- */

static rt_tensor *points(rt_graph *g, const shape *s, rt_tensor *x) {
    rt_tensor *rows_ = rti_flat_rows(g, x);
    return s->normalize ? rt_l2_normalize(g, rows_, 1, EPSILON) : rows_;
}

/* Distances in units of their mean; all 0 when there is none above 0. */
static rt_tensor *relative_distances(rt_graph *g, rt_tensor *x) {
    rt_tensor *d = rt_pairwise_distances(g, x);
    if (!d) return NULL;
    int64_t positive = 0;
    for (int64_t i = 0; i < rt_tensor_count(d); i++) positive += rt_real_data(d)[i] > 0;
    if (!positive) return d;
    return rt_div(g, d, rt_scale(g, rt_sum(g, d, RT_ALL_AXES), 1 / (double)positive));
}

static rt_tensor *distance_term(const void *context, const rti_method_input *in, int i) {
    rt_graph *g = in->graph;
    if (in->student_feature[i]->shape[0] < LEAST) return rti_no_term(g, in->student_feature[i]);
    rt_tensor *s = relative_distances(g, points(g, context, in->student_feature[i]));
    return rt_smooth_l1(g, s, relative_distances(g, points(g, context, in->teacher_feature[i])), 1);
}

static rt_tensor *angle_term(const void *context, const rti_method_input *in, int i) {
    rt_graph *g = in->graph;
    if (in->student_feature[i]->shape[0] < LEAST) return rti_no_term(g, in->student_feature[i]);
    rt_tensor *s = points(g, context, in->student_feature[i]);
    return rt_angle_smooth_l1(g, s, points(g, context, in->teacher_feature[i]));
}

static void rkd_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state;
    shape s = shape_of(options);
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "distance", s.distance, rti_over_stages(options, in, in->pairs, distance_term, &s));
    RTI_TERM(out, "angle", s.angle, rti_over_stages(options, in, in->pairs, angle_term, &s));
}

/* ---- what it refuses ---- */

static rt_status rkd_check(const rt_params *options, int64_t classes, rt_error *error) {
    (void)classes;
    shape s = shape_of(options);
    if (rt_params_real(options, "hard_weight") == 0 && s.distance == 0 && s.angle == 0)
        return rt_fail(error, RT_SPEC,
                       "hard_weight and the weights of distances and angles are all 0: there is nothing to "
                       "learn from");
    return RT_OK;
}

static bool rkd_is_labels_only(const rt_params *options) {
    shape s = shape_of(options);
    return s.distance == 0 && s.angle == 0 && rt_params_real(options, "hard_weight") == 1;
}

static rt_status rkd_init(void **state, const rti_method_setup *setup, rt_error *error) {
    (void)state;
    shape s = shape_of(setup->options);
    int64_t batch = setup->config->batch;
    if (s.angle > 0 && batch > ANGLES_MAX)
        return rt_fail(error, RT_SPEC,
                       "method rkd compares N^3 angles, and batches of %lld have too many: at most %d "
                       "examples, or angle_weight = 0",
                       (long long)batch, ANGLES_MAX);
    if (s.distance == 0 && s.angle == 0) return RT_OK;
    return rti_batch_check(setup, "rkd", LEAST,
                           "two points always lie at their mean distance and have no angle", error);
}

/* ---- the contract ---- */

static void rkd_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    shape s = shape_of(options);
    double hard = rt_params_real(options, "hard_weight");
    rti_write(&w,
              "L = %g CE(y, softmax(z)) + %g * 1/N^2 sum_ij h(d_s - d_t) + %g * 1/N^3 sum_ijk h(c_s - "
              "c_t)\n",
              hard, s.distance, s.angle);
    rti_write(&w, "d_ij = ||f_i - f_j||_2 divided by the mean of those above 0; c_ijk = cos of the angle "
                  "at f_j\n");
    rti_write(&w, "h(x) = x^2 / 2 where |x| < 1, else |x| - 1/2; features %s\n",
              s.normalize ? "scaled to length 1" : "as they are");
    rti_write(&w, "no KL, no temperature, no adapter\n");
    rti_write(&w, "weights: %g on the labels, %g on distances, %g on angles\n", hard, s.distance, s.angle);
    rti_write(&w, "reduction: mean over the N^2 pairs and the N^3 triples of the batch, equal indices "
                  "included; 0 with gradient 0 where a last batch has less than 3 examples\n");
    rti_write(&w,
              "memory: O(N^2 + N D), angles are compared one vertex at a time; at most %d examples in "
              "a batch\n",
              ANGLES_MAX);
    rti_write(&w, "stages: %s of the named layers; by itself the penultimate layer alone",
              rti_stages_text(options));
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
    {"without distances and angles it is cross-entropy", "distance_weight=0 angle_weight=0", rti_labels_alone,
     true},
};

static const rti_preset presets[] = {
    {"repdistiller", "",
     "HobbitLong/RepDistiller, megvii-research/mdistiller, KD-Zoo: 25 on distances and 50 on angles of the "
     "penultimate layer"},
    {"author", "distance_weight=1 angle_weight=2",
     "lenscloth/RKD, on embeddings; yoshitomo-matsubara/torchdistill: 1 and 2, there on the last map as "
     "one row, which student_taps and teacher_taps can name"},
    {"mmrazor", "normalize=true", "open-mmlab/mmrazor: 25 and 50 on features of length 1"},
    {"kd-lib", "distance_weight=0.5 angle_weight=0.5",
     "SforAiDl/KD_Lib: 0.5 and 0.5, there on the logits; name the classifier's layer in student_taps and "
     "teacher_taps for that"},
};

const rti_method rti_method_rkd = {
    .name = "rkd",
    .title = "relational distillation: distances and angles between examples",
    .source = "Park, Kim, Lu, Cho 2019, arXiv 1904.05068, equations 5 to 10",
    .formula = "L = CE(y, softmax(z)) + weight (distance_weight * 1/N^2 sum_ij h(d_s - d_t)\n"
               "                                + angle_weight * 1/N^3 sum_ijk h(c_s - c_t))\n"
               "d_ij = ||f_i - f_j|| / mean, c_ijk = cos of the angle at f_j, h smooth L1",
    .explanation =
        "What a teacher knows is how examples lie to each other, not where each one lies. The student is "
        "to put them at the same distances, up to a common scale, and to see each pair from every third "
        "one under the same angle. Features of any width are compared without an adapter, and moving, "
        "rotating or scaling all of them changes nothing. Angles are the stronger half and cost N^3 "
        "comparisons. It was made for metric learning, where the embedding is the result; for "
        "classification the gain over kd is small, and the two are usually summed. Taps: by itself what "
        "the classifier sees; the classifier's own layer gives KD_Lib's variant on logits.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rkd_check,
    .contract = rkd_contract,
    .is_labels_only = rkd_is_labels_only,
    .taps = RTI_TAPS_PENULTIMATE,
    .init = rkd_init,
    .loss = rkd_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, rkd)
