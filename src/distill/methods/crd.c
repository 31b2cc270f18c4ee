/* crd.c - contrastive representation distillation.                     Floor 7 (distill)
 *
 * e_s, e_t: linear embeddings of the two features, scaled to length 1. Two banks remember an embedding of
 * every example of the transfer set, one of each network. The student's embedding of example i is to be
 * near the teacher's memory of i and far from its memory of others, and the other way round. With x the
 * product of an embedding and a remembered one, T the temperature, m negatives, n examples, P = exp(x/T) /
 * Z, c = m/n:
 *
 *     term = -1/N sum ( log P_0/(P_0 + c) + sum_k log c/(P_k + c) )       noise-contrastive estimation
 *          =  1/N sum ( softplus(-u_0) + sum_k softplus(u_k) ),  u = x/T - log Z - log c
 *
 * 0 the positive, k = 1 ... m the negatives; summed over both directions. The second line is how it is
 * computed: it cannot overflow. Z = n mean exp(x/T) is taken from the first batch and kept. After each
 * step the banks' rows of the batch become momentum m + (1 - momentum) e, scaled to length 1.
 *
 * Negatives are drawn from the stream (seed, "crd.negatives", epoch, step), so a training that goes on from a
 * checkpoint sees the same ones; banks and Z are in the checkpoint. */
#include <math.h>
#include <string.h>

#include "distill/adapters.h"
#include "distill/relations.h"
#include "retort/alloc.h"
#include "retort/log.h"
#include "retort/ops.h"

#define EPSILON 1e-12

static const rt_param rows[] = {
    RTI_HARD_WEIGHT_ROW,
    RT_PARAM_REAL_ROW("weight", 0.8, 0, 1e9, "", "of the contrast, both directions together"),
    RT_PARAM_INT_ROW("embedding", 128, 1, 4096, "", "width of the two embeddings"),
    RT_PARAM_INT_ROW("n_neg", 16384, 1, 1e9, "",
                     "negatives of each example; less when there are not so many"),
    RT_PARAM_REAL_ROW("temperature", 0.07, 1e-3, 100, "", "of the products"),
    RT_PARAM_REAL_ROW("momentum", 0.5, 0, 1, "", "of the banks: the part of the old row"),
    RT_PARAM_CHOICE_ROW("negatives", "other-class", "other-class|others|any",
                        "who may be one: other classes, all but the example itself, or all, itself included"),
};

enum { STUDENT, TEACHER };

typedef struct crd {
    rt_model *embedding[2]; /* the driver's */
    rt_tensor *bank[2];     /* (n, D) */
    double log_Z[2];        /* of the student's and the teacher's embeddings as anchors */
    int64_t has_Z[2];       /* a batch has been seen */
    int64_t n, D, negatives;
    double momentum;
    bool repeats; /* drawn with replacement, from all */
    uint64_t seed;
    const int32_t *labels;      /* of the transfer set; NULL: classes do not matter */
    int32_t *by_class;          /* (n) positions, class after class */
    int64_t *class_begin;       /* (classes + 1) */
    int32_t *place, *exchanged; /* (n) 0, 1, 2 ... between draws; (negatives) */
    rt_tensor *embedded[2];     /* of this step, until step_end */
} crd;

/* ---- making ---- */

static void crd_deinit(void *state) {
    crd *own = state;
    for (int side = 0; side < 2; side++) rt_tensor_free(own->bank[side]);
    rt_free(own->by_class);
    rt_free(own->class_begin);
    rt_free(own->place);
    rt_free(own->exchanged);
    rt_free(own);
}

/* Positions in the order of their classes, each class's in ascending order; the size of the largest class. */
static int64_t sort_by_class(crd *own, int64_t classes) {
    int64_t largest = 0;
    for (int64_t i = 0; i < own->n; i++) own->class_begin[own->labels[i] + 1]++;
    for (int64_t k = 0; k < classes; k++) {
        if (own->class_begin[k + 1] > largest) largest = own->class_begin[k + 1];
        own->class_begin[k + 1] += own->class_begin[k];
    }
    for (int64_t i = 0; i < own->n; i++) own->by_class[own->class_begin[own->labels[i]]++] = (int32_t)i;
    for (int64_t k = classes; k > 0; k--)
        own->class_begin[k] = own->class_begin[k - 1]; /* moved by their sizes */
    own->class_begin[0] = 0;
    return largest;
}

static bool draw_bank(const crd *own, rt_tensor **bank, const char *stream, rt_error *error) {
    *bank = rt_tensor_new(RT_DTYPE_REAL, 2, (const int64_t[]){own->n, own->D}, error);
    if (!*bank) return false;
    rt_rng rng = rt_rng_stream(own->seed, stream, 0, 0);
    double reach = 1 / sqrt((double)own->D / 3);
    for (int64_t i = 0; i < own->n * own->D; i++)
        rt_real_data(*bank)[i] = (rt_real)(reach * (2 * rt_rng_uniform(&rng) - 1));
    return true;
}

static rt_status reserve(crd *own, int64_t classes, rt_error *error) {
    size_t n = (size_t)own->n;
    own->place = rt_alloc(n * sizeof *own->place);
    own->exchanged = rt_alloc(n * sizeof *own->exchanged);
    own->by_class = rt_alloc(n * sizeof *own->by_class);
    own->class_begin = rt_alloc_zero((size_t)classes + 1, sizeof *own->class_begin);
    if (!own->place || !own->exchanged || !own->by_class || !own->class_begin ||
        !draw_bank(own, &own->bank[STUDENT], "crd.bank.student", error) ||
        !draw_bank(own, &own->bank[TEACHER], "crd.bank.teacher", error))
        return rt_fail(error, RT_MEMORY, "no memory for the two banks of crd, %lld rows of %lld numbers",
                       (long long)own->n, (long long)own->D);
    for (int64_t i = 0; i < own->n; i++) own->place[i] = (int32_t)i;
    return RT_OK;
}

/* How many negatives an example can have at most. */
static rt_status limit_negatives(crd *own, const rt_params *options, int64_t classes, rt_error *error) {
    const char *who = rt_params_text(options, "negatives");
    int64_t wanted = rt_params_int(options, "n_neg"), most = own->n;
    own->repeats = strcmp(who, "any") == 0;
    if (strcmp(who, "other-class") == 0)
        most -= sort_by_class(own, classes);
    else
        own->labels = NULL;
    if (strcmp(who, "others") == 0) most--;
    if (most < 1)
        return rt_fail(error, RT_UNSUPPORTED,
                       "method crd contrasts an example with others, and the transfer set has none of %s; "
                       "negatives = \"any\" draws from all, sp, pkt and rkd need none",
                       own->labels ? "another class for each" : "them");
    own->negatives = wanted < most ? wanted : most;
    if (wanted > most)
        rt_say(RT_LOG_INFO, "crd: %lld negatives instead of %lld, the transfer set has no more (%s)",
               (long long)most, (long long)wanted, who);
    return RT_OK;
}

static rt_status crd_init(void **state, const rti_method_setup *setup, rt_error *error) {
    const rt_distiller_config *c = setup->config;
    RT_TRY(rti_one_pair_check(setup, "crd", error));
    if (c->augment.mixup > 0)
        return rt_fail(error, RT_UNSUPPORTED,
                       "method crd knows examples by their number, and mixup makes one of two; use it "
                       "without, or take sp, pkt, rkd");
    crd *own = *state = rt_alloc_zero(1, sizeof *own);
    if (!own) return rt_fail(error, RT_MEMORY, "no memory for the state of crd");
    own->n = c->transfer->count, own->labels = c->transfer->labels;
    own->D = rt_params_int(setup->options, "embedding");
    own->momentum = rt_params_real(setup->options, "momentum");
    own->seed = c->seed;
    RT_TRY(reserve(own, setup->classes, error));
    RT_TRY(limit_negatives(own, setup->options, setup->classes, error));
    RT_TRY(
        rti_embedding_new(setup, "crd.student", &setup->student[0], own->D, &own->embedding[STUDENT], error));
    return rti_embedding_new(setup, "crd.teacher", &setup->teacher[0], own->D, &own->embedding[TEACHER],
                             error);
}

/* ---- negatives ---- */

static void exchange(int32_t *list, int64_t a, int64_t b) {
    int32_t kept = list[a];
    list[a] = list[b], list[b] = kept;
}

/* Without repetition: the first steps of a shuffle of all candidates, which is then undone, so that the next
 * draw does not depend on this one. Candidates are all positions but a block, of the example's class or
 * itself. */
static void draw_negatives(crd *own, rt_rng *rng, int32_t positive, int32_t *out) {
    int64_t begin = positive, size = 1;
    if (own->repeats) {
        for (int64_t k = 0; k < own->negatives; k++) out[k] = (int32_t)rt_rng_below(rng, (uint32_t)own->n);
        return;
    }
    if (own->labels) {
        int32_t class = own->labels[positive];
        begin = own->class_begin[class], size = own->class_begin[class + 1] - begin;
    }
    int64_t candidates = own->n - size;
    for (int64_t k = 0; k < own->negatives; k++) {
        int64_t j = k + rt_rng_below(rng, (uint32_t)(candidates - k));
        exchange(own->place, k, j);
        own->exchanged[k] = (int32_t)j;
        int64_t at = own->place[k] < begin ? own->place[k] : own->place[k] + size;
        out[k] = own->labels ? own->by_class[at] : (int32_t)at;
    }
    for (int64_t k = own->negatives - 1; k >= 0; k--) exchange(own->place, k, own->exchanged[k]);
}

/* (N (1 + m)): each example's positive, then its negatives. */
static rt_tensor *draw_index(crd *own, const rti_method_input *in) {
    int64_t N = in->student_feature[0]->shape[0], count = 1 + own->negatives;
    rt_tensor *index = rt_graph_tensor(in->graph, RT_DTYPE_I32, 1, (const int64_t[]){N * count});
    if (!index) return NULL;
    rt_rng rng = rt_rng_stream(own->seed, "crd.negatives", (uint64_t)in->epoch, (uint64_t)in->step);
    for (int64_t i = 0; i < N; i++) {
        int32_t *row = rt_i32_data(index) + i * count;
        row[0] = in->index[i];
        draw_negatives(own, &rng, in->index[i], row + 1);
    }
    return index;
}

/* ---- the loss ---- */

/* log(n mean exp(x/T)). */
static double log_normaliser(const crd *own, const rt_tensor *products, double T) {
    const rt_real *x = rt_real_data(products);
    int64_t count = rt_tensor_count(products);
    double top = -INFINITY, total = 0;
    for (int64_t i = 0; i < count; i++)
        if ((double)x[i] / T > top) top = (double)x[i] / T;
    for (int64_t i = 0; i < count; i++) total += exp((double)x[i] / T - top);
    return top + log(total / (double)count * (double)own->n);
}

/* The embeddings of one network against the memory of the other. */
static rt_tensor *direction(crd *own, const rti_method_input *in, double T, rt_tensor *index, int anchor) {
    rt_graph *g = in->graph;
    rt_tensor *x = rt_bank_products(g, own->embedded[anchor], own->bank[1 - anchor], index);
    if (!x) return NULL;
    if (!own->has_Z[anchor]) own->log_Z[anchor] = log_normaliser(own, x, T);
    own->has_Z[anchor] = true;
    double shift = own->log_Z[anchor] + log((double)own->negatives / (double)own->n);
    rt_tensor *u = rt_add_scalar(g, rt_scale(g, x, 1 / T), -shift);
    rt_tensor *positives = rt_sum(g, rt_slice(g, u, 1, 0, 1), RT_ALL_AXES);
    rt_tensor *all = rt_sum(g, rt_softplus(g, u), RT_ALL_AXES); /* softplus(-u) = softplus(u) - u */
    return rt_scale(g, rt_sub(g, all, positives), 1 / (double)x->shape[0]);
}

