/* registry.c - the generated list of all ops, and what the public may ask of it.  Floor 5 (ops) */
#include <string.h>

#include "graph/op.h"
#include "retort/ops.h"

#define X(name) extern const rti_op rti_op_##name;
#include "op.inc"
#undef X

const rti_op *const rti_all_ops[] = {
#define X(name) &rti_op_##name,
#include "op.inc"
#undef X
    NULL,
};

#define X(name) #name,
static const char *const names[] = {
#include "op.inc"
    NULL,
};
#undef X

const char *const *rt_op_names(int *count) {
    *count = (int)(sizeof names / sizeof *names) - 1;
    return names;
}

static const rti_op *find(const char *name) {
    for (int i = 0; rti_all_ops[i]; i++)
        if (strcmp(rti_all_ops[i]->name, name) == 0) return rti_all_ops[i];
    return NULL;
}

const char *rt_op_formula(const char *name) {
    const rti_op *op = find(name);
    return op ? op->formula : NULL;
}

const char *rt_op_source(const char *name) {
    const rti_op *op = find(name);
    return op ? op->source : NULL;
}

bool rt_op_has_gradient(const char *name) {
    const rti_op *op = find(name);
    return op && op->backward;
}

rt_status rt_op_gradcheck(const char *name, double tolerance, rt_gradcheck_result *worst, int *cases,
                          rt_error *error) {
    const rti_op *op = find(name);
    if (!op) return rt_fail(error, RT_NOT_FOUND, "there is no op named %s", name);
    rt_gradcheck_result all = {.worst_error = 0};
    rt_status status = RT_OK;
    for (int i = 0; i < op->case_count && status == RT_OK; i++) {
        rt_gradcheck_result r = {.worst_error = 0};
        status = rt_gradcheck(&op->cases[i], 1 + (uint64_t)i, tolerance, &r, error);
        if (status != RT_OK) rt_fail_in(error, status, "%s", name);
        int64_t checked = all.checked + r.checked;
        if (status != RT_OK || !(r.worst_error <= all.worst_error)) all = r;
        all.checked = checked;
    }
    if (status == RT_OK && op->backward && op->case_count == 0)
        status = rt_fail(error, RT_UNSUPPORTED, "%s has a backward and no gradcheck case", name);
    if (worst) *worst = all;
    if (cases) *cases = op->case_count;
    return status;
}
