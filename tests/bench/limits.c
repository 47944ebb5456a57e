// cc -O2 tests/bench/limits.c -lpthread -o limits && ./limits [threads=1] [limit=fma|l2|l3|pass]
// What the machine can do at most: multiply-adds among registers, and reading memory of the size of
// the level 2 cache (800 KB, a GRU of 256) and of the level 3 cache (8 MB), all threads together.
// Prints the median of nine runs; which vectors are used is found out when it runs.

#define _XOPEN_SOURCE 600
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define X86
#endif

enum { RUNS = 9, MOST_THREADS = 64 };

// ---- the loops: each does its work `rounds` times and returns a number that depends on it -------

// All sixteen at once; enough of them are on their way to fill every unit's latency.
#define SIXTEEN(X) \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define EIGHT(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

typedef double loop(size_t rounds, const float *data, size_t count);

#define START(i) v a##i = zero + (1.0f + i);
#define MULTIPLY_ADD(i) a##i = a##i * scale + add;
#define ADD(i) add += a##i;
#define CLEAR(i) v a##i = zero;
#define READ(i) a##i += from[i];
#define COLLECT(i) sum += a##i;

// fma_NAME multiplies and adds MANY vectors of so many floats at a time, read_NAME sums eight. The
// compiler makes a fused multiply-add of MULTIPLY_ADD, where the target has one.
#define LOOPS(name, vector, floats, MANY, target) \
    target static double fma_##name(size_t rounds, const float *data, size_t count) { \
        typedef vector v; \
        float out[floats]; \
        const v zero = {0}, scale = zero + data[0]; \
        v add = zero + data[1]; \
        (void)count; \
        MANY(START) \
        while (rounds--) { MANY(MULTIPLY_ADD) } \
        MANY(ADD) \
        memcpy(out, &add, sizeof add); \
        return (double)out[0] + (double)out[floats - 1]; \
    } \
    target static double read_##name(size_t rounds, const float *data, size_t count) { \
        typedef vector v; \
        float out[floats]; \
        const v zero = {0}; \
        v sum = zero; \
        EIGHT(CLEAR) \
        while (rounds--) \
            for (const float *at = data; at < data + count; at += 8 * floats) { \
                const v *from = (const v *)(const void *)at; \
                EIGHT(READ) \
            } \
        EIGHT(COLLECT) \
        memcpy(out, &sum, sizeof sum); \
        return (double)out[0] + (double)out[floats - 1]; \
    }

// Four floats are a vector on every machine that has some; others do them one by one.
#ifdef __GNUC__
typedef float four __attribute__((vector_size(16)));
enum { FOUR = 4 };
#else
typedef float four;
enum { FOUR = 1 };
#endif
LOOPS(plain, four, FOUR, TWELVE, )

#ifdef X86
typedef float eight __attribute__((vector_size(32)));
typedef float sixteen __attribute__((vector_size(64)));
LOOPS(256, eight, 8, TWELVE, __attribute__((target("avx2,fma"))))
LOOPS(512, sixteen, 16, SIXTEEN, __attribute__((target("avx512f"))))
#endif

// ---- threads that run one loop at the same time -------------------------------------------------

// All wait until the last has come (pthread_barrier is not everywhere).
typedef struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t open;
    int missing;
} gate;

static void gate_pass(gate *g) {
    pthread_mutex_lock(&g->mutex);
    if (--g->missing == 0) pthread_cond_broadcast(&g->open);
    while (g->missing > 0) pthread_cond_wait(&g->open, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

typedef struct job {
    loop *run;
    size_t rounds, count;
    const float *data;
    gate *start;
    double seconds, result;
} job;

static void *job_run(void *p) {
    job *j = (job *)p;
    double t;
    j->result = j->run(j->rounds / 8 + 1, j->data, j->count);  // its data come into the cache
    gate_pass(j->start);
    t = now();
    j->result += j->run(j->rounds, j->data, j->count);
    j->seconds = now() - t;
    return NULL;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Median over the runs of the sum over the threads of `units` a round, a second.
static double measure(loop *run, int threads, size_t count, double units) {
    pthread_t id[MOST_THREADS];
    job jobs[MOST_THREADS];
    float *data[MOST_THREADS];
    double rate[RUNS], t = 0, keep = 0;
    size_t rounds = 16, size = (count ? count : 16) * sizeof(float);
    for (int i = 0; i < threads; ++i) {
        void *p = NULL;
        if (posix_memalign(&p, (size_t)1 << 21, size)) exit(1);
        data[i] = (float *)p;
        for (size_t k = 0; k < size / sizeof(float); ++k) data[i][k] = k == 1 ? 1e-6f : 0.999f;
    }
    while (t < 0.02) {  // as many rounds as take so long
        rounds *= 2;
        t = now();
        keep += run(rounds, data[0], count);
        t = now() - t;
    }
    for (int r = 0; r < RUNS; ++r) {
        gate start;
        pthread_mutex_init(&start.mutex, NULL);
        pthread_cond_init(&start.open, NULL);
        start.missing = threads;
        for (int i = 0; i < threads; ++i) {
            job j = {run, rounds, count, data[i], &start, 0, 0};
            jobs[i] = j;
            if (pthread_create(&id[i], NULL, job_run, &jobs[i])) exit(1);
        }
        rate[r] = 0;
        for (int i = 0; i < threads; ++i) {
            pthread_join(id[i], NULL);
            rate[r] += units * (double)rounds / jobs[i].seconds;
            keep += jobs[i].result;
        }
        pthread_cond_destroy(&start.open);
        pthread_mutex_destroy(&start.mutex);
    }
    for (int i = 0; i < threads; ++i) free(data[i]);
    qsort(rate, RUNS, sizeof *rate, compare);
    return keep > 0 ? rate[RUNS / 2] : 0;  // without the sum, a compiler might leave the work out
}

// ---- pass: how far the cores are from each other ------------------------------------------------

enum { PASSES = 20000 };

// Waits for every other number and answers with the next one.
static void *pass_run(void *user) {
    unsigned *flag = (unsigned *)user;
    for (unsigned i = 1; i < 2 * PASSES; i += 2) {
        while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) != i) continue;
        __atomic_store_n(flag, i + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

// Nanoseconds that a cache line takes from one thread to another: median over the runs. Cores that
// share a cache need some 35; others 200 and more, and that is how long each meeting of two threads
// takes at least. A virtual machine may move from the one to the other between two runs.
static double measure_pass(void) {
    static unsigned flag[64];
    double ns[RUNS];
    for (int r = 0; r < RUNS; ++r) {
        pthread_t id;
        double t;
        flag[0] = 0;
        if (pthread_create(&id, NULL, pass_run, flag)) exit(1);
        t = now();
        for (unsigned i = 0; i < 2 * PASSES; i += 2) {
            while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) != i) continue;
            __atomic_store_n(flag, i + 1, __ATOMIC_RELEASE);
        }
        pthread_join(id, NULL);
        ns[r] = (now() - t) / (2 * PASSES) * 1e9;
    }
    qsort(ns, RUNS, sizeof *ns, compare);
    return ns[RUNS / 2];
}

int main(int argc, char **argv) {
    int threads = 1;
    const char *which = "all", *vectors = "plain";
    loop *fma = fma_plain, *read = read_plain;
    double floats = 12 * FOUR;
    for (int i = 1; i < argc; ++i) {
        if (strncmp(argv[i], "threads=", 8) == 0) threads = atoi(argv[i] + 8);
        else if (strncmp(argv[i], "limit=", 6) == 0) which = argv[i] + 6;
        else return fprintf(stderr, "usage: limits [threads=N] [limit=fma|l2|l3|pass]\n"), 2;
    }
    if (threads < 1 || threads > MOST_THREADS) return fprintf(stderr, "threads: 1 to 64\n"), 2;
#ifdef X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) {
        fma = fma_512;
        read = read_512;
        floats = 16 * 16;
        vectors = "avx512";
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        fma = fma_256;
        read = read_256;
        floats = 12 * 8;
        vectors = "avx2";
    }
#endif
    if (strcmp(which, "all") == 0 || strcmp(which, "fma") == 0)
        printf("limit=fma vectors=%s threads=%d gflops=%.1f\n", vectors, threads,
               measure(fma, threads, 0, 2 * floats) / 1e9);
    if (strcmp(which, "all") == 0 || strcmp(which, "l2") == 0)
        printf("limit=l2 vectors=%s threads=%d gb_per_s=%.1f\n", vectors, threads,
               measure(read, threads, 204800, 204800 * sizeof(float)) / 1e9);
    if (threads > 1 && (strcmp(which, "all") == 0 || strcmp(which, "pass") == 0))
        printf("limit=pass vectors=- threads=%d ns=%.0f\n", threads, measure_pass());
    if (strcmp(which, "all") == 0 || strcmp(which, "l3") == 0)
        printf("limit=l3 vectors=%s threads=%d gb_per_s=%.1f\n", vectors, threads,
               measure(read, threads, 2097152, 2097152 * sizeof(float)) / 1e9);
    return 0;
}
