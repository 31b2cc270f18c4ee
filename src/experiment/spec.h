/* spec.h - what the readers of a spec know of each other.              Floor 8 (experiment)
 *
 *   written.c   values as they stand in the file, before anybody knows which row they belong to
 *   spec.c      the file and the command line
 *   compare.c   the rows of [compare]
 *   resolve.c   typed settings of one point of the grid
 *   rows.c      the tables these are made of, and their canonical text */
#ifndef RTI_SPEC_H
#define RTI_SPEC_H

#include "experiment/experiment.h"
#include "formats/toml.h"

/* A key as it was written: numbers are INT or REAL, words TEXT, lists INTS or REALS. */
typedef struct rti_spec_entry {
    char key[RTI_KEY_MAX];   /* "student.optimizer.lr" */
    rt_value value;
    int line;                /* 0: from the command line */
} rti_spec_entry;

/* A key of a row of a comparison. A list may be a grid or one value: its table tells, later. */
typedef struct rti_row_entry {
    int row;
    int line;
    bool is_list, is_whole;  /* whole: the list is a possible value (numbers, at most 16) */
    rt_value whole;
    rti_axis grid;           /* key, as written in the row: "alpha", "kd.alpha"; one value unless is_list */
} rti_row_entry;

typedef struct rti_spec_entries {
    int count, capacity;
    rti_spec_entry *items;
    int axis_line[RTI_AXES_MAX];
    int label_count;         /* rows in the order of the file */
    char labels[RTI_ROWS_MAX][RTI_LABEL_TEXT];
    int label_line[RTI_ROWS_MAX];
    int row_entry_count, row_entry_capacity;
    rti_row_entry *row_entries;
} rti_spec_entries;

#define RTI_WHERE_MAX (RTI_KEY_MAX + 4200)

/* "demo.toml:12", or "--set student.epochs" when line is 0. Returns out. */
const char *rti_spec_where(const rti_spec *spec, const char *key, int line, char out[RTI_WHERE_MAX]);

/* The key as the reader wrote it: "distill.alpha" of the row kd is "compare.kd.alpha". Returns out. */
const char *rti_spec_shown(const rti_spec *spec, const char *key, char out[2 * RTI_KEY_MAX]);

/* The number of the axis with that key, or -1. */
int rti_spec_axis(const rti_spec *spec, const char *key);

/* The value that stands at "section.name" in *settings, or NULL when these settings have no such row. */
const rt_value *rti_settings_value(const rti_settings *settings, const char *key);

/* Makes *settings those of the student that learns from the labels alone. */
void rti_settings_labels_only(rti_settings *settings);

/* The settings of assistant `number` (1 ...) at one point of the grid; 0: of the student. */
rt_status rti_spec_resolve_for(const rti_spec *spec, const int value[], int number, rti_settings *settings,
                               rt_error *error) RT_MUST_CHECK;

/* Is the value of this key a list, so that a list of numbers is one value? False also for unknown keys. */
rt_status rti_spec_key_is_list(const rti_spec *spec, const char *key, bool *is_list,
                               rt_error *error) RT_MUST_CHECK;

/* "set = "digits"" and so on, one row per line, sorted by name, without the rows named in `skip`
 * (NULL-terminated; may be NULL) and without empty texts. */
void rti_params_append(rti_text *out, const rt_params *p, const char *const skip[]);

/* ---- rows.c ---- */

/* Fresh tables. `own`: the section's own rows (rti_teacher_rows, rti_assistant_rows), or none. */
void rti_network_table(rt_params *p, const char *model, const rt_param *own, int own_count);
void rti_distill_table(rt_params *p, const char *method);
/* False for "optimizer.beta1" when the optimiser is one that has no beta1. */
bool rti_optimizer_uses(const rt_params *p, const char *row);
bool rti_method_exists(const char *method); /* sums of methods, which stand on no list, too */

/* ---- written.c ---- */

/* RT_SPEC: "demo.toml:12: student.epochs: message". */
rt_status rti_spec_fail(const rti_spec *spec, const char *key, int line, rt_error *error,
                        const char *message);
/* A value in the type it was written in. */
rt_status rti_written_value(const rti_spec *spec, const char *key, const rti_toml_value *toml, int line,
                            rt_value *out, rt_error *error) RT_MUST_CHECK;
/* A list of different values, one after another. */
rt_status rti_written_axis(const rti_spec *spec, const char *key, const rti_toml_value *toml, int line,
                           rti_axis *axis, rt_error *error) RT_MUST_CHECK;
rt_status rti_written_seeds(const rti_spec *spec, const char *key, const rti_toml_value *toml, int line,
                            uint64_t seeds[RTI_SEEDS_MAX], int *count, rt_error *error) RT_MUST_CHECK;
/* Keeps a value; a second one of the same key takes the place of the first. */
rt_status rti_spec_keep(rti_spec *spec, const char *key, const rt_value *value, int line,
                        rt_error *error) RT_MUST_CHECK;
rt_status rti_spec_keep_axis(rti_spec *spec, const rti_axis *axis, int line, rt_error *error) RT_MUST_CHECK;

/* Resolves every point of the grid, and gives the axes' values the types of their rows. */
rt_status rti_spec_check_grid(rti_spec *spec, int points_max, rt_error *error) RT_MUST_CHECK;

/* ---- compare.c ---- */

/* A [compare.label] header, or an inline table. */
rt_status rti_compare_open(rti_spec *spec, const char *label, int line, rt_error *error) RT_MUST_CHECK;
/* "tune.epochs", "kd.alpha": what stands behind "compare.". */
rt_status rti_compare_take(rti_spec *spec, const char *key, const rti_toml_value *toml, int line,
                           rt_error *error) RT_MUST_CHECK;
/* After everything was read: does it go together? Nothing to say about a spec without [compare]. */
rt_status rti_compare_check(const rti_spec *spec, rt_error *error) RT_MUST_CHECK;
/* Then: makes the specs of the rows. */
rt_status rti_compare_make_rows(rti_spec *spec, rt_error *error) RT_MUST_CHECK;

#endif
