/* sources.c - examples that are read once.                             Floor 6 (data)
 *
 * A sweep over splits or sizes opens MNIST again and again, and so do twenty specs in one queue. While one
 * data set holds what was read, another made from the same options looks at the same bytes. Files that the
 * user names are read each time: they may have changed, and standardising changes their numbers in place.
 *
 * A training reads its examples in random order, hundreds of times. Out of a viewed file that takes a
 * look-up in the page table for every image, so that a run moves them to large pages before its first worker
 * starts (rt_dataset_settle). */
#include <pthread.h>
#include <string.h>

#include "core/text.h"
#include "data/dataset.h"

struct rti_reading {
    char *key; /* what the examples were made from */
    rti_source source;
    int users;
    rti_reading *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list and what is in it */
static rti_reading *readings;

static void free_blocks(rti_source *source) {
    for (int i = 0; i < source->block_count; i++) rt_free(source->blocks[i]);
}

static void leave(rti_reading *reading) {
    pthread_mutex_lock(&mutex);
    if (--reading->users == 0) {
        rti_reading **link = &readings;
        while (*link != reading) link = &(*link)->next;
        *link = reading->next;
        free_blocks(&reading->source);
        rt_free(reading->key);
        rt_free(reading);
    }
    pthread_mutex_unlock(&mutex);
}

void rti_source_keep(rti_source *source, void *block) {
    if (!block) return;
    RT_ASSERT(source->block_count < RTI_SOURCE_BLOCKS, "a data set holds more than %d blocks",
              RTI_SOURCE_BLOCKS);
    source->blocks[source->block_count++] = block;
}

void rti_source_deinit(rti_source *source) {
    free_blocks(source);
    if (source->reading) leave(source->reading);
    memset(source, 0, sizeof *source);
}

/* NULL: no memory. */
static char *key_of(const rti_dataset_kind *kind, const rt_params *options, const char *directory) {
    rti_text key = RTI_TEXT_EMPTY;
    rti_text_printf(&key, "%s\n%s\n", kind->name, directory);
    for (int i = 0; i < kind->row_count; i++) {
        const int row = rt_params_find(options, kind->rows[i].name);
        RT_ASSERT(row >= 0, "[data] has no row %s", kind->rows[i].name);
        char value[RT_PARAM_TEXT_MAX * 6 + 8];
        rt_value_format(&options->values[row], value, sizeof value);
        rti_text_printf(&key, "%s\n", value);
    }
    return rti_text_take(&key);
}

static void share(rti_reading *reading, rti_source *out) {
    reading->users++;
    *out = reading->source;
    out->block_count = 0;
    out->reading = reading;
}

/* Takes over `key` when *out becomes the first of those that share it. */
static rt_status open_as(char **key, const rti_dataset_kind *kind, const rt_params *options,
                         const char *directory, rti_source *out, rt_error *error) {
    for (rti_reading *r = readings; r; r = r->next)
        if (!strcmp(r->key, *key)) {
            share(r, out);
            return RT_OK;
        }
    RT_TRY(kind->read(options, directory, NULL, out, error));
    rti_reading *r = rt_alloc_zero(1, sizeof *r);
    if (!r) return rt_fail(error, RT_MEMORY, "no memory for a data set");
    *r = (rti_reading){.key = *key, .source = *out, .next = readings};
    readings = r;
    *key = NULL;
    share(r, out);
    return RT_OK;
}

rt_status rti_source_open(const rti_dataset_kind *kind, const rt_params *options, const char *directory,
                          rti_source *out, rt_error *error) {
    if (kind->own_files) return kind->read(options, directory, NULL, out, error);
    char *key = key_of(kind, options, directory);
    if (!key) return rt_fail(error, RT_MEMORY, "no memory for a data set");
    pthread_mutex_lock(&mutex);
    rt_status status = open_as(&key, kind, options, directory, out, error);
    pthread_mutex_unlock(&mutex);
    rt_free(key);
    return status;
}

/* The training examples, if a view of a file holds them, go to a block of their own. The view stays for those
 * who have its address. */
static void settle(rti_source *s) {
    const uintptr_t bytes = (uintptr_t)s->train.bytes;
    for (int i = 0; i < s->block_count && s->block_count < RTI_SOURCE_BLOCKS; i++) {
        const uintptr_t view = (uintptr_t)s->blocks[i];
        if (bytes < view || bytes - view >= rti_file_viewed(s->blocks[i])) continue;
        uint8_t *copy = rti_file_settle(s->blocks[i]);
        if (!copy) return;
        rti_source_keep(s, copy);
        s->train.bytes = copy + (bytes - view);
        return;
    }
}

void rti_source_settle(rti_source *source) {
    if (!source->reading) {
        settle(source);
        return;
    }
    pthread_mutex_lock(&mutex);
    settle(&source->reading->source);
    source->train.bytes = source->reading->source.train.bytes;
    pthread_mutex_unlock(&mutex);
}
