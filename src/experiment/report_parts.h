/* report_parts.h - what the files of the report share.                 Floor 8 (experiment) */
#ifndef RTI_REPORT_PARTS_H
#define RTI_REPORT_PARTS_H

#include "core/file.h"
#include "deploy/size.h"
#include "experiment/report.h"

#define RTI_LABEL_MAX 256
#define RTI_TABLE_WIDTH 100 /* columns of a terminal that nothing exceeds but single long words */

/* ---- label.c: names. All return `out`, which is always zero-terminated and holds one line:
 * control characters and invalid UTF-8 become '?', a text that is too long ends in "..". ---- */

const char *rti_label_plain(const char *text, char *out, size_t size);
const char *rti_label_value(const rt_value *value, char *out, size_t size);      /* 4, true, kd, [30, 30] */
/* "T", "alpha", "hidden"; the whole key where the last part would be ambiguous. */
const char *rti_label_axis(const rti_plan *plan, int axis, char *out, size_t size);

typedef enum rti_label_part { RTI_LABEL_GRID = 1, RTI_LABEL_FACET = 2, RTI_LABEL_ALL = 3 } rti_label_part;
/* "T 4, alpha 0.9", of the swept temperature and alpha (GRID), the other axes (FACET) or all. */
const char *rti_label_cell(const rti_plan *plan, int cell, rti_label_part part, char *out, size_t size);

/* The file name of a facet: "temperature" + "-hidden-800-800" + ".svg"; one facet has no suffix,
 * nor has facet -1, which is the whole experiment.
 * Letters, digits, '-', '_' and '.' only; different facets have different names. */
const char *rti_label_file(const rti_plan *plan, const char *stem, int facet, const char *ending, char *out,
                           size_t size);

bool rti_is_grid(const rti_plan *plan); /* temperature and alpha are both swept: tables T x alpha */
int rti_text_columns(const char *text); /* characters, not bytes, of UTF-8 */

/* ---- facts.c: what stands in a report beside the numbers ---- */

typedef struct rti_facet_facts {
    char *data, *data_hash;   /* "digits: 8000 train, ..." */
    char *teacher, *student;  /* "784-1200-1200-10 relu, dropout ..."; teacher NULL when there is none */
    char *method;             /* "kd: ..." */
    char *contract;           /* of contract_cell: the chosen cell, else the first distilled one */
    int contract_cell;
    rti_size teacher_size, student_size; /* of one network; all 0: there is none */
} rti_facet_facts;

typedef struct rti_facts {
    int count;                /* facets */
    rti_facet_facts *facets;
} rti_facts;

rt_status rti_facts_make(rti_facts *facts, const rti_summary *summary, rt_error *error) RT_MUST_CHECK;
void rti_facts_deinit(rti_facts *facts);
/* What a reader must know of the plan's data sets (rt_dataset_note), each once, between before and after;
 * stands under every table. */
void rti_data_notes(rti_text *out, const rti_plan *plan, const char *before, const char *after);

/* ---- table.c: tables, for the terminal and for Markdown. Appending never fails: a text that ran
 * out of memory says so itself ---- */

/* A table is a function of row and column; row 0 is the head, column 0 names the row. */
typedef struct rti_table {
    const rti_summary *summary;
    int facet;
    int rows, columns;
    void (*text)(const struct rti_table *table, int row, int column, char out[RTI_LABEL_MAX]);
    const void *more;         /* what `text` needs besides the summary */
} rti_table;

rti_table rti_table_errors(const rti_summary *summary, int facet);    /* T x alpha */
rti_table rti_table_agreement(const rti_summary *summary, int facet); /* T x alpha */
rti_table rti_table_cells(const rti_summary *summary);                /* one row per cell, every facet */
void rti_table_print(rti_text *out, const rti_table *table, int indent); /* blocks of RTI_TABLE_WIDTH */
void rti_table_markdown(rti_text *out, const rti_table *table);

/* Appends `text` so that Markdown shows it as it is, in tables too. */
void rti_markdown_escape(rti_text *out, const char *text);

/* "2.81 +- 0.07" in per cent; "2.81" without an interval; "-" without a mean. Returns out. */
const char *rti_percent(const rti_estimate *e, char out[48]);
/* Percentage points with a sign: "-0.71 +- 0.09". */
const char *rti_points(const rti_estimate *e, char out[48]);
const char *rti_p_text(double p, char out[32]);            /* "p = 0.003", "p < 0.001", "no test" */
const char *rti_duration_text(double seconds, char out[32]); /* "41 s", "12 min", "3.4 h" */

/* ---- terminal.c: everything the terminal shows ---- */

void rti_terminal_summary(rti_text *out, const rti_summary *summary, const rti_facts *facts);
/* "scratch 3.52 +- 0.08 %" */
void rti_terminal_group(rti_text *out, const char *name, const char *members, const rti_group *group);
/* "teacher 0.71 % (71 errors)"; "teachers 2.90 +- 0.10 % (10 networks), together 2.41 %" */
void rti_terminal_teacher(rti_text *out, const rti_facet_summary *facet);
/* What went wrong, one line each, at most `at_most` and a line with the number of the others. */
void rti_terminal_failures(rti_text *out, const rti_summary *summary, int at_most, const char *indent);

/* The error of what teaches: of the members together where that is known, else their mean. */
rti_estimate rti_teacher_error(const rti_facet_summary *facet);

/* ---- chart.c ---- */

/* The range of test accuracy (parts of 1) that a picture of a facet shows: all finished cells and
 * scratch with their intervals, as far as these do not dwarf what lies between the means. The teacher
 * is inside only when it is near; otherwise it is written beside the picture. */
typedef struct rti_range {
    double low, high;
    bool has_teacher, teacher_inside;
} rti_range;

bool rti_range_of(const rti_summary *summary, int facet, rti_range *range); /* false: nothing is finished */

/* The swept axis that pictures of accuracy run along: temperature, else alpha, else -1. */
int rti_picture_axis(const rti_plan *plan);
/* The cell of a facet with value x of the picture's axis and value `line` of the alpha axis (0 when alpha is
 * the picture's axis or not swept); -1 when there is none. */
int rti_picture_cell(const rti_plan *plan, int facet, int x, int line);
int rti_picture_lines(const rti_plan *plan); /* alphas, or 1 */

/* Test accuracy against the picture's axis, drawn with characters: one letter per line, bars for
 * intervals, the teacher and scratch as rules. Nothing when there is no such axis or nothing is finished. */
void rti_chart_facet(rti_text *out, const rti_summary *summary, int facet);

/* ---- results.c, figures.c, dark.c: files of numbers, written into plan->directory ---- */

rt_status rti_results_write(const rti_summary *summary, rt_error *error) RT_MUST_CHECK;
rt_status rti_figures_write(const rti_summary *summary, rt_error *error) RT_MUST_CHECK;
/* dark.csv; *made tells whether a finished teacher was there to be asked. */
rt_status rti_dark_write(const rti_summary *summary, bool *made, rt_error *error) RT_MUST_CHECK;
/* Images of bytes, grey or of three colours. */
bool rti_is_picture(const rt_examples *examples);
/* "number,x,y,red,green,blue" for each pixel; grey pictures as ink on paper: 255 - value. */
void rti_add_picture(rti_text *text, int number, const rt_examples *examples, int32_t example);
/* attention.csv of a comparison: maps of teacher, scratch and the best rows. The same. */
rt_status rti_attention_write(const rti_summary *summary, bool *made, rt_error *error) RT_MUST_CHECK;

/* Writes out's text to plan->directory/name. RT_MEMORY when the text ran out of it. */
rt_status rti_report_file(const rti_plan *plan, const char *name, const rti_text *text,
                          rt_error *error) RT_MUST_CHECK;
void rti_csv_add_number(rti_text *text, double value, bool first); /* empty when not finite */

/* ---- plot.c ---- */

typedef enum rti_picture {
    RTI_PICTURE_TEMPERATURE,
    RTI_PICTURE_HEATMAP,
    RTI_PICTURE_CURVES,
    RTI_PICTURE_CALIBRATION,
    RTI_PICTURE_SHIFT,
    RTI_PICTURE_LIMIT,
    RTI_PICTURE_DARK,         /* of the whole, from here */
    RTI_PICTURE_SIMILARITY,
    RTI_PICTURE_ENSEMBLE,
    RTI_PICTURE_UNSEEN,
    RTI_PICTURE_TAUGHT,
    RTI_PICTURE_OMITTED,
    RTI_PICTURE_WIDTHS,
    RTI_PICTURE_RIDGE,
    RTI_PICTURE_SIZES,
    RTI_PICTURE_FOREST,       /* of a comparison, from here */
    RTI_PICTURE_PRICE,
    RTI_PICTURE_FIDELITY,
    RTI_PICTURE_LEARNING,
    RTI_PICTURE_GRADIENTS,
    RTI_PICTURE_ATTENTION
} rti_picture;
#define RTI_PICTURES 21

typedef struct rti_pictures {
    bool *drawn;              /* (facet_count, RTI_PICTURES); those of the whole belong to facet 0 */
    char trouble[512];        /* why some are not there, and what to do; "" when nothing is wrong */
} rti_pictures;

const char *rti_picture_stem(rti_picture picture); /* "temperature": the name without facet and ending */
bool rti_picture_is_whole(rti_picture picture);    /* one of the experiment, not one of each facet */

struct rti_findings;

/* Which networks could be asked for a picture. */
typedef struct rti_asked {
    bool dark, attention;
    const struct rti_findings *findings;
} rti_asked;

/* Draws what the CSV files in plan->directory allow, as SVG and PNG. wanted false: draws none, and
 * that is no trouble. RT_MEMORY; RT_IO when the settings of a picture cannot be written. */
rt_status rti_plot_all(rti_pictures *pictures, const rti_summary *summary, const char *program, bool wanted,
                       const rti_asked *asked, rt_error *error) RT_MUST_CHECK;
void rti_pictures_deinit(rti_pictures *pictures);

/* ---- markdown.c ---- */

rt_status rti_markdown_write(const rti_summary *summary, const rti_facts *facts,
                             const struct rti_findings *findings, const rti_pictures *pictures,
                             rt_error *error) RT_MUST_CHECK;

/* ---- report.c ---- */

/* All files of a report whose numbers are known already; see rti_report_write. */
rt_status rti_report_files(const rti_summary *summary, const rti_facts *facts,
                           const rti_report_options *options, rti_text *said, rt_error *error) RT_MUST_CHECK;

#endif
