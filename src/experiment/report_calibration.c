/* report_calibration.c - how sure teacher and students are.            Floor 8 (experiment)
 *
 * Per facet the teacher, the scratch students and the chosen student, in a comparison the rows that stand
 * highest: RTI_CALIBRATION_LINES at most. calibration.csv holds the bins of every network, and of the
 * seeds of a line together ("all"), which the picture shows; calibration-networks.csv the numbers of every
 * network. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/findings.h"
#include "formats/csv.h"
#include "retort/alloc.h"

/* ---- asking ------------------------------------------------------------------------------------- */

typedef struct maker {
    rti_calibration *calibration;
    const rti_summary *summary;
    int facet, line;
} maker;

/* What the network says of a part: of the teacher when trial is -1. */
static rt_status ask(const maker *m, int trial, rt_part_name part, rti_answers *answers, rt_error *error) {
    const rti_plan *plan = m->summary->plan;
    if (trial >= 0) return rti_answers_of_done(answers, m->summary, trial, part, error);
    return rti_answers_of_teacher(answers, m->summary, rti_facet_student(plan, m->facet), part, 1, error);
}

static rt_status fit(rti_calibrated *c, const rti_answers *validation, rt_error *error) {
    rti_reliability plain, scaled;
    RT_TRY(rti_calibration_temperature(&c->T, validation, error));
    RT_TRY(rti_reliability_of(&plain, validation, 1, error));
    RT_TRY(rti_reliability_of(&scaled, validation, c->T, error));
    c->has_validation = true;
    c->nll_validation = plain.nll;
    c->nll_validation_scaled = scaled.nll;
    return RT_OK;
}

static rt_status measure(const maker *m, int trial, rti_calibrated *c, bool *known, rt_error *error) {
    rti_answers answers;
    c->T = c->nll_validation = c->nll_validation_scaled = NAN;
    RT_TRY(ask(m, trial, RT_PART_VALIDATION, &answers, error));
    rt_status status = answers.count ? fit(c, &answers, error) : RT_OK;
    rti_answers_deinit(&answers);
    RT_TRY(status);
    RT_TRY(ask(m, trial, RT_PART_TEST, &answers, error));
    *known = answers.count > 0;
    status = rti_reliability_of(&c->test, &answers, 1, error);
    if (status == RT_OK && c->has_validation) status = rti_reliability_of(&c->scaled, &answers, c->T, error);
    rti_answers_deinit(&answers);
    return status;
}

static rt_status add_network(maker *m, int trial, int seed, rt_error *error) {
    rti_calibration *all = m->calibration;
    rti_calibrated *c = &all->network[all->count];
    bool known = false;
    *c = (rti_calibrated){.facet = m->facet, .line = m->line, .trial = trial, .seed = seed};
    RT_TRY(measure(m, trial, c, &known, error));
    all->count += known;
    return RT_OK;
}

/* The line counts when somebody answered. */
static void end_line(maker *m, int before, const char *label) {
    if (m->calibration->count == before) return;
    snprintf(m->calibration->label[m->facet * RTI_CALIBRATION_LINES + m->line], RTI_LABEL_MAX, "%s", label);
    m->calibration->lines[m->facet] = ++m->line;
}

static rt_status add_group(maker *m, const int trials[], const char *label, rt_error *error) {
    const rti_plan *plan = m->summary->plan;
    int before = m->calibration->count;
    for (int s = 0; s < plan->spec.seed_count; s++)
        if (trials[s] >= 0 && m->summary->records[trials[s]].state == RTI_DONE)
            RT_TRY(add_network(m, trials[s], s, error));
    end_line(m, before, label);
    return RT_OK;
}

/* "distilled, T 4, alpha 0.9", "distilled student"; the rows of a comparison have names. */
static const char *name_of(const rti_summary *summary, int cell, char out[RTI_LABEL_MAX]) {
    char label[RTI_LABEL_MAX], all[RTI_LABEL_MAX + 16];
    rti_finding_label(summary, summary->plan->cells[cell].facet, cell, label);
    snprintf(all, sizeof all, "%s%s",
             summary->plan->spec.is_comparison ? ""
             : strcmp(label, "student") == 0   ? "distilled "
                                               : "distilled, ",
             label);
    return rti_label_plain(all, out, RTI_LABEL_MAX);
}

static rt_status add_facet(maker *m, rt_error *error) {
    const rti_plan *plan = m->summary->plan;
    char label[RTI_LABEL_MAX];
    int cells[RTI_CALIBRATION_LINES], before = m->calibration->count;
    const int student = rti_facet_student(plan, m->facet);
    if (student < 0) return RT_OK;
    if (rt_dataset_part(plan->datasets[plan->trials[student].dataset], RT_PART_TEST)->count < 1) return RT_OK;
    m->line = 0;
    RT_TRY(add_network(m, -1, -1, error));
    end_line(m, before, plan->trials[student].reference_count > 1 ? "teachers together" : "teacher");
    RT_TRY(add_group(m, plan->cells[m->summary->facets[m->facet].first_cell].scratch, "scratch", error));
    int count = rti_shown_cells(m->summary, m->facet, cells, RTI_CALIBRATION_LINES - m->line);
    for (int i = 0; i < count; i++)
        RT_TRY(add_group(m, plan->cells[cells[i]].trials, name_of(m->summary, cells[i], label), error));
    return RT_OK;
}

rt_status rti_calibration_make(rti_calibration *calibration, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    size_t lines = (size_t)plan->facet_count * RTI_CALIBRATION_LINES;
    *calibration = (rti_calibration){0};
    if (!plan->dataset_count) return RT_OK;
    calibration->network = rt_alloc_zero(lines * (size_t)plan->spec.seed_count, sizeof *calibration->network);
    calibration->lines = rt_alloc_zero((size_t)plan->facet_count, sizeof *calibration->lines);
    calibration->label = rt_alloc_zero(lines, sizeof *calibration->label);
    rt_status status = RT_OK;
    if (!calibration->network || !calibration->lines || !calibration->label)
        status = rt_fail(error, RT_MEMORY, "not enough memory for the table of calibration");
    maker m = {calibration, summary, 0, 0};
    for (; m.facet < plan->facet_count && status == RT_OK; m.facet++) status = add_facet(&m, error);
    if (status != RT_OK) rti_calibration_deinit(calibration);
    return status;
}

void rti_calibration_deinit(rti_calibration *calibration) {
    rt_free(calibration->network);
    rt_free(calibration->lines);
    rt_free(calibration->label);
    *calibration = (rti_calibration){0};
}

/* ---- means -------------------------------------------------------------------------------------- */

typedef double network_number(const rti_calibrated *c);

static double ece(const rti_calibrated *c) { return c->test.ece; }
static double nll(const rti_calibrated *c) { return c->test.nll; }
static double ece_scaled(const rti_calibrated *c) { return c->has_validation ? c->scaled.ece : NAN; }
static double nll_scaled(const rti_calibrated *c) { return c->has_validation ? c->scaled.nll : NAN; }
static double fitted(const rti_calibrated *c) { return c->T; }
static double nll_validation(const rti_calibrated *c) { return c->nll_validation; }
static double nll_validation_scaled(const rti_calibrated *c) { return c->nll_validation_scaled; }

static rti_estimate mean_of(const rti_calibration *all, int facet, int line, network_number *number,
                            int *count) {
    double values[RTI_SEEDS_MAX];
    *count = 0;
    for (int i = 0; i < all->count && *count < RTI_SEEDS_MAX; i++)
        if (all->network[i].facet == facet && all->network[i].line == line)
            values[(*count)++] = number(&all->network[i]);
    return rti_estimate_of(values, *count);
}

rti_calibration_mean rti_calibration_mean_of(const rti_calibration *all, int facet, int line) {
    int n;
    rti_calibration_mean m = {.ece = mean_of(all, facet, line, ece, &n),
                              .nll = mean_of(all, facet, line, nll, &n),
                              .ece_scaled = mean_of(all, facet, line, ece_scaled, &n),
                              .nll_scaled = mean_of(all, facet, line, nll_scaled, &n),
                              .T = mean_of(all, facet, line, fitted, &n),
                              .nll_validation = mean_of(all, facet, line, nll_validation, &n),
                              .nll_validation_scaled = mean_of(all, facet, line, nll_validation_scaled, &n)};
    m.networks = n;
    return m;
}

/* ---- calibration.csv: bins ---------------------------------------------------------------------- */

static void add_bins(rti_text *text, const char *label, const rti_calibrated *c, const char *seed,
                     bool scaled, const rti_reliability *r) {
    for (int b = 0; b < RTI_CALIBRATION_BINS; b++) {
        double n = (double)r->bin[b].count;
        rti_text_printf(text, "%d", c->line + 1);
        rti_csv_append(text, label, false);
        rti_text_printf(text, ",%s,%d,%d,%lld", seed, scaled, b + 1, (long long)r->bin[b].count);
        rti_csv_add_number(text, r->bin[b].confidence / n, false);
        rti_csv_add_number(text, (double)r->bin[b].correct / n, false);
        rti_text_append(text, "\n");
    }
}

static const char *label_of(const rti_calibration *all, int facet, int line) {
    return all->label[facet * RTI_CALIBRATION_LINES + line];
}

static void add_line(rti_text *text, const rti_calibration *all, const rti_summary *summary, int facet,
                     int line, bool scaled) {
    rti_reliability sum = {.examples = 0};
    const rti_calibrated *any = NULL;
    const char *label = label_of(all, facet, line);
    for (int i = 0; i < all->count; i++) {
        const rti_calibrated *c = &all->network[i];
        char seed[32] = "";
        if (c->facet != facet || c->line != line || (scaled && !c->has_validation)) continue;
        if (c->seed >= 0)
            snprintf(seed, sizeof seed, "%llu", (unsigned long long)summary->plan->spec.seeds[c->seed]);
        add_bins(text, label, c, seed, scaled, scaled ? &c->scaled : &c->test);
        rti_reliability_add(&sum, scaled ? &c->scaled : &c->test);
        any = c;
    }
    if (any) add_bins(text, label, any, "all", scaled, &sum);
}

