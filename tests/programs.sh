#!/bin/sh
# programs.sh - what train, detect and sequences promise besides their results: outputs are whole or
# not there and take nobody's place, runs that are resumed go on to the same bits, what cannot be
# done is said in one sentence with exit code 1. Builds the programs by make. Ends with
# "N passed, N failed".
cd "$(dirname "$0")/.." || exit 1
make -s train detect sequences || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
top=$PWD passed=0 failed=0
export OMP_WAIT_POLICY=passive SOURCE_DATE_EPOCH=1700000000
cd "$tmp" || exit 1
cp "$top/train" "$top/detect" "$top/sequences" .

# check NAME CONDITION..: one check, by the exit code of a command.
check() {
    name=$1
    shift
    if "$@"; then passed=$((passed + 1))
    else failed=$((failed + 1)); echo "FAILED   $name"; fi
}

# refuses NAME SENTENCE COMMAND..: exit code 1, and one line that holds the sentence. (train may say
# on a second one that an older model is there.)
refuses() {
    name=$1 sentence=$2
    shift 2
    "$@" >out 2>err
    code=$?
    sed -i '2{/^train: .* is still an older model/d}' err
    if [ $code -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$sentence" err; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED   $name: code $code: $(head -n 3 err)"
    fi
}

# ---- building

# A compiler that knows -fopenmp but has no libomp, as clang comes.
printf '#!/bin/sh\ncase " $* " in *" -fopenmp "*) exit 1;; esac\nexec cc "$@"\n' >nolib
chmod +x nolib
check "no -fopenmp where it does not link" \
    sh -c "! make -s -n -B -C '$top' train CC='$tmp/nolib' | grep -q -- -fopenmp"
check "-fopenmp as it is given" \
    sh -c "make -s -n -B -C '$top' train OPENMP=-fopenmp | grep -q -- -fopenmp"

# ---- the header in projects of others

compile() { ${CC:-cc} -O0 -DPKTSEQ_IMPLEMENTATION -Wall -Wextra -Wno-unknown-pragmas "$@"; }
{ cat "$top/pktseq.h"; echo 'int main(void) { return pktseq_build_info()[0] == 0; }'; } >pasted.c
check "pasted into another file" sh -c "${CC:-cc} -O0 -Werror -DPKTSEQ_IMPLEMENTATION \
    pasted.c -lm -o pasted && ./pasted"
cp "$top/pktseq.h" renamed.h
echo '#include "renamed.h"' >renamed.c
compile -fsyntax-only renamed.c 2>err
check "renamed: one error that says what to define" \
    sh -c '[ "$(grep -c error: err)" -eq 1 ] && grep -q "define PKTSEQ_FILE as its name" err'
check "renamed, and its name given" compile -fsyntax-only -DPKTSEQ_FILE='"renamed.h"' renamed.c
printf '#include <tgmath.h>\n#include "%s/pktseq.h"\n' "$top" >tgmath.c
compile -fsyntax-only tgmath.c 2>err
check "after tgmath.h: an error that says it" grep -q 'error "pktseq.h: .* before <tgmath.h>' err
check "no macro defined twice" \
    compile -Werror -fsyntax-only -x c++ -DPKTSEQ_NO_SIMD=1 "$top/pktseq.h"
exported() {
    compile -c -fPIC -fvisibility=hidden -DPKTSEQ_NO_SIMD "$@" -x c "$top/pktseq.h" -o lib.o &&
        ${CC:-cc} -shared lib.o -o lib.so -lm && nm -D --defined-only lib.so | grep -c ' T pktseq_'
}
if command -v nm >/dev/null; then
    check "-fvisibility=hidden hides" test "$(exported)" -eq 0
    check "PKTSEQ_SHARED exports" test "$(exported -DPKTSEQ_SHARED)" -gt 60
fi
grep '^// ---- >>' "$top/pktseq.h" >out
check "the contents are the sections" sh -c '! grep -qv "^// ---- >>[a-z-]*: " out && [ "$(wc -l <out)" -gt 30 ]'
grep '^|.*`pktseq_' "$top/README.md" | grep -o '`[a-z_0-9]*`' | tr -d '`' |
    awk -F_ '/^pktseq_/ { stem = $1 "_" $2; print } /^_/ { print stem $0 }' >names
check "README's list names functions that there are" sh -c '[ "$(wc -l <names)" -gt 60 ] &&
    ! while read -r name; do grep -q "^PKTSEQ_DEF.*[ *]$name(" "$0" || echo "$name"; done <names |
        grep .' "$top/pktseq.h"
check "as the manual says" grep -qF "grep '^// ---- >>' pktseq.h" "$top/pktseq.h"

# A capture of its own: 900 rows in which three addresses talk, of four protocols.
awk 'BEGIN { print "timestamp,src_ip,dst_ip,protocol,length,src_port,dst_port,res,ns,cwr,ecn,urg," \
                   "ack,push,reset,syn,fin"
             split("TCP HTTP FTP SMTP", name, " ")
             for (i = 0; i < 900; ++i)
                 printf "%.3f,10.0.0.%d,10.0.0.%d,%s,%d,%d,80,0,0,0,0,0,%d,%d,0,%d,0\n",
                        i * 0.05 + int(i / 40), 1 + i % 2, 2 - i % 2, name[1 + int(i / 9) % 4],
                        60 + i % 7 * 30, 4000 + int(i / 40), (i % 40 > 0), (i % 3 == 0),
                        (i % 40 == 0) }' >cap.csv
train="./train cap.csv --hidden 8 --quiet"

# ---- training that goes on

$train --notebook --iterations 20 --out whole && $train --notebook --iterations 10 --out half &&
    ./train cap.csv --resume half/model.safetensors --iterations 20 --out rest --quiet
check "a capture cut as notebooks do, resumed" cmp whole/model.safetensors rest/model.safetensors
$train --recommended --context 0.5 --epochs 4 --out whole &&
    ./train cap.csv --resume whole/model-040.safetensors --out rest --quiet
check "resumed from a snapshot, with its context" cmp whole/model.safetensors rest/model.safetensors
./detect --model whole/model-040.safetensors cap.csv >out
check "a snapshot has its threshold" grep -q '^threshold   [0-9]' out
refuses "an option that a resumed run has already" "cannot be changed in a resumed run" \
    ./train cap.csv --resume whole/model-040.safetensors --context 0.5 --out rest
head -n 700 cap.csv >less.csv
refuses "other data than before" "the data are not those" \
    ./train less.csv --resume half/model.safetensors --iterations 20 --out rest
sh -c './train cap.csv --hidden 64 --iterations 100000000 --out stopped >log & echo $! >number
       sleep 1; kill -TERM $(cat number); wait $(cat number)' 2>/dev/null
check "SIGTERM saves" test -s stopped/model.safetensors

# With new traffic of another protocol, in which what was normal stays so.
sed 's/,HTTP,/,GOPHER,/' cap.csv >new.csv
./train new.csv --continue whole/model.safetensors --out on >out
check "a model goes on with new traffic" grep -q '^goes on     with whole/model.safetensors: [1-9]' out
check "and says so" grep -q "goes on with a model" on/model.safetensors
unknown() { ./detect --model $1/model.safetensors --top 0 $2 | sed -n 's/^unknown *\([0-9]*\).*/\1/p'; }
check "it knows what was new" test "$(unknown on new.csv)" -lt "$(unknown whole new.csv)"
check "and what was old" test "$(unknown on cap.csv)" -le "$(unknown whole cap.csv)"
./detect --model on/model.safetensors --top 0 cap.csv >out
check "and has a threshold" grep -q '^threshold   [0-9]' out
refuses "weights with other features" "--continue goes on with it" \
    ./train new.csv --recommended --hidden 8 --init whole/model.safetensors --out rest
refuses "another size of what goes on" "--hidden cannot be changed where a model goes on" \
    ./train new.csv --continue whole/model.safetensors --hidden 9 --out rest
refuses "going on, and resumed" "exclude each other" \
    ./train new.csv --continue whole/model.safetensors --resume whole/model.safetensors --out rest
refuses "packets to go on with" "cap.csv is not a model" ./train new.csv --continue cap.csv

# What is odd among what is to be learned from is left out, listed, and found by the model.
{ cat cap.csv; awk 'BEGIN { for (i = 0; i < 60; ++i)
    printf "%.3f,10.9.9.9,10.0.0.2,TCP,1500,%d,23,1,0,0,0,1,0,0,0,0,0\n", 30.0001 + i * 0.001,
           5000 + int(i / 20) }' | sort -n; } | { read -r head; echo "$head"; sort -s -t, -k1,1n; } >dirty.csv
./train dirty.csv --recommended --hidden 8 --epochs 20 --clean 0.2 --out clean >out
check "what is left out is said" grep -q '^left out    [1-9][0-9]* of 49 sequences' out
check "and who it is" grep -q '10.9.9.9:5001 -> 10.0.0.2:23' out
check "all of it in a file" test "$(grep -c ',10.9.9.9,' clean/left-out.csv)" -eq 3
check "and in the model" grep -q 'sequences left out' clean/model.safetensors
./detect --model clean/model.safetensors --top 9 dirty.csv >out
check "the model finds it" test "$(grep -c '!  at.*10.9.9.9' out)" -eq 3
refuses "cleaned when resumed" "--clean cannot be changed" \
    ./train dirty.csv --resume clean/model.safetensors --clean 0.1 --out rest
./train new.csv --continue whole/model.safetensors --clean 0.1 --out on >out
check "a model that goes on, cleaned" grep -q '^left out ' out

# What somebody calls harmless is learned from, and raises no alarm any more.
# The last line has no end, as some editors leave it.
printf %s "$(./detect --model whole/model.safetensors --json dirty.csv 2>err |
    grep '"src_ip":"10.9.9.9"' | grep '"event_type":"anomaly"')" >harmless.json
check "what is odd raises alarms" test -s harmless.json
./train dirty.csv --continue whole/model.safetensors --normal harmless.json --out harmless >out
check "what is harmless is found again" grep -q '(3 sequences several times, as harmless)' out
check "and looked at in the end" grep -q '^harmless    0 of [1-3] sequences are still above' out
./detect --model harmless/model.safetensors --json dirty.csv >lines 2>err
check "and raises no alarm any more" sh -c '! grep -q "\"src_ip\":\"10.9.9.9\"" lines'
./detect --model harmless/model.safetensors dirty.csv >out
check "nor in a file" sh -c '! grep -q "!  at.*10.9.9.9" out'
sed 's/":/" : /g' harmless.json >blanks.json
./train dirty.csv --continue whole/model.safetensors --normal blanks.json --out blanks >blanks.out
check "harmless, with blanks as other programs write JSON" grep -q 'as harmless)' blanks.out
refuses "harmless, of other traffic" "no alarm there is one of a sequence of new.csv" \
    ./train new.csv --continue whole/model.safetensors --normal harmless.json --out rest
refuses "harmless, for no model" "--normal needs --continue" \
    ./train new.csv --normal harmless.json --out rest

# ---- outputs

model=whole/model.safetensors
./detect --model $model --scores scores.csv --report report.html cap.csv >list
check "scores and report" test -s scores.csv -a -s report.html
mkfifo pipe
for option in --scores --report; do
    timeout 60 cat pipe >through &
    ./detect --model $model --top 3 $option pipe cap.csv >out
    wait $!
    check "$option into a pipe" test -s through -a -p pipe
    echo old >kept; ln -sf kept link; chmod 600 kept
    ./detect --model $model --top 3 $option link cap.csv >out
    check "$option through a link" test -L link -a "$(wc -l <kept)" -gt 1
    check "$option keeps permissions" test "$(ls -l kept | cut -c1-10)" = -rw-------
    refuses "$option over the data" "would take the place of" \
        ./detect --model $model $option ./cap.csv cap.csv
    refuses "$option over the model" "would take the place of" \
        ./detect --model $model $option $model cap.csv
    refuses "$option into a folder that is not there" "cannot write" \
        ./detect --model $model --top 0 $option no/such/file cap.csv
done
refuses "both into one file" "would take the place of" \
    ./detect --model $model --scores one --report one cap.csv
timeout 60 cat pipe >through &
./sequences cap.csv --out pipe --quiet
wait $!
check "sequences into a pipe" test -s through -a -p pipe
refuses "sequences over its data" "would take the place of" ./sequences cap.csv --out ./cap.csv
check "the data are still there" test "$(wc -l <cap.csv)" -eq 901
if [ -c /dev/full ]; then
    refuses "a list nobody can read" "cannot write to standard output" \
        sh -c "exec ./detect --model $model cap.csv >/dev/full"
    refuses "sequences on a full disk" "cannot write" ./sequences cap.csv --out /dev/full
    ./detect --model $model --live --json --threshold -1 cap.csv >/dev/full 2>err
    check "alarms nobody can read" \
        sh -c 'tail -n 1 err | grep -q "^detect: cannot write to standard output"'
    refuses "scores on a full disk" "cannot write" \
        ./detect --model $model --top 0 --scores /dev/full cap.csv
fi

# Ended on the way, at any time: no temporary file, and the old one or the new one whole.
for i in 1 2 3 4 5 6 7 8 9 10; do tail -n +2 cap.csv; done >rows
{ head -n 1 cap.csv; for i in 1 2 3 4 5 6 7 8 9 10; do cat rows; done; } >big.csv
./sequences big.csv --out big.new --quiet
for signal in INT TERM HUP; do
    for wait in 0.02 0.05 0.1 0.2 0.3 0.5; do
        echo old >big.out
        ./sequences big.csv --out big.out --quiet &
        sleep $wait
        kill -$signal $! 2>/dev/null
        wait $! 2>/dev/null
        check "ended by $signal after $wait s" \
            sh -c '[ "$(ls big.out*tmp 2>/dev/null)" = "" ] && { [ "$(cat big.out)" = old ] || cmp -s big.out big.new; }'
    done
done

# ---- names that get in each other's way

refuses "scores and report in one file" "would take the place of" \
    ./detect --model $model --scores new.csv --report ./new.csv cap.csv
cp cap.csv of.csv.tmp
ln -s of.csv.tmp of.csv.1.tmp
./sequences of.csv.tmp --out of.csv --quiet
check "names that end in .tmp are left alone" cmp cap.csv of.csv.tmp
refuses "nothing is held out, said once and before training" "none is held out" \
    ./train cap.csv --hidden 8 --quiet --inputs 4 --hold-out 1e-17 --out rest
check "the reference's score is calibrated at each snapshot" \
    ./train cap.csv --hidden 8 --quiet --iterations 20 --hold-out 0.2 --out held
refuses "a share of the score for what a model does not have" "so --context has no meaning" \
    ./detect --model held/model.safetensors --calibrate cap.csv --context 0.5 cap.csv
./detect --model held/model.safetensors cap.csv >out
check "and the last model has a threshold" grep -q '^threshold .* for 1 % false alarms' out

# ---- options

for program in train detect sequences; do
    ./$program --version >out && check "$program --version" grep -q "^$program, pktseq [0-9]" out
done
refuses "a letter too many" "did you mean --epochs?" ./train --epochss 3 cap.csv
refuses "an option's beginning" "did you mean --threshold?" ./detect --thres 3 cap.csv
refuses "no epochs" 'found "0", expected a number above 0' ./train --epochs 0 cap.csv
refuses "more than there can be" "expected a number from 0 to 1e+30" ./train --lr 1e300 cap.csv
refuses "too many" "expected a whole number from 1 to 1000000" ./train --batch 4294967296 cap.csv
refuses "an option instead of a value" 'found "--quiet"' ./train --out --quiet cap.csv
refuses "an option instead of a model" 'found "--quiet"' ./train --continue --quiet cap.csv
refuses "no name of a model" '--continue: found "", expected' ./train --continue "" cap.csv
refuses "none of the words" "expected random, shuffled or file" ./train --order x cap.csv
refuses "both" "exclude each other" ./train --epochs 2 --iterations 3 cap.csv
refuses "a share that is meant in percent" "0.01 is 1 %" \
    ./detect --model $model --false-alarms 1 cap.csv
./detect --model $model --false-alarms 2% cap.csv >percent
./detect --model $model --false-alarms 0.02 cap.csv >out
check "a share in percent" cmp percent out
check "it may become 100 %, not 1e+02" sh -c '! grep -q "e+0" out'
refuses "recommended and resumed" "leave --recommended out with --resume" \
    ./train cap.csv --recommended --resume half/model.safetensors
mkdir folder
head -c 24 "$top/examples/data/normal.pcap" >empty.pcap
refuses "a folder of packets" "folder is a folder, expected a file" ./detect --model $model folder
refuses "a folder, live" "folder is a folder" ./detect --model $model --live folder
refuses "a folder to learn from" "folder is a folder" ./train folder --out rest
refuses "text as a model" "cap.csv is not a model (train leaves" ./detect --model cap.csv cap.csv
refuses "or to go on with" "cap.csv is not a model" ./train cap.csv --resume cap.csv --out rest
refuses "or as weights" "cap.csv is not a model" ./train cap.csv --init cap.csv --out rest
refuses "a model as packets" "is a model, expected packets" ./detect --model $model $model
refuses "or cut" "is a model, expected packets" ./sequences $model
refuses "an empty capture" "the capture is empty" ./detect --model $model empty.pcap
refuses "two captures" "mergecap -w all.pcapng a b" ./detect --model $model a b
refuses "a mistyped option says nothing of an older model" "did you mean --epochs?" \
    ./train --out whole --epochss 3 cap.csv
./train --out whole --epochss 3 cap.csv 2>err
check "and nothing on a second line" test "$(wc -l <err)" -eq 1
cp cap.csv ./--odd.csv
./detect --model=$model --top=1 -- --odd.csv >out
check "-- ends the options, = gives a value" grep -q "^data        --odd.csv" out
./detect --model $model --scores - - <cap.csv >out 2>list
check "from the standard input to the standard output" grep -q "^sequence,first_row" out
check "the list goes to standard error then" grep -q "^data        the standard input" list
check "and nothing is called -" test ! -e -
refuses "both on the standard output" "only one of --report, --scores and --json" \
    ./detect --model $model --scores - --report - cap.csv

# ---- traffic that is not what the model was calibrated on, and alarms an hour

awk 'BEGIN { print "timestamp,src_ip,dst_ip,protocol,length,src_port,dst_port,res,ns,cwr,ecn,urg," \
                   "ack,push,reset,syn,fin"
             for (i = 0; i < 9000; ++i)
                 printf "%.3f,10.0.0.%d,10.0.0.%d,TCP,%d,%d,80,0,0,0,0,0,%d,%d,0,%d,0\n",
                        i * 0.05 + int(i / 40), 1 + i % 2, 2 - i % 2, 60 + i % 7 * 30,
                        4000 + int(i / 40), (i % 40 > 0), (i % 3 == 0), (i % 40 == 0) }' >many.csv
./train many.csv --recommended --hidden 8 --quiet --out many
many=many/model.safetensors
./detect --model $many many.csv >out
check "as calibrated" grep -q '^verdict     as calibrated: [0-9.]* % above the threshold, where 1 % is' out
awk -F, -v OFS=, 'NR > 3000 { $4 = "QUIC"; $7 = 443 } { print }' many.csv >odd.csv
./detect --model $many odd.csv >out
check "other traffic, and which" \
    grep -q '^verdict     other traffic than .* where 0 % were; unknown most often: TCP/443 100 %' out
./detect --model $many --threshold -1 many.csv >out
check "a threshold of one's own is no drift" grep -q '^verdict     as calibrated$' out
./detect --model $model cap.csv >out
check "too few to say" grep -q '^verdict     fewer than 100 sequences' out
./detect --model $many --alarms-per-hour 13.4 many.csv >out
check "alarms an hour" grep -q '^threshold   .* for 0\.557 % false alarms' out
./detect --model $many --alarms-per-hour 13.4 --live many.csv >live.out
./detect --model $many --live many.csv >out
check "alarms an hour, live" test "$(grep ^threshold out)" != "$(grep ^threshold live.out)"
refuses "two rates" "--alarms-per-hour and --false-alarms exclude each other" \
    ./detect --model $many --alarms-per-hour 5 --false-alarms 1% many.csv
./train many.csv --hidden 8 --quiet --iterations 5 --out bare
refuses "alarms an hour of a bare model" "does not say how many sequences an hour has" \
    ./detect --model bare/model.safetensors --alarms-per-hour 5 many.csv

# A capture that is damaged in its middle: what comes before it is read, and that is said first.
{ head -c 400000 "$top/examples/data/normal.pcap"; head -c 5000 /dev/zero | tr '\0' '\377'; } >odd.pcap
./sequences odd.pcap --out odd.seqs >out && ./train odd.pcap --quiet --hidden 8 --iterations 1 --out rest
check "damaged captures are read as far as they go" test $? -eq 0
check "and that is said" grep -q '^warning: only what comes before the damage is read: after [0-9]* f' out
./detect --model rest/model.safetensors odd.pcap >out
check "at the top" sh -c 'head -n 1 out | grep -q "^warning     only what comes before the damage"'
refuses "unless every row must be good" "the capture is damaged there" \
    ./detect --model rest/model.safetensors --bad-rows 0 odd.pcap

# ---- while packets come

./detect --model $model --threshold -1 - <cap.csv >out
check "live from the standard input, with a summary" grep -q "^packets     900" out
./detect --model $model --threshold -1 --live --json cap.csv >lines 2>err
check "the summary goes to standard error then" grep -q "^packets     900" err
check "an object a line" sh -c '[ $(grep -c "^{\"timestamp\":.*}$" lines) = $(wc -l <lines) ]'
if command -v python3 >/dev/null; then
    ./detect --model $model --threshold -1 --live --json "$top/examples/data/mixed.pcap" >more 2>err
    cat more >>lines
    python3 - lines >out 2>err <<'END'
import base64, datetime, hashlib, ipaddress, json, re, struct, sys
number_of = (int, float)
eve = {"timestamp": str, "event_type": str, "src_ip": str, "src_port": int, "dest_ip": str,
       "dest_port": int, "proto": str, "app_proto": str, "community_id": str, "flow_id": int}
own = {"time": float, "begin": float, "packets": int, "bytes": int, "score": number_of,
       "threshold": number_of, "ended": bool, "again": bool, "incident": int, "reasons": list}
