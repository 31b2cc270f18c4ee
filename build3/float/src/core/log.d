/tmp/w/lead/build3/float/src/core/log.o: src/core/log.c \
 include/retort/log.h include/retort/status.h
include/retort/log.h:
include/retort/status.h:
