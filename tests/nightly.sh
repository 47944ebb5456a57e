#!/usr/bin/env bash
# nightly.sh - all that takes long, one after the other, with one verdict: hours on two cores. Each
# stage says what it skips; as root on Debian missing tools are installed.
#
#     bash tests/nightly.sh [STAGE ..]     only these: slow bits torture fuzz sanitize cross coverage
#                                          mutate picked captures mpi detection promise
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/stages.sh
wanted=" $* "

nightly() {
    case $wanted in "  " | *" $1 "*) stage "$@" ;; esac
}

want strace strace
want valgrind valgrind
want clang clang
want clang-19 clang-19
nightly slow make slow
nightly bits sh tests/bits.sh
nightly torture sh tests/torture.sh
nightly fuzz bash tests/fuzz/fuzz.sh 300
nightly sanitize sh tests/sanitize.sh
nightly cross sh tests/cross.sh
nightly coverage sh tests/coverage.sh
nightly mutate python3 tests/mutate.py --count 50
nightly picked python3 tests/mutate.py --picked
nightly captures make captures
nightly mpi bash tests/mpi.sh
nightly detection make detection
nightly promise make promise
verdict
