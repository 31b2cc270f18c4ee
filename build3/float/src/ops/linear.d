/tmp/w/lead/build3/float/src/ops/linear.o: src/ops/linear.c \
 src/graph/op.h include/retort/graph.h include/retort/tensor.h \
 include/retort/status.h src/kernels/kernels.h include/retort/rng.h \
 src/ops/activation.h include/retort/ops.h
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
src/kernels/kernels.h:
include/retort/rng.h:
src/ops/activation.h:
include/retort/ops.h:
