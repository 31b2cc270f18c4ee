/* relations.c - see relations.h.                                       Floor 7 (distill) */
#include "distill/relations.h"

#include <math.h>
#include <stdio.h>

#include "distill/adapters.h"
#include "retort/ops.h"

rt_status rti_batch_check(const rti_method_setup *setup, const char *method, int64_t least, const char *why,
                          rt_error *error) {
    if (setup->config->batch >= least || rt_params_real(setup->options, "weight") == 0) return RT_OK;
    return rt_fail(error, RT_SPEC,
                   "method %s needs batches of at least %lld examples, not %lld: %s; enlarge the batch, or "
                   "take a method of single examples (kd, fitnets)",
                   method, (long long)least, (long long)setup->config->batch, why);
}

rt_status rti_one_pair_check(const rti_method_setup *setup, const char *method, rt_error *error) {
    if (setup->pairs == 1) return RT_OK;
    return rt_fail(error, RT_SPEC,
                   "method %s looks at one pair of layers, not %d: name one in student_taps and "
                   "teacher_taps", method,
                   setup->pairs);
}

rt_tensor *rti_no_term(rt_graph *g, rt_tensor *x) { return rt_scale(g, rt_sum(g, x, RT_ALL_AXES), 0); }

rt_status rti_embedding_new(const rti_method_setup *setup, const char *name, const rti_feature *feature,
                            int64_t units, rt_model **embedding, rt_error *error) {
    rt_model *model = rti_adapter_begin(setup, name, feature, error);
    if (!model) return error ? error->status : RT_MEMORY;
    RT_TRY(rti_model_add_linear(model, "embedding", units,
                                &(rti_linear){.bias = true, .init = RTI_INIT_FAN_IN}, error));
    *embedding = model;
    return rti_adapter_end(setup, model, error);
}

/* ---- connectors ---- */

static char connector_kind(const rt_params *options) { return rt_params_text(options, "connector")[1]; }
/* Second letters: n(e)eded, a(l)ways, n(o)ne. */
enum { NEEDED = 'e', ALWAYS = 'l', NONE = 'o' };

static int64_t channels(const rti_feature *f) { return f->shape[f->ndim - 1]; }

static rt_status connector_new(const rti_method_setup *setup, const char *method, int i, rt_model **connector,
                               rt_error *error) {
    const rti_feature *s = &setup->student[i], *t = &setup->teacher[i];
    char name[40];
    snprintf(name, sizeof name, "%s%d", method, i + 1);
    rt_model *model = rti_adapter_begin(setup, name, s, error);
    if (!model) return error ? error->status : RT_MEMORY;
    if (rti_is_map(s)) /* deviation sqrt(2 / outputs), as in the published connectors */
        RT_TRY(rti_model_add_conv(model, "connector", channels(t),
                                  &(rti_conv){.kernel = 1, .init = RTI_INIT_HE_FAN_OUT}, error));
    else
        RT_TRY(rti_model_add_linear(model, "connector", channels(t),
                                    &(rti_linear){.init = RTI_INIT_HE_FAN_OUT}, error));
    RT_TRY(rti_model_add_batch_norm(model, "norm", NULL, error));
    *connector = model;
    return rti_adapter_end(setup, model, error);
}

/* A last batch of one example has nothing to be normalised over, unless it has pixels. */
static rt_status norm_check(const rti_method_setup *setup, const char *method, const rti_feature *s,
                            rt_error *error) {
    const rt_distiller_config *c = setup->config;
    int64_t pixels = rti_is_map(s) ? s->shape[0] * s->shape[1] : 1;
    if (pixels > 1 || !c->transfer || c->batch < 1 || (c->batch > 1 && c->transfer->count % c->batch != 1))
        return RT_OK;
    return rt_fail(error, RT_SPEC,
                   "the connector of %s normalises over the batch, and with batches of %lld there is one "
                   "of a single example; use another batch, or connector = \"none\" between layers of one "
                   "width",
                   method, (long long)c->batch);
}

rt_status rti_connectors_new(const rti_method_setup *setup, const char *method,
                             rt_model *connector[RTI_PAIRS_MAX], rt_error *error) {
    char kind = connector_kind(setup->options);
    for (int i = 0; i < setup->pairs; i++) {
        const rti_feature *s = &setup->student[i], *t = &setup->teacher[i];
        char ours[RT_SHAPE_TEXT], theirs[RT_SHAPE_TEXT];
        if (s->ndim != t->ndim)
            return rt_fail(error, RT_UNSUPPORTED,
                           "method %s compares neurons, and the student's \"%s\" is %s, the teacher's "
                           "\"%s\" %s: one has pixels and the other has not; name two of a kind, or take "
                           "sp, pkt, rkd",
                           method, s->tap, rti_feature_text(s, ours), t->tap, rti_feature_text(t, theirs));
        bool differ = channels(s) != channels(t);
        if (kind == NONE && differ)
            return rt_fail(error, RT_UNSUPPORTED,
                           "method %s without a connector compares equal numbers of channels, not those of "
                           "the student's \"%s\" %s and the teacher's \"%s\" %s; connector = \"needed\" "
                           "makes them equal",
                           method, s->tap, rti_feature_text(s, ours), t->tap, rti_feature_text(t, theirs));
        if (kind == NONE || (kind == NEEDED && !differ)) continue;
        RT_TRY(norm_check(setup, method, s, error));
        RT_TRY(connector_new(setup, method, i, &connector[i], error));
    }
    return RT_OK;
}

void rti_connect(rt_model *const connector[], const rti_method_input *in, int i, rt_tensor **student,
                 rt_tensor **teacher) {
    *student = in->student_feature[i], *teacher = in->teacher_feature[i];
    if (connector[i]) *student = rt_model_forward(connector[i], in->graph, *student);
    if (*student && (*student)->ndim == 4) rti_maps_align(in->graph, false, student, teacher);
}

const char *rti_connector_text(const rt_params *options) {
    char kind = connector_kind(options);
    return kind == NONE     ? "none, channels must be equal"
           : kind == ALWAYS ? "1x1 convolution and batch norm, always there"
                            : "1x1 convolution and batch norm where channels differ";
}

/* ---- boundaries ---- */

static bool is_mean(const rt_params *options) { return rt_params_text(options, "reduction")[0] == 'm'; }

rt_tensor *rti_over_boundaries(const rt_params *options, const rti_method_input *in, rti_stage_term *term,
                               const void *context) {
    bool halving = rt_params_bool(options, "halving");
    rt_tensor *total = NULL;
    for (int i = 0; i < in->pairs; i++) {
        const rt_tensor *t = in->teacher_feature[i];
        const rt_tensor *s = in->student_feature[i];
        double factor = halving ? ldexp(1, i - in->pairs + 1) : 1;
        if (!is_mean(options)) { /* neurons of one example, at the smaller size of the two */
            for (int d = 1; d < t->ndim; d++)
                factor *= (double)(d < t->ndim - 1 && s->shape[d] < t->shape[d] ? s->shape[d] : t->shape[d]);
        }
        rt_tensor *part = rt_scale(in->graph, term(context, in, i), factor);
        total = total ? rt_add(in->graph, total, part) : part;
        if (!total) return NULL;
    }
    return total;
}

void rti_boundaries_contract(rti_writer *w, const rt_params *options) {
    rti_write(w, "reduction: %s over the neurons of an example, mean over the batch\n",
              is_mean(options) ? "mean" : "sum");
    rti_write(w,
              "stages: sum over the named layers%s; of two maps the larger is averaged down to the "
              "smaller",
              rt_params_bool(options, "halving") ? ", each counting half of the one behind it, the last one 1"
                                                 : "");
}

/* With p the density and P the distribution of the standard normal: mu - sigma p(mu/sigma) / P(-mu/sigma). */
double rti_negative_mean(double mean, double deviation) {
    double sigma = fabs(deviation);
    if (sigma == 0) return mean < 0 ? mean : 0; /* a constant */
    double z = mean / sigma, below = 0.5 * erfc(z / sqrt(2.0));
    if (!(below > 0.001)) return -3 * sigma;
    return mean - sigma * exp(-z * z / 2) / sqrt(2 * 3.14159265358979323846) / below;
}
