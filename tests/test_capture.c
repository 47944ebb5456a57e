// test_capture.c - section >>capture: frames of every kind in captures of every kind.
//
// build/test_capture --write FOLDER writes the captures instead, for tshark to say what it finds in
// them (make captures); --seeds FOLDER writes some for tests/fuzz/fuzz_capture.c.
#include "inside.h"
#include "frames.h"

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
    check_refused(order, 28, "byte order");
    check_refused("\x0a\x0d\x0d\x0a\0\0\0\x1c\x1a\x2b\x3c\x4d\0\2", 14, "pcapng version 2");
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
    test_pcap();
    test_pcapng(0);
    test_pcapng(1000000);
    test_times();
    test_ends();
    test_refusals();
    test_huge();
    test_failures();
    free(frames);
    return check_end("test_capture");
}
