// output.h - what detect, sequences and train share: files that are there whole or not at all, and
// how a range is printed.
//
//     output o;
//     good = output_open(&o, path);
//     if (good) good = output_close(&o, fprintf(o.file, ...) > 0);
//
// Such a file is written as path + ".tmp", and renamed when it is complete. A link stays one, and
// the new file has the permissions of the old one. A device or a pipe is written to as it is. What
// ends the program on the way (Ctrl-C, hanging up, a polite kill) leaves no .tmp behind.

#ifndef OUTPUT_H
#define OUTPUT_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/stat.h>
#include <unistd.h>
#define OUTPUT_POSIX
#ifndef __cplusplus
char *realpath(const char *path, char *resolved);  // which strict C hides
#endif
#endif

typedef struct output {
    FILE *file;
    char *path;       // where it goes, links followed
    char *temporary;  // what is written until then; NULL = path itself, a device
} output;

// The temporary file at hand, for the signals.
static const char *volatile output_pending;

static inline void output_on_signal(int number) {
    const char *pending = output_pending;
#ifdef OUTPUT_POSIX
    if (pending) unlink(pending);
#else
    if (pending) remove(pending);
#endif
    signal(number, SIG_DFL);
    raise(number);
}

static inline void output_catch(int number) {
    if (signal(number, output_on_signal) == SIG_IGN) signal(number, SIG_IGN);
}

// Something that a file must not take the place of. /dev/stdout may lead to a regular file.
static inline int output_is_device(const char *path) {
#ifdef OUTPUT_POSIX
    struct stat s;
    return stat(path, &s) == 0 && !S_ISDIR(s.st_mode) &&
           (!S_ISREG(s.st_mode) || strncmp(path, "/dev/", 5) == 0);
#else
    (void)path;
    return 0;
#endif
}

// Are these two names of one file?
static inline int output_same(const char *a, const char *b) {
#ifdef OUTPUT_POSIX
    struct stat s, t;
    if (stat(a, &s) == 0 && stat(b, &t) == 0)
        return s.st_dev == t.st_dev && s.st_ino == t.st_ino && S_ISREG(s.st_mode);
#endif
    while (a[0] == '.' && a[1] == '/') a += 2;
    while (b[0] == '.' && b[1] == '/') b += 2;
    return strcmp(a, b) == 0;
}

// A copy of path with an end; NULL = out of memory.
static inline char *output_name(const char *path, const char *end) {
    size_t size = strlen(path), more = strlen(end) + 1;
    char *name = (char *)malloc(size + more);
    if (!name) return NULL;
    memcpy(name, path, size);
    memcpy(name + size, end, more);
    return name;
}

// Would writing to path take the place of another file, by that name or by that of its .tmp?
static inline int output_takes(const char *path, const char *other) {
    char *temporary = output_is_device(path) ? NULL : output_name(path, ".tmp");
    int takes = output_same(path, other) || (temporary && output_same(temporary, other));
    free(temporary);
    return takes;
}

// 0 = it cannot be written; nothing is to be closed then.
static inline int output_open(output *o, const char *path) {
    const int direct = output_is_device(path);
    memset(o, 0, sizeof *o);
#ifdef OUTPUT_POSIX
    if (!direct) o->path = realpath(path, NULL);
#endif
    if (!o->path) o->path = output_name(path, "");
    if (o->path && !direct) o->temporary = output_name(o->path, ".tmp");
    if (o->path && (direct || o->temporary)) o->file = fopen(direct ? path : o->temporary, "wb");
    if (!o->file) {
        free(o->path);
        free(o->temporary);
        return 0;
    }
    if (direct) return 1;
    output_pending = o->temporary;
    output_catch(SIGINT);
    output_catch(SIGTERM);
#ifdef OUTPUT_POSIX
    output_catch(SIGHUP);
    {
        struct stat old;
        if (stat(o->path, &old) == 0) (void)!chmod(o->temporary, old.st_mode & 0777);
    }
#endif
    return 1;
}

// good: all that belongs into it was written. Puts it in its place, or removes it. 0 = it is not
// there.
static inline int output_close(output *o, int good) {
    good = !ferror(o->file) && good;
    good = fclose(o->file) == 0 && good;
    if (o->temporary) {
#ifdef _WIN32
        if (good) remove(o->path);  // there, rename does not replace
#endif
        good = good && rename(o->temporary, o->path) == 0;
        if (!good) remove(o->temporary);
        output_pending = NULL;
    }
    free(o->path);
    free(o->temporary);
    return good;
}

// "1.2 to 1.3", or with one end only, as pktseq_detector says that there is none: "1.2 or more".
static inline const char *output_range(char text[64], double low, double high) {
    if (low < -1e300 && high > 1e300) snprintf(text, 64, "not known");
    else if (high > 1e300) snprintf(text, 64, "%.5g or more", low);
    else if (low < -1e300) snprintf(text, 64, "%.5g or less", high);
    else snprintf(text, 64, "%.5g to %.5g", low, high);
    return text;
}

#endif  // OUTPUT_H
