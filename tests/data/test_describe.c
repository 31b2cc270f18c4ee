/* What is said about tables, arrays and folders, against files whose contents the test wrote: separator,
 * header, types, ranges, counts, the label that is guessed, and what stands in the way of using them. That
 * a spec runs as it is written is checked in tests/cli. */
#include <math.h>

#include "core/text.h"
#include "data/describe.h"
#include "scratch.h"

static rti_description d;

static void describes(const char *text, const char *label) {
    rt_error error = {0};
    const char *path = scratch_write("t.csv", text, strlen(text));
    cr_assert_eq(rti_describe(&d, path, label, &error), RT_OK, "%s", error.message);
    cr_assert_eq(d.what, RTI_DESCRIBED_TABLE);
}

static void has_problem(const char *part) {
    cr_assert(strstr(rti_text_string(&d.problems), part), "\"%s\" does not say \"%s\"",
              rti_text_string(&d.problems), part);
}

static void fails(const char *path, const char *label, rt_status status, const char *part) {
    rt_error error = {0};
    cr_assert_eq(rti_describe(&d, path, label, &error), status, "%s", error.message);
    cr_assert(strstr(error.message, part), "\"%s\" does not say \"%s\"", error.message, part);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* 12 rows: a number, a real number, a constant, a class. */
static const char *good(char separator, const char *header) {
    static char text[1000];
    size_t at = (size_t)snprintf(text, sizeof text, "%s", header);
    for (int i = 0; i < 12; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%d%c%d.5%c7%c%s\n", i * i % 5 - 2, separator, i,
                               separator, separator, i % 3 ? "dog" : "cat");
    return text;
}

Test(describe, separators_headers_types_and_classes) {
    static const char separators[] = ",;\t";
    static const char *const headers[] = {"", "a,b,c,kind\n", "a;b;c;kind\n", "a\tb\tc\tkind\n"};
    scratch_begin();
    for (int s = 0; s < 3; s++)
        for (int named = 0; named < 2; named++) {
            describes(good(separators[s], named ? headers[s + 1] : ""), NULL);
            cr_assert(d.separator == separators[s] && d.header == named && d.rows == 12);
            cr_assert(d.column_count == 4 && d.features == 3 && d.label == 3);
            cr_assert_str_eq(d.column[3].name, named ? "kind" : "");
            cr_assert_str_eq(d.label_text, named ? "kind" : "4");
            cr_assert_eq(d.column[0].type, RTI_COLUMN_INTEGER);
            cr_assert(d.column[0].low == -2 && d.column[0].high == 2 && d.column[0].distinct == 3);
            cr_assert_eq(d.column[1].type, RTI_COLUMN_REAL);
            cr_assert(d.column[1].low == 0.5 && d.column[1].high == 11.5 && d.column[1].distinct == 12);
            cr_assert(d.column[2].distinct == 1 && d.column[2].low == 7);
            cr_assert(d.column[3].type == RTI_COLUMN_TEXT && d.column[3].distinct == 2);
            cr_assert(d.class_count == 2 && d.class_counts[0].count == 4 && d.class_counts[1].count == 8);
            cr_assert_str_eq(d.class_counts[0].name, "cat");
            cr_assert_str_eq(rti_text_string(&d.problems), "");
            cr_assert(strstr(rti_text_string(&d.notes), "constant: column 3"));
            rti_description_deinit(&d);
        }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
    scratch_end();
}

/* Numbers may be names; a number or a gap in the first line may be none; classes may be numbers. */
Test(describe, first_lines_that_are_hard) {
    static const struct {
        const char *first;
        bool header;
    } lines[] = {{"0,1,2\n", false}, {"0,1,x\n", true},   {"?,1,2\n", false},    {"a,b,c\n", true},
                 {"a,,c\n", true},   {"1.5,,0\n", false}, {"\"2\",b,c\n", true}, {"3,NA,1\n", false}};
    scratch_begin();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[400];
        size_t at = (size_t)snprintf(text, sizeof text, "%s", lines[i].first);
        for (int r = 0; r < 20; r++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%d,%d.25,%d\n", r, r, r % 2 + 9);
        describes(text, NULL);
        cr_assert_eq(d.header, lines[i].header, "%s", lines[i].first);
        cr_assert_eq(d.rows, lines[i].header ? 20 : 21);
        cr_assert_eq(d.label, 2);
        if (lines[i].header) {
            cr_assert(d.class_count == 2 && d.class_counts[0].count == 10);
            cr_assert_str_eq(d.class_counts[0].name, "9");
            cr_assert_str_eq(d.class_counts[1].name, "10");
        }
        rti_description_deinit(&d);
    }
    scratch_end();
}

Test(describe, the_label_is_named_last_first_or_told) {
    static const struct {
        const char *header, *label;
        int column;
        const char *text;
    } cases[] = {{"Class,k,price\n", NULL, 0, "Class"}, {"k,Target,price\n", NULL, 1, "Target"},
                 {"k,b,price\n", NULL, 0, "k"},         {"k,b,price\n", "b", 1, "b"},
                 {"k,b,price\n", "2", 1, "b"},          {"k,y,y\n", NULL, 1, "y"},
                 {"2,k,price\n", "1", 0, "2"},          {"k,k,price\n", "2", 1, "2"}};
    scratch_begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[400];
        size_t at = (size_t)snprintf(text, sizeof text, "%s", cases[i].header);
        for (int r = 0; r < 14; r++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%d,%d,%d.25\n", r % 2, r % 3, r);
        describes(text, cases[i].label);
        cr_assert_eq(d.label, cases[i].column, "%s: %d", cases[i].header, d.label);
        cr_assert_str_eq(d.label_text, cases[i].text);
        rti_description_deinit(&d);
    }
    scratch_write("t.csv", "colour,size\n1,2\n2,3\n", 20);
    fails(scratch_path("t.csv"), "color", RT_SPEC,
          "there is no column \"color\" among its 2; did you mean \"colour\"?");
    fails(scratch_path("t.csv"), "3", RT_SPEC, "there is no column \"3\" among its 2");
    fails(scratch_path("t.csv"), "0", RT_SPEC, "there is no column \"0\"");
    scratch_end();
}

Test(describe, what_stands_in_the_way) {
    scratch_begin();
    describes(
        "id,town,len,x,kind\n1,Rome,\"1,5\",3,a\n2,Oslo,\"2,5\",,b\n3,Oslo,\"0,5\",1e39,a\n4,Rome,?,4,b\n",
        NULL);
    cr_assert(d.label == 4 && d.column[3].missing == 1 && d.column[3].missing_line == 3);
    cr_assert(d.column[2].missing == 1 && d.column[1].distinct == 2 && d.column[3].words == 1);
    has_problem("column 2 (town) holds text, \"Rome\" in line 2: code it as numbers");
    has_problem("column 3 (len) holds text, \"1,5\" in line 2: write decimal points instead of commas");
    has_problem("column 3 (len) lacks 1 value, the first in line 5: fill them in or leave those rows out");
    has_problem("column 4 (x) lacks 1 value, the first in line 3");
    has_problem("column 4 (x) holds text among its numbers, \"1e39\" in line 4");
    has_problem("4 rows are too few");
    rt_error error = {0};
    rti_text text = RTI_TEXT_EMPTY;
    cr_assert_eq(rti_describe_spec(&d, "n", "n.toml", &text, &error), RT_FORMAT);
    cr_assert(strstr(error.message, "no spec is written: column 2 (town) holds text"), "%s", error.message);
    cr_assert_eq(text.length, 0);
    rti_description_deinit(&d);

    describes("x,price\n1,2.5\n2,3.5\n3,4.5\n4,5.5\n", NULL);
    cr_assert_eq(d.label, -1);
    has_problem("no label was found: column 2 (price) has 4 different values in 4 rows");
    has_problem("--label");
    rti_description_deinit(&d);
    describes("x,price\n1,2.5\n2,3.5\n3,4.5\n4,5.5\n", "price");
    has_problem("the label, column 2 (price), has 4 different values in 4 rows: those are no classes");
    rti_description_deinit(&d);
    describes("x,kind\n1,a\n2,\n3,b\n4,a\n5,b\n", NULL);
    has_problem("column 2 (kind) lacks 1 value, the first in line 3");
    cr_assert_eq(d.class_count, 2);
    rti_description_deinit(&d);
    describes("x,kind\nNA,a\n,b\n?,b\n,a\n", NULL);
    cr_assert(d.column[0].type == RTI_COLUMN_EMPTY && d.column[0].distinct == 0);
    has_problem("column 1 (x) lacks 4 values");
    rti_description_deinit(&d);
    describes("n,kind\n1,a\n2,b\n3,b\n4,a\n5,b\n6,b\n7,a\n8,a\n9,a\n10,b\n", NULL);
    cr_assert(strstr(rti_text_string(&d.notes), "column 1 (n) has the values 1 to 10, each once"));
    cr_assert_str_eq(rti_text_string(&d.problems), "");
    rti_description_deinit(&d);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
    scratch_end();
}

Test(describe, files_that_are_none) {
    scratch_begin();
    scratch_write("my.csv", "a b\n1 2\n", 8);
    fails(scratch_path("my.cvs"), NULL, RT_NOT_FOUND,
          "there is no such file or folder: check the path; did you mean");
    fails(scratch_path("my.cvs"), NULL, RT_NOT_FOUND, "/my.csv?");
    fails(scratch_path("no/my.csv"), NULL, RT_NOT_FOUND, "there is no such file or folder, nor");
    fails(scratch_path("my.csv"), NULL, RT_FORMAT, "one column only");
    scratch_write("my.csv", "a;b\n1;2\n3\n", 10);
    fails(scratch_path("my.csv"), NULL, RT_FORMAT, "my.csv:3:1: 1 field, but the first row has 2");
    scratch_write("my.csv", "", 0);
    fails(scratch_path("my.csv"), NULL, RT_FORMAT, "has no rows");
    scratch_write("my.csv", "a,b\n", 4);
    fails(scratch_path("my.csv"), NULL, RT_FORMAT, "a header and no rows");
    scratch_write("my.csv", "a\0b\n", 4);
    fails(scratch_path("my.csv"), NULL, RT_FORMAT, "zero byte");
    scratch_write("x.npy", "\x93NUMPY\x01\x00", 8);
    fails(scratch_path("x.npy"), NULL, RT_FORMAT, "ends in the middle of its header");
    scratch_write("x.npz", "PK\x03\x04....", 8);
    fails(scratch_path("x.npz"), NULL, RT_UNSUPPORTED, "unzip");
    scratch_write("x", "\0\0\x08\x01\0\0\0\x05", 8);
    fails(scratch_path("x"), NULL, RT_FORMAT, "truncated");
    fails(scratch, NULL, RT_NOT_FOUND, "no training examples there; looked for");
    scratch_end();
}

static void write_npy(const char *name, rti_npy_dtype dtype, int ndim, const int64_t shape[],
                      const void *data) {
    rt_error error = {0};
    cr_assert_eq(rti_npy_write(scratch_path(name), dtype, ndim, shape, data, &error), RT_OK, "%s",
                 error.message);
}

Test(describe, arrays_and_folders) {
    scratch_begin();
    rt_error error = {0};
    float x[15][2];
    int32_t y[15];
    for (int i = 0; i < 15; i++) x[i][0] = (float)(i - 4), x[i][1] = 0.25f, y[i] = 1 + i % 2;
    write_npy("x_train.npy", RTI_NPY_F4, 3, (const int64_t[]){15, 2, 1}, x);
    write_npy("y_train.npy", RTI_NPY_I4, 1, (const int64_t[]){15}, y);
    cr_assert_eq(rti_describe(&d, scratch_path("x_train.npy"), NULL, &error), RT_OK, "%s", error.message);
    cr_assert(d.what == RTI_DESCRIBED_ARRAY && d.array_count == 1 && d.array[0].low == -4 &&
              d.array[0].high == 10 && d.array[0].dtype == RTI_NPY_F4 && !d.array[0].is_labels);
    cr_assert(d.rows == 15 && d.features == 2 && d.images && d.channels == 1 && d.class_count == 0);
    has_problem("one array is not a set");
    rti_description_deinit(&d);
    cr_assert_eq(rti_describe(&d, scratch_path("y_train.npy"), NULL, &error), RT_OK, "%s", error.message);
    cr_assert(d.array[0].is_labels && d.class_count == 3 && d.class_counts[0].count == 0 &&
              d.class_counts[1].count == 8 && d.class_counts[2].count == 7);
    rti_description_deinit(&d);

    cr_assert_eq(rti_describe(&d, scratch, NULL, &error), RT_OK, "%s", error.message);
    cr_assert(d.what == RTI_DESCRIBED_FOLDER && d.array_count == 2 && d.rows == 15 && !d.bytes && d.images);
    cr_assert(d.class_count == 3 && d.class_counts[1].count == 8 && d.class_counts[2].count == 7);
    cr_assert(strstr(rti_text_string(&d.notes), "no example has the label 0"));
    cr_assert_str_eq(rti_text_string(&d.problems), "");
    rti_description_deinit(&d);
    fails(scratch, "kind", RT_SPEC, "a label column can be told of a table only");

    x[3][1] = INFINITY;
    write_npy("x_train.npy", RTI_NPY_F4, 2, (const int64_t[]){15, 2}, x);
    cr_assert_eq(rti_describe(&d, scratch, NULL, &error), RT_OK, "%s", error.message);
    cr_assert(d.array[0].not_finite == 1 && d.array[0].high == 10);
    has_problem("the number at [3, 1] is inf");
    rti_description_deinit(&d);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
    scratch_end();
}

Test(describe, every_failing_allocation) {
    scratch_begin();
    const char *path = scratch_write("t.csv", good(',', "a,b,c,kind\n"), strlen(good(',', "a,b,c,kind\n")));
    const float x[24] = {0};
    const int32_t y[12] = {0, 1, 0, 1, 0, 1};
    write_npy("x_train.npy", RTI_NPY_F4, 2, (const int64_t[]){12, 2}, x);
    write_npy("y_train.npy", RTI_NPY_I4, 1, (const int64_t[]){12}, y);
    for (int folder = 0; folder < 2; folder++)
        for (size_t n = 1;; n++) {
            rt_error error = {0};
            rti_text text = RTI_TEXT_EMPTY;
            rt_alloc_fail_after(n);
            rt_status status = rti_describe(&d, folder ? scratch : path, NULL, &error);
            if (status == RT_OK) status = rti_describe_spec(&d, "n", "n.toml", &text, &error);
            rt_alloc_fail_after(0);
            rti_text_deinit(&text);
            rti_description_deinit(&d);
            cr_assert_eq(rt_alloc_stats_get().live_blocks, 0, "allocation %zu leaks", n);
            if (status == RT_OK) break;
            cr_assert_eq(status, RT_MEMORY, "allocation %zu: %s", n, error.message);
            cr_assert_lt(n, 500);
        }
    scratch_end();
}
