/* sgd.c - gradient descent with momentum.                              Floor 6 (optim)
 *
 * The rate is inside the velocity, as in Hinton et al. 2012 and Sutskever et al. 2013. PyTorch keeps it
 * outside; the two are the same while the rate stays the same, and after a change of the rate the
 * velocity here still moves at the old one. With damping the step is (1 - momentum) lr. */
#include "optim/optimizer.h"

static const rt_param sgd_rows[] = {
    RT_PARAM_REAL_ROW("momentum", 0.9, 0, 0.9999, "", "part of the velocity that is kept in each step"),
    RT_PARAM_REAL_ROW("momentum_start", 0.5, 0, 0.9999, "",
                      "momentum at the start, when momentum_epochs is not 0"),
    RT_PARAM_REAL_ROW("momentum_epochs", 0, 0, 1e6, "epochs",
                      "momentum goes linearly to its value in so many epochs"),
    RT_PARAM_BOOL_ROW("nesterov", false, "look ahead: Nesterov's momentum instead of the heavy ball"),
    RT_PARAM_BOOL_ROW("damping", false,
                      "multiply the gradient by 1 - momentum, as in the 2012 dropout recipe"),
};

static double sgd_momentum(const rt_params *options, double t) {
    double start = rt_params_real(options, "momentum_start"), end = rt_params_real(options, "momentum");
    double epochs = rt_params_real(options, "momentum_epochs");
    return t < epochs ? start + (end - start) * t / epochs : end;
}

static void sgd_prepare(const rti_update *u, rti_constants *c) {
    bool damping = rt_params_bool(u->options, "damping");
    c->sgd = (rti_sgd){
        .lr = (rt_real)u->lr,
        .momentum = (rt_real)u->momentum,
        .decay = (rt_real)u->decay,
        .damping = (rt_real)(damping ? 1 - u->momentum : 1),
        .grad_scale = (rt_real)u->grad_scale,
        .nesterov = rt_params_bool(u->options, "nesterov"),
    };
}

static void sgd_apply(int64_t n, const rti_constants *c, rt_real *p, const rt_real *g,
                      rt_real *const slot[RTI_SLOTS_MAX]) {
    rti_sgd_update(n, &c->sgd, p, g, slot[0]);
}

const rti_optimizer_kind rti_optimizer_sgd = {
    .name = "sgd",
    .title = "stochastic gradient descent with heavy-ball or Nesterov momentum",
    .formula = "g' = g + weight_decay p;  v = momentum v - lr d g';  p = p + v\n"
               "nesterov: p = p + momentum v - lr d g';  d = 1, with damping d = 1 - momentum",
    .source =
        "Polyak 1964; Sutskever, Martens, Dahl, Hinton 2013; damping: Hinton et al. 2012 (arXiv 1207.0580)",
    .rows = sgd_rows,
    .row_count = (int)(sizeof sgd_rows / sizeof sgd_rows[0]),
    .slots = 1,
    .momentum = sgd_momentum,
    .prepare = sgd_prepare,
    .apply = sgd_apply,
};
RTI_REGISTER(optimizer, sgd)
