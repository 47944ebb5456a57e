// test_tracker.c - sections >>slots, >>counters and >>tracker: packets as they come, against the
// same rules written plainly, and against tables.
#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"
#include "traffic.h"

#include <float.h>
#include <math.h>

// ---- the same, written plainly: lists that are searched from end to end

typedef struct plain_connection {
    pktseq_packet last, first;
    int used, began;
    unsigned number, sequence, position;
    int closing;
} plain_connection;

typedef struct plain_pair {
    pktseq_packet last;
    size_t in[MOST], count;  // packets in its window
} plain_pair;

// A source (kind 0), or a host, a service, a connection that it was in contact with.
typedef struct plain_contact {
    int kind;
    pktseq_packet opened;  // the connection's first packet
    double time;
} plain_contact;

// Lists are in the order of use, the most recent last.
typedef struct plain {
    pktseq_rule rule;
    pktseq_packet packet[MOST];
    size_t packets;
    plain_connection connection[MOST];
    size_t connections;
    plain_pair *pair;
    size_t pairs, kept;  // packets before that are in no window
    unsigned numbers, sequences, ended;
    plain_contact contact[4 * MOST];
    size_t contacts;
    unsigned lost_connections, lost_pairs, lost_packets, lost_contacts;
} plain;

// The other direction's packet.
static pktseq_packet turned(pktseq_packet p) {
    pktseq_packet t = p;
    memcpy(t.src, p.dst, 16);
    memcpy(t.dst, p.src, 16);
    t.src_port = p.dst_port;
    t.dst_port = p.src_port;
    if (p.transport == 1) t.icmp_type = p.icmp_type == 0 ? 8 : p.icmp_type == 14 ? 13 : p.icmp_type;
    if (p.transport == 58)
        t.icmp_type = p.icmp_type == 129 ? 128 : p.icmp_type == 136 ? 135 : p.icmp_type;
    return t;
}

static int plain_same(pktseq_packet a, pktseq_packet b) {
    int swapped, icmp = a.transport == 1 || a.transport == 58;  // whose type counts, not ports
    for (swapped = 0; swapped < 2; ++swapped) {
        pktseq_packet c = swapped ? turned(b) : turned(turned(b));
        pktseq_packet d = turned(turned(a));
        if (c.transport == d.transport && !memcmp(c.src, d.src, 16) && !memcmp(c.dst, d.dst, 16) &&
            c.icmp_id == d.icmp_id &&
            (icmp ? c.icmp_type == d.icmp_type
                  : c.src_port == d.src_port && c.dst_port == d.dst_port))
            return 1;
    }
    return 0;
}

// Is a packet from the end that another one is from?
static int plain_sender(pktseq_packet a, pktseq_packet b) {
    if (memcmp(a.src, a.dst, 16) != 0) return memcmp(a.src, b.src, 16) == 0;
    return a.transport == 1 || a.transport == 58 || a.src_port == b.src_port ||
           a.src_port == a.dst_port;
}

static void plain_flags(char *to, pktseq_packet p) {
    static const char *const name[] = {"res", "ns",   "cwr",   "ecn", "urg",
                                       "ack", "push", "reset", "syn", "fin"};
    size_t before = strlen(to);
    for (int i = 0; i < 10; ++i) {
        if (!(p.flags >> (9 - i) & 1)) continue;
        if (strlen(to) > before) strcat(to, "+");
        strcat(to, name[i]);
    }
    if (strlen(to) == before) strcat(to, "-");
}

static void plain_token(char *to, pktseq_packet p, int forward, const pktseq_packet *before) {
    double n = p.length;
    int icmp = p.transport == 1 || p.transport == 58;
    sprintf(to, "%s %s ", p.protocol, forward ? ">" : "<");
    if (icmp) sprintf(to + strlen(to), "%d/%d", p.icmp_type, p.icmp_code);
    else plain_flags(to, p);
    strcat(to, n < 61     ? " <61 "
               : n < 70   ? " 61-69 "
               : n < 80   ? " 70-79 "
               : n < 100  ? " 80-99 "
               : n < 150  ? " 100-149 "
               : n < 300  ? " 150-299 "
               : n < 700  ? " 300-699 "
               : n < 1300 ? " 700-1299 "
                          : " 1300+ ");
    if (!before || p.time - before->time > 30) {
        strcat(to, "first");
        return;
    }
    strcat(to, plain_sender(p, *before) == forward ? "after > " : "after < ");
    if (icmp) sprintf(to + strlen(to), "%d", before->icmp_type);
    else plain_flags(to, *before);
}

// Takes entry i out of a list of connections.
static void plain_forget(plain *m, size_t i) {
    m->ended += m->connection[i].position > 0;
    memmove(&m->connection[i], &m->connection[i + 1],
            (m->connections - i - 1) * sizeof m->connection[0]);
    --m->connections;
}

static void plain_push(plain *m, pktseq_packet p, pktseq_tracked *out, char *token) {
    plain_connection c;
    size_t i = 0;
    while (m->connections && p.time - m->connection[0].last.time > m->rule.idle)
        plain_forget(m, 0);
    while (i < m->connections && !plain_same(m->connection[i].last, p)) ++i;
    memset(&c, 0, sizeof c);
    if (i < m->connections) {
        c = m->connection[i];
        m->connection[i].position = 0;
        plain_forget(m, i);
    } else if (m->connections == m->rule.max_connections) {
        m->lost_connections += p.time - m->connection[0].last.time <= m->rule.idle;
        plain_forget(m, 0);
    }
    if (c.used && (p.time - c.last.time > m->rule.idle ||
                   (p.transport == 6 && (p.flags & 18) == 2 && c.closing))) {
        m->ended += c.position > 0;
        memset(&c, 0, sizeof c);
    }
    if (c.position == m->rule.max_length) {
        ++m->ended;
        c.position = 0;
    }
    if (!c.used) {
        c.number = m->numbers++;
        c.first = p;
    }
    if (c.position == 0) c.sequence = m->sequences++;
    out->connection = c.number;
    out->sequence = c.sequence;
    out->position = c.position++;
    out->direction = plain_sender(p, c.first);
    out->same_connection = out->position > 0;
    plain_token(token, p, out->direction, c.used ? &c.last : NULL);
    c.used = 1;
    c.last = p;
    if (p.transport == 6 && (p.flags & 5)) c.closing = 1;
    m->connection[m->connections++] = c;
}

// Is packet b between the addresses of packet a?
static int plain_pair_same(pktseq_packet a, pktseq_packet b) {
    return (!memcmp(a.src, b.src, 16) && !memcmp(a.dst, b.dst, 16)) ||
           (!memcmp(a.src, b.dst, 16) && !memcmp(a.dst, b.src, 16));
}

static void plain_pairs(plain *m, pktseq_packet p, double *count) {
    size_t i = 0, n = m->packets, k;
    plain_pair *pair;
    m->packet[m->packets++] = p;
    while (i < m->pairs && !plain_pair_same(m->pair[i].last, p)) ++i;
    if (i == m->pairs && m->pairs == m->rule.max_pairs) {
        m->lost_pairs += m->pair[0].count && m->pair[0].last.time >= p.time - 10;
        memmove(m->pair, m->pair + 1, (m->pairs - 1) * sizeof *m->pair);
        i = --m->pairs;
    }
    if (i == m->pairs) m->pair[m->pairs++].count = 0;
    pair = &m->pair[m->pairs];  // one more than may be: for turning
    *pair = m->pair[i];
    memmove(&m->pair[i], &m->pair[i + 1], (m->pairs - i) * sizeof *m->pair);
    pair = &m->pair[m->pairs - 1];
    pair->last = p;
    if (n >= m->rule.max_packets)
        for (i = 0; i < m->pairs; ++i) {
            plain_pair *other = &m->pair[i];
            if (!other->count || other->in[0] != n - m->rule.max_packets) continue;
            m->lost_packets += m->packet[other->in[0]].time >= p.time - 10;
            memmove(other->in, other->in + 1, --other->count * sizeof *other->in);
        }
    pair->in[pair->count++] = n;
    while (m->packet[pair->in[0]].time < p.time - 10)
        memmove(pair->in, pair->in + 1, --pair->count * sizeof *pair->in);
    // What is two windows old is forgotten, whosever it is, unless an earlier packet is younger.
    for (;; ++m->kept) {
        plain_pair *owner = NULL;
        for (i = 0; i < m->pairs; ++i)
            if (m->pair[i].count && m->pair[i].in[0] == m->kept) owner = &m->pair[i];
        if (!owner) continue;
        if (m->packet[m->kept].time >= p.time - 20) break;
        memmove(owner->in, owner->in + 1, --owner->count * sizeof *owner->in);
    }
    for (i = 0; i < 9; ++i) count[i] = 0;
    for (i = 0; i < pair->count; ++i) {
        pktseq_packet q = m->packet[pair->in[i]];
        uint16_t high = q.src_port > q.dst_port ? q.src_port : q.dst_port;
        uint16_t low = q.src_port > q.dst_port ? q.dst_port : q.src_port;
        int high_new = 1, low_new = 1;
        for (k = 0; k < i; ++k) {
            pktseq_packet r = m->packet[pair->in[k]];
            if (high == (r.src_port > r.dst_port ? r.src_port : r.dst_port)) high_new = 0;
            if (low == (r.src_port > r.dst_port ? r.dst_port : r.src_port)) low_new = 0;
        }
        ++count[0];
        count[1] += (q.flags & 18) == 2;
        count[2] += (q.flags & 4) != 0;
        count[3] += q.flags & 1;
        count[4] += (q.flags & 8) != 0;
        count[5] += q.length < 1e10 ? q.length : 4294967296.0;
        count[6] += high_new;
        count[7] += low_new;
    }
    count[4] /= count[0];
    count[5] /= count[0];
    count[8] = count[0] / count[6];
}

static int plain_contact_same(plain_contact a, plain_contact b) {
    const pktseq_packet *p = &a.opened, *q = &b.opened;
    if (a.kind != b.kind || memcmp(p->src, q->src, 16)) {
        return a.kind == 3 && b.kind == 3 && plain_same(*p, *q);
    }
    switch (a.kind) {
    case 0: return 1;
    case 1: return memcmp(p->dst, q->dst, 16) == 0;
    case 2:
        return p->transport == q->transport &&
               (p->transport == 1 || p->transport == 58
                    ? turned(turned(*p)).icmp_type == turned(turned(*q)).icmp_type
                    : p->dst_port == q->dst_port);
    default: return plain_same(*p, *q);
    }
}

static void plain_drop_contact(plain *m, size_t i) {
    memmove(&m->contact[i], &m->contact[i + 1], (m->contacts - i - 1) * sizeof m->contact[0]);
    --m->contacts;
}

static void plain_touch(plain *m, plain_contact c) {
    size_t i = 0;
    while (i < m->contacts && !plain_contact_same(m->contact[i], c)) ++i;
    if (i < m->contacts) {
        plain_drop_contact(m, i);
    } else if (m->contacts == m->rule.max_pairs + 3) {
        m->lost_contacts += m->contact[0].time >= c.time - 10;
        plain_drop_contact(m, 0);
    }
    m->contact[m->contacts++] = c;
}

// The source is touched before and after its contacts.
static void plain_sources(plain *m, pktseq_packet p, double *count) {
    static const int order[] = {0, 2, 1, 3, 0};
    plain_contact c;
    c.opened = m->connection[m->connections - 1].first;
    c.time = p.time;
    while (m->contacts && m->contact[0].time < p.time - 10) plain_drop_contact(m, 0);
    for (int i = 0; i < 5; ++i) {
        c.kind = order[i];
        plain_touch(m, c);
    }
    for (int k = 0; k < 3; ++k) {
        count[k] = 0;
        for (size_t i = 0; i < m->contacts; ++i)
            count[k] += m->contact[i].kind == k + 1 &&
                        memcmp(m->contact[i].opened.src, c.opened.src, 16) == 0;
    }
}

// ---- tests

enum { SMALL = 8 };

static unsigned ends, end_slots[SMALL * 100];

static void count_end(void *user_data, size_t slot) {
    CHECK(user_data == &ends && slot < sizeof end_slots / sizeof *end_slots);
    ++ends;
    ++end_slots[slot];
}

// Random packets under random limits: the tracker says what the plain lists say.
static void test_plain(void) {
    static plain m;
    unsigned lost[4] = {0, 0, 0, 0}, longest = 0;
    m.pair = (plain_pair *)calloc(MOST + 2, sizeof *m.pair);
    if (!m.pair) exit(1);
    for (int round = 0; round < 400; ++round) {
        pktseq_rule rule = random_rule();
        plain_pair *pair = m.pair;
        pktseq_tracker tracker;
        counter memory;
        pktseq_allocator allocator = counted(&memory);
        unsigned addresses = 1 + random_below(8), step = 1 + random_below(6);
        double clock = round % 2 ? 1.7e9 : 0;
        memset(&m, 0, sizeof m);
        m.pair = pair;
        m.rule = rule;
        ends = 0;
        CHECK(pktseq_tracker_init(&tracker, &rule, &allocator, NULL) == PKTSEQ_OK);
        tracker.end_fn = count_end;
        tracker.user_data = &ends;
        for (size_t i = 0; i < MOST; ++i) {
            pktseq_packet p = random_packet(&clock, addresses, step);
            pktseq_tracked got, expected;
            char token[300], text[300];
            memset(&expected, 0, sizeof expected);
            plain_push(&m, p, &expected, token);
            plain_pairs(&m, p, expected.counter);
            plain_sources(&m, p, expected.counter + 9);
            CHECK(pktseq_tracker_push(&tracker, &p, &got) == PKTSEQ_OK);
            CHECK(got.connection == expected.connection && got.sequence == expected.sequence);
            CHECK(got.position == expected.position && got.direction == expected.direction);
            CHECK(got.same_connection == expected.same_connection && !got.dropped);
            CHECK(got.slot < rule.max_connections && got.protocol == p.protocol);
            CHECK(pktseq_token_text(got.token, got.protocol, text, sizeof text) == PKTSEQ_OK);
            CHECK_THAT(strcmp(text, token) == 0, "%s, not %s", text, token);
            for (int k = 0; k < PKTSEQ_COUNTERS; ++k)
                CHECK_THAT(got.counter[k] == expected.counter[k], "counter %d: %g, not %g", k,
                           got.counter[k], expected.counter[k]);
            if (got.position > longest) longest = (unsigned)got.position;
        }
        CHECK(tracker.packets == MOST && tracker.sequences == m.sequences);
        CHECK(tracker.connections == m.numbers && ends == m.ended);
        CHECK(tracker.evicted_connections == m.lost_connections);
        CHECK(tracker.evicted_pairs == m.lost_pairs && tracker.evicted_packets == m.lost_packets);
        CHECK(tracker.evicted_contacts == m.lost_contacts);
        lost[0] += m.lost_connections;
        lost[1] += m.lost_pairs;
        lost[2] += m.lost_packets;
        lost[3] += m.lost_contacts;
        pktseq_tracker_tick(&tracker, HUGE_VAL);
        CHECK_THAT(ends == m.sequences, "%u of %u", ends, m.sequences);
        pktseq_tracker_free(&tracker);
        CHECK(memory.live == 0);
    }
    CHECK_THAT(lost[0] > 1000 && lost[1] > 1000 && lost[2] > 1000 && lost[3] > 1000 && longest > 15,
               "%u %u %u %u %u", lost[0], lost[1], lost[2], lost[3], longest);
    free(m.pair);
}

static const char *const derived_name[] = {
    "direction", "same_connection", "token", "pair_packets", "pair_syn", "pair_reset", "pair_fin",
    "pair_push", "pair_length", "pair_connections", "pair_services", "pair_per_connection",
    "source_hosts", "source_services", "source_connections"};

// The same packets as a table: columns and sequences are what the tracker said, to the bit.
static void test_table(void) {
    static hand h;
    static pktseq_packet packet[MOST];
    static pktseq_tracked tracked[MOST];
    pktseq_field field[15];
    pktseq_schema schema;
    size_t moved = 0;
    memset(field, 0, sizeof field);
    memset(&schema, 0, sizeof schema);
    for (int i = 0; i < 15; ++i) {
        field[i].column = derived_name[i];
        field[i].kind = i == 2 ? PKTSEQ_ONEHOT : PKTSEQ_NUMBER;
    }
    schema.field = field;
    schema.field_count = sizeof derived_name / sizeof *derived_name;
    for (int round = 0; round < 300; ++round) {
        pktseq_rule rule = round % 3 ? random_rule() : pktseq_rule_default();
        size_t rows = 1 + random_below(MOST), kept = 0, row = 0, last;
        unsigned addresses = 1 + random_below(8), step = 1 + random_below(6);
        double clock = 1.7e9;
        pktseq_tracker tracker;
        pktseq_error err;
        pktseq_status status;
        rule.reference_names = round % 5 == 0;
        CHECK(pktseq_tracker_init(&tracker, &rule, NULL, NULL) == PKTSEQ_OK);
        for (size_t i = 0; i < rows; ++i) {
            packet[i] = random_packet(&clock, addresses, step);
            // A table's reader leaves others out.
            if (rule.reference_names) packet[i].transport = 6;
            CHECK(pktseq_tracker_push(&tracker, &packet[i], &tracked[i]) == PKTSEQ_OK);
            CHECK(tracked[i].dropped ==
                  (rule.reference_names && packet[i].protocol == protocols[3]));
            kept += !tracked[i].dropped;
        }
        for (last = 0; last < rows && tracker.sequences; ++last) {  // the reference's remainder
            size_t i = rows - 1 - last;
            if (!tracked[i].dropped && tracked[i].sequence + 1 != tracker.sequences) break;
        }
        fill_hand(&h, packet, rows);
        rule.secret[1] = 12345;  // no result depends on it
        status = pktseq_table_track(&h.table, &rule, &schema, &err);
        if (status == PKTSEQ_OK) {
            const pktseq_table *t = &h.table;
            CHECK(t->counts.dropped == rows - kept && t->rows + t->counts.remainder == kept);
            CHECK(t->counts.evicted_connections == tracker.evicted_connections);
            CHECK(t->counts.evicted_pairs == tracker.evicted_pairs + tracker.evicted_contacts);
            CHECK(t->counts.evicted_packets == tracker.evicted_packets);
            CHECK(t->sequences == tracker.sequences - (t->counts.remainder > 0));
            CHECK((t->connection != NULL) == (rule.kind == PKTSEQ_RULE_CONNECTION));
            for (size_t s = 0; s < t->sequences; ++s)
                for (; row < t->start[s + 1]; ++row) {
                    size_t was = t->source_row ? t->source_row[row] : row;
                    const pktseq_tracked *x = &tracked[was];
                    char token[300];
                    CHECK(x->sequence == s && x->position == row - t->start[s]);
                    if (t->connection) CHECK(t->connection[s] == x->connection);
                    moved += was != row;
                    for (size_t i = 21; i < t->column_count; ++i) {
                        const pktseq_column *c = &t->column[i];
                        if (i == 23) {
                            CHECK(!pktseq_token_text(x->token, x->protocol, token, 300));
                            CHECK(strcmp(token, pktseq_column_text(c, row)) == 0);
                            continue;
                        }
                        CHECK(pktseq_column_number(c, row) == (i == 21   ? x->direction
                                                 : i == 22 ? x->same_connection
                                                           : x->counter[i - 24]));
                    }
                    CHECK(pktseq_column_number(&t->column[3], row) == packet[was].time);
                    CHECK(pktseq_column_number(&t->column[20], row) == packet[was].icmp_id);
                    CHECK(strcmp(pktseq_column_text(&t->column[0], row),
                                 h.address[address_number(packet[was].src)]) == 0);
                    CHECK(strcmp(pktseq_column_text(&t->column[1], row),
                                 h.address[address_number(packet[was].dst)]) == 0);
                }
        } else {
            CHECK_THAT(status == PKTSEQ_ERROR_DATA && (rule.reference_names || rows < 4), "%s",
                       err.text);
            CHECK(h.table.column_count == 21);
        }
        pktseq_tracker_free(&tracker);
        free_hand(&h);
    }
    CHECK_THAT(moved > 10000, "%lu", (unsigned long)moved);
}

