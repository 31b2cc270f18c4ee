/tmp/w/lead/build3/float/src/kernels/rmsprop.o: src/kernels/rmsprop.c \
 src/kernels/kernels.h include/retort/rng.h include/retort/status.h
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/status.h:
