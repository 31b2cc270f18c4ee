/* suggest.h - a search for the student that keeps limits.              Floor 8 (experiment)
 *
 *   shapes.c          which shapes are trained
 *   suggest.c         the specs that are derived from the reader's, times of untrained networks
 *   pareto.c          fronts and the choice
 *   suggest_report.c  candidates from records; the table, suggest.csv, the picture
 *
 * The search is a sweep like any other: runs/<name>-suggest/spec.toml, which has the shapes as axes, is run
 * by the scheduler, so that it goes on where it was. Everything is chosen on validation. When the choice
 * stays far below its teacher, the same student is trained once more with an assistant of middle size between
 * them (assistant.toml; Mirzadeh et al. 2020, arXiv 1902.03393).
 *
 * What lies in runs/<name>-suggest/ besides the trials:
 *
 *   spec.toml, assistant.toml   what was trained
 *   latency.csv                 times of untrained networks: the same search has the same candidates
 *   suggest.csv, pareto.svg     all candidates; pareto.png, pareto.set
 *   suggested.toml              the choice: `retort run` finds its trials finished */
#ifndef RTI_SUGGEST_H
#define RTI_SUGGEST_H

#include "experiment/latency.h"
#include "experiment/pareto.h"
#include "experiment/report_parts.h"
#include "experiment/shapes.h"

#define RTI_CANDIDATES_MAX 64
#define RTI_SUGGEST_ENDING "-suggest"

/* The gap to the teacher, in parts of 1, from which an assistant is tried, and how many times larger than the
 * choice the teacher must be: between networks of one size there is no middle. */
#define RTI_GAP_MAX 0.01
#define RTI_GAP_TIMES 4

typedef struct rti_candidate {
    char network[RTI_LABEL_MAX];     /* "784-30-30-10 relu" */
    int value[RTI_AXES_MAX];         /* its point in the search */
    bool assisted;
    rti_size size;
    rti_latency latency;             /* untrained, one example */
    rti_offer offer;                 /* bytes as the limits count them; mean accuracy on validation */
    rti_estimate validation, test;   /* accuracies over finished seeds; test is shown of the choice only */
    int trials, done, failed;
} rti_candidate;

typedef struct rti_suggestion {
    rti_limits limits;
    char name[64];                   /* of the experiment the search is for */
    char directory[RTI_PATH_MAX];
    int seeds;
    int count;
    rti_candidate candidate[RTI_CANDIDATES_MAX + 1]; /* the last one may be assisted */
    double teacher_accuracy;         /* mean of its members on validation; NaN */
    double teacher_test;             /* on test data */
    double teacher_bytes;
    rti_choice choice;
    int chosen;                      /* -1: none */
} rti_suggestion;

/* ---- suggest.c ---- */

/* Is this a spec that can be searched? Takes its sweep away; *dropped says what was, "" nothing. RT_SPEC,
 * RT_UNSUPPORTED, RT_VALUE say why not and what to do. */
rt_status rti_suggest_prepare(rti_spec *spec, char *dropped, size_t size, rt_error *error) RT_MUST_CHECK;

/* The candidates, and the text of the spec that trains them all. Makes the directory, reads and writes
 * latency.csv. What rti_shapes_find says; RT_IO, RT_MEMORY. */
rt_status rti_suggest_candidates(rti_suggestion *suggestion, rti_spec *spec, const rt_dataset *set,
                                 rti_text *search, rt_error *error) RT_MUST_CHECK;

/* Puts the choice's shape into the spec, from where the following texts are made. */
rt_status rti_suggest_take(rti_spec *spec, const rti_plan *search, const rti_candidate *choice,
                           rt_error *error) RT_MUST_CHECK;
/* Gives the spec, which holds the choice, an assistant between it and its teacher. */
rt_status rti_suggest_assistant(const rti_suggestion *suggestion, rti_spec *spec, const rt_dataset *set,
                                char *summary, size_t size, rt_error *error) RT_MUST_CHECK;
/* Takes it away again. */
void rti_suggest_forget_assistant(rti_spec *spec);
/* As a spec of the search's name; scratch false: without students of the labels alone. */
rt_status rti_suggest_text(rti_spec *spec, bool scratch, const char *comment, rti_text *out,
                           rt_error *error) RT_MUST_CHECK;

/* Is the choice so far below its teacher that an assistant may help? */
bool rti_suggest_has_gap(const rti_suggestion *suggestion);

/* ---- suggest_report.c ---- */

/* What the records say of a candidate whose students are the trials of that cell, or, with int8, what its
 * networks answer in 8-bit integers after training (quantize.h): the one place where a candidate is judged.
 * RT_MEMORY, RT_IO, and what rti_quantize says. */
rt_status rti_suggest_judge(rti_candidate *candidate, const rti_plan *plan, int cell, bool int8,
                            rt_error *error) RT_MUST_CHECK;
/* Judges all candidates of the search and the teacher, marks the fronts, chooses. */
rt_status rti_suggest_read(rti_suggestion *suggestion, const rti_plan *search, rt_error *error) RT_MUST_CHECK;
/* Adds the choice with an assistant, from its own plan, and chooses again. */
rt_status rti_suggest_add_assisted(rti_suggestion *suggestion, const rti_plan *plan,
                                   rt_error *error) RT_MUST_CHECK;
/* Marks and chooses among the candidates as they are. */
void rti_suggest_choose(rti_suggestion *suggestion);

/* The table and the choice, for the terminal. */
void rti_suggest_terminal(rti_text *out, const rti_suggestion *suggestion);
/* suggest.csv, and the picture when gnuplot is there; *trouble (512 bytes) says why it is not. */
rt_status rti_suggest_write(const rti_suggestion *suggestion, const rti_plan *plan, const char *program,
                            bool plots, bool *drawn, char trouble[512], rt_error *error) RT_MUST_CHECK;

#endif
