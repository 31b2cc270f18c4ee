/* size.h - what a network costs where it is used.                      Floor 7 (deploy)
 *
 * Counted layer by layer for the network as it is deployed, from its shapes alone: a model of rti_model_plan,
 * which has no weights yet, is enough.
 *
 *   bytes in float32   4 for each weight and bias
 *   bytes in bf16      2 for each
 *   bytes in int8      1 for each weight, 4 for each bias (it is added to 32-bit sums), and one float, 4, for
 *                      each output channel: its scale (Jacob et al. 2018, arXiv 1712.05877, section 2)
 *
 * A batch normalisation that follows a convolution or a linear layer, and is the only reader of it, is folded
 * into its weights and costs nothing but its bias, where that layer has none itself. Any other one becomes a
 * scale and a bias for each channel, which stay what biases are. Dropout, taps and parameters of a loss are
 * not deployed.
 *
 *     rti_size size = rti_size_of(model);        784-30-10: 23820 multiply-adds, 24140 bytes in int8 */
#ifndef RTI_SIZE_H
#define RTI_SIZE_H

#include "retort/nn.h"

typedef struct rti_size {
    int64_t parameters;     /* as trained: rt_model_cost */
    int64_t multiply_adds;  /* for one example */
    int64_t weights, biases, channels; /* as deployed; channels: those with a scale in int8 */
    int64_t float32, bf16, int8;       /* bytes */
    int64_t working;        /* bytes, float32: the most activations alive at once, for one example; -1: no
                             * memory to count them */
} rti_size;

/* Working memory: the example itself is alive while somebody reads it. What a layer says is alive until its
 * last reader has run. Activations, normalisations and sums work in the memory they read when nobody else
 * reads it later; dropout, flattening and the turn of an image's axes take none. */
rti_size rti_size_of(const rt_model *model);

/* Of a network that is not there: kind and options as rt_model_new takes them. Asks for no memory for
 * weights. `summary` (may be NULL) receives what it is called. RT_SPEC, RT_MEMORY. */
rt_status rti_size_plan(const char *kind, const rt_params *options, int input_ndim,
                        const int64_t input_shape[], int64_t classes, rti_size *size, char *summary,
                        size_t summary_size, rt_error *error) RT_MUST_CHECK;

/* Several networks that answer together, one after another: all is added but the working memory. */
rti_size rti_size_sum(const rti_size sizes[], int count);

#endif