static rt_tensor *contrast(crd *own, const rt_params *options, const rti_method_input *in) {
    rt_graph *g = in->graph;
    double T = rt_params_real(options, "temperature");
    rt_tensor *feature[] = {in->student_feature[0], in->teacher_feature[0]}, *index = draw_index(own, in);
    for (int side = 0; side < 2; side++)
        own->embedded[side] = rt_l2_normalize(g, rt_model_forward(own->embedding[side], g, feature[side]), 1,
                                              EPSILON);
    rt_tensor *student = direction(own, in, T, index, STUDENT);
    return rt_add(g, student, direction(own, in, T, index, TEACHER));
}

static void crd_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    rti_labels(out, in, rt_params_real(options, "hard_weight"));
    RTI_TERM(out, "crd", rt_params_real(options, "weight"), contrast(state, options, in));
}

/* ---- the banks ---- */

static void remember(const crd *own, const rt_real *embedded, rt_real *row) {
    double squares = 0;
    for (int64_t d = 0; d < own->D; d++) {
        row[d] = (rt_real)(own->momentum * (double)row[d] + (1 - own->momentum) * (double)embedded[d]);
        squares += (double)row[d] * (double)row[d];
    }
    for (int64_t d = 0; d < own->D && squares > 0; d++) row[d] = (rt_real)((double)row[d] / sqrt(squares));
}

static void crd_step_end(void *state, const rti_method_input *in) {
    crd *own = state;
    for (int side = 0; side < 2; side++) {
        const rt_tensor *e = own->embedded[side];
        for (int64_t i = 0; e && i < e->shape[0]; i++)
            remember(own, rt_real_data(e) + i * own->D,
                     rt_real_data(own->bank[side]) + in->index[i] * own->D);
        own->embedded[side] = NULL;
    }
}

/* ---- checkpoints: sizes, Z, the two banks ---- */

typedef struct crd_header {
    int64_t n, D, negatives, has_Z[2];
    double log_Z[2];
} crd_header;

static size_t bank_bytes(const crd *own) { return (size_t)(own->n * own->D) * sizeof(rt_real); }

static rt_status crd_save(const void *state, void **bytes, size_t *count, rt_error *error) {
    const crd *own = state;
    *count = sizeof(crd_header) + 2 * bank_bytes(own);
    char *to = *bytes = rt_alloc(*count);
    if (!to) return rt_fail(error, RT_MEMORY, "no memory to save the banks of crd, %zu bytes", *count);
    const crd_header header = {.n = own->n,
                               .D = own->D,
                               .negatives = own->negatives,
                               .has_Z = {own->has_Z[STUDENT], own->has_Z[TEACHER]},
                               .log_Z = {own->log_Z[STUDENT], own->log_Z[TEACHER]}};
    memcpy(to, &header, sizeof header);
    for (int side = 0; side < 2; side++)
        memcpy(to + sizeof header + (size_t)side * bank_bytes(own), own->bank[side]->data, bank_bytes(own));
    return RT_OK;
}

static rt_status crd_load(void *state, const void *bytes, size_t count, rt_error *error) {
    crd *own = state;
    crd_header header = {0};
    if (count >= sizeof header) memcpy(&header, bytes, sizeof header);
    if (count != sizeof header + 2 * bank_bytes(own) || header.n != own->n || header.D != own->D ||
        header.negatives != own->negatives)
        return rt_fail(error, RT_FORMAT,
                       "the checkpoint's banks are not those of %lld examples with %lld numbers",
                       (long long)own->n, (long long)own->D);
    const char *from = (const char *)bytes + sizeof header;
    for (int side = 0; side < 2; side++) {
        own->has_Z[side] = header.has_Z[side], own->log_Z[side] = header.log_Z[side];
        own->embedded[side] = NULL;
        memcpy(own->bank[side]->data, from + (size_t)side * bank_bytes(own), bank_bytes(own));
    }
    return RT_OK;
}

/* ---- the contract ---- */

