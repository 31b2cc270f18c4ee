/* safetensors: files put together byte by byte here, after the published description of the format,
 * and a small second reader of what we write that knows nothing of ours: it looks for the spelt-out
 * offsets in the header and checks order, alignment, padding and bytes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/temporary.h"
#include "formats/safetensors.h"
#include "retort/alloc.h"

/* A file: header length, header, `data_bytes` bytes 0, 1, 2, ... */
static size_t assemble(unsigned char *out, const char *header, uint64_t header_length, size_t data_bytes) {
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)(header_length >> 8 * i);
    size_t length = strlen(header);
    memcpy(out + 8, header, length);
    for (size_t i = 0; i < data_bytes; i++) out[8 + length + i] = (unsigned char)i;
    return 8 + length + data_bytes;
}

Test(safetensors, a_good_file) {
    const char *header = "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"v\"},"
                         "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[24,27]},"
                         "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                         "\"empty\":{\"shape\":[0,7],\"dtype\":\"F64\",\"data_offsets\":[24,24]},"
                         "\"one\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[27,29]}}  ";
    unsigned char bytes[1000];
    size_t length = assemble(bytes, header, strlen(header), 29);
    rti_st_file file;
    rt_error error;
    rt_status status = rti_st_parse(&file, bytes, length, "t", &error);
    cr_assert_eq(status, RT_OK, "%s", error.message);
    cr_assert_eq(file.count, 4);
    cr_assert_str_eq(file.entries[0].name, "a.weight"); /* in the order of the data */
    cr_assert_str_eq(file.entries[1].name, "empty");
    cr_assert_str_eq(file.entries[3].name, "one");
    const rti_st_entry *a = rti_st_find(&file, "a.weight"), *b = rti_st_find(&file, "b");
    cr_assert(a->dtype == RTI_ST_F32 && a->ndim == 2 && a->shape[0] == 2 && a->shape[1] == 3 &&
              a->count == 6);
    cr_assert(a->bytes == 24 && a->data[0] == 0 && a->data[23] == 23);
    cr_assert(b->dtype == RTI_ST_U8 && b->bytes == 3 && b->data[0] == 24);
    const rti_st_entry *one = rti_st_find(&file, "one"), *empty = rti_st_find(&file, "empty");
    cr_assert(one->dtype == RTI_ST_BF16 && one->ndim == 0 && one->count == 1);
    cr_assert_str_eq(one->dtype_name, "BF16");
    cr_assert(empty->count == 0 && empty->bytes == 0 && empty->shape[1] == 7);
    cr_assert_null(rti_st_find(&file, "c"));
    cr_assert_str_eq(rti_st_metadata(&file, "format"), "pt");
    cr_assert_str_eq(rti_st_metadata(&file, "k"), "v");
    cr_assert_null(rti_st_metadata(&file, "x"));
    rti_st_deinit(&file);

    length = assemble(bytes, "{}", 2, 0);
    cr_assert_eq(rti_st_parse(&file, bytes, length, "t", &error), RT_OK);
    cr_assert_eq(file.count, 0);
    rti_st_deinit(&file);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

#define T(body) "{\"t\":{" body "}}"
#define F32(shape, from, to) "\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]"

Test(safetensors, bad_headers) {
    static const struct {
        const char *header;
        int data_bytes;
        const char *part;
    } bad[] = {
        {T(F32("[1]", "0", "4")), 3, "do not lie inside the 3 bytes"},
        {T(F32("[1]", "0", "4")), 5, "1 bytes behind the last tensor belong to none"},
        {T(F32("[1]", "4", "8")), 8, "begins at offset 4, but there is a hole from 0"},
        {T(F32("[2]", "0", "4")), 4, "2 elements of F32 do not fill the 4 bytes"},
        {T(F32("[1]", "4", "0")), 4, "do not lie inside"},
        {T(F32("[1]", "-4", "0")), 4, "two whole numbers from 0 up"},
        {T(F32("[1]", "0.0", "4")), 4, "two whole numbers"},
        {T(F32("[1]", "0", "4e0")), 4, "two whole numbers"},
        {T(F32("[1]", "0", "\"4\"")), 4, "two whole numbers"},
        {T(F32("[1]", "0", "9223372036854775808")), 4, "two whole numbers"},
        {T(F32("[1]", "0", "18446744073709551620")), 4, "two whole numbers"},
        {T(F32("[1]", "0", "4,4")), 4, "two whole numbers"},
        {T(F32("[-1]", "0", "4")), 4, "dimension 0 of \"shape\" is no whole number"},
        {T(F32("[1.5]", "0", "4")), 4, "dimension 0"},
        {T(F32("[1,\"1\"]", "0", "4")), 4, "dimension 1"},
        {T(F32("1", "0", "4")), 4, "\"shape\" is missing or no array"},
        {T(F32("[4611686018427387904,4]", "0", "0")), 0, "the product of \"shape\" overflows"},
        {T(F32("[4611686018427387905]", "0", "4")), 4, "do not fill"}, /* times 4 wraps around to 4 */
        {T(F32("[1,1,1,1,1,1,1]", "0", "4")), 4, "has 7 dimensions, at most 6"},
        {T("\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]"), 4, "the dtype \"F31\" is not known"},
        {T("\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]"), 4, "\"dtype\" is missing or no string"},
        {T("\"dtype\":\"F32\",\"data_offsets\":[0,4]"), 4, "\"shape\" is missing"},
        {T("\"dtype\":\"F32\",\"shape\":[1]"), 4, "\"data_offsets\" must be"},
        {T(F32("[1]", "0", "4") ",\"x\":1"), 4, "unknown key \"x\""},
        {T("\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]"), 1, "do not fill"}, /* half a byte */
        {"{\"a\":{" F32("[1]", "0", "4") "},\"b\":{" F32("[1]", "0", "4") "}}", 4,
         "overlaps it and ends at 4"},
        {"{\"a\":{" F32("[2]", "0", "8") "},\"b\":{" F32("[2]", "4", "12") "}}", 12,
         "overlaps it and ends at 8"},
        {"{\"a\":{" F32("[1]", "0", "4") "},\"b\":{" F32("[1]", "8", "12") "}}", 12, "a hole from 4"},
        {"{\"a\":{" F32("[1]", "0", "4") "},\"a\":{" F32("[1]", "4", "8") "}}", 8,
         "the key \"a\" is there twice"},
        {"{\"t\":5}", 0, "is not described by an object"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ must be an object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__ \"a\" must be a string"},
        {"{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, "must be a string"},
        {"[]", 0, "does not start with '{'"},
        {" {}", 0, "does not start with '{'"},
        {"", 0, "does not start with '{'"},
        {"{", 0, "t: header:1:2: the end of the file"},
        {"{}x", 0, "header:1:3: 'x'"},
        {"{\"t\":{\"dtype\":\"\xFF\"}}", 0, "invalid UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned char bytes[1000];
        size_t length = assemble(bytes, bad[i].header, strlen(bad[i].header), (size_t)bad[i].data_bytes);
        rti_st_file file;
        rt_error error;
        rt_status status = rti_st_parse(&file, bytes, length, "t", &error);
        cr_assert_neq(status, RT_OK, "%s is accepted", bad[i].header);
        cr_assert(strstr(error.message, bad[i].part), "\"%s\" does not say \"%s\"", error.message,
                  bad[i].part);
        cr_assert_null(file.memory);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(safetensors, bad_header_lengths) {
    static const uint64_t lengths[] = {
        3, 100, (uint64_t)1 << 32, INT64_MAX, UINT64_MAX, UINT64_MAX - 7, UINT64_MAX - 8};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        unsigned char bytes[64];
        size_t length = assemble(bytes, "{}", lengths[i], 0);
        rti_st_file file;
        rt_error error;
        cr_assert_eq(rti_st_parse(&file, bytes, length, "t", &error), RT_FORMAT);
        cr_assert(strstr(error.message, "but only 2 follow"), "%s", error.message);
        for (size_t cut = 0; cut < 8; cut++) {
            cr_assert_eq(rti_st_parse(&file, bytes, cut, "t", &error), RT_FORMAT);
            cr_assert(strstr(error.message, "too few"));
        }
    }
    size_t size = ((size_t)17 << 20) + 8;
    unsigned char *large = calloc(1, size);
    assemble(large, "{}", size - 8, 0);
    rti_st_file file;
    rt_error error;
    cr_assert_eq(rti_st_parse(&file, large, size, "t", &error), RT_FORMAT);
    cr_assert(strstr(error.message, "at most 16777216"), "%s", error.message);
    free(large);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* The second reader: the offsets of `name` as spelt in the header. */
static void offsets_in(const char *header, const char *name, unsigned long *from, unsigned long *to) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":{\"dtype\"", name);
    const char *at = strstr(header, quoted);
    cr_assert_not_null(at, "%s in %s", name, header);
    at = strstr(at, "\"data_offsets\":[");
    cr_assert_eq(sscanf(at, "\"data_offsets\":[%lu,%lu]", from, to), 2);
}

static const float weight[6] = {1, -2, 3.5f, 0, 1e-30f, 6};
static const double wide[3] = {0.1, -1e300, 3};
static const int64_t steps[2] = {-5, (int64_t)1 << 40};
static const int32_t labels[3] = {7, -8, 9};
static const unsigned char bytes_of[5] = {1, 2, 3, 4, 255};
static const rti_st_entry entries[] = {
    {.name = "u", .dtype = RTI_ST_U8, .ndim = 1, .shape = {5}, .data = bytes_of, .bytes = 5},
    {.name = "z.w",
     .dtype = RTI_ST_F32,
     .ndim = 2,
     .shape = {2, 3},
     .data = (const void *)weight,
     .bytes = 24},
    {.name = "labels",
     .dtype = RTI_ST_I32,
     .ndim = 1,
     .shape = {3},
     .data = (const void *)labels,
     .bytes = 12},
    {.name = "a.w", .dtype = RTI_ST_F32, .ndim = 0, .data = (const void *)weight, .bytes = 4},
    {.name = "wide", .dtype = RTI_ST_F64, .ndim = 1, .shape = {3}, .data = (const void *)wide, .bytes = 24},
    {.name = "steps", .dtype = RTI_ST_I64, .ndim = 1, .shape = {2}, .data = (const void *)steps, .bytes = 16},
    {.name = "none", .dtype = RTI_ST_F32, .ndim = 2, .shape = {0, 4}, .data = NULL, .bytes = 0},
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

Test(safetensors, what_is_written_reads_back) {
    const char *const metadata[] = {"format", "pt", "note", "caf\xC3\xA9 \"x\"", NULL};
    rt_error error;
    rt_status status = rti_st_write(test_path("w.safetensors"), entries, ENTRIES, metadata, &error);
    cr_assert_eq(status, RT_OK, "%s", error.message);

    rti_bytes raw;
    cr_assert_eq(rti_file_read(test_path("w.safetensors"), 1 << 20, &raw, &error), RT_OK);
    size_t header_length = raw.data[0] + 256u * raw.data[1];
    cr_assert_eq(header_length % 8, 0);
    cr_assert(raw.data[2] == 0 && raw.data[7] == 0 && raw.data[8] == '{');
    char header[4096];
    snprintf(header, sizeof header, "%.*s", (int)header_length, (const char *)raw.data + 8);
    static const char *const order[] = {"steps", "wide", "a.w", "none", "z.w", "labels", "u"};
    static const size_t width[] = {8, 8, 4, 4, 4, 4, 1};
    unsigned long at = 0;
    for (int i = 0; i < ENTRIES; i++) {
        unsigned long from, to;
        offsets_in(header, order[i], &from, &to);
        cr_assert_eq(from, at, "%s begins at %lu", order[i], from);
        cr_assert_eq((8 + header_length + from) % width[i], 0);
        for (int j = 0; j < ENTRIES; j++)
            if (strcmp(entries[j].name, order[i]) == 0) {
                cr_assert_eq(to - from, entries[j].bytes);
                if (to > from)
                    cr_assert_arr_eq(raw.data + 8 + header_length + from, entries[j].data, to - from);
            }
        at = to;
    }
    cr_assert_eq(8 + header_length + at, raw.count);
    rt_free(raw.data);

    rti_st_file file;
    cr_assert_eq(rti_st_read(&file, test_path("w.safetensors"), &error), RT_OK);
    cr_assert_eq(file.count, ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
        const rti_st_entry *e = rti_st_find(&file, entries[i].name);
        cr_assert(e && e->dtype == entries[i].dtype && e->ndim == entries[i].ndim &&
                  e->bytes == entries[i].bytes);
        for (int d = 0; d < e->ndim; d++) cr_assert_eq(e->shape[d], entries[i].shape[d]);
        if (e->bytes) cr_assert_arr_eq(e->data, entries[i].data, e->bytes);
    }
    cr_assert_str_eq(rti_st_metadata(&file, "note"), "caf\xC3\xA9 \"x\"");
    rti_st_deinit(&file);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(safetensors, bad_tensors_are_not_written) {
    static const struct {
        rti_st_entry entry;
        const char *part;
    } bad[] = {
        {{.name = "__metadata__", .dtype = RTI_ST_U8, .ndim = 0, .data = bytes_of, .bytes = 1},
         "cannot be the name"},
        {{.name = "\xFF", .dtype = RTI_ST_U8, .ndim = 0, .data = bytes_of, .bytes = 1}, "cannot be the name"},
        {{.name = NULL, .dtype = RTI_ST_U8, .ndim = 0, .data = bytes_of, .bytes = 1}, "cannot be the name"},
        {{.name = "a", .dtype = RTI_ST_BF16, .ndim = 0, .data = bytes_of, .bytes = 1}, "dtype"},
        {{.name = "a", .dtype = RTI_ST_U8, .ndim = 7, .data = bytes_of, .bytes = 1}, "7 dimensions"},
        {{.name = "a", .dtype = RTI_ST_U8, .ndim = 1, .shape = {-1}, .data = bytes_of, .bytes = 1},
         "impossible"},
        {{.name = "a", .dtype = RTI_ST_U8, .ndim = 2, .shape = {INT64_MAX, 9}, .data = bytes_of},
         "impossible"},
        {{.name = "a", .dtype = RTI_ST_U8, .ndim = 1, .shape = {2}, .data = bytes_of, .bytes = 1},
         "needs 2 bytes"},
        {{.name = "a", .dtype = RTI_ST_U8, .ndim = 1, .shape = {1}, .data = NULL, .bytes = 1},
         "needs 1 bytes"},
        {{.name = "u", .dtype = RTI_ST_U8, .ndim = 0, .data = bytes_of, .bytes = 1},
         "two tensors are called \"u\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rti_st_entry pair[2] = {entries[0], bad[i].entry};
        rt_error error;
        cr_assert_eq(rti_st_write(test_path("bad"), pair, 2, NULL, &error), RT_VALUE);
        cr_assert(strstr(error.message, bad[i].part), "\"%s\" does not say \"%s\"", error.message,
                  bad[i].part);
        cr_assert_not(rti_file_exists(test_path("bad")));
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(safetensors, survives_every_failing_allocation) {
    for (int reading = 0; reading < 2; reading++) {
        for (size_t n = 1;; n++) {
            rti_st_file file;
            rt_error error;
            rt_alloc_fail_after(n);
            rt_status status = reading ? rti_st_read(&file, test_path("w"), &error)
                                       : rti_st_write(test_path("w"), entries, ENTRIES, NULL, &error);
            rt_alloc_fail_after(0);
            if (status == RT_OK && reading) rti_st_deinit(&file);
            cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
            if (status == RT_OK) break;
            cr_assert_eq(status, RT_MEMORY);
            cr_assert_eq(rti_file_exists(test_path("w")), reading);
            cr_assert_lt(n, 100);
        }
    }
}
