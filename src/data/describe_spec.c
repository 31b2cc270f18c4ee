/* describe_spec.c - a spec to start from.                              Floor 6 (data)
 *
 * Small networks and few epochs: on small data all of it takes seconds. Epochs go down as rows and columns
 * go up, so that the first answer does not take an afternoon. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/describe.h"

#define KEY 15   /* columns of a key */
#define VALUE 20 /* and of a value, before the comment */

/* key = value                       # why */
static void line(rti_text *out, const char *key, const char *value, const char *why) {
    rti_text_printf(out, "%-*s = %-*s # %s\n", KEY, key, VALUE, value, why);
}

static void number_line(rti_text *out, const char *key, int64_t value, const char *why) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    line(out, key, text, why);
}

/* A text as TOML writes it, quotes and all. */
static const char *quoted(const char *text, char out[RT_PARAM_TEXT_MAX * 6 + 8]) {
    rt_value value = {.type = RT_PARAM_TEXT};
    snprintf(value.text, sizeof value.text, "%s", text);
    rt_value_format(&value, out, RT_PARAM_TEXT_MAX * 6 + 8);
    return out;
}

static int64_t clamp(double value, int64_t low, int64_t high) {
    if (value <= (double)low) return low;
    return value >= (double)high ? high : (int64_t)value;
}

/* What the sizes of the data suggest. */
typedef struct sizes {
    int64_t train, validation, batch, wide, narrow, teacher_epochs, student_epochs;
} sizes;

static sizes sizes_for(const rti_description *d) {
    sizes s = {0};
    bool holds_out = d->what == RTI_DESCRIBED_TABLE || d->array_count == 2;
    double rows = holds_out ? 0.8 * (double)d->rows : (double)d->rows;
    double D = (double)d->features, K = d->class_count;
    s.validation = clamp(0.15 * rows, 1, 10000);
    s.train = (int64_t)rows - s.validation;
    s.batch = rows < 500 ? 16 : rows < 5000 ? 32 : 100;
    s.wide = D >= 256 || rows >= 20000 ? 256 : 128;
    s.narrow = clamp(2 * K, 8, 64);
    double teacher = rows * (double)s.wide * (D + (double)s.wide + K),
           student = rows * (double)s.narrow * (D + K);
    s.teacher_epochs = clamp(fmin(6e5 / rows, 6e10 / teacher), 10, 60);
    s.student_epochs = clamp(fmin(1.2e6 / rows, 1.2e10 / student), 10, 100);
    return s;
}

static void table_lines(const rti_description *d, rti_text *out) {
    static const char *const words[] = {"\"comma\"", "\"semicolon\"", "\"tab\""};
    char text[RT_PARAM_TEXT_MAX * 6 + 8], why[96];
    line(out, "set", "\"csv\"", "a table of numbers with a label column");
    snprintf(why, sizeof why, "%lld rows; the path from where retort is started", (long long)d->rows);
    line(out, "csv.train", quoted(d->given, text), why);
    line(out, "csv.test", "\"\"", "a file of test rows, if there is one; \"\" holds some out");
    line(out, "csv.holdout", "0.2", "so much of csv.train becomes the test set, by class in proportion");
    line(out, "csv.separator",
         words[d->separator == ';'    ? 1
               : d->separator == '\t' ? 2
                                      : 0],
         "what stands between two fields");
    line(out, "csv.header", d->header ? "\"yes\"" : "\"no\"",
         d->header ? "the first line holds names" : "the first line is a row");
    snprintf(why, sizeof why, "column of the classes, %d of them", d->class_count);
    line(out, "csv.label", quoted(d->label_text, text), why);
    line(out, "csv.standardise", "true", "mean 0, deviation 1 per column, fitted on the training rows");
}

static void folder_lines(const rti_description *d, rti_text *out) {
    char text[RT_PARAM_TEXT_MAX * 6 + 8];
    line(out, "set", "\"folder\"", "arrays, IDX or NPY, under their usual names");
    line(out, "folder.path", quoted(d->given, text), "the path from where retort is started");
    if (d->array_count == 2)
        line(out, "folder.holdout", "0.2", "there are no test files: so much becomes the test set");
    if (!d->bytes)
        line(out, "folder.standardise", "true",
             d->images ? "mean 0, deviation 1 per channel, fitted on the training images"
                       : "mean 0, deviation 1 per column, fitted on the training rows");
    else if (d->images && d->channels <= RT_CHANNELS_MAX)
        line(out, "normalize", "true", "pixels get mean 0, deviation 1 per channel");
}

static void network_lines(rti_text *out, bool teacher, int64_t wide, int64_t epochs) {
    char hidden[48];
    snprintf(hidden, sizeof hidden, teacher ? "[%lld, %lld]" : "[%lld]", (long long)wide, (long long)wide);
    rti_text_printf(out, "\n[%s]\n", teacher ? "teacher" : "student");
    line(out, "model", "\"mlp\"", "a multilayer perceptron; `retort list models` shows others");
    line(out, "hidden", hidden,
         teacher ? "units of its hidden layers: more than enough"
                 : "few units: this is the network that shall be used in the end");
    if (teacher)
        line(out, "dropout", "{ hidden = 0.2 }", "keeps a large network from learning rows by heart");
    number_line(out, "epochs", epochs,
                teacher ? "how often it sees the training examples"
                        : "likewise; with and without the teacher");
    rti_text_printf(
        out, "%-*s = { name = \"sgd\", lr = %s, momentum = 0.9, schedule = \"linear\" }  # lr ends at 0\n",
        KEY, "optimizer", teacher ? "0.05" : "0.02");
}

rt_status rti_describe_spec(const rti_description *d, const char *name, const char *file, rti_text *out,
                            rt_error *error) {
    const char *problem = rti_text_string(&d->problems);
    if (*problem)
        return rt_fail(error, RT_FORMAT, "%s: no spec is written: %.*s", d->given,
                       (int)strcspn(problem, "\n"), problem);
    if (strlen(d->given) >= RT_PARAM_TEXT_MAX)
        return rt_fail(error, RT_VALUE, "%s: no spec is written: the path is longer than %d bytes", d->given,
                       RT_PARAM_TEXT_MAX - 1);
    sizes s = sizes_for(d);
    char text[RT_PARAM_TEXT_MAX * 6 + 8], why[96];
    rti_text_printf(out,
                    "# A spec to start from: a large teacher, a small student, and the question whether the\n"
                    "# teacher's soft targets make the student better. It runs as it is:\n"
                    "#\n"
                    "#     retort run %s\n"
                    "#\n"
                    "# `retort help data`, `retort help mlp` and `retort help kd` explain every option.\n\n",
                    file);
    snprintf(why, sizeof why, "results go to runs/%s", name);
    line(out, "name", quoted(name, text), why);
    line(out, "seeds", "[1, 2, 3]", "everything is trained three times: mean and interval");
    rti_text_append(out, "\n[data]\n");
    if (d->what == RTI_DESCRIBED_TABLE)
        table_lines(d, out);
    else
        folder_lines(d, out);
    number_line(out, "validation", s.validation, "training examples that every choice is made on");
    number_line(out, "batch", s.batch, "examples in a step");
    network_lines(out, true, s.wide, s.teacher_epochs);
    network_lines(out, false, s.narrow, s.student_epochs);
    rti_text_append(out, "\n[distill]\n");
    line(out, "method", "\"kd\"", "soft targets, Hinton et al. 2015; `retort list methods` shows others");
    line(out, "temperature", "4.0", "softens teacher and student; swept below");
    line(out, "alpha", "0.9", "weight of the soft targets; 0 is labels alone");
    rti_text_append(out, "\n[sweep]\n"
                         "\"distill.temperature\" = [1, 2, 4, 8]  # one student each; validation chooses\n");
    return out->failed ? rt_fail(error, RT_MEMORY, "no memory for a spec") : RT_OK;
}
