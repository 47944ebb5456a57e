#!/bin/sh
# cross.sh - the tests on other machines, C libraries and compilers, most of them emulated.
#
#     sh tests/cross.sh [short | brief] [TARGET ...]   LIMIT=seconds for each test program
#
# Each target: the tests compile without a warning and pass; test_kernels prints the published
# hashes; and tests/cross.c exchanges checkpoints with the host: both make the same file, byte for
# byte, each reads the other's, and says the same of it. `short` takes the quick tests only, `brief`
# but one beside hashes and checkpoints. What is missing is installed where this runs as root on
# Debian, else skipped. Ends with a table and "N passed, N failed".
#
# An emulator on x86 keeps x86's order of memory: what a weaker machine would do to threads does not
# show here. So the tests run without OpenMP; cross.c runs with 1 and 3 threads where there is one.
set -u
cd "$(dirname "$0")/.." || exit 1
targets="aarch64 s390x s390x-c99 riscv64 armhf i686 x87 mingw musl tcc wasm"
targets="$targets gcc-fast clang-fast clang-19-fast"
quick="test_use test_codec test_number test_checkpoint test_step test_kernels"
# Some tests leave the last fields of an initializer out, which is zeros: no machine's fault.
warnings="-std=c99 -Wall -Wextra -Wno-missing-field-initializers"
out=build/cross
mode=full wanted=
for word in "$@"; do
    case " $targets " in
        *" $word "*) wanted="$wanted $word" ;;
        *) case $word in
               short | brief) mode=$word ;;
               *) echo "usage: cross.sh [short | brief] [TARGET ...]   targets: $targets"; exit 2 ;;
           esac ;;
    esac
done
if [ $mode = full ]; then limit=${LIMIT:-1800}; else limit=${LIMIT:-120}; fi
mkdir -p $out || exit 1
rm -f $out/table $out/skipped
: >$out/table
passed=0 failed=0
published=$(awk '/published\[3\] =/ { on = 1 }
                 on { while (match($0, /0x[0-9a-f]+/)) { print substr($0, RSTART + 2, RLENGTH - 2)
                                                        $0 = substr($0, RSTART + RLENGTH) } }
                 on && /;/ { exit }' tests/test_kernels.c | tr '\n' ' ' | sed 's/ $//')

# ---- results ------------------------------------------------------------------------------------

good() { passed=$((passed + 1)); echo "  ok       $*"; }
bad() { failed=$((failed + 1)); echo "  FAILED   $*"; }
known() { echo "  KNOWN    $*"; }
skip() { echo "SKIPPED: $*" | tee -a $out/skipped; }

# Installs packages, if that pushes nothing else out of the machine.
install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    echo "  apt-get install $*"
    DEBIAN_FRONTEND=noninteractive timeout 900 apt-get install -y -qq --no-install-recommends \
        --no-remove "$@" >$out/apt.log 2>&1 && return 0
    tail -1 $out/apt.log
    return 1
}

# Is the command $1 there, or does it come with the packages behind?
need() {
    command=$1
    shift
    command -v "$command" >/dev/null && return 0
    install "$@"
    command -v "$command" >/dev/null
}

# A cross compiler for machine $1, which Debian calls $2. Debian's shut out gcc-multilib, which
# the x86 targets want: where that is installed, the two packages in question are only unpacked.
cross_gcc() {
    cc="$1-gcc -static"
    command -v $1-gcc >/dev/null && return 0
    if ! dpkg -s gcc-multilib >/dev/null 2>&1; then
        install gcc-$1 libc6-dev-$2-cross && return 0
    fi
    version=$(gcc -dumpversion) root=$PWD/$out/root
    cc="$root/usr/bin/$1-gcc-$version -static"
    if [ ! -x "$root/usr/bin/$1-gcc-$version" ]; then
        install binutils-$1 libc6-dev-$2-cross libgcc-$version-dev-$2-cross || return 1
        echo "  unpacking gcc-$version-$1"
        mkdir -p "$root" "$out/deb"
        (cd $out/deb && apt-get download -qq gcc-$version-$1 cpp-$version-$1 2>/dev/null)
        for package in $out/deb/gcc-$version-$1_*.deb $out/deb/cpp-$version-$1_*.deb; do
            dpkg -x "$package" "$root" || return 1
        done
        ln -sfn /usr/$1 "$root/usr/$1"
        cp -rsn /usr/lib/gcc-cross/$1/$version/. "$root/usr/lib/gcc-cross/$1/$version/"
    fi
    echo 'int main(void) { return 0; }' >$out/probe.c
    $cc $out/probe.c -o $out/probe
}

# ---- one target ---------------------------------------------------------------------------------

# Sets cc (with its options), run (what runs a program), openmp, reason (why the weights may be
# others than published; empty: they may not), only (these tests and no others), excuse (tests that
# may fail there, and why) and posix.
describe() {
    cc= run= openmp= reason= only= posix=yes libs=-lm level=-O2 excuse= why=
    case $1 in
        aarch64) cross_gcc aarch64-linux-gnu arm64 && need qemu-aarch64 qemu-user || return 1
                 run=qemu-aarch64 ;;
        s390x | s390x-c99)
            cross_gcc s390x-linux-gnu s390x && need qemu-s390x qemu-user || return 1
            run=qemu-s390x
            # gcc's strict C keeps float sums in double here (FLT_EVAL_METHOD 1), gnu99 does not.
            if [ $1 = s390x ]; then cc="$cc -fexcess-precision=fast"
            else only="test_use test_number"
                 reason="with -std=c99 gcc keeps float sums in double on s390x"; fi ;;
        riscv64) cross_gcc riscv64-linux-gnu riscv64 && need qemu-riscv64 qemu-user || return 1
                 run=qemu-riscv64 ;;
        armhf) cross_gcc arm-linux-gnueabihf armhf && need qemu-arm qemu-user || return 1
               # With its fused multiply-add: by glibc's integers instead, the same takes an hour.
               cc="$cc -mfpu=neon-vfpv4" run=qemu-arm ;;
        i686 | x87)
            if ! echo '#include <stdio.h>' | gcc -m32 -x c -c -o $out/probe.o - 2>/dev/null; then
                # Not gcc-multilib, which shuts out Debian's cross compilers.
                install "gcc-$(gcc -dumpversion)-multilib" libc6-dev-i386
                echo '#include <stdio.h>' | gcc -m32 -x c -c -o $out/probe.o - || return 1
            fi
            # Without gcc-multilib some of the kernel's headers lie with those for 64 bits only.
            cc="gcc -m32 -static -msse2 -mfpmath=sse -idirafter /usr/include/$(uname -m)-linux-gnu"
            if [ "$1" = x87 ]; then
                cc="gcc -m32 -static -mfpmath=387 -idirafter /usr/include/$(uname -m)-linux-gnu"
                reason="x87 rounds sums to 64 bits of mantissa first"
            fi
            echo 'int main(void) { return 0; }' >$out/probe.c
            gcc -m32 -static $out/probe.c -o $out/probe || return 1
            if $out/probe 2>/dev/null; then run=
            else need qemu-i386 qemu-user || return 1; run=qemu-i386; fi ;;
        mingw) need x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64 && need wine wine64 wine || return 1
               cc="x86_64-w64-mingw32-gcc -static" run=wine posix=
               export WINEPREFIX="$PWD/$out/wine" WINEDEBUG=-all DISPLAY=
               wine cmd /c exit >/dev/null 2>&1 ;;  # makes its folder
        musl) need musl-gcc musl-tools || return 1
              cc="musl-gcc -static" ;;
        tcc) need tcc tcc || return 1
             cc="tcc -Wall" level= ;;
        wasm) need clang clang && need node nodejs && need wasm-ld lld || return 1
              major=$(clang -dumpversion | sed 's/\..*//')
              echo 'int main(void) { return 0; }' >$out/probe.c
              cc="clang --target=wasm32-wasi -D_WASI_EMULATED_PROCESS_CLOCKS"
              cc="$cc -Wl,-z,stack-size=4194304"
              libs="-lm -lwasi-emulated-process-clocks" posix=
              if ! $cc $out/probe.c -o $out/probe $libs 2>/dev/null; then
                  install wasi-libc "libclang-rt-$major-dev-wasm32"
                  $cc $out/probe.c -o $out/probe $libs || return 1
              fi
              cat >$out/run.mjs <<'END'
import { readFile } from 'node:fs/promises'
import { WASI } from 'node:wasi'
const args = process.argv.slice(2)
const wasi = new WASI({ version: 'preview1', args, preopens: { '.': '.' }, returnOnExit: true })
const module = await WebAssembly.compile(await readFile(args[0]))
process.exitCode = wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()))
END
              run="node --no-warnings $out/run.mjs" ;;
        gcc-fast) need gcc gcc || return 1
                  cc=gcc level=-Ofast ;;
        clang-fast) need clang clang || return 1
                    cc="clang -ffast-math" ;;
        clang-19-fast) command -v clang-19 >/dev/null || return 1
                       # the tests mean their NaN and infinities
                       cc="clang-19 -ffast-math -Wno-nan-infinity-disabled" ;;
    esac
    case $1 in
        *-fast) only="test_use test_number test_checkpoint test_table test_step"
                [ $1 = clang-19-fast ] && excuse=test_number &&
                    why="the test itself hears of infinity from strtod" ;;
        wasm) excuse=test_number why="wasi-libc's strtod, its measure, rounds wrongly" ;;
        x87) excuse="test_step test_kernels"
             why="a number in a register differs in its last bits from the same one stored" ;;
        mingw) excuse=test_number why="MinGW's strtod says infinity to 7, 40000 zeros, e-40000" ;;
    esac
    case $1 in
        *-fast) ;;
        tcc | wasm | mingw | musl) ;;
        *) openmp=-fopenmp ;;
    esac
}

# Compiles $1 to $2 with the options behind; anything that the compiler says is a failure. (The
# linker's word on dlopen is about libgomp's plugins, in a static program.)
compile() {
    source=$1 built=$2
    shift 2
    rm -f "$built"
    $cc $warnings $level "$@" "$source" -o "$built" $libs >$out/log 2>&1
    code=$?
    grep -vE "'dlopen' in statically|libgomp\.a\(" $out/log >$out/log2
    mv $out/log2 $out/log
    if [ -s $out/log ] || [ $code -ne 0 ]; then
        sed -n '1,6s/^/    /p' $out/log
        return 1
    fi
}

run_test() {
    name=$1 began=$(date +%s)
    $timeout "$limit" $run "$dir/$name.exe" >"$dir/$name.out" 2>"$dir/$name.err"
    code=$? took=$(($(date +%s) - began))
    line=$(tr -d '\r' <"$dir/$name.out" | sed -n "s/^.*: \([0-9]* passed, [0-9]* failed\)$/\1/p")
    if [ $code -eq 124 ]; then
        skip "$target, $name: not done after $limit s"
        late=$((late + 1))
    elif [ $code -eq 0 ] && [ -n "$line" ]; then
        good "$name: $line, $took s"
        tests=$((tests + 1))
    elif [ -n "$line" ] && expr " $excuse " : ".* $name " >/dev/null; then
        known "$name: $line: $why"
        excused="$excused ${name#test_}"
    else
        bad "$name: ${line:-no sum}, code $code"
        sed -n '1,4s/^/    /p' "$dir/$name.err"
        broken="$broken ${name#test_}"
    fi
}

# Weights: same as the host's? Where a reason says why not, that is no failure.
compare() {
    what=$1
    if [ -n "$2" ] && [ "$2" = "$3" ]; then good "$what"; same=yes
    elif [ -n "$2" ] && [ -n "$reason" ]; then known "$what: $2: $reason"; same=other
    else bad "$what: '$2'"; same=NO; fi
}

cross() { $timeout 900 $run "$dir/$program.exe" "$@" 2>"$dir/cross.err" | tr -d '\r'; }

# Checkpoints in both directions. With double, libm's exp makes the weights: each says of a file
# what the other says only where they are the same, so only the files' bytes are compared.
exchange() {
    program=$1 host=$out/host/$1.exe
    shift
    compile tests/cross.c "$dir/$program.exe" "$@" || bad "$program: compile"
    if [ ! -f "$dir/$program.exe" ]; then sent=NO; return; fi
    ours=$out/host/$program.safetensors theirs=$dir/$program.safetensors
    rm -f "$theirs"
    want=$(cat $out/host/$program.line)
    said=$(cross save "$theirs")
    read_ours=$(cross check "$ours")
    [ ! -s "$dir/cross.err" ] || sed -n '1,3s/^/    /p' "$dir/cross.err"
    back=$($host check "$theirs" 2>"$dir/cross.err")
    [ ! -s "$dir/cross.err" ] || sed -n '1,3s/^/    /p' "$dir/cross.err"
    sent=yes
    if [ "$(cross refuse)" = refused ] && [ ! -s "$dir/cross.err" ]; then
        good "$program: refuses NaN and infinity"
    else
        bad "$program: takes NaN or infinity"; sed -n '1,3s/^/    /p' "$dir/cross.err"
    fi
    # A line means: it was loaded, saved again to the same bytes, and training went on.
    if [ -n "$read_ours" ]; then good "$program: loads the host's checkpoint"
    else bad "$program: the host's checkpoint"; sent=NO; fi
    if [ -n "$back" ]; then good "$program: the host loads its checkpoint"
    else bad "$program: the host does not load its checkpoint"; sent=NO; fi
    [ $program = cross ] || return
    compare "$program: says the same of the host's" "$read_ours" "$want"
    compare "$program: the host says the same of its own" "$back" "$said"
    if cmp -s "$ours" "$theirs"; then good "$program: both make the same file"
    elif [ -n "$reason" ]; then known "$program: its own file is another one: $reason"
    else bad "$program: its own file is another one"; sent=NO; fi
    case " $* " in *" -fopenmp "*)
        compare "$program: 3 threads" "$(cross hash 3)" "$said" ;;
    esac
}

