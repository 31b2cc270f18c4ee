/* net.h - a trained network as it is deployed.                         Floor 7 (deploy)
 *
 * A model is made for training: layers that can be tapped, batches, statistics that move. What leaves the
 * lab is one straight line of steps for one example. On the way
 *
 *   - batch normalisation behind a convolution or a linear layer that nobody else reads is folded into it,
 *         w' = w s,  b' = (b - m) s + beta,  s = gamma / sqrt(v + epsilon);
 *     elsewhere it becomes a scale and a shift of each channel (Jacob et al. 2018, arXiv 1712.05877, eq. 14);
 *   - a residual sum behind such a product becomes part of it;
 *   - what only matters in training, and what only changes a shape, is gone;
 *   - the scaling of raw numbers, and the turn from (C, H, W) to (H, W, C), is the first step;
 *   - every step has its place in one scratch memory, which steps share that are not alive together.
 *
 * Here a step is described and run in float, plainly, for calibration and for comparison. */
#ifndef RTI_NET_H
#define RTI_NET_H

#include "nn/model.h"
#include "retort/data.h"

typedef enum rti_step_kind {
    RTI_STEP_INPUT,      /* x = scale raw + shift */
    RTI_STEP_LINEAR,     /* y = act(W x + b [+ second]); weight (units, D) */
    RTI_STEP_CONV,       /* y = act(conv(x, K) + b [+ second]); weight (K, K, C/groups, F) */
    RTI_STEP_AFFINE,     /* y = act(weight x + bias [+ second]), channel by channel */
    RTI_STEP_ADD,        /* y = act(x + second) */
    RTI_STEP_ACTIVATION, /* y = act(x), an activation other than relu */
    RTI_STEP_POOL,
    RTI_STEP_SHORTCUT /* every stride-th pixel; channels of zeros on both sides */
} rti_step_kind;

enum { RTI_NO_STEP = -1 };

typedef struct rti_step {
    rti_step_kind kind;
    char name[RTI_LAYER_NAME];     /* of the layer whose output it gives */
    int in, second;                /* steps; RTI_NO_STEP: none */
    int64_t in_shape[3], shape[3]; /* (H, W, C); rows are (1, 1, D) */
    bool relu;
    rt_activation activation; /* of RTI_STEP_ACTIVATION */
    int kernel, stride, padding, dilation, groups;
    rti_pool_kind pool;      /* windows of kernel x kernel */
    int64_t weights, biases; /* counts; 0: none. biases: one for each output channel */
    float *weight, *bias;    /* in the network's block */
    int last_reader;         /* the last step that reads it; the last step of all: itself */
    int64_t offset;          /* of its output in scratch, in elements */
} rti_step;

typedef struct rti_net {
    int count;
    rti_step *steps;
    int64_t features, classes;
    int64_t raw_shape[3]; /* (C, H, W) of the raw example; rows are (D, 1, 1) */
    bool bytes;           /* raw examples are bytes */
    int64_t form_count;   /* entries of scale and shift: 1, C or D */
    double *scale, *shift;
    int64_t scratch;    /* elements that all steps need together */
    int64_t parameters; /* weights and biases */
    int64_t multiply_adds;
    float *block;
    char summary[256], fingerprint[33];
} rti_net;

static inline int64_t rti_step_size(const rti_step *step) {
    return step->shape[0] * step->shape[1] * step->shape[2];
}

/* The model as it answers now. `form` may be NULL: raw numbers are the input. NULL and *error:
 * RT_UNSUPPORTED (a layer that has no step, named), RT_SHAPE (a form that does not fit), RT_MEMORY. */
rti_net *rti_net_new(const rt_model *model, const rt_input_form *form, rt_error *error) RT_MUST_CHECK;
void rti_net_free(rti_net *net);

/* raw: features bytes or floats, as net->bytes says; scratch: net->scratch floats. Returns the logits, which
 * lie in scratch. `seen` (may be NULL) is shown what each step said. */
typedef void rti_net_seen(void *context, int step, const float *values, int64_t count);
const float *rti_net_run(const rti_net *net, const void *raw, float *scratch, rti_net_seen *seen,
                         void *context);

/* Example `i` of a set as rti_net_run wants it: borrowed from the set, or made in `row` (features floats). */
const void *rti_net_raw(const rti_net *net, const rt_examples *examples, int64_t i, float *row);

/* The same function for floats, wherever it is needed. */
double rti_activation_value(rt_activation activation, double x);

#endif
