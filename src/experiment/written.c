/* written.c - the values of a spec as they were written.               Floor 8 (experiment)
 *
 * Whether 3 is a number of epochs or a temperature, and whether [30, 30] is the width of two layers or a
 * grid of two, is known only when other keys have chosen the model and the method. Until then a value
 * has the type of its spelling. */
#include <stdio.h>
#include <string.h>

#include "experiment/spec.h"
#include "retort/alloc.h"

rt_status rti_spec_fail(const rti_spec *spec, const char *key, int line, rt_error *error,
                        const char *message) {
    char where[RTI_WHERE_MAX], shown[2 * RTI_KEY_MAX];
    rti_spec_shown(spec, key, shown);
    return rt_fail(error, RT_SPEC, "%s: %s: %s", rti_spec_where(spec, shown, line, where), shown, message);
}

/* ---- values ---- */

static rt_status list_value(const rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                            rt_value *out, rt_error *error) {
    out->type = RT_PARAM_INTS;
    if (t->count > RT_PARAM_ITEMS_MAX)
        return rti_spec_fail(spec, key, line, error, "a list may hold at most 16 numbers");
    for (int i = 0; i < t->count; i++) {
        const rti_toml_value *item = &t->items[i];
        if (item->type == RTI_TOML_FLOAT) out->type = RT_PARAM_REALS;
        else if (item->type != RTI_TOML_INTEGER)
            return rti_spec_fail(spec, key, line, error, "a list may hold numbers only");
        out->items[i] = item->number;
    }
    out->count = t->count;
    return RT_OK;
}

rt_status rti_written_value(const rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                            rt_value *out, rt_error *error) {
    memset(out, 0, sizeof *out);
    switch (t->type) {
    case RTI_TOML_STRING:
        out->type = RT_PARAM_TEXT;
        if (strlen(t->string) >= RT_PARAM_TEXT_MAX)
            return rti_spec_fail(spec, key, line, error, "the text is too long (255 bytes)");
        snprintf(out->text, sizeof out->text, "%s", t->string);
        return RT_OK;
    case RTI_TOML_INTEGER:
        out->type = RT_PARAM_INT;
        out->number = (double)t->integer;
        return RT_OK;
    case RTI_TOML_FLOAT:
        out->type = RT_PARAM_REAL;
        out->number = t->number;
        return RT_OK;
    case RTI_TOML_BOOL:
        out->type = RT_PARAM_BOOL;
        out->number = (double)t->integer;
        return RT_OK;
    case RTI_TOML_ARRAY:
        return list_value(spec, key, t, line, out, error);
    }
    return rti_spec_fail(spec, key, line, error, "this type of value is not known");
}

static bool same_value(const rt_value *a, const rt_value *b) {
    bool numbers = (a->type == RT_PARAM_INT || a->type == RT_PARAM_REAL) &&
                   (b->type == RT_PARAM_INT || b->type == RT_PARAM_REAL);
    bool lists = (a->type == RT_PARAM_INTS || a->type == RT_PARAM_REALS) &&
                 (b->type == RT_PARAM_INTS || b->type == RT_PARAM_REALS);
    if (!numbers && !lists && a->type != b->type) return false;
    if (a->number != b->number || a->count != b->count || strcmp(a->text, b->text)) return false;
    for (int i = 0; i < a->count; i++)
        if (a->items[i] != b->items[i]) return false;
    return true;
}

rt_status rti_written_axis(const rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                           rti_axis *axis, rt_error *error) {
    if (t->type != RTI_TOML_ARRAY || t->count == 0)
        return rti_spec_fail(spec, key, line, error,
                             "expected a list of values to sweep over, for example [1, 2, 4]");
    if (t->count > RTI_AXIS_VALUES_MAX)
        return rti_spec_fail(spec, key, line, error, "an axis may have at most 64 values");
    memset(axis, 0, sizeof *axis);
    snprintf(axis->key, sizeof axis->key, "%s", key);
    for (int i = 0; i < t->count; i++) {
        RT_TRY(rti_written_value(spec, key, &t->items[i], line, &axis->values[i], error));
        for (int j = 0; j < i; j++)
            if (same_value(&axis->values[j], &axis->values[i]))
                return rti_spec_fail(spec, key, line, error, "a value stands there twice");
    }
    axis->count = t->count;
    return RT_OK;
}

