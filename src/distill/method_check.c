/* method_check.c - is the gradient of a method's whole loss right?      Floor 7 (distill)
 *
 * Two small convolutional networks with batch normalisation, six images of noise, one batch. The driver
 * itself computes the loss, so that taps, adapters, stages and terms are those of a training. */
#include <math.h>
#include <string.h>

#include "distill/distiller.h"
#include "retort/alloc.h"
#include "retort/rng.h"

enum { IMAGES = 6, SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 4, ELEMENTS = 6, STAGES = 2 };

typedef struct bench {
    uint8_t bytes[IMAGES * PIXELS];
    int32_t labels[IMAGES], index[IMAGES];
    rt_examples examples;
    rt_part part;
    rt_params options, training, network;
    rt_model *student, *net;
    rt_teacher *teacher;
    rt_distiller *distiller;
    bool is_cohort;
} bench;

static void make_images(bench *b) {
    rt_rng rng = rt_rng_stream(17, "method check", 0, 0);
    for (int i = 0; i < IMAGES * PIXELS; i++) b->bytes[i] = (uint8_t)rt_rng_below(&rng, 256);
    for (int i = 0; i < IMAGES; i++) b->labels[i] = i % CLASSES, b->index[i] = i;
    b->examples = (rt_examples){.count = IMAGES,
                                .ndim = 3,
                                .shape = {1, SIDE, SIDE},
                                .features = PIXELS,
                                .classes = CLASSES,
                                .bytes = b->bytes,
                                .labels = b->labels,
                                .scale = 1.0 / 255};
    b->part = (rt_part){&b->examples, IMAGES, b->index, b->labels};
}

/* Equal channels where they are compared, other widths after them. The weights are drawn wide, so that the
 * two do not agree from the start. */
static rt_model *make_network(bench *b, const char *hidden, uint64_t seed, rt_error *error) {
    int count;
    const rt_param *rows = rt_model_rows("cnn", &count);
    rt_params_init(&b->network, rows, count);
    if (rt_params_set_text(&b->network, "filters", "[4,5]", error) != RT_OK ||
        rt_params_set_text(&b->network, "pool_after", "[1]", error) != RT_OK ||
        rt_params_set_text(&b->network, "batch_norm", "true", error) != RT_OK ||
        rt_params_set_text(&b->network, "hidden", hidden, error) != RT_OK)
        return NULL;
    rt_model *model = rt_model_new("cnn", &b->network, 3, b->examples.shape, CLASSES, seed, error);
    for (int i = 0; model && i < rt_model_parameters(model); i++) {
        rt_tensor *t = &rt_model_parameter(model, i)->tensor;
        if (t->ndim > 1)
            for (int64_t e = 0; e < rt_tensor_count(t); e++) rt_real_data(t)[e] *= 2;
    }
    return model;
}

static rt_status open_bench(bench *b, const char *method, rt_error *error) {
    make_images(b);
    int count;
    const rt_param *rows = rt_method_rows(method, &count);
    if (!rows) return rt_fail(error, RT_NOT_FOUND, "there is no method \"%s\"", method);
    rt_params_init(&b->options, rows, count);
    rows = rt_optimizer_rows(&count);
    rt_params_init(&b->training, rows, count);
    if (!(b->net = make_network(b, "[9]", 1, error)) || !(b->student = make_network(b, "[7]", 2, error)) ||
        !(b->teacher = rt_teacher_new(&b->net, 1, RT_COMBINE_PROBABILITIES, error)))
        return error->status;
    b->distiller = rt_distiller_new(&(rt_distiller_config){.student = b->student,
                                                           .teacher = b->teacher,
                                                           .method = method,
                                                           .options = &b->options,
                                                           .transfer = &b->part,
                                                           .batch = IMAGES,
                                                           .seed = 3,
                                                           .epochs = 10,
                                                           .training = &b->training,
                                                           .prefix = ""},
                                    error);
    return b->distiller ? RT_OK : error->status;
}

static void close_bench(bench *b) {
    rt_distiller_free(b->distiller);
    rt_teacher_free(b->teacher);
    rt_model_free(b->net), rt_model_free(b->student);
}

/* ---- differences ---- */

static rt_model *network(const bench *b, int number) {
    return number == 0 ? b->student : b->distiller->adapters.model[number - 1];
}

/* d loss / d x, by the central difference of fourth order: truncation falls with step^4. */
static rt_status difference(bench *b, const rt_batch *batch, const char *without, rt_real *x, double *out,
                            rt_error *error) {
    static const double weight[] = {-1.0 / 12, 2.0 / 3, -2.0 / 3, 1.0 / 12}, place[] = {2, 1, -1, -2};
    const double step = (sizeof(rt_real) == sizeof(double) ? 2e-5 : 4e-3) * fmax(1, fabs((double)*x));
    const rt_real before = *x;
    rt_status status = RT_OK;
    *out = 0;
    for (int i = 0; i < 4 && status == RT_OK; i++) {
        double loss = 0;
        *x = (rt_real)((double)before + place[i] * step);
        status = rti_distiller_loss(b->distiller, batch, without, false, &loss, error);
        *out += weight[i] * loss / step;
    }
    *x = before;
    return status;
}

static rt_status check_parameter(bench *b, const rt_batch *batch, const char *without, const char *method,
                                 const rt_parameter *p, int number, double tolerance,
                                 rt_gradcheck_result *result, rt_error *error) {
    rt_tensor *t = (rt_tensor *)&p->tensor;
    const int64_t count = rt_tensor_count(t), checked = count < ELEMENTS ? count : ELEMENTS;
    double analytic[ELEMENTS], numeric;
    for (int64_t i = 0; i < checked; i++)
        analytic[i] = t->has_grad ? (double)t->grad[i * count / checked] : 0;
    for (int64_t i = 0; i < checked; i++) {
        const int64_t e = i * count / checked;
        RT_TRY(difference(b, batch, without, rt_real_data(t) + e, &numeric, error));
        const double wrong = fabs(analytic[i] - numeric) / fmax(1, fmax(fabs(analytic[i]), fabs(numeric)));
        result->checked++;
        if (wrong > result->worst_error || isnan(wrong))
            result->worst_error = wrong, result->worst_input = number, result->worst_element = e,
            result->analytic = analytic[i], result->numeric = numeric;
        if (!(wrong <= tolerance))
            return rt_fail(error, RT_VALUE,
                           "%s: %s, element %lld: the gradient is %.9g, differences say %.9g", method,
                           p->name, (long long)e, analytic[i], numeric);
    }
    return RT_OK;
}

/* All parameters at the place where the training stands. */
static rt_status check_stage(bench *b, const rt_batch *batch, const char *method, double tolerance,
                             rt_gradcheck_result *result, rt_error *error) {
    const char *without = b->is_cohort ? "peers" : NULL;
    int number = 0;
    for (int m = 0; m <= (b->is_cohort ? 0 : b->distiller->adapters.count); m++)
        for (int i = 0; i < rt_model_parameters(network(b, m)); i++) {
            double loss;
            RT_TRY(rti_distiller_loss(b->distiller, batch, NULL, true, &loss, error)); /* as a step does */
            const rt_parameter *p = rt_model_parameter(network(b, m), i);
            /* An adapter without a gradient is a constant in this stage (ft's paraphraser in its second). */
            if (p->kind != RT_BUFFER && (m == 0 || p->tensor.has_grad))
                RT_TRY(check_parameter(b, batch, without, method, p, number, tolerance, result, error));
            number++;
        }
    return RT_OK;
}

static rt_status check_method(bench *b, const char *method, double tolerance, rt_gradcheck_result *result,
                              rt_error *error) {
    rt_distiller *d = b->distiller;
    for (int i = 0; i < d->parts.count; i++) b->is_cohort |= strcmp(d->part[i].method->name, "dml") == 0;
    rt_batch batch;
    rt_loader_begin(d->shared->loader, 0);
    if (!rti_shared_next(d->shared, 1, &batch)) return rt_fail(error, RT_VALUE, "no batch");
    const int64_t stages[STAGES] = {0, d->first_stage};
    for (int s = 0; s < (d->first_stage > 0 ? 2 : 1); s++) {
        d->epochs_done = stages[s];
        RT_TRY(check_stage(b, &batch, method, tolerance, result, error));
    }
    return RT_OK;
}

rt_status rt_method_gradcheck(const char *method, double tolerance, rt_gradcheck_result *result,
                              rt_error *error) {
    rt_gradcheck_result own = {0};
    rt_error unseen = {0};
    if (!error) error = &unseen;
    if (!(tolerance > 0)) tolerance = sizeof(rt_real) == sizeof(double) ? 1e-6 : 5e-2;
    bench *b = rt_alloc_zero(1, sizeof *b);
    if (!b) return rt_fail(error, RT_MEMORY, "no memory to check %s", method);
    rt_status status = open_bench(b, method, error);
    if (status == RT_OK) status = check_method(b, method, tolerance, &own, error);
    close_bench(b);
    rt_free(b);
    if (result) *result = own;
    return status;
}
