/* NPY: files as numpy.save (1.24) writes them, byte by byte, read and written; round trips of every
 * dtype; half floats against ldexp; headers with one thing wrong each, against the words that must say
 * what it is and what to do. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/temporary.h"
#include "formats/npy.h"
#include "retort/alloc.h"

/* What numpy.save writes: the text, spaces up to byte 127, a line end, the numbers. */
static size_t as_numpy(unsigned char out[512], const char *text, const void *numbers, size_t bytes) {
    memset(out, ' ', 128);
    memcpy(out, "\x93NUMPY\x01\x00v\x00", 10);
    memcpy(out + 10, text, strlen(text));
    out[127] = '\n';
    memcpy(out + 128, numbers, bytes);
    return 128 + bytes;
}

static const unsigned char floats[24] = {0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x20, 0xc0,
                                         0x00, 0x00, 0x40, 0x40, 0x00, 0x00, 0x00, 0x00,
                                         0x6f, 0x12, 0x83, 0x3a, 0x00, 0x00, 0xc0, 0x40};
static const float float_values[6] = {1, -2.5f, 3, 0, 1e-3f, 6};

Test(npy, reads_what_numpy_writes) {
    unsigned char bytes[512];
    rt_error error = {0};
    rti_npy a;
    size_t length = as_numpy(bytes, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", floats,
                             sizeof floats);
    cr_assert_eq(rti_npy_parse(&a, bytes, length, "x.npy", &error), RT_OK, "%s", error.message);
    cr_assert(a.dtype == RTI_NPY_F4 && a.ndim == 2 && a.shape[0] == 2 && a.shape[1] == 3 && a.count == 6);
    cr_assert(a.offset == 128 && a.data == bytes + 128 && a.item_bytes == 4);
    for (int i = 0; i < 6; i++) cr_assert_eq(rti_npy_value(&a, i), (double)float_values[i]);

    static const unsigned char whole[16] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00};
    length = as_numpy(bytes, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", whole, 16);
    cr_assert_eq(rti_npy_parse(&a, bytes, length, "x.npy", &error), RT_OK, "%s", error.message);
    cr_assert(a.dtype == RTI_NPY_I8 && a.ndim == 1 && rti_npy_value(&a, 0) == -2 &&
              rti_npy_value(&a, 1) == 0x10000000001);

    length = as_numpy(bytes, "{'descr': '|u1', 'fortran_order': False, 'shape': (), }", "\xff", 1);
    cr_assert_eq(rti_npy_parse(&a, bytes, length, "x.npy", &error), RT_OK, "%s", error.message);
    cr_assert(a.ndim == 0 && a.count == 1 && rti_npy_value(&a, 0) == 255);

    length = as_numpy(bytes, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }", "", 0);
    cr_assert_eq(rti_npy_parse(&a, bytes, length, "x.npy", &error), RT_OK, "%s", error.message);
    cr_assert(a.ndim == 2 && a.count == 0);
}

/* The same array as versions 2.0 and 3.0 hold it, and in Fortran order where that changes nothing. */
Test(npy, versions_and_spellings) {
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}\n",
        "{\"shape\": (2,3,), \"fortran_order\": False, \"descr\": \"<f4\"}    \n",
        "  {  'shape'  :  ( 2 ,3 ),'descr':'<f4','fortran_order':False  }\n",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (6,), }\n",
    };
    for (int version = 1; version <= 3; version++)
        for (size_t h = 0; h < sizeof headers / sizeof headers[0]; h++) {
            unsigned char bytes[256] = "\x93NUMPY";
            size_t text = strlen(headers[h]), start = version == 1 ? 10 : 12;
            bytes[6] = (unsigned char)version;
            bytes[8] = (unsigned char)text;
            memcpy(bytes + start, headers[h], text);
            memcpy(bytes + start + text, floats, sizeof floats);
            rti_npy a;
            rt_error error = {0};
            cr_assert_eq(rti_npy_parse(&a, bytes, start + text + sizeof floats, "x.npy", &error), RT_OK,
                         "version %d: %s: %s", version, headers[h], error.message);
            cr_assert(a.count == 6 && a.offset == (int64_t)(start + text));
            for (int i = 0; i < 6; i++) cr_assert_eq(rti_npy_value(&a, i), (double)float_values[i]);
        }
}

Test(npy, writes_what_numpy_writes) {
    static const struct {
        rti_npy_dtype dtype;
        int ndim;
        int64_t shape[6];
        const char *text;
    } cases[] = {
        {RTI_NPY_F4, 2, {2, 3}, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"},
        {RTI_NPY_U1, 1, {3}, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }"},
        {RTI_NPY_B1, 0, {0}, "{'descr': '|b1', 'fortran_order': False, 'shape': (), }"},
        {RTI_NPY_F8, 2, {0, 3}, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }"},
        {RTI_NPY_U2,
         6,
         {1, 2, 1, 2, 1, 2},
         "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 2, 1, 2, 1, 2), }"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char expected[512];
        size_t bytes = (size_t)rti_npy_bytes(cases[i].dtype);
        for (int d = 0; d < cases[i].ndim; d++) bytes *= (size_t)cases[i].shape[d];
        size_t length = as_numpy(expected, cases[i].text, float_values, bytes);
        rt_error error = {0};
        cr_assert_eq(rti_npy_write(test_path("a.npy"), cases[i].dtype, cases[i].ndim, cases[i].shape,
                                   bytes ? float_values : NULL, &error),
                     RT_OK, "%s", error.message);
        rti_bytes raw;
        cr_assert_eq(rti_file_read(test_path("a.npy"), 1 << 20, &raw, &error), RT_OK, "%s", error.message);
        cr_assert_eq(raw.count, length, "%s", cases[i].text);
        cr_assert_arr_eq(raw.data, expected, length, "%s", cases[i].text);
        rt_free(raw.data);
    }
    int64_t large[3] = {INT64_MAX, INT64_MAX, 2};
    rt_error error = {0};
    cr_assert_eq(rti_npy_write(test_path("b.npy"), RTI_NPY_F4, 3, large, floats, &error), RT_VALUE);
    cr_assert_not(rti_file_exists(test_path("b.npy")));
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* -1, 0, 1, ... of every dtype, the smallest and largest number too. */
Test(npy, every_dtype_reads_back) {
    const bool b1[] = {false, true};
    const uint8_t u1[] = {0, UINT8_MAX};
    const int8_t i1[] = {INT8_MIN, INT8_MAX};
    const uint16_t u2[] = {513, UINT16_MAX}, f2[] = {0x2e66, 0xc000};
    const int16_t i2[] = {INT16_MIN, INT16_MAX};
    const uint32_t u4[] = {16909060, UINT32_MAX};
    const int32_t i4[] = {INT32_MIN, INT32_MAX};
    const uint64_t u8[] = {(uint64_t)1 << 63, 77};
    const int64_t i8[] = {INT64_MIN, -77};
    const float f4[] = {-1.5f, 1e-45f};
    const double f8[] = {-1e300, 5e-324};
    const struct {
        rti_npy_dtype dtype;
        const void *data;
        double values[2];
    } all[] = {
        {RTI_NPY_B1, b1, {0, 1}},
        {RTI_NPY_U1, u1, {0, 255}},
        {RTI_NPY_I1, i1, {-128, 127}},
        {RTI_NPY_U2, u2, {513, 65535}},
        {RTI_NPY_I2, i2, {-32768, 32767}},
        {RTI_NPY_U4, u4, {16909060, 4294967295.0}},
        {RTI_NPY_I4, i4, {-2147483648.0, 2147483647.0}},
        {RTI_NPY_U8, u8, {9223372036854775808.0, 77}},
        {RTI_NPY_I8, i8, {-9223372036854775808.0, -77}},
        {RTI_NPY_F2, f2, {0.0999755859375, -2}},
        {RTI_NPY_F4, f4, {-1.5, (double)f4[1]}},
        {RTI_NPY_F8, f8, {-1e300, f8[1]}},
    };
    cr_assert_eq(sizeof all / sizeof all[0], RTI_NPY_DTYPES);
    for (int i = 0; i < RTI_NPY_DTYPES; i++) {
        rti_npy a;
        rt_error error = {0};
        const int64_t shape[] = {1, 2};
        const char *path = test_path("r.npy");
        cr_assert_eq(rti_npy_write(path, all[i].dtype, 2, shape, all[i].data, &error), RT_OK);
        cr_assert_eq(rti_npy_read(&a, path, &error), RT_OK, "%s", error.message);
        cr_assert(a.dtype == all[i].dtype && a.ndim == 2 && a.shape[1] == 2, "%s", rti_npy_name(a.dtype));
        for (int k = 0; k < 2; k++)
            cr_assert_eq(rti_npy_value(&a, k), all[i].values[k], "%s: %g", rti_npy_name(a.dtype),
                         rti_npy_value(&a, k));
        rti_npy_deinit(&a);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* All 65536 half floats: sign * 2^(exponent - 15) * (1 + fraction / 1024), subnormal below 2^-14. */
Test(npy, half_floats) {
    for (unsigned bits = 0; bits < 65536; bits++) {
        const unsigned char data[2] = {(unsigned char)bits, (unsigned char)(bits >> 8)};
        const rti_npy a = {.dtype = RTI_NPY_F2, .count = 1, .item_bytes = 2, .data = data};
        double value = rti_npy_value(&a, 0), sign = bits & 0x8000 ? -1 : 1;
        double fraction = (bits & 0x3ff) / 1024.0;
        int exponent = (int)(bits / 1024 % 32);
        if (exponent == 31)
            cr_assert(fraction > 0 ? isnan(value) : isinf(value) && value * sign > 0);
        else
            cr_assert_eq(value,
                         sign * (exponent ? pow(2, exponent - 15) * (1 + fraction) : pow(2, -14) * fraction),
                         "0x%04x", bits);
    }
}

Test(npy, refuses_with_what_to_do) {
    static const struct {
        const char *text;
        rt_status status;
        const char *part;
    } bad[] = {
        {"{'descr': '|O', 'fortran_order': False, 'shape': (6,), }", RT_UNSUPPORTED, "object array"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (6,), }", RT_UNSUPPORTED, "pickle"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", RT_UNSUPPORTED,
         "np.ascontiguousarray"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", RT_UNSUPPORTED,
         "big-endian numbers ('>f4'), little-endian ones are read: np.save(\"x.npy\", a.astype(\"<f4\"))"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }", RT_UNSUPPORTED, "structured"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (3,), }", RT_UNSUPPORTED, "dtype '<c8'"},
        {"{'descr': '<U6', 'fortran_order': False, 'shape': (1,), }", RT_UNSUPPORTED, "dtype '<U6'"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }", RT_UNSUPPORTED, "dtype '<f16'"},
        {"{'descr': '', 'fortran_order': False, 'shape': (6,), }", RT_UNSUPPORTED, "dtype ''"},
        {"{'descr': 'f4', 'fortran_order': False, 'shape': (6,), }", RT_UNSUPPORTED, "dtype 'f4'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,6), }", RT_UNSUPPORTED,
         "more than 6 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }", RT_FORMAT,
         "promises 32 bytes of float32 and the file has 24; it is truncated"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }", RT_FORMAT, "it is too long"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", RT_FORMAT, "it is too long"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296,6), }", RT_FORMAT,
         "multiply"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905,4), }", RT_FORMAT,
         "multiply"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", RT_FORMAT, "digits"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-6,), }", RT_FORMAT, "is '-'; a whole number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6), }", RT_FORMAT, "tuple of one number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': [6], }", RT_FORMAT, "'(' of a shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3), }", RT_FORMAT, "',' or ')'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (,), }", RT_FORMAT, "a whole number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6.0,), }", RT_FORMAT, "',' or ')'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2*3,), }", RT_FORMAT, "',' or ')'"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (6,), }", RT_FORMAT, "True or False"},
        {"{'descr': '<f4', 'fortran_order': False, }", RT_FORMAT, "lacks the key 'shape'"},
        {"{'fortran_order': False, 'shape': (6,)}", RT_FORMAT, "lacks the key 'descr'"},
        {"{'descr': '<f4', 'shape': (6,)}", RT_FORMAT, "lacks the key 'fortran_order'"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", RT_FORMAT, "twice"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'x': 1}", RT_FORMAT, "unknown key 'x'"},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (6,)}", RT_FORMAT, "',' or '}'"},
        {"{'descr': '<f\\x34', 'fortran_order': False, 'shape': (6,)}", RT_FORMAT, "a plain character"},
        {"{'descr': <f4, 'fortran_order': False, 'shape': (6,)}", RT_FORMAT, "a dtype in quotes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} or exit()", RT_FORMAT, "the line end"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,)", RT_FORMAT, "is 0x0a; ',' or '}'"},
        {"__import__('os')", RT_FORMAT, "the '{' of a dictionary"},
        {"", RT_FORMAT, "the '{' of a dictionary"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned char bytes[512];
        rti_npy a;
        rt_error error = {0};
        size_t length = as_numpy(bytes, bad[i].text, floats, sizeof floats);
        cr_assert_eq(rti_npy_parse(&a, bytes, length, "x.npy", &error), bad[i].status, "%s: %s", bad[i].text,
                     error.message);
        cr_assert(strncmp(error.message, "x.npy: ", 7) == 0 && strstr(error.message, bad[i].part),
                  "\"%s\" does not say \"%s\"", error.message, bad[i].part);
        cr_assert_null(a.data);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

static void damaged(size_t at, int value, size_t length, rt_status status, const char *part) {
    unsigned char bytes[512];
    rti_npy a;
    rt_error error = {0};
    as_numpy(bytes, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", floats, sizeof floats);
    bytes[at] = (unsigned char)value;
    cr_assert_eq(rti_npy_parse(&a, bytes, length, "x.npy", &error), status, "%s", error.message);
    cr_assert(strstr(error.message, part), "\"%s\" does not say \"%s\"", error.message, part);
}

Test(npy, magic_version_and_lengths) {
    size_t all = 128 + sizeof floats;
    damaged(0, 'P', all, RT_FORMAT, "not an NPY file");
    damaged(5, 'X', all, RT_FORMAT, "not an NPY file");
    damaged(6, 4, all, RT_UNSUPPORTED, "version 4.0");
    damaged(6, 0, all, RT_UNSUPPORTED, "version 0.0");
    damaged(7, 1, all, RT_UNSUPPORTED, "version 1.1");
    damaged(9, 1, all, RT_FORMAT, "should be 374 bytes long and only 142 follow");
    damaged(8, 'u', all, RT_FORMAT, "the line end");
    damaged(8, 60, all, RT_FORMAT, "header ends where the line end");
    damaged(127, ' ', all, RT_FORMAT, "the line end");
    damaged(0, 0x93, 0, RT_FORMAT, "not an NPY file");
    damaged(0, 0x93, 5, RT_FORMAT, "not an NPY file");
    damaged(0, 0x93, 6, RT_FORMAT, "ends in the middle");
    damaged(0, 0x93, 9, RT_FORMAT, "ends in the middle");
    damaged(0, 0x93, 100, RT_FORMAT, "only 90 follow");
    damaged(0, 0x93, all - 1, RT_FORMAT, "truncated");
    damaged(0, 0x93, all + 1, RT_FORMAT, "too long");
    rti_npy a;
    rt_error error = {0};
    const unsigned char zip[] = "PK\x03\x04............", huge[] = "\x93NUMPY\x02\x00\xff\xff\xff\xff{}\n";
    cr_assert_eq(rti_npy_parse(&a, zip, sizeof zip, "x.npz", &error), RT_UNSUPPORTED);
    cr_assert(strstr(error.message, "unzip"), "%s", error.message);
    cr_assert_eq(rti_npy_parse(&a, huge, sizeof huge, "x.npy", &error), RT_FORMAT);
    cr_assert(strstr(error.message, "4294967295 bytes long"), "%s", error.message);
    cr_assert_eq(rti_npy_read(&a, test_path("none.npy"), &error), RT_NOT_FOUND);
}

Test(npy, survives_every_failing_allocation) {
    const int64_t shape[] = {2, 3};
    const char *path = test_path("f.npy");
    for (int reading = 0; reading < 2; reading++)
        for (size_t n = 1;; n++) {
            rti_npy a = {0};
            rt_error error = {0};
            rt_alloc_fail_after(n);
            rt_status status = reading ? rti_npy_read(&a, path, &error)
                                       : rti_npy_write(path, RTI_NPY_F4, 2, shape, floats, &error);
            rt_alloc_fail_after(0);
            rti_npy_deinit(&a);
            cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
            if (status == RT_OK) break;
            cr_assert_eq(status, RT_MEMORY);
            cr_assert_eq(rti_file_exists(path), reading);
            cr_assert_lt(n, 100);
        }
}
