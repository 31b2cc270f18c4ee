/* `retort predict`: networks that the program itself has trained in a moment are asked about the same
 * examples in every format, written here byte by byte; the classes are those of rt_evaluate on the set, the
 * probabilities the softmax of what the network says in this process. Colours, names of classes, labels,
 * streams, pipes, and what is refused with both sizes. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/program.h"
#include "../support/temporary.h"
#include "core/file.h"
#include "formats/npy.h"
#include "retort/retort.h"

enum { TEST = 60, PIXELS = 784 };

static test_run result;
static rt_error error;

#define OK(call) cr_assert_eq((call), RT_OK, "%s", error.message)
#define PROGRAM(code, ...) program(code, (const char *const[]){__VA_ARGS__, NULL})

static void program(int code, const char *const arguments[]) {
    test_program(&result, arguments);
    cr_assert_eq(result.status, code, "%s %s: %d: %s", arguments[0], arguments[1], result.status, result.err);
}

static void refused(const char *part, const char *const arguments[]) {
    program(1, arguments);
    cr_assert(strstr(result.err, part), "\"%s\" does not say \"%s\"", result.err, part);
    cr_assert_eq(result.out[0], 0, "%s", result.out);
}
#define REFUSED(part, ...) refused(part, (const char *const[]){"predict", __VA_ARGS__, NULL})

/* ---- networks ---- */

/* Trains what the spec says; the directory of its one trial. */
static void train(const char *spec, char trial[1400]) {
    char path[1024], runs[1024], directory[1100];
    snprintf(path, sizeof path, "%s", test_path("spec.toml"));
    snprintf(runs, sizeof runs, "%s", test_path("runs"));
    test_write(path, spec);
    PROGRAM(0, "run", path, "--runs", runs, "--no-plots");
    snprintf(directory, sizeof directory, "%s/t", runs);
    DIR *list = opendir(directory);
    cr_assert(list);
    trial[0] = 0;
    for (const struct dirent *one; (one = readdir(list)) != NULL;) {
        char weights[1400];
        snprintf(weights, sizeof weights, "%s/%s/weights.safetensors", directory, one->d_name);
        if (rti_file_exists(weights)) snprintf(trial, 1400, "%s/%s", directory, one->d_name);
    }
    closedir(list);
    cr_assert(trial[0]);
}

#define DIGITS                                                                                          \
    "name = \"t\"\nseeds = [1]\n[data]\nset = \"digits\"\ndigits = { train = 160, test = 60 }\n"        \
    "validation = 40\nbatch = 20\nnormalize = true\n[distill]\nmethod = \"none\"\n[student]\nhidden = " \
    "[8]\nepochs = 3\n"

static rt_dataset *digits(void) {
    static rt_params options;
    int count;
    const rt_param *rows = rt_data_rows(&count);
    rt_params_init(&options, rows, count);
    OK(rt_params_set_text(&options, "set", "digits", &error));
    OK(rt_params_set_text(&options, "digits.train", "160", &error));
    OK(rt_params_set_text(&options, "digits.test", "60", &error));
    OK(rt_params_set_text(&options, "validation", "40", &error));
    OK(rt_params_set_text(&options, "normalize", "true", &error));
    rt_dataset *set = rt_dataset_open(&options, NULL, &error);
    cr_assert(set, "%s", error.message);
    return set;
}

static rt_model *open_model(const char *trial) {
    char path[1500];
    snprintf(path, sizeof path, "%s/weights.safetensors", trial);
    rt_model *m = rt_model_open(path, &error);
    cr_assert(m, "%s", error.message);
    return m;
}

/* ---- files ---- */

static void write_bytes(const char *path, const char *head, size_t head_length, const void *bytes,
                        size_t length) {
    char *all = malloc(head_length + length);
    memcpy(all, head, head_length);
    memcpy(all + head_length, bytes, length);
    OK(rti_file_write(path, all, head_length + length, &error));
    free(all);
}

static void write_idx(const char *path, const uint8_t *pixels, int count) {
    const char head[16] = {0, 0, 8, 3, 0, 0, 0, (char)count, 0, 0, 0, 28, 0, 0, 0, 28};
    write_bytes(path, head, 16, pixels, (size_t)count * PIXELS);
}

/* With a header and a column of labels, unless labels is NULL. */
static void write_csv(const char *path, const uint8_t *pixels, const int32_t *labels, int count) {
    FILE *f = fopen(path, "w");
    for (int k = 0; labels && k < PIXELS; k++)
        fprintf(f, "%spixel%d%s", k ? "," : "", k, k == 99 ? ",digit" : "");
    if (labels) fputc('\n', f);
    for (int i = 0; i < count; i++, fputc('\n', f))
        for (int k = 0; k < PIXELS; k++) {
            fprintf(f, "%s%d", k ? "," : "", pixels[i * PIXELS + k]);
            if (labels && k == 99) fprintf(f, ",%d", (int)labels[i]);
        }
    fclose(f);
}

static const char *row(const char *out, int number) {
    for (int i = 0; i < number && out; i++) out = strchr(out, '\n') ? strchr(out, '\n') + 1 : NULL;
    cr_assert(out, "there is no row %d", number);
    return out;
}

/* Row i + 1 of the output is: index i, this class. */
static void check_classes(const uint8_t *classes, int count) {
    cr_assert_eq(strncmp(result.out, "index,class,probability", 23), 0, "%s", result.out);
    for (int i = 0; i < count; i++) {
        char start[32];
        snprintf(start, sizeof start, "%d,%d,", i, classes[i]);
        cr_assert_eq(strncmp(row(result.out, i + 1), start, strlen(start)), 0, "not %s: %.40s", start,
                     row(result.out, i + 1));
    }
    cr_assert_eq(*row(result.out, count + 1), 0, "there are more rows");
}

static char trial[1400], a[1024], b[1024], text[1 << 16];

static void name_files(void) {
    snprintf(a, sizeof a, "%s", test_path("a"));
    snprintf(b, sizeof b, "%s", test_path("b"));
}

Test(predict, classes_are_those_of_an_evaluation_in_every_format) {
    train(DIGITS, trial);
    name_files();
    rt_dataset *set = digits();
    rt_model *m = open_model(trial);
    const rt_part *part = rt_dataset_part(set, RT_PART_TEST);
    const uint8_t *pixels = part->examples->bytes;
    uint8_t classes[TEST];
    rt_quality quality;
    cr_assert_eq(part->count, TEST);
    OK(rt_evaluate(m, NULL, part, &quality, classes, &error));

    write_idx(a, pixels, TEST);
    PROGRAM(0, "predict", trial, a);
    check_classes(classes, TEST);
    snprintf(text, sizeof text, "%s", result.out); /* all other ways say it with the same digits */

    static double reals[TEST * PIXELS];
    for (int i = 0; i < TEST * PIXELS; i++) reals[i] = pixels[i];
    OK(rti_npy_write(a, RTI_NPY_U1, 2, (const int64_t[]){TEST, PIXELS}, pixels, &error));
    PROGRAM(0, "predict", trial, a);
    cr_assert_str_eq(result.out, text);
    OK(rti_npy_write(a, RTI_NPY_F8, 4, (const int64_t[]){TEST, 28, 28, 1}, reals, &error));
    PROGRAM(0, "predict", trial, a);
    cr_assert_str_eq(result.out, text);

    write_csv(a, pixels, NULL, TEST);
    PROGRAM(0, "predict", trial, a);
    cr_assert_str_eq(result.out, text);

    size_t length = 0; /* a stream of pictures */
    static char stream[TEST * (PIXELS + 20)];
    for (int i = 0; i < TEST; i++) {
        length += (size_t)snprintf(stream + length, sizeof stream - length, "P5 28 28\n255\n");
        memcpy(stream + length, pixels + i * PIXELS, PIXELS);
        length += PIXELS;
    }
    OK(rti_file_write(a, stream, length, &error));
    PROGRAM(0, "predict", trial, a);
    cr_assert_str_eq(result.out, text);
    rt_model_free(m);
    rt_dataset_free(set);
}

Test(predict, labels_are_compared_and_are_no_input) {
    train(DIGITS, trial);
    name_files();
    rt_dataset *set = digits();
    rt_model *m = open_model(trial);
    const rt_part *part = rt_dataset_part(set, RT_PART_TEST);
    rt_quality quality;
    char said[64];
    OK(rt_evaluate(m, NULL, part, &quality, NULL, &error));
    write_csv(a, part->examples->bytes, part->labels, TEST);
    snprintf(said, sizeof said, "%d of 60 are not what the label says", (int)quality.errors);
    static const char *const columns[] = {"digit", "101"};
    for (int i = 0; i < 2; i++) {
        PROGRAM(0, "predict", trial, a, "--label", columns[i]);
        cr_assert(strstr(result.err, said), "not %s: %s", said, result.err);
        int wrong = 0;
        for (int k = 0; k < TEST; k++) {
            int index, class, label;
            double probability;
            cr_assert_eq(sscanf(row(result.out, k + 1), "%d,%d,%lf,%d", &index, &class, &probability, &label),
                         4);
            cr_assert(index == k && label == part->labels[k] && probability > 0 && probability <= 1);
            wrong += class != label;
        }
        cr_assert_eq(wrong, (int)quality.errors);
    }
    REFUSED("has 785 columns of numbers; the network reads 784. --label COLUMN leaves one out", trial, a);
    REFUSED("no column is named \"digits\"", trial, a, "--label", "digits");
    REFUSED("there is no column 786", trial, a, "--label=786");
    REFUSED("the label \"", trial, a, "--label", "pixel400"); /* pixels are no classes: one is above 9 */
    rt_model_free(m);
    rt_dataset_free(set);
}

/* All probabilities, against the softmax of the network's own logits in this process. */
Test(predict, probabilities_are_the_softmax) {
    train(DIGITS, trial);
    name_files();
    rt_dataset *set = digits();
    rt_model *m = open_model(trial);
    rt_loader *loader = rt_loader_new(rt_dataset_part(set, RT_PART_TEST), TEST, 0, NULL, &error);
    rt_graph *g = rt_graph_new(&error);
    rt_batch batch;
    cr_assert(loader && g && rt_loader_next(loader, &batch));
    const rt_tensor *z = rt_model_forward(m, g, batch.x);
    write_idx(a, rt_dataset_test_examples(set)->bytes, TEST);
    PROGRAM(0, "predict", trial, "--all", a);
    cr_assert_eq(strncmp(result.out, "index,class,probability,p_0,p_1,p_2,p_3,p_4,p_5,p_6,p_7,p_8,p_9\n", 63),
                 0);
    for (int i = 0; i < TEST; i++) {
        const rt_real *logits = rt_real_data(z) + 10 * i;
        const char *at = row(result.out, i + 1);
        double sum = 0, numbers[13];
        for (int k = 0; k < 10; k++) sum += exp((double)logits[k]);
        for (int k = 0; k < 13; k++) {
            char *end;
            numbers[k] = strtod(at, &end);
            cr_assert_eq(*end, k == 12 ? '\n' : ',');
            at = end + 1;
        }
        for (int k = 0; k < 10; k++) {
            const double p = exp((double)logits[k]) / sum;
            cr_assert_float_eq(numbers[3 + k], p, 1e-6 * (1 + p), "%d, %d: %g, not %g", i, k, numbers[3 + k],
                               p);
            cr_assert(numbers[2] >= numbers[3 + k]);
        }
        cr_assert_eq(numbers[2], numbers[3 + (int)numbers[1]]);
    }
    rt_graph_free(g);
    rt_loader_free(loader);
    rt_model_free(m);
    rt_dataset_free(set);
}

