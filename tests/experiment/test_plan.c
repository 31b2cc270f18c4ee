/* Plans, against what can be counted by hand: how many trials a grid has when alpha = 0 is the scratch
 * student and the teacher is shared, which cells share them, and that the identity of a trial changes
 * when, and only when, something that it computes with changes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "experiment/experiment.h"
#include "retort/alloc.h"
#include "specs.h"

static rti_plan plan, other;
static rt_error error;

static void make(rti_plan *p, const char *text, const char *const overrides[], int count) {
    static rti_spec spec;
    memset(&error, 0, sizeof error);
    cr_assert_eq(rti_spec_parse(&spec, text, strlen(text), "tiny.toml", overrides, count, &error), RT_OK,
                 "%s", error.message);
    cr_assert_eq(rti_plan_make(p, &spec, "runs", NULL, &error), RT_OK, "%s", error.message);
}

static int count_role(const rti_plan *p, rti_role role) {
    int count = 0;
    for (int t = 0; t < p->trial_count; t++) count += p->trials[t].role == role;
    return count;
}

Test(plan, shares_what_is_the_same) {
    make(&plan, TEST_SPEC, NULL, 0);
    /* T {1, 4} x alpha {0, 0.5} x 2 seeds: one teacher, 2 scratch (alpha 0 at both T), 2 x 2 distilled. */
    cr_assert_eq(plan.trial_count, 7);
    cr_assert_eq(count_role(&plan, RTI_TEACHER), 1);
    cr_assert_eq(count_role(&plan, RTI_SCRATCH), 2);
    cr_assert_eq(plan.trials[0].role, RTI_TEACHER);
    cr_assert_eq(plan.trials[0].seed, 1000);
    cr_assert_eq(plan.cell_count, 4);
    cr_assert_eq(plan.facet_count, 1);
    cr_assert_eq(plan.temperature_axis, 0);
    cr_assert_eq(plan.alpha_axis, 1);
    for (int c = 0; c < 4; c++)
        for (int s = 0; s < 2; s++) {
            bool alpha_zero = plan.cells[c].value[1] == 0;
            int trial = plan.cells[c].trials[s], scratch = plan.cells[c].scratch[s];
            cr_assert_eq(trial == scratch, alpha_zero);
            cr_assert_eq(scratch, plan.cells[0].scratch[s]);
            cr_assert_eq(plan.trials[trial].seed, plan.spec.seeds[s]);
            cr_assert_eq(plan.trials[trial].teacher_count, 1);
            cr_assert_eq(plan.trials[trial].teachers[0], 0);
            cr_assert_str_eq(rt_params_text(&plan.trials[scratch].settings->distill, "method"), "none");
        }
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(plan, facets_differ_in_more_than_temperature_and_alpha) {
    const char *sets[] = {"sweep.student.hidden=[[8], [4, 4]]", "sweep.teacher.epochs=[1, 2]"};
    make(&plan, TEST_SPEC, sets, 2);
    cr_assert_eq(plan.cell_count, 16);
    cr_assert_eq(plan.facet_count, 4);
    cr_assert_eq(count_role(&plan, RTI_TEACHER), 2);
    cr_assert_eq(count_role(&plan, RTI_SCRATCH), 8); /* 2 nets x 2 teachers to agree with x 2 seeds */
    for (int a = 0; a < 16; a++)
        for (int b = 0; b < 16; b++) {
            const int *x = plan.cells[a].value, *y = plan.cells[b].value;
            cr_assert_eq(plan.cells[a].facet == plan.cells[b].facet, x[2] == y[2] && x[3] == y[3]);
        }
    rti_plan_deinit(&plan);
}

Test(plan, an_ensemble_has_members_that_differ_in_seed) {
    const char *sets[] = {"teacher.count=3", "teacher.seed=7"};
    make(&plan, TEST_SPEC, sets, 2);
    cr_assert_eq(count_role(&plan, RTI_TEACHER), 3);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(plan.trials[i].seed, (uint64_t)(7 + i));
        cr_assert_eq(plan.trials[3].teachers[i], i);
    }
    rti_plan_deinit(&plan);
}

static const char *id_of(const rti_plan *p, rti_role role) {
    for (int t = 0; t < p->trial_count; t++)
        if (p->trials[t].role == role) return p->trials[t].id;
    return NULL;
}

Test(plan, identity_changes_when_and_only_when_the_work_does) {
    static const struct { const char *set; bool teacher, scratch, student; } changes[] = {
        {"name=other", false, false, false},
        {"seeds=[1, 2, 3]", false, false, false},             /* more seeds leave the first ones alone */
        {"sweep.distill.temperature=[1, 4, 8]", false, false, false},
        {"distill.preset=\"\"", false, false, false},
        {"student.optimizer.momentum=0.9", false, false, false}, /* the default, written down */
        {"student.optimizer.lr=0.2", false, true, true},
        {"student.hidden=[9]", false, true, true},
        {"student.epochs=3", false, true, true},
        {"student.jitter=1", false, true, true},
        {"student.precision=float32", false, false, false},   /* the default, written down */
        {"student.precision=bf16", false, true, true},
        {"teacher.precision=bf16", true, true, true},
        {"sweep.distill.alpha=[0.0, 0.6]", false, false, true},
        {"sweep.distill.temperature=[2, 4]", false, false, true},
        {"teacher.hidden=[17]", true, true, true},            /* students agree with another teacher */
        {"teacher.seed=1001", true, true, true},
        {"data.batch=10", true, true, true},
        {"data.digits.seed=2", true, true, true},
        {"data.transfer.size=50", false, true, true},         /* the teacher still sees everything */
        {"data.validation=30", true, true, true},
        {"trials=others", false, false, false},
        {"teacher.label_smoothing=0", false, false, false},   /* the default, written down */
        {"teacher.label_smoothing=0.1", true, true, true},
        {"distill.targets=teacher", false, false, false},     /* the same */
        {"distill.targets=shuffled", false, false, true},
        {"data.csv.label=kind", false, false, false},            /* of a set that is not used */
    };
    make(&plan, TEST_SPEC, NULL, 0);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        make(&other, TEST_SPEC, &changes[i].set, 1);
        cr_assert_eq(strcmp(id_of(&plan, RTI_TEACHER), id_of(&other, RTI_TEACHER)) != 0, changes[i].teacher,
                     "%s", changes[i].set);
        cr_assert_eq(strcmp(id_of(&plan, RTI_SCRATCH), id_of(&other, RTI_SCRATCH)) != 0, changes[i].scratch,
                     "%s", changes[i].set);
        cr_assert_eq(strcmp(id_of(&plan, RTI_STUDENT), id_of(&other, RTI_STUDENT)) != 0, changes[i].student,
                     "%s", changes[i].set);
        rti_plan_deinit(&other);
    }
    /* The order of keys in the file means nothing. */
    make(&other, "seeds=[1,2]\nname='x'\n[distill]\nalpha=0.9\nmethod='kd'\ntemperature=4\n"
                 "[student]\nepochs=2\nhidden=[8]\noptimizer.lr=0.1\n[teacher]\nepochs=2\nhidden=[16]\n"
                 "[data]\nbatch=20\nvalidation=40\ndigits.test=60\ndigits.train=160\nset='digits'\n"
                 "[sweep]\n\"distill.alpha\"=[0.0,0.5]\n\"distill.temperature\"=[1,4]\n", NULL, 0);
    cr_assert_str_eq(id_of(&plan, RTI_TEACHER), id_of(&other, RTI_TEACHER));
    cr_assert_str_eq(id_of(&plan, RTI_SCRATCH), id_of(&other, RTI_SCRATCH));
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
}

/* Trained by version 0.1: whoever changes these numbers makes everybody train everything again. */
Test(plan, identities_are_those_of_older_versions) {
    static const char *const golden[] = {"2ec6a2b8449531f7", "5964cdfa5373b234", "69996dd6242ee608",
                                         "195b1ee9d84c691b", "57e8781e104ed05a", "789b2a6c42e9b890",
                                         "6831546afdf4f475"};
    if (sizeof(rt_real) != 4) cr_skip("the identities of single precision");
    make(&plan, TEST_SPEC, NULL, 0);
    cr_assert_eq(plan.trial_count, 7);
    for (int t = 0; t < 7; t++)
        cr_assert(!strncmp(plan.trials[t].id, golden[t], 16), "trial %d is %s", t, plan.trials[t].id);
    rti_plan_deinit(&plan);
}

/* Reports lie below the name, trials below `trials`, and another spec that says the same finds them. */
Test(plan, trials_may_lie_in_a_directory_of_several_specs) {
    char a[4200], b[4200];
    const char *sets[] = {"trials=family", "name=other"};
    make(&plan, TEST_SPEC, sets, 1);
    make(&other, TEST_SPEC, sets, 2);
    cr_assert_str_eq(plan.directory, "runs/tiny");
    cr_assert_str_eq(other.directory, "runs/other");
    rti_trial_directory(&plan, 3, a, sizeof a);
    rti_trial_directory(&other, 3, b, sizeof b);
    cr_assert_str_eq(a, b);
    cr_assert(!strncmp(a, "runs/family/", 12), "%s", a);
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
    static rti_spec spec;
    const char *bad = "trials=\"../elsewhere\"";
    cr_assert_eq(rti_spec_parse(&spec, TEST_SPEC, strlen(TEST_SPEC), "tiny.toml", &bad, 1, &error), RT_SPEC);
    cr_assert(strstr(error.message, "names a directory"), "%s", error.message);
}

Test(plan, data_are_opened_once_and_labels_tell_trials_apart) {
    const char *sets[] = {"sweep.data.transfer.size=[50, 100]"};
    make(&plan, TEST_SPEC, sets, 1);
    cr_assert_eq(plan.dataset_count, 2);
    cr_assert_eq(count_role(&plan, RTI_TEACHER), 1);
    for (int a = 0; a < plan.trial_count; a++)
        for (int b = 0; b < a; b++) {
            char x[256], y[256];
            rti_trial_label(&plan, a, x, sizeof x);
            rti_trial_label(&plan, b, y, sizeof y);
            cr_assert_str_neq(x, y);
        }
    rti_plan_deinit(&plan);
}

Test(plan, settings_written_as_a_spec_read_back_to_the_same_trial) {
    make(&plan, TEST_SPEC, NULL, 0);
    const rti_trial *last = &plan.trials[plan.trial_count - 1];
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_printf(&text, "name = \"again\"\nseeds = [%d]\n", (int)last->seed);
    rti_settings_text(last->settings, &text);
    make(&other, rti_text_string(&text), NULL, 0);
    cr_assert_str_eq(id_of(&other, RTI_STUDENT), last->id, "%s", rti_text_string(&text));
    rti_text_deinit(&text);
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
}

Test(plan, impossible_ones_are_refused_before_anything_runs) {
    static rti_spec spec;
    const char *sets[] = {"data.validation=160"};
    cr_assert_eq(rti_spec_parse(&spec, TEST_SPEC, strlen(TEST_SPEC), "tiny.toml", sets, 1, &error), RT_OK);
    cr_assert_neq(rti_plan_make(&plan, &spec, "runs", NULL, &error), RT_OK);
    cr_assert(error.message[0]);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
