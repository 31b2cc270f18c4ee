/* pool.h - the thread pool.                                            Floor 1 (core)
 *
 * rti_parallel splits [0, tasks) over the pool's threads and the caller and returns when all is
 * done. Which thread does which task is not defined, so a task must not depend on it; nested calls
 * run on the calling thread alone. A hand-over costs about a microsecond: waiting threads spin for
 * a short while before they sleep. */
#ifndef RTI_POOL_H
#define RTI_POOL_H

#include "retort/threads.h"

typedef void rti_task(void *context, int64_t task);

void rti_parallel(int64_t tasks, rti_task *function, void *context);

#endif
