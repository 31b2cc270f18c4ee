/* describe_csv.c - what is in a table: separator, header, columns, label.  Floor 6 (data)
 *
 * Guesses are simple, and said: the separator is the first of tab, semicolon and comma that gives at least
 * two columns in every row; the first line holds names when no number stands in it, or when a column of
 * numbers has a word on top; the label is named so, else the last column, else the first, whichever looks
 * like classes. What is guessed is written into the spec, so that nothing is guessed a second time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/describe.h"
#include "formats/csv.h"

#define TABLE_MAX ((size_t)2 << 30)
#define REALS_AS_CLASSES 20 /* more different real numbers than this are a measurement */
#define NARROW (1 << 20)    /* integers in so small a range are counted in a table */
#define ROWS_MIN 10

/* A number that a set can hold. */
static bool number_of(const char *field, double *value) {
    return rti_csv_number(field, value) && isfinite((float)*value);
}

/* ---- separator and header ---- */

static int64_t occurrences(const char *text, size_t length, char separator) {
    int64_t n = 0;
    bool quoted = false;
    for (size_t i = 0; i < length && (quoted || text[i] != '\n'); i++) {
        quoted ^= text[i] == '"';
        n += !quoted && text[i] == separator;
    }
    return n;
}

/* When no separator divides every row alike, the one that is most often in the first line says why. */
static rt_status parse(rti_csv *csv, const rti_bytes *bytes, const char *path, char *separator,
                       rt_error *error) {
    static const char separators[] = "\t;,";
    const char *text = (const char *)bytes->data;
    for (int i = 0; i < 3; i++) {
        *separator = separators[i];
        rt_status status = rti_csv_parse(csv, text, bytes->count, *separator, path, error);
        if (status == RT_MEMORY) return status;
        if (status == RT_OK && csv->columns > 1) return RT_OK;
        rti_csv_deinit(csv);
    }
    for (int i = 0; i < 2; i++)
        if (occurrences(text, bytes->count, separators[i]) > occurrences(text, bytes->count, *separator))
            *separator = separators[i];
    RT_TRY(rti_csv_parse(csv, text, bytes->count, *separator, path, error));
    rti_csv_deinit(csv);
    return rt_fail(error, RT_FORMAT,
                   "%s: one column only. Numbers and a label are needed, separated by commas, semicolons or "
                   "tabs",
                   path);
}

/* Are all fields of the column below the first number or missing, and one of them a number? */
static bool numbers_below(const rti_csv *csv, int column) {
    bool any = false;
    double value;
    for (int64_t r = 1; r < csv->rows; r++) {
        const char *field = rti_csv_field(csv, r, column);
        if (rti_csv_number(field, &value))
            any = true;
        else if (!rti_csv_missing(field))
            return false;
    }
    return any;
}

static bool first_line_is_header(const rti_csv *csv) {
    bool any_number = false, all_there = true, word_on_numbers = false;
    double value;
    for (int c = 0; c < csv->columns; c++) {
        const char *field = rti_csv_field(csv, 0, c);
        bool number = rti_csv_number(field, &value), missing = rti_csv_missing(field);
        any_number = any_number || number;
        all_there = all_there && !missing;
        if (!number && !missing && !word_on_numbers) word_on_numbers = numbers_below(csv, c);
    }
    return !any_number || (all_there && word_on_numbers);
}

/* ---- columns ---- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What a column is worked out in: one entry a row. */
typedef struct scratch {
    double *values;
    const char **fields;
    unsigned char *seen;
} scratch;

/* In one pass: missing, words, range, and the type. Fills s->values and s->fields; returns how many. */
static int64_t column_pass(const rti_csv *csv, int64_t first, int c, rti_column *column, scratch *s) {
    int64_t n = 0;
    bool whole = true;
    for (int64_t r = first; r < csv->rows; r++) {
        const char *field = rti_csv_field(csv, r, c);
        double value;
        if (rti_csv_missing(field)) {
            if (!column->missing++) column->missing_line = csv->lines[r];
            continue;
        }
        s->fields[n] = field;
        if (number_of(field, &value)) {
            if (n == column->words || value < column->low) column->low = value;
            if (n == column->words || value > column->high) column->high = value;
            whole = whole && value == floor(value) && fabs(value) < 9e15;
            s->values[n - column->words] = value;
        } else if (!column->words++) {
            column->word_line = csv->lines[r];
            snprintf(column->word, sizeof column->word, "%s", field);
        }
        n++;
    }
    column->type = n == 0          ? RTI_COLUMN_EMPTY
                   : column->words ? RTI_COLUMN_TEXT
                   : whole         ? RTI_COLUMN_INTEGER
                                   : RTI_COLUMN_REAL;
    return n;
}

static int64_t distinct_count(const rti_column *column, scratch *s, int64_t n) {
    int64_t distinct = 0;
    if (column->type == RTI_COLUMN_INTEGER && column->high - column->low < NARROW) {
        memset(s->seen, 0, NARROW);
        for (int64_t i = 0; i < n; i++) {
            unsigned char *seen = &s->seen[(size_t)(s->values[i] - column->low)];
            distinct += !*seen;
            *seen = 1;
        }
        return distinct;
    }
    if (column->type == RTI_COLUMN_TEXT) {
        qsort(s->fields, (size_t)n, sizeof *s->fields, by_bytes);
        for (int64_t i = 0; i < n; i++) distinct += i == 0 || strcmp(s->fields[i - 1], s->fields[i]) != 0;
        return distinct;
    }
    qsort(s->values, (size_t)n, sizeof *s->values, by_value);
    for (int64_t i = 0; i < n; i++) distinct += i == 0 || s->values[i - 1] != s->values[i];
    return distinct;
}

/* ---- the label ---- */

static bool looks_like_classes(const rti_description *d, int c) {
    const rti_column *column = &d->column[c];
    if (column->distinct < 2 || column->distinct > RTI_CLASSES_MAX) return false;
    if (column->type == RTI_COLUMN_REAL && column->distinct > REALS_AS_CLASSES) return false;
    return 2 * column->distinct <= d->rows;
}

static void guess_label(rti_description *d) {
    static const char *const names[] = {"label", "class", "target", "y"};
    const int ends[] = {d->column_count - 1, 0};
    d->label = -1;
    for (int i = 0; i < 4; i++)
        for (int c = 0; d->header && c < d->column_count; c++)
            if (strcasecmp(d->column[c].name, names[i]) == 0 && looks_like_classes(d, c)) {
                d->label = c;
                d->label_why = "by its name";
                return;
            }
    for (int i = 0; i < 2; i++)
        if (looks_like_classes(d, ends[i])) {
            d->label = ends[i];
            d->label_why = i ? "the first column; the last is none" : "the last column";
            return;
        }
}

/* As csv.label is read: a name when it stands in the first line, else a number from 1, or -1. */
static rt_status find_label(rti_description *d, const rti_csv *csv, const char *label, rt_error *error) {
    double number;
    d->label = d->header ? rti_csv_column(csv, label) : -1;
    d->label_why = "as you said";
    if (d->label >= 0) return RT_OK;
    if (rti_csv_number(label, &number) && number == floor(number) && number != 0 && number >= -1 &&
        number <= d->column_count) {
        d->label = number < 0 ? d->column_count - 1 : (int)number - 1;
        return RT_OK;
    }
    const char *names[256];
    int count = 0;
    for (; d->header && count < 256 && count < d->column_count; count++)
        names[count] = rti_csv_field(csv, 0, count);
    const char *near = rt_nearest_word(label, names, count);
    return rt_fail(error, RT_SPEC, "%s: there is no column \"%s\" among its %d%s%s%s", d->given, label,
                   d->column_count, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* A text that csv_set.c finds the same column by; "" when there is none. */
static void label_text(rti_description *d, const rti_csv *csv) {
    snprintf(d->label_text, sizeof d->label_text, "%d", d->label + 1);
    if (!d->header) return;
    const char *name = rti_csv_field(csv, 0, d->label);
    bool plain = *name && strlen(name) < sizeof d->label_text;
    for (const char *p = name; plain && *p; p++) plain = *p >= ' ' && *p <= '~';
    if (plain && rti_csv_column(csv, name) == d->label)
        snprintf(d->label_text, sizeof d->label_text, "%s", name);
    else if (rti_csv_column(csv, d->label_text) >= 0)
        d->label_text[0] = 0;
}

/* Classes in the order csv_set.c gives them: by value when all are numbers, else by their bytes. */
static rt_status count_classes(rti_description *d, const rti_csv *csv, scratch *s, rt_error *error) {
    rti_column again = {0}, *column = &d->column[d->label];
    if (column->distinct > RTI_CLASSES_MAX) return RT_OK;
    int64_t n = column_pass(csv, d->header, d->label, &again, s);
    bool text = column->type == RTI_COLUMN_TEXT;
    if (text)
        qsort(s->fields, (size_t)n, sizeof *s->fields, by_bytes);
    else
        qsort(s->values, (size_t)n, sizeof *s->values, by_value);
    d->class_counts = rt_alloc_zero((size_t)column->distinct, sizeof *d->class_counts);
    if (!d->class_counts) return rt_fail(error, RT_MEMORY, "%s: no memory for its classes", d->given);
    for (int64_t i = 0; i < n; i++) {
        bool same = i > 0 &&
                    (text ? !strcmp(s->fields[i - 1], s->fields[i]) : s->values[i - 1] == s->values[i]);
        if (!same) {
            rti_class_count *next = &d->class_counts[d->class_count++];
            if (text)
                snprintf(next->name, sizeof next->name, "%s", s->fields[i]);
            else
                snprintf(next->name, sizeof next->name, "%.10g", s->values[i]);
        }
        d->class_counts[d->class_count - 1].count++;
    }
    return RT_OK;
}

/* ---- what stands in the way ---- */

static const char *shown(const rti_description *d, int c, char out[80]) {
    if (d->column[c].name[0])
        snprintf(out, 80, "column %d (%s)", c + 1, d->column[c].name);
    else
        snprintf(out, 80, "column %d", c + 1);
    return out;
}

static bool has_decimal_comma(const char *word) {
    size_t whole = strspn(word, "+-0123456789");
    return whole && word[whole] == ',' && strspn(word + whole + 1, "0123456789") == strlen(word + whole + 1);
}

static void column_problems(rti_description *d, int c) {
    const rti_column *column = &d->column[c];
    char name[80];
    shown(d, c, name);
    if (column->missing)
        rti_text_printf(
            &d->problems,
            "%s lacks %lld value%s, the first in line %lld: fill them in or leave those rows out\n", name,
            (long long)column->missing, column->missing == 1 ? "" : "s", (long long)column->missing_line);
    if (c == d->label || !column->words) return;
    const char *what =
        has_decimal_comma(column->word)
            ? "write decimal points instead of commas"
            : "code it as numbers (a column of 0 and 1 for each value), or take the column out";
    rti_text_printf(&d->problems, "%s holds %s, \"%s\" in line %lld: %s\n", name,
                    d->column[c].words * 2 > d->rows ? "text" : "text among its numbers", column->word,
                    (long long)column->word_line, what);
}

static void label_problems(rti_description *d) {
    char name[80];
    const rti_column *column = d->label < 0 ? NULL : &d->column[d->label];
    if (!column) {
        const rti_column *last = &d->column[d->column_count - 1];
        rti_text_printf(
            &d->problems,
            "no label was found: %s has %lld different values in %lld rows, which are no classes. "
            "Say which column holds the classes with --label NAME (or its number)\n",
            shown(d, d->column_count - 1, name), (long long)last->distinct, (long long)d->rows);
    } else if (!looks_like_classes(d, d->label)) {
        rti_text_printf(
            &d->problems,
            "the label, %s, has %lld different value%s in %lld rows: those are no classes (2 to %d, "
            "two rows of each at least). Say another column with --label\n",
            shown(d, d->label, name), (long long)column->distinct, column->distinct == 1 ? "" : "s",
            (long long)d->rows, RTI_CLASSES_MAX);
    } else if (!d->label_text[0]) {
        rti_text_printf(&d->problems, "the label, %s, cannot be told by name or number: rename it\n",
                        shown(d, d->label, name));
    }
}

static void judge(rti_description *d) {
    int constant = 0, numbered = -1;
    char name[80];
    label_problems(d);
    for (int c = 0; c < d->column_count; c++) column_problems(d, c);
    if (d->rows < ROWS_MIN)
        rti_text_printf(&d->problems,
                        "%lld rows are too few to train, choose and test on; %d are the least: add rows\n",
                        (long long)d->rows, ROWS_MIN);
    for (int c = 0; c < d->column_count; c++) {
        const rti_column *column = &d->column[c];
        bool counts = column->type == RTI_COLUMN_INTEGER && column->distinct == d->rows &&
                      column->high - column->low == (double)(d->rows - 1) && d->rows >= ROWS_MIN;
        if (counts && numbered < 0 && c != d->label) numbered = c;
        if (column->distinct != 1 || c == d->label) continue;
        if (constant++ < 8)
            rti_text_printf(&d->notes, "%s%s", constant == 1 ? "constant: " : ", ", shown(d, c, name));
    }
    if (constant > 8) rti_text_printf(&d->notes, " and %d more", constant - 8);
    if (constant) rti_text_printf(&d->notes, " (they tell nothing, and do no harm)\n");
    if (numbered >= 0)
        rti_text_printf(
            &d->notes,
            "%s has the values %.0f to %.0f, each once: a row number tells nothing about new rows, "
            "better take it out\n",
            shown(d, numbered, name), d->column[numbered].low, d->column[numbered].high);
}

/* ---- the whole ---- */

static rt_status columns_describe(rti_description *d, const rti_csv *csv, const char *label, scratch *s,
                                  rt_error *error) {
    for (int c = 0; c < d->column_count; c++) {
        rti_column *column = &d->column[c];
        if (d->header) snprintf(column->name, sizeof column->name, "%s", rti_csv_field(csv, 0, c));
        int64_t n = column_pass(csv, d->header, c, column, s);
        column->distinct = distinct_count(column, s, n);
    }
    if (label)
        RT_TRY(find_label(d, csv, label, error));
    else
        guess_label(d);
    if (d->label >= 0) {
        label_text(d, csv);
        RT_TRY(count_classes(d, csv, s, error));
    }
    judge(d);
    return RT_OK;
}

rt_status rti_describe_table(rti_description *d, const char *path, const char *label, rt_error *error) {
    rti_bytes bytes;
    rti_csv csv;
    RT_TRY(rti_file_read(path, TABLE_MAX, &bytes, error));
    rt_status status = parse(&csv, &bytes, path, &d->separator, error);
    rt_free(bytes.data);
    RT_TRY(status);
    d->what = RTI_DESCRIBED_TABLE;
    d->header = first_line_is_header(&csv);
    d->rows = csv.rows - d->header;
    d->column_count = csv.columns;
    d->features = csv.columns - 1;
    scratch s = {rt_alloc((size_t)csv.rows * sizeof *s.values), rt_alloc((size_t)csv.rows * sizeof *s.fields),
                 rt_alloc(NARROW)};
    d->column = rt_alloc_zero((size_t)csv.columns, sizeof *d->column);
    if (!s.values || !s.fields || !s.seen || !d->column)
        status = rt_fail(error, RT_MEMORY, "%s: no memory for its columns", path);
    else if (d->rows == 0)
        status = rt_fail(error, RT_FORMAT, "%s: a header and no rows", path);
    else
        status = columns_describe(d, &csv, label, &s, error);
    rt_free(s.values);
    rt_free(s.fields);
    rt_free(s.seen);
    rti_csv_deinit(&csv);
    return status;
}
