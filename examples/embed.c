// cc -O2 examples/embed.c -lm -o embed && sudo tcpdump -U -w - | ./embed run/model.safetensors
#define PKTSEQ_IMPLEMENTATION  // prints a line for each alarm, as soon as it is raised
#include "../pktseq.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static size_t more(void *user_data, void *to, size_t size, int *failed) {
    long got = (long)read(0, to, size > 65536 ? 65536 : (unsigned)size);
    (void)user_data;
    *failed = got < 0;
    return got > 0 ? (size_t)got : 0;
}

static void tell(void *user_data, const pktseq_alarm *a) {
    char src[46], dst[46];
    pktseq_address_text(a->src, src);
    pktseq_address_text(a->dst, dst);
    printf("%s:%d > %s:%d score %.3g, threshold %.3g\n", src, a->src_port, dst, a->dst_port,
           a->score, a->threshold);
    fflush((FILE *)user_data);
}

int main(int argc, char **argv) {
    static pktseq_guard_options options;
    pktseq_guard guard;
    pktseq_capture capture;
    pktseq_packet packet;
    pktseq_error err;
    options.alarm_fn = tell;
    options.user_data = stdout;
    memset(&capture, 0, sizeof capture);
    if (!pktseq_guard_load(&guard, argc > 1 ? argv[1] : "run/model.safetensors", &options, &err) &&
        !pktseq_capture_init(&capture, more, NULL, NULL, &err))
        while (!pktseq_capture_next(&capture, &packet, &err) &&
               !pktseq_guard_watch(&guard, &packet, &err)) {}
    pktseq_guard_tick(&guard, 1e300);  // the end: what is open is judged
    if (err.status != PKTSEQ_END && err.status) fprintf(stderr, "%s\n", err.text);
    pktseq_capture_free(&capture);
    pktseq_guard_free(&guard);
    return err.status != PKTSEQ_END && err.status;
}
