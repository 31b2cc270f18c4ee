/* raw.h - examples of a file whose kind is told by what is in it.       Floor 6 (data)
 *
 * IDX, NPY, CSV, or PGM and PPM pictures, one or a stream of them. Their numbers are handed on as they stand
 * there, example by example, in the order of the network that will read them: images (C, H, W), also when the
 * file holds (H, W, C).
 *
 *     rti_raw_wanted wanted = {.ndim = 3, .shape = {1, 28, 28}};
 *     RT_TRY(rti_raw_open(&raw, "three.pgm", bytes, &wanted, error));
 *     for (int64_t i = 0; i < raw.count; i++) RT_TRY(rti_raw_example(&raw, i, numbers, error));
 *     rti_raw_deinit(&raw); */
#ifndef RTI_RAW_H
#define RTI_RAW_H

#include "core/text.h"
#include "data/dataset.h"
#include "formats/csv.h"
#include "formats/npy.h"

typedef struct rti_raw_wanted {
    int ndim;
    int64_t shape[RT_MAX_DIMS]; /* of one example */
    const char *label; /* of CSV: the column that is no input: a name, a number from 1, -1; NULL: none */
} rti_raw_wanted;

typedef enum rti_raw_kind { RTI_RAW_IDX, RTI_RAW_NPY, RTI_RAW_CSV, RTI_RAW_PICTURES } rti_raw_kind;

typedef struct rti_raw {
    rti_raw_kind kind;
    const char *name;           /* for messages, borrowed */
    bool bytes;                 /* all its numbers are bytes */
    int64_t count, features;    /* examples, numbers of one */
    int64_t pixels, channels;   /* channels > 1: it holds (H, W, C), the network reads (C, H, W) */
    rti_idx idx;
    rti_npy npy;
    rti_csv csv;
    int64_t first_row;          /* 1 when the table has a header */
    int label_column;           /* -1: none */
    rti_text pictures;          /* their pixels, one after the other */
} rti_raw;

/* `bytes` stay the caller's and must outlive *raw. RT_FORMAT (with the place), RT_SHAPE: the examples are not
 * what the network reads, both sizes are said; RT_VALUE: a label column that is not there; RT_UNSUPPORTED,
 * RT_MEMORY. Nothing is to be released then. */
rt_status rti_raw_open(rti_raw *raw, const char *name, rti_bytes bytes, const rti_raw_wanted *wanted,
                       rt_error *error) RT_MUST_CHECK;
void rti_raw_deinit(rti_raw *raw);

/* Example i into out (features). RT_FORMAT: a field that is no number, a number that is not finite. */
rt_status rti_raw_example(const rti_raw *raw, int64_t i, double *out, rt_error *error) RT_MUST_CHECK;
/* What stands in the label column; borrowed. NULL when there is none. */
const char *rti_raw_label(const rti_raw *raw, int64_t i);
/* Where example i begins, for messages: "spam.csv:12", "three.idx, example 11". Returns the buffer. */
const char *rti_raw_place(const rti_raw *raw, int64_t i, char buffer[256]);

#endif
