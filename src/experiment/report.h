/* report.h - what readers see: the table, the files, the pictures.     Floor 8 (experiment)
 *
 *   summary.c   plan + records -> rti_summary: all numbers, chosen cells, verdicts
 *   facts.c     what a report says beside the numbers: data, models, the loss contract
 *   label.c     names of axes, values and cells
 *   table.c     rti_summary -> the tables on the terminal
 *   chart.c     rti_summary -> accuracy against temperature, drawn with characters
 *   results.c   results.csv and summary.csv; figures.c: the CSV files that gnuplot reads
 *   markdown.c  report.md
 *   compression.c, report_compression.c   what was gained and what was lost, as a table
 *   copy.c      spec.toml: what was asked for, beside its results
 *   report.c    everything in order
 *   dark.c      the teacher's probabilities at several temperatures
 *   findings.c  what else finished networks say when asked: errors in common, calibration, ...
 *   plot.c      finds and runs the scripts in plots/
 *
 * Nothing here prints: text is appended to the caller's rti_text. Numbers come from the records on
 * disk alone, so `retort report` says the same as the run did. Errors are parts of 1 inside and in
 * the CSV files, per cent in tables and pictures.
 *
 *     rti_text said = RTI_TEXT_EMPTY;
 *     rti_report_options options = {.plots = true, .program = argv[0]};
 *     rt_status status = rti_report_write(&plan, &options, &said, &error);
 *     fputs(rti_text_string(&said), stdout);
 *     rti_text_deinit(&said);
 */
#ifndef RTI_REPORT_H
#define RTI_REPORT_H

#include "core/text.h"
#include "experiment/experiment.h"
#include "experiment/statistics.h"

/* ---- the whole thing ---- */

typedef struct rti_report_options {
    bool plots;           /* draw pictures when gnuplot is there */
    const char *program;  /* argv[0], to find plots/ beside it; may be NULL */
    bool chart;           /* the text chart also where a picture was drawn */
} rti_report_options;

/* Reads all records of `plan`, writes every file of the report into plan->directory (each whole or
 * not at all) and appends to `said` what the terminal shows: table, verdicts, the text chart when
 * there are no pictures, and the names of the files. Unfinished and failed trials are counted and
 * named; a missing or failing gnuplot is a sentence in `said`, not an error.
 * RT_MEMORY; RT_IO when a file cannot be written. */
rt_status rti_report_write(const rti_plan *plan, const rti_report_options *options, rti_text *said,
                           rt_error *error) RT_MUST_CHECK;

/* The table alone, of what is finished now; writes nothing. */
rt_status rti_summary_text(const rti_plan *plan, rti_text *out, rt_error *error) RT_MUST_CHECK;

/* Writes the spec, overrides included, to plan->directory/spec.toml, which it makes: for the start of
 * a run, so that `retort report runs/<name>` works at any time. RT_MEMORY, RT_IO. */
rt_status rti_spec_copy(const rti_plan *plan, rt_error *error) RT_MUST_CHECK;
void rti_spec_copy_text(const rti_spec *spec, rti_text *out); /* TOML that reads back to the same plan */

/* ---- the numbers ---- */

/* Trials that differ in the seed only. Errors, agreement and ece are parts of 1; nll and teacher_kl nats. */
typedef struct rti_group {
    int trials, done, failed;     /* the others are pending or running */
    rti_estimate test_last, test_best;             /* test error at the last and at the chosen epoch */
    rti_estimate validation_last, validation_best; /* count 0 without a validation set */
    rti_estimate validation_nll;                   /* last epoch; breaks ties of the choice */
    rti_estimate test_errors;                      /* wrong examples, last epoch */
    rti_estimate nll, ece, brier;                  /* test, last epoch */
    rti_estimate agreement, teacher_kl;            /* the same; they need a teacher */
    rti_estimate seconds, latency_us, peak_megabytes;
    rt_model_cost cost;
} rti_group;

typedef struct rti_cell_summary {
    rti_group students;
    rti_paired paired;            /* against scratch: test error of the last epoch */
    double p_holm;                /* paired.p adjusted for all cells of the facet */
    bool is_scratch;              /* its trials are the scratch trials themselves (alpha = 0) */
} rti_cell_summary;

typedef struct rti_facet_summary {
    int first_cell, cell_count;   /* lowest number, and how many: rti_cell.facet tells which */
    rti_group teacher;            /* all its members; trials 0 when there is no teacher */
    double together;              /* test error of several members that answer together; NaN: not known */
    rti_group scratch;
    int best_cell;                /* best distilled cell on validation, mean over seeds; -1: none */
    bool scratch_is_better;       /* on validation scratch was not worse than best_cell */
    int tests;                    /* cells with a p */
} rti_facet_summary;

typedef struct rti_summary {
    const rti_plan *plan;         /* borrowed */
    rti_record *records;          /* (trial_count) */
    rti_cell_summary *cells;      /* (cell_count) */
    rti_facet_summary *facets;    /* (facet_count) */
    int done, failed, unfinished; /* trials */
    double seconds;               /* training of all finished trials, added up */
    int64_t test_examples, validation_examples;
    struct rti_kept_answers *kept; /* answers that were asked for (answers.h) */
} rti_summary;

/* What is kept of answers, empty. (answers.c) */
struct rti_kept_answers *rti_kept_answers_new(void);
void rti_kept_answers_free(struct rti_kept_answers *kept);

/* From the records on disk. RT_MEMORY, RT_IO; *summary is empty then. */
rt_status rti_summary_read(rti_summary *summary, const rti_plan *plan, rt_error *error) RT_MUST_CHECK;
/* From `records` (trial_count), which the summary takes: also on failure. */
rt_status rti_summary_make(rti_summary *summary, const rti_plan *plan, rti_record *records,
                           rt_error *error) RT_MUST_CHECK;
void rti_summary_deinit(rti_summary *summary);

#endif
