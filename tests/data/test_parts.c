/* The four parts against their definitions: disjoint, stratified by counting, a function of the data
 * seed alone; omitted classes gone from the transfer part and from nothing else; noise counted. */
#include <math.h>

#include "data/dataset.h"
#include "scratch.h"

static rt_params *digits_options(void) {
    rt_params *p = options_begin();
    option(p, "digits.train", "1000");
    option(p, "digits.test", "50");
    option(p, "validation", "200");
    return p;
}

static bool holds(const rt_part *part, int32_t example) {
    for (int64_t i = 0; i < part->count; i++)
        if (part->index[i] == example) return true;
    return false;
}

static void ascending(const rt_part *part) {
    for (int64_t i = 1; i < part->count; i++) cr_assert_lt(part->index[i - 1], part->index[i]);
    for (int64_t i = 0; i < part->count; i++)
        cr_assert(part->index[i] >= 0 && part->index[i] < part->examples->count);
}

static int of_class(const rt_part *part, int k) {
    int n = 0;
    for (int64_t i = 0; i < part->count; i++) n += part->labels[i] == k;
    return n;
}

static bool same_part(const rt_part *a, const rt_part *b) {
    return a->count == b->count && memcmp(a->index, b->index, (size_t)a->count * sizeof *a->index) == 0 &&
           memcmp(a->labels, b->labels, (size_t)a->count * sizeof *a->labels) == 0;
}

Test(parts, disjoint_complete_and_stratified) {
    scratch_begin();
    rt_dataset *set = opens(digits_options());
    const rt_part *train = rt_dataset_part(set, RT_PART_TRAIN),
                  *validation = rt_dataset_part(set, RT_PART_VALIDATION);
    const rt_part *test = rt_dataset_part(set, RT_PART_TEST),
                  *transfer = rt_dataset_part(set, RT_PART_TRANSFER);
    cr_assert(train->count == 800 && validation->count == 200 && test->count == 50);
    for (int p = 0; p < 4; p++) ascending(rt_dataset_part(set, (rt_part_name)p));
    for (int64_t i = 0; i < 200; i++) cr_assert_not(holds(train, validation->index[i]));
    cr_assert(same_part(train, transfer));
    cr_assert_str_eq(rt_dataset_part_hash(set, RT_PART_TRAIN), rt_dataset_part_hash(set, RT_PART_TRANSFER));
    cr_assert_str_neq(rt_dataset_part_hash(set, RT_PART_TRAIN),
                      rt_dataset_part_hash(set, RT_PART_VALIDATION));
    for (int k = 0; k < 10; k++) {
        double share = 0.2 * (of_class(train, k) + of_class(validation, k));
        cr_assert_leq(fabs(of_class(validation, k) - share), 1, "class %d: %d of %g", k,
                      of_class(validation, k), share);
    }
    cr_assert_str_eq(rt_dataset_summary(set), "digits: 800 train, 200 validation, 50 test");
    rt_dataset_free(set);
    scratch_end();
}

Test(parts, the_data_seed_and_nothing_else_moves_the_split) {
    scratch_begin();
    rt_params *p = digits_options();
    rt_dataset *a = opens(p);
    option(p, "batch", "7");
    option(p, "train.size", "300");
    option(p, "label_noise", "0.5");
    option(p, "transfer.omit_classes", "[3]");
    rt_dataset *b = opens(p);
    option(p, "seed", "2");
    rt_dataset *c = opens(p);
    cr_assert(same_part(rt_dataset_part(a, RT_PART_VALIDATION), rt_dataset_part(b, RT_PART_VALIDATION)));
    cr_assert_not(same_part(rt_dataset_part(a, RT_PART_VALIDATION), rt_dataset_part(c, RT_PART_VALIDATION)));
    cr_assert(same_part(rt_dataset_part(a, RT_PART_TEST), rt_dataset_part(c, RT_PART_TEST)));
    cr_assert_str_eq(rt_dataset_hash(a), rt_dataset_hash(c));
    cr_assert_str_neq(rt_dataset_part_hash(a, RT_PART_TRAIN), rt_dataset_part_hash(b, RT_PART_TRAIN));
    rt_dataset_free(a);
    rt_dataset_free(b);
    rt_dataset_free(c);
    scratch_end();
}

Test(parts, omitted_classes_are_gone_from_the_transfer_part_only) {
    scratch_begin();
    rt_params *p = digits_options();
    rt_dataset *all = opens(p);
    option(p, "transfer.omit_classes", "[3, 7]");
    rt_dataset *set = opens(p);
    const rt_part *transfer = rt_dataset_part(set, RT_PART_TRANSFER),
                  *full = rt_dataset_part(all, RT_PART_TRANSFER);
    for (int k = 0; k < 10; k++)
        cr_assert_eq(of_class(transfer, k), k == 3 || k == 7 ? 0 : of_class(full, k));
    for (int name = 0; name < 4; name++)
        if (name != RT_PART_TRANSFER)
            cr_assert(same_part(rt_dataset_part(set, (rt_part_name)name),
                                rt_dataset_part(all, (rt_part_name)name)));
    rt_dataset_free(set);
    option(p, "transfer.omit_classes", "[]");
    option(p, "transfer.classes", "[7, 8]");
    set = opens(p);
    transfer = rt_dataset_part(set, RT_PART_TRANSFER);
    cr_assert_eq(transfer->count, of_class(full, 7) + of_class(full, 8));
    cr_assert_eq(of_class(transfer, 7), of_class(full, 7));
    rt_dataset_free(set);
    rt_dataset_free(all);
    scratch_end();
}

Test(parts, sizes_and_fractions_by_class_in_proportion) {
    scratch_begin();
    rt_params *p = digits_options();
    rt_dataset *all = opens(p);
    option(p, "train.size", "400");
    option(p, "transfer.fraction", "0.25");
    rt_dataset *set = opens(p);
    const rt_part *train = rt_dataset_part(set, RT_PART_TRAIN),
                  *transfer = rt_dataset_part(set, RT_PART_TRANSFER);
    cr_assert(train->count == 400 && transfer->count == 100);
    for (int64_t i = 0; i < 100; i++) cr_assert(holds(train, transfer->index[i]));
    for (int k = 0; k < 10; k++) {
        cr_assert_leq(fabs(of_class(train, k) - 0.5 * of_class(rt_dataset_part(all, RT_PART_TRAIN), k)), 1);
        cr_assert_leq(fabs(of_class(transfer, k) - 0.25 * of_class(train, k)), 1);
    }
    cr_assert(strstr(rt_dataset_summary(set), ", 100 transfer"), "%s", rt_dataset_summary(set));
    rt_dataset_free(set);
    option(p, "transfer.fraction", "1");
    option(p, "transfer.from", "unseen");
    set = opens(p);
    train = rt_dataset_part(set, RT_PART_TRAIN), transfer = rt_dataset_part(set, RT_PART_TRANSFER);
    cr_assert(transfer->count == 400);
    for (int64_t i = 0; i < 400; i++) {
        cr_assert_not(holds(train, transfer->index[i]));
        cr_assert_not(holds(rt_dataset_part(set, RT_PART_VALIDATION), transfer->index[i]));
    }
    rt_dataset_free(set);
    option(p, "transfer.from", "all");
    set = opens(p);
    cr_assert(same_part(rt_dataset_part(set, RT_PART_TRANSFER), rt_dataset_part(all, RT_PART_TRAIN)));
    rt_dataset_free(set);
    rt_dataset_free(all);
    scratch_end();
}

Test(parts, label_noise_is_counted_and_spares_validation_and_test) {
    scratch_begin();
    rt_params *p = digits_options();
    option(p, "label_noise", "0.3");
    option(p, "transfer.size", "100");
    rt_dataset *set = opens(p);
    const rt_part *train = rt_dataset_part(set, RT_PART_TRAIN),
                  *transfer = rt_dataset_part(set, RT_PART_TRANSFER);
    int changed = 0;
    for (int64_t i = 0; i < train->count; i++) {
        cr_assert(train->labels[i] >= 0 && train->labels[i] < 10);
        changed += train->labels[i] != train->examples->labels[train->index[i]];
    }
    cr_assert_eq(changed, 240);
    for (int name = RT_PART_VALIDATION; name <= RT_PART_TEST; name++) {
        const rt_part *part = rt_dataset_part(set, (rt_part_name)name);
        for (int64_t i = 0; i < part->count; i++)
            cr_assert_eq(part->labels[i], part->examples->labels[part->index[i]]);
    }
    for (int64_t i = 0, j = 0; i < transfer->count; i++) { /* the student is told what the teacher was told */
        while (train->index[j] != transfer->index[i]) j++;
        cr_assert_eq(transfer->labels[i], train->labels[j]);
    }
    rt_dataset_free(set);
    option(p, "label_noise", "1");
    set = opens(p);
    train = rt_dataset_part(set, RT_PART_TRAIN);
    int by_distance[10] = {0};
    for (int64_t i = 0; i < train->count; i++)
        by_distance[(train->labels[i] - train->examples->labels[train->index[i]] + 10) % 10]++;
    cr_assert_eq(by_distance[0], 0);
    for (int d = 1; d < 10; d++)
        cr_assert(by_distance[d] > 50 && by_distance[d] < 130, "%d: %d", d, by_distance[d]);
    rt_dataset_free(set);
    scratch_end();
}

Test(parts, a_transfer_set_of_its_own) {
    scratch_begin();
    rt_params *p = digits_options();
    option(p, "transfer.set", "digits");
    option(p, "transfer.digits.train", "300");
    option(p, "transfer.digits.seed", "99");
    option(p, "transfer.omit_classes", "[0]");
    rt_dataset *set = opens(p);
    const rt_part *transfer = rt_dataset_part(set, RT_PART_TRANSFER);
    cr_assert(transfer->examples != rt_dataset_train_examples(set) && transfer->examples->count == 300);
    cr_assert(of_class(transfer, 0) == 0 && transfer->count > 200);
    uint8_t image[28 * 28];
    for (int64_t i = 0; i < transfer->count; i += 50) {
        rt_digit_draw(transfer->labels[i], 99, (uint64_t)transfer->index[i], image);
        cr_assert_arr_eq(image, transfer->examples->bytes + (int64_t)transfer->index[i] * 784, 784);
    }
    rt_dataset *other;
    option(p, "transfer.digits.seed", "98");
    other = opens(p);
    cr_assert_str_neq(rt_dataset_hash(set), rt_dataset_hash(other));
    cr_assert_str_eq(rt_dataset_part_hash(set, RT_PART_TRAIN), rt_dataset_part_hash(other, RT_PART_TRAIN));
    rt_dataset_free(set);
    rt_dataset_free(other);
    scratch_end();
}

Test(parts, impossible_wishes_are_refused) {
    scratch_begin();
    rt_params *p = digits_options();
    option(p, "validation", "1000");
    refuses(p, RT_SPEC, "data.validation is 1000");
    p = digits_options();
    option(p, "train.size", "801");
    refuses(p, RT_SPEC, "there are 800");
    option(p, "train.size", "80");
    option(p, "train.fraction", "0.5");
    refuses(p, RT_SPEC, "give one of them");
    p = digits_options();
    option(p, "transfer.omit_classes", "[10]");
    refuses(p, RT_SPEC, "there is no class 10");
    option(p, "transfer.omit_classes", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
    refuses(p, RT_SPEC, "no example is left");
    option(p, "transfer.omit_classes", "[]");
    option(p, "transfer.from", "unseen");
    refuses(p, RT_SPEC, "no example is left");
    scratch_end();
}

/* rti_choose on unbalanced classes: exactly `want`, each quota within one of its share, none more than
 * there are. */
Test(parts, choose_by_largest_remainder) {
    int32_t labels[97], list[97];
    bool chosen[97];
    for (int i = 0; i < 97; i++) labels[i] = i < 60 ? 0 : i < 90 ? 1 : i < 96 ? 2 : 4, list[i] = i;
    for (int64_t want = 0; want <= 97; want++) {
        int got[5] = {0}, have[5] = {60, 30, 6, 0, 1};
        cr_assert_eq(rti_choose(labels, 5, list, 97, want, 5, "test", chosen, NULL), RT_OK);
        int sum = 0;
        for (int i = 0; i < 97; i++)
            if (chosen[i]) got[labels[i]]++, sum++;
        cr_assert_eq(sum, want);
        for (int k = 0; k < 5; k++) {
            cr_assert_leq(got[k], have[k]);
            cr_assert_leq(fabs(got[k] - (double)want * have[k] / 97), 1);
        }
    }
}
