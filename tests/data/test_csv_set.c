/* Tables: values, classes and standardisation against numbers worked out here; hostile files against
 * the line and column that the message must name. */
#include <math.h>

#include "scratch.h"

static rt_params *csv_options(const char *text) {
    scratch_write("train.csv", text, strlen(text));
    rt_params *p = options_begin();
    option(p, "set", "csv");
    option(p, "validation", "0");
    option(p, "csv.train", "train.csv");
    option(p, "csv.test", "train.csv");
    option(p, "csv.standardise", "false");
    return p;
}

Test(csv_set, values_labels_and_names) {
    scratch_begin();
    rt_params *p = csv_options(
        "a,kind,\"b, with comma\"\r\n1.5,\"red\"\"ish\",-2\r\n+3e1,blue,0.25\r\n\"7\",blue,1\r\n");
    option(p, "csv.label", "kind");
    rt_dataset *set = opens(p);
    const rt_examples *e = rt_dataset_train_examples(set);
    static const float values[] = {1.5f, -2, 30, 0.25f, 7, 1};
    static const int32_t labels[] = {1, 0, 0};
    cr_assert(e->count == 3 && e->ndim == 1 && e->features == 2 && e->classes == 2 && !e->bytes);
    cr_assert_arr_eq(e->values, values, sizeof values);
    cr_assert_arr_eq(e->labels, labels, sizeof labels);
    char buffer[16];
    cr_assert_str_eq(rt_dataset_class_name(set, 0, buffer), "blue");
    cr_assert_str_eq(rt_dataset_class_name(set, 1, buffer), "red\"ish");
    rt_dataset_free(set);
    scratch_end();
}

Test(csv_set, numeric_labels_sort_by_value_and_the_column_is_found_by_number) {
    scratch_begin();
    rt_params *p = csv_options("10,1,2\n9,3,4\n10.0,5,6\n-1,7,8\n");
    option(p, "csv.label", "1");
    rt_dataset *set = opens(p);
    static const int32_t labels[] = {2, 1, 2, 0};
    cr_assert_eq(rt_dataset_train_examples(set)->classes, 3);
    cr_assert_arr_eq(rt_dataset_train_examples(set)->labels, labels, sizeof labels);
    cr_assert_eq(rt_dataset_train_examples(set)->values[0], 1);
    rt_dataset_free(set);
    p = csv_options("1;2;b\n3;4;a\n"); /* last column, semicolons */
    option(p, "csv.separator", "semicolon");
    set = opens(p);
    cr_assert(rt_dataset_train_examples(set)->count == 2 && rt_dataset_train_examples(set)->labels[0] == 1);
    rt_dataset_free(set);
    scratch_end();
}

/* auto: a first line without any number is a header; yes and no overrule it. */
Test(csv_set, headers) {
    scratch_begin();
    rt_params *p = csv_options("1,2,3\n4,5,6\n7,8,9\n");
    rt_dataset *set = opens(p);
    cr_assert_eq(rt_dataset_train_examples(set)->count, 3);
    rt_dataset_free(set);
    option(p, "csv.header", "yes");
    set = opens(p);
    cr_assert_eq(rt_dataset_train_examples(set)->count, 2);
    rt_dataset_free(set);
    p = csv_options("x,y,k\n4,5,6\n7,8,9\n");
    option(p, "csv.header", "no");
    refuses(p, RT_FORMAT, "train.csv:1: column 1 is \"x\"");
    scratch_end();
}

Test(csv_set, bad_files_name_line_and_column) {
    scratch_begin();
    refuses(csv_options("x,y,k\n1,2,0\n3,,1\n"), RT_FORMAT, "train.csv:3: column 2 (y) is missing");
    refuses(csv_options("x,y,k\n1,2,0\n?,2,1\n"), RT_FORMAT, "train.csv:3: column 1 (x) is missing");
    refuses(csv_options("x,y,k\n1,NA,0\n3,2,1\n"), RT_FORMAT, "train.csv:2: column 2 (y) is missing");
    refuses(csv_options("x,y,k\n1,nan,0\n3,2,1\n"), RT_FORMAT, "train.csv:2: column 2 (y) is missing");
    refuses(csv_options("x,y,k\n1,2,0\n3,2,\n"), RT_FORMAT,
            "train.csv:3: the label, column 3 (k), is missing");
    refuses(csv_options("x,y,k\n1,2,0\n3,tall,1\n"), RT_FORMAT, "train.csv:3: column 2 (y) is \"tall\"");
    refuses(csv_options("x,y,k\n1,2,0\n3,2e,1\n"), RT_FORMAT, "column 2 (y) is \"2e\"");
    refuses(csv_options("x,y,k\n1,2,0\n3,1e39,1\n"), RT_FORMAT, "column 2 (y) is \"1e39\"");
    refuses(csv_options("x,y,k\n1,2,0\n\"3\n\",2,1\n"), RT_FORMAT, "train.csv:3: column 1");
    refuses(csv_options("x,y,k\n1,2,0\n1,2\n"), RT_FORMAT, "3");
    refuses(csv_options("x,y,k\n1,2,0\n1,\"2,0\n"), RT_FORMAT, "train.csv");
    refuses(csv_options("x,y,k\n"), RT_FORMAT, "no rows");
    refuses(csv_options(""), RT_FORMAT, "no rows");
    refuses(csv_options("k\n1\n2\n"), RT_FORMAT, "one column only");
    refuses(csv_options("x,k\n1,0\n2,0\n"), RT_FORMAT, "1 distinct values");
    rt_params *p = csv_options("x,k\n1,0\n2,1\n");
    option(p, "csv.label", "colour");
    refuses(p, RT_SPEC, "colour");
    option(p, "csv.label", "3");
    refuses(p, RT_SPEC, "the columns 1 to 2");
    option(p, "csv.label", "0");
    refuses(p, RT_SPEC, "the columns 1 to 2");
    option(p, "csv.train", "nowhere.csv");
    refuses(p, RT_NOT_FOUND, "nowhere.csv");
    scratch_end();
}

Test(csv_set, the_test_file_must_fit) {
    scratch_begin();
    rt_params *p = csv_options("x,k\n1,a\n2,b\n");
    option(p, "csv.test", "test.csv");
    scratch_write("test.csv", "x,k\n1,a\n5,c\n", 12);
    refuses(p, RT_FORMAT, "test.csv:3: the label \"c\" is none of the 2 classes");
    scratch_write("test.csv", "x,y,k\n1,2,a\n", 12);
    refuses(p, RT_FORMAT, "has 3 columns");
    option(p, "csv.label", "k");
    scratch_write("test.csv", "k,x\na,1\n", 8);
    refuses(p, RT_FORMAT, "the label is column 1");
    scratch_end();
}

/* 200 rows whose first column tells them apart. */
static const char *many_rows(void) {
    static char text[8000];
    size_t at = 0;
    for (int i = 0; i < 200; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%d,%d,7,%s\n", i, i * i % 97 - 40,
                               i % 4 ? "a" : "b");
    return text;
}

Test(csv_set, holds_out_a_stratified_fraction) {
    scratch_begin();
    rt_params *p = csv_options(many_rows());
    option(p, "csv.test", "\"\"");
    option(p, "csv.holdout", "0.1");
    option(p, "validation", "40");
    rt_dataset *set = opens(p);
    const rt_examples *train = rt_dataset_train_examples(set), *test = rt_dataset_test_examples(set);
    cr_assert(train->count == 180 && test->count == 20);
    bool seen[200] = {false};
    int b = 0;
    for (int i = 0; i < 200; i++) {
        const rt_examples *e = i < 180 ? train : test;
        int64_t row = i < 180 ? i : i - 180;
        int number = (int)e->values[row * 3];
        cr_assert_not(seen[number]);
        seen[number] = true;
        cr_assert_eq(e->labels[row], number % 4 ? 0 : 1);
        b += i >= 180 && e->labels[row] == 1;
        if (row > 0) cr_assert_gt(e->values[row * 3], e->values[row * 3 - 3]);
    }
    cr_assert_eq(b, 5);
    rt_dataset_free(set);
    scratch_end();
}

/* Mean 0 and deviation 1 on the train part, and on nothing else: the same numbers computed here from
 * the raw file over the train part alone. Fitting on all rows, or on validation too, misses them. */
Test(csv_set, standardised_on_the_train_part_alone) {
    scratch_begin();
    rt_params *p = csv_options(many_rows());
    option(p, "csv.test", "\"\"");
    option(p, "validation", "50");
    rt_dataset *raw = opens(p);
    option(p, "csv.standardise", "true");
    rt_dataset *set = opens(p);
    const rt_part *train = rt_dataset_part(raw, RT_PART_TRAIN);
    for (int d = 0; d < 3; d++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < train->count; i++) mean += train->examples->values[train->index[i] * 3 + d];
        mean /= (double)train->count;
        for (int64_t i = 0; i < train->count; i++)
            square += pow(train->examples->values[train->index[i] * 3 + d] - mean, 2);
        double deviation = d == 2 ? 1 : sqrt(square / (double)train->count);
        for (int name = 0; name < 4; name++) {
            const rt_part *a = rt_dataset_part(raw, (rt_part_name)name),
                          *b = rt_dataset_part(set, (rt_part_name)name);
            cr_assert_eq(a->count, b->count);
            for (int64_t i = 0; i < a->count; i++) {
                double expected = (a->examples->values[a->index[i] * 3 + d] - mean) / deviation;
                cr_assert_float_eq(b->examples->values[b->index[i] * 3 + d], expected, 1e-5);
            }
        }
    }
    rt_dataset_free(raw);
    rt_dataset_free(set);
    scratch_end();
}

/* A transfer file of its own: the classes and the standardisation are those of the training file. */
Test(csv_set, transfer_file) {
    scratch_begin();
    rt_params *p = csv_options("x,k\n1,a\n3,b\n2,c\n");
    option(p, "csv.standardise", "true");
    option(p, "transfer.set", "csv");
    option(p, "transfer.csv", "transfer.csv");
    scratch_write("transfer.csv", "x,k\n4,c\n2,b\n", 12);
    rt_dataset *set = opens(p);
    const rt_part *part = rt_dataset_part(set, RT_PART_TRANSFER);
    cr_assert(part->count == 2 && part->labels[0] == 2 && part->labels[1] == 1);
    cr_assert_float_eq(part->examples->values[0], 2 / sqrt(2.0 / 3), 1e-6);
    cr_assert_float_eq(part->examples->values[1], 0, 1e-6);
    rt_dataset_free(set);
    scratch_write("transfer.csv", "x,k\n4,d\n", 8);
    refuses(p, RT_FORMAT, "transfer set: ");
    scratch_write("transfer.csv", "x,y,k\n4,5,b\n", 12);
    refuses(p, RT_SPEC, "do not have the form");
    scratch_end();
}

Test(csv_set, every_failing_allocation) {
    scratch_begin();
    rt_params *p = csv_options(many_rows());
    option(p, "csv.test", "\"\"");
    option(p, "csv.standardise", "true");
    opens_or_says_memory(p);
    option(p, "csv.test", "train.csv");
    opens_or_says_memory(p);
    scratch_end();
}
