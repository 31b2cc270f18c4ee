/* nst.c - neuron selectivity transfer: what the channels respond to.   Floor 7 (distill)
 *
 * Each channel of a map, as a vector over the pixels and of length 1, is a sample of what the network is
 * selective to; the loss is the squared maximum mean discrepancy of the two sets of samples,
 *
 *     MMD^2 = mean k(t_c, t_c') + mean k(s_c, s_c') - 2 mean k(s_c, t_c'),    k(a, b) = (a.b)^2 or a.b
 *
 * for each example, averaged over the batch. The kernel is an inner product of features: with k = (a.b)^2
 * those of a are a a^T, so that
 *
 *     MMD^2 = || (1/C_s) sum_c s_c s_c^T - (1/C_t) sum_c t_c t_c^T ||_F^2
 *
 * which has products of pixels instead of channels. Whichever has less work is computed; the gradient with
 * respect to the student is the same, since the first mean does not depend on it. A channel that is zero
 * everywhere stays zero. */
#include "distill/maps.h"
#include "retort/ops.h"

#define EPSILON 1e-12

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 50, 0, 1e9, "", "of the discrepancy"),
    RT_PARAM_CHOICE_ROW("kernel", "polynomial", "polynomial|linear", "k(a, b) = (a.b)^2 or a.b"),
    RTI_STAGES_ROW("sum"),
};

/* Mean of (a_c . b_c')^2 over examples and pairs of channels; a (N, P, A), b (N, P, B). */
static rt_tensor *kernel_mean(rt_graph *g, rt_tensor *a, rt_tensor *b) {
    rt_tensor *products = rt_matmul_tn(g, a, b);
    return rt_mean(g, rt_mul(g, products, products), RT_ALL_AXES);
}

static rt_tensor *by_channels(rt_graph *g, rt_tensor *s, rt_tensor *t) {
    rt_tensor *own = rt_add(g, kernel_mean(g, t, t), kernel_mean(g, s, s));
    return rt_sub(g, own, rt_scale(g, kernel_mean(g, s, t), 2));
}

/* (1/C) sum_c x_c x_c^T: (N, P, C) -> (N, P, P). */
static rt_tensor *second_moment(rt_graph *g, rt_tensor *x) {
    return rt_scale(g, rt_matmul_nt(g, x, x), 1 / (double)x->shape[2]);
}

static rt_tensor *stage_term(const void *context, const rti_method_input *in, int i) {
    const rt_params *options = context;
    rt_graph *g = in->graph;
    rt_tensor *s = in->student_feature[i], *t = in->teacher_feature[i];
    rti_maps_align(g, false, &s, &t);
    s = rt_l2_normalize(g, rti_map_rows(g, s), 1, EPSILON);
    t = rt_l2_normalize(g, rti_map_rows(g, t), 1, EPSILON);
    if (!s || !t) return NULL;
    if (rt_params_text(options, "kernel")[0] == 'l')
        return rti_squared_distance(g, rt_mean(g, s, RT_AXIS(2)), rt_mean(g, t, RT_AXIS(2)));
    int64_t channels = s->shape[2] > t->shape[2] ? s->shape[2] : t->shape[2];
    if (s->shape[1] > channels) return by_channels(g, s, t);
    return rti_squared_distance(g, second_moment(g, s), second_moment(g, t));
}

static void nst_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state;
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "nst", rt_params_real(options, "weight"),
             rti_over_stages(options, in, in->pairs, stage_term, options));
}

static rt_status nst_init(void **state, const rti_method_setup *setup, rt_error *error) {
    (void)state;
    return rti_maps_check(setup, "nst", 2, "it compares channels as patterns over several pixels",
                          "sp, pkt, rkd, fitnets", error);
}

static void nst_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g * %s of MMD^2(student, teacher)\n",
              rt_params_real(options, "hard_weight"), rt_params_real(options, "weight"),
              rti_stages_text(options));
    rti_write(&w, "MMD^2 = mean k(t,t') + mean k(s,s') - 2 mean k(s,t) over pairs of channels, k(a,b) = %s\n",
              rt_params_text(options, "kernel")[0] == 'l' ? "a.b" : "(a.b)^2");
    rti_write(
        &w, "a channel is a vector over the pixels, of length 1, for each example; no KL, no temperature\n");
    rti_write(&w, "weights: %g on the labels, %g on the discrepancy\n",
              rt_params_real(options, "hard_weight"), rt_params_real(options, "weight"));
    rti_write(&w, "reduction: mean over the pairs of channels, mean over the batch\n");
    rti_write(&w, "stages: %s; of two maps the larger is averaged down to the smaller",
              rti_stages_text(options));
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"repdistiller", "",
     "HobbitLong/RepDistiller, megvii-research/mdistiller: k = (a.b)^2, weight 50, summed over stages"},
    {"kd-zoo", "stages=last weight=10", "AberHu/Knowledge-Distillation-Zoo: the last stage alone, lambda 10"},
};

const rti_method rti_method_nst = {
    .name = "nst",
    .title = "neuron selectivity transfer: the channels respond to the same patterns",
    .source = "Huang, Wang 2017, arXiv 1707.01219, equation 5 and section 4.2, polynomial kernel",
    .formula =
        "L = CE(y, softmax(z)) + weight * sum over stages of MMD^2(student, teacher)\n"
        "MMD^2 = mean k(t,t') + mean k(s,s') - 2 mean k(s,t), k(a,b) = (a.b)^2, over pairs of channels",
    .explanation =
        "A channel of a feature map, normalised over the pixels, is a pattern the network responds to. The "
        "loss makes the set of the student's patterns resemble the set of the teacher's: not channel by "
        "channel, for which they would have to correspond, but as samples of one distribution, measured by "
        "the maximum mean discrepancy. So the numbers of channels may differ and no regressor is needed; "
        "the order and, with the polynomial kernel, the sign of channels do not matter. With the linear "
        "kernel only the mean pattern is matched. The paper's Gaussian kernel is not offered: published "
        "code uses the polynomial one. Other software calls a loss on Gram matrices of tokens by the same "
        "name; this is not it.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = nst_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_STAGES,
    .init = nst_init,
    .loss = nst_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, nst)
