/* adamw.c - Adam with decoupled weight decay.                          Floor 6 (optim) */
#include "optim/adam.h"

static const rt_param adamw_rows[] = {RTI_ADAM_ROWS};

static void adamw_prepare(const rti_update *u, rti_constants *c) {
    rti_adam_prepare(u, 0, u->lr * u->decay, c);
}

const rti_optimizer_kind rti_optimizer_adamw = {
    .name = "adamw",
    .title = "adaptive moments; weight decay shrinks the weight itself",
    .formula = "m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2\n"
               "p = p - lr weight_decay p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)",
    .source = "Loshchilov, Hutter 2017 (arXiv 1711.05101), algorithm 2",
    .rows = adamw_rows,
    .row_count = (int)(sizeof adamw_rows / sizeof adamw_rows[0]),
    .slots = 2,
    .prepare = adamw_prepare,
    .apply = rti_adam_apply,
};
RTI_REGISTER(optimizer, adamw)
