// test_memory.c - section >>memory: versions, names of statuses, and whose memory is used.
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <math.h>

// A program shows what it is made of, and what went wrong, in words.
static void test_words(void) {
    const char *info = pktseq_build_info();
    CHECK(strcmp(pktseq_version(), PKTSEQ_VERSION) == 0);
    CHECK(PKTSEQ_CHECK_HEADER() == PKTSEQ_OK);
    CHECK(pktseq_check_header("0.0.1", sizeof(real), PKTSEQ_STRUCT_SIZES) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_check_header(PKTSEQ_VERSION, 12 - sizeof(real), PKTSEQ_STRUCT_SIZES) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_check_header(PKTSEQ_VERSION, sizeof(real), PKTSEQ_STRUCT_SIZES + 8) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_check_header(NULL, sizeof(real), PKTSEQ_STRUCT_SIZES) == PKTSEQ_ERROR_MISMATCH);
    for (int a = 0; a <= (int)PKTSEQ_NOT_IP + 1; ++a) {
        const char *words = pktseq_status_text((pktseq_status)a);
        CHECK(words && words[0]);
        for (int b = 0; b < a; ++b)  // each status has words of its own
            CHECK(strcmp(words, pktseq_status_text((pktseq_status)b)) != 0);
    }
    CHECK(strcmp(pktseq_status_text(PKTSEQ_ERROR_MEMORY), "out of memory") == 0);
    CHECK_THAT(strstr(info, PKTSEQ_VERSION), "%s", info);
    CHECK_THAT(strstr(info, sizeof(real) == 4 ? "float" : "double"), "%s", info);
    CHECK_THAT(strstr(info, "plain C") || strstr(info, "AVX") || strstr(info, "FMA") ||
                   strstr(info, "NEON"), "%s", info);
#if defined(__x86_64__) && defined(__GNUC__) && !defined(PKTSEQ_NO_SIMD)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        const char *best = sizeof(real) != 4                   ? "FMA"
                           : __builtin_cpu_supports("avx512f") ? "AVX-512"
                                                               : "AVX2";
        CHECK_THAT(strstr(info, best), "%s, not %s", info, best);
    }
#endif
#ifdef _OPENMP
    CHECK_THAT(strstr(info, "OpenMP") && !strstr(info, "no OpenMP"), "%s", info);
#endif
}

// An arena has no free_fn: nothing may be called, and nothing of the C library's freed.
typedef struct arena {
    double memory[1 << 16];
    size_t used;
} arena;

static void *arena_alloc(size_t size, void *user_data) {
    arena *a = (arena *)user_data;
    size_t at = a->used, count = (size + 63) / 64 * 8;
    if (count > sizeof a->memory / sizeof *a->memory - at) return NULL;
    a->used += count;
    return a->memory + at;
}

static void test_arena(void) {
    static arena a;
    pktseq_allocator allocator;
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_codec codec;
    pktseq_error err;
    const char *csv = "position,length\n0,60\n1,70\n2,80\n";
    memset(&allocator, 0, sizeof allocator);
    allocator.alloc_fn = arena_alloc;
    allocator.user_data = &a;
    CHECK_THAT(pktseq_table_parse(&table, csv, strlen(csv), &schema, &allocator, &err) == 0, "%s",
               err.text);
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, &allocator, &err) == 0, "%s", err.text);
    CHECK(a.used > 0 && codec.field[0].mean == 70 && fabs(codec.field[0].sd - 10) < 1e-12);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    CHECK(!table.column && !codec.field);
}

// ---- what a packet takes, from a capture to scores

// Counts the bytes that are allocated, each block with a note of its size before it.
typedef struct count {
    size_t now, peak;
} count;

static void *sized_alloc(size_t size, void *user_data) {
    count *c = (count *)user_data;
    double *p = (double *)malloc(size + 2 * sizeof *p);
    if (!p) return NULL;
    p[0] = (double)size;
    c->now += size;
    if (c->now > c->peak) c->peak = c->now;
    return p + 2;
}

static void sized_free(void *block, void *user_data) {
    double *p = (double *)block - 2;
    ((count *)user_data)->now -= (size_t)p[0];
    free(p);
}

static uint32_t time_of_record(const unsigned char *p) {
    uint32_t time;
    memcpy(&time, p, 4);
    return time;
}

// Makes a capture of (copies) of another, each later than the one before. The caller frees it.
static unsigned char *copies_of(const unsigned char *data, size_t size, size_t copies) {
    const size_t head = 24;
    unsigned char *all = (unsigned char *)malloc(head + copies * (size - head));
    if (!all) exit(1);
    memcpy(all, data, head);
    for (size_t k = 0; k < copies; ++k) {
        unsigned char *to = all + head + k * (size - head);
        uint32_t kept;
        memcpy(to, data + head, size - head);
        for (size_t at = 0; at < size - head; at += 16 + kept) {
            uint32_t time = time_of_record(to + at) + (uint32_t)(1000 * k);
            memcpy(to + at, &time, 4);
            memcpy(&kept, to + at + 8, 4);
        }
    }
    return all;
}

// Learns from a capture as train --recommended does, and scores it as detect does.
//   peak       (2) out: bytes allocated at most on the one way and on the other
//   returns how many packets there are
static double peaks_of(const unsigned char *data, size_t size, double *peak) {
    count c = {0, 0};
    pktseq_allocator allocator;
    pktseq_recipe recipe;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_detector detector;
    pktseq_training training;
    pktseq_error err;
    unsigned char *repeats;
    double *score, rows;
    size_t base;
    memset(&allocator, 0, sizeof allocator);
    memset(&training, 0, sizeof training);
    memset(&detector, 0, sizeof detector);
    allocator.alloc_fn = sized_alloc;
    allocator.free_fn = sized_free;
    allocator.user_data = &c;
    CHECK(!pktseq_recipe_recommended(&recipe, NULL, &err));
    recipe.schema.rule.max_connections = recipe.schema.rule.max_pairs = 256;
    recipe.schema.rule.max_packets = 256;
    recipe.train.iterations = 2;
    recipe.train.batch = 2;
    recipe.hidden = 2;
    recipe.dataset.hold_out = 0.02;  // few sequences are scored: it is the rest that takes memory
    CHECK_THAT(!pktseq_table_parse(&table, data, size, &recipe.schema, &allocator, &err) &&
                   !pktseq_recipe_prepare(&recipe, &table, NULL, NULL, &codec, &dataset, &model,
                                          &allocator,
                                          &err), "%s", err.text);
    rows = (double)table.rows;
    pktseq_table_free(&table);
    CHECK_THAT(!pktseq_train(&model, &dataset, &recipe.train, &training, &err) &&
                   !pktseq_recipe_calibrate(&recipe, &model, &codec, &dataset, &detector, &err),
               "%s", err.text);
    peak[0] = (double)c.peak;
    pktseq_dataset_free(&dataset);
    base = c.now;
    c.peak = c.now;
    recipe.dataset.hold_out = 0;
    CHECK_THAT(!pktseq_table_parse(&table, data, size, &recipe.schema, &allocator, &err), "%s",
               err.text);
    repeats = (unsigned char *)calloc(table.sequences, 1);  // a 50th of them counts
    if (repeats) memset(repeats, 1, table.sequences / 50);
    recipe.dataset.repeats = repeats;
    CHECK_THAT(repeats && !pktseq_dataset_init(&dataset, &codec, &table, &recipe.dataset,
                                               &allocator, &err), "%s", err.text);
    free(repeats);
    score = (double *)sized_alloc(dataset.pairs * sizeof *score, &c);
    CHECK_THAT(score && !pktseq_detector_score_all(&detector, &model, &dataset, 1, score, &err),
               "%s", err.text);
    peak[1] = (double)(c.peak - base);
    sized_free(score, &c);
    pktseq_table_free(&table);
    pktseq_dataset_free(&dataset);
    pktseq_training_free(&training);
    pktseq_detector_free(&detector);
    pktseq_model_free(&model);
    pktseq_codec_free(&codec);
    CHECK(c.now == 0);
    return rows;
}

// From a capture to a model, and to scores, a packet takes at most 200 bytes: what twice as many
// packets take more. Twice that where a number of a dataset is a double.
static void test_packets(void) {
    static unsigned char data[1 << 20];
    double rows[2], peak[2][2], max = 50 * sizeof(pktseq_real);
    FILE *file = fopen("examples/data/normal.pcap", "rb");
    size_t size = file ? fread(data, 1, sizeof data, file) : 0;
    CHECK_THAT(size > 1000 && size < sizeof data, "examples/data/normal.pcap is not there");
    if (file) fclose(file);
    if (size <= 1000 || size == sizeof data) return;
    for (int i = 0; i < 2; ++i) {
        unsigned char *all = copies_of(data, size, (size_t)2 << i);
        rows[i] = peaks_of(all, 24 + ((size_t)2 << i) * (size - 24), peak[i]);
        free(all);
    }
    for (int way = 0; way < 2; ++way) {
        double bytes = (peak[1][way] - peak[0][way]) / (rows[1] - rows[0]);
        printf("test_memory: %.0f bytes a packet to %s\n", bytes, way ? "score it" : "learn it");
        CHECK_THAT(bytes > 20 && bytes < max, "%.0f bytes a packet", bytes);
    }
}

int main(void) {
    test_words();
    test_arena();
    test_packets();
    return check_end("test_memory");
}
