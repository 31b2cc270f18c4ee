/* shared.c - see shared.h.                                             Floor 7 (distill) */
#include "distill/shared.h"

#include "data/loader.h"

/* The loader takes seed 0 for "do not shuffle". */
#define ORDER_OF_SEED_0 UINT64_C(0x7265746f72740000)

bool rti_same_augment(const rt_augment *a, const rt_augment *b) {
    return a->jitter == b->jitter && a->flip == b->flip && a->crop == b->crop && a->reflect == b->reflect &&
           a->cutout == b->cutout && a->mixup == b->mixup;
}

rt_status rti_shared_init(rti_shared *shared, const rt_distiller_config *c, rt_error *error) {
    shared->graph = rt_graph_new(error);
    shared->pass = shared->graph ? rt_graph_new(error) : NULL;
    rti_notes_init(&shared->notes);
    if (!shared->pass) return RT_MEMORY;
    rti_graph_use_notes(shared->graph, &shared->notes);
    rti_graph_use_notes(shared->pass, &shared->notes);
    const uint64_t order = c->seed ? c->seed : ORDER_OF_SEED_0;
    shared->loader = rt_loader_new(c->transfer, c->batch, order, &c->augment, error);
    return shared->loader ? RT_OK : RT_MEMORY;
}

void rti_shared_deinit(rti_shared *shared) {
    rti_cache_free(shared->cache);
    rt_loader_free(shared->loader);
    rt_graph_free(shared->pass);
    rt_graph_free(shared->graph);
    rti_notes_deinit(&shared->notes);
}

void rti_shared_teacher(rti_shared *shared, rt_teacher *teacher) {
    RT_ASSERT(!shared->teacher || shared->teacher == teacher,
              "students that are trained together have one teacher");
    if (shared->teacher) return;
    shared->teacher = teacher;
    rt_teacher_hash(teacher, shared->teacher_hash);
}

rti_cache *rti_shared_cache(rti_shared *shared, const rt_distiller_config *c, rt_error *error) {
    const rti_cache_making making = {c->cache_directory, c->cache_threads, c->cache_go_on, c->cache_context};
    if (!shared->cache) shared->cache = rti_cache_open(c->teacher, c->transfer, &making, error);
    return shared->cache;
}

static void fill(void *loader) { rti_loader_fill(loader); }

bool rti_next_batch(rt_loader *loader, int students, rt_batch *batch, rti_notes *notes) {
    rti_byte_rows late;
    rti_notes_begin(notes, NULL, 0);
    if (!rti_loader_next_late(loader, batch, &late)) return false;
    rti_notes_begin(notes, batch->x, students);
    if (late.bytes) rti_notes_late(notes, &late, fill, loader);
    return true;
}

bool rti_shared_next(rti_shared *shared, int students, rt_batch *batch) {
    shared->has_passed = false;
    shared->read_count = 0;
    rt_graph_reset(shared->pass);
    return rti_next_batch(shared->loader, students, batch, &shared->notes);
}

void rti_shared_end(rti_shared *shared) { rti_notes_begin(&shared->notes, NULL, 0); }

rt_tensor *rti_shared_logits(rti_shared *shared, const rti_cache *cache, const rt_batch *batch, double T) {
    if (rt_teacher_members(rti_cache_teacher(cache)) == 1) T = 1; /* it says the same at each */
    for (int i = 0; i < shared->read_count; i++)
        if (shared->read[i].cache == cache && shared->read[i].T == T) return shared->read[i].v;
    rt_tensor *v = rti_cache_logits(cache, shared->pass, batch->index, batch->count, T);
    if (v && shared->read_count < RTI_NOTES_TARGETS) {
        shared->read[shared->read_count].cache = cache;
        shared->read[shared->read_count].T = T;
        shared->read[shared->read_count++].v = v;
        rti_notes_target(&shared->notes, v);
    }
    return v;
}

rt_status rti_shared_ask(rti_shared *shared, const rt_batch *batch, const rti_teacher_noise *noise,
                         rt_error *error) {
    if (shared->has_passed) return RT_OK;
    shared->has_passed =
        rti_teacher_member_logits(shared->teacher, shared->pass, batch->x, noise, shared->member);
    if (shared->has_passed) return RT_OK;
    if (error) *error = *rt_graph_error(shared->pass);
    return rt_graph_status(shared->pass);
}
