/tmp/w/lead/build3/float/src/ops/normalize.o: src/ops/normalize.c \
 src/graph/op.h include/retort/graph.h include/retort/tensor.h \
 include/retort/status.h src/ops/softmax_row.h include/retort/ops.h \
 include/retort/rng.h
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
src/ops/softmax_row.h:
include/retort/ops.h:
include/retort/rng.h:
