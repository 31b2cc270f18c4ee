/* emitted.h - a network written out as C, compiled by another compiler run, and started. */
#ifndef TEST_EMITTED_H
#define TEST_EMITTED_H

#include "deploy/emit.h"

/* One way to compile and start it. */
typedef struct emitted_target {
    const char *name, *compiler, *flags,
        *runner; /* flags separated by blanks; runner "" : start it directly */
} emitted_target;

/* False when the compiler or the runner is not on this machine. */
bool emitted_can(const emitted_target *target);

/* Writes, compiles with -std=c99 and every warning an error, and runs on `count` raw examples (features bytes
 * or floats each). *logits receives count * classes numbers of 4 bytes, classes[] the answers. */
void emitted_run(const emitted_target *target, const rti_net *net, const rti_int8 *int8, const void *raw,
                 int64_t count, void *logits, int32_t classes[]);

/* A copy of the model's answers for the same raw examples (bytes or floats, through the form). */
void emitted_expected(rt_model *model, const rt_input_form *form, const void *raw, int64_t count,
                      rt_real *logits);

#endif
