/tmp/w/lead/build3/float/src/ops/batch_norm.o: src/ops/batch_norm.c \
 src/graph/op.h include/retort/graph.h include/retort/tensor.h \
 include/retort/status.h src/kernels/kernels.h include/retort/rng.h \
 include/retort/image.h include/retort/ops.h
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/image.h:
include/retort/ops.h:
