/* emit.h - a deployed network written out as C99.                      Floor 7 (deploy)
 *
 * Two files, NAME.h and NAME.c: no allocation, no library but stdint.h and stddef.h (and math.h where a
 * network in float needs tanh and the like), weights in const arrays, scratch memory from the caller, one
 * function from the raw example to the logits and one to the class. The text is a function of the network
 * alone. They compile without a warning under -std=c99 -Wall -Wextra -Wconversion -Wpedantic -Werror. */
#ifndef RTI_EMIT_H
#define RTI_EMIT_H

#include "core/text.h"
#include "deploy/int8.h"

/* What stands in the head comment besides the network itself; each may be NULL. */
typedef struct rti_emit_facts {
    const char *accuracy;           /* "97.12 % of 10000 test examples, 97.15 % before int8" */
    const char *const *class_names; /* (classes) */
} rti_emit_facts;

/* `name` names the files and starts every identifier: letters, digits and _, no digit first. `int8` NULL:
 * float. Appends the texts. RT_VALUE (such a name), RT_UNSUPPORTED (extents beyond an int), RT_MEMORY. */
rt_status rti_emit(const rti_net *net, const rti_int8 *int8, const char *name, const rti_emit_facts *facts,
                   rti_text *header, rti_text *source, rt_error *error) RT_MUST_CHECK;

/* ---- between the files of the writer ---- */

typedef struct rti_emission {
    const rti_net *net;
    const rti_int8 *int8;
    const char *name;
    char upper[64];
    rti_text *out;
} rti_emission;

bool rti_net_has(const rti_net *net, rti_step_kind kind);
bool rti_net_has_pool(const rti_net *net, rti_pool_kind kind);
/* static const TYPE NAME[count] = {...}; eight to sixteen numbers a line. */
void rti_emit_floats(rti_text *out, const char *what, int step, const float *numbers, int64_t count);
void rti_emit_integers(rti_text *out, const char *type, const char *what, int step, const void *numbers,
                       int bytes, int64_t count);
/* The float weights of a step in the order they are written: outputs last. `out` has step->weights. */
void rti_emit_order(const rti_step *step, float *out);
void rti_emit_float_body(rti_emission *e);
void rti_emit_int8_body(rti_emission *e);

#endif
