/* folder.c - a directory with the files of a set under their usual names.  Floor 6 (data)
 *
 * IDX files as MNIST's (train-images-idx3-ubyte, .gz) or NPY files as people save them (x_train.npy). A
 * name is one of the stems below, in any case, and an ending that tells the format. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "data/array_set.h"

#define STEMS 5

static const struct {
    const char *what;
    const char *stems[STEMS];
} parts[4] = {
    {"training examples", {"train-images", "train_images", "x_train", "train_x"}},
    {"training labels", {"train-labels", "train_labels", "y_train", "train_y"}},
    {"test examples", {"t10k-images", "test-images", "test_images", "x_test", "test_x"}},
    {"test labels", {"t10k-labels", "test-labels", "test_labels", "y_test", "test_y"}},
};

static bool ends_in(const char *name, size_t length, const char *end) {
    size_t end_length = strlen(end);
    return length >= end_length && strncasecmp(name + length - end_length, end, end_length) == 0;
}

/* What stands behind the stem: ".npy"; or "", ".idx", "...-ubyte", each also with ".gz". */
static bool ending_read(const char *rest, rti_array_format *format) {
    size_t length = strlen(rest);
    *format = strcasecmp(rest, ".npy") == 0 ? RTI_ARRAY_NPY : RTI_ARRAY_IDX;
    if (*format == RTI_ARRAY_NPY) return true;
    if (ends_in(rest, length, ".gz")) length -= 3;
    return length == 0 || ends_in(rest, length, ".idx") || ends_in(rest, length, "ubyte");
}

/* The part that a file of this name is, or -1. */
static int part_of(const char *name, rti_array_format *format) {
    for (int p = 0; p < 4; p++)
        for (int s = 0; s < STEMS && parts[p].stems[s]; s++) {
            size_t length = strlen(parts[p].stems[s]);
            if (strncasecmp(name, parts[p].stems[s], length) == 0 && ending_read(name + length, format))
                return p;
        }
    return -1;
}

/* Is one of the two the other, packed? Then the plain one is read. */
static bool is_packed(const char *packed, const char *plain) {
    size_t length = strlen(plain);
    return strncmp(packed, plain, length) == 0 && strcasecmp(packed + length, ".gz") == 0;
}

static rt_status file_take(const char *directory, const char *name, rti_array_files *out, rt_error *error) {
    rti_array_format format;
    char path[RTI_PATH_MAX];
    int p = part_of(name, &format);
    if (p < 0) return RT_OK;
    RT_TRY(rti_path_join(path, sizeof path, directory, name, error));
    char *known = out->path[p];
    if (*known && is_packed(path, known)) return RT_OK;
    if (*known && !is_packed(known, path)) {
        bool order = strcmp(known, path) < 0;
        return rt_fail(
            error, RT_FORMAT,
            "%s and %s could both be the %s: move one away, or name the files with set = \"npy\" or "
            "\"idx\"",
            order ? known : path, order ? path : known, parts[p].what);
    }
    memcpy(known, path, sizeof path);
    out->format[p] = format;
    return RT_OK;
}

static rt_status missing(const char *directory, int part, rt_error *error) {
    const char *const *s = parts[part].stems;
    return rt_fail(error, RT_NOT_FOUND,
                   "%s: no %s there; looked for %s*, %s*, %s*, %s*%s%s (.npy, or IDX: no ending, .idx, "
                   "...ubyte, and .gz of them)%s",
                   directory, parts[part].what, s[0], s[1], s[2], s[3], s[4] ? ", " : "", s[4] ? s[4] : "",
                   part < 2 ? "" : "; without any test file some of the training examples are held out");
}

rt_status rti_folder_find(const char *directory, rti_array_files *out, rt_error *error) {
    DIR *folder = opendir(directory);
    if (!folder && errno == ENOENT)
        return rt_fail(error, RT_NOT_FOUND, "%s: there is no such directory: check the path", directory);
    if (!folder && errno == ENOTDIR)
        return rt_fail(error, RT_IO, "%s: is a file; a folder is needed that holds the arrays", directory);
    if (!folder) return rt_fail(error, RT_IO, "%s: cannot be opened: %s", directory, strerror(errno));
    rt_status status = RT_OK;
    for (int p = 0; p < 4; p++) out->path[p][0] = 0;
    for (struct dirent *entry; status == RT_OK && (entry = readdir(folder)) != NULL;)
        status = file_take(directory, entry->d_name, out, error);
    closedir(folder);
    RT_TRY(status);
    bool test = out->path[2][0] || out->path[3][0];
    for (int p = 0; p < (test ? 4 : 2); p++)
        if (!out->path[p][0]) return missing(directory, p, error);
    return RT_OK;
}

/* ---- the set ---- */

static const rt_param rows[] = {
    RT_PARAM_TEXT_ROW("folder.path", "", "directory with the arrays, IDX or NPY, under their usual names"),
    RTI_ARRAY_SET_ROWS("folder"),
};

static rt_status read_folder(const rt_params *options, const char *directory, const rti_source *like,
                             rti_source *out, rt_error *error) {
    rti_array_files files = {.row = {"folder.holdout", "folder.classes", "folder.standardise"}};
    const char *given = rt_params_text(options, "folder.path");
    char path[RTI_PATH_MAX];
    if (!*given)
        return rt_fail(error, RT_SPEC, "set \"folder\" needs a path: folder.path%s",
                       like ? " or transfer.folder" : "");
    RT_TRY(rti_data_path(given, directory, path, error));
    RT_TRY(rti_folder_find(path, &files, error));
    return rti_array_set_read(options, &files, like, out, error);
}

const rti_dataset_kind rti_dataset_kind_folder = {
    .name = "folder",
    .title = "a directory with arrays, IDX or NPY, under their usual names",
    .files = "folder.path: train-images*, train-labels*, t10k-images*, t10k-labels*; or x_train.npy, "
             "y_train.npy, x_test.npy, y_test.npy",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .read = read_folder,
    .own_files = true,
};
RTI_REGISTER(dataset, folder)
