/* dropout_layer.c - dropout between layers, in training only.          Floor 6 (nn)
 *
 * Inverted dropout (what is kept is scaled up), so evaluation needs no change of the weights; the
 * 2012 paper halves the outgoing weights instead, with the same expected value. */
#include <stdio.h>
#include <string.h>

#include "nn/model.h"

static rt_tensor *dropout_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    if (!model->training) return x;
    rt_rng stream = rt_rng_stream(model->seed, layer->dropout.stream, model->epoch, model->step);
    return rt_dropout(graph, x, layer->dropout.rate, &stream);
}

const rti_layer_kind rti_layer_dropout = {
    .name = "dropout",
    .forward = dropout_forward,
    .only_in_training = true,
};

rt_status rti_model_add_dropout(rt_model *model, const char *after, double rate, rt_error *error) {
    if (rate == 0) return RT_OK;
    char name[RTI_LAYER_NAME];
    snprintf(name, sizeof name, "dropout.%.*s", RTI_LAYER_NAME - 9, after);
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_dropout, name, error);
    if (!layer) return RT_MEMORY;
    layer->dropout.rate = rate;
    snprintf(layer->dropout.stream, sizeof layer->dropout.stream, "%s", name);
    return RT_OK;
}
