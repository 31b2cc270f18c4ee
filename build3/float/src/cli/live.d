/tmp/w/lead/build3/float/src/cli/live.o: src/cli/live.c src/cli/live.h \
 src/experiment/scheduler.h src/experiment/trial.h \
 src/experiment/experiment.h src/core/text.h include/retort/status.h \
 include/retort/distill.h include/retort/data.h include/retort/graph.h \
 include/retort/tensor.h include/retort/params.h include/retort/rng.h \
 include/retort/nn.h include/retort/ops.h include/retort/optim.h \
 src/cli/opening.h src/core/clock.h
src/cli/live.h:
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
src/cli/opening.h:
src/core/clock.h:
