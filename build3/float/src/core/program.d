/tmp/w/lead/build3/float/src/core/program.o: src/core/program.c \
 src/core/file.h include/retort/status.h include/retort/alloc.h
src/core/file.h:
include/retort/status.h:
include/retort/alloc.h:
