/* at.c - attention transfer: where the network looks.                  Floor 7 (distill)
 *
 * Of a feature map A (N, H, W, C), for each example
 *
 *     F = sum_c |A_c|^p  or  max_c |A_c|^p        (H W)   how much happens at each pixel
 *     Q = F / ||F||_2                                     where, whatever the scale of A
 *
 * and the loss compares Q of the student with Q of the teacher. The paper and its code do so in different
 * ways: the code takes the mean of (Q_s - Q_t)^2 over batch and pixels, the paper half the length of
 * Q_s - Q_t, not squared. The code's weight of 1000 is one of 1000 / (H W) per example, so it grows with
 * depth: 0.98 at 32 x 32, 3.9 at 16 x 16, 15.6 at 8 x 8.
 *
 * A map that is zero everywhere stays zero (the length is taken to be 1e-12 at least), and its gradient is
 * finite; so is that of the length of Q_s - Q_t where both are equal (0 there). */

#include "distill/maps.h"
#include "retort/ops.h"

#define EPSILON 1e-12 /* PyTorch's normalize */

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 1000, 0, 1e9, "", "of the attention term, the paper's beta"),
    RT_PARAM_CHOICE_ROW("map", "sum", "sum|max", "over the channels, of |A|^power"),
    RT_PARAM_REAL_ROW("power", 2, 1, 16, "", "p of |A|^p"),
    RT_PARAM_CHOICE_ROW("distance", "square", "square|norm|half-norm",
                        "of two maps: squared (the code), its length, or half of that (the paper)"),
    RT_PARAM_BOOL_ROW("by_size", true, "divide each stage's distance by its H W"),
    RTI_STAGES_ROW("sum"),
    RT_PARAM_CHOICE_ROW("decay", "none", "none|linear", "of the weight over the epochs, for at with kd"),
};

typedef struct shape {
    bool max, square, by_size;
    double power, factor; /* factor: 1 or 1/2 */
} shape;

static shape shape_of(const rt_params *options) {
    const char *distance = rt_params_text(options, "distance");
    return (shape){.max = rt_params_text(options, "map")[0] == 'm',
                   .square = distance[0] == 's',
                   .by_size = rt_params_bool(options, "by_size"),
                   .power = rt_params_real(options, "power"),
                   .factor = distance[0] == 'h' ? 0.5 : 1};
}

/* (N, H, W, C) -> (N, H W), of length 1. The power of the largest is the largest power. */
static rt_tensor *attention(rt_graph *g, const shape *s, rt_tensor *x) {
    rt_tensor *map;
    if (s->max) {
        map = rt_max(g, rt_abs(g, x), RT_AXIS(3));
        if (s->power != 1) map = rt_pow(g, map, s->power);
    } else
        map = rt_power_sum(g, x, s->power);
    return rt_l2_normalize(g, rti_flat_rows(g, map), 1, EPSILON);
}

static rt_tensor *stage_term(const void *context, const rti_method_input *in, int i) {
    const shape *s = context;
    rt_graph *g = in->graph;
    rt_tensor *student = in->student_feature[i], *teacher = in->teacher_feature[i];
    rti_maps_align(g, false, &student, &teacher);
    student = attention(g, s, student), teacher = attention(g, s, teacher);
    if (!student || !teacher) return NULL;
    double pixels = (double)student->shape[1];
    if (s->square) {
        rt_tensor *mean = rt_mse(g, student, teacher);
        return s->by_size ? mean : rt_scale(g, mean, pixels);
    }
    rt_tensor *length = rt_mean(g, rt_l2_norm(g, rt_sub(g, student, teacher)), RT_ALL_AXES);
    return rt_scale(g, length, s->by_size ? s->factor / pixels : s->factor);
}

static bool decays(const rt_params *options) { return rt_params_text(options, "decay")[0] == 'l'; }

static void at_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state;
    shape s = shape_of(options);
    double weight = rt_params_real(options, "weight");
    if (decays(options)) weight *= 1 - (double)in->epoch / (double)in->epochs;
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "at", weight, rti_over_stages(options, in, in->pairs, stage_term, &s));
}

