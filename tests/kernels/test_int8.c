/* Products of 8-bit integers: every version against plain loops over the unpacked weights in 64 bits, at
 * sizes around every edge of the packing, with the largest numbers there are, and with nothing written or
 * needed beyond the ends. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/dispatch.h"
#include "kernels/int8_kernels.h"
#include "retort/alloc.h"
#include "retort/rng.h"

static rt_rng rng;

static const rti_int8_kernels *version(int i) {
    const rti_int8_kernels *own;
    if (i == 0) return &rti_int8_portable;
    rti_kernels_use(rti_kernels_named("avx512"));
    own = rti_kernels_int8();
    rti_kernels_use(NULL);
    return own == &rti_int8_portable ? NULL : own;
}

static int within(int low, int high) { return low + (int)rt_rng_below(&rng, (uint32_t)(high - low + 1)); }

/* How x is drawn: of all numbers, mostly the zero of pixels, nothing else than it, the largest. */
enum { ANY, SPARSE, NOTHING, LARGEST, LAWS };

static void draw(int law, int64_t D, int8_t *x) {
    for (int64_t d = 0; d < D; d++) {
        const bool zero = law == NOTHING || (law == SPARSE && within(0, 9) > 0);
        x[d] = (int8_t)(zero ? -128 : law == LARGEST ? 127 : within(-128, 127));
    }
}

static void linear(const rti_int8_kernels *v, int64_t units, int64_t D, int law) {
    int8_t *x = malloc((size_t)D),
           *w = malloc((size_t)(units * D)); /* exact: the sanitizer sees one byte more */
    int32_t *bias = malloc((size_t)units * sizeof *bias), sums[RTI_INT8_BLOCK];
    int8_t *packed = rt_alloc((size_t)rti_int8_packed_bytes(units, D));
    int32_t *base = rt_alloc((size_t)rti_int8_base_count(units) * sizeof *base);
    cr_assert(x && w && bias && packed && base);
    draw(law, D, x);
    for (int64_t i = 0; i < units * D; i++) w[i] = (int8_t)(law == LARGEST ? -127 : within(-127, 127));
    for (int64_t u = 0; u < units; u++) bias[u] = within(-1000000, 1000000);
    rti_int8_pack(units, D, w, bias, packed, base);
    for (int64_t first = 0; first < units; first += RTI_INT8_BLOCK) {
        const int64_t left = units - first, here = left < RTI_INT8_BLOCK ? left : RTI_INT8_BLOCK;
        const int panels = (int)((here + RTI_INT8_PANEL - 1) / RTI_INT8_PANEL);
        v->sums(D, panels, x, packed + rti_int8_packed_bytes(first, D), base + first, sums);
        for (int64_t u = first; u < first + here; u++) {
            int64_t sum = bias[u];
            for (int64_t d = 0; d < D; d++) sum += (int64_t)x[d] * w[u * D + d];
            cr_expect_eq(sums[u - first], sum, "%s: unit %d of %d, %d inputs, law %d", v->name, (int)u,
                         (int)units, (int)D, law);
        }
    }
    free(x);
    free(w);
    free(bias);
    rt_free(packed);
    rt_free(base);
}

Test(int8_kernels, sums_are_those_of_plain_loops) {
    static const int64_t units[] = {1, 2, 15, 16, 17, 33, 58, 64, 65, 110, 130};
    static const int64_t inputs[] = {1, 2, 3, 4, 5, 58, 63, 64, 65, 127, 784, 4095, 4096, 4101};
    rng = rt_rng_stream(1, "int8", 0, 0);
    for (int i = 0; i < 2; i++)
        for (size_t u = 0; version(i) && u < sizeof units / sizeof *units; u++)
            for (size_t d = 0; d < sizeof inputs / sizeof *inputs; d++)
                linear(version(i), units[u], inputs[d], (int)(u + d) % LAWS);
}

Test(int8_kernels, the_largest_sums_do_not_overflow) {
    rng = rt_rng_stream(2, "int8", 0, 0);
    for (int i = 0; i < 2; i++)
        for (int law = 0; version(i) && law < LAWS; law++) linear(version(i), 17, 65536, law);
}

/* floor by division, which / is not for negative numbers */
static int64_t floor_of(int64_t v, int64_t by) { return v / by - (v % by < 0); }

Test(int8_kernels, results_are_rounded_half_up_and_clamped) {
    static const int32_t edges[] = {0, 1, -1, 2, -2, 3, -3, INT32_MAX, -INT32_MAX, 1 << 30, -(1 << 30)};
    enum { N = 29, EDGES = sizeof edges / sizeof *edges };
    int32_t *sums = malloc(N * sizeof *sums), *factor = malloc(N * sizeof *factor);
    int8_t y[N + 1];
    int differ = 0;
    rng = rt_rng_stream(3, "int8", 0, 0);
    for (int i = 0; i < 2; i++)
        for (int shift = 1; version(i) && shift <= 46; shift++)
            for (int64_t units = 1; units <= N; units += units < 10 ? 1 : 19) {
                const int32_t zero = within(-128, 127), low = shift % 2 ? zero : -128;
                for (int64_t u = 0; u < units; u++) {
                    sums[u] = u < EDGES && shift % 3 == 0 ? edges[u] : within(-2000000, 2000000);
                    factor[u] = shift % 5 == 0 ? edges[(u + 3) % EDGES]
                                               : within(1, 1 << (shift < 30 ? shift : 30));
                }
                memset(y, 99, sizeof y);
                version(i)->requantise(units, sums, factor, shift, zero, low, y);
                for (int64_t u = 0; u < units; u++) {
                    const int64_t half = (int64_t)1 << (shift - 1);
                    int64_t v = floor_of((int64_t)sums[u] * factor[u] + half, 2 * half) + zero;
                    v = v < low ? low : v > 127 ? 127 : v;
                    differ += v != low && v != 127;
                    cr_expect_eq(y[u], v, "%s: %d * %d >> %d, zero %d", version(i)->name, sums[u], factor[u],
                                 shift, zero);
                }
                cr_expect_eq(y[units], 99, "%s wrote beyond", version(i)->name);
            }
    cr_expect_gt(differ, 300, "nearly all were clamped: %d were not", differ);
    free(sums);
    free(factor);
}

Test(int8_kernels, tables_are_looked_up) {
    int8_t table[256], y[300];
    uint8_t x[299];
    rng = rt_rng_stream(4, "int8", 0, 0);
    for (int b = 0; b < 256; b++) table[b] = (int8_t)within(-128, 127);
    for (int b = 0; b < 299; b++) x[b] = (uint8_t)b;
    for (int i = 0; i < 2; i++)
        for (int64_t n = 0; version(i) && n <= 299; n++) {
            memset(y, 99, sizeof y);
            version(i)->look_up(n, table, x, y);
            for (int64_t k = 0; k < n; k++) cr_expect_eq(y[k], table[x[k]]);
            cr_expect_eq(y[n], 99, "%s wrote beyond", version(i)->name);
        }
}
