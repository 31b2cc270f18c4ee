/* taps.c - places in a model by name.                                  Floor 6 (nn)
 *
 * A place is a layer, or a mark: a second name for a layer, as people say it ("stage2"). With ".pre"
 * behind it, it is what stands ahead of the activation there. */
#include <stdio.h>
#include <string.h>

#include "nn/model.h"

#define BEFORE ".pre"
enum { TAPS_MAX = 256 };

/* The layer that the first `length` bytes of `name` mean; *before: the one whose activation ".pre" is
 * about. NULL: none. */
static rti_layer *place(const rt_model *m, const char *name, size_t length, rti_layer **before) {
    for (int i = 0; i < m->mark_count; i++) {
        const rti_mark *mark = &m->marks[i];
        if (strlen(mark->name) != length || strncmp(name, mark->name, length) != 0) continue;
        *before = &m->layers[mark->before];
        return &m->layers[mark->layer];
    }
    for (int i = 0; m->layers && i < m->layer_count; i++) {
        const char *own = m->layers[i].name;
        if (strlen(own) == length && strncmp(name, own, length) == 0) return *before = &m->layers[i];
    }
    return NULL;
}

/* The layer to ask; *is_before: for what is ahead of its activation. */
static rti_layer *find(const rt_model *m, const char *name, bool *is_before) {
    size_t length = strlen(name), suffix = sizeof BEFORE - 1;
    rti_layer *before, *layer = place(m, name, length, &before);
    *is_before = false;
    if (layer || length <= suffix || strcmp(name + length - suffix, BEFORE) != 0) return layer;
    *is_before = true;
    layer = place(m, name, length - suffix, &before);
    return layer && before->has_before ? before : NULL;
}

bool rt_model_want_tap(rt_model *m, const char *name) {
    bool before;
    rti_layer *layer = find(m, name, &before);
    if (!layer) return false;
    if (before) layer->wants_before = true;
    else layer->wanted = true;
    return true;
}

rt_tensor *rt_model_tap(const rt_model *m, const char *name) {
    bool before;
    const rti_layer *layer = find(m, name, &before);
    if (!layer) return NULL;
    return before ? layer->before : layer->output;
}

/* ---- the list: marks in their order, and among them the layers that are taps without one ---- */

static bool is_marked(const rt_model *m, int layer) {
    for (int i = 0; i < m->mark_count; i++)
        if (m->marks[i].layer == layer) return true;
    return false;
}

/* Up to TAPS_MAX names; returns how many there are. */
static int list(const rt_model *m, const char *names[TAPS_MAX]) {
    int count = 0, mark = 0;
    for (int l = 0; l < m->layer_count; l++) {
        for (; mark < m->mark_count && m->marks[mark].layer == l; mark++) {
            bool again = count > 0 && strcmp(names[count - 1], m->marks[mark].name) == 0; /* of two roles */
            if (!again && count < TAPS_MAX) names[count++] = m->marks[mark].name;
        }
        if (m->layers[l].kind->is_tap && !is_marked(m, l) && count < TAPS_MAX)
            names[count++] = m->layers[l].name;
    }
    return count;
}

int rt_model_taps(const rt_model *m) {
    const char *names[TAPS_MAX];
    return list(m, names);
}

const char *rt_model_tap_name(const rt_model *m, int i) {
    const char *names[TAPS_MAX];
    int count = list(m, names);
    RT_ASSERT(i >= 0 && i < count, "the model %s has %d taps, none of the number %d", m->summary, count, i);
    return names[i];
}

static rt_status unknown(const rt_model *m, const char *name, rt_error *error) {
    const char *names[TAPS_MAX];
    int count = list(m, names);
    char text[320] = "";
    size_t length = 0;
    for (int i = 0; i < count && length < sizeof text; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", i ? ", " : "", names[i]);
    if (length >= sizeof text) snprintf(text + sizeof text - 5, 5, " ...");
    const char *near = rt_nearest_word(name, names, count);
    return rt_fail(error, RT_NOT_FOUND,
                   "%.60s has no tap \"%.48s\"%s%s%s There are %s; \".pre\" behind a name is what "
                   "stands ahead of the activation.",
                   m->summary, name, near ? "; did you mean \"" : ".", near ? near : "", near ? "\"?" : "",
                   text);
}

rt_status rt_model_tap_shape(const rt_model *m, const char *name, int *ndim, int64_t shape[RT_MAX_DIMS],
                             rt_error *error) {
    bool before;
    const rti_layer *layer = find(m, name, &before);
    if (!layer) return unknown(m, name, error);
    *ndim = layer->out_ndim;
    memcpy(shape, layer->out, (size_t)layer->out_ndim * sizeof *shape);
    return RT_OK;
}

bool rt_model_tap_batch_norm(const rt_model *m, const char *name, const rt_parameter **scale,
                             const rt_parameter **bias) {
    bool is_before;
    rti_layer *layer = find(m, name, &is_before), *before = layer;
    if (!layer) return false;
    if (!is_before) place(m, name, strlen(name), &before);
    if (!before->kind->is_batch_norm) return false;
    *scale = &m->parameters[before->parameter];
    *bias = &m->parameters[before->parameter + 1];
    return true;
}

/* ---- roles ---- */

/* Name of mark number i of a role; NULL: there is none. */
static const char *of_role(const rt_model *m, rti_mark_role role, int i) {
    for (int k = 0; k < m->mark_count; k++)
        if (m->marks[k].role == role && i-- == 0) return m->marks[k].name;
    return NULL;
}

const char *rt_model_stem(const rt_model *m) { return of_role(m, RTI_STEM, 0); }
const char *rt_model_stage(const rt_model *m, int i) { return of_role(m, RTI_STAGE, i); }
const char *rt_model_penultimate(const rt_model *m) { return of_role(m, RTI_PENULTIMATE, 0); }

int rt_model_stages(const rt_model *m) {
    int count = 0;
    while (rt_model_stage(m, count)) count++;
    return count;
}