/* Several files, standard input, a file that is written, a pipe that closes. */
Test(predict, files_and_pipes) {
    train(DIGITS, trial);
    name_files();
    rt_dataset *set = digits();
    const uint8_t *pixels = rt_dataset_test_examples(set)->bytes;
    write_idx(a, pixels, 3);
    write_idx(b, pixels + 3 * PIXELS, 2);
    PROGRAM(0, "predict", trial, a, b);
    snprintf(text, sizeof text, "%s,1,", a);
    cr_assert_eq(strncmp(result.out, "file,index,class,probability\n", 29), 0, "%s", result.out);
    cr_assert_eq(strncmp(row(result.out, 2), text, strlen(text)), 0);
    snprintf(text, sizeof text, "%s,1,", b);
    cr_assert_eq(strncmp(row(result.out, 5), text, strlen(text)), 0);
    cr_assert_eq(*row(result.out, 6), 0);

    PROGRAM(0, "predict", trial, a);
    snprintf(text, sizeof text, "%s", result.out);
    char out[1024], command[8192];
    snprintf(out, sizeof out, "%s", test_path("out.csv"));
    PROGRAM(0, "predict", trial, a, "-o", out);
    snprintf(command, sizeof command, "%s: 3 predictions\n", out);
    cr_assert_str_eq(result.out, command);
    size_t length;
    char *written = test_file(out, &length);
    cr_assert_str_eq(written, text);
    free(written);
    cr_assert_eq(remove(out), 0);
    snprintf(command, sizeof command, "%s: is empty", b);
    test_write(b, "");
    program(1, (const char *const[]){"predict", trial, a, b, "-o", out, NULL});
    cr_assert(strstr(result.err, command), "%s", result.err);
    cr_assert_not(rti_file_exists(out), "half a file was left");

    rti_bytes said;
    snprintf(command, sizeof command, "cat '%s' | '%s' predict '%s' - 2>&1", a, test_program_path(), trial);
    OK(rti_program_run((const char *const[]){"sh", "-c", command, NULL}, 65536, &said, &error));
    cr_assert_str_eq((char *)said.data, text);
    rt_free(said.data);

    static uint8_t many[5000 * PIXELS]; /* more than a pipe holds */
    OK(rti_npy_write(b, RTI_NPY_U1, 3, (const int64_t[]){5000, 28, 28}, many, &error));
    snprintf(command, sizeof command, "'%s' predict '%s' '%s' --all 2>&1 | head -n 2", test_program_path(),
             trial, b);
    OK(rti_program_run((const char *const[]){"sh", "-c", command, NULL}, 65536, &said, &error));
    cr_assert_eq(*row((char *)said.data, 2), 0, "%s", (char *)said.data);
    cr_assert_eq(strncmp(row((char *)said.data, 1), "0,", 2), 0);
    rt_free(said.data);
    PROGRAM(0, "predict", trial, b, "-o", out); /* batches of a thousand are one set */
    written = test_file(out, &length);
    cr_assert_eq(strncmp(row(written, 5000), "4999,", 5), 0);
    cr_assert_eq(*row(written, 5001), 0);
    free(written);
    rt_dataset_free(set);
}

Test(predict, what_does_not_fit_is_refused_with_both_sizes) {
    train(DIGITS, trial);
    name_files();
    char other[1024], message[2048];
    static const uint8_t zeros[3 * PIXELS];
    write_bytes(a, "P5 20 28 255\n", 13, zeros, 560);
    REFUSED("is 20 x 28 pixels, grey; the network reads 28 x 28 pixels, grey", trial, a);
    write_bytes(a, "P6 28 28 255\n", 13, zeros, 3 * PIXELS);
    REFUSED("is 28 x 28 pixels, in colour; the network reads 28 x 28 pixels, grey", trial, a);
    write_bytes(a, "\0\0\x08\x03\0\0\0\x02\0\0\0\x14\0\0\0\x14", 16, zeros, 800);
    REFUSED("holds 2 x 20 x 20 numbers; the network reads examples of 1 x 28 x 28", trial, a);
    write_bytes(a, "\0\0\x08\x03\0\0\0\x02\0\0\0\x14\0\0\0\x14", 16, zeros, 799);
    REFUSED("it is truncated", trial, a);
    static float halves[2 * PIXELS];
    halves[0] = 0.5F;
    OK(rti_npy_write(a, RTI_NPY_F4, 2, (const int64_t[]){2, PIXELS}, halves, &error));
    REFUSED("its numbers lie between 0 and 1; the network reads pixels from 0 to 255: multiply them by 255",
            trial, a);
    halves[PIXELS + 3] = 256;
    OK(rti_npy_write(a, RTI_NPY_F4, 2, (const int64_t[]){2, PIXELS}, halves, &error));
    REFUSED("example 1: number 3 is 256; the network reads pixels from 0 to 255", trial, a);
    halves[PIXELS + 3] = (float)NAN;
    OK(rti_npy_write(a, RTI_NPY_F4, 2, (const int64_t[]){2, PIXELS}, halves, &error));
    REFUSED("number 3 of example 1 is not finite", trial, a);
    OK(rti_npy_write(a, RTI_NPY_F4, 2, (const int64_t[]){0, PIXELS}, halves, &error));
    REFUSED("holds no examples (0 x 784)", trial, a);
    test_write(a, "1,2,3\n4,5,6\n");
    REFUSED("has 3 columns of numbers; the network reads 784", trial, a);
    write_csv(a, zeros, NULL, 2);
    FILE *f = fopen(a, "r+");
    fputs("x", f);
    fclose(f);
    REFUSED("column 1 is \"x\"; a number is needed", trial, a);
    test_write(a, "\x89PNG\r\n");
    REFUSED("is a PNG picture: convert it", trial, a);
    test_write(a, "\x1f\x8b\x08");
    REFUSED("is packed by gzip", trial, a);
    write_bytes(a, "ab\0", 3, "", 0);
    REFUSED("is neither IDX, NPY, a PGM or PPM picture, nor text", trial, a);
    test_write(a, "");
    REFUSED("is empty", trial, a);
    write_idx(a, zeros, 1);
    REFUSED("has no columns with names; --label is for CSV", trial, a, "--label", "y");
    snprintf(other, sizeof other, "%s", test_path("nothing"));
    snprintf(message, sizeof message, "%s: there is no such file", other);
    REFUSED(message, trial, other);
    PROGRAM(2, "predict", trial);
    cr_assert(strstr(result.err, "which examples?"), "%s", result.err);
    PROGRAM(2, "predict", trial, "-", "-");
    cr_assert(strstr(result.err, "standard input can be read once"), "%s", result.err);
    PROGRAM(2, "predict", trial, a, "--frob");
}

/* What rt_evaluate counts over all parts of the table. */
static int errors_in(const char *table, const char *network) {
    static rt_params options;
    static const rt_part_name parts[] = {RT_PART_TRAIN, RT_PART_VALIDATION, RT_PART_TEST};
    int count, errors = 0;
    const rt_param *rows = rt_data_rows(&count);
    rt_params_init(&options, rows, count);
    OK(rt_params_set_text(&options, "set", "csv", &error));
    OK(rt_params_set_text(&options, "csv.train", table, &error));
    OK(rt_params_set_text(&options, "csv.label", "what", &error));
    OK(rt_params_set_text(&options, "validation", "20", &error));
    rt_dataset *set = rt_dataset_open(&options, NULL, &error);
    cr_assert(set, "%s", error.message);
    rt_model *m = open_model(network);
    for (int i = 0; i < 3; i++) {
        rt_quality quality;
        OK(rt_evaluate(m, NULL, rt_dataset_part(set, parts[i]), &quality, NULL, &error));
        errors += (int)quality.errors;
    }
    rt_model_free(m);
    rt_dataset_free(set);
    return errors;
}

/* A table with names of classes, standardised in training: the names come back, and so do the errors. */
Test(predict, classes_have_their_names) {
    char spec[4096];
    name_files();
    FILE *f = fopen(a, "w");
    rt_rng r = rt_rng_stream(1, "table", 0, 0);
    fputs("length,what,count\n", f);
    for (int i = 0; i < 200; i++) {
        const bool spam = i % 3 == 0;
        fprintf(f, "%.4f,%s,%.4f\n", 1000 + 10 * rt_rng_normal(&r) + 25 * spam,
                spam ? "\"spam, \"\"bad\"\"\"" : "ham", rt_rng_normal(&r) - spam);
    }
    fclose(f);
    snprintf(
        spec, sizeof spec,
        "name = \"t\"\nseeds = [1]\n[data]\nset = \"csv\"\nvalidation = 20\nbatch = 10\n"
        "csv = { train = \"%s\", label = \"what\" }\n[distill]\nmethod = \"none\"\n[student]\nhidden = [4]\n"
        "epochs = 5\n",
        a);
    train(spec, trial);
    PROGRAM(0, "predict", trial, a, "--label", "what", "--all");
    cr_assert_eq(strncmp(result.out, "index,class,probability,label,p_ham,\"p_spam, \"\"bad\"\"\"\n", 53), 0,
                 "%s", result.out);
    cr_assert(strstr(row(result.out, 1), ",\"spam, \"\"bad\"\"\","));
    const int wrong = (int)strtol(result.err, NULL, 10);
    cr_assert_eq(wrong, errors_in(a, trial), "%s", result.err);
    cr_assert(wrong > 0 && wrong < 50);

    /* The same table without the label, separated by semicolons, and with a label that is none. */
    size_t length;
    char *table = test_file(a, &length);
    snprintf(text, sizeof text, "%s", result.out);
    f = fopen(b, "w");
    for (char *line = strchr(table, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        const int end = (int)strcspn(line, "\n");
        const char *last = line + end;
        while (*last != ',') last--;
        fprintf(f, "%.*s;%.*s\n", (int)strcspn(line, ","), line, (int)(line + end - last - 1), last + 1);
    }
    fclose(f);
    PROGRAM(0, "predict", trial, b);
    for (int i = 1; i <= 200; i++) {
        const char *one = row(text, i), *two = row(result.out, i);
        const size_t to_label = strcspn(two, "\n");
        cr_assert_eq(strncmp(one, two, to_label), 0, "%.60s %.60s", one, two);
    }
    test_write(b, "length,what,count\n1000,ham,0\n1000,hum,0\n");
    REFUSED(":3: the label \"hum\" is no class of the network; did you mean \"ham\"?", trial, b, "--label",
            "what");
    free(table);
}

/* Colours: a PPM, (N, C, H, W) and (N, H, W, C) are the same; channels are scaled each in its own way. */
Test(predict, colours_come_in_any_order) {
    name_files();
    enum { H = 8, W = 9, AREA = H * W };
    rt_params options;
    int count;
    const rt_param *rows = rt_model_rows("cnn", &count);
    rt_params_init(&options, rows, count);
    OK(rt_params_set_text(&options, "filters", "[4]", &error));
    OK(rt_params_set_text(&options, "pool_after", "[1]", &error));
    rt_model *m = rt_model_new("cnn", &options, 3, (const int64_t[]){3, H, W}, 5, 1, &error);
    cr_assert(m, "%s", error.message);
    snprintf(trial, sizeof trial, "%s", test_path("w.safetensors"));
    OK(rt_model_save(m, trial,
                     (const char *const[]){"retort.input", "bytes", "retort.input_scale",
                                           "[0.01, 0.02, 0.03]", "retort.input_shift", "[-1, 0.5, 0]", NULL},
                     &error));
    uint8_t planes[3 * AREA], pixels[3 * AREA];
    rt_real x[3 * AREA];
    rt_rng r = rt_rng_stream(2, "colours", 0, 0);
    for (int i = 0; i < 3 * AREA; i++) {
        const int channel = i / AREA;
        planes[i] = (uint8_t)rt_rng_below(&r, 256);
        pixels[i % AREA * 3 + channel] = planes[i];
        x[i] = (rt_real)((0.01 + 0.01 * channel) * planes[i] + (channel == 0 ? -1 : channel == 1 ? 0.5 : 0));
    }
    write_bytes(a, "P6 9 8 255\n", 11, pixels, sizeof pixels);
    PROGRAM(0, "predict", trial, a, "--all");
    snprintf(text, sizeof text, "%s", result.out);
    OK(rti_npy_write(a, RTI_NPY_U1, 4, (const int64_t[]){1, 3, H, W}, planes, &error));
    PROGRAM(0, "predict", trial, a, "--all");
    cr_assert_str_eq(result.out, text);
    OK(rti_npy_write(a, RTI_NPY_U1, 4, (const int64_t[]){1, H, W, 3}, pixels, &error));
    PROGRAM(0, "predict", trial, a, "--all");
    cr_assert_str_eq(result.out, text);
    OK(rti_npy_write(a, RTI_NPY_U1, 3, (const int64_t[]){H, W, 3}, pixels, &error)); /* one example */
    PROGRAM(0, "predict", trial, a, "--all");
    cr_assert_str_eq(result.out, text);

    rt_tensor in;
    rt_tensor_view_init(&in, RT_DTYPE_REAL, 4, (const int64_t[]){1, 3, H, W}, x);
    rt_graph *g = rt_graph_new(&error);
    const rt_tensor *z = rt_model_forward(m, g, &in);
    double sum = 0;
    for (int k = 0; k < 5; k++) sum += exp((double)rt_real_data(z)[k]);
    const char *at = row(text, 1);
    for (int k = 0; k < 8; k++, at = strchr(at, ',') + 1) {
        if (k < 3) continue;
        cr_assert_float_eq(strtod(at, NULL), exp((double)rt_real_data(z)[k - 3]) / sum, 1e-5);
        if (k == 7) break;
    }
    write_bytes(a, "P5 9 8 255\n", 11, pixels, AREA);
    REFUSED("is 9 x 8 pixels, grey; the network reads 9 x 8 pixels, in colour", trial, a);
    rt_graph_free(g);

    OK(rt_model_save(m, trial, NULL, &error)); /* a file of an older version */
    OK(rti_npy_write(a, RTI_NPY_U1, 4, (const int64_t[]){1, 3, H, W}, planes, &error));
    PROGRAM(0, "predict", trial, a);
    cr_assert(strstr(result.err, "bytes are divided by 255"), "%s", result.err);
    rt_model_free(m);
}
