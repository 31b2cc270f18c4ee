/tmp/w/lead/build3/float/src/experiment/statistics.o: \
 src/experiment/statistics.c src/experiment/statistics.h \
 include/retort/status.h include/retort/alloc.h
src/experiment/statistics.h:
include/retort/status.h:
include/retort/alloc.h:
