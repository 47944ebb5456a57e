#!/bin/sh
# bits.sh - trains the small models of test_kernels.c with every compiler, level of optimisation and
# kind of kernel at hand, and compares the hashes of their weights; so with lesson 10, which has
# this header's bits after each of 20,000 steps. Ends with "N passed, N failed".
# `bits.sh short` takes the extremes only.
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
want=$(awk '/published\[3\] =/ { on = 1 }
            on { while (match($0, /0x[0-9a-f]+/)) { print substr($0, RSTART + 2, RLENGTH - 2)
                                                   $0 = substr($0, RSTART + RLENGTH) } }
            on && /;/ { exit }' tests/test_kernels.c | tr '\n' ' ' | sed 's/ $//')
lesson="3a44888777b24d17 fd0c0c6f0f40df5d"
passed=0 failed=0

# One compiler with its options; a compiler that is not there, or cannot do this, is skipped.
try() {
    if ! command -v "$1" >/dev/null; then echo "SKIPPED  $1: not installed"; return; fi
    if ! "$@" tests/test_kernels.c -o "$tmp/test" -lm 2>"$tmp/log"; then
        if grep -q 'omp.h' "$tmp/log"; then echo "SKIPPED  $*: it has no omp.h"; return; fi
        sed 's/^/  /' "$tmp/log"
    fi
    got=$("$tmp/test" hash)
    rm -f "$tmp/test"
    verdict "$got" "$want" "$*"
    case " $* " in *fast*) return ;; esac  # the lesson's own arithmetic is C's, not the header's
    "$@" -std=c99 -Wno-unknown-pragmas examples/learn/10_same_bits.c -o "$tmp/test" -lm &&
        got=$("$tmp/test" | sed -n 's/.*weights \([0-9a-f]*\).*/\1/p' | tr '\n' ' ' | sed 's/ $//')
    rm -f "$tmp/test"
    verdict "$got" "$lesson" "$*, lesson 10"
}

# Counts: are the hashes $1 those expected, $2? $3: of what
verdict() {
    if [ "$1" = "$2" ] && [ -n "$1" ]; then
        passed=$((passed + 1)); echo "ok       $3"
    else
        failed=$((failed + 1)); echo "FAILED   $3: $1"
    fi
}

if [ "${1:-}" = short ]; then
    try gcc -O0
    try gcc -O3 -march=native -fopenmp
    try gcc -O2 -DPKTSEQ_NO_SIMD
    try clang -O1
    try clang-19 -O3 -march=native -std=c99
    try gcc -Ofast
    try clang-19 -O2 -ffast-math
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ] && [ $passed -gt 0 ]
    exit
fi
for cc in gcc clang clang-19; do
    for level in -O0 -O1 -O2 -O3; do try $cc $level; done
    try $cc -O2 -fopenmp
    try $cc -O2 -march=native
    try $cc -O3 -march=native -std=c99
    try $cc -O2 -march=native -DPKTSEQ_NO_SIMD
    try $cc -O3 -ffast-math
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
