/* plan.c - from a spec to trials and cells.                            Floor 8 (experiment)
 *
 * Cells ask for trials; what a trial is, and that no two are the same, is the business of identity.c and
 * chain.c. So a teacher is the same trial for the whole sweep, a student with alpha = 0 is the scratch
 * student, and adding a value to an axis leaves every finished trial finished.
 *
 * Students wait for their teacher even when they learn from labels alone, because their agreement
 * with it is part of the result.
 *
 * The plan of a comparison holds what is known when it is made: the scratch students (cell 0), the trials
 * that tune, and the cells of the rows that are decided. When tuning is done it is made again. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "experiment/plan_builder.h"
#include "retort/alloc.h"

const char *rti_role_name(rti_role role) {
    return role == RTI_TEACHER ? "teacher" : role == RTI_SCRATCH ? "scratch" : "student";
}

const char *rti_state_name(rti_state state) {
    static const char *const names[] = {"pending", "running", "done", "failed"};
    return names[state];
}

const rt_params *rti_trial_network(const rti_trial *trial) {
    return trial->role == RTI_TEACHER ? &trial->settings->teacher : &trial->settings->student;
}

const char *rti_trial_weights(const rti_trial *trial) {
    const char *path = trial->role == RTI_TEACHER ? rt_params_text(&trial->settings->teacher, "weights") : "";
    return path[0] ? path : NULL;
}

int64_t rti_trial_epochs(const rti_trial *trial) {
    const rt_params *rows = rti_trial_network(trial);
    if (rti_trial_weights(trial)) return 0;
    int64_t stop = trial->role == RTI_TEACHER ? rt_params_int(rows, "stop_epoch") : 0;
    return stop ? stop : rt_params_int(rows, "epochs");
}

bool rti_trial_needs(const rti_plan *plan, int root, int trial) {
    const rti_trial *t = &plan->trials[root];
    if (root == trial) return true;
    for (int i = 0; i < t->teacher_count; i++)
        if (rti_trial_needs(plan, t->teachers[i], trial)) return true;
    for (int i = 0; i < t->reference_count; i++)
        if (rti_trial_needs(plan, t->references[i], trial)) return true;
    return false;
}

const rt_part *rti_trial_part(const rti_plan *plan, int trial) {
    const rti_trial *t = &plan->trials[trial];
    return rt_dataset_part(plan->datasets[t->dataset],
                           t->role == RTI_TEACHER ? RT_PART_TRAIN : RT_PART_TRANSFER);
}

void rti_trial_directory(const rti_plan *plan, int trial, char *out, size_t size) {
    snprintf(out, size, "%s/%.16s", plan->trials_directory, plan->trials[trial].id);
}

static rt_status no_memory(rt_error *error) { return rt_fail(error, RT_MEMORY, "no memory for the plan"); }

/* ---- cells ---- */

static int facet_of(const rti_plan *plan, const rti_cell *cell, int count) {
    for (int c = 0; c < count; c++) {
        bool same = true;
        for (int a = 0; a < plan->spec.axis_count; a++)
            if (a != plan->temperature_axis && a != plan->alpha_axis &&
                plan->cells[c].value[a] != cell->value[a])
                same = false;
        if (same) return plan->cells[c].facet;
    }
    return -1;
}

/* An empty cell, with room for its trials. NULL without memory. */
static rti_cell *new_cell(rti_plan *plan) {
    rti_cell *cell = &plan->cells[plan->cell_count];
    size_t seeds = (size_t)plan->spec.seed_count;
    *cell = (rti_cell){.row = -1};
    cell->trials = rt_alloc_zero(2 * seeds, sizeof *cell->trials);
    if (!cell->trials) return NULL;
    cell->scratch = cell->trials + seeds;
    plan->cell_count++;
    return cell;
}

static void read_point(const rti_spec *spec, int64_t point, int value[RTI_AXES_MAX]) {
    for (int a = spec->axis_count - 1; a >= 0; a--) {
        value[a] = (int)(point % spec->axes[a].count);
        point /= spec->axes[a].count;
    }
}

static int count_points(const rti_spec *spec) {
    int points = 1; /* the spec's check has an upper bound */
    for (int a = 0; a < spec->axis_count; a++) points *= spec->axes[a].count;
    return points;
}

static rt_status fill_cell(rti_builder *b, rti_cell *cell, const rti_settings *settings, rt_error *error) {
    rti_plan *plan = b->plan;
    rti_lesson lesson;
    rt_error inner = {0};
    rt_status status = rti_lesson_check(b, &plan->spec, cell->value, settings, &inner);
    if (status == RT_UNSUPPORTED)
        return rt_fail(error, status, "%s: [distill] %s", plan->spec.path, inner.message);
    if (status != RT_OK) {
        if (error) *error = inner;
        return status;
    }
    RT_TRY(rti_lesson_begin(b, &lesson, &plan->spec, cell->value, settings, 0, error));
    bool compared = rt_params_bool(&settings->distill, "scratch");
    for (int s = 0; s < plan->spec.seed_count; s++) {
        cell->scratch[s] = -1;
        if (compared) RT_TRY(rti_lesson_scratch(b, &lesson, plan->spec.seeds[s], &cell->scratch[s], error));
    }
    for (int s = 0; s < plan->spec.seed_count; s++)
        RT_TRY(rti_lesson_student(b, &lesson, plan->spec.seeds[s], cell->scratch[s], &cell->trials[s],
                                  error));
    rti_lesson_end(b, &lesson);
    return RT_OK;
}

static rt_status make_grid(rti_builder *b, rti_settings *settings, rt_error *error) {
    rti_plan *plan = b->plan;
    int cells = count_points(&plan->spec);
    plan->temperature_axis = rti_spec_axis(&plan->spec, "distill.temperature");
    plan->alpha_axis = rti_spec_axis(&plan->spec, "distill.alpha");
    plan->cells = rt_alloc_zero((size_t)cells, sizeof *plan->cells);
    if (!plan->cells) return no_memory(error);
    for (int c = 0; c < cells; c++) {
        rti_cell *cell = new_cell(plan);
        if (!cell) return no_memory(error);
        read_point(&plan->spec, c, cell->value);
        cell->facet = facet_of(plan, cell, c);
        if (cell->facet < 0) cell->facet = plan->facet_count++;
        RT_TRY(rti_spec_resolve(&plan->spec, cell->value, settings, error));
        RT_TRY(fill_cell(b, cell, settings, error));
    }
    return RT_OK;
}

/* ---- the rows of a comparison ---- */

/* Cell 0: the students that all rows are compared with. Its teacher is the one all are measured against. */
static rt_status make_scratch(rti_builder *b, rt_error *error) {
    rti_plan *plan = b->plan;
    static const int none[RTI_AXES_MAX];
    rti_lesson lesson;
    rti_cell *cell = new_cell(plan);
    if (!cell) return no_memory(error);
    RT_TRY(rti_lesson_begin(b, &lesson, &plan->spec, none, &plan->spec.base, 0, error));
    b->reference_count = lesson.reference_count = lesson.teacher_count;
    memcpy(b->references, lesson.teachers, sizeof b->references);
    memcpy(lesson.references, lesson.teachers, sizeof lesson.references);
    if (rti_settings_stored(lesson.own) && rt_params_text(&lesson.own->teacher, "test_logits")[0]) {
        memcpy(b->reference_answers, lesson.answers, sizeof b->reference_answers);
        memcpy(lesson.reference_answers, lesson.answers, sizeof lesson.reference_answers);
    }
    for (int s = 0; s < plan->spec.seed_count; s++) {
        RT_TRY(rti_lesson_scratch(b, &lesson, plan->spec.seeds[s], &cell->scratch[s], error));
        cell->trials[s] = cell->scratch[s];
    }
    rti_lesson_end(b, &lesson);
    return RT_OK;
}

/* RT_UNSUPPORTED when the row's method is not defined for this pair. Adds nothing to the plan. */
static rt_status check_row(rti_builder *b, rti_row *row, rti_settings *settings, rt_error *error) {
    for (int p = 0; p < row->point_count; p++) {
        read_point(row->spec, p, row->points[p].value);
        RT_TRY(rti_spec_resolve(row->spec, row->points[p].value, settings, error));
        RT_TRY(rti_lesson_check(b, row->spec, row->points[p].value, settings, error));
    }
    if (row->point_count == 1) return RT_OK;
    int dataset;
    RT_TRY(rti_builder_data(b, &settings->data, &dataset, error));
    if (rt_dataset_part(b->plan->datasets[dataset], RT_PART_VALIDATION)->count) return RT_OK;
    return rt_fail(error, RT_SPEC,
                   "%s: [compare.%s] has a grid, and a point of it is chosen on validation: [data] "
                   "validation must not be 0",
                   row->spec->path, row->spec->label);
}

static rt_status tune_point(rti_builder *b, rti_row *row, rti_point *point, const rti_settings *settings,
                            rt_error *error) {
    const rti_spec *spec = &b->plan->spec;
    int64_t epochs = spec->tune_epochs ? spec->tune_epochs : rt_params_int(&settings->student, "epochs");
    rti_lesson lesson;
    point->tuning = rt_alloc_zero((size_t)spec->tune_seed_count, sizeof *point->tuning);
    if (!point->tuning) return no_memory(error);
    RT_TRY(rti_lesson_begin(b, &lesson, row->spec, point->value, settings, epochs, error));
    for (int s = 0; s < spec->tune_seed_count; s++)
        RT_TRY(rti_lesson_student(b, &lesson, spec->tune_seeds[s], -1, &point->tuning[s], error));
    rti_lesson_end(b, &lesson);
    return RT_OK;
}

static rt_status train_point(rti_builder *b, int number, rti_point *point, const rti_settings *settings,
                             rt_error *error) {
    rti_plan *plan = b->plan;
    rti_lesson lesson;
    point->cell = plan->cell_count;
    rti_cell *cell = new_cell(plan);
    if (!cell) return no_memory(error);
    cell->row = number;
    memcpy(cell->value, point->value, sizeof cell->value);
    memcpy(cell->scratch, plan->cells[0].scratch, (size_t)plan->spec.seed_count * sizeof cell->scratch[0]);
    RT_TRY(rti_lesson_begin(b, &lesson, plan->rows[number].spec, point->value, settings, 0, error));
    for (int s = 0; s < plan->spec.seed_count; s++)
        RT_TRY(rti_lesson_student(b, &lesson, plan->spec.seeds[s], cell->scratch[s], &cell->trials[s],
                                  error));
    rti_lesson_end(b, &lesson);
    return RT_OK;
}

static rt_status make_row(rti_builder *b, int number, rti_settings *settings, rt_error *error) {
    rti_plan *plan = b->plan;
    rti_row *row = &plan->rows[number];
    rt_error inner = {0};
    rt_status status = check_row(b, row, settings, &inner);
    if (status == RT_UNSUPPORTED && !plan->spec.strict) {
        snprintf(row->reason, sizeof row->reason, "%s", inner.message);
        return RT_OK;
    }
    if (status == RT_UNSUPPORTED)
        return rt_fail(error, status, "%s: [compare.%s] %s", plan->spec.path, row->spec->label,
                       inner.message);
    if (status != RT_OK) {
        if (error) *error = inner;
        return status;
    }
    row->tuned = plan->spec.tuned && row->point_count > 1;
    for (int p = 0; row->tuned && p < row->point_count; p++) {
        RT_TRY(rti_spec_resolve(row->spec, row->points[p].value, settings, error));
        RT_TRY(tune_point(b, row, &row->points[p], settings, error));
    }
    if (row->tuned) RT_TRY(rti_row_decide(plan, number, error));
    if (row->tuned && row->chosen < 0 && !row->reason[0]) plan->undecided++;
    for (int p = 0; p < row->point_count; p++) {
        if (row->tuned && p != row->chosen) continue;
        RT_TRY(rti_spec_resolve(row->spec, row->points[p].value, settings, error));
        RT_TRY(train_point(b, number, &row->points[p], settings, error));
    }
    return RT_OK;
}

static rt_status make_comparison(rti_builder *b, rti_settings *settings, rt_error *error) {
    rti_plan *plan = b->plan;
    int cells = 1;
    plan->temperature_axis = plan->alpha_axis = -1;
    plan->facet_count = 1;
    b->is_shared = true;
    plan->rows = rt_alloc_zero((size_t)plan->spec.row_count, sizeof *plan->rows);
    if (!plan->rows) return no_memory(error);
    for (int r = 0; r < plan->spec.row_count; r++) {
        rti_row *row = &plan->rows[r];
        plan->row_count = r + 1;
        row->spec = &plan->spec.rows[r];
        row->chosen = -1;
        row->point_count = count_points(row->spec);
        row->points = rt_alloc_zero((size_t)row->point_count, sizeof *row->points);
        if (!row->points) return no_memory(error);
        for (int p = 0; p < row->point_count; p++) row->points[p].cell = -1;
        cells += row->point_count;
    }
    plan->cells = rt_alloc_zero((size_t)cells, sizeof *plan->cells);
    if (!plan->cells) return no_memory(error);
    RT_TRY(make_scratch(b, error));
    for (int r = 0; r < plan->row_count; r++) RT_TRY(make_row(b, r, settings, error));
    return RT_OK;
}

/* ---- order ---- */

/* Teachers first, then what decides, then scratch students, then the others: the order in which they are
 * started, each after those it needs. */
static int rank_of(const rti_trial *t) {
    return t->role == RTI_TEACHER ? 0 : t->tuning ? 1 : t->role == RTI_SCRATCH ? 2 : 3;
}

static void emit(const rti_plan *plan, int t, rti_trial *sorted, int *moved, int *place) {
    const rti_trial *trial = &plan->trials[t];
    if (moved[t] >= 0) return;
    for (int i = 0; i < trial->reference_count; i++) emit(plan, trial->references[i], sorted, moved, place);
    for (int i = 0; i < trial->teacher_count; i++) emit(plan, trial->teachers[i], sorted, moved, place);
    moved[t] = *place;
    sorted[(*place)++] = *trial;
}

static void renumber(rti_plan *plan, const int *moved) {
    for (int t = 0; t < plan->trial_count; t++) {
        rti_trial *trial = &plan->trials[t];
        for (int i = 0; i < trial->teacher_count; i++) trial->teachers[i] = moved[trial->teachers[i]];
        for (int i = 0; i < trial->reference_count; i++) trial->references[i] = moved[trial->references[i]];
    }
    for (int c = 0; c < plan->cell_count; c++)
        for (int s = 0; s < 2 * plan->spec.seed_count; s++)
            if (plan->cells[c].trials[s] >= 0) plan->cells[c].trials[s] = moved[plan->cells[c].trials[s]];
    for (int r = 0; r < plan->row_count; r++)
        for (int p = 0; p < plan->rows[r].point_count; p++)
            for (int s = 0; plan->rows[r].points[p].tuning && s < plan->spec.tune_seed_count; s++) {
                int *number = &plan->rows[r].points[p].tuning[s];
                *number = moved[*number];
            }
}

static rt_status sort_trials(rti_plan *plan, rt_error *error) {
    size_t n = (size_t)plan->trial_count;
    rti_trial *sorted = rt_alloc(n * sizeof *sorted);
    int *moved = rt_alloc(n * sizeof *moved);
    if (!sorted || !moved) {
        rt_free(sorted);
        rt_free(moved);
        return no_memory(error);
    }
    int place = 0;
    for (size_t t = 0; t < n; t++) moved[t] = -1;
    for (int rank = 0; rank <= 3; rank++)
        for (int t = 0; t < plan->trial_count; t++)
            if (rank_of(&plan->trials[t]) == rank && !plan->trials[t].inner)
                emit(plan, t, sorted, moved, &place);
    for (int t = 0; t < plan->trial_count; t++) emit(plan, t, sorted, moved, &place);
    rt_free(plan->trials);
    plan->trials = sorted;
    renumber(plan, moved);
    rt_free(moved);
    return RT_OK;
}

/* ---- all ---- */

rt_status rti_plan_make(rti_plan *plan, rti_spec *spec, const char *runs, const char *data_directory,
                        rt_error *error) {
    memset(plan, 0, sizeof *plan);
    plan->spec = *spec;
    memset(spec, 0, sizeof *spec);
    rti_builder *b = rt_alloc_zero(1, sizeof *b);
    rti_settings *settings = rt_alloc(sizeof *settings);
    rt_error inner = {0};
    if (!b || !settings) {
        rt_free(b);
        rt_free(settings);
        rti_plan_deinit(plan);
        return no_memory(error);
    }
    rt_status status =
        rti_path_join(plan->directory, sizeof plan->directory, runs, plan->spec.name, &inner);
    if (status == RT_OK)
        status = rti_path_join(plan->trials_directory, sizeof plan->trials_directory, runs,
                               rti_spec_trials(&plan->spec), &inner);
    if (status == RT_OK) {
        b->plan = plan;
        b->data_directory = data_directory;
        status = plan->spec.is_comparison ? make_comparison(b, settings, &inner)
                                          : make_grid(b, settings, &inner);
    }
    if (status == RT_OK) status = sort_trials(plan, &inner);
    for (int i = 0; i < plan->dataset_count; i++) rt_free(b->data[i].text);
    rt_free(b->data);
    rt_free(b);
    rt_free(settings);
    if (status != RT_OK) {
        rti_plan_deinit(plan);
        if (error) *error = inner;
    }
    return status;
}

rt_status rti_plan_remake(rti_plan *plan, const char *runs, const char *data_directory, rt_error *error) {
    rti_spec *spec = rt_alloc(sizeof *spec);
    if (!spec) {
        rti_plan_deinit(plan);
        return no_memory(error);
    }
    *spec = plan->spec;
    memset(&plan->spec, 0, sizeof plan->spec);
    rti_plan_deinit(plan);
    rt_status status = rti_plan_make(plan, spec, runs, data_directory, error);
    rt_free(spec);
    return status;
}

void rti_plan_deinit(rti_plan *plan) {
    for (int c = 0; c < plan->cell_count; c++) rt_free(plan->cells[c].trials);
    for (int r = 0; r < plan->row_count; r++) {
        for (int p = 0; plan->rows[r].points && p < plan->rows[r].point_count; p++)
            rt_free(plan->rows[r].points[p].tuning);
        rt_free(plan->rows[r].points);
    }
    for (int i = 0; i < plan->settings_count; i++) rt_free(plan->settings[i]);
    for (int i = 0; i < plan->dataset_count; i++) rt_dataset_free(plan->datasets[i]);
    rt_free(plan->cells);
    rt_free(plan->rows);
    rt_free(plan->trials);
    rt_free(plan->settings);
    rt_free(plan->datasets);
    rti_spec_deinit(&plan->spec);
    memset(plan, 0, sizeof *plan);
}
