/tmp/w/lead/build3/float/src/cli/bench.o: src/cli/bench.c src/cli/bench.h \
 src/cli/command.h include/retort/status.h src/core/clock.h \
 src/kernels/kernels.h include/retort/rng.h include/retort/retort.h \
 include/retort/alloc.h include/retort/log.h include/retort/threads.h \
 include/retort/params.h include/retort/tensor.h include/retort/graph.h \
 include/retort/image.h include/retort/ops.h include/retort/nn.h \
 include/retort/optim.h include/retort/data.h include/retort/distill.h
src/cli/bench.h:
src/cli/command.h:
include/retort/status.h:
src/core/clock.h:
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/retort.h:
include/retort/alloc.h:
include/retort/log.h:
include/retort/threads.h:
include/retort/params.h:
include/retort/tensor.h:
include/retort/graph.h:
include/retort/image.h:
include/retort/ops.h:
include/retort/nn.h:
include/retort/optim.h:
include/retort/data.h:
include/retort/distill.h:
