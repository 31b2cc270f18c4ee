/* test_cortex_m.c - exported networks on a microcontroller's processor, emulated. Checked against the
 * integer steps, to the bit: perceptron, convolutional and residual networks. Emulator and compiler
 * (qemu-system-arm, gcc-arm-none-eabi) need not be there: then the test says so and is skipped. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../nn/images_fixture.h"
#include "../support/program.h"
#include "../support/temporary.h"
#include "core/file.h"
#include "deploy/emit.h"
#include "retort/retort.h"

enum { EXAMPLES = 6, D = 288 };

static const char script[] = "tests/support/cortex_m.sh";

static void write_student(const rti_net *net, const rti_int8 *q, const uint8_t *images) {
    rt_error error = {0};
    rti_text header = RTI_TEXT_EMPTY, source = RTI_TEXT_EMPTY;
    cr_assert_eq(rti_emit(net, q, "student", NULL, &header, &source, &error), RT_OK, "%s", error.message);
    test_write(test_path("student.h"), rti_text_string(&header));
    test_write(test_path("student.c"), rti_text_string(&source));
    cr_assert_eq(rti_file_write(test_path("images"), images, (size_t)EXAMPLES * D, &error), RT_OK);
    rti_text_deinit(&header);
    rti_text_deinit(&source);
}

static void same_bits(const char *kind, const char *settings) {
    static uint8_t images[EXAMPLES * D];
    static int32_t labels[EXAMPLES], index[EXAMPLES];
    rt_error error = {0};
    double scale = 1.0 / 64, shift = -2, range[200];
    rt_model *model = fixture_image_model(kind, settings, fixture_image, 3, 5);
    const rt_input_form form = {.bytes = true, .count = 1, .scale = &scale, .shift = &shift};
    rti_net *net = rti_net_new(model, &form, &error);
    cr_assert(net && net->count <= 100, "%s", error.message);
    rt_rng s = rt_rng_stream(3, "images", 0, 0);
    for (int i = 0; i < EXAMPLES * D; i++) images[i] = (uint8_t)rt_rng_below(&s, 256);
    for (int n = 0; n < EXAMPLES; n++) index[n] = n;
    const rt_examples examples = {.count = EXAMPLES,
                                  .ndim = 3,
                                  .shape = {2, 12, 12},
                                  .features = D,
                                  .classes = 3,
                                  .bytes = images,
                                  .labels = labels,
                                  .scale = scale,
                                  .shift = shift};
    const rt_part part = {&examples, EXAMPLES, index, labels};
    cr_assert_eq(rti_net_calibrate(net, &part, EXAMPLES, range, &error), RT_OK);
    rti_int8 *q = rti_int8_new(net, range, &error);
    cr_assert(q, "%s", error.message);
    write_student(net, q, images);

    char directory[RTI_PATH_MAX], file[RTI_PATH_MAX];
    snprintf(directory, sizeof directory, "%s", test_path(""));
    snprintf(file, sizeof file, "%s", test_path("images"));
    const char *const argv[] = {"sh", script, directory, file, NULL};
    rti_bytes said;
    cr_assert_eq(rti_program_run(argv, 1 << 20, &said, &error), RT_OK, "%s", error.message);
    int8_t *scratch = rt_alloc((size_t)q->scratch);
    char *at = (char *)said.data;
    for (int n = 0; n < EXAMPLES; n++) {
        int32_t own[3];
        rti_int8_run(q, images + (ptrdiff_t)n * D, scratch, own);
        for (int k = 0; k < 3; k++)
            cr_expect_eq(strtol(at, &at, 10), own[k], "%s, example %d, class %d", net->summary, n, k);
    }
    long flash = -1, ram = -1, instructions = -1;
    cr_assert_eq(sscanf(at, " flash %ld ram %ld instructions %ld", &flash, &ram, &instructions), 3, "%s", at);
    cr_expect_geq(flash, q->bytes);
    cr_expect_geq(ram, q->scratch);
    cr_expect_geq(instructions, net->multiply_adds);
    cr_log_info("%s on a Cortex-M4: %ld bytes of flash, %ld of RAM, %ld instructions an image\n",
                net->summary, flash, ram, instructions);
    rt_free(said.data);
    rt_free(scratch);
    rti_int8_free(q);
    rti_net_free(net);
    rt_model_free(model);
    cr_expect_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(cortex_m, gives_the_same_bits) {
    if (!rti_program_exists("arm-none-eabi-gcc") || !rti_program_exists("qemu-system-arm"))
        cr_skip_test("gcc-arm-none-eabi and qemu-system-arm are not both here");
    if (!rti_file_exists(script))
        cr_skip_test("%s is not below the directory this test was started in", script);
    same_bits("mlp", "hidden=[9,7]");
    same_bits("cnn", "filters=[2,3,3] pool_after=[1,3] hidden=[5]");
    same_bits("resnet", "depth=14 filters=[2,2,3,6] shortcut=pad bn_momentum=0.3");
    same_bits("wrn", "depth=10 base=2");
}
