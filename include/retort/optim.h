/* optim.h - optimisers, schedules, constraints.                        Floor 6 (optim)
 *
 * An optimiser owns its slots (velocity, moments) in one block and touches each parameter once a
 * step: clip, weight decay, update, max-norm. Kinds are descriptors (RTI_REGISTER(optimizer, ...)).
 * Learning rate and momentum follow schedules of the progress through training:
 *
 *     lr(t) = lr * warm(t) * schedule(t) * factor of the layer
 *     momentum(t) = from momentum_start to momentum, linear over momentum_epochs, then constant
 *
 * t counts epochs from 0. With schedule_by = "step" (the default) it has fractions: step s of an epoch
 * of S is at t = epoch + s / S; with "epoch" it is whole, as in the 2012 recipe (0.998 per epoch).
 * warm(t) rises linearly to 1 over `warmup` epochs and is not zero at the first step.
 *
 * max_norm_squared limits the SQUARED length of each unit's incoming weights (a row of W): after the
 * update a longer row is scaled back to that length. Hinton et al. 2012 use 15. Only weights of
 * hidden layers, or of all layers with max_norm_layers = "all". Biases never. */
#ifndef RETORT_OPTIM_H
#define RETORT_OPTIM_H

#include "retort/nn.h"

typedef struct rt_optimizer rt_optimizer;

/* Rows of everything an optimiser can be told, as they stand below "optimizer." in a spec: name,
 * lr, momentum, nesterov, beta1, ..., schedule, warmup, weight_decay, clip_norm, lr_factors, ... */
const rt_param *rt_optimizer_rows(int *count);
const char *const *rt_optimizer_kinds(int *count);
const char *const *rt_schedule_kinds(int *count);

/* For help: the rows that all share, those of one kind, title, formula, source. NULL: no such kind. */
const rt_param *rt_optimizer_common_rows(int *count);
const rt_param *rt_optimizer_kind_rows(const char *kind, int *count);
const char *rt_optimizer_title(const char *kind);
const char *rt_optimizer_formula(const char *kind);
const char *rt_optimizer_source(const char *kind);
const rt_param *rt_schedule_rows(const char *schedule, int *count);
const char *rt_schedule_formula(const char *schedule);

/* RT_SPEC when an option was given that means nothing with the chosen kind and schedule (momentum
 * with adam), unless it stands at its default, or when options contradict each other. `options`
 * and `prefix` as in rt_optimizer_new, which asks this, too. */
rt_status rt_optimizer_check(const rt_params *options, const char *prefix, rt_error *error) RT_MUST_CHECK;

/* For the parameters of `model`, which must outlive the optimiser. `options` holds the rows above,
 * under names with `prefix` before them ("optimizer." or ""). epochs: length of the whole training
 * (schedules need it); steps_per_epoch >= 1. NULL and *error: RT_SPEC, RT_MEMORY. */
rt_optimizer *rt_optimizer_new(rt_model *model, const rt_params *options, const char *prefix, int64_t epochs,
                               int64_t steps_per_epoch, rt_error *error) RT_MUST_CHECK;
/* SGD with heavy-ball momentum at a constant rate. */
rt_optimizer *rt_sgd_new(rt_model *model, double lr, double momentum, rt_error *error) RT_MUST_CHECK;
void rt_optimizer_free(rt_optimizer *optimizer);

/* More parameters to train (adapters of a method); before the first step. */
rt_status rt_optimizer_add(rt_optimizer *optimizer, rt_model *model, rt_error *error) RT_MUST_CHECK;

/* One update from the gradients, which are empty afterwards. A parameter without a gradient is
 * left alone. Allocates nothing. */
void rt_optimizer_step(rt_optimizer *optimizer);

int64_t rt_optimizer_steps(const rt_optimizer *optimizer); /* updates done */
double rt_optimizer_lr(const rt_optimizer *optimizer);     /* of the next step, layer factor 1 */
double rt_optimizer_momentum(const rt_optimizer *optimizer);
/* Length of the last step's gradient before clipping; -1 when clip_norm is 0 and nothing was measured. */
double rt_optimizer_grad_norm(const rt_optimizer *optimizer);

/* State for a checkpoint: the slots and the step count. The bytes are only good for an optimiser
 * made with the same arguments; _restore checks the size. */
size_t rt_optimizer_state_bytes(const rt_optimizer *optimizer);
void rt_optimizer_state_save(const rt_optimizer *optimizer, void *bytes);
rt_status rt_optimizer_state_restore(rt_optimizer *optimizer, const void *bytes, size_t count,
                                     rt_error *error) RT_MUST_CHECK;

#endif
