/tmp/w/lead/build3/float/src/cli/list.o: src/cli/list.c \
 src/cli/catalogue.h include/retort/params.h include/retort/status.h \
 src/cli/command.h
src/cli/catalogue.h:
include/retort/params.h:
include/retort/status.h:
src/cli/command.h:
