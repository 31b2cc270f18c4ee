/tmp/w/lead/build3/float/src/kernels/conv_kernel_gradient.o: \
 src/kernels/conv_kernel_gradient.c src/core/pool.h \
 include/retort/threads.h include/retort/status.h \
 src/kernels/conv_tiles.h src/kernels/dispatch.h src/kernels/kernels.h \
 include/retort/rng.h src/kernels/loops.h
src/core/pool.h:
include/retort/threads.h:
include/retort/status.h:
src/kernels/conv_tiles.h:
src/kernels/dispatch.h:
src/kernels/kernels.h:
include/retort/rng.h:
src/kernels/loops.h:
