/* emitted.c - see emitted.h. */
#include "emitted.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "core/file.h"
#include "retort/retort.h"

enum { WORDS = 40 };

/* Reads raw examples from one file, writes logits and classes to another. No libc but stdio. */
static const char driver[] = "#include <stdio.h>\n"
                             "#include \"student.h\"\n"
                             "int main(int argc, char **argv) {\n"
                             "    static RAW x[STUDENT_INPUTS];\n"
                             "    static CELL scratch[STUDENT_SCRATCH];\n"
                             "    LOGIT logits[STUDENT_CLASSES];\n"
                             "    FILE *in = argc == 3 ? fopen(argv[1], \"rb\") : NULL, *out = argc == 3 ? "
                             "fopen(argv[2], \"wb\") : NULL;\n"
                             "    if (!in || !out) return 2;\n"
                             "    while (fread(x, sizeof x, 1, in) == 1) {\n"
                             "        student_logits(x, scratch, logits);\n"
                             "        const int best = student_class(x, scratch);\n"
                             "        fwrite(logits, sizeof logits, 1, out);\n"
                             "        fwrite(&best, 4, 1, out);\n"
                             "    }\n"
                             "    return fclose(out) != 0;\n"
                             "}\n";

/* Cuts `text` at blanks; the words stay in `buffer`. */
static int words(const char *text, char buffer[512], const char *list[], int count) {
    snprintf(buffer, 512, "%s", text);
    char *rest = buffer;
    for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) list[count++] = word;
    return count;
}

bool emitted_can(const emitted_target *t) {
    char buffer[512];
    const char *runner[WORDS] = {NULL};
    words(t->runner, buffer, runner, 0);
    return rti_program_exists(t->compiler) && (!runner[0] || rti_program_exists(runner[0]));
}

static void compile(const emitted_target *t, const rti_net *net, const rti_int8 *int8) {
    char buffer[512], raw[32], cell[32], logit[32];
    char program[RTI_PATH_MAX], source[RTI_PATH_MAX], main_source[RTI_PATH_MAX], directory[RTI_PATH_MAX];
    snprintf(program, sizeof program, "%s", test_path("student"));
    snprintf(source, sizeof source, "%s", test_path("student.c"));
    snprintf(main_source, sizeof main_source, "%s", test_path("driver.c"));
    snprintf(directory, sizeof directory, "-I%s", test_path(""));
    snprintf(raw, sizeof raw, "-DRAW=%s", net->bytes ? "uint8_t" : "float");
    snprintf(cell, sizeof cell, "-DCELL=%s", int8 ? "int8_t" : "float");
    snprintf(logit, sizeof logit, "-DLOGIT=%s", int8 ? "int32_t" : "float");
    test_write(main_source, driver);
    const char *argv[WORDS] = {t->compiler, "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic",
                               "-Werror",   directory,  raw,     cell,      logit};
    int count = words(t->flags, buffer, argv, 11);
    argv[count++] = "-o";
    argv[count++] = program;
    argv[count++] = source;
    argv[count++] = main_source;
    argv[count++] = "-lm";
    rt_error error = {0};
    rti_bytes said;
    cr_assert_eq(rti_program_run(argv, 1 << 20, &said, &error), RT_OK, "%s: %s", t->name, error.message);
    rt_free(said.data);
}

void emitted_run(const emitted_target *t, const rti_net *net, const rti_int8 *int8, const void *raw,
                 int64_t count, void *logits, int32_t classes[]) {
    rt_error error = {0};
    rti_text header = RTI_TEXT_EMPTY, source = RTI_TEXT_EMPTY;
    cr_assert_eq(rti_emit(net, int8, "student", NULL, &header, &source, &error), RT_OK, "%s", error.message);
    test_write(test_path("student.h"), rti_text_string(&header));
    test_write(test_path("student.c"), rti_text_string(&source));
    rti_text_deinit(&header);
    rti_text_deinit(&source);
    compile(t, net, int8);

    char buffer[512], program[RTI_PATH_MAX], in[RTI_PATH_MAX], out[RTI_PATH_MAX];
    snprintf(program, sizeof program, "%s", test_path("student"));
    snprintf(in, sizeof in, "%s", test_path("in"));
    snprintf(out, sizeof out, "%s", test_path("out"));
    const size_t one = (size_t)net->features * (net->bytes ? 1 : sizeof(float));
    cr_assert_eq(rti_file_write(in, raw, (size_t)count * one, &error), RT_OK);
    const char *argv[WORDS] = {NULL};
    int words_count = words(t->runner, buffer, argv, 0);
    argv[words_count++] = program;
    argv[words_count++] = in;
    argv[words_count++] = out;
    rti_bytes said;
    cr_assert_eq(rti_program_run(argv, 1 << 20, &said, &error), RT_OK, "%s: %s", t->name, error.message);
    rt_free(said.data);

    size_t length;
    char *bytes = test_file(out, &length);
    const size_t row = 4 * (size_t)(net->classes + 1);
    cr_assert(bytes && length == (size_t)count * row, "%s: %zu bytes", t->name, length);
    for (int64_t n = 0; n < count; n++) {
        memcpy((char *)logits + n * 4 * net->classes, bytes + (size_t)n * row, row - 4);
        memcpy(&classes[n], bytes + (size_t)(n + 1) * row - 4, 4);
    }
    free(bytes);
}

void emitted_expected(rt_model *model, const rt_input_form *form, const void *raw, int64_t count,
                      rt_real *logits) {
    rt_error error = {0};
    const int64_t D = model->features;
    rt_graph *g = rt_graph_new(&error);
    rt_real *x = rt_alloc((size_t)(count * D) * sizeof *x);
    double *row = rt_alloc((size_t)D * sizeof *row);
    cr_assert(g && x && row);
    for (int64_t n = 0; n < count; n++) {
        if (form->bytes) {
            rt_input_form_apply_bytes(form, D, (const uint8_t *)raw + n * D, x + n * D);
            continue;
        }
        for (int64_t d = 0; d < D; d++) row[d] = (double)((const float *)raw)[n * D + d];
        rt_input_form_apply(form, D, row, x + n * D);
    }
    rt_model_evaluate(model);
    rt_no_grad_begin(g);
    rt_tensor *z = rt_model_answer(model, g, rt_graph_input(g, x, 2, (const int64_t[]){count, D}));
    cr_assert(z, "%s", rt_graph_error(g)->message);
    memcpy(logits, rt_real_data(z), (size_t)(count * model->classes) * sizeof *logits);
    rt_no_grad_end(g);
    rt_graph_free(g);
    rt_free(x);
    rt_free(row);
}
