// cc -O2 tests/bench/measure.c -o measure && ./measure COMMAND [ARGUMENT ..]
// Runs a command without its output and prints what it took, for machines without GNU time:
//     seconds=1.52 cpu=1.31 peak_mb=170.2

#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

static double seconds_of(struct timeval t) { return (double)t.tv_sec + 1e-6 * (double)t.tv_usec; }

int main(int argc, char **argv) {
    double begin = now();
    struct rusage used;
    int status = 1;
    pid_t child = argc > 1 ? fork() : -1;
    if (child < 0) return 1;
    if (child == 0) {
        if (dup2(open("/dev/null", O_WRONLY), 1) == 1) execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (waitpid(child, &status, 0) != child || status != 0) return 1;
    getrusage(RUSAGE_CHILDREN, &used);
    printf("seconds=%.3f cpu=%.3f peak_mb=%.1f\n", now() - begin,
           seconds_of(used.ru_utime) + seconds_of(used.ru_stime), (double)used.ru_maxrss / 1024);
    return 0;
}
