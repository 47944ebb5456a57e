// test_table.c - sections >>columns, >>table: files that must be taken, files that must be
// refused, what a table holds, many names.
#include "inside.h"
#include "tables.h"

static void test_positions(void) {
    static const char *const list[][2] = {
        {"0", "0 1 | gaps 0"},
        {"000", "0 1 2 3 | gaps 0"},
        {"0120", "0 3 4 | gaps 0"},
        {"0121", "0 4 | gaps 1"},
        {"013450", "0 5 6 | gaps 1"},
        {"0011502", "0 1 5 7 | gaps 3"},
        {"02468", "0 5 | gaps 4"},
    };
    static const pktseq_field field = {"x", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0};
    static const pktseq_schema schema = {&field, 1, 0, 0};
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i) {
        char csv[200] = "x,position\n", expected[200];
        const char *bar = strchr(list[i][1], '|');
        sprintf(expected, "%.*s| x ", (int)(bar - list[i][1]), list[i][1]);
        for (const char *p = list[i][0]; *p; ++p) {
            sprintf(csv + strlen(csv), "%d,%c\n", (int)(p - list[i][0]), *p);
            sprintf(expected + strlen(expected), "%d ", (int)(p - list[i][0]));
        }
        strcat(expected, bar);
        check_taken(list[i][0], csv, strlen(csv), &schema, expected);
    }
    // "position" may be a feature, too, and a column may serve two fields.
    {
        static const pktseq_field twice[] = {
            {"position", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0}, {"t", PKTSEQ_ZSCORE, 0, 0, 0, NULL, 0},
            {"t", PKTSEQ_SINCE_FIRST, 0, 0, 0, NULL, 0},
        };
        static const pktseq_schema two = {twice, 3, 0, 0};
        const char *csv = "t,position\n0.5,\"0\"\n\"0.75\",1\n";
        check_taken("position as a column", csv, strlen(csv), &two,
                    "0 2 | position 0 1 | t 0.5 0.75 | gaps 0");
    }
}

// Texts are taken as they are, and each different one is kept once, in order of appearance.
static void test_texts(void) {
    static const pktseq_field field[] = {{"protocol", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0},
                                         {"Protocol", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0}};
    static const pktseq_schema schema = {field, 1, 0, 0}, both = {field, 2, 0, 0};
    static const char *const cell[][2] = {
        // as in the file; as in the table
        {"TCP", "TCP"}, {"\"UDP\"", "UDP"}, {"\"TCP\"", "TCP"}, {" TCP", " TCP"}, {"TCP ", "TCP "},
        {"tcp", "tcp"}, {"\"a,b\"", "a,b"}, {"\"a\"\"b\"", "a\"b"}, {"\"\"\"\"", "\""},
        {"\"\"\"\"\"\"", "\"\""}, {"\"\"\"a\"\"\"", "\"a\""}, {"\"\nx\"", "\nx"},
        {"\"x\n\"", "x\n"}, {"\"x\r\ny\"", "x\r\ny"}, {"\"x\ry\"", "x\ry"}, {"\"\r\"", "\r"},
        {"\"\n\"\"\n,\"\"\"", "\n\"\n,\""}, {"\"position,protocol\n0,TCP\n\"",
        "position,protocol\n0,TCP\n"}, {"UDP", "UDP"}, {"\x01", "\x01"}, {"#TCP", "#TCP"},
        {"'a'", "'a'"}, {"NaN", "NaN"}, {"0", "0"}, {"\xc2\x80", "\xc2\x80"},
        {"\xdf\xbf", "\xdf\xbf"}, {"\xe0\xa0\x80", "\xe0\xa0\x80"},
        {"\xed\x9f\xbf", "\xed\x9f\xbf"},
        {"\xee\x80\x80", "\xee\x80\x80"}, {"\xef\xbf\xbf", "\xef\xbf\xbf"},
        {"\xf0\x90\x80\x80", "\xf0\x90\x80\x80"}, {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"Gr\xc3\xbc\xc3\x9f", "Gr\xc3\xbc\xc3\x9f"},
    };
    const size_t count = sizeof cell / sizeof *cell;
    text csv = {NULL, 0, 0};
    pktseq_table table;
    size_t different = 0;
    put(&csv, "position,protocol\n");
    for (size_t i = 0; i < count; ++i) {
        put(&csv, "0,");
        put(&csv, cell[i][0]);
        put(&csv, i % 3 ? "\n" : "\r\n");
    }
    CHECK_THAT(pktseq_table_parse(&table, csv.data, csv.size, &schema, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    CHECK(table.rows == count && table.sequences == count && table.column_count == 1);
    for (size_t i = 0; i < count && i < table.rows; ++i) {
        const pktseq_column *column = &table.column[0];
        size_t k = 0;
        while (strcmp(cell[k][1], cell[i][1]) != 0) ++k;
        CHECK_THAT((size_t)pktseq_column_number(column, i) < column->name_count &&
                   strcmp(pktseq_column_text(column, i), cell[i][1]) == 0, "text %d", (int)i);
        if (k == i)
            CHECK_THAT((size_t)pktseq_column_number(column, i) == different++, "text %d", (int)i);
        else
            CHECK_THAT(pktseq_column_number(column, i) == pktseq_column_number(column, k),
                       "text %d",
                       (int)i);
    }
    CHECK(table.rows && table.column[0].name_count == different);
    CHECK(pktseq_table_column(&table, "protocol") == table.column);
    CHECK(pktseq_table_column(&table, "Protocol") == NULL);
    CHECK(pktseq_table_column(&table, "position") == NULL);
    CHECK(pktseq_table_column(&table, "") == NULL);
    CHECK(pktseq_table_column(&table, NULL) == NULL);
    CHECK(pktseq_table_column(NULL, "protocol") == NULL);
    pktseq_table_free(&table);
    CHECK(pktseq_table_column(&table, "protocol") == NULL);
    free(csv.data);
    // One cell that two fields ask for, by its name and by an alias.
    {
        const char *one = "position,Protocol\n0,\"a\"\"b\"\"c\"\n";
        check_taken("a cell for two columns", one, strlen(one), &both,
                    "0 1 | protocol a\"b\"c | Protocol a\"b\"c | gaps 0");
    }
}

// ---- refusals

static const refusal refusals[] = {
    // the file as a whole
    {"empty", "", 0, 1, {"expected"}},
    {"only a byte order mark", "\xef\xbb\xbf", 0, 1, {"expected"}},
    {"only empty lines", "\n\r\n\r", 0, ANY_LINE, {"expected"}},
    {"only a header", H, 0, ANY_LINE, {"expected", "row"}},
    {"only a header, no line end", "position,length,protocol,src_port,syn", 0, ANY_LINE, {"row"}},
    {"only a header and empty lines", H "\n\n\r\n", 0, ANY_LINE, {"row"}},
    {"the bytes of a gzip file", "\x1f\x8b\x08\x00\x00\x00", 6, 1, {"gzip"}},
    {"half a byte order mark", "\xef\xbb" H R, 0, 1, {"\"position\"", "missing"}},
    {"no header", R "1,61,TCP,80,1\n", 0, 1, {"\"position\"", "missing"}},
    // columns
    {"no position", "length,protocol,src_port,syn\n60,TCP,80,1\n", 0, 1,
     {"\"position\"", "missing"}},
    {"no length", "position,protocol,src_port,syn\n0,TCP,80,1\n", 0, 1, {"\"length\"", "missing"}},
    {"no protocol", "position,length,src_port,syn\n0,60,80,1\n", 0, 1, {"\"protocol\"", "missing"}},
    {"no syn", "position,length,protocol,src_port\n0,60,TCP,80\n", 0, 1, {"\"syn\"", "missing"}},
    {"missing, header in line 3", "\n\r\nposition,length,protocol,src_port\n0,60,TCP,80\n", 0, 3,
     {"\"syn\"", "missing"}},
    {"another separator", "position:length:protocol:src_port:syn\n0:60:TCP:80:1\n", 0, 1,
     {"\"position\"", "missing"}},
    {"a comma goes before other separators", "position;length;protocol;src_port;syn;a,b\n", 0, 1,
     {"\"position\"", "missing"}},
    {"column twice", "position,length,protocol,src_port,syn,length\n0,60,TCP,80,1,60\n", 0, 1,
     {"\"length\"", "2", "once"}},
    {"position twice", "position,length,protocol,src_port,syn,position\n0,60,TCP,80,1,0\n", 0, 1,
     {"\"position\"", "2", "once"}},
    {"column three times", "syn,syn,position,length,protocol,src_port,syn\n1,1,0,60,TCP,80,1\n", 0,
     1, {"\"syn\"", "3", "once"}},
    {"two aliases", "position,Length,frame.len,protocol,src_port,syn\n0,60,60,TCP,80,1\n", 0, 1,
     {"\"length\"", "2", "once"}},
    // rows
    {"short row", H R "1,60,TCP,80\n" R, 0, 3, {"4", "expected 5"}},
    {"short row, only one cell", H R R "x\n", 0, 4, {"1", "expected 5"}},
    {"short row at the end", H R "1,60", 0, 3, {"2", "expected 5"}},
    {"long row", H "0,60,TCP,80,1,\n", 0, 2, {"6", "expected 5"}},
    {"long row, quoted comma outside", H R "1,60,\"TCP\",\"80\",\"1\",\"\"\n", 0, 3,
     {"6", "expected 5"}},
    {"blank in an empty line", H R " \n", 0, 3, {"1", "expected 5"}},
    // NUL
    {"NUL in a number", H "0,6\0000,TCP,80,1\n", sizeof(H "0,6\0000,TCP,80,1\n") - 1, 2, {"NUL"}},
    {"NUL in a text", H R "1,60,T\0CP,80,1\n", sizeof(H R "1,60,T\0CP,80,1\n") - 1, 3, {"NUL"}},
    {"NUL in quotes", H R "1,60,\"T\0CP\",80,1\n", sizeof(H R "1,60,\"T\0CP\",80,1\n") - 1, 3,
     {"NUL"}},
    {"NUL in a cell that nobody needs",
     "position,x,length,protocol,src_port,syn\n0,\0,60,TCP,80,1\n",
     sizeof "position,x,length,protocol,src_port,syn\n0,\0,60,TCP,80,1\n" - 1, 2, {"NUL"}},
    {"NUL in the last cell that nobody needs",
     "position,length,protocol,src_port,syn,x\n0,60,TCP,80,1,\"\0\"\n",
     sizeof "position,length,protocol,src_port,syn,x\n0,60,TCP,80,1,\"\0\"\n" - 1, 2, {"NUL"}},
    {"NUL in the header", "position,len\0gth,protocol,src_port,syn\n" R,
     sizeof("position,len\0gth,protocol,src_port,syn\n" R) - 1, 1, {"NUL"}},
    {"NUL at the end", H R "\0", sizeof(H R "\0") - 1, 3, {"NUL"}},
    // cells, of which check_cells has more
    {"text for a number", H R R "1,sixty,TCP,80,1\n", 0, 4, {"\"length\"", "\"sixty\"", "number"}},
    {"empty flag at the end", H R "1,60,TCP,80,", 0, 3, {"\"syn\"", "empty"}},
    {"position text", H "first,60,TCP,80,1\n", 0, 2, {"\"position\"", "\"first\"", "whole"}},
    {"first position 1", H "1,60,TCP,80,1\n" R, 0, 2, {"\"position\"", "\"1\"", "expected 0"}},
    {"first position 3, empty lines", H "\n\n3,60,TCP,80,1\n" R, 0, 4,
     {"\"position\"", "\"3\"", "expected 0"}},
    {"empty text", H "0,60,,80,1\n", 0, 2, {"\"protocol\"", "empty", "text"}},
    // quotes
    {"never closed", H R "1,60,\"TCP,80,1\n" R R, 0, 3, {"quote"}},
    {"never closed, last cell", H R R "1,60,TCP,80,\"", 0, 4, {"quote"}},
    {"never closed, doubled at the end", H R "1,60,TCP,80,\"1\"\"", 0, 3, {"quote"}},
    {"never closed in a cell nobody needs", "x," H "\"0,0,60,TCP,80,1\n", 0, 2, {"quote"}},
    {"never closed in the header", "\"position,length\n0,60\n", 0, 1, {"quote"}},
    {"never closed, opens below its row's first line", H R "1,\"60\n\n\",\"TCP\n", 0, 5, {"quote"}},
    {"text behind a closing quote", H R "1,60,\"TCP\"x,80,1\n", 0, 3, {"after the closing quote"}},
    {"blank behind a closing quote", H R "1,60,\"TCP\" ,80,1\n", 0, 3, {"after the closing quote"}},
    {"a quote more", H R "1,60,\"TCP\"\"\"x,80,1\n" R, 0, 3, {"after the closing quote"}},
    {"text behind a quote nobody needs", "x," H "\"0\"0,0,60,TCP,80,1\n", 0, 2,
     {"after the closing quote"}},
    // lines are counted as an editor counts them
    {"line, quoted line ends", "x," H "\"\n\n\",0,60,TCP,80,1\n\"\r\n\r\",1,60,TCP,80,bad\n", 0, 5,
     {"\"syn\"", "\"bad\""}},
    {"line, after quoted line ends", "x," H "\"\n\n\",0,60,TCP,80,1\n\"\r\n\r\",1,60,TCP,80,1\n"
     ",2,bad,TCP,80,1\n", 0, 8, {"\"length\"", "\"bad\""}},
    {"line, quoted line end in the header", "\"x\n\r\ny\"," H ",bad,60,TCP,80,1\n", 0, 4,
     {"\"position\"", "\"bad\""}},
    {"line, CRLF", "position,length,protocol,src_port,syn\r\n0,60,TCP,80,1\r\n\r\n1,bad,TCP,80,1",
     0, 4, {"\"length\"", "\"bad\""}},
    {"line, CR", "position,length,protocol,src_port,syn\r0,60,TCP,80,1\r\r1,bad,TCP,80,1", 0, 4,
     {"\"length\"", "\"bad\""}},
    {"line, LF CR", "position,length,protocol,src_port,syn\n\r0,60,TCP,80,1\n\r1,bad,TCP,80,1", 0,
     5, {"\"length\"", "\"bad\""}},
    {"line, byte order mark", "\xef\xbb\xbf\n" H "0,bad,TCP,80,1\n", 0, 3,
     {"\"length\"", "\"bad\""}},
};

// A cell of a row that is good but for it.
typedef struct bad_cell {
    const char *cell, *expected;
    const char *found;            // in the message; NULL: the cell in quotes
} bad_cell;

static const bad_cell bad_number[] = {
    {"", "number", "empty"}, {"\"\"", "number", "empty"}, {" 60", "number", NULL},
    {"60 ", "number", NULL}, {"60B", "number", NULL}, {"\"60,5\"", "number", "\"60,5\""},
    {"inf", "finite", NULL}, {"-Infinity", "finite", NULL}, {"nan", "finite", NULL},
    {"NaN", "finite", NULL}, {"1e999", "finite", NULL}, {"-1e309", "finite", NULL},
    {"0x3c", "number", NULL}, {"6.0.0", "number", NULL}, {"Set", "number", NULL},
    {"\"60\n\"", "number", "\"60\\x0a\""}};
static const bad_cell bad_port[] = {
    {"65536", "65535", NULL}, {"70000", "65535", NULL}, {"-1", "65535", NULL},
    {"1.5", "whole", NULL}, {"http", "whole", NULL}, {"1e999", "65535", NULL},
    {"", "number", "empty"}};
static const bad_cell bad_flag[] = {{"2", "0", NULL}, {"-1", "0", NULL}, {"0.5", "0", NULL},
                                    {"yes", "Set", NULL}, {"Sets", "Set", NULL},
                                    {"", "number", "empty"}};
static const bad_cell bad_position[] = {{"", "number", "empty"}, {"1.5", "whole", NULL},
                                        {"-1", "whole", NULL}, {"1e300", "whole", NULL},
                                        {"inf", "whole", NULL}};
static const bad_cell bad_text[] = {
    {"\"\"", "text", "empty"},
    {"T\xfcP", "UTF-8", "T\\xfcP"}, {"\x80", "UTF-8", "\\x80"},      // alone; a continuation
    {"\xc0\xaf", "UTF-8", ""}, {"\xe0\x9f\xbf", "UTF-8", ""},         // too long a form
    {"\xf0\x8f\xbf\xbf", "UTF-8", ""}, {"\xed\xa0\x80", "UTF-8", ""},  // and a surrogate
    {"\xf4\x90\x80\x80", "UTF-8", ""},                               // above U+10FFFF
    {"\xf8\x88\x80\x80\x80", "UTF-8", ""}, {"TCP\xc3", "UTF-8", ""},   // five bytes; cut
    {"\xf0\x9f\x98", "UTF-8", ""}, {"\"\xe2\x82\"", "UTF-8", ""}};

// The cell of that column in the second row, which is in line 3.
static void check_cells(const char *column, const bad_cell *list, size_t count) {
    static const char *const name[] = {"position", "length", "protocol", "src_port", "syn"};
    static const char *const good[] = {"1", "60", "TCP", "80", "1"};
    for (size_t i = 0; i < count; ++i) {
        char csv[200] = H R, title[40], quoted[40], named[40];
        refusal r = {title, csv, 0, 3, {named, quoted, list[i].expected}};
        snprintf(title, sizeof title, "%s %s", column, list[i].cell);
        snprintf(named, sizeof named, "\"%s\"", column);
        snprintf(quoted, sizeof quoted, "\"%s\"", list[i].cell);
        if (list[i].found) r.say[1] = list[i].found;
        for (int k = 0; k < 5; ++k) {
            strcat(csv, strcmp(name[k], column) ? good[k] : list[i].cell);
            strcat(csv, k < 4 ? "," : "\n");
        }
        check_refused(&r, csv, strlen(csv), &small);
    }
}

static void test_refusals(void) {
#define CELLS(column, list) check_cells(column, list, sizeof list / sizeof *list)
    CELLS("length", bad_number);
    CELLS("src_port", bad_port);
    CELLS("syn", bad_flag);
    CELLS("position", bad_position);
    CELLS("protocol", bad_text);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; ++i) {
        const refusal *r = &refusals[i];
        check_refused(r, r->csv, r->size ? r->size : strlen(r->csv), &small);
    }
    // A needed cell may be wrong in any way: the message stays short.
    {
        static const refusal r = {"long wrong cell", "", 0, 2, {"\"length\"", "\"9999", "number"}};
        text csv = {NULL, 0, 0};
        put(&csv, H "0,");
        put_many(&csv, '9', 5000);
        put(&csv, ",TCP,80,1\n");
        check_refused(&r, csv.data, csv.size, &small);
        free(csv.data);
    }
}

static void test_files(void) {
    static const char *const missing[] = {"", "build/no/such/folder/x.csv", "tests", "."};
    char name[900];
    pktseq_table table;
    for (size_t i = 0; i <= sizeof missing / sizeof *missing; ++i) {
        if (i < sizeof missing / sizeof *missing) {
            strcpy(name, missing[i]);  // the last two are folders
        } else {
            memset(name, 'x', sizeof name);  // longer than a message may be
            name[sizeof name - 1] = 0;
        }
        memset(&table, 0xaa, sizeof table);
        CHECK_THAT(pktseq_table_read(&table, name, &small, NULL, &err) == PKTSEQ_ERROR_FILE,
                   "\"%.40s\": %s", name, err.text);
        CHECK(err.status == PKTSEQ_ERROR_FILE && err.line == 0);
        CHECK(memchr(err.text, 0, sizeof err.text) && strlen(err.text) > 10);
        CHECK_THAT(strncmp(err.text, name, strlen(name) < 511 ? strlen(name) : 511) == 0, "%s",
                   err.text);
        CHECK(all_zero(&table));
        pktseq_table_free(&table);
        CHECK(pktseq_table_read(&table, name, &small, NULL, NULL) == PKTSEQ_ERROR_FILE);
    }
}

// ---- memory that runs out

typedef struct strict_counter {
    size_t allocations, live, fail_at;  // fail_at 0 = never
    int fail_after;                     // 1: everything after that fails, too
} strict_counter;

static void *strict_alloc(size_t size, void *user_data) {
    strict_counter *c = (strict_counter *)user_data;
    void *p;
    ++c->allocations;
    CHECK(size > 0);
    if (c->fail_at && (c->allocations == c->fail_at ||
                       (c->fail_after && c->allocations > c->fail_at)))
        return NULL;
    p = malloc(size);
    if (p) ++c->live;
    return p;
}

static void strict_free(void *p, void *user_data) {
    CHECK(p != NULL);
    --((strict_counter *)user_data)->live;
    free(p);
}

static void test_memory(void) {
    text csv = {NULL, 0, 0};
    pktseq_table table;
    strict_counter c;
    pktseq_allocator allocator = {strict_alloc, strict_free, NULL};
    size_t needed = 0;
    allocator.user_data = &c;
    put(&csv, "x," H);  // more rows, sequences and texts than any first guess
    put_many(&csv, 'y', 300000);
    put(&csv, ",0,60,first,80,1\n");
    for (unsigned i = 0; i < 2500; ++i) {
        char row[80];
        sprintf(row, ",%u,%u,protocol %u,80,1\n", i % 3, i, i % 40);
        put(&csv, row);
    }
    write_file(csv.data, csv.size);
    for (int how = 0; how < 2; ++how) {
        memset(&c, 0, sizeof c);
        for (;;) {
            size_t fail_at = c.fail_at + (needed > 0);
            pktseq_status status;
            memset(&c, 0, sizeof c);
            memset(&table, 0xaa, sizeof table);
            c.fail_at = fail_at;
            c.fail_after = how;
            status = how ? pktseq_table_read(&table, path, &small, &allocator, &err)
                         : pktseq_table_parse(&table, csv.data, csv.size, &small, &allocator,
                                              &err);
            if (status == PKTSEQ_OK) {
                // Only giving back spare room, at the very end, may fail without harm.
                CHECK(needed == 0 || fail_at > needed - table.column_count);
                CHECK(fail_at <= needed + 1);
                CHECK(table.rows == 2501 && table.column[1].name_count == 41 && c.live > 40);
                pktseq_table_free(&table);
                CHECK_THAT(c.live == 0, "%lu blocks were not freed", (unsigned long)c.live);
                if (needed == 0) needed = c.allocations;
                if (fail_at > needed) break;
                continue;
            }
            CHECK_THAT(status == PKTSEQ_ERROR_MEMORY && err.status == status && err.text[0],
                       "allocation %lu: %s", (unsigned long)fail_at, err.text);
            CHECK_THAT(c.live == 0, "allocation %lu failed: %lu blocks were not freed",
                       (unsigned long)fail_at, (unsigned long)c.live);
            CHECK(all_zero(&table));
            pktseq_table_free(&table);
        }
    }
    CHECK(needed > 50);
    free(csv.data);
}

// Names that differ only far from their end are different protocols.
static void test_same_ends(void) {
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    char csv[8000];
    const pktseq_column *column;
    size_t at = (size_t)sprintf(csv, "position,protocol\n");
    for (int i = 0; i < 300; ++i)
        at += (size_t)sprintf(csv + at, "%d,%c-protocol\n", i, "ABBA"[i % 4]);
    CHECK_THAT(parse_text(&table, csv, &schema, &err) == 0, "%s", err.text);
    column = pktseq_table_column(&table, "protocol");
    CHECK(column && column->name_count == 2);
    for (size_t i = 0; column && i < table.rows; ++i)
        CHECK(pktseq_column_text(column, i)[0] == "ABBA"[i % 4]);
    pktseq_table_free(&table);
}

// ---- many names

// Reads texts in a kept column, each twice, and says how long that took.
static void check_names(const char *what, char **name, size_t count) {
    static const char *const keep[] = {"note"};
    static const pktseq_field field = {"position", PKTSEQ_NUMBER};
    pktseq_schema schema = schema_of(&field, 1);
    text csv = {NULL, 0, 0};
    pktseq_table table;
    clock_t began;
    size_t wrong = 0;
    schema.keep = keep;
    schema.keep_count = 1;
    put(&csv, "position,note\n");
    for (size_t i = 0; i < 2 * count; ++i) {
        put(&csv, "0,");
        put(&csv, name[i % count]);
        put(&csv, "\n");
    }
    began = clock();
    CHECK_THAT(pktseq_table_parse(&table, csv.data, csv.size, &schema, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    {
        double seconds = check_seconds(began);
        printf("%s: %lu texts, %.1f MB, in %.0f ms\n", what, (unsigned long)count,
               (double)csv.size / 1e6, 1000 * seconds);
        CHECK_THAT(seconds < 1 + 4e-7 * (double)csv.size, "%s: %g s", what, seconds);
    }
    CHECK(table.rows == 2 * count && table.column_count == 2);
    if (table.rows == 2 * count) {
        const pktseq_column *note = &table.column[1];
        CHECK(note->name_count == count);
        for (size_t i = 0; i < 2 * count; ++i)
            wrong += (size_t)pktseq_column_number(note, i) != i % count ||
                     strcmp(note->names[i % count], name[i % count]);
        CHECK_THAT(wrong == 0, "%s: %lu texts", what, (unsigned long)wrong);
    }
    pktseq_table_free(&table);
    free(csv.data);
}

// The same text many times, then `end`.
static char *repeated(const char *part, size_t count, const char *end) {
    size_t size = strlen(part);
    char *s = (char *)malloc(size * count + strlen(end) + 1);
    if (!s) exit(1);
    for (size_t i = 0; i < count; ++i) memcpy(s + i * size, part, size);
    strcpy(s + size * count, end);
    return s;
}

static void free_names(char **name, size_t count) {
    for (size_t i = 0; i < count; ++i) free(name[i]);
}

static void test_names(void) {
    enum { MANY = 200000 };
    static char *name[MANY];
    size_t count = 0;
    char s[60];
    for (unsigned i = 0; i < MANY; ++i) {
        sprintf(s, i % 2 ? "10.%u.%u.%u" : "2001:db8:%x:%x::%x", i >> 16, i >> 8 & 255, i & 255);
        name[i] = repeated(s, 1, "");
    }
    check_names("addresses", name, MANY);
    free_names(name, MANY);
    // Each the beginning of the next: what a tree of comparisons from the start would suffer from.
    for (count = 0; count < 3000; ++count) name[count] = repeated("a", count + 1, "");
    check_names("prefixes", name, count);
    for (size_t i = 0; i < count / 2; ++i) {  // the longest first
        char *other = name[i];
        name[i] = name[count - 1 - i];
        name[count - 1 - i] = other;
    }
    check_names("prefixes, longest first", name, count);
    free_names(name, count);
    // A long spine of texts, and then many short ones that must not be led down along it.
    for (count = 0; count < 2000; ++count) name[count] = repeated("x", count + 1, "y");
    for (unsigned i = 0; i < 150000; ++i, ++count) {
        sprintf(s, "%c%x", i % 3 ? 'x' : 'w', i);
        name[count] = repeated(s, 1, "");
    }
    check_names("a spine and short ones", name, count);
    free_names(name, count);
    // Equal for long, different at the end: long texts cost their length and no more.
    for (count = 0; count < 3000; ++count) {
        sprintf(s, "%u", (unsigned)count);
        name[count] = repeated("0123456789", 200, s);
    }
    check_names("different at the end", name, count);
    free_names(name, count);
    // One-hot columns remain limited, also if they are kept, too.
    {
        static const pktseq_field field = {"p", PKTSEQ_ONEHOT};
        static const char *const keep[] = {"p"};
        pktseq_schema schema = schema_of(&field, 1);
        pktseq_table table;
        text csv = {NULL, 0, 0};
        schema.keep = keep;
        schema.keep_count = 1;
        put(&csv, "position,p\n");
        for (unsigned i = 0; i < 4097; ++i) {
            sprintf(s, "0,%u\n", i);
            put(&csv, s);
        }
        CHECK(pktseq_table_parse(&table, csv.data, csv.size, &schema, NULL, &err) ==
              PKTSEQ_ERROR_DATA);
        CHECK(err.line == 4098 && strstr(err.text, "\"p\"") && strstr(err.text, "\"4096\"") &&
              strstr(err.text, "at most 4096"));
        free(csv.data);
    }
}

int main(int argc, char **argv) {
    name_path(argc, argv, "build/test_table");
    test_positions();
    test_texts();
    test_refusals();
    test_files();
    test_memory();
    test_same_ends();
    test_names();
    remove(path);
    return check_end("test_table");
}
