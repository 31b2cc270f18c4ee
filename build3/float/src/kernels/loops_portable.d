/tmp/w/lead/build3/float/src/kernels/loops_portable.o: \
 src/kernels/loops_portable.c src/kernels/loops_body.h \
 src/kernels/loops.h src/kernels/kernels.h include/retort/rng.h \
 include/retort/status.h src/kernels/norm_body.h
src/kernels/loops_body.h:
src/kernels/loops.h:
src/kernels/kernels.h:
include/retort/rng.h:
include/retort/status.h:
src/kernels/norm_body.h:
