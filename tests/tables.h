// tables.h - what tests of CSV and tables share: a small schema, a file of the test's own, tables
// that must be taken or refused, and how they are shown.
#ifndef TABLES_H
#define TABLES_H

#include "inside.h"
#include "scene.h"
#include "text.h"

static pktseq_error err;  // of the last call

static char path[1024];  // a file of this test's own

// Names that file after the program: main's arguments, and a name if it has none.
static inline void name_path(int argc, char **argv, const char *otherwise) {
    sprintf(path, "%.1000s.csv", argc > 0 && argv[0][0] ? argv[0] : otherwise);
}

static inline void write_file(const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
}

static inline void put_many(text *t, char c, size_t count) {
    while (count-- > 0) put_bytes(t, &c, 1);
}

// A table in one line: "0 2 3 | length 60 70.5 80 | protocol TCP HTTP TCP | gaps 0".
static inline void show(text *t, const pktseq_table *table) {
    t->size = 0;
    for (size_t s = 0; s <= table->sequences; ++s) {
        put_number(t, (double)table->start[s]);
        put(t, " ");
    }
    for (size_t c = 0; c < table->column_count; ++c) {
        const pktseq_column *column = &table->column[c];
        put(t, "| ");
        put(t, column->name);
        put(t, " ");
        CHECK(column->cell && (column->names != NULL) == (column->name_count > 0));
        for (size_t row = 0; row < table->rows; ++row) {
            if (!column->names)
                put_number(t, pktseq_column_number(column, row));
            else if ((size_t)pktseq_column_number(column, row) < column->name_count)
                put(t, pktseq_column_text(column, row));
            put(t, " ");
        }
    }
    put(t, "| gaps ");
    put_number(t, (double)table->position_gaps);
}

// One column of each kind.
static const pktseq_field small_field[] = {
    {"length", PKTSEQ_ZSCORE, 0, 0, 0, NULL, 0}, {"protocol", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0},
    {"src_port", PKTSEQ_PORT, 0, 0, 0, NULL, 0}, {"syn", PKTSEQ_FLAG, 0, 0, 0, NULL, 0},
};
static const pktseq_schema small = {small_field, 4, 0, 0};

// Parses from memory and reads from a file; both must give the table that `expected` shows.
static inline void check_taken(const char *name, const void *data, size_t size,
                        const pktseq_schema *schema, const char *expected) {
    static text shown;
    pktseq_table table;
    write_file(data, size);
    for (int from_file = 0; from_file < 2; ++from_file) {
        pktseq_status status;
        memset(&table, 0xaa, sizeof table);
        memset(&err, 0xaa, sizeof err);
        status = from_file ? pktseq_table_read(&table, path, schema, NULL, &err)
                           : pktseq_table_parse(&table, data, size, schema, NULL, &err);
        CHECK_THAT(status == PKTSEQ_OK, "%s: %s", name, err.text);
        CHECK_THAT(err.status == status, "%s", name);
        if (status) continue;
        CHECK_THAT(err.line == 0 && err.text[0] == 0, "%s: success says %s", name, err.text);
        show(&shown, &table);
        CHECK_THAT(strcmp(shown.data, expected) == 0, "%s:\n  got      %.300s\n  expected %.300s",
                   name, shown.data, expected);
        pktseq_table_free(&table);
        CHECK(all_zero(&table));
        pktseq_table_free(&table);
    }
}

#define HEADER "position,length,protocol,src_port,syn\n"

enum { ANY_LINE = 9999 };

typedef struct refusal {
    const char *name;
    const char *csv;
    size_t size;             // 0 = up to the final 0
    size_t line;             // expected in err.line
    const char *say[3];      // expected in err.text: column, what was found, ...
} refusal;

#define H HEADER         // line 1
#define R "0,60,TCP,80,1\n"

// Parses from memory and reads from a file, with and without err; all must be refused alike.
static inline void check_refused(const refusal *r, const void *data, size_t size,
                          const pktseq_schema *schema) {
    pktseq_table table;
    write_file(data, size);
    for (int how = 0; how < 4; ++how) {
        pktseq_error *e = how & 1 ? NULL : &err;
        counter c;
        pktseq_allocator allocator = counted(&c);
        pktseq_status status;
        memset(&table, 0xaa, sizeof table);
        memset(&err, 0xaa, sizeof err);
        status = how & 2 ? pktseq_table_read(&table, path, schema, &allocator, e)
                         : pktseq_table_parse(&table, data, size, schema, &allocator, e);
        CHECK_THAT(status == PKTSEQ_ERROR_DATA, "%s: status %d", r->name, (int)status);
        CHECK_THAT(all_zero(&table), "%s: something is left in the table", r->name);
        CHECK_THAT(c.live == 0, "%s: %lu blocks were not freed", r->name, (unsigned long)c.live);
        pktseq_table_free(&table);
        if (!e || status == PKTSEQ_OK) continue;
        CHECK_THAT(err.status == status, "%s", r->name);
        CHECK_THAT(r->line == ANY_LINE || err.line == r->line, "%s: line %lu, expected %lu: %s",
                   r->name, (unsigned long)err.line, (unsigned long)r->line, err.text);
        CHECK_THAT(memchr(err.text, 0, sizeof err.text) && strlen(err.text) > 10, "%s", r->name);
        for (int k = 0; k < 3 && r->say[k]; ++k)
            CHECK_THAT(strstr(err.text, r->say[k]) != NULL, "%s: \"%s\" says nothing of %s",
                       r->name, err.text, r->say[k]);
        CHECK_THAT((strstr(err.text, path) != NULL) == (how >= 2), "%s: %s", r->name, err.text);
        for (const char *p = err.text; *p; ++p)
            if (*p < 32 || *p > 126) {
                CHECK_THAT(0, "%s: byte %d in the message", r->name, *p & 255);
                break;
            }
    }
}

static inline int same_table(const pktseq_table *a, const pktseq_table *b) {
    int same = a->rows == b->rows && a->sequences == b->sequences &&
               a->position_gaps == b->position_gaps && a->column_count == b->column_count &&
               memcmp(a->start, b->start, (a->sequences + 1) * sizeof *a->start) == 0;
    for (size_t i = 0; same && i < a->column_count; ++i) {
        const pktseq_column *c = &a->column[i], *d = &b->column[i];
        same = c->name_count == d->name_count &&
               c->type == d->type &&
               memcmp(c->cell, d->cell, a->rows * pktseqi_cell_bytes(c->type)) == 0;
        for (size_t k = 0; same && k < c->name_count; ++k)
            same = strcmp(c->names[k], d->names[k]) == 0;
    }
    return same;
}

// A table that is read again and again, with one block of memory refused: the first,
// then the second, until there is none left to refuse. No table before, and nothing lost.
static inline pktseq_table parse_short_of_memory(const char *csv, const pktseq_schema *schema,
                                          counter *c) {
    pktseq_allocator allocator = fenced(c);
    pktseq_status status = PKTSEQ_ERROR_MEMORY;
    pktseq_table table;
    size_t k = 0;
    while (status == PKTSEQ_ERROR_MEMORY && k < 1000) {
        memset(c, 0, sizeof *c);
        c->fail_at = ++k;
        status = pktseq_table_parse(&table, csv, strlen(csv), schema, &allocator, &err);
        CHECK_THAT(err.status == status, "%lu: %s", (unsigned long)k, err.text);
        if (status == PKTSEQ_OK) break;
        CHECK(c->live == 0 && !table.column && says(&err, "out of memory"));
        pktseq_table_free(&table);
        CHECK(c->live == 0);
    }
    CHECK_THAT(status == PKTSEQ_OK && k > 10, "%lu allocations", (unsigned long)k);
    return table;
}

// What must be true of every table with sequences: sums, starts, names in order of appearance.
static inline void check_sound(const pktseq_table *table, const char *name) {
    const pktseq_table_counts *cut = &table->counts;
    int good = table->start[0] == 0 && table->start[table->sequences] == table->rows;
    CHECK_THAT(cut->packets == table->rows + pktseqi_counts_left_out(cut),
               "%s: the counts do not add up", name);
    for (size_t s = 0; s < table->sequences; ++s) good &= table->start[s] < table->start[s + 1];
    CHECK_THAT(good, "%s: the starts do not rise from 0 to rows", name);
    for (size_t c = 0; c < table->column_count; ++c) {
        const pktseq_column *column = &table->column[c];
        good = 1;
        for (size_t row = 0; column->names && row < table->rows; ++row)
            good &= (size_t)pktseq_column_number(column, row) < column->name_count;
        CHECK_THAT(good, "%s: names of %s", name, column->name);
    }
    CHECK_THAT((table->source_row == NULL) == (cut->packets == table->rows), "%s: source_row",
               name);
    good = 1;
    for (size_t row = 0; table->source_row && row < table->rows; ++row)
        good &= table->source_row[row] < cut->packets &&
                (row == 0 || table->source_row[row] > table->source_row[row - 1]);
    CHECK_THAT(good, "%s: source_row does not rise", name);
}

static inline pktseq_rule rule_of(size_t least, size_t most, double window, int notebook) {
    pktseq_rule rule = pktseq_rule_default();
    rule.min_length = least;
    rule.max_length = most;
    rule.window = window;
    rule.reference_names = notebook;
    return rule;
}

#endif
