/tmp/w/lead/build3/float/src/distill/cache.o: src/distill/cache.c \
 src/distill/cache.h include/retort/distill.h include/retort/data.h \
 include/retort/graph.h include/retort/tensor.h include/retort/status.h \
 include/retort/params.h include/retort/rng.h include/retort/nn.h \
 include/retort/ops.h include/retort/optim.h src/core/file.h \
 src/core/hash.h src/distill/teacher.h src/formats/safetensors.h \
 src/graph/op.h src/kernels/kernels.h include/retort/alloc.h \
 include/retort/log.h
src/distill/cache.h:
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
src/core/file.h:
src/core/hash.h:
src/distill/teacher.h:
src/formats/safetensors.h:
src/graph/op.h:
src/kernels/kernels.h:
include/retort/alloc.h:
include/retort/log.h:
