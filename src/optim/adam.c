/* adam.c - Adam.                                                       Floor 6 (optim)
 *
 * The corrections for the start (both means begin at zero) go into the rate and into a factor of the
 * root, so that the loop over the parameters does not know them. */
#include "optim/adam.h"

#include <math.h>

static const rt_param adam_rows[] = {RTI_ADAM_ROWS};

void rti_adam_prepare(const rti_update *u, double decay, double decoupled, rti_constants *c) {
    double beta1 = rt_params_real(u->options, "beta1"), beta2 = rt_params_real(u->options, "beta2");
    c->adam = (rti_adam){
        .rate = (rt_real)(u->lr / (1 - pow(beta1, (double)u->t))),
        .beta1 = (rt_real)beta1,
        .beta2 = (rt_real)beta2,
        .scale = (rt_real)(1 / sqrt(1 - pow(beta2, (double)u->t))),
        .epsilon = (rt_real)rt_params_real(u->options, "epsilon"),
        .decay = (rt_real)decay,
        .decoupled = (rt_real)decoupled,
        .grad_scale = (rt_real)u->grad_scale,
    };
}

void rti_adam_apply(int64_t n, const rti_constants *c, rt_real *p, const rt_real *g,
                    rt_real *const slot[RTI_SLOTS_MAX]) {
    rti_adam_update(n, &c->adam, p, g, slot[0], slot[1]);
}

static void adam_prepare(const rti_update *u, rti_constants *c) { rti_adam_prepare(u, u->decay, 0, c); }

const rti_optimizer_kind rti_optimizer_adam = {
    .name = "adam",
    .title = "adaptive moments; weight decay joins the gradient",
    .formula = "g' = g + weight_decay p;  m = beta1 m + (1 - beta1) g';  v = beta2 v + (1 - beta2) g'^2\n"
               "p = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)",
    .source = "Kingma, Ba 2014 (arXiv 1412.6980), algorithm 1",
    .rows = adam_rows,
    .row_count = (int)(sizeof adam_rows / sizeof adam_rows[0]),
    .slots = 2,
    .prepare = adam_prepare,
    .apply = rti_adam_apply,
};
RTI_REGISTER(optimizer, adam)
