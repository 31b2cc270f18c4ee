/tmp/w/lead/build3/float/src/optim/registry.o: src/optim/registry.c \
 src/optim/optimizer.h src/kernels/kernels.h include/retort/rng.h \
 include/retort/status.h include/retort/optim.h include/retort/nn.h \
 include/retort/graph.h include/retort/tensor.h include/retort/ops.h \
 include/retort/params.h /tmp/w/lead/build3/gen/optimizer.inc \
 /tmp/w/lead/build3/gen/schedule.inc
src/optim/optimizer.h:
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/status.h:
include/retort/optim.h:
include/retort/nn.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/ops.h:
include/retort/params.h:
/tmp/w/lead/build3/gen/optimizer.inc:
/tmp/w/lead/build3/gen/schedule.inc:
