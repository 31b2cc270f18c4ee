/* cifar100.c - CIFAR-100: photographs of 100 things in 20 groups, 32x32.  Floor 6 (data)
 *
 * Krizhevsky 2009, "Learning multiple layers of features from tiny images". The binary version: train.bin
 * and test.bin; a record has the group (coarse label), the thing (fine label), then the pixels. */
#include <string.h>

#include "data/cifar.h"

#define TRAIN 50000
#define TEST 10000

static const char *const coarse_names[] = {
    "aquatic mammals", "fish", "flowers", "food containers", "fruit and vegetables",
    "household electrical devices", "household furniture", "insects", "large carnivores",
    "large man-made outdoor things", "large natural outdoor scenes", "large omnivores and herbivores",
    "medium-sized mammals", "non-insect invertebrates", "people", "reptiles", "small mammals", "trees",
    "vehicles 1", "vehicles 2"};

static const char *const fine_names[] = {
    "apple", "aquarium fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
    "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
    "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
    "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
    "lamp", "lawn mower", "leopard", "lion", "lizard", "lobster", "man", "maple tree", "motorcycle",
    "mountain", "mouse", "mushroom", "oak tree", "orange", "orchid", "otter", "palm tree", "pear",
    "pickup truck", "pine tree", "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon",
    "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail",
    "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet pepper", "table", "tank", "telephone",
    "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow tree", "wolf", "woman", "worm"};

_Static_assert(sizeof coarse_names / sizeof *coarse_names == 20, "groups");
_Static_assert(sizeof fine_names / sizeof *fine_names == 100, "things");

static const rt_param rows[] = {
    RT_PARAM_CHOICE_ROW("cifar100.labels", "fine", "fine|coarse", "100 things, or the 20 groups they are in"),
};

static rt_status read_file(const rti_cifar_form *form, rti_source *out, const char *folder, const char *name,
                           int64_t count, rt_examples *examples, rt_error *error) {
    uint8_t *pixels;
    int32_t *labels;
    RT_TRY(rti_cifar_alloc(form, out, count, &pixels, &labels, error));
    RT_TRY(rti_cifar_read(form, folder, name, count, pixels, labels, error));
    *examples = rti_cifar_examples(form, pixels, labels, count);
    return RT_OK;
}

static rt_status read_cifar100(const rt_params *options, const char *directory, const rti_source *like,
                               rti_source *out, rt_error *error) {
    (void)like;
    bool fine = strcmp(rt_params_text(options, "cifar100.labels"), "fine") == 0;
    const rti_cifar_form form = {.name = "cifar100", .folders = {"cifar100", "cifar-100-binary"},
                                 .label_bytes = 2, .label = fine, .classes = {20, 100}};
    char folder[RTI_PATH_MAX];
    out->class_names = fine ? fine_names : coarse_names;
    RT_TRY(rti_cifar_folder(&form, directory, "train.bin", folder, error));
    RT_TRY(read_file(&form, out, folder, "test.bin", TEST, &out->test, error)); /* the smaller one first */
    return read_file(&form, out, folder, "train.bin", TRAIN, &out->train, error);
}

const rti_dataset_kind rti_dataset_kind_cifar100 = {
    .name = "cifar100",
    .title = "CIFAR-100: photographs of 100 things in 20 groups, 32x32 colour, 50000 and 10000",
    .files = "DIR/cifar100/train.bin, test.bin; also DIR/cifar-100-binary",
    .rows = rows,
    .row_count = 1,
    .read = read_cifar100,
    .fetch = "cifar100",
};
RTI_REGISTER(dataset, cifar100)
