/* findings.h - parts of a report that need the answers of finished networks.  Floor 8 (experiment)
 *
 *   paired_errors.c   which examples two networks get wrong: McNemar, errors in common
 *   ensemble.c        what members say together, and how much of their gain one student keeps
 *   calibration.c     how sure networks are, as trained and with a temperature fitted afterwards
 *   similarity.c      which classes a teacher takes for alike, and which it confuses
 *   omission.h        classes that students never see
 *   sweeps.h          temperatures, widths, numbers of examples: what was swept
 *   findings.c        all of them; what cannot be had is left out with a warning
 *
 * Each writes a CSV file into plan->directory and appends its table to report.md. */
#ifndef RTI_FINDINGS_H
#define RTI_FINDINGS_H

#include "distill/evaluate.h"
#include "experiment/answers.h"
#include "experiment/omission.h"
#include "experiment/report_parts.h"
#include "experiment/sweeps.h"

/* ---- paired_errors.c ---- */

/* Two networks, a and b, and the same examples. */
typedef struct rti_overlap {
    int64_t examples, errors, other_errors; /* of a, of b */
    int64_t n01, n10;                       /* only a is wrong; only b is wrong */
    int64_t both, same;                     /* both are wrong; and say the same class */
    int64_t agreeing;                       /* say the same class, right or wrong */
    double p;                               /* McNemar's, exact, two-sided */
} rti_overlap;

rti_overlap rti_overlap_of(const int32_t a[], const int32_t b[], const int32_t labels[], int64_t count);

typedef struct rti_paired_line {
    int facet, cell, seed; /* cell -1: the scratch student; seed: an index */
    bool chosen;           /* on validation: report.md shows it; so it does scratch */
    bool against_teacher;  /* its members together; else the scratch student of the seed */
    rti_overlap overlap;
} rti_paired_line;

typedef struct rti_paired_errors {
    int count;
    rti_paired_line *line; /* facet by facet, cell by cell, scratch first; owned */
    int left_out;          /* finished cells for which too many passes would be needed */
} rti_paired_errors;

rt_status rti_paired_errors_make(rti_paired_errors *paired, const rti_summary *summary,
                                 rt_error *error) RT_MUST_CHECK;
rt_status rti_paired_errors_write(const rti_paired_errors *paired, const rti_summary *summary,
                                  rt_error *error) RT_MUST_CHECK;
void rti_paired_errors_markdown(rti_text *out, const rti_paired_errors *paired, const rti_summary *summary);
void rti_paired_errors_deinit(rti_paired_errors *paired);

/* ---- ensemble.c ---- */

/* Sets `together` of every facet whose teacher has several finished members; a warning where their weights
 * cannot be read. RT_MEMORY. */
rt_status rti_together_find(rti_summary *summary, rt_error *error) RT_MUST_CHECK;

typedef enum rti_ensemble_part { RTI_MEMBERS, RTI_TOGETHER, RTI_SINGLE, RTI_DISTILLED } rti_ensemble_part;

typedef struct rti_ensemble_line {
    int facet, cell; /* cell of RTI_DISTILLED, else -1 */
    rti_ensemble_part part;
    bool shown; /* in report.md and in the picture */
    int networks;
    rti_estimate error;
    rti_ratio share; /* of the gain, for RTI_DISTILLED; NaN where it is not defined */
} rti_ensemble_line;

typedef struct rti_ensemble {
    int count;
    rti_ensemble_line *line; /* owned */
} rti_ensemble;

/* Of the facets whose `together` is known. RT_MEMORY. */
rt_status rti_ensemble_make(rti_ensemble *ensemble, const rti_summary *summary,
                            rt_error *error) RT_MUST_CHECK;
rt_status rti_ensemble_write(const rti_ensemble *ensemble, const rti_summary *summary,
                             rt_error *error) RT_MUST_CHECK;
void rti_ensemble_markdown(rti_text *out, const rti_ensemble *ensemble, const rti_summary *summary);
void rti_ensemble_deinit(rti_ensemble *ensemble);
/* "together", "scratch student", "distilled, T 2, alpha 0.5". Returns out. */
const char *rti_ensemble_label(const rti_ensemble_line *line, const rti_summary *summary,
                               char out[RTI_LABEL_MAX]);

/* ---- calibration.c: of one network ---- */

typedef struct rti_reliability {
    int64_t examples, errors;
    double nll, ece;
    struct {
        int64_t count, correct;
        double confidence;
    } bin[RTI_CALIBRATION_BINS]; /* confidence: summed */
} rti_reliability;

/* Of softmax(z / T). The class is that of z itself, whatever T. RT_NOT_FINITE, RT_MEMORY. */
rt_status rti_reliability_of(rti_reliability *r, const rti_answers *answers, double T,
                             rt_error *error) RT_MUST_CHECK;
/* b's bins and sums added to a's; nll and ece become those of all examples. */
void rti_reliability_add(rti_reliability *a, const rti_reliability *b);

/* The T > 0 that makes the mean NLL of softmax(z / T) least (Guo, Pleiss, Sun, Weinberger 2017, arXiv
 * 1706.04599, section 4.2), within RTI_SCALE_LEAST and RTI_SCALE_MOST: a network that is right on all
 * examples has no end of confidence to gain. */
#define RTI_SCALE_LEAST 0.01
#define RTI_SCALE_MOST 100.0
rt_status rti_calibration_temperature(double *T, const rti_answers *validation,
                                      rt_error *error) RT_MUST_CHECK;

/* ---- report_calibration.c: of a report ---- */

typedef struct rti_calibrated {
    int facet, line, trial, seed; /* trial -1: the teacher; seed: an index, -1: the teacher */
    rti_reliability test, scaled; /* as trained; with T */
    bool has_validation;          /* else there are no scaled ones, and T is NaN */
    double T, nll_validation, nll_validation_scaled;
} rti_calibrated;

#define RTI_CALIBRATION_LINES 6

typedef struct rti_calibration {
    int count;
    rti_calibrated *network;      /* owned */
    int *lines;                   /* (facet_count) owned */
    char (*label)[RTI_LABEL_MAX]; /* (facet_count * RTI_CALIBRATION_LINES) owned */
} rti_calibration;

rt_status rti_calibration_make(rti_calibration *calibration, const rti_summary *summary,
                               rt_error *error) RT_MUST_CHECK;
rt_status rti_calibration_write(const rti_calibration *calibration, const rti_summary *summary,
                                rt_error *error) RT_MUST_CHECK;
void rti_calibration_markdown(rti_text *out, const rti_calibration *calibration, const rti_summary *summary);
void rti_calibration_deinit(rti_calibration *calibration);

/* Means over the networks of a line. */
typedef struct rti_calibration_mean {
    int networks;
    rti_estimate ece, nll, ece_scaled, nll_scaled, T, nll_validation, nll_validation_scaled;
} rti_calibration_mean;
rti_calibration_mean rti_calibration_mean_of(const rti_calibration *calibration, int facet, int line);

/* ---- similarity.c ---- */

#define RTI_SIMILARITY_CLASSES 20

typedef struct rti_similarity {
    int classes; /* 0: nothing was found */
    double T;
    int facet;
    int64_t examples[RTI_SIMILARITY_CLASSES]; /* of the transfer set, by their true class */
    /* by true class, then class: mean soft target; test examples that the teacher, and that the students
     * of the facet's chosen cell (all seeds), say so of */
    double soft[RTI_SIMILARITY_CLASSES][RTI_SIMILARITY_CLASSES];
    int64_t teacher[RTI_SIMILARITY_CLASSES][RTI_SIMILARITY_CLASSES];
    int64_t students[RTI_SIMILARITY_CLASSES][RTI_SIMILARITY_CLASSES];
    bool has_teacher, has_students;
    double rho_teacher, rho_students; /* Spearman's over the entries off the diagonal; NaN: undefined */
} rti_similarity;

rt_status rti_similarity_make(rti_similarity *similarity, const rti_summary *summary,
                              rt_error *error) RT_MUST_CHECK;
rt_status rti_similarity_write(const rti_similarity *similarity, const rti_summary *summary,
                               rt_error *error) RT_MUST_CHECK;
void rti_similarity_markdown(rti_text *out, const rti_similarity *similarity, const rti_summary *summary);

/* The T at which the cell's students learn; 4 when their method has none. */
double rti_cell_temperature(const rti_plan *plan, int cell);

/* ---- findings.c ---- */

typedef struct rti_findings {
    rti_paired_errors paired;
    rti_ensemble ensemble;
    rti_calibration calibration;
    rti_similarity similarity;
    rti_omission omission;
    rti_sweeps sweeps;
} rti_findings;

/* Makes all and writes their files. A part whose networks cannot be asked is empty, with a warning.
 * RT_MEMORY; RT_IO when a file cannot be written. */
rt_status rti_findings_make(rti_findings *findings, const rti_summary *summary,
                            rt_error *error) RT_MUST_CHECK;
void rti_findings_markdown(rti_text *out, const rti_findings *findings, const rti_summary *summary);
void rti_findings_deinit(rti_findings *findings);

/* "T 4, alpha 0.9"; of a comparison "kd (temperature 4)"; "student" without a grid; cell -1: "scratch". */
const char *rti_finding_label(const rti_summary *summary, int facet, int cell, char out[RTI_LABEL_MAX]);
/* The facet's best cell; in a comparison the points that the rows' results stand for. */
bool rti_is_chosen(const rti_summary *summary, int cell);
/* Of cells that differ from scratch and have finished trials: the chosen ones of the facet, of a
 * comparison in the order of the table, at most `limit`; where no choice was made all of them. Returns how
 * many. */
int rti_shown_cells(const rti_summary *summary, int facet, int cells[], int limit);
/* "### alpha 0.5" in a report with several facets. */
void rti_finding_heading(rti_text *out, const rti_summary *summary, int facet);

/* ---- plot_findings.c: their pictures ---- */

rt_status rti_plot_findings(const rti_summary *summary, const char *scripts, const rti_findings *findings,
                            rti_pictures *pictures, rt_error *error) RT_MUST_CHECK;

#endif
