/* describe.c - what is in a file or a folder; see describe.h.          Floor 6 (data) */
#include "data/describe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 256

void rti_description_deinit(rti_description *d) {
    rt_free(d->class_counts);
    rt_free(d->column);
    rti_text_deinit(&d->problems);
    rti_text_deinit(&d->notes);
    memset(d, 0, sizeof *d);
}

/* ---- arrays ---- */

static rt_status array_look(rti_described_array *a, rti_npy *npy, rt_error *error) {
    RT_TRY(rti_array_read(a->format, a->path, npy, error));
    a->dtype = npy->dtype;
    a->ndim = npy->ndim;
    memcpy(a->shape, npy->shape, sizeof a->shape);
    a->is_labels = rti_array_is_labels(a->path, npy, NULL) == RT_OK;
    bool first = true;
    for (int64_t i = 0; i < npy->count; i++) {
        double value = rti_npy_value(npy, i);
        if (!isfinite(value)) {
            a->not_finite++;
            continue;
        }
        if (first || value < a->low) a->low = value;
        if (first || value > a->high) a->high = value;
        first = false;
    }
    return RT_OK;
}

static rt_status classes_new(rti_description *d, int count, rt_error *error) {
    d->class_counts = rt_alloc_zero((size_t)count, sizeof *d->class_counts);
    if (!d->class_counts) return rt_fail(error, RT_MEMORY, "%s: no memory for its classes", d->given);
    d->class_count = count;
    for (int k = 0; k < count; k++)
        snprintf(d->class_counts[k].name, sizeof d->class_counts[k].name, "%d", k);
    return RT_OK;
}

/* What the array alone tells: of labels the classes, of examples their form. */
static rt_status alone(rti_description *d, const rti_npy *npy, rt_error *error) {
    const rti_described_array *a = &d->array[0];
    rt_error why = {0};
    rt_examples e;
    d->rows = a->ndim > 0 ? a->shape[0] : 1;
    if (a->is_labels && npy->count > 0 && a->low >= 0 && a->high < RTI_CLASSES_MAX) {
        RT_TRY(classes_new(d, (int)a->high + 1, error));
        for (int64_t i = 0; i < npy->count; i++) d->class_counts[(int)rti_npy_value(npy, i)].count++;
    } else if (!a->is_labels && rti_array_form(a->path, npy, &e, &why) == RT_OK) {
        d->features = e.features;
        d->images = e.ndim == 3;
        d->channels = e.shape[0];
    } else if (why.message[0]) {
        rti_text_printf(&d->problems, "%s\n", why.message);
    }
    rti_text_printf(&d->problems,
                    "one array is not a set: examples and labels are needed, for example x_train.npy and "
                    "y_train.npy in a folder; describe that folder\n");
    return RT_OK;
}

static rt_status array_describe(rti_description *d, const char *path, rti_array_format format,
                                rt_error *error) {
    rti_npy npy;
    rti_described_array *a = &d->array[0];
    d->what = RTI_DESCRIBED_ARRAY;
    d->array_count = 1;
    d->array[0].part = "";
    a->format = format;
    snprintf(a->path, sizeof a->path, "%s", path);
    RT_TRY(array_look(a, &npy, error));
    rt_status status = alone(d, &npy, error);
    rti_npy_deinit(&npy);
    return status;
}

/* ---- folders ---- */

static void form_take(rti_description *d, const rt_dataset *set) {
    const rt_examples *e = rt_dataset_train_examples(set);
    d->features = e->features;
    d->images = e->ndim == 3;
    d->channels = e->shape[0];
    d->bytes = e->bytes != NULL;
    const rti_described_array *x = &d->array[0];
    if (d->bytes && !d->images && x->high < 128)
        rti_text_printf(&d->notes,
                        "rows of bytes are divided by 255, and these end at %.0f: as float32 they would be "
                        "standardised instead: np.save(\"x_train.npy\", x.astype(\"float32\"))\n",
                        x->high);
}

/* The set as a spec would open it: whatever stands in the way is said by whoever would refuse it. */
static rt_status folder_open(rti_description *d, const char *path, rt_error *error) {
    int rows;
    const rt_param *table = rt_data_rows(&rows);
    rt_params *p = rt_alloc(sizeof *p);
    if (!p) return rt_fail(error, RT_MEMORY, "no memory for options");
    rt_params_init(p, table, rows);
    rt_value text = {.type = RT_PARAM_TEXT};
    rt_error why = {0};
    rt_dataset *set = NULL;
    if (strlen(path) < sizeof text.text) memcpy(text.text, path, strlen(path) + 1);
    rt_status status = text.text[0] ? RT_OK
                                    : rt_fail(error, RT_VALUE, "%s: the path is too long for a spec", path);
    if (status == RT_OK) status = rt_params_set_text(p, "set", "folder", error);
    if (status == RT_OK) status = rt_params_set_text(p, "validation", "0", error);
    if (status == RT_OK) status = rt_params_set(p, "folder.path", &text, error);
    if (status == RT_OK && !(set = rt_dataset_open(p, "", &why))) {
        if (why.status == RT_MEMORY)
            status = rt_fail(error, RT_MEMORY, "%s", why.message);
        else
            rti_text_printf(&d->problems, "%s\n", why.message);
    }
    rt_free(p);
    if (!set) return status;
    form_take(d, set);
    const rt_examples *e = rt_dataset_train_examples(set);
    status = classes_new(d, e->classes, error);
    for (int64_t i = 0; status == RT_OK && i < e->count; i++) d->class_counts[e->labels[i]].count++;
    if (d->array_count == 2) { /* what is held out is part of the files */
        const rt_examples *held = rt_dataset_test_examples(set);
        for (int64_t i = 0; status == RT_OK && i < held->count; i++) d->class_counts[held->labels[i]].count++;
    }
    rt_dataset_free(set);
    for (int k = 0, seen = 0; status == RT_OK && k < d->class_count; k++) {
        if (d->class_counts[k].count || seen++) continue;
        rti_text_printf(&d->notes, "no example has the label %d: labels are numbers from 0\n", k);
    }
    return status;
}

static rt_status folder_describe(rti_description *d, const char *path, rt_error *error) {
    static const char *const parts[] = {"training examples", "training labels", "test examples",
                                        "test labels"};
    rti_array_files *files = rt_alloc_zero(1, sizeof *files);
    if (!files) return rt_fail(error, RT_MEMORY, "no memory to look into %s", path);
    rt_status status = rti_folder_find(path, files, error);
    d->what = RTI_DESCRIBED_FOLDER;
    for (int i = 0; status == RT_OK && i < 4 && files->path[i][0]; i++) {
        rti_npy npy;
        rti_described_array *a = &d->array[d->array_count++];
        a->part = parts[i];
        a->format = files->format[i];
        memcpy(a->path, files->path[i], sizeof a->path);
        status = array_look(a, &npy, error);
        if (status == RT_OK) rti_npy_deinit(&npy);
    }
    rt_free(files);
    RT_TRY(status);
    d->rows = d->array[0].ndim > 0 ? d->array[0].shape[0] : 1;
    RT_TRY(folder_open(d, path, error));
    if (d->rows < 10)
        rti_text_printf(&d->problems, "%lld examples are too few to train, choose and test on: add some\n",
                        (long long)d->rows);
    return RT_OK;
}

/* ---- any path ---- */

/* Says that nothing is there, and the name beside it that is nearest. */
static rt_status nothing_there(const char *given, rt_error *error) {
    char folder[RTI_PATH_MAX], names[NAMES_MAX][64];
    const char *slash = strrchr(given, '/'), *list[NAMES_MAX], *near = NULL;
    int count = 0;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - given) + 1 : 2, slash ? given : "./");
    DIR *directory = opendir(folder);
    if (!directory)
        return rt_fail(error, RT_NOT_FOUND, "%s: there is no such file or folder, nor %s: check the path",
                       given, folder);
    for (struct dirent *entry; count < NAMES_MAX && (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof names[0]) continue;
        snprintf(names[count], sizeof names[0], "%s", entry->d_name);
        list[count] = names[count];
        count++;
    }
    closedir(directory);
    near = rt_nearest_word(slash ? slash + 1 : given, list, count);
    return rt_fail(error, RT_NOT_FOUND, "%s: there is no such file or folder: check the path%s%s%s%s", given,
                   near ? "; did you mean " : "", near && slash ? folder : "", near ? near : "",
                   near ? "?" : "");
}

static rt_status path_find(const char *given, char path[RTI_PATH_MAX], rt_error *error) {
    char directory[RTI_PATH_MAX] = "";
    if (!rti_file_exists(given) && rt_data_directory(directory, sizeof directory, NULL) != RT_OK)
        directory[0] = 0;
    RT_TRY(rti_path_join(path, RTI_PATH_MAX, directory, given, error));
    return rti_file_exists(path) ? RT_OK : nothing_there(given, error);
}

/* The first bytes, 0 when they cannot be read: then reading the whole says why. */
static size_t first_bytes(const char *path, unsigned char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size);
    if (fd >= 0) close(fd);
    return n < 0 ? 0 : (size_t)n;
}

static rt_status describe(rti_description *d, const char *path, const char *label, rt_error *error) {
    struct stat about;
    unsigned char head[8] = {0};
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return folder_describe(d, path, error);
    size_t count = first_bytes(path, head, sizeof head);
    bool archive = count >= 4 && memcmp(head, "PK\x03\x04", 4) == 0;
    bool packed = count >= 2 && head[0] == 0x1f && head[1] == 0x8b;
    if (rti_npy_begins(head, count) || archive) return array_describe(d, path, RTI_ARRAY_NPY, error);
    if ((count >= 4 && !head[0] && !head[1]) || packed) return array_describe(d, path, RTI_ARRAY_IDX, error);
    return rti_describe_table(d, path, label, error);
}

rt_status rti_describe(rti_description *d, const char *given, const char *label, rt_error *error) {
    char path[RTI_PATH_MAX];
    memset(d, 0, sizeof *d);
    RT_TRY(path_find(given, path, error));
    snprintf(d->given, sizeof d->given, "%s", given);
    rt_status status = describe(d, path, label, error);
    if (status == RT_OK && (d->problems.failed || d->notes.failed))
        status = rt_fail(error, RT_MEMORY, "no memory to describe %s", given);
    if (status == RT_OK && label && d->what != RTI_DESCRIBED_TABLE)
        status = rt_fail(error, RT_SPEC, "%s: a label column can be told of a table only", given);
    if (status != RT_OK) rti_description_deinit(d);
    return status;
}
