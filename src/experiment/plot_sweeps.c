/* plot_sweeps.c - pictures of sweeps.h.                                Floor 8 (experiment) */
#include <math.h>
#include <stdio.h>

#include "experiment/plot.h"
#include "experiment/sweeps.h"

enum { LINES_MAX = 10, MAP_LINES_MAX = 40 }; /* more is not legible */

/* ---- range ------------------------------------------------------------------------------------------ */

typedef struct range {
    double low, high;
} range;

/* Means and intervals in per cent; for a logarithmic axis an interval reaches at most half-way down. */
static void include(range *r, const rti_estimate *e) {
    if (!e->count || !(e->mean > 0)) return;
    double half = isfinite(e->half) ? e->half : 0;
    r->low = fmin(r->low, 100 * fmax(e->mean - half, 0.5 * e->mean));
    r->high = fmax(r->high, 100 * fmin(e->mean + half, 1.5 * e->mean));
}

/* Axes that start at 0 have no logarithm. */
static bool set_range(rti_text *text, const range *r) {
    if (!(r->low > 0) || !(r->low <= r->high)) return false;
    rti_set_number(text, "y_low", r->low / 1.06);
    rti_set_number(text, "y_high", fmin(r->high * 1.06, fmax(100.0, 1.06 * r->low)));
    return true;
}

/* ---- widths and ridge -------------------------------------------------------------------------------- */

static bool is_drawn(const rti_temperatures *all, int line) {
    return all->line[line].shown && all->line[line].best >= 0;
}

static int drawn_lines(const rti_temperatures *all) {
    int count = 0;
    for (int i = 0; i < all->count; i++) count += is_drawn(all, i);
    return count;
}

/* "set xtics ('1' 1, ...)": at T, or at 0, 1, 2, ... */
static void set_temperatures(rti_text *text, const rti_temperatures *all, bool at_values) {
    char T[32];
    rti_text_append(text, "set xtics (");
    for (int i = 0; i < all->finite; i++) {
        double value = all->line[0].point[i].T;
        rti_text_printf(text, "%s'%s' %.10g", i ? ", " : "", rti_temperature_text(value, T),
                        at_values ? value : (double)i);
    }
    if (!at_values && all->points > all->finite) rti_text_printf(text, ", 'logits' %d", all->finite);
    rti_text_append(text, ")\n");
    rti_set_number(text, "x_low", all->line[0].point[0].T);
    rti_set_number(text, "x_high", all->line[0].point[all->finite - 1].T);
    rti_set_number(text, "temperatures", all->finite);
    rti_set_number(text, "has_logits", all->points > all->finite);
}

/* Numbers of lines are those in equivalence.csv; unfinished ones have no name. */
static void set_lines(rti_text *text, const rti_summary *summary, const rti_temperatures *all, range *r) {
    int row = 0, rows = 0;
    for (int i = 0; i < all->count; i++) rows += all->line[i].shown;
    rti_set_number(text, "lines", rows);
    rti_text_printf(text, "array names[%d]\narray scratch[%d]\narray scratch_half[%d]\n", rows, rows, rows);
    rti_text_printf(text, "array last[%d]\n", rows);
    for (int i = 0; i < all->count; i++) {
        const rti_temperature_line *line = &all->line[i];
        const rti_estimate *scratch = &summary->facets[line->facet].scratch.test_last;
        if (!line->shown) continue;
        rti_set_item(text, "names", ++row, line->label);
        rti_set_item_number(text, "scratch", row, 100 * scratch->mean);
        rti_set_item_number(text, "scratch_half", row, 100 * scratch->half);
        double last = NAN; /* where the line ends, for its name */
        for (int t = 0; t < all->points; t++) {
            include(r, &line->point[t].error);
            if (line->point[t].error.count) last = 100 * line->point[t].error.mean;
        }
        include(r, scratch);
        rti_set_item_number(text, "last", row, last);
    }
}

static rt_status plot_temperatures(const rti_summary *summary, const char *scripts,
                                   const rti_temperatures *all, rti_picture picture, rti_pictures *pictures,
                                   rt_error *error) {
    rti_text settings = RTI_TEXT_EMPTY;
    range r = {INFINITY, -INFINITY};
    rti_set_whole_title(&settings, summary);
    rti_set_path(&settings, summary->plan, "data", "equivalence", -1, ".csv");
    rti_set_text(&settings, "axis_name", all->axis);
    set_temperatures(&settings, all, picture == RTI_PICTURE_WIDTHS);
    set_lines(&settings, summary, all, &r);
    rt_status status = RT_OK;
    if (set_range(&settings, &r))
        status = rti_draw(summary->plan, scripts, rti_picture_stem(picture), -1, &settings, pictures,
                          &pictures->drawn[picture], error);
    rti_text_deinit(&settings);
    return status;
}

/* ---- limit -------------------------------------------------------------------------------------------- */

/* What training measured, of the facet's shown line: the third panel. */
static void set_terms(rti_text *text, const rti_summary *summary, const rti_temperatures *all, int facet) {
    const char *names[RT_TERMS_MAX];
    int row = 0, count = 0;
    for (int i = 0; i < all->count; i++) {
        const rti_temperature_line *line = &all->line[i];
        row += line->shown;
        if (!line->shown || line->facet != facet) continue;
        for (int t = 0; t < all->finite && !count; t++)
            count = rti_cell_terms(summary, line->point[t].cell, names);
        break;
    }
    rti_set_path(text, summary->plan, "trained", "gradients-by-temperature", -1, ".csv");
    rti_set_number(text, "row", row);
    rti_set_number(text, "terms", count);
    rti_text_printf(text, "array term[%d]\n", count + 1);
    for (int i = 0; i < count; i++) rti_set_item(text, "term", i + 1, names[i]);
}

static rt_status plot_limit(const rti_summary *summary, const char *scripts, const rti_limit *l,
                            const rti_temperatures *all, rti_pictures *pictures, rt_error *error) {
    rti_text settings = RTI_TEXT_EMPTY;
    char label[RTI_LABEL_MAX];
    double low = INFINITY, high = -INFINITY;
    rti_set_title(&settings, summary, l->facet);
    rti_set_path(&settings, summary->plan, "data", "limit", l->facet, ".csv");
    rti_set_text(&settings, "student", rti_trial_label(summary->plan, l->trial, label, sizeof label));
    rti_set_text(&settings, "part", l->on_validation ? "validation" : "transfer");
    rti_set_number(&settings, "examples", (double)l->examples);
    rti_set_number(&settings, "target", l->target);
    for (int i = 0; i < all->finite; i++) {
        low = fmin(low, all->line[0].point[i].T);
        high = fmax(high, all->line[0].point[i].T);
    }
    rti_set_number(&settings, "swept_low", low);
    rti_set_number(&settings, "swept_high", high);
    set_terms(&settings, summary, all, l->facet);
    rt_status status = rti_draw(summary->plan, scripts, rti_picture_stem(RTI_PICTURE_LIMIT), l->facet,
                                &settings, pictures,
                                &pictures->drawn[l->facet * RTI_PICTURES + RTI_PICTURE_LIMIT], error);
    rti_text_deinit(&settings);
    return status;
}

/* ---- sizes -------------------------------------------------------------------------------------------- */

static void set_size_lines(rti_text *text, const rti_sizes *sizes, range *r) {
    int rows = 0, row = 0;
    for (int i = 0; i < sizes->count; i++) rows += sizes->line[i].shown;
    rti_set_number(text, "lines", rows);
    rti_text_printf(text, "array names[%d]\narray of_labels[%d]\n", rows, rows);
    bool early = false;
    for (int i = 0; i < sizes->count; i++) {
        const rti_size_line *line = &sizes->line[i];
        if (!line->shown) continue;
        rti_set_item(text, "names", ++row, line->label);
        rti_set_item_number(text, "of_labels", row, line->kind == RTI_SIZE_SCRATCH);
        for (int x = 0; x < sizes->points; x++) {
            include(r, &line->point[x].last);
            if (line->kind != RTI_SIZE_SCRATCH) continue;
            include(r, &line->point[x].best);
            early = early || line->point[x].best.count > 0;
        }
    }
    rti_set_number(text, "has_early", early);
}

static rt_status plot_sizes(const rti_summary *summary, const char *scripts, const rti_sizes *sizes,
                            rti_pictures *pictures, rt_error *error) {
    rti_text settings = RTI_TEXT_EMPTY;
    range r = {INFINITY, -INFINITY};
    rti_set_whole_title(&settings, summary);
    rti_set_path(&settings, summary->plan, "data", "sizes", -1, ".csv");
    set_size_lines(&settings, sizes, &r);
    rti_text_append(&settings, "set xtics (");
    for (int x = 0; x < sizes->points; x++)
        rti_text_printf(&settings, "%s'%.10g' %.10g", x ? ", " : "", sizes->line[0].point[x].examples,
                        sizes->line[0].point[x].examples);
    rti_text_append(&settings, ")\n");
    rti_set_number(&settings, "x_low", sizes->line[0].point[0].examples);
    rti_set_number(&settings, "x_high", sizes->line[0].point[sizes->points - 1].examples);
    /* The teacher is a rule inside when it does not dwarf the rest. */
    double teacher = 100 * sizes->teacher;
    bool inside = teacher > 0 && teacher > r.low / 4 && teacher < r.high * 2;
    rti_set_number(&settings, "teacher", teacher);
    rti_set_number(&settings, "teacher_inside", inside);
    if (inside) r = (range){fmin(r.low, teacher), fmax(r.high, teacher)};
    rt_status status = RT_OK;
    if (set_range(&settings, &r))
        status = rti_draw(summary->plan, scripts, rti_picture_stem(RTI_PICTURE_SIZES), -1, &settings,
                          pictures, &pictures->drawn[RTI_PICTURE_SIZES], error);
    rti_text_deinit(&settings);
    return status;
}

/* ---- all ---------------------------------------------------------------------------------------------- */

rt_status rti_plot_sweeps(const rti_summary *summary, const char *scripts, const rti_sweeps *sweeps,
                          rti_pictures *pictures, rt_error *error) {
    const rti_temperatures *all = &sweeps->temperatures;
    int drawn = drawn_lines(all);
    bool ends = all->points > all->finite;
    if (drawn <= LINES_MAX && (drawn > 1 || (drawn == 1 && ends)))
        RT_TRY(plot_temperatures(summary, scripts, all, RTI_PICTURE_WIDTHS, pictures, error));
    if (drawn > 1 && drawn <= MAP_LINES_MAX && all->finite > 1)
        RT_TRY(plot_temperatures(summary, scripts, all, RTI_PICTURE_RIDGE, pictures, error));
    for (int i = 0; all->count && i < sweeps->limits.count; i++)
        RT_TRY(plot_limit(summary, scripts, &sweeps->limits.limit[i], all, pictures, error));
    return sweeps->sizes.count && sweeps->sizes.points > 1
               ? plot_sizes(summary, scripts, &sweeps->sizes, pictures, error)
               : RT_OK;
}
