// alarm.h - detect's alarms, of files and live traffic: which are not shown, which belong to one
// incident, and how they are written, as text and as JSON. Include it after pktseq.h and output.h.

#ifndef ALARM_H
#define ALARM_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- addresses

// Parses "10.0.0.1" or "2001:db8::1" into 16 bytes. Returns 0 if it is neither.
static int alarm_address_parse(const char *text, unsigned char address[16]) {
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

// Parses an address from CSV. A name becomes a hash, which no other name is likely to have.
static void alarm_address(const char *text, unsigned char address[16]) {
    uint64_t a = 0xcbf29ce484222325u, b = 0x9e3779b97f4a7c15u;
    if (alarm_address_parse(text, address)) return;
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

enum { ALARM_RULES = 1024 };

// A rule for alarms that are not shown: both ends of a pair, an address or network, or a port.
typedef struct alarm_rule {
    unsigned char address[2][16];
    int bits[2];             // -1: no such address
    int port;                // -1: none
} alarm_rule;

typedef struct alarm_rules {
    alarm_rule rule[ALARM_RULES];
    size_t count;
} alarm_rules;

// Returns the number that a string of digits is; -1 if it is none or above max, below 10^5.
static int alarm_digits(const char *text, int max) {
    size_t digits = strspn(text, "0123456789");
    return digits && digits < 6 && !text[digits] && atoi(text) <= max ? atoi(text) : -1;
}

// Parses "10.0.0.0/8" or an address. Returns 0 if it is neither.
static int alarm_network(const char *text, unsigned char address[16], int *bits) {
    char copy[64];
    char *slash;
    int length = 0;
    if (strlen(text) >= sizeof copy) return 0;
    strcpy(copy, text);
    slash = strchr(copy, '/');
    if (slash) *slash = 0;
    if (!alarm_address_parse(copy, address)) return 0;
    *bits = slash && !strchr(copy, ':') ? 96 : 0;
    if (slash) length = alarm_digits(slash + 1, 128 - *bits);
    *bits = slash ? *bits + length : 128;
    return length >= 0;
}

// Reads a file of rules, one per line: an address, a network, two of them (a pair), or "port N"; #
// begins a comment. Returns 0, or the number of the line that is wrong, longer than `line` or
// beyond ALARM_RULES; -1 if the file cannot be read.
static int alarm_rules_read(alarm_rules *rules, const char *path) {
    char line[256], word[3][64];
    FILE *file = fopen(path, "r");
    int number = 0, bad = 0;
    if (!file) return -1;
    while (!bad && fgets(line, sizeof line, file)) {
        alarm_rule *rule = &rules->rule[rules->count];
        int words;
        ++number;
        bad = !strchr(line, '\n') && !feof(file);
        line[strcspn(line, "#\r\n")] = 0;
        words = sscanf(line, "%63s %63s %63s", word[0], word[1], word[2]);
        if (words < 1 || bad) continue;
        memset(rule, 0, sizeof *rule);
        rule->bits[0] = rule->bits[1] = rule->port = -1;
        bad = words > 2 || rules->count + 1 >= ALARM_RULES;  // the last one is for what is refused
        if (!bad && words == 2 && strcmp(word[0], "port") == 0) {
            rule->port = alarm_digits(word[1], 65535);
            bad = rule->port < 0;
        } else {
            for (int i = 0; i < words && !bad; ++i)
                bad = !alarm_network(word[i], rule->address[i], &rule->bits[i]);
        }
        ++rules->count;
    }
    if (!bad && ferror(file)) number = bad = -1;
    fclose(file);
    return bad ? number : 0;
}

// Returns 1 if the first bits of two addresses are equal.
static int alarm_within(const unsigned char *a, const unsigned char *network, int bits) {
    int bytes = bits / 8, rest = bits % 8;
    return memcmp(a, network, (size_t)bytes) == 0 &&
           (rest == 0 || (a[bytes] ^ network[bytes]) >> (8 - rest) == 0);
}

// Returns 1 if a rule says that the alarm is not shown.
static int alarm_ignored(const alarm_rules *rules, const pktseq_alarm *a) {
    for (size_t i = 0; i < rules->count; ++i) {
        const alarm_rule *r = &rules->rule[i];
        int src, dst;
        if (r->port >= 0 && (a->src_port == r->port || a->dst_port == r->port)) return 1;
        if (r->port >= 0 || r->bits[0] < 0) continue;
        src = alarm_within(a->src, r->address[0], r->bits[0]);
        dst = alarm_within(a->dst, r->address[0], r->bits[0]);
        if (r->bits[1] < 0 && (src || dst)) return 1;
        if (r->bits[1] >= 0 && ((src && alarm_within(a->dst, r->address[1], r->bits[1])) ||
                                (dst && alarm_within(a->src, r->address[1], r->bits[1]))))
            return 1;
    }
    return 0;
}

// ---- incidents

enum { INCIDENT_HOSTS = 256, INCIDENT_RECENT = 1024 };

// Alarms between the same two addresses, or from one source to many, each within a minute of
// another.
typedef struct incident {
    size_t number;           // from 1, in the order of their first alarms
    unsigned char src[16], dst[16];  // of the first alarm
    size_t sequences;        // that raised alarms
    size_t hosts;            // different addresses on the other side; at most INCIDENT_HOSTS
    uint32_t host[INCIDENT_HOSTS];   // their hashes
    double first, last;      // times of the sequences' packets
    pktseq_alarm highest;    // the one with the highest score
} incident;

// All incidents or, with a limit, the last ones: number n is at (n - 1) % capacity.
typedef struct incidents {
    incident *list;
    size_t count, capacity, limit;
} incidents;

// Returns the hash of an address (FNV-1a).
static uint32_t incident_hash(const unsigned char address[16]) {
    uint32_t hash = 0x811c9dc5u;
    for (int i = 0; i < 16; ++i) hash = (hash ^ address[i]) * 0x01000193u;
    return hash;
}

// Returns 1 if the address is among those of the other side.
static int incident_has(const incident *x, const unsigned char address[16]) {
    uint32_t hash = incident_hash(address);
    for (size_t i = 0; i < x->hosts; ++i)
        if (x->host[i] == hash) return 1;
    return 0;
}

// Returns a new incident, zeroed but for its number; NULL = out of memory.
static incident *incident_new(incidents *all) {
    incident *x;
    if (all->count == all->capacity && (!all->limit || all->capacity < all->limit)) {
        size_t capacity = 2 * all->capacity + 64;
        if (all->limit && capacity > all->limit) capacity = all->limit;
        x = (incident *)realloc(all->list, capacity * sizeof *x);
        if (!x) return NULL;
        all->list = x;
        all->capacity = capacity;
    }
    x = &all->list[all->count % all->capacity];
    memset(x, 0, sizeof *x);
    x->number = ++all->count;
    return x;
}

// Adds an alarm to the most recent incident that it belongs to, or to a new one, and returns that;
// NULL = out of memory. Alarms must come roughly in the order of time.
static incident *incident_add(incidents *all, const pktseq_alarm *a) {
    size_t recent = all->count < all->capacity ? all->count : all->capacity;
    const unsigned char *other = a->dst;
    incident *x = NULL;
    if (recent > INCIDENT_RECENT) recent = INCIDENT_RECENT;
    for (size_t k = 0; k < recent; ++k) {
        incident *i = &all->list[(all->count - 1 - k) % all->capacity];
        int source = memcmp(i->src, a->src, 16) == 0;
        if (a->begin > i->last + 60 || a->time < i->first - 60) continue;
        // Of a sequence that has raised one before: the same pair, the other way round.
        if (!source && !((i->hosts == 1 || a->repeated) && memcmp(i->src, a->dst, 16) == 0 &&
                         incident_has(i, a->src)))
            continue;
        other = source ? a->dst : a->src;
        x = i;
        break;
    }
    if (!x) {
        x = incident_new(all);
        if (!x) return NULL;
        memcpy(x->src, a->src, 16);
        memcpy(x->dst, a->dst, 16);
        x->first = a->begin;
        x->last = a->time;
    }
    if (x->hosts < INCIDENT_HOSTS && !incident_has(x, other))
        x->host[x->hosts++] = incident_hash(other);
    if (!a->repeated) ++x->sequences;
    if (a->begin < x->first) x->first = a->begin;
    if (a->time > x->last) x->last = a->time;
    if (x->sequences + (size_t)(a->repeated != 0) == 1 || a->score > x->highest.score)
        x->highest = *a;
    return x;
}

// Compares two incidents for qsort: the highest score first, then the earliest.
static int incident_compare(const void *a, const void *b) {
    const incident *x = (const incident *)a, *y = (const incident *)b;
    if (x->highest.score != y->highest.score) return x->highest.score < y->highest.score ? 1 : -1;
    return (x->number > y->number) - (x->number < y->number);
}

// Sorts the incidents that are kept and returns how many. None may be added afterwards.
static size_t incident_sort(incidents *all) {
    size_t kept = all->count < all->capacity ? all->count : all->capacity;
    if (kept) qsort(all->list, kept, sizeof *all->list, incident_compare);
    return kept;
}

// ---- community id   source: github.com/corelight/community-id-spec, version 1

static uint32_t alarm_rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

// Computes SHA-1 of at most 55 bytes: one block.   source: RFC 3174
static void alarm_sha1(const unsigned char *data, size_t size, unsigned char digest[20]) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, s[5], w[80];
    unsigned char block[64] = {0};
    memcpy(block, data, size);
    block[size] = 0x80;
    block[62] = (unsigned char)(size >> 5);
    block[63] = (unsigned char)(size << 3);
    for (int t = 0; t < 80; ++t) {
        const unsigned char *b = block + 4 * t;
        w[t] = t < 16 ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]
                      : alarm_rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    }
    memcpy(s, h, sizeof s);
    for (int t = 0; t < 80; ++t) {
        uint32_t f = t < 20   ? ((s[1] & s[2]) | (~s[1] & s[3])) + 0x5a827999
                     : t < 40 ? (s[1] ^ s[2] ^ s[3]) + 0x6ed9eba1
                     : t < 60 ? ((s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3])) + 0x8f1bbcdc
                              : (s[1] ^ s[2] ^ s[3]) + 0xca62c1d6;
        f += alarm_rotate(s[0], 5) + s[4] + w[t];
        s[4] = s[3];
        s[3] = s[2];
        s[2] = alarm_rotate(s[1], 30);
        s[1] = s[0];
        s[0] = f;
    }
    for (int i = 0; i < 20; ++i)
        digest[i] = (unsigned char)((h[i / 4] + s[i / 4]) >> (24 - 8 * (i % 4)));
}

// Finds the two port numbers. For ICMP they are the type and that of its reply, or the code if it
// has none. Returns 1 if the two ends keep their order.
static int alarm_community_ports(const pktseq_alarm *a, unsigned port[2]) {
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

static void alarm_community_id(const pktseq_alarm *a, char text[32]) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const unsigned char v4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};
    int is4 = memcmp(a->src, v4, 12) == 0 && memcmp(a->dst, v4, 12) == 0;
    size_t from = is4 ? 12 : 0, size = 16 - from, n = 2;
    unsigned port[2];
    unsigned char data[48] = {0}, digest[21] = {0};
    int keep = alarm_community_ports(a, port), order = memcmp(a->src, a->dst, 16);
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
    alarm_sha1(data, n, digest);
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

static const char *alarm_transport(unsigned transport, char text[16]) {
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

// Writes text as a JSON string.
static void alarm_put_string(FILE *file, const char *text) {
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

// Writes a time in ISO 8601 as Suricata does; seconds count as those since 1970.
static void alarm_put_time(FILE *file, double seconds) {
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

enum { REASON_WORDS = 160 };

// Copies what a column expected or saw, with a token in words: "TCP < ack+push 1300+ after > ack"
// becomes "TCP <- ack+push (1300 bytes or more) after -> ack".
static const char *reason_words(const char *text, char to[REASON_WORDS]) {
    int token = 0;  // an arrow alone makes it one
    to[0] = 0;
    for (size_t n = 0; *text && n < REASON_WORDS; n = strlen(to)) {
        const char *gap = n ? " " : "";
        int size = (int)strcspn(text, " "), low = (int)strspn(text, "0123456789");
        size_t room = REASON_WORDS - n;
        if (size == 1 && strchr("<>", *text)) {
            token = 1;
            snprintf(to + n, room, "%s%s", gap, *text == '>' ? "->" : "<-");
        } else if (token && size == 1 && *text == '-') {
            // no flags
        } else if (token && size > 1 && *text == '<') {
            snprintf(to + n, room, "%s(under %.*s bytes)", gap, size - 1, text + 1);
        } else if (token && low && text[low] == '+') {
            snprintf(to + n, room, "%s(%.*s bytes or more)", gap, low, text);
        } else if (token && low && text[low] == '-') {
            snprintf(to + n, room, "%s(%.*s to %.*s bytes)", gap, low, text, size - low - 1,
                     text + low + 1);
        } else {
            snprintf(to + n, room, "%s%.*s%s", gap, size, text,
                     token && strcmp(text, "first") == 0 ? " of its connection" : "");
        }
        text += size + (text[size] == ' ');
    }
    return to;
}

// Writes a reason as a sentence: "length 80 %: packet 42 expected about 60 bytes, seen 1514 bytes".
static void reason_text(const pktseq_reason *r, char text[512]) {
    char expected[REASON_WORDS], seen[REASON_WORDS];
    snprintf(text, 512, "%s %.0f %%: packet %lu expected %s, seen %s", r->column, 100 * r->share,
             (unsigned long)r->packet, reason_words(r->expected, expected),
             reason_words(r->seen, seen));
    output_make_printable(text, 0);
}

// Writes the reasons as a JSON array.
static void alarm_put_reasons(FILE *file, const pktseq_alarm *a) {
    char text[REASON_WORDS];
    fputc('[', file);
    for (size_t i = 0; i < a->reasons; ++i) {
        fprintf(file, "%s{\"column\":", i ? "," : "");
        alarm_put_string(file, a->reason[i].column);
        fprintf(file, ",\"share\":%.4g,\"packet\":%lu,\"expected\":", a->reason[i].share,
                (unsigned long)a->reason[i].packet);
        alarm_put_string(file, reason_words(a->reason[i].expected, text));
        fputs(",\"seen\":", file);
        alarm_put_string(file, reason_words(a->reason[i].seen, text));
        fputc('}', file);
    }
    fputc(']', file);
}

// Writes an alarm as a JSON object on one line, with the names of Suricata's EVE.
static void alarm_put_json(FILE *file, const pktseq_alarm *a, size_t number) {
    char text[64], transport[16];
    fputs("{\"timestamp\":", file);
    alarm_put_time(file, a->time);
    fprintf(file, ",\"event_type\":\"anomaly\",\"time\":%.6f,\"begin\":%.6f,\"src_ip\":\"",
            a->time, a->begin);
    pktseq_address_text(a->src, text);
    fprintf(file, "%s\",\"src_port\":%u,\"dest_ip\":\"", text, (unsigned)a->src_port);
    pktseq_address_text(a->dst, text);
    fprintf(file, "%s\",\"dest_port\":%u,\"proto\":\"%s\",\"app_proto\":", text,
            (unsigned)a->dst_port, alarm_transport(a->transport, transport));
    alarm_put_string(file, a->protocol);
    alarm_community_id(a, text);
    fprintf(file, ",\"community_id\":\"%s\",\"flow_id\":%lu,\"packets\":%lu,\"bytes\":%.0f,"
                  "\"score\":%.9g,\"threshold\":%.9g,\"ended\":%s,\"again\":%s,\"incident\":%lu,"
                  "\"reasons\":", text, (unsigned long)a->connection, (unsigned long)a->packets,
            fmin(fmax(a->bytes, -DBL_MAX), DBL_MAX), a->score, a->threshold,
            a->ended ? "true" : "false", a->repeated ? "true" : "false",
            (unsigned long)number);
    alarm_put_reasons(file, a);
    if (a->transport == 1 || a->transport == 58)
        fprintf(file, ",\"icmp_type\":%u,\"icmp_code\":%u", (unsigned)a->icmp_type,
                (unsigned)a->icmp_code);
    fputs(",\"anomaly\":{\"type\":\"sequence\",\"event\":", file);  // as EVE wants one
    alarm_put_string(file, a->reasons ? a->reason[0].column : "score");
    fputs("}}\n", file);
}

// Writes an incident with the same names; "dest_ip" only if there is one destination.
static inline void incident_put_json(FILE *file, const incident *x, double threshold) {
    char text[64];
    fputs("{\"timestamp\":", file);
    alarm_put_time(file, x->last);
    pktseq_address_text(x->src, text);
    fprintf(file, ",\"event_type\":\"incident\",\"time\":%.6f,\"begin\":%.6f,"
                  "\"src_ip\":\"%s\"", x->last, x->first, text);
    pktseq_address_text(x->dst, text);
    if (x->hosts == 1) fprintf(file, ",\"dest_ip\":\"%s\"", text);
    fprintf(file, ",\"hosts\":%lu,\"sequences\":%lu,\"score\":%.9g,\"threshold\":%.9g,"
                  "\"incident\":%lu,\"reasons\":", (unsigned long)x->hosts,
            (unsigned long)x->sequences, x->highest.score, threshold, (unsigned long)x->number);
    alarm_put_reasons(file, &x->highest);
    fputs("}\n", file);
}

// Writes an alarm as a line of text.
static void alarm_put_text(FILE *file, const pktseq_alarm *a, size_t number) {
    char src[46], dst[46], ends[128], time[40], text[16], protocol[24], line[512];
    pktseq_address_text(a->src, src);
    pktseq_address_text(a->dst, dst);
    output_ends(ends, sizeof ends, src, a->src_port, dst, a->dst_port);
    strcpy(protocol, a->protocol);
    output_make_printable(protocol, 0);
    fprintf(file, "%s  %.4g%s  incident %lu  %s %s %s, %lu packet%s, %.0f bytes",
            pktseq_time_text(a->time, time), a->score,
            !a->ended ? "" : a->score > a->threshold ? " at its end" : " at its end, no alarm now",
            (unsigned long)number, alarm_transport(a->transport, text), ends, protocol,
            (unsigned long)a->packets, output_plural(a->packets), a->bytes);
    for (size_t i = 0; i < a->reasons; ++i) {
        reason_text(&a->reason[i], line);
        fprintf(file, "; %s", line);
    }
    fputc('\n', file);
}

// Writes both ends of an incident: "10.0.0.1 -> 10.0.0.2", "10.0.0.1 -> 137 hosts".
static void incident_ends(const incident *x, const char *src, const char *dst, char text[128]) {
    if (x->hosts < 2) snprintf(text, 128, "%s -> %s", src, dst);
    else snprintf(text, 128, "%s -> %lu hosts%s", src, (unsigned long)x->hosts,
                  x->hosts < INCIDENT_HOSTS ? "" : " or more");
}

// ---- verdicts: is traffic what the model was calibrated on?

// Writes the verdict as a sentence.
//   verdict   NULL if the model keeps nothing to compare with
//   rate      of false alarms that the threshold was chosen for; negative: unknown
static inline const char *verdict_text(char text[768], const pktseq_verdict *verdict, double rate) {
    const pktseq_verdict *v = verdict;
    char part[3][32];
    size_t n;
    int blind = v && rate >= 0 && v->above_limit >= 1;  // even all of them could be chance
    if (!v || !v->judged) {
        snprintf(text, 768, "%s", v ? "fewer than 100 sequences are too few to say whether this is "
                 "traffic as in calibration" : "the model keeps no distribution of normal scores "
                 "to compare with, as older ones do not: calibrate it anew");
        return text;
    }
    n = (size_t)snprintf(text, 768, "%s", v->drifted ? "other traffic than it was calibrated on:"
                                                     : "as calibrated");
    if (!v->drifted && rate >= 0)
        snprintf(text + n, 768 - n, ": %s %% above the threshold, where %s %% is expected%s",
                 output_percent(part[0], v->above), output_percent(part[1], rate),
                 blind ? "; the model has seen too few sequences to judge such a small share" : "");
    if (v->drifted & PKTSEQ_DRIFT_ABOVE)
        n += (size_t)snprintf(text + n, 768 - n, " %s %% above the threshold where %s %% was "
                              "expected (up to %s %% would be chance);",
                              output_percent(part[0], v->above), output_percent(part[1], rate),
                              output_percent(part[2], v->above_limit));
    if (v->drifted & PKTSEQ_DRIFT_UNKNOWN)
        n += (size_t)snprintf(text + n, 768 - n, " %s %% of the packets unknown to it where %s %% "
                              "were;", output_percent(part[0], v->unknown),
                              output_percent(part[1], v->unknown_expected));
    if (v->drifted && v->name[0] && v->unknown > v->unknown_expected)
        n += (size_t)snprintf(text + n, 768 - n, " unknown most often: %s %s %%;", v->name,
                              output_percent(part[0], v->name_share));
    if (v->drifted & PKTSEQ_DRIFT_SCORES)
        n += (size_t)snprintf(text + n, 768 - n, " scores distributed otherwise (by %.2f, up to "
                              "%.2f would be chance);", v->distance, v->distance_limit);
    if (v->drifted && blind)
        n += (size_t)snprintf(text + n, 768 - n, " %s %% above the threshold, where %s %% is "
                              "expected, is not judged: the model has seen too few sequences for "
                              "such a small share;", output_percent(part[0], v->above),
                              output_percent(part[1], rate));
    if (v->drifted)
        snprintf(text + n, 768 - n, " if it is no attack but normal by now, recalibrate with "
                 "detect --calibrate NORMAL --save-calibration, or continue with train "
                 "--continue MODEL NORMAL");
    output_make_printable(text, 0);
    return text;
}

#endif  // ALARM_H
