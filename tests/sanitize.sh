#!/bin/sh
# sanitize.sh - the tests under clang's MemorySanitizer and ThreadSanitizer, and under valgrind.
#
#     sh tests/sanitize.sh [short] [msan] [tsan] [valgrind]      LIMIT=seconds for each program
#
# (`make asan` is addresses and undefined behaviour.) One line of verdict for each program; whatever
# a tool reports is a failure. What is missing is installed where this runs as root on Debian, else
# skipped. Ends with "N passed, N failed".
#
# MSan: no OpenMP, whose library is not compiled for it. TSan: clang with LLVM's OpenMP and its tool
# Archer, which tells TSan where OpenMP's threads wait for each other. gcc's TSan knows nothing of
# libgomp, and reports every parallel region as a race: it is not used. The pool in pktseq.h is
# made of atomics that TSan understands by itself.
set -u
cd "$(dirname "$0")/.." || exit 1
out=build/sanitize
mode=full tools=
for word in "$@"; do
    case $word in
        short) mode=short ;;
        msan | tsan | valgrind) tools="$tools $word" ;;
        *) echo "usage: sanitize.sh [short] [msan] [tsan] [valgrind]"; exit 2 ;;
    esac
done
if [ $mode = short ]; then limit=${LIMIT:-300}; else limit=${LIMIT:-3600}; fi
mkdir -p $out || exit 1
rm -f $out/skipped
passed=0 failed=0
export OMP_WAIT_POLICY=passive
# MSan and TSan go without vectors, which take clang minutes to compile; valgrind sees them.
plain="-DPKTSEQ_NO_SIMD $(grep -qw fma /proc/cpuinfo 2>/dev/null && echo -mfma)"
all=$(ls tests/test_*.c | sed 's,tests/,,; s,\.c$,,')

good() { passed=$((passed + 1)); echo "ok       $*"; }
bad() { failed=$((failed + 1)); echo "FAILED   $*"; }
skip() { echo "SKIPPED: $*" | tee -a $out/skipped; }

install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    echo "  apt-get install $*"
    # Of LLVM's OpenMP there can be one version only: not in the place of another.
    DEBIAN_FRONTEND=noninteractive timeout 900 apt-get install -y -qq --no-install-recommends \
        --no-remove "$@" >$out/apt.log 2>&1 || tail -1 $out/apt.log
}

# A clang whose sanitizer ($1, with the options behind) makes a program that runs. Sets cc.
find_clang() {
    probe=$1
    shift
    for cc in ${CLANG:-clang-19 clang clang-18 clang-17 clang-16}; do
        command -v "$cc" >/dev/null || continue
        # Archer lies beside LLVM's OpenMP, where the loader may not look.
        folder=$(dirname "$($cc -print-file-name=libarcher.so)")
        if [ -f "$folder/libarcher.so" ]; then export LD_LIBRARY_PATH="$folder"
        else unset LD_LIBRARY_PATH; fi
        echo "$probe" | $cc "$@" -x c -o $out/probe - 2>/dev/null && $out/probe 2>$out/log &&
            return 0
    done
    return 1
}

# Compiles tests/inside.c, which most tests share, with these options.
share() {
    rm -f $out/inside.o
    $cc -std=c99 -g "$@" -c tests/inside.c -o $out/inside.o >$out/log 2>&1 ||
        { bad "$tool inside: compile"; sed -n '1,5s/^/    /p' $out/log; }
}

# Builds tests/$1.c with the options behind, and runs it. A report of the tool is recognised by its
# words ($report), a program that failed by its code and sum.
verdict() {
    name=$1
    shift
    program=$out/$tool.$name
    linked=
    ! grep -qE 'PKTSEQ_LINKED|"inside.h"' tests/$name.c ||
        linked="-DPKTSEQ_LINKED $out/inside.o"
    # shellcheck disable=SC2086
    if ! $cc -std=c99 -g "$@" tests/$name.c $linked -o $program -lm >$out/log 2>&1; then
        bad "$tool $name: compile"; sed -n '1,5s/^/    /p' $out/log
        return
    fi
    timeout "$limit" $run $program >$program.out 2>$program.err
    code=$?
    found=$(grep -cE "$report" $program.err)
    line=$(sed -n 's/^.*: \([0-9]* passed, [0-9]* failed\)$/\1/p' $program.out)
    if [ "$found" -gt 0 ]; then
        bad "$tool $name: $found reports, in $program.err; ${line:-no sum}"
        grep -E -A6 "$report" $program.err | sed -n '1,12s/^/    /p'
    elif [ $code -eq 124 ]; then
        skip "$tool $name: nothing found in $limit s, but not done"
    elif [ $code -ne 0 ] || [ -z "$line" ]; then
        bad "$tool $name: code $code, ${line:-no sum}"; sed -n '1,6s/^/    /p' $program.err
    else
        good "$tool $name: $line"
    fi
    rm -f $program
}

# Does the tool find what it is there for? A tool that reports nothing at all proves nothing.
proof() {
    echo "$1" >$out/proof.c
    shift
    if $cc -g "$@" $out/proof.c -o $out/proof -lm 2>$out/log && ! timeout 60 $run $out/proof \
        >/dev/null 2>$out/proof.err && grep -qE "$report" $out/proof.err; then
        good "$tool finds a planted mistake"
    else
        bad "$tool does not find a planted mistake"; sed -n '1,6s/^/    /p' $out/log $out/proof.err
    fi
}

check_msan() {
    tool=msan run= report='WARNING: MemorySanitizer'
    options="-O1 -fno-omit-frame-pointer -fsanitize=memory -fsanitize-memory-track-origins
             -fno-sanitize-recover=all $plain"
    main='int main(void) { return 0; }'
    if ! find_clang "$main" $options; then
        install clang libclang-rt-dev
        if ! find_clang "$main" $options; then
            skip "msan: no clang with MemorySanitizer"
            return
        fi
    fi
    echo "$cc $options" | tr -s ' \n' ' '; echo
    # shellcheck disable=SC2086
    proof '#include <stdlib.h>
           int main(int n, char **v) { int *p = malloc(40); (void)v; return p[n] > 7; }' $options
    list=$all
    [ $mode = full ] || list="test_use test_codec test_checkpoint test_number test_plot test_model"
    # shellcheck disable=SC2086
    share $options
    for t in $list; do verdict $t $options; done
}

check_tsan() {
    tool=tsan run= report='WARNING: ThreadSanitizer'
    options="-O1 -fno-omit-frame-pointer -fsanitize=thread -fopenmp -pthread $plain"
    main='#include <omp.h>
          int main(void) { int n = 0;
          #pragma omp parallel num_threads(3) reduction(+ : n)
          n += omp_get_num_threads();
          return n != 9; }'
    export TSAN_OPTIONS="ignore_noninstrumented_modules=1 exitcode=66"
    if ! find_clang "$main" $options; then
        install clang libclang-rt-dev libomp-dev
        if ! find_clang "$main" $options; then
            skip "tsan: no clang with ThreadSanitizer and OpenMP"
            return
        fi
    fi
    echo "$cc $options"
    if ARCHER_OPTIONS=verbose=1 $out/probe 2>&1 | grep -q 'Archer detected'; then
        echo "Archer is active"
        archer=yes
    else
        archer=
        skip "tsan: without libarcher, OpenMP's own waits look like races"
    fi
    proof 'int n;
           int main(void) {
           #pragma omp parallel num_threads(2)
           for (int i = 0; i < 1000; ++i) ++n;
           return 0; }' $options
    # The same with the barrier at which OpenMP's threads meet: nothing may be found.
    if [ -n "$archer" ]; then
        cat >$out/clean.c <<'END'
int n;
int main(void) {
#pragma omp parallel num_threads(2)
    {
#pragma omp single
        n = 1;
#pragma omp single
        n = 2;
    }
    return n != 2;
}
END
        if $cc -g $options $out/clean.c -o $out/clean && timeout 60 $out/clean 2>$out/log; then
            good "tsan: Archer knows OpenMP's barrier"
        else
            bad "tsan: OpenMP's barrier looks like a race"; sed -n '1,6s/^/    /p' $out/log
        fi
    fi
    list=$all
    [ $mode = full ] || list="test_use test_train test_step"
    verdict two_models $options
    export OMP_NUM_THREADS=3
    # shellcheck disable=SC2086
    share $options
    for t in $list; do verdict $t $options; done
    unset OMP_NUM_THREADS TSAN_OPTIONS
}

check_valgrind() {
    tool=valgrind cc=${CC:-cc}
    report='Invalid (read|write|free)|uninitialised|definitely lost: [1-9]|Mismatched free|overlap'
    run="valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite
         --errors-for-leak-kinds=definite --track-origins=yes"
    command -v valgrind >/dev/null || install valgrind libc6-dbg
    if ! command -v valgrind >/dev/null; then skip "valgrind: not installed"; return; fi
    valgrind --version
    proof '#include <stdlib.h>
           int main(int n, char **v) { char *p = malloc(4); (void)v; return p[n + 7]; }' -O0
    list=$all
    [ $mode = full ] || list="test_use test_plot test_codec"
    # Without OpenMP: memcheck knows of no races, and libgomp keeps its threads' memory.
    export CHECK_SLOWER=60
    share -O1
    for t in $list; do verdict $t -O1; done
    unset CHECK_SLOWER
}

for tool in ${tools:-msan tsan valgrind}; do check_$tool; done
echo
[ ! -f $out/skipped ] || cat $out/skipped
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
