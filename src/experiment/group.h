/* group.h - which trials are trained together.                         Floor 8 (experiment)
 *
 * Trials that see the same examples in the same order and learn from the same teacher can go through one
 * pass (rt_distillers_epoch): all temperatures and alphas, rates and methods of one student and seed. It pays
 * when what they share, gathering batches and asking a teacher that cannot be cached, is a good part of the
 * work, and it is of no use when workers are left idle for it. */
#ifndef RTI_GROUP_H
#define RTI_GROUP_H

#include "experiment/experiment.h"

#define RTI_GROUP_MAX 16

/* Can one pass serve both? */
bool rti_go_together(const rti_plan *plan, int a, int b);

/* Is enough of a step of this trial the same for all of its group? */
bool rti_group_pays(const rti_plan *plan, int trial);

/* Divides the trials that are `wanted` among so many workers: group_of[t] is the first trial of the group
 * that t is in, itself when it is alone; -1: not wanted. Trials of a group do the same work, so that all end
 * together. When there is enough to do, the number of groups is a multiple of the workers. */
void rti_groups_form(const rti_plan *plan, const bool wanted[], int workers, int group_of[]);

/* How many trials stand in groups of two or more, and in how many groups. */
typedef struct rti_group_count {
    int trials, groups;
} rti_group_count;
rti_group_count rti_groups_count(const rti_plan *plan, const int group_of[]);

#endif
