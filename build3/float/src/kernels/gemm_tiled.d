/tmp/w/lead/build3/float/src/kernels/gemm_tiled.o: \
 src/kernels/gemm_tiled.c src/core/pool.h include/retort/threads.h \
 include/retort/status.h src/kernels/gemm_tiles.h src/kernels/dispatch.h \
 src/kernels/kernels.h include/retort/rng.h src/kernels/loops.h
src/core/pool.h:
include/retort/threads.h:
include/retort/status.h:
src/kernels/gemm_tiles.h:
src/kernels/dispatch.h:
src/kernels/kernels.h:
include/retort/rng.h:
src/kernels/loops.h:
