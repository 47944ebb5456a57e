// cc -O2 tests/bench/pipe.c -o pipe && ./pipe pcap=FILE [rate=100000] [packets=1000000] COMMAND ...
// Feeds a command's standard input with a capture, over and over with a clock that goes on, at so
// many packets a second (rate=0: as fast as it reads), and prints one line: how many packets a
// second went in, how far behind its time the latest went, what the command says it has read, and
// its CPU time and peak memory. flood=1 instead of pcap=FILE: each packet from another address.
//
//   ./pipe pcap=examples/data/mixed.pcap ./detect --live --model run/model.safetensors -
//   ./pipe flood=1 rate=0 packets=10000000 ./detect --live --model run/model.safetensors -

#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

enum { FRAME = 54, RECORD = 16, HEADER = 24 };

typedef struct capture {
    unsigned char *data;
    size_t size;
    double begin, end;  // seconds
} capture;

static void fail(const char *text) {
    fprintf(stderr, "pipe: %s\n", text);
    exit(1);
}

static uint32_t get32(const unsigned char *from) {
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void put32(unsigned char *to, uint32_t v) {
    for (int i = 0; i < 4; ++i) to[i] = (unsigned char)(v >> (8 * i));
}

static double record_time(const unsigned char *record) {
    return get32(record) + 1e-6 * get32(record + 4);
}

// Reads a capture of this byte order, in microseconds, as examples/data has them.
static capture capture_read(const char *path) {
    capture c = {NULL, 0, 0, 0};
    FILE *file = fopen(path, "rb");
    long size;
    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < HEADER + RECORD)
        fail("pcap=FILE cannot be read");
    rewind(file);
    c.data = (unsigned char *)malloc((size_t)size);
    c.size = (size_t)size;
    if (!c.data || fread(c.data, 1, c.size, file) != c.size || get32(c.data) != 0xa1b2c3d4)
        fail("pcap=FILE is no pcap file with a little-endian clock of microseconds");
    fclose(file);
    c.begin = record_time(c.data + HEADER);
    for (size_t at = HEADER; at + RECORD <= c.size; at += RECORD + get32(c.data + at + 8))
        c.end = record_time(c.data + at);
    return c;
}

// Makes packet number n of a flood: a SYN to one server, each from an address of its own.
static void flood_frame(uint32_t n, unsigned char frame[FRAME]) {
    memset(frame, 0, FRAME);
    frame[12] = 8;      // IPv4
    frame[14] = 0x45;
    frame[17] = 40;     // length of packet
    frame[22] = 64;
    frame[23] = 6;      // TCP
    frame[26] = 10;
    for (int i = 0; i < 3; ++i) frame[27 + i] = (unsigned char)(n >> (16 - 8 * i));
    frame[26] = (unsigned char)(11 + (n >> 24));
    frame[30] = 192;
    frame[31] = 168;
    frame[33] = 1;
    frame[34] = (unsigned char)(4 + n % 200);
    frame[37] = 80;
    frame[46] = 0x50;
    frame[47] = 2;      // SYN
}

// Everything that is sent: a place in the capture, or the number of a flood's packet.
typedef struct source {
    capture c;
    size_t at;
    double shift;
    int flood;
    uint32_t n;
} source;

// Appends the next record to a buffer; returns its size. The clock goes on from round to round.
static size_t source_next(source *s, double per_packet, unsigned char *to) {
    double time;
    size_t size = FRAME;
    if (s->flood) {
        time = 1e9 + s->n * per_packet;
        flood_frame(s->n, to + RECORD);
    } else {
        if (s->at + RECORD > s->c.size ||
            s->at + RECORD + get32(s->c.data + s->at + 8) > s->c.size) {
            s->at = HEADER;
            s->shift += s->c.end - s->c.begin + 60;
        }
        time = record_time(s->c.data + s->at) + s->shift;
        size = get32(s->c.data + s->at + 8);
        if (size > 65536) fail("a frame is larger than 64 KB");
        memcpy(to + RECORD, s->c.data + s->at + RECORD, size);
    }
    put32(to, (uint32_t)time);
    put32(to + 4, (uint32_t)((time - (uint32_t)time) * 1e6));
    put32(to + 8, (uint32_t)size);
    put32(to + 12, s->flood ? FRAME : get32(s->c.data + s->at + 12));
    s->at += RECORD + size;
    ++s->n;
    return RECORD + size;
}

static void put_all(int to, const unsigned char *data, size_t size) {
    while (size > 0) {
        ssize_t n = write(to, data, size);
        if (n <= 0) fail("the command does not read");
        data += n;
        size -= (size_t)n;
    }
}

// Sends the packets, a millisecond's at a time. Returns the most seconds that any went late.
static double feed(source *s, int to, double rate, size_t packets) {
    static unsigned char buffer[1 << 20], header[HEADER];
    double begin = now(), late = 0;
    size_t sent = 0;
    put32(header, 0xa1b2c3d4);
    put32(header + 4, 2 | 4 << 16);
    put32(header + 16, 65535);
    put32(header + 20, s->flood ? 1 : get32(s->c.data + 20));
    put_all(to, header, HEADER);
    while (sent < packets) {
        size_t used = 0, due = packets;
        if (rate > 0) due = (size_t)((now() - begin) * rate) + 1;
        if (due > packets) due = packets;
        if (due <= sent) {
            usleep(500);
            continue;
        }
        while (sent < due && used + 70000 < sizeof buffer) {
            used += source_next(s, rate > 0 ? 1 / rate : 1e-5, buffer + used);
            ++sent;
        }
        put_all(to, buffer, used);
        if (rate > 0 && now() - begin - (double)sent / rate > late)
            late = now() - begin - (double)sent / rate;
    }
    return late;
}

// The frames that a report says were read: "packets     498176 of 500000 frames", or all.
static unsigned long frames_read(FILE *report) {
    char line[4096];
    unsigned long n = 0;
    rewind(report);
    while (fgets(line, sizeof line, report))
        if (strncmp(line, "packets ", 8) == 0) {
            const char *of = strstr(line, " of ");
            n = strtoul(of ? of + 4 : line + 8, NULL, 10);
        }
    return n;
}

int main(int argc, char **argv) {
    double rate = 100000, packets = 1e6, begin, late, took;
    int ends[2], first = 1, status;
    struct rusage use;
    source s;
    FILE *report = tmpfile();
    pid_t child;
    memset(&s, 0, sizeof s);
    for (; first < argc && strchr(argv[first], '=') && argv[first][0] != '.'; ++first) {
        const char *value = strchr(argv[first], '=') + 1;
        if (strncmp(argv[first], "rate=", 5) == 0) rate = strtod(value, NULL);
        else if (strncmp(argv[first], "packets=", 8) == 0) packets = strtod(value, NULL);
        else if (strncmp(argv[first], "flood=", 6) == 0) s.flood = atoi(value);
        else if (strncmp(argv[first], "pcap=", 5) == 0) s.c = capture_read(value);
        else fail("the options are pcap, flood, rate and packets");
    }
    if (first == argc || (!s.flood && !s.c.data) || !report || pipe(ends))
        fail("expected pcap=FILE or flood=1, and a command");
    s.at = HEADER;
    child = fork();
    if (child < 0) fail("no process");
    if (child == 0) {
        dup2(ends[0], 0);
        dup2(fileno(report), 1);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[first], argv + first);
        _exit(127);
    }
    close(ends[0]);
    begin = now();
    late = feed(&s, ends[1], rate, (size_t)packets);
    took = now() - begin;
    close(ends[1]);
    waitpid(child, &status, 0);
    getrusage(RUSAGE_CHILDREN, &use);
    printf("sent=%.0f read=%lu seconds=%.2f packets_per_s=%.0f late_ms=%.0f cpu_s=%.2f "
           "peak_mb=%.0f exit=%d\n", packets, frames_read(report), took, packets / took, 1e3 * late,
           (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
               1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec),
           (double)use.ru_maxrss / 1024, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return frames_read(report) != (unsigned long)packets;
}
