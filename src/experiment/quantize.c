/* quantize.c - see quantize.h.                                         Floor 8 (experiment) */
#include "experiment/quantize.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hash.h"
#include "deploy/trainable.h"
#include "experiment/checkpoint.h"
#include "experiment/experiment.h"
#include "formats/json.h"
#include "retort/alloc.h"
#include "retort/log.h"

#define RUNS 1001
#define LARGE_RUNS 51
#define LIMIT_S 1.0

typedef struct work {
    const rti_quantize_config *config;
    rti_quantize_result *result;
    const rt_part *train, *validation, *test;
    rt_input_form *form;
    rt_model *model, *student; /* as it was trained; as it is trained for int8 */
    rti_net *net;
    double *range;
    rt_distiller *distiller;
    char checkpoint[RTI_PATH_MAX], id[RTI_HASH_TEXT];
} work;

/* ---- measuring ---- */

static rt_status measure(const work *w, rti_quantized *out, rt_error *error) {
    rti_int8 *q = rti_int8_new(w->net, w->range, error);
    if (!q) return error ? error->status : RT_MEMORY;
    w->result->bytes = q->bytes;
    rt_status status = rti_int8_evaluate(q, w->validation, &out->validation_errors, NULL, error);
    if (status == RT_OK) status = rti_int8_evaluate(q, w->test, &out->errors, NULL, error);
    rti_int8_free(q);
    return status;
}

/* All of them one after another, so that they can be compared. */
static rt_status measure_speed(const work *w, rt_error *error) {
    const rti_quantize_config *c = w->config;
    rti_quantize_result *r = w->result;
    rti_int8 *q = rti_int8_new(w->net, w->range, error);
    if (!q) return error ? error->status : RT_MEMORY;
    r->time_int8.one = rti_latency_int8(q, w->test, 1, RUNS, LIMIT_S);
    r->time_int8.large = rti_latency_int8(q, w->test, RTI_QUANTIZE_LARGE, LARGE_RUNS, LIMIT_S);
    rti_int8_free(q);
    r->time_float.one = rti_latency_measure(&w->model, 1, w->test, 1, RUNS, LIMIT_S);
    r->time_float.large = rti_latency_measure(&w->model, 1, w->test, RTI_QUANTIZE_LARGE, LARGE_RUNS, LIMIT_S);
    if (!c->teacher_count) return RT_OK;
    r->time_teacher.one = rti_latency_measure(c->teachers, c->teacher_count, w->test, 1, RUNS, LIMIT_S);
    r->time_teacher.large = rti_latency_measure(c->teachers, c->teacher_count, w->test, RTI_QUANTIZE_LARGE,
                                                LARGE_RUNS, LIMIT_S);
    return RT_OK;
}

static rt_status measure_float(const work *w, rti_quantized *out, rt_error *error) {
    rt_quality quality = {0};
    out->validation_errors = 0;
    if (w->validation->count) {
        RT_TRY(rt_evaluate(w->model, NULL, w->validation, &quality, NULL, error));
        out->validation_errors = quality.errors;
    }
    RT_TRY(rt_evaluate(w->model, NULL, w->test, &quality, NULL, error));
    out->errors = quality.errors;
    return RT_OK;
}

/* ---- training ---- */

/* A checkpoint of another network, other epochs or another rate is none of ours. */
static void identify(work *w) {
    const rti_quantize_config *c = w->config;
    char text[512];
    rti_hash hash;
    snprintf(text, sizeof text, "%s %s %" PRId64 " %.17g %" PRId64 " %" PRIu64 " %s", w->net->fingerprint,
             c->method, c->epochs, c->lr, c->calibration, c->seed, rt_dataset_hash(c->set));
    rti_hash_init(&hash, 8);
    rti_hash_add_text(&hash, text);
    rti_hash_finish_text(&hash, w->id);
}

static rt_status make_distiller(work *w, const rt_params *training, rt_error *error) {
    const rti_quantize_config *c = w->config;
    const rt_distiller_config config = {
        .student = w->student,
        .teacher = c->teacher,
        .method = c->method,
        .options = c->options,
        .transfer = w->train,
        .transfer_hash = rt_dataset_hash(c->set),
        .batch = 100,
        .augment = rti_training_augment(training),
        .seed = c->seed,
        .epochs = c->epochs,
        .training = training,
        .prefix = "optimizer.",
        .cache_directory = c->cache_directory,
        .cache_go_on = c->go_on,
        .cache_context = c->context,
        .on_step = c->on_step,
        .on_step_context = c->context,
    };
    w->distiller = rt_distiller_new(&config, error);
    return w->distiller ? RT_OK : error->status;
}

static rt_status resume(const work *w, rt_error *error) {
    if (!w->config->directory) return RT_OK;
    rti_checkpoint found;
    rt_error inner = {0};
    rt_status status = rti_checkpoint_read(&found, w->checkpoint, w->id, 1, &inner);
    if (status == RT_OK)
        status = rt_distiller_restore(w->distiller, found.distiller, found.distiller_bytes, &inner);
    rti_checkpoint_deinit(&found);
    if (status == RT_MEMORY) return rt_fail(error, status, "%s", inner.message);
    if (status != RT_OK && status != RT_NOT_FOUND)
        rt_say(RT_LOG_WARNING, "%s; it starts again", inner.message);
    return RT_OK;
}

static rt_status save_checkpoint(const work *w, int64_t epochs, rt_error *error) {
    if (!w->config->directory) return RT_OK;
    rt_real nothing = 0;
    rti_checkpoint now = {.epochs = epochs, .best_epoch = epochs, .best = &nothing, .best_count = 1};
    RT_TRY(rt_distiller_save(w->distiller, &now.distiller, &now.distiller_bytes, error));
    rt_status status = rti_checkpoint_write(&now, w->checkpoint, w->id, error);
    rt_free(now.distiller);
    return status;
}

static rt_status train(work *w, rt_error *error) {
    const rti_quantize_config *c = w->config;
    char rate[32];
    rt_params *training = rt_alloc(sizeof *training);
    if (!training) return rt_fail(error, RT_MEMORY, "no memory to train with");
    *training = *c->training;
    rti_number_format(c->lr, rate);
    rt_status status = rt_params_set_text(training, "optimizer.lr", rate, error);
    w->student = status == RT_OK ? rti_net_trainable(w->net, w->range, error) : NULL;
    if (status == RT_OK) status = w->student ? make_distiller(w, training, error) : error->status;
    rt_free(training);
    RT_TRY(status);
    RT_TRY(resume(w, error));
    while (rt_distiller_epochs_done(w->distiller) < c->epochs) {
        rt_epoch_report report;
        RT_TRY(rt_distiller_epoch(w->distiller, &report, error));
        rt_say(RT_LOG_INFO, "int8, epoch %lld of %lld: loss %.4f, training accuracy %.2f %%",
               (long long)report.epoch + 1, (long long)c->epochs, report.loss, 100 * report.accuracy);
        RT_TRY(save_checkpoint(w, report.epoch + 1, error));
    }
    return RT_OK;
}

/* ---- writing ---- */

static void add_errors(rti_json_writer *w, const char *key, const rti_quantized *q, int64_t validation,
                       int64_t test) {
    if (q->errors < 0) return;
    rti_json_begin_object(w, key);
    rti_json_add_integer(w, "validation_errors", q->validation_errors);
    rti_json_add_integer(w, "validation", validation);
    rti_json_add_integer(w, "test_errors", q->errors);
    rti_json_add_integer(w, "test", test);
    rti_json_end(w);
}

static void add_times(rti_json_writer *w, const char *key, rti_latency one, rti_latency large) {
    if (!one.runs) return;
    rti_json_begin_object(w, key);
    rti_json_add_number(w, "one_us", one.median_us);
    rti_json_add_number(w, "one_low_us", one.low_us);
    rti_json_add_number(w, "one_high_us", one.high_us);
    if (large.runs) rti_json_add_number(w, "thousand_us", large.median_us);
    rti_json_end(w);
}

static rt_status write_json(const work *o, rt_error *error) {
    const rti_quantize_result *r = o->result;
    char path[RTI_PATH_MAX];
    rti_text text = RTI_TEXT_EMPTY;
    rti_json_writer w = {.text = &text};
    RT_TRY(rti_path_join(path, sizeof path, o->config->directory, "int8.json", error));
    rti_json_begin_object(&w, NULL);
    if (o->config->label) rti_json_add_string(&w, "trial", o->config->label);
    rti_json_add_string(&w, "network", o->net->summary);
    rti_json_add_string(&w, "data", rt_dataset_summary(o->config->set));
    rti_json_add_string(&w, "method", o->config->method);
    rti_json_add_integer(&w, "epochs", r->epochs);
    rti_json_add_number(&w, "lr", o->config->lr);
    rti_json_add_integer(&w, "calibration", o->config->calibration);
    rti_json_add_integer(&w, "parameters", r->parameters);
    rti_json_add_integer(&w, "bytes", r->bytes);
    add_errors(&w, "float", &r->real, r->validation, r->test);
    add_errors(&w, "int8_after_training", &r->after, r->validation, r->test);
    add_errors(&w, "int8_distilled", &r->distilled, r->validation, r->test);
    rti_json_add_string(&w, "chosen_on_validation",
                        r->chose_distilled ? "int8_distilled" : "int8_after_training");
    add_times(&w, "time_int8", r->time_int8.one, r->time_int8.large);
    add_times(&w, "time_float", r->time_float.one, r->time_float.large);
    add_times(&w, "time_teacher", r->time_teacher.one, r->time_teacher.large);
    rti_json_end(&w);
    rti_text_append(&text, "\n");
    rt_status status = text.failed ? rt_fail(error, RT_MEMORY, "no memory for %s", path)
                                   : rti_file_write(path, text.bytes, text.length, error);
    rti_text_deinit(&text);
    return status;
}

static rt_status save_net(const work *w, rt_error *error) {
    char path[RTI_PATH_MAX];
    RT_TRY(rti_path_join(path, sizeof path, w->config->directory, "int8.safetensors", error));
    return rti_net_save(w->net, w->range, w->form, w->config->weights, path, error);
}

/* ---- all of it ---- */

static rt_status begin(work *w, rt_error *error) {
    const rti_quantize_config *c = w->config;
    rti_quantize_result *r = w->result;
    w->train = rt_dataset_part(c->set, RT_PART_TRANSFER);
    w->validation = rt_dataset_part(c->set, RT_PART_VALIDATION);
    w->test = rt_dataset_part(c->set, RT_PART_TEST);
    *r = (rti_quantize_result){.test = w->test->count,
                               .validation = w->validation->count,
                               .real = {-1, -1},
                               .after = {-1, -1},
                               .distilled = {-1, -1}};
    if (c->directory)
        RT_TRY(rti_path_join(w->checkpoint, sizeof w->checkpoint, c->directory, "int8.checkpoint", error));
    w->model = rt_model_open(c->weights, error);
    if (!w->model) return error->status;
    if (rt_model_classes(w->model) != w->train->examples->classes)
        return rt_fail(error, RT_SHAPE, "%s tells %lld classes apart, the data have %d", c->weights,
                       (long long)rt_model_classes(w->model), w->train->examples->classes);
    w->form = rt_input_form_of(c->set, error);
    if (!w->form) return error->status;
    w->net = rti_net_new(w->model, w->form, error);
    if (!w->net) return error->status;
    if (w->net->features != w->train->examples->features)
        return rt_fail(error, RT_SHAPE, "%s takes examples of %lld numbers, the data have %lld", c->weights,
                       (long long)w->net->features, (long long)w->train->examples->features);
    r->parameters = w->net->parameters;
    w->range = rt_alloc(2 * (size_t)w->net->count * sizeof *w->range);
    if (!w->range) return rt_fail(error, RT_MEMORY, "no memory for the ranges");
    return rti_net_calibrate(w->net, w->train, c->calibration, w->range, error);
}

static rt_status keep(const work *w, rt_error *error) {
    if (!w->config->directory) return RT_OK;
    RT_TRY(save_net(w, error));
    return write_json(w, error);
}

static rt_status go(work *w, rt_error *error) {
    rti_quantize_result *r = w->result;
    RT_TRY(begin(w, error));
    RT_TRY(measure_float(w, &r->real, error));
    RT_TRY(measure(w, &r->after, error));
    RT_TRY(measure_speed(w, error));
    if (!w->config->epochs) return keep(w, error);
    identify(w);
    RT_TRY(train(w, error));
    r->epochs = w->config->epochs;
    rti_net_take_weights(w->net, w->student);
    RT_TRY(measure(w, &r->distilled, error));
    /* without validation examples the training that was asked for is taken */
    r->chose_distilled = !r->validation || r->distilled.validation_errors < r->after.validation_errors;
    if (!r->chose_distilled) {
        rti_net_free(w->net);
        w->net = rti_net_new(w->model, w->form, error);
        if (!w->net) return error->status;
    } else {
        rt_model_hash(w->student, w->net->fingerprint);
    }
    RT_TRY(keep(w, error));
    if (w->config->directory) unlink(w->checkpoint);
    return RT_OK;
}

rt_status rti_quantize(const rti_quantize_config *config, rti_quantize_result *result, rt_error *error) {
    work w = {.config = config, .result = result};
    rt_status status = go(&w, error);
    rt_distiller_free(w.distiller);
    rt_model_free(w.student);
    rt_model_free(w.model);
    rti_net_free(w.net);
    rt_input_form_free(w.form);
    rt_free(w.range);
    return status;
}
