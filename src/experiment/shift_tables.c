/* shift_tables.c - what shifted biases do, as tables.                  Floor 8 (experiment) */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/findings.h"
#include "experiment/omission.h"
#include "formats/csv.h"

/* ---- numbers ------------------------------------------------------------------------------------ */

/* "206 +- 12", "14.3 +- 2.5"; one network's count is whole. */
static void count_text(const rti_estimate *e, char out[48]) {
    if (!isfinite(e->mean))
        snprintf(out, 48, "-");
    else if (!isfinite(e->half))
        snprintf(out, 48, "%.10g", e->mean);
    else
        snprintf(out, 48, "%.1f +- %.1f", e->mean, e->half);
}

/* "+3.5 +- 0.2"; with the sign that the paper would give it. */
static void bias_text(const rti_shift_group *group, const rti_estimate *e, char out[48]) {
    double s = group->lowers_seen ? 0 - e->mean : e->mean;
    if (!isfinite(s))
        snprintf(out, 48, "-");
    else if (!isfinite(e->half))
        snprintf(out, 48, s == 0 ? "0" : "%+.2f", s);
    else if (s == 0)
        snprintf(out, 48, "0");
    else
        snprintf(out, 48, "%+.2f +- %.2f", s, e->half);
}

static void accuracy_text(const rti_estimate *e, bool brief, char out[48]) {
    rti_estimate shown = *e;
    if (brief) shown.half = NAN;
    rti_percent(&shown, out);
}

/* ---- one row for each choice of each group ------------------------------------------------------- */

enum { WHO, CHOICE, BIAS, ERRORS, UNSEEN, RIGHT, COLUMNS };

typedef struct shown {
    const rti_shifts *shifts;
    bool brief; /* for the terminal: no interval of accuracies */
    const rti_shift_group *group[RTI_CELLS_MAX];
    int count;
} shown;

static void name_of(const rti_summary *summary, const rti_shift_group *group, char out[RTI_LABEL_MAX]) {
    char label[RTI_LABEL_MAX], facet[RTI_LABEL_MAX], all[2 * RTI_LABEL_MAX + 4];
    rti_finding_label(summary, group->facet, group->cell, label);
    facet[0] = 0;
    if (group->cell >= 0) rti_label_cell(summary->plan, group->cell, RTI_LABEL_FACET, facet, sizeof facet);
    snprintf(all, sizeof all, "%s%s%s", label, facet[0] ? ", " : "", facet);
    rti_label_plain(all, out, 56);
}

static void choice_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    static const char *const heads[COLUMNS] = {"", "shift", "bias", "errors", "on unseen", "unseen right, %"};
    static const char *const choices[RTI_SHIFT_CHOICES] = {"none", "prior", "prior, test set",
                                                           "tuned on test"};
    const shown *all = table->more;
    char number[48];
    snprintf(out, RTI_LABEL_MAX, "%s", heads[column]);
    if (row == 0) return;
    const rti_shift_group *group = all->group[(row - 1) / RTI_SHIFT_CHOICES];
    const rti_shift_choice choice = (rti_shift_choice)((row - 1) % RTI_SHIFT_CHOICES);
    const rti_shift_mean m = rti_shift_mean_of(all->shifts, group, choice);
    switch (column) {
    case WHO:
        if (choice)
            out[0] = 0;
        else
            name_of(table->summary, group, out);
        return;
    case CHOICE:
        snprintf(out, RTI_LABEL_MAX, "%s", choices[choice]);
        return;
    case BIAS:
        bias_text(group, &m.s, number);
        break;
    case ERRORS:
        count_text(&m.errors, number);
        break;
    case UNSEEN:
        count_text(&m.errors_unseen, number);
        break;
    default:
        accuracy_text(&m.accuracy_unseen, all->brief, number);
    }
    snprintf(out, RTI_LABEL_MAX, "%s", number);
}

static rti_table table_of(const shown *all, const rti_summary *summary) {
    return (rti_table){summary, 0, 1 + RTI_SHIFT_CHOICES * all->count, COLUMNS, choice_text, all};
}

/* All groups when they are few, else those that stand for their facets. */
static void choose(shown *all, const rti_shifts *shifts, const rti_summary *summary, int few, bool brief) {
    *all = (shown){.shifts = shifts, .brief = brief};
    for (int i = 0; i < shifts->group_count && all->count < RTI_CELLS_MAX; i++) {
        const rti_shift_group *group = &shifts->group[i];
        if (shifts->group_count > few && group != rti_shift_shown(shifts, summary, group->facet) &&
            !(group->cell < 0 && summary->plan->facet_count == 1))
            continue;
        all->group[all->count++] = group;
    }
}

