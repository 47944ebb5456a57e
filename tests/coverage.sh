#!/bin/sh
# coverage.sh - which lines and branches of pktseq.h no test reaches. Builds every tests/test_*.c
# with clang's source-based coverage - float, double and OpenMP -, runs them, prints totals and what
# is missing, without what tests/coverage.exempt excuses. Ends with "N passed, N failed": one check
# is one line or one outcome of a branch.
#
#     sh tests/coverage.sh            all of it; leaves build/coverage/
#     sh tests/coverage.sh report     the report of the last run again
#     sh tests/coverage.sh mcdc       the same, with the decisions whose MC/DC is incomplete
#     sh tests/coverage.sh SECTION..  the same report for these sections of pktseq.h (csv table ..)
#
# COVERAGE_FLAGS: more for the compiler, such as where clang 19's OpenMP is (-I -L -Wl,-rpath);
# COVERAGE_SECONDS: how long a program may take (300).
#
# How it counts. The merged profiles of all programs are one: a line, or an outcome, counts as
# covered if any program, number type or instruction set reached it. (pktseq.h includes itself, so
# >>scalar and >>vectors stand in a program several times; a macro's branches are counted once, where
# it is defined.) A branch is a condition with two outcomes, true and false, each counted alone;
# `a && b` are two branches. What the compiler folds to a constant does not count. MC/DC: a
# condition counts if a program of each kind, all runs merged, has shown that it alone decides.
set -u
cd "$(dirname "$0")/.." || exit 1
dir=build/coverage
tree=$dir/tree  # a copy: others may be at work on the files
mkdir -p "$dir" || exit 1

newest() {  # the newest clang that brings its own llvm-profdata and llvm-cov
    for v in -25 -24 -23 -22 -21 -20 -19 -18 -17 -16 -15 -14 ''; do
        command -v "clang$v" >/dev/null && command -v "llvm-profdata$v" >/dev/null &&
            command -v "llvm-cov$v" >/dev/null && { echo "$v"; return 0; }
    done
    return 1
}
if ! v=$(newest) || ! command -v python3 >/dev/null; then
    echo "SKIPPED: clang, llvm-cov and llvm-profdata of one version, and python3, are needed"
    echo "0 passed, 0 failed"
    exit 0
fi
clang="clang$v"
flags='-std=c99 -O1 -g0 -fprofile-instr-generate -fcoverage-mapping'
if echo 'int f(int a, int b); int f(int a, int b) { return a && b; }' |
   "$clang" $flags -fcoverage-mcdc -x c -c -o "$dir/try.o" - 2>/dev/null; then
    flags="$flags -fcoverage-mcdc"
else
    echo "SKIPPED: MC/DC: $clang does not understand -fcoverage-mcdc"
fi
flags="$flags ${COVERAGE_FLAGS:-}"

