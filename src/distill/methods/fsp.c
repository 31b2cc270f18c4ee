/* fsp.c - flow of the solution procedure: how one layer becomes the next.   Floor 7 (distill)
 *
 * Between two maps of one network, brought to the same height and width by pooling the larger,
 *
 *     G = (1/(H W)) sum over pixels of a b^T       (C_a, C_b), for each example
 *
 * says which directions of the earlier map go with which of the later one. Stem and stages give one matrix
 * for each neighbouring pair, and the student's are made equal to the teacher's. Since they are compared
 * element by element the channels of both networks must agree; the sizes in pixels need not.
 *
 * The paper does this in a stage of its own, after which the student is trained on the labels alone. */
#include "distill/maps.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 1, 0, 1e9, "", "of the distance of the matrices"),
    RT_PARAM_CHOICE_ROW("pool", "max", "max|average", "the larger of two maps is pooled so to the smaller"),
    RT_PARAM_CHOICE_ROW("distance", "frobenius", "frobenius|mean|columns",
                        "sum of squares, their mean, or the sum of the columns' lengths"),
    RTI_STAGES_ROW("sum"),
    RTI_FORM_ROW("two-stage"),
    RTI_FIRST_STAGE_ROW(0.125),
};

/* The matrix between maps i and i + 1 of one network, transposed: (N, C_b, C_a), so that a row belongs to
 * one channel of the later map. */
static rt_tensor *flow(const rt_params *options, rt_graph *g, rt_tensor *const feature[], int i) {
    rt_tensor *a = feature[i], *b = feature[i + 1];
    rti_maps_align(g, rt_params_text(options, "pool")[0] == 'm', &a, &b);
    if (!a || !b) return NULL;
    double pixels = (double)(a->shape[1] * a->shape[2]);
    return rt_scale(g, rt_matmul_tn(g, rti_map_rows(g, b), rti_map_rows(g, a)), 1 / pixels);
}

static rt_tensor *matrix_term(const void *context, const rti_method_input *in, int i) {
    const rt_params *options = context;
    rt_graph *g = in->graph;
    rt_tensor *s = flow(options, g, in->student_feature, i), *t = flow(options, g, in->teacher_feature, i);
    switch (rt_params_text(options, "distance")[0]) {
    case 'm':
        return rt_mse(g, s, t);
    case 'f':
        return rti_squared_distance(g, s, t);
    default:
        break;
    }
    rt_tensor *lengths = rt_l2_norm(g, rt_sub(g, s, t)); /* (N, C_b) */
    return rt_scale(g, rt_mean(g, lengths, RT_ALL_AXES), lengths ? (double)lengths->shape[1] : 1);
}

static bool is_joint(const rt_params *options) { return rt_params_text(options, "form")[0] == 'j'; }

static void fsp_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state;
    if (!in->first_stage) rti_labels(out, in, rt_params_real(options, "hard_weight"));
    if (in->first_stage || is_joint(options))
        RTI_TERM(out, "fsp", rt_params_real(options, "weight"),
                 rti_over_stages(options, in, in->pairs - 1, matrix_term, options));
}

static rt_status check_channels(const rti_method_setup *setup, rt_error *error) {
    for (int i = 0; i < setup->pairs; i++) {
        const rti_feature *s = &setup->student[i], *t = &setup->teacher[i];
        if (s->shape[2] == t->shape[2]) continue;
        return rt_fail(
            error, RT_UNSUPPORTED,
            "method fsp is undefined here: the student's \"%s\" has %lld channels and the teacher's \"%s\" "
            "%lld, so the matrices between layers have different shapes; it works between networks of equal "
            "width and different depth, or take at, sp, nst, fitnets",
            s->tap, (long long)s->shape[2], t->tap, (long long)t->shape[2]);
    }
    return RT_OK;
}

