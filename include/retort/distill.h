/* distill.h - teachers, methods, the driver, evaluation.               Floor 7 (distill)
 *
 * retort's convention, printed and recorded with every run:
 *
 *   L = (1 - alpha) CE(y, softmax(z_s)) + alpha T^2 KL( softmax(z_t/T) || softmax(z_s/T) )
 *
 * summed over classes, mean over the batch; alpha = 0 is exactly cross-entropy, alpha = 1 exactly
 * distillation. z_t teacher logits, z_s student logits, both (N, K).
 *
 * A method is one file in src/distill/methods/ (see src/distill/method.h); the driver does the
 * rest: teacher pass or soft-target cache, student graph, loss terms, gradients, optimiser. */
#ifndef RETORT_DISTILL_H
#define RETORT_DISTILL_H

#include "retort/data.h"
#include "retort/nn.h"
#include "retort/optim.h"

/* ---- teachers ---- */

typedef enum rt_combine {
    RT_COMBINE_LOGITS,        /* mean of the members' logits */
    RT_COMBINE_PROBABILITIES, /* T log( mean of softmax(v_m / T) ) */
    RT_COMBINE_GEOMETRIC      /* T (mean of log softmax(v_m / T)): same softmax as the mean logits */
} rt_combine;

typedef struct rt_teacher rt_teacher;

/* One network or several that answer together. Borrows the models, freezes them and keeps them in
 * evaluation mode. All need the same number of classes. */
rt_teacher *rt_teacher_new(rt_model *const members[], int count, rt_combine combine, rt_error *error) RT_MUST_CHECK;
void rt_teacher_free(rt_teacher *teacher);
/* (N, K) logits v with softmax(v/T) = what the teacher says at T; no gradient. */
rt_tensor *rt_teacher_logits(rt_teacher *teacher, rt_graph *graph, rt_tensor *x, double T);
void rt_teacher_hash(const rt_teacher *teacher, char text[33]);
int64_t rt_teacher_classes(const rt_teacher *teacher);

/* ---- methods ---- */

const char *const *rt_method_names(int *count);
const rt_param *rt_method_rows(const char *method, int *count); /* NULL: no such method */
const char *rt_method_title(const char *method);
const char *rt_method_source(const char *method);
bool rt_method_needs_teacher(const char *method);
/* The loss contract in words and numbers for these options, several lines, into a buffer. */
void rt_method_contract(const char *method, const rt_params *options, char *buffer, size_t size);
/* True when these options make the loss exactly the labels' cross-entropy (alpha = 0). */
bool rt_method_is_labels_only(const char *method, const rt_params *options);

/* Presets: what others publish as KD. Values for a method's options, by name. */
const char *const *rt_preset_names(const char *method, int *count);
rt_status rt_preset_apply(const char *method, const char *preset, rt_params *options, rt_error *error) RT_MUST_CHECK;

/* ---- the driver ---- */

#define RT_TERMS_MAX 8

typedef struct rt_epoch_report {
    int64_t epoch;               /* 0, 1, ... */
    double loss;                 /* mean over the examples of the epoch */
    int terms;
    struct { char name[32]; double weight; double value; } term[RT_TERMS_MAX]; /* means, unweighted */
    double accuracy;             /* of the student on the batches as it saw them */
    double lr, momentum;         /* at the last step */
} rt_epoch_report;

/* Called after each step; false stops the epoch with RT_STOPPED. */
typedef bool rt_step_function(void *context, int64_t epoch, int64_t step, int64_t steps);

typedef struct rt_distiller_config {
    rt_model *student;           /* borrowed */
    rt_teacher *teacher;         /* borrowed; NULL when the method needs none */
    const char *method;          /* "none", "kd", ... */
    const rt_params *options;    /* of the method; copied */
    const rt_part *transfer;     /* what the student sees; borrowed */
    const char *transfer_hash;   /* content hash of the data, for the cache's key */
    int64_t batch;
    rt_augment augment;
    uint64_t seed;               /* order, dropout, augmentation */
    int64_t epochs;
    const rt_params *training;   /* holds the optimiser's rows, below `prefix` */
    const char *prefix;          /* "optimizer." */
    const char *cache_directory; /* soft targets are kept there for others; NULL: in memory only */
    rt_step_function *on_step;   /* may be NULL */
    void *on_step_context;
} rt_distiller_config;

typedef struct rt_distiller rt_distiller;

rt_distiller *rt_distiller_new(const rt_distiller_config *config, rt_error *error) RT_MUST_CHECK;
void rt_distiller_free(rt_distiller *distiller);

/* The next epoch. RT_NOT_FINITE names epoch, step and the term that went wrong; RT_STOPPED leaves
 * the distiller in the middle of an epoch: restore a checkpoint or free it. */
rt_status rt_distiller_epoch(rt_distiller *distiller, rt_epoch_report *report, rt_error *error) RT_MUST_CHECK;
int64_t rt_distiller_epochs_done(const rt_distiller *distiller);

/* Everything needed to go on bit-exactly after the last whole epoch: weights, optimiser, method.
 * The bytes are released with rt_free. _restore checks that they fit. */
rt_status rt_distiller_save(const rt_distiller *distiller, void **bytes, size_t *count, rt_error *error) RT_MUST_CHECK;
rt_status rt_distiller_restore(rt_distiller *distiller, const void *bytes, size_t count, rt_error *error) RT_MUST_CHECK;

/* ---- evaluation ---- */

typedef struct rt_quality {
    int64_t examples;
    int64_t errors;
    double accuracy;       /* 0 ... 1 */
    double nll;            /* mean of -log p(y), nats */
    double brier;          /* mean over examples of sum_k (p_k - [k = y])^2 */
    double ece;            /* expected calibration error, 15 equal-width bins, 0 ... 1 */
    bool has_teacher;
    double agreement;      /* part of the examples with the teacher's top class */
    double teacher_kl;     /* mean KL(teacher || student) at T = 1, nats */
} rt_quality;

/* Of `model` on `part`, in evaluation mode, no augmentation. teacher may be NULL. predictions (may
 * be NULL) receives part->count top classes. Leaves the model in evaluation mode. */
rt_status rt_evaluate(rt_model *model, rt_teacher *teacher, const rt_part *part, rt_quality *quality,
                      uint8_t *predictions, rt_error *error) RT_MUST_CHECK;

#endif
