/tmp/w/lead/build3/float/src/core/rng.o: src/core/rng.c \
 include/retort/rng.h include/retort/status.h src/core/hash.h
include/retort/rng.h:
include/retort/status.h:
src/core/hash.h:
