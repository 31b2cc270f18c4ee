/* gemm_6x16_avx2.c - register tiles for AVX2 with FMA.                 Floor 2 (kernels)
 *
 * 16 registers: 12 hold a tile of 6 x 16 (or 12 x 8), two a step of B, one an element of A in every
 * lane. Measured (Zen 5 at 4.2 GHz, one thread, peak 135 GFLOP/s; forward / dX / dW of 784 x 1200, batch
 * 100): 124 / 129 / 126, OpenBLAS 0.3.21 119 / 125 / 128 in the same run.
 *
 * On a Zen 3 (2.9 GHz, peak 93 GFLOP/s), on a shared machine whose speed went between two states; before and
 * after all of it: tests/bench/avx2.csv.
 *
 *   stores without a mask (avx2.h)
 *   four steps of p at a time   21.5 instructions for 12 multiply-adds, not 23: 240 x 250 x 784, all in the
 *                               second-level cache, 0.73 -> 0.79 of the peak in the slow state, 0.87 -> 0.88
 *   C fetched one tile ahead    dW at batch 1000 +4 %
 *   B fetched 12 steps ahead    0.73 in place of 0.79, one instruction more for each step: not kept
 *
 * Then a tile of dW at batch 100 cost some 70 cycles beside the 600 of its sums. Without most of them, the
 * speed of the wide layers at batch 100, builds of the library in one process, in turn (dW in brackets):
 *
 *   all tiles of a height in one call           0.96: gcc keeps a zero and addresses, and a sum spills
 *   the same, each tile in a function           1.03 (1.05)
 *   of copies, all distances constants          1.04 (1.08); both loops in one function 0.86: sums are moved
 *   rows of C not addressed ahead of the loop   1.055 (1.11)
 *   nor rows of A for each of four steps        1.06; by strides 28 instructions for 12 multiply-adds, not 33
 *   eight, three, two steps at a time           0.90, 1.00, 0.98 of four: not kept
 *   loads and sums volatile, as written         0.95: not kept
 *
 * Then the short and narrow products (tests/bench/skinny.csv): one address of A in place of several, when its
 * rows are next to each other, and tiles that know that nothing is to be loaded, masked or added at the end.
 * gemm_tiled.c has the rest, and what was tried.
 *
 * gemm_tiled.c says how its blocks were chosen. */
#include "kernels/gemm_tiles.h"

#if RTI_REAL_IS_FLOAT

#include "kernels/avx2.h"

/* sum[v] += factor * x[v]. In assembler, because gcc 12 spills sums for the sake of other forms of it. */
ALWAYS void add_product(__m256 factor, const __m256 x[2], const int vectors, __m256 sum[2]) {
    EACH(v, vectors) __asm__("vfmadd231ps %2, %1, %0" : "+x"(sum[v]) : "x"(factor), "x"(x[v]));
}

/* acc[i][v] = fma(A[i][p], B[p][v], acc[i][v]) for one p; A[i][p] stands `p_offset` and i % 3 rows behind
 * a[i / 3]. */
ALWAYS void step(const float *const a[4], int64_t p_offset, int64_t a_row, const float *b, float *copy,
                 const int rows, const int vectors, __m256 acc[12][2]) {
    __m256 x[2];
    EACH(v, vectors) x[v] = _mm256_loadu_ps(b + 8 * v);
    if (copy) EACH(v, vectors) _mm256_storeu_ps(copy + 8 * v, x[v]);
    EACH(i, rows)
        add_product(_mm256_broadcast_ss(a[i / 3] + p_offset + i % 3 * a_row), x, vectors, acc[i]);
}

/* How a tile reads B: in rows of whole vectors that follow each other (and A by steps without gaps); where it
 * is; where it is, to copy it. */
typedef enum reading { COPIED, PLACED, COPIES } reading;

/* The whole tile along p, four steps at a time; A's rows are contiguous. */
ALWAYS void walk_rows(const float *a_start, int64_t a_row, const float *b, int64_t b_step, float *copy,
                      int64_t depth, const int rows, const int vectors, const reading how,
                      __m256 acc[12][2]) {
    const bool copied = how == COPIED, copies = how == COPIES;
    const float *a[4]; /* each addresses three rows */
    EACH(i, (rows + 2) / 3) a[i] = a_start + 3 * i * a_row;
    int64_t p = depth;
    for (; p >= 4; p -= 4) {
        EACH(k, 4) {
            step(a, k, a_row, b + (copied ? k * b_step : 0), copies ? copy + 8 * k * vectors : NULL, rows,
                 vectors, acc);
            if (!copied) b += b_step;
            if (!copied) __asm__("" : "+r"(b)); /* one addition, not an address for each k */
            __asm__("" : "+r"(a_row));          /* nor one for each k and row */
        }
        EACH(i, (rows + 2) / 3) a[i] += 4;
        if (copied) b += 4 * b_step;
        if (copies) copy += 4 * 8 * vectors;
    }
    for (; p > 0; p--, b += b_step) {
        step(a, 0, a_row, b, copies ? copy : NULL, rows, vectors, acc);
        if (copies) copy += 8 * vectors;
        EACH(i, (rows + 2) / 3) a[i]++;
    }
}

/* The same where A's columns are contiguous: one address serves all rows. */
ALWAYS void walk_steps(const float *a, int64_t a_step, const float *b, int64_t b_step, float *copy,
                       int64_t depth, const int rows, const int vectors, const reading how,
                       __m256 acc[12][2]) {
    const bool copied = how == COPIED, copies = how == COPIES;
    int64_t p = depth;
    for (; p >= 4; p -= 4) {
        EACH(k, 4) {
            const float *here = copied ? a + k * rows : a;
            step((const float *[]){here, here + 3, here + 6, here + 9}, 0, 1, copied ? b + k * b_step : b,
                 copies ? copy + 8 * k * vectors : NULL, rows, vectors, acc);
            if (copied) continue;
            b += b_step;
            a += a_step;
            __asm__("" : "+r"(a), "+r"(b));
        }
        if (copied) a += 4 * rows, b += 4 * b_step;
        if (copies) copy += 4 * 8 * vectors;
    }
    for (; p > 0; p--, a += a_step, b += b_step) {
        step((const float *[]){a, a + 3, a + 6, a + 9}, 0, 1, b, copies ? copy : NULL, rows, vectors, acc);
        if (copies) copy += 8 * vectors;
        __asm__("" : "+r"(a), "+r"(b));
    }
}

/* One tile. rows, vectors, by_steps, how and plain are constants in every caller, so acc lives in registers.
 * `plain`: from zero, whole vectors, and nothing to be done at the end. */
ALWAYS void tile(const rti_tile_job *t, const float *a, const float *b, float *c, const int rows,
                 const int vectors, const bool by_steps, const reading how, const bool plain) {
    __m256 acc[12][2];
    const int last = plain ? 8 : t->columns - 8 * (vectors - 1);
    int64_t ldc = t->ldc;
    if (plain || t->from_zero) {
        EACH(i, rows) EACH(v, vectors) acc[i][v] = _mm256_setzero_ps();
    } else {
        EACH(i, rows) EACH(v, vectors)
            acc[i][v] = load_first(c + i * ldc + 8 * v, lanes_of(v, vectors, last));
        __asm__("" : "+r"(ldc)); /* the addresses of rows of C are not kept through the loop */
    }

    const int64_t b_step = how == COPIED ? 8 * vectors : t->b_step, a_step = how == COPIED ? rows : t->a_step;
    const uintptr_t below = (uintptr_t)(c + (rows - 1) * ldc); /* C of the next tile, if there is one */
    EACH(i, rows)
        __builtin_prefetch((const void *)(below + (uintptr_t)((i + 1) * ldc) * sizeof *c), 1, 3);
    if (by_steps) walk_steps(a, a_step, b, b_step, t->copy, t->depth, rows, vectors, how, acc);
    else walk_rows(a, t->a_row, b, b_step, t->copy, t->depth, rows, vectors, how, acc);

    __asm__("" : "+r"(ldc));
    if (!plain && t->bias) {
        const float *from = t->bias + (b - t->b);
        EACH(v, vectors) {
            const __m256 bias = load_first(from + 8 * v, lanes_of(v, vectors, last));
            EACH(i, rows) acc[i][v] = _mm256_add_ps(acc[i][v], bias);
        }
    }
    if (!plain && t->relu) { /* max(0, x) gives its second operand when one is NaN */
        EACH(i, rows) EACH(v, vectors)
            acc[i][v] = _mm256_max_ps(_mm256_setzero_ps(), acc[i][v]);
    }
    EACH(i, rows) EACH(v, vectors)
        store_first(c + i * ldc + 8 * v, acc[i][v], lanes_of(v, vectors, last));
}

