/* copy.c - the spec beside its results.                                Floor 8 (experiment)
 *
 * runs/<name>/spec.toml says what was asked for, --set included, so that `retort report runs/<name>`
 * finds the same plan again. What was left at its default is left out here too. */
#include <inttypes.h>
#include <string.h>

#include "experiment/report_parts.h"
#include "experiment/spec.h"

static void add_value(rti_text *out, const char *name, const rt_value *value) {
    char text[RT_PARAM_TEXT_MAX * 6 + 8];
    rt_value_format(value, text, sizeof text);
    rti_text_printf(out, "%s = %s\n", name, text);
}

static void add_section(rti_text *out, const rti_spec *spec, const char *name, bool always) {
    size_t length = strlen(name);
    bool open = always;
    if (always) rti_text_printf(out, "\n[%s]\n", name);
    for (int i = 0; spec->entries && i < spec->entries->count; i++) {
        const rti_spec_entry *entry = &spec->entries->items[i];
        if (strncmp(entry->key, name, length) || entry->key[length] != '.') continue;
        if (!open) rti_text_printf(out, "\n[%s]\n", name);
        open = true;
        add_value(out, entry->key + length + 1, &entry->value);
    }
}

void rti_spec_copy_text(const rti_spec *spec, rti_text *out) {
    char path[RTI_PATH_MAX];
    rti_text_printf(out, "# from %s\nname = \"%s\"\nseeds = [",
                    rti_label_plain(spec->path, path, sizeof path), spec->name);
    for (int i = 0; i < spec->seed_count; i++)
        rti_text_printf(out, "%s%" PRIu64, i ? ", " : "", spec->seeds[i]);
    rti_text_append(out, "]\n");
    add_section(out, spec, "data", false);
    add_section(out, spec, "teacher", spec->base.has_teacher);
    add_section(out, spec, "student", false);
    add_section(out, spec, "distill", false);
    if (spec->axis_count) rti_text_append(out, "\n[sweep]\n");
    for (int a = 0; a < spec->axis_count; a++) {
        rti_text_printf(out, "\"%s\" = [", spec->axes[a].key);
        for (int i = 0; i < spec->axes[a].count; i++) {
            char text[RT_PARAM_TEXT_MAX * 6 + 8];
            rt_value_format(&spec->axes[a].values[i], text, sizeof text);
            rti_text_printf(out, "%s%s", i ? ", " : "", text);
        }
        rti_text_append(out, "]\n");
    }
}

rt_status rti_spec_copy(const rti_plan *plan, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    char path[RTI_PATH_MAX];
    RT_TRY(rti_path_join(path, sizeof path, plan->directory, "spec.toml", error));
    if (strcmp(path, plan->spec.path) == 0) return RT_OK; /* it was read from there */
    RT_TRY(rti_directory_make(plan->directory, error));
    rti_spec_copy_text(&plan->spec, &text);
    rt_status status = rti_report_file(plan, "spec.toml", &text, error);
    rti_text_deinit(&text);
    return status;
}
