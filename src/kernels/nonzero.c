/* nonzero.c - what of a matrix is not 0: a map, and lists made from it. Floor 2 (kernels)
 *
 * A map has a bit for each number, 64 to a word; that of the columns is made from it, 64 rows by 64 columns
 * at a time. The lists of rows are written from left to right, eight numbers or bytes at a time. The lists of
 * columns are dealt out from those of the rows, one row after the other, so their places ascend, too. All lie
 * without gaps: one thread writes the lists of rows one behind the other; for several the map says, as it
 * does for columns, where theirs begin. */
#include <string.h>

#include "core/pool.h"
#include "kernels/dispatch.h"

enum {
    ROWS = 8,        /* of a task */
    SLACK = 16,      /* entries that nonzero_list writes beyond a list */
    ALONE = 1 << 15, /* elements that one thread lists by itself */
    NARROW = 32,     /* columns of a product; up to here a map is faster than making lists is, */
    SEVERAL = 3,     /* unless for so many products */
    FOR_TURNING = 5, /* percent that products of columns, which are turned in the end, need more zeros */
    FEW = 16,        /* rows, for which to pack the other operand takes longer than is saved */
};

bool rti_lists_serve(int64_t extent) { return 2 * extent > rti_kernels()->list_width; }
bool rti_lists_pay(int64_t extent, int products) {
    return extent > NARROW || (products >= SEVERAL && rti_lists_serve(extent));
}
bool rti_map_pays(const rti_nonzero *z) {
    return z->rows >= FEW && 10 * z->count <= 3 * z->rows * z->columns;
}
bool rti_columns_pay(const rti_nonzero *z) {
    return 100 * z->count <= (rti_kernels()->list_percent - FOR_TURNING) * z->rows * z->columns;
}
bool rti_lists_serve_bf16(void) { return rti_kernels_bf16(rti_kernels()) != rti_gemm_bf16_portable; }
bool rti_lists_pay_bf16(const rti_nonzero *z) {
    return 100 * z->count <= RTI_BF16_LIST_PERCENT * z->rows * z->columns;
}

/* ---- memory ---- */

static int64_t words_of(int64_t columns) { return (columns + 63) / 64; }

/* That many, or fewer, may be listed. */
static int64_t entries_of(int64_t rows, int64_t columns) {
    return rti_kernels()->list_percent * rows * columns / 100 + SLACK;
}

static size_t whole_entries(size_t bytes) {
    return (bytes + sizeof(rti_entry) - 1) / sizeof(rti_entry) * sizeof(rti_entry);
}

static size_t lists_bytes(int64_t rows, int64_t columns, int64_t lists) {
    return (size_t)entries_of(rows, columns) * sizeof(rti_entry) +
           whole_entries((size_t)(lists + 1) * sizeof(uint32_t));
}

size_t rti_nonzero_by_row_bytes(const rti_nonzero *z) {
    return lists_bytes(z->rows, z->columns, z->rows * rti_list_blocks(z->columns, rti_kernels()->list_width));
}

size_t rti_nonzero_by_column_bytes(const rti_nonzero *z) {
    return lists_bytes(z->rows, z->columns, z->columns);
}

static size_t map_bytes(int64_t rows, int64_t columns) {
    return (size_t)(rows * words_of(columns)) * sizeof(uint64_t);
}

size_t rti_nonzero_bytes(int64_t rows, int64_t columns) {
    if (rti_kernels()->list_width == 0) return 0;
    return map_bytes(rows, columns) + map_bytes(64 * words_of(columns), rows); /* and of the columns */
}

/* ---- the map ---- */

static uint64_t *note_begin(rti_nonzero *z, int64_t rows, int64_t columns, void *memory) {
    uint64_t *map = memory;
    *z = (rti_nonzero){.rows = rows, .columns = columns, .map = map, .map_stride = words_of(columns)};
    z->turned_room = map + rows * z->map_stride;
    return map;
}

static void note_end(rti_nonzero *z) {
    const int64_t all = z->rows * z->columns;
    z->is_sparse = 100 * z->count <= rti_kernels()->list_percent * all && z->count <= UINT32_MAX;
}

void rti_nonzero_note(rti_nonzero *z, int64_t rows, int64_t columns, const rt_real *x, int64_t stride,
                      void *memory) {
    uint64_t *map = note_begin(z, rows, columns, memory);
    for (int64_t i = 0; i < rows; i++)
        z->count += rti_kernels()->loops->nonzero_bits(columns, x + i * stride, map + i * z->map_stride);
    note_end(z);
}

void rti_nonzero_sample(rti_nonzero *z, int64_t rows, int64_t columns, const rt_real *x, int64_t stride) {
    enum { SAMPLED = FEW, PART = 1024 };
    *z = (rti_nonzero){.rows = rows, .columns = columns, .count = rows * columns};
    if (rows < FEW) return;
    z->count = 0;
    for (int64_t n = 0; n < SAMPLED; n++)
        for (int64_t j = 0; j < columns; j += PART) {
            uint64_t bits[PART / 64];
            z->count += rti_kernels()->loops->nonzero_bits(columns - j < PART ? columns - j : PART,
                                                           x + n * rows / SAMPLED * stride + j, bits);
        }
    z->count = z->count * rows / SAMPLED;
}

void rti_nonzero_note_bytes(rti_nonzero *z, int64_t rows, int64_t columns, const rti_byte_rows *of,
                            void *memory) {
    uint64_t *map = note_begin(z, rows, columns, memory);
    z->of = of;
    for (int64_t i = 0; i < rows; i++)
        z->count +=
            rti_kernels()->loops->nonzero_bytes(columns, of->bytes + i * columns, map + i * z->map_stride);
    note_end(z);
}

void rti_nonzero_turn(rti_nonzero *z) {
    if (z->turned) return;
    z->turned_stride = words_of(z->rows);
    for (int64_t i = 0; i < z->turned_stride; i++)
        for (int64_t w = 0; w < z->map_stride; w++) {
            const int64_t rows = z->rows - 64 * i < 64 ? z->rows - 64 * i : 64;
            uint64_t square[64] = {0};
            for (int64_t r = 0; r < rows; r++) square[r] = z->map[(64 * i + r) * z->map_stride + w];
            rti_kernels()->loops->turn_bits(square);
            for (int64_t j = 0; j < 64; j++) z->turned_room[(64 * w + j) * z->turned_stride + i] = square[j];
        }
    z->turned = z->turned_room;
}

/* ---- lists ---- */

/* Some lists, to be filled. */
typedef struct filling {
    const rti_nonzero *z;
    rti_entry *entry;
    uint32_t *start;
    const rt_real *x; /* for lists of rows */
    int64_t stride;
} filling;

static filling filling_in(const rti_nonzero *z, void *room) {
    filling f = {.z = z, .entry = room};
    f.start = (uint32_t *)(void *)(f.entry + entries_of(z->rows, z->columns));
    return f;
}

/* Too little for threads, or there is one. */
static bool is_alone(const rti_nonzero *z) {
    return z->rows * z->columns < ALONE || rt_threads_get() == 1;
}

static void run(const filling *f, int64_t tasks, void (*task)(void *, int64_t)) {
    if (!is_alone(f->z)) rti_parallel(tasks, task, (void *)f);
    else
        for (int64_t i = 0; i < tasks; i++) task((void *)f, i);
}

/* ---- of rows ---- */

/* The bits j ... of a row of the map, up to the end of their word or to `end`; *next is behind them. */
static inline uint64_t bits_at(const uint64_t *map, int64_t j, int64_t end, int64_t *next) {
    const int64_t word_end = (j / 64 + 1) * 64;
    *next = word_end < end ? word_end : end;
    const int beyond = (int)(64 - (*next - j));
    return map[j / 64] >> j % 64 << beyond >> beyond;
}

/* Of columns j ... of row i; room for SLACK entries more. Returns how many are listed. */
static int list_row(const filling *f, int64_t i, int64_t j, int64_t columns, rti_entry *to) {
    const rti_byte_rows *of = f->z->of;
    const rti_loops *loops = rti_kernels()->loops;
    if (!of) return loops->nonzero_list(columns, f->x + i * f->stride + j, to);
    return loops->nonzero_list_bytes(columns, of->bytes + i * f->z->columns + j, of->value, to);
}

/* How many columns block d has from its first one, *j, on. */
static int64_t block_at(const rti_nonzero *z, int64_t d, int64_t *j) {
    *j = d * z->depth;
    return z->columns - *j < z->depth ? z->columns - *j : z->depth;
}

/* One list after the other, so that none need be counted before. */
static void list_in_order(const filling *f) {
    const rti_nonzero *z = f->z;
    uint32_t *start = f->start, at = 0;
    for (int64_t d = 0, j; d < z->blocks; d++) {
        const int64_t columns = block_at(z, d, &j);
        for (int64_t i = 0; i < z->rows; i++) {
            *start++ = at;
            at += (uint32_t)list_row(f, i, j, columns, f->entry + at);
        }
    }
    *start = at;
}

static void list_rows(void *context, int64_t task) {
    const filling *f = context;
    const rti_nonzero *z = f->z;
    const int64_t first = ROWS * task, end = z->rows - first < ROWS ? z->rows : first + ROWS;
    for (int64_t d = 0; d < z->blocks; d++) {
        int64_t j;
        const int64_t columns = block_at(z, d, &j);
        const uint32_t *start = f->start + d * z->rows, others = start[end]; /* of the next task */
        for (int64_t i = first; i < end; i++) {
            rti_entry *to = f->entry + start[i], rest[RTI_LIST_DEPTH + SLACK];
            if (start[i + 1] + SLACK <= others) {
                list_row(f, i, j, columns, to);
            } else { /* would write over what another task has written */
                const int count = list_row(f, i, j, columns, rest);
                memcpy(to, rest, (size_t)count * sizeof *to);
            }
        }
    }
}

/* How many bits are 1: without an instruction for it, which not every processor has. */
static inline uint32_t ones(uint64_t word) {
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(word * UINT64_C(0x0101010101010101) >> 56);
}

/* Of bits j ... end - 1. */
static uint32_t ones_between(const uint64_t *map, int64_t j, int64_t end) {
    uint32_t count = 0;
    for (int64_t next; j < end; j = next) count += ones(bits_at(map, j, end, &next));
    return count;
}

static void count_rows(const filling *f) {
    const rti_nonzero *z = f->z;
    uint32_t *start = f->start, at = 0;
    for (int64_t j = 0; j < z->columns; j += z->depth)
        for (int64_t i = 0; i < z->rows; i++) {
            *start++ = at;
            at += ones_between(z->map + i * z->map_stride, j,
                               z->columns - j < z->depth ? z->columns : j + z->depth);
        }
    *start = at;
}

void rti_nonzero_by_row(rti_nonzero *z, const rt_real *x, int64_t stride, void *memory) {
    RT_ASSERT(z->is_sparse, "no room for these lists");
    z->depth = rti_list_block_depth(z->columns, rti_kernels()->list_width);
    z->blocks = (z->columns + z->depth - 1) / z->depth;
    filling f = filling_in(z, memory);
    f.x = x;
    f.stride = stride;
    if (is_alone(z)) {
        list_in_order(&f);
    } else {
        count_rows(&f);
        run(&f, (z->rows + ROWS - 1) / ROWS, list_rows);
    }
    z->by_row = (rti_lists){f.start, f.entry};
}

/* ---- of columns ---- */

/* start[j + 1] is where column j's list begins, for now. */
static void count_columns(const filling *f) {
    const rti_nonzero *z = f->z;
    const uint64_t *column = z->turned;
    f->start[0] = 0;
    for (int64_t j = 0, at = 0; j < z->columns; j++, column += z->turned_stride) {
        f->start[j + 1] = (uint32_t)at;
        at += ones_between(column, 0, z->rows);
    }
}

/* The columns of one block. When all are dealt out, start[j + 1] is where column j's list ends. */
static void deal_out(void *context, int64_t block) {
    const filling *f = context;
    const rti_nonzero *z = f->z;
    uint32_t *next = f->start + 1 + block * z->depth;
    for (int64_t i = 0; i < z->rows; i++) {
        const uint32_t *list = z->by_row.start + block * z->rows + i;
        const rti_entry *from = z->by_row.entry + list[0], *const end = z->by_row.entry + list[1];
        for (; from < end; from++) f->entry[next[from->place]++] = (rti_entry){(uint32_t)i, from->value};
    }
}

void rti_nonzero_by_column(rti_nonzero *z, void *memory) {
    RT_ASSERT(z->by_row.start && z->rows <= UINT16_MAX, "lists of columns are made from those of rows");
    rti_nonzero_turn(z);
    filling f = filling_in(z, memory);
    count_columns(&f);
    run(&f, z->blocks, deal_out);
    z->by_column = (rti_lists){f.start, f.entry};
}
