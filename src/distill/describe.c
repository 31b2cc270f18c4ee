/* describe.c - what a training is going to look at, in words.          Floor 7 (distill) */
#include <stdio.h>
#include <string.h>

#include "distill/distiller.h"
#include "retort/alloc.h"

static const char *shape_text(const rti_feature *f, char text[RT_SHAPE_TEXT]) {
    rt_tensor t = {.ndim = f->ndim};
    memcpy(t.shape, f->shape, sizeof t.shape);
    return rt_shape_text(&t, text);
}

static void describe_part(const rt_distiller *d, const rti_part *part, rti_writer *w) {
    char ours[RT_SHAPE_TEXT], theirs[RT_SHAPE_TEXT];
    const rti_features *f = &part->features;
    for (int i = 0; i < f->pairs; i++)
        rti_write(w, "%s: student %s %s <- teacher %s %s\n", part->method->name, f->student[i].tap,
                  shape_text(&f->student[i], ours), f->teacher[i].tap, shape_text(&f->teacher[i], theirs));
    if (part->first_stage)
        rti_write(w, "%s: two stages, %lld epochs and %lld\n", part->method->name,
                  (long long)part->first_stage, (long long)(d->config.epochs - part->first_stage));
}

static void describe(const rt_distiller *d, rti_writer *w) {
    for (int i = 0; i < d->parts.count; i++) describe_part(d, &d->part[i], w);
    for (int i = 0; i < d->adapters.count; i++)
        rti_write(w, "adapter %s: %lld parameters\n", rt_model_summary(d->adapters.model[i]),
                  (long long)rt_model_cost_get(d->adapters.model[i]).parameters);
}

rt_status rt_distiller_describe(const rt_distiller_config *config, char *buffer, size_t size,
                                rt_error *error) {
    rt_distiller *d = rt_alloc_zero(1, sizeof *d);
    if (!d) return rt_fail(error, RT_MEMORY, "no memory to describe a training");
    rt_status status = rti_distiller_prepare(d, config, error);
    if (size) buffer[0] = 0;
    if (status == RT_OK) describe(d, &(rti_writer){buffer, size});
    rt_distiller_free(d);
    return status;
}