// What ends a connection, and what does not, to the second and the packet.
static void test_connection(void) {
    // time, sender, flags; connection, sequence, position expected
    static const double story[][6] = {
        {0, 0, 2, 0, 0, 0},     {30, 1, 18, 0, 0, 1},  {60, 0, 16, 0, 0, 2},
        {90.001, 0, 16, 1, 1, 0}, {90.5, 0, 2, 1, 1, 1}, {91, 1, 17, 1, 1, 2},
        {92, 0, 18, 1, 1, 3},   {93, 0, 16, 1, 1, 4},  {93, 0, 2, 2, 2, 0},
        {80, 1, 4, 2, 2, 1},    {81, 1, 2, 3, 3, 0},   {82, 1, 16, 3, 3, 1},
        {82, 1, 16, 3, 3, 2},   {82, 1, 16, 3, 3, 3},  {82, 1, 16, 3, 3, 4},
        {82, 1, 16, 3, 4, 0},   {82, 0, 16, 3, 4, 1}};
    pktseq_rule rule = pktseq_rule_connection();
    pktseq_tracker tracker;
    pktseq_tracked got;
    pktseq_packet p;
    rule.max_length = 5;
    memset(&p, 0, sizeof p);
    p.transport = 6;
    p.protocol = "TCP";
    CHECK(pktseq_tracker_init(&tracker, &rule, NULL, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < sizeof story / sizeof *story; ++i) {
        const double *s = story[i];
        p.time = s[0];
        p.src[15] = (unsigned char)(1 + s[1]);
        p.dst[15] = (unsigned char)(2 - s[1]);
        p.src_port = (uint16_t)(s[1] == 0 ? 5000 : 80);
        p.dst_port = (uint16_t)(s[1] == 0 ? 80 : 5000);
        p.flags = (uint16_t)s[2];
        CHECK(pktseq_tracker_push(&tracker, &p, &got) == PKTSEQ_OK);
        CHECK_THAT((double)got.connection == s[3] && (double)got.sequence == s[4] &&
                       (double)got.position == s[5], "packet %lu: %lu %lu %lu", (unsigned long)i,
                   (unsigned long)got.connection, (unsigned long)got.sequence,
                   (unsigned long)got.position);
        // The third is opened by the other end, also in its second sequence.
        CHECK(got.direction == (got.connection < 3 ? s[1] == 0 : s[1] == 1));
    }
    pktseq_tracker_free(&tracker);
}

// Wrong arguments, and memory that runs out at every place: the tracker stays as it was.
static void test_failures(void) {
    pktseq_rule rule = pktseq_rule_connection(), bad[8];
    counter memory;
    pktseq_allocator allocator = counted(&memory);
    pktseq_tracker tracker, other;
    pktseq_tracked got, expected;
    pktseq_packet p;
    double clock = 0;
    size_t failed = 0;
    char text[10];
    for (int i = 0; i < 8; ++i) bad[i] = rule;
    bad[0].min_length = 0;
    bad[1].max_length = 0;
    bad[2].idle = -1;
    bad[3].idle = HUGE_VAL;
    bad[4].kind = (pktseq_rule_kind)7;
    bad[5].max_connections = (size_t)-1;
    bad[6].max_pairs = (size_t)-1;
    bad[7].max_packets = (size_t)1 << 31;
    for (int i = 0; i < 8; ++i) {
        pktseq_error err;
        CHECK(pktseq_tracker_init(&tracker, &bad[i], NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
        CHECK(err.text[0] && !tracker.state);
    }
    CHECK(pktseq_tracker_init(NULL, &rule, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_tracker_init(&tracker, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    memory.fail_at = 1;
    CHECK(pktseq_tracker_init(&tracker, &rule, &allocator, NULL) == PKTSEQ_ERROR_MEMORY);
    memory.fail_at = 0;
    CHECK(pktseq_tracker_init(&tracker, &rule, &allocator, NULL) == PKTSEQ_OK);
    CHECK(pktseq_tracker_init(&other, &rule, NULL, NULL) == PKTSEQ_OK);
    for (int i = 0; i < 3000; ++i) {
        p = random_packet(&clock, 32, 2);
        memory.fail_at = memory.allocations + 1 + random_below(3);
        while (pktseq_tracker_push(&tracker, &p, &got) == PKTSEQ_ERROR_MEMORY) {
            memory.fail_at = ++failed % 2 ? 0 : memory.allocations + 2;
            CHECK(tracker.packets == other.packets);
        }
        CHECK(pktseq_tracker_push(&other, &p, &expected) == PKTSEQ_OK);
        CHECK(memcmp(&got, &expected, sizeof got) == 0);
    }
    CHECK_THAT(failed > 10, "%lu", (unsigned long)failed);
    p.transport = 17;
    tracker.rule.tcp_only = 1;
    CHECK(pktseq_tracker_push(&tracker, &p, &got) == PKTSEQ_OK && got.dropped);
    CHECK(tracker.packets == other.packets);
    p.time = HUGE_VAL - HUGE_VAL;
    CHECK(pktseq_tracker_push(&tracker, &p, &got) == PKTSEQ_ERROR_ARGUMENT);
    p.time = 0;
    p.protocol = NULL;
    CHECK(pktseq_tracker_push(&tracker, &p, &got) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_tracker_push(&tracker, NULL, &got) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_tracker_push(&tracker, &p, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_tracker_push(NULL, &p, &got) == PKTSEQ_ERROR_ARGUMENT);
    pktseq_tracker_free(&tracker);
    pktseq_tracker_free(&tracker);
    pktseq_tracker_free(&other);
    pktseq_tracker_free(NULL);
    pktseq_tracker_tick(NULL, 0);
    CHECK(memory.live == 0);
    CHECK(pktseq_token_text(0, "TCP", text, 10) == PKTSEQ_OK && !strcmp(text, "TCP < - <"));
    CHECK(pktseq_token_text((uint64_t)1 << 34, "TCP", text, 10) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_token_text(9 << 12, "TCP", text, 10) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_token_text(0, NULL, text, 10) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_token_text(0, "TCP", text, 0) == PKTSEQ_ERROR_ARGUMENT);
}

static size_t held, most_held;

static void *held_alloc(size_t size, void *user_data) {
    size_t *p = (size_t *)malloc(size + 16);
    (void)user_data;
    if (!p) return NULL;
    *p = size;
    held += size;
    if (held > most_held) most_held = held;
    return (char *)p + 16;
}

static void held_free(void *p, void *user_data) {
    size_t *block = (size_t *)(void *)((char *)p - 16);
    (void)user_data;
    held -= *block;
    free(block);
}

// A tracker whose memory is counted from now on.
static pktseq_tracker held_tracker(const pktseq_rule *rule) {
    pktseq_allocator allocator = {held_alloc, held_free, NULL};
    pktseq_tracker tracker;
    most_held = 0;
    CHECK(pktseq_tracker_init(&tracker, rule, &allocator, NULL) == PKTSEQ_OK);
    return tracker;
}

static pktseq_packet tcp_packet(void) {
    pktseq_packet p;
    memset(&p, 0, sizeof p);
    p.transport = 6;
    p.protocol = "TCP";
    return p;
}

// A flood of packets, each between two addresses of its own: memory stays where the manual says.
static void test_flood(void) {
    pktseq_rule rule = pktseq_rule_connection();
    pktseq_tracker tracker = held_tracker(&rule);
    pktseq_tracked got;
    pktseq_packet p = tcp_packet();
    const uint32_t packets = 3000000;
    p.flags = 2;
    for (uint32_t i = 0; i < packets; ++i) {
        uint32_t mixed = i * 2654435761u;
        p.time = i * 1e-5;
        memcpy(p.src, &mixed, 4);
        p.src_port = (uint16_t)i;
        if (pktseq_tracker_push(&tracker, &p, &got) || got.position || got.counter[0] != 1) {
            CHECK_THAT(0, "packet %lu", (unsigned long)i);
            break;
        }
    }
    CHECK(tracker.connections == packets && got.slot < rule.max_connections);
    CHECK_THAT(tracker.evicted_connections > packets / 2, "%lu",
               (unsigned long)tracker.evicted_connections);
    CHECK_THAT(held < 69000000 && most_held < 92000000, "%lu now, at most %lu bytes",
               (unsigned long)held, (unsigned long)most_held);
    pktseq_tracker_free(&tracker);
    CHECK(held == 0);
}

// A pair that is not seen any more keeps no memory: it follows what the last 20 seconds have seen.
static void test_slow(void) {
    pktseq_rule rule = pktseq_rule_connection();
    pktseq_tracker tracker;
    pktseq_tracked got;
    pktseq_packet p = tcp_packet();
    rule.max_pairs = 1000;
    tracker = held_tracker(&rule);
    for (uint32_t i = 0; i < 200000; ++i) {
        uint32_t address = i / 160;  // a pair sends for 20 s, and never again
        p.time = 0.125 * i;
        memcpy(p.src, &address, 4);
        CHECK(pktseq_tracker_push(&tracker, &p, &got) == PKTSEQ_OK);
        CHECK(got.counter[0] == (i % 160 < 80 ? i % 160 + 1 : 81));
    }
    CHECK_THAT(most_held < 400000, "%lu bytes", (unsigned long)most_held);
    pktseq_tracker_free(&tracker);
    CHECK(held == 0);
}

// What rounding leaves of lengths that are not whole goes when one packet is left. Limits that were
// 0 can be read, since slots are below one of them.
static void test_rest(void) {
    static const double length[] = {0.1, 0.2, 0.3, 0};
    pktseq_rule rule = pktseq_rule_connection(), standard = pktseq_rule_default();
    pktseq_tracker tracker;
    pktseq_tracked got;
    pktseq_packet p = tcp_packet();
    rule.max_connections = rule.max_pairs = rule.max_packets = 0;
    tracker = held_tracker(&rule);
    CHECK(tracker.rule.max_connections == standard.max_connections &&
          tracker.rule.max_pairs == standard.max_pairs &&
          tracker.rule.max_packets == standard.max_packets);
    for (int i = 0; i < 4; ++i) {
        p.length = length[i];
        p.time = i < 3 ? 0 : 15;
        CHECK(pktseq_tracker_push(&tracker, &p, &got) == PKTSEQ_OK);
    }
    CHECK_THAT(got.counter[0] == 1 && got.counter[5] == 0, "%g, %g", got.counter[0],
               got.counter[5]);
    pktseq_tracker_free(&tracker);
}

// By the reference's rule not even an infinite time ends a sequence that is too short.
static void test_short_waits(void) {
    pktseq_rule rule = pktseq_rule_default();
    pktseq_tracker tracker;
    pktseq_tracked got;
    pktseq_packet p = tcp_packet();
    ends = 0;
    CHECK(rule.kind == PKTSEQ_RULE_REFERENCE && rule.min_length > 1);
    tracker = held_tracker(&rule);
    tracker.end_fn = count_end;
    tracker.user_data = &ends;
    for (size_t i = 1; i <= rule.min_length; ++i) {
        CHECK(pktseq_tracker_push(&tracker, &p, &got) == PKTSEQ_OK);
        pktseq_tracker_tick(&tracker, p.time + rule.window);
        CHECK(ends == 0);
        pktseq_tracker_tick(&tracker, HUGE_VAL);
        CHECK(ends == (unsigned)(i == rule.min_length));
    }
    pktseq_tracker_free(&tracker);
}

int main(void) {
    test_plain();
    test_table();
    test_connection();
    test_failures();
    test_flood();
    test_slow();
    test_rest();
    test_short_waits();
    return check_end("test_tracker");
}
