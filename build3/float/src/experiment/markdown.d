/tmp/w/lead/build3/float/src/experiment/markdown.o: \
 src/experiment/markdown.c src/experiment/league.h \
 src/experiment/report_parts.h src/core/file.h include/retort/status.h \
 src/experiment/report.h src/core/text.h src/experiment/experiment.h \
 include/retort/distill.h include/retort/data.h include/retort/graph.h \
 include/retort/tensor.h include/retort/params.h include/retort/rng.h \
 include/retort/nn.h include/retort/ops.h include/retort/optim.h \
 src/experiment/statistics.h
src/experiment/league.h:
src/experiment/report_parts.h:
src/core/file.h:
include/retort/status.h:
src/experiment/report.h:
src/core/text.h:
src/experiment/experiment.h:
include/retort/distill.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/params.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/optim.h:
src/experiment/statistics.h:
