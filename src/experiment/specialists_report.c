/* specialists_report.c - what the terminal shows of specialists, and report.md.  Floor 8 (experiment) */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/plot.h"
#include "experiment/specialists.h"
#include "experiment/specialists_files.h"
#include "retort/alloc.h"

/* ---- table 3 ---- */

static void accuracy_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    static const char *const head[] = {"in %",     "generalist", "+ specialists", "change",
                                       "relative", "trained on", "over it"};
    static const char *const names[] = {"", "test accuracy", "conditional"};
    static const rti_specialists_quantity what[] = {0,
                                                    RTI_SPECIALISTS_GENERALIST,
                                                    RTI_SPECIALISTS_FULL,
                                                    RTI_SPECIALISTS_DELTA,
                                                    RTI_SPECIALISTS_DELTA,
                                                    RTI_SPECIALISTS_ON,
                                                    RTI_SPECIALISTS_OVER_ON};
    if (row == 0 || column == 0) {
        snprintf(out, RTI_LABEL_MAX, "%s", row == 0 ? head[column] : names[row]);
        return;
    }
    char number[48];
    rti_estimate e = rti_specialists_over_seeds(table->more, what[column], row == 2);
    const rti_estimate before = rti_specialists_over_seeds(table->more, RTI_SPECIALISTS_GENERALIST, row == 2);
    if (row == 1 && column == 1) e.half = NAN; /* one network: seeds do not change it */
    out[0] = 0;
    if (column == 4 && before.mean > 0)
        snprintf(out, RTI_LABEL_MAX, "%+.2f %%", 100 * e.mean / before.mean);
    else if (column == 3 || column == 6)
        snprintf(out, RTI_LABEL_MAX, "%s", rti_points(&e, number));
    else if (column != 4)
        snprintf(out, RTI_LABEL_MAX, "%s", rti_percent(&e, number));
}

/* ---- table 4 ---- */

static void with_half(const rti_estimate *e, const char *format, char out[RTI_LABEL_MAX]) {
    const int length = snprintf(out, RTI_LABEL_MAX, format, e->mean);
    if (isfinite(e->half) && length > 0)
        snprintf(out + length, (size_t)(RTI_LABEL_MAX - length), " +- %.2f", e->half);
}

static void coverage_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    static const char *const head[] = {"specialists covering", "test examples", "change in right",
                                       "relative change, %", "seeds"};
    const rti_specialists_result *r = table->more;
    out[0] = 0;
    if (row == 0) {
        snprintf(out, RTI_LABEL_MAX, "%s", head[column]);
        return;
    }
    const rti_coverage c = rti_coverage_of(r, row - 1);
    if (column == 0)
        snprintf(out, RTI_LABEL_MAX, "%d", row - 1);
    else if (!c.seeds)
        snprintf(out, RTI_LABEL_MAX, "-");
    else if (column == 1)
        snprintf(out, RTI_LABEL_MAX, "%.0f", c.examples.mean);
    else if (column == 2)
        with_half(&c.delta, "%+.1f", out);
    else if (column == 3 && c.relative.count)
        with_half(&c.relative, "%+.2f", out);
    else if (column == 4)
        snprintf(out, RTI_LABEL_MAX, "%d", c.seeds);
}

static rti_table table_3(const rti_specialists_result *r) {
    return (rti_table){NULL, 0, 3, 7, accuracy_text, r};
}
static rti_table table_4(const rti_specialists_result *r) {
    return (rti_table){NULL, 0, 2 + rti_coverage_most(r), 5, coverage_text, r};
}

/* ---- words ---- */

static double mean_of(const rti_specialists_result *r, double (*value)(const rti_specialists_seed *)) {
    double sum = 0;
    for (int i = 0; i < r->seed_count; i++) sum += value(&r->seeds[i]);
    return sum / r->seed_count;
}

static double won(const rti_specialists_seed *s) { return (double)s->won; }
static double lost(const rti_specialists_seed *s) { return (double)s->lost; }
static double steps(const rti_specialists_seed *s) { return s->steps; }
static double on_epochs(const rti_specialists_seed *s) { return (double)s->on_epochs; }
static double classes(const rti_specialists_seed *s) { return s->union_classes; }

static void say_notes(rti_text *out, const rti_specialists_result *r, const char *before, const char *after) {
    rti_text_printf(out, "%s%s; %.1f wrong ones become right, %.1f right ones become wrong (mean)%s", before,
                    r->seed_count > 1 ? "mean and 95 % interval over seeds, which make sets and specialists"
                                      : "one seed: no intervals",
                    mean_of(r, won), mean_of(r, lost), after);
    rti_text_printf(
        out,
        "%sconditional: test examples whose class is in a set, answers among the classes of the sets "
        "(%.4g of %d)%s",
        before, mean_of(r, classes), r->K, after);
    if (r->seeds[0].on_epochs)
        rti_text_printf(
            out,
            "%strained on: the generalist itself for %.4g epochs more, as many examples as all its "
            "specialists are shown; over it: + specialists less trained on%s",
            before, mean_of(r, on_epochs), after);
    rti_text_printf(out, "%sequation 5: %.1f steps an example, gradient at most %.0e%s", before,
                    mean_of(r, steps), RTI_DESCENT_TOLERANCE, after);
}

static void say_settings(rti_text *out, const rti_specialists_result *r) {
    rti_text_printf(out, "%d specialists of %d classes (%s%s), %" PRId64 " epoch%s each, %s; asked when ",
                    r->count, r->n, r->law == RTI_SETS_RANDOM ? "at " : "clusters of the ",
                    rti_set_law_name(r->law), r->epochs, r->epochs == 1 ? "" : "s", r->rates);
    if (r->cover > 1)
        rti_text_printf(out, "one of the %d most probable classes is theirs", r->cover);
    else
        rti_text_append(out, "the most probable class is theirs");
}

void rti_specialists_text(rti_text *out, const rti_specialists_result *r) {
    const rti_table three = table_3(r), four = table_4(r);
    rti_text_printf(out, "  generalist %s\n  ", r->generalist);
    say_settings(out, r);
    rti_text_append(out, "\n\n");
    rti_table_print(out, &three, 2);
    rti_text_append(out, "\n");
    rti_table_print(out, &four, 2);
    rti_text_append(out, "\n");
    say_notes(out, r, "  ", "\n");
    const char *note = rt_dataset_note(r->set);
    if (note[0]) rti_text_printf(out, "  %s\n", note);
    if (r->trouble[0]) rti_text_printf(out, "\n  %s\n", r->trouble);
    rti_text_printf(out, "  %s/report.md   accuracy.csv   coverage.csv   specialists.csv   sets.csv%s\n",
                    r->directory, r->drawn ? "   coverage.svg" : "");
    rti_text_printf(out,
                    "  %s/seed-%" PRIu64 "/train-logits.npy, test-logits.npy: for [teacher] logits = ...\n",
                    r->directory, r->seeds[0].seed);
}

/* ---- report.md ---- */

static void add_sets(rti_text *out, const rti_specialists_result *r) {
    const rti_special_sets *s = &r->seeds[0].sets;
    rti_text_printf(out, "\n## Sets of seed %" PRIu64 "\n\n", r->seeds[0].seed);
    for (int m = 0; m < s->count; m++) {
        rti_text_printf(out, "%d. ", m + 1);
        for (int i = 0; i < s->n; i++) {
            char buffer[16];
            if (i) rti_text_append(out, i == s->own[m] ? "; filled up with " : ", ");
            rti_markdown_escape(out, rt_dataset_class_name(r->set, s->classes[m * s->n + i], buffer));
        }
        rti_text_append(out, "\n");
    }
}

rt_status rti_specialists_report(const rti_specialists_result *r, const char *name, const rti_plan *place,
                                 rt_error *error) {
    const rti_table three = table_3(r), four = table_4(r);
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, "# ");
    rti_markdown_escape(&text, name);
    rti_text_append(&text, ": specialists beside a generalist\n\n"
                           "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 5.\n\nGeneralist: ");
    rti_markdown_escape(&text, r->generalist);
    rti_text_printf(&text, ", weights %s.\nData: ", r->generalist_hash);
    rti_markdown_escape(&text, rt_dataset_summary(r->set));
    rti_text_append(&text, ".\n");
    say_settings(&text, r);
    rti_text_append(&text, ".\n\n## Accuracy (table 3 of the paper)\n\n");
    rti_table_markdown(&text, &three);
    rti_text_append(&text, "\n");
    say_notes(&text, r, "- ", "\n");
    rti_text_append(&text, "\n## By the number of specialists that cover the true class (table 4)\n\n");
    rti_table_markdown(&text, &four);
    if (r->drawn) rti_text_append(&text, "\n![gain by coverage](coverage.svg)\n");
    add_sets(&text, r);
    rti_text_append(
        &text,
        "\n## Files\n\naccuracy.csv, coverage.csv, specialists.csv and sets.csv have the numbers of each "
        "seed, specialists.json the settings. seed-N/train-logits.npy and test-logits.npy are log q of "
        "equation 5 for each example of the set, what `[teacher] logits` and `test_logits` read, so that "
        "a student learns from generalist and specialists together.\n");
    rt_status status = rti_report_file(place, "report.md", &text, error);
    rti_text_deinit(&text);
    return status;
}
