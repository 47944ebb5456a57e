// test_capture.c - frames of every kind that is known, in captures of every kind: what was built in
// is what comes out.
//
// build/test_capture --write FOLDER writes the captures instead, for tshark to say what it finds in
// them (make captures); --seeds FOLDER writes some for tests/fuzz/fuzz_capture.c.
#include "inside.h"
#include "scene.h"

#include <math.h>

// ---- frames, built from the inside out ----------------------------------------------------------

typedef struct frame {
    unsigned char data[2000];  // the frame is at its end
    size_t begin;
    unsigned type;             // Ethertype of what it begins with
    uint32_t link_type;
    int ips;                   // IP headers so far
    pktseq_packet want;
    char name[100];
} frame;

// A number of `bytes` in network order, in front.
static void put(frame *f, unsigned long value, size_t bytes) {
    if (f->begin < bytes) exit(3);
    for (; bytes > 0; --bytes, value >>= 8) f->data[--f->begin] = (unsigned char)value;
}

// Bytes in front, as text: "45 00".
static void put_hex(frame *f, const char *hex) {
    for (size_t i = strlen(hex) / 3 + 1; i-- > 0;) put(f, strtoul(hex + 3 * i, NULL, 16), 1);
}

static size_t frame_size(const frame *f) { return sizeof f->data - f->begin; }

static void put_zeros(frame *f, size_t bytes) {
    while (bytes-- > 0) put(f, 0, 1);
}

static unsigned next_address;  // each header has addresses of its own, so none is taken for another

static void ip4(frame *f, unsigned protocol, unsigned fragment) {
    unsigned long to = 0x0a000000 + next_address++, from = 0x0a000000 + next_address++;
    size_t total = frame_size(f) + 20;
    put(f, to, 4);
    put(f, from, 4);
    put(f, 0, 2);
    put(f, protocol, 1);
    put(f, 64, 1);
    put(f, fragment, 2);
    put(f, 1, 2);
    put(f, total, 2);
    put_hex(f, "45 00");
    f->type = 0x0800;
    if (f->ips++) return;
    memset(f->want.src, 0, 10);
    memset(f->want.src + 10, 0xff, 2);
    memcpy(f->want.src + 12, f->data + f->begin + 12, 4);
    memset(f->want.dst, 0, 10);
    memset(f->want.dst + 10, 0xff, 2);
    memcpy(f->want.dst + 12, f->data + f->begin + 16, 4);
}

static void ip6(frame *f, unsigned next) {
    unsigned long to = next_address++, from = next_address++;
    size_t payload = frame_size(f);
    put(f, to, 4);
    put_hex(f, "20 01 0d b8 00 00 00 00 00 00 00 00");
    put(f, from, 4);
    put_hex(f, "20 01 0d b8 00 01 00 00 00 00 00 00");
    put(f, 64, 1);
    put(f, next, 1);
    put(f, payload, 2);
    put_hex(f, "60 00 00 00");
    f->type = 0x86dd;
    if (f->ips++) return;
    memcpy(f->want.src, f->data + f->begin + 8, 16);
    memcpy(f->want.dst, f->data + f->begin + 24, 16);
}

// An IP protocol number for what is within.
static unsigned number(const frame *f) { return f->type == 0x0800 ? 4 : 41; }

static void udp(frame *f, unsigned from, unsigned to) {
    size_t length = frame_size(f) + 8;
    put(f, 0, 2);
    put(f, length, 2);
    put(f, to, 2);
    put(f, from, 2);
}

static void ethernet(frame *f) {
    put(f, f->type, 2);
    put_hex(f, "02 00 00 00 00 02 02 00 00 00 00 01");
    f->type = 0x6558;
}

// Returns how long it is then.
static size_t ppp(frame *f, int framed) {
    put(f, f->type == 0x0800 ? 0x21 : 0x57, 2);
    if (framed) put_hex(f, "ff 03");
    return frame_size(f);
}

// ---- innermost packets --------------------------------------------------------------------------

enum { INNERS = 11 };

static void inner_tcp(frame *f, unsigned from, unsigned to, unsigned flags, size_t payload) {
    put_zeros(f, payload + 14);  // window, checksum, urgent pointer, 8 bytes of options
    put(f, (7ul << 12) | flags, 2);
    put_hex(f, "00 00 00 01 00 00 00 02");
    put(f, to, 2);
    put(f, from, 2);
    f->want.transport = 6;
    f->want.src_port = (uint16_t)from;
    f->want.dst_port = (uint16_t)to;
    f->want.flags = (uint16_t)((flags & 0x1ff) | (flags & 0xe00 ? 0x200 : 0));
    f->want.payload = (uint32_t)payload;
}

static void inner_udp(frame *f, unsigned from, unsigned to, size_t payload) {
    put_zeros(f, payload);
    udp(f, from, to);
    f->want.transport = 17;
    f->want.src_port = (uint16_t)from;
    f->want.dst_port = (uint16_t)to;
    f->want.payload = (uint32_t)payload;
}

static void inner_icmp(frame *f, int six, unsigned type, unsigned code, unsigned id,
                       size_t payload) {
    put_zeros(f, payload + 2);
    put(f, id, 2);
    put(f, 0, 2);
    put(f, code, 1);
    put(f, type, 1);
    f->want.transport = six ? 58 : 1;
    f->want.icmp_type = (uint8_t)type;
    f->want.icmp_code = (uint8_t)code;
    f->want.icmp_id = (uint16_t)id;
    f->want.payload = (uint32_t)payload;
}

static void inner(frame *f, int which) {
    switch (which) {
    case 0: inner_tcp(f, 50000, 80, 0x018, 100); ip4(f, 6, 0); f->want.protocol = "HTTP"; break;
    case 1: inner_tcp(f, 443, 50001, 0xfff, 0); ip6(f, 6); f->want.protocol = "TCP"; break;
    case 2: inner_udp(f, 50002, 53, 30); ip4(f, 17, 0); f->want.protocol = "DNS"; break;
    case 3: inner_udp(f, 443, 50003, 70); ip6(f, 17); f->want.protocol = "QUIC"; break;
    case 4: inner_icmp(f, 0, 8, 0, 77, 32); ip4(f, 1, 0); f->want.protocol = "ICMP"; break;
    case 5: inner_icmp(f, 1, 129, 0, 78, 32); ip6(f, 58); f->want.protocol = "ICMPv6"; break;
    case 6:  // an error that quotes a packet of TCP
        inner_tcp(f, 50004, 25, 2, 0);
        ip4(f, 6, 0);
        f->ips = 0;
        memset(&f->want, 0, sizeof f->want);
        put_zeros(f, 4);
        put_hex(f, "03 01 00 00");
        f->want.icmp_type = 3;
        f->want.icmp_code = 1;
        f->want.transport = 1;
        f->want.payload = (uint32_t)(frame_size(f) - 8);
        ip4(f, 1, 0);
        f->want.protocol = "ICMP";
        break;
    case 7:  // the first fragment
        inner_tcp(f, 50005, 22, 0x010, 32);
        ip4(f, 6, 0x2000);
        f->want.protocol = "SSH";
        f->want.notes = PKTSEQ_NOTE_FRAGMENT;
        break;
    case 8:  // a later one, and one that is 32 kB later
    case 10:
        put_zeros(f, 40);
        ip4(f, 17, which == 8 ? 0x0004 : 0x1000);
        f->want.transport = 17;
        f->want.protocol = "UDP";
        f->want.notes = PKTSEQ_NOTE_FRAGMENT | PKTSEQ_NOTE_NO_PORTS;
        break;
    case 9:  // a transport that is not looked into
        put_zeros(f, 24);
        ip4(f, 89, 0);
        f->want.transport = 89;
        f->want.protocol = "OSPF";
        break;
    }
    if (strcmp(f->want.protocol, "HTTP") == 0 || strcmp(f->want.protocol, "DNS") == 0 ||
        strcmp(f->want.protocol, "QUIC") == 0 || strcmp(f->want.protocol, "SSH") == 0)
        f->want.notes |= PKTSEQ_NOTE_BY_PORT;
}

