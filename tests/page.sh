#!/bin/sh
# page.sh - examples/learn/learn.html: is it what its sources make, and does it work?
#
#     sh tests/page.sh [FOLDER]      FOLDER: screenshots, wide, narrow and dark, are left there
#
# 1. The committed page is what page.sh makes of its sources, to the byte; asked of the compiler
#    that made it, since others make other code.
# 2. In Chromium, opened as a file: it trains to the published weights, draws, finds each broken
#    derivative, goes back in time to the same bits, obeys the keyboard, fits narrow screens.
#    Without Chromium and its driver the WebAssembly alone runs in node.
# What cannot be done here is SKIPPED, loudly. Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
page=examples/learn/learn.html
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0
good() { passed=$((passed + 1)); echo "  ok       $*"; }
bad() { failed=$((failed + 1)); echo "  FAILED   $*"; }
check() { what=$1; shift; if "$@"; then good "$what"; else bad "$what"; fi; }

check "under 200 kB: $(wc -c <$page) bytes" test "$(wc -c <$page)" -lt 200000
check "nothing is fetched" sh -c "! grep -nE 'src=|<link|fetch\\(|import\\(|https?://' $page"

made_by=$(sed -n 's/^# The committed page was made with clang \([0-9.]*\).*/\1/p' \
              examples/learn/page.sh)
if clang --version 2>/dev/null | grep -q "clang version $made_by" && command -v wasm-ld >/dev/null &&
   sh examples/learn/page.sh "$tmp/learn.html" >"$tmp/log" 2>&1; then
    check "the page is what its sources make" cmp "$tmp/learn.html" $page
else
    echo "SKIPPED: page not made anew: no clang $made_by with lld and wasi-libc here"
    sed -n 1,3p "$tmp/log" 2>/dev/null
fi

if command -v chromedriver >/dev/null && command -v chromium >/dev/null &&
   command -v python3 >/dev/null; then
    python3 tests/page.py "$PWD/$page" "${1:-}" >"$tmp/browser" 2>&1
    cat "$tmp/browser"
    passed=$((passed + $(grep -c '^  ok ' "$tmp/browser")))
    failed=$((failed + $(grep -c '^  FAILED ' "$tmp/browser")))
    grep -q '^done$' "$tmp/browser" || bad "the browser's part came to its end"
elif command -v node >/dev/null; then
    echo "SKIPPED: no chromium with chromedriver and python3 here; node runs the WebAssembly alone"
    node -e '
        const page = require("fs").readFileSync(process.argv[1], "utf8")
        const code = Buffer.from(/atob\(.([^\x27]+)/.exec(page)[1], "base64")
        WebAssembly.instantiate(code).then(({instance: {exports: w}}) => {
            const half = high => (w.hash(high) >>> 0).toString(16).padStart(8, "0")
            for (const forced of [0, 2]) {
                w.start(16, 0, 0), w.train(20000, 0.1, 0, forced)
                console.log(half(1) + half(0))
            }
        })' $page >"$tmp/node"
    check "free running: the published weights" grep -qx 3a44888777b24d17 "$tmp/node"
    check "forced: the published weights" grep -qx fd0c0c6f0f40df5d "$tmp/node"
else
    echo "SKIPPED: neither chromium with chromedriver and python3 nor node here; page not run"
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
