#!/bin/sh
# detection.sh - trains the models of the README's table on the normal recording and scores the
# mixed one: all rounds, and each half of them (odd and even rounds of each label; the other half's
# sequences are left out). Needs ./train and ./detect; leaves everything in build/detection.
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
model recommended-no-context --recommended --context 0
model recommended --recommended
for data in $mixed $out/half1.csv $out/half0.csv; do
    line=$(./detect --model $out/recommended/model.safetensors --calibrate \
        examples/data/normal_seqs.csv --baseline --top 0 $data | sed -n 's/^3-grams *//p')
    printf '%-22s %-9s %s\n' 3-grams "$(basename $data .csv)" "$line"
done
