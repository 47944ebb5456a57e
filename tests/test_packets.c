// test_packets.c - section >>packets: captures as tables, which say of packets what a tracker
// says of them one at a time.
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "frames.h"

static void check_table(const bytes *b, int notebook) {
    static const char *const keep[] = {"No.", "src_ip", "dst_ip", "payload", "notes", "other",
                                       "transport", "icmp_type", "icmp_code", "icmp_id"};
    pktseq_schema schema = notebook ? pktseq_schema_reference() : pktseq_schema_default();
    const pktseq_column *column[24];
    static const char *const names[24] = {
        "timestamp", "length", "src_port", "dst_port", "transport", "icmp_type", "icmp_code",
        "icmp_id", "No.", "payload", "notes", "res", "ns", "cwr", "ecn", "urg", "ack", "push",
        "reset", "syn", "fin", "src_ip", "dst_ip", "protocol"};
    pktseq_table table;
    pktseq_capture capture;
    pktseq_packet p;
    pktseq_error err;
    source s;
    size_t row = 0, others = 0;
    schema.keep = keep;
    schema.keep_count = 10;
    schema.rule.min_length = 1;
    CHECK_THAT(!pktseq_table_parse(&table, b->data, b->size, &schema, NULL, &err), "%s", err.text);
    CHECK(!pktseq_table_column(&table, "other"));
    for (int i = 0; i < 24; ++i) {
        column[i] = pktseq_table_column(&table, names[i]);
        CHECK_THAT(column[i] && (i < 21) == (column[i]->names == NULL),
                   "%s", names[i]);
        if (!column[i]) return;
    }
    CHECK(!open_bytes(&capture, &s, b, 5000, &err));
    while (!pktseq_capture_next(&capture, &p, &err)) {
        double want[21] = {p.time, p.length, p.src_port, p.dst_port, p.transport, p.icmp_type,
                           p.icmp_code, p.icmp_id, (double)capture.counts.frames, p.payload,
                           p.notes};
        char src[46], dst[46];
        const char *text[3];
        others += notebook && p.transport != 6;
        if (notebook && p.transport != 6) continue;
        pktseq_address_text(p.src, src);
        pktseq_address_text(p.dst, dst);
        text[0] = src;
        text[1] = dst;
        text[2] = p.protocol;
        for (int f = 0; f < 10; ++f) want[11 + f] = p.flags >> (9 - f) & 1;
        for (int i = 0; i < 24 && row < table.rows; ++i)
            CHECK_THAT(i < 21 ? pktseq_column_number(column[i], row) == want[i]
                              : strcmp(pktseq_column_text(column[i], row), text[i - 21]) == 0,
                       "row %lu: %s", (unsigned long)row, names[i]);
        ++row;
    }
    CHECK(row == table.rows && row > 1000 && table.counts.not_tcp == others);
    CHECK(table.capture.frames == capture.counts.frames &&
          table.capture.packets == capture.counts.packets &&
          table.counts.packets == capture.counts.frames && table.counts.not_ip == 2);
    CHECK(table.notes == PKTSEQ_READ_BY_PORT && table.source_row);
    CHECK(pktseq_table_naming(&table) == PKTSEQ_NAMING_PORTS);
    for (size_t k = 0; table.source_row && k < row; ++k)
        CHECK((double)table.source_row[k] == pktseq_column_number(column[8], k) - 1);
    pktseq_capture_free(&capture);
    pktseq_table_free(&table);
}

static void check_no_table(const bytes *b, const pktseq_schema *schema, pktseq_status status,
                           const char *part) {
    pktseq_table table;
    pktseq_error err;
    CHECK(pktseq_table_parse(&table, b->data, b->size, schema, NULL, &err) == status);
    CHECK_THAT(strstr(err.text, part), "%s", err.text);
    CHECK(!table.column && !table.rows);
    pktseq_table_free(&table);
}

static void test_tables(void) {
    bytes b = {NULL, 0, 0, 0};
    pktseq_schema schema = pktseq_schema_default();
    pktseq_field field;
    unsigned char arp[60];
    pcapng_all(&b);
    check_table(&b, 0);
    check_table(&b, 1);
    memset(&field, 0, sizeof field);
    schema.field = &field;
    schema.field_count = 1;
    field.column = "ttl";
    check_no_table(&b, &schema, PKTSEQ_ERROR_DATA, "\"ttl\" is missing");
    field.column = "length";
    field.kind = PKTSEQ_ONEHOT;
    check_no_table(&b, &schema, PKTSEQ_ERROR_ARGUMENT, "\"length\" as something else");
    field.kind = PKTSEQ_FLAG;
    check_no_table(&b, &schema, PKTSEQ_ERROR_ARGUMENT, "\"length\" as something else");
    field.kind = PKTSEQ_ZSCORE;
    schema.rule.min_length = 0;
    check_no_table(&b, &schema, PKTSEQ_ERROR_DATA, "\"position\" is missing");
    schema.rule.min_length = 1;
    b.size = 0;
    memset(arp, 0, sizeof arp);
    arp[12] = 8;
    arp[13] = 6;
    pcap_begin(&b, 0xa1b2c3d4, 1);
    check_no_table(&b, &schema, PKTSEQ_ERROR_DATA, "the capture is empty");
    pcap_frame(&b, 0xa1b2c3d4, 1, 2, arp, sizeof arp);
    check_no_table(&b, &schema, PKTSEQ_ERROR_DATA, "1 frame without a packet of IP");
    pcap_frame(&b, 0xa1b2c3d4, 1, 2, arp, sizeof arp);
    check_no_table(&b, &schema, PKTSEQ_ERROR_DATA, "2 frames without a packet of IP");
    b.size = 24;
    add_number(&b, 0xffffffff, 4);
    add_number(&b, 0xffffffff, 4);
    add_number(&b, 0xffffffff, 4);
    add_number(&b, 0xffffffff, 4);
    check_no_table(&b, &schema, PKTSEQ_ERROR_DATA, "after 0 frames");
    free(b.data);
}

// Frames left out after the last row alone: the table says of each row all the same which it is.
static void test_last_left_out(void) {
    const frame *tcp = &frames[0], *udp = tcp;
    bytes b = {NULL, 0, 0, 0};
    pktseq_schema schema = pktseq_schema_recommended(0);
    pktseq_table table;
    pktseq_error err;
    while (udp->want.transport != 17 || udp->link_type != tcp->link_type) ++udp;
    pcap_begin(&b, 0xa1b2c3d4, tcp->link_type);
    for (uint32_t i = 0; i < 6; ++i) {
        const frame *f = i < 5 ? tcp : udp;
        pcap_frame(&b, 0xa1b2c3d4, i, 0, f->data + f->begin, frame_size(f));
    }
    schema.rule.tcp_only = 1;
    schema.constant_is_zero = 1;
    CHECK_THAT(!pktseq_table_parse(&table, b.data, b.size, &schema, NULL, &err), "%s", err.text);
    CHECK(table.rows == 5 && table.counts.packets == 6 && table.counts.not_tcp == 1);
    CHECK(table.source_row != NULL);
    for (size_t row = 0; table.source_row && row < table.rows; ++row)
        CHECK(table.source_row[row] == row);
    pktseq_table_free(&table);
    free(b.data);
}

// What comes before a damage is read, and where it is damaged is said; not if every row must be
// good.
static void test_damaged(void) {
    bytes b = {NULL, 0, 0, 0};
    pktseq_schema schema = pktseq_schema_default();
    pktseq_field field;
    pktseq_table table, whole;
    pktseq_error err;
    unsigned char udp[42] = {0};
    memset(&field, 0, sizeof field);
    field.column = "length";
    field.kind = PKTSEQ_ZSCORE;
    schema.field = &field;
    schema.field_count = 1;
    udp[12] = 8;
    udp[14] = 0x45;
    udp[17] = 28;
    udp[23] = 17;
    pcap_begin(&b, 0xa1b2c3d4, 1);
    for (unsigned i = 0; i < 6; ++i) pcap_frame(&b, 0xa1b2c3d4, 1 + i, 2, udp, sizeof udp);
    CHECK(!pktseq_table_parse(&whole, b.data, b.size, &schema, NULL, &err));
    CHECK(!(whole.notes & PKTSEQ_READ_DAMAGED) && !whole.first_bad[0]);
    for (int i = 0; i < 4; ++i) add_number(&b, 0xffffffff, 4);
    CHECK_THAT(!pktseq_table_parse(&table, b.data, b.size, &schema, NULL, &err), "%s", err.text);
    CHECK(table.notes & PKTSEQ_READ_DAMAGED && strstr(table.first_bad, "after 6 frames"));
    CHECK(table.rows == whole.rows && table.sequences == whole.sequences && table.rows == 4);
    CHECK(table.counts.packets == 6 && !err.text[0]);
    pktseq_table_free(&table);
    pktseq_table_free(&whole);
    schema.bad_rows = -1;
    check_no_table(&b, &schema, PKTSEQ_ERROR_DATA, "after 6 frames");
    free(b.data);
}

// What a table says of a capture's packets is what a tracker says that sees them one at a time, to
// the bit, also where its limits strike.
static void check_live(const bytes *b, size_t limit) {
    static const char *const name[] = {
        "pair_packets",     "pair_syn",      "pair_reset",          "pair_fin",
        "pair_push",        "pair_length",   "pair_connections",    "pair_services",
        "pair_per_connection", "source_hosts", "source_services",   "source_connections"};
    pktseq_schema schema = pktseq_schema_recommended(1);
    pktseq_tracked *all = (pktseq_tracked *)calloc(20000, sizeof *all);
    pktseq_table table;
    pktseq_tracker tracker;
    pktseq_capture capture;
    pktseq_packet p;
    pktseq_error err;
    source s;
    size_t sequence = 0;
    schema.rule.max_connections = schema.rule.max_pairs = limit;
    schema.rule.max_packets = 4 * limit;
    if (!all) exit(3);
    CHECK_THAT(!pktseq_table_parse(&table, b->data, b->size, &schema, NULL, &err), "%s", err.text);
    CHECK(!open_bytes(&capture, &s, b, 5000, &err));
    CHECK(!pktseq_tracker_init(&tracker, &schema.rule, NULL, NULL));
    while (!pktseq_capture_next(&capture, &p, &err) && capture.counts.frames < 20000)
        CHECK(!pktseq_tracker_push(&tracker, &p, &all[capture.counts.frames - 1]));
    CHECK(table.rows == capture.counts.packets && table.sequences == tracker.sequences);
    CHECK(table.source_row && table.rows > 10000);
    // What nobody asks for is no column: packets were tracked as they were read.
    CHECK(!pktseq_table_column(&table, "syn") && !pktseq_table_column(&table, "src_port") &&
          pktseq_table_column(&table, "timestamp") && pktseq_table_column(&table, "protocol"));
    CHECK(limit > 1000 || tracker.evicted_connections > 100);
    CHECK(table.counts.evicted_connections == tracker.evicted_connections &&
          table.counts.evicted_packets == tracker.evicted_packets);
    for (size_t row = 0; table.source_row && row < table.rows; ++row) {
        const pktseq_tracked *one = &all[table.source_row[row]];
        const pktseq_column *token = pktseq_table_column(&table, "token");
        char text[100];
        if (row == table.start[sequence + 1]) ++sequence;
        CHECK(one->position == row - table.start[sequence]);
        CHECK(one->sequence == all[table.source_row[table.start[sequence]]].sequence);
        CHECK(pktseq_column_number(pktseq_table_column(&table, "same_connection"), row) ==
              one->same_connection);
        for (int k = 0; k < PKTSEQ_COUNTERS; ++k)
            CHECK(pktseq_column_number(pktseq_table_column(&table, name[k]), row) ==
                  one->counter[k]);
        CHECK(!pktseq_token_text(one->token, one->protocol, text, sizeof text));
        CHECK(strcmp(pktseq_column_text(token, row), text) == 0);
    }
    pktseq_tracker_free(&tracker);
    pktseq_capture_free(&capture);
    pktseq_table_free(&table);
    free(all);
}

static void test_live(void) {
    bytes b = {NULL, 0, 0, 0};
    FILE *file = fopen("examples/data/mixed.pcap", "rb");
    char piece[4096];
    size_t got;
    if (!file) file = fopen("../examples/data/mixed.pcap", "rb");
    CHECK(file != NULL);
    if (!file) return;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0) add(&b, piece, got);
    fclose(file);
    check_live(&b, 1 << 16);
    check_live(&b, 32);
    free(b.data);
}

int main(void) {
    frames_make();
    test_tables();
    test_last_left_out();
    test_damaged();
    test_live();
    free(frames);
    return check_end("test_packets");
}
