/* fashion_mnist.c - Fashion-MNIST: pieces of clothing, 60000 and 10000. Floor 6 (data)
 *
 * Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking machine
 * learning algorithms". The files have the names and the format of MNIST. */
#include "data/dataset.h"

static const char *const class_names[] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                          "sandal", "shirt", "sneaker", "bag", "ankle boot"};

static rt_status read_fashion_mnist(const rt_params *options, const char *directory, const rti_source *like,
                                    rti_source *out, rt_error *error) {
    (void)options, (void)like;
    out->class_names = class_names;
    return rti_mnist_files_read(directory, "fashion-mnist", "fashion-mnist", out, error);
}

const rti_dataset_kind rti_dataset_kind_fashion_mnist = {
    .name = "fashion-mnist",
    .title = "Fashion-MNIST: clothing, 28x28 grey, 60000 and 10000",
    .files =
        "DIR/fashion-mnist/train-images-idx3-ubyte and its three companions, or in DIR itself, plain or .gz",
    .read = read_fashion_mnist,
    .fetch = "fashion-mnist",
};
RTI_REGISTER(dataset, fashion_mnist)
