/tmp/w/lead/build3/float/src/formats/toml.o: src/formats/toml.c \
 src/formats/toml.h include/retort/status.h src/core/file.h \
 src/core/hash.h src/formats/reader.h src/formats/toml_parser.h \
 src/core/arena.h include/retort/alloc.h
src/formats/toml.h:
include/retort/status.h:
src/core/file.h:
src/core/hash.h:
src/formats/reader.h:
src/formats/toml_parser.h:
src/core/arena.h:
include/retort/alloc.h:
