#!/bin/sh
# minimal.sh - examples/minimal.c prints what its first comment says, whatever compiles it. (Without
# vectors it takes minutes to the same bits, which `make bits` compares: not tried here.)
#
#     sh tests/minimal.sh       Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0
sed -n '/^ *It prints/,/^\*\//p' examples/minimal.c | sed '1,2d;$d' >"$tmp/want"
[ "$(wc -l <"$tmp/want")" -gt 10 ] || { echo "the comment of minimal.c has no output"; failed=1; }

try() {
    if ! command -v "${1%% *}" >/dev/null; then
        echo "SKIPPED: $1 is not here"
        return
    fi
    if $1 -o "$tmp/minimal" examples/minimal.c -lm && "$tmp/minimal" >"$tmp/got" &&
       diff "$tmp/want" "$tmp/got"; then
        passed=$((passed + 1)); echo "  ok       $1"
    else
        failed=$((failed + 1)); echo "  FAILED   $1"
    fi
}

try "${CC:-cc} -O2"
try "clang -O1"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
