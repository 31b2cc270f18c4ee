/tmp/w/lead/build3/float/src/experiment/worker.o: src/experiment/worker.c \
 src/experiment/worker.h src/experiment/trial.h \
 src/experiment/experiment.h src/core/text.h include/retort/status.h \
 include/retort/distill.h include/retort/data.h include/retort/graph.h \
 include/retort/tensor.h include/retort/params.h include/retort/rng.h \
 include/retort/nn.h include/retort/ops.h include/retort/optim.h \
 src/core/clock.h src/core/file.h src/experiment/lock.h \
 include/retort/log.h include/retort/threads.h
src/experiment/worker.h:
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
src/core/clock.h:
src/core/file.h:
src/experiment/lock.h:
include/retort/log.h:
include/retort/threads.h:
