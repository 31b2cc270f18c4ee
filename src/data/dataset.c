/* dataset.c - from a kind's examples to the four parts.                Floor 6 (data)
 *
 *     training examples --> validation (stratified, by the data seed)
 *                      \--> pool --> train (classes, size)
 *                               \--> transfer (from train, unseen or all; classes, size)
 *     test examples     --> test
 *
 * Label noise is drawn once for the train part and once for the rest of the pool, so an example has
 * the same label for teacher and student; validation and test stay clean. Standardisation is fitted
 * on the train part alone. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/text.h"
#include "data/arrays.h"
#include "data/input_form.h"

/* Worked out when it is asked for: reading all the data takes longer than a first step of training. */
typedef struct identity {
    pthread_mutex_t mutex;
    bool known;
    char hash[RTI_HASH_TEXT];
    char part_hash[4][RTI_HASH_TEXT];
} identity;

struct rt_dataset {
    const rti_dataset_kind *kind;
    rti_source main, transfer; /* transfer: only with a set of its own */
    bool own_transfer;
    double *mean;            /* (2, groups) mean and factor of standardised numbers; else NULL */
    int64_t groups;          /* columns, of images channels */
    uint64_t seed;
    int32_t *noisy;          /* (train.count) labels of the training examples after noise */
    int32_t *transfer_noisy; /* the same of the transfer set */
    rt_part parts[4];
    identity *identity;
    char summary[512];
};

/* ---- parts ---- */

/* A part from the examples with keep[i]: lists in one block each, owned by `source`. */
static rt_status part_make(rti_source *source, const rt_examples *examples, const bool *keep,
                           const int32_t *labels, rt_part *part, rt_error *error) {
    int64_t count = 0;
    for (int64_t i = 0; i < examples->count; i++) count += !keep || keep[i];
    int32_t *lists = rt_alloc(2 * (size_t)count * sizeof *lists);
    if (!lists) return rt_fail(error, RT_MEMORY, "no memory for a list of %lld examples", (long long)count);
    rti_source_keep(source, lists);
    int64_t n = 0;
    for (int64_t i = 0; i < examples->count; i++) {
        if (keep && !keep[i]) continue;
        lists[n] = (int32_t)i;
        lists[count + n] = labels[i];
        n++;
    }
    *part = (rt_part){examples, count, lists, lists + count};
    return RT_OK;
}

/* Takes away from keep[] the examples of classes that are not listed (or, with `omit`, that are). */
static rt_status classes_filter(const rt_params *options, const char *row, bool omit,
                                const rt_examples *examples, bool *keep, rt_error *error) {
    const rt_value *list = rt_params_list(options, row);
    if (list->count == 0) return RT_OK;
    for (int i = 0; i < list->count; i++)
        if (list->items[i] >= examples->classes)
            return rt_fail(error, RT_SPEC, "data.%s: there is no class %.0f; the set has 0 to %d", row,
                           list->items[i], examples->classes - 1);
    for (int64_t e = 0; e < examples->count; e++) {
        bool listed = false;
        for (int i = 0; i < list->count; i++)
            listed = listed || examples->labels[e] == (int32_t)list->items[i];
        if (listed == omit) keep[e] = false;
    }
    return RT_OK;
}

/* Keeps `size` (or a fraction) of the examples in keep[]. prefix: "train" or "transfer". */
static rt_status subset(const rt_params *options, const char *prefix, const rt_examples *examples,
                        uint64_t seed, bool *keep, rt_error *error) {
    char size_row[32], fraction_row[32];
    snprintf(size_row, sizeof size_row, "%s.size", prefix);
    snprintf(fraction_row, sizeof fraction_row, "%s.fraction", prefix);
    int64_t have = 0, size = rt_params_int(options, size_row);
    double fraction = rt_params_real(options, fraction_row);
    for (int64_t i = 0; i < examples->count; i++) have += keep[i];
    if (size > 0 && fraction < 1)
        return rt_fail(error, RT_SPEC, "data.%s and data.%s: give one of them", size_row, fraction_row);
    if (size > have)
        return rt_fail(error, RT_SPEC, "data.%s is %lld and there are %lld examples to take from", size_row,
                       (long long)size, (long long)have);
    int64_t want = size > 0 ? size : (int64_t)floor(fraction * (double)have + 0.5);
    if (want == 0)
        return rt_fail(error, RT_SPEC,
                       "data.%s.*: no example is left; see the classes, size and fraction there", prefix);
    if (want == have) return RT_OK;

    int32_t *list = rt_alloc((size_t)have * sizeof *list);
    bool *chosen = rt_alloc((size_t)have * sizeof *chosen);
    rt_status status = list && chosen ? RT_OK : rt_fail(error, RT_MEMORY, "no memory to choose a subset");
    if (status == RT_OK) {
        int64_t n = 0;
        for (int64_t i = 0; i < examples->count; i++)
            if (keep[i]) list[n++] = (int32_t)i;
        status = rti_choose(examples->labels, examples->classes, list, have, want, seed, prefix, chosen,
                            error);
        for (int64_t i = 0; status == RT_OK && i < have; i++) keep[list[i]] = chosen[i];
    }
    rt_free(list);
    rt_free(chosen);
    return status;
}

static rt_status validation_mark(const rt_params *options, const rt_examples *examples, uint64_t seed,
                                 bool *mark, rt_error *error) {
    int64_t want = rt_params_int(options, "validation");
    if (want >= examples->count)
        return rt_fail(error, RT_SPEC,
                       "data.validation is %lld and the set has %lld training examples; some must be "
                       "left to train on",
                       (long long)want, (long long)examples->count);
    int32_t *list = rt_alloc((size_t)examples->count * sizeof *list);
    if (!list)
        return rt_fail(error, RT_MEMORY, "no memory to split %lld examples", (long long)examples->count);
    for (int64_t i = 0; i < examples->count; i++) list[i] = (int32_t)i;
    rt_status status = rti_choose(examples->labels, examples->classes, list, examples->count, want, seed,
                                  "validation", mark, error);
    rt_free(list);
    return status;
}

/* Noise on the labels of the examples with mark[i] (all with NULL). */
static rt_status noise_on(int32_t *labels, const rt_examples *examples, const bool *mark, double fraction,
                          uint64_t seed, const char *purpose, rt_error *error) {
    int64_t count = 0;
    int32_t *some = rt_alloc((size_t)examples->count * sizeof *some);
    if (!some) return rt_fail(error, RT_MEMORY, "no memory for label noise");
    for (int64_t i = 0; i < examples->count; i++)
        if (!mark || mark[i]) some[count++] = labels[i];
    rt_status status = rti_noise(some, examples->classes, count, fraction, seed, purpose, error);
    count = 0;
    for (int64_t i = 0; status == RT_OK && i < examples->count; i++)
        if (!mark || mark[i]) labels[i] = some[count++];
    rt_free(some);
    return status;
}

static rt_status labels_copy(rti_source *source, const rt_examples *examples, int32_t **out,
                             rt_error *error) {
    *out = rt_alloc((size_t)examples->count * sizeof **out);
    if (!*out) return rt_fail(error, RT_MEMORY, "no memory for labels");
    rti_source_keep(source, *out);
    memcpy(*out, examples->labels, (size_t)examples->count * sizeof **out);
    return RT_OK;
}

/* flags: three arrays of train.count. */
static rt_status train_parts(rt_dataset *set, const rt_params *options, bool *validation, bool *train,
                             bool *transfer, rt_error *error) {
    const rt_examples *all = &set->main.train;
    double noise = rt_params_real(options, "label_noise");
    RT_TRY(validation_mark(options, all, set->seed, validation, error));
    for (int64_t i = 0; i < all->count; i++) train[i] = !validation[i];
    RT_TRY(classes_filter(options, "train.classes", false, all, train, error));
    RT_TRY(subset(options, "train", all, set->seed, train, error));

    RT_TRY(labels_copy(&set->main, all, &set->noisy, error));
    if (noise > 0) {
        RT_TRY(noise_on(set->noisy, all, train, noise, set->seed, "noise", error));
        for (int64_t i = 0; i < all->count; i++) transfer[i] = !train[i] && !validation[i];
        RT_TRY(noise_on(set->noisy, all, transfer, noise, set->seed, "noise.unseen", error));
    }
    RT_TRY(part_make(&set->main, all, train, set->noisy, &set->parts[RT_PART_TRAIN], error));
    RT_TRY(part_make(&set->main, all, validation, all->labels, &set->parts[RT_PART_VALIDATION], error));
    if (set->own_transfer) return RT_OK;

    const char *from = rt_params_text(options, "transfer.from");
    for (int64_t i = 0; i < all->count; i++)
        transfer[i] = strcmp(from, "train") == 0 ? train[i]
                                                 : !validation[i] && (strcmp(from, "all") == 0 || !train[i]);
    RT_TRY(classes_filter(options, "transfer.classes", false, all, transfer, error));
    RT_TRY(classes_filter(options, "transfer.omit_classes", true, all, transfer, error));
    RT_TRY(subset(options, "transfer", all, set->seed, transfer, error));
    return part_make(&set->main, all, transfer, set->noisy, &set->parts[RT_PART_TRANSFER], error);
}

static rt_status own_transfer_part(rt_dataset *set, const rt_params *options, bool *keep, rt_error *error) {
    const rt_examples *all = &set->transfer.train;
    for (int64_t i = 0; i < all->count; i++) keep[i] = true;
    RT_TRY(classes_filter(options, "transfer.classes", false, all, keep, error));
    RT_TRY(classes_filter(options, "transfer.omit_classes", true, all, keep, error));
    RT_TRY(subset(options, "transfer", all, set->seed, keep, error));
    RT_TRY(labels_copy(&set->transfer, all, &set->transfer_noisy, error));
    double noise = rt_params_real(options, "label_noise");
    if (noise > 0)
        RT_TRY(noise_on(set->transfer_noisy, all, keep, noise, set->seed, "noise.transfer", error));
    return part_make(&set->transfer, all, keep, set->transfer_noisy, &set->parts[RT_PART_TRANSFER], error);
}

static rt_status parts_make(rt_dataset *set, const rt_params *options, rt_error *error) {
    int64_t most = set->main.train.count;
    if (set->own_transfer && set->transfer.train.count > most) most = set->transfer.train.count;
    bool *flags = rt_alloc(3 * (size_t)most * sizeof *flags);
    if (!flags) return rt_fail(error, RT_MEMORY, "no memory to split the set");
    rt_status status = train_parts(set, options, flags, flags + most, flags + 2 * most, error);
    if (status == RT_OK && set->own_transfer) status = own_transfer_part(set, options, flags, error);
    rt_free(flags);
    RT_TRY(status);
    return part_make(&set->main, &set->main.test, NULL, set->main.test.labels, &set->parts[RT_PART_TEST],
                     error);
}

/* ---- standardisation ---- */

/* `plane` neighbours share a mean and a deviation: the pixels of a channel, or a column alone. */
static void standardise(const rt_examples *examples, int64_t plane, const double *mean,
                        const double *factor) {
    float *values = (float *)(uintptr_t)examples->values; /* ours; const for everybody else */
    for (int64_t i = 0; i < examples->count; i++)
        for (int64_t d = 0; d < examples->features; d++) {
            float *v = &values[i * examples->features + d];
            *v = (float)((*v - mean[d / plane]) * factor[d / plane]);
        }
}

/* Mean and deviation of each column, of images each channel, over the train part, in two passes; a
 * constant one becomes 0 everywhere on the train part and keeps its distance elsewhere. */
static rt_status standardise_all(rt_dataset *set, rt_error *error) {
    const rt_part *part = &set->parts[RT_PART_TRAIN];
    const rt_examples *e = part->examples;
    int64_t D = e->features, plane = e->ndim == 3 ? D / e->shape[0] : 1, groups = D / plane;
    double *mean = rt_alloc_zero(2 * (size_t)groups, sizeof *mean);
    if (!mean) return rt_fail(error, RT_MEMORY, "no memory to standardise %lld columns", (long long)D);
    rti_source_keep(&set->main, mean);
    set->mean = mean;
    set->groups = groups;
    double *factor = mean + groups;
    double n = (double)(part->count * plane);
    for (int64_t i = 0; i < part->count; i++)
        for (int64_t d = 0; d < D; d++) mean[d / plane] += e->values[part->index[i] * D + d] / n;
    for (int64_t i = 0; i < part->count; i++)
        for (int64_t d = 0; d < D; d++) {
            double difference = e->values[part->index[i] * D + d] - mean[d / plane];
            factor[d / plane] += difference * difference / n;
        }
    for (int64_t g = 0; g < groups; g++) {
        double deviation = sqrt(factor[g]);
        factor[g] = deviation > 1e-12 * (fabs(mean[g]) + 1e-300) ? 1 / deviation : 1;
    }
    standardise(&set->main.train, plane, mean, factor);
    standardise(&set->main.test, plane, mean, factor);
    if (set->own_transfer) standardise(&set->transfer.train, plane, mean, factor);
    return RT_OK;
}

/* ---- normalisation of images ---- */

/* Mean and deviation of each channel over the train part, of whole bytes and so exact: a histogram of each
 * channel. value = (byte scale + shift - mean) / deviation. */
static rt_status normalise_all(rt_dataset *set, rt_error *error) {
    const rt_part *part = &set->parts[RT_PART_TRAIN];
    const rt_examples *e = part->examples;
    if (!e->bytes || e->ndim != 3 || e->shape[0] > RT_CHANNELS_MAX)
        return rt_fail(error, RT_SPEC, "data.normalize: images of 1 to %d channels are needed",
                       RT_CHANNELS_MAX);
    double scale[RT_CHANNELS_MAX], shift[RT_CHANNELS_MAX];
    int64_t plane = e->features / e->shape[0];
    for (int64_t c = 0; c < e->shape[0]; c++) {
        int64_t seen[256] = {0};
        for (int64_t i = 0; i < part->count; i++) {
            const uint8_t *pixels = e->bytes + part->index[i] * e->features + c * plane;
            for (int64_t p = 0; p < plane; p++) seen[pixels[p]]++;
        }
        double n = (double)(part->count * plane), mean = 0, variance = 0;
        for (int b = 0; b < 256; b++) mean += b * (double)seen[b] / n;
        for (int b = 0; b < 256; b++) variance += (b - mean) * (b - mean) * (double)seen[b] / n;
        double deviation = variance > 0 ? sqrt(variance) : 1;
        scale[c] = 1 / deviation;
        shift[c] = -mean / deviation;
    }
    rt_examples *all[] = {&set->main.train, &set->main.test, &set->transfer.train};
    for (int i = 0; i < (set->own_transfer ? 3 : 2); i++) {
        all[i]->channels = (int)e->shape[0];
        memcpy(all[i]->channel_scale, scale, sizeof scale);
        memcpy(all[i]->channel_shift, shift, sizeof shift);
    }
    return RT_OK;
}

/* ---- identity ---- */

static void examples_hash(rti_hash *hash, const rt_examples *e) {
    int64_t head[4 + RT_MAX_DIMS] = {e->count, e->ndim, e->classes, e->bytes != NULL};
    for (int d = 0; d < e->ndim; d++) head[4 + d] = e->shape[d];
    double range[3] = {e->scale, e->shift, e->background};
    rti_hash_add(hash, head, sizeof head);
    rti_hash_add(hash, range, sizeof range);
    for (int c = 0; c < e->channels; c++) {
        rti_hash_add(hash, &e->channel_scale[c], sizeof e->channel_scale[c]);
        rti_hash_add(hash, &e->channel_shift[c], sizeof e->channel_shift[c]);
    }
    if (e->bytes)
        rti_hash_add(hash, e->bytes, (size_t)(e->count * e->features));
    else
        rti_hash_add(hash, e->values, (size_t)(e->count * e->features) * sizeof *e->values);
    rti_hash_add(hash, e->labels, (size_t)e->count * sizeof *e->labels);
}

static void hash_all(const rt_dataset *set, identity *out) {
    const rt_examples *examples[3] = {&set->main.train, &set->main.test, &set->transfer.train};
    char text[3][RTI_HASH_TEXT];
    rti_hash hash, whole;
    rti_hash_init(&whole, 0);
    for (int i = 0; i < (set->own_transfer ? 3 : 2); i++) {
        rti_hash_init(&hash, 0);
        examples_hash(&hash, examples[i]);
        rti_hash_finish_text(&hash, text[i]);
        rti_hash_add_text(&whole, text[i]);
    }
    rti_hash_finish_text(&whole, out->hash);
    for (int p = 0; p < 4; p++) {
        const rt_part *part = &set->parts[p];
        int of = part->examples == examples[0] ? 0 : part->examples == examples[1] ? 1 : 2;
        rti_hash_init(&hash, 0);
        rti_hash_add_text(&hash, text[of]);
        rti_hash_add(&hash, part->index, (size_t)part->count * sizeof *part->index);
        rti_hash_add(&hash, part->labels, (size_t)part->count * sizeof *part->labels);
        rti_hash_finish_text(&hash, out->part_hash[p]);
    }
}

static const identity *identify(const rt_dataset *set) {
    identity *of = set->identity;
    pthread_mutex_lock(&of->mutex);
    if (!of->known) hash_all(set, of);
    of->known = true;
    pthread_mutex_unlock(&of->mutex);
    return of;
}

bool rti_same_part(const rt_part *a, const rt_part *b) {
    const size_t bytes = (size_t)a->count * sizeof *a->index;
    return a->examples == b->examples && a->count == b->count && memcmp(a->index, b->index, bytes) == 0 &&
           memcmp(a->labels, b->labels, bytes) == 0;
}

static rt_status summarise(rt_dataset *set, const rt_params *options, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    const rt_part *p = set->parts;
    rti_text_printf(&text, "%s: %lld train, %lld validation, %lld test", set->kind->name,
                    (long long)p[RT_PART_TRAIN].count, (long long)p[RT_PART_VALIDATION].count,
                    (long long)p[RT_PART_TEST].count);
    if (set->own_transfer)
        rti_text_printf(&text, ", %lld transfer from %s", (long long)p[RT_PART_TRANSFER].count,
                        rt_params_text(options, "transfer.set"));
    else if (!rti_same_part(&p[RT_PART_TRAIN], &p[RT_PART_TRANSFER]))
        rti_text_printf(&text, ", %lld transfer", (long long)p[RT_PART_TRANSFER].count);
    double noise = rt_params_real(options, "label_noise");
    if (noise > 0) rti_text_printf(&text, ", %g %% label noise", 100 * noise);
    const rt_examples *e = &set->main.train;
    for (int c = 0; c < e->channels; c++)
        rti_text_printf(&text, "%s %.4f", c ? "" : ", normalised: mean",
                        -e->channel_shift[c] / e->channel_scale[c] / 255);
    for (int c = 0; c < e->channels; c++)
        rti_text_printf(&text, "%s %.4f", c ? "" : ", deviation", 1 / e->channel_scale[c] / 255);
    if (set->main.note[0]) rti_text_printf(&text, " (%s)", set->main.note);
    snprintf(set->summary, sizeof set->summary, "%s", rti_text_string(&text));
    rt_status status = text.failed ? rt_fail(error, RT_MEMORY, "no memory for a summary") : RT_OK;
    rti_text_deinit(&text);
    return status;
}

/* ---- opening ---- */

static rt_status transfer_read(rt_dataset *set, const rt_params *options, const char *directory,
                               rt_error *error) {
    static const char *const moved[][2] = {{"transfer.digits.train", "digits.train"},
                                           {"transfer.digits.seed", "digits.seed"},
                                           {"transfer.csv", "csv.train"},
                                           {"transfer.images", "idx.train_images"},
                                           {"transfer.labels", "idx.train_labels"},
                                           {"transfer.images", "npy.train_x"},
                                           {"transfer.labels", "npy.train_y"},
                                           {"transfer.folder", "folder.path"}};
    const char *name = rt_params_text(options, "transfer.set");
    if (strcmp(name, "same") == 0) return RT_OK;
    set->own_transfer = true;
    rt_params *own = rt_alloc(sizeof *own);
    if (!own) return rt_fail(error, RT_MEMORY, "no memory for the transfer set's options");
    *own = *options;
    rt_status status = RT_OK;
    for (size_t i = 0; status == RT_OK && i < sizeof moved / sizeof *moved; i++) {
        int from = rt_params_find(options, moved[i][0]);
        RT_ASSERT(from >= 0, "[data] has no row %s", moved[i][0]);
        status = rt_params_set(own, moved[i][1], &options->values[from], error);
    }
    const rti_dataset_kind *kind = rti_dataset_kind_find(name);
    if (status == RT_OK) status = kind->read(own, directory, &set->main, &set->transfer, error);
    rt_free(own);
    if (status != RT_OK) return rt_fail_in(error, status, "transfer set");

    const rt_examples *a = &set->main.train, *b = &set->transfer.train;
    if (!rti_same_form(a, b) || a->classes != b->classes)
        return rt_fail(error, RT_SPEC,
                       "data.transfer.set: the examples of \"%s\" (%lld numbers, %d classes) do not have "
                       "the form of those of \"%s\" (%lld numbers, %d classes)",
                       name, (long long)b->features, b->classes, set->kind->name, (long long)a->features,
                       a->classes);
    return RT_OK;
}

