// cc -O2 -fopenmp examples/minimal.c -lm -o minimal && ./minimal examples/data/normal_seqs.csv
// Prints the loss as it falls, then how the model thinks a conversation goes on, beside how it did.

#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"
#include <stdio.h>
#include <string.h>

enum { BATCH = 16, ITERATIONS = 4000 };

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "examples/data/normal_seqs.csv";
    pktseq_schema schema = pktseq_schema_default();
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_config config;
    pktseq_model model;
    pktseq_work work;
    pktseq_pair pair[BATCH];
    pktseq_value guess[15], truth[15];  // the default schema has 15 fields
    pktseq_error err;
    double loss = 0;
    size_t next = 0, shown;
    options.start = PKTSEQ_START_INPUT;  // forecast from what was seen, not from the answer

    // From a file to pairs of (first 3 packets, the rest).
    if (pktseq_table_read(&table, path, &schema, NULL, &err) ||
        pktseq_codec_fit(&codec, &table, &schema, NULL, &err) ||
        pktseq_dataset_init(&dataset, &codec, &table, &options, NULL, &err))
        return fprintf(stderr, "minimal: %s\n", err.text), 1;
    config = pktseq_config_default(&dataset);
    config.hidden = 64;
    if (pktseq_model_init(&model, config, 1, NULL, &err) ||
        pktseq_work_init(&work, config, BATCH, dataset.longest, 1, NULL, &err))
        return fprintf(stderr, "minimal: %s\n", err.text), 1;

    // The training loop. A stride that is prime visits the file's pairs in a mixed order.
    for (int i = 1; i <= ITERATIONS; ++i) {
        for (int b = 0; b < BATCH; ++b)
            pair[b] = pktseq_dataset_pair(&dataset, next++ * 3001 % dataset.pairs);
        pktseq_zero_grad(&work);
        pktseq_forward(&model, &work, pair, BATCH, NULL);
        pktseq_backward(&model, &work);
        pktseq_sgd_step(&model, &work, 0.3);
        loss += work.report / 400;
        if (i % 400 == 0) {
            printf("iteration %4d  loss %.4f\n", i, loss);
            loss = 0;
        }
    }

    // A prediction: up to eight packets after the first three of a conversation.
    shown = dataset.pairs > 7000 ? 7000 : 0;
    while (shown + 1 < dataset.pairs && dataset.length[shown] < 11) ++shown;
    pair[0] = pktseq_dataset_pair(&dataset, shown);
    pktseq_forward(&model, &work, pair, 1, NULL);
    printf("\nconversation %lu\n%-45s%s\n", (unsigned long)shown, "predicted", "true");
    for (size_t t = 0; t < pair[0].targets && t < 8; ++t) {
        pktseq_codec_decode_output(&codec, pktseq_work_output(&work, 0, t), guess);
        pktseq_codec_decode_output(&codec, pair[0].target + t * dataset.out, truth);
        for (int side = 0; side < 2; ++side) {
            const pktseq_value *v = side ? truth : guess;  // fields in the order of the schema
            printf("%5.0f bytes  %-7s %10s > %-10s%s", v[1].number, v[12].text, v[13].text,
                   v[14].text, side ? "\n" : " | ");
        }
    }
    pktseq_work_free(&work);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    return 0;
}
