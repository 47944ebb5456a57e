// clock.h - seconds of a clock that never jumps. POSIX: _XOPEN_SOURCE or the like stands before it.
#ifndef CLOCK_H
#define CLOCK_H

#include <time.h>

static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
