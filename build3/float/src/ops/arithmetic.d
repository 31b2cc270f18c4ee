/tmp/w/lead/build3/float/src/ops/arithmetic.o: src/ops/arithmetic.c \
 src/ops/elementwise.h src/graph/op.h include/retort/graph.h \
 include/retort/tensor.h include/retort/status.h src/kernels/kernels.h \
 include/retort/rng.h src/ops/activation.h include/retort/ops.h \
 src/tensor/strided.h
src/ops/elementwise.h:
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
src/kernels/kernels.h:
include/retort/rng.h:
src/ops/activation.h:
include/retort/ops.h:
src/tensor/strided.h:
