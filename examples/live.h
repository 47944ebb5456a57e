// live.h - detect --live: reads a capture or CSV as it arrives and writes every alarm at once, as a
// line of text or of JSON. Include it after pktseq.h, output.h and alarm.h.
//
// One pass, in memory that does not grow with the number of packets, addresses or names.

#ifndef LIVE_H
#define LIVE_H

#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef OUTPUT_POSIX
#include <poll.h>
#endif

enum { LIVE_WINDOW = 1 << 16 };

typedef struct live {
    pktseq_guard *guard;
    FILE *file, *print;
    int json, failed, nothing, is_capture;  // nothing: no packet came
    double rate;             // of false alarms that the threshold is for; negative: unknown
    uint64_t judged;         // sequences that had ended when the traffic was judged last
    int drifted;
    const alarm_rules *rules;
    size_t ignored, bad_rows;
    struct incidents incidents;
    double now;              // time of the last packet
    time_t heard;            // when it arrived, by this machine's clock
    unsigned char window[LIVE_WINDOW];  // the first bytes, read to tell a capture from CSV
    size_t window_at, window_size;
    pktseq_error *err;
} live;

static volatile sig_atomic_t live_stop;

static void live_interrupt(int number) {
    (void)number;
    live_stop = 1;
}

// ---- verdicts: is traffic still as in calibration?

// Writes a verdict as a line of text or of JSON.
static void live_put_verdict(const live *l, FILE *file, const pktseq_verdict *v) {
    char text[768], time[40];
    verdict_text(text, v, l->rate);
    if (!l->json) {
        fprintf(file, "%s  verdict  %s%s\n", pktseq_time_text(l->now, time),
                v->drifted ? "" : "again ", text);
        return;
    }
    fputs("{\"timestamp\":", file);
    alarm_put_time(file, l->now);
    fprintf(file, ",\"event_type\":\"drift\",\"time\":%.6f,\"drift\":{\"drifted\":%s,"
                  "\"above\":%.4g,", l->now, v->drifted ? "true" : "false", v->above);
    if (l->rate >= 0) fprintf(file, "\"above_expected\":%.4g,", v->expected);
    fprintf(file, "\"unknown\":%.4g,\"unknown_expected\":%.4g,\"distance\":%.4g,\"verdict\":",
            v->unknown, v->unknown_expected, v->distance);
    alarm_put_string(file, text);
    fputs("}}\n", file);
}

// Judges the traffic after every 20 sequences, and reports when it begins to differ from what the
// model was calibrated on, and when it no longer does.
static void live_judge(live *l) {
    pktseq_verdict v;
    if (l->guard->watcher.sequences < l->judged + 20) return;
    l->judged = l->guard->watcher.sequences;
    if (pktseq_drift_verdict(&l->guard->watcher.drift, &l->guard->detector, l->rate, &v)) return;
    if (!v.judged || (v.drifted != 0) == l->drifted) return;
    l->drifted = v.drifted != 0;
    live_put_verdict(l, l->print, &v);
    fflush(l->print);
    l->failed |= ferror(l->print) != 0;
}

// ---- bytes as they come

// Reads what has arrived. While nothing comes, ends the sequences that are over.
static size_t live_read(void *user_data, void *to, size_t size, int *failed) {
    live *l = (live *)user_data;
    size_t got = l->window_size - l->window_at;
    if (got > 0) {
        if (got > size) got = size;
        memcpy(to, l->window + l->window_at, got);
        l->window_at += got;
        return got;
    }
#ifdef OUTPUT_POSIX
    for (;;) {
        struct pollfd wait;
        int ready;
        ptrdiff_t n;
        wait.fd = fileno(l->file);
        wait.events = POLLIN;
        ready = live_stop ? -1 : poll(&wait, 1, 1000);
        if (live_stop) return 0;
        if (ready < 0) continue;
        if (ready == 0) {
            if (l->heard)
                pktseq_guard_tick(l->guard, l->now + difftime(time(NULL), l->heard));
            live_judge(l);
            continue;
        }
        n = read(fileno(l->file), to, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) *failed = 1;
        return n < 0 ? 0 : (size_t)n;
    }
#else
    got = live_stop ? 0 : fread(to, 1, size, l->file);
    *failed = got == 0 && ferror(l->file);
    return got;
#endif
}

static inline void live_alarm(void *user_data, const pktseq_alarm *a) {
    live *l = (live *)user_data;
    const incident *x;
    if (alarm_ignored(l->rules, a)) {
        l->ignored += !a->repeated;
        return;
    }
    x = incident_add(&l->incidents, a);
    if (x && l->json) alarm_put_json(l->print, a, x->number);
    else if (x) alarm_put_text(l->print, a, x->number);
    fflush(l->print);
    l->failed |= !x || ferror(l->print) != 0;
}

// Writes the summary, at the end or when interrupted.
static void live_summary(live *l, FILE *file, const pktseq_capture_counts *counts) {
    const pktseq_watcher *w = &l->guard->watcher;
    size_t kept = incident_sort(&l->incidents);
    pktseq_drift drift = w->drift;
    pktseq_verdict v;
    char time[40], text[512], src[46], dst[46], ends[128], verdict[768];
    fprintf(file, "packets     %lu", (unsigned long)w->tracker.packets);
    if (counts->frames > counts->packets)
        fprintf(file, " of %lu frames; the others are no IP", (unsigned long)counts->frames);
    if (counts->incomplete) fprintf(file, "; the last one is cut off");
    if (l->bad_rows)
        fprintf(file, "; %lu row%s could not be read", (unsigned long)l->bad_rows,
                output_plural(l->bad_rows));
    fprintf(file, "\nsequences   %lu\n", (unsigned long)w->sequences);
    if (w->unknown)
        fprintf(file, "unknown     %lu packet%s a text that the model does not know\n",
                (unsigned long)w->unknown, w->unknown == 1 ? " has" : "s have");
    if (w->tracker.evicted_connections || w->tracker.evicted_packets || w->tracker.evicted_pairs ||
        w->tracker.evicted_contacts)
        fprintf(file, "forgotten   %lu connections, %lu pairs and %lu packets before their time: "
                      "the limits of the rule\n", (unsigned long)w->tracker.evicted_connections,
                (unsigned long)(w->tracker.evicted_pairs + w->tracker.evicted_contacts),
                (unsigned long)w->tracker.evicted_packets);
    if (!pktseq_drift_verdict(&drift, &l->guard->detector, l->rate, &v))
        fprintf(file, "verdict     %s\n", verdict_text(verdict, &v, l->rate));
    fprintf(file, "threshold   %.5g, of running scores and of scores at the end\n"
                  "anomalous   %lu of %lu sequences", w->options.threshold,
            (unsigned long)w->anomalous, (unsigned long)w->sequences);
    if (w->adapted)
        fprintf(file, "; the threshold was made anew %lu times", (unsigned long)w->adapted);
    if (l->ignored) fprintf(file, ", %lu of them ignored", (unsigned long)l->ignored);
    fprintf(file, "\nincidents   %lu\n", (unsigned long)l->incidents.count);
    for (size_t i = 0; i < kept && i < 20; ++i) {
        const incident *x = &l->incidents.list[i];
        pktseq_address_text(x->src, src);
        pktseq_address_text(x->dst, dst);
        incident_ends(x, src, dst, ends);
        fprintf(file, "%4lu  %.4g  from %s, %.1f s, %lu sequence%s, %s%s", (unsigned long)x->number,
                x->highest.score, pktseq_time_text(x->first, time), x->last - x->first,
                (unsigned long)x->sequences, output_plural(x->sequences), ends,
                x->highest.reasons ? "; " : "");
        if (x->highest.reasons) reason_text(&x->highest.reason[0], text);
        fprintf(file, "%s\n", x->highest.reasons ? text : "");
    }
}

// ---- packets

// Watches one packet. Returns 0 to continue.
static int live_packet(live *l, const pktseq_packet *packet) {
    pktseq_status status = pktseq_guard_watch(l->guard, packet, NULL);
    l->now = packet->time;
    l->heard = time(NULL);
    live_judge(l);
    if (status == PKTSEQ_ERROR_MEMORY) snprintf(l->err->text, sizeof l->err->text, "out of memory");
    return status == PKTSEQ_ERROR_MEMORY || live_stop || l->failed;
}

// Watches the packets of some rows of CSV, in their order. Returns 0 to continue.
static int live_rows(live *l, const pktseq_table *table) {
    static const char *const name[] = {
        "timestamp", "length", "src_port", "dst_port", "transport", "icmp_type", "icmp_code",
        "icmp_id",   "fin",    "syn",      "reset",    "push",      "ack",       "urg",
        "ecn",       "cwr",    "ns",       "res"};
    const pktseq_column *column[18], *src = pktseq_table_column(table, "src_ip");
    const pktseq_column *dst = pktseq_table_column(table, "dst_ip");
    const pktseq_column *protocol = pktseq_table_column(table, "protocol");
    size_t *order = (size_t *)malloc((table->counts.packets + 1) * sizeof *order);
    int stop = !order;
    for (int i = 0; i < 18; ++i) column[i] = pktseq_table_column(table, name[i]);
    for (size_t i = 0; order && i < table->counts.packets; ++i) order[i] = table->rows;
    for (size_t row = 0; order && row < table->rows; ++row)
        order[table->source_row ? table->source_row[row] : row] = row;
    for (size_t i = 0; order && i < table->counts.packets && !stop; ++i) {
        size_t row = order[i];
        pktseq_packet p;
        if (row == table->rows) continue;
        memset(&p, 0, sizeof p);
        p.time = pktseq_column_number(column[0], row);
        p.length = pktseq_column_number(column[1], row);
        p.src_port = (uint16_t)pktseq_column_number(column[2], row);
        p.dst_port = (uint16_t)pktseq_column_number(column[3], row);
        p.transport = column[4] ? (uint8_t)pktseq_column_number(column[4], row) : 6;
        p.icmp_type = (uint8_t)pktseq_column_number(column[5], row);
        p.icmp_code = (uint8_t)pktseq_column_number(column[6], row);
        p.icmp_id = (uint16_t)pktseq_column_number(column[7], row);
        for (int f = 0; f < 10; ++f)
            p.flags |= (uint16_t)((pktseq_column_number(column[8 + f], row) != 0) << f);
        alarm_address(pktseq_column_text(src, row), p.src);
        alarm_address(pktseq_column_text(dst, row), p.dst);
        p.protocol = protocol ? pktseq_column_text(protocol, row) : "";
        stop = live_packet(l, &p);
    }
    free(order);
    return stop;
}

// Reads CSV: the whole rows that have arrived are parsed as a small file with the same header.
static int live_csv(live *l) {
    static const pktseq_field field[] = {
        {"timestamp", PKTSEQ_NUMBER, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
        {"length", PKTSEQ_NUMBER, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0}};
    static const char *const keep[] = {"protocol", "res", "ns", "cwr", "ecn", "urg", "push"};
    pktseq_schema schema;
    char *text = NULL;
    size_t size = 0, capacity = 0, header = 0;
    int failed = 0, stop = 0, ended = 0, first = 1;
    memset(&schema, 0, sizeof schema);
    schema.field = field;
    schema.field_count = 2;
    schema.keep = keep;
    schema.keep_count = sizeof keep / sizeof *keep;
    schema.rule = pktseq_rule_connection();
    schema.rule.tcp_only = l->guard->watcher.tracker.rule.tcp_only;
    schema.bad_rows = 1;
    while (!ended && !stop) {
        size_t got, whole, quotes = 0;
        pktseq_table table;
        pktseq_status status;
        if (capacity - size < LIVE_WINDOW) {
            size_t to = 2 * capacity + 2 * LIVE_WINDOW;
            char *larger = to > (size_t)1 << 27 ? NULL : (char *)realloc(text, to);
            if (!larger) {
                snprintf(l->err->text, sizeof l->err->text, "a row is too long, or out of memory");
                stop = 1;
                break;
            }
            text = larger;
            capacity = to;
        }
        got = live_read(l, text + size, LIVE_WINDOW, &failed);
        ended = got == 0;
        size += got;
        if (!header) {
            const char *line = (const char *)memchr(text, '\n', size);
            header = line ? (size_t)(line - text) + 1 : 0;
            if (header && strncmp(text, "position", 8) == 0) {
                snprintf(l->err->text, sizeof l->err->text,
                         "the file has a column \"position\": its sequences are cut already, so "
                         "give it as a file, without --live and --json");
                stop = 1;
            }
        }
        for (whole = size; whole > header && !ended && text[whole - 1] != '\n';) --whole;
        for (size_t i = header; i < whole; ++i) quotes += text[i] == '"';
        // input that ends without a whole row is parsed, too, to say what is wrong with it
        if (stop || (!(ended && first && size && !live_stop) &&
                     (!header || whole == header || (quotes % 2 && !ended))))
            continue;
        status = pktseq_table_parse(&table, text, whole, &schema, NULL, l->err);
        if (status == PKTSEQ_OK) {
            l->bad_rows += table.counts.packets - table.rows;
            stop = live_rows(l, &table);
        } else if (first || status != PKTSEQ_ERROR_DATA) {
            stop = 1;
        } else {
            for (size_t i = header; i < whole; ++i) l->bad_rows += text[i] == '\n';
        }
        if (status == PKTSEQ_OK || stop == 0) l->err->text[0] = 0;
        first = 0;
        pktseq_table_free(&table);
        memmove(text + header, text + whole, size - whole);
        size -= whole - header;
    }
    if (failed) snprintf(l->err->text, sizeof l->err->text, "the packets cannot be read");
    free(text);
    return failed || (stop && l->err->text[0]);
}

// Reads a capture, frame by frame.
static int live_capture(live *l, pktseq_capture *capture) {
    pktseq_packet packet;
    pktseq_status status = pktseq_capture_init(capture, live_read, l, NULL, l->err);
    while (status == PKTSEQ_OK) {
        status = pktseq_capture_next(capture, &packet, l->err);
        if (status == PKTSEQ_OK && live_packet(l, &packet)) status = PKTSEQ_END;
    }
    pktseq_capture_free(capture);
    return status != PKTSEQ_END;
}

// Waits for the first bytes, which tell a capture from CSV; none come from an empty stream.
static inline void live_begin(live *l, FILE *summary) {
    const char *names;
    int failed = 0;
    signal(SIGINT, live_interrupt);
    signal(SIGTERM, live_interrupt);
    while (l->window_size < 4) {
        unsigned char some[4096];
        size_t got;
        l->window_at = l->window_size;
        got = live_read(l, some, sizeof some, &failed);
        if (got == 0) break;
        memcpy(l->window + l->window_size, some, got);
        l->window_size += got;
    }
    l->window_at = 0;
    l->is_capture = l->window_size >= 4 && pktseq_capture_magic(l->window, l->window_size);
    names = input_names(l->guard->codec.naming,
                        l->is_capture ? PKTSEQ_NAMING_PORTS : PKTSEQ_NAMING_DISSECTOR);
    if (names && l->window_size) fprintf(summary, "warning     %s\n", names);
}

// Follows a stream to its end, or until interrupted. Returns 0 on success; else l->err says why.
static inline int live_run(live *l, FILE *summary) {
    pktseq_capture capture;
    int bad;
    memset(&capture, 0, sizeof capture);
    l->err->text[0] = 0;
    fflush(summary);
    bad = l->is_capture ? live_capture(l, &capture) : live_csv(l);
    pktseq_guard_tick(l->guard, HUGE_VAL);
    live_judge(l);
    if (!bad && !live_stop && !l->guard->watcher.tracker.packets && !capture.counts.frames) {
        l->nothing = bad = 1;
        snprintf(l->err->text, sizeof l->err->text, "no packet came");
    }
    if (!output_pipe_closed && (!bad || l->guard->watcher.tracker.packets))
        live_summary(l, summary, &capture.counts);
    l->failed = l->failed && !output_pipe_closed;  // whoever closed the pipe misses nothing
    if (l->failed) snprintf(l->err->text, sizeof l->err->text, "cannot write to standard output");
    return bad || l->failed;
}

#endif
