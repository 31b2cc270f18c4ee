/tmp/w/lead/build3/float/src/data/digits.o: src/data/digits.c \
 src/data/digits.h include/retort/data.h include/retort/graph.h \
 include/retort/tensor.h include/retort/status.h include/retort/params.h \
 include/retort/rng.h
src/data/digits.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/status.h:
include/retort/params.h:
include/retort/rng.h:
