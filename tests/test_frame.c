// test_frame.c - sections >>names and >>frame: what was built into frames is decoded, and
// nothing outside of them is read.
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "frames.h"

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
    check_other(MACS "00 26 aa aa 03 00 00 0c 01 0b", 1, "STP");
    check_other(MACS "00 26 aa aa 03 00 00 0c 01 0c", 1, "other");  // another number of Cisco's
    check_other(MACS "00 26 aa aa 03 00 80 c2 00 0e", 1, "other");  // bridged, but no Ethernet
    check_other(MACS "00 26 aa aa 03 00 10 00 08 00", 1, "other");  // of whom is not known
    check_other("00 31 00 02", 9, "PPP");                           // bridged, but no Ethernet
    check_other("18 41 03 01", 107, "other");
    check_other(MACS "12 34", 1, "other");
    check_other("8f 00 80 35", 104, "SLARP");
    check_other("ff 03 c0 21", 9, "PPP");
    check_other("00 00 00 07", 0, "other");
    check_other(MACS "08 00 50 00", 1, "other");  // IP of version 5
}

// What frames.h does not wrap: other forms of headers on the way to a packet, on a link, or in an
// outer packet of IPv4 with this protocol, of UDP with this destination port.
static void test_ways(void) {
    static const struct {
        const char *name, *hex;
        uint32_t link_type;
        unsigned protocol, port;
        int six, passes;  // passes: the inner packet is reached, and not the outer one alone
    } ways[] = {
        {"PPP, bridged", "00 31 00 01 " MACS "08 00", 9, 0, 0, 0, 1},
        {"SNAP, Cisco's organisation", MACS "00 50 aa aa 03 00 00 f8 08 00", 1, 0, 0, 0, 1},
        {"SNAP, bridged", MACS "00 50 aa aa 03 00 80 c2 00 01 " MACS "08 00", 1, 0, 0, 0, 1},
        {"SNAP, bridged without a checksum", MACS "00 50 aa aa 03 00 80 c2 00 07 " MACS "86 dd", 1,
         0, 0, 1, 1},
        {"null, PPP", "ff 03 00 21", 0, 0, 0, 0, 1},
        {"null, Ethertype", "00 00 08 00", 0, 0, 0, 0, 1},
        {"loop, Ethertype", "00 00 86 dd", 108, 0, 0, 1, 1},
        {"relay, address of 3 bytes", "18 40 11 03 cc", 107, 0, 0, 0, 1},
        {"relay, address of 4 bytes", "18 40 00 11 03 cc", 107, 0, 0, 0, 1},
        {"relay, IPv6", "18 41 03 8e", 107, 0, 0, 1, 1},
        {"relay, Cisco's", "18 41 08 00", 107, 0, 0, 0, 1},
        {"relay, SNAP", "18 41 03 00 80 00 00 00 08 00", 107, 0, 0, 0, 1},
        {"relay, bridged", "18 41 03 00 80 00 80 c2 00 07 " MACS "08 00", 107, 0, 0, 0, 1},
        {"ERSPAN I", "00 00 88 be " MACS "08 00", 101, 47, 0, 0, 1},
        {"GRE, Cisco's metadata", "00 00 89 09 08 00 01 01 00 01 00 05", 101, 47, 0, 0, 1},
        {"GRE, source routes", "40 00 08 00 00 00 00 00", 101, 47, 0, 0, 0},
        {"GTP 0", "1e ff 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", 101, 17, 3386, 0,
         1},
        {"GTP, no options", "30 ff 00 00 00 00 00 2a", 101, 17, 2152, 1, 1},
        {"GTP, a sequence number", "32 ff 00 00 00 00 00 2a 00 01 00 00", 101, 17, 2152, 0, 1},
        {"GTP, PPP", "30 ff 00 00 00 00 00 2a 00 21", 101, 17, 2152, 0, 1},
        {"GTP'", "20 ff 00 00 00 00 00 2a", 101, 17, 2152, 0, 0},
        {"GTP, no user's packet", "30 01 00 00 00 00 00 2a", 101, 17, 2152, 0, 0},
        {"GTP, an empty extension", "34 ff 00 00 00 00 00 2a 00 01 00 85 00", 101, 17, 2152, 0, 0},
        {"Teredo, authentication", "00 01 00 00 01 02 03 04 05 06 07 08 00", 101, 17, 3544, 1, 1},
        {"Teredo, authentication of 5 bytes and origin",
         "00 01 02 03 69 64 68 73 68 01 02 03 04 05 06 07 08 00 00 00 01 02 03 04 05 06", 101, 17,
         3544, 1, 1},
        {"Geneve, version 1", "40 00 08 00 00 00 00 00", 101, 17, 6081, 0, 0}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i) {
        frame f;
        pktseq_packet got;
        pktseq_status status;
        memset(&f, 0, sizeof f);
        f.begin = sizeof f.data;
        inner(&f, ways[i].six ? 3 : 2);
        put_hex(&f, ways[i].hex);
        if (ways[i].port) udp(&f, 49152, ways[i].port);
        if (ways[i].protocol) ip4(&f, ways[i].protocol, 0);
        if (ways[i].protocol && ways[i].passes) f.want.notes |= PKTSEQ_NOTE_TUNNEL;
        status = pktseq_packet_decode(&got, f.data + f.begin, frame_size(&f), frame_size(&f),
                                      ways[i].link_type, 0);
        CHECK_THAT(status == PKTSEQ_OK, "%s: %d %s", ways[i].name, (int)status, got.protocol);
        f.want.length = (double)frame_size(&f);
        if (ways[i].passes) same_packet(&got, &f.want, ways[i].name);
        else
            CHECK_THAT(got.transport == ways[i].protocol && got.dst_port == ways[i].port &&
                       !(got.notes & PKTSEQ_NOTE_TUNNEL), "%s: %u %u", ways[i].name, got.transport,
                       got.dst_port);
    }
}

// SCTP and DCCP have ports and a header of 12 bytes; all of it may be missing. ICMP has identifiers
// in more messages than echo.
static void test_transports(void) {
    static const unsigned numbers[] = {132, 33};
    pktseq_packet got;
    frame f;
    for (int k = 0; k < 2; ++k)
        for (size_t payload = 0; payload <= 20; payload += 20) {
            memset(&f, 0, sizeof f);
            f.begin = sizeof f.data;
            put_zeros(&f, 8 + payload);
            put_hex(&f, "0b 59 c3 50");
            ip4(&f, numbers[k], 0);
            CHECK(pktseq_packet_decode(&got, f.data + f.begin, frame_size(&f), frame_size(&f), 101,
                                       0) == PKTSEQ_OK);
            CHECK(got.transport == numbers[k] && got.payload == payload);
            CHECK(got.src_port == 2905 && got.dst_port == 50000 && !got.notes);
            CHECK(strcmp(got.protocol, k ? "DCCP" : "SCTP") == 0);
            CHECK(pktseq_packet_decode(&got, f.data + f.begin, 23, frame_size(&f), 101, 0) ==
                  PKTSEQ_OK);
            CHECK(!got.src_port && !got.payload && got.notes == PKTSEQ_NOTE_CUT_OFF);
        }
    for (unsigned type = 12; type <= 19; ++type) {
        memset(&f, 0, sizeof f);
        f.begin = sizeof f.data;
        inner_icmp(&f, 0, type, 0, 77, 12);
        ip4(&f, 1, 0);
        CHECK(pktseq_packet_decode(&got, f.data + f.begin, frame_size(&f), frame_size(&f), 101,
                                   0) == PKTSEQ_OK);
        CHECK_THAT(got.icmp_id == (type >= 13 && type <= 18 ? 77 : 0), "type %u", type);
    }
    f.data[f.begin] = 0x4f;  // options of 40 bytes, of which 7 are captured
    f.data[f.begin + 2] = f.data[f.begin + 3] = 0;
    CHECK(pktseq_packet_decode(&got, f.data + f.begin, 27, 99, 101, 0) == PKTSEQ_OK);
    CHECK(got.transport == 1 && !got.icmp_type && got.notes == PKTSEQ_NOTE_CUT_OFF);
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
    padded[23] = 136;   // UDP-Lite, whose checksum covers no more than the header, or everything
    for (int covered = 0; covered <= 8; covered += 8) {
        padded[39] = (unsigned char)covered;
        CHECK(pktseq_packet_decode(&got, padded, 60, 5000, 1, 0) == PKTSEQ_OK);
        CHECK_THAT(got.payload == 5000 - 42, "%lu", (unsigned long)got.payload);
    }
    padded[14] = 0x44;  // a header of 16 bytes
    CHECK(pktseq_packet_decode(&got, padded, 60, 60, 1, 0) == PKTSEQ_NOT_IP);
    padded[14] = 0x45;
    padded[17] = 19;    // less in all than the header alone
    CHECK(pktseq_packet_decode(&got, padded, 60, 60, 1, 0) == PKTSEQ_NOT_IP);
}

// Cisco's HDLC comes under the number of PPP in HDLC framing, too.
static void test_cisco(void) {
    frame *f = frame_next();
    pktseq_packet got;
    inner_udp(f, 50002, 53, 30);
    ip4(f, 17, 0);
    put_hex(f, "0f 00 08 00");
    for (size_t captured = 0; captured < 24; ++captured)
        CHECK(pktseq_packet_decode(&got, f->data + f->begin, captured, frame_size(f), 50, 0) ==
              PKTSEQ_NOT_IP);
    CHECK(pktseq_packet_decode(&got, f->data + f->begin, frame_size(f), frame_size(f), 50, 0) ==
          PKTSEQ_OK);
    CHECK(got.transport == 17 && got.dst_port == 53 && got.payload == 30);
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

int main(void) {
    frames_make();
    test_frames();
    test_cuts();
    test_others();
    test_ways();
    test_transports();
    test_snap();
    test_lengths();
    test_cisco();
    test_depth();
    test_addresses();
    free(frames);
    return check_end("test_frame");
}
