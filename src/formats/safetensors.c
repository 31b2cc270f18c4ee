/* safetensors.c - the reader of safetensors. See safetensors.h; the writer is safetensors_write.c.
 *                                                                      Floor 6 (formats) */
#include "formats/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "formats/json.h"
#include "retort/alloc.h"

#define FILE_MAX ((uint64_t)16 << 30)
#define HEADER_MAX ((uint64_t)16 << 20) /* more than 100 000 tensors */

typedef struct storage {
    rti_arena arena;
    rti_json_document header;
    unsigned char *bytes; /* of the file, when rti_st_read read it */
} storage;

/* Every dtype of the format, with its bits: the size of each entry is checked, also of those that
 * nobody here converts. */
static const struct {
    const char *name;
    int bits;
    rti_st_dtype dtype;
} dtypes[] = {
    {"F32", 32, RTI_ST_F32},      {"F64", 64, RTI_ST_F64},      {"I32", 32, RTI_ST_I32},
    {"I64", 64, RTI_ST_I64},      {"U8", 8, RTI_ST_U8},         {"BOOL", 8, RTI_ST_OTHER},
    {"I8", 8, RTI_ST_OTHER},      {"I16", 16, RTI_ST_OTHER},    {"U16", 16, RTI_ST_OTHER},
    {"F16", 16, RTI_ST_F16},      {"BF16", 16, RTI_ST_BF16},    {"U32", 32, RTI_ST_OTHER},
    {"U64", 64, RTI_ST_OTHER},    {"C64", 64, RTI_ST_OTHER},    {"F8_E5M2", 8, RTI_ST_OTHER},
    {"F8_E4M3", 8, RTI_ST_OTHER}, {"F8_E8M0", 8, RTI_ST_OTHER}, {"F6_E2M3", 6, RTI_ST_OTHER},
    {"F6_E3M2", 6, RTI_ST_OTHER}, {"F4", 4, RTI_ST_OTHER},
};

static uint64_t read_u64(const unsigned char *p) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

/* A whole number from 0 up; false for everything else, 2^63 and beyond included. */
static bool size_of(const rti_json *value, uint64_t *size) {
    if (value->type != RTI_JSON_NUMBER || !value->is_integer || value->integer < 0) return false;
    *size = (uint64_t)value->integer;
    return true;
}

static rt_status read_dtype(const rti_json *value, const char *where, rti_st_entry *entry, int *bits,
                            rt_error *error) {
    if (!value || value->type != RTI_JSON_STRING)
        return rt_fail(error, RT_FORMAT, "%s: \"dtype\" is missing or no string", where);
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(value->string, dtypes[i].name) != 0) continue;
        entry->dtype = dtypes[i].dtype;
        memcpy(entry->dtype_name, dtypes[i].name, strlen(dtypes[i].name) + 1);
        *bits = dtypes[i].bits;
        return RT_OK;
    }
    return rt_fail(error, RT_FORMAT, "%s: the dtype \"%.20s\" is not known", where, value->string);
}

static rt_status read_shape(const rti_json *value, const char *where, rti_st_entry *entry, rt_error *error) {
    if (!value || value->type != RTI_JSON_ARRAY)
        return rt_fail(error, RT_FORMAT, "%s: \"shape\" is missing or no array", where);
    if (value->count > RT_MAX_DIMS)
        return rt_fail(error, RT_UNSUPPORTED, "%s: has %d dimensions, at most %d are read", where,
                       value->count, RT_MAX_DIMS);
    entry->ndim = value->count;
    entry->count = 1;
    for (int i = 0; i < value->count; i++) {
        uint64_t size;
        if (!size_of(&value->items[i], &size))
            return rt_fail(error, RT_FORMAT, "%s: dimension %d of \"shape\" is no whole number from 0 up",
                           where, i);
        entry->shape[i] = (int64_t)size;
        if (size && entry->count > INT64_MAX / (int64_t)size)
            return rt_fail(error, RT_FORMAT, "%s: the product of \"shape\" overflows", where);
        entry->count *= (int64_t)size;
    }
    return RT_OK;
}

/* Offsets into the data, of which there are `data_bytes`. */
static rt_status read_offsets(const rti_json *value, const char *where, int bits, const unsigned char *data,
                              uint64_t data_bytes, rti_st_entry *entry, rt_error *error) {
    uint64_t begin, end;
    if (!value || value->type != RTI_JSON_ARRAY || value->count != 2 || !size_of(&value->items[0], &begin) ||
        !size_of(&value->items[1], &end))
        return rt_fail(error, RT_FORMAT, "%s: \"data_offsets\" must be two whole numbers from 0 up", where);
    if (end < begin || end > data_bytes)
        return rt_fail(
            error, RT_FORMAT,
            "%s: the offsets %llu to %llu do not lie inside the %llu bytes of data: the file is cut off or "
            "damaged",
            where, (unsigned long long)begin, (unsigned long long)end, (unsigned long long)data_bytes);
    if ((uint64_t)entry->count > UINT64_MAX / 64 || (uint64_t)entry->count * (uint64_t)bits % 8 != 0 ||
        (uint64_t)entry->count * (uint64_t)bits / 8 != end - begin)
        return rt_fail(error, RT_FORMAT, "%s: %lld elements of %s do not fill the %llu bytes of its offsets",
                       where, (long long)entry->count, entry->dtype_name, (unsigned long long)(end - begin));
    entry->data = data + begin;
    entry->bytes = (size_t)(end - begin);
    return RT_OK;
}

static rt_status read_entry(const char *name, const char *tensor, const rti_json *value,
                            const unsigned char *data, uint64_t data_bytes, rti_st_entry *entry,
                            rt_error *error) {
    char where[256];
    snprintf(where, sizeof where, "%s: tensor \"%.100s\"", name, tensor);
    if (value->type != RTI_JSON_OBJECT)
        return rt_fail(error, RT_FORMAT, "%s: is not described by an object", where);
    for (int i = 0; i < value->count; i++)
        if (strcmp(value->keys[i], "dtype") && strcmp(value->keys[i], "shape") &&
            strcmp(value->keys[i], "data_offsets"))
            return rt_fail(error, RT_FORMAT, "%s: has the unknown key \"%.40s\"", where, value->keys[i]);
    int bits = 0;
    entry->name = tensor;
    RT_TRY(read_dtype(rti_json_get(value, "dtype"), where, entry, &bits, error));
    RT_TRY(read_shape(rti_json_get(value, "shape"), where, entry, error));
    return read_offsets(rti_json_get(value, "data_offsets"), where, bits, data, data_bytes, entry, error);
}

static rt_status read_metadata(rti_st_file *file, storage *kept, const char *name, const rti_json *value,
                               rt_error *error) {
    if (value->type != RTI_JSON_OBJECT)
        return rt_fail(error, RT_FORMAT, "%s: __metadata__ must be an object", name);
    const char **pairs = rti_arena_alloc(&kept->arena, (size_t)value->count * 2 * sizeof *pairs);
    if (!pairs) return rt_fail(error, RT_MEMORY, "%s: not enough memory for its metadata", name);
    for (int i = 0; i < value->count; i++) {
        const rti_json *item = &value->items[i];
        if (item->type != RTI_JSON_STRING || strlen(item->string) != item->string_length)
            return rt_fail(error, RT_FORMAT, "%s: __metadata__ \"%.100s\" must be a string without zeros",
                           name, value->keys[i]);
        pairs[2 * i] = value->keys[i];
        pairs[2 * i + 1] = item->string;
    }
    file->metadata = pairs;
    file->metadata_count = value->count;
    return RT_OK;
}

static int compare_places(const void *left, const void *right) {
    const rti_st_entry *a = left, *b = right;
    if (a->data != b->data) return a->data < b->data ? -1 : 1;
    return a->bytes != b->bytes ? (a->bytes < b->bytes ? -1 : 1) : strcmp(a->name, b->name);
}

/* Every byte of the data belongs to exactly one tensor: nothing hides between them. */
static rt_status check_cover(const rti_st_entry *entries, int count, const char *name,
                             const unsigned char *data, uint64_t data_bytes, rt_error *error) {
    uint64_t at = 0;
    for (int i = 0; i < count; i++) {
        uint64_t begin = (uint64_t)(entries[i].data - data);
        if (begin != at)
            return rt_fail(error, RT_FORMAT, "%s: tensor \"%.100s\" begins at offset %llu, but %s %llu", name,
                           entries[i].name, (unsigned long long)begin,
                           begin < at ? "the one before it overlaps it and ends at" : "there is a hole from",
                           (unsigned long long)at);
        at += entries[i].bytes;
    }
    if (at != data_bytes)
        return rt_fail(error, RT_FORMAT, "%s: %llu bytes behind the last tensor belong to none", name,
                       (unsigned long long)(data_bytes - at));
    return RT_OK;
}

static rt_status parse_header(rti_st_file *file, storage *kept, const unsigned char *bytes, size_t length,
                              const char *name, rt_error *error) {
    if (length < 8)
        return rt_fail(error, RT_FORMAT, "%s: %llu bytes are too few for a safetensors file", name,
                       (unsigned long long)length);
    uint64_t header = read_u64(bytes);
    if (header > length - 8) /* length - 8, not header + 8: that may wrap around */
        return rt_fail(
            error, RT_FORMAT,
            "%s: the header should be %llu bytes long, but only %llu follow: no safetensors file, or cut off",
            name, (unsigned long long)header, (unsigned long long)(length - 8));
    if (header > HEADER_MAX)
        return rt_fail(error, RT_FORMAT, "%s: the header is %llu bytes long, at most %llu are read", name,
                       (unsigned long long)header, (unsigned long long)HEADER_MAX);
    if (header == 0 || bytes[8] != '{')
        return rt_fail(error, RT_FORMAT, "%s: the header does not start with '{': no safetensors file", name);
    char where[256];
    snprintf(where, sizeof where, "%s: header", name);
    RT_TRY(rti_json_parse(&kept->header, (const char *)bytes + 8, (size_t)header, where, error));

    const rti_json *root = &kept->header.root;
    const unsigned char *data = bytes + 8 + header;
    uint64_t data_bytes = length - 8 - header;
    rti_st_entry *entries = rti_arena_alloc_zero(&kept->arena, (size_t)root->count * sizeof *entries);
    if (!entries) return rt_fail(error, RT_MEMORY, "%s: not enough memory for its header", name);
    int count = 0;
    for (int i = 0; i < root->count; i++) {
        if (strcmp(root->keys[i], "__metadata__") == 0)
            RT_TRY(read_metadata(file, kept, name, &root->items[i], error));
        else
            RT_TRY(
                read_entry(name, root->keys[i], &root->items[i], data, data_bytes, &entries[count++], error));
    }
    qsort(entries, (size_t)count, sizeof *entries, compare_places);
    RT_TRY(check_cover(entries, count, name, data, data_bytes, error));
    file->entries = entries;
    file->count = count;
    return RT_OK;
}

/* Takes over `owned`, which may be NULL. */
static rt_status parse(rti_st_file *file, const unsigned char *bytes, size_t length, unsigned char *owned,
                       const char *name, rt_error *error) {
    *file = (rti_st_file){0};
    storage *kept = rt_alloc_zero(1, sizeof *kept);
    if (!kept) {
        rt_free(owned);
        return rt_fail(error, RT_MEMORY, "%s: not enough memory to read it", name);
    }
    rti_arena_init(&kept->arena);
    kept->bytes = owned;
    file->memory = kept;
    rt_status status = parse_header(file, kept, bytes, length, name, error);
    if (status != RT_OK) rti_st_deinit(file);
    return status;
}

rt_status rti_st_parse(rti_st_file *file, const unsigned char *bytes, size_t length, const char *name,
                       rt_error *error) {
    return parse(file, bytes, length, NULL, name, error);
}

rt_status rti_st_read(rti_st_file *file, const char *path, rt_error *error) {
    *file = (rti_st_file){0};
    rti_bytes bytes;
    RT_TRY(rti_file_read(path, FILE_MAX < SIZE_MAX ? (size_t)FILE_MAX : SIZE_MAX, &bytes, error));
    return parse(file, bytes.data, bytes.count, bytes.data, path, error);
}

void rti_st_deinit(rti_st_file *file) {
    storage *kept = file->memory;
    if (kept) {
        rti_json_deinit(&kept->header);
        rti_arena_deinit(&kept->arena);
        rt_free(kept->bytes);
        rt_free(kept);
    }
    *file = (rti_st_file){0};
}

const rti_st_entry *rti_st_find(const rti_st_file *file, const char *name) {
    for (int i = 0; i < file->count; i++)
        if (strcmp(file->entries[i].name, name) == 0) return &file->entries[i];
    return NULL;
}

const char *rti_st_metadata(const rti_st_file *file, const char *key) {
    for (int i = 0; i < file->metadata_count; i++)
        if (strcmp(file->metadata[2 * i], key) == 0) return file->metadata[2 * i + 1];
    return NULL;
}

/* ---- numbers ---- */

bool rti_st_is_real(rti_st_dtype dtype) {
    return dtype == RTI_ST_F32 || dtype == RTI_ST_F64 || dtype == RTI_ST_F16 || dtype == RTI_ST_BF16;
}

static uint64_t read_bits(const unsigned char *p, int bytes) {
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

/* IEEE 754 binary16: a sign, 5 bits of exponent (bias 15), 10 of fraction. */
static double half(unsigned bits) {
    const int exponent = (int)(bits >> 10 & 31);
    const double fraction = (double)(bits & 1023);
    double value = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) value = fraction != 0 ? NAN : INFINITY;
    return bits >> 15 ? -value : value;
}

static double single(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

double rti_st_number(const rti_st_entry *entry, int64_t i) {
    RT_ASSERT(i >= 0 && i < entry->count && rti_st_is_real(entry->dtype), "element %lld of a tensor of %s",
              (long long)i, entry->dtype_name);
    if (entry->dtype == RTI_ST_F16) return half((unsigned)read_bits(entry->data + 2 * i, 2));
    if (entry->dtype == RTI_ST_BF16) return single((uint32_t)read_bits(entry->data + 2 * i, 2) << 16);
    if (entry->dtype == RTI_ST_F32) return single((uint32_t)read_bits(entry->data + 4 * i, 4));
    const uint64_t bits = read_bits(entry->data + 8 * i, 8);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