keys = dict(eve, **own, anomaly=dict)  # EVE: an object named as event_type says
drift = {"drifted": bool, "above": number_of, "unknown": number_of, "unknown_expected": number_of,
         "distance": number_of, "verdict": str}
number = {"TCP": 6, "UDP": 17, "SCTP": 132}
ids = 0
for text in open(sys.argv[1], encoding="utf-8"):
    e = json.loads(text)
    if e["event_type"] == "drift":
        assert set(e) == {"timestamp", "event_type", "time", "drift"}, text
        assert all(isinstance(e["drift"][k], kind) for k, kind in drift.items()), text
        continue
    icmp = {"icmp_type", "icmp_code"} if "ICMP" in e["proto"] else set()
    assert set(e) == set(keys) | icmp and e["event_type"] == "anomaly", list(e)
    assert all(type(e[k]) is int and 0 <= e[k] < 256 for k in icmp), text
    assert set(e["anomaly"]) == {"type", "event"}, text
    assert all(type(v) is str and v for v in e["anomaly"].values()), text
    for key, kind in keys.items():
        assert isinstance(e[key], kind) and (kind is bool or e[key] is not True), (key, e[key])
    when = datetime.datetime.strptime(e["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs(when.timestamp() - e["time"]) < 2e-6, text
    assert re.fullmatch(r"1:[A-Za-z0-9+/]{27}=", e["community_id"]), text
    assert 0 <= e["src_port"] < 65536 and 0 <= e["dest_port"] < 65536 and e["packets"] > 0
    for r in e["reasons"]:
        assert type(r["packet"]) is int and 0 <= r["share"] <= 1 and type(r["seen"]) is str
    ends = [(ipaddress.ip_address(e[s + "_ip"]).packed, e[s + "_port"]) for s in ("src", "dest")]
    if e["proto"] in number:  # the specification's algorithm, from the beginning
        a, b = sorted(ends)
        data = b"\0\0" + a[0] + b[0] + struct.pack("!BBHH", number[e["proto"]], 0, a[1], b[1])
        sha = base64.b64encode(hashlib.sha1(data).digest()).decode()
        assert e["community_id"] == "1:" + sha, text
        ids += 1
assert ids > 100, ids
END
    check "JSON has EVE's types, and community ids: $(tail -n 1 err)" test $? -eq 0
else
    echo "SKIPPED  JSON's types and community ids: there is no python3"
fi
check "one of them the first sequence at its end" grep -q '"ended":true' lines
(head -300 cap.csv; sleep 5) | ./detect --model $model --threshold -1 - >out &
sleep 2
check "alarms come before the input's end" grep -q "incident 1 " out
kill -INT $!
wait $!
check "stopped, it ends well and says what was" grep -q "^packets     299" out
check "seconds with all their digits" \
    sh -c '! grep -q "e+0" lines && grep -q "\"time\":[0-9]*\.[0-9]\{6\},\"begin\":[0-9]*\.[0-9]\{6\}," lines'
awk -F, -v OFS=, '{ if (NR > 1) $5 = "1e308"; print }' cap.csv >odd.csv
./detect --model $model --threshold -1 --live --json odd.csv 2>err >lines
check "no number of JSON is infinite" sh -c 'test -s lines && ! grep -q "\"bytes\":inf" lines'
awk -F, -v OFS=, '{ if (NR > 1) $1 = sprintf("%.6f", $1 + 1759508960.000003); print }' \
    cap.csv >clock.csv
./detect --model $model --threshold -1 --live --json clock.csv 2>err | tr ',' '\n' >lines
check "and the clock of both alike" test \
    "$(sed -n 's/^{"timestamp":.*\(\.[0-9]*\)+0000"$/\1/p' lines)" = \
    "$(sed -n 's/^"time":[0-9]*\(\.[0-9]*\)$/\1/p' lines)"
refuses "nothing on the standard input" "no packet came from the standard input" \
    sh -c "exec ./detect --model $model - </dev/null"
./detect --model $model - </dev/null >out 2>err
check "and no summary of it" test ! -s out
refuses "a line of text on the standard input" 'line 1: found the text "hello", expected a capture' \
    sh -c "echo hello | ./detect --model $model -"
refuses "and one without an end" 'line 1: found the text "hello", expected a capture' \
    sh -c "printf hello | ./detect --model $model -"
refuses "names without a row" 'line 1: found no rows after the header' \
    sh -c "head -n 1 cap.csv | ./detect --model $model -"
./detect --model $model --threshold -1 --live --json clock.csv 2>err | head -n 1 >out
check "live | head ends quietly" test ! -s err
refuses "a report of what has not ended" "answers before its end" \
    ./detect --model $model --live --report new.html cap.csv
# Of a file, incidents come first: 10.0.0.9 knocks at 40 hosts, twice, and others talk beside it.
awk -F, -v OFS=, '{ print } NR > 100 && NR < 8900 && NR % 100 == 1 {
    $2 = "10.0.0.9"; $3 = "10.0.1." int(NR / 100) % 40; $5 = 1500; $6 = 5000 + NR
    $7 = 23; $8 = $9 = $10 = $11 = $12 = 1; print }' many.csv >knock.csv
./detect --model $many --top 99 --report report.html knock.csv >out
check "one source to many hosts, and its sequences" sh -c '
    grep -q "^   1 .* !  from .* s, [0-9.]* s, 8[78] sequences, 10\.0\.0\.9 -> 40 hosts$" out &&
    grep -q "^      .* !  at .*, row [0-9]*, 1 packet, 10\.0\.0\.9:[0-9]* -> 10\.0\.1\.[0-9]*:23$" out &&
    grep -q "^      and 8[45] more$" out && grep -q "^incidents   [1-9]" out'
check "the same in the report" sh -c '
    grep -q "<bdi>10\.0\.0\.9 -&gt; 40 hosts</bdi></td><td class=\"n rare\">8[78]</td>" report.html &&
    [ $(grep -c "<details><summary>[0-9.]* at " report.html) -ge 3 ]'
echo "10.0.0.9" >rules
./detect --model $many --ignore rules knock.csv >out
check "unless they are ignored, and counted" \
    sh -c 'grep -q "^incidents .*, and 8[78] sequences ignored" out && ! grep -q "10\.0\.0\.9" out'
./detect --model $many --json knock.csv >lines 2>err
check "as JSON, and the summary on standard error" \
    sh -c 'head -n 1 lines | grep -q "\"event_type\":\"incident\".*\"hosts\":40,\"sequences\":8[78]," &&
    [ $(grep -c "\"event_type\":\"anomaly\".*\"reasons\":\[{" lines) -ge 87 ] &&
    grep -q "^sequences" err'
if command -v python3 >/dev/null; then
    check "which is JSON" python3 -c 'import json; [json.loads(l) for l in open("lines")]'
fi
refuses "adapting to a file" "--adapt is for live use" ./detect --model $model --adapt 1 cap.csv
refuses "adapting a given threshold" "leave --threshold out" \
    ./detect --model $model --live --adapt 1 --threshold 1 cap.csv
./detect --model $model --live cap.csv >out
check "live, the model is told first" \
    sh -c 'head -n 2 out | cut -c1-12 | tr -d "\n" | grep -q "^model       made from   $"'
./detect --model $model --live --threshold 0 cap.csv >zero
check "live, a threshold of 0 is one" grep -q '^threshold   0, of running scores' zero
./detect --model $model --live --false-alarms 0.01 cap.csv >same
check "live, the rate that the model has kept" cmp out same
./detect --model $model --live --false-alarms 0.3 cap.csv >more
threshold() { sed -n 's/^threshold   \([^,]*\),.*/\1/p' "$1"; }
check "live, another rate has another threshold" \
    sh -c "awk 'BEGIN { exit !($(threshold more) < $(threshold out)) }'"
./train cap.csv --hidden 8 --quiet --iterations 5 --out bare
refuses "live, no distribution to take a rate from" "has no threshold" \
    ./detect --model bare/model.safetensors --live --false-alarms 0.1 cap.csv
echo "port x" >rules
refuses "a rule that is none" "rules: line 1: expected an address" \
    ./detect --model $model --ignore rules cap.csv
for rule in "port 99999" "10.0.0.0/99999999999999999999" "10.0.0.0/33" "10.0.0.0/" "::/129" \
            "10.9.9.9 # $(printf '%0245d' 0) 0.0.0.0/0"; do
    echo "$rule" >rules
    refuses "the rule $rule" "rules: line 1: expected an address" \
        ./detect --model $model --ignore rules cap.csv
done
mkdir -p folder
refuses "rules in a folder" "cannot read folder" ./detect --model $model --ignore folder cap.csv
echo "0.0.0.0/0" >rules
./detect --model $model --threshold -1 --live --ignore rules cap.csv >out
check "ignored alarms are counted" grep -q "^incidents   0" out
./train - --hidden 8 --quiet --iterations 20 --out rest <cap.csv
./train cap.csv --hidden 8 --quiet --iterations 20 --out other
tail -c 3000 rest/model.safetensors >a; tail -c 3000 other/model.safetensors >b
check "train from the standard input: the same weights" cmp a b
for seed in 1 4294967297; do
    ./train cap.csv --hidden 8 --quiet --iterations 1 --seed $seed --out seed$seed
    tail -c 3000 seed$seed/model.safetensors >of$seed
done
check "seeds have 64 bits" sh -c '! cmp -s of1 of4294967297'

# ---- what a model says, and whose it is

./detect --model $model cap.csv >out
check "which data, when" \
    grep -q '^made from   cap.csv, 900 packets in [0-9]* sequences, 2023-11-14T22:13:20Z' out
check "which settings" grep -q '^            --recommended: hidden 8, .* iterations$' out
cp $model older.safetensors
./train no-such-file.csv --out whole 2>err
check "a run that fails says that an older model is there" \
    grep -q '^train: whole/model.safetensors is still an older model, of 2' err
check "and leaves it" cmp $model older.safetensors
refuses "weights for other features" "its features are not those of" \
    ./train cap.csv --init $model --out rest
awk -F, -v OFS=, '{ if (NR > 1) sub("SMTP", "IRC", $4); print }' cap.csv >irc.csv
./train cap.csv --quiet --hidden 8 --iterations 5 --out rest
refuses "of the same size, but other names" "another categories" \
    ./train irc.csv --init rest/model.safetensors --out other
capture=$top/examples/data/normal.pcap
./detect --model $model $capture >out
check "names by port, but the model's by a dissector: said at the top" \
    sh -c 'grep "^warning" out | grep -q "named by ports, in the model.s data by a dissector"'
./detect --model $model --live $capture >out
check "and live" sh -c 'head -n 1 out | grep -q "^warning .*named by ports"'
./train $capture --quiet --hidden 8 --iterations 5 --out ports
./detect --model ports/model.safetensors --threshold 9 --live cap.csv >out
check "and the other way" sh -c 'head -n 1 out | grep -q "^warning .*in the model.s data by ports"'
./detect --model ports/model.safetensors --threshold 9 --live $capture >out
check "but not without need" sh -c '! grep -q "^warning" out'
LC_ALL=C sed 's/"pktseq\./"xktseq./g' rest/model.safetensors >foreign.safetensors
./train irc.csv --quiet --iterations 5 --init foreign.safetensors --out other
check "another program's weights are taken" test $? -eq 0

# ---- runs that meet, or that nobody listens to

rm -rf piped
./train cap.csv --hidden 8 --iterations 300 --print-every 1 --out piped | head -n 1 >out
check "train | head has its model" test -s piped/model.safetensors
./detect --model $model --scores piped.csv --report piped.html cap.csv | head -n 1 >out
check "detect | head has its files" test -s piped.csv -a -s piped.html
sh -c './train cap.csv --hidden 64 --iterations 100000000 --out shared >shared.log 2>&1 & echo $! >number'
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -s shared.log ] || sleep 0.5; done
refuses "a second run in the folder" "another train (process $(cat number)) is writing into" \
    $train --iterations 5 --out shared
kill -9 "$(cat number)"
sleep 1
$train --iterations 5 --out shared 2>err
check "a dead run holds nothing" test -s shared/model.safetensors
check "no lock is left" test ! -e shared/.pktseq-train.lock
./train cap.csv --hidden 8 --iterations 20 --out listed >out
check "the defaults are explained, and that there is no threshold" \
    sh -c 'grep -q "^settings    .*--recommended" out && grep -q "^threshold   none" out'
check "milestones that are listed are there" test \
    "$(sed -n 's/^milestone   //p' out | xargs ls | wc -l)" -eq "$(grep -c ^milestone out)"
rm -rf stopped
sh -c './train cap.csv --hidden 64 --iterations 100000000 --out stopped >log & echo $! >number
       sleep 1; kill -TERM $(cat number); wait $(cat number)' 2>/dev/null
check "and others are not listed" sh -c '! grep -q ^milestone log && grep -q ^model log'

# ---- what cannot be written

refuses "a folder that cannot be made, and why" "cannot write into folder /proc/x/y: No such file" \
    ./train cap.csv --quiet --out /proc/x/y
mkdir shut
chmod 555 shut
if ! touch shut/x 2>/dev/null; then
    refuses "nor in a folder that is closed" "cannot write into folder shut/x/y: Permission" \
        ./train cap.csv --quiet --out shut/x/y
