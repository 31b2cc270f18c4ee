/tmp/w/lead/build3/float/src/nn/init.o: src/nn/init.c src/nn/init.h \
 include/retort/rng.h include/retort/status.h
src/nn/init.h:
include/retort/rng.h:
include/retort/status.h:
