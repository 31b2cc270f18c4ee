/* ft.c - factor transfer: what the teacher's map can be retold with.   Floor 7 (distill)
 *
 * In a first stage a paraphraser learns to retell the teacher's last map t (N, H, W, C) with fewer
 * channels, by mean squares: three 3x3 convolutions to the factor p(t) of k C channels, three transposed
 * ones back. It is kept after that. In the second stage a translator, three 3x3 convolutions with batch
 * norm, makes a factor q(s) of the student's map, and the two are compared:
 *
 *     whole      F = the factor as one row, scaled to length 1            the paper's
 *     collapsed  F = mean_c factor^2, scaled to length 1                  RepDistiller's: an attention map
 *     term = mean |F_s - F_t|, or mean (F_s - F_t)^2
 *
 * All layers are followed by a leaky relu of slope 0.1. The student learns nothing in the first stage,
 * which is taken from its epochs; `joint` trains the paraphraser beside it (its own term, which is not the
 * student's). No gradient of the comparison goes to the paraphraser in either form. */
#include "distill/adapters.h"
#include "distill/relations.h"
#include "retort/alloc.h"
#include "retort/ops.h"

#define EPSILON 1e-12 /* PyTorch's normalize */
#define SLOPE 0.1

static const rt_param rows[] = {
    RTI_FORM_ROW("two-stage"),
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 200, 0, 1e9, "", "of the factors"),
    RT_PARAM_CHOICE_ROW("factor", "whole", "whole|collapsed",
                        "scaled as one row, or squared and averaged over its "
                        "channels first"),
    RT_PARAM_CHOICE_ROW("distance", "l1", "l1|square", "of two factors, mean over their numbers"),
    RT_PARAM_REAL_ROW("rate", 0.5, 0.01, 4, "", "channels of the factor, as a part of the teacher's"),
    RT_PARAM_BOOL_ROW("paraphraser_norm", false, "batch norm in the paraphraser"),
    RT_PARAM_BOOL_ROW("translator_norm", true, "batch norm in the translator"),
    RTI_FIRST_STAGE_ROW(0.1),
};

enum { LAYERS = 3 };

typedef struct ft {
    rt_model *encoder[LAYERS], *decoder[LAYERS], *translator[LAYERS]; /* the driver's */
} ft;

static bool is_joint(const rt_params *options) { return rt_params_text(options, "form")[0] == 'j'; }

/* ---- making: each layer is an adapter, the leaky relu stands between them ---- */

static rt_status add_layer(const rti_method_setup *setup, const char *name, rti_feature *from,
                           int64_t channels, bool transposed, bool norm, rt_model **layer, rt_error *error) {
    rt_model *model = rti_adapter_begin(setup, name, from, error);
    if (!model) return error ? error->status : RT_MEMORY;
    const rti_conv conv = {.kernel = 3, .padding = 1, .bias = true, .init = RTI_INIT_FAN_IN};
    if (transposed)
        RT_TRY(rti_model_add_conv_transpose(model, "conv", channels, &conv, error));
    else
        RT_TRY(rti_model_add_conv(model, "conv", channels, &conv, error));
    if (norm) RT_TRY(rti_model_add_batch_norm(model, "norm", NULL, error));
    *layer = model;
    from->shape[2] = channels; /* of what the next layer reads; the size in pixels stays */
    return rti_adapter_end(setup, model, error);
}

static rt_status add_chain(const rti_method_setup *setup, const char *const names[LAYERS], rti_feature from,
                           const int64_t channels[LAYERS], bool transposed, bool norm,
                           rt_model *chain[LAYERS], rt_error *error) {
    for (int i = 0; i < LAYERS; i++)
        RT_TRY(add_layer(setup, names[i], &from, channels[i], transposed, norm, &chain[i], error));
    return RT_OK;
}