static rt_status at_init(void **state, const rti_method_setup *setup, rt_error *error) {
    (void)state;
    return rti_maps_check(setup, "at", 2,
                          "an attention map says at which of several pixels the network looks",
                          "sp, pkt, rkd, fitnets", error);
}

static void at_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    shape s = shape_of(options);
    double weight = rt_params_real(options, "weight");
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g * %s of ", rt_params_real(options, "hard_weight"), weight,
              rti_stages_text(options));
    if (s.square)
        rti_write(&w, "1/(N%s) sum (Q_s - Q_t)^2\n", s.by_size ? " H W" : "");
    else
        rti_write(&w, "1/(%sN%s) sum_n ||Q_s - Q_t||_2, not squared\n", s.factor < 1 ? "2 " : "",
                  s.by_size ? " H W" : "");
    rti_write(&w, "Q = F / ||F||_2 for each example, F = %s over channels of |A|^%g; no KL, no temperature\n",
              s.max ? "maximum" : "sum", s.power);
    if (s.by_size)
        rti_write(
            &w,
            "weights: per example %g / (H W), so deeper stages count more: %.3g at 32 x 32, %.3g at 16 x "
            "16, %.3g at 8 x 8\n",
            s.factor * weight, s.factor * weight / 1024, s.factor * weight / 256, s.factor * weight / 64);
    else
        rti_write(&w, "weights: per example %g in every stage\n", s.factor * weight);
    if (decays(options))
        rti_write(&w, "decay: the weight falls linearly, %g (1 - epoch / epochs), epochs from 0\n", weight);
    rti_write(&w, "reduction: %s over the pixels, mean over the batch\n",
              s.square && s.by_size ? "mean"
              : s.square            ? "sum"
                                    : "length");
    rti_write(&w, "stages: %s; of two maps the larger is averaged down to the smaller\n",
              rti_stages_text(options));
    rti_write(&w,
              "not offered: the variant on dL/dx, whose gradient needs second derivatives of the network");
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
    {"weight 0 is cross-entropy, unsquared and decaying", "weight=0 distance=half-norm decay=linear",
     rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"official", "",
     "szagoruyko/attention-transfer, HobbitLong/RepDistiller, megvii-research/mdistiller: 1000 times the "
     "mean square, summed over stages"},
    {"paper", "distance=half-norm",
     "Zagoruyko, Komodakis 2017, section 3.1: (beta/2) ||Q_s - Q_t||_2, beta 1000 divided by the map's "
     "elements and the batch (the authors' issue 32), about 0.1 there"},
    {"torchdistill-paper", "distance=norm by_size=false weight=1",
     "yoshitomo-matsubara/torchdistill, mode 'paper': sum_n ||Q_s - Q_t||_2 / N, no 1/2; the weight was not "
     "seen in a configuration, 1 is ours"},
    {"kd-zoo", "stages=mean",
     "AberHu/Knowledge-Distillation-Zoo: sum |A|^2, mean square, averaged over its 3 stages, lambda 1000"},
    {"at-with-kd", "decay=linear",
     "szagoruyko/attention-transfer, README: together with kd beta has to decay; how is not said, linearly "
     "to 0 is ours"},
};

const rti_method rti_method_at = {
    .name = "at",
    .title = "attention transfer: the student looks where the teacher looks",
    .source = "Zagoruyko, Komodakis 2017, arXiv 1612.03928, section 3.1, equation 2",
    .formula = "L = CE(y, softmax(z)) + weight * sum over stages of 1/(N H W) sum (Q_s - Q_t)^2\n"
               "Q = F / ||F||_2 for each example, F = sum_c |A_c|^2",
    .explanation =
        "Summing the powers of a feature map over its channels tells how strongly a network responds at "
        "each pixel; normalised, that map of attention does not depend on the number of channels or their "
        "scale, so a thin student can be compared with a wide teacher without any regressor. It helps when "
        "student and teacher are of one family and their stages have the same size in pixels; under a fair "
        "protocol plain kd is often ahead, and both together need a decaying weight. The paper's other "
        "variant compares gradients of the loss with respect to the input; training the student on it needs "
        "second derivatives of the whole network (the gradient of a gradient), which this engine does not "
        "have, so it is not offered. A layer of an mlp has no pixels: at refuses it.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = at_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_STAGES,
    .init = at_init,
    .loss = at_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, at)
