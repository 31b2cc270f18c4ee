/* arrays.h - files that hold one array, IDX or NPY, into examples.     Floor 6 (data)
 *
 * One file of numbers and one of labels. (N,D) are rows, (N,H,W) grey images (1,H,W), (N,C,H,W) images.
 * Unsigned bytes stay bytes, value = byte / 255; every other dtype becomes floats, each of which must be
 * finite. Labels are whole numbers from 0, (N) or (N,1). */
#ifndef RTI_ARRAYS_H
#define RTI_ARRAYS_H

#include "data/dataset.h"
#include "formats/npy.h"

typedef enum rti_array_format { RTI_ARRAY_IDX, RTI_ARRAY_NPY } rti_array_format;

/* The array in a file of this format, IDX plain or .gz; the caller ends with rti_npy_deinit. */
rt_status rti_array_read(rti_array_format format, const char *path, rti_npy *out,
                         rt_error *error) RT_MUST_CHECK;

/* One example's shape from the array's: ndim, shape, features and count of *out. RT_FORMAT for an array
 * that holds no examples, and for images with the channels last. */
rt_status rti_array_form(const char *path, const rti_npy *x, rt_examples *out, rt_error *error) RT_MUST_CHECK;

/* Fails with RT_FORMAT when the array cannot be labels: not whole numbers, not one for each example. */
rt_status rti_array_is_labels(const char *path, const rti_npy *y, rt_error *error) RT_MUST_CHECK;

/* The numbers in file x and the labels in file y, kept by `source`. classes 0: one more than the largest
 * label. RT_FORMAT when counts differ, a label is not below `classes` or a number is not finite. */
rt_status rti_array_examples(rti_array_format format, const char *x, const char *y, int classes,
                             rti_source *source, rt_examples *out, rt_error *error) RT_MUST_CHECK;
/* The same for two files of different formats. */
rt_status rti_array_examples_of(const rti_array_format format[2], const char *x, const char *y, int classes,
                                rti_source *source, rt_examples *out, rt_error *error) RT_MUST_CHECK;

/* Do examples of a and b have the same shape, as bytes both or as floats both? */
bool rti_same_form(const rt_examples *a, const rt_examples *b);
/* RT_FORMAT, naming the file of the test examples, when they have another form than the training ones. */
rt_status rti_test_check(const rti_source *source, const char *test_path, rt_error *error) RT_MUST_CHECK;

#endif
