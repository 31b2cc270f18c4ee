/tmp/w/lead/build3/float/src/nn/pool_layer.o: src/nn/pool_layer.c \
 src/nn/model.h src/graph/op.h include/retort/graph.h \
 include/retort/tensor.h include/retort/status.h src/nn/init.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/params.h include/retort/image.h
src/nn/model.h:
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
src/nn/init.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/params.h:
include/retort/image.h:
