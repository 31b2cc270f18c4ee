/* arrays.c - see arrays.h.                                             Floor 6 (data) */
#include "data/arrays.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

rt_status rti_array_read(rti_array_format format, const char *path, rti_npy *out, rt_error *error) {
    if (format == RTI_ARRAY_NPY) return rti_npy_read(out, path, error);
    rti_idx idx;
    *out = (rti_npy){0};
    RT_TRY(rti_idx_read(path, &idx, error));
    *out = (rti_npy){.dtype = RTI_NPY_U1,
                     .ndim = idx.ndim,
                     .count = 1,
                     .item_bytes = 1,
                     .data = idx.bytes,
                     .offset = idx.bytes - idx.file.data,
                     .memory = idx.file.data};
    for (int d = 0; d < idx.ndim; d++) {
        out->shape[d] = idx.shape[d];
        out->count *= idx.shape[d];
    }
    return RT_OK;
}

/* ---- numbers ---- */

rt_status rti_array_form(const char *path, const rti_npy *x, rt_examples *out, rt_error *error) {
    if (x->ndim == 1)
        return rt_fail(error, RT_FORMAT, "%s: has one dimension, as a label file has; images have 2 to 4",
                       path);
    if (x->ndim < 2 || x->ndim > 4)
        return rt_fail(error, RT_FORMAT,
                       "%s: has %d dimensions; (N,D), (N,H,W) and (N,C,H,W) are read: reshape it", path,
                       x->ndim);
    if (x->count == 0) return rt_fail(error, RT_FORMAT, "%s: is empty, an extent of its shape is 0", path);
    if (x->shape[0] > INT32_MAX) return rt_fail(error, RT_FORMAT, "%s: more than 2147483647 examples", path);
    const int64_t *s = x->shape;
    if (x->ndim == 4 && (s[3] == 1 || s[3] == 3 || s[3] == 4) && s[1] > 4 && s[2] > 4)
        return rt_fail(error, RT_FORMAT,
                       "%s: the shape (%lld,%lld,%lld,%lld) looks like images with the channels last; they "
                       "come first here, (N,C,H,W): np.save(\"x.npy\", np.ascontiguousarray("
                       "x.transpose(0, 3, 1, 2)))",
                       path, (long long)s[0], (long long)s[1], (long long)s[2], (long long)s[3]);
    *out = (rt_examples){.count = s[0], .features = 1, .scale = 1};
    if (x->ndim == 3) out->shape[out->ndim++] = 1;
    for (int d = 1; d < x->ndim; d++) {
        out->shape[out->ndim++] = s[d];
        out->features *= s[d];
    }
    return RT_OK;
}

/* "[12, 0, 3]": where number i stands. */
static const char *place(const rti_npy *x, int64_t i, char out[128]) {
    int64_t index[RT_MAX_DIMS];
    size_t at = 0;
    for (int d = x->ndim - 1; d >= 0; d--) {
        index[d] = i % x->shape[d];
        i /= x->shape[d];
    }
    for (int d = 0; d < x->ndim; d++)
        at += (size_t)snprintf(out + at, 128 - at, "%s%lld", d ? ", " : "[", (long long)index[d]);
    snprintf(out + at, 128 - at, "]");
    return out;
}

/* Takes over what *x lies in when its bytes can stay. */
static rt_status numbers_take(const char *path, rti_npy *x, rti_source *source, rt_examples *out,
                              rt_error *error) {
    if (x->dtype == RTI_NPY_U1) {
        rti_source_keep(source, x->memory);
        x->memory = NULL;
        out->bytes = x->data;
        out->scale = 1.0 / 255;
        return RT_OK;
    }
    float *values = rt_alloc((size_t)x->count * sizeof *values);
    if (!values)
        return rt_fail(error, RT_MEMORY, "%s: no memory for %lld numbers", path, (long long)x->count);
    rti_source_keep(source, values);
    for (int64_t i = 0; i < x->count; i++) {
        double value = rti_npy_value(x, i);
        char at[128];
        if (!isfinite((float)value))
            return rt_fail(error, RT_FORMAT,
                           "%s: the number at %s is %g; finite numbers are needed: fill it in "
                           "(np.nan_to_num) or leave the example out",
                           path, place(x, i, at), value);
        values[i] = (float)value;
    }
    out->values = values;
    return RT_OK;
}

/* ---- labels ---- */

rt_status rti_array_is_labels(const char *path, const rti_npy *y, rt_error *error) {
    if (y->ndim == 2 && y->shape[1] > 1)
        return rt_fail(error, RT_FORMAT,
                       "%s: has 2 dimensions, (%lld,%lld); a label file has one, with a class number for "
                       "each example: np.save(\"y.npy\", y.argmax(axis=1)) makes it of one column per class",
                       path, (long long)y->shape[0], (long long)y->shape[1]);
    if (y->ndim != 1 && y->ndim != 2)
        return rt_fail(error, RT_FORMAT, "%s: has %d dimensions; a label file has one", path, y->ndim);
    if (rti_npy_is_float(y->dtype))
        return rt_fail(error, RT_FORMAT,
                       "%s: holds %s; labels are whole numbers: np.save(\"y.npy\", y.astype(\"int64\"))",
                       path, rti_npy_name(y->dtype));
    return RT_OK;
}

static rt_status labels_convert(const char *path, const rti_npy *labels, int classes, int32_t *to,
                                rt_examples *out, rt_error *error) {
    int limit = classes > 0 ? classes : RTI_CLASSES_MAX, largest = 0;
    for (int64_t i = 0; i < labels->count; i++) {
        double label = rti_npy_value(labels, i);
        if (!(label >= 0 && label < limit))
            return rt_fail(error, RT_FORMAT, "%s: label %lld (at byte %lld) is %.0f; 0 to %d is possible",
                           path, (long long)i, (long long)labels->offset + i * labels->item_bytes, label,
                           limit - 1);
        to[i] = (int32_t)label;
        if (to[i] > largest) largest = to[i];
    }
    if (classes == 0 && largest == 0)
        return rt_fail(error, RT_FORMAT, "%s: every label is 0; two classes are needed at least", path);
    out->labels = to;
    out->classes = classes > 0 ? classes : largest + 1;
    return RT_OK;
}

static rt_status labels_read(rti_array_format format, const char *x, const char *y, int classes,
                             rti_source *source, rt_examples *out, rt_error *error) {
    rti_npy labels;
    RT_TRY(rti_array_read(format, y, &labels, error));
    rt_status status = rti_array_is_labels(y, &labels, error);
    if (status == RT_OK && labels.count != out->count)
        status = rt_fail(
            error, RT_FORMAT, "%s has %lld %s and %s has %lld labels; they do not belong together", x,
            (long long)out->count, out->ndim == 3 ? "images" : "rows", y, (long long)labels.count);
    int32_t *to = status == RT_OK ? rt_alloc((size_t)labels.count * sizeof *to) : NULL;
    rti_source_keep(source, to);
    if (status == RT_OK && !to) status = rt_fail(error, RT_MEMORY, "%s: no memory for the labels", y);
    if (status == RT_OK) status = labels_convert(y, &labels, classes, to, out, error);
    rti_npy_deinit(&labels);
    return status;
}

/* ---- both ---- */

rt_status rti_array_examples_of(const rti_array_format format[2], const char *x, const char *y, int classes,
                                rti_source *source, rt_examples *out, rt_error *error) {
    rti_npy numbers;
    RT_TRY(rti_array_read(format[0], x, &numbers, error));
    rt_status status = rti_array_form(x, &numbers, out, error);
    if (status == RT_OK) status = numbers_take(x, &numbers, source, out, error);
    rti_npy_deinit(&numbers);
    RT_TRY(status);
    return labels_read(format[1], x, y, classes, source, out, error);
}

rt_status rti_array_examples(rti_array_format format, const char *x, const char *y, int classes,
                             rti_source *source, rt_examples *out, rt_error *error) {
    const rti_array_format both[2] = {format, format};
    return rti_array_examples_of(both, x, y, classes, source, out, error);
}

bool rti_same_form(const rt_examples *a, const rt_examples *b) {
    bool same = a->ndim == b->ndim && (a->bytes != NULL) == (b->bytes != NULL);
    for (int d = 0; same && d < a->ndim; d++) same = a->shape[d] == b->shape[d];
    return same;
}

/* "(1,28,28), bytes" */
static const char *form_text(const rt_examples *e, char out[160]) {
    size_t at = 0;
    for (int d = 0; d < e->ndim; d++)
        at += (size_t)snprintf(out + at, 160 - at, "%s%lld", d ? "," : "(", (long long)e->shape[d]);
    snprintf(out + at, 160 - at, "), %s", e->bytes ? "bytes" : "floats");
    return out;
}

rt_status rti_test_check(const rti_source *source, const char *test_path, rt_error *error) {
    char train[160], test[160];
    if (rti_same_form(&source->train, &source->test)) return RT_OK;
    return rt_fail(error, RT_FORMAT,
                   "%s: a test example is %s, a training example %s; both must have the same shape and dtype",
                   test_path, form_text(&source->test, test), form_text(&source->train, train));
}
