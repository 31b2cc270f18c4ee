/* loader.c - batches: order, shifts, and bytes that become numbers.    Floor 6 (data)
 *
 * Everything a batch needs is made when the loader is: the order of an epoch is shuffled in place,
 * pixels are converted on their way from the set into the batch. Images of a batch are independent,
 * so that larger batches are spread over the threads. */
#include <string.h>

#include "core/pool.h"
#include "data/dataset.h"
#include "kernels/kernels.h"

struct rt_loader {
    const rt_part *part;
    int64_t batch, next, epoch;
    uint64_t seed;
    int jitter;
    int32_t *order;     /* (count) positions in the part */
    rt_tensor *x, *y;
    int64_t start, now; /* the batch that is being made: order[start ... start+now-1] */
};

rt_loader *rt_loader_new(const rt_part *part, int64_t batch, uint64_t shuffle_seed, const rt_augment *augment,
                         rt_error *error) {
    const rt_examples *e = part->examples;
    RT_ASSERT(batch >= 1, "batches of %lld", (long long)batch);
    int jitter = augment ? augment->jitter : 0;
    if (jitter &&
        (e->ndim != 3 || !e->bytes || jitter < 0 || jitter >= e->shape[1] || jitter >= e->shape[2])) {
        rt_fail(error, RT_UNSUPPORTED, "jitter %d: images that are larger than the shift are needed", jitter);
        return NULL;
    }
    if (batch > part->count) batch = part->count > 0 ? part->count : 1;
    rt_loader *loader = rt_alloc_zero(1, sizeof *loader);
    if (loader) {
        int64_t shape[RT_MAX_DIMS] = {batch};
        memcpy(shape + 1, e->shape, (size_t)e->ndim * sizeof *shape);
        *loader = (rt_loader){.part = part, .batch = batch, .seed = shuffle_seed, .jitter = jitter};
        loader->order = rt_alloc((size_t)part->count * sizeof *loader->order);
        loader->x = rt_tensor_new(RT_DTYPE_REAL, e->ndim + 1, shape, error);
        loader->y = rt_tensor_new(RT_DTYPE_I32, 1, &batch, error);
    }
    if (!loader || !loader->order || !loader->x || !loader->y) {
        rt_fail(error, RT_MEMORY, "no memory to load batches of %lld of %lld examples", (long long)batch,
                (long long)part->count);
        rt_loader_free(loader);
        return NULL;
    }
    rt_loader_begin(loader, 0);
    return loader;
}

void rt_loader_free(rt_loader *loader) {
    if (!loader) return;
    rt_tensor_free(loader->x);
    rt_tensor_free(loader->y);
    rt_free(loader->order);
    rt_free(loader);
}

void rt_loader_begin(rt_loader *loader, int64_t epoch) {
    loader->epoch = epoch;
    loader->next = 0;
    for (int64_t i = 0; i < loader->part->count; i++) loader->order[i] = (int32_t)i;
    if (loader->seed == 0) return;
    rt_rng rng = rt_rng_stream(loader->seed, "shuffle", (uint64_t)epoch, 0);
    rt_rng_shuffle(&rng, loader->order, loader->part->count);
}

int64_t rt_loader_steps(const rt_loader *loader) {
    return (loader->part->count + loader->batch - 1) / loader->batch;
}

/* out[c][y][x] = image[c][y - dy][x - dx] where that is inside, else background. In a plane that lies
 * row after row a shift moves everything by one distance; what came in from the neighbouring row on
 * the way is then painted over. */
static void shifted(const rt_examples *e, const uint8_t *image, int64_t dy, int64_t dx, rt_real *out) {
    int64_t H = e->shape[1], W = e->shape[2], plane = H * W, distance = dy * W + dx;
    rt_real scale = (rt_real)e->scale, shift = (rt_real)e->shift;
    rt_real background = (rt_real)e->background * scale + shift;
    int64_t lead = distance > 0 ? distance : 0, tail = distance < 0 ? -distance : 0;
    int64_t from = dx > 0 ? 0 : W + dx, to = dx > 0 ? dx : W;
    for (int64_t c = 0; c < e->shape[0]; c++, image += plane, out += plane) {
        rti_fill(lead, background, out);
        rti_bytes_to_real(plane - lead - tail, image + tail, scale, shift, out + lead);
        rti_fill(tail, background, out + plane - tail);
        for (int64_t y = 0; y < H; y++)
            for (int64_t x = from; x < to; x++) out[y * W + x] = background;
    }
}

static void one(rt_loader *loader, int64_t n) {
    const rt_examples *e = loader->part->examples;
    int64_t D = e->features, example = loader->part->index[loader->order[loader->start + n]];
    rt_real *out = rt_real_data(loader->x) + n * D;
    if (!e->bytes) {
        for (int64_t d = 0; d < D; d++) out[d] = (rt_real)e->values[example * D + d];
        return;
    }
    const uint8_t *image = e->bytes + example * D;
    if (loader->jitter) {
        rt_rng rng = rt_rng_stream(loader->seed, "jitter", (uint64_t)loader->epoch, (uint64_t)example);
        uint32_t places = 2 * (uint32_t)loader->jitter + 1;
        int64_t dy = (int64_t)rt_rng_below(&rng, places) - loader->jitter;
        int64_t dx = (int64_t)rt_rng_below(&rng, places) - loader->jitter;
        shifted(e, image, dy, dx, out);
    } else {
        rti_bytes_to_real(D, image, (rt_real)e->scale, (rt_real)e->shift, out);
    }
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
    if (!e->bytes || n + AHEAD >= loader->now) return;
    const uint8_t *image = e->bytes +
                           e->features * loader->part->index[loader->order[loader->start + n + AHEAD]];
    const int64_t bytes = e->features < MOST_BYTES ? e->features : MOST_BYTES;
    for (int64_t d = 0; d < bytes; d += LINE_BYTES) __builtin_prefetch(image + d);
}

static void some(void *context, int64_t task) {
    rt_loader *loader = context;
    int64_t size = task_size(loader), end = (task + 1) * size;
    if (end > loader->now) end = loader->now;
    for (int64_t n = task * size; n < end; n++) {
        prefetch(loader, n);
        one(loader, n);
    }
}

bool rt_loader_next(rt_loader *loader, rt_batch *batch) {
    int64_t left = loader->part->count - loader->next;
    if (left <= 0) return false;
    loader->start = loader->next;
    loader->now = left < loader->batch ? left : loader->batch;
    int64_t size = task_size(loader), tasks = (loader->now + size - 1) / size;
    if (tasks > 1) rti_parallel(tasks, some, loader);
    else some(loader, 0);
    int32_t *y = rt_i32_data(loader->y);
    for (int64_t n = 0; n < loader->now; n++) y[n] = loader->part->labels[loader->order[loader->start + n]];
    loader->x->shape[0] = loader->y->shape[0] = loader->now;
    *batch = (rt_batch){loader->x, loader->y, loader->order + loader->start, loader->now,
                        loader->start / loader->batch};
    loader->next += loader->now;
    return true;
}
