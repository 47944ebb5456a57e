#!/bin/sh
# msvc.sh - does pktseq.h parse as Microsoft's compiler would see it: clang in its mode, against
# declarations of those parts of the C library that the header uses, as C and C++, with OpenMP 2.0.
#
#     sh tests/msvc.sh        Debian: clang. Nothing is linked or run: see mingw in cross.sh for that.
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0
good() { passed=$((passed + 1)); echo "ok: $1"; }
bad() { failed=$((failed + 1)); echo "FAILED: $1"; }
if ! command -v clang >/dev/null; then
    echo "SKIPPED: there is no clang here"
    echo "0 passed, 0 failed"
    exit
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# Microsoft's C library, as far as it is needed. Functions that its headers call deprecated (C4996)
# are marked as clang warns of them.
open='#ifdef __cplusplus
extern "C" {
#endif'
close='#ifdef __cplusplus
}
#endif'
old='__declspec(deprecated)'
header() { { echo "#pragma once"; echo "#include <stddef.h>"; echo "$open"; cat; echo "$close"; } >"$tmp/$1"; }
header errno.h <<END
int *_errno(void);
#define errno (*_errno())
#define ENOENT 2
#define EACCES 13
#define EEXIST 17
#define ENOTDIR 20
#define EISDIR 21
#define ENOSPC 28
#define EROFS 30
#define ENAMETOOLONG 38
END
header math.h <<END
double sqrt(double); double exp(double); double log(double); double log10(double);
double pow(double, double); double floor(double); double ceil(double); double fabs(double);
double fmod(double, double); double fma(double, double, double); float fmaf(float, float, float);
double ldexp(double, int); double frexp(double, int *); double nextafter(double, double);
double log1p(double); double tanh(double); double sin(double); float sqrtf(float);
float fabsf(float); double lgamma(double);
#define NAN (-(float)(((float)(1e+300 * 1e+300)) * 0.0F))
#define INFINITY ((float)(1e+300 * 1e+300))
#define HUGE_VAL ((double)INFINITY)
END
header stdlib.h <<END
void *malloc(size_t); void free(void *); void abort(void); char *getenv(const char *);
void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
double strtod(const char *, char **); unsigned long strtoul(const char *, char **, int); int abs(int);
END
header string.h <<END
void *memcpy(void *, const void *, size_t); void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t); int memcmp(const void *, const void *, size_t);
size_t strlen(const char *); int strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t); size_t strspn(const char *, const char *);
size_t strcspn(const char *, const char *); $old char *strcpy(char *, const char *);
$old char *strcat(char *, const char *); $old char *strncpy(char *, const char *, size_t);
#ifdef __cplusplus
}
extern "C++" {
const char *strchr(const char *, int); char *strchr(char *, int);
const char *strrchr(const char *, int); char *strrchr(char *, int);
const char *strstr(const char *, const char *); char *strstr(char *, const char *);
const void *memchr(const void *, int, size_t); void *memchr(void *, int, size_t);
}
extern "C" {
#else
char *strchr(const char *, int); char *strrchr(const char *, int);
char *strstr(const char *, const char *); void *memchr(const void *, int, size_t);
#endif
END
header stdio.h <<END
typedef struct FILE FILE;
#define SEEK_SET 0
#define SEEK_END 2
$old FILE *fopen(const char *, const char *); FILE *_fsopen(const char *, const char *, int);
FILE *_wfsopen(const wchar_t *, const wchar_t *, int);
size_t fread(void *, size_t, size_t, FILE *); size_t fwrite(const void *, size_t, size_t, FILE *);
int fclose(FILE *); int fflush(FILE *); int ferror(FILE *); long ftell(FILE *);
int fseek(FILE *, long, int); int remove(const char *); int _fileno(FILE *);
int _wremove(const wchar_t *); $old int fileno(FILE *); $old int sscanf(const char *, const char *, ...);
END
header io.h <<END
int _commit(int);
END
header omp.h <<END
int omp_get_thread_num(void); int omp_get_max_threads(void); int omp_get_num_threads(void);
int omp_in_parallel(void); double omp_get_wtime(void);
END

check() {
    name=$1
    shift
    if clang --target=x86_64-pc-windows-msvc -fms-compatibility-version=19.30 -fms-extensions \
        -nostdlibinc -isystem "$tmp" -fsyntax-only -DPKTSEQ_IMPLEMENTATION -Wall -Wextra -Werror \
        -Wno-ignored-pragmas -Wno-unknown-pragmas "$@" pktseq.h >"$tmp/log" 2>&1; then
        good "$name"
    else
        bad "$name"
        head -n 20 "$tmp/log"
    fi
}
check "C" -std=c11 -x c
check "C++" -std=c++14 -x c++
check "double" -std=c11 -DPKTSEQ_REAL=double -x c
check "C without stdio" -std=c11 -DPKTSEQ_NO_STDIO -x c
check "C with OpenMP 2.0" -std=c11 -D_OPENMP=200203 -x c
check "C++ with OpenMP 2.0" -std=c++14 -D_OPENMP=200203 -x c++

# What OpenMP 2.0 does not know: unsigned loops, atomics with a clause, and what came later. SIMD and
# the threads' own barrier are behind conditions of their own.
awk '
    /^#pragma omp (simd|task|taskloop|cancel)/ || /^#pragma omp atomic +[a-z]/ ||
    /^#pragma omp .*(collapse|proc_bind)/ { print FILENAME ":" FNR ": " $0; wrong = 1 }
    /^#pragma omp .*for/ { loop = 1; next }
    loop && /^ *for \((size_t|unsigned|uint)/ { print FILENAME ":" FNR ": " $0; wrong = 1 }
    loop && /for \(/ { loop = 0 }
    END { exit wrong }' pktseq.h && good "only OpenMP 2.0" || bad "only OpenMP 2.0"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
