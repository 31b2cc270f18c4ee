/* report_shift.c - the biases of unseen classes shifted, for every student.  Floor 8 (experiment)
 *
 * Of each cell whose students never see some classes, and of the scratch students beside it as a control:
 * test errors as a function of s, which is added to the logits of the unseen classes, and four choices of
 * s. Matching to the prior looks at the training images (what the teacher was shown, the student was not)
 * and at how many training labels are of these classes: no test image and no test label. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/omission.h"
#include "formats/csv.h"
#include "retort/alloc.h"

const char *rti_shift_choice_name(rti_shift_choice choice) {
    static const char *const names[RTI_SHIFT_CHOICES] = {"none", "prior", "test prior", "tuned on test"};
    return names[choice];
}

/* ---- one student -------------------------------------------------------------------------------- */

static rt_status set_of(rti_shift_set *set, const rti_plan *plan, int trial, rt_part_name part,
                        const rti_unseen *unseen, rt_error *error) {
    rti_answers answers;
    RT_TRY(rti_answers_of_trial(&answers, plan, trial, part, error));
    rt_status status = rti_shift_set_make(set, &answers, unseen, error);
    rti_answers_deinit(&answers);
    return status;
}

static rt_status ask(rti_shift_student *student, const rti_plan *plan, const rti_unseen *unseen, double prior,
                     rt_error *error) {
    rti_shift_set training;
    RT_TRY(set_of(&student->test, plan, student->trial, RT_PART_TEST, unseen, error));
    RT_TRY(set_of(&training, plan, student->trial, RT_PART_TRAIN, unseen, error));
    const double matched = rti_shift_matching(&training, prior);
    rti_shift_set_deinit(&training);
    student->choice[RTI_SHIFT_NONE] = rti_shift_at(&student->test, 0);
    student->choice[RTI_SHIFT_PRIOR] = rti_shift_at(&student->test, matched);
    student->choice[RTI_SHIFT_TEST_PRIOR] = rti_shift_at(&student->test,
                                                         rti_shift_matching(&student->test, prior));
    student->choice[RTI_SHIFT_TUNED] = rti_shift_at(&student->test, rti_shift_best(&student->test));
    return RT_OK;
}

/* ---- one group ---------------------------------------------------------------------------------- */

/* "3", "7, 8" */
static void name_classes(rti_shift_group *group, const rti_unseen *unseen, const bool seen[]) {
    size_t length = 0;
    for (int k = 0; k < RTI_UNSEEN_CLASSES_MAX && length + 8 < sizeof group->classes; k++)
        if (group->lowers_seen ? seen[k] : unseen->is_unseen[k])
            length += (size_t)snprintf(group->classes + length, sizeof group->classes - length, "%s%d",
                                       length ? ", " : "", k);
}

/* Fewer classes are seen than not: the paper lowers the biases of these. */
static void describe(rti_shift_group *group, const rti_plan *plan, int trial, const rti_unseen *unseen) {
    const rt_dataset *set = plan->datasets[plan->trials[trial].dataset];
    const rt_part *train = rt_dataset_part(set, RT_PART_TRAIN), *own = rt_dataset_part(set, RT_PART_TRANSFER),
                  *test = rt_dataset_part(set, RT_PART_TEST);
    bool seen[RTI_UNSEEN_CLASSES_MAX] = {false};
    int seen_count = 0;
    int64_t of_unseen = 0;
    for (int64_t i = 0; i < own->count; i++) {
        seen_count += !seen[own->labels[i]];
        seen[own->labels[i]] = true;
    }
    for (int64_t i = 0; i < train->count; i++) of_unseen += unseen->is_unseen[train->labels[i]];
    for (int64_t i = 0; i < test->count; i++) group->examples_unseen += unseen->is_unseen[test->labels[i]];
    group->examples = test->count;
    group->prior = (double)of_unseen / (double)train->count;
    group->lowers_seen = seen_count < unseen->count;
    name_classes(group, unseen, seen);
}

static rt_status add_group(rti_shifts *shifts, const rti_summary *summary, int facet, int cell,
                           const int trials[], rt_error *error) {
    const rti_plan *plan = summary->plan;
    rti_shift_group *group = &shifts->group[shifts->group_count];
    *group = (rti_shift_group){.facet = facet, .cell = cell, .first = shifts->student_count};
    rti_unseen unseen;
    for (int s = 0; s < plan->spec.seed_count; s++) {
        if (trials[s] < 0 || summary->records[trials[s]].state != RTI_DONE) continue;
        rti_unseen_find(&unseen, plan, trials[s]);
        const rt_dataset *set = plan->datasets[plan->trials[trials[s]].dataset];
        if (!unseen.count || !rt_dataset_part(set, RT_PART_TEST)->count) return RT_OK;
        if (!group->count) describe(group, plan, trials[s], &unseen);
        rti_shift_student *student = &shifts->student[shifts->student_count++];
        *student = (rti_shift_student){.trial = trials[s], .seed = s};
        group->count++;
        RT_TRY(ask(student, plan, &unseen, group->prior, error));
    }
    shifts->group_count += group->count > 0;
    return RT_OK;
}

/* ---- all of them -------------------------------------------------------------------------------- */

static rt_status add_facet(rti_shifts *shifts, const rti_summary *summary, int facet, rt_error *error) {
    const rti_plan *plan = summary->plan;
    RT_TRY(
        add_group(shifts, summary, facet, -1, plan->cells[summary->facets[facet].first_cell].scratch, error));
    for (int c = 0; c < plan->cell_count; c++)
        if (plan->cells[c].facet == facet && !summary->cells[c].is_scratch &&
            (!plan->spec.is_comparison || plan->cells[c].row >= 0))
            RT_TRY(add_group(shifts, summary, facet, c, plan->cells[c].trials, error));
    return RT_OK;
}

static void set_grid(rti_shifts *shifts) {
    double low = -2, high = 12;
    for (int i = 0; i < shifts->student_count; i++)
        for (int c = 0; c < RTI_SHIFT_CHOICES; c++) {
            low = fmin(low, floor(shifts->student[i].choice[c].s) - 1);
            high = fmax(high, ceil(shifts->student[i].choice[c].s) + 1);
        }
    shifts->low = (int)lround(fmax(low, -RTI_SHIFT_MOST) / RTI_SHIFT_STEP);
    shifts->high = (int)lround(fmin(high, RTI_SHIFT_MOST) / RTI_SHIFT_STEP);
}

rt_status rti_shifts_make(rti_shifts *shifts, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    *shifts = (rti_shifts){0};
    if (!plan->dataset_count || !plan->cell_count) return RT_OK;
    size_t groups = (size_t)plan->cell_count + (size_t)plan->facet_count;
    shifts->group = rt_alloc_zero(groups, sizeof *shifts->group);
    shifts->student = rt_alloc_zero(groups * (size_t)plan->spec.seed_count, sizeof *shifts->student);
    rt_status status = RT_OK;
    if (!shifts->group || !shifts->student)
        status = rt_fail(error, RT_MEMORY, "not enough memory for the shifts of biases");
    for (int f = 0; f < plan->facet_count && status == RT_OK; f++)
        status = add_facet(shifts, summary, f, error);
    if (status == RT_OK)
        set_grid(shifts);
    else
        rti_shifts_deinit(shifts);
    return status;
}

void rti_shifts_deinit(rti_shifts *shifts) {
    for (int i = 0; i < shifts->student_count; i++) rti_shift_set_deinit(&shifts->student[i].test);
    rt_free(shifts->student);
    rt_free(shifts->group);
    *shifts = (rti_shifts){0};
}

const rti_shift_group *rti_shift_scratch(const rti_shifts *shifts, int facet) {
    for (int i = 0; i < shifts->group_count; i++)
        if (shifts->group[i].facet == facet && shifts->group[i].cell < 0) return &shifts->group[i];
    return NULL;
}

const rti_shift_group *rti_shift_shown(const rti_shifts *shifts, const rti_summary *summary, int facet) {
    const rti_shift_group *first = NULL;
    for (int i = 0; i < shifts->group_count; i++) {
        const rti_shift_group *group = &shifts->group[i];
        if (group->facet != facet || group->cell < 0) continue;
        if (group->cell == summary->facets[facet].best_cell) return group;
        if (!first) first = group;
    }
    return first;
}

/* ---- means -------------------------------------------------------------------------------------- */

rti_shift_mean rti_shift_mean_of(const rti_shifts *shifts, const rti_shift_group *group,
                                 rti_shift_choice choice) {
    double s[RTI_SEEDS_MAX], errors[RTI_SEEDS_MAX], unseen[RTI_SEEDS_MAX], accuracy[RTI_SEEDS_MAX];
    for (int i = 0; i < group->count; i++) {
        const rti_shifted *at = &shifts->student[group->first + i].choice[choice];
        s[i] = at->s;
        errors[i] = (double)at->errors;
        unseen[i] = (double)at->errors_unseen;
        accuracy[i] = group->examples_unseen ? 1 - unseen[i] / (double)group->examples_unseen : NAN;
    }
    return (rti_shift_mean){.s = rti_estimate_of(s, group->count),
                            .errors = rti_estimate_of(errors, group->count),
                            .errors_unseen = rti_estimate_of(unseen, group->count),
                            .accuracy_unseen = rti_estimate_of(accuracy, group->count)};
}

/* ---- files -------------------------------------------------------------------------------------- */

/* "student,1,2,": role, facet, cell; a scratch student belongs to no cell. */
static void add_head(rti_text *text, const rti_shift_group *group, const rti_summary *summary, int seed) {
    if (group->cell < 0)
        rti_text_printf(text, "scratch,%d,", group->facet + 1);
    else
        rti_text_printf(text, "student,%d,%d", group->facet + 1, group->cell + 1);
    rti_text_printf(text, ",%llu", (unsigned long long)summary->plan->spec.seeds[seed]);
}

static void choices_csv(rti_text *text, const rti_shifts *shifts, const rti_shift_group *group,
                        const rti_summary *summary) {
    for (int i = group->first; i < group->first + group->count; i++)
        for (int c = 0; c < RTI_SHIFT_CHOICES; c++) {
            const rti_shifted *at = &shifts->student[i].choice[c];
            add_head(text, group, summary, shifts->student[i].seed);
            rti_text_printf(text, ",%s", rti_shift_choice_name((rti_shift_choice)c));
            rti_csv_add_number(text, at->s, false);
            rti_csv_append(text, group->classes, false);
            rti_csv_add_number(text, group->lowers_seen ? 0 - at->s : at->s, false);
            rti_text_printf(text, ",%lld,%lld,%lld", (long long)at->errors, (long long)at->errors_unseen,
                            (long long)group->examples_unseen);
            rti_csv_add_number(text, 1 - (double)at->errors_unseen / (double)group->examples_unseen, false);
            rti_text_append(text, "\n");
        }
}

static void curves_csv(rti_text *text, const rti_shifts *shifts, const rti_shift_group *group,
                       const rti_summary *summary) {
    for (int i = group->first; i < group->first + group->count; i++)
        for (int at = shifts->low; at <= shifts->high; at++) {
            rti_shifted here = rti_shift_at(&shifts->student[i].test, at * RTI_SHIFT_STEP);
            add_head(text, group, summary, shifts->student[i].seed);
            rti_text_printf(text, ",%.1f,%lld,%lld\n", at * RTI_SHIFT_STEP, (long long)here.errors,
                            (long long)here.errors_unseen);
        }
}

/* Mean, low and high of errors and of those on unseen classes at one s. */
static void add_band(rti_text *text, const rti_shifts *shifts, const rti_shift_group *group, double s) {
    double values[2][RTI_SEEDS_MAX];
    int count = group ? group->count : 0;
    for (int i = 0; i < count; i++) {
        rti_shifted here = rti_shift_at(&shifts->student[group->first + i].test, s);
        values[0][i] = (double)here.errors;
        values[1][i] = (double)here.errors_unseen;
    }
    for (int v = 0; v < 2; v++) {
        rti_estimate e = rti_estimate_of(values[v], count);
        double half = isfinite(e.half) ? e.half : 0;
        rti_csv_add_number(text, e.mean, false);
        rti_csv_add_number(text, fmax(e.mean - half, 0), false);
        rti_csv_add_number(text, e.mean + half, false);
    }
}

static rt_status write_mean(const rti_shifts *shifts, const rti_summary *summary, int facet,
                            rt_error *error) {
    char name[RTI_LABEL_MAX];
    const rti_shift_group *shown = rti_shift_shown(shifts, summary, facet),
                          *scratch = rti_shift_scratch(shifts, facet);
    rti_text text = RTI_TEXT_EMPTY;
    if (!shown) return RT_OK;
    rti_text_append(&text,
                    "s,errors,errors_low,errors_high,unseen,unseen_low,unseen_high,scratch,scratch_low,"
                    "scratch_high,scratch_unseen,scratch_unseen_low,scratch_unseen_high\n");
    for (int at = shifts->low; at <= shifts->high; at++) {
        rti_text_printf(&text, "%.1f", at * RTI_SHIFT_STEP);
        add_band(&text, shifts, shown, at * RTI_SHIFT_STEP);
        add_band(&text, shifts, scratch, at * RTI_SHIFT_STEP);
        rti_text_append(&text, "\n");
    }
    rti_label_file(summary->plan, "shift-mean", facet, ".csv", name, sizeof name);
    rt_status status = rti_report_file(summary->plan, name, &text, error);
    rti_text_deinit(&text);
    return status;
}

static rt_status
write_all(const rti_shifts *shifts, const rti_summary *summary, const char *name, const char *head,
          void (*make)(rti_text *, const rti_shifts *, const rti_shift_group *, const rti_summary *),
          rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, head);
    for (int i = 0; i < shifts->group_count; i++) make(&text, shifts, &shifts->group[i], summary);
    rt_status status = rti_report_file(summary->plan, name, &text, error);
    rti_text_deinit(&text);
    return status;
}

rt_status rti_shifts_write(const rti_shifts *shifts, const rti_summary *summary, rt_error *error) {
    if (!shifts->group_count) return RT_OK;
    RT_TRY(write_all(shifts, summary, "shift.csv",
                     "role,facet,cell,seed,choice,s,classes,bias,errors,errors_unseen,examples_unseen,"
                     "accuracy_unseen\n",
                     choices_csv, error));
    RT_TRY(write_all(shifts, summary, "shift-curve.csv", "role,facet,cell,seed,s,errors,errors_unseen\n",
                     curves_csv, error));
    for (int f = 0; f < summary->plan->facet_count; f++) RT_TRY(write_mean(shifts, summary, f, error));
    return RT_OK;
}
