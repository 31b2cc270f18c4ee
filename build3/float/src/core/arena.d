/tmp/w/lead/build3/float/src/core/arena.o: src/core/arena.c \
 src/core/arena.h include/retort/status.h include/retort/alloc.h
src/core/arena.h:
include/retort/status.h:
include/retort/alloc.h:
