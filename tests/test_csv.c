// test_csv.c - sections >>csv, >>fast: rows and cells in every notation, anywhere in the window.
#include "inside.h"
#include "tables.h"

#ifdef _OPENMP
#include <omp.h>
#endif

// ---- one table in many notations

#define EXPECTED \
    "0 2 3 | length 60 70.5 -80 | protocol TCP HTTP TCP | src_port 80 65535 0 | syn 1 0 1 | gaps 0"

typedef struct notation {
    const char *name;
    char separator;
    const char *csv;
} notation;

static const notation notations[] = {
    {"plain", 0, HEADER "0,60,TCP,80,1\n1,70.5,HTTP,65535,0\n0,-80,TCP,0,1\n"},
    {"another order", 0, "syn,src_port,protocol,length,position\n1,80,TCP,60,0\n"
                         "0,65535,HTTP,70.5,1\n1,0,TCP,-80,0\n"},
    {"more columns, with whatever in them", 0,
     "note,position,No.,length,protocol,note,src_port,syn,\xff\xfe,last\n"
     "inf,0,nan,60,TCP,1e999,80,1,\xff,\n,1,,70.5,HTTP,,65535,0,,\n"
     "\"a,\"\"b\"\"\r\n\r\n,c\",0,\xc3,-80,TCP,\"\",0,1,\"\",\n"},
    {"everything quoted", 0,
     "\"position\",\"length\",\"protocol\",\"src_port\",\"syn\"\n"
     "\"0\",\"60\",\"TCP\",\"80\",\"1\"\n"
     "\"1\",\"70.5\",\"HTTP\",\"65535\",\"0\"\n\"0\",\"-80\",\"TCP\",\"0\",\"1\"\n"},
    {"CRLF", 0, "position,length,protocol,src_port,syn\r\n0,60,TCP,80,1\r\n1,70.5,HTTP,65535,0\r\n"
                "0,-80,TCP,0,1\r\n"},
    {"lone CR", 0, "position,length,protocol,src_port,syn\r0,60,TCP,80,1\r1,70.5,HTTP,65535,0\r"
                   "0,-80,TCP,0,1\r"},
    {"a mix of line ends", 0, "position,length,protocol,src_port,syn\r0,60,TCP,80,1\r\n"
                              "1,70.5,HTTP,65535,0\n0,-80,TCP,0,1"},
    {"quoted, CRLF, no final line end", 0,
     "\"position\",\"length\",\"protocol\",\"src_port\",\"syn\"\r\n"
     "\"0\",\"60\",\"TCP\",\"80\",\"1\"\r\n"
     "\"1\",\"70.5\",\"HTTP\",\"65535\",\"0\"\r\n\"0\",\"-80\",\"TCP\",\"0\",\"1\""},
    {"byte order mark", 0,
     "\xef\xbb\xbf" HEADER "0,60,TCP,80,1\n1,70.5,HTTP,65535,0\n0,-80,TCP,0,1\n"},
    {"byte order mark, quoted", 0,
     "\xef\xbb\xbf\"position\",length,protocol,src_port,syn\n0,60,TCP,80,1\n1,70.5,HTTP,65535,0\n"
     "0,-80,TCP,0,1\n"},
    {"byte order mark, empty lines", 0,
     "\xef\xbb\xbf\r\n\n" HEADER "0,60,TCP,80,1\n1,70.5,HTTP,65535,0\n0,-80,TCP,0,1\n"},
    {"empty lines", 0, "\n\r\n\r\r\n" HEADER "\n\n0,60,TCP,80,1\n\r\n\r\r1,70.5,HTTP,65535,0\n\n"
                       "0,-80,TCP,0,1\n\n\n\r\n"},
    {"no final line end", 0, HEADER "0,60,TCP,80,1\n1,70.5,HTTP,65535,0\n0,-80,TCP,0,1"},
    {"empty last cells", 0, "position,length,protocol,src_port,syn,note\n0,60,TCP,80,1,\n"
                            "1,70.5,HTTP,65535,0,\r\n0,-80,TCP,0,1,"},
    {"flags as Wireshark writes them", 0,
     HEADER "0,60,TCP,80,Set\n1,70.5,HTTP,65535,Not set\n0,-80,TCP,0,\"Set\"\n"},
    {"flags as tshark writes them", 0,
     HEADER "0,60,TCP,80,True\n1,70.5,HTTP,65535,False\n0,-80,TCP,0,1\n"},
    {"numbers in other notations", 0,
     HEADER "0.0,6e1,TCP,+80,1.0\n1e0,+70.50,HTTP,65535.,0e7\n0,-8E+1,TCP,0.000,01\n"},
    {"semicolons", ';', "position;length;protocol;src_port;syn;x,y\n0;60;TCP;80;1;,\n"
                        "1;70.5;HTTP;65535;0;\n\"0\";-80;\"TCP\";0;1;\";\"\n"},
    {"tabs", '\t', "position\tlength\tprotocol\tsrc_port\tsyn\n0\t60\tTCP\t80\t1\n"
                   "1\t70.5\tHTTP\t65535\t0\n0\t-80\tTCP\t0\t1\n"},
    {"comma given by name", ',', HEADER "0,60,TCP,80,1\n1,70.5,HTTP,65535,0\n0,-80,TCP,0,1\n"},
    {"semicolons, found out", 0, "position;length;protocol;src_port;syn;\"x,\"\"\";y|z\ty\n"
                                 "0;60;TCP;80;1;,;\n1;70.5;HTTP;65535;0;;\n"
                                 "\"0\";-80;\"TCP\";0;1;\";\";,\n"},
    {"tabs, found out", 0, "\r\n\n\"position\"\tlength\tprotocol\tsrc_port\tsyn\n0\t60\tTCP\t80\t1"
                           "\n1\t70.5\tHTTP\t65535\t0\n0\t-80\tTCP\t0\t1\n"},
    {"bars, found out, no line end in sight", 0,
     "\xef\xbb\xbf" "position|length|protocol|src_port|syn\r0|60|TCP|80|1\r1|70.5|HTTP|65535|0\r"
     "0|-80|TCP|0|1"},
    {"a quote within a name hides no comma", 0,
     "position,x\"y;z;z;z;z;z,length,protocol,src_port,syn\n0,,60,TCP,80,1\n"
     "1,,70.5,HTTP,65535,0\n0,,-80,TCP,0,1\n"},
    {"names of Wireshark", 0, "position,Length,Protocol,Source port,Syn\n0,60,TCP,80,1\n"
                              "1,70.5,HTTP,65535,0\n0,-80,TCP,0,1\n"},
    {"names of tshark", 0, "position,frame.len,_ws.col.Protocol,tcp.srcport,tcp.flags.syn\n"
                           "0,60,TCP,80,1\n1,70.5,HTTP,65535,0\n0,-80,TCP,0,1\n"},
    {"names in other cases, with blanks and quotes", 0,
     "position, length,\"Protocol \",'SRC_PORT',\"\"\"syn\"\"\"\n0,60,TCP,80,SET\n"
     "1,70.5,HTTP,65535,not set\n0,-80,TCP,0,TRUE\n"},
    {"a column's own name goes before its aliases", 0,
     "Length,position,length,protocol,src_port,syn,Syn,tcp.flags.syn\nx,0,60,TCP,80,1,,\n"
     ",1,70.5,HTTP,65535,0,,\n,0,-80,TCP,0,1,,\n"},
    {"names that only look alike are skipped", 0,
     "position,length,protocol,src_port,syn,SYN,length , length,lengt,len\n"
     "0,60,TCP,80,1,,,,,\n1,70.5,HTTP,65535,0,,,,,\n0,-80,TCP,0,1,,,,,\n"},
};

static void test_notations(void) {
    for (size_t i = 0; i < sizeof notations / sizeof *notations; ++i) {
        pktseq_schema schema = small;
        schema.separator = notations[i].separator;
        check_taken(notations[i].name, notations[i].csv, strlen(notations[i].csv), &schema,
                    EXPECTED);
    }
}

// A file that is right but for its encoding, with and without a byte order mark.
static void test_utf16(void) {
    static const refusal r = {"UTF-16", "", 0, 1, {"UTF-16"}};
    const char *ascii = H R;
    for (int big = 0; big < 2; ++big)
        for (int mark = 0; mark < 2; ++mark) {
            text csv = {NULL, 0, 0};
            if (mark) put_bytes(&csv, big ? "\xfe\xff" : "\xff\xfe", 2);
            for (const char *p = ascii; *p; ++p) {
                char pair[2] = {big ? 0 : *p, big ? *p : 0};
                put_bytes(&csv, pair, 2);
            }
            check_refused(&r, csv.data, csv.size, &small);
            free(csv.data);
        }
    // The mark alone.
    check_refused(&r, "\xff\xfe", 2, &small);
    check_refused(&r, "\xfe\xff", 2, &small);
}

// ---- large files

// A row full of traps, at every distance from the places where a reader may cut the file.
static void test_boundaries(void) {
    static const char row[] = "\"a\r\n\"\"b\n\"\",\"\"\r\",1,\"70.5\",\"\r\n\"\"\",65535,"
                              "\"Not set\"\r\n";
    static const char head[] = "x,position,length,protocol,src_port,syn\n";
    static const size_t boundary[] = {65536, 262143, 524287};
    const size_t trap = sizeof row - 1;
    for (size_t b = 0; b < sizeof boundary / sizeof *boundary; ++b)
        for (size_t off = 0; off <= trap + 2; ++off)
            for (int quoted = 0; quoted < 2; ++quoted) {
                static text csv;
                size_t fill = boundary[b] + 2 - off - (sizeof head - 1) -
                              strlen(",0,60,TCP,80,1\n");
                pktseq_table table;
                const pktseq_column *c;
                csv.size = 0;
                put(&csv, head);
                if (quoted) put(&csv, "\"");
                put_many(&csv, 'f', fill - 2 * (size_t)quoted);
                if (quoted) put(&csv, "\"");
                put(&csv, ",0,60,TCP,80,1\n");
                CHECK(csv.size + off == boundary[b] + 2);
                put(&csv, row);
                put(&csv, row);
                CHECK_THAT(pktseq_table_parse(&table, csv.data, csv.size, &small, NULL, &err) ==
                           PKTSEQ_OK, "boundary %lu, %lu before: %s", (unsigned long)boundary[b],
                           (unsigned long)off, err.text);
                c = table.column;
                CHECK(table.rows == 3 && table.sequences == 1 && table.position_gaps == 1 &&
                      pktseq_column_number(&c[0], 1) == 70.5 &&
                      pktseq_column_number(&c[0], 2) == 70.5 && c[1].name_count == 2 &&
                      pktseq_column_number(&c[1], 1) == 1 &&
                      pktseq_column_number(&c[1], 2) == 1 && strcmp(c[1].names[0], "TCP") == 0 &&
                      strcmp(c[1].names[1], "\r\n\"") == 0 &&
                      pktseq_column_number(&c[2], 2) == 65535 &&
                      pktseq_column_number(&c[3], 0) == 1 && pktseq_column_number(&c[3], 1) == 0 &&
                      pktseq_column_number(&c[3], 2) == 0);
                pktseq_table_free(&table);
                put(&csv, ",2,60,bad,x,1");
                CHECK(pktseq_table_parse(&table, csv.data, csv.size, &small, NULL, &err) ==
                      PKTSEQ_ERROR_DATA);
                // lines: header, filler, two rows of five (the quoted parts end four)
                CHECK_THAT(err.line == 13, "line %lu", (unsigned long)err.line);
            }
}

// Files that end, without a line end, at such a place: what is put behind the last cell needs room.
static void test_ends(void) {
    static const char *const tail[] = {",0,60,TCP,80,1", ",0,60,TCP,80,\"1\"", "\n,0,60,TCP,80,1",
                                       ",0,60,TCP,80,1\r", "\n,0,60,TCP,80,\""};
    static const char head[] = "x,position,length,protocol,src_port,syn\n";
    for (size_t power = 12; power <= 20; ++power)
        for (size_t off = 0; off < 5; ++off)
            for (size_t k = 0; k < 5; ++k) {
                static text csv;
                size_t total = ((size_t)1 << power) + 2 - off;
                pktseq_table table;
                pktseq_status status;
                csv.size = 0;
                put(&csv, head);
                if (tail[k][0] == '\n') put(&csv, ",0,60,TCP,80,1\n");
                put_many(&csv, 'f', total - strlen(tail[k]) - csv.size);
                if (tail[k][0] == '\n')  // the filler is a row of its own
                    memcpy(csv.data + csv.size - 14, ",1,60,TCP,80,0", 14);
                put(&csv, tail[k]);
                status = pktseq_table_parse(&table, csv.data, csv.size, &small, NULL, &err);
                if (k == 4) {
                    CHECK_THAT(status == PKTSEQ_ERROR_DATA && err.line == 4, "%s", err.text);
                } else {
                    CHECK_THAT(status == PKTSEQ_OK, "%s", err.text);
                    CHECK(table.rows == (k == 2 ? 3u : 1u) &&
                          pktseq_column_number(&table.column[3], table.rows - 1) == 1);
                }
                pktseq_table_free(&table);
            }
}

// Some megabytes of rows of every length; what must come out is kept while they are made. The file
// is read in pieces, so its table must be that of the memory, number for number.
static void test_large(void) {
    static const char *const name[][2] = {
        {"TCP", "TCP"}, {"\"TLSv1.3\"", "TLSv1.3"}, {"\"a\r\nb\"", "a\r\nb"}, {"\"\"\"\"", "\""},
        {"\"\n\n\n\"", "\n\n\n"}, {"\",\"\",\"", ",\",",}, {"HTTP", "HTTP"},
    };
    enum { ROWS = 60000 };
    static double length[ROWS], port[ROWS], flag[ROWS];
    static int protocol[ROWS];
    text csv = {NULL, 0, 0};
    size_t sequences = 0, lines = 1, from_name[7];
    pktseq_table table[2];
    put(&csv, "position,x,length,protocol,src_port,syn,y\n");
    for (size_t row = 0; row < ROWS; ++row) {
        size_t fill = random_below(10) ? random_below(60) : random_below(600);
        int zero = row == 0 || random_below(8) == 0, quoted = (int)random_below(3);
        char number[64];
        sequences += (size_t)zero;
        protocol[row] = (int)random_below(7);
        length[row] = (double)(random_below(1000000000)) / 1000000 + random_below(1000);
        port[row] = random_below(65536);
        flag[row] = random_below(2);
        put(&csv, zero ? "0," : "7,");
        if (quoted) {
            put(&csv, "\"");
            for (size_t i = 0; i < fill; ++i) {
                static const char *const part[] = {"x", ",", "\"\"", "\n", "\r\n", "\xff"};
                unsigned k = random_below(6);
                put(&csv, part[k]);
                lines += k == 3 || k == 4;
            }
            put(&csv, "\"");
        } else {
            put_many(&csv, 'x', fill);
        }
        sprintf(number, ",%.17g,", length[row]);
        put(&csv, number);
        put(&csv, name[protocol[row]][0]);
        lines += protocol[row] == 2 ? 1 : protocol[row] == 4 ? 3 : 0;
        sprintf(number, row % 2 ? ",%u,%s," : ",\"%u\",%s,", (unsigned)port[row],
                flag[row] ? "Set" : "0");
        put(&csv, number);
        put(&csv, random_below(2) ? "\n" : "\r\n");
        ++lines;
    }
    write_file(csv.data, csv.size);
    CHECK(csv.size > 4000000);
    CHECK_THAT(pktseq_table_read(&table[0], path, &small, NULL, &err) == PKTSEQ_OK, "%s", err.text);
    CHECK_THAT(pktseq_table_parse(&table[1], csv.data, csv.size, &small, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    for (int t = 0; t < 2; ++t) {
        const pktseq_column *c = table[t].column;
        size_t wrong = 0, s = 0, seen = 0;
        if (table[t].rows != ROWS) {
            CHECK(table[t].rows == ROWS);
            continue;
        }
        CHECK(table[t].sequences == sequences && table[t].start[sequences] == ROWS);
        CHECK(c[1].name_count == 7);
        for (size_t i = 0; i < 7; ++i) from_name[i] = 99;
        for (size_t row = 0; row < ROWS; ++row) {
            size_t k = (size_t)protocol[row];
            if (from_name[k] == 99) from_name[k] = seen++;
            wrong += pktseq_column_number(&c[0], row) != length[row] ||
                     pktseq_column_number(&c[2], row) != port[row] ||
                     pktseq_column_number(&c[3], row) != flag[row] ||
                     (size_t)pktseq_column_number(&c[1], row) != from_name[k];
            if (s < sequences && table[t].start[s] == row) ++s;
        }
        CHECK_THAT(wrong == 0, "%lu rows are wrong", (unsigned long)wrong);
        CHECK(s == sequences);
        for (size_t i = 0; i < 7; ++i)
            CHECK(from_name[i] < 7 && strcmp(c[1].names[from_name[i]], name[i][1]) == 0);
    }
    if (table[0].rows == table[1].rows && table[0].rows) {
        CHECK(memcmp(table[0].start, table[1].start, (sequences + 1) * sizeof(size_t)) == 0);
        CHECK(table[0].position_gaps == table[1].position_gaps);
        for (size_t c = 0; c < 4; ++c)
            CHECK(table[0].column[c].type == table[1].column[c].type &&
                  memcmp(table[0].column[c].cell, table[1].column[c].cell,
                         ROWS * pktseqi_cell_bytes(table[0].column[c].type)) == 0);
    }
    pktseq_table_free(&table[0]);
    pktseq_table_free(&table[1]);
    // An error behind all that: the line is that of an editor.
    put(&csv, "1,,60,TCP,80,2,\n");
    write_file(csv.data, csv.size);
    CHECK(pktseq_table_read(&table[0], path, &small, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(err.line == lines + 1, "line %lu, expected %lu", (unsigned long)err.line,
               (unsigned long)lines + 1);
    free(csv.data);
}

static void test_extremes(void) {
    text csv = {NULL, 0, 0};
    pktseq_table table;
    // A cell of ten megabytes: not needed, needed, never closed.
    for (int kind = 0; kind < 4; ++kind) {
        const size_t size = 10000000;
        csv.size = 0;
        put(&csv, "x," H);
        if (kind == 0 || kind == 3) put(&csv, "\"");
        if (kind < 2 || kind == 3) put_many(&csv, 'y', size);
        if (kind == 0) put(&csv, "\"");
        put(&csv, ",0,60,");
        if (kind == 2) put_many(&csv, 'z', size);
        put(&csv, "TCP,80,1\n,1,61,UDP,80,0\n");
        write_file(csv.data, csv.size);
        if (kind == 3) {
            CHECK(pktseq_table_read(&table, path, &small, NULL, &err) == PKTSEQ_ERROR_DATA);
            CHECK(err.line == 2 && all_zero(&table));
            continue;
        }
        CHECK_THAT(pktseq_table_read(&table, path, &small, NULL, &err) == PKTSEQ_OK, "%s",
                   err.text);
        CHECK(table.rows == 2 && table.column[1].name_count == 2 &&
              strlen(table.column[1].names[0]) == (kind == 2 ? size + 3 : 3) &&
              pktseq_column_number(&table.column[0], 1) == 61);
        pktseq_table_free(&table);
    }
    // A hundred thousand columns, the needed ones far apart.
    for (int bad = 0; bad < 2; ++bad) {
        const size_t columns = 100000;
        csv.size = 0;
        for (size_t row = 0; row < 4; ++row) {
            for (size_t c = 0; c < columns - (size_t)(bad && row == 3); ++c) {
                char cell[32];
                int at = c == 0 ? 0 : c == 33333 ? 1 : c == 50000 ? 2 : c == 66666 ? 3
                         : c == columns - 2 ? 4 : -1;
                static const char *const head[] = {"position", "length", "protocol", "src_port",
                                                   "syn"};
                static const char *const value[] = {"0", "60", "TCP", "80", "1"};
                sprintf(cell, row == 0 ? "column %lu" : "%lu", (unsigned long)c);
                if (c) put(&csv, ",");
                put(&csv, at < 0 ? cell : row == 0 ? head[at] : value[at]);
            }
            put(&csv, "\n");
        }
        write_file(csv.data, csv.size);
        if (bad) {
            CHECK(pktseq_table_read(&table, path, &small, NULL, &err) == PKTSEQ_ERROR_DATA);
            CHECK(err.line == 4 && strstr(err.text, "99999") && strstr(err.text, "100000"));
            continue;
        }
        CHECK_THAT(pktseq_table_read(&table, path, &small, NULL, &err) == PKTSEQ_OK, "%s",
                   err.text);
        CHECK(table.rows == 3 && table.sequences == 3 &&
              pktseq_column_number(&table.column[0], 2) == 60 &&
              pktseq_column_number(&table.column[3], 2) == 1);
        pktseq_table_free(&table);
    }
    // Thousands of different texts, each seen twice.
    csv.size = 0;
    put(&csv, H);
    for (unsigned i = 0; i < 8000; ++i) {
        char row[80];
        sprintf(row, "0,60,protocol %u,80,1\n", i % 4000);
        put(&csv, row);
    }
    CHECK_THAT(pktseq_table_parse(&table, csv.data, csv.size, &small, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    CHECK(table.rows == 8000 && table.column[1].name_count == 4000);
    for (unsigned i = 0; i < 8000 && table.rows == 8000; ++i) {
        char cell[80];
        sprintf(cell, "protocol %u", i % 4000);
        CHECK((size_t)pktseq_column_number(&table.column[1], i) == i % 4000 &&
              strcmp(table.column[1].names[i % 4000], cell) == 0);
    }
    pktseq_table_free(&table);
    free(csv.data);
}

// ---- random files, against a reader that could not be plainer

// What the plain reader makes of a file with the columns position and p, and no others.
typedef struct plain {
    size_t error_line;  // 0 = taken
    size_t rows, sequences, gaps;
    char cell[64][128];  // of column p
} plain;

// Reads one cell into `cell`. Returns 0, or the line of an error. *end: what stands behind it.
static size_t plain_cell(const char **p, const char *stop, size_t *line, size_t row_line,
                         char *cell, int *end) {
    size_t opened = *line, n = 0;
    if (*p < stop && **p == '"') {
        for (++*p;; ++*p) {
            if (*p == stop) return opened;
            if (**p == '"' && *p + 1 < stop && (*p)[1] == '"')
                ++*p;
            else if (**p == '"')
                break;
            else if (**p == '\n' || (**p == '\r' && !(*p + 1 < stop && (*p)[1] == '\n')))
                ++*line;
            cell[n++] = **p;
        }
        ++*p;
        if (*p < stop && !strchr(",\r\n", **p)) return row_line;
    } else {
        while (*p < stop && !strchr(",\r\n", **p)) cell[n++] = *(*p)++;
    }
    cell[n] = 0;
    *end = *p < stop ? **p : 0;
    if (*end == '\r' && *p + 1 < stop && (*p)[1] == '\n') ++*p;
    if (*end) ++*p;
    if (*end == '\r') *end = '\n';
    if (*end == '\n') ++*line;
    return 0;
}

static plain plain_read(const char *p, const char *stop) {
    plain result;
    size_t line = 1, row_line = 1;
    double last = -1, position;
    int header = 1;
    memset(&result, 0, sizeof result);
    while (p < stop) {
        char cell[2][128], more[128], *text = cell[1];
        size_t cells = 0;
        int end;
        if (*p == '\n' || *p == '\r') {
            p += *p == '\r' && p + 1 < stop && p[1] == '\n' ? 2 : 1;
            ++line;
            continue;
        }
        row_line = line;
        do {
            result.error_line = plain_cell(&p, stop, &line, row_line,
                                           cells < 2 ? cell[cells] : more, &end);
            if (result.error_line) return result;
            ++cells;
        } while (end == ',');
        result.error_line = row_line;
        if (cells < 2) cell[1][0] = 0;
        if (header) {
            header = 0;
            continue;
        }
        position = strtod(cell[0], NULL);
        if (cells != 2 || !cell[0][0] || cell[0][strspn(cell[0], "0123456789")] || !*text ||
            !(position < 9007199254740992.0))
            return result;
        if (result.rows == 0 && position != 0) return result;
        if (position == 0)
            ++result.sequences;
        else
            result.gaps += position != last + 1;
        last = position;
        strcpy(result.cell[result.rows++], text);
    }
    result.error_line = result.rows ? 0 : row_line;
    return result;
}

static void test_random(void) {
    static const pktseq_field field = {"p", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0};
    static const pktseq_schema schema = {&field, 1, 0, 0};
    static const char *const part[] = {"\"", "\"", "\"\"", ",", ",", "\n", "\r", "\r\n", "a", "0",
                                       "1", "\n0,", "\r\n1,", "\n2,a", "\"\n\",", "0,\"", "a\n"};
    size_t taken = 0;
    for (unsigned i = 0; i < 15000; ++i) {
        char csv[400] = "position,p\n";
        unsigned parts = random_below(i % 2 ? 6 : 14);
        plain expected;
        pktseq_table table;
        if (i % 3 == 0) strcpy(csv, "\"position\",\"p\"\r\n0,\"x\"");
        if (i % 3 == 1) strcat(csv, "0,a\n");
        for (unsigned k = 0; k < parts; ++k)
            strcat(csv, part[random_below(sizeof part / sizeof *part)]);
        expected = plain_read(csv, csv + strlen(csv));
        memset(&table, 0xaa, sizeof table);
        if (pktseq_table_parse(&table, csv, strlen(csv), &schema, NULL, &err) == PKTSEQ_OK) {
            int same = expected.error_line == 0 && table.rows == expected.rows &&
                       table.sequences == expected.sequences &&
                       table.position_gaps == expected.gaps;
            for (size_t row = 0; same && row < table.rows; ++row)
                same = strcmp(pktseq_column_text(&table.column[0], row),
                              expected.cell[row]) == 0;
            CHECK_THAT(same, "%s", csv);
            ++taken;
        } else {
            CHECK_THAT(err.status == PKTSEQ_ERROR_DATA && err.line == expected.error_line &&
                       all_zero(&table), "\n%s\n-> %s (expected line %lu)", csv, err.text,
                       (unsigned long)expected.error_line);
        }
        pktseq_table_free(&table);
    }
    CHECK_THAT(taken > 1000 && taken < 14000, "%lu taken", (unsigned long)taken);
}

// ---- the fast path against the general one

static void set_threads(int threads) {
#ifdef _OPENMP
    omp_set_num_threads(threads);
#else
    (void)threads;
#endif
}

// The cells of one row as they stand in most files; with `wrong`, one is seldom or never right.
static void fast_row(text *t, unsigned row, int wrong, char separator, int quoted) {
    static const char *const odd[] = {
        "",      "x",  "-1", "1e1",  "0.5", "65536",    "\x01",  "1\v",  "Set", "Not set",
        "Truer", "-0", "+1", "007",  "5.",  "99999999", "12345678901234567890", "a long new name",
        "\xff", "\xc3\xa4", "3.14159265358979323846", "0000000000000000000000060"};
    static const char *const name[] = {"TCP", "HTTP", "a name of more than eight", "a name of more",
                                       "\xe2\x82\xac", "SMTP/IMF"};
    unsigned at = wrong ? random_below(10) : 99;
    for (unsigned i = 0; i < 10; ++i) {
        char cell[60];
        if (i == 0) sprintf(cell, "%u", row % 7);
        if (i == 1) sprintf(cell, "%u", row);
        if (i == 2) sprintf(cell, "%u.%06u", random_below(100000), random_below(1000000));
        if (i == 3) sprintf(cell, "%s", name[random_below(6)]);
        if (i == 4) sprintf(cell, "%u", random_below(65536));
        if (i > 4) sprintf(cell, "%u", random_below(2));
        if (i == at) strcpy(cell, odd[random_below(sizeof odd / sizeof *odd)]);
        if (i) put_bytes(t, &separator, 1);
        if (quoted) put(t, "\"");
        put(t, cell);
        if (quoted) put(t, "\"");
    }
}

// Quoted cells never take the fast path: a file must say the same with and without quotes, down to
// the error, in one thread or three, whatever ends its lines.
static void test_fast(void) {
    static const pktseq_field field[] = {
        {"timestamp", PKTSEQ_ZSCORE, 0, 0, 0, NULL, 0},
        {"protocol", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0}, {"src_port", PKTSEQ_PORT, 0, 0, 0, NULL, 0},
        {"ack", PKTSEQ_FLAG, 0, 0, 0, NULL, 0},        {"syn", PKTSEQ_FLAG, 0, 0, 0, NULL, 0},
        {"fin", PKTSEQ_FLAG, 0, 0, 0, NULL, 0},        {"push", PKTSEQ_FLAG, 0, 0, 0, NULL, 0},
        {"urg", PKTSEQ_FLAG, 0, 0, 0, NULL, 0}};
    static const char *const ends[] = {"\n", "\r\n", "\r", "\n\n"};
    size_t failures = 0;
    for (unsigned i = 0; i < 120; ++i) {
        pktseq_schema schema = {field, 8, 0, 0};
        unsigned rows = i % 8 ? 1 + random_below(3000) : 20000;
        unsigned seldom = i % 3 ? rows + 1 : rows / 2 + 2;
        char separator = ",;\t|"[i % 4];
        uint64_t seed = random_state;
        text csv[2] = {{0}, {0}};
        pktseq_table table[2];
        pktseq_error error[2];
        for (int quoted = 0; quoted < 2; ++quoted) {
            const char *const head =
                "position,No.,timestamp,protocol,src_port,ack,syn,fin,push,urg";
            random_state = seed;
            put(&csv[quoted], head);
            for (char *p = csv[quoted].data; *p; ++p)
                if (*p == ',') *p = separator;
            for (unsigned row = 0; row < rows; ++row) {
                put(&csv[quoted], ends[random_below(8) ? i / 4 % 2 : random_below(4)]);
                fast_row(&csv[quoted], row, random_below(seldom) == 0, separator, quoted);
            }
            set_threads(quoted ? 1 : 1 + (int)(i % 3));
            pktseq_table_parse(&table[quoted], csv[quoted].data, csv[quoted].size, &schema, NULL,
                               &error[quoted]);
        }
        CHECK_THAT(error[0].status == error[1].status && error[0].line == error[1].line &&
                   strcmp(error[0].text, error[1].text) == 0, "case %u: \"%s\", quoted \"%s\"", i,
                   error[0].text, error[1].text);
        if (error[0].status == PKTSEQ_OK)
            CHECK_THAT(same_table(&table[0], &table[1]), "case %u", i);
        failures += error[0].status != PKTSEQ_OK;
        for (int quoted = 0; quoted < 2; ++quoted) {
            pktseq_table_free(&table[quoted]);
            free(csv[quoted].data);
        }
    }
    set_threads(2);
    CHECK_THAT(failures > 10 && failures < 80, "%lu failures", (unsigned long)failures);
}

// Rows of which one is long, in a cell that nobody wants: a piece of the window may end with it and
// leave nothing to the threads behind. Without line ends the search for them must not be repeated.
static void test_long_rows(void) {
    static const size_t size[] = {70000, 197000, 600000, 3000000};
    static const pktseq_field field[] = {{"timestamp", PKTSEQ_ZSCORE, 0, 0, 0, NULL, 0}};
    const pktseq_schema schema = {field, 1, 0, 0};
    for (unsigned i = 0; i < 96; ++i) {
        const unsigned at = i / 4 % 3 * 2000, rows = 1 + at + i / 12 % 2 * 800;
        const char *const end = i / 24 % 2 ? "\r" : "\n", *const some = i / 48 ? "\"x\"" : "x";
        text csv = {0};
        pktseq_table table[2];
        clock_t begun;
        put(&csv, "position,timestamp,junk");
        for (unsigned row = 0; row < rows; ++row) {
            char cells[60];
            sprintf(cells, "%s%u,%u.5,", end, row % 9, row);
            put(&csv, cells);
            if (row != at) put(&csv, some);
            for (size_t k = 0; row == at && k < size[i % 4]; k += 10)
                put_bytes(&csv, "yyyyyyyyyy", 10);
        }
        if (i % 5) put(&csv, end);
        begun = clock();
        for (int threads = 1; threads <= 8; ++threads) {
            pktseq_table *t = &table[threads > 1];
            set_threads(threads);
            CHECK(pktseq_table_parse(t, csv.data, csv.size, &schema, NULL, &err) == PKTSEQ_OK &&
                  t->rows == rows && pktseq_column_number(&t->column[0], rows - 1) == rows - 0.5);
            if (threads == 1) continue;
            CHECK_THAT(same_table(&table[0], t), "case %u, %d threads", i, threads);
            pktseq_table_free(t);
        }
        CHECK_THAT(check_seconds(begun) < 4, "case %u: %.1f s", i, check_seconds(begun));
        pktseq_table_free(&table[0]);
        free(csv.data);
    }
    set_threads(2);
}

// Many empty lines, more than are looked at in one go, whatever their ends: none is counted twice,
// not even where "\r\n" is torn apart. Else the line that an error names would be another.
static void test_empty_lines(void) {
    enum { MANY = 400000 };
    static char csv[2 * MANY + 100];
    static const char *const end[] = {"\r", "\r\n", "\n", "\r\n"};
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    for (int i = 0; i < 4; ++i) {
        size_t at = (size_t)sprintf(csv, "position,length\n0,%s\n", i == 3 ? "61" : "6"), bad;
        for (int k = 0; k < MANY; ++k) at += (size_t)sprintf(csv + at, "%s", end[i]);
        bad = at + 2;
        at += (size_t)sprintf(csv + at, "1,7%s", end[i]);
        CHECK_THAT(pktseq_table_parse(&table, csv, at, &schema, NULL, &err) == PKTSEQ_OK, "%s",
                   err.text);
        CHECK(table.rows == 2 && table.sequences == 1 &&
              pktseq_column_number(&table.column[0], 1) == 7);
        pktseq_table_free(&table);
        csv[bad] = 'x';
        CHECK(pktseq_table_parse(&table, csv, at, &schema, NULL, &err) == PKTSEQ_ERROR_DATA);
        CHECK_THAT(says(&err, "length") && err.line == MANY + 3, "%d: line %lu: %s", i,
                   (unsigned long)err.line, err.text);
    }
}

// A row of many cells needs memory of its own, which may be refused like any other.
static void test_wide_row_memory(void) {
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    char csv[400] = "position";
    pktseq_table table;
    counter c;
    for (int i = 0; i < 40; ++i) sprintf(csv + strlen(csv), ",c%d", i);
    strcat(csv, ",length\n0");
    for (int i = 0; i < 40; ++i) strcat(csv, ",1");
    strcat(csv, ",60\n");
    table = parse_short_of_memory(csv, &schema, &c);
    CHECK(table.rows == 1 && pktseq_column_number(&table.column[0], 0) == 60);
    pktseq_table_free(&table);
    CHECK(c.live == 0);
}

// Separators that may stand in a number: what is between them is a number all the same.
static void test_odd_separators(void) {
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    schema.separator = '-';
    CHECK_THAT(parse_text(&table, "position-length\n0-60\n1-61.5\n0-7e1\n", &schema, &err) == 0,
               "%s", err.text);
    CHECK(table.rows == 3 && table.sequences == 2 &&
          pktseq_column_number(&table.column[0], 0) == 60 &&
          pktseq_column_number(&table.column[0], 1) == 61.5 &&
          pktseq_column_number(&table.column[0], 2) == 70);
    pktseq_table_free(&table);
    schema.separator = '.';
    CHECK_THAT(parse_text(&table, "position.length\n0.60\n1.61\n", &schema, &err) == 0, "%s",
               err.text);
    CHECK(table.rows == 2 && pktseq_column_number(&table.column[0], 0) == 60 &&
          pktseq_column_number(&table.column[0], 1) == 61);
    pktseq_table_free(&table);
}

int main(int argc, char **argv) {
    name_path(argc, argv, "build/test_csv");
    test_notations();
    test_utf16();
    test_boundaries();
    test_ends();
    test_large();
    test_extremes();
    test_random();
    test_fast();
    test_long_rows();
    test_empty_lines();
    test_wide_row_memory();
    test_odd_separators();
    remove(path);
    return check_end("test_csv");
}
