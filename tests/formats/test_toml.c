/* TOML: documents with their meaning written out by hand after the text of TOML 1.0, invalid ones
 * (most from its examples of what is not allowed) with the place and the words of their message,
 * and every failing allocation. The flat result is compared as one line of text per entry. */
#include <criterion/criterion.h>
#include <string.h>

#include "../support/temporary.h"
#include "core/file.h"
#include "formats/json.h"
#include "formats/toml.h"
#include "retort/alloc.h"

static void show_value(rti_text *out, const rti_toml_value *value) {
    char number[32];
    switch (value->type) {
    case RTI_TOML_STRING: rti_text_printf(out, "'%s'", value->string); break;
    case RTI_TOML_INTEGER: rti_text_printf(out, "%lld", (long long)value->integer); break;
    case RTI_TOML_BOOL: rti_text_append(out, value->integer ? "true" : "false"); break;
    case RTI_TOML_FLOAT:
        rti_number_format(value->number, number);
        rti_text_printf(out, "f%s", number);
        break;
    case RTI_TOML_ARRAY:
        rti_text_append(out, "[");
        for (int i = 0; i < value->count; i++) {
            if (i) rti_text_append(out, " ");
            show_value(out, &value->items[i]);
        }
        rti_text_append(out, "]");
    }
}

