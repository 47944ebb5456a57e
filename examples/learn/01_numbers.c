// 1. A packet is a row of numbers.
//
// A network only multiplies and adds, so a packet must become a row of numbers (its features), and
// a row must become a packet again. A size or a time is z-scored: its mean is subtracted and the
// rest divided by its standard deviation, so that no column outweighs the others. A name has no
// order: there is one column for each name, with a 1 in its own (one-hot).
//
//     cc -std=c99 -O2 examples/learn/01_numbers.c -lm -o lesson && ./lesson
//
// It prints
//       -1.33  -0.68 1 0 0 0 1 0 0 1 0 0  = 0.000 s, 74 bytes, TCP to well known port: syn
//        0.57  -0.48 0 1 1 0 0 1 0 1 0 0  = 0.020 s, 204 bytes, HTTP to well known port: ack push
//       -1.24   0.98 0 1 1 0 0 1 0 0 0 1  = 0.001 s, 1144 bytes, HTTP to dynamic port: ack push
//     numbers: error 8.7e-19, expected < 1e-07
//     names: error 0.0e+00, expected < 1e-07
//     how far neighbours are apart: seconds 30.1 %, bytes 19.4 %, the other ten 50.5 %
// PREDICT, THEN RUN. 1a: if nothing is divided (deviation 1), what is the share of bytes
//     in the last line? 1b: let the third packet's name be 3, SSH, for which there is no column:
//     what does decode make of three zeros?
#include <math.h>
#include <stdio.h>
#pragma STDC FP_CONTRACT OFF  // each operation rounds by itself: the same digits everywhere

enum { PACKETS = 6, FLAGS = 4, NAMES = 3, CLASSES = 3, D = 2 + FLAGS + NAMES + CLASSES };
typedef struct { double seconds, bytes; int flag[FLAGS], name, port; } packet;

static const char *const flag_text[FLAGS] = {"syn", "ack", "push", "fin"};
static const char *const name_text[NAMES] = {"TCP", "HTTP", "SMTP"};
static const char *const class_text[CLASSES] = {"well known", "registered", "dynamic"};

// A web page is asked for and sent: seconds since the packet before, bytes, flags, protocol, and
// the class of the port it goes to (below 1024, below 49152, above).
static const packet traffic[PACKETS] = {
    {0.000, 74, {1, 0, 0, 0}, 0, 0}, {0.021, 74, {1, 1, 0, 0}, 0, 2},
    {0.020, 204, {0, 1, 1, 0}, 1, 0}, {0.022, 1514, {0, 1, 0, 0}, 1, 2},
    {0.001, 1144, {0, 1, 1, 0}, 1, 2}, {0.020, 66, {0, 1, 0, 1}, 0, 0},
};
static double mean[2], deviation[2];  // of seconds and bytes

static double number(const packet *p, int k) { return k == 0 ? p->seconds : p->bytes; }

// What must be known of all packets before one can be encoded: the coder is fitted to the data.
// (The squares are divided by PACKETS - 1, as is usual when data are a sample.)
static void fit(void) {
    for (int k = 0; k < 2; ++k) {
        double sum = 0, squares = 0;
        for (int i = 0; i < PACKETS; ++i) sum += number(&traffic[i], k);
        mean[k] = sum / PACKETS;
        for (int i = 0; i < PACKETS; ++i)
            squares += (number(&traffic[i], k) - mean[k]) * (number(&traffic[i], k) - mean[k]);
        deviation[k] = sqrt(squares / (PACKETS - 1));
    }
}

// 12 numbers: seconds, bytes; syn ack push fin; TCP HTTP SMTP; well known, registered, dynamic.
static void encode(const packet *p, double *x) {
    for (int k = 0; k < 2; ++k) x[k] = (number(p, k) - mean[k]) / deviation[k];
    for (int f = 0; f < FLAGS; ++f) x[2 + f] = p->flag[f];
    for (int n = 0; n < NAMES; ++n) x[2 + FLAGS + n] = p->name == n;
    for (int c = 0; c < CLASSES; ++c) x[2 + FLAGS + NAMES + c] = p->port == c;
}

// Which of some columns is largest.
static int largest(const double *x, int count) {
    int best = 0;
    for (int i = 1; i < count; ++i)
        if (x[i] > x[best]) best = i;
    return best;
}

// And back. What a network puts out is never exactly 0 or 1: a flag is set from 0.5 on, and of the
// columns of a name the largest counts.
static packet decode(const double *x) {
    packet p = {0, 0, {0}, 0, 0};
    // YOUR LINES: seconds, bytes, flags, name, port
    p.seconds = x[0] * deviation[0] + mean[0];
    p.bytes = x[1] * deviation[1] + mean[1];
    for (int f = 0; f < FLAGS; ++f) p.flag[f] = x[2 + f] >= 0.5;
    p.name = largest(x + 2 + FLAGS, NAMES);
    p.port = largest(x + 2 + FLAGS + NAMES, CLASSES);
    // UP TO HERE
    return p;
}

// Prints how large an error is and, if it is too large, what to look for.
static void check(const char *name, double error, const char *hint) {
    printf("%s: %serror %.1e, expected < 1e-07\n", name, error < 1e-7 ? "" : hint, error);
}

int main(void) {
    double x[PACKETS][D], numbers = 0, names = 0, apart[2] = {0}, all = 0;
    fit();
    for (int i = 0; i < PACKETS; ++i) {
        packet p;
        encode(&traffic[i], x[i]);
        p = decode(x[i]);
        for (int k = 0; k < 2; ++k) numbers += fabs(number(&p, k) - number(&traffic[i], k));
        for (int f = 0; f < FLAGS; ++f) names += p.flag[f] != traffic[i].flag[f];
        names += (p.name != traffic[i].name) + (p.port != traffic[i].port);
        if (i % 2) continue;  // prints every other packet
        for (int k = 0; k < D; ++k) printf(k < 2 ? " %6.2f" : " %.0f", x[i][k]);
        printf("  = %.3f s, %.0f bytes, %s to %s port:", p.seconds, p.bytes, name_text[p.name],
               class_text[p.port]);
        for (int f = 0; f < FLAGS; ++f)
            if (p.flag[f]) printf(" %s", flag_text[f]);
        printf("\n");
    }
    check("numbers", numbers, "times the deviation, plus the mean? ");
    check("names", names, "the largest column of each group? ");
    // The squared distance from each packet to the next, and what seconds and bytes add to it.
    for (int i = 1; i < PACKETS; ++i)
        for (int k = 0; k < D; ++k) {
            double square = (x[i][k] - x[i - 1][k]) * (x[i][k] - x[i - 1][k]);
            all += square;
            if (k < 2) apart[k] += square;
        }
    printf("how far neighbours are apart: seconds %.1f %%, bytes %.1f %%, the other ten %.1f %%\n",
           100 * apart[0] / all, 100 * apart[1] / all, 100 * (1 - (apart[0] + apart[1]) / all));
    return 0;
}
