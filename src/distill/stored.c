/* stored.c - see stored.h.                                             Floor 7 (distill) */
#include "distill/stored.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/csv.h"
#include "formats/npy.h"
#include "retort/alloc.h"

#define SUM_TOLERANCE 1e-3

/* Either kind of file, as rows of numbers. */
typedef struct source {
    const char *path;
    bool is_csv;
    rti_npy npy;
    rti_csv csv;
    int64_t first; /* row of the CSV in which the numbers begin: 1 with names above them */
} source;

static void source_close(source *s) {
    if (s->is_csv)
        rti_csv_deinit(&s->csv);
    else
        rti_npy_deinit(&s->npy);
}

static bool ends_in(const char *path, const char *ending) {
    const size_t length = strlen(path), n = strlen(ending);
    return length >= n && strcmp(path + length - n, ending) == 0;
}

static bool holds_a_number(const rti_csv *csv) {
    double value;
    for (int c = 0; csv->rows && c < csv->columns; c++)
        if (rti_csv_number(rti_csv_field(csv, 0, c), &value)) return true;
    return false;
}

static rt_status source_open(source *s, const char *path, rt_error *error) {
    *s = (source){.path = path, .is_csv = ends_in(path, ".csv")};
    if (!s->is_csv) return rti_npy_read(&s->npy, path, error);
    RT_TRY(rti_csv_read(&s->csv, path, ',', error));
    s->first = s->csv.rows && !holds_a_number(&s->csv);
    return RT_OK;
}

/* As many rows as examples, as many columns as classes. */
static rt_status check_extents(const source *s, const rt_examples *e, rt_error *error) {
    const rti_npy *a = &s->npy;
    if (!s->is_csv && a->ndim != 2)
        return rt_fail(error, RT_SHAPE, "%s: has %d dimensions; answers have two, (examples, classes).",
                       s->path, a->ndim);
    if (!s->is_csv && !rti_npy_is_float(a->dtype))
        return rt_fail(error, RT_FORMAT,
                       "%s: holds %s; answers are float16, float32 or float64 (labels teach nothing that the "
                       "set does not know).",
                       s->path, rti_npy_name(a->dtype));
    const int64_t rows = s->is_csv ? s->csv.rows - s->first : a->shape[0];
    const int64_t columns = s->is_csv ? s->csv.columns : a->shape[1];
    if (rows != e->count)
        return rt_fail(
            error, RT_SHAPE,
            "%s: has %lld rows, the set has %lld examples there: one row for each, in the order of "
            "the set's files and with those that are held out for validation.",
            s->path, (long long)rows, (long long)e->count);
    if (columns != e->classes)
        return rt_fail(error, RT_SHAPE, "%s: has %lld columns, the set has %d classes: one column for each.",
                       s->path, (long long)columns, e->classes);
    return RT_OK;
}

static rt_status number(const source *s, int64_t row, int64_t column, double *x, rt_error *error) {
    if (s->is_csv) {
        const char *field = rti_csv_field(&s->csv, row + s->first, (int)column);
        if (rti_csv_number(field, x)) return RT_OK;
        return rt_fail(error, RT_FORMAT, "%s:%lld: row %lld: \"%.40s\" in column %lld is no finite number.",
                       s->path, (long long)s->csv.lines[row + s->first], (long long)row + 1, field,
                       (long long)column + 1);
    }
    *x = rti_npy_value(&s->npy, row * s->npy.shape[1] + column);
    if (isfinite(*x) && isfinite((double)(rt_real)*x)) return RT_OK;
    return rt_fail(error, RT_NOT_FINITE, "%s: row %lld, column %lld (both from 1) is %g, no finite number.",
                   s->path, (long long)row + 1, (long long)column + 1, *x);
}

/* p -> log max(p, floor): with the floor one class that can not be weighs e^-27.6, and no row is infinite. */
static rt_status to_logits(const source *s, int64_t row, int64_t K, rt_real *p, rt_error *error) {
    double sum = 0;
    for (int64_t k = 0; k < K; k++) {
        if (p[k] < 0)
            return rt_fail(error, RT_VALUE,
                           "%s: row %lld has the probability %g in column %lld; are they logits?", s->path,
                           (long long)row + 1, (double)p[k], (long long)k + 1);
        sum += (double)p[k];
    }
    if (!(fabs(sum - 1) <= SUM_TOLERANCE))
        return rt_fail(error, RT_VALUE,
                       "%s: the probabilities of row %lld sum to %.6g, not to 1 within %g; are they logits?",
                       s->path, (long long)row + 1, sum, SUM_TOLERANCE);
    for (int64_t k = 0; k < K; k++) p[k] = (rt_real)log(fmax((double)p[k], RT_PROBABILITY_FLOOR));
    return RT_OK;
}

static rt_status take(const source *s, rt_answer_form form, int64_t N, int64_t K, rt_real *logits,
                      rt_error *error) {
    for (int64_t n = 0; n < N; n++) {
        for (int64_t k = 0; k < K; k++) {
            double x;
            RT_TRY(number(s, n, k, &x, error));
            logits[n * K + k] = (rt_real)x;
        }
        if (form == RT_ANSWERS_PROBABILITIES) RT_TRY(to_logits(s, n, K, logits + n * K, error));
    }
    return RT_OK;
}

rt_status rti_stored_read(rti_stored *stored, const char *path, rt_answer_form form, const rt_examples *e,
                          rt_error *error) {
    RT_ASSERT(stored->tables < RTI_STORED_TABLES, "more than %d tables of answers", RTI_STORED_TABLES);
    source s;
    RT_TRY(source_open(&s, path, error));
    rt_status status = check_extents(&s, e, error);
    rt_real *logits = status == RT_OK ? rt_alloc_zero((size_t)e->count, (size_t)e->classes * sizeof *logits)
                                      : NULL;
    if (status == RT_OK)
        status = logits ? take(&s, form, e->count, e->classes, logits, error)
                        : rt_fail(error, RT_MEMORY, "%s: no memory for %lld rows", path, (long long)e->count);
    source_close(&s);
    if (status != RT_OK) {
        rt_free(logits);
        return status;
    }
    if (!stored->tables) snprintf(stored->name, sizeof stored->name, "%s", path);
    stored->K = e->classes;
    stored->table[stored->tables].examples = e;
    stored->table[stored->tables++].logits = logits;
    return RT_OK;
}

void rti_stored_deinit(rti_stored *stored) {
    for (int i = 0; i < stored->tables; i++) rt_free(stored->table[i].logits);
    stored->tables = 0;
}

const rt_real *rti_stored_logits(const rti_stored *stored, const rt_examples *examples) {
    for (int i = 0; i < stored->tables; i++)
        if (stored->table[i].examples == examples) return stored->table[i].logits;
    return NULL;
}

void rti_stored_hash(const rti_stored *stored, rti_hash *hash) {
    for (int i = 0; i < stored->tables; i++) {
        const int64_t extents[2] = {stored->table[i].examples->count, stored->K};
        rti_hash_add(hash, extents, sizeof extents);
        rti_hash_add(hash, stored->table[i].logits, (size_t)(extents[0] * extents[1]) * sizeof(rt_real));
    }
}
