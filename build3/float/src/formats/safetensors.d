/tmp/w/lead/build3/float/src/formats/safetensors.o: \
 src/formats/safetensors.c src/formats/safetensors.h src/core/file.h \
 include/retort/status.h include/retort/tensor.h src/core/arena.h \
 src/formats/json.h src/core/text.h include/retort/alloc.h
src/formats/safetensors.h:
src/core/file.h:
include/retort/status.h:
include/retort/tensor.h:
src/core/arena.h:
src/formats/json.h:
src/core/text.h:
include/retort/alloc.h:
