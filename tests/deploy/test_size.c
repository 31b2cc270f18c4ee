/* Sizes of deployed networks against numbers counted by hand, layer by layer, in the comments. */
#include "../nn/images_fixture.h"
#include "deploy/size.h"
#include "retort/alloc.h"

static rti_size size_of(const char *kind, const char *settings, int ndim, const int64_t shape[],
                        int64_t classes) {
    rt_error error = {0};
    rt_model *m = fixture_try(kind, settings, ndim, shape, classes, 1, &error);
    cr_assert(m, "%s", error.message);
    rti_size size = rti_size_of(m);
    rt_model_free(m);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
    return size;
}

static void expect(const rti_size *s, int64_t weights, int64_t biases, int64_t channels) {
    cr_expect_eq(s->weights, weights, "%lld weights, by hand %lld", (long long)s->weights,
                 (long long)weights);
    cr_expect_eq(s->biases, biases, "%lld biases, by hand %lld", (long long)s->biases, (long long)biases);
    cr_expect_eq(s->channels, channels, "%lld channels, by hand %lld", (long long)s->channels,
                 (long long)channels);
    cr_expect_eq(s->float32, 4 * (weights + biases));
    cr_expect_eq(s->bf16, 2 * (weights + biases));
    cr_expect_eq(s->int8, weights + 4 * biases + 4 * channels);
}

static void expect_working(const rti_size *s, int64_t numbers) {
    cr_expect_eq(s->working, 4 * numbers, "%lld bytes of working memory, by hand %lld", (long long)s->working,
                 (long long)(4 * numbers));
}

Test(size, a_perceptron_has_a_byte_a_weight_and_eight_a_unit) {
    const int64_t shape[] = {7};
    rti_size s = size_of("mlp", "hidden=[5,3] dropout.input=0.2 dropout.hidden=0.5", 1, shape, 4);
    expect(&s, 7 * 5 + 5 * 3 + 3 * 4, 5 + 3 + 4, 5 + 3 + 4);
    cr_expect_eq(s.multiply_adds, 62);
    cr_expect_eq(s.parameters, 74);
    expect_working(&s, 7 + 5); /* then 5 + 3, 3 + 4: dropout needs nothing */
    s = size_of("mlp", "hidden=[9] bias=false", 1, shape, 4);
    expect(&s, 7 * 9 + 9 * 4, 0, 9 + 4);
    expect_working(&s, 7 + 9);
    s = size_of("mlp", "hidden=[2,9]", 1, shape, 8);
    expect_working(&s, 9 + 8); /* the last ones are the largest: 7 + 2, 2 + 9, 9 + 8 */
    s = size_of("mlp", "hidden=[]", 1, shape, 4);
    expect(&s, 28, 4, 4);
}

Test(size, batch_normalisation_behind_a_convolution_costs_its_bias) {
    const int64_t shape[] = {2, 12, 12};
    rti_size s = size_of("cnn", "filters=[3,4] pool_after=[1] hidden=[5]", 3, shape, 3);
    /* 3 x 3 x 2 -> 3, pooled to 6 x 6; 3 x 3 x 3 -> 4; 144 -> 5 -> 3 */
    int64_t weights = 9 * 2 * 3 + 9 * 3 * 4 + 144 * 5 + 5 * 3;
    expect(&s, weights, 3 + 4 + 5 + 3, 3 + 4 + 5 + 3);
    expect_working(&s, 2 * 144 + 3 * 144); /* then 3 x 144 + 3 x 36, 3 x 36 + 144, 144 + 5, 5 + 3 */
    rti_size folded = size_of("cnn", "filters=[3,4] pool_after=[1] hidden=[5] batch_norm=true", 3, shape, 3);
    expect(&folded, weights, 3 + 4 + 5 + 3, 3 + 4 + 5 + 3); /* biases are the normalisation's now */
    expect_working(&folded, 2 * 144 + 3 * 144);             /* it works in place */
    cr_expect_eq(folded.parameters, s.parameters + 3 + 4);  /* a scale more than was folded */
}

Test(size, residual_networks_fold_all_but_what_stands_ahead_of_convolutions) {
    const int64_t shape[] = {2, 12, 12};
    rti_size s = size_of("resnet", "depth=8 filters=[2,3,4,5]", 3, shape, 3);
    /* stem 2 -> 2; blocks 2 -> 3 -> 3, 3 -> 4 -> 4, 4 -> 5 -> 5, each with a 1 x 1 shortcut; 5 -> 3 */
    int64_t blocks = 9 * 2 * 3 + 9 * 3 * 3 + 2 * 3 + 9 * 3 * 4 + 9 * 4 * 4 + 3 * 4 + 9 * 4 * 5 + 9 * 5 * 5 +
                     4 * 5;
    int64_t outputs = 2 + 3 * 3 + 3 * 4 + 3 * 5;
    expect(&s, 9 * 2 * 2 + blocks + 5 * 3, outputs + 3, outputs + 3);
    /* The first block: stem 2, shortcut 3 and conv1 3, each times 144: the stem is read until conv1 has run.
     * Then conv1, conv2 and the shortcut: 9 times 144. The example and the stem: 4 times. */
    expect_working(&s, 9 * 144);
    rti_size pad = size_of("resnet", "depth=8 filters=[2,2,4,4] shortcut=pad", 3, shape, 3);
    expect(&pad, 9 * (2 * 2 + 2 * 2 * 2 + 2 * 4 + 4 * 4 + 4 * 4 + 4 * 4) + 4 * 3, 2 + 4 + 8 + 8 + 3,
           2 + 4 + 8 + 8 + 3);

    s = size_of("wrn", "depth=10 base=2", 3, shape, 3);
    /* stem 2 -> 2; blocks 2 -> 2 -> 2 (no shortcut), 2 -> 4 -> 4, 4 -> 8 -> 8, shortcuts 2 x 4 and 4 x 8;
     * 8 -> 3. Behind conv1 a normalisation is folded (2, 4, 8 biases); those that read sums, bn1 of each
     * block (2, 2, 4) and the last one (8), keep a scale and a bias. */
    int64_t weights = 36 + 9 * (2 * 2 + 2 * 2 + 2 * 4 + 4 * 4 + 4 * 8 + 8 * 8) + 2 * 4 + 4 * 8 + 8 * 3;
    int64_t channels = 2 + (2 + 2) + (4 + 4 + 4) + (8 + 8 + 8) + 3;
    expect(&s, weights, (2 + 4 + 8) + 2 * (2 + 2 + 4 + 8) + 3, channels);
}

Test(size, networks_that_teach_together_are_added_up) {
    const int64_t shape[] = {7};
    rti_size both[] = {size_of("mlp", "hidden=[5]", 1, shape, 4), size_of("mlp", "hidden=[9]", 1, shape, 4)};
    rti_size s = rti_size_sum(both, 2);
    expect(&s, 7 * 14 + 14 * 4, 14 + 8, 14 + 8);
    cr_expect_eq(s.parameters, both[0].parameters + both[1].parameters);
    cr_expect_eq(s.multiply_adds, both[0].multiply_adds + both[1].multiply_adds);
    expect_working(&s, 7 + 9); /* one after another */
}

Test(size, a_network_that_is_not_there_has_the_size_of_one_that_is) {
    for (int i = 0; i < FIXTURE_SMALL; i++) {
        static rt_params options;
        int count;
        rt_error error = {0};
        char name[256];
        const rt_param *rows = rt_model_rows(fixture_small[i].kind, &count);
        rt_model *m = fixture_image_model(fixture_small[i].kind, fixture_small[i].settings, fixture_image, 3,
                                          1);
        rti_size is = rti_size_of(m), planned;
        rt_params_init(&options, rows, count);
        char text[256], *rest = text;
        snprintf(text, sizeof text, "%s", fixture_small[i].settings);
        for (char *one; (one = strtok_r(rest, " ", &rest)) != NULL;) {
            char *sign = strchr(one, '=');
            *sign = 0;
            cr_assert_eq(rt_params_set_text(&options, one, sign + 1, &error), RT_OK);
        }
        cr_assert_eq(rti_size_plan(fixture_small[i].kind, &options, 3, fixture_image, 3, &planned, name,
                                   sizeof name, &error),
                     RT_OK, "%s", error.message);
        cr_expect_eq(memcmp(&is, &planned, sizeof is), 0, "%s", name);
        cr_expect_str_eq(name, rt_model_summary(m));
        cr_expect(is.weights + is.biases <= is.parameters, "%s", name);
        rt_model_free(m);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}
