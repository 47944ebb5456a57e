// check.h - the few lines that every test program shares.
//
// A test program calls CHECK(condition) or CHECK_THAT(condition, format, ...), and ends with
// `return check_end("name");`, which prints "name: N passed, N failed" and gives the exit code.
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t check_passed, check_failed;

// Counts one check; the first 20 failures are printed with what they say.
#define CHECK_THAT(condition, ...) \
    do { \
        if (condition) { \
            ++check_passed; \
        } else if (++check_failed <= 20) { \
            fprintf(stderr, "%s:%d: failed: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__); \
            fprintf(stderr, "\n"); \
        } \
    } while (0)

#define CHECK(condition) CHECK_THAT(condition, "%s", "")

// Is every byte zero, as in a struct that was freed?
static inline int is_zero(const void *data, size_t size) {
    const unsigned char *p = (const unsigned char *)data;
    while (size > 0 && p[size - 1] == 0) --size;
    return size == 0;
}

// Returns where a text stands in the first `size` bytes, or NULL.
static inline const unsigned char *find(const void *data, size_t size, const char *words) {
    const unsigned char *p = (const unsigned char *)data;
    size_t length = strlen(words);
    for (size_t i = 0; i + length <= size; ++i)
        if (memcmp(p + i, words, length) == 0) return p + i;
    return NULL;
}

// An allocator that counts, and whose call number fail_at (0 = none) gets nothing, nor one for more
// than `limit` bytes (0 = any): who asks for them has believed a size unchecked. See counted.
typedef struct counter {
    size_t allocations, live, fail_at, limit, refused;
} counter;

static inline void *count_alloc(size_t size, void *user_data) {
    counter *c = (counter *)user_data;
    CHECK(size > 0);
    if (++c->allocations == c->fail_at) return NULL;
    if (c->limit && size > c->limit) return ++c->refused, (void *)NULL;
    ++c->live;
    return malloc(size);
}

static inline void count_free(void *p, void *user_data) {
    --((counter *)user_data)->live;
    free(p);
}

// Is there time for what is exhaustive (make slow)?
static inline int check_slow(void) { return getenv("CHECK_SLOW") != NULL; }

// Seconds of the processor since begin, for bounds of what must not be slow. Under valgrind
// everything is: CHECK_SLOWER says how many times.
static inline double check_seconds(clock_t begin) {
    const char *slower = getenv("CHECK_SLOWER");
    return (double)(clock() - begin) / CLOCKS_PER_SEC / (slower ? atof(slower) : 1);
}

static inline int check_end(const char *name) {
    printf("%s: %lu passed, %lu failed\n", name, (unsigned long)check_passed,
           (unsigned long)check_failed);
    return check_failed != 0 || check_passed == 0;
}

#endif
