/* data.h - data sets, splits, augmentation, batches.                   Floor 6 (data)
 *
 * A data set stays in memory as it came: pixels are bytes until a batch needs them. Splits and
 * subsets are lists of example numbers, never copies. Kinds of sets are descriptors
 * (RTI_REGISTER(dataset, ...)): digits, mnist, fashion-mnist, cifar10, cifar100, and of one's own: csv,
 * idx, npy, folder.
 */
#ifndef RETORT_DATA_H
#define RETORT_DATA_H

#include "retort/graph.h"
#include "retort/params.h"
#include "retort/rng.h"

/* ---- examples ---- */

#define RT_CHANNELS_MAX 4 /* that can be normalised */

typedef struct rt_examples {
    int64_t count;
    int ndim;                 /* of one example: 3 for images (C, H, W), 1 for rows (D) */
    int64_t shape[RT_MAX_DIMS];
    int64_t features;         /* product of the shape */
    int classes;
    const uint8_t *bytes;     /* (count, features), or NULL */
    const float *values;      /* (count, features), when bytes is NULL */
    const int32_t *labels;    /* (count), 0 ... classes-1 */
    double scale, shift;      /* value = byte * scale + shift; pixels: 1/255 and 0 */
    int channels;             /* normalised images: shape[0], each with its own scale and shift; else 0 */
    double channel_scale[RT_CHANNELS_MAX], channel_shift[RT_CHANNELS_MAX];
    int background;           /* byte that fills what a shift uncovers */
} rt_examples;

typedef struct rt_dataset rt_dataset;

/* Option rows of the [data] section: set, validation, batch, paths, subset, noise, ... */
const rt_param *rt_data_rows(int *count);
const char *const *rt_data_kinds(int *count);

/* Reads or makes the set that `options` (rows above) names. `directory`: where downloaded sets
 * are (NULL: environment RETORT_DATA, else the user's data directory, see rt_data_directory).
 * NULL and *error: RT_NOT_FOUND (the message says how to fetch), RT_FORMAT, RT_IO, RT_SPEC,
 * RT_MEMORY. */
rt_dataset *rt_dataset_open(const rt_params *options, const char *directory, rt_error *error) RT_MUST_CHECK;
/* The same for a kind of set with every option at its default: rt_dataset_open_kind("digits", &error). */
rt_dataset *rt_dataset_open_kind(const char *kind, rt_error *error) RT_MUST_CHECK;
void rt_dataset_free(rt_dataset *set);

/* Before a long training: examples that are looked at where their file lies in the system's cache, in small
 * pages, move to memory with large ones, where reading them in random order is faster: an epoch of
 * 784-800-800-10 takes 8 % less, of 784-1200-1200-10 with dropout 4 % (tests/bench/settle.csv). Opening a set
 * does not do it, because all of them are copied. Nobody else may use the set meanwhile; `bytes` of its
 * training examples change. Without memory for it nothing happens. */
void rt_dataset_settle(rt_dataset *set);

const rt_examples *rt_dataset_train_examples(const rt_dataset *set); /* validation included */
const rt_examples *rt_dataset_test_examples(const rt_dataset *set);
/* 32 hexadecimal digits over bytes, labels and shapes of all examples, also of a transfer set's own.
 * Splits and subsets are not in it: see rt_dataset_part_hash. All data are read when one of the two is first
 * asked for. */
const char *rt_dataset_hash(const rt_dataset *set);
const char *rt_dataset_summary(const rt_dataset *set); /* "mnist: 55000 train, 5000 validation, 10000 test" */

/* What a reader of any figure must know, "tested on the last 5000 training images, ..."; "" mostly. */
const char *rt_dataset_note(const rt_dataset *set);

/* A part of a set: numbers of examples, in ascending order, labels possibly changed (label noise).
 * Borrowed from the set. */
typedef struct rt_part {
    const rt_examples *examples;
    int64_t count;
    const int32_t *index;   /* (count) into examples */
    const int32_t *labels;  /* (count), after label noise */
} rt_part;

/* train: what a teacher trains on; transfer: what a student sees (subset, omitted classes, noise,
 * or a set of its own); validation: fixed by the data seed, stratified; test. */
typedef enum rt_part_name { RT_PART_TRAIN, RT_PART_TRANSFER, RT_PART_VALIDATION, RT_PART_TEST } rt_part_name;
const rt_part *rt_dataset_part(const rt_dataset *set, rt_part_name part);
/* Content of a part: its examples, which of them, in this order, with these labels. What is kept by
 * position in a part (a soft-target cache) and what depends on one part alone (a teacher: train and
 * validation) is identified by this. */
const char *rt_dataset_part_hash(const rt_dataset *set, rt_part_name part);

/* "3", "sneaker": in `buffer` or borrowed from the set. */
const char *rt_dataset_class_name(const rt_dataset *set, int class_number, char buffer[16]);

/* ---- the form of the input ----
 *
 * What a trained network must know to be used outside: how raw numbers become what it reads,
 *
 *     x = scale raw + shift
 *
 * with one entry for all, one for each channel of (C, H, W), or one for each number of an example. Files of
 * trained networks carry it as metadata (retort.input, .input_scale, .input_shift, retort.class_names).
 * Standardised numbers are rounded once more here than in training: the last bit may differ. */
typedef struct rt_input_form {
    bool bytes;                       /* raw: 0 ... 255; else any numbers */
    int64_t count;                    /* of entries */
    double *scale, *shift;
    int classes;                      /* 0: not known */
    const char *const *class_names;   /* of a file, (classes); NULL: numbers are the names */
    const char *metadata[9];          /* of a set: key, value, ..., NULL, for rt_model_save; borrowed */
    struct rti_text *text;            /* behind `metadata` */
} rt_input_form;

/* Of the set's training examples. NULL and *error: RT_MEMORY. Freed with rt_input_form_free. */
rt_input_form *rt_input_form_of(const rt_dataset *set, rt_error *error) RT_MUST_CHECK;
/* Of a trained network's file. NULL and *error: RT_NOT_FOUND (no such file, or it does not say), RT_FORMAT,
 * RT_IO, RT_MEMORY. */
rt_input_form *rt_input_form_read(const char *path, rt_error *error) RT_MUST_CHECK;
void rt_input_form_free(rt_input_form *form);
/* Does it suit examples of this shape? Ask before _apply when form and network come from outside. */
bool rt_input_form_fits(const rt_input_form *form, int ndim, const int64_t shape[]);
/* One example: out (features) = scale raw + shift. _bytes gives the bits of a loader's batch. */
void rt_input_form_apply_bytes(const rt_input_form *form, int64_t features, const uint8_t *raw, rt_real *out);
void rt_input_form_apply(const rt_input_form *form, int64_t features, const double *raw, rt_real *out);

/* ---- batches ---- */

typedef struct rt_batch {
    rt_tensor *x;           /* (N, shape...) REAL; borrowed until the next call or reset of the loader */
    rt_tensor *y;           /* (N) I32 */
    const int32_t *index;   /* (N) positions in the part, 0 ... part->count-1: for caches */
    rt_tensor *y2;          /* with mixup (N) I32, the labels of the partners; else NULL */
    double lambda;          /* with mixup the share of y; 1 - lambda is that of y2 */
    int64_t count;
    int64_t step;           /* within the epoch */
} rt_batch;

/* Augmentation, anew for each example and epoch. Everything but mixup is a function of (seed, epoch,
 * example) alone, mixup of (seed, epoch, step): views can be replayed, and teacher and student look at the
 * same ones. Images of bytes only, but for mixup. */
typedef struct rt_augment {
    int jitter;             /* shift by -jitter ... jitter pixels in x and in y, filled with background */
    bool flip;              /* mirror left and right, every other image */
    int crop;               /* a border of so many pixels, then a window of the image's size anywhere in it */
    bool reflect;           /* the border mirrors the image; else it is background */
    int cutout;             /* a blank square of this size, its centre anywhere (DeVries, Taylor 2017) */
    /* x = lambda x + (1 - lambda) x of a partner in the batch, lambda from Beta(mixup, mixup), one for each
     * batch; 0: none. Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv 1710.09412, as in its authors' code. */
    double mixup;
} rt_augment;

typedef struct rt_loader rt_loader;

/* Lends batches of `part`. shuffle_seed 0 keeps the order; otherwise epoch e's order is a function
 * of (seed, e) alone, and each example's augmentation of (seed, e, example). The last batch may be
 * smaller. The part's index and labels are read anew as an epoch begins: they may be others then, as many. */
rt_loader *rt_loader_new(const rt_part *part, int64_t batch, uint64_t shuffle_seed, const rt_augment *augment,
                         rt_error *error) RT_MUST_CHECK;
void rt_loader_free(rt_loader *loader);
void rt_loader_begin(rt_loader *loader, int64_t epoch); /* a new loader stands at epoch 0 */
bool rt_loader_next(rt_loader *loader,
                    rt_batch *batch);                   /* false at the end of the epoch; allocates nothing */
int64_t rt_loader_steps(const rt_loader *loader);       /* batches in an epoch */

/* ---- the built-in digits ---- */

/* One 28x28 grey image of `digit`, a pure function of (seed, number). */
void rt_digit_draw(int digit, uint64_t seed, uint64_t number, uint8_t pixels[28 * 28]);

/* ---- fetching ---- */

/* RETORT_DATA, or XDG_DATA_HOME/retort, or ~/.local/share/retort. */
rt_status rt_data_directory(char *out, size_t size, rt_error *error) RT_MUST_CHECK;
/* Downloads with curl from the mirrors, resumes, verifies SHA-256, renames into place last. Says
 * what it does through rt_say. RT_PROGRAM, RT_IO, RT_FORMAT (a sum that does not match). */
rt_status rt_data_fetch(const char *set, const char *directory, rt_error *error) RT_MUST_CHECK;

#endif
