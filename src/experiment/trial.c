/* trial.c - see trial.h.                                               Floor 8 (experiment)
 *
 *     while somebody is not through
 *         those who have done the fewest epochs make the next one, together (rt_distillers_epoch)
 *         who has done all is finished and leaves
 *
 * So trials that were interrupted at different epochs catch up before they go on together, and one trial is
 * a group of one. A trial that fails leaves the group with its error; the others have their own files, and
 * the bits they would have alone. */
#include "experiment/trial.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "experiment/group.h"
#include "experiment/session.h"
#include "formats/json.h"
#include "retort/alloc.h"

typedef struct group {
    rti_common common;
    rti_session *sessions;        /* (common.count) */
    rti_trial_end *ends;          /* (common.count) */
    const rti_trial_hooks *hooks;
    int working[RTI_GROUP_MAX];   /* who is at work: sessions */
    rt_epoch_outcome outcome[RTI_GROUP_MAX];
    rt_error error;               /* of the one that is being looked at */
    rt_error *first;              /* the caller's: why the first that is not done is not done */
    bool has_first;
} group;

/* ---- time ---- */

/* Counts the time of those who were at work, and lets `count` others go on. */
static void hand_over(group *g, int count) {
    const double share = rti_stopwatch_share(&g->common.watch);
    for (int i = 0; i < g->common.watch.sharing; i++) g->sessions[g->working[i]].seconds += share;
    g->common.watch = (rti_stopwatch){.from_s = rti_clock_s(), .sharing = count};
}

/* ---- those who leave ---- */

static void leave(group *g, int i, rti_trial_end end) {
    g->ends[i] = end;
    g->sessions[i].is_over = true;
    if (end != RTI_END_DONE && !g->has_first && g->first) {
        *g->first = g->error;
        g->has_first = true;
    }
    if (g->hooks && g->hooks->ended)
        g->hooks->ended(g->hooks->context, g->sessions[i].number, end, &g->error);
}

static void give_up(group *g, int i, rt_status status) {
    leave(g, i, rti_session_give_up(&g->sessions[i], status, &g->error));
}

static bool is_stopped(const group *g) {
    return g->hooks && g->hooks->go_on && !g->hooks->go_on(g->hooks->context);
}

static void finish(group *g, int i) {
    g->error = (rt_error){.status = RT_OK};
    rt_status status = is_stopped(g) ? rt_fail(&g->error, RT_STOPPED, "stopped ahead of its result")
                                     : rti_session_finish(&g->sessions[i], &g->error);
    if (status == RT_OK) leave(g, i, RTI_END_DONE);
    else give_up(g, i, status);
}

/* ---- those who stay ---- */

static rt_distiller *somebody(const group *g) {
    for (int i = 0; i < g->common.count; i++)
        if (g->sessions[i].distiller) return g->sessions[i].distiller;
    return NULL;
}

static void begin(group *g) {
    g->common.watch = (rti_stopwatch){.from_s = rti_clock_s(), .sharing = g->common.count};
    for (int i = 0; i < g->common.count; i++) g->working[i] = i;
    for (int i = 0; i < g->common.count; i++) {
        rt_status status = rti_session_begin(&g->sessions[i], somebody(g), &g->error);
        if (status == RT_STOPPED) leave(g, i, RTI_END_STOPPED); /* what was there of it stays */
        else if (status != RT_OK) give_up(g, i, status);
    }
    hand_over(g, 0);
}

/* Finishes whoever is through, and says how many have done the fewest epochs; they are then at work. */
static int choose(group *g) {
    int count = 0;
    int64_t fewest = INT64_MAX;
    for (int i = 0; i < g->common.count; i++) {
        const rti_session *s = &g->sessions[i];
        if (s->is_over) continue;
        const int64_t done = rt_distiller_epochs_done(s->distiller);
        if (done >= s->epochs) finish(g, i);
        else if (done < fewest) fewest = done;
    }
    for (int i = 0; i < g->common.count; i++)
        if (!g->sessions[i].is_over && rt_distiller_epochs_done(g->sessions[i].distiller) == fewest)
            g->working[count++] = i;
    return count;
}

static void train(group *g, int count) {
    rt_distiller *distillers[RTI_GROUP_MAX];
    hand_over(g, count);
    for (int i = 0; i < count; i++) {
        rti_session *s = &g->sessions[g->working[i]];
        distillers[i] = s->distiller;
        s->epoch = rt_distiller_epochs_done(s->distiller) + 1;
        s->step = 0;
    }
    rt_distillers_epoch(distillers, count, g->outcome);
    for (int i = 0; i < count; i++) {
        rt_epoch_outcome *o = &g->outcome[i];
        g->error = o->error;
        if (o->status == RT_OK)
            o->status = rti_session_end_epoch(&g->sessions[g->working[i]], &o->report, &g->error);
        if (o->status != RT_OK) give_up(g, g->working[i], o->status);
    }
    hand_over(g, 0);
}

void rti_trials_run(const rti_plan *plan, const int trials[], int count, const rti_trial_hooks *hooks,
                    rti_trial_end ends[], rt_error *error) {
    RT_ASSERT(count >= 1 && count <= RTI_GROUP_MAX, "a group of %d trials", count);
    group *g = rt_alloc_zero(1, sizeof *g);
    rti_session *sessions = rt_alloc_zero((size_t)count, sizeof *sessions);
    if (!g || !sessions) {
        rt_fail(error, RT_MEMORY, "no memory for a trial");
        for (int i = 0; i < count; i++) ends[i] = RTI_END_UNSAVED;
        rt_free(sessions);
        rt_free(g);
        return;
    }
    *g = (group){.common.count = count, .sessions = sessions, .ends = ends, .hooks = hooks, .first = error};
    for (int i = 0; i < count; i++) {
        RT_ASSERT(rti_go_together(plan, trials[0], trials[i]), "these trials share no batches");
        rti_session_init(&sessions[i], plan, trials[i], hooks, &g->common);
    }
    begin(g);
    for (int at_work; (at_work = choose(g)) > 0;) train(g, at_work);
    while (count > 0) rti_session_deinit(&sessions[--count]); /* last the first: the others stand beside it */
    rti_teaching_deinit(&g->common.teaching);
    rt_free(sessions);
    rt_free(g);
}

rti_trial_end rti_trial_run(const rti_plan *plan, int trial, const rti_trial_hooks *hooks, rt_error *error) {
    rti_trial_end end;
    rti_trials_run(plan, &trial, 1, hooks, &end, error);
    return end;
}

rt_status rti_trial_write_failure(const rti_plan *plan, int trial, const rt_error *why, int64_t epoch,
                                  int64_t step, rt_error *error) {
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX];
    rti_trial_directory(plan, trial, directory, sizeof directory);
    RT_TRY(rti_directory_make(directory, error));
    RT_TRY(rti_path_join(path, sizeof path, directory, "failed.json", error));
    rti_text text = RTI_TEXT_EMPTY;
    rti_json_writer w = {.text = &text};
    rti_json_begin_object(&w, NULL);
    rti_json_add_string(&w, "id", plan->trials[trial].id);
    rti_json_add_string(&w, "status", rt_status_name(why->status));
    rti_json_add_string(&w, "message", why->message);
    rti_json_add_integer(&w, "epoch", epoch);
    rti_json_add_integer(&w, "step", step);
    rti_json_end(&w);
    rti_text_append(&text, "\n");
    rt_status status = text.failed ? rt_fail(error, RT_MEMORY, "no memory to say why a trial failed")
                                   : rti_file_write(path, text.bytes, text.length, error);
    rti_text_deinit(&text);
    return status;
}
