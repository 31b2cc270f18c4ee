/tmp/w/lead/build3/float/src/formats/json_writer.o: \
 src/formats/json_writer.c src/formats/json.h src/core/text.h \
 include/retort/status.h src/formats/reader.h
src/formats/json.h:
src/core/text.h:
include/retort/status.h:
src/formats/reader.h:
