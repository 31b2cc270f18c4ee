/* predict.h - what a network says of the examples of a file.           Floor 7 (deploy) */
#ifndef RTI_PREDICT_H
#define RTI_PREDICT_H

#include "core/file.h"
#include "retort/data.h"
#include "retort/nn.h"

typedef struct rti_prediction {
    int64_t index;               /* of the example in its file: 0, 1, ... */
    int64_t top;                 /* the class with the largest logit, the first of equals */
    int64_t classes;
    const double *probabilities; /* (classes), softmax at temperature 1; borrowed */
    int64_t label;               /* the class of the label column; -1: there is none */
} rti_prediction;

/* Called for each example in its order; what it returns other than RT_OK ends the work. */
typedef rt_status rti_prediction_function(void *context, const rti_prediction *prediction, rt_error *error);

typedef struct rti_predict_counts {
    int64_t examples, labelled, wrong;
} rti_predict_counts;

/* Asks the model about every example of a file (see data/raw.h), a thousand at a time. `bytes` is the file
 * and `name` what messages call it. form NULL: the network's file does not say how raw numbers become its
 * input; then bytes are divided by 255 and other numbers taken as they are. `label`: a column of CSV that is
 * no input but the class, by name or number, or NULL. *about (may be NULL) counts.
 *
 * Errors as of rti_raw_open and rti_raw_example; RT_VALUE: numbers beyond 0 ... 255, or a first thousand of
 * examples between 0 and 1, for a network that reads pixels from 0 to 255; a label that is no class;
 * RT_NOT_FINITE: the network's answer is no number. */
rt_status rti_predict(rt_model *model, const rt_input_form *form, const char *name, rti_bytes bytes,
                      const char *label, rti_prediction_function *each, void *context,
                      rti_predict_counts *about, rt_error *error) RT_MUST_CHECK;

#endif
