/* epoch.c - the training loop.                                         Floor 7 (distill)
 *
 *     for each batch
 *         for each student that is still at work
 *             a step (step.c), and a word to whoever watches it
 *
 * There is no other loop: one student is a group of one. A student reads the batch and the teacher's answers
 * that it shares with the others (shared.h) and writes to nothing of theirs, so each ends with the bits it
 * would have alone; and one that fails leaves the group, and the others do not notice. */
#include "distill/distiller.h"
#include "kernels/kernels.h"

/* "epoch 3, step 17 of 550", counted from 1, for messages. */
static rt_status at_step(const rt_distiller *d, const rt_batch *batch, rt_status status, rt_error *error) {
    return rt_fail_in(error, status, "epoch %lld, step %lld of %lld", (long long)d->epochs_done + 1,
                      (long long)batch->step + 1, (long long)rt_loader_steps(d->shared->loader));
}

static void finish_report(rt_epoch_report *report, int64_t examples) {
    double n = (double)examples;
    report->loss /= n;
    report->accuracy /= n;
    for (int i = 0; i < report->terms; i++) {
        report->term[i].weight /= n;
        report->term[i].value /= n;
    }
}

static rt_status check_weights(const rt_distiller *d, rt_error *error) {
    for (int m = -1; m < d->adapters.count; m++) {
        int64_t count;
        const rt_real *block = rt_model_block(m < 0 ? d->config.student : d->adapters.model[m], &count);
        if (!rti_all_finite(count, block))
            return rt_fail(error, RT_NOT_FINITE, "epoch %lld: weights of the %s are no longer finite numbers",
                           (long long)d->epochs_done + 1, m < 0 ? "student" : "method's adapters");
    }
    return RT_OK;
}

static rt_status begin(rt_distiller *d, rt_epoch_report *report, rt_error *error) {
    RT_ASSERT(!d->mid_epoch, "an epoch that did not end cannot be gone on with: restore a checkpoint");
    RT_ASSERT(d->epochs_done < d->config.epochs, "all %lld epochs are done", (long long)d->config.epochs);
    bool second = d->first_stage > 0 && d->epochs_done >= d->first_stage;
    *report = (rt_epoch_report){.epoch = d->epochs_done, .stage = second ? 2 : 1};
    d->mid_epoch = true;
    if (d->first_stage > 0 && d->epochs_done == d->first_stage)
        RT_TRY(rti_distiller_optimizer(d, d->epochs_done, error));
    for (int i = 0; i < d->parts.count; i++)
        if (d->part[i].method->epoch_begin) d->part[i].method->epoch_begin(d->part[i].state, d->epochs_done);
    return RT_OK;
}

static rt_status step(rt_distiller *d, const rt_batch *batch, rt_epoch_report *report, rt_error *error) {
    const rt_distiller_config *c = &d->config;
    rt_status status = rti_distiller_step(d, batch, report, error);
    if (status != RT_OK) return at_step(d, batch, status, error);
    const int64_t steps = rt_loader_steps(d->shared->loader);
    if (!c->on_step || c->on_step(c->on_step_context, d->epochs_done, batch->step, steps)) return RT_OK;
    return rt_fail(error, RT_STOPPED, "stopped in epoch %lld, step %lld of %lld",
                   (long long)d->epochs_done + 1, (long long)batch->step + 1, (long long)steps);
}

static rt_status end(rt_distiller *d, rt_epoch_report *report, rt_error *error) {
    RT_TRY(check_weights(d, error));
    finish_report(report, d->config.transfer->count);
    d->mid_epoch = false;
    d->epochs_done++;
    return RT_OK;
}

void rt_distillers_epoch(rt_distiller *const distillers[], int count, rt_epoch_outcome outcomes[]) {
    RT_ASSERT(count >= 1, "an epoch of nobody");
    rti_shared *shared = distillers[0]->shared;
    rt_loader_begin(shared->loader, distillers[0]->epochs_done);
    for (int i = 0; i < count; i++) {
        rt_epoch_outcome *o = &outcomes[i];
        RT_ASSERT(distillers[i]->shared == shared, "student %d was not made beside the first one", i + 1);
        RT_ASSERT(distillers[i]->epochs_done == distillers[0]->epochs_done,
                  "students of a group stand at the same epoch");
        o->status = begin(distillers[i], &o->report, &o->error);
    }
    rt_batch batch;
    for (int at_work = count; at_work > 0 && rti_shared_next(shared, count, &batch);) {
        at_work = 0;
        for (int i = 0; i < count; i++) {
            rt_epoch_outcome *o = &outcomes[i];
            if (o->status != RT_OK) continue;
            o->status = step(distillers[i], &batch, &o->report, &o->error);
            at_work += o->status == RT_OK;
        }
    }
    rti_shared_end(shared);
    for (int i = 0; i < count; i++) {
        rt_epoch_outcome *o = &outcomes[i];
        if (o->status == RT_OK) o->status = end(distillers[i], &o->report, &o->error);
    }
}

rt_status rt_distiller_epoch(rt_distiller *d, rt_epoch_report *report, rt_error *error) {
    rt_epoch_outcome outcome;
    rt_distillers_epoch(&d, 1, &outcome);
    if (outcome.status == RT_OK) *report = outcome.report;
    else if (error) *error = outcome.error;
    return outcome.status;
}
