/* pool_layer.c - pooling: windows, cells of an adaptive grid, the whole image.  Floor 6 (nn) */
#include <stdio.h>

#include "nn/model.h"
#include "retort/image.h"

static const char *const kinds[] = {
    [RTI_POOL_MAX] = "max",
    [RTI_POOL_AVG] = "mean",
    [RTI_POOL_ADAPTIVE_MAX] = "adaptive max",
    [RTI_POOL_ADAPTIVE_AVG] = "adaptive mean",
    [RTI_POOL_GLOBAL] = "global mean",
};

static rt_tensor *pool_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    (void)model;
    const rti_pool *p = &layer->pool;
    switch (p->kind) {
    case RTI_POOL_MAX: return rt_max_pool2d(graph, x, p->size, p->stride, p->padding);
    case RTI_POOL_AVG: return rt_avg_pool2d(graph, x, p->size, p->stride, p->padding);
    case RTI_POOL_ADAPTIVE_MAX: return rt_adaptive_max_pool2d(graph, x, p->size, p->size);
    case RTI_POOL_ADAPTIVE_AVG: return rt_adaptive_avg_pool2d(graph, x, p->size, p->size);
    case RTI_POOL_GLOBAL: return rt_global_avg_pool(graph, x);
    }
    return NULL;
}

static void pool_describe(const rti_layer *layer, char *buffer, size_t size) {
    const rti_pool *p = &layer->pool;
    snprintf(buffer, size, "%s size %d stride %d padding %d", kinds[p->kind], p->size, p->stride, p->padding);
}

const rti_layer_kind rti_layer_pool = {
    .name = "pool",
    .forward = pool_forward,
    .describe = pool_describe,
};

rt_status rti_model_add_pool(rt_model *model, const char *name, const rti_pool *pool, rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_pool, name, error);
    if (!layer) return RT_MEMORY;
    RT_TRY(rti_layer_wants_image(layer, error));
    rti_pool *p = &layer->pool;
    *p = *pool;
    if (p->stride == 0) p->stride = p->size;
    if (p->kind == RTI_POOL_GLOBAL) {
        layer->out_ndim = 1;
        layer->out[0] = layer->in[2];
        return RT_OK;
    }
    RT_ASSERT(p->size >= 1 && p->stride >= 1 && p->padding >= 0 && 2 * p->padding <= p->size,
              "layer %s: size %d, stride %d, padding %d", name, p->size, p->stride, p->padding);
    for (int i = 0; i < 2; i++) {
        const int64_t room = layer->in[i] + 2 * p->padding - p->size;
        if (p->kind == RTI_POOL_MAX || p->kind == RTI_POOL_AVG) {
            if (room < 0)
                return rt_fail(error, RT_SPEC,
                               "Layer %s: a window of %d x %d does not fit on %lld x %lld pixels.", name,
                               p->size, p->size, (long long)layer->in[0], (long long)layer->in[1]);
            layer->out[i] = room / p->stride + 1;
        } else {
            layer->out[i] = p->size;
        }
    }
    return RT_OK;
}
