/* pkt.c - probabilistic knowledge transfer.                            Floor 7 (distill)
 *
 * From the cosines between the examples of a batch, conditional probabilities of who is near whom:
 *
 *     c_ij = (1 + cos(f_i, f_j)) / 2,   P_ij = c_ij / sum_j c_ij
 *     term = 1/N^2 sum_ij P^t_ij log( (P^t_ij + eps) / (P^s_ij + eps) )
 *
 * an example with itself included, as in the authors' code. That is KL(teacher || student) summed over the N
 * neighbours and divided by N^2, not by N: hence weights like 30000. A row of zeros has cosine 0 with all.
 * A batch of one example has one probability, 1: the term and its gradient are 0 there. */
#include "distill/relations.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 30000, 0, 1e9, "", "of the divergence"),
    RT_PARAM_REAL_ROW("epsilon", 1e-7, 1e-15, 1e-2, "",
                      "added to probabilities in the logarithm, and the least length"),
    RTI_STAGES_ROW("sum"),
};

static rt_tensor *neighbours(rt_graph *g, rt_tensor *x, double epsilon) {
    rt_tensor *unit = rt_l2_normalize(g, rti_flat_rows(g, x), 1, epsilon);
    rt_tensor *near = rt_scale(g, rt_add_scalar(g, rt_matmul_nt(g, unit, unit), 1), 0.5);
    return rt_div(g, near, rt_sum(g, near, RT_AXIS(1) | RT_KEEP_DIMS));
}

static rt_tensor *stage_term(const void *context, const rti_method_input *in, int i) {
    rt_graph *g = in->graph;
    double epsilon = *(const double *)context;
    if (in->student_feature[i]->shape[0] < 2) return rti_no_term(g, in->student_feature[i]);
    rt_tensor *s = neighbours(g, in->student_feature[i], epsilon);
    rt_tensor *t = neighbours(g, in->teacher_feature[i], epsilon);
    rt_tensor *ratio = rt_div(g, rt_add_scalar(g, t, epsilon), rt_add_scalar(g, s, epsilon));
    return rt_mean(g, rt_mul(g, t, rt_log(g, ratio)), RT_ALL_AXES);
}

static void pkt_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state;
    double epsilon = rt_params_real(options, "epsilon");
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "pkt", rt_params_real(options, "weight"),
             rti_over_stages(options, in, in->pairs, stage_term, &epsilon));
}

static rt_status pkt_init(void **state, const rti_method_setup *setup, rt_error *error) {
    (void)state;
    return rti_batch_check(setup, "pkt", 2, "its probabilities are over the examples of a batch", error);
}

static void pkt_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double weight = rt_params_real(options, "weight"), hard = rt_params_real(options, "hard_weight");
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g * %s of 1/N^2 sum_ij P_t log((P_t + %g) / (P_s + %g))\n",
              hard, weight, rti_stages_text(options), rt_params_real(options, "epsilon"),
              rt_params_real(options, "epsilon"));
    rti_write(&w, "P_ij = c_ij / sum_j c_ij, c_ij = (1 + cos(f_i, f_j)) / 2 over the examples of the "
                  "batch\n");
    rti_write(&w, "direction: KL(teacher || student) of who is near whom; no temperature\n");
    rti_write(&w, "weights: %g on the labels, %g on the divergence, %g / N on the mean KL of an example\n",
              hard, weight, weight);
    rti_write(&w, "reduction: mean over the N^2 pairs, an example with itself included: it depends on the "
                  "batch's size; 0, and gradient 0, where a last batch has one example\n");
    rti_write(&w, "stages: %s of the named layers; by itself the penultimate layer alone",
              rti_stages_text(options));
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"repdistiller", "",
     "HobbitLong/RepDistiller, megvii-research/mdistiller, yoshitomo-matsubara/torchdistill, after the "
     "authors' code: weight 30000, epsilon 1e-7"},
    {"kd-zoo", "weight=10000 epsilon=1e-6", "AberHu/Knowledge-Distillation-Zoo: lambda 10000, epsilon 1e-6"},
};

const rti_method rti_method_pkt = {
    .name = "pkt",
    .title = "probabilistic knowledge transfer: who is near whom, as a distribution",
    .source = "Passalis, Tefas 2018, arXiv 1803.10837, equations 3 to 6 with the cosine kernel",
    .formula = "L = CE(y, softmax(z)) + weight * 1/N^2 sum_ij P_t log((P_t + eps) / (P_s + eps))\n"
               "P_ij = c_ij / sum_j c_ij, c_ij = (1 + cos(f_i, f_j)) / 2",
    .explanation =
        "Each example sees the others of its batch at some angle; made into probabilities of being near, the "
        "teacher's view of the neighbourhood is a soft target like its answers, and the student's is drawn "
        "to it by a Kullback-Leibler divergence. Only angles matter, so features of any width are compared "
        "without an adapter, and an mlp will do. An affine cosine instead of a Gaussian kernel leaves no "
        "bandwidth to tune. The published loss divides by N^2, which makes it very small: the weight of "
        "30000 belongs to batches of 64. Taps: by itself what the classifier sees.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = pkt_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_PENULTIMATE,
    .init = pkt_init,
    .loss = pkt_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, pkt)