static rt_status write_bins(const rti_calibration *all, const rti_summary *summary, int facet,
                            rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    char name[RTI_LABEL_MAX];
    rti_text_append(&text, "line,network,seed,scaled,bin,examples,confidence,accuracy\n");
    for (int line = 0; line < all->lines[facet]; line++)
        for (int scaled = 0; scaled < 2; scaled++) add_line(&text, all, summary, facet, line, scaled);
    rti_label_file(summary->plan, "calibration", facet, ".csv", name, sizeof name);
    rt_status status = rti_report_file(summary->plan, name, &text, error);
    rti_text_deinit(&text);
    return status;
}

/* ---- calibration-networks.csv ------------------------------------------------------------------- */

static void add_row(rti_text *text, const rti_calibration *all, const rti_summary *summary,
                    const rti_calibrated *c) {
    char seed[32] = "";
    if (c->seed >= 0)
        snprintf(seed, sizeof seed, "%llu", (unsigned long long)summary->plan->spec.seeds[c->seed]);
    rti_text_printf(text, "%d,%d", c->facet + 1, c->line + 1);
    rti_csv_append(text, label_of(all, c->facet, c->line), false);
    rti_text_printf(text, ",%s,%lld,%lld", seed, (long long)c->test.examples, (long long)c->test.errors);
    static network_number *const numbers[] = {
        nll, ece, fitted, nll_scaled, ece_scaled, nll_validation, nll_validation_scaled};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        rti_csv_add_number(text, numbers[i](c), false);
    rti_text_append(text, "\n");
}

rt_status rti_calibration_write(const rti_calibration *all, const rti_summary *summary, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    if (!all->count) return RT_OK;
    for (int f = 0; f < summary->plan->facet_count; f++)
        if (all->lines[f]) RT_TRY(write_bins(all, summary, f, error));
    rti_text_append(&text,
                    "facet,line,network,seed,examples,errors,nll,ece,T,nll_scaled,ece_scaled,nll_validation,"
                    "nll_validation_scaled\n");
    for (int i = 0; i < all->count; i++) add_row(&text, all, summary, &all->network[i]);
    rt_status status = rti_report_file(summary->plan, "calibration-networks.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}

/* ---- report.md ---------------------------------------------------------------------------------- */

static void number(rti_text *out, const rti_estimate *e, double factor, const char *format) {
    char text[48];
    if (!e->count) {
        rti_text_append(out, " | -");
        return;
    }
    snprintf(text, sizeof text, format, factor * e->mean);
    rti_text_printf(out, " | %s", text);
    if (!isfinite(e->half)) return;
    snprintf(text, sizeof text, format, factor * e->half);
    rti_text_printf(out, " ± %s", text);
}

static void table_of(rti_text *out, const rti_calibration *all, const rti_summary *summary, int facet) {
    rti_finding_heading(out, summary, facet);
    rti_text_append(out, "| | networks | ECE, % | NLL, nats | T* | ECE with T*, % | NLL with T*, nats |\n"
                         "|---|---|---|---|---|---|---|\n");
    for (int line = 0; line < all->lines[facet]; line++) {
        rti_calibration_mean m = rti_calibration_mean_of(all, facet, line);
        rti_text_append(out, "| ");
        rti_markdown_escape(out, label_of(all, facet, line));
        rti_text_printf(out, " | %d", m.networks);
        number(out, &m.ece, 100, "%.2f");
        number(out, &m.nll, 1, "%.4f");
        number(out, &m.T, 1, "%.2f");
        number(out, &m.ece_scaled, 100, "%.2f");
        number(out, &m.nll_scaled, 1, "%.4f");
        rti_text_append(out, " |\n");
    }
    rti_text_append(out, "\n");
}

void rti_calibration_markdown(rti_text *out, const rti_calibration *all, const rti_summary *summary) {
    if (!all->count) return;
    rti_text_append(
        out,
        "## Calibration\n\nOn the test set, last epoch, mean and 95 % interval over seeds. ECE: expected "
        "calibration error, 15 bins of the same width. T\\*: the one number that divides all logits of a "
        "network so that its NLL on the validation set is least (temperature scaling, Guo et al. 2017); it "
        "changes no answer. Above 1: the network was too sure.\n\n");
    for (int f = 0; f < summary->plan->facet_count; f++)
        if (all->lines[f]) table_of(out, all, summary, f);
    rti_text_append(out, "calibration.csv has the bins, calibration-networks.csv a row per network.\n\n");
}
