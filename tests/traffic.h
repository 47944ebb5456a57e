// traffic.h - for tests of tracker and watcher: random packets and rules, and a table filled from
// packets without a tracker.
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "scene.h"

static uint64_t random_state = 88172645463325252u;

// The same numbers on every machine, so that a failure can be looked at.
static inline unsigned random_below(unsigned n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % n;
}

enum { MOST = 600 };  // packets of a table

static const unsigned char transports[] = {6, 6, 6, 17, 1, 58, 47};
static const char *const protocols[] = {"TCP", "HTTP", "DNS", "FTP"};

// A packet between few addresses and ports, so that much comes together; rarely the clock jumps.
static inline pktseq_packet random_packet(double *clock, unsigned addresses, unsigned step) {
    static const double length[] = {0, 60, 61, 70, 80, 149, 150, 700, 1300, 65535, 1e20};
    pktseq_packet p;
    memset(&p, 0, sizeof p);
    *clock += 0.25 * random_below(step);
    if (random_below(40) == 0) *clock += 5 * random_below(9);
    if (random_below(60) == 0) *clock -= random_below(20);
    p.time = *clock;
    p.length = length[random_below(random_below(9) ? 10 : 11)];
    p.src[10] = p.src[11] = p.dst[10] = p.dst[11] = 255;
    p.src[15] = (unsigned char)random_below(addresses);
    p.dst[15] = (unsigned char)random_below(addresses);
    if (random_below(5) == 0) p.src[0] = p.dst[0] = 0xfd;
    p.transport = transports[random_below(7)];
    p.protocol = protocols[random_below(4)];
    if (p.transport == 1 || p.transport == 58) {
        static const unsigned char type[] = {8, 0, 3, 13, 14, 128, 129, 135, 136, 11};
        p.icmp_type = type[random_below(10)];
        p.icmp_code = (unsigned char)random_below(3);
        p.icmp_id = (uint16_t)random_below(2);
    }
    // A CSV file's ICMP may have the ports of a packet that it quotes.
    if (p.transport == 6 || p.transport == 17 || (p.transport != 47 && random_below(4) == 0)) {
        static const uint16_t port[] = {0, 22, 80, 65535};
        p.src_port = port[random_below(4)];
        p.dst_port = port[random_below(4)];
    }
    for (int f = 0; f < 10 && p.transport == 6; ++f)
        p.flags = (uint16_t)(2 * p.flags + (random_below(4) == 0));
    return p;
}

// A rule whose limits strike often.
static inline pktseq_rule random_rule(void) {
    pktseq_rule rule = pktseq_rule_connection();
    rule.max_length = 1 + random_below(20);
    rule.idle = random_below(3) ? 30 : 0.5 * random_below(100);
    rule.max_connections = 1 + random_below(random_below(2) ? 6 : 200);
    rule.max_pairs = 1 + random_below(random_below(2) ? 4 : 100);
    rule.max_packets = 1 + random_below(random_below(2) ? 30 : 500);
    rule.secret[0] = random_state;
    return rule;
}

// A table of packets, before the tracker.
typedef struct hand {
    pktseq_table table;
    pktseq_column column[21];
    double number[18][MOST];
    uint32_t text[3][MOST];
    char name[21][16], address[64][4];
    char *addresses[64], *names[4];
    char protocol[4][8];
} hand;

static const char *const number_name[] = {
    "timestamp", "length", "src_port", "dst_port", "res",       "ns",        "cwr",       "ecn",
    "urg",       "ack",    "push",     "reset",    "syn",       "fin",       "transport",
    "icmp_type", "icmp_code", "icmp_id"};

static inline uint32_t address_number(const unsigned char *address) {
    return (uint32_t)(address[15] + (address[0] ? 32 : 0));
}

static inline void fill_hand(hand *h, const pktseq_packet *p, size_t rows) {
    static const char *const text[] = {"src_ip", "dst_ip", "protocol"};
    memset(h, 0, sizeof *h);
    for (size_t i = 0; i < 21; ++i) {
        pktseq_column *c = &h->column[i];
        strcpy(h->name[i], i < 3 ? text[i] : number_name[i - 3]);
        c->name = h->name[i];
        c->cell = i >= 3 ? (void *)h->number[i - 3] : (void *)h->text[i];
        if (i < 3) c->type = PKTSEQ_CELL_U32;
        if (i < 3) c->names = i < 2 ? h->addresses : h->names;
        if (i < 3) c->name_count = i < 2 ? 64 : 4;
    }
    // Both columns of addresses share their names here, so nothing may be reordered: see below.
    for (size_t i = 0; i < 64; ++i) {
        sprintf(h->address[i], "%d", (int)i);
        h->addresses[i] = h->address[i];
    }
    for (size_t i = 0; i < 4; ++i) {
        strcpy(h->protocol[i], protocols[i]);
        h->names[i] = h->protocol[i];
    }
    for (size_t row = 0; row < rows; ++row) {
        double value[18];
        value[0] = p[row].time;
        value[1] = p[row].length;
        value[2] = p[row].src_port;
        value[3] = p[row].dst_port;
        for (int f = 0; f < 10; ++f) value[4 + f] = p[row].flags >> (9 - f) & 1;
        value[14] = p[row].transport;
        value[15] = p[row].icmp_type;
        value[16] = p[row].icmp_code;
        value[17] = p[row].icmp_id;
        for (int i = 0; i < 18; ++i) h->number[i][row] = value[i];
        h->text[0][row] = address_number(p[row].src);
        h->text[1][row] = address_number(p[row].dst);
        for (uint32_t i = 0; i < 4; ++i)
            if (protocols[i] == p[row].protocol) h->text[2][row] = i;
    }
    h->table.rows = rows;
    h->table.column_count = 21;
    h->table.column = h->column;
    h->table.column[1].names = (char **)malloc(64 * sizeof(char *));
    if (!h->table.column[1].names) exit(1);
    memcpy(h->table.column[1].names, h->addresses, sizeof h->addresses);
}

static inline void free_hand(hand *h) {
    free(h->table.column[1].names);
    for (size_t i = 21; i < h->table.column_count; ++i) {
        pktseq_column *c = &h->table.column[i];
        for (size_t k = 0; k < c->name_count; ++k) free(c->names[k]);
        free(c->names);
        free(c->name);
        free(c->cell);
    }
    if (h->table.own_columns) free(h->table.column);
    free(h->table.start);
    free(h->table.source_row);
    free(h->table.connection);
}

#endif  // TRAFFIC_H
