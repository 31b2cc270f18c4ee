/* cifar10.c - CIFAR-10: 50000 and 10000 colour photographs, 32x32.     Floor 6 (data)
 *
 * Krizhevsky 2009, "Learning multiple layers of features from tiny images". The binary version: five files
 * of 10000 training images and one of test images. Where the test file is missing (or held_out asks for it)
 * the last 5000 training images are the test set, and every table says so. */
#include <stdio.h>

#include "data/cifar.h"

#define BATCH 10000
#define TRAIN_BATCHES 5
#define HELD_OUT 5000

static const rti_cifar_form form = {
    .name = "cifar10", .folders = {"cifar10", "cifar-10-batches-bin"}, .label_bytes = 1, .classes = {10}};

static const char *const class_names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                          "dog",      "frog",       "horse", "ship", "truck"};

static const rt_param rows[] = {
    RT_PARAM_BOOL_ROW("cifar10.held_out", false,
                      "tests on the last 5000 training images, even where the official test file is there"),
};

/* Whether the official test images are read; an error when there is neither them nor a part of them. */
static rt_status official_test(const rt_params *options, const char *folder, bool *official,
                               rt_error *error) {
    char path[RTI_PATH_MAX];
    *official = false;
    if (rt_params_bool(options, "cifar10.held_out")) return RT_OK;
    RT_TRY(rti_path_join(path, sizeof path, folder, "test_batch.bin", error));
    *official = rti_file_exists(path);
    if (*official) return RT_OK;
    RT_TRY(rti_path_join(path, sizeof path, folder, "test_batch_first1000.bin", error));
    if (rti_file_exists(path)) return RT_OK;
    return rt_fail(error, RT_NOT_FOUND,
                   "cifar10: test_batch.bin is not in %s. `retort data fetch cifar10` downloads it; "
                   "cifar10.held_out = true tests on 5000 of the training images",
                   folder);
}

static rt_status read_cifar10(const rt_params *options, const char *directory, const rti_source *like,
                              rti_source *out, rt_error *error) {
    (void)like;
    char folder[RTI_PATH_MAX], name[32];
    uint8_t *pixels;
    int32_t *labels;
    bool official;
    int64_t count = (int64_t)TRAIN_BATCHES * BATCH;
    out->class_names = class_names;
    RT_TRY(rti_cifar_folder(&form, directory, "data_batch_1.bin", folder, error));
    RT_TRY(official_test(options, folder, &official, error));
    RT_TRY(rti_cifar_alloc(&form, out, count, &pixels, &labels, error));
    for (int b = 0; b < TRAIN_BATCHES; b++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", b + 1);
        RT_TRY(rti_cifar_read(&form, folder, name, BATCH, pixels + (size_t)b * BATCH * RTI_CIFAR_PIXELS,
                              labels + (size_t)b * BATCH, error));
    }
    out->train = rti_cifar_examples(&form, pixels, labels, count);
    if (official) {
        RT_TRY(rti_cifar_alloc(&form, out, BATCH, &pixels, &labels, error));
        RT_TRY(rti_cifar_read(&form, folder, "test_batch.bin", BATCH, pixels, labels, error));
        out->test = rti_cifar_examples(&form, pixels, labels, BATCH);
        return RT_OK;
    }
    out->train.count = count - HELD_OUT;
    out->test = rti_cifar_examples(&form, pixels + (count - HELD_OUT) * RTI_CIFAR_PIXELS,
                                   labels + (count - HELD_OUT), HELD_OUT);
    snprintf(out->note, sizeof out->note,
             "tested on the last 5000 training images, not on the official test set");
    return RT_OK;
}

const rti_dataset_kind rti_dataset_kind_cifar10 = {
    .name = "cifar10",
    .title = "CIFAR-10: photographs of ten things, 32x32 colour, 50000 and 10000",
    .files =
        "DIR/cifar10/data_batch_1.bin ... data_batch_5.bin, test_batch.bin; also DIR/cifar-10-batches-bin",
    .rows = rows,
    .row_count = 1,
    .read = read_cifar10,
    .fetch = "cifar10",
};
RTI_REGISTER(dataset, cifar10)
