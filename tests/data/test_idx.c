/* IDX files and CIFAR-10 batches against bytes written by hand after the published description of the
 * formats, and against files damaged in one place each: the message must name the file and the place. */
#include "data/dataset.h"
#include "scratch.h"

/* Two 2x3 images and their labels. */
static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0,   0,   0,   2,   0,   0,
                                 0, 3, 1, 2, 3, 4, 5, 6, 250, 251, 252, 253, 254, 255};
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 4, 9};

static rt_params *idx_options(void) {
    rt_params *p = options_begin();
    option(p, "set", "idx");
    option(p, "validation", "0");
    option(p, "idx.train_images", "i");
    option(p, "idx.train_labels", "l");
    option(p, "idx.test_images", "i");
    option(p, "idx.test_labels", "l");
    return p;
}

static void write_both(void) {
    scratch_write("i", images, sizeof images);
    scratch_write("l", labels, sizeof labels);
}

Test(idx, reads_what_was_written) {
    scratch_begin();
    write_both();
    rt_dataset *set = opens(idx_options());
    const rt_examples *e = rt_dataset_train_examples(set);
    cr_assert(e->count == 2 && e->ndim == 3 && e->shape[0] == 1 && e->shape[1] == 2 && e->shape[2] == 3);
    cr_assert(e->features == 6 && e->classes == 10 && e->labels[0] == 4 && e->labels[1] == 9);
    cr_assert_arr_eq(e->bytes, images + 16, 12);
    cr_assert_null(e->values);
    cr_assert_float_eq(e->scale, 1.0 / 255, 1e-15);
    rt_dataset_free(set);
    scratch_end();
}

Test(idx, gzipped_is_the_same) {
    scratch_begin();
    write_both();
    rt_dataset *plain = opens(idx_options());
    char command[160];
    snprintf(command, sizeof command, "gzip %s/i", scratch);
    cr_assert_eq(system(command), 0);
    rt_dataset *packed = opens(idx_options());
    cr_assert_str_eq(rt_dataset_hash(plain), rt_dataset_hash(packed));
    rt_dataset_free(plain);
    rt_dataset_free(packed);
    scratch_end();
}

/* A file so large that it is viewed and not read: the same set as the one that gzip unpacks, refused like a
 * small one when it is not as long as it says, and given back. */
Test(idx, a_large_file) {
    enum { SIDE = 1024, BYTES = 16 + 2 * SIDE * SIDE };
    static uint8_t large[BYTES + 1] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, SIDE >> 8, 0, 0, 0, SIDE >> 8, 0};
    for (int i = 16; i < BYTES; i++) large[i] = (uint8_t)(i * 7 + i / 4099);
    scratch_begin();
    write_both();
    rt_dataset *viewed, *packed;
    scratch_write("i", large, BYTES);
    viewed = opens(idx_options());
    cr_assert(memcmp(rt_dataset_train_examples(viewed)->bytes, large + 16, BYTES - 16) == 0);
    char command[160];
    snprintf(command, sizeof command, "gzip -1 %s/i", scratch);
    cr_assert_eq(system(command), 0); /* what is viewed stays though its name has gone */
    packed = opens(idx_options());
    cr_assert_str_eq(rt_dataset_hash(viewed), rt_dataset_hash(packed));
    cr_assert_str_eq(rt_dataset_part_hash(viewed, RT_PART_TEST), rt_dataset_part_hash(packed, RT_PART_TEST));
    rt_dataset_free(viewed);
    rt_dataset_free(packed);
    snprintf(command, sizeof command, "rm %s/i.gz", scratch);
    cr_assert_eq(system(command), 0);
    scratch_write("i", large, BYTES - 1);
    refuses(idx_options(), RT_FORMAT, "truncated");
    scratch_write("i", large, BYTES + 1);
    refuses(idx_options(), RT_FORMAT, "too long");
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
    scratch_end();
}

Test(idx, other_shapes) {
    scratch_begin();
    uint8_t rows[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    uint8_t colour[] = {0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6};
    scratch_write("l", labels, sizeof labels);
    scratch_write("i", rows, sizeof rows);
    rt_dataset *set = opens(idx_options());
    cr_assert(rt_dataset_train_examples(set)->ndim == 1 && rt_dataset_train_examples(set)->shape[0] == 3);
    rt_dataset_free(set);
    scratch_write("i", colour, sizeof colour);
    set = opens(idx_options());
    cr_assert(rt_dataset_train_examples(set)->ndim == 3 && rt_dataset_train_examples(set)->shape[0] == 3);
    rt_dataset_free(set);
    scratch_end();
}

/* One byte changed, or the length. */
static void damaged(size_t at, uint8_t value, size_t length, const char *says) {
    uint8_t bytes[sizeof images + 8] = {0};
    memcpy(bytes, images, sizeof images);
    bytes[at] = value;
    const char *path = scratch_write("i", bytes, length);
    char named[256];
    snprintf(named, sizeof named, "%s", path);
    refuses(idx_options(), RT_FORMAT, says);
    refuses(idx_options(), RT_FORMAT, named);
}

Test(idx, damaged_images) {
    scratch_begin();
    write_both();
    size_t all = sizeof images;
    damaged(0, 1, all, "not an IDX file");
    damaged(1, 0x8b, all, "not an IDX file");
    damaged(2, 0x0d, all, "floats");
    damaged(2, 0x77, all, "unknown type");
    damaged(3, 0, all, "0 dimensions");
    damaged(3, 5, all, "5 dimensions");
    damaged(3, 1, all, "too long");
    damaged(7, 3, all, "truncated");
    damaged(7, 1, all, "too long");
    damaged(7, 0, all, "extent 0");
    damaged(4, 0x80, all, "extent 0");
    damaged(4, 0x7f, all, "multiply");
    damaged(0, 0, all - 1, "truncated");
    damaged(0, 0, all + 1, "too long");
    damaged(0, 0, 15, "truncated");
    damaged(0, 0, 3, "truncated");
    damaged(0, 0, 0, "truncated");
    scratch_end();
}

/* 4 extents of 2^31-1 would overflow 64 bits; a claim of 8 GiB must not ask for memory. */
Test(idx, absurd_extents) {
    scratch_begin();
    write_both();
    uint8_t bytes[20] = {0, 0, 8, 4};
    for (int d = 0; d < 4; d++) memset(bytes + 4 + 4 * d, 0xff, 4), bytes[4 + 4 * d] = 0x7f;
    scratch_write("i", bytes, sizeof bytes);
    size_t peak = rt_alloc_stats_get().peak_bytes;
    refuses(idx_options(), RT_FORMAT, "multiply");
    cr_assert_lt(rt_alloc_stats_get().peak_bytes - peak, (size_t)1 << 20);
    scratch_end();
}

Test(idx, labels_are_checked) {
    scratch_begin();
    write_both();
    uint8_t three[] = {0, 0, 8, 1, 0, 0, 0, 3, 4, 9, 1};
    scratch_write("l", three, sizeof three);
    refuses(idx_options(), RT_FORMAT, "2 images");
    refuses(idx_options(), RT_FORMAT, "3 labels");
    scratch_write("l", images, sizeof images);
    refuses(idx_options(), RT_FORMAT, "a label file has one");
    scratch_write("l", labels, sizeof labels);
    rt_params *p = idx_options();
    option(p, "idx.classes", "9");
    refuses(p, RT_FORMAT, "label 1 (at byte 9) is 9");
    scratch_write("i", labels, sizeof labels);
    refuses(idx_options(), RT_FORMAT, "one dimension");
    scratch_write("i", images, sizeof images);
    scratch_write("l", labels, sizeof labels);
    uint8_t turned[sizeof images]; /* 3x2 instead of 2x3 */
    memcpy(turned, images, sizeof images);
    turned[11] = 3, turned[15] = 2;
    scratch_write("t", turned, sizeof turned);
    p = idx_options();
    option(p, "idx.test_images", "t");
    refuses(p, RT_FORMAT, "a test example is (1,3,2), bytes, a training example (1,2,3), bytes");
    p = idx_options();
    option(p, "idx.test_labels", "\"\"");
    scratch_write("i", images, sizeof images);
    refuses(p, RT_SPEC, "idx.test_labels");
    option(p, "idx.test_labels", "nowhere");
    refuses(p, RT_NOT_FOUND, "nowhere");
    scratch_end();
}

/* Every single-byte change of the file either is refused or changes no count: never a crash (run
 * under the sanitizers), never a read past the end. */
Test(idx, any_byte_may_be_anything) {
    scratch_begin();
    write_both();
    rt_params *p = idx_options();
    for (size_t at = 0; at < 16; at++)
        for (int value = 0; value < 256; value += 5) {
            uint8_t bytes[sizeof images];
            memcpy(bytes, images, sizeof images);
            bytes[at] = (uint8_t)value;
            scratch_write("i", bytes, sizeof bytes);
            rt_error error = {0};
            rt_dataset *set = rt_dataset_open(p, scratch, &error);
            if (set)
                cr_assert_eq(rt_dataset_train_examples(set)->count * rt_dataset_train_examples(set)->features,
                             12);
            else
                cr_assert(error.message[0]);
            rt_dataset_free(set);
        }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
    scratch_end();
}

Test(idx, every_failing_allocation) {
    scratch_begin();
    write_both();
    opens_or_says_memory(idx_options());
    scratch_end();
}

Test(mnist, says_how_to_fetch_and_looks_in_two_places) {
    scratch_begin();
    rt_params *p = options_begin();
    option(p, "set", "mnist");
    option(p, "validation", "0");
    refuses(p, RT_NOT_FOUND, "retort data fetch mnist");
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
    for (int i = 0; i < 4; i++)
        scratch_write(names[i], i % 2 ? labels : images, i % 2 ? sizeof labels : sizeof images);
    rt_dataset *set = opens(p);
    cr_assert_str_eq(rt_dataset_summary(set), "mnist: 2 train, 0 validation, 2 test");
    rt_dataset_free(set);
    option(p, "set", "fashion-mnist");
    set = opens(p);
    char buffer[16];
    cr_assert_str_eq(rt_dataset_class_name(set, 9, buffer), "ankle boot");
    rt_dataset_free(set);
    scratch_end();
}

/* ---- CIFAR-10 ---- */

#define RECORD 3073
#define BATCH 10000

static void cifar_file(const char *name, int number, size_t bytes) {
    uint8_t *data = calloc(BATCH, RECORD);
    cr_assert(data);
    for (int i = 0; i < BATCH; i++) {
        data[(size_t)i * RECORD] = (uint8_t)((i + number) % 10);
        data[(size_t)i * RECORD + 1] = (uint8_t)number;
        data[(size_t)i * RECORD + 3072] = (uint8_t)i;
    }
    scratch_write(name, data, bytes);
    free(data);
}

Test(cifar10, batches_and_the_held_out_test) {
    scratch_begin();
    rt_params *p = options_begin();
    option(p, "set", "cifar10");
    option(p, "validation", "0");
    refuses(p, RT_NOT_FOUND, "retort data fetch cifar10");
    char name[32];
    for (int b = 1; b <= 5; b++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", b);
        cifar_file(name, b, (size_t)BATCH * RECORD);
    }
    refuses(p, RT_NOT_FOUND, "test_batch.bin");
    scratch_write("test_batch_first1000.bin", "", 0);
    rt_dataset *set = opens(p);
    const rt_examples *train = rt_dataset_train_examples(set), *test = rt_dataset_test_examples(set);
    cr_assert(train->count == 45000 && test->count == 5000 && train->shape[0] == 3 &&
              train->features == 3072);
    cr_assert(strstr(rt_dataset_summary(set), "not on the official test set"), "%s", rt_dataset_summary(set));
    cr_assert_eq(train->bytes[(int64_t)20007 * 3072], 3);
    cr_assert_eq(train->bytes[(int64_t)20007 * 3072 + 3071], 7);
    cr_assert_eq(train->labels[20007], (7 + 3) % 10);
    cr_assert_eq(test->bytes[3071], (uint8_t)5000);
    rt_dataset_free(set);
    cifar_file("test_batch.bin", 6, (size_t)BATCH * RECORD);
    set = opens(p);
    cr_assert(rt_dataset_train_examples(set)->count == 50000 &&
              rt_dataset_test_examples(set)->count == 10000);
    cr_assert_str_eq(rt_dataset_summary(set), "cifar10: 50000 train, 0 validation, 10000 test");
    rt_dataset_free(set);
    option(p, "cifar10.held_out", "true");
    set = opens(p);
    cr_assert_str_eq(rt_dataset_note(set),
                     "tested on the last 5000 training images, not on the official test set");
    cr_assert_eq(rt_dataset_test_examples(set)->labels[4999], (9999 + 5) % 10);
    rt_dataset_free(set);
    option(p, "cifar10.held_out", "false");
    cifar_file("data_batch_3.bin", 3, (size_t)BATCH * RECORD - 1);
    refuses(p, RT_FORMAT, "data_batch_3.bin");
    FILE *file = fopen(scratch_path("data_batch_3.bin"), "r+b");
    cr_assert(file && fseek(file, 0, SEEK_END) == 0 && fputc(0, file) == 0);
    cr_assert(fseek(file, 17L * RECORD, SEEK_SET) == 0 && fputc(10, file) == 10 && fclose(file) == 0);
    refuses(p, RT_FORMAT, "record 17 (at byte 52241) has the label 10");
    scratch_end();
}

/* ---- CIFAR-100 ---- */

enum { SAMPLED = 331 }; /* every so many records; the rest is a hole in the file, which reads as zeros */

/* Record i: group i % 20, thing 99 - i % 100, its first and last pixel from i. */
static void cifar100_file(const char *name, int count, int64_t bytes) {
    FILE *file = fopen(scratch_path(name), "wb");
    cr_assert(file);
    for (int i = 0; i < count; i += SAMPLED) {
        const uint8_t first[3] = {(uint8_t)(i % 20), (uint8_t)(99 - i % 100), (uint8_t)i};
        cr_assert(fseek(file, (long)i * (RECORD + 1), SEEK_SET) == 0 && fwrite(first, 1, 3, file) == 3);
        cr_assert(fseek(file, 3073 - 3, SEEK_CUR) == 0 && fputc((uint8_t)(i / 7), file) != EOF);
    }
    cr_assert(fclose(file) == 0 && truncate(scratch_path(name), bytes) == 0);
}

static void byte_put(const char *name, long at, int byte) {
    FILE *file = fopen(scratch_path(name), "r+b");
    cr_assert(file && fseek(file, at, SEEK_SET) == 0 && fputc(byte, file) == byte && fclose(file) == 0);
}

Test(cifar100, things_and_groups) {
    scratch_begin();
    rt_params *p = options_begin();
    option(p, "set", "cifar100");
    option(p, "validation", "0");
    refuses(p, RT_NOT_FOUND, "retort data fetch cifar100");
    cifar100_file("train.bin", 50000, 50000LL * (RECORD + 1));
    refuses(p, RT_NOT_FOUND, "test.bin");
    cifar100_file("test.bin", 10000, 10000LL * (RECORD + 1));
    for (int coarse = 0; coarse < 2; coarse++) {
        char buffer[16];
        option(p, "cifar100.labels", coarse ? "coarse" : "fine");
        rt_dataset *set = opens(p);
        const rt_examples *train = rt_dataset_train_examples(set), *test = rt_dataset_test_examples(set);
        cr_assert(train->count == 50000 && test->count == 10000 && train->classes == (coarse ? 20 : 100));
        for (int64_t i = 0; i < train->count; i += SAMPLED) {
            cr_assert_eq(train->labels[i], coarse ? i % 20 : 99 - i % 100);
            cr_assert_eq(train->bytes[i * 3072], (uint8_t)i);
            cr_assert_eq(train->bytes[i * 3072 + 3071], (uint8_t)(i / 7));
        }
        cr_assert_eq(test->labels[30 * SAMPLED], coarse ? 9930 % 20 : 99 - 9930 % 100);
        cr_assert_str_eq(rt_dataset_class_name(set, 0, buffer), coarse ? "aquatic mammals" : "apple");
        cr_assert_str_eq(rt_dataset_class_name(set, train->classes - 1, buffer),
                         coarse ? "vehicles 2" : "worm");
        cr_assert_str_eq(rt_dataset_note(set), "");
        rt_dataset_free(set);
    }
    byte_put("test.bin", 9 * (RECORD + 1L), 20);
    refuses(p, RT_FORMAT, "test.bin: record 9 (at byte 27666) has the label 20; 0 to 19 is possible");
    byte_put("test.bin", 9 * (RECORD + 1L), 19);
    byte_put("test.bin", 9 * (RECORD + 1L) + 1, 100);
    refuses(p, RT_FORMAT, "test.bin: record 9 (at byte 27667) has the label 100; 0 to 99 is possible");
    cifar100_file("test.bin", 10000, 10000LL * RECORD); /* as long as one of CIFAR-10's */
    refuses(p, RT_FORMAT, "has 30730000 bytes; this file of cifar100 has 30740000 (10000 records of 3074)");
    scratch_end();
}
