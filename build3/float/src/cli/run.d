/tmp/w/lead/build3/float/src/cli/run.o: src/cli/run.c src/cli/command.h \
 include/retort/status.h src/cli/live.h src/experiment/scheduler.h \
 src/experiment/trial.h src/experiment/experiment.h src/core/text.h \
 include/retort/distill.h include/retort/data.h include/retort/graph.h \
 include/retort/tensor.h include/retort/params.h include/retort/rng.h \
 include/retort/nn.h include/retort/ops.h include/retort/optim.h \
 src/cli/opening.h src/cli/status.h src/experiment/preview.h \
 src/experiment/report.h src/experiment/statistics.h \
 include/retort/threads.h
src/cli/command.h:
include/retort/status.h:
src/cli/live.h:
src/experiment/scheduler.h:
src/experiment/trial.h:
src/experiment/experiment.h:
src/core/text.h:
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
src/cli/status.h:
src/experiment/preview.h:
src/experiment/report.h:
src/experiment/statistics.h:
include/retort/threads.h:
