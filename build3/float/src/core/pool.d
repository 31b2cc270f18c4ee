/tmp/w/lead/build3/float/src/core/pool.o: src/core/pool.c src/core/pool.h \
 include/retort/threads.h include/retort/status.h
src/core/pool.h:
include/retort/threads.h:
include/retort/status.h:
