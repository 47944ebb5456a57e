#!/usr/bin/env python3
"""mutate.py - would the tests notice a mistake? Puts one small mistake at a time into a copy of
pktseq.h, runs the tests, those that concern its section first, and counts which mistakes they find.

    python3 tests/mutate.py --count 100 --seed 1 --seconds 900 --sections csv,table
    python3 tests/mutate.py --picked         mistakes that a reader of captures and a tracker of
                                             packets might well make, PICKED below, instead

A mutant is one of: another operator (+ - * / < <= > >= == != && ||), an integer or a decimal one
more or less, a loop that ends one earlier, a statement or a return left out, the two sides of ?:
exchanged. What does not compile, and what compiles to the same machine code as the original, is
drawn again. A test that fails, crashes or does not end in time has found the mutant. The tests run
with OpenMP where the compiler has it (--serial: not; quicker), up to the first that fails; if none
does, those of the section run again under the sanitizers, as in `make asan` (--plain: not). All
that in build/mutate/. Passed means that at least 90 % are found; survivors are printed. A survivor
that changes nothing that a test could see stands in SAME below, with its reason, and is not drawn.
Ends with "N passed, N failed".
"""
import argparse
import glob
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DIR = os.path.join(TOP, 'build', 'mutate')

# A section -> the tests that concern it, besides its own, which names it before its first colon.
MORE = {
    'memory': 'number codec table sequences checkpoint', 'number': 'csv checkpoint',
    'csv': 'table rows', 'schema': 'codec header rows', 'notation': 'sequences',
    'columns': 'csv derive', 'header': 'rows sequences', 'rows': 'table sequences',
    'table': 'csv rows sequences derive', 'segment': 'derive packets', 'sequences': 'derive score',
    'counters': 'derive', 'tracker': 'derive sequences', 'codec': 'dataset checkpoint score',
    'encode': 'dataset', 'dataset': 'train score use', 'random': 'train dataset',
    'parallel': 'step train', 'kernels': 'step', 'vectors': 'step', 'choose': 'step',
    'plain': 'step loss', 'model': 'use step train checkpoint', 'gru': 'loss use train',
    'forward': 'use loss train score', 'backward': 'loss train', 'optimizer': 'step train',
    'train': 'optimizer checkpoint', 'use': 'score', 'evaluate': 'fit', 'detector': 'checkpoint',
    'reasons': 'live', 'drift': 'live', 'watch': 'short live', 'load': 'checkpoint score',
    'files': 'faults', 'work': 'step train score', 'batch': 'plain loss use score',
    'loss': 'step score live',
}


def tests_of_sections():
    """A section -> its tests, its own first, in the order of the header."""
    own = {}
    for name in sorted(glob.glob(os.path.join(TOP, 'tests', 'test_*.c'))):
        with open(name) as file:
            head = file.read().split(':')[0]
        for section in re.findall('>>([a-z-]+)', head):
            own[section] = os.path.basename(name)[5:-2]
    with open(os.path.join(TOP, 'pktseq.h')) as file:
        body = file.read().split('Stop here if')[1]
    return {s: (own[s] + ' ' + MORE.get(s, '')).split()
            for s in re.findall('^// ---- >>([a-z-]+):', body, re.M)}


TESTS = tests_of_sections()

# (function, line before, line after), for --picked.
PICKED = [
    # frame: padding counted as payload; an outer header's notes kept; offsets from 4096 on taken
    # for first fragments; a total below the header's; relay's padding; the bottom of an MPLS stack
    ('pktseqi_walk_pass', 'w->wire -= bytes;', ';'),
    ('pktseqi_walk_found', 'packet->notes &= PKTSEQ_NOTE_CUT_OFF;', ';'),
    ('pktseqi_walk_ipv4', 'if (!(offset & 0x1fff)) return;', 'if (!(offset & 0x0fff)) return;'),
    ('pktseqi_walk_ipv4', 'if (header < 20 || (total && total < header)) return;',
     'if (header < 20) return;'),
    ('pktseqi_walk_relay', 'if (w->at[++bytes] == 0) ++bytes;', '++bytes;'),
    ('pktseqi_walk_mpls',
     'if (!pktseqi_walk_pass(w, 4, pktseqi_walk_mpls) || !(w->at[-2] & 1)) return;',
     'if (!pktseqi_walk_pass(w, 4, pktseqi_walk_mpls) || !(w->at[-2] & 3)) return;'),
    # capture: halves rounded up; a block's last four bytes taken for the frame's; interfaces of the
    # section before; bits about checksums taken for the link type; a file that ends in a block
    ('pktseqi_time',
     'if (rest > per_second - rest || (rest && rest == per_second - rest && m & 1)) ++m;',
     'if (rest > per_second - rest || (rest && rest == per_second - rest)) ++m;'),
    ('pktseqi_capture_frame', 'room = record->block - record->header - 4;',
     'room = record->block - record->header;'),
    ('pktseqi_capture_section', 'c->state->interface_count = 0;', ';'),
    ('pktseqi_capture_header', 'link_type = pktseqi_capture_u32(c, p + 20) & 0x03ffffff;',
     'link_type = pktseqi_capture_u32(c, p + 20) & 0x0fffffff;'),
    ('pktseqi_capture_skip', 'if (status == PKTSEQ_END) c->counts.incomplete = 1;', ';'),
    # packets: another address in the same place of the cache; frames left out after the last row;
    # a number as a flag; damage told where every row must be good
    ('pktseqi_packets_texts',
     'if (!cached->used || cached->key[0] != key[0] || cached->key[1] != key[1]) {',
     'if (!cached->used) {'),
    ('pktseqi_packets_end',
     'if (table->counts.packets > table->rows) status = pktseqi_table_source(p->r);', ';'),
    ('pktseqi_packets_columns',
     'if (text != (q->kind == PKTSEQI_VALUE_TEXT) || (q->kind == PKTSEQI_VALUE_FLAG && !flag))',
     'if (text != (q->kind == PKTSEQI_VALUE_TEXT))'),
    ('pktseqi_packets_rows',
     'if (status == PKTSEQ_ERROR_DATA && table->rows && p->r->schema->bad_rows >= 0) {',
     'if (status == PKTSEQ_ERROR_DATA && table->rows) {'),
    # tracker: a port counted twice; one window instead of two when a clock goes back; contacts that
    # are never forgotten; ICMP, whose packets differ in ports; ports lost when the ring grows
    ('pktseqi_pair_add', 'if (before) pktseqi_remembered_at(t, before)->last[k] = 0;',
     'if (before) ;'),
    ('pktseqi_ring_expire',
     '!packet->pair || packet->time < now - 2 * pktseqi_pair_seconds)',
     '!packet->pair || packet->time < now - 1 * pktseqi_pair_seconds)'),
    ('pktseqi_contact_evict',
     'if (kind) --pktseqi_contact_at(tracker->state, c->source)->contacts[kind - 1];', ';'),
    ('pktseqi_pair_push',
     'if (pair != c->pair || pktseqi_transport_icmp(packet->transport)) {',
     'if (pair != c->pair) {'),
    ('pktseqi_ring_reserve', 'packet->next = (packet->next + full - first) % full + 1;', ';'),
]

# What only makes it faster or saves memory: no result depends on it, so no test can tell.
SPEED = [
    (r'\bpktseqi_alloc_large\b', 'large pages'),
    (r'\bpktseqi_next_capacity\b', 'how fast arrays grow'),
    (r'\bpktseqi_table_more\b', 'how many rows to make room for'),
    (r'\bpktseqi_align\b', 'cache lines'),
    (r'\bpktseqi_pool_wait\b', 'spins'),
    (r'\bpktseqi_work_threads\b', 'how many threads'),
]
SPEED_LINES = [
    (r'\bpast - b < PKTSEQI_TILE\b', 'how many sequences at once'),
    (r'->expect\b', 'how much there will be to read'),
]

# Mutants that are the same program to every caller: (functions, line before, line after, why).
SAME = [
    ('pktseqi_csv_store',
     'if (csv->cells < csv->keep) {',
     'if (csv->cells <= csv->keep) {',
     'one cell more is noted, at which nobody looks'),
    ('pktseqi_codec_layout',
     'codec->first = (size_t *)pktseqi_alloc_zeroed(&codec->allocator, 2 * F + 1 + width,',
     'codec->first = (size_t *)pktseqi_alloc_zeroed(&codec->allocator, 2 * F + 2 + width,',
     'a little more memory'),
    ('pktseqi_forward_begin',
     'memset(work->h + b * work->h_stride, 0, work->config.hidden * sizeof *work->h);',
     'memset(work->h + b * work->h_stride, 1, work->config.hidden * sizeof *work->h);',
     'floats of four bytes 1 are 2e-38, which rounding loses'),
    ('pktseqi_put|pktseqi_error',
     'va_end(list);',
     ';',
     'does nothing on this machine'),
    ('pktseqi_detector_set_thresholds',
     'if (d->threshold_low > d->threshold) d->threshold_low = d->threshold;',
     'if (d->threshold_low >= d->threshold) d->threshold_low = d->threshold;',
     'equal already'),
    ('pktseqi_detector_set_thresholds',
     'if (d->threshold_high < d->threshold) d->threshold_high = d->threshold;',
     'if (d->threshold_high <= d->threshold) d->threshold_high = d->threshold;',
     'equal already'),
]

TYPE = (r'(?:static |const |unsigned |struct )*'
        r'(?:char|int|double|float|size_t|uint\w+|unsigned|pktseq\w*|FILE|void|va_list)\b')
DECLARES = re.compile(r'\s*' + TYPE + r'[ *]+\w+(\[[^=;]*\])?(, \**\w+(\[[^=;]*\])?)*;')


def blank(source):
    """The source with comments, strings, characters and preprocessor lines as blanks."""
    def spaces(found):
        return re.sub(r'[^\n]', ' ', found.group(0))
    pattern = (r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|'
               r'(?m:^[ \t]*#(?:\\\n|[^\n])*)')
    return re.sub(pattern, spaces, source, flags=re.S)


def bodies(source, masked):
    """For each line (from 0): the section it is in and the function, or None outside of bodies."""
    place, section, depth, inside, name, head = [], '', 0, False, '', ''
    for text, code in zip(source.split('\n'), masked.split('\n')):
        found = re.match(r'// ---- >>([\w-]+):', text)
        section = found.group(1) if found else section
        was = inside
        if depth == 0 and not inside:
            head = code if re.match(r'\S', code) else head + ' ' + code
            if re.search(r'\)\s*\{', code):
                inside, name = True, head
        if inside and not re.match(r'extern', head):
            depth += code.count('{') - code.count('}')
            one = re.search(r'\)\s*\{(.*)\}\s*$', code)
            place.append((section, name) if was or (one and depth == 0) else None)
            if depth == 0:
                inside, head = False, ''
        else:
            place.append(None)
            if re.search(r'[;}]\s*$', code):
                head = ''
    return place


OTHER = {'+': ['-'], '-': ['+'], '*': ['/'], '/': ['*'], '&&': ['||'], '||': ['&&'],
         '+=': ['-='], '-=': ['+='], '<': ['<=', '>='], '<=': ['<', '>'], '>': ['>=', '<='],
         '>=': ['>', '<'], '==': ['!='], '!=': ['==']}


def mutants_of(code, text, previous):
    """All mutants of a line: (column from, to, replacement)."""
    if DECLARES.match(code):
        return []
    out = []
    for found in re.finditer(r'(?<= )(\+=|-=|&&|\|\||[<>=!]=|[-+*/<>])(?= |$)', code):
        for other in OTHER[found.group(1)]:
            out.append((found.start(1), found.end(1), other))
    for found in re.finditer(r'(?<![\w.])(\d+)(\.\d+)?(e[-+]?\d+)?([uUlLfF]*)(?![\w.])', code):
        whole, rest = found.group(1), (found.group(2) or '') + (found.group(3) or '')
        if len(whole) > 18 or (len(whole) > 1 and whole[0] == '0'):
            continue
        for step in (1, -1):
            if int(whole) + step >= 0:
                out.append((found.start(), found.end(), str(int(whole) + step) + rest
                            + found.group(4)))
    for found in re.finditer(r'\bfor \([^;]*;[^;]*?< ([^;&|]+?)(?=;| &&)', code):
        out.append((found.start(1), found.end(1), '(' + found.group(1) + ') - 1'))
    for found in re.finditer(r'\? ([^?:,;()]+) : ([^?:,;()]+)(?=[;,)])', code):
        out.append((found.start(1), found.end(2), text[found.start(2):found.end(2)] + ' : '
                    + text[found.start(1):found.end(1)]))
    out = [m for m in out if code[m[0]:m[1]].strip()]
    # A statement of its own, or one behind an if or a for on the same line.
    found = re.match(r'(\s*(?:(?:if|for|while) \(.*?\) |else )*)(?!(?:if|for|while|else|case|'
                     r'default|do|break|continue|goto)\b)((?:return\b.*|[\w(*+-].*?);)\s*$', code)
    if found and previous.rstrip()[-1:] in ('', ';', '{', '}', ')', ':') and all(
            part.count('(') == part.count(')') for part in found.groups()) and not re.match(
                TYPE + r'[ *]+\w', found.group(2)):
        returns = found.group(2).startswith('return')
        if not returns or found.group(1).strip() or len(found.group(1)) > 4:
            out.append((found.start(2), found.end(2), ';'))
    return out


def run(command, seconds, roomy=False, **more):
    """The exit code of a command, or None when it took too long; what it started is killed.

    Seconds of the processor, so that other work on the machine kills nothing. A mutant may also ask
    for all memory or fill the disk: it gets 4 GB of each (roomy: any, as the sanitizers need).
    """
    def limits():
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 30, 4 << 30))
        if not roomy:
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True, preexec_fn=limits,
                             **more)
    try:
        code = child.wait(60 + 20 * seconds)
    except subprocess.TimeoutExpired:
        code = -signal.SIGKILL
    try:
        os.killpg(child.pid, signal.SIGKILL)  # what it has left behind
    except ProcessLookupError:
        pass
    child.wait()
    return None if code in (-signal.SIGKILL, -signal.SIGXCPU) else code


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Bench:
    """The copy of the tree, with what is compiled once."""

    def __init__(self, cc, serial):
        self.cc, self.seconds, self.linked = cc, {}, {}
        self.clean, self.made, self.openmp = {}, None, ['-fopenmp']
        shutil.rmtree(DIR, ignore_errors=True)
        os.makedirs(os.path.join(DIR, 'build'))
        shutil.copytree(os.path.join(TOP, 'tests'), os.path.join(DIR, 'tests'),
                        ignore=shutil.ignore_patterns('bench', '__pycache__'))
        shutil.copytree(os.path.join(TOP, 'examples'), os.path.join(DIR, 'examples'))
        shutil.copy(os.path.join(TOP, 'pktseq.h'), DIR)
        with open(os.path.join(DIR, 'pktseq.h'), encoding='utf-8') as file:
            self.source = file.read()
        if serial or not self.build_nothing():
            self.openmp = []

    def build_nothing(self):
        """Whether the compiler makes a program of OpenMP."""
        with open(os.path.join(DIR, 'build', 'nothing.c'), 'w', encoding='utf-8') as file:
            file.write('int main(void) { return 0; }\n')
        return self.compile('build/nothing.c', '-o', 'build/nothing')

    def compile(self, *arguments):
        return run([self.cc, '-O1', '-w', *self.openmp, *arguments], 120, cwd=DIR) == 0

    def write(self, source):
        with open(os.path.join(DIR, 'pktseq.h'), 'w', encoding='utf-8') as file:
            file.write(source)

    def library(self):
        """Compiles pktseq.h; returns the object's bytes, or None."""
        if not self.compile('-c', 'tests/inside.c', '-o', 'build/pktseq.o'):
            return None
        with open(os.path.join(DIR, 'build', 'pktseq.o'), 'rb') as file:
            return file.read()

    def build(self, name):
        """A test, linked to pktseq.o or with an implementation of its own."""
        if self.linked[name]:
            return self.compile('build/%s.o' % name, 'build/pktseq.o', '-o', 'build/' + name, '-lm')
        return self.compile('tests/%s.c' % name, '-o', 'build/' + name, '-lm')

    def sanitized(self, name, source, seconds):
        """Builds a test under the sanitizers, with the source given; its exit code."""
        self.write(source)
        flags = ['-g', '-fsanitize=address,undefined,float-cast-overflow',
                 '-fno-sanitize-recover=all']
        if self.linked[name]:
            if self.made != source and not self.compile(
                    *flags, '-DPKTSEQ_NO_SIMD', '-c', 'tests/inside.c', '-o', 'build/asan.o'):
                return 1
            self.made = source
            flags += ['-DPKTSEQ_LINKED', 'build/asan.o']
        if not self.compile('tests/%s.c' % name, *flags, '-o', 'build/asan', '-lm'):
            return 1
        return run(['build/asan'], seconds, roomy=True, cwd=DIR)

    def finds_sanitized(self, name, mutant):
        """Whether a test finds a mutant under the sanitizers; never, if it fails without one."""
        limit = 20 + 40 * self.seconds[name][1]
        if name not in self.clean:
            self.clean[name] = self.sanitized(name, self.source, limit) == 0
        return self.clean[name] and self.sanitized(name, mutant, limit) != 0

    def measure(self, name):
        """Whether a test can be used: it is there, builds, and passes without a mutant."""
        path = os.path.join(DIR, 'tests', name + '.c')
        if not os.path.exists(path):
            return False
        with open(path, encoding='utf-8') as file:
            text = file.read()
            self.linked[name] = 'PKTSEQ_LINKED' in text or '"inside.h"' in text
        if self.linked[name] and not self.compile('-DPKTSEQ_LINKED', '-c', 'tests/%s.c' % name,
                                                  '-o', 'build/%s.o' % name):
            return False
        begun = processor_seconds()
        if not self.build(name):
            return False
        ready = processor_seconds()
        code = run(['build/' + name], 120, cwd=DIR)
        self.seconds[name] = (ready - begun, processor_seconds() - ready)
        return code == 0


def picked_mutants(place, lines):
    """Each of PICKED that is still there as (line, new text of the line)."""
    out = []
    for function, before, after in PICKED:
        found = [i for i, where in enumerate(place)
                 if where and lines[i].strip() == before and
                 re.search(r'\b%s\(' % function, where[1])]
        if len(found) == 1:
            out.append((found[0], lines[found[0]].replace(before, after)))
        else:
            print('SKIPPED: %s has %d lines "%s"' % (function, len(found), before))
    return out


def stale(place, lines, code):
    """Entries of SPEED, SPEED_LINES and SAME that fit no line any more."""
    inside = [(where[1], line, text.strip()) for where, line, text in zip(place, code, lines)
              if where]
    out = [p for p, _ in SPEED if not any(re.search(p, head) for head, _, _ in inside)]
    out += [p for p, _ in SPEED_LINES if not any(re.search(p, line) for _, line, _ in inside)]
    return out + ['%s: %s' % (functions, before) for functions, before, _, _ in SAME
                  if not any(text == before and re.search(r'\b(%s)\(' % functions, head)
                             for head, _, text in inside)]


def drawn_mutants(sites, lines, place, tries):
    """Mutants at random, each once, as (line, new text of the line)."""
    drawn = set()
    for _ in range(tries):
        line, found = random.choice(sites)
        change = random.choice(found)
        if (line, change) in drawn:
            continue
        drawn.add((line, change))
        new = lines[line][:change[0]] + change[2] + lines[line][change[1]:]
        if not any((lines[line].strip(), new.strip()) == (before, after) and
                   re.search(r'\b(%s)\(' % functions, place[line][1])
                   for functions, before, after, _ in SAME):
            yield line, new


def main():
    options = argparse.ArgumentParser()
    options.add_argument('--count', type=int, default=100, help='how many mutants')
    options.add_argument('--seed', type=int, default=1)
    options.add_argument('--seconds', type=float, default=1e9, help='stop after so long')
    options.add_argument('--sections', default='', help='only these, as csv,table')
    options.add_argument('--cc', default='gcc' if shutil.which('gcc') else 'cc')
    options.add_argument('--plain', action='store_true', help='without the sanitizers')
    options.add_argument('--serial', action='store_true', help='without OpenMP')
    options.add_argument('--list', action='store_true', help='count the mutants and leave')
    options.add_argument('--picked', action='store_true', help='those of PICKED, none by chance')
    options = options.parse_args()
    with open(os.path.join(TOP, 'pktseq.h'), encoding='utf-8') as file:
        source = file.read()
    sections = options.sections.split(',') if options.sections else list(TESTS)
    unknown = [s for s in sections if s not in TESTS]
    if unknown:
        sys.exit('no such section: %s; there are: %s' % (' '.join(unknown), ' '.join(TESTS)))

    masked = blank(source)
    place, lines, code = bodies(source, masked), source.split('\n'), masked.split('\n')
    sites, spared, previous = [], {}, ''
    for i, where in enumerate(place):
        if where and where[0] in sections:
            reason = [r for p, r in SPEED if re.search(p, where[1])]
            reason += [r for p, r in SPEED_LINES if re.search(p, code[i])]
            found = mutants_of(code[i], lines[i], previous)
            if reason and found:
                spared[reason[0]] = spared.get(reason[0], 0) + 1
            elif found:
                sites.append((i, found))
        previous = code[i] if code[i].strip() else previous
    print('%d possible mutants in %d lines of %d sections; seed %d' % (
        sum(len(f) for _, f in sites), len(sites), len(sections), options.seed))
    for reason, count in sorted(spared.items()):
        print('spared: %d lines, %s' % (count, reason))
    for entry in stale(place, lines, code):
        print('SKIPPED: nothing is left of what this file spares: ' + entry)
    if options.list or not sites:
        return 0
    os.environ.setdefault('OMP_WAIT_POLICY', 'passive')  # as the Makefile does

    bench = Bench(options.cc, options.serial)
    if bench.source != source:
        sys.exit('pktseq.h has just changed: once more, please')
    picked = picked_mutants(place, lines) if options.picked else []
    if picked:
        sections = sorted({place[line][0] for line, _ in picked})
    names = sorted({'test_' + t for s in sections for t in TESTS[s]})
    original = bench.library()
    if original is None:
        sys.exit('pktseq.h does not compile')
    usable = []
    for name in names:
        if bench.measure(name):
            usable.append(name)
        else:
            print('SKIPPED: %s is not there, does not build or does not pass as it is' % name)
    print('usable: ' + ', '.join('%s %.1f s' % (n[5:], sum(bench.seconds[n])) for n in usable))
    sys.stdout.flush()

    random.seed(options.seed)
    begun = time.monotonic()
    killed, hung, sanitized, uncompiled, unchanged, survivors, by_section = 0, 0, 0, 0, 0, [], {}
    for line, new in picked or drawn_mutants(sites, lines, place, 50 * options.count):
        if time.monotonic() - begun > options.seconds or (
                not picked and killed + len(survivors) >= options.count):
            break
        section = place[line][0]
        mutant = '\n'.join(lines[:line] + [new] + lines[line + 1:])
        bench.write(mutant)
        library = bench.library()
        if library is None:
            uncompiled += 1
            continue
        if library == original:
            unchanged += 1
            continue
        concerned = ['test_' + t for t in TESTS[section]]
        verdict = None
        for name in sorted(usable, key=lambda n: (n not in concerned, sum(bench.seconds[n]))):
            if not bench.build(name):  # only the warnings of a dialect could do that
                verdict = name
                break
            code_ = run(['build/' + name], 2 + 5 * bench.seconds[name][1], cwd=DIR)
            if code_ != 0:
                hung += code_ is None
                verdict = name
                break
        if verdict is None and not options.plain:
            verdict = next((n for n in usable if n in concerned and
                            bench.finds_sanitized(n, mutant)), None)
            sanitized += verdict is not None
        row = by_section.setdefault(section, [0, 0])
        row[verdict is None] += 1
        if verdict:
            killed += 1
        else:
            survivors.append((line + 1, section, lines[line].strip(), new.strip()))
            print('survived: pktseq.h:%d (%s): %s  ->  %s' % survivors[-1])
            sys.stdout.flush()
        if (killed + len(survivors)) % 20 == 0:
            print('%4.0f s: %d found, %d survived' % (time.monotonic() - begun, killed,
                                                      len(survivors)))
            sys.stdout.flush()
    bench.write(source)

    total = killed + len(survivors)
    for section in TESTS:
        if section in by_section:
            row = by_section[section]
            print('%-11s %3d of %3d found' % (section, row[0], sum(row)))
    print('%d mutants in %.0f s: %d found (%d did not end, %d by the sanitizers alone), '
          '%d survived; drawn again: %d did not compile, %d gave the same machine code' % (
              total, time.monotonic() - begun, killed, hung, sanitized, len(survivors), uncompiled,
              unchanged))
    good = total > 0 and killed >= 0.9 * total
    print('%s: the tests find %.1f %% of the mutants, at least 90 %% are wanted' % (
        'good' if good else 'NOT good', 100.0 * killed / max(total, 1)))
    print('%d passed, %d failed' % (good, not good))
    return not good


if __name__ == '__main__':
    sys.exit(main())
