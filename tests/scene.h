// scene.h - the small things that several tests set up alike: a schema of a few fields, a table
// from a text, packets that are all the same and a model for them, an allocator with fences.
#ifndef SCENE_H
#define SCENE_H

#include "../pktseq.h"
#include "check.h"

typedef pktseq_real real;

static inline int is_double(void) { return sizeof(real) == sizeof(double); }

// A schema of a few fields.
static inline pktseq_schema schema_of(const pktseq_field *field, size_t count) {
    pktseq_schema schema;
    memset(&schema, 0, sizeof schema);
    schema.field = field;
    schema.field_count = count;
    schema.constant_is_zero = 1;
    return schema;
}

// A field with no options of its own.
static inline pktseq_field field_of(const char *column, pktseq_kind kind) {
    pktseq_field field;
    memset(&field, 0, sizeof field);
    field.column = column;
    field.kind = kind;
    return field;
}

// Reads a table from a string.
static inline pktseq_status parse_text(pktseq_table *table, const char *text,
                                       const pktseq_schema *schema, pktseq_error *err) {
    return pktseq_table_parse(table, text, strlen(text), schema, NULL, err);
}

// Does the message contain these words?
static inline int says(const pktseq_error *err, const char *words) {
    return strstr(err->text, words) != NULL;
}

// Is a table as good as freed, as it must be after a failure?
static inline int all_zero(const pktseq_table *table) { return is_zero(table, sizeof *table); }

// Returns what follows "\nkey " in a fixture.
static inline const char *fixture_value(const char *fixture, const char *key) {
    char line[40];
    const char *at;
    sprintf(line, "\n%.30s ", key);
    at = strstr(fixture, line);
    CHECK_THAT(at != NULL, "the fixture has no %s", key);
    return at ? at + strlen(line) : "0";
}

static inline double fixture_number(const char *fixture, const char *key) {
    return strtod(fixture_value(fixture, key), NULL);
}

enum { FLAT_ROWS = 12, FLAT_WIDE = 2 };

// Twelve packets in three sequences, all `value`.
static inline void flat_dataset(pktseq_dataset *dataset, real *x, double value) {
    static const size_t start[] = {0, 4, 8, 12};
    pktseq_dataset_options options = pktseq_dataset_options_default();
    for (size_t i = 0; i < FLAT_ROWS * FLAT_WIDE; ++i) x[i] = (real)value;
    CHECK(pktseq_dataset_wrap(dataset, x, FLAT_WIDE, x, FLAT_WIDE, start, 3, &options, NULL,
                              NULL) == PKTSEQ_OK);
}

// A small model for the packets of flat_dataset, or for others.
static inline void flat_model(pktseq_model *model, const pktseq_dataset *dataset) {
    pktseq_config config = pktseq_config_default(dataset);
    config.hidden = 5;
    CHECK(pktseq_model_init(model, &config, 3, NULL, NULL) == PKTSEQ_OK);
}

// count_alloc and count_free, with a few bytes around each block that nobody may write to.
enum { FENCE = 32 };

static inline void *fenced_alloc(size_t size, void *user_data) {
    char *p = (char *)count_alloc(size + 2 * FENCE, user_data);
    if (!p) return NULL;
    memcpy(p, &size, sizeof size);
    memset(p + FENCE + size, 0xa5, FENCE);
    return p + FENCE;
}

static inline void fenced_free(void *p, void *user_data) {
    char *block = (char *)p - FENCE;
    size_t size, whole = 0;
    memcpy(&size, block, sizeof size);
    for (size_t i = 0; i < FENCE; ++i) whole += (unsigned char)block[FENCE + size + i] == 0xa5;
    CHECK_THAT(whole == FENCE, "written outside a block of %lu bytes", (unsigned long)size);
    count_free(block, user_data);
}

static inline pktseq_allocator fenced(counter *c) {
    pktseq_allocator allocator;
    allocator.alloc_fn = fenced_alloc;
    allocator.free_fn = fenced_free;
    allocator.user_data = c;
    return allocator;
}

#endif
