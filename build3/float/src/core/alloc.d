/tmp/w/lead/build3/float/src/core/alloc.o: src/core/alloc.c \
 include/retort/alloc.h include/retort/status.h
include/retort/alloc.h:
include/retort/status.h:
