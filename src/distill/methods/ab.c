/* ab.c - activation boundaries: which neurons are on.                  Floor 7 (distill)
 *
 * What counts is on which side of 0 a neuron stands ahead of its relu. With the student's s = r(..) behind a
 * connector, the teacher's t, and a margin m by which the student is to be sure:
 *
 *     (s + m)^2 where s > -m and t <= 0         the teacher's neuron is off, the student's is not, or hardly
 *     (s - m)^2 where s <= m and t > 0          it is on, the student's is not, or hardly
 *
 * As published this initialises the student: a first stage without labels, then a training on labels, in
 * which nothing of it is left. `joint` adds it to the labels in one loss. */
#include "distill/relations.h"
#include "retort/alloc.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RTI_FORM_ROW("two-stage"),
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 1, 0, 1e9, "", "of the boundaries, times scale"),
    RT_PARAM_REAL_ROW("scale", 0.003, 1e-9, 1e3, "", "the constant that published codes put in front"),
    RT_PARAM_REAL_ROW("margin", 1, 0, 100, "", "by which the student is to be on or off"),
    RTI_FIRST_STAGE_ROW(0.1),
    RTI_BOUNDARY_ROWS(true),
};

typedef struct ab {
    rt_model *connector[RTI_PAIRS_MAX]; /* NULL: none. The driver's */
} ab;

typedef struct context {
    const ab *state;
    double margin;
} context;

static bool is_joint(const rt_params *options) { return rt_params_text(options, "form")[0] == 'j'; }

static rt_tensor *stage_term(const void *context_, const rti_method_input *in, int i) {
    const context *c = context_;
    rt_tensor *s, *t;
    rti_connect(c->state->connector, in, i, &s, &t);
    return rt_activation_boundary(in->graph, s, t, c->margin);
}

static void ab_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    const context c = {state, rt_params_real(options, "margin")};
    double weight = rt_params_real(options, "weight") * rt_params_real(options, "scale");
    if (!in->first_stage) rti_labels(out, in, rt_params_real(options, "hard_weight"));
    if (in->first_stage || is_joint(options))
        RTI_TERM(out, "ab", weight, rti_over_boundaries(options, in, stage_term, &c));
}

static rt_status ab_check(const rt_params *options, int64_t classes, rt_error *error) {
    if (!is_joint(options) && rt_params_real(options, "hard_weight") == 0)
        return rt_fail(error, RT_SPEC,
                       "hard_weight is 0: there is nothing to learn from in ab's second stage; form = "
                       "\"joint\" has one stage");
    return rti_weights_check(options, classes, error);
}

static rt_status ab_init(void **state, const rti_method_setup *setup, rt_error *error) {
    RT_TRY(rti_first_stage_check(setup, "ab", error));
    ab *own = *state = rt_alloc_zero(1, sizeof *own);
    if (!own) return rt_fail(error, RT_MEMORY, "no memory for the state of ab");
    return rti_connectors_new(setup, "ab", own->connector, error);
}

static void ab_deinit(void *state) { rt_free(state); }

static void ab_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double hard = rt_params_real(options, "hard_weight"), m = rt_params_real(options, "margin");
    double weight = rt_params_real(options, "weight") * rt_params_real(options, "scale");
    if (is_joint(options))
        rti_write(&w, "L = %g CE(y, softmax(z)) + %g * B, in one stage\n", hard, weight);
    else
        rti_write(&w,
                  "L = %g * B in the first %g of the epochs, no labels; after it L = %g CE(y, "
                  "softmax(z))\n",
                  weight, rt_params_real(options, "first_stage"), hard);
    rti_write(&w,
              "B = (s + %g)^2 where s > -%g and t <= 0, (s - %g)^2 where s <= %g and t > 0, ahead of "
              "the relu\n",
              m, m, m, m);
    rti_write(&w, "connector: %s; no KL, no temperature\n", rti_connector_text(options));
    rti_write(&w, "weights: %g on the labels, weight * scale = %g on the boundaries\n", hard, weight);
    rti_boundaries_contract(&w, options);
}

static const rti_method_case cases[] = {
    {"jointly, weight 0 is cross-entropy", "form=joint weight=0", rti_labels_alone, true},
    {"the second stage is cross-entropy", "", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"repdistiller", "connector=needed",
     "HobbitLong/RepDistiller: 3/1000 sum / batch, stages halved towards the front, margin 1, 30 epochs "
     "ahead of 240; connector only where shapes differ, the epochs are taken from the budget here"},
    {"author", "",
     "bhheo/AB_distillation: the same loss, with the 1x1 connectors and batch norm in every stage"},
    {"kd-zoo", "reduction=mean margin=2 scale=1 first_stage=0.25 halving=false",
     "AberHu/Knowledge-Distillation-Zoo: mean instead of sum, margin 2, 50 of 200 epochs; that stages "
     "count alike and the weight are unverified"},
};

const rti_method rti_method_ab = {
    .name = "ab",
    .title = "activation boundaries: the student's neurons are on where the teacher's are",
    .source = "Heo, Lee, Yun, Choi 2019, arXiv 1811.03233, equations 3 to 5",
    .formula = "stage 1: L = weight * scale * sum over stages of 2^(i-n+1) B_i\n"
               "         B = (s + m)^2 where s > -m and t <= 0, (s - m)^2 where s <= m and t > 0\n"
               "stage 2: L = CE(y, softmax(z))",
    .explanation =
        "A relu network cuts its input space into regions by the boundaries where neurons switch on; how "
        "strong a response is matters less than on which side of a boundary an input falls. Ab asks only "
        "for that: where the teacher's neuron is on, the student's is to be on by a margin, else off by "
        "one. The true loss counts neurons on the wrong side and has no gradient, so a squared hinge "
        "replaces it, as in a support vector machine. It is an initialisation: it makes training short and "
        "robust with few data, and with a long training on labels its gain fades, or is negative as in "
        "RepDistiller's table; 'kd+ab' has the teacher's answers in the second stage. Works on the hidden "
        "layers of an mlp, too.",
    .needs = RTI_NEEDS_FEATURES,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = ab_check,
    .contract = ab_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_STAGES_BEFORE,
    .first_stage_epochs = rti_first_stage_epochs,
    .init = ab_init,
    .loss = ab_loss,
    .deinit = ab_deinit,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, ab)
