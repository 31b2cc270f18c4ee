/tmp/w/lead/build3/float/src/distill/describe.o: src/distill/describe.c \
 src/distill/distiller.h src/distill/adapters.h src/distill/method.h \
 src/graph/op.h include/retort/graph.h include/retort/tensor.h \
 include/retort/status.h include/retort/distill.h include/retort/data.h \
 include/retort/params.h include/retort/rng.h include/retort/nn.h \
 include/retort/ops.h include/retort/optim.h src/nn/model.h src/nn/init.h \
 src/distill/cache.h src/distill/features.h src/distill/parts.h \
 include/retort/alloc.h
src/distill/distiller.h:
src/distill/adapters.h:
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
src/nn/model.h:
src/nn/init.h:
src/distill/cache.h:
src/distill/features.h:
src/distill/parts.h:
include/retort/alloc.h:
