/tmp/w/lead/build3/float/src/core/file.o: src/core/file.c src/core/file.h \
 include/retort/status.h include/retort/alloc.h
src/core/file.h:
include/retort/status.h:
include/retort/alloc.h:
