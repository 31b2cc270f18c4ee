/* taught.c - which training images taught a class that is in none of them.  Floor 8 (experiment)
 *
 * A student that never saw a 3 was told by its soft targets how much of a 3 is in an 8 and in a 5. Here are
 * the transfer examples that told it most. At a high T the gradient of the soft term for a class is about the
 * teacher's logit for it minus the mean of its logits (Hinton, Vinyals, Dean 2015, arXiv 1503.02531, eq. 4),
 * so that is what they are ranked by. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/findings.h"
#include "ops/softmax_row.h"

/* ---- which cell --------------------------------------------------------------------------------- */

/* The first finished student of the first cell with one unseen class; -1: none. */
static int find_student(rti_taught *t, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    rti_unseen unseen;
    for (int c = 0; c < plan->cell_count; c++)
        for (int s = 0; s < plan->spec.seed_count && !summary->cells[c].is_scratch; s++) {
            const int trial = plan->cells[c].trials[s];
            if (trial < 0 || plan->trials[trial].role != RTI_STUDENT) continue;
            if (summary->records[trial].state != RTI_DONE) continue;
            rti_unseen_find(&unseen, plan, trial);
            if (unseen.count != 1) break;
            t->cell = c;
            t->T = rti_cell_temperature(plan, c);
            for (t->class = 0; !unseen.is_unseen[t->class];) t->class ++;
            return trial;
        }
    return -1;
}

/* ---- ranking ------------------------------------------------------------------------------------ */

/* v_k - mean of v */
static double centred(const rt_real *v, int64_t classes, int k) {
    double sum = 0;
    for (int64_t j = 0; j < classes; j++) sum += (double)v[j];
    return (double)v[k] - sum / (double)classes;
}

/* Keeps the largest, the first of equals before the later. */
static void insert(rti_taught *t, int32_t position, int32_t label, double logit) {
    int at = t->count;
    while (at > 0 && t->example[at - 1].logit < logit) at--;
    if (at == RTI_TAUGHT_IMAGES) return;
    int moved = t->count < RTI_TAUGHT_IMAGES ? t->count - at : RTI_TAUGHT_IMAGES - 1 - at;
    memmove(&t->example[at + 1], &t->example[at], (size_t)moved * sizeof t->example[0]);
    t->example[at].position = position;
    t->example[at].label = label;
    t->example[at].logit = logit;
    if (t->count < RTI_TAUGHT_IMAGES) t->count++;
}

static double probability(const rti_answers *answers, int64_t i, int k, double T) {
    double p[RTI_UNSEEN_CLASSES_MAX], log_p[RTI_UNSEEN_CLASSES_MAX];
    rti_softmax_row(answers->classes, answers->logits + i * answers->classes, T, p, log_p);
    return p[k];
}

static rt_status rank(rti_taught *t, const rti_summary *summary, int student, rt_error *error) {
    rti_answers answers;
    RT_TRY(rti_answers_of_teacher(&answers, summary, student, RT_PART_TRANSFER, t->T, error));
    if (answers.classes > RTI_UNSEEN_CLASSES_MAX || t->class >= answers.classes) answers.count = 0;
    for (int64_t i = 0; i < answers.count; i++)
        insert(t, (int32_t)i, answers.labels[i],
               centred(answers.logits + i * answers.classes, answers.classes, t->class));
    for (int e = 0; e < t->count; e++)
        t->example[e].p_soft = probability(&answers, t->example[e].position, t->class, t->T);
    rti_answers_deinit(&answers);
    if (!t->count) return RT_OK;
    /* Probabilities of members may be combined at T: those at 1 are others. */
    RT_TRY(rti_answers_of_teacher(&answers, summary, student, RT_PART_TRANSFER, 1, error));
    for (int e = 0; e < t->count; e++)
        t->example[e].p = probability(&answers, t->example[e].position, t->class, 1);
    rti_answers_deinit(&answers);
    return RT_OK;
}

static const rt_part *transfer_of(const rti_plan *plan, int cell) {
    const rti_trial *student = &plan->trials[plan->cells[cell].trials[0]];
    return rt_dataset_part(plan->datasets[student->dataset], RT_PART_TRANSFER);
}

rt_status rti_taught_make(rti_taught *taught, const rti_summary *summary, rt_error *error) {
    *taught = (rti_taught){0};
    const int student = summary->plan->dataset_count ? find_student(taught, summary) : -1;
    if (student < 0) return RT_OK;
    rt_status status = rank(taught, summary, student, error);
    if (status != RT_OK) taught->count = 0;
    taught->pictured = rti_is_picture(transfer_of(summary->plan, taught->cell)->examples);
    return status;
}

/* ---- files -------------------------------------------------------------------------------------- */

rt_status rti_taught_write(const rti_taught *t, const rti_summary *summary, rt_error *error) {
    if (!t->count) return RT_OK;
    const rt_part *part = transfer_of(summary->plan, t->cell);
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_append(&text, "rank,example,true,unseen,logit,probability,T,soft_target\n");
    for (int e = 0; e < t->count; e++) {
        rti_text_printf(&text, "%d,%d,%d,%d", e + 1, part->index[t->example[e].position], t->example[e].label,
                        t->class);
        rti_csv_add_number(&text, t->example[e].logit, false);
        rti_csv_add_number(&text, t->example[e].p, false);
        rti_csv_add_number(&text, t->T, false);
        rti_csv_add_number(&text, t->example[e].p_soft, false);
        rti_text_append(&text, "\n");
    }
    rt_status status = rti_report_file(summary->plan, "taught.csv", &text, error);
    rti_text_deinit(&text);
    if (status != RT_OK || !t->pictured) return status;
    rti_text_append(&text, "rank,x,y,red,green,blue\n");
    for (int e = 0; e < t->count; e++)
        rti_add_picture(&text, e + 1, part->examples, part->index[t->example[e].position]);
    status = rti_report_file(summary->plan, "taught-images.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}

void rti_taught_markdown(rti_text *out, const rti_taught *t, const rti_summary *summary) {
    char name[16];
    if (!t->count) return;
    const rti_plan *plan = summary->plan;
    const rti_trial *student = &plan->trials[plan->cells[t->cell].trials[0]];
    rti_text_append(out, "Of the transfer examples, none of which is of class ");
    rti_markdown_escape(out, rt_dataset_class_name(plan->datasets[student->dataset], t->class, name));
    rti_text_printf(
        out,
        ", taught.csv has the %d for which the teacher's logit for that class stands highest above "
        "the mean of its logits: what a student learns of the class it learns from such. The "
        "first gives it a probability of %.3g at T = 1 and of %.3g at T = %g.\n\n",
        t->count, t->example[0].p, t->example[0].p_soft, t->T);
}
