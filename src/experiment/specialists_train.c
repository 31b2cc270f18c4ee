/* specialists_train.c - one specialist.                                Floor 8 (experiment)
 *
 * The driver trains it with method "none" on a part of its own: the labels of S, and one label for all else.
 * The part's second half is drawn again ahead of each epoch. A finished specialist is a file that says by a
 * hash what it was made from; one that says something else is trained again. The generalist that goes on is
 * trained and kept in the same way. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "experiment/specialists.h"
#include "formats/safetensors.h"
#include "retort/alloc.h"
#include "retort/log.h"

#define HASH_KEY "retort.specialist"

typedef struct lesson {
    const rti_specialist_training *t;
    const rti_special_sets *sets; /* NULL: the generalist itself goes on, on all examples */
    int m;
    rti_specialist *out;
    int32_t *special, *rest, *drawn; /* numbers of examples (out->special, out->rest, out->rest) */
    int32_t *index, *labels;         /* of the part: twice out->special */
    int32_t *mapped;                 /* (all examples) their labels */
    rt_examples examples;            /* with n + 1 classes */
    rt_part part;
    char path[RTI_PATH_MAX], id[RTI_HASH_TEXT];
} lesson;

static int classes_of(const lesson *l) {
    return l->sets ? l->sets->n + 1 : rt_dataset_train_examples(l->t->set)->classes;
}

static const int32_t *output_of(const lesson *l) { return l->sets->output + l->m * l->sets->K; }

static void identify(lesson *l) {
    const rti_specialist_training *t = l->t;
    char text[RT_PARAM_TEXT_MAX * 2];
    rti_hash hash;
    rti_hash_init(&hash, RTI_SPECIALIST_FORMAT);
    rti_hash_add_text(&hash, t->generalist_hash);
    rti_hash_add_text(&hash, rt_dataset_part_hash(t->set, RT_PART_TRAIN));
    snprintf(text, sizeof text, "%d %" PRIu64 " %" PRId64 " %" PRId64 " %d %zu", l->m, t->seed, t->epochs,
             t->batch, classes_of(l), sizeof(rt_real));
    rti_hash_add_text(&hash, text);
    const rti_special_sets *s = l->sets;
    if (s) rti_hash_add(&hash, s->classes + l->m * s->n, (size_t)s->n * sizeof *s->classes);
    for (int i = 0; i < t->training->count; i++) {
        rti_hash_add_text(&hash, t->training->rows[i]->name);
        rt_value_format(&t->training->values[i], text, sizeof text);
        rti_hash_add_text(&hash, text);
    }
    rti_hash_finish_text(&hash, l->id);
}

/* ---- what it is shown ---- */

static rt_status find_examples(lesson *l, rt_error *error) {
    const rt_part *train = rt_dataset_part(l->t->set, RT_PART_TRAIN);
    const int32_t *output = output_of(l);
    const int n = l->sets->n;
    l->special = rt_alloc((size_t)train->count * sizeof *l->special);
    l->rest = rt_alloc((size_t)train->count * sizeof *l->rest);
    l->drawn = rt_alloc((size_t)train->count * sizeof *l->drawn);
    l->mapped = rt_alloc((size_t)train->examples->count * sizeof *l->mapped);
    if (!l->special || !l->rest || !l->drawn || !l->mapped)
        return rt_fail(error, RT_MEMORY, "no memory for the examples of a specialist");
    for (int64_t i = 0; i < train->examples->count; i++) l->mapped[i] = output[train->examples->labels[i]];
    for (int64_t i = 0; i < train->count; i++) { /* label noise may have changed what the set says */
        const int32_t e = train->index[i];
        l->mapped[e] = output[train->labels[i]];
        if (l->mapped[e] < n)
            l->special[l->out->special++] = e;
        else
            l->rest[l->out->rest++] = e;
    }
    if (!l->out->special || !l->out->rest)
        return rt_fail(error, RT_VALUE, "specialist %d: none of the training examples is %s its %d classes",
                       l->m + 1, l->out->special ? "outside of" : "of", n);
    const int64_t shown = l->out->special;
    l->index = rt_alloc(2 * (size_t)shown * sizeof *l->index);
    l->labels = rt_alloc(2 * (size_t)shown * sizeof *l->labels);
    if (!l->index || !l->labels)
        return rt_fail(error, RT_MEMORY, "no memory for the examples of a specialist");
    l->examples = *train->examples;
    l->examples.classes = n + 1;
    l->examples.labels = l->mapped;
    l->part = (rt_part){.examples = &l->examples, .count = 2 * shown, .index = l->index, .labels = l->labels};
    l->out->shift = rti_dustbin_shift(l->out->special, l->out->rest, shown, shown);
    return RT_OK;
}

/* All of S, and as many of the rest, in an order that the loader shuffles. */
static void draw_epoch(lesson *l, int64_t epoch) {
    const int64_t shown = l->out->special, rest = l->out->rest;
    rt_rng rng = rt_rng_stream(l->t->seed, "specialists.rest", (uint64_t)epoch, (uint64_t)l->m);
    memcpy(l->drawn, l->rest, (size_t)rest * sizeof *l->drawn);
    rt_rng_shuffle(&rng, l->drawn, rest);
    for (int64_t i = 0; i < shown; i++) {
        l->index[i] = l->special[i];
        l->index[shown + i] = l->drawn[i % rest];
    }
    for (int64_t i = 0; i < 2 * shown; i++) l->labels[i] = l->mapped[l->index[i]];
}

/* ---- the file ---- */

static rt_status make_model(lesson *l, rt_error *error) {
    const rt_params *rows = l->t->network;
    const rt_examples *e = rt_dataset_train_examples(l->t->set);
    l->out->model = rt_model_new(rt_params_text(rows, "model"), rows, e->ndim, e->shape, classes_of(l),
                                 l->t->seed, error);
    if (!l->out->model) return error ? error->status : RT_MEMORY;
    if (!strcmp(rt_params_text(rows, "precision"), "bf16")) rt_model_use_bf16(l->out->model);
    return RT_OK;
}

/* Is the file that is there the one we would make? */
static bool is_ours(const lesson *l) {
    rti_st_file file;
    if (!rti_file_exists(l->path) || rti_st_read(&file, l->path, NULL) != RT_OK) return false;
    const char *id = rti_st_metadata(&file, HASH_KEY);
    const bool same = id && !strcmp(id, l->id);
    rti_st_deinit(&file);
    return same;
}

static rt_status save(const lesson *l, rt_error *error) {
    char shift[64];
    rti_text classes = RTI_TEXT_EMPTY;
    for (int i = 0; l->sets && i < l->sets->n; i++)
        rti_text_printf(&classes, i ? " %d" : "%d", (int)l->sets->classes[l->m * l->sets->n + i]);
    snprintf(shift, sizeof shift, "%.17g", l->out->shift);
    const char *const metadata[] = {
        HASH_KEY, l->id, HASH_KEY ".classes", rti_text_string(&classes), HASH_KEY ".dustbin_shift",
        shift,    NULL};
    rt_status status = classes.failed ? rt_fail(error, RT_MEMORY, "no memory for %s", l->path)
                                      : rt_model_save(l->out->model, l->path, metadata, error);
    rti_text_deinit(&classes);
    return status;
}

/* ---- training ---- */

static rt_status start(const lesson *l, rt_error *error) {
    if (l->sets)
        return rti_specialist_start(l->out->model, l->t->generalist, l->sets->n, output_of(l), l->out->shift,
                                    error);
    int64_t count;
    rt_real *own = rt_model_block(l->out->model, &count);
    memcpy(own, rt_model_block(l->t->generalist, &count), (size_t)count * sizeof *own);
    return RT_OK;
}

static void say(const lesson *l, double accuracy) {
    char who[64] = "the generalist goes on";
    if (l->sets) snprintf(who, sizeof who, "specialist %d of %d", l->m + 1, l->sets->count);
    rt_say(RT_LOG_INFO,
           "seed %" PRIu64 ", %s: %" PRId64 " epochs of %" PRId64
           " examples, right on %.2f %% of the last one's",
           l->t->seed, who, l->t->epochs, l->part.count, 100 * accuracy);
}

static rt_status train(lesson *l, rt_error *error) {
    const rti_specialist_training *t = l->t;
    rt_rng rng = rt_rng_stream(t->seed, "specialists.training", 0, (uint64_t)l->m);
    rt_params none;
    rt_params_init(&none, NULL, 0);
    const rt_distiller_config config = {
        .student = l->out->model,
        .method = "none",
        .options = &none,
        .transfer = &l->part,
        .batch = t->batch,
        .augment = rti_training_augment(t->training),
        .seed = rt_rng_u64(&rng) | 1,
        .epochs = t->epochs,
        .training = t->training,
        .prefix = "optimizer.",
        .on_step = t->on_step,
        .on_step_context = t->context,
    };
    if (l->sets) draw_epoch(l, 0);
    RT_TRY(start(l, error));
    rt_distiller *distiller = rt_distiller_new(&config, error);
    if (!distiller) return error ? error->status : RT_MEMORY;
    rt_status status = RT_OK;
    rt_epoch_report report = {0};
    for (int64_t epoch = 0; status == RT_OK && epoch < t->epochs; epoch++) {
        if (l->sets) draw_epoch(l, epoch);
        status = rt_distiller_epoch(distiller, &report, error);
    }
    rt_distiller_free(distiller);
    rt_model_evaluate(l->out->model);
    RT_TRY(status);
    say(l, report.accuracy);
    return save(l, error);
}

static rt_status go(lesson *l, rt_error *error) {
    char name[64] = "generalist.safetensors";
    if (l->sets) snprintf(name, sizeof name, "specialist-%02d.safetensors", l->m + 1);
    RT_TRY(rti_path_join(l->path, sizeof l->path, l->t->directory, name, error));
    identify(l);
    if (l->sets)
        RT_TRY(find_examples(l, error));
    else
        l->part = *rt_dataset_part(l->t->set, RT_PART_TRAIN);
    RT_TRY(make_model(l, error));
    if (is_ours(l)) {
        rt_error inner = {0};
        l->out->was_there = rt_model_load(l->out->model, l->path, &inner) == RT_OK;
        if (l->out->was_there) return RT_OK;
        rt_say(RT_LOG_WARNING, "%s; it is trained again", inner.message);
    }
    return train(l, error);
}

rt_status rti_generalist_go_on(rti_specialist *out, const rti_specialist_training *training,
                               rt_error *error) {
    return rti_specialist_train(out, training, NULL, 0, error);
}

rt_status rti_specialist_train(rti_specialist *out, const rti_specialist_training *training,
                               const rti_special_sets *sets, int m, rt_error *error) {
    *out = (rti_specialist){.model = NULL};
    lesson *l = rt_alloc_zero(1, sizeof *l);
    if (!l) return rt_fail(error, RT_MEMORY, "no memory for a specialist");
    *l = (lesson){.t = training, .sets = sets, .m = m, .out = out};
    rt_status status = go(l, error);
    rt_free(l->special), rt_free(l->rest), rt_free(l->drawn);
    rt_free(l->index), rt_free(l->labels), rt_free(l->mapped);
    rt_free(l);
    if (status != RT_OK) {
        rt_model_free(out->model);
        out->model = NULL;
    }
    return status;
}
