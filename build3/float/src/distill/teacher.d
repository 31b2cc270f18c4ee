/tmp/w/lead/build3/float/src/distill/teacher.o: src/distill/teacher.c \
 src/distill/teacher.h src/core/hash.h include/retort/status.h \
 include/retort/distill.h include/retort/data.h include/retort/graph.h \
 include/retort/tensor.h include/retort/params.h include/retort/rng.h \
 include/retort/nn.h include/retort/ops.h include/retort/optim.h \
 src/graph/op.h src/ops/softmax_row.h include/retort/alloc.h
src/distill/teacher.h:
src/core/hash.h:
include/retort/status.h:
include/retort/distill.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/params.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/optim.h:
src/graph/op.h:
src/ops/softmax_row.h:
include/retort/alloc.h:
