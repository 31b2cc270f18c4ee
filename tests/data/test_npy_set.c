/* Sets of one's own arrays: numbers, labels and shapes against those the test wrote, standardisation against
 * a computation over the train part here, the same digits as IDX, as NPY and in a folder against each
 * other (one content hash), and every kind of unfit array against the words that must say what to do. */
#include <math.h>

#include "data/dataset.h"
#include "formats/npy.h"
#include "scratch.h"

static void write_npy(const char *name, rti_npy_dtype dtype, int ndim, const int64_t shape[],
                      const void *data) {
    rt_error error = {0};
    cr_assert_eq(rti_npy_write(scratch_path(name), dtype, ndim, shape, data, &error), RT_OK, "%s",
                 error.message);
}

#define SHAPE(...) ((const int64_t[]){__VA_ARGS__})

static rt_params *npy_options(bool test) {
    rt_params *p = options_begin();
    option(p, "set", "npy");
    option(p, "validation", "0");
    option(p, "npy.train_x", "x.npy");
    option(p, "npy.train_y", "y.npy");
    if (test) option(p, "npy.test_x", "x.npy");
    if (test) option(p, "npy.test_y", "y.npy");
    return p;
}

static const uint8_t pixels[24] = {1,  2,  3,  4,  5,   6,   7,   8,   9,   10,  11,  12,
                                   13, 14, 15, 16, 250, 251, 252, 253, 254, 255, 128, 64};
static const int64_t labels[4] = {2, 0, 1, 2};

Test(npy_set, bytes_stay_bytes_in_every_shape) {
    static const struct {
        int ndim, of_one;
        int64_t shape[4], one[3];
    } forms[] = {{2, 1, {4, 6}, {6}}, {3, 3, {4, 2, 3}, {1, 2, 3}}, {4, 3, {4, 3, 1, 2}, {3, 1, 2}}};
    scratch_begin();
    write_npy("y.npy", RTI_NPY_I8, 1, SHAPE(4), labels);
    for (int f = 0; f < 3; f++) {
        write_npy("x.npy", RTI_NPY_U1, forms[f].ndim, forms[f].shape, pixels);
        rt_dataset *set = opens(npy_options(true));
        const rt_examples *e = rt_dataset_train_examples(set);
        cr_assert(e->count == 4 && e->ndim == forms[f].of_one && e->features == 6 && e->classes == 3);
        for (int d = 0; d < e->ndim; d++) cr_assert_eq(e->shape[d], forms[f].one[d]);
        cr_assert_arr_eq(e->bytes, pixels, 24);
        cr_assert_null(e->values);
        cr_assert_float_eq(e->scale, 1.0 / 255, 1e-15);
        for (int i = 0; i < 4; i++) cr_assert_eq(e->labels[i], labels[i]);
        rt_dataset_free(set);
    }
    scratch_end();
}

/* The same whole numbers in every other dtype become the same floats, and as labels the same labels. */
Test(npy_set, every_dtype_of_numbers_and_labels) {
    const int8_t i1[] = {1, 0, 1, 0};
    const uint16_t u2[] = {1, 0, 1, 0}, f2[] = {0x3c00, 0, 0x3c00, 0};
    const int16_t i2[] = {1, 0, 1, 0};
    const uint32_t u4[] = {1, 0, 1, 0};
    const int32_t i4[] = {1, 0, 1, 0};
    const uint64_t u8[] = {1, 0, 1, 0};
    const int64_t i8[] = {1, 0, 1, 0};
    const float f4[] = {1, 0, 1, 0};
    const double f8[] = {1, 0, 1, 0};
    const void *const data[RTI_NPY_DTYPES] = {
        [RTI_NPY_B1] = i1, [RTI_NPY_U1] = i1, [RTI_NPY_I1] = i1, [RTI_NPY_U2] = u2,
        [RTI_NPY_I2] = i2, [RTI_NPY_U4] = u4, [RTI_NPY_I4] = i4, [RTI_NPY_U8] = u8,
        [RTI_NPY_I8] = i8, [RTI_NPY_F2] = f2, [RTI_NPY_F4] = f4, [RTI_NPY_F8] = f8};
    scratch_begin();
    for (int dtype = 0; dtype < RTI_NPY_DTYPES; dtype++) {
        rti_npy_dtype kind = (rti_npy_dtype)dtype;
        write_npy("x.npy", kind, 2, SHAPE(4, 1), data[dtype]);
        write_npy("y.npy", kind, 2, SHAPE(4, 1), data[dtype]);
        rt_params *p = npy_options(true);
        option(p, "npy.standardise", "false");
        if (rti_npy_is_float(kind)) {
            refuses(p, RT_FORMAT, "labels are whole numbers: np.save(\"y.npy\", y.astype(\"int64\"))");
            write_npy("y.npy", RTI_NPY_I8, 1, SHAPE(4), i8);
        }
        rt_dataset *set = opens(p);
        const rt_examples *e = rt_dataset_train_examples(set);
        cr_assert_eq(e->classes, 2);
        for (int i = 0; i < 4; i++) {
            cr_assert_eq(e->labels[i], i8[i], "%s", rti_npy_name(kind));
            if (kind == RTI_NPY_U1)
                cr_assert_eq(e->bytes[i], i8[i]);
            else
                cr_assert_eq(e->values[i], f4[i], "%s", rti_npy_name(kind));
        }
        rt_dataset_free(set);
    }
    scratch_end();
}

/* 40 images (2,1,3): all six numbers of a channel, over the train part alone, share mean and deviation;
 * as rows each column has its own. */
Test(npy_set, floats_are_standardised_per_channel_and_per_column) {
    scratch_begin();
    float x[40][6];
    int32_t y[40];
    for (int i = 0; i < 40; i++) {
        y[i] = i % 2;
        for (int d = 0; d < 6; d++) x[i][d] = (float)(sin(i * 6 + d) * (1 + d) + d);
    }
    write_npy("y.npy", RTI_NPY_I4, 1, SHAPE(40), y);
    for (int images = 0; images < 2; images++) {
        write_npy("x.npy", RTI_NPY_F4, images ? 4 : 2, images ? SHAPE(40, 2, 1, 3) : SHAPE(40, 6), x);
        rt_params *p = npy_options(false);
        option(p, "validation", "10");
        option(p, "npy.standardise", "false");
        rt_dataset *raw = opens(p);
        option(p, "npy.standardise", "true");
        rt_dataset *set = opens(p);
        const rt_part *train = rt_dataset_part(raw, RT_PART_TRAIN);
        cr_assert(train->count == 22 && rt_dataset_part(raw, RT_PART_TEST)->count == 8);
        for (int d = 0; d < 6; d++) {
            int from = images ? d / 3 * 3 : d, to = images ? from + 3 : d + 1;
            double mean = 0, square = 0, n = (double)train->count * (to - from);
            for (int64_t i = 0; i < train->count; i++)
                for (int k = from; k < to; k++) mean += train->examples->values[train->index[i] * 6 + k] / n;
            for (int64_t i = 0; i < train->count; i++)
                for (int k = from; k < to; k++)
                    square += pow(train->examples->values[train->index[i] * 6 + k] - mean, 2) / n;
            for (int part = 0; part < 4; part++) {
                const rt_part *a = rt_dataset_part(raw, (rt_part_name)part),
                              *b = rt_dataset_part(set, (rt_part_name)part);
                for (int64_t i = 0; i < a->count; i++)
                    cr_assert_float_eq(b->examples->values[b->index[i] * 6 + d],
                                       (a->examples->values[a->index[i] * 6 + d] - mean) / sqrt(square),
                                       1e-5);
            }
        }
        rt_dataset_free(raw);
        rt_dataset_free(set);
    }
    scratch_end();
}

/* Which rows are held out is a matter of labels and seed, so bytes and the same numbers as floats agree. */
Test(npy_set, holds_out_the_same_examples_as_bytes_and_as_floats) {
    scratch_begin();
    uint8_t bytes[200][2], y[200];
    float floats[200][2];
    for (int i = 0; i < 200; i++) {
        bytes[i][0] = (uint8_t)i, bytes[i][1] = (uint8_t)(i * 7);
        floats[i][0] = bytes[i][0], floats[i][1] = bytes[i][1];
        y[i] = i % 4 == 0;
    }
    write_npy("y.npy", RTI_NPY_U1, 1, SHAPE(200), y);
    rt_params *p = npy_options(false);
    option(p, "npy.holdout", "0.1");
    option(p, "npy.standardise", "false");
    write_npy("x.npy", RTI_NPY_U1, 2, SHAPE(200, 2), bytes);
    rt_dataset *a = opens(p);
    write_npy("x.npy", RTI_NPY_F4, 2, SHAPE(200, 2), floats);
    rt_dataset *b = opens(p);
    bool seen[200] = {false};
    int ones = 0;
    for (int test = 0; test < 2; test++) {
        const rt_examples *e = test ? rt_dataset_test_examples(a) : rt_dataset_train_examples(a);
        const rt_examples *f = test ? rt_dataset_test_examples(b) : rt_dataset_train_examples(b);
        cr_assert(e->count == (test ? 20 : 180) && f->count == e->count);
        for (int64_t i = 0; i < e->count; i++) {
            int number = e->bytes[2 * i];
            cr_assert_not(seen[number]);
            seen[number] = true;
            cr_assert(e->labels[i] == y[number] && f->labels[i] == y[number]);
            cr_assert_eq(e->bytes[2 * i + 1], bytes[number][1]);
            cr_assert(f->values[2 * i] == floats[number][0] && f->values[2 * i + 1] == floats[number][1]);
            ones += test && e->labels[i];
        }
    }
    cr_assert_eq(ones, 5);
    rt_dataset_free(a);
    rt_dataset_free(b);
    scratch_end();
}

Test(npy_set, unfit_arrays_say_what_to_do) {
    scratch_begin();
    float x[600] = {0};
    const int64_t y[4] = {0, 1, 0, 1};
    rt_params *p = npy_options(true);
    write_npy("y.npy", RTI_NPY_I8, 1, SHAPE(4), y);
    refuses(p, RT_NOT_FOUND, "x.npy");
    write_npy("x.npy", RTI_NPY_F4, 2, SHAPE(4, 2), x);
    rt_dataset_free(opens(p));

    x[5] = NAN;
    write_npy("x.npy", RTI_NPY_F4, 2, SHAPE(4, 2), x);
    refuses(p, RT_FORMAT, "x.npy: the number at [2, 1] is nan; finite numbers are needed");
    x[5] = 0;
    const double large[8] = {0, 0, 0, 0, 0, 0, 1e39, 0};
    write_npy("x.npy", RTI_NPY_F8, 2, SHAPE(4, 2), large);
    refuses(p, RT_FORMAT, "the number at [3, 0] is 1e+39");
    write_npy("x.npy", RTI_NPY_F4, 1, SHAPE(4), x);
    refuses(p, RT_FORMAT, "has one dimension, as a label file has");
    write_npy("x.npy", RTI_NPY_F4, 0, NULL, x);
    refuses(p, RT_FORMAT, "has 0 dimensions");
    write_npy("x.npy", RTI_NPY_F4, 5, SHAPE(4, 1, 1, 1, 2), x);
    refuses(p, RT_FORMAT, "has 5 dimensions");
    write_npy("x.npy", RTI_NPY_F4, 2, SHAPE(0, 2), x);
    refuses(p, RT_FORMAT, "is empty");
    write_npy("x.npy", RTI_NPY_F4, 2, SHAPE(4, 0), x);
    refuses(p, RT_FORMAT, "is empty");
    write_npy("x.npy", RTI_NPY_F4, 4, SHAPE(4, 5, 5, 3), x);
    refuses(p, RT_FORMAT, "x.transpose(0, 3, 1, 2)");
    write_npy("x.npy", RTI_NPY_F4, 2, SHAPE(5, 2), x);
    refuses(p, RT_FORMAT, "has 5 rows and");
    refuses(p, RT_FORMAT, "has 4 labels; they do not belong together");

    write_npy("x.npy", RTI_NPY_F4, 2, SHAPE(4, 2), x);
    const int64_t columns[8] = {1, 0, 0, 1, 1, 0, 0, 1};
    write_npy("y.npy", RTI_NPY_I8, 2, SHAPE(4, 2), columns);
    refuses(p, RT_FORMAT, "y.argmax(axis=1)");
    const int64_t negative[4] = {0, 1, -1, 1}, many[4] = {0, 1, 4096, 1}, none[4] = {0};
    write_npy("y.npy", RTI_NPY_I8, 1, SHAPE(4), negative);
    refuses(p, RT_FORMAT, "label 2 (at byte 144) is -1; 0 to 4095 is possible");
    write_npy("y.npy", RTI_NPY_I8, 1, SHAPE(4), many);
    refuses(p, RT_FORMAT, "label 2 (at byte 144) is 4096; 0 to 4095 is possible");
    write_npy("y.npy", RTI_NPY_I8, 1, SHAPE(4), none);
    refuses(p, RT_FORMAT, "every label is 0");
    write_npy("y.npy", RTI_NPY_I8, 1, SHAPE(4), labels);
    option(p, "npy.classes", "2");
    refuses(p, RT_FORMAT, "label 0 (at byte 128) is 2; 0 to 1 is possible");
    option(p, "npy.classes", "0");

    write_npy("t.npy", RTI_NPY_F4, 2, SHAPE(4, 3), x);
    option(p, "npy.test_x", "t.npy");
    refuses(p, RT_FORMAT, "t.npy: a test example is (3), floats, a training example (2), floats");
    write_npy("t.npy", RTI_NPY_U1, 2, SHAPE(4, 2), x);
    refuses(p, RT_FORMAT, "a test example is (2), bytes");
    option(p, "npy.test_y", "\"\"");
    refuses(p, RT_SPEC, "set \"npy\" needs the path npy.test_y too");
    option(p, "npy.train_y", "\"\"");
    refuses(p, RT_SPEC, "set \"npy\" needs the path npy.train_y");
    scratch_write("x.npy", "\x93NUMPY\x01", 7);
    option(p, "npy.train_y", "y.npy");
    option(p, "npy.test_x", "\"\"");
    refuses(p, RT_FORMAT, "x.npy: ends in the middle of its header");
    scratch_end();
}

Test(npy_set, a_transfer_set_of_its_own) {
    scratch_begin();
    const float x[8] = {1, 3, 2, 6, 3, 9, 6, 2}, other[4] = {3, 5, 100, 5};
    const int64_t y[4] = {0, 1, 2, 1}, two[2] = {2, 1};
    write_npy("x.npy", RTI_NPY_F4, 2, SHAPE(4, 2), x);
    write_npy("y.npy", RTI_NPY_I8, 1, SHAPE(4), y);
    write_npy("ox.npy", RTI_NPY_F4, 2, SHAPE(2, 2), other);
    write_npy("oy.npy", RTI_NPY_I8, 1, SHAPE(2), two);
    rt_params *p = npy_options(true);
    option(p, "transfer.set", "npy");
    option(p, "transfer.images", "ox.npy");
    option(p, "transfer.labels", "oy.npy");
    rt_dataset *set = opens(p);
    const rt_part *part = rt_dataset_part(set, RT_PART_TRANSFER);
    cr_assert(part->count == 2 && part->labels[0] == 2 && part->labels[1] == 1);
    cr_assert_float_eq(part->examples->values[0], 0, 1e-6); /* the mean of the first column is 3 */
    cr_assert_float_eq(part->examples->values[2], 97 / sqrt(3.5), 1e-4);
    rt_dataset_free(set);
    write_npy("oy.npy", RTI_NPY_I8, 1, SHAPE(2), (const int64_t[]){3, 1});
    refuses(p, RT_FORMAT, "transfer set: ");
    write_npy("ox.npy", RTI_NPY_F4, 3, SHAPE(2, 1, 2), other);
    write_npy("oy.npy", RTI_NPY_I8, 1, SHAPE(2), two);
    refuses(p, RT_SPEC, "do not have the form");
    scratch_end();
}

Test(npy_set, every_failing_allocation) {
    scratch_begin();
    float x[80] = {0};
    int64_t y[40];
    for (int i = 0; i < 40; i++) y[i] = i % 2, x[2 * i] = (float)i;
    write_npy("x.npy", RTI_NPY_F4, 2, SHAPE(40, 2), x);
    write_npy("y.npy", RTI_NPY_I8, 1, SHAPE(40), y);
    opens_or_says_memory(npy_options(false));
    opens_or_says_memory(npy_options(true));
    scratch_end();
}

/* ---- folder ---- */

static const uint8_t idx_images[] = {0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3};
static const uint8_t idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 4, 2, 0, 1, 2};

static void write_idx(const char *images, const char *label) {
    uint8_t all[sizeof idx_images + sizeof pixels];
    memcpy(all, idx_images, sizeof idx_images);
    memcpy(all + sizeof idx_images, pixels, sizeof pixels);
    if (images) scratch_write(images, all, sizeof all);
    if (label) scratch_write(label, idx_labels, sizeof idx_labels);
}

static void away(const char *name) { cr_assert_eq(unlink(scratch_path(name)), 0, "%s", name); }

static rt_params *folder_options(void) {
    rt_params *p = options_begin();
    option(p, "set", "folder");
    option(p, "validation", "0");
    option(p, "folder.path", scratch);
    return p;
}

/* Whatever the names and formats, the same numbers are the same set. */
Test(folder, finds_the_usual_names) {
    static const char *const names[][4] = {
        {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
         "t10k-labels-idx1-ubyte"},
        {"train-images.idx3-ubyte", "train-labels.idx1-ubyte", "test-images.idx", "test-labels.idx"},
        {"train-images", "train-labels", "test_images", "test_labels"},
        {"x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"},
        {"X_train.npy", "Y_train.npy", "X_TEST.NPY", "y_test.npy"},
        {"train_x.npy", "train_y.npy", "test_x.npy", "test_y.npy"},
        {"train_images.npy", "train-labels-idx1-ubyte", "test-images.npy", "test_y.npy"},
    };
    char hash[64] = "";
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        scratch_begin();
        scratch_write("README.txt", "train-images", 12);
        for (int f = 0; f < 4; f++) {
            const char *name = names[n][f], *dot = strrchr(name, '.');
            bool npy = dot && (dot[1] == 'n' || dot[1] == 'N');
            if (npy && f % 2)
                write_npy(name, RTI_NPY_I8, 1, SHAPE(4), labels);
            else if (npy)
                write_npy(name, RTI_NPY_U1, 3, SHAPE(4, 2, 3), pixels);
            else
                write_idx(f % 2 ? NULL : name, f % 2 ? name : NULL);
        }
        rt_dataset *set = opens(folder_options());
        cr_assert_eq(rt_dataset_test_examples(set)->count, 4);
        if (n == 0) snprintf(hash, sizeof hash, "%s", rt_dataset_hash(set));
        cr_assert_str_eq(rt_dataset_hash(set), hash, "names %zu", n);
        rt_dataset_free(set);
        scratch_end();
    }
}

Test(folder, says_what_it_looked_for) {
    scratch_begin();
    rt_params *p = folder_options();
    refuses(p, RT_NOT_FOUND, "no training examples there; looked for train-images*, train_images*, x_train*");
    scratch_write("x_train.csv", "1", 1);
    refuses(p, RT_NOT_FOUND, "no training examples there");
    write_idx("train-images-idx3-ubyte", NULL);
    refuses(p, RT_NOT_FOUND, "no training labels there; looked for train-labels*");
    write_idx(NULL, "train-labels-idx1-ubyte");
    rt_dataset *set = opens(p); /* a fifth of four is one */
    cr_assert(rt_dataset_train_examples(set)->count == 3 && rt_dataset_test_examples(set)->count == 1);
    rt_dataset_free(set);
    write_idx("t10k-images-idx3-ubyte", NULL);
    refuses(p, RT_NOT_FOUND, "no test labels there; looked for t10k-labels*");
    away("t10k-images-idx3-ubyte");
    write_idx(NULL, "test-labels.idx");
    refuses(p, RT_NOT_FOUND, "no test examples there; looked for t10k-images*");
    away("test-labels.idx");
    write_npy("x_train.npy", RTI_NPY_U1, 2, SHAPE(4, 6), pixels);
    refuses(p, RT_FORMAT, "could both be the training examples: move one away");
    away("x_train.npy");
    scratch_write("train-images-idx3-ubyte.gz", "not even packed", 15); /* the plain one is read */
    rt_dataset_free(opens(p));

    option(p, "folder.path", "no/such/place");
    refuses(p, RT_NOT_FOUND, "no/such/place: there is no such directory");
    option(p, "folder.path", scratch_path("train-images-idx3-ubyte"));
    refuses(p, RT_IO, "is a file; a folder is needed");
    option(p, "folder.path", "\"\"");
    refuses(p, RT_SPEC, "set \"folder\" needs a path: folder.path");
    scratch_end();
}

Test(folder, packed_files_and_a_transfer_folder) {
    scratch_begin();
    write_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    rt_dataset *plain = opens(folder_options());
    char command[160];
    snprintf(command, sizeof command, "gzip %s/train-images-idx3-ubyte", scratch);
    cr_assert_eq(system(command), 0);
    rt_params *p = folder_options();
    rt_dataset *packed = opens(p);
    cr_assert_str_eq(rt_dataset_hash(plain), rt_dataset_hash(packed));
    rt_dataset_free(plain);
    rt_dataset_free(packed);
    option(p, "transfer.set", "folder");
    refuses(p, RT_SPEC, "transfer set: set \"folder\" needs a path: folder.path or transfer.folder");
    option(p, "transfer.folder", scratch);
    rt_dataset *set = opens(p);
    cr_assert_eq(rt_dataset_part(set, RT_PART_TRANSFER)->count, 4);
    rt_dataset_free(set);
    scratch_end();
}
