/* The rows of a comparison, as specs. What is checked: that a row means what the same keys mean in a plain
 * spec (resolved settings are compared), that a list is a grid or a value as its key asks, and that every
 * mistake is a sentence with the line of the row and the key as it was written there. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "experiment/report.h"
#include "experiment/spec.h"
#include "retort/alloc.h"
#include "specs.h"

static rti_spec spec, other;
static rt_error error;

static rt_status parse(rti_spec *into, const char *text, const char *const sets[], int count) {
    memset(&error, 0, sizeof error);
    return rti_spec_parse(into, text, strlen(text), "tiny.toml", sets, count, &error);
}

static void must_parse(rti_spec *into, const char *text, const char *const sets[], int count) {
    cr_assert_eq(parse(into, text, sets, count), RT_OK, "%s", error.message);
}

Test(rows, mean_what_the_same_keys_mean_in_a_plain_spec) {
    must_parse(&spec, TEST_COMPARE, NULL, 0);
    cr_assert(spec.is_comparison && spec.tuned);
    cr_assert_eq(spec.tune_epochs, 1);
    cr_assert_eq(spec.tune_seed_count, 1);
    cr_assert_eq(spec.tune_seeds[0], 101);
    static const char *const labels[] = {"kd", "chain", "kd+logit-mse", "label-smoothing"};
    cr_assert_eq(spec.row_count, 4);
    for (int r = 0; r < 4; r++) cr_assert_str_eq(spec.rows[r].label, labels[r]);
    cr_assert_eq(spec.rows[0].axis_count, 1);
    cr_assert_str_eq(spec.rows[0].axes[0].key, "distill.temperature");
    cr_assert_eq(spec.rows[0].axes[0].values[1].type, RT_PARAM_REAL); /* written as 4 */
    cr_assert_eq(rti_settings_lineage(&spec.rows[0].base), RTI_DIRECT); /* the assistants are not for it */
    cr_assert_eq(rti_settings_lineage(&spec.rows[1].base), RTI_TAKD);
    cr_assert_str_eq(rt_params_text(&spec.rows[1].base.distill, "method"), "kd");
    cr_assert_eq(rt_params_real(&spec.rows[2].base.distill, "kd.alpha"), 0.5);
    cr_assert_str_eq(rt_params_text(&spec.rows[2].base.distill, "method"), "kd+logit-mse");
    cr_assert_str_eq(rt_params_text(&spec.base.distill, "method"), "none");

    /* The same as a plain spec, point by point. */
    must_parse(&other, TEST_SPEC_HEAD
               "temperature = 1\nalpha = 0.9\n[sweep]\n\"distill.temperature\" = [1, 4]\n", NULL, 0);
    rti_settings *a = rt_alloc(sizeof *a), *b = rt_alloc(sizeof *b);
    for (int p = 0; p < 2; p++) {
        rti_text x = RTI_TEXT_EMPTY, y = RTI_TEXT_EMPTY;
        cr_assert_eq(rti_spec_resolve(&spec.rows[0], (int[]){p}, a, &error), RT_OK, "%s", error.message);
        cr_assert_eq(rti_spec_resolve(&other, (int[]){p}, b, &error), RT_OK, "%s", error.message);
        rti_settings_text(a, &x);
        rti_settings_text(b, &y);
        cr_assert_str_eq(rti_text_string(&x), rti_text_string(&y));
        rti_text_deinit(&x);
        rti_text_deinit(&y);
    }
    rt_free(a);
    rt_free(b);
    rti_spec_deinit(&spec);
    rti_spec_deinit(&other);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(rows, a_list_is_a_grid_or_a_value_as_the_key_asks) {
    must_parse(&spec, TEST_COMPARE_HEAD "[compare.a]\nmethod = \"kd\"\n\"teacher.hidden\" = [8, 8]\n"
               "[compare.b]\nmethod = \"kd\"\nteacher.hidden = [[20], [8, 8]]\nteacher.stop_epoch = [1, 2]\n"
               "[compare.c]\nmethod = \"kd\"\npreset = [\"hinton\", \"repdistiller\"]\nalpha = [0.5]\n"
               "[compare.d]\nmethod = \"kd\"\n\"teacher.hidden\" = []\n", NULL, 0);
    cr_assert_eq(spec.rows[0].axis_count, 0);
    cr_assert_eq(rt_params_list(&spec.rows[0].base.teacher, "hidden")->count, 2);
    cr_assert_eq(spec.rows[1].axis_count, 2);
    cr_assert_eq(spec.rows[1].axes[0].count, 2);
    cr_assert_eq(spec.rows[1].axes[0].values[1].count, 2);
    cr_assert_eq(rt_params_int(&spec.rows[1].base.teacher, "stop_epoch"), 1);
    cr_assert_eq(spec.rows[2].axis_count, 2);
    cr_assert_str_eq(spec.rows[2].axes[0].values[1].text, "repdistiller");
    cr_assert_eq(rt_params_list(&spec.rows[3].base.teacher, "hidden")->count, 0);
    cr_assert_eq(rt_params_list(&spec.base.teacher, "hidden")->items[0], 16); /* the others keep theirs */
    rti_spec_deinit(&spec);
}

