/tmp/w/lead/build3/float/src/cli/data.o: src/cli/data.c src/cli/command.h \
 include/retort/status.h src/core/file.h src/data/dataset.h \
 include/retort/alloc.h include/retort/data.h include/retort/graph.h \
 include/retort/tensor.h include/retort/params.h include/retort/rng.h \
 src/formats/png.h include/retort/log.h
src/cli/command.h:
include/retort/status.h:
src/core/file.h:
src/data/dataset.h:
include/retort/alloc.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/params.h:
include/retort/rng.h:
src/formats/png.h:
include/retort/log.h:
