/* nonzero.c - what of a matrix is not 0: a map, and lists made from it. Floor 2 (kernels)
 *
 * The lists of rows are written from left to right, eight numbers at a time. The lists of columns are dealt
 * out from those of the rows, one row after the other, so their places ascend, too. How long each list will
 * be is counted in the map beforehand; so they lie without gaps, and threads know where theirs begin. */
#include <string.h>

#include "core/pool.h"
#include "kernels/dispatch.h"
#include "kernels/gemm_zeros.h"

enum {
    ROWS = 8,        /* of a task */
    SLACK = 16,      /* entries that nonzero_list writes beyond a list */
    ALONE = 1 << 15, /* elements that one thread lists by itself */
    NARROW = 32,     /* columns of a product; up to here tiles are faster than making lists is */
};

bool rti_lists_serve(int64_t extent) { return 2 * extent > rti_kernels()->list_width; }
bool rti_lists_pay(int64_t extent) { return extent > NARROW; }

/* ---- memory ---- */

static int64_t words_of(int64_t columns) { return (columns + RTI_MAP_BITS - 1) / RTI_MAP_BITS; }

static int64_t blocks_of(int64_t columns) {
    const int64_t most = RTI_LIST_PANEL / rti_kernels()->list_width;
    return (columns + most - 1) / most;
}

/* Two fifths of all, or less, may be listed. */
static int64_t entries_of(int64_t rows, int64_t columns) { return 2 * rows * columns / 5 + SLACK; }

static size_t whole_entries(size_t bytes) {
    return (bytes + sizeof(rti_entry) - 1) / sizeof(rti_entry) * sizeof(rti_entry);
}

static size_t lists_bytes(int64_t rows, int64_t columns, int64_t lists) {
    return (size_t)entries_of(rows, columns) * sizeof(rti_entry) +
           whole_entries((size_t)(lists + 1) * sizeof(uint32_t));
}

static size_t by_row_bytes(int64_t rows, int64_t columns) {
    return lists_bytes(rows, columns, rows * blocks_of(columns));
}

static size_t map_bytes(int64_t rows, int64_t columns) {
    return whole_entries((size_t)(rows * words_of(columns)) * sizeof(uint16_t));
}

size_t rti_nonzero_bytes(int64_t rows, int64_t columns, bool with_lists) {
    if (rti_kernels()->list_width == 0) return 0;
    const size_t map = map_bytes(rows, columns);
    return with_lists ? map + by_row_bytes(rows, columns) + lists_bytes(rows, columns, columns) : map;
}

/* ---- the map ---- */

void rti_nonzero_note(rti_nonzero *z, int64_t rows, int64_t columns, const rt_real *x, int64_t stride,
                      void *memory, bool with_lists) {
    uint16_t *map = memory;
    *z = (rti_nonzero){.rows = rows, .columns = columns, .map = map, .map_stride = words_of(columns)};
    for (int64_t i = 0; i < rows; i++)
        z->count += rti_kernels()->loops->nonzero_bits(columns, x + i * stride, map + i * z->map_stride);
    const int64_t words = rows * z->map_stride;
    int64_t some = 0;
    for (int64_t i = 0; i < words; i++) some += map[i] != 0;
    z->has_runs = 8 * some <= 7 * words;
    z->is_sparse = 5 * z->count <= 2 * rows * columns && z->count <= UINT32_MAX;
    if (with_lists) z->room = (char *)memory + map_bytes(rows, columns);
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

static void run(const filling *f, int64_t tasks, void (*task)(void *, int64_t)) {
    if (f->z->rows * f->z->columns >= ALONE) rti_parallel(tasks, task, (void *)f);
    else
        for (int64_t i = 0; i < tasks; i++) task((void *)f, i);
}

/* ---- of rows ---- */

static void list_rows(void *context, int64_t task) {
    const filling *f = context;
    const rti_nonzero *z = f->z;
    const int64_t first = ROWS * task, end = z->rows - first < ROWS ? z->rows : first + ROWS;
    for (int64_t d = 0; d < z->blocks; d++) {
        const int64_t j = d * z->depth, columns = z->columns - j < z->depth ? z->columns - j : z->depth;
        const uint32_t *start = f->start + d * z->rows, others = start[end]; /* of the next task */
        for (int64_t i = first; i < end; i++) {
            rti_entry *to = f->entry + start[i], rest[RTI_LIST_DEPTH + SLACK];
            const rt_real *x = f->x + i * f->stride + j;
            if (start[i + 1] + SLACK <= others) {
                rti_kernels()->loops->nonzero_list(columns, x, to);
            } else { /* would write over what another task has written */
                const int count = rti_kernels()->loops->nonzero_list(columns, x, rest);
                memcpy(to, rest, (size_t)count * sizeof *to);
            }
        }
    }
}

/* How many bits of a word are 1, by additions that the compiler makes for eight words at once. */
static inline uint32_t ones(uint32_t word) {
    word -= word >> 1 & 0x5555;
    word = (word & 0x3333) + (word >> 2 & 0x3333);
    word = (word + (word >> 4)) & 0x0f0f;
    return (word + (word >> 8)) & 0x1f;
}

static void count_rows(const filling *f) {
    const rti_nonzero *z = f->z;
    const int64_t words = z->depth / RTI_MAP_BITS;
    uint32_t *start = f->start, at = 0;
    for (int64_t w = 0; w < z->map_stride; w += words)
        for (int64_t i = 0; i < z->rows; i++) {
            const uint16_t *word = z->map + i * z->map_stride + w;
            const int64_t here = z->map_stride - w < words ? z->map_stride - w : words;
            uint32_t count = 0;
            for (int64_t k = 0; k < here; k++) count += ones(word[k]);
            *start++ = at;
            at += count;
        }
    *start = at;
}

void rti_nonzero_by_row(rti_nonzero *z, const rt_real *x, int64_t stride) {
    RT_ASSERT(z->room && z->is_sparse, "no room for these lists");
    const int64_t wanted = blocks_of(z->columns);
    z->depth = (z->map_stride + wanted - 1) / wanted * RTI_MAP_BITS;
    z->blocks = (z->columns + z->depth - 1) / z->depth;
    filling f = filling_in(z, z->room);
    f.x = x;
    f.stride = stride;
    count_rows(&f);
    run(&f, (z->rows + ROWS - 1) / ROWS, list_rows);
    z->by_row = (rti_lists){f.start, f.entry};
}

/* ---- of columns ---- */

/* start[j + 1] is where column j's list begins, for now. */
static void count_columns(const filling *f) {
    static const uint16_t bit[RTI_MAP_BITS] = {1 << 0,  1 << 1,  1 << 2,  1 << 3, 1 << 4,  1 << 5,
                                               1 << 6,  1 << 7,  1 << 8,  1 << 9, 1 << 10, 1 << 11,
                                               1 << 12, 1 << 13, 1 << 14, 1 << 15};
    const rti_nonzero *z = f->z;
    uint32_t at = 0;
    f->start[0] = 0;
    for (int64_t w = 0; w < z->map_stride; w++) {
        uint16_t counts[RTI_MAP_BITS] = {0};
        for (int64_t i = 0; i < z->rows; i++) {
            const uint16_t word = z->map[i * z->map_stride + w];
            for (int b = 0; b < RTI_MAP_BITS; b++) counts[b] += (uint16_t)((word & bit[b]) != 0);
        }
        for (int64_t b = 0, j = w * RTI_MAP_BITS; b < RTI_MAP_BITS && j < z->columns; b++, j++) {
            f->start[j + 1] = at;
            at += counts[b];
        }
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

void rti_nonzero_by_column(rti_nonzero *z) {
    RT_ASSERT(z->by_row.start && z->rows <= UINT16_MAX, "lists of columns are made from those of rows");
    filling f = filling_in(z, (char *)z->room + by_row_bytes(z->rows, z->columns));
    count_columns(&f);
    run(&f, z->blocks, deal_out);
    z->by_column = (rti_lists){f.start, f.entry};
}
