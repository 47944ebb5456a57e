#!/bin/sh
# big.sh [FRAMES ..]   memory and time of an epoch of train --recommended and of detect on captures of
#                      so many frames (100000 1000000 10000000): they must grow in a straight line
# big.sh captures      a million frames to encoded sequences on one core, beside tshark -T fields in
#                      the same run, three times in turn: ours as the median of five runs each
#
# CC as in the Makefile. Captures are copies of examples/data/normal.pcap, made in $TMPDIR or /tmp, 73
# bytes a frame, and deleted afterwards. 10^8 frames take 7.3 GB of disk and 15 GB of memory.
cd "$(dirname "$0")/../.." || exit 1
LC_ALL=C
export LC_ALL
CC=${CC:-cc}
out=build/bench
big=$(mktemp -d "${TMPDIR:-/tmp}/big.XXXXXX") || exit 1
trap 'rm -rf "$big"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p $out || exit 1
for program in make_big measure captures; do
    $CC -O2 tests/bench/$program.c -lm -o $out/$program || exit 1
done

# field NAME: its value in a line of name=value
field() { sed -n "s/.*$1=\([^ ]*\).*/\1/p"; }

# Fields that the README's tshark command writes.
fields="frame.number frame.time_epoch ip.src ipv6.src ip.dst ipv6.dst ip.proto ipv6.nxt
    _ws.col.Protocol frame.len tcp.srcport tcp.dstport tcp.flags udp.srcport udp.dstport icmp.type
    icmp.code icmp.ident icmpv6.type icmpv6.code icmpv6.echo.identifier"

if [ "$1" = captures ]; then
    $out/make_big examples/data/normal.pcap "$big/big.pcap" 1000000 || exit 1
    set --
    for name in $fields; do set -- "$@" -e "$name"; done
    echo '| pktseq, s | CPU s | tshark, s | CPU s | ratio | of CPU |'
    echo '|---|---|---|---|---|---|'
    for pair in 1 2 3; do
        # The median of five: a third of a second is short, and the first run after tshark touches
        # memory that the machine has to find and clear anew, which takes as long again.
        ours=$(for run in 1 2 3 4 5; do $out/measure $out/captures "$big/big.pcap" || exit 1; done |
            sort -t= -k2n | sed -n 3p)
        [ -n "$ours" ] || exit 1
        theirs=
        ! command -v tshark >/dev/null ||
            theirs=$($out/measure tshark -r "$big/big.pcap" -T fields -E header=y -E separator=, \
                -E quote=d "$@" 2>/dev/null)
        [ -n "$theirs" ] || echo "SKIPPED: tshark is not installed"
        echo "$ours $theirs" | sed 's/[a-z_]*=//g' |
            awk '{ printf "| %.2f | %.2f | %.1f | %.1f | %.0f | %.0f |\n", $1, $2, $4, $5, $4 / $1,
                          $5 / $2 }'
    done
    exit
fi

for program in train detect; do
    $CC -O2 -fopenmp examples/$program.c -lm -o $out/$program || exit 1
done
[ $# -gt 0 ] || set -- 100000 1000000 10000000
echo '| frames | train, 1 epoch, s | peak, MB | more a frame | detect, s | peak, MB | more a frame |'
echo '|---|---|---|---|---|---|---|'
was=
for frames in "$@"; do
    $out/make_big examples/data/normal.pcap "$big/big.pcap" "$frames" || exit 1
    train=$($out/measure $out/train --recommended --epochs 1 --quiet --out "$big/run" \
        "$big/big.pcap") || exit 1
    detect=$($out/measure $out/detect --model "$big/run/model.safetensors" "$big/big.pcap")
    [ -n "$detect" ] || exit 1
    now="$frames $(echo "$train" | field peak_mb) $(echo "$detect" | field peak_mb)"
    echo "$now ${was:-0 0 0} $(echo "$train" | field seconds) $(echo "$detect" | field seconds)" |
        awk '{ more = ($1 - $4) / 1048576
               printf "| %d | %.1f | %.0f | %s | %.1f | %.0f | %s |\n", $1, $7, $2,
                   $4 ? sprintf("%.0f", ($2 - $5) / more) : "-", $8, $3,
                   $4 ? sprintf("%.0f", ($3 - $6) / more) : "-" }'
    was=$now
    rm -rf "$big/big.pcap" "$big/run"
done
