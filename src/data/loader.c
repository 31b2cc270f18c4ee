/* loader.c - batches: order, views, and bytes that become numbers.     Floor 6 (data)
 *
 * Everything a batch needs is made when the loader is: the order of an epoch is shuffled in place,
 * pixels are converted on their way from the set into the batch, or copied and converted when somebody
 * asks (loader.h). Images of a batch are independent, so that larger batches are spread over the threads. */
#include <string.h>

#include "core/pool.h"
#include "data/loader.h"
#include "data/views.h"
#include "kernels/kernels.h"

struct rt_loader {
    const rt_part *part;
    int64_t batch, next, epoch;
    uint64_t seed;
    rt_augment augment;
    int32_t *order;     /* (count) positions in the part, from the epoch's first batch on */
    int32_t *examples;  /* (count) part->index of them: one access less that is anywhere in memory */
    rt_tensor *x, *y;
    rt_tensor *plain, *y2; /* with mixup: the batch ahead of it, the partners' labels; else NULL */
    int32_t *partner;   /* (batch) */
    uint8_t *bytes;     /* (batch, features) of batches whose numbers come later; NULL: there are none such */
    rt_real *value;     /* [256] of a byte */
    bool is_late;       /* the batch at hand has its bytes, and no numbers yet */
    int64_t start, now; /* the batch that is being made: order[start ... start+now-1] */
};

/* Bytes that are shown as they are, all with one scale, and 0 as 0. */
static bool may_be_late(const rt_loader *loader) {
    const rt_examples *e = loader->part->examples;
    return e->bytes && !e->channels && e->shift == 0 && loader->augment.mixup == 0 &&
           !rti_augment_moves(&loader->augment);
}

rt_loader *rt_loader_new(const rt_part *part, int64_t batch, uint64_t shuffle_seed, const rt_augment *augment,
                         rt_error *error) {
    const rt_examples *e = part->examples;
    RT_ASSERT(batch >= 1, "batches of %lld", (long long)batch);
    rt_augment wanted = augment ? *augment : (rt_augment){.jitter = 0};
    if (rti_augment_check(&wanted, e, error) != RT_OK) return NULL;
    if (batch > part->count) batch = part->count > 0 ? part->count : 1;
    rt_loader *loader = rt_alloc_zero(1, sizeof *loader);
    if (loader) {
        int64_t shape[RT_MAX_DIMS] = {batch};
        memcpy(shape + 1, e->shape, (size_t)e->ndim * sizeof *shape);
        *loader = (rt_loader){.part = part, .batch = batch, .seed = shuffle_seed,
                              .augment = wanted};
        loader->order = rt_alloc((size_t)part->count * sizeof *loader->order);
        loader->examples = rt_alloc((size_t)part->count * sizeof *loader->examples);
        loader->x = rt_tensor_new(RT_DTYPE_REAL, e->ndim + 1, shape, error);
        loader->y = rt_tensor_new(RT_DTYPE_I32, 1, &batch, error);
        if (wanted.mixup > 0) {
            loader->plain = rt_tensor_new(RT_DTYPE_REAL, e->ndim + 1, shape, error);
            loader->y2 = rt_tensor_new(RT_DTYPE_I32, 1, &batch, error);
            loader->partner = rt_alloc((size_t)batch * sizeof *loader->partner);
        }
        if (may_be_late(loader)) {
            loader->bytes = rt_alloc((size_t)(batch * e->features));
            loader->value = rt_alloc(256 * sizeof *loader->value);
        }
    }
    if (!loader || !loader->order || !loader->examples || !loader->x || !loader->y ||
        (wanted.mixup > 0 && (!loader->plain || !loader->y2 || !loader->partner)) ||
        (may_be_late(loader) && (!loader->bytes || !loader->value))) {
        rt_fail(error, RT_MEMORY, "no memory to load batches of %lld of %lld examples", (long long)batch,
                (long long)part->count);
        rt_loader_free(loader);
        return NULL;
    }
    if (loader->value) {
        uint8_t each[256];
        for (int b = 0; b < 256; b++) each[b] = (uint8_t)b;
        rti_bytes_to_real(256, each, (rt_real)e->scale, (rt_real)e->shift, loader->value);
    }
    rt_loader_begin(loader, 0);
    return loader;
}

void rt_loader_free(rt_loader *loader) {
    if (!loader) return;
    rt_tensor_free(loader->x);
    rt_tensor_free(loader->y);
    rt_tensor_free(loader->plain);
    rt_tensor_free(loader->y2);
    rt_free(loader->partner);
    rt_free(loader->bytes);
    rt_free(loader->value);
    rt_free(loader->order);
    rt_free(loader->examples);
    rt_free(loader);
}

void rt_loader_begin(rt_loader *loader, int64_t epoch) {
    loader->epoch = epoch;
    loader->next = 0;
}

static void make_order(rt_loader *loader) {
    for (int64_t i = 0; i < loader->part->count; i++) loader->order[i] = (int32_t)i;
    if (loader->seed != 0) {
        rt_rng rng = rt_rng_stream(loader->seed, "shuffle", (uint64_t)loader->epoch, 0);
        rt_rng_shuffle(&rng, loader->order, loader->part->count);
    }
    for (int64_t i = 0; i < loader->part->count; i++)
        loader->examples[i] = loader->part->index[loader->order[i]];
}

int64_t rt_loader_steps(const rt_loader *loader) {
    return (loader->part->count + loader->batch - 1) / loader->batch;
}

static void one(rt_loader *loader, int64_t n) {
    const rt_examples *e = loader->part->examples;
    int64_t D = e->features, example = loader->examples[loader->start + n];
    rt_real *out = rt_real_data(loader->plain ? loader->plain : loader->x) + n * D;
    if (!rti_augment_moves(&loader->augment)) {
        rti_example_show(e, example, out);
        return;
    }
    rti_view view = rti_view_draw(&loader->augment, e, loader->seed, (uint64_t)loader->epoch,
                                  (uint64_t)example);
    rti_view_show(&view, e, e->bytes + example * D, out);
}

/* x = lambda x + (1 - lambda) x of the partner. */
static void mix(rt_loader *loader, double lambda) {
    int64_t D = loader->part->examples->features;
    for (int64_t n = 0; n < loader->now; n++) {
        const rt_real *own = rt_real_data(loader->plain) + n * D,
                      *other = rt_real_data(loader->plain) + loader->partner[n] * D;
        rt_real *out = rt_real_data(loader->x) + n * D;
        rti_scale(D, (rt_real)lambda, own, out);
        rti_axpy(D, (rt_real)(1 - lambda), other, out);
        rt_i32_data(loader->y2)[n] = rt_i32_data(loader->y)[loader->partner[n]];
    }
}

/* Partners and lambda of a batch; returns lambda. */
static double mixup(rt_loader *loader) {
    uint64_t step = (uint64_t)(loader->start / loader->batch);
    rt_rng rng = rt_rng_stream(loader->seed, "mixup", (uint64_t)loader->epoch, step);
    double lambda = rti_draw_beta(&rng, loader->augment.mixup, loader->augment.mixup);
    for (int64_t n = 0; n < loader->now; n++) loader->partner[n] = (int32_t)n;
    rt_rng_shuffle(&rng, loader->partner, loader->now);
    loader->y2->shape[0] = loader->now;
    mix(loader, lambda);
    return lambda;
}

#define NUMBERS_PER_TASK 65536 /* about 10 microseconds of work */

static int64_t task_size(const rt_loader *loader) {
    int64_t size = NUMBERS_PER_TASK / loader->part->examples->features;
    return size < 1 ? 1 : size;
}

/* The examples of a batch lie anywhere in the set, so their pixels are asked for well before. (Inlined
 * by force, because gcc drops calls of a function that does nothing but prefetch.) */
static inline __attribute__((always_inline)) void prefetch(const rt_loader *loader, int64_t n) {
    enum { AHEAD = 4, LINE_BYTES = 64, MOST_BYTES = 4096 };
    const rt_examples *e = loader->part->examples;
    const int64_t later = loader->start + n + AHEAD;
    if (later >= loader->part->count) return;
    __builtin_prefetch(&loader->part->labels[loader->order[later]]);
    if (!e->bytes) return;
    const uint8_t *image = e->bytes + e->features * loader->examples[later];
    const int64_t bytes = e->features < MOST_BYTES ? e->features : MOST_BYTES;
    for (int64_t d = 0; d < bytes; d += LINE_BYTES) __builtin_prefetch(image + d);
}

static void show(rt_loader *loader, int64_t n) {
    if (!loader->is_late) {
        one(loader, n);
        return;
    }
    const rt_examples *e = loader->part->examples;
    memcpy(loader->bytes + n * e->features, e->bytes + loader->examples[loader->start + n] * e->features,
           (size_t)e->features);
}

static void some(void *context, int64_t task) {
    rt_loader *loader = context;
    int64_t size = task_size(loader), end = (task + 1) * size;
    if (end > loader->now) end = loader->now;
    for (int64_t n = task * size; n < end; n++) {
        prefetch(loader, n);
        show(loader, n);
    }
}

static bool next(rt_loader *loader, rt_batch *batch) {
    int64_t left = loader->part->count - loader->next;
    if (left <= 0) return false;
    if (loader->next == 0) make_order(loader);
    loader->start = loader->next;
    loader->now = left < loader->batch ? left : loader->batch;
    int64_t size = task_size(loader), tasks = (loader->now + size - 1) / size;
    if (tasks > 1) rti_parallel(tasks, some, loader);
    else some(loader, 0);
    int32_t *y = rt_i32_data(loader->y);
    for (int64_t n = 0; n < loader->now; n++) y[n] = loader->part->labels[loader->order[loader->start + n]];
    loader->x->shape[0] = loader->y->shape[0] = loader->now;
    *batch = (rt_batch){.x = loader->x, .y = loader->y, .index = loader->order + loader->start,
                        .lambda = 1, .count = loader->now, .step = loader->start / loader->batch};
    if (loader->plain) {
        batch->lambda = mixup(loader);
        batch->y2 = loader->y2;
    }
    loader->next += loader->now;
    return true;
}

bool rt_loader_next(rt_loader *loader, rt_batch *batch) {
    loader->is_late = false;
    return next(loader, batch);
}

bool rti_loader_next_late(rt_loader *loader, rt_batch *batch, rti_byte_rows *late) {
    loader->is_late = loader->bytes != NULL;
    *late = (rti_byte_rows){loader->bytes, loader->value};
    return next(loader, batch);
}

void rti_loader_fill(rt_loader *loader) {
    const rt_examples *e = loader->part->examples;
    rti_bytes_to_real(loader->now * e->features, loader->bytes, (rt_real)e->scale, (rt_real)e->shift,
                      rt_real_data(loader->x));
}
