// choose.h - selects the sequences that train learns from: without those that fit worst (--clean),
// and several times those whose alarms are harmless (--normal).

#ifndef CHOOSE_H
#define CHOOSE_H

#include "../pktseq.h"
#include "output.h"
#include <stdlib.h>
#include <string.h>

typedef struct chosen {
    unsigned char *repeats;  // (sequences) how often each is learned from, or NULL: once
    size_t left_out;         // of them not at all
    size_t marked;           // and several times
} chosen;

// Selects every sequence once. Returns 0 without memory.
static inline int choose_all(chosen *c, size_t sequences) {
    if (!c->repeats) c->repeats = (unsigned char *)malloc(sequences ? sequences : 1);
    if (c->repeats) memset(c->repeats, 1, sequences);
    return c->repeats != NULL;
}

// ---- what fits worst

static inline int choose_falling(const void *p, const void *q) {
    double x = *(const double *)p, y = *(const double *)q;
    return (x < y) - (x > y);
}

// Leaves out the sequences whose scores (n) are among the highest `share`. If `outliers` is set,
// only those of them whose modified z-score is above 3.5 (Iglewicz and Hoaglin 1993, by the median
// of the scores above the median), so that clean traffic stays whole: of a normal recording 13 of
// 922 sequences are left out, where 92 could be.
//   sorted   (n) scratch
static inline void choose_best(chosen *c, double share, const double *score, size_t n, int outliers,
                               double *sorted) {
    size_t most = (size_t)(share * (double)n);
    double limit, upper;
    memcpy(sorted, score, n * sizeof *score);
    qsort(sorted, n, sizeof *sorted, choose_falling);
    limit = sorted[most];
    upper = sorted[n / 2] + 3.5 / 0.6745 * (sorted[n / 4] - sorted[n / 2]);
    if (outliers && upper > limit) limit = upper;
    c->left_out = 0;
    for (size_t s = 0; s < n; ++s) {
        c->repeats[s] = score[s] <= limit;
        c->left_out += !c->repeats[s];
    }
}

// Writes one sequence that is left out as a line of CSV, and, if `shown`, prints it. Returns 0 if
// the file cannot be written.
static inline int choose_print(FILE *file, const pktseq_table *table, size_t s, double score,
                               int shown) {
    pktseq_scored q = pktseq_table_describe(table, s);
    char ends[256], time[40];
    if (shown) {
        output_ends(ends, sizeof ends, q.src, q.src_port, q.dst, q.dst_port);
        printf("  %-5.3g     %s, %lu packet%s, %s\n", score, pktseq_time_text(q.begin, time),
               (unsigned long)q.packets, output_plural(q.packets), output_shown(ends));
    }
    return fprintf(file, "%lu,%lu,%lu,%lu,%.6f,%.6f,", (unsigned long)s + 1,
                   (unsigned long)q.first_row + 1, (unsigned long)q.last_row + 1,
                   (unsigned long)q.packets, q.begin, q.time) > 0 &&
           output_cell(file, q.src) && fprintf(file, ",%u,", q.src_port) > 0 &&
           output_cell(file, q.dst) && fprintf(file, ",%u,%.9g\n", q.dst_port, score) > 0;
}

// Lists the sequences that are left out in a file, the worst first, and prints the first `shown`.
// Returns 0 if the file cannot be written; o->reason says why.
//   sorted   (sequences) scratch
static inline int choose_list(const chosen *c, const pktseq_table *table, const double *score,
                              double *sorted, const char *path, size_t shown, output *o) {
    size_t listed = 0, n = table->sequences;
    int good = output_open(o, path) &&
               fprintf(o->file, "sequence,first_row,last_row,packets,begin,time,src_ip,src_port,"
                                "dst_ip,dst_port,score\n") > 0;
    memcpy(sorted, score, n * sizeof *score);
    qsort(sorted, n, sizeof *sorted, choose_falling);
    for (size_t k = 0; k < n && good && listed < c->left_out; ++k) {
        if (k && sorted[k] == sorted[k - 1]) continue;
        for (size_t s = 0; s < n && good; ++s)
            if (!c->repeats[s] && score[s] == sorted[k])
                good = choose_print(o->file, table, s, score[s], listed++ < shown);
    }
    if (o->file) good = output_close(o, good);
    return good;
}

// ---- alarms that are harmless

// What identifies the sequence of an alarm.
typedef struct choose_alarm {
    char src[64], dst[64];
    unsigned src_port, dst_port;
    double begin, time;
} choose_alarm;

// Returns the value of a member in a line of JSON, as detect writes it or a program that puts
// blanks around the colon, or NULL.
static inline const char *choose_value(const char *line, const char *name) {
    char wanted[32];
    const char *at = line;
    snprintf(wanted, sizeof wanted, "\"%s\"", name);
    while ((at = strstr(at, wanted)) != NULL) {
        at += strlen(wanted);
        at += strspn(at, " \t");
        if (*at == ':') return at + 1 + strspn(at + 1, " \t");
    }
    return NULL;
}

static inline int choose_number(const char *line, const char *name, double *value) {
    const char *at = choose_value(line, name);
    char *end = NULL;
    if (at) *value = strtod(at, &end);
    return at && end != at && *value > -1e300 && *value < 1e300;
}

static inline int choose_text(const char *line, const char *name, char *text, size_t size) {
    const char *at = choose_value(line, name), *end = at && *at == '"' ? strchr(++at, '"') : NULL;
    if (!end || (size_t)(end - at) >= size) return 0;
    memcpy(text, at, (size_t)(end - at));
    text[end - at] = 0;
    return 1;
}

// Reads one line. Returns 0 if it is not the alarm of a sequence.
static inline int choose_read(const char *line, choose_alarm *m) {
    char kind[16];
    double from, to;
    if (choose_text(line, "event_type", kind, sizeof kind) && strcmp(kind, "incident") == 0)
        return 0;
    if (!choose_text(line, "src_ip", m->src, sizeof m->src) ||
        !choose_text(line, "dest_ip", m->dst, sizeof m->dst) ||
        !choose_number(line, "src_port", &from) || !choose_number(line, "dest_port", &to) ||
        !choose_number(line, "begin", &m->begin) || !choose_number(line, "time", &m->time) ||
        !(from >= 0 && from < 65536 && to >= 0 && to < 65536))
        return 0;
    m->src_port = (unsigned)from;
    m->dst_port = (unsigned)to;
    return 1;
}

// Returns 1 if this is the sequence of the alarm: both endpoints are the same, and their times
// overlap, as an alarm may come before its sequence ends.
static inline int choose_is(const pktseq_scored *q, const choose_alarm *m) {
    int there = !strcmp(q->src, m->src) && !strcmp(q->dst, m->dst) && q->src_port == m->src_port &&
                q->dst_port == m->dst_port;
    int back = !strcmp(q->src, m->dst) && !strcmp(q->dst, m->src) && q->src_port == m->dst_port &&
               q->dst_port == m->src_port;
    return (there || back) && q->begin <= m->time + 1e-5 && q->time >= m->begin - 1e-5;
}

// Selects the sequences of the alarms in lines of JSON several times: so often that each of them is
// more than the share that may lie above the threshold, from 2 to 255 times, but not more often
// than all others together. Returns how many alarms are of no sequence here.
//   line   (size) text, which is changed
static inline size_t choose_harmless(chosen *c, const pktseq_table *table, double false_positives,
                                     char *line, size_t size) {
    size_t n = table->sequences, lost = 0;
    double weight = 2 + 1.5 * false_positives * (double)n, most;
    for (char *past = line + size, *end; line < past; line = end + 1) {
        choose_alarm m;
        size_t found = 0;
        end = (char *)memchr(line, '\n', (size_t)(past - line));
        if (!end) break;
        *end = 0;
        if (!choose_read(line, &m)) continue;
        for (size_t s = 0; s < n; ++s) {
            pktseq_scored q = pktseq_table_describe(table, s);
            if (!choose_is(&q, &m)) continue;
            c->marked += c->repeats[s] == 1;
            c->repeats[s] = 2;
            ++found;
        }
        lost += !found;
    }
    most = c->marked ? (double)(n / c->marked) : 0;
    if (weight > 255) weight = 255;
    if (weight > most) weight = most < 2 ? 2 : most;
    for (size_t s = 0; s < n; ++s)
        if (c->repeats[s] == 2) c->repeats[s] = (unsigned char)weight;
    return lost;
}

#endif  // CHOOSE_H
