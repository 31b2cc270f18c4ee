/* quantize.h - a trained network becomes one of 8-bit integers.        Floor 8 (experiment)
 *
 * Twice: after training (the ranges of its activations are calibrated, nothing else), and distilled while
 * quantised (then trained some epochs more with rounding in forward and the teacher's soft targets). The
 * better of the two on the validation examples is kept; of equals the first. */
#ifndef RTI_QUANTIZE_H
#define RTI_QUANTIZE_H

#include "experiment/latency.h"
#include "retort/distill.h"

#define RTI_QUANTIZE_LARGE 1000

typedef struct rti_quantize_config {
    const char *weights; /* file of the trained network */
    const char *label;        /* what it is, for int8.json: "student, seed 1"; may be NULL */
    const rt_dataset *set;
    rt_teacher *teacher;       /* NULL: the labels alone */
    rt_model *const *teachers; /* whose answers are timed beside; may be none */
    int teacher_count;
    const char *method;        /* "none", "kd", ... */
    const rt_params *options;  /* of the method */
    const rt_params *training; /* augmentation and "optimizer.*" of the network's own training */
    int64_t epochs;            /* 0: after training only */
    double lr;
    int64_t calibration; /* training examples that the ranges are taken from */
    uint64_t seed;
    /* int8.safetensors, int8.json and, meanwhile, int8.checkpoint go there; NULL: nothing is kept */
    const char *directory;
    const char *cache_directory; /* of soft targets; NULL: in memory */
    bool (*go_on)(void *);       /* asked while soft targets are made or waited for; may be NULL */
    rt_step_function *on_step;   /* may be NULL */
    void *context;               /* of both */
} rti_quantize_config;

typedef struct rti_quantized {
    int64_t errors; /* -1: not measured */
    int64_t validation_errors;
} rti_quantized;

typedef struct rti_quantize_result {
    int64_t test, validation;             /* examples */
    rti_quantized real, after, distilled; /* real: the float network */
    bool chose_distilled;
    int64_t bytes; /* constants of the int8 network */
    int64_t parameters;
    struct {
        rti_latency one, large; /* a batch of 1 and of RTI_QUANTIZE_LARGE, on one thread */
    } time_int8, time_float, time_teacher; /* of the teacher: runs 0 without one */
    int64_t epochs;
} rti_quantize_result;

/* RT_STOPPED: go_on or on_step said so; call again with the same configuration to go on. Other errors: of
 * opening, training, evaluation, writing. */
rt_status rti_quantize(const rti_quantize_config *config, rti_quantize_result *result,
                       rt_error *error) RT_MUST_CHECK;

#endif
