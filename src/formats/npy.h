/* npy.h - reader and writer of NumPy's array files.                    Floor 6 (formats)
 *
 *     "\x93NUMPY"  major minor  header length (u16, from version 2.0 on u32)  header  numbers
 *     header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   spaces, a line end
 *
 * (numpy.lib.format, versions 1.0, 2.0 and 3.0.) The file is treated as hostile: the header is no
 * Python here, it holds three keys and nothing else, and its shape must describe the file's length
 * exactly before a number is looked at. Refused, with what to do about it: object arrays (they would
 * need pickle, which runs what is in the file), Fortran order, big-endian numbers, structured arrays,
 * text, dates, complex numbers, archives (.npz).
 *
 *     rti_npy a;
 *     RT_TRY(rti_npy_read(&a, "x.npy", error));
 *     for (int64_t i = 0; i < a.count; i++) use(rti_npy_value(&a, i));
 *     rti_npy_deinit(&a); */
#ifndef RTI_NPY_H
#define RTI_NPY_H

#include "core/file.h"
#include "retort/tensor.h"

/* One row per dtype: code, what stands in the file, NumPy's name, bytes of a number. Of those of more
 * than one byte only little-endian ones are read and written. */
#define RTI_NPY_LIST(X)        \
    X(B1, "|b1", "bool", 1)    \
    X(U1, "|u1", "uint8", 1)   \
    X(I1, "|i1", "int8", 1)    \
    X(U2, "<u2", "uint16", 2)  \
    X(I2, "<i2", "int16", 2)   \
    X(U4, "<u4", "uint32", 4)  \
    X(I4, "<i4", "int32", 4)   \
    X(U8, "<u8", "uint64", 8)  \
    X(I8, "<i8", "int64", 8)   \
    X(F2, "<f2", "float16", 2) \
    X(F4, "<f4", "float32", 4) \
    X(F8, "<f8", "float64", 8)

typedef enum rti_npy_dtype {
#define X(code, descr, name, bytes) RTI_NPY_##code,
    RTI_NPY_LIST(X)
#undef X
        RTI_NPY_DTYPES
} rti_npy_dtype;

typedef struct rti_npy {
    rti_npy_dtype dtype;
    int ndim; /* 0: a single number */
    int64_t shape[RT_MAX_DIMS];
    int64_t count; /* of numbers, the product of the shape; 0 is possible */
    int item_bytes;
    const unsigned char *data; /* count numbers, row-major, little-endian, maybe unaligned: rti_npy_value */
    int64_t offset;            /* of data in the file: number i stands at byte offset + i * item_bytes */
    void *memory;              /* what data lies in, for rt_free: whoever keeps data may take it over */
} rti_npy;

/* The whole file, at most 16 GiB. RT_FORMAT, RT_UNSUPPORTED (a file that is right and is not read here:
 * object arrays, Fortran order, big-endian, other dtypes, more than RT_MAX_DIMS dimensions), RT_IO,
 * RT_NOT_FOUND, RT_MEMORY; *npy is empty then. */
rt_status rti_npy_read(rti_npy *npy, const char *path, rt_error *error) RT_MUST_CHECK;
/* `bytes` must outlive *npy; `name` is for messages. */
rt_status rti_npy_parse(rti_npy *npy, const unsigned char *bytes, size_t length, const char *name,
                        rt_error *error) RT_MUST_CHECK;
void rti_npy_deinit(rti_npy *npy);

/* Number i in row-major order, 0 <= i < count. Whole numbers beyond 2^53 are rounded; bool is 0 or 1. */
double rti_npy_value(const rti_npy *npy, int64_t i);
bool rti_npy_is_float(rti_npy_dtype dtype);
const char *rti_npy_name(rti_npy_dtype dtype); /* "float32" */
int rti_npy_bytes(rti_npy_dtype dtype);        /* of one number */

/* Do these first bytes look like an array file? For those that take several formats. */
bool rti_npy_begins(const unsigned char *bytes, size_t length);

/* Version 1.0, to the byte as NumPy 1.23 and later write it. data: the numbers in the order of this
 * machine (F2: their 16 bits); NULL is fine when there are none. Whole and renamed into place, see
 * rti_file_write. RT_VALUE for an impossible shape, RT_IO, RT_MEMORY. */
rt_status rti_npy_write(const char *path, rti_npy_dtype dtype, int ndim, const int64_t shape[],
                        const void *data, rt_error *error) RT_MUST_CHECK;

#endif
