/* shapes.h - which shapes of a student are worth training.             Floor 8 (experiment)
 *
 * Widths and depths of the student's kind of network, as axes of a sweep in which every point keeps the
 * limits. Bytes are known without training, and time does not depend on weights, so what breaks a limit is
 * never trained.
 *
 *   mlp      hidden             1, 2 and 3 layers of one width
 *   cnn      filters x hidden   those of the spec, wider or narrower
 *   resnet   filters x depth    the same, and fewer blocks
 *   wrn      base x depth       the same
 *
 * Widths fall by RTI_SHAPE_STEP from the largest that keeps the limits, and that is no larger than the
 * teacher. */
#ifndef RTI_SHAPES_H
#define RTI_SHAPES_H

#include "deploy/size.h"
#include "experiment/experiment.h"

#define RTI_SHAPE_STEP 0.6
#define RTI_SHAPE_AXES 2

typedef struct rti_limits {
    double bytes;           /* 0: none */
    double latency_us;      /* of one example; 0: none */
    double accuracy;        /* part of 1, on validation; NaN: none */
    bool int8;              /* bytes are those in int8, else in float32 */
    int candidates;         /* about so many */
} rti_limits;

/* Median time of one example through an untrained network of these rows; NaN when it cannot be measured. */
typedef double rti_shape_latency(void *context, const rt_params *student);

typedef struct rti_shape_search {
    const rt_examples *examples;
    const rti_settings *settings;   /* whose student is changed */
    const rti_limits *limits;
    rti_shape_latency *latency;
    void *context;
} rti_shape_search;

/* Axes with keys "student.hidden", ...: one or two, widest values first. RT_UNSUPPORTED names the kinds of
 * networks that can be searched; RT_VALUE when nothing keeps the limits: what the smallest needs. RT_SPEC,
 * RT_MEMORY. */
rt_status rti_shapes_find(const rti_shape_search *search, rti_axis axes[RTI_SHAPE_AXES], int *axis_count,
                          rt_error *error) RT_MUST_CHECK;

/* What a network of these rows costs; `summary` (RTI_KEY_MAX bytes or more; may be NULL) what it is called.
 * Asks for no memory for weights. */
rt_status rti_shape_size(const rt_examples *examples, const rt_params *rows, rti_size *size, char *summary,
                         size_t summary_size, rt_error *error) RT_MUST_CHECK;
double rti_limits_bytes(const rti_limits *limits, const rti_size *size);

/* Makes *rows, those of a student, as near to `bytes` as a change of width brings it. */
rt_status rti_shape_resize(const rt_examples *examples, const rti_limits *limits, rt_params *rows,
                           double bytes, rt_error *error) RT_MUST_CHECK;
/* The keys that are changed there: "hidden", "filters"; NULL behind the last. */
const char *const *rti_shape_keys(const char *model);

#endif
