/* maps.c - see maps.h.                                                 Floor 7 (distill) */
#include "distill/maps.h"

#include <math.h>
#include <string.h>

#include "retort/image.h"

/* ---- shapes ---- */

const char *rti_feature_text(const rti_feature *f, char text[RT_SHAPE_TEXT]) {
    rt_tensor t = {.ndim = f->ndim};
    memcpy(t.shape, f->shape, sizeof t.shape);
    return rt_shape_text(&t, text);
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

rt_status rti_maps_check(const rti_method_setup *setup, const char *method, int64_t pixels, const char *why,
                         const char *instead, rt_error *error) {
    char text[RT_SHAPE_TEXT];
    for (int i = 0; i < setup->pairs; i++) {
        const rti_feature *pair[] = {&setup->student[i], &setup->teacher[i]};
        for (int side = 0; side < 2; side++)
            if (!rti_is_map(pair[side]))
                return rt_fail(
                    error, RT_UNSUPPORTED,
                    "method %s is undefined here: %s, and the %s's \"%s\" is %s without height and "
                    "width; what works on such layers: %s",
                    method, why, side ? "teacher" : "student", pair[side]->tap,
                    rti_feature_text(pair[side], text), instead);
        int64_t H = smaller(pair[0]->shape[0], pair[1]->shape[0]);
        int64_t W = smaller(pair[0]->shape[1], pair[1]->shape[1]);
        if (H * W < pixels)
            return rt_fail(error, RT_UNSUPPORTED,
                           "method %s is undefined here: %s, and of \"%s\" and \"%s\" %lld x %lld pixels are "
                           "left; take earlier layers (student_taps, teacher_taps), or %s",
                           method, why, pair[0]->tap, pair[1]->tap, (long long)H, (long long)W, instead);
    }
    return RT_OK;
}

void rti_maps_align(rt_graph *g, bool max, rt_tensor **a, rt_tensor **b) {
    if (!*a || !*b) return;
    int64_t H = smaller((*a)->shape[1], (*b)->shape[1]), W = smaller((*a)->shape[2], (*b)->shape[2]);
    rt_tensor **map[] = {a, b};
    for (int i = 0; i < 2; i++) {
        const rt_tensor *x = *map[i];
        if (x->shape[1] == H && x->shape[2] == W) continue;
        *map[i] = max ? rt_adaptive_max_pool2d(g, *map[i], H, W) : rt_adaptive_avg_pool2d(g, *map[i], H, W);
    }
}

rt_tensor *rti_map_rows(rt_graph *g, rt_tensor *x) {
    if (!x) return NULL;
    return rt_reshape(g, x, 3, (const int64_t[]){x->shape[0], x->shape[1] * x->shape[2], x->shape[3]});
}

rt_tensor *rti_flat_rows(rt_graph *g, rt_tensor *x) {
    return x ? rt_reshape(g, x, 2, (const int64_t[]){x->shape[0], -1}) : NULL;
}

rt_tensor *rti_squared_distance(rt_graph *g, rt_tensor *a, rt_tensor *b) {
    rt_tensor *mean = rt_mse(g, a, b);
    return mean ? rt_scale(g, mean, (double)rt_tensor_count(a) / (double)a->shape[0]) : NULL;
}

/* ---- several layers ---- */

rt_tensor *rti_over_stages(const rt_params *options, const rti_method_input *in, int count,
                           rti_stage_term *term, const void *context) {
    RT_ASSERT(count > 0, "there are no layers to look at");
    char how = rt_params_text(options, "stages")[0];
    if (how == 'l') return term(context, in, count - 1);
    rt_tensor *total = term(context, in, 0);
    for (int i = 1; i < count; i++) total = rt_add(in->graph, total, term(context, in, i));
    return how == 'm' && count > 1 ? rt_scale(in->graph, total, 1 / (double)count) : total;
}

const char *rti_stages_text(const rt_params *options) {
    char how = rt_params_text(options, "stages")[0];
    return how == 's' ? "sum over stages" : how == 'm' ? "mean over stages" : "last stage alone";
}

/* ---- weights ---- */

rt_status rti_weights_check(const rt_params *options, int64_t classes, rt_error *error) {
    (void)classes;
    if (rt_params_real(options, "hard_weight") == 0 && rt_params_real(options, "weight") == 0)
        return rt_fail(error, RT_SPEC, "hard_weight and weight are both 0: there is nothing to learn from");
    return RT_OK;
}

bool rti_weights_labels_only(const rt_params *options) {
    return rt_params_real(options, "weight") == 0 && rt_params_real(options, "hard_weight") == 1;
}

/* ---- two stages ---- */

int64_t rti_first_stage_epochs(const rt_params *options, int64_t epochs) {
    if (rt_params_text(options, "form")[0] == 'j' || rt_params_real(options, "weight") == 0) return 0;
    int64_t first = (int64_t)floor(rt_params_real(options, "first_stage") * (double)epochs + 0.5);
    if (first < 1) first = 1;
    return first < epochs ? first : epochs - 1;
}

rt_status rti_first_stage_check(const rti_method_setup *setup, const char *method, rt_error *error) {
    bool joint = rt_params_text(setup->options, "form")[0] == 'j';
    if (joint || rt_params_real(setup->options, "weight") == 0 || setup->config->epochs >= 2) return RT_OK;
    return rt_fail(error, RT_SPEC,
                   "method %s in two stages needs two epochs at least; form = \"joint\" has one stage",
                   method);
}
