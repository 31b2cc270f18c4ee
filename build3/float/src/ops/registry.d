/tmp/w/lead/build3/float/src/ops/registry.o: src/ops/registry.c \
 src/graph/op.h include/retort/graph.h include/retort/tensor.h \
 include/retort/status.h include/retort/ops.h include/retort/rng.h \
 /tmp/w/lead/build3/gen/op.inc
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
include/retort/ops.h:
include/retort/rng.h:
/tmp/w/lead/build3/gen/op.inc:
