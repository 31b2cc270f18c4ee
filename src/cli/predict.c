/* predict.c - `retort predict`: what a network says of a file.         Floor 9 (cli) */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/opening.h"
#include "cli/target.h"
#include "core/text.h"
#include "deploy/predict.h"
#include "formats/csv.h"
#include "retort/alloc.h"
#include "retort/threads.h"

extern const rti_command rti_command_predict;

#define INPUT_LIMIT ((size_t)1 << 33)
#define ROWS_AT_ONCE ((size_t)1 << 16) /* bytes */

typedef struct job {
    const char *student, *output, *label;
    char **files;         /* among argv, in their order */
    int file_count;
    bool best, all;
    rti_target target;
    rt_model *model;
    rt_input_form *form;  /* NULL: the network's file does not say */
    const char *file;     /* the one at hand */
    rti_text rows;        /* not written yet */
    rti_predict_counts counts;
} job;

/* ---- reading ---- */

static bool is_stdin(const char *name) { return strcmp(name, "-") == 0; }

static rt_status read_stdin(rti_bytes *out, rt_error *error) {
    static unsigned char piece[1 << 16];
    rti_text all = RTI_TEXT_EMPTY;
    rt_status status = RT_OK;
    for (ssize_t n = 1; n > 0 && status == RT_OK;) {
        do n = read(STDIN_FILENO, piece, sizeof piece);
        while (n < 0 && errno == EINTR);
        if (n > 0) rti_text_append_bytes(&all, piece, (size_t)n);
        if (n < 0) status = rt_fail(error, RT_IO, "standard input cannot be read: %s", strerror(errno));
        else if (all.failed || all.length > INPUT_LIMIT)
            status = rt_fail(error, all.failed ? RT_MEMORY : RT_IO, "standard input is too long: %s",
                             all.failed ? "no memory for it" : "more than 8 GiB");
    }
    *out = (rti_bytes){NULL, all.length};
    if (status == RT_OK && all.length) out->data = (unsigned char *)rti_text_take(&all);
    rti_text_deinit(&all);
    return status;
}

/* ---- writing ---- */

static const char *class_name(const job *j, int64_t k, char buffer[32]) {
    if (j->form && j->form->class_names) return j->form->class_names[k];
    snprintf(buffer, 32, "%lld", (long long)k);
    return buffer;
}

/* With -o rows wait, so that the file is written whole. */
static rt_status pass_on(job *j, rt_error *error) {
    if (j->rows.failed) return rt_fail(error, RT_MEMORY, "no memory for the predictions");
    if (j->output) return RT_OK;
    const size_t length = j->rows.length;
    const bool fine = fwrite(j->rows.bytes, 1, length, stdout) == length && fflush(stdout) == 0;
    rti_text_clear(&j->rows);
    return fine ? RT_OK : rt_fail(error, RT_IO, "standard output cannot be written.");
}

static void append_heads(job *j) {
    char buffer[32];
    if (j->file_count > 1) rti_csv_append(&j->rows, "file", true);
    rti_csv_append(&j->rows, "index", j->file_count == 1);
    rti_text_append(&j->rows, ",class,probability");
    if (j->label) rti_text_append(&j->rows, ",label");
    for (int64_t k = 0; j->all && k < rt_model_classes(j->model); k++) {
        rti_text name = RTI_TEXT_EMPTY;
        rti_text_printf(&name, "p_%s", class_name(j, k, buffer));
        rti_csv_append(&j->rows, rti_text_string(&name), false);
        j->rows.failed |= name.failed;
        rti_text_deinit(&name);
    }
    rti_text_append(&j->rows, "\n");
}

static rt_status append_row(void *context, const rti_prediction *said, rt_error *error) {
    job *j = context;
    char buffer[32];
    if (j->file_count > 1) {
        rti_csv_append(&j->rows, j->file, true);
        rti_text_append(&j->rows, ",");
    }
    rti_text_printf(&j->rows, "%lld", (long long)said->index);
    rti_csv_append(&j->rows, class_name(j, said->top, buffer), false);
    rti_text_printf(&j->rows, ",%.7g", said->probabilities[said->top]);
    if (j->label) rti_csv_append(&j->rows, class_name(j, said->label, buffer), false);
    for (int64_t k = 0; j->all && k < said->classes; k++)
        rti_text_printf(&j->rows, ",%.7g", said->probabilities[k]);
    rti_text_append(&j->rows, "\n");
    return j->rows.length < ROWS_AT_ONCE ? RT_OK : pass_on(j, error);
}

/* ---- the command ---- */

static rt_status predict_file(job *j, const char *name, rt_error *error) {
    rti_bytes bytes;
    rti_predict_counts counts = {0};
    j->file = name;
    if (is_stdin(name)) RT_TRY(read_stdin(&bytes, error));
    else RT_TRY(rti_file_read_gzip(name, INPUT_LIMIT, &bytes, error));
    const char *said = is_stdin(name) ? "standard input" : name;
    rt_status status =
        rti_predict(j->model, j->form, said, bytes, j->label, append_row, j, &counts, error);
    rt_free(bytes.data);
    j->counts.examples += counts.examples;
    j->counts.labelled += counts.labelled;
    j->counts.wrong += counts.wrong;
    return status == RT_OK ? pass_on(j, error) : status;
}

static rt_status open_network(job *j, rt_error *error) {
    RT_TRY(rti_target_find(&j->target, j->student, j->best, error));
    j->model = rt_model_open(j->target.weights, error);
    if (!j->model) return error->status;
    rt_error why = {0};
    j->form = rt_input_form_read(j->target.weights, &why);
    if (j->form) return RT_OK;
    if (why.status != RT_NOT_FOUND) return rt_fail(error, why.status, "%s", why.message);
    fprintf(stderr, "retort: %s; bytes are divided by 255, other numbers taken as they are\n", why.message);
    return RT_OK;
}

static rt_status predict(job *j, rt_error *error) {
    RT_TRY(open_network(j, error));
    rt_threads_set(rt_threads_available());
    append_heads(j);
    for (int i = 0; i < j->file_count; i++) RT_TRY(predict_file(j, j->files[i], error));
    if (j->output) RT_TRY(rti_file_write(j->output, j->rows.bytes, j->rows.length, error));
    if (j->output) printf("%s: %lld predictions\n", j->output, (long long)j->counts.examples);
    if (j->counts.labelled)
        fprintf(stderr, "%lld of %lld are not what the label says (%.2f %%)\n", (long long)j->counts.wrong,
                (long long)j->counts.labelled, 100.0 * (double)j->counts.wrong / (double)j->counts.labelled);
    return RT_OK;
}

static const char *take(job *j, int argc, char **argv, int *i) {
    const char *problem = NULL, *value, *word = argv[*i];
    if ((value = rti_option_value("-o", argc, argv, i, &problem))) {
        if (!problem && !value[0]) problem = "-o needs a name:";
        j->output = value;
    } else if ((value = rti_option_value("--label", argc, argv, i, &problem))) j->label = value;
    else if (!strcmp(word, "--best")) j->best = true;
    else if (!strcmp(word, "--all")) j->all = true;
    else if (word[0] == '-' && word[1]) problem = "unknown option";
    else if (!j->student) j->student = word;
    else {
        for (int k = 0; is_stdin(word) && k < j->file_count; k++)
            if (is_stdin(j->files[k])) problem = "standard input can be read once:";
        j->files[j->file_count++] = argv[*i];
    }
    return problem;
}

static int run_job(job *j, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *problem = take(j, argc, argv, &i);
        if (problem) return rti_usage(&rti_command_predict, "%s %s", problem, word);
    }
    if (!j->student)
        return rti_usage(&rti_command_predict, "which network? A trial's directory or a .safetensors file");
    if (!j->file_count)
        return rti_usage(&rti_command_predict, "which examples? Files, or - for standard input");
    rt_error error = {0};
    return predict(j, &error) == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}

static int run(int argc, char **argv) {
    signal(SIGPIPE, SIG_DFL); /* whoever reads our rows may have enough of them, then we end without a word */
    job *j = rt_alloc_zero(1, sizeof *j);
    char **files = j ? rt_alloc((size_t)argc * sizeof *files) : NULL;
    int code = RTI_EXIT_FAILED;
    if (files) {
        j->files = files;
        code = run_job(j, argc, argv);
        rti_text_deinit(&j->rows);
        rt_input_form_free(j->form);
        rt_model_free(j->model);
        rti_target_deinit(&j->target);
    } else {
        rti_complain(&(rt_error){.status = RT_MEMORY});
    }
    rt_free(files);
    rt_free(j);
    return code;
}

const rti_command rti_command_predict = {
    .name = "predict",
    .line = "classes and probabilities of the examples in files",
    .usage =
        "usage: retort predict TRIAL|NETWORK FILE... [options]\n"
        "\n"
        "TRIAL is the directory of a finished trial, NETWORK a .safetensors file. FILE holds raw numbers as\n"
        "they were ahead of training, in a form that is recognised by content: IDX (.gz, too), NPY (N, ...)\n"
        "or one example, CSV (a header is skipped), PGM or PPM pictures of the network's size, one or\n"
        "several in a row. - is standard input.\n"
        "\n"
        "Prints CSV, a line for each example: its index in the file from 0, the class and the probability\n"
        "of it; with several files the file's name stands in front.\n"
        "\n"
        "  --all             the probabilities of all classes, too\n"
        "  --label COLUMN    of CSV: this column is no input but the class (a name, a number from 1, or -1\n"
        "                    for the last); it is printed and compared, errors are counted at the end\n"
        "  --best            of a trial, the weights that were best on validation (default: the last)\n"
        "  -o OUT            into this file, written whole (default: standard output)\n"
        "\n"
        "example: retort predict runs/demo/0ad17e86814a91c0 three.pgm\n",
    .run = run,
};
RTI_REGISTER(command, predict)
