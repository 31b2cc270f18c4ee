/* retort.h - everything at once.
 *
 * Knowledge distillation from scratch: read the headers in the order below. */
#ifndef RETORT_H
#define RETORT_H

#include "retort/status.h"
#include "retort/alloc.h"
#include "retort/log.h"
#include "retort/rng.h"
#include "retort/threads.h"
#include "retort/params.h"
#include "retort/tensor.h"
#include "retort/graph.h"
#include "retort/image.h"
#include "retort/ops.h"
#include "retort/nn.h"
#include "retort/optim.h"
#include "retort/data.h"
#include "retort/distill.h"

#endif