// ---- what may be around them: 0 = not around this one -------------------------------------------

static int is_ip(const frame *f) { return f->type == 0x0800 || f->type == 0x86dd; }

static int wrap_vlan(frame *f) {
    put(f, f->type, 2);
    put(f, 0x2007, 2);
    f->type = 0x8100;
    return 1;
}

static int wrap_qinq(frame *f) {
    wrap_vlan(f);
    put(f, f->type, 2);
    put(f, 0x0064, 2);
    f->type = 0x88a8;
    return 1;
}

static int wrap_mpls(frame *f) {
    if (!is_ip(f)) return 0;
    put(f, 0x00011140, 4);
    put(f, 0x00010e40, 4);  // all bits of the class beside that of the stack's bottom
    f->type = 0x8847;
    return 1;
}

static int wrap_pppoe(frame *f) {
    if (!is_ip(f)) return 0;
    size_t length = ppp(f, 0);
    put(f, length, 2);
    put_hex(f, "11 00 00 01");
    f->type = 0x8864;
    return 1;
}

static int wrap_pbb(frame *f) {
    ethernet(f);
    put_hex(f, "00 00 00 05");
    f->type = 0x88e7;
    return 1;
}

static int gre(frame *f, unsigned protocol, unsigned flags) {
    put(f, protocol, 2);
    put(f, flags, 2);
    ip4(f, 47, 0);
    return 1;
}

static int wrap_gre(frame *f) {
    return gre(f, f->type, 0);
}

static int wrap_gre_all(frame *f) {  // checksum, key, sequence number; over IPv6
    put_hex(f, "00 00 00 09 00 00 00 08 00 00 00 00");
    put(f, f->type, 2);
    put(f, 0xb000, 2);
    ip6(f, 47);
    return 1;
}

static int wrap_gre_ethernet(frame *f) {
    ethernet(f);
    return wrap_gre(f);
}

static int wrap_erspan2(frame *f) {
    ethernet(f);
    put_hex(f, "10 05 00 01 00 00 00 00");
    put_hex(f, "00 00 00 01");
    return gre(f, 0x88be, 0x1000);
}

static int wrap_pptp(frame *f) {
    if (!is_ip(f)) return 0;
    size_t length = ppp(f, 1);
    put_hex(f, "00 00 00 07 00 00 00 06");
    put(f, 5, 2);
    put(f, length, 2);
    return gre(f, 0x880b, 0x3081);
}

static int wrap_in4(frame *f) {
    if (!is_ip(f)) return 0;
    ip4(f, number(f), 0);
    return 1;
}

static int wrap_in4_fragment(frame *f) {  // the first one: its note is not the inner packet's
    if (!is_ip(f)) return 0;
    ip4(f, number(f), 0x2000);
    return 1;
}

static int wrap_in6(frame *f) {
    if (!is_ip(f)) return 0;
    ip6(f, number(f));
    return 1;
}

static int wrap_extensions(frame *f) {  // hop by hop, destination options, atomic fragment, AH
    if (!is_ip(f)) return 0;
    put_hex(f, "00 00 00 01 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00 00");
    put_hex(f, "00 05 00 00");
    f->data[f->begin] = (unsigned char)number(f);
    f->data[f->begin + 1] = 4;
    put_hex(f, "33 00 00 00 00 00 00 07");
    put_hex(f, "2c 01 01 0c 00 00 00 00 00 00 00 00 00 00 00 00");
    put_hex(f, "3c 00 01 04 00 00 00 00");
    ip6(f, 0);
    return 1;
}

static int wrap_vxlan(frame *f) {
    ethernet(f);
    put_hex(f, "08 00 00 00 00 00 2a 00");
    udp(f, 49152, 4789);
    ip4(f, 17, 0);
    return 1;
}

static int wrap_geneve(frame *f) {  // with an option
    put_hex(f, "01 02 00 01 00 00 00 00");
    put_hex(f, "00 00 2a 00");
    if (is_ip(f)) put(f, f->type, 2);
    else return 0;
    put_hex(f, "02 00");
    udp(f, 49153, 6081);
    ip6(f, 17);
    return 1;
}

static int wrap_geneve_ethernet(frame *f) {
    ethernet(f);
    put_hex(f, "00 00 2a 00");
    put(f, 0x6558, 2);
    put_hex(f, "00 00");
    udp(f, 49153, 6081);
    ip4(f, 17, 0);
    return 1;
}

static int wrap_gtp(frame *f) {  // with a sequence number and an extension header
    size_t length;
    if (!is_ip(f)) return 0;
    put_hex(f, "01 10 00 00");
    put_hex(f, "00 01 00 85");
    length = frame_size(f);
    put_hex(f, "00 00 00 2a");
    put(f, length, 2);
    put_hex(f, "36 ff");
    udp(f, 2152, 2152);
    ip4(f, 17, 0);
    return 1;
}

static int wrap_teredo(frame *f) {  // with where it comes from
    if (f->type != 0x86dd) return 0;
    put_hex(f, "00 00 fb 2e f5 ff ff fe");
    udp(f, 3544, 49154);
    ip4(f, 17, 0);
    return 1;
}

static int wrap_mpls_udp(frame *f) {
    if (!wrap_mpls(f)) return 0;
    udp(f, 49155, 6635);
    ip4(f, 17, 0);
    return 1;
}

static int wrap_etherip(frame *f) {
    ethernet(f);
    put_hex(f, "30 00");
    ip4(f, 97, 0);
    return 1;
}

static int wrap_lisp(frame *f) {
    if (!is_ip(f)) return 0;
    put_hex(f, "80 00 00 01 00 00 00 01");
    udp(f, 49156, 4341);
    ip4(f, 17, 0);
    return 1;
}

static int wrap_macsec(frame *f) {  // authenticated, not encrypted
    put(f, f->type, 2);
    put_hex(f, "20 00 00 00 00 01 02 00 00 00 00 01 00 01");
    f->type = 0x88e5;
    return 1;
}

typedef int (*wrap_fn)(frame *f);
static const struct {
    const char *name;
    wrap_fn wrap;
} wraps[] = {{"vlan", wrap_vlan},         {"qinq", wrap_qinq},
             {"mpls", wrap_mpls},         {"pppoe", wrap_pppoe},
             {"pbb", wrap_pbb},           {"gre", wrap_gre},
             {"gre-all", wrap_gre_all},   {"gre-eth", wrap_gre_ethernet},
             {"erspan2", wrap_erspan2},   {"pptp", wrap_pptp},
             {"in4", wrap_in4},           {"in6", wrap_in6},
             {"in4-fragment", wrap_in4_fragment},
             {"ext", wrap_extensions},    {"vxlan", wrap_vxlan},
             {"geneve", wrap_geneve},     {"geneve-eth", wrap_geneve_ethernet},
             {"gtp", wrap_gtp},           {"teredo", wrap_teredo},
             {"mpls-udp", wrap_mpls_udp}, {"etherip", wrap_etherip},
             {"lisp", wrap_lisp},         {"macsec", wrap_macsec}};
enum { WRAPS = sizeof wraps / sizeof *wraps };

// ---- what they lie on ---------------------------------------------------------------------------

static const uint32_t links[] = {1, 101, 12, 0, 108, 113, 276, 9, 50, 51, 204, 104, 228, 229, 107};
enum { LINKS = sizeof links / sizeof *links };

// 0: this link type cannot carry it.
static int link_layer(frame *f, uint32_t link_type, unsigned variant) {
    size_t length;
    f->link_type = link_type;
    switch (link_type) {
    case 1: ethernet(f); return 1;
    case 101:
    case 12: return is_ip(f);
    case 228: return f->type == 0x0800;
    case 229: return f->type == 0x86dd;
    case 0:
        if (!is_ip(f)) return 0;
        if (variant & 1) put(f, f->type == 0x0800 ? 2 : 30, 4);
        else put(f, f->type == 0x0800 ? 0x02000000ul : 0x18000000ul, 4);
        return 1;
    case 108:
        if (!is_ip(f)) return 0;
        put(f, f->type == 0x0800 ? 2 : 24, 4);
        return 1;
    case 113:
        put(f, f->type, 2);
        put_hex(f, "00 00 00 01 00 06 02 00 00 00 00 01 00 00");
        return 1;
    case 276:
        put_hex(f, "00 00 00 00 00 02 00 01 04 06 02 00 00 00 00 01 00 00");
        put(f, f->type, 2);
        return 1;
    case 9:
    case 50:
        if (!is_ip(f)) return 0;
        ppp(f, link_type == 50 || variant & 1);
        return 1;
    case 204:
        if (!is_ip(f)) return 0;
        ppp(f, 1);
        put(f, variant & 1, 1);
        return 1;
    case 51:
        if (!is_ip(f)) return 0;
        ppp(f, 0);
        length = frame_size(f);
        put(f, length, 2);
        put_hex(f, "11 00 00 01");
        return 1;
    case 104:
        if (!is_ip(f)) return 0;
        put(f, f->type, 2);
        put_hex(f, "0f 00");
        return 1;
    case 107:
        if (!is_ip(f)) return 0;
        put(f, f->type == 0x0800 ? 0xcc : 0x8e, 1);
        put_hex(f, variant & 1 ? "18 41 03 00" : "18 41 03");
        return 1;
    }
    return 0;
}

static frame *frames;
static size_t frame_count, frame_room;

static frame *frame_next(void) {
    if (frame_count == frame_room) {
        frame_room = 2 * frame_room + 100;
        frames = (frame *)realloc(frames, frame_room * sizeof *frames);
        if (!frames) exit(3);
    }
    memset(&frames[frame_count], 0, sizeof *frames);
    frames[frame_count].begin = sizeof frames->data;
    return &frames[frame_count];
}

// Adds a frame, if there can be such a one; wraps may be -1.
static int frame_add(int which, int first, int second, uint32_t link_type) {
    frame *f = frame_next();
    inner(f, which);
    if (first >= 0 && !wraps[first].wrap(f)) return 0;
    if (second >= 0 && !wraps[second].wrap(f)) return 0;
    if (!link_layer(f, link_type, (unsigned)frame_count)) return 0;
    if (f->ips > 1) f->want.notes |= PKTSEQ_NOTE_TUNNEL;
    f->want.length = (double)frame_size(f) - (link_type == 204);
    sprintf(f->name, "%d in %s in %s on %u", which, first < 0 ? "-" : wraps[first].name,
            second < 0 ? "-" : wraps[second].name, (unsigned)link_type);
    ++frame_count;
    return 1;
}

static void frames_make(void) {
    int turn = 0;
    for (int i = 0; i < INNERS; ++i)
        for (int w = -1; w < WRAPS; ++w)
            for (int l = 0; l < LINKS; ++l) frame_add(i, w, -1, links[l]);
    for (int v = 0; v < WRAPS; ++v)
        for (int w = 0; w < WRAPS; ++w)
            for (int k = 0; k < INNERS; ++k, ++turn) {
                if (!frame_add(turn % INNERS, v, w, links[turn % LINKS]) &&
                    !frame_add(turn % INNERS, v, w, 113))
                    frame_add(turn % INNERS, v, w, 1);
            }
}

// ---- the same fields, to the bit ----------------------------------------------------------------

static void same_packet(const pktseq_packet *got, const pktseq_packet *want, const char *name) {
    char a[46], b[46];
    pktseq_address_text(got->src, a);
    pktseq_address_text(want->src, b);
    CHECK_THAT(memcmp(got->src, want->src, 16) == 0, "%s: %s, not %s", name, a, b);
    CHECK_THAT(memcmp(got->dst, want->dst, 16) == 0, "%s", name);
    CHECK_THAT(got->time == want->time, "%s: %.17g, not %.17g", name, got->time, want->time);
    CHECK_THAT(got->length == want->length, "%s: %g, not %g", name, got->length, want->length);
    CHECK_THAT(got->transport == want->transport, "%s: %d, not %d", name, got->transport,
               want->transport);
    CHECK_THAT(got->src_port == want->src_port && got->dst_port == want->dst_port,
               "%s: %d %d, not %d %d", name, got->src_port, got->dst_port, want->src_port,
               want->dst_port);
    CHECK_THAT(got->flags == want->flags, "%s: %x, not %x", name, got->flags, want->flags);
    CHECK_THAT(got->icmp_type == want->icmp_type && got->icmp_code == want->icmp_code &&
               got->icmp_id == want->icmp_id, "%s: %d %d %d", name, got->icmp_type, got->icmp_code,
               got->icmp_id);
    CHECK_THAT(got->payload == want->payload, "%s: %lu, not %lu", name, (unsigned long)got->payload,
               (unsigned long)want->payload);
    CHECK_THAT(got->notes == want->notes, "%s: %u, not %u", name, got->notes, want->notes);
    CHECK_THAT(strcmp(got->protocol, want->protocol) == 0, "%s: %s, not %s", name, got->protocol,
               want->protocol);
}

static void test_frames(void) {
    for (size_t i = 0; i < frame_count; ++i) {
        const frame *f = &frames[i];
        pktseq_packet got;
        pktseq_status status = pktseq_packet_decode(&got, f->data + f->begin, frame_size(f),
                                                    frame_size(f), f->link_type, 0);
        CHECK_THAT(status == PKTSEQ_OK, "%s: %d %s", f->name, (int)status, got.protocol);
        if (status == PKTSEQ_OK) same_packet(&got, &f->want, f->name);
    }
}

// Every frame cut off at every byte, in memory of just that size: nothing outside is read, and what
// is found, if anything, was in there.
static void test_cuts(void) {
    size_t cut_off = 0;
    for (size_t i = 0; i < frame_count; i += 7) {
        const frame *f = &frames[i];
        for (size_t size = 0; size < frame_size(f); ++size) {
            pktseq_packet got;
            unsigned char *copy = (unsigned char *)malloc(size + 1);
            pktseq_status status;
            if (!copy) exit(3);
            memcpy(copy + 1, f->data + f->begin, size);
            status = pktseq_packet_decode(&got, copy + 1, size, frame_size(f), f->link_type, 0);
            CHECK_THAT(status == PKTSEQ_OK || status == PKTSEQ_NOT_IP, "%s", f->name);
            CHECK(got.protocol && got.length == f->want.length);
            CHECK(got.src_port == 0 || got.transport == 6 || got.transport == 17);
            if (got.notes & PKTSEQ_NOTE_CUT_OFF) ++cut_off;
            free(copy);
        }
    }
    CHECK(cut_off > 1000);
}

// ---- captures -----------------------------------------------------------------------------------

typedef struct bytes {
    unsigned char *data;
    size_t size, room;
    int big;  // order of bytes
} bytes;

static void add(bytes *b, const void *data, size_t size) {
    if (b->size + size > b->room) {
        b->room = 2 * (b->size + size) + 1000;
        b->data = (unsigned char *)realloc(b->data, b->room);
        if (!b->data) exit(3);
    }
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void add_number(bytes *b, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i) {
        size_t at = b->big ? size - 1 - i : i;
        unsigned char c = (unsigned char)(at < 8 ? value >> 8 * at : 0);
        add(b, &c, 1);
    }
}

static void pcap_begin(bytes *b, uint32_t magic, uint32_t link_type) {
    add_number(b, magic, 4);
    add_number(b, 2, 2);
    add_number(b, 4, 2);
    add_number(b, 0, 8);
    add_number(b, 262144, 4);
    add_number(b, link_type, 4);
}

static void pcap_frame(bytes *b, uint32_t magic, uint32_t seconds, uint32_t units, const void *data,
                       size_t size) {
    add_number(b, seconds, 4);
    add_number(b, units, 4);
    add_number(b, size, 4);
    add_number(b, size, 4);
    if (magic == 0xa1b2cd34) add_number(b, 0, 8);
    add(b, data, size);
}

// Begins a block of pcapng; block_end says how long it is.
static size_t block_begin(bytes *b, uint32_t type) {
    add_number(b, type, 4);
    add_number(b, 0, 4);
    return b->size - 8;
}

static void block_end(bytes *b, size_t begin) {
    size_t size;
    while ((b->size - begin) % 4) add_number(b, 0, 1);
    size = b->size - begin + 4;
    add_number(b, size, 4);
    b->size = begin + 4;
    add_number(b, size, 4);
    b->size = begin + size;
}

static void section(bytes *b) {
    size_t begin = block_begin(b, 0x0a0d0d0a);
    add_number(b, 0x1a2b3c4d, 4);
    add_number(b, 1, 2);
    add_number(b, 0, 2);
    add_number(b, (uint64_t)-1, 8);
    block_end(b, begin);
}

static void option(bytes *b, unsigned code, uint64_t value, size_t size) {
    add_number(b, code, 2);
    add_number(b, size, 2);
    add_number(b, value, size);
    while (size++ % 4) add_number(b, 0, 1);
}

static void interface_block(bytes *b, uint32_t link_type, int resolution, int64_t offset) {
    size_t begin = block_begin(b, 1);
    add_number(b, link_type, 2);
    add_number(b, 0, 2);
    add_number(b, 0, 4);
    option(b, 2, 0x30687465, 4);  // a name
    if (resolution >= 0) option(b, 9, (uint64_t)resolution, 1);
    if (offset) option(b, 14, (uint64_t)offset, 8);
    option(b, 0, 0, 0);
    block_end(b, begin);
}

static void enhanced(bytes *b, uint32_t interface_id, uint64_t units, const void *data,
                     size_t size) {
    size_t begin = block_begin(b, 6);
    add_number(b, interface_id, 4);
    add_number(b, units >> 32, 4);
    add_number(b, units & 0xffffffff, 4);
    add_number(b, size, 4);
    add_number(b, size, 4);
    add(b, data, size);
    while (size++ % 4) add_number(b, 0, 1);
    option(b, 2, 0, 4);
    option(b, 0, 0, 0);
    block_end(b, begin);
}

// The packet block of before 2004, or the simple one, which has no time.
static void old_or_simple(bytes *b, int old, uint64_t units, const void *data, size_t size) {
    size_t begin = block_begin(b, old ? 2 : 3);
    if (old) {
        add_number(b, 0, 2);
        add_number(b, 0xffff, 2);
        add_number(b, units >> 32, 4);
        add_number(b, units & 0xffffffff, 4);
        add_number(b, size, 4);
    }
    add_number(b, size, 4);
    add(b, data, size);
    block_end(b, begin);
}

static void other_block(bytes *b, uint32_t type) {
    size_t begin = block_begin(b, type);
    add_number(b, 1, 4);
    add_number(b, 2, 8);
    block_end(b, begin);
}

// A stream that gives a few bytes at a time.
typedef struct source {
    const unsigned char *data;
    size_t size, used, piece;
    int fails;  // instead of ending
} source;

static size_t pull(void *user_data, void *to, size_t size, int *failed) {
    source *s = (source *)user_data;
    size_t piece = s->piece ? s->piece : 1 + s->used * 7 % 1000;
    if (size > piece) size = piece;
    if (size > s->size - s->used) size = s->size - s->used;
    if (size) memcpy(to, s->data + s->used, size);
    s->used += size;
    if (size == 0 && s->fails) *failed = 1;
    return size;
}

// Opens bytes as a capture. The source must live as long.
static pktseq_status open_bytes(pktseq_capture *capture, source *s, const bytes *b, size_t piece,
                                pktseq_error *err) {
    memset(s, 0, sizeof *s);
    s->data = b->data;
    s->size = b->size;
    s->piece = piece;
    return pktseq_capture_init(capture, pull, s, NULL, err);
}

// "seconds.fraction" as strtod reads it.
static double time_of(unsigned long seconds, unsigned long fraction, int digits) {
    char text[60];
    sprintf(text, "%lu.%0*lu", seconds, digits, fraction);
    return strtod(text, NULL);
}

// Units of time that are unlike each other, also at the ends.
static unsigned long units_of(size_t i, unsigned long per_second) {
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
    return i % 9 == 0 ? 0 : i % 9 == 1 ? per_second - 1 : (unsigned long)(z >> 33) % per_second;
}

static unsigned long seconds_of(size_t i) {
    static const unsigned long at[] = {0, 1, 4294967295ul, 1700000000, 1234567890, 2147483647, 77};
    return at[i % 7];
}

// All frames of one link type in a pcap file. Returns how many.
static size_t pcap_all(bytes *b, uint32_t magic, uint32_t link_type) {
    size_t count = 0;
    unsigned long per_second = magic == 0xa1b23c4d ? 1000000000 : 1000000;
    pcap_begin(b, magic, link_type);
    for (size_t i = 0; i < frame_count; ++i) {
        frame *f = &frames[i];
        if (f->link_type != link_type) continue;
        pcap_frame(b, magic, (uint32_t)seconds_of(i), (uint32_t)units_of(i, per_second),
                   f->data + f->begin, frame_size(f));
        f->want.time =
            time_of(seconds_of(i), units_of(i, per_second), per_second == 1000000 ? 6 : 9);
        ++count;
    }
    return count;
}

static void test_pcap(void) {
    static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34};
    for (int m = 0; m < 6; ++m)
        for (int l = 0; l < LINKS; ++l) {
            bytes b = {NULL, 0, 0, 0};
            pktseq_capture capture;
            pktseq_packet packet;
            pktseq_error err;
            source s;
            size_t at = 0, count;
            pktseq_status status;
            b.big = m & 1;
            count = pcap_all(&b, magics[m / 2], links[l]);
            b.data[b.big ? 20 : 23] |= 0xfc;  // of the link type: about checksums
            CHECK(pktseq_capture_magic(b.data, 4) && !pktseq_capture_magic(b.data, 3));
            status = open_bytes(&capture, &s, &b, l == 1 ? 1 : l == 2 ? 0 : 4000, &err);
            CHECK_THAT(!status, "%s", err.text);
            while (!status) {
                status = pktseq_capture_next(&capture, &packet, &err);
                if (status) break;
                while (at < frame_count && frames[at].link_type != links[l]) ++at;
                if (at == frame_count) break;
                same_packet(&packet, &frames[at].want, frames[at].name);
                CHECK(capture.captured == frame_size(&frames[at]) &&
                      memcmp(capture.frame, frames[at].data + frames[at].begin,
                             capture.captured) == 0);
                ++at;
            }
            CHECK_THAT(status == PKTSEQ_END && err.status == PKTSEQ_END, "%s", err.text);
            CHECK(capture.counts.frames == count && capture.counts.packets == count && count > 9);
            CHECK(capture.counts.incomplete == 0 && capture.counts.cut_off == 0);
            CHECK(pktseq_capture_next(&capture, &packet, NULL) == PKTSEQ_END);
            pktseq_capture_free(&capture);
            pktseq_capture_free(&capture);
            free(b.data);
        }
}

// The number of a link type's interface in its section: all but the first backwards in the second,
// whose interfaces are its own.
static size_t interface_of(size_t link, int big) { return big && link ? LINKS - link : link; }

// Sections of both orders of bytes one after the other, an interface for each link type, with units
// of 10^-6 (said or not), 10^-9, 10^-3 with an offset, and 2^-20; all three kinds of packet block.
static void pcapng_all(bytes *b) {
    static const int resolution[] = {-1, 6, 9, 3, 0x80 | 20};
    static const unsigned long per_second[] = {1000000, 1000000, 1000000000, 1000, 1048576};
    static const int digits[] = {6, 6, 9, 3, 0};
    double before = 0;
    for (int big = 0; big < 2; ++big) {
        b->big = big;
        section(b);
        other_block(b, 0x00000bae);
        other_block(b, 0x00000bad);  // a custom block, which counts as a frame
        for (size_t k = 0; k < LINKS; ++k) {
            size_t l = interface_of(k, big);
            interface_block(b, links[l], resolution[l % 5], l % 5 == 3 ? 1000000000 : 0);
        }
        for (size_t i = big ? frame_count / 2 : 0; i < (big ? frame_count : frame_count / 2); ++i) {
            frame *f = &frames[i];
            const unsigned char *data = f->data + f->begin;
            size_t l = 0, size = frame_size(f);
            unsigned long units, seconds = seconds_of(i);
            while (links[l] != f->link_type) ++l;
            units = units_of(i, per_second[l % 5]);
            f->want.time = l % 5 == 4 ? (double)seconds + (double)units / 1048576
                                      : time_of(seconds + (l % 5 == 3 ? 1000000000 : 0), units,
                                                digits[l % 5]);
            if (l == 0 && i % 5 == 0) f->want.time = before;
            if (l == 0 && i % 5 < 2)
                old_or_simple(b, i % 5 == 1, (uint64_t)seconds * per_second[0] + units, data,
                              size);
            else
                enhanced(b, (uint32_t)interface_of(l, big),
                         (uint64_t)seconds * per_second[l % 5] + units, data, size);
            before = f->want.time;
            if (i % 100 == 0) other_block(b, 5);
        }
    }
}

static void test_pcapng(size_t piece) {
    bytes b = {NULL, 0, 0, 0};
    pktseq_capture capture;
    pktseq_packet packet;
    pktseq_error err;
    source s;
    pktseq_status status;
    size_t at = 0;
    pcapng_all(&b);
    status = open_bytes(&capture, &s, &b, piece, &err);
    CHECK_THAT(!status, "%s", err.text);
    for (; !status && at < frame_count; ++at) {
        status = pktseq_capture_next(&capture, &packet, &err);
        CHECK_THAT(!status, "%s", err.text);
        if (!status) same_packet(&packet, &frames[at].want, frames[at].name);
    }
    CHECK(pktseq_capture_next(&capture, &packet, &err) == PKTSEQ_END);
    CHECK(capture.counts.frames == frame_count + 2 && capture.counts.incomplete == 0);
    CHECK(capture.counts.packets == frame_count && capture.counts.other[0].frames == 2);
    pktseq_capture_free(&capture);
    free(b.data);
}

// Times as strtod has them, of every unit, also before 1970 and far after.
static void test_times(void) {
    uint64_t z = 1;
    CHECK(pktseqi_time(-1, 250, 1000) == -0.75);
    CHECK(pktseqi_time(-1, 0, 1000) == -1);
    CHECK(pktseqi_time(0, 1, (uint64_t)1 << 63) == ldexp(1, -63));
    CHECK(pktseqi_time(0, 1, 1000000000000000000u) == 1e-18);
    CHECK(pktseqi_time(0, (uint64_t)-1, 1) == 4611686018427387904.0);
    for (int64_t odd = 0; odd < 2; ++odd) {  // halves go to even
        int64_t whole = ((int64_t)1 << 52) + odd;
        CHECK(pktseqi_time(whole, 1, 2) == (double)(whole + odd));
    }
    for (int i = 0; i < 20000; ++i) {
        char text[80];
        int digits = 1 + i % 18;
        uint64_t per_second = 1, seconds, units;
        for (int d = 0; d < digits; ++d) per_second *= 10;
        z = z * 6364136223846793005u + 1442695040888963407u;
        seconds = z >> (30 + i % 33);
        z = z * 6364136223846793005u + 1442695040888963407u;
        units = z % per_second;
        sprintf(text, "%llu.%0*llu", (unsigned long long)seconds, digits,
                (unsigned long long)units);
        CHECK_THAT(pktseqi_time((int64_t)seconds, units, per_second) == strtod(text, NULL), "%s",
                   text);
    }
}

// ---- what is not IP, and what is cut off --------------------------------------------------------

static void check_other(const char *hex, uint32_t link_type, const char *name) {
    frame f;
    pktseq_packet got;
    memset(&f, 0, sizeof f);
    f.begin = sizeof f.data;
    put_zeros(&f, 46);
    put_hex(&f, hex);
    CHECK_THAT(pktseq_packet_decode(&got, f.data + f.begin, frame_size(&f), frame_size(&f),
                                    link_type, 7) == PKTSEQ_NOT_IP, "%s", name);
    CHECK_THAT(strcmp(got.protocol, name) == 0, "%s, not %s", got.protocol, name);
    CHECK(got.time == 7 && got.length == (double)frame_size(&f) && got.transport == 0);
}

static void test_others(void) {
#define MACS "ff ff ff ff ff ff 02 00 00 00 00 01 "
    check_other(MACS "08 06", 1, "ARP");
    check_other(MACS "88 cc", 1, "LLDP");
    check_other(MACS "81 00 00 01 08 06", 1, "ARP");
    check_other(MACS "88 63", 1, "PPPoED");
    check_other(MACS "00 26 42 42 03 00 00", 1, "STP");
    check_other(MACS "00 26 aa aa 03 00 00 0c 20 00", 1, "CDP");
    check_other(MACS "00 26 aa aa 03 00 00 00 08 06", 1, "ARP");
    check_other(MACS "12 34", 1, "other");
    check_other("8f 00 80 35", 104, "SLARP");
    check_other("ff 03 c0 21", 9, "PPP");
    check_other("00 00 00 07", 0, "other");
    check_other(MACS "08 00 50 00", 1, "other");  // IP of version 5
}

// The snap length ends frames after so many bytes.
static void test_snap(void) {
    static const struct {
        size_t captured;
        pktseq_status status;
        unsigned transport, port, flags, notes;
    } cuts[] = {{54, PKTSEQ_OK, 6, 80, 0x18, PKTSEQ_NOTE_BY_PORT},
                {48, PKTSEQ_OK, 6, 80, 0x18, PKTSEQ_NOTE_BY_PORT},
                {47, PKTSEQ_OK, 6, 80, 0, PKTSEQ_NOTE_CUT_OFF},
                {38, PKTSEQ_OK, 6, 80, 0, PKTSEQ_NOTE_CUT_OFF},
                {37, PKTSEQ_OK, 6, 0, 0, PKTSEQ_NOTE_CUT_OFF},
                {34, PKTSEQ_OK, 6, 0, 0, PKTSEQ_NOTE_CUT_OFF},
                {33, PKTSEQ_NOT_IP, 0, 0, 0, PKTSEQ_NOTE_CUT_OFF},
                {13, PKTSEQ_NOT_IP, 0, 0, 0, PKTSEQ_NOTE_CUT_OFF}};
    frame *f = frame_next();
    inner(f, 0);
    ethernet(f);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; ++i) {
        pktseq_packet got;
        pktseq_status status = pktseq_packet_decode(&got, f->data + f->begin, cuts[i].captured,
                                                    frame_size(f), 1, 0);
        CHECK_THAT(status == cuts[i].status && got.transport == cuts[i].transport &&
                   got.dst_port == cuts[i].port && got.flags == cuts[i].flags &&
                   got.notes == cuts[i].notes && got.length == (double)frame_size(f),
                   "%lu: %d %u %u %x %u", (unsigned long)cuts[i].captured, (int)status,
                   got.transport, got.dst_port, got.flags, got.notes);
    }
}

// Padding after the IP packet is not its payload; a total length of 0 is the card's to fill in.
static void test_lengths(void) {
    frame *f = frame_next();
    unsigned char padded[60];
    pktseq_packet got;
    memset(padded, 0, sizeof padded);
    put_zeros(f, 6);
    put_hex(f, "50 02");
    put_zeros(f, 8);
    put_hex(f, "00 50 c3 50");
    ip4(f, 6, 0);
    ethernet(f);
    memcpy(padded, f->data + f->begin, frame_size(f));
    CHECK(frame_size(f) == 54);
    CHECK(pktseq_packet_decode(&got, padded, 60, 60, 1, 0) == PKTSEQ_OK);
    CHECK(got.payload == 0 && strcmp(got.protocol, "TCP") == 0 && got.flags == 2);
    padded[16] = padded[17] = 0;
    CHECK(pktseq_packet_decode(&got, padded, 60, 5000, 1, 0) == PKTSEQ_OK);
    CHECK(got.payload == 5000 - 54 && strcmp(got.protocol, "HTTP") == 0);
    padded[46] = 0x40;  // a TCP header of 16 bytes: ports, but nothing after them
    CHECK(pktseq_packet_decode(&got, padded, 60, 5000, 1, 0) == PKTSEQ_OK);
    CHECK(got.payload == 0 && got.flags == 0 && got.dst_port == 50000);
    padded[23] = 17;    // UDP, whose length is 0: no payload, except in a jumbogram
    padded[38] = padded[39] = 0;
    CHECK(pktseq_packet_decode(&got, padded, 60, 5000, 1, 0) == PKTSEQ_OK);
    CHECK(got.payload == 0 && got.transport == 17 && got.dst_port == 50000);
    padded[39] = 9;
    CHECK(pktseq_packet_decode(&got, padded, 60, 5000, 1, 0) == PKTSEQ_OK && got.payload == 1);
    padded[14] = 0x44;  // a header of 16 bytes
    CHECK(pktseq_packet_decode(&got, padded, 60, 60, 1, 0) == PKTSEQ_NOT_IP);
    padded[14] = 0x45;
    padded[17] = 19;    // less in all than the header alone
    CHECK(pktseq_packet_decode(&got, padded, 60, 60, 1, 0) == PKTSEQ_NOT_IP);
}

// Layers without end cost a bounded time.
static void test_depth(void) {
    static unsigned char deep[200000];
    pktseq_packet got;
    clock_t begin = clock();
    for (size_t i = 0; i < sizeof deep; i += 4) memcpy(deep + i, "\x81\x00\x81\x00", 4);
    for (int k = 0; k < 1000; ++k)
        CHECK(pktseq_packet_decode(&got, deep, sizeof deep, sizeof deep, 1, 0) == PKTSEQ_NOT_IP);
    memset(deep, 0, sizeof deep);  // labels of MPLS, none of them the last
    CHECK(pktseq_packet_decode(&got, deep, sizeof deep, sizeof deep, 219, 0) == PKTSEQ_NOT_IP);
    CHECK(check_seconds(begin) < 2);
    CHECK(pktseq_packet_decode(&got, deep, 100, 100, 105, 3) == PKTSEQ_ERROR_MISMATCH);
    CHECK(got.time == 3 && got.length == 100);
    CHECK(pktseq_packet_decode(NULL, deep, 100, 100, 1, 0) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_packet_decode(&got, NULL, 100, 100, 1, 0) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_packet_decode(&got, NULL, 0, 0, 1, 0) == PKTSEQ_NOT_IP);
}

static void test_addresses(void) {
    static const struct {
        const char *hex, *text;
    } address[] = {
        {"00 00 00 00 00 00 00 00 00 00 ff ff c0 a8 00 0a", "192.168.0.10"},
        {"00 00 00 00 00 00 00 00 00 00 ff ff ff ff ff ff", "255.255.255.255"},
        {"00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", "::"},
        {"00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01", "::1"},
        {"20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 00", "2001:db8::"},
        {"20 01 0d b8 00 00 00 00 00 01 00 00 00 00 00 01", "2001:db8::1:0:0:1"},
        {"20 01 00 00 00 00 00 01 00 00 00 00 00 00 00 01", "2001:0:0:1::1"},
        {"20 01 0d b8 00 00 00 01 00 01 00 01 00 01 00 01", "2001:db8:0:1:1:1:1:1"},
        {"fe 80 00 00 00 00 00 00 ab cd 00 ef 0f f0 00 01", "fe80::abcd:ef:ff0:1"},
        {"ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"00 00 00 00 00 00 00 00 00 00 00 00 0a 00 00 01", "::10.0.0.1"}};
    for (size_t i = 0; i < sizeof address / sizeof *address; ++i) {
        unsigned char bytes16[16];
        char text[46];
        for (int k = 0; k < 16; ++k)
            bytes16[k] = (unsigned char)strtoul(address[i].hex + 3 * k, NULL, 16);
        CHECK(pktseq_address_text(bytes16, text) == strlen(address[i].text));
        CHECK_THAT(strcmp(text, address[i].text) == 0, "%s, not %s", text, address[i].text);
    }
}

// ---- files that are not what they should be -----------------------------------------------------

// Reads to the end; returns the status, with the counts.
static pktseq_status read_all(const bytes *b, pktseq_capture_counts *counts, pktseq_error *err) {
    pktseq_capture capture;
    pktseq_packet packet;
    source s;
    pktseq_status status = open_bytes(&capture, &s, b, 0, err);
    while (!status) status = pktseq_capture_next(&capture, &packet, err);
    *counts = capture.counts;
    pktseq_capture_free(&capture);
    return status;
}

// A capture that ends anywhere gives the packets before, and says that it is not complete.
static void test_ends(void) {
    bytes b[2] = {{NULL, 0, 0, 0}, {NULL, 0, 0, 0}};
    size_t whole[2][6], count[2] = {0, 0};
    pcap_begin(&b[0], 0xa1b2c3d4, 1);
    section(&b[1]);
    interface_block(&b[1], 1, 9, 0);
    for (int i = 0; i < 5; ++i) {
        whole[0][count[0]++] = b[0].size;
        pcap_frame(&b[0], 0xa1b2c3d4, 1, 2, frames[0].data + frames[0].begin,
                   frame_size(&frames[0]));
        whole[1][count[1]++] = b[1].size;
        enhanced(&b[1], 0, 5, frames[0].data + frames[0].begin, frame_size(&frames[0]));
    }
    for (int k = 0; k < 2; ++k)
        for (size_t size = b[k].size + 1; size-- > whole[k][0];) {
            pktseq_capture_counts counts;
            pktseq_error err;
            bytes part = b[k];
            size_t frames_whole = 0;
            part.size = size;
            CHECK(read_all(&part, &counts, &err) == PKTSEQ_END);
            while (frames_whole < 5 && size >= (frames_whole < 4 ? whole[k][frames_whole + 1]
                                                                 : b[k].size)) ++frames_whole;
            // Of pcapng, a frame whose options and end are missing is whole.
            CHECK(counts.frames == frames_whole || (k == 1 && counts.frames == frames_whole + 1));
            CHECK_THAT(counts.incomplete == (frames_whole < 5 && size != whole[k][frames_whole] &&
                                             frames_whole < 5),
                       "%d: %lu bytes", k, (unsigned long)size);
        }
    free(b[0].data);
    free(b[1].data);
}

static void check_refused(const void *data, size_t size, const char *part) {
    bytes b = {NULL, 0, 0, 0};
    pktseq_capture_counts counts;
    pktseq_error err;
    pktseq_status status;
    add(&b, data, size);
    status = read_all(&b, &counts, &err);
    CHECK_THAT(status == PKTSEQ_ERROR_DATA && strstr(err.text, part), "%s: %d %s", part,
               (int)status, err.text);
    free(b.data);
}

static void test_refusals(void) {
    static const unsigned char
        version[24] = {0xd4, 0xc3, 0xb2, 0xa1, 1}, order[28] = {0x0a, 0x0d, 0x0d, 0x0a, 28};
    bytes b = {NULL, 0, 0, 0};
    size_t at;
    check_refused("", 0, "found nothing");
    check_refused("timestamp,src_ip", 16, "something else");
    check_refused("\x1f\x8b\x08\0\0\0\0\0\0\0\0\0", 12, "gzip");
    check_refused("\x28\xb5\x2f\xfd\0\0\0\0\0\0\0\0", 12, "zstd");
    check_refused("BZh91AY&SY\0\0", 12, "bzip2");
    check_refused("snoop\0\0\0\0\0\0\2", 12, "editcap");
    check_refused(version, 20, "of 20 bytes");
    check_refused(version, 24, "pcap version 1");
    check_refused(order, 28, "order of bytes");
    pcap_begin(&b, 0xa1b2c3d4, 105);
    check_refused(b.data, b.size, "link type 105");
    b.size = 0;
    pcap_begin(&b, 0xa1b2c3d4, 1);
    add_number(&b, 0, 8);
    add_number(&b, 0x7fffffff, 4);  // a frame of 2 GB
    add_number(&b, 0x7fffffff, 4);
    check_refused(b.data, b.size, "more than 262144");
    b.size = 0;
    section(&b);
    at = b.size;
    enhanced(&b, 0, 0, "", 0);
    check_refused(b.data, b.size, "not described");
    b.size = at;
    add_number(&b, 5, 4);
    add_number(&b, 8, 4);
    check_refused(b.data, b.size, "shorter than any");
    b.size = at;
    interface_block(&b, 1, 9, 0);
    at = b.size;
    add_number(&b, 6, 4);
    add_number(&b, 36, 4);
    add_number(&b, 0, 12);
    add_number(&b, 5, 4);
    add_number(&b, 5, 4);
    add_number(&b, 0, 16);
    check_refused(b.data, b.size, "longer than its block");
    b.size = 28;
    interface_block(&b, 1, 100, 0);
    check_refused(b.data, b.size, "unlikely");
    b.size = 28;
    interface_block(&b, 1, 9, INT64_MIN);
    check_refused(b.data, b.size, "unlikely");
    b.size = 28;
    interface_block(&b, 189, 9, 0);
    enhanced(&b, 0, 0, "x", 1);
    check_refused(b.data, b.size, "link type 189");
    free(b.data);
}

// A huge block that nobody needs is passed over; only what it claims, not what is there, is huge.
static void test_huge(void) {
    bytes b = {NULL, 0, 0, 0};
    pktseq_capture_counts counts;
    pktseq_error err;
    section(&b);
    add_number(&b, 5, 4);
    add_number(&b, 0xfffffffc, 4);
    add_number(&b, 0, 100);
    CHECK(read_all(&b, &counts, &err) == PKTSEQ_END && counts.incomplete == 1);
    free(b.data);
}

static void test_failures(void) {
    bytes b = {NULL, 0, 0, 0};
    pktseq_capture capture;
    pktseq_packet packet;
    pktseq_error err;
    source s;
    section(&b);
    for (int i = 0; i < 20; ++i) interface_block(&b, 1, 9, 0);
    enhanced(&b, 19, 0, frames[0].data + frames[0].begin, frame_size(&frames[0]));
    for (size_t fail_at = 1; fail_at < 20; ++fail_at) {
        counter c;
        pktseq_allocator allocator = counted(&c);
        pktseq_status status;
        c.fail_at = fail_at;
        memset(&s, 0, sizeof s);
        s.data = b.data;
        s.size = b.size;
        status = pktseq_capture_init(&capture, pull, &s, &allocator, &err);
        if (!status) status = pktseq_capture_next(&capture, &packet, &err);
        CHECK(status == (fail_at <= c.allocations ? PKTSEQ_ERROR_MEMORY : PKTSEQ_OK));
        pktseq_capture_free(&capture);
        CHECK(c.live == 0);
        if (!status) break;
    }
    memset(&s, 0, sizeof s);
    s.data = b.data;
    s.size = b.size - 3;
    s.fails = 1;
    CHECK(!pktseq_capture_init(&capture, pull, &s, NULL, NULL));
    CHECK(!pktseq_capture_next(&capture, &packet, &err));
    CHECK(pktseq_capture_next(&capture, &packet, &err) == PKTSEQ_ERROR_FILE);
    pktseq_capture_free(&capture);
    CHECK(pktseq_capture_next(&capture, &packet, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_capture_init(NULL, pull, &s, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_capture_init(&capture, NULL, &s, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    pktseq_capture_free(NULL);
    free(b.data);
}

// ---- a capture as a table -----------------------------------------------------------------------

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

// ---- for tshark ---------------------------------------------------------------------------------

static void write_one(const char *folder, const char *name, const bytes *b) {
    char path[400];
    FILE *file;
    int done;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "wb");
    done = file && fwrite(b->data, 1, b->size, file) == b->size;
    if (!file || fclose(file) || !done) {
        fprintf(stderr, "%s cannot be written\n", path);
        exit(1);
    }
}

static int write_all(const char *folder) {
    bytes b = {NULL, 0, 0, 0};
    for (int l = 0; l < LINKS; ++l) {
        char name[40];
        b.size = 0;
        b.big = l / 2 & 1;
        snprintf(name, sizeof name, "link%u.pcap", (unsigned)links[l]);
        pcap_all(&b, l & 1 ? 0xa1b23c4d : 0xa1b2c3d4, links[l]);
        write_one(folder, name, &b);
    }
    b.size = 0;
    pcapng_all(&b);
    write_one(folder, "all.pcapng", &b);
    free(b.data);
    return 0;
}

// Every inner packet and every wrap once, as frames; some of them as captures of every kind.
static int write_seeds(const char *folder) {
    bytes b = {NULL, 0, 0, 0};
    char name[40];
    size_t file = 0;
    for (int k = 0; k < INNERS + WRAPS; ++k) {
        const frame *f = &frames[frame_count];
        unsigned char head[2] = {0, 0};  // Ethernet, whole
        if (!frame_add(k < INNERS ? k : k % 2, k < INNERS ? -1 : k - INNERS, -1, 1) &&
            !frame_add(1, k - INNERS, -1, 1)) continue;
        f = &frames[frame_count - 1];
        b.size = 0;
        add(&b, head, 2);
        add(&b, f->data + f->begin, frame_size(f));
        snprintf(name, sizeof name, "frame_%02d", k);
        write_one(folder, name, &b);
    }
    for (; file < 8; ++file) {
        static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34, 0};
        uint32_t magic = magics[file / 2];
        b.size = 0;
        b.big = 0;
        add_number(&b, 0x80 + file, 1);
        b.big = file & 1;
        if (magic) {
            pcap_begin(&b, magic, 1);
        } else {
            section(&b);
            interface_block(&b, 1, file == 7 ? 0x8a : 9, file == 7 ? 100 : 0);
            other_block(&b, 5);
        }
        for (size_t i = 0; i < 4; ++i) {
            const frame *f = &frames[i * 400];
            if (magic)
                pcap_frame(&b, magic, 1700000000, 5, f->data + f->begin, frame_size(f));
            else if (i < 2)
                enhanced(&b, 0, 5, f->data + f->begin, frame_size(f));
            else
                old_or_simple(&b, i == 2, 5, f->data + f->begin, frame_size(f));
        }
        snprintf(name, sizeof name, "file_%d", (int)file);
        write_one(folder, name, &b);
    }
    free(b.data);
    return 0;
}

int main(int argc, char **argv) {
    frames_make();
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0) return write_seeds(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--write") == 0) return write_all(argv[2]);
    test_frames();
    test_cuts();
    test_pcap();
    test_pcapng(0);
    test_pcapng(1000000);
    test_times();
    test_others();
    test_snap();
    test_lengths();
    test_depth();
    test_addresses();
    test_ends();
    test_refusals();
    test_huge();
    test_failures();
    test_tables();
    test_last_left_out();
    test_damaged();
    test_live();
    free(frames);
    return check_end("test_capture");
}
