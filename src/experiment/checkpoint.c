/* checkpoint.c - see checkpoint.h.                                     Floor 8 (experiment)
 *
 * Layout, in the byte order of the machine:
 *   8 bytes "RTCKPT1\n", header, metrics text, best weights, distiller, 16 bytes hash of all before */
#include "experiment/checkpoint.h"

#include <string.h>

#include "core/file.h"
#include "core/hash.h"
#include "retort/alloc.h"

#define MAGIC "RTCKPT1\n"
#define FILE_LIMIT ((size_t)16 << 30)

typedef struct header {
    char magic[8];
    char id[40];
    int64_t epochs, best_epoch;
    double best_accuracy, seconds, peak_megabytes;
    uint64_t metrics_bytes, best_bytes, distiller_bytes;
} header;

rt_status rti_checkpoint_write(const rti_checkpoint *c, const char *path, const char *id, rt_error *error) {
    header h = {.magic = MAGIC,
                .epochs = c->epochs,
                .best_epoch = c->best_epoch,
                .best_accuracy = c->best_accuracy,
                .seconds = c->seconds,
                .peak_megabytes = c->peak_megabytes,
                .metrics_bytes = c->metrics.length,
                .best_bytes = (uint64_t)c->best_count * sizeof(rt_real),
                .distiller_bytes = c->distiller_bytes};
    memcpy(h.id, id, strlen(id) < sizeof h.id ? strlen(id) : sizeof h.id - 1);
    if (c->metrics.failed) return rt_fail(error, RT_MEMORY, "no memory for a checkpoint");
    rti_hash hash;
    uint64_t sum[2];
    const rti_piece pieces[] = {{&h, sizeof h},
                                {rti_text_string(&c->metrics), c->metrics.length},
                                {c->best, (size_t)h.best_bytes},
                                {c->distiller, c->distiller_bytes},
                                {sum, sizeof sum}};
    enum { PIECES = sizeof pieces / sizeof *pieces };
    rti_hash_init(&hash, 0);
    for (int i = 0; i < PIECES - 1; i++) rti_hash_add(&hash, pieces[i].bytes, pieces[i].count);
    rti_hash_finish(&hash, sum);
    return rti_file_write_pieces(path, pieces, PIECES, error);
}

static bool fits(const rti_bytes *bytes, header *h, const char *id, int64_t best_count) {
    uint64_t sum[2];
    if (bytes->count < sizeof *h + sizeof sum) return false;
    memcpy(h, bytes->data, sizeof *h);
    size_t body = bytes->count - sizeof *h - sizeof sum;
    if (memcmp(h->magic, MAGIC, sizeof h->magic) || strncmp(h->id, id, sizeof h->id)) return false;
    if (h->metrics_bytes > body || h->best_bytes > body - h->metrics_bytes ||
        h->distiller_bytes != body - h->metrics_bytes - h->best_bytes)
        return false;
    if (h->best_bytes != (uint64_t)best_count * sizeof(rt_real) || h->epochs < 0) return false;
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add(&hash, bytes->data, bytes->count - sizeof sum);
    rti_hash_finish(&hash, sum);
    return !memcmp(sum, bytes->data + bytes->count - sizeof sum, sizeof sum);
}

rt_status rti_checkpoint_read(rti_checkpoint *c, const char *path, const char *id, int64_t best_count,
                              rt_error *error) {
    memset(c, 0, sizeof *c);
    rti_bytes bytes;
    header h;
    RT_TRY(rti_file_read(path, FILE_LIMIT, &bytes, error));
    if (!fits(&bytes, &h, id, best_count)) {
        rt_free(bytes.data);
        return rt_fail(error, RT_FORMAT, "%s: is damaged or belongs to another trial", path);
    }
    const unsigned char *at = bytes.data + sizeof h;
    c->epochs = h.epochs;
    c->best_epoch = h.best_epoch;
    c->best_accuracy = h.best_accuracy;
    c->seconds = h.seconds;
    c->peak_megabytes = h.peak_megabytes;
    c->best_count = best_count;
    c->distiller_bytes = (size_t)h.distiller_bytes;
    rti_text_append_bytes(&c->metrics, at, (size_t)h.metrics_bytes);
    c->best = rt_alloc((size_t)h.best_bytes);
    c->distiller = rt_alloc((size_t)h.distiller_bytes);
    if (c->best) memcpy(c->best, at + h.metrics_bytes, (size_t)h.best_bytes);
    if (c->distiller) memcpy(c->distiller, at + h.metrics_bytes + h.best_bytes, (size_t)h.distiller_bytes);
    rt_free(bytes.data);
    if (!c->metrics.failed && c->best && c->distiller) return RT_OK;
    rti_checkpoint_deinit(c);
    return rt_fail(error, RT_MEMORY, "%s: no memory for a checkpoint", path);
}

void rti_checkpoint_deinit(rti_checkpoint *c) {
    rti_text_deinit(&c->metrics);
    rt_free(c->best);
    rt_free(c->distiller);
    memset(c, 0, sizeof *c);
}