fi
refuses "the reason, before anything is read" "cannot write no/such/file: No such file" \
    ./detect --model $model --report no/such/file no-such-data.csv
if [ -c /dev/full ]; then
    rm -f scores.csv
    ./detect --model $model --report /dev/full --scores scores.csv cap.csv >out 2>err
    check "scores are written when the report cannot be" test $? -eq 1 -a -s scores.csv
    check "and the reason is said" grep -q "cannot write /dev/full: No space left" err
fi

# ---- what is shown

./detect --model $model --threshold 0.5 cap.csv >out
check "words without labels" sh -c 'grep -q "^score       mean .*above it" out && ! grep -q attack out'
{ cat "$top/examples/data/normal.pcap"; tail -c +25 "$top/examples/data/normal.pcap"; } >twice.pcap
./detect --model $model twice.pcap >out
check "times that go back, in a capture" \
    sh -c 'grep -q "^warning .*reordercap IN OUT" out && ! grep -q "column of times" out'
check "a capture has frames" sh -c 'grep -q ", frames [0-9]* to " out && ! grep -q "rows [0-9]" out'
# One packet of ICMP between two others, over IPv6, and a list of one.
{ echo "$(head -n 1 cap.csv),transport"
  tail -n +2 cap.csv | awk -F, -v OFS=, '{ $2 = "2001:db8::" 1 + NR % 2; $3 = "2001:db8::" 2 - NR % 2
      print $0, 6
      if (NR == 400) { $4 = "ICMPv6"; $5 = 9999; $6 = $7 = 0; $2 = "fe80::1"
                       for (i = 13; i <= 17; ++i) $i = 0
                       print $0, 58 } }'; } >six.csv
./detect --model $model --threshold 99 --top 1 six.csv >out
check "the highest score" grep -q '^the highest score$' out
./detect --model $model --threshold 99 --top 999 six.csv >out
check "ports of IPv6 in brackets" grep -q '\[2001:db8::2\]:[0-9]* -> \[2001:db8::1\]:80' out
check "no ports where there are none, one row, one packet" \
    grep -q ', row 401, 1 packet, fe80::1 -> 2001:db8::[12]$' out
./detect --model $model --threshold -1 six.csv --live >out
check "the same live" sh -c 'grep -q "TCP \[2001:db8::2\]:[0-9]* -> \[2001:db8::1\]:80 " out &&
    grep -q "ICMP fe80::1 -> 2001:db8::[12] ICMPv6, 1 packet," out'
awk -F, -v OFS=, 'NR > 1 { $1 += 631151980 } { print }' cap.csv >odd.csv
./detect --model $model --threshold 99 --top 999 odd.csv >out
check "one form of times in a list" sh -c 'grep -q "at 6311[0-9.]* s" out && ! grep -q "at 1990" out'
./detect --model $model --threshold -1 --top 999 odd.csv >out
check "of incidents, too" sh -c 'grep -q "from 6311[0-9.]* s" out && ! grep -q "from 1990" out'
head -n 120 cap.csv >odd.csv
refuses "too few to calibrate" "are too few for a threshold" \
    ./detect --model $model --calibrate odd.csv cap.csv
check "who scores is not told of training" \
    sh -c "! ./detect --model $model odd.csv | grep -q 'need about'"
./train odd.csv --hidden 8 --iterations 1 --out rest >out
check "who trains is" grep -q '^warning .*only [0-9]* sequences: the model will be' out
./sequences odd.csv 2>err >out
check "no lines of zeros" sh -c '! grep -q "^ *0 " err && grep -q "packets in" err'
awk -F, -v OFS=, 'NR > 1 && NR % 9 == 0 { $1 -= 5 } { print }' cap.csv >odd.csv
./detect --model $model odd.csv >out
check "times that go back, in CSV" grep -q '^warning .*is the column of times' out
check "few sequences" sh -c "./detect --model $model cap.csv | grep -q 'nobody can promise from'"
./detect --model rest/model.safetensors --scores scores.csv cap.csv >out
check "without a threshold nothing is judged" grep -q '^anomalous   not judged' out
check "nor in the scores" sh -c '! grep -q ",[01]$" scores.csv && grep -q ",$" scores.csv'
head -n 3 cap.csv >odd.csv
tail -n +4 cap.csv | sed 's/,HTTP,/,H\x1b[31mP,/; s/10\.0\.0\.1,10/=HYPERLINK(0),10/' >>odd.csv
./train odd.csv --recommended --hidden 8 --context 0 --epochs 1 --out "new
line" >out 2>&1
./train odd.csv --hidden 8 --iterations 1 --out rest >>out 2>&1
./train "no
such" >>out 2>&1
check "train sends nothing raw to the terminal" \
    sh -c '! grep -q "$(printf "\033")" out && ! grep -q "^such\|^line" out && grep -qF "_[31mP" out'
./detect --model $model --scores scores.csv odd.csv >out
check "no formulas for spreadsheets" \
    sh -c "grep -q \",'=HYPERLINK(0)\" scores.csv && ! grep -q ',=' scores.csv"
{ echo "$(head -n 1 cap.csv),label"
  tail -n +2 cap.csv | awk '{ print $0 "," (NR < 300 ? "0" : "bad") }'; } >odd.csv
./detect --model $model odd.csv >out
check "means by label where there are labels" grep -q '^score .*normal by label .*anomalous by label' out

# Times at which a double has no more units, far below zero, and hardly above it.
for times in "-1e18 -1e18" "-9200000000000000000 -9199999999999998976" "0 5e-324" "-9e299 9e299"; do
    { head -n 1 cap.csv; tail -n +2 cap.csv | awk -F, -v OFS=, -v times="$times" '
          BEGIN { split(times, t, " ") } { $1 = t[1 + (NR > 400)]; print }'; } >odd.csv
    check "times $times" sh -c "timeout 60 ./detect --model $model --report report.html odd.csv >out"
done
# Of three labels one is not known, which nothing counts.
{ echo "$(head -n 1 cap.csv),label"
  tail -n +2 cap.csv | awk '{ print $0 "," (NR < 300 ? "0" : NR < 600 ? "?" : "bad") }'; } >odd.csv
./detect --model $model --threshold -1 --report report.html odd.csv >out
normal=$(($(sed -n 's/^labels .* \([0-9]*\) of \([0-9]*\) [a-z]* are anomalous/\2 - \1/p' out)))
check "the report counts as the terminal does" grep -q "of $normal normal ones" report.html

# The report leads back to the capture, explains its words, and has its pictures before its text.
awk -F, -v OFS=, '{ if (NR == 1) print "No.", $0
                    else { if (NR % 50 > 40) $5 += 1200; print NR + 99, $0 } }' cap.csv >numbered.csv
./detect --model $model --top 9 --threshold 0 --report report.html numbered.csv >out
check "a filter for Wireshark" grep -q 'frame.number in {[0-9, .]*}</code>' report.html
check "packets with their numbers" grep -q '>Frame</th>' report.html
check "both ends of a sequence" grep -q 'in rows [0-9]* to [0-9]* of the file, .* last packet' report.html
check "words explained" grep -q '<dt><code>token</code></dt><dd>what kind of packet' report.html
check "no powers of ten" sh -c '! grep -q "e+0" out && ! grep -q "e+0" report.html'
check "pictures, list, text" test "$(grep -o '<h2>[A-Z][a-z]*' report.html | tr -d '\n')" = \
    "<h2>Score<h2>How<h2>The<h2>What<h2>As"
./detect --model $model --top 3 --report report.html cap.csv >out
check "without numbers, by addresses and time" \
    grep -q 'frame.time_relative &gt;= .* ip.addr == 10.0.0.1' report.html

{ head -n 1 cap.csv; tail -n +2 cap.csv | awk -F, -v OFS=, '{ $2 = "\"\033[31m\nFAKE\""; print }'
} >odd.csv
./detect --model $model odd.csv >out
check "no commands for the terminal" sh -c '! grep -q "$(printf "\033")" out && ! grep -q ^FAKE out'
check "but a list" grep -q 'highest score' out

# ---- what was read, said at the top

{ head -n 1 cap.csv; tail -n +2 cap.csv | awk -F, -v OFS=, 'NR == 9 { $5 = "x" } { print }'; } >odd.csv
./detect --model $model odd.csv >out
check "a row that cannot be read is said first" \
    grep -q '^warning     1 of 900 rows cannot be read and is left out; the first: line 10: ' out
refuses "or refuses the file" "line 10" ./detect --model $model --bad-rows 0 odd.csv
{ echo "$(head -n 1 cap.csv),Label"
  tail -n +2 cap.csv | awk '{ print $0 "," (NR < 600 ? "BENIGN" : "scan") }'; } >odd.csv
./train odd.csv --hidden 8 --iterations 5 --out rest >out
check "labelled attacks are left out of training" grep -q '^warning .*labelled as attacks' out
refuses "nothing but attacks" "training needs normal traffic" sh -c \
    "sed 's/BENIGN/scan/' odd.csv >bad.csv; exec ./train bad.csv --hidden 8 --quiet --out rest2"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
