/tmp/w/lead/build3/float/src/ops/image_shape.o: src/ops/image_shape.c \
 src/core/pool.h include/retort/threads.h include/retort/status.h \
 src/graph/op.h include/retort/graph.h include/retort/tensor.h \
 src/kernels/kernels.h include/retort/rng.h include/retort/image.h \
 include/retort/ops.h src/tensor/strided.h
src/core/pool.h:
include/retort/threads.h:
include/retort/status.h:
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/image.h:
include/retort/ops.h:
src/tensor/strided.h:
