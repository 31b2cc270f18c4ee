/* league_csv.c - the files behind a league table.                      Floor 8 (experiment)
 *
 * league.csv in parts of 1 and nats, learning.csv in per cent, as other pictures' files. */
#include <math.h>
#include <stdio.h>

#include "experiment/league.h"
#include "formats/csv.h"

static void add_estimate(rti_text *text, const rti_estimate *e) {
    rti_csv_add_number(text, e->count ? e->mean : NAN, false);
    rti_csv_add_number(text, e->count ? e->half : NAN, false);
}

static void add_line(rti_text *text, const rti_league_line *line, int rank) {
    static const rti_estimate none = {0, NAN, NAN, NAN};
    const rti_group *g = line->group;
    const rti_paired *p = line->against ? &line->against->paired : NULL;
    rti_text_printf(text, "%d", rank);
    rti_csv_append(text, line->label, false);
    rti_csv_append(text, line->chosen, false);
    rti_text_printf(text, ",%d,%d", line->points, g ? g->done : 0);
    rti_estimate accuracy = g ? g->test_last : none, best = g ? g->test_best : none,
                 validation = g ? g->validation_last : none, gain = p ? p->difference : none;
    accuracy.mean = 1.0 - accuracy.mean, best.mean = 1.0 - best.mean, validation.mean = 1.0 - validation.mean;
    gain.mean = -gain.mean;
    add_estimate(text, &accuracy);
    add_estimate(text, &best);
    add_estimate(text, &validation);
    add_estimate(text, &gain);
    rti_csv_add_number(text, p ? p->p : NAN, false);
    rti_csv_add_number(text, line->against ? line->against->p_holm : NAN, false);
    rti_csv_append(text, p ? rti_verdict_name(p->verdict) : "", false);
    add_estimate(text, g ? &g->agreement : &none);
    add_estimate(text, g ? &g->teacher_kl : &none);
    add_estimate(text, g ? &g->ece : &none);
    add_estimate(text, g ? &g->nll : &none);
    add_estimate(text, g ? &g->seconds : &none);
    rti_text_printf(text, ",%lld", (long long)line->extra_parameters);
    rti_csv_append(text, line->reason, false);
    rti_text_append(text, "\n");
}

static void league_csv(rti_text *text, const rti_league *league) {
    rti_text_append(
        text, "rank,row,chosen,points,seeds,accuracy,accuracy_half,accuracy_best_epoch,accuracy_best_half,"
              "validation,validation_half,gain,gain_half,p,p_holm,verdict,agreement,agreement_half,"
              "teacher_kl,teacher_kl_half,ece,ece_half,nll,nll_half,seconds,seconds_half,"
              "extra_parameters,left_out\n");
    for (int i = 0; i < league->count; i++) add_line(text, &league->line[i], i + 1);
}

static void terms_csv(rti_text *text, const rti_league *league) {
    rti_text_append(text, "row,term,value,gradient,logit_gradient\n");
    for (int i = 0; i < league->count; i++) {
        const rti_league_line *line = &league->line[i];
        for (int t = 0; t < line->term_count; t++) {
            rti_csv_append(text, line->label, true);
            rti_csv_append(text, line->term[t].name, false);
            rti_csv_add_number(text, line->term[t].value, false);
            rti_csv_add_number(text, line->term[t].gradient, false);
            rti_csv_add_number(text, line->term[t].logit_gradient, false);
            rti_text_append(text, "\n");
        }
    }
}

/* ---- learning.csv: validation accuracy by epoch, a column a line ------------------------------------ */

static const int *trials_of(const rti_league *league, const rti_league_line *line) {
    const rti_plan *plan = league->summary->plan;
    if (line->cell >= 0) return plan->cells[line->cell].trials;
    return line->row < 0 && line->group ? plan->cells[league->summary->facets[0].first_cell].scratch : NULL;
}

static double at_epoch(const rti_league *league, const int trials[], int epoch) {
    double sum = 0;
    int known = 0;
    for (int s = 0; trials && s < league->summary->plan->spec.seed_count; s++) {
        const rti_record *r = trials[s] < 0 ? NULL : &league->summary->records[trials[s]];
        if (!r || r->state != RTI_DONE || epoch >= r->epoch_count) continue;
        if (!isfinite(r->rows[epoch].validation_accuracy)) continue;
        sum += 100.0 * r->rows[epoch].validation_accuracy;
        known++;
    }
    return known ? sum / known : NAN;
}

static int epochs_of(const rti_league *league) {
    int epochs = 0;
    for (int t = 0; t < league->summary->plan->trial_count; t++) {
        const rti_trial *trial = &league->summary->plan->trials[t];
        const rti_record *r = &league->summary->records[t];
        if (trial->role != RTI_TEACHER && !trial->tuning && r->state == RTI_DONE && r->epoch_count > epochs)
            epochs = r->epoch_count;
    }
    return epochs;
}

static void learning_csv(rti_text *text, const rti_league *league) {
    rti_text_append(text, "epoch");
    for (int i = 0; i < league->count; i++) rti_csv_append(text, league->line[i].label, false);
    rti_text_append(text, "\n");
    int epochs = epochs_of(league);
    for (int epoch = 0; epoch < epochs; epoch++) {
        rti_text_printf(text, "%d", epoch + 1);
        for (int i = 0; i < league->count; i++)
            rti_csv_add_number(text, at_epoch(league, trials_of(league, &league->line[i]), epoch), false);
        rti_text_append(text, "\n");
    }
}

rt_status rti_league_write(const rti_league *league, rt_error *error) {
    static const struct {
        const char *name;
        void (*make)(rti_text *, const rti_league *);
    } files[] = {{"league.csv", league_csv}, {"league-terms.csv", terms_csv}, {"learning.csv", learning_csv}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        rti_text text = RTI_TEXT_EMPTY;
        files[i].make(&text, league);
        rt_status status = rti_report_file(league->summary->plan, files[i].name, &text, error);
        rti_text_deinit(&text);
        RT_TRY(status);
    }
    return RT_OK;
}
