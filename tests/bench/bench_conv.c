/* bench_conv.c - GFLOP/s of convolution at the shapes of CIFAR networks, batch 128.
 *
 *   make bench-conv                            one thread, then all processors
 *   build/float/bench_conv [THREADS [ISA]]     ISA: portable, avx2, avx512
 *
 * Forward, dx and dk in turn, the best of the rounds. Beside them the share of the machine's peak, which is
 * measured first: fused multiply-adds in registers, on as many threads. Then each network's sum over its
 * layers, that is the arithmetic of one training step. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/pool.h"
#include "kernels/dispatch.h"
#include "retort/threads.h"

enum { ROUNDS = 9, BATCH = 128, PASSES = 3 };

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the peak ---- */

enum { CHAINS = 16, STEPS = 1 << 20 };

#if defined(__x86_64__)
typedef float wide __attribute__((vector_size(64)));

/* Sixteen chains x = x factor + term; the compiler can not see that nothing comes of it. */
__attribute__((target("avx512f,prefer-vector-width=512"), noinline)) static float chains_512(float start) {
    wide x[CHAINS];
    const wide factor = {0}, term = factor + start;
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) x[i] = term + (float)i;
    for (int step = 0; step < STEPS; step++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++)
            __asm__ volatile("vfmadd213ps %2, %1, %0" : "+v"(x[i]) : "v"(factor), "v"(term));
    }
    wide sum = {0};
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) sum += x[i];
    return sum[0];
}
#endif

static volatile float sink;

static void peak_task(void *context, int64_t task) {
    (void)task;
#if defined(__x86_64__)
    sink = chains_512(*(const float *)context);
#else
    (void)context;
#endif
}

/* GFLOP/s, or 0 where it cannot be told. */
static double peak(int threads) {
#if defined(__x86_64__)
    if (strcmp(rti_isa_name(), "avx512") != 0) return 0;
    double best = INFINITY;
    float start = 1;
    for (int round = 0; round < 5; round++) {
        const double begin = now_s();
        rti_parallel(4 * threads, peak_task, &start);
        best = fmin(best, now_s() - begin);
    }
    return 4.0 * threads * CHAINS * STEPS * 16 * 2 / best * 1e-9;
#else
    (void)threads;
    return 0;
#endif
}

/* ---- layers ---- */

typedef struct layer {
    const char *name;
    int size, channels, filters, kernel, stride;
    int in[3]; /* how many of ResNet-8, ResNet-20, WRN-16-2 */
} layer;

static const layer layers[] = {
    {"first", 32, 3, 16, 3, 1, {1, 1, 1}},      {"32x32", 32, 16, 16, 3, 1, {2, 6, 0}},
    {"down 1", 32, 16, 32, 3, 2, {1, 1, 0}},    {"16x16", 16, 32, 32, 3, 1, {1, 5, 0}},
    {"down 2", 16, 32, 64, 3, 2, {1, 1, 0}},    {"8x8", 8, 64, 64, 3, 1, {1, 5, 0}},
    {"wide in", 32, 16, 32, 3, 1, {0, 0, 1}},   {"wide 32x32", 32, 32, 32, 3, 1, {0, 0, 3}},
    {"wide down", 32, 32, 64, 3, 2, {0, 0, 1}}, {"wide 16x16", 16, 64, 64, 3, 1, {0, 0, 3}},
    {"wide down", 16, 64, 128, 3, 2, {0, 0, 1}}, {"wide 8x8", 8, 128, 128, 3, 1, {0, 0, 3}},
    {"shortcut", 32, 16, 32, 1, 1, {0, 0, 1}},  {"shortcut", 32, 32, 64, 1, 2, {0, 0, 1}},
    {"shortcut", 16, 64, 128, 1, 2, {0, 0, 1}}, {"lenet 1", 28, 1, 6, 5, 1, {0, 0, 0}},
    {"lenet 2", 14, 6, 16, 5, 1, {0, 0, 0}},
};

static rt_real *reals(int64_t n, uint64_t index) {
    rt_rng stream = rt_rng_stream(1, "bench", 0, index);
    rt_real *x = aligned_alloc(64, ((size_t)n * sizeof *x + 63) / 64 * 64);
    if (!x) exit(1);
    for (int64_t i = 0; i < n; i++) x[i] = (rt_real)rt_rng_uniform(&stream) - (rt_real)0.5;
    return x;
}

/* Seconds of the three passes. */
static void measure(const layer *l, double seconds[PASSES], double *flop) {
    const int padding = l->kernel == 5 && l->channels > 1 ? 0 : l->kernel / 2;
    const int out = (l->size + 2 * padding - l->kernel) / l->stride + 1;
    const rti_convolution c = {
        .N = BATCH, .H = l->size, .W = l->size, .C = l->channels, .OH = out, .OW = out, .F = l->filters,
        .KH = l->kernel, .KW = l->kernel, .stride = l->stride, .padding = padding, .dilation = 1, .groups = 1,
    };
    size_t bytes = 64;
    for (int p = 0; p < PASSES; p++) {
        const size_t needed = rti_conv_scratch_bytes(&c, (rti_conv_pass)p);
        if (needed > bytes) bytes = needed;
    }
    rt_real *x = reals(c.N * c.H * c.W * c.C, 0), *y = reals(c.N * out * out * c.F, 1),
            *k = reals(c.KH * c.KW * c.C * c.F, 2), *dx = reals(c.N * c.H * c.W * c.C, 3);
    void *scratch = reals((int64_t)(bytes / sizeof *x) + 1, 4);
    *flop = 2.0 * BATCH * out * out * c.F * c.KH * c.KW * c.C;
    const int repeat = 1 + (int)(2e-3 * 1e11 / *flop);
    for (int p = 0; p < PASSES; p++) seconds[p] = INFINITY;
    for (int round = 0; round < ROUNDS; round++)
        for (int p = 0; p < PASSES; p++) {
            const double start = now_s();
            for (int i = 0; i < repeat; i++) {
                if (p == RTI_CONV_FORWARD) rti_conv_forward(&c, x, k, y, false, NULL, scratch);
                if (p == RTI_CONV_INPUT_GRADIENT) rti_conv_input_gradient(&c, y, k, dx, false, NULL, scratch);
                if (p == RTI_CONV_KERNEL_GRADIENT) rti_conv_kernel_gradient(&c, x, y, k, false, scratch);
            }
            seconds[p] = fmin(seconds[p], (now_s() - start) / repeat);
        }
    free(x), free(y), free(k), free(dx), free(scratch);
}

int main(int count, char **arguments) {
    const int threads = count > 1 ? (int)strtol(arguments[1], NULL, 10) : 1;
    if (threads < 1 || threads > 256) return 2;
    rt_threads_set(threads);
    if (count > 2 && rti_kernels_named(arguments[2])) rti_kernels_use(rti_kernels_named(arguments[2]));
    const double most = peak(threads);
    printf("# %s, %d thread%s, best of %d, batch %d; peak %.0f GFLOP/s\n", rti_isa_name(), threads,
           threads == 1 ? "" : "s", ROUNDS, BATCH, most);
    printf("# layer       pixels  C    F    k s |   forward           dx                dk     "
           "us, GFLOP/s\n");
    double sum[3] = {0}, sum_flop[3] = {0};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const layer *l = &layers[i];
        double seconds[PASSES], flop;
        measure(l, seconds, &flop);
        printf("%-12s %2dx%-2d %4d %4d   %d %d |", l->name, l->size, l->size, l->channels, l->filters,
               l->kernel, l->stride);
        for (int p = 0; p < PASSES; p++) printf(" %8.0f %7.1f", seconds[p] * 1e6, flop / seconds[p] * 1e-9);
        const double all = seconds[0] + seconds[1] + seconds[2];
        if (most > 0) printf("  %3.0f %%", 300 * flop / all * 1e-9 / most);
        printf("\n");
        for (int net = 0; net < 3; net++)
            for (int p = 0; p < PASSES; p++) {
                if (i == 0 && p == RTI_CONV_INPUT_GRADIENT) continue; /* images want no gradient */
                sum[net] += l->in[net] * seconds[p];
                sum_flop[net] += l->in[net] * flop;
            }
    }
    static const char *const nets[] = {"ResNet-8", "ResNet-20", "WRN-16-2"};
    for (int net = 0; net < 3; net++)
        printf("%-12s %6.1f ms %7.1f GFLOP/s\n", nets[net], sum[net] * 1e3, sum_flop[net] / sum[net] * 1e-9);
    return 0;
}
