/* input_form.h - what input_form.c asks of a data set.                 Floor 6 (data) */
#ifndef RTI_INPUT_FORM_H
#define RTI_INPUT_FORM_H

#include <stdio.h>

#include "core/text.h"
#include "data/dataset.h"

typedef struct rti_dataset_form {
    const rt_examples *examples;
    const double *mean, *factor; /* (groups) of standardised sets; else NULL */
    int64_t groups;              /* columns, of images channels */
    bool named;                  /* classes have names that are no numbers */
} rti_dataset_form;

rti_dataset_form rti_dataset_form_get(const rt_dataset *set);

#endif
