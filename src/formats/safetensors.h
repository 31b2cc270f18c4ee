/* safetensors.h - weights in the format of the same name.              Floor 6 (formats)
 *
 * u64 little-endian header length, JSON header, data. The header is treated as hostile: lengths are
 * compared with the file before memory is asked for, offsets must cover the data without holes or
 * overlaps, products are checked, at most 16 MiB of header are read. The writer orders and aligns
 * as the original library does. */
#ifndef RTI_SAFETENSORS_H
#define RTI_SAFETENSORS_H

#include "core/file.h"
#include "retort/tensor.h"

/* F16 and BF16 are read, not written. OTHER: a dtype of the format that is not converted here (F8_E4M3,
 * ...); its size is checked too. */
typedef enum rti_st_dtype {
    RTI_ST_F32,
    RTI_ST_F64,
    RTI_ST_I32,
    RTI_ST_I64,
    RTI_ST_U8,
    RTI_ST_F16,
    RTI_ST_BF16,
    RTI_ST_OTHER
} rti_st_dtype;

typedef struct rti_st_entry {
    const char *name;
    rti_st_dtype dtype;
    char dtype_name[8];      /* as in the file */
    int ndim;
    int64_t shape[RT_MAX_DIMS];
    int64_t count;             /* of elements; the writer goes by shape and bytes */
    const unsigned char *data; /* count elements, little-endian, maybe unaligned: memcpy */
    size_t bytes;
} rti_st_entry;

typedef struct rti_st_file {
    int count;
    const rti_st_entry *entries;      /* in the order of their data */
    int metadata_count;
    const char *const *metadata;      /* key, value, key, value */
    void *memory;
} rti_st_file;

/* At most 16 GiB. RT_FORMAT, RT_UNSUPPORTED (more than RT_MAX_DIMS dimensions), RT_IO, RT_NOT_FOUND,
 * RT_MEMORY; *file is empty then. */
rt_status rti_st_read(rti_st_file *file, const char *path, rt_error *error) RT_MUST_CHECK;
rt_status rti_st_parse(rti_st_file *file, const unsigned char *bytes, size_t length, const char *name,
                       rt_error *error) RT_MUST_CHECK; /* bytes must outlive file */
void rti_st_deinit(rti_st_file *file);
const rti_st_entry *rti_st_find(const rti_st_file *file, const char *name);
const char *rti_st_metadata(const rti_st_file *file, const char *key); /* NULL when missing */

/* F32, F64, F16 or BF16? Then element i as a double, exactly. */
bool rti_st_is_real(rti_st_dtype dtype);
double rti_st_number(const rti_st_entry *entry, int64_t i);

/* For writing, `data` points at host-order elements. metadata: key, value, ..., NULL; may be NULL;
 * no key twice. Whole and renamed into place, see rti_file_write. RT_VALUE for two tensors of one
 * name, a name that is not UTF-8 or bytes that do not fit the shape; RT_IO; RT_MEMORY. */
rt_status rti_st_write(const char *path, const rti_st_entry entries[], int count,
                       const char *const metadata[], rt_error *error) RT_MUST_CHECK;

#endif
