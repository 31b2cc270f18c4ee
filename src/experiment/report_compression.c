/* report_compression.c - the table of compression in a sweep's report.  Floor 8 (experiment)
 *
 * Teacher, scratch student and chosen student of a facet, from their records: nothing is measured again.
 * Students are means over seeds; teachers that teach together are added up. */
#include <math.h>
#include <stdio.h>

#include "experiment/compression.h"

typedef double record_number(const rti_record *record);

static double one(const rti_record *r) { return r->latency_us; }
static double one_low(const rti_record *r) { return r->latency_low_us; }
static double one_high(const rti_record *r) { return r->latency_high_us; }
static double large(const rti_record *r) { return r->latency_1000_us; }
static double large_low(const rti_record *r) { return r->latency_1000_low_us; }
static double large_high(const rti_record *r) { return r->latency_1000_high_us; }

/* Mean over the finished trials; NaN when one has no such number, or none is finished. */
static double mean_of(const rti_summary *summary, const int trials[], int count, record_number *number) {
    double sum = 0;
    int done = 0;
    for (int i = 0; i < count; i++) {
        const rti_record *r = trials[i] < 0 ? NULL : &summary->records[trials[i]];
        if (!r || r->state != RTI_DONE) continue;
        sum += number(r);
        done++;
    }
    return done ? sum / done : NAN;
}

static rti_latency latency_of(const rti_summary *summary, const int trials[], int count, double times,
                              record_number *median, record_number *low, record_number *high) {
    rti_latency l = {.median_us = times * mean_of(summary, trials, count, median),
                     .low_us = times * mean_of(summary, trials, count, low),
                     .high_us = times * mean_of(summary, trials, count, high)};
    l.runs = isfinite(l.median_us) ? 1 : 0;
    return l;
}

static void set_accuracy(rti_compression_entry *e, const rti_summary *summary, const rti_group *group,
                         const int trials[], int count) {
    const rti_estimate *error = &group->test_last;
    e->accuracy = error->count ? 1 - error->mean : NAN;
    e->low = e->high = NAN;
    e->is_mean = error->count > 1;
    if (e->is_mean && isfinite(error->half)) {
        e->low = fmax(e->accuracy - error->half, 0);
        e->high = fmin(e->accuracy + error->half, 1);
    }
    for (int i = 0; error->count == 1 && i < count; i++) {
        const rti_record *r = trials[i] < 0 ? NULL : &summary->records[trials[i]];
        if (!r || r->state != RTI_DONE || !r->test_last.examples) continue;
        rti_wilson(r->test_last.examples - r->test_last.errors, r->test_last.examples, &e->low, &e->high);
    }
    e->agreement = group->agreement.count ? group->agreement.mean : NAN;
}

/* together: the trials answer as one. */
static void add(rti_compression *c, const rti_summary *summary, const char *name, const rti_group *group,
                const rti_size *size, const int trials[], int count, bool together) {
    if (!group->done) return;
    rti_compression_entry *e = &c->entry[c->count++];
    double times = together ? count : 1;
    snprintf(e->name, sizeof e->name, "%s", name);
    e->networks = together ? count : 1;
    rti_size sizes[RTI_TEACHERS_MAX];
    for (int i = 0; i < e->networks; i++) sizes[i] = *size;
    e->size = rti_size_sum(sizes, e->networks);
    e->one = latency_of(summary, trials, count, times, one, one_low, one_high);
    e->large = latency_of(summary, trials, count, times, large, large_low, large_high);
    set_accuracy(e, summary, group, trials, count);
}

void rti_compression_of_facet(rti_compression *c, const rti_summary *summary, const rti_facet_facts *facts,
                              int facet) {
    const rti_plan *plan = summary->plan;
    const rti_facet_summary *f = &summary->facets[facet];
    const rti_cell *cell = &plan->cells[facts->contract_cell];
    int seeds = plan->spec.seed_count;
    c->count = 0;
    if (cell->trials[0] >= 0 && f->teacher.trials) {
        const rti_trial *student = &plan->trials[cell->trials[0]];
        add(c, summary, student->reference_count > 1 ? "teachers" : "teacher", &f->teacher,
            &facts->teacher_size, student->references, student->reference_count, true);
    }
    c->has_teacher = c->count > 0;
    add(c, summary, "scratch student", &f->scratch, &facts->student_size, plan->cells[f->first_cell].scratch,
        seeds, false);
    if (f->best_cell >= 0)
        add(c, summary, "chosen student", &summary->cells[f->best_cell].students, &facts->student_size,
            plan->cells[f->best_cell].trials, seeds, false);
}
