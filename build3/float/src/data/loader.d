/tmp/w/lead/build3/float/src/data/loader.o: src/data/loader.c \
 src/core/pool.h include/retort/threads.h include/retort/status.h \
 src/data/views.h src/data/dataset.h src/core/file.h \
 include/retort/alloc.h include/retort/data.h include/retort/graph.h \
 include/retort/tensor.h include/retort/params.h include/retort/rng.h \
 src/kernels/kernels.h
src/core/pool.h:
include/retort/threads.h:
include/retort/status.h:
src/data/views.h:
src/data/dataset.h:
src/core/file.h:
include/retort/alloc.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/params.h:
include/retort/rng.h:
src/kernels/kernels.h:
