/* experiment.h - a spec becomes a plan of trials, and trials become records.  Floor 8 (experiment)
 *
 *   spec.c       TOML -> rti_spec: typed values, checked, with file and line in every message
 *   plan.c       rti_spec -> rti_plan: trials, cells, dependencies, identities
 *   trial.c      one trial from its resolved spec to its result.json, resumable
 *   lock.c       claims with lock files; scheduler.c: workers; record.c: results from and to disk
 *   statistics.c, summary.c, report.c, chart.c, plot.c: what readers see
 */
#ifndef RTI_EXPERIMENT_H
#define RTI_EXPERIMENT_H

#include "retort/distill.h"

#define RTI_AXES_MAX 6
#define RTI_AXIS_VALUES_MAX 64
#define RTI_SEEDS_MAX 64
#define RTI_KEY_MAX 96
#define RTI_TEACHERS_MAX 32

/* The resolved settings of one trial: everything that identifies it but the seed. */
typedef struct rti_settings {
    rt_params data;       /* rt_data_rows */
    rt_params teacher;    /* training rows, "model", rows of that model, "optimizer.*", "count", "combine", "seed" */
    rt_params student;    /* training rows, "model", rows of that model, "optimizer.*" */
    rt_params distill;    /* "method", rows of that method, "preset" */
} rti_settings;

typedef struct rti_axis {
    char key[RTI_KEY_MAX];                      /* "distill.temperature" */
    int count;
    rt_value values[RTI_AXIS_VALUES_MAX];
} rti_axis;

typedef struct rti_spec {
    char name[64];
    char path[4096];
    int seed_count;
    uint64_t seeds[RTI_SEEDS_MAX];
    rti_settings base;
    int axis_count;
    rti_axis axes[RTI_AXES_MAX];
} rti_spec;

typedef enum rti_role { RTI_TEACHER, RTI_SCRATCH, RTI_STUDENT } rti_role;
typedef enum rti_state { RTI_PENDING, RTI_RUNNING, RTI_DONE, RTI_FAILED } rti_state;

typedef struct rti_trial {
    rti_role role;
    uint64_t seed;
    char id[33];                     /* the identity: 32 hexadecimal digits; directory: the first 16 */
    rti_settings *settings;          /* owned by the plan */
    int teacher_count;               /* trials it waits for */
    int teachers[RTI_TEACHERS_MAX];
} rti_trial;

/* One point of the grid: values of all axes. Its trials, one per seed, may be shared with other
 * cells (alpha = 0 at every temperature is the same trial as scratch). */
typedef struct rti_cell {
    int value[RTI_AXES_MAX];         /* index into each axis' values */
    int *trials;                     /* (seed_count) trial numbers */
    int *scratch;                    /* (seed_count) the paired student trained on labels alone */
    int facet;                       /* cells that differ in temperature and alpha only share one */
} rti_cell;

typedef struct rti_plan {
    rti_spec spec;
    char directory[4096];            /* runs/<name> */
    int trial_count;
    rti_trial *trials;
    int cell_count;
    rti_cell *cells;
    int facet_count;
    int temperature_axis, alpha_axis; /* -1 when not swept */
} rti_plan;

/* ---- records: what a finished trial says ---- */

typedef struct rti_epoch_row {
    int64_t epoch;                   /* 1, 2, ... */
    double loss, train_accuracy, validation_accuracy, validation_nll, lr;
} rti_epoch_row;

typedef struct rti_record {
    rti_state state;
    char failure[512];               /* why, when FAILED */
    int64_t epochs, best_epoch;      /* best: highest validation accuracy, the earliest of equals */
    rt_quality validation_last, validation_best, test_last, test_best;
    rt_model_cost cost;
    double seconds;                  /* training, all sessions together */
    double latency_us;               /* one example, one thread, median */
    double peak_megabytes;
    int epoch_count;
    rti_epoch_row *rows;             /* the metrics table; owned, freed by rti_record_deinit */
} rti_record;

/* Reads the state of trial `t` from its directory; missing files mean PENDING. */
rt_status rti_record_read(const rti_plan *plan, int trial, rti_record *record, rt_error *error) RT_MUST_CHECK;
void rti_record_deinit(rti_record *record);

/* runs/<name>/<first 16 digits of id> into out (size RTI_PATH_MAX). */
void rti_trial_directory(const rti_plan *plan, int trial, char *out, size_t size);

#endif
