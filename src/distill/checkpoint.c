/* checkpoint.c - a training put to sleep after a whole epoch.          Floor 7 (distill)
 *
 *     header   magic, version, epochs done, identity, three sizes
 *     weights  the student's block, then those of the adapters
 *     slots    rt_optimizer_state_save
 *     methods  the state of each part of the method that has one, each behind its size
 *     sum      a 128-bit hash of all of the above
 *
 * Random numbers need no state: they are functions of (seed, epoch, step). The identity is a hash over
 * method, options, data, seed, batch, teacher and the shapes of the weights; bytes that do not agree
 * with it, or that are damaged, are refused before anything is changed. Numbers are in the byte order
 * of the machine: a checkpoint is not for exchange. */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "distill/distiller.h"
#include "retort/alloc.h"

#define MAGIC "retort checkpoint"
#define VERSION 2

typedef struct header {
    char magic[24];
    uint32_t version, byte_order;
    int64_t epochs_done;
    char identity[40];
    uint64_t weights_bytes, slots_bytes, method_bytes;
} header;

enum { SUM_BYTES = 16, BYTE_ORDER_MARK = 0x01020304 };

static void sum_of(const unsigned char *bytes, size_t count, unsigned char sum[SUM_BYTES]) {
    rti_hash hash;
    uint64_t words[2];
    rti_hash_init(&hash, VERSION);
    rti_hash_add(&hash, bytes, count);
    rti_hash_finish(&hash, words);
    memcpy(sum, words, SUM_BYTES);
}

static rt_model *model_of(const rt_distiller *d, int m) {
    return m < 0 ? d->config.student : d->adapters.model[m];
}

static size_t block_bytes(const rt_distiller *d, int m) {
    int64_t count;
    rt_model_block(model_of(d, m), &count);
    return (size_t)count * sizeof(rt_real);
}

static size_t weights_bytes(const rt_distiller *d) {
    size_t bytes = 0;
    for (int m = -1; m < d->adapters.count; m++) bytes += block_bytes(d, m);
    return bytes;
}

/* ---- the methods' states ---- */

typedef struct states {
    void *bytes[RTI_PARTS_MAX];
    uint64_t count[RTI_PARTS_MAX];
    size_t total; /* sizes included */
} states;

static void states_deinit(states *s) {
    for (int i = 0; i < RTI_PARTS_MAX; i++) rt_free(s->bytes[i]);
}

static rt_status states_save(const rt_distiller *d, states *s, rt_error *error) {
    *s = (states){.total = 0};
    for (int i = 0; i < d->parts.count; i++) {
        const rti_part *part = &d->part[i];
        size_t count = 0;
        rt_status status = part->method->save ? part->method->save(part->state, &s->bytes[i], &count, error)
                                              : RT_OK;
        if (status != RT_OK) {
            states_deinit(s);
            return status;
        }
        s->count[i] = count;
        s->total += sizeof s->count[i] + count;
    }
    return RT_OK;
}

static unsigned char *states_write(const rt_distiller *d, const states *s, unsigned char *at) {
    for (int i = 0; i < d->parts.count; i++) {
        memcpy(at, &s->count[i], sizeof s->count[i]), at += sizeof s->count[i];
        if (s->count[i]) memcpy(at, s->bytes[i], (size_t)s->count[i]), at += s->count[i];
    }
    return at;
}

/* Where each part's state lies; the sum of the checkpoint was right, so a misfit is another version's. */
static rt_status states_find(const rt_distiller *d, const unsigned char *at, uint64_t bytes,
                             const unsigned char *state[], uint64_t count[], rt_error *error) {
    for (int i = 0; i < d->parts.count; i++) {
        if (bytes < sizeof count[i])
            return rt_fail(error, RT_FORMAT, "the checkpoint lacks a method's state");
        memcpy(&count[i], at, sizeof count[i]), at += sizeof count[i], bytes -= sizeof count[i];
        if (count[i] > bytes)
            return rt_fail(error, RT_FORMAT, "a method's state in the checkpoint is cut off");
        state[i] = at;
        at += count[i], bytes -= count[i];
    }
    return bytes ? rt_fail(error, RT_FORMAT, "the checkpoint holds more than its methods know") : RT_OK;
}

/* ---- saving ---- */

static header header_of(const rt_distiller *d, size_t method_bytes) {
    header h;
    memset(&h, 0, sizeof h); /* padding as well: equal trainings give equal bytes */
    snprintf(h.magic, sizeof h.magic, "%s", MAGIC);
    h.version = VERSION;
    h.byte_order = BYTE_ORDER_MARK;
    h.epochs_done = d->epochs_done;
    snprintf(h.identity, sizeof h.identity, "%s", d->identity);
    h.weights_bytes = weights_bytes(d);
    h.slots_bytes = rt_optimizer_state_bytes(d->optimizer);
    h.method_bytes = method_bytes;
    return h;
}

rt_status rt_distiller_save(const rt_distiller *d, void **bytes, size_t *count, rt_error *error) {
    RT_ASSERT(!d->mid_epoch, "a checkpoint is for the end of an epoch");
    states methods;
    RT_TRY(states_save(d, &methods, error));
    header h = header_of(d, methods.total);
    size_t total = sizeof h + h.weights_bytes + h.slots_bytes + h.method_bytes + SUM_BYTES;
    unsigned char *out = rt_alloc(total);
    if (!out) {
        states_deinit(&methods);
        return rt_fail(error, RT_MEMORY, "no memory for a checkpoint of %zu bytes", total);
    }
    unsigned char *at = out;
    int64_t count_of_block;
    memcpy(at, &h, sizeof h), at += sizeof h;
    for (int m = -1; m < d->adapters.count; at += block_bytes(d, m), m++)
        memcpy(at, rt_model_block(model_of(d, m), &count_of_block), block_bytes(d, m));
    rt_optimizer_state_save(d->optimizer, at), at += h.slots_bytes;
    at = states_write(d, &methods, at);
    sum_of(out, (size_t)(at - out), at);
    states_deinit(&methods);
    *bytes = out;
    *count = total;
    return RT_OK;
}

/* ---- restoring ---- */

static rt_status check(const rt_distiller *d, const unsigned char *bytes, size_t count, header *h,
                       rt_error *error) {
    if (count < sizeof *h + SUM_BYTES)
        return rt_fail(error, RT_FORMAT, "a checkpoint of %zu bytes is too short", count);
    memcpy(h, bytes, sizeof *h);
    if (memcmp(h->magic, MAGIC, sizeof MAGIC) != 0)
        return rt_fail(error, RT_FORMAT, "this is not a checkpoint");
    if (h->version != VERSION || h->byte_order != BYTE_ORDER_MARK)
        return rt_fail(error, RT_FORMAT,
                       "the checkpoint is of version %u, this program reads version %u of its own "
                       "machine",
                       (unsigned)h->version, (unsigned)VERSION);
    unsigned char sum[SUM_BYTES];
    sum_of(bytes, count - SUM_BYTES, sum);
    if (memcmp(sum, bytes + count - SUM_BYTES, SUM_BYTES) != 0)
        return rt_fail(error, RT_FORMAT, "the checkpoint is damaged: its sum is wrong");
    if (memcmp(h->identity, d->identity, sizeof d->identity) != 0)
        return rt_fail(error, RT_FORMAT,
                       "the checkpoint belongs to another training: method, options, data, seed, "
                       "teacher or shapes differ");
    size_t payload = count - sizeof *h - SUM_BYTES;
    if (h->weights_bytes != weights_bytes(d) || h->slots_bytes != rt_optimizer_state_bytes(d->optimizer) ||
        h->weights_bytes + h->slots_bytes > payload ||
        h->method_bytes != payload - h->weights_bytes - h->slots_bytes)
        return rt_fail(error, RT_FORMAT, "the sizes in the checkpoint do not fit student and optimiser");
    if (h->epochs_done < 0 || h->epochs_done > d->config.epochs)
        return rt_fail(error, RT_FORMAT, "the checkpoint has %lld of %lld epochs", (long long)h->epochs_done,
                       (long long)d->config.epochs);
    return RT_OK;
}

/* The optimiser of the stage that the checkpoint's last epoch lies in. */
static rt_status restore_slots(rt_distiller *d, const header *h, const unsigned char *slots,
                               rt_error *error) {
    if (d->first_stage) RT_TRY(rti_distiller_optimizer(d, h->epochs_done ? h->epochs_done - 1 : 0, error));
    return rt_optimizer_state_restore(d->optimizer, slots, (size_t)h->slots_bytes, error);
}

rt_status rt_distiller_restore(rt_distiller *d, const void *bytes, size_t count, rt_error *error) {
    header h;
    const unsigned char *weights = (const unsigned char *)bytes + sizeof h, *state[RTI_PARTS_MAX];
    uint64_t state_bytes[RTI_PARTS_MAX];
    RT_TRY(check(d, bytes, count, &h, error));
    const unsigned char *slots = weights + h.weights_bytes;
    RT_TRY(states_find(d, slots + h.slots_bytes, h.method_bytes, state, state_bytes, error));
    for (int i = 0; i < d->parts.count; i++)
        if (d->part[i].method->load)
            RT_TRY(d->part[i].method->load(d->part[i].state, state[i], (size_t)state_bytes[i], error));
    RT_TRY(restore_slots(d, &h, slots, error));
    for (int m = -1; m < d->adapters.count; weights += block_bytes(d, m), m++) {
        int64_t elements;
        rt_model *model = model_of(d, m);
        memcpy(rt_model_block(model, &elements), weights, block_bytes(d, m));
        for (int i = 0; i < rt_model_parameters(model); i++)
            rt_tensor_clear_grad(&rt_model_parameter(model, i)->tensor);
    }
    rt_graph_reset(d->graph);
    d->epochs_done = h.epochs_done;
    d->mid_epoch = false;
    return RT_OK;
}
