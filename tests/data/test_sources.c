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
