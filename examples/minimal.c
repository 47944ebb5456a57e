// cc -O2 -fopenmp examples/minimal.c -lm -o minimal && ./minimal
/* A training loop written by hand: forward, backward, sgd_step. The model reads three packets of a
   conversation, then forecasts each next packet from all true ones before it. A forecast is right
   if protocol, both port classes and all flags are. The share of right ones is measured on a
   thousand held-out conversations. (Always forecasting the most frequent packet: 16.8 %.)
   It prints, on every machine:

before it learns              0.0 % right
iteration  400   loss 3.443   44.8 % right
iteration  800   loss 2.925   54.3 % right
iteration 1200   loss 2.806   56.4 % right
iteration 1600   loss 2.715   58.3 % right
iteration 2000   loss 2.689   61.5 % right
iteration 2400   loss 2.640   55.9 % right
iteration 2800   loss 2.607   61.4 % right
iteration 3200   loss 2.602   53.8 % right
iteration 3600   loss 2.545   60.3 % right
iteration 4000   loss 2.545   62.3 % right

forecast: protocol, ports, flags      true
SMTP      dynamic > well_known .ap..  SSH       dynamic > well_known .ap.. wrong
TCP    well_known > dynamic    .a...  TCP    well_known > dynamic    .a... right
SSHv2  well_known > dynamic    .ap..  SSHv2  well_known > dynamic    .ap.. right
TCP       dynamic > well_known .a...  TCP       dynamic > well_known .a... right
TCP       dynamic > well_known .ap..  TCP       dynamic > well_known .a... wrong
SSHv2     dynamic > well_known .ap..  SSHv2     dynamic > well_known .ap.. right
TCP    well_known > dynamic    .a...  TCP    well_known > dynamic    .a... right
SSHv2  well_known > dynamic    .ap..  SSHv2  well_known > dynamic    .ap.. right
6 right
*/

#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"
#include <stdio.h>

// Conversations per training step; steps; conversations held out; fields of a packet.
enum { BATCH = 16, ITERATIONS = 4000, HELD_OUT = 1000, FIELDS = 8 };

// The fields that are read and forecast: classes and flags. Squared errors on the length would
// learn its mean: for packets of 74 or 1514 bytes, a number that never occurs.
static const pktseq_field field[FIELDS] = {
    {"protocol", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
    {"src_port", PKTSEQ_PORT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
    {"dst_port", PKTSEQ_PORT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
    {"syn", PKTSEQ_FLAG, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
    {"ack", PKTSEQ_FLAG, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
    {"push", PKTSEQ_FLAG, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
    {"fin", PKTSEQ_FLAG, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
    {"reset", PKTSEQ_FLAG, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
};
static const unsigned char teacher[BATCH] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static pktseq_codec codec;
static pktseq_dataset dataset;
static pktseq_model model;
static pktseq_work work;

// Prints the fields of a packet, with the first letter of each flag that is set.
static void print_packet(const pktseq_value *v, const char *end) {
    printf("%-6s %10s > %-10s ", v[0].text, v[1].text, v[2].text);
    for (int f = 3; f < FIELDS; ++f) putchar(v[f].number > 0 ? field[f].column[0] : '.');
    printf("%s", end);
}

// Forecasts up to max packets of a conversation and returns how many are right.
static size_t forecast(size_t index, size_t max, int print) {
    pktseq_pair pair = pktseq_dataset_pair(&dataset, index);
    pktseq_value guess[FIELDS], truth[FIELDS];
    size_t right = 0;
    pktseq_forward(&model, &work, &pair, 1, teacher);
    for (size_t t = 0; t < pair.targets && t < max; ++t) {
        int wrong = 0;
        pktseq_codec_decode_output(&codec, pktseq_work_output(&work, 0, t), guess);
        pktseq_codec_decode_output(&codec, pair.target + t * dataset.out, truth);
        for (int f = 0; f < FIELDS; ++f) wrong |= guess[f].number != truth[f].number;
        right += !wrong;
        if (print) {
            print_packet(guess, "  ");
            print_packet(truth, wrong ? " wrong\n" : " right\n");
        }
    }
    return right;
}

// Returns the share of right forecasts in the held-out conversations.
static double share_right(void) {
    size_t right = 0, all = 0;
    for (size_t i = dataset.pairs - HELD_OUT; i < dataset.pairs; ++i) {
        right += forecast(i, dataset.longest, 0);
        all += dataset.length[i] - dataset.options.inputs;
    }
    return (double)right / (double)all;
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "examples/data/normal_seqs.csv";
    pktseq_schema schema = pktseq_schema_default();
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_table table;
    pktseq_config config;
    pktseq_pair pair[BATCH];
    pktseq_error err;
    size_t next = 0, shown;
    double loss = 0;

    // From a file to pairs of (first 3 packets, the rest).
    schema.field = field;
    schema.field_count = FIELDS;
    options.start = PKTSEQ_START_INPUT;  // the first forecast knows the last packet read
    if (pktseq_table_read(&table, path, &schema, NULL, &err) ||
        pktseq_codec_fit(&codec, &table, &schema, NULL, &err) ||
        pktseq_dataset_init(&dataset, &codec, &table, &options, NULL, &err))
        return fprintf(stderr, "minimal: %s\n", err.text), 1;
    if (dataset.pairs <= 2 * HELD_OUT)
        return fprintf(stderr, "minimal: %s: needs 2000 conversations\n", path), 1;
    config = pktseq_config_default(&dataset);
    config.hidden = 64;
    config.loss = PKTSEQ_LOSS_NLL;  // minus the log of the probability of what happened
    if (pktseq_model_init(&model, &config, 1, NULL, &err) ||
        pktseq_work_init(&work, &config, BATCH, dataset.longest, 1, NULL, &err))
        return fprintf(stderr, "minimal: %s\n", err.text), 1;

    // The training loop. A prime stride visits the file's pairs in a mixed order.
    printf("before it learns             %4.1f %% right\n", 100 * share_right());
    for (int i = 1; i <= ITERATIONS; ++i) {
        for (int b = 0; b < BATCH; ++b)
            pair[b] = pktseq_dataset_pair(&dataset, next++ * 3001 % (dataset.pairs - HELD_OUT));
        pktseq_zero_grad(&work);
        pktseq_forward(&model, &work, pair, BATCH, teacher);
        pktseq_backward(&model, &work);
        pktseq_clip_grad_norm(&work, 1, NULL);  // long conversations have large gradients
        pktseq_sgd_step(&model, &work, 1);
        loss += work.report / 400;
        if (i % 400 == 0) {
            printf("iteration %4d   loss %.3f   %4.1f %% right\n", i, loss, 100 * share_right());
            loss = 0;
        }
    }

    // One of the held-out conversations, from its fourth packet on: the start of SSH.
    printf("\nforecast: protocol, ports, flags      true\n");
    shown = dataset.pairs - 58;
    printf("%lu right\n", (unsigned long)forecast(shown, 8, 1));
    pktseq_work_free(&work);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    return 0;
}