static rt_status ft_init(void **state, const rti_method_setup *setup, rt_error *error) {
    static const char *const encoder[] = {"ft.encoder1", "ft.encoder2", "ft.encoder3"};
    static const char *const decoder[] = {"ft.decoder1", "ft.decoder2", "ft.decoder3"};
    static const char *const translator[] = {"ft.translator1", "ft.translator2", "ft.translator3"};
    RT_TRY(rti_one_pair_check(setup, "ft", error));
    RT_TRY(rti_maps_check(setup, "ft", 1, "its paraphraser is made of convolutions over the pixels of a map",
                          "sp, pkt, rkd, fitnets, ab", error));
    RT_TRY(rti_first_stage_check(setup, "ft", error));
    ft *own = *state = rt_alloc_zero(1, sizeof *own);
    if (!own) return rt_fail(error, RT_MEMORY, "no memory for the state of ft");
    const rt_params *options = setup->options;
    const rti_feature *s = &setup->student[0], *t = &setup->teacher[0];
    int64_t C = t->shape[2], k = (int64_t)((double)C * rt_params_real(options, "rate"));
    if (k < 1) k = 1;
    rti_feature factor = *t;
    factor.shape[2] = k;
    bool norm = rt_params_bool(options, "paraphraser_norm");
    RT_TRY(add_chain(setup, encoder, *t, (const int64_t[]){C, k, k}, false, norm, own->encoder, error));
    RT_TRY(add_chain(setup, decoder, factor, (const int64_t[]){k, C, C}, true, norm, own->decoder, error));
    return add_chain(setup, translator, *s, (const int64_t[]){s->shape[2], k, k}, false,
                     rt_params_bool(options, "translator_norm"), own->translator, error);
}

static void ft_deinit(void *state) { rt_free(state); }

/* ---- the loss ---- */

static rt_tensor *through(rt_graph *g, rt_model *const chain[LAYERS], rt_tensor *x) {
    for (int i = 0; i < LAYERS; i++) x = rt_leaky_relu(g, rt_model_forward(chain[i], g, x), SLOPE);
    return x;
}

static rt_tensor *retelling(const ft *own, const rti_method_input *in) {
    rt_graph *g = in->graph;
    rt_tensor *t = in->teacher_feature[0];
    return rt_mse(g, through(g, own->decoder, through(g, own->encoder, t)), t);
}

static rt_tensor *scaled(rt_graph *g, const rt_params *options, rt_tensor *factor) {
    if (factor && rt_params_text(options, "factor")[0] == 'c')
        factor = rt_scale(g, rt_power_sum(g, factor, 2), 1 / (double)factor->shape[3]);
    return rt_l2_normalize(g, rti_flat_rows(g, factor), 1, EPSILON);
}

/* The paraphraser's part is not on the tape, and its running statistics stay where the first stage left
 * them. */
static rt_tensor *teachers_factor(const ft *own, const rti_method_input *in, bool joint) {
    for (int i = 0; i < LAYERS && !joint; i++) rt_model_evaluate(own->encoder[i]);
    rt_no_grad_begin(in->graph);
    rt_tensor *factor = through(in->graph, own->encoder, in->teacher_feature[0]);
    rt_no_grad_end(in->graph);
    return factor;
}

static rt_tensor *comparison(const ft *own, const rt_params *options, const rti_method_input *in) {
    rt_graph *g = in->graph;
    rt_tensor *t = teachers_factor(own, in, is_joint(options));
    rt_tensor *s = through(g, own->translator, in->student_feature[0]);
    rti_maps_align(g, false, &s, &t);
    s = scaled(g, options, s), t = scaled(g, options, t);
    return rt_params_text(options, "distance")[0] == 'l' ? rt_l1(g, s, t) : rt_mse(g, s, t);
}

static void ft_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    double weight = rt_params_real(options, "weight");
    bool learns_to_retell = in->first_stage || (is_joint(options) && weight > 0);
    if (!in->first_stage) rti_labels(out, in, rt_params_real(options, "hard_weight"));
    if (!in->first_stage) RTI_TERM(out, "ft", weight, comparison(state, options, in));
    RTI_TERM(out, "paraphraser", learns_to_retell ? 1 : 0, retelling(state, in));
}

