/tmp/w/lead/build3/float/src/formats/reader.o: src/formats/reader.c \
 src/formats/reader.h include/retort/status.h src/formats/json.h \
 src/core/text.h
src/formats/reader.h:
include/retort/status.h:
src/formats/json.h:
src/core/text.h:
