/tmp/w/lead/build3/float/src/ops/distances.o: src/ops/distances.c \
 src/graph/op.h include/retort/graph.h include/retort/tensor.h \
 include/retort/status.h include/retort/ops.h include/retort/rng.h
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
include/retort/ops.h:
include/retort/rng.h:
