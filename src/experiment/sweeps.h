/* sweeps.h - parts of a report about what was swept.                   Floor 8 (experiment)
 *
 *   temperatures.c         error against temperature, a line per width: the best T, which T are as good
 *   temperatures_files.c   equivalence.csv, temperature-pairs.csv, and their tables
 *   limit.c                what the soft term's gradient becomes at high temperature
 *   limit_files.c          limit.csv, gradients-by-temperature.csv
 *   sizes.c                error against the number of examples
 *   plot_sweeps.c          their pictures: widths, ridge, limit, sizes
 *
 * A sweep that has no such axis, and a comparison, has none of them. */
#ifndef RTI_SWEEPS_H
#define RTI_SWEEPS_H

#include "experiment/report_parts.h"

/* ---- temperatures.c ---- */

typedef struct rti_temperature_point {
    double T;      /* INFINITY: regression on the logits, which is where softening ends */
    int cell;      /* -1: none */
    rti_estimate error;      /* on test data, last epoch */
    rti_paired against_best; /* less the error at the best T, over seeds; 0 pairs at the best */
    double relative;         /* error over that of the best T, less 1 */
    bool is_best, is_alike;  /* alike: the best, or not worse by p < 0.05 */
    double margin; /* all pairs of temperatures from this one on are equivalent within so much: the largest
                    * |mean difference| + half-width of its 95 % interval. NaN: the last, or one is unknown */
} rti_temperature_point;

typedef struct rti_temperature_line {
    int facet, alpha;        /* alpha: an index, 0 when it is not swept */
    bool shown;              /* in report.md and pictures: at the facet's alpha chosen on validation */
    char label[RTI_LABEL_MAX];
    int best;                /* a point; -1: nothing is finished */
    rti_temperature_point *point; /* (count of rti_temperatures) by T; borrowed */
} rti_temperature_line;

typedef struct rti_temperatures {
    int count;               /* lines; 0: temperature is not swept */
    rti_temperature_line *line;    /* owned */
    int points, finite;      /* of each line; the one at INFINITY, where there is one, comes last */
    rti_temperature_point *point;  /* owned */
    char axis[RTI_LABEL_MAX];      /* "hidden": what tells the lines apart; "": several things, or nothing */
} rti_temperatures;

/* A line for each facet whose method has a temperature, and each alpha that is not scratch itself. In a
 * sweep over distill.method the students of logit-mse are the end of kd's lines. The best T is that of the
 * lowest mean error among those with the most seeds: a description of test data, nothing is chosen by it. */
rt_status rti_temperatures_make(rti_temperatures *temperatures, const rti_summary *summary,
                                rt_error *error) RT_MUST_CHECK;
/* Test errors of a cell's seeds (seed_count), NaN where one is missing. */
void rti_seed_errors(const rti_summary *summary, int cell, double errors[RTI_SEEDS_MAX]);
/* How many points of the line are finished, at least in part. */
int rti_temperatures_known(const rti_temperatures *temperatures, int line);
rt_status rti_temperatures_write(const rti_temperatures *temperatures, const rti_summary *summary,
                                 rt_error *error) RT_MUST_CHECK;
void rti_temperatures_markdown(rti_text *out, const rti_temperatures *temperatures,
                               const rti_summary *summary);
void rti_temperatures_deinit(rti_temperatures *temperatures);
const char *rti_temperature_text(double T, char out[32]); /* "2.5", "inf" */

/* ---- limit.c ---- */

/* Equation 2 of Hinton, Vinyals, Dean 2015 for one example: g_k = (softmax(z/T)_k - softmax(v/T)_k) / T,
 * the gradient of KL(softmax(v/T) || softmax(z/T)) over z. p receives softmax(v/T). All (K);
 * T > 0. */
void rti_soft_gradient(const double z[], const double v[], int64_t K, double T, double p[], double g[]);

typedef struct rti_limit_point {
    double T;
    bool is_swept;           /* a temperature of the spec, not of the grid between */
    double soft, scaled;     /* mean length of g; of T^2 g */
    double cosine, ratio;    /* means of cos(g, z~ - v~) and of |T^2 g| / (|z~ - v~| / K): both tend to 1 */
} rti_limit_point;

typedef struct rti_limit {
    int facet, trial;        /* whose student; trial: an index */
    int64_t examples, equal; /* equal: those with z~ = v~, which have no direction */
    bool on_validation;      /* else of the transfer set */
    double hard;             /* mean length of softmax(z) - y */
    double target;           /* mean length of (z~ - v~) / K, which `scaled` tends to */
    int count;
    rti_limit_point *point;  /* by T; owned */
} rti_limit;

typedef struct rti_limits {
    int count;
    rti_limit *limit;        /* owned */
} rti_limits;

/* Of every facet of a sweep over temperature with the method kd: the scratch student (else the first
 * distilled one) and the teacher, on at most 2000 examples. What is not finished has none. */
rt_status rti_limits_make(rti_limits *limits, const rti_summary *summary, rt_error *error) RT_MUST_CHECK;
void rti_limits_deinit(rti_limits *limits);

/* ---- limit_files.c ---- */

rt_status rti_limits_write(const rti_limits *limits, const rti_summary *summary,
                           rt_error *error) RT_MUST_CHECK;
void rti_limits_markdown(rti_text *out, const rti_limits *limits, const rti_summary *summary);

/* What training measured: gradients-by-temperature.csv, lengths of each term's weighted gradient in the first
 * and in the middle epoch, mean over seeds. */
typedef struct rti_term_gradients {
    int trials;
    rti_estimate first, middle; /* over the parameters */
} rti_term_gradients;
/* Of the term of that name in a cell. */
rti_term_gradients rti_term_gradients_of(const rti_summary *summary, int cell, const char *term);
/* The names of the terms of a cell's trials, in their order; returns how many. */
int rti_cell_terms(const rti_summary *summary, int cell, const char *names[RT_TERMS_MAX]);
rt_status rti_term_gradients_write(const rti_temperatures *temperatures, const rti_summary *summary,
                                   rt_error *error) RT_MUST_CHECK;

/* ---- sizes.c ---- */

typedef enum rti_size_kind { RTI_SIZE_SCRATCH, RTI_SIZE_CELL, RTI_SIZE_CHOSEN } rti_size_kind;

typedef struct rti_size_point {
    double examples;         /* of the transfer set */
    int cell;                /* -1: none */
    rti_estimate last, best; /* test error at the last epoch; at the one that is best on validation */
} rti_size_point;

/* Labels alone, one setting of all other axes, or the cell of each facet that was chosen on validation. */
typedef struct rti_size_line {
    rti_size_kind kind;
    bool shown;
    char label[RTI_LABEL_MAX];
    rti_size_point *point;   /* (points of rti_sizes) by number of examples; borrowed */
} rti_size_line;

#define RTI_SIZE_LINES_SHOWN 8

typedef struct rti_sizes {
    int count;               /* lines, scratch first; 0: the number of examples is not swept */
    rti_size_line *line;     /* owned */
    int points;
    rti_size_point *point;   /* owned */
    double teacher;          /* error; NaN: there is none, or not the same everywhere */
} rti_sizes;

/* Of a sweep over data.transfer.size or data.transfer.fraction. */
rt_status rti_sizes_make(rti_sizes *sizes, const rti_summary *summary, rt_error *error) RT_MUST_CHECK;
rt_status rti_sizes_write(const rti_sizes *sizes, const rti_summary *summary, rt_error *error) RT_MUST_CHECK;
void rti_sizes_markdown(rti_text *out, const rti_sizes *sizes, const rti_summary *summary);
void rti_sizes_deinit(rti_sizes *sizes);

/* ---- all of them ---- */

typedef struct rti_sweeps {
    rti_temperatures temperatures;
    rti_limits limits;
    rti_sizes sizes;
} rti_sweeps;

/* ---- plot_sweeps.c ---- */

rt_status rti_plot_sweeps(const rti_summary *summary, const char *scripts, const rti_sweeps *sweeps,
                          rti_pictures *pictures, rt_error *error) RT_MUST_CHECK;

#endif
