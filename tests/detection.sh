#!/bin/sh
# detection.sh - trains the models of the README's table on the normal recording and scores the
# mixed one: all rounds, and each half of them (odd and even rounds of each label; the other half's
# sequences are left out). Then by connection, on one network and on eight that share a link, live,
# and beside other detectors. Needs ./train and ./detect; leaves everything in build/detection.
cd "$(dirname "$0")/.." || exit 1
out=build/detection
mixed=examples/data/mixed_seqs.csv
mkdir -p $out || exit 1

# A label's round is over when 20 seconds pass without it; rounds of the other parity become "?".
for half in 1 0; do
    awk -F, -v half=$half 'BEGIN { OFS = "," }
        NR == 1 { for (i = 1; i <= NF; ++i) at[$i] = i; print; next }
        { l = $at["label"]; t = $at["timestamp"] }
        l != "0" {
            if (!(l in last) || t - last[l] > 20) ++round[l]
            last[l] = t
            if (round[l] % 2 != half) $at["label"] = "?"
        }
        { print }' $mixed >$out/half$half.csv || exit 1
done

# NAME, then the options of train
model() {
    name=$1
    shift
    [ -s $out/$name/model.safetensors ] ||
        ./train "$@" --quiet --out $out/$name examples/data/normal_seqs.csv || exit 1
    for data in $mixed $out/half1.csv $out/half0.csv; do
        line=$(./detect --model $out/$name/model.safetensors --top 0 $data |
            sed -n 's/^this model *//p')
        printf '%-22s %-9s %s\n' $name "$(basename $data .csv)" "$line"
    done
}

model untrained --notebook --hold-out 0.2 --iterations 1 --lr 0
model reference --notebook --hold-out 0.2
model recommended-no-context --recommended --context 0 --epochs 30
model recommended --recommended --epochs 30
for data in $mixed $out/half1.csv $out/half0.csv; do
    line=$(./detect --model $out/recommended/model.safetensors --calibrate \
        examples/data/normal_seqs.csv --baseline --top 0 $data | sed -n 's/^3-grams *//p')
    printf '%-22s %-9s %s\n' 3-grams "$(basename $data .csv)" "$line"
done

# The link of eight networks: copies of a recording with addresses of their own, each begun 3.7
# seconds later than the one before, in the order of time. Attacks are in the first copy alone.
#   recording, seconds of it
link() {
    for copy in 0 1 2 3 4 5 6 7; do
        awk -F'"?,?"' -v copy=$copy -v seconds=$2 '
            function host(a) {
                if (sub("db8", "db" sprintf("%x", 8 + copy), a)) return a
                split(a, part, ".")
                return part[1] "." (part[2] + 20 * copy) % 256 "." part[3] "." part[4]
            }
            NR == 1 { for (i = 2; i < NF; ++i) at[$i] = i; next }
            {
                label = "label" in at ? $at["label"] : "0"
                if ($at["Time"] > seconds || (copy && label != "0")) next
                flags = ""
                for (i = at["Reserved"]; i <= at["Fin"]; ++i) flags = flags "," ($i == "Set")
                printf "%.6f,%s,%s,%s,%s,%s,%s%s,%s\n", $at["Time"] + 3.7 * copy,
                       host($at["Source"]), host($at["Destination"]), $at["Protocol"],
                       $at["Length"], $at["Source port"], $at["Dest port"], flags, label
            }' $1
    done | sort -s -t, -k1,1n | awk 'NR == 1 {
        print "timestamp,src_ip,dst_ip,protocol,length,src_port,dst_port," \
              "res,ns,cwr,ecn,urg,ack,push,reset,syn,fin,label" } { print }'
}

# NAME of a model, what to learn from, what to score; sequences are those of connections
connections() {
    [ -s $out/$1/model.safetensors ] || ./train --recommended --quiet --out $out/$1 $2 || exit 1
    line=$(./detect --model $out/$1/model.safetensors --top 0 $3 | sed -n 's/^this model *//p')
    printf '%-22s %-9s %s\n' $1 "$(basename $3 .csv)" "$line"
}

normal=examples/data/normal_export.csv
mixed=examples/data/mixed_export.csv
for half in 1 0; do
    awk -F'"?,"?' -v half=$half '
        NR == 1 { for (i = 1; i <= NF; ++i) at[$i] = i; print; next }
        !/"0"$/ {
            l = $NF
            t = $at["Time"]
            if (!(l in last) || t - last[l] > 20) ++round[l]
            last[l] = t
            if (round[l] % 2 != half) sub(/"[^"]*"$/, "\"?\"")
        }
        { print }' $mixed >$out/packets_half$half.csv || exit 1
done
# The normal packets of the mixed recording, and with them a worm, a host that tries a port of 137
# others within 14 seconds, and a slow scan of 60 hosts, one a second. Half answer with a reset.
awk -F'"?,"?' '
    function packet(t, from, to, sport, dport, answer, label) {
        printf "\"0\",\"%.6f\",\"%s\",\"%s\",\"TCP\",\"%d\",\"%d\",\"%d\"", t, from, to,
               answer ? 60 : 74, sport, dport
        printf ",\"Not set\",\"Not set\",\"Not set\",\"Not set\",\"Not set\""
        printf answer ? ",\"Set\",\"Not set\",\"Set\",\"Not set\"" \
                      : ",\"Not set\",\"Not set\",\"Not set\",\"Set\""
        printf ",\"Not set\",\"%s\"\n", label
    }
    function try(t, i, net, port, label) {
        packet(t, "172.16.112.50", net i, 33000 + i, port, 0, label)
        if (i % 2) packet(t + 0.01, net i, "172.16.112.50", port, 33000 + i, 1, label)
    }
    NR == 1 || /"0"$/ { print }
    END {
        for (i = 1; i <= 137; ++i) try(100 + i / 10, i, "172.16.113.", 445, "worm")
        for (i = 1; i <= 60; ++i) try(300 + i, i, "10.3.0.", 22, "slowscan")
    }' $mixed | awk -F'"?,"?' 'NR == 1 { print > head; next } { print $2 "\t" $0 }' head=$out/scan.csv |
    sort -s -n -k1,1 | cut -f2- >$out/scan_rows || exit 1
cat $out/scan_rows >>$out/scan.csv

connections connections $normal $mixed
printf '%-22s %-9s %s\n' 3-grams mixed_export "$(./detect --baseline --top 0 --calibrate $normal \
    --model $out/connections/model.safetensors $mixed | sed -n 's/^3-grams *//p')"
connections connections $normal $out/packets_half1.csv
connections connections $normal $out/packets_half0.csv
connections connections $normal $out/scan.csv
[ -s $out/eight_learn.csv ] || link $normal 550 >$out/eight_learn.csv
[ -s $out/eight.csv ] || link $mixed 1000 >$out/eight.csv
connections connections-eight $out/eight_learn.csv $out/eight.csv

# As packets come: how many normal sequences ever raise an alarm.
awk -F, 'NR == 1 || $NF == "\"0\""' $mixed | sed 's/,[^,]*$//' >$out/normal_part.csv || exit 1
printf '%-22s %-9s %s\n' connections live "$(./detect --model $out/connections/model.safetensors \
    --live $out/normal_part.csv | sed -n 's/^anomalous *//p')"

# Other detectors on the same packets, judged alike.
./detect --model $out/connections/model.safetensors --top 0 --scores $out/scores.csv $mixed \
    >/dev/null || exit 1
for python in python3 /usr/bin/python3 none; do
    $python -c 'import numpy, sklearn' 2>/dev/null && break
done
[ $python != none ] || for python in python3 /usr/bin/python3 none; do
    $python -c 'import numpy' 2>/dev/null && break
done
if [ $python = none ]; then
    echo "SKIPPED: no python3 here has numpy; nothing was compared"
else
    $python tests/baselines.py $normal $mixed pktseq=$out/scores.csv
fi
