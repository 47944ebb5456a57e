// cc -O2 tests/bench/captures.c -lm -o captures && ./captures FILE.pcap
// From a file to encoded sequences, as train --recommended begins: reads and tracks the packets,
// fits the codec and encodes. Prints the seconds of each and how much came out.

#define PKTSEQ_IMPLEMENTATION
#include "../../pktseq.h"

#include <stdio.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
    double at[4];
    pktseq_recipe recipe;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_error err;
    pktseq_status status = pktseq_recipe_recommended(&recipe, NULL, &err);
    if (argc != 2 || status) return 1;
    at[0] = now();
    status = pktseq_table_read(&table, argv[1], &recipe.schema, NULL, &err);
    at[1] = now();
    if (!status) status = pktseq_codec_fit(&codec, &table, &recipe.schema, NULL, &err);
    at[2] = now();
    if (!status)
        status = pktseq_dataset_init(&dataset, &codec, &table, &recipe.dataset, NULL, &err);
    at[3] = now();
    if (status) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("rows=%lu sequences=%lu features=%lu read=%.3f fit=%.3f encode=%.3f seconds=%.3f\n",
           (unsigned long)table.rows, (unsigned long)table.sequences, (unsigned long)codec.features,
           at[1] - at[0], at[2] - at[1], at[3] - at[2], at[3] - at[0]);
    pktseq_dataset_free(&dataset);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    return 0;
}
