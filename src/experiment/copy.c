/* copy.c - the spec beside its results.                                Floor 8 (experiment)
 *
 * runs/<name>/spec.toml says what was asked for, --set included, so that `retort report runs/<name>`
 * finds the same plan again. What was left at its default is left out here too. */
#include <inttypes.h>
#include <stdio.h>
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

static void add_list(rti_text *out, const char *key, const rt_value values[], int count) {
    rti_text_printf(out, "\"%s\" = [", key);
    for (int i = 0; i < count; i++) {
        char text[RT_PARAM_TEXT_MAX * 6 + 8];
        rt_value_format(&values[i], text, sizeof text);
        rti_text_printf(out, "%s%s", i ? ", " : "", text);
    }
    rti_text_append(out, "]\n");
}

static void add_seeds(rti_text *out, const uint64_t seeds[], int count) {
    rti_text_append(out, "seeds = [");
    for (int i = 0; i < count; i++) rti_text_printf(out, "%s%" PRIu64, i ? ", " : "", seeds[i]);
    rti_text_append(out, "]");
}

static void add_comparison(rti_text *out, const rti_spec *spec) {
    const rti_spec_entries *all = spec->entries;
    rti_text_append(out, "\n[compare]\n");
    if (spec->tuned) {
        rti_text_append(out, "tune = { ");
        if (spec->tune_epochs) rti_text_printf(out, "epochs = %" PRId64 ", ", spec->tune_epochs);
        add_seeds(out, spec->tune_seeds, spec->tune_seed_count);
        rti_text_append(out, " }\n");
    }
    for (int row = 0; row < all->label_count; row++) {
        rti_text_printf(out, "\n[compare.\"%s\"]\n", all->labels[row]);
        for (int i = 0; i < all->row_entry_count; i++) {
            const rti_row_entry *entry = &all->row_entries[i];
            char key[RTI_KEY_MAX + 2];
            if (entry->row != row) continue;
            snprintf(key, sizeof key, "\"%s\"", entry->grid.key);
            if (!entry->is_list) add_value(out, key, &entry->grid.values[0]);
            else if (entry->is_whole) add_value(out, key, &entry->whole);
            else add_list(out, entry->grid.key, entry->grid.values, entry->grid.count);
        }
    }
}

void rti_spec_copy_text(const rti_spec *spec, rti_text *out) {
    char path[RTI_PATH_MAX];
    rti_text_printf(out, "# from %s\nname = \"%s\"\n", rti_label_plain(spec->path, path, sizeof path),
                    spec->name);
    add_seeds(out, spec->seeds, spec->seed_count);
    if (spec->trials[0]) rti_text_printf(out, "\ntrials = \"%s\"", spec->trials);
    rti_text_append(out, "\n");
    add_section(out, spec, "data", false);
    add_section(out, spec, "teacher", spec->base.has_teacher);
    for (int n = 1; n <= spec->assistant_count; n++) {
        char section[32];
        snprintf(section, sizeof section, "assistant.%d", n);
        add_section(out, spec, section, true);
    }
    add_section(out, spec, "student", false);
    add_section(out, spec, "distill", false);
    if (spec->is_comparison) add_comparison(out, spec);
    if (spec->axis_count) rti_text_append(out, "\n[sweep]\n");
    for (int a = 0; a < spec->axis_count; a++)
        add_list(out, spec->axes[a].key, spec->axes[a].values, spec->axes[a].count);
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
