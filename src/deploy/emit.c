/* emit.c - the header, and what both forms of the source share. See emit.h.  Floor 7 (deploy) */
#include "deploy/emit.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "retort/alloc.h"

bool rti_net_has(const rti_net *net, rti_step_kind kind) {
    for (int i = 0; i < net->count; i++)
        if (net->steps[i].kind == kind) return true;
    return false;
}

bool rti_net_has_pool(const rti_net *net, rti_pool_kind kind) {
    for (int i = 0; i < net->count; i++)
        if (net->steps[i].kind == RTI_STEP_POOL && net->steps[i].pool == kind) return true;
    return false;
}

/* ---- arrays ---- */

/* Nine digits tell a float from its neighbours; the point makes it a float and not an integer. */
static void float_append(rti_text *out, float x) {
    char text[40];
    snprintf(text, sizeof text, "%.9g", (double)x);
    rti_text_append(out, text);
    if (!strpbrk(text, ".e")) rti_text_append(out, ".0");
    rti_text_append(out, "f");
}

void rti_emit_floats(rti_text *out, const char *what, int step, const float *numbers, int64_t count) {
    rti_text_printf(out, "static const float %s_%d[%lld] = {", what, step, (long long)count);
    for (int64_t i = 0; i < count; i++) {
        rti_text_append(out, i % 8 ? " " : "\n    ");
        float_append(out, numbers[i]);
        if (i + 1 < count) rti_text_append(out, ",");
    }
    rti_text_append(out, "\n};\n\n");
}

static int64_t integer_at(const void *numbers, int bytes, int64_t i) {
    if (bytes == 1) return ((const int8_t *)numbers)[i];
    if (bytes == 4) return ((const int32_t *)numbers)[i];
    return ((const int64_t *)numbers)[i];
}

void rti_emit_integers(rti_text *out, const char *type, const char *what, int step, const void *numbers,
                       int bytes, int64_t count) {
    const int a_line = bytes == 1 ? 20 : bytes == 4 ? 8 : 4;
    rti_text_printf(out, "static const %s %s_%d[%lld] = {", type, what, step, (long long)count);
    for (int64_t i = 0; i < count; i++) {
        rti_text_append(out, i % a_line ? " " : "\n    ");
        rti_text_printf(out, bytes == 8 ? "INT64_C(%lld)" : "%lld", (long long)integer_at(numbers, bytes, i));
        if (i + 1 < count) rti_text_append(out, ",");
    }
    rti_text_append(out, "\n};\n\n");
}

/* ---- head ---- */

static const char *step_words(const rti_step *s, char buffer[160]) {
    static const char *const pools[] = {
        [RTI_POOL_MAX] = "max", [RTI_POOL_AVG] = "mean", [RTI_POOL_GLOBAL] = "mean of the image"};
    switch (s->kind) {
    case RTI_STEP_INPUT:
        snprintf(buffer, 160, "input, scaled");
        break;
    case RTI_STEP_LINEAR:
        snprintf(buffer, 160, "linear");
        break;
    case RTI_STEP_CONV:
        snprintf(buffer, 160, "convolution %d x %d, stride %d, padding %d", s->kernel, s->kernel, s->stride,
                 s->padding);
        break;
    case RTI_STEP_AFFINE:
        snprintf(buffer, 160, "scale and shift of each channel");
        break;
    case RTI_STEP_ADD:
        snprintf(buffer, 160, "sum");
        break;
    case RTI_STEP_ACTIVATION:
        snprintf(buffer, 160, "%s", rti_activation_names[s->activation]);
        break;
    case RTI_STEP_POOL:
        snprintf(buffer, 160, "%s", pools[s->pool]);
        break;
    case RTI_STEP_SHORTCUT:
        snprintf(buffer, 160, "every pixel %d further, channels of zeros", s->stride);
        break;
    }
    return buffer;
}

/* Words of the comment must not end it. */
static void comment_append(rti_text *out, const char *words) {
    for (const char *c = words; *c; c++) {
        const char one[2] = {*c == '\n' || *c == '\r' || (*c == '/' && c > words && c[-1] == '*') ? ' ' : *c,
                             0};
        rti_text_append(out, one);
    }
}

static void write_head(const rti_emission *e, const rti_emit_facts *facts) {
    const rti_net *net = e->net;
    rti_text *out = e->out;
    rti_text_printf(out, "/* %s - a neural network in %s, written by retort.\n *\n * ", e->name,
                    e->int8 ? "8-bit integers" : "float");
    comment_append(out, net->summary);
    rti_text_printf(out, "\n * fingerprint %s\n * %lld parameters, %lld multiply-adds an example",
                    net->fingerprint, (long long)net->parameters, (long long)net->multiply_adds);
    if (e->int8) rti_text_printf(out, ", %lld bytes of constants", (long long)e->int8->bytes);
    rti_text_append(out, "\n");
    if (facts && facts->accuracy) {
        rti_text_append(out, " * accuracy ");
        comment_append(out, facts->accuracy);
        rti_text_append(out, "\n");
    }
    if (facts && facts->class_names) {
        rti_text_append(out, " * classes");
        for (int64_t k = 0; k < net->classes; k++) {
            rti_text_printf(out, "%s %lld ", k % 8 == 0 && k ? ",\n *        " : k ? "," : "", (long long)k);
            comment_append(out, facts->class_names[k]);
        }
        rti_text_append(out, "\n");
    }
    rti_text_append(out, " */\n");
}

