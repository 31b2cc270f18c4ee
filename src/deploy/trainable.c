/* trainable.c - see trainable.h.                                       Floor 7 (deploy) */
#include "deploy/trainable.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/safetensors.h"
#include "retort/alloc.h"

/* ---- a model of the steps ---- */

typedef struct maker {
    const rti_net *net;
    const double *range;
    rt_model *model;
    char (*says)[RTI_LAYER_NAME]; /* (steps) the layer that gives what the step gives, rounded */
} maker;

static void named(char out[RTI_LAYER_NAME], const char *name, const char *suffix) {
    snprintf(out, RTI_LAYER_NAME, "%.*s%s", (int)(RTI_LAYER_NAME - 1 - strlen(suffix)), name, suffix);
}

/* Pooling and shortcuts keep the grid of what they read. */
static int grid_step(const rti_net *net, int i) {
    while (net->steps[i].kind == RTI_STEP_POOL || net->steps[i].kind == RTI_STEP_SHORTCUT)
        i = net->steps[i].in;
    return i;
}

static rti_grid grid_of(const maker *k, int step) {
    const int i = grid_step(k->net, step);
    rti_grid grid;
    int32_t zero;
    rti_int8_range(k->range[2 * i], k->range[2 * i + 1], &grid.step, &zero);
    grid.low = grid.step * (-128 - zero);
    grid.high = grid.step * (127 - zero);
    return grid;
}

static rt_status add_product(const maker *k, const rti_step *s, const char *name, rt_error *error) {
    if (s->kind == RTI_STEP_LINEAR) {
        const rti_linear linear = {.bias = true, .int8 = true};
        return rti_model_add_linear(k->model, name, s->biases, &linear, error);
    }
    rti_conv conv = {.kernel = s->kernel,
                     .stride = s->stride,
                     .padding = s->padding,
                     .dilation = s->dilation,
                     .groups = s->groups,
                     .bias = true,
                     .int8 = true};
    if (s->kind == RTI_STEP_AFFINE) /* a 1 x 1 kernel for each channel; its factors have 31 bits */
        conv = (rti_conv){.kernel = 1, .groups = (int)s->shape[2], .bias = true};
    return rti_model_add_conv(k->model, name, s->shape[2], &conv, error);
}

static rt_status add_step(const maker *k, int i, rt_error *error) {
    const rti_step *s = &k->net->steps[i];
    char name[RTI_LAYER_NAME];
    const bool last = i == k->net->count - 1, product = s->weights > 0;
    rti_model_from(k->model, k->says[s->in]);
    if (product) {
        named(name, s->name, s->second == RTI_NO_STEP && !s->relu ? "" : ".product");
        RT_TRY(add_product(k, s, name, error));
    }
    if (s->second != RTI_NO_STEP || s->kind == RTI_STEP_ADD)
        RT_TRY(rti_model_add_sum(k->model, s->name, k->says[s->second], s->relu ? RT_ACT_RELU : RT_ACT_NONE,
                                 error));
    else if (s->relu)
        RT_TRY(rti_model_add_activation(k->model, s->name, RT_ACT_RELU, error));
    if (s->kind == RTI_STEP_ACTIVATION) {
        named(name, s->name, ".act");
        RT_TRY(rti_model_add_activation(k->model, name, s->activation, error));
    }
    if (s->kind == RTI_STEP_SHORTCUT)
        RT_TRY(rti_model_add_shortcut(k->model, s->name, s->stride, s->shape[2], error));
    if (s->kind == RTI_STEP_POOL) {
        const rti_pool pool = {
            .kind = s->pool, .size = s->kernel, .stride = s->stride, .padding = s->padding};
        RT_TRY(rti_model_add_pool(k->model, s->name, &pool, error));
    }
    const bool on_grid = s->kind == RTI_STEP_SHORTCUT ||
                         (s->kind == RTI_STEP_POOL && s->pool == RTI_POOL_MAX);
    if (!last && !on_grid) {
        const rti_grid grid = grid_of(k, i);
        snprintf(name, sizeof name, "int8.%d", i);
        RT_TRY(rti_model_add_int8(k->model, name, &grid, error));
    }
    snprintf(k->says[i], RTI_LAYER_NAME, "%s", k->model->layers[k->model->layer_count - 1].name);
    return RT_OK;
}

static rt_status add_all(const maker *k, rt_error *error) {
    const rti_net *net = k->net;
    const rti_grid grid = grid_of(k, 0);
    if (net->raw_shape[1] * net->raw_shape[2] > 1 && net->steps[0].shape[2] == net->raw_shape[0])
        RT_TRY(rti_model_add_channels_last(k->model, error));
    RT_TRY(rti_model_add_int8(k->model, "int8.0", &grid, error));
    snprintf(k->says[0], RTI_LAYER_NAME, "int8.0");
    for (int i = 1; i < net->count; i++) RT_TRY(add_step(k, i, error));
    return rti_model_end(k->model, 0, error);
}

static const char *parameter_name(const rti_step *s, const char *suffix, char out[64]) {
    char name[RTI_LAYER_NAME];
    named(name, s->name, s->second == RTI_NO_STEP && !s->relu ? "" : ".product");
    snprintf(out, 64, "%s.%s", name, suffix);
    return out;
}

/* Both have the same layouts; an affine step's weights are a kernel (1, 1, 1, C). */
static void copy_weights(rti_net *net, const rt_model *model, bool back) {
    char name[64];
    for (int i = 0; i < net->count; i++) {
        const rti_step *s = &net->steps[i];
        for (int b = 0; s->weights && b < 2; b++) {
            rt_parameter *p = rti_model_find_parameter(model, parameter_name(s, b ? "bias" : "weight", name));
            float *numbers = b ? s->bias : s->weight;
            const int64_t count = b ? s->biases : s->weights;
            RT_ASSERT(p && rt_tensor_count(&p->tensor) == count, "no parameter %s", name);
            for (int64_t n = 0; n < count; n++) {
                if (back)
                    numbers[n] = (float)rt_real_data(&p->tensor)[n];
                else
                    rt_real_data(&p->tensor)[n] = (rt_real)numbers[n];
            }
        }
    }
}

rt_model *rti_net_trainable(const rti_net *net, const double range[], rt_error *error) {
    const int64_t *raw = net->raw_shape;
    const bool image = raw[1] * raw[2] > 1;
    maker k = {.net = net, .range = range, .says = rt_alloc_zero((size_t)net->count, sizeof *k.says)};
    if (!k.says) {
        rt_fail(error, RT_MEMORY, "no memory for a network to train");
        return NULL;
    }
    k.model = rti_model_begin("int8", image ? 3 : 1, raw, error);
    if (k.model && add_all(&k, error) != RT_OK) {
        rt_model_free(k.model);
        k.model = NULL;
    }
    rt_free(k.says);
    if (k.model) copy_weights((rti_net *)(uintptr_t)net, k.model, false); /* reads the network only */
    return k.model;
}

void rti_net_take_weights(rti_net *net, const rt_model *model) { copy_weights(net, model, true); }

/* ---- files ---- */

static const char mark[] = "retort.int8";

static int entries_of(const rti_net *net, const double range[], rti_st_entry *entries, char (*names)[64]) {
    int count = 0;
    for (int i = 0; i < net->count; i++) {
        const rti_step *s = &net->steps[i];
        for (int b = 0; s->weights && b < 2; b++, count++) {
            snprintf(names[count], 64, "step%d.%s", i, b ? "bias" : "weight");
            const int64_t n = b ? s->biases : s->weights;
            entries[count] = (rti_st_entry){.name = names[count],
                                            .dtype = RTI_ST_F32,
                                            .ndim = 1,
                                            .shape = {n},
                                            .count = n,
                                            .bytes = (size_t)n * sizeof(float),
                                            .data = (const unsigned char *)(b ? s->bias : s->weight)};
        }
    }
    entries[count] = (rti_st_entry){.name = "ranges",
                                    .dtype = RTI_ST_F64,
                                    .ndim = 2,
                                    .shape = {net->count, 2},
                                    .count = 2 * (int64_t)net->count,
                                    .bytes = 2 * (size_t)net->count * sizeof(double),
                                    .data = (const unsigned char *)range};
    return count + 1;
}

/* Pairs of the source, but for those of the form where it is given, and for the mark. */
static void pairs_of(const rti_net *net, const rti_st_file *file, const rt_input_form *form,
                     const char *pairs[]) {
    int count = 0;
    for (int i = 0; form && form->metadata[i]; i++) pairs[count++] = form->metadata[i];
    const int given = count;
    for (int i = 0; i < file->metadata_count; i++) {
        bool again = !strcmp(file->metadata[2 * i], mark);
        for (int k = 0; k < given; k += 2) again |= !strcmp(file->metadata[2 * i], pairs[k]);
        if (again) continue;
        pairs[count++] = file->metadata[2 * i];
        pairs[count++] = file->metadata[2 * i + 1];
    }
    pairs[count++] = mark;
    pairs[count++] = net->fingerprint;
    pairs[count] = NULL;
}

rt_status rti_net_save(const rti_net *net, const double range[], const rt_input_form *form,
                       const char *source, const char *path, rt_error *error) {
    rti_st_file file;
    RT_TRY(rti_st_read(&file, source, error));
    const size_t most = 2 * (size_t)net->count + 1;
    rti_st_entry *entries = rt_alloc_zero(most, sizeof *entries);
    char(*names)[64] = rt_alloc_zero(most, sizeof *names);
    const char **pairs = rt_alloc((size_t)(2 * file.metadata_count + 12) * sizeof *pairs);
    rt_status status = entries && names && pairs ? RT_OK : rt_fail(error, RT_MEMORY, "%s: no memory", path);
    if (status == RT_OK) {
        pairs_of(net, &file, form, pairs);
        status = rti_st_write(path, entries, entries_of(net, range, entries, names), pairs, error);
    }
    rt_free(entries);
    rt_free(names);
    rt_free(pairs);
    rti_st_deinit(&file);
    return status;
}

bool rti_net_is_file(const char *path) {
    rti_st_file file;
    rt_error error = {0};
    if (rti_st_read(&file, path, &error) != RT_OK) return false;
    const bool is = rti_st_metadata(&file, mark) != NULL;
    rti_st_deinit(&file);
    return is;
}

static rt_status read_numbers(const rti_st_file *file, const char *path, rti_net *net, double *range,
                              rt_error *error) {
    char name[64];
    for (int i = 0; i < net->count; i++) {
        const rti_step *s = &net->steps[i];
        for (int b = 0; s->weights && b < 2; b++) {
            snprintf(name, sizeof name, "step%d.%s", i, b ? "bias" : "weight");
            const rti_st_entry *e = rti_st_find(file, name);
            float *to = b ? s->bias : s->weight;
            const int64_t count = b ? s->biases : s->weights;
            if (!e || e->dtype != RTI_ST_F32 || e->count != count)
                return rt_fail(error, RT_FORMAT, "%s: tensor \"%s\" is missing or has not %lld floats", path,
                               name, (long long)count);
            memcpy(to, e->data, (size_t)count * sizeof *to);
            for (int64_t n = 0; n < count; n++)
                if (!isfinite((double)to[n]))
                    return rt_fail(error, RT_FORMAT, "%s: tensor \"%s\" has a number that is not finite",
                                   path, name);
        }
    }
    const rti_st_entry *e = rti_st_find(file, "ranges");
    if (!e || e->dtype != RTI_ST_F64 || e->count != 2 * (int64_t)net->count)
        return rt_fail(error, RT_FORMAT, "%s: tensor \"ranges\" is missing or has another size", path);
    memcpy(range, e->data, 2 * (size_t)net->count * sizeof *range);
    for (int i = 0; i < net->count; i++)
        if (!isfinite(range[2 * i]) || !isfinite(range[2 * i + 1]) || range[2 * i] > range[2 * i + 1])
            return rt_fail(error, RT_FORMAT, "%s: range %d is none", path, i);
    return RT_OK;
}

rti_net *rti_net_open(const char *path, double **range, rt_error *error) {
    rti_st_file file;
    *range = NULL;
    if (rti_st_read(&file, path, error) != RT_OK) return NULL;
    const char *fingerprint = rti_st_metadata(&file, mark);
    rti_net *net = NULL;
    rt_status status = RT_OK;
    if (!fingerprint || strlen(fingerprint) != 32)
        status = rt_fail(error, RT_FORMAT, "%s: is no network that was prepared for int8", path);
    rt_input_form *form = status == RT_OK ? rt_input_form_read(path, error) : NULL;
    rt_model *model = form ? rti_model_of_metadata(&file, path, error) : NULL;
    if (model) net = rti_net_new(model, form, error);
    if (net) {
        *range = rt_alloc(2 * (size_t)net->count * sizeof **range);
        status = *range ? read_numbers(&file, path, net, *range, error)
                        : rt_fail(error, RT_MEMORY, "%s: no memory", path);
        snprintf(net->fingerprint, sizeof net->fingerprint, "%s", fingerprint);
    }
    if (status != RT_OK || !net) {
        rti_net_free(net);
        rt_free(*range);
        *range = NULL;
        net = NULL;
    }
    rt_model_free(model);
    rt_input_form_free(form);
    rti_st_deinit(&file);
    return net;
}
