/* int8_avx512.c - products of 8-bit integers by VNNI, tables by VBMI.  Floor 2 (kernels)
 *
 * VPDPBUSD adds four products of an unsigned and a signed byte to each of sixteen 32-bit sums; the four
 * inputs are the same for all lanes, the lanes are units. First the groups that are not all zero are listed,
 * without a branch: one that depends on the pixels is wrongly guessed once in sixteen groups. Two chains of
 * sums hide the latency of the instruction. */
#include "kernels/dispatch.h"
#include "kernels/int8_kernels.h"

#if RTI_REAL_IS_FLOAT

#include <immintrin.h>

enum { LANES = 16, LIST = 1024 }; /* groups */

typedef struct list {
    uint32_t place[LIST + LANES], inputs[LIST + LANES];
    int count;
} list;

/* The groups `first` ... of the D inputs at x, at most LIST of them. */
static inline void list_groups(list *l, int64_t first, int64_t D, const int8_t *x) {
    const __m512i zero = _mm512_set1_epi8(-128);
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    l->count = 0;
    for (int64_t g = first; g < first + LIST && RTI_INT8_GROUP * g < D; g += LANES) {
        const int64_t left = D - RTI_INT8_GROUP * g;
        const __mmask64 here = left < 64 ? ((__mmask64)1 << left) - 1 : ~(__mmask64)0;
        const __m512i v = _mm512_mask_loadu_epi8(zero, here, x + RTI_INT8_GROUP * g);
        const __mmask16 some = _mm512_cmpneq_epi32_mask(v, zero);
        const __m512i at = _mm512_add_epi32(_mm512_set1_epi32((int)g), lanes);
        _mm512_storeu_si512(l->place + l->count, _mm512_maskz_compress_epi32(some, at));
        _mm512_storeu_si512(l->inputs + l->count,
                            _mm512_maskz_compress_epi32(some, _mm512_xor_si512(v, zero)));
        l->count += __builtin_popcount(some);
    }
    l->place[l->count] = 0; /* an odd number of groups is filled up with one that is zero */
    l->inputs[l->count] = 0;
}

static inline void add_group(const list *l, int i, int panels, const int8_t *packed, __m512i sums[]) {
    const __m512i v = _mm512_set1_epi32((int)l->inputs[i]);
    const int8_t *w = packed + (size_t)l->place[i] * (size_t)panels * 64;
    for (int p = 0; p < panels; p++)
        sums[p] = _mm512_dpbusd_epi32(sums[p], v, _mm512_loadu_si512(w + 64 * p));
}

static inline __attribute__((always_inline)) void sums_of(int64_t D, const int panels, const int8_t *x,
                                                          const int8_t *packed, const int32_t *base,
                                                          int32_t *out) {
    __m512i even[4], odd[4];
    list l;
    for (int p = 0; p < panels; p++) {
        even[p] = _mm512_loadu_si512(base + LANES * p);
        odd[p] = _mm512_setzero_si512();
    }
    for (int64_t first = 0; RTI_INT8_GROUP * first < D; first += LIST) {
        list_groups(&l, first, D, x);
        for (int i = 0; i < l.count; i += 2) {
            add_group(&l, i, panels, packed, even);
            add_group(&l, i + 1, panels, packed, odd);
        }
    }
    for (int p = 0; p < panels; p++) _mm512_storeu_si512(out + LANES * p, _mm512_add_epi32(even[p], odd[p]));
}

static void sums(int64_t D, int panels, const int8_t *x, const int8_t *packed, const int32_t *base,
                 int32_t *out) {
    switch (panels) {
    case 1:
        sums_of(D, 1, x, packed, base, out);
        break;
    case 2:
        sums_of(D, 2, x, packed, base, out);
        break;
    case 3:
        sums_of(D, 3, x, packed, base, out);
        break;
    default:
        sums_of(D, 4, x, packed, base, out);
    }
}

static void requantise(int64_t units, const int32_t *in, const int32_t *factor, int shift, int32_t zero,
                       int32_t low, int8_t *y) {
    const __m128i by = _mm_cvtsi32_si128(shift);
    const __m512i half = _mm512_set1_epi64((int64_t)1 << (shift - 1)), zeros = _mm512_set1_epi64(zero);
    const __m512i lows = _mm512_set1_epi64(low);
    for (int64_t u = 0; u < units; u += 8) {
        const __mmask8 here = units - u < 8 ? (__mmask8)((1u << (units - u)) - 1) : (__mmask8)0xff;
        const __m512i a = _mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(here, in + u));
        const __m512i b = _mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(here, factor + u));
        const __m512i v = _mm512_sra_epi64(_mm512_add_epi64(_mm512_mul_epi32(a, b), half), by);
        const __m512i most = _mm512_max_epi64(_mm512_add_epi64(v, zeros), lows);
        _mm512_mask_cvtsepi64_storeu_epi8(y + u, here, most); /* above 127 it saturates */
    }
}

static void look_up(int64_t n, const int8_t table[256], const uint8_t *x, int8_t *y) {
    const __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 64);
    const __m512i t2 = _mm512_loadu_si512(table + 128), t3 = _mm512_loadu_si512(table + 192);
    for (int64_t i = 0; i < n; i += 64) {
        const __mmask64 here = n - i < 64 ? ((__mmask64)1 << (n - i)) - 1 : ~(__mmask64)0;
        const __m512i v = _mm512_maskz_loadu_epi8(here, x + i);
        const __m512i below = _mm512_permutex2var_epi8(t0, v, t1),
                      above = _mm512_permutex2var_epi8(t2, v, t3);
        _mm512_mask_storeu_epi8(y + i, here, _mm512_mask_mov_epi8(below, _mm512_movepi8_mask(v), above));
    }
}

const rti_int8_kernels rti_int8_avx512 = {"avx512", sums, requantise, look_up};

#endif
