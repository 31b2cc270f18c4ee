/* cifar10.c - CIFAR-10: 50000 and 10000 colour photographs, 32x32.     Floor 6 (data)
 *
 * Krizhevsky 2009, "Learning multiple layers of features from tiny images". The binary version:
 * records of one label byte, then 1024 red, 1024 green and 1024 blue bytes. */
#include <stdio.h>
#include <string.h>

#include "data/dataset.h"

#define PIXELS 3072
#define RECORD (1 + PIXELS)
#define BATCH 10000
#define TRAIN_BATCHES 5
#define HELD_OUT 5000

static const char *const class_names[] = {"airplane", "automobile", "bird", "cat", "deer",
                                          "dog", "frog", "horse", "ship", "truck"};

static rt_status folder_of(const char *directory, char out[RTI_PATH_MAX], rt_error *error) {
    static const char *const folders[] = {"cifar10", "cifar-10-batches-bin", "."};
    for (int i = 0; i < 3; i++) {
        char path[RTI_PATH_MAX];
        RT_TRY(rti_path_join(out, RTI_PATH_MAX, directory, folders[i], error));
        RT_TRY(rti_path_join(path, sizeof path, out, "data_batch_1.bin", error));
        if (rti_file_exists(path)) return RT_OK;
    }
    return rt_fail(
        error, RT_NOT_FOUND,
        "cifar10: data_batch_1.bin is neither in %s/cifar10 nor in "
        "%s/cifar-10-batches-bin. `retort data fetch cifar10` downloads it, RETORT_DATA=DIR uses files "
        "that are already there",
        directory, directory);
}

/* Spreads `count` records of a file over pixels and labels. */
static rt_status batch_read(const char *path, uint8_t *pixels, int32_t *labels, rt_error *error) {
    rti_bytes file;
    RT_TRY(rti_file_read(path, (size_t)BATCH * RECORD, &file, error));
    rt_status status = RT_OK;
    if (file.count != (size_t)BATCH * RECORD)
        status = rt_fail(error, RT_FORMAT,
                         "%s: has %zu bytes; a CIFAR-10 batch has %d (10000 records of 3073)", path,
                         file.count, BATCH * RECORD);
    for (int i = 0; status == RT_OK && i < BATCH; i++) {
        const uint8_t *record = file.data + (size_t)i * RECORD;
        if (record[0] > 9)
            status = rt_fail(error, RT_FORMAT,
                             "%s: record %d (at byte %d) has the label %d; 0 to 9 is possible", path, i,
                             i * RECORD, record[0]);
        labels[i] = record[0];
        memcpy(pixels + (size_t)i * PIXELS, record + 1, PIXELS);
    }
    rt_free(file.data);
    return status;
}

static rt_status examples_alloc(rti_source *out, int batches, uint8_t **pixels, int32_t **labels,
                                rt_error *error) {
    size_t count = (size_t)batches * BATCH;
    *pixels = rt_alloc(count * PIXELS);
    rti_source_keep(out, *pixels);
    *labels = rt_alloc(count * sizeof **labels);
    rti_source_keep(out, *labels);
    if (!*pixels || !*labels) return rt_fail(error, RT_MEMORY, "cifar10: no memory for %zu images", count);
    return RT_OK;
}

static rt_examples examples_of(const uint8_t *pixels, const int32_t *labels, int64_t count) {
    return (rt_examples){.count = count, .ndim = 3, .shape = {3, 32, 32}, .features = PIXELS, .classes = 10,
                         .bytes = pixels, .labels = labels, .scale = 1.0 / 255};
}

static rt_status read_cifar10(const rt_params *options, const char *directory, const rti_source *like,
                              rti_source *out, rt_error *error) {
    (void)options, (void)like;
    char folder[RTI_PATH_MAX], path[RTI_PATH_MAX], name[32];
    uint8_t *pixels;
    int32_t *labels;
    out->class_names = class_names;
    RT_TRY(folder_of(directory, folder, error));
    RT_TRY(examples_alloc(out, TRAIN_BATCHES, &pixels, &labels, error));
    for (int b = 0; b < TRAIN_BATCHES; b++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", b + 1);
        RT_TRY(rti_path_join(path, sizeof path, folder, name, error));
        RT_TRY(batch_read(path, pixels + (size_t)b * BATCH * PIXELS, labels + (size_t)b * BATCH, error));
    }
    int64_t count = (int64_t)TRAIN_BATCHES * BATCH;
    out->train = examples_of(pixels, labels, count);

    RT_TRY(rti_path_join(path, sizeof path, folder, "test_batch.bin", error));
    if (rti_file_exists(path)) {
        RT_TRY(examples_alloc(out, 1, &pixels, &labels, error));
        RT_TRY(batch_read(path, pixels, labels, error));
        out->test = examples_of(pixels, labels, BATCH);
        return RT_OK;
    }
    RT_TRY(rti_path_join(path, sizeof path, folder, "test_batch_first1000.bin", error));
    if (!rti_file_exists(path))
        return rt_fail(error, RT_NOT_FOUND,
                       "cifar10: test_batch.bin is not in %s. `retort data fetch cifar10` "
                       "downloads it",
                       folder);
    out->train.count = count - HELD_OUT;
    out->test = examples_of(pixels + (size_t)(count - HELD_OUT) * PIXELS, labels + (count - HELD_OUT),
                            HELD_OUT);
    snprintf(out->note, sizeof out->note,
             "tested on the last 5000 training images, not on the official test set");
    return RT_OK;
}

const rti_dataset_kind rti_dataset_kind_cifar10 = {
    .name = "cifar10",
    .title = "CIFAR-10: photographs of ten things, 32x32 colour, 50000 and 10000",
    .files =
        "DIR/cifar10/data_batch_1.bin ... data_batch_5.bin, test_batch.bin; also DIR/cifar-10-batches-bin",
    .read = read_cifar10,
    .fetch = "cifar10",
};
RTI_REGISTER(dataset, cifar10)
