// print_capture.c - every IP packet of a capture, one line each, as tests/captures.py compares
// them.
//
// cc -O2 tests/print_capture.c -o build/print_capture -lm && build/print_capture FILE
// Columns: frame, time, length, source, destination, transport, ports, flags, ICMP's type and code,
// identifier, payload, notes, protocol. The last line: counts, and what went wrong, if anything.
#define PKTSEQ_NO_SIMD  // nothing here calculates: it compiles in half the time
#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"

static size_t pull(void *user_data, void *to, size_t size, int *failed) {
    FILE *file = (FILE *)user_data;
    size_t got = fread(to, 1, size, file);
    if (got < size && ferror(file)) *failed = 1;
    return got;
}

static void print(const pktseq_capture *capture, const pktseq_packet *p) {
    char src[46], dst[46];
    pktseq_address_text(p->src, src);
    pktseq_address_text(p->dst, dst);
    printf("%llu\t%.17g\t%.0f\t%s\t%s\t%u\t%u\t%u\t0x%03x\t%u\t%u\t%u\t%lu\t%u\t%s\n",
           (unsigned long long)capture->counts.frames, p->time, p->length, src, dst, p->transport,
           p->src_port, p->dst_port, p->flags, p->icmp_type, p->icmp_code, p->icmp_id,
           (unsigned long)p->payload, p->notes, p->protocol);
}

int main(int argc, char **argv) {
    pktseq_capture capture;
    pktseq_packet packet;
    pktseq_error err;
    pktseq_status status;
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: print_capture FILE\n");
        return 2;
    }
    status = pktseq_capture_init(&capture, pull, file, NULL, &err);
    while (!status) {
        status = pktseq_capture_next(&capture, &packet, &err);
        if (!status) print(&capture, &packet);
    }
    printf("#\t%llu frames\t%llu packets\t%llu fragments\t%llu tunnels\t%llu cut off\t%llu unknown"
           "\t%llu incomplete",
           (unsigned long long)capture.counts.frames, (unsigned long long)capture.counts.packets,
           (unsigned long long)capture.counts.fragments,
           (unsigned long long)capture.counts.tunnels, (unsigned long long)capture.counts.cut_off,
           (unsigned long long)capture.counts.unknown,
           (unsigned long long)capture.counts.incomplete);
    for (int i = 0; i < 16 && capture.counts.other[i].name; ++i)
        printf("\t%llu %s", (unsigned long long)capture.counts.other[i].frames,
               capture.counts.other[i].name);
    printf("\n");
    if (status != PKTSEQ_END) printf("! %s\n", err.text);
    pktseq_capture_free(&capture);
    fclose(file);
    return status != PKTSEQ_END;
}
