/* safetensors_write.c - the writer of safetensors. See safetensors.h.  Floor 6 (formats)
 *
 * As the original library does: tensors with wide elements first, names in order among equals, the
 * header filled with spaces to a multiple of 8, so that all data are aligned when the file is
 * mapped. */
#include <stdlib.h>
#include <string.h>

#include "formats/json.h"
#include "formats/reader.h"
#include "formats/safetensors.h"
#include "retort/alloc.h"

/* By rti_st_dtype; a higher rank comes first in the file. */
static const struct {
    const char *name;
    int bytes, rank;
} dtypes[] = {[RTI_ST_F32] = {"F32", 4, 3},
              [RTI_ST_F64] = {"F64", 8, 4},
              [RTI_ST_I32] = {"I32", 4, 2},
              [RTI_ST_I64] = {"I64", 8, 5},
              [RTI_ST_U8] = {"U8", 1, 1}};

static int compare_order(const void *left, const void *right) {
    const rti_st_entry *a = *(const rti_st_entry *const *)left, *b = *(const rti_st_entry *const *)right;
    int order = dtypes[b->dtype].rank - dtypes[a->dtype].rank;
    return order ? order : strcmp(a->name, b->name);
}

static int compare_names(const void *left, const void *right) {
    return strcmp((*(const rti_st_entry *const *)left)->name, (*(const rti_st_entry *const *)right)->name);
}

static bool is_utf8(const char *text) { return rti_utf8_valid(text, strlen(text)) == strlen(text); }

/* Checks one entry and adds its bytes to *total. */
static rt_status check_entry(const char *path, const rti_st_entry *entry, size_t *total, rt_error *error) {
    const char *name = entry->name;
    if (!name || strcmp(name, "__metadata__") == 0 || !is_utf8(name))
        return rt_fail(error, RT_VALUE, "%s: \"%.100s\" cannot be the name of a tensor", path,
                       name ? name : "");
    if ((unsigned)entry->dtype > RTI_ST_U8)
        return rt_fail(error, RT_VALUE, "%s: tensor \"%.100s\" has a dtype that is not written", path, name);
    if (entry->ndim < 0 || entry->ndim > RT_MAX_DIMS)
        return rt_fail(error, RT_VALUE, "%s: tensor \"%.100s\" has %d dimensions", path, name, entry->ndim);
    size_t bytes = (size_t)dtypes[entry->dtype].bytes;
    for (int i = 0; i < entry->ndim; i++) {
        uint64_t size = (uint64_t)entry->shape[i];
        if (entry->shape[i] < 0 || (size && bytes > SIZE_MAX / 2 / size))
            return rt_fail(error, RT_VALUE, "%s: tensor \"%.100s\" has an impossible shape", path, name);
        bytes *= (size_t)size;
    }
    if (bytes != entry->bytes || (bytes && !entry->data))
        return rt_fail(error, RT_VALUE, "%s: tensor \"%.100s\" needs %llu bytes, %llu are given", path, name,
                       (unsigned long long)bytes, (unsigned long long)(entry->data ? entry->bytes : 0));
    if (bytes > SIZE_MAX / 2 - *total)
        return rt_fail(error, RT_VALUE, "%s: too many bytes for one file", path);
    *total += bytes;
    return RT_OK;
}

static void write_header(rti_text *text, const rti_st_entry *const order[], int count,
                         const char *const metadata[]) {
    rti_json_writer w = {.text = text};
    rti_json_begin_object(&w, NULL);
    if (metadata && metadata[0]) {
        rti_json_begin_object(&w, "__metadata__");
        for (int i = 0; metadata[i]; i += 2) rti_json_add_string(&w, metadata[i], metadata[i + 1]);
        rti_json_end(&w);
    }
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        const rti_st_entry *entry = order[i];
        rti_json_begin_object(&w, entry->name);
        rti_json_add_string(&w, "dtype", dtypes[entry->dtype].name);
        rti_json_begin_array(&w, "shape");
        for (int d = 0; d < entry->ndim; d++) rti_json_add_integer(&w, NULL, entry->shape[d]);
        rti_json_end(&w);
        rti_json_begin_array(&w, "data_offsets");
        rti_json_add_integer(&w, NULL, (int64_t)at);
        rti_json_add_integer(&w, NULL, (int64_t)(at + entry->bytes));
        rti_json_end(&w);
        rti_json_end(&w);
        at += entry->bytes;
    }
    rti_json_end(&w);
    while (!text->failed && text->length % 8 != 0) rti_text_append(text, " ");
}

/* Elements in the order of this machine to little-endian ones. */
static void copy_little_endian(unsigned char *to, const rti_st_entry *entry) {
    const uint16_t one = 1;
    size_t width = (size_t)dtypes[entry->dtype].bytes;
    if (*(const unsigned char *)&one == 1 || width == 1) {
        if (entry->bytes) memcpy(to, entry->data, entry->bytes);
        return;
    }
    for (size_t i = 0; i < entry->bytes; i++)
        to[i] = entry->data[i / width * width + (width - 1 - i % width)];
}

static rt_status write_sorted(const char *path, const rti_st_entry *const order[], int count,
                              size_t data_bytes, const rti_text *header, rt_error *error) {
    unsigned char *bytes = rt_alloc(8 + header->length + data_bytes);
    if (!bytes) return rt_fail(error, RT_MEMORY, "%s: not enough memory to write it", path);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)header->length >> 8 * i);
    memcpy(bytes + 8, header->bytes, header->length);
    unsigned char *to = bytes + 8 + header->length;
    for (int i = 0; i < count; i++) {
        copy_little_endian(to, order[i]);
        to += order[i]->bytes;
    }
    rt_status status = rti_file_write(path, bytes, (size_t)(to - bytes), error);
    rt_free(bytes);
    return status;
}

rt_status rti_st_write(const char *path, const rti_st_entry entries[], int count,
                       const char *const metadata[], rt_error *error) {
    RT_ASSERT(count >= 0, "rti_st_write: %d tensors", count);
    size_t data_bytes = 0;
    for (int i = 0; i < count; i++) RT_TRY(check_entry(path, &entries[i], &data_bytes, error));
    const rti_st_entry **order = rt_alloc((size_t)count * sizeof *order);
    if (!order) return rt_fail(error, RT_MEMORY, "%s: not enough memory to write it", path);
    for (int i = 0; i < count; i++) order[i] = &entries[i];
    qsort(order, (size_t)count, sizeof *order, compare_names);
    for (int i = 1; i < count; i++)
        if (strcmp(order[i - 1]->name, order[i]->name) == 0) {
            rt_fail(error, RT_VALUE, "%s: two tensors are called \"%.100s\"", path, order[i]->name);
            rt_free(order);
            return RT_VALUE;
        }
    qsort(order, (size_t)count, sizeof *order, compare_order);
    rti_text header = RTI_TEXT_EMPTY;
    write_header(&header, order, count, metadata);
    rt_status status = header.failed ? rt_fail(error, RT_MEMORY, "%s: not enough memory to write it", path)
                                     : write_sorted(path, order, count, data_bytes, &header, error);
    rti_text_deinit(&header);
    rt_free(order);
    return status;
}
