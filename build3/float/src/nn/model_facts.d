/tmp/w/lead/build3/float/src/nn/model_facts.o: src/nn/model_facts.c \
 src/core/hash.h include/retort/status.h src/nn/model.h src/graph/op.h \
 include/retort/graph.h include/retort/tensor.h src/nn/init.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/params.h
src/core/hash.h:
include/retort/status.h:
src/nn/model.h:
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
src/nn/init.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/params.h:
