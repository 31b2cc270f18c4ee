/tmp/w/lead/build3/float/src/distill/evaluate.o: src/distill/evaluate.c \
 src/distill/evaluate.h include/retort/distill.h include/retort/data.h \
 include/retort/graph.h include/retort/tensor.h include/retort/status.h \
 include/retort/params.h include/retort/rng.h include/retort/nn.h \
 include/retort/ops.h include/retort/optim.h src/graph/op.h \
 src/kernels/kernels.h src/ops/softmax_row.h
src/distill/evaluate.h:
include/retort/distill.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
include/retort/params.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/optim.h:
src/graph/op.h:
src/kernels/kernels.h:
src/ops/softmax_row.h:
