#!/bin/sh
# strict.sh - compiles pktseq.h in every dialect, with every option, every warning an error, looks at
# what the objects show to the outside, and that each section has its test. One line per group of
# checks; skips are repeated at the end. Compilers: gcc, clang and clang-19, each if it is installed.
cd "$(dirname "$0")/.." || exit 1
top=$PWD
sources=$(find "$PWD/pktseq.h" "$PWD/examples" "$PWD/tests" -name '*.[ch]' -o -name '*.cpp')
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$tmp/examples"  # a copy, so that everything sees the same text
cp pktseq.h "$tmp" && cp examples/*.[ch] "$tmp/examples"
cp README.md "$tmp" 2>/dev/null
cd "$tmp" || exit 1
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wdouble-promotion
          -Wvla -Werror -I."

# ---- groups: begin NAME, then try or must_fail COMMANDs, then end -------------------------------

begin() { group=$1; count=0; bad=0; }

# Runs a command; a failure is shown with the command that caused it.
try() {
    count=$((count + 1))
    case " $* " in *" -c "*) rm -f "$o" ;; esac  # what comes later must not take an older one
    "$@" >"$log" 2>&1 && return
    bad=$((bad + 1))
    echo "  failed: $*"
    sed -n '1,15s/^/    /p' "$log"
}

must_fail() {
    count=$((count + 1))
    "$@" >"$log.failed" 2>&1 || return
    bad=$((bad + 1))
    echo "  should have failed: $*"
}

# Says that a list, which has to be empty, is not.
must_be_empty() {
    count=$((count + 1))
    [ -z "$2" ] && return
    bad=$((bad + 1))
    echo "  $1:" $2
}

end() {
    if [ $bad -eq 0 ] && [ $count -gt 0 ]; then echo "ok       $group ($count)"
    else echo "FAILED   $group ($bad of $count)"; fi
}

skip() { echo "SKIPPED  $*"; }

# ---- sources ------------------------------------------------------------------------------------

echo '#include "pktseq.h"' >"$tmp/plain.c"
echo '#define PKTSEQ_IMPLEMENTATION' | cat - "$tmp/plain.c" >"$tmp/body.c"
cat "$tmp/plain.c" "$tmp/plain.c" >"$tmp/order1.c"
cat "$tmp/plain.c" "$tmp/body.c" >"$tmp/order2.c"
cat "$tmp/body.c" "$tmp/plain.c" >"$tmp/order3.c"
{ cat "$tmp/body.c"; echo '#undef PKTSEQ_IMPLEMENTATION'; cat "$tmp/body.c"; } >"$tmp/order4.c"
{ cat "$tmp/plain.c" "$tmp/body.c"; echo '#undef PKTSEQ_IMPLEMENTATION'; cat "$tmp/plain.c"; } \
    >"$tmp/order5.c"
{ echo '#define PKTSEQ_STATIC'; cat "$tmp/plain.c" "$tmp/plain.c"; } >"$tmp/order6.c"
cat >"$tmp/user.c" <<'END'
#include "pktseq.h"
#include <string.h>
int main(void) {
    pktseq_error err;
    pktseq_config config;
    pktseq_model model;
    pktseq_buffer buffer;
    memset(&config, 0, sizeof config);
    config.in = config.out = config.hidden = 2;
    if (strcmp(pktseq_version(), PKTSEQ_VERSION) ||
        pktseq_model_init(&model, &config, 1, NULL, &err) ||
        pktseq_save_mem(&model, NULL, NULL, NULL, &buffer, NULL, &err))
        return 1;
    pktseq_buffer_free(&buffer);
    pktseq_model_free(&model);
    return 0;
}
END
# A program's own memory functions, and declarations for them.
cat >"$tmp/memory.h" <<'END'
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
void *own_malloc(size_t size);
void own_free(void *p);
#ifdef __cplusplus
}
#endif
END

# The program of the manual, and every C block of the README. A block that includes the header is
# a file; the others are what stands inside of a function.
awk '/^WHAT IT DOES NOT DO/ { exit }
     /A whole$|whole program/ { on = 1 }
     on && /^    / { sub(/^    /, ""); print }' pktseq.h >"$tmp/manual.c"
awk -v dir="$tmp" '
    /^```/ && inside {
        inside = 0
        file = dir "/readme" ++count ".c"
        if (text !~ /#include "(\.\.\/)?pktseq\.h"/)
            text = "#include \"pktseq.h\"\n#include <stdio.h>\n#include <stdlib.h>\n" \
                   "#include <string.h>\nvoid fragment(void);\nvoid fragment(void) {\n" text "}\n"
        printf "%s", text > file
        close(file)
        next
    }
    /^```c$/ { inside = 1; text = ""; next }
    inside { text = text $0 "\n" }' README.md 2>/dev/null

# ---- one compiler -------------------------------------------------------------------------------

names() { awk '{ print $NF }' | sort -u; }
visible() { nm -g --defined-only "$1" 2>/dev/null | names; }
needed() { nm -u "$1" 2>/dev/null | names | grep -E "^($2)\$"; }
macros() { "$@" -dM -E -x c - | awk '{ sub(/\(.*/, "", $2); print $2 }' | sort; }

check_compiler() {
    cc=$1 cxx=$2 log="$tmp/$1.log" o="$tmp/$1.o"
    openmp=-fopenmp
    if ! echo '#include <omp.h>' | "$cc" -fopenmp -x c -c -o "$o" - 2>/dev/null; then
        skip "$cc -fopenmp: it has no omp.h"
        openmp=
    fi
    # A dialect is a matter of the front end: the oldest and the newest of C and C++ are parsed. The
    # years between take nothing away that one of these still has.
    newest=c2x
    $cc -std=c2x -fsyntax-only -x c /dev/null 2>/dev/null || newest=c17
    for std in c99 $newest c++11 c++20; do
        case $std in
            c++*) run="$cxx -x c++ -std=$std $warnings" ;;
            *) run="$cc -std=$std $warnings" ;;
        esac
        begin "$cc -std=$std, implementation"
        try $run -O0 $openmp -c "$tmp/body.c" -o "$o"
        try $run -fsyntax-only "$tmp/plain.c"
        try $run -fsyntax-only -DPKTSEQ_REAL=double "$tmp/body.c"
        end
        begin "$cc -std=$std, examples and the manual's program"
        for source in examples/*[!i].c "$tmp/manual.c"; do  # train_mpi.c needs mpi.h
            try $run -fsyntax-only "$source"
        done
        try grep 'int main' "$tmp/manual.c"
        end
        # What options and the order of includes change is the same in every year of a language.
        case $std in "$newest" | c++20) continue ;; esac
        begin "$cc -std=$std, options"
        for real in float double; do
            for option in -DPKTSEQ_STATIC "-DPKTSEQ_IMPLEMENTATION -DPKTSEQ_NO_STDIO" \
                          "-DPKTSEQ_IMPLEMENTATION -DPKTSEQ_NO_SIMD"; do
                try $run $openmp -DPKTSEQ_REAL=$real $option -fsyntax-only "$tmp/plain.c"
            done
            try $run -DPKTSEQ_REAL=$real -fsyntax-only "$tmp/plain.c"
        done
        end
        begin "$cc -std=$std, included twice, in every order"
        for n in 1 2 3 4 5 6; do try $run -fsyntax-only "$tmp/order$n.c"; done
        end
    done

    # What an optimiser finds does not depend on the dialect.
    run="$cc -std=c99 $warnings"
    begin "$cc, implementation, -O2"
    try $run -O2 $openmp -c "$tmp/body.c" -o "$o"
    try $run -O2 -DPKTSEQ_REAL=double -DPKTSEQ_STATIC -DPKTSEQ_NO_STDIO -c "$tmp/plain.c" -o "$o"
    end

    run="$cc -std=c99 $warnings"
    begin "$cc, README"
    for source in "$tmp"/readme*.c; do
        [ -f "$source" ] || continue
        try $run -Wno-unused -c "$source" -o "$o"
    done
    if [ $count -gt 0 ]; then end; else skip "$cc, README: it has no C block"; fi

    begin "$cc, memory macros"
    own="-include $tmp/memory.h -DPKTSEQ_MALLOC=own_malloc -DPKTSEQ_FREE=own_free"
    try $run $own -c "$tmp/body.c" -o "$o"
    must_be_empty "used beside PKTSEQ_MALLOC" "$(needed "$o" 'malloc|calloc|realloc|free')"
    try $cxx -x c++ -std=c++11 $warnings $own -c "$tmp/body.c" -o "$o"
    must_fail $run -include "$tmp/memory.h" -DPKTSEQ_MALLOC=own_malloc -c "$tmp/body.c" -o "$o"
    try grep '#error.*PKTSEQ_FREE' "$log.failed"
    must_fail $run -include "$tmp/memory.h" -DPKTSEQ_FREE=own_free -c "$tmp/body.c" -o "$o"
    try grep '#error.*PKTSEQ_MALLOC' "$log.failed"
    end

    begin "$cc, symbols"
    print='printf|puts|putchar|fputs|fprintf|perror|stdout|stderr|exit|abort|_exit|__assert_fail'
    files='fopen|fclose|fread|fwrite|fflush|rename|remove|open|close|read|write|fsync|fileno'
    for real in float double; do
        try $run -O0 $openmp -DPKTSEQ_REAL=$real -c "$tmp/body.c" -o "$o"
        must_be_empty "visible" "$(visible "$o" | grep -v '^_*pktseq_')"
        must_be_empty "prints or ends the program" "$(needed "$o" "$print")"
        try $run -O0 -DPKTSEQ_REAL=$real -DPKTSEQ_STATIC -c "$tmp/plain.c" -o "$o"
        must_be_empty "visible in spite of PKTSEQ_STATIC" "$(visible "$o")"
        try $run -O0 -DPKTSEQ_REAL=$real -DPKTSEQ_NO_STDIO -c "$tmp/body.c" -o "$o"
        must_be_empty "used in spite of PKTSEQ_NO_STDIO" "$(needed "$o" "$files|$print")"
        try $cxx -x c++ -std=c++17 $warnings -DPKTSEQ_REAL=$real -c "$tmp/body.c" -o "$o"
        must_be_empty "visible in C++" "$(visible "$o" | grep -v '^_*pktseq_')"
    done
    end

    begin "$cc, macros"
    sed -n '/Stop here/q; /^#include </p' pktseq.h >"$tmp/$cc.std"
    macros $cc <"$tmp/$cc.std" >"$tmp/$cc.before"
    macros $cc -I. <"$tmp/plain.c" >"$tmp/$cc.after"
    try grep '^PKTSEQ_VERSION$' "$tmp/$cc.after"
    must_be_empty "leak" "$(comm -13 "$tmp/$cc.before" "$tmp/$cc.after" | grep -v '^PKTSEQ')"
    must_be_empty "undefined" "$(comm -23 "$tmp/$cc.before" "$tmp/$cc.after")"
    must_be_empty "not ours, in the implementation" \
        "$(sed -n 's/^ *# *define *\([A-Za-z_0-9]*\).*/\1/p' pktseq.h | grep -v '^PKTSEQ')"
    end

    begin "$cc, two files in one program"
    try $run -c "$tmp/body.c" -o "$o"
    try $run "$tmp/user.c" "$o" -lm -o "$tmp/$cc.program"
    try "$tmp/$cc.program"
    try $cxx -std=c++11 $warnings -x c++ "$tmp/user.c" -x none "$o" -lm -o "$tmp/$cc.program"
    try "$tmp/$cc.program"
    try $cxx -x c++ -std=c++11 $warnings -c "$tmp/body.c" -o "$o"
    try $cc -std=c99 $warnings "$tmp/user.c" "$o" -lm -o "$tmp/$cc.program"
    try "$tmp/$cc.program"
    end
}

# ---- the sources as text ------------------------------------------------------------------------

check_columns() {
    begin "C sources have at most 100 columns"
    must_be_empty "longer" "$(awk 'length > 100 { print FILENAME ":" FNR }' "$@")"
    end
}

# A test names its sections before the first colon, "test_csv.c - section >>csv: ..", or the files of
# examples/ that it tests, or says "of no single section".
check_sections() {
    begin "every section of the implementation has one test file, which names it"
    sed -n '1,/Stop here if/d; s/^\/\/ ---- >>\([a-z-]*\):.*/\1/p' pktseq.h | sort >"$tmp/sections"
    for test in "$top"/tests/test_*.c; do
        head=$(sed -n '/^\/\/ ./!q; p' "$test" | tr '\n' ' ')
        head=${head%%:*}
        case $head in
            *'>>'*) echo "$head" | grep -o '>>[a-z-]*' | sed 's/>>//' ;;
            *'of no single section'* | *examples/*) ;;
            *) echo "${test##*/}" >>"$tmp/nameless" ;;
        esac
    done | sort >"$tmp/tested"
    must_be_empty "without a test" "$(comm -23 "$tmp/sections" "$tmp/tested")"
    must_be_empty "in two tests" "$(uniq -d "$tmp/tested")"
    must_be_empty "no section" "$(comm -13 "$tmp/sections" "$tmp/tested")"
    must_be_empty "of which section?" "$(cat "$tmp/nameless" 2>/dev/null)"
    end
}

# ---- all of them, at the same time --------------------------------------------------------------

tested=
for pair in gcc:g++ clang:clang++ clang-19:clang++-19; do
    cc=${pair%:*} cxx=${pair#*:}
    if command -v "$cc" >/dev/null && command -v "$cxx" >/dev/null; then
        check_compiler "$cc" "$cxx" >"$tmp/$cc.report" 2>&1 &
        tested="$tested $cc"
    else
        skip "$cc: not installed, or not with $cxx" | tee "$tmp/$cc.report"
    fi
done
{ check_columns $sources; check_sections; } >"$tmp/columns.report"
cat "$tmp/columns.report"
wait
for cc in $tested; do cat "$tmp/$cc.report"; done
echo
cat "$tmp"/*.report | grep '^SKIPPED'
passed=$(cat "$tmp"/*.report | grep -c '^ok ')
failed=$(cat "$tmp"/*.report | grep -c '^FAILED ')
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
