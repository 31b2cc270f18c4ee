/* cache.c - see cache.h.                                               Floor 7 (distill) */
#include "distill/cache.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/hash.h"
#include "distill/shared.h"
#include "formats/safetensors.h"
#include "graph/op.h"
#include "kernels/kernels.h"
#include "retort/alloc.h"
#include "retort/log.h"
#include "retort/threads.h"

#define FORMAT "retort soft targets 1"
#define TEACHER_BATCH 500

struct rti_cache {
    rt_teacher *teacher;
    int members;
    int64_t N, K;
    rt_real *logits; /* (members, N, K) */
    char key[RTI_HASH_TEXT];
    char path[RTI_PATH_MAX];
    bool was_read;
};

void rti_cache_free(rti_cache *cache) {
    if (!cache) return;
    rt_free(cache->logits);
    rt_free(cache);
}

rt_teacher *rti_cache_teacher(const rti_cache *cache) { return cache->teacher; }
const char *rti_cache_path(const rti_cache *cache) { return cache->path; }
bool rti_cache_was_read(const rti_cache *cache) { return cache->was_read; }

static int64_t logit_count(const rti_cache *c) { return c->members * c->N * c->K; }

rti_cache *rti_cache_dup(const rti_cache *cache, rt_error *error) {
    rti_cache *c = rt_alloc_zero(1, sizeof *c);
    rt_real *logits = c ? rt_alloc((size_t)logit_count(cache) * sizeof *logits) : NULL;
    if (!logits) {
        rt_fail(error, RT_MEMORY, "no memory for the soft targets of %lld examples", (long long)cache->N);
        rt_free(c);
        return NULL;
    }
    *c = (rti_cache){.teacher = cache->teacher, .members = cache->members, .N = cache->N, .K = cache->K,
                     .logits = logits};
    memcpy(logits, cache->logits, (size_t)logit_count(cache) * sizeof *logits);
    return c;
}

rt_real *rti_cache_member(rti_cache *cache, int member) {
    return cache->logits + member * cache->N * cache->K;
}

/* ---- the key ---- */

static void make_key(rti_cache *c, const rt_part *part) {
    const rt_examples *e = part->examples;
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add_text(&hash, FORMAT);
    rti_hash_add_text(&hash, sizeof(rt_real) == 4 ? "float" : "double");
    rti_hash_add_text(&hash, rti_isa_name());
    rti_teacher_hash_members(c->teacher, &hash);
    rti_hash_add(&hash, &part->count, sizeof part->count);
    rti_hash_add(&hash, e->shape, (size_t)e->ndim * sizeof *e->shape);
    rti_hash_add(&hash, &e->scale, sizeof e->scale);
    rti_hash_add(&hash, &e->shift, sizeof e->shift);
    rti_hash_add(&hash, e->channel_scale, (size_t)e->channels * sizeof *e->channel_scale);
    rti_hash_add(&hash, e->channel_shift, (size_t)e->channels * sizeof *e->channel_shift);
    size_t row = (size_t)e->features * (e->bytes ? 1 : sizeof *e->values);
    const unsigned char *rows = e->bytes ? e->bytes : (const unsigned char *)e->values;
    for (int64_t i = 0; i < part->count; i++) rti_hash_add(&hash, rows + (size_t)part->index[i] * row, row);
    rti_hash_finish_text(&hash, c->key);
}

static void content_hash(const rti_cache *c, char text[RTI_HASH_TEXT]) {
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add(&hash, c->logits, (size_t)logit_count(c) * sizeof *c->logits);
    rti_hash_finish_text(&hash, text);
}

/* ---- from and to a file ---- */

static bool says(const rti_st_file *file, const char *key, const char *value) {
    const char *found = rti_st_metadata(file, key);
    return found && strcmp(found, value) == 0;
}

/* True when everything in the file is what this cache would have written. */
static bool take_from(rti_cache *c, const rti_st_file *file) {
    const rti_st_entry *entry = rti_st_find(file, "logits");
    size_t bytes = (size_t)logit_count(c) * sizeof *c->logits;
    if (!says(file, "format", FORMAT) || !says(file, "key", c->key) || file->count != 1 || !entry)
        return false;
    if (entry->dtype != (sizeof(rt_real) == 4 ? RTI_ST_F32 : RTI_ST_F64) || entry->ndim != 3) return false;
    if (entry->shape[0] != c->members || entry->shape[1] != c->N || entry->shape[2] != c->K) return false;
    if (entry->bytes != bytes) return false;
    memcpy(c->logits, entry->data, bytes);
    char sum[RTI_HASH_TEXT];
    content_hash(c, sum);
    return says(file, "sum", sum);
}

static bool read_cache(rti_cache *c) {
    if (!rti_file_exists(c->path)) return false;
    rti_st_file file;
    rt_error error;
    if (rti_st_read(&file, c->path, &error) != RT_OK) {
        rt_say(RT_LOG_WARNING, "soft targets are computed again: %s", error.message);
        return false;
    }
    c->was_read = take_from(c, &file);
    rti_st_deinit(&file);
    if (!c->was_read)
        rt_say(RT_LOG_WARNING, "soft targets are computed again: %s does not hold what its name says",
               c->path);
    return c->was_read;
}

static rt_status write_cache(const rti_cache *c, rt_error *error) {
    char sum[RTI_HASH_TEXT];
    content_hash(c, sum);
    const char *const metadata[] = {"format", FORMAT, "key", c->key, "sum", sum, NULL};
    rti_st_entry entry = {.name = "logits",
                          .dtype = sizeof(rt_real) == 4 ? RTI_ST_F32 : RTI_ST_F64,
                          .ndim = 3,
                          .shape = {c->members, c->N, c->K},
                          .count = logit_count(c),
                          .data = (const unsigned char *)c->logits,
                          .bytes = (size_t)logit_count(c) * sizeof *c->logits};
    return rti_st_write(c->path, &entry, 1, metadata, error);
}

/* ---- from the teacher ---- */

static rt_status ask_batch(rti_cache *c, rt_graph *g, const rt_batch *batch, rt_error *error) {
    const rt_real *member[RT_TEACHER_MEMBERS_MAX];
    if (!rti_teacher_member_logits(c->teacher, g, batch->x, NULL, member)) {
        if (error) *error = *rt_graph_error(g);
        return rt_graph_status(g);
    }
    for (int m = 0; m < c->members; m++)
        memcpy(c->logits + (m * c->N + batch->index[0]) * c->K, member[m],
               (size_t)(batch->count * c->K) * sizeof *c->logits);
    rt_graph_reset(g);
    return RT_OK;
}

static bool goes_on(const rti_cache_making *m) { return !m->go_on || m->go_on(m->context); }

/* Unshuffled, so each batch is a run of positions. */
static rt_status ask_teacher(rti_cache *c, const rt_part *part, const rti_cache_making *m, rt_error *error) {
    rt_graph *g = rt_graph_new(error);
    rt_loader *loader = g ? rt_loader_new(part, TEACHER_BATCH, 0, NULL, error) : NULL;
    rt_status status = loader ? RT_OK : RT_MEMORY;
    rti_notes notes;
    rti_notes_init(&notes);
    if (g) rti_graph_use_notes(g, &notes);
    rt_batch batch;
    while (status == RT_OK && rti_next_batch(loader, c->members, &batch, &notes))
        status = goes_on(m) ? ask_batch(c, g, &batch, error) : rt_fail(error, RT_STOPPED, "stopped");
    rt_loader_free(loader);
    rt_graph_free(g);
    rti_notes_deinit(&notes);
    if (status != RT_OK) rt_fail_in(error, status, "asking the teacher for soft targets");
    return status;
}

/* ---- from a table ---- */

static rt_status copy_answers(rti_cache *c, const rti_stored *stored, const rt_part *part, rt_error *error) {
    const rt_real *logits = rti_stored_logits(stored, part->examples);
    if (!logits)
        return rt_fail(error, RT_UNSUPPORTED, "%s has no answers to the examples of this part", stored->name);
    for (int64_t i = 0; i < c->N; i++)
        memcpy(c->logits + i * c->K, logits + part->index[i] * c->K, (size_t)c->K * sizeof *logits);
    return RT_OK;
}

/* ---- opening ---- */

/* While others may be waiting, the teacher has their threads, too. */
static rt_status ask_for_all(rti_cache *c, const rt_part *part, const rti_cache_making *m, rt_error *error) {
    const int own = rt_threads_get();
    if (m->threads > own) rt_threads_set(m->threads);
    rt_status status = ask_teacher(c, part, m, error);
    if (m->threads > own) rt_threads_set(own);
    return status;
}

/* Of several processes that open it at the same time the first asks, the others read what it has written. */
static rt_status make_file(rti_cache *c, const rt_part *part, const rti_cache_making *m, rt_error *error) {
    char path[RTI_PATH_MAX + 8];
    rt_error trouble;
    snprintf(path, sizeof path, "%s.turn", c->path);
    const bool is_damaged = rti_file_exists(c->path);
    rt_status status = rti_directory_make(m->directory, &trouble);
    const int turn = status == RT_OK ? rti_file_turn(path, m->go_on, m->context) : -1;
    if (turn >= 0 && !is_damaged && read_cache(c)) {
        rti_file_turn_end(turn, path);
        return RT_OK;
    }
    const rt_status asked = ask_for_all(c, part, m, error);
    if (asked == RT_OK && status == RT_OK) status = write_cache(c, &trouble);
    rti_file_turn_end(turn, path);
    if (asked == RT_OK && status != RT_OK)
        rt_say(RT_LOG_WARNING, "soft targets are kept in memory only: %s", trouble.message);
    return asked;
}

static rt_status fill(rti_cache *c, const rt_part *part, const rti_cache_making *m, rt_error *error) {
    const rti_stored *stored = rti_teacher_stored(c->teacher);
    if (stored) return copy_answers(c, stored, part, error);
    if (!c->path[0]) return ask_teacher(c, part, m, error);
    return read_cache(c) ? RT_OK : make_file(c, part, m, error);
}

rti_cache *rti_cache_open(rt_teacher *teacher, const rt_part *part, const rti_cache_making *making,
                          rt_error *error) {
    static const rti_cache_making in_memory = {.directory = NULL};
    if (!making) making = &in_memory;
    const char *directory = making->directory;
    rti_cache *c = rt_alloc_zero(1, sizeof *c);
    if (c) {
        c->teacher = teacher;
        c->members = rt_teacher_members(teacher);
        c->N = part->count;
        c->K = rt_teacher_classes(teacher);
        c->logits = rt_alloc_zero((size_t)(c->members * c->K), (size_t)c->N * sizeof *c->logits);
    }
    if (!c || !c->logits) {
        rt_fail(error, RT_MEMORY, "no memory for the soft targets of %lld examples", (long long)part->count);
        rti_cache_free(c);
        return NULL;
    }
    char name[RTI_HASH_TEXT + 16];
    if (rt_teacher_is_stored(teacher)) directory = NULL; /* it is a file already */
    if (directory) {
        make_key(c, part);
        snprintf(name, sizeof name, "%s.safetensors", c->key);
    }
    bool good = !directory || rti_path_join(c->path, sizeof c->path, directory, name, error) == RT_OK;
    if (good && fill(c, part, making, error) == RT_OK) return c;
    rti_cache_free(c);
    return NULL;
}

rt_tensor *rti_cache_logits(const rti_cache *c, rt_graph *graph, const int32_t *index, int64_t N, double T) {
    rt_tensor *v = rt_graph_tensor(graph, RT_DTYPE_REAL, 2, (int64_t[]){N, c->K});
    const rt_real *member[RT_TEACHER_MEMBERS_MAX];
    for (int m = 0; v && m < c->members; m++) {
        rt_real *rows = rti_step_alloc(graph, (size_t)(N * c->K) * sizeof *rows);
        if (!rows) return NULL;
        for (int64_t n = 0; n < N; n++) {
            RT_ASSERT(index[n] >= 0 && index[n] < c->N, "position %d of %lld", (int)index[n],
                      (long long)c->N);
            memcpy(rows + n * c->K, c->logits + (m * c->N + index[n]) * c->K, (size_t)c->K * sizeof *rows);
        }
        member[m] = rows;
    }
    return v && rti_teacher_combine(c->teacher, graph, member, N, T, rt_real_data(v)) ? v : NULL;
}
