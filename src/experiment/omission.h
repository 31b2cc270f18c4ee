/* omission.h - what a report says of classes that students never see.  Floor 8 (experiment)
 *
 * Hinton, Vinyals, Dean 2015 (arXiv 1503.02531, section 3): a student whose transfer set has no 3 knows most
 * 3s all the same, and knows nearly all when the bias of the 3 is raised. The paper chose that shift on the
 * test set; here it is also chosen without any test image.
 *
 *   shift.c           what raising some logits together does to a set of answers
 *   report_shift.c    the same of every student that never sees some classes: shift.csv, shift-curve.csv
 *   shift_tables.c    the tables, on the terminal and in report.md; omitted.csv
 *   unseen_curves.c   accuracy on unseen classes by epoch: unseen.csv
 *   taught.c          which training images taught an unseen class: taught.csv, taught-images.csv
 *   plot_omission.c   their pictures
 *
 * Parts of finished plans without such students are empty, and nothing is written. */
#ifndef RTI_OMISSION_H
#define RTI_OMISSION_H

#include "experiment/answers.h"
#include "experiment/report_parts.h"
#include "experiment/unseen.h"

/* ---- shift.c ---- */

/* s is added to the logits of all unseen classes, so the answer changes at most once as s grows: from the
 * best seen class to the best unseen one. */
typedef struct rti_shift_example {
    double margin;                 /* logit of the best seen class minus that of the best unseen one */
    bool wins_tie;                 /* at s = margin the unseen class is the answer: its number is lower */
    bool is_unseen;                /* by its label */
    bool right_seen, right_unseen; /* is the best seen (unseen) class the labelled one? */
} rti_shift_example;

typedef struct rti_shift_set {
    int64_t count, unseen;
    rti_shift_example *example; /* (count) owned */
} rti_shift_set;

/* Answers of more than `classes` of `unseen`, or with no class seen or none unseen, are a caller's bug.
 * RT_NOT_FINITE, RT_MEMORY. */
rt_status rti_shift_set_make(rti_shift_set *set, const rti_answers *answers, const rti_unseen *unseen,
                             rt_error *error) RT_MUST_CHECK;
void rti_shift_set_deinit(rti_shift_set *set);

typedef struct rti_shifted {
    double s;
    int64_t errors, errors_unseen; /* of all examples; of those of unseen classes */
} rti_shifted;

rti_shifted rti_shift_at(const rti_shift_set *set, double s);
/* How many examples are answered with an unseen class. */
int64_t rti_shift_answers(const rti_shift_set *set, double s);
/* The least s at which the part `prior` of the examples, 0 < prior <= 1, or more, is answered with an unseen
 * class; found by bisection, never below the true one and at most a rounding above. No label is used. */
double rti_shift_matching(const rti_shift_set *set, double prior);
/* An s with the fewest errors of all, between two margins, of several the one nearest to 0. Sorts the
 * examples by margin. */
double rti_shift_best(rti_shift_set *set);

/* ---- report_shift.c ---- */

typedef enum rti_shift_choice {
    RTI_SHIFT_NONE,       /* s = 0 */
    RTI_SHIFT_PRIOR,      /* matching on the training images, prior of the training labels */
    RTI_SHIFT_TEST_PRIOR, /* the same prior, matching on the test images, without their labels */
    RTI_SHIFT_TUNED       /* fewest test errors, of several the s nearest to 0 */
} rti_shift_choice;
#define RTI_SHIFT_CHOICES 4

typedef struct rti_shift_student {
    int trial, seed; /* seed: an index */
    rti_shifted choice[RTI_SHIFT_CHOICES];
    rti_shift_set test; /* owned */
} rti_shift_student;

typedef struct rti_shift_group {
    int facet, cell;  /* cell -1: the scratch students */
    bool lowers_seen; /* fewer classes are seen than not: s is told as -s on the seen ones */
    char classes[64]; /* that are told: "3", "7, 8" */
    double prior;
    int64_t examples, examples_unseen; /* of the test set */
    int first, count;                  /* students */
} rti_shift_group;

/* The grid holds 0, -2 to 12, and every choice with 1 to spare as far as RTI_SHIFT_MOST. */
#define RTI_SHIFT_STEP 0.1
#define RTI_SHIFT_MOST 200

typedef struct rti_shifts {
    int group_count, student_count;
    rti_shift_group *group;     /* facet by facet, scratch first; owned */
    rti_shift_student *student; /* group by group; owned */
    int low, high;              /* of the grid, in steps */
} rti_shifts;

rt_status rti_shifts_make(rti_shifts *shifts, const rti_summary *summary, rt_error *error) RT_MUST_CHECK;
/* shift.csv, shift-curve.csv, and for each facet's picture shift-mean.csv. */
rt_status rti_shifts_write(const rti_shifts *shifts, const rti_summary *summary,
                           rt_error *error) RT_MUST_CHECK;
void rti_shifts_deinit(rti_shifts *shifts);

/* "none", "prior", "test prior", "tuned on test" */
const char *rti_shift_choice_name(rti_shift_choice choice);

/* Means over the students of a group. */
typedef struct rti_shift_mean {
    rti_estimate s, errors, errors_unseen, accuracy_unseen; /* accuracy 0 ... 1 */
} rti_shift_mean;
rti_shift_mean rti_shift_mean_of(const rti_shifts *shifts, const rti_shift_group *group,
                                 rti_shift_choice choice);

/* The group of a facet that pictures and tables show: that of the chosen cell, else the first distilled
 * one; NULL: none. scratch: the facet's scratch students. */
const rti_shift_group *rti_shift_shown(const rti_shifts *shifts, const rti_summary *summary, int facet);
const rti_shift_group *rti_shift_scratch(const rti_shifts *shifts, int facet);

/* ---- shift_tables.c ---- */

void rti_shifts_terminal(rti_text *out, const rti_shifts *shifts, const rti_summary *summary);
void rti_shifts_markdown(rti_text *out, const rti_shifts *shifts, const rti_summary *summary);
/* omitted.csv, when the sweep goes over the classes that are left out and two facets or more have a group
 * to show; *rows says how many. */
rt_status rti_omitted_write(const rti_shifts *shifts, const rti_summary *summary, int *rows,
                            rt_error *error) RT_MUST_CHECK;
/* "3", "7, 8", and what else tells facets apart. */
const char *rti_omitted_label(const rti_summary *summary, int facet, char out[RTI_LABEL_MAX]);

/* ---- unseen_curves.c ---- */

#define RTI_UNSEEN_LINES 12

typedef struct rti_unseen_curves {
    int lines, epochs;
    struct {
        int facet, cell; /* cell -1: scratch */
        double teacher;  /* its accuracy on the same examples; NaN: not known */
        char label[RTI_LABEL_MAX];
    } line[RTI_UNSEEN_LINES];
} rti_unseen_curves;

/* Of one facet all cells and scratch, of several the cell that is shown of each. */
rt_status rti_unseen_curves_make(rti_unseen_curves *curves, const rti_summary *summary,
                                 rt_error *error) RT_MUST_CHECK;
/* unseen.csv, when there are any lines. */
rt_status rti_unseen_curves_write(const rti_unseen_curves *curves, const rti_summary *summary,
                                  rt_error *error) RT_MUST_CHECK;

/* ---- taught.c ---- */

#define RTI_TAUGHT_IMAGES 24

/* The transfer examples whose soft target leans most to the class that no transfer example has: by the
 * teacher's logit for it minus the mean of its logits, at T. */
typedef struct rti_taught {
    int count;       /* 0: there is no such cell, or its teacher cannot be asked */
    int cell, class; /* the first cell with one unseen class */
    double T;        /* of its students */
    bool pictured;   /* the examples are images */
    struct {
        int32_t position, label; /* in the transfer set */
        double logit, p, p_soft; /* centred; the class's probability at T = 1 and at T */
    } example[RTI_TAUGHT_IMAGES];
} rti_taught;

rt_status rti_taught_make(rti_taught *taught, const rti_summary *summary, rt_error *error) RT_MUST_CHECK;
/* taught.csv and, of images, taught-images.csv. */
rt_status rti_taught_write(const rti_taught *taught, const rti_summary *summary,
                           rt_error *error) RT_MUST_CHECK;
void rti_taught_markdown(rti_text *out, const rti_taught *taught, const rti_summary *summary);

/* ---- all ---- */

typedef struct rti_omission {
    rti_shifts shifts;
    rti_unseen_curves curves;
    rti_taught taught;
    int omitted; /* rows of omitted.csv */
} rti_omission;

/* ---- plot_omission.c ---- */

rt_status rti_plot_omission(const rti_summary *summary, const char *scripts, const rti_omission *omission,
                            rti_pictures *pictures, rt_error *error) RT_MUST_CHECK;

#endif
