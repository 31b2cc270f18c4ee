/* limit_files.c - limit.csv, gradients-by-temperature.csv, and what report.md says of them.  Floor 8 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/sweeps.h"
#include "formats/csv.h"

/* ---- limit.csv: a row per temperature ------------------------------------------------------------- */

rt_status rti_limits_write(const rti_limits *limits, const rti_summary *summary, rt_error *error) {
    for (int i = 0; i < limits->count; i++) {
        const rti_limit *l = &limits->limit[i];
        char name[RTI_LABEL_MAX];
        rti_text text = RTI_TEXT_EMPTY;
        rti_text_append(&text, "T,swept,soft,soft_times_T2,hard,cosine,ratio,examples\n");
        for (int t = 0; t < l->count; t++) {
            const rti_limit_point *p = &l->point[t];
            rti_csv_add_number(&text, p->T, true);
            rti_text_printf(&text, ",%d", p->is_swept);
            rti_csv_add_number(&text, p->soft, false);
            rti_csv_add_number(&text, p->scaled, false);
            rti_csv_add_number(&text, l->hard, false);
            rti_csv_add_number(&text, p->cosine, false);
            rti_csv_add_number(&text, p->ratio, false);
            rti_text_printf(&text, ",%lld\n", (long long)l->examples);
        }
        rti_label_file(summary->plan, "limit", l->facet, ".csv", name, sizeof name);
        rt_status status = rti_report_file(summary->plan, name, &text, error);
        rti_text_deinit(&text);
        if (status != RT_OK) return status;
    }
    return RT_OK;
}

/* ---- gradients-by-temperature.csv: a row per cell and term ----------------------------------------- */

int rti_cell_terms(const rti_summary *summary, int cell, const char *names[RT_TERMS_MAX]) {
    int count = 0;
    for (int s = 0; cell >= 0 && s < summary->plan->spec.seed_count; s++) {
        int trial = summary->plan->cells[cell].trials[s];
        const rti_record *r = trial < 0 ? NULL : &summary->records[trial];
        if (!r || r->state != RTI_DONE) continue;
        for (int t = 0; t < r->term_count; t++) {
            bool seen = false;
            for (int i = 0; i < count; i++) seen = seen || !strcmp(names[i], r->term[t].name);
            if (!seen && count < RT_TERMS_MAX) names[count++] = r->term[t].name;
        }
    }
    return count;
}

rti_term_gradients rti_term_gradients_of(const rti_summary *summary, int cell, const char *term) {
    double first[RTI_SEEDS_MAX], middle[RTI_SEEDS_MAX];
    int count = 0;
    for (int s = 0; cell >= 0 && s < summary->plan->spec.seed_count; s++) {
        int trial = summary->plan->cells[cell].trials[s];
        const rti_record *r = trial < 0 ? NULL : &summary->records[trial];
        for (int t = 0; r && r->state == RTI_DONE && t < r->term_count; t++) {
            if (strcmp(r->term[t].name, term) != 0) continue;
            first[count] = r->term[t].gradient_first;
            middle[count++] = r->term[t].gradient_middle;
        }
    }
    return (rti_term_gradients){count, rti_estimate_of(first, count), rti_estimate_of(middle, count)};
}

static void add_terms(rti_text *text, const rti_summary *summary, const rti_temperature_line *line, int row,
                      const rti_temperature_point *point) {
    const rti_plan *plan = summary->plan;
    const char *names[RT_TERMS_MAX];
    char T[32];
    int terms = rti_cell_terms(summary, point->cell, names);
    for (int i = 0; i < terms; i++) {
        rti_term_gradients g = rti_term_gradients_of(summary, point->cell, names[i]);
        rti_text_printf(text, "%d,%d", row, line->facet + 1);
        rti_csv_append(text, line->label, false);
        if (plan->alpha_axis < 0) rti_text_append(text, ",");
        else
            rti_csv_add_number(text, plan->spec.axes[plan->alpha_axis].values[line->alpha].number, false);
        rti_text_printf(text, ",%s", rti_temperature_text(point->T, T));
        rti_csv_append(text, names[i], false);
        rti_text_printf(text, ",%d", g.trials);
        rti_csv_add_number(text, g.first.mean, false);
        rti_csv_add_number(text, g.first.half, false);
        rti_csv_add_number(text, g.middle.mean, false);
        rti_csv_add_number(text, g.middle.half, false);
        rti_text_append(text, "\n");
    }
}

rt_status rti_term_gradients_write(const rti_temperatures *all, const rti_summary *summary, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    int row = 0;
    if (!all->count) return RT_OK;
    rti_text_append(&text, "row,facet,line,alpha,T,term,trials,first_epoch,first_epoch_half,middle_epoch,"
                           "middle_epoch_half\n");
    for (int i = 0; i < all->count; i++) {
        row += all->line[i].shown;
        for (int t = 0; t < all->points; t++)
            add_terms(&text, summary, &all->line[i], all->line[i].shown ? row : 0, &all->line[i].point[t]);
    }
    rt_status status = rti_report_file(summary->plan, "gradients-by-temperature.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}

/* ---- report.md -------------------------------------------------------------------------------------- */

static void table_of(rti_text *out, const rti_limit *l, const rti_summary *summary) {
    char label[RTI_LABEL_MAX];
    rti_label_cell(summary->plan, summary->facets[l->facet].first_cell, RTI_LABEL_FACET, label, sizeof label);
    if (summary->plan->facet_count > 1) {
        rti_text_append(out, "### ");
        rti_markdown_escape(out, label);
        rti_text_append(out, "\n\n");
    }
    rti_text_append(out, "The student: ");
    rti_markdown_escape(out, rti_trial_label(summary->plan, l->trial, label, sizeof label));
    rti_text_printf(out, "; %lld %s examples. Hard term: %.4g. ‖z̃ - ṽ‖ / K: %.4g.\n\n",
                    (long long)l->examples, l->on_validation ? "validation" : "transfer", l->hard, l->target);
    rti_text_append(out, "| T | soft term | times T² | of ‖z̃ - ṽ‖ / K | cosine |\n|---|---|---|---|---|\n");
    for (int i = 0; i < l->count; i++) {
        const rti_limit_point *p = &l->point[i];
        if (!p->is_swept && i + 1 < l->count) continue;
        rti_text_printf(out, "| %g | %.3g | %.3g | %.3f | %.4f |\n", p->T, p->soft, p->scaled, p->ratio,
                        p->cosine);
    }
    rti_text_append(out, "\n");
}

void rti_limits_markdown(rti_text *out, const rti_limits *limits, const rti_summary *summary) {
    if (!limits->count) return;
    rti_text_append(
        out,
        "## The limit of high temperature\n\nMean length of the soft term's gradient over the logits, "
        "(softmax(z/T) - softmax(v/T)) / T with z a student's and v the teacher's logits, without and with "
        "the factor T²; its ratio to the length of (z̃ - ṽ) / K, and the cosine between the two, each the "
        "mean over examples (z̃, ṽ: logits less their mean over the K classes). Both tend to 1 as T grows: "
        "Hinton, Vinyals, Dean 2015, equations 2 to 4.\n\n");
    for (int i = 0; i < limits->count; i++) table_of(out, &limits->limit[i], summary);
    rti_text_append(out, "limit.csv (one of each facet) has the temperatures between; "
                         "gradients-by-temperature.csv what training measured: the length of each term's "
                         "weighted gradient over the parameters, in the first step of the first and of the "
                         "middle epoch.\n\n");
}
