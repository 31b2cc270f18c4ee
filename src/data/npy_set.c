/* npy_set.c - the set made of two or four NPY files.                   Floor 6 (data) */
#include "data/array_set.h"

static const rt_param rows[] = {
    RT_PARAM_TEXT_ROW("npy.train_x", "", "NPY file with the training examples: (N,D), (N,H,W) or (N,C,H,W)"),
    RT_PARAM_TEXT_ROW("npy.train_y", "", "NPY file with their labels, whole numbers from 0"),
    RT_PARAM_TEXT_ROW("npy.test_x", "",
                      "NPY file with the test examples; \"\" holds out npy.holdout of the training ones"),
    RT_PARAM_TEXT_ROW("npy.test_y", "", "NPY file with their labels"),
    RTI_ARRAY_SET_ROWS("npy"),
};

static rt_status read_npy(const rt_params *options, const char *directory, const rti_source *like,
                          rti_source *out, rt_error *error) {
    static const char *const names[4] = {"npy.train_x", "npy.train_y", "npy.test_x", "npy.test_y"};
    rti_array_files files = {.row = {"npy.holdout", "npy.classes", "npy.standardise"}};
    for (int i = 0; i < 4; i++) {
        const char *given = rt_params_text(options, names[i]);
        files.format[i] = RTI_ARRAY_NPY;
        if (*given)
            RT_TRY(rti_data_path(given, directory, files.path[i], error));
        else if (i < 2)
            return rt_fail(error, RT_SPEC, "set \"npy\" needs the path %s", names[i]);
    }
    if (!files.path[2][0] != !files.path[3][0])
        return rt_fail(error, RT_SPEC, "set \"npy\" needs the path %s too, or neither of the test files",
                       names[files.path[2][0] ? 3 : 2]);
    return rti_array_set_read(options, &files, like, out, error);
}

const rti_dataset_kind rti_dataset_kind_npy = {
    .name = "npy",
    .title = "NumPy arrays: rows or images, and labels",
    .files = "the paths npy.*, from the current or the data directory",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .read = read_npy,
    .own_files = true,
};
RTI_REGISTER(dataset, npy)
