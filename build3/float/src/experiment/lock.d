/tmp/w/lead/build3/float/src/experiment/lock.o: src/experiment/lock.c \
 src/experiment/lock.h include/retort/status.h src/core/clock.h \
 src/core/file.h src/formats/json.h src/core/text.h \
 include/retort/alloc.h
src/experiment/lock.h:
include/retort/status.h:
src/core/clock.h:
src/core/file.h:
src/formats/json.h:
src/core/text.h:
include/retort/alloc.h:
