/* dark.c - dark knowledge: what the teacher says of single test examples.  Floor 8 (experiment)
 *
 * Chooses, among test examples that the teacher classifies correctly, the six whose second class is most
 * probable (each of another true class) and one typical example (the median), and writes the teacher's
 * probabilities at T = 1, 2, 4, 8, 20 into dark.csv and the pictures into dark-images.csv. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/finish.h"
#include "experiment/report_parts.h"
#include "retort/alloc.h"
#include "retort/log.h"

enum { EXAMPLES = 7, TEMPERATURES = 5, BATCH = 256, LOOKED_AT_MAX = 50000 };
static const double temperatures[TEMPERATURES] = {1, 2, 4, 8, 20};

/* ---- the teacher -------------------------------------------------------------------------------- */

/* The first cell whose student has a teacher that is finished; -1 when there is none. */
static int taught_cell(const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    for (int c = 0; c < plan->cell_count; c++) {
        const rti_trial *student = &plan->trials[plan->cells[c].trials[0]];
        bool ready = student->teacher_count > 0;
        for (int k = 0; k < student->teacher_count; k++)
            ready = ready && summary->records[student->teachers[k]].state == RTI_DONE;
        if (ready) return c;
    }
    return -1;
}

typedef struct panel {
    rti_teaching teaching;
    rt_graph *graph;
} panel;

/* ---- asking it ---------------------------------------------------------------------------------- */

/* p[k] = softmax(v / T)_k in double; v (K). */
static void soften(const rt_real *v, int classes, double T, double p[]) {
    double top = -INFINITY, sum = 0.0;
    for (int k = 0; k < classes; k++)
        if ((double)v[k] > top) top = (double)v[k];
    for (int k = 0; k < classes; k++) sum += p[k] = exp(((double)v[k] - top) / T);
    for (int k = 0; k < classes; k++) p[k] /= sum;
}

/* Calls `see` with the teacher's probabilities at T for each example of `part`, in order. */
typedef void see_function(void *context, int64_t example, const double p[], int classes);

static rt_status ask(panel *p, const rt_part *part, double T, see_function *see, void *context,
                     rt_error *error) {
    int classes = part->examples->classes;
    double *probability = rt_alloc((size_t)classes * sizeof *probability);
    if (!probability) return rt_fail(error, RT_MEMORY, "not enough memory for the teacher's answers");
    rt_loader *loader = rt_loader_new(part, BATCH, 0, NULL, error);
    rt_status status = loader ? RT_OK : error->status;
    rt_batch batch;
    int64_t example = 0;
    while (status == RT_OK && rt_loader_next(loader, &batch)) {
        rt_tensor *v = rt_teacher_logits(p->teaching.teacher, p->graph, batch.x, T);
        if (!v) {
            *error = *rt_graph_error(p->graph);
            status = error->status;
            break;
        }
        for (int64_t i = 0; i < batch.count; i++) {
            soften(rt_real_data(v) + i * classes, classes, T, probability);
            see(context, example++, probability, classes);
        }
        rt_graph_reset(p->graph);
    }
    rt_loader_free(loader);
    rt_free(probability);
    return status;
}

/* ---- choosing ----------------------------------------------------------------------------------- */

typedef struct answer {
    double second_probability; /* at T = 1; -1 when the teacher is wrong */
    int32_t example, top, second;
} answer;

typedef struct answers {
    const rt_part *part;
    answer *list;
    int64_t count;
} answers;

static void note_answer(void *context, int64_t example, const double p[], int classes) {
    answers *a = context;
    int top = 0, second = classes > 1 ? 1 : 0;
    for (int k = 1; k < classes; k++)
        if (p[k] > p[top]) top = k;
    if (second == top) second = 0;
    for (int k = 0; k < classes; k++)
        if (k != top && p[k] > p[second]) second = k;
    bool right = top == a->part->labels[example];
    a->list[a->count++] = (answer){right ? p[second] : -1.0, (int32_t)example, top, second};
}

/* Most doubtful first; equal: in the order of the test set. */
static int by_doubt(const void *x, const void *y) {
    const answer *a = x, *b = y;
    if (a->second_probability != b->second_probability)
        return a->second_probability < b->second_probability ? 1 : -1;
    return (a->example > b->example) - (a->example < b->example);
}

static bool has_class(const answer chosen[], int count, int class) {
    for (int i = 0; i < count; i++)
        if (chosen[i].top == class) return true;
    return false;
}

/* Doubtful examples of different classes, then the typical one, of another. Returns how many. */
static int choose(answers *a, int classes, answer chosen[EXAMPLES]) {
    const int doubtful = classes < EXAMPLES ? classes - 1 : EXAMPLES - 1;
    int64_t right = 0;
    int count = 0;
    qsort(a->list, (size_t)a->count, sizeof *a->list, by_doubt);
    while (right < a->count && a->list[right].second_probability >= 0.0) right++;
    for (int64_t i = 0; i < right && count < doubtful; i++)
        if (!has_class(chosen, count, a->list[i].top)) chosen[count++] = a->list[i];
    for (int64_t i = right / 2; i < right; i++)
        if (!has_class(chosen, count, a->list[i].top)) {
            chosen[count++] = a->list[i];
            break;
        }
    return count;
}

/* ---- writing ------------------------------------------------------------------------------------ */

typedef struct softened {
    double *p; /* (EXAMPLES, classes, TEMPERATURES) */
    int at;    /* which temperature */
} softened;

static void note_softened(void *context, int64_t example, const double p[], int classes) {
    softened *s = context;
    for (int k = 0; k < classes; k++) s->p[(example * classes + k) * TEMPERATURES + s->at] = p[k];
}

bool rti_is_picture(const rt_examples *x) {
    return x->bytes && x->ndim == 3 && (x->shape[0] == 1 || x->shape[0] == 3);
}

static void add_probabilities(rti_text *text, const answer chosen[], int count, const rt_examples *examples,
                              const double *p) {
    rti_text_append(text, "example,class,true,second,picture,T1,T2,T4,T8,T20\n");
    for (int e = 0; e < count; e++)
        for (int k = 0; k < examples->classes; k++) {
            rti_text_printf(text, "%d,%d,%d,%d,%d", e, k, chosen[e].top, chosen[e].second,
                            rti_is_picture(examples));
            for (int t = 0; t < TEMPERATURES; t++)
                rti_csv_add_number(text, p[(e * examples->classes + k) * TEMPERATURES + t], false);
            rti_text_append(text, "\n");
        }
}

void rti_add_picture(rti_text *text, int number, const rt_examples *x, int32_t example) {
    int64_t width = x->shape[2], plane = x->shape[1] * width;
    const uint8_t *pixels = x->bytes + (int64_t)example * x->features;
    for (int64_t i = 0; i < plane; i++) {
        int red = x->shape[0] == 3 ? pixels[i] : 255 - pixels[i];
        int green = x->shape[0] == 3 ? pixels[plane + i] : red,
            blue = x->shape[0] == 3 ? pixels[2 * plane + i] : red;
        rti_text_printf(text, "%d,%lld,%lld,%d,%d,%d\n", number, (long long)(i % width),
                        (long long)(i / width), red, green, blue);
    }
}

static void add_pictures(rti_text *text, const rt_part *part, const answer chosen[], int count) {
    rti_text_append(text, "example,x,y,red,green,blue\n");
    for (int e = 0; e < count && rti_is_picture(part->examples); e++)
        rti_add_picture(text, e, part->examples, part->index[chosen[e].example]);
}

static rt_status write_files(const rti_plan *plan, panel *p, const rt_part *part, const answer chosen[],
                             int count, rt_error *error) {
    int32_t index[EXAMPLES], labels[EXAMPLES];
    for (int e = 0; e < count; e++) {
        index[e] = part->index[chosen[e].example];
        labels[e] = part->labels[chosen[e].example];
    }
    rt_part few = {part->examples, count, index, labels};
    softened s = {
        rt_alloc((size_t)EXAMPLES * (size_t)part->examples->classes * TEMPERATURES * sizeof(double)), 0};
    if (!s.p) return rt_fail(error, RT_MEMORY, "not enough memory for the teacher's answers");
    rt_status status = RT_OK;
    for (s.at = 0; s.at < TEMPERATURES && status == RT_OK; s.at++)
        status = ask(p, &few, temperatures[s.at], note_softened, &s, error);
    rti_text text = RTI_TEXT_EMPTY;
    if (status == RT_OK) {
        add_probabilities(&text, chosen, count, part->examples, s.p);
        status = rti_report_file(plan, "dark.csv", &text, error);
        rti_text_deinit(&text);
    }
    if (status == RT_OK) {
        add_pictures(&text, part, chosen, count);
        status = rti_report_file(plan, "dark-images.csv", &text, error);
        rti_text_deinit(&text);
    }
    rt_free(s.p);
    return status;
}

static rt_status choose_and_write(const rti_plan *plan, panel *p, const rt_part *part, bool *made,
                                  rt_error *error) {
    answers all = {part, rt_alloc((size_t)part->count * sizeof(answer)), 0};
    if (!all.list) return rt_fail(error, RT_MEMORY, "not enough memory for the teacher's answers");
    rt_status status = ask(p, part, 1.0, note_answer, &all, error);
    answer chosen[EXAMPLES];
    int count = status == RT_OK ? choose(&all, part->examples->classes, chosen) : 0;
    rt_free(all.list);
    if (count) status = write_files(plan, p, part, chosen, count, error);
    *made = status == RT_OK && count > 0;
    return status;
}

static rt_status ask_and_write(const rti_plan *plan, int student, bool *made, rt_error *error) {
    rt_part part = *rt_dataset_part(plan->datasets[plan->trials[student].dataset], RT_PART_TEST);
    if (part.count > LOOKED_AT_MAX) part.count = LOOKED_AT_MAX;
    if (part.count < 1 || part.examples->classes < 2) return RT_OK;
    panel p = {.graph = rt_graph_new(error)};
    rt_status status = p.graph ? rti_teaching_load(&p.teaching, plan, student, error) : error->status;
    if (status == RT_OK) {
        status = choose_and_write(plan, &p, &part, made, error);
        rti_teaching_deinit(&p.teaching);
    }
    rt_graph_free(p.graph);
    return status;
}

rt_status rti_dark_write(const rti_summary *summary, bool *made, rt_error *error) {
    const rti_plan *plan = summary->plan;
    rt_error own = {0};
    int cell = plan->dataset_count ? taught_cell(summary) : -1;
    *made = false;
    rt_status status = cell < 0 ? RT_OK : ask_and_write(plan, plan->cells[cell].trials[0], made, &own);
    if (status == RT_OK) return RT_OK;
    if (status == RT_MEMORY) return rt_fail(error, status, "%s", own.message);
    rt_say(RT_LOG_WARNING, "The picture of dark knowledge is left out: %s", own.message);
    return RT_OK;
}
