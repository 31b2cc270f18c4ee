/* Data sets made from the same options hold one copy of the examples between them, whoever is freed
 * first; what one does to its own (splits, noise, normalisation, standardisation) no other sees. */
#include "scratch.h"

static rt_params *digits(const char *seed) {
    rt_params *p = options_begin();
    option(p, "digits.train", "300");
    option(p, "digits.test", "50");
    option(p, "digits.seed", seed);
    option(p, "validation", "100");
    return p;
}

static const uint8_t *bytes_of(const rt_dataset *set) { return rt_dataset_train_examples(set)->bytes; }

Test(sources, the_same_examples_are_held_once) {
    scratch_begin();
    rt_dataset *one = opens(digits("1"));
    const rt_examples *e = rt_dataset_train_examples(one);
    const size_t size = (size_t)(e->count * e->features);
    uint8_t *copy = malloc(size);
    memcpy(copy, e->bytes, size);

    rt_params *otherwise = digits("1");
    option(otherwise, "validation", "0");
    option(otherwise, "label_noise", "0.5");
    option(otherwise, "normalize", "true");
    option(otherwise, "transfer.omit_classes", "[3]");
    rt_dataset *two = opens(otherwise), *three = opens(digits("2"));
    cr_assert_eq(bytes_of(two), bytes_of(one));
    cr_assert_neq(bytes_of(three), bytes_of(one));
    cr_assert_eq(rt_dataset_part(one, RT_PART_TRAIN)->count, 200);
    cr_assert_eq(rt_dataset_part(two, RT_PART_TRAIN)->count, 300);
    cr_assert_eq(e->channels, 0, "normalised by the other");
    cr_assert_eq(rt_dataset_train_examples(two)->channels, 1);

    rt_dataset_free(one); /* the first to come leaves first */
    cr_assert_arr_eq(bytes_of(two), copy, size);
    rt_dataset *four = opens(digits("1"));
    cr_assert_eq(bytes_of(four), bytes_of(two));
    rt_dataset_free(two);
    rt_dataset_free(three);
    cr_assert_arr_eq(bytes_of(four), copy, size);
    rt_dataset_free(four);
    free(copy);
    scratch_end();
}

static rt_params *table(const char *standardise) {
    rt_params *p = options_begin();
    option(p, "set", "csv");
    option(p, "validation", "0");
    option(p, "csv.train", "train.csv");
    option(p, "csv.test", "train.csv");
    option(p, "csv.standardise", standardise);
    return p;
}

Test(sources, files_of_the_user_are_read_each_time) {
    static const char before[] = "1,2,0\n3,4,1\n", after[] = "5,2,0\n3,4,1\n";
    scratch_begin();
    scratch_write("train.csv", before, strlen(before));
    rt_dataset *one = opens(table("true")), *two = opens(table("true"));
    const float *values = rt_dataset_train_examples(two)->values;
    cr_assert_neq(values, rt_dataset_train_examples(one)->values);
    cr_assert(values[0] == -1 && values[2] == 1, "standardised twice: %g, %g", (double)values[0],
              (double)values[2]);
    rt_dataset_free(one);
    rt_dataset_free(two);

    one = opens(table("false"));
    scratch_write("train.csv", after, strlen(after));
    two = opens(table("false"));
    cr_assert_eq(rt_dataset_train_examples(one)->values[0], 1);
    cr_assert_eq(rt_dataset_train_examples(two)->values[0], 5);
    rt_dataset_free(one);
    rt_dataset_free(two);
    scratch_end();
}

/* ---- settled ---- */

enum { EXAMPLES = 30000 }; /* of 8 x 8 pixels: enough for a file to be viewed and not read */

static void write_images(void) {
    static uint8_t images[16 + EXAMPLES * 64] = {0, 0, 8, 3, 0, 0, EXAMPLES >> 8, EXAMPLES & 255, 0, 0, 0, 8,
                                                 0, 0, 0, 8},
                   labels[8 + EXAMPLES] = {0, 0, 8, 1, 0, 0, EXAMPLES >> 8, EXAMPLES & 255};
    for (int i = 0; i < EXAMPLES * 64; i++) images[16 + i] = (uint8_t)(i * 7 + i / 256);
    for (int i = 0; i < EXAMPLES; i++) labels[8 + i] = (uint8_t)(i % 10);
    scratch_write("train-images-idx3-ubyte", images, sizeof images);
    scratch_write("train-labels-idx1-ubyte", labels, sizeof labels);
    scratch_write("t10k-images-idx3-ubyte", images, sizeof images);
    scratch_write("t10k-labels-idx1-ubyte", labels, sizeof labels);
}

static rt_params *named(const char *set) {
    rt_params *p = options_begin();
    option(p, "set", set);
    option(p, "validation", "0");
    if (strcmp(set, "idx") != 0) return p;
    option(p, "idx.train_images", "train-images-idx3-ubyte");
    option(p, "idx.train_labels", "train-labels-idx1-ubyte");
    option(p, "idx.test_images", "t10k-images-idx3-ubyte");
    option(p, "idx.test_labels", "t10k-labels-idx1-ubyte");
    return p;
}

/* Held once or not: the bytes are others and say the same, and a second time nothing happens. */
Test(sources, settled_examples_are_what_they_were) {
    scratch_begin();
    write_images();
    static const char *const kinds[] = {"mnist", "idx"};
    for (int k = 0; k < 2; k++) {
        rt_dataset *one = opens(named(kinds[k])), *two = opens(named(kinds[k]));
        const uint8_t *viewed = bytes_of(one);
        rt_dataset_settle(one);
        const uint8_t *settled = bytes_of(one);
        cr_assert_neq(settled, viewed);
        cr_assert_arr_eq(settled, rt_dataset_test_examples(one)->bytes, (size_t)EXAMPLES * 64);
        rt_dataset_settle(one);
        cr_assert_eq(bytes_of(one), settled);
        cr_assert_neq(bytes_of(two), settled);
        cr_assert_arr_eq(bytes_of(two), settled, (size_t)EXAMPLES * 64);
        cr_assert_str_eq(rt_dataset_hash(one), rt_dataset_hash(two));
        rt_dataset_settle(two);
        cr_assert_eq(bytes_of(two) == settled, k == 0, "what is held once is moved once");
        rt_dataset_free(one);
        cr_assert_arr_eq(bytes_of(two), rt_dataset_test_examples(two)->bytes, (size_t)EXAMPLES * 64);
        rt_dataset_free(two);
    }
    scratch_end();
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(sources, what_cannot_settle_stays) {
    scratch_begin();
    write_images();
    rt_dataset *set = opens(named("mnist")), *drawn = opens(digits("1"));
    const uint8_t *viewed = bytes_of(set), *made = bytes_of(drawn);
    rt_alloc_fail_after(1);
    rt_dataset_settle(set);
    rt_alloc_fail_after(0);
    cr_assert_eq(bytes_of(set), viewed, "no memory");
    rt_dataset_settle(drawn);
    cr_assert_eq(bytes_of(drawn), made, "in memory of its own already");
    rt_dataset_free(set);
    rt_dataset_free(drawn);
    scratch_end();
}
