/* status.c - `retort status`: what is done, what runs, what failed.    Floor 9 (cli) */
#include "cli/status.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/opening.h"
#include "core/file.h"
#include "experiment/lock.h"
#include "experiment/scheduler.h"

extern const rti_command rti_command_status;

static void running_reason(const char *directory, const rti_record *record, rti_text *out) {
    rti_lock_owner owner;
    char duration[32];
    rti_lock_look(directory, &owner);
    if (record->epoch_count) rti_text_printf(out, "%d epochs, ", record->epoch_count);
    rti_text_printf(out, "process %lld on %s", (long long)owner.pid, owner.host[0] ? owner.host : "?");
    if (owner.since_s >= 0) rti_text_printf(out, " for %s", rti_duration(owner.since_s, duration));
}

/* The first of those it needs that is not done, or -1. */
static int waits_for(const rti_plan *plan, int trial) {
    const rti_trial *t = &plan->trials[trial];
    for (int i = 0; i < t->teacher_count; i++)
        if (rti_trial_state(plan, t->teachers[i]) != RTI_DONE) return t->teachers[i];
    for (int i = 0; i < t->reference_count; i++)
        if (rti_trial_state(plan, t->references[i]) != RTI_DONE) return t->references[i];
    return -1;
}

static void pending_reason(const rti_plan *plan, int trial, const rti_record *record, rti_text *out) {
    int teacher = waits_for(plan, trial);
    if (teacher >= 0)
        rti_text_printf(out, "%s teacher %.16s",
                        rti_trial_state(plan, teacher) == RTI_FAILED ? "cannot run without" : "waits for",
                        plan->trials[teacher].id);
    else if (record->epoch_count) rti_text_printf(out, "goes on after epoch %d", record->epoch_count);
    else rti_text_append(out, "can start");
}

/* "kd: tuned over 3 points: T 4 (91.2 % on validation)", for each row of a comparison. */
static void append_rows(const rti_plan *plan, rti_text *out) {
    for (int r = 0; r < plan->row_count; r++) {
        const rti_row *row = &plan->rows[r];
        char label[256];
        int ended = 0;
        rti_text_printf(out, "%s: ", row->spec->label);
        for (int p = 0; row->tuned && p < row->point_count; p++)
            ended += row->points[p].scored + row->points[p].failed;
        if (row->reason[0]) rti_text_printf(out, "left out: %s\n", row->reason);
        else if (row->tuned && row->chosen >= 0)
            rti_text_printf(out, "tuned over %d points: %s, %.2f %% right on validation\n", row->point_count,
                            rti_point_label(plan, r, row->chosen, label, sizeof label),
                            100 * row->points[row->chosen].validation);
        else if (row->tuned)
            rti_text_printf(out, "is tuned over %d points, %d of %d trials ended\n", row->point_count, ended,
                            row->point_count * plan->spec.tune_seed_count);
        else if (row->point_count > 1)
            rti_text_printf(out, "all %d points with all seeds, one is chosen on validation\n",
                            row->point_count);
        else rti_text_append(out, "nothing to tune\n");
    }
    if (plan->undecided)
        rti_text_printf(out, "%d row%s will be trained with all seeds when a point is chosen\n",
                        plan->undecided, plan->undecided == 1 ? "" : "s");
}

static rt_status append_trial(const rti_plan *plan, int trial, rti_text *out, int counts[4],
                              rt_error *error) {
    rti_record record;
    char directory[RTI_PATH_MAX], label[256], duration[32];
    RT_TRY(rti_record_read(plan, trial, &record, error));
    rti_trial_directory(plan, trial, directory, sizeof directory);
    rti_trial_label(plan, trial, label, sizeof label);
    counts[record.state]++;
    rti_text_printf(out, "%.16s  %-8s %-44s ", plan->trials[trial].id, rti_state_name(record.state), label);
    switch (record.state) {
    case RTI_DONE:
        if (plan->trials[trial].tuning)
            rti_text_printf(out, "%.2f %% right on validation", 100 * record.validation_last.accuracy);
        else
            rti_text_printf(out, "%lld of %lld wrong on test", (long long)record.test_last.errors,
                            (long long)record.test_last.examples);
        if (record.seconds >= 0) rti_text_printf(out, ", %s", rti_duration(record.seconds, duration));
        break;
    case RTI_FAILED: rti_text_append(out, record.failure); break;
    case RTI_RUNNING: running_reason(directory, &record, out); break;
    case RTI_PENDING: pending_reason(plan, trial, &record, out); break;
    }
    rti_text_append(out, "\n");
    rti_record_deinit(&record);
    return RT_OK;
}

rt_status rti_status_text(const rti_plan *plan, int shard, int shards, rti_text *out, rt_error *error) {
    int counts[4] = {0};
    for (int t = 0; t < plan->trial_count; t++)
        if (rti_in_shard(plan, t, shard, shards)) RT_TRY(append_trial(plan, t, out, counts, error));
    append_rows(plan, out);
    rti_text_printf(out, "%s: %d done, %d running, %d pending, %d failed; %s\n", plan->spec.name,
                    counts[RTI_DONE], counts[RTI_RUNNING], counts[RTI_PENDING], counts[RTI_FAILED],
                    plan->trials_directory);
    return out->failed ? rt_fail(error, RT_MEMORY, "no memory for the table") : RT_OK;
}

static int run(int argc, char **argv) {
    rti_opening opening = {0};
    for (int i = 1; i < argc; i++) {
        const char *problem, *word = argv[i];
        if (!rti_opening_take(&opening, argc, argv, &i, &problem))
            return rti_usage(&rti_command_status, "unknown option %s", word);
        if (problem) return rti_usage(&rti_command_status, "%s %s", problem, word);
    }
    if (!opening.spec)
        return rti_usage(&rti_command_status, "which spec? For example: retort status experiments/demo.toml");
    static rti_plan plan;
    rt_error error = {0};
    rti_text text = RTI_TEXT_EMPTY;
    rt_status status = rti_opening_plan(&opening, &plan, &error);
    if (status == RT_OK) {
        status = rti_status_text(&plan, 0, 0, &text, &error);
        fputs(rti_text_string(&text), stdout);
        rti_text_deinit(&text);
        rti_plan_deinit(&plan);
    }
    return status == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}

const rti_command rti_command_status = {
    .name = "status",
    .line = "the trials of a spec: done, running, pending, failed and why",
    .usage =
        "usage: retort status SPEC [options]\n"
        "\n"
        "Lists every trial with its identity, its state, and who runs it since when, or why it failed.\n"
        "Looks only; trains and changes nothing.\n"
        "\n"
        RTI_OPENING_USAGE
        "\n"
        "example: retort status experiments/demo.toml\n",
    .run = run,
};
RTI_REGISTER(command, status)
