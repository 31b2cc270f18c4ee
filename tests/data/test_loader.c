/* Batches: coverage by counting, shifts against a second implementation pixel by pixel, repeatability
 * against a second loader, allocations by the counter. */
#include <math.h>

#include "data/dataset.h"
#include "data/loader.h"
#include "retort/threads.h"
#include "scratch.h"

#define CLOSE (sizeof(rt_real) == 4 ? 1e-6 : 1e-12)

/* 23 images of 2 channels, 5x4, in a set of 30 of which the even and some odd ones are in the part. */
enum { COUNT = 23, SET = 30, C = 2, H = 5, W = 4, D = C * H * W };

static uint8_t bytes[SET * D];
static int32_t example_labels[SET], part_index[COUNT], part_labels[COUNT];
static rt_examples examples;
static rt_part part;

static void part_begin(void) {
    rt_rng rng = rt_rng_stream(1, "test", 0, 0);
    for (int i = 0; i < SET * D; i++) bytes[i] = (uint8_t)(1 + rt_rng_below(&rng, 255));
    for (int i = 0; i < SET; i++) example_labels[i] = i % 10;
    for (int i = 0; i < COUNT; i++)
        part_index[i] = i < 7 ? i : i + 7, part_labels[i] = (part_index[i] + 1) % 10;
    examples = (rt_examples){.count = SET,
                             .ndim = 3,
                             .shape = {C, H, W},
                             .features = D,
                             .classes = 10,
                             .bytes = bytes,
                             .labels = example_labels,
                             .scale = 1.0 / 255,
                             .shift = 0.25,
                             .background = 51};
    part = (rt_part){&examples, COUNT, part_index, part_labels};
}

static double value(int byte) { return byte / 255.0 + 0.25; }

static rt_loader *loads(int64_t batch, uint64_t seed, int jitter) {
    rt_error error = {0};
    rt_loader *loader = rt_loader_new(&part, batch, seed, &(rt_augment){.jitter = jitter}, &error);
    cr_assert(loader, "%s", error.message);
    return loader;
}

Test(loader, in_order_with_a_smaller_last_batch) {
    part_begin();
    rt_loader *loader = loads(10, 0, 0);
    rt_batch b;
    int64_t at = 0, step = 0;
    cr_assert_eq(rt_loader_steps(loader), 3);
    while (rt_loader_next(loader, &b)) {
        cr_assert_eq(b.count, step < 2 ? 10 : 3);
        cr_assert(b.step == step && b.x->ndim == 4 && b.x->shape[0] == b.count && b.x->shape[1] == C);
        cr_assert(b.x->shape[2] == H && b.x->shape[3] == W && b.y->shape[0] == b.count && b.y->ndim == 1);
        cr_assert(rt_tensor_is_contiguous(b.x) && !b.x->requires_grad);
        for (int64_t n = 0; n < b.count; n++, at++) {
            cr_assert(b.index[n] == at && rt_i32_data(b.y)[n] == part_labels[at]);
            for (int d = 0; d < D; d++)
                cr_assert_float_eq(rt_real_data(b.x)[n * D + d], value(bytes[part_index[at] * D + d]), CLOSE);
        }
        step++;
    }
    cr_assert_eq(at, COUNT);
    cr_assert_not(rt_loader_next(loader, &b));
    rt_loader_begin(loader, 1);
    cr_assert(rt_loader_next(loader, &b) && b.index[0] == 0 && b.count == 10 && b.x->shape[0] == 10);
    rt_loader_free(loader);
    loader = loads(1000, 0, 0);
    cr_assert(rt_loader_steps(loader) == 1 && rt_loader_next(loader, &b) && b.count == COUNT);
    rt_loader_free(loader);
}

Test(loader, shuffled_covers_each_once_and_differs_by_epoch_and_seed) {
    part_begin();
    int32_t order[4][COUNT];
    for (int run = 0; run < 4; run++) { /* epochs 0, 1 of seed 5; epoch 1 of a new loader; seed 6 */
        rt_loader *loader = loads(4, run == 3 ? 6 : 5, 0);
        rt_loader_begin(loader, run == 0 || run == 3 ? 0 : 1);
        rt_batch b;
        int seen[COUNT] = {0}, at = 0;
        while (rt_loader_next(loader, &b))
            for (int64_t n = 0; n < b.count; n++) {
                int32_t position = b.index[n];
                cr_assert(position >= 0 && position < COUNT);
                seen[position]++;
                order[run][at++] = position;
                cr_assert_eq(rt_i32_data(b.y)[n], part_labels[position]);
                cr_assert_float_eq(rt_real_data(b.x)[n * D + 3], value(bytes[part_index[position] * D + 3]),
                                   CLOSE);
            }
        for (int i = 0; i < COUNT; i++) cr_assert_eq(seen[i], 1);
        rt_loader_free(loader);
    }
    cr_assert(memcmp(order[0], order[1], sizeof order[0]) != 0);
    cr_assert(memcmp(order[0], order[3], sizeof order[0]) != 0);
    cr_assert_arr_eq(order[1], order[2], sizeof order[1]);
}

/* The shift that turns image `example` into x, looked for among all (2n+1)^2; pixels from outside must
 * be background. Returns dy * 100 + dx + 5000, or -1. */
static int shift_of(const rt_real *x, int example, int n) {
    for (int dy = -n; dy <= n; dy++)
        for (int dx = -n; dx <= n; dx++) {
            bool same = true;
            for (int c = 0; c < C; c++)
                for (int y = 0; y < H; y++)
                    for (int i = 0; i < W; i++) {
                        bool in = y - dy >= 0 && y - dy < H && i - dx >= 0 && i - dx < W;
                        int byte = in ? bytes[example * D + (c * H + y - dy) * W + i - dx] : 51;
                        same = same && fabs((double)x[(c * H + y) * W + i] - value(byte)) <= CLOSE;
                    }
            if (same) return dy * 100 + dx + 5000;
        }
    return -1;
}

/* Every batch image is one of the shifts, all shifts come, about equally often, in x and y. */
Test(loader, jitter_shifts_fills_and_never_wraps) {
    part_begin();
    rt_loader *loader = loads(8, 9, 2);
    int seen[25] = {0}, epochs = 200;
    for (int epoch = 0; epoch < epochs; epoch++) {
        rt_loader_begin(loader, epoch);
        rt_batch b;
        while (rt_loader_next(loader, &b))
            for (int64_t n = 0; n < b.count; n++) {
                int shift = shift_of(rt_real_data(b.x) + n * D, part_index[b.index[n]], 2);
                cr_assert_geq(shift, 0, "no shift explains the image");
                int dy = (shift + 50) / 100 - 50, dx = shift - 5000 - dy * 100;
                seen[(dy + 2) * 5 + dx + 2]++;
            }
    }
    double expected = epochs * COUNT / 25.0, chi = 0;
    for (int i = 0; i < 25; i++) chi += (seen[i] - expected) * (seen[i] - expected) / expected;
    cr_assert_lt(chi, 51.2, "chi square %g with 24 degrees of freedom", chi); /* p = 0.001 */
    rt_loader_free(loader);
}

/* An example's shift depends on (seed, epoch, example): not on the batch size, the order of loading,
 * the threads or the part it is loaded through. */
Test(loader, jitter_is_a_function_of_seed_epoch_and_example) {
    part_begin();
    static rt_real first[SET][D];
    rt_loader *loader = loads(5, 9, 3);
    rt_loader_begin(loader, 4);
    rt_batch b;
    while (rt_loader_next(loader, &b))
        for (int64_t n = 0; n < b.count; n++)
            memcpy(first[part_index[b.index[n]]], rt_real_data(b.x) + n * D, sizeof first[0]);
    rt_loader_free(loader);
    part.index = part_index + 3, part.labels = part_labels + 3, part.count = COUNT - 3;
    rt_threads_set(3);
    loader = loads(20, 9, 3);
    rt_loader_begin(loader, 4);
    while (rt_loader_next(loader, &b))
        for (int64_t n = 0; n < b.count; n++)
            cr_assert_arr_eq(first[part.index[b.index[n]]], rt_real_data(b.x) + n * D, sizeof first[0]);
    rt_loader_free(loader);
    rt_threads_set(1);
}

/* A batch of many tasks on several threads has the bits of the one-threaded one. */
Test(loader, large_batches_on_threads) {
    scratch_begin();
    rt_params *p = options_begin();
    option(p, "digits.train", "600");
    option(p, "digits.test", "1");
    option(p, "validation", "0");
    rt_dataset *set = opens(p);
    const rt_part *train = rt_dataset_part(set, RT_PART_TRAIN);
    rt_loader *a = rt_loader_new(train, 600, 3, &(rt_augment){.jitter = 2}, NULL),
              *b = rt_loader_new(train, 600, 3, &(rt_augment){.jitter = 2}, NULL);
    rt_batch x, y;
    cr_assert(a && b && rt_loader_next(a, &x));
    rt_threads_set(4);
    cr_assert(rt_loader_next(b, &y));
    rt_threads_set(1);
    cr_assert_arr_eq(rt_real_data(x.x), rt_real_data(y.x), 600 * 784 * sizeof(rt_real));
    rt_loader_free(a);
    rt_loader_free(b);
    rt_dataset_free(set);
    scratch_end();
}

static rt_loader *augmented(const rt_augment *augment) {
    rt_error error = {0};
    rt_loader *loader = rt_loader_new(&part, 10, 5, augment, &error);
    cr_assert(loader, "%s", error.message);
    return loader;
}

Test(loader, numbers_that_come_later_are_those_that_come_at_once) {
    part_begin();
    examples.shift = 0;
    for (int i = 0; i < SET * D; i += 3) bytes[i] = 0;
    rt_loader *at_once = augmented(NULL), *later = augmented(NULL);
    rt_batch a, b;
    rti_byte_rows late;
    while (rt_loader_next(at_once, &a)) {
        cr_assert(rti_loader_next_late(later, &b, &late) && late.bytes && late.value[0] == 0);
        cr_assert(a.count == b.count && a.step == b.step && b.x->shape[0] == b.count);
        const rt_real *numbers = rt_real_data(a.x);
        for (int64_t i = 0; i < a.count * D; i++) cr_assert_eq(late.value[late.bytes[i]], numbers[i]);
        cr_assert_arr_eq(rt_i32_data(a.y), rt_i32_data(b.y), (size_t)a.count * sizeof(int32_t));
        rt_real_data(b.x)[0] = -1;
        rti_loader_fill(later);
        cr_assert_arr_eq(numbers, rt_real_data(b.x), (size_t)(a.count * D) * sizeof *numbers);
    }
    cr_assert(!rti_loader_next_late(later, &b, &late));
    rt_loader_free(at_once), rt_loader_free(later);
}

/* Where a 0 is not shown as 0, or a byte in more than one way, the numbers are there at once. */
Test(loader, numbers_that_cannot_come_later) {
    static const rt_augment moved = {.jitter = 1}, mixed = {.mixup = 0.5}, none = {.jitter = 0};
    const rt_augment *all[] = {&moved, &mixed, &none, &none};
    for (int i = 0; i < 4; i++) {
        part_begin();
        if (i < 2) examples.shift = 0;
        if (i == 3) {
            examples.shift = 0;
            examples.channels = C;
        }
        rt_loader *at_once = augmented(all[i]), *later = augmented(all[i]);
        rt_batch a, b;
        rti_byte_rows late;
        cr_assert(rt_loader_next(at_once, &a) && rti_loader_next_late(later, &b, &late) && !late.bytes);
        cr_assert_arr_eq(rt_real_data(a.x), rt_real_data(b.x), (size_t)(a.count * D) * sizeof(rt_real));
        rt_loader_free(at_once), rt_loader_free(later);
    }
}

Test(loader, rows_of_numbers) {
    static const float values[] = {1.5f, -2, 3, 4, 5, 6.25f};
    static const int32_t labels[] = {1, 0, 1}, index[] = {0, 2};
    rt_examples rows = {.count = 3, .ndim = 1, .shape = {2}, .features = 2, .classes = 2, .values = values,
                        .labels = labels, .scale = 1};
    rt_part two = {&rows, 2, index, labels};
    rt_loader *loader = rt_loader_new(&two, 2, 0, NULL, NULL);
    rt_batch b;
    cr_assert(loader && rt_loader_next(loader, &b) && b.x->ndim == 2 && b.x->shape[1] == 2);
    static const rt_real expected[] = {(rt_real)1.5, -2, 5, (rt_real)6.25};
    cr_assert_arr_eq(rt_real_data(b.x), expected, sizeof expected);
    rt_loader_free(loader);
    rt_error error = {0};
    cr_assert_null(rt_loader_new(&two, 2, 0, &(rt_augment){.jitter = 1}, &error));
    cr_assert(error.status == RT_UNSUPPORTED && strstr(error.message, "jitter"));
    part_begin();
    cr_assert_null(rt_loader_new(&part, 2, 0, &(rt_augment){.jitter = 4}, &error)); /* as wide as the image */
    cr_assert_eq(error.status, RT_UNSUPPORTED);
}

Test(loader, allocates_nothing_after_it_was_made) {
    part_begin();
    rt_loader *loader = loads(4, 9, 2);
    size_t calls = rt_alloc_stats_get().calls;
    rt_batch b;
    for (int epoch = 0; epoch < 3; epoch++) {
        rt_loader_begin(loader, epoch);
        while (rt_loader_next(loader, &b)) cr_assert(b.count > 0);
    }
    cr_assert_eq(rt_alloc_stats_get().calls, calls);
    rt_loader_free(loader);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(loader, every_failing_allocation) {
    part_begin();
    rt_loader *loader = NULL;
    int n = 1;
    for (; !loader && n < 50; n++) {
        rt_error error = {0};
        rt_alloc_fail_after((size_t)n);
        loader = rt_loader_new(&part, 4, 1, NULL, &error);
        rt_alloc_fail_after(0);
        if (!loader) cr_assert(error.status == RT_MEMORY && rt_alloc_stats_get().live_blocks == 0);
    }
    cr_assert(loader && n > 4);
    rt_loader_free(loader);
    examples.shift = 0; /* with bytes, too */
    const int before = n;
    for (n = 1, loader = NULL; !loader && n < 50; n++) {
        rt_error error = {0};
        rt_alloc_fail_after((size_t)n);
        loader = rt_loader_new(&part, 4, 1, NULL, &error);
        rt_alloc_fail_after(0);
        if (!loader) cr_assert(error.status == RT_MEMORY && rt_alloc_stats_get().live_blocks == 0);
    }
    cr_assert(loader && n == before + 2);
    rt_loader_free(loader);
}
