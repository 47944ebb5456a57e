# stages.sh - what .ci/run and nightly.sh share: stages that are run one after the other, their sum
# and their time. To be sourced by bash at the top of the project; ends with `verdict`.
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
passed=0
failed=0
failures=

# Installs a package if a command is missing, as root on Debian; what is optional may stay missing.
want() {
    local command=$1 package=$2
    command -v "$command" >/dev/null && return
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "MISSING: $command, and no way to install $package here"
        return
    fi
    [ -e "$out/updated" ] || apt-get update -qq && touch "$out/updated"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" \
        >"$out/apt" 2>&1 || { echo "MISSING: $package cannot be installed:"; tail -n 3 "$out/apt"; }
}

# Seconds of the processor that this shell's children have taken so far, in CPU.
processor() {
    times >"$out/times"
    CPU=$(awk 'NR == 2 { gsub(/[ms]/, " "); print int($1 * 60 + $2 + $3 * 60 + $4) }' "$out/times")
}

# Runs a command and adds its last line's sum; without such a line, its exit code is one check.
stage() {
    local name=$1 begin=$SECONDS before code sum
    shift
    processor
    before=$CPU
    echo "==== $name: $*"
    "$@" 2>&1 | tee "$out/log"
    code=${PIPESTATUS[0]}
    sum=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$out/log" | tail -n 1)
    [ -n "$sum" ] || sum=$([ "$code" -eq 0 ] && echo 1 0 || echo 0 1)
    [ "$code" -eq 0 ] || [ "${sum#* }" -gt 0 ] || sum="${sum% *} 1"
    passed=$((passed + ${sum% *}))
    failed=$((failed + ${sum#* }))
    [ "${sum#* }" -eq 0 ] || failures="$failures $name"
    processor
    echo "==== $name: code $code, $((SECONDS - begin)) s, $((CPU - before)) s of the processor"
}

# The sum of all stages, as the last line; the exit code is 0 only if nothing failed.
verdict() {
    processor
    echo "==== $SECONDS s, $CPU s of the processor${failures:+; FAILED:$failures}"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
