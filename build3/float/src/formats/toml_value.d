/tmp/w/lead/build3/float/src/formats/toml_value.o: \
 src/formats/toml_value.c src/formats/reader.h include/retort/status.h \
 src/formats/toml_parser.h src/core/arena.h src/formats/toml.h \
 include/retort/alloc.h
src/formats/reader.h:
include/retort/status.h:
src/formats/toml_parser.h:
src/core/arena.h:
src/formats/toml.h:
include/retort/alloc.h:
