/* registry.c - the generated list of methods, and what others may ask of it.  Floor 7 (distill) */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "distill/method.h"
#include "retort/ops.h"

#define X(name) extern const rti_method rti_method_##name;
#include "method.inc"
#undef X

const rti_method *const rti_all_methods[] = {
#define X(name) &rti_method_##name,
#include "method.inc"
#undef X
    NULL,
};

enum { METHODS = (int)(sizeof rti_all_methods / sizeof *rti_all_methods) - 1, PRESETS_MAX = 32 };

/* ---- finding ---- */

static int method_number(const char *name) {
    for (int i = 0; i < METHODS; i++)
        if (strcmp(rti_all_methods[i]->name, name) == 0) return i;
    return -1;
}

const rti_method *rti_method_find(const char *name) {
    int i = method_number(name);
    return i < 0 ? NULL : rti_all_methods[i];
}

/* The descriptor of a method that must be there: asking for the contract of nothing is a bug. */
static const rti_method *method_of(const char *name) {
    const rti_method *method = rti_method_find(name);
    RT_ASSERT(method, "there is no method \"%s\"", name);
    return method;
}

static rt_status no_such_method(const char *name, rt_error *error) {
    int count;
    const char *const *names = rt_method_names(&count), *near = rt_nearest_word(name, names, count);
    return rt_fail(error, RT_SPEC, "there is no method \"%.60s\"%s%s%s", name,
                   near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "; `retort list methods` shows all");
}

/* ---- methods ---- */

const char *const *rt_method_names(int *count) {
    static const char *names[METHODS + 1];
    for (int i = 0; i < METHODS; i++) names[i] = rti_all_methods[i]->name;
    *count = METHODS;
    return names;
}

const rt_param *rt_method_rows(const char *name, int *count) {
    const rti_method *method = rti_method_find(name);
    *count = method ? method->row_count : 0;
    static const rt_param none = {.name = NULL};
    return !method ? NULL : method->rows ? method->rows : &none;
}

const char *rt_method_title(const char *name) {
    const rti_method *method = rti_method_find(name);
    return method ? method->title : NULL;
}

const char *rt_method_source(const char *name) {
    const rti_method *method = rti_method_find(name);
    return method ? method->source : NULL;
}

const char *rt_method_formula(const char *name) {
    const rti_method *method = rti_method_find(name);
    return method ? method->formula : NULL;
}

bool rt_method_needs_teacher(const char *name) {
    const rti_method *method = rti_method_find(name);
    return method && (method->needs & (RTI_NEEDS_TEACHER_LOGITS | RTI_NEEDS_FEATURES)) != 0;
}

rt_status rt_method_check(const char *name, const rt_params *options, int64_t classes, rt_error *error) {
    const rti_method *method = rti_method_find(name);
    if (!method) return no_such_method(name, error);
    return method->check ? method->check(options, classes, error) : RT_OK;
}

void rt_method_contract(const char *name, const rt_params *options, char *buffer, size_t size) {
    if (size == 0) return;
    buffer[0] = 0;
    method_of(name)->contract(options, buffer, size);
}

bool rt_method_is_labels_only(const char *name, const rt_params *options) {
    const rti_method *method = method_of(name);
    return method->is_labels_only && method->is_labels_only(options);
}

/* ---- presets ---- */

static const rti_preset *preset_find(const char *method_name, const char *name) {
    const rti_method *method = rti_method_find(method_name);
    for (int i = 0; method && i < method->preset_count; i++)
        if (strcmp(method->presets[i].name, name) == 0) return &method->presets[i];
    return NULL;
}

const char *const *rt_preset_names(const char *method_name, int *count) {
    static const char *names[METHODS][PRESETS_MAX + 1];
    const rti_method *method = rti_method_find(method_name);
    *count = 0;
    if (!method) return NULL;
    RT_ASSERT(method->preset_count <= PRESETS_MAX, "%s has %d presets", method->name, method->preset_count);
    const char **list = names[method_number(method_name)];
    for (int i = 0; i < method->preset_count; i++) list[i] = method->presets[i].name;
    *count = method->preset_count;
    return list;
}

const char *rt_preset_source(const char *method, const char *name) {
    const rti_preset *preset = preset_find(method, name);
    return preset ? preset->source : NULL;
}

const char *rt_preset_settings(const char *method, const char *name) {
    const rti_preset *preset = preset_find(method, name);
    return preset ? preset->settings : NULL;
}

/* The preset's "name=value name=value" into fresh options of the method. */
static rt_status settings_read(const rti_preset *preset, rt_params *out, rt_error *error) {
    char text[RT_PARAM_TEXT_MAX];
    RT_ASSERT(strlen(preset->settings) < sizeof text, "the settings of preset %s are too long", preset->name);
    snprintf(text, sizeof text, "%s", preset->settings);
    for (char *rest = text, *word; (word = strtok_r(rest, " ", &rest));) {
        char *value = strchr(word, '=');
        RT_ASSERT(value, "preset %s: \"%s\" is no setting", preset->name, word);
        *value++ = 0;
        rt_status status = rt_params_set_text(out, word, value, error);
        if (status != RT_OK) return rt_fail_in(error, status, "preset %s", preset->name);
    }
    return RT_OK;
}

static rt_status no_such_preset(const char *method, const char *name, rt_error *error) {
    int count;
    const char *const *names = rt_preset_names(method, &count);
    if (!names) return no_such_method(method, error);
    const char *near = rt_nearest_word(name, names, count);
    char list[300] = "";
    for (int i = 0; i < count; i++) {
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s", i ? ", " : "", names[i]);
    }
    return rt_fail(error, RT_SPEC, "method \"%s\" has no preset \"%.60s\"%s%s%s; there are: %s", method, name,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "",
                   count ? list : "none");
}

rt_status rt_preset_apply(const char *method_name, const char *name, rt_params *options, rt_error *error) {
    const rti_method *method = rti_method_find(method_name);
    const rti_preset *preset = preset_find(method_name, name);
    if (!preset) return no_such_preset(method_name, name, error);
    rt_params values;
    rt_params_init(&values, method->rows, method->row_count);
    RT_TRY(settings_read(preset, &values, error));
    for (int i = 0; i < values.count; i++) {
        int row = rt_params_find(options, values.rows[i]->name);
        RT_ASSERT(row >= 0, "the options lack \"%s\" of method %s", values.rows[i]->name, method_name);
        if (!options->given[row]) options->values[row] = values.values[i];
    }
    return RT_OK;
}

/* ---- for the methods ---- */

void rti_term_add(rti_terms *terms, const char *name, double weight, rt_tensor *value) {
    RT_ASSERT(terms->count < RT_TERMS_MAX, "more than %d loss terms", RT_TERMS_MAX);
    terms->term[terms->count++] = (rti_term){name, weight, value};
}

void rti_labels(rti_terms *terms, const rti_method_input *in, double weight) {
    if (!in->labels_are_counted) RTI_TERM(terms, "ce", weight, rt_cross_entropy(in->graph, in->z, in->y));
}

rt_tensor *rti_terms_total(rt_graph *g, const rti_terms *terms) {
    rt_tensor *total = NULL;
    for (int i = 0; i < terms->count; i++) {
        const rti_term *term = &terms->term[i];
        rt_tensor *part = term->weight == 1 ? term->value : rt_scale(g, term->value, term->weight);
        total = i == 0 ? part : rt_add(g, total, part);
    }
    return total;
}

void rti_write(rti_writer *writer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(writer->at, writer->left, format, arguments);
    va_end(arguments);
    size_t used = length < 0 ? 0 : (size_t)length < writer->left ? (size_t)length : writer->left;
    writer->at += used;
    writer->left -= used;
}