static rt_status fsp_init(void **state, const rti_method_setup *setup, rt_error *error) {
    (void)state;
    if (setup->pairs < 2)
        return rt_fail(error, RT_UNSUPPORTED,
                       "method fsp compares matrices between two layers of a network, and there is one pair "
                       "only; name more in student_taps and teacher_taps, or take at, sp, fitnets");
    RT_TRY(rti_maps_check(setup, "fsp", 1, "its matrices are sums over the pixels of two maps",
                          "sp, pkt, rkd, fitnets", error));
    RT_TRY(check_channels(setup, error));
    return rti_first_stage_check(setup, "fsp", error);
}

static void fsp_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double hard = rt_params_real(options, "hard_weight"), weight = rt_params_real(options, "weight");
    char distance = rt_params_text(options, "distance")[0];
    const char *term = distance == 'f'   ? "1/N sum_n ||G_s - G_t||_F^2"
                       : distance == 'm' ? "mean (G_s - G_t)^2"
                                         : "1/N sum_n sum_columns ||G_s - G_t||_2, not squared";
    if (is_joint(options))
        rti_write(&w, "L = %g CE(y, softmax(z)) + %g * %s of %s\n", hard, weight, rti_stages_text(options),
                  term);
    else
        rti_write(&w, "first %g of the epochs: L = %g * %s of %s\nafter it: L = %g CE(y, softmax(z))\n",
                  rt_params_real(options, "first_stage"), weight, rti_stages_text(options), term, hard);
    rti_write(&w,
              "G = 1/(H W) sum over pixels of a b^T, between neighbours among stem and stages; %s pooling "
              "of the larger map; no KL, no temperature\n",
              rt_params_text(options, "pool")[0] == 'm' ? "maximum" : "average");
    rti_write(&w, "weights: %g on the labels, %g on the matrices%s\n", hard, weight,
              is_joint(options) ? "" : ", never in the same stage");
    rti_write(&w, "reduction: %s over the elements, mean over the batch\n",
              distance == 'm'   ? "mean"
              : distance == 'f' ? "sum of squares"
                                : "sum of lengths");
    rti_write(&w, "stages: %s of the matrices", rti_stages_text(options));
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
    {"weight 0 is cross-entropy, jointly", "weight=0 form=joint", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"paper", "",
     "Yim, Joo, Bae, Kim 2017: maximum pooling, squared Frobenius norm, a stage of its own, equal weights; "
     "how long is RepDistiller's, 30 of 240 epochs"},
    {"repdistiller", "pool=average distance=mean",
     "HobbitLong/RepDistiller: adaptive average pooling, mean of squares, the first 30 of 240 epochs, "
     "labels alone after it (its beta of 50 is not used)"},
    {"torchdistill", "distance=columns first_stage=0.25",
     "yoshitomo-matsubara/torchdistill: maximum pooling, lengths of the columns (not squared) / N, two "
     "stages; their share of the epochs is ours"},
    {"kd-zoo", "form=joint pool=average distance=mean stages=mean",
     "AberHu/Knowledge-Distillation-Zoo: mean of squares, averaged over 3 matrices, lambda 1, one stage "
     "(older versions: 50 epochs of it, then 200 on the labels)"},
};

const rti_method rti_method_fsp = {
    .name = "fsp",
    .title = "flow of solution procedure: how one layer becomes the next",
    .source = "Yim, Joo, Bae, Kim 2017, CVPR, equations 1 and 2",
    .formula =
        "stage 1: L = weight * sum over i of 1/N sum_n ||G_s - G_t||_F^2;  stage 2: L = CE(y, softmax(z))\n"
        "G = 1/(H W) sum over pixels of a b^T, a and b the maps of layers i and i + 1",
    .explanation =
        "The matrix of inner products between the channels of two layers describes how the network gets "
        "from one to the other; a student that starts with the teacher's flow is said to learn faster and "
        "better. It is an initialisation: matrices first, labels after, though some train both together. "
        "The matrices are compared element by element, so student and teacher need the same channels in "
        "every layer and may differ in depth alone (resnet-110 to resnet-20); fsp refuses other pairs.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = fsp_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_STEM_STAGES,
    .first_stage_epochs = rti_first_stage_epochs,
    .init = fsp_init,
    .loss = fsp_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, fsp)