static rt_status open_into(rt_dataset *set, const rt_params *options, const char *directory,
                           rt_error *error) {
    char found[RTI_PATH_MAX];
    if (!directory) {
        RT_TRY(rt_data_directory(found, sizeof found, error));
        directory = found;
    }
    set->identity = rt_alloc_zero(1, sizeof *set->identity);
    if (!set->identity) return rt_fail(error, RT_MEMORY, "no memory for a data set");
    pthread_mutex_init(&set->identity->mutex, NULL);
    set->kind = rti_dataset_kind_find(rt_params_text(options, "set"));
    RT_ASSERT(set->kind, "data set %s", rt_params_text(options, "set"));
    set->seed = (uint64_t)rt_params_int(options, "seed");
    RT_TRY(rti_source_open(set->kind, options, directory, &set->main, error));
    RT_ASSERT(set->main.train.count > 0 && set->main.test.count > 0, "%s: empty", set->kind->name);
    RT_TRY(transfer_read(set, options, directory, error));
    RT_TRY(parts_make(set, options, error));
    if (set->main.standardise) RT_TRY(standardise_all(set, error));
    if (rt_params_bool(options, "normalize")) RT_TRY(normalise_all(set, error));
    return summarise(set, options, error);
}

rt_dataset *rt_dataset_open(const rt_params *options, const char *directory, rt_error *error) {
    rt_dataset *set = rt_alloc_zero(1, sizeof *set);
    if (!set) {
        rt_fail(error, RT_MEMORY, "no memory for a data set");
        return NULL;
    }
    if (open_into(set, options, directory, error) == RT_OK) return set;
    rt_dataset_free(set);
    return NULL;
}

rt_dataset *rt_dataset_open_kind(const char *kind, rt_error *error) {
    rt_params options;
    int count;
    const rt_param *rows = rt_data_rows(&count);
    rt_params_init(&options, rows, count);
    if (rt_params_set_text(&options, "set", kind, error) != RT_OK) return NULL;
    return rt_dataset_open(&options, NULL, error);
}

void rt_dataset_free(rt_dataset *set) {
    if (!set) return;
    rti_source_deinit(&set->main);
    rti_source_deinit(&set->transfer);
    if (set->identity) pthread_mutex_destroy(&set->identity->mutex);
    rt_free(set->identity);
    rt_free(set);
}

void rt_dataset_settle(rt_dataset *set) {
    rti_source_settle(&set->main);
    if (set->own_transfer) rti_source_settle(&set->transfer);
}

const rt_examples *rt_dataset_train_examples(const rt_dataset *set) { return &set->main.train; }
const rt_examples *rt_dataset_test_examples(const rt_dataset *set) { return &set->main.test; }
const char *rt_dataset_hash(const rt_dataset *set) { return identify(set)->hash; }
const char *rt_dataset_summary(const rt_dataset *set) { return set->summary; }
const char *rt_dataset_note(const rt_dataset *set) { return set->main.note; }

const rt_part *rt_dataset_part(const rt_dataset *set, rt_part_name part) {
    RT_ASSERT(part >= RT_PART_TRAIN && part <= RT_PART_TEST, "part %d", (int)part);
    return &set->parts[part];
}

const char *rt_dataset_part_hash(const rt_dataset *set, rt_part_name part) {
    RT_ASSERT(part >= RT_PART_TRAIN && part <= RT_PART_TEST, "part %d", (int)part);
    return identify(set)->part_hash[part];
}

const char *rt_dataset_class_name(const rt_dataset *set, int class_number, char buffer[16]) {
    RT_ASSERT(class_number >= 0 && class_number < set->main.train.classes, "class %d", class_number);
    if (set->main.class_names) return set->main.class_names[class_number];
    snprintf(buffer, 16, "%d", class_number);
    return buffer;
}

rti_dataset_form rti_dataset_form_get(const rt_dataset *set) {
    const rt_examples *e = &set->main.train;
    return (rti_dataset_form){e, set->mean, set->mean ? set->mean + set->groups : NULL, set->groups,
                              set->main.class_names != NULL};
}