/* "key=value;key=value;" */
static void expect_length(const char *text, size_t length, const char *wanted) {
    rti_toml toml;
    rt_error error;
    rt_status status = rti_toml_parse(&toml, text, length, "t.toml", &error);
    cr_assert_eq(status, RT_OK, "%s", error.message);
    rti_text out = RTI_TEXT_EMPTY;
    for (int i = 0; i < toml.count; i++) {
        rti_text_printf(&out, "%s=", toml.entries[i].key);
        show_value(&out, &toml.entries[i].value);
        rti_text_append(&out, ";");
    }
    cr_assert_str_eq(rti_text_string(&out), wanted);
    rti_text_deinit(&out);
    rti_toml_deinit(&toml);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

static void expect(const char *text, const char *wanted) { expect_length(text, strlen(text), wanted); }

static void refuse_length(const char *text, size_t length, const char *part) {
    rti_toml toml;
    rt_error error;
    rt_status status = rti_toml_parse(&toml, text, length, "t", &error);
    cr_assert_eq(status, RT_FORMAT, "accepted: %s", text);
    cr_assert(strstr(error.message, part), "\"%s\" does not say \"%s\" about %s", error.message, part, text);
    cr_assert_null(toml.memory);
    status = rti_toml_parse(&toml, text, length, "t", NULL);
    cr_assert_eq(status, RT_FORMAT);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

static void refuse(const char *text, const char *part) { refuse_length(text, strlen(text), part); }

Test(toml, values) {
    expect("", "");
    expect("# only a comment", "");
    expect("a = 1", "a=1;");
    expect("a=+17\nb=-17\nc=0\nd=-0\n", "a=17;b=-17;c=0;d=0;");
    expect("a=1_000\nb=0xDEAD_beef\nc=0o755\nd=0b11_01", "a=1000;b=3735928559;c=493;d=13;");
    expect("a=9223372036854775807\nb=-9223372036854775808\nc=0x7fffffffffffffff",
           "a=9223372036854775807;b=-9223372036854775808;c=9223372036854775807;");
    expect("a=1.0\nb=-0.5\nc=5e+22\nd=1e06\ne=-2E-2\nf=6.626e-34\ng=1_0.2_5\nh=0e0",
           "a=f1;b=f-0.5;c=f5e+22;d=f1000000;e=f-0.02;f=f6.626e-34;g=f10.25;h=f0;");
    expect("a=true\nb=false", "a=true;b=false;");
    expect("a=\"x\"\nb='y'\nc=\"\"\nd=''", "a='x';b='y';c='';d='';");
    expect("a = \"\\b\\t\\n\\f\\r\\\"\\\\\\u00e9\\U0001F600\"",
           "a='\b\t\n\f\r\"\\\xC3\xA9\xF0\x9F\x98\x80';");
    expect("a = 'C:\\no\\escape \"x\"'", "a='C:\\no\\escape \"x\"';");
    expect("a = \"tab\there # no comment\" # a comment", "a='tab\there # no comment';");
    expect("a = []\nb=[1]\nc=[1,2,]\nd=[ \"x\", 1.5, true ]", "a=[];b=[1];c=[1 2];d=['x' f1.5 true];");
    expect("a = [ # why\n  1, # one\n\n  2\n  , [3, 4,\n],]\nb=1", "a=[1 2 [3 4]];b=1;");
    expect("a=1\r\nb=[1,\r\n2]\r\n", "a=1;b=[1 2];");
    expect("\t a \t=\t 1 \t\n", "a=1;");
}

Test(toml, keys_and_tables) {
    expect("a.b = 1\na . c = 2\na.\"d e\".f = 3", "a.b=1;a.c=2;a.d e.f=3;");
    expect("\"distill.temperature\" = [1]\n'x' = 2\n1234 = 3\n3.14 = 4\n-_ = 5",
           "distill.temperature=[1];x=2;1234=3;3.14=4;-_=5;");
    expect("a=1\n[s]\na=2\n[ t . \"u\" ]\na=3\n[s.x]\nb=4", "a=1;s.a=2;t.u.a=3;s.x.b=4;");
    expect("[a.b.c]\nx=1\n[a]\ny=2\n[a.b]\nz=3", "a.b.c.x=1;a.y=2;a.b.z=3;"); /* out of order is allowed */
    expect("o = { name = \"sgd\", lr = 0.1, s = { w.x = 5 } }\np = {}",
           "o.name='sgd';o.lr=f0.1;o.s.w.x=5;");
    expect("[s]\no = { a.b = [1,\n2], a.c = 1 }\nk.l = 1\nk.m = 2",
           "s.o.a.b=[1 2];s.o.a.c=1;s.k.l=1;s.k.m=2;");
    expect("[fruit]\napple.color = 1\n[fruit.apple.texture]\nsmooth = true",
           "fruit.apple.color=1;fruit.apple.texture.smooth=true;");
    expect("\"\xC3\xA9\" = 1\n\"a\\u0041\" = 2", "\xC3\xA9=1;aA=2;");
    expect("[sweep]\n\"a.b\" = 1\n\"a.c\" = 2", "sweep.a.b=1;sweep.a.c=2;");
    expect("[a]\nx = {y = 1}\n[a.\"b+c\"]\n\"d.e\" = 1\n[ a . 'f' ]\ng = 2\n",
           "a.x.y=1;a.b+c.d.e=1;a.f.g=2;");
}

Test(toml, places_and_tables_are_kept) {
    const char *text = "x = 1\n\n[one]\n  \xC3\xA9" "= 1\n";
    refuse(text, "t:4:3: '\xC3\xA9' where a key is expected"); /* bare keys are ASCII */
    text = "x = 1\n[one]\n[two.three]\n\"\xC3\xA9\".k = [\n1,\n2]\nz={a=1}\ne={}";
    rti_toml toml;
    cr_assert_eq(rti_toml_parse(&toml, text, strlen(text), "t", NULL), RT_OK);
    cr_assert_eq(toml.count, 3);
    cr_assert(toml.entries[0].line == 1 && toml.entries[0].column == 1 && toml.entries[0].value.number == 1);
    cr_assert(toml.entries[1].line == 4 && toml.entries[1].value.line == 4);
    cr_assert(toml.entries[1].value.items[1].line == 6);
    cr_assert(toml.entries[2].line == 7 && toml.entries[2].column == 4);
    cr_assert_eq(toml.table_count, 3);
    cr_assert_str_eq(toml.tables[0].name, "one");
    cr_assert_str_eq(toml.tables[1].name, "two.three");
    cr_assert_str_eq(toml.tables[2].name, "two.three.e");
    cr_assert(toml.tables[0].line == 2 && toml.tables[1].line == 3 && toml.tables[2].line == 8);
    rti_toml_deinit(&toml);
}

Test(toml, duplicates_name_both_lines) {
    refuse("a = 1\nb = 2\na = 3", "t:3:1: a is already a value, on line 1");
    refuse("a = 1\n\"a\" = 3", "t:2:1: a is already a value, on line 1");
    refuse("[s]\na = 1\n\n[s]\n", "t:4:2: s is already a [header], on line 1");
    refuse("a = 1\na.b = 2", "a is already a value, on line 1");
    refuse("a.b = 2\na = 1", "a is already a table that dotted keys make, on line 1");
    refuse("a = 1\n[a]", "a is already a value");
    refuse("a = 1\n[a.b]", "a is already a value");
    refuse("[a.b]\n[a]\nb = 1", "a.b is already a [header], on line 1");
    refuse("[a.b.c]\n[a]\nb = 1", "a.b is already a table that a [header] makes");
    refuse("a = {b = 1}\na.c = 2", "a is already an inline table, which is complete, on line 1");
    refuse("a = {b = 1}\n[a]", "inline table");
    refuse("a = {b = 1}\n[a.c]", "inline table");
    refuse("a = {b = {c = 1}, b.d = 2}", "a.b is already an inline table");
    refuse("a = {b.c = 1, b = 2}", "a.b is already a table that dotted keys make");
    refuse("a = {b = 1, b = 2}", "a.b is already a value");
    refuse("a.b = 1\n[a]", "a is already a table that dotted keys make");
    refuse("[fruit]\napple.color = 1\n[fruit.apple]", "fruit.apple is already a table that dotted keys make");
    refuse("[fruit]\napple.taste.sweet = true\n[fruit.apple.taste]", "fruit.apple.taste is already");
    refuse("[a.b.c]\nz=9\n[a]\nb.c.t = 1", "already"); /* the two append-with-dotted-keys of toml-test */
    refuse("[a.b.c.d]\nz=9\n[a]\nb.c.d.k.t = 1", "already");
    refuse("\"a.b\" = 1\na.b = 2", "a.b is already a value, on line 1"); /* two spellings of one */
    refuse("a.b = 1\n\"a.b\" = 2", "a.b is already a value, on line 1");
    refuse("\"a.b\" = 1\n[a.b]", "a.b is already a value");
    refuse("a = 1\n\"a.b\" = 1", "a is already a value");
    refuse("\"a.b\" = 1\na = 1", "a is already a table that a quoted key makes");
}

Test(toml, bad_syntax) {
    static const char *const bad[][2] = {
        {"a", "t:1:2: the end of the file where '=' and a value"},
        {"a =", "t:1:4: the end of the file where a value"},
        {"a = \nb = 1", "t:1:5: the end of the line where a value"},
        {"= 1", "t:1:1: '=' where a key"},
        {"a = 1 b = 2", "t:1:7: 'b' where the end of the line"},
        {"a = 1, b = 2", "',' where the end of the line"},
        {"a b = 1", "t:1:3: 'b' where '='"},
        {"a. = 1", "where a key"},
        {".a = 1", "'.' where a key"},
        {"a..b = 1", "'.' where a key"},
        {"\"\" = 1", "an empty key"},
        {"\"a\\n\" = 1", "a control character inside a key"},
        {"\"a = 1", "does not end on its line"},
        {"\"\"\"a\"\"\" = 1", "multi-line strings"},
        {"[a", "the end of the file where ']'"},
        {"[a]]", "']' where the end of the line"},
        {"[a] b = 1", "'b' where the end of the line"},
        {"[]", "']' where a key"},
        {"[a.]", "']' where a key"},
        {"[[a]]", "arrays of tables"},
        {"[a\n]", "the end of the line where ']'"},
        {"a = \"x", "t:1:5: the string that starts here does not end"},
        {"a = 'x\ny'", "does not end on its line"},
        {"a = \"\\\"", "does not end"},
        {"a = \"\"\"x\"\"\"", "multi-line strings"},
        {"a = '''x'''", "multi-line strings"},
        {"a = \"\\q\"", "t:1:6: an escape that TOML does not know"},
        {"a = \"\\/\"", "an escape that TOML does not know"},
        {"a = \"\\u12\"", "needs 4 hexadecimal digits"},
        {"a = \"\\U0000004\"", "needs 8 hexadecimal digits"},
        {"a = \"\\ud800\"", "no Unicode character"},
        {"a = \"\\U00110000\"", "no Unicode character"},
        {"a = \"\\u0000\"", "a zero character"},
        {"a = \"\x01\"", "t:1:6: a control character"},
        {"a = '\x7F'", "a control character"},
        {"a = 1 # \x01", "the control character 0x01 inside a comment"},
        {"a = 1\rb = 2", "a carriage return without a line feed"},
        {"# a\rb", "the control character 0x0D inside a comment"},
        {"a = +", "+ is no value"},
        {"a = 01", "01 is no number"},
        {"a = +01", "is no number"},
        {"a = 1__0", "is no number"},
        {"a = _1", "_1 is no value"},
        {"a = 1_", "is no number"},
        {"a = 0x", "is no number"},
        {"a = 0x_1", "is no number"},
        {"a = +0x1", "is no number"},
        {"a = 0o8", "is no number"},
        {"a = 0b2", "is no number"},
        {"a = 0XF", "is no number"},
        {"a = 1.", "is no number"},
        {"a = .5", "is no number"},
        {"a = 1.e5", "is no number"},
        {"a = 1e", "is no number"},
        {"a = 1_.5", "is no number"},
        {"a = 03.14", "is no number"},
        {"a = 9223372036854775808", "does not fit 64 bits"},
        {"a = -9223372036854775809", "does not fit 64 bits"},
        {"a = 0xffffffffffffffff", "does not fit 64 bits"},
        {"a = 1e999", "too large for a double"},
        {"a = nan", "nan is not read here"},
        {"a = -inf", "-inf is not read here"},
        {"a = 1979-05-27", "dates and times"},
        {"a = 1979-05-27T07:32:00Z", "dates and times"},
        {"a = 07:32:00", "dates and times"},
        {"a = True", "True is no value: a string needs quotes, a boolean is true or false"},
        {"a = sgd", "sgd is no value"},
        {"a = truely", "truely is no value"},
        {"a = [1, 2", "t:1:5: the array that starts here never ends"},
        {"a = [1 2]", "'2' where ',' or ']'"},
        {"a = [,]", "',' where a value"},
        {"a = [1,,2]", "',' where a value"},
        {"a = [[[1]]]", "arrays nested more than 2 deep"},
        {"a = [{b=1}]", "tables inside arrays"},
        {"a = {b = 1,}", "t:1:12: an inline table must not end with a comma"},
        {"a = {b = 1\n}", "the end of the line where ',' or '}' (an inline table stands on one line)"},
        {"a = {\n}", "where a key"},
        {"a = {b}", "'}' where '='"},
        {"a = {, b = 1}", "',' where a key"},
        {"a = {b = 1", "the end of the file where ','"},
        {"a = \"\xFF\"", "t:1:6: invalid UTF-8"},
        {"a = \"\xC0\x80\"", "invalid UTF-8"},
        {"\xEF\xBB\xBF" "a = 1", "a byte order mark"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refuse(bad[i][0], bad[i][1]);
    refuse_length("a = 1\0", 6, "byte 0x00");
    refuse_length("a = \"x\0y\"", 9, "a control character");
    refuse_length("\0", 1, "byte 0x00 where a key");
}

Test(toml, limits) {
    char text[2000] = "";
    memset(text, 'k', 255);
    memcpy(text + 255, " = 1", 5);
    rti_toml toml;
    cr_assert_eq(rti_toml_parse(&toml, text, strlen(text), "t", NULL), RT_OK);
    cr_assert_eq(strlen(toml.entries[0].key), 255);
    rti_toml_deinit(&toml);
    memset(text, 'k', 256);
    memcpy(text + 256, " = 1", 5);
    refuse(text, "longer than 255 bytes");
    for (int i = 0; i < 17; i++) memcpy(text + 4 * i, "a={ ", 4);
    text[4 * 17] = 0;
    refuse(text, "nested more than 16 deep");
    memset(text, '1', 600);
    memcpy(text, "a = ", 4);
    text[600] = 0;
    refuse(text, "more than 500 characters");
}

/* A hundred thousand keys: the search for duplicates must not be quadratic. */
Test(toml, many_keys, .timeout = 20) {
    rti_text text = RTI_TEXT_EMPTY;
    for (int i = 0; i < 100000; i++) rti_text_printf(&text, "k%d=%d\n", i, i);
    rti_toml toml;
    rt_error error;
    cr_assert_eq(rti_toml_parse(&toml, text.bytes, text.length, "t", &error), RT_OK);
    cr_assert_eq(toml.count, 100000);
    cr_assert_eq(toml.entries[99999].value.integer, 99999);
    rti_toml_deinit(&toml);
    rti_text_append(&text, "k777=1\n");
    cr_assert_eq(rti_toml_parse(&toml, text.bytes, text.length, "t", &error), RT_FORMAT);
    cr_assert(strstr(error.message, "t:100001:1: k777 is already a value, on line 778"), "%s", error.message);
    rti_text_deinit(&text);
}

Test(toml, files) {
    rti_toml toml;
    rt_error error;
    cr_assert_eq(rti_toml_read(&toml, test_path("none.toml"), &error), RT_NOT_FOUND);
    cr_assert_eq(rti_file_write(test_path("a.toml"), "a = 1\nb = x\n", 12, &error), RT_OK);
    cr_assert_eq(rti_toml_read(&toml, test_path("a.toml"), &error), RT_FORMAT);
    cr_assert(strstr(error.message, "a.toml:2:5: x is no value"), "%s", error.message);
    static char large[(1 << 20) + 1];
    memset(large, '\n', sizeof large);
    cr_assert_eq(rti_file_write(test_path("l.toml"), large, sizeof large, &error), RT_OK);
    cr_assert_eq(rti_toml_read(&toml, test_path("l.toml"), &error), RT_IO);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(toml, survives_every_failing_allocation) {
    rti_text text = RTI_TEXT_EMPTY;
    for (int i = 0; i < 200; i++)
        rti_text_printf(&text, "[s%d]\na = [1, [2, 3], 'a longer string to fill chunks']\no = {b.c = 1}\n",
                        i);
    size_t live = rt_alloc_stats_get().live_blocks;
    for (size_t n = 1;; n++) {
        rti_toml toml;
        rt_error error;
        rt_alloc_fail_after(n);
        rt_status status = rti_toml_parse(&toml, text.bytes, text.length, "t", &error);
        rt_alloc_fail_after(0);
        if (status == RT_OK) {
            cr_assert_eq(toml.count, 400);
            rti_toml_deinit(&toml);
            break;
        }
        cr_assert_eq(status, RT_MEMORY);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, live);
        cr_assert_lt(n, 5000);
    }
    rti_text_deinit(&text);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
