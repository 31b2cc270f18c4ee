/* spec.c - reading a spec.                                             Floor 8 (experiment)
 *
 * The TOML reader gives flat keys with lines. "name", "seeds" and "trials" are read here, "sweep.<key>"
 * becomes an axis, "compare.<row>.<key>" goes to compare.c, everything else is kept as it was written and
 * given its meaning by resolve.c. Then every point of the grid is resolved once, so that a mistake in the
 * last value of an axis is found before the first trial starts. */
#include "experiment/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "retort/alloc.h"

static const char *const words[] = {"data",  "teacher", "assistant", "student", "distill",
                                    "sweep", "compare", "name",      "seeds",   "trials"};
#define SECTION_COUNT 7
#define WORD_COUNT 10

int rti_spec_axis(const rti_spec *spec, const char *key) {
    for (int a = 0; a < spec->axis_count; a++)
        if (!strcmp(spec->axes[a].key, key)) return a;
    return -1;
}

const char *rti_spec_trials(const rti_spec *spec) { return spec->trials[0] ? spec->trials : spec->name; }

void rti_spec_deinit(rti_spec *spec) {
    if (spec->entries) {
        rt_free(spec->entries->items);
        rt_free(spec->entries->row_entries);
    }
    rt_free(spec->entries);
    for (int r = 0; r < spec->row_count; r++) rti_spec_deinit(&spec->rows[r]);
    rt_free(spec->rows);
    memset(spec, 0, sizeof *spec);
}

/* ---- the keys that are read here ---- */

static rt_status take_name(rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                           char name[RTI_NAME_TEXT], rt_error *error) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (t->type != RTI_TOML_STRING)
        return rti_spec_fail(spec, key, line, error, "expected a text in quotes");
    size_t length = strlen(t->string);
    if (!length || length >= RTI_NAME_TEXT || strspn(t->string, allowed) != length ||
        t->string[0] == '.' || t->string[0] == '-')
        return rti_spec_fail(spec, key, line, error,
                             "it names a directory: 1 to 63 letters, digits, '.', '_' and '-', not starting "
                             "with '.' or '-'");
    memcpy(name, t->string, length + 1);
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
    char where[RTI_WHERE_MAX], word[RTI_KEY_MAX];
    snprintf(word, sizeof word, "%.*s", (int)length, key);
    rti_spec_where(spec, key, line, where);
    const char *near = rt_nearest_word(word, words, WORD_COUNT);
    if (near) return rt_fail(error, RT_SPEC, "%s: unknown key %s; did you mean %s?", where, word, near);
    return rt_fail(error, RT_SPEC,
                   "%s: unknown key %s; a spec holds name, seeds, trials, [data], [teacher], [assistant.N], "
                   "[student], and [distill] and [sweep] or [compare]",
                   where, word);
}

static bool is_section(const char *key, size_t length) {
    for (int i = 0; i < SECTION_COUNT; i++)
        if (strlen(words[i]) == length && !strncmp(words[i], key, length)) return true;
    return false;
}

/* "assistant.epochs" is short for "assistant.1.epochs". Counts the assistants. Returns out. */
static const char *full_key(rti_spec *spec, const char *key, char out[RTI_KEY_MAX + 2]) {
    snprintf(out, RTI_KEY_MAX + 2, "%s", key);
    if (strncmp(key, "assistant.", 10)) return out;
    if (!(key[10] >= '0' && key[10] <= '9')) snprintf(out, RTI_KEY_MAX + 2, "assistant.1.%s", key + 10);
    long number = strtol(out + 10, NULL, 10);
    if (number > spec->assistant_count) spec->assistant_count = number < 1000 ? (int)number : 1000;
    return out;
}

static rt_status take_swept(rti_spec *spec, const char *key, const rti_toml_value *t, int line,
                            rt_error *error) {
    const char *inner = strchr(key, '.');
    char full[RTI_KEY_MAX + 2];
    if (!inner || !is_section(key, (size_t)(inner - key)) || !strncmp(key, "sweep.", 6) ||
        !strncmp(key, "compare.", 8)) {
        snprintf(full, sizeof full, "sweep.%.80s", key);
        return rti_spec_fail(spec, full, line, error,
                             "a sweep names a key of [data], [teacher], [assistant.N], [student] or "
                             "[distill], for example \"distill.alpha\"");
    }
    if (!strncmp(key, "teacher.", 8)) spec->base.has_teacher = true;
    rti_axis *axis = rt_alloc(sizeof *axis);
    if (!axis) return rt_fail(error, RT_MEMORY, "no memory for the spec");
    rt_status status = rti_written_axis(spec, full_key(spec, key, full), t, line, axis, error);
    if (status == RT_OK) status = rti_spec_keep_axis(spec, axis, line, error);
    rt_free(axis);
    return status;
}

static rt_status take(rti_spec *spec, const char *key, const rti_toml_value *t, int line, rt_error *error) {
    char where[RTI_WHERE_MAX], full[RTI_KEY_MAX + 2];
    if (strlen(key) >= RTI_KEY_MAX)
        return rt_fail(error, RT_SPEC, "%s: unknown key %.40s...", rti_spec_where(spec, "", line, where),
                       key);
    if (!strcmp(key, "name")) return take_name(spec, key, t, line, spec->name, error);
    if (!strcmp(key, "trials")) return take_name(spec, key, t, line, spec->trials, error);
    if (!strcmp(key, "seeds"))
        return rti_written_seeds(spec, key, t, line, spec->seeds, &spec->seed_count, error);
    const char *dot = strchr(key, '.');
    size_t length = dot ? (size_t)(dot - key) : strlen(key);
    if (!is_section(key, length)) return unknown_section(spec, key, length, line, error);
    if (!dot) return rti_spec_fail(spec, key, line, error, "this is a section, not a value");
    if (!strncmp(key, "compare.", 8)) return rti_compare_take(spec, key + 8, t, line, error);
    if (!strncmp(key, "sweep.", 6)) return take_swept(spec, key + 6, t, line, error);
    if (!strncmp(key, "teacher.", 8)) spec->base.has_teacher = true;
    rt_value value;
    full_key(spec, key, full);
    RT_TRY(rti_written_value(spec, full, t, line, &value, error));
    return rti_spec_keep(spec, full, &value, line, error);
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
    if (spec->base.has_teacher && require(spec, "teacher.weights", "", NULL) != RT_OK &&
        require(spec, "teacher.logits", "", NULL) != RT_OK)
        RT_TRY(require(spec, "teacher.epochs", "for how long is the teacher trained?", error));
    for (int i = 1; i <= spec->assistant_count; i++) {
        char key[RTI_KEY_MAX];
        snprintf(key, sizeof key, "assistant.%d.epochs", i);
        RT_TRY(require(spec, key, "for how long is that assistant trained?", error));
    }
    return RT_OK;
}

static rt_status take_table(rti_spec *spec, const rti_toml_table *table, rt_error *error) {
    const char *name = table->name, *dot = strchr(name, '.');
    char full[RTI_KEY_MAX + 2];
    if (!is_section(name, dot ? (size_t)(dot - name) : strlen(name))) {
        const char *near = rt_nearest_word(name, words, SECTION_COUNT);
        return rt_fail(error, RT_SPEC, "%s:%d: unknown section [%s]%s%s%s", spec->path, table->line, name,
                       near ? "; did you mean [" : "", near ? near : "", near ? "]?" : "");
    }
    if (!strncmp(name, "teacher", 7)) spec->base.has_teacher = true;
    if (!strcmp(name, "assistant") && !spec->assistant_count) spec->assistant_count = 1;
    if (dot && !strncmp(name, "assistant.", 10) && dot[1] >= '0' && dot[1] <= '9') full_key(spec, name, full);
    if (strncmp(name, "compare", 7)) return RT_OK;
    const char *label = dot ? dot + 1 : "", *inside = strchr(label, '.');
    if (inside) return RT_OK; /* an empty table in a row */
    return rti_compare_open(spec, label, table->line, error);
}

static rt_status read_all(rti_spec *spec, const rti_toml *toml, const char *const overrides[],
                          int override_count, rt_error *error) {
    for (int i = 0; i < toml->table_count; i++) RT_TRY(take_table(spec, &toml->tables[i], error));
    for (int i = 0; i < toml->count; i++)
        RT_TRY(take(spec, toml->entries[i].key, &toml->entries[i].value, toml->entries[i].line, error));
    for (int i = 0; i < override_count; i++) RT_TRY(take_override(spec, overrides[i], error));
    if (spec->assistant_count > RTI_ASSISTANTS_MAX)
        return rt_fail(error, RT_SPEC, "%s: [assistant.%d]: at most %d assistants, numbered from 1",
                       spec->path, spec->assistant_count, RTI_ASSISTANTS_MAX);
    RT_TRY(rti_compare_check(spec, error));
    RT_TRY(rti_spec_check_grid(spec, RTI_CELLS_MAX, error)); /* first: what is missing may be misspelt */
    RT_TRY(rti_compare_make_rows(spec, error));
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
