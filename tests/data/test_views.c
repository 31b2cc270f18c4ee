/* Augmented views, mixup, normalisation. Each augmentation against a second implementation that is slow and
 * looks at one pixel at a time (a padded copy, then a window, as torchvision's RandomCrop does it);
 * frequencies against their binomial and uniform laws, mixup's share against the moments of Beta(a, a);
 * replay against a second loader with another order, batch size and number of threads. */
#include <math.h>

#include "data/views.h"
#include "retort/threads.h"
#include "scratch.h"

#define CLOSE (sizeof(rt_real) == 4 ? 2e-6 : 1e-12)

enum { COUNT = 37, C = 3, H = 9, W = 8, D = C * H * W };

static uint8_t bytes[COUNT * D];
static int32_t labels[COUNT], numbers[COUNT];
static rt_examples examples;
static rt_part part;

static void part_begin(bool normalised) {
    rt_rng rng = rt_rng_stream(1, "test", 0, 0);
    for (int i = 0; i < COUNT * D; i++) bytes[i] = (uint8_t)rt_rng_below(&rng, 256);
    for (int i = 0; i < COUNT; i++) labels[i] = i % 5, numbers[i] = i;
    examples = (rt_examples){.count = COUNT,
                             .ndim = 3,
                             .shape = {C, H, W},
                             .features = D,
                             .classes = 5,
                             .bytes = bytes,
                             .labels = labels,
                             .scale = 1.0 / 255};
    if (normalised) {
        examples.channels = C;
        for (int c = 0; c < C; c++)
            examples.channel_scale[c] = 1.0 / (60 + c), examples.channel_shift[c] = -2.0 + 0.25 * c;
    }
    part = (rt_part){&examples, COUNT, numbers, labels};
}

static rt_loader *loads(int64_t batch, uint64_t seed, const rt_augment *augment) {
    rt_error error = {0};
    rt_loader *loader = rt_loader_new(&part, batch, seed, augment, &error);
    cr_assert(loader, "%s", error.message);
    return loader;
}

/* ---- the slow way ---- */

static double plain(int c, double byte) {
    return examples.channels ? byte * examples.channel_scale[c] + examples.channel_shift[c]
                             : byte * examples.scale + examples.shift;
}

/* Pad by p on all sides, flip, take the window at (top, left), turn into numbers, blank the square. */
static void slow_view(int example, bool flip, int p, bool reflect, int top, int left, int cut_y, int cut_x,
                      int cut, double *out) {
    static double padded[H + 32][W + 32];
    for (int c = 0; c < C; c++) {
        const uint8_t *image = bytes + (example * C + c) * H * W;
        for (int y = -p; y < H + p; y++)
            for (int x = -p; x < W + p; x++) {
                int from_y = y, from_x = x;
                bool outside = y < 0 || y >= H || x < 0 || x >= W;
                if (outside && reflect) {
                    while (from_y < 0 || from_y >= H) from_y = from_y < 0 ? -from_y : 2 * H - 2 - from_y;
                    while (from_x < 0 || from_x >= W) from_x = from_x < 0 ? -from_x : 2 * W - 2 - from_x;
                }
                padded[y + p][x + p] = outside && !reflect ? 0 : image[from_y * W + from_x];
            }
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                double v = plain(c, padded[top + y][left + (flip ? W - 1 - x : x)]);
                bool blank = y >= cut_y && y < cut_y + cut && x >= cut_x && x < cut_x + cut;
                out[(c * H + y) * W + x] = blank ? examples.channels ? 0 : plain(c, 0) : v;
            }
    }
}

static bool equal(const rt_real *x, const double *y) {
    for (int d = 0; d < D; d++)
        if (!(fabs((double)x[d] - y[d]) <= CLOSE)) return false;
    return true;
}

/* Every window, fill, mirror and square, hand in hand with the slow way. */
Test(views, every_view_is_the_slow_one) {
    static rt_real x[D];
    static double y[D];
    for (int normalised = 0; normalised < 2; normalised++) {
        part_begin(normalised);
        for (int p = 0; p <= 5; p++)
            for (int top = 0; top <= 2 * p; top++)
                for (int left = 0; left <= 2 * p; left++)
                    for (int kind = 0; kind < 4; kind++) {
                        bool flip = kind & 1, reflect = kind & 2;
                        int example = (top * 7 + left) % COUNT, cut = (top + left) % 4;
                        int cut_y = top % H - cut / 2, cut_x = left % W - cut / 2;
                        rti_view v = {.dy = p - top,
                                      .dx = p - left,
                                      .flip = flip,
                                      .reflect = reflect,
                                      .cut_y = cut_y,
                                      .cut_x = cut_x,
                                      .cut = cut};
                        rti_view_show(&v, &examples, bytes + example * D, x);
                        slow_view(example, flip, p, reflect, top, left, cut_y, cut_x, cut, y);
                        cr_assert(equal(x, y), "border %d, window %d %d, flip %d, reflect %d", p, top, left,
                                  flip, reflect);
                    }
    }
}

/* ---- what is drawn ---- */

static double chi_square(const int *seen, int cells) {
    double total = 0, chi = 0;
    for (int i = 0; i < cells; i++) total += seen[i];
    for (int i = 0; i < cells; i++) chi += pow(seen[i] - total / cells, 2) * cells / total;
    return chi;
}

/* Half are mirrored; windows and centres are uniform. Bounds: p = 0.0001 of the chi-square law. */
Test(views, frequencies) {
    part_begin(false);
    const rt_augment a = {.flip = true, .crop = 2, .cutout = 4};
    int flips[2] = {0}, window[25] = {0}, centre[H * W] = {0}, together[2 * 25] = {0};
    for (uint64_t epoch = 0; epoch < 400; epoch++)
        for (uint64_t example = 0; example < 50; example++) {
            rti_view v = rti_view_draw(&a, &examples, 3, epoch, example);
            int at = (int)((v.dy + 2) * 5 + v.dx + 2);
            cr_assert(v.dy >= -2 && v.dy <= 2 && v.dx >= -2 && v.dx <= 2 && v.cut == 4);
            flips[v.flip]++, window[at]++, together[at * 2 + v.flip]++;
            centre[(v.cut_y + 2) * W + v.cut_x + 2]++;
        }
    cr_assert_lt(chi_square(flips, 2), 15.1);
    cr_assert_lt(chi_square(window, 25), 59.6);
    cr_assert_lt(chi_square(together, 50), 96.0); /* and independent of each other */
    cr_assert_lt(chi_square(centre, H * W), 126.0);
}

/* One augmentation more leaves the others as they were. */
Test(views, augmentations_do_not_shift_each_other) {
    part_begin(false);
    const rt_augment all = {.jitter = 1, .flip = true, .crop = 2, .cutout = 4}, crop = {.crop = 2},
                     flip = {.flip = true}, cutout = {.cutout = 4}, jitter = {.jitter = 1};
    for (uint64_t i = 0; i < 200; i++) {
        rti_view v = rti_view_draw(&all, &examples, 3, i, i + 1),
                 a = rti_view_draw(&crop, &examples, 3, i, i + 1),
                 b = rti_view_draw(&jitter, &examples, 3, i, i + 1),
                 c = rti_view_draw(&cutout, &examples, 3, i, i + 1);
        cr_assert(v.dy == a.dy + b.dy && v.dx == a.dx + b.dx && v.cut_y == c.cut_y && v.cut_x == c.cut_x);
        cr_assert_eq(v.flip, rti_view_draw(&flip, &examples, 3, i, i + 1).flip);
    }
}

/* Mean 1/2, variance 1 / (4 (2a + 1)), fourth central moment 3 / (16 (2a + 1) (2a + 3)). */
Test(views, lambda_has_the_moments_of_beta) {
    static const double alphas[] = {0.2, 0.5, 1, 3};
    enum { DRAWS = 100000 };
    for (int k = 0; k < 4; k++) {
        double a = alphas[k], sum = 0, second = 0, fourth = 0;
        for (uint64_t i = 0; i < DRAWS; i++) {
            rt_rng rng = rt_rng_stream(11, "mixup", (uint64_t)k, i);
            double lambda = rti_draw_beta(&rng, a, a), d = lambda - 0.5;
            cr_assert(lambda >= 0 && lambda <= 1);
            sum += d, second += d * d, fourth += d * d * d * d;
        }
        double variance = 1 / (4 * (2 * a + 1)), fourth_moment = 3 / (16 * (2 * a + 1) * (2 * a + 3));
        cr_assert_lt(fabs(sum / DRAWS), 5 * sqrt(variance / DRAWS), "alpha %g: mean", a);
        cr_assert_float_eq(second / DRAWS, variance, 5 * sqrt((fourth_moment - variance * variance) / DRAWS));
        cr_assert_float_eq(fourth / DRAWS, fourth_moment, 0.03 * fourth_moment);
    }
}

/* ---- through the loader ---- */

/* The same epoch again: in another order of loading, with another batch size, on more threads. */
Test(views, are_replayed) {
    static const rt_augment kinds[] = {{.flip = true},
                                       {.crop = 3},
                                       {.crop = 3, .reflect = true},
                                       {.cutout = 3},
                                       {.jitter = 1, .flip = true, .crop = 2, .reflect = true, .cutout = 4}};
    for (int k = 0; k < 5; k++) {
        static rt_real first[COUNT][D];
        bool differs = false;
        part_begin(k % 2);
        for (int run = 0; run < 4; run++) { /* first; again; batch 10 on 3 threads; another epoch */
            rt_threads_set(run == 2 ? 3 : 1);
            rt_loader *loader = loads(run == 2 ? 10 : 7, 5, &kinds[k]);
            if (run == 1) rt_loader_begin(loader, 1);
            rt_loader_begin(loader, run == 3 ? 3 : 2);
            rt_batch b;
            while (rt_loader_next(loader, &b))
                for (int64_t n = 0; n < b.count; n++) {
                    rt_real *x = rt_real_data(b.x) + n * D, *kept = first[b.index[n]];
                    if (run == 0)
                        memcpy(kept, x, sizeof first[0]);
                    else if (run == 3)
                        differs = differs || memcmp(kept, x, sizeof first[0]) != 0;
                    else
                        cr_assert_arr_eq(kept, x, sizeof first[0]);
                    cr_assert(b.y2 == NULL && b.lambda == 1);
                }
            rt_loader_free(loader);
        }
        rt_threads_set(1);
        cr_assert(differs, "kind %d: another epoch has the same views", k);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* x = lambda x_i + (1 - lambda) x_j, with y of i and y2 of j, where j is a permutation of the batch. */
Test(views, mixup_mixes_images_and_names_both_labels) {
    part_begin(true);
    const rt_augment a = {.mixup = 0.8, .flip = true}, unmixed = {.flip = true};
    rt_loader *mixed = loads(12, 5, &a), *own = loads(12, 5, &unmixed), *again = loads(12, 5, &a);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        rt_loader_begin(mixed, epoch), rt_loader_begin(own, epoch), rt_loader_begin(again, epoch);
        rt_batch m, b, r;
        double last = -1;
        while (rt_loader_next(mixed, &m)) {
            cr_assert(rt_loader_next(own, &b) && rt_loader_next(again, &r));
            cr_assert(m.y2 && m.y2->shape[0] == m.count && m.lambda >= 0 && m.lambda <= 1);
            cr_assert(m.lambda != last && m.lambda == r.lambda);
            cr_assert_arr_eq(rt_real_data(m.x), rt_real_data(r.x), (size_t)(m.count * D) * sizeof(rt_real));
            last = m.lambda;
            bool taken[12] = {false};
            for (int64_t n = 0; n < m.count; n++) {
                int partner = -1;
                for (int j = 0; j < m.count && partner < 0; j++) {
                    bool fits = !taken[j] && rt_i32_data(m.y2)[n] == rt_i32_data(b.y)[j];
                    for (int d = 0; d < D && fits; d++) {
                        double x = m.lambda * rt_real_data(b.x)[n * D + d] +
                                   (1 - m.lambda) * rt_real_data(b.x)[j * D + d];
                        fits = fabs(x - rt_real_data(m.x)[n * D + d]) <= 4 * CLOSE;
                    }
                    if (fits) partner = j;
                }
                cr_assert_geq(partner, 0, "no partner explains image %d", (int)n);
                taken[partner] = true;
                cr_assert_eq(rt_i32_data(m.y)[n], rt_i32_data(b.y)[n]);
            }
        }
    }
    rt_loader_free(mixed), rt_loader_free(own), rt_loader_free(again);
}

Test(views, nothing_is_allocated_by_a_batch) {
    part_begin(true);
    const rt_augment all = {.flip = true, .crop = 4, .reflect = true, .cutout = 3, .mixup = 1};
    rt_loader *loader = loads(8, 9, &all);
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

/* ---- what cannot be augmented ---- */

static void augment_refused(rt_augment a, rt_status status, const char *says) {
    rt_error error = {0};
    cr_assert_null(rt_loader_new(&part, 4, 1, &a, &error), "should say \"%s\"", says);
    cr_assert_eq(error.status, status);
    cr_assert(strstr(error.message, says), "\"%s\" should hold \"%s\"", error.message, says);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(views, refusals_say_why) {
    static const float values[COUNT * D];
    part_begin(false);
    augment_refused((rt_augment){.crop = 8}, RT_UNSUPPORTED, "crop 8: images that are larger");
    augment_refused((rt_augment){.jitter = 4, .crop = 4}, RT_UNSUPPORTED, "jitter 4 and crop 4");
    augment_refused((rt_augment){.crop = -1}, RT_VALUE, "crop -1: 0 (none) or more");
    augment_refused((rt_augment){.cutout = 9}, RT_UNSUPPORTED, "cutout 9: larger than the images");
    augment_refused((rt_augment){.mixup = -1}, RT_VALUE, "mixup -1");
    augment_refused((rt_augment){.mixup = NAN}, RT_VALUE, "mixup nan");
    examples.ndim = 1, examples.shape[0] = D, examples.bytes = NULL, examples.values = values;
    augment_refused((rt_augment){.flip = true}, RT_UNSUPPORTED, "flip: images are needed");
    augment_refused((rt_augment){.cutout = 2}, RT_UNSUPPORTED, "rows of numbers");
    rt_loader_free(loads(4, 1, &(rt_augment){.mixup = 0.2}));
}

/* ---- normalisation ---- */

/* Over the train part (not the validation examples), in two plain passes; then mean 0 and deviation 1. */
Test(views, normalisation_is_fitted_on_the_train_part) {
    scratch_begin();
    rt_params *p = options_begin();
    option(p, "digits.train", "300");
    option(p, "digits.test", "20");
    option(p, "validation", "100");
    rt_dataset *raw = opens(p);
    option(p, "normalize", "true");
    rt_dataset *set = opens(p);
    const rt_part *train = rt_dataset_part(set, RT_PART_TRAIN);
    const rt_examples *e = train->examples, *test = rt_dataset_test_examples(set);
    double n = (double)(train->count * e->features), mean = 0, variance = 0;
    for (int64_t i = 0; i < train->count; i++)
        for (int64_t d = 0; d < e->features; d++) mean += e->bytes[train->index[i] * e->features + d] / n;
    for (int64_t i = 0; i < train->count; i++)
        for (int64_t d = 0; d < e->features; d++)
            variance += pow(e->bytes[train->index[i] * e->features + d] - mean, 2) / n;
    cr_assert(e->channels == 1 && test->channels == 1);
    cr_assert_float_eq(e->channel_scale[0], 1 / sqrt(variance), 1e-12);
    cr_assert_float_eq(e->channel_shift[0], -mean / sqrt(variance), 1e-11);
    cr_assert(test->channel_scale[0] == e->channel_scale[0] && test->channel_shift[0] == e->channel_shift[0]);

    rt_loader *loader = rt_loader_new(train, 64, 1, NULL, NULL);
    rt_batch b;
    double sum = 0, squares = 0;
    while (rt_loader_next(loader, &b))
        for (int64_t i = 0; i < b.count * e->features; i++) {
            double x = rt_real_data(b.x)[i];
            sum += x / n, squares += x * x / n;
        }
    rt_loader_free(loader);
    cr_assert(fabs(sum) < 1e-5 && fabs(squares - 1) < 1e-5, "mean %g, mean square %g", sum, squares);
    for (int k = 0; k < 4; k++)
        cr_assert_str_neq(rt_dataset_part_hash(set, (rt_part_name)k),
                          rt_dataset_part_hash(raw, (rt_part_name)k));
    cr_assert(strstr(rt_dataset_summary(set), ", normalised: mean 0."), "%s", rt_dataset_summary(set));
    rt_dataset_free(set);
    rt_dataset_free(raw);
    scratch_end();
}
