// test_captures.c - section >>sequences: the rule of the reference, on tables filled by hand.
#include "inside.h"
#include "tables.h"

#include <math.h>

// ---- a table filled by hand, all in static memory

enum { MOST_ROWS = 400, ADDRESSES = 7, PROTOCOLS = 9 };

typedef struct hand {
    pktseq_table table;
    pktseq_column column[5];
    char name[5][16];
    double time[MOST_ROWS], number[MOST_ROWS];
    uint32_t source[MOST_ROWS], destination[MOST_ROWS], protocol[MOST_ROWS];
    char text[ADDRESSES + PROTOCOLS][24];
    char *sources[ADDRESSES], *destinations[ADDRESSES], *protocols[PROTOCOLS];
} hand;

static const char *const protocol_name[PROTOCOLS] = {
    "TCP", "SMTP/IMF", "FTP", "SMTP|IMF", "FINGER", "SMTP", "FTP-DATA", "TIME", "SMTP/IMFX"};

// Columns number, timestamp, protocol, dst_ip, src_ip; the names of the addresses are the same
// texts, in another order for the destinations.
static void hand_init(hand *h, size_t rows) {
    static const char *const name[] = {"number", "timestamp", "protocol", "dst_ip", "src_ip"};
    memset(h, 0, sizeof *h);
    for (size_t i = 0; i < 5; ++i) strcpy(h->name[i], name[i]);
    for (size_t i = 0; i < ADDRESSES; ++i) {
        sprintf(h->text[i], "10.0.0.%d", (int)i);
        h->sources[i] = h->destinations[(i + 3) % ADDRESSES] = h->text[i];
    }
    for (size_t i = 0; i < PROTOCOLS; ++i) {
        strcpy(h->text[ADDRESSES + i], protocol_name[i]);
        h->protocols[i] = h->text[ADDRESSES + i];
    }
    h->column[0] = number_column(h->name[0], h->number);
    h->column[1] = number_column(h->name[1], h->time);
    h->column[2] = text_column(h->name[2], h->protocol, h->protocols, PROTOCOLS);
    h->column[3] = text_column(h->name[3], h->destination, h->destinations, ADDRESSES);
    h->column[4] = text_column(h->name[4], h->source, h->sources, ADDRESSES);
    h->table = table_of(h->column, 5, rows);
    for (size_t i = 0; i < rows; ++i) h->number[i] = (double)i;
}

// Packet `row` by the numbers of its addresses.
static void hand_packet(hand *h, size_t row, double time, unsigned source, unsigned destination) {
    h->time[row] = time;
    h->source[row] = source;
    h->destination[row] = (destination + 3) % ADDRESSES;
}

// What was allocated; the rest is static.
static void hand_free(hand *h) {
    const pktseq_allocator *a = &h->table.allocator;
    void *const block[] = {h->table.start, h->table.source_row};
    for (size_t i = 0; i < 2; ++i) {
        if (a->free_fn && block[i]) a->free_fn(block[i], a->user_data);
        if (!a->free_fn) free(block[i]);
    }
}

// ---- the rule, told a second time as plainly as possible

typedef struct plain {
    size_t rows, sequences;
    size_t kept[MOST_ROWS];            // the row that each row that remains was
    size_t start[MOST_ROWS + 1];
    const char *protocol[MOST_ROWS];   // of each
    size_t dropped, remainder, renamed, clock_back;
} plain;

static plain plain_cut(const hand *h, const pktseq_rule *rule) {
    plain p;
    size_t at = 0, end;
    memset(&p, 0, sizeof p);
    for (size_t row = 0; row < h->table.rows; ++row) {
        const char *name = h->protocols[h->protocol[row]];
        if (rule->reference_names && (!strcmp(name, "FTP") || !strcmp(name, "FTP-DATA") ||
                               !strcmp(name, "FINGER") || !strcmp(name, "TIME"))) {
            ++p.dropped;
            continue;
        }
        if (rule->reference_names && (!strcmp(name, "SMTP/IMF") || !strcmp(name, "SMTP|IMF"))) {
            name = "SMTP";
            ++p.renamed;
        }
        if (p.rows && h->time[row] < h->time[p.kept[p.rows - 1]]) ++p.clock_back;
        p.protocol[p.rows] = name;
        p.kept[p.rows++] = row;
    }
    for (; at < p.rows; at = end) {
        const char *from = h->sources[h->source[p.kept[at]]];
        double time = h->time[p.kept[at]];
        for (end = at + 1; end < p.rows && end - at < rule->max_length; ++end) {
            size_t row = p.kept[end];
            int talks = !strcmp(h->sources[h->source[row]], from) ||
                        !strcmp(h->destinations[h->destination[row]], from);
            if (end - at >= rule->min_length && (!talks || h->time[row] - time > rule->window))
                break;
        }
        if (end - at < rule->min_length) {
            p.remainder = end - at;
            break;
        }
        p.start[p.sequences++] = at;
    }
    p.rows = at;
    p.start[p.sequences] = at;
    return p;
}

// A table of random packets, with every kind of thing in it.
static void random_hand(hand *h, size_t rows) {
    unsigned addresses = 2 + random_below(ADDRESSES - 1), protocols = 1 + random_below(PROTOCOLS);
    unsigned step = 1 + random_below(4), first = random_below(PROTOCOLS);
    double time = random_below(3) ? 0 : 1.7e9;
    hand_init(h, rows);
    for (size_t row = 0; row < rows; ++row) {
        time += random_below(step) * 0.25;
        if (random_below(40) == 0) time -= random_below(8) * 0.5;
        hand_packet(h, row, time, random_below(addresses), random_below(addresses));
        h->protocol[row] = (first + random_below(protocols)) % PROTOCOLS;
    }
}

static void test_rule(void) {
    static hand h, before;
    size_t cut = 0, refused = 0, longest = 0;
    for (unsigned i = 0; i < 6000; ++i) {
        size_t rows = 1 + random_below(i % 4 ? 60 : MOST_ROWS), least = 1 + random_below(6);
        pktseq_rule rule = rule_of(least, least + random_below(i % 3 ? 30 : 3),
                                   0.25 * random_below(8), (int)random_below(2));
        pktseq_status status;
        counter count;
        pktseq_allocator allocator = counted(&count);
        plain p;
        random_hand(&h, rows);
        h.table.allocator = allocator;
        before = h;
        p = plain_cut(&h, &rule);
        status = pktseq_table_track(&h.table, &rule, NULL, &err);
        CHECK((status == PKTSEQ_OK) == (p.sequences > 0));
        if (status) {
            CHECK(status == PKTSEQ_ERROR_DATA && strstr(err.text, "expected at least"));
            CHECK(memcmp(&h, &before, sizeof h) == 0 && count.live == 0);
            ++refused;
            continue;
        }
        ++cut;
        CHECK(err.status == PKTSEQ_OK && err.text[0] == 0);
        check_sound(&h.table, "random");
        CHECK(h.table.rows == p.rows && h.table.sequences == p.sequences);
        CHECK(h.table.counts.dropped == p.dropped && h.table.counts.remainder == p.remainder &&
              h.table.counts.renamed == p.renamed && h.table.counts.clock_back == p.clock_back &&
              h.table.counts.packets == rows);
        if (h.table.rows == p.rows && h.table.sequences == p.sequences) {
            size_t wrong = memcmp(h.table.start, p.start,
                                  (p.sequences + 1) * sizeof *p.start) != 0;
            for (size_t row = 0; row < p.rows; ++row) {
                size_t was = p.kept[row];
                wrong += h.number[row] != (double)was || h.time[row] != before.time[was] ||
                         (h.table.source_row && h.table.source_row[row] != was) ||
                         strcmp(h.protocols[h.protocol[row]], p.protocol[row]) ||
                         strcmp(h.sources[h.source[row]], before.sources[before.source[was]]) ||
                         strcmp(h.destinations[h.destination[row]],
                                before.destinations[before.destination[was]]);
            }
            CHECK_THAT(wrong == 0, "table %u: %lu rows", i, (unsigned long)wrong);
            for (size_t s = 0; s < p.sequences; ++s)
                if (p.start[s + 1] - p.start[s] > longest) longest = p.start[s + 1] - p.start[s];
        }
        for (size_t c = 2; c < 5; ++c)
            CHECK(h.column[c].name_count ==
                  (c == 2 ? (size_t)PROTOCOLS : (size_t)ADDRESSES));
        // Once more: nothing changes. (What begins a sequence is the same, for only the end went.)
        before = h;
        CHECK(pktseq_table_track(&h.table, &rule, NULL, &err) == PKTSEQ_OK);
        CHECK(h.table.rows == p.rows && h.table.sequences == p.sequences);
        CHECK(memcmp(h.table.start, p.start, (p.sequences + 1) * sizeof *p.start) == 0);
        CHECK(h.table.counts.dropped == p.dropped && h.table.counts.remainder == p.remainder &&
              h.table.counts.renamed == p.renamed);
        check_sound(&h.table, "random, again");
        hand_free(&h);
        CHECK(count.live == 0);
    }
    CHECK_THAT(cut > 4000 && refused > 20 && longest > 20, "%lu cut, %lu refused, longest %lu",
               (unsigned long)cut, (unsigned long)refused, (unsigned long)longest);
}

// Starts as text, or why there are none.
static const char *cut_text(hand *h, const pktseq_rule *rule) {
    static char result[600];
    result[0] = 0;
    if (pktseq_table_track(&h->table, rule, NULL, &err)) return strcpy(result, err.text);
    check_sound(&h->table, "by hand");
    for (size_t s = 0; s <= h->table.sequences; ++s)
        sprintf(result + strlen(result), "%lu ", (unsigned long)h->table.start[s]);
    sprintf(result + strlen(result), "| %lu %lu", (unsigned long)h->table.counts.remainder,
            (unsigned long)h->table.counts.clock_back);
    return result;
}

#define CHECK_CUT(rule, expected) \
    do { \
        const char *got_ = cut_text(&h, rule); \
        CHECK_THAT(strcmp(got_, expected) == 0, "\n  got      %s\n  expected %s", got_, expected); \
        hand_free(&h); \
    } while (0)

static void test_edges(void) {
    static hand h;
    pktseq_rule rule = pktseq_rule_default();
    CHECK(rule.min_length == 4 && rule.max_length == 320 && rule.window == 1 &&
          rule.reference_names == 0);
    // One conversation of exactly `most` packets, one less, one more.
    for (size_t rows = 319; rows <= 325; ++rows) {
        char expected[60];
        hand_init(&h, rows);
        for (size_t i = 0; i < rows; ++i) hand_packet(&h, i, 0, (unsigned)i % 2, 1 - i % 2);
        if (rows <= 320)
            sprintf(expected, "0 %d | 0 0", (int)rows);
        else if (rows < 324)
            sprintf(expected, "0 320 | %d 0", (int)rows - 320);
        else
            sprintf(expected, "0 320 %d | 0 0", (int)rows);
        CHECK_CUT(&rule, expected);
    }
    // The window: equal joins, the next double does not; it counts from the first packet.
    for (int late = 0; late < 2; ++late) {
        hand_init(&h, 9);
        for (size_t i = 0; i < 9; ++i) hand_packet(&h, i, 3, 0, 1);
        h.time[4] = late ? 4.0000000000000009 : 4;
        CHECK_CUT(&rule, late ? "0 4 9 | 0 1" : "0 9 | 0 1");
    }
    // Within the first four neither time nor addresses count; then source or destination must be
    // the first packet's source, not its destination.
    hand_init(&h, 12);
    hand_packet(&h, 0, 0, 0, 1);
    hand_packet(&h, 1, 50, 2, 3);
    hand_packet(&h, 2, 60, 3, 4);
    hand_packet(&h, 3, 70, 5, 4);
    for (size_t i = 4; i < 12; ++i) hand_packet(&h, i, 0.5, 2, i < 8 ? 0 : 1);
    CHECK_CUT(&rule, "0 8 12 | 0 1");
    // A clock that jumps back separates nothing.
    hand_init(&h, 6);
    for (size_t i = 0; i < 6; ++i) hand_packet(&h, i, i < 4 ? 1000 : -1000, 0, 1);
    CHECK_CUT(&rule, "0 6 | 0 1");
    // Too few.
    hand_init(&h, 3);
    CHECK_CUT(&rule, "found 3 packets, expected at least 4 for a sequence");
    hand_init(&h, 5);
    rule.reference_names = 1;
    h.protocol[1] = h.protocol[3] = 2;
    CHECK_CUT(&rule, "found 3 packets of the protocols that are not dropped, expected at least 4 "
                     "for a sequence");
    // least 1, most 1: every packet alone.
    rule = rule_of(1, 1, 0, 0);
    hand_init(&h, 3);
    CHECK_CUT(&rule, "0 1 2 3 | 0 0");
}

// Other counts of before are kept, sequences of before are not.
static void test_again(void) {
    static hand h;
    pktseq_rule rule = rule_of(2, 2, 1, 0), notebook = rule_of(3, 9, 1, 1);
    hand_init(&h, 9);
    for (size_t i = 0; i < 9; ++i) {
        hand_packet(&h, i, (double)i, 0, 1);
        h.protocol[i] = i == 3 ? 2 : i == 5 ? 3 : 0;  // FTP, SMTP|IMF
    }
    h.table.position_gaps = 7;
    h.table.counts.packets = 1234;  // nonsense is not believed
    h.table.counts.renamed = 99;
    CHECK_CUT(&rule, "0 2 4 6 8 | 1 0");
    h.table.start = NULL;
    h.table.source_row = NULL;
    h.table.rows = 8;
    CHECK(h.table.position_gaps == 0 && h.table.counts.packets == 9 && h.table.counts.renamed == 0);
    CHECK(pktseq_table_track(&h.table, &notebook, NULL, NULL) == PKTSEQ_OK);
    CHECK(h.table.rows == 6 && h.table.sequences == 2);
    check_sound(&h.table, "again");
    CHECK(h.table.counts.dropped == 1 && h.table.counts.remainder == 2 &&
          h.table.counts.renamed == 1);
    CHECK(h.number[2] == 2 && h.number[3] == 4 && h.number[4] == 5);
    for (size_t row = 0; row < 6; ++row)
        CHECK(strcmp(pktseq_column_text(&h.column[2], row), row == 4 ? "SMTP" : "TCP") == 0);
    hand_free(&h);
}

static void test_arguments(void) {
    static hand h, before;
    const double infinite = HUGE_VAL;
    const pktseq_rule good = pktseq_rule_default();
    const pktseq_rule bad[] = {rule_of(0, 320, 1, 0), rule_of(4, 3, 1, 0), rule_of(4, 0, 1, 0),
                               rule_of(4, 9, -0.5, 0), rule_of(4, 9, infinite, 0),
                               rule_of(4, 9, infinite - infinite, 0)};
    const pktseq_rule notebook = rule_of(4, 320, 1, 1);
    pktseq_schema schema = pktseq_schema_default();
    pktseq_table table;
#define CHECK_FAILS(call, expected) \
    do { \
        before = h; \
        CHECK_THAT((call) == (expected), "%s", err.text); \
        CHECK(err.status == (expected) && strlen(err.text) > 10); \
        CHECK(memcmp(&h, &before, sizeof h) == 0); \
    } while (0)
#define FRESH(change) (hand_init(&h, 8), change)
    hand_init(&h, 8);
    CHECK_FAILS(pktseq_table_track(NULL, &good, NULL, &err), PKTSEQ_ERROR_ARGUMENT);
    CHECK_FAILS(pktseq_table_track(&h.table, NULL, NULL, &err), PKTSEQ_ERROR_ARGUMENT);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        CHECK_FAILS(pktseq_table_track(&h.table, &bad[i], NULL, &err), PKTSEQ_ERROR_ARGUMENT);
        schema.rule = bad[i];
        if (bad[i].min_length)
            CHECK(pktseq_table_parse(&table, "x\n", 2, &schema, NULL, &err) ==
                  PKTSEQ_ERROR_ARGUMENT);
    }
#define CUT_FAILS(change, rule, expected) \
    FRESH(change); \
    CHECK_FAILS(pktseq_table_track(&h.table, rule, NULL, &err), expected)
    CUT_FAILS(h.table.rows = 0, &good, PKTSEQ_ERROR_ARGUMENT);
    CUT_FAILS(h.table.column = NULL, &good, PKTSEQ_ERROR_ARGUMENT);
    CUT_FAILS(h.column[0].name = NULL, &good, PKTSEQ_ERROR_ARGUMENT);
    CUT_FAILS(h.column[0].cell = NULL, &good, PKTSEQ_ERROR_ARGUMENT);
    CUT_FAILS(h.source[7] = ADDRESSES, &good, PKTSEQ_ERROR_ARGUMENT);
    CUT_FAILS(h.destination[0] = UINT32_MAX, &good, PKTSEQ_ERROR_ARGUMENT);
    CUT_FAILS(h.protocol[3] = PROTOCOLS, &good, PKTSEQ_ERROR_ARGUMENT);
    CUT_FAILS(h.name[1][0] = 'T', &good, PKTSEQ_ERROR_MISMATCH);
    CUT_FAILS(h.name[2][0] = 'P', &notebook, PKTSEQ_ERROR_MISMATCH);
    CUT_FAILS(h.name[3][0] = 'D', &good, PKTSEQ_ERROR_MISMATCH);
    CHECK(strstr(err.text, "\"dst_ip\""));
    CUT_FAILS(h.name[4][0] = 'S', &good, PKTSEQ_ERROR_MISMATCH);
    CUT_FAILS((strcpy(h.name[4], "other"), strcpy(h.name[0], "src_ip")), &good,
              PKTSEQ_ERROR_MISMATCH);
    CHECK(strstr(err.text, " of texts"));
    CUT_FAILS((strcpy(h.name[1], "other"), strcpy(h.name[2], "timestamp")), &good,
              PKTSEQ_ERROR_MISMATCH);
    CUT_FAILS(h.time[6] = infinite, &good, PKTSEQ_ERROR_DATA);
    CHECK(strstr(err.text, "\"timestamp\""));
    // Without the notebook nobody asks for protocols.
    FRESH(h.name[2][0] = 'P');
    CHECK(pktseq_table_track(&h.table, &good, NULL, NULL) == PKTSEQ_OK);
    hand_free(&h);
    // Columns to keep.
    {
        static const char *const none[] = {NULL}, *const empty[] = {"a", ""},
                                 *const wrong[] = {"\xff"};
        static const char *const *const list[] = {NULL, none, empty, wrong};
        for (size_t i = 0; i < 4; ++i) {
            schema = pktseq_schema_default();
            schema.keep = list[i];
            schema.keep_count = i == 2 ? 2 : 1;
            CHECK(pktseq_table_parse(&table, "x\n", 2, &schema, NULL, &err) ==
                  PKTSEQ_ERROR_ARGUMENT);
        }
    }
}

// ---- memory that runs out

// A failure leaves the table as it was.
static void test_memory(void) {
    static hand h, before;
    const pktseq_rule rule = rule_of(3, 9, 0.5, 1);
    counter cutting;
    size_t fail_at;
    random_state = 5;
    random_hand(&h, 300);
    h.table.allocator = counted(&cutting);
    for (fail_at = 1;; ++fail_at) {
        memset(&cutting, 0, sizeof cutting);
        cutting.fail_at = fail_at;
        before = h;
        if (pktseq_table_track(&h.table, &rule, NULL, &err) == PKTSEQ_OK) break;
        CHECK(err.status == PKTSEQ_ERROR_MEMORY && cutting.live == 0);
        CHECK(memcmp(&h, &before, sizeof h) == 0);
    }
    CHECK(fail_at > 7 && h.table.counts.dropped > 0);
    check_sound(&h.table, "memory, by hand");
    hand_free(&h);
    CHECK(cutting.live == 0);
}

int main(void) {
    test_rule();
    test_edges();
    test_again();
    test_arguments();
    test_memory();
    return check_end("test_captures");
}
