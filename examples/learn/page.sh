#!/bin/sh
# page.sh - makes learn.html: pktseq.h, page.c and page_check.c as WebAssembly, within page.html.
#
#     sh examples/learn/page.sh [FILE]       Debian: clang lld wasi-libc libclang-rt-14-dev-wasm32
#
# The committed page was made with clang 14.0.6; another compiler makes another file that does the
# same.
set -eu
cd "$(dirname "$0")"
page=${1:-learn.html}
wasm=$(mktemp)
trap 'rm -f "$wasm"' EXIT
# Exported functions are all that is kept; nothing is imported, so the page needs no system at all.
${WASM_CC:-clang} --target=wasm32-wasi -std=c99 -O2 -nostartfiles -Wl,--no-entry -Wl,--strip-all \
    -Wl,--gc-sections -o "$wasm" page.c page_check.c -lm
{
    sed '/@@WASM@@/,$d' page.html
    sed -n '/@@WASM@@/s/@@WASM@@.*//p' page.html | tr -d '\n'
    base64 -w 0 "$wasm"
    sed -n '/@@WASM@@/s/.*@@WASM@@//p' page.html
    sed '1,/@@WASM@@/d' page.html
} >"$page"
echo "$page: $(wc -c <"$page") bytes"
