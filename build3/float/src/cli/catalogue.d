/tmp/w/lead/build3/float/src/cli/catalogue.o: src/cli/catalogue.c \
 src/cli/catalogue.h include/retort/params.h include/retort/status.h \
 src/data/dataset.h src/core/file.h include/retort/alloc.h \
 include/retort/data.h include/retort/graph.h include/retort/tensor.h \
 include/retort/rng.h src/distill/method.h src/graph/op.h \
 include/retort/distill.h include/retort/nn.h include/retort/ops.h \
 include/retort/optim.h src/nn/model.h src/nn/init.h \
 src/optim/optimizer.h src/kernels/kernels.h
src/cli/catalogue.h:
include/retort/params.h:
include/retort/status.h:
src/data/dataset.h:
src/core/file.h:
include/retort/alloc.h:
include/retort/data.h:
include/retort/graph.h:
include/retort/tensor.h:
include/retort/rng.h:
src/distill/method.h:
src/graph/op.h:
include/retort/distill.h:
include/retort/nn.h:
include/retort/ops.h:
include/retort/optim.h:
src/nn/model.h:
src/nn/init.h:
src/optim/optimizer.h:
src/kernels/kernels.h:
