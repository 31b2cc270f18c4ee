/* Specs: what every wrong one says (file, line, key, nearest name, range), against the sentences that
 * a reader needs; that what is accepted has the values that were written; and that the command line
 * means the same as the file. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "experiment/experiment.h"
#include "experiment/spec.h"
#include "retort/alloc.h"
#include "specs.h"

static rti_spec spec;
static rt_error error;

static rt_status parse(const char *text, const char *const overrides[], int count) {
    memset(&error, 0, sizeof error);
    return rti_spec_parse(&spec, text, strlen(text), "tiny.toml", overrides, count, &error);
}

static const char *replaced(const char *text, const char *old, const char *new) {
    static char out[8192];
    const char *at = strstr(text, old);
    cr_assert(at, "%s stands nowhere", old);
    snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    return out;
}

Test(spec, wrong_ones_say_what_where_and_what_to_do) {
    static const struct { const char *old, *new, *says[3];
    } bad[] = {
        {"epochs = 2\noptimizer",
         "epoch = 2\noptimizer",
         {"tiny.toml:13:", "student.epoch", "did you mean student.epochs?"}},
        {"temperature = 4.0",
         "temprature = 4.0",
         {"tiny.toml:17:", "unknown key distill.temprature", "temperature?"}},
        {"[student]", "[studnet]", {"tiny.toml", "studnet", "did you mean [student]?"}},
        {"seeds = [1, 2]", "seed = [1, 2]", {"tiny.toml:2:", "unknown key seed", "seeds?"}},
        {"alpha = 0.9", "alpha = 1.5", {"tiny.toml:18:", "alpha is 1.5", "0 ... 1"}},
        {"alpha = 0.9", "alpha = \"much\"", {"tiny.toml:18:", "[distill] alpha must be a number", "text"}},
        {"alpha = 0.9", "sigma = 0.9", {"tiny.toml:18:", "unknown key distill.sigma", ""}},
        {"batch = 20", "batch = 2.5", {"tiny.toml:7:", "batch", "whole number"}},
        {"set = \"digits\"", "set = \"digit\"", {"tiny.toml:4:", "must be one of", "digits"}},
        {"set = \"digits\"\n", "", {"tiny.toml", "data.set is missing", ""}},
        {"name = \"tiny\"\n", "", {"tiny.toml", "name is missing", ""}},
        {"name = \"tiny\"", "name = \"../up\"", {"tiny.toml:1:", "names a directory", ""}},
        {"name = \"tiny\"", "name = 3", {"tiny.toml:1:", "text in quotes", ""}},
        {"seeds = [1, 2]", "seeds = [1, 1]", {"tiny.toml:2:", "twice", ""}},
        {"seeds = [1, 2]", "seeds = []", {"tiny.toml:2:", "list of whole numbers", ""}},
        {"seeds = [1, 2]", "seeds = [1, -2]", {"tiny.toml:2:", "0 or more", ""}},
        {"seeds = [1, 2]", "seeds = [1.5]", {"tiny.toml:2:", "whole numbers", ""}},
        {"epochs = 2\n[student]", "[student]", {"tiny.toml", "teacher.epochs is missing", ""}},
        {"method = \"kd\"",
         "method = \"none\"",
         {"tiny.toml:17:", "distill.temperature belongs to the method", "none"}},
        {"method = \"kd\"", "method = \"dk\"", {"tiny.toml:16:", "must be one of", "kd"}},
        {"method = \"kd\"", "method = \"kd\"\npreset = \"hintn\"", {"tiny.toml:17:", "hintn", "hinton"}},
        {"lr = 0.1",
         "lr = 0.1, beta1 = 0.5",
         {"tiny.toml:14:", "student.optimizer.beta1 means nothing to the optimiser sgd", ""}},
        {"lr = 0.1", "lr = -1", {"tiny.toml:14:", "lr is -1", "0 ... 1000"}},
        {"hidden = [8]", "hidden = [8, 0]", {"tiny.toml:12:", "hidden", "1 ..."}},
        {"hidden = [8]", "hidden = 8", {"tiny.toml:12:", "hidden must be a list", ""}},
        {"hidden = [8]", "hidden = [\"8\"]", {"tiny.toml:12:", "numbers only", ""}},
        {"hidden = [8]", "model = \"mpl\"\nhidden = [8]", {"tiny.toml:12:", "must be one of", "mlp"}},
        {"[0.0, 0.5]", "[0.0, 1.5]", {"tiny.toml:21:", "alpha is 1.5", "0 ... 1"}},
        {"[0.0, 0.5]", "[0.5, 0.5]", {"tiny.toml:21:", "twice", ""}},
        {"[0.0, 0.5]", "[]", {"tiny.toml:21:", "list of values", ""}},
        {"[0.0, 0.5]", "0.5", {"tiny.toml:21:", "list of values", ""}},
        {"\"distill.alpha\" = [0",
         "\"distill.alhpa\" = [0",
         {"tiny.toml:21:", "unknown key distill.alhpa", "distill.alpha?"}},
        {"\"distill.alpha\" = [0", "\"alpha\" = [0", {"tiny.toml:21:", "a sweep names a key of", ""}},
        {"[sweep]", "[sweep", {"tiny.toml:19:", "", ""}},
        {"[teacher]\nhidden = [16]\nepochs = 2\n", "", {"tiny.toml", "kd needs a teacher", "[teacher]"}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rt_status status = parse(replaced(TEST_SPEC, bad[i].old, bad[i].new), NULL, 0);
        cr_assert(status == RT_SPEC || status == RT_FORMAT, "case %zu: %s is accepted", i, bad[i].new);
        for (int j = 0; j < 3; j++)
            cr_assert(strstr(error.message, bad[i].says[j]), "case %zu: \"%s\" does not say \"%s\"", i,
                      error.message, bad[i].says[j]);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(spec, values_are_those_that_were_written) {
    cr_assert_eq(parse(TEST_SPEC, NULL, 0), RT_OK, "%s", error.message);
    cr_assert_str_eq(spec.name, "tiny");
    cr_assert_eq(spec.seed_count, 2);
    cr_assert_eq(spec.seeds[1], 2);
    cr_assert(spec.base.has_teacher);
    cr_assert_eq(rt_params_int(&spec.base.data, "digits.train"), 160);
    cr_assert_eq(rt_params_list(&spec.base.student, "hidden")->items[0], 8);
    cr_assert_eq(rt_params_real(&spec.base.student, "optimizer.lr"), 0.1);
    cr_assert_eq(spec.axis_count, 2);
    cr_assert_str_eq(spec.axes[0].key, "distill.temperature");
    cr_assert_eq(spec.axes[0].values[1].number, 4);
    cr_assert_eq(spec.axes[0].values[1].type, RT_PARAM_REAL); /* written as 4, typed by its row */
    rti_settings *s = rt_alloc(sizeof *s);
    cr_assert_eq(rti_spec_resolve(&spec, (int[]){1, 0}, s, &error), RT_OK);
    cr_assert_eq(rt_params_real(&s->distill, "temperature"), 4);
    cr_assert_eq(rt_params_real(&s->distill, "alpha"), 0);
    rt_free(s);
    rti_spec_deinit(&spec);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(spec, command_line_means_the_same_as_the_file) {
    const char *sets[] = {"student.epochs=7",
                          "student.hidden=[5, 6]",
                          "distill.alpha=0.25",
                          "name=other",
                          "teacher.optimizer=adam",
                          "seeds=[9]",
                          "student.optimizer={lr=0.3, momentum=0.5}",
                          "sweep.distill.temperature=[2, 3, 5]"};
    cr_assert_eq(parse(TEST_SPEC, sets, 8), RT_OK, "%s", error.message);
    cr_assert_str_eq(spec.name, "other");
    cr_assert_eq(spec.seeds[0], 9);
    cr_assert_eq(rt_params_int(&spec.base.student, "epochs"), 7);
    cr_assert_eq(rt_params_list(&spec.base.student, "hidden")->items[1], 6);
    cr_assert_eq(rt_params_real(&spec.base.student, "optimizer.lr"), 0.3);
    cr_assert_eq(rt_params_real(&spec.base.student, "optimizer.momentum"), 0.5);
    cr_assert_str_eq(rt_params_text(&spec.base.teacher, "optimizer.name"), "adam");
    cr_assert_eq(rt_params_real(&spec.base.distill, "alpha"), 0.25);
    cr_assert_eq(spec.axis_count, 1); /* alpha was swept and is fixed now */
    cr_assert_eq(spec.axes[0].count, 3);
    rti_spec_deinit(&spec);

    static const struct { const char *set, *says; } bad[] = {
        {"student.epoch=7", "--set student.epoch"}, {"student.epochs", "expected key=value"},
        {"student.epochs=", "--set student.epochs"}, {"student.epochs=[1", "--set student.epochs"},
        {"student.epochs=0", "epochs is 0"},         {"=3", "expected key=value"},
        {"student.epochs=1\nx=2", "--set student.epochs"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_neq(parse(TEST_SPEC, &bad[i].set, 1), RT_OK, "%s is accepted", bad[i].set);
        cr_assert(strstr(error.message, bad[i].says), "%s: %s", bad[i].set, error.message);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(spec, a_sweep_over_methods_keeps_what_each_understands) {
    const char *sets[] = {"sweep.distill.method=[\"none\", \"kd\"]"};
    cr_assert_eq(parse(TEST_SPEC, sets, 1), RT_OK, "%s", error.message);
    rti_settings *s = rt_alloc(sizeof *s);
    int method = rti_spec_axis(&spec, "distill.method");
    int value[RTI_AXES_MAX] = {1, 1, 1};
    cr_assert_eq(rti_spec_resolve(&spec, value, s, &error), RT_OK);
    cr_assert_eq(rt_params_real(&s->distill, "temperature"), 4);
    value[method] = 0;
    cr_assert_eq(rti_spec_resolve(&spec, value, s, &error), RT_OK);
    cr_assert_eq(rt_params_find(&s->distill, "temperature"), -1);
    rt_free(s);
    rti_spec_deinit(&spec);
    /* A key that none of them knows is still wrong. */
    cr_assert_eq(parse(replaced(TEST_SPEC, "alpha = 0.9", "alhpa = 0.9"), sets, 1), RT_SPEC);
}

Test(spec, a_preset_is_overruled_by_what_is_written) {
    int count;
    const char *const *names = rt_preset_names("kd", &count);
    cr_assert_gt(count, 0);
    char line[128];
    snprintf(line, sizeof line, "distill.preset=%s", names[0]);
    const char *sets[] = {line, "distill.temperature=7"};
    cr_assert_eq(parse(TEST_SPEC_HEAD, sets, 2), RT_OK, "%s", error.message);
    cr_assert_eq(rt_params_real(&spec.base.distill, "temperature"), 7);
    rt_params by_hand;
    int rows;
    const rt_param *row = rt_method_rows("kd", &rows);
    rt_params_init(&by_hand, row, rows);
    cr_assert_eq(rt_preset_apply("kd", names[0], &by_hand, &error), RT_OK);
    for (int i = 0; i < rows; i++) {
        if (!strcmp(row[i].name, "temperature")) continue;
        const rt_value *value = &spec.base.distill.values[rt_params_find(&spec.base.distill, row[i].name)];
        cr_assert_eq(value->number, by_hand.values[i].number, "%s", row[i].name);
        cr_assert_str_eq(value->text, by_hand.values[i].text, "%s", row[i].name);
    }
    rti_spec_deinit(&spec);
}

Test(spec, no_allocation_may_fail_unseen) {
    for (size_t n = 1; n < 200; n++) {
        rt_alloc_fail_after(n);
        rt_status status = parse(TEST_SPEC, NULL, 0);
        rt_alloc_fail_after(0);
        if (status == RT_OK) {
            rti_spec_deinit(&spec);
            cr_assert_gt(n, 3);
            cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
            return;
        }
        cr_assert_eq(status, RT_MEMORY, "allocation %zu: %s", n, error.message);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0, "allocation %zu", n);
    }
    cr_assert_fail("more than 200 allocations for a small spec");
}
