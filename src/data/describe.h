/* describe.h - what is in a file or a folder of one's own.             Floor 6 (data)
 *
 *     rti_description d;
 *     RT_TRY(rti_describe(&d, "my.csv", NULL, error));
 *     ... d.rows, d.column[i], d.class_counts ...
 *     RT_TRY(rti_describe_spec(&d, "my", &text, error));     a spec to start from
 *     rti_description_deinit(&d);
 *
 * describe.c looks at the file and at arrays, describe_csv.c at tables, describe_spec.c writes the spec. */
#ifndef RTI_DESCRIBE_H
#define RTI_DESCRIBE_H

#include "core/text.h"
#include "data/array_set.h"

typedef enum rti_described { RTI_DESCRIBED_TABLE, RTI_DESCRIBED_ARRAY, RTI_DESCRIBED_FOLDER } rti_described;

/* The narrowest of these that all values of the column have; EMPTY: every value is missing. */
typedef enum rti_column_type {
    RTI_COLUMN_EMPTY,
    RTI_COLUMN_INTEGER,
    RTI_COLUMN_REAL,
    RTI_COLUMN_TEXT
} rti_column_type;

typedef struct rti_column {
    char name[48]; /* of the first line, cut; "" without one */
    rti_column_type type;
    double low, high;              /* of its numbers */
    int64_t distinct;              /* different values; "1" and "1.0" are the same when all are numbers */
    int64_t missing, missing_line; /* how many, line of the first */
    int64_t words, word_line;      /* fields that are no finite number: how many, line of the first */
    char word[48];                 /* the first, cut */
} rti_column;

typedef struct rti_described_array {
    const char *part; /* "training examples"; "" for a single file */
    char path[RTI_PATH_MAX];
    rti_array_format format;
    rti_npy_dtype dtype;
    int ndim;
    int64_t shape[RT_MAX_DIMS];
    bool is_labels;   /* one whole number each */
    double low, high; /* of the finite numbers */
    int64_t not_finite;
} rti_described_array;

typedef struct rti_class_count {
    char name[48];
    int64_t count;
} rti_class_count;

typedef struct rti_description {
    rti_described what;
    char given[RTI_PATH_MAX]; /* the path as the user wrote it, which a spec finds too */
    int64_t rows;             /* examples to train on, those that will be held out included */
    int64_t features;         /* numbers of an example */
    int class_count;          /* 0: no labels */
    rti_class_count *class_counts;
    rti_text problems; /* why it cannot be used as it is, a sentence with what to do a line; or "" */
    rti_text notes;    /* what is worth knowing and stops nobody, likewise */

    /* tables */
    char separator;
    bool header;             /* the first line holds names */
    int column_count, label; /* label: column, or -1 */
    const char *label_why;   /* "the last column" */
    char label_text[64];     /* csv.label in a spec */
    rti_column *column;

    /* arrays and folders */
    int array_count;
    rti_described_array array[4];
    bool images, bytes; /* an example is (C,H,W), else a row; unsigned bytes, else floats */
    int64_t channels;
} rti_description;

/* Looks at `given`, from where we stand, else below the data directory. `label`: name or number (from 1) of
 * a table's label column, NULL to guess. A file that can be read and not be used is no failure: see
 * d->problems. RT_NOT_FOUND, RT_FORMAT, RT_IO, RT_SPEC (no such label), RT_MEMORY; *d is empty then. */
rt_status rti_describe(rti_description *d, const char *given, const char *label,
                       rt_error *error) RT_MUST_CHECK;
void rti_description_deinit(rti_description *d);

/* Appends a complete spec of that name: a teacher, a student, distillation at a few temperatures. `file` is
 * what the spec will be called, for its first lines. RT_FORMAT with the first problem. */
rt_status rti_describe_spec(const rti_description *d, const char *name, const char *file, rti_text *out,
                            rt_error *error) RT_MUST_CHECK;

/* ---- describe_csv.c ---- */

/* Fills *d, which is zero but for given, from the table at `path`. */
rt_status rti_describe_table(rti_description *d, const char *path, const char *label,
                             rt_error *error) RT_MUST_CHECK;

#endif
