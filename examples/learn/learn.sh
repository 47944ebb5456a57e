#!/bin/sh
# From the repository's top folder:
#   sh examples/learn/learn.sh         run the lessons, then check your exercises in mine/
#   sh examples/learn/learn.sh 07      the same for lesson 7 alone
#   sh examples/learn/learn.sh start   copy the exercises to mine/; what is there stays
# A program that passed is not run again until it, pktseq.h or the compiler changes.
set -u
CC=${CC:-cc}
FLAGS=${LEARN_FLAGS:--std=c99 -O2}
LDLIBS=${LDLIBS:--lm}
here=$(dirname "$0")
top=$PWD
out=${BUILD:-build}/learn
mkdir -p "$out" && [ -e "$out/examples" ] || ln -s "$top/examples" "$out/examples" || exit 1
case $out in /*) ;; *) out=$top/$out ;; esac
compiler="$CC $FLAGS $(cksum <pktseq.h)"

# What the first comment says the program prints.
expected() {
    awk '/^\/\/ It prints$/ { on = 1; next }
         on && /^\/\/     / { print substr($0, 8); next }
         on { exit }' "$1"
}

# A lesson as an exercise: what stands between the marks is missing, and it lies in mine/.
exercise() {
    awk '/\/\/ UP TO HERE/ { missing = 0 }
         !missing { gsub("examples/learn/", "mine/"); sub("\"../../pkt", "\"../pkt"); print }
         /\/\/ YOUR LINES/ { missing = 1 }' "$1"
}

# Compiles and runs $1, expects what $2 says; the picture $3, if there is one, to the byte. Prints
# nothing if all is well, else one line that says what is not.
try() {
    name=$(basename "$1" .c)
    work=$out/$4$name
    [ -e "$work.passed" ] && cmp -s "$1" "$work.passed" &&
        [ "$compiler" = "$(cat "$work.compiler")" ] && return
    rm -f "$work" "$work.passed" "$out/lesson.svg"
    if ! $CC $FLAGS -o "$work" "$1" $LDLIBS 2>"$work.errors"; then
        grep -m 1 error "$work.errors" || sed 1q "$work.errors"
        return
    fi
    (cd "$out" && ulimit -t ${LEARN_SECONDS:-100} && "$work") 2>&1 | sed 's/ *$//' >"$work.out"
    expected "$2" >"$work.expected"
    if ! cmp -s "$work.out" "$work.expected"; then
        awk 'NR == FNR { want[++lines] = $0; next }
             $0 == want[FNR] { next }
             / expected/ { print; hint = 1; exit }
             first == "" { first = "line " FNR ": expected \"" want[FNR] "\", found \"" $0 "\"" }
             END { if (first == "") first = "ends after line " FNR " of " lines
                   if (!hint) print first }' "$work.expected" "$work.out"
    elif [ -e "$3" ] && ! cmp -s "$3" "$out/lesson.svg"; then
        echo "the picture is not that of $3"
    else
        printf '%s' "$compiler" >"$work.compiler"
        cp "$1" "$work.passed"
    fi
}

if [ "${1:-}" = start ]; then
    mkdir -p mine
    for lesson in "$here"/[01][0-9]_*.c; do
        mine=mine/$(basename "$lesson")
        [ -e "$mine" ] || exercise "$lesson" >"$mine"
    done
    echo "mine/ has an exercise for each lesson: look for YOUR LINES, then make learn"
    exit
fi

lessons=0 good=0 tried=0 solved=0
for lesson in "$here"/[01][0-9]_*.c; do
    number=$(basename "$lesson" | cut -c 1-2)
    [ $# -eq 0 ] || [ "$1" = "$number" ] || continue
    lessons=$((lessons + 1))
    wrong=$(try "$lesson" "$lesson" "${lesson%.c}.svg" lesson)
    [ -n "$wrong" ] || good=$((good + 1))
    echo "$number ${wrong:-$(sed -n '1s/.*[0-9]\. //p' "$lesson")}"
done
for mine in mine/[01][0-9]_*.c; do
    number=$(basename "$mine" | cut -c 1-2)
    lesson=$here/$(basename "$mine")
    { [ $# -eq 0 ] || [ "$1" = "$number" ]; } && [ -e "$mine" ] && [ -e "$lesson" ] || continue
    [ $tried -gt 0 ] || echo "your exercises:"
    tried=$((tried + 1))
    wrong=$(try "$mine" "$lesson" "${lesson%.c}.svg" mine)
    [ -n "$wrong" ] || solved=$((solved + 1))
    echo "$number ${wrong:-is right}"
done
echo "lessons that print what their first comment says: $good of $lessons"
if [ $tried -gt 0 ]; then
    echo "exercises that do so, too:"
    echo "$solved of $lessons"
else
    echo "exercises: make learn-start puts them into mine/"
    echo "$good of $lessons"
fi
[ $good -eq $lessons ]
