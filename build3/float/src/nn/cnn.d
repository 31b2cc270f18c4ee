/tmp/w/lead/build3/float/src/nn/cnn.o: src/nn/cnn.c src/nn/images.h \
 src/nn/model.h src/graph/op.h include/retort/graph.h \
 include/retort/tensor.h include/retort/status.h src/nn/init.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/params.h
src/nn/images.h:
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
