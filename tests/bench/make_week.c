// cc -O2 tests/bench/make_week.c -lm -o make_week && ./make_week week.csv [ROWS [SEED]]
// Writes packets with the shape of one day of the DARPA recordings, cut into sequences: by default
// 826,566 rows in 81,896 sequences, 19 columns. The same arguments give the same file.
//
// Exact: rows, sequences, columns, lengths of 4 to 320 packets, seven protocol names, no port above
// 49151, times with six decimals that never decrease. All else is drawn: the lengths (mean 10.09)
// independently of each other, so that the first K sequences of the file are a fair sample of it.

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 826566, SEQUENCES = 81896, SHORTEST = 4, LONGEST = 320, PROTOCOLS = 7, FLAGS = 10 };
static const char *const protocol_name[PROTOCOLS] = {"TCP",   "TELNET", "SMTP", "HTTP",
                                                     "SSHv1", "IRC",    "POP"};
static const unsigned protocol_port[PROTOCOLS] = {79, 23, 25, 80, 22, 6667, 110};
static const double protocol_share[PROTOCOLS] = {0.18, 0.30, 0.14, 0.33, 0.02, 0.01, 0.02};
enum { RES, NS, CWR, ECN, URG, ACK, PUSH, RESET, SYN, FIN };

// ---- chance: a counter, mixed (Steele, Lea, Flood 2014, "splitmix64") ---------------------------

typedef struct random_stream {
    uint64_t counter;
} random_stream;

static uint64_t next_bits(random_stream *r) {
    uint64_t z = r->counter += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Above 0 and below 1.
static double next_uniform(random_stream *r) {
    return ((double)(next_bits(r) >> 11) + 0.5) / 9007199254740992.0;
}

static unsigned next_between(random_stream *r, unsigned low, unsigned high) {
    return low + (unsigned)(next_uniform(r) * (high - low + 1));
}

static int happens(random_stream *r, double probability) { return next_uniform(r) < probability; }

static double next_exponential(random_stream *r, double mean) {
    return -mean * log(next_uniform(r));
}

static double next_normal(random_stream *r) {
    double radius = sqrt(next_exponential(r, 2));
    return radius * cos(6.283185307179586 * next_uniform(r));
}

// ---- lengths ------------------------------------------------------------------------------------

// 40 % have 4 packets, 45 % 4 and a geometric number more, 15 % 4 and a log-normal one.
static unsigned next_length(random_stream *r) {
    double kind = next_uniform(r), more = 0;
    if (kind >= 0.85) {
        more = floor(exp(log(12) + 1.3 * next_normal(r)) + 0.5);
        if (more < 1) more = 1;
    } else if (kind >= 0.40) {
        more = 1 + floor(log(next_uniform(r)) / log(0.75));
    }
    return more > LONGEST - SHORTEST ? LONGEST : SHORTEST + (unsigned)more;
}

// Lengths that add up to rows: chosen sequences, none of the shortest, gain or lose a packet.
static void draw_lengths(random_stream *r, uint16_t *length, size_t sequences, size_t rows) {
    size_t sum = 0;
    for (size_t i = 0; i < sequences; ++i) sum += length[i] = (uint16_t)next_length(r);
    while (sum != rows) {
        size_t i = (size_t)(next_uniform(r) * (double)sequences);
        if (sum < rows && length[i] > SHORTEST && length[i] < LONGEST) {
            ++length[i];
            ++sum;
        } else if (sum > rows && length[i] > SHORTEST + 1) {
            --length[i];
            --sum;
        }
    }
}

// ---- packets ------------------------------------------------------------------------------------

typedef struct conversation {
    unsigned protocol, client_port, client, server;
} conversation;

static conversation next_conversation(random_stream *r) {
    conversation c;
    double u = next_uniform(r);
    for (c.protocol = 0; c.protocol < PROTOCOLS - 1; ++c.protocol) {
        if (u < protocol_share[c.protocol]) break;
        u -= protocol_share[c.protocol];
    }
    c.client_port = next_between(r, 1024, 49151);
    c.client = next_between(r, 1, 254);
    c.server = next_between(r, 1, 254);
    return c;
}

// Bytes: mostly bare acknowledgements of 60, some data, some full segments.
static unsigned next_size(random_stream *r) {
    double u = next_uniform(r), data;
    if (u > 0.985) return 1514;
    if (u <= 0.72) return 60;
    data = floor(next_exponential(r, 320));
    return 61 + (unsigned)(data > 1453 ? 1453 : data);
}

static void draw_flags(random_stream *r, int first, int last, int data, char *flag) {
    static const double rare[5] = {1e-4, 1e-4, 1e-4, 1e-4, 5e-4};  // res ns cwr ecn urg
    for (int i = 0; i < 5; ++i) flag[i] = (char)happens(r, rare[i]);
    flag[ACK] = (char)(first ? happens(r, 0.1) : 1);
    flag[PUSH] = (char)data;
    flag[RESET] = (char)(last && happens(r, 0.08));
    flag[SYN] = (char)first;
    flag[FIN] = (char)(last && happens(r, 0.8));
}

// The i-th of n sorted uniform numbers is a sum of i exponential ones over the sum of n + 1; so the
// times need no sorting, only the sum beforehand. The power makes the day's end the busier part.
typedef struct day_clock {
    random_stream random;
    double sum, first, last;
} day_clock;

static double clock_next(day_clock *c) { return c->sum += next_exponential(&c->random, 1); }

static day_clock clock_start(uint64_t seed, size_t rows) {
    day_clock c = {{seed}, 0, 0, 0};
    c.first = clock_next(&c);
    for (size_t i = 1; i < rows; ++i) clock_next(&c);
    c.last = c.sum;
    c.random.counter = seed;
    c.sum = 0;
    return c;
}

// Microseconds, from 37.294817 s to 25638.8 s.
static uint64_t clock_tick(day_clock *c) {
    double share = (clock_next(c) - c->first) / (c->last > c->first ? c->last - c->first : 1);
    return 37294817 + (uint64_t)(pow(share, 0.745) * (25638800000.0 - 37294817.0) + 0.5);
}

// ---- text ---------------------------------------------------------------------------------------

// printf would take most of the time for ten million rows.
static char *put_text(char *at, const char *text) {
    while (*text) *at++ = *text++;
    return at;
}

static char *put_number(char *at, uint64_t number, int digits) {
    char reversed[24];
    int n = 0;
    do {
        reversed[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number || n < digits);
    while (n) *at++ = reversed[--n];
    return at;
}

static char *put_address(char *at, int is_server, const conversation *c) {
    at = put_text(at, is_server ? ",172.16.112." : ",192.168.1.");
    return put_number(at, is_server ? c->server : c->client, 1);
}

static int write_week(FILE *file, const uint16_t *length, size_t sequences, size_t rows,
                      random_stream *r, uint64_t clock_seed) {
    day_clock clock = clock_start(clock_seed, rows);
    size_t number = 0;
    fputs("position,No.,timestamp,src_ip,dst_ip,protocol,length,src_port,dst_port,"
          "res,ns,cwr,ecn,urg,ack,push,reset,syn,fin\n", file);
    for (size_t s = 0; s < sequences; ++s) {
        conversation c = next_conversation(r);
        for (unsigned i = 0; i < length[s]; ++i) {
            char line[256], *at = line, flag[FLAGS];
            uint64_t time = clock_tick(&clock);
            int back = i > 0 && happens(r, 0.5);  // from the server
            unsigned size = i == 0 ? 60 : next_size(r);
            // Data carries the application's name, and so do some of the rest.
            unsigned protocol = size > 60 || happens(r, 0.35) ? c.protocol : 0;
            draw_flags(r, i == 0, i + 1 == length[s], size > 60, flag);
            at = put_number(at, i, 1);
            *at++ = ',';
            at = put_number(at, ++number, 1);
            *at++ = ',';
            at = put_number(at, time / 1000000, 1);
            *at++ = '.';
            at = put_number(at, time % 1000000, 6);
            at = put_address(at, back, &c);
            at = put_address(at, !back, &c);
            *at++ = ',';
            at = put_text(at, protocol_name[protocol]);
            *at++ = ',';
            at = put_number(at, size, 1);
            *at++ = ',';
            at = put_number(at, back ? protocol_port[c.protocol] : c.client_port, 1);
            *at++ = ',';
            at = put_number(at, back ? c.client_port : protocol_port[c.protocol], 1);
            for (int f = 0; f < FLAGS; ++f) {
                *at++ = ',';
                *at++ = (char)('0' + flag[f]);
            }
            *at++ = '\n';
            if (fwrite(line, (size_t)(at - line), 1, file) != 1) return 0;
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    size_t rows = argc > 2 ? (size_t)strtoull(argv[2], NULL, 10) : ROWS, sequences;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 19990301;
    random_stream random;
    uint16_t *length;
    FILE *file;
    int good;
    if (argc < 2 || rows < 1000)
        return fprintf(stderr, "usage: make_week OUT.csv [ROWS, at least 1000 [SEED]]\n"), 2;
    sequences = (size_t)((double)rows * (double)SEQUENCES / (double)ROWS + 0.5);
    random.counter = seed;
    length = (uint16_t *)malloc(sequences * sizeof *length);
    file = fopen(argv[1], "wb");
    if (!length || !file) return fprintf(stderr, "make_week: cannot write %s\n", argv[1]), 1;
    setvbuf(file, NULL, _IOFBF, 1 << 18);
    draw_lengths(&random, length, sequences, rows);
    good = write_week(file, length, sequences, rows, &random, seed ^ 0x5bd1e995);
    good = fclose(file) == 0 && good;
    free(length);
    if (!good) return fprintf(stderr, "make_week: cannot write %s\n", argv[1]), 1;
    printf("rows=%lu sequences=%lu\n", (unsigned long)rows, (unsigned long)sequences);
    return 0;
}
