/tmp/w/lead/build3/float/src/kernels/loops_avx512.o: \
 src/kernels/loops_avx512.c src/kernels/dispatch.h src/kernels/kernels.h \
 include/retort/rng.h include/retort/status.h src/kernels/loops.h \
 src/kernels/loops_body.h src/kernels/norm_body.h
src/kernels/dispatch.h:
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/status.h:
src/kernels/loops.h:
src/kernels/loops_body.h:
src/kernels/norm_body.h:
