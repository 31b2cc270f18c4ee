/* plot_findings.c - pictures of findings.h.                            Floor 8 (experiment) */
#include <math.h>
#include <stdio.h>

#include "experiment/findings.h"
#include "experiment/plot.h"

/* ---- calibration -------------------------------------------------------------------------------- */

static void calibration_settings(rti_text *text, const rti_summary *summary, const rti_calibration *all,
                                 int facet) {
    bool scaled = false;
    int lines = all->lines[facet];
    rti_set_title(text, summary, facet);
    rti_set_path(text, summary->plan, "data", "calibration", facet, ".csv");
    rti_set_number(text, "lines", lines);
    rti_text_printf(text, "array names[%d]\narray before[%d]\narray after[%d]\n", lines, lines, lines);
    for (int line = 0; line < lines; line++) {
        char note[96];
        rti_calibration_mean m = rti_calibration_mean_of(all, facet, line);
        rti_set_item(text, "names", line + 1, all->label[facet * RTI_CALIBRATION_LINES + line]);
        snprintf(note, sizeof note, "ECE %.2f %%, NLL %.3f", 100.0 * m.ece.mean, m.nll.mean);
        rti_set_item(text, "before", line + 1, note);
        note[0] = 0;
        if (m.T.count)
            snprintf(note, sizeof note, "T* %.2f: ECE %.2f %%, NLL %.3f", m.T.mean, 100.0 * m.ece_scaled.mean,
                     m.nll_scaled.mean);
        rti_set_item(text, "after", line + 1, note);
        scaled = scaled || m.T.count;
    }
    rti_set_number(text, "scaled", scaled);
}

static rt_status plot_calibration(const rti_summary *summary, const char *scripts, const rti_calibration *all,
                                  rti_pictures *pictures, rt_error *error) {
    rt_status status = RT_OK;
    for (int f = 0; all->count && f < summary->plan->facet_count && status == RT_OK; f++) {
        rti_text settings = RTI_TEXT_EMPTY;
        if (!all->lines[f]) continue;
        calibration_settings(&settings, summary, all, f);
        status = rti_draw(summary->plan, scripts, rti_picture_stem(RTI_PICTURE_CALIBRATION), f, &settings,
                          pictures, &pictures->drawn[f * RTI_PICTURES + RTI_PICTURE_CALIBRATION], error);
        rti_text_deinit(&settings);
    }
    return status;
}

/* ---- similarity --------------------------------------------------------------------------------- */

static rt_status plot_similarity(const rti_summary *summary, const char *scripts, const rti_similarity *s,
                                 rti_pictures *pictures, rt_error *error) {
    rti_text settings = RTI_TEXT_EMPTY;
    if (!s->classes || (!s->has_teacher && !s->has_students)) return RT_OK;
    rti_set_whole_title(&settings, summary);
    rti_set_path(&settings, summary->plan, "data", "similarity", -1, ".csv");
    rti_set_number(&settings, "classes", s->classes);
    rti_set_number(&settings, "temperature", s->T);
    rti_set_number(&settings, "of_teacher", s->has_teacher);
    rti_set_number(&settings, "rho_teacher", s->rho_teacher);
    rti_set_number(&settings, "rho_students", s->rho_students);
    rt_status status = rti_draw(summary->plan, scripts, rti_picture_stem(RTI_PICTURE_SIMILARITY), -1,
                                &settings, pictures, &pictures->drawn[RTI_PICTURE_SIMILARITY], error);
    rti_text_deinit(&settings);
    return status;
}

/* ---- ensemble ----------------------------------------------------------------------------------- */

typedef struct bars {
    rti_text text, names, groups; /* ensemble-bars.csv; lines of the file of settings */
    int count, facet, group_count;
    double at;
} bars;

/* The name of a facet stands above its bars. */
static void begin_group(bars *b, const rti_summary *summary, int facet) {
    char label[RTI_LABEL_MAX];
    b->facet = facet;
    if (summary->plan->facet_count < 2) return;
    b->at += b->group_count ? 1.5 : 1;
    rti_label_cell(summary->plan, summary->facets[facet].first_cell, RTI_LABEL_FACET, label, sizeof label);
    rti_set_item(&b->groups, "groups", ++b->group_count, label);
    rti_text_printf(&b->groups, "group_at[%d] = %.10g\n", b->group_count, b->at);
}

/* Where, which part, error and interval in per cent, share. */
static void add_bar(bars *b, const rti_summary *summary, const rti_ensemble_line *l) {
    char label[RTI_LABEL_MAX];
    if (l->facet != b->facet) begin_group(b, summary, l->facet);
    rti_text_printf(&b->text, "%.10g,%d", b->at += 1, (int)l->part);
    rti_csv_add_number(&b->text, 100 * l->error.mean, false);
    rti_csv_add_number(&b->text, 100 * l->error.half, false);
    rti_csv_add_number(&b->text, 100 * l->share.ratio, false);
    rti_csv_add_number(&b->text, 100 * l->share.low, false);
    rti_csv_add_number(&b->text, 100 * l->share.high, false);
    rti_text_append(&b->text, "\n");
    rti_set_item(&b->names, "names", ++b->count, rti_ensemble_label(l, summary, label));
}

static rt_status write_bars(const rti_summary *summary, const rti_ensemble *ensemble, rti_text *settings,
                            int *count, rt_error *error) {
    bars b = {.facet = -1};
    rti_text_append(&b.text, "at,part,error,half,share,share_low,share_high\n");
    for (int i = 0; i < ensemble->count; i++)
        if (ensemble->line[i].shown && isfinite(ensemble->line[i].error.mean))
            add_bar(&b, summary, &ensemble->line[i]);
    rti_text_printf(settings, "array names[%d]\n%s", b.count ? b.count : 1, rti_text_string(&b.names));
    rti_text_printf(settings, "array groups[%d]\narray group_at[%d]\n%s", b.group_count + 1,
                    b.group_count + 1, rti_text_string(&b.groups));
    rti_set_number(settings, "bars", b.count);
    rti_set_number(settings, "group_count", b.group_count);
    rti_set_number(settings, "last", b.at);
    if (b.names.failed || b.groups.failed) settings->failed = true;
    *count = b.count;
    rt_status status = rti_report_file(summary->plan, "ensemble-bars.csv", &b.text, error);
    rti_text_deinit(&b.text);
    rti_text_deinit(&b.names);
    rti_text_deinit(&b.groups);
    return status;
}

static rt_status plot_ensemble(const rti_summary *summary, const char *scripts, const rti_ensemble *ensemble,
                               rti_pictures *pictures, rt_error *error) {
    rti_text settings = RTI_TEXT_EMPTY;
    int count = 0;
    if (!ensemble->count) return RT_OK;
    rti_set_whole_title(&settings, summary);
    rti_set_path(&settings, summary->plan, "data", "ensemble-bars", -1, ".csv");
    rti_set_number(&settings, "members", ensemble->line[1].networks);
    rt_status status = write_bars(summary, ensemble, &settings, &count, error);
    if (status == RT_OK && count)
        status = rti_draw(summary->plan, scripts, rti_picture_stem(RTI_PICTURE_ENSEMBLE), -1, &settings,
                          pictures, &pictures->drawn[RTI_PICTURE_ENSEMBLE], error);
    rti_text_deinit(&settings);
    return status;
}

rt_status rti_plot_findings(const rti_summary *summary, const char *scripts, const rti_findings *findings,
                            rti_pictures *pictures, rt_error *error) {
    RT_TRY(plot_calibration(summary, scripts, &findings->calibration, pictures, error));
    RT_TRY(plot_similarity(summary, scripts, &findings->similarity, pictures, error));
    RT_TRY(plot_ensemble(summary, scripts, &findings->ensemble, pictures, error));
    RT_TRY(rti_plot_omission(summary, scripts, &findings->omission, pictures, error));
    return rti_plot_sweeps(summary, scripts, &findings->sweeps, pictures, error);
}
