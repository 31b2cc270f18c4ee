/tmp/w/lead/build3/float/src/kernels/dispatch.o: src/kernels/dispatch.c \
 src/kernels/dispatch.h src/kernels/kernels.h include/retort/rng.h \
 include/retort/status.h src/kernels/loops.h src/kernels/conv_tiles.h \
 src/kernels/gemm_tiles.h
src/kernels/dispatch.h:
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/status.h:
src/kernels/loops.h:
src/kernels/conv_tiles.h:
src/kernels/gemm_tiles.h:
