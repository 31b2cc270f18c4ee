/* plan_builder.h - what the files that make a plan share.              Floor 8 (experiment)
 *
 *   identity.c   data sets, the identity of a trial, trials without duplicates
 *   chain.c      one student's way: its teachers, assistants, earlier generations
 *   choose.c     what tuning has decided
 *   plan.c       cells, rows, order */
#ifndef RTI_PLAN_BUILDER_H
#define RTI_PLAN_BUILDER_H

#include "core/hash.h"
#include "experiment/spec.h"

typedef struct rti_known_data {
    char *text;                            /* canonical rows */
    char teacher[RTI_HASH_TEXT], student[RTI_HASH_TEXT];
} rti_known_data;

typedef struct rti_known_weights {
    char network[RTI_HASH_TEXT], path[RT_PARAM_TEXT_MAX], hash[RTI_HASH_TEXT];
} rti_known_weights;

#define RTI_WEIGHTS_MAX 16 /* more are read again each time */

typedef struct rti_known_network {
    char id[RTI_HASH_TEXT];
    rt_model_cost cost;
} rti_known_network;

typedef struct rti_known_answers {
    char logits[RT_PARAM_TEXT_MAX], test_logits[RT_PARAM_TEXT_MAX], form[16];
    int dataset;
    char hash[RTI_HASH_TEXT];
} rti_known_answers;

#define RTI_NETWORKS_MAX 512 /* more are checked again each time */

typedef struct rti_builder {
    rti_plan *plan;
    const char *data_directory;
    rti_known_data *data; /* one for each of the plan's data sets */
    int network_count;
    rti_known_network networks[RTI_NETWORKS_MAX];
    int weights_count;    /* files that teachers come from */
    rti_known_weights weights[RTI_WEIGHTS_MAX];
    int answers_count;    /* files of answers */
    rti_known_answers answers[RTI_WEIGHTS_MAX];
    int pair_count;       /* pairs of networks and a method that go together */
    char pairs[RTI_NETWORKS_MAX][RTI_HASH_TEXT];
    int trial_capacity;
    bool is_shared;       /* a comparison: all its rows are measured against these */
    int reference_count;
    int references[RTI_TEACHERS_MAX];
    char reference_answers[RTI_HASH_TEXT];
} rti_builder;

/* ---- identity.c ---- */

/* The number of the data set that these rows name, opened when it is new. */
rt_status rti_builder_data(rti_builder *b, const rt_params *rows, int *number, rt_error *error) RT_MUST_CHECK;
/* The number of the trial with the identity of `trial`, which is added when it is new. The network of a
 * new one is tried. */
rt_status rti_builder_trial(rti_builder *b, rti_trial *trial, int *number, rt_error *error) RT_MUST_CHECK;
/* The content of the answers that [teacher] `rows` name, checked against the set. RT_SHAPE, RT_VALUE, ... with
 * the spec's name. */
rt_status rti_builder_answers(rti_builder *b, const rt_params *rows, int dataset, char hash[RTI_HASH_TEXT],
                              rt_error *error) RT_MUST_CHECK;
/* A copy that the plan owns. */
rt_status rti_builder_keep(rti_plan *plan, const rti_settings *settings, rti_settings **kept,
                           rt_error *error) RT_MUST_CHECK;
/* Untrained; rows: of a [teacher], [student] or [assistant.N]. Freed with rt_model_free. */
rt_model *rti_builder_model(const rt_params *rows, const rt_dataset *set, uint64_t seed,
                            rt_error *error) RT_MUST_CHECK;

/* ---- chain.c ---- */

/* What the students of one point have in common: everything but the seed. */
typedef struct rti_lesson {
    const rti_spec *spec;
    const int *value;              /* the point, to resolve assistants */
    rti_settings *own;             /* kept by the plan */
    rti_settings *labels;          /* the same, learning from the labels alone */
    bool labels_are_new;           /* some trial uses them */
    int dataset;
    bool tuning, labels_only;
    int teacher_count, teachers[RTI_TEACHERS_MAX];
    int reference_count, references[RTI_TEACHERS_MAX];
    char answers[RTI_HASH_TEXT];   /* of the file that teaches; "": networks do */
    char reference_answers[RTI_HASH_TEXT];
    bool taught_by_reference;      /* teachers are members of [teacher]; else an assistant */
} rti_lesson;

/* Is the method defined for these networks? RT_UNSUPPORTED with the reason; other failures are mistakes in
 * the spec and say where. Adds no trial. */
rt_status rti_lesson_check(rti_builder *b, const rti_spec *spec, const int value[],
                           const rti_settings *settings, rt_error *error) RT_MUST_CHECK;
/* Adds the teachers and assistants. `settings` are copied; tune_epochs > 0: for tuning, so long. */
rt_status rti_lesson_begin(rti_builder *b, rti_lesson *lesson, const rti_spec *spec, const int value[],
                           const rti_settings *settings, int64_t tune_epochs, rt_error *error) RT_MUST_CHECK;
rt_status rti_lesson_scratch(rti_builder *b, rti_lesson *lesson, uint64_t seed, int *number,
                             rt_error *error) RT_MUST_CHECK;
/* `scratch`: the number of the student of the labels with the same seed; -1: added when it is needed. */
rt_status rti_lesson_student(rti_builder *b, rti_lesson *lesson, uint64_t seed, int scratch, int *number,
                             rt_error *error) RT_MUST_CHECK;
/* Gives back what nobody uses. */
void rti_lesson_end(rti_builder *b, rti_lesson *lesson);

/* ---- choose.c ---- */

/* Reads what the tuning trials of a row have said so far, and chooses when all have. */
rt_status rti_row_decide(rti_plan *plan, int row, rt_error *error) RT_MUST_CHECK;

#endif
