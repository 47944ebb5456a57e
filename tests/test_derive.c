// test_derive.c - of no single section: columns that are derived from others, against the same
// written plainly.
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"
#include "text.h"

#include <math.h>

// ---- tools

static const pktseq_field derived_field[] = {
    FIELD("direction", FLAG, BOTH),       FIELD("same_connection", FLAG, BOTH),
    FIELD("token", ONEHOT, BOTH),         FIELD("pair_packets", NUMBER, BOTH),
    FIELD("pair_syn", NUMBER, BOTH),      FIELD("pair_reset", NUMBER, BOTH),
    FIELD("pair_fin", NUMBER, BOTH),      FIELD("pair_push", NUMBER, BOTH),
    FIELD("pair_length", NUMBER, BOTH),   FIELD("pair_connections", NUMBER, BOTH),
    FIELD("pair_services", NUMBER, BOTH), FIELD("pair_per_connection", NUMBER, BOTH),
};
enum { DERIVED = sizeof derived_field / sizeof *derived_field, PAIR = 3, COUNTERS = 9 };

// A schema of `count` derived columns from `first` on.
static pktseq_schema derived_schema(size_t first, size_t count) {
    pktseq_schema schema;
    memset(&schema, 0, sizeof schema);
    schema.field = derived_field + first;
    schema.field_count = count;
    return schema;
}

// What derived columns are made of: those of text, then those of numbers, the flags last.
static const char *const base_name[] = {"src_ip", "dst_ip", "protocol", "timestamp", "length",
                                        "src_port", "dst_port", "res", "ns", "cwr", "ecn", "urg",
                                        "ack", "push", "reset", "syn", "fin"};
enum { BASES = 17, TEXTS = 3, TIME = 3, LENGTH, SRC_PORT, DST_PORT, FLAGS, MOST = 400 };
enum { ACK = FLAGS + 5, PUSH, RESET, SYN, FIN };

// A table that the test fills itself: nothing in it comes from an allocator.
typedef struct hand {
    pktseq_table table;
    pktseq_column column[BASES];
    char name[BASES][24];
    double number[BASES][MOST];
    uint32_t text[TEXTS][MOST];
    char *names[TEXTS][6];
    size_t start[MOST + 1];
} hand;

static char text_a[] = "10.0.0.1", text_b[] = "10.0.0.2", text_c[] = "10.0.0.20", text_d[] = "::1",
            text_tcp[] = "TCP", text_http[] = "HTTP";

// Names of the two address columns are numbered differently.
static void fill_hand(hand *h, size_t rows) {
    memset(h, 0, sizeof *h);
    h->table.column = h->column;
    for (size_t i = 0; i < 4; ++i) {
        char *const address[] = {text_a, text_b, text_c, text_d};
        h->names[0][i] = address[i];
        h->names[1][3 - i] = address[i];
    }
    h->names[2][0] = text_tcp;
    h->names[2][1] = text_http;
    for (size_t i = 0; i < BASES; ++i) {
        pktseq_column *c = &h->table.column[i];
        c->name = strcpy(h->name[i], base_name[i]);
        if (i >= TEXTS) {
            c->cell = h->number[i];
            continue;
        }
        c->cell = h->text[i];
        c->type = PKTSEQ_CELL_U32;
        c->names = h->names[i];
        c->name_count = i < 2 ? 4 : 2;
    }
    h->table.column_count = BASES;
    h->table.rows = rows;
    h->table.start = h->start;
    h->table.sequences = 1;
    h->start[1] = rows;
}

// Frees what derive has added.
static void free_hand(hand *h) {
    h->table.start = NULL;
    pktseq_table_free(&h->table);
}

// Random packets in random sequences: few addresses and ports, so that much comes together; times
// that jump back now and then, and lengths at the bounds of the token's classes.
static void fill_random(hand *h, int odd) {
    static const double length[] = {0, 60, 61, 69, 70, 79, 80, 99, 100, 149, 150, 299, 300, 699,
                                    700, 1299, 1300, 65535};
    static const double port[] = {22, 80, 1024, 40000, 40001, 65535, 0, 65536};
    static const double odd_port[] = {-1, 65617, 80.5, 1e300};
    size_t rows = 1 + random_below(MOST - 1), sequences = 0;
    unsigned addresses = 1 + random_below(4), ports = 1 + random_below(7);
    unsigned step = 1 + random_below(8);
    double time = 0;
    fill_hand(h, rows);
    for (size_t row = 0; row < rows; ++row) {
        if (row == 0 || random_below(6) == 0) h->start[sequences++] = row;
        time += 0.5 * random_below(step);
        if (random_below(25) == 0) time -= 0.5 * random_below(50);
        if (random_below(40) == 0) time += 29 + 0.5 * random_below(5);
        h->number[TIME][row] = time;
        h->number[LENGTH][row] = length[random_below(18)];
        h->text[0][row] = random_below(addresses);
        h->text[1][row] = 3 - random_below(addresses);
        h->text[2][row] = random_below(2);
        for (size_t i = SRC_PORT; i <= DST_PORT; ++i)
            h->number[i][row] = odd && random_below(3) == 0 ? odd_port[random_below(4)]
                                                            : port[random_below(ports)];
        for (size_t i = FLAGS; i < BASES; ++i) h->number[i][row] = random_below(4) == 0;
    }
    h->table.sequences = sequences;
    h->start[sequences] = rows;
}

// ---- the same, written plainly. It reads any table by its columns' names.

typedef struct view {
    const pktseq_table *table;
    const pktseq_column *base[BASES];
} view;

// Looks the columns up once, because the plain way asks for them very often.
static view view_of(const pktseq_table *table) {
    view v;
    v.table = table;
    for (size_t i = 0; i < BASES; ++i) v.base[i] = pktseq_table_column(table, base_name[i]);
    return v;
}

// A cell of text, so that addresses are compared as texts and not by number.
static const char *text_of(const view *v, int base, size_t row) {
    return pktseq_column_text(v->base[base], row);
}

// A cell of numbers.
static double number_of(const view *v, int base, size_t row) {
    return pktseq_column_number(v->base[base], row);
}

// Are two cells the same text, also in different columns?
static int same_text(const view *v, int base_a, size_t a, int base_b, size_t b) {
    return strcmp(text_of(v, base_a, a), text_of(v, base_b, b)) == 0;
}

// What is no port counts as 0, where ports are counted.
static double port_of(const view *v, int base, size_t row) {
    double port = number_of(v, base, row);
    return port >= 0 && port <= 65535 ? floor(port) : 0;
}

// Are two packets between the same two addresses, in either direction?
static int same_pair(const view *v, size_t a, size_t b) {
    return (same_text(v, 0, a, 0, b) && same_text(v, 1, a, 1, b)) ||
           (same_text(v, 0, a, 1, b) && same_text(v, 1, a, 0, b));
}

// Are two packets of one connection: ends (address, port) alike, or the other way round?
static int same_connection(const view *v, size_t a, size_t b) {
    double as = port_of(v, SRC_PORT, a), ad = port_of(v, DST_PORT, a);
    double bs = port_of(v, SRC_PORT, b), bd = port_of(v, DST_PORT, b);
    return (same_text(v, 0, a, 0, b) && same_text(v, 1, a, 1, b) && as == bs && ad == bd) ||
           (same_text(v, 0, a, 1, b) && same_text(v, 1, a, 0, b) && as == bd && ad == bs);
}

// Adds the names of the flags that are set.
static void put_flags(const view *v, char *to, size_t row) {
    size_t before = strlen(to);
    for (int i = FLAGS; i < BASES; ++i) {
        if (number_of(v, i, row) == 0) continue;
        if (strlen(to) > before) strcat(to, "+");
        strcat(to, base_name[i]);
    }
    if (strlen(to) == before) strcat(to, "-");
}

// The token as text; `first` is where the packet's sequence begins.
static void plain_token(const view *v, char *to, size_t row, size_t first) {
    double length = number_of(v, LENGTH, row);
    size_t before = row;
    sprintf(to, "%s %s ", text_of(v, 2, row), same_text(v, 0, row, 0, first) ? ">" : "<");
    put_flags(v, to, row);
    strcat(to, length < 61     ? " <61 "
               : length < 70   ? " 61-69 "
               : length < 80   ? " 70-79 "
               : length < 100  ? " 80-99 "
               : length < 150  ? " 100-149 "
               : length < 300  ? " 150-299 "
               : length < 700  ? " 300-699 "
               : length < 1300 ? " 700-1299 "
                               : " 1300+ ");
    while (before > 0 && !same_connection(v, row, before - 1)) --before;
    if (before == 0 || number_of(v, TIME, row) - number_of(v, TIME, before - 1) > 30) {
        strcat(to, "first");
        return;
    }
    // From the same sender the arrow is this packet's, else the other one.
    strcat(to, same_text(v, 0, row, 0, first) == same_text(v, 0, row, 0, before - 1)
                   ? "after > " : "after < ");
    put_flags(v, to, before - 1);
}

// The nine counters of a row. The window ends with this packet; it begins with the first that is
// not before the pair's last beginning and not more than 10 seconds older, so it only moves on.
static size_t plain_counters(const view *v, double *count, size_t row, size_t oldest) {
    double packets = 0, length = 0;
    memset(count, 0, COUNTERS * sizeof *count);
    while (!same_pair(v, oldest, row) || number_of(v, TIME, oldest) < number_of(v, TIME, row) - 10)
        ++oldest;
    for (size_t i = oldest; i <= row; ++i) {
        double a = port_of(v, SRC_PORT, i), b = port_of(v, DST_PORT, i);
        int high_new = 1, low_new = 1;
        if (!same_pair(v, i, row)) continue;
        for (size_t k = oldest; k < i; ++k) {
            double c = port_of(v, SRC_PORT, k), d = port_of(v, DST_PORT, k);
            if (!same_pair(v, k, row)) continue;
            if ((a > b ? a : b) == (c > d ? c : d)) high_new = 0;
            if ((a > b ? b : a) == (c > d ? d : c)) low_new = 0;
        }
        ++packets;
        count[1] += number_of(v, SYN, i) != 0 && number_of(v, ACK, i) == 0;
        count[2] += number_of(v, RESET, i) != 0;
        count[3] += number_of(v, FIN, i) != 0;
        count[4] += number_of(v, PUSH, i) != 0;
        length += number_of(v, LENGTH, i);
        count[6] += high_new;
        count[7] += low_new;
    }
    count[0] = packets;
    count[4] /= packets;
    count[5] = length / packets;
    count[8] = packets / count[6];
    return oldest;
}

// The first packet that is still remembered after a row: those before have left the window of their
// pair, or are of two windows ago.
static size_t plain_kept(const view *v, const size_t *oldest, size_t row, size_t kept) {
    for (;; ++kept) {
        size_t last = row;
        while (!same_pair(v, last, kept)) --last;
        if (oldest[last] <= kept && number_of(v, TIME, kept) >= number_of(v, TIME, row) - 20)
            return kept;
    }
}

// Compares all derived columns of a table with the plain way's.
static void check_derived(const pktseq_table *table) {
    const pktseq_column *column[DERIVED];
    size_t *oldest = (size_t *)calloc(table->rows, sizeof *oldest), s = 0, kept = 0;
    view v = view_of(table);
    if (!oldest) exit(1);
    for (size_t i = 0; i < DERIVED; ++i) {
        column[i] = pktseq_table_column(table, derived_field[i].column);
        CHECK_THAT(column[i], "%s", derived_field[i].column);
        if (!column[i]) return;
    }
    for (size_t row = 0; row < table->rows; ++row) {
        char token[300];
        double count[COUNTERS];
        size_t first, before = row;
        s += table->start[s + 1] <= row;
        first = table->start[s];
        CHECK(pktseq_column_number(column[0], row) == same_text(&v, 0, row, 0, first));
        CHECK(pktseq_column_number(column[1], row) ==
              (row > first && same_connection(&v, row, row - 1)));
        plain_token(&v, token, row, first);
        CHECK_THAT(strcmp(token, pktseq_column_text(column[2], row)) == 0,
                   "row %lu: %s, not %s", (unsigned long)row,
                   pktseq_column_text(column[2], row), token);
        while (before > 0 && !same_pair(&v, row, before - 1)) --before;
        oldest[row] = plain_counters(&v, count, row,
                                     before > 0 && oldest[before - 1] > kept ? oldest[before - 1]
                                                                             : kept);
        kept = plain_kept(&v, oldest, row, kept);
        for (size_t i = 0; i < COUNTERS; ++i)
            CHECK_THAT(pktseq_column_number(column[PAIR + i], row) == count[i],
                       "row %lu, %s: %.17g, not %.17g",
                       (unsigned long)row, derived_field[PAIR + i].column,
                       pktseq_column_number(column[PAIR + i], row), count[i]);
    }
    for (size_t i = 0; i < column[2]->name_count; ++i)
        for (size_t k = 0; k < i; ++k)
            CHECK(strcmp(column[2]->names[i], column[2]->names[k]) != 0);
    free(oldest);
}

// ---- tests

// Random tables, every fifth with odd ports; a second call must change nothing.
static void test_random(void) {
    static hand h;
    pktseq_error err;
    for (int round = 0; round < 150; ++round) {
        pktseq_schema schema = derived_schema(0, DERIVED);
        fill_random(&h, round % 5 == 4);
        CHECK_THAT(pktseq_table_track(&h.table, NULL, &schema, &err) == PKTSEQ_OK, "%s", err.text);
        CHECK(h.table.column_count == BASES + DERIVED && err.text[0] == 0);
        check_derived(&h.table);
        // Nothing is missing.
        CHECK(pktseq_table_track(&h.table, NULL, &schema, &err) == PKTSEQ_OK);
        CHECK(h.table.column_count == BASES + DERIVED);
        free_hand(&h);
    }
}

// The same out of a file: the random packets as CSV, read with all derived columns.
static void test_random_csv(void) {
    static hand h;
    static char csv[MOST * 200];
    for (int round = 0; round < 200; ++round) {
        pktseq_schema schema = derived_schema(0, DERIVED);
        pktseq_table table;
        pktseq_error err;
        view v;
        size_t size, s = 0;
        fill_random(&h, 0);
        v = view_of(&h.table);
        size = (size_t)sprintf(csv, "position");
        for (int i = 0; i < BASES; ++i)
            size += (size_t)sprintf(csv + size, ",%s", base_name[i]);
        for (size_t row = 0; row < h.table.rows; ++row) {
            s += h.start[s + 1] <= row;
            size += (size_t)sprintf(csv + size, "\n%lu", (unsigned long)(row - h.start[s]));
            for (int i = 0; i < BASES; ++i)
                size += i < TEXTS ? (size_t)sprintf(csv + size, ",%s", text_of(&v, i, row))
                                  : (size_t)sprintf(csv + size, ",%.17g", number_of(&v, i, row));
        }
        if (pktseq_table_parse(&table, csv, size, &schema, NULL, &err) != PKTSEQ_OK) {
            CHECK_THAT(0, "%s", err.text);
        } else {
            CHECK(table.rows == h.table.rows && table.sequences == h.table.sequences);
            check_derived(&table);
        }
        pktseq_table_free(&table);
        free_hand(&h);
    }
}

// Each column on its own is what it is among all, and is made of the columns it needs alone.
static void test_each(void) {
    static const char *const needs[] = {
        " src_ip ", " src_ip dst_ip src_port dst_port ", NULL,
        " src_ip dst_ip timestamp length src_port dst_port ack push reset syn fin "};
    static hand h;
    pktseq_error err;
    for (size_t which = 0; which < DERIVED; ++which) {
        pktseq_schema all = derived_schema(0, DERIVED), one = derived_schema(which, 1);
        const char *need = needs[which < PAIR ? which : PAIR];
        pktseq_column made;
        fill_random(&h, 0);
        CHECK(pktseq_table_track(&h.table, NULL, &one, &err) == PKTSEQ_OK);
        CHECK(h.table.column_count == BASES + 1);
        CHECK(h.table.own_columns == 1 && h.table.column != h.column);
        made = h.table.column[BASES];
        free(h.table.column);
        h.table.column = h.column;
        h.table.column_count = BASES;
        h.table.own_columns = 0;
        CHECK(pktseq_table_track(&h.table, NULL, &all, &err) == PKTSEQ_OK);
        for (size_t row = 0; row < h.table.rows; ++row) {
            const pktseq_column *again = &h.table.column[BASES + which];
            CHECK(!made.names ? pktseq_column_number(&made, row) == pktseq_column_number(again, row)
                              : strcmp(pktseq_column_text(&made, row),
                                       pktseq_column_text(again, row)) == 0);
        }
        h.table.column[BASES + DERIVED - 1].name[0] = 'x';  // two of one name would be odd
        for (size_t i = 0; i < BASES; ++i) {
            pktseq_column *base = &h.table.column[i];
            pktseq_table table = h.table;
            char name[40];
            int needed = !need;
            sprintf(name, " %s ", base_name[i]);
            if (need) needed = strstr(need, name) != NULL;
            table.column_count = BASES;
            base->name[0] = 'X';  // the column is not there
            sprintf(name, "no column \"%s\"", base_name[i]);
            if (needed) {
                CHECK(pktseq_table_track(&table, NULL, &one, &err) == PKTSEQ_ERROR_MISMATCH);
                CHECK_THAT(strstr(err.text, name) && strstr(err.text, one.field->column), "%s",
                           err.text);
                CHECK(table.column_count == BASES && table.column == h.table.column);
            }
            base->name[0] = base_name[i][0];
            // The column is there but of the other kind.
            if (needed) {
                pktseq_column right = *base;
                base->cell = right.names ? (void *)h.number[TIME] : (void *)h.text[0];
                base->type = right.names ? PKTSEQ_CELL_DOUBLE : PKTSEQ_CELL_U32;
                base->names = right.names ? NULL : h.names[0];
                base->name_count = right.names ? 0 : 4;
                CHECK(pktseq_table_track(&table, NULL, &one, &err) == PKTSEQ_ERROR_MISMATCH);
                CHECK_THAT(strstr(err.text, name) &&
                               strstr(err.text, right.names ? " of texts" : " of numbers"),
                           "%s", err.text);
                *base = right;
            }
        }
        free(made.name);
        free(made.cell);
        for (size_t i = 0; i < made.name_count; ++i) free(made.names[i]);
        free(made.names);
        free_hand(&h);
    }
}

// The examples of the manual, and the 30 seconds, to the second.
static void test_token_text(void) {
    static const char *const expected[] = {
        "TCP > syn 61-69 first",           "TCP < ack+syn 61-69 after > syn",
        "HTTP > - 1300+ after < ack+syn",  "HTTP > - 1300+ first",
        "TCP < res+ns+cwr+ecn+urg+ack+push+reset+syn+fin <61 after > -", "TCP > - <61 first"};
    static const double time[] = {0, 30, 60, 90.5, 60, 60};
    static hand h;
    pktseq_schema schema = derived_schema(2, 1);
    pktseq_error err;
    fill_hand(&h, 6);
    for (size_t row = 0; row < 6; ++row) {
        uint32_t back = row == 1 || row == 4;
        h.number[TIME][row] = time[row];
        h.number[LENGTH][row] = row < 2 ? 61 + 8 * (double)row : row < 4 ? 1300 : 60.5;
        h.text[0][row] = back;
        h.text[1][row] = back ? 3 : 2;
        h.text[2][row] = row == 2 || row == 3;
        h.number[SRC_PORT][row] = back ? 80 : row == 5 ? 5001 : 5000;
        h.number[DST_PORT][row] = back ? 5000 : 80;
        for (int i = FLAGS; i < BASES; ++i)
            h.number[i][row] = row == 4 || (i == SYN && row < 2) || (i == ACK && row == 1);
    }
    CHECK(pktseq_table_track(&h.table, NULL, &schema, &err) == PKTSEQ_OK);
    for (size_t row = 0; row < 6; ++row) {
        const pktseq_column *token = &h.table.column[BASES];
        CHECK_THAT(strcmp(pktseq_column_text(token, row), expected[row]) == 0, "%s, not %s",
                   pktseq_column_text(token, row), expected[row]);
    }
    free_hand(&h);
}

// Wrong arguments, and tables that cannot be.
static void test_arguments(void) {
    static hand h;
    pktseq_schema schema = derived_schema(0, DERIVED), none = derived_schema(0, 0);
    pktseq_table table;
    pktseq_error err;
    fill_hand(&h, 10);
    CHECK(pktseq_table_track(NULL, NULL, &schema, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_table_track(&h.table, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_table_track(&h.table, NULL, &none, &err) == PKTSEQ_ERROR_ARGUMENT);
    for (int i = 0; i < 6; ++i) {
        size_t start[] = {0, 5, 10};
        table = h.table;
        table.start = start;
        table.sequences = 2;
        if (i == 0) table.rows = 0;
        if (i == 1) start[0] = 1;
        if (i == 2) start[1] = 10;
        if (i == 3) start[1] = 11;
        if (i == 4) start[2] = 9;
        if (i == 5) table.start = NULL;
        CHECK_THAT(pktseq_table_track(&table, NULL, &schema, &err) == PKTSEQ_ERROR_ARGUMENT, "%d",
                   i);
    }
    for (uint32_t i = 0; i < TEXTS; ++i) {
        h.text[i][3] = 6;
        CHECK(pktseq_table_track(&h.table, NULL, &schema, &err) == PKTSEQ_ERROR_ARGUMENT);
        h.text[i][3] = 0;
    }
    CHECK(h.table.column_count == BASES);
    {  // a schema of none of these adds nothing, whatever the table has
        pktseq_schema other = pktseq_schema_default();
        CHECK(pktseq_table_track(&h.table, NULL, &other, &err) == PKTSEQ_OK);
        CHECK(h.table.column_count == BASES);
    }
    free_hand(&h);
}

// Numbers that no file has: nothing may be read or written out of place, and it has to end.
static void test_hostile_numbers(void) {
    static hand h;
    pktseq_schema schema = derived_schema(0, DERIVED);
    pktseq_error err;
    double infinite = 1e308 * 10, value[5];
    value[0] = infinite;
    value[1] = -infinite;
    value[2] = infinite - infinite;
    value[3] = 1e308;
    value[4] = -1e308;
    for (int round = 0; round < 100; ++round) {
        fill_random(&h, 1);
        for (size_t row = 0; row < h.table.rows; ++row)
            for (int i = TEXTS; i < BASES; ++i)
                if (random_below(10) == 0) h.number[i][row] = value[random_below(5)];
        CHECK(pktseq_table_track(&h.table, NULL, &schema, &err) == PKTSEQ_OK);
        for (size_t row = 0; row < h.table.rows; ++row)
            CHECK(pktseq_column_number(&h.table.column[BASES + PAIR], row) >= 1);
        free_hand(&h);
    }
}

// A length that no packet has counts as 2^32, and spoils no mean after it has left the window.
static void test_absurd_length(void) {
    static const double absurd[] = {1e20, 1e308, 4294967296.0, -1e25};
    for (size_t k = 0; k < 4; ++k) {
        static hand h;
        pktseq_schema schema = derived_schema(0, DERIVED);
        pktseq_error err;
        fill_hand(&h, 200);
        for (size_t row = 0; row < 200; ++row) {
            h.number[TIME][row] = (double)row * 0.5 + (row > 31 ? 30 : 0);
            h.number[LENGTH][row] = row == 12 || row == 20 ? absurd[k] : 60 + (double)(row % 7);
        }
        CHECK(pktseq_table_track(&h.table, NULL, &schema, &err) == PKTSEQ_OK);
        for (size_t row = 0; row < 200; ++row) {
            size_t first = row;
            double sum = 0, got = pktseq_column_number(&h.table.column[BASES + PAIR + 5], row);
            while (first > 0 && h.number[TIME][first - 1] >= h.number[TIME][row] - 10) --first;
            for (size_t i = first; i <= row; ++i)
                sum += i == 12 || i == 20 ? 4294967296.0 : h.number[LENGTH][i];
            CHECK_THAT(got == sum / (double)(row - first + 1), "row %lu: %.17g",
                       (unsigned long)row, got);
        }
        free_hand(&h);
    }
}

// Every allocation fails in turn: the table is as it was.
static void test_memory(void) {
    static hand h;
    pktseq_schema schema = derived_schema(0, DERIVED);
    counter memory;
    pktseq_allocator allocator = counted(&memory);
    pktseq_status status = PKTSEQ_ERROR_MEMORY;
    pktseq_column before[BASES];
    pktseq_error err;
    size_t tries;
    do {
        fill_random(&h, 0);
        if (h.table.rows < 100) free_hand(&h);
    } while (h.table.rows < 100);
    h.table.allocator = allocator;
    memcpy(before, h.column, sizeof before);
    for (tries = 1; status && tries < 3000; ++tries) {
        memory.fail_at = memory.allocations + tries;
        status = pktseq_table_track(&h.table, NULL, &schema, &err);
        if (!status) break;
        CHECK(status == PKTSEQ_ERROR_MEMORY && err.status == status);
        CHECK(h.table.column_count == BASES && h.table.column == h.column && memory.live == 0);
        CHECK(memcmp(before, h.column, sizeof before) == 0);
    }
    CHECK_THAT(tries > 40 && status == PKTSEQ_OK, "%lu", (unsigned long)tries);
    check_derived(&h.table);
    CHECK(memory.live > 0 && h.table.own_columns == DERIVED);
    free_hand(&h);
    CHECK_THAT(memory.live == 0, "%lu blocks are left", (unsigned long)memory.live);
}

// ---- reading files

#define COLUMNS "position,timestamp,src_ip,dst_ip,protocol,length,src_port,dst_port,res,ns,cwr," \
                "ecn,urg,ack,push,reset,syn,fin"
static const char small_csv[] = COLUMNS "\n0,0,A,B,TCP,60,9,80,0,0,0,0,0,0,0,0,1,0\n"
                                        "1,1,B,A,TCP,70,80,9,0,0,0,0,0,1,0,0,1,0\n"
                                        "0,2,C,A,TCP,80,80,9,0,0,0,0,0,1,0,0,1,0\n";

// Reads a text of which the column `from` is named `to`; the fields are those of a schema.
static pktseq_status parse_small(pktseq_table *table, const char *from, const char *to,
                                 const pktseq_schema *schema, pktseq_error *err) {
    char csv[1000], *at;
    strcpy(csv, small_csv);
    at = strstr(csv, from);
    if (!at) exit(1);
    memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
    memcpy(at, to, strlen(to));
    return pktseq_table_parse(table, csv, strlen(csv), schema, NULL, err);
}

// Derived columns of a file: there, missing what they are made of, or brought along.
static void test_reading(void) {
    static const pktseq_field own[] = {FIELD("direction", ZSCORE, BOTH),
                                       FIELD("same_connection", FLAG, BOTH)};
    static const pktseq_field text[] = {FIELD("token", ONEHOT, BOTH)};
    pktseq_schema schema = derived_schema(0, DERIVED);
    pktseq_table table;
    pktseq_error err;
    CHECK_THAT(!parse_small(&table, "res", "res", &schema, &err), "%s", err.text);
    CHECK(table.column_count == BASES + DERIVED);
    check_derived(&table);
    pktseq_table_free(&table);
    for (int i = 0; i < BASES; ++i) {  // what is missing is named, and why it is needed
        char name[60], found[20];
        sprintf(found, ",%s", base_name[i]);
        sprintf(name, "column \"%s\" is missing, of which features are made", base_name[i]);
        CHECK(parse_small(&table, found, ",other", &schema, &err) == PKTSEQ_ERROR_DATA);
        CHECK_THAT(strstr(err.text, name) && err.line == 1, "%s", err.text);
        CHECK(all_zero(&table));
    }
    // Columns that the file has are kept as they are, and need nothing.
    schema.field = own;
    schema.field_count = 2;
    CHECK_THAT(!parse_small(&table, "length", "direction", &schema, &err), "%s", err.text);
    CHECK(pktseq_column_number(pktseq_table_column(&table, "direction"), 1) == 70);
    CHECK(pktseq_column_number(pktseq_table_column(&table, "same_connection"), 1) == 1);
    CHECK(pktseq_column_number(pktseq_table_column(&table, "same_connection"), 2) == 0);
    pktseq_table_free(&table);
    schema.field_count = 1;
    CHECK_THAT(!parse_small(&table, "length", "direction", &schema, &err), "%s", err.text);
    CHECK(table.column_count == 1);
    pktseq_table_free(&table);
    schema.field = text;
    CHECK_THAT(!parse_small(&table, "protocol", "token", &schema, &err), "%s", err.text);
    CHECK(table.column_count == 1 && strcmp(table.column[0].names[0], "TCP") == 0);
    pktseq_table_free(&table);
}

// A field that asks for a number where a text is made, or for a text where a number is: reading
// does not mind, making features of it does.
static void test_wrong_kinds(void) {
    static const pktseq_field kind[][1] = {{FIELD("token", ZSCORE, BOTH)},
                                           {FIELD("direction", ONEHOT, BOTH)},
                                           {FIELD("pair_syn", ONEHOT, BOTH)}};
    for (size_t i = 0; i < 3; ++i) {
        pktseq_schema schema = derived_schema(0, 1);
        pktseq_table table;
        pktseq_codec codec;
        pktseq_error err;
        schema.field = kind[i];
        CHECK_THAT(!parse_small(&table, "res", "res", &schema, &err), "%s", err.text);
        CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) != PKTSEQ_OK);
        CHECK_THAT(strstr(err.text, kind[i][0].column), "%s", err.text);
        pktseq_table_free(&table);
    }
}

// The recordings' first packets, as read with all derived columns, and a capture, which is cut
// before columns are made. The fields are the recommended ones and those that they leave out.
static void test_recording(void) {
    enum { MUCH = 250000 };
    static char data[MUCH + 1];
    static const char *const path[] = {"examples/data/normal_seqs.csv",
                                       "examples/data/normal_export.csv"};
    for (int i = 0; i < 2; ++i) {
        pktseq_schema schema = derived_schema(0, DERIVED);
        counter memory;
        pktseq_allocator allocator = counted(&memory);
        pktseq_table table;
        pktseq_codec codec;
        pktseq_error err;
        FILE *file = fopen(path[i], "rb");
        size_t size = file ? fread(data, 1, MUCH, file) : 0;
        CHECK_THAT(size == MUCH, "%s cannot be read", path[i]);
        if (file) fclose(file);
        if (size != MUCH) return;
        while (data[size - 1] != '\n') --size;
        schema.rule = pktseq_rule_default();
        schema.rule.reference_names = i;
        CHECK_THAT(!pktseq_table_parse(&table, data, size, &schema, &allocator, &err), "%s",
                   err.text);
        CHECK(table.rows > 1400 && table.sequences > 100);
        check_derived(&table);
        pktseq_table_free(&table);
        CHECK(memory.live == 0);
        for (int context = 0; context < 2; ++context) {
            schema = pktseq_schema_recommended(context);
            CHECK_THAT(!pktseq_table_parse(&table, data, size, &schema, NULL, &err), "%s",
                       err.text);
            CHECK(pktseq_table_column(&table, "token") != NULL);
            CHECK((pktseq_table_column(&table, "pair_services") != NULL) == context);
            CHECK((pktseq_table_column(&table, "source_hosts") != NULL) == context);
            CHECK(pktseq_table_column(&table, "direction") == NULL);
            CHECK_THAT(!pktseq_codec_fit(&codec, &table, &schema, NULL, &err), "%s", err.text);
            CHECK(codec.contexts == (context ? PKTSEQ_COUNTERS : 0) && codec.features > 20);
            pktseq_codec_free(&codec);
            pktseq_table_free(&table);
        }
    }
}

// Every allocation fails in turn while a file is read: an empty table, and nothing is left over.
static void test_reading_memory(void) {
    pktseq_schema schema = derived_schema(0, DERIVED);
    counter memory;
    pktseq_allocator allocator = counted(&memory);
    pktseq_status status = PKTSEQ_ERROR_MEMORY;
    pktseq_table table;
    size_t tries, failed = 0;
    for (tries = 1; tries == 1 || memory.allocations >= memory.fail_at; ++tries) {
        memset(&memory, 0, sizeof memory);
        memory.fail_at = tries;
        status = pktseq_table_parse(&table, small_csv, strlen(small_csv), &schema, &allocator,
                                    NULL);
        CHECK(status == PKTSEQ_OK || (status == PKTSEQ_ERROR_MEMORY && all_zero(&table)));
        failed += status == PKTSEQ_ERROR_MEMORY;
        pktseq_table_free(&table);
        CHECK(memory.live == 0);
    }
    CHECK_THAT(failed > 60 && status == PKTSEQ_OK, "%lu of %lu", (unsigned long)failed,
               (unsigned long)tries);
}

// ---- direction alone

// A table filled by hand, whose dst_ip is a number: direction needs src_ip alone.
static void test_direction_alone(void) {
    char src_name[] = "src_ip", dst_name[] = "dst_ip", a[] = "a", b[] = "b";
    char *names[] = {a, b};
    uint32_t text[] = {0, 1, 0, 1};
    double number[] = {1, 2, 3, 4};
    size_t start[] = {0, 2, 4};
    pktseq_column column[2] = {text_column(src_name, text, names, 2),
                               number_column(dst_name, number)};
    pktseq_table table = cut_table_of(column, 2, start, 2);
    pktseq_field field = field_of("direction", PKTSEQ_FLAG);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_error err;
    // The added column makes a new array; the old one is this function's.
    CHECK_THAT(pktseq_table_track(&table, NULL, &schema, &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(table.column_count == 3 && table.column != column && table.own_columns == 1);
    for (size_t i = 0; i < 4; ++i) CHECK(pktseq_column_number(&table.column[2], i) == (i % 2 == 0));
    table.start = NULL;
    pktseq_table_free(&table);
    CHECK(column[0].name == src_name && column[1].cell == number);
}

int main(void) {
    random_state = 362436069u;
    test_random();
    test_random_csv();
    test_each();
    test_token_text();
    test_arguments();
    test_hostile_numbers();
    test_absurd_length();
    test_memory();
    test_reading();
    test_wrong_kinds();
    test_recording();
    test_reading_memory();
    test_direction_alone();
    return check_end("test_derive");
}
