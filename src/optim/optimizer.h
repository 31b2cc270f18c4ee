/* optimizer.h - kinds of optimisers and schedules.                     Floor 6 (optim)
 *
 * An optimiser is a descriptor `rti_optimizer_<name>` in src/optim/<name>.c and the line
 * RTI_REGISTER(optimizer, <name>); a schedule is `rti_schedule_<name>` and RTI_REGISTER(schedule, <name>).
 * Each brings its own option rows. A row that several share (same name) must be the same in all. */
#ifndef RTI_OPTIMIZER_H
#define RTI_OPTIMIZER_H

#include "kernels/kernels.h"
#include "retort/optim.h"

#ifndef RTI_REGISTER
#define RTI_REGISTER(kind, name)
#endif

#define RTI_SLOTS_MAX 2

/* What one update of one parameter needs besides numbers and slots. */
typedef struct rti_update {
    const rt_params *options; /* rows of rt_optimizer_rows, without prefix */
    double lr;                /* schedule, warm-up and layer factor are in it */
    double momentum;          /* of the momentum schedule */
    double decay;             /* weight decay; 0 for a bias */
    double grad_scale;        /* 1, or less when clipping */
    int64_t t;                /* 1, 2, ...: updates of this parameter, this one included */
} rti_update;

/* The constants of one update, made once and used for all pieces of a parameter. */
typedef union rti_constants {
    rti_sgd sgd;
    rti_adam adam;
    rti_rmsprop rmsprop;
} rti_constants;

typedef struct rti_optimizer_kind {
    const char *name;     /* "sgd" */
    const char *title;    /* one line */
    const char *formula;  /* ASCII, may have several lines */
    const char *source;   /* paper */
    const rt_param *rows;
    int row_count;
    int slots;            /* numbers kept per parameter; they start at zero */
    /* Momentum after t epochs. NULL: the kind has none. */
    double (*momentum)(const rt_params *options, double t);
    void (*prepare)(const rti_update *update, rti_constants *constants);
    /* n numbers of one parameter; slot[0 ... slots-1] start at the same place. */
    void (*apply)(int64_t n, const rti_constants *constants, rt_real *p, const rt_real *g,
                  rt_real *const slot[RTI_SLOTS_MAX]);
} rti_optimizer_kind;

typedef struct rti_schedule {
    const char *name;     /* "linear" */
    const char *formula;  /* "1 - (1 - end_factor) t / epochs" */
    const rt_param *rows;
    int row_count;
    /* Factor of the rate after t of `epochs` epochs, 0 <= t. */
    double (*factor)(const rt_params *options, double t, double epochs);
} rti_schedule;

extern const rti_optimizer_kind *const rti_all_optimizers[]; /* alphabetical, NULL-terminated */
extern const rti_schedule *const rti_all_schedules[];
const rti_optimizer_kind *rti_optimizer_find(const char *name);
const rti_schedule *rti_schedule_find(const char *name);

/* Does the option mean anything with this kind and this schedule? */
bool rti_option_is_used(const rti_optimizer_kind *kind, const rti_schedule *schedule, const char *name);

#endif
