/* int8.h - the deployed network in eight-bit integers.                 Floor 7 (deploy)
 *
 * Numbers are stood for by integers, real = scale (q - zero), after Jacob, Kligys, Chen, Zhu, Tang, Howard,
 * Adam, Kalenichenko 2018, "Quantization and training of neural networks for efficient integer-
 * arithmetic-only inference" (arXiv 1712.05877), section 2:
 *
 *   activations  q in -128 ... 127, one scale and zero for each step, from the range that calibration saw
 *                (0 is in it, so that zero is exact: padding, relu)
 *   weights      q in -127 ... 127, zero 0, one scale for each output channel: max|w| / 127
 *   biases       32 bits at scale (activation) x scale (weight)
 *   products     32-bit sums; to the next scale by a 32-bit factor and a shift, in 64 bits, rounded half up:
 *                floor(v + 1/2)
 *   logits       32-bit integers at one scale for all classes, 2^-23 of the largest that calibration saw
 *   other functions than relu: a table of 256 entries
 *
 * q = round(real / scale) + zero, halves away from zero, clamped. Everything after the first step is integer
 * arithmetic whose result the C standard defines, so it is the same to the bit on every machine. */
#ifndef RTI_INT8_H
#define RTI_INT8_H

#include "deploy/net.h"

typedef struct rti_int8_step {
    double scale; /* of the output; of logits: of the 32-bit integers */
    int32_t zero;
    int shift;             /* result = floor((sum + 2^(shift-1)) / 2^shift) */
    int32_t *factor;       /* (output channels) of products and AFFINE; (1) of ADD */
    int32_t second_factor; /* of a residual */
    int8_t *weight;        /* LINEAR (units, D), CONV (F, K, K, C/groups) */
    int32_t *bias;         /* of products */
    int64_t *offset;       /* (channels) of AFFINE, at the scale of the shifted sum */
    int8_t *table;         /* ACTIVATION (256), INPUT of bytes (form_count, 256) */
    int8_t *packed;        /* LINEAR, CONV of one group: the weights again, as the kernels want them */
    int32_t *base;         /* the same: their biases (kernels/int8_kernels.h) */
} rti_int8_step;

typedef struct rti_int8 {
    const rti_net *net; /* borrowed */
    rti_int8_step *steps;
    int64_t scratch; /* bytes of rti_int8_run: those of the network, and a patch of its convolutions */
    int64_t bytes;   /* of weights, biases, factors and tables, as they are written out */
    void *block, *kernels; /* what `bytes` counts; what the kernels read */
} rti_int8;

/* Smallest and largest value that each step gives over `count` examples of the part, spread evenly over it;
 * range (steps, 2). RT_VALUE (no example), RT_NOT_FINITE, RT_MEMORY. */
rt_status rti_net_calibrate(const rti_net *net, const rt_part *part, int64_t count, double range[],
                            rt_error *error) RT_MUST_CHECK;

/* NULL and *error: RT_UNSUPPORTED (a last step that is not linear, more than 65,536 inputs to one sum),
 * RT_MEMORY. */
rti_int8 *rti_int8_new(const rti_net *net, const double range[], rt_error *error) RT_MUST_CHECK;
void rti_int8_free(rti_int8 *q);

/* Raw numbers (not bytes) become q = floor(a raw + b), clamped: the constants of one entry of the form. */
void rti_int8_number(const rti_int8 *q, int64_t entry, float *a, float *b);

/* raw as rti_net_run takes it; scratch: q->scratch bytes; logits (classes), real = scale of the last step
 * times these. Returns the class: of equal logits the first. */
int rti_int8_run(const rti_int8 *q, const void *raw, int8_t *scratch, int32_t *logits);

/* Errors on a part, all examples. predictions (count) may be NULL. RT_MEMORY. */
rt_status rti_int8_evaluate(const rti_int8 *q, const rt_part *part, int64_t *errors, uint8_t *predictions,
                            rt_error *error) RT_MUST_CHECK;

/* The scale and zero of a range: what training with fake quantisation uses, too. */
void rti_int8_range(double low, double high, double *scale, int32_t *zero);

#endif
