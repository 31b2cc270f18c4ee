/tmp/w/lead/build3/float/src/tensor/tensor.o: src/tensor/tensor.c \
 include/retort/tensor.h include/retort/status.h include/retort/alloc.h \
 src/tensor/strided.h
include/retort/tensor.h:
include/retort/status.h:
include/retort/alloc.h:
src/tensor/strided.h:
