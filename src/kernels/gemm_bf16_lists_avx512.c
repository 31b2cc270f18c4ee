/* gemm_bf16_lists_avx512.c - products of bfloat16 of what is not 0.    Floor 2 (kernels)
 *
 * gemm_sparse.c with another panel and another loop. VDPBF16PS adds two products to each sum, first that of
 * the upper halves, then that of the lower ones, and a sum of gemm_bf16_portable.c takes the later element of
 * each pair first: 1, 0, 3, 2, 5, 4, ... Nothing says that the two must be neighbours. So a list in that
 * order is cut in twos, whatever their places are, and what is left out of it costs nothing:
 *
 *     entry      the first one's value above the second one's, and where their rows begin in the panel
 *     panel      rows of B as bfloat16, 128 bytes for 64 columns: half the memory of float32. Two of them
 *                are interleaved on the way to the multiplier, which another unit does meanwhile
 *
 * Pairs of neighbours of which one is not 0, with the panel interleaved beforehand, would be seven eighths as
 * many as the elements of a layer that is a quarter full, where these are half as many.
 *
 * On a Zen 4, one thread, this and the next panel fetched ahead: an epoch of 784-1200-1200-10 with dropout
 * takes 0.67 of its time with dense tiles of bfloat16, 0.89 of float32's, which leaves zeros out, too; an
 * epoch of 784-800-800-10 0.94 and 0.73 (tests/bench/ahead.csv). Both rows held in registers: gcc loaded each
 * row for each of the two halves that are interleaved, and the epoch took a tenth more.
 *
 * Lists of up to 40, 45, 55 % of a layer: 0.98, 0.97, 0.95 of dense tiles (784-800-800-10). */
#include "kernels/gemm_tiles.h"

#if RTI_REAL_IS_FLOAT

#include <string.h>

#include "core/pool.h"
#include "kernels/bf16_pack_avx512.h"

enum {
    WIDTH = 64,      /* columns of a panel: RTI_LIST_VECTORS vectors */
    ROW_SHIFT = 7,   /* a row of it is 2^7 bytes */
    CHUNK = 32,      /* rows that are packed at a time */
    TOGETHER = 16,   /* lists of a task */
};

_Static_assert(WIDTH == LANES * RTI_LIST_VECTORS && WIDTH * sizeof(uint16_t) == 1 << ROW_SHIFT, "one width");

/* ---- the panel ----
 *
 * Of 32 columns quarters alternate, 0 ... 3, 16 ... 19, 4 ... 7 and so on: interleaved with another row, they
 * are two vectors of sums in the order of the columns. */

/* The lower halves of 32 pairs, or the upper ones. */
ALWAYS __m512i lower(__m512i a, __m512i b) {
    const __m512i half = _mm512_set1_epi32(0xffff);
    return _mm512_packus_epi32(_mm512_and_si512(a, half), _mm512_and_si512(b, half));
}
ALWAYS __m512i upper(__m512i a, __m512i b) {
    return _mm512_packus_epi32(_mm512_srli_epi32(a, 16), _mm512_srli_epi32(b, 16));
}

/* In the place of rti_pack: room for floats holds twice as many. */
static void pack_rows(const rti_tiles *tiles, int64_t depth, int columns, int width, rti_matrix B,
                      float *panel) {
    (void)tiles, (void)width;
    char *to = (char *)panel;
    for (int64_t k = 0; k < depth; k += CHUNK) {
        _Alignas(64) pair pairs[CHUNK / 2 * WIDTH];
        const int64_t rows = depth - k < CHUNK ? depth - k : CHUNK;
        const source from = {B.data + k * B.row_stride, B.column_stride, B.row_stride};
        pack(&from, rows, columns, WIDTH, pairs);
        for (int64_t p = 0; p < rows; p++, to += 1 << ROW_SHIFT)
            EACH(h, WIDTH / 32) {
                const pair *at = pairs + p / 2 * WIDTH + 32 * h;
                const __m512i a = _mm512_load_si512(at), b = _mm512_load_si512(at + 16);
                _mm512_storeu_si512(to + 64 * h, p % 2 ? upper(a, b) : lower(a, b));
            }
    }
}

/* ---- lists in twos ---- */

/* Eight entries from entry i on, neighbours exchanged, as four; *eight is those before, and then these. A
 * list that ends with half of one has a 0 in the other half. */
ALWAYS void pair_up(const rti_entry *list, int64_t count, int64_t i, __m512i *eight, rti_entry *to) {
    const int64_t left = count - i;
    const __mmask8 here = left >= 8 ? 0xff : (__mmask8)((1 << left) - 1),
                   after = left >= 9 ? 0xff : (__mmask8)(here >> 1), before = i > 0 ? here : here & 0xfe;
    const __m512i place = _mm512_set1_epi64(0xffffffff), one = _mm512_set1_epi64(1),
                  x = _mm512_maskz_loadu_epi64(here, list + i),
                  next = _mm512_maskz_loadu_epi64(after, list + i + 1),
                  last = _mm512_alignr_epi64(x, *eight, 7);
    *eight = x;
    const __mmask8 is_even = _mm512_mask_cmpeq_epi64_mask(
                       after, _mm512_and_si512(_mm512_xor_si512(x, next), place), one),
                   is_odd = _mm512_mask_cmpeq_epi64_mask(
                       before, _mm512_and_si512(_mm512_xor_si512(x, last), place), one);
    const __m512i turned = _mm512_mask_mov_epi64(_mm512_mask_mov_epi64(x, is_even, next), is_odd, last);
    const __m256 value = _mm256_castsi256_ps(_mm512_cvtepi64_epi32(_mm512_srli_epi64(turned, 32)));
    const __m128i factor = _mm_rol_epi32((__m128i)_mm256_cvtneps_pbh(value), 16),
                  places = _mm_slli_epi16(_mm512_cvtepi64_epi16(turned), ROW_SHIFT);
    const __m256i four = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_unpacklo_epi32(places, factor)), _mm_unpackhi_epi32(places, factor), 1);
    const int64_t pairs = (left + 1) / 2;
    _mm256_mask_storeu_epi64(to + i / 2, pairs >= 4 ? 0xf : (__mmask8)((1 << pairs) - 1), four);
}

typedef struct pairing {
    rti_lists from;
    uint32_t *start; /* of those in twos */
    rti_entry *entry;
    int64_t lists;
} pairing;

static void pair_lists(void *context, int64_t task) {
    const pairing *t = context;
    const int64_t end = t->lists < (task + 1) * TOGETHER ? t->lists : (task + 1) * TOGETHER;
    for (int64_t n = task * TOGETHER; n < end; n++) {
        const rti_entry *list = t->from.entry + t->from.start[n];
        const int64_t count = t->from.start[n + 1] - t->from.start[n];
        rti_entry *to = t->entry + t->start[n];
        __m512i eight = _mm512_setzero_si512();
        for (int64_t i = 0; i < count; i += 8) pair_up(list, count, i, &eight, to);
        if (count % 2) { /* that 0 at the same place, where b is multiplied anyway */
            rti_entry *half = to + count / 2;
            half->place = (half->place & 0xffff) * 0x10001u;
        }
    }
}

/* The lists, `count` of them, in memory for as many entries as they have, and one more of each. */
static rti_lists in_twos(rti_lists lists, int64_t count, void *memory) {
    pairing t = {.from = lists, .start = memory, .lists = count};
    t.start[0] = 0;
    for (int64_t n = 0; n < count; n++)
        t.start[n + 1] = t.start[n] + (lists.start[n + 1] - lists.start[n] + 1) / 2;
    t.entry = (rti_entry *)(void *)(t.start + (count + 2) / 2 * 2);
    rti_parallel((count + TOGETHER - 1) / TOGETHER, pair_lists, &t);
    return (rti_lists){t.start, t.entry};
}

/* ---- rows of the product ---- */

ALWAYS void list_step(const rti_sparse_job *t, const rti_entry *e, const int vectors, vector sum[]) {
    int factors;
    memcpy(&factors, &e->value, sizeof factors);
    const __m512bh factor = (__m512bh)_mm512_set1_epi32(factors);
    const char *b = (const char *)t->b, *earlier = b + (e->place & 0xffff), *later = b + (e->place >> 16);
    EACH(h, (vectors + 1) / 2) {
        vector *two = sum + 2 * h;
        __m512i high = _mm512_loadu_si512(earlier + 64 * h), low = _mm512_loadu_si512(later + 64 * h);
        __asm__("" : "+v"(high), "+v"(low)); /* or gcc loads them for each of the two */
        two[0] = _mm512_dpbf16_ps(two[0], factor, (__m512bh)_mm512_unpacklo_epi16(low, high));
        if (2 * h + 1 < vectors)
            two[1] = _mm512_dpbf16_ps(two[1], factor, (__m512bh)_mm512_unpackhi_epi16(low, high));
    }
}
#include "kernels/gemm_list_rows.h"

/* ---- the product ---- */

bool rti_gemm_bf16_lists_avx512(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C,
                                int64_t ldc, const rti_epilogue *epilogue, void *scratch) {
    rti_nonzero z;
    if (A.nonzero && rti_lists_pay_bf16(A.nonzero) && A.nonzero->by_row.start && rti_lists_serve(N)) {
        z = *A.nonzero;
        z.by_row = in_twos(z.by_row, M * z.blocks, scratch);
        A.nonzero = &z;
        B.nonzero = NULL;
    } else if (B.nonzero && rti_lists_pay_bf16(B.nonzero) && B.nonzero->by_column.start &&
               rti_lists_serve(M)) {
        z = *B.nonzero;
        z.by_column = in_twos(z.by_column, N, scratch);
        B.nonzero = &z;
        A.nonzero = NULL;
    } else {
        return false;
    }
    rti_tiles tiles = rti_tiles_14x32_avx512;
    tiles.pack = pack_rows;
    tiles.list_rows = list_rows;
    return rti_gemm_sparse(&tiles, M, N, K, A, B, C, ldc, epilogue);
}

#endif
