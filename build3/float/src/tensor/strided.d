/tmp/w/lead/build3/float/src/tensor/strided.o: src/tensor/strided.c \
 src/tensor/strided.h include/retort/tensor.h include/retort/status.h
src/tensor/strided.h:
include/retort/tensor.h:
include/retort/status.h:
