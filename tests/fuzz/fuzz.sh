#!/usr/bin/env bash
# fuzz.sh [seconds] [job ...] - fuzzes pktseq.h: each job for so many seconds (60).
#
# Jobs: number csv csv-window capture dataset load resume api, libFuzzer with the address and undefined
# behaviour sanitizers (csv-window: the reader's window is 64 bytes, not 256 KB, and cut into pieces
# as if for five threads); msan-csv and msan-load, with the memory sanitizer; m32-csv and m32-load,
# with 32-bit sizes; afl-csv and afl-load, with AFL++. What they find stays in build/fuzz. A crash, a
# leak, a broken property, or an input that takes more than two seconds fails a job; it is left as
# build/fuzz/<job>-crash-... and the like.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=60
case ${1:-} in [0-9]*) seconds=$1; shift ;; esac
jobs=${*:-number csv csv-window capture dataset load resume api msan-csv msan-load m32-csv m32-load
       afl-csv afl-load}
out=build/fuzz
passed=0
failed=0
mkdir -p $out/src $out/small || exit 1
printf '#include <stdint.h>\n#include <stddef.h>\nint LLVMFuzzerTestOneInput(const uint8_t *d, %s' \
    'size_t n);int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n){return (int)(n&0)+!d;}' \
    >$out/probe.c

# The first clang that has a libFuzzer.
cc=''
for candidate in clang-19 clang clang-18 clang-17 clang-16 clang-15 clang-14; do
    [ -z "$cc" ] && "$candidate" -fsanitize=fuzzer,address $out/probe.c -o $out/probe 2>/dev/null &&
        cc=$candidate
done

# Copies what has changed, so that only that is built anew.
renew() { cmp -s "$1" "$2" || cp "$1" "$2"; }

# Two trees of what a job is made of, so that no job sees two versions of it: as it is, and with a
# small window.
for tree in src small; do
    mkdir -p $out/$tree/tests/fuzz || exit 1
    for file in tests/inside.[ch] tests/parts.h tests/fuzz/*.[ch]; do
        renew "$file" "$out/$tree/$file"
    done
done
renew pktseq.h $out/src/pktseq.h
sed 's/PKTSEQI_CSV_WINDOW = 1 << 18/PKTSEQI_CSV_WINDOW = 64/' $out/src/pktseq.h >$out/small/new.h
renew $out/small/new.h $out/small/pktseq.h
if [ "$(diff $out/src/pktseq.h $out/small/pktseq.h | grep -c '^>')" -ne 1 ]; then
    echo "the window of the CSV reader is not where fuzz.sh looks for it"
    failed=$((failed + 1))
fi

# object NAME TREE FLAGS: the implementation, unless it is there already.
object() {
    local name=$1 tree=$2
    shift 2
    [ -n "$(find $tree/pktseq.h $tree/tests/inside.[ch] -newer $out/$name.o 2>&1)" ] || return 0
    "$@" -c -o $out/$name.o $tree/tests/inside.c
}

dictionary() {
    case $1 in
    csv | dataset) echo tests/fuzz/csv.dict ;;
    load | resume) echo tests/fuzz/safetensors.dict ;;
    esac
}

verdict() {  # job, good or not, text
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "$1: ok, $3"
    else
        failed=$((failed + 1))
        echo "$1: FAILED, $3"
    fi
}

# The last number behind a word in a log, or 0.
last() { sed -n "s/.*$1 *\([0-9][0-9]*\).*/\1/p" "$2" | tail -n 1 | grep . || echo 0; }

# Two runs of half the time each: coverage (branches, and features, which count how often, too)
# after the first tells whether it still grew in the second.
libfuzzer() {
    local job=$1 target=$2 dict half=$(((seconds + 1) / 2)) code=0 runs=0 cov='' ft='' slow=0 part
    dict=$(dictionary "$target")
    mkdir -p $out/corpus/$job
    for part in 1 2; do
        [ $code -eq 0 ] || [ $part -eq 1 ] || break
        $out/$job -max_total_time=$half -max_len=8000 -timeout=2 -rss_limit_mb=2048 \
            -print_final_stats=1 ${dict:+-dict=$dict} -artifact_prefix=$out/$job- $out/corpus/$job \
            tests/fuzz/seeds/$target >$out/$job.log 2>&1 </dev/null
        code=$?
        runs=$((runs + $(last 'number_of_executed_units:' $out/$job.log)))
        cov="$cov $(last 'cov:' $out/$job.log)"
        ft="$ft $(last 'ft:' $out/$job.log)"
        slow=$(last 'slowest_unit_time_sec:' $out/$job.log)
    done
    [ $code -eq 0 ] || grep -E 'broken:|ERROR:|runtime error|SUMMARY|Test unit' $out/$job.log
    verdict "$job" $code "$runs executions, cov:$cov, ft:$ft (half time, end), slowest $slow s,\
 $(find $out/corpus/$job -type f | wc -l) inputs kept"
}

afl() {
    local job=$1 target=$2 dict stats=$out/$1.d/default/fuzzer_stats half edges
    dict=$(dictionary "$target")
    rm -rf $out/$job.d
    AFL_SKIP_CPUFREQ=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 \
        timeout $((seconds + 120)) afl-fuzz -V "$seconds" -t 2000 -i tests/fuzz/seeds/$target \
        ${dict:+-x $dict} -o $out/$job.d -- $out/$job >$out/$job.log 2>&1 </dev/null
    if [ ! -s $stats ]; then
        tail -n 5 $out/$job.log
        verdict "$job" 1 "afl-fuzz did not run"
        return
    fi
    value() { sed -n "s/^$1 *: *//p" $stats; }
    # relative_time is the first column of plot_data, edges_found the 13th; it begins after a minute
    half=$(awk -F, -v half=$((seconds / 2)) '$1 + 0 >= half { print $13 + 0; exit }' \
           $out/$job.d/default/plot_data)
    edges=$(value edges_found)
    verdict "$job" $(($(value saved_crashes) + $(value saved_hangs))) \
        "$(value execs_done) executions, edges: ${half:-?} $edges (half time, end),\
 $(value saved_crashes) crashes, $(value saved_hangs) hangs, $(value corpus_count) inputs kept"
}

build_and_run() {
    local job=$1 target=${1##*-} tree=$out/src flags name=asan
    [ "$job" = csv-window ] && target=csv
    [ -e tests/fuzz/fuzz_$target.c ] || { verdict "$job" 1 "no such job"; return; }
    flags="-O1 -g -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all"
    case $job in
    afl-*)
        if ! command -v afl-fuzz >/dev/null || ! command -v afl-clang-fast >/dev/null; then
            echo "SKIPPED: $job: no afl-fuzz (apt-get install afl++)"
            return
        fi
        object afl $tree afl-clang-fast -O1 -g &&
            afl-clang-fast -O1 -g -DPKTSEQ_LINKED -fsanitize=fuzzer \
                $tree/tests/fuzz/fuzz_$target.c $out/afl.o -o $out/$job -lm \
                >$out/$job.log 2>&1 || { verdict "$job" 1 "it does not compile"; return; }
        afl "$job" "$target"
        return
        ;;
    csv-window) tree=$out/small; name=window ;;
    msan-*) flags="-O1 -g -fsanitize=memory -fno-sanitize-recover=all"; name=msan ;;
    m32-*) flags="-m32 -idirafter /usr/include/$(uname -m)-linux-gnu $flags"; name=m32 ;;
    esac
    if [ -z "$cc" ]; then
        echo "SKIPPED: $job: no clang with -fsanitize=fuzzer (apt-get install clang" \
            "libclang-rt-19-dev)"
        return
    fi
    if ! $cc $flags -fsanitize=fuzzer $out/probe.c -o $out/probe >/dev/null 2>&1; then
        echo "SKIPPED: $job: $cc cannot link $flags (apt-get install g++-multilib?)"
        return
    fi
    if ! $out/probe -runs=1 >/dev/null 2>&1; then
        echo "SKIPPED: $job: this machine does not run what $cc makes with $flags"
        return
    fi
    object $name $tree $cc $flags -fsanitize=fuzzer-no-link &&
        $cc $flags -fsanitize=fuzzer -DPKTSEQ_LINKED $tree/tests/fuzz/fuzz_$target.c \
            $out/$name.o -o $out/$job -lm || { verdict "$job" 1 "it does not compile"; return; }
    libfuzzer "$job" "$target"
}

echo "libFuzzer of ${cc:-no compiler}, $seconds seconds for each of:" $jobs
for job in $jobs; do build_and_run "$job"; done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
