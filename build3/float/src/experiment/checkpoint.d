/tmp/w/lead/build3/float/src/experiment/checkpoint.o: \
 src/experiment/checkpoint.c src/experiment/checkpoint.h src/core/text.h \
 include/retort/status.h include/retort/distill.h include/retort/data.h \
 include/retort/graph.h include/retort/tensor.h include/retort/params.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/optim.h src/core/file.h src/core/hash.h \
 include/retort/alloc.h
src/experiment/checkpoint.h:
src/core/text.h:
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
src/core/file.h:
src/core/hash.h:
include/retort/alloc.h:
