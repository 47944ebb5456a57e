// test_sequences.c - sections >>segment and >>sequences: captures segmented by the rule, from
// every form that they come in.
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"
#include "text.h"

#include <math.h>
#include <time.h>

// ---- tools

// The cell of a column of numbers, or what no test has, so that a missing column is noticed.
static double number_at(const pktseq_table *table, const char *name, size_t row) {
    const pktseq_column *c = pktseq_table_column(table, name);
    return c && !c->names ? pktseq_column_number(c, row) : -12345;
}

// The same for texts.
static const char *text_at(const pktseq_table *table, const char *name, size_t row) {
    const pktseq_column *c = pktseq_table_column(table, name);
    const char *text = pktseq_column_text(c, row);
    return text ? text : "(none)";
}

// Everything in a table, in a line: "0 4 8 | timestamp 0 1 ... | source 0 2 3 ... | cut 9 1 ...".
static void show(text *t, const pktseq_table *table) {
    const pktseq_table_counts *cut = &table->counts;
    size_t counts[7];
    t->size = 0;
    put(t, "");
    for (size_t s = 0; table->start && s <= table->sequences; ++s) {
        put_number(t, (double)table->start[s]);
        put(t, " ");
    }
    for (size_t c = 0; c < table->column_count; ++c) {
        put(t, "| ");
        put(t, table->column[c].name);
        for (size_t row = 0; row < table->rows; ++row) {
            put(t, " ");
            if (!table->column[c].names)
                put_number(t, pktseq_column_number(&table->column[c], row));
            else put(t, text_at(table, table->column[c].name, row));
        }
        put(t, " ");
    }
    put(t, "| source");
    for (size_t row = 0; table->source_row && row < table->rows; ++row) {
        put(t, " ");
        put_number(t, (double)table->source_row[row]);
    }
    counts[0] = cut->packets;
    counts[1] = cut->not_tcp;
    counts[2] = cut->dropped;
    counts[3] = cut->remainder;
    counts[4] = cut->renamed;
    counts[5] = cut->clock_back;
    counts[6] = cut->many_values;
    put(t, " | cut");
    for (int i = 0; i < 7; ++i) {
        put(t, " ");
        put_number(t, (double)counts[i]);
    }
}

static const char *const all_keep[] = {"No.", "src_ip", "dst_ip", "label"};

// The fifteen columns of the default schema, and those that are kept.
static pktseq_schema all_schema(int notebook) {
    pktseq_schema schema = pktseq_schema_default();
    schema.keep = all_keep;
    schema.keep_count = 4;
    schema.rule.reference_names = notebook;
    schema.rule.tcp_only = 1;
    return schema;
}

// Two columns of TCP, so that tests can be short.
static const pktseq_field small_field[] = {
    {"src_port", PKTSEQ_PORT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
    {"syn", PKTSEQ_FLAG, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
};

// A schema of those two with a rule of the test's own.
static pktseq_schema small_schema(size_t least, size_t most, double window, int notebook) {
    pktseq_schema schema;
    memset(&schema, 0, sizeof schema);
    schema.field = small_field;
    schema.field_count = 2;
    schema.rule.min_length = least;
    schema.rule.max_length = most;
    schema.rule.window = window;
    schema.rule.reference_names = notebook;
    schema.rule.tcp_only = 1;
    return schema;
}

// ---- the rule, written once more in another way

typedef struct packet {
    double time;
    const char *src, *dst, *protocol;
    int tcp;
} packet;

typedef struct plain {
    size_t kept[2000], start[2000], count, sequences;
    pktseq_table_counts cut;
} plain;

// Lists what is not dropped, and takes one whole sequence after the other from the list.
static void plain_cut(plain *p, const packet *x, size_t n, const pktseq_rule *rule) {
    size_t begin = 0, end;
    memset(p, 0, sizeof *p);
    p->cut.packets = n;
    for (size_t i = 0; i < n; ++i) {
        int drop = rule->reference_names &&
                   strstr("|FINGER|FTP|FTP-DATA|TIME|", x[i].protocol) != NULL;
        if (!x[i].tcp) ++p->cut.not_tcp;
        else if (drop) ++p->cut.dropped;
        else p->kept[p->count++] = i;
    }
    for (size_t i = 0; i < p->count; ++i) {
        p->cut.renamed += rule->reference_names && strlen(x[p->kept[i]].protocol) == 8;
        p->cut.clock_back += i > 0 && x[p->kept[i]].time < x[p->kept[i - 1]].time;
    }
    for (; begin < p->count; begin = end) {
        const packet *first = &x[p->kept[begin]];
        for (end = begin + 1; end < p->count && end < begin + rule->max_length; ++end) {
            const packet *next = &x[p->kept[end]];
            int mine = !strcmp(next->src, first->src) || !strcmp(next->dst, first->src);
            if (end - begin >= rule->min_length &&
                (!mine || next->time > first->time + rule->window))
                break;
        }
        if (end - begin < rule->min_length) break;
        p->start[p->sequences++] = begin;
    }
    p->cut.remainder = p->count - begin;
    p->count = p->start[p->sequences] = begin;
}

static const char *const some_address[] = {"10.0.0.1", "10.0.0.2", "10.0.0.20", "fd00::1", "a,\"b"};
static const char *const some_protocol[] = {"TCP", "HTTP", "SMTP", "SMTP/IMF", "SMTP|IMF",
                                            "FTP", "FTP-DATA", "FINGER", "TIME", "tcp"};

// Packets whose times are quarters of seconds, so that sums are exact; some clocks jump back.
static size_t random_packets(packet *x, int other) {
    size_t n = 1 + random_below(300), addresses = 1 + random_below(5);
    double time = random_below(5);
    unsigned step = 1 + random_below(4);
    for (size_t i = 0; i < n; ++i) {
        time += 0.25 * random_below(step);
        if (random_below(20) == 0) time -= 0.25 * random_below(16);
        x[i].time = time;
        x[i].src = some_address[random_below((unsigned)addresses)];
        x[i].dst = some_address[random_below((unsigned)addresses)];
        x[i].protocol = some_protocol[random_below(10)];
        x[i].tcp = !other || random_below(8) != 0;
    }
    return n;
}

// A quoted cell: addresses may hold quotes and commas.
static void put_cell(text *t, const char *s) {
    char one[2] = {0, 0};
    put(t, "\"");
    for (; *s; ++s) {
        one[0] = *s;
        put(t, *s == '"' ? "\"\"" : one);
    }
    put(t, "\"");
}

// The packets as a file: those that are not TCP have no port and no flag.
static void put_packets(text *t, const packet *x, size_t n) {
    t->size = 0;
    put(t, "timestamp,src_ip,dst_ip,protocol,src_port,syn\n");
    for (size_t i = 0; i < n; ++i) {
        put_number(t, x[i].time);
        put(t, ",");
        put_cell(t, x[i].src);
        put(t, ",");
        put_cell(t, x[i].dst);
        put(t, ",");
        put_cell(t, x[i].protocol);
        put(t, x[i].tcp ? ",80,1\n" : ",,\n");
    }
}

// Is the table what the plain way gives?
static void check_cut(const pktseq_table *table, const packet *x, const plain *p, int notebook) {
    const pktseq_table_counts *cut = &table->counts;
    CHECK_THAT(table->rows == p->count, "%lu, not %lu", (unsigned long)table->rows,
               (unsigned long)p->count);
    CHECK(table->sequences == p->sequences && table->position_gaps == 0);
    CHECK(memcmp(cut, &p->cut, sizeof *cut) == 0);
    CHECK(cut->packets == table->rows + cut->not_tcp + cut->dropped + cut->remainder);
    CHECK((table->source_row == NULL) == (table->rows == cut->packets));
    if (table->rows != p->count || table->sequences != p->sequences) return;
    CHECK(memcmp(table->start, p->start, (p->sequences + 1) * sizeof *p->start) == 0);
    for (size_t i = 0; i < p->count; ++i) {
        const packet *from = &x[p->kept[i]];
        int mail = notebook && strlen(from->protocol) == 8;
        CHECK((table->source_row ? table->source_row[i] : i) == p->kept[i]);
        CHECK(number_at(table, "timestamp", i) == from->time);
        CHECK(strcmp(text_at(table, "src_ip", i), from->src) == 0);
        CHECK(strcmp(text_at(table, "dst_ip", i), from->dst) == 0);
        if (!notebook) continue;
        CHECK_THAT(strcmp(text_at(table, "protocol", i), mail ? "SMTP" : from->protocol) == 0,
                   "%s for %s", text_at(table, "protocol", i), from->protocol);
    }
    for (size_t c = 0; c < table->column_count; ++c) {  // names: each once
        const pktseq_column *column = &table->column[c];
        for (size_t i = 0; i < column->name_count; ++i)
            for (size_t k = 0; k < i; ++k) CHECK(strcmp(column->names[i], column->names[k]) != 0);
    }
}

// Random packets and rules, by way of CSV.
static void test_random(void) {
    static packet x[400];
    static plain p;
    text csv = {NULL, 0, 0};
    int cut = 0, refused = 0;
    for (int round = 0; round < 3000; ++round) {
        size_t n = random_packets(x, (int)random_below(2)), least = 1 + random_below(8);
        pktseq_schema schema = small_schema(least, least + random_below(40),
                                            0.25 * random_below(12), (int)random_below(2));
        pktseq_table table;
        pktseq_error err;
        counter memory;
        pktseq_allocator allocator = counted(&memory);
        pktseq_status status;
        put_packets(&csv, x, n);
        plain_cut(&p, x, n, &schema.rule);
        status = pktseq_table_parse(&table, csv.data, csv.size, &schema, &allocator, &err);
        CHECK_THAT((status == PKTSEQ_OK) == (p.sequences > 0), "%s", err.text);
        if (status == PKTSEQ_OK) {
            ++cut;
            check_cut(&table, x, &p, schema.rule.reference_names);
        } else {
            ++refused;
            CHECK(status == PKTSEQ_ERROR_DATA && all_zero(&table));
        }
        pktseq_table_free(&table);
        CHECK(memory.live == 0);
    }
    CHECK_THAT(cut > 1000 && refused > 20, "%d, %d", cut, refused);
    free(csv.data);
}

// A table that the test fills itself. Its texts are arrays that can be written: see the manual.
typedef struct hand {
    pktseq_table table;
    pktseq_column column[5];
    double time[400], other[400];
    uint32_t src[400], dst[400], protocol[400];
    char text[20][16], *address[5], *address_back[5], *name[10];
    char column_name[5][16];
} hand;

// Fills it with packets; the address columns number their texts differently.
static void fill_hand(hand *h, const packet *x, size_t n) {
    static const char *const name[] = {"timestamp", "src_ip", "dst_ip", "protocol", "other"};
    memset(h, 0, sizeof *h);
    for (size_t i = 0; i < 5; ++i) {
        strcpy(h->column_name[i], name[i]);
        h->address[i] = h->address_back[4 - i] = strcpy(h->text[i], some_address[i]);
    }
    for (size_t i = 0; i < 10; ++i) h->name[i] = strcpy(h->text[5 + i], some_protocol[i]);
    for (size_t i = 0; i < n; ++i) {
        h->time[i] = x[i].time;
        h->other[i] = (double)i;
        for (uint32_t k = 0; k < 5; ++k) {
            if (strcmp(x[i].src, some_address[k]) == 0) h->src[i] = k;
            if (strcmp(x[i].dst, some_address[k]) == 0) h->dst[i] = 4 - k;
        }
        for (uint32_t k = 0; k < 10; ++k)
            if (strcmp(x[i].protocol, some_protocol[k]) == 0) h->protocol[i] = k;
    }
    h->column[0] = number_column(h->column_name[0], h->time);
    h->column[1] = text_column(h->column_name[1], h->src, h->address, 5);
    h->column[2] = text_column(h->column_name[2], h->dst, h->address_back, 5);
    h->column[3] = text_column(h->column_name[3], h->protocol, h->name, 10);
    h->column[4] = number_column(h->column_name[4], h->other);
    h->table = table_of(h->column, 5, n);
}

// Frees what was allocated for it; the rest is static.
static void free_hand(hand *h) {
    const pktseq_allocator *a = &h->table.allocator;
    if (a->free_fn && h->table.start) a->free_fn(h->table.start, a->user_data);
    if (a->free_fn && h->table.source_row) a->free_fn(h->table.source_row, a->user_data);
    if (!a->free_fn) free(h->table.start);
    if (!a->free_fn) free(h->table.source_row);
}

// Tables filled by hand, cut twice: the second time nothing may change.
static void test_hand_filled(void) {
    static packet x[400];
    static plain p;
    static hand h, before;
    text once = {NULL, 0, 0}, twice = {NULL, 0, 0};
    size_t cut = 0, refused = 0;
    for (int round = 0; round < 3000; ++round) {
        counter memory;
        size_t n = random_packets(x, 0), least = 1 + random_below(6);
        pktseq_rule rule = {0, 0, 1, 0};
        pktseq_error err;
        pktseq_status status;
        rule.min_length = least;
        rule.max_length = least + random_below(30);
        rule.reference_names = (int)random_below(2);
        fill_hand(&h, x, n);
        h.table.allocator = counted(&memory);
        h.table.counts.dropped = random_below(2) ? 77 : 0;  // rubbish that does not add up
        before = h;
        plain_cut(&p, x, n, &rule);
        status = pktseq_table_track(&h.table, &rule, NULL, &err);
        CHECK_THAT((status == PKTSEQ_OK) == (p.sequences > 0), "%s", err.text);
        cut += status == PKTSEQ_OK;
        refused += status != PKTSEQ_OK;
        if (status) {
            CHECK_THAT(status == PKTSEQ_ERROR_DATA && strstr(err.text, "expected at least"), "%s",
                       err.text);
            CHECK(memcmp(&h, &before, sizeof h) == 0 && memory.live == 0);
            continue;
        }
        if (h.table.rows < n || p.cut.renamed) check_cut(&h.table, x, &p, rule.reference_names);
        for (size_t i = 0; i < h.table.rows; ++i) CHECK(h.other[i] == (double)p.kept[i]);
        h.table.counts.clock_back = p.cut.clock_back;  // of the rows that are left
        show(&once, &h.table);
        p.cut.clock_back = 0;
        for (size_t i = 1; i < h.table.rows; ++i) p.cut.clock_back += h.time[i] < h.time[i - 1];
        CHECK(pktseq_table_track(&h.table, &rule, NULL, &err) == PKTSEQ_OK);
        CHECK(h.table.counts.clock_back == p.cut.clock_back);
        CHECK(h.table.counts.packets == n && h.table.counts.dropped == p.cut.dropped);
        CHECK(h.table.counts.renamed == p.cut.renamed);
        CHECK(h.table.counts.remainder == p.cut.remainder);
        *strstr(once.data, "| cut") = 0;
        show(&twice, &h.table);
        *strstr(twice.data, "| cut") = 0;
        CHECK_THAT(strcmp(once.data, twice.data) == 0, "\n%.200s\n%.200s", once.data, twice.data);
        free_hand(&h);
        CHECK(memory.live == 0);
    }
    CHECK_THAT(cut > 2000 && refused > 20, "%lu, %lu", (unsigned long)cut, (unsigned long)refused);
    free(once.data);
    free(twice.data);
}

// ---- edges, one by one

// Cuts packets of A > B at these times ("a" others: C > D) and compares where sequences begin.
static void check_edges(const char *what, const double *time, const char *who, pktseq_rule rule,
                        const char *expected) {
    text csv = {NULL, 0, 0}, starts = {NULL, 0, 0};
    pktseq_schema schema = small_schema(rule.min_length, rule.max_length, rule.window, 0);
    pktseq_table table;
    pktseq_error err;
    pktseq_status status;
    put(&csv, "timestamp,src_ip,dst_ip,src_port,syn\n");
    for (size_t i = 0; who[i]; ++i) {
        put_number(&csv, time[i]);
        put(&csv, who[i] == '>' ? ",A,B,1,0\n" : who[i] == '<' ? ",B,A,1,0\n" : ",C,D,1,0\n");
    }
    status = pktseq_table_parse(&table, csv.data, csv.size, &schema, NULL, &err);
    put(&starts, "");
    for (size_t s = 0; status == PKTSEQ_OK && s <= table.sequences; ++s) {
        put_number(&starts, (double)table.start[s]);
        put(&starts, " ");
    }
    CHECK_THAT(strcmp(status ? err.text : starts.data, expected) == 0, "%s: %s", what,
               status ? err.text : starts.data);
    pktseq_table_free(&table);
    free(csv.data);
    free(starts.data);
}

// Where one packet more or less, or a bit of time, makes the difference.
static void test_edges(void) {
    static const double same[12] = {0}, slow[] = {0, 1, 2, 3, 4, 5, 6, 7},
                        back[] = {5, 5, 5, 5, 1, 0, 6, 6.5, 6.5, 6.5, 6.5},
                        window[] = {10, 10, 10.5, 11, 11, 11.000000000000002, 12, 12, 12};
    pktseq_rule rule = {2, 4, 1, 0}, one = {1, 1, 0, 0}, four = {4, 320, 1, 0};
    check_edges("exactly most", same, ">>>>", rule, "0 4 ");
    check_edges("most and one more", same, ">>>>>", rule, "0 4 ");
    check_edges("most and two more", same, ">>>>>>", rule, "0 4 6 ");
    check_edges("twice most", same, ">>>><<<<", rule, "0 4 8 ");
    check_edges("one each", same, ">>>", one, "0 1 2 3 ");
    check_edges("exactly least", same, ">>>>", four, "0 4 ");
    check_edges("fewer than least", same, ">>>", four,
                "found 3 packets, expected at least 4 for a sequence");
    check_edges("the first least join whoever they are", same, ">---<<-<", four, "0 6 ");
    check_edges("and whenever", slow, ">>>>>>>>", four, "0 4 8 ");
    check_edges("the first packet's destination is not asked for", same, ">>>>>><-----", rule,
                "0 4 7 11 ");
    check_edges("window exactly", window, ">>>>>", four, "0 5 ");
    check_edges("window and a bit", window, ">>>>>>>>>", four, "0 5 9 ");
    check_edges("clock back", back, ">>>>>>>>>>>", four, "0 7 11 ");
    check_edges("remainder", same, ">>>>-", four, "0 4 ");
}

// ---- the recordings

// The exports that come with the project must give the sequences that do, row for row.
static void test_recordings(void) {
    static const char *const pair[2][2] = {
        {"examples/data/normal_export.csv", "examples/data/normal_seqs.csv"},
        {"examples/data/mixed_export.csv", "examples/data/mixed_seqs.csv"}};
    static const size_t cut[2][4] = {{85787, 2308, 3, 109}, {80906, 2571, 2, 179}};
    for (int i = 0; i < 2; ++i) {
        pktseq_schema schema = all_schema(1);
        pktseq_table made, kept;
        pktseq_error err;
        size_t columns = 0;
        CHECK_THAT(!pktseq_table_read(&made, pair[i][0], &schema, NULL, &err), "%s", err.text);
        CHECK_THAT(!pktseq_table_read(&kept, pair[i][1], &schema, NULL, &err), "%s", err.text);
        CHECK(made.rows == kept.rows && made.sequences == kept.sequences && made.rows > 70000);
        CHECK(made.counts.packets == cut[i][0] && made.counts.dropped == cut[i][1]);
        CHECK(made.counts.remainder == cut[i][2] && made.counts.renamed == cut[i][3]);
        CHECK(made.counts.not_tcp == 0 && made.counts.many_values == 0 &&
              made.counts.clock_back == 0);
        CHECK(kept.source_row == NULL && kept.counts.packets == kept.rows);
        for (size_t s = 0; made.rows == kept.rows && s <= made.sequences; ++s)
            CHECK(made.start[s] == kept.start[s]);
        for (size_t c = 0; made.rows == kept.rows && c < kept.column_count; ++c) {
            const char *name = kept.column[c].name;
            size_t bad = 0;
            if (strcmp(name, "label") == 0) continue;  // no export has it
            for (size_t row = 0; row < made.rows; ++row)
                bad += !kept.column[c].names
                           ? pktseq_column_number(&kept.column[c], row) !=
                                 number_at(&made, name, row)
                           : strcmp(text_at(&kept, name, row), text_at(&made, name, row)) != 0;
            CHECK_THAT(bad == 0, "%s: column %s differs in %lu rows", pair[i][0], name,
                       (unsigned long)bad);
            ++columns;
        }
        CHECK(columns == 18 && (pktseq_table_column(&kept, "label") != NULL) == (i == 1));
        for (size_t row = 0; made.source_row && row < made.rows; ++row)
            CHECK(number_at(&made, "No.", row) == (double)made.source_row[row] + 1);
        pktseq_table_free(&made);
        pktseq_table_free(&kept);
    }
}

// ---- the forms that exports have

#define TSHARK "frame.number,frame.time_relative,ip.src,ipv6.src,ip.dst,ipv6.dst," \
               "_ws.col.Protocol,frame.len,tcp.srcport,tcp.dstport,"
// Six packets, the third not TCP, up to their flags; "$" stands for a comma within a cell.
static const char *const tshark_row[] = {"1,0,A,,B,,TCP,60,1,2,",   "2,.5,B,,A,,TCP,61,2,1,",
                                         "3,0.6,A,,B,,DNS,62,,,",   "4,0.7,,f::1,,f::2,TCP,63,3,4,",
                                         "5,0.8,X$C,,Y$D,,TCP,64,5,6,",
                                         "6,9e-1,A,,B,,HTTP,65,7$8,9,"};

// As tshark writes it with this separator; quoted = -E quote=d, where `header` is not.
static void put_tshark(text *t, const char *header, const char *const *flags, char separator,
                       int quoted) {
    t->size = 0;
    for (int row = -1; row < 6; ++row) {
        for (int part = 0; part < (row < 0 ? 1 : 2); ++part) {
            const char *s = row < 0 ? header : part ? flags[row] : tshark_row[row];
            for (; *s; ++s) {
                char c[2] = {0, 0};
                c[0] = *s == ',' ? separator : *s == '$' ? ',' : *s;
                if (quoted && row >= 0 && *s != ',' && s[0] != '$' &&
                    (s == tshark_row[row] || s == flags[row] || s[-1] == ','))
                    put(t, "\"");
                put(t, c);
                if (quoted && row >= 0 && *s != ',' && (s[1] == ',' || (part && !s[1])))
                    put(t, "\"");
            }
        }
        put(t, "\n");
    }
}

#define SHOWN_A "0 5 | timestamp 0 0.5 0.69999999999999996 0.80000000000000004 " \
                "0.90000000000000002 | length 60 61 63 64 65 "
#define SHOWN_B "| protocol TCP TCP TCP TCP HTTP | src_port 1 2 3 5 8 | dst_port 2 1 4 6 9 | " \
                "No. 1 2 4 5 6 | src_ip A B f::1 C A | dst_ip B A f::2 D B | source 0 1 3 4 5 | " \
                "cut 6 1 0 0 0 0 3"
#define SHOWN_FLAGS "| res 0 0 1 1 0 | ns 0 0 0 0 1 | cwr 0 0 0 0 1 | ecn 0 0 0 0 1 | " \
                    "urg 0 0 0 0 1 | ack 0 1 1 1 1 | push 0 0 0 0 1 | reset 0 0 0 0 1 | " \
                    "syn 1 1 0 0 1 | fin 0 0 1 1 1 "

// Reads a file of one form and compares everything in the table.
static void check_form(const char *what, const text *csv, char separator, const char *expected) {
    text shown = {NULL, 0, 0};
    pktseq_schema schema = all_schema(0);
    pktseq_table table;
    pktseq_error err;
    schema.separator = separator;
    CHECK_THAT(pktseq_table_parse(&table, csv->data, csv->size, &schema, NULL, &err) == PKTSEQ_OK,
               "%s: %s", what, err.text);
    show(&shown, &table);
    CHECK_THAT(strcmp(shown.data, expected) == 0, "%s:\n  got      %s\n  expected %s", what,
               shown.data, expected);
    pktseq_table_free(&table);
    free(shown.data);
}

// The same packets in every notation of tshark, with every separator, told or found out.
static void test_tshark(void) {
    static const char *const hex[] = {"0x0002", "0x0012", "", "0x0411", "0x0811", "0X01fF"},
                      *const decimal[] = {"2", "18", "", "529", "3601", "511"},
                      *const ones[] = {"0,0,0,0,0,0,0,0,1,0", "0,0,0,0,0,1,0,0,1,0", ",,,,,,,,,",
                                       "1,0,0,0,0,1,0,0,0,1", "7,0,0,0,0,1,0,0,0,1",
                                       "0,1,1,1,1,1,1,1,1,1"},
                      *const words[] = {
                          "False,False,False,False,False,False,False,False,True,False",
                          "0,False,False,False,False,True,False,False,True,False", ",,,,,,,,,",
                          "5,False,False,False,False,True,False,False,False,True",
                          "1,Not set,0,False,False,Set,False,False,False,True",
                          "0,True,True,True,True,True,True,True,True,1"};
    static const char flags[] =
        TSHARK "tcp.flags.res,tcp.flags.ae,tcp.flags.cwr,tcp.flags.ece,tcp.flags.urg,"
               "tcp.flags.ack,tcp.flags.push,tcp.flags.reset,tcp.flags.syn,tcp.flags.fin";
    text csv = {NULL, 0, 0};
    for (const char *separator = ",\t;|"; *separator; ++separator)
        for (int quoted = 0; quoted < 2; ++quoted)
            for (int told = 0; told < 2; ++told) {
                char c = told ? *separator : (char)0;
                if (*separator == ',' && !quoted) continue;  // a comma within a cell cannot be told
                put_tshark(&csv, TSHARK "tcp.flags", hex, *separator, quoted);
                check_form("hexadecimal", &csv, c, SHOWN_A SHOWN_FLAGS SHOWN_B);
                put_tshark(&csv, TSHARK "tcp.flags", decimal, *separator, quoted);
                check_form("decimal", &csv, c, SHOWN_A SHOWN_FLAGS SHOWN_B);
                put_tshark(&csv, flags, ones, *separator, quoted);
                check_form("one by one", &csv, c, SHOWN_A SHOWN_FLAGS SHOWN_B);
                put_tshark(&csv, flags, words, *separator, quoted);
                check_form("words", &csv, c, SHOWN_A SHOWN_FLAGS SHOWN_B);
            }
    free(csv.data);
}

// ---- what must be taken or refused, as CSV; expected is what show shows, or the error

typedef struct odd {
    const char *csv, *expected;
} odd;

#define HEAD "Time,ip.src,ip.dst,tcp.srcport,"
#define SIX "Time,ip.src,ipv6.src,ip.dst,tcp.srcport,Syn\n"
static const odd odds[] = {
    // tcp.flags
    {HEAD "tcp.flags\n0,A,B,1,0x0012\n", "src_port 1 | syn 1 | timestamp 0 "},
    {HEAD "tcp.flags\n0,A,B,1,\"0x10,0x2\"\n", "syn 1 | timestamp 0 | src_ip A | dst_ip B | source "
                                               "| cut 1 0 0 0 0 0 1"},
    {HEAD "tcp.flags\n0,A,B,1,4095\n", "syn 1"},
    {HEAD "tcp.flags\n0,A,B,1,4096\n",
     "line 2: column \"tcp.flags\": found \"4096\", expected flags"},
    {HEAD "tcp.flags\n0,A,B,1,0x1000\n", "found \"0x1000\""},
    {HEAD "tcp.flags\n0,A,B,1,0x0000000000000000000000000000000000000000000000000002\n", "syn 1"},
    {HEAD "tcp.flags\n0,A,B,1,0xffffffffffffffffffffffffffffffffffffffffffffffffffff\n",
     "expected flags as a number"},
    {HEAD "tcp.flags\n0,A,B,1,0x\n", "found \"0x\""},
    {HEAD "tcp.flags\n0,A,B,1,0xg\n", "found \"0xg\""},
    {HEAD "tcp.flags\n0,A,B,1,-1\n", "found \"-1\""},
    {HEAD "tcp.flags\n0,A,B,1,2.5\n", "found \"2.5\""},
    {HEAD "tcp.flags\n0,A,B,1,nan\n", "found \"nan\""},
    {HEAD "tcp.flags\n0,A,B,1,\n", "column \"tcp.flags\": found an empty cell, expected a number "
                                   "(only a packet that is not TCP"},
    {HEAD "tcp.flags,tcp.flags\n0,A,B,1,2,2\n", "found column \"tcp.flags\" 2 times"},
    {HEAD "tcp.flags,Syn\n0,A,B,1,0x2,Not set\n", "syn 0"},  // its own column goes first
    {HEAD "tcp.flags,Syn\n0,A,B,1,rubbish,Set\n", "syn 1"},  // and nobody looks at the word
    // addresses
    {"Time,ipv6.src,ip.dst,tcp.srcport,Syn\n0,::1,B,1,1\n", "src_ip ::1 | dst_ip B"},
    {SIX "0,A,::1,B,1,1\n", "src_ip A | dst_ip B"},
    {SIX "0,,\"::1,::2\",\"A,B,C\",1,1\n",
     "src_ip ::2 | dst_ip C | source | cut 1 0 0 0 0 0 2"},
    {SIX "0,,,B,1,1\n", "column \"ip.src\": found an empty"},
    {"Time,ip.src,ipv6.src,ipv6.src,ip.dst,tcp.srcport,Syn\n0,,,,B,1,1\n",
     "found column \"src_ip\" 2 times"},
    {"Time,src_ip,ip.src,ip.src,ip.dst,tcp.srcport,Syn\n0,A,,,B,1,1\n", "src_ip A"},
    {"Time,ip.src,Source,ip.dst,tcp.srcport,Syn\n0,,,B,1,1\n", "found column \"src_ip\" 2 times"},
    {"Time,ip.src,tcp.srcport,Syn\n0,A,1,1\n", "column \"dst_ip\" is missing; found 4"},
    {HEAD "Syn\n0,\"A,\",B,1,1\n", "column \"ip.src\": found an empty cell"},
    // numbers
    {HEAD "Syn\n\"0,5\",A,B,1,1\n", "timestamp 0.5 |"},
    {HEAD "Syn\n\"1,0,5\",A,B,1,1\n",
     "column \"Time\": found \"1,0,5\", expected seconds as a finite number"},
    {HEAD "Syn\n0,A,B,\"1,2\",\"1,0\"\n", "src_port 2 | syn 0"},
    {HEAD "Syn\n0,A,B,\"1,\",0\n", "column \"tcp.srcport\": found an empty cell"},
    {HEAD "Syn\n0,A,B,65536,0\n", "column \"tcp.srcport\": found \"65536\", expected a port"},
    {HEAD "Syn\n0,A,B,1,true\n", "syn 1 |"},
    {HEAD "Syn\n0,A,B,1,yes\n", "column \"Syn\": found \"yes\", expected 0, 1, Set"},
    {HEAD "Syn\n0,A,B,1,7\n", "column \"Syn\": found \"7\""},
    {HEAD "Syn,frame.time_epoch\n3,A,B,1,1,1700000000.5\n", "timestamp 3"},
    {"frame.time_epoch,ip.src,ip.dst,tcp.srcport,Syn\n1700000000.5,A,B,1,1\n",
     "timestamp 1700000000.5"},
    {"Time,frame.time_relative,ip.src,ip.dst,tcp.srcport,Syn\n3,3,A,B,1,1\n",
     "found column \"timestamp\" 2 times"},
    // rows of other protocols
    {HEAD "Syn\n0,A,B,1,1\n1,,,,\n", "timestamp 0 | src_ip A | dst_ip B | source 0 | cut 2 1"},
    {HEAD "Syn\n1,,,,\n1,,,\"\",\"\"\n0,A,B,1,1\n", "source 2 | cut 3 2 0 0"},
    {HEAD "Syn\nx,,,,\n", "found no row with TCP ports and flags after the header"},
    {HEAD "Syn\n0,A,B,1,\n", "column \"Syn\": found an empty cell, expected a number (only a"},
    {HEAD "Syn\n0,A,B,,1\n", "column \"tcp.srcport\": found an empty cell"},
    {HEAD "Syn\n1,,,\n", "found 4 cells, expected 5"},
    {HEAD "Syn\n", "found no rows after the header, expected packets"},
    // headers
    {"", "the file is empty"},
    {HEAD "Syn", "found no rows"},
    {"Time|ip.src|ip.dst|tcp.srcport|\"Syn\"\r\n0|A;;;;;|B|1|1\r\n", "src_ip A;;;;; | dst_ip B"},
    {"\"a,b,c\";Time;ip.src;ip.dst;tcp.srcport;Syn\n;0;A;B;1;1\n", "src_ip A | dst_ip B"},
    {"\"a\"\",\";Time;ip.src;ip.dst;tcp.srcport;Syn\n;0;A;B;1;1\n", "src_ip A | dst_ip B"},
    {"\xef\xbb\xbf\"Time\"\tip.src\tip.dst\ttcp.srcport\tSyn\n0\tA\tB\t1\t1\n", "timestamp 0"},
    {"\n\n\"Time\"\tip.src\tip.dst\ttcp.srcport\tSyn\n\n0\tA\tB\t1\t1\n", "timestamp 0"},
    {"a\"b;Time;ip.src;ip.dst;tcp.srcport;Syn\n;0;A;B;1;1\n", "timestamp 0"},
    {";;;;\n",
     "\"src_port\", \"tcp.flags\", \"timestamp\", \"src_ip\", \"dst_ip\" are missing; found 5"},
    {"position,position\n", "found column \"position\" 2 times"},
    {"Position," HEAD "Syn\n0,0,A,B,1,1\n", "timestamp 0"},  // another column
    {"\"Time\nip.src\",b\n", "are missing"},
    {"\"Time,ip.src\n", "the quote that opens cell 1 is never closed"},
};

// Each of the list above gives what stands beside it.
static void test_odd(void) {
    text shown = {NULL, 0, 0};
    for (size_t i = 0; i < sizeof odds / sizeof *odds; ++i) {
        pktseq_schema schema = small_schema(1, 9, 1, 0);
        pktseq_table table;
        pktseq_error err;
        pktseq_status status = pktseq_table_parse(&table, odds[i].csv, strlen(odds[i].csv),
                                                  &schema, NULL, &err);
        if (status == PKTSEQ_OK) show(&shown, &table);
        CHECK_THAT(strstr(status ? err.text : shown.data, odds[i].expected), "%s: %s", odds[i].csv,
                   status ? err.text : shown.data);
        CHECK((status == PKTSEQ_OK) || (status == PKTSEQ_ERROR_DATA && all_zero(&table)));
        pktseq_table_free(&table);
    }
    free(shown.data);
}

// A header of very many columns, columns to keep that are asked for twice, and no rule.
static void test_wide(void) {
    static const char *const keep[] = {"x77", "x77", "syn", "position", "none"};
    text csv = {NULL, 0, 0};
    pktseq_schema schema = small_schema(1, 9, 1, 0);
    pktseq_table table;
    pktseq_error err;
    for (int row = 0; row < 3; ++row) {
        for (int i = 0; i < 20000; ++i) {
            char cell[32];
            sprintf(cell, row ? "\"v,%d\"," : "x%d,", i);
            put(&csv, cell);
        }
        put(&csv, row ? "0,A,B,1,1\n" : HEAD "Syn\n");
    }
    schema.keep = keep;
    schema.keep_count = 5;
    CHECK_THAT(!pktseq_table_parse(&table, csv.data, csv.size, &schema, NULL, &err), "%s",
               err.text);
    CHECK(table.column_count == 6 && strcmp(text_at(&table, "x77", 1), "v,77") == 0);
    CHECK(!pktseq_table_column(&table, "position") && !pktseq_table_column(&table, "none"));
    pktseq_table_free(&table);
    schema.rule.min_length = 0;
    CHECK(pktseq_table_parse(&table, csv.data, csv.size, &schema, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(strstr(err.text, "column \"position\" is missing"), "%s", err.text);
    schema.keep = NULL;
    CHECK(pktseq_table_parse(&table, csv.data, 9, &schema, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    free(csv.data);
}

// Packets of one conversation in a table filled by hand, the times 0, 1, 2 ..
static void fill_same(hand *h, size_t n) {
    static packet x[400];
    for (size_t i = 0; i < n; ++i) {
        x[i].time = (double)i;
        x[i].src = some_address[i % 2];
        x[i].dst = some_address[1 - i % 2];
        x[i].protocol = some_protocol[0];
    }
    fill_hand(h, x, n);
}

// Counts of before are kept if they add up, sequences of before are not.
static void test_again(void) {
    static hand h;
    const pktseq_rule two = {2, 2, 1, 0}, notebook = {3, 9, 1, 1};
    pktseq_error err;
    fill_same(&h, 9);
    h.protocol[3] = 5;  // FTP
    h.protocol[5] = 4;  // SMTP|IMF
    h.table.position_gaps = 7;
    h.table.counts.packets = 1234;  // nonsense is not believed
    h.table.counts.renamed = 99;
    CHECK_THAT(!pktseq_table_track(&h.table, &two, NULL, &err), "%s", err.text);
    CHECK(h.table.rows == 8 && h.table.sequences == 4 && h.table.counts.remainder == 1);
    CHECK(h.table.position_gaps == 0 && h.table.counts.packets == 9 && h.table.counts.renamed == 0);
    CHECK_THAT(!pktseq_table_track(&h.table, &notebook, NULL, &err), "%s", err.text);
    CHECK(h.table.rows == 6 && h.table.sequences == 2 && h.table.counts.packets == 9);
    CHECK(h.table.counts.dropped == 1 && h.table.counts.remainder == 2 &&
          h.table.counts.renamed == 1);
    for (size_t row = 0; row < 6; ++row) {
        CHECK(h.other[row] == (double)(row + (row > 2)));
        CHECK(strcmp(text_at(&h.table, "protocol", row), row == 4 ? "SMTP" : "TCP") == 0);
    }
    free_hand(&h);
    fill_same(&h, 5);
    h.protocol[1] = h.protocol[3] = 5;
    CHECK(pktseq_table_track(&h.table, &notebook, NULL, NULL) == PKTSEQ_OK && h.table.rows == 3);
    free_hand(&h);
    fill_same(&h, 4);
    h.protocol[1] = h.protocol[3] = 5;
    CHECK(pktseq_table_track(&h.table, &notebook, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "found 2 packets of the protocols that are not dropped, expected at "
                          "least 3 for a sequence"), "%s", err.text);
}

static void test_arguments(void) {
    static hand h, before;
    const double infinite = HUGE_VAL;
    const pktseq_rule good = pktseq_rule_default(), notebook = {4, 320, 1, 1};
    const pktseq_rule bad[] = {{0, 320, 1, 0},     {4, 3, 1, 0},
                               {4, 0, 1, 0},       {4, 9, -0.5, 0},
                               {4, 9, infinite, 0}, {4, 9, infinite - infinite, 0},
                               {4, UINT32_MAX, 1, 0}, {4, SIZE_MAX, 1, 0}};
    pktseq_schema schema = small_schema(1, 9, 1, 0);
    pktseq_table table;
    pktseq_error err;
    CHECK(good.min_length == 4 && good.max_length == 320 && good.window == 1 &&
          good.reference_names == 0);
    CHECK(pktseq_schema_reference().rule.reference_names == 1);
// A call on a table with a change that must be refused, and leaves it as it was.
#define CHECK_FAILS(change, call, expected, part) \
    do { \
        fill_same(&h, 8); \
        change; \
        before = h; \
        CHECK_THAT((call) == (expected), "%s", err.text); \
        CHECK_THAT(err.status == (expected) && says(&err, part), "%s", err.text); \
        CHECK(memcmp(&h, &before, sizeof h) == 0); \
    } while (0)
#define CUT_FAILS(change, rule, expected, part) \
    CHECK_FAILS(change, pktseq_table_track(&h.table, rule, NULL, &err), expected, part)
    CHECK_FAILS(, pktseq_table_track(NULL, &good, NULL, &err), PKTSEQ_ERROR_ARGUMENT, "NULL");
    CHECK_FAILS(, pktseq_table_track(&h.table, NULL, NULL, &err), PKTSEQ_ERROR_ARGUMENT, "NULL");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        CUT_FAILS(, &bad[i], PKTSEQ_ERROR_ARGUMENT, "rule");
        schema.rule = bad[i];
        CHECK(i == 0 || pktseq_table_parse(&table, "", 0, &schema, NULL, &err) ==
                            PKTSEQ_ERROR_ARGUMENT);
    }
    CUT_FAILS(h.table.rows = 0, &good, PKTSEQ_ERROR_ARGUMENT, "empty");
    CUT_FAILS(h.table.column = NULL, &good, PKTSEQ_ERROR_ARGUMENT, "empty");
    CUT_FAILS(h.column[4].name = NULL, &good, PKTSEQ_ERROR_ARGUMENT, "no name");
    CUT_FAILS(h.column[4].cell = NULL, &good, PKTSEQ_ERROR_ARGUMENT, "neither numbers nor texts");
    CUT_FAILS(h.src[7] = 5, &good, PKTSEQ_ERROR_ARGUMENT, "among its names");
    CUT_FAILS(h.dst[0] = UINT32_MAX, &good, PKTSEQ_ERROR_ARGUMENT, "among its names");
    CUT_FAILS(h.protocol[3] = 10, &good, PKTSEQ_ERROR_ARGUMENT, "among its names");
    CUT_FAILS(h.column_name[0][0] = 'T', &good, PKTSEQ_ERROR_MISMATCH, "\"timestamp\" of numbers");
    CUT_FAILS(h.column_name[1][0] = 'S', &good, PKTSEQ_ERROR_MISMATCH, "\"src_ip\" of texts");
    CUT_FAILS(h.column_name[2][0] = 'D', &good, PKTSEQ_ERROR_MISMATCH, "\"dst_ip\" of texts");
    CUT_FAILS(h.column_name[3][0] = 'P', &notebook, PKTSEQ_ERROR_MISMATCH, "\"protocol\" of texts");
    CUT_FAILS((strcpy(h.column_name[1], "x"), strcpy(h.column_name[4], "src_ip")), &good,
              PKTSEQ_ERROR_MISMATCH, "\"src_ip\" of texts");
    CUT_FAILS((strcpy(h.column_name[0], "x"), strcpy(h.column_name[3], "timestamp")), &good,
              PKTSEQ_ERROR_MISMATCH, "\"timestamp\" of numbers");
    CUT_FAILS(h.time[6] = infinite, &good, PKTSEQ_ERROR_DATA, "\"timestamp\": found inf in row 6");
    fill_same(&h, 8);
    h.column_name[3][0] = 'P';  // which only a rule with names needs
    CHECK(pktseq_table_track(&h.table, &good, NULL, &err) == PKTSEQ_OK && err.text[0] == 0);
    free_hand(&h);
}

// ---- memory and time

// Every allocation fails in turn, when a capture is read and when a table is cut again.
static void test_memory(void) {
    static packet x[400];
    static const char *const protocol[] = {"protocol"};
    text csv = {NULL, 0, 0}, before = {NULL, 0, 0}, after = {NULL, 0, 0};
    pktseq_schema schema = small_schema(2, 9, 1, 1);
    pktseq_rule again = {3, 5, 0.5, 1};
    counter memory;
    pktseq_allocator allocator = counted(&memory);
    pktseq_status status = PKTSEQ_ERROR_MEMORY;
    pktseq_table table;
    pktseq_error err;
    size_t n = 0, calls, tries;
    while (n < 200) n = random_packets(x, 1);
    put_packets(&csv, x, n);
    for (tries = 1; status; ++tries) {
        memset(&memory, 0, sizeof memory);
        memory.fail_at = tries;
        status = pktseq_table_parse(&table, csv.data, csv.size, &schema, &allocator, &err);
        CHECK_THAT(!status || status == PKTSEQ_ERROR_MEMORY, "%s", err.text);
        if (status) CHECK(all_zero(&table) && memory.live == 0);
        if (status) continue;
        // Only giving back what is too much may fail without a word.
        if (memory.allocations >= tries) pktseq_table_free(&table);
        if (memory.allocations >= tries) CHECK(memory.live == 0);
        if (memory.allocations >= tries) status = PKTSEQ_ERROR_MEMORY;
    }
    CHECK_THAT(tries > 30, "%lu", (unsigned long)tries);
    pktseq_table_free(&table);
    memory.fail_at = 0;
    // Read without the notebook's habits first, so that there is something left to drop.
    schema.rule.reference_names = 0;
    schema.keep = protocol;
    schema.keep_count = 1;
    CHECK(!pktseq_table_parse(&table, csv.data, csv.size, &schema, &allocator, &err));
    show(&before, &table);
    status = PKTSEQ_ERROR_MEMORY;
    for (tries = 1; status && tries < 100; ++tries) {
        size_t live = memory.live;
        calls = memory.allocations;
        memory.fail_at = calls + tries;
        status = pktseq_table_track(&table, &again, NULL, &err);
        if (!status) break;
        CHECK(status == PKTSEQ_ERROR_MEMORY && memory.live == live);
        show(&after, &table);
        CHECK(strcmp(before.data, after.data) == 0);
    }
    CHECK_THAT(tries > 7 && tries < 100, "%lu", (unsigned long)tries);
    CHECK(table.counts.renamed > 0 && table.counts.dropped > 0);
    pktseq_table_free(&table);
    CHECK(memory.live == 0);
    free(csv.data);
    free(before.data);
    free(after.data);
}

// Reading must not be slow, whatever the texts are: 200,000 addresses, all different, then texts
// of which each is the beginning of the next, then such that differ only at the end.
static void test_time(void) {
    static const char *const name[] = {"many", "growing", "long"};
    for (int kind = 0; kind < 3; ++kind) {
        size_t rows = kind == 0 ? 200000 : kind == 1 ? 3000 : 20000;
        pktseq_schema schema = small_schema(4, 320, 1, 0);
        text csv = {NULL, 0, 0}, same = {NULL, 0, 0};
        pktseq_table table;
        pktseq_error err;
        clock_t begin;
        double seconds;
        for (int i = 0; i < 500; ++i) put(&same, "x");
        put(&csv, HEAD "Syn\n");
        for (size_t i = 0; i < rows; ++i) {
            char cell[64];
            put(&csv, "1,");
            if (kind == 1) put(&same, "x");
            if (kind) put(&csv, same.data);
            sprintf(cell, kind == 1 ? "," : "%lu,", (unsigned long)(i * 7919 % 1000003));
            put(&csv, cell);
            sprintf(cell, "10.%lu,1,0\n", (unsigned long)i);
            put(&csv, cell);
        }
        begin = clock();
        CHECK(pktseq_table_parse(&table, csv.data, csv.size, &schema, NULL, &err) == PKTSEQ_OK);
        seconds = check_seconds(begin);
        CHECK_THAT(seconds < 5, "%s: %.2f s", name[kind], seconds);
        CHECK(table.rows == rows);
        CHECK(pktseq_table_column(&table, "src_ip")->name_count == rows);
        pktseq_table_free(&table);
        if (getenv("VERBOSE")) printf("%s: %.3f s\n", name[kind], seconds);
        free(csv.data);
        free(same.data);
    }
}

// ---- filled by hand

// A table filled by hand in which something was forgotten, or is there twice, is refused in words.
static void test_forgotten(void) {
    char time[] = "timestamp", source_name[] = "src_ip", target[] = "dst_ip", a[] = "a";
    char *names[] = {a};
    uint32_t text[] = {0, 0, 0, 0};
    double number[] = {1, 2, 3, 4};
    size_t start[] = {0, 4}, falling[] = {0, 3, 1, 4};
    const unsigned char keep[] = {1, 0, 1};
    pktseq_column column[3] =
        {number_column(time, number), text_column(source_name, text, names, 1),
                               text_column(target, text, names, 1)};
    pktseq_table table = table_of(column, 3, 4);
    pktseq_rule rule = pktseq_rule_default();
    pktseq_field field = field_of("timestamp", PKTSEQ_NUMBER);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_codec codec;
    pktseq_error err;
    column[2].type = PKTSEQ_CELL_DOUBLE;  // a text's number is no double
    CHECK(pktseq_table_track(&table, &rule, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "neither numbers nor texts"), "%s", err.text);
    column[2].type = PKTSEQ_CELL_U8;
    column[2].name_count = 257;
    CHECK(pktseq_table_track(&table, &rule, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "too narrow for its names"), "%s", err.text);
    column[2].type = PKTSEQ_CELL_U32;
    column[2].names = NULL;  // numbers, then
    CHECK(pktseq_table_track(&table, &rule, NULL, &err) == PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(says(&err, "sequences cannot be made: the table has no column \"dst_ip\" of texts"),
               "%s", err.text);
    CHECK(!table.start && table.sequences == 0 && table.rows == 4);
    table.start = falling;
    table.sequences = 3;
    CHECK(pktseq_table_select(&table, keep, &err) == PKTSEQ_ERROR_ARGUMENT && table.rows == 4);
    CHECK_THAT(says(&err, "sequences do not rise"), "%s", err.text);
    table.start = start;  // as if it had been cut before, but where are the columns?
    table.sequences = 1;
    table.column = NULL;
    table.column_count = 0;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "the table is empty"), "%s", err.text);
    CHECK(pktseq_table_track(&table, NULL, &schema, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "the table is empty"), "%s", err.text);
}

int main(void) {
    test_random();
    test_hand_filled();
    test_edges();
    test_recordings();
    test_tshark();
    test_odd();
    test_wide();
    test_again();
    test_arguments();
    test_memory();
    test_time();
    test_forgotten();
    return check_end("test_sequences");
}
