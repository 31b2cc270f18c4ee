/* ofd.c - overhaul of feature distillation: ahead of the relu, behind a margin.   Floor 7 (distill)
 *
 * Behind the relu a teacher's negative responses are lost, ahead of it their exact values are noise. So the
 * target is cut off below at a margin, and the student may be as negative as it likes where the target is:
 *
 *     t' = max(t, margin_c),  d = 0 where s <= t' <= 0, else (s - t')^2,  s = r(..) behind a connector
 *
 * margin_c is what the teacher's channel c is on average when it is negative. Its batch normalisation says
 * it: with bias mu and scale sigma a normal distribution, E[x | x < 0] = mu - sigma p(mu/sigma) /
 * P(-mu/sigma), whatever is added by a residual aside. Without batch normalisation, or by choice, it is
 * the mean of what is negative in the batch. The teacher stays in evaluation mode, unlike in the published
 * code, which leaves it in training mode. */
#include "distill/relations.h"
#include "retort/alloc.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 1, 0, 1e9, "", "of the partial distances, times scale"),
    RT_PARAM_REAL_ROW("scale", 0.001, 1e-9, 1e3, "", "the constant that published codes put in front"),
    RT_PARAM_CHOICE_ROW("margin", "bn", "bn|batch",
                        "mean of the teacher's negative responses: from its batch norm, or of the batch"),
    RTI_BOUNDARY_ROWS(true),
};

typedef struct ofd {
    rt_model *connector[RTI_PAIRS_MAX]; /* NULL: none. The driver's */
    rt_tensor *margin[RTI_PAIRS_MAX];   /* (C); NULL: of the batch */
} ofd;

/* ---- margins ---- */

static rt_status margin_from_norm(ofd *own, const rti_method_setup *setup, int i, rt_error *error) {
    const rti_feature *t = &setup->teacher[i];
    const rt_parameter *scale, *bias;
    const rt_model *teacher = setup->config->teacher ? rt_teacher_member(setup->config->teacher, 0) : NULL;
    if (!teacher || !rt_model_tap_batch_norm(teacher, t->tap, &scale, &bias))
        return rt_fail(error, RT_UNSUPPORTED,
                       "method ofd takes its margins from a batch normalisation, and there is none at the "
                       "teacher's \"%s\"; margin = \"batch\" measures them, and ab, sp, rkd need none",
                       t->tap);
    int64_t C = t->shape[t->ndim - 1];
    RT_ASSERT(rt_tensor_count(&scale->tensor) == C, "the batch norm at %s has other channels", t->tap);
    own->margin[i] = rt_tensor_new(RT_DTYPE_REAL, 1, &C, error);
    if (!own->margin[i]) return RT_MEMORY;
    for (int64_t c = 0; c < C; c++)
        rt_real_data(own->margin[i])[c] = (rt_real)rti_negative_mean((double)rt_real_data(&bias->tensor)[c],
                                                                     (double)rt_real_data(&scale->tensor)[c]);
    return RT_OK;
}

/* Sum of the negative responses of each channel by their number; 0 where none is negative. */
static rt_tensor *margin_of_batch(rt_graph *g, const rt_tensor *t) {
    const rt_real *x = rti_contiguous(g, t);
    int64_t C = t->shape[t->ndim - 1], count = rt_tensor_count(t);
    rt_tensor *margin = rt_graph_tensor(g, RT_DTYPE_REAL, 1, &C);
    double *sum = rti_step_alloc(g, (size_t)(2 * C) * sizeof *sum), *number = sum + C;
    if (!x || !margin || !sum) return NULL;
    for (int64_t c = 0; c < 2 * C; c++) sum[c] = 0;
    for (int64_t at = 0; at < count; at += C)
        for (int64_t c = 0; c < C; c++)
            if (x[at + c] < 0) sum[c] += (double)x[at + c], number[c]++;
    for (int64_t c = 0; c < C; c++)
        rt_real_data(margin)[c] = (rt_real)(number[c] > 0 ? sum[c] / number[c] : 0);
    return margin;
}

/* ---- the loss ---- */

