/tmp/w/lead/build3/float/src/cli/eval.o: src/cli/eval.c src/cli/command.h \
 include/retort/status.h src/cli/opening.h src/experiment/experiment.h \
 src/core/text.h include/retort/distill.h include/retort/data.h \
 include/retort/graph.h include/retort/tensor.h include/retort/params.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/optim.h src/core/file.h src/experiment/statistics.h \
 src/formats/json.h include/retort/alloc.h include/retort/threads.h
src/cli/command.h:
include/retort/status.h:
src/cli/opening.h:
src/experiment/experiment.h:
src/core/text.h:
include/retort/distill.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/params.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/optim.h:
src/core/file.h:
src/experiment/statistics.h:
src/formats/json.h:
include/retort/alloc.h:
include/retort/threads.h:
