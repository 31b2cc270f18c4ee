/* adapters.c - see adapters.h.                                         Floor 7 (distill) */
#include "distill/adapters.h"

#include "core/hash.h"

static rt_status put(rti_adapters *list, rt_model *model, rt_error *error) {
    if (list->count < RTI_ADAPTERS_MAX) {
        list->model[list->count++] = model;
        return RT_OK;
    }
    rt_model_free(model);
    return rt_fail(error, RT_UNSUPPORTED, "more than %d adapters", RTI_ADAPTERS_MAX);
}

rt_model *rti_adapter_begin(const rti_method_setup *setup, const char *name, const rti_feature *input,
                            rt_error *error) {
    rt_model *model = rti_model_begin(name, input->ndim, input->shape, error);
    return model && put(setup->adapters, model, error) == RT_OK ? model : NULL;
}

rt_status rti_adapter_end(const rti_method_setup *setup, rt_model *adapter, rt_error *error) {
    uint64_t seed[2];
    rti_hash hash;
    rti_hash_init(&hash, setup->config->seed);
    rti_hash_add_text(&hash, "adapter");
    rti_hash_add_text(&hash, rt_model_summary(adapter));
    rti_hash_finish(&hash, seed);
    return rti_model_end(adapter, seed[0], error);
}

rt_status rti_adapter_take(const rti_method_setup *setup, rt_model *model, rt_error *error) {
    return put(setup->adapters, model, error);
}

void rti_adapters_deinit(rti_adapters *adapters) {
    for (int i = 0; i < adapters->count; i++) rt_model_free(adapters->model[i]);
    adapters->count = 0;
}

int64_t rti_adapters_parameters(const rti_adapters *adapters) {
    int64_t count = 0;
    for (int i = 0; i < adapters->count; i++) count += rt_model_cost_get(adapters->model[i]).parameters;
    return count;
}
