/* cifar.h - what CIFAR-10 and CIFAR-100 have in common: their binary files.  Floor 6 (data)
 *
 * A file is a row of records: one or two label bytes, then 1024 red, 1024 green and 1024 blue bytes. */
#ifndef RTI_CIFAR_H
#define RTI_CIFAR_H

#include "data/dataset.h"

#define RTI_CIFAR_PIXELS 3072

typedef struct rti_cifar_form {
    const char *name;           /* of the set, for messages: "cifar10" */
    const char *folders[2];     /* below the data directory, where its files may be */
    int label_bytes;            /* ahead of the pixels of a record */
    int label;                  /* which of them is the label */
    int classes[2];             /* every label byte is below its number of classes */
} rti_cifar_form;

/* The first place that holds `file`: a folder of the form, or the directory itself. RT_NOT_FOUND. */
rt_status rti_cifar_folder(const rti_cifar_form *form, const char *directory, const char *file,
                           char out[RTI_PATH_MAX], rt_error *error) RT_MUST_CHECK;

/* Memory for `count` images, kept by `source`. */
rt_status rti_cifar_alloc(const rti_cifar_form *form, rti_source *source, int64_t count, uint8_t **pixels,
                          int32_t **labels, rt_error *error) RT_MUST_CHECK;

/* Spreads exactly `count` records of `bytes` over pixels (count, 3072) and labels (count). `path` is for
 * messages. RT_FORMAT: another length, or a label that is out of range. */
rt_status rti_cifar_spread(const rti_cifar_form *form, const uint8_t *bytes, size_t length, const char *path,
                           int64_t count, uint8_t *pixels, int32_t *labels, rt_error *error) RT_MUST_CHECK;

/* The same of the file folder/name. */
rt_status rti_cifar_read(const rti_cifar_form *form, const char *folder, const char *name, int64_t count,
                         uint8_t *pixels, int32_t *labels, rt_error *error) RT_MUST_CHECK;

rt_examples rti_cifar_examples(const rti_cifar_form *form, const uint8_t *pixels, const int32_t *labels,
                               int64_t count);

#endif