#define ONE(name, r, v, by_steps, how, plain)                                                               \
    static __attribute__((noinline)) void name(const rti_tile_job *t, const float *a, const float *b,       \
                                               float *c) {                                                  \
        tile(t, a, b, c, r, v, by_steps, how, plain);                                                       \
    }
#define VARIANT(name, r, v, by_steps)                                                                       \
    ONE(name##_copied_##r##x##v, r, v, by_steps, COPIED, false)                                             \
    ONE(name##_placed_##r##x##v, r, v, by_steps, PLACED, false)                                             \
    ONE(name##_copies_##r##x##v, r, v, by_steps, COPIES, false)                                             \
    ONE(name##_plain_copied_##r##x##v, r, v, by_steps, COPIED, true)                                        \
    ONE(name##_plain_placed_##r##x##v, r, v, by_steps, PLACED, true)                                        \
    static void name##_##r##x##v(const rti_tile_job *t) {                                                   \
        const bool copied = t->b_step == 8 * v && (!by_steps || t->a_step == r);                            \
        const bool plain = v == 2 && t->from_zero && t->columns == 8 * v && !t->bias && !t->relu;           \
        rti_each_tile(t, r, 8 * v, t->copy           ? name##_copies_##r##x##v                              \
                                   : copied && plain ? name##_plain_copied_##r##x##v                        \
                                   : copied          ? name##_copied_##r##x##v                              \
                                   : plain           ? name##_plain_placed_##r##x##v                        \
                                                     : name##_placed_##r##x##v);                            \
    }
#define TILE(r, v) VARIANT(rows, r, v, false) VARIANT(steps, r, v, true)

#define HEIGHTS_6(X, v) X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v)
#define HEIGHTS_12(X, v) HEIGHTS_6(X, v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v) X(12, v)

HEIGHTS_12(TILE, 1)
HEIGHTS_6(TILE, 2)

/* `vectors` of one row, from column j on, in registers, so that long runs of B's rows are read; `last` of the
 * last vector's columns are there. */
ALWAYS void row_part(const rti_row_job *t, const int vectors, int64_t j, const int last) {
    __m256 acc[12];
    const float *b = t->b + j;
    float *c = t->c + j;
    EACH(v, vectors)
        acc[v] = t->from_zero ? _mm256_setzero_ps() : load_first(c + 8 * v, lanes_of(v, vectors, last));
    for (int p = 0; p < t->count; p++) {
        const __m256 factor = _mm256_set1_ps(t->entry[p].value);
        const float *from = b + t->entry[p].place * t->b_step;
        EACH(v, vectors) {
            const __m256 x = load_first(from + 8 * v, lanes_of(v, vectors, last));
            acc[v] = _mm256_fmadd_ps(factor, x, acc[v]);
        }
    }
    EACH(v, vectors) {
        const int count = lanes_of(v, vectors, last);
        if (t->bias) acc[v] = _mm256_add_ps(acc[v], load_first(t->bias + j + 8 * v, count));
        if (t->relu) acc[v] = _mm256_max_ps(_mm256_setzero_ps(), acc[v]);
        store_first(c + 8 * v, acc[v], count);
    }
}

#define ROW_PART(v)                                    \
    case v:                                            \
        if (last == 8) row_part(t, v, 8 * first, 8);   \
        else row_part(t, v, 8 * first, last);          \
        break;

/* Few passes, because each waits for its own chain of sums. */
static void row(const rti_row_job *t) {
    const int64_t vectors = (t->columns + 7) / 8;
    for (int64_t first = 0, next; first < vectors; first = next) {
        const int64_t left = vectors - first;
        next = first + (left >= 12 ? 12 : left > 6 ? 6 : left);
        const int last = next < vectors ? 8 : (int)(t->columns - 8 * (vectors - 1));
        switch (next - first) {
            ROW_PART(12) ROW_PART(6) ROW_PART(5) ROW_PART(4) ROW_PART(3) ROW_PART(2) ROW_PART(1)
        }
    }
}

typedef __m256 vector;
enum { LANES = 8 };
ALWAYS vector none(void) { return _mm256_setzero_ps(); }
ALWAYS vector all(float x) { return _mm256_set1_ps(x); }
ALWAYS vector load(const float *from) { return _mm256_loadu_ps(from); }
ALWAYS vector multiply_add(vector a, vector b, vector c) { /* gcc would load b for each row anew */
    __asm__("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));
    return c;
}
ALWAYS vector multiply_add_at(vector a, const float *b, vector c) { return _mm256_fmadd_ps(a, load(b), c); }
ALWAYS vector add(vector a, vector b) { return _mm256_add_ps(a, b); }
ALWAYS vector larger(vector a, vector b) { return _mm256_max_ps(a, b); } /* b, when one is NaN */
ALWAYS vector either(vector a, vector b) { return _mm256_or_ps(a, b); }
ALWAYS unsigned nonzero(vector x) {
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(x, none(), _CMP_NEQ_UQ));
}
#include "kernels/gemm_rows.h"

#define BY_ROWS(rows, vectors) rows_##rows##x##vectors,
#define BY_STEPS(rows, vectors) steps_##rows##x##vectors,
typedef rti_tile *const table[2][RTI_TILE_ROWS_MOST];
static table a_by_rows = {{HEIGHTS_12(BY_ROWS, 1)}, {HEIGHTS_6(BY_ROWS, 2)}};
static table a_by_steps = {{HEIGHTS_12(BY_STEPS, 1)}, {HEIGHTS_6(BY_STEPS, 2)}};

/* Row i of r becomes column i: pairs, fours, then halves of registers change places. */
ALWAYS void transpose8(__m256 r[8]) {
    __m256 t[8];
    UNROLL for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    EACH(i, 4) t[i] = r[i];
    EACH(i, 4) {
        const __m256 low = t[i], high = r[i + 4];
        r[i] = _mm256_permute2f128_ps(low, high, 0x20);
        r[i + 4] = _mm256_permute2f128_ps(low, high, 0x31);
    }
}

static void transpose(int64_t depth, int columns, int width, const float *from, int64_t stride, float *out,
                      int64_t out_stride) {
    enum { LINE = 16, AHEAD = 96 };
    const bool is_long = depth > 64; /* the runs that are read are long enough to fetch ahead */
    for (int j = 0; j < width; j += 8) {
        const int here = columns - j < 8 ? columns - j : 8;
        const float *column = from + j * stride;
        for (int64_t p = 0; p < depth; p += 8) {
            const int deep = depth - p < 8 ? (int)(depth - p) : 8;
            __m256 r[8];
            if (is_long && p % LINE == 0)
                for (int i = 0; i < here; i++) __builtin_prefetch(column + i * stride + p + AHEAD);
            if (here == 8 && deep == 8) {
                EACH(i, 8) r[i] = _mm256_loadu_ps(column + i * stride + p);
                transpose8(r);
                EACH(i, 8) _mm256_storeu_ps(out + (p + i) * out_stride + j, r[i]);
            } else {
                const __m256i mask = first_lanes(deep);
                for (int i = 0; i < 8; i++)
                    r[i] = i < here ? _mm256_maskload_ps(column + i * stride + p, mask) : _mm256_setzero_ps();
                transpose8(r);
                for (int i = 0; i < deep; i++) _mm256_storeu_ps(out + (p + i) * out_stride + j, r[i]);
            }
        }
    }
}

static void copy(int64_t depth, int columns, int width, const float *from, int64_t stride, float *out) {
    for (int64_t p = 0; p < depth; p++, from += stride, out += width) {
        for (int j = 0; j < columns; j += 16) __builtin_prefetch(from + RTI_ROWS_AHEAD * stride + j);
        for (int j = 0; j < width; j += 8)
            _mm256_storeu_ps(out + j, j < columns ? load_first(from + j, columns - j) : _mm256_setzero_ps());
    }
}

static const rti_tiles tiles = {
    .lanes = 8,
    .masked_loads = false,
    .rows = {12, 6},
    .depth = 272,
    .near = RTI_PACKED_BYTES,
    .panels_at_once = 16,
    .copies_b = true,
    .packs_a = true,
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

void rti_gemm_6x16_avx2(int64_t M, int64_t N, int64_t K, rti_matrix A, rti_matrix B, rt_real *C, int64_t ldc,
                        bool accumulate, const rti_epilogue *epilogue) {
    rti_gemm_tiled(&tiles, M, N, K, A, B, C, ldc, accumulate, epilogue);
}

#endif
