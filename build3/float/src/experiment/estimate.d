/tmp/w/lead/build3/float/src/experiment/estimate.o: \
 src/experiment/estimate.c src/experiment/scheduler.h \
 src/experiment/trial.h src/experiment/experiment.h src/core/text.h \
 include/retort/status.h include/retort/distill.h include/retort/data.h \
 include/retort/graph.h include/retort/tensor.h include/retort/params.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/optim.h
src/experiment/scheduler.h:
src/experiment/trial.h:
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
