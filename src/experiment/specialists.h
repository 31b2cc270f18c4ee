/* specialists.h - specialists beside a generalist: `retort specialists`.  Floor 8 (experiment)
 *
 * Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 5, the whole method:
 *
 *   specialists_sets.c     which classes each specialist has, from what the generalist mixes up
 *   specialists_train.c    the specialists, from the generalist's weights: half special examples, half others
 *   specialists_answer.c   equation 5 for every example
 *   specialists_measure.c  tables 3 and 4
 *   specialists_files.c    files of numbers, and the picture
 *   specialists_report.c   what the terminal shows, and report.md
 *   specialists.c          all of it, for each seed
 *
 * The generalist is one and the same for all seeds; a seed makes sets and specialists. Two controls that the
 * paper lacks: sets at random, and the generalist itself trained on for as long as all its specialists
 * together. */
#ifndef RTI_SPECIALISTS_EXPERIMENT_H
#define RTI_SPECIALISTS_EXPERIMENT_H

#include "core/file.h"
#include "distill/specialists.h"
#include "experiment/experiment.h"
#include "experiment/statistics.h"

#define RTI_SPECIALISTS_MAX 255

/* What sets are made of. A good generalist's covariance is nearly diagonal, and its columns are told apart
 * by how frequent and how hard a class is; with the correlation all classes are alike, and what is left is
 * who is mixed up with whom. */
typedef enum rti_set_law {
    RTI_SETS_COVARIANCE,  /* of the generalist's predictions, as in the paper */
    RTI_SETS_CORRELATION, /* the same in units of the deviations */
    RTI_SETS_RANDOM       /* drawn at random: the control for the clustering */
} rti_set_law;
const char *rti_set_law_name(rti_set_law law); /* "covariance", "correlation", "random" */

typedef struct rti_specialists_config {
    const rti_plan *plan;
    int count;   /* specialists; 0: as many as give each class 1.22 of them on average, as in the
                                  paper (61 times 300 of 15,000 classes) */
    int classes; /* of each; 0: the root of the number of classes, at least 2 */
    rti_set_law law;
    int64_t epochs;  /* of each; 0: half of the generalist's, at least 1 */
    double lr;       /* NaN: a tenth of the generalist's */
    double momentum; /* NaN: the generalist's */
    int cover;       /* a specialist is asked when one of so many most probable classes is its own */
    int seed_count;
    uint64_t seeds[RTI_SEEDS_MAX];
    const char *directory; /* of all files; NULL: runs/<name>/specialists */
    const char *program;   /* where the scripts of pictures are looked for */
    bool plots;
    bool control; /* trains the generalist on, with as many examples as all specialists are shown */
    rt_step_function *on_step; /* false stops; may be NULL */
    void *context;
} rti_specialists_config;

/* ---- sets ---- */

typedef struct rti_special_sets {
    int K, count, n;
    int32_t *classes; /* (count, n): those of the cluster first, each by score */
    int32_t *output;  /* (count, K), distill/specialists.h */
    double *score;    /* (count, n): mean covariance with the cluster's (other) classes */
    int *own;         /* (count): how many of n are of the cluster; the others fill it up */
} rti_special_sets;

/* (K, K) covariance, population form, of softmax at T = 1 of rows index[0 ... N-1] of logits (.., K).
 * RT_MEMORY. */
rt_status rti_prediction_covariance(int64_t N, int K, const int32_t index[], const rt_real logits[],
                                    double covariance[], rt_error *error) RT_MUST_CHECK;

/* A covariance in units of the deviations, in place; a class of variance 0 is correlated with nobody. */
void rti_correlation(int K, double covariance[]);

/* On-line K-means (MacQueen 1967) of `count` points (count, D): centres begin at `clusters` different points
 * drawn at random; points are shown one at a time, in an order drawn anew for each of RTI_KMEANS_PASSES
 * passes, and the nearest centre moves by 1 / (points it has won so far) of the way; then points are given
 * to the nearest centre whose cluster has fewer than `most` of them, from the nearest pair on (the first of
 * equals), and a cluster without points gets the one that is farthest from its own centre, of those whose
 * cluster has more than one. Of RTI_KMEANS_STARTS such runs the one with
 * the smallest sum of squared distances to the clusters' means is kept: a function of the seed. The paper
 * says "on-line version of K-means", no more.
 * 1 <= clusters <= count <= clusters * most. RT_MEMORY. */
#define RTI_KMEANS_PASSES 20
#define RTI_KMEANS_STARTS 50
rt_status rti_online_kmeans(int count, int D, const double points[], int clusters, int most, uint64_t seed,
                            int32_t cluster[], double *squares, rt_error *error) RT_MUST_CHECK;

/* Sets of n classes: each cluster's, filled up with the classes outside that have the highest mean covariance
 * with it, so that sets overlap (the paper has 300 classes in each and does not say how). Clusters have at
 * most n classes, so that each class is in a set, when count n >= K; else a cluster is cut to the n with the
 * highest mean covariance with its others, and some classes are in none. RTI_SETS_RANDOM: n classes drawn at
 * random for each. `covariance` may be the correlation. RT_MEMORY; *sets is empty then. */
rt_status rti_special_sets_make(rti_special_sets *sets, int K, const double covariance[], int count, int n,
                                rti_set_law law, uint64_t seed, rt_error *error) RT_MUST_CHECK;
void rti_special_sets_deinit(rti_special_sets *sets);

/* ---- training ---- */

typedef struct rti_specialist_training {
    const rt_dataset *set;
    rt_model *generalist;
    const char *generalist_hash;
    const rt_params *network;  /* rows of the generalist: its model, augmentation and optimiser */
    const rt_params *training; /* the same with the specialists' epochs and rates */
    int64_t epochs, batch;
    uint64_t seed;
    const char *directory; /* of the files */
    rt_step_function *on_step;
    void *context;
} rti_specialist_training;

typedef struct rti_specialist {
    rt_model *model;       /* owned */
    int64_t special, rest; /* training examples */
    double shift;          /* of the dustbin's logit */
    bool was_there;        /* its file was: nothing was trained */
} rti_specialist;

/* Trains number m of the sets, or loads it when directory/specialist-MM.safetensors holds the one that these
 * settings make. An epoch is all examples of S and as many of the rest, drawn anew for each epoch without
 * replacement (when S is the larger half: all of the rest, again and again). RT_STOPPED: on_step said so;
 * RT_VALUE: no training examples on one side; other errors of training and files. */
rt_status rti_specialist_train(rti_specialist *out, const rti_specialist_training *training,
                               const rti_special_sets *sets, int m, rt_error *error) RT_MUST_CHECK;

/* The control: the generalist goes on for `epochs` of all training examples, with all else as a specialist's;
 * directory/generalist.safetensors. out->model is what comes of it. The same errors. */
rt_status rti_generalist_go_on(rti_specialist *out, const rti_specialist_training *training,
                               rt_error *error) RT_MUST_CHECK;

/* Part of every specialist's identity: raise it when the same settings begin to mean something else. */
#define RTI_SPECIALIST_FORMAT 1

/* ---- answers ---- */

/* What all say of a table of examples: equation 5. */
typedef struct rti_full_answers {
    const rt_examples *examples;
    rt_real *generalist; /* (count, K) logits; borrowed */
    rt_real *full;       /* (count, K) log q; owned */
    uint8_t *asked;      /* (count) specialists that were asked; owned */
    int count;
    rt_real *own[RTI_SPECIALISTS_MAX]; /* (count, n + 1) logits of each, the dustbin's corrected; owned */
    int64_t steps;                     /* of descent, all together */
    double gradient;                   /* the longest that was left */
} rti_full_answers;

/* RT_STOPPED: go_on said no; RT_VALUE of the descent, with the example; RT_MEMORY. */
rt_status rti_full_answers_make(rti_full_answers *out, const rt_examples *examples, rt_real *generalist,
                                const rti_special_sets *sets, const rti_specialist specialists[], int cover,
                                rt_step_function *on_step, void *context, rt_error *error) RT_MUST_CHECK;
void rti_full_answers_deinit(rti_full_answers *answers);

/* ---- measures ---- */

typedef struct rti_counts {
    int64_t examples, generalist, full; /* right */
} rti_counts;

typedef struct rti_specialist_row {
    int64_t special, rest; /* training examples */
    double shift;
    int64_t asked;     /* test examples that it was asked about */
    rti_counts inside; /* test examples of S, answers among S only */
    int64_t alone;     /* right of these when the specialist answers alone */
} rti_specialist_row;

typedef struct rti_specialists_seed {
    uint64_t seed;
    rti_special_sets sets;
    rti_specialist_row row[RTI_SPECIALISTS_MAX];
    rti_counts all;             /* test examples */
    int64_t won, lost;          /* wrong before and right now; right before and wrong now */
    rti_counts conditional;     /* true class in some set, answers among the classes of all sets */
    int union_classes;          /* how many these are */
    int64_t on_epochs;          /* of the generalist that went on; 0: there is none */
    int64_t on, conditional_on; /* what it has right */
    rti_counts covered[RTI_SPECIALISTS_MAX + 1]; /* by the number of sets that hold the true class */
    double steps, gradient; /* descent: mean for each test example; longest gradient left */
} rti_specialists_seed;

/* Fills everything but `seed`, `sets` and `on_epochs`, which are there; the rest is zero before. on: the test
 * logits of the generalist that went on, or NULL. */
void rti_specialists_measure(rti_specialists_seed *seed, const rti_full_answers *test, const rt_part *part,
                             const rti_specialist specialists[], int cover, const rt_real *on);

/* Does a specialist answer for this row? True when its set holds one of the `cover` most probable classes. */
bool rti_is_asked(const rti_special_sets *sets, int m, const rt_real logits[], int cover);

/* ---- results ---- */

typedef struct rti_specialists_result {
    char directory[RTI_PATH_MAX];
    char generalist[512]; /* "teacher, seed 1: 784-100-100-10 relu" */
    char generalist_hash[33];
    const rt_dataset *set; /* of the plan; borrowed */
    int K, count, n, cover;
    rti_set_law law;
    int64_t epochs;
    char rates[256]; /* "lr 0.01, momentum 0.9" */
    int seed_count;
    rti_specialists_seed *seeds;
    bool drawn;
    char trouble[512]; /* why there is no picture */
} rti_specialists_result;

/* Everything, and all files. RT_NOT_FOUND: no teacher is trained; RT_SPEC; RT_UNSUPPORTED: the teacher is no
 * network; RT_STOPPED: on_step said so, finished specialists are kept and the same call goes on. */
rt_status rti_specialists(const rti_specialists_config *config, rti_specialists_result *result,
                          rt_error *error) RT_MUST_CHECK;
void rti_specialists_deinit(rti_specialists_result *result);

/* The tables, for the terminal. */
void rti_specialists_text(rti_text *out, const rti_specialists_result *result);
/* accuracy.csv, coverage.csv, specialists.csv, sets.csv, specialists.json, report.md; coverage.svg and .png
 * when `plots`. */
rt_status rti_specialists_write(rti_specialists_result *result, const char *name, const char *program,
                                bool plots, rt_error *error) RT_MUST_CHECK;

/* Estimates over seeds. */
typedef enum rti_specialists_quantity {
    RTI_SPECIALISTS_GENERALIST, /* accuracy, parts of 1 */
    RTI_SPECIALISTS_ON,         /* of the generalist that went on */
    RTI_SPECIALISTS_FULL,
    RTI_SPECIALISTS_DELTA,  /* full - generalist */
    RTI_SPECIALISTS_OVER_ON /* full - the one that went on */
} rti_specialists_quantity;
rti_estimate rti_specialists_over_seeds(const rti_specialists_result *result, rti_specialists_quantity what,
                                        bool conditional);

typedef struct rti_coverage {
    int seeds;                              /* with test examples there */
    rti_estimate examples, delta, relative; /* relative: change in accuracy, %, NaN without a right answer */
} rti_coverage;
rti_coverage rti_coverage_of(const rti_specialists_result *result, int covering);
int rti_coverage_most(const rti_specialists_result *result); /* the largest number with test examples */

#endif
