/* sp.c - similarity-preserving distillation.                           Floor 7 (distill)
 *
 * With every example's features as one row of F (N, D), whatever shape they have,
 *
 *     G = F F^T, each row scaled to length 1        (N, N)   who looks similar to whom
 *     term = 1/N^2 ||G_t - G_s||_F^2
 *
 * D may differ between the networks: only N x N numbers are compared, so there is no adapter. G does not
 * change when the features are rotated or scaled as a whole. A row of zeros stays zero. A batch of one
 * example has one similarity, which is 1: the term and its gradient are 0 there. */
#include "distill/relations.h"
#include "retort/ops.h"

#define EPSILON 1e-12 /* PyTorch's normalize */

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 3000, 0, 1e9, "", "of the similarities, the paper's gamma"),
    RTI_STAGES_ROW("sum"),
};

static rt_tensor *similarities(rt_graph *g, rt_tensor *x) {
    rt_tensor *rows_ = rti_flat_rows(g, x);
    return rt_l2_normalize(g, rt_matmul_nt(g, rows_, rows_), 1, EPSILON);
}

static rt_tensor *stage_term(const void *context, const rti_method_input *in, int i) {
    (void)context;
    rt_graph *g = in->graph;
    if (in->student_feature[i]->shape[0] < 2) return rti_no_term(g, in->student_feature[i]);
    return rt_mse(g, similarities(g, in->student_feature[i]), similarities(g, in->teacher_feature[i]));
}

static void sp_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state;
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "sp", rt_params_real(options, "weight"),
             rti_over_stages(options, in, in->pairs, stage_term, NULL));
}

static rt_status sp_init(void **state, const rti_method_setup *setup, rt_error *error) {
    (void)state;
    return rti_batch_check(setup, "sp", 2, "it compares examples of a batch with each other", error);
}

static void sp_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double weight = rt_params_real(options, "weight"), hard = rt_params_real(options, "hard_weight");
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g * %s of 1/N^2 ||G_s - G_t||^2\n", hard, weight,
              rti_stages_text(options));
    rti_write(&w, "G = F F^T, each row of length 1; F: the features of the batch, one row for each "
                  "example\n");
    rti_write(&w, "no KL, no temperature, no adapter\n");
    rti_write(&w, "weights: %g on the labels, %g on the similarities\n", hard, weight);
    rti_write(&w, "reduction: mean over the N^2 pairs of the batch, an example with itself included: it "
                  "depends on the batch's size; 0, and gradient 0, where a last batch has one example\n");
    rti_write(&w, "stages: %s of the named layers; by itself the last stage alone", rti_stages_text(options));
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"repdistiller", "",
     "HobbitLong/RepDistiller, megvii-research/mdistiller, and the paper: weight 3000, last map"},
    {"torchdistill", "weight=1", "yoshitomo-matsubara/torchdistill, its configurations: weight 1, last map"},
    {"kd-zoo", "stages=mean",
     "AberHu/Knowledge-Distillation-Zoo: averaged over its 3 stages, which student_taps and teacher_taps can "
     "name, lambda 3000"},
};

const rti_method rti_method_sp = {
    .name = "sp",
    .title = "similarity-preserving: who looks like whom in a batch, as the teacher sees it",
    .source = "Tung, Mori 2019, arXiv 1907.09682, equations 1 to 4",
    .formula = "L = CE(y, softmax(z)) + weight * 1/N^2 ||G_s - G_t||_F^2\n"
               "G = F F^T with rows of length 1, F (N, D) the features of the batch",
    .explanation =
        "Two examples that make the teacher respond alike should make the student respond alike; how each of "
        "them codes it is its own affair. So the student's table of similarities between all examples of a "
        "batch is held against the teacher's. Features of any width and shape can be compared without an "
        "adapter, also the hidden layers of an mlp, and rotating or scaling them changes nothing. It helps "
        "between different architectures. The table is that of the batch: the term and its best weight "
        "depend on the batch's size. Taps: by itself the last stage; any list of pairs may be named.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = sp_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_LAST_STAGE,
    .init = sp_init,
    .loss = sp_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, sp)
