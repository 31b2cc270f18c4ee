/tmp/w/lead/build3/float/src/ops/pooling.o: src/ops/pooling.c \
 src/core/pool.h include/retort/threads.h include/retort/status.h \
 src/graph/op.h include/retort/graph.h include/retort/tensor.h \
 include/retort/image.h include/retort/ops.h include/retort/rng.h
src/core/pool.h:
include/retort/threads.h:
include/retort/status.h:
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/image.h:
include/retort/ops.h:
include/retort/rng.h:
