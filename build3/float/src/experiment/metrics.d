/tmp/w/lead/build3/float/src/experiment/metrics.o: \
 src/experiment/metrics.c src/experiment/metrics.h src/core/text.h \
 include/retort/status.h include/retort/distill.h include/retort/data.h \
 include/retort/graph.h include/retort/tensor.h include/retort/params.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/optim.h src/formats/json.h
src/experiment/metrics.h:
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
src/formats/json.h:
