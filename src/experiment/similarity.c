/* similarity.c - which classes a teacher takes for alike.              Floor 8 (experiment)
 *
 * What soft targets say beyond the labels is which classes look alike (Hinton, Vinyals, Dean 2015, arXiv
 * 1503.02531, section 1): this 2 is a little like a 3. The mean soft target of each true class over
 * the transfer set, at the temperature the student learns at, stands here beside what is confused with
 * what on the test set, by the teacher and by the students of the chosen cell; rank correlations say how
 * much of the one is in the other.
 *
 * Of the first facet with a finished teacher, and at most RTI_SIMILARITY_CLASSES classes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/findings.h"
#include "ops/softmax_row.h"
#include "retort/alloc.h"

enum { K_MAX = RTI_SIMILARITY_CLASSES };

/* ---- what is looked at -------------------------------------------------------------------------- */

/* The chosen cell, else the first that can be shown; -1: none. */
static int shown_cell(const rti_summary *summary, int facet) {
    int cell = summary->facets[facet].best_cell;
    if (cell < 0 && rti_shown_cells(summary, facet, &cell, 1) == 0) return -1;
    return cell;
}

double rti_cell_temperature(const rti_plan *plan, int cell) {
    static const char *const names[] = {"temperature", "kd.temperature"};
    int trial = cell < 0 ? -1 : plan->cells[cell].trials[0];
    for (int i = 0; trial >= 0 && i < 2; i++) {
        const rt_params *rows = &plan->trials[trial].settings->distill;
        if (rt_params_find(rows, names[i]) >= 0 && rt_params_real(rows, names[i]) > 0)
            return rt_params_real(rows, names[i]);
    }
    return 4;
}

static rt_status add_soft_targets(rti_similarity *s, const rti_summary *summary, int student,
                                  rt_error *error) {
    rti_answers answers;
    double p[2 * K_MAX] = {0};
    RT_TRY(rti_answers_of_teacher(&answers, summary, student, RT_PART_TRANSFER, s->T, error));
    const bool fits = answers.logits && answers.classes <= K_MAX;
    if (fits) s->classes = (int)answers.classes;
    for (int64_t i = 0; fits && i < answers.count; i++) {
        const int32_t y = answers.labels[i];
        rti_softmax_row(answers.classes, answers.logits + i * answers.classes, s->T, p, p + K_MAX);
        s->examples[y]++;
        for (int k = 0; k < s->classes; k++) s->soft[y][k] += p[k];
    }
    rti_answers_deinit(&answers);
    for (int y = 0; y < s->classes; y++) /* NaN for a class that the transfer set has none of */
        for (int k = 0; k < s->classes; k++) s->soft[y][k] /= (double)s->examples[y];
    return RT_OK;
}

static rt_status add_confusion(int64_t counts[K_MAX][K_MAX], rti_answers *answers, int classes, bool *any,
                               rt_error *error) {
    rt_status status = RT_OK;
    if (answers->logits && answers->classes == classes) {
        int32_t *top = rt_alloc((size_t)(answers->count + 1) * sizeof *top);
        if (top)
            rti_answers_top(answers, top);
        else
            status = rt_fail(error, RT_MEMORY, "not enough memory for the answers of a network");
        for (int64_t i = 0; top && i < answers->count; i++) counts[answers->labels[i]][top[i]]++;
        *any = *any || (top && answers->count > 0);
        rt_free(top);
    }
    rti_answers_deinit(answers);
    return status;
}

static rt_status add_students(rti_similarity *s, const rti_summary *summary, int cell, rt_error *error) {
    const rti_plan *plan = summary->plan;
    rti_answers answers;
    for (int i = 0; cell >= 0 && i < plan->spec.seed_count; i++) {
        int trial = plan->cells[cell].trials[i];
        if (trial < 0 || summary->records[trial].state != RTI_DONE) continue;
        RT_TRY(rti_answers_of_done(&answers, summary, trial, RT_PART_TEST, error));
        RT_TRY(add_confusion(s->students, &answers, s->classes, &s->has_students, error));
    }
    return RT_OK;
}

/* ---- how much of it is the same ----------------------------------------------------------------- */

static double share_of(const rti_similarity *s, const int64_t row[K_MAX], int k) {
    int64_t sum = 0;
    for (int i = 0; i < s->classes; i++) sum += row[i];
    return sum ? (double)row[k] / (double)sum : NAN;
}

static rt_status correlate(const rti_similarity *s, const int64_t counts[K_MAX][K_MAX], double *rho,
                           rt_error *error) {
    double soft[K_MAX * K_MAX], confused[K_MAX * K_MAX];
    int count = 0;
    for (int y = 0; y < s->classes; y++)
        for (int k = 0; k < s->classes; k++) {
            if (k == y) continue;
            soft[count] = s->soft[y][k];
            confused[count++] = share_of(s, counts[y], k);
        }
    return rti_spearman(soft, confused, count, rho, error);
}

static rt_status look(rti_similarity *s, const rti_summary *summary, int facet, rt_error *error) {
    int student = rti_facet_student(summary->plan, facet), cell = shown_cell(summary, facet);
    rti_answers answers;
    s->facet = facet;
    s->T = rti_cell_temperature(summary->plan, cell);
    RT_TRY(add_soft_targets(s, summary, student, error));
    if (s->classes < 2) return RT_OK;
    RT_TRY(rti_answers_of_teacher(&answers, summary, student, RT_PART_TEST, 1, error));
    RT_TRY(add_confusion(s->teacher, &answers, s->classes, &s->has_teacher, error));
    RT_TRY(add_students(s, summary, cell, error));
    RT_TRY(correlate(s, s->teacher, &s->rho_teacher, error));
    return correlate(s, s->students, &s->rho_students, error);
}

rt_status rti_similarity_make(rti_similarity *similarity, const rti_summary *summary, rt_error *error) {
    const rti_plan *plan = summary->plan;
    *similarity = (rti_similarity){.rho_teacher = NAN, .rho_students = NAN};
    rt_status status = RT_OK;
    for (int f = 0; f < plan->facet_count && plan->dataset_count && status == RT_OK && !similarity->classes;
         f++) {
        int student = rti_facet_student(plan, f);
        if (student < 0) continue;
        const rt_part *part = rt_dataset_part(plan->datasets[plan->trials[student].dataset],
                                              RT_PART_TRANSFER);
        if (part->examples->classes <= K_MAX) status = look(similarity, summary, f, error);
    }
    if (status != RT_OK || similarity->classes < 2) similarity->classes = 0;
    return status;
}

/* ---- files -------------------------------------------------------------------------------------- */

rt_status rti_similarity_write(const rti_similarity *s, const rti_summary *summary, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    if (!s->classes) return RT_OK;
    rti_text_append(&text, "true,class,soft_target,teacher,teacher_share,students,students_share\n");
    for (int y = 0; y < s->classes; y++)
        for (int k = 0; k < s->classes; k++) {
            rti_text_printf(&text, "%d,%d", y, k);
            rti_csv_add_number(&text, s->soft[y][k], false);
            rti_text_printf(&text, ",%lld", (long long)s->teacher[y][k]);
            rti_csv_add_number(&text, share_of(s, s->teacher[y], k), false);
            rti_text_printf(&text, ",%lld", (long long)s->students[y][k]);
            rti_csv_add_number(&text, share_of(s, s->students[y], k), false);
            rti_text_append(&text, "\n");
        }
    rt_status status = rti_report_file(summary->plan, "similarity.csv", &text, error);
    rti_text_deinit(&text);
    return status;
}

static void rho_text(rti_text *out, const char *who, bool known, double rho) {
    if (known && isfinite(rho)) rti_text_printf(out, "* with the confusions of %s: %.2f\n", who, rho);
}

void rti_similarity_markdown(rti_text *out, const rti_similarity *s, const rti_summary *summary) {
    char label[RTI_LABEL_MAX];
    if (!s->classes) return;
    int cell = shown_cell(summary, s->facet);
    rti_text_printf(
        out,
        "## Similar classes\n\nRank correlation (Spearman) over pairs of different classes between the "
        "teacher's mean soft target for a true class at T = %g, over the transfer set, and how often test "
        "examples of that class are taken for the other:\n\n",
                    s->T);
    rho_text(out, "the teacher", s->has_teacher, s->rho_teacher);
    rti_text whose = RTI_TEXT_EMPTY;
    rti_text_append(&whose, "the students, ");
    if (cell >= 0) rti_markdown_escape(&whose, rti_finding_label(summary, s->facet, cell, label));
    rti_text_append(&whose, ", all seeds");
    rho_text(out, rti_text_string(&whose), s->has_students, s->rho_students);
    if (whose.failed) out->failed = true;
    rti_text_deinit(&whose);
    rti_text_append(out, "\nsimilarity.csv has the numbers.\n\n");
}
