/* compare.c - the rows of a comparison.                                Floor 8 (experiment)
 *
 *     [compare]
 *     tune = { epochs = 10, seeds = [101] }    the points of a grid are scored on validation with these
 *     [compare.kd]
 *     temperature = [2, 4]                     a list is a grid, unless the key itself takes a list
 *     [compare."kd+at"]
 *     "at.weight" = [300, 1000]
 *     [compare.kd-repdistiller]                another name than the method's: a label
 *     method = "kd"
 *     preset = "repdistiller"
 *
 * A row becomes a spec of its own: everything outside [compare], a [distill] made of the row's keys, and an
 * axis for each of its grids. So a row is checked, resolved and named by the code that does it for others.
 * All rows share data, student, seeds: a key of these in a row is an error. "teacher.*" may differ. */
#include <stdio.h>
#include <string.h>

#include "experiment/spec.h"
#include "retort/alloc.h"

static rt_status no_memory(rt_error *error) { return rt_fail(error, RT_MEMORY, "no memory for the spec"); }

static int find_label(const rti_spec *spec, const char *label) {
    for (int i = 0; i < spec->entries->label_count; i++)
        if (!strcmp(spec->entries->labels[i], label)) return i;
    return -1;
}

rt_status rti_compare_open(rti_spec *spec, const char *label, int line, rt_error *error) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-";
    rti_spec_entries *all = spec->entries;
    char key[RTI_KEY_MAX];
    spec->is_comparison = true;
    if (!strcmp(label, "tune")) spec->tuned = true;
    if (!label[0] || !strcmp(label, "tune") || find_label(spec, label) >= 0) return RT_OK;
    snprintf(key, sizeof key, "compare.%.80s", label);
    if (strlen(label) >= RTI_LABEL_TEXT || strspn(label, allowed) != strlen(label))
        return rti_spec_fail(spec, key, line, error,
                             "the name of a row has 1 to 63 letters, digits, '+', '_' and '-'");
    if (!strcmp(label, "scratch"))
        return rti_spec_fail(spec, key, line, error,
                             "the student that learns from the labels alone is in every comparison");
    if (all->label_count == RTI_ROWS_MAX)
        return rti_spec_fail(spec, key, line, error, "a comparison may have at most 48 rows");
    all->label_line[all->label_count] = line;
    snprintf(all->labels[all->label_count++], RTI_LABEL_TEXT, "%s", label);
    return RT_OK;
}

/* ---- tuning ---- */

static rt_status take_tune(rti_spec *spec, const char *name, const rti_toml_value *t, int line,
                           rt_error *error) {
    static const char *const words[] = {"epochs", "seeds"};
    char where[RTI_WHERE_MAX], key[RTI_KEY_MAX];
    spec->tuned = true;
    snprintf(key, sizeof key, "compare.tune.%.70s", name);
    if (!strcmp(name, "seeds"))
        return rti_written_seeds(spec, key, t, line, spec->tune_seeds, &spec->tune_seed_count, error);
    if (!strcmp(name, "epochs")) {
        if (t->type != RTI_TOML_INTEGER || t->integer < 1 || t->integer > 100000)
            return rti_spec_fail(spec, key, line, error, "expected a whole number, 1 ... 100000");
        spec->tune_epochs = t->integer;
        return RT_OK;
    }
    const char *near = rt_nearest_word(name, words, 2);
    return rt_fail(error, RT_SPEC, "%s: unknown key %s; tuning has epochs and seeds%s%s%s",
                   rti_spec_where(spec, key, line, where), key, near ? ", did you mean " : "",
                   near ? near : "", near ? "?" : "");
}

/* ---- the keys of rows ---- */

