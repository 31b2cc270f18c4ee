# retort - knowledge distillation from scratch, in C.
#
#   make            the program: build/retort            make help    all targets
#
# Variables: CC, CFLAGS (added last), BUILD (where everything is made), SANITIZE=1 (address and
# undefined-behaviour sanitizers), FILTER='suite/*' (make test), PREFIX and DESTDIR (make install),
# RETORT_NO_INSTALL=1 (make test and make demo say what is missing, but do not install it).

BUILD  ?= build
PREFIX ?= /usr/local
CFLAGS ?= -O3 -g

VERSION := 0.1.0
SONAME  := libretort.so.0

# As many jobs as processors; a -j of the caller comes later and wins.
PROCESSORS := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(PROCESSORS)
endif

MACHINE := $(shell $(CC) -dumpmachine)
BASE    := -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -ffp-contract=off -fno-math-errno \
           -fPIC -fno-semantic-interposition \
           -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
           -Iinclude -Isrc -I$(BUILD)/gen -DRETORT_VERSION='"$(VERSION)"' -MMD -MP
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
%_avx2.o:   BASE += -mavx2 -mfma -mbmi
%_avx512.o: BASE += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mbmi -mprefer-vector-width=512

%/gemm_bf16_14x32_avx512.o %/gemm_bf16_lists_avx512.o: BASE += -mavx512bf16
%/int8_avx512.o: BASE += -mavx512vnni -mavx512vbmi

# Every trial's manifest says how the program was compiled.
%/experiment/finish.o: BASE += -DRETORT_CFLAGS='"$(CFLAGS)"'

objects = $(patsubst %.c,$(BUILD)/$(1)/%.o,$(2))

.PHONY: all test sanitize check-clang check-install check-aarch64 lint demo data hinton2015 bench bench-sweep bench-gemm bench-conv bench-pool install uninstall clean help FORCE

all: $(BUILD)/retort $(BUILD)/retort-double  ## the program, in two precisions (default)

# ---- generated lists ------------------------------------------------------------------------
# RTI_REGISTER(kind, name) at the start of a line puts a name on the list $(BUILD)/gen/<kind>.inc.

KINDS := op model optimizer schedule dataset method command
LISTS := $(KINDS:%=$(BUILD)/gen/%.inc)

$(LISTS): $(BUILD)/gen/%.inc: FORCE
	@mkdir -p $(@D)
	@sed -n 's/^RTI_REGISTER($*, *\([a-z0-9_]*\)).*/X(\1)/p' $(SOURCES) | LC_ALL=C sort > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# What else decides about the result: other flags or another compiler make all objects again, a file
# that goes away makes the libraries and programs again, another PREFIX what mentions it.

flags  := $(subst ',,$(CC) $(BASE) $(CFLAGS))
files  := $(SOURCES) $(TEST_SOURCES) $(LDFLAGS)
prefix := $(PREFIX)

$(BUILD)/gen/flags $(BUILD)/gen/files $(BUILD)/gen/prefix: FORCE
	@mkdir -p $(@D)
	@echo '$($(@F))' > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

PREFIX_OBJECTS := $(foreach kind,float double,$(call objects,$(kind),$(shell grep -l RETORT_PREFIX $(SOURCES))))
$(PREFIX_OBJECTS): BASE += -DRETORT_PREFIX='"$(PREFIX)"'
$(PREFIX_OBJECTS): $(BUILD)/gen/prefix

# ---- the library in two precisions, and the program -------------------------------------------

$(BUILD)/float/%.o: %.c $(BUILD)/gen/flags | $(LISTS)
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) -c $< -o $@

$(BUILD)/double/%.o: %.c $(BUILD)/gen/flags | $(LISTS)
	@mkdir -p $(@D)
	$(CC) $(BASE) -DRT_REAL=double $(CFLAGS) -c $< -o $@

$(BUILD)/%/libretort.a: $(BUILD)/gen/files
	@rm -f $@
	ar rcs $@ $(filter %.o,$^)

$(BUILD)/float/libretort.a:  $(call objects,float,$(LIBRARY_SOURCES))
$(BUILD)/double/libretort.a: $(call objects,double,$(LIBRARY_SOURCES))

# The shared library shows the public names and hides the others.
$(BUILD)/float/libretort.so.$(VERSION): $(call objects,float,$(LIBRARY_SOURCES)) $(BUILD)/gen/files
	@echo '{ global: rt_*; local: *; };' > $(BUILD)/gen/exports
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,$(BUILD)/gen/exports \
	    -o $@ $(filter %.o,$^) $(LIBS)

$(BUILD)/float/libretort.so: $(BUILD)/float/libretort.so.$(VERSION)
	@cd $(@D) && ln -sf $(<F) $(SONAME) && ln -sf $(SONAME) $(@F)

$(BUILD)/retort: $(call objects,float,$(PROGRAM_SOURCES)) $(BUILD)/float/libretort.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Gradients are checked in double: `retort gradcheck` starts this one.
$(BUILD)/retort-double: $(call objects,double,$(PROGRAM_SOURCES)) $(BUILD)/double/libretort.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# ---- tests ------------------------------------------------------------------------------------

# Criterion is set up before the first test is compiled.
$(BUILD)/gen/criterion:
	@mkdir -p $(@D)
	@CC='$(CC)' sh tests/support/need.sh criterion
	@touch $@

$(foreach kind,float double,$(call objects,$(kind),$(TEST_SOURCES))): | $(BUILD)/gen/criterion

# Tests start the program of their own precision; RETORT_PROGRAM in the environment names another one.
TEST_BASE = $$(sh tests/support/need.sh criterion-cflags) -DRETORT_PROGRAM='"$(abspath $(BUILD)/$(1))"'
$(BUILD)/float/tests/%.o:  BASE += $(call TEST_BASE,retort)
$(BUILD)/double/tests/%.o: BASE += $(call TEST_BASE,retort-double)

$(BUILD)/%/run-tests: $(BUILD)/gen/files
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $$(sh tests/support/need.sh criterion-libs) $(LIBS)

$(BUILD)/float/run-tests:  $(call objects,float,$(TEST_SOURCES)) $(BUILD)/float/libretort.a
$(BUILD)/double/run-tests: $(call objects,double,$(TEST_SOURCES)) $(BUILD)/double/libretort.a

test: $(BUILD)/float/run-tests $(BUILD)/double/run-tests all  ## all tests, in float and in double
	@status=0; for kind in float double; do \
	    echo "tests in $$kind$(FILTER:%=, only %)"; \
	    $(BUILD)/$$kind/run-tests $(if $(FILTER),--filter '$(FILTER)') || status=1; \
	done; exit $$status

sanitize:  ## all tests under the address and undefined-behaviour sanitizers
	$(MAKE) SANITIZE=1 BUILD=$(BUILD)/sanitize CFLAGS='-O1 -g' test

check-clang:  ## all tests, built by clang
	$(MAKE) CC=clang BUILD=$(BUILD)/clang test
	@sh tests/support/unrolled.sh $(BUILD)/clang

check-install: all  ## installs below $(BUILD), compiles the README's program against it, runs it
	@if ! command -v pkg-config >/dev/null; then echo "check-install: no pkg-config, nothing compiled"; exit 0; fi; \
	to='$(abspath $(BUILD))/installed'; rm -rf "$$to" && $(MAKE) -s install DESTDIR= PREFIX="$$to" && \
	PKG_CONFIG_PATH="$$to/lib/pkgconfig" && export PKG_CONFIG_PATH && \
	$(CC) experiments/distil.c $$(pkg-config --cflags --libs retort) -Wl,-rpath,"$$to/lib" -o "$$to/distil" && \
	"$$to/distil"

check-aarch64: $(BUILD)/retort  ## the portable kernels on another architecture, under emulation
	sh tests/support/aarch64.sh $(BUILD)/aarch64 $(BUILD)/retort

lint: $(BUILD)/float/libretort.a $(BUILD)/float/libretort.so  ## the rules of the house, checked
	@CC='$(CC)' BUILD='$(BUILD)' sh tests/support/lint.sh

# ---- using it ---------------------------------------------------------------------------------

demo:  ## sets up gnuplot, builds, runs experiments/demo.toml (two minutes) and shows the results
	@sh tests/support/need.sh gnuplot || echo "going on without pictures"
	@$(MAKE) --no-print-directory $(BUILD)/retort
	$(BUILD)/retort run experiments/demo.toml

# What chose the recipes, on validation, lies in choose/ and is no part of the repetition; back/ needs the specialists.

hinton2015: $(BUILD)/retort  ## Hinton, Vinyals, Dean 2015 again; resumable (2 h; RETORT_DATA)
	@sh tests/support/need.sh gnuplot || echo "going on without pictures"
	$(BUILD)/retort run $(sort $(wildcard experiments/hinton2015/*.toml))
	$(BUILD)/retort specialists experiments/hinton2015/specialists-mnist.toml --count 5 --classes 3
	$(BUILD)/retort specialists experiments/hinton2015/specialists-few.toml --count 5 --classes 3 --epochs 20
	$(BUILD)/retort specialists experiments/hinton2015/specialists-cifar10.toml --count 5 --classes 3 --epochs 5
	$(BUILD)/retort run $(sort $(wildcard experiments/hinton2015/back/*.toml))

data: $(BUILD)/retort  ## fetches MNIST (curl; verified, resumed; RETORT_DATA=DIR says where to)
	$(BUILD)/retort data fetch mnist

$(BUILD)/float/bench_gemm: $(call objects,float,tests/bench/bench_gemm.c tests/bench/peak.c) $(BUILD)/float/libretort.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -ldl

bench-gemm: $(BUILD)/float/bench_gemm  ## speed of the matrix product, beside OpenBLAS and oneDNN where installed
	$(BUILD)/float/bench_gemm 1
	$(BUILD)/float/bench_gemm $(PROCESSORS)

$(BUILD)/float/bench_conv: $(BUILD)/float/tests/bench/bench_conv.o $(BUILD)/float/libretort.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

bench-conv: $(BUILD)/float/bench_conv  ## speed of convolution at the shapes of CIFAR networks
	$(BUILD)/float/bench_conv 1
	$(BUILD)/float/bench_conv $(PROCESSORS)

$(BUILD)/float/bench_pool: $(BUILD)/float/tests/bench/bench_pool.o $(BUILD)/float/libretort.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

bench-pool: $(BUILD)/float/bench_pool  ## what handing work to the thread pool costs
	$(BUILD)/float/bench_pool 2
	$(BUILD)/float/bench_pool $(PROCESSORS)

# RETORT_DATA, PEERS, PYTHON, MNIST_DIR, OMPBLAS and KANN say where data and peers are: see the script.
bench: $(BUILD)/retort $(BUILD)/float/bench_gemm  ## the whole table of speed, beside the peers that are here (ROUNDS=5)
	RETORT=$(BUILD)/retort BENCH_GEMM=$(BUILD)/float/bench_gemm CC='$(CC)' CFLAGS='$(CFLAGS)' \
	    sh tests/bench/table.sh $(ROUNDS)

bench-sweep: $(BUILD)/retort  ## a sweep of eight students, in groups and alone (tests/bench/sweep.sh)
	RETORT=$(BUILD)/retort sh tests/bench/sweep.sh 3 >/dev/null

# ---- installation -----------------------------------------------------------------------------

to := $(DESTDIR)$(PREFIX)

install: all $(BUILD)/float/libretort.a $(BUILD)/float/libretort.so  ## into PREFIX (/usr/local), below DESTDIR
	install -d '$(to)/bin' '$(to)/libexec' '$(to)/lib/pkgconfig' '$(to)/include/retort' \
	    '$(to)/share/retort/plots' '$(to)/share/retort/experiments'
	install -m 755 $(BUILD)/retort '$(to)/bin/retort'
	install -m 755 $(BUILD)/retort-double '$(to)/libexec/retort-double'
	install -m 644 $(BUILD)/float/libretort.a '$(to)/lib/libretort.a'
	install -m 755 $(BUILD)/float/libretort.so.$(VERSION) '$(to)/lib/libretort.so.$(VERSION)'
	ln -sf libretort.so.$(VERSION) '$(to)/lib/$(SONAME)'
	ln -sf $(SONAME) '$(to)/lib/libretort.so'
	install -m 644 include/retort/*.h '$(to)/include/retort/'
	for f in plots/*.gp; do [ ! -f "$$f" ] || install -m 644 "$$f" '$(to)/share/retort/plots/'; done
	for f in experiments/*.toml; do [ ! -f "$$f" ] || install -m 644 "$$f" '$(to)/share/retort/experiments/'; done
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	    'Name: retort' 'Description: knowledge distillation: tensors, gradients, networks, methods' \
	    'Version: $(VERSION)' 'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lretort' \
	    'Libs.private: -lm -lpthread' > '$(to)/lib/pkgconfig/retort.pc'

uninstall:  ## removes what make install has put into PREFIX
	rm -f '$(to)/bin/retort' '$(to)/libexec/retort-double' '$(to)/lib/libretort.a' '$(to)/lib/libretort.so' \
	    '$(to)/lib/$(SONAME)' '$(to)/lib/libretort.so.$(VERSION)' '$(to)/lib/pkgconfig/retort.pc'
	rm -rf '$(to)/include/retort' '$(to)/share/retort'

clean:  ## removes everything that was built
	rm -rf $(BUILD)

help:  ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## *\(.*\)/\1|\2/p' Makefile | \
	    awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

-include $(patsubst %.o,%.d,$(call objects,float,$(SOURCES) $(TEST_SOURCES)) $(call objects,double,$(SOURCES) $(TEST_SOURCES)))
