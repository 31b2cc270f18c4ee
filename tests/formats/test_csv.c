/* CSV: tables written out by hand after RFC 4180, bad inputs with the place and the words of their
 * message, round trips through the writer, and every failing allocation. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../support/temporary.h"
#include "core/file.h"
#include "formats/csv.h"
#include "retort/alloc.h"
#include "retort/rng.h"

static void expect_table(const char *text, int64_t rows, int columns, const char *const fields[]) {
    rti_csv csv;
    rt_error error;
    rt_status status = rti_csv_parse(&csv, text, strlen(text), ',', "t.csv", &error);
    cr_assert_eq(status, RT_OK, "%s", error.message);
    cr_assert(csv.rows == rows && csv.columns == columns, "%s: (%d, %d)", text, (int)csv.rows, csv.columns);
    for (int64_t i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            cr_assert_str_eq(rti_csv_field(&csv, i, j), fields[i * columns + j], "%s", text);
    rti_csv_deinit(&csv);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

#define ROW(...) ((const char *const[]){__VA_ARGS__})

Test(csv, good_tables) {
    expect_table("a,b\n1,2\n", 2, 2, ROW("a", "b", "1", "2"));
    expect_table("a,b\r\n1,2", 2, 2, ROW("a", "b", "1", "2"));
    expect_table("\xEF\xBB\xBF" "a,b\n1,2", 2, 2, ROW("a", "b", "1", "2"));
    expect_table("\"a\",\"b\"\n\"1,5\",\"say \"\"hi\"\"\"\n", 2, 2, ROW("a", "b", "1,5", "say \"hi\""));
    expect_table("\"two\nlines\",\"\"\n,\n", 2, 2, ROW("two\nlines", "", "", ""));
    expect_table("\"two\r\nlines\",x", 1, 2, ROW("two\r\nlines", "x"));
    expect_table("a\n\nb\n", 3, 1, ROW("a", "", "b"));
    expect_table("a,b\n1,2\n\n\r\n\n", 2, 2, ROW("a", "b", "1", "2"));
    expect_table(" a , b\n", 1, 2, ROW(" a ", " b"));
    expect_table("\xE9t\xE9,1\n", 1, 2, ROW("\xE9t\xE9", "1")); /* Latin-1 stays as it is */
    expect_table("\"\"", 1, 1, ROW(""));
    expect_table(",", 1, 2, ROW("", ""));
}

Test(csv, lines_and_columns) {
    rti_csv csv;
    const char *text = "x;y\n\"1\n\n\";2\n3;4\n";
    cr_assert_eq(rti_csv_parse(&csv, text, strlen(text), ';', "t", NULL), RT_OK);
    cr_assert(csv.rows == 3 && csv.lines[0] == 1 && csv.lines[1] == 2 && csv.lines[2] == 5);
    cr_assert_eq(rti_csv_column(&csv, "x"), 0);
    cr_assert_eq(rti_csv_column(&csv, "y"), 1);
    cr_assert_eq(rti_csv_column(&csv, "z"), -1);
    rti_csv_deinit(&csv);
    cr_assert_eq(rti_csv_column(&csv, "x"), -1);
}

Test(csv, bad_tables_name_the_place) {
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "t.csv: has no rows"},
        {"\n\n\r\n", "has no rows"},
        {"a,b\n1\n", "t.csv:2:1: 1 field, but the first row has 2"},
        {"a,b\n1,2\n1,2,3\n", "t.csv:3:1: 3 fields, but the first row has 2"},
        {"a,b\n\n1,2\n", "t.csv:2:1: 1 field"},
        {"a,b\n1,\"2\n3,4\n", "t.csv:2:3: the quoted field that starts here never ends"},
        {"\"", "t.csv:1:1: the quoted field"},
        {"\"a\"b,c\n", "t.csv:1:4: text behind a closing quote"},
        {"x,a\"b\n", "t.csv:1:4: a quote inside a field"},
        {"a\rb\n", "t.csv:1:2: a carriage return"},
        {"\xC3\xA9,\r", "t.csv:1:3: a carriage return"}, /* columns count characters */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rti_csv csv;
        rt_error error;
        cr_assert_eq(rti_csv_parse(&csv, bad[i].text, strlen(bad[i].text), ',', "t.csv", &error), RT_FORMAT);
        cr_assert(strstr(error.message, bad[i].part), "\"%s\" does not say \"%s\"", error.message,
                  bad[i].part);
        cr_assert(csv.rows == 0 && csv.memory == NULL);
        cr_assert_eq(rti_csv_parse(&csv, bad[i].text, strlen(bad[i].text), ',', "t.csv", NULL), RT_FORMAT);
    }
    rti_csv csv;
    rt_error error;
    cr_assert_eq(rti_csv_parse(&csv, "a,b\0c", 5, ',', "t.csv", &error), RT_FORMAT);
    cr_assert(strstr(error.message, "1:4: a zero byte"), "%s", error.message);
    cr_assert_eq(rti_csv_parse(&csv, "\"b\0c\"", 5, ',', "t.csv", &error), RT_FORMAT);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(csv, numbers) {
    static const struct {
        const char *field;
        double value; /* NAN: is none */
    } cases[] = {
        {"1", 1},         {"-2.5", -2.5},     {"+.5", .5},      {"5.", 5},        {" 1e3\t", 1000},
        {"1E-2", .01},    {"0.1", 0.1},       {"-0", 0},        {"", NAN},        {" ", NAN},
        {"x", NAN},       {"1x", NAN},        {"1 2", NAN},     {"nan", NAN},     {"inf", NAN},
        {"-inf", NAN},    {"0x10", NAN},      {"1e999", NAN},   {"1e", NAN},      {"1e+", NAN},
        {".", NAN},       {"-", NAN},         {"--1", NAN},     {"1,5", NAN},     {"1_000", NAN},
        {"?", NAN},       {"1e5.5", NAN},     {"NA", NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = -77;
        bool is = rti_csv_number(cases[i].field, &value);
        cr_assert_eq(is, !isnan(cases[i].value), "\"%s\"", cases[i].field);
        if (is) cr_assert(value == cases[i].value, "\"%s\" is %g", cases[i].field, value);
        else cr_assert(value == -77);
    }
}

Test(csv, what_is_written_reads_back) {
    static const char *const pieces[] = {"", "a", ",", "\"", "\n", "\r\n", " ", "\xC3\xA9", "1.5", "\"\""};
    rt_rng rng = rt_rng_stream(1, "csv", 0, 0);
    for (int round = 0; round < 300; round++) {
        int rows = 1 + (int)rt_rng_below(&rng, 4), columns = 1 + (int)rt_rng_below(&rng, 4);
        char fields[16][32] = {{0}};
        rti_text text = RTI_TEXT_EMPTY;
        for (int i = 0; i < rows * columns; i++) {
            size_t used = 0;
            for (int k = 0; k < 3; k++)
                used += (size_t)snprintf(fields[i] + used, 32 - used, "%s", pieces[rt_rng_below(&rng, 10)]);
            rti_csv_append(&text, fields[i], i % columns == 0);
            if (i % columns == columns - 1) rti_text_append(&text, round % 2 ? "\n" : "\r\n");
        }
        rti_csv csv;
        rt_error error;
        rt_status status = rti_csv_parse(&csv, text.bytes, text.length, ',', "t", &error);
        cr_assert_eq(status, RT_OK, "%s in %s", error.message, text.bytes);
        cr_assert(csv.rows == rows && csv.columns == columns, "%s", text.bytes);
        for (int i = 0; i < rows * columns; i++) cr_assert_str_eq(csv.fields[i], fields[i]);
        rti_csv_deinit(&csv);
        rti_text_deinit(&text);
    }
}

/* A file of many empty lines before a last row takes time in proportion, not squared. */
Test(csv, a_million_rows, .timeout = 20) {
    rti_text text = RTI_TEXT_EMPTY;
    for (int i = 0; i < 1000000; i++) rti_text_append_bytes(&text, "\n", 1);
    rti_text_append(&text, "x");
    rti_csv csv;
    cr_assert_eq(rti_csv_parse(&csv, text.bytes, text.length, ',', "t", NULL), RT_OK);
    cr_assert_eq(csv.rows, 1000001);
    cr_assert_str_eq(csv.fields[1000000], "x");
    rti_csv_deinit(&csv);
    rti_text_deinit(&text);
}

Test(csv, files_and_memory) {
    rti_csv csv;
    rt_error error;
    cr_assert_eq(rti_csv_read(&csv, test_path("none.csv"), ',', &error), RT_NOT_FOUND);
    cr_assert_eq(rti_file_write(test_path("a.csv"), "a,b\n1,2\n", 8, &error), RT_OK);
    for (size_t n = 1;; n++) {
        rt_alloc_fail_after(n);
        rt_status status = rti_csv_read(&csv, test_path("a.csv"), ',', &error);
        rt_alloc_fail_after(0);
        if (status == RT_OK) break;
        cr_assert_eq(status, RT_MEMORY);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
        cr_assert_lt(n, 10);
    }
    cr_assert_str_eq(rti_csv_field(&csv, 1, 1), "2");
    rti_csv_deinit(&csv);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
