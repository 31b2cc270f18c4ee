/* checkpoint.c - a training put to sleep after a whole epoch.          Floor 7 (distill)
 *
 *     header   magic, version, epochs done, identity, three sizes
 *     weights  the student's block
 *     slots    rt_optimizer_state_save
 *     method   the method's own state, if it has one
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
#define VERSION 1

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

static size_t weights_bytes(const rt_distiller *d) {
    int64_t count;
    rt_model_block(d->config.student, &count);
    return (size_t)count * sizeof(rt_real);
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
    void *method_state = NULL;
    size_t method_bytes = 0;
    if (d->method->save) RT_TRY(d->method->save(d->state, &method_state, &method_bytes, error));
    header h = header_of(d, method_bytes);
    size_t total = sizeof h + h.weights_bytes + h.slots_bytes + h.method_bytes + SUM_BYTES;
    unsigned char *out = rt_alloc(total);
    if (!out) {
        rt_free(method_state);
        return rt_fail(error, RT_MEMORY, "no memory for a checkpoint of %zu bytes", total);
    }
    unsigned char *at = out;
    int64_t weights;
    memcpy(at, &h, sizeof h), at += sizeof h;
    memcpy(at, rt_model_block(d->config.student, &weights), h.weights_bytes), at += h.weights_bytes;
    rt_optimizer_state_save(d->optimizer, at), at += h.slots_bytes;
    if (method_bytes) memcpy(at, method_state, method_bytes), at += method_bytes;
    sum_of(out, (size_t)(at - out), at);
    rt_free(method_state);
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

rt_status rt_distiller_restore(rt_distiller *d, const void *bytes, size_t count, rt_error *error) {
    header h;
    const unsigned char *weights = (const unsigned char *)bytes + sizeof h;
    RT_TRY(check(d, bytes, count, &h, error));
    const unsigned char *slots = weights + h.weights_bytes, *method_state = slots + h.slots_bytes;
    if (d->method->load) RT_TRY(d->method->load(d->state, method_state, (size_t)h.method_bytes, error));
    RT_TRY(rt_optimizer_state_restore(d->optimizer, slots, (size_t)h.slots_bytes, error));
    int64_t elements;
    memcpy(rt_model_block(d->config.student, &elements), weights, (size_t)h.weights_bytes);
    for (int i = 0; i < rt_model_parameters(d->config.student); i++)
        rt_tensor_clear_grad(&rt_model_parameter(d->config.student, i)->tensor);
    rt_graph_reset(d->graph);
    d->epochs_done = h.epochs_done;
    d->mid_epoch = false;
    return RT_OK;
}
