// fuzz_csv.c - bytes as CSV: from memory and from a stream in pieces, with the same outcome.
//
// The first byte chooses the schema (2 bits), the pieces (3 bits), and, if it is no ASCII, an
// allocation that fails, or empty lines in front of all, so many that the rows lie where the
// reader's window ends.
#include "fuzz.h"

typedef struct csv_source {
    const uint8_t *data;
    size_t size, used, piece;  // piece 0: a different one each time
} csv_source;

static size_t csv_pull(void *user_data, void *to, size_t size, int *failed) {
    csv_source *s = (csv_source *)user_data;
    size_t piece = s->piece ? s->piece : 1 + s->used * 7919 % 61;
    (void)failed;
    if (piece > size) piece = size;
    if (piece > s->size - s->used) piece = s->size - s->used;
    if (piece) memcpy(to, s->data + s->used, piece);
    s->used += piece;
    return piece;
}

static int csv_empty(const pktseq_table *t) {
    return !t->rows && !t->sequences && !t->start && !t->column_count && !t->column &&
           !t->source_row;
}

// A text column: indices of names that are there, each name once; names whose rows went may stay.
static void csv_check_texts(const pktseq_table *t, const pktseq_column *c) {
    for (size_t row = 0; row < t->rows; ++row) {
        size_t text = (size_t)pktseq_column_number(c, row);
        FUZZ_THAT(text < c->name_count, "%s: text %lu", c->name, (unsigned long)text);
    }
    for (size_t i = 0; i < c->name_count && i < 40; ++i)
        for (size_t j = 0; j < i; ++j)
            FUZZ_THAT(strcmp(c->names[i], c->names[j]) != 0, "%s twice", c->names[i]);
}

// Every row is one of the file's, none twice, and those of a sequence are in the file's order. (Not
// those of all: packets of connections that came in turn were put together.)
static void csv_check_rows(const pktseq_table *t) {
    char *seen = (char *)calloc(t->counts.packets + 1, 1);
    if (!seen) exit(3);
    for (size_t s = 0; s < t->sequences; ++s)
        for (size_t row = t->start[s]; row < t->start[s + 1]; ++row) {
            FUZZ(row == t->start[s] || t->source_row[row - 1] < t->source_row[row]);
            FUZZ(t->source_row[row] < t->counts.packets && !seen[t->source_row[row]]);
            if (t->source_row[row] < t->counts.packets) seen[t->source_row[row]] = 1;
        }
    free(seen);
}

static void csv_check(const pktseq_table *t) {
    FUZZ(t->rows > 0 && t->sequences > 0 && t->start && t->column_count > 0 && t->column);
    FUZZ(t->start[0] == 0 && t->start[t->sequences] == t->rows);
    for (size_t s = 0; s < t->sequences; ++s) FUZZ(t->start[s] < t->start[s + 1]);
    for (size_t i = 0; i < t->column_count; ++i) {
        const pktseq_column *c = &t->column[i];
        FUZZ(c->name && c->name[0] && c->cell && !c->names == !c->name_count);
        FUZZ(pktseq_table_column(t, c->name) == c);
        for (size_t row = 0; !c->names && row < t->rows; ++row)
            FUZZ_THAT(fuzz_finite(pktseq_column_number(c, row)), "%s", c->name);
        if (c->names) csv_check_texts(t, c);
    }
    if (t->source_row) csv_check_rows(t);
    FUZZ(t->counts.packets == 0 ||
         t->counts.packets == t->rows + pktseqi_counts_left_out(&t->counts));
}

static void csv_check_same(const pktseq_table *a, const pktseq_table *b, size_t lines) {
    pktseq_table_counts cut = b->counts;
    if (cut.bad_line) cut.bad_line += lines;
    FUZZ(a->rows == b->rows && a->sequences == b->sequences &&
         a->column_count == b->column_count && a->position_gaps == b->position_gaps &&
         !a->source_row == !b->source_row);
    FUZZ(equal_bytes(&a->counts, &cut, sizeof cut));
    FUZZ(equal_bytes(a->start, b->start, (a->sequences + 1) * sizeof *a->start));
    if (a->source_row)
        FUZZ(equal_bytes(a->source_row, b->source_row, a->rows * sizeof *a->source_row));
    for (size_t i = 0; i < a->column_count; ++i) {
        const pktseq_column *c = &a->column[i], *d = &b->column[i];
        FUZZ_THAT(!strcmp(c->name, d->name) && c->type == d->type &&
                      c->name_count == d->name_count, "%s and %s", c->name, d->name);
        FUZZ_THAT(equal_bytes(c->cell, d->cell, a->rows * pktseqi_cell_bytes(c->type)), "%s",
                  c->name);
        for (size_t k = 0; k < c->name_count; ++k) FUZZ(!strcmp(c->names[k], d->names[k]));
    }
}

