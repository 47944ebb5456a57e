// torture.c - the program that torture.sh lets fail: it saves one of two checkpoints, A and B, that
// are the same bytes whenever it runs, or says which of them a file is.
//
//   torture save PATH A|B      saves; code 1 and one sentence if that failed
//   torture nothing PATH A|B   does all of that but the saving
//   torture check PATH         prints A, B, or what is wrong; code 1 if it is neither
//   torture kill PATH N SEED   kills a process that saves, N times; code 1 if a file was spoilt
//   torture read PATH N        loads N times while another process saves
#define _POSIX_C_SOURCE 200809L
#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/clock.h"
#include "parts.h"

static parts both[2];

static int fail(const char *what) {
    fprintf(stderr, "torture: %s\n", what);
    return 1;
}

// One of many failures: the first few are told.
static void complain(const char *what) {
    static int told;
    if (++told <= 5) fail(what);
}

// Model `which`: other weights, another number of iterations, the same size.
static pktseq_status make(parts *p, int which, pktseq_error *err) {
    plan how = plan_of(pktseq_schema_default(), 20, (uint64_t)which + 1);
    pktseq_status status;
    char csv[8192];
    int n = sprintf(csv, "position,timestamp,protocol,length,src_port,dst_port,"
                         "res,ns,cwr,ecn,urg,ack,push,reset,syn,fin\n");
    for (int i = 0; i < 90; ++i)
        n += sprintf(csv + n, "%d,%d.25,%s,%d,80,49200,0,0,0,0,0,%d,%d,0,%d,0\n", i % 9, i,
                     i % 4 ? "TCP" : "HTTP", 60 + i * 37 % 11, i % 9 != 0, i % 2, i % 9 == 0);
    how.schema.constant_is_zero = 1;
    how.train = run_of(which ? 7 : 5, 1, 1e-4, 0.5, 0);
    how.train.loss_interval = 1;
    memset(p, 0, sizeof *p);
    status = parts_make(p, &how, csv, (size_t)n, err);
    return status ? status : parts_save(p, NULL, err);
}

static pktseq_status save(const char *path, int which, pktseq_error *err) {
    const parts *c = &both[which];
    return pktseq_save(&c->model, &c->codec, &c->training, &c->detector, path, err);
}

static int is_checkpoint(const pktseq_buffer *bytes, int which) {
    const pktseq_buffer *want = &both[which].file;
    return bytes->size == want->size && memcmp(bytes->data, want->data, want->size) == 0;
}

// Which of the two a file is: its bytes are, and so are those of what is loaded from it; -1 and err
// if it is neither.
static int which_is(const char *path, pktseq_error *err) {
    parts c;
    pktseq_buffer raw;
    int which = -1;
    if (pktseq_file_read(&raw, path, NULL, NULL, err)) return -1;
    if (!parts_load(&c, raw.data, raw.size, NULL, err) && !parts_save(&c, NULL, err)) {
        for (int i = 0; i < 2; ++i)
            if (is_checkpoint(&c.file, i) && is_checkpoint(&raw, i)) which = i;
        if (which < 0) sprintf(err->text, "%.200s loads, but is neither A nor B", path);
    }
    pktseq_buffer_free(&raw);
    parts_free(&c);
    return which;
}

static void wait_for(double seconds) {
    struct timespec t;
    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}

// 0 to below 1, xorshift64.
static double random_share(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 11) / 9007199254740992.0;
}

// A child that saves one and the other by turns until it is killed, or left alone.
static pid_t begin_saving(const char *path, int which) {
    pid_t parent = getpid(), child = fork();
    if (child != 0) return child;
    for (; getppid() == parent; which = !which)
        if (save(path, which, NULL)) _exit(3);
    _exit(4);
}

// 1 if it was the kill that ended it.
static int end_saving(pid_t child) {
    int status;
    kill(child, SIGKILL);
    if (waitpid(child, &status, 0) != child) return 0;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static int run_kill(const char *path, long count, uint64_t seed) {
    char temporary[1100];
    struct stat st;
    long spoilt = 0, changed = 0, not_killed = 0, partial = 0, whole = 0, seen[2] = {0, 0};
    double mean = now();
    pktseq_error err;
    int which = 1;
    for (int i = 0; i < 20; ++i)
        if (save(path, i % 2, &err)) return fail(err.text);
    mean = (now() - mean) / 20;
    for (long i = 0; i < count; ++i) {
        int before = which;
        pid_t child = begin_saving(path, !which);
        if (child < 0) return fail("fork failed");
        wait_for(3 * mean * random_share(&seed));
        not_killed += !end_saving(child);
        sprintf(temporary, "%.1000s.%ld-0.tmp", path, (long)child);
        if (stat(temporary, &st) == 0) {
            if ((size_t)st.st_size == both[0].file.size) ++whole;
            else ++partial;
            remove(temporary);
        }
        which = which_is(path, &err);
        if (which < 0) {
            ++spoilt;
            complain(err.text);
            which = before;
            if (save(path, which, &err)) return fail(err.text);
        } else {
            ++seen[which];
            changed += which != before;
        }
    }
    printf("%ld kills 0 to %.1f ms into saving: %ld left a part of a .tmp, %ld a whole one; the "
           "file was A %ld times, B %ld times, another one than before %ld times, spoilt %ld "
           "times\n", count, 3e3 * mean, partial, whole, seen[0], seen[1], changed, spoilt);
    if (not_killed) printf("%ld processes ended by themselves\n", not_killed);
    if (count >= 200 && (partial + whole == 0 || seen[0] == 0 || seen[1] == 0))
        return fail("no kill came in the middle of a save");
    return spoilt > 0 || not_killed > 0;
}

static int run_read(const char *path, long count) {
    long seen[2] = {0, 0}, spoilt = 0, changed = 0;
    pktseq_error err;
    pid_t child;
    int before = 0;
    if (save(path, 0, &err)) return fail(err.text);
    child = begin_saving(path, 1);
    if (child < 0) return fail("fork failed");
    for (long i = 0; i < count; ++i) {
        int which = which_is(path, &err);
        if (which < 0) {
            ++spoilt;
            complain(err.text);
            continue;
        }
        ++seen[which];
        changed += which != before;
        before = which;
    }
    if (!end_saving(child)) return fail("the process that saves ended by itself");
    printf("%ld loads while another process saved: A %ld times, B %ld times, %ld changes, %ld "
           "spoilt\n", count, seen[0], seen[1], changed, spoilt);
    return spoilt > 0 || seen[0] == 0 || seen[1] == 0;
}

int main(int argc, char **argv) {
    const char *mode = argc > 2 ? argv[1] : "", *path = argc > 2 ? argv[2] : "";
    pktseq_error err;
    int which;
    for (int i = 0; i < 2; ++i)
        if (make(&both[i], i, &err)) return fail(err.text);
    if (both[0].file.size < 20000 || is_checkpoint(&both[0].file, 1))
        return fail("A and B are too small, or the same");
    which = argc > 3 && argv[3][0] == 'B';
    if (strcmp(mode, "nothing") == 0) return 0;
    if (strcmp(mode, "save") == 0) return save(path, which, &err) ? fail(err.text) : 0;
    if (strcmp(mode, "check") == 0) {
        which = which_is(path, &err);
        puts(which < 0 ? err.text : which ? "B" : "A");
        return which < 0;
    }
    if (strcmp(mode, "kill") == 0 && argc > 4)
        return run_kill(path, atol(argv[3]), (uint64_t)strtoul(argv[4], NULL, 10) * 2 + 1);
    if (strcmp(mode, "read") == 0 && argc > 3) return run_read(path, atol(argv[3]));
    return fail("how to call it stands at the top of tests/torture.c");
}
