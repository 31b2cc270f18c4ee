/* raw.c - see raw.h.                                                    Floor 6 (data) */
#include "data/raw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/pnm.h"

/* ---- shapes ---- */

/* "28 x 28" */
static const char *sizes_text(int ndim, const int64_t shape[], char out[RT_SHAPE_TEXT]) {
    size_t length = 0;
    out[0] = 0;
    for (int i = 0; i < ndim; i++)
        length += (size_t)snprintf(out + length, RT_SHAPE_TEXT - length, "%s%lld", i ? " x " : "",
                                   (long long)shape[i]);
    return out;
}

/* Without the extents that are 1. */
static int squeeze(int ndim, const int64_t shape[], int64_t out[RT_MAX_DIMS]) {
    int count = 0;
    for (int i = 0; i < ndim; i++)
        if (shape[i] != 1) out[count++] = shape[i];
    return count;
}

static int64_t product(int ndim, const int64_t shape[]) {
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) count *= shape[i];
    return count;
}

/* Are examples of this shape what the network reads? Rows of as many numbers are, images for a network of
 * rows too, and images with the channels last, which are noted. */
static bool fits(rti_raw *raw, const rti_raw_wanted *wanted, int ndim, const int64_t shape[]) {
    int64_t there[RT_MAX_DIMS], here[RT_MAX_DIMS];
    const int a = squeeze(ndim, shape, there), b = squeeze(wanted->ndim, wanted->shape, here);
    raw->channels = 1;
    if (product(a, there) != raw->features) return false;
    if (a <= 1 || b <= 1) return true;
    if (a == b && memcmp(there, here, (size_t)a * sizeof *there) == 0) return true;
    const int64_t *w = wanted->shape;
    if (ndim != 3 || wanted->ndim != 3 || shape[0] != w[1] || shape[1] != w[2] || shape[2] != w[0])
        return false;
    raw->channels = w[0];
    raw->pixels = w[1] * w[2];
    return true;
}

/* An array of examples, or a single one. */
static rt_status fit_array(rti_raw *raw, const rti_raw_wanted *wanted, int ndim, const int64_t shape[],
                           rt_error *error) {
    char text[2][RT_SHAPE_TEXT];
    raw->count = ndim > 0 ? shape[0] : 0;
    if (ndim > 0 && product(ndim, shape) == 0)
        return rt_fail(error, RT_FORMAT, "%s: holds no examples (%s)", raw->name,
                       sizes_text(ndim, shape, text[0]));
    if (ndim > 0 && fits(raw, wanted, ndim - 1, shape + 1)) return RT_OK;
    raw->count = 1;
    if (fits(raw, wanted, ndim, shape)) return RT_OK;
    return rt_fail(error, RT_SHAPE, "%s: holds %s numbers; the network reads examples of %s", raw->name,
                   ndim ? sizes_text(ndim, shape, text[0]) : "single",
                   sizes_text(wanted->ndim, wanted->shape, text[1]));
}

/* ---- pictures ---- */

static const char *picture_text(int64_t width, int64_t height, int64_t channels, char out[RT_SHAPE_TEXT]) {
    snprintf(out, RT_SHAPE_TEXT, "%lld x %lld pixels, %s", (long long)width, (long long)height,
             channels == 1   ? "grey"
             : channels == 3 ? "in colour"
                             : "of another number of channels");
    return out;
}

/* A network of rows takes grey pixels row by row. */
static rt_status fit_picture(rti_raw *raw, const rti_raw_wanted *wanted, const rti_pnm *p, rt_error *error) {
    const int64_t *w = wanted->shape;
    char place[256], text[2][RT_SHAPE_TEXT];
    const int axes = wanted->ndim;
    const int64_t channels = axes == 3 ? w[0] : 1;
    const bool same_size = axes == 1 ? p->width * p->height == w[0]
                                     : p->height == w[axes - 2] && p->width == w[axes - 1];
    raw->channels = channels;
    raw->pixels = p->width * p->height;
    if (axes <= 3 && same_size && p->channels == channels) return RT_OK;
    if (axes == 1)
        snprintf(text[1], RT_SHAPE_TEXT, "rows of %lld numbers", (long long)w[0]);
    else
        picture_text(w[axes - 1], w[axes - 2], channels, text[1]);
    return rt_fail(error, RT_SHAPE, "%s: is %s; the network reads %s", rti_raw_place(raw, raw->count, place),
                   picture_text(p->width, p->height, p->channels, text[0]), text[1]);
}

static rt_status open_pictures(rti_raw *raw, rti_bytes bytes, const rti_raw_wanted *wanted, rt_error *error) {
    for (size_t at = 0; at < bytes.count; raw->count++) {
        rti_pnm picture;
        RT_TRY(rti_pnm_parse(&picture, bytes.data, bytes.count, &at, raw->name, error));
        const rt_status status = fit_picture(raw, wanted, &picture, error);
        if (status == RT_OK) rti_text_append_bytes(&raw->pictures, picture.pixels, (size_t)raw->features);
        rt_free(picture.pixels);
        if (status != RT_OK) return status;
    }
    if (raw->pictures.failed) return rt_fail(error, RT_MEMORY, "%s: no memory for its pixels", raw->name);
    return RT_OK;
}

/* ---- tables ---- */

/* What stands most often in the first line of a comma, a semicolon and a tab. */
static char separator_of(rti_bytes bytes) {
    int64_t times[3] = {0};
    for (size_t i = 0; i < bytes.count && bytes.data[i] != '\n'; i++)
        for (int k = 0; k < 3; k++) times[k] += bytes.data[i] == (unsigned char)",;\t"[k];
    int most = 0;
    for (int k = 1; k < 3; k++)
        if (times[k] > times[most]) most = k;
    return ",;\t"[most];
}

static bool holds_a_number(const rti_csv *csv) {
    double value;
    for (int c = 0; c < csv->columns; c++)
        if (rti_csv_number(rti_csv_field(csv, 0, c), &value)) return true;
    return false;
}

static rt_status find_label(rti_raw *raw, const char *label, rt_error *error) {
    double number;
    const rti_csv *csv = &raw->csv;
    raw->label_column = rti_csv_column(csv, label);
    if (raw->label_column >= 0) {
        raw->first_row = 1;
        return RT_OK;
    }
    if (!rti_csv_number(label, &number))
        return rt_fail(error, RT_VALUE, "%s: no column is named \"%.64s\" in the first line", raw->name,
                       label);
    if (number == -1)
        raw->label_column = csv->columns - 1;
    else if (number >= 1 && number <= csv->columns && number == floor(number))
        raw->label_column = (int)number - 1;
    else
        return rt_fail(error, RT_VALUE,
                       "%s: there is no column %.64s; the table has columns 1 to %d (-1: the last)",
                       raw->name, label, csv->columns);
    return RT_OK;
}

static rt_status open_table(rti_raw *raw, rti_bytes bytes, const rti_raw_wanted *wanted, rt_error *error) {
    RT_TRY(rti_csv_parse(&raw->csv, (const char *)bytes.data, bytes.count, separator_of(bytes), raw->name,
                         error));
    raw->first_row = !holds_a_number(&raw->csv);
    if (wanted->label) RT_TRY(find_label(raw, wanted->label, error));
    const int64_t columns = raw->csv.columns - (raw->label_column >= 0);
    if (columns != raw->features)
        return rt_fail(error, RT_SHAPE, "%s: has %lld columns of numbers; the network reads %lld%s",
                       raw->name, (long long)columns, (long long)raw->features,
                       columns == raw->features + 1 && !wanted->label
                           ? ". --label COLUMN leaves one out and compares it"
                           : "");
    raw->count = raw->csv.rows - raw->first_row;
    if (raw->count < 1) return rt_fail(error, RT_FORMAT, "%s: a header and no rows", raw->name);
    return RT_OK;
}

static rt_status table_example(const rti_raw *raw, int64_t i, double *out, rt_error *error) {
    const int64_t row = i + raw->first_row;
    for (int c = 0; c < raw->csv.columns; c++) {
        if (c == raw->label_column) continue;
        const char *field = rti_csv_field(&raw->csv, row, c);
        if (rti_csv_number(field, out++)) continue;
        return rt_fail(error, RT_FORMAT, "%s:%lld: column %d%s%.40s%s is \"%.40s\"; a number is needed",
                       raw->name, (long long)raw->csv.lines[row], c + 1, raw->first_row ? " (" : "",
                       raw->first_row ? rti_csv_field(&raw->csv, 0, c) : "", raw->first_row ? ")" : "",
                       field);
    }
    return RT_OK;
}

/* ---- all of them ---- */

static bool begins(rti_bytes bytes, const char *with, size_t count) {
    return bytes.count >= count && memcmp(bytes.data, with, count) == 0;
}

/* Something that people have and that is not read here. */
static rt_status refuse_others(const char *name, rti_bytes bytes, rt_error *error) {
    static const struct {
        const char *begin;
        size_t count;
        const char *advice;
    } others[] = {
        {"\x1f\x8b", 2, "is packed by gzip: unpack it (gzip -dc FILE | retort predict STUDENT -)"},
        {"\x89PNG", 4, "is a PNG picture: convert it to PGM or PPM"},
        {"\xff\xd8\xff", 3, "is a JPEG picture: convert it to PGM or PPM"},
        {"PK\x03\x04", 4, "is an archive (NumPy's .npz is one): unpack it and name an array"},
    };
    if (!bytes.count) return rt_fail(error, RT_FORMAT, "%s: is empty", name);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (begins(bytes, others[i].begin, others[i].count))
            return rt_fail(error, RT_UNSUPPORTED, "%s: %s", name, others[i].advice);
    if (memchr(bytes.data, 0, bytes.count < 4096 ? bytes.count : 4096) && !begins(bytes, "\0\0", 2) &&
        !rti_pnm_begins(bytes.data, bytes.count) && !rti_npy_begins(bytes.data, bytes.count))
        return rt_fail(error, RT_FORMAT, "%s: is neither IDX, NPY, a PGM or PPM picture, nor text (CSV)",
                       name);
    return RT_OK;
}

static rt_status open_kind(rti_raw *raw, rti_bytes bytes, const rti_raw_wanted *wanted, rt_error *error) {
    RT_TRY(refuse_others(raw->name, bytes, error));
    if (begins(bytes, "\0\0", 2))
        raw->kind = RTI_RAW_IDX;
    else if (rti_npy_begins(bytes.data, bytes.count))
        raw->kind = RTI_RAW_NPY;
    else if (rti_pnm_begins(bytes.data, bytes.count))
        raw->kind = RTI_RAW_PICTURES;
    else
        raw->kind = RTI_RAW_CSV;
    if (wanted->label && raw->kind != RTI_RAW_CSV)
        return rt_fail(error, RT_VALUE, "%s: has no columns with names; --label is for CSV", raw->name);
    raw->bytes = raw->kind == RTI_RAW_IDX || raw->kind == RTI_RAW_PICTURES;
    switch (raw->kind) {
    case RTI_RAW_IDX:
        RT_TRY(rti_idx_parse(raw->name, bytes, &raw->idx, error));
        return fit_array(raw, wanted, raw->idx.ndim, raw->idx.shape, error);
    case RTI_RAW_NPY:
        RT_TRY(rti_npy_parse(&raw->npy, bytes.data, bytes.count, raw->name, error));
        raw->bytes = raw->npy.dtype == RTI_NPY_U1;
        return fit_array(raw, wanted, raw->npy.ndim, raw->npy.shape, error);
    case RTI_RAW_PICTURES:
        return open_pictures(raw, bytes, wanted, error);
    case RTI_RAW_CSV:
        break;
    }
    return open_table(raw, bytes, wanted, error);
}

rt_status rti_raw_open(rti_raw *raw, const char *name, rti_bytes bytes, const rti_raw_wanted *wanted,
                       rt_error *error) {
    *raw = (rti_raw){.name = name, .label_column = -1, .channels = 1};
    raw->features = product(wanted->ndim, wanted->shape);
    const rt_status status = open_kind(raw, bytes, wanted, error);
    if (status != RT_OK) rti_raw_deinit(raw);
    return status;
}

void rti_raw_deinit(rti_raw *raw) {
    rti_npy_deinit(&raw->npy);
    rti_csv_deinit(&raw->csv);
    rti_text_deinit(&raw->pictures);
    *raw = (rti_raw){0};
}

static double number_at(const rti_raw *raw, int64_t i) {
    if (raw->kind == RTI_RAW_NPY) return rti_npy_value(&raw->npy, i);
    return raw->kind == RTI_RAW_IDX ? raw->idx.bytes[i] : (unsigned char)raw->pictures.bytes[i];
}

rt_status rti_raw_example(const rti_raw *raw, int64_t i, double *out, rt_error *error) {
    RT_ASSERT(i >= 0 && i < raw->count, "example %lld of %lld", (long long)i, (long long)raw->count);
    if (raw->kind == RTI_RAW_CSV) return table_example(raw, i, out, error);
    for (int64_t k = 0; k < raw->features; k++) {
        const bool turned = raw->channels > 1;
        const int64_t from = turned ? k % raw->pixels * raw->channels + k / raw->pixels : k;
        out[k] = number_at(raw, i * raw->features + from);
        if (!isfinite(out[k]))
            return rt_fail(error, RT_FORMAT, "%s: number %lld of example %lld is not finite", raw->name,
                           (long long)from, (long long)i);
    }
    return RT_OK;
}

const char *rti_raw_label(const rti_raw *raw, int64_t i) {
    if (raw->label_column < 0) return NULL;
    return rti_csv_field(&raw->csv, i + raw->first_row, raw->label_column);
}

const char *rti_raw_place(const rti_raw *raw, int64_t i, char buffer[256]) {
    if (raw->kind == RTI_RAW_CSV)
        snprintf(buffer, 256, "%.200s:%lld", raw->name, (long long)raw->csv.lines[i + raw->first_row]);
    else if (raw->kind == RTI_RAW_PICTURES && i == 0)
        snprintf(buffer, 256, "%.200s", raw->name);
    else
        snprintf(buffer, 256, "%.200s, example %lld", raw->name, (long long)i);
    return buffer;
}
