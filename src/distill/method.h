/* method.h - one distillation method, one file.                        Floor 7 (distill)
 *
 * A method is a descriptor `rti_method_<name>` in src/distill/methods/<name>.c and the line
 * RTI_REGISTER(method, <name>) (dashes written as underscores). Dropping the file in is all: it
 * then appears in `retort list methods`, `retort help`, spec validation, sweeps and the contract
 * tests. An implementer needs only this header and ops.h. */
#ifndef RTI_METHOD_H
#define RTI_METHOD_H

#include "graph/op.h"
#include "retort/distill.h"

#define RTI_NEEDS_TEACHER_LOGITS 1u
#define RTI_NEEDS_FEATURES 2u        /* taps on teacher and student */
#define RTI_NEEDS_INDEX 4u           /* stable positions of the examples */
#define RTI_LABELS_ALONE 8u          /* no teacher: the labels are all, so in a sum it stands first */

/* ---- features ----
 *
 * A method that needs features says which ones it takes when the spec does not name taps; the driver
 * finds them on both networks, pairs them, keeps them and hands them over. When the networks have
 * different numbers of stages, the last ones are paired. */
typedef enum rti_taps {
    RTI_TAPS_STAGES,        /* end of each stage, after its activation; hidden layers of an mlp */
    RTI_TAPS_STAGES_BEFORE, /* the same ahead of the activation (AB, OFD) */
    RTI_TAPS_STEM_STAGES,   /* stem and stages (FSP) */
    RTI_TAPS_MIDDLE_STAGE,  /* one in the middle: stage ceil(n/2) (FitNets) */
    RTI_TAPS_LAST_STAGE,    /* the last map (SP, NST, FT, MGD) */
    RTI_TAPS_PENULTIMATE    /* what the classifier sees, (N, D) (RKD, PKT, CC, CRD) */
} rti_taps;

#define RTI_PAIRS_MAX 8

typedef struct rti_feature {
    const char *tap;             /* "stage2" */
    int ndim;                    /* of one example: 3 for a map {H, W, C}, 1 for {D} */
    int64_t shape[RT_MAX_DIMS];
} rti_feature;

/* Small networks of the method's own: regressors, embeddings, peers (adapters.h). They are trained with
 * the student, saved in its checkpoints, and are no part of it. */
typedef struct rti_adapters rti_adapters;

/* What a method knows before training. All borrowed; config and options outlive the method's state. */
typedef struct rti_method_setup {
    const rt_distiller_config *config; /* student, teacher, transfer set, seed */
    const rt_params *options;
    int64_t classes;
    int pairs;                         /* 0 when no features are needed */
    const rti_feature *student, *teacher;
    rti_adapters *adapters;
} rti_method_setup;

/* What a method is given in each step. All borrowed for the step. */
typedef struct rti_method_input {
    rt_graph *graph;
    rt_tensor *x;                /* (N, shape...); to be read by ops and rti_contiguous: its numbers may be
                                  * made only then (notes.h) */
    rt_tensor *y;                /* (N) I32 */
    rt_tensor *y2;               /* with mixup the partners' labels (N), else NULL; rti_labels knows */
    double lambda;               /* the share of y; 1 without mixup */
    rt_tensor *z;                /* student logits (N, K) */
    rt_tensor *v;                /* teacher logits (N, K), no gradient, combined at the temperature that
                                  * .temperature gave; NULL when the method's loss is the labels' alone */
    int pairs;
    rt_tensor *const *student_feature; /* [pairs] (N, H, W, C) or (N, D), on the tape */
    rt_tensor *const *teacher_feature; /* [pairs], no gradient */
    rt_model *student;
    rt_teacher *teacher;
    const int32_t *index;        /* (N) positions in the transfer set */
    int64_t epoch, epochs, step; /* counted from 0; of the whole training, both stages */
    int64_t steps;               /* in an epoch */
    bool first_stage;            /* the method has two stages and this is the first */
    bool labels_are_counted;     /* in a sum of methods another part brings the labels: rti_labels knows */
} rti_method_input;

/* L = sum of weight * value. A term of weight 0 must not be computed (0 x inf is NaN). */
typedef struct rti_term {
    const char *name;            /* "ce", "kd" */
    double weight;
    rt_tensor *value;            /* one element */
} rti_term;

typedef struct rti_terms {
    int count;
    rti_term term[RT_TERMS_MAX];
} rti_terms;

/* A limit that must hold, checked by the contract tests for the registered method. */
typedef struct rti_method_case {
    const char *name;                        /* "alpha 0 is cross-entropy" */
    const char *settings;                    /* "alpha=0 temperature=4" */
    /* The loss that must come out for student z, teacher v, labels y; computed another way. */
    rt_tensor *(*expected)(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y);
    bool bitwise;                            /* same bits, else 1e-5 relative (1e-10 in double) */
} rti_method_case;

