// scene.h - the small things that several tests set up alike: a schema of a few fields, a table
// from a text or from arrays, packets that are all the same and a model for them, allocators that
// count.
#ifndef SCENE_H
#define SCENE_H

#include "../pktseq.h"
#include "check.h"
#include "parts.h"

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

// An entry of a list of fields, none of which has options of its own: FIELD("length", LOG, BOTH).
#define FIELD(column, kind, role) \
    {column, PKTSEQ_##kind, PKTSEQ_ROLE_##role, 0, 0, NULL, 0, 0}

// The same for a variable.
static inline pktseq_field field_of(const char *column, pktseq_kind kind) {
    pktseq_field field;
    memset(&field, 0, sizeof field);
    field.column = column;
    field.kind = kind;
    return field;
}

// A network of in and out features, hidden units and input packets.
static inline pktseq_config net_of(size_t in, size_t out, size_t hidden, size_t inputs) {
    pktseq_config config = pktseq_config_default(NULL);
    config.in = in;
    config.out = out;
    config.hidden = hidden;
    config.inputs = inputs;
    return config;
}

// Keeps a config for the call that takes its address.
static inline const pktseq_config *lent(pktseq_config config) {
    static pktseq_config kept;
    kept = config;
    return &kept;
}

// Reads a table from a string.
static inline pktseq_status parse_text(pktseq_table *table, const char *text,
                                       const pktseq_schema *schema, pktseq_error *err) {
    return pktseq_table_parse(table, text, strlen(text), schema, NULL, err);
}

// Columns of a table filled by hand: of numbers, and of texts, whose cells number `names`.
static inline pktseq_column number_column(char *name, double *cell) {
    pktseq_column column = {name, cell, PKTSEQ_CELL_DOUBLE, NULL, 0};
    return column;
}

static inline pktseq_column text_column(char *name, uint32_t *cell, char **names, size_t count) {
    pktseq_column column = {name, cell, PKTSEQ_CELL_U32, names, count};
    return column;
}

// Such a table, not yet cut into sequences.
static inline pktseq_table table_of(pktseq_column *column, size_t columns, size_t rows) {
    pktseq_table table;
    memset(&table, 0, sizeof table);
    table.rows = rows;
    table.column = column;
    table.column_count = columns;
    return table;
}

// The same with sequences: row start[i] is the first of sequence i, start[sequences] is rows.
static inline pktseq_table cut_table_of(pktseq_column *column, size_t columns, size_t *start,
                                        size_t sequences) {
    pktseq_table table = table_of(column, columns, start[sequences]);
    table.start = start;
    table.sequences = sequences;
    return table;
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

// Sequences of rows of `wide` numbers, each both seen and forecast.
static inline void wrap_rows(pktseq_dataset *dataset, const real *x, size_t wide,
                             const size_t *start, size_t sequences) {
    pktseq_dataset_options options = pktseq_dataset_options_default();
    CHECK(pktseq_dataset_wrap(dataset, x, wide, x, wide, start, sequences, &options, NULL, NULL) ==
          PKTSEQ_OK);
}

enum { FLAT_ROWS = 12, FLAT_WIDE = 2 };

// Twelve packets in three sequences, all `value`.
static inline void flat_dataset(pktseq_dataset *dataset, real *x, double value) {
    static const size_t start[] = {0, 4, 8, 12};
    for (size_t i = 0; i < FLAT_ROWS * FLAT_WIDE; ++i) x[i] = (real)value;
    wrap_rows(dataset, x, FLAT_WIDE, start, 3);
}

// A small model for the packets of flat_dataset, or for others.
static inline void flat_model(pktseq_model *model, const pktseq_dataset *dataset) {
    pktseq_config config = pktseq_config_default(dataset);
    config.hidden = 5;
    CHECK(pktseq_model_init(model, &config, 3, NULL, NULL) == PKTSEQ_OK);
}

// The plan for a small model, as flat_model makes it.
static inline plan small_plan(const pktseq_field *field, size_t fields) {
    return plan_of(schema_of(field, fields), 5, 3);
}

// Packets of wrap_rows and a small model for them; nothing else is there yet.
static inline parts wrapped_parts(const real *x, size_t wide, const size_t *start,
                                  size_t sequences) {
    parts p;
    memset(&p, 0, sizeof p);
    wrap_rows(&p.dataset, x, wide, start, sequences);
    flat_model(&p.model, &p.dataset);
    return p;
}

// The same of flat_dataset's packets.
static inline parts flat_parts(real *x, double value) {
    parts p;
    memset(&p, 0, sizeof p);
    flat_dataset(&p.dataset, x, value);
    flat_model(&p.model, &p.dataset);
    return p;
}

// A counter that has counted nothing yet, and its allocator.
static inline pktseq_allocator counted(counter *c) {
    pktseq_allocator allocator;
    memset(c, 0, sizeof *c);
    allocator.alloc_fn = count_alloc;
    allocator.free_fn = count_free;
    allocator.user_data = c;
    return allocator;
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
    pktseq_allocator allocator = counted(c);
    allocator.alloc_fn = fenced_alloc;
    allocator.free_fn = fenced_free;
    return allocator;
}

#endif