all() {  # the names of all tests
    for t in tests/test_*.c; do basename "$t" .c; done
}
doubles() {  # those that are also run with double; known to the Makefile
    printf 'include Makefile\nprint-doubles:\n\t@echo $(DOUBLES)\n' |
        make -s -f - print-doubles 2>/dev/null
}
# kind, its options, its tests: writes the commands that build them.
commands() {
    kind=$1 options=$2
    shift 2
    mkdir -p "$dir/$kind"
    echo "$clang $flags $options -c $tree/tests/inside.c -o $dir/$kind/pktseq.o" >>"$dir/first"
    for t in "$@"; do
        if grep -qE 'PKTSEQ_LINKED|"inside.h"' "tests/$t.c"; then
            linked="-DPKTSEQ_LINKED $dir/$kind/pktseq.o"
        else
            linked=
        fi
        echo "$clang $flags $options $tree/tests/$t.c $linked -o $dir/$kind/$t -lm" >>"$dir/second"
        echo "$kind $t" >>"$dir/runs"
    done
}
failed_runs=0
if [ $# -eq 0 ]; then
    rm -rf "$dir"
    mkdir -p "$tree/tests" "$tree/examples"
    cp pktseq.h "$tree/" && cp tests/*.[ch] "$tree/tests/" && cp examples/*.h "$tree/examples/" ||
        exit 1
    for d in tests/*/; do  # what tests include from folders below
        set -- "$d"*.[ch]
        if [ -e "$1" ] || [ -e "${2:-}" ]; then
            mkdir -p "$tree/$d" && cp "$d"*.[ch] "$tree/$d" || exit 1
        fi
    done
    set --
    echo "building with $clang $flags"
    commands float '' $(all)
    commands double -DPKTSEQ_REAL=double $(doubles)
    # The library must be of the compiler's version, too, which shows when a program begins.
    printf '#include <omp.h>\nint main(void) { int n = 0;\n#pragma omp parallel for %s\n%s\n%s' \
        'schedule(dynamic) reduction(+:n)' 'for (int i = 0; i < 9; ++i) n += i;' \
        'return n != 36 || omp_get_max_threads() < 1; }' >"$dir/try.c"
    if "$clang" $flags -fopenmp "$dir/try.c" -o "$dir/try" 2>/dev/null &&
       LLVM_PROFILE_FILE=/dev/null "$dir/try"; then
        # The kernels have no threads, and are slow where every step is counted for several.
        commands openmp "-fopenmp -fprofile-update=atomic" $(all | grep -vx test_kernels)
    else
        echo "SKIPPED: OpenMP: $clang has no omp.h, or none of its libomp"
    fi
    for step in first second; do
        tr '\n' '\0' <"$dir/$step" | xargs -0 -P 2 -I '{}' sh -c \
            '{} 2>>build/coverage/log || echo "not built, see build/coverage/log: {}"'
    done
    while read -r kind t; do
        [ -x "$dir/$kind/$t" ] || { echo "$kind $t: not built"; failed_runs=$((failed_runs + 1))
                                    continue; }
        LLVM_PROFILE_FILE="$dir/$kind/$t.%p.profraw" OMP_WAIT_POLICY=passive \
            timeout "${COVERAGE_SECONDS:-300}" "$dir/$kind/$t" >"$dir/$kind/$t.out" 2>&1 </dev/null
        code=$?
        echo "$kind $t: code $code, $(tail -n 1 "$dir/$kind/$t.out")"
        [ $code -eq 0 ] || failed_runs=$((failed_runs + 1))
    done <"$dir/runs"
    for kind in float double openmp; do
        [ -d "$dir/$kind" ] || continue
        "llvm-profdata$v" merge -o "$dir/$kind.profdata" "$dir/$kind"/*.profraw || exit 1
        objects=
        for t in "$dir/$kind"/test_*; do
            # not what a test writes, which stays there if its time is over
            case ${t##*/} in *.*) ;; *) objects="$objects -object $t" ;; esac
        done
        # the first program stands alone, the others behind -object
        "llvm-cov$v" export -instr-profile "$dir/$kind.profdata" ${objects# -object } \
            >"$dir/$kind.json" 2>"$dir/$kind.log" || { cat "$dir/$kind.log"; exit 1; }
    done
    rm -f "$dir"/*/*.profraw
fi

[ $failed_runs -eq 0 ] || echo "$failed_runs programs failed: each is one failure; what they \
covered before they ended counts"
python3 - "$dir" $failed_runs "$@" <<'PYTHON'
import bisect, json, os, re, sys
folder, failed_runs, words = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
source = open(folder + '/tree/pktseq.h', encoding='utf-8').read().split('\n')
section_of, name = [''], 'api'
for text in source:
    found = re.match(r'// ---- >>([\w-]+):', text)
    name = found.group(1) if found else name
    section_of.append(name)
sections = list(dict.fromkeys(section_of[1:]))
wanted = [w for w in words if w not in ('report', 'mcdc')]
unknown = [w for w in wanted if w not in sections]
if unknown:
    sys.exit('no such section: ' + ' '.join(unknown))

lines, branches, decisions = {}, {}, {}    # place -> what was reached, over all kinds
def is_here(file):
    return os.path.basename(file) == 'pktseq.h'

for kind in ('float', 'double', 'openmp'):
    path = os.path.join(folder, kind + '.json')
    if not os.path.exists(path):
        continue
    data = json.load(open(path))['data'][0]
    for file in data['files']:             # lines, as llvm-cov itself derives them from segments
        if not is_here(file['filename']):
            continue
        by_line, wrapped = {}, None
        for s in file['segments']:
            by_line.setdefault(s[0], []).append(s)
        for line in range(1, len(source) + 1):
            here = by_line.get(line, [])
            starts = [s for s in here if s[3] and s[4] and not s[5]]
            skipped = here and not here[0][3] and here[0][4]
            if not skipped and (starts or (wrapped and wrapped[3])):
                count = max([wrapped[2] if wrapped and wrapped[3] else 0] + [s[2] for s in starts])
                lines[line] = lines.get(line, 0) or int(count > 0)
            wrapped = here[-1] if here else wrapped
    for function in data['functions']:
        here = [is_here(f) for f in function['filenames']]
        regions = [r for r in function['regions'] if r[7] == 0]
        for b in function['branches']:
            if not here[b[6]]:
                continue
            if b[4] == b[5] == 0:
                inner = [r for r in regions if r[5] == b[6] and (r[0], r[1]) <= (b[0], b[1])
                         and (b[2], b[3]) <= (r[2], r[3])]
                inner = max(inner, key=lambda r: (r[0], r[1], -r[2], -r[3]), default=None)
                if inner and inner[4] > 0:
                    continue               # run, but never decided: folded by the compiler
            seen = branches.setdefault(tuple(b[:4]), [0, 0])
            seen[0] |= b[4] > 0
            seen[1] |= b[5] > 0
        for m in function.get('mcdc_records', []):
            if not is_here(function['filenames'][0]):
                continue
            seen = decisions.setdefault(tuple(m[:4]), [0] * len(m[-1]))
            if len(seen) == len(m[-1]):
                for i, covered in enumerate(m[-1]):
                    seen[i] |= bool(covered)

exempt = []                                # (pattern, reason, used)
try:
    for number, text in enumerate(open('tests/coverage.exempt', encoding='utf-8'), 1):
        if text.strip() and not text.startswith('#'):
            pattern, _, reason = text.rstrip('\n').partition('  # ')
            if not reason.strip():
                sys.exit('tests/coverage.exempt:%d: no reason' % number)
            exempt.append([re.compile(pattern.strip()), reason, 0])
except FileNotFoundError:
    pass

def excused(text):
    for e in exempt:
        if e[0].search(text):
            e[2] += 1
            return True
    return False

def chosen(line):
    return not wanted or section_of[line] in wanted

def clip(text, width=110):
    return text if len(text) <= width else text[:width - 3] + '...'

rows = {s: [0] * 9 for s in sections}      # lines, reached, excused; outcomes, ..; conditions, ..
missing = []
for line, covered in sorted(lines.items()):
    if chosen(line):
        row, text = rows[section_of[line]], source[line - 1].strip()
        row[0] += 1
        row[1] += covered
        if not covered:
            if excused(text):
                row[2] += 1
            else:
                missing.append((line, 0, 'line', clip(text)))
for place, seen in sorted(branches.items()):
    line = place[0]
    if chosen(line):
        row, text = rows[section_of[line]], source[line - 1].strip()
        end = place[3] - 1 if place[2] == line else len(source[line - 1])
        what = source[line - 1][place[1] - 1:end]
        row[3] += 2
        row[4] += sum(seen)
        gone = [w for w, s in zip(('true', 'false'), seen) if not s]
        if gone and excused(text):
            row[5] += len(gone)
        elif gone:
            for w in gone:
                missing.append((line, place[1], 'branch never ' + w, clip('%s' % what) + '   in: '
                                + clip(text, 90)))
gaps = []
for place, seen in sorted(decisions.items()):
    if chosen(place[0]):
        row = rows[section_of[place[0]]]
        row[6] += len(seen)
        row[7] += sum(seen)
        if not all(seen):
            gaps.append('pktseq.h:%d: %d of %d conditions shown: %s' % (
                place[0], sum(seen), len(seen), clip(source[place[0] - 1].strip())))

def share(part, whole):
    return '%5d of %5d %6.2f %%' % (part, whole, 100.0 * part / whole if whole else 100.0)

print('section       lines                     branch outcomes           MC/DC conditions')
total = [sum(r[i] for r in rows.values()) for i in range(9)]
for s in sections + ['total']:
    r = rows.get(s, total) if s != 'total' else total
    if r[0]:
        print('%-12s %s  %s  %s' % (s, share(r[1], r[0]), share(r[4], r[3]), share(r[7], r[6])))
for line, column, what, text in sorted(missing):
    print('pktseq.h:%d: %s: %s' % (line, what, text))
if 'mcdc' in words:
    print('\n'.join(gaps))
if not wanted:
    for pattern, reason, used in exempt:
        if not used:
            print('exempted without need: %s  # %s' % (pattern.pattern, reason))
print('%d lines and outcomes exempted by %d rules of tests/coverage.exempt' % (
    total[2] + total[5], len(exempt)))
passed = total[1] + total[2] + total[4] + total[5]
failed = len(missing) + failed_runs
print('%s: %.2f %% of the lines and %.2f %% of the branch outcomes of pktseq.h are reached' % (
    'complete' if not missing else 'NOT complete', 100.0 * total[1] / max(total[0], 1),
    100.0 * total[4] / max(total[3], 1)))
print('%d passed, %d failed' % (passed, failed))
sys.exit(failed != 0 or passed == 0)
PYTHON
