/tmp/w/lead/build3/float/src/core/processors.o: src/core/processors.c \
 include/retort/threads.h include/retort/status.h
include/retort/threads.h:
include/retort/status.h:
