/* gemm_bits.h - rows of a product by a map of what is not 0.           Floor 2 (kernels)
 *
 * Included by the tiles of each instruction set, which say what a vector is: `vector`, LANES, none(), all(x),
 * load(p), load_first(p, count), store_first(p, x, count), multiply_add(a, b, c), add(a, b), larger(a, b).
 *
 * Some rows of C at once, with eight sums in registers; the next p is the lowest bit that is left in any of
 * their words. To find it takes less time than the multiplications that hide it. Not kept (Zen 3): three rows
 * and twelve sums, 0.97 of two; what was tried around it is in the head of gemm_sparse.c. */

/* How A's elements stand: rows of floats, or of bytes; or its columns in the place of rows. */
typedef enum of_a { FLOATS, FLOAT_STEPS, BYTES, BYTE_STEPS } of_a;

/* Of rows i ... of C, with `vectors` of sums each. */
ALWAYS void rows_by_bits(const rti_sparse_job *t, int64_t i, const int rows, const int vectors,
                         const of_a kind) {
    const bool by_steps = kind == FLOAT_STEPS || kind == BYTE_STEPS,
               of_bytes = kind == BYTES || kind == BYTE_STEPS;
    const size_t row = by_steps ? 1 : (size_t)t->a_row, step = by_steps ? (size_t)t->a_step : 1;
    vector acc[8][8];
    EACH(r, rows) EACH(v, vectors) {
        const float *c = t->c + (i + r) * t->ldc + LANES * v;
        const int count = t->columns - LANES * v;
        acc[r][v] = t->from_zero || count <= 0 ? none() : load_first(c, count);
    }
    const uint64_t *map = t->map + i * t->map_stride;
    const float *b = t->b;
    size_t a = (size_t)i * row;
    for (int64_t w = 0; w < t->words; w++, a += 64 * step, b += 64 * LANES * vectors) {
        uint64_t left = 0;
        EACH(r, rows) left |= map[r * t->map_stride + w];
        for (; left; left &= left - 1) {
            const size_t p = _tzcnt_u64(left);
            const float *at = b + (size_t)(LANES * vectors) * p;
            __asm__("" : "+r"(at)); /* or gcc works it out anew for each vector */
            vector factor[8];
            EACH(r, rows) {
                const size_t e = a + p * step + (size_t)r * row;
                factor[r] = all(of_bytes ? t->value[t->bytes[e]] : t->a[e]);
            }
            EACH(v, vectors) {
                const vector some = load(at + LANES * v);
                EACH(r, rows) acc[r][v] = multiply_add(factor[r], some, acc[r][v]);
            }
        }
    }
    EACH(v, vectors) {
        const int count = t->columns - LANES * v;
        if (count <= 0) continue;
        EACH(r, rows) {
            if (t->bias) acc[r][v] = add(acc[r][v], load_first(t->bias + LANES * v, count));
            if (t->relu) acc[r][v] = larger(none(), acc[r][v]);
            store_first(t->c + (i + r) * t->ldc + LANES * v, acc[r][v], count);
        }
    }
}

ALWAYS void all_by_bits(const rti_sparse_job *t, const int vectors, const of_a kind) {
    const int most = 8 / vectors;
    int64_t i = 0;
    for (; i + most <= t->rows; i += most) rows_by_bits(t, i, most, vectors, kind);
    if (most > 4 && i + 4 <= t->rows) rows_by_bits(t, i, 4, vectors, kind), i += 4;
    if (most > 2 && i + 2 <= t->rows) rows_by_bits(t, i, 2, vectors, kind), i += 2;
    if (i < t->rows) rows_by_bits(t, i, 1, vectors, kind);
}

ALWAYS void bits_of_width(const rti_sparse_job *t, const int vectors) {
    const bool by_steps = t->a_row == 1;
    if (t->bytes && by_steps) all_by_bits(t, vectors, BYTE_STEPS);
    else if (t->bytes) all_by_bits(t, vectors, BYTES);
    else if (by_steps) all_by_bits(t, vectors, FLOAT_STEPS);
    else all_by_bits(t, vectors, FLOATS);
}

static void bit_rows(const rti_sparse_job *t) { bits_of_width(t, RTI_BITS_WIDTH / LANES); }
static void bit_rows_narrow(const rti_sparse_job *t) { bits_of_width(t, RTI_BITS_NARROW / LANES); }
