/tmp/w/lead/build3/float/src/data/dataset.o: src/data/dataset.c \
 src/core/hash.h include/retort/status.h src/core/text.h \
 src/data/dataset.h src/core/file.h include/retort/alloc.h \
 include/retort/data.h include/retort/graph.h include/retort/tensor.h \
 include/retort/params.h include/retort/rng.h
src/core/hash.h:
include/retort/status.h:
src/core/text.h:
src/data/dataset.h:
src/core/file.h:
include/retort/alloc.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/params.h:
include/retort/rng.h:
