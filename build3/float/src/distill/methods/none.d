/tmp/w/lead/build3/float/src/distill/methods/none.o: \
 src/distill/methods/none.c src/distill/method.h src/graph/op.h \
 include/retort/graph.h include/retort/tensor.h include/retort/status.h \
 include/retort/distill.h include/retort/data.h include/retort/params.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/optim.h
src/distill/method.h:
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
include/retort/distill.h:
include/retort/data.h:
include/retort/params.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/optim.h:
