/tmp/w/lead/build3/float/src/formats/csv.o: src/formats/csv.c \
 src/formats/csv.h src/core/text.h include/retort/status.h \
 src/core/file.h src/formats/reader.h include/retort/alloc.h
src/formats/csv.h:
src/core/text.h:
include/retort/status.h:
src/core/file.h:
src/formats/reader.h:
include/retort/alloc.h:
