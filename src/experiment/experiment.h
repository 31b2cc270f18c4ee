/* experiment.h - a spec becomes a plan of trials, and trials become records.  Floor 8 (experiment)
 *
 *   spec.c       TOML -> rti_spec: typed values, checked, with file and line in every message
 *   resolve.c    rti_spec + one choice per axis -> rti_settings, and the canonical text of settings
 *   compare.c    the rows of [compare]: each becomes a spec of its own
 *   plan.c       rti_spec -> rti_plan: trials, cells, dependencies, identities
 *   chain.c      teachers, assistants, generations: who learns from whom
 *   choose.c     the choice that tuning makes, from records on disk
 *   trial.c      trials from their settings to their results, one or a group in one pass; session.c: what is
 *                each one's own, resumable (checkpoint.c); group.c: which ones go together
 *   lock.c       claims with lock files; scheduler.c: workers; record.c: results from disk
 *   statistics.c, summary.c, report.c, chart.c, plot.c: what readers see
 *
 *     rti_spec spec;  rti_plan plan;
 *     rti_spec_read(&spec, "experiments/demo.toml", NULL, 0, &error);
 *     rti_plan_make(&plan, &spec, "runs", NULL, &error);    opens the data, takes the spec
 *     rti_run(&plan, &options, &outcome, &error);           trains what is not finished
 *     rti_record_read(&plan, plan.cells[0].trials[0], &record, &error);
 *     rti_plan_deinit(&plan);
 *
 * What lies in runs/<name>/<first 16 digits of the identity>/ (runs/<trials>/ when the spec names a
 * directory that several specs share, with `trials`):
 *
 *   spec.toml, manifest.json     the resolved settings; seed, hashes, compiler, machine
 *   progress.csv                 while it trains: one row per epoch
 *   checkpoint.bin               while it is unfinished: everything needed to go on bit-exactly
 *   metrics.csv                  the finished table; weights.safetensors (last epoch), best.safetensors
 *   cost.json                    times, latency, memory: what differs from run to run. "together": how many
 *                                trials the process trained at once; of a group each has as "seconds" an
 *                                equal share of the time in which it was at work, the memory is that of all,
 *                                and the latency was measured once for equal settings of the network
 *   result.json                  written last: when it is there, the trial is done
 *   failed.json                  why it failed
 *   lock                         who is working on it (lock.h)
 *
 * metrics.csv, result.json and both weight files have the same bits however often the trial was
 * interrupted, on however many threads it ran, alone or in a group. */
#ifndef RTI_EXPERIMENT_H
#define RTI_EXPERIMENT_H

#include "core/text.h"
#include "retort/distill.h"

#define RTI_AXES_MAX 6
#define RTI_AXIS_VALUES_MAX 64
#define RTI_SEEDS_MAX 64
#define RTI_KEY_MAX 96
#define RTI_TEACHERS_MAX 32
#define RTI_CELLS_MAX 4096
#define RTI_ROWS_MAX 48         /* of a comparison */
#define RTI_POINTS_MAX 256      /* of the grid of one row */
#define RTI_ASSISTANTS_MAX 8
#define RTI_NAME_TEXT 64        /* bytes of the name of an experiment, with its zero */
#define RTI_LABEL_TEXT 64       /* bytes of a row's label, with its zero */
#define RTI_TRIALS_MAX 20000

/* Part of every identity: raise it when the same settings begin to mean something else. */
#define RTI_TRIAL_FORMAT 1

/* ---- settings: everything that identifies a trial but the seed ---- */

typedef struct rti_settings {
    bool has_teacher;     /* the spec has a [teacher] */
    rt_params data;       /* rt_data_rows */
    rt_params
        teacher; /* training rows, "model", rows of that model, "optimizer.*", "count", "combine", "seed" */
    rt_params student;    /* training rows, "model", rows of that model, "optimizer.*" */
    rt_params distill;    /* "method", "preset", the schedule, rows of that method */
    /* Who stands between the [teacher] and this student: settings whose `student` is [assistant.N], which
     * point to those of N - 1; NULL: nobody. Borrowed; in plans only. */
    const struct rti_settings *assistant;
    int number;           /* 0: `student` is [student]; N: it is [assistant.N] */
} rti_settings;

/* The settings as sections of a spec that reads back to the same values. */
void rti_settings_text(const rti_settings *settings, rti_text *out);

/* Rows of the runner itself: of [teacher], [student] and [assistant.N] whatever the model, of [teacher]
 * alone, of [assistant.N] alone, and of [distill] whatever the method. */
const rt_param *rti_training_rows(int *count);
const rt_param *rti_teacher_rows(int *count);
const rt_param *rti_assistant_rows(int *count);
const rt_param *rti_distill_rows(int *count);

/* How a network of these training rows sees its examples. */
rt_augment rti_training_augment(const rt_params *network);

/* Who a student learns from, "schedule" in [distill] or in a row of a comparison:
 *   direct      from the teacher
 *   takd        from the last of the assistants, each of which learned from the one before with the same
 *               method, the first from the teacher (Mirzadeh et al. 2019, arXiv 1902.03393)
 *   born-again  from a student like itself, for so many generations; the first of them from the scratch
 *               student, or from the teacher ("first") (Furlanello et al. 2018, arXiv 1805.04770) */
typedef enum rti_lineage { RTI_DIRECT, RTI_TAKD, RTI_BORN_AGAIN } rti_lineage;
rti_lineage rti_settings_lineage(const rti_settings *settings);

/* Is [teacher] a file of answers, "logits", instead of a network? */
bool rti_settings_stored(const rti_settings *settings);

/* ---- the spec ---- */

typedef struct rti_axis {
    char key[RTI_KEY_MAX];                      /* "distill.temperature" */
    int count;
    rt_value values[RTI_AXIS_VALUES_MAX];
} rti_axis;

struct rti_spec_entries;

/* A spec is either a grid, [distill] and [sweep], or a comparison, [compare] with a section for each row.
 * A row is a spec of its own: the common sections, its own [distill], and its grid as axes. */
typedef struct rti_spec {
    char name[RTI_NAME_TEXT];
    char trials[RTI_NAME_TEXT];                 /* whose directory holds the trials; "": name's */
    char path[4096];
    int seed_count;
    uint64_t seeds[RTI_SEEDS_MAX];
    rti_settings base;                          /* the first value of every axis */
    int axis_count;
    rti_axis axes[RTI_AXES_MAX];
    struct rti_spec_entries *entries;           /* what was written, with lines; owned */
    int assistant_count;
    bool is_comparison;
    bool strict;                                /* a row that is undefined for the pair is an error */
    bool tuned;                                 /* [compare] has `tune` */
    int64_t tune_epochs;                        /* 0: as many as the student's */
    int tune_seed_count;
    uint64_t tune_seeds[RTI_SEEDS_MAX];
    char label[RTI_LABEL_TEXT];                 /* of a row: what the table calls it; else "" */
    int row_count;
    struct rti_spec *rows;                      /* owned */
} rti_spec;

/* Reads and checks a spec. `overrides` are "key=value" texts that replace what the file says; one
 * that names a swept key takes the axis away. Every combination of the sweep is checked.
 * RT_SPEC and RT_FORMAT name file and line (or "--set key"); RT_IO, RT_NOT_FOUND, RT_MEMORY. */
rt_status rti_spec_read(rti_spec *spec, const char *path, const char *const overrides[], int override_count,
                        rt_error *error) RT_MUST_CHECK;
/* The same from a text; `name` stands for the file in messages. */
rt_status rti_spec_parse(rti_spec *spec, const char *text, size_t length, const char *name,
                         const char *const overrides[], int override_count, rt_error *error) RT_MUST_CHECK;
void rti_spec_deinit(rti_spec *spec);
/* The name of the directory below runs/ that holds the trials. */
const char *rti_spec_trials(const rti_spec *spec);

/* The settings of one point of the grid: value[a] is an index into axis a's values. */
rt_status rti_spec_resolve(const rti_spec *spec, const int value[], rti_settings *settings, rt_error *error)
    RT_MUST_CHECK;

/* ---- the plan ---- */

typedef enum rti_role { RTI_TEACHER, RTI_SCRATCH, RTI_STUDENT } rti_role;
typedef enum rti_state { RTI_PENDING, RTI_RUNNING, RTI_DONE, RTI_FAILED } rti_state;

const char *rti_role_name(rti_role role);    /* "teacher", "scratch", "student" */
const char *rti_state_name(rti_state state); /* "pending", "running", "done", "failed" */

typedef struct rti_trial {
    rti_role role;
    bool tuning;                     /* serves a choice: its result says nothing about the test set */
    bool inner;                      /* a student that only teaches others: assistant, generation */
    int generation;                  /* born again: 1, 2, ...; else 0 */
    uint64_t seed;                   /* order, augmentation, dropout, and: */
    uint64_t initial_seed;           /* initial weights; differs from seed in generations only */
    char id[33];                     /* the identity: 32 hexadecimal digits; directory: the first 16 */
    rti_settings *settings;          /* owned by the plan, shared by trials */
    int dataset;                     /* index into the plan's data sets */
    int teacher_count;               /* trials it waits for: members of its teacher, in order */
    int teachers[RTI_TEACHERS_MAX];
    /* Whose answers its own are compared with, on test data: the [teacher]'s members. Mostly the same as
     * `teachers`; not so for assistants' students, generations, and rows with a teacher of their own. */
    int reference_count;
    int references[RTI_TEACHERS_MAX];
    /* Content of the files of [teacher] logits, when it learns from them, and when its answers are compared
     * with them (test_logits); else "". */
    char answers[33], reference_answers[33];
    rt_model_cost cost;              /* of its network */
    const struct rti_plan *from;     /* of a joint plan: the one that knows its name, borrowed; else NULL */
    int number_there;
} rti_trial;

/* One point of the grid: values of all axes. Its trials, one per seed, may be shared with other
 * cells (alpha = 0 at every temperature is the same trial as scratch). */
typedef struct rti_cell {
    int row;                         /* of a comparison; -1: scratch, or the plan is no comparison */
    int value[RTI_AXES_MAX];         /* index into each axis' values (the row's axes) */
    int *trials;                     /* (seed_count) trial numbers */
    int *scratch;                    /* (seed_count) the paired student trained on labels alone; -1: none */
    int facet;                       /* cells that differ in temperature and alpha only share one */
} rti_cell;

/* One point of a row's grid. */
typedef struct rti_point {
    int value[RTI_AXES_MAX];         /* index into the values of each of the row's axes */
    int *tuning;                     /* (tune_seed_count) trials that score it; NULL: not tuned; owned */
    int cell;                        /* with all seeds; -1: not chosen, or not chosen yet */
    int scored, failed;              /* trials of `tuning` that are done; that failed */
    double validation;               /* mean accuracy of those done; NaN: none yet */
} rti_point;

/* A row of a comparison. In a tuned row with more than one point the points are scored first, and only
 * the chosen one becomes a cell; otherwise every point is a cell. */
typedef struct rti_row {
    const rti_spec *spec;            /* label, axes, base settings; borrowed from plan->spec */
    char reason[512];                /* why it is left out: undefined for this pair; "": it is not */
    bool tuned;
    int point_count;
    rti_point *points;
    int chosen;                      /* a point; -1: not known (yet) */
} rti_row;

typedef struct rti_plan {
    rti_spec spec;
    char directory[4096];            /* runs/<name>: of the report */
    char trials_directory[4096];     /* runs/<trials>: of the trials and the cache, the same unless said */
    int trial_count;                 /* teachers, tuning, scratch, distilled; each after its teachers */
    rti_trial *trials;
    int cell_count;
    rti_cell *cells;
    int facet_count;
    int temperature_axis, alpha_axis; /* -1 when not swept */
    int row_count;                   /* of a comparison, else 0; cell 0 is scratch then */
    rti_row *rows;
    int undecided;                   /* rows whose choice waits for tuning: plan again when that is done */
    int dataset_count;
    rt_dataset **datasets;           /* owned */
    int settings_count;
    rti_settings **settings;         /* owned */
} rti_plan;

/* Takes `spec` (it is empty afterwards, also on failure), opens the data it names (`data_directory`
 * as in rt_dataset_open) and lays out trials and cells below runs/<name>. Touches no file there.
 * On failure *plan is empty. RT_SPEC, RT_MEMORY, and what rt_dataset_open says. */
rt_status rti_plan_make(rti_plan *plan, rti_spec *spec, const char *runs, const char *data_directory,
                        rt_error *error) RT_MUST_CHECK;
void rti_plan_deinit(rti_plan *plan);

/* The trials of several plans that have one trials_directory, each once, in the plans' order: enough to train
 * them all (rti_run), with no cells and no rows. It borrows the rest, so the plans outlive it, and it ends
 * with rti_plan_part. RT_MEMORY; then *joint is empty. */
rt_status rti_plan_join(rti_plan *joint, rti_plan *const plans[], int count,
                        rt_error *error) RT_MUST_CHECK;
void rti_plan_part(rti_plan *joint);

/* The same plan again, with what has become known since: tuning that ended decides which points are
 * trained with all seeds. On failure *plan is empty. */
rt_status rti_plan_remake(rti_plan *plan, const char *runs, const char *data_directory,
                          rt_error *error) RT_MUST_CHECK;

/* "temperature 4, weight 300" of a row's point: "" for a row without a grid. Returns out. */
const char *rti_point_label(const rti_plan *plan, int row, int point, char *out, size_t size);

/* runs/<trials>/<first 16 digits of id> into out (size RTI_PATH_MAX). */
void rti_trial_directory(const rti_plan *plan, int trial, char *out, size_t size);

/* "teacher, seed 1000", "scratch [30, 30], seed 2", "student T 4, alpha 0.9, seed 1": what tells this
 * trial from the others of its plan. Returns out. */
const char *rti_trial_label(const rti_plan *plan, int trial, char *out, size_t size);

/* What a trial is for: the row of a comparison (-1: the scratch students of all rows), else the facet. */
int rti_trial_subject(const rti_plan *plan, int trial);

/* The table that holds the trial's network and training rows: settings->teacher or ->student. */
const rt_params *rti_trial_network(const rti_trial *trial);

/* How many epochs it trains: fewer than its schedule has when a teacher stops early, none when it comes
 * from a file. */
int64_t rti_trial_epochs(const rti_trial *trial);

/* The file that a teacher comes from, or NULL. */
const char *rti_trial_weights(const rti_trial *trial);

/* Are `references` others than `teachers`? */
bool rti_has_own_references(const rti_trial *trial);

/* Is `trial` the trial `root`, or one that root waits for, directly or not? */
bool rti_trial_needs(const rti_plan *plan, int root, int trial);

/* The rows of [teacher] that the references stand in: the trial's own, in a comparison those of all rows. */
const rt_params *rti_reference_rows(const rti_plan *plan, int trial);

/* How the answers of trial->references are combined: "logits", ... */
const char *rti_reference_combine(const rti_plan *plan, int trial);

/* The part the trial trains on: all of the training set for a teacher, the transfer set for a student. */
const rt_part *rti_trial_part(const rti_plan *plan, int trial);

/* Untrained network of a trial, for its data: for loading weights into. Freed with rt_model_free. */
rt_model *rti_trial_model(const rti_plan *plan, int trial, rt_error *error) RT_MUST_CHECK;

/* ---- records: what a finished trial says ---- */

typedef struct rti_epoch_row {
    int64_t epoch;                   /* 1, 2, ... */
    double loss, train_accuracy, validation_accuracy, validation_nll, lr; /* NaN: not measured */
    double unseen_accuracy;          /* of classes the student never sees; NaN: there are none */
} rti_epoch_row;

/* A term of the loss: means over the epochs of the last stage (metrics.h). */
typedef struct rti_record_term {
    char name[32];                   /* "ce", "kd" */
    double value;                    /* without its weight */
    double gradient, logit_gradient; /* lengths of the weighted gradient; NaN: not measured */
    double gradient_first, gradient_middle; /* the same over the parameters, in two epochs of that stage */
} rti_record_term;

typedef struct rti_record {
    rti_state state;
    char failure[512];               /* why, when FAILED */
    int64_t epochs, best_epoch;      /* best: highest validation accuracy, the earliest of equals */
    rt_quality validation_last, validation_best, test_last, test_best;
    rt_model_cost cost;
    int64_t extra_parameters;        /* of the method's adapters: trained with the student, no part of it */
    int term_count;
    rti_record_term term[RT_TERMS_MAX];
    double seconds;                  /* training, all sessions together; its share of a group's time */
    double latency_us, latency_low_us, latency_high_us; /* one example, one thread: median, quartiles */
    double latency_1000_us, latency_1000_low_us, latency_1000_high_us; /* 1000 examples at once */
    double peak_megabytes;
    int epoch_count;
    rti_epoch_row *rows;             /* the metrics table; owned, freed by rti_record_deinit */
} rti_record;

/* Reads the state of trial `t` from its directory; missing files mean PENDING. A file that cannot be
 * understood makes the record FAILED with the reason in `failure`. Without a validation set the
 * validation qualities have 0 examples and best is last. RT_MEMORY, RT_IO. */
rt_status rti_record_read(const rti_plan *plan, int trial, rti_record *record, rt_error *error) RT_MUST_CHECK;
void rti_record_deinit(rti_record *record);

/* The point of a comparison's row that its results stand for: of a tuned row row->chosen, of a row of one
 * point that one, else the one with the highest mean validation accuracy over the seeds in `records`
 * (trial_count; the first of equals; points whose seeds are not all done do not count). -1: none yet. */
int rti_row_chosen(const rti_plan *plan, int row, const rti_record *records);

#endif
