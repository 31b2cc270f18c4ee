/* scratch.h - for the tests of floor 6 (data): a directory that goes away, files in it, options. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "retort/alloc.h"
#include "retort/data.h"

static char scratch[64];
static char scratch_paths[16][128];
static int scratch_path_count;

static inline void scratch_begin(void) {
    snprintf(scratch, sizeof scratch, "/tmp/retort-test-XXXXXX");
    cr_assert(mkdtemp(scratch), "a scratch directory");
}

static inline void scratch_end(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    cr_assert_eq(system(command), 0);
}

/* The path of a file in the scratch directory; valid for the next 15 calls. */
static inline const char *scratch_path(const char *name) {
    char *path = scratch_paths[scratch_path_count++ % 16];
    snprintf(path, sizeof scratch_paths[0], "%s/%s", scratch, name);
    return path;
}

static inline const char *scratch_write(const char *name, const void *bytes, size_t count) {
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "wb");
    cr_assert(file, "%s", path);
    cr_assert_eq(fwrite(bytes, 1, count, file), count);
    cr_assert_eq(fclose(file), 0);
    return path;
}

static inline rt_params *options_begin(void) {
    static rt_params p;
    int rows;
    const rt_param *table = rt_data_rows(&rows);
    rt_params_init(&p, table, rows);
    return &p;
}

static inline void option(rt_params *p, const char *name, const char *text) {
    rt_error error = {0};
    cr_assert_eq(rt_params_set_text(p, name, text, &error), RT_OK, "%s = %s: %s", name, text, error.message);
}

static inline rt_dataset *opens(const rt_params *p) {
    rt_error error = {0};
    rt_dataset *set = rt_dataset_open(p, scratch, &error);
    cr_assert(set, "%s", error.message);
    return set;
}

/* Opening fails with this status and a message that holds `says`; nothing is left over. */
static inline void refuses(const rt_params *p, rt_status status, const char *says) {
    rt_error error = {0};
    size_t live = rt_alloc_stats_get().live_blocks;
    rt_dataset *set = rt_dataset_open(p, scratch, &error);
    cr_assert_null(set, "should be refused with \"%s\"", says);
    cr_assert_eq(error.status, status, "%s: %s", rt_status_name(error.status), error.message);
    cr_assert(strstr(error.message, says), "\"%s\" should hold \"%s\"", error.message, says);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, live, "blocks are left over");
}

/* Fails each allocation of an opening in turn. */
static inline void opens_or_says_memory(const rt_params *p) {
    size_t live = rt_alloc_stats_get().live_blocks;
    rt_dataset *set = NULL;
    int n = 1;
    for (; !set && n < 1000; n++) {
        rt_error error = {0};
        rt_alloc_fail_after((size_t)n);
        set = rt_dataset_open(p, scratch, &error);
        rt_alloc_fail_after(0);
        if (set) break;
        cr_assert_eq(error.status, RT_MEMORY, "allocation %d: %s: %s", n, rt_status_name(error.status),
                     error.message);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, live, "allocation %d leaks", n);
    }
    cr_assert(set && n > 5, "%d allocations", n);
    rt_dataset_free(set);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, live);
}

#endif
