/* dml.c - deep mutual learning: a cohort of students without a teacher.  Floor 7 (distill)
 *
 *     L_i = CE(y, p_i) + weight c sum_{j != i} T^2 KL( p_j || p_i ),   p_i = softmax(z_i/T)
 *
 * for every student i, all trained at once; c is 1 (the paper's sum) or 1/(n - 1). A student is a constant to
 * the others, as in the paper's alternating updates. The first is the student that is kept; the others, its
 * peers, are networks of the same kind with initial weights of their own, and stay with the adapters. */
#include <string.h>

#include "core/hash.h"
#include "distill/adapters.h"
#include "retort/alloc.h"
#include "retort/ops.h"

enum { PEERS_MAX = 8 };

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 1, 0, 1e6, "", "of the divergences; T^2 comes on top"),
    RT_PARAM_REAL_ROW("temperature", 1, 0.01, 1000, "", "softens all students' answers"),
    RT_PARAM_INT_ROW("peers", 1, 1, PEERS_MAX, "networks", "students beside the one that is kept"),
    RT_PARAM_CHOICE_ROW("average", "sum", "sum|mean", "over the other students"),
};

static const rti_preset presets[] = {
    {"paper", "peers=1 temperature=1 average=sum", "the paper and its code: the sum over the others, T 1"},
    {"kd-zoo", "peers=1 temperature=1 weight=1", "AberHu/Knowledge-Distillation-Zoo: two nets, detached"},
};

typedef struct cohort {
    int count;
    rt_model *peer[PEERS_MAX]; /* of the adapters */
} cohort;

static rt_status dml_check(const rt_params *options, int64_t classes, rt_error *error) {
    (void)classes;
    if (rt_params_real(options, "hard_weight") > 0) return RT_OK;
    return rt_fail(
        error, RT_SPEC,
        "dml: with hard_weight = 0 nobody in the cohort sees a label, and students can only agree; "
        "hard_weight must be above 0");
}

static rt_status dml_init(void **state, const rti_method_setup *setup, rt_error *error) {
    cohort *c = rt_alloc_zero(1, sizeof *c);
    if (!c) return rt_fail(error, RT_MEMORY, "no memory for a cohort");
    *state = c;
    int count = (int)rt_params_int(setup->options, "peers");
    for (int i = 0; i < count; i++) {
        uint64_t seed[2];
        rti_hash hash;
        rti_hash_init(&hash, setup->config->seed);
        rti_hash_add_text(&hash, "peer");
        rti_hash_add(&hash, &i, sizeof i);
        rti_hash_finish(&hash, seed);
        rt_model *peer = rt_model_new_like(setup->config->student, seed[0], error);
        if (!peer) return RT_MEMORY;
        RT_TRY(rti_adapter_take(setup, peer, error));
        c->peer[c->count++] = peer;
    }
    return RT_OK;
}

static void dml_deinit(void *state) { rt_free(state); }

/* sum over i != of KL( p_i || p_of ). */
static rt_tensor *from_others(rt_graph *g, rt_tensor *const z[], int count, int of, double T) {
    rt_tensor *sum = NULL;
    for (int i = 0; i < count; i++) {
        if (i == of) continue;
        rt_tensor *one = rt_kl_divergence(g, rt_detach(g, z[i]), z[of], T);
        sum = sum ? rt_add(g, sum, one) : one;
    }
    return sum;
}

static void dml_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    const cohort *c = state;
    rt_graph *g = in->graph;
    double T = rt_params_real(options, "temperature"), weight = rt_params_real(options, "weight") * T * T,
           hard = rt_params_real(options, "hard_weight");
    int count = 1 + (c ? c->count : 0);
    if (rt_params_text(options, "average")[0] == 'm' && count > 2) weight /= count - 1;
    rti_labels(out, in, hard);
    if (count < 2) return;
    rt_tensor *z[1 + PEERS_MAX] = {in->z};
    for (int i = 1; i < count; i++) z[i] = rt_model_forward(c->peer[i - 1], g, in->x);
    RTI_TERM(out, "mutual", weight, from_others(g, z, count, 0, T));
    /* The peers' own losses, which are nothing to the student that is kept. */
    rt_tensor *theirs = NULL;
    for (int i = 1; i < count; i++) {
        rti_method_input peer = *in;
        peer.z = z[i];
        rt_tensor *own = rt_scale(g, rti_cross_entropy(&peer), hard);
        rt_tensor *all = weight != 0 ? rt_add(g, own, rt_scale(g, from_others(g, z, count, i, T), weight))
                                     : own;
        theirs = theirs ? rt_add(g, theirs, all) : all;
    }
    rti_term_add(out, "peers", 1, theirs);
}

static void dml_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double T = rt_params_real(options, "temperature"), weight = rt_params_real(options, "weight");
    int peers = (int)rt_params_int(options, "peers");
    rti_write(&w,
              "L = %g CE(y, softmax(z)) + %g * %g^2 %s over the %d others of KL(softmax(z_j/%g) || "
              "softmax(z/%g)); each "
              "peer has the same loss\n"
              "direction: KL(other || own), the other a constant\nT^2: in value and gradient\n"
              "the term \"peers\" is the sum of the peers' own losses and no part of the student's\n"
              "reduction: sum over classes, mean over the batch; no teacher\nstages: one",
              rt_params_real(options, "hard_weight"), weight, T,
              rt_params_text(options, "average")[0] == 'm' ? "mean" : "sum", peers, T, T);
}

/* ---- limits ---- */

static const rti_method_case cases[] = {
    {"without a cohort it is cross-entropy", "", rti_labels_alone, true},
};

const rti_method rti_method_dml = {
    .name = "dml",
    .title = "deep mutual learning: students that teach each other",
    .source = "Zhang, Xiang, Hospedales, Lu 2018, arXiv 1706.00384, equations 3 to 6",
    .formula =
        "L_i = hard_weight CE(y, z_i) + weight T^2 sum_{j != i} KL( softmax(z_j/T) || softmax(z_i/T) )",
    .explanation =
        "No teacher: students of the same kind, each with initial weights of its own, learn together from "
        "the labels and from each other's answers. They agree on what is easy and tell each other which "
        "second choices are plausible. It costs a training for every peer, and only one student is kept.",
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = dml_check,
    .init = dml_init,
    .deinit = dml_deinit,
    .contract = dml_contract,
    .loss = dml_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, dml)
