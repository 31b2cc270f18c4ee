/tmp/w/lead/build3/float/src/core/params.o: src/core/params.c \
 include/retort/params.h include/retort/status.h
include/retort/params.h:
include/retort/status.h:
