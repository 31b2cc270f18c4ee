/tmp/w/lead/build3/float/src/kernels/conv_6x16_avx2.o: \
 src/kernels/conv_6x16_avx2.c src/kernels/conv_tiles.h \
 src/kernels/dispatch.h src/kernels/kernels.h include/retort/rng.h \
 include/retort/status.h src/kernels/loops.h
src/kernels/conv_tiles.h:
src/kernels/dispatch.h:
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/status.h:
src/kernels/loops.h:
