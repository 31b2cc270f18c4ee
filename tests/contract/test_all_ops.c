/* Every op on the generated list: is it described, has it cases, and are its gradients those that
 * central differences give? The double build is the judge (tolerance 1e-6); the float build runs the
 * same cases with the tolerance of gradcheck. */
#include <criterion/criterion.h>
#include <string.h>

#include "graph/op.h"
#include "retort/ops.h"

Test(all_ops, are_described) {
    int count;
    const char *const *names = rt_op_names(&count);
    cr_assert_gt(count, 0);
    for (int i = 0; i < count; i++) {
        const rti_op *op = rti_all_ops[i];
        cr_assert_str_eq(op->name, names[i], "registered as %s and named %s", names[i], op->name);
        if (i)
            cr_assert_lt(strcmp(names[i - 1], names[i]), 0, "%s is listed twice or out of order", names[i]);
        cr_assert(op->formula && op->formula[0], "%s has no formula", op->name);
        cr_assert(op->source, "%s has no source, not even an empty one", op->name);
        cr_assert(op->shape && op->forward, "%s cannot be run", op->name);
        cr_assert_eq(op->differentiable != 0, op->backward != NULL,
                     "%s: differentiable inputs and backward contradict each other", op->name);
    }
    cr_assert_null(rti_all_ops[count]);
}

Test(all_ops, gradients_are_right, .timeout = 60) {
    int count;
    const char *const *names = rt_op_names(&count);
    for (int i = 0; i < count; i++) {
        rt_error error = {.status = RT_OK};
        rt_gradcheck_result worst;
        int cases = 0;
        rt_status status = rt_op_gradcheck(names[i], 0, &worst, &cases, &error);
        cr_expect_eq(status, RT_OK, "%s", error.message);
        if (!rt_op_has_gradient(names[i])) continue;
        cr_expect_geq(cases, 2, "%s has %d gradcheck cases, at least two are asked for", names[i], cases);
        cr_expect_gt(worst.checked, 0, "%s: nothing was compared", names[i]);
    }
}

Test(all_ops, unknown_names_are_refused) {
    rt_error error;
    cr_assert_eq(rt_op_gradcheck("nonsense", 0, NULL, NULL, &error), RT_NOT_FOUND);
    cr_assert_null(rt_op_formula("nonsense"));
    cr_assert_null(rt_op_source("nonsense"));
    cr_assert(!rt_op_has_gradient("nonsense"));
}
