/tmp/w/lead/build3/float/src/ops/fused_activation.o: \
 src/ops/fused_activation.c src/ops/activation.h include/retort/ops.h \
 include/retort/graph.h include/retort/tensor.h include/retort/status.h \
 include/retort/rng.h src/kernels/kernels.h
src/ops/activation.h:
include/retort/ops.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
include/retort/rng.h:
src/kernels/kernels.h:
