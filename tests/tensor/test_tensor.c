/* Tensors: counts and strides against the definition offset = sum i_d stride_d, evaluated by an
 * odometer written here; walks over random strided and broadcast operands against the same
 * odometer; broadcasting against its rule, extent by extent; every refused shape. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <string.h>

#include "retort/alloc.h"
#include "retort/rng.h"
#include "retort/tensor.h"
#include "tensor/strided.h"

/* The next index in row-major order; false after the last. */
static bool advance(int ndim, const int64_t shape[], int64_t index[]) {
    for (int d = ndim - 1; d >= 0; d--) {
        if (++index[d] < shape[d]) return true;
        index[d] = 0;
    }
    return false;
}

static int64_t offset_of(int ndim, const int64_t index[], const int64_t stride[]) {
    int64_t offset = 0;
    for (int d = 0; d < ndim; d++) offset += index[d] * stride[d];
    return offset;
}

Test(tensor, new_is_zeroed_contiguous_and_owned) {
    size_t before = rt_alloc_stats_get().live_blocks;
    rt_error error;
    static const rt_dtype dtypes[] = {RT_DTYPE_REAL, RT_DTYPE_I32, RT_DTYPE_U8};
    for (int k = 0; k < 3; k++) {
        rt_tensor *t = rt_tensor_new(dtypes[k], 3, (const int64_t[]){2, 3, 4}, &error);
        cr_assert_not_null(t);
        cr_assert_eq(t->lifetime, RT_PERSISTENT);
        cr_assert_eq(rt_tensor_count(t), 24);
        cr_assert(rt_tensor_is_contiguous(t));
        cr_assert_eq((uintptr_t)t->data % 64, 0);
        int64_t index[3] = {0};
        do cr_assert_eq(rt_tensor_get(t, index), 0);
        while (advance(3, t->shape, index));
        rt_tensor_free(t);
    }
    rt_tensor_free(NULL);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, before);
}

Test(tensor, shapes_that_are_none_are_refused) {
    rt_error error = {.status = RT_OK};
    const int64_t ones[7] = {1, 1, 1, 1, 1, 1, 1};
    const int64_t huge[3] = {INT64_MAX / 4, 0, INT64_MAX / 4};
    cr_assert_null(rt_tensor_new(RT_DTYPE_REAL, 2, (const int64_t[]){3, -1}, &error));
    cr_assert_eq(error.status, RT_SHAPE);
    cr_assert(strstr(error.message, "negative"));
    cr_assert_null(rt_tensor_new(RT_DTYPE_REAL, 7, ones, &error));
    cr_assert_eq(error.status, RT_SHAPE);
    cr_assert_null(rt_tensor_new(RT_DTYPE_REAL, -1, ones, &error));
    cr_assert_eq(error.status, RT_SHAPE);
    cr_assert_null(rt_tensor_new(RT_DTYPE_U8, 3, huge, &error), "an extent of 0 does not excuse the others");
    cr_assert_eq(error.status, RT_SHAPE);
    cr_assert_null(rt_tensor_new(RT_DTYPE_REAL, 2, (const int64_t[]){INT64_MAX / 8, 2}, &error));
    cr_assert_eq(error.status, RT_SHAPE);
    rt_alloc_fail_after(1);
    rt_tensor *none = rt_tensor_new(RT_DTYPE_REAL, 1, ones, &error);
    rt_alloc_fail_after(0);
    cr_assert_null(none);
    cr_assert_eq(error.status, RT_MEMORY);
    cr_assert_null(rt_tensor_new(RT_DTYPE_REAL, 7, ones, NULL), "the error may be NULL");
}

Test(tensor, empty_and_single) {
    rt_tensor t;
    rt_real number = (rt_real)2.5;
    rt_tensor_view_init(&t, RT_DTYPE_REAL, 0, NULL, &number);
    cr_assert_eq(rt_tensor_count(&t), 1);
    cr_assert(rt_tensor_is_contiguous(&t));
    cr_assert_eq(rt_tensor_item(&t), 2.5);
    cr_assert_eq(rt_tensor_get(&t, NULL), 2.5);
    rt_tensor *none = rt_tensor_new(RT_DTYPE_REAL, 2, (const int64_t[]){0, 5}, NULL);
    cr_assert_eq(rt_tensor_count(none), 0);
    cr_assert(rt_tensor_is_contiguous(none));
    rt_tensor_free(none);
}

Test(tensor, contiguity_looks_past_extents_of_one) {
    rt_tensor t;
    rt_real numbers[12] = {0};
    rt_tensor_view_init(&t, RT_DTYPE_REAL, 3, (const int64_t[]){3, 1, 4}, numbers);
    t.stride[1] = 99;
    cr_assert(rt_tensor_is_contiguous(&t));
    t.stride[0] = 5;
    cr_assert(!rt_tensor_is_contiguous(&t));
    t.stride[0] = 4, t.stride[2] = 0;
    cr_assert(!rt_tensor_is_contiguous(&t));
}

Test(tensor, get_follows_strides_in_every_dtype) {
    uint8_t bytes[6] = {0, 1, 2, 3, 4, 255};
    int32_t integers[6] = {0, 1, 2, 3, 4, -7};
    rt_tensor t;
    rt_tensor_view_init(&t, RT_DTYPE_U8, 2, (const int64_t[]){2, 3}, bytes);
    cr_assert_eq(rt_tensor_get(&t, (const int64_t[]){1, 2}), 255);
    rt_tensor_view_init(&t, RT_DTYPE_I32, 2, (const int64_t[]){2, 3}, integers);
    t.shape[0] = 3, t.shape[1] = 2, t.stride[0] = 1, t.stride[1] = 3; /* transposed */
    cr_assert_eq(rt_tensor_get(&t, (const int64_t[]){2, 1}), -7);
    cr_assert_eq(rt_tensor_get(&t, (const int64_t[]){1, 0}), 1);
}

Test(tensor, get_out_of_range_is_a_callers_bug, .signal = SIGABRT) {
    rt_real numbers[6] = {0};
    rt_tensor t;
    rt_tensor_view_init(&t, RT_DTYPE_REAL, 2, (const int64_t[]){2, 3}, numbers);
    rt_tensor_get(&t, (const int64_t[]){0, 3});
}

Test(tensor, item_of_many_is_a_callers_bug, .signal = SIGABRT) {
    rt_real numbers[6] = {0};
    rt_tensor t;
    rt_tensor_view_init(&t, RT_DTYPE_REAL, 2, (const int64_t[]){2, 3}, numbers);
    rt_tensor_item(&t);
}

Test(tensor, freeing_a_view_is_a_callers_bug, .signal = SIGABRT) {
    rt_real number = 0;
    rt_tensor t;
    rt_tensor_view_init(&t, RT_DTYPE_REAL, 0, NULL, &number);
    rt_tensor_free(&t);
}

Test(tensor, shape_text) {
    char text[RT_SHAPE_TEXT];
    rt_tensor t = {.ndim = 0};
    cr_assert_str_eq(rt_shape_text(&t, text), "()");
    t.ndim = 2, t.shape[0] = 100, t.shape[1] = 784;
    cr_assert_str_eq(rt_shape_text(&t, text), "(100, 784)");
    t.ndim = RT_MAX_DIMS;
    for (int d = 0; d < RT_MAX_DIMS; d++) t.shape[d] = INT64_MIN;
    cr_assert_lt(strlen(rt_shape_text(&t, text)), RT_SHAPE_TEXT);
    cr_assert_eq(text[strlen(text) - 1], ')');
}

/* A gradient buffer is made once, freed with its tensor, and not made when the maker gave one. */
Test(tensor, gradients_have_one_owner) {
    size_t before = rt_alloc_stats_get().live_blocks;
    rt_tensor *t = rt_tensor_new(RT_DTYPE_REAL, 1, (const int64_t[]){8}, NULL);
    cr_assert(rti_tensor_own_grad(t));
    rt_real *grad = t->grad;
    cr_assert(rti_tensor_own_grad(t));
    cr_assert_eq(t->grad, grad);
    rt_real elsewhere[8];
    t->grad = elsewhere;
    cr_assert(rti_tensor_own_grad(t));
    cr_assert_eq(t->grad, elsewhere);
    rt_tensor_free(t);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, before);
}

/* Random shapes and strides, with extents of 1, repeated axes and exchanged axes: the walk must
 * produce the odometer's offsets in the odometer's order. */
Test(strided, walks_visit_everything_in_order) {
    rt_rng rng = rt_rng_stream(1, "walks", 0, 0);
    for (int round = 0; round < 2000; round++) {
        int ndim = (int)rt_rng_below(&rng, RT_MAX_DIMS + 1), operands = 1 + (int)rt_rng_below(&rng, 4);
        int64_t shape[RT_MAX_DIMS], stride[4][RT_MAX_DIMS];
        const int64_t *strides[4];
        for (int d = 0; d < ndim; d++) shape[d] = 1 + rt_rng_below(&rng, 4);
        for (int k = 0; k < operands; k++) {
            rti_row_major(ndim, shape, stride[k]);
            for (int d = 0; d < ndim; d++) {
                int e = (int)rt_rng_below(&rng, (uint32_t)ndim);
                int64_t swap = stride[k][d];
                if (rt_rng_below(&rng, 3) == 0) stride[k][d] = stride[k][e], stride[k][e] = swap;
                if (rt_rng_below(&rng, 5) == 0) stride[k][d] = 0;
            }
            strides[k] = stride[k];
        }
        int64_t index[RT_MAX_DIMS] = {0}, seen = 0, count = 1;
        for (int d = 0; d < ndim; d++) count *= shape[d];
        for (rti_walk w = rti_walk_begin(ndim, shape, operands, strides); w.n; rti_walk_next(&w))
            for (int64_t i = 0; i < w.n; i++, seen++) {
                for (int k = 0; k < operands; k++)
                    cr_assert_eq(w.offset[k] + i * w.step[k], offset_of(ndim, index, stride[k]));
                advance(ndim, shape, index);
            }
        cr_assert_eq(seen, count);
    }
}

Test(strided, contiguous_operands_are_one_row) {
    const int64_t shape[] = {5, 1, 4, 3};
    int64_t stride[4];
    rti_row_major(4, shape, stride);
    const int64_t *strides[] = {stride, stride, stride};
    rti_walk w = rti_walk_begin(4, shape, 3, strides);
    cr_assert_eq(w.n, 60);
    cr_assert_eq(w.step[2], 1);
    rti_walk_next(&w);
    cr_assert_eq(w.n, 0);
}

Test(strided, nothing_is_walked_when_an_extent_is_zero) {
    const int64_t shape[] = {5, 0, 4}, stride[] = {4, 4, 1};
    const int64_t *strides[] = {stride};
    cr_assert_eq(rti_walk_begin(3, shape, 1, strides).n, 0);
}

static rt_tensor shaped(int ndim, const int64_t shape[]) {
    rt_tensor t;
    rt_tensor_view_init(&t, RT_DTYPE_REAL, ndim, shape, NULL);
    return t;
}

Test(strided, broadcasting_follows_its_rule) {
    int ndim;
    int64_t shape[RT_MAX_DIMS], stride[RT_MAX_DIMS];
    rt_tensor a = shaped(3, (const int64_t[]){4, 1, 3}), b = shaped(2, (const int64_t[]){5, 1});
    cr_assert(rti_broadcast_shape(&a, &b, &ndim, shape));
    cr_assert_eq(ndim, 3);
    cr_assert(shape[0] == 4 && shape[1] == 5 && shape[2] == 3);
    rti_broadcast_strides(&b, false, ndim, shape, stride);
    cr_assert(stride[0] == 0 && stride[1] == 1 && stride[2] == 0);
    rti_broadcast_strides(&a, false, ndim, shape, stride);
    cr_assert(stride[0] == 3 && stride[1] == 0 && stride[2] == 1);

    rt_tensor number = shaped(0, NULL), empty = shaped(1, (const int64_t[]){0});
    rt_tensor three = shaped(1, (const int64_t[]){3}), wrong = shaped(2, (const int64_t[]){4, 2});
    cr_assert(rti_broadcast_shape(&number, &a, &ndim, shape) && ndim == 3 && shape[2] == 3);
    cr_assert(rti_broadcast_shape(&number, &number, &ndim, shape) && ndim == 0);
    cr_assert(rti_broadcast_shape(&empty, &number, &ndim, shape) && shape[0] == 0);
    cr_assert(!rti_broadcast_shape(&empty, &three, &ndim, shape), "0 and 3 do not fit");
    cr_assert(!rti_broadcast_shape(&b, &wrong, &ndim, shape), "5 and 4 do not fit");
}

/* Copying and adding between two layouts moves each element to its index and touches nothing else. */
Test(strided, copy_and_add_move_each_element) {
    enum { ROWS = 3, COLUMNS = 4 };
    const int64_t shape[] = {ROWS, COLUMNS}, from_stride[] = {COLUMNS, 1}, to_stride[] = {2, 2 * ROWS};
    rt_real from[ROWS * COLUMNS], to[2 * ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++) from[i] = (rt_real)(i + 1);
    for (int i = 0; i < 2 * ROWS * COLUMNS; i++) to[i] = -1;
    rti_copy_strided(2, shape, from, from_stride, to, to_stride);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) {
            cr_assert_eq(to[2 * i + 2 * ROWS * j], i * COLUMNS + j + 1);
            cr_assert_eq(to[2 * i + 2 * ROWS * j + 1], -1);
        }
    rti_add_strided(2, shape, from, from_stride, to, to_stride);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) {
            cr_assert_eq(to[2 * i + 2 * ROWS * j], 2 * (i * COLUMNS + j + 1));
            cr_assert_eq(to[2 * i + 2 * ROWS * j + 1], -1);
        }
}
