/* What a network says of a file when memory is short: every allocation fails once, in every format, and the
 * failure is an error that leaks nothing. What is said otherwise is tested in tests/cli. */
#include <criterion/criterion.h>
#include <string.h>

#include "deploy/predict.h"
#include "retort/alloc.h"

static int64_t said;

static rt_status count(void *context, const rti_prediction *prediction, rt_error *error) {
    (void)context, (void)error;
    cr_assert(prediction->index == said && prediction->classes == 3 && prediction->label == -1);
    said++;
    return RT_OK;
}

static void try_all(const char *file, size_t length, int64_t examples) {
    rt_error error = {0};
    rt_model *m = rt_mlp_new(3, (const int64_t[]){4, 5, 3}, 1, &error);
    rti_bytes bytes = {(unsigned char *)(uintptr_t)file, length};
    rt_status status = RT_MEMORY;
    int failures = -1;
    for (size_t n = 1; status != RT_OK; n++, failures++) {
        const size_t before = rt_alloc_stats_get().live_blocks;
        said = 0;
        rt_alloc_fail_after(n);
        status = rti_predict(m, NULL, "file", bytes, NULL, count, NULL, NULL, &error);
        rt_alloc_fail_after(0);
        cr_assert(status == RT_OK || status == RT_MEMORY, "allocation %d: %s", (int)n, error.message);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, before);
    }
    cr_assert(said == examples && failures > 4, "%d examples, %d failures", (int)said, failures);
    rt_model_free(m);
}

#define ALL(text, examples) try_all(text, sizeof(text) - 1, examples)

Test(predict_memory, every_allocation_may_fail_in_every_format) {
    ALL("1,2,3,4\n5,6,7,8\n", 2);
    ALL("P5 2 2 255\nabcdP2 2 2 9 1 2 3 4", 2);
    ALL("\0\0\x08\x02\0\0\0\x03\0\0\0\x04"
        "abcdefghijkl",
        3);
    ALL("\x93NUMPY\x01\0\x38\0{'descr': '|u1', 'fortran_order': False, 'shape': (4,)}\n"
        "abcd",
        1);
}
