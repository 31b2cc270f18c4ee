/* registry.c - the generated list of methods, and what others may ask of it.  Floor 7 (distill) */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "distill/parts.h"
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

/* ---- methods ---- */

const char *const *rt_method_names(int *count) {
    static const char *names[METHODS + 1];
    for (int i = 0; i < METHODS; i++) names[i] = rti_all_methods[i]->name;
    *count = METHODS;
    return names;
}

const rt_param *rt_method_rows(const char *name, int *count) { return rti_parts_rows(name, count); }

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

const char *rt_method_explanation(const char *name) {
    const rti_method *method = rti_method_find(name);
    return method ? method->explanation : NULL;
}

bool rt_method_needs_teacher(const char *name) {
    rti_parts parts;
    if (!rti_parts_find(name, &parts)) return false;
    unsigned needs = 0;
    for (int i = 0; i < parts.count; i++) needs |= parts.method[i]->needs;
    return (needs & (RTI_NEEDS_TEACHER_LOGITS | RTI_NEEDS_FEATURES)) != 0;
}

rt_status rt_method_check(const char *name, const rt_params *options, int64_t classes, rt_error *error) {
    rti_parts parts;
    RT_TRY(rti_parts_check(name, error));
    rti_parts_find(name, &parts);
    for (int i = 0; i < parts.count; i++) {
        rt_params own;
        if (!parts.method[i]->check) continue;
        rti_part_options(&parts, i, options, &own);
        RT_TRY(parts.method[i]->check(&own, classes, error));
    }
    return RT_OK;
}

/* The parts of a name that must be right: asking for the contract of nothing is a bug. */
static rti_parts parts_of(const char *name) {
    rti_parts parts;
    bool found = rti_parts_find(name, &parts);
    RT_ASSERT(found, "there is no method \"%s\"", name);
    return parts;
}

void rt_method_contract(const char *name, const rt_params *options, char *buffer, size_t size) {
    if (size == 0) return;
    buffer[0] = 0;
    rti_parts parts = parts_of(name);
    rti_writer w = {buffer, size};
    for (int i = 0; i < parts.count; i++) {
        rt_params own;
        rti_part_options(&parts, i, options, &own);
        if (parts.count > 1)
            rti_write(&w, "%s%s%s:\n", i ? "\n" : "", parts.method[i]->name,
                      i ? ", added to it without the labels" : "");
        parts.method[i]->contract(&own, w.at, w.left);
        size_t length = strlen(w.at);
        w.at += length;
        w.left -= length;
    }
}

bool rt_method_is_labels_only(const char *name, const rt_params *options) {
    rti_parts parts = parts_of(name);
    for (int i = 0; i < parts.count; i++) {
        rt_params own;
        rti_part_options(&parts, i, options, &own);
        if (!parts.method[i]->is_labels_only || !parts.method[i]->is_labels_only(&own)) return false;
    }
    return true;
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
    if (!names) {
        RT_TRY(rti_parts_check(method, error));
        return rt_fail(error, RT_SPEC, "the sum \"%s\" has no presets; set the options of its parts", method);
    }
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
    const rti_preset *preset = preset_find(method_name, name);
    if (!preset) return no_such_preset(method_name, name, error);
    rt_params values;
    int count;
    const rt_param *rows = rti_parts_rows(method_name, &count);
    rt_params_init(&values, rows, count);
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

rt_tensor *rti_cross_entropy(const rti_method_input *in) {
    rt_graph *g = in->graph;
    rt_tensor *own = rt_cross_entropy(g, in->z, in->y);
    if (!in->y2) return own;
    return rt_add(g, rt_scale(g, own, in->lambda),
                  rt_scale(g, rt_cross_entropy(g, in->z, in->y2), 1 - in->lambda));
}

rt_tensor *rti_labels_alone(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)v;
    return rt_cross_entropy(g, z, y);
}

void rti_labels(rti_terms *terms, const rti_method_input *in, double weight) {
    if (!in->labels_are_counted) RTI_TERM(terms, "ce", weight, rti_cross_entropy(in));
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
    if (length < 0 || writer->left == 0) return;
    /* Cut short, it stands on its terminating 0, with room for that alone. */
    size_t used = (size_t)length < writer->left ? (size_t)length : writer->left - 1;
    writer->at += used;
    writer->left -= used;
}
