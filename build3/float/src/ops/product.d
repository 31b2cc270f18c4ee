/tmp/w/lead/build3/float/src/ops/product.o: src/ops/product.c \
 src/graph/op.h include/retort/graph.h include/retort/tensor.h \
 include/retort/status.h src/kernels/kernels.h include/retort/rng.h \
 include/retort/ops.h src/tensor/strided.h
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/ops.h:
src/tensor/strided.h:
