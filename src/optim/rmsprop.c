/* rmsprop.c - RMSProp, without momentum, not centred.                  Floor 6 (optim) */
#include "optim/adam.h"

static const rt_param rmsprop_rows[] = {
    RT_PARAM_REAL_ROW("rho", 0.9, 0, 0.999999, "",
                      "part of the mean squared gradient that is kept in each step"),
    RTI_EPSILON_ROW,
};

static void rmsprop_prepare(const rti_update *u, rti_constants *c) {
    c->rmsprop = (rti_rmsprop){
        .lr = (rt_real)u->lr,
        .rho = (rt_real)rt_params_real(u->options, "rho"),
        .epsilon = (rt_real)rt_params_real(u->options, "epsilon"),
        .decay = (rt_real)u->decay,
        .grad_scale = (rt_real)u->grad_scale,
    };
}

static void rmsprop_apply(int64_t n, const rti_constants *c, rt_real *p, const rt_real *g,
                          rt_real *const slot[RTI_SLOTS_MAX]) {
    rti_rmsprop_update(n, &c->rmsprop, p, g, slot[0]);
}

const rti_optimizer_kind rti_optimizer_rmsprop = {
    .name = "rmsprop",
    .title = "gradient divided by the root of its mean square",
    .formula = "g' = g + weight_decay p;  v = rho v + (1 - rho) g'^2;  p = p - lr g' / (sqrt(v) + epsilon)",
    .source = "Tieleman, Hinton 2012, lecture 6.5 of Neural Networks for Machine Learning",
    .rows = rmsprop_rows,
    .row_count = (int)(sizeof rmsprop_rows / sizeof rmsprop_rows[0]),
    .slots = 1,
    .prepare = rmsprop_prepare,
    .apply = rmsprop_apply,
};
RTI_REGISTER(optimizer, rmsprop)
