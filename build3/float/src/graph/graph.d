/tmp/w/lead/build3/float/src/graph/graph.o: src/graph/graph.c \
 include/retort/graph.h include/retort/tensor.h include/retort/status.h \
 src/core/arena.h src/graph/op.h include/retort/alloc.h \
 include/retort/log.h src/tensor/strided.h
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
src/core/arena.h:
src/graph/op.h:
include/retort/alloc.h:
include/retort/log.h:
src/tensor/strided.h:
