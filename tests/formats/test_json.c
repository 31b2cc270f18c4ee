/* JSON: values written out by hand after RFC 8259, bad inputs with the words of their message,
 * numbers against strtod and against every shorter spelling, round trips through the writer, and
 * every failing allocation. */
#include <criterion/criterion.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/json.h"
#include "retort/alloc.h"
#include "retort/rng.h"

static void parse(rti_json_document *document, const char *text) {
    rt_error error;
    rt_status status = rti_json_parse(document, text, strlen(text), "t.json", &error);
    cr_assert_eq(status, RT_OK, "%s", error.message);
}

Test(json, good_values) {
    rti_json_document d;
    parse(&d, " {\"a\": [1, -2.5e3, true, false, null, \"x\"], \"b\": {\"c\": {}}, \"d\": [] } \r\n\t");
    const rti_json *a = rti_json_get(&d.root, "a");
    cr_assert(d.root.type == RTI_JSON_OBJECT && d.root.count == 3);
    cr_assert(a->type == RTI_JSON_ARRAY && a->count == 6);
    cr_assert(a->items[0].is_integer && a->items[0].integer == 1 && a->items[0].number == 1);
    cr_assert(!a->items[1].is_integer && a->items[1].number == -2500);
    cr_assert(a->items[2].type == RTI_JSON_BOOL && a->items[2].boolean);
    cr_assert(a->items[3].type == RTI_JSON_BOOL && !a->items[3].boolean);
    cr_assert(a->items[4].type == RTI_JSON_NULL);
    cr_assert_str_eq(a->items[5].string, "x");
    const rti_json *c = rti_json_get(rti_json_get(&d.root, "b"), "c");
    cr_assert(c && c->type == RTI_JSON_OBJECT && c->count == 0);
    cr_assert(rti_json_get(&d.root, "d")->count == 0);
    cr_assert_null(rti_json_get(&d.root, "z"));
    cr_assert_null(rti_json_get(a, "a"));
    cr_assert_null(rti_json_get(NULL, "a"));
    rti_json_deinit(&d);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(json, strings_are_decoded) {
    rti_json_document d;
    parse(&d, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t \\u00e9 \\u20AC \\uD83D\\uDE00 \xC3\xA9 \\u0000end\"");
    static const char wanted[] = "\"\\/\b\f\n\r\t \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xC3\xA9 \0end";
    cr_assert_eq(d.root.string_length, sizeof wanted - 1);
    cr_assert_arr_eq(d.root.string, wanted, sizeof wanted);
    rti_json_deinit(&d);
}

Test(json, integers_are_exact) {
    static const struct {
        const char *text;
        bool is;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"9007199254740993", true, 9007199254740993}, /* 2^53 + 1: no double holds it */
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"1.0", false, 0},
        {"1e2", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rti_json_document d;
        parse(&d, cases[i].text);
        cr_assert_eq(d.root.is_integer, cases[i].is, "%s", cases[i].text);
        if (cases[i].is) cr_assert_eq(d.root.integer, cases[i].value);
        cr_assert(d.root.number == strtod(cases[i].text, NULL));
        rti_json_deinit(&d);
    }
}

Test(json, lookups_fall_back) {
    rti_json_document d;
    parse(&d, "{\"n\": 2.5, \"s\": \"x\", \"z\": null}");
    cr_assert(rti_json_number(&d.root, "n", 7) == 2.5);
    cr_assert(rti_json_number(&d.root, "s", 7) == 7);
    cr_assert(rti_json_number(&d.root, "z", 7) == 7);
    cr_assert(rti_json_number(&d.root, "none", 7) == 7);
    cr_assert_str_eq(rti_json_string(&d.root, "s", "y"), "x");
    cr_assert_str_eq(rti_json_string(&d.root, "n", "y"), "y");
    cr_assert_null(rti_json_string(&d.root, "none", NULL));
    rti_json_deinit(&d);
}

Test(json, bad_values_name_the_place) {
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "t.json:1:1: the end of the file where a value"},
        {"{\"a\":1,\n \"b\":2,\n \"a\":3}", "t.json:3:2: the key \"a\" is there twice"},
        {"{\"a\":1,\"\\u0061\":3}", "the key \"a\" is there twice"},
        {"{a:1}", "1:2: 'a' where a key in double quotes"},
        {"{\"a\" 1}", "1:6: '1' where ':'"},
        {"{\"a\":1,}", "1:8: '}' where a key"},
        {"[1,]", "1:4: ']' where a value"},
        {"[1 2]", "1:4: '2' where ',' or ']'"},
        {"{\"a\":1 ", "the end of the file where ',' or '}'"},
        {"[", "the end of the file where a value"},
        {"1 2", "1:3: '2' where the end of the file"},
        {"nul", "1:1: 'n' where a value"},
        {"True", "'T' where a value"},
        {"NaN", "'N' where a value"},
        {"-Infinity", "1:2: 'I' where a digit"},
        {"+1", "'+' where a value"},
        {"01", "a number with a leading zero"},
        {"-01", "a number with a leading zero"},
        {".5", "'.' where a value"},
        {"1.", "where a digit after the point"},
        {"1e", "where a digit of the exponent"},
        {"1e+", "where a digit of the exponent"},
        {"0x10", "'x' where the end of the file"},
        {"1e999", "too large for a double"},
        {"\"abc", "1:1: the string that starts here never ends"},
        {"\"a\nb\"", "1:3: a control character"},
        {"\"\\x\"", "1:2: an escape that JSON does not know"},
        {"\"\\u12\"", "four hexadecimal digits"},
        {"\"\\u12g4\"", "four hexadecimal digits"},
        {"\"\\ud800\"", "the first half of a surrogate pair"},
        {"\"\\ud800\\u0041\"", "the first half of a surrogate pair"},
        {"\"\\udc00\"", "the second half of a surrogate pair"},
        {"{\"a\\u0000b\":1}", "a key with a zero character"},
        {"'a'", "''' where a value"},
        {"// c\n1", "'/' where a value"},
        {"\"\xFF\"", "1:2: invalid UTF-8"},
        {"\"\xC0\xAF\"", "invalid UTF-8"},
        {"\"\xED\xA0\x80\"", "invalid UTF-8"},
        {"\"\xF4\x90\x80\x80\"", "invalid UTF-8"},
        {"\"\xE2\x82\"", "invalid UTF-8"},
        {"\xEF\xBB\xBF{}", "where a value"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rti_json_document d;
        rt_error error;
        rt_status status = rti_json_parse(&d, bad[i].text, strlen(bad[i].text), "t.json", &error);
        cr_assert_eq(status, RT_FORMAT, "\"%s\" is accepted", bad[i].text);
        cr_assert(strstr(error.message, bad[i].part), "\"%s\" does not say \"%s\"", error.message,
                  bad[i].part);
        cr_assert_null(d.memory);
        status = rti_json_parse(&d, bad[i].text, strlen(bad[i].text), "t.json", NULL);
        cr_assert_eq(status, RT_FORMAT);
    }
    rti_json_document d;
    cr_assert_eq(rti_json_parse(&d, "1\0", 2, "t", NULL), RT_FORMAT);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(json, depth_is_limited) {
    for (int depth = 60; depth <= 70; depth++) {
        char text[200];
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        rti_json_document d;
        rt_error error;
        rt_status status = rti_json_parse(&d, text, 2 * (size_t)depth, "t", &error);
        cr_assert_eq(status, depth <= RTI_JSON_DEPTH_MAX ? RT_OK : RT_FORMAT);
        if (status != RT_OK) cr_assert(strstr(error.message, "nested more than 64 deep"));
        rti_json_deinit(&d);
    }
    char *bomb = malloc(1000000);
    memset(bomb, '[', 1000000);
    rti_json_document d;
    cr_assert_eq(rti_json_parse(&d, bomb, 1000000, "t", NULL), RT_FORMAT);
    free(bomb);
}

/* Two hundred thousand keys: the search for duplicates must not be quadratic. */
Test(json, many_keys, .timeout = 20) {
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, "{");
    for (int i = 0; i < 200000; i++) rti_text_printf(&text, "\"k%d\":0,", i);
    rti_text_append(&text, "\"k777\":1}");
    rti_json_document d;
    rt_error error;
    cr_assert_eq(rti_json_parse(&d, text.bytes, text.length, "t", &error), RT_FORMAT);
    cr_assert(strstr(error.message, "\"k777\" is there twice"), "%s", error.message);
    rti_text_deinit(&text);
}

/* %.17g always reads back; nothing shorter than what we write may. */
Test(json, numbers_are_the_shortest_that_read_back) {
    static const double special[] = {
        0,      1,       -1,      0.1,  1.0 / 3, 1e15, 1e16,   123456789012345678.0, 1e22,  1e23,
        5e-324, DBL_MIN, DBL_MAX, 0.1f, 100,     1e5,  2.5e-3, 9007199254740993.0,   3e-320};
    rt_rng rng = rt_rng_stream(2, "numbers", 0, 0);
    for (int i = 0; i < 20000; i++) {
        double value;
        uint64_t bits = rt_rng_u64(&rng);
        if (i < (int)(sizeof special / sizeof special[0])) value = special[i];
        else if (i % 3 == 0) value = (double)rt_rng_below(&rng, 100000) / 1000;
        else memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        char buffer[32], shorter[40];
        int length = rti_number_format(value, buffer);
        cr_assert_eq(length, (int)strlen(buffer));
        cr_assert(strtod(buffer, NULL) == value, "%s", buffer);
        int digits = 0;
        for (const char *p = buffer; *p && *p != 'e'; p++) digits += *p >= '0' && *p <= '9';
        /* Significant digits only: not the zeros before the first and at the end of a whole number. */
        for (const char *p = buffer; *p == '0' || *p == '.' || *p == '-'; p++) digits -= *p == '0';
        if (!strpbrk(buffer, ".e"))
            for (int k = length - 1; k > 0 && buffer[k] == '0'; k--) digits--;
        if (digits > 1) {
            snprintf(shorter, sizeof shorter, "%.*e", digits - 2, value);
            cr_assert(strtod(shorter, NULL) != value, "%s could be %s", buffer, shorter);
        }
    }
    char buffer[32];
    cr_assert(rti_number_format(-0.0, buffer) == 2 && strcmp(buffer, "-0") == 0);
    cr_assert(rti_number_format(NAN, buffer) == 3 && strcmp(buffer, "nan") == 0);
    cr_assert(rti_number_format(-INFINITY, buffer) == 4 && strcmp(buffer, "-inf") == 0);
}

Test(json, a_locale_with_a_comma_changes_nothing) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    for (int i = 0; i < 4; i++) {
        if (!setlocale(LC_ALL, names[i])) continue; /* not installed here */
        char buffer[32];
        rti_number_format(1.5, buffer);
        cr_assert_str_eq(buffer, "1.5");
        rti_json_document d;
        parse(&d, "1.5");
        cr_assert(d.root.number == 1.5);
        rti_json_deinit(&d);
    }
}

Test(json, what_is_written_reads_back) {
    for (int indent = 0; indent < 2; indent++) {
        rti_text text = RTI_TEXT_EMPTY;
        rti_json_writer w = {.text = &text, .indent = indent};
        rti_json_begin_object(&w, NULL);
        rti_json_add_string(&w, "key \"\\\n", "value \x01\x1F \xC3\xA9 / \t");
        rti_json_add_number(&w, "pi", 3.141592653589793);
        rti_json_add_number(&w, "nan", NAN);
        rti_json_add_integer(&w, "big", INT64_MIN);
        rti_json_add_bool(&w, "yes", true);
        rti_json_begin_array(&w, "list");
        rti_json_add_integer(&w, NULL, 1);
        rti_json_begin_object(&w, NULL);
        rti_json_end(&w);
        rti_json_begin_array(&w, NULL);
        rti_json_end(&w);
        rti_json_add_string(&w, NULL, "\xFF" "a\x80\xC3"); /* not UTF-8 */
        rti_json_end(&w);
        rti_json_end(&w);
        rti_json_document d;
        parse(&d, rti_text_string(&text));
        cr_assert_eq(d.root.count, 6);
        cr_assert_str_eq(rti_json_string(&d.root, "key \"\\\n", ""), "value \x01\x1F \xC3\xA9 / \t");
        cr_assert(rti_json_number(&d.root, "pi", 0) == 3.141592653589793);
        cr_assert_eq(rti_json_get(&d.root, "nan")->type, RTI_JSON_NULL);
        cr_assert_eq(rti_json_get(&d.root, "big")->integer, INT64_MIN);
        cr_assert(rti_json_get(&d.root, "yes")->boolean);
        const rti_json *list = rti_json_get(&d.root, "list");
        cr_assert_eq(list->count, 4);
        cr_assert_str_eq(list->items[3].string, "\xEF\xBF\xBD" "a\xEF\xBF\xBD\xEF\xBF\xBD");
        rti_json_deinit(&d);
        rti_text_deinit(&text);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(json, spelling) {
    rti_text text = RTI_TEXT_EMPTY;
    rti_json_writer w = {.text = &text};
    rti_json_begin_object(&w, NULL);
    rti_json_add_number(&w, "lr", 0.1);
    rti_json_begin_array(&w, "n");
    rti_json_add_integer(&w, NULL, 1);
    rti_json_add_integer(&w, NULL, 2);
    rti_json_end(&w);
    rti_json_end(&w);
    cr_assert_str_eq(rti_text_string(&text), "{\"lr\":0.1,\"n\":[1,2]}");
    rti_text_clear(&text);
    w = (rti_json_writer){.text = &text, .indent = true};
    rti_json_begin_object(&w, NULL);
    rti_json_begin_object(&w, "a");
    rti_json_end(&w);
    rti_json_begin_array(&w, "n");
    rti_json_add_integer(&w, NULL, 1);
    rti_json_add_integer(&w, NULL, 2);
    rti_json_end(&w);
    rti_json_end(&w);
    cr_assert_str_eq(rti_text_string(&text), "{\n  \"a\": {},\n  \"n\": [1, 2]\n}\n");
    rti_text_deinit(&text);
}

Test(json, survives_every_failing_allocation) {
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, "{\"list\":[");
    for (int i = 0; i < 300; i++) rti_text_printf(&text, "[%d,{\"a\":1,\"b\":\"x\"}],", i);
    rti_text_append(&text, "0]}");
    size_t live = rt_alloc_stats_get().live_blocks;
    for (size_t n = 1;; n++) {
        rti_json_document d;
        rt_error error;
        rt_alloc_fail_after(n);
        rt_status status = rti_json_parse(&d, text.bytes, text.length, "t", &error);
        rt_alloc_fail_after(0);
        bool done = status == RT_OK;
        if (!done) cr_assert_eq(status, RT_MEMORY);
        rti_json_deinit(&d);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, live);
        if (done) break;
        cr_assert_lt(n, 2000);
    }
    rti_text_deinit(&text);
}
