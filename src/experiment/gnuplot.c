/* gnuplot.c - what all pictures share: settings, scripts, starting gnuplot.  Floor 8 (experiment)
 *
 * Every picture has a file of settings beside its data, plain gnuplot that sets variables:
 *     gnuplot runs/demo/temperature.set plots/temperature.gp
 * draws runs/demo/temperature.svg and .png. Texts are single-quoted there, where gnuplot runs no
 * commands and reads no escapes, and hold no quotes, no backslashes and no line breaks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "experiment/plot.h"
#include "retort/alloc.h"

/* ---- settings ----------------------------------------------------------------------------------- */

void rti_set_text(rti_text *text, const char *name, const char *value) {
    char plain[RTI_PATH_MAX + 16];
    rti_label_plain(value, plain, sizeof plain);
    rti_text_printf(text, "%s = '", name);
    for (const char *s = plain; *s; s++) {
        if (*s == '\'')
            rti_text_append(text, "''"); /* how a quote is written between quotes */
        else
            rti_text_append_bytes(text, s, 1);
    }
    rti_text_append(text, "'\n");
}

void rti_set_number(rti_text *text, const char *name, double value) {
    rti_text_printf(text, isfinite(value) ? "%s = %.10g\n" : "%s = NaN\n", name, value);
}

void rti_set_item(rti_text *text, const char *array, int item, const char *value) {
    char name[48];
    snprintf(name, sizeof name, "%s[%d]", array, item);
    rti_set_text(text, name, value);
}

void rti_set_item_number(rti_text *text, const char *array, int item, double value) {
    char name[48];
    snprintf(name, sizeof name, "%s[%d]", array, item);
    rti_set_number(text, name, value);
}

void rti_set_path(rti_text *text, const rti_plan *plan, const char *name, const char *stem, int facet,
                  const char *ending) {
    char file[RTI_LABEL_MAX], path[RTI_PATH_MAX + RTI_LABEL_MAX];
    snprintf(path, sizeof path, "%s/%s", plan->directory,
             rti_label_file(plan, stem, facet, ending, file, sizeof file));
    rti_set_text(text, name, path);
}

void rti_set_title(rti_text *text, const rti_summary *summary, int facet) {
    char name[80], label[RTI_LABEL_MAX], all[RTI_LABEL_MAX + 100];
    rti_label_plain(summary->plan->spec.name, name, sizeof name);
    rti_label_cell(summary->plan, summary->facets[facet].first_cell, RTI_LABEL_FACET, label, sizeof label);
    snprintf(all, sizeof all, "%s%s%s", name, label[0] ? ", " : "", label);
    rti_set_text(text, "experiment", all);
    rti_set_number(text, "seeds", summary->plan->spec.seed_count);
}

void rti_set_whole_title(rti_text *text, const rti_summary *summary) {
    char name[80];
    rti_set_text(text, "experiment", rti_label_plain(summary->plan->spec.name, name, sizeof name));
    rti_set_number(text, "seeds", summary->plan->spec.seed_count);
}

/* ---- gnuplot ------------------------------------------------------------------------------------ */

static bool has_scripts(const char *directory) {
    char path[RTI_PATH_MAX];
    return rti_path_join(path, sizeof path, directory, "temperature.gp", NULL) == RT_OK &&
           rti_file_exists(path);
}

/* "<directory of path>/<rest>" when the scripts are there. */
static bool beside(const char *path, const char *rest, char out[RTI_PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    if (!slash) return false;
    int length = snprintf(out, RTI_PATH_MAX, "%.*s/%s", (int)(slash - path), path, rest);
    return length > 0 && length < RTI_PATH_MAX && has_scripts(out);
}

bool rti_find_scripts(const char *program, char out[RTI_PATH_MAX]) {
    const char *named = getenv("RETORT_PLOTS");
    if (named && named[0]) {
        snprintf(out, RTI_PATH_MAX, "%s", named);
        return has_scripts(out);
    }
    char self[RTI_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = 0;
    if (beside(self, "../plots", out) || beside(self, "../share/retort/plots", out)) return true;
    if (program && (beside(program, "../plots", out) || beside(program, "../share/retort/plots", out)))
        return true;
    snprintf(out, RTI_PATH_MAX, "%s/share/retort/plots", RETORT_PREFIX);
    return has_scripts(out);
}

void rti_picture_trouble(rti_pictures *pictures, const char *what, const char *why) {
    if (!pictures->trouble[0]) snprintf(pictures->trouble, sizeof pictures->trouble, "%s%.400s", what, why);
}

/* gnuplot draws under another name, so that nobody sees half a picture. */
static bool put_in_place(const rti_plan *plan, const char *stem, int facet, const char *ending, bool good) {
    char file[RTI_LABEL_MAX], path[RTI_PATH_MAX + RTI_LABEL_MAX + 16],
        drawn[RTI_PATH_MAX + RTI_LABEL_MAX + 16];
    rti_label_file(plan, stem, facet, "", file, sizeof file);
    snprintf(drawn, sizeof drawn, "%s/%s.new%s", plan->directory, file, ending);
    snprintf(path, sizeof path, "%s/%s%s", plan->directory, file, ending);
    if (good && rename(drawn, path) == 0) return true;
    unlink(drawn);
    return false;
}

/* Writes the settings and starts gnuplot; a picture that cannot be drawn is trouble, not an error. */
rt_status rti_draw(const rti_plan *plan, const char *scripts, const char *stem, int facet, rti_text *settings,
                   rti_pictures *pictures, bool *drawn, rt_error *error) {
    char name[RTI_LABEL_MAX], head[RTI_PATH_MAX + RTI_LABEL_MAX], script[RTI_PATH_MAX + 64];
    rti_set_path(settings, plan, "output", stem, facet, "");
    rti_label_file(plan, stem, facet, ".set", name, sizeof name);
    RT_TRY(rti_report_file(plan, name, settings, error));
    snprintf(head, sizeof head, "%s/%s", plan->directory, name);
    snprintf(script, sizeof script, "%s/%s.gp", scripts, stem);
    const char *const command[] = {"gnuplot", head, "-e", "output = output . '.new'", script, NULL};
    rti_bytes said = {NULL, 0};
    rt_error why = {0};
    rt_status status = rti_program_run(command, (size_t)1 << 20, &said, &why);
    rt_free(said.data);
    bool svg = put_in_place(plan, stem, facet, ".svg", status == RT_OK);
    *drawn = put_in_place(plan, stem, facet, ".png", status == RT_OK) && svg;
    if (status == RT_MEMORY) return rt_fail(error, RT_MEMORY, "%s", why.message);
    if (!*drawn)
        rti_picture_trouble(pictures,
                            "A picture could not be drawn: ", status == RT_OK ? script : why.message);
    return RT_OK;
}

rt_status rti_draw_alone(const rti_plan *plan, const char *program, const char *stem, rti_text *settings,
                         bool *drawn, char trouble[512], rt_error *error) {
    char scripts[RTI_PATH_MAX];
    rti_pictures pictures = {0};
    rt_status status = RT_OK;
    *drawn = false;
    if (!rti_program_exists("gnuplot"))
        rti_picture_trouble(&pictures, "No picture: gnuplot is not installed. ",
                            "Install it (apt-get install gnuplot-nox), then run the same command again.");
    else if (!rti_find_scripts(program, scripts))
        rti_picture_trouble(&pictures, "No picture: the gnuplot scripts are not found. ",
                            "Set RETORT_PLOTS to the folder plots of the retort sources.");
    else
        status = rti_draw(plan, scripts, stem, -1, settings, &pictures, drawn, error);
    snprintf(trouble, 512, "%s", pictures.trouble);
    return status;
}
