/* int8_layer.c - what a network in training for int8 sees.             Floor 6 (nn)
 *
 * Forward shows each product the weights and the activations that 8-bit integers can say; backward goes
 * straight through (src/ops/rounding.c). Scales of activations are fixed by calibration ahead of the
 * training; scales of weights follow the weights. The integer network that is made afterwards
 * (src/deploy/int8.c) takes the same scales, so what was trained is what is deployed, but for the rounding of
 * sums. */
#include <stdio.h>

#include "nn/model.h"

enum { LEVELS = 127 };

static rt_tensor *rounded(rt_graph *graph, rt_tensor *x, const rti_grid *grid) {
    return rt_add(graph, rt_clamp(graph, x, grid->low, grid->high),
                  rt_rounding(graph, x, grid->low, grid->high, grid->step));
}

rt_tensor *rti_int8_weights(rt_graph *graph, rt_tensor *weights, int unit_axis) {
    return rt_add(graph, weights, rt_unit_rounding(graph, weights, unit_axis, LEVELS));
}

static rt_tensor *int8_forward(const rt_model *model, rti_layer *layer, rt_graph *graph, rt_tensor *x) {
    (void)model;
    return rounded(graph, x, &layer->grid);
}

static void int8_describe(const rti_layer *layer, char *buffer, size_t size) {
    snprintf(buffer, size, "%.9g to %.9g by %.9g", layer->grid.low, layer->grid.high, layer->grid.step);
}

const rti_layer_kind rti_layer_int8 = {.name = "int8", .forward = int8_forward, .describe = int8_describe};

rt_status rti_model_add_int8(rt_model *model, const char *name, const rti_grid *grid, rt_error *error) {
    rti_layer *layer = rti_model_add_layer(model, &rti_layer_int8, name, error);
    if (!layer) return RT_MEMORY;
    RT_ASSERT(grid->step > 0 && grid->low <= 0 && grid->high >= 0, "layer %s: %g to %g by %g", name,
              grid->low, grid->high, grid->step);
    layer->grid = *grid;
    return RT_OK;
}
