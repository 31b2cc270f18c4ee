/* league.c - see league.h: the lines of the table, and the tables.     Floor 8 (experiment) */
#include "experiment/league.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- lines -------------------------------------------------------------------------------------- */

/* "weight 1000, T 4": where the row's grid had a choice. */
static void describe_point(const rti_spec *spec, const rti_point *point, char out[RTI_LABEL_MAX]) {
    size_t used = 0;
    out[0] = 0;
    for (int a = 0; a < spec->axis_count && used < RTI_LABEL_MAX; a++) {
        const rti_axis *axis = &spec->axes[a];
        char value[64];
        const char *key = axis->key;
        if (axis->count < 2) continue;
        if (strncmp(key, "distill.", 8) == 0) key += 8;
        used += (size_t)snprintf(out + used, RTI_LABEL_MAX - used, "%s%s %s", used ? ", " : "", key,
                                 rti_label_value(&axis->values[point->value[a]], value, sizeof value));
    }
}

/* The mean of what the records of a cell's finished trials say of each term. */
static void add_terms(rti_league_line *line, const rti_summary *summary, const int trials[], int count) {
    int known = 0;
    for (int t = 0; t < count; t++) {
        const rti_record *r = trials[t] < 0 ? NULL : &summary->records[trials[t]];
        if (!r || r->state != RTI_DONE) continue;
        if (known++ == 0) {
            line->extra_parameters = r->extra_parameters;
            line->term_count = r->term_count;
            for (int i = 0; i < r->term_count; i++) line->term[i] = (rti_league_term){.value = 0};
        }
        for (int i = 0; i < r->term_count && i < line->term_count; i++) {
            memcpy(line->term[i].name, r->term[i].name, sizeof line->term[i].name);
            line->term[i].value += r->term[i].value;
            line->term[i].gradient += r->term[i].gradient;
            line->term[i].logit_gradient += r->term[i].logit_gradient;
        }
    }
    for (int i = 0; i < line->term_count; i++) {
        line->term[i].value /= known;
        line->term[i].gradient /= known;
        line->term[i].logit_gradient /= known;
    }
}

static rti_league_line scratch_line(const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    rti_league_line line = {.row = -1, .cell = -1, .label = "scratch", .points = 1, .reason = ""};
    if (!plan->facet_count || summary->facets[0].first_cell < 0) return line;
    line.group = &summary->facets[0].scratch;
    add_terms(&line, summary, plan->cells[summary->facets[0].first_cell].scratch, plan->spec.seed_count);
    return line;
}

static rti_league_line line_of(const rti_summary *summary, int row) {
    const rti_plan *plan = summary->plan;
    const rti_row *r = &plan->rows[row];
    rti_league_line line = {.row = row, .cell = -1, .points = r->point_count, .reason = r->reason};
    rti_label_plain(r->spec->label, line.label, sizeof line.label);
    int point = rti_row_chosen(plan, row, summary->records);
    if (point >= 0) line.cell = r->points[point].cell;
    if (line.cell < 0) return line;
    describe_point(r->spec, &r->points[point], line.chosen);
    line.group = &summary->cells[line.cell].students;
    line.against = &summary->cells[line.cell];
    add_terms(&line, summary, plan->cells[line.cell].trials, plan->spec.seed_count);
    return line;
}

static bool stands_above(const rti_league_line *a, const rti_league_line *b) {
    bool known = a->group && a->group->test_last.count, other = b->group && b->group->test_last.count;
    if (known != other) return known;
    return known && a->group->test_last.mean < b->group->test_last.mean;
}

/* An insertion sort: stable, and the list is short. */
static void put(rti_league *league, const rti_league_line *line) {
    int at = league->count++;
    for (; at > 0 && stands_above(line, &league->line[at - 1]); at--) league->line[at] = league->line[at - 1];
    league->line[at] = *line;
}

void rti_league_make(rti_league *league, const rti_summary *summary) {
    RT_ASSERT(summary->plan->spec.is_comparison, "the plan %s is no comparison", summary->plan->spec.name);
    league->summary = summary;
    league->count = 0;
    rti_league_line line = scratch_line(summary);
    put(league, &line);
    for (int row = 0; row < summary->plan->row_count; row++) {
        line = line_of(summary, row);
        put(league, &line);
    }
}

/* ---- the table of results ----------------------------------------------------------------------- */

/* Accuracy from an estimate of the error. */
static void accuracy_text(const rti_estimate *error, char out[RTI_LABEL_MAX]) {
    rti_estimate accuracy = *error;
    char number[48];
    accuracy.mean = 1.0 - error->mean;
    snprintf(out, RTI_LABEL_MAX, "%s", rti_percent(&accuracy, number));
}

static void gain_text(const rti_cell_summary *against, char out[RTI_LABEL_MAX]) {
    char number[48];
    if (!against) {
        snprintf(out, RTI_LABEL_MAX, "-");
        return;
    }
    rti_estimate gain = against->paired.difference;
    gain.mean = -gain.mean;
    snprintf(out, RTI_LABEL_MAX, "%s", rti_points(&gain, number));
}

static void verdict_text(const rti_cell_summary *against, char out[RTI_LABEL_MAX]) {
    char p[32];
    if (!against || isnan(against->paired.p)) {
        snprintf(out, RTI_LABEL_MAX, against ? "no test" : "-");
        return;
    }
    snprintf(out, RTI_LABEL_MAX, "%s, %s", rti_verdict_name(against->paired.verdict),
             rti_p_text(against->paired.p, p));
}

static void plain_number(const rti_estimate *e, const char *format, double factor, char out[RTI_LABEL_MAX]) {
    if (!e->count)
        snprintf(out, RTI_LABEL_MAX, "-");
    else
        snprintf(out, RTI_LABEL_MAX, format, factor * e->mean);
}

static const char *const heads[] = {"",   "accuracy, %", "gain, points", "verdict", "agreement, %",
                                    "KL", "ECE, %",      "seconds",      "extra",   "tuned over"};
enum { COLUMNS = sizeof heads / sizeof *heads };

static void league_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    const rti_league *league = table->more;
    if (row == 0) {
        snprintf(out, RTI_LABEL_MAX, "%s", heads[column]);
        return;
    }
    const rti_league_line *line = &league->line[row - 1];
    const rti_group *g = line->group;
    if (column == 0) {
        snprintf(out, RTI_LABEL_MAX, "%s%s%s%s", line->label, line->chosen[0] ? " (" : "", line->chosen,
                 line->chosen[0] ? ")" : "");
        return;
    }
    if (!g || !g->done) {
        snprintf(out, RTI_LABEL_MAX, "%s",
                 column > 1        ? ""
                 : line->reason[0] ? "left out"
                 : g && g->failed  ? "failed"
                                   : "not finished");
        return;
    }
    switch (column) {
    case 1:
        accuracy_text(&g->test_last, out);
        break;
    case 2:
        gain_text(line->against, out);
        break;
    case 3:
        verdict_text(line->against, out);
        break;
    case 4:
        plain_number(&g->agreement, "%.2f", 100.0, out);
        break;
    case 5:
        plain_number(&g->teacher_kl, "%.3f", 1.0, out);
        break;
    case 6:
        plain_number(&g->ece, "%.2f", 100.0, out);
        break;
    case 7:
        plain_number(&g->seconds, g->seconds.mean < 100 ? "%.1f" : "%.0f", 1.0, out);
        break;
    case 8:
        snprintf(out, RTI_LABEL_MAX, "%lld", (long long)line->extra_parameters);
        break;
    default:
        snprintf(out, RTI_LABEL_MAX, line->points > 1 ? "%d" : "-", line->points);
        break;
    }
}

rti_table rti_table_league(const rti_league *league) {
    return (rti_table){league->summary, 0, 1 + league->count, COLUMNS, league_text, league};
}

/* ---- the table of gradients ----------------------------------------------------------------------- */

static void gradient_text(const rti_league_line *line, int term, char out[RTI_LABEL_MAX]) {
    if (term >= line->term_count) {
        out[0] = 0;
        return;
    }
    const rti_league_term *t = &line->term[term];
    snprintf(out, RTI_LABEL_MAX, "%s %.3g / %.3g", t->name, t->gradient, t->logit_gradient);
}

static void gradients_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    const rti_league *league = table->more;
    if (row == 0 && column == 0)
        out[0] = 0;
    else if (row == 0)
        snprintf(out, RTI_LABEL_MAX, "term %d", column);
    else if (column == 0)
        snprintf(out, RTI_LABEL_MAX, "%s", league->line[row - 1].label);
    else
        gradient_text(&league->line[row - 1], column - 1, out);
}

rti_table rti_table_gradients(const rti_league *league) {
    int terms = 0;
    for (int i = 0; i < league->count; i++)
        if (league->line[i].term_count > terms) terms = league->line[i].term_count;
    return (rti_table){league->summary, 0, 1 + league->count, 1 + terms, gradients_text, league};
}

/* ---- words ---------------------------------------------------------------------------------------- */

static const char gradients_are[] =
    "length of each term's weighted gradient over the student's parameters / over its logits,%sfirst step of "
    "each epoch, mean over epochs and seeds: a gain with a gradient%slike scratch's is not a larger loss";

static void left_out(rti_text *out, const rti_league *league, const char *before, const char *between) {
    for (int i = 0; i < league->count; i++)
        if (league->line[i].reason[0])
            rti_text_printf(out, "%s%s%s%s\n", before, league->line[i].label, between,
                            league->line[i].reason);
}

static void tuning(rti_text *out, const rti_plan *plan, const char *before) {
    if (!plan->spec.tuned) return;
    rti_text_printf(
        out, "%severy row with a grid was tuned on validation accuracy: %d seed%s, %lld epochs a point\n",
        before, plan->spec.tune_seed_count, plan->spec.tune_seed_count == 1 ? "" : "s",
        (long long)(plan->spec.tune_epochs ? plan->spec.tune_epochs
                                           : rt_params_int(&plan->spec.base.student, "epochs")));
}

static int tests(const rti_league *league) {
    int count = 0;
    for (int i = 0; i < league->count; i++)
        count += league->line[i].against && !isnan(league->line[i].against->paired.p);
    return count;
}

void rti_league_terminal(rti_text *out, const rti_league *league) {
    const rti_plan *plan = league->summary->plan;
    rti_table table = rti_table_league(league), gradients = rti_table_gradients(league);
    rti_table_print(out, &table, 2);
    rti_text_append(out, "\n");
    if (gradients.columns > 1) {
        rti_table_print(out, &gradients, 2);
        rti_text_append(out, "  ");
        rti_text_printf(out, gradients_are, "\n  ", "\n  ");
        rti_text_append(out, "\n\n");
    }
    left_out(out, league, "  left out: ", ": ");
    rti_text_append(out, "  test accuracy, last epoch, mean and 95 % interval over seeds\n"
                         "  gain: paired with the student of the same seed that was trained on labels alone\n"
                         "  agreement and KL(teacher || student): with the teacher, on the test set\n"
                         "  extra: parameters of adapters, not in the student\n");
    rti_data_notes(out, plan, "  ", "\n");
    if (tests(league) > 1)
        rti_text_printf(
            out,
            "  %d tests at p < 0.05: about %.1f differences would be found where there are none;\n"
            "  league.csv has p adjusted for all\n",
            tests(league), 0.05 * tests(league));
    tuning(out, plan, "  ");
}

void rti_league_markdown(rti_text *out, const rti_league *league) {
    const rti_plan *plan = league->summary->plan;
    rti_table table = rti_table_league(league), gradients = rti_table_gradients(league);
    rti_text_append(out,
                    "## League table\n\n"
                    "Test accuracy of the last epoch, mean and 95 % interval over seeds. Gain: against the "
                    "student of the same architecture, initial weights, data order and budget that saw the "
                    "labels alone, paired by seed, with the verdict of a paired t-test (p < 0.05). "
                    "Agreement and KL(teacher || student) are with the teacher, on test data. Extra: "
                    "parameters of adapters, trained with the student and no part of it. The order is for "
                    "reading; the test set chose nothing.\n\n");
    rti_table_markdown(out, &table);
    rti_text_append(out, "\n");
    rti_data_notes(out, plan, "* ", "\n");
    tuning(out, plan, "* ");
    left_out(out, league, "* left out: ", ": ");
    if (gradients.columns < 2) return;
    rti_text_append(out, "\n## Which term pulls how hard\n\nThe ");
    rti_text_printf(out, gradients_are, " ", " ");
    rti_text_append(out, ".\n\n");
    rti_table_markdown(out, &gradients);
    rti_text_append(out, "\n");
}
