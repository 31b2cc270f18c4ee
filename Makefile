# retort - knowledge distillation from scratch, in C.
#
#   make            the program: build/retort            make help    all targets
#
# Variables: CC, CFLAGS (added last), BUILD (where everything is made), SANITIZE=1 (address and
# undefined-behaviour sanitizers), PREFIX and DESTDIR (make install).

BUILD  ?= build
PREFIX ?= /usr/local
CFLAGS ?= -O3 -g

VERSION := 0.1.0

MACHINE := $(shell $(CC) -dumpmachine)
BASE    := -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -ffp-contract=off -fno-math-errno -fPIC \
           -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
           -Iinclude -Isrc -I$(BUILD)/gen -DRETORT_VERSION='"$(VERSION)"' -DRETORT_PREFIX='"$(PREFIX)"' -MMD -MP
LIBS    := -lm -lpthread

ifdef SANITIZE
BASE += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LIBS += -fsanitize=address,undefined
endif

SOURCES  := $(sort $(wildcard src/*/*.c src/*/*/*.c))
ifeq ($(filter x86_64%,$(MACHINE)),)
SOURCES  := $(filter-out %_avx2.c %_avx512.c,$(SOURCES))
endif
ifeq ($(filter aarch64%,$(MACHINE)),)
SOURCES  := $(filter-out %_neon.c,$(SOURCES))
endif
PROGRAM_SOURCES := $(filter src/cli/%,$(SOURCES))
LIBRARY_SOURCES := $(filter-out src/cli/%,$(SOURCES))
TEST_SOURCES    := $(sort $(filter-out tests/bench/%,$(wildcard tests/*/*.c)))

# Vector kernels are built for their instruction set; the choice is made when the program starts.
%_avx2.o:   BASE += -mavx2 -mfma
%_avx512.o: BASE += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512

# Every trial's manifest says how the program was compiled.
%/experiment/finish.o: BASE += -DRETORT_CFLAGS='"$(CFLAGS)"'

objects = $(patsubst %.c,$(BUILD)/$(1)/%.o,$(2))

.SECONDARY:
.PHONY: all test data demo bench-gemm clean help

all: $(BUILD)/retort $(BUILD)/retort-double  ## the program, in two precisions (default)

# ---- generated lists ------------------------------------------------------------------------
# RTI_REGISTER(kind, name) at the start of a line puts a name on the list $(BUILD)/gen/<kind>.inc.

KINDS := op model optimizer schedule dataset method command
LISTS := $(KINDS:%=$(BUILD)/gen/%.inc)

$(BUILD)/gen/%.inc: $(SOURCES) Makefile
	@mkdir -p $(@D)
	@sed -n 's/^RTI_REGISTER($*, *\([a-z0-9_]*\)).*/X(\1)/p' $(SOURCES) | LC_ALL=C sort > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# ---- the library in two precisions, and the program -------------------------------------------

$(BUILD)/float/%.o: %.c | $(LISTS)
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) -c $< -o $@

$(BUILD)/double/%.o: %.c | $(LISTS)
	@mkdir -p $(@D)
	$(CC) $(BASE) -DRT_REAL=double $(CFLAGS) -c $< -o $@

$(BUILD)/%/libretort.a: 
	@rm -f $@
	ar rcs $@ $(filter %.o,$^)

$(BUILD)/float/libretort.a:  $(call objects,float,$(LIBRARY_SOURCES))
$(BUILD)/double/libretort.a: $(call objects,double,$(LIBRARY_SOURCES))

$(BUILD)/retort: $(call objects,float,$(PROGRAM_SOURCES)) $(BUILD)/float/libretort.a
	$(CC) $(CFLAGS) -o $@ $^ $(LIBS)

# Gradients are checked in double: `retort gradcheck` starts this one.
$(BUILD)/retort-double: $(call objects,double,$(PROGRAM_SOURCES)) $(BUILD)/double/libretort.a
	$(CC) $(CFLAGS) -o $@ $^ $(LIBS)

# ---- tests ------------------------------------------------------------------------------------

# Tests start the program of their own precision; RETORT_PROGRAM in the environment names another one.
$(BUILD)/float/tests/%.o:  BASE += -DRETORT_PROGRAM='"$(abspath $(BUILD)/retort)"'
$(BUILD)/double/tests/%.o: BASE += -DRETORT_PROGRAM='"$(abspath $(BUILD)/retort-double)"'

$(BUILD)/%/run-tests:
	$(CC) $(CFLAGS) -o $@ $^ -lcriterion $(LIBS)

$(BUILD)/float/run-tests:  $(call objects,float,$(TEST_SOURCES)) $(BUILD)/float/libretort.a
$(BUILD)/double/run-tests: $(call objects,double,$(TEST_SOURCES)) $(BUILD)/double/libretort.a


test: $(BUILD)/float/run-tests $(BUILD)/double/run-tests all  ## all tests, in float and in double
	$(BUILD)/float/run-tests
	$(BUILD)/double/run-tests

data: $(BUILD)/retort  ## fetches MNIST (curl; verified, resumed; RETORT_DATA=DIR says where to)
	$(BUILD)/retort data fetch mnist

$(BUILD)/float/bench_gemm: $(BUILD)/float/tests/bench/bench_gemm.o $(BUILD)/float/libretort.a
	$(CC) $(CFLAGS) -o $@ $^ $(LIBS) -ldl

bench-gemm: $(BUILD)/float/bench_gemm  ## speed of the matrix product, beside OpenBLAS when it is installed
	$(BUILD)/float/bench_gemm 1
	$(BUILD)/float/bench_gemm $$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)

clean:  ## removes everything that was built
	rm -rf $(BUILD)

help:  ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## *\(.*\)/  make \1\t\2/p' Makefile | expand -t 20

-include $(patsubst %.o,%.d,$(call objects,float,$(SOURCES) $(TEST_SOURCES)) $(call objects,double,$(SOURCES) $(TEST_SOURCES)))
