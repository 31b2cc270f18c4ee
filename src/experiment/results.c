/* results.c - results.csv (one row per trial) and summary.csv (one row per cell).  Floor 8 (experiment)
 *
 * Errors, agreement and ece are parts of 1. A number that is not there is an empty field. */
#include <math.h>
#include <stdio.h>

#include "experiment/report_parts.h"
#include "formats/csv.h"
#include "formats/json.h"
#include "retort/alloc.h"

rt_status rti_report_file(const rti_plan *plan, const char *name, const rti_text *text, rt_error *error) {
    char path[RTI_PATH_MAX];
    if (text->failed) return rt_fail(error, RT_MEMORY, "not enough memory for %s", name);
    RT_TRY(rti_path_join(path, sizeof path, plan->directory, name, error));
    return rti_file_write(path, rti_text_string(text), text->length, error);
}

void rti_csv_add_number(rti_text *text, double value, bool first) {
    char number[32] = "";
    if (isfinite(value)) rti_number_format(value, number);
    rti_csv_append(text, number, first);
}

static void add_integer(rti_text *text, int64_t value) { rti_text_printf(text, ",%lld", (long long)value); }

static void add_axis_names(rti_text *text, const rti_plan *plan) {
    for (int a = 0; a < plan->spec.axis_count; a++) rti_csv_append(text, plan->spec.axes[a].key, false);
}

static void add_axis_value(rti_text *text, const rti_plan *plan, int axis, int value) {
    char label[RTI_LABEL_MAX] = "";
    if (value >= 0) rti_label_value(&plan->spec.axes[axis].values[value], label, sizeof label);
    rti_csv_append(text, label, false);
}

/* ---- results.csv ------------------------------------------------------------------------------ */

enum { UNUSED = -1, MIXED = -2 };

static void join_value(int *have, int value) {
    if (*have == UNUSED) *have = value;
    else if (*have != value) *have = MIXED;
}

/* The cells a trial works for, as student, as scratch or as teacher, may agree on an axis: then the
 * trial has that value, and otherwise none. have: (trial_count, axis_count). */
static void trial_values(const rti_plan *plan, int *have) {
    int axes = plan->spec.axis_count;
    for (int i = 0; i < plan->trial_count * axes; i++) have[i] = UNUSED;
    for (int c = 0; c < plan->cell_count; c++)
        for (int s = 0; s < plan->spec.seed_count; s++)
            for (int a = 0; a < axes; a++) {
                int value = plan->cells[c].value[a], student = plan->cells[c].trials[s],
                    scratch = plan->cells[c].scratch[s];
                if (student >= 0) join_value(&have[student * axes + a], value);
                if (scratch >= 0 && scratch != student) join_value(&have[scratch * axes + a], value);
                for (int k = 0; student >= 0 && k < plan->trials[student].teacher_count; k++)
                    join_value(&have[plan->trials[student].teachers[k] * axes + a], value);
            }
}

static void add_error(rti_text *text, const rt_quality *q) {
    rti_csv_add_number(text, q->examples ? (double)q->errors / (double)q->examples : NAN, false);
}

static void add_record(rti_text *text, const rti_record *r) {
    const rt_quality *test = &r->test_last;
    add_integer(text, r->epochs);
    add_integer(text, r->best_epoch);
    add_integer(text, test->examples);
    add_integer(text, test->errors);
    add_error(text, test);
    add_error(text, &r->test_best);
    add_error(text, &r->validation_last);
    add_error(text, &r->validation_best);
    rti_csv_add_number(text, test->nll, false);
    rti_csv_add_number(text, test->brier, false);
    rti_csv_add_number(text, test->ece, false);
    rti_csv_add_number(text, test->has_teacher ? test->agreement : NAN, false);
    rti_csv_add_number(text, test->has_teacher ? test->teacher_kl : NAN, false);
    add_integer(text, r->cost.parameters);
    add_integer(text, r->cost.multiply_adds);
    add_integer(text, r->cost.bytes);
    rti_csv_add_number(text, r->latency_us, false);
    rti_csv_add_number(text, r->peak_megabytes, false);
    rti_csv_add_number(text, r->seconds, false);
}

static void results(rti_text *text, const rti_summary *summary, const int *have) {
    const rti_plan *plan = summary->plan;
    rti_text_append(text, "id,role,seed,state");
    add_axis_names(text, plan);
    rti_text_append(text,
                    ",epochs,best_epoch,test_examples,test_errors,test_error_last,test_error_best,"
                    "validation_error_last,validation_error_best,test_nll,test_brier,test_ece,agreement,"
                    "teacher_kl,parameters,multiply_adds,bytes,latency_us,peak_megabytes,seconds,failure\n");
    for (int t = 0; t < plan->trial_count; t++) {
        const rti_record *r = &summary->records[t];
        rti_csv_append(text, plan->trials[t].id, true);
        rti_csv_append(text, rti_role_name(plan->trials[t].role), false);
        rti_text_printf(text, ",%llu", (unsigned long long)plan->trials[t].seed);
        rti_csv_append(text, rti_state_name(r->state), false);
        for (int a = 0; a < plan->spec.axis_count; a++)
            add_axis_value(text, plan, a, have[t * plan->spec.axis_count + a]);
        if (r->state == RTI_DONE) add_record(text, r);
        else rti_text_append(text, ",,,,,,,,,,,,,,,,,,,");
        rti_csv_append(text, r->state == RTI_FAILED ? r->failure : "", false);
        rti_text_append(text, "\n");
    }
}

/* ---- summary.csv ------------------------------------------------------------------------------ */

typedef struct column {
    const char *name;
    size_t offset; /* of the estimate in rti_group */
} column;

#define COLUMN(member, name) {name, offsetof(rti_group, member)}
static const column columns[] = {
    COLUMN(test_last, "test_error_last"),             COLUMN(test_best, "test_error_best"),
    COLUMN(validation_last, "validation_error_last"), COLUMN(validation_best, "validation_error_best"),
    COLUMN(nll, "test_nll"),                          COLUMN(brier, "test_brier"),
    COLUMN(ece, "test_ece"),                          COLUMN(agreement, "agreement"),
    COLUMN(teacher_kl, "teacher_kl"),                 COLUMN(seconds, "seconds"),
    COLUMN(latency_us, "latency_us"),                 COLUMN(peak_megabytes, "peak_megabytes"),
};
enum { GROUP_COLUMNS = sizeof columns / sizeof columns[0] };

static void add_group(rti_text *text, const rti_group *group) {
    rti_text_printf(text, ",%d,%d,%d", group->trials, group->done, group->failed);
    for (int i = 0; i < GROUP_COLUMNS; i++) {
        const rti_estimate *e = (const rti_estimate *)((const char *)group + columns[i].offset);
        rti_csv_add_number(text, e->mean, false);
        rti_csv_add_number(text, e->sd, false);
        rti_csv_add_number(text, e->half, false);
    }
    add_integer(text, group->cost.parameters);
    add_integer(text, group->cost.multiply_adds);
    add_integer(text, group->cost.bytes);
}

/* A row of a group that is no cell: values of the facet's own axes, no comparison. */
static void add_reference(rti_text *text, const rti_plan *plan, int facet, int first_cell, const char *role,
                          const rti_group *group) {
    rti_text_printf(text, "%s,%d,", role, facet + 1);
    for (int a = 0; a < plan->spec.axis_count; a++) {
        bool of_facet = a != plan->temperature_axis && a != plan->alpha_axis;
        add_axis_value(text, plan, a, of_facet ? plan->cells[first_cell].value[a] : -1);
    }
    add_group(text, group);
    rti_text_append(text, ",,,,,,,,,\n");
}

static void add_cell(rti_text *text, const rti_summary *summary, int c) {
    const rti_plan *plan = summary->plan;
    const rti_cell_summary *cell = &summary->cells[c];
    rti_text_printf(text, "student,%d,%d", plan->cells[c].facet + 1, c + 1);
    for (int a = 0; a < plan->spec.axis_count; a++) add_axis_value(text, plan, a, plan->cells[c].value[a]);
    add_group(text, &cell->students);
    rti_text_printf(text, ",%d", cell->paired.pairs);
    rti_csv_add_number(text, cell->paired.difference.mean, false);
    rti_csv_add_number(text, cell->paired.difference.half, false);
    rti_csv_add_number(text, cell->paired.t, false);
    rti_csv_add_number(text, cell->paired.p, false);
    rti_csv_add_number(text, cell->p_holm, false);
    rti_csv_append(text, rti_verdict_name(cell->paired.verdict), false);
    rti_text_printf(text, ",%d,%d\n", cell->is_scratch, summary->facets[plan->cells[c].facet].best_cell == c);
}

static void cells(rti_text *text, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    rti_text_append(text, "role,facet,cell");
    add_axis_names(text, plan);
    rti_text_append(text, ",trials,done,failed");
    for (int i = 0; i < GROUP_COLUMNS; i++)
        rti_text_printf(text, ",%s,%s_sd,%s_half", columns[i].name, columns[i].name, columns[i].name);
    rti_text_append(text,
                    ",parameters,multiply_adds,bytes,pairs,difference,difference_half,t,p,p_holm,verdict,"
                    "is_scratch,chosen\n");
    for (int f = 0; f < plan->facet_count; f++) {
        const rti_facet_summary *facet = &summary->facets[f];
        if (facet->teacher.trials)
            add_reference(text, plan, f, facet->first_cell, "teacher", &facet->teacher);
        if (facet->scratch.trials)
            add_reference(text, plan, f, facet->first_cell, "scratch", &facet->scratch);
        for (int c = 0; c < plan->cell_count; c++)
            if (plan->cells[c].facet == f) add_cell(text, summary, c);
    }
}

rt_status rti_results_write(const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    int *have = rt_alloc_zero((size_t)plan->trial_count * (size_t)plan->spec.axis_count, sizeof *have);
    if (!have) return rt_fail(error, RT_MEMORY, "not enough memory for results.csv");
    rti_text text = RTI_TEXT_EMPTY;
    trial_values(plan, have);
    results(&text, summary, have);
    rt_free(have);
    rt_status status = rti_report_file(plan, "results.csv", &text, error);
    rti_text_deinit(&text);
    if (status != RT_OK) return status;
    cells(&text, summary);
    status = rti_report_file(plan, "summary.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}
