/tmp/w/lead/build3/float/src/core/text.o: src/core/text.c src/core/text.h \
 include/retort/status.h include/retort/alloc.h
src/core/text.h:
include/retort/status.h:
include/retort/alloc.h:
