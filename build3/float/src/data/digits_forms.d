/tmp/w/lead/build3/float/src/data/digits_forms.o: src/data/digits_forms.c \
 src/data/digits.h
src/data/digits.h:
