/* specialists_files.c - the numbers of specialists as files, and their picture.  Floor 8 (experiment) */
#include "experiment/specialists_files.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/plot.h"
#include "formats/csv.h"
#include "formats/json.h"
#include "retort/alloc.h"

typedef void add_function(rti_text *out, const rti_specialists_result *r);

/* ---- tables ---- */

static void add_accuracy(rti_text *out, const rti_specialists_result *r) {
    rti_text_append(out, "seed,test,generalist_right,right,won,lost,conditional_classes,conditional_test,"
                         "conditional_generalist_right,conditional_right,on_epochs,on_right,"
                         "conditional_on_right,descent_steps,descent_gradient\n");
    for (int i = 0; i < r->seed_count; i++) {
        const rti_specialists_seed *s = &r->seeds[i];
        const int64_t whole[] = {s->all.examples,
                                 s->all.generalist,
                                 s->all.full,
                                 s->won,
                                 s->lost,
                                 s->union_classes,
                                 s->conditional.examples,
                                 s->conditional.generalist,
                                 s->conditional.full,
                                 s->on_epochs,
                                 s->on,
                                 s->conditional_on};
        rti_text_printf(out, "%" PRIu64, s->seed);
        for (int k = 0; k < 12; k++) rti_text_printf(out, ",%" PRId64, whole[k]);
        rti_csv_add_number(out, s->steps, false);
        rti_csv_add_number(out, s->gradient, false);
        rti_text_append(out, "\n");
    }
}

/* Rows of seeds, then one of "mean" for each number of covering specialists. */
static void add_coverage(rti_text *out, const rti_specialists_result *r) {
    const int most = rti_coverage_most(r);
    rti_text_append(out, "seed,covering,test,generalist_right,right,delta,relative_percent,delta_half,"
                         "relative_half,seeds\n");
    for (int i = 0; i < r->seed_count; i++)
        for (int sets = 0; sets <= most; sets++) {
            const rti_counts *c = &r->seeds[i].covered[sets];
            if (!c->examples) continue;
            const int64_t delta = c->full - c->generalist;
            rti_text_printf(out, "%" PRIu64 ",%d,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64,
                            r->seeds[i].seed, sets, c->examples, c->generalist, c->full, delta);
            rti_csv_add_number(out, c->generalist ? 100 * (double)delta / (double)c->generalist : NAN, false);
            rti_text_append(out, ",,,1\n");
        }
    for (int sets = 0; sets <= most; sets++) {
        const rti_coverage c = rti_coverage_of(r, sets);
        if (!c.seeds) continue;
        const double numbers[] = {c.examples.mean, NAN, NAN, c.delta.mean, c.relative.mean, c.delta.half,
                                  c.relative.half};
        rti_text_printf(out, "mean,%d", sets);
        for (int k = 0; k < 7; k++) rti_csv_add_number(out, numbers[k], false);
        rti_text_printf(out, ",%d\n", c.seeds);
    }
}

static void add_specialists(rti_text *out, const rti_specialists_result *r) {
    rti_text_append(out, "seed,specialist,train_special,train_rest,dustbin_shift,test_asked,test_inside,"
                         "inside_generalist_right,inside_right,inside_alone_right\n");
    for (int i = 0; i < r->seed_count; i++)
        for (int m = 0; m < r->count; m++) {
            const rti_specialist_row *s = &r->seeds[i].row[m];
            rti_text_printf(out, "%" PRIu64 ",%d,%" PRId64 ",%" PRId64, r->seeds[i].seed, m + 1, s->special,
                            s->rest);
            rti_csv_add_number(out, s->shift, false);
            rti_text_printf(out, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n", s->asked,
                            s->inside.examples, s->inside.generalist, s->inside.full, s->alone);
        }
}

static void add_sets(rti_text *out, const rti_specialists_result *r) {
    rti_text_append(out, "seed,specialist,place,class,name,from,score\n");
    for (int i = 0; i < r->seed_count; i++) {
        const rti_special_sets *s = &r->seeds[i].sets;
        for (int at = 0; at < s->count * s->n; at++) {
            const int m = at / s->n, place = at % s->n;
            char buffer[16];
            rti_text_printf(out, "%" PRIu64 ",%d,%d,%d", r->seeds[i].seed, m + 1, place, (int)s->classes[at]);
            rti_csv_append(out, rt_dataset_class_name(r->set, s->classes[at], buffer), false);
            rti_csv_append(out,
                           r->law == RTI_SETS_RANDOM ? "random"
                           : place < s->own[m]       ? "cluster"
                                                     : "filled",
                           false);
            rti_csv_add_number(out, s->score[at], false);
            rti_text_append(out, "\n");
        }
    }
}

static void add_json(rti_text *out, const rti_specialists_result *r) {
    rti_json_writer w = {.text = out, .indent = true};
    rti_json_begin_object(&w, NULL);
    rti_json_add_string(&w, "generalist", r->generalist);
    rti_json_add_string(&w, "generalist_hash", r->generalist_hash);
    rti_json_add_string(&w, "data", rt_dataset_summary(r->set));
    rti_json_add_string(&w, "data_hash", rt_dataset_hash(r->set));
    rti_json_add_integer(&w, "specialists", r->count);
    rti_json_add_integer(&w, "classes", r->n);
    rti_json_add_string(&w, "sets", rti_set_law_name(r->law));
    rti_json_add_integer(&w, "epochs", r->epochs);
    rti_json_add_string(&w, "optimizer", r->rates);
    rti_json_add_integer(&w, "cover", r->cover);
    rti_json_add_number(&w, "descent_tolerance", RTI_DESCENT_TOLERANCE);
    rti_json_begin_array(&w, "seeds");
    for (int i = 0; i < r->seed_count; i++) rti_json_add_integer(&w, NULL, (int64_t)r->seeds[i].seed);
    rti_json_end(&w);
    rti_json_end(&w);
    rti_text_append(out, "\n");
}

/* ---- the picture ---- */

static void add_settings(rti_text *out, const rti_specialists_result *r, const char *name) {
    char path[RTI_PATH_MAX + 32];
    const int most = rti_coverage_most(r);
    rti_set_text(out, "experiment", name);
    snprintf(path, sizeof path, "%.*s/coverage.csv", RTI_PATH_MAX - 1, r->directory);
    rti_set_text(out, "data", path);
    rti_set_number(out, "seeds", r->seed_count);
    rti_set_number(out, "specialists", r->count);
    rti_set_number(out, "classes", r->n);
    rti_set_number(out, "most", most);
    rti_text_printf(out, "array examples[%d]\n", most + 1);
    for (int sets = 0; sets <= most; sets++) {
        const rti_coverage c = rti_coverage_of(r, sets);
        rti_text_printf(out, "examples[%d] = %.0f\n", sets + 1, c.seeds ? c.examples.mean : 0);
    }
}

static rt_status draw(rti_specialists_result *r, const char *name, const char *program, const rti_plan *place,
                      rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    add_settings(&text, r, name);
    rt_status status = rti_draw_alone(place, program, "coverage", &text, &r->drawn, r->trouble, error);
    rti_text_deinit(&text);
    return status;
}

/* ---- all ---- */

static rt_status write_all(rti_specialists_result *r, const char *name, const char *program, bool plots,
                           const rti_plan *place, rt_error *error) {
    static const struct {
        const char *name;
        add_function *add;
    } files[] = {{"accuracy.csv", add_accuracy},
                 {"coverage.csv", add_coverage},
                 {"specialists.csv", add_specialists},
                 {"sets.csv", add_sets},
                 {"specialists.json", add_json}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        rti_text text = RTI_TEXT_EMPTY;
        files[i].add(&text, r);
        rt_status status = rti_report_file(place, files[i].name, &text, error);
        rti_text_deinit(&text);
        RT_TRY(status);
    }
    if (plots) RT_TRY(draw(r, name, program, place, error));
    return rti_specialists_report(r, name, place, error);
}

rt_status rti_specialists_write(rti_specialists_result *r, const char *name, const char *program, bool plots,
                                rt_error *error) {
    rti_plan *place = rt_alloc_zero(1, sizeof *place); /* the shared writers ask a plan for its directory */
    if (!place) return rt_fail(error, RT_MEMORY, "no memory for the report");
    snprintf(place->directory, sizeof place->directory, "%s", r->directory);
    rt_status status = write_all(r, name, program, plots, place, error);
    rt_free(place);
    return status;
}
