/* synthetic.c - see synthetic.h. */
#include "synthetic.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "retort/alloc.h"

static const double temperatures[] = {1, 2, 4, 8, 20};
static const double alphas[] = {0, 0.5, 0.9, 1};
enum { EPOCHS = 30, TEST = 2000, VALIDATION = 1000 };

int synthetic_teacher_errors(void) { return 15; }

int synthetic_errors(int facet, int t, int a, int seed) {
    static const int by_temperature[] = {4, 9, 14, 12, 6}, by_alpha[] = {0, 2, 4, 3},
                     by_seed[] = {0, 3, -2, 5, 1};
    int scratch = (facet ? 44 : 86) + by_seed[seed % 5];
    if (a == 0) return scratch;
    return scratch - by_temperature[t] * by_alpha[a] / (facet ? 6 : 2) + (t + 2 * a + seed * (t + 1)) % 3 - 1;
}

void synthetic_set_errors(rti_record *r, int errors) {
    double rate = (double)errors / TEST;
    r->state = RTI_DONE;
    r->test_last = (rt_quality){.examples = TEST, .errors = errors, .accuracy = 1.0 - rate, .nll = 3.0 * rate,
                                .brier = 1.5 * rate, .ece = 0.4 * rate, .has_teacher = true,
                                .agreement = 1.0 - 0.9 * rate, .teacher_kl = 2.0 * rate};
    r->test_best = r->test_last;
    r->test_best.errors = errors - 1;
    r->validation_last = (rt_quality){.examples = VALIDATION, .errors = errors / 2, .nll = 3.0 * rate};
    r->validation_best = r->validation_last;
}

/* Learning curves that fall to the final error like a power of the epoch. */
static void fill(rti_record *r, int errors, int epochs, int64_t width, int trial) {
    synthetic_set_errors(r, errors);
    r->epochs = epochs;
    r->best_epoch = epochs - 2;
    r->cost = (rt_model_cost){784 * width + width * width + 10 * width + 2 * width + 10,
                              784 * width + width * width + 10 * width,
                              4 * (784 * width + width * width + 12 * width + 10)};
    r->seconds = 0.001 * (double)width * epochs;
    r->latency_us = 0.1 * (double)width;
    r->peak_megabytes = 20.0 + (double)width / 50.0;
    r->epoch_count = epochs;
    r->rows = rt_alloc_zero((size_t)epochs, sizeof *r->rows);
    cr_assert(r->rows);
    for (int e = 0; e < epochs; e++) {
        double wave = 1.0 + 0.06 * sin(2.3 * e + 1.7 * trial);
        double rate = (double)errors / TEST * (1.0 + 6.0 * pow(e + 1.0, -0.9)) * wave;
        r->rows[e] =
            (rti_epoch_row){e + 1, 3.0 * rate, 1.0 - 0.7 * rate, 1.0 - rate, 3.0 * rate, 0.1, NAN};
    }
}

static void axis_reals(rti_axis *axis, const char *key, const double values[], int count) {
    snprintf(axis->key, sizeof axis->key, "%s", key);
    axis->count = count;
    for (int i = 0; i < count; i++) axis->values[i] = (rt_value){.type = RT_PARAM_REAL, .number = values[i]};
}

static void make_axes(rti_plan *plan, const synthetic_options *o) {
    rti_spec *spec = &plan->spec;
    plan->temperature_axis = plan->alpha_axis = -1;
    if (o->facets > 1) {
        rti_axis *axis = &spec->axes[spec->axis_count++];
        snprintf(axis->key, sizeof axis->key, "student.hidden");
        axis->count = 2;
        axis->values[0] = (rt_value){.type = RT_PARAM_INTS, .count = 2, .items = {30, 30}};
        axis->values[1] = (rt_value){.type = RT_PARAM_INTS, .count = 2, .items = {800, 800}};
    }
    if (o->temperatures) {
        plan->temperature_axis = spec->axis_count;
        axis_reals(&spec->axes[spec->axis_count++], "distill.temperature", temperatures, o->temperatures);
    }
    if (o->alphas) {
        plan->alpha_axis = spec->axis_count;
        axis_reals(&spec->axes[spec->axis_count++], "distill.alpha", alphas, o->alphas);
    }
}

static int add_trial(rti_plan *plan, rti_record *records, rti_role role, uint64_t seed, int errors,
                     int64_t width) {
    int n = plan->trial_count++;
    rti_trial *trial = &plan->trials[n];
    trial->role = role;
    trial->seed = seed;
    trial->settings = plan->settings[0];
    snprintf(trial->id, sizeof trial->id, "%08x%024x", 0xabcd0000u + (unsigned)n, 0u);
    if (role != RTI_TEACHER) {
        trial->teacher_count = 1;
        trial->teachers[0] = 0;
        trial->reference_count = 1;
    }
    fill(&records[n], errors, EPOCHS, width, n);
    if (role == RTI_TEACHER) records[n].test_last.has_teacher = false;
    return n;
}

synthetic synthetic_make(const synthetic_options *o, const char *directory) {
    int ts = o->temperatures ? o->temperatures : 1, as = o->alphas ? o->alphas : 1;
    int cells = o->facets * ts * as, most = 1 + o->facets * o->seeds * (1 + ts * as);
    rti_plan *plan = rt_alloc_zero(1, sizeof *plan);
    rti_record *records = rt_alloc_zero((size_t)most, sizeof *records);
    cr_assert(plan && records);
    plan->trials = rt_alloc_zero((size_t)most, sizeof *plan->trials);
    plan->cells = rt_alloc_zero((size_t)cells, sizeof *plan->cells);
    plan->settings = rt_alloc_zero(1, sizeof *plan->settings);
    cr_assert(plan->trials && plan->cells && plan->settings);
    plan->settings[0] = rt_alloc_zero(1, sizeof **plan->settings);
    cr_assert(plan->settings[0]);
    snprintf(plan->spec.name, sizeof plan->spec.name, "synthetic");
    snprintf(plan->spec.path, sizeof plan->spec.path, "experiments/synthetic.toml");
    snprintf(plan->directory, sizeof plan->directory, "%s", directory);
    plan->spec.seed_count = o->seeds;
    for (int s = 0; s < o->seeds; s++) plan->spec.seeds[s] = (uint64_t)s + 1;
    plan->facet_count = o->facets;
    make_axes(plan, o);

    add_trial(plan, records, RTI_TEACHER, 1000, synthetic_teacher_errors(), 1200);
    for (int f = 0; f < o->facets; f++) {
        int first_scratch = plan->trial_count;
        int64_t width = f ? 800 : 30;
        for (int s = 0; s < o->seeds; s++)
            add_trial(plan, records, RTI_SCRATCH, (uint64_t)s + 1, synthetic_errors(f, 0, 0, s), width);
        for (int t = 0; t < ts; t++)
            for (int a = 0; a < as; a++) {
                rti_cell *cell = &plan->cells[plan->cell_count++];
                int axis = 0;
                if (o->facets > 1) cell->value[axis++] = f;
                if (o->temperatures) cell->value[axis++] = t;
                if (o->alphas) cell->value[axis++] = a;
                cell->facet = f;
                cell->row = -1;
                cell->trials = rt_alloc_zero((size_t)o->seeds, sizeof(int));
                cell->scratch = rt_alloc_zero((size_t)o->seeds, sizeof(int));
                cr_assert(cell->trials && cell->scratch);
                int alpha = o->alphas ? a : 2;
                for (int s = 0; s < o->seeds; s++) {
                    cell->scratch[s] = first_scratch + s;
                    cell->trials[s] = alpha == 0 ? first_scratch + s
                                                 : add_trial(plan, records, RTI_STUDENT, (uint64_t)s + 1,
                                                             synthetic_errors(f, t, alpha, s), width);
                }
            }
    }
    synthetic result = {
        plan, records, {o->facets, rt_alloc_zero((size_t)o->facets, sizeof(rti_facet_facts))}};
    cr_assert(result.facts.facets);
    for (int f = 0; f < o->facets; f++)
        result.facts.facets[f] = (rti_facet_facts){
            rt_strdup("made up: 8000 train, 1000 validation, 2000 test"),
            rt_strdup("0123456789abcdef0123456789abcdef"),
            rt_strdup("784-1200-1200-10 relu"),
            rt_strdup(f ? "784-800-800-10 relu" : "784-30-30-10 relu"),
            rt_strdup("kd: Hinton's distillation"),
            rt_strdup(
                "L = (1 - 0.9) CE(y, softmax(z_s)) + 0.9 * 16 * KL( softmax(z_t/4) || softmax(z_s/4) )\n"
                "summed over classes, mean over the batch"),
            f * ts * as + (ts > 2 ? 2 * as : 0) + (as > 2 ? 2 : 0),
            {.parameters = 2395210, .float32 = 9580840, .bf16 = 4790420, .int8 = 2412480},
            {.parameters = 24820, .float32 = 99280, .bf16 = 49640, .int8 = 25310}};
    return result;
}

void synthetic_free(synthetic *s) {
    rti_facts_deinit(&s->facts);
    rt_free(s->plan->settings[0]);
    rt_free(s->plan->settings);
    rt_free(s->plan->trials);
    for (int c = 0; c < s->plan->cell_count; c++) {
        rt_free(s->plan->cells[c].trials);
        rt_free(s->plan->cells[c].scratch);
    }
    rt_free(s->plan->cells);
    rt_free(s->plan);
}
