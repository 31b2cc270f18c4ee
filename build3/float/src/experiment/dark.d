/tmp/w/lead/build3/float/src/experiment/dark.o: src/experiment/dark.c \
 src/experiment/finish.h src/experiment/checkpoint.h src/core/text.h \
 include/retort/status.h include/retort/distill.h include/retort/data.h \
 include/retort/graph.h include/retort/tensor.h include/retort/params.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/optim.h src/experiment/experiment.h \
 src/experiment/report_parts.h src/core/file.h src/experiment/report.h \
 src/experiment/statistics.h include/retort/alloc.h include/retort/log.h
src/experiment/finish.h:
src/experiment/checkpoint.h:
src/core/text.h:
include/retort/status.h:
include/retort/distill.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/params.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/optim.h:
src/experiment/experiment.h:
src/experiment/report_parts.h:
src/core/file.h:
src/experiment/report.h:
src/experiment/statistics.h:
include/retort/alloc.h:
include/retort/log.h:
