/* plot_omission.c - pictures of omission.h.                            Floor 8 (experiment) */
#include <math.h>
#include <stdio.h>

#include "experiment/findings.h"
#include "experiment/plot.h"

/* ---- shift -------------------------------------------------------------------------------------- */

/* choice_s[1 ... 4], choice_errors, choice_unseen, and the part of the axis that holds them. */
static void set_choices(rti_text *text, const rti_shifts *shifts, const rti_shift_group *group) {
    double low = -2, high = 12;
    rti_text_append(text, "array choice_s[4]\narray choice_errors[4]\narray choice_unseen[4]\n");
    for (int c = 0; c < RTI_SHIFT_CHOICES; c++) {
        rti_shift_mean m = rti_shift_mean_of(shifts, group, (rti_shift_choice)c);
        rti_set_item_number(text, "choice_s", c + 1, m.s.mean);
        rti_set_item_number(text, "choice_errors", c + 1, m.errors.mean);
        rti_set_item_number(text, "choice_unseen", c + 1, m.errors_unseen.mean);
        low = fmin(low, floor(m.s.mean) - 1);
        high = fmax(high, ceil(m.s.mean) + 1);
    }
    rti_set_number(text, "s_low", fmax(low, shifts->low * RTI_SHIFT_STEP));
    rti_set_number(text, "s_high", fmin(high, shifts->high * RTI_SHIFT_STEP));
}

static void shift_settings(rti_text *text, const rti_summary *summary, const rti_shifts *shifts,
                           const rti_shift_group *group) {
    char label[RTI_LABEL_MAX];
    const rti_shift_group *scratch = rti_shift_scratch(shifts, group->facet);
    rti_set_title(text, summary, group->facet);
    rti_set_path(text, summary->plan, "data", "shift-mean", group->facet, ".csv");
    rti_set_text(text, "student", rti_finding_label(summary, group->facet, group->cell, label));
    rti_set_text(text, "classes", group->classes);
    rti_set_number(text, "lowers_seen", group->lowers_seen);
    rti_set_number(text, "networks", group->count);
    rti_set_number(text, "examples", (double)group->examples);
    rti_set_number(text, "examples_unseen", (double)group->examples_unseen);
    rti_set_number(text, "prior", 100 * group->prior);
    rti_set_number(text, "has_scratch", scratch != NULL);
    set_choices(text, shifts, group);
}

static rt_status plot_shift(const rti_summary *summary, const char *scripts, const rti_shifts *shifts,
                            rti_pictures *pictures, rt_error *error) {
    rt_status status = RT_OK;
    for (int f = 0; f < summary->plan->facet_count && status == RT_OK; f++) {
        const rti_shift_group *group = rti_shift_shown(shifts, summary, f);
        rti_text settings = RTI_TEXT_EMPTY;
        if (!group) continue;
        shift_settings(&settings, summary, shifts, group);
        status = rti_draw(summary->plan, scripts, rti_picture_stem(RTI_PICTURE_SHIFT), f, &settings, pictures,
                          &pictures->drawn[f * RTI_PICTURES + RTI_PICTURE_SHIFT], error);
        rti_text_deinit(&settings);
    }
    return status;
}

/* ---- pictures of the whole experiment ----------------------------------------------------------- */

static void set_head(rti_text *text, const rti_summary *summary, const char *data) {
    char name[80];
    rti_set_text(text, "experiment", rti_label_plain(summary->plan->spec.name, name, sizeof name));
    rti_set_number(text, "seeds", summary->plan->spec.seed_count);
    rti_set_path(text, summary->plan, "data", data, -1, ".csv");
}

static rt_status draw(const rti_summary *summary, const char *scripts, rti_picture picture,
                      rti_text *settings, rti_pictures *pictures, rt_error *error) {
    rt_status status = rti_draw(summary->plan, scripts, rti_picture_stem(picture), -1, settings, pictures,
                                &pictures->drawn[picture], error);
    rti_text_deinit(settings);
    return status;
}

static rt_status plot_unseen(const rti_summary *summary, const char *scripts, const rti_unseen_curves *c,
                             rti_pictures *pictures, rt_error *error) {
    rti_text settings = RTI_TEXT_EMPTY;
    if (!c->lines) return RT_OK;
    set_head(&settings, summary, "unseen");
    rti_set_number(&settings, "lines", c->lines);
    rti_set_number(&settings, "facets", summary->plan->facet_count);
    rti_text_printf(&settings, "array names[%d]\narray teacher[%d]\narray is_scratch[%d]\n", c->lines,
                    c->lines, c->lines);
    for (int i = 0; i < c->lines; i++) {
        rti_set_item(&settings, "names", i + 1, c->line[i].label);
        rti_set_item_number(&settings, "teacher", i + 1, 100 * c->line[i].teacher);
        rti_set_item_number(&settings, "is_scratch", i + 1, c->line[i].cell < 0);
    }
    return draw(summary, scripts, RTI_PICTURE_UNSEEN, &settings, pictures, error);
}

static rt_status plot_taught(const rti_summary *summary, const char *scripts, const rti_taught *t,
                             rti_pictures *pictures, rt_error *error) {
    rti_text settings = RTI_TEXT_EMPTY;
    char name[16];
    if (!t->count || !t->pictured) return RT_OK;
    const rti_plan *plan = summary->plan;
    const rti_trial *student = &plan->trials[plan->cells[t->cell].trials[0]];
    const rt_dataset *set = plan->datasets[student->dataset];
    const rt_examples *x = rt_dataset_part(set, RT_PART_TRANSFER)->examples;
    set_head(&settings, summary, "taught");
    rti_set_path(&settings, plan, "images", "taught-images", -1, ".csv");
    rti_set_number(&settings, "count", t->count);
    rti_set_number(&settings, "width", (double)x->shape[2]);
    rti_set_number(&settings, "height", (double)x->shape[1]);
    rti_set_number(&settings, "temperature", t->T);
    rti_set_text(&settings, "unseen", rt_dataset_class_name(set, t->class, name));
    rti_text_printf(&settings, "array labels[%d]\n", t->count);
    for (int e = 0; e < t->count; e++)
        rti_set_item(&settings, "labels", e + 1, rt_dataset_class_name(set, t->example[e].label, name));
    return draw(summary, scripts, RTI_PICTURE_TAUGHT, &settings, pictures, error);
}

static rt_status plot_omitted(const rti_summary *summary, const char *scripts, int rows,
                              rti_pictures *pictures, rt_error *error) {
    rti_text settings = RTI_TEXT_EMPTY;
    if (!rows) return RT_OK;
    set_head(&settings, summary, "omitted");
    rti_set_number(&settings, "rows", rows);
    return draw(summary, scripts, RTI_PICTURE_OMITTED, &settings, pictures, error);
}

rt_status rti_plot_omission(const rti_summary *summary, const char *scripts, const rti_omission *o,
                            rti_pictures *pictures, rt_error *error) {
    RT_TRY(plot_shift(summary, scripts, &o->shifts, pictures, error));
    RT_TRY(plot_unseen(summary, scripts, &o->curves, pictures, error));
    RT_TRY(plot_taught(summary, scripts, &o->taught, pictures, error));
    return plot_omitted(summary, scripts, o->omitted, pictures, error);
}