static void crd_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    double weight = rt_params_real(options, "weight"), hard = rt_params_real(options, "hard_weight");
    const char *who = rt_params_text(options, "negatives");
    rti_write(&w, "L = %g CE(y, softmax(z)) + %g * -1/N sum (log P_0/(P_0 + c) + sum_k log c/(P_k + c))\n",
              hard, weight);
    rti_write(&w,
              "P = exp(e . memory / %g) / Z, c = m/n, m negatives of n examples; Z from the first "
              "batch, kept\n",
              rt_params_real(options, "temperature"));
    rti_write(&w, "directions: both added, the student's embedding against the teacher's bank and the "
                  "reverse\n");
    rti_write(&w, "embeddings: linear, %lld numbers, scaled to length 1, trained on both sides\n",
              (long long)rt_params_int(options, "embedding"));
    rti_write(&w, "negatives: at most %lld for each example, %s, drawn from (seed, epoch, step)\n",
              (long long)rt_params_int(options, "n_neg"),
              who[0] == 'a'   ? "of all with repetition, its own memory included"
              : who[5] == '-' ? "of other classes, without repetition"
                              : "of all but itself, without repetition");
    rti_write(&w,
              "banks: two of n rows; after a step the batch's rows are %g old + %g new, scaled to "
              "length 1\n",
              rt_params_real(options, "momentum"), 1 - rt_params_real(options, "momentum"));
    rti_write(&w, "weights: %g on the labels, %g on the contrast; no KL\n", hard, weight);
    rti_write(&w, "reduction: sum over the negatives, mean over the batch\nstages: one layer, by itself "
                  "the penultimate");
}

static const rti_method_case cases[] = {
    {"weight 0 is cross-entropy", "weight=0", rti_labels_alone, true},
};

static const rti_preset presets[] = {
    {"repdistiller", "",
     "HobbitLong/RepDistiller, code of the paper: 128 numbers, 16384 negatives of other classes, T 0.07, "
     "momentum 0.5, weight 0.8; it adds 1e-7 to the denominators, which c >> 1e-7 swallows"},
    {"alias", "negatives=any",
     "the same memory without indices from the data set (its alias sampler): of all examples with "
     "repetition"},
    {"kd-zoo", "temperature=0.1", "AberHu/Knowledge-Distillation-Zoo: T 0.1, else as RepDistiller"},
};

const rti_method rti_method_crd = {
    .name = "crd",
    .title = "contrast: near the teacher's view of the same example, far from that of others",
    .source =
        "Tian, Krishnan, Isola 2020, arXiv 1910.10699, equations 17 and 18; memory: Wu et al. 2018, arXiv "
        "1805.01978",
    .formula =
        "L = CE(y, softmax(z)) + weight * -1/N sum (log P_0/(P_0 + c) + sum_k log c/(P_k + c)), both ways\n"
        "P = exp(e . memory / T) / Z, c = negatives / examples, e = linear embedding of length 1",
    .explanation =
        "Matching answers class by class ignores how the parts of a representation depend on each other. "
        "Crd asks for more: from the student's embedding it must be possible to tell the teacher's "
        "embedding of the same image from those of thousands of other images, which bounds the mutual "
        "information of the two from below. To have so many at hand, two banks remember an embedding of "
        "every training example, and are updated when it comes by. It was the strongest feature method "
        "when it appeared, alone or beside kd ('kd+crd'). It costs two rows of 128 numbers for each "
        "example and two products of each example with all of its negatives in every step: on small "
        "machines n_neg = 1024 is usual. Needs stable numbers of the examples, so it does not go with mixup.",
    .needs = RTI_NEEDS_FEATURES | RTI_NEEDS_INDEX,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = rti_weights_check,
    .contract = crd_contract,
    .is_labels_only = rti_weights_labels_only,
    .taps = RTI_TAPS_PENULTIMATE,
    .init = crd_init,
    .loss = crd_loss,
    .step_end = crd_step_end,
    .save = crd_save,
    .load = crd_load,
    .deinit = crd_deinit,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, crd)
