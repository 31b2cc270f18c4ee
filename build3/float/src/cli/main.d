/tmp/w/lead/build3/float/src/cli/main.o: src/cli/main.c src/cli/command.h \
 include/retort/status.h src/core/clock.h src/kernels/dispatch.h \
 src/kernels/kernels.h include/retort/rng.h src/kernels/loops.h \
 include/retort/params.h /tmp/w/lead/build3/gen/command.inc
src/cli/command.h:
include/retort/status.h:
src/core/clock.h:
src/kernels/dispatch.h:
src/kernels/kernels.h:
include/retort/rng.h:
src/kernels/loops.h:
include/retort/params.h:
/tmp/w/lead/build3/gen/command.inc:
