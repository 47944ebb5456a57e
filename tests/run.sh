#!/bin/sh
# run.sh - runs a test program and says how it ended in one line; all it said is in PROGRAM.out, and
# is shown if it failed. With --sum, adds up what programs have said that have run.
#
#     sh tests/run.sh PROGRAM          sh tests/run.sh --sum PROGRAM..
#
# A program that ends without its sum, or with one that its exit code denies, is one failure more.
sum_of() {
    sed -n 's/^.*: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$1.out" 2>/dev/null | tail -n 1
}

if [ "$1" = --sum ]; then
    shift
    passed=0 failed=0
    for program in "$@"; do
        read -r good bad <<END
$(sum_of "$program")
END
        [ -n "$bad" ] || echo "$program: was not built, or did not end with its sum"
        passed=$((passed + ${good:-0})) failed=$((failed + ${bad:-1}))
    done
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
fi

# Where numbers have a comma, and where i is no small I: see the Makefile.
[ ! -d "$(dirname "$1")/locale/de_DE.UTF-8" ] ||
    { LOCPATH=$(cd "$(dirname "$1")/locale" && pwd); export LOCPATH; }
begin=$(date +%s)
"$1" >"$1.out" 2>&1
code=$?
sum=$(sum_of "$1")
if [ $code -ne 0 ] && [ "${sum#* }" = 0 ]; then
    echo "ended with code $code in spite of that: ${sum% *} passed, 1 failed" >>"$1.out"
elif [ -z "$sum" ]; then
    echo "ended with code $code and without a sum: 0 passed, 1 failed" >>"$1.out"
fi
sum=$(sum_of "$1")
if [ "${sum#* }" != 0 ]; then
    cat "$1.out"
else
    grep SKIPPED "$1.out"
fi
echo "$1: ${sum% *} passed, ${sum#* } failed, $(($(date +%s) - begin)) s"
