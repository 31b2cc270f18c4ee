/tmp/w/lead/build3/float/src/cli/gradcheck.o: src/cli/gradcheck.c \
 src/cli/command.h include/retort/status.h src/core/file.h \
 include/retort/alloc.h include/retort/ops.h include/retort/graph.h \
 include/retort/tensor.h include/retort/rng.h include/retort/params.h
src/cli/command.h:
include/retort/status.h:
src/core/file.h:
include/retort/alloc.h:
include/retort/ops.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/rng.h:
include/retort/params.h:
