/tmp/w/lead/build3/float/src/kernels/norm.o: src/kernels/norm.c \
 src/core/pool.h include/retort/threads.h include/retort/status.h \
 src/kernels/dispatch.h src/kernels/kernels.h include/retort/rng.h \
 src/kernels/loops.h
src/core/pool.h:
include/retort/threads.h:
include/retort/status.h:
src/kernels/dispatch.h:
src/kernels/kernels.h:
include/retort/rng.h:
src/kernels/loops.h:
