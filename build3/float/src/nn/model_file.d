/tmp/w/lead/build3/float/src/nn/model_file.o: src/nn/model_file.c \
 src/formats/safetensors.h src/core/file.h include/retort/status.h \
 include/retort/tensor.h src/nn/model.h src/graph/op.h \
 include/retort/graph.h src/nn/init.h include/retort/rng.h \
 include/retort/nn.h include/retort/ops.h include/retort/params.h \
 include/retort/alloc.h
src/formats/safetensors.h:
src/core/file.h:
include/retort/status.h:
include/retort/tensor.h:
src/nn/model.h:
src/graph/op.h:
include/retort/graph.h:
src/nn/init.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/params.h:
include/retort/alloc.h:
