/* compression.c - see compression.h: measuring, and the table.         Floor 8 (experiment) */
#include "experiment/compression.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "distill/evaluate.h"
#include "formats/csv.h"
#include "formats/json.h"
#include "graph/op.h"

#define ONE_RUNS 1001
#define ONE_LIMIT_S 1.0
#define LARGE_RUNS 51
#define LARGE_LIMIT_S 2.0
#define BATCH 500

/* ---- measuring ---- */

static rt_status add_batch(rti_quality_sums *sums, rt_teacher *judged, rt_teacher *teacher, rt_graph *g,
                           const rt_batch *batch, rt_error *error) {
    int64_t K = rt_teacher_classes(judged);
    rt_tensor *z = rt_teacher_logits(judged, g, batch->x, 1);
    rt_tensor *v = teacher ? rt_teacher_logits(teacher, g, batch->x, 1) : NULL;
    const rt_real *answers = z ? rti_contiguous(g, z) : NULL, *others = v ? rti_contiguous(g, v) : NULL;
    double *scratch = rti_step_alloc(g, (size_t)(4 * K) * sizeof *scratch);
    if (!answers || !scratch || rt_graph_status(g) != RT_OK) {
        if (error) *error = *rt_graph_error(g);
        return rt_graph_status(g);
    }
    rt_status status = rti_quality_add(sums, batch->count, K, answers, others, rt_i32_data(batch->y), NULL,
                                       scratch, error);
    rt_graph_reset(g);
    return status;
}

/* Networks that answer together, on all examples of the part. */
static rt_status judge(rt_teacher *judged, rt_teacher *teacher, const rt_part *part, rt_quality *quality,
                       rt_error *error) {
    if (teacher && rt_teacher_classes(teacher) != rt_teacher_classes(judged))
        return rt_fail(error, RT_SHAPE, "it tells %lld classes apart and its teacher %lld",
                       (long long)rt_teacher_classes(judged), (long long)rt_teacher_classes(teacher));
    rt_graph *graph = rt_graph_new(error);
    if (!graph) return RT_MEMORY;
    rt_loader *loader = rt_loader_new(part, BATCH, 0, NULL, error);
    rt_status status = loader ? RT_OK : RT_MEMORY;
    rti_quality_sums sums = {0};
    rt_batch batch;
    rt_no_grad_begin(graph);
    while (status == RT_OK && rt_loader_next(loader, &batch))
        status = add_batch(&sums, judged, teacher, graph, &batch, error);
    rt_no_grad_end(graph);
    rt_loader_free(loader);
    rt_graph_free(graph);
    if (status == RT_OK) rti_quality_finish(&sums, quality);
    return status;
}

static void describe(rti_compression_entry *entry, rt_model *const models[], int count) {
    char line[RTI_LABEL_MAX + 32];
    bool alike = true;
    for (int i = 1; i < count; i++)
        alike = alike && !strcmp(rt_model_summary(models[i]), rt_model_summary(models[0]));
    if (count == 1)
        snprintf(line, sizeof line, "%s", rt_model_summary(models[0]));
    else
        snprintf(line, sizeof line, "%d networks, %s%s", count, rt_model_summary(models[0]),
                 alike ? "" : " and others");
    rti_label_plain(line, entry->network, sizeof entry->network);
}

rt_status rti_compression_measure(rti_compression_entry *entry, const char *name, rt_model *const models[],
                                  int count, rt_combine combine, rt_teacher *teacher, const rt_part *part,
                                  rt_error *error) {
    RT_ASSERT(count > 0 && count <= RTI_TEACHERS_MAX, "%d networks in an entry", count);
    if (!part->count) return rt_fail(error, RT_VALUE, "there are no examples to measure on");
    for (int i = 0; i < count; i++)
        if (rt_model_classes(models[i]) != part->examples->classes)
            return rt_fail(error, RT_SHAPE, "%s tells %lld classes apart, the data have %d", name,
                           (long long)rt_model_classes(models[i]), part->examples->classes);
    rti_label_plain(name, entry->name, sizeof entry->name);
    describe(entry, models, count);
    entry->networks = count;
    rti_size sizes[RTI_TEACHERS_MAX];
    for (int i = 0; i < count; i++) sizes[i] = rti_size_of(models[i]);
    entry->size = rti_size_sum(sizes, count);

    rt_quality quality = {0};
    rt_teacher *judged = rt_teacher_new(models, count, combine, error);
    if (!judged) return error ? error->status : RT_MEMORY;
    rt_status status = judge(judged, teacher, part, &quality, error);
    rt_teacher_free(judged);
    if (status != RT_OK) return rt_fail_in(error, status, "%s", name);
    entry->accuracy = quality.accuracy;
    rti_wilson(quality.examples - quality.errors, quality.examples, &entry->low, &entry->high);
    entry->agreement = teacher ? quality.agreement : NAN;
    entry->is_mean = false;
    entry->one = rti_latency_measure(models, count, part, 1, ONE_RUNS, ONE_LIMIT_S);
    entry->large = rti_latency_measure(models, count, part, RTI_LARGE_BATCH, LARGE_RUNS, LARGE_LIMIT_S);
    return RT_OK;
}

/* ---- the table ---- */

enum {
    HEAD,
    PARAMETERS,
    FLOAT32,
    BF16,
    INT8,
    MULTIPLY_ADDS,
    LATENCY_1,
    LATENCY_1000,
    WORKING,
    ACCURACY,
    KEPT,
    AGREEMENT,
    SMALLER,
    SMALLER_INT8,
    FASTER_1,
    FASTER_1000,
    ROWS
};

static const char *const names[ROWS] = {
    [PARAMETERS] = "parameters",
    [FLOAT32] = "bytes, float32",
    [BF16] = "bytes, bf16",
    [INT8] = "bytes, int8",
    [MULTIPLY_ADDS] = "multiply-adds",
    [LATENCY_1] = "latency, batch 1, us",
    [LATENCY_1000] = "latency, batch 1000, ms",
    [WORKING] = "working memory, bytes",
    [ACCURACY] = "accuracy, %",
    [KEPT] = "of the teacher's, %",
    [AGREEMENT] = "agreement, %",
    [SMALLER] = "smaller, float32",
    [SMALLER_INT8] = "smaller, int8 to float32",
    [FASTER_1] = "faster, batch 1",
    [FASTER_1000] = "faster, batch 1000",
};

static void thousands(int64_t n, char out[RTI_LABEL_MAX]) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)n), used = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = 0;
}

static const char *places(double x) { return x < 9.995 ? "%.2f" : x < 99.95 ? "%.1f" : "%.0f"; }

static void put_latency(const rti_latency *l, double unit, char out[RTI_LABEL_MAX]) {
    char median[32], low[32], high[32];
    if (!isfinite(l->median_us)) return;
    const char *format = places(l->median_us / unit);
    snprintf(median, sizeof median, format, l->median_us / unit);
    snprintf(low, sizeof low, format, l->low_us / unit);
    snprintf(high, sizeof high, format, l->high_us / unit);
    if (isfinite(l->low_us))
        snprintf(out, RTI_LABEL_MAX, "%s (%s to %s)", median, low, high);
    else
        snprintf(out, RTI_LABEL_MAX, "%s", median);
}

static void put_accuracy(const rti_compression_entry *e, char out[RTI_LABEL_MAX]) {
    if (isnan(e->accuracy)) return;
    if (isnan(e->low))
        snprintf(out, RTI_LABEL_MAX, "%.2f", 100 * e->accuracy);
    else
        snprintf(out, RTI_LABEL_MAX, "%.2f (%.2f to %.2f)", 100 * e->accuracy, 100 * e->low, 100 * e->high);
}

static void put_number(double value, double factor, char out[RTI_LABEL_MAX]) {
    if (isfinite(value)) snprintf(out, RTI_LABEL_MAX, "%.2f", factor * value);
}

static double ratio_of(double teacher, double own) { return own > 0 && teacher > 0 ? teacher / own : NAN; }

/* The quantity of that row as a number; NaN when there is none. What depends on a teacher has none itself. */
static double ratio(const rti_compression *c, int row, int number) {
    const rti_compression_entry *t = &c->entry[0], *e = &c->entry[number];
    if (!c->has_teacher || number == 0) return NAN;
    switch (row) {
    case KEPT:
        return t->accuracy > 0 ? e->accuracy / t->accuracy : NAN;
    case SMALLER:
        return ratio_of((double)t->size.float32, (double)e->size.float32);
    case SMALLER_INT8:
        return ratio_of((double)t->size.float32, (double)e->size.int8);
    case FASTER_1:
        return ratio_of(t->one.median_us, e->one.median_us);
    default:
        return ratio_of(t->large.median_us, e->large.median_us);
    }
}

static void put_times(double value, char out[RTI_LABEL_MAX]) {
    if (!isfinite(value)) return;
    int length = snprintf(out, RTI_LABEL_MAX, places(value), value);
    snprintf(out + length, RTI_LABEL_MAX - (size_t)length, " x");
}

static int64_t size_in(const rti_size *s, int row) {
    switch (row) {
    case PARAMETERS:
        return s->parameters;
    case FLOAT32:
        return s->float32;
    case BF16:
        return s->bf16;
    case INT8:
        return s->int8;
    case MULTIPLY_ADDS:
        return s->multiply_adds;
    default:
        return s->working;
    }
}

static void compression_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    const rti_compression *c = table->more;
    out[0] = 0;
    if (column == 0) {
        snprintf(out, RTI_LABEL_MAX, "%s", names[row] ? names[row] : "");
        return;
    }
    const rti_compression_entry *e = &c->entry[column - 1];
    switch (row) {
    case HEAD:
        snprintf(out, RTI_LABEL_MAX, "%s", e->name);
        return;
    case LATENCY_1:
        put_latency(&e->one, 1, out);
        break;
    case LATENCY_1000:
        put_latency(&e->large, 1000, out);
        break;
    case ACCURACY:
        put_accuracy(e, out);
        break;
    case AGREEMENT:
        put_number(e->agreement, 100, out);
        break;
    case KEPT:
        put_number(ratio(c, row, column - 1), 100, out);
        break;
    case SMALLER:
    case SMALLER_INT8:
    case FASTER_1:
    case FASTER_1000:
        put_times(ratio(c, row, column - 1), out);
        break;
    default:
        if (size_in(&e->size, row) > 0) thousands(size_in(&e->size, row), out);
    }
    if (!out[0]) snprintf(out, RTI_LABEL_MAX, "-");
}

rti_table rti_table_compression(const rti_compression *c) {
    return (rti_table){NULL, 0, ROWS, 1 + c->count, compression_text, c};
}

void rti_compression_notes(rti_text *out, const rti_compression *c, const char *before, const char *after) {
    bool mean = false, wilson = false, several = false;
    for (int i = 0; i < c->count; i++) {
        const rti_compression_entry *e = &c->entry[i];
        mean = mean || e->is_mean;
        wilson = wilson || (!e->is_mean && !isnan(e->low));
        several = several || e->networks > 1;
    }
    rti_text_printf(out,
                    "%sbytes: of weights and biases as deployed, batch normalisation folded into the layer "
                    "before it%s",
                    before, after);
    rti_text_printf(out, "%sint8: a byte a weight, four a bias, a float a channel for its scale%s", before,
                    after);
    rti_text_printf(out,
                    "%slatency: one thread, median and quartiles; working memory: the most activations "
                    "alive at once%s",
                    before, after);
    if (mean || wilson)
        rti_text_printf(out, "%saccuracy: on the test set, 95 %% interval%s%s", before,
                        mean && wilson ? " (over seeds, or Wilson's for one network)"
                        : mean         ? " over seeds"
                                       : " (Wilson)",
                        after);
    if (several)
        rti_text_printf(out, "%sseveral networks that teach together count as all of them cost%s", before,
                        after);
}

/* ---- files ---- */

/* Every quantity by its name; a teacher has no ratios. */
typedef struct field {
    const char *name;
    double value;
} field;
enum { FIELDS = 27 };

static void fields_of(const rti_compression *c, int number, field out[FIELDS]) {
    const rti_compression_entry *e = &c->entry[number];
    const rti_size *s = &e->size;
    const bool known = s->float32 > 0;
    const double size[] = {(double)s->parameters, (double)s->float32,       (double)s->bf16,
                           (double)s->int8,       (double)s->multiply_adds, (double)s->working};
    static const char *const size_names[] = {"parameters", "bytes_float32", "bytes_bf16",
                                             "bytes_int8", "multiply_adds", "working_bytes"};
    int n = 0;
    out[n++] = (field){"networks", e->networks};
    for (int i = 0; i < 6; i++) out[n++] = (field){size_names[i], known ? size[i] : NAN};
    out[n++] = (field){"latency_1_us", e->one.median_us};
    out[n++] = (field){"latency_1_low_us", e->one.low_us};
    out[n++] = (field){"latency_1_high_us", e->one.high_us};
    out[n++] = (field){"latency_1_runs", e->one.runs};
    out[n++] = (field){"latency_1000_us", e->large.median_us};
    out[n++] = (field){"latency_1000_low_us", e->large.low_us};
    out[n++] = (field){"latency_1000_high_us", e->large.high_us};
    out[n++] = (field){"latency_1000_runs", e->large.runs};
    out[n++] = (field){"accuracy", e->accuracy};
    out[n++] = (field){"accuracy_low", e->low};
    out[n++] = (field){"accuracy_high", e->high};
    out[n++] = (field){"accuracy_kept", ratio(c, KEPT, number)};
    out[n++] = (field){"agreement", e->agreement};
    out[n++] = (field){"smaller_float32", ratio(c, SMALLER, number)};
    out[n++] = (field){"smaller_int8", ratio(c, SMALLER_INT8, number)};
    out[n++] = (field){"faster_1", ratio(c, FASTER_1, number)};
    out[n++] = (field){"faster_1000", ratio(c, FASTER_1000, number)};
    out[n++] = (field){"weights", known ? (double)s->weights : NAN};
    out[n++] = (field){"biases", known ? (double)s->biases : NAN};
    out[n++] = (field){"channels", known ? (double)s->channels : NAN};
    RT_ASSERT(n == FIELDS, "%d quantities", n);
}

void rti_compression_csv(const rti_compression *c, rti_text *out) {
    field fields[FIELDS];
    rti_text_append(out, "name,network,source");
    for (int i = 0; i < c->count; i++) {
        fields_of(c, i, fields);
        for (int k = 0; i == 0 && k < FIELDS; k++) rti_text_printf(out, ",%s", fields[k].name);
        rti_text_append(out, "\n");
        rti_csv_append(out, c->entry[i].name, true);
        rti_csv_append(out, c->entry[i].network, false);
        rti_csv_append(out, c->entry[i].source, false);
        for (int k = 0; k < FIELDS; k++) rti_csv_add_number(out, fields[k].value, false);
    }
    rti_text_append(out, "\n");
}

void rti_compression_json(const rti_compression *c, const char *data, rti_text *out) {
    field fields[FIELDS];
    rti_json_writer w = {.text = out, .indent = true};
    rti_json_begin_object(&w, NULL);
    rti_json_add_string(&w, "data", data);
    rti_json_add_string(&w, "precision", sizeof(rt_real) == 4 ? "float" : "double");
    rti_json_begin_array(&w, "networks");
    for (int i = 0; i < c->count; i++) {
        fields_of(c, i, fields);
        rti_json_begin_object(&w, NULL);
        rti_json_add_string(&w, "name", c->entry[i].name);
        rti_json_add_string(&w, "network", c->entry[i].network);
        rti_json_add_string(&w, "source", c->entry[i].source);
        rti_json_add_bool(&w, "is_teacher", c->has_teacher && i == 0);
        for (int k = 0; k < FIELDS; k++) rti_json_add_number(&w, fields[k].name, fields[k].value);
        rti_json_end(&w);
    }
    rti_json_end(&w);
    rti_json_end(&w);
    rti_text_append(out, "\n");
}
