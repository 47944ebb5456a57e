// live.h - detect while packets come: a capture or CSV is read as it arrives, and every alarm is a
// line of text or of JSON, at once. Include it after pktseq.h and output.h.
//
// One pass, memory that does not grow with the number of packets, addresses or names.

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

enum { LIVE_INCIDENTS = 1024, LIVE_RULES = 1024, LIVE_WINDOW = 1 << 16 };

// Alarms that belong together: between the same two addresses, or from one source to many, each
// within a minute of the one before.
typedef struct live_incident {
    size_t number;
    unsigned char src[16], dst[16];
    int many;                // destinations
    double first, last, score;
    size_t alarms;
    char reason[112];        // of the highest score
} live_incident;

// What is not shown: both ends of a pair, an address or network (bits of it), or a port.
typedef struct live_rule {
    unsigned char address[2][16];
    int bits[2];             // -1: no such address
    int port;                // -1: none
} live_rule;

typedef struct live {
    pktseq_watcher watcher;
    FILE *file, *print;
    int json, failed, nothing;  // nothing: no packet came
    pktseq_names names;      // how the model's data named protocols
    live_rule rule[LIVE_RULES];
    size_t rules, ignored, bad_rows;
    live_incident incident[LIVE_INCIDENTS];
    size_t incidents;        // so far; number n lies at n % LIVE_INCIDENTS
    double now;              // time of the last packet
    time_t heard;            // when it came, by this machine's clock
    unsigned char window[LIVE_WINDOW];  // bytes that were read to find out what comes
    size_t window_at, window_size;
    pktseq_error *err;
} live;

static volatile sig_atomic_t live_stop;

static void live_interrupt(int number) {
    (void)number;
    live_stop = 1;
}

// ---- bytes as they come

// Reads what there is. While nothing comes, sequences that are over are ended.
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
                pktseq_watcher_tick(&l->watcher, l->now + difftime(time(NULL), l->heard));
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

// ---- addresses

// Reads "10.0.0.1" or "2001:db8::1" into 16 bytes. 0 if it is neither.
static int live_address_parse(const char *text, unsigned char address[16]) {
    unsigned part[8] = {0}, a, b, c, d;
    int count = 0, gap = -1, used = 0;
    memset(address, 0, 16);
    if (sscanf(text, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &used) == 4 && !text[used] &&
        a < 256 && b < 256 && c < 256 && d < 256) {
        address[10] = address[11] = 255;
        address[12] = (unsigned char)a;
        address[13] = (unsigned char)b;
        address[14] = (unsigned char)c;
        address[15] = (unsigned char)d;
        return 1;
    }
    if (text[0] == ':' && text[1] == ':') {
        gap = 0;
        text += 2;
    }
    while (*text && count < 8) {
        char *end;
        unsigned long v = strtoul(text, &end, 16);
        if (end == text || end > text + 4 || strchr("+- \t", *text)) return 0;
        part[count++] = (unsigned)v;
        text = end;
        if (!*text) break;
        if (*text++ != ':') return 0;
        if (*text == ':' && gap < 0) {
            gap = count;
            ++text;
        } else if (!*text) {
            return 0;
        }
    }
    if (*text || (gap < 0 && count != 8)) return 0;
    for (int i = 0; i < count; ++i) {
        int at = gap >= 0 && i >= gap ? 8 - count + i : i;
        address[2 * at] = (unsigned char)(part[i] >> 8);
        address[2 * at + 1] = (unsigned char)part[i];
    }
    return 1;
}

// An address of CSV; a name becomes a number that no other name is likely to have.
static void live_address(const char *text, unsigned char address[16]) {
    uint64_t a = 0xcbf29ce484222325u, b = 0x9e3779b97f4a7c15u;
    if (live_address_parse(text, address)) return;
    for (; *text; ++text) {
        a = (a ^ (unsigned char)*text) * 0x100000001b3u;
        b = (b ^ (unsigned char)*text) * 0xff51afd7ed558ccdu;
        b ^= b >> 29;
    }
    for (int i = 0; i < 8; ++i) {
        address[i] = (unsigned char)(a >> (8 * i));
        address[8 + i] = (unsigned char)(b >> (8 * i));
    }
    address[0] = 0xfd;  // among the local ones
}

// ---- what is not shown

// Reads "10.0.0.0/8" or an address. 0 if it is neither.
static int live_network(const char *text, unsigned char address[16], int *bits) {
    char copy[64];
    char *slash;
    if (strlen(text) >= sizeof copy) return 0;
    strcpy(copy, text);
    slash = strchr(copy, '/');
    if (slash) *slash = 0;
    if (!live_address_parse(copy, address)) return 0;
    *bits = 128;
    if (!slash) return 1;
    *bits = strchr(copy, ':') ? 0 : 96;
    if (!slash[1] || strspn(slash + 1, "0123456789") != strlen(slash + 1)) return 0;
    *bits += atoi(slash + 1);
    return *bits <= 128;
}

// Reads a file of rules, one a line: an address, a network, two of them (a pair), or "port N"; what
// follows # is a remark. Returns 0, or the number of the line that is wrong; -1 without a file.
static int live_rules_read(live *l, const char *path) {
    char line[256], word[3][64];
    FILE *file = fopen(path, "r");
    int number = 0, bad = 0;
    if (!file) return -1;
    while (!bad && fgets(line, sizeof line, file)) {
        live_rule *rule = &l->rule[l->rules];
        int words;
        ++number;
        line[strcspn(line, "#\r\n")] = 0;
        words = sscanf(line, "%63s %63s %63s", word[0], word[1], word[2]);
        if (words < 1) continue;
        memset(rule, 0, sizeof *rule);
        rule->bits[0] = rule->bits[1] = rule->port = -1;
        bad = words > 2 || l->rules + 1 >= LIVE_RULES;
        if (!bad && words == 2 && strcmp(word[0], "port") == 0) {
            bad = strspn(word[1], "0123456789") != strlen(word[1]) || strlen(word[1]) > 5;
            rule->port = bad ? -1 : atoi(word[1]);
        } else {
            for (int i = 0; i < words && !bad; ++i)
                bad = !live_network(word[i], rule->address[i], &rule->bits[i]);
        }
        ++l->rules;
    }
    fclose(file);
    return bad ? number : 0;
}

// Are the first bits of two addresses alike?
static int live_within(const unsigned char *a, const unsigned char *network, int bits) {
    int bytes = bits / 8, rest = bits % 8;
    return memcmp(a, network, (size_t)bytes) == 0 &&
           (rest == 0 || (a[bytes] ^ network[bytes]) >> (8 - rest) == 0);
}

static int live_ignores(const live *l, const pktseq_alarm *a) {
    for (size_t i = 0; i < l->rules; ++i) {
        const live_rule *r = &l->rule[i];
        int src, dst;
        if (r->port >= 0 && (a->src_port == r->port || a->dst_port == r->port)) return 1;
        if (r->port >= 0 || r->bits[0] < 0) continue;
        src = live_within(a->src, r->address[0], r->bits[0]);
        dst = live_within(a->dst, r->address[0], r->bits[0]);
        if (r->bits[1] < 0 && (src || dst)) return 1;
        if (r->bits[1] >= 0 && ((src && live_within(a->dst, r->address[1], r->bits[1])) ||
                                (dst && live_within(a->src, r->address[1], r->bits[1]))))
            return 1;
    }
    return 0;
}

// ---- incidents

static live_incident *live_incident_of(live *l, const pktseq_alarm *a) {
    size_t kept = l->incidents < LIVE_INCIDENTS ? l->incidents : (size_t)LIVE_INCIDENTS;
    live_incident *found = NULL;
    for (size_t k = 0; k < kept && !found; ++k) {  // the most recent first
        live_incident *i = &l->incident[(l->incidents - 1 - k) % LIVE_INCIDENTS];
        int source = memcmp(i->src, a->src, 16) == 0;
        if (fabs(a->time - i->last) > 60) continue;
        if (source || (!i->many && memcmp(i->src, a->dst, 16) == 0 &&
                       memcmp(i->dst, a->src, 16) == 0))
            found = i;
        if (found && source) i->many |= memcmp(i->dst, a->dst, 16) != 0;
    }
    if (!found) {
        found = &l->incident[l->incidents % LIVE_INCIDENTS];
        memset(found, 0, sizeof *found);
        found->number = ++l->incidents;
        memcpy(found->src, a->src, 16);
        memcpy(found->dst, a->dst, 16);
        found->first = found->last = a->time;
    }
    if (!a->again) ++found->alarms;
    if (a->time > found->last) found->last = a->time;  // a sequence's end is told later
    if (a->time < found->first) found->first = a->time;
    if (a->score > found->score) {
        found->score = a->score;
        if (a->reasons)
            snprintf(found->reason, sizeof found->reason, "%.16s: expected %.24s, seen %.24s",
                     a->reason[0].column, a->reason[0].expected, a->reason[0].seen);
    }
    return found;
}

// ---- community id   source: github.com/corelight/community-id-spec, version 1

static uint32_t live_rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

// SHA-1 of at most 55 bytes: one block.   source: RFC 3174
static void live_sha1(const unsigned char *data, size_t size, unsigned char digest[20]) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, s[5], w[80];
    unsigned char block[64] = {0};
    memcpy(block, data, size);
    block[size] = 0x80;
    block[62] = (unsigned char)(size >> 5);
    block[63] = (unsigned char)(size << 3);
    for (int t = 0; t < 80; ++t) {
        const unsigned char *b = block + 4 * t;
        w[t] = t < 16 ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]
                      : live_rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    }
    memcpy(s, h, sizeof s);
    for (int t = 0; t < 80; ++t) {
        uint32_t f = t < 20   ? ((s[1] & s[2]) | (~s[1] & s[3])) + 0x5a827999
                     : t < 40 ? (s[1] ^ s[2] ^ s[3]) + 0x6ed9eba1
                     : t < 60 ? ((s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3])) + 0x8f1bbcdc
                              : (s[1] ^ s[2] ^ s[3]) + 0xca62c1d6;
        f += live_rotate(s[0], 5) + s[4] + w[t];
        s[4] = s[3];
        s[3] = s[2];
        s[2] = live_rotate(s[1], 30);
        s[1] = s[0];
        s[0] = f;
    }
    for (int i = 0; i < 20; ++i)
        digest[i] = (unsigned char)((h[i / 4] + s[i / 4]) >> (24 - 8 * (i % 4)));
}

// The two numbers that stand for ports: those of ICMP are the type and that of its answer, or the
// code where there is none. Returns 1 if the ends keep their order.
static int live_community_ports(const pktseq_alarm *a, unsigned port[2]) {
    static const unsigned char answer[][3] = {
        {1, 8, 0},      {1, 13, 14},    {1, 15, 16},    {1, 10, 9},     {1, 17, 18},
        {58, 128, 129}, {58, 133, 134}, {58, 135, 136}, {58, 130, 131}, {58, 144, 145},
        {58, 139, 140}};
    port[0] = a->src_port;
    port[1] = a->dst_port;
    if (a->transport != 1 && a->transport != 58) return 0;
    port[0] = a->icmp_type;
    port[1] = a->icmp_code;
    for (size_t i = 0; i < sizeof answer / sizeof *answer; ++i)
        for (int back = 0; back < 2; ++back)
            if (answer[i][0] == a->transport && answer[i][1 + back] == a->icmp_type) {
                port[1] = answer[i][2 - back];
                return 0;
            }
    return 1;
}

static void live_community_id(const pktseq_alarm *a, char text[32]) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const unsigned char v4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};
    int is4 = memcmp(a->src, v4, 12) == 0 && memcmp(a->dst, v4, 12) == 0;
    size_t from = is4 ? 12 : 0, size = 16 - from, n = 2;
    unsigned port[2];
    unsigned char data[48] = {0}, digest[21] = {0};
    int keep = live_community_ports(a, port), order = memcmp(a->src, a->dst, 16);
    int swap = !keep && (order > 0 || (order == 0 && port[0] > port[1]));
    memcpy(data + n, (swap ? a->dst : a->src) + from, size);
    n += size;
    memcpy(data + n, (swap ? a->src : a->dst) + from, size);
    n += size;
    data[n++] = a->transport;
    data[n++] = 0;
    if (a->transport == 6 || a->transport == 17 || a->transport == 132 || a->transport == 1 ||
        a->transport == 58)
        for (int i = 0; i < 2; ++i) {
            data[n++] = (unsigned char)(port[i ^ swap] >> 8);
            data[n++] = (unsigned char)port[i ^ swap];
        }
    live_sha1(data, n, digest);
    strcpy(text, "1:");
    for (size_t i = 0; i < 28; ++i) {
        uint32_t three = (uint32_t)digest[i / 4 * 3] << 16 | (uint32_t)digest[i / 4 * 3 + 1] << 8 |
                         (i < 24 ? digest[i / 4 * 3 + 2] : 0u);
        text[2 + i] = digit[three >> (18 - 6 * (i % 4)) & 63];
    }
    text[29] = '=';
    text[30] = 0;
}

// ---- what is printed

static const char *live_transport(unsigned transport, char text[16]) {
    static const struct {
        unsigned number;
        const char *name;
    } known[] = {{1, "ICMP"}, {6, "TCP"}, {17, "UDP"}, {58, "IPv6-ICMP"}, {132, "SCTP"},
                 {47, "GRE"}, {50, "ESP"}, {2, "IGMP"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (known[i].number == transport) return known[i].name;
    sprintf(text, "%03u", transport & 255);
    return text;
}

// A text as a string of JSON.
static void live_put_string(FILE *file, const char *text) {
    fputc('"', file);
    while (*text) {
        unsigned long code;
        size_t size = output_utf8((const unsigned char *)text, &code);
        if (size == 0) fputc('?', file);
        else if (code < 32 || code == 127) fprintf(file, "\\u%04lx", code);
        else if (*text == '"' || *text == '\\') fprintf(file, "\\%c", *text);
        else fwrite(text, 1, size, file);
        text += size ? size : 1;
    }
    fputc('"', file);
}

// ISO 8601 as Suricata writes it, whatever the capture counts from.
static void live_put_time(FILE *file, double seconds) {
    double whole = floor(seconds), micros = floor((seconds - whole) * 1e6 + 0.5);
    long micro = micros < 1e6 ? (long)micros : (++whole, 0);
    int64_t day = (int64_t)floor(whole / 86400), era, y, m, d, doe, yoe, doy;
    long left = (long)(whole - (double)day * 86400);
    day += 719468;  // source: Hinnant, howardhinnant.github.io/date_algorithms.html
    era = (day >= 0 ? day : day - 146096) / 146097;
    doe = day - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    m = (5 * doy + 2) / 153;
    d = doy - (153 * m + 2) / 5 + 1;
    m = m < 10 ? m + 3 : m - 9;
    y = yoe + era * 400 + (m <= 2);
    fprintf(file, "\"%04ld-%02d-%02dT%02ld:%02ld:%02ld.%06ld+0000\"", (long)y, (int)m, (int)d,
            left / 3600, left / 60 % 60, left % 60, micro);
}

// One object a line; names as in Suricata's EVE.
static void live_print_json(FILE *file, const pktseq_alarm *a, size_t incident) {
    char text[64], transport[16];
    fputs("{\"timestamp\":", file);
    live_put_time(file, a->time);
    fprintf(file, ",\"event_type\":\"anomaly\",\"time\":%.6f,\"begin\":%.6f,\"src_ip\":\"",
            a->time, a->begin);
    pktseq_address_text(text, a->src);
    fprintf(file, "%s\",\"src_port\":%u,\"dest_ip\":\"", text, (unsigned)a->src_port);
    pktseq_address_text(text, a->dst);
    fprintf(file, "%s\",\"dest_port\":%u,\"proto\":\"%s\",\"app_proto\":", text,
            (unsigned)a->dst_port, live_transport(a->transport, transport));
    live_put_string(file, a->protocol);
    live_community_id(a, text);
    fprintf(file, ",\"community_id\":\"%s\",\"flow_id\":%lu,\"packets\":%lu,\"bytes\":%.0f,"
                  "\"score\":%.9g,\"threshold\":%.9g,\"ended\":%s,\"again\":%s,\"incident\":%lu,"
                  "\"reasons\":[", text, (unsigned long)a->connection, (unsigned long)a->packets,
            a->bytes, a->score, a->threshold, a->ended ? "true" : "false",
            a->again ? "true" : "false", (unsigned long)incident);
    for (size_t i = 0; i < a->reasons; ++i) {
        fprintf(file, "%s{\"column\":", i ? "," : "");
        live_put_string(file, a->reason[i].column);
        fprintf(file, ",\"share\":%.4g,\"packet\":%lu,\"expected\":", a->reason[i].share,
                (unsigned long)a->reason[i].packet);
        live_put_string(file, a->reason[i].expected);
        fputs(",\"seen\":", file);
        live_put_string(file, a->reason[i].seen);
        fputc('}', file);
    }
    fputs("]}\n", file);
}

static void live_print_text(FILE *file, const pktseq_alarm *a, size_t incident) {
    char src[46], dst[46], ends[128], time[40], text[16], protocol[24], line[1024];
    int n;
    pktseq_address_text(src, a->src);
    pktseq_address_text(dst, a->dst);
    output_ends(ends, sizeof ends, src, a->src_port, dst, a->dst_port);
    strcpy(protocol, a->protocol);
    n = snprintf(line, sizeof line, "%s  %.4g%s  incident %lu  %s %s %s, %lu packet%s, "
                                    "%.0f bytes", pktseq_time_text(time, a->time), a->score,
                 a->ended ? " at its end" : "", (unsigned long)incident,
                 live_transport(a->transport, text), ends, protocol, (unsigned long)a->packets,
                 output_plural(a->packets), a->bytes);
    for (size_t i = 0; i < a->reasons && n > 0 && (size_t)n < sizeof line; ++i)
        n += snprintf(line + n, sizeof line - (size_t)n,
                      "; %s %.0f %%: packet %lu expected %s, seen %s", a->reason[i].column,
                      100 * a->reason[i].share, (unsigned long)a->reason[i].packet,
                      a->reason[i].expected, a->reason[i].seen);
    output_make_printable(line, 0);
    fprintf(file, "%s\n", line);
}

static inline void live_alarm(void *user_data, const pktseq_alarm *a) {
    live *l = (live *)user_data;
    live_incident *incident;
    if (live_ignores(l, a)) {
        l->ignored += !a->again;
        return;
    }
    incident = live_incident_of(l, a);
    if (l->json) live_print_json(l->print, a, incident->number);
    else live_print_text(l->print, a, incident->number);
    fflush(l->print);
    l->failed |= ferror(l->print) != 0;
}

// For sorting: the highest score first, then the earliest.
static int live_compare(const void *a, const void *b) {
    const live_incident *x = (const live_incident *)a, *y = (const live_incident *)b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->number > y->number) - (x->number < y->number);
}

// At the end, or when somebody stops it.
static void live_summary(live *l, FILE *file, const pktseq_capture_counts *counts) {
    const pktseq_watcher *w = &l->watcher;
    size_t kept = l->incidents < LIVE_INCIDENTS ? l->incidents : (size_t)LIVE_INCIDENTS;
    char src[46], dst[46], time[40];
    fprintf(file, "packets     %lu", (unsigned long)w->tracker.packets);
    if (counts->frames > counts->packets)
        fprintf(file, " of %lu frames; the others are no IP", (unsigned long)counts->frames);
    if (l->bad_rows) fprintf(file, "; %lu rows could not be read", (unsigned long)l->bad_rows);
    fprintf(file, "\nsequences   %lu\n", (unsigned long)w->sequences);
    if (w->unknown)
        fprintf(file, "unknown     %lu packet%s a text that the model does not know\n",
                (unsigned long)w->unknown, w->unknown == 1 ? " has" : "s have");
    if (w->tracker.evicted_connections || w->tracker.evicted_packets || w->tracker.evicted_pairs)
        fprintf(file, "forgotten   %lu connections, %lu pairs and %lu packets before their time: "
                      "the limits of the rule\n", (unsigned long)w->tracker.evicted_connections,
                (unsigned long)w->tracker.evicted_pairs,
                (unsigned long)w->tracker.evicted_packets);
    fprintf(file, "threshold   %.5g, of running scores\nanomalous   %lu of %lu sequences",
            w->options.threshold, (unsigned long)w->anomalous, (unsigned long)w->sequences);
    if (l->ignored) fprintf(file, ", %lu of them ignored", (unsigned long)l->ignored);
    fprintf(file, "\nincidents   %lu\n", (unsigned long)l->incidents);
    qsort(l->incident, kept, sizeof *l->incident, live_compare);
    for (size_t i = 0; i < kept && i < 20; ++i) {
        const live_incident *x = &l->incident[i];
        pktseq_address_text(src, x->src);
        pktseq_address_text(dst, x->dst);
        fprintf(file, "%4lu  %.4g  from %s, %.1f s, %lu alarm%s, %s > %s%s; %s\n",
                (unsigned long)x->number, x->score, pktseq_time_text(time, x->first),
                x->last - x->first, (unsigned long)x->alarms, output_plural(x->alarms), src, dst,
                x->many ? " and others" : "", x->reason);
    }
}

// ---- packets

// One packet, from wherever. 0 = go on
static int live_packet(live *l, const pktseq_packet *packet) {
    pktseq_status status = pktseq_watcher_push(&l->watcher, packet);
    l->now = packet->time;
    l->heard = time(NULL);
    if (status == PKTSEQ_ERROR_MEMORY) snprintf(l->err->text, sizeof l->err->text, "out of memory");
    return status == PKTSEQ_ERROR_MEMORY || live_stop || l->failed;
}

// A number of a table's row, or 0.
static double live_cell(const pktseq_column *column, size_t row) {
    return column && column->number ? column->number[row] : 0;
}

// The packets of some rows of CSV, in their order. 0 = go on
static int live_rows(live *l, const pktseq_table *table) {
    static const char *const name[] = {
        "timestamp", "length", "src_port", "dst_port", "transport", "icmp_type", "icmp_code",
        "icmp_id",   "fin",    "syn",      "reset",    "push",      "ack",       "urg",
        "ecn",       "cwr",    "ns",       "res"};
    const pktseq_column *column[18], *src = pktseq_table_column(table, "src_ip");
    const pktseq_column *dst = pktseq_table_column(table, "dst_ip");
    const pktseq_column *protocol = pktseq_table_column(table, "protocol");
    size_t *order = (size_t *)malloc((table->cut.packets + 1) * sizeof *order);
    int stop = !order;
    for (int i = 0; i < 18; ++i) column[i] = pktseq_table_column(table, name[i]);
    for (size_t i = 0; order && i < table->cut.packets; ++i) order[i] = table->rows;
    for (size_t row = 0; order && row < table->rows; ++row)
        order[table->source_row ? table->source_row[row] : row] = row;
    for (size_t i = 0; order && i < table->cut.packets && !stop; ++i) {
        size_t row = order[i];
        pktseq_packet p;
        if (row == table->rows) continue;
        memset(&p, 0, sizeof p);
        p.time = live_cell(column[0], row);
        p.length = live_cell(column[1], row);
        p.src_port = (uint16_t)live_cell(column[2], row);
        p.dst_port = (uint16_t)live_cell(column[3], row);
        p.transport = column[4] ? (uint8_t)live_cell(column[4], row) : 6;
        p.icmp_type = (uint8_t)live_cell(column[5], row);
        p.icmp_code = (uint8_t)live_cell(column[6], row);
        p.icmp_id = (uint16_t)live_cell(column[7], row);
        for (int f = 0; f < 10; ++f)
            p.flags |= (uint16_t)((live_cell(column[8 + f], row) != 0) << f);
        live_address(src->names[src->text[row]], p.src);
        live_address(dst->names[dst->text[row]], p.dst);
        p.protocol = protocol ? protocol->names[protocol->text[row]] : "";
        stop = live_packet(l, &p);
    }
    free(order);
    return stop;
}

// CSV: as many whole rows as have come are read as a small file with the same header.
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
    schema.rule.tcp_only = l->watcher.tracker.rule.tcp_only;
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
        if (stop || !header || whole == header || (quotes % 2 && !ended)) continue;
        status = pktseq_table_parse(&table, text, whole, &schema, NULL, l->err);
        if (status == PKTSEQ_OK) {
            l->bad_rows += table.cut.packets - table.rows;
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

// A capture, frame by frame.
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

// Follows a stream to its end, or until it is interrupted. 0 = all is well; else l->err says why
static inline int live_run(live *l, FILE *summary) {
    pktseq_capture capture;
    const char *names;
    int failed = 0, bad, is_capture;
    memset(&capture, 0, sizeof capture);
    l->err->text[0] = 0;
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
    is_capture = l->window_size >= 4 && pktseq_capture_magic(l->window, l->window_size);
    names = input_names(l->names, is_capture ? PKTSEQ_NAMES_PORTS : PKTSEQ_NAMES_DISSECTOR);
    if (names) fprintf(summary, "warning     %s\n", names);
    fflush(summary);
    bad = is_capture ? live_capture(l, &capture) : live_csv(l);
    pktseq_watcher_tick(&l->watcher, HUGE_VAL);
    if (!bad && !live_stop && !l->watcher.tracker.packets && !capture.counts.frames) {
        l->nothing = bad = 1;
        snprintf(l->err->text, sizeof l->err->text, "no packet came");
    }
    if (!output_pipe_closed && (!bad || l->watcher.tracker.packets))
        live_summary(l, summary, &capture.counts);
    l->failed = l->failed && !output_pipe_closed;  // who reads no more misses nothing
    if (l->failed) snprintf(l->err->text, sizeof l->err->text, "cannot write to standard output");
    return bad || l->failed;
}

#endif
