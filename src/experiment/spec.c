/* spec.c - reading a spec.                                             Floor 8 (experiment)
 *
 * The TOML reader gives flat keys with lines. "name" and "seeds" are read here, "sweep.<key>" becomes
 * an axis, everything else is kept as it was written and given its meaning by resolve.c. Then every
 * point of the grid is resolved once, so that a mistake in the last value of an axis is found before
 * the first trial starts. */
#include "experiment/spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "formats/toml.h"
#include "retort/alloc.h"

static const char *const sections[] = {"data", "teacher", "student", "distill", "sweep"};
#define SECTION_COUNT 5

int rti_spec_axis(const rti_spec *spec, const char *key) {
    for (int a = 0; a < spec->axis_count; a++)
        if (!strcmp(spec->axes[a].key, key)) return a;
    return -1;
}

void rti_spec_deinit(rti_spec *spec) {
    if (spec->entries) rt_free(spec->entries->items);
    rt_free(spec->entries);
    memset(spec, 0, sizeof *spec);
}

/* ---- values ---- */

static rt_status bad(const rti_spec *spec, const char *key, int line, rt_error *error, const char *message) {
    char where[RTI_WHERE_MAX];
    return rt_fail(error, RT_SPEC, "%s: %s: %s", rti_spec_where(spec, key, line, where), key, message);
}

static rt_status list_value(const rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                            rt_value *out, rt_error *error) {
    out->type = RT_PARAM_INTS;
    if (t->count > RT_PARAM_ITEMS_MAX)
        return bad(spec, key, line, error, "a list may hold at most 16 numbers");
    for (int i = 0; i < t->count; i++) {
        const rti_toml_value *item = &t->items[i];
        if (item->type == RTI_TOML_FLOAT) out->type = RT_PARAM_REALS;
        else if (item->type != RTI_TOML_INTEGER)
            return bad(spec, key, line, error, "a list may hold numbers only");
        out->items[i] = item->number;
    }
    out->count = t->count;
    return RT_OK;
}

/* A value in the type it was written in. */
static rt_status plain_value(const rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                             rt_value *out, rt_error *error) {
    memset(out, 0, sizeof *out);
    switch (t->type) {
    case RTI_TOML_STRING:
        out->type = RT_PARAM_TEXT;
        if (strlen(t->string) >= RT_PARAM_TEXT_MAX)
            return bad(spec, key, line, error, "the text is too long (255 bytes)");
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
    return bad(spec, key, line, error, "this type of value is not known");
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

/* ---- the keys that are read here ---- */

static rt_status take_name(rti_spec *spec, const rti_toml_value *t, int line, rt_error *error) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (t->type != RTI_TOML_STRING) return bad(spec, "name", line, error, "expected a text in quotes");
    size_t length = strlen(t->string);
    if (!length || length >= sizeof spec->name || strspn(t->string, allowed) != length ||
        t->string[0] == '.' || t->string[0] == '-')
        return bad(
            spec, "name", line, error,
            "it names a directory: 1 to 63 letters, digits, '.', '_' and '-', not starting with '.' or '-'");
    memcpy(spec->name, t->string, length + 1);
    return RT_OK;
}

static rt_status take_seeds(rti_spec *spec, const rti_toml_value *t, int line, rt_error *error) {
    if (t->type != RTI_TOML_ARRAY || t->count == 0)
        return bad(spec, "seeds", line, error, "expected a list of whole numbers, for example [1, 2, 3]");
    if (t->count > RTI_SEEDS_MAX) return bad(spec, "seeds", line, error, "at most 64 seeds are possible");
    for (int i = 0; i < t->count; i++) {
        if (t->items[i].type != RTI_TOML_INTEGER || t->items[i].integer < 0)
            return bad(spec, "seeds", line, error, "seeds are whole numbers, 0 or more");
        for (int j = 0; j < i; j++)
            if (t->items[j].integer == t->items[i].integer)
                return bad(spec, "seeds", line, error, "a seed stands there twice");
        spec->seeds[i] = (uint64_t)t->items[i].integer;
    }
    spec->seed_count = t->count;
    return RT_OK;
}

static rt_status take_axis(rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                           rt_error *error) {
    if (t->type != RTI_TOML_ARRAY || t->count == 0)
        return bad(spec, key, line, error, "expected a list of values to sweep over, for example [1, 2, 4]");
    if (t->count > RTI_AXIS_VALUES_MAX)
        return bad(spec, key, line, error, "an axis may have at most 64 values");
    int a = rti_spec_axis(spec, key);
    if (a < 0) a = spec->axis_count;
    if (a == RTI_AXES_MAX) return bad(spec, key, line, error, "at most 6 keys can be swept at once");
    rti_axis *axis = &spec->axes[a];
    memset(axis, 0, sizeof *axis);
    snprintf(axis->key, sizeof axis->key, "%s", key);
    for (int i = 0; i < t->count; i++) {
        RT_TRY(plain_value(spec, key, &t->items[i], line, &axis->values[i], error));
        for (int j = 0; j < i; j++)
            if (same_value(&axis->values[j], &axis->values[i]))
                return bad(spec, key, line, error, "a value stands there twice");
    }
    axis->count = t->count;
    spec->entries->axis_line[a] = line;
    if (a == spec->axis_count) spec->axis_count++;
    return RT_OK;
}

static void drop_axis(rti_spec *spec, int axis) {
    for (int a = axis; a + 1 < spec->axis_count; a++) {
        spec->axes[a] = spec->axes[a + 1];
        spec->entries->axis_line[a] = spec->entries->axis_line[a + 1];
    }
    spec->axis_count--;
}

/* ---- sections ---- */

static rt_status unknown_section(const rti_spec *spec, const char *key, size_t length, int line,
                                 rt_error *error) {
    static const char *const words[] = {"name", "seeds", "data", "teacher", "student", "distill", "sweep"};
    char where[RTI_WHERE_MAX], word[RTI_KEY_MAX];
    snprintf(word, sizeof word, "%.*s", (int)length, key);
    rti_spec_where(spec, key, line, where);
    const char *near = rt_nearest_word(word, words, 7);
    if (near) return rt_fail(error, RT_SPEC, "%s: unknown key %s; did you mean %s?", where, word, near);
    return rt_fail(
        error, RT_SPEC,
        "%s: unknown key %s; a spec holds name, seeds, [data], [teacher], [student], [distill], [sweep]",
        where, word);
}

static bool is_section(const char *key, size_t length) {
    for (int i = 0; i < SECTION_COUNT; i++)
        if (strlen(sections[i]) == length && !strncmp(sections[i], key, length)) return true;
    return false;
}

static rt_status keep_entry(rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                            rt_error *error) {
    rti_spec_entries *all = spec->entries;
    rti_spec_entry entry = {.line = line};
    snprintf(entry.key, sizeof entry.key, "%s", key);
    RT_TRY(plain_value(spec, key, t, line, &entry.value, error));
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

static rt_status take(rti_spec *spec, const char *key, const rti_toml_value *t, int line, rt_error *error) {
    if (strlen(key) >= RTI_KEY_MAX) {
        char where[RTI_WHERE_MAX];
        return rt_fail(error, RT_SPEC, "%s: unknown key %.40s...", rti_spec_where(spec, "", line, where),
                       key);
    }
    if (!strcmp(key, "name")) return take_name(spec, t, line, error);
    if (!strcmp(key, "seeds")) return take_seeds(spec, t, line, error);
    const char *dot = strchr(key, '.');
    size_t length = dot ? (size_t)(dot - key) : strlen(key);
    if (!is_section(key, length)) return unknown_section(spec, key, length, line, error);
    if (!dot) return bad(spec, key, line, error, "this is a section, not a value");
    if (strncmp(key, "sweep.", 6)) {
        if (!strncmp(key, "teacher.", 8)) spec->base.has_teacher = true;
        return keep_entry(spec, key, t, line, error);
    }
    const char *swept = key + 6, *inner = strchr(swept, '.');
    if (!inner || !is_section(swept, (size_t)(inner - swept)) || !strncmp(swept, "sweep.", 6))
        return bad(spec, key, line, error,
                   "a sweep names a key of [data], [teacher], [student] or [distill], for example "
                   "\"distill.alpha\"");
    if (!strncmp(swept, "teacher.", 8)) spec->base.has_teacher = true;
    return take_axis(spec, swept, t, line, error);
}

/* ---- the command line ---- */

static rt_status take_override(rti_spec *spec, const char *override, rt_error *error) {
    const char *equals = strchr(override, '=');
    char key[RTI_KEY_MAX];
    size_t length = equals ? (size_t)(equals - override) : 0;
    while (length && override[length - 1] == ' ') length--;
    if (!length || length >= sizeof key)
        return rt_fail(error, RT_SPEC, "--set %.80s: expected key=value, for example --set student.epochs=5",
                       override);
    memcpy(key, override, length);
    key[length] = 0;

    rti_text text = RTI_TEXT_EMPTY;
    rti_toml toml;
    rt_error inner = {0};
    rti_text_printf(&text, "v = %s\n", equals + 1);
    rt_status status = rti_toml_parse(&toml, rti_text_string(&text), text.length, "value", &inner);
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    if (status != RT_OK && status != RT_MEMORY && equals[1] &&
        strspn(equals + 1, word) == strlen(equals + 1)) {
        rti_text_clear(&text); /* a bare word: sgd */
        rti_text_printf(&text, "v = \"%s\"\n", equals + 1);
        status = rti_toml_parse(&toml, rti_text_string(&text), text.length, "value", &inner);
    }
    rti_text_deinit(&text);
    if (status != RT_OK) return rt_fail(error, status, "--set %s: %s", key, inner.message);

    for (int i = 0; status == RT_OK && i < toml.count; i++) {
        char full[2 * RTI_KEY_MAX];
        const char *inside = toml.entries[i].key;
        if (strlen(inside) >= RTI_KEY_MAX || inside[0] != 'v' || (inside[1] && inside[1] != '.')) {
            status = rt_fail(error, RT_SPEC, "--set %s: expected one value", key);
            break;
        }
        snprintf(full, sizeof full, "%s%s", key, inside + 1);
        int axis = rti_spec_axis(spec, full);
        if (axis >= 0) drop_axis(spec, axis);
        status = take(spec, full, &toml.entries[i].value, 0, error);
    }
    rti_toml_deinit(&toml);
    return status;
}

/* ---- checks of the whole ---- */

static rt_status require(const rti_spec *spec, const char *key, const char *message, rt_error *error) {
    for (int i = 0; i < spec->entries->count; i++)
        if (!strcmp(spec->entries->items[i].key, key)) return RT_OK;
    if (rti_spec_axis(spec, key) >= 0) return RT_OK;
    return rt_fail(error, RT_SPEC, "%s: %s is missing: %s", spec->path, key, message);
}

static rt_status check_required(const rti_spec *spec, rt_error *error) {
    if (!spec->name[0])
        return rt_fail(error, RT_SPEC, "%s: name is missing: it names the directory below runs/", spec->path);
    RT_TRY(require(spec, "data.set", "which data set?", error));
    RT_TRY(require(spec, "student.epochs", "for how long is the student trained?", error));
    if (spec->base.has_teacher)
        RT_TRY(require(spec, "teacher.epochs", "for how long is the teacher trained?", error));
    return RT_OK;
}

/* Resolves every point of the grid, and gives the axes' values the types of their rows. */
static rt_status check_grid(rti_spec *spec, rt_error *error) {
    int64_t cells = 1;
    for (int a = 0; a < spec->axis_count; a++) cells *= spec->axes[a].count;
    if (cells > RTI_CELLS_MAX)
        return rt_fail(error, RT_SPEC, "%s: the sweep has %lld points; at most %d are possible", spec->path,
                       (long long)cells, RTI_CELLS_MAX);
    rti_settings *settings = rt_alloc(sizeof *settings);
    if (!settings) return rt_fail(error, RT_MEMORY, "no memory for the settings");
    rt_status status = RT_OK;
    for (int64_t cell = 0; status == RT_OK && cell < cells; cell++) {
        int value[RTI_AXES_MAX] = {0};
        int64_t rest = cell;
        for (int a = spec->axis_count - 1; a >= 0; a--) {
            value[a] = (int)(rest % spec->axes[a].count);
            rest /= spec->axes[a].count;
        }
        status = rti_spec_resolve(spec, value, settings, error);
        for (int a = 0; status == RT_OK && a < spec->axis_count; a++) {
            const rt_value *typed = rti_settings_value(settings, spec->axes[a].key);
            if (typed) spec->axes[a].values[value[a]] = *typed;
        }
        if (status == RT_OK && cell == 0) spec->base = *settings;
    }
    rt_free(settings);
    return status;
}

static rt_status check_spelling_of_tables(const rti_spec *spec, const rti_toml *toml, rt_error *error) {
    for (int i = 0; i < toml->table_count; i++) {
        const char *dot = strchr(toml->tables[i], '.');
        size_t length = dot ? (size_t)(dot - toml->tables[i]) : strlen(toml->tables[i]);
        if (is_section(toml->tables[i], length)) continue;
        const char *near = rt_nearest_word(toml->tables[i], sections, SECTION_COUNT);
        int line = 0;
        for (int e = 0; e < toml->count && !line; e++)
            if (!strncmp(toml->entries[e].key, toml->tables[i], length)) line = toml->entries[e].line;
        char place[32] = "";
        if (line) snprintf(place, sizeof place, ":%d", line);
        return rt_fail(error, RT_SPEC, "%s%s: unknown section [%s]%s%s%s", spec->path, place, toml->tables[i],
                       near ? "; did you mean [" : "", near ? near : "", near ? "]?" : "");
    }
    return RT_OK;
}

static rt_status read_all(rti_spec *spec, const rti_toml *toml, const char *const overrides[],
                          int override_count, rt_error *error) {
    RT_TRY(check_spelling_of_tables(spec, toml, error));
    for (int i = 0; i < toml->table_count; i++)
        if (!strncmp(toml->tables[i], "teacher", 7)) spec->base.has_teacher = true;
    for (int i = 0; i < toml->count; i++)
        RT_TRY(take(spec, toml->entries[i].key, &toml->entries[i].value, toml->entries[i].line, error));
    for (int i = 0; i < override_count; i++) RT_TRY(take_override(spec, overrides[i], error));
    RT_TRY(check_grid(spec, error)); /* first: what is missing may only be misspelt */
    return check_required(spec, error);
}

rt_status rti_spec_parse(rti_spec *spec, const char *text, size_t length, const char *name,
                         const char *const overrides[], int override_count, rt_error *error) {
    memset(spec, 0, sizeof *spec);
    if (strlen(name) >= sizeof spec->path)
        return rt_fail(error, RT_VALUE, "%.60s...: the path is too long", name);
    memcpy(spec->path, name, strlen(name) + 1);
    for (int i = 0; i < 3; i++) spec->seeds[i] = (uint64_t)i + 1;
    spec->seed_count = 3;
    spec->entries = rt_alloc_zero(1, sizeof *spec->entries);
    if (!spec->entries) return rt_fail(error, RT_MEMORY, "no memory for the spec");
    rti_toml toml;
    rt_status status = rti_toml_parse(&toml, text, length, name, error);
    if (status == RT_OK) {
        status = read_all(spec, &toml, overrides, override_count, error);
        rti_toml_deinit(&toml);
    }
    if (status != RT_OK) rti_spec_deinit(spec);
    return status;
}

rt_status rti_spec_read(rti_spec *spec, const char *path, const char *const overrides[], int override_count,
                        rt_error *error) {
    memset(spec, 0, sizeof *spec);
    rti_bytes bytes;
    RT_TRY(rti_file_read(path, (size_t)1 << 20, &bytes, error));
    rt_status status = rti_spec_parse(spec, (const char *)bytes.data, bytes.count, path, overrides,
                                      override_count, error);
    rt_free(bytes.data);
    return status;
}
