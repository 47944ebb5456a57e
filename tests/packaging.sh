#!/bin/sh
# packaging.sh - is pktseq at home where C people live? Installs into a folder and uses what is there:
# pkg-config, CMake (find_package, FetchContent), the shared library's names, manual pages, completion,
# Python, meson, and recipes for vcpkg, Conan and clib. What is not here is skipped, loudly. Ends with
# "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
top=$(pwd)
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 1' HUP INT TERM
passed=0 failed=0
CC=${CC:-cc}
here=examples/packaging
prefix=$out/opt/pktseq
log=$out/log

# Runs a command; what it says is shown if it fails.
check() {
    name=$1
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "ok       $name"
    else
        failed=$((failed + 1))
        echo "FAILED   $name: $*"
        tail -n 15 "$log" | sed 's/^/    /'
    fi
}

skip() { echo "SKIPPED  $*"; }
have() { command -v "$1" >/dev/null; }

# A program that learns nothing, but shows that all is found: prints the version.
cat >"$out/program.c" <<'END'
#ifndef PKTSEQ_SHARED
#define PKTSEQ_IMPLEMENTATION
#endif
#include <pktseq.h>
#include <stdio.h>
#include <string.h>
int main(void) {
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_model model;
    config.in = config.out = 2;
    if (PKTSEQ_CHECK_HEADER() || pktseq_model_init(&model, &config, 1, NULL, NULL)) return 1;
    pktseq_model_free(&model);
    puts(pktseq_build_info());
    return strcmp(pktseq_version(), PKTSEQ_VERSION) != 0;
}
END

# ---- make install -------------------------------------------------------------------------------

check "make install" make install PREFIX="$prefix" CFLAGS=-O1 CC="$CC"
version=$(sed -n 's/^#define PKTSEQ_VERSION "\(.*\)"/\1/p' pktseq.h)
for file in bin/train bin/detect bin/sequences include/pktseq.h lib/libpktseq.so \
            share/man/man1/train.1 share/man/man3/pktseq.3 lib/pkgconfig/pktseq.pc; do
    check "$file is there" test -s "$prefix/$file"
done
check "the programs run" sh -c "'$prefix/bin/detect' --version && '$prefix/bin/sequences' --help"
check "DESTDIR and PROGRAM_PREFIX" make install DESTDIR="$out/stage" PREFIX=/usr PROGRAM_PREFIX=pktseq- \
    LIBDIR=/usr/lib/machine CFLAGS=-O1 CC="$CC"
check "  .. are where they say" sh -c "cd '$out/stage/usr' && test -x bin/pktseq-train &&
    test -s share/man/man1/pktseq-train.1 && test -s lib/machine/libpktseq.so && test ! -e bin/train &&
    grep -q '^libdir=/usr/lib/machine$' lib/machine/pkgconfig/pktseq-shared.pc"
check "make uninstall" make uninstall DESTDIR="$out/stage" PREFIX=/usr PROGRAM_PREFIX=pktseq- \
    LIBDIR=/usr/lib/machine
check "  .. leaves nothing" sh -c "test -z \"\$(find '$out/stage' ! -type d)\""

# ---- the library --------------------------------------------------------------------------------

if have nm; then
    nm -D --defined-only "$prefix/lib/libpktseq.so" | awk '{ print $3 }' | sort >"$out/exported"
    sed -n 's/^PKTSEQ_DEF .*[ *]\(pktseq_[a-z0-9_]*\)(.*/\1/p' pktseq.h | sort -u >"$out/declared"
    check "the library exports what is declared, and nothing else" diff "$out/declared" "$out/exported"
else skip "nm: not here"; fi

# ---- manual pages and completion ----------------------------------------------------------------

for name in train detect sequences; do
    "./$name" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | sort >"$out/options"
    sed -n 's/\\-/-/g; s/^\.B \(--[a-z-]*\).*/\1/p' "$prefix/share/man/man1/$name.1" | sort >"$out/listed"
    check "$name(1) has every option" diff "$out/options" "$out/listed"
done
if have mandoc; then
    check "mandoc finds no error" mandoc -T lint -W error "$prefix/share/man/man1/train.1" \
        "$prefix/share/man/man1/detect.1" "$prefix/share/man/man1/sequences.1" \
        "$prefix/share/man/man3/pktseq.3"
elif have groff; then
    check "groff has no warning" sh -c "! groff -man -ww -z '$prefix'/share/man/man?/* 2>&1 | grep ."
else skip "neither mandoc nor groff: manual pages were not checked"; fi
if have bash; then
    check "completion" bash -c ". '$prefix/share/bash-completion/completions/train'
        COMP_WORDS=(train --lo) COMP_CWORD=1; _pktseq_train; [ \"\${COMPREPLY[*]}\" = --loss ] || exit 1
        COMP_WORDS=(train --loss n) COMP_CWORD=2; _pktseq_train; [ \"\${COMPREPLY[*]}\" = nll ]"
fi

# ---- pkg-config ---------------------------------------------------------------------------------

if have pkg-config; then
    PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    export PKG_CONFIG_PATH
    check "pkg-config: valid, and of version $version" sh -c \
        "pkg-config --validate pktseq pktseq-shared && test \$(pkg-config --modversion pktseq) = $version"
    check "pkg-config pktseq" sh -c "$CC -O0 '$out/program.c' -o '$out/one' \
        \$(pkg-config --cflags --libs pktseq) && '$out/one'"
    check "pkg-config pktseq-shared" sh -c "$CC '$out/program.c' -o '$out/two' \
        \$(pkg-config --cflags --libs pktseq-shared) && LD_LIBRARY_PATH='$prefix/lib' '$out/two'"
else skip "pkg-config: not here"; fi

# ---- CMake --------------------------------------------------------------------------------------

project() { # folder, how the package is had
    mkdir -p "$1"
    cat >"$1/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.18)
project(user C)
$2
add_executable(one ../program.c)
target_link_libraries(one PRIVATE pktseq::pktseq)
add_executable(two ../program.c)
target_link_libraries(two PRIVATE pktseq::shared)
enable_testing()
add_test(NAME one COMMAND one)
add_test(NAME two COMMAND two)
END
}

build() { # folder, options
    folder=$1
    shift
    cmake -S "$folder" -B "$folder/build" -DCMAKE_C_FLAGS=-O0 "$@" && cmake --build "$folder/build" &&
        (cd "$folder/build" && ctest --output-on-failure)
}

if have cmake; then
    project "$out/found" "find_package(pktseq ${version%.*} REQUIRED)"
    check "CMake: find_package after make install" build "$out/found" -DCMAKE_PREFIX_PATH="$prefix"
    project "$out/newer" "find_package(pktseq 99 QUIET)
if(pktseq_FOUND)
    message(FATAL_ERROR \"version 99 was found\")
endif()
find_package(pktseq REQUIRED)"
    check "CMake: another version is not taken" cmake -S "$out/newer" -B "$out/newer/build" \
        -DCMAKE_PREFIX_PATH="$prefix"
    project "$out/fetched" "include(FetchContent)
FetchContent_Declare(pktseq SOURCE_DIR \"$top\" SOURCE_SUBDIR $here)
FetchContent_MakeAvailable(pktseq)"
    check "CMake: FetchContent" build "$out/fetched"
    check "CMake: cmake --install" sh -c "cmake -S $here -B '$out/own' -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_C_FLAGS=-O0 -DCMAKE_INSTALL_PREFIX='$out/cmake' && cmake --build '$out/own' &&
        cmake --install '$out/own'"
    project "$out/again" "find_package(pktseq ${version%.*} REQUIRED)"
    check "CMake: find_package after it" build "$out/again" -DCMAKE_PREFIX_PATH="$out/cmake"
else skip "cmake: not here"; fi

# ---- Python -------------------------------------------------------------------------------------

python=
for one in python3 /usr/bin/python3; do
    [ -n "$python" ] || ! "$one" -c 'import numpy' 2>/dev/null || python=$one
done
if [ -n "$python" ]; then
    cat >"$out/try.py" <<'END'
import os, sys
sys.path.insert(0, "examples")
import numpy as np
import pktseq
rng = np.random.default_rng(1)
x = np.sin(np.arange(4000, dtype=np.float32)[:, None] * 0.7 + np.array([0, 1], np.float32))
x = np.ascontiguousarray(x, np.float32)
start = np.arange(0, 4001, 20)
data = pktseq.Data(x, start)
assert data.dataset.x == x.ctypes.data, "the array was copied"
seen = []
model = pktseq.learn(data, hidden=16, iterations=300, progress=lambda i, loss: seen.append(loss))
assert len(seen) == 300 and seen[-1] < seen[0] / 2, (seen[0], seen[-1])
assert model.weights.ctypes.data == model.model.block, "the weights were copied"
model.fit(data)
usual = model.score(data)
assert len(usual) == 200 and (usual > model.threshold).sum() <= 4
noise = pktseq.Data(rng.normal(size=(400, 2)).astype(np.float32), np.arange(0, 401, 20))
odd = model.score(noise)
assert (odd > model.threshold).all(), odd
watch = model.watch()                       # the same score, one packet at a time
for row in noise.x[:20]:
    last = watch.push(row)
assert last == odd[0], (last, odd[0])
watch.reset()
for bad in (x.astype(float), x[:, ::-1], x.ravel()):
    try:
        pktseq.Data(bad, start)
        raise SystemExit("an array that would be copied was taken")
    except ValueError:
        pass
try:
    pktseq.read("/does/not/exist.csv")
    raise SystemExit("a file that is not there was read")
except ValueError as error:
    assert "/does/not/exist.csv" in str(error)
packets = pktseq.read("examples/data/mixed_seqs.csv")
assert len(packets) == 9287 and packets.x.shape[1] > 100
short = pktseq.learn(packets, hidden=8, iterations=5).fit(packets)
short.save(sys.argv[1])
again = pktseq.load(sys.argv[1])
assert again.threshold == short.threshold and (again.weights == short.weights).all()
assert (again.score(packets) == short.score(packets)).all()
print("pktseq.py: all as expected")
END
    check "pktseq.py: learn, fit, score, watch, save, load" env PKTSEQ_LIBRARY="$prefix/lib/libpktseq.so" \
        OMP_WAIT_POLICY=passive "$python" "$out/try.py" "$out/model.safetensors"
else skip "pktseq.py: no python3 here has numpy"; fi

# ---- recipes ------------------------------------------------------------------------------------

if have meson && have ninja; then
    mkdir -p "$out/meson/subprojects/packagefiles"
    cp -r $here/meson/packagefiles "$out/meson/subprojects/"
    sed "s|^url *=.*|url = file://$top|; s|^revision *=.*|revision = HEAD|" $here/meson/pktseq.wrap \
        >"$out/meson/subprojects/pktseq.wrap"
    cp "$out/program.c" "$out/meson/"
    cat >"$out/meson/meson.build" <<'END'
project('user', 'c', meson_version: '>=0.55')
one = executable('one', 'program.c', dependencies: dependency('pktseq', fallback: ['pktseq', 'pktseq_dep']))
test('one', one)
END
    check "meson: the wrap" sh -c "cd '$out/meson' && git config --global --get-all safe.directory; \
        meson setup build --buildtype=debug --wrap-mode=forcefallback && meson test -C build"
else skip "meson, ninja: not here"; fi

python=$(command -v python3)
if [ -n "$python" ]; then
    check "vcpkg.json, clib's package.json: the version of pktseq.h" "$python" - $here "$version" <<'END'
import json, re, sys
here, version = sys.argv[1:]
port = json.load(open(here + '/vcpkg/vcpkg.json'))
assert re.fullmatch(r'[a-z0-9]+(-[a-z0-9]+)*', port['name']) and port['version'] == version
assert port['license'] and port['description'] and {d['name'] for d in port['dependencies']} == {
    'vcpkg-cmake', 'vcpkg-cmake-config'} and all(d['host'] for d in port['dependencies'])
clib = json.load(open(here + '/clib/package.json'))
assert clib['version'] == version and clib['src'] == ['pktseq.h'] and clib['name'] == 'pktseq'
END
fi
if have cmake; then
    cat >"$out/vcpkg.cmake" <<END
# What a portfile calls, as far as it can be had without vcpkg: it configures, builds and installs.
set(CURRENT_PORT_DIR "$top/$here/vcpkg")
set(CURRENT_PACKAGES_DIR "$out/vcpkg")
set(PORT pktseq)
set(VERSION "$version")
function(vcpkg_cmake_configure)
    cmake_parse_arguments(a "" "SOURCE_PATH" "OPTIONS" \${ARGN})
    set(source "\${a_SOURCE_PATH}" PARENT_SCOPE)
    execute_process(COMMAND cmake -S \${a_SOURCE_PATH} -B $out/port -DCMAKE_C_FLAGS=-O0 \${a_OPTIONS}
        -DCMAKE_INSTALL_PREFIX=$out/vcpkg COMMAND_ERROR_IS_FATAL ANY)
endfunction()
function(vcpkg_cmake_install)
    execute_process(COMMAND cmake --build $out/port COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND cmake --install $out/port COMMAND_ERROR_IS_FATAL ANY)
endfunction()
function(vcpkg_cmake_config_fixup)
    cmake_parse_arguments(a "" "CONFIG_PATH" "" \${ARGN})
    file(MAKE_DIRECTORY $out/vcpkg/share)
    file(RENAME $out/vcpkg/\${a_CONFIG_PATH} $out/vcpkg/share/pktseq)
endfunction()
function(vcpkg_install_copyright)
    cmake_parse_arguments(a "" "" "FILE_LIST" \${ARGN})
    file(COPY_FILE \${a_FILE_LIST} $out/vcpkg/share/pktseq/copyright)
endfunction()
function(vcpkg_copy_pdbs)
endfunction()
include(\${CURRENT_PORT_DIR}/portfile.cmake)
END
    check "vcpkg: the portfile, with what it calls stood in for" cmake -P "$out/vcpkg.cmake"
    project "$out/ported" "find_package(pktseq CONFIG REQUIRED)"
    check "  .. and find_package in what it leaves" build "$out/ported" \
        -DCMAKE_PREFIX_PATH="$out/vcpkg"
fi
if have conan; then
    check "conan: create" conan create $here/conan --build=missing
elif [ -n "$python" ]; then
    check "conanfile.py compiles" "$python" -m py_compile $here/conan/conanfile.py
    skip "conan: not here; its recipe was not run"
fi

# ---- Microsoft's compiler, as far as clang can play it ------------------------------------------

if have clang; then
    check "clang -fms-compatibility" clang -fms-extensions -fms-compatibility -fms-compatibility-version=19.30 \
        -fsyntax-only -Wall -Wno-unknown-pragmas -DPKTSEQ_IMPLEMENTATION -x c pktseq.h
    check "OpenMP's loops count with signed numbers" sh -c \
        "! grep -A1 -nE '# *pragma omp (parallel )?for' pktseq.h | grep -E 'for \((size_t|unsigned|uint)'"
else skip "clang: not here"; fi
if have x86_64-w64-mingw32-gcc; then
    check "MinGW" x86_64-w64-mingw32-gcc -std=c99 -O0 -Wall -Werror -Wno-unknown-pragmas -I. "$out/program.c" \
        -o "$out/one.exe"
    check "MinGW: a DLL" x86_64-w64-mingw32-gcc -O0 -shared -DPKTSEQ_SHARED -DPKTSEQ_IMPLEMENTATION \
        -o "$out/pktseq.dll" -Wl,--out-implib,"$out/libpktseq.dll.a" -x c pktseq.h
    check "MinGW: a program that uses it" x86_64-w64-mingw32-gcc -DPKTSEQ_SHARED -I. "$out/program.c" \
        -o "$out/two.exe" "$out/libpktseq.dll.a"
    if have wine || have wine64; then
        wine=$(command -v wine || command -v wine64)
        check "wine: both run" sh -c "cd '$out' && WINEPREFIX='$out/wine' WINEDEBUG=-all $wine ./one.exe &&
            WINEPREFIX='$out/wine' WINEDEBUG=-all $wine ./two.exe"
    else skip "wine: not here; the programs for Windows were not run"; fi
else skip "x86_64-w64-mingw32-gcc: not here"; fi
skip "Microsoft's own compiler, macOS: nobody has one here"

check "make uninstall, again" make uninstall PREFIX="$prefix"
check "  .. leaves nothing" sh -c "test -z \"\$(find '$prefix' ! -type d)\""
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