/* A place for the row's key: that of an earlier value of the same key, else a new one. */
static rti_row_entry *place(rti_spec *spec, int row, const char *key) {
    rti_spec_entries *all = spec->entries;
    for (int i = 0; i < all->row_entry_count; i++)
        if (all->row_entries[i].row == row && !strcmp(all->row_entries[i].grid.key, key))
            return &all->row_entries[i];
    if (all->row_entry_count == all->row_entry_capacity) {
        int capacity = all->row_entry_capacity ? 2 * all->row_entry_capacity : 16;
        rti_row_entry *grown = rt_realloc(all->row_entries, (size_t)capacity * sizeof *grown);
        if (!grown) return NULL;
        all->row_entries = grown;
        all->row_entry_capacity = capacity;
    }
    return &all->row_entries[all->row_entry_count++];
}

static rt_status take_value(const rti_spec *spec, const char *full, const rti_toml_value *t, int line,
                            rti_row_entry *entry, rt_error *error) {
    entry->is_list = t->type == RTI_TOML_ARRAY;
    if (!entry->is_list) {
        entry->grid.count = 1;
        return rti_written_value(spec, full, t, line, &entry->grid.values[0], error);
    }
    entry->is_whole = rti_written_value(spec, full, t, line, &entry->whole, NULL) == RT_OK;
    rt_status status = t->count ? rti_written_axis(spec, full, t, line, &entry->grid, error) : RT_OK;
    if (status != RT_SPEC || !entry->is_whole) return status;
    entry->grid.count = 0; /* a list that is no grid: [8, 8] */
    return RT_OK;
}

rt_status rti_compare_take(rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                           rt_error *error) {
    const char *dot = strchr(key, '.');
    char label[RTI_KEY_MAX], full[2 * RTI_KEY_MAX];
    spec->is_comparison = true;
    snprintf(full, sizeof full, "compare.%s", key);
    if (!dot)
        return rti_spec_fail(spec, full, line, error,
                             "[compare] holds tune = { epochs, seeds } and a section for each row, for "
                             "example [compare.kd]");
    snprintf(label, sizeof label, "%.*s", (int)(dot - key), key);
    if (!strcmp(label, "tune")) return take_tune(spec, dot + 1, t, line, error);
    RT_TRY(rti_compare_open(spec, label, line, error));
    rti_row_entry *entry = place(spec, find_label(spec, label), dot + 1);
    if (!entry) return no_memory(error);
    memset(entry, 0, sizeof *entry);
    entry->row = find_label(spec, label);
    entry->line = line;
    rt_status status = take_value(spec, full, t, line, entry, error);
    snprintf(entry->grid.key, sizeof entry->grid.key, "%s", dot + 1);
    return status;
}

/* ---- from rows to specs ---- */

/* The key in the spec of the row: "alpha" is "distill.alpha". */
static rt_status row_key(const rti_spec *spec, const rti_row_entry *entry, char out[RTI_KEY_MAX],
                         rt_error *error) {
    static const char *const shared[] = {"data.", "student.", "assistant.", "name.", "seeds."};
    const char *key = entry->grid.key;
    char full[2 * RTI_KEY_MAX];
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        if (strncmp(key, shared[i], strlen(shared[i]))) continue;
        snprintf(full, sizeof full, "compare.%s.%s", spec->entries->labels[entry->row], key);
        return rti_spec_fail(spec, full, entry->line, error,
                             "the rows of a comparison share data, students, assistants and seeds, or it "
                             "would not be fair; a row may differ in [teacher]");
    }
    bool teacher = !strncmp(key, "teacher.", 8);
    snprintf(out, RTI_KEY_MAX, "%s%.80s", teacher ? "" : "distill.", key); /* no key is so long */
    return RT_OK;
}

static rt_status take_entry(rti_spec *row, const rti_spec *spec, const rti_row_entry *entry,
                            rt_error *error) {
    char key[RTI_KEY_MAX];
    bool is_list = false;
    RT_TRY(row_key(spec, entry, key, error));
    if (!strncmp(key, "teacher.", 8)) row->base.has_teacher = true;
    if (!entry->is_list) return rti_spec_keep(row, key, &entry->grid.values[0], entry->line, error);
    RT_TRY(rti_spec_key_is_list(row, key, &is_list, error));
    bool of_lists = entry->grid.count && (entry->grid.values[0].type == RT_PARAM_INTS ||
                                          entry->grid.values[0].type == RT_PARAM_REALS);
    if (is_list && !of_lists && entry->is_whole)
        return rti_spec_keep(row, key, &entry->whole, entry->line, error);
    if (!entry->grid.count)
        return rti_spec_fail(row, key, entry->line, error,
                             "expected a value, or a list of different values to choose from");
    for (int i = 0; i < row->entries->count; i++) /* of [teacher]: the grid stands in its place */
        if (!strcmp(row->entries->items[i].key, key)) {
            row->entries->items[i] = row->entries->items[--row->entries->count];
            break;
        }
    rti_axis *axis = rt_alloc(sizeof *axis);
    if (!axis) return no_memory(error);
    *axis = entry->grid;
    snprintf(axis->key, sizeof axis->key, "%s", key);
    rt_status status = rti_spec_keep_axis(row, axis, entry->line, error);
    rt_free(axis);
    return status;
}

static rt_status make_row(rti_spec *row, const rti_spec *spec, int number, rt_error *error) {
    const rti_spec_entries *all = spec->entries;
    memcpy(row->name, spec->name, sizeof row->name);
    memcpy(row->path, spec->path, sizeof row->path);
    memcpy(row->seeds, spec->seeds, sizeof row->seeds);
    memcpy(row->label, all->labels[number], sizeof row->label);
    row->seed_count = spec->seed_count;
    row->assistant_count = spec->assistant_count;
    row->base.has_teacher = spec->base.has_teacher;
    row->entries = rt_alloc_zero(1, sizeof *row->entries);
    if (!row->entries) return no_memory(error);
    rt_value method = {.type = RT_PARAM_TEXT};
    snprintf(method.text, sizeof method.text, "%s", all->labels[number]);
    RT_TRY(rti_spec_keep(row, "distill.method", &method, all->label_line[number], error));
    for (int i = 0; i < all->count; i++)
        RT_TRY(rti_spec_keep(row, all->items[i].key, &all->items[i].value, all->items[i].line, error));
    for (int lists = 0; lists < 2; lists++) /* what chooses tables comes first */
        for (int i = 0; i < all->row_entry_count; i++)
            if (all->row_entries[i].row == number && all->row_entries[i].is_list == (lists == 1))
                RT_TRY(take_entry(row, spec, &all->row_entries[i], error));
    return rti_spec_check_grid(row, RTI_POINTS_MAX, error);
}

/* [distill] and [sweep] have no place beside [compare]. */
rt_status rti_compare_check(const rti_spec *spec, rt_error *error) {
    if (!spec->is_comparison) return RT_OK;
    for (int i = 0; i < spec->entries->count; i++)
        if (!strncmp(spec->entries->items[i].key, "distill.", 8))
            return rti_spec_fail(spec, spec->entries->items[i].key, spec->entries->items[i].line, error,
                                 "[compare] takes the place of [distill]; write it into the rows");
    if (spec->axis_count)
        return rti_spec_fail(spec, spec->axes[0].key, spec->entries->axis_line[0], error,
                             "[compare] takes the place of [sweep]; a list in a row is a grid");
    if (!spec->entries->label_count)
        return rt_fail(error, RT_SPEC,
                       "%s: [compare] has no rows; a section for each, for example [compare.kd]", spec->path);
    return RT_OK;
}

rt_status rti_compare_make_rows(rti_spec *spec, rt_error *error) {
    if (!spec->is_comparison) return RT_OK;
    if (spec->tuned && !spec->tune_seed_count) spec->tune_seeds[spec->tune_seed_count++] = 101;
    spec->rows = rt_alloc_zero((size_t)spec->entries->label_count, sizeof *spec->rows);
    if (!spec->rows) return no_memory(error);
    spec->row_count = spec->entries->label_count;
    for (int r = 0; r < spec->row_count; r++) RT_TRY(make_row(&spec->rows[r], spec, r, error));
    return RT_OK;
}
