/tmp/w/lead/build3/float/src/formats/png.o: src/formats/png.c \
 src/formats/png.h include/retort/status.h src/core/file.h \
 src/core/text.h
src/formats/png.h:
include/retort/status.h:
src/core/file.h:
src/core/text.h:
