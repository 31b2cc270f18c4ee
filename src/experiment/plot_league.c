/* plot_league.c - pictures of a comparison.                            Floor 8 (experiment)
 *
 * All read league.csv, learning.csv, league-terms.csv and attention.csv, with the lines in their order. */
#include <math.h>
#include <stdio.h>

#include "experiment/plot.h"

static double accuracy_of(rti_estimate error) { return error.count ? 100.0 * (1.0 - error.mean) : NAN; }

/* lines = 3, and an array of their names; how many have results. */
static int set_names(rti_text *text, const rti_league *league) {
    int known = 0;
    while (known < league->count && league->line[known].group && league->line[known].group->test_last.count)
        known++;
    rti_set_number(text, "lines", known);
    rti_text_printf(text, "array names[%d]\n", known ? known : 1);
    for (int i = 0; i < known; i++) {
        rti_set_item(text, "names", i + 1, league->line[i].label);
    }
    return known;
}

static bool settings_of(rti_picture picture, rti_text *text, const rti_league *league) {
    const rti_summary *summary = league->summary;
    const rti_plan *plan = summary->plan;
    const rti_facet_summary *f = &summary->facets[0];
    static const char *const data[RTI_PICTURES] = {
        [RTI_PICTURE_FOREST] = "league",          [RTI_PICTURE_PRICE] = "league",
        [RTI_PICTURE_FIDELITY] = "league",        [RTI_PICTURE_LEARNING] = "learning",
        [RTI_PICTURE_GRADIENTS] = "league-terms", [RTI_PICTURE_ATTENTION] = "attention"};
    rti_set_title(text, summary, 0);
    rti_set_path(text, plan, "data", data[picture], -1, ".csv");
    if (picture == RTI_PICTURE_ATTENTION)
        rti_set_path(text, plan, "columns", "attention-columns", -1, ".csv");
    int known = set_names(text, league);
    double half = f->scratch.test_last.half;
    rti_set_number(text, "scratch", accuracy_of(f->scratch.test_last));
    rti_set_number(text, "scratch_half", isfinite(half) ? 100.0 * half : 0.0);
    rti_set_number(text, "teacher", accuracy_of(rti_teacher_error(f)));
    if (picture == RTI_PICTURE_LEARNING) return known > 0 && summary->validation_examples > 0;
    if (picture == RTI_PICTURE_FIDELITY || picture == RTI_PICTURE_FOREST)
        return known > 1 && f->teacher.done > 0;
    return known > 0;
}

rt_status rti_plot_league(const rti_summary *summary, const char *scripts, bool has_attention,
                          rti_pictures *pictures, rt_error *error) {
    rti_league league;
    rti_league_make(&league, summary);
    rt_status status = RT_OK;
    for (int i = RTI_PICTURE_FOREST; i <= RTI_PICTURE_ATTENTION && status == RT_OK; i++) {
        if (i == RTI_PICTURE_ATTENTION && !has_attention) continue;
        rti_text settings = RTI_TEXT_EMPTY;
        if (settings_of((rti_picture)i, &settings, &league))
            status = rti_draw(summary->plan, scripts, rti_picture_stem((rti_picture)i), -1, &settings,
                              pictures, &pictures->drawn[i], error);
        rti_text_deinit(&settings);
    }
    return status;
}
