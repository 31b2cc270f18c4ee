/* export_c.c - see export_c.h.                                         Floor 9 (cli) */
#include "cli/export_c.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "deploy/emit.h"
#include "deploy/trainable.h"
#include "retort/alloc.h"
#include "retort/distill.h"
#include "retort/log.h"
#include "retort/threads.h"

enum { CALIBRATION = 1000, NAME_MAX_BYTES = 48 };

typedef struct work {
    const rti_export_c *job;
    rt_dataset *set;
    rt_input_form *form;
    rti_net *net;
    double *range;
    rti_int8 *int8;
    bool prepared; /* from a file of `retort quantize` */
    char prepared_path[RTI_PATH_MAX];
    char accuracy[256];
} work;

/* "dir/my-student" is my_student. */
static void identifier(const char *output, char name[NAME_MAX_BYTES + 1]) {
    const char *slash = strrchr(output, '/');
    snprintf(name, NAME_MAX_BYTES + 1, "%s", slash ? slash + 1 : output);
    for (char *c = name; *c; c++)
        if (*c == '-' || *c == '.') *c = '_';
}

/* ---- the network ---- */

static rt_status open_prepared(work *w, rt_error *error) {
    w->net = rti_net_open(w->prepared_path, &w->range, error);
    if (!w->net) return error->status;
    w->form = rt_input_form_read(w->prepared_path, error);
    return w->form ? RT_OK : error->status;
}

/* The form stands in newer files; else the data have it. */
static rt_status open_form(work *w, rt_error *error) {
    rt_error why = {0};
    w->form = rt_input_form_read(w->job->target->weights, &why);
    if (w->form) return RT_OK;
    if (why.status != RT_NOT_FOUND) return rt_fail(error, why.status, "%s", why.message);
    if (!w->set) return rt_fail(error, RT_VALUE, "%s; name the data: --data mnist, for example", why.message);
    w->form = rt_input_form_of(w->set, error);
    return w->form ? RT_OK : error->status;
}

static rt_status calibrate(work *w, rt_error *error) {
    if (!w->set)
        return rt_fail(error, RT_VALUE,
                       "%s: int8 needs training examples to calibrate on; name the data: --data "
                       "mnist, for example",
                       w->job->target->name);
    w->range = rt_alloc(2 * (size_t)w->net->count * sizeof *w->range);
    if (!w->range) return rt_fail(error, RT_MEMORY, "no memory for the ranges");
    return rti_net_calibrate(w->net, rt_dataset_part(w->set, RT_PART_TRAIN), CALIBRATION, w->range, error);
}

static rt_status open_net(work *w, rt_error *error) {
    const rti_export_c *job = w->job;
    if (w->prepared)
        RT_TRY(open_prepared(w, error));
    else {
        RT_TRY(open_form(w, error));
        w->net = rti_net_new(job->model, w->form, error);
        if (!w->net) return error->status;
        if (job->int8) RT_TRY(calibrate(w, error));
    }
    if (!job->int8 && !w->prepared) return RT_OK;
    w->int8 = rti_int8_new(w->net, w->range, error);
    return w->int8 ? RT_OK : error->status;
}

/* ---- what it is worth ---- */

static rt_status measure(work *w, rt_error *error) {
    if (!w->set) return RT_OK;
    const rt_part *test = rt_dataset_part(w->set, RT_PART_TEST);
    if (test->examples->features != w->net->features || test->examples->classes != w->net->classes)
        return rt_fail(error, RT_SHAPE,
                       "the data have %lld numbers and %d classes, the network %lld and %lld",
                       (long long)test->examples->features, test->examples->classes,
                       (long long)w->net->features, (long long)w->net->classes);
    rt_quality quality = {0};
    int64_t errors = 0;
    rt_threads_set(rt_threads_available());
    rt_model *model = rt_model_open(w->job->model ? w->job->target->weights : w->prepared_path, NULL);
    if (model) {
        rt_status status = rt_evaluate(model, NULL, test, &quality, NULL, error);
        rt_model_free(model);
        RT_TRY(status);
        errors = quality.errors;
    }
    if (w->int8) RT_TRY(rti_int8_evaluate(w->int8, test, &errors, NULL, error));
    const double count = (double)test->count;
    int length = snprintf(w->accuracy, sizeof w->accuracy, "%.2f %% (%lld errors in %lld test examples)",
                          100 * (1 - (double)errors / count), (long long)errors, (long long)test->count);
    if (w->int8 && quality.examples)
        snprintf(w->accuracy + length, sizeof w->accuracy - (size_t)length,
                 "; in float %.2f %% (%lld), lost %.2f points", 100 * (1 - (double)quality.errors / count),
                 (long long)quality.errors, 100 * (double)(errors - quality.errors) / count);
    return RT_OK;
}

/* ---- writing ---- */

static rt_status write_files(const work *w, rt_error *error) {
    const rti_export_c *job = w->job;
    char name[NAME_MAX_BYTES + 1], upper[NAME_MAX_BYTES + 1], header_path[RTI_PATH_MAX],
        source_path[RTI_PATH_MAX], file[RTI_PATH_MAX];
    rti_text header = RTI_TEXT_EMPTY, source = RTI_TEXT_EMPTY;
    identifier(job->output, name);
    for (int i = 0; i == 0 || name[i - 1]; i++) upper[i] = (char)toupper((unsigned char)name[i]);
    const rti_emit_facts facts = {.accuracy = w->accuracy[0] ? w->accuracy : NULL,
                                  .class_names = w->form->classes == w->net->classes ? w->form->class_names
                                                                                     : NULL};
    rt_status status = rti_emit(w->net, w->int8, name, &facts, &header, &source, error);
    const char *slash = strrchr(job->output, '/');
    const int directory = slash ? (int)(slash + 1 - job->output) : 0;
    if (status == RT_OK) {
        snprintf(file, sizeof file, "%.*s%s", directory, job->output, name);
        const int a = snprintf(header_path, sizeof header_path, "%s.h", file);
        const int b = snprintf(source_path, sizeof source_path, "%s.c", file);
        if (a >= (int)sizeof header_path || b >= (int)sizeof source_path)
            status = rt_fail(error, RT_VALUE, "%s: the name is too long", job->output);
    }
    if (status == RT_OK) status = rti_file_write(source_path, source.bytes, source.length, error);
    if (status == RT_OK) status = rti_file_write(header_path, header.bytes, header.length, error);
    if (status == RT_OK) {
        printf("%s\n%s\n  %s\n", header_path, source_path, w->net->summary);
        if (w->accuracy[0]) printf("  accuracy   %s\n", w->accuracy);
        printf("  constants  %lld bytes\n  scratch    %lld bytes\n",
               (long long)(w->int8 ? w->int8->bytes : 4 * w->net->parameters),
               (long long)(w->int8 ? 1 : 4) * w->net->scratch);
        if (w->int8)
            printf("  int8       %s\n", w->prepared ? w->prepared_path
                                                    : "calibrated now, not trained for it: retort "
                                                      "quantize does that");
        printf("\n    #include \"%s.h\"\n    static %s scratch[%s_SCRATCH];\n"
               "    int class_number = %s_class(x, scratch);\n",
               name, w->int8 ? "int8_t" : "float", upper, name);
    }
    rti_text_deinit(&header);
    rti_text_deinit(&source);
    return status;
}

/* Without its data a network in float can be written out all the same; what it is worth is not said then. */
static rt_status open_data(work *w, rt_error *error) {
    rt_error why = {0};
    w->set = rt_dataset_open(w->job->data, NULL, &why);
    if (w->set) return RT_OK;
    if (why.status != RT_NOT_FOUND || (w->job->int8 && !w->prepared))
        return rt_fail(error, why.status, "%s", why.message);
    rt_say(RT_LOG_WARNING, "%s; no accuracy is stated", why.message);
    return RT_OK;
}

static rt_status go(work *w, rt_error *error) {
    const rti_export_c *job = w->job;
    const rti_target *t = job->target;
    if (!job->model) {
        w->prepared = true;
        snprintf(w->prepared_path, sizeof w->prepared_path, "%s", t->weights);
    } else if (job->int8 && t->directory[0]) {
        RT_TRY(rti_path_join(w->prepared_path, sizeof w->prepared_path, t->directory, "int8.safetensors",
                             error));
        w->prepared = rti_file_exists(w->prepared_path);
    }
    if (job->data) RT_TRY(open_data(w, error));
    RT_TRY(open_net(w, error));
    RT_TRY(measure(w, error));
    return write_files(w, error);
}

rt_status rti_export_c_write(const rti_export_c *job, rt_error *error) {
    work *w = rt_alloc_zero(1, sizeof *w);
    if (!w) return rt_fail(error, RT_MEMORY, "no memory to export with");
    w->job = job;
    rt_status status = go(w, error);
    rti_int8_free(w->int8);
    rti_net_free(w->net);
    rt_input_form_free(w->form);
    rt_free(w->range);
    rt_dataset_free(w->set);
    rt_free(w);
    return status;
}
