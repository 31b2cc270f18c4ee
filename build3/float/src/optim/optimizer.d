/tmp/w/lead/build3/float/src/optim/optimizer.o: src/optim/optimizer.c \
 src/optim/optimizer.h src/kernels/kernels.h include/retort/rng.h \
 include/retort/status.h include/retort/optim.h include/retort/nn.h \
 include/retort/graph.h include/retort/tensor.h include/retort/ops.h \
 include/retort/params.h src/core/pool.h include/retort/threads.h \
 include/retort/alloc.h
src/optim/optimizer.h:
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/status.h:
include/retort/optim.h:
include/retort/nn.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/ops.h:
include/retort/params.h:
src/core/pool.h:
include/retort/threads.h:
include/retort/alloc.h:
