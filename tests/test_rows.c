// test_rows.c - sections >>notation, >>rows: captures as other programs export them.
#include "inside.h"
#include "tables.h"

#include <math.h>
#include <time.h>

enum { PROTOCOLS = 9 };

// A table in one line: "0 2 3 | timestamp 0 1 2 | src_ip a b a | rows 0 2 3 | 4 1 0 0 0 0 0", the
// rows of the file if some were left out, and the counts of pktseq_table_counts in their order.
static const char *shown(const pktseq_table *table) {
    static text t;
    const pktseq_table_counts *cut = &table->counts;
    const size_t count[] = {cut->packets, cut->not_tcp,    cut->dropped,    cut->remainder,
                            cut->renamed, cut->clock_back, cut->many_values};
    t.size = 0;
    put(&t, "");
    for (size_t s = 0; s <= table->sequences; ++s) {
        put_number(&t, (double)table->start[s]);
        put(&t, " ");
    }
    for (size_t c = 0; c < table->column_count; ++c) {
        const pktseq_column *column = &table->column[c];
        put(&t, "| ");
        put(&t, column->name);
        put(&t, " ");
        for (size_t row = 0; row < table->rows; ++row) {
            if (!column->names)
                put_number(&t, pktseq_column_number(column, row));
            else
                put(&t, pktseq_column_text(column, row));
            put(&t, " ");
        }
    }
    for (size_t row = 0; table->source_row && row < table->rows; ++row) {
        put(&t, row ? "" : "| rows ");
        put_number(&t, (double)table->source_row[row]);
        put(&t, " ");
    }
    put(&t, "|");
    for (size_t i = 0; i < 7; ++i) {
        put(&t, " ");
        put_number(&t, (double)count[i]);
    }
    return t.data;
}

// ---- captures in many notations

static const pktseq_field three_field[] = {
    {"timestamp", PKTSEQ_ZSCORE}, {"src_port", PKTSEQ_PORT}, {"syn", PKTSEQ_FLAG},
    {"ack", PKTSEQ_FLAG}};
static const char *const three_keep[] = {"No.", "label"};

// Sequences of two, so that a few rows make some, of TCP alone.
static pktseq_schema three(void) {
    pktseq_schema schema;
    memset(&schema, 0, sizeof schema);
    schema.field = three_field;
    schema.field_count = 4;
    schema.keep = three_keep;
    schema.keep_count = 2;
    schema.rule = rule_of(2, 100, 1, 0);
    schema.rule.tcp_only = 1;
    return schema;
}

typedef struct capture {
    const char *name, *csv, *expected;  // expected of "timestamp 0 1 ..." on
} capture;

// Rows 0 and 2 of three are TCP.
#define SKIPPED \
    "0 2 | timestamp 0 0.5 | src_port 4000 80 | syn 1 1 | ack 0 1 | No. 1 3 | src_ip 10.0.0.1 " \
    "::2 | dst_ip 10.0.0.2 ::1 | rows 0 2 | 3 1 0 0 0 0 "
#define WORD_HEADER \
    "frame.number,frame.time_relative,ip.src,ipv6.src,ip.dst,ipv6.dst,tcp.srcport,tcp.flags\n"
#define ONE "0 2 | timestamp 0 0 | src_port 1 2 | syn "
#define TWO " | src_ip a b | dst_ip b a | 2 0 0 0 0 0 "

static const capture captures[] = {
    {"tshark, tcp.flags", WORD_HEADER "1,0,10.0.0.1,,10.0.0.2,,4000,0x0002\n"
     "2,0.25,10.0.0.1,,10.0.0.2,,,\n3,0.5,,::2,,::1,80,0x00000012\n", SKIPPED "0"},
    {"quoted", "\"frame.number\",frame.time_relative,ip.src,ipv6.src,ip.dst,ipv6.dst,tcp.srcport,"
     "tcp.flags\r\n\"1\",\"0\",\"10.0.0.1\",\"\",\"10.0.0.2\",,\"4000\",\"0X2\"\r\n"
     "\"2\",,,,,,\"\",\"\"\r\n\"3\",\"0.5\",\"\",\"::2\",,\"::1\",\"80\",\"18\"", SKIPPED "0"},
    {"tabs", "frame.number\tframe.time_relative\tip.src\tipv6.src\tip.dst\tipv6.dst\ttcp.srcport\t"
     "tcp.flags\n1\t0\t10.0.0.1\t\t10.0.0.2\t\t4000\t2\n2\tx\t\t\t\t\t\t\n"
     "3\t0.5\t\t::2\t\t::1\t80\t0x012\n", SKIPPED "0"},
    {"semicolons", "frame.number;frame.time_relative;ip.src;ipv6.src;ip.dst;ipv6.dst;tcp.srcport;"
     "tcp.flags\n1;0;10.0.0.1;;10.0.0.2;;4000;2\n2;x;;;;;;\n3;0.5;;::2;;::1;80;0x012\n",
     SKIPPED "0"},
    {"bars", "frame.number|frame.time_relative|ip.src|ipv6.src|ip.dst|ipv6.dst|tcp.srcport|"
     "tcp.flags\n1|0|10.0.0.1||10.0.0.2||4000|2\n2|x||||||\n3|0.5||::2||::1|80|0x012\n",
     SKIPPED "0"},
    {"columns of flags, with words", "frame.number,frame.time_relative,ip.src,ipv6.src,ip.dst,"
     "ipv6.dst,tcp.srcport,tcp.flags.syn,tcp.flags.ack\n1,0,10.0.0.1,,10.0.0.2,,4000,True,False\n"
     ",,,,,,,,\n3,0.5,,::2,,::1,80,1,Set\n", SKIPPED "0"},
    {"a column of its own goes before tcp.flags", "frame.number,frame.time_relative,ip.src,"
     "ipv6.src,ip.dst,ipv6.dst,tcp.srcport,tcp.flags,Syn\n"
     "1,0,10.0.0.1,,10.0.0.2,,4000,0x000,Set\n,,,,,,,,\n3,0.5,,::2,,::1,80,0x010,Set\n",
     SKIPPED "0"},
    {"several values, the last counts", "frame.number\tframe.time_relative\tip.src\tipv6.src\t"
     "ip.dst\tipv6.dst\ttcp.srcport\ttcp.flags\n"
     "1\t0\t9.9.9.9,10.0.0.1\t::9\t8.8.8.8,7.7.7.7,10.0.0.2\t\t4000,4000\t0x010,0x002\n"
     "2\tx\ta,b\t\t\t\t\t\n3\t0.5\t\t::7,::2\t\t::1\t1,2,80\t18\n", SKIPPED "6"},
    {"several values, quoted", WORD_HEADER
     "1,0,\"9.9.9.9,10.0.0.1\",::9,10.0.0.2,,4000,\"0x010,0x002\"\n"
     "2,,,,,,,\n3,0.5,,::2,,::1,80,18\n", SKIPPED "2"},
    {"skipped at the begin and end", "Time,Source,Destination,Source port,tcp.flags\n,,,,\nx,y,,,\n"
     "0,a,b,1,0\n0,b,a,2,16\n,,,,\n",
     ONE "0 0 | ack 0 1 | src_ip a b | dst_ip b a | rows 2 3 | 5 3 0 0 0 0 0"},
    {"Wireshark", "\"Time\",\"Source\",\"Destination\",\"Source port\",\"Syn\",\"Acknowledgment\"\n"
     "\"0\",\"a\",\"b\",\"1\",\"Set\",\"Not set\"\n\"0\",\"b\",\"a\",\"2\",\"Set\",\"Set\"\n",
     ONE "1 1 | ack 0 1" TWO "0"},
    {"names of our own, values with commas are as they are", "timestamp,src_ip,dst_ip,src_port,"
     "syn,ack\n0,\"a,x\",b,1,1,1\n0,b,\"a,x\",2,0,0\n",
     ONE "1 0 | ack 1 0 | src_ip a,x b | dst_ip b a,x | 2 0 0 0 0 0 0"},
    {"time since 1970, if there is nothing better", "frame.time_epoch,ip.src,ip.dst,tcp.srcport,"
     "tcp.flags\n0,a,b,1,2\n0,b,a,2,2\n", ONE "1 1 | ack 0 0" TWO "0"},
    {"time since 1970, and better", "frame.time_epoch,ip.src,ip.dst,tcp.srcport,tcp.flags,"
     "frame.time_relative,frame.time_epoch\nx,a,b,1,2,0,y\n,b,a,2,2,0,\n",
     ONE "1 1 | ack 0 0" TWO "0"},
    {"IPv6 alone", "Time,ipv6.src,ipv6.dst,tcp.srcport,tcp.flags\n0,a,b,1,2\n0,b,a,2,2\n",
     ONE "1 1 | ack 0 0" TWO "0"},
    {"a label, sometimes empty", "Time,label,Source,Destination,Source port,tcp.flags\n"
     "0,\"\",a,b,1,2\n0,\"x,y\",b,a,2,2\n",
     ONE "1 1 | ack 0 0 | label  x,y" TWO "0"},
    {"cut by the rule, with a remainder", "Time,Source,Destination,Source port,tcp.flags\n"
     "0,a,b,1,2\n0,b,a,2,16\n0,x,y,3,2\n,,,,\n",
     ONE "1 0 | ack 0 1 | src_ip a b | dst_ip b a | rows 0 1 | 4 1 0 1 0 0 0"},
};

static void test_captures(void) {
    for (size_t i = 0; i < sizeof captures / sizeof *captures; ++i) {
        const capture *c = &captures[i];
        pktseq_schema schema = three();
        pktseq_table table;
        pktseq_status status = pktseq_table_parse(&table, c->csv, strlen(c->csv), &schema, NULL,
                                                  &err);
        CHECK_THAT(status == PKTSEQ_OK, "%s: %s", c->name, err.text);
        if (status) continue;
        CHECK_THAT(strcmp(shown(&table), c->expected) == 0, "%s:\n  got      %s\n  expected %s",
                   c->name, shown(&table), c->expected);
        check_sound(&table, c->name);
        pktseq_table_free(&table);
    }
}

// Every flag from every word: single bits, all, none, and both notations.
static void test_flags(void) {
    static const struct {
        const char *name;
        unsigned bits;
    } flag[] = {{"fin", 1}, {"syn", 2}, {"reset", 4}, {"push", 8}, {"ack", 16}, {"urg", 32},
                {"ecn", 64}, {"cwr", 128}, {"ns", 256}, {"res", 0xe00}};
    static const char *const format[] = {"0x%04x", "0x%08x", "%u", "0X%X"};
    pktseq_schema schema = pktseq_schema_default();
    text csv = {NULL, 0, 0};
    pktseq_table table;
    char row[100];
    put(&csv, "Time,Source,Destination,Protocol,Length,Source port,Dest port,tcp.flags\n");
    for (unsigned word = 0; word < 4096; ++word) {
        put(&csv, "0,a,b,TCP,60,1,2,");
        sprintf(row, format[word % 4], word);
        put(&csv, row);
        put(&csv, "\n");
    }
    schema.rule.max_length = 5000;
    CHECK_THAT(pktseq_table_parse(&table, csv.data, csv.size, &schema, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    CHECK(table.rows == 4096 && table.sequences == 1);
    for (size_t f = 0; f < 10 && table.rows; ++f) {
        const pktseq_column *column = pktseq_table_column(&table, flag[f].name);
        size_t wrong = column == NULL;
        for (unsigned word = 0; column && word < 4096; ++word)
            wrong += pktseq_column_number(column, word) != ((word & flag[f].bits) != 0);
        CHECK_THAT(wrong == 0, "%s: %lu of 4096", flag[f].name, (unsigned long)wrong);
    }
    pktseq_table_free(&table);
    free(csv.data);
    // tcp.flags.res as a number: any of three bits.
    {
        static const pktseq_field res = {"res", PKTSEQ_FLAG};
        const char *numbers = "Time,Source,Destination,tcp.flags.res\n0,a,b,0\n0,a,b,1\n0,a,b,5\n"
                              "0,a,b,7\n0,a,b,True\n";
        const char *eight = "Time,Source,Destination,tcp.flags.res\n0,a,b,8\n";
        const char *own = "Time,Source,Destination,res\n0,a,b,5\n";
        schema = three();
        schema.field = &res;
        schema.field_count = 1;
        CHECK(pktseq_table_parse(&table, numbers, strlen(numbers), &schema, NULL, &err) ==
              PKTSEQ_OK);
        CHECK_THAT(strncmp(shown(&table), "0 5 | res 0 1 1 1 1 | ", 22) == 0, "%s", shown(&table));
        pktseq_table_free(&table);
        CHECK(pktseq_table_parse(&table, eight, strlen(eight), &schema, NULL, &err) ==
              PKTSEQ_ERROR_DATA && strstr(err.text, "\"8\""));
        CHECK(pktseq_table_parse(&table, own, strlen(own), &schema, NULL, &err) ==
              PKTSEQ_ERROR_DATA && strstr(err.text, "\"5\""));
    }
}

// Captures that are refused: the sentence says where, what, and what was expected.
static void test_refusals(void) {
#define T "Time,Source,Destination,Source port,tcp.flags\n"
    static const struct {
        const char *csv;
        size_t line;
        const char *say[3];
    } list[] = {
        {"Time,Source,Source port,tcp.flags\n0,a,1,2\n", 1, {"\"dst_ip\"", "missing", "tshark"}},
        {"Source,Destination,Source port,tcp.flags\n", 1, {"\"timestamp\"", "missing"}},
        {"Time,Source,Destination,tcp.flags\n", 1, {"\"src_port\"", "missing"}},
        {"Time,Source,Destination,Source port,Syn\n", 1, {"\"ack\"", "missing"}},
        {"Time,frame.time_relative,Source,Destination,Source port,tcp.flags\n", 1,
         {"\"timestamp\"", "2 times"}},
        {"Time,Source,Destination,Source port,tcp.flags,tcp.flags\n", 1,
         {"\"tcp.flags\"", "2 times"}},
        {"Time,ip.src,ipv6.src,ipv6.src,ip.dst,Source port,tcp.flags\n", 1,
         {"\"src_ip\"", "2 times"}},
        {T, 1, {"no rows", "packets"}},
        {T ",,,,\n,,,,\n", 3, {"TCP"}},
        {"Time,Source,Destination,tcp.srcport,tcp.flags\n0,a,b,1,\n", 2,
         {"\"tcp.flags\"", "empty", "not TCP"}},
        {T "0,a,b,,2\n", 2, {"\"Source port\"", "empty", "not TCP"}},
        {T "0,,b,1,2\n", 2, {"\"Source\"", "empty", "text"}},
        {T ",a,b,1,2\n", 2, {"\"Time\"", "empty"}},
        {T "0,a,b,1,0x1000\n", 2, {"\"tcp.flags\"", "\"0x1000\"", "0x0fff"}},
        {T "0,a,b,1,4096\n", 2, {"\"tcp.flags\"", "\"4096\""}},
        {T "0,a,b,1,-1\n", 2, {"\"tcp.flags\"", "\"-1\""}},
        {T "0,a,b,1,1.5\n", 2, {"\"tcp.flags\"", "\"1.5\""}},
        {T "0,a,b,1,0x\n", 2, {"\"tcp.flags\"", "\"0x\""}},
        {T "0,a,b,1,0x1g\n", 2, {"\"tcp.flags\"", "\"0x1g\""}},
        {T "0,a,b,1,0xffffffffffffffffffffffff\n", 2, {"\"tcp.flags\"", "0xfff"}},
        {T "0,a,b,1,Set\n", 2, {"\"tcp.flags\"", "\"Set\""}},
        {T "0,a,b,\"1,65536\",2\n", 2, {"\"Source port\"", "\"65536\"", "65535"}},
        {T "0,a,b,\"1,\",2\n", 2, {"\"Source port\"", "empty"}},
        {T "\"0,2,5\",a,b,1,2\n", 2, {"\"Time\"", "\"0,2,5\"", "finite"}},
        {T "0,a,b,1,2\n", 0, {"found 1 packet,", "at least 2"}},
        {T "0,a\xff,b,1,2\n", 2, {"\"Source\"", "UTF-8"}},
    };
    pktseq_table table;
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i) {
        pktseq_schema schema = three();
        counter count;
        pktseq_allocator allocator = counted(&count);
        CHECK_THAT(pktseq_table_parse(&table, list[i].csv, strlen(list[i].csv), &schema,
                                      &allocator, &err) == PKTSEQ_ERROR_DATA, "%s", list[i].csv);
        CHECK(count.live == 0 && table.column == NULL && table.rows == 0);
        CHECK_THAT(err.line == list[i].line, "%s: line %lu", err.text, (unsigned long)err.line);
        for (size_t k = 0; k < 3 && list[i].say[k]; ++k)
            CHECK_THAT(strstr(err.text, list[i].say[k]) != NULL, "\"%s\" says nothing of %s",
                       err.text, list[i].say[k]);
    }
    // A schema that cannot do without positions, and one that could if its types fitted.
    {
        static const pktseq_field number[] = {{"src_ip", PKTSEQ_NUMBER}};
        static const pktseq_field words[] = {{"timestamp", PKTSEQ_ONEHOT}};
        const char *csv = T "0,1,b,1,2\n0,1,b,1,2\n", *with = "position,src_ip\n0,7\n";
        pktseq_schema schema = three();
        schema.rule.min_length = 0;
        CHECK(pktseq_table_parse(&table, csv, strlen(csv), &schema, NULL, &err) ==
              PKTSEQ_ERROR_DATA && strstr(err.text, "\"position\" is missing"));
        schema = three();
        schema.field = number;
        schema.field_count = 1;
        CHECK(pktseq_table_parse(&table, csv, strlen(csv), &schema, NULL, &err) ==
              PKTSEQ_ERROR_ARGUMENT && strstr(err.text, "\"src_ip\""));
        CHECK(pktseq_table_parse(&table, with, strlen(with), &schema, NULL, &err) == PKTSEQ_OK);
        pktseq_table_free(&table);
        schema.field = words;
        CHECK(pktseq_table_parse(&table, csv, strlen(csv), &schema, NULL, &err) ==
              PKTSEQ_ERROR_ARGUMENT && strstr(err.text, "\"timestamp\""));
    }
}

// A file with positions is used as it is: nothing is skipped, filled, split, cut or required.
static void test_position(void) {
    static const char *const keep[] = {"ack", "src_ip", "missing", "note", "src_port", "position"};
    const char *csv = "position,Time,src_port,syn,Acknowledgment,ip.src,note\n"
                      "0,5,1,0,Set,\"a,b\",\n2,4,2,1,0,,\"x\"\n0,0,3,1,0,c,y\n";
    const char *empty = "position,Time,src_port,syn,Acknowledgment\n0,5,,,\n";
    const char *word = "position,Time,src_port,ack,tcp.flags\n0,5,1,1,2\n";
    pktseq_schema schema = three();
    pktseq_table table;
    schema.field_count = 3;
    schema.keep = keep;
    schema.keep_count = 6;
    CHECK_THAT(pktseq_table_parse(&table, csv, strlen(csv), &schema, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    CHECK_THAT(strcmp(shown(&table),
                      "0 2 3 | timestamp 5 4 0 | src_port 1 2 3 | syn 0 1 1 | ack 1 0 0 | src_ip "
                      "a,b  c | note  x y | position 0 2 0 | 3 0 0 0 0 0 0") == 0, "%s",
               shown(&table));
    CHECK(table.position_gaps == 1);
    check_sound(&table, "position");
    pktseq_table_free(&table);
    CHECK(pktseq_table_parse(&table, empty, strlen(empty), &schema, NULL, &err) ==
          PKTSEQ_ERROR_DATA && strstr(err.text, "\"src_port\""));
    CHECK(pktseq_table_parse(&table, word, strlen(word), &schema, NULL, &err) ==
          PKTSEQ_ERROR_DATA && strstr(err.text, "\"syn\" is missing"));
}

// ---- files as people have them

// Packet `i` of some traffic: connections of eight packets, two of them UDP.
typedef struct sample {
    double time;
    int udp, back, length, port;
    unsigned flags;
} sample;

static sample sample_of(int i) {
    static const unsigned flags[8] = {0x002, 0x012, 0x010, 0x018, 0x010, 0x018, 0x011, 0x010};
    sample s;
    s.udp = i / 8 % 4 == 3;
    s.back = i % 2;
    s.time = i * 0.25;
    s.length = 54 + i % 8 * 100;
    s.port = 40001 + i / 8;
    s.flags = s.udp ? 0 : flags[i % 8];
    return s;
}

enum { SAMPLES = 90, WORD, WORD_BARE, WORD_TEXT, ONE_BY_ONE, EIGHT, EXCEL };

// The cells of a packet's flags in a notation.
static void put_flags(text *t, const sample *s, int how) {
    static const char letter[] = "FSRPAUECNRRR";
    char cell[60];
    if (s->udp) {
        for (int i = how == EIGHT ? 7 : how == ONE_BY_ONE || how == EXCEL ? 9 : 0; i > 0; --i)
            put(t, ",");
        return;
    }
    if (how == WORD || how == WORD_BARE) {
        sprintf(cell, how == WORD ? "0x%04x" : "%04x", s->flags);
        put(t, cell);
        return;
    }
    for (int f = how == EIGHT ? 7 : how == WORD_TEXT ? 11 : 9; f >= 0; --f) {
        int set = f < 9 && (s->flags >> f & 1);
        char one[2] = {0, 0};
        one[0] = letter[f];
        put(t, how == WORD_TEXT ? (set ? one : "\xc2\xb7") : how == EXCEL ? (set ? "TRUE" : "FALSE")
                                                                          : set ? "1" : "0");
        if (how != WORD_TEXT && f) put(t, ",");
    }
}

// The packets as a file: a header, what the time is in, how flags are told, and what follows each
// row. Columns: number, time, addresses, protocol, length, then ports of TCP and of UDP, or of both
// in one, and the flags.
typedef struct kind_of_file {
    const char *name, *header, *time;
    int ports;  // 4 columns or 2
    int flags;
    const char *end;
} kind_of_file;

#define OLD "frame.number,frame.time_relative,ip.src,ip.dst,_ws.col.Protocol,frame.len,"
#define PORTS4 "tcp.srcport,tcp.dstport,udp.srcport,udp.dstport,"
#define LIST "No.,Time,Source,Destination,Protocol,Length,"
static const kind_of_file kinds[] = {
    {"tshark", OLD PORTS4 "tcp.flags", "%.2f", 4, WORD, ""},
    {"hexadecimal without 0x", OLD PORTS4 "tcp.flags", "%.2f", 4, WORD_BARE, ""},
    {"letters of flags", OLD PORTS4 "tcp.flags.str", "%.2f", 4, WORD_TEXT, ""},
    {"separators after the rows", OLD PORTS4 "tcp.flags", "%.2f", 4, WORD, ",,"},
    {"an empty name", OLD PORTS4 "tcp.flags,", "%.2f", 4, WORD, ""},
    {"capitals, blanks and quotes", " # FRAME.NUMBER , Frame.Time_Relative,' ip.src',IP.DST , "
     "_WS.COL.PROTOCOL,Frame.Len,TCP.SrcPort,tcp.DSTPORT,udp.SRCPORT,UDP.dstport,TCP.Flags",
     "%.2f", 4, WORD, ""},
    {"blanks around values", OLD PORTS4 "tcp.flags", "  %.2f ", 4, WORD, "  "},
    {"names of _ws.col", "_ws.col.No.,_ws.col.Time,_ws.col.Source,_ws.col.Destination,"
     "_ws.col.Protocol,_ws.col.Length," PORTS4 "tcp.flags", "%.2f", 4, WORD, ""},
    {"later names of _ws.col", "_ws.col.number,_ws.col.rel_time,_ws.col.def_src,_ws.col.def_dst,"
     "_ws.col.protocol,_ws.col.packet_length," PORTS4 "tcp.flags", "%.2f", 4, WORD, ""},
    {"Wireshark 4", LIST "Source Port,Destination Port,Reserved,Accurate ECN,Congestion Window "
     "Reduced,ECN-Echo,Urgent,Acknowledgment,Push,Reset,Syn,Fin", "%.2f", 2, ONE_BY_ONE, ""},
    {"Wireshark 2", LIST "Source Port,Destination Port,Reserved,Nonce,Congestion Window Reduced "
     "(CWR),ECN-Echo,Urgent,Acknowledgment,Push,Reset,Syn,Fin", "%.2f", 2, ONE_BY_ONE, ""},
    {"Wireshark, ports of both", LIST "Source Port,Destination Port,Source Port,Destination Port,"
     "Flags", "%.2f", 4, WORD, ""},
    {"as in a spreadsheet", OLD PORTS4 "tcp.flags.res,tcp.flags.ns,tcp.flags.cwr,tcp.flags.ece,"
     "tcp.flags.urg,tcp.flags.ack,tcp.flags.push,tcp.flags.reset,tcp.flags.syn,tcp.flags.fin",
     "%.2f", 4, EXCEL, ""},
    {"eight flags", OLD PORTS4 "tcp.flags.cwr,tcp.flags.ece,tcp.flags.urg,tcp.flags.ack,"
     "tcp.flags.push,tcp.flags.reset,tcp.flags.syn,tcp.flags.fin", "%.2f", 4, EIGHT, ""},
    {"dates", OLD PORTS4 "tcp.flags", "2024-02-29 23:59:%09.6f", 4, WORD, ""},
    {"dates of ISO 8601", OLD PORTS4 "tcp.flags", "2024-03-01T00:59:%06.3f+01:00", 4, WORD, ""},
    {"a decimal comma", OLD PORTS4 "tcp.flags", "\"%.2f\"", 4, WORD, ""},
    {"milliseconds", OLD PORTS4 "tcp.flags", "17092512%05.0f", 4, WORD, ""},
    {"microseconds", OLD PORTS4 "tcp.flags", "17092512%08.0f", 4, WORD, ""},
    {"nanoseconds", OLD PORTS4 "tcp.flags", "17092512%011.0f", 4, WORD, ""},
    {"since 1970", "frame.number,frame.time_epoch,ip.src,ip.dst,_ws.col.Protocol,frame.len," PORTS4
     "tcp.flags", "17092512%012.9f", 4, WORD, ""},
};

static void put_kind(text *t, const kind_of_file *k) {
    t->size = 0;
    put(t, k->header);
    put(t, "\n");
    for (int i = 0; i < SAMPLES; ++i) {
        sample s = sample_of(i);
        char cell[200], time[80];
        double unit = strncmp(k->name, "milli", 5) == 0 ? 1e3 : strncmp(k->name, "micro", 5) == 0
                      ? 1e6 : strncmp(k->name, "nano", 4) == 0 ? 1e9 : 1;
        sprintf(time, k->time, unit * s.time);
        if (strcmp(k->name, "a decimal comma") == 0) *strchr(time, '.') = ',';
        sprintf(cell, "%d,%s,10.0.0.%d,10.0.0.%d,%s,%d,", 7 * i + 1, time, 1 + s.back, 2 - s.back,
                s.udp ? "UDP" : "TCP", s.length);
        put(t, cell);
        if (k->ports == 4 && s.udp) put(t, ",,");
        sprintf(cell, "%d,%d,", s.back ? 53 : s.port, s.back ? s.port : 53);
        put(t, cell);
        if (k->ports == 4 && !s.udp) put(t, ",,");
        put_flags(t, &s, k->flags);
        if (k->header[strlen(k->header) - 1] == ',') put(t, i % 2 ? "," : "");
        put(t, k->end);
        put(t, "\n");
    }
}

static pktseq_schema kind_schema(void) {
    static const char *const keep[] = {"No.", "src_ip", "dst_ip", "transport", "label",
                                       "icmp_type", "icmp_code", "icmp_id"};
    pktseq_schema schema = pktseq_schema_default();
    schema.keep = keep;
    schema.keep_count = 8;
    return schema;
}

static int parse_kind(pktseq_table *table, const text *csv, const pktseq_schema *schema,
                      pktseq_error *err) {
    return pktseq_table_parse(table, csv->data, csv->size, schema, NULL, err) == PKTSEQ_OK;
}

// Every notation means the same packets; times may begin elsewhere.
static void test_kinds(void) {
    text csv = {NULL, 0, 0};
    pktseq_schema schema = kind_schema();
    pktseq_table base;
    put_kind(&csv, &kinds[0]);
    CHECK_THAT(parse_kind(&base, &csv, &schema, &err), "%s", err.text);
    CHECK(base.rows == SAMPLES && base.counts.not_tcp == 0 && base.notes == 0);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        pktseq_table table;
        const pktseq_column *time;
        put_kind(&csv, &kinds[i]);
        CHECK_THAT(parse_kind(&table, &csv, &schema, &err), "%s: %s", kinds[i].name, err.text);
        if (err.status) continue;
        check_sound(&table, kinds[i].name);
        CHECK_THAT(table.rows == SAMPLES && table.sequences == base.sequences &&
                       table.counts.clock_back == 0 && table.counts.bad_rows == 0,
                   "%s: %lu rows, %lu bad: %s", kinds[i].name, (unsigned long)table.rows,
                   (unsigned long)table.counts.bad_rows, table.first_bad);
        time = pktseq_table_column(&table, "timestamp");
        for (size_t c = 0; table.rows == SAMPLES && c < table.column_count; ++c) {
            const pktseq_column *a = &table.column[c];
            const pktseq_column *b = pktseq_table_column(&base, a->name);
            size_t wrong = b == NULL;
            for (size_t row = 0; b && row < SAMPLES; ++row)
                wrong += a->names
                         ? strcmp(pktseq_column_text(a, row), pktseq_column_text(b, row)) != 0
                         : pktseq_column_number(a, row) -
                                   (a == time ? pktseq_column_number(time, 0) : 0) !=
                               pktseq_column_number(b, row);
            CHECK_THAT(wrong == 0, "%s: %s: %lu rows", kinds[i].name, a->name,
                       (unsigned long)wrong);
        }
        CHECK_THAT(!(table.notes & PKTSEQ_READ_NO_RES) == (kinds[i].flags != EIGHT) &&
                       !(table.notes & PKTSEQ_READ_SCALED) == !strstr(kinds[i].name, "seconds"),
                   "%s: notes %u", kinds[i].name, table.notes);
        if (strstr(kinds[i].name, "seconds") || strstr(kinds[i].name, "1970") ||
            strstr(kinds[i].name, "dates"))
            CHECK_THAT(pktseq_column_number(time, 0) ==
                           1709251200.0 - (strstr(kinds[i].name, "dates") ? 60 : 0),
                       "%s: %.9f", kinds[i].name, pktseq_column_number(time, 0));
        pktseq_table_free(&table);
    }
    pktseq_table_free(&base);
    free(csv.data);
}

// A column of which others are made may be kept, too, and one of numbers may be asked for as text.
static void test_texts(void) {
    static const char csv[] =
        "Time,ip.src,ip.dst,Protocol,Length,tcp.srcport,tcp.dstport,tcp.flags,icmp.type\n"
        "0,a,b,TCP,60,1,2,0x0002,\n1,a,b,TCP,60,1,2,0x0010,\n2,b,a,TCP,60,2,1,0x0012,\n"
        "3,a,b,TCP,60,1,2,0x0010,\n4,a,b,ICMP,60,,,,8\n5,a,b,TCP,60,1,2,0x0011,\n";
    static const char *const flags[] = {"0x0002", "0x0010", "0x0012", "0x0010", "", "0x0011"};
    static const char *const keep[] = {"tcp.flags", "transport"};
    static const pktseq_field field[] = {
        {"syn", PKTSEQ_FLAG, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
        {"icmp_type", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0}};
    pktseq_schema schema = pktseq_schema_default();
    pktseq_table table;
    schema.field = field;
    schema.field_count = 2;
    schema.keep = keep;
    schema.keep_count = 2;
    schema.rule.min_length = 1;
    CHECK_THAT(pktseq_table_parse(&table, csv, strlen(csv), &schema, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    for (size_t row = 0; row < table.rows; ++row) {
        const char *type = pktseq_column_text(pktseq_table_column(&table, "icmp_type"), row);
        const char *word = pktseq_column_text(pktseq_table_column(&table, "tcp.flags"), row);
        CHECK_THAT(type && strcmp(type, row == 4 ? "8" : "0") == 0, "row %d", (int)row);
        CHECK_THAT(word && strcmp(word, flags[row]) == 0, "row %d", (int)row);
    }
    CHECK(table.rows == 6);
    CHECK(pktseq_column_number(pktseq_table_column(&table, "transport"), 4) == 1 &&
          pktseq_column_number(pktseq_table_column(&table, "transport"), 5) == 6);
    pktseq_table_free(&table);
}

// One packet a row, of every kind that a capture has; what becomes of each.
static void test_transports(void) {
    static const char header[] =
        "frame.number,frame.time_relative,ip.src,ipv6.src,ip.dst,ipv6.dst,ip.proto,ipv6.nxt,"
        "_ws.col.Protocol,frame.len,tcp.srcport,tcp.dstport,tcp.flags,udp.srcport,udp.dstport,"
        "icmp.type,icmp.code,icmp.ident,icmpv6.type,icmpv6.code,icmpv6.echo.identifier\n";
    static const struct {
        const char *row;  // from the addresses on
        const char *shown;  // source, transport, ports, syn, type, code, identifier; "" = left out
    } rows[] = {
        {"a,,b,,6,,TCP,60,1,2,0x0002,,,,,,,", "a 6 1 2 1 0 0 0"},
        {"a,,b,,17,,DNS,60,,,,1,53,,,,,", "a 17 1 53 0 0 0 0"},
        {"a,,b,,1,,ICMP,98,,,,,,8,0,4660,,", "a 1 0 0 0 8 0 4660"},
        {",x,,y,,58,ICMPv6,98,,,,,,,,,135,0", "x 58 0 0 0 135 0 0"},
        {",x,,y,,58,ICMPv6,98,,,,,,,,,128,0", "x 58 0 0 0 128 0 6364"},
        {"a,,b,,2,,IGMPv2,60,,,,,,,,,,", "a 2 0 0 0 0 0 0"},
        {",,,,,,ARP,60,,,,,,,,,,", ""},
        {",,,,,,STP,60,,,,,,,,,,", ""},
        // a message that quotes a packet: its own ends, nobody's ports
        {"\"r,a\",,\"a,b\",,\"1,6\",,ICMP,70,40003,80,,,,3,1,,,", "r 1 0 0 0 3 1 0"},
        {"\"r,a\",,\"a,b\",,\"1,6\",,ICMP,70,40003,80,0x0002,,,\"3,8\",1,,,", "r 1 0 0 0 3 1 0"},
        // packets in packets: IPv6 in IPv4, IPv4 in IPv6, and where the file does not say which
        {"o,x,p,y,41,6,TCP,80,1,2,0x0002,,,,,,,", "x 6 1 2 1 0 0 0"},
        {"a,o,b,p,6,4,TCP,80,1,2,0x0002,,,,,,,", "a 6 1 2 1 0 0 0"},
        {"o,x,p,y,,,TCP,80,1,2,0x0002,,,,,,,", "x 6 1 2 1 0 0 0"},
        {"a,o,b,p,\"6\",17,TCP,80,1,2,0x0002,,,,,,,", "a 6 1 2 1 0 0 0"},
        {"\"o,a\",,\"p,b\",,\"4,1\",,ICMP,98,,,,,,8,0,7,,", "a 1 0 0 0 8 0 7"},
        {"\"o,a\",,\"p,b\",,\"4,6\",,TCP,80,1,2,0x0002,,,,,,,", "a 6 1 2 1 0 0 0"},
        {"a,,b,,6,,TCP,60,1,2,0x0002,,,,,,,", "a 6 1 2 1 0 0 0"},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    text csv = {NULL, 0, 0};
    pktseq_schema schema = kind_schema();
    pktseq_table table;
    size_t row = 0;
    put(&csv, header);
    for (int i = 0; i < ROWS; ++i) {
        char begin[20];
        sprintf(begin, "%d,0,", i + 1);
        put(&csv, begin);
        put(&csv, rows[i].row);
        put(&csv, strstr(rows[i].row, ",128,0") ? ",0x18dc\n" : ",\n");
    }
    schema.rule.min_length = 1;
    CHECK_THAT(parse_kind(&table, &csv, &schema, &err), "%s", err.text);
    check_sound(&table, "transports");
    CHECK_THAT(table.counts.not_ip == 2 && table.counts.quotes == 2 && table.counts.tunnels == 4 &&
                   table.counts.bad_rows == 0 && table.rows == ROWS - 2,
               "%lu rows, %lu not IP, %lu quotes, %lu tunnels; %s", (unsigned long)table.rows,
               (unsigned long)table.counts.not_ip, (unsigned long)table.counts.quotes,
               (unsigned long)table.counts.tunnels, table.first_bad);
    for (int i = 0; i < ROWS && table.rows == ROWS - 2; ++i) {
        static const char *const name[] = {"transport", "src_port", "dst_port", "syn", "icmp_type",
                                           "icmp_code", "icmp_id"};
        const pktseq_column *source = pktseq_table_column(&table, "src_ip");
        char shown[100];
        if (!rows[i].shown[0]) continue;
        sprintf(shown, "%s", pktseq_column_text(source, row));
        for (int k = 0; k < 7; ++k)
            sprintf(shown + strlen(shown), " %g",
                    pktseq_column_number(pktseq_table_column(&table, name[k]), row));
        CHECK_THAT(strcmp(shown, rows[i].shown) == 0, "%s: %s", rows[i].row, shown);
        CHECK(table.source_row[row] == (size_t)i);
        ++row;
    }
    pktseq_table_free(&table);
    schema.rule.tcp_only = 1;
    CHECK_THAT(parse_kind(&table, &csv, &schema, &err), "%s", err.text);
    CHECK(table.rows == 7 && table.counts.not_tcp == ROWS - 7);
    check_sound(&table, "TCP alone");
    pktseq_table_free(&table);
    free(csv.data);
}

// Rows that cannot be read are left out up to a share, and the first one is told.
static void test_bad_rows(void) {
    static const struct {
        int rows, bad;
        double share;
        int taken;
    } list[] = {{100, 0, 0, 1}, {100, 1, 0, 1}, {100, 3, 0, 1}, {100, 4, 0, 0}, {1000, 10, 0, 1},
                {1000, 11, 0, 0}, {1000, 100, 0.1, 1}, {1000, 101, 0.1, 0}, {100, 1, -1, 0},
                {9, 1, 0, 0}, {10, 1, 0, 1}, {3000, 1600, 1, 1}, {4000, 2800, 0.5, 0}};
    static const char *const wrong[] = {"0,a,b,TCP,60,1,x,2\n", "x,a,b,TCP,60,1,2,2\n",
                                        "0,a,b,TCP,60,1,2,0xfffff\n", "0,a,b,TCP\n",
                                        "0,a,\xff,TCP,60,1,2,2\n", "0,a,b,TCP,60,1,2,2,9\n"};
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i) {
        text csv = {NULL, 0, 0};
        pktseq_schema schema = pktseq_schema_default();
        pktseq_table table;
        int bad = 0, first = 0;
        schema.bad_rows = list[i].share;
        put(&csv, "Time,ip.src,ip.dst,Protocol,Length,tcp.srcport,tcp.dstport,tcp.flags\n");
        for (int row = 0; row < list[i].rows; ++row) {
            int is = bad < list[i].bad && row % 8;
            if (is && !bad++) first = row + 2;
            put(&csv, is ? wrong[bad % 6] : "0,a,b,TCP,60,1,2,0x0002\n");
        }
        CHECK_THAT(parse_kind(&table, &csv, &schema, &err) == list[i].taken, "%d of %d, %g: %s",
                   list[i].bad, list[i].rows, list[i].share, err.text);
        if (err.status) {
            CHECK_THAT(err.line == (size_t)first && strstr(err.text, "cannot be read"), "%s",
                       err.text);
        } else {
            CHECK(table.counts.bad_rows == (size_t)list[i].bad &&
                  table.counts.bad_line == (size_t)first);
            CHECK(!bad == !table.first_bad[0] && table.rows == (size_t)(list[i].rows - bad));
            check_sound(&table, "bad rows");
        }
        pktseq_table_free(&table);
        free(csv.data);
    }
}

// A thousand quoted rows, as PKTSEQ_TSHARK makes them, with row `place` replaced by (size) bytes of
// `row`. A file ends after its row 1000, so that one may lack its line end.
static void put_quoted(text *csv, int place, const char *row, size_t size) {
    csv->size = 0;
    put(csv, "Time,ip.src,ip.dst,Protocol,Length,tcp.srcport,tcp.dstport,tcp.flags\n");
    for (int i = 1; i <= 1000; ++i) {
        if (i != place) put(csv, "\"0\",\"a\",\"b\",\"TCP\",\"60\",\"1\",\"2\",\"0x0002\"\n");
        for (size_t k = 0; i == place && k < size; ++k) put_many(csv, row[k], 1);
    }
}

// A row of a capture that quotes make unreadable is left out if it is on one line, as the last one
// of an export that was killed is; else, and with a NUL byte, the file is refused.
static void test_torn_rows(void) {
    const size_t window = (size_t)1 << 18;  // PKTSEQI_CSV_WINDOW
    static const char last[] = "\"0\",\"a\",\"b\",\"TCP\",\"60\",\"1\",\"2\",\"0x0002\"";
    static const struct {
        int place;
        const char *row;
        int bad;  // how many rows are left out, -1: the file is refused
        const char *say;
    } list[] = {
        {10, "\"0\"x,\"a\",\"b\",\"TCP\",\"60\",\"1\",\"2\",\"2\"\n", 1, "closing quote of cell 1"},
        {10, "0,a,b,TCP,60,1,2,\"2\" \r", 1, "closing quote of cell 8"},
        {10, "0,a,b,\"TCP\"y,\"60\r\nx\"\n", 2, "closing quote of cell 4"},  // two lines, two rows
        {1000, "0,a,b,TCP,60,1,2,\"2\"x", 1, "closing quote of cell 8"},
        {1000, "0,a,b,TCP,60,1,2,\"2\"\"", 1, "opens cell 8 is never"},
        {1000, "0,a,b,TCP,60,1,2,\"2\r", 1, "opens cell 8 is never"},  // half of a CRLF
        {1000, "0,a,b,TCP,60,1,2,\"2\n", -1, "opens cell 8 is never"},
        {1000, "0,\"a\n\",b,\"TCP", -1, "opens cell 4 is never"},
        {10, "0,a,b,TCP,60,1,2,\"2\n", -1, "closing quote of cell 8"},  // swallows a part of 11
        {10, "0,a,b,\"TCP\"x,\1,1,2,2\n", -1, "NUL byte"},  // \1 becomes the NUL
        {10, "0,a,b,\"TC\1\",60,1,2,2\n", -1, "NUL byte"},
        {10, "0,a,b,\"TCP\"x\n0,a,b,TC\1,60,1,2,2\n", -1, "NUL byte"}};
    pktseq_schema schema = pktseq_schema_default();
    pktseq_table table;
    text csv = {NULL, 0, 0};
    for (size_t cut = 0; cut < sizeof last; ++cut) {  // wherever the last row ends
        int bad = cut > 0 && cut < sizeof last - 1;
        put_quoted(&csv, 1000, last, cut);
        CHECK_THAT(parse_kind(&table, &csv, &schema, &err), "%lu: %s", (unsigned long)cut,
                   err.text);
        CHECK_THAT(table.counts.bad_rows == (size_t)bad &&
                       table.counts.bad_line == (bad ? 1001 : 0) &&
                       table.rows == (bad || !cut ? 999 : 1000),
                   "%lu: %s", (unsigned long)cut, table.first_bad);
        if (!err.status) check_sound(&table, "cut off");
        pktseq_table_free(&table);
    }
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i) {
        char *nul;
        put_quoted(&csv, list[i].place, list[i].row, strlen(list[i].row));
        nul = (char *)memchr(csv.data, 1, csv.size);
        if (nul) *nul = 0;
        CHECK_THAT(parse_kind(&table, &csv, &schema, &err) == (list[i].bad >= 0), "%lu: %s",
                   (unsigned long)i, err.text);
        CHECK_THAT(strstr(err.status ? err.text : table.first_bad, list[i].say), "%lu: %s, %s",
                   (unsigned long)i, err.text, table.first_bad);
        if (!err.status) {
            CHECK(table.counts.bad_rows == (size_t)list[i].bad &&
                  table.counts.bad_line == (size_t)list[i].place + 1 && table.rows == 999);
            check_sound(&table, "torn");
        }
        pktseq_table_free(&table);
    }
    // A quote that opens in row 10 and swallows 990 rows without quotes is not one bad row.
    csv.size = 0;
    put(&csv, "Time,ip.src,ip.dst,Protocol,Length,tcp.srcport,tcp.dstport,tcp.flags\n");
    for (int i = 1; i <= 1000; ++i)
        put(&csv, i == 10 ? "0,a,b,TCP,60,1,\"2,2\n" : "0,a,b,TCP,60,1,2,2\n");
    CHECK(!parse_kind(&table, &csv, &schema, &err) && err.line == 11 &&
          strstr(err.text, "opens cell 7 is never closed"));
    // What is skipped may be longer than the window, and end at its end: lines are counted on.
    for (size_t past = 0; past < 4; ++past) {
        csv.size = 0;
        put(&csv, "Time,ip.src,ip.dst,Protocol,Length,tcp.srcport,tcp.dstport,tcp.flags\n"
                  "0,a,b,TCP,60,1,2,2\n0,a,b,TCP,60,1,2,2\n\n\"0\"");
        put_many(&csv, 'y', 2 * (window - 1) - csv.size - 3 + past);
        put(&csv, "\r\n0,a,b,TCP,60,1,2,2\n0,a,b,TCP,60,1,2,2\n0,a,b,TCP,60,1,2,\"2\r\n");
        schema.bad_rows = 0.5;
        CHECK(!parse_kind(&table, &csv, &schema, &err) && err.line == 8);
        csv.size -= 2;
        CHECK_THAT(parse_kind(&table, &csv, &schema, &err) && table.rows == 4 &&
                       table.counts.bad_rows == 2 && table.counts.bad_line == 5,
                   "%lu: %s", (unsigned long)past, err.text);
        pktseq_table_free(&table);
    }
    // Without a share for bad rows, none is left out.
    schema.bad_rows = -1;
    put_quoted(&csv, 1000, last, sizeof last - 2);
    CHECK(!parse_kind(&table, &csv, &schema, &err) && err.line == 1001);
    free(csv.data);
}

// Files put one after the other, a few that are no CSV of packets, and what is said of each.
static void test_messages(void) {
    static const struct {
        const char *csv, *say[3];
    } list[] = {
        {"\x1f\x8b\x08", {"gzip"}},
        {"\x28\xb5\x2f\xfd", {"zstd"}},
        {"\xfd" "7zXZ", {"xz"}},
        {"PK\x03\x04", {"zip"}},
        {"{\"a\": 1}\n", {"JSON", "tshark"}},
        {"#separator \\x09\n", {"Zeek", "tshark"}},
        {"Flow ID,Src IP,Flow Duration,Label\n1,2,3,4\n", {"\"tcp.flags\"", "no flows", "tshark"}},
        {" Destination Port, Flow Duration, Label\n80,9,BENIGN\n", {"\"length\"", "no flows"}},
        {"sa,da,sp,dp,ipkt,ibyt\n1,2,3,4,5,6\n", {"\"timestamp\"", "no flows"}},
        {"1,0.0,10.0.0.1,10.0.0.2,TCP,60,1,2,0x02\n", {"line 1", "names", "header=y"}},
        {"No.,Time,Source,Destination,Protocol,Length\n1,0,a,b,TCP,60\n",
         {"\"src_port\", \"dst_port\"", "\"tcp.flags\"", "Apply as Column"}},
        {"time,length\n1,2\n", {"\"src_ip\", \"dst_ip\"", "are missing", "tshark"}},
        {"Time,ip.src,ip.dst,Protocol,Length,tcp.srcport,tcp.dstport,tcp.flags,_ws.col.Info\n"
         "0,a,b,TCP,60,1,2,0x02,1 > 2 [SYN, ACK]\n", {"found 10 cells", "quote=d"}},
        {"frame.time_delta,ip.src,ip.dst,Protocol,Length,tcp.srcport,tcp.dstport,tcp.flags\n",
         {"\"timestamp\" is missing"}},
        {"Time,Source,Destination,Protocol,Length,Destination Port,Info\n"
         "0,a,b,TCP,60,2,1 > 2 [SYN]\n", {"\"tcp.flags\", \"src_port\" are missing"}},
        {"3/5/2024 10:00,x\n", {"missing"}},
        {"Time,Source,Destination,Protocol,Length,Source Port,Destination Port,Flags\n"
         "3/5/2024 10:00,a,b,TCP,60,1,2,0x02\n", {"\"3/5/2024 10:00\"", "2024-03-05"}},
    };
    pktseq_schema schema = kind_schema();
    pktseq_table table;
    text csv = {NULL, 0, 0};
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i) {
        CHECK(pktseq_table_parse(&table, list[i].csv, strlen(list[i].csv), &schema, NULL, &err) ==
              PKTSEQ_ERROR_DATA);
        for (int k = 0; k < 3 && list[i].say[k]; ++k)
            CHECK_THAT(strstr(err.text, list[i].say[k]), "%s: nothing of %s", err.text,
                       list[i].say[k]);
    }
    put_kind(&csv, &kinds[0]);
    {
        text twice = {NULL, 0, 0};
        put(&twice, csv.data);
        put(&twice, csv.data);
        CHECK_THAT(parse_kind(&table, &twice, &schema, &err), "%s", err.text);
        CHECK(table.counts.headers == 1 && table.counts.bad_rows == 0 &&
              table.counts.clock_back == 1 &&
              table.rows == 2 * SAMPLES);
        check_sound(&table, "twice");
        pktseq_table_free(&table);
        free(twice.data);
    }
    free(csv.data);
}

// Labels of all kinds, found by their names, and sequences taken out by them.
static void test_labels(void) {
    static const char *const normal[] = {"", "0", "0.0", "-0", "00", "0e5", "-", "BENIGN", "benign",
                                         "Normal", "normal ", "False", "FALSE", " - ", "none"},
                      *const attack[] = {"1", "scan", "0.1", "True", "DDoS", "?", "--", "ben"},
                      *const name[] = {"label", "Label", "LABEL", "class", "attack", "Attack",
                                       "attack_cat"};
    for (size_t i = 0; i < sizeof normal / sizeof *normal; ++i)
        CHECK_THAT(pktseq_label_is_normal(normal[i]) == 1, "%s", normal[i]);
    for (size_t i = 0; i < sizeof attack / sizeof *attack; ++i)
        CHECK_THAT(pktseq_label_is_normal(attack[i]) == 0, "%s", attack[i]);
    CHECK(pktseq_label_is_normal(NULL) == 1);
    for (size_t i = 0; i < sizeof name / sizeof *name; ++i) {
        pktseq_schema schema = kind_schema();
        pktseq_table table;
        unsigned char keep[12];
        text csv = {NULL, 0, 0};
        put(&csv, "Time,ip.src,ip.dst,Protocol,Length,tcp.srcport,tcp.dstport,tcp.flags,");
        put(&csv, name[i]);
        put(&csv, "\n");
        for (int row = 0; row < 48; ++row)
            put(&csv, row / 4 % 3 == 1 ? "0,a,b,TCP,60,1,2,0x0002,scan\n"
                                       : "0,a,b,TCP,61,1,2,0x0002,0\n");
        schema.rule.max_length = 4;
        CHECK_THAT(parse_kind(&table, &csv, &schema, &err) &&
                       pktseq_table_column(&table, "label"), "%s: %s", name[i], err.text);
        CHECK(table.sequences == 12 && table.rows == 48);
        for (int s = 0; s < 12; ++s) keep[s] = s % 3 != 1;
        CHECK(pktseq_table_select(&table, keep, &err) == PKTSEQ_OK);
        CHECK(table.sequences == 8 && table.rows == 32 && table.counts.attacks == 16);
        for (size_t row = 0; row < table.rows; ++row)
            CHECK(pktseq_column_number(pktseq_table_column(&table, "length"), row) == 61 &&
                  table.source_row[row] == row / 4 * 4 + (row / 4 + 1) / 2 * 4 + row % 4);
        if (i == 0) {  // the one allocation that there may be
            counter count;
            pktseq_allocator allocator = counted(&count);
            pktseq_table other;
            CHECK(pktseq_table_parse(&other, csv.data, csv.size, &schema, &allocator, &err) == 0);
            count.fail_at = count.allocations + 1;
            CHECK(pktseq_table_select(&other, keep, &err) == PKTSEQ_ERROR_MEMORY &&
                  other.rows == 48 && other.sequences == 12 && other.counts.attacks == 0);
            CHECK(pktseq_table_select(&other, keep, &err) == PKTSEQ_OK && other.rows == 32);
            pktseq_table_free(&other);
            CHECK(count.live == 0);
        }
        memset(keep, 0, sizeof keep);
        CHECK(pktseq_table_select(&table, keep, &err) == PKTSEQ_ERROR_DATA && table.rows == 32);
        CHECK(pktseq_table_select(&table, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
        CHECK(pktseq_table_select(NULL, keep, &err) == PKTSEQ_ERROR_ARGUMENT);
        pktseq_table_free(&table);
        free(csv.data);
    }
}

// Times for people.
static void test_times(void) {
    static const struct {
        double seconds;
        const char *text;
    } list[] = {{0, "0.000000"}, {1.5, "1.500000"}, {-0.25, "-0.250000"},
                {0.9999996, "1.000000"}, {1e300, "1e+300"},
                {1759508960.000003, "2025-10-03T16:29:20.000003Z"},
                {1700000000.25, "2023-11-14T22:13:20.250000Z"},
                {1709251199.9999996, "2024-03-01T00:00:00.000000Z"},
                {951782400, "2000-02-29T00:00:00.000000Z"},
                {4107542399.5, "2100-02-28T23:59:59.500000Z"},
                {631151999, "631151999.000000"}, {631152000, "1990-01-01T00:00:00.000000Z"}};
    char text_[40];
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i)
        CHECK_THAT(strcmp(pktseq_time_text(list[i].seconds, text_), list[i].text) == 0, "%s: %s",
                   list[i].text, text_);
}

// Of several values of a port the last one counts, as a number and as a text; it must be there. A
// flag is one word of the list, and no part of the list.
static void test_several(void) {
    pktseq_field field[2] = {field_of("src_port", PKTSEQ_PORT), field_of("syn", PKTSEQ_FLAG)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
#define SEVERAL(port, syn) \
    parse_text(&table, "Time,Source,Destination,tcp.srcport,Syn\n0,a,b," port "," syn "\n", \
               &schema, &err)
    schema.rule = pktseq_rule_default();
    schema.rule.min_length = 1;
    CHECK_THAT(SEVERAL("\"80,443\"", "\"Set,Not set\"") == PKTSEQ_OK, "%s", err.text);
    CHECK(table.counts.many_values == 2 && pktseq_column_number(&table.column[0], 0) == 443 &&
          pktseq_column_number(&table.column[1], 0) == 0);
    pktseq_table_free(&table);
    CHECK(SEVERAL("\"80,\"", "1") == PKTSEQ_ERROR_DATA && says(&err, "found an empty cell"));
    CHECK(SEVERAL("\"80,x\"", "1") == PKTSEQ_ERROR_DATA && says(&err, "found \"x\""));
    CHECK(SEVERAL("80", "Set|True") == PKTSEQ_ERROR_DATA && says(&err, "\"Set|True\""));
    CHECK(SEVERAL("80", "Tru") == PKTSEQ_ERROR_DATA && says(&err, "\"Tru\""));
    field[0].kind = PKTSEQ_ONEHOT;
    CHECK_THAT(SEVERAL("\"80,443\"", "1") == PKTSEQ_OK, "%s", err.text);
    CHECK(table.counts.many_values == 1 &&
          strcmp(pktseq_column_text(&table.column[0], 0), "443") == 0);
    pktseq_table_free(&table);
    // A row with the first names of the header alone is no header line.
    CHECK(SEVERAL("80", "1\nTime,Source,Destination,tcp.srcport") == PKTSEQ_ERROR_DATA &&
          says(&err, "found 4 cells, expected 5"));
    CHECK(!pktseq_label_is_normal("-|benign") && !pktseq_label_is_normal("benig"));
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

// The schema that reads one column of a capture, in which every packet may begin a sequence.
static pktseq_schema schema_of_capture(const pktseq_field *field) {
    pktseq_schema schema = schema_of(field, 1);
    schema.rule = pktseq_rule_default();
    schema.rule.min_length = 1;
    return schema;
}

// The zone of a date, with and without a colon, or of hours alone.
static void test_zones(void) {
    static const char *const good[] = {"01T00:59:59.5+01:00", "01T00:59:59.5+0100",
                                       "01 00:59:59.5+01", "01T05:29:59.5+0530",
                                       "01T00:00:59.5+0001", "01T00:59:59,5+01",
                                       "01T14:00:00.5+1400", "01T00:00:00.5-0000",
                                       "01T00:00:00.5Z"};
    static const char *const west[] = {"2024-02-29T22:59:59.5-01:00", "2024-02-29T18:29:59.5-0530"};
    static const char *const bad[] = {"+100", "+1460", "+1500", "+01000", "+", "+01:", "+01:60",
                                      "+0100:00", "Z0100", "+01x"};
    pktseq_field field = field_of("timestamp", PKTSEQ_NUMBER);
    pktseq_schema schema = schema_of_capture(&field);
    const size_t goods = sizeof good / sizeof *good;
    for (size_t i = 0; i < goods + sizeof bad / sizeof *bad; ++i) {
        char csv[200];
        pktseq_table table;
        int status;
        const char *clock = i < goods ? good[i] : "01T00:59:59.5";
        sprintf(csv, "timestamp,src_ip,dst_ip\n\"2024-03-%s%s\",a,b\n", clock,
                i < goods ? "" : bad[i - goods]);
        status = parse_text(&table, csv, &schema, &err);
        if (i >= goods) {
            CHECK_THAT(status == PKTSEQ_ERROR_DATA && says(&err, "or a date"), "%s", csv);
            continue;
        }
        CHECK_THAT(!status && fabs(pktseq_column_number(table.column, 0) -
                                   (i < 6 ? 1709251199.5 : 1709251200.5)) < 1e-6,
                   "%s: %s, %.1f", csv, err.text, pktseq_column_number(table.column, 0));
        pktseq_table_free(&table);
    }
    for (size_t i = 0; i < sizeof west / sizeof *west; ++i) {
        char csv[200];
        pktseq_table table;
        sprintf(csv, "timestamp,src_ip,dst_ip\n%s,a,b\n", west[i]);
        CHECK_THAT(!parse_text(&table, csv, &schema, &err), "%s: %s", csv, err.text);
        CHECK(fabs(pktseq_column_number(table.column, 0) - 1709251199.5) < 1e-6);
        pktseq_table_free(&table);
    }
}

// What no date is: other separators, a fraction longer than any clock's, a time before 1970.
static void test_no_dates(void) {
    static const char *const bad[] = {"2024-03-05x10:00:00",
                                      "2024-03-05T10:00:00.1234567890123456789",
                                      "1970-01-01T00:30:00+01:00", "1969-12-31T23:59:59",
                                      "1234567890-03-05T10:00:00", "2024-03-05T10:00",
                                      "2024-03-05T10:00:00.25 and what is longer than any time is"};
    pktseq_field field = field_of("timestamp", PKTSEQ_NUMBER);
    pktseq_schema schema = schema_of_capture(&field);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        char csv[200];
        pktseq_table table;
        sprintf(csv, "timestamp,src_ip,dst_ip\n%s,a,b\n", bad[i]);
        CHECK_THAT(parse_text(&table, csv, &schema, &err) == PKTSEQ_ERROR_DATA &&
                   says(&err, "or a date"), "%s: %s", csv, err.text);
    }
}

// Wireshark shows frames without IP with addresses of Ethernet, whatever their protocol is called.
static void test_ethernet(void) {
    static const struct {
        const char *source;
        int is_ip;
    } list[] = {{"00:11:22:33:44:55", 0}, {"Dell_33:44:55", 0}, {"Broadcast", 0},
                {"AA:BB:CC:dd:ee:ff", 0}, {"10.0.0.1", 1}, {"fe80::11:22:33:44:55:66", 1},
                {"fe80::a", 1}, {"11:22:33:44:55", 1}, {"host_44:55", 1}, {"host:33:44:55", 1},
                {"_33:44:5", 1}, {"0:11:22:33:44:55:66", 1}, {"2001:db8:11:22:33:44:55:66", 1}};
    pktseq_field field = field_of("length", PKTSEQ_NUMBER);
    pktseq_schema schema = schema_of_capture(&field);
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i) {
        char csv[300];
        pktseq_table table;
        sprintf(csv, "Time,Source,Destination,Protocol,Length\n0,10.0.0.9,10.0.0.8,TCP,60\n"
                "1,%s,10.0.0.9,0x4321,60\n", list[i].source);
        CHECK_THAT(!parse_text(&table, csv, &schema, &err), "%s: %s", csv, err.text);
        CHECK_THAT(table.counts.not_ip == !list[i].is_ip, "%s: %lu not IP", list[i].source,
                   (unsigned long)table.counts.not_ip);
        pktseq_table_free(&table);
    }
}

// Ports of SCTP are in columns of their own.
static void test_sctp(void) {
    static const char csv[] = "frame.time_relative,ip.src,ip.dst,_ws.col.Protocol,frame.len,"
                              "sctp.srcport,sctp.dstport\n0,a,b,M3UA,98,2905,50000\n";
    pktseq_field field[] = {field_of("transport", PKTSEQ_NUMBER),
                            field_of("src_port", PKTSEQ_NUMBER),
                            field_of("dst_port", PKTSEQ_NUMBER)};
    pktseq_schema schema = schema_of(field, 3);
    pktseq_table table;
    schema.rule = pktseq_rule_default();
    schema.rule.min_length = 1;
    CHECK_THAT(!parse_text(&table, csv, &schema, &err), "%s", err.text);
    CHECK(pktseq_column_number(pktseq_table_column(&table, "transport"), 0) == 132);
    CHECK(pktseq_column_number(pktseq_table_column(&table, "src_port"), 0) == 2905);
    CHECK(pktseq_column_number(pktseq_table_column(&table, "dst_port"), 0) == 50000);
    pktseq_table_free(&table);
}

// ---- the recordings

// The folder of the data, from the project's top folder or from the folder of the tests.
static const char *data_path(const char *name) {
    static char path[200];
    FILE *file;
    sprintf(path, "examples/data/%s", name);
    file = fopen(path, "rb");
    if (file) fclose(file);
    else sprintf(path, "../examples/data/%s", name);
    return path;
}

// The export, cut here, is row for row the file with positions that the data set has had before.
static void test_recording(const char *name) {
    static const char *const keep[] = {"No.", "src_ip", "dst_ip"};
    pktseq_schema schema = pktseq_schema_default();
    pktseq_table export_, seqs;
    char file[100];
    clock_t began = clock();
    schema.keep = keep;
    schema.keep_count = 3;
    schema.rule.reference_names = 1;
    sprintf(file, "%s_export.csv", name);
    CHECK_THAT(pktseq_table_read(&export_, data_path(file), &schema, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    printf("%s: read and cut in %.0f ms\n", file,
           1000 * check_seconds(began));
    sprintf(file, "%s_seqs.csv", name);
    CHECK_THAT(pktseq_table_read(&seqs, data_path(file), &schema, NULL, &err) == PKTSEQ_OK, "%s",
               err.text);
    check_sound(&export_, name);
    CHECK(export_.rows == seqs.rows && export_.sequences == seqs.sequences && seqs.rows > 78000);
    CHECK(export_.column_count == seqs.column_count && seqs.column_count == 18);
    CHECK(seqs.source_row == NULL && seqs.counts.packets == seqs.rows && seqs.counts.dropped == 0);
    if (export_.rows == seqs.rows && export_.sequences == seqs.sequences) {
        CHECK(memcmp(export_.start, seqs.start, (seqs.sequences + 1) * sizeof *seqs.start) == 0);
        for (size_t c = 0; c < seqs.column_count; ++c) {
            const pktseq_column *a = &export_.column[c], *b = &seqs.column[c];
            size_t wrong = 0;
            for (size_t row = 0; row < seqs.rows; ++row)
                wrong += b->names ? strcmp(pktseq_column_text(a, row), pktseq_column_text(b, row))
                                        != 0
                                  : pktseq_column_number(a, row) != pktseq_column_number(b, row);
            CHECK_THAT(strcmp(a->name, b->name) == 0 && wrong == 0, "%s: column %s differs", name,
                       b->name);
        }
    }
    // A packet's number in the capture is its row in the export, from 1.
    {
        const pktseq_column *number = pktseq_table_column(&export_, "No.");
        size_t wrong = 0;
        for (size_t row = 0; row < export_.rows && number; ++row)
            wrong += pktseq_column_number(number, row) != (double)export_.source_row[row] + 1;
        CHECK(number && wrong == 0);
    }
    // The file with positions, cut anew, is as it was.
    schema.rule.reference_names = 0;
    {
        size_t sequences = seqs.sequences, rows = seqs.rows;
        CHECK(pktseq_table_track(&seqs, &schema.rule, NULL, &err) == PKTSEQ_OK);
        CHECK(seqs.rows == rows && seqs.sequences == sequences && seqs.source_row == NULL);
        CHECK(export_.rows != rows ||
              memcmp(export_.start, seqs.start, (sequences + 1) * sizeof *seqs.start) == 0);
    }
    pktseq_table_free(&export_);
    pktseq_table_free(&seqs);
}

// ---- memory that runs out

static const char *const protocol_name[PROTOCOLS] = {
    "TCP", "SMTP/IMF", "FTP", "SMTP|IMF", "FINGER", "SMTP", "FTP-DATA", "TIME", "SMTP/IMFX"};

static void test_memory(void) {
    text csv = {NULL, 0, 0};
    pktseq_schema schema = pktseq_schema_default();
    size_t fail_at;
    schema.rule.reference_names = 1;
    put(&csv, "Time,ip.src,ipv6.src,Destination,Protocol,Length,Source port,Dest port,tcp.flags\n");
    for (unsigned i = 0; i < 2600; ++i) {
        char row[100];
        sprintf(row, i % 9 == 4 ? "0,,,,,,,,\n" : i % 2 ? "0,10.0.%u.1,,b,%s,6,1,2,%u\n"
                                                        : "0,,::%u,a,%s,6,1,2,%u\n", i % 300,
                i % 7 ? protocol_name[i % PROTOCOLS] : "HTTP", i);
        put(&csv, row);
    }
    // Every allocation in turn. Only giving back spare room, at the very end, may fail unnoticed.
    for (fail_at = 1;; ++fail_at) {
        counter count;
        pktseq_allocator allocator = counted(&count);
        pktseq_table table;
        pktseq_status status;
        count.fail_at = fail_at;
        status = pktseq_table_parse(&table, csv.data, csv.size, &schema, &allocator, &err);
        if (status == PKTSEQ_OK) {
            check_sound(&table, "memory");
            CHECK(table.counts.not_tcp > 200 && table.counts.dropped > 200 &&
                  table.counts.renamed > 200);
            pktseq_table_free(&table);
            CHECK(count.live == 0);
            if (count.allocations < fail_at) break;
            continue;
        }
        CHECK_THAT(status == PKTSEQ_ERROR_MEMORY && count.live == 0 && table.column == NULL,
                   "allocation %lu: %s", (unsigned long)fail_at, err.text);
    }
    CHECK_THAT(fail_at > 300, "%lu allocations", (unsigned long)fail_at);
    free(csv.data);
}

int main(void) {
    test_captures();
    test_flags();
    test_refusals();
    test_position();
    test_kinds();
    test_texts();
    test_transports();
    test_bad_rows();
    test_torn_rows();
    test_messages();
    test_labels();
    test_times();
    test_several();
    test_flag_words();
    test_last_not_tcp();
    test_last_not_tcp_memory();
    test_days();
    test_zones();
    test_no_dates();
    test_ethernet();
    test_sctp();
    test_recording("normal");
    test_recording("mixed");
    test_memory();
    return check_end("test_rows");
}
