// test_table.c - CSV to table: every text that must be taken, every one that must be refused.
#include "inside.h"
#include "scene.h"
#include "text.h"

#include <math.h>
#ifdef _OPENMP
#include <omp.h>
#endif

static pktseq_error err;  // of the last call

// ---- tools

static char path[1024];  // a file of this test's own

static void write_file(const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
}

static void put_many(text *t, char c, size_t count) {
    while (count-- > 0) put_bytes(t, &c, 1);
}

// A table in one line: "0 2 3 | length 60 70.5 80 | protocol TCP HTTP TCP | gaps 0".
static void show(text *t, const pktseq_table *table) {
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
static void check_taken(const char *name, const void *data, size_t size,
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

// ---- one table in many notations

#define EXPECTED \
    "0 2 3 | length 60 70.5 -80 | protocol TCP HTTP TCP | src_port 80 65535 0 | syn 1 0 1 | gaps 0"

typedef struct notation {
    const char *name;
    char separator;
    const char *csv;
} notation;

#define HEADER "position,length,protocol,src_port,syn\n"

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

// Every alias of every column, one at a time.
static void test_aliases(void) {
    static const char *const alias[][2] = {
        {"timestamp", "Time"}, {"src_ip", "Source"}, {"dst_ip", "Destination"},
        {"protocol", "Protocol"}, {"length", "Length"}, {"src_port", "Source port"},
        {"dst_port", "Dest port"}, {"res", "Reserved"}, {"ns", "Nonce"},
        {"cwr", "Congestion Window Reduced (CWR)"}, {"ecn", "ECN-Echo"}, {"urg", "Urgent"},
        {"ack", "Acknowledgment"}, {"push", "Push"}, {"reset", "Reset"}, {"syn", "Syn"},
        {"fin", "Fin"}, {"timestamp", "frame.time_relative"}, {"src_ip", "ip.src"},
        {"dst_ip", "ip.dst"}, {"protocol", "_ws.col.Protocol"}, {"protocol", "_ws.col.protocol"},
        {"length", "frame.len"}, {"src_port", "tcp.srcport"}, {"dst_port", "tcp.dstport"},
        {"res", "tcp.flags.res"}, {"ns", "tcp.flags.ns"}, {"ns", "tcp.flags.ae"},
        {"cwr", "tcp.flags.cwr"}, {"ecn", "tcp.flags.ece"}, {"ecn", "tcp.flags.ecn"},
        {"urg", "tcp.flags.urg"}, {"ack", "tcp.flags.ack"}, {"push", "tcp.flags.push"},
        {"reset", "tcp.flags.reset"}, {"syn", "tcp.flags.syn"}, {"fin", "tcp.flags.fin"},
        {"No.", "frame.number"}, {"timestamp", "frame.time_epoch"}, {"src_ip", "ipv6.src"},
        {"dst_ip", "ipv6.dst"},
    };
    for (size_t i = 0; i < sizeof alias / sizeof *alias; ++i) {
        pktseq_field field = {alias[i][0], PKTSEQ_NUMBER, 0, 0, 0, NULL, 0};
        pktseq_schema schema = {&field, 1, 0, 0};
        char csv[200], expected[100];
        sprintf(csv, "\"%s\",position\n7,0\n", alias[i][1]);
        sprintf(expected, "0 1 | %s 7 | gaps 0", alias[i][0]);
        check_taken(alias[i][1], csv, strlen(csv), &schema, expected);
        // A name that has aliases for others still names itself.
        field.column = alias[i][1];
        sprintf(expected, "0 1 | %s 7 | gaps 0", alias[i][1]);
        check_taken(alias[i][1], csv, strlen(csv), &schema, expected);
    }
    // The header lines of the three programs, whole, for the default schema.
    {
        static const char *const header[] = {
            "position,No.,timestamp,src_ip,dst_ip,protocol,length,src_port,dst_port,res,ns,cwr,ecn,"
            "urg,ack,push,reset,syn,fin\n",
            "position,No.,Time,Source,Destination,Protocol,Length,Source port,Dest port,Reserved,"
            "Nonce,Congestion Window Reduced (CWR),ECN-Echo,Urgent,Acknowledgment,Push,Reset,Syn,"
            "Fin\n",
            "position,frame.number,frame.time_relative,ip.src,ip.dst,_ws.col.Protocol,frame.len,"
            "tcp.srcport,tcp.dstport,tcp.flags.res,tcp.flags.ns,tcp.flags.cwr,tcp.flags.ece,"
            "tcp.flags.urg,tcp.flags.ack,tcp.flags.push,tcp.flags.reset,tcp.flags.syn,"
            "tcp.flags.fin\n",
        };
        pktseq_schema schema = pktseq_schema_default();
        for (size_t i = 0; i < 3; ++i) {
            char csv[1000];
            sprintf(csv, "%s0,1,0.25,10.0.0.1,::1,TLSv1.3,62,49152,443,0,1,0,1,0,1,0,1,0,1\n",
                    header[i]);
            check_taken("whole header", csv, strlen(csv), &schema,
                        "0 1 | timestamp 0.25 | length 62 | res 0 | ns 1 | cwr 0 | ecn 1 | urg 0 "
                        "| ack 1 | push 0 | reset 1 | syn 0 | fin 1 | protocol TLSv1.3 | src_port "
                        "49152 | dst_port 443 | gaps 0");
        }
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

// Parses from memory and reads from a file, with and without err; all must be refused alike.
static void check_refused(const refusal *r, const void *data, size_t size,
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

static void test_arguments(void) {
    static const char *const twice[] = {"TCP", "UDP", "TCP"}, *const bad[] = {"TCP", "\xff"};
    static const char *const hole[] = {"TCP", NULL};
    const pktseq_field wrong[] = {
        {NULL, PKTSEQ_NUMBER, 0, 0, 0, NULL, 0},
        {"", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0},
        {"\xff", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0},
        {"length", (pktseq_kind)(PKTSEQ_LOG_SINCE_PREVIOUS + 1), 0, 0, 0, NULL, 0},
        {"length", (pktseq_kind)77, 0, 0, 0, NULL, 0},
        {"length", PKTSEQ_ZSCORE, 0, 0, -1, NULL, 0},
        {"length", PKTSEQ_ZSCORE, 0, HUGE_VAL, 1, NULL, 0},
        {"length", PKTSEQ_ZSCORE, 0, 0, HUGE_VAL, NULL, 0},
        {"length", PKTSEQ_ZSCORE, 0, HUGE_VAL - HUGE_VAL, 1, NULL, 0},
        {"protocol", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 3},
        {"protocol", PKTSEQ_ONEHOT, 0, 0, 0, twice, 3},
        {"protocol", PKTSEQ_ONEHOT, 0, 0, 0, bad, 2},
        {"protocol", PKTSEQ_ONEHOT, 0, 0, 0, hole, 2},
    };
    static const pktseq_field both[] = {{"length", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0},
                                        {"length", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0}};
    const char *csv = H R;
    pktseq_schema schema = small;
    pktseq_table table;
#define BAD_ARGUMENT(call) \
    do { \
        memset(&table, 0xaa, sizeof table); \
        CHECK((call) == PKTSEQ_ERROR_ARGUMENT); \
        CHECK(err.status == PKTSEQ_ERROR_ARGUMENT && err.text[0] && err.line == 0); \
        CHECK(all_zero(&table)); \
        pktseq_table_free(&table); \
        err.text[0] = 0; \
    } while (0)
#define PARSE(schema) pktseq_table_parse(&table, csv, strlen(csv), schema, NULL, &err)
    write_file(csv, strlen(csv));
    BAD_ARGUMENT(PARSE(NULL));
    BAD_ARGUMENT(pktseq_table_read(&table, path, NULL, NULL, &err));
    BAD_ARGUMENT(pktseq_table_read(&table, NULL, &small, NULL, &err));
    BAD_ARGUMENT(pktseq_table_parse(&table, NULL, 1, &small, NULL, &err));
    CHECK(pktseq_table_parse(NULL, csv, strlen(csv), &small, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_table_read(NULL, path, &small, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    schema.field_count = 0;
    BAD_ARGUMENT(PARSE(&schema));
    schema.field_count = 4;
    schema.field = NULL;
    BAD_ARGUMENT(PARSE(&schema));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        schema.field = &wrong[i];
        schema.field_count = 1;
        BAD_ARGUMENT(PARSE(&schema));
    }
    schema.field = both;
    schema.field_count = 2;
    BAD_ARGUMENT(PARSE(&schema));
    schema = small;
    for (const char *p = "\"\n\r"; *p; ++p) {
        schema.separator = *p;
        BAD_ARGUMENT(PARSE(&schema));
    }
    // NULL of no bytes is an empty file.
    CHECK(pktseq_table_parse(&table, NULL, 0, &small, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK(all_zero(&table));
    pktseq_table_free(NULL);
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

static int same_table(const pktseq_table *a, const pktseq_table *b) {
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

// ---- odd cells and columns

// A schema of a program's own with too many categories is refused by name, before any reading.
static void test_many_categories(void) {
    enum { MOST = 4096 };
    static char name[MOST + 1][8];
    static const char *category[MOST + 1];
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_codec codec;
    for (int i = 0; i <= MOST; ++i) {
        sprintf(name[i], "P%d", i);
        category[i] = name[i];
    }
    field.category = category;
    field.category_count = MOST + 1;
    CHECK(parse_text(&table, "position,protocol\n0,P4095\n1,P4096\n", &schema, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "protocol") && says(&err, "4097") && says(&err, "4096"), "%s", err.text);
    field.category_count = MOST;
    CHECK_THAT(parse_text(&table, "position,protocol\n0,P4095\n1,P4096\n", &schema, &err) == 0,
               "%s", err.text);
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == 0, "%s", err.text);
    CHECK(codec.features == MOST);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// Values that are no member of their enum, as an older or newer program might pass.
static void test_unknown_members(void) {
    pktseq_field field[2] = {field_of("length", PKTSEQ_ZSCORE), field_of("gap", PKTSEQ_ZSCORE)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    for (int i = 0; i < 4; ++i) {
        field[1] = field_of("gap", PKTSEQ_ZSCORE);
        memset(i < 2 ? (void *)&field[1].kind : (void *)&field[1].role, i % 2 ? 0xff : 0x7f,
               sizeof field[1].kind);
        CHECK(parse_text(&table, "position,length,gap\n0,1,2\n", &schema, &err) ==
              PKTSEQ_ERROR_ARGUMENT);
        CHECK_THAT(says(&err, "\"gap\" has an unknown"), "%s", err.text);
    }
}

// Two fields of one column: its cells must suit both, whichever comes first.
static void test_stricter(void) {
    pktseq_field field[2] = {field_of("src_port", PKTSEQ_NUMBER), field_of("", PKTSEQ_PORT)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    for (int turn = 0; turn < 2; ++turn) {
        field[turn] = field_of("src_port", PKTSEQ_NUMBER);
        field[1 - turn] = field_of("src_port", PKTSEQ_PORT);
        CHECK(parse_text(&table, "position,src_port\n0,80\n1,80.5\n", &schema, &err) ==
              PKTSEQ_ERROR_DATA);
        CHECK_THAT(says(&err, "80.5") && says(&err, "port") && err.line == 3, "%s", err.text);
        CHECK_THAT(parse_text(&table, "position,src_port\n0,80\n1,81\n", &schema, &err) == 0, "%s",
                   err.text);
        CHECK(table.column_count == 1 && pktseq_column_number(&table.column[0], 1) == 81);
        pktseq_table_free(&table);
    }
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

// tcp.flags with a capital X, and tcp.flags.res that is none of its numbers.
static void test_flag_words(void) {
    pktseq_field field = field_of("syn", PKTSEQ_FLAG);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    const char *const bad[] = {"2.5", "-1", "8"};
    char csv[300];
    schema.rule = pktseq_rule_default();
    CHECK_THAT(parse_text(&table, "frame.time_relative,ip.src,ip.dst,tcp.flags\n0,a,b,0X0002\n"
                             "1,b,a,0x10\n2,a,b,2\n3,b,a,0X12\n", &schema, &err) == 0,
               "%s", err.text);
    for (size_t i = 0; i < table.rows; ++i)
        CHECK(pktseq_column_number(pktseq_table_column(&table, "syn"), i) == (i != 1));
    pktseq_table_free(&table);
    field = field_of("res", PKTSEQ_FLAG);
    for (int i = 0; i < 3; ++i) {
        sprintf(csv, "frame.time_relative,ip.src,ip.dst,tcp.flags.res\n0,a,b,0\n1,b,a,7\n"
                     "2,a,b,1\n3,b,a,%s\n", bad[i]);
        CHECK(parse_text(&table, csv, &schema, &err) == PKTSEQ_ERROR_DATA);
        CHECK_THAT(says(&err, "res") && says(&err, bad[i]) && err.line == 5, "%s", err.text);
    }
}

// An IPv6 address in the last column of a capture is found.
static void test_last_column(void) {
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    const pktseq_column *src;
    schema.rule = pktseq_rule_default();
    CHECK_THAT(parse_text(&table,
                          "frame.time_relative,ip.src,ip.dst,frame.len,other,ipv6.dst,ipv6.src\n"
                          "0,,,60,x,::2,::1\n1,a,b,61,x,,\n2,,,62,x,::1,::2\n3,b,a,63,x,,\n",
                          &schema, &err) == 0, "%s", err.text);
    src = pktseq_table_column(&table, "src_ip");
    CHECK(src && strcmp(pktseq_column_text(src, 0), "::1") == 0);
    CHECK(src && strcmp(pktseq_column_text(src, 2), "::2") == 0);
    CHECK(src && strcmp(pktseq_column_text(src, 3), "b") == 0);
    pktseq_table_free(&table);
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

// A table that is read again and again, with one block of memory refused: the first,
// then the second, until there is none left to refuse. No table before, and nothing lost.
static pktseq_table parse_short_of_memory(const char *csv, const pktseq_schema *schema,
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

// A text from which no more than is asked for is taken.
typedef struct source {
    const char *text;
    size_t size;
} source;

static size_t take(void *user_data, void *to, size_t size, int *failed) {
    source *from = (source *)user_data;
    if (size > from->size) size = from->size;
    memcpy(to, from->text, size);
    from->text += size;
    from->size -= size;
    *failed = 0;
    return size;
}

// A capture whose last packet is not TCP, and whose others are as many as there happens to be room
// for: what says where the rows came from is still right, and nothing is written behind its end.
static void test_last_not_tcp(void) {
    enum { MOST = 1024 };
    static char csv[MOST * 24];
    pktseq_field field[2] = {field_of("length", PKTSEQ_ZSCORE), field_of("dst_port", PKTSEQ_PORT)};
    pktseq_schema schema = schema_of(field, 2);
    schema.rule = pktseq_rule_default();
    schema.rule.tcp_only = 1;
    for (int rows = MOST - 1; rows <= MOST + 1; ++rows) {
        pktseq_table table;
        pktseq_allocator allocator;
        source from;
        counter c;
        size_t at = (size_t)sprintf(csv, "timestamp,src_ip,dst_ip,length,dst_port\n");
        for (int i = 0; i < rows; ++i)
            at += (size_t)sprintf(csv + at, "0.%04d,a,b,%d,80\n", i, i % 50);
        at += (size_t)sprintf(csv + at, "0.9,a,b,60,\n");
        from.text = csv;
        from.size = at;
        allocator = fenced(&c);
        CHECK_THAT(pktseq_table_stream(&table, take, &from, &schema, &allocator, &err) ==
                       PKTSEQ_OK, "%s", err.text);
        CHECK(table.rows == (size_t)rows && table.counts.not_tcp == 1 && table.source_row != NULL &&
              table.counts.packets == (size_t)rows + 1);
        for (size_t i = 0; table.source_row && i < table.rows; ++i)
            CHECK(table.source_row[i] == i);
        pktseq_table_free(&table);
        CHECK(c.live == 0);
    }
}

// Memory that runs out at any moment while such a capture is read: no table, and nothing lost.
static void test_last_not_tcp_memory(void) {
    static const char csv[] = "timestamp,src_ip,dst_ip,length,dst_port\n0,a,b,60,80\n1,b,a,61,80\n"
                              "2,a,b,62,80\n3,b,a,63,80\n4,b,a,64,\n";
    pktseq_field field[2] = {field_of("length", PKTSEQ_ZSCORE), field_of("dst_port", PKTSEQ_PORT)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    counter c;
    schema.rule = pktseq_rule_default();
    table = parse_short_of_memory(csv, &schema, &c);
    CHECK(table.rows == 4 && table.source_row && table.source_row[3] == 3);
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

// What is missing is said as what the user asked for: a field, or something a field is made of.
static void test_missing(void) {
    pktseq_field field[2] = {field_of("src_port", PKTSEQ_PORT),
                             field_of("same_connection", PKTSEQ_FLAG)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    CHECK(parse_text(&table, "position,src_ip,dst_ip,dst_port\n0,a,b,80\n", &schema, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"src_port\" is missing; found 4 columns"), "%s", err.text);
    CHECK(parse_text(&table, "position,src_ip,dst_ip,src_port\n0,a,b,80\n", &schema, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"dst_port\" is missing, of which features are made"), "%s", err.text);
    schema.rule = pktseq_rule_default();
    CHECK(parse_text(&table, "timestamp,dst_ip,src_port,dst_port\n0,a,80,80\n", &schema, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"src_ip\" is missing; found 4 columns"), "%s", err.text);
    CHECK(parse_text(&table, "hello\n", &schema, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "found the text \"hello\", expected a capture"), "%s", err.text);
}

// Days that a month has not are no dates.
static void test_days(void) {
    static const char *const good[] = {"2024-02-29", "2000-02-29", "2023-01-31", "2023-12-31",
                                       "2023-04-30", "9999-12-31"},
                      *const bad[] = {"2023-02-29", "2024-02-30", "1900-02-29", "2023-04-31",
                                      "2023-11-31", "2023-12-32", "2023-06-00"};
    pktseq_field field = field_of("timestamp", PKTSEQ_NUMBER);
    pktseq_schema schema = schema_of(&field, 1);
    const size_t goods = sizeof good / sizeof *good;
    schema.rule = pktseq_rule_default();
    schema.rule.min_length = 1;
    for (size_t i = 0; i < goods + sizeof bad / sizeof *bad; ++i) {
        const char *day = i < goods ? good[i] : bad[i - goods];
        char csv[200], text[40];
        pktseq_table table;
        sprintf(csv, "timestamp,src_ip,dst_ip\n%s 00:00:00,a,b\n", day);
        if (parse_text(&table, csv, &schema, &err)) {
            CHECK_THAT(i >= goods || day[0] == '1', "%s: %s", day, err.text);
            continue;
        }
        CHECK_THAT(i < goods, "%s", day);
        pktseq_time_text(pktseq_column_number(table.column, 0), text);
        CHECK_THAT(strncmp(text, day, 10) == 0 || day[0] == '9', "%s: %s", day, text);
        pktseq_table_free(&table);
    }
}

// The zone of a date, with and without a colon, or of hours alone.
static void test_zones(void) {
    static const char *const good[] = {"01T00:59:59.5+01:00", "01T00:59:59.5+0100",
                                       "01 00:59:59.5+01", "01T05:29:59.5+0530",
                                       "01T00:00:59.5+0001", "01T14:00:00.5+1400"};
    static const char *const bad[] = {"+100", "+1460", "+1500", "+01000", "+", "+01:", "+01:60",
                                      "+0100:00", "Z0100", "+01x"};
    pktseq_field field = field_of("timestamp", PKTSEQ_NUMBER);
    pktseq_schema schema = schema_of(&field, 1);
    schema.rule = pktseq_rule_default();
    schema.rule.min_length = 1;
    const size_t goods = sizeof good / sizeof *good;
    for (size_t i = 0; i < goods + sizeof bad / sizeof *bad; ++i) {
        char csv[200];
        pktseq_table table;
        int status;
        const char *clock = i < goods ? good[i] : "01T00:59:59.5";
        sprintf(csv, "timestamp,src_ip,dst_ip\n2024-03-%s%s,a,b\n", clock,
                i < goods ? "" : bad[i - goods]);
        status = parse_text(&table, csv, &schema, &err);
        if (i >= goods) {
            CHECK_THAT(status == PKTSEQ_ERROR_DATA && says(&err, "or a date"), "%s", csv);
            continue;
        }
        CHECK_THAT(!status && fabs(pktseq_column_number(table.column, 0) -
                                   (i < 5 ? 1709251199.5 : 1709251200.5)) < 1e-6,
                   "%s: %s, %.1f", csv, err.text, pktseq_column_number(table.column, 0));
        pktseq_table_free(&table);
    }
}

int main(int argc, char **argv) {
    sprintf(path, "%.1000s.csv", argc > 0 && argv[0][0] ? argv[0] : "build/test_table");
    test_notations();
    test_positions();
    test_aliases();
    test_texts();
    test_refusals();
    test_utf16();
    test_arguments();
    test_files();
    test_boundaries();
    test_ends();
    test_large();
    test_extremes();
    test_random();
    test_fast();
    test_long_rows();
    test_memory();
    test_many_categories();
    test_unknown_members();
    test_stricter();
    test_same_ends();
    test_flag_words();
    test_last_column();
    test_empty_lines();
    test_wide_row_memory();
    test_last_not_tcp();
    test_last_not_tcp_memory();
    test_odd_separators();
    test_missing();
    test_days();
    test_zones();
    remove(path);
    return check_end("test_table");
}
