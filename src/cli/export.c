/* export.c - `retort export`: a trained network in a form that others read.  Floor 9 (cli)
 *
 * A format is a row of the table below: its name, a line, and a function that does the work with the
 * network opened for it; the work itself is in src/deploy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/export_c.h"
#include "cli/opening.h"
#include "cli/target.h"
#include "deploy/export.h"
#include "deploy/trainable.h"
#include "deploy/onnx.h"
#include "retort/alloc.h"
#include "retort/threads.h"

extern const rti_command rti_command_export;

struct format;

typedef struct job {
    const char *name, *format_name, *output, *data, *part;
    const char *overrides[RTI_OVERRIDES_MAX];
    int override_count;
    bool best, int8;
    const struct format *format;
    rti_target target;
    rt_model *model;
    char path[RTI_PATH_MAX]; /* where it goes */
} job;

/* ---- formats ---- */

static rt_status print_torch(const job *j, const char *load, rt_error *error) {
    rti_text lines = RTI_TEXT_EMPTY;
    rt_status status = rti_export_torch_lines(j->model, load, &lines, error);
    if (status == RT_OK) printf("%s: %s\n\n%s", j->path, rt_model_summary(j->model), rti_text_string(&lines));
    rti_text_deinit(&lines);
    return status;
}

static rt_status to_safetensors(job *j, rt_error *error) {
    char load[RTI_PATH_MAX + 64];
    RT_TRY(rti_export_torch(j->model, j->path, error));
    snprintf(load, sizeof load, "safetensors.torch.load_file(\"%s\")", j->path);
    return print_torch(j, load, error);
}

static rt_status to_npy(job *j, rt_error *error) {
    RT_TRY(rti_export_npy(j->model, j->path, error));
    return print_torch(j, "{f.stem: torch.tensor(numpy.load(f)) for f in pathlib.Path(...).glob(\"*.npy\")}",
                       error);
}

static rt_status to_logits(job *j, rt_error *error) {
    rt_params *data = rt_alloc(sizeof *data);
    if (!data) return rt_fail(error, RT_MEMORY, "no memory for the data's options");
    rt_status status = rti_target_data(&j->target, j->data, j->overrides, j->override_count, data, error);
    rt_dataset *set = status == RT_OK ? rt_dataset_open(data, NULL, error) : NULL;
    rt_free(data);
    if (!set) return status == RT_OK ? error->status : status;
    const bool test = !strcmp(j->part, "test");
    const rt_examples *examples = test ? rt_dataset_test_examples(set) : rt_dataset_train_examples(set);
    rt_threads_set(rt_threads_available());
    status = rti_export_logits(j->model, examples, j->path, error);
    if (status == RT_OK)
        printf("%s: %lld rows of %d logits, one for each %s example of the set in its order%s\n", j->path,
               (long long)examples->count, examples->classes, test ? "test" : "training",
               test ? "" : ", validation included");
    rt_dataset_free(set);
    return status;
}

/* A file that does not say how raw numbers become the input is exported without that. */
static rt_status to_onnx(job *j, rt_error *error) {
    rt_error why = {0};
    char shape[RT_SHAPE_TEXT];
    rt_input_form *form = rt_input_form_read(j->target.weights, &why);
    if (!form && why.status != RT_NOT_FOUND) return rt_fail(error, why.status, "%s", why.message);
    rt_status status = rti_onnx_write(j->model, form, j->path, error);
    if (status == RT_OK)
        printf("%s: %s\n  input   %s float32: %s\n  logits  (N, %lld)\n", j->path,
               rt_model_summary(j->model), rti_onnx_input_text(j->model, shape),
               !form         ? "what the network was trained on; its file does not say how that is made"
               : form->bytes ? "raw pixels from 0 to 255"
                             : "numbers as they stand in the data",
               (long long)rt_model_classes(j->model));
    rt_input_form_free(form);
    return status;
}

/* The data are those of the trial or of --data; without any, float is possible. */
static rt_status to_c(job *j, rt_error *error) {
    const bool known = j->data || j->target.directory[0];
    rt_params *data = known ? rt_alloc(sizeof *data) : NULL;
    if (known && !data) return rt_fail(error, RT_MEMORY, "no memory for the data's options");
    rt_status status =
        known ? rti_target_data(&j->target, j->data, j->overrides, j->override_count, data, error) : RT_OK;
    const rti_export_c work = {.target = &j->target, .model = j->model, .output = j->path, .int8 = j->int8,
                               .data = data};
    if (status == RT_OK) status = rti_export_c_write(&work, error);
    rt_free(data);
    return status;
}

static const struct format {
    const char *name, *line;
    const char *ending; /* of the file that is written when nobody names one */
    rt_status (*write)(job *j, rt_error *error);
} formats[] = {
    {"safetensors", "weights with PyTorch's names and layouts in one file", ".safetensors", to_safetensors},
    {"npy", "the same, one NumPy file a tensor, in a directory", "", to_npy},
    {"logits", "what the network says of every training example, one row each: a teacher for others",
     "-logits.npy", to_logits},
    {"onnx", "a graph that ONNX Runtime and others run, input scaling included", ".onnx", to_onnx},
    {"c", "C99 without libraries, in float or in 8-bit integers, for anybody's program", "", to_c},
};
enum { FORMATS = sizeof formats / sizeof *formats };

static const struct format *find_format(const char *name) {
    for (int i = 0; i < FORMATS; i++)
        if (!strcmp(formats[i].name, name)) return &formats[i];
    return NULL;
}

/* ---- where it goes ---- */

/* "demo-0ad17e86" for a trial, the file's own name without its ending for a file. */
static void base_name(const job *j, char out[256]) {
    char path[RTI_PATH_MAX];
    snprintf(path, sizeof path, "%s", j->name);
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    const size_t length = strlen(last), ending = strlen(".safetensors");
    if (length > ending && !strcmp(last + length - ending, ".safetensors"))
        snprintf(out, 256, "%.*s", (int)(length - ending < 200 ? length - ending : 200), last);
    else
        snprintf(out, 256, "%s%s%.8s", j->target.spec.name, j->target.spec.name[0] ? "-" : "", last);
}

static bool is_same_file(const char *a, const char *b) {
    struct stat one, two;
    return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

static rt_status choose_path(job *j, rt_error *error) {
    char base[256], name[320];
    if (j->output) return rti_path_join(j->path, sizeof j->path, "", j->output, error);
    if (j->format->write == to_c) return rti_path_join(j->path, sizeof j->path, "", "student", error);
    base_name(j, base);
    snprintf(name, sizeof name, "%s%s%s", base,
             j->format->write == to_logits && !strcmp(j->part, "test") ? "-test" : "", j->format->ending);
    return rti_path_join(j->path, sizeof j->path, "", name, error);
}

/* ---- the command ---- */

static rt_status export(job *j, rt_error *error) {
    RT_TRY(rti_target_find(&j->target, j->name, j->best, error));
    RT_TRY(choose_path(j, error));
    if (is_same_file(j->path, j->target.weights))
        return rt_fail(error, RT_VALUE, "%s: is the network itself; name another file with -o.", j->path);
    if (j->format->write == to_c && rti_net_is_file(j->target.weights)) return to_c(j, error);
    j->model = rt_model_open(j->target.weights, error);
    return j->model ? j->format->write(j, error) : error->status;
}

static const char *take(job *j, int argc, char **argv, int *i) {
    const char *problem = NULL, *value;
    if ((value = rti_option_value("--to", argc, argv, i, &problem)))
        j->format_name = value;
    else if ((value = rti_option_value("-o", argc, argv, i, &problem))) {
        if (!problem && !value[0]) problem = "-o needs a name:";
        j->output = value;
    } else if ((value = rti_option_value("--data", argc, argv, i, &problem)))
        j->data = value;
    else if ((value = rti_option_value("--part", argc, argv, i, &problem))) {
        if (!problem && strcmp(value, "train") && strcmp(value, "test")) problem = "--part is train or test:";
        j->part = value;
    } else if ((value = rti_option_value("--set", argc, argv, i, &problem))) {
        if (j->override_count == RTI_OVERRIDES_MAX)
            problem = "at most 64 times --set:";
        else
            j->overrides[j->override_count++] = value;
    } else if (!strcmp(argv[*i], "--best"))
        j->best = true;
    else if (!strcmp(argv[*i], "--int8"))
        j->int8 = true;
    else if (argv[*i][0] == '-')
        problem = "unknown option";
    else if (j->name)
        problem = "one network at a time; this is a second one:";
    else
        j->name = argv[*i];
    return problem;
}

/* NULL: all is well. */
static const char *what_is_missing(job *j, char text[512]) {
    if (!j->name) return "which network? A trial's directory or a .safetensors file";
    const char *words[FORMATS];
    for (int i = 0; i < FORMATS; i++) words[i] = formats[i].name;
    j->format = j->format_name ? find_format(j->format_name) : NULL;
    if (j->format) {
        const bool logits = j->format->write == to_logits, c = j->format->write == to_c;
        if (j->int8 && !c) return "--int8 goes with --to c";
        if (!logits && !strcmp(j->part, "test")) return "--part goes with --to logits";
        if (logits || c || (!j->data && !j->override_count)) return NULL;
        return "--data and --set go with --to logits and --to c";
    }
    int length = snprintf(text, 512, "--to which format? There are");
    for (int i = 0; i < FORMATS; i++)
        length += snprintf(text + length, 512 - (size_t)length, "%s %s", i ? "," : "", words[i]);
    const char *near = j->format_name ? rt_nearest_word(j->format_name, words, FORMATS) : NULL;
    if (near) snprintf(text + length, 512 - (size_t)length, "; did you mean \"%s\"?", near);
    return text;
}

static int run(int argc, char **argv) {
    job *j = rt_alloc_zero(1, sizeof *j);
    rt_error error = {0};
    if (!j) {
        rt_fail(&error, RT_MEMORY, "no memory to export with");
        return rti_complain(&error);
    }
    j->part = "train";
    char text[512];
    int code = RTI_EXIT_DONE;
    for (int i = 1; i < argc && code == RTI_EXIT_DONE; i++) {
        const char *word = argv[i], *problem = take(j, argc, argv, &i);
        if (problem) code = rti_usage(&rti_command_export, "%s %s", problem, word);
    }
    const char *missing = code == RTI_EXIT_DONE ? what_is_missing(j, text) : NULL;
    if (missing) code = rti_usage(&rti_command_export, "%s", missing);
    if (code == RTI_EXIT_DONE && export(j, &error) != RT_OK) code = rti_complain(&error);
    rt_model_free(j->model);
    rti_target_deinit(&j->target);
    rt_free(j);
    return code;
}

const rti_command rti_command_export = {
    .name = "export",
    .line = "a trained network in a form that others read",
    .usage =
        "usage: retort export TRIAL|FILE --to FORMAT [options]\n"
        "\n"
        "TRIAL is the directory of a finished trial, FILE a network in a .safetensors file.\n"
        "\n"
        "  --to safetensors  weights with the names and layouts of PyTorch's state_dict, in one file\n"
        "  --to npy          the same, one NumPy file a tensor, in a directory\n"
        "  --to c            NAME.h and NAME.c: C99, no allocation, no libraries, const weights\n"
        "  --to logits       what the network says of every training example, one row each, as a NumPy\n"
        "                    array: [teacher] logits of a spec takes it\n"
        "  --to onnx         a graph for ONNX Runtime and others (operator set 13, float32): it reads raw\n"
        "                    numbers, pixels from 0 to 255, images (N, C, H, W), and says logits (N, K)\n"
        "\n"
        "  -o PATH           where it goes (default: a name made of the network's, in this directory)\n"
        "  --best            of a trial, the weights that were best on validation (default: the last)\n"
        "  --int8            of c: 8-bit integers and integer arithmetic; takes TRIAL/int8.safetensors of\n"
        "                    retort quantize when it is there, else calibrates on training examples now\n"
        "  --part PART       of logits: train (default; all training examples) or test\n"
        "  --data SET        of logits and c: on this set (default: the trial's)\n"
        "  --set data.K=V    of logits and c: an option of the data\n"
        "\n"
        "A chain of layers is an nn.Sequential, which the command prints; residual networks have the names\n"
        "of the usual implementations. PyTorch loads them strictly:\n"
        "\n"
        "    import torch.nn as nn, safetensors.torch\n"
        "    net = nn.Sequential(nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 10))\n"
        "    net.load_state_dict(safetensors.torch.load_file(\"student.safetensors\"))\n"
        "\n"
        "It wants what the network was trained on: pixels as [data] scales them, images (N, C, H, W), and\n"
        "for an mlp rows (N, D); net.eval() where there is batch normalisation.\n"
        "\n"
        "example: retort export runs/demo/0ad17e86814a91c0 --to safetensors -o student.safetensors\n",
    .run = run,
};
RTI_REGISTER(command, export)
