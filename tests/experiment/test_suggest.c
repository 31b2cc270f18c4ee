/* Fronts and choices on made-up points, against what can be seen by looking; shapes against the limits they
 * must keep, counted again; the compression table against ratios worked out here; and one search from end to
 * end on the built-in digits. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "experiment/compression.h"
#include "experiment/spec.h"
#include "experiment/suggest.h"
#include "formats/csv.h"
#include "retort/alloc.h"
#include "specs.h"

/* ---- the front and the choice ---- */

static const struct {
    rti_offer offer;
    bool front, bytes, latency;
} points[] = {
    {{.bytes = 100, .latency_us = 5, .accuracy = 0.90}, true, true, false},
    {{.bytes = 200, .latency_us = 4, .accuracy = 0.90}, true, false, true}, /* larger, but faster */
    {{.bytes = 200, .latency_us = 9, .accuracy = 0.95}, true, true, false},
    {{.bytes = 300, .latency_us = 9, .accuracy = 0.94}, false, false, false}, /* the one before beats it */
    {{.bytes = 400, .latency_us = 8, .accuracy = 0.97}, true, true, true},
    {{.bytes = 400, .latency_us = 8, .accuracy = 0.97}, true, true, true},  /* equals beat not each other */
    {{.bytes = 50, .latency_us = 1, .accuracy = NAN}, false, false, false}, /* nobody knows */
    {{.bytes = 90, .latency_us = 6, .accuracy = 0.80}, true, true, false},
};
enum { POINTS = sizeof points / sizeof points[0] };

static void take_points(rti_offer out[POINTS]) {
    for (int i = 0; i < POINTS; i++) out[i] = points[i].offer;
}

Test(suggest, the_front_is_what_nobody_beats) {
    rti_offer offers[POINTS];
    take_points(offers);
    rti_pareto_mark(offers, POINTS);
    for (int i = 0; i < POINTS; i++) {
        cr_expect_eq(offers[i].front, points[i].front, "point %d", i);
        cr_expect_eq(offers[i].front_bytes, points[i].bytes, "point %d, bytes", i);
        cr_expect_eq(offers[i].front_latency, points[i].latency, "point %d, latency", i);
    }
    rti_pareto_mark(offers, 0);
}

Test(suggest, the_choice_is_the_smallest_that_reaches_what_was_asked_for) {
    rti_offer offers[POINTS];
    int chosen;
    take_points(offers);
    cr_expect_eq(rti_pareto_choose(offers, POINTS, 0.90, &chosen), RTI_CHOICE_REACHES);
    cr_expect_eq(chosen, 0);
    cr_expect_eq(rti_pareto_choose(offers, POINTS, 0.901, &chosen), RTI_CHOICE_REACHES);
    cr_expect_eq(chosen, 2);
    cr_expect_eq(rti_pareto_choose(offers, POINTS, 0.96, &chosen), RTI_CHOICE_REACHES);
    cr_expect_eq(chosen, 4);
    cr_expect_eq(rti_pareto_choose(offers, POINTS, 0.98, &chosen), RTI_CHOICE_BEST);
    cr_expect_eq(chosen, 4);
    cr_expect_eq(rti_pareto_choose(offers, POINTS, NAN, &chosen), RTI_CHOICE_BEST);
    cr_expect_eq(chosen, 4);
    cr_expect_eq(rti_pareto_choose(&offers[6], 1, 0.1, &chosen), RTI_CHOICE_NONE);
    cr_expect_eq(chosen, -1);
    /* The same network with an assistant: as large and as fast, so the more accurate one. */
    rti_offer pair[] = {offers[0], offers[0]};
    pair[1].accuracy = 0.93;
    cr_expect_eq(rti_pareto_choose(pair, 2, 0.85, &chosen), RTI_CHOICE_REACHES);
    cr_expect_eq(chosen, 1);
}

Test(suggest, a_gap_needs_points_and_a_larger_teacher) {
    static rti_suggestion s;
    s = (rti_suggestion){.count = 1, .chosen = 0, .teacher_accuracy = 0.98, .teacher_bytes = 4000};
    s.candidate[0].offer = (rti_offer){.bytes = 1000, .accuracy = 0.965};
    cr_expect(rti_suggest_has_gap(&s));
    s.candidate[0].offer.accuracy = 0.975;
    cr_expect(!rti_suggest_has_gap(&s), "half a point");
    s.candidate[0].offer.accuracy = 0.9;
    s.candidate[0].offer.bytes = 1001;
    cr_expect(!rti_suggest_has_gap(&s), "a teacher that is hardly larger");
    s.chosen = -1;
    cr_expect(!rti_suggest_has_gap(&s));
}

/* ---- shapes ---- */

static rti_spec spec;

static void read_spec(const char *student) {
    rti_text text = RTI_TEXT_EMPTY;
    rt_error error = {0};
    rti_text_printf(&text,
                    "name = \"x\"\n[data]\nset = \"digits\"\n[teacher]\nepochs = 1\nhidden = [400, 400]\n"
                    "[student]\nepochs = 1\n%s\n[distill]\nmethod = \"kd\"\n",
                    student);
    cr_assert_eq(rti_spec_parse(&spec, rti_text_string(&text), text.length, "x", NULL, 0, &error), RT_OK,
                 "%s", error.message);
    rti_text_deinit(&text);
}

/* A made-up clock: a nanosecond for each product. */
static double products(void *context, const rt_params *student) {
    rti_size size;
    cr_assert_eq(rti_shape_size(context, student, &size, NULL, 0, NULL), RT_OK);
    return (double)size.multiply_adds / 1000;
}

static rt_examples digits(void) {
    return (rt_examples){.ndim = 3, .shape = {1, 28, 28}, .features = 784, .classes = 10};
}

static int count_points(const rti_axis axes[], int count) {
    return axes[0].count * (count > 1 ? axes[1].count : 1);
}

/* Every point keeps the limits; returns the largest one's bytes. */
static double check_points(const rt_examples *e, const rti_limits *limits, const rti_axis axes[], int count) {
    static rt_params rows;
    double largest = 0;
    for (int i = 0; i < axes[0].count; i++)
        for (int k = 0; k < (count > 1 ? axes[1].count : 1); k++) {
            rti_size size;
            char name[256];
            rows = spec.base.student;
            rt_error error = {0};
            cr_assert_eq(rt_params_set(&rows, axes[0].key + 8, &axes[0].values[i], &error), RT_OK, "%s",
                         error.message);
            if (count > 1)
                cr_assert_eq(rt_params_set(&rows, axes[1].key + 8, &axes[1].values[k], &error), RT_OK, "%s",
                             error.message);
            cr_assert_eq(rti_shape_size(e, &rows, &size, name, sizeof name, &error), RT_OK, "%s",
                         error.message);
            double bytes = (double)(limits->int8 ? size.int8 : size.float32);
            if (limits->bytes > 0) cr_expect_leq(bytes, limits->bytes, "%s: %.0f bytes", name, bytes);
            if (limits->latency_us > 0)
                cr_expect_leq((double)size.multiply_adds / 1000, limits->latency_us, "%s", name);
            if (bytes > largest) largest = bytes;
        }
    return largest;
}

Test(suggest, every_shape_keeps_the_limits_and_the_widest_uses_them) {
    static const char *const students[] = {"model = \"mlp\"", "model = \"cnn\"",
                                           "model = \"cnn\"\nhidden = []", "model = \"resnet\"\ndepth = 20",
                                           "model = \"wrn\"\ndepth = 22\nbase = 16"};
    static const int axes_of[] = {1, 2, 1, 2, 2};
    static const double thousands[] = {12, 60, 60, 3000, 3000}; /* of products: the limit of the clock */
    static rti_axis axes[RTI_SHAPE_AXES];
    rt_examples e = digits();
    for (size_t i = 0; i < sizeof students / sizeof students[0]; i++) {
        read_spec(students[i]);
        rti_limits limits = {.bytes = 30000, .accuracy = NAN, .int8 = true, .candidates = 12};
        rti_shape_search search = {&e, &spec.base, &limits, products, &e};
        int count;
        rt_error error = {0};
        cr_assert_eq(rti_shapes_find(&search, axes, &count, &error), RT_OK, "%s", error.message);
        cr_expect_eq(count, axes_of[i]);
        cr_expect(count_points(axes, count) >= 6 && count_points(axes, count) <= 12, "%s: %d candidates",
                  students[i], count_points(axes, count));
        cr_expect_geq(check_points(&e, &limits, axes, count), 0.85 * limits.bytes, "%s", students[i]);
        limits.latency_us = thousands[i];
        limits.bytes = 0;
        cr_assert_eq(rti_shapes_find(&search, axes, &count, &error), RT_OK, "%s", error.message);
        check_points(&e, &limits, axes, count);
        rti_spec_deinit(&spec);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

static void must_fail(const rti_limits *limits, rt_status wanted, const char *words) {
    static rti_axis axes[RTI_SHAPE_AXES];
    rt_examples e = digits();
    rti_shape_search search = {&e, &spec.base, limits, products, &e};
    int count;
    rt_error error = {0};
    cr_expect_eq(rti_shapes_find(&search, axes, &count, &error), wanted);
    cr_expect(strstr(error.message, words), "\"%s\" does not say \"%s\"", error.message, words);
}

Test(suggest, limits_that_nothing_keeps_say_what_the_smallest_needs) {
    read_spec("model = \"mlp\"");
    must_fail(&(rti_limits){.bytes = 100, .candidates = 12}, RT_VALUE,
              "--max-bytes, or count them in --int8");
    /* 784-2-2-2-10: 1596 weights; 16 biases and 16 channels of 4 bytes each */
    must_fail(&(rti_limits){.bytes = 100, .candidates = 12, .int8 = true}, RT_VALUE,
              "takes 1724 bytes in int8");
    must_fail(&(rti_limits){.bytes = 50000, .latency_us = 0.5, .candidates = 12}, RT_VALUE, "--max-latency");
    rti_spec_deinit(&spec);
    read_spec("model = \"vgg\"");
    must_fail(&(rti_limits){.bytes = 50000, .candidates = 12}, RT_UNSUPPORTED, "mlp (hidden), cnn");
    rti_spec_deinit(&spec);
}

Test(suggest, an_assistant_is_as_large_as_was_asked_for) {
    static const char *const students[] = {"hidden = [10, 20]", "model = \"cnn\"",
                                           "model = \"wrn\"\ndepth = 10"};
    rt_examples e = digits();
    for (int i = 0; i < 3; i++) {
        rti_limits limits = {.accuracy = NAN};
        rti_size size;
        read_spec(students[i]);
        static rt_params rows;
        rows = spec.base.student;
        cr_assert_eq(rti_shape_resize(&e, &limits, &rows, 300000, NULL), RT_OK);
        cr_assert_eq(rti_shape_size(&e, &rows, &size, NULL, 0, NULL), RT_OK);
        cr_expect(size.float32 <= 300000 && size.float32 > 260000, "%lld", (long long)size.float32);
        if (i == 0)
            cr_expect_float_eq(rows.values[rt_params_find(&rows, "hidden")].items[1] /
                                   rows.values[rt_params_find(&rows, "hidden")].items[0],
                               2, 0.05);
        rti_spec_deinit(&spec);
    }
}

/* ---- the table ---- */

Test(suggest, the_compression_table_has_the_ratios) {
    static rti_compression c;
    c = (rti_compression){.count = 2, .has_teacher = true};
    c.entry[0] = (rti_compression_entry){
        .name = "teacher", .networks = 1, .accuracy = 0.98, .low = 0.97, .high = 0.99, .agreement = NAN};
    c.entry[1] = (rti_compression_entry){.name = "student, small",
                                         .networks = 1,
                                         .accuracy = 0.931,
                                         .low = 0.9,
                                         .high = 0.95,
                                         .agreement = 0.96};
    c.entry[0].size = (rti_size){1000, 900, 900, 100, 100, 4000, 2000, 1700, 640};
    c.entry[1].size = (rti_size){100, 90, 90, 10, 10, 400, 200, 170, 320};
    double times[] = {50, 10, 30, 20, 40}, ten[] = {3, 1, 4, 2};
    c.entry[0].one = rti_latency_of(times, 5); /* 30, quartiles 20 and 40 */
    c.entry[1].one = rti_latency_of(ten, 4);   /* 2.5, quartiles 1.75 and 3.25 */
    c.entry[0].large = c.entry[1].large = rti_latency_of(NULL, 0);
    rti_text text = RTI_TEXT_EMPTY;
    rti_table table = rti_table_compression(&c);
    rti_table_print(&text, &table, 0);
    static const char *const words[] = {"30.0 (20.0 to 40.0)",
                                        "2.50 (1.75 to 3.25)",
                                        "93.10 (90.00 to 95.00)",
                                        "10.0 x",
                                        "23.5 x",
                                        "12.0 x",
                                        "95.00",
                                        "1,000",
                                        "640"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        cr_expect(strstr(rti_text_string(&text), words[i]), "no \"%s\" in\n%s", words[i],
                  rti_text_string(&text));
    rti_text_clear(&text);
    rti_compression_csv(&c, &text);
    rti_csv csv;
    rt_error error = {0};
    cr_assert_eq(rti_csv_parse(&csv, rti_text_string(&text), text.length, ',', "c", &error), RT_OK, "%s",
                 error.message);
    double value;
    cr_assert(rti_csv_number(rti_csv_field(&csv, 2, rti_csv_column(&csv, "faster_1")), &value));
    cr_expect_float_eq(value, 12, 1e-12);
    cr_assert(rti_csv_number(rti_csv_field(&csv, 2, rti_csv_column(&csv, "accuracy_kept")), &value));
    cr_expect_float_eq(value, 0.95, 1e-12);
    cr_expect_str_eq(rti_csv_field(&csv, 1, rti_csv_column(&csv, "faster_1")), "");
    cr_expect_str_eq(rti_csv_field(&csv, 2, rti_csv_column(&csv, "latency_1000_us")), "");
    rti_csv_deinit(&csv);
    rti_text_deinit(&text);
}

/* ---- from end to end ---- */

static test_run result;
static char path[1024], runs[1024];

static void start(const char *text) {
    snprintf(path, sizeof path, "%s", test_path("tiny.toml"));
    snprintf(runs, sizeof runs, "%s", test_path("runs"));
    test_write(path, text);
}

#define SAYS(wanted, words, ...)                                                                       \
    do {                                                                                               \
        test_program(&result, (const char *const[]){__VA_ARGS__, NULL});                               \
        cr_assert_eq(result.status, wanted, "status %d\n%s%s", result.status, result.out, result.err); \
        cr_assert(strstr(result.out, words) || strstr(result.err, words), "no \"%s\":\n%s%s", words,   \
                  result.out, result.err);                                                             \
    } while (0)

Test(suggest, a_search_on_the_digits_chooses_and_writes_a_spec_that_runs) {
    start(TEST_SPEC);
    SAYS(0, "chosen on validation", "suggest", path, "--runs", runs, "--set", "distill.alpha=0.9",
         "--max-bytes", "9k", "--int8", "--min-accuracy", "1.5", "--candidates", "3", "--no-plots");
    cr_assert(strstr(result.err, "the spec's sweep is left out: distill.temperature 4"), "%s", result.err);
    cr_assert(strstr(result.out, "the smallest that reaches the 1.5 % asked for"), "%s", result.out);
    cr_assert(strstr(result.out, "test accuracy, looked at for the choice only"), "%s", result.out);

    char file[1200];
    rti_csv csv;
    rt_error error = {0};
    snprintf(file, sizeof file, "%s/tiny-suggest/suggest.csv", runs);
    cr_assert_eq(rti_csv_read(&csv, file, ',', &error), RT_OK, "%s", error.message);
    int chosen = 0, column = rti_csv_column(&csv, "chosen");
    double bytes;
    cr_assert_geq(csv.rows, 4);
    for (int64_t row = 1; row < csv.rows; row++) {
        cr_assert(rti_csv_number(rti_csv_field(&csv, row, rti_csv_column(&csv, "bytes")), &bytes));
        cr_expect_leq(bytes, 9000);
        chosen += !strcmp(rti_csv_field(&csv, row, column), "1");
    }
    cr_expect_eq(chosen, 1);
    rti_csv_deinit(&csv);

    snprintf(file, sizeof file, "%s/tiny-suggest/suggested.toml", runs);
    static rti_spec written;
    cr_assert_eq(rti_spec_read(&written, file, NULL, 0, &error), RT_OK, "%s", error.message);
    cr_expect_eq(written.axis_count, 0);
    rti_spec_deinit(&written);
    /* The teacher and the students are there; a run adds the students of the labels. */
    SAYS(0, "3 finished", "run", file, "--runs", runs, "--no-plots");
    SAYS(0, "7 of 7 trials finished", "suggest", path, "--runs", runs, "--set", "distill.alpha=0.9",
         "--max-bytes", "9k", "--int8", "--min-accuracy", "1.5", "--candidates", "3", "--no-plots");
}

Test(suggest, wrong_words_are_2_and_wrong_specs_are_1) {
    start(TEST_SPEC);
    SAYS(2, "which spec?", "suggest");
    SAYS(2, "such as 50k", "suggest", path, "--max-bytes", "50q");
    SAYS(2, "such as 50k", "suggest", path, "--max-bytes", "-5");
    SAYS(2, "with its unit", "suggest", path, "--max-latency", "20");
    SAYS(2, "in per cent", "suggest", path, "--min-accuracy", "0.97");
    SAYS(2, "in per cent", "suggest", path, "--min-accuracy", "101");
    SAYS(2, "from 1 to 64", "suggest", path, "--candidates", "0");
    SAYS(2, "needs a value", "suggest", path, "--max-bytes");
    SAYS(2, "unknown option", "suggest", path, "--max-byte", "5");
    SAYS(1, "no mlp keeps the limits", "suggest", path, "--runs", runs, "--max-bytes", "1k", "--set",
         "distill.alpha=0.9");
    SAYS(1, "from the labels alone", "suggest", path, "--runs", runs, "--set", "distill.alpha=0");
    SAYS(1, "validation is 0", "suggest", path, "--runs", runs, "--set", "data.validation=0");
    start("name = \"x\"\n[data]\nset = \"digits\"\ndigits = { train = 160, test = 60 }\nvalidation = 40\n"
          "[teacher]\nepochs = 1\n[student]\nmodel = \"vgg\"\nepochs = 1\n[distill]\nmethod = \"kd\"\n");
    SAYS(1, "mlp (hidden), cnn", "suggest", path, "--runs", runs);
    start(TEST_COMPARE);
    SAYS(1, "needs [distill], not [compare]", "suggest", path, "--runs", runs);
    SAYS(2, "Name TEACHER and STUDENT", "report", "--compression");
    SAYS(2, "has no option", "report", "--compression", "x", "--plots");
    SAYS(1, "x.safetensors: there is no such file", "report", "--compression", "x.safetensors",
         "y.safetensors");
}

Test(suggest, compression_of_an_ensemble_is_the_sum_of_its_members) {
    start(TEST_SPEC_HEAD "alpha = 0.9\n");
    SAYS(0, "report.md", "run", path, "--runs", runs, "--no-plots", "--set", "teacher.count=2", "--set",
         "seeds=[1]");
    char report[1200], student[1200], csv_path[1024], *text;
    snprintf(report, sizeof report, "%s/tiny/report.md", runs);
    size_t length;
    text = test_file(report, &length);
    cr_assert(text && strstr(text, "## Compression"));
    /* 784-16-10: 12704 weights, 26 biases; 784-8-10: 6352 and 18 */
    cr_assert(strstr(text, "| bytes, int8 | 25,824 | 6,496 | 6,496 |"), "%s", text);
    cr_assert(strstr(text, "| multiply-adds | 25,408 | 6,352 | 6,352 |"), "%s", text);
    free(text);
    SAYS(0, "student seed 1", "status", path, "--runs", runs, "--set", "teacher.count=2", "--set",
         "seeds=[1]");
    char *line = strstr(result.out, "student seed 1");
    while (line > result.out && line[-1] != '\n') line--;
    snprintf(student, sizeof student, "%s/tiny/%.16s", runs, line);
    snprintf(csv_path, sizeof csv_path, "%s", test_path("c.csv"));
    SAYS(0, "several networks that teach together", "report", "--compression", student, "--csv", csv_path);
    rti_csv csv;
    rt_error error = {0};
    double value, smaller;
    cr_assert_eq(rti_csv_read(&csv, csv_path, ',', &error), RT_OK, "%s", error.message);
    cr_assert_eq(csv.rows, 3);
    cr_assert(rti_csv_number(rti_csv_field(&csv, 1, rti_csv_column(&csv, "bytes_float32")), &value));
    cr_expect_eq(value, 2 * 4 * 12730);
    cr_assert(rti_csv_number(rti_csv_field(&csv, 2, rti_csv_column(&csv, "smaller_float32")), &smaller));
    cr_expect_float_eq(smaller, 2 * 12730.0 / 6370.0, 1e-12);
    cr_assert(rti_csv_number(rti_csv_field(&csv, 2, rti_csv_column(&csv, "latency_1_low_us")), &value));
    cr_expect_gt(value, 0);
    cr_assert(rti_csv_number(rti_csv_field(&csv, 2, rti_csv_column(&csv, "agreement")), &value));
    cr_expect(value > 0 && value <= 1);
    rti_csv_deinit(&csv);
}
