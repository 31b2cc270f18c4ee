/* suggest_report.c - what a search has found. See suggest.h.           Floor 8 (experiment) */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/plot.h"
#include "experiment/quantize.h"
#include "experiment/suggest.h"
#include "formats/csv.h"
#include "retort/alloc.h"

/* ---- judging ---- */

/* Accuracies of a finished trial's network in 8-bit integers. */
static rt_status judge_int8(const rti_plan *plan, int trial, double *validation, double *test,
                            rt_error *error) {
    enum { CALIBRATION = 1000 };
    char directory[RTI_PATH_MAX], weights[RTI_PATH_MAX];
    rti_trial_directory(plan, trial, directory, sizeof directory);
    RT_TRY(rti_path_join(weights, sizeof weights, directory, "weights.safetensors", error));
    const rti_quantize_config config = {.weights = weights,
                                        .set = plan->datasets[plan->trials[trial].dataset],
                                        .method = "none",
                                        .calibration = CALIBRATION};
    rti_quantize_result r;
    RT_TRY(rti_quantize(&config, &r, error));
    *validation = r.validation ? 1 - (double)r.after.validation_errors / (double)r.validation : NAN;
    *test = r.test ? 1 - (double)r.after.errors / (double)r.test : NAN;
    return RT_OK;
}

rt_status rti_suggest_judge(rti_candidate *c, const rti_plan *plan, int cell, bool int8, rt_error *error) {
    double validation[RTI_SEEDS_MAX], test[RTI_SEEDS_MAX];
    c->trials = plan->spec.seed_count;
    c->done = c->failed = 0;
    for (int s = 0; s < plan->spec.seed_count; s++) {
        rti_record r;
        RT_TRY(rti_record_read(plan, plan->cells[cell].trials[s], &r, error));
        bool done = r.state == RTI_DONE;
        c->done += done;
        c->failed += r.state == RTI_FAILED;
        validation[s] = done && r.validation_last.examples ? r.validation_last.accuracy : NAN;
        test[s] = done && r.test_last.examples ? r.test_last.accuracy : NAN;
        rti_record_deinit(&r);
        if (done && int8)
            RT_TRY(judge_int8(plan, plan->cells[cell].trials[s], &validation[s], &test[s], error));
    }
    c->validation = rti_estimate_of(validation, plan->spec.seed_count);
    c->test = rti_estimate_of(test, plan->spec.seed_count);
    /* One lucky seed of three must not win. */
    c->offer.accuracy = c->validation.count == c->trials ? c->validation.mean : NAN;
    return RT_OK;
}

static rt_status judge_teacher(rti_suggestion *s, const rti_plan *plan, rt_error *error) {
    const rti_trial *student = &plan->trials[plan->cells[0].trials[0]];
    double validation[RTI_TEACHERS_MAX], test[RTI_TEACHERS_MAX];
    for (int i = 0; i < student->reference_count; i++) {
        rti_record r;
        RT_TRY(rti_record_read(plan, student->references[i], &r, error));
        bool done = r.state == RTI_DONE;
        validation[i] = done && r.validation_last.examples ? r.validation_last.accuracy : NAN;
        test[i] = done && r.test_last.examples ? r.test_last.accuracy : NAN;
        rti_record_deinit(&r);
    }
    s->teacher_accuracy = rti_estimate_of(validation, student->reference_count).mean;
    s->teacher_test = rti_estimate_of(test, student->reference_count).mean;
    return RT_OK;
}

void rti_suggest_choose(rti_suggestion *s) {
    rti_offer offers[RTI_CANDIDATES_MAX + 1];
    for (int i = 0; i < s->count; i++) offers[i] = s->candidate[i].offer;
    rti_pareto_mark(offers, s->count);
    s->choice = rti_pareto_choose(offers, s->count, s->limits.accuracy, &s->chosen);
    for (int i = 0; i < s->count; i++) s->candidate[i].offer = offers[i];
}

static int cell_of(const rti_plan *plan, const rti_candidate *c) {
    for (int cell = 0; cell < plan->cell_count; cell++)
        if (!memcmp(plan->cells[cell].value, c->value, (size_t)plan->spec.axis_count * sizeof c->value[0]))
            return cell;
    return -1;
}

rt_status rti_suggest_read(rti_suggestion *s, const rti_plan *search, rt_error *error) {
    for (int i = 0; i < s->count; i++) {
        int cell = cell_of(search, &s->candidate[i]);
        RT_ASSERT(cell >= 0, "candidate %d is not in the search", i);
        RT_TRY(rti_suggest_judge(&s->candidate[i], search, cell, s->limits.int8, error));
    }
    RT_TRY(judge_teacher(s, search, error));
    rti_suggest_choose(s);
    return RT_OK;
}

rt_status rti_suggest_add_assisted(rti_suggestion *s, const rti_plan *plan, rt_error *error) {
    rti_candidate *c = &s->candidate[s->count];
    *c = s->candidate[s->chosen];
    c->assisted = true;
    RT_TRY(rti_suggest_judge(c, plan, 0, s->limits.int8, error));
    s->count++;
    rti_suggest_choose(s);
    return RT_OK;
}

/* ---- the table ---- */

/* Candidates by size, the assisted one behind the one it comes from. */
static void order_of(const rti_suggestion *s, int order[]) {
    for (int i = 0; i < s->count; i++) {
        int at = i;
        for (; at > 0 && s->candidate[i].offer.bytes < s->candidate[order[at - 1]].offer.bytes; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

typedef struct lines {
    const rti_suggestion *s;
    int order[RTI_CANDIDATES_MAX + 1];
} lines;

static void candidate_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    const lines *l = table->more;
    const rti_suggestion *s = l->s;
    char number[48];
    if (row == 0) {
        const char *const heads[] = {"", s->limits.int8 ? "bytes, int8" : "bytes, float32", "latency, us",
                                     "validation, %", ""};
        snprintf(out, RTI_LABEL_MAX, "%s", heads[column]);
        return;
    }
    const rti_candidate *c = &s->candidate[l->order[row - 1]];
    bool chosen = l->order[row - 1] == s->chosen;
    switch (column) {
    case 0:
        snprintf(out, RTI_LABEL_MAX, "%.180s%s", c->network, c->assisted ? ", assistant" : "");
        break;
    case 1:
        snprintf(out, RTI_LABEL_MAX, "%11.0f", c->offer.bytes);
        break;
    case 2:
        snprintf(out, RTI_LABEL_MAX, "%11.*f", c->offer.latency_us < 99.95 ? 1 : 0, c->offer.latency_us);
        break;
    case 3:
        if (c->validation.count)
            snprintf(out, RTI_LABEL_MAX, "%s", rti_percent(&c->validation, number));
        else
            snprintf(out, RTI_LABEL_MAX, "%s", c->failed ? "failed" : "not finished");
        break;
    default:
        if (c->done < c->trials && c->done)
            snprintf(out, RTI_LABEL_MAX, "%d of %d seeds", c->done, c->trials);
        else
            snprintf(out, RTI_LABEL_MAX, "%s", chosen ? "* chosen" : c->offer.front ? "front" : "");
    }
}

static void say_choice(rti_text *out, const rti_suggestion *s) {
    char accuracy[48], test[48];
    if (s->chosen < 0) {
        rti_text_append(out, "  nothing is chosen: no candidate is finished with all seeds\n");
        return;
    }
    const rti_candidate *c = &s->candidate[s->chosen];
    rti_text_printf(out, "  * chosen on validation: %s%s, %.0f bytes in %s, %.3g us\n", c->network,
                    c->assisted ? " with an assistant" : "", c->offer.bytes,
                    s->limits.int8 ? "int8" : "float32", c->offer.latency_us);
    if (s->choice == RTI_CHOICE_REACHES)
        rti_text_printf(out, "    the smallest that reaches the %.5g %% asked for: %s %%\n",
                        100 * s->limits.accuracy, rti_percent(&c->validation, accuracy));
    else if (!isnan(s->limits.accuracy))
        rti_text_printf(out,
                        "    NONE reaches the %.5g %% asked for; this is the most accurate one inside the "
                        "limits: %s %%\n",
                        100 * s->limits.accuracy, rti_percent(&c->validation, accuracy));
    else
        rti_text_printf(out, "    the most accurate one inside the limits: %s %%\n",
                        rti_percent(&c->validation, accuracy));
    if (!isnan(s->teacher_accuracy))
        rti_text_printf(out, "    its teacher: %.2f %% on validation, %.1f times its bytes\n",
                        100 * s->teacher_accuracy, s->teacher_bytes / c->offer.bytes);
    if (c->test.count)
        rti_text_printf(out, "    test accuracy, looked at for the choice only: %s %%%s",
                        rti_percent(&c->test, test), isnan(s->teacher_test) ? "\n" : "");
    if (c->test.count && !isnan(s->teacher_test))
        rti_text_printf(out, " (teacher %.2f %%)\n", 100 * s->teacher_test);
}

void rti_suggest_terminal(rti_text *out, const rti_suggestion *s) {
    lines l = {.s = s};
    order_of(s, l.order);
    rti_table table = {NULL, 0, 1 + s->count, 5, candidate_text, &l};
    rti_table_print(out, &table, 2);
    rti_text_printf(out, "\n  validation: mean%s over %d seed%s, last epoch\n",
                    s->seeds > 1 ? " and 95 % interval" : "", s->seeds, s->seeds == 1 ? "" : "s");
    rti_text_append(out, "  front: nobody else is smaller, faster and more accurate\n");
    say_choice(out, s);
}

/* ---- files ---- */

static void add_csv(rti_text *text, const rti_suggestion *s) {
    lines l = {.s = s};
    order_of(s, l.order);
    rti_text_append(text,
                    "network,bytes,latency_us,latency_low_us,latency_high_us,accuracy,accuracy_half,seeds,"
                    "front,front_bytes,front_latency,chosen,assistant,bytes_float32,bytes_bf16,"
                    "bytes_int8,parameters,multiply_adds,working_bytes\n");
    for (int i = 0; i < s->count; i++) {
        const rti_candidate *c = &s->candidate[l.order[i]];
        const double numbers[] = {c->offer.bytes,
                                  c->latency.median_us,
                                  c->latency.low_us,
                                  c->latency.high_us,
                                  c->validation.count ? c->validation.mean : NAN,
                                  c->validation.half};
        const int64_t whole[] = {c->done,
                                 c->offer.front,
                                 c->offer.front_bytes,
                                 c->offer.front_latency,
                                 l.order[i] == s->chosen,
                                 c->assisted,
                                 c->size.float32,
                                 c->size.bf16,
                                 c->size.int8,
                                 c->size.parameters,
                                 c->size.multiply_adds,
                                 c->size.working};
        rti_csv_append(text, c->network, true);
        for (int k = 0; k < 6; k++) rti_csv_add_number(text, numbers[k], false);
        for (int k = 0; k < 12; k++) rti_text_printf(text, ",%lld", (long long)whole[k]);
        rti_text_append(text, "\n");
    }
}

/* "30-30": a network without its input, its classes and its activation, for a point of the picture. */
static void short_name(const rti_candidate *c, char out[RTI_LABEL_MAX]) {
    const char *start = c->network, *end = strchr(c->network, ' ');
    size_t length = end ? (size_t)(end - start) : strlen(start);
    if (!strncmp(start, "cnn ", 4) || !strncmp(start, "resnet", 6) || !strncmp(start, "wrn", 3)) {
        snprintf(out, RTI_LABEL_MAX, "%s",
                 start); /* "cnn 1x28x28 8p-16p-fc32-10": behind the image's shape */
        const char *shape = strstr(start, "x");
        const char *widths = shape ? strpbrk(shape, " -") : NULL;
        if (widths) snprintf(out, RTI_LABEL_MAX, "%s", widths + 1);
        out[strcspn(out, ",")] = 0;
    } else {
        const char *inside = memchr(start, '-', length);
        if (inside) start = inside + 1, length -= (size_t)(start - c->network);
        snprintf(out, RTI_LABEL_MAX, "%.*s", (int)length, start);
    }
    char *last = strrchr(out, '-');
    if (last) *last = 0;
    if (c->assisted) snprintf(out + strlen(out), RTI_LABEL_MAX - strlen(out), "+A");
}

static void add_settings(rti_text *text, const rti_suggestion *s) {
    lines l = {.s = s};
    int known = 0;
    char name[40], path[RTI_PATH_MAX + 32], label[RTI_LABEL_MAX];
    order_of(s, l.order);
    rti_set_text(text, "experiment", s->name);
    snprintf(path, sizeof path, "%.*s/suggest.csv", RTI_PATH_MAX - 1, s->directory);
    rti_set_text(text, "data", path);
    rti_set_number(text, "seeds", s->seeds);
    rti_set_text(text, "bytes_are", s->limits.int8 ? "bytes in int8" : "bytes in float32");
    rti_set_number(text, "teacher", 100 * s->teacher_accuracy);
    rti_set_number(text, "least", 100 * s->limits.accuracy);
    rti_set_number(text, "max_bytes", s->limits.bytes > 0 ? s->limits.bytes : NAN);
    rti_set_number(text, "max_latency", s->limits.latency_us > 0 ? s->limits.latency_us : NAN);
    rti_set_number(text, "lines", s->count);
    rti_text_printf(text, "array names[%d]\n", s->count);
    for (int i = 0; i < s->count; i++) {
        const rti_candidate *c = &s->candidate[l.order[i]];
        known += c->validation.count > 0;
        snprintf(name, sizeof name, "names[%d]", i + 1);
        short_name(c, label);
        rti_set_text(text, name, label);
    }
    rti_set_number(text, "known", known);
}

rt_status rti_suggest_write(const rti_suggestion *s, const rti_plan *plan, const char *program, bool plots,
                            bool *drawn, char trouble[512], rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    *drawn = false;
    trouble[0] = 0;
    add_csv(&text, s);
    rt_status status = rti_report_file(plan, "suggest.csv", &text, error);
    rti_text_clear(&text);
    bool any = false;
    for (int i = 0; i < s->count; i++) any = any || s->candidate[i].validation.count;
    if (status == RT_OK && plots && any) {
        add_settings(&text, s);
        status = rti_draw_alone(plan, program, "pareto", &text, drawn, trouble, error);
    }
    rti_text_deinit(&text);
    return status;
}
