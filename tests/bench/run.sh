#!/bin/sh
# run.sh quick   how fast pktseq is and which share of the machine's limits that is: half a minute,
#                with cc and make alone
# run.sh full    ours and others' programs in turn, 3 pairs of each, as a table of ratios: a quarter
#                of an hour on two idle cores, with PyTorch, pandas, oneDNN and tshark where they are
#                installed
#
# CC, OPENMP as in the Makefile; BENCH_PAIRS (3) and BENCH_SECONDS (0.5) of each timing; BENCH_ONLY
# an extended regular expression of the rows wanted, as list_rows names them, or grow. All that is
# made goes to build/bench; the commands and their lines are in build/bench/log. What cannot be
# measured is "SKIPPED:", in the text and in the table.
cd "$(dirname "$0")/../.." || exit 1
LC_ALL=C
export LC_ALL
unset OMP_WAIT_POLICY OMP_NUM_THREADS OPENBLAS_NUM_THREADS OPENBLAS_CORETYPE
out=build/bench
here=tests/bench
mode=${1:-full}
CC=${CC:-cc}
CXX=${CXX:-c++}
OPENMP=${OPENMP--fopenmp}
PAIRS=${BENCH_PAIRS:-3}
SECONDS_EACH=${BENCH_SECONDS:-0.5}
mkdir -p $out || exit 1
busy=
trap 'stop_busy' EXIT
trap 'exit 1' HUP INT TERM

# ---- small tools --------------------------------------------------------------------------------

stop_busy() {
    [ -z "$busy" ] || kill "$busy" 2>/dev/null
    [ -z "$busy" ] || wait "$busy" 2>/dev/null
    busy=
}

# Another program that wants a core all the time. It ends with this one, whatever ends this one.
start_busy() {
    sh -c 'while kill -0 "$1" 2>/dev/null; do
               i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done
           done' busy $$ &
    busy=$!
}

skip() {
    echo "SKIPPED: $*"
    echo "SKIPPED: $*" >>$out/skipped
}

# field NAME: its value in a line of name=value
field() {
    awk -v name="$1=" '{ for (i = 1; i <= NF; ++i) if (index($i, name) == 1) {
        print substr($i, length(name) + 1); exit } }'
}

# value FIELD COMMAND [FILE]: runs it and prints that field of its line, nothing if it failed; the
# line is left in FILE
value() {
    echo "$2" >>$out/log
    sh -c "$2" >"${3:-$out/line}" 2>$out/stderr
    cat "${3:-$out/line}" $out/stderr >>$out/log
    field "$1" <"${3:-$out/line}"
}

cores() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1; }

header() {
    cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | sed 1q)
    echo "$(date '+%Y-%m-%d %H:%M'), ${cpu:-$(uname -m)}, $(cores) cores, $(uname -s)"
    echo "$($CC --version 2>/dev/null | sed 1q), $CC -O2 $OPENMP"
}

# ---- ours ---------------------------------------------------------------------------------------

# Threads that wait sleep, as the Makefile has it for every program of pktseq.
ours="OMP_WAIT_POLICY=passive $out/bench"
data="data=$out/week.bin"

build() {
    $CC -O2 $OPENMP $here/bench.c -lm -o $out/bench &
    compiling=$!
    $CC -O2 $here/make_week.c -lm -o $out/make_week || exit 1
    $CC -O2 $here/limits.c -lpthread -o $out/limits || exit 1
    $out/make_week $out/week.csv >>$out/log || exit 1
    wait $compiling || exit 1
    $out/bench export csv=$out/week.csv out=$out/week.bin >>$out/log || exit 1
}

quick() {
    {
        sh -c "$ours load csv=$out/week.csv" || exit 1
        for threads in $counts; do
            $out/limits threads=$threads || exit 1
            for batch in 1 32 256; do
                sh -c "$ours train $data batch=$batch threads=$threads sorted=1 sequences=2048 \
                    seconds=$SECONDS_EACH" || exit 1
            done
            sh -c "$ours score $data threads=$threads seconds=$SECONDS_EACH most=1" || exit 1
        done
    } >$out/quick || exit 1
    cat $out/quick >>$out/log
    # Training reads a GRU's weights twice for a packet-step when there is one sequence: forward
    # and backward, 4 bytes of 3 H (D + H) numbers each.
    awk '
    function get(name,    i) {
        for (i = 1; i <= NF; ++i) if (index($i, name "=") == 1) return substr($i, length(name) + 2)
    }
    /^limit=fma/ { peak = get("gflops"); vectors = get("vectors") }
    /^limit=l2/ { l2 = get("gb_per_s") }
    /^limit=pass/ { pass = get("ns") }
    /^limit=l3/ {
        print ""
        printf "%d thread(s): at most %.0f GFLOP/s (%s), ", get("threads"), peak, vectors
        printf "%.0f GB/s from the level 2 cache, %.0f GB/s from level 3", l2, get("gb_per_s")
        printf pass ? ",\na cache line from core to core in %d ns\n" : "\n", pass
        printf "%-18s %15s %12s %9s %12s %14s\n", "", "packet-steps/s", "sequences/s",
            "GFLOP/s", "of FMA peak", "of level 2"
    }
    /^work=load/ {
        printf "\nloading  %d rows, %.1f MB, in %.2f s ", get("rows"), get("megabytes"),
            get("seconds")
        printf "(read %.2f, fit %.2f, encode %.2f), ", get("read_s"), get("fit_s"), get("encode_s")
        printf "%.0f MB/s, peak memory %.0f MB\n", get("megabytes_per_s"), get("peak_mb")
    }
    /^work=train/ {
        share = "-"
        if (get("batch") == 1)
            share = sprintf("%.0f %%", get("packet_steps_per_s") * 1.7265e-3 / l2 * 100)
        printf "%-18s %15.0f %12.1f %9.1f %10.1f %% %14s\n", "training, batch " get("batch"),
            get("packet_steps_per_s"), get("iterations_per_s") * get("batch"), get("gflops"),
            get("gflops") / peak * 100, share
    }
    /^work=score/ {
        printf "%-18s %15.0f %12.1f %9.1f %10.1f %% %14s\n", "scoring",
            get("packet_steps_per_s"), get("sequences_per_s"), get("gflops"),
            get("gflops") / peak * 100, "-"
    }' $out/quick
    echo
    echo 'of level 2: the time that reading the weights from it twice a packet-step would take'
}

# ---- the table ----------------------------------------------------------------------------------

wanted() { echo "$1" | grep -qE "${BENCH_ONLY:-.}"; }

# row KEY UNIT "WORK" "AGAINST": the rows come out in the order in which they were named
row() { if wanted "$1"; then echo "$1|$2|$3|$4" >>$out/rows; fi; }

# pair KEY THREADS FIELD WAY OURS PEER [KEY]: in turn, so that what changes on the machine meets
# both.   WAY   more (of the field is better), less, or share (ours in percent of the other)
#         KEY   of the row that "also" will make of the same pairs
pair() {
    wanted "$1 $7" || return
    echo "$1, $2 thread(s)" >&2
    i=0
    while [ $i -lt "$PAIRS" ]; do
        ours_is=$(value "$3" "$5" $out/ours.$i)
        other_is=$(value "$3" "$6" $out/other.$i)
        if [ -z "$ours_is" ]; then
            cat $out/stderr
            echo "pktseq's side failed: $5"
            exit 1
        fi
        if [ -z "$other_is" ]; then
            skip "$1 with $2 thread(s): $(tail -n 1 $out/stderr)"
            rm -f $out/ours.* $out/other.*
            return
        fi
        echo "$1|$2|$4|$ours_is|$other_is" >>$out/pairs
        i=$((i + 1))
    done
}

# also KEY THREADS FIELD WAY: another field of the pairs made last
also() {
    wanted "$1" || return
    i=0
    while [ $i -lt "$PAIRS" ] && [ -s $out/other.$i ]; do
        echo "$1|$2|$4|$(field "$3" <$out/ours.$i)|$(field "$3" <$out/other.$i)" >>$out/pairs
        i=$((i + 1))
    done
}

# best KEY FIELD COMMAND ...: the command that has most of the field, each run once
best() {
    wanted "$1" || return
    most_of=$2
    shift 2
    for command in "$@"; do
        printf '%s|%s\n' "$(value "$most_of" "$command")" "$command"
    done | awk -F'|' 'NR == 1 || $1 + 0 > most { most = $1 + 0; command = $2 }
                      END { print command }' | tee -a $out/chosen
}

table() {
    awk -F'|' '
    function sort(a, n,    i, j, v) {
        for (i = 2; i <= n; ++i) {
            v = a[i]
            for (j = i - 1; j >= 1 && a[j] > v; --j) a[j + 1] = a[j]
            a[j + 1] = v
        }
    }
    function median(a, n) {
        sort(a, n)
        return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
    }
    function collect(key, side,    i, n) {
        n = count[key]
        for (i = 1; i <= n; ++i) list[i] = values[key, i, side] + 0
        return n
    }
    function short(v) { return v >= 100 ? sprintf("%.0f", v) : sprintf("%.3g", v) }
    function ratio(key,    n, middle) {
        n = collect(key, "ratio")
        if (!n) return "-"
        middle = median(list, n)
        return way[key] == "share" ? short(middle) " % (" short(list[1]) ".." short(list[n]) ")" : \
            "**" short(middle) "** (" short(list[1]) ".." short(list[n]) ")"
    }
    function figure(key, side,    n) {
        n = collect(key, side)
        return n ? short(median(list, n)) : "-"
    }
    FILENAME ~ /rows$/ {
        key[++rows] = $1; unit[rows] = $2; work[rows] = $3; other[rows] = $4
        next
    }
    {
        k = $1 "," $2
        way[k] = $3
        n = ++count[k]
        values[k, n, "ours"] = $4
        values[k, n, "other"] = $5
        values[k, n, "ratio"] = $3 == "less" ? $5 / $4 : $3 == "share" ? 100 * $4 / $5 : $4 / $5
    }
    END {
        print "| work | against | 1 thread | 2 threads |"
        print "|---|---|---|---|"
        for (r = 1; r <= rows; ++r) {
            if (unit[r] == "s alone") continue
            one = ratio(key[r] ",1"); two = ratio(key[r] ",2")
            if (one == "-" && two == "-") one = two = "SKIPPED"
            printf "| %s | %s | %s | %s |\n", work[r], other[r], one, two
        }
        print "\nHow many times as fast (as little memory) as the other, or the share of it: the"
        print "median of the pairs and their range. PyTorch has the same sequences; for the best of"
        print "it, the forms in peer_torch.py and the settings of its libraries were tried. oneDNN"
        print "has sequences of 10 packets, all known beforehand, and no output layer. With 2"
        print "threads, what the other does faster with 1 it does with 1 (batch 1).\n"
        print "The same in figures, medians, ours and the other:\n"
        print "| work | against | unit | 1 thread | other | 2 threads | other |"
        print "|---|---|---|---|---|---|---|"
        for (r = 1; r <= rows; ++r) {
            one = key[r] ",1"; two = key[r] ",2"
            u = unit[r]; sub(/ alone/, "", u)
            printf "| %s | %s | %s | %s | %s | %s | %s |\n", work[r], other[r], u,
                figure(one, "ours"), u == unit[r] ? figure(one, "other") : "-",
                figure(two, "ours"), u == unit[r] ? figure(two, "other") : "-"
        }
    }' $out/rows $out/pairs
}

# growth NAME FILE [FILE]: one size rises; with one sequence a batch, and with 32
growth() {
    awk -v name="$1" '
    function get(name,    i) {
        for (i = 1; i <= NF; ++i) if (index($i, name "=") == 1) return substr($i, length(name) + 2)
    }
    {
        v = get("value") + 0
        if (FNR == NR) value[++n] = v
        line[v] = line[v] sprintf(" %.0f | %.1f | %s |", get("ns_per_packet_step"), get("gflops"),
            get("peak_mb"))
    }
    END {
        columns = " ns a packet-step | GFLOP/s | peak memory, MB |"
        print "| " name " |" columns (name == "batch" ? "" : " batch 32:" columns)
        print "|---|---|---|---|" (name == "batch" ? "" : "---|---|---|")
        for (i = 1; i <= n; ++i) print "| " value[i] " |" line[value[i]]
        print ""
    }' "$2" $3
}

# ---- the others ---------------------------------------------------------------------------------

find_python() {
    for candidate in python3 /usr/bin/python3; do
        if $candidate -c "import $1" 2>/dev/null; then
            echo $candidate
            return
        fi
    done
}

# OpenBLAS knows no Zen 5 and takes it for an older machine; its OpenMP build does not fight with
# PyTorch's threads; and freed buffers that are kept need not be cleared by the system again.
find_tuning() {
    tuned="MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=67108864"
    if grep -q avx512f /proc/cpuinfo 2>/dev/null; then
        tuned="$tuned OPENBLAS_CORETYPE=SkylakeX"
    fi
    for folder in /usr/lib/*/openblas-openmp; do
        [ -d "$folder" ] && tuned="$tuned LD_LIBRARY_PATH=$folder"
    done
}

# torch_command KIND THREADS MODE VARIANT [OPTION ...]: as Debian ships it, or tuned
torch_command() {
    kind=$1
    limits="OMP_NUM_THREADS=$2 OPENBLAS_NUM_THREADS=$2"
    options="threads=$2 seconds=$SECONDS_EACH variant=$4"
    what=$3
    shift 4
    [ "$kind" = shipped ] || limits="$tuned $limits"
    echo "$limits $python $here/peer_torch.py $what $data $options $*"
}

# Of 1 to $2 threads, as shipped and tuned, the best at doing $3 in variant $4, for rows $1.
shipped_or_tuned() {
    rows=$1 most=$2 what=$3 variant=$4
    set --
    for n in $(seq_to $most); do
        for kind in shipped tuned; do
            set -- "$@" "$(torch_command $kind $n $what $variant sequences=200)"
        done
    done
    best "$rows" packet_steps_per_s "$@"
}

# What one thread does faster, a user of two cores would let one thread do.
torch() {
    threads=$1
    one="$ours train $data batch=1 threads=$threads sequences=200 seconds=$SECONDS_EACH"
    chosen=$(shipped_or_tuned 'loop_torch memory_torch' $threads train notebook)
    pair loop_torch $threads packet_steps_per_s more "$one" "$chosen" memory_torch
    also memory_torch $threads peak_mb less
    set --
    for n in $(seq_to $threads); do
        for variant in notebook tuned byhand; do
            set -- "$@" "$(torch_command tuned $n train $variant sequences=200)"
        done
    done
    chosen=$(best loop_torch_best packet_steps_per_s "$@")
    pair loop_torch_best $threads packet_steps_per_s more "$one" "$chosen"

    for batch in 32 256; do
        for sorted in 0 1; do
            set --
            for variant in byhand script; do
                set -- "$@" "$(torch_command tuned $threads train $variant batch=$batch \
                    sorted=$sorted sequences=$((1024 + 3072 * sorted)))"
            done
            chosen=$(best batch${batch}_torch$sorted packet_steps_per_s "$@")
            pair batch${batch}_torch$sorted $threads packet_steps_per_s more \
                "$ours train $data threads=$threads batch=$batch sorted=$sorted \
sequences=$((1024 + 3072 * sorted)) seconds=$SECONDS_EACH" "$chosen"
        done
    done

    all="$ours score $data threads=$threads seconds=$SECONDS_EACH most=3"
    chosen=$(shipped_or_tuned score_loop $threads score loop)
    pair score_loop $threads packet_steps_per_s more "$all" "$chosen"
    set --
    for variant in script byhand; do
        for batch in 256 1024; do
            set -- "$@" "$(torch_command tuned $threads score $variant batch=$batch sorted=1 \
                sequences=8192)"
        done
    done
    chosen=$(best score_torch packet_steps_per_s "$@")
    pair score_torch $threads packet_steps_per_s more "$all" "$chosen"
}

seq_to() { if [ "$1" = 1 ]; then echo 1; else echo 1 2; fi; }

onednn() {
    threads=$1
    for work in 1 32 256 '1 steps=1 calls=10'; do
        batch=${work%% *}
        key=batch${batch}_onednn
        [ "$work" = "$batch" ] || key=${key}1
        set --
        for n in $(seq_to $threads); do
            set -- "$@" "OMP_NUM_THREADS=$n $out/peer_onednn seconds=$SECONDS_EACH batch=$work"
        done
        chosen=$(best $key packet_steps_per_s "$@")
        pair $key $threads packet_steps_per_s more "$ours $(work $batch $threads)" "$chosen"
    done
}

# work BATCH THREADS: one of our four kinds of work, 0 = scoring
work() {
    if [ "$1" = 0 ]; then echo "score $data threads=$2 seconds=$SECONDS_EACH most=2"
    elif [ "$1" = 1 ]; then echo "train $data threads=$2 sequences=1024 seconds=$SECONDS_EACH"
    else echo "train $data batch=$1 threads=$2 sorted=1 sequences=4096 seconds=$SECONDS_EACH"; fi
}

name_of() { if [ "$1" = 0 ]; then echo scoring; else echo "training, batch $1"; fi; }

# What people run: the recommended recipe on the repository's capture, and from a capture to encoded
# sequences beside tshark, which prints the same fields and no more.
recommended() {
    threads=$1
    [ -s $out/recommended.bin ] || sh -c "$ours recommended out=$out/recommended.bin" || exit 1
    set --
    for n in $(seq_to $threads); do
        set -- "$@" "$tuned OMP_NUM_THREADS=$n OPENBLAS_NUM_THREADS=$n $python $here/peer_torch.py \
train variant=recommended data=$out/recommended.bin threads=$n seconds=$SECONDS_EACH"
    done
    chosen=$(best recommended packet_steps_per_s "$@")
    pair recommended $threads packet_steps_per_s more \
        "$ours recommended threads=$threads seconds=$SECONDS_EACH" "$chosen"
}

captures() {
    fields="frame.time_epoch ip.src ipv6.src ip.dst ipv6.dst ip.proto ipv6.nxt _ws.col.Protocol
        frame.len tcp.srcport tcp.dstport tcp.flags udp.srcport udp.dstport icmp.type icmp.code"
    command -v tshark >/dev/null || { skip "captures: tshark is not installed"; return; }
    $CC -O2 $here/make_big.c -o $out/make_big && $CC -O2 $here/measure.c -o $out/measure &&
        $CC -O2 $here/captures.c -lm -o $out/captures &&
        $out/make_big examples/data/normal.pcap $out/big.pcap 100000 || exit 1
    set --
    for name in $fields; do set -- "$@" -e $name; done
    pair captures 1 seconds less "$out/measure $out/captures $out/big.pcap" \
        "$out/measure tshark -r $out/big.pcap -T fields $*"
    rm -f $out/big.pcap
}

list_rows() {
    speed=packet-steps/s
    row loop_torch $speed 'reference loop, batch 1' "PyTorch's loop as shipped"
    row loop_torch_best $speed 'reference loop, batch 1' 'best PyTorch, batch 1'
    row batch1_onednn $speed 'reference loop, batch 1' 'oneDNN step, 10 packets a call'
    row batch1_onednn1 $speed 'reference loop, batch 1' 'oneDNN step, 1 packet a call'
    for b in 32 256; do
        row batch${b}_onednn $speed "training, batch $b" 'oneDNN step, 10 packets a call'
        row batch${b}_torch0 $speed "training, batch $b" 'best PyTorch, the same batches'
        row batch${b}_torch1 $speed "training, batch $b" 'best PyTorch, batches sorted by length'
    done
    row recommended $speed 'training as --recommended' 'PyTorch, packed sequences'
    row captures s '100,000 frames of a capture to encoded sequences' 'tshark -T fields, the same'
    row score_loop $speed 'scoring all' "PyTorch's loop, one by one"
    row score_torch $speed 'scoring all' 'best PyTorch, batches sorted by length'
    for b in 1 32 256 0; do row fma$b GFLOP/s "$(name_of $b)" 'multiply-add peak'; done
    row load_notebook s 'loading' "pandas, the reference's way"
    row load_lean s 'loading' 'pandas at its leanest'
    row memory_notebook MB 'peak memory, loading' "pandas, the reference's way"
    row memory_lean MB 'peak memory, loading' 'pandas at its leanest'
    row memory_torch MB 'peak memory, reference loop, 200 sequences' "PyTorch's loop as shipped"
    for b in 1 32 256 0; do row threads$b $speed "$(name_of $b), 2 threads" '1 thread'; done
    for b in 1 32 256 0; do
        row busy$b $speed "$(name_of $b), 2 threads, beside a busy program" '1 thread, beside it'
    done
    for b in 1 32 256 0; do row native$b $speed "$(name_of $b), -O2" '-O3 -march=native'; done
    row first 's alone' "start to the first loss line of \`./train --recommended\`" -
}

full() {
    python=$(find_python torch)
    pandas=$(find_python pandas)
    find_tuning
    list_rows
    $CC -O2 $OPENMP examples/train.c -lm -o $out/train || exit 1
    rm -f $out/bench_native $out/peer_onednn
    $CC -O3 -march=native $OPENMP $here/bench.c -lm -o $out/bench_native 2>>$out/log ||
        skip "-O3 -march=native: $CC does not know it"
    if $CXX -O3 -march=native $here/peer_onednn.cpp -ldnnl -o $out/peer_onednn 2>$out/stderr; then
        "$out/peer_onednn" seconds=0 | sed -n 's/.*version=\([^ ]*\).*/oneDNN \1/p'
        oneDNN=1
    else
        oneDNN=
        skip "oneDNN: peer_onednn.cpp does not compile here (libdnnl-dev, version 2)"
    fi
    if [ -n "$python" ]; then
        $python -c 'import torch; print("PyTorch", torch.__version__)'
        $python $here/peer_torch.py blas || exit 1
        OMP_NUM_THREADS=1 $python $here/peer_torch.py check || exit 1
    else
        skip "PyTorch: neither python3 nor /usr/bin/python3 has torch"
    fi

    ! wanted captures || captures
    for t in $counts; do
        [ -z "$python" ] || ! wanted recommended || recommended $t
        [ -z "$python" ] || torch $t
        [ -z "$oneDNN" ] || onednn $t
        for b in 1 32 256 0; do
            pair fma$b $t gflops share "$ours $(work $b $t)" "$out/limits threads=$t limit=fma"
            [ ! -x $out/bench_native ] || pair native$b $t packet_steps_per_s more \
                "$ours $(work $b $t)" "OMP_WAIT_POLICY=passive ${out}/bench_native $(work $b $t)"
        done
        first="$ours until '(- ' $out/train --recommended --threads $t --out $out/first"
        pair first $t seconds less "$first examples/data/normal_seqs.csv" 'echo seconds=1'
    done
    if [ "$counts" = '1 2' ]; then
        for b in 1 32 256 0; do
            pair threads$b 2 packet_steps_per_s more "$ours $(work $b 2)" "$ours $(work $b 1)"
        done
        start_busy
        for b in 1 32 256 0; do
            pair busy$b 2 packet_steps_per_s more "$ours $(work $b 2)" "$ours $(work $b 1)"
        done
        stop_busy
    fi
    if [ -n "$pandas" ]; then
        $pandas -c 'import pandas; print("pandas", pandas.__version__)'
        for t in $counts; do
            for variant in notebook lean; do
                peer="$pandas $here/peer_pandas.py csv=$out/week.csv variant=$variant"
                pair load_$variant $t seconds less \
                    "OMP_NUM_THREADS=$t $ours load csv=$out/week.csv" "OMP_NUM_THREADS=$t $peer" \
                    memory_$variant
                also memory_$variant $t peak_mb less
            done
        done
    else
        skip "pandas: neither python3 nor /usr/bin/python3 has it"
    fi
    echo
    table
    echo
    if wanted grow; then
        for size in length hidden; do
            for b in 1 32; do
                sh -c "$ours grow $size batch=$b" >$out/grow_$b || exit 1
            done
            growth $size $out/grow_1 $out/grow_32
        done
        sh -c "$ours grow batch" >$out/grow_1 || exit 1
        growth batch $out/grow_1
        grow_rows
    fi
    if [ -s $out/skipped ]; then cat $out/skipped; fi
}

# Reading, from ten thousand to a million rows; each in a process of its own, for its memory. (More:
# big.sh.)
grow_rows() {
    echo '| rows read and encoded | s | rows/s | peak memory, MB | bytes a row |'
    echo '|---|---|---|---|---|'
    for rows in 10000 100000 1000000; do
        $out/make_week $out/rows.csv $rows >>$out/log || exit 1
        sh -c "$ours load csv=$out/rows.csv" | tee -a $out/log | awk -v rows=$rows '{
            for (i = 1; i <= NF; ++i) { split($i, part, "="); value[part[1]] = part[2] }
            printf "| %d | %.3f | %.0f | %.0f | %.0f |\n", rows, value["seconds"],
                value["rows_per_s"], value["peak_mb"], value["peak_mb"] * 1e6 / rows
        }'
        rm -f $out/rows.csv
    done
    echo
}

# ---- go -----------------------------------------------------------------------------------------

: >$out/log
: >$out/pairs
: >$out/rows
: >$out/skipped
: >$out/chosen
header
counts='1 2'
if [ "$(cores)" -lt 2 ]; then
    counts=1
    skip "two threads: this machine has one core"
fi
build
case $mode in
    quick) quick ;;
    full) full ;;
    *) echo "usage: run.sh quick|full" >&2; exit 2 ;;
esac
