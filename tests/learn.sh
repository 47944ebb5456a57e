#!/bin/sh
# The lessons of examples/learn: that they print what they say. Ends with "N passed, N failed".
#   sh tests/learn.sh [full]
set -u
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
passed=0 failed=0
sh examples/learn/learn.sh >"$out/log" 2>&1 && passed=1 || failed=1
cat "$out/log"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
