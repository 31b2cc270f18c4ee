/* retort/threads.h promises that 2 MB of stack are enough; products of many rows on one thread take most. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#include "kernels/dispatch.h"
#include "retort/threads.h"

static void *largest_products(void *context) {
    static const char *const set_names[] = {"portable", "avx2", "avx512"};
    enum { M = 300, N = 1500, K = 600, SETS = 3 };
    rt_real *A = calloc(M * K, sizeof *A), *B = calloc(K * N, sizeof *B), *C = malloc(M * N * sizeof *C);
    for (int s = 0; A && B && C && s < SETS; s++) {
        const rti_kernel_set *set = rti_kernels_named(set_names[s]);
        for (int turned = 0; set && turned < 4; turned++) {
            const rti_matrix a = {A, turned & 1 ? 1 : K, turned & 1 ? M : 1, NULL},
                             b = {B, turned & 2 ? 1 : N, turned & 2 ? K : 1, NULL};
            set->gemm(M, N, K, a, b, C, N, false, NULL);
        }
    }
    *(bool *)context = A && B && C;
    free(A), free(B), free(C);
    return NULL;
}

Test(gemm_stack, two_megabytes_are_enough) {
    pthread_attr_t attributes;
    pthread_t thread;
    bool is_done = false;
    rt_threads_set(1);
    cr_assert_eq(pthread_attr_init(&attributes), 0);
    cr_assert_eq(pthread_attr_setstacksize(&attributes, 2 << 20), 0);
    cr_assert_eq(pthread_create(&thread, &attributes, largest_products, &is_done), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(is_done);
    pthread_attr_destroy(&attributes);
}
