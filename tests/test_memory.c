// test_memory.c - versions, words for what happened, and whose memory is used.
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

int main(void) {
    test_words();
    test_arena();
    return check_end("test_memory");
}
