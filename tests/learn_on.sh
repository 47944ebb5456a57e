#!/bin/sh
# learn_on.sh - what a model is worth that goes on with new traffic (train --continue), and one that
# learned from traffic with attacks in it, with and without train --clean. Needs ./train and ./detect;
# leaves everything in build/learn_on; prints AUC and what is found, by connection. About 10 minutes.
cd "$(dirname "$0")/.." || exit 1
out=build/learn_on
normal=examples/data/normal_export.csv mixed=examples/data/mixed_export.csv
mkdir -p $out || exit 1

# NAME, options of train ..: a model, unless it is there
learn() {
    name=$1
    shift
    [ -s $out/$name/model.safetensors ] || ./train "$@" --quiet --out $out/$name || exit 1
}

# TITLE, NAME, what to score
score() {
    printf '%-30s %s\n' "$1" "$(./detect --model $out/$2/model.safetensors --top 0 $3 |
        sed -n 's/^this model *//p')"
}

# ---- going on: the first half of the normal recording, then the second; and the second in which
# TELNET, HTTP and IRC have become protocols with other names and ports

other() {
    awk 'BEGIN { FS = OFS = "\",\"" }
        NR > 1 {
            if ($5 == "HTTP") $5 = "QUIC"
            if ($5 == "IRC") $5 = "MQTT"
            if ($5 == "TELNET") $5 = "RLOGIN"
            for (k = 7; k <= 8; ++k)
                $k = $k == 80 ? 443 : $k == 6667 ? 1883 : $k == 23 ? 513 : $k
        }
        { print }' $1
}

awk -F'","' 'NR == 1 || $2 < 630' $normal >$out/first.csv
awk -F'","' 'NR == 1 || $2 >= 630' $normal >$out/second.csv
other $out/second.csv >$out/other.csv
other $mixed >$out/mixed_other.csv
learn first --recommended $out/first.csv
learn second --continue $out/first/model.safetensors $out/second.csv
learn other --continue $out/first/model.safetensors $out/other.csv
score "first half" first $mixed
score "then the second" second $mixed
score "then other protocols" other $mixed
score "  on what has these" other $out/mixed_other.csv

# ---- attacks in what is learned from: connections of odd rounds of each label are mixed into the
# normal recording; what is scored is the even rounds

# SHARE of the sequences, 1 for attacks of each kind or 2 for whole rounds of few kinds
dirty() {
    head -n 1 $normal
    awk -F'","' -v share=$1 -v whole=$2 '
        function ends() { return $3 < $4 ? $3 "|" $7 "|" $4 "|" $8 : $4 "|" $8 "|" $3 "|" $7 }
        function take_next(l, n,   k) {
            k = of[l, n]
            if (k == "" || got >= want) return
            take[k] = 1
            ++got
        }
        FNR == 1 { ++file; next }
        { label = $NF; sub("\"", "", label) }
        file == 1 && label != "0" {
            if (!(label in last) || $2 - last[label] > 20) ++round[label]
            last[label] = $2
            k = ends()
            if (k in seen || round[label] % 2 == 0) next
            seen[k] = 1
            if (!(label in count)) kind[++kinds] = label
            of[label, ++count[label]] = k
        }
        file == 2 && FNR == 2 {
            want = int(share / (1 - share) * 922 + 0.5)
            if (whole == 1) for (n = 1; n < 500; ++n) for (i = 1; i <= kinds; ++i) take_next(kind[i], n)
            else for (i = 1; i <= kinds; ++i) for (n = 1; n < 500; ++n) take_next(kind[i], n)
        }
        file == 2 && label != "0" && ends() in take { sub(/,"[^"]*"$/, ""); print }
        file == 3 { print }' $mixed $mixed $normal | sort -s -t, -k2.2,2n
}

awk 'BEGIN { FS = OFS = "\",\"" }
    NR > 1 {
        l = $NF
        sub("\"", "", l)
        if (l != "0") {
            if (!(l in last) || $2 - last[l] > 20) ++round[l]
            last[l] = $2
            if (round[l] % 2 == 1) $NF = "?\""
        }
    }
    { print }' $mixed >$out/even.csv
learn clean --recommended $normal
learn clean-cleaned --recommended --clean 0.1 $normal
score "clean" clean $out/even.csv
score "clean, --clean 0.1" clean-cleaned $out/even.csv
for whole in 1 2; do
    for share in 0.01 0.02 0.05; do
        [ $whole = 1 ] && what="attacks of each kind" || what="attacks of few kinds"
        data=dirty$whole-$share
        [ -s $out/$data.csv ] || dirty $share $whole >$out/$data.csv
        learn $data --recommended $out/$data.csv
        learn $data-cleaned --recommended --clean 0.1 $out/$data.csv
        score "$share $what" $data $out/even.csv
        score "  --clean 0.1" $data-cleaned $out/even.csv
    done
done
