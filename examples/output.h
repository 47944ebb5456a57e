// output.h - what detect, sequences and train share: files that are there whole or not at all, and
// text that a terminal may show. Include it after pktseq.h.
//
//     output o;
//     good = output_open(&o, path);
//     if (good) good = output_close(&o, fprintf(o.file, ...) > 0);
//     if (!good) printf("cannot write %s: %s\n", path, o.reason);
//
// Such a file is written beside its place, created exclusively under a name of this process alone
// (path.PID-N.tmp), and renamed when it is complete. A link stays one, and the new file has the
// permissions of the old one. A device or a pipe is written to as it is, and "-" is the standard
// output. What ends the program on the way (Ctrl-C, hanging up, a polite kill) leaves no .tmp.

#ifndef OUTPUT_H
#define OUTPUT_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#define OUTPUT_POSIX  // what strict C hides of it, pktseq.h has declared
#endif

// ---- text for a terminal

// Makes text safe for a terminal: what it would take for a command, or for another direction of
// writing, becomes _. These are control characters, also those of two bytes (U+0080 to 9F),
// U+202A to 202E and U+2066 to 2069.   kept: one that may stay, or 0.
static inline void output_make_printable(char *text, char kept) {
    for (unsigned char *p = (unsigned char *)text; *p; ++p) {
        size_t bytes = (*p < ' ' && *p != (unsigned char)kept) || *p == 127;
        if (*p == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0) bytes = 2;
        if (*p == 0xE2 && ((p[1] == 0x80 && p[2] >= 0xAA && p[2] <= 0xAE) ||
                           (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9)))
            bytes = 3;
        for (; bytes > 0; --bytes) p[bytes - 1] = '_';
    }
}

// Returns the bytes of the well-formed character at p, and its code point; 0 if it is not UTF-8.
static inline size_t output_utf8(const unsigned char *p, unsigned long *code) {
    size_t size = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    if ((*p >= 0x80 && *p < 0xc2) || *p > 0xf4) return 0;
    *code = size == 1 ? *p : *p & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; ++i) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        *code = *code << 6 | (p[i] & 0x3fu);
    }
    return *code < least[size] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) ? 0
                                                                                           : size;
}

// Removes an incomplete character of several bytes from the end.
static inline void output_whole_characters(char *text) {
    size_t size = strlen(text), at = size;
    while (at > 0 && ((unsigned char)text[at - 1] & 0xC0) == 0x80) --at;
    if (at > 0 && (unsigned char)text[at - 1] >= 0xC0) {
        unsigned char lead = (unsigned char)text[at - 1];
        size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        if (size - (at - 1) < bytes) text[at - 1] = 0;
    }
}

// Returns foreign text (a name from a capture, a path, a message that quotes them) for printing,
// cut to 1,023 bytes. The result is valid until the eighth next call.
static inline const char *output_shown(const char *text) {
    static char shown[8][1024];
    static unsigned next;
    char *to = shown[next++ % 8];
    snprintf(to, sizeof shown[0], "%s", text ? text : "");
    output_whole_characters(to);
    output_make_printable(to, 0);
    return to;
}

#ifdef OUTPUT_PROGRAM
// Prints the program's name and a sentence to standard error, on one line. Every error ends here.
// Returns 1, the exit code.
static inline int fail(const char *format, ...) {
    char text[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    output_whole_characters(text);
    output_make_printable(text, 0);
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", OUTPUT_PROGRAM, text);
    return 1;
}
#endif

// Returns the plural ending for a number of things.
static inline const char *output_plural(size_t count) { return count == 1 ? "" : "s"; }

// Writes both ends of a packet: "10.0.0.1:4000 -> [2001:db8::1]:80", or without ports.
static inline void output_ends(char *text, size_t size, const char *src, unsigned from,
                               const char *dst, unsigned to) {
    const char *const address[2] = {src, dst};
    const unsigned port[2] = {from, to};
    size_t n = 0;
    for (int k = 0; k < 2 && n < size; ++k) {
        int six = strchr(address[k], ':') != NULL;
        const char *arrow = k ? " -> " : "";
        if (from || to)
            n += (size_t)snprintf(text + n, size - n, "%s%s%s%s:%u", arrow, six ? "[" : "",
                                  address[k], six ? "]" : "", port[k]);
        else
            n += (size_t)snprintf(text + n, size - n, "%s%s", arrow, address[k]);
    }
}

// Writes a share as a percentage with two digits: "0.34", "100".
static inline const char *output_percent(char text[32], double share) {
    snprintf(text, 32, share < 0.995 ? "%.2g" : "%.0f", 100 * share);
    return text;
}

// Writes the requested false-alarm rate and its range: "1 % false alarms (later traffic: 0.34 to
// 2.9 %), from 922 normal sequences". At least two sequences should be above the threshold; if
// there are too few for that, writes how many are needed.
static inline const char *output_rate(char text[256], const pktseq_detector *detector,
                                      double rate) {
    double threshold, low, high, n = (double)detector->sequences;
    char from[32], to[32];
    if (pktseq_detector_threshold(detector, 0, rate, &threshold, &low, &high))
        snprintf(text, 256, "%.3g %% false alarms, from %.0f normal sequences", 100 * rate, n);
    else if (n * rate < 2)
        snprintf(text, 256, "%.3g %% false alarms, which nobody can promise from %.0f normal "
                 "sequences (it may become %s %%; %.0f are needed)", 100 * rate, n,
                 output_percent(to, high),
                 rate > 0 ? ceil(10 / rate) : 1e6);
    else
        snprintf(text, 256, "%.3g %% false alarms (later traffic: %s to %s %%), from %.0f normal "
                 "sequences", 100 * rate, output_percent(from, low), output_percent(to, high), n);
    return text;
}

// Writes a time in ISO 8601, UTC: "2026-11-27T22:10:05Z"; "" if it cannot be.
static inline const char *output_date(char text[32], time_t when) {
    struct tm *utc = gmtime(&when);
    if (!utc || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", utc)) text[0] = 0;
    return text;
}

// Writes when a file was last modified, as output_date does; "" if that is not known.
static inline const char *output_file_date(char text[32], const char *path) {
    text[0] = 0;
#ifdef OUTPUT_POSIX
    {
        struct stat s;
        if (stat(path, &s) == 0) output_date(text, s.st_mtime);
    }
#else
    (void)path;
#endif
    return text;
}

// ---- what is read

// Returns the name of a file for messages.
static inline const char *input_name(const char *path) {
    return strcmp(path, "-") == 0 ? "the standard input" : path;
}

static inline size_t input_bytes(void *file, void *to, size_t size, int *failed) {
    size_t got = fread(to, 1, size, (FILE *)file);
    if (got < size && ferror((FILE *)file)) *failed = 1;
    return got;
}

// The type of a file, from its first bytes; a pipe is not read.
typedef enum input_kind { INPUT_UNKNOWN, INPUT_FOLDER, INPUT_MODEL, INPUT_OTHER } input_kind;
static inline input_kind input_what(const char *path) {
    input_kind kind = INPUT_UNKNOWN;
#ifdef OUTPUT_POSIX
    struct stat s;
    unsigned char head[9];
    FILE *file;
    if (strcmp(path, "-") == 0 || stat(path, &s) != 0) return kind;
    if (S_ISDIR(s.st_mode)) return INPUT_FOLDER;
    file = S_ISREG(s.st_mode) ? fopen(path, "rb") : NULL;
    if (!file) return kind;
    // safetensors: the size of the header in 8 bytes, then its JSON
    kind = fread(head, 1, sizeof head, file) == sizeof head && head[8] == '{' &&
                   !(head[4] | head[5] | head[6] | head[7])
               ? INPUT_MODEL : INPUT_OTHER;
    fclose(file);
#else
    (void)path;
#endif
    return kind;
}

// Returns what is wrong with a file given as a model (or else as packets), as the end of a sentence
// that begins with its name; or NULL.
static inline const char *input_wrong(const char *path, int as_model) {
    input_kind kind = input_what(path);
    if (kind == INPUT_FOLDER) return "is a folder, expected a file";
    if (kind == INPUT_OTHER && as_model)
        return "is not a model (train leaves model.safetensors)";
    if (kind == INPUT_MODEL && !as_model)
        return "is a model, expected packets: detect takes a model with --model";
    return NULL;
}

// Reads a table from a file, or from the standard input if its name is "-".
static inline pktseq_status input_read(pktseq_table *table, const char *path,
                                       const pktseq_schema *schema, pktseq_error *err) {
    pktseq_error inner;
    pktseq_status status;
    const char *wrong = input_wrong(path, 0);
    if (wrong) {
        memset(err, 0, sizeof *err);
        snprintf(err->text, sizeof err->text, "%.800s %s", path, wrong);
        return err->status = PKTSEQ_ERROR_FILE;
    }
    if (strcmp(path, "-") != 0) return pktseq_table_read(table, path, schema, NULL, err);
    status = pktseq_table_stream(table, input_bytes, stdin, schema, NULL, &inner);
    *err = inner;
    if (status) snprintf(err->text, sizeof err->text, "%s: %.900s", input_name(path), inner.text);
    return status;
}

// Returns a warning if the model's data and these name protocols differently, else NULL.
static inline const char *input_names(pktseq_naming model, pktseq_naming data) {
    if (!model || !data || model == data) return NULL;
    return data == PKTSEQ_NAMING_PORTS
               ? "here protocols are named by ports, in the model's data by a dissector (\"SSH\", "
                 "not \"SSHv2\"): names that it never saw look odd; train on captures, too"
               : "here protocols are named by a dissector, in the model's data by ports "
                 "(\"SSHv2\", not \"SSH\"): names that it never saw look odd; give the capture "
                 "itself";
}

// Writes warning number `which`, from 0, about a table: what was left out, and what looks wrong.
// Returns 0 if there is no such warning.
static inline int input_warning(const pktseq_table *table, size_t which, char *text, size_t size) {
    const pktseq_table_counts *cut = &table->counts;
    const unsigned long packets = (unsigned long)cut->packets;
    const int capture = (table->notes & PKTSEQ_READ_BY_PORT) != 0;
    size_t said = 0;
#define INPUT_NUMBER(n) (unsigned long)(n), (n) == 1 ? "" : "s"
#define INPUT_ARE(n) ((n) == 1 ? "is" : "are")
#define INPUT_SAY(condition, ...) \
    if ((condition) && said++ == which) return snprintf(text, size, __VA_ARGS__) > 0
    INPUT_SAY(cut->bad_rows, "%lu of %lu rows cannot be read and %s left out; the first: %s",
              (unsigned long)cut->bad_rows, packets, INPUT_ARE(cut->bad_rows), table->first_bad);
    INPUT_SAY(table->notes & PKTSEQ_READ_DAMAGED, "only what comes before the damage is read: %s",
              table->first_bad);
    INPUT_SAY(table->capture.incomplete, "the capture ends within a packet: it is cut off, or "
              "still being written");
    INPUT_SAY(cut->headers, "the header line comes again among the rows, %lu time%s, as in files "
              "that were put one after another", INPUT_NUMBER(cut->headers));
    INPUT_SAY(cut->not_tcp, "%lu of %lu packets %s not TCP and left out",
              (unsigned long)cut->not_tcp, packets, INPUT_ARE(cut->not_tcp));
    INPUT_SAY(cut->not_ip, "%lu of %lu packets %s not IP (ARP and the like) and left out",
              (unsigned long)cut->not_ip, packets, INPUT_ARE(cut->not_ip));
    INPUT_SAY(cut->attacks, "%lu packet%s in sequences that are labelled as attacks are left out: "
              "only normal traffic is learned", INPUT_NUMBER(cut->attacks));
    INPUT_SAY(capture && cut->clock_back, "packets are not in the order of time (it goes back %lu "
              "time%s in %lu): reordercap IN OUT puts them in it", INPUT_NUMBER(cut->clock_back),
              packets);
    INPUT_SAY(!capture && cut->clock_back && cut->clock_back * 50 <= cut->packets,
              "the clock jumps back %lu time%s in %lu packets", INPUT_NUMBER(cut->clock_back),
              packets);
    INPUT_SAY(!capture && cut->clock_back * 50 > cut->packets,
              "the time goes back %lu time%s in %lu packets: is the column of times the time since "
              "the previous packet, or the file in another order? What is needed is the time since "
              "1970 or since the beginning (tshark: frame.time_epoch)",
              INPUT_NUMBER(cut->clock_back), packets);
    INPUT_SAY(table->notes & PKTSEQ_READ_SCALED,
              "times are whole milli-, micro- or nanoseconds since 1970");
    INPUT_SAY(table->notes & PKTSEQ_READ_NO_RES,
              "there is no column of the flags res or ns, which count as 0");
    INPUT_SAY(cut->tunnels, "%lu packet%s within packets of the other IP: the inner addresses "
              "count", INPUT_NUMBER(cut->tunnels));
    INPUT_SAY(cut->quotes, "%lu message%s of ICMP with the ports of another packet, which do not "
              "count", INPUT_NUMBER(cut->quotes));
#undef INPUT_NUMBER
#undef INPUT_ARE
#undef INPUT_SAY
    return 0;
}

// Writes a cell of CSV, quoted where needed (RFC 4180). A spreadsheet would take some first letters
// for a formula: an apostrophe prevents that.
static inline int output_cell(FILE *file, const char *text) {
    int formula = text[0] && strchr("=+-@\t\r", text[0]) != NULL, good = 1;
    if (!strpbrk(text, ",\"\r\n")) {
        if (formula) good = fputc('\'', file) != EOF;
        return good && fputs(text, file) >= 0;
    }
    good = fputs(formula ? "\"'" : "\"", file) >= 0;
    for (; *text && good; ++text)
        good = (*text != '"' || fputc('"', file) != EOF) && fputc(*text, file) != EOF;
    return good && fputc('"', file) != EOF;
}

// Writes a number with the fewest digits that read back as the same.
static inline const char *output_number(char text[40], double value) {
    for (int digits = 15; digits <= 17; ++digits) {
        snprintf(text, 40, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    return text;
}

// ---- files

typedef struct output {
    FILE *file;
    const char *reason;  // why it could not be opened or written
    char *path;          // where it goes, links followed
    char *temporary;     // what is written until then; NULL = path itself
    int standard;        // it is the standard output
} output;

// The temporary file that is being written, for the signal handlers.
static const char *volatile output_pending;

// The reader of the standard output has closed it.
static volatile sig_atomic_t output_pipe_closed;

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

#ifdef SIGPIPE
static inline void output_on_pipe(int number) {
    signal(number, output_on_pipe);
    output_pipe_closed = 1;
}
#endif

// Keeps `program | head` from ending the program, which may still have files to write.
static inline void output_outlive_pipe(void) {
#ifdef SIGPIPE
    if (signal(SIGPIPE, output_on_pipe) == SIG_IGN) signal(SIGPIPE, SIG_IGN);
#endif
}

// Returns 1 if all that was printed was written, or if its reader has closed the pipe.
static inline int output_printed(void) {
    int good = fflush(stdout) == 0;
    return (good && !ferror(stdout)) || output_pipe_closed;
}

// Returns 1 if a file must not replace what is there. /dev/stdout may lead to a regular file.
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

// Returns 1 if these are two names of one file.
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

// Returns a copy of path with an ending; NULL = out of memory.
static inline char *output_name(const char *path, const char *end) {
    size_t size = strlen(path), more = strlen(end) + 1;
    char *name = (char *)malloc(size + more);
    if (!name) return NULL;
    memcpy(name, path, size);
    memcpy(name + size, end, more);
    return name;
}

// Creates the temporary file o->temporary, which must not exist. NULL: errno says why.
static inline FILE *output_create(output *o) {
#ifdef OUTPUT_POSIX
    struct stat old;
    int known = stat(o->path, &old) == 0, descriptor;
    output_pending = o->temporary;  // before it is there: a signal in between must not leave it
    descriptor = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL, known ? old.st_mode & 0777 : 0666);
    if (descriptor < 0) output_pending = NULL;
    if (descriptor < 0) return NULL;
    if (known) (void)!fchmod(descriptor, old.st_mode & 0777);  // whatever umask says
    return fdopen(descriptor, "wb");
#else
    output_pending = o->temporary;
    return fopen(o->temporary, "wb");
#endif
}

// Frees the names of an output that cannot be written. Returns 0, with errno's reason.
static inline int output_refused(output *o) {
    o->reason = strerror(errno ? errno : ENOMEM);
    if (o->temporary && output_pending == o->temporary) {
        remove(o->temporary);
        output_pending = NULL;
    }
    free(o->path);
    free(o->temporary);
    o->path = o->temporary = NULL;
    return 0;
}

// Opens an output. 0 = it cannot be written, o->reason says why; it must then not be closed.
static inline int output_open(output *o, const char *path) {
    memset(o, 0, sizeof *o);
    errno = 0;
    if (strcmp(path, "-") == 0) {
        o->file = stdout;
        o->standard = 1;
        return 1;
    }
    if (output_is_device(path)) {
        o->file = fopen(path, "wb");
        return o->file ? 1 : output_refused(o);
    }
#ifdef OUTPUT_POSIX
    o->path = realpath(path, NULL);
    if (!o->path) o->path = output_name(path, "");
    output_catch(SIGHUP);
#else
    o->path = output_name(path, "");
#endif
    output_catch(SIGINT);
    output_catch(SIGTERM);
    for (int k = 0; o->path && !o->file && k < 100; ++k) {
        char end[48] = ".tmp";
#ifdef OUTPUT_POSIX
        snprintf(end, sizeof end, ".%ld-%d.tmp", (long)getpid(), k);
#endif
        free(o->temporary);
        errno = 0;
        o->temporary = output_name(o->path, end);
        if (o->temporary) o->file = output_create(o);
        if (!o->temporary || (!o->file && errno != EEXIST)) break;
    }
    return o->file ? 1 : output_refused(o);
}

// Closes an output: renames it to its path or, unless all was written (good), removes it. Returns 0
// if it is not there; o->reason says why if it could not be written.
static inline int output_close(output *o, int good) {
    errno = 0;
    good = fflush(o->file) == 0 && !ferror(o->file) && good;
    if (!good) o->reason = errno ? strerror(errno) : "it could not be written whole";
    if (o->standard) return good || output_pipe_closed;
    if (fclose(o->file) != 0 && good) {
        o->reason = strerror(errno);
        good = 0;
    }
    if (o->temporary) {
#ifdef _WIN32
        if (good) remove(o->path);  // there, rename does not replace
#endif
        if (good && rename(o->temporary, o->path) != 0) {
            o->reason = strerror(errno);
            good = 0;
        }
        if (!good) remove(o->temporary);
        output_pending = NULL;
    }
    free(o->path);
    free(o->temporary);
    return good;
}

// Checks early whether a file can be written, and leaves nothing. Returns NULL, or the reason.
static inline const char *output_probe(const char *path) {
    output o;
#ifdef OUTPUT_POSIX
    struct stat s;
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) return strerror(EISDIR);
#endif
    if (strcmp(path, "-") == 0 || output_is_device(path)) return NULL;  // opening may be seen
    if (!output_open(&o, path)) return o.reason;
    output_close(&o, 0);
    return NULL;
}

#endif  // OUTPUT_H