/* ---- the contract ---- */

static void ft_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double hard = rt_params_real(options, "hard_weight"), weight = rt_params_real(options, "weight");
    bool square = rt_params_text(options, "distance")[0] == 's';
    bool collapsed = rt_params_text(options, "factor")[0] == 'c';
    const char *term = square ? "mean (F_s - F_t)^2" : "mean |F_s - F_t|";
    if (is_joint(options))
        rti_write(&w,
                  "L = %g CE(y, softmax(z)) + %g * %s + mean (retold t - t)^2, the last for the "
                  "paraphraser\n",
                  hard, weight, term);
    else {
        rti_write(&w,
                  "L = mean (retold t - t)^2 in the first %g of the epochs: the paraphraser alone, no "
                  "student\n",
                  rt_params_real(options, "first_stage"));
        rti_write(&w, "after it: L = %g CE(y, softmax(z)) + %g * %s, the paraphraser fixed\n", hard, weight,
                  term);
    }
    rti_write(&w, "F = %s scaled to length 1 for each example; no KL, no temperature\n",
              collapsed ? "mean over channels of factor^2," : "the whole factor,");
    rti_write(&w,
              "factor: three 3x3 convolutions with leaky relu 0.1, %g of the teacher's channels; batch "
              "norm: paraphraser %s, translator %s\n",
              rt_params_real(options, "rate"), rt_params_bool(options, "paraphraser_norm") ? "yes" : "no",
              rt_params_bool(options, "translator_norm") ? "yes" : "no");
    rti_write(&w, "weights: %g on the labels, %g on the factors\n", hard, weight);
    rti_write(&w, "reduction: mean over the numbers of a factor, mean over the batch\n");
    rti_write(&w, "stages: one layer, by itself the last stage; of two factors the larger is averaged down "
                  "to the smaller");
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
    {"jointly, too", "form=joint weight=0", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"paper", "weight=500",
     "Kim, Park, Kwak 2018: factors scaled as a whole, L1, k 0.5, beta 500 on CIFAR; the mean over the "
     "factor's numbers is the reduction of later codes"},
    {"torchdistill", "weight=1000", "yoshitomo-matsubara/torchdistill: whole factors, L1 mean, weight 1000"},
    {"kd-zoo", "weight=200",
     "AberHu/Knowledge-Distillation-Zoo, open-mmlab/mmrazor: whole factors, L1 mean, weight 200"},
    {"repdistiller", "factor=collapsed weight=200",
     "HobbitLong/RepDistiller: the factor is collapsed to mean_c factor^2 first, L1 mean, weight 200; 30 "
     "epochs of the paraphraser ahead of 240, here taken from the budget"},
};

const rti_method rti_method_ft = {
    .name = "ft",
    .title = "factor transfer: teacher and student are compared in the teacher's own short words",
    .source = "Kim, Park, Kwak 2018, arXiv 1802.04977, equations 1 to 4",
    .formula = "stage 1: L = mean (decoder(p(t)) - t)^2, the paraphraser alone\n"
               "stage 2: L = CE(y, softmax(z)) + weight * mean |F_s - F_t|\n"
               "F = factor scaled to length 1: q(s) the translator's, p(t) the paraphraser's",
    .explanation =
        "A teacher's map is large and partly an accident of its own architecture; copied directly it asks "
        "the wrong thing of another network. So an autoencoder first learns to paraphrase it with half of "
        "the channels, without labels, and a translator on the student's side learns, together with the "
        "student, to say the same factors. In the form that most benchmarks run, the factor is averaged "
        "over its channels into one map, so what is compared is attention; here both are options, and the "
        "whole factor is the default, as published. The paraphraser's epochs come out of the student's "
        "budget, so that a comparison stays fair; form = \"joint\" trains it beside the student instead. "
        "Needs maps: an mlp is refused.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = ft_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_LAST_STAGE,
    .first_stage_epochs = rti_first_stage_epochs,
    .init = ft_init,
    .loss = ft_loss,
    .deinit = ft_deinit,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, ft)
