/tmp/w/lead/build3/float/src/cli/help.o: src/cli/help.c \
 src/cli/catalogue.h include/retort/params.h include/retort/status.h \
 src/cli/command.h src/experiment/experiment.h src/core/text.h \
 include/retort/distill.h include/retort/data.h include/retort/graph.h \
 include/retort/tensor.h include/retort/rng.h include/retort/nn.h \
 include/retort/ops.h include/retort/optim.h
src/cli/catalogue.h:
include/retort/params.h:
include/retort/status.h:
src/cli/command.h:
src/experiment/experiment.h:
src/core/text.h:
include/retort/distill.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/rng.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/optim.h:
