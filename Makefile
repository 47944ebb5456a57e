# pktseq - `make` builds the examples, `make help` lists the rest.
CC = cc
CFLAGS = -O2
# Where the compiler has no OpenMP (Apple's, or clang without libomp) this is empty: one core is used.
OPENMP := $(shell t=`mktemp` && \
    printf '\043include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }' >$$t && \
    $(CC) -fopenmp -x c $$t -o $$t.out 2>/dev/null && echo -fopenmp; rm -f $$t $$t.out)
LDLIBS = -lm
# Idle threads of OpenMP sleep instead of spinning.
export OMP_WAIT_POLICY = passive

BUILD = build
# train_mpi needs MPI: see tests/mpi.sh.
EXAMPLES = $(filter-out %_mpi,$(patsubst examples/%.c,%,$(wildcard examples/*.c)))
TESTS = $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/test_*.c)) $(DOUBLES:%=$(BUILD)/%_double)
# What is also worth testing with PKTSEQ_REAL double.
DOUBLES = $(filter test_codec test_plain test_step test_loss test_optimizer test_model test_train \
                   test_use test_score test_fit test_evaluate test_memory test_checkpoint, \
            $(patsubst tests/%.c,%,$(wildcard tests/test_*.c)))
SANITIZE = -O1 -g -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all

all: $(EXAMPLES)

detect: examples/alarm.h examples/live.h examples/report.h examples/ngram.h
detect sequences train: examples/options.h examples/output.h
train: examples/choose.h examples/plot.h
$(EXAMPLES): %: examples/%.c pktseq.h
	$(CC) $(CFLAGS) $(OPENMP) -o $@ $< $(LDLIBS)

# Both inputs: a capture, and CSV from tshark, which has labels here.
run: train detect sequences
	@echo 'learning and scoring, first captures, then CSV: this takes less than a minute'
	@mkdir -p run
	./train --recommended --print-every 100 --plot-every 4 --out run/pcap examples/data/normal.pcap
	./detect --model run/pcap/model.safetensors --report run/pcap/report.html --top 3 examples/data/mixed.pcap
	./train --recommended --print-every 40 --plot-every 4 --out run examples/data/normal_export.csv
	./detect --model run/model.safetensors --report run/report.html --top 3 examples/data/mixed_export.csv

# What the reference and this project's models find, in halves and in all: about 10 minutes.
detection: train detect
	sh tests/detection.sh

# Checks that false-alarm rates on later traffic lie in the range that train and detect print.
promise: train detect
	sh tests/promise.sh

# Tests share one compiled implementation (tests/inside.c), except those that bring their own, with
# something in it replaced.
LINKED = $(patsubst tests/%.c,$(BUILD)/%,$(shell grep -lE 'PKTSEQ_LINKED|"inside.h"' tests/test_*.c))

$(BUILD)/inside.o $(BUILD)/inside_double.o: tests/inside.c tests/inside.h pktseq.h
	@mkdir -p $(BUILD)
	$(CC) $(CFLAGS) $(OPENMP) $(REAL) -c -o $@ tests/inside.c

$(LINKED): $(BUILD)/inside.o
$(LINKED:%=%_double): $(BUILD)/inside_double.o
$(LINKED) $(LINKED:%=%_double): TEST_FLAGS = -DPKTSEQ_LINKED
%_double %_double.o: REAL = -DPKTSEQ_REAL=double
$(BUILD)/test_fuzz: $(wildcard tests/fuzz/*.[ch])

$(BUILD)/%_double: tests/%.c $(wildcard tests/*.h) pktseq.h
	@mkdir -p $(BUILD)
	@$(CC) $(CFLAGS) $(OPENMP) $(REAL) $(TEST_FLAGS) -o $@ $< $(filter %.o,$^) $(LDLIBS)

$(BUILD)/%: tests/%.c $(wildcard tests/*.h) pktseq.h
	@mkdir -p $(BUILD)
	@$(CC) $(CFLAGS) $(OPENMP) $(TEST_FLAGS) -o $@ $< $(filter %.o,$^) $(LDLIBS)

# Where numbers have a comma, and where i is no small I: if the C library can make such locales here.
$(BUILD)/locale:
	@mkdir -p $@
	@for l in de_DE tr_TR; do localedef -i $$l -f UTF-8 $@/$$l.UTF-8 2>/dev/null || true; done

# A line for each program, when it ends; what it said is in build/NAME.out.
JOBS = 2
$(BUILD)/%.run: $(BUILD)/%
	@sh tests/run.sh $<
.SECONDARY: $(TESTS)

test: $(BUILD)/locale
	@rm -f $(TESTS:=.out)
	@$(MAKE) --no-print-directory -k -j$(JOBS) $(TESTS:=.run); sh tests/run.sh --sum $(TESTS)

# What is exhaustive: every float, more mutations, more threads than there are cores.
slow:
	@CHECK_SLOW=1 $(MAKE) --no-print-directory test \
	    TESTS="$(patsubst tests/%.c,$(BUILD)/%,$(shell grep -l check_slow tests/test_*.c))"

strict:
	sh tests/strict.sh
	sh tests/msvc.sh

# The same bits from every compiler at hand: about 4 minutes.
bits:
	sh tests/bits.sh

# Without vectors, which take minutes to compile here; a processor's fused multiply-add is as fast.
asan:
	@$(MAKE) --no-print-directory test BUILD=$(BUILD)/asan DOUBLES="test_step test_checkpoint" \
	    CFLAGS="$(SANITIZE) -DPKTSEQ_NO_SIMD `grep -qw fma /proc/cpuinfo 2>/dev/null && echo -mfma`"

# The vectors themselves: may a kernel read or write beside its arrays?
asan-vectors:
	@$(MAKE) --no-print-directory test BUILD=$(BUILD)/asan_vectors CFLAGS="-g -fsanitize=address" \
	    TESTS="$(addprefix $(BUILD)/asan_vectors/test_,kernels step loss score use)"

torch:
	@for python in python3 /usr/bin/python3; do \
	    if $$python -c 'import torch' 2>/dev/null; then \
	        echo "$$python tests/compare_torch.py"; $$python tests/compare_torch.py || exit 1; \
	        echo "$$python examples/learn/autograd.py"; exec $$python examples/learn/autograd.py; \
	    fi; \
	done; \
	echo "SKIPPED: no python3 here has torch; nothing was compared"

# Are packets of captures what tshark says they are? FOLDERS: captures of one's own, too.
FOLDERS =
captures: $(BUILD)/test_capture
	@mkdir -p $(BUILD)/captures
	$(CC) $(CFLAGS) -Wno-unknown-pragmas -o $(BUILD)/print_capture tests/print_capture.c $(LDLIBS)
	$(BUILD)/test_capture --write $(BUILD)/captures
	@if command -v tshark >/dev/null; then \
	    echo "python3 tests/captures.py $(BUILD)/captures examples/data $(FOLDERS)"; \
	    python3 tests/captures.py $(BUILD)/captures examples/data $(FOLDERS); \
	else echo "SKIPPED: there is no tshark here; nothing was compared"; fi

# How fast it is, beside other programs (a quarter of an hour) or alone (half a minute).
bench bench-quick:
	@CC="$(CC)" OPENMP="$(OPENMP)" sh tests/bench/run.sh $(if $(filter bench,$@),full,quick)

# Longer programmes, each with a verdict at its end. They need more than cc and make, and say so.
nightly packaging torture coverage cross sanitize programs mpi:
	bash tests/$@.sh

fuzz:
	bash tests/fuzz/fuzz.sh

mutate:
	python3 tests/mutate.py

# The lessons, and your exercises in mine/, if there are any; N=07 for one lesson.
learn:
	@CC="$(CC)" LDLIBS="$(LDLIBS)" BUILD="$(BUILD)" sh examples/learn/learn.sh $(N)

learn-start:
	@sh examples/learn/learn.sh start

# That the lessons, exercises, answers and DERIVATION.md are right, with every compiler here.
learn-check:
	CC="$(CC)" sh tests/learn.sh full

# Makes examples/learn/learn.html anew (clang 14, lld, wasi-libc) and tries it (chromium, chromedriver).
page:
	sh examples/learn/page.sh
	sh tests/page.sh

# Where programs, the header, the shared library, manual pages and the files of packages go. Programs
# with such common names may be wanted as pktseq-train ..: PROGRAM_PREFIX=pktseq-
PREFIX = /usr/local
LIBDIR = $(PREFIX)/lib
MANDIR = $(PREFIX)/share/man
PROGRAM_PREFIX =
VERSION := $(shell awk '/^.define PKTSEQ_VERSION "/ { gsub(/"/, ""); print $$3 }' pktseq.h)
LIBRARY = libpktseq.so.$(firstword $(subst ., ,$(VERSION)))
INSTALLED = $(addprefix $(PREFIX)/bin/$(PROGRAM_PREFIX),train detect sequences) \
            $(foreach p,train detect sequences,$(MANDIR)/man1/$(PROGRAM_PREFIX)$(p).1) \
            $(MANDIR)/man3/pktseq.3 $(PREFIX)/include/pktseq.h $(LIBDIR)/$(LIBRARY) \
            $(LIBDIR)/libpktseq.so \
            $(foreach p,train detect sequences,$(PREFIX)/share/bash-completion/completions/$(PROGRAM_PREFIX)$(p)) \
            $(addprefix $(LIBDIR)/pkgconfig/,pktseq.pc pktseq-shared.pc) \
            $(addprefix $(LIBDIR)/cmake/pktseq/pktseq-config,.cmake -version.cmake)

# The library: only what pktseq.h declares can be seen from outside.
shared: $(BUILD)/$(LIBRARY)
$(BUILD)/$(LIBRARY): pktseq.h
	@mkdir -p $(BUILD)
	$(CC) $(CFLAGS) $(OPENMP) -fPIC -fvisibility=hidden -shared -Wl,-soname,$(LIBRARY) \
	    -DPKTSEQ_SHARED -DPKTSEQ_IMPLEMENTATION -o $@ -x c pktseq.h -x none $(LDLIBS)
	ln -sf $(LIBRARY) $(BUILD)/libpktseq.so

install: all shared
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" LIBDIR="$(LIBDIR)" MANDIR="$(MANDIR)" BUILD="$(BUILD)" \
	    PROGRAM_PREFIX="$(PROGRAM_PREFIX)" VERSION="$(VERSION)" OPENMP="$(OPENMP)" \
	    sh examples/packaging/install.sh $(LIBRARY)

uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	-rmdir $(DESTDIR)$(LIBDIR)/cmake/pktseq 2>/dev/null

clean:
	rm -rf $(BUILD) run $(EXAMPLES)

help:
	@echo 'make          build the examples: $(EXAMPLES)'
	@echo 'make run      train on the recordings in examples/data, a capture and CSV, and list the incidents'
	@echo '              of the mixed ones; leaves checkpoints, pictures of the loss and reports in run/'
	@echo 'make test     build and run every test (JOBS=2 at a time)'
	@echo 'make slow     run the exhaustive parts of the tests (10 minutes)'
	@echo 'make programs test outputs, resuming and refusals of train, detect and sequences'
	@echo 'make strict   compile in every dialect, with every option, warnings as errors'
	@echo 'make asan     run the tests under the address and undefined behaviour sanitizers'
	@echo 'make asan-vectors  the same for the vectors, which take longer to compile'
	@echo 'make bits     compare the bits of trained weights between compilers and options (4 minutes)'
	@echo 'make detection  what each kind of model finds, compared with other detectors (10 minutes)'
	@echo 'make promise  check promised false-alarm rates on later traffic (about 3 minutes)'
	@echo 'make learn    run eleven small programs that teach how this works; learn-start: exercises'
	@echo 'make learn-check  check output, exercises and answers of the lessons with every compiler'
	@echo 'make page     rebuild and test examples/learn/learn.html (clang, lld, wasi-libc; chromium)'
	@echo 'make torch    compare with PyTorch, if a python3 has it'
	@echo 'make captures compare packets with tshark: of generated captures, and of those'
	@echo '              in FOLDERS="..."'
	@echo 'make bench    compare speed with PyTorch, pandas, oneDNN and tshark, if installed (10 minutes)'
	@echo 'make bench-quick  measure speed, also as a share of the limits of this machine'
	@echo 'make torture  kills, failures and full disks while a checkpoint is saved (10 minutes)'
	@echo 'make fuzz     every parser against mutated input, a minute each (clang)'
	@echo 'make sanitize run the tests under MSan, TSan and valgrind, if installed (10 minutes)'
	@echo 'make coverage list lines and branches that the tests do not reach (clang 19)'
	@echo 'make mutate   count planted faults that the tests detect (an hour)'
	@echo 'make cross    run the tests on other machines, emulated, if their compilers are installed'
	@echo 'make mpi      train on 1 to 8 ranks of MPI, to the same bits (libopenmpi-dev)'
	@echo 'make nightly  all long tests, with one verdict: slow, bits, torture, fuzz, sanitize, cross,'
	@echo '              coverage, mutate, captures, mpi, detection, promise'
	@echo 'make install  programs, header, shared library, manual pages, pkg-config, CMake: PREFIX=$(PREFIX)'
	@echo '              DESTDIR= PROGRAM_PREFIX=; make uninstall; make shared: the library alone'
	@echo 'make packaging  try all that, with CMake, pkg-config, meson and Python, where they are'
	@echo 'make clean    remove what the others made'
	@echo 'Set at will:  CC=$(CC) CFLAGS="$(CFLAGS)" OPENMP=$(OPENMP) LDLIBS=$(LDLIBS)'

.PHONY: all shared install uninstall packaging run page detection promise test slow nightly strict bits asan asan-vectors torch captures bench bench-quick torture \
        coverage cross sanitize programs mpi fuzz mutate clean help learn learn-start learn-check
