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

#define RT_TEACHER_MEMBERS_MAX 64

/* One network or several that answer together (Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section
 * 2: "averaging"; which average is not said there, and it matters). Borrows the models, freezes them
 * and keeps them in evaluation mode. A single member's logits are passed on as they are, whatever
 * the combination. NULL and *error: RT_VALUE (no member, too many), RT_SHAPE (members with different
 * numbers of classes), RT_MEMORY. */
rt_teacher *rt_teacher_new(rt_model *const members[], int count, rt_combine combine,
                           rt_error *error) RT_MUST_CHECK;
/* A teacher without a network: what any model whatsoever said of each of `examples`, one row of classes
 * numbers for each in their order, in an .npy file (float16, float32, float64) or a .csv (a first line
 * without a number is a heading). Probabilities must sum to 1 within 1e-3 and become log p, with
 * RT_PROBABILITY_FLOOR for a smaller p. `examples` must outlive the teacher. It answers by example: it says
 * the same of an example however it was shifted, knows no mixtures (mixup) and no hidden layers, has one
 * member, which is no network (rt_teacher_member), and is not asked with rt_teacher_logits. NULL and *error:
 * RT_SHAPE (numbers of rows or columns), RT_NOT_FINITE and RT_VALUE (with the row), RT_FORMAT,
 * RT_UNSUPPORTED, RT_IO, RT_NOT_FOUND, RT_MEMORY. */
typedef enum rt_answer_form { RT_ANSWERS_LOGITS, RT_ANSWERS_PROBABILITIES } rt_answer_form;
#define RT_PROBABILITY_FLOOR 1e-12
rt_teacher *rt_teacher_open(const char *path, rt_answer_form form, const rt_examples *examples,
                            rt_error *error) RT_MUST_CHECK;
/* Its answers to other examples, too, those of the test set: once. */
rt_status rt_teacher_open_more(rt_teacher *teacher, const char *path, rt_answer_form form,
                               const rt_examples *examples, rt_error *error) RT_MUST_CHECK;
bool rt_teacher_is_stored(const rt_teacher *teacher);
void rt_teacher_free(rt_teacher *teacher);
/* (N, K) logits v with softmax(v/T) = what the teacher says at T; no gradient. The members run in
 * evaluation mode. Logits of one example do not depend on the batch it stands in. NULL after a
 * failure that the graph remembers. */
rt_tensor *rt_teacher_logits(rt_teacher *teacher, rt_graph *graph, rt_tensor *x, double T);
/* 32 hexadecimal digits over the members' structures and weights, and how they are combined. */
void rt_teacher_hash(const rt_teacher *teacher, char text[33]);
int64_t rt_teacher_classes(const rt_teacher *teacher);
int rt_teacher_members(const rt_teacher *teacher);
rt_model *rt_teacher_member(const rt_teacher *teacher, int i); /* borrowed */

/* ---- methods ----
 *
 * Where a method's name is asked for, a sum of methods is one, too: "kd+at" adds their losses, labels
 * counted once. Its options are "kd.temperature", "at.weight". Lists, titles, formulas, sources and
 * presets are of single methods. */

const char *const *rt_method_names(int *count);
const rt_param *rt_method_rows(const char *method, int *count); /* NULL: no such method */
/* One line; paper and equation; the loss in ASCII, maybe several lines; a paragraph on the idea and when it
 * helps, one long line. NULL: no such method. */
const char *rt_method_title(const char *method);
const char *rt_method_source(const char *method);
const char *rt_method_formula(const char *method);
const char *rt_method_explanation(const char *method);
/* Does it have a use for a teacher at all? False for an unknown method. */
bool rt_method_needs_teacher(const char *method);
/* Are these options right for a problem with so many classes? RT_SPEC with a message. `options` holds
 * the method's rows, maybe among others. RT_NOT_FOUND for an unknown method names the nearest. */
rt_status rt_method_check(const char *method, const rt_params *options, int64_t classes,
                          rt_error *error) RT_MUST_CHECK;
/* The loss contract in words and numbers for these options, several lines, into a buffer of at least
 * RT_CONTRACT_BYTES: the direction of each KL, the factor T^2, the reduction, which term alpha
 * multiplies, the weights that come out, and how stages are combined. */
#define RT_CONTRACT_BYTES 2048
void rt_method_contract(const char *method, const rt_params *options, char *buffer, size_t size);
/* True when these options make the loss exactly the labels' cross-entropy (alpha = 0). */
bool rt_method_is_labels_only(const char *method, const rt_params *options);
/* The gradient of the whole loss with default options, through the student's network and all adapters, in
 * each stage of the method, against central differences: up to six elements of every parameter, of two
 * small networks on six made-up images. A cohort's students are constants to each other, so of its loss
 * only the part of the student that is kept is compared. RT_VALUE with a message that names parameter and
 * element when
 *     |analytic - numeric| / max(1, |analytic|, |numeric|) > tolerance
 * (<= 0: 1e-6 in double, 5e-2 in float); RT_NOT_FOUND: no such method; errors of rt_distiller_new. result->
 * worst_input counts parameters, the student's first. A sum of methods is allowed. */
rt_status rt_method_gradcheck(const char *method, double tolerance, rt_gradcheck_result *result,
                              rt_error *error) RT_MUST_CHECK;

/* Presets: what others publish under the same name. _names: NULL when there is no such method.
 * _source: who publishes it and what to know about it; _settings: "temperature=4 alpha=0.9". Both
 * NULL when there is no such preset. */
const char *const *rt_preset_names(const char *method, int *count);
const char *rt_preset_source(const char *method, const char *preset);
const char *rt_preset_settings(const char *method, const char *preset);
/* Sets the method's options to the preset's values, and to their defaults where it names none. What
 * somebody has set (options->given) is left alone, before and after: explicit settings win, whether
 * they come first or last, and another preset can be applied on top. RT_SPEC: no such method or
 * preset; the message names the nearest. */
rt_status rt_preset_apply(const char *method, const char *preset, rt_params *options,
                          rt_error *error) RT_MUST_CHECK;

/* ---- the driver ---- */

/* What a student is told in place of the teacher's answers: controls that show what a gain is made of
 * (src/distill/targets.h has the definitions). All but the first and the last are answers by example,
 * whatever augmentation shows the student of it. */
typedef enum rt_targets {
    RT_TARGETS_TEACHER,    /* the teacher's answers to what the student sees */
    RT_TARGETS_FIXED,      /* those to the example as it is in the set */
    RT_TARGETS_SHUFFLED,   /* those to another example of the same class */
    RT_TARGETS_PERMUTED,   /* with the wrong classes in a random order */
    RT_TARGETS_CLASS_MEAN, /* the mean logits of the class */
    RT_TARGETS_DROPOUT     /* of a teacher whose dropout was left on: the mistake, made on purpose */
} rt_targets;
#define RT_TARGETS_CHOICES "teacher|fixed|shuffled|permuted|class-mean|dropout"
rt_targets rt_targets_named(const char *word); /* one of the choices */
const char *rt_targets_name(rt_targets targets);

#define RT_TERMS_MAX 16

typedef struct rt_epoch_report {
    int64_t epoch;               /* 0, 1, ... */
    double loss;                 /* mean over the examples of the epoch */
    int terms;
    /* loss = sum of weight * value, both means over the examples; the value is without its weight. A
     * term of weight 0 is not computed and not listed. */
    struct {
        char name[32];
        double weight, value;
        double gradient;         /* length of weight times its gradient, over the student's parameters */
        double logit_gradient;   /* and over its logits; both in the first step of the epoch */
    } term[RT_TERMS_MAX];
    int stage;                   /* 1; 2 in the second stage of a method that has two */
    double accuracy;             /* of the student on the batches as it saw them */
    double lr, momentum;         /* at the last step */
} rt_epoch_report;

/* Called after each step; false stops the epoch with RT_STOPPED. */
typedef bool rt_step_function(void *context, int64_t epoch, int64_t step, int64_t steps);

typedef struct rt_distiller rt_distiller;

typedef struct rt_distiller_config {
    rt_model *student;           /* borrowed */
    rt_teacher *teacher;         /* borrowed; NULL when the method needs none */
    const char *method;          /* "none", "kd", "kd+at", ... */
    const rt_params *options;    /* of the method; copied */
    const rt_part *transfer;     /* what the student sees; borrowed */
    const char *transfer_hash;   /* rt_dataset_part_hash, for the identity of checkpoints; may be NULL */
    int64_t batch;
    rt_augment augment;
    rt_targets targets;          /* mostly RT_TARGETS_TEACHER */
    uint64_t seed;               /* order, dropout, augmentation, draws of `targets` */
    int64_t epochs;
    const rt_params *training;   /* holds the optimiser's rows, below `prefix` */
    const char *prefix;          /* "optimizer." */
    const char *cache_directory; /* soft targets are kept there for others; NULL: in memory only */
    int cache_threads;           /* that make them while other processes may wait; 0: those there are */
    bool (*cache_go_on)(void *); /* asked while they are made or waited for; false: RT_STOPPED. May be NULL */
    void *cache_context;
    rt_step_function *on_step;   /* may be NULL */
    void *on_step_context;
    /* Shares its batches, the teacher's answers to them and the memory of a step, to be trained together
     * (rt_distillers_epoch). It was made with the same transfer part, batch, augment, seed and teacher (but
     * any method, and any targets, only that both or neither are RT_TARGETS_DROPOUT), is itself beside nobody
     * or beside a third one, and is freed last. NULL: its own. */
    rt_distiller *beside;
} rt_distiller_config;

