/tmp/w/lead/build3/float/src/core/hash.o: src/core/hash.c src/core/hash.h \
 include/retort/status.h
src/core/hash.h:
include/retort/status.h:
