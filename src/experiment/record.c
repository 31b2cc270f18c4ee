/* record.c - what a trial's directory says.                            Floor 8 (experiment)
 *
 * Files are read as if a stranger had written them: whatever does not fit makes the record FAILED
 * with a sentence that names the file, and the others are read all the same. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "experiment/lock.h"
#include "experiment/trial.h"
#include "formats/csv.h"
#include "formats/json.h"
#include "retort/alloc.h"

#define JSON_LIMIT ((size_t)1 << 20)
#define TABLE_LIMIT ((size_t)256 << 20)

void rti_record_deinit(rti_record *record) {
    rt_free(record->rows);
    memset(record, 0, sizeof *record);
}

static void forget_cost(rti_record *record) {
    record->seconds = record->peak_megabytes = NAN;
    record->latency_us = record->latency_low_us = record->latency_high_us = NAN;
    record->latency_1000_us = record->latency_1000_low_us = record->latency_1000_high_us = NAN;
}

static void spoilt(rti_record *record, const char *path, const char *what) {
    record->state = RTI_FAILED;
    snprintf(record->failure, sizeof record->failure, "%.380s: %s; remove the file and run again", path,
             what);
}

/* Reads and parses; RT_NOT_FOUND when there is no such file. */
static rt_status read_json(const char *directory, const char *name, rti_json_document *document, char *path,
                           rt_error *error) {
    RT_TRY(rti_path_join(path, RTI_PATH_MAX, directory, name, error));
    rti_bytes bytes;
    RT_TRY(rti_file_read(path, JSON_LIMIT, &bytes, error));
    rt_status status = rti_json_parse(document, (const char *)bytes.data, bytes.count, path, error);
    rt_free(bytes.data);
    return status;
}

static bool whole(double x, double max) { return x >= 0 && x <= max && x == floor(x); }

/* False when a member is missing or impossible. Nothing at all (null) is a part without examples. */
static bool read_quality(const rti_json *object, const char *key, rt_quality *q) {
    memset(q, 0, sizeof *q);
    const rti_json *json = rti_json_get(object, key);
    if (!json) return false;
    if (json->type == RTI_JSON_NULL) return true;
    double examples = rti_json_number(json, "examples", -1), errors = rti_json_number(json, "errors", -1);
    if (!whole(examples, 9e15) || !whole(errors, examples)) return false;
    q->examples = (int64_t)examples;
    q->errors = (int64_t)errors;
    q->accuracy = rti_json_number(json, "accuracy", NAN);
    q->nll = rti_json_number(json, "nll", NAN);
    q->brier = rti_json_number(json, "brier", NAN);
    q->ece = rti_json_number(json, "ece", NAN);
    q->agreement = rti_json_number(json, "agreement", NAN);
    q->teacher_kl = rti_json_number(json, "teacher_kl", NAN);
    q->has_teacher = !isnan(q->agreement);
    if (!q->has_teacher) q->agreement = q->teacher_kl = 0;
    return q->accuracy >= 0 && q->accuracy <= 1;
}

static bool read_result(const rti_json *root, const char *id, rti_record *record) {
    if (strcmp(rti_json_string(root, "id", ""), id)) return false;
    double epochs = rti_json_number(root, "epochs", -1), best = rti_json_number(root, "best_epoch", -1);
    if (!whole(epochs, 1e9) || !whole(best, epochs)) return false;
    record->epochs = (int64_t)epochs;
    record->best_epoch = (int64_t)best;
    const rti_json *cost = rti_json_get(root, "cost");
    double parameters = rti_json_number(cost, "parameters", -1), bytes = rti_json_number(cost, "bytes", -1);
    double products = rti_json_number(cost, "multiply_adds", -1);
    if (!cost || !whole(parameters, 9e15) || !whole(bytes, 9e15) || !whole(products, 9e15)) return false;
    record->cost = (rt_model_cost){(int64_t)parameters, (int64_t)products, (int64_t)bytes};
    double extra = rti_json_number(cost, "extra_parameters", 0);
    record->extra_parameters = whole(extra, 9e15) ? (int64_t)extra : 0;
    return read_quality(root, "validation_last", &record->validation_last) &&
           read_quality(root, "validation_best", &record->validation_best) &&
           read_quality(root, "test_last", &record->test_last) &&
           read_quality(root, "test_best", &record->test_best);
}

static double cell_number(const rti_csv *csv, int64_t row, int column) {
    double value;
    return column >= 0 && rti_csv_number(rti_csv_field(csv, row, column), &value) ? value : NAN;
}

/* Mean of a column over the epochs of the last stage; NaN when it has no number there. */
static double mean_of(const rti_csv *csv, int column, int stage) {
    double sum = 0, count = 0, last = cell_number(csv, csv->rows - 1, stage);
    for (int64_t row = 1; row < csv->rows; row++) {
        double value = cell_number(csv, row, column);
        if (isnan(value) || (stage >= 0 && cell_number(csv, row, stage) != last)) continue;
        sum += value;
        count++;
    }
    return count > 0 ? sum / count : NAN;
}

/* The first number of a column in the last stage, and the one in the middle of that stage: of n epochs number
 * (n + 1) / 2. */
static void first_and_middle(const rti_csv *csv, int column, int stage, double *first, double *middle) {
    int64_t begin = 1, end = csv->rows;
    double last = cell_number(csv, csv->rows - 1, stage);
    while (stage >= 0 && begin < end && cell_number(csv, begin, stage) != last) begin++;
    *first = begin < end ? cell_number(csv, begin, column) : NAN;
    *middle = begin < end ? cell_number(csv, begin + (end - begin + 1) / 2 - 1, column) : NAN;
}

/* "term_kd", "gradient_kd", "logit_gradient_kd" */
static void read_terms(const rti_csv *csv, rti_record *record) {
    int stage = rti_csv_column(csv, "stage");
    for (int column = 0; column < csv->columns && record->term_count < RT_TERMS_MAX; column++) {
        const char *name = rti_csv_field(csv, 0, column);
        if (strncmp(name, "term_", 5) != 0) continue;
        rti_record_term *term = &record->term[record->term_count];
        char other[64];
        snprintf(term->name, sizeof term->name, "%.31s", name + 5);
        term->value = mean_of(csv, column, stage);
        snprintf(other, sizeof other, "gradient_%s", term->name);
        term->gradient = mean_of(csv, rti_csv_column(csv, other), stage);
        first_and_middle(csv, rti_csv_column(csv, other), stage, &term->gradient_first,
                         &term->gradient_middle);
        snprintf(other, sizeof other, "logit_gradient_%s", term->name);
        term->logit_gradient = mean_of(csv, rti_csv_column(csv, other), stage);
        record->term_count += !isnan(term->value);
    }
}

static rt_status read_rows(const char *path, rti_record *record, rt_error *error) {
    rti_csv csv;
    rt_error inner = {0};
    rti_bytes bytes;
    rt_status status = rti_file_read(path, TABLE_LIMIT, &bytes, &inner);
    if (status == RT_OK) {
        /* While a trial runs its last line may be half written. */
        while (bytes.count && bytes.data[bytes.count - 1] != '\n') bytes.data[--bytes.count] = 0;
        status = rti_csv_parse(&csv, (const char *)bytes.data, bytes.count, ',', path, &inner);
        rt_free(bytes.data);
    }
    if (status == RT_MEMORY) return rt_fail(error, RT_MEMORY, "%s", inner.message);
    if (status != RT_OK) {
        if (record->state == RTI_DONE) spoilt(record, path, "cannot be understood");
        return RT_OK;
    }
    static const char *const names[] = {"epoch",          "loss", "train_accuracy", "validation_accuracy",
                                        "validation_nll", "lr",   "unseen_accuracy"};
    int column[7];
    for (int i = 0; i < 7; i++) column[i] = rti_csv_column(&csv, names[i]);
    int64_t count = csv.rows > 1 ? csv.rows - 1 : 0;
    record->rows = rt_alloc_zero((size_t)count, sizeof *record->rows);
    for (int64_t i = 0; record->rows && i < count; i++) {
        double v[7];
        for (int j = 0; j < 7; j++) v[j] = cell_number(&csv, i + 1, column[j]);
        record->rows[i] = (rti_epoch_row){
            whole(v[0], 1e9) ? (int64_t)v[0] : i + 1, v[1], v[2], v[3], v[4], v[5], v[6]};
    }
    record->epoch_count = record->rows ? (int)count : 0;
    if (csv.rows > 1) read_terms(&csv, record);
    rti_csv_deinit(&csv);
    return record->rows ? RT_OK : rt_fail(error, RT_MEMORY, "%s: no memory for its rows", path);
}

static rt_status read_done(const char *directory, const char *id, rti_record *record, rt_error *error) {
    char path[RTI_PATH_MAX];
    rti_json_document document;
    rt_error inner = {0};
    rt_status status = read_json(directory, "result.json", &document, path, &inner);
    if (status == RT_NOT_FOUND) return status;
    if (status == RT_MEMORY || status == RT_VALUE) return rt_fail(error, status, "%s", inner.message);
    record->state = RTI_DONE;
    if (status != RT_OK) {
        spoilt(record, path, "cannot be understood");
        return RT_OK;
    }
    if (!read_result(&document.root, id, record)) spoilt(record, path, "is not the result of this trial");
    rti_json_deinit(&document);
    if (record->state != RTI_DONE) return RT_OK;

    status = read_json(directory, "cost.json", &document, path, &inner);
    if (status == RT_MEMORY) return rt_fail(error, status, "%s", inner.message);
    forget_cost(record);
    if (status == RT_OK) {
        record->seconds = rti_json_number(&document.root, "seconds", NAN);
        record->latency_us = rti_json_number(&document.root, "latency_us", NAN);
        record->latency_low_us = rti_json_number(&document.root, "latency_low_us", NAN);
        record->latency_high_us = rti_json_number(&document.root, "latency_high_us", NAN);
        record->latency_1000_us = rti_json_number(&document.root, "latency_1000_us", NAN);
        record->latency_1000_low_us = rti_json_number(&document.root, "latency_1000_low_us", NAN);
        record->latency_1000_high_us = rti_json_number(&document.root, "latency_1000_high_us", NAN);
        record->peak_megabytes = rti_json_number(&document.root, "peak_megabytes", NAN);
        rti_json_deinit(&document);
    }
    RT_TRY(rti_path_join(path, sizeof path, directory, "metrics.csv", error));
    return read_rows(path, record, error);
}

static rt_status read_failed(const char *directory, rti_record *record, rt_error *error) {
    char path[RTI_PATH_MAX];
    rti_json_document document;
    rt_error inner = {0};
    rt_status status = read_json(directory, "failed.json", &document, path, &inner);
    if (status == RT_NOT_FOUND) return status;
    if (status == RT_MEMORY || status == RT_VALUE) return rt_fail(error, status, "%s", inner.message);
    record->state = RTI_FAILED;
    snprintf(record->failure, sizeof record->failure, "failed, and %.400s says not why", path);
    if (status == RT_OK) {
        snprintf(record->failure, sizeof record->failure, "%s",
                 rti_json_string(&document.root, "message", "failed for an unknown reason"));
        rti_json_deinit(&document);
    }
    RT_TRY(rti_path_join(path, sizeof path, directory, "progress.csv", error));
    return rti_file_exists(path) ? read_rows(path, record, error) : RT_OK;
}

rt_status rti_record_read(const rti_plan *plan, int trial, rti_record *record, rt_error *error) {
    memset(record, 0, sizeof *record);
    forget_cost(record);
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX];
    rti_trial_directory(plan, trial, directory, sizeof directory);
    rt_status status = read_done(directory, plan->trials[trial].id, record, error);
    if (status == RT_NOT_FOUND) {
        rti_lock_owner owner;
        rti_lock_look(directory, &owner);
        status = owner.held ? RT_NOT_FOUND : read_failed(directory, record, error);
        if (status == RT_NOT_FOUND) {
            record->state = owner.held ? RTI_RUNNING : RTI_PENDING;
            status = rti_path_join(path, sizeof path, directory, "progress.csv", error);
            if (status == RT_OK && rti_file_exists(path)) status = read_rows(path, record, error);
        }
    }
    if (status != RT_OK) rti_record_deinit(record);
    return status;
}

rti_state rti_trial_state(const rti_plan *plan, int trial) {
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX];
    rti_lock_owner owner;
    rti_trial_directory(plan, trial, directory, sizeof directory);
    if (rti_path_join(path, sizeof path, directory, "result.json", NULL) != RT_OK) return RTI_PENDING;
    if (rti_file_exists(path)) return RTI_DONE;
    rti_lock_look(directory, &owner);
    if (owner.held) return RTI_RUNNING;
    if (rti_path_join(path, sizeof path, directory, "failed.json", NULL) != RT_OK) return RTI_PENDING;
    return rti_file_exists(path) ? RTI_FAILED : RTI_PENDING;
}
