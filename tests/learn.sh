#!/bin/sh
# What examples/learn says of itself: every lesson prints its first comment's output and draws its
# picture; every exercise fails with a hint before it is solved and passes after; every answer,
# quote and number is true; and these checks find mistakes that are planted. Ends with "N passed, N
# failed".
#   sh tests/learn.sh [full]     full: the lessons with every compiler that is here
set -u
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-cc}
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
unset BUILD N MAKEFLAGS
passed=0 failed=0

good() { passed=$((passed + 1)); }
bad() {
    echo "FAILED: $*"
    failed=$((failed + 1))
}

# A folder like the repository's, whose lessons may be changed.
place() {
    mkdir -p "$out/$1/examples"
    cp -r examples/learn "$out/$1/examples/learn"
    ln -s "$PWD/examples/data" "$out/$1/examples/data"
    ln -s "$PWD/pktseq.h" "$out/$1/pktseq.h"
}

# Runs the lessons, and exercises if there are any, in such a folder.
learn() { (cd "$out/$1" && shift && sh examples/learn/learn.sh "$@"); }

# In each line of a file, replaces what stands in $FROM by what stands in $TO, letter by letter.
replace() {
    FROM=$2 TO=$3 awk '{
        while (at = index($0, ENVIRON["FROM"])) {
            printf "%s%s", substr($0, 1, at - 1), ENVIRON["TO"]
            $0 = substr($0, at + length(ENVIRON["FROM"]))
            found = 1
        }
        print
    } END { exit !found }' "$1"
}

# Makes a change that the answers name, compiles, runs, and looks for the lines that they show.
#   answers FOLDER LABEL: all answers whose label begins so. One line for each that is wrong.
answers() {
    folder=$out/$1
    rm -rf "$folder/answers" && mkdir "$folder/answers"
    awk -v label="**$2" -v to="$folder/answers/" '
        index($0, label) == 1 { on = 1; text = ""; n += 1 }
        on && /^```text/ {
            on = 0; shown = 1
            parts = split(text, code, "`")
            for (i = 2; i < parts; i += 2) print code[i] >(to n ".change")
            print substr(text, 3, index(substr(text, 3), "*") - 1) >(to n ".label")
            next
        }
        shown && /^```/ { shown = 0 }
        shown { print >(to n ".lines") }
        on { text = text (text == "" ? "" : " ") $0 }' "$folder/examples/learn/ANSWERS.md"
    for change in "$folder"/answers/*.change; do
        answer=${change%.change}
        label=$(cat "$answer.label")
        number=$(printf '%02d' "$(printf '%s' "$label" | tr -d 'a-z')")
        lesson=$(echo "$folder"/examples/learn/"$number"_*.c)
        cp "$lesson" "$answer.0.c"
        while IFS= read -r from && IFS= read -r to; do
            replace "$answer.0.c" "$from" "$to" >"$answer.1.c" ||
                echo "$label: $number has no \"$from\""
            mv "$answer.1.c" "$answer.0.c"
        done <"$change"
        sed 's|"../../pktseq.h"|"../pktseq.h"|' "$answer.0.c" >"$answer.c"
        $CC -std=c99 -O2 -w -o "$answer" "$answer.c" -lm || echo "$label does not compile"
        (cd "$folder" && "$answer") >"$answer.out"
        while IFS= read -r line; do
            grep -qxF -e "$line" "$answer.out" || echo "$label does not print: $line"
        done <"$answer.lines"
    done
}

# What DERIVATION.md quotes and its files do not say, and the numbers that its program does not.
derivation() {
    folder=$out/$1
    awk -F ' [|] ' '/^[|].*`pktseq.h`/ { for (i = 1; i <= NF; ++i) file[i] = $i; next }
         /^[|]/ && !/^[|]---/ {
             for (i = 1; i <= NF; ++i) {
                 split($i, code, "`"); split(file[i], name, "`")
                 if (code[2] != "" && name[2] != "") print name[2] "\t" code[2]
             }
         }' "$folder/examples/learn/DERIVATION.md" >"$folder/quotes"
    [ "$(wc -l <"$folder/quotes")" -gt 40 ] || echo "hardly any quotes are found"
    while IFS='	' read -r file quote; do
        case $file in pktseq.h) path=$folder/$file ;; *) path=$folder/examples/learn/$file ;; esac
        grep -qF -e "$quote" "$path" || echo "$file no longer has: $quote"
    done <"$folder/quotes"
    $CC -std=c99 -O2 -w -o "$folder/derivation" "$folder/examples/learn/derivation.c" -lm &&
        "$folder/derivation" | grep . >"$folder/numbers" || echo "derivation.c fails"
    awk '/^```text/ { on = 1; next } /^```/ { on = 0 } on && NF' \
        "$folder/examples/learn/DERIVATION.md" | cmp -s - "$folder/numbers" ||
        echo "DERIVATION.md shows other numbers than derivation.c prints"
}

# A check should have said nothing; or, of a planted mistake, something.
nothing() { if [ -z "$2" ]; then good; else bad "$1: $2"; fi; }
something() { case $2 in *"$3"*) good ;; *) bad "$1 is not found: ${2:-nothing is said}" ;; esac; }

# ---- every lesson, exercise and solution -------------------------------------------------------
place lessons
place begun
place solved
learn begun start >/dev/null
mkdir "$out/solved/mine"
for lesson in examples/learn/[01][0-9]_*.c; do
    sed 's|"../../pktseq.h"|"../pktseq.h"|' "$lesson" >"$out/solved/mine/$(basename "$lesson")"
    lines=$(awk '/UP TO HERE/ { on = 0 } on { ++n } /YOUR LINES/ { on = 1 } END { print n + 0 }' \
            "$lesson")
    [ "$lines" -ge 1 ] && [ "$lines" -le 8 ] && good || bad "$lesson: $lines lines are missing"
    lines=$(awk 'NF && !/^ *\/\// { ++n } END { print n }' "$lesson")
    [ "$lines" -le 200 ] && good || bad "$lesson has $lines lines of code, more than 200"
done
for folder in begun solved; do  # their lessons are not run, as if they had passed
    sed 's/^    wrong=$(try "$lesson".*/    wrong=/' examples/learn/learn.sh \
        >"$out/$folder/examples/learn/learn.sh"
done
learn begun >"$out/begun.log" 2>&1 &
learn lessons >"$out/lessons.log" 2>&1
wait
learn solved >"$out/solved.log" 2>&1 &
cat "$out/lessons.log"
[ "$(tail -n 1 "$out/lessons.log")" = "11 of 11" ] && good || bad "a lesson prints something else"
sed -n '/your exercises/,$p' "$out/begun.log"
while read -r number hint; do
    something "exercise $number" "$(sed -n "/your ex/,\$s/^$number //p" "$out/begun.log")" "$hint"
done <<END
01 numbers: times the deviation, plus the mean? error
02 slope: rise over a run of 2e? error
03 a factor or a += is missing? error
04 a sum over all steps? error
05 clip a long one: not scaled to the limit? error
06 an: a factor or a part is missing? error
07 gradient: a part of dout[s - 1] is missing? error
08 a new number for each conversation? error
09 momentum: old speed? error
10 another order? the bits of pktseq.h after
11 not the share, counted from the top? error
END
[ "$(tail -n 1 "$out/begun.log")" = "0 of 11" ] && good || bad "an exercise passes unsolved"
wait
sed -n '/your exercises/,$p' "$out/solved.log"
[ "$(tail -n 1 "$out/solved.log")" = "11 of 11" ] && good || bad "not all solutions pass"

# ---- answers, derivation, broken derivatives ---------------------------------------------------
for lesson in 1 2 3 4 5 6 7 8 9 10 11; do
    for letter in a b c d; do
        grep -q "^[*][*]$lesson$letter" examples/learn/ANSWERS.md || continue
        nothing "answers" "$(answers lessons "$lesson$letter")"
    done
    asked=$(sed -n '/PREDICT/,/^#include/p' examples/learn/"$(printf '%02d' $lesson)"_*.c |
            grep -o "[ (]$lesson[a-d]:" | sort -u | wc -l)
    answered=$(grep -o "^[*][*]$lesson[a-d]" examples/learn/ANSWERS.md | sort -u | wc -l)
    [ "$asked" -eq "$answered" ] && good || bad "lesson $lesson: $asked asked, $answered answered"
done
nothing "DERIVATION.md" "$(derivation lessons)"

# name, its error in ANSWERS.md, from, to: a fault in the header's derivatives.
broken() {
    if ! replace pktseq.h "$3" "$4" >"$out/broken.h"; then
        bad "$1: pktseq.h no longer has \"$3\", mend it here"
        return
    fi
    $CC -O1 -w -DHEADER="\"$out/broken.h\"" -o "$out/broken" tests/learn.c -lm
    error=$("$out/broken")
    [ "$error" = "$2" ] && grep -qF "| $1 | $2 |" examples/learn/ANSWERS.md && good ||
        bad "$1: error $error, expected $2, here and in ANSWERS.md"
}
broken 'none' 'below 1e-13' '// Stop here' '// Stop here'
broken 'dq without `* r`' 1.4 '*gq = an * r;' '*gq = an;'
broken 'dh without `dh2 * z`' 1 'dh[j] = dh2 * z;' 'dh[j] = 0;'
broken 'az without `z * (1 - z)`' 1.2 '*gz = dz * PKTSEQI_K(fma)(-z, z, z);' '*gz = dz;'
broken "the output's second part (fed back) forgotten" 0.11 'dout[o] += f[o];' ';'
broken 'an where dq stands' 1.1 'gh = part < 2 ? gi : gi + H;' 'gh = gi;'

# ---- mistakes planted in a copy, which must be found -------------------------------------------
place planted
planted=$out/planted/examples/learn
plant() {
    replace "$planted/$1" "$2" "$3" >"$out/changed" || bad "nothing to plant in $1: $2"
    cp "$out/changed" "$planted/$1"
}
plant 02_downhill.c '-0.8740' '-0.8741'
something "a wrong digit in a comment" "$(learn planted 02)" '02 line 11: expected "  20'
plant 03_chain_rule.c 'after 100 steps' 'after'
plant 03_chain_rule.c '//     loss 0.000000 after' '//     loss 0.000000 before'
something "a line that differs" "$(learn planted 03)" '03 line 6'
plant 04_memory.c 'return 0;' 'return 0'
something "a lesson that does not compile" "$(learn planted 04)" 'error'
plant 05_vanish.svg '20,150.0' '20,150.1'
something "a picture that differs" "$(learn planted 05)" '05 the picture is not that of'
something "a lesson less" "$(learn planted 05)" '0 of 1'
plant ANSWERS.md '767.15307' '767.15308'
something "a wrong answer" "$(answers planted 2a)" '2a does not print:   20'
plant ANSWERS.md 'rate = 0.01' 'rate = 0.02'
something "a change of nothing" "$(answers planted 2b)" '2b: 02 has no "rate = 0.02"'
plant DERIVATION.md '`*gq = an * r`' '`*gq = an / r`'
something "a quote that has moved" "$(derivation planted)" 'pktseq.h no longer has: *gq = an / r'
plant DERIVATION.md '0.3462' '0.3463'
something "a wrong number" "$(derivation planted)" 'other numbers than derivation.c'

# ---- the same digits from every compiler -------------------------------------------------------
if [ "${1:-}" = full ]; then
    for compiler in "gcc -O0" "gcc -O3" "clang -O2" "musl-gcc -O2 -static" "tcc" \
                    "gcc -O2 -m32 -msse2 -mfpmath=sse -I/usr/include/x86_64-linux-gnu"; do
        if ! echo 'int main(void) { return 0; }' >"$out/try.c" ||
            ! $compiler -o "$out/try" "$out/try.c" 2>"$out/log"; then
            echo "SKIPPED: $compiler is not here"
            continue
        fi
        rm -rf "$out/lessons/build"
        (cd "$out/lessons" && CC=$compiler LEARN_FLAGS="-std=c99 -w" LEARN_SECONDS=1000 \
            sh examples/learn/learn.sh) >"$out/log" 2>&1
        echo "$compiler: $(tail -n 1 "$out/log")"
        [ "$(tail -n 1 "$out/log")" = "11 of 11" ] && good ||
            { cat "$out/log"; bad "$compiler: other digits"; }
    done
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
