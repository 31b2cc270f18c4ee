/* csv_set.c - a table of numbers with a label column.                  Floor 6 (data)
 *
 * Classes are the distinct labels of the training file, in the order of their numbers (all labels are
 * numbers) or of their bytes. Nothing is filled in: a missing value is refused with its line. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "formats/csv.h"

static const rt_param rows[] = {
    RT_PARAM_TEXT_ROW("csv.train", "", "path of the training file"),
    RT_PARAM_TEXT_ROW("csv.test", "",
                      "path of the test file; \"\" holds out csv.holdout of the training file"),
    RT_PARAM_REAL_ROW("csv.holdout", 0.2, 0.001, 0.999, "",
                      "fraction of the rows held out as the test set when there is no csv.test"),
    RT_PARAM_CHOICE_ROW("csv.header", "auto", "auto|yes|no",
                        "first line holds names; auto: it holds no number"),
    RT_PARAM_TEXT_ROW("csv.label", "-1", "label column: a name, or a number from 1; -1 is the last"),
    RT_PARAM_CHOICE_ROW("csv.separator", "comma", "comma|semicolon|tab", "what separates fields"),
    RT_PARAM_BOOL_ROW("csv.standardise", 1,
                      "mean 0 and deviation 1 per column, fitted on the train part alone"),
};

/* One parsed file with what was found out about it. */
typedef struct table {
    rti_csv csv;
    char path[RTI_PATH_MAX];
    int first; /* row the data starts with: 1 with a header */
    int label; /* column */
} table;

static int64_t table_count(const table *t) { return t->csv.rows - t->first; }

static const char *column_name(const table *t, int column, char buffer[64]) {
    if (t->first) snprintf(buffer, 64, "column %d (%.40s)", column + 1, rti_csv_field(&t->csv, 0, column));
    else snprintf(buffer, 64, "column %d", column + 1);
    return buffer;
}

static bool holds_a_number(const rti_csv *csv, int64_t row) {
    double value;
    for (int c = 0; c < csv->columns; c++)
        if (rti_csv_number(rti_csv_field(csv, row, c), &value)) return true;
    return false;
}

/* A name when it stands in the first line, else a number from 1 or -1. */
static rt_status layout_find(const rt_params *options, table *t, rt_error *error) {
    const char *header = rt_params_text(options, "csv.header"), *label = rt_params_text(options, "csv.label");
    double number;
    bool is_number = rti_csv_number(label, &number);
    if (t->csv.rows == 0) return rt_fail(error, RT_FORMAT, "%s: is empty", t->path);
    t->first = strcmp(header, "yes") == 0 || (strcmp(header, "auto") == 0 && !holds_a_number(&t->csv, 0));
    if (t->csv.columns < 2)
        return rt_fail(error, RT_FORMAT,
                       "%s:1: one column only; a label and at least one number are needed. Is "
                       "csv.separator right?",
                       t->path);
    t->label = t->first || !is_number ? rti_csv_column(&t->csv, label) : -1;
    if (t->label >= 0) t->first = 1;
    else if (!is_number)
        return rt_fail(error, RT_SPEC, "%s: csv.label: no column is named \"%s\" in the first line", t->path,
                       label);
    else if (number == -1) t->label = t->csv.columns - 1;
    else if (number >= 1 && number <= t->csv.columns && number == floor(number)) t->label = (int)number - 1;
    else
        return rt_fail(error, RT_SPEC,
                       "%s: csv.label is %s; the file has the columns 1 to %d (-1 for the last)", t->path,
                       label, t->csv.columns);
    if (table_count(t) < 1) return rt_fail(error, RT_FORMAT, "%s: a header and no rows", t->path);
    if (table_count(t) > INT32_MAX)
        return rt_fail(error, RT_FORMAT, "%s: more than 2147483647 rows", t->path);
    return RT_OK;
}

static rt_status table_read(const rt_params *options, const char *given, const char *directory, table *t,
                            rt_error *error) {
    static const char *const words[] = {"comma", "semicolon", "tab"};
    memset(t, 0, sizeof *t);
    char separator = ',';
    for (int i = 0; i < 3; i++)
        if (strcmp(rt_params_text(options, "csv.separator"), words[i]) == 0) separator = ",;\t"[i];
    RT_TRY(rti_data_path(given, directory, t->path, error));
    RT_TRY(rti_csv_read(&t->csv, t->path, separator, error));
    rt_status status = layout_find(options, t, error);
    if (status != RT_OK) rti_csv_deinit(&t->csv);
    return status;
}

/* ---- numbers ---- */

static rt_status number_read(const table *t, int64_t row, int column, float *out, rt_error *error) {
    const char *field = rti_csv_field(&t->csv, row, column);
    char name[64];
    double value;
    if (rti_csv_number(field, &value) && isfinite((float)value)) {
        *out = (float)value;
        return RT_OK;
    }
    long long line = (long long)t->csv.lines[row];
    if (rti_csv_missing(field))
        return rt_fail(error, RT_FORMAT, "%s:%lld: %s is missing; fill it in or leave the row out", t->path,
                       line, column_name(t, column, name));
    return rt_fail(error, RT_FORMAT,
                   "%s:%lld: %s is \"%.40s\"; a finite number is needed (text has to be coded as "
                   "numbers, the label column is csv.label)",
                   t->path, line, column_name(t, column, name), field);
}

static rt_status values_read(const table *t, rti_source *source, rt_examples *out, rt_error *error) {
    int64_t D = t->csv.columns - 1, count = table_count(t);
    float *values = rt_alloc((size_t)(count * D) * sizeof *values);
    if (!values) return rt_fail(error, RT_MEMORY, "%s: no memory for %lld rows", t->path, (long long)count);
    rti_source_keep(source, values);
    for (int64_t i = 0; i < count; i++) {
        float *to = values + i * D;
        for (int c = 0; c < t->csv.columns; c++)
            if (c != t->label) RT_TRY(number_read(t, i + t->first, c, to++, error));
    }
    *out = (rt_examples){
        .count = count, .ndim = 1, .shape = {D}, .features = D, .values = values, .scale = 1};
    return RT_OK;
}

/* ---- classes ---- */

/* Orders of labels: by value when all are numbers, else by their bytes. */
static int by_number(const void *a, const void *b) {
    double x = 0, y = 0;
    bool ok = rti_csv_number(*(const char *const *)a, &x) && rti_csv_number(*(const char *const *)b, &y);
    RT_ASSERT(ok, "labels are not numbers");
    return (x > y) - (x < y);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

typedef int order_function(const void *, const void *);

static order_function *order_of(const char *const *labels, int64_t count) {
    double value;
    for (int64_t i = 0; i < count; i++)
        if (!rti_csv_number(labels[i], &value)) return by_bytes;
    return by_number;
}

static rt_status label_field(const table *t, int64_t i, const char **out, rt_error *error) {
    int64_t row = i + t->first;
    *out = rti_csv_field(&t->csv, row, t->label);
    if (!rti_csv_missing(*out)) return RT_OK;
    char name[64];
    return rt_fail(error, RT_FORMAT, "%s:%lld: the label, %s, is missing; fill it in or leave the row out",
                   t->path, (long long)t->csv.lines[row], column_name(t, t->label, name));
}

/* The distinct labels of the file in order, copied into a block of the source. */
static rt_status classes_find(const table *t, rti_source *source, int *classes, rt_error *error) {
    int64_t count = table_count(t), distinct = 0;
    const char **labels = rt_alloc((size_t)count * sizeof *labels);
    if (!labels) return rt_fail(error, RT_MEMORY, "%s: no memory for labels", t->path);
    rt_status status = RT_OK;
    for (int64_t i = 0; status == RT_OK && i < count; i++) status = label_field(t, i, &labels[i], error);
    size_t text_bytes = 0;
    if (status == RT_OK) {
        order_function *order = order_of(labels, count);
        qsort(labels, (size_t)count, sizeof *labels, order);
        for (int64_t i = 0; i < count; i++)
            if (i == 0 || order(&labels[i - 1], &labels[i]) != 0) {
                labels[distinct++] = labels[i];
                text_bytes += strlen(labels[i]) + 1;
            }
        if (distinct < 2 || distinct > RTI_CLASSES_MAX)
            status = rt_fail(error, RT_FORMAT,
                             "%s: the label column has %lld distinct values; 2 to %d are possible. "
                             "Is csv.label right?",
                             t->path, (long long)distinct, RTI_CLASSES_MAX);
    }
    const char **names = status == RT_OK ? rt_alloc((size_t)distinct * sizeof *names + text_bytes) : NULL;
    if (status == RT_OK && !names)
        status = rt_fail(error, RT_MEMORY, "%s: no memory for class names", t->path);
    if (status == RT_OK) {
        rti_source_keep(source, names);
        char *to = (char *)(names + distinct);
        for (int64_t k = 0; k < distinct; k++) {
            size_t bytes = strlen(labels[k]) + 1;
            names[k] = memcpy(to, labels[k], bytes);
            to += bytes;
        }
        source->class_names = names;
        *classes = (int)distinct;
    }
    rt_free(labels);
    return status;
}

static rt_status labels_read(const table *t, const char *const *names, int classes, rti_source *source,
                             rt_examples *out, rt_error *error) {
    order_function *order = order_of(names, classes);
    int64_t count = table_count(t);
    int32_t *labels = rt_alloc((size_t)count * sizeof *labels);
    if (!labels) return rt_fail(error, RT_MEMORY, "%s: no memory for labels", t->path);
    rti_source_keep(source, labels);
    for (int64_t i = 0; i < count; i++) {
        const char *label;
        double value;
        RT_TRY(label_field(t, i, &label, error));
        bool comparable = order == by_bytes || rti_csv_number(label, &value);
        const char *const *found =
            comparable ? bsearch(&label, names, (size_t)classes, sizeof *names, order) : NULL;
        if (!found)
            return rt_fail(error, RT_FORMAT,
                           "%s:%lld: the label \"%.40s\" is none of the %d classes of the training "
                           "file",
                           t->path, (long long)t->csv.lines[i + t->first], label, classes);
        labels[i] = (int32_t)(found - names);
    }
    out->labels = labels;
    out->classes = classes;
    return RT_OK;
}

/* ---- test rows ---- */

static rt_status test_read(const rt_params *options, const char *directory, rti_source *out,
                           const table *train, rt_error *error) {
    const char *path = rt_params_text(options, "csv.test");
    if (!*path)
        return rti_hold_out(out, rt_params_real(options, "csv.holdout"), "csv.holdout",
                            (uint64_t)rt_params_int(options, "seed"), error);
    table t;
    RT_TRY(table_read(options, path, directory, &t, error));
    rt_status status = RT_OK;
    if (t.csv.columns != train->csv.columns)
        status = rt_fail(error, RT_FORMAT, "%s has %d columns and %s has %d", t.path, t.csv.columns,
                         train->path, train->csv.columns);
    else if (t.label != train->label)
        status = rt_fail(error, RT_FORMAT, "%s: the label is column %d, in %s it is column %d", t.path,
                         t.label + 1, train->path, train->label + 1);
    if (status == RT_OK) status = values_read(&t, out, &out->test, error);
    if (status == RT_OK)
        status = labels_read(&t, out->class_names, out->train.classes, out, &out->test, error);
    rti_csv_deinit(&t.csv);
    return status;
}

static rt_status read_csv(const rt_params *options, const char *directory, const rti_source *like,
                          rti_source *out, rt_error *error) {
    const char *path = rt_params_text(options, "csv.train");
    if (!*path)
        return rt_fail(error, RT_SPEC, "set \"csv\" needs a path: csv.train%s",
                       like ? " or transfer.csv" : "");
    table t;
    RT_TRY(table_read(options, path, directory, &t, error));
    int classes = like ? like->train.classes : 0;
    out->standardise = rt_params_bool(options, "csv.standardise");
    out->class_names = like ? like->class_names : NULL;
    rt_status status = values_read(&t, out, &out->train, error);
    if (status == RT_OK && !out->class_names) status = classes_find(&t, out, &classes, error);
    if (status == RT_OK) status = labels_read(&t, out->class_names, classes, out, &out->train, error);
    if (status == RT_OK && !like) status = test_read(options, directory, out, &t, error);
    rti_csv_deinit(&t.csv);
    return status;
}

const rti_dataset_kind rti_dataset_kind_csv = {
    .name = "csv",
    .title = "a table of numbers with a label column",
    .files = "the paths csv.train and csv.test, from the current or the data directory",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .read = read_csv,
    .own_files = true,
};
RTI_REGISTER(dataset, csv)