/* A training that stands before its first epoch. The teacher is asked for the soft targets of all
 * examples here, or they are read from the cache directory; with jitter it is asked in every step
 * instead, about the same shifted images as the student. A stored teacher's answers are those in its file,
 * whatever the student sees of an example. When the options give the teacher's term the
 * weight 0 it is not asked at all and may be NULL.
 * NULL and *error: RT_SPEC (no such method, options that are not right, no teacher, a student that is
 * its own teacher), RT_SHAPE (numbers of classes that differ), RT_VALUE (no examples),
 * RT_UNSUPPORTED (jitter of what is no image; a stored teacher, and features, mixup or examples that its file
 * does not know; other targets than the teacher's with features or mixup; targets of a teacher's dropout when
 * it is stored or has batch normalisation), RT_STOPPED (cache_go_on said so), RT_MEMORY. Freed with
 * rt_distiller_free. */
rt_distiller *rt_distiller_new(const rt_distiller_config *config, rt_error *error) RT_MUST_CHECK;
void rt_distiller_free(rt_distiller *distiller);

/* The next epoch; there must be one left. The student is in training mode from its first step on,
 * whatever was done with it before. Steps allocate nothing, except the first of all.
 * RT_NOT_FINITE names epoch, step and the term that went wrong; RT_STOPPED: on_step said so; RT_MEMORY.
 * Each of them leaves the distiller in the middle of an epoch: restore a checkpoint or free it. */
rt_status rt_distiller_epoch(rt_distiller *distiller, rt_epoch_report *report, rt_error *error) RT_MUST_CHECK;

typedef struct rt_epoch_outcome {
    rt_status status;            /* as rt_distiller_epoch returns it */
    rt_epoch_report report;      /* RT_OK: of the whole epoch */
    rt_error error;              /* not RT_OK: why */
} rt_epoch_outcome;

/* The next epoch of students that were made beside one another and have done the same number of epochs:
 * each batch is gathered and augmented once, shown to the teacher once, and every student makes its step on
 * it. Weights and reports are the bits that rt_distiller_epoch gives each of them alone. One that fails or is
 * stopped leaves the group, and the others go on. */
void rt_distillers_epoch(rt_distiller *const distillers[], int count, rt_epoch_outcome outcomes[]);

int64_t rt_distiller_epochs_done(const rt_distiller *distiller);
/* Parameters of the method's adapters: trained with the student, no part of it. */
int64_t rt_distiller_extra_parameters(const rt_distiller *distiller);

/* What such a training would look at, before anything is trained or asked: pairs of features with their
 * shapes, adapters and their parameters, stages; several lines into `buffer`, "" when there is nothing to
 * tell. Networks may be untrained. Errors as of rt_distiller_new: features that do not exist or do not
 * fit are found here. */
rt_status rt_distiller_describe(const rt_distiller_config *config, char *buffer, size_t size,
                                rt_error *error) RT_MUST_CHECK;

/* Everything needed to go on bit-exactly after the last whole epoch: weights, optimiser, method; not
 * in the middle of one. The bytes are released with rt_free. They are good for a distiller made with
 * the same configuration, on the same kind of machine; _restore refuses others, and damaged ones, with
 * RT_FORMAT and changes nothing then. */
rt_status rt_distiller_save(const rt_distiller *distiller, void **bytes, size_t *count,
                            rt_error *error) RT_MUST_CHECK;
rt_status rt_distiller_restore(rt_distiller *distiller, const void *bytes, size_t count,
                               rt_error *error) RT_MUST_CHECK;

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

/* Of `model` on `part`, in evaluation mode, no augmentation. teacher may be NULL; a stored
 * one that has no answers to these examples counts as none (has_teacher is false). predictions (may
 * be NULL) receives part->count top classes. Leaves the model in evaluation mode. Of equal logits the
 * first class is the answer. Confidence b/15 belongs to bin b (of 1 ... 15); Guo, Pleiss, Sun,
 * Weinberger 2017, arXiv 1706.04599, eq. 3. Errors: RT_NOT_FINITE (an answer that is no number),
 * RT_SHAPE (teacher with other classes), RT_VALUE (a label that is no class), RT_UNSUPPORTED
 * (predictions of more than 256 classes), RT_MEMORY; *quality is as it was then. */
rt_status rt_evaluate(rt_model *model, rt_teacher *teacher, const rt_part *part, rt_quality *quality,
                      uint8_t *predictions, rt_error *error) RT_MUST_CHECK;

#endif