// A table of either kind can be cut, and what was cut is cut the same once more.
static void csv_check_cut(pktseq_table *t, const pktseq_schema *schema) {
    size_t rows, sequences, *start;
    pktseq_error err;
    pktseq_status status = pktseq_table_track(t, &schema->rule, NULL, &err);
    fuzz_error(&err, status);
    csv_check(t);
    if (status) {
        FUZZ_THAT(status == PKTSEQ_ERROR_DATA || status == PKTSEQ_ERROR_MISMATCH, "%s", err.text);
        return;
    }
    rows = t->rows;
    sequences = t->sequences;
    start = (size_t *)fuzz_exactly(t->start, (sequences + 1) * sizeof *start);
    status = pktseq_table_track(t, &schema->rule, NULL, &err);
    FUZZ_THAT(status == PKTSEQ_OK, "%s", err.text);
    FUZZ(t->rows == rows && t->sequences == sequences);
    FUZZ(equal_bytes(t->start, start, (sequences + 1) * sizeof *start));
    csv_check(t);
    free(start);
}

// The bytes behind empty lines. Somewhere among them ends the first window of 256 KB.
static uint8_t *csv_behind(const uint8_t *data, size_t size, size_t lines) {
    uint8_t *all = (uint8_t *)malloc(lines + size + !(lines + size));
    if (!all) exit(3);
    memset(all, '\n', lines);
    if (size) memcpy(all + lines, data, size);
    return all;
}

// Errors that differ in nothing but the number of lines before them.
static int csv_same_error(const pktseq_error *a, const pktseq_error *b, size_t lines) {
    const char *x = a->line ? strchr(a->text, ':') : a->text;
    const char *y = b->line ? strchr(b->text, ':') : b->text;
    return a->status == b->status && !a->line == !b->line &&
           (a->line == b->line + lines || a->line == b->line) &&  // an empty file's line is 1
           x && y && strncmp(x, y, sizeof a->text - 60) == 0;  // the end may have been cut off
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t piece[8] = {1, 2, 3, 7, 64, 1000, 65536, 0};
    static const size_t fail_at[8] = {9, 0, 0, 0, 1, 2, 3, 0};
    pktseq_field field[FUZZ_FIELDS];
    pktseq_table table, streamed;
    pktseq_error err, err2;
    pktseq_status status, status2;
    pktseq_schema schema;
    fuzz_memory memory, memory2;
    csv_source source;
    uint8_t *exact, *all;
    size_t lines = 0;
    if (size < 1 || size > 100000) return 0;
    schema = fuzz_schema(data[0] & 3, field);
    exact = fuzz_exactly(data + 1, size - 1);
    // Not before what is told by its first bytes, a byte order mark or another format.
    if (data[0] >> 5 == 7 && size > 1 && data[1] < 0x80 && !strchr("{[#<BPs7(\x1f", data[1]) &&
        !pktseq_capture_magic(exact, size - 1))
        lines = ((size_t)1 << 18) - 1 - (size - 1) % 4096 * (data[size - 1] + 1) / 257;
    all = csv_behind(exact, size - 1, lines);
    memset(&source, 0, sizeof source);
    source.data = exact;
    source.size = size - 1;
    source.piece = piece[(data[0] >> 2) & 7];
    fuzz_memory_init(&memory, fail_at[data[0] >> 5]);
    fuzz_memory_init(&memory2, 0);
    memset(&table, 0x5a, sizeof table);
    memset(&streamed, 0x5a, sizeof streamed);
    status = pktseq_table_parse(&table, all, lines + size - 1, &schema, &memory.allocator, &err);
    status2 = pktseq_table_stream(&streamed, csv_pull, &source, &schema, &memory2.allocator, &err2);
    fuzz_error(&err, status);
    fuzz_error(&err2, status2);
    FUZZ(status == PKTSEQ_OK || status == PKTSEQ_ERROR_DATA || memory.fail_at || memory.refused);
    FUZZ(status == PKTSEQ_OK || csv_empty(&table));
    FUZZ(status2 == PKTSEQ_OK || csv_empty(&streamed));
    if (status != PKTSEQ_ERROR_MEMORY) {
        FUZZ_THAT(csv_same_error(&err, &err2, lines),
                  "parse: %d %s; stream: %d %s", (int)status, err.text, (int)status2, err2.text);
    } else {
        FUZZ(memory.fail_at && memory.calls >= memory.fail_at);
    }
    if (status == PKTSEQ_OK) {
        csv_check(&table);
        if (status2 == PKTSEQ_OK) csv_check_same(&table, &streamed, lines);
        memory.fail_at = 0;
        csv_check_cut(&table, &schema);
    }
    for (int i = 0; i < 2; ++i) {
        pktseq_table_free(&table);
        pktseq_table_free(&streamed);
    }
    FUZZ(memory.live == 0 && memory2.live == 0);
    free(all);
    free(exact);
    return 0;
}
