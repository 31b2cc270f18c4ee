/* Typed parameters: defaults, ranges and messages against the table; text against bits (what is
 * written reads back to the same bits); edit distance against distances counted by hand. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "retort/params.h"
#include "retort/rng.h"

static const rt_param rows[] = {
    RT_PARAM_REAL_ROW("temperature", 4.0, 0.01, 1000.0, "", "softens teacher and student"),
    RT_PARAM_INT_ROW("epochs", 30, 1, 10000, "epochs", "passes over the data"),
    RT_PARAM_BOOL_ROW("bias", true, "whether units have one"),
    RT_PARAM_CHOICE_ROW("optimizer.name", "sgd", "sgd|adam|adamw", "which"),
    RT_PARAM_TEXT_ROW("path", "", "a file"),
    RT_PARAM_INTS_ROW("hidden", "[1200, 1200]", 1, 65536, "units", "widths"),
    RT_PARAM_REALS_ROW("factors", "[]", 0, HUGE_VAL, "", "by layer"),
};
#define ROWS ((int)(sizeof rows / sizeof rows[0]))

static void fails(rt_params *p, const char *name, const char *text, const char *says) {
    rt_error error = {0};
    static rt_params before;
    before = *p;
    cr_assert_eq(rt_params_set_text(p, name, text, &error), RT_SPEC, "%s = %s", name, text);
    cr_assert(strstr(error.message, says), "%s = %s says: %s", name, text, error.message);
    for (int i = 0; i < p->count; i++) {
        cr_assert_arr_eq(&p->values[i], &before.values[i], sizeof p->values[i]);
        cr_assert_eq(p->given[i], before.given[i]);
    }
}

Test(params, defaults_are_those_of_the_table) {
    static rt_params p;
    rt_params_init(&p, rows, ROWS);
    cr_assert_eq(p.count, ROWS);
    cr_assert_eq(rt_params_real(&p, "temperature"), 4.0);
    cr_assert_eq(rt_params_int(&p, "epochs"), 30);
    cr_assert(rt_params_bool(&p, "bias"));
    cr_assert_str_eq(rt_params_text(&p, "optimizer.name"), "sgd");
    cr_assert_str_eq(rt_params_text(&p, "path"), "");
    const rt_value *hidden = rt_params_list(&p, "hidden");
    cr_assert(hidden->count == 2 && hidden->items[0] == 1200 && hidden->items[1] == 1200);
    cr_assert_eq(rt_params_list(&p, "factors")->count, 0);
    for (int i = 0; i < ROWS; i++) cr_assert_not(p.given[i]);
    cr_assert_eq(rt_params_find(&p, "hidden"), 5);
    cr_assert_eq(rt_params_find(&p, "hid"), -1);
}

Test(params, set_from_text) {
    static rt_params p;
    rt_params_init(&p, rows, ROWS);
    static const char *const sets[][2] = {{"temperature", " 2.5 "}, {"epochs", "3"},
                                          {"bias", "false"},        {"optimizer.name", "\"adam\""},
                                          {"path", "'a b\\c'"},     {"hidden", "[30,30 , 7,]"},
                                          {"factors", "[1, 0.1]"}};
    for (int i = 0; i < ROWS; i++) {
        rt_error error = {0};
        cr_assert_eq(rt_params_set_text(&p, sets[i][0], sets[i][1], &error), RT_OK, "%s", error.message);
        cr_assert(p.given[i]);
    }
    cr_assert_eq(rt_params_real(&p, "temperature"), 2.5);
    cr_assert_eq(rt_params_int(&p, "epochs"), 3);
    cr_assert_not(rt_params_bool(&p, "bias"));
    cr_assert_str_eq(rt_params_text(&p, "optimizer.name"), "adam");
    cr_assert_str_eq(rt_params_text(&p, "path"), "a b\\c");
    cr_assert_eq(rt_params_list(&p, "hidden")->count, 3);
    cr_assert_eq(rt_params_list(&p, "hidden")->items[2], 7);
    cr_assert_eq(rt_params_list(&p, "factors")->items[1], 0.1);
    cr_assert_eq(rt_params_set_text(&p, "optimizer.name", "adamw", NULL), RT_OK);
    cr_assert_eq(rt_params_set_text(&p, "epochs", "1e3", NULL), RT_OK);
    cr_assert_eq(rt_params_int(&p, "epochs"), 1000);
}

Test(params, refusals_name_the_option_and_change_nothing) {
    static rt_params p;
    rt_params_init(&p, rows, ROWS);
    fails(&p, "temprature", "4", "did you mean \"temperature\"?");
    fails(&p, "quite_another_thing", "4", "no option");
    fails(&p, "temperature", "0", "0.01 ... 1000");
    fails(&p, "temperature", "nan", "a number");
    fails(&p, "temperature", "inf", "a number");
    fails(&p, "temperature", "0x10", "a number");
    fails(&p, "temperature", "1e999", "a number");
    fails(&p, "temperature", "4 apples", "a number");
    fails(&p, "temperature", "", "a number");
    fails(&p, "epochs", "2.5", "whole number");
    fails(&p, "epochs", "0", "1 ... 10000 epochs");
    fails(&p, "bias", "1", "true or false");
    fails(&p, "optimizer.name", "ada", "sgd|adam|adamw");
    fails(&p, "optimizer.name", "sgd|adam", "sgd|adam|adamw");
    fails(&p, "optimizer.name", "", "one of");
    fails(&p, "hidden", "30", "list");
    fails(&p, "hidden", "[30, 0]", "1 ... 65536");
    fails(&p, "hidden", "[30, 1.5]", "whole");
    fails(&p, "hidden", "[30", "list");
    fails(&p, "hidden", "[30] 4", "list");
    fails(&p, "hidden", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "16 entries");
    fails(&p, "factors", "[-1]", "at least 0");
    fails(&p, "path", "\"open", "quotes");
    fails(&p, "path", "\"a\\x\"", "quotes");
}

Test(params, typed_set_converts_between_whole_and_real) {
    static rt_params p;
    rt_params_init(&p, rows, ROWS);
    rt_value whole = {.type = RT_PARAM_INT, .number = 8}, real = {.type = RT_PARAM_REAL, .number = 8};
    rt_value half = {.type = RT_PARAM_REAL, .number = 8.5}, yes = {.type = RT_PARAM_BOOL, .number = 1};
    rt_value text = {.type = RT_PARAM_TEXT, .text = "adam"}, many = {.type = RT_PARAM_REALS, .count = 17};
    rt_value nan_value = {.type = RT_PARAM_REAL, .number = NAN};
    cr_assert_eq(rt_params_set(&p, "temperature", &whole, NULL), RT_OK);
    cr_assert_eq(rt_params_set(&p, "epochs", &real, NULL), RT_OK);
    cr_assert_eq(rt_params_set(&p, "optimizer.name", &text, NULL), RT_OK);
    cr_assert_eq(rt_params_set(&p, "epochs", &half, NULL), RT_SPEC);
    cr_assert_eq(rt_params_set(&p, "epochs", &yes, NULL), RT_SPEC);
    cr_assert_eq(rt_params_set(&p, "bias", &whole, NULL), RT_SPEC);
    cr_assert_eq(rt_params_set(&p, "factors", &many, NULL), RT_SPEC);
    cr_assert_eq(rt_params_set(&p, "temperature", &nan_value, NULL), RT_SPEC);
    cr_assert_eq(rt_params_int(&p, "epochs"), 8);
    memset(text.text, 'x', sizeof text.text); /* no zero at the end */
    cr_assert_eq(rt_params_set(&p, "path", &text, NULL), RT_SPEC);
}

