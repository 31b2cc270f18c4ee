/* Models under PyTorch's names. Checked against:
 * - themselves: written and read, every kind of model has the same hash and the same answers;
 * - a convolutional net computed here from the tensors in PyTorch's layout, with plain loops in double over
 *   (C, H, W), that knows nothing of retort's layouts;
 * - names and shapes as the state_dicts of the implementations that are named have them, written out here;
 * - files with one thing wrong, which must be refused with the model as it was. */
#include <criterion/criterion.h>
#include <math.h>

#include "../support/temporary.h"
#include "formats/safetensors.h"
#include "images_fixture.h"
#include "nn/torch_names.h"
#include "retort/alloc.h"

/* ---- files ---- */

enum { TENSORS = 256 };
typedef struct state {
    int count;
    rti_st_entry entry[TENSORS];
    char name[TENSORS][RTI_TORCH_NAME];
    rt_real *data[TENSORS];
} state;

static int64_t zero;

/* The model's state_dict, each name with `prefix` in front. */
static void take(state *s, const rt_model *m, const char *prefix) {
    rti_torch_tensor *list;
    rt_error error = {0};
    cr_assert_eq(rti_torch_list(m, &list, &s->count, &error), RT_OK, "%s", error.message);
    for (int i = 0; i < s->count; i++) {
        rti_st_entry *e = &s->entry[i];
        *e = (rti_st_entry){.name = s->name[i], .ndim = list[i].ndim, .count = 1};
        snprintf(s->name[i], RTI_TORCH_NAME, "%s%.64s", prefix, list[i].name);
        for (int d = 0; d < e->ndim; d++) e->count *= e->shape[d] = list[i].shape[d];
        s->data[i] = rt_alloc((size_t)e->count * sizeof(rt_real));
        e->dtype = list[i].parameter < 0 ? RTI_ST_I64 : sizeof(rt_real) == 4 ? RTI_ST_F32 : RTI_ST_F64;
        e->bytes = (size_t)e->count * (e->dtype == RTI_ST_I64 ? 8 : sizeof(rt_real));
        e->data = list[i].parameter < 0 ? (unsigned char *)&zero : (unsigned char *)s->data[i];
        if (list[i].parameter >= 0) rti_torch_get(m, list[i].parameter, s->data[i]);
    }
    rt_free(list);
}

static void drop(state *s) {
    for (int i = 0; i < s->count; i++) rt_free(s->data[i]);
}

static int find(const state *s, const char *name) {
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->name[i], name) == 0) return i;
    cr_assert_fail("there is no tensor %s", name);
    return -1;
}

static void write(const state *s) {
    rt_error error = {0};
    const char *const metadata[] = {"format", "pt", NULL};
    cr_assert_eq(rti_st_write(test_path("t.safetensors"), s->entry, s->count, metadata, &error), RT_OK, "%s",
                 error.message);
}

static void loads(rt_model *m) {
    rt_error error = {0};
    cr_assert_eq(rt_model_load(m, test_path("t.safetensors"), &error), RT_OK, "%s", error.message);
}

static void refused(rt_model *m, const char *says) {
    int64_t n;
    rt_real *block = rt_model_block(m, &n), *before = rt_alloc((size_t)n * sizeof *before);
    memcpy(before, block, (size_t)n * sizeof *before);
    rt_error error = {0};
    cr_assert_eq(rt_model_load(m, test_path("t.safetensors"), &error), RT_FORMAT, "%s", says);
    cr_assert(strstr(error.message, says), "wanted \"%s\", got: %s", says, error.message);
    cr_assert(strstr(error.message, "t.safetensors"), "%s", error.message);
    cr_assert_arr_eq(block, before, (size_t)n * sizeof *before);
    rt_free(before);
}

static rt_model *mlp(const char *settings, uint64_t seed) {
    rt_error error = {0};
    static const int64_t shape[3] = {1, 2, 3};
    rt_model *m = fixture_try("mlp", settings, 3, shape, 4, seed, &error);
    cr_assert(m, "%s", error.message);
    return m;
}

/* Every number its own, running statistics too. */
static void scatter(rt_model *m) {
    for (int i = 0; i < rt_model_parameters(m); i++) {
        rt_parameter *p = rt_model_parameter(m, i);
        const int64_t count = rt_tensor_count(&p->tensor);
        fixture_numbers(rt_real_data(&p->tensor), count, (uint64_t)i + 7);
        const bool variance = strstr(p->name, "variance") != NULL;
        for (int64_t k = 0; k < count; k++) {
            rt_real *x = &rt_real_data(&p->tensor)[k];
            *x = variance ? (rt_real)fabs((double)*x) + (rt_real)0.25 : *x * (rt_real)0.5;
        }
    }
}

static void answers(rt_model *m, const rt_real *x, int64_t N, rt_real *z) {
    rt_graph *g = rt_graph_new(NULL);
    rt_tensor *in = rt_graph_tensor(g, RT_DTYPE_REAL, 2, (int64_t[]){N, m->features});
    memcpy(in->data, x, (size_t)(N * m->features) * sizeof *x);
    rt_model_evaluate(m);
    rt_tensor *out = rt_model_forward(m, g, in);
    cr_assert(out, "%s", rt_graph_error(g)->message);
    for (int64_t i = 0; i < N * m->classes; i++) z[i] = rt_real_data(out)[i];
    rt_graph_free(g);
}

/* ---- round trips ---- */

static void round_trip(rt_model *m, rt_model *other) {
    static rt_real x[4 * 288], before[64], after[64];
    char wanted[33], got[33];
    static state s;
    scatter(m);
    take(&s, m, "");
    write(&s);
    loads(other);
    rt_model_hash(m, wanted), rt_model_hash(other, got);
    cr_assert_str_eq(got, wanted, "%s", rt_model_summary(m));
    fixture_numbers(x, 4 * m->features, 5);
    answers(m, x, 4, before), answers(other, x, 4, after);
    cr_assert_arr_eq(before, after, (size_t)(4 * m->classes) * sizeof *before);
    drop(&s);
    rt_model_free(m), rt_model_free(other);
}

Test(torch_names, every_kind_of_model_is_read_as_it_was_written) {
    for (int i = 0; i < FIXTURE_SMALL; i++) {
        const char *kind = fixture_small[i].kind, *settings = fixture_small[i].settings;
        round_trip(fixture_image_model(kind, settings, fixture_image, 3, 1),
                   fixture_image_model(kind, settings, fixture_image, 3, 2));
    }
    round_trip(mlp("hidden=[5,3]", 1), mlp("hidden=[5,3] dropout.hidden=0.5", 2));
    round_trip(mlp("hidden=[] bias=false", 1), mlp("hidden=[] bias=false", 2));
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(torch_names, every_kind_of_model_that_is_registered_has_names) {
    int count;
    const char *const *kinds = rt_model_kinds(&count);
    for (int i = 0; i < count; i++) {
        bool seen = strcmp(kinds[i], "mlp") == 0;
        for (int k = 0; k < FIXTURE_SMALL; k++) seen |= strcmp(kinds[i], fixture_small[k].kind) == 0;
        cr_assert(seen, "%s: write its names into torch_names.c and an instance into the fixture", kinds[i]);
    }
}

/* ---- an independent forward ----
 *
 * nn.Sequential(Conv2d(2, 3, 3, padding=1), BatchNorm2d(3), ReLU(), Conv2d(3, 4, 3, padding=1),
 *               BatchNorm2d(4), ReLU(), MaxPool2d(2), Flatten(), Linear(48, 5), ReLU(), Linear(5, 3))
 * on images of 2 x 6 x 8, from the tensors 0, 1, 3, 4, 8, 10. */

enum { H = 6, W = 8, PIXELS = H * W };

static double of(const state *s, const char *name, int64_t i) { return (double)s->data[find(s, name)][i]; }

static void convolve(const state *s, const char *name, int in, int out, const double *x, double *y) {
    const rt_real *w = s->data[find(s, name)];
    for (int o = 0; o < out; o++)
        for (int r = 0; r < H; r++)
            for (int c = 0; c < W; c++) {
                double sum = 0;
                for (int i = 0; i < in; i++)
                    for (int a = 0; a < 3; a++)
                        for (int b = 0; b < 3; b++) {
                            int row = r + a - 1, column = c + b - 1;
                            if (row < 0 || row >= H || column < 0 || column >= W) continue;
                            sum += (double)w[((o * in + i) * 3 + a) * 3 + b] *
                                   x[i * PIXELS + row * W + column];
                        }
                y[o * PIXELS + r * W + c] = sum;
            }
}

static void normalise(const state *s, const char *module, int channels, double *x) {
    char name[64];
    double p[4];
    static const char *const leaf[] = {"weight", "bias", "running_mean", "running_var"};
    for (int c = 0; c < channels; c++) {
        for (int k = 0; k < 4; k++) {
            snprintf(name, sizeof name, "%s.%s", module, leaf[k]);
            p[k] = of(s, name, c);
        }
        for (int i = 0; i < PIXELS; i++) {
            double *v = &x[c * PIXELS + i];
            *v = (*v - p[2]) / sqrt(p[3] + 1e-5) * p[0] + p[1];
            if (*v < 0) *v = 0;
        }
    }
}

static void multiply(const state *s, const char *module, int in, int out, const double *x, double *y) {
    char weight[64], bias[64];
    snprintf(weight, sizeof weight, "%s.weight", module);
    snprintf(bias, sizeof bias, "%s.bias", module);
    for (int o = 0; o < out; o++) {
        y[o] = of(s, bias, o);
        for (int i = 0; i < in; i++) y[o] += of(s, weight, o * in + i) * x[i];
    }
}

static void pytorch(const state *s, const double *x, double z[3]) {
    static double a[4 * PIXELS], b[4 * PIXELS], flat[4 * PIXELS / 4], hidden[5];
    convolve(s, "0.weight", 2, 3, x, a);
    normalise(s, "1", 3, a);
    convolve(s, "3.weight", 3, 4, a, b);
    normalise(s, "4", 4, b);
    for (int c = 0; c < 4; c++)
        for (int r = 0; r < H / 2; r++)
            for (int k = 0; k < W / 2; k++) {
                const double *at = b + c * PIXELS + 2 * r * W + 2 * k;
                flat[(c * H / 2 + r) * W / 2 + k] = fmax(fmax(at[0], at[1]), fmax(at[W], at[W + 1]));
            }
    multiply(s, "8", 48, 5, flat, hidden);
    for (int i = 0; i < 5; i++) hidden[i] = fmax(hidden[i], 0);
    multiply(s, "10", 5, 3, hidden, z);
}

Test(torch_names, the_layouts_are_those_that_pytorch_computes_with) {
    static state s;
    const int64_t shape[3] = {2, H, W};
    rt_model *m = fixture_image_model("cnn", "filters=[3,4] pool_after=[2] hidden=[5] batch_norm=true", shape,
                                      3, 1);
    scatter(m);
    take(&s, m, "");
    rti_text python = RTI_TEXT_EMPTY;
    cr_assert_eq(rti_torch_module(m, &python, NULL), RT_OK);
    cr_assert_str_eq(rti_text_string(&python),
                     "nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU(), "
                     "nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), "
                     "nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48, 5), nn.ReLU(), nn.Linear(5, 3))");
    rti_text_deinit(&python);
    rt_real x[2 * PIXELS], ours[3];
    double theirs[3], wide[2 * PIXELS];
    for (uint64_t n = 0; n < 5; n++) {
        fixture_numbers(x, 2 * PIXELS, n + 1);
        for (int i = 0; i < 2 * PIXELS; i++) wide[i] = (double)x[i];
        answers(m, x, 1, ours);
        pytorch(&s, wide, theirs);
        for (int k = 0; k < 3; k++)
            cr_assert(fabs((double)ours[k] - theirs[k]) <=
                          (sizeof(rt_real) == 4 ? 1e-5 : 1e-12) * (1 + fabs(theirs[k])),
                      "logit %d is %.9g, not %.9g", k, (double)ours[k], theirs[k]);
    }
    drop(&s);
    rt_model_free(m);
}

/* ---- names ---- */

static void has(const state *s, const char *name, int ndim, const int64_t *shape) {
    const rti_st_entry *e = &s->entry[find(s, name)];
    cr_assert_eq(e->ndim, ndim, "%s", name);
    for (int d = 0; d < ndim; d++) cr_assert_eq(e->shape[d], shape[d], "%s", name);
}
#define HAS(name, ...) \
    has(&s, name, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__})

Test(torch_names, residual_networks_are_called_as_in_the_common_implementations) {
    static state s;
    rt_model *m = fixture_image_model("resnet", "depth=14 filters=[16,16,32,64]", (int64_t[]){3, 32, 32}, 10,
                                      1);
    take(&s, m, "");
    cr_assert_eq(s.count, 6 * (1 + 12 + 2) + 2); /* a convolution and a normalisation are 6 tensors */
    HAS("conv1.weight", 16, 3, 3, 3);
    HAS("bn1.running_var", 16);
    HAS("layer1.1.bn2.weight", 16);
    HAS("layer2.0.conv1.weight", 32, 16, 3, 3);
    HAS("layer2.0.downsample.0.weight", 32, 16, 1, 1);
    HAS("layer3.0.downsample.1.bias", 64);
    HAS("layer3.1.conv2.weight", 64, 64, 3, 3);
    HAS("fc.weight", 10, 64);
    cr_assert_eq(s.entry[find(&s, "bn1.num_batches_tracked")].ndim, 0);
    drop(&s);
    rt_model_free(m);
    m = fixture_image_model("wrn", "depth=16 width=2", (int64_t[]){3, 32, 32}, 10, 1);
    take(&s, m, "");
    HAS("conv1.weight", 16, 3, 3, 3);
    HAS("block1.layer.0.bn1.weight", 16);
    HAS("block1.layer.0.convShortcut.weight", 32, 16, 1, 1);
    HAS("block3.layer.1.conv2.weight", 128, 128, 3, 3);
    HAS("bn1.running_mean", 128);
    HAS("fc.bias", 10);
    drop(&s);
    rt_model_free(m);
}

/* Renames what begins with `from`. */
static void rename_all(state *s, const char *from, const char *to) {
    for (int i = 0; i < s->count; i++) {
        char old[RTI_TORCH_NAME];
        if (strncmp(s->name[i], from, strlen(from)) != 0) continue;
        snprintf(old, sizeof old, "%s", s->name[i]);
        snprintf(s->name[i], RTI_TORCH_NAME, "%.30s%.90s", to, old + strlen(from));
    }
}

typedef struct other_names {
    const char *kind, *settings;
    const char *names[16]; /* from, to, ... */
} other_names;

static const other_names accepted[] = {
    {"mlp", "hidden=[5,3]", {"0.", "fc1.", "2.", "fc2.", "4.", "fc3."}},
    {"mlp", "hidden=[5,3]", {"0.", "fc1.", "2.", "fc2.", "4.", "out."}},
    {"mlp", "hidden=[5,3]", {"4.", "10.", "2.", "4.", "0.", "1."}}, /* with dropout between them */
    {"mlp", "hidden=[5,3]", {"0.", "net.0.", "2.", "net.3.", "4.", "net.6."}},
    {"mlp", "hidden=[5,3]", {"0.", "layers.0.", "2.", "layers.1.", "4.", "classifier."}},
    {"resnet", "depth=8 filters=[2,3,4,5]", {"fc.", "linear."}},
    {"wrn", "depth=10 base=2", {"fc.", "linear."}},
    {"vgg",
     "depth=8 filters=[2,3,5,6,8]",
     {"0.", "block0.0.", "1.", "block0.1.", "4.", "block1.0.", "5.", "block1.1.", "20.", "classifier.", "8.",
      "block2.0.", "9.", "block2.1.", "12.", "block3.0."}}, /* and the rest, in the test */
    {"cnn",
     "filters=[2,3] pool_after=[1] hidden=[5]",
     {"0.", "conv1.", "3.", "conv2.", "6.", "fc1.", "8.", "fc2."}},
    {"cnn",
     "filters=[2,3] pool_after=[1] hidden=[5]",
     {"0.", "features.0.", "3.", "features.3.", "6.", "classifier.1.", "8.", "classifier.4."}},
    {"cnn",
     "filters=[2,3] pool_after=[1] hidden=[5]",
     {"0.", "body.0.0.", "3.", "body.1.0.", "6.", "body.2.1.", "8.", "fc."}},
    {"lenet5", "", {"0.", "conv1.", "3.", "conv2.", "7.", "fc1.", "9.", "fc2.", "11.", "fc3."}},
    {"plain",
     "layers=2",
     {"0.", "conv_layers.0.", "1.", "conv_layers.1.", "4.", "conv_layers.4.", "5.", "conv_layers.5.", "9.",
      "fc_layers.0."}},
};

static rt_model *made(const other_names *a, uint64_t seed) {
    if (strcmp(a->kind, "mlp") == 0) return mlp(a->settings, seed);
    return fixture_image_model(a->kind, a->settings, fixture_image, 3, seed);
}

Test(torch_names, other_spellings_are_read) {
    static state s;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
        for (int wrapped = 0; wrapped < 2; wrapped++) {
            rt_model *m = made(&accepted[i], 1), *other = made(&accepted[i], 2);
            char wanted[33], got[33];
            scatter(m);
            take(&s, m, "");
            for (int k = 0; k < 16 && accepted[i].names[k]; k += 2)
                rename_all(&s, accepted[i].names[k], accepted[i].names[k + 1]);
            if (strcmp(accepted[i].kind, "vgg") == 0) {
                rename_all(&s, "13.", "block3.1.");
                rename_all(&s, "15.", "block4.0.");
                rename_all(&s, "16.", "block4.1.");
            }
            if (wrapped) rename_all(&s, "", "module._orig_mod.");
            write(&s);
            loads(other);
            rt_model_hash(m, wanted), rt_model_hash(other, got);
            cr_assert_str_eq(got, wanted, "%s, names %d", accepted[i].kind, (int)i);
            drop(&s);
            rt_model_free(m), rt_model_free(other);
        }
}

Test(torch_names, shortcuts_have_two_names) {
    static state s;
    rt_model *m = fixture_image_model("resnet", "depth=8 filters=[2,3,4,5]", fixture_image, 3, 1);
    rt_model *other = fixture_image_model("resnet", "depth=8 filters=[2,3,4,5]", fixture_image, 3, 2);
    char wanted[33], got[33];
    scatter(m);
    take(&s, m, "");
    for (int i = 0; i < s.count; i++) {
        char *at = strstr(s.name[i], "downsample"), rest[64];
        if (!at) continue;
        snprintf(rest, sizeof rest, "%s", at + strlen("downsample"));
        snprintf(at, 80, "shortcut%s", rest);
    }
    write(&s);
    loads(other);
    rt_model_hash(m, wanted), rt_model_hash(other, got);
    cr_assert_str_eq(got, wanted);
    drop(&s);
    rt_model_free(m), rt_model_free(other);
}

/* ---- numbers ---- */

Test(torch_names, halves_and_doubles_are_converted) {
    rt_model *m = mlp("hidden=[]", 1);
    static const unsigned char half[] = {0x00, 0x3c, 0x00, 0xc0,
                                         0x01, 0x00, 0xff, 0x7b}; /* 1 -2 2^-24 65504 */
    static const unsigned char brain[] = {0x80, 0x3f, 0x00, 0xc0, 0x80, 0x33, 0x40, 0x40}; /* 1 -2 2^-24 3 */
    const double weight[24] = {0.1, 1, 2};
    /* The writer makes no halves: a file by hand. */
    for (int b = 0; b < 2; b++) {
        char header[512];
        unsigned char bytes[1024];
        int length = snprintf(header, sizeof header,
                              "{\"0.weight\":{\"dtype\":\"F64\",\"shape\":[4,6],\"data_offsets\":[0,192]},"
                              "\"0.bias\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[192,200]}}",
                              b ? "BF16" : "F16");
        memset(bytes, 0, 8);
        bytes[0] = (unsigned char)(length & 255), bytes[1] = (unsigned char)(length >> 8);
        memcpy(bytes + 8, header, (size_t)length);
        memcpy(bytes + 8 + length, weight, sizeof weight);
        memcpy(bytes + 8 + length + sizeof weight, b ? brain : half, 8);
        cr_assert_eq(rti_file_write(test_path("t.safetensors"), bytes, (size_t)length + 208, NULL), RT_OK);
        loads(m);
        const rt_real *bias = rt_real_data(&rt_model_parameter(m, 1)->tensor);
        cr_assert_eq(bias[0], 1);
        cr_assert_eq(bias[1], -2);
        cr_assert_eq(bias[2], (rt_real)ldexp(1, -24));
        cr_assert_eq(bias[3], b ? 3 : 65504);
        cr_assert_eq(rt_real_data(&rt_model_parameter(m, 0)->tensor)[0], (rt_real)0.1);
    }
    rt_model_free(m);
}

/* ---- refusals ---- */

static void wrong(rt_model *m, state *s, const char *says) {
    write(s);
    refused(m, says);
    drop(s);
    take(s, m, "");
}

Test(torch_names, what_does_not_fit_is_refused_with_its_name) {
    static state s;
    rt_model *m = fixture_image_model("resnet", "depth=8 filters=[2,3,4,5]", fixture_image, 3, 1);
    take(&s, m, "");
    snprintf(s.name[find(&s, "layer2.0.conv1.weight")], RTI_TORCH_NAME, "layer2.0.convx.weight");
    write(&s);
    refused(m, "no tensor \"layer2.0.conv1.weight\" (4, 3, 3, 3)");
    wrong(m, &s, "without a place in the model: \"layer2.0.convx.weight\" (4, 3, 3, 3)");

    rti_st_entry *e = &s.entry[find(&s, "layer2.0.conv1.weight")];
    e->shape[0] = 3, e->shape[1] = 4;
    wrong(m, &s,
          "\"layer2.0.conv1.weight\" has the shape (3, 4, 3, 3); stage2.block1.conv1.weight of the model "
          "resnet8");
    e = &s.entry[find(&s, "layer2.0.conv1.weight")];
    e->shape[0] = 3, e->shape[1] = 4;
    wrong(m, &s, "needs (4, 3, 3, 3)");

    s.entry[s.count] = s.entry[find(&s, "conv1.weight")];
    s.entry[s.count++].name = "conv1.bias";
    write(&s);
    s.count--;
    refused(m, "tensors without a place in the model resnet8");

    s.data[find(&s, "bn1.running_var")][1] = -1;
    wrong(m, &s, "\"bn1.running_var\" has a negative variance at position 1");
    s.data[find(&s, "fc.weight")][2] = NAN;
    wrong(m, &s, "\"fc.weight\" has a number that is not finite at position 2");
    s.entry[find(&s, "fc.bias")].dtype = RTI_ST_I32;
    if (sizeof(rt_real) == 4) wrong(m, &s, "\"fc.bias\" holds I32");
    drop(&s);
    rt_model_free(m);
}

Test(torch_names, numbered_modules_must_be_the_layers_one_by_one) {
    static state s;
    rt_model *m = mlp("hidden=[5,3]", 1), *deeper = mlp("hidden=[5,3,4]", 1), *flat = mlp("hidden=[5]", 1);
    take(&s, m, "");
    write(&s);
    refused(deeper, "there is nothing for the model's fc4 (4, 4)");
    refused(flat, "\"4.weight\" (4, 3) has no place in the model");
    rename_all(&s, "4.", "1.");
    write(&s);
    refused(m, "\"1.weight\" has the shape (4, 3); fc2.weight of the model 6-5-3-4 relu needs (3, 5)");
    rename_all(&s, "1.", "a.1.b.");
    write(&s);
    refused(m, "no tensor \"fc1.weight\" (5, 6)");
    /* Two words, and no convolution that could tell which one comes first. */
    rename_all(&s, "a.1.b.", "tail.1.");
    rename_all(&s, "0.", "head.0.");
    rename_all(&s, "2.", "head.2.");
    write(&s);
    refused(m, "no tensor \"fc1.weight\"");
    drop(&s);
    rt_model *c = fixture_image_model("cnn", "filters=[2,3] pool_after=[1] hidden=[5]", fixture_image, 3, 1);
    take(&s, m, "");
    write(&s);
    refused(c, "\"0.weight\" (5, 6) stands where the model has conv1 (2, 2, 3, 3)");
    drop(&s);
    rt_model_free(m), rt_model_free(deeper), rt_model_free(flat), rt_model_free(c);
}

/* A linear layer behind an image of another extent has the same number of columns now and then. */
Test(torch_names, a_file_that_says_not_what_it_is_is_not_opened) {
    static state s;
    rt_model *m = mlp("hidden=[5,3]", 1);
    rt_error error = {0};
    take(&s, m, "");
    write(&s);
    cr_assert_null(rt_model_open(test_path("t.safetensors"), &error));
    cr_assert(strstr(error.message, "[teacher] weights"), "%s", error.message);
    drop(&s);
    rt_model_free(m);
}

Test(torch_names, failing_allocations_change_nothing_and_leak_nothing) {
    static state s;
    rt_model *m = fixture_image_model("cnn", "filters=[2,3] pool_after=[1] hidden=[5]", fixture_image, 3, 1);
    take(&s, m, "");
    write(&s);
    const size_t live = rt_alloc_stats_get().live_blocks;
    int failures = 0;
    for (int n = 1; n < 100; n++) {
        rt_error error = {0};
        rt_alloc_fail_after((size_t)n);
        const rt_status status = rt_model_load(m, test_path("t.safetensors"), &error);
        rt_alloc_fail_after(0);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, live);
        if (status == RT_OK) break;
        cr_assert_eq(status, RT_MEMORY, "%s", error.message);
        failures++;
    }
    cr_assert_gt(failures, 3);
    drop(&s);
    rt_model_free(m);
}