/* Values for a method's options; those it does not name keep their defaults. */
typedef struct rti_preset {
    const char *name;                        /* "repdistiller" */
    const char *settings;                    /* "hard_weight=0.1 soft_weight=0.9 temperature=4" */
    const char *source;                      /* who publishes it, and what to know about it */
} rti_preset;

typedef struct rti_method {
    const char *name;                        /* as users write it: "logit-mse" */
    const char *title;                       /* one line */
    const char *source;                      /* paper and equation */
    const char *formula;                     /* ASCII, may have several lines */
    const char *explanation;                 /* one paragraph for `retort help`: the idea, when it helps */
    unsigned needs;
    const rt_param *rows;                    /* typed options; may be NULL when row_count is 0 */
    int row_count;
    const rti_preset *presets;
    int preset_count;

    /* Are the options right for this problem? NULL: always. */
    rt_status (*check)(const rt_params *options, int64_t classes, rt_error *error);
    /* The contract in words and numbers: KL direction, T^2, reduction, what alpha multiplies, how
     * stages are combined. Required. */
    void (*contract)(const rt_params *options, char *buffer, size_t size);
    /* Options for which the loss is exactly cross-entropy with the labels. NULL: never. */
    bool (*is_labels_only)(const rt_params *options);
    /* The temperature at which ensemble members' answers are combined. NULL: 1. */
    double (*temperature)(const rt_params *options);
    rti_taps taps;                           /* with RTI_NEEDS_FEATURES */
    /* Two stages: how many of the `epochs` belong to the first, 0 ... epochs - 1. The optimiser and its
     * schedule begin anew with the second. NULL: one stage. */
    int64_t (*first_stage_epochs)(const rt_params *options, int64_t epochs);
    /* Checks the features' shapes (RT_UNSUPPORTED: the reason, and what works instead), makes adapters
     * and the method's own state (may stay NULL). NULL: nothing to do. */
    rt_status (*init)(void **state, const rti_method_setup *setup, rt_error *error);
    /* This step's terms. Required. Failures stick to the graph. */
    void (*loss)(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out);
    /* Called at the start of each epoch and after each optimiser step; NULL: nothing to do. */
    void (*epoch_begin)(void *state, int64_t epoch);
    void (*step_end)(void *state, const rti_method_input *in);
    /* State for a checkpoint: append to / read from bytes. NULL: stateless. */
    rt_status (*save)(const void *state, void **bytes, size_t *count, rt_error *error);
    rt_status (*load)(void *state, const void *bytes, size_t count, rt_error *error);
    void (*deinit)(void *state);

    const rti_method_case *cases;
    int case_count;
} rti_method;

extern const rti_method *const rti_all_methods[]; /* alphabetical, NULL-terminated */
const rti_method *rti_method_find(const char *name); /* NULL when there is none */

/* Adds a term to the list, unless its weight is 0: `expression` is evaluated only then. */
#define RTI_TERM(terms, label, factor, expression)                                              \
    do {                                                                                        \
        double rti_term_weight_ = (factor);                                                     \
        if (rti_term_weight_ != 0) rti_term_add(terms, label, rti_term_weight_, (expression));  \
    } while (0)
void rti_term_add(rti_terms *terms, const char *name, double weight, rt_tensor *value);

/* CE(y, z); with mixup lambda CE(y, z) + (1 - lambda) CE(y2, z). */
rt_tensor *rti_cross_entropy(const rti_method_input *in);

/* The limit of most methods, for their cases: {"weight 0 is cross-entropy", "weight=0", rti_labels_alone,
 * true}. */
rt_tensor *rti_labels_alone(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y);

/* The term "ce": weight times cross-entropy with the labels. Every method adds its labels with this, so
 * that in a sum of methods ("kd+at") only the first part's count. */
void rti_labels(rti_terms *terms, const rti_method_input *in, double weight);

/* The row that feature methods share: L = hard_weight CE + ... */
#define RTI_HARD_WEIGHT_ROW \
    RT_PARAM_REAL_ROW("hard_weight", 1, 0, 1e6, "", "of the labels' cross-entropy")

/* sum of weight * value; a weight of 1 multiplies nothing, so that a single term is its own bits. */
rt_tensor *rti_terms_total(rt_graph *g, const rti_terms *terms);

/* Puts "text" and more of it into a buffer; used to write contracts. */
typedef struct rti_writer {
    char *at;
    size_t left;
} rti_writer;
void rti_write(rti_writer *writer, const char *format, ...) RT_PRINTF(2, 3);

#endif
