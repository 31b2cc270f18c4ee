/tmp/w/lead/build3/float/src/experiment/rows.o: src/experiment/rows.c \
 src/experiment/spec.h src/experiment/experiment.h src/core/text.h \
 include/retort/status.h include/retort/distill.h include/retort/data.h \
 include/retort/graph.h include/retort/tensor.h include/retort/params.h \
 include/retort/rng.h include/retort/nn.h include/retort/ops.h \
 include/retort/optim.h src/formats/toml.h src/optim/optimizer.h \
 src/kernels/kernels.h
src/experiment/spec.h:
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
src/formats/toml.h:
src/optim/optimizer.h:
src/kernels/kernels.h:
