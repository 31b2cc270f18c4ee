/tmp/w/lead/build3/float/src/cli/status.o: src/cli/status.c \
 src/cli/status.h src/core/text.h include/retort/status.h \
 src/experiment/experiment.h include/retort/distill.h \
 include/retort/data.h include/retort/graph.h include/retort/tensor.h \
 include/retort/params.h include/retort/rng.h include/retort/nn.h \
 include/retort/ops.h include/retort/optim.h src/cli/command.h \
 src/cli/opening.h src/core/file.h src/experiment/lock.h \
 src/experiment/scheduler.h src/experiment/trial.h
src/cli/status.h:
src/core/text.h:
include/retort/status.h:
src/experiment/experiment.h:
include/retort/distill.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/params.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/optim.h:
src/cli/command.h:
src/cli/opening.h:
src/core/file.h:
src/experiment/lock.h:
src/experiment/scheduler.h:
src/experiment/trial.h:
