/* torch_names.c - names and layouts of parameters in PyTorch. See torch_names.h.  Floor 6 (nn) */
#include "nn/torch_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retort/alloc.h"

/* ---- layouts ---- */

const rti_layer *rti_torch_layer(const rt_model *m, int parameter) {
    for (int i = 0; i < m->layer_count; i++) {
        const rti_layer *l = &m->layers[i];
        if (parameter >= l->parameter && parameter < l->parameter + l->parameter_count) return l;
    }
    RT_ASSERT(false, "parameter %d of %d", parameter, m->parameter_count);
    return NULL;
}

/* The image (H, W, C) whose numbers a linear layer reads in a row; NULL: it reads no image, or the example
 * as it came, which lies as it does in PyTorch. */
static const int64_t *image_before(const rt_model *m, const rti_layer *linear) {
    int at = linear->source;
    while (at >= 0 && m->layers[at].kind->only_in_training) at = m->layers[at].source;
    if (at < 0) return NULL;
    const rti_layer *l = &m->layers[at];
    if (l->out_ndim == 3) return l->out;
    return l->kind == &rti_layer_flatten && l->source >= 0 && l->in_ndim == 3 ? l->in : NULL;
}

void rti_torch_layout_of(const rt_model *m, int parameter, rti_torch_layout *out) {
    const rti_layer *l = rti_torch_layer(m, parameter);
    const rt_tensor *t = &m->parameters[parameter].tensor;
    const int64_t *s = t->shape,
                  *image = l->kind == &rti_layer_linear && t->ndim == 2 ? image_before(m, l) : NULL;
    *out = (rti_torch_layout){.ndim = t->ndim, .extent = {1, 1, 1, 1}};
    memcpy(out->shape, s, sizeof out->shape);
    if (t->ndim == 4) { /* (K, K, C, F) -> (F, C, K, K) */
        const int from[4] = {3, 2, 0, 1};
        for (int i = 0; i < 4; i++) {
            out->shape[i] = out->extent[i] = s[from[i]];
            out->stride[i] = rti_product(3 - from[i], s + from[i] + 1);
        }
    } else if (image) { /* (units, H W C) -> (units, C, H, W) */
        const int64_t extent[4] = {s[0], image[2], image[0], image[1]};
        const int64_t stride[4] = {s[1], 1, image[1] * image[2], image[2]};
        memcpy(out->extent, extent, sizeof extent);
        memcpy(out->stride, stride, sizeof stride);
    } else {
        out->extent[3] = rt_tensor_count(t);
        out->stride[3] = 1;
    }
}

void rti_torch_get(const rt_model *m, int parameter, rt_real *to) {
    const rt_real *from = rt_real_data(&m->parameters[parameter].tensor);
    rti_torch_layout y;
    rti_torch_layout_of(m, parameter, &y);
    for (int64_t i = 0; i < y.extent[0]; i++)
        for (int64_t j = 0; j < y.extent[1]; j++)
            for (int64_t k = 0; k < y.extent[2]; k++)
                for (int64_t l = 0; l < y.extent[3]; l++)
                    *to++ = from[i * y.stride[0] + j * y.stride[1] + k * y.stride[2] + l * y.stride[3]];
}

const char *rti_torch_leaf(const rt_model *m, int parameter) {
    const char *own = strrchr(m->parameters[parameter].name, '.') + 1;
    if (strcmp(own, "scale") == 0) return "weight";
    return strcmp(own, "running_variance") == 0 ? "running_var" : own;
}

bool rti_torch_is_chain(const rt_model *m) {
    for (int i = 0; i < m->layer_count; i++)
        if (m->layers[i].source != i - 1 || m->layers[i].second != RTI_NO_LAYER) return false;
    return true;
}

/* ---- declared names ---- */

/* "stage2.block10.conv1": the numbers, and the rest behind the dot. NULL: another form. */
static const char *in_block(const char *name, long *stage, long *block) {
    char *rest;
    if (strncmp(name, "stage", 5) != 0) return NULL;
    *stage = strtol(name + 5, &rest, 10);
    if (strncmp(rest, ".block", 6) != 0) return NULL;
    *block = strtol(rest + 6, &rest, 10);
    return *rest == '.' ? rest + 1 : NULL;
}

static bool put(char out[RTI_TORCH_NAME], const char *name) {
    snprintf(out, RTI_TORCH_NAME, "%s", name);
    return true;
}

static bool resnet_name(const rt_model *m, const rti_layer *l, const rti_torch_spelling *s,
                        char out[RTI_TORCH_NAME]) {
    (void)m;
    long stage, block;
    if (strcmp(l->name, "stem.conv") == 0) return put(out, "conv1");
    if (strcmp(l->name, "stem.bn") == 0) return put(out, "bn1");
    if (strcmp(l->name, "fc") == 0) return put(out, s->last);
    const char *rest = in_block(l->name, &stage, &block);
    if (!rest) return false;
    const int length = snprintf(out, RTI_TORCH_NAME, "layer%ld.%ld.", stage, block - 1);
    const size_t room = (size_t)(RTI_TORCH_NAME - length);
    if (strcmp(rest, "shortcut") == 0)
        snprintf(out + length, room, "%s.0", s->shortcut);
    else if (strcmp(rest, "shortcut.bn") == 0)
        snprintf(out + length, room, "%s.1", s->shortcut);
    else
        snprintf(out + length, room, "%s", rest);
    return true;
}

static bool wrn_name(const rt_model *m, const rti_layer *l, const rti_torch_spelling *s,
                     char out[RTI_TORCH_NAME]) {
    (void)m;
    long stage, block;
    if (strcmp(l->name, "stem.conv") == 0) return put(out, "conv1");
    if (strcmp(l->name, "bn") == 0) return put(out, "bn1");
    if (strcmp(l->name, "fc") == 0) return put(out, s->last);
    const char *rest = in_block(l->name, &stage, &block);
    if (!rest) return false;
    snprintf(out, RTI_TORCH_NAME, "block%ld.layer.%ld.%s", stage, block - 1,
             strcmp(rest, "shortcut") == 0 ? s->shortcut : rest);
    return true;
}

/* "stem.conv1", "stage2.bn3": a group is a Sequential of convolution, normalisation and relu in turn. */
static bool vgg_name(const rt_model *m, const rti_layer *l, const rti_torch_spelling *s,
                     char out[RTI_TORCH_NAME]) {
    if (strcmp(l->name, "fc") == 0) return put(out, s->last);
    const char *dot = strchr(l->name, '.');
    if (!dot) return false;
    const bool normal = l->kind == &rti_layer_batch_norm;
    const long group = strncmp(l->name, "stage", 5) == 0 ? strtol(l->name + 5, NULL, 10) : 0;
    const long number = strtol(dot + (normal ? 3 : 5), NULL, 10);
    const bool norms = m->layers[2].kind == &rti_layer_batch_norm; /* image, conv, bn */
    snprintf(out, RTI_TORCH_NAME, "block%ld.%ld", group, (norms ? 3 : 2) * (number - 1) + normal);
    return true;
}

static bool own_name(const rt_model *m, const rti_layer *l, const rti_torch_spelling *s,
                     char out[RTI_TORCH_NAME]) {
    return put(out, s->last && l == &m->layers[m->layer_count - 1] ? s->last : l->name);
}

const rti_torch_spelling rti_torch_spellings[] = {
    {"resnet", resnet_name, "downsample", "fc"},
    {"resnet", resnet_name, "shortcut", "linear"},
    {"resnet", resnet_name, "shortcut", "fc"},
    {"resnet", resnet_name, "downsample", "linear"},
    {"wrn", wrn_name, "convShortcut", "fc"},
    {"wrn", wrn_name, "convShortcut", "linear"},
    {"vgg", vgg_name, NULL, "classifier"},
    {NULL, own_name, NULL, NULL},
    {NULL, own_name, NULL, "fc"},
    {NULL, own_name, NULL, "linear"},
    {NULL, own_name, NULL, "classifier"},
    {NULL, own_name, NULL, "out"},
    {NULL, own_name, NULL, "output"},
    {NULL, own_name, NULL, "head"},
    {NULL, NULL, NULL, NULL},
};

/* ---- the state_dict ---- */

static rt_status no_name(const rt_model *m, const rti_layer *l, rt_error *error) {
    return rt_fail(error, RT_UNSUPPORTED, "Layer %s (%s) of %s has no name in PyTorch's form.", l->name,
                   l->kind->name, m->summary);
}

/* The module of each layer with parameters, as it is written. */
static rt_status module_names(const rt_model *m, char (*name)[RTI_TORCH_NAME], int number[],
                              rt_error *error) {
    const rti_torch_spelling *s = rti_torch_spellings;
    const bool chain = rti_torch_is_chain(m);
    if (chain) RT_TRY(rti_torch_number(m, number, NULL, error));
    while (!chain && s->name && (!s->kind || strcmp(s->kind, m->kind->name) != 0)) s++;
    for (int i = 0; i < m->layer_count; i++) {
        const rti_layer *l = &m->layers[i];
        if (!l->parameter_count) continue;
        if (chain)
            snprintf(name[i], RTI_TORCH_NAME, "%d", number[i]);
        else if (!s->name || !s->name(m, l, s, name[i]))
            return no_name(m, l, error);
    }
    return RT_OK;
}

static void join(char out[RTI_TORCH_NAME], const char *module, const char *leaf) {
    snprintf(out, RTI_TORCH_NAME, "%.*s.%s", RTI_TORCH_NAME - 24, module, leaf);
}

static int fill(const rt_model *m, char (*name)[RTI_TORCH_NAME], rti_torch_tensor *list) {
    int count = 0;
    for (int i = 0; i < m->layer_count; i++) {
        const rti_layer *l = &m->layers[i];
        for (int p = l->parameter; p < l->parameter + l->parameter_count; p++) {
            rti_torch_layout y;
            rti_torch_layout_of(m, p, &y);
            rti_torch_tensor *t = &list[count++];
            *t = (rti_torch_tensor){.parameter = p, .ndim = y.ndim};
            memcpy(t->shape, y.shape, sizeof t->shape);
            join(t->name, name[i], rti_torch_leaf(m, p));
        }
        if (l->kind != &rti_layer_batch_norm) continue;
        list[count] = (rti_torch_tensor){.parameter = -1};
        join(list[count++].name, name[i], "num_batches_tracked");
    }
    return count;
}

rt_status rti_torch_list(const rt_model *m, rti_torch_tensor **list, int *count, rt_error *error) {
    const size_t layers = (size_t)m->layer_count;
    char(*name)[RTI_TORCH_NAME] = rt_alloc_zero(layers, sizeof *name);
    int *number = rt_alloc(layers * sizeof *number);
    *list = rt_alloc((size_t)(m->parameter_count + m->layer_count) * sizeof **list);
    rt_status status;
    if (name && number && *list) {
        status = module_names(m, name, number, error);
        if (status == RT_OK) *count = fill(m, name, *list);
    } else {
        status = rt_fail(error, RT_MEMORY, "no memory for the names of a model");
    }
    rt_free(name);
    rt_free(number);
    if (status == RT_OK) return RT_OK;
    rt_free(*list);
    *list = NULL;
    return status;
}
