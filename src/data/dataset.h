/* dataset.h - what a kind of data set is.                              Floor 6 (data)
 *
 * One kind, one file: a descriptor with its option rows and a function that reads or makes the
 * examples. RTI_REGISTER(dataset, name) puts `rti_dataset_kind_name` on the generated list; after
 * that the kind is in `set`, in `retort list`, `retort help` and the spec's validation. Splits,
 * subsets, label noise, standardisation and hashes are done for all kinds in dataset.c. */
#ifndef RTI_DATASET_H
#define RTI_DATASET_H

#include "core/file.h"
#include "retort/alloc.h"
#include "retort/data.h"

#ifndef RTI_REGISTER
#define RTI_REGISTER(kind, name)
#endif

#define RTI_SOURCE_BLOCKS 16
#define RTI_CLASSES_MAX 4096 /* of a set whose classes are counted, not stated */

typedef struct rti_reading rti_reading; /* what several data sets look at (sources.c) */

/* What reading a set gives: training and test examples and the memory behind them. */
typedef struct rti_source {
    rt_examples train, test;
    const char *const *class_names; /* (classes) static or in a block; NULL: numbers are the names */
    bool standardise;               /* values become (value - mean) / deviation of the training part */
    char note[160];                 /* what a reader must know about the set; "" mostly */
    void *blocks[RTI_SOURCE_BLOCKS];
    int block_count;
    rti_reading *reading;           /* the examples are others', too; NULL: in the blocks alone */
} rti_source;

typedef struct rti_dataset_kind {
    const char *name;    /* as in `set`: "fashion-mnist" */
    const char *title;   /* one line for lists */
    const char *files;   /* where the files are looked for, or how the set is made */
    const rt_param *rows;
    int row_count;
    /* Fills *out, which is zero before. On failure what was kept so far is released by the caller.
     * `like` is NULL, or the main set when a transfer set of its own is read: class names must then
     * mean the same numbers. `directory` is where downloaded sets are. */
    rt_status (*read)(const rt_params *options, const char *directory, const rti_source *like,
                      rti_source *out, rt_error *error);
    const char *fetch;   /* name for `retort data fetch`, or NULL */
    bool own_files;      /* the user names the files: they may change, so each data set reads them */
} rti_dataset_kind;

/* All kinds in alphabetical order of their identifiers, NULL-terminated; (registry, options.c). */
extern const rti_dataset_kind *const rti_all_dataset_kinds[];
const rti_dataset_kind *rti_dataset_kind_find(const char *name); /* NULL when there is none */

/* Reads the main set, or, while another data set that was made from the same options is open, looks at
 * what it holds (not of a kind with own_files). On failure the caller releases what was kept, as with
 * `read`. RT_MEMORY, and the errors of `read`. (sources.c) */
rt_status rti_source_open(const rti_dataset_kind *kind, const rt_params *options, const char *directory,
                          rti_source *out, rt_error *error) RT_MUST_CHECK;

/* Have both the same examples of one set, with the same labels? */
bool rti_same_part(const rt_part *a, const rt_part *b);

/* The source owns `block` from now on and releases it with rt_free; NULL is fine. */
void rti_source_keep(rti_source *source, void *block);
void rti_source_deinit(rti_source *source);

/* rt_dataset_settle for one source; sets that share a reading share what has been moved. (sources.c) */
void rti_source_settle(rti_source *source);

/* True when `path` or `path`.gz is there. (directory.c) */
bool rti_file_or_gzip_exists(const char *path);

/* Where `given`, the value of an option, is looked for: as it stands when it is there (or absolute), else
 * in the data directory. (directory.c) */
rt_status rti_data_path(const char *given, const char *directory, char out[RTI_PATH_MAX],
                        rt_error *error) RT_MUST_CHECK;

/* ---- IDX (idx.c) ---- */

typedef struct rti_idx {
    int ndim;
    int64_t shape[4];
    const uint8_t *bytes; /* inside file.data */
    rti_bytes file;       /* the caller releases file.data with rt_free */
} rti_idx;

/* Reads an IDX file of unsigned bytes with 1 to 4 dimensions, plain or .gz. The extents must
 * describe the file's length exactly. RT_NOT_FOUND, RT_FORMAT, RT_IO, RT_MEMORY. */
rt_status rti_idx_read(const char *path, rti_idx *out, rt_error *error) RT_MUST_CHECK;

/* The same from bytes that are there already and stay the caller's: out->file looks at them. */
rt_status rti_idx_parse(const char *name, rti_bytes bytes, rti_idx *out, rt_error *error) RT_MUST_CHECK;

/* An image file and its label file into examples kept by `source`. classes 0: one more than the
 * largest label. RT_FORMAT when the counts differ or a label is not below `classes`. */
rt_status rti_idx_examples(const char *images, const char *labels, int classes, rti_source *source,
                           rt_examples *out, rt_error *error) RT_MUST_CHECK;

/* The four files of the MNIST family: in directory/folder, else in directory itself. The error for
 * a missing file says how to fetch `name`. */
rt_status rti_mnist_files_read(const char *directory, const char *folder, const char *name,
                               rti_source *out, rt_error *error) RT_MUST_CHECK;

/* ---- choosing examples (split.c) ----
 *
 * Marks `want` of the `count` listed examples in chosen[0 ... count-1], class by class in proportion
 * (largest remainder), at random inside a class by the stream (seed, purpose). RT_MEMORY. */
rt_status rti_choose(const int32_t *labels, int classes, const int32_t *list, int64_t count, int64_t want,
                     uint64_t seed, const char *purpose, bool *chosen, rt_error *error) RT_MUST_CHECK;

/* Makes the last examples of source->train the test set: `fraction` of them, by class in proportion, order
 * kept on both sides. RT_SPEC naming the option `row` when one side would be empty; RT_MEMORY. */
rt_status rti_hold_out(rti_source *source, double fraction, const char *row, uint64_t seed,
                       rt_error *error) RT_MUST_CHECK;

/* Changes round(fraction * count) of labels[0 ... count-1] into another class, each other class with
 * the same probability. RT_MEMORY. */
rt_status rti_noise(int32_t *labels, int classes, int64_t count, double fraction, uint64_t seed,
                    const char *purpose, rt_error *error) RT_MUST_CHECK;

#endif
