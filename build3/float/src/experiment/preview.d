/tmp/w/lead/build3/float/src/experiment/preview.o: \
 src/experiment/preview.c src/experiment/preview.h \
 src/experiment/experiment.h src/core/text.h include/retort/status.h \
 include/retort/distill.h include/retort/data.h include/retort/graph.h \
 include/retort/tensor.h include/retort/params.h include/retort/rng.h \
 include/retort/nn.h include/retort/ops.h include/retort/optim.h \
 src/core/clock.h src/experiment/pair.h src/experiment/spec.h \
 src/formats/toml.h src/experiment/plan_builder.h src/core/hash.h \
 src/experiment/report_parts.h src/core/file.h src/experiment/report.h \
 src/experiment/statistics.h src/experiment/scheduler.h \
 src/experiment/trial.h include/retort/alloc.h
src/experiment/preview.h:
src/experiment/experiment.h:
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
src/core/clock.h:
src/experiment/pair.h:
src/experiment/spec.h:
src/formats/toml.h:
src/experiment/plan_builder.h:
src/core/hash.h:
src/experiment/report_parts.h:
src/core/file.h:
src/experiment/report.h:
src/experiment/statistics.h:
src/experiment/scheduler.h:
src/experiment/trial.h:
include/retort/alloc.h:
