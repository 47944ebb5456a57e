// 11. Surprise: a likelihood, a score, a threshold.
//
// Now real traffic, with the header. Where a packet has either 74 or 1514 bytes, the best single
// guess by squared error is their mean, which never comes; so the network says how likely each kind
// of packet (token) is, and what a packet costs is its surprise, -log p. A sequence's score is the
// mean surprise of its packets, and an alarm is a score that 99 % of normal sequences stay below. A
// checkpoint holds all that a run needs to go on to the same bits.
//
//     cc -std=c99 -O2 examples/learn/11_surprise.c -lm -o lesson && ./lesson
//
// It prints
//     half 74, half 1514: guess   74 has squared error 1036800
//     half 74, half 1514: guess  794 has squared error 518400
//     half 74, half 1514: guess 1514 has squared error 1036800
//     weights abc968e7ac299910, resumed half way abc968e7ac299910
//     packet 1 p 0.0008, -log p 7.1166, detector 7.1166 TCP > cwr+ecn+syn 70-79 first
//     packet 2 p 0.0012, -log p 6.7038, detector 6.7038 TCP < ecn+ack+syn 70-79 after > cwr+ecn+syn
//     packet 3 p 0.0008, -log p 7.1646, detector 7.1646 TCP > ack 61-69 after < ecn+ack+syn
//     packet 4 p 0.0003, -log p 8.1171, detector 8.1171 TLSv1 > ack+push 300-699 after > ack
//     threshold 7.2883: error 0.0e+00, expected < 1e-07
//     found 320 of 1018, false alarms 118 of 8269 (1.43 %)
// PREDICT, THEN RUN. 11a: how many are found with 0.1 % false alarms (0.001)?
#define PKTSEQ_STATIC
#include "../../pktseq.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HALF = 100 };                       // iterations, twice
static const double false_alarms = 0.01;   // share of normal sequences above the threshold
static const char *const label = "label";  // a column that is no feature
static const pktseq_field field[] = {      // the token: service, direction, flags, size
    {"same_connection", PKTSEQ_FLAG, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
    {"token", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 2},
};
enum { FIELDS = sizeof field / sizeof *field };
static pktseq_codec codec;
static pktseq_detector detector;
static pktseq_error err;

// Ends the program where the header has something to say.
static void must(pktseq_status status) {
    if (status == PKTSEQ_OK) return;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

// The sequences of a file from one share of it to another, encoded: the others are repeated 0
// times.
static void load(const char *path, double begin, double end, pktseq_table *table,
                 pktseq_dataset *dataset) {
    pktseq_schema schema = pktseq_schema_default();
    pktseq_dataset_options options = pktseq_dataset_options_default();
    unsigned char *repeats;
    schema.field = field;
    schema.field_count = FIELDS;
    schema.keep = &label;
    schema.keep_count = 1;
    options.inputs = 0;  // every packet is forecast
    options.start = PKTSEQ_START_INPUT;
    must(pktseq_table_read(table, path, &schema, NULL, &err));
    if (codec.field_count == 0) must(pktseq_codec_fit(&codec, table, &schema, NULL, &err));
    repeats = (unsigned char *)calloc(table->sequences, 1);
    if (!repeats) exit(1);
    for (size_t s = 0; s < table->sequences; ++s)
        repeats[s] = s >= (size_t)(begin * (double)table->sequences) &&
                     s < (size_t)(end * (double)table->sequences);
    options.repeats = repeats;
    must(pktseq_dataset_init(dataset, &codec, table, &options, NULL, &err));
    free(repeats);
}

static void train(pktseq_model *model, const pktseq_dataset *normal, pktseq_training *training,
                  size_t iterations) {
    pktseq_train_config config = pktseq_train_config_default();
    config.iterations = iterations;
    config.batch = 32;
    config.learning_rate = 0.1;
    config.momentum = 0.9;
    config.clip = 1;
    config.teacher_forcing = 1;
    config.order = PKTSEQ_ORDER_SHUFFLED;
    must(pktseq_train(model, normal, &config, training, &err));
}

// 64-bit FNV-1a over the bytes of the weights, as in lesson 10.
static unsigned long long hash(const pktseq_model *model) {
    uint64_t value = 0xcbf29ce484222325u;
    for (size_t i = 0; i < 4 * model->parameters; ++i) {
        uint32_t bits;
        memcpy(&bits, &model->block[i / 4], 4);
        value = (value ^ (bits >> i % 4 * 8 & 255)) * 0x100000001b3u;
    }
    return value;
}

// One run of 2 * HALF iterations, and one that is saved half way, loaded and taken on.
static void learn(pktseq_model *model, const pktseq_dataset *normal) {
    pktseq_config config = pktseq_config_default(normal);
    pktseq_model half;
    pktseq_training training, half_training;
    pktseq_buffer checkpoint;
    memset(&training, 0, sizeof training);
    memset(&half_training, 0, sizeof half_training);
    config.loss = PKTSEQ_LOSS_NLL;
    config.hidden = 32;
    must(pktseq_model_init(model, &config, 1, NULL, &err));
    must(pktseq_model_init(&half, &config, 1, NULL, &err));
    train(model, normal, &training, 2 * HALF);
    train(&half, normal, &half_training, HALF);
    must(pktseq_save_mem(&half, &codec, &half_training, NULL, &checkpoint, NULL, &err));
    pktseq_model_free(&half);
    pktseq_training_free(&half_training);
    must(pktseq_load_mem(&half, NULL, &half_training, NULL, checkpoint.data, checkpoint.size, NULL,
                         &err));
    train(&half, normal, &half_training, 2 * HALF);
    printf("weights %016llx, resumed half way %016llx\n", hash(model), hash(&half));
    pktseq_buffer_free(&checkpoint);
    pktseq_model_free(&half);
    pktseq_training_free(&half_training);
    pktseq_training_free(&training);
}

// What one packet costs, by hand and by the detector.
static void look(const pktseq_model *model, const pktseq_dataset *data, size_t index, size_t t) {
    pktseq_pair pair = pktseq_dataset_pair(data, index);
    pktseq_real *truth = (pktseq_real *)malloc(data->out * sizeof *truth);
    const pktseq_real *out;
    double *part = (double *)malloc(pair.targets * codec.groups * sizeof *part), score;
    size_t token = 1;  // feature 0 is same_connection
    char name[80];
    pktseq_work work;
    must(part && truth ? PKTSEQ_OK : PKTSEQ_ERROR_MEMORY);
    must(pktseq_dataset_dense(data, data->first_row[index] + pair.inputs + t, NULL, truth));
    must(pktseq_work_init(&work, &model->config, 1, data->longest, 1, NULL, &err));
    must(pktseq_detector_explain(&detector, model, &work, &pair, part, &score));
    out = pktseq_work_output(&work, 0, t);
    while (token + 1 < data->out && truth[token] < 0.5f) ++token;
    must(pktseq_codec_feature_name(&codec, token, name, sizeof name));
    printf("packet %d p %.4f, -log p %.4f, detector %.4f %s\n", (int)t + 1, (double)out[token],
           -log((double)out[token]), part[t * codec.groups + 1] * (double)pair.targets,
           name + strlen("token-"));
    free(part);
    free(truth);
    pktseq_work_free(&work);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The score that a share of all scores lies above: when they are sorted, at (1 - share) of the way
// from the first to the last, in proportion between two neighbours. (pktseq_detector_fit does more:
// it says how sure that is.)
static double threshold(double *score, size_t count, double share) {
    double result = 0;
    qsort(score, count, sizeof *score, compare);
    // YOUR LINES
    double place = (1 - share) * (double)(count - 1);
    size_t below = (size_t)place;
    result = score[below];
    if (below + 1 < count) result += (place - (double)below) * (score[below + 1] - score[below]);
    // UP TO HERE
    return result;
}

// Scores another recording: how many of its anomalous and of its normal sequences are alarms?
static void find(const pktseq_model *model, const pktseq_dataset *mixed, const pktseq_table *table,
                 double limit) {
    const pktseq_column *column = table->column;
    double *score = (double *)malloc(mixed->pairs * sizeof *score);
    int count[2] = {0}, alarms[2] = {0};
    must(score ? PKTSEQ_OK : PKTSEQ_ERROR_MEMORY);
    while (strcmp(column->name, label) != 0) ++column;
    must(pktseq_detector_score_all(&detector, model, mixed, 1, score, &err));
    for (size_t i = 0; i < mixed->pairs; ++i) {
        int odd = strcmp(pktseq_column_text(column, mixed->first_row[i]), "0") != 0;
        ++count[odd];
        alarms[odd] += score[i] > limit;
    }
    printf("found %d of %d, false alarms %d of %d (%.2f %%)\n", alarms[1], count[1], alarms[0],
           count[0], 100.0 * alarms[0] / count[0]);
    free(score);
}

int main(void) {
    static const double token_alone[FIELDS] = {0, 1};
    pktseq_detector_options options;
    pktseq_table table[3];
    pktseq_dataset normal, held, mixed;
    pktseq_model model;
    double *score, limit, quantile, error;
    for (int guess = 74; guess <= 1514; guess += 720)
        printf("half 74, half 1514: guess %4d has squared error %d\n", guess,
               ((guess - 74) * (guess - 74) + (guess - 1514) * (guess - 1514)) / 2);
    load("examples/data/normal_seqs.csv", 0, 0.8, &table[0], &normal);
    load("examples/data/normal_seqs.csv", 0.8, 1, &table[1], &held);
    load("examples/data/mixed_seqs.csv", 0, 1, &table[2], &mixed);
    learn(&model, &normal);
    memset(&options, 0, sizeof options);
    options.measure = PKTSEQ_MEASURE_SURPRISAL;
    options.one_step_ahead = 1;
    options.weight = token_alone;
    must(pktseq_detector_init(&detector, &model, 0, &options, NULL, &err));
    for (size_t t = 0; t < 4; ++t) look(&model, &held, 0, t);
    score = (double *)malloc(held.pairs * sizeof *score);
    must(score ? PKTSEQ_OK : PKTSEQ_ERROR_MEMORY);
    must(pktseq_detector_score_all(&detector, &model, &held, 1, score, &err));
    limit = threshold(score, held.pairs, false_alarms);
    must(pktseq_quantile(score, held.pairs, 1 - false_alarms, &quantile, NULL, &err));
    error = fabs(limit - quantile);
    printf("threshold %.4f: %serror %.1e, expected < 1e-07\n", limit,
           error < 1e-7 ? "" : "not the share, counted from the top? ", error);
    find(&model, &mixed, &table[2], limit);
    free(score);
    pktseq_detector_free(&detector);
    pktseq_model_free(&model);
    pktseq_codec_free(&codec);
    pktseq_dataset_free(&normal);
    pktseq_dataset_free(&held);
    pktseq_dataset_free(&mixed);
    for (int i = 0; i < 3; ++i) pktseq_table_free(&table[i]);
    return 0;
}