Test(params, numbers_read_back_to_the_same_bits) {
    static rt_params p;
    static const rt_param any[] = {RT_PARAM_REAL_ROW("x", 0, -HUGE_VAL, HUGE_VAL, "", "any number")};
    rt_params_init(&p, any, 1);
    rt_rng rng = rt_rng_stream(5, "bits", 0, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rt_rng_u64(&rng);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x)) continue;
        rt_value value = {.type = RT_PARAM_REAL, .number = x};
        char text[64];
        int length = rt_value_format(&value, text, sizeof text);
        cr_assert_eq((size_t)length, strlen(text));
        cr_assert_eq(rt_params_set_text(&p, "x", text, NULL), RT_OK, "%s", text);
        cr_assert_eq(rt_params_real(&p, "x"), x, "%a written as %s", x, text);
    }
    cr_assert_eq(rt_params_set_text(&p, "x", "-0", NULL), RT_OK);
    cr_assert_not(signbit(rt_params_real(&p, "x")));
}

Test(params, format_is_short_toml_and_behaves_like_snprintf) {
    static const struct { rt_value value; const char *text; } known[] = {
        {{.type = RT_PARAM_REAL, .number = 0.1}, "0.1"},
        {{.type = RT_PARAM_REAL, .number = 4}, "4"},
        {{.type = RT_PARAM_REAL, .number = 1e-5}, "1e-05"},
        {{.type = RT_PARAM_REAL, .number = 0.998}, "0.998"},
        {{.type = RT_PARAM_INT, .number = -60000}, "-60000"},
        {{.type = RT_PARAM_BOOL, .number = 1}, "true"},
        {{.type = RT_PARAM_CHOICE, .text = "sgd"}, "\"sgd\""},
        {{.type = RT_PARAM_TEXT, .text = "a\"b\\c\n\x01"}, "\"a\\\"b\\\\c\\n\\u0001\""},
        {{.type = RT_PARAM_INTS, .count = 2, .items = {30, 30}}, "[30, 30]"},
        {{.type = RT_PARAM_REALS, .count = 0}, "[]"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char text[64], cut[4];
        int length = rt_value_format(&known[i].value, text, sizeof text);
        cr_assert_str_eq(text, known[i].text);
        cr_assert_eq(rt_value_format(&known[i].value, cut, sizeof cut), length);
        cr_assert(strlen(cut) < sizeof cut && strncmp(cut, text, strlen(cut)) == 0);
        cr_assert_eq(rt_value_format(&known[i].value, NULL, 0), length);
    }
}

Test(params, text_round_trip_with_every_byte) {
    static rt_params p;
    rt_params_init(&p, rows, ROWS);
    rt_value value = {.type = RT_PARAM_TEXT};
    for (int c = 1; c < 256; c++) value.text[c - 1] = (char)c;
    char text[8 * RT_PARAM_TEXT_MAX];
    rt_value_format(&value, text, sizeof text);
    rt_error error = {0};
    cr_assert_eq(rt_params_set_text(&p, "path", text, &error), RT_OK, "%s", error.message);
    cr_assert_str_eq(rt_params_text(&p, "path"), value.text);
}

Test(params, nearest_word_by_hand) {
    static const char *const words[] = {"temperature", "alpha", "lr", "momentum", "nesterov"};
    static const char *const near[][2] = {
        {"temprature", "temperature"}, {"Alpha", "alpha"},      {"aplha", "alpha"},      {"l", "lr"},
        {"mometnum", "momentum"},      {"temp", "temperature"}, {"nesterof", "nesterov"}};
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        const char *found = rt_nearest_word(near[i][0], words, 5);
        cr_assert(found && strcmp(found, near[i][1]) == 0, "%s gives %s", near[i][0],
                  found ? found : "nothing");
    }
    static const char *const far[] = {"kd", "xyz", "", "learning_rate_of_everything"};
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++)
        cr_assert_null(rt_nearest_word(far[i], words, 5), "%s", far[i]);
}
