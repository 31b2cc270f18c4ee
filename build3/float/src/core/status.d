/tmp/w/lead/build3/float/src/core/status.o: src/core/status.c \
 include/retort/status.h
include/retort/status.h:
