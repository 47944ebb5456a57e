// check.h - the few lines that every test program shares.
//
// A test program calls CHECK(condition) or CHECK_THAT(condition, format, ...), and ends with
// `return check_end("name");`, which prints "name: N passed, N failed" and gives the exit code.
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static inline int check_end(const char *name) {
    printf("%s: %lu passed, %lu failed\n", name, (unsigned long)check_passed,
           (unsigned long)check_failed);
    return check_failed != 0 || check_passed == 0;
}

#endif
