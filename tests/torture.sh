#!/bin/sh
# torture.sh - saving that is killed, refused, cut short: whatever happens, the path holds the old
# checkpoint or the new one, whole. One line for each kind of failure, then "N passed, N failed".
#
#   torture.sh          10,000 kills (some minutes), and everything else
#   torture.sh short    300 kills, and larger steps (less than half a minute)
#   torture.sh N [SEED] N kills, at moments drawn from SEED
#
# Needs strace for failures of single system calls, and the right to mount for a disk that is full:
# what cannot be done is said.
set -u
cd "$(dirname "$0")/.." || exit 1
kills=10000 short= part=8 step=8
case "${1:-}" in
short) kills=300 short=1 part=2 step=36 ;;
?*) kills=$1 ;;
esac
seed=${2:-1}
dir=build/torture.$$  # another run must not come in the way
file=$dir/model.safetensors
program=$dir/torture
passed=0 failed=0
mkdir -p "$dir" || exit 1
trap 'umount "$dir/small" 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
${CC:-cc} -O1 -o "$program" tests/torture.c -lm || exit 1

# verdict CODE TEXT: a line, and one passed or failed.
verdict() {
    if [ "$1" -eq 0 ]; then passed=$((passed + 1)); echo "ok       $2"
    else failed=$((failed + 1)); echo "FAILED   $2"; fi
}

skip() { echo "SKIPPED: $*"; }

# ---- groups of saves that fail: begin, judge after each, end ------------------------------------

# Is a temporary file of path $1 there?
is_left() {
    for stray in "$1".*.tmp; do [ -e "$stray" ] && return 0; done
    return 1
}

begin() { tried=0 refused=0 made=0 bad=0; }

complain() {
    bad=$((bad + 1))
    [ $bad -gt 5 ] || echo "  $*"
}

# Puts A in place, and nothing beside it.
start() {
    rm -f "$1" "$1".*.tmp
    "$program" save "$1" A || complain "A cannot be saved to $1"
}

# judge PATH CODE MESSAGE WHAT: B was saved over A with this code. Code 0: it is B; else it is A,
# and one sentence said why. No .tmp is left.
judge() {
    tried=$((tried + 1))
    is=$("$program" check "$1" 2>&1)
    if [ "$2" -eq 0 ]; then
        made=$((made + 1)) want=B
        [ -z "$3" ] || complain "$4: saved, but said: $3"
    else
        refused=$((refused + 1)) want=A
        [ "$(printf '%s\n' "$3" | grep -c .)" -eq 1 ] || complain "$4: said: $3"
        case "$3" in "torture: "*) ;; *) complain "$4: said: $3" ;; esac
    fi
    [ "$is" = $want ] || complain "$4: code $2, the file is $is"
    is_left "$1" && complain "$4: a .tmp is left"
}

# judge_killed PATH CODE WHAT: the process that saved B over A is dead. The file is A or B, and what
# it left is in nobody's way.
judge_killed() {
    tried=$((tried + 1))
    is=$("$program" check "$1" 2>&1)
    case "$is" in A) refused=$((refused + 1)) ;; B) made=$((made + 1)) ;;
    *) complain "$3: killed, the file is $is" ;; esac
    [ "$2" -gt 128 ] || complain "$3: code $2, not killed"
    rm -f "$1".*.tmp
    "$program" save "$1" B || complain "$3: B cannot be saved afterwards"
    [ "$("$program" check "$1" 2>&1)" = B ] || complain "$3: B is not there afterwards"
    is_left "$1" && complain "$3: a .tmp is left after the next save"
}

# end TEXT LEAST: so many must have been refused, or killed before the end.
end() {
    [ "$refused" -ge "$2" ] || complain "only $refused were refused"
    verdict "$bad" "$1: $tried saves, $refused kept the old file, $made made the new one"
}

# ---- kills at random moments --------------------------------------------------------------------

text=$("$program" kill "$file" "$kills" "$seed" 2>&1)
verdict $? "$text"
text=$("$program" read "$file" "$([ $short ] && echo 300 || echo 3000)" 2>&1)
verdict $? "$text"

# ---- system calls that fail, or at which the process is killed ----------------------------------

# The system calls of a save: name, how many come before it, how many there are after it.
calls_of_a_save() {
    for mode in nothing save; do
        strace -o "$dir/trace" "$program" "$mode" "$file" B || return
        sed -n 's/^\([a-z0-9_]*\)(.*/'$mode' \1/p' "$dir/trace"
    done | awk '{ count[$1, $2]++; name[$2] = 1 }
                END { for (n in name) if (count["save", n] > count["nothing", n])
                          print n, count["nothing", n] + 0, count["save", n] }' | sort
}

start "$file"
if ! command -v strace >/dev/null; then
    skip "system calls that fail: strace is not installed"
elif ! strace -o /dev/null -e trace=write -e inject=write:error=ENOSPC:when=999 true \
    2>"$dir/log"; then
    skip "system calls that fail: strace cannot trace here: $(head -n 1 "$dir/log")"
else
    calls_of_a_save >"$dir/calls"
    begin  # a list without these would be a mistake of this script
    for name in write fsync close rename; do
        grep -q "^$name " "$dir/calls" || complain "no $name in a save"
    done
    verdict "$bad" "a save is $(awk '{ n += $3 - $2 } END { print n }' "$dir/calls") system calls: \
$(awk '{ printf("%s%s %d", (NR > 1 ? ", " : ""), $1, $3 - $2) }' "$dir/calls")"
    while read -r name before after <&3; do
        begin
        for error in $([ $short ] && echo ENOSPC || echo ENOSPC EIO EINTR ENOMEM); do
            k=$before
            while [ $((k = k + 1)) -le "$after" ]; do
                for when in "$k" "$k..$after"; do  # this one, or all that are left
                    start "$file"
                    said=$(strace -o /dev/null -e "trace=$name" \
                        -e "inject=$name:error=$error:when=$when" "$program" save "$file" B 2>&1)
                    code=$?
                    # Where every write fails, so does that of the sentence.
                    case $name$when in write*..*) said=${said:-torture: cannot say} ;; esac
                    judge "$file" $code "$said" "$name $when is $error"
                done
            done
        done
        case $name in write | rename) least=2 ;; *) least=0 ;; esac
        end "$name fails" $least
    done 3<"$dir/calls"
    begin
    while read -r name before after <&3; do
        k=$before
        while [ $((k = k + 1)) -le "$after" ]; do
            start "$file"
            {  # in braces, so that the shell does not say that it was killed
                strace -o /dev/null -e "trace=$name" -e "inject=$name:signal=SIGKILL:when=$k" \
                    "$program" save "$file" B
                code=$?
            } >/dev/null 2>&1
            judge_killed "$file" $code "$name $k"
        done
    done 3<"$dir/calls"
    [ "$made" -gt 0 ] || complain "none was killed after the new file was in place"
    end "killed at each system call" 5
fi

# ---- a file that may not grow -------------------------------------------------------------------

begin
code=1 blocks=0
while [ $code -ne 0 ] && [ $blocks -lt 500 ]; do
    start "$file"
    said=$(trap '' XFSZ; ulimit -f $blocks; "$program" save "$file" B 2>&1)
    code=$?
    judge "$file" $code "$said" "ulimit -f $blocks"
    blocks=$((blocks + ($blocks / part) + 1))
done
[ $code -eq 0 ] || complain "it never passed"
end "ulimit -f" 5
begin
code=137 blocks=0
while [ $code -gt 128 ] && [ $blocks -lt 500 ]; do
    start "$file"
    { (ulimit -c 0; ulimit -f $blocks; exec "$program" save "$file" B); code=$?; } 2>/dev/null
    [ $code -le 128 ] || judge_killed "$file" $code "ulimit -f $blocks"
    blocks=$((blocks + ($blocks / part) + 1))
done
[ $code -eq 0 ] || complain "it never passed: code $code"
end "ulimit -f, killed by SIGXFSZ" 3

# ---- a disk that is full, or may not be written -------------------------------------------------

small=$dir/small/model.safetensors
mkdir "$dir/small"
if ! mount -t tmpfs -o size=64k tmpfs "$dir/small" 2>"$dir/log"; then
    skip "a disk that is full: $(head -n 1 "$dir/log")"
else
    begin
    start "$small"
    said=$("$program" save "$small" B 2>&1)
    judge "$small" $? "$said" "a disk of 64 KB"
    end "a disk of 64 KB" 1
    begin
    kilobytes=200
    while [ $kilobytes -ge 4 ]; do
        mount -o remount,size=200k "$dir/small" && start "$small"
        dd if=/dev/zero of="$dir/small/rest" bs=1k count=$((200 - kilobytes)) 2>/dev/null
        said=$("$program" save "$small" B 2>&1)
        judge "$small" $? "$said" "a disk with $kilobytes KB"
        rm "$dir/small/rest"
        kilobytes=$((kilobytes - step))
    done
    [ "$made" -gt 0 ] || complain "it never passed"
    end "a disk that others have filled" 2
    begin
    start "$small"
    mount -o remount,ro "$dir/small"
    said=$("$program" save "$small" B 2>&1)
    judge "$small" $? "$said" "read only"
    mount -o remount,rw "$dir/small"
    end "a disk that is read only" 1
    umount "$dir/small"
    if mount -t tmpfs -o nr_inodes=2 tmpfs "$dir/small"; then
        begin
        mv "$file" "$small" && "$program" save "$file" A && cp "$file" "$small"
        said=$("$program" save "$small" B 2>&1)
        judge "$small" $? "$said" "no room for one more name"
        end "a disk without room for one more file" 1
    fi
    umount "$dir/small"
fi

# ---- what is no place for a file ----------------------------------------------------------------

begin
mkdir -p "$dir/folder"
for path in "$dir/folder" "$dir/none/x" "$file/x" /dev/full; do
    if [ $path = /dev/full ] && [ ! -c $path ]; then skip "/dev/full is not there"; continue; fi
    tried=$((tried + 1))
    said=$("$program" save "$path" B 2>&1)
    code=$?
    refused=$((refused + (code != 0)))
    [ $code -eq 1 ] || complain "$path: code $code"
    case "$said" in
    "torture: "*"$path"*) [ "$(printf '%s\n' "$said" | grep -c .)" -eq 1 ] || complain "$said" ;;
    *) complain "$path: said: $said" ;;
    esac
    is_left "$path" && complain "$path: a .tmp is left"
done
[ -d "$dir/folder" ] || complain "the folder is gone"
end "no place for a file" 3

echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
