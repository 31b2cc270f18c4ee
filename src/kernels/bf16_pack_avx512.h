/* bf16_pack_avx512.h - operands of bfloat16 products, in pairs.        Floor 2 (kernels)
 *
 * What VDPBF16PS multiplies stands in pairs of neighbours along the summed extent, 32 bits each:
 *
 *     out[p][j] = (x[j][2p], x[j][2p + 1])      rounded to bfloat16, the last one of an odd extent with a 0
 *
 * for a line j of an operand: a row of A, a column of B. */
#ifndef RTI_BF16_PACK_AVX512_H
#define RTI_BF16_PACK_AVX512_H

#include "kernels/avx512.h"

typedef uint32_t pair; /* two bfloat16, the earlier one in the lower half */

/* Interleaves: (even k, odd k) of 16 columns. */
ALWAYS __m512i pairs_of(__m512 even, __m512 odd) {
    static const uint16_t order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                       8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_loadu_si512(order), (__m512i)_mm512_cvtne2ps_pbh(odd, even));
}

/* r[p] lane j and r[j] lane p change places: pairs, fours, then quarters of registers. */
ALWAYS void transpose16(__m512i r[16]) {
    __m512i t[16];
    UNROLL for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    EACH(i, 4) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    EACH(i, 4) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* An operand, or a part of it: element (j, k) at x[j * line + k * step]. */
typedef struct source {
    const float *x;
    int64_t line, step;
} source;

/* Lines are contiguous across: step by step. */
static void pack_across(const source *s, int64_t depth, int lines, int width, pair *out) {
    const float *x = s->x;
    for (int64_t k = 0; k < depth; k += 2, x += 2 * s->step, out += width)
        for (int j = 0; j < width; j += 16) {
            const __mmask16 in = lanes_of(lines - j);
            const __m512 even = _mm512_maskz_loadu_ps(in, x + j),
                         odd = _mm512_maskz_loadu_ps(k + 1 < depth ? in : 0, x + s->step + j);
            _mm512_mask_storeu_epi32(out + j, lanes_of(width - j), pairs_of(even, odd));
        }
}

/* Lines are contiguous along: 16 of them, 32 steps at a time. */
static void pack_along(const source *s, int64_t depth, int lines, int width, pair *out) {
    for (int j = 0; j < width; j += 16) {
        const __mmask16 kept = lanes_of(width - j);
        const int here = lines - j;
        for (int64_t k = 0; k < depth; k += 32) {
            const float *x = s->x + j * s->line + k;
            __m512i r[16];
            if (here >= 16 && depth - k >= 32) {
                EACH(i, 16) r[i] = (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i * s->line + 16),
                                                                _mm512_loadu_ps(x + i * s->line));
            } else {
                const __mmask16 low = lanes_of(depth - k), high = lanes_of(depth - k - 16);
                EACH(i, 16) r[i] = (__m512i)_mm512_cvtne2ps_pbh(
                    _mm512_maskz_loadu_ps(i < here ? high : 0, x + i * s->line + 16),
                    _mm512_maskz_loadu_ps(i < here ? low : 0, x + i * s->line));
            }
            transpose16(r);
            const int64_t pairs = (depth - k + 1) / 2;
            pair *to = out + k / 2 * width + j;
            EACH(i, 16) if (i < pairs) _mm512_mask_storeu_epi32(to + i * width, kept, r[i]);
        }
    }
}

static void pack_strided(const source *s, int64_t depth, int lines, int width, pair *out) {
    for (int64_t k = 0; k < depth; k += 2)
        for (int j = 0; j < width; j += 16) {
            float even[16] = {0}, odd[16] = {0};
            for (int i = 0; i < 16 && j + i < lines; i++) {
                const float *x = s->x + (j + i) * s->line + k * s->step;
                even[i] = x[0];
                if (k + 1 < depth) odd[i] = x[s->step];
            }
            _mm512_mask_storeu_epi32(out + k / 2 * width + j, lanes_of(width - j),
                                     pairs_of(_mm512_loadu_ps(even), _mm512_loadu_ps(odd)));
        }
}

/* out[p * width + j]; lines from `lines` to `width` are 0. */
static void pack(const source *s, int64_t depth, int lines, int width, pair *out) {
    if (s->line == 1)
        pack_across(s, depth, lines, width, out);
    else if (s->step == 1)
        pack_along(s, depth, lines, width, out);
    else
        pack_strided(s, depth, lines, width, out);
}

#endif
