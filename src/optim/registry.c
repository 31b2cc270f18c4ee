/* registry.c - the generated lists of optimisers and schedules, and the one table of all their
 * options.                                                             Floor 6 (optim)
 *
 * The table is put together once, from the rows that every training has and those that each kind
 * brings, so that a new kind with new options is one new file. */
#include <pthread.h>
#include <string.h>

#include "optim/optimizer.h"

#define X(name) extern const rti_optimizer_kind rti_optimizer_##name;
#include "optimizer.inc"
#undef X
#define X(name) extern const rti_schedule rti_schedule_##name;
#include "schedule.inc"
#undef X

#define X(name) &rti_optimizer_##name,
const rti_optimizer_kind *const rti_all_optimizers[] = {
#include "optimizer.inc"
    NULL,
};
#undef X
#define X(name) &rti_schedule_##name,
const rti_schedule *const rti_all_schedules[] = {
#include "schedule.inc"
    NULL,
};
#undef X

#define X(name) #name,
static const char *const optimizer_kinds[] = {
#include "optimizer.inc"
    NULL,
};
static const char *const schedule_kinds[] = {
#include "schedule.inc"
    NULL,
};
#undef X

/* "a|b|c" of a generated list. */
#define X(name) "|" #name
static const char optimizer_choices[] =
#include "optimizer.inc"
    "";
static const char schedule_choices[] =
#include "schedule.inc"
    "";
#undef X

static const rt_param common_rows[] = {
    RT_PARAM_CHOICE_ROW("name", "sgd", optimizer_choices + 1, "kind of optimiser"),
    RT_PARAM_REAL_ROW("lr", 0.1, 0, 1000, "", "learning rate"),
    RT_PARAM_CHOICE_ROW("schedule", "constant", schedule_choices + 1, "how the rate goes through training"),
    RT_PARAM_CHOICE_ROW("schedule_by", "step", "step|epoch",
                        "whether rate and momentum change at every step or at every epoch"),
    RT_PARAM_REAL_ROW("warmup", 0, 0, 1e6, "epochs", "the rate rises linearly from 0 in so many epochs"),
    RT_PARAM_REAL_ROW("weight_decay", 0, 0, 1000, "", "pulls weights to zero"),
    RT_PARAM_BOOL_ROW("decay_biases", false, "whether weight decay is for biases, too"),
    RT_PARAM_REAL_ROW("max_norm_squared", 0, 0, 1e30, "",
                      "limit of the squared length of each unit's incoming weights; 0 is none"),
    RT_PARAM_CHOICE_ROW("max_norm_layers", "hidden", "hidden|all", "layers whose units have that limit"),
    RT_PARAM_REAL_ROW("clip_norm", 0, 0, 1e30, "", "limit of the length of the whole gradient; 0 is none"),
    RT_PARAM_REALS_ROW("lr_factors", "[]", 0, 1000, "", "factor of the rate for each layer; [] is 1 for all"),
};
#define COMMON_ROWS ((int)(sizeof common_rows / sizeof common_rows[0]))

static rt_param all_rows[RT_PARAMS_MAX];
static int all_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static bool same_row(const rt_param *a, const rt_param *b) {
    return a->type == b->type && a->fallback == b->fallback && a->min == b->min && a->max == b->max &&
           same_text(a->text, b->text) && same_text(a->choices, b->choices) && same_text(a->help, b->help);
}

static void add_rows(const rt_param *rows, int count) {
    for (int i = 0; i < count; i++) {
        int at = 0;
        while (at < all_count && strcmp(all_rows[at].name, rows[i].name) != 0) at++;
        RT_ASSERT(at < RT_PARAMS_MAX, "too many options of optimisers");
        RT_ASSERT(at == all_count || same_row(&all_rows[at], &rows[i]), "two different options are called %s",
                  rows[i].name);
        if (at == all_count) all_rows[all_count++] = rows[i];
    }
}

static void collect(void) {
    add_rows(common_rows, COMMON_ROWS);
    for (int i = 0; rti_all_optimizers[i]; i++)
        add_rows(rti_all_optimizers[i]->rows, rti_all_optimizers[i]->row_count);
    for (int i = 0; rti_all_schedules[i]; i++)
        add_rows(rti_all_schedules[i]->rows, rti_all_schedules[i]->row_count);
}

const rt_param *rt_optimizer_rows(int *count) {
    int failure = pthread_once(&once, collect);
    RT_ASSERT(failure == 0, "pthread_once says %d", failure);
    *count = all_count;
    return all_rows;
}

const char *const *rt_optimizer_kinds(int *count) {
    *count = (int)(sizeof optimizer_kinds / sizeof optimizer_kinds[0]) - 1;
    return optimizer_kinds;
}

const char *const *rt_schedule_kinds(int *count) {
    *count = (int)(sizeof schedule_kinds / sizeof schedule_kinds[0]) - 1;
    return schedule_kinds;
}

const rti_optimizer_kind *rti_optimizer_find(const char *name) {
    for (int i = 0; rti_all_optimizers[i]; i++)
        if (strcmp(rti_all_optimizers[i]->name, name) == 0) return rti_all_optimizers[i];
    return NULL;
}

const rti_schedule *rti_schedule_find(const char *name) {
    for (int i = 0; rti_all_schedules[i]; i++)
        if (strcmp(rti_all_schedules[i]->name, name) == 0) return rti_all_schedules[i];
    return NULL;
}

/* ---- what is understood by whom ---- */

static bool has_row(const rt_param *rows, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0) return true;
    return false;
}

const rt_param *rt_optimizer_common_rows(int *count) {
    *count = COMMON_ROWS;
    return common_rows;
}

const rt_param *rt_optimizer_kind_rows(const char *kind, int *count) {
    const rti_optimizer_kind *found = rti_optimizer_find(kind);
    *count = found ? found->row_count : 0;
    return found ? found->rows : NULL;
}

const rt_param *rt_schedule_rows(const char *schedule, int *count) {
    const rti_schedule *found = rti_schedule_find(schedule);
    *count = found ? found->row_count : 0;
    return found ? found->rows : NULL;
}

const char *rt_optimizer_title(const char *kind) {
    const rti_optimizer_kind *found = rti_optimizer_find(kind);
    return found ? found->title : NULL;
}

const char *rt_optimizer_formula(const char *kind) {
    const rti_optimizer_kind *found = rti_optimizer_find(kind);
    return found ? found->formula : NULL;
}

const char *rt_optimizer_source(const char *kind) {
    const rti_optimizer_kind *found = rti_optimizer_find(kind);
    return found ? found->source : NULL;
}

const char *rt_schedule_formula(const char *schedule) {
    const rti_schedule *found = rti_schedule_find(schedule);
    return found ? found->formula : NULL;
}

bool rti_option_is_used(const rti_optimizer_kind *kind, const rti_schedule *schedule, const char *name) {
    return has_row(common_rows, COMMON_ROWS, name) || has_row(kind->rows, kind->row_count, name) ||
           has_row(schedule->rows, schedule->row_count, name);
}
