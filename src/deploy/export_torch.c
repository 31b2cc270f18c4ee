/* export_torch.c - a network as PyTorch's state_dict: one safetensors file, or one NumPy file a tensor.
 *                                                                      Floor 7 (deploy) */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deploy/export.h"
#include "formats/npy.h"
#include "nn/torch_names.h"
#include "retort/alloc.h"

static const int64_t no_batches = 0; /* num_batches_tracked: what PyTorch puts where nobody counted */

/* The state_dict, with the numbers behind each other in one block. */
typedef struct state {
    int count;
    rti_torch_tensor *tensor;
    const void **data;
    rt_real *block;
} state;

static void state_deinit(state *s) {
    rt_free(s->tensor);
    rt_free(s->data);
    rt_free(s->block);
}

static int64_t count_of(const rti_torch_tensor *t) { return rti_product(t->ndim, t->shape); }

static rt_status state_init(state *s, const rt_model *m, rt_error *error) {
    *s = (state){0};
    RT_TRY(rti_torch_list(m, &s->tensor, &s->count, error));
    int64_t numbers = 0;
    for (int i = 0; i < s->count; i++) numbers += count_of(&s->tensor[i]);
    s->data = rt_alloc((size_t)s->count * sizeof *s->data);
    s->block = rt_alloc((size_t)numbers * sizeof *s->block);
    if (!s->data || !s->block) {
        state_deinit(s);
        return rt_fail(error, RT_MEMORY, "no memory to export a model of %lld numbers", (long long)numbers);
    }
    rt_real *to = s->block;
    for (int i = 0; i < s->count; i++) {
        const rti_torch_tensor *t = &s->tensor[i];
        s->data[i] = t->parameter < 0 ? (const void *)&no_batches : to;
        if (t->parameter < 0) continue;
        rti_torch_get(m, t->parameter, to);
        to += count_of(t);
    }
    return RT_OK;
}

/* ---- safetensors ---- */

static rt_status write_torch(const state *s, const rt_model *m, const char *path, rt_error *error) {
    rti_st_entry *entries = rt_alloc((size_t)s->count * sizeof *entries);
    if (!entries) return rt_fail(error, RT_MEMORY, "%s: no memory to write it", path);
    for (int i = 0; i < s->count; i++) {
        const rti_torch_tensor *t = &s->tensor[i];
        const rti_st_dtype real = sizeof(rt_real) == sizeof(float) ? RTI_ST_F32 : RTI_ST_F64;
        rti_st_entry *e = &entries[i];
        *e = (rti_st_entry){.name = t->name, .dtype = t->parameter < 0 ? RTI_ST_I64 : real, .ndim = t->ndim};
        memcpy(e->shape, t->shape, sizeof e->shape);
        e->count = count_of(t);
        e->bytes = (size_t)e->count * (t->parameter < 0 ? sizeof no_batches : sizeof(rt_real));
        e->data = s->data[i];
    }
    rti_text module = RTI_TEXT_EMPTY;
    rt_status status = rti_torch_module(m, &module, error);
    if (status == RT_OK && module.failed)
        status = rt_fail(error, RT_MEMORY, "%s: no memory to write it", path);
    const char *const metadata[] = {
        "format", "pt", "model", rt_model_summary(m), "module", rti_text_string(&module), NULL};
    if (status == RT_OK) status = rti_st_write(path, entries, s->count, metadata, error);
    rti_text_deinit(&module);
    rt_free(entries);
    return status;
}

rt_status rti_export_torch(const rt_model *m, const char *path, rt_error *error) {
    state s;
    RT_TRY(state_init(&s, m, error));
    rt_status status = write_torch(&s, m, path, error);
    state_deinit(&s);
    return status;
}

rt_status rti_export_torch_lines(const rt_model *m, const char *load, rti_text *out, rt_error *error) {
    const bool chain = rti_torch_is_chain(m);
    rti_text_append(out, chain ? "    net = " : "    net = ...  # names: ");
    RT_TRY(rti_torch_module(m, out, error));
    rti_text_printf(out, "\n    net.load_state_dict(%s)\n", load);
    return out->failed ? rt_fail(error, RT_MEMORY, "no memory to say how a network is loaded") : RT_OK;
}

/* ---- NumPy ---- */

static rt_status tensor_path(char out[RTI_PATH_MAX], const char *directory, const rti_torch_tensor *t,
                             rt_error *error) {
    char name[RTI_TORCH_NAME + 8];
    snprintf(name, sizeof name, "%s.npy", t->name);
    return rti_path_join(out, RTI_PATH_MAX, directory, name, error);
}

static rt_status write_arrays(const state *s, const char *directory, rt_error *error) {
    char path[RTI_PATH_MAX];
    const rti_npy_dtype real = sizeof(rt_real) == sizeof(float) ? RTI_NPY_F4 : RTI_NPY_F8;
    for (int i = 0; i < s->count; i++) {
        const rti_torch_tensor *t = &s->tensor[i];
        RT_TRY(tensor_path(path, directory, t, error));
        RT_TRY(
            rti_npy_write(path, t->parameter < 0 ? RTI_NPY_I8 : real, t->ndim, t->shape, s->data[i], error));
    }
    return RT_OK;
}

static void remove_arrays(const state *s, const char *directory) {
    char path[RTI_PATH_MAX];
    for (int i = 0; i < s->count; i++)
        if (tensor_path(path, directory, &s->tensor[i], NULL) == RT_OK) unlink(path);
    rmdir(directory);
}

/* Into a directory beside it, which is renamed when everything is there. */
static rt_status write_directory(const state *s, const char *directory, rt_error *error) {
    char beside[RTI_PATH_MAX];
    const int length = snprintf(beside, sizeof beside, "%s.tmp-%ld", directory, (long)getpid());
    if (length >= (int)sizeof beside)
        return rt_fail(error, RT_VALUE, "%.60s...: the path is too long", directory);
    RT_TRY(rti_directory_make(beside, error));
    rt_status status = write_arrays(s, beside, error);
    if (status == RT_OK && rename(beside, directory) != 0)
        status = rt_fail(error, RT_IO, "%s: the directory cannot be made.", directory);
    if (status != RT_OK) remove_arrays(s, beside);
    return status;
}

rt_status rti_export_npy(const rt_model *m, const char *directory, rt_error *error) {
    state s;
    if (rti_file_exists(directory))
        return rt_fail(error, RT_VALUE, "%s: is there already; remove it, or name another directory.",
                       directory);
    RT_TRY(state_init(&s, m, error));
    rt_status status = write_directory(&s, directory, error);
    state_deinit(&s);
    return status;
}
