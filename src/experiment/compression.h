/* compression.h - what was gained and what was lost.                   Floor 8 (experiment)
 *
 * One entry for each network, the teacher first; several networks that answer together are one entry, which
 * counts as what it costs: everything is added but working memory, as they can answer one after another.
 * Entries are filled by measuring trained networks, or from the records of a sweep (report_compression.c).
 *
 *     rti_compression *c = rt_alloc_zero(1, sizeof *c);
 *     rti_compression_measure(&c->entry[0], "teacher", members, 3, RT_COMBINE_LOGITS, NULL, test, &error);
 *     rti_compression_measure(&c->entry[1], "student", &student, 1, RT_COMBINE_LOGITS, teacher, test,
 *                             &error);
 *     c->count = 2, c->has_teacher = true;
 *     rti_table table = rti_table_compression(c);
 */
#ifndef RTI_COMPRESSION_H
#define RTI_COMPRESSION_H

#include "deploy/size.h"
#include "experiment/latency.h"
#include "experiment/report_parts.h"

#define RTI_COMPRESSION_MAX 33
#define RTI_LARGE_BATCH 1000

typedef struct rti_compression_entry {
    char name[RTI_LABEL_MAX];     /* "teacher", "student 1" */
    char network[RTI_LABEL_MAX];  /* "784-30-30-10 relu" */
    char source[RTI_LABEL_MAX];   /* where it lies; "" */
    int networks;                 /* that answer together */
    rti_size size;                /* all 0: not known */
    rti_latency one, large;       /* batch 1, batch RTI_LARGE_BATCH */
    double accuracy, low, high;   /* parts of 1, on test data; NaN: not known */
    bool is_mean;                 /* over seeds, low and high are that mean's interval; else Wilson's */
    double agreement;             /* with the teacher; NaN */
} rti_compression_entry;

typedef struct rti_compression {
    int count;
    bool has_teacher;             /* entry 0 is what the others are compared with */
    rti_compression_entry entry[RTI_COMPRESSION_MAX];
} rti_compression;

/* Sizes, times and answers of `count` networks together. `teacher` (may be NULL) is what agreement is with.
 * The entry's source is left as it is. RT_SHAPE, RT_NOT_FINITE, RT_VALUE (no examples), RT_MEMORY. */
rt_status rti_compression_measure(rti_compression_entry *entry, const char *name, rt_model *const models[],
                                  int count, rt_combine combine, rt_teacher *teacher, const rt_part *part,
                                  rt_error *error) RT_MUST_CHECK;

/* report_compression.c: teacher, scratch and chosen student of a facet, as far as they are finished, from
 * their records. */
void rti_compression_of_facet(rti_compression *compression, const rti_summary *summary,
                              const rti_facet_facts *facts, int facet);

/* A line a quantity, a column a network. `compression` is borrowed. */
rti_table rti_table_compression(const rti_compression *compression);

/* What must be known to read it: before and after each sentence. */
void rti_compression_notes(rti_text *out, const rti_compression *compression, const char *before,
                           const char *after);

/* A row a network, numbers unrounded; accuracies are parts of 1. */
void rti_compression_csv(const rti_compression *compression, rti_text *out);
void rti_compression_json(const rti_compression *compression, const char *data, rti_text *out);

#endif
