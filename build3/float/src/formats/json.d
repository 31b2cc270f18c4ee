/tmp/w/lead/build3/float/src/formats/json.o: src/formats/json.c \
 src/formats/json.h src/core/text.h include/retort/status.h \
 src/core/arena.h src/formats/reader.h include/retort/alloc.h
src/formats/json.h:
src/core/text.h:
include/retort/status.h:
src/core/arena.h:
src/formats/reader.h:
include/retort/alloc.h:
