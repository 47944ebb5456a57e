// cc -O2 tests/bench/make_big.c -o make_big && ./make_big SMALL.pcap BIG.pcap PACKETS
// Writes a capture of so many frames: copies of a small one, each later and between other
// addresses, as if so many networks had been recorded one after the other. The same arguments give
// the same file.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_HEADER = 24, RECORD_HEADER = 16, ETHERNET = 14 };

static uint32_t load32(const unsigned char *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

// Gives both addresses of a frame of IPv4 or IPv6 to network number `copy`.
static void shift_addresses(unsigned char *frame, uint32_t size, uint32_t copy) {
    unsigned type = size >= ETHERNET ? (unsigned)(frame[12] << 8 | frame[13]) : 0;
    uint32_t first = type == 0x0800 ? 12 : 8, width = type == 0x0800 ? 4 : 16;
    if ((type != 0x0800 && type != 0x86dd) || size < ETHERNET + first + 2 * width) return;
    for (uint32_t at = ETHERNET + first; at < ETHERNET + first + 2 * width; at += width) {
        frame[at + 1] = (unsigned char)(frame[at + 1] ^ copy >> 8);
        frame[at + 2] = (unsigned char)(frame[at + 2] ^ copy);
    }
}

// Writes the records of data [FILE_HEADER, size) again and again until there are `packets`.
static int write_copies(FILE *to, const unsigned char *data, size_t size, uint64_t packets) {
    uint32_t first = load32(data + FILE_HEADER), last = first;
    static unsigned char record[RECORD_HEADER + 65536];
    for (size_t at = FILE_HEADER; at < size; at += RECORD_HEADER + load32(data + at + 8))
        last = load32(data + at);
    for (uint32_t copy = 0; packets > 0; ++copy)
        for (size_t at = FILE_HEADER; at < size && packets > 0; --packets) {
            uint32_t kept = load32(data + at + 8), time;
            memcpy(record, data + at, RECORD_HEADER + kept);
            time = load32(record) + copy * (last - first + 60);
            memcpy(record, &time, 4);
            shift_addresses(record + RECORD_HEADER, kept, copy);
            if (fwrite(record, RECORD_HEADER + kept, 1, to) != 1) return 0;
            at += RECORD_HEADER + kept;
        }
    return 1;
}

int main(int argc, char **argv) {
    static unsigned char data[1 << 24];
    FILE *from = argc == 4 ? fopen(argv[1], "rb") : NULL, *to;
    size_t size = from ? fread(data, 1, sizeof data, from) : 0, at = FILE_HEADER;
    int good;
    while (at + RECORD_HEADER <= size && load32(data + at + 8) <= 65536)
        at += RECORD_HEADER + load32(data + at + 8);
    if (size <= FILE_HEADER || at != size) {
        fprintf(stderr, "usage: make_big SMALL.pcap BIG.pcap PACKETS, SMALL in this machine's "
                        "order\n");
        return 1;
    }
    to = fopen(argv[2], "wb");
    good = to && fwrite(data, FILE_HEADER, 1, to) == 1 &&
           write_copies(to, data, size, strtoull(argv[3], NULL, 10));
    if (to && fclose(to) != 0) good = 0;
    if (!good) fprintf(stderr, "make_big: cannot write %s\n", argv[2]);
    return !good;
}
