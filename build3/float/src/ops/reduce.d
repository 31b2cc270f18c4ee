/tmp/w/lead/build3/float/src/ops/reduce.o: src/ops/reduce.c \
 src/kernels/kernels.h include/retort/rng.h include/retort/status.h \
 src/graph/op.h include/retort/graph.h include/retort/tensor.h \
 include/retort/ops.h src/tensor/strided.h
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/status.h:
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/ops.h:
src/tensor/strided.h:
