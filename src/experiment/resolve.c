/* resolve.c - from what was written to typed settings.                 Floor 8 (experiment)
 *
 * Which keys exist depends on other keys: the model's name decides which rows [student] has, the
 * method's name those of [distill]. So a point of the grid is resolved from scratch: tables are
 * chosen first, a preset is applied, then what was written, then the axes over it.
 *
 * A sweep over methods (or models) may hold keys that only some of them know; such a key is left out
 * where it means nothing, and is an error when it means nothing anywhere. */
#include <stdio.h>
#include <string.h>

#include "experiment/spec.h"
#include "optim/optimizer.h"
#include "retort/alloc.h"

/* NULL for a key of another network than the one these settings are for: [student] or one assistant. */
static rt_params *section_table(rti_settings *s, const char *key, const char **name) {
    char own[32] = "student.";
    if (s->number) snprintf(own, sizeof own, "assistant.%d.", s->number);
    const char *const sections[] = {"data.", "teacher.", own, "distill."};
    rt_params *tables[] = {&s->data, &s->teacher, &s->student, &s->distill};
    for (int i = 0; i < 4; i++) {
        size_t length = strlen(sections[i]);
        if (strncmp(key, sections[i], length)) continue;
        *name = key + length;
        return tables[i];
    }
    return NULL;
}

/* Two keys have a second spelling, as people write them. */
static const char *row_name(const char *name) {
    if (!strcmp(name, "max_norm_squared")) return "optimizer.max_norm_squared";
    if (!strcmp(name, "optimizer")) return "optimizer.name";
    return name;
}

const rt_value *rti_settings_value(const rti_settings *settings, const char *key) {
    const char *name;
    rti_settings *s = (rti_settings *)(uintptr_t)settings; /* only looked at */
    rt_params *table = section_table(s, key, &name);
    if (!table || (table == &s->teacher && !s->has_teacher)) return NULL;
    int row = rt_params_find(table, row_name(name));
    return row < 0 ? NULL : &table->values[row];
}

/* ---- messages ---- */

const char *rti_spec_shown(const rti_spec *spec, const char *key, char out[2 * RTI_KEY_MAX]) {
    bool of_row = spec->label[0] && !strncmp(key, "distill.", 8);
    snprintf(out, 2 * RTI_KEY_MAX, "%s%s%s", of_row ? "compare." : "", of_row ? spec->label : "",
             of_row ? key + 7 : key);
    return out;
}

const char *rti_spec_where(const rti_spec *spec, const char *key, int line, char out[RTI_WHERE_MAX]) {
    if (line) snprintf(out, RTI_WHERE_MAX, "%s:%d", spec->path, line);
    else snprintf(out, RTI_WHERE_MAX, "--set %s", key);
    return out;
}

/* The method other than `present` that has a row of this name, or NULL. */
static const char *method_with(const char *name) {
    int count;
    const char *const *methods = rt_method_names(&count);
    for (int i = 0; i < count; i++) {
        int rows;
        const rt_param *row = rt_method_rows(methods[i], &rows);
        for (int j = 0; row && j < rows; j++)
            if (!strcmp(row[j].name, name)) return methods[i];
    }
    return NULL;
}

static const char *model_with(const char *name) {
    int count;
    const char *const *kinds = rt_model_kinds(&count);
    for (int i = 0; i < count; i++) {
        int rows;
        const rt_param *row = rt_model_rows(kinds[i], &rows);
        for (int j = 0; row && j < rows; j++)
            if (!strcmp(row[j].name, name)) return kinds[i];
    }
    return NULL;
}

static rt_status unknown_key(const rti_spec *spec, const rti_settings *s, const rt_params *table,
                             const char *key, const char *name, int line, rt_error *error) {
    char where[RTI_WHERE_MAX], shown[2 * RTI_KEY_MAX];
    rti_spec_shown(spec, key, shown);
    rti_spec_where(spec, shown, line, where);
    const char *other;
    if (table == &s->distill && (other = method_with(name)))
        return rt_fail(error, RT_SPEC, "%s: %s belongs to the method %s; the method here is %s", where, shown,
                       other, rt_params_text(&s->distill, "method"));
    if ((table == &s->student || table == &s->teacher) && (other = model_with(name)))
        return rt_fail(error, RT_SPEC, "%s: %s belongs to the model %s; the model here is %s", where, shown,
                       other, rt_params_text(table, "model"));
    const char *words[RT_PARAMS_MAX + 1];
    int count = 0;
    for (int i = 0; i < table->count; i++) words[count++] = table->rows[i]->name;
    words[count++] = "max_norm_squared";
    if (table == &s->data || table == &s->distill) count--;
    const char *near = rt_nearest_word(name, words, count);
    int section = (int)(strlen(shown) - strlen(name));
    if (near)
        return rt_fail(error, RT_SPEC, "%s: unknown key %s; did you mean %.*s%s?", where, shown, section,
                       shown, near);
    bool method = table == &s->distill;
    return rt_fail(error, RT_SPEC, "%s: unknown key %s; `retort help %.*s` lists what may stand there", where,
                   shown, method ? 64 : (int)strcspn(key, "."),
                   method ? rt_params_text(&s->distill, "method") : s->number ? "student" : key);
}

/* ---- options of optimisers ---- */

/* An option that the optimiser does not know is a mistake, unless optimisers are swept. */
static rt_status check_optimizer_option(const rti_spec *spec, rti_settings *s, const char *key, int line,
                                        rt_error *error) {
    const char *name = key;
    char chooser[2][RTI_KEY_MAX];
    const rt_params *table = section_table(s, key, &name);
    if (!table || (table != &s->student && table != &s->teacher)) return RT_OK;
    if (rt_params_find(table, row_name(name)) < 0 || rti_optimizer_uses(table, row_name(name))) return RT_OK;
    snprintf(chooser[0], RTI_KEY_MAX, "%.*soptimizer.name", (int)(name - key), key);
    snprintf(chooser[1], RTI_KEY_MAX, "%.*soptimizer.schedule", (int)(name - key), key);
    if (rti_spec_axis(spec, chooser[0]) >= 0 || rti_spec_axis(spec, chooser[1]) >= 0) return RT_OK;
    char where[RTI_WHERE_MAX];
    return rt_fail(error, RT_SPEC, "%s: %s means nothing to the optimiser %s with the schedule %s",
                   rti_spec_where(spec, key, line, where), key, rt_params_text(table, "optimizer.name"),
                   rt_params_text(table, "optimizer.schedule"));
}

/* ---- setting ---- */

/* Does a swept method or model know this key, so that it may stand here without meaning? */
static bool known_elsewhere(const rti_spec *spec, const rti_settings *s, const rt_params *table,
                            const char *name) {
    const char *chooser = table == &s->distill ? "distill.method"
                          : table == &s->student ? "student.model"
                          : table == &s->teacher ? "teacher.model" : NULL;
    int axis = chooser ? rti_spec_axis(spec, chooser) : -1;
    if (axis < 0) return false;
    for (int i = 0; i < spec->axes[axis].count; i++) {
        int count;
        const char *word = spec->axes[axis].values[i].text;
        const rt_param *rows = table == &s->distill ? rt_method_rows(word, &count)
                                                    : rt_model_rows(word, &count);
        for (int j = 0; rows && j < count; j++)
            if (!strcmp(rows[j].name, name)) return true;
    }
    return false;
}

/* What was written, in the type that the row asks for, where that loses nothing. */
static rt_value fitted(const rt_param *row, const rt_value *written) {
    rt_value v = *written;
    bool list = v.type == RT_PARAM_INTS || v.type == RT_PARAM_REALS;
    if (v.type == RT_PARAM_TEXT && row->type == RT_PARAM_CHOICE) v.type = RT_PARAM_CHOICE;
    if (v.type == RT_PARAM_INT && row->type == RT_PARAM_REAL) v.type = RT_PARAM_REAL;
    if (list && row->type == RT_PARAM_REALS) v.type = RT_PARAM_REALS;
    if (list && row->type == RT_PARAM_INTS && v.count == 0) v.type = RT_PARAM_INTS;
    return v;
}

/* A sum of methods is no word on the list of its row. */
static bool set_sum(rt_params *table, const char *name, const rt_value *value) {
    int row = rt_params_find(table, "method");
    bool is_text = value->type == RT_PARAM_TEXT || value->type == RT_PARAM_CHOICE;
    if (row < 0 || strcmp(name, "method") || !is_text || !strchr(value->text, '+') ||
        !rti_method_exists(value->text))
        return false;
    table->values[row] = *value;
    table->values[row].type = table->rows[row]->type;
    table->given[row] = true;
    return true;
}

static rt_status set_key(const rti_spec *spec, rti_settings *s, const char *key, const rt_value *value,
                         int line, rt_error *error) {
    const char *name = key;
    rt_params *table = section_table(s, key, &name);
    if (!table) return RT_OK;
    const char *wanted = table == &s->student || table == &s->teacher ? row_name(name) : name;
    int row = rt_params_find(table, wanted);
    if (row < 0) {
        if (known_elsewhere(spec, s, table, name)) return RT_OK;
        return unknown_key(spec, s, table, key, name, line, error);
    }
    rt_value v = fitted(table->rows[row], value);
    rt_error inner = {0};
    if (set_sum(table, wanted, &v) || rt_params_set(table, wanted, &v, &inner) == RT_OK) return RT_OK;
    char where[RTI_WHERE_MAX], shown[2 * RTI_KEY_MAX];
    rti_spec_shown(spec, key, shown);
    return rt_fail(error, RT_SPEC, "%s: [%.*s] %s", rti_spec_where(spec, shown, line, where),
                   (int)(strlen(shown) - strlen(name)) - 1, shown, inner.message);
}

/* The word that chooses a table: from the axis, else as written, else NULL. */
static const rt_value *chooser_value(const rti_spec *spec, const int value[], const char *key, int *line) {
    int axis = rti_spec_axis(spec, key);
    if (axis >= 0) {
        *line = spec->entries->axis_line[axis];
        return &spec->axes[axis].values[value[axis]];
    }
    for (int i = spec->entries->count - 1; i >= 0; i--)
        if (!strcmp(spec->entries->items[i].key, key)) {
            *line = spec->entries->items[i].line;
            return &spec->entries->items[i].value;
        }
    return NULL;
}

/* The table is made with the default word first, so that a wrong word is refused by its own row. */
static rt_status choose(const rti_spec *spec, const int value[], rti_settings *s, const char *key,
                        char word[64], rt_error *error) {
    int line = 0;
    const char *name = key;
    const rt_params *table = section_table(s, key, &name);
    const rt_value *written = chooser_value(spec, value, key, &line);
    if (written) RT_TRY(set_key(spec, s, key, written, line, error));
    snprintf(word, 64, "%s", rt_params_text(table, name));
    return RT_OK;
}

static rt_status choose_tables(const rti_spec *spec, const int value[], rti_settings *s, rt_error *error) {
    char word[64], model[RTI_KEY_MAX] = "student.model";
    int count, own_count = 0;
    const rt_param *rows = rt_data_rows(&count), *own = NULL;
    if (s->number) {
        own = rti_assistant_rows(&own_count);
        snprintf(model, sizeof model, "assistant.%d.model", s->number);
    }
    rt_params_init(&s->data, rows, count);
    rows = rti_training_rows(&count);
    rt_params_init(&s->student, rows, count);
    rt_params_init(&s->teacher, rows, count);
    rows = rti_distill_rows(&count);
    rt_params_init(&s->distill, rows, count);

    RT_TRY(choose(spec, value, s, model, word, error));
    rti_network_table(&s->student, word, own, own_count);
    RT_TRY(choose(spec, value, s, "teacher.model", word, error));
    own = rti_teacher_rows(&own_count);
    rti_network_table(&s->teacher, word, own, own_count);
    RT_TRY(choose(spec, value, s, "distill.method", word, error));
    RT_ASSERT(rti_method_exists(word), "method %s is on no list", word);
    rti_distill_table(&s->distill, word);
    return choose(spec, value, s, "distill.method", word, error); /* in the table that it chose */
}

static rt_status apply_preset(const rti_spec *spec, const int value[], rti_settings *s, rt_error *error) {
    int line = 0;
    const rt_value *preset = chooser_value(spec, value, "distill.preset", &line);
    if (!preset) return RT_OK;
    RT_TRY(set_key(spec, s, "distill.preset", preset, line, error));
    if (!preset->text[0]) return RT_OK;
    rt_error inner = {0};
    const char *method = rt_params_text(&s->distill, "method");
    if (rt_preset_apply(method, preset->text, &s->distill, &inner) == RT_OK) return RT_OK;
    char where[RTI_WHERE_MAX], shown[2 * RTI_KEY_MAX];
    rti_spec_shown(spec, "distill.preset", shown);
    return rt_fail(error, RT_SPEC, "%s: %s", rti_spec_where(spec, shown, line, where), inner.message);
}

rt_status rti_spec_key_is_list(const rti_spec *spec, const char *key, bool *is_list, rt_error *error) {
    static const int first[RTI_AXES_MAX];
    *is_list = false;
    rti_settings *s = rt_alloc_zero(1, sizeof *s);
    if (!s) return rt_fail(error, RT_MEMORY, "no memory for the settings");
    s->has_teacher = true;
    rt_status status = choose_tables(spec, first, s, error);
    const rt_value *value = status == RT_OK ? rti_settings_value(s, key) : NULL;
    *is_list = value && (value->type == RT_PARAM_INTS || value->type == RT_PARAM_REALS);
    rt_free(s);
    return status;
}

/* ---- who teaches ---- */

rti_lineage rti_settings_lineage(const rti_settings *settings) {
    const char *word = rt_params_text(&settings->distill, "schedule");
    return !strcmp(word, "takd") ? RTI_TAKD : !strcmp(word, "born-again") ? RTI_BORN_AGAIN : RTI_DIRECT;
}

bool rti_settings_stored(const rti_settings *settings) {
    return settings->has_teacher && rt_params_text(&settings->teacher, "logits")[0];
}

static bool is_given(const rt_params *p, const char *name) { return p->given[rt_params_find(p, name)]; }

static rt_status fail_key(const rti_spec *spec, const char *key, rt_error *error, const char *message) {
    char shown[2 * RTI_KEY_MAX];
    int line = -1;
    static const int first[RTI_AXES_MAX];
    chooser_value(spec, first, key, &line);
    if (line >= 0) return rti_spec_fail(spec, key, line, error, message);
    rti_spec_shown(spec, key, shown);
    return rt_fail(error, RT_SPEC, "%s: %s: %s", spec->path, shown, message);
}

/* Answers from a file have no network: whatever else is said of one contradicts them. */
static rt_status check_stored(const rti_spec *spec, const rti_settings *s, rt_error *error) {
    static const char *const own[] = {"logits", "logits_are", "test_logits"};
    const rt_params *t = &s->teacher;
    const bool stored = rti_settings_stored(s);
    for (int i = 0; i < t->count; i++) {
        char key[RTI_KEY_MAX];
        bool is_own = false;
        for (int k = 0; k < 3; k++) is_own |= !strcmp(t->rows[i]->name, own[k]);
        snprintf(key, sizeof key, "teacher.%.80s", t->rows[i]->name);
        if (!t->given[i] || is_own == stored || !strcmp(t->rows[i]->name, "logits")) continue;
        if (stored)
            return fail_key(spec, key, error, "[teacher] logits are answers without a network; take this away");
        return fail_key(spec, key, error, "goes with [teacher] logits, and there are none");
    }
    return RT_OK;
}

/* In a spec with assistants, and no rows that could tell, they are there to teach. */
static rt_status check_lineage(const rti_spec *spec, rti_settings *s, rt_error *error) {
    const char *method = rt_params_text(&s->distill, "method");
    bool learns = rt_method_needs_teacher(method);
    if (spec->assistant_count && !spec->label[0] && learns && !is_given(&s->distill, "schedule")) {
        int row = rt_params_find(&s->distill, "schedule");
        snprintf(s->distill.values[row].text, RT_PARAM_TEXT_MAX, "takd");
    }
    rti_lineage lineage = rti_settings_lineage(s);
    bool from_labels = lineage == RTI_BORN_AGAIN && !strcmp(rt_params_text(&s->distill, "first"), "labels");
    if (lineage != RTI_DIRECT && !learns)
        return fail_key(spec, "distill.schedule", error, "the method here has no use for a teacher");
    if (lineage == RTI_TAKD && !spec->assistant_count)
        return fail_key(spec, "distill.schedule", error, "takd needs assistants; add an [assistant.1]");
    if (lineage != RTI_BORN_AGAIN && rti_spec_axis(spec, "distill.schedule") < 0) {
        if (is_given(&s->distill, "generations"))
            return fail_key(spec, "distill.generations", error, "needs schedule = \"born-again\"");
        if (is_given(&s->distill, "first"))
            return fail_key(spec, "distill.first", error, "needs schedule = \"born-again\"");
    }
    if (learns && !from_labels && !s->has_teacher)
        return rt_fail(error, RT_SPEC, "%s: %s%s%sthe method %s needs a teacher; add a [teacher] section",
                       spec->path, spec->label[0] ? "[compare." : "", spec->label,
                       spec->label[0] ? "] " : "", method);
    if (!s->has_teacher) return RT_OK;
    RT_TRY(check_stored(spec, s, error));
    if (rt_params_int(&s->distill, "teachers") > rt_params_int(&s->teacher, "count"))
        return fail_key(spec, "distill.teachers", error, "there are not so many; see [teacher] count");
    if (rt_params_text(&s->teacher, "weights")[0] && rt_params_int(&s->teacher, "count") > 1)
        return fail_key(spec, "teacher.weights", error, "one file is one network; [teacher] count is more");
    int64_t stop = rt_params_int(&s->teacher, "stop_epoch"), epochs = rt_params_int(&s->teacher, "epochs");
    if (stop > epochs)
        return fail_key(spec, "teacher.stop_epoch", error, "the teacher is not trained for so long");
    if (stop == epochs) s->teacher.values[rt_params_find(&s->teacher, "stop_epoch")].number = 0;
    return RT_OK;
}

/* In a sweep over optimisers a cell may hold options of another one: as if nobody had given them. */
static void forget_unused(rt_params *p) {
    for (int i = 0; i < p->count; i++)
        if (!rti_optimizer_uses(p, p->rows[i]->name)) p->given[i] = false;
}

rt_status rti_spec_resolve(const rti_spec *spec, const int value[], rti_settings *s, rt_error *error) {
    return rti_spec_resolve_for(spec, value, 0, s, error);
}

rt_status rti_spec_resolve_for(const rti_spec *spec, const int value[], int number, rti_settings *s,
                               rt_error *error) {
    memset(s, 0, sizeof *s);
    s->has_teacher = spec->base.has_teacher;
    s->number = number;
    RT_TRY(choose_tables(spec, value, s, error));
    RT_TRY(apply_preset(spec, value, s, error));
    for (int i = 0; i < spec->entries->count; i++) {
        const rti_spec_entry *e = &spec->entries->items[i];
        RT_TRY(set_key(spec, s, e->key, &e->value, e->line, error));
    }
    for (int a = 0; a < spec->axis_count; a++)
        RT_TRY(set_key(spec, s, spec->axes[a].key, &spec->axes[a].values[value[a]],
                       spec->entries->axis_line[a], error));
    for (int i = 0; i < spec->entries->count; i++)
        RT_TRY(check_optimizer_option(spec, s, spec->entries->items[i].key, spec->entries->items[i].line,
                                      error));
    for (int a = 0; a < spec->axis_count; a++)
        RT_TRY(check_optimizer_option(spec, s, spec->axes[a].key, spec->entries->axis_line[a], error));
    forget_unused(&s->student);
    forget_unused(&s->teacher);
    return check_lineage(spec, s, error);
}
