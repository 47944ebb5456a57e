// fuzz_capture.c - bytes as a frame, or as a capture that is read in pieces of two kinds, with the
// same outcome, and as a table.
//
// The first byte: below 128 its link type is number byte % 18, and the second byte says how many
// times 16 bytes the snap length has cut off; else the pieces (3 bits) and an allocation that
// fails.
#include "fuzz.h"

typedef struct capture_source {
    const uint8_t *data;
    size_t size, used, piece;
} capture_source;

static size_t capture_pull(void *user_data, void *to, size_t size, int *failed) {
    capture_source *s = (capture_source *)user_data;
    (void)failed;
    if (size > s->piece) size = s->piece;
    if (size > s->size - s->used) size = s->size - s->used;
    if (size) memcpy(to, s->data + s->used, size);
    s->used += size;
    return size;
}

// What must be so of any packet.
static void capture_check(const pktseq_packet *p, pktseq_status status, size_t wire) {
    char text[46];
    FUZZ(status == PKTSEQ_OK || status == PKTSEQ_NOT_IP);
    FUZZ(p->protocol && p->protocol[0] && strlen(p->protocol) < 24);
    FUZZ(p->notes < 32 && p->payload <= wire && fuzz_finite(p->time));
    FUZZ(p->flags == 0 || p->transport == 6);
    FUZZ(p->flags < 1024);
    FUZZ((!p->src_port && !p->dst_port) || p->transport == 6 || p->transport == 17 ||
         p->transport == 33 || p->transport == 132 || p->transport == 136);
    FUZZ((!p->icmp_type && !p->icmp_code && !p->icmp_id) || p->transport == 1 ||
         p->transport == 58);
    FUZZ(!(p->notes & PKTSEQ_NOTE_NO_PORTS) || (!p->src_port && !p->dst_port && !p->payload));
    FUZZ(pktseq_address_text(p->src, text) < sizeof text);
    FUZZ(pktseq_address_text(p->dst, text) < sizeof text);
}

static void capture_frame(const uint8_t *data, size_t size) {
    static const uint32_t link[18] = {1,  101, 0,   108, 113, 276, 9,   50,  51,
                                      204, 104, 107, 219, 12,  14,  228, 229, 105};
    unsigned char *exact = fuzz_exactly(data + 2, size - 2);
    size_t captured = size - 2, wire = captured + 16 * (size_t)data[1];
    uint32_t type = link[data[0] % 18];
    pktseq_packet a, b;
    pktseq_status status;
    memset(&a, 0x5a, sizeof a);
    memset(&b, 0xa5, sizeof b);
    status = pktseq_packet_decode(&a, exact, captured, wire, type, 1.5);
    FUZZ(pktseq_packet_decode(&b, exact, captured, wire, type, 1.5) == status);
    FUZZ(a.protocol == b.protocol && a.notes == b.notes && a.payload == b.payload &&
         a.flags == b.flags && a.src_port == b.src_port && equal_bytes(a.src, b.src, 32));
    FUZZ(a.time == 1.5);
    FUZZ((status == PKTSEQ_ERROR_MISMATCH) == (type == 105));
    if (type != 105) capture_check(&a, status, wire);
    free(exact);
}

// The packets of two readers, side by side. Returns how they ended.
static pktseq_status capture_both(pktseq_capture *a, pktseq_capture *b, int may_fail) {
    pktseq_packet p, q;
    pktseq_error err;
    for (;;) {
        pktseq_status status = pktseq_capture_next(a, &p, &err);
        FUZZ(err.status == status && (!status || status == PKTSEQ_END) == !err.text[0]);
        if (status == PKTSEQ_ERROR_MEMORY && may_fail) return status;
        FUZZ(pktseq_capture_next(b, &q, NULL) == status);
        FUZZ(equal_bytes(&a->counts, &b->counts, sizeof a->counts));
        if (status) return status;
        FUZZ(p.time == q.time && p.length == q.length && p.notes == q.notes &&
             p.protocol == q.protocol && equal_bytes(p.src, q.src, 32));
        FUZZ(a->captured == b->captured && equal_bytes(a->frame, b->frame, a->captured));
        capture_check(&p, PKTSEQ_OK, (size_t)p.length + a->captured + 1);
    }
}

static void capture_file(const uint8_t *data, size_t size) {
    static const size_t piece[8] = {1, 2, 3, 7, 64, 1000, 65536, 262144};
    static const size_t fail_at[8] = {0, 1, 2, 3, 4, 0, 0, 0};
    unsigned char *exact = fuzz_exactly(data + 1, size - 1);
    capture_source source = {exact, size - 1, 0, piece[data[0] & 7]};
    capture_source whole = {exact, size - 1, 0, size};
    size_t fail = fail_at[(data[0] >> 3) & 7];
    fuzz_memory memory, memory2;
    pktseq_capture a, b;
    pktseq_error err;
    pktseq_status status, status2;
    fuzz_memory_init(&memory, fail);
    fuzz_memory_init(&memory2, 0);
    memory2.most = (size_t)520 << 10;  // the window; nothing else may be as large
    status = pktseq_capture_init(&a, capture_pull, &source, &memory.allocator, &err);
    status2 = pktseq_capture_init(&b, capture_pull, &whole, &memory2.allocator, NULL);
    fuzz_error(&err, status);
    FUZZ(status == status2 || (fail && status == PKTSEQ_ERROR_MEMORY));
    if (!status) status = capture_both(&a, &b, fail != 0);
    FUZZ(status == PKTSEQ_END || status == PKTSEQ_ERROR_DATA || fail);
    FUZZ(a.counts.frames * 12 <= size && a.counts.packets <= a.counts.frames);
    pktseq_capture_free(&a);
    pktseq_capture_free(&b);
    FUZZ(memory.live == 0 && memory2.live == 0 && memory2.refused == 0);
    free(exact);
}

static void capture_table(const uint8_t *data, size_t size) {
    unsigned char *exact = fuzz_exactly(data + 1, size - 1);
    pktseq_field field[FUZZ_FIELDS];
    pktseq_schema schema = fuzz_schema(data[0] & 3, field);
    pktseq_table table;
    pktseq_error err;
    pktseq_status status;
    fuzz_memory memory;
    fuzz_memory_init(&memory, 0);
    status = pktseq_table_parse(&table, exact, size - 1, &schema, &memory.allocator, &err);
    fuzz_error(&err, status);
    FUZZ(status || (table.rows && table.rows <= table.capture.packets));
    FUZZ(status || table.counts.packets == table.capture.frames);
    pktseq_table_free(&table);
    FUZZ(memory.live == 0);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 100000) return 0;
    if (data[0] < 128) {
        capture_frame(data, size);
    } else {
        capture_file(data, size);
        if (pktseq_capture_magic(data + 1, size - 1)) capture_table(data, size);
    }
    return 0;
}
