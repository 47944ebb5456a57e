// frames.h - frames of every kind that is known, built from the inside out, and captures of them.
#ifndef FRAMES_H
#define FRAMES_H

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

// Puts a tunnel's header and what it carries into UDP between these ports, and that into IP.
static int udp_in(frame *f, unsigned from, unsigned to, int version) {
    udp(f, from, to);
    if (version == 6) ip6(f, 17);
    else ip4(f, 17, 0);
    return 1;
}

static int wrap_vxlan(frame *f) {
    ethernet(f);
    put_hex(f, "08 00 00 00 00 00 2a 00");
    return udp_in(f, 49152, 4789, 4);
}

static int wrap_geneve(frame *f) {  // with an option
    put_hex(f, "01 02 00 01 00 00 00 00");
    put_hex(f, "00 00 2a 00");
    if (is_ip(f)) put(f, f->type, 2);
    else return 0;
    put_hex(f, "02 00");
    return udp_in(f, 49153, 6081, 6);
}

static int wrap_geneve_ethernet(frame *f) {
    ethernet(f);
    put_hex(f, "00 00 2a 00");
    put(f, 0x6558, 2);
    put_hex(f, "00 00");
    return udp_in(f, 49153, 6081, 4);
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
    return udp_in(f, 2152, 2152, 4);
}

static int wrap_teredo(frame *f) {  // with where it comes from
    if (f->type != 0x86dd) return 0;
    put_hex(f, "00 00 fb 2e f5 ff ff fe");
    return udp_in(f, 3544, 49154, 4);
}

static int wrap_mpls_udp(frame *f) {
    if (!wrap_mpls(f)) return 0;
    return udp_in(f, 49155, 6635, 4);
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
    return udp_in(f, 49156, 4341, 4);
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

static inline void same_packet(const pktseq_packet *got, const pktseq_packet *want,
                               const char *name) {
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

// ---- captures -----------------------------------------------------------------------------------

typedef struct bytes {
    unsigned char *data;
    size_t size, room;
    int big;  // order of bytes
} bytes;

static inline void add(bytes *b, const void *data, size_t size) {
    if (b->size + size > b->room) {
        b->room = 2 * (b->size + size) + 1000;
        b->data = (unsigned char *)realloc(b->data, b->room);
        if (!b->data) exit(3);
    }
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void add_number(bytes *b, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i) {
        size_t at = b->big ? size - 1 - i : i;
        unsigned char c = (unsigned char)(at < 8 ? value >> 8 * at : 0);
        add(b, &c, 1);
    }
}

static inline void pcap_begin(bytes *b, uint32_t magic, uint32_t link_type) {
    add_number(b, magic, 4);
    add_number(b, 2, 2);
    add_number(b, 4, 2);
    add_number(b, 0, 8);
    add_number(b, 262144, 4);
    add_number(b, link_type, 4);
}

static inline void pcap_frame(bytes *b, uint32_t magic, uint32_t seconds, uint32_t units,
                              const void *data, size_t size) {
    add_number(b, seconds, 4);
    add_number(b, units, 4);
    add_number(b, size, 4);
    add_number(b, size, 4);
    if (magic == 0xa1b2cd34) add_number(b, 0, 8);
    add(b, data, size);
}

// Begins a block of pcapng; block_end says how long it is.
static inline size_t block_begin(bytes *b, uint32_t type) {
    add_number(b, type, 4);
    add_number(b, 0, 4);
    return b->size - 8;
}

static inline void block_end(bytes *b, size_t begin) {
    size_t size;
    while ((b->size - begin) % 4) add_number(b, 0, 1);
    size = b->size - begin + 4;
    add_number(b, size, 4);
    b->size = begin + 4;
    add_number(b, size, 4);
    b->size = begin + size;
}

static inline void section(bytes *b) {
    size_t begin = block_begin(b, 0x0a0d0d0a);
    add_number(b, 0x1a2b3c4d, 4);
    add_number(b, 1, 2);
    add_number(b, 0, 2);
    add_number(b, (uint64_t)-1, 8);
    block_end(b, begin);
}

static inline void option(bytes *b, unsigned code, uint64_t value, size_t size) {
    add_number(b, code, 2);
    add_number(b, size, 2);
    add_number(b, value, size);
    while (size++ % 4) add_number(b, 0, 1);
}

static inline void interface_block(bytes *b, uint32_t link_type, int resolution, int64_t offset) {
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

static inline void enhanced(bytes *b, uint32_t interface_id, uint64_t units, const void *data,
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
static inline void old_or_simple(bytes *b, int old, uint64_t units, const void *data, size_t size) {
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

static inline void other_block(bytes *b, uint32_t type) {
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

static inline size_t pull(void *user_data, void *to, size_t size, int *failed) {
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
static inline pktseq_status open_bytes(pktseq_capture *capture, source *s, const bytes *b,
                                       size_t piece, pktseq_error *err) {
    memset(s, 0, sizeof *s);
    s->data = b->data;
    s->size = b->size;
    s->piece = piece;
    return pktseq_capture_init(capture, pull, s, NULL, err);
}

// "seconds.fraction" as strtod reads it.
static inline double time_of(uint64_t seconds, unsigned long fraction, int digits) {
    char text[60];
    sprintf(text, "%llu.%0*lu", (unsigned long long)seconds, digits, fraction);
    return strtod(text, NULL);
}

// Units of time that are unlike each other, also at the ends.
static inline unsigned long units_of(size_t i, unsigned long per_second) {
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
    return i % 9 == 0 ? 0 : i % 9 == 1 ? per_second - 1 : (unsigned long)(z >> 33) % per_second;
}

static inline unsigned long seconds_of(size_t i) {
    static const unsigned long at[] = {0, 1, 4294967295ul, 1700000000, 1234567890, 2147483647, 77};
    return at[i % 7];
}

// All frames of one link type in a pcap file. Returns how many.
static inline size_t pcap_all(bytes *b, uint32_t magic, uint32_t link_type) {
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

// The number of a link type's interface in its section: all but the first backwards in the second,
// whose interfaces are its own.
static inline size_t interface_of(size_t link, int big) {
    return big && link ? LINKS - link : link;
}

// Sections of both orders of bytes one after the other, an interface for each link type, with units
// of 10^-6 (said or not), 10^-9, 10^-3 with an offset, and 2^-20; all three kinds of packet block.
static inline void pcapng_all(bytes *b) {
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
                                      : time_of((uint64_t)seconds + (l % 5 == 3 ? 1000000000u : 0),
                                                units, digits[l % 5]);
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

#endif