# Lesson 10 has this header's bits after each of 20,000 steps, wherever fmaf rounds once. (The header
# sees to that itself.)
lesson() {
    compile examples/learn/10_same_bits.c "$dir/lesson.exe" -Wno-unknown-pragmas ||
        bad "lesson 10: compile"
    $timeout 600 $run "$dir/lesson.exe" >"$dir/lesson.out" 2>/dev/null
    if [ $? -eq 124 ]; then skip "$target, lesson 10: not done after 600 s"; return; fi
    others=$reason
    [ $target != mingw ] || reason="MinGW's fmaf rounds twice, but not with -mfma"
    compare "lesson 10" "$(tr -d '\r' <"$dir/lesson.out" |
        sed -n 's/.*weights \([0-9a-f]*\).*/\1/p' | tr '\n' ' ')" "3a44888777b24d17 fd0c0c6f0f40df5d "
    reason=$others
}

one() {
    target=$1 dir=$out/$1 tests=0 late=0 broken= excused= compiled=0 sources=0 unfit=
    mkdir -p "$dir"
    echo "$target"
    if ! describe "$target"; then
        skip "$target: tools are missing and could not be installed"
        echo "$target|skipped|||" >>$out/table
        return
    fi
    echo "  $cc $level${run:+, run by $run}"
    list=$(ls tests/test_*.c | sed 's,tests/,,; s,\.c$,,')
    [ $mode = full ] || list=$quick
    [ -z "$only" ] || list=$only
    [ $mode != brief ] || list=test_use
    for name in $list; do
        if [ -z "$posix" ] && grep -q '<sys/resource.h>' tests/$name.c; then
            skip "$target, $name: needs POSIX's limits of resources"
            unfit="$unfit ${name#test_}"
            continue
        fi
        sources=$((sources + 1))
        if compile tests/$name.c "$dir/$name.exe"; then
            compiled=$((compiled + 1))
            good "$name: compiles without a warning"
        else
            bad "$name: compile"
        fi
        [ ! -f "$dir/$name.exe" ] || run_test $name
    done
    [ -f "$dir/test_kernels.exe" ] || compile tests/test_kernels.c "$dir/test_kernels.exe"
    $timeout 600 $run "$dir/test_kernels.exe" hash >"$dir/hash.out" 2>/dev/null
    if [ $? -eq 124 ]; then skip "$target, published hashes: not done after 600 s"; same=late
    else compare "published hashes" "$(tr -d '\r' <"$dir/hash.out")" "$published"; fi
    hash=$same
    case $target in *-fast) ;; *) lesson ;; esac
    exchange cross $openmp
    exchanged=$sent
    [ $mode = brief ] || exchange cross_double -DPKTSEQ_REAL=double
    [ $sent = yes ] || exchanged=NO
    result="$tests passed"
    [ -z "$broken" ] || result="$result, FAILED:$broken"
    [ -z "$excused" ] || result="$result, excused:$excused"
    [ $late -eq 0 ] || result="$result, $late out of time"
    [ -z "$unfit" ] || result="$result, not for it:$unfit"
    echo "$target|$compiled of $sources|$result|$hash|$exchanged" >>$out/table
    rm -f "$dir"/*.exe
}

# ---- the host, then all of them -----------------------------------------------------------------

timeout=timeout
mkdir -p $out/host
echo "host"
for program in cross cross_double; do
    cc="${CC:-cc}" level=-O2 libs=-lm option=
    [ $program = cross ] || option=-DPKTSEQ_REAL=double
    if ! compile tests/cross.c $out/host/$program.exe $option; then
        echo "the host's own program does not compile"; echo "0 passed, 1 failed"; exit 1
    fi
    $out/host/$program.exe save $out/host/$program.safetensors >$out/host/$program.line
    line=$($out/host/$program.exe check $out/host/$program.safetensors)
    if [ -n "$line" ] && [ "$line" = "$(cat $out/host/$program.line)" ]; then
        good "$program: loads its own checkpoint, and goes on as if it had not stopped"
    else
        bad "$program: loads its own checkpoint"
    fi
done
for target in ${wanted:-$targets}; do one "$target"; done
echo
{ echo "target|compiled|tests|hash same|checkpoints"; cat $out/table; } |
    awk -F'|' '{ printf "%-11s %-9s %-10s %-11s %s\n", $1, $2, $4, $5, $3 }'
[ ! -f $out/skipped ] || cat $out/skipped
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
