#!/usr/bin/env bash
# tests/mpi.sh: training on 1, 2, 4 and 8 ranks of MPI leaves the same checkpoint, bit for bit; so does
# a run that is killed and resumed on another number of ranks. Needs mpicc and mpirun (Debian:
# libopenmpi-dev openmpi-bin); says SKIPPED where they are not. Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
if ! command -v mpicc >/dev/null || ! command -v mpirun >/dev/null; then
    echo "SKIPPED: no mpicc and mpirun here (Debian: libopenmpi-dev openmpi-bin); nothing was tested"
    echo "0 passed, 0 failed"
    exit 0
fi
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# More ranks than cores: they give the core away while they wait.
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
passed=0
failed=0

check() {
    local what=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $what"; fi
}

# train RANKS FOLDER ITERATIONS [option ..]
train() {
    local ranks=$1 folder=$2 iterations=$3
    shift 3
    mkdir -p "$out/$folder"
    mpirun -n "$ranks" "$out/train_mpi" --hidden 24 --batch 16 --snapshot-every 20 \
        --iterations "$iterations" --out "$out/$folder" "$@" "$out"/part*.csv >"$out/log" 2>&1
}

same() { cmp "$out/$1/model.safetensors" "$out/$2/model.safetensors"; }

# The kernels of the header hold the bits; -ffp-contract=off holds those of this program's own sums.
check "it compiles" mpicc -O2 -ffp-contract=off -Wall -Wextra -Werror -Wno-unknown-pragmas \
    examples/train_mpi.c -lm -o "$out/train_mpi"
# Three files, so that workers share files and there is more than one.
awk -v out="$out" 'NR == 1 { for (k = 0; k < 3; ++k) print > (out "/part" k ".csv"); next }
    $1 ~ /^"?0"?,/ { if (++n % 500 == 1) ++part }
    NR <= 12000 { print > (out "/part" (part % 3) ".csv") }' examples/data/normal_seqs.csv

for ranks in 1 2 4 8; do check "$ranks ranks train" train $ranks r$ranks 60; done
for ranks in 2 4 8; do check "$ranks ranks and one: the same checkpoint" same r1 r$ranks; done
check "another seed is another checkpoint" train 2 seed 60 --seed 2
! same r1 seed >/dev/null 2>&1
check "and is found to be" [ $? -eq 0 ]

# Killed after a snapshot: at least one is there, and another number of ranks goes on from it.
mkdir -p "$out/killed"
# In a session of its own, by which mpirun and the ranks are found, whatever process groups they make.
setsid mpirun -n 4 "$out/train_mpi" --hidden 24 --batch 16 --snapshot-every 20 \
    --iterations 1000000 --out "$out/killed" "$out"/part*.csv >"$out/log" 2>&1 &
started=$!
for _ in $(seq 300); do [ -e "$out/killed/model.safetensors" ] && break; sleep 0.1; done
run=$(ps -o pid= -s $started)
check "mpirun and its ranks are found" [ "$(echo "$run" | wc -w)" -ge 5 ]
# shellcheck disable=SC2086
kill -KILL $run
wait 2>/dev/null
check "a killed run leaves a snapshot" [ -s "$out/killed/model.safetensors" ]
check "an uninterrupted run of 2000" train 2 whole 2000
check "resumed on 2 ranks" train 2 killed 2000 --resume "$out/killed/model.safetensors"
check "resumed or not: the same checkpoint" same whole killed

refused() { ! train "$@" && grep -q "expected\|power of two\|cannot" "$out/log"; }
check "three ranks are refused" refused 3 bad 10
check "a batch that does not divide is refused" refused 2 bad 10 --batch 12
check "a file that is not there is refused" refused 2 bad 10 "$out/nothing.csv"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
