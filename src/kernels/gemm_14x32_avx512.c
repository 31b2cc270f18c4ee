/* gemm_14x32_avx512.c - register tiles for AVX-512.                    Floor 2 (kernels)
 *
 * 32 registers: 28 hold a tile of 14 x 32, two a step of B, and elements of A are spread over all
 * lanes as they are loaded. Narrow panels (10 classes) take tiles of 24 x 16. Columns beyond the last
 * are masked off in loads and stores, so 30 columns cost what 32 do.
 *
 * What was tried (Zen 5 at 4.2 GHz, one thread, peak 269 GFLOP/s; forward / dX / dW of 784 x 1200,
 * batch 100; OpenBLAS 0.3.21 with its AVX2 kernels 120 / 125 / 127 in the same run):
 *
 *   14 x 32                          228 / 257 / 253
 *   at most 8 rows                   220 / 219 / 243
 *   at most 12 rows                  225 / 231 / 246
 *
 * Rows of A are addressed by one pointer for three of them: pointer, + row, + 2 row. The forward pass
 * is slower than dX because it has to transpose the weights on the way to the buffer (16 x 16
 * at a time in registers, about a tenth of the time). */
#include "kernels/gemm_tiles.h"

#if RTI_REAL_IS_FLOAT

#include "kernels/avx512.h"

/* One tile. rows, vectors and by_steps are constants in every caller, so acc lives in registers. */
ALWAYS void tile(const rti_tile_job *t, const float *first_a, const float *first_b, float *c, const int rows,
                 const int vectors, const bool by_steps) {
    __m512 acc[RTI_TILE_ROWS_MOST][2];
    const int last_columns = t->columns - 16 * (vectors - 1);
    const __mmask16 last = (__mmask16)((1u << last_columns) - 1),
                    lanes[2] = {vectors == 1 ? last : 0xffff, last};
    const int64_t ldc = t->ldc;
    if (t->from_zero) {
        EACH(i, rows) EACH(v, vectors) acc[i][v] = _mm512_setzero_ps();
    } else {
        EACH(i, rows) EACH(v, vectors)
            acc[i][v] = _mm512_maskz_loadu_ps(lanes[v], c + i * ldc + 16 * v);
    }

    const int64_t b_step = t->b_step, a_step = by_steps ? t->a_step : 1, a_row = by_steps ? 1 : t->a_row;
    const float *a[(RTI_TILE_ROWS_MOST + 2) / 3], *b = first_b;
    EACH(i, (rows + 2) / 3) a[i] = first_a + 3 * i * a_row;
    EACH(i, rows) EACH(v, vectors) __builtin_prefetch(c + i * ldc + 16 * v, 1, 3);
    for (int64_t p = t->depth; p > 0; p--) {
        __m512 x[2];
        EACH(v, vectors) x[v] = _mm512_maskz_loadu_ps(lanes[v], b + 16 * v);
        b += b_step;
        EACH(i, rows) {
            const __m512 factor = _mm512_set1_ps(a[i / 3][i % 3 * a_row]);
            EACH(v, vectors) acc[i][v] = _mm512_fmadd_ps(factor, x[v], acc[i][v]);
        }
        EACH(i, (rows + 2) / 3) a[i] += a_step;
    }

    if (t->bias) {
        const float *from = t->bias + (first_b - t->b);
        EACH(v, vectors) {
            const __m512 bias = _mm512_maskz_loadu_ps(lanes[v], from + 16 * v);
            EACH(i, rows) acc[i][v] = _mm512_add_ps(acc[i][v], bias);
        }
    }
    if (t->relu) { /* max(0, x) gives its second operand when one is NaN */
        EACH(i, rows) EACH(v, vectors)
            acc[i][v] = _mm512_max_ps(_mm512_setzero_ps(), acc[i][v]);
    }
    EACH(i, rows) EACH(v, vectors)
        _mm512_mask_storeu_ps(c + i * ldc + 16 * v, lanes[v], acc[i][v]);
}

#define VARIANT(name, r, v, by_steps)                                                                    \
    static __attribute__((noinline)) void one_##name##_##r##x##v(const rti_tile_job *t, const float *a,  \
                                                                 const float *b, float *c) {             \
        tile(t, a, b, c, r, v, by_steps);                                                                \
    }                                                                                                    \
    static void name##_##r##x##v(const rti_tile_job *t) {                                                \
        rti_each_tile(t, r, 16 * v, one_##name##_##r##x##v);                                             \
    }
#define TILE(r, v) VARIANT(rows, r, v, false) VARIANT(steps, r, v, true)

#define HEIGHTS_14(X, v)                                                                                 \
    X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v) X(12, v) \
    X(13, v) X(14, v)
#define HEIGHTS_24(X, v)                                                                             \
    HEIGHTS_14(X, v) X(15, v) X(16, v) X(17, v) X(18, v) X(19, v) X(20, v) X(21, v) X(22, v) X(23, v) X(24, v)

HEIGHTS_24(TILE, 1)
HEIGHTS_14(TILE, 2)

enum { ROW_VECTORS = 24 };

/* `vectors` of one row, from column j on, in registers, so that long runs of B's rows are read. */
ALWAYS void row_part(const rti_row_job *t, const int vectors, int64_t j, __mmask16 last) {
    __m512 acc[ROW_VECTORS];
    const float *b = t->b + j;
    float *c = t->c + j;
#define LANES(v) ((v) == vectors - 1 ? last : (__mmask16)0xffff)
    EACH(v, vectors)
        acc[v] = t->from_zero ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(LANES(v), c + 16 * v);
    for (int p = 0; p < t->count; p++) {
        const __m512 factor = _mm512_set1_ps(t->entry[p].value);
        const float *from = b + t->entry[p].place * t->b_step;
        EACH(v, vectors)
            acc[v] = _mm512_fmadd_ps(factor, _mm512_maskz_loadu_ps(LANES(v), from + 16 * v), acc[v]);
    }
    EACH(v, vectors) {
        if (t->bias) acc[v] = _mm512_add_ps(acc[v], _mm512_maskz_loadu_ps(LANES(v), t->bias + j + 16 * v));
        if (t->relu) acc[v] = _mm512_max_ps(_mm512_setzero_ps(), acc[v]);
        _mm512_mask_storeu_ps(c + 16 * v, LANES(v), acc[v]);
    }
#undef LANES
}

#define ROW_PART(v) case v: row_part(t, v, 16 * first, last); break;

/* Few passes, because each waits for its own chain of sums. */
static void row(const rti_row_job *t) {
    const int64_t vectors = (t->columns + 15) / 16;
    for (int64_t first = 0, next; first < vectors; first = next) {
        const int64_t left = vectors - first;
        next = first + (left >= 24 ? 24 : left >= 12 ? 12 : left > 8 ? 8 : left);
        const __mmask16 last = next < vectors ? 0xffff : (__mmask16)(0xffff >> (16 * vectors - t->columns));
        switch (next - first) {
            ROW_PART(24) ROW_PART(12) ROW_PART(8) ROW_PART(7) ROW_PART(6) ROW_PART(5) ROW_PART(4)
            ROW_PART(3) ROW_PART(2) ROW_PART(1)
        }
    }
}

#include "kernels/gemm_rows.h"

#define BY_ROWS(rows, vectors) rows_##rows##x##vectors,
#define BY_STEPS(rows, vectors) steps_##rows##x##vectors,
typedef rti_tile *const table[2][RTI_TILE_ROWS_MOST];
static table a_by_rows = {{HEIGHTS_24(BY_ROWS, 1)}, {HEIGHTS_14(BY_ROWS, 2)}};
static table a_by_steps = {{HEIGHTS_24(BY_STEPS, 1)}, {HEIGHTS_14(BY_STEPS, 2)}};

/* Four numbers of each of four rows, one row to a quarter of the register. */
ALWAYS __m512 quarters(const float *const row[], int64_t p) {
    __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(row[0] + p));
    x = _mm512_insertf32x4(x, _mm_loadu_ps(row[4] + p), 1);
    x = _mm512_insertf32x4(x, _mm_loadu_ps(row[8] + p), 2);
    return _mm512_insertf32x4(x, _mm_loadu_ps(row[12] + p), 3);
}

/* out[k * out_stride + j] = row[j][p + k] for four k. Rows j, j + 4, j + 8 and j + 12 share a register from
 * their loads on, so that transposing 4 x 4 in its quarters is all that is left. */
ALWAYS void transpose_4x16(const float *const row[16], int64_t p, float *out, int64_t out_stride) {
    __m512 x[4], y[4];
    EACH(i, 4) x[i] = quarters(row + i, p);
    y[0] = _mm512_unpacklo_ps(x[0], x[1]), y[1] = _mm512_unpackhi_ps(x[0], x[1]);
    y[2] = _mm512_unpacklo_ps(x[2], x[3]), y[3] = _mm512_unpackhi_ps(x[2], x[3]);
    _mm512_storeu_ps(out, _mm512_shuffle_ps(y[0], y[2], 0x44));
    _mm512_storeu_ps(out + out_stride, _mm512_shuffle_ps(y[0], y[2], 0xee));
    _mm512_storeu_ps(out + 2 * out_stride, _mm512_shuffle_ps(y[1], y[3], 0x44));
    _mm512_storeu_ps(out + 3 * out_stride, _mm512_shuffle_ps(y[1], y[3], 0xee));
}

/* Beyond the last column stands what is in the last one: loads of B are masked. */
static void transpose(int64_t depth, int columns, int width, const float *from, int64_t stride, float *out,
                      int64_t out_stride) {
    for (int j = 0; j < width; j += 16) {
        const float *row[16];
        EACH(i, 16) row[i] = from + (j + i < columns ? j + i : columns - 1) * stride;
        int64_t p = 0;
        for (; p + 4 <= depth; p += 4) transpose_4x16(row, p, out + p * out_stride + j, out_stride);
        for (; p < depth; p++) EACH(i, 16) out[p * out_stride + j + i] = row[i][p];
    }
}

static void copy(int64_t depth, int columns, int width, const float *from, int64_t stride, float *out) {
    for (int64_t p = 0; p < depth; p++, from += stride, out += width) {
        for (int j = 0; j < columns; j += 16) __builtin_prefetch(from + RTI_ROWS_AHEAD * stride + j);
        for (int j = 0; j < width; j += 16)
            _mm512_storeu_ps(out + j, _mm512_maskz_loadu_ps(lanes_of(columns - j), from + j));
    }
}

const rti_tiles rti_tiles_14x32_avx512 = {
    .lanes = 16,
    .masked_loads = true,
    .rows = {24, 14},
    .depth = 512,
    .near = 480 << 10,
    .panels_at_once = 1,
    .packs_a = false,
    .a_by_rows = a_by_rows,
    .a_by_steps = a_by_steps,
    .row = row,
    .list_rows = list_rows,
    .bit_rows = bit_rows,
    .bit_rows_narrow = bit_rows_narrow,
    .pack = rti_pack,
    .transpose = transpose,
    .copy = copy,
};

void rti_gemm_14x32_avx512(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C,
                           int64_t ldc, bool accumulate, const rti_epilogue *epilogue) {
    rti_gemm_tiled(&rti_tiles_14x32_avx512, M, N, K, A, B, C, ldc, accumulate, epilogue);
}

#endif
