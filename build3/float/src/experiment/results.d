/tmp/w/lead/build3/float/src/experiment/results.o: \
 src/experiment/results.c src/experiment/report_parts.h src/core/file.h \
 include/retort/status.h src/experiment/report.h src/core/text.h \
 src/experiment/experiment.h include/retort/distill.h \
 include/retort/data.h include/retort/graph.h include/retort/tensor.h \
 include/retort/params.h include/retort/rng.h include/retort/nn.h \
 include/retort/ops.h include/retort/optim.h src/experiment/statistics.h \
 src/formats/csv.h src/formats/json.h include/retort/alloc.h
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
src/formats/csv.h:
src/formats/json.h:
include/retort/alloc.h:
