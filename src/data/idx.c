/* idx.c - IDX files, and the set made of four of them.                 Floor 6 (data)
 *
 * IDX (Y. LeCun, "The MNIST database"): two zero bytes, a type byte, a dimension count, then one
 * big-endian 32-bit extent per dimension, then the numbers in row-major order. Nothing in the file
 * is believed before it has been checked against the file's length. */
#include <stdio.h>
#include <string.h>

#include "data/arrays.h"

#define IDX_LIMIT_BYTES ((size_t)1 << 33)
#define IDX_UBYTE 0x08

static int64_t big_endian(const uint8_t *p) {
    return (int64_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3]);
}

static const char *type_name(int type) {
    switch (type) {
    case 0x09: return "signed bytes";
    case 0x0B: return "16-bit integers";
    case 0x0C: return "32-bit integers";
    case 0x0D: return "floats";
    case 0x0E: return "doubles";
    default: return "an unknown type";
    }
}

static rt_status header_read(const char *path, rti_idx *out, rt_error *error) {
    const uint8_t *p = out->file.data;
    size_t length = out->file.count;
    if (length < 4)
        return rt_fail(error, RT_FORMAT,
                       "%s: %zu bytes are too short for an IDX header; the file is truncated", path, length);
    if (p[0] != 0 || p[1] != 0)
        return rt_fail(error, RT_FORMAT, "%s: not an IDX file: it starts with the bytes %02x %02x %02x %02x, "
                       "an IDX file with 00 00 08", path, p[0], p[1], p[2], p[3]);
    if (p[2] != IDX_UBYTE)
        return rt_fail(error, RT_FORMAT, "%s: byte 2 says 0x%02x, %s; only unsigned bytes (0x08) are read",
                       path, p[2], type_name(p[2]));
    out->ndim = p[3];
    if (out->ndim < 1 || out->ndim > 4)
        return rt_fail(error, RT_FORMAT, "%s: byte 3 says %d dimensions; 1 to 4 are read", path, out->ndim);
    size_t header = 4 + 4 * (size_t)out->ndim;
    if (length < header)
        return rt_fail(error, RT_FORMAT,
                       "%s: the header needs %zu bytes and the file has %zu; it is truncated", path, header,
                       length);
    uint64_t total = 1;
    for (int d = 0; d < out->ndim; d++) {
        out->shape[d] = big_endian(p + 4 + 4 * d);
        if (out->shape[d] < 1 || out->shape[d] > INT32_MAX)
            return rt_fail(error, RT_FORMAT,
                           "%s: extent %d (at byte %d) is %lld; 1 to 2147483647 is possible", path, d,
                           4 + 4 * d, (long long)out->shape[d]);
        if (total > IDX_LIMIT_BYTES / (uint64_t)out->shape[d])
            return rt_fail(error, RT_FORMAT, "%s: the extents in the header multiply to more than %zu bytes; "
                           "the header is damaged", path, IDX_LIMIT_BYTES);
        total *= (uint64_t)out->shape[d];
    }
    if (total != length - header)
        return rt_fail(error, RT_FORMAT, "%s: the header promises %llu bytes of data and the file has %zu; "
                       "it is %s", path, (unsigned long long)total, length - header,
                       total > length - header ? "truncated" : "too long");
    out->bytes = p + header;
    return RT_OK;
}

rt_status rti_idx_parse(const char *name, rti_bytes bytes, rti_idx *out, rt_error *error) {
    *out = (rti_idx){.file = bytes};
    return header_read(name, out, error);
}

rt_status rti_idx_read(const char *path, rti_idx *out, rt_error *error) {
    memset(out, 0, sizeof *out);
    RT_TRY(rti_file_view_gzip(path, IDX_LIMIT_BYTES, &out->file, error));
    rt_status status = header_read(path, out, error);
    if (status != RT_OK) {
        rt_free(out->file.data);
        memset(out, 0, sizeof *out);
    }
    return status;
}

rt_status rti_idx_examples(const char *images, const char *labels, int classes, rti_source *source,
                           rt_examples *out, rt_error *error) {
    return rti_array_examples(RTI_ARRAY_IDX, images, labels, classes, source, out, error);
}

/* ---- the set ---- */

static const rt_param rows[] = {
    RT_PARAM_TEXT_ROW("idx.train_images", "", "IDX file with the training images, plain or .gz"),
    RT_PARAM_TEXT_ROW("idx.train_labels", "", "IDX file with their labels"),
    RT_PARAM_TEXT_ROW("idx.test_images", "", "IDX file with the test images"),
    RT_PARAM_TEXT_ROW("idx.test_labels", "", "IDX file with their labels"),
    RT_PARAM_INT_ROW("idx.classes", 0, 0, 256, "classes",
                     "number of classes; 0 takes one more than the largest label"),
};

static rt_status path_of(const rt_params *options, const char *row, const char *directory, char *out,
                         rt_error *error) {
    const char *given = rt_params_text(options, row);
    if (!*given) return rt_fail(error, RT_SPEC, "set \"idx\" needs the path %s", row);
    return rti_data_path(given, directory, out, error);
}

static rt_status read_idx(const rt_params *options, const char *directory, const rti_source *like,
                          rti_source *out, rt_error *error) {
    char images[RTI_PATH_MAX], labels[RTI_PATH_MAX];
    int classes = like ? like->train.classes : (int)rt_params_int(options, "idx.classes");
    RT_TRY(path_of(options, "idx.train_images", directory, images, error));
    RT_TRY(path_of(options, "idx.train_labels", directory, labels, error));
    RT_TRY(rti_idx_examples(images, labels, classes, out, &out->train, error));
    if (like) return RT_OK; /* of a transfer set only the training examples are used */
    RT_TRY(path_of(options, "idx.test_images", directory, images, error));
    RT_TRY(path_of(options, "idx.test_labels", directory, labels, error));
    RT_TRY(rti_idx_examples(images, labels, out->train.classes, out, &out->test, error));
    return rti_test_check(out, images, error);
}

const rti_dataset_kind rti_dataset_kind_idx = {
    .name = "idx",
    .title = "any four IDX files of unsigned bytes",
    .files = "the paths idx.*, from the current or the data directory, plain or .gz",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .read = read_idx,
    .own_files = true,
};
RTI_REGISTER(dataset, idx)