rt_status rti_written_seeds(const rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                            uint64_t seeds[RTI_SEEDS_MAX], int *count, rt_error *error) {
    if (t->type != RTI_TOML_ARRAY || t->count == 0)
        return rti_spec_fail(spec, key, line, error,
                             "expected a list of whole numbers, for example [1, 2, 3]");
    if (t->count > RTI_SEEDS_MAX)
        return rti_spec_fail(spec, key, line, error, "at most 64 seeds are possible");
    for (int i = 0; i < t->count; i++) {
        if (t->items[i].type != RTI_TOML_INTEGER || t->items[i].integer < 0)
            return rti_spec_fail(spec, key, line, error, "seeds are whole numbers, 0 or more");
        for (int j = 0; j < i; j++)
            if (t->items[j].integer == t->items[i].integer)
                return rti_spec_fail(spec, key, line, error, "a seed stands there twice");
        seeds[i] = (uint64_t)t->items[i].integer;
    }
    *count = t->count;
    return RT_OK;
}

/* ---- keeping ---- */

rt_status rti_spec_keep(rti_spec *spec, const char *key, const rt_value *value, int line, rt_error *error) {
    rti_spec_entries *all = spec->entries;
    rti_spec_entry entry = {.line = line, .value = *value};
    snprintf(entry.key, sizeof entry.key, "%s", key);
    for (int i = 0; i < all->count; i++)
        if (!strcmp(all->items[i].key, key)) {
            all->items[i] = entry;
            return RT_OK;
        }
    if (all->count == all->capacity) {
        int capacity = all->capacity ? 2 * all->capacity : 32;
        rti_spec_entry *grown = rt_realloc(all->items, (size_t)capacity * sizeof *grown);
        if (!grown) return rt_fail(error, RT_MEMORY, "no memory for the spec");
        all->items = grown;
        all->capacity = capacity;
    }
    all->items[all->count++] = entry;
    return RT_OK;
}

rt_status rti_spec_keep_axis(rti_spec *spec, const rti_axis *axis, int line, rt_error *error) {
    int a = rti_spec_axis(spec, axis->key);
    if (a < 0) a = spec->axis_count;
    if (a == RTI_AXES_MAX)
        return rti_spec_fail(spec, axis->key, line, error, "at most 6 keys can be swept at once");
    spec->axes[a] = *axis;
    spec->entries->axis_line[a] = line;
    if (a == spec->axis_count) spec->axis_count++;
    return RT_OK;
}

/* ---- the grid ---- */

static rt_status check_point(rti_spec *spec, int64_t point, rti_settings *settings, rt_error *error) {
    int value[RTI_AXES_MAX] = {0};
    for (int a = spec->axis_count - 1; a >= 0; a--) {
        value[a] = (int)(point % spec->axes[a].count);
        point /= spec->axes[a].count;
    }
    for (int n = spec->assistant_count; n >= 0; n--) { /* the student last: `settings` are its */
        RT_TRY(rti_spec_resolve_for(spec, value, n, settings, error));
        for (int a = 0; a < spec->axis_count; a++) {
            const rt_value *typed = rti_settings_value(settings, spec->axes[a].key);
            if (typed) spec->axes[a].values[value[a]] = *typed;
        }
    }
    return RT_OK;
}

rt_status rti_spec_check_grid(rti_spec *spec, int points_max, rt_error *error) {
    int64_t points = 1;
    for (int a = 0; a < spec->axis_count; a++) points *= spec->axes[a].count;
    if (points > points_max)
        return rt_fail(error, RT_SPEC, "%s: %s%s%s has %lld points; at most %d are possible", spec->path,
                       spec->label[0] ? "the grid of [compare." : "the sweep", spec->label,
                       spec->label[0] ? "]" : "", (long long)points, points_max);
    rti_settings *settings = rt_alloc(sizeof *settings);
    if (!settings) return rt_fail(error, RT_MEMORY, "no memory for the settings");
    rt_status status = RT_OK;
    for (int64_t point = 0; status == RT_OK && point < points; point++) {
        status = check_point(spec, point, settings, error);
        if (status == RT_OK && point == 0) spec->base = *settings;
    }
    rt_free(settings);
    return status;
}
