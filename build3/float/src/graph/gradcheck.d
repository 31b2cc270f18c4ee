/tmp/w/lead/build3/float/src/graph/gradcheck.o: src/graph/gradcheck.c \
 src/core/arena.h include/retort/status.h src/graph/op.h \
 include/retort/graph.h include/retort/tensor.h include/retort/rng.h \
 src/tensor/strided.h
src/core/arena.h:
include/retort/status.h:
src/graph/op.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/rng.h:
src/tensor/strided.h:
