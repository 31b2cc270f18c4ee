/tmp/w/lead/build3/float/src/cli/opening.o: src/cli/opening.c \
 src/cli/opening.h src/experiment/experiment.h src/core/text.h \
 include/retort/status.h include/retort/distill.h include/retort/data.h \
 include/retort/graph.h include/retort/tensor.h include/retort/params.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/optim.h
src/cli/opening.h:
src/experiment/experiment.h:
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
