/tmp/w/lead/build3/float/src/formats/safetensors_write.o: \
 src/formats/safetensors_write.c src/formats/json.h src/core/text.h \
 include/retort/status.h src/formats/reader.h src/formats/safetensors.h \
 src/core/file.h include/retort/tensor.h include/retort/alloc.h
src/formats/json.h:
src/core/text.h:
include/retort/status.h:
src/formats/reader.h:
src/formats/safetensors.h:
src/core/file.h:
include/retort/tensor.h:
include/retort/alloc.h:
