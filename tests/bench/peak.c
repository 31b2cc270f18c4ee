/* peak.c - loops that do nothing but multiply and add, or count.
 *
 * Sixteen accumulators (twelve of AVX2's sixteen registers) hide the latency of 4 cycles of two units. The
 * factor below one keeps the numbers away from infinity and from subnormals. Eight counters, for additions
 * that take one cycle, hide what the loop itself takes. */
#include "peak.h"

#include <stddef.h>
#include <stdint.h>

#include "core/clock.h"
#include "core/pool.h"
#include "kernels/dispatch.h"

typedef float spin_function(int64_t times);

#ifdef __x86_64__
#include <immintrin.h>

enum { FLOP_AVX512 = 16 * 16 * 2, FLOP_AVX2 = 12 * 8 * 2 };

__attribute__((target("avx512f"))) static float spin_avx512(int64_t times) {
    const __m512 factor = _mm512_set1_ps(0.999f), step = _mm512_set1_ps(0.001f);
    __m512 sum[16];
    for (int j = 0; j < 16; j++) sum[j] = _mm512_set1_ps((float)j);
    for (int64_t i = 0; i < times; i++)
#pragma GCC unroll 16
        for (int j = 0; j < 16; j++) sum[j] = _mm512_fmadd_ps(sum[j], factor, step);
    for (int j = 1; j < 16; j++) sum[0] = _mm512_add_ps(sum[0], sum[j]);
    return _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx2,fma"))) static float spin_avx2(int64_t times) {
    const __m256 factor = _mm256_set1_ps(0.999f), step = _mm256_set1_ps(0.001f);
    __m256 sum[12];
    for (int j = 0; j < 12; j++) sum[j] = _mm256_set1_ps((float)j);
    for (int64_t i = 0; i < times; i++)
#pragma GCC unroll 12
        for (int j = 0; j < 12; j++) sum[j] = _mm256_fmadd_ps(sum[j], factor, step);
    for (int j = 1; j < 12; j++) sum[0] = _mm256_add_ps(sum[0], sum[j]);
    return _mm256_cvtss_f32(sum[0]);
}

static spin_function *widest(double *flop) {
    if (rti_kernels_named("avx512")) return *flop = FLOP_AVX512, spin_avx512;
    if (rti_kernels_named("avx2")) return *flop = FLOP_AVX2, spin_avx2;
    return NULL;
}
#else
static spin_function *widest(double *flop) {
    *flop = 0;
    return NULL;
}
#endif

/* The empty instruction takes a counter from its register and gives it back, or the compiler would add up. */
static float count_up(int64_t times) {
    uint64_t x[8] = {0};
    for (int64_t i = 0; i < times; i++)
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++) {
            x[j]++;
            __asm__ volatile("" : "+r"(x[j]));
        }
    return (float)x[0];
}

enum { TIMES = 2000000 };

typedef struct spinning {
    spin_function *spin;
    volatile float results[256];
} spinning;

static void spin_once(void *context, int64_t thread) {
    spinning *s = context;
    s->results[thread] = s->spin(TIMES);
}

/* 1e9 operations a second, of which a turn of the loop does so many. */
static double rate(spinning *s, double operations, int threads) {
    const double start_s = rti_clock_s();
    rti_parallel(threads, spin_once, s);
    return operations * TIMES * threads / (rti_clock_s() - start_s) * 1e-9;
}

double peak_gflops(int threads) {
    double flop;
    spinning s = {.spin = widest(&flop)};
    return s.spin ? rate(&s, flop, threads) : 0;
}

double peak_additions(int threads) {
    spinning s = {.spin = count_up};
    return rate(&s, 8, threads);
}
