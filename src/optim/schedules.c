/* schedules.c - how the learning rate goes through training.           Floor 6 (optim)
 *
 * Factors of the rate after t epochs of E. Warm-up and momentum are in optimizer.c. */
#include <math.h>

#include "optim/optimizer.h"

#define GAMMA_ROW                                \
    RT_PARAM_REAL_ROW("gamma", 0.1, 1e-6, 1, "", \
                      "factor of the rate: per milestone (step), per epoch (exponential)")
#define END_ROW \
    RT_PARAM_REAL_ROW("end_factor", 0, 0, 1, "", "part of the rate that is left at the end (linear, cosine)")

static const rt_param step_rows[] = {
    RT_PARAM_REALS_ROW("milestones", "[]", 0, 1e6, "epochs", "where the rate is multiplied by gamma (step)"),
    GAMMA_ROW,
};
static const rt_param gamma_rows[] = {GAMMA_ROW};
static const rt_param end_rows[] = {END_ROW};

static double constant_factor(const rt_params *options, double t, double epochs) {
    (void)options, (void)t, (void)epochs;
    return 1;
}

static double step_factor(const rt_params *options, double t, double epochs) {
    (void)epochs;
    const rt_value *milestones = rt_params_list(options, "milestones");
    double factor = 1, gamma = rt_params_real(options, "gamma");
    for (int i = 0; i < milestones->count; i++)
        if (t >= milestones->items[i]) factor *= gamma;
    return factor;
}

/* From 1 to end_factor as `rest` goes from 1 to 0. */
static double down_to_end(const rt_params *options, double rest) {
    double end = rt_params_real(options, "end_factor");
    return end + (1 - end) * rest;
}

static double linear_factor(const rt_params *options, double t, double epochs) {
    return down_to_end(options, t < epochs ? 1 - t / epochs : 0);
}

static double cosine_factor(const rt_params *options, double t, double epochs) {
    const double pi = 3.14159265358979323846;
    return down_to_end(options, t < epochs ? 0.5 * (1 + cos(pi * t / epochs)) : 0);
}

static double exponential_factor(const rt_params *options, double t, double epochs) {
    (void)epochs;
    return pow(rt_params_real(options, "gamma"), t);
}

#define ROWS(table) .rows = table, .row_count = (int)(sizeof table / sizeof table[0])

const rti_schedule rti_schedule_constant = {.name = "constant", .formula = "1", .factor = constant_factor};
RTI_REGISTER(schedule, constant)

const rti_schedule rti_schedule_step = {
    .name = "step", .formula = "gamma ^ (milestones passed)", ROWS(step_rows), .factor = step_factor};
RTI_REGISTER(schedule, step)

const rti_schedule rti_schedule_linear = {.name = "linear",
                                          .formula = "end_factor + (1 - end_factor) (1 - t / epochs)",
                                          ROWS(end_rows),
                                          .factor = linear_factor};
RTI_REGISTER(schedule, linear)

const rti_schedule rti_schedule_cosine = {
    .name = "cosine", .formula = "end_factor + (1 - end_factor) (1 + cos(pi t / epochs)) / 2", ROWS(end_rows),
    .factor = cosine_factor};
RTI_REGISTER(schedule, cosine)

const rti_schedule rti_schedule_exponential = {
    .name = "exponential", .formula = "gamma ^ t", ROWS(gamma_rows), .factor = exponential_factor};
RTI_REGISTER(schedule, exponential)