/* ---- omitted classes in turn --------------------------------------------------------------------- */

static bool is_omission(const char *key) { return !strcmp(key, "data.transfer.omit_classes"); }

const char *rti_omitted_label(const rti_summary *summary, int facet, char out[RTI_LABEL_MAX]) {
    const rti_plan *plan = summary->plan;
    const rti_cell *cell = &plan->cells[summary->facets[facet].first_cell];
    char all[2 * RTI_LABEL_MAX] = "", axis[RTI_KEY_MAX + 8], value[RTI_LABEL_MAX];
    for (int a = 0; a < plan->spec.axis_count; a++) {
        if (a == plan->temperature_axis || a == plan->alpha_axis) continue;
        size_t length = strlen(all);
        rti_label_value(&plan->spec.axes[a].values[cell->value[a]], value, sizeof value);
        bool bare = is_omission(plan->spec.axes[a].key);
        char *text = value;
        if (bare && value[0] == '[') {
            text++;
            value[strlen(value) - 1] = 0;
        }
        snprintf(all + length, sizeof all - length, "%s%s%s%s", length ? "; " : "",
                 bare ? "" : rti_label_axis(plan, a, axis, sizeof axis), bare ? "" : " ", text);
    }
    return rti_label_plain(all, out, RTI_LABEL_MAX);
}

typedef struct omitted {
    const rti_shifts *shifts;
    bool brief;
    const rti_shift_group *group[RTI_CELLS_MAX];
    int count;
} omitted;

static void find_omitted(omitted *o, const rti_shifts *shifts, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    bool swept = false;
    *o = (omitted){.shifts = shifts};
    for (int a = 0; a < plan->spec.axis_count; a++) swept = swept || is_omission(plan->spec.axes[a].key);
    for (int f = 0; swept && f < plan->facet_count && o->count < RTI_CELLS_MAX; f++) {
        const rti_shift_group *group = rti_shift_shown(shifts, summary, f);
        if (group) o->group[o->count++] = group;
    }
    if (o->count < 2) o->count = 0;
}

enum { OMITTED, BEFORE, MATCHED, TUNED, RIGHT_BEFORE, RIGHT_MATCHED, RIGHT_TUNED, OMITTED_COLUMNS };
static const rti_shift_choice column_choice[] = {
    [BEFORE] = RTI_SHIFT_NONE,       [MATCHED] = RTI_SHIFT_PRIOR,       [TUNED] = RTI_SHIFT_TUNED,
    [RIGHT_BEFORE] = RTI_SHIFT_NONE, [RIGHT_MATCHED] = RTI_SHIFT_PRIOR, [RIGHT_TUNED] = RTI_SHIFT_TUNED};

static void omitted_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    static const char *const heads[OMITTED_COLUMNS] = {"classes",         "errors", "prior", "tuned",
                                                       "unseen right, %", "prior",  "tuned"};
    const omitted *o = table->more;
    char number[48];
    snprintf(out, RTI_LABEL_MAX, "%s", heads[column]);
    if (row == 0) return;
    const rti_shift_group *group = o->group[row - 1];
    if (column == OMITTED) {
        rti_omitted_label(table->summary, group->facet, out);
        return;
    }
    const rti_shift_mean m = rti_shift_mean_of(o->shifts, group, column_choice[column]);
    if (column < RIGHT_BEFORE)
        count_text(&m.errors, number);
    else
        accuracy_text(&m.accuracy_unseen, o->brief, number);
    snprintf(out, RTI_LABEL_MAX, "%s", number);
}

static void add_estimate(rti_text *text, const rti_estimate *e) {
    rti_csv_add_number(text, e->mean, false);
    rti_csv_add_number(text, e->half, false);
}

rt_status rti_omitted_write(const rti_shifts *shifts, const rti_summary *summary, int *rows,
                            rt_error *error) {
    static const char *const names[RTI_SHIFT_CHOICES] = {"", "_prior", "_test_prior", "_tuned"};
    omitted o;
    char label[RTI_LABEL_MAX];
    rti_text text = RTI_TEXT_EMPTY;
    find_omitted(&o, shifts, summary);
    *rows = o.count;
    if (!o.count) return RT_OK;
    rti_text_append(&text, "classes,facet,cell,seeds,examples,examples_unseen");
    for (int c = 0; c < RTI_SHIFT_CHOICES; c++)
        rti_text_printf(&text,
                        ",s%s,s%s_half,errors%s,errors%s_half,accuracy_unseen%s,accuracy_unseen%s_half",
                        names[c], names[c], names[c], names[c], names[c], names[c]);
    rti_text_append(&text, "\n");
    for (int i = 0; i < o.count; i++) {
        const rti_shift_group *group = o.group[i];
        rti_csv_append(&text, rti_omitted_label(summary, group->facet, label), true);
        rti_text_printf(&text, ",%d,%d,%d,%lld,%lld", group->facet + 1, group->cell + 1, group->count,
                        (long long)group->examples, (long long)group->examples_unseen);
        for (int c = 0; c < RTI_SHIFT_CHOICES; c++) {
            rti_shift_mean m = rti_shift_mean_of(shifts, group, (rti_shift_choice)c);
            add_estimate(&text, &m.s);
            add_estimate(&text, &m.errors);
            add_estimate(&text, &m.accuracy_unseen);
        }
        rti_text_append(&text, "\n");
    }
    rt_status status = rti_report_file(summary->plan, "omitted.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}

/* ---- where they stand ---------------------------------------------------------------------------- */

/* "omitted 3", "seen 7, 8" */
static void sides(rti_text *out, const rti_shift_group *group) {
    rti_text_printf(out, "%s %s", group->lowers_seen ? "seen" : "omitted", group->classes);
}

void rti_shifts_terminal(rti_text *out, const rti_shifts *shifts, const rti_summary *summary) {
    if (!shifts->group_count) return;
    omitted o;
    find_omitted(&o, shifts, summary);
    o.brief = true;
    rti_text_append(out, "\n  unseen classes: test errors when their bias is shifted");
    if (o.count) {
        rti_text_append(out, " to match the prior, and tuned on test\n");
        rti_table table = {summary, 0, 1 + o.count, OMITTED_COLUMNS, omitted_text, &o};
        rti_table_print(out, &table, 4);
    } else {
        shown all;
        rti_text_append(out, " (bias of ");
        sides(out, &shifts->group[0]);
        rti_text_append(out, ")\n");
        choose(&all, shifts, summary, 4, true);
        rti_table table = table_of(&all, summary);
        rti_table_print(out, &table, 4);
    }
    rti_text_append(out,
                    "  prior: matched on training images without labels, no test image and no test label is "
                    "used;\n  tuned on test: as in Hinton et al. 2015, flatters itself\n");
}

static const char introduction[] =
    "## Classes that students never see\n\n"
    "Test errors, last epoch, mean and 95 % interval over seeds, when the biases of all unseen classes are\n"
    "raised together, or those of the seen ones lowered where these are fewer, which is the same. Each seed\n"
    "has a shift of its own:\n\n"
    "* prior: the shift at which the student takes as many training images for an unseen class as there are\n"
    "  training labels of one. The images are what the teacher was trained on, without their labels; no "
    "test\n"
    "  image and no test label is used\n"
    "* prior, test set: the same part, of the test images without their labels\n"
    "* tuned on test: the shift with the fewest test errors, as in Hinton, Vinyals, Dean 2015; it flatters\n"
    "  itself\n\n";

/* Whose bias the table tells, and how many examples are of unseen classes; each once. */
static void add_biases(rti_text *out, const shown *all) {
    const char *before = NULL;
    rti_text_append(out, "The bias is of: ");
    for (int i = 0; i < all->count; i++) {
        const rti_shift_group *group = all->group[i];
        if (before && !strcmp(before, group->classes)) continue;
        rti_text_append(out, before ? "; " : "");
        sides(out, group);
        rti_text_printf(out, " (prior of the unseen classes %.2f %%, %lld of %lld test examples)",
                        100 * group->prior, (long long)group->examples_unseen, (long long)group->examples);
        before = group->classes;
    }
    rti_text_append(out, ".\n\n");
}

void rti_shifts_markdown(rti_text *out, const rti_shifts *shifts, const rti_summary *summary) {
    if (!shifts->group_count) return;
    omitted o;
    shown all;
    find_omitted(&o, shifts, summary);
    choose(&all, shifts, summary, 16, false);
    rti_text_append(out, introduction);
    if (o.count) {
        rti_table table = {summary, 0, 1 + o.count, OMITTED_COLUMNS, omitted_text, &o};
        rti_table_markdown(out, &table);
        rti_text_append(out,
                        "\nErrors, and accuracy on the unseen classes: as trained, matched to the prior on "
                        "training images, tuned on test.\n\n");
    }
    if (!o.count)
        add_biases(out, &all);
    else
        rti_text_append(out, "Each row's bias is that of the classes it names.\n\n");
    rti_table table = table_of(&all, summary);
    rti_table_markdown(out, &table);
    rti_text_append(out, "\nshift.csv has a row per student and choice, shift-curve.csv the errors at every "
                         "s.\n\n");
}
