// fuzz.h - what the fuzz targets share.
//
// Each fuzz_*.c has one LLVMFuzzerTestOneInput, for libFuzzer, AFL++ or a program of one's own that
// calls it. A property that does not hold ends the program, unless check.h was included before
// (tests/test_fuzz.c): then it counts.
#ifndef FUZZ_H
#define FUZZ_H

#include "../inside.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../parts.h"

#ifdef __cplusplus
extern "C"
#endif
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef CHECK_H
static size_t fuzz_broken;  // properties that did not hold
#define FUZZ_END() ((void)0)
#else
static size_t fuzz_broken;
#define FUZZ_END() abort()
#endif

// A property; what follows the condition says more, as for printf.
#define FUZZ_THAT(condition, ...) \
    do { \
        if (!(condition)) { \
            if (++fuzz_broken <= 20) { \
                fprintf(stderr, "%s:%d: broken: %s: ", __FILE__, __LINE__, #condition); \
                fprintf(stderr, __VA_ARGS__); \
                fprintf(stderr, "\n"); \
            } \
            FUZZ_END(); \
        } \
    } while (0)

#define FUZZ(condition) FUZZ_THAT(condition, "%s", "")

// ---- memory that counts -------------------------------------------------------------------------

typedef struct fuzz_memory {
    size_t calls, live, fail_at;  // fail_at: number of the call that gets nothing, 0 = none
    size_t most;                  // more nobody gets at a time: who asks for it believed a size
    size_t refused;               // calls for more
    pktseq_allocator allocator;
} fuzz_memory;

static inline void *fuzz_alloc(size_t size, void *user_data) {
    fuzz_memory *m = (fuzz_memory *)user_data;
    void *p;
    FUZZ(size > 0);
    if (++m->calls == m->fail_at) return NULL;
    if (size > m->most) return ++m->refused, (void *)NULL;
    p = malloc(size);
    if (!p) exit(3);
    ++m->live;
    return p;
}

static inline void fuzz_free(void *p, void *user_data) {
    fuzz_memory *m = (fuzz_memory *)user_data;
    FUZZ(p && m->live);
    --m->live;
    free(p);
}

static inline void fuzz_memory_init(fuzz_memory *m, size_t fail_at) {
    memset(m, 0, sizeof *m);
    m->fail_at = fail_at;
    m->most = (size_t)64 << 20;
    m->allocator.alloc_fn = fuzz_alloc;
    m->allocator.free_fn = fuzz_free;
    m->allocator.user_data = m;
}

// The bytes in a block of exactly their size, so that a sanitizer sees one too many.
static inline unsigned char *fuzz_exactly(const void *data, size_t size) {
    unsigned char *copy = (unsigned char *)malloc(size ? size : 1);
    if (!copy) exit(3);
    if (size) memcpy(copy, data, size);
    return copy;
}

static inline int fuzz_finite(double v) { return v - v == 0; }

// An error must say the status that was returned, and a sentence exactly if there is one to say.
static inline void fuzz_error(const pktseq_error *err, pktseq_status status) {
    FUZZ(status >= PKTSEQ_OK && status <= PKTSEQ_ERROR_DIVERGED);
    FUZZ_THAT(err->status == status, "%d, but returned %d", (int)err->status, (int)status);
    FUZZ(memchr(err->text, 0, sizeof err->text) != NULL);
    FUZZ_THAT((status == PKTSEQ_OK) == !err->text[0], "%s", err->text);
}

// ---- schemas ------------------------------------------------------------------------------------

// Four schemas: 0 default, 1 notebook, 2 recommended, 3 one of every kind and role. `field` and
// `keep` are room for the last.
enum { FUZZ_FIELDS = 16, FUZZ_KEPT = 3 };

static inline pktseq_schema fuzz_schema(unsigned which, pktseq_field *field) {
    static const char *const keep[FUZZ_KEPT] = {"label", "No.", "syn"};
    static const char *const protocol[] = {"TCP", "SMTP", "a \"b\"\tc\\"};
    static const struct {
        const char *column;
        pktseq_kind kind;
        pktseq_role role;
    } all[FUZZ_FIELDS] = {
        {"timestamp", PKTSEQ_SINCE_FIRST, PKTSEQ_ROLE_BOTH},
        {"timestamp", PKTSEQ_SINCE_PREVIOUS, PKTSEQ_ROLE_BOTH},
        {"timestamp", PKTSEQ_LOG_SINCE_PREVIOUS, PKTSEQ_ROLE_INPUT},
        {"timestamp", PKTSEQ_SINCE_FIRST, PKTSEQ_ROLE_BOTH},
        {"length", PKTSEQ_NUMBER, PKTSEQ_ROLE_INPUT},
        {"length", PKTSEQ_LOG, PKTSEQ_ROLE_BOTH},
        {"length", PKTSEQ_SINCE_PREVIOUS, PKTSEQ_ROLE_BOTH},
        {"length", PKTSEQ_ZSCORE, PKTSEQ_ROLE_BOTH},
        {"src_port", PKTSEQ_PORT, PKTSEQ_ROLE_BOTH},
        {"dst_port", PKTSEQ_PORT_REFERENCE, PKTSEQ_ROLE_INPUT},
        {"ack", PKTSEQ_FLAG, PKTSEQ_ROLE_BOTH},
        {"protocol", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH},
        {"token", PKTSEQ_ONEHOT, PKTSEQ_ROLE_INPUT},
        {"direction", PKTSEQ_FLAG, PKTSEQ_ROLE_BOTH},
        {"pair_length", PKTSEQ_LOG, PKTSEQ_ROLE_CONTEXT},
        {"pair_syn", PKTSEQ_NUMBER, PKTSEQ_ROLE_CONTEXT}};
    pktseq_schema schema;
    which %= 4;
    if (which < 3) {
        schema = which == 0   ? pktseq_schema_default()
                 : which == 1 ? pktseq_schema_reference()
                              : pktseq_schema_recommended(1);
        return schema;
    }
    memset(&schema, 0, sizeof schema);
    memset(field, 0, FUZZ_FIELDS * sizeof *field);
    for (size_t f = 0; f < FUZZ_FIELDS; ++f) {
        field[f].column = all[f].column;
        field[f].kind = all[f].kind;
        field[f].role = all[f].role;
    }
    field[7].mean = 500;
    field[7].sd = 0.1;
    field[11].category = protocol;
    field[11].category_count = 3;
    schema.field = field;
    schema.field_count = FUZZ_FIELDS;
    schema.keep = keep;
    schema.keep_count = FUZZ_KEPT;
    schema.rule.min_length = 2;
    schema.rule.max_length = 5;
    schema.rule.window = 0.5;
    schema.rule.reference_names = 1;
    return schema;
}

// ---- checkpoints --------------------------------------------------------------------------------

static inline size_t fuzz_find(const unsigned char *p, size_t size, const char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i + length <= size; ++i)
        if (!memcmp(p + i, text, length)) return i;
    return size;
}

// Writes the checksum that a checkpoint's other bytes ask for, if there is room for one.
static inline void fuzz_seal(unsigned char *p, size_t size) {
    size_t at = fuzz_find(p, size, "\"pktseq.checksum\"");
    uint64_t hash = UINT64_C(14695981039346656037);
    if (at == size) return;
    for (at += 17; at < size && p[at] != '"';) ++at;
    ++at;
    if (at + 16 > size) return;
    for (size_t i = 0; i < size; ++i)
        if (i < at || i >= at + 16) hash = (hash ^ p[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < 16; ++i)
        p[at + i] = (unsigned char)"0123456789abcdef"[(hash >> (60 - 4 * i)) & 15];
}

// Where the JSON object that begins at p ends, or 0.
static inline size_t fuzz_object_end(const unsigned char *p, size_t size) {
    size_t depth = 0;
    int quoted = 0;
    for (size_t i = 0; i < size; ++i) {
        if (quoted) {
            if (p[i] == '\\') ++i;
            else if (p[i] == '"') quoted = 0;
        } else if (p[i] == '"') {
            quoted = 1;
        } else if (p[i] == '{') {
            ++depth;
        } else if (p[i] == '}') {
            if (depth <= 1) return i + 1;
            --depth;
        }
    }
    return 0;
}

// The largest end of a tensor that a header names, if the fuzzer may have so many bytes.
static inline size_t fuzz_largest_end(const unsigned char *p, size_t size) {
    size_t most = 0, value = 0;
    for (size_t at = 0; at < size; ++at) {
        at += fuzz_find(p + at, size - at, "\"data_offsets\"");
        while (at < size && p[at] != ',' && p[at] != ']') ++at;
        while (at < size && (p[at] < '0' || p[at] > '9') && p[at] != ']') ++at;
        for (value = 0; at < size && p[at] >= '0' && p[at] <= '9' && value < 1000000; ++at)
            value = 10 * value + (size_t)(p[at] - '0');
        if (value > most) most = value;
    }
    return most < 200000 ? most : 0;
}

// A checkpoint as it has to be for its header to be looked at: its length is right, as many numbers
// follow as it says, and the checksum is right. Returns a new block; *fixed is its size.
static inline unsigned char *fuzz_repaired(const uint8_t *data, size_t size, size_t *fixed) {
    const unsigned char *json = data + (size < 8 ? size : 8);
    size_t rest = size < 8 ? 0 : size - 8, length = fuzz_object_end(json, rest);
    size_t numbers = length ? fuzz_largest_end(json, length) : 0, have;
    unsigned char *copy;
    if (!length) {
        *fixed = size;
        return fuzz_exactly(data, size);
    }
    while (length < rest && json[length] == ' ') ++length;
    have = rest - length;
    if (!numbers) numbers = have;
    *fixed = 8 + length + numbers;
    copy = (unsigned char *)calloc(*fixed, 1);
    if (!copy) exit(3);
    for (size_t i = 0; i < 8; ++i) copy[i] = (unsigned char)((uint64_t)length >> (8 * i));
    memcpy(copy + 8, json, length + (have < numbers ? have : numbers));
    fuzz_seal(copy, *fixed);
    return copy;
}

// What a load leaves.
typedef struct fuzz_loaded {
    pktseq_status status;
    pktseq_error err;
    parts p;
} fuzz_loaded;

static inline void fuzz_load(fuzz_loaded *l, const unsigned char *data, size_t size,
                             fuzz_memory *m) {
    memset(&l->err, 0x5a, sizeof l->err);
    l->status = parts_load(&l->p, data, size, &m->allocator, &l->err);
    fuzz_error(&l->err, l->status);
    FUZZ_THAT(l->status == PKTSEQ_OK || l->status == PKTSEQ_ERROR_DATA ||
                  l->status == PKTSEQ_ERROR_MISMATCH || l->status == PKTSEQ_ERROR_MEMORY,
              "%s", l->err.text);
    FUZZ((l->status == PKTSEQ_OK) == (l->p.model.block != NULL));
    if (l->status)
        FUZZ(!l->p.model.parameters && !l->p.codec.field_count && !l->p.training.iteration &&
             !l->p.training.loss && !l->p.training.velocity && !l->p.detector.memory);
}

static inline void fuzz_unload(fuzz_loaded *l) {
    for (int i = 0; i < 2; ++i) parts_free(&l->p);
}

static inline int fuzz_same_training(const pktseq_training *a, const pktseq_training *b) {
    return a->iteration ? equal_trainings(a, b) : !b->iteration;
}

static inline pktseq_status fuzz_save(const fuzz_loaded *l, pktseq_buffer *buffer, fuzz_memory *m) {
    pktseq_error err;
    pktseq_status status = pktseq_save_mem(&l->p.model, &l->p.codec, &l->p.training, &l->p.detector,
                                           buffer, &m->allocator, &err);
    fuzz_error(&err, status);
    FUZZ((status == PKTSEQ_OK) == (buffer->data != NULL));
    return status;
}

#endif