Test(rows, can_be_changed_from_the_command_line) {
    const char *sets[] = {"compare.kd.temperature=8", "compare.kd.alpha=[0.1, 0.2, 0.3]",
                          "compare.new.method=logit-mse", "compare.tune.epochs=7",
                          "compare.tune.seeds=[5, 6]"};
    must_parse(&spec, TEST_COMPARE, sets, 5);
    cr_assert_eq(spec.rows[0].axis_count, 1);
    cr_assert_eq(spec.rows[0].axes[0].count, 3);
    cr_assert_eq(rt_params_real(&spec.rows[0].base.distill, "temperature"), 8);
    cr_assert_eq(spec.row_count, 5);
    cr_assert_str_eq(rt_params_text(&spec.rows[4].base.distill, "method"), "logit-mse");
    cr_assert_eq(spec.tune_epochs, 7);
    cr_assert_eq(spec.tune_seed_count, 2);
    rti_spec_deinit(&spec);
    const char *bad[] = {"compare.kd.temprature=8"};
    cr_assert_eq(parse(&spec, TEST_COMPARE, bad, 1), RT_SPEC);
    cr_assert(strstr(error.message, "--set compare.kd.temprature: unknown key compare.kd.temprature; did you "
                                    "mean compare.kd.temperature?"), "%s", error.message);
}

static const char *replaced(const char *text, const char *old, const char *new) {
    static char out[8192];
    const char *at = strstr(text, old);
    cr_assert(at, "%s stands nowhere", old);
    snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    return out;
}

Test(rows, wrong_ones_say_what_where_and_what_to_do) {
    static const struct { const char *old, *new, *says[3]; } bad[] = {
        {"[compare.kd]", "[compare.kdd]", {"tiny.toml:20:", "must be one of", "kd"}},
        {"[compare.kd]", "[compare.scratch]", {"tiny.toml:20:", "compare.scratch", "in every comparison"}},
        {"[compare.kd]", "[compare.\"k d\"]", {"tiny.toml:20:", "the name of a row", ""}},
        {"alpha = 0.9", "alhpa = 0.9", {"tiny.toml:22:", "unknown key compare.kd.alhpa", "kd.alpha?"}},
        {"alpha = 0.9", "alpha = 1.9", {"tiny.toml:22:", "[compare.kd] alpha is 1.9", "0 ... 1"}},
        {"[1, 4]", "[1, 0]", {"tiny.toml:21:", "[compare.kd] temperature is 0", ""}},
        {"[1, 4]", "[1, 1]", {"tiny.toml:21:", "compare.kd.temperature", "different values"}},
        {"[1, 4]", "[]", {"tiny.toml:21:", "compare.kd.temperature", "different values"}},
        {"[1, 4]", "[1, \"x\"]", {"tiny.toml:21:", "temperature must be a number", ""}},
        {"alpha = 0.9", "student.epochs = 9", {"tiny.toml:22:", "share", "fair"}},
        {"alpha = 0.9", "\"data.batch\" = 9", {"tiny.toml:22:", "share", "fair"}},
        {"alpha = 0.9", "teacher.epoch = 9", {"tiny.toml:22:", "teacher.epoch;", "teacher.epochs?"}},
        {"alpha = 0.9", "omega = 9", {"tiny.toml:22:", "compare.kd.omega", "help kd"}},
        {"alpha = 0.9", "generations = 2", {"tiny.toml:22:", "compare.kd.generations", "born-again"}},
        {"alpha = 0.9", "first = \"teacher\"", {"tiny.toml:22:", "compare.kd.first", "born-again"}},
        {"alpha = 0.9", "teachers = 2", {"tiny.toml:22:", "compare.kd.teachers", "count"}},
        {"alpha = 0.9", "preset = \"hintn\"", {"tiny.toml:22:", "hintn", "hinton"}},
        {"alpha = 0.9", "teacher.stop_epoch = 3", {"tiny.toml:22:", "teacher.stop_epoch", "not trained"}},
        {"\"kd.alpha\"", "\"kd.alhpa\"", {"tiny.toml:28:", "compare.kd+logit-mse.kd.alhpa", "kd.alpha?"}},
        {"\"kd.alpha\"", "alpha", {"tiny.toml:28:", "compare.kd+logit-mse.alpha", ""}},
        {"kd+logit-mse", "kd+logit-msee", {"tiny.toml:27:", "method", "must be one of"}},
        {"\"takd\"", "\"tkd\"", {"tiny.toml:25:", "schedule", "takd"}},
        {"[assistant]\nhidden = [12]\nepochs = 2\n", "",
         {"tiny.toml:22:", "compare.chain.schedule", "[assistant.1]"}},
        {"[assistant]\nhidden = [12]\nepochs = 2\n", "[assistant]\nhidden = [12]\n",
         {"tiny.toml", "assistant.1.epochs is missing", "assistant"}},
        {"[assistant]\nhidden = [12]\nepochs = 2\n", "[assistant]\nhiden = [12]\nepochs = 2\n",
         {"tiny.toml:12:", "assistant.1.hiden", "assistant.1.hidden?"}},
        {"[assistant]", "[assistant.3]", {"tiny.toml", "assistant.1.epochs is missing", ""}},
        {"[assistant]", "[assistant.9]", {"tiny.toml", "at most 8", ""}},
        {"[compare.label-smoothing]", "[compare.label-smoothing]\nschedule = \"born-again\"",
         {"tiny.toml:30:", "compare.label-smoothing.schedule", "no use for a teacher"}},
        {"epochs = 1,", "epoch = 1,", {"tiny.toml:19:", "unknown key compare.tune.epoch", "epochs?"}},
        {"epochs = 1,", "epochs = 0,", {"tiny.toml:19:", "compare.tune.epochs", "1 ..."}},
        {"seeds = [101]", "seeds = []", {"tiny.toml:19:", "compare.tune.seeds", "list"}},
        {"[compare]\n", "[compare]\nother = 3\n", {"tiny.toml:19:", "compare.other", "section for each"}},
        {"[compare]\n", "[distill]\nmethod = \"kd\"\n[compare]\n",
         {"tiny.toml:19:", "[compare]", "[distill]"}},
        {"[compare]\n", "[sweep]\n\"student.epochs\" = [1, 2]\n[compare]\n",
         {"tiny.toml:19:", "[compare]", "[sweep]"}},
        {TEST_COMPARE_ROWS, "", {"tiny.toml", "no rows", "[compare.kd]"}},
        {"[teacher]\nhidden = [16]\nepochs = 2\n", "", {"tiny.toml", "[compare.kd]", "needs a teacher"}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rt_status status = parse(&spec, replaced(TEST_COMPARE, bad[i].old, bad[i].new), NULL, 0);
        cr_assert(status == RT_SPEC, "case %zu: %s is accepted", i, bad[i].new);
        for (int j = 0; j < 3; j++)
            cr_assert(strstr(error.message, bad[i].says[j]), "case %zu: \"%s\" does not say \"%s\"", i,
                      error.message, bad[i].says[j]);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0, "case %zu", i);
    }
}

Test(rows, are_copied_so_that_they_read_back) {
    const char *sets[] = {"compare.kd.alpha=[0.1, 0.2]", "compare.chain.teacher.hidden=[[5], [6, 7]]"};
    must_parse(&spec, TEST_COMPARE, sets, 2);
    rti_text first = RTI_TEXT_EMPTY, second = RTI_TEXT_EMPTY;
    rti_spec_copy_text(&spec, &first);
    must_parse(&other, rti_text_string(&first), NULL, 0);
    rti_spec_copy_text(&other, &second);
    cr_assert_str_eq(rti_text_string(&first), rti_text_string(&second));
    cr_assert_eq(other.row_count, 4);
    cr_assert_eq(other.rows[0].axis_count, 2);
    cr_assert_eq(other.rows[1].axis_count, 2);
    cr_assert_eq(other.assistant_count, 1);
    cr_assert(other.tuned);
    rti_text_deinit(&first);
    rti_text_deinit(&second);
    rti_spec_deinit(&spec);
    rti_spec_deinit(&other);
}

Test(rows, no_allocation_may_fail_unseen) {
    for (size_t n = 1; n < 400; n++) {
        rt_alloc_fail_after(n);
        rt_status status = parse(&spec, TEST_COMPARE, NULL, 0);
        rt_alloc_fail_after(0);
        if (status == RT_OK) {
            rti_spec_deinit(&spec);
            cr_assert_gt(n, 10);
            cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
            return;
        }
        cr_assert_eq(status, RT_MEMORY, "allocation %zu: %s", n, error.message);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0, "allocation %zu", n);
    }
    cr_assert_fail("more than 400 allocations for a small comparison");
}