static rt_tensor *stage_term(const void *state, const rti_method_input *in, int i) {
    const ofd *own = state;
    rt_tensor *s, *t, *margin = own->margin[i];
    rti_connect(own->connector, in, i, &s, &t);
    if (!s || !t) return NULL;
    return rt_partial_l2(in->graph, s, t, margin ? margin : margin_of_batch(in->graph, t));
}

static double whole_weight(const rt_params *options) {
    return rt_params_real(options, "weight") * rt_params_real(options, "scale");
}

static void ofd_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "ofd", whole_weight(options), rti_over_boundaries(options, in, stage_term, state));
}

static rt_status ofd_init(void **state, const rti_method_setup *setup, rt_error *error) {
    ofd *own = *state = rt_alloc_zero(1, sizeof *own);
    if (!own) return rt_fail(error, RT_MEMORY, "no memory for the state of ofd");
    if (rt_params_text(setup->options, "margin")[1] == 'n')
        for (int i = 0; i < setup->pairs; i++) RT_TRY(margin_from_norm(own, setup, i, error));
    return rti_connectors_new(setup, "ofd", own->connector, error);
}

static void ofd_deinit(void *state) {
    ofd *own = state;
    for (int i = 0; i < RTI_PAIRS_MAX; i++) rt_tensor_free(own->margin[i]);
    rt_free(own);
}

static void ofd_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double hard = rt_params_real(options, "hard_weight"), weight = whole_weight(options);
    bool norm = rt_params_text(options, "margin")[1] == 'n';
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g * sum of d(s, t')\n", hard, weight);
    rti_write(&w, "d = 0 where s <= t' <= 0, else (s - t')^2; t' = max(t, margin_c), ahead of the relu\n");
    rti_write(&w, "margin_c: mean of the teacher's negative responses, %s\n",
              norm ? "from bias and scale of its batch norm, a residual aside" : "measured in each batch");
    rti_write(&w, "connector: %s; no KL, no temperature\n", rti_connector_text(options));
    rti_write(&w, "teacher: in evaluation mode (the published code leaves it in training mode)\n");
    rti_write(&w, "weights: %g on the labels, weight * scale = %g on the distances\n", hard, weight);
    rti_boundaries_contract(&w, options);
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"author", "",
     "clovaai/overhaul-distillation on CIFAR, megvii-research/mdistiller: sum / batch / 1000, stages "
     "halved towards the front; teacher in training mode there"},
    {"author-imagenet", "scale=0.0001", "clovaai/overhaul-distillation on ImageNet: sum / batch / 10000"},
    {"mmrazor", "halving=false",
     "open-mmlab/mmrazor: sum / batch / 1000 for each stage; whether stages are halved in its "
     "configurations was not seen"},
    {"kd-zoo", "margin=batch reduction=mean scale=1 weight=0.5 halving=false",
     "AberHu/Knowledge-Distillation-Zoo: margins of the batch, mean, lambda 0.5; that stages count alike is "
     "unverified"},
};

const rti_method rti_method_ofd = {
    .name = "ofd",
    .title = "overhaul: maps ahead of the relu, with a margin for what is negative",
    .source = "Heo, Kim, Yun, Park, Kwak, Choi 2019, arXiv 1904.01866, equations 1 to 6",
    .formula = "L = CE(y, softmax(z)) + weight * scale * sum over stages of 2^(i-n+1) sum d(s, t') / N\n"
               "d = 0 where s <= t' <= 0, else (s - t')^2;  t' = max(t, margin_c), margin_c = E[t_c | t_c "
               "< 0]",
    .explanation =
        "Where to look, and how to compare: ofd takes the maps ahead of the relu, where nothing of the "
        "teacher has been thrown away yet, keeps its positive responses exactly, and of the negative ones "
        "only that they are negative, by a margin that each channel's batch normalisation gives. A student "
        "that is negative enough pays nothing. Only the student is transformed, by a 1x1 convolution with "
        "batch norm, so the teacher's target loses nothing. It is among the strongest feature methods on "
        "convolutional networks; it needs places ahead of a relu, and for the published margins batch "
        "normalisation there (margin = \"batch\" does without).",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = ofd_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_STAGES_BEFORE,
    .init = ofd_init,
    .loss = ofd_loss,
    .deinit = ofd_deinit,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, ofd)
