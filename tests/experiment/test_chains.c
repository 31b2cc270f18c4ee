/* Who teaches whom, against what can be counted and derived by hand: chains of assistants, generations,
 * parts of an ensemble, teachers that stop early. An assistant must be the same trial as a student that
 * does the same work; a trial's own spec.toml must read back to that trial; initial weights of generations
 * differ, everything else of a seed is shared. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "retort/alloc.h"
#include "specs.h"

static rti_plan plan, other;
static rt_error error;

#define KD TEST_SPEC_HEAD "temperature = 4.0\nalpha = 0.9\n"

static const rti_trial *trial_of(const rti_plan *p, int number) { return &p->trials[number]; }

static const rti_trial *first_student(const rti_plan *p) { return trial_of(p, p->cells[0].trials[0]); }

/* Written as a spec and planned again, the trial is there as the student of that spec. */
static void must_read_back(const rti_plan *p, int number) {
    const rti_trial *t = trial_of(p, number);
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_printf(&text, "name = \"again\"\nseeds = [%d]\n", (int)t->seed);
    rti_settings_text(t->settings, &text);
    test_plan(&other, rti_text_string(&text), NULL, 0, "runs");
    cr_assert_str_eq(first_student(&other)->id, t->id, "%s", rti_text_string(&text));
    rti_text_deinit(&text);
    rti_plan_deinit(&other);
}

Test(chains, assistants_stand_between_and_serve_every_seed) {
    const char *sets[] = {"assistant.1.hidden=[14]", "assistant.1.epochs=3", "assistant.2.hidden=[12]",
                          "assistant.2.epochs=2",    "assistant.2.seed=7"};
    test_plan(&plan, KD, sets, 5, "runs");
    /* Teacher, two assistants, and for each of two seeds scratch and student. */
    cr_assert_eq(plan.trial_count, 7);
    for (int s = 0; s < 2; s++) {
        const rti_trial *student = trial_of(&plan, plan.cells[0].trials[s]);
        const rti_trial *second = trial_of(&plan, student->teachers[0]);
        const rti_trial *first = trial_of(&plan, second->teachers[0]);
        const rti_trial *teacher = trial_of(&plan, first->teachers[0]);
        cr_assert(!student->inner && second->inner && first->inner && !teacher->inner);
        cr_assert_eq(teacher->role, RTI_TEACHER);
        cr_assert_eq(second->seed, 7);
        cr_assert_eq(first->seed, 1000);
        cr_assert_eq(rt_params_list(rti_trial_network(first), "hidden")->items[0], 14);
        cr_assert_eq(rt_params_int(rti_trial_network(first), "epochs"), 3);
        cr_assert_eq(rt_params_list(rti_trial_network(second), "hidden")->items[0], 12);
        cr_assert_str_eq(rt_params_text(&second->settings->distill, "method"), "kd");
        /* All are measured against the teacher. */
        cr_assert_eq(student->reference_count, 1);
        cr_assert_eq(trial_of(&plan, student->references[0]), teacher);
        cr_assert_eq(trial_of(&plan, second->references[0]), teacher);
        cr_assert_eq(trial_of(&plan, plan.cells[0].scratch[s])->teachers[0], student->references[0]);
        must_read_back(&plan, plan.cells[0].trials[s]);
    }
    cr_assert_eq(first_student(&plan)->teachers[0],
                 trial_of(&plan, plan.cells[0].trials[1])->teachers[0]); /* one chain */
    for (int t = 0; t < plan.trial_count; t++)
        for (int i = 0; i < plan.trials[t].teacher_count; i++) cr_assert_lt(plan.trials[t].teachers[i], t);
    must_read_back(&plan, trial_of(&plan, first_student(&plan)->teachers[0])->teachers[0] /* assistant 1 */);
    char label[256];
    cr_assert_str_eq(rti_trial_label(&plan, first_student(&plan)->teachers[0], label, sizeof label),
                     "assistant 2 seed 7");
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(chains, an_assistant_is_the_student_that_does_the_same_work) {
    const char *sets[] = {"assistant.hidden=[14]", "assistant.epochs=3", "assistant.optimizer.lr=0.1"};
    const char *alone[] = {"student.hidden=[14]", "student.epochs=3", "seeds=[1000]"};
    test_plan(&plan, KD, sets, 3, "runs");
    test_plan(&other, KD, alone, 3, "runs");
    cr_assert_str_eq(trial_of(&plan, first_student(&plan)->teachers[0])->id, first_student(&other)->id);
    rti_plan_deinit(&other);
    /* Who taught is part of what a student is. */
    const char *longer[] = {"assistant.hidden=[14]", "assistant.epochs=4", "assistant.optimizer.lr=0.1"};
    test_plan(&other, KD, longer, 3, "runs");
    cr_assert_str_neq(first_student(&plan)->id, first_student(&other)->id);
    cr_assert_str_eq(trial_of(&plan, plan.cells[0].scratch[0])->id,
                     trial_of(&other, other.cells[0].scratch[0])->id);
    rti_plan_deinit(&other);
    rti_plan_deinit(&plan);
}

Test(chains, generations_follow_one_another_from_new_weights) {
    const char *three[] = {"distill.schedule=born-again", "distill.generations=3"};
    const char *one[] = {"distill.schedule=born-again"};
    const char *from_teacher[] = {"distill.schedule=born-again", "distill.first=teacher"};
    test_plan(&plan, KD, three, 2, "runs");
    cr_assert_eq(plan.trial_count, 1 + 2 + 2 * 3);
    for (int s = 0; s < 2; s++) {
        const rti_trial *t = trial_of(&plan, plan.cells[0].trials[s]);
        uint64_t seen[4] = {0};
        for (int g = 3; g >= 1; g--) {
            cr_assert_eq(t->generation, g);
            cr_assert_eq(t->seed, plan.spec.seeds[s]);
            cr_assert_eq(t->inner, g < 3);
            cr_assert_eq(t->reference_count, 1);
            cr_assert_eq(trial_of(&plan, t->references[0])->role, RTI_TEACHER);
            seen[g] = t->initial_seed;
            must_read_back(&plan, (int)(t - plan.trials));
            t = trial_of(&plan, t->teachers[0]);
        }
        seen[0] = t->initial_seed;
        cr_assert_eq(t->role, RTI_SCRATCH);
        cr_assert_eq(plan.cells[0].scratch[s], (int)(t - plan.trials));
        for (int a = 0; a < 4; a++)
            for (int b = 0; b < a; b++) cr_assert_neq(seen[a], seen[b]);
    }
    /* Other seeds, other weights; the same seed, the same ones. */
    int64_t count;
    int last = plan.cells[0].trials[0], before = trial_of(&plan, last)->teachers[0],
        another = plan.cells[0].trials[1], trials[] = {last, before, another, last};
    rt_real first[4];
    for (int i = 0; i < 4; i++) {
        rt_model *model = rti_trial_model(&plan, trials[i], &error);
        first[i] = rt_model_block(model, &count)[0];
        rt_model_free(model);
    }
    cr_assert(first[0] != first[1] && first[0] != first[2] && first[0] == first[3]);

    test_plan(&other, KD, one, 1, "runs");
    const rti_trial *second = trial_of(&plan, before), *generation = trial_of(&plan, second->teachers[0]);
    cr_assert_str_eq(first_student(&other)->id, generation->id); /* more generations leave the first alone */
    rti_plan_deinit(&other);
    test_plan(&other, KD, from_teacher, 2, "runs");
    cr_assert_eq(trial_of(&other, first_student(&other)->teachers[0])->role, RTI_TEACHER);
    cr_assert_str_neq(first_student(&other)->id, generation->id);
    rti_plan_deinit(&other);
    rti_plan_deinit(&plan);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(chains, generations_need_no_teacher) {
    static const char text[] = "name = \"x\"\nseeds = [1]\n[data]\nset = \"digits\"\nvalidation = 40\n"
                               "digits = { train = 160 }\n[student]\nepochs = 2\n[distill]\nmethod = \"kd\"\n"
                               "schedule = \"born-again\"\ngenerations = 2\n";
    test_plan(&plan, text, NULL, 0, "runs");
    cr_assert_eq(plan.trial_count, 3);
    cr_assert_eq(first_student(&plan)->reference_count, 0);
    rti_plan_deinit(&plan);
}

Test(chains, a_part_of_an_ensemble_teaches_and_all_of_it_measures) {
    const char *all[] = {"teacher.count=3"}, *two[] = {"teacher.count=3", "distill.teachers=2"};
    test_plan(&plan, KD, all, 1, "runs");
    test_plan(&other, KD, two, 2, "runs");
    cr_assert_eq(first_student(&plan)->teacher_count, 3);
    cr_assert_eq(first_student(&other)->teacher_count, 2);
    cr_assert_eq(first_student(&other)->reference_count, 3);
    cr_assert_eq(other.trial_count, plan.trial_count);
    cr_assert_str_neq(first_student(&plan)->id, first_student(&other)->id);
    cr_assert_str_eq(trial_of(&plan, plan.cells[0].scratch[0])->id,
                     trial_of(&other, other.cells[0].scratch[0])->id);
    rti_plan_deinit(&plan);
    rti_plan_deinit(&other);
}

Test(chains, a_teacher_that_stops_at_its_last_epoch_does_not_stop) {
    const char *full[] = {"teacher.epochs=4"}, *early[] = {"teacher.epochs=4", "teacher.stop_epoch=2"},
               *late[] = {"teacher.epochs=4", "teacher.stop_epoch=4"};
    test_plan(&plan, KD, full, 1, "runs");
    test_plan(&other, KD, late, 2, "runs");
    cr_assert_str_eq(plan.trials[0].id, other.trials[0].id);
    cr_assert_eq(rti_trial_epochs(&other.trials[0]), 4);
    rti_plan_deinit(&other);
    test_plan(&other, KD, early, 2, "runs");
    cr_assert_str_neq(plan.trials[0].id, other.trials[0].id);
    cr_assert_eq(rti_trial_epochs(&other.trials[0]), 2);
    rti_plan_deinit(&other);
    rti_plan_deinit(&plan);
}