static void write_header(const rti_emission *e, const rti_emit_facts *facts) {
    const rti_net *net = e->net;
    rti_text *out = e->out;
    const int64_t *r = net->raw_shape;
    const char *raw = net->bytes ? "uint8_t" : "float";
    write_head(e, facts);
    rti_text_printf(out, "#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n\n", e->upper, e->upper);
    rti_text_append(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    rti_text_printf(out, "#define %s_INPUTS %lld", e->upper, (long long)net->features);
    if (r[1] * r[2] > 1)
        rti_text_printf(out, " /* %lld x %lld pixels, row by row%s */", (long long)r[1], (long long)r[2],
                        r[0] > 1 ? ", one channel after the other" : "");
    rti_text_printf(out, "\n#define %s_CLASSES %lld\n#define %s_SCRATCH %lld /* %s */\n", e->upper,
                    (long long)net->classes, e->upper, (long long)net->scratch, e->int8 ? "bytes" : "floats");
    if (e->int8)
        rti_text_printf(out, "#define %s_LOGIT_SCALE %.9gf /* a logit is this times the integer */\n",
                        e->upper, e->int8->steps[net->count - 1].scale);
    const char *cell = e->int8 ? "int8_t" : "float", *logit = e->int8 ? "int32_t" : "float";
    rti_text_printf(out,
                    "\n/* x: %s_INPUTS %s as they come%s. scratch: %s_SCRATCH numbers of the caller's,\n"
                    " * whatever is in them. logits: %s_CLASSES numbers; the largest is the answer. */\n",
                    e->upper, net->bytes ? "bytes" : "numbers", net->bytes ? ", 0 to 255" : "", e->upper,
                    e->upper);
    rti_text_printf(out, "void %s_logits(const %s x[], %s scratch[], %s logits[]);\n\n", e->name, raw, cell,
                    logit);
    rti_text_printf(
        out,
        "/* The class alone: 0 to %lld; of equal logits the first. */\nint %s_class(const %s x[], "
        "%s scratch[]);\n\n",
        (long long)net->classes - 1, e->name, raw, cell);
    rti_text_printf(out, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

static void write_steps_comment(const rti_emission *e) {
    char words[160];
    rti_text_append(e->out, "/* Steps, with the shape (height, width, channels) of what they give:\n");
    for (int i = 0; i < e->net->count; i++) {
        const rti_step *s = &e->net->steps[i];
        rti_text_printf(e->out, " * %3d  %-22s (%lld, %lld, %lld)  %s%s%s\n", i, s->name,
                        (long long)s->shape[0], (long long)s->shape[1], (long long)s->shape[2],
                        step_words(s, words), s->second == RTI_NO_STEP ? "" : ", sum",
                        s->relu ? ", relu" : "");
    }
    rti_text_append(e->out, " */\n\n");
}

static void write_class(const rti_emission *e) {
    const char *raw = e->net->bytes ? "uint8_t" : "float", *logit = e->int8 ? "int32_t" : "float";
    rti_text_printf(
        e->out,
        "int %s_class(const %s x[], %s scratch[]) {\n    %s logits[%s_CLASSES];\n"
        "    int best = 0;\n    %s_logits(x, scratch, logits);\n"
        "    for (int k = 1; k < %s_CLASSES; k++)\n        if (logits[k] > logits[best]) best = k;\n"
        "    return best;\n}\n",
        e->name, raw, e->int8 ? "int8_t" : "float", logit, e->upper, e->name, e->upper);
}

void rti_emit_order(const rti_step *s, float *out) {
    const int64_t units = s->biases, inputs = s->biases ? s->weights / s->biases : 0;
    if (s->kind != RTI_STEP_LINEAR) {
        memcpy(out, s->weight, (size_t)s->weights * sizeof *out);
        return;
    }
    for (int64_t u = 0; u < units; u++)
        for (int64_t d = 0; d < inputs; d++) out[d * units + u] = s->weight[u * inputs + d];
}

static rt_status check(const rti_net *net, const char *name, rt_error *error) {
    bool fine = name[0] && !isdigit((unsigned char)name[0]) && strlen(name) < 48;
    for (const char *c = name; *c; c++) fine &= isalnum((unsigned char)*c) || *c == '_';
    if (!fine)
        return rt_fail(error, RT_VALUE,
                       "\"%s\" is no name for C: up to 47 letters, digits and _, no digit first", name);
    if (net->scratch > INT_MAX / 8 || net->parameters > INT_MAX / 8)
        return rt_fail(error, RT_UNSUPPORTED, "the network is too large to be written out as C");
    return RT_OK;
}

rt_status rti_emit(const rti_net *net, const rti_int8 *int8, const char *name, const rti_emit_facts *facts,
                   rti_text *header, rti_text *source, rt_error *error) {
    RT_TRY(check(net, name, error));
    rti_emission e = {.net = net, .int8 = int8, .name = name, .out = header};
    for (size_t i = 0; name[i]; i++) e.upper[i] = (char)toupper((unsigned char)name[i]);
    write_header(&e, facts);
    e.out = source;
    write_head(&e, facts);
    rti_text_printf(source, "#include \"%s.h\"\n\n", name);
    write_steps_comment(&e);
    if (int8)
        rti_emit_int8_body(&e);
    else
        rti_emit_float_body(&e);
    write_class(&e);
    if (header->failed || source->failed) return rt_fail(error, RT_MEMORY, "no memory for the source");
    return RT_OK;
}
