/* gemm_list_rows.h - rows of a product of what is listed.              Floor 2 (kernels)
 *
 * Included after `vector`, LANES, none(), load_first(p, count), store_first(p, x, count), add(a, b),
 * larger(a, b), and list_step(t, e, vectors, sum), which adds what entry e says to a row's sums.
 *
 * Some rows of C at once, with eight sums in registers: those of one row would wait for each other. */

enum { SUMS = 8, LIST_WIDTH = LANES * RTI_LIST_VECTORS };

/* How many lanes of vector v are in C; all of them when the row is whole. */
ALWAYS int count_of(const rti_sparse_job *t, int v, const bool whole) {
    return whole ? LANES : t->columns - LANES * v;
}

ALWAYS void begin_sums(const rti_sparse_job *t, const float *c, const int vectors, const bool whole,
                       vector sum[SUMS]) {
    EACH(v, vectors) {
        const int count = count_of(t, v, whole);
        sum[v] = t->from_zero || count <= 0 ? none() : load_first(c + LANES * v, count);
    }
}

ALWAYS void end_sums(const rti_sparse_job *t, float *c, const int vectors, const bool whole,
                     vector sum[SUMS]) {
    EACH(v, vectors) {
        const int count = count_of(t, v, whole);
        if (count <= 0) continue;
        if (t->bias) sum[v] = add(sum[v], load_first(t->bias + LANES * v, count));
        if (t->relu) sum[v] = larger(none(), sum[v]);
        store_first(c + LANES * v, sum[v], count);
    }
}

/* Rows i ... by their lists. Of a row of B only so many vectors are needed. */
ALWAYS void rows_by_lists(const rti_sparse_job *t, int64_t i, const int rows, const int vectors,
                          const bool whole) {
    vector sum[2][SUMS];
    const rti_entry *at[2], *end[2];
    float *c[2];
    int64_t common = rti_list_ends(t, i, rows, at, end);
    rti_fetch_ahead(&t->ahead, i);
    EACH(r, rows) {
        c[r] = t->c + (i + r) * t->ldc;
        begin_sums(t, c[r], vectors, whole, sum[r]);
    }
    for (; common > 0; common--) EACH(r, rows) list_step(t, at[r]++, vectors, sum[r]);
    EACH(r, rows) {
        for (; at[r] < end[r]; at[r]++) list_step(t, at[r], vectors, sum[r]);
        end_sums(t, c[r], vectors, whole, sum[r]);
    }
}

ALWAYS void all_by_lists(const rti_sparse_job *t, const int vectors, const bool whole) {
    int64_t i = 0;
    for (; i + 2 <= t->rows; i += 2) rows_by_lists(t, i, 2, vectors, whole);
    if (i < t->rows) rows_by_lists(t, i, 1, vectors, whole);
}

static void list_rows(const rti_sparse_job *t) {
    if (t->columns == LIST_WIDTH) all_by_lists(t, RTI_LIST_VECTORS, true);
    else if (t->columns <= LANES) all_by_lists(t, 1, false);
    else if (t->columns <= 2 * LANES) all_by_lists(t, 2, false);
    else if (t->columns <= 3 * LANES) all_by_lists(t, 3, false);
    else all_by_lists(t, RTI_LIST_VECTORS, false);
}
