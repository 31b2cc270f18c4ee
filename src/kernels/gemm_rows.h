/* gemm_rows.h - rows of a product of what is not 0, by lists or a map. Floor 2 (kernels)
 *
 * Included by the tiles of each instruction set, which say what a vector is: `vector`, LANES, none(), all(x),
 * load(p), load_first(p, count), store_first(p, x, count), multiply_add(a, b, c), multiply_add_at(a, p, c),
 * add(a, b), larger(a, b), either(a, b) bit by bit, nonzero(x) as bits. */

/* ---- by lists ---- */

ALWAYS void list_step(const rti_sparse_job *t, const rti_entry *e, const int vectors, vector sum[]) {
    const vector factor = all(e->value);
    const float *b = t->b + (size_t)e->place * (LANES * RTI_LIST_VECTORS);
    EACH(v, vectors) sum[v] = multiply_add_at(factor, b + LANES * v, sum[v]);
}
#include "kernels/gemm_list_rows.h"

/* ---- by a map ----
 *
 * The next p is the lowest bit that is left in any of the rows' words. To find it takes less time than the
 * multiplications that hide it. Not kept: three rows and twelve sums, 0.97 of two (Zen 3, bits.csv); what was
 * tried around it is in the head of gemm_sparse.c. */

/* Rows without a map are fetched so many ahead of the one that is multiplied (tests/bench/passing.csv). */
enum { ROWS_AHEAD = 4 };

/* How A's elements stand: rows of floats, or of bytes; or its columns in the place of rows. UNSEEN: rows of
 * floats without a map. */
typedef enum of_a { FLOATS, FLOAT_STEPS, BYTES, BYTE_STEPS, UNSEEN } of_a;

/* Of 64 floats of some rows, or the first `count`: which are not 0 in any of the rows. */
ALWAYS uint64_t look_at_floats(const float *a, size_t row, const int rows, int count, const bool whole) {
    uint64_t map = 0;
    EACH(n, 64 / LANES) {
        const int here = whole ? LANES : count - LANES * n;
        if (here <= 0) break;
        vector some = load_first(a + LANES * n, here);
        for (int r = 1; r < rows; r++) some = either(some, load_first(a + (size_t)r * row + LANES * n, here));
        map |= (uint64_t)nonzero(some) << LANES * n;
    }
    return map;
}

/* Of rows i ... of C, with `vectors` of sums each. */
ALWAYS void rows_by_bits(const rti_sparse_job *t, int64_t i, const int rows, const int vectors,
                         const of_a kind) {
    const bool by_steps = kind == FLOAT_STEPS || kind == BYTE_STEPS,
               of_bytes = kind == BYTES || kind == BYTE_STEPS;
    const size_t row = by_steps ? 1 : (size_t)t->a_row, step = by_steps ? (size_t)t->a_step : 1;
    vector sum[SUMS][SUMS];
    EACH(r, rows) begin_sums(t, t->c + (i + r) * t->ldc, vectors, false, sum[r]);
    const float *b = t->b;
    size_t a = (size_t)i * row;
    for (int64_t w = 0; 64 * w < t->depth; w++, a += 64 * step, b += 64 * LANES * vectors) {
        uint64_t left = 0;
        if (kind == UNSEEN) {
            const int64_t count = t->depth - 64 * w;
            left = count >= 64 ? look_at_floats(t->a + a, row, rows, 64, true)
                               : look_at_floats(t->a + a, row, rows, (int)count, false);
            const float *later = t->a + a + ROWS_AHEAD * row;
            EACH(r, rows) EACH(line, 4) __builtin_prefetch(later + (size_t)r * row + 16 * line);
        } else {
            EACH(r, rows) left |= t->map[(i + r) * t->map_stride + w];
        }
        for (; left; left &= left - 1) {
            const size_t p = _tzcnt_u64(left);
            const float *at = b + (size_t)(LANES * vectors) * p;
            __asm__("" : "+r"(at)); /* or gcc works it out anew for each vector */
            vector factor[SUMS];
            EACH(r, rows) {
                const size_t e = a + p * step + (size_t)r * row;
                factor[r] = all(of_bytes ? t->value[t->bytes[e]] : t->a[e]);
            }
            EACH(v, vectors) {
                const vector some = load(at + LANES * v);
                EACH(r, rows) sum[r][v] = multiply_add(factor[r], some, sum[r][v]);
            }
        }
    }
    EACH(r, rows) end_sums(t, t->c + (i + r) * t->ldc, vectors, false, sum[r]);
}

ALWAYS void all_by_bits(const rti_sparse_job *t, const int vectors, const of_a kind) {
    const int most = SUMS / vectors;
    int64_t i = 0;
    for (; i + most <= t->rows; i += most) rows_by_bits(t, i, most, vectors, kind);
    if (most > 4 && i + 4 <= t->rows) rows_by_bits(t, i, 4, vectors, kind), i += 4;
    if (most > 2 && i + 2 <= t->rows) rows_by_bits(t, i, 2, vectors, kind), i += 2;
    if (i < t->rows) rows_by_bits(t, i, 1, vectors, kind);
}

ALWAYS void bits_of_width(const rti_sparse_job *t, const int vectors) {
    const bool by_steps = t->a_row == 1;
    if (!t->map) all_by_bits(t, vectors, UNSEEN);
    else if (t->bytes && by_steps) all_by_bits(t, vectors, BYTE_STEPS);
    else if (t->bytes) all_by_bits(t, vectors, BYTES);
    else if (by_steps) all_by_bits(t, vectors, FLOAT_STEPS);
    else all_by_bits(t, vectors, FLOATS);
}

static void bit_rows(const rti_sparse_job *t) { bits_of_width(t, RTI_BITS_WIDTH / LANES); }
static void bit_rows_narrow(const rti_sparse_job *t) { bits_of_width(t, RTI_BITS_NARROW / LANES); }
