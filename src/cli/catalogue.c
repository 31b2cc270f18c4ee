/* catalogue.c - see catalogue.h.                                       Floor 9 (cli) */
#include "cli/catalogue.h"

#include <stdio.h>
#include <string.h>

#include "data/dataset.h"
#include "distill/method.h"
#include "nn/model.h"
#include "optim/optimizer.h"
#include "retort/ops.h"

/* ---- option rows ---- */

static void format_default(const rt_param *row, char out[64]) {
    rt_value value = {.type = row->type, .number = row->fallback};
    if (row->type == RT_PARAM_INTS || row->type == RT_PARAM_REALS) {
        snprintf(out, 64, "%s", row->text);
        return;
    }
    if (row->text) snprintf(value.text, sizeof value.text, "%s", row->text);
    if (rt_value_format(&value, out, 64) >= 64) snprintf(out + 60, 4, "...");
}

static void format_range(const rt_param *row, char out[256]) {
    const char *unit = row->unit, *space = unit[0] ? " " : "";
    const char *each = row->type == RT_PARAM_INTS || row->type == RT_PARAM_REALS ? "list of " : "";
    switch (row->type) {
    case RT_PARAM_BOOL: snprintf(out, 256, "true | false"); return;
    case RT_PARAM_CHOICE:
        out[0] = 0;
        for (const char *at = row->choices; *at; at++) {
            size_t length = strlen(out);
            snprintf(out + length, 256 - length, *at == '|' ? " | " : "%c", *at);
        }
        return;
    case RT_PARAM_TEXT: snprintf(out, 256, "text"); return;
    case RT_PARAM_REAL:
    case RT_PARAM_INT:
    case RT_PARAM_INTS:
    case RT_PARAM_REALS: break;
    }
    char low[64], high[64];
    rt_value_format(&(rt_value){.type = RT_PARAM_REAL, .number = row->min}, low, sizeof low);
    rt_value_format(&(rt_value){.type = RT_PARAM_REAL, .number = row->max}, high, sizeof high);
    if (row->max >= 1e30 && row->min <= -1e30) snprintf(out, 256, "%sany number%s%s", each, space, unit);
    else if (row->max >= 1e30) snprintf(out, 256, "%s%s or more%s%s", each, low, space, unit);
    else snprintf(out, 256, "%s%s ... %s%s%s", each, low, high, space, unit);
}

void rti_print_rows(const rt_param *rows, int count) {
    int wide_name = 6, wide_default = 7;
    char value[64], range[256];
    for (int i = 0; i < count; i++) {
        format_default(&rows[i], value);
        if ((int)strlen(rows[i].name) > wide_name) wide_name = (int)strlen(rows[i].name);
        if ((int)strlen(value) > wide_default) wide_default = (int)strlen(value);
    }
    if (count) printf("  %-*s  %-*s  %s\n", wide_name, "option", wide_default, "default", "meaning; range");
    for (int i = 0; i < count; i++) {
        format_default(&rows[i], value);
        format_range(&rows[i], range);
        printf("  %-*s  %-*s  %s\n", wide_name, rows[i].name, wide_default, value, rows[i].help);
        printf("  %-*s  %-*s    %s\n", wide_name, "", wide_default, "", range);
    }
}

/* A text of several lines, each moved in. */
static void print_indented(const char *text) {
    while (*text) {
        size_t length = strcspn(text, "\n");
        printf("  %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

/* Words in lines of at most 100 columns. */
static void print_paragraph(const char *text) {
    int column = 0;
    for (const char *at = text; *at;) {
        int length = (int)strcspn(at, " ");
        bool fits = column + 1 + length <= 98;
        if (column == 0 || !fits) column = printf("\n  %.*s", length, at) - 3;
        else column += printf(" %.*s", length, at);
        at += length;
        at += strspn(at, " ");
    }
    puts("");
}

static void print_part(const char *title, const char *text) {
    if (!text || !text[0]) return;
    printf("\n%s\n", title);
    print_indented(text);
}

static void print_rows_part(const char *title, const rt_param *rows, int count) {
    if (count == 0) return;
    printf("\n%s\n", title);
    rti_print_rows(rows, count);
}

/* Counting a NULL-terminated registry. */
#define COUNT_OF(shelf, registry)       \
    static int shelf##_count(void) {    \
        int count = 0;                  \
        while (registry[count]) count++; \
        return count;                   \
    }

#define ROWS_OF(shelf, registry)                                   \
    static const rt_param *shelf##_rows(int i, int *count) {       \
        *count = registry[i]->row_count;                           \
        return registry[i]->rows;                                  \
    }

#define TEXT_OF(shelf, what, expression) \
    static const char *shelf##_##what(int i) { return expression; }

/* ---- methods ---- */

COUNT_OF(method, rti_all_methods)
static const rt_param *method_rows(int i, int *count) { /* its own, and those of the taps */
    return rt_method_rows(rti_all_methods[i]->name, count);
}
TEXT_OF(method, item, rti_all_methods[i]->name)
TEXT_OF(method, line, rti_all_methods[i]->title)

static const char *settings_of(const rti_preset *preset) {
    return preset->settings[0] ? preset->settings : "the defaults";
}

static void method_print(int i) {
    const rti_method *m = rti_all_methods[i];
    int count;
    const rt_param *rows = method_rows(i, &count);
    rt_params options;
    rt_params_init(&options, rows, count);
    char contract[4096];
    m->contract(&options, contract, sizeof contract);
    printf("%s - %s\n", m->name, m->title);
    if (m->explanation) print_paragraph(m->explanation);
    print_part("loss", m->formula);
    print_part("contract, with the defaults", contract);
    print_rows_part("options in [distill]", rows, count);
    if (m->preset_count > 0) puts("\npresets: preset = \"...\" sets");
    for (int p = 0; p < m->preset_count; p++)
        printf("  %s: %s\n    %s\n", m->presets[p].name, settings_of(&m->presets[p]), m->presets[p].source);
    print_part("source", m->source);
    printf("\nexample\n  [distill]\n  method = \"%s\"\n", m->name);
}

/* ---- presets: numbered through all methods ---- */

static int preset_count(void) {
    int count = 0;
    for (int m = 0; rti_all_methods[m]; m++) count += rti_all_methods[m]->preset_count;
    return count;
}

static const rti_preset *preset_at(int i, const rti_method **method) {
    int m = 0;
    while (i >= rti_all_methods[m]->preset_count) i -= rti_all_methods[m++]->preset_count;
    *method = rti_all_methods[m];
    return &rti_all_methods[m]->presets[i];
}

static const char *preset_item(int i) {
    const rti_method *method;
    return preset_at(i, &method)->name;
}

static const char *preset_line(int i) {
    static char line[512];
    const rti_method *method;
    const rti_preset *preset = preset_at(i, &method);
    snprintf(line, sizeof line, "%s: %s", method->name, settings_of(preset));
    return line;
}

static void preset_print(int i) {
    const rti_method *m;
    const rti_preset *preset = preset_at(i, &m);
    printf("%s - preset of the method %s\n", preset->name, m->name);
    print_part("sets", settings_of(preset));
    int count;
    const rt_param *rows = rt_method_rows(m->name, &count);
    rt_params options;
    rt_params_init(&options, rows, count);
    rt_error error = {0};
    if (rt_preset_apply(m->name, preset->name, &options, &error) == RT_OK) {
        char contract[4096];
        m->contract(&options, contract, sizeof contract);
        print_part("contract", contract);
    }
    print_part("source", preset->source);
    printf("\nexample\n  [distill]\n  method = \"%s\"\n  preset = \"%s\"\n", m->name, preset->name);
}

/* ---- optimisers ---- */

COUNT_OF(optimizer, rti_all_optimizers)
ROWS_OF(optimizer, rti_all_optimizers)
TEXT_OF(optimizer, item, rti_all_optimizers[i]->name)
TEXT_OF(optimizer, line, rti_all_optimizers[i]->title)

static void optimizer_print(int i) {
    const rti_optimizer_kind *k = rti_all_optimizers[i];
    int common;
    const rt_param *rows = rt_optimizer_common_rows(&common);
    printf("%s - %s\n", k->name, k->title);
    print_part("update", k->formula);
    print_rows_part("options of its own", k->rows, k->row_count);
    print_rows_part("options of all optimisers", rows, common);
    print_part("source", k->source);
    printf("\nexample\n  optimizer = { name = \"%s\", lr = 0.1, schedule = \"linear\" }   in [teacher] or "
           "[student]\n",
           k->name);
}

/* ---- schedules ---- */

COUNT_OF(schedule, rti_all_schedules)
ROWS_OF(schedule, rti_all_schedules)
TEXT_OF(schedule, item, rti_all_schedules[i]->name)
TEXT_OF(schedule, line, rti_all_schedules[i]->formula)

static void schedule_print(int i) {
    const rti_schedule *s = rti_all_schedules[i];
    printf("%s - schedule of the learning rate\n", s->name);
    print_part("factor of the rate after t epochs", s->formula);
    print_rows_part("options, beside those of the optimiser", s->rows, s->row_count);
    puts("\nschedule_by = \"step\" counts fractions of epochs, \"epoch\" whole ones; warmup = n lets the "
         "rate rise\n"
         "linearly over the first n epochs.");
}

/* ---- models ---- */

COUNT_OF(model, rti_all_models)
ROWS_OF(model, rti_all_models)
TEXT_OF(model, item, rti_all_models[i]->name)
TEXT_OF(model, line, rti_all_models[i]->title)

static void model_print(int i) {
    const rti_model_kind *k = rti_all_models[i];
    printf("%s - %s\n", k->name, k->title);
    print_rows_part("options in [teacher] or [student]", k->rows, k->row_count);
    printf("\nexample\n  [student]\n  model = \"%s\"\n", k->name);
}

/* ---- data sets ---- */

COUNT_OF(dataset, rti_all_dataset_kinds)
ROWS_OF(dataset, rti_all_dataset_kinds)
TEXT_OF(dataset, item, rti_all_dataset_kinds[i]->name)
TEXT_OF(dataset, line, rti_all_dataset_kinds[i]->title)

static void dataset_print(int i) {
    const rti_dataset_kind *k = rti_all_dataset_kinds[i];
    printf("%s - %s\n", k->name, k->title);
    print_part("files", k->files);
    print_rows_part("options of its own in [data]; retort help data shows those of all sets", k->rows,
                    k->row_count);
    if (k->fetch) printf("\nfetch it with: retort data fetch %s\n", k->fetch);
    printf("\nexample\n  [data]\n  set = \"%s\"\n", k->name);
}

/* ---- ops ---- */

COUNT_OF(op, rti_all_ops)
TEXT_OF(op, item, rti_all_ops[i]->name)
TEXT_OF(op, line, rti_all_ops[i]->formula)

static void op_print(int i) {
    const rti_op *op = rti_all_ops[i];
    printf("%s - op\n", op->name);
    print_part("formula", op->formula);
    printf("\ninputs\n  ");
    if (op->arity == RTI_VARIADIC) printf("varies");
    else printf("%d", op->arity);
    for (int k = 0; op->arity > 1 && k < op->arity; k++)
        if (!(op->differentiable >> k & 1u)) printf(", number %d receives no gradient", k + 1);
    printf("\n\ngradient\n  ");
    if (op->backward) printf("%d gradcheck cases: retort gradcheck %s\n", op->case_count, op->name);
    else puts("none");
    print_part("source", op->source);
    puts("\nThe prototype in C, with shapes, is in retort/ops.h.");
}

#define SHELF(shelf) \
    .count = shelf##_count, .item = shelf##_item, .line = shelf##_line, .print = shelf##_print

const rti_shelf rti_shelves[] = {
    {.name = "methods", .one = "method", SHELF(method), .rows = method_rows},
    {.name = "presets", .one = "preset", SHELF(preset)},
    {.name = "optimizers", .one = "optimiser", SHELF(optimizer), .rows = optimizer_rows},
    {.name = "schedules", .one = "schedule", SHELF(schedule), .rows = schedule_rows},
    {.name = "models", .one = "model", SHELF(model), .rows = model_rows},
    {.name = "datasets", .one = "data set", SHELF(dataset), .rows = dataset_rows},
    {.name = "ops", .one = "op", SHELF(op)},
    {.name = NULL},
};
