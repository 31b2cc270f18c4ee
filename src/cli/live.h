/* live.h - what `retort run` says while it works.                      Floor 9 (cli)
 *
 * On a terminal one line that moves; elsewhere a line for each trial that ends and one every ten
 * seconds. All on standard error. */
#ifndef RTI_LIVE_H
#define RTI_LIVE_H

#include "experiment/scheduler.h"

typedef struct rti_live {
    const rti_plan *plan;
    bool terminal, shown;
    double drawn_s;
} rti_live;

void rti_live_begin(rti_live *live, const rti_plan *plan);
void rti_live_event(void *live, const rti_run_event *event); /* rti_run_options.event */
void rti_live_end(rti_live *live);                           /* takes the moving line away */

#endif
