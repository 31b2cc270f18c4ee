/* Convolutional models: parameters and multiply-adds against what is published and against counting layer by
 * layer here; places and their shapes against the papers' descriptions; refusals. */
#include <math.h>

#include "images_fixture.h"

static const int64_t cifar[3] = {3, 32, 32}, mnist[3] = {1, 28, 28};

/* ---- counting by hand ---- */

typedef struct cost {
    int64_t parameters, products;
    int64_t side, channels; /* of the image as it goes on */
} cost;

static void conv(cost *c, int64_t kernel, int64_t stride, int64_t filters, bool bias) {
    c->side = (c->side - 1) / stride + 1; /* padding that keeps the size */
    c->parameters += kernel * kernel * c->channels * filters + (bias ? filters : 0);
    c->products += c->side * c->side * kernel * kernel * c->channels * filters;
    c->channels = filters;
}

static void norm(cost *c) { c->parameters += 2 * c->channels; }

static void linear(cost *c, int64_t inputs, int64_t units) {
    c->parameters += inputs * units + units;
    c->products += inputs * units;
}

static void shortcut(cost *c, int64_t side, int64_t channels, int64_t stride, bool normalised) {
    cost other = {.side = side, .channels = channels};
    conv(&other, 1, stride, c->channels, false);
    if (normalised) norm(&other);
    c->parameters += other.parameters;
    c->products += other.products;
}

static cost resnet(int depth, const int64_t f[4], bool pad, const int64_t shape[3], int64_t classes) {
    cost c = {.side = shape[1], .channels = shape[0]};
    conv(&c, 3, 1, f[0], false), norm(&c);
    for (int stage = 1; stage <= 3; stage++)
        for (int i = 0; i < (depth - 2) / 6; i++) {
            const int64_t side = c.side, channels = c.channels, stride = stage > 1 && i == 0 ? 2 : 1;
            conv(&c, 3, stride, f[stage], false), norm(&c);
            conv(&c, 3, 1, f[stage], false), norm(&c);
            if (!pad && (stride > 1 || channels != f[stage])) shortcut(&c, side, channels, stride, true);
        }
    linear(&c, c.channels, classes);
    return c;
}

static cost wrn(int depth, int64_t width, const int64_t shape[3], int64_t classes) {
    cost c = {.side = shape[1], .channels = shape[0]};
    conv(&c, 3, 1, 16, false);
    for (int stage = 0; stage < 3; stage++)
        for (int i = 0; i < (depth - 4) / 6; i++) {
            const int64_t side = c.side, channels = c.channels, stride = stage > 0 && i == 0 ? 2 : 1;
            const int64_t filters = (16 * width) << stage;
            norm(&c), conv(&c, 3, stride, filters, false);
            norm(&c), conv(&c, 3, 1, filters, false);
            if (channels != filters) shortcut(&c, side, channels, stride, false);
        }
    norm(&c), linear(&c, c.channels, classes);
    return c;
}

static cost vgg(int convs, const int64_t shape[3], int64_t classes) {
    static const int64_t f[5] = {64, 128, 256, 512, 512};
    cost c = {.side = shape[1], .channels = shape[0]};
    for (int group = 0; group < 5; group++) {
        for (int i = 0; i < convs; i++) conv(&c, 3, 1, f[group], true), norm(&c);
        if (group < 3) c.side /= 2;
    }
    linear(&c, 512, classes);
    return c;
}

static void compare(const char *kind, const char *settings, const int64_t shape[3], int64_t classes,
                    cost by_hand, int64_t published) {
    rt_model *m = fixture_image_model(kind, settings, shape, classes, 1);
    const rt_model_cost is = rt_model_cost_get(m);
    cr_expect_eq(is.parameters, by_hand.parameters, "%s: %lld parameters, by hand %lld", rt_model_summary(m),
                 (long long)is.parameters, (long long)by_hand.parameters);
    cr_expect_eq(is.multiply_adds, by_hand.products, "%s: %lld products, by hand %lld", rt_model_summary(m),
                 (long long)is.multiply_adds, (long long)by_hand.products);
    if (published)
        cr_expect_eq(is.parameters, published, "%s: %lld parameters, published %lld", rt_model_summary(m),
                     (long long)is.parameters, (long long)published);
    int64_t buffers = 0;
    for (int i = 0; i < rt_model_parameters(m); i++) {
        const rt_parameter *p = rt_model_parameter(m, i);
        if (p->kind == RT_BUFFER) buffers += rt_tensor_count(&p->tensor);
    }
    cr_expect_eq(is.bytes, (is.parameters + buffers) * (int64_t)sizeof(rt_real));
    rt_model_free(m);
}

/* He et al. 2015 print 0.27M, 0.46M, 0.66M, 0.85M, 1.7M for option A on CIFAR-10: what is counted when their
 * table is done by hand. */
Test(image_models, resnets_of_the_paper_have_its_counts) {
    static const int64_t f[4] = {16, 16, 32, 64};
    static const struct {
        int depth;
        int64_t parameters;
        double millions;
    } rows[] = {
        {8, 75290, 0.08},   {14, 172506, 0.17}, {20, 269722, 0.27},   {32, 464154, 0.46},
        {44, 658586, 0.66}, {56, 853018, 0.85}, {110, 1727962, 1.73},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char settings[64];
        snprintf(settings, sizeof settings, "depth=%d shortcut=pad", rows[i].depth);
        compare("resnet", settings, cifar, 10, resnet(rows[i].depth, f, true, cifar, 10), rows[i].parameters);
        cr_assert_float_eq((double)rows[i].parameters / 1e6, rows[i].millions, 0.006);
    }
}

/* Convolutions as shortcuts, 100 classes: the counts of RepDistiller's networks. */
Test(image_models, networks_of_the_distillation_tables_have_their_counts) {
    static const int64_t thin[4] = {16, 16, 32, 64}, wide[4] = {32, 64, 128, 256};
    compare("resnet", "depth=8", cifar, 10, resnet(8, thin, false, cifar, 10), 0);
    compare("resnet", "depth=20", cifar, 100, resnet(20, thin, false, cifar, 100), 278324);
    compare("resnet", "depth=32", cifar, 100, resnet(32, thin, false, cifar, 100), 472756);
    compare("resnet", "depth=56", cifar, 100, resnet(56, thin, false, cifar, 100), 861620);
    compare("resnet", "depth=110", cifar, 100, resnet(110, thin, false, cifar, 100), 1736564);
    compare("resnet", "depth=8 filters=[32,64,128,256]", cifar, 100, resnet(8, wide, false, cifar, 100),
            1233540);
    compare("resnet", "depth=32 filters=[32,64,128,256]", cifar, 100, resnet(32, wide, false, cifar, 100),
            7433860);
    compare("wrn", "depth=16 width=2", cifar, 100, wrn(16, 2, cifar, 100), 703284);
    compare("wrn", "depth=40 width=1", cifar, 100, wrn(40, 1, cifar, 100), 569780);
    compare("wrn", "depth=40 width=2", cifar, 100, wrn(40, 2, cifar, 100), 2255156);
    compare("vgg", "depth=8", cifar, 100, vgg(1, cifar, 100), 3965028);
    compare("vgg", "depth=13", cifar, 100, vgg(2, cifar, 100), 9462180);
    /* Attention transfer's pairs on CIFAR-10: 0.2M, 0.7M, 0.6M, 2.2M. */
    compare("wrn", "depth=16 width=1", cifar, 10, wrn(16, 1, cifar, 10), 0);
    compare("wrn", "depth=16 width=2", cifar, 10, wrn(16, 2, cifar, 10), 0);
    compare("resnet", "depth=20", mnist, 10, resnet(20, thin, false, mnist, 10), 0);
    compare("wrn", "depth=16 width=1", mnist, 10, wrn(16, 1, mnist, 10), 0);
}

Test(image_models, small_networks_have_the_counts_of_their_papers) {
    cost lenet = {.parameters = 156 + 2416 + 48120 + 10164 + 850,
                  .products = 28 * 28 * 25 * 6 + 100 * 150 * 16 + 400 * 120 + 120 * 84 + 840};
    compare("lenet5", "", mnist, 10, lenet, 61706);
    compare("lenet5", "", (const int64_t[]){1, 32, 32}, 10, lenet, 61706);
    lenet.parameters += 300, lenet.products += 28 * 28 * 25 * 12;
    compare("lenet5", "activation=tanh pool=mean", cifar, 10, lenet, 0);

    /* kann's example for MNIST, in the peers' bench: 3x3x32, 3x3x32, pool, 128. */
    const cost kann = {.parameters = 320 + 9248 + 4608 * 128 + 128 + 1290,
                       .products = 26 * 26 * 9 * 32 + 24 * 24 * 288 * 32 + 4608 * 128 + 1280};
    compare("cnn", "filters=[32,32] pool_after=[2] padding=none hidden=[128]", mnist, 10, kann, 0);

    static const struct {
        const char *settings;
        int64_t classes, published;
        int filters[20];
        int hidden;
    } plain[] = {
        {"layers=2", 10, 0, {16, 0, 16, 0, -1}, 0},
        {"layers=4", 10, 0, {16, 16, 0, 32, 32, 0, -1}, 0},
        {"layers=6", 10, 0, {16, 16, 0, 32, 32, 0, 64, 64, 0, -1}, 0},
        {"layers=8", 10, 0, {16, 16, 0, 32, 32, 0, 64, 64, 0, 128, 128, 0, -1}, 64},
        {"layers=10", 10, 0, {32, 32, 0, 64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, -1}, 128},
        {"layers=6 plan=cifar100", 100, 0, {32, 32, 0, 64, 64, 0, 128, 128, -1}, 0},
        {"layers=10 plan=cifar100",
         100,
         0,
         {32, 32, 0, 64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, -1},
         512},
    };
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        cost c = {.side = 32, .channels = 3};
        for (const int *f = plain[i].filters; *f >= 0; f++) {
            if (*f)
                conv(&c, 3, 1, *f, true), norm(&c);
            else
                c.side /= 2;
        }
        int64_t features = c.side * c.side * c.channels;
        if (plain[i].hidden) linear(&c, features, plain[i].hidden), features = plain[i].hidden;
        linear(&c, features, plain[i].classes);
        compare("plain", plain[i].settings, cifar, plain[i].classes, c, plain[i].published);
    }
}

/* ---- places ---- */

static void place(const rt_model *m, const char *name, int ndim, int64_t a, int64_t b, int64_t c) {
    rt_error error = {0};
    int is;
    int64_t shape[RT_MAX_DIMS] = {0};
    cr_assert_eq(rt_model_tap_shape(m, name, &is, shape, &error), RT_OK, "%s", error.message);
    cr_assert(is == ndim && shape[0] == a && (ndim == 1 || (shape[1] == b && shape[2] == c)),
              "%s of %s: %d dimensions, %lld %lld %lld", name, rt_model_summary(m), is, (long long)shape[0],
              (long long)shape[1], (long long)shape[2]);
}

Test(image_models, places_are_where_the_papers_take_features) {
    rt_model *m = fixture_image_model("resnet", "depth=20", cifar, 10, 1);
    cr_assert_str_eq(rt_model_stem(m), "stem");
    cr_assert_eq(rt_model_stages(m), 3);
    cr_assert_str_eq(rt_model_stage(m, 2), "stage3");
    cr_assert_str_eq(rt_model_penultimate(m), "pool");
    cr_assert_eq(rt_model_taps(m), 1 + 9 + 3 + 1 + 1);
    place(m, "stem", 3, 32, 32, 16);
    place(m, "stage1", 3, 32, 32, 16);
    place(m, "stage2.pre", 3, 16, 16, 32);
    place(m, "stage3.block1", 3, 8, 8, 64);
    place(m, "stage3", 3, 8, 8, 64);
    place(m, "pool", 1, 64, 0, 0);
    place(m, "fc", 1, 10, 0, 0);
    const rt_parameter *scale = NULL, *bias = NULL;
    for (int with = 0; with < 2; with++) {
        cr_assert(rt_model_tap_batch_norm(m, with ? "stage2.pre" : "stage2", &scale, &bias));
        cr_assert_str_eq(scale->name, "stage2.block3.bn2.scale");
        cr_assert_str_eq(bias->name, "stage2.block3.bn2.bias");
        cr_assert(scale->kind == RT_SCALE && bias->kind == RT_BIAS && scale->tensor.shape[0] == 32);
    }
    cr_assert_not(rt_model_tap_batch_norm(m, "pool", &scale, &bias));
    rt_model_free(m);

    m = fixture_image_model("wrn", "depth=16 width=2", cifar, 10, 1);
    place(m, "stem", 3, 32, 32, 16);
    place(m, "stage1", 3, 32, 32, 32);
    place(m, "stage3.pre", 3, 8, 8, 128);
    cr_assert(rt_model_tap_batch_norm(m, "stage1.pre", &scale, &bias));
    cr_assert_str_eq(scale->name, "stage2.block1.bn1.scale");
    cr_assert(rt_model_tap_batch_norm(m, "stage3", &scale, &bias));
    cr_assert_str_eq(scale->name, "bn.scale");
    rt_model_free(m);

    m = fixture_image_model("vgg", "depth=13", cifar, 10, 1);
    cr_assert_eq(rt_model_stages(m), 4);
    place(m, "stem", 3, 32, 32, 64);
    place(m, "stage1", 3, 16, 16, 128);
    place(m, "stage2", 3, 8, 8, 256);
    place(m, "stage3", 3, 4, 4, 512);
    place(m, "stage4.pre", 3, 4, 4, 512);
    cr_assert(rt_model_tap_batch_norm(m, "stage4", &scale, &bias));
    cr_assert_str_eq(scale->name, "stage4.bn2.scale");
    rt_model_free(m);

    m = fixture_image_model("lenet5", "", mnist, 10, 1);
    cr_assert_null(rt_model_stem(m));
    cr_assert_eq(rt_model_stages(m), 2);
    place(m, "stage1", 3, 28, 28, 6);
    place(m, "stage2.pre", 3, 10, 10, 16);
    place(m, "fc2", 1, 84, 0, 0);
    cr_assert_str_eq(rt_model_penultimate(m), "fc2");
    rt_model_free(m);

    m = fixture_image_model("plain", "layers=4", cifar, 10, 1);
    cr_assert_eq(rt_model_stages(m), 2);
    place(m, "stage1", 3, 32, 32, 16);
    place(m, "stage2", 3, 16, 16, 32);
    cr_assert_str_eq(rt_model_penultimate(m), "flatten");
    place(m, "flatten", 1, 2048, 0, 0);
    rt_model_free(m);
}

/* ---- initial values ---- */

Test(image_models, kernels_follow_their_law_and_normalisation_starts_neutral) {
    for (int in = 0; in < 2; in++) {
        rt_model *m = fixture_image_model("vgg", in ? "depth=8 init=he" : "depth=8", cifar, 10, 1);
        const rt_parameter *w = rti_model_find_parameter(m, "stage3.conv1.weight"); /* 256 -> 512 */
        cr_assert(w && w->unit_axis == 3 && w->tensor.ndim == 4 && w->tensor.shape[2] == 256);
        const int64_t n = rt_tensor_count(&w->tensor);
        double squares = 0;
        for (int64_t i = 0; i < n; i++) {
            const double x = (double)rt_real_data(&w->tensor)[i];
            squares += x * x;
        }
        cr_assert_float_eq(squares / (double)n * (in ? 9 * 256 : 9 * 512) / 2, 1, 0.01);
        static const struct {
            const char *name;
            double value;
        } start[] = {{"stage3.bn1.scale", 1},        {"stage3.bn1.bias", 0},
                     {"stage3.bn1.running_mean", 0}, {"stage3.bn1.running_variance", 1},
                     {"stage3.conv1.bias", 0},       {"fc.bias", 0}};
        for (int k = 0; k < 6; k++) {
            const rt_parameter *p = rti_model_find_parameter(m, start[k].name);
            cr_assert(p, "%s", start[k].name);
            for (int64_t i = 0; i < rt_tensor_count(&p->tensor); i++)
                cr_assert_eq((double)rt_real_data(&p->tensor)[i], start[k].value, "%s", start[k].name);
            cr_assert_eq(p->tensor.requires_grad, p->kind != RT_BUFFER);
        }
        rt_model_free(m);
    }
}

/* ---- refusals ---- */

Test(image_models, impossible_sizes_and_depths_are_refused_with_the_reason) {
    static const struct {
        const char *kind, *settings;
        int ndim;
        int64_t shape[3];
        const char *says;
    } wrong[] = {
        {"resnet", "depth=9", 3, {3, 32, 32}, "nearest are 8 and 14"},
        {"resnet", "depth=19", 3, {3, 32, 32}, "nearest are 14 and 20"},
        {"resnet", "filters=[16,32,64]", 3, {3, 32, 32}, "needs 4"},
        {"resnet", "depth=8", 1, {64, 0, 0}, "needs images"},
        {"wrn", "depth=17", 3, {3, 32, 32}, "nearest are 16 and 22"},
        {"vgg", "depth=9", 3, {3, 32, 32}, "8, 11, 13, 16 and 19"},
        {"vgg", "filters=[1,2]", 3, {3, 32, 32}, "needs 5"},
        {"vgg", "depth=8", 3, {3, 4, 4}, "pool2"},
        {"lenet5", "", 3, {1, 8, 8}, "conv2"},
        {"plain", "layers=3", 3, {3, 32, 32}, "2, 4, 6, 8 and 10"},
        {"plain", "layers=10", 3, {1, 8, 8}, "pool4"},
        {"cnn", "filters=[]", 3, {3, 32, 32}, "at least one"},
        {"cnn", "pool_after=[3]", 3, {3, 32, 32}, "no convolution"},
        {"cnn", "pool_after=[1,1]", 3, {3, 32, 32}, "twice"},
        {"cnn", "kernel=4", 3, {3, 32, 32}, "odd"},
        {"cnn", "kernel=9 padding=none", 3, {3, 8, 8}, "does not fit"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rt_error error = {0};
        rt_model *m = fixture_try(wrong[i].kind, wrong[i].settings, wrong[i].ndim, wrong[i].shape, 10, 1,
                                  &error);
        cr_assert(!m && error.status == RT_SPEC && strstr(error.message, wrong[i].says), "%s %s: %s",
                  wrong[i].kind, wrong[i].settings, error.message);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(image_models, every_size_people_have_works) {
    static const struct {
        int ndim;
        int64_t shape[3];
    } sizes[] = {{3, {1, 28, 28}}, {3, {3, 32, 32}}, {2, {28, 28, 0}}, {3, {3, 64, 64}}, {3, {3, 33, 40}}};
    static const char *const kinds[] = {"cnn", "lenet5", "plain", "resnet", "wrn"};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int k = 0; k < 5; k++) {
            rt_error error = {0};
            rt_model *m = fixture_try(kinds[k], "", sizes[s].ndim, sizes[s].shape, 10, 1, &error);
            cr_assert(m, "%s", error.message);
            rt_graph *g = rt_graph_new(NULL);
            const int64_t features = m->features, shape[] = {2, features};
            rt_real *x = rt_alloc_zero((size_t)(2 * features), sizeof *x);
            fixture_numbers(x, 2 * features, 1);
            rt_no_grad_begin(g);
            rt_tensor *z = rt_model_forward(m, g, rt_graph_input(g, x, 2, shape));
            rt_no_grad_end(g);
            cr_assert(z && z->ndim == 2 && z->shape[0] == 2 && z->shape[1] == 10, "%s: %s",
                      rt_model_summary(m), rt_graph_error(g)->message);
            for (int t = 0; t < rt_model_taps(m); t++) {
                int ndim;
                int64_t planned[RT_MAX_DIMS];
                const char *name = rt_model_tap_name(m, t);
                const rt_tensor *is = rt_model_tap(m, name);
                cr_assert_eq(rt_model_tap_shape(m, name, &ndim, planned, &error), RT_OK);
                cr_assert(is && is->ndim == ndim + 1, "%s", name);
                for (int d = 0; d < ndim; d++) cr_assert_eq(is->shape[d + 1], planned[d], "%s", name);
            }
            rt_free(x);
            rt_graph_free(g);
            rt_model_free(m);
        }
}

/* In bfloat16 every kind computes the same up to the end of its last stage, where convolutions end; its
 * logits are others, and near. */
Test(image_models, bf16_is_of_linear_layers_alone) {
    rt_error error = {0};
    static rt_real x[3 * 2 * 12 * 12];
    fixture_numbers(x, 3 * 2 * 12 * 12, 5);
    for (int i = 0; i < FIXTURE_SMALL; i++) {
        rt_model *plain = fixture_image_model(fixture_small[i].kind, fixture_small[i].settings, fixture_image,
                                              3, 1),
                 *first = fixture_image_model(fixture_small[i].kind, fixture_small[i].settings, fixture_image,
                                              3, 1);
        rt_model_use_bf16(first);
        rt_model_use_bf16(first);
        rt_model *rounded = rt_model_new_like(first, 1, &error);
        char summary[256];
        snprintf(summary, sizeof summary, "%s, bf16", rt_model_summary(plain));
        cr_assert_str_eq(rt_model_summary(rounded), summary);
        rt_graph *g = rt_graph_new(NULL);
        const int64_t shape[] = {3, 2, 12, 12};
        const rt_tensor *z = rt_model_forward(plain, g, rt_graph_input(g, x, 4, shape)),
                        *r = rt_model_forward(rounded, g, rt_graph_input(g, x, 4, shape));
        const char *stage = rt_model_stage(plain, rt_model_stages(plain) - 1);
        const rt_tensor *before = rt_model_tap(plain, stage), *same = rt_model_tap(rounded, stage);
        cr_assert(before && same, "%s", summary);
        cr_assert(!memcmp(before->data, same->data, (size_t)rt_tensor_count(before) * sizeof(rt_real)), "%s",
                  summary);
        double most = 0, off = 0;
        for (int k = 0; k < 9; k++) {
            most = fmax(most, fabs((double)rt_real_data(z)[k]));
            off = fmax(off, fabs((double)(rt_real_data(z)[k] - rt_real_data(r)[k])));
        }
        cr_assert(off > 0 && off < 0.03 * most, "%s: %g of %g", summary, off, most);
        rt_graph_free(g);
        rt_model_free(plain), rt_model_free(first), rt_model_free(rounded);
    }
}
