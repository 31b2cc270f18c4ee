/* images.h - what the kinds of convolutional models share.             Floor 6 (nn)
 *
 * All begin by turning the examples round, go on with images (H, W, C), mark stem, stages and what the
 * classifier sees, and end with the linear layer "fc" or "fcN". */
#ifndef RTI_IMAGES_H
#define RTI_IMAGES_H

#include "nn/model.h"

#define RTI_BATCH_NORM_ROWS                                                                       \
    RT_PARAM_REAL_ROW("bn_momentum", 0.1, 1e-6, 1, "",                                            \
                      "part of the batch in the running statistics of batch normalisation"),      \
    RT_PARAM_REAL_ROW("bn_epsilon", 1e-5, 1e-12, 1, "", "is added to its variances")

#define RTI_CONV_INIT_ROW                                                                         \
    RT_PARAM_CHOICE_ROW("init", "he-fan-out", "he|he-fan-out", "law of the initial kernels")

/* Batch normalisation of the options, with an activation. */
rti_batch_norm rti_images_norm(const rt_params *options, rt_activation activation);
/* A name, as printf makes it; returns the buffer. */
const char *rti_name(char buffer[RTI_LAYER_NAME], const char *format, ...) RT_PRINTF(2, 3);
/* The mean over the image, marked as what the classifier sees, dropout, and the classifier "fc". */
rt_status rti_images_end(rt_model *model, double dropout, const rti_linear *linear, rt_error *error)
    RT_MUST_CHECK;
/* "1x28x28": the examples, for summaries. */
const char *rti_images_text(const rt_model *model, char buffer[48]);
/* Exactly `count` numbers in the list `name`. RT_SPEC. */
rt_status rti_images_list(const rt_params *options, const char *name, int count, const char *meaning,
                          const rt_value **list, rt_error *error) RT_MUST_CHECK;

/* Convolutions, 2 x 2 max pooling behind some of them, hidden layers, classifier: the body of "cnn" and
 * "plain". */
#define RTI_PLAN_CONVS 16
typedef struct rti_plan {
    int convs;
    int filters[RTI_PLAN_CONVS];
    bool pool[RTI_PLAN_CONVS]; /* behind this convolution */
    int hiddens;
    int hidden[RT_PARAM_ITEMS_MAX];
} rti_plan;

typedef struct rti_plan_style {
    rti_conv conv;             /* activation: of the convolutions and the hidden layers */
    bool batch_norm;
    rti_batch_norm norm;
    rti_init hidden_init;
    double dropout;            /* behind each hidden layer */
} rti_plan_style;

rt_status rti_plan_build(rt_model *model, const rti_plan *plan, const rti_plan_style *style, rt_error *error)
    RT_MUST_CHECK;
void rti_plan_summarise(const rt_model *model, const rti_plan *plan, const char *name, char *buffer,
                        size_t size);

#endif
