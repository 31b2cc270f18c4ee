/* report.c - the whole report, in order. See report.h.                 Floor 8 (experiment) */
#include <stdio.h>

#include "experiment/findings.h"
#include "experiment/league.h"

/* "  runs/demo/report.md   results.csv   summary.csv   temperature.svg   ..." */
static void name_files(rti_text *said, const rti_summary *summary, const rti_pictures *pictures) {
    char directory[RTI_PATH_MAX + 8], name[RTI_LABEL_MAX];
    int used = 0, missed = 0;
    rti_label_plain(summary->plan->directory, directory, sizeof directory);
    rti_text_printf(said, "  %s/report.md   results.csv   summary.csv", directory);
    used = 39 + rti_text_columns(directory);
    for (int f = 0; f < summary->plan->facet_count; f++)
        for (int i = 0; i < RTI_PICTURES; i++) {
            if (!pictures->drawn[f * RTI_PICTURES + i]) continue;
            rti_label_file(summary->plan, rti_picture_stem((rti_picture)i),
                           rti_picture_is_whole((rti_picture)i) ? -1 : f, ".svg", name, sizeof name);
            int columns = rti_text_columns(name) + 3;
            if (used + columns > 4 * RTI_TABLE_WIDTH) missed++;
            else {
                bool wraps = used % RTI_TABLE_WIDTH + columns > RTI_TABLE_WIDTH;
                rti_text_printf(said, wraps ? "\n    %s" : "   %s", name);
                used = wraps ? (used / RTI_TABLE_WIDTH + 1) * RTI_TABLE_WIDTH + columns + 1 : used + columns;
            }
        }
    if (missed) rti_text_printf(said, "   and %d more", missed);
    rti_text_append(said, "\n");
}

static void say(rti_text *said, const rti_summary *summary, const rti_facts *facts,
                const rti_findings *findings, const rti_pictures *pictures, bool chart_too) {
    rti_terminal_summary(said, summary, facts);
    rti_shifts_terminal(said, &findings->omission.shifts, summary);
    for (int f = 0; f < summary->plan->facet_count; f++) {
        if (pictures->drawn[f * RTI_PICTURES + RTI_PICTURE_TEMPERATURE] && !chart_too) continue;
        rti_text chart = RTI_TEXT_EMPTY;
        rti_chart_facet(&chart, summary, f);
        if (chart.length) rti_text_printf(said, "\n%s", rti_text_string(&chart));
        if (chart.failed) said->failed = true;
        rti_text_deinit(&chart);
    }
    rti_text_append(said, "\n");
    if (pictures->trouble[0]) rti_text_printf(said, "  %s\n", pictures->trouble);
    name_files(said, summary, pictures);
}

/* report.md and pictures. */
static rt_status show(const rti_summary *summary, const rti_facts *facts, const rti_report_options *options,
                      rti_asked *asked, rti_text *said, rt_error *error) {
    rti_pictures pictures;
    if (options->plots) RT_TRY(rti_dark_write(summary, &asked->dark, error));
    RT_TRY(rti_plot_all(&pictures, summary, options->program, options->plots, asked, error));
    rt_status status = rti_markdown_write(summary, facts, asked->findings, &pictures, error);
    if (status == RT_OK) {
        say(said, summary, facts, asked->findings, &pictures, options->chart);
        if (said->failed) status = rt_fail(error, RT_MEMORY, "not enough memory for the report");
    }
    rti_pictures_deinit(&pictures);
    return status;
}

rt_status rti_report_files(const rti_summary *summary, const rti_facts *facts,
                           const rti_report_options *options, rti_text *said, rt_error *error) {
    rti_findings findings;
    rti_asked asked = {false, false, &findings};
    RT_TRY(rti_directory_make(summary->plan->directory, error));
    RT_TRY(rti_results_write(summary, error));
    RT_TRY(rti_figures_write(summary, error));
    if (summary->plan->spec.is_comparison) {
        rti_league league;
        rti_league_make(&league, summary);
        RT_TRY(rti_league_write(&league, error));
        if (options->plots) RT_TRY(rti_attention_write(summary, &asked.attention, error));
    }
    RT_TRY(rti_findings_make(&findings, summary, error));
    rt_status status = show(summary, facts, options, &asked, said, error);
    rti_findings_deinit(&findings);
    return status;
}

rt_status rti_report_write(const rti_plan *plan, const rti_report_options *options, rti_text *said,
                           rt_error *error) {
    rti_summary summary;
    rti_facts facts;
    RT_TRY(rti_spec_copy(plan, error));
    RT_TRY(rti_summary_read(&summary, plan, error));
    rt_status status = rti_together_find(&summary, error);
    if (status == RT_OK) status = rti_facts_make(&facts, &summary, error);
    if (status == RT_OK) {
        status = rti_report_files(&summary, &facts, options, said, error);
        rti_facts_deinit(&facts);
    }
    rti_summary_deinit(&summary);
    return status;
}

rt_status rti_summary_text(const rti_plan *plan, rti_text *out, rt_error *error) {
    rti_summary summary;
    rti_facts facts;
    RT_TRY(rti_summary_read(&summary, plan, error));
    rt_status status = rti_together_find(&summary, error);
    if (status == RT_OK) status = rti_facts_make(&facts, &summary, error);
    if (status == RT_OK) {
        rti_terminal_summary(out, &summary, &facts);
        if (out->failed) status = rt_fail(error, RT_MEMORY, "not enough memory for the table");
        rti_facts_deinit(&facts);
    }
    rti_summary_deinit(&summary);
    return status;
}
