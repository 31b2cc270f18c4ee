/* mnist.c - MNIST: handwritten digits, 60000 and 10000 grey images.    Floor 6 (data)
 *
 * LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition". */
#include "data/dataset.h"

/* The path of one file, plain or packed: in directory/folder, else in directory. */
static rt_status locate(const char *directory, const char *folder, const char *file, const char *name,
                        char out[RTI_PATH_MAX], rt_error *error) {
    char folder_path[RTI_PATH_MAX];
    RT_TRY(rti_path_join(folder_path, sizeof folder_path, directory, folder, error));
    const char *places[] = {folder_path, directory};
    for (int i = 0; i < 2; i++) {
        RT_TRY(rti_path_join(out, RTI_PATH_MAX, places[i], file, error));
        if (rti_file_or_gzip_exists(out)) return RT_OK;
    }
    return rt_fail(error, RT_NOT_FOUND,
                   "%s: %s is neither in %s nor in %s. `retort data fetch %s` downloads it, "
                   "RETORT_DATA=DIR uses files that are already there",
                   name, file, folder_path, directory, name);
}

rt_status rti_mnist_files_read(const char *directory, const char *folder, const char *name,
                               rti_source *out, rt_error *error) {
    static const char *const files[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
    char path[4][RTI_PATH_MAX];
    for (int i = 0; i < 4; i++) RT_TRY(locate(directory, folder, files[i], name, path[i], error));
    RT_TRY(rti_idx_examples(path[0], path[1], 10, out, &out->train, error));
    return rti_idx_examples(path[2], path[3], 10, out, &out->test, error);
}

static rt_status read_mnist(const rt_params *options, const char *directory, const rti_source *like,
                            rti_source *out, rt_error *error) {
    (void)options, (void)like;
    return rti_mnist_files_read(directory, "mnist", "mnist", out, error);
}

const rti_dataset_kind rti_dataset_kind_mnist = {
    .name = "mnist",
    .title = "MNIST: handwritten digits, 28x28 grey, 60000 and 10000",
    .files = "DIR/mnist/train-images-idx3-ubyte and its three companions, or in DIR itself, plain or .gz",
    .read = read_mnist,
    .fetch = "mnist",
};
RTI_REGISTER(dataset, mnist)
